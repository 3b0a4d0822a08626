// What a target waits for: every state under every condition has words and a command that works.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/core/next.h"

#include "base/str.h"
#include "trust/approval.h"

#include <string.h>

#define CONDITIONS 11u
#define NOW        1800000000

struct fixture {
    struct dr_arena *arena;
};

static const Drover__V1__Mode MODES[] = {DROVER__V1__MODE__UP, DROVER__V1__MODE__DOWN,
                                         DROVER__V1__MODE__PROVE};

// Bit n of `conditions` sets the nth condition.
static struct dr_next_facts
facts_of(enum dr_target_state state, Drover__V1__Mode mode, unsigned conditions)
{
    return (struct dr_next_facts){
        .rollout = "R-7",
        .environment = "production",
        .target = "production/orders",
        .agent = "prd-1",
        .again = "drover upgrade head",
        .state = state,
        .mode = mode,
        .is_connected = (conditions & 1) != 0,
        .is_paused = (conditions & 2) != 0,
        .is_over = (conditions & 4) != 0,
        .agent_seen = (conditions & 8) != 0 ? NOW - 180 : 0,
        .now = NOW,
        .before = (conditions & 16) != 0 ? "staging" : NULL,
        .before_next = (conditions & 8) != 0 ? "drover approve R-7 -e staging" : "",
        .gate = (conditions & 32) != 0 ? "logs-reviewed" : NULL,
        .missing = (conditions & 32) != 0 ? "nobody signed 'logs-reviewed'" : "",
        .try_ = (conditions & 8) != 0 ? "drover checklist R-7 sign logs-reviewed" : "",
        .signatures = (conditions & 64) != 0 ? 1 : 2,
        .needed = 2,
        .ahead = (conditions & 128) != 0 ? "production/billing" : NULL,
        .ahead_next = (conditions & 8) != 0 ? "drover rollout retry R-7 -t production/billing" : "",
        .wave = 2,
        .goes_at = (conditions & 64) != 0 ? NOW + 60 : 0,
        .reason = "the wave before soaks",
        .paused_by = (conditions & 8) != 0 ? "paused by bob" : "",
        .stopped = (conditions & 512) != 0 ? "stopped: 1 target failed" : NULL,
        .limited = (conditions & 1024) != 0 ? "at most 2 targets run at once" : NULL,
        .soaking = (conditions & 256) != 0 ? 2 : 0,
        .soaks_until = (conditions & 64) != 0 ? NOW + 60 : NOW,
    };
}

static struct dr_next
next_of(struct fixture *f, const struct dr_next_facts *facts)
{
    struct dr_next next = {DR_NEXT_WAITS, NULL, NULL};
    struct dr_err err = {0};

    assert_int_equal(dr_next_of(facts, f->arena, &next, &err), DR_OK);
    assert_int_equal(next.wait, dr_next_wait(facts));
    return next;
}

static bool
says(const struct dr_next *next, const char *command)
{
    return dr_str_starts(next->command, command);
}

static bool
takes(const struct dr_next_facts *f, enum dr_target_event event)
{
    const struct dr_target_facts facts = {f->mode, false};
    struct dr_target_step step;

    return dr_rollout_step(f->state, event, &facts, &step, NULL) == DR_OK;
}

// Whether the command is one that the table, and the order of things, take now.
static void
check_command(const struct dr_next_facts *f, const struct dr_next *next)
{
    bool is_good = dr_target_is_success(f->state, f->mode);
    bool is_done = is_good && (f->soaking == 0 || f->state != DR_TARGET_APPLIED || f->is_over);
    bool is_active = dr_target_is_active(f->state);

    assert_int_equal(next->command[0] == '\0', is_done);
    assert_int_equal(next->wait == DR_NEXT_NOTHING, is_done);
    if (says(next, "drover rollout retry R-7 -t production/orders")) {
        assert_true(takes(f, DR_EVENT_RETRY) && !f->is_over);
        assert_true(dr_target_is_failure(f->state, f->mode));
    }
    if (says(next, "drover rollout resume")) {
        assert_true(f->is_paused && !f->is_over && !is_active);
    }
    if (says(next, "drover approve R-7 -e production")) {
        assert_true(f->state == DR_TARGET_READY && f->gate == NULL && !f->is_paused);
    }
    if (says(next, "drover repair")) {
        assert_true(f->state == DR_TARGET_HELD && !f->is_over);
    }
    if (says(next, "drover agents")) {
        assert_true(!f->is_connected && (is_active || f->state == DR_TARGET_PREPARING));
        assert_non_null(strstr(next->waits, "prd-1"));
    }
    if (says(next, "drover upgrade")) {
        assert_true(f->is_over || f->state == DR_TARGET_CANCELLED);
    }
    if (says(next, "drover rollout watch")) { // never where a person has to do something
        assert_false(dr_target_is_failure(f->state, f->mode) || f->state == DR_TARGET_READY);
        assert_true(f->is_connected || !is_active);
        assert_false(f->is_paused &&
                     (f->state == DR_TARGET_PENDING || f->state == DR_TARGET_APPROVED || is_good));
    }
}

