// Step: what one target does next, as a table of rows (state, event, next, action, reason). Pure.
#ifndef DR_AGENT_STEP_H
#define DR_AGENT_STEP_H

#include "base/attr.h"
#include "base/err.h"

#define DR_STEP_STATES(X)                                                                          \
    X(IDLE)      /* nothing is under way */                                                        \
    X(FETCHING)  /* a task waits for the plan or its files */                                      \
    X(LOOKING)   /* a worker reads heads, ledger and fingerprint */                                \
    X(PREPARING) /* a worker takes a backup, runs preflights, looks */                             \
    X(CHECKING)  /* a worker takes the locks and compares with READY; nothing is consumed */       \
    X(RUNNING)   /* the approval is consumed, a worker runs the plan */                            \
    X(BACKING)   /* a worker does something with the target's backups */                           \
    X(WAITING)   /* something did not work; looked at again after a while */

#define DR_STEP_EVENTS(X)                                                                          \
    X(RESUME)  /* an approval is consumed and its run is not reported */                           \
    X(PREPARE) /* a task is there */                                                               \
    X(BUNDLE)                                                                                      \
    X(STATE)    /* a STATE is owed */                                                              \
    X(BLOBS)    /* all files of a PREPARE are there */                                             \
    X(APPROVED) /* all files of a BUNDLE are there, and it verifies */                             \
    X(REFUSED)  /* a check of trust failed; the error says which */                                \
    X(FACTS)    /* the worker has the locks and compared */                                        \
    X(DONE)     /* the worker's result is good */                                                  \
    X(FAILED)   /* it is bad, and trying again would not help */                                   \
    X(AGAIN)    /* it is bad, and trying again may help; or the worker died */                     \
    X(GIVE_UP)  /* too many times, or the resume window is over */                                 \
    X(CANCEL)   /* an order, or a signed CANCEL */                                                 \
    X(BACKUP)   /* an order about its backups */                                                   \
    X(TIMER)    /* the while of WAITING is over */

#define DR_STEP_ACTIONS(X)                                                                         \
    X(NONE)                                                                                        \
    X(FETCH_PREPARE)                                                                               \
    X(FETCH_BUNDLE)                                                                                \
    X(START_STATE)                                                                                 \
    X(START_PREPARE)                                                                               \
    X(START_BACKUP)                                                                                \
    X(START_RUN)                                                                                   \
    X(START_RESUME)                                                                                \
    X(GO) /* consume, then let the worker run */                                                   \
    X(REPORT_STATE)                                                                                \
    X(REPORT_READY)                                                                                \
    X(REPORT_BACKUP)                                                                               \
    X(REPORT_RUN)     /* APPLIED, REVERTED */                                                      \
    X(REPORT_UNREADY) /* FAILED, nothing ran */                                                    \
    X(REPORT_FAILED)  /* FAILED, the run is over */                                                \
    X(REPORT_REFUSED)                                                                              \
    X(DROP_TASK)                                                                                   \
    X(STOP_WORKER) /* it ends in a true state and says which */                                    \
    X(WAIT)

enum dr_step_state {
#define DR_STEP_ENUM(name) DR_STEP_##name,
    DR_STEP_STATES(DR_STEP_ENUM)
#undef DR_STEP_ENUM
};
enum dr_step_event {
#define DR_STEP_ENUM(name) DR_STEP_ON_##name,
    DR_STEP_EVENTS(DR_STEP_ENUM)
#undef DR_STEP_ENUM
};
enum dr_step_action {
#define DR_STEP_ENUM(name) DR_STEP_DO_##name,
    DR_STEP_ACTIONS(DR_STEP_ENUM)
#undef DR_STEP_ENUM
};

struct dr_step {
    enum dr_step_state next;
    enum dr_step_action action;
    const char *reason;
};

// The row of (state, event). DR_E_INTERNAL when there is none: nothing is done then.
DR_MUST_CHECK enum dr_rc dr_step_find(enum dr_step_state state, enum dr_step_event event,
                                      struct dr_step *out, struct dr_err *err);
// "idle", "fetching", ... and "resume", ...
const char *dr_step_state_name(enum dr_step_state state);
const char *dr_step_event_name(enum dr_step_event event);
// How many states and events there are, for tests that walk the table.
#define DR_STEP_STATE_COUNT (DR_STEP_WAITING + 1)
#define DR_STEP_EVENT_COUNT (DR_STEP_ON_TIMER + 1)

#endif
