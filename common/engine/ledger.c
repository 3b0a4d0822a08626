// Sealing and replaying ledger rows. See ledger.h.
#include "engine/ledger.h"

#include "base/str.h"
#include "engine/index.h"
#include "revision/digest.h"

#include <string.h>

#define SEAL_BYTES_MAX (16u * 1024)

// ------------------------------------------------------------------------------------------- seal

struct sealer {
    uint8_t bytes[SEAL_BYTES_MAX];
    size_t len;
};

static void
put(struct sealer *s, const void *bytes, size_t len)
{
    if (len <= sizeof s->bytes - s->len) {
        memcpy(s->bytes + s->len, bytes, len);
        s->len += len;
    }
}

static void
put_number(struct sealer *s, uint64_t value, unsigned size)
{
    uint8_t b[8];
    for (unsigned i = 0; i < size; i++) {
        b[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    put(s, b, size);
}

static void
put_text(struct sealer *s, const char *text)
{
    size_t n = strlen(text);
    put_number(s, n, 4);
    put(s, text, n);
}

void
dr_ledger_seal(struct dr_ledger_row *row)
{
    static const char prefix[] = "drover-ledger-1"; // with its NUL
    struct sealer s = {.len = 0};
    put(&s, prefix, sizeof prefix);
    put(&s, row->previous, 32);
    put_number(&s, row->position, 8);
    put_number(&s, (uint64_t)row->kind, 1);
    put_number(&s, (uint64_t)row->direction, 1);
    put_number(&s, row->completes ? 1 : 0, 1);
    put_text(&s, row->tenant);
    put_text(&s, row->revision_id);
    put(&s, row->revision_digest, 32);
    put_number(&s, row->parents_count, 4);
    for (size_t i = 0; i < row->parents_count; i++) {
        put(&s, row->parents[i], 32);
    }
    put_number(&s, row->unit_number, 4);
    put(&s, row->unit_digest, 32);
    put(&s, row->plan_sha256, 32);
    put(&s, row->approval_sha256, 32);
    dr_digest_sha256(row->head, s.bytes, s.len);
}

// ------------------------------------------------------------------------------------------- view

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left while reading the ledger");
}

enum dr_rc
dr_ledger_index(struct dr_arena *arena, struct dr_ledger_view *view, struct dr_err *err)
{
    struct dr_index *index = dr_arena_alloc(arena, sizeof *index);
    if (index == NULL) {
        return no_memory(err);
    }
    index->arena = arena;
    for (size_t i = 0; i < view->revisions_count; i++) {
        if (!dr_index_put(index, view->revisions[i].id, i)) {
            return no_memory(err);
        }
    }
    view->index = index;
    return DR_OK;
}

const struct dr_ledger_revision *
dr_ledger_find(const struct dr_ledger_view *view, const char *id)
{
    size_t i;
    if (view->index == NULL || !dr_index_get(view->index, id, &i)) {
        return NULL;
    }
    return &view->revisions[i];
}

// Makes room for one more in an array that grows by doubling; NULL when memory is out.
static void *
grow(struct dr_arena *arena, void *array, size_t count, size_t size)
{
    if (count > 0 && (count < 8 || (count & (count - 1)) != 0)) {
        return array;
    }
    void *bigger = dr_arena_array(arena, count == 0 ? 8 : count * 2, size);
    if (bigger != NULL && count > 0) {
        memcpy(bigger, array, count * size);
    }
    return bigger;
}

enum dr_rc
dr_ledger_add_unit(struct dr_arena *arena, struct dr_ledger_view *view,
                   const struct dr_ledger_row *row, int64_t time, struct dr_err *err)
{
    for (size_t i = 0; i < view->units_count; i++) {
        struct dr_ledger_unit *u = &view->units[i];
        if (u->kind == DR_LEDGER_INTENT && u->unit_number == row->unit_number &&
            u->direction == row->direction && strcmp(u->revision_id, row->revision_id) == 0) {
            u->kind = row->kind;
            u->finished = time;
            if (row->kind == DR_LEDGER_FAILED) {
                *u = view->units[--view->units_count];
            }
            return DR_OK;
        }
    }
    if (view->units_count >= DR_LEDGER_ROWS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "the ledger has too many units of half-done revisions");
    }
    struct dr_ledger_unit *units = grow(arena, view->units, view->units_count, sizeof *units);
    const char *id = dr_arena_str(arena, row->revision_id);
    if (units == NULL || id == NULL) {
        return no_memory(err);
    }
    view->units = units;
    struct dr_ledger_unit *u = &units[view->units_count++];
    *u = (struct dr_ledger_unit){.revision_id = id,
                                 .kind = row->kind,
                                 .direction = row->direction,
                                 .unit_number = row->unit_number,
                                 .finished = time};
    memcpy(u->revision_digest, row->revision_digest, 32);
    memcpy(u->unit_digest, row->unit_digest, 32);
    return DR_OK;
}