static void
every_state_under_every_condition_says_what_it_waits_for_and_what_to_type(void **state)
{
    for (unsigned s = 0; s < DR_TARGET_STATES; s++) {
        for (unsigned m = 0; m < DR_COUNT_OF(MODES); m++) {
            for (unsigned c = 0; c < 1u << CONDITIONS; c++) {
                struct fixture f = {dr_arena_new(1u << 16)};
                const struct dr_next_facts facts = facts_of((enum dr_target_state)s, MODES[m], c);
                const struct dr_next next = next_of(&f, &facts);

                assert_true(strlen(next.waits) > 8);
                assert_true(next.command[0] == '\0' || dr_str_starts(next.command, "drover "));
                check_command(&facts, &next);
                dr_arena_free(&f.arena);
            }
        }
    }
    (void)state;
}

static const struct {
    enum dr_target_state state;
    unsigned conditions;
    enum dr_next_wait wait;
    const char *waits, *command;
} EXAMPLES[] = {
    {DR_TARGET_PENDING, 1 + 8 + 16, DR_NEXT_TURN, "production begins when staging is done",
     "drover approve R-7 -e staging"},
    {DR_TARGET_PENDING, 1 + 16, DR_NEXT_TURN, "production begins when staging is done",
     "drover rollout watch R-7"},
    {DR_TARGET_PREPARING, 8, DR_NEXT_AGENT,
     "agent 'prd-1' is away since 2027-01-15T07:57:00Z: start drover-agent on its host",
     "drover agents"},
    {DR_TARGET_RUNNING, 0, DR_NEXT_AGENT,
     "agent 'prd-1' has not been seen since the coordinator began: start drover-agent on its host",
     "drover agents"},
    {DR_TARGET_READY, 1 + 8 + 32, DR_NEXT_GATE,
     "gate 'logs-reviewed' is closed: nobody signed 'logs-reviewed'",
     "drover checklist R-7 sign logs-reviewed"},
    {DR_TARGET_READY, 1 + 32, DR_NEXT_GATE,
     "gate 'logs-reviewed' is closed: nobody signed 'logs-reviewed'", "drover checklist R-7"},
    {DR_TARGET_READY, 1 + 64, DR_NEXT_APPROVAL, "the approval has 1 of 2 signatures",
     "drover approve R-7 -e production"},
    {DR_TARGET_READY, 1, DR_NEXT_APPROVAL,
     "no approval names what it is ready for now: people have to sign one",
     "drover approve R-7 -e production"},
    {DR_TARGET_APPROVED, 1 + 8 + 128, DR_NEXT_TURN, "wave 2 goes after production/billing is done",
     "drover rollout retry R-7 -t production/billing"},
    {DR_TARGET_APPROVED, 1 + 512, DR_NEXT_TURN,
     "stopped: 1 target failed: what failed has to be tried again, or taken back",
     "drover rollout retry R-7"},
    {DR_TARGET_APPROVED, 1 + 1024, DR_NEXT_TURN,
     "wave 2 goes on here when another one has ended: at most 2 targets run at once",
     "drover rollout watch R-7"},
    {DR_TARGET_PENDING, 1 + 64, DR_NEXT_TURN, "the wave before soaks", "drover rollout watch R-7"},
    {DR_TARGET_APPROVED, 1 + 64, DR_NEXT_TURN,
     "wave 2 goes at 2027-01-15T08:01:00Z at the earliest: the wave before soaks",
     "drover rollout watch R-7"},
    {DR_TARGET_APPROVED, 1 + 2, DR_NEXT_PAUSE, "the rollout is paused: somebody has to resume it",
     "drover rollout resume R-7"},
    {DR_TARGET_HELD, 1, DR_NEXT_DECISION,
     "it failed in the middle: somebody has to choose how to go on",
     "drover repair production/orders"},
    {DR_TARGET_FAILED, 1, DR_NEXT_DECISION, "it failed: mend the cause, then try again",
     "drover rollout retry R-7 -t production/orders"},
    {DR_TARGET_REFUSED, 1 + 4, DR_NEXT_OVER, "the rollout was aborted: nothing more happens here",
     "drover upgrade head"},
    {DR_TARGET_APPROVED, 1 + 2 + 8, DR_NEXT_PAUSE, "the rollout is paused: paused by bob",
     "drover rollout resume R-7"},
    {DR_TARGET_APPLIED, 1 + 2 + 32, DR_NEXT_NOTHING, "done: nothing is waited for", ""},
    {DR_TARGET_APPLIED, 1 + 64 + 256, DR_NEXT_SOAK,
     "wave 2, the last, soaks until 2027-01-15T08:01:00Z; then its probes have to pass",
     "drover rollout watch R-7"},
    {DR_TARGET_APPLIED, 1 + 256, DR_NEXT_SOAK,
     "wave 2, the last, has soaked: its probes are asked once more", "drover rollout watch R-7"},
    {DR_TARGET_APPLIED, 1 + 2 + 8 + 256, DR_NEXT_PAUSE, "the rollout is paused: paused by bob",
     "drover rollout resume R-7"},
};

