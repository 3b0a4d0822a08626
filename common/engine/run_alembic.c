// alembic_version before and during a run. See alembic.h.
#include "engine/alembic.h"
#include "engine/run_internal.h"

#include <stdio.h>
#include <string.h>

void
dr_alembic_prefix(const char *tenant, char out[DR_ALEMBIC_KEY_MAX])
{
    (void)snprintf(out, DR_ALEMBIC_KEY_MAX, "alembic/%zu/%s/", strlen(tenant), tenant);
}

bool
dr_alembic_change_of(const struct dr_ledger_change *change, struct dr_alembic_change *out)
{
    const struct dr_ledger_row *row = change->row;
    if (!change->touches || !row->completes) {
        return false;
    }
    *out =
        (struct dr_alembic_change){.gone = change->removes ? &row->revision_id : change->demoted,
                                   .gone_count = change->removes ? 1 : change->demoted_count,
                                   .come = change->removes ? change->promoted : &row->revision_id,
                                   .come_count = change->removes ? change->promoted_count : 1,
                                   .is_stamp = row->kind == DR_LEDGER_STAMP,
                                   .depends = change->depends,
                                   .depends_count = change->removes ? 0 : change->depends_count};
    dr_alembic_prefix(row->tenant, out->prefix);
    (void)snprintf(out->own, sizeof out->own, "%.*s%s/", (int)(sizeof out->own - 80), out->prefix,
                   row->revision_id);
    return true;
}

// "'a', 'b'", or "nothing": for messages.
static void
list_text(const char *const *ids, size_t count, char *out, size_t out_size)
{
    size_t n = 0;
    (void)snprintf(out, out_size, "nothing");
    for (size_t i = 0; i < count && n + 1 < out_size; i++) {
        int len = snprintf(out + n, out_size - n, "%s'%s'", i == 0 ? "" : ", ", ids[i]);
        n += len < 0 ? 0 : (size_t)len;
    }
}

enum dr_rc
dr_alembic_moved(struct dr_err *err)
{
    return dr_err_set(err, DR_E_ALEMBIC_MOVED,
                      "alembic_version is not what the ledger says: alembic has moved this "
                      "database meanwhile");
}

static bool
has_id(const char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(ids[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
check_lengths(const Drover__V1__Plan *plan, struct dr_err *err)
{
    for (size_t i = 0; i < plan->n_revisions; i++) {
        size_t len = strlen(plan->revisions[i]->id);
        if (len > DR_ALEMBIC_ID_MAX) {
            return dr_err_set(err, DR_E_ALEMBIC_ID,
                              "the id '%s' has %zu characters, and alembic_version holds %u",
                              plan->revisions[i]->id, len, DR_ALEMBIC_ID_MAX);
        }
    }
    return DR_OK;
}

// A stamp may only replace rows that it knows: others are of a branch that it does not.
static enum dr_rc
check_known(const struct dr_engine_run *run, const struct dr_ledger_view *view,
            const struct dr_alembic_rows *rows, struct dr_err *err)
{
    const Drover__V1__Plan *plan = run->job->plan;
    for (size_t i = 0; i < rows->count; i++) {
        bool is_known = dr_ledger_find(view, rows->ids[i]) != NULL;
        for (size_t k = 0; !is_known && k < plan->n_revisions; k++) {
            is_known = strcmp(plan->revisions[k]->id, rows->ids[i]) == 0;
        }
        if (!is_known) {
            (void)dr_err_set(err, DR_E_ALEMBIC_MOVED,
                             "alembic_version says '%s', which is not among what is stamped",
                             rows->ids[i]);
            return dr_err_hint(err, "drover stamp %s stamps what alembic did; or remove that row",
                               rows->ids[i]);
        }
    }
    return DR_OK;
}

static enum dr_rc
tell_moved(const struct dr_alembic_rows *rows, struct dr_err *err)
{
    char there[200], here[200];
    const char *mine = rows->expected_count > 0 ? rows->expected[0] : "base";
    list_text(rows->ids, rows->count, there, sizeof there);
    list_text(rows->expected, rows->expected_count, here, sizeof here);
    (void)dr_err_set(err, DR_E_ALEMBIC_MOVED,
                     "alembic_version says %s, drover's ledger says %s: alembic has moved this "
                     "database meanwhile",
                     there, here);
    return dr_err_hint(err,
                       "drover stamp %s tells drover what alembic did; alembic stamp %s puts "
                       "alembic back",
                       rows->count > 0 ? rows->ids[0] : "base", mine);
}

static enum dr_rc
compare(const struct dr_alembic_rows *rows, struct dr_err *err)
{
    bool is_same = rows->count == rows->expected_count;
    for (size_t i = 0; i < rows->count; i++) {
        is_same = is_same && has_id(rows->expected, rows->expected_count, rows->ids[i]);
    }
    return is_same ? DR_OK : tell_moved(rows, err);
}

enum dr_rc
dr_run_alembic_check(struct dr_engine_run *run, const struct dr_ledger_view *view,
                     struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_alembic_rows rows = {0};
    bool is_stamp =
        run->job->mode == DROVER__V1__MODE__STAMP || run->job->mode == DROVER__V1__MODE__UNSTAMP;
    run->makes_alembic = false;
    if (!e->options.keeps_alembic) {
        return DR_OK;
    }
    enum dr_rc rc = check_lengths(run->job->plan, err);
    rc = rc == DR_OK ? e->ops->alembic_read(e->driver, run->arena, &rows, err) : rc;
    if (rc != DR_OK || !rows.exists) {
        run->makes_alembic = rc == DR_OK;
        return rc;
    }
    if (is_stamp) {
        return check_known(run, view, &rows, err);
    }
    return compare(&rows, err);
}

enum dr_rc
dr_run_alembic_make(struct dr_engine_run *run, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_alembic_rows rows = {0};
    if (!run->makes_alembic) {
        return DR_OK;
    }
    enum dr_rc rc = e->ops->alembic_read(e->driver, run->arena, &rows, err);
    if (rc != DR_OK) {
        return rc;
    }
    run->makes_alembic = false;
    return e->ops->alembic_make(e->driver, rows.expected, rows.expected_count, err);
}

enum dr_rc
dr_engine_check_alembic(struct dr_engine *engine, struct dr_arena *arena, struct dr_err *err)
{
    struct dr_alembic_rows rows = {0};
    if (!engine->options.keeps_alembic) {
        return DR_OK;
    }
    enum dr_rc rc = engine->ops->alembic_read(engine->driver, arena, &rows, err);
    return rc == DR_OK && rows.exists ? compare(&rows, err) : rc;
}
