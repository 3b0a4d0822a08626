// Waves, as a pure function: who goes, what the others wait for, and what stops everything.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/core/wave.h"

#include <stdio.h>
#include <string.h>

#define N   12
#define NOW 10000

struct sheet {
    struct dr_rollout_stage stage;
    struct dr_rollout_target targets[N];
    const char *servers[N];
    struct dr_wave_rules rules;
    struct dr_arena *arena;
    struct dr_wave_plan plan;
};

// Twelve targets on three servers; `waves` and `states` have a character each: A approved, S sent,
// ok: +, failed: x, held: h, unreachable: u, not approved: r, failed and prepared again: p.
static void
begin(struct sheet *t, const char waves[N + 1], const char states[N + 1])
{
    static const char *const servers[] = {"s1", "s2", "s3"};

    memset(t, 0, sizeof *t);
    t->arena = dr_arena_new(1u << 20);
    assert_non_null(t->arena);
    t->stage.targets = t->targets;
    t->stage.n_targets = N;
    t->stage.mode = DROVER__V1__MODE__UP;
    t->rules.now = NOW;
    for (size_t i = 0; i < N; i++) {
        struct dr_rollout_target *target = &t->targets[i];

        (void)snprintf(target->name, sizeof target->name, "p/%zu", i);
        target->engine = DROVER__V1__ENGINE__SQLITE;
        target->since = NOW - 100;
        target->wave = (uint32_t)(waves[i] - '0');
        target->has_approval = states[i] != 'r';
        target->state = states[i] == 'A'   ? DR_TARGET_APPROVED
                        : states[i] == 'S' ? DR_TARGET_SENT
                        : states[i] == '+' ? DR_TARGET_APPLIED
                        : states[i] == 'x' ? DR_TARGET_FAILED
                        : states[i] == 'h' ? DR_TARGET_HELD
                        : states[i] == 'u' ? DR_TARGET_UNREACHABLE
                        : states[i] == 'p' ? DR_TARGET_PREPARING
                                           : DR_TARGET_READY;
        t->servers[i] = servers[i % 3];
    }
}

// What `plan` says of each target: G goes, e earlier, s soaks, p probes, f full, v its server is
// full, c the canary, b the budget, n needs a new approval, '.' for those that are not asked about.
static void
gives(struct sheet *t, const char expected[N + 1])
{
    static const char letters[] = "Gespfvcbn";
    char found[N + 1] = "";
    struct dr_err err = {0};

    assert_int_equal(dr_wave_plan(&t->stage, &t->rules, t->servers, t->arena, &t->plan, &err),
                     DR_OK);
    for (size_t i = 0; i < N; i++) {
        found[i] = t->targets[i].state == DR_TARGET_APPROVED ? letters[t->plan.waits[i]] : '.';
    }
    assert_string_equal(found, expected);
}

static void
end(struct sheet *t)
{
    dr_arena_free(&t->arena);
}

static const struct {
    const char *what, *waves, *states;
    uint32_t budget, parallel, server_parallel;
    uint64_t soak_s;
    const char *expected;
} ROWS[] = {
    {"all of the first wave go", "111122222222", "AAAAAAAAAAAA", 0, 0, 0, 0, "GGGGeeeeeeee"},
    {"a later one waits for the whole earlier one", "111122222222", "+++SAAAAAAAA", 0, 0, 0, 0,
     "....eeeeeeee"},
    {"and goes when it has succeeded", "111122222222", "++++AAAAAAAA", 0, 0, 0, 0, "....GGGGGGGG"},
    {"who is unreachable may be running", "111122222222", "+++uAAAAAAAA", 3, 0, 0, 0,
     "....eeeeeeee"},
    {"who left before it was sent is not waited for", "112233333333", "+++rAAAAAAAA", 0, 0, 0, 0,
     "....GGGGGGGG"},
    {"what failed and is tried again has failed", "112233333333", "+++pAAAAAAAA", 0, 0, 0, 0,
     "....bbbbbbbb"},
    {"also for those of its own wave", "112222333333", "+++pAAAAAAAA", 0, 0, 0, 0, "....bbbbbbbb"},
    {"and its wave has not ended", "112233333333", "+++pAAAAAAAA", 1, 0, 0, 0, "....eeeeeeee"},
    {"a canary that is tried again has not succeeded", "112222333333", "+p++AAAAAAAA", 3, 0, 0, 0,
     "....cccccccc"},
    {"no wave goes without the first of its approval", "222222333333", "++AAAAAAAAAA", 0, 0, 0, 0,
     "..nnnnnnnnnn"},
    {"a soak is waited for", "111122222222", "++++AAAAAAAA", 0, 0, 0, 101, "....ssssssss"},
    {"until it is over", "111122222222", "++++AAAAAAAA", 0, 0, 0, 100, "....GGGGGGGG"},
    {"a wave that has begun has no soak before it", "111122222222", "++++SAAAAAAA", 0, 0, 0, 500,
     "....."
     "GGGGGGG"},
    {"so many at once", "111111111111", "+SSAAAAAAAAA", 0, 4, 0, 0, "...GGfffffff"},
    {"and so many on a server", "111111111111", "SAAAAAAAAAAA", 0, 0, 1, 0, ".GGvvvvvvvvv"},
    {"two on each of three servers", "111111111111", "AAAAAAAAAAAA", 0, 0, 2, 0, "GGGGGGvvvvvv"},
    {"both limits", "111111111111", "AAAAAAAAAAAA", 0, 5, 2, 0, "GGGGGfffffff"},
    {"a failure stops everything", "111122222222", "+++x++AAAAAA", 0, 0, 0, 0, "......bbbbbb"},
    {"also in the same wave", "111111111111", "+SxAAAAAAAAA", 0, 0, 0, 0, "...bbbbbbbbb"},
    {"two failures are more than one", "122222333333", "++xx++AAAAAA", 1, 0, 0, 0, "......bbbbbb"},
    {"and not more than two", "122222333333", "++xh++AAAAAA", 2, 0, 0, 0, "......GGGGGG"},
    {"what failed still soaks with its wave", "122222333333", "++xx++AAAAAA", 2, 0, 0, 200,
     "......ssssss"},
    {"the first wave has to succeed whole", "111222222222", "++xAAAAAAAAA", 5, 0, 0, 0,
     "...ccccccccc"},
    {"its other targets may go by the budget", "111222222222", "+AxAAAAAAAAA", 5, 0, 0, 0,
     ".G.ccccccccc"},
};

