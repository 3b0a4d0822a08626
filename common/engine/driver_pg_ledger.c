// How the ledger in PostgreSQL is read. See ledger.h.
#include "engine/driver_pg.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE_ROWS 10000u // rows of the ledger read at once

#define ROW_COLUMNS                                                                                \
    "l.position, l.kind, l.direction, l.completes, l.revision_id, l.revision_digest, l.parents, "  \
    "l.unit_number,"                                                                               \
    " l.unit_digest, l.plan_sha256, l.approval_sha256, l.previous, l.head,"                        \
    " pg_catalog.floor(pg_catalog.date_part('epoch', l.at))::int8"

// ------------------------------------------------------------------------------------------- read

static enum dr_rc
not_a_ledger(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LEDGER_TAMPERED, "the ledger has a value that drover never writes");
}

static enum dr_rc
no_room(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

// `parents` is a bytea of 32 bytes each, as text: "\x...". False: it is none; a list of NULL: no
// memory.
static bool
read_parents(struct dr_arena *arena, const char *text, size_t *out_count, const uint8_t (**out)[32])
{
    size_t len = text == NULL ? 0 : strlen(text);
    if (len < 2 || (len - 2) % 64 != 0 || (len - 2) / 64 > DR_LEDGER_PARENTS_MAX) {
        return false;
    }
    size_t count = (len - 2) / 64;
    uint8_t(*parents)[32] = dr_arena_array(arena, count + 1, 32);
    for (size_t i = 0; parents != NULL && i < count; i++) {
        char hex[65];
        memcpy(hex, text + 2 + 64 * i, 64);
        hex[64] = '\0';
        if (!dr_unhex(parents[i], 32, hex)) {
            return false;
        }
    }
    *out_count = count;
    *out = (const uint8_t(*)[32])parents;
    return true;
}

static enum dr_rc
read_row(const struct dr_pg_result *res, size_t i, const struct dr_pgd *d, struct dr_arena *arena,
         struct dr_ledger_row *out, int64_t *out_time, struct dr_err *err)
{
    const char *id = dr_pg_text(res, i, 4);
    *out = (struct dr_ledger_row){
        .tenant = d->tenant,
        .position = (uint64_t)dr_pg_int(res, i, 0),
        .kind = (enum dr_ledger_kind)dr_pg_int(res, i, 1),
        .direction = (enum dr_ledger_direction)dr_pg_int(res, i, 2),
        .completes = dr_pg_bool(res, i, 3),
        .unit_number = (uint32_t)dr_pg_int(res, i, 7),
    };
    *out_time = dr_pg_int(res, i, 13);
    out->revision_id = id == NULL ? NULL : dr_arena_str(arena, id);
    bool is_good = id != NULL && strlen(id) <= DR_LEDGER_ID_MAX &&
                   dr_pg_bytea(res, i, 5, out->revision_digest, 32) &&
                   read_parents(arena, dr_pg_text(res, i, 6), &out->parents_count, &out->parents) &&
                   dr_pg_bytea(res, i, 8, out->unit_digest, 32) &&
                   dr_pg_bytea(res, i, 9, out->plan_sha256, 32) &&
                   dr_pg_bytea(res, i, 10, out->approval_sha256, 32) &&
                   dr_pg_bytea(res, i, 11, out->previous, 32) &&
                   dr_pg_bytea(res, i, 12, out->head, 32);
    if (!is_good) {
        return not_a_ledger(err);
    }
    return out->revision_id != NULL && out->parents != NULL ? DR_OK : no_room(err);
}

struct reading {
    const struct dr_pgd *d;
    struct dr_arena *arena;
    struct dr_ledger_view *view;
    struct dr_ledger_replay *replay; // NULL: not asked for
    uint64_t at_traps;               // place of that question in the pipeline; 0: not asked
    uint64_t at_page;                // place among the others; 0: not asked
    uint64_t after;                  // position of the last row that was replayed
    size_t page_rows;
};

static enum dr_rc
take_meta(struct reading *r, const struct dr_pg_result *res, struct dr_err *err)
{
    r->view->exists = true;
    r->view->owner = "";
    for (size_t i = 0; i < dr_pg_rows(res); i++) {
        const char *key = dr_pg_text(res, i, 0), *value = dr_pg_text(res, i, 1);
        uint64_t number;
        if (strcmp(key, "version") == 0) {
            if (!dr_parse_u64(value, 1, UINT32_MAX, &number)) {
                return not_a_ledger(err);
            }
            r->view->version = (uint32_t)number;
        } else if (strcmp(key, "owner") == 0) {
            r->view->owner = dr_arena_str(r->arena, value);
        } else if (strcmp(key, "owner_key") == 0 && !dr_unhex(r->view->owner_key, 32, value)) {
            return not_a_ledger(err);
        }
    }
    if (r->view->version > DR_LEDGER_VERSION) {
        return dr_pgd_ledger_newer(err, r->view->version);
    }
    return r->view->owner != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "no memory left");
}

