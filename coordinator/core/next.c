// Next: rows of (states, condition, what is waited for, command); the first that holds counts.
#include "coordinator/core/next.h"

#include "base/str.h"
#include "trust/approval.h"

enum condition {
    ALWAYS,
    OVER,
    UNDO,
    PAUSED,
    NEVER,
    BEFORE,
    AWAY,
    GATE,
    SIGN,
    STOPPED,
    AHEAD,
    LIMITED,
    LATER,
    SOAKS,
    STOPS,
    DONE
};

enum words { // what is waited for
    W_OVER,
    W_UNDO,
    W_PAUSED,
    W_NEVER,
    W_BEFORE,
    W_BEGINS,
    W_AWAY,
    W_PREPARES,
    W_GATE,
    W_SIGN,
    W_SIGN_ANEW,
    W_STOPPED,
    W_AHEAD,
    W_LIMITED,
    W_OTHER,
    W_LATER,
    W_GOES,
    W_SOAKS,
    W_RUNS,
    W_HELD,
    W_FAILED,
    W_REFUSED,
    W_OTHER_WAY,
    W_NOTHING,
};

enum command {
    C_AGAIN,
    C_UNDO,
    C_RESUME,
    C_ABORT,
    C_BEFORE,
    C_WATCH,
    C_AGENTS,
    C_TRY,
    C_APPROVE,
    C_AHEAD,
    C_STOPPED,
    C_REPAIR,
    C_RETRY,
    C_NONE
};

#define S(x)    (1u << DR_TARGET_##x)
#define WORKING (S(SENT) | S(RUNNING) | S(PROVING) | S(UNREACHABLE))
#define WRONG   (S(FAILED) | S(HELD) | S(REFUSED) | S(APPLIED) | S(REVERTED))
#define BEGUN   (S(PENDING) | S(PREPARING) | S(READY) | S(APPROVED))

static const struct {
    unsigned states;
    enum condition condition;
    enum dr_next_wait wait;
    enum words words;
    enum command command;
} ROWS[] = {
    {S(APPLIED), STOPS, DR_NEXT_PAUSE, W_PAUSED, C_RESUME},
    {S(APPLIED), SOAKS, DR_NEXT_SOAK, W_SOAKS, C_WATCH},
    {S(APPLIED) | S(REVERTED), DONE, DR_NEXT_NOTHING, W_NOTHING, C_NONE},
    {S(CANCELLED), ALWAYS, DR_NEXT_OVER, W_OVER, C_AGAIN},
    {BEGUN | WRONG, OVER, DR_NEXT_OVER, W_OVER, C_AGAIN},
    {S(HELD), ALWAYS, DR_NEXT_DECISION, W_HELD, C_REPAIR},
    {S(FAILED), ALWAYS, DR_NEXT_DECISION, W_FAILED, C_RETRY},
    {S(REFUSED), ALWAYS, DR_NEXT_DECISION, W_REFUSED, C_RETRY},
    {S(APPLIED) | S(REVERTED), ALWAYS, DR_NEXT_DECISION, W_OTHER_WAY, C_RETRY},
    {S(PENDING) | S(READY) | S(APPROVED), UNDO, DR_NEXT_PAUSE, W_UNDO, C_UNDO},
    {S(PENDING) | S(READY) | S(APPROVED), PAUSED, DR_NEXT_PAUSE, W_PAUSED, C_RESUME},
    {S(PENDING), NEVER, DR_NEXT_DECISION, W_NEVER, C_ABORT},
    {S(PENDING), BEFORE, DR_NEXT_TURN, W_BEFORE, C_BEFORE},
    {S(PENDING), LATER, DR_NEXT_TURN, W_OTHER, C_WATCH},
    {S(PENDING), ALWAYS, DR_NEXT_TURN, W_BEGINS, C_WATCH},
    {WORKING | S(PREPARING), AWAY, DR_NEXT_AGENT, W_AWAY, C_AGENTS},
    {WORKING, ALWAYS, DR_NEXT_RUN, W_RUNS, C_WATCH},
    {S(PREPARING), ALWAYS, DR_NEXT_PREPARE, W_PREPARES, C_WATCH},
    {S(READY) | S(APPROVED), GATE, DR_NEXT_GATE, W_GATE, C_TRY},
    {S(READY), SIGN, DR_NEXT_APPROVAL, W_SIGN, C_APPROVE},
    {S(READY), ALWAYS, DR_NEXT_APPROVAL, W_SIGN_ANEW, C_APPROVE},
    {S(APPROVED), STOPPED, DR_NEXT_TURN, W_STOPPED, C_STOPPED},
    {S(APPROVED), AHEAD, DR_NEXT_TURN, W_AHEAD, C_AHEAD},
    {S(APPROVED), LIMITED, DR_NEXT_TURN, W_LIMITED, C_WATCH},
    {S(APPROVED), LATER, DR_NEXT_TURN, W_LATER, C_WATCH},
    {S(APPROVED), ALWAYS, DR_NEXT_TURN, W_GOES, C_WATCH},
};

