// Where a run stands in the ledger, and what a server lost that had confirmed it.
#include "engine/run_internal.h"

#include <string.h>

// The first unit of this run that is not in a ledger which ends at `position`, and is known to have
// been flushed.
static enum dr_rc
say_lost(const struct dr_engine_run *run, uint64_t position, struct dr_err *err)
{
    const struct dr_engine_result *res = run->result;
    for (size_t i = 0; i < res->units_count; i++) {
        if (run->positions[i] > position || run->positions[i] == run->durable_position) {
            return dr_err_set(
                err, DR_E_LEDGER_BEHIND,
                "the server lost work that it had confirmed: revision '%s', unit %zu of this run "
                "(row %llu of the ledger is gone): it may have failed over to a standby that "
                "lagged "
                "behind",
                res->units[i].revision_id, i + 1, (unsigned long long)run->positions[i]);
        }
    }
    return dr_err_set(err, DR_E_LEDGER_BEHIND,
                      "the server lost rows of the ledger that were there when the run began "
                      "(revision '%s', row %llu): it may have failed over to a standby that lagged "
                      "behind",
                      run->begun_at == NULL ? "unknown" : run->begun_at,
                      (unsigned long long)run->durable_position);
}

enum dr_rc
dr_run_note_position(struct dr_engine_run *run, const struct dr_ledger_view *view,
                     struct dr_err *err)
{
    bool is_lost = view->position < run->durable_position ||
                   (view->position == run->durable_position && run->durable_position > 0 &&
                    memcmp(view->head, run->durable_head, 32) != 0);
    if (is_lost) {
        return say_lost(run, view->position, err);
    }
    run->position = view->position;
    memcpy(run->head, view->head, 32);
    while (run->result->units_count > 0 &&
           run->positions[run->result->units_count - 1] > view->position) {
        run->result->units_count--; // a crash of the server took them before they were flushed
    }
    return DR_OK;
}