static enum dr_rc
take_revisions(struct reading *r, const struct dr_pg_result *res, struct dr_err *err)
{
    size_t n = dr_pg_rows(res);
    struct dr_ledger_revision *list = dr_arena_array(r->arena, n + 1, sizeof *list);
    if (list == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < n; i++) {
        struct dr_ledger_revision *v = &list[i];
        const char *id = dr_pg_text(res, i, 0);
        v->id = id == NULL ? NULL : dr_arena_str(r->arena, id);
        v->state = (enum dr_ledger_state)dr_pg_int(res, i, 3);
        v->since = (uint64_t)dr_pg_int(res, i, 4);
        v->is_head = dr_pg_bool(res, i, 5);
        if (id == NULL || !dr_pg_bytea(res, i, 1, v->digest, 32) ||
            !read_parents(r->arena, dr_pg_text(res, i, 2), &v->parents_count, &v->parents)) {
            return not_a_ledger(err);
        }
        if (v->id == NULL || v->parents == NULL) {
            return no_room(err);
        }
    }
    r->view->revisions = list;
    r->view->revisions_count = n;
    return dr_ledger_index(r->arena, r->view, err);
}

static enum dr_rc
take_last(struct reading *r, const struct dr_pg_result *res, struct dr_err *err)
{
    if (dr_pg_rows(res) == 0) {
        return DR_OK;
    }
    struct dr_ledger_row row;
    int64_t time;
    enum dr_rc rc = read_row(res, 0, r->d, r->arena, &row, &time, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_ledger_row again = row;
    dr_ledger_seal(&again);
    if (memcmp(again.head, row.head, 32) != 0) {
        return dr_err_set(err, DR_E_LEDGER_TAMPERED,
                          "the ledger was changed: row %" PRIu64 " does not match its own hash",
                          row.position);
    }
    r->view->position = row.position;
    memcpy(r->view->head, row.head, 32);
    return DR_OK;
}

static enum dr_rc
take_units(struct reading *r, const struct dr_pg_result *res, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(res); i++) {
        struct dr_ledger_row row;
        int64_t time;
        rc = read_row(res, i, r->d, r->arena, &row, &time, err);
        if (rc == DR_OK) {
            rc = dr_ledger_add_unit(r->arena, r->view, &row, time, err);
        }
    }
    return rc;
}

static enum dr_rc
take_page(struct reading *r, const struct dr_pg_result *res, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    r->page_rows = dr_pg_rows(res);
    for (size_t i = 0; rc == DR_OK && i < r->page_rows; i++) {
        struct dr_ledger_row row;
        int64_t time;
        rc = read_row(res, i, r->d, r->arena, &row, &time, err);
        if (rc == DR_OK) {
            rc = dr_ledger_replay_row(r->replay, &row, time, err);
            r->after = row.position;
        }
    }
    return rc;
}

