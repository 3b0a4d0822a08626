// Revision files of a run: asked for, checked against the plan, and cut into statements. See
// run_internal.h.
#include "engine/run_internal.h"

#include "engine/guard.h"
#include "revision/digest.h"
#include "revision/plan.h"

#include <stdint.h>
#include <string.h>

static void
add_facts(struct dr_guard_facts *all, const struct dr_guard_facts *one)
{
    all->may_leak |= one->may_leak;
    all->may_call |= one->may_call;
    all->drops_table |= one->drops_table;
    all->renames_table |= one->renames_table;
    all->names_foreign_keys |= one->names_foreign_keys;
}

static enum dr_rc
guard_unit(struct dr_engine_run *run, size_t revision, const Drover__V1__Unit *unit,
           struct dr_guard_facts *out_all, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = run->job->plan->revisions[revision];
    const struct dr_engine_file *f = &run->files[revision];
    if (unit->n_statements > DR_STATEMENTS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "revision '%s' has a section of more than %u statements",
                          r->id, DR_STATEMENTS_MAX);
    }
    for (size_t i = 0; i < unit->n_statements; i++) {
        struct dr_bytes text;
        struct dr_guard_facts facts;
        if (!dr_plan_statement(unit->statements[i], f->bytes, f->len, &text)) {
            return dr_err_set(err, DR_E_PLAN_MISMATCH,
                              "a statement of revision '%s' lies outside of its file", r->id);
        }
        enum dr_rc rc = dr_guard_statement(run->job->plan->engine, (const char *)text.data,
                                           text.len, r->id, unit->statements[i]->line, &facts, err);
        if (rc != DR_OK) {
            return rc;
        }
        add_facts(out_all, &facts);
    }
    return DR_OK;
}

enum dr_rc
dr_run_load(struct dr_engine_run *run, size_t revision, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = run->job->plan->revisions[revision];
    struct dr_engine_file *f = &run->files[revision];
    uint8_t digest[32];
    if (f->bytes != NULL) {
        return DR_OK;
    }
    if (r->file_sha256.len != 32) {
        return dr_err_set(err, DR_E_PLAN_MISMATCH, "revision '%s' names no file", r->id);
    }
    const char *bytes = NULL;
    size_t len = 0;
    enum dr_rc rc = run->job->file(run->job->file_arg, r->file_sha256.data, &bytes, &len, err);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot get the file of revision '%s'", r->id);
    }
    rc = run->job->is_own_plan ? DR_OK
                               : dr_plan_check_file(r, run->job->plan->engine, bytes, len, err);
    if (rc == DR_E_PLAN_MISMATCH) {
        dr_digest_sha256(digest, bytes, len);
        return memcmp(digest, r->file_sha256.data, 32) == 0
                   ? rc
                   : dr_err_set(err, DR_E_FILE_DIGEST,
                                "the file of revision '%s' is not the one that the plan names",
                                r->id);
    }
    f->facts = dr_arena_array(run->arena, r->n_units + 1, sizeof *f->facts);
    if (rc == DR_OK && f->facts == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    if (rc != DR_OK) {
        return rc;
    }
    f->bytes = bytes;
    f->len = len;
    for (size_t i = 0; rc == DR_OK && i < r->n_units; i++) {
        rc = guard_unit(run, revision, r->units[i], &f->facts[i], err);
    }
    if (rc != DR_OK) {
        f->bytes = NULL; // nobody may take it for one that was let pass
    }
    return rc;
}

// What was found out of the whole unit when its file was loaded. NULL: it is none of the
// revision's.
static const struct dr_guard_facts *
facts_of(const struct dr_engine_run *run, size_t revision, const Drover__V1__Unit *unit)
{
    const Drover__V1__PlanRevision *r = run->job->plan->revisions[revision];
    const struct dr_engine_file *f = &run->files[revision];
    for (size_t i = 0; f->facts != NULL && i < r->n_units; i++) {
        if (r->units[i] == unit) {
            return &f->facts[i];
        }
    }
    return NULL;
}

enum dr_rc
dr_run_statements(struct dr_engine_run *run, size_t revision, const Drover__V1__Unit *unit,
                  struct dr_arena *arena, struct dr_statement **out, size_t *out_count,
                  struct dr_guard_facts *out_facts, struct dr_err *err)
{
    const Drover__V1__PlanRevision *r = run->job->plan->revisions[revision];
    const struct dr_engine_file *f = &run->files[revision];
    const struct dr_guard_facts *known = facts_of(run, revision, unit);
    bool is_known = known != NULL && !known->names_foreign_keys;
    struct dr_guard_facts all = {0};
    struct dr_statement *list = dr_arena_array(arena, unit->n_statements + 1, sizeof *list);
    if (list == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < unit->n_statements; i++) {
        const Drover__V1__Statement *s = unit->statements[i];
        struct dr_bytes text;
        struct dr_guard_facts facts = {0};
        if (!dr_plan_statement(s, f->bytes, f->len, &text)) {
            return dr_err_set(err, DR_E_PLAN_MISMATCH,
                              "a statement of revision '%s' lies outside of its file", r->id);
        }
        enum dr_rc rc = is_known
                            ? DR_OK
                            : dr_guard_statement(run->job->plan->engine, (const char *)text.data,
                                                 text.len, r->id, s->line, &facts, err);
        if (rc != DR_OK) {
            return rc;
        }
        add_facts(&all, is_known ? known : &facts);
        list[i] = (struct dr_statement){.text = (const char *)text.data,
                                        .len = text.len,
                                        .line = s->line,
                                        .class = s->class_,
                                        .is_marker = facts.names_foreign_keys};
    }
    *out = list;
    *out_count = unit->n_statements;
    if (out_facts != NULL) {
        *out_facts = all;
    }
    return DR_OK;
}