static void
the_first_unmet_condition_is_told_with_its_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(EXAMPLES); i++) {
        struct fixture f = {dr_arena_new(1u << 16)};
        const struct dr_next_facts facts =
            facts_of(EXAMPLES[i].state, DROVER__V1__MODE__UP, EXAMPLES[i].conditions);
        const struct dr_next next = next_of(&f, &facts);

        assert_string_equal(next.waits, EXAMPLES[i].waits);
        assert_string_equal(next.command, EXAMPLES[i].command);
        assert_int_equal(next.wait, EXAMPLES[i].wait);
        dr_arena_free(&f.arena);
    }
}

static void
what_began_and_lost_its_agent_says_that_its_database_is_unknown(void **state)
{
    struct fixture f = {dr_arena_new(1u << 16)};
    const struct dr_next_facts facts = facts_of(DR_TARGET_UNREACHABLE, DROVER__V1__MODE__UP, 8);
    const struct dr_next next = next_of(&f, &facts);

    (void)state;
    assert_non_null(strstr(next.waits, "away since 2027-01-15T07:57:00Z"));
    assert_non_null(strstr(next.waits, "unknown until then"));
    dr_arena_free(&f.arena);
}

static void
what_waits_for_a_rollout_that_was_aborted_can_never_begin(void **state)
{
    struct fixture f = {dr_arena_new(1u << 16)};
    struct dr_next_facts facts = facts_of(DR_TARGET_PENDING, DROVER__V1__MODE__UP, 1);

    (void)state;
    facts.before = "R-6";
    facts.is_never = true;
    const struct dr_next next = next_of(&f, &facts);
    assert_int_equal(next.wait, DR_NEXT_DECISION);
    assert_string_equal(next.waits, "R-6, which goes before, was aborted: it can never begin");
    assert_string_equal(next.command, "drover rollout abort R-7");
    dr_arena_free(&f.arena);
}

static void
nobody_is_told_to_resume_what_is_being_taken_back(void **state)
{
    struct fixture f = {dr_arena_new(1u << 16)};
    struct dr_next_facts facts = facts_of(DR_TARGET_APPROVED, DROVER__V1__MODE__UP, 1 + 2);

    (void)state;
    facts.undo = "R-9";
    const struct dr_next next = next_of(&f, &facts);
    assert_int_equal(next.wait, DR_NEXT_PAUSE);
    assert_string_equal(next.waits, "the rollout is paused, and R-9, which takes back a part of "
                                    "it, is not over");
    assert_string_equal(next.command, "drover why R-9");
    dr_arena_free(&f.arena);
}

static void
a_full_arena_is_an_error_and_not_an_empty_step(void **state)
{
    struct dr_arena *arena = dr_arena_new(16);
    const struct dr_next_facts facts = facts_of(DR_TARGET_FAILED, DROVER__V1__MODE__UP, 1);
    struct dr_next next = {DR_NEXT_WAITS, NULL, NULL};
    struct dr_err err = {0};

    (void)state;
    assert_int_equal(dr_next_of(&facts, arena, &next, &err), DR_E_LIMIT);
    assert_null(next.command);
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_under_every_condition_says_what_it_waits_for_and_what_to_type),
        cmocka_unit_test(the_first_unmet_condition_is_told_with_its_command),
        cmocka_unit_test(what_began_and_lost_its_agent_says_that_its_database_is_unknown),
        cmocka_unit_test(what_waits_for_a_rollout_that_was_aborted_can_never_begin),
        cmocka_unit_test(nobody_is_told_to_resume_what_is_being_taken_back),
        cmocka_unit_test(a_full_arena_is_an_error_and_not_an_empty_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
