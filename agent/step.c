// Step: the table. An event that is not in a state's rows is a defect, not a default.
#include "agent/step.h"

#define S(x) DR_STEP_##x
#define E(x) DR_STEP_ON_##x
#define A(x) DR_STEP_DO_##x

// clang-format off
static const struct row {
    enum dr_step_state state;
    enum dr_step_event event;
    enum dr_step_state next;
    enum dr_step_action action;
    const char *reason;
} ROWS[] = {
    {S(IDLE), E(RESUME), S(RUNNING), A(START_RESUME), "what was begun is finished: the ledger tells from where"},
    {S(IDLE), E(GIVE_UP), S(LOOKING), A(START_STATE), "the resume window is over: only a look is taken"},
    {S(IDLE), E(PREPARE), S(FETCHING), A(FETCH_PREPARE), "a plan is to be prepared"},
    {S(IDLE), E(BUNDLE), S(FETCHING), A(FETCH_BUNDLE), "an approval came"},
    {S(IDLE), E(STATE), S(LOOKING), A(START_STATE), "the target's state is to be told"},
    {S(IDLE), E(BACKUP), S(BACKING), A(START_BACKUP), "somebody wants something done with its backups"},
    {S(IDLE), E(CANCEL), S(IDLE), A(NONE), "nothing is under way"},

    {S(FETCHING), E(BLOBS), S(PREPARING), A(START_PREPARE), "plan and files are here"},
    {S(FETCHING), E(APPROVED), S(CHECKING), A(START_RUN), "the approval holds, plan and files are here"},
    {S(FETCHING), E(REFUSED), S(IDLE), A(REPORT_REFUSED), "a check failed"},
    {S(FETCHING), E(AGAIN), S(WAITING), A(WAIT), "something on this host failed"},
    {S(FETCHING), E(CANCEL), S(IDLE), A(DROP_TASK), "cancelled before anything ran"},

    {S(LOOKING), E(DONE), S(IDLE), A(REPORT_STATE), "the state is known"},
    {S(LOOKING), E(FAILED), S(WAITING), A(WAIT), "the target could not be looked at"},
    {S(LOOKING), E(AGAIN), S(WAITING), A(WAIT), "the target could not be looked at"},
    {S(LOOKING), E(CANCEL), S(LOOKING), A(NONE), "a look changes nothing"},

    {S(PREPARING), E(DONE), S(IDLE), A(REPORT_READY), "the target is ready"},
    {S(PREPARING), E(FAILED), S(IDLE), A(REPORT_UNREADY), "the target could not be prepared"},
    {S(PREPARING), E(REFUSED), S(IDLE), A(REPORT_REFUSED), "this is not the database that was named"},
    {S(PREPARING), E(AGAIN), S(WAITING), A(WAIT), "the target could not be prepared yet"},
    {S(PREPARING), E(GIVE_UP), S(IDLE), A(REPORT_UNREADY), "the target could not be prepared"},
    {S(PREPARING), E(CANCEL), S(PREPARING), A(STOP_WORKER), "cancelled"},

    {S(BACKING), E(DONE), S(IDLE), A(REPORT_BACKUP), "it is done"},
    {S(BACKING), E(FAILED), S(IDLE), A(REPORT_BACKUP), "it failed"},
    {S(BACKING), E(AGAIN), S(IDLE), A(REPORT_BACKUP), "it could not be done: whoever wants it asks again"},
    {S(BACKING), E(CANCEL), S(BACKING), A(STOP_WORKER), "cancelled"},

    {S(CHECKING), E(FACTS), S(RUNNING), A(GO), "locks held, the database is as in READY"},
    {S(CHECKING), E(REFUSED), S(IDLE), A(REPORT_REFUSED), "a check failed, nothing ran"},
    {S(CHECKING), E(FAILED), S(IDLE), A(REPORT_REFUSED), "a check failed, nothing ran"},
    {S(CHECKING), E(DONE), S(IDLE), A(REPORT_REFUSED), "the worker ended before it was told to go"},
    {S(CHECKING), E(AGAIN), S(WAITING), A(WAIT), "the database could not be checked yet"},
    {S(CHECKING), E(GIVE_UP), S(IDLE), A(REPORT_REFUSED), "the database could not be checked"},
    {S(CHECKING), E(CANCEL), S(CHECKING), A(STOP_WORKER), "cancelled before anything ran"},

    {S(RUNNING), E(DONE), S(IDLE), A(REPORT_RUN), "the run is done"},
    {S(RUNNING), E(FAILED), S(IDLE), A(REPORT_FAILED), "the run failed"},
    {S(RUNNING), E(REFUSED), S(IDLE), A(REPORT_REFUSED), "a check failed, nothing ran"},
    {S(RUNNING), E(AGAIN), S(WAITING), A(WAIT), "the run was cut off: looked at again"},
    {S(RUNNING), E(GIVE_UP), S(IDLE), A(REPORT_FAILED), "the run could not be finished"},
    {S(RUNNING), E(CANCEL), S(RUNNING), A(STOP_WORKER), "cancelled: ends at the last whole unit"},

    {S(WAITING), E(TIMER), S(IDLE), A(NONE), "looked at again"},
    {S(WAITING), E(CANCEL), S(WAITING), A(DROP_TASK), "cancelled; a run that was begun is finished unless a person signed the stop"},
};
// clang-format on

enum dr_rc
dr_step_find(enum dr_step_state state, enum dr_step_event event, struct dr_step *out,
             struct dr_err *err)
{
    for (size_t i = 0; i < DR_COUNT_OF(ROWS); i++) {
        if (ROWS[i].state == state && ROWS[i].event == event) {
            *out = (struct dr_step){ROWS[i].next, ROWS[i].action, ROWS[i].reason};
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_INTERNAL, "event '%s' came to a target that is '%s'",
                      dr_step_event_name(event), dr_step_state_name(state));
}

const char *
dr_step_state_name(enum dr_step_state state)
{
    static const char *const NAMES[] = {"idle",     "fetching", "looking",    "preparing",
                                        "checking", "running",  "backing up", "waiting"};
    return (size_t)state < DR_COUNT_OF(NAMES) ? NAMES[state] : "?";
}

const char *
dr_step_event_name(enum dr_step_event event)
{
    static const char *const NAMES[] = {"resume",   "prepare", "bundle", "state",  "blobs",
                                        "approved", "refused", "facts",  "done",   "failed",
                                        "again",    "give up", "cancel", "backup", "timer"};
    return (size_t)event < DR_COUNT_OF(NAMES) ? NAMES[event] : "?";
}
