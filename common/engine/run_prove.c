// PROVE: up, down, up. The schema after the down must be the one from before, and after the second
// up that after the first. What cannot go back, and what that stands on, goes up before and is no
// part of it.
#include "engine/run_internal.h"

#include <string.h>

// What stands before the newest revision without a way back, and it: up, once.
static enum dr_rc
go_up_for_good(struct dr_engine_run *run, const bool *mask, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_engine_result *res = run->result;
    struct dr_ledger_view view;
    enum dr_rc rc = dr_run_phase(run, DR_LEDGER_UP, mask, res->fingerprint_fixed, err);
    rc = rc == DR_OK ? e->ops->ledger_read(e->driver, run->arena, DR_LEDGER_HEADS, &view, err) : rc;
    if (rc == DR_OK) {
        rc = dr_run_heads(&view, run->arena, &res->fixed_heads, &res->fixed_heads_count, err);
        res->fixed_units = res->units_count;
    }
    return rc;
}

enum dr_rc
dr_run_prove(struct dr_engine_run *run, struct dr_schedule *schedule, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_engine_result *res = run->result;
    size_t n = run->job->plan->n_revisions, fixed = 0, left = 0;
    bool *mask = dr_arena_array(run->arena, n + 1, sizeof *mask);
    bool *for_good = dr_arena_array(run->arena, n + 1, sizeof *for_good);
    if (mask == NULL || for_good == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < schedule->count; i++) {
        size_t at = schedule->steps[i].revision_index;
        mask[at] = true;
        fixed = schedule->steps[i].revision->no_down && at >= fixed ? at + 1 : fixed;
    }
    for (size_t i = 0; i < n; i++) {
        for_good[i] = mask[i] && i < fixed;
        mask[i] = mask[i] && i >= fixed;
        left += mask[i] ? 1 : 0;
    }
    if (left == 0) {
        return dr_err_set(err, DR_E_NO_DOWN,
                          "revision '%s' has no way back, so it cannot be proved",
                          run->job->plan->revisions[fixed - 1]->id);
    }
    const uint8_t *ground = fixed > 0 ? res->fingerprint_fixed : res->fingerprint_before;
    enum dr_rc rc = fixed > 0 ? go_up_for_good(run, for_good, err) : DR_OK;
    if (fixed > 0) {
        rc = rc == DR_OK ? dr_run_phase(run, DR_LEDGER_UP, mask, res->fingerprint_up, err) : rc;
    } else {
        rc = dr_run_work(run, DR_LEDGER_UP, mask, schedule, err);
        rc = rc == DR_OK
                 ? e->ops->fingerprint(e->driver, run->arena, res->fingerprint_up, NULL, err)
                 : rc;
    }
    if (rc == DR_OK) {
        rc = dr_run_phase(run, DR_LEDGER_DOWN, mask, res->fingerprint_down, err);
    }
    if (rc == DR_OK) {
        rc = dr_run_phase(run, DR_LEDGER_UP, mask, res->fingerprint_after, err);
    }
    res->proved = rc == DR_OK && memcmp(ground, res->fingerprint_down, 32) == 0 &&
                  memcmp(res->fingerprint_up, res->fingerprint_after, 32) == 0;
    return rc;
}