static enum dr_rc
take_result(void *ctx, uint64_t index, const struct dr_pg_result *res, struct dr_err *err)
{
    const struct reading *r = ctx;
    if (index > 0 && index == r->at_traps) {
        return dr_pgd_refuse_traps(res, err);
    }
    index -= index > r->at_traps ? r->at_traps : 0;
    if (index > 0 && index == r->at_page) {
        return take_page(ctx, res, err);
    }
    switch (index) {
    case 1:
        return take_meta(ctx, res, err);
    case 2:
        return take_revisions(ctx, res, err);
    case 3:
        return take_last(ctx, res, err);
    case 4:
        return take_units(ctx, res, err);
    default:
        return DR_OK;
    }
}

#define REVISIONS_SQL                                                                              \
    "SELECT id, digest, parents, state, since, is_head FROM drover.revision WHERE tenant = $1"

static const char *const read_sql[] = {
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SELECT key, value FROM drover.meta",
    REVISIONS_SQL " ORDER BY position, id",
    "SELECT " ROW_COLUMNS
    " FROM drover.ledger l WHERE l.tenant = $1 ORDER BY l.position DESC LIMIT 1",
    "SELECT " ROW_COLUMNS " FROM drover.ledger l JOIN drover.revision r ON r.tenant = l.tenant AND"
    " r.id = l.revision_id WHERE r.tenant = $1 AND (r.is_head OR r.state <> 1) AND r.state <> 1 AND"
    " l.position >= r.since AND l.direction <> 3 ORDER BY l.position",
};
enum { READ_REVISIONS = 2, READ_UNITS = 4 };
static const char heads_sql[] = REVISIONS_SQL " AND (is_head OR state <> 1) ORDER BY position, id";

static const char page_sql[] =
    "SELECT " ROW_COLUMNS " FROM drover.ledger l WHERE l.tenant = $1 AND l.position > $2"
    " ORDER BY l.position LIMIT 10000";

// The pages behind the first, in the transaction that it began.
static enum dr_rc
read_pages(struct dr_pgd *d, struct reading *r, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK && r->page_rows == PAGE_ROWS) {
        char from[24];
        (void)snprintf(from, sizeof from, "%" PRIu64, r->after);
        const char *params[] = {d->tenant, from};
        struct dr_pg_stmt stmt = {
            .sql = page_sql, .params = params, .params_count = 2, .max_rows = PAGE_ROWS};
        struct dr_db_wait wait = dr_pgd_wait(d, 10 * DR_PGD_SHORT_MS);
        struct dr_pg_result *res = NULL;
        rc = dr_pg_exec(d->work, &stmt, &wait, &res, err);
        if (rc == DR_OK) {
            rc = take_page(r, res, err);
        }
        dr_pg_result_free(&res);
    }
    return rc;
}

// The questions of one reading: what each answer is for is told by its place.
static enum dr_rc
ask(struct dr_pgd *d, struct reading *r, enum dr_ledger_depth depth, bool ends, struct dr_err *err)
{
    const char *params[] = {d->tenant, "0"};
    bool is_short = depth == DR_LEDGER_HEADS;
    size_t count = is_short ? READ_UNITS : DR_COUNT_OF(read_sql);
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        struct dr_pg_stmt stmt = {.sql = is_short && i == READ_REVISIONS ? heads_sql : read_sql[i],
                                  .params = params,
                                  .params_count = i >= READ_REVISIONS ? 1 : 0,
                                  .max_rows = DR_PG_ROWS_MAX};
        rc = dr_pg_pipeline_add(d->work, &stmt, err);
        if (rc == DR_OK && i == 0 && r->at_traps > 0) {
            rc = dr_pgd_ask_traps(d, err);
        }
    }
    if (rc == DR_OK && r->replay != NULL) {
        struct dr_pg_stmt page = {
            .sql = page_sql, .params = params, .params_count = 2, .max_rows = PAGE_ROWS};
        r->at_page = count;
        rc = dr_pg_pipeline_add(d->work, &page, err);
    }
    return rc == DR_OK && ends
               ? dr_pg_pipeline_add(d->work, &(struct dr_pg_stmt){.sql = "COMMIT"}, err)
               : rc;
}

