// What is half done, from ledger, plan and probes. See repair.h.
#include "engine/repair.h"

#include "base/str.h"
#include "engine/run_internal.h"
#include "revision/digest.h"

#include <string.h>

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

static bool
same_digest(const ProtobufCBinaryData *bytes, const uint8_t digest[32])
{
    return bytes->len == 32 && memcmp(bytes->data, digest, 32) == 0;
}

// ------------------------------------------------------------------------------------------- list

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

static void
add_units(const struct dr_ledger_view *view, const struct dr_ledger_revision *v,
          const Drover__V1__Plan *plan, size_t index, struct dr_repair *out)
{
    const Drover__V1__PlanRevision *r = plan->revisions[index];
    bool is_up = v->state == DR_LEDGER_GOING_UP;
    Drover__V1__UnitKind kind =
        is_up ? DROVER__V1__UNIT_KIND__UNIT_UP : DROVER__V1__UNIT_KIND__UNIT_DOWN;
    size_t first = out->units_count, number = 0;
    for (size_t i = 0; i < r->n_units; i++) {
        if (r->units[i]->kind != kind) {
            continue;
        }
        const struct dr_ledger_unit *known =
            known_unit(view, r->id, i, is_up ? DR_LEDGER_UP : DR_LEDGER_DOWN);
        bool is_done = known != NULL && known->kind == DR_LEDGER_DONE;
        out->units[out->units_count++] = (struct dr_repair_unit){
            .revision_id = r->id,
            .unit = r->units[i],
            .revision_index = index,
            .unit_index = i,
            .direction = is_up ? DROVER__V1__MODE__UP : DROVER__V1__MODE__DOWN,
            .number = ++number,
            .kind = is_done         ? DR_REPAIR_DONE
                    : known != NULL ? DR_REPAIR_DOUBT
                                    : DR_REPAIR_OPEN,
            .finished = is_done ? known->finished : 0,
            .why = known == NULL || is_done
                       ? ""
                       : "it was begun outside of a transaction, and no row says how it ended"};
    }
    for (size_t i = first; i < out->units_count; i++) {
        out->units[i].total = number;
    }
}

// Which ways are there, from what is half done: the engine refuses the others, too.
static void
judge(const struct dr_ledger_view *view, const Drover__V1__Plan *plan, struct dr_arena *arena,
      struct dr_repair *out)
{
    struct dr_schedule schedule;
    struct dr_err err = {0};
    for (size_t i = 0; i < view->revisions_count; i++) {
        if (view->revisions[i].state == DR_LEDGER_GOING_DOWN) {
            out->no_reverse = "it was on its way down: finish that first, then go up again";
        }
    }
    if (out->no_reverse[0] == '\0' &&
        dr_schedule_down(plan, NULL, view, false, arena, &schedule, &err) != DR_OK) {
        const char *why = dr_arena_str(arena, err.message);
        out->no_reverse = why == NULL ? "there is no way back" : why;
    }
}

enum dr_rc
dr_repair_list(const struct dr_ledger_view *view, const Drover__V1__Plan *plan,
               struct dr_arena *arena, struct dr_repair *out, struct dr_err *err)
{
    struct dr_repair r = {.held_by = "", .no_resume = "", .no_reverse = ""};
    size_t most = 0;
    for (size_t i = 0; i < plan->n_revisions; i++) {
        most += plan->revisions[i]->n_units;
    }
    r.units = dr_arena_array(arena, most + 1, sizeof *r.units);
    if (r.units == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const struct dr_ledger_revision *v = dr_ledger_find(view, plan->revisions[i]->id);
        if (v == NULL || v->state == DR_LEDGER_APPLIED) {
            continue;
        }
        if (!same_digest(&plan->revisions[i]->digest, v->digest)) {
            return dr_err_set(err, DR_E_REVISION_CHANGED,
                              "revision '%s' is half done, but with other content than its file "
                              "has now",
                              v->id);
        }
        add_units(view, v, plan, i, &r);
    }
    for (size_t i = 0; i < view->revisions_count; i++) {
        r.is_needed |= view->revisions[i].state != DR_LEDGER_APPLIED;
    }
    if (r.is_needed) {
        judge(view, plan, arena, &r);
    }
    *out = r;
    return DR_OK;
}

// ------------------------------------------------------------------------------------------ probe