static bool
holds(enum condition condition, const struct dr_next_facts *f)
{
    switch (condition) {
    case ALWAYS:
        return true;
    case OVER:
        return f->is_over;
    case UNDO:
        return f->is_paused && f->undo != NULL;
    case PAUSED:
        return f->is_paused;
    case NEVER:
        return f->before != NULL && f->is_never;
    case BEFORE:
        return f->before != NULL;
    case AWAY:
        return !f->is_connected;
    case GATE:
        return f->gate != NULL;
    case SIGN:
        return f->signatures < f->needed;
    case STOPPED:
        return f->stopped != NULL;
    case AHEAD:
        return f->ahead != NULL;
    case LIMITED:
        return f->limited != NULL;
    case LATER:
        return f->goes_at > f->now;
    case SOAKS:
        return f->soaking != 0 && !f->is_over && dr_target_is_success(f->state, f->mode);
    case STOPS:
        return f->is_paused && holds(SOAKS, f);
    case DONE:
        return dr_target_is_success(f->state, f->mode);
    }
    return false;
}

static const char *
away_text(const struct dr_next_facts *f, struct dr_arena *arena)
{
    char seen[32];

    if (f->agent_seen == 0) {
        return dr_arena_printf(arena,
                               "agent '%s' has not been seen since the coordinator began: start "
                               "drover-agent on its host",
                               f->agent);
    }
    dr_format_time(seen, f->agent_seen);
    return dr_arena_printf(
        arena, "agent '%s' is away since %s: start drover-agent on its host%s", f->agent, seen,
        f->state == DR_TARGET_PREPARING ? ""
                                        : "; what happened on its database is unknown until then");
}

// A wave that goes later: the time, and why where that was noted.
static const char *
later_text(const struct dr_next_facts *f, struct dr_arena *arena)
{
    char at[32];

    dr_format_time(at, f->goes_at);
    return dr_arena_printf(arena, "wave %u goes at %s at the earliest%s%s", f->wave, at,
                           f->reason[0] != '\0' ? ": " : "", f->reason);
}

static const char *
paused_text(const struct dr_next_facts *f, struct dr_arena *arena)
{
    return dr_arena_printf(arena, "the rollout is paused: %s",
                           f->paused_by[0] != '\0' ? f->paused_by : "somebody has to resume it");
}

static const char *
soaks_text(const struct dr_next_facts *f, struct dr_arena *arena)
{
    char until[32];

    dr_format_time(until, f->soaks_until);
    return f->soaks_until > f->now
               ? dr_arena_printf(arena,
                                 "wave %u, the last, soaks until %s; then its probes have to pass",
                                 f->soaking, until)
               : dr_arena_printf(arena,
                                 "wave %u, the last, has soaked: its probes are asked once more",
                                 f->soaking);
}

static const char *
undo_text(const struct dr_next_facts *f, struct dr_arena *arena)
{
    return dr_arena_printf(
        arena, "the rollout is paused, and %s, which takes back a part of it, is not over",
        f->undo);
}

static const char *
held_text(enum words words, const struct dr_next_facts *f, struct dr_arena *arena)
{
    if (words == W_OTHER) {
        return dr_arena_str(arena, f->reason);
    }
    return words == W_STOPPED
               ? dr_arena_printf(arena, "%s: what failed has to be tried again, or taken back",
                                 f->stopped)
               : dr_arena_printf(arena, "wave %u goes on here when another one has ended: %s",
                                 f->wave, f->limited);
}