// One round trip, unless the ledger has more rows than a page.
static enum dr_rc
read_now(struct dr_pgd *d, struct dr_arena *arena, enum dr_ledger_depth depth,
         struct dr_ledger_view *view, struct dr_err *err)
{
    bool is_whole = depth == DR_LEDGER_WHOLE;
    struct reading r = {.d = d, .arena = arena, .view = view};
    struct dr_db_wait wait = dr_pgd_wait(d, 10 * DR_PGD_SHORT_MS);
    r.at_traps = depth != DR_LEDGER_HEADS ? 1 : 0;
    r.replay = is_whole ? dr_ledger_replay_new(arena, d->tenant) : NULL;
    if (is_whole && r.replay == NULL) {
        return no_room(err);
    }
    enum dr_rc rc = dr_pg_pipeline_begin(d->work, &wait, take_result, &r, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_err later = {0};
    bool ends = !is_whole || (d->ledger == LEDGER_THERE && d->position < PAGE_ROWS / 2);
    enum dr_rc added = ask(d, &r, depth, ends, err);
    rc = dr_pg_pipeline_end(d->work, NULL, &later);
    if (rc != DR_OK) {
        *err = later;
    }
    rc = rc == DR_OK ? added : rc;
    if (rc == DR_OK && ends && r.page_rows == PAGE_ROWS) {
        return dr_err_set(err, DR_E_STATE_CHANGED, "the ledger grew while it was read");
    }
    if (rc == DR_OK && is_whole) {
        rc = read_pages(d, &r, err);
    }
    return rc == DR_OK && is_whole ? dr_ledger_replay_compare(r.replay, view, err) : rc;
}

// A look that costs less than a failure: where the last one found no ledger, there may be none yet.
static enum dr_rc
is_there_now(struct dr_pgd *d, bool *out, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    char answer[8];
    struct dr_pg_stmt ask = {.sql = "SELECT pg_catalog.to_regclass('drover.meta') IS NOT NULL",
                             .max_rows = 1};
    enum dr_rc rc = dr_pg_value(d->work, &ask, &wait, answer, sizeof answer, err);
    *out = rc == DR_OK && strcmp(answer, "t") == 0;
    return rc;
}

enum dr_rc
dr_pgd_ledger_read(struct dr_driver *driver, struct dr_arena *arena, enum dr_ledger_depth depth,
                   struct dr_ledger_view *out, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_ledger_view view = {.owner = ""};
    enum dr_rc connected = dr_pgd_reconnect(d, err);
    if (connected != DR_OK) {
        return connected;
    }
    bool is_there = true;
    enum dr_rc rc = d->ledger == LEDGER_MISSING ? is_there_now(d, &is_there, err) : DR_OK;
    if (rc == DR_OK && is_there) {
        rc = read_now(d, arena, depth, &view, err);
    }
    bool has_failed = rc == DR_E_DB_STATEMENT && !view.exists && dr_pgd_ledger_is_missing(d);
    dr_pgd_rollback(d);
    if (has_failed || (rc == DR_OK && !is_there)) {
        d->ledger = LEDGER_MISSING;
        *out = (struct dr_ledger_view){.owner = ""};
        *err = (struct dr_err){0};
        return DR_OK;
    }
    if (rc == DR_OK) {
        d->ledger = view.version == DR_LEDGER_VERSION ? LEDGER_THERE : LEDGER_NOT_SEEN;
        d->position = view.position;
        *out = view;
    }
    return rc;
}