static const char *
probe_text(const struct dr_repair_unit *u, struct dr_arena *arena)
{
    const char *object = u->unit->probe_object;
    const char *text = "nothing can tell whether it took effect";
    switch (u->probed) {
    case DR_PROBE_DONE:
        text = dr_arena_printf(arena, "the effect on '%s' is there; going on records it", object);
        break;
    case DR_PROBE_ABSENT:
        text = "nothing of it is there; going on runs it again";
        break;
    case DR_PROBE_DEBRIS:
        text = dr_arena_printf(
            arena, "'%s' is half there and not valid; going on removes it and runs it again",
            object);
        break;
    case DR_PROBE_UNKNOWN:
        break;
    }
    return text == NULL ? "" : text;
}

static enum dr_rc
probe_one(struct dr_engine_run *run, struct dr_repair_unit *u, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_statement *statements = NULL;
    size_t count = 0;
    enum dr_rc rc = dr_run_load(run, u->revision_index, err);
    if (rc == DR_OK) {
        rc = dr_run_statements(run, u->revision_index, u->unit, run->arena, &statements, &count,
                               NULL, err);
    }
    u->probed = DR_PROBE_UNKNOWN;
    if (rc == DR_OK && count == 1) {
        rc = e->ops->probe(e->driver, u->unit->probe, u->unit->probe_object, statements, &u->probed,
                           err);
    }
    u->why = probe_text(u, run->arena);
    return rc;
}

static enum dr_rc
probe_all(struct dr_engine_run *run, struct dr_repair *out, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < out->units_count; i++) {
        if (out->units[i].kind == DR_REPAIR_DOUBT) {
            rc = probe_one(run, &out->units[i], err);
        }
        if (out->units[i].probed == DR_PROBE_UNKNOWN) {
            out->no_resume = "nothing can tell whether the unit in doubt took effect: look "
                             "yourself, bring it to one side, then stamp";
        }
    }
    return rc;
}

static bool
is_held(enum dr_rc rc)
{
    return rc == DR_E_LOCKED || rc == DR_E_DB_LOCKED || rc == DR_E_DB_BUSY;
}

static enum dr_rc
look(struct dr_engine_run *run, bool is_locked, struct dr_repair *out, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_ledger_view view;
    enum dr_rc rc = e->ops->ledger_read(e->driver, run->arena, true, &view, err);
    if (rc == DR_OK) {
        rc = dr_repair_list(&view, run->job->plan, run->arena, out, err);
    }
    return rc == DR_OK && is_locked ? probe_all(run, out, err) : rc;
}

enum dr_rc
dr_engine_repair(struct dr_engine *engine, const struct dr_engine_job *job, struct dr_arena *arena,
                 struct dr_repair *out, struct dr_err *err)
{
    struct dr_engine_result result = {.failed_revision = ""};
    struct dr_engine_run run = {.engine = engine, .job = job, .arena = arena, .result = &result};
    struct dr_ledger_view view;
    struct dr_err held = {0};
    run.files = dr_arena_array(arena, job->plan->n_revisions + 1, sizeof *run.files);
    if (run.files == NULL) {
        return no_memory(err);
    }
    enum dr_rc rc = engine->ops->ledger_read(engine->driver, arena, false, &view, err);
    if (rc != DR_OK) {
        return rc;
    }
    bool may_lock = view.exists && dr_run_check_owner(engine, &view, &held) == DR_OK;
    held = (struct dr_err){0};
    rc = may_lock ? engine->ops->lock(engine->driver, engine->options.lock_wait_ms, &held) : DR_OK;
    if (rc != DR_OK && !is_held(rc)) {
        *err = held;
        return rc;
    }
    bool is_locked = may_lock && rc == DR_OK;
    rc = look(&run, is_locked, out, err);
    if (is_locked) {
        engine->ops->unlock(engine->driver);
    } else if (rc == DR_OK && held.rc != DR_OK) {
        out->held_by = dr_arena_str(arena, held.message);
        rc = out->held_by == NULL ? no_memory(err) : DR_OK;
    }
    return rc;
}

void
dr_repair_difference(const uint8_t expected[32], const uint8_t found[32], uint8_t out[32])
{
    static const char tag[] = "drover/difference.v1"; // its NUL is part of it
    uint8_t bytes[sizeof tag + 64];
    memcpy(bytes, tag, sizeof tag);
    memcpy(bytes + sizeof tag, expected, 32);
    memcpy(bytes + sizeof tag + 32, found, 32);
    dr_digest_sha256(out, bytes, sizeof bytes);
}
