// From a plan and a ledger to the steps that remain. See schedule.h.
#include "engine/schedule.h"

#include "base/str.h"
#include "engine/index.h"

#include <stdint.h>
#include <string.h>

struct making {
    const Drover__V1__Plan *plan;
    const struct dr_ledger_view *view;
    struct dr_arena *arena;
    struct dr_schedule *out;
    size_t cap;
    struct dr_index coming; // ids of revisions that earlier steps bring
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left while making the schedule");
}

static bool
same_digest(const ProtobufCBinaryData *bytes, const uint8_t digest[32])
{
    return bytes->len == 32 && memcmp(bytes->data, digest, 32) == 0;
}

static enum dr_rc
push(struct making *m, const struct dr_step *step, struct dr_err *err)
{
    struct dr_schedule *s = m->out;
    if (s->count == m->cap) {
        size_t cap = m->cap == 0 ? 32 : m->cap * 2;
        struct dr_step *steps = dr_arena_array(m->arena, cap, sizeof *steps);
        if (steps == NULL) {
            return no_memory(err);
        }
        if (s->count > 0) {
            memcpy(steps, s->steps, s->count * sizeof *steps);
        }
        s->steps = steps;
        m->cap = cap;
    }
    s->steps[s->count++] = *step;
    return DR_OK;
}

static enum dr_rc
changed(const Drover__V1__PlanRevision *r, struct dr_err *err)
{
    return dr_err_set(err, DR_E_REVISION_CHANGED,
                      "revision '%s' was applied with other content than the plan has", r->id);
}

// What the ledger knows of one unit: NULL, or its row (DONE or an open INTENT).
static const struct dr_ledger_unit *
known_unit(const struct dr_ledger_view *view, const char *id, size_t number,
           enum dr_ledger_direction direction)
{
    for (size_t i = 0; i < view->units_count; i++) {
        const struct dr_ledger_unit *u = &view->units[i];
        if (u->unit_number == number && u->direction == direction &&
            strcmp(u->revision_id, id) == 0) {
            return u;
        }
    }
    return NULL;
}

