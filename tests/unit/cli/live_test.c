// The live tree: what is drawn, what is left out where there is no room, and how it is put in
// place.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/live.h"

#include <stdio.h>
#include <string.h>

#define NOW     1800000134
#define TARGETS 12u

static uint8_t digest[32] = {0x5f, 0x0c, 0x9d, 0x11, 0x8e, 0x72, 0x41, 0xaa};

// A rollout of staging with one target and production with some. Plain data that points into
// itself.
struct sample {
    Drover__V1__Rollout rollout;
    Drover__V1__EnginePlan plan, *plans[1];
    Drover__V1__StageStatus stages[2], *stage_list[2];
    Drover__V1__TargetStatus targets[1 + TARGETS], *target_list[1 + TARGETS];
    Drover__V1__Progress progress;
    char texts[80][80];
    size_t n_texts;
    struct dr_live_rate rates[1 + TARGETS];
};

static char *
text(struct sample *s, const char *words)
{
    assert_true(s->n_texts < 80 && strlen(words) < 80);
    return memcpy(s->texts[s->n_texts++], words, strlen(words) + 1);
}

static void
target(struct sample *s, size_t at, const char *name, const char *state, const char *reason)
{
    Drover__V1__TargetStatus *t = &s->targets[at];
    drover__v1__target_status__init(t);
    t->target = text(s, name);
    t->state = text(s, state);
    t->reason = text(s, reason);
    t->since = NOW - 31;
    t->connected = true;
    s->target_list[at] = t;
}

static void
sample(struct sample *s, size_t n_production)
{
    memset(s, 0, sizeof *s);
    drover__v1__rollout__init(&s->rollout);
    drover__v1__engine_plan__init(&s->plan);
    s->plan.plan_sha256 = (ProtobufCBinaryData){32, digest};
    s->plans[0] = &s->plan;
    s->rollout.plans = s->plans;
    s->rollout.n_plans = 1;
    s->rollout.mode = DROVER__V1__MODE__UP;
    s->rollout.id = text(s, "R-42");
    s->rollout.from = text(s, "003_canvas");
    s->rollout.to = text(s, "004_reviews");
    s->rollout.state = text(s, "running");
    s->rollout.created = NOW - 134;
    s->rollout.waits = text(s, "production/o1: agent 'prd-1' works");
    s->rollout.next = text(s, "drover rollout watch R-42");
    for (size_t i = 0; i < 2; i++) {
        Drover__V1__StageStatus *stage = &s->stages[i];
        drover__v1__stage_status__init(stage);
        stage->environment = text(s, i == 0 ? "staging" : "production");
        stage->state = text(s, i == 0 ? "applied" : "running");
        stage->since = NOW - 60;
        stage->signatures = stage->needed = (uint32_t)i + 1;
        stage->targets = &s->target_list[i];
        stage->n_targets = i == 0 ? 1 : n_production;
        s->stage_list[i] = stage;
    }
    s->rollout.stages = s->stage_list;
    s->rollout.n_stages = 2;
    target(s, 0, "staging/orders", "applied", "applied");
    for (size_t i = 1; i <= n_production; i++) {
        char name[32];
        snprintf(name, sizeof name, "production/o%zu", i);
        target(s, i, name, "pending", "pending");
    }
}

static void
run_first(struct sample *s, uint64_t done, uint64_t elapsed_ms)
{
    drover__v1__progress__init(&s->progress);
    s->progress.revision = s->rollout.to;
    s->progress.unit_number = 1;
    s->progress.unit_total = 2;
    s->progress.phase = text(s, "building index");
    s->progress.server_done = done;
    s->progress.server_total = 4000000;
    s->progress.elapsed_ms = elapsed_ms;
    s->targets[1].state = text(s, "running");
    s->targets[1].progress = &s->progress;
    dr_live_note(s->rates, 1 + TARGETS, &s->rollout);
}

static struct dr_live_look
look_of(struct sample *s, size_t width, size_t height)
{
    return (struct dr_live_look){width, height, false, NOW, s->rates, 1 + TARGETS};
}

static const char *
draw(struct sample *s, size_t width, size_t height)
{
    static char shown[8192];
    struct dr_buf out = {0};
    const struct dr_live_look look = look_of(s, width, height);
    dr_live_draw(&s->rollout, &look, &out);
    assert_true(out.len > 0 && out.len < sizeof shown);
    memcpy(shown, out.data, out.len + 1);
    dr_buf_fini(&out);
    return shown;
}

static void
the_tree_is_drawn_as_agreed(void **state)
{
    struct sample s;
    (void)state;
    sample(&s, 2);
    run_first(&s, 1000000, 12000);
    run_first(&s, 2500000, 31000);
    assert_string_equal(
        draw(&s, 120, 24),
        "Rollout: R-42  003_canvas -> 004_reviews\n"
        "Status:  running\n"
        "Plan:    5f0c9d11 8e7241aa  Started: 2027-01-15T08:00:00Z  Elapsed: 2m14s\n"
        "NAME                    KIND         STATUS   AGE    INFO\n"
        "R-42                    rollout      running  2m14s\n"
        "|-- staging             environment  applied  1m     1/1 targets, approvals 1/1\n"
        "|   `-- staging/orders  target       applied  31s\n"
        "`-- production          environment  running  1m     0/2 targets, approvals 2/2\n"
        "    |-- production/o1   target       running  31s    004_reviews, unit 1/2, building "
        "index "
        "62% 2.5M/4.0M, ETA 19s\n"
        "    `-- production/o2   target       pending  31s\n"
        "waits: production/o1: agent 'prd-1' works\n"
        "next:  drover rollout watch R-42\n");
}