static const char *
words_of(enum words words, const struct dr_next_facts *f, struct dr_arena *arena)
{
    switch (words) {
    case W_OVER:
        return "the rollout was aborted: nothing more happens here";
    case W_UNDO:
        return undo_text(f, arena);
    case W_PAUSED:
        return paused_text(f, arena);
    case W_NEVER:
        return dr_arena_printf(arena, "%s, which goes before, was aborted: it can never begin",
                               f->before);
    case W_BEFORE:
        return dr_arena_printf(arena, "%s begins when %s is done", f->environment, f->before);
    case W_BEGINS:
        return "its turn has come: it begins now";
    case W_AWAY:
        return away_text(f, arena);
    case W_PREPARES:
        return dr_arena_printf(arena, "agent '%s' prepares: backup, preflights, READY", f->agent);
    case W_GATE:
        return dr_arena_printf(arena, "gate '%s' is closed: %s", f->gate, f->missing);
    case W_SIGN:
        return dr_arena_printf(arena, "the approval has %u of %u signatures", f->signatures,
                               f->needed);
    case W_SIGN_ANEW:
        return "no approval names what it is ready for now: people have to sign one";
    case W_AHEAD:
        return dr_arena_printf(arena, "wave %u goes after %s is done", f->wave, f->ahead);
    case W_STOPPED:
    case W_LIMITED:
    case W_OTHER:
        return held_text(words, f, arena);
    case W_LATER:
        return later_text(f, arena);
    case W_GOES:
        return dr_arena_printf(arena, "approved: wave %u goes now", f->wave);
    case W_SOAKS:
        return soaks_text(f, arena);
    case W_RUNS:
        return dr_arena_printf(arena, "agent '%s' works: its signed answer is waited for",
                               f->agent);
    case W_HELD:
        return "it failed in the middle: somebody has to choose how to go on";
    case W_FAILED:
        return "it failed: mend the cause, then try again";
    case W_REFUSED:
        return "its agent refused: mend the cause, then try again";
    case W_OTHER_WAY:
        return dr_approval_is_down(f->mode) ? "the way down failed and it went up again: mend the "
                                              "cause, then try again"
                                            : "it was reversed or taken back: mend the cause, "
                                              "then try again";
    case W_NOTHING:
        return "done: nothing is waited for";
    }
    return NULL;
}

static const char *
command_of(enum command command, const struct dr_next_facts *f, struct dr_arena *arena)
{
    switch (command) {
    case C_AGAIN:
        return f->again;
    case C_UNDO:
        return dr_arena_printf(arena, "drover why %s", f->undo);
    case C_RESUME:
        return dr_arena_printf(arena, "drover rollout resume %s", f->rollout);
    case C_ABORT:
        return dr_arena_printf(arena, "drover rollout abort %s", f->rollout);
    case C_BEFORE:
        if (f->before_next[0] != '\0') {
            return f->before_next;
        }
        break; // to watch is always right
    case C_AHEAD:
        if (f->ahead_next[0] != '\0') {
            return f->ahead_next;
        }
        break;
    case C_STOPPED:
        return f->ahead_next[0] != '\0'
                   ? f->ahead_next
                   : dr_arena_printf(arena, "drover rollout retry %s", f->rollout);
    case C_AGENTS:
        return "drover agents";
    case C_TRY:
        return f->try_[0] != '\0' ? f->try_
                                  : dr_arena_printf(arena, "drover checklist %s", f->rollout);
    case C_APPROVE:
        return dr_arena_printf(arena, "drover approve %s -e %s", f->rollout, f->environment);
    case C_REPAIR:
        return dr_arena_printf(arena, "drover repair %s", f->target);
    case C_RETRY:
        return dr_arena_printf(arena, "drover rollout retry %s -t %s", f->rollout, f->target);
    case C_NONE:
        return "";
    case C_WATCH:
        break;
    }
    return dr_arena_printf(arena, "drover rollout watch %s", f->rollout);
}

static size_t
row_of(const struct dr_next_facts *facts)
{
    size_t row = 0;

    while (row < DR_COUNT_OF(ROWS) &&
           ((ROWS[row].states & 1u << facts->state) == 0 || !holds(ROWS[row].condition, facts))) {
        row++;
    }
    return row;
}

enum dr_next_wait
dr_next_wait(const struct dr_next_facts *facts)
{
    size_t row = row_of(facts);

    return row < DR_COUNT_OF(ROWS) ? ROWS[row].wait : DR_NEXT_WAITS;
}

enum dr_rc
dr_next_of(const struct dr_next_facts *facts, struct dr_arena *arena, struct dr_next *out,
           struct dr_err *err)
{
    size_t row = row_of(facts);

    if (row == DR_COUNT_OF(ROWS)) {
        return dr_err_set(err, DR_E_INTERNAL, "nothing is known to wait for in state '%s'",
                          dr_target_state_name(facts->state));
    }
    const struct dr_next next = {ROWS[row].wait, words_of(ROWS[row].words, facts, arena),
                                 command_of(ROWS[row].command, facts, arena)};
    if (next.waits == NULL || next.command == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "the rollout is too large for one answer");
    }
    *out = next;
    return DR_OK;
}
