// Rollout table: the first row that matches state, event and guard decides. What an agent signed is
// what happened: a late attestation moves a target on also after an abort, or while its agent
// counted as unreachable.
#include "coordinator/core/rollout_table.h"

#include "base/str.h"
#include "trust/approval.h"

enum guard { ALWAYS, MODE_DOWN, MODE_PROVE, MODE_FORWARD, PARTIAL };

struct row {
    enum dr_target_state state;
    enum dr_target_event event;
    enum guard guard;
    enum dr_target_state next;
    enum dr_target_action action;
    const char *reason;
};

#define S(x) DR_TARGET_##x
#define E(x) DR_EVENT_##x
#define A(x) DR_ACTION_##x

// clang-format off
static const struct row ROWS[] = {
    {S(PENDING), E(START), ALWAYS, S(PREPARING), A(PREPARE), "the agent prepares: backup, preflights, READY"},
    {S(PENDING), E(ALREADY), MODE_DOWN, S(REVERTED), A(NONE), "nothing left to do: the target's last word shows it"},
    {S(PENDING), E(ALREADY), ALWAYS, S(APPLIED), A(NONE), "nothing left to do: the target's last word shows it"},
    {S(PENDING), E(ABORT), ALWAYS, S(CANCELLED), A(NONE), "the rollout was aborted before its turn"},

    {S(PREPARING), E(BACKUP), ALWAYS, S(PREPARING), A(NONE), "backup taken; preflights run"},
    {S(PREPARING), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready, waits for the approval"},
    {S(PREPARING), E(FAILED), ALWAYS, S(FAILED), A(NONE), "preparing failed, nothing was changed"},
    {S(PREPARING), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent refused to prepare"},
    {S(PREPARING), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(PREPARING), E(ABORT), ALWAYS, S(CANCELLED), A(CANCEL), "the rollout was aborted while it prepared"},

    {S(READY), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready anew, waits for the approval"},
    {S(READY), E(APPROVE), ALWAYS, S(APPROVED), A(NONE), "approved, waits for its turn"},
    {S(READY), E(FAILED), ALWAYS, S(FAILED), A(NONE), "preparing failed, nothing was changed"},
    {S(READY), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent no longer is ready"},
    {S(READY), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(READY), E(ABORT), ALWAYS, S(CANCELLED), A(CANCEL), "the rollout was aborted before the approval"},

    {S(APPROVED), E(GO), ALWAYS, S(SENT), A(BUNDLE), "the approval is on its way to the agent"},
    {S(APPROVED), E(LAPSED), ALWAYS, S(READY), A(NONE), "needs a new approval"},
    {S(APPROVED), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready anew: the approval named an earlier READY"},
    {S(APPROVED), E(FAILED), ALWAYS, S(FAILED), A(NONE), "failed before it was sent, nothing was changed"},
    {S(APPROVED), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent no longer is ready"},
    {S(APPROVED), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(APPROVED), E(ABORT), ALWAYS, S(CANCELLED), A(CANCEL), "the rollout was aborted before it was sent"},

    {S(SENT), E(APPROVE), ALWAYS, S(SENT), A(BUNDLE), "approved anew, sent again"},
    {S(SENT), E(PROGRESS), ALWAYS, S(RUNNING), A(NONE), "running"},
    {S(SENT), E(AWAY), ALWAYS, S(UNREACHABLE), A(NONE), "the agent is away: what happened is unknown until it has looked"},
    {S(SENT), E(ABORT), ALWAYS, S(SENT), A(CANCEL), "aborted: the agent was asked to cancel, its answer decides"},

    {S(RUNNING), E(AWAY), ALWAYS, S(UNREACHABLE), A(NONE), "the agent is away: what happened is unknown until it has looked"},
    {S(RUNNING), E(PROGRESS), ALWAYS, S(RUNNING), A(NONE), "running"},
    {S(RUNNING), E(ABORT), ALWAYS, S(RUNNING), A(CANCEL), "aborted: the agent was asked to cancel, its answer decides"},

    {S(PROVING), E(PROGRESS), ALWAYS, S(PROVING), A(NONE), "the way back is proved, running up again"},
    {S(PROVING), E(AWAY), ALWAYS, S(PROVING), A(NONE), "the agent is away: what happened is unknown until it has looked"},
    {S(PROVING), E(BACK), ALWAYS, S(PROVING), A(ASK_STATE), "the agent is back: what happened is unknown until it has looked"},
    {S(PROVING), E(LOOKED), ALWAYS, S(PROVING), A(NONE), "the way back is proved, running up again"},
    {S(PROVING), E(ABORT), ALWAYS, S(PROVING), A(CANCEL), "aborted: the agent was asked to cancel, its answer decides"},
    {S(PROVING), E(APPLIED), ALWAYS, S(APPLIED), A(ASK_STATE), "up, down and up again: the way back is proved"},
    {S(PROVING), E(REVERTED), ALWAYS, S(PROVING), A(NONE), "the way back is proved, running up again"},

    {S(UNREACHABLE), E(BACK), ALWAYS, S(UNREACHABLE), A(ASK_STATE), "the agent is back: what happened is unknown until it has looked"},
    {S(UNREACHABLE), E(LOOKED), ALWAYS, S(SENT), A(NONE), "the agent is back and has looked; waits for its word"},
    {S(UNREACHABLE), E(PROGRESS), ALWAYS, S(RUNNING), A(NONE), "running"},
    {S(UNREACHABLE), E(AWAY), ALWAYS, S(UNREACHABLE), A(NONE), "the agent is away: what happened is unknown until it has looked"},
    {S(UNREACHABLE), E(ABORT), ALWAYS, S(UNREACHABLE), A(CANCEL), "aborted: the agent will be asked to cancel when it is back"},

    // What an agent says after an approval was sent, whatever we thought: rows of SENT, RUNNING and UNREACHABLE.
    {S(SENT), E(APPLIED), MODE_FORWARD, S(APPLIED), A(ASK_STATE), "applied"},
    {S(SENT), E(APPLIED), MODE_DOWN, S(APPLIED), A(ASK_STATE), "failed and went up again, as approved"},
    {S(SENT), E(APPLIED), MODE_PROVE, S(RUNNING), A(NONE), "applied, now the way back"},
    {S(SENT), E(REVERTED), MODE_PROVE, S(PROVING), A(NONE), "the way back is proved, running up again"},
    {S(SENT), E(REVERTED), MODE_DOWN, S(REVERTED), A(ASK_STATE), "reverted as approved"},
    {S(SENT), E(REVERTED), ALWAYS, S(REVERTED), A(ASK_STATE), "failed and reversed, as approved"},
    {S(SENT), E(FAILED), PARTIAL, S(HELD), A(NONE), "failed in the middle: what was done before stays"},
    {S(SENT), E(FAILED), ALWAYS, S(FAILED), A(NONE), "failed, nothing of the failed unit is there"},
    {S(SENT), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent refused the approval"},
    {S(SENT), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready anew: the approval came too late"},
    {S(SENT), E(CLOSED), ALWAYS, S(APPROVED), A(NONE), "no window was open, sent again when one is"},
    {S(RUNNING), E(CLOSED), ALWAYS, S(APPROVED), A(NONE), "no window was open, sent again when one is"},
    {S(UNREACHABLE), E(CLOSED), ALWAYS, S(APPROVED), A(NONE), "no window was open, sent again when one is"},
    {S(SENT), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "the agent prepares again"},

    {S(RUNNING), E(APPLIED), MODE_FORWARD, S(APPLIED), A(ASK_STATE), "applied"},
    {S(RUNNING), E(APPLIED), MODE_DOWN, S(APPLIED), A(ASK_STATE), "failed and went up again, as approved"},
    {S(RUNNING), E(APPLIED), MODE_PROVE, S(RUNNING), A(NONE), "applied, now the way back"},
    {S(RUNNING), E(REVERTED), MODE_PROVE, S(PROVING), A(NONE), "the way back is proved, running up again"},
    {S(RUNNING), E(REVERTED), MODE_DOWN, S(REVERTED), A(ASK_STATE), "reverted as approved"},
    {S(RUNNING), E(REVERTED), ALWAYS, S(REVERTED), A(ASK_STATE), "failed and reversed, as approved"},
    {S(RUNNING), E(FAILED), PARTIAL, S(HELD), A(NONE), "failed in the middle: what was done before stays"},
    {S(RUNNING), E(FAILED), ALWAYS, S(FAILED), A(NONE), "failed, nothing of the failed unit is there"},
    {S(RUNNING), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent refused the approval"},

    {S(PROVING), E(FAILED), PARTIAL, S(HELD), A(NONE), "failed on the way up again: what was done before stays"},
    {S(PROVING), E(FAILED), ALWAYS, S(FAILED), A(NONE), "failed on the way up again"},
    {S(PROVING), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent refused to go on"},

    {S(UNREACHABLE), E(APPLIED), MODE_FORWARD, S(APPLIED), A(ASK_STATE), "applied"},
    {S(UNREACHABLE), E(APPLIED), MODE_DOWN, S(APPLIED), A(ASK_STATE), "failed and went up again, as approved"},
    {S(UNREACHABLE), E(APPLIED), MODE_PROVE, S(RUNNING), A(NONE), "applied, now the way back"},
    {S(UNREACHABLE), E(REVERTED), MODE_PROVE, S(PROVING), A(NONE), "the way back is proved, running up again"},
    {S(UNREACHABLE), E(REVERTED), MODE_DOWN, S(REVERTED), A(ASK_STATE), "reverted as approved"},
    {S(UNREACHABLE), E(REVERTED), ALWAYS, S(REVERTED), A(ASK_STATE), "failed and reversed, as approved"},
    {S(UNREACHABLE), E(FAILED), PARTIAL, S(HELD), A(NONE), "failed in the middle: what was done before stays"},
    {S(UNREACHABLE), E(FAILED), ALWAYS, S(FAILED), A(NONE), "failed, nothing of the failed unit is there"},
    {S(UNREACHABLE), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent refused the approval"},
    {S(UNREACHABLE), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "asked to prepare again, should the agent come back"},
    {S(UNREACHABLE), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready anew: the approval came too late"},

    {S(APPLIED), E(REVERTED), MODE_FORWARD, S(REVERTED), A(ASK_STATE), "reverted after it was applied"},
    {S(APPLIED), E(APPLIED), ALWAYS, S(APPLIED), A(NONE), "applied"},
    {S(APPLIED), E(ABORT), ALWAYS, S(APPLIED), A(NONE), "applied"},
    {S(REVERTED), E(APPLIED), MODE_FORWARD, S(APPLIED), A(ASK_STATE), "applied after it was reverted"},
    {S(REVERTED), E(REVERTED), ALWAYS, S(REVERTED), A(NONE), "reverted"},
    {S(REVERTED), E(ABORT), ALWAYS, S(REVERTED), A(NONE), "reverted"},
    {S(REVERTED), E(RETRY), MODE_FORWARD, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(REVERTED), E(RETRY), MODE_PROVE, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(APPLIED), E(RETRY), MODE_DOWN, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(APPLIED), E(UNDONE), ALWAYS, S(REVERTED), A(NONE), "taken back"},
    {S(REVERTED), E(UNDONE), ALWAYS, S(REVERTED), A(NONE), "taken back"},

    {S(FAILED), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(FAILED), E(REVERTED), ALWAYS, S(REVERTED), A(ASK_STATE), "failed and reversed, as approved"},
    {S(FAILED), E(APPLIED), MODE_FORWARD, S(APPLIED), A(ASK_STATE), "applied after it had failed"},
    {S(FAILED), E(FAILED), ALWAYS, S(FAILED), A(NONE), "failed again"},
    {S(FAILED), E(REFUSED), ALWAYS, S(FAILED), A(NONE), "failed, and refused what came later"},
    {S(FAILED), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready anew, waits for the approval"},
    {S(FAILED), E(ABORT), ALWAYS, S(CANCELLED), A(NONE), "failed, and the rollout was aborted"},
    {S(FAILED), E(UNDONE), ALWAYS, S(REVERTED), A(NONE), "failed, and was taken back"},
    {S(HELD), E(UNDONE), ALWAYS, S(REVERTED), A(NONE), "failed in the middle, and was taken back"},
    {S(HELD), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "the agent prepares again, from where it stopped"},
    {S(HELD), E(REVERTED), ALWAYS, S(REVERTED), A(ASK_STATE), "failed and reversed, as approved"},
    {S(HELD), E(APPLIED), MODE_FORWARD, S(APPLIED), A(ASK_STATE), "applied after it had failed"},
    {S(HELD), E(FAILED), ALWAYS, S(HELD), A(NONE), "failed in the middle again"},
    {S(HELD), E(REFUSED), ALWAYS, S(HELD), A(NONE), "failed in the middle, and refused what came later"},
    {S(HELD), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready anew, waits for the approval"},
    {S(HELD), E(ABORT), ALWAYS, S(CANCELLED), A(NONE), "failed in the middle, and the rollout was aborted"},
    {S(REFUSED), E(RETRY), ALWAYS, S(PREPARING), A(DROP_READY), "the agent prepares again"},
    {S(REFUSED), E(REFUSED), ALWAYS, S(REFUSED), A(NONE), "the agent refused again"},
    {S(REFUSED), E(READY), ALWAYS, S(READY), A(KEEP_READY), "ready anew, waits for the approval"},
    {S(REFUSED), E(APPLIED), MODE_FORWARD, S(APPLIED), A(ASK_STATE), "applied"},
    {S(REFUSED), E(REVERTED), ALWAYS, S(REVERTED), A(ASK_STATE), "reverted"},
    {S(REFUSED), E(FAILED), ALWAYS, S(FAILED), A(NONE), "failed after it had refused"},
    {S(REFUSED), E(ABORT), ALWAYS, S(CANCELLED), A(NONE), "refused, and the rollout was aborted"},

    {S(CANCELLED), E(APPLIED), ALWAYS, S(APPLIED), A(ASK_STATE), "applied: it had begun before the abort"},
    {S(CANCELLED), E(REVERTED), ALWAYS, S(REVERTED), A(ASK_STATE), "reverted: it had begun before the abort"},
    {S(CANCELLED), E(FAILED), ALWAYS, S(CANCELLED), A(NONE), "the rollout was aborted; the run failed"},
    {S(CANCELLED), E(REFUSED), ALWAYS, S(CANCELLED), A(NONE), "the rollout was aborted"},
    {S(CANCELLED), E(READY), ALWAYS, S(CANCELLED), A(NONE), "the rollout was aborted"},
    {S(CANCELLED), E(UNDONE), ALWAYS, S(CANCELLED), A(NONE), "the rollout was aborted and taken back"},
    {S(CANCELLED), E(ABORT), ALWAYS, S(CANCELLED), A(NONE), "the rollout was aborted"},
};
// clang-format on

static const char *const STATE_NAMES[DR_TARGET_STATES] = {
    "pending",     "preparing", "ready",    "approved", "sent", "running", "proving",
    "unreachable", "applied",   "reverted", "failed",   "held", "refused", "cancelled",
};

static const char *const EVENT_NAMES[DR_TARGET_EVENTS] = {
    "start",   "already", "BACKUP", "READY",    "APPLIED", "REVERTED", "FAILED",
    "REFUSED", "approve", "go",     "progress", "away",    "back",     "looked",
    "retry",   "abort",   "closed", "lapsed",   "undone",
};

static bool
holds(enum guard guard, const struct dr_target_facts *facts)
{
    switch (guard) {
    case ALWAYS:
        return true;
    case MODE_DOWN:
        return dr_approval_is_down(facts->mode);
    case MODE_PROVE:
        return facts->mode == DROVER__V1__MODE__PROVE;
    case MODE_FORWARD:
        return !dr_approval_is_down(facts->mode) && facts->mode != DROVER__V1__MODE__PROVE;
    case PARTIAL:
        return facts->is_partial;
    }
    return false;
}

static const char *
event_name(enum dr_target_event event)
{
    return (unsigned)event < DR_TARGET_EVENTS ? EVENT_NAMES[event] : "unknown";
}

enum dr_rc
dr_rollout_step(enum dr_target_state state, enum dr_target_event event,
                const struct dr_target_facts *facts, struct dr_target_step *out, struct dr_err *err)
{
    for (size_t i = 0; i < DR_COUNT_OF(ROWS); i++) {
        const struct row *row = &ROWS[i];

        if (row->state == state && row->event == event && holds(row->guard, facts)) {
            *out = (struct dr_target_step){row->next, row->action, row->reason};
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_ROLLOUT_EVENT, "'%s' cannot happen to a target that is %s",
                      event_name(event), dr_target_state_name(state));
}

const char *
dr_target_state_name(enum dr_target_state state)
{
    return (unsigned)state < DR_TARGET_STATES ? STATE_NAMES[state] : "unknown";
}

bool
dr_target_state_parse(const char *name, enum dr_target_state *out)
{
    for (unsigned i = 0; i < DR_TARGET_STATES; i++) {
        if (dr_str_eq(name, STATE_NAMES[i])) {
            *out = (enum dr_target_state)i;
            return true;
        }
    }
    return false;
}

bool
dr_target_is_success(enum dr_target_state state, Drover__V1__Mode mode)
{
    return state == (dr_approval_is_down(mode) ? DR_TARGET_REVERTED : DR_TARGET_APPLIED);
}

bool
dr_target_is_failure(enum dr_target_state state, Drover__V1__Mode mode)
{
    return state >= DR_TARGET_APPLIED && !dr_target_is_success(state, mode);
}

bool
dr_target_is_active(enum dr_target_state state)
{
    return state >= DR_TARGET_SENT && state <= DR_TARGET_UNREACHABLE;
}