// ----------------------------------------------------------------------------------------- replay

struct entry {
    const char *id;
    uint8_t digest[32];
    bool is_there;
    bool was_whole; // before it began to go down
    enum dr_ledger_state state;
    size_t done;                    // units of the half-done phase
    size_t parents_count, children; // children that are wholly there
    const uint8_t (*parents)[32];
};

struct dr_ledger_replay {
    struct dr_arena *arena;
    const char *tenant;
    uint64_t position;
    uint8_t head[32];
    struct entry *entries;
    size_t count;
    struct dr_index by_id, by_digest;
};

struct dr_ledger_replay *
dr_ledger_replay_new(struct dr_arena *arena, const char *tenant)
{
    struct dr_ledger_replay *r = dr_arena_alloc(arena, sizeof *r);
    if (r != NULL) {
        r->arena = arena;
        r->tenant = tenant;
        r->by_id.arena = arena;
        r->by_digest.arena = arena;
    }
    return r;
}

static enum dr_rc
tampered(struct dr_err *err, uint64_t position, const char *what)
{
    return dr_err_set(err, DR_E_LEDGER_TAMPERED, "the ledger was changed: row %llu %s",
                      (unsigned long long)position, what);
}

static struct entry *
entry_of(struct dr_ledger_replay *r, const struct dr_ledger_row *row)
{
    size_t i;
    if (dr_index_get(&r->by_id, row->revision_id, &i)) {
        return &r->entries[i];
    }
    struct entry *entries = grow(r->arena, r->entries, r->count, sizeof *entries);
    char hex[65];
    dr_hex(hex, row->revision_digest, 32);
    const char *id = dr_arena_str(r->arena, row->revision_id), *key = dr_arena_str(r->arena, hex);
    if (entries == NULL || id == NULL || key == NULL || !dr_index_put(&r->by_id, id, r->count) ||
        !dr_index_put(&r->by_digest, key, r->count)) {
        return NULL;
    }
    r->entries = entries;
    struct entry *e = &entries[r->count++];
    *e = (struct entry){.id = id, .parents_count = row->parents_count};
    memcpy(e->digest, row->revision_digest, 32);
    e->parents = dr_arena_copy(r->arena, row->parents_count > 0 ? (const void *)row->parents : "",
                               32 * row->parents_count);
    return e->parents == NULL ? NULL : e;
}

static void
count_child(struct dr_ledger_replay *r, const struct entry *e, bool is_added)
{
    for (size_t i = 0; i < e->parents_count; i++) {
        char hex[65];
        size_t at;
        dr_hex(hex, e->parents[i], 32);
        if (dr_index_get(&r->by_digest, hex, &at)) {
            r->entries[at].children += is_added ? 1 : (size_t)-1;
        }
    }
}

static enum dr_rc
apply_up(struct dr_ledger_replay *r, struct entry *e, const struct dr_ledger_row *row,
         struct dr_err *err)
{
    bool was_going_down = e->is_there && e->state == DR_LEDGER_GOING_DOWN;
    bool is_brought_back = was_going_down && row->kind == DR_LEDGER_STAMP && row->completes;
    if (e->is_there && e->state != DR_LEDGER_GOING_UP && !is_brought_back) {
        return tampered(err, row->position, "brings a revision that is there already");
    }
    memcpy(e->digest, row->revision_digest, 32); // it may come back with other bytes after it went
    e->done = e->is_there ? e->done : 0;
    e->is_there = true;
    e->state = row->completes ? DR_LEDGER_APPLIED : DR_LEDGER_GOING_UP;
    if (row->completes) {
        e->done = 0;
        if (!was_going_down || !e->was_whole) { // else its parents count it still
            count_child(r, e, true);
        }
    } else if (row->kind == DR_LEDGER_DONE) {
        e->done++;
    } else if (row->kind == DR_LEDGER_FAILED && e->done == 0) {
        e->is_there = false;
    }
    return DR_OK;
}