static void
an_estimate_needs_two_counts_of_the_same_unit(void **state)
{
    struct sample s;
    (void)state;
    sample(&s, 1);
    run_first(&s, 1000000, 12000);
    assert_null(strstr(draw(&s, 120, 24), "ETA"));
    assert_non_null(strstr(draw(&s, 120, 24), "25% 1.0M/4.0M"));
    run_first(&s, 2500000, 31000);
    assert_non_null(strstr(draw(&s, 120, 24), "ETA 19s"));
    s.progress.unit_number = 2;
    dr_live_note(s.rates, 1 + TARGETS, &s.rollout);
    assert_null(strstr(draw(&s, 120, 24), "ETA"));
    s.progress.server_total = 0;
    dr_live_note(s.rates, 1 + TARGETS, &s.rollout);
    assert_null(strstr(draw(&s, 120, 24), "%"));
}

static void
who_is_in_the_way_is_told(void **state)
{
    struct sample s;
    (void)state;
    sample(&s, 1);
    run_first(&s, 0, 0);
    s.progress.blockers = text(&s, "pid 11 (app, 3 s): SELECT ?");
    assert_non_null(strstr(draw(&s, 160, 24), "waits for pid 11 (app, 3 s): SELECT ?"));
}

static size_t
count_lines(const char *shown, size_t width)
{
    size_t n = 0;
    for (const char *c = shown; *c != '\0'; n++) {
        size_t len = strcspn(c, "\n");
        assert_true(len <= width);
        c += len + 1;
    }
    return n;
}

static void
a_small_terminal_keeps_what_moves_and_counts_the_rest(void **state)
{
    struct sample s;
    (void)state;
    sample(&s, TARGETS);
    s.targets[9].state = text(&s, "failed");
    const char *shown = draw(&s, 60, 16);
    assert_int_equal(count_lines(shown, 60), 15);
    assert_non_null(strstr(shown, "production/o9"));
    assert_non_null(strstr(shown, "... 8 more"));
    assert_null(strstr(shown, "production/o12"));
    for (size_t height = 1; height < 30; height++) {
        struct dr_live_screen screen = {0};
        struct dr_buf out = {0};
        struct dr_buf plain = {0};
        const struct dr_live_look look = look_of(&s, 20, height);
        dr_live_draw(&s.rollout, &look, &plain);
        dr_live_paint(&screen, &look, &plain, &out);
        assert_true(screen.lines < height || height == 1);
        dr_buf_fini(&plain);
        dr_buf_fini(&out);
    }
}

static void
nothing_that_a_terminal_acts_on_gets_through(void **state)
{
    struct sample s;
    (void)state;
    sample(&s, 1);
    s.targets[1].state = text(&s, "failed");
    s.targets[1].reason = text(&s, "\x1b[2J\x1b]0;owned\x07 \xe2\x80\xae evil\nline");
    s.rollout.next = text(&s, "drover x; rm -rf ~");
    s.rollout.reason = text(&s, "\x1b[31mred");
    const char *shown = draw(&s, 200, 24);
    assert_null(strchr(shown, '\x1b'));
    assert_null(strchr(shown, '\x07'));
    assert_null(strstr(shown, "\xe2\x80\xae"));
    assert_null(strstr(shown, "rm -rf"));
    assert_int_equal(count_lines(shown, 200), 11);
}

static void
a_drawing_takes_the_place_of_the_one_before(void **state)
{
    struct sample s;
    struct dr_live_screen screen = {0};
    struct dr_buf out = {0};
    struct dr_buf lines = {0};
    (void)state;
    sample(&s, 1);
    struct dr_live_look look = look_of(&s, 80, 24);
    dr_buf_str(&lines, "one\ntwo\n");
    dr_live_paint(&screen, &look, &lines, &out);
    assert_string_equal(out.data,
                        "\x1b[?2026h\x1b[?25lone\x1b[K\r\ntwo\x1b[K\r\n\x1b[J\x1b[?2026l");
    dr_buf_reset(&out);
    dr_live_paint(&screen, &look, &lines, &out);
    assert_non_null(strstr(out.data, "\r\x1b[2Aone"));
    dr_buf_reset(&out);
    look.width = 60;
    dr_live_paint(&screen, &look, &lines, &out);
    assert_non_null(strstr(out.data, "\x1b[H\x1b[2Jone"));
    dr_buf_reset(&out);
    dr_live_leave(&screen, &out);
    assert_string_equal(out.data, "\x1b[?25h");
    dr_buf_reset(&out);
    dr_live_leave(&screen, &out);
    assert_int_equal(out.len, 0);
    dr_buf_fini(&out);
    dr_buf_fini(&lines);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_is_drawn_as_agreed),
        cmocka_unit_test(an_estimate_needs_two_counts_of_the_same_unit),
        cmocka_unit_test(who_is_in_the_way_is_told),
        cmocka_unit_test(a_small_terminal_keeps_what_moves_and_counts_the_rest),
        cmocka_unit_test(nothing_that_a_terminal_acts_on_gets_through),
        cmocka_unit_test(a_drawing_takes_the_place_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