static void
the_table_of_waves_holds(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct sheet t;

        print_message("%s\n", ROWS[i].what);
        begin(&t, ROWS[i].waves, ROWS[i].states);
        t.rules.budget = ROWS[i].budget;
        t.rules.parallel = ROWS[i].parallel;
        t.rules.server_parallel = ROWS[i].server_parallel;
        t.rules.soak_s = ROWS[i].soak_s;
        gives(&t, ROWS[i].expected);
        end(&t);
    }
}

static void
two_approvals_have_waves_and_budgets_of_their_own(void **unused)
{
    struct sheet t;

    (void)unused;
    begin(&t, "112222111111", "+xAAAAAAAAAA");
    for (size_t i = 6; i < N; i++) {
        t.targets[i].approval[0] = 9; // came later: people have seen what failed
    }
    gives(&t, "..bbbbGGGGGG");
    assert_int_equal(t.plan.hold, DR_WAVE_BUDGET);
    assert_int_equal(t.plan.failures, 1);
    end(&t);
}

static void
the_soak_is_told_with_its_end(void **unused)
{
    struct sheet t;
    char text[256];

    (void)unused;
    begin(&t, "111122222222", "++++AAAAAAAA");
    t.rules.soak_s = 150;
    t.targets[2].since = NOW - 10; // the newest counts
    gives(&t, "....ssssssss");
    assert_int_equal(t.plan.soaking_wave, 1);
    assert_int_equal(t.plan.soaks_until, NOW + 140);
    assert_int_equal(t.plan.look_at, NOW + 140);
    dr_wave_say(&t.plan, &t.rules, 5, text, sizeof text);
    assert_string_equal(text, "approved, wave 1 soaks until 1970-01-01T02:49:00Z");
    end(&t);
}

static void
a_person_ends_the_soak_of_one_wave_only(void **unused)
{
    struct sheet t;

    (void)unused;
    begin(&t, "111122223333", "++++AAAAAAAA");
    t.rules.soak_s = 1000;
    t.stage.promoted_wave = 1;
    t.stage.promoted_at = NOW;
    gives(&t, "....GGGGeeee");
    for (size_t i = 4; i < 8; i++) {
        t.targets[i].state = DR_TARGET_APPLIED;
        t.targets[i].since = NOW; // within the same second
    }
    gives(&t, "........ssss");
    assert_int_equal(t.plan.soaking_wave, 2);
    end(&t);
}

static void
passes(struct dr_rollout_target *target, int64_t time)
{
    target->probe_outcome = DROVER__V1__PROBE_OUTCOME__PASSED;
    target->probe_asked = target->probe_time = time;
}