static enum dr_rc
apply_down(struct dr_ledger_replay *r, struct entry *e, const struct dr_ledger_row *row,
           struct dr_err *err)
{
    if (!e->is_there) {
        return tampered(err, row->position, "takes away a revision that is not there");
    }
    if (e->state != DR_LEDGER_GOING_DOWN) {
        e->was_whole = e->state == DR_LEDGER_APPLIED;
        e->state = DR_LEDGER_GOING_DOWN;
        e->done = 0;
    }
    if (row->completes) {
        e->is_there = false;
        if (e->was_whole) {
            count_child(r, e, false);
        }
    } else if (row->kind == DR_LEDGER_DONE) {
        e->done++;
    } else if (row->kind == DR_LEDGER_FAILED && e->done == 0 && e->was_whole) {
        e->state = DR_LEDGER_APPLIED;
    }
    return DR_OK;
}

enum dr_rc
dr_ledger_replay_row(struct dr_ledger_replay *r, const struct dr_ledger_row *row, int64_t time,
                     struct dr_err *err)
{
    (void)time;
    struct dr_ledger_row again = *row;
    dr_ledger_seal(&again);
    if (row->position != r->position + 1) {
        return tampered(err, row->position, "does not follow the one before it");
    }
    if (strcmp(row->tenant, r->tenant) != 0 || memcmp(row->previous, r->head, 32) != 0) {
        return tampered(err, row->position, "is not linked to the one before it");
    }
    if (memcmp(again.head, row->head, 32) != 0) {
        return tampered(err, row->position, "does not match its own hash");
    }
    r->position = row->position;
    memcpy(r->head, row->head, 32);
    if (row->direction == DR_LEDGER_REMEDY) {
        return DR_OK;
    }
    struct entry *e = entry_of(r, row);
    if (e == NULL) {
        return no_memory(err);
    }
    return row->direction == DR_LEDGER_UP ? apply_up(r, e, row, err) : apply_down(r, e, row, err);
}

static const char *
difference(const struct entry *e, const struct dr_ledger_revision *v)
{
    if (v == NULL) {
        return e->is_there ? "is missing in the list of revisions" : NULL;
    }
    if (!e->is_there) {
        return "is listed, but was taken away";
    }
    if (memcmp(v->digest, e->digest, 32) != 0) {
        return "is listed with another digest";
    }
    if (v->state != e->state) {
        return "is listed in another state";
    }
    bool is_whole =
        e->state == DR_LEDGER_APPLIED || (e->state == DR_LEDGER_GOING_DOWN && e->was_whole);
    bool is_head = is_whole && e->children == 0;
    return v->is_head == is_head ? NULL : "is wrongly listed as head, or not as one";
}

enum dr_rc
dr_ledger_replay_compare(const struct dr_ledger_replay *r, const struct dr_ledger_view *view,
                         struct dr_err *err)
{
    if (view->position != r->position || memcmp(view->head, r->head, 32) != 0) {
        return dr_err_set(err, DR_E_LEDGER_TAMPERED,
                          "the ledger was changed: it ends at row %llu, not %llu",
                          (unsigned long long)r->position, (unsigned long long)view->position);
    }
    for (size_t i = 0; i < r->count; i++) {
        const char *what = difference(&r->entries[i], dr_ledger_find(view, r->entries[i].id));
        if (what != NULL) {
            return dr_err_set(err, DR_E_LEDGER_TAMPERED, "the ledger was changed: revision '%s' %s",
                              r->entries[i].id, what);
        }
    }
    for (size_t i = 0; i < view->revisions_count; i++) {
        size_t at;
        if (!dr_index_get(&r->by_id, view->revisions[i].id, &at)) {
            return dr_err_set(
                err, DR_E_LEDGER_TAMPERED,
                "the ledger was changed: revision '%s' is listed, but no row brought it",
                view->revisions[i].id);
        }
    }
    return DR_OK;
}