// Adds the steps of one revision in one direction, leaving out what is done. `base` has what they
// share.
static enum dr_rc
push_units(struct making *m, const struct dr_step *base, Drover__V1__UnitKind kind, bool is_half,
           struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = base->revision;
    size_t first = m->out->count, total = 0, done = 0;
    for (size_t i = 0; i < r->n_units; i++) {
        if (r->units[i]->kind != kind) {
            continue;
        }
        total++;
        const struct dr_ledger_unit *known =
            is_half ? known_unit(m->view, r->id, i, base->direction) : NULL;
        if (known != NULL && !same_digest(&r->units[i]->digest, known->unit_digest)) {
            return changed(r, err);
        }
        if (known != NULL && known->kind == DR_LEDGER_DONE) {
            done++;
            continue;
        }
        struct dr_step step = *base;
        step.unit = i;
        step.number = total;
        step.has_intent = known != NULL;
        step.is_alone = m->out->count == first && done == 0;
        step.is_first = step.is_alone && !step.has_intent;
        enum dr_rc rc = push(m, &step, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    if (m->out->count == first) {
        struct dr_step step = *base;
        step.unit = DR_NO_UNIT;
        step.number = total = 1;
        step.is_first = step.is_alone = done == 0;
        enum dr_rc rc = push(m, &step, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    for (size_t i = first; i < m->out->count; i++) {
        m->out->steps[i].total = total;
    }
    m->out->steps[m->out->count - 1].is_last = true;
    return DR_OK;
}

// The one step of a revision that is only recorded.
static enum dr_rc
push_stamp(struct making *m, const struct dr_step *base, struct dr_err *err)
{
    struct dr_step step = *base;
    step.unit = DR_NO_UNIT;
    step.is_first = step.is_alone = step.is_last = true;
    step.number = step.total = 1;
    return push(m, &step, err);
}

// --------------------------------------------------------------------------------------------- up

static enum dr_rc
check_parents(struct making *m, const Drover__V1__PlanRevision *r, struct dr_err *err)
{
    for (size_t i = 0; i < r->n_parent_ids; i++) {
        const char *id = r->parent_ids[i];
        const struct dr_ledger_revision *v = dr_ledger_find(m->view, id);
        size_t unused;
        if (dr_index_get(&m->coming, id, &unused)) {
            continue;
        }
        if (v == NULL || v->state != DR_LEDGER_APPLIED) {
            return dr_err_set(
                err, DR_E_NOT_CONTIGUOUS,
                "revision '%s' stands on '%s', which is neither applied nor in the plan", r->id,
                id);
        }
        bool is_named = false;
        for (size_t k = 0; k < r->n_parents; k++) {
            is_named |= same_digest(&r->parents[k], v->digest);
        }
        if (!is_named) {
            return dr_err_set(err, DR_E_REVISION_CHANGED,
                              "revision '%s' stands on '%s', which was applied with other content",
                              r->id, id);
        }
    }
    return DR_OK;
}

static enum dr_rc
push_up(struct making *m, size_t index, bool is_stamp, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = m->plan->revisions[index];
    const struct dr_ledger_revision *v = dr_ledger_find(m->view, r->id);
    if (v != NULL && !same_digest(&r->digest, v->digest)) {
        return changed(r, err);
    }
    if (v != NULL && v->state == DR_LEDGER_GOING_DOWN && !is_stamp) {
        return dr_err_set(err, DR_E_NEEDS_REPAIR,
                          "revision '%s' is half taken down: finish the downgrade first", r->id);
    }
    if (v != NULL && v->state == DR_LEDGER_APPLIED) {
        return DR_OK;
    }
    enum dr_rc rc = check_parents(m, r, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!dr_index_put(&m->coming, r->id, index)) {
        return no_memory(err);
    }
    struct dr_step base = {.revision = r,
                           .revision_index = index,
                           .direction = DR_LEDGER_UP,
                           .kind = is_stamp ? DR_LEDGER_STAMP : DR_LEDGER_DONE,
                           .since = v != NULL ? v->since : 0,
                           .place = ++m->out->revisions,
                           .changed = (const char *const *)r->parent_ids,
                           .changed_count = r->n_parent_ids};
    if (is_stamp) {
        return push_stamp(m, &base, err);
    }
    return push_units(m, &base, DROVER__V1__UNIT_KIND__UNIT_UP, v != NULL, err);
}

enum dr_rc
dr_schedule_up(const Drover__V1__Plan *plan, dr_schedule_mask mask,
               const struct dr_ledger_view *view, bool is_stamp, struct dr_arena *arena,
               struct dr_schedule *out, struct dr_err *err)
{
    struct dr_schedule schedule = {0};
    struct making m = {
        .plan = plan, .view = view, .arena = arena, .out = &schedule, .coming = {.arena = arena}};
    for (size_t i = 0; i < plan->n_revisions; i++) {
        enum dr_rc rc = mask == NULL || mask[i] ? push_up(&m, i, is_stamp, err) : DR_OK;
        if (rc != DR_OK) {
            return rc;
        }
    }
    *out = schedule;
    return DR_OK;
}

// ------------------------------------------------------------------------------------------- down

// Children of each revision that is there, while the schedule takes them away.
struct family {
    size_t *whole, *any;    // per revision of the view
    struct dr_index digest; // hex of a digest to its place in the view
};

static void
count_children(struct family *f, const struct dr_ledger_revision *v, size_t by)
{
    for (size_t i = 0; i < v->parents_count; i++) {
        char hex[65];
        size_t at;
        dr_hex(hex, v->parents[i], 32);
        if (!dr_index_get(&f->digest, hex, &at)) {
            continue;
        }
        f->any[at] += by;
        f->whole[at] += v->state != DR_LEDGER_GOING_UP ? by : 0;
    }
}

static enum dr_rc
meet_family(struct family *f, const struct dr_ledger_view *view, struct dr_arena *arena,
            struct dr_err *err)
{
    f->digest.arena = arena;
    f->whole = dr_arena_array(arena, view->revisions_count + 1, sizeof *f->whole);
    f->any = dr_arena_array(arena, view->revisions_count + 1, sizeof *f->any);
    if (f->whole == NULL || f->any == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < view->revisions_count; i++) {
        char *hex = dr_arena_alloc(arena, 65);
        if (hex == NULL) {
            return no_memory(err);
        }
        dr_hex(hex, view->revisions[i].digest, 32);
        if (!dr_index_put(&f->digest, hex, i)) {
            return no_memory(err);
        }
    }
    for (size_t i = 0; i < view->revisions_count; i++) {
        count_children(f, &view->revisions[i], 1);
    }
    return DR_OK;
}

// Takes `v` away; the parents that have no other child become heads.
static enum dr_rc
leave(struct family *f, const struct dr_ledger_view *view, const struct dr_ledger_revision *v,
      struct dr_arena *arena, struct dr_step *step, struct dr_err *err)
{
    const char **ids = dr_arena_array(arena, v->parents_count + 1, sizeof *ids);
    size_t n = 0;
    if (ids == NULL) {
        return no_memory(err);
    }
    count_children(f, v, SIZE_MAX); // minus one
    for (size_t i = 0; i < v->parents_count; i++) {
        char hex[65];
        size_t at;
        dr_hex(hex, v->parents[i], 32);
        if (dr_index_get(&f->digest, hex, &at) && f->whole[at] == 0 &&
            view->revisions[at].state != DR_LEDGER_GOING_UP) {
            ids[n++] = view->revisions[at].id;
        }
    }
    step->changed = ids;
    step->changed_count = n;
    return DR_OK;
}

static enum dr_rc
push_down(struct making *m, struct family *f, size_t index, bool is_stamp, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = m->plan->revisions[index];
    const struct dr_ledger_revision *v = dr_ledger_find(m->view, r->id);
    if (v == NULL) {
        return DR_OK;
    }
    if (!same_digest(&r->digest, v->digest)) {
        return changed(r, err);
    }
    if (r->no_down && !is_stamp) {
        return dr_err_set(err, DR_E_NO_DOWN, "revision '%s' has no way back", r->id);
    }
    if (f->any[(size_t)(v - m->view->revisions)] > 0) {
        return dr_err_set(
            err, DR_E_NOT_CONTIGUOUS,
            "revision '%s' cannot be taken down: another one that is applied stands on it", r->id);
    }
    struct dr_step base = {.revision = r,
                           .revision_index = index,
                           .direction = DR_LEDGER_DOWN,
                           .kind = is_stamp ? DR_LEDGER_STAMP : DR_LEDGER_DONE,
                           .since = v->state == DR_LEDGER_GOING_DOWN ? v->since : 0,
                           .was_head = v->state != DR_LEDGER_GOING_UP,
                           .place = ++m->out->revisions};
    enum dr_rc rc = leave(f, m->view, v, m->arena, &base, err);
    if (rc == DR_OK && is_stamp) {
        return push_stamp(m, &base, err);
    }
    return rc == DR_OK ? push_units(m, &base, DROVER__V1__UNIT_KIND__UNIT_DOWN,
                                    v->state == DR_LEDGER_GOING_DOWN, err)
                       : rc;
}

enum dr_rc
dr_schedule_down(const Drover__V1__Plan *plan, dr_schedule_mask mask,
                 const struct dr_ledger_view *view, bool is_stamp, struct dr_arena *arena,
                 struct dr_schedule *out, struct dr_err *err)
{
    struct dr_schedule schedule = {0};
    struct making m = {.plan = plan, .view = view, .arena = arena, .out = &schedule};
    struct family family = {0};
    enum dr_rc rc = meet_family(&family, view, arena, err);
    for (size_t i = plan->n_revisions; rc == DR_OK && i > 0; i--) {
        rc = mask == NULL || mask[i - 1] ? push_down(&m, &family, i - 1, is_stamp, err) : DR_OK;
    }
    if (rc == DR_OK) {
        *out = schedule;
    }
    return rc;
}