// id: G7
static void
a_wave_goes_only_after_every_probe_of_the_one_before_passed(void **unused)
{
    struct sheet t;

    (void)unused;
    begin(&t, "112222333333", "++AAAAAAAAAA");
    t.rules.has_probes[DROVER__V1__ENGINE__SQLITE] = true;
    gives(&t, "..ppppeeeeee");
    t.stage.soaking_wave = t.plan.soaking_wave;
    assert_true(dr_wave_is_probed(&t.stage, &t.targets[0], &t.rules, false));
    assert_false(dr_wave_is_probed(&t.stage, &t.targets[2], &t.rules, false));
    passes(&t.targets[0], NOW);
    passes(&t.targets[1], NOW - 101); // asked while it soaked
    gives(&t, "..ppppeeeeee");
    passes(&t.targets[1], NOW);
    t.targets[1].probe_outcome = DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
    gives(&t, "..ppppeeeeee");
    passes(&t.targets[1], NOW);
    gives(&t, "..GGGGeeeeee");
    t.targets[1].probe_outcome = DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
    gives(&t, "..bbbbbbbbbb"); // it counts as a failure
    t.rules.budget = 1;
    gives(&t, "..cccccccccc"); // and wave 1 has to be whole
    t.rules.has_probes[DROVER__V1__ENGINE__SQLITE] = false;
    t.targets[1].probe_outcome = DROVER__V1__PROBE_OUTCOME__PROBE_OUTCOME_NONE;
    gives(&t, "..GGGGeeeeee");
    end(&t);
}

static void
each_wait_says_what_for(void **unused)
{
    static const struct {
        enum dr_wave_wait wait;
        const char *expected;
    } rows[] = {
        {DR_WAVE_GOES, "approved, waits for its turn"},
        {DR_WAVE_EARLIER, "approved, waits for wave 2 to end"},
        {DR_WAVE_PROBES, "approved, waits for the probes of wave 2"},
        {DR_WAVE_FULL, "approved, waits: at most 4 targets run at once"},
        {DR_WAVE_SERVER_FULL, "approved, waits: at most 3 targets of a server run at once"},
        {DR_WAVE_CANARY,
         "stopped: wave 1 has to succeed whole before a later one goes, and 2 failed"},
        {DR_WAVE_PARTED, "approved, but wave 1 is no part of its approval any more"},
        {DR_WAVE_BUDGET, "stopped: 2 targets failed, the failure budget is 1"},
    };
    const struct dr_wave_rules rules = {.parallel = 4, .server_parallel = 3, .budget = 1};
    uint8_t wait;
    uint32_t before = 2;
    const struct dr_wave_plan plan = {.waits = &wait, .befores = &before, .failures = 2};

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[256];

        wait = (uint8_t)rows[i].wait;
        dr_wave_say(&plan, &rules, 0, text, sizeof text);
        assert_string_equal(text, rows[i].expected);
    }
}

// id: G7
static void
after_the_last_wave_every_target_is_looked_at_once_more(void **unused)
{
    struct sheet t;

    (void)unused;
    begin(&t, "112222222222", "++++++++++++");
    t.rules.last_soak_s = 150;
    t.rules.has_probes[DROVER__V1__ENGINE__SQLITE] = true;
    for (size_t i = 0; i < N; i++) {
        passes(&t.targets[i], NOW - 20);
    }
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 0); // not asked for
    t.rules.is_looked_after = true;
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 2);
    assert_int_equal(t.plan.soaks_until, NOW + 50);
    t.stage.soaking_wave = 2;
    assert_true(dr_wave_is_probed(&t.stage, &t.targets[0], &t.rules, true));
    t.rules.now = NOW + 60;
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 2); // the answers are older
    for (size_t i = 1; i < N; i++) {
        passes(&t.targets[i], NOW + 50);
    }
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 2); // one is missing
    passes(&t.targets[0], NOW + 50);
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 0);
    assert_int_equal(t.plan.last_wave, 2);
    end(&t);
}

static void
what_is_not_whole_or_promoted_or_was_there_before_is_not_looked_at(void **unused)
{
    struct sheet t;

    (void)unused;
    begin(&t, "112222222222", "+++++++++++x");
    t.rules.budget = 1;
    t.rules.is_looked_after = t.rules.has_probes[DROVER__V1__ENGINE__SQLITE] = true;
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 0);
    t.targets[N - 1].state = DR_TARGET_APPLIED;
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 2);
    t.stage.promoted_wave = 2;
    t.stage.promoted_at = NOW;
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 0);
    t.stage.promoted_at = 0;
    for (size_t i = 0; i < N; i++) {
        t.targets[i].has_approval = false;
    }
    gives(&t, "............");
    assert_int_equal(t.plan.soaking_wave, 0);
    end(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_waves_holds),
        cmocka_unit_test(two_approvals_have_waves_and_budgets_of_their_own),
        cmocka_unit_test(the_soak_is_told_with_its_end),
        cmocka_unit_test(a_person_ends_the_soak_of_one_wave_only),
        cmocka_unit_test(a_wave_goes_only_after_every_probe_of_the_one_before_passed),
        cmocka_unit_test(after_the_last_wave_every_target_is_looked_at_once_more),
        cmocka_unit_test(what_is_not_whole_or_promoted_or_was_there_before_is_not_looked_at),
        cmocka_unit_test(each_wait_says_what_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
