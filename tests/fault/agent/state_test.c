// State: what a crash at each write leaves.
#include "proto/service.pb-c.h"
#include "db/sqlite.h"
#include "support/agent_state.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct dr_agent_run
run_of(uint8_t ready, uint8_t approval)
{
    struct dr_agent_run run = {.ready = text("payload"), .spec = text("spec"), .started = 1000};
    memset(run.ready_sha256, ready, 32);
    memset(run.approval_sha256, approval, 32);
    return run;
}

static bool
has_ready(struct world *w)
{
    struct dr_bytes payload = {0};
    assert_int_equal(dr_agent_state_ready(w->state, w->arena, TARGET, &payload, NULL), DR_OK);
    return payload.len > 0;
}

static bool
has_run(struct world *w)
{
    struct dr_agent_run run = {0};
    assert_int_equal(dr_agent_state_run(w->state, w->arena, TARGET, &run, NULL), DR_OK);
    return run.exists;
}

// ------------------------------------------------------------------------------------- crash

// A child does one write and dies at `failpoint`; it has read the variable before anything else
// did.
static void
die_in_child(struct world *w, const char *failpoint, void (*act)(struct world *))
{
    dr_agent_state_close(&w->state);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT", failpoint, 1);
        open_state(w);
        act(w);
        _exit(3);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    open_state(w);
}

static void
consume_it(struct world *w)
{
    struct dr_agent_run run = run_of(1, 9);
    enum dr_rc rc = dr_agent_state_consume(w->state, TARGET, &run, 0, NULL);
    (void)rc;
}

static void
open_another(struct world *w)
{
    enum dr_rc rc = open_ready(w, 2, NULL);
    (void)rc;
}

static void
killed_before_the_commit_nothing_is_consumed(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    // The first commit of the child is that of opening.
    die_in_child(w, "agent-state-commit=kill@2", consume_it);
    assert_true(has_ready(w));
    assert_false(has_run(w));
}

static void
killed_after_the_commit_it_is_consumed(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    die_in_child(w, "agent-state-committed=kill@2", consume_it);
    assert_false(has_ready(w));
    assert_true(has_run(w));
}

static void
killed_in_a_report_counter_outbox_and_ready_agree(void **state)
{
    static const char *const POINTS[] = {"agent-state-commit=kill@2",
                                         "agent-state-committed=kill@2"};
    struct world *w = *state;
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    for (size_t i = 0; i < DR_COUNT_OF(POINTS); i++) {
        struct dr_attest_state attest = {0};
        int64_t waiting = 0;
        die_in_child(w, POINTS[i], open_another);
        assert_int_equal(dr_agent_state_attest(w->state, &attest, NULL), DR_OK);
        assert_int_equal(dr_agent_state_outbox_count(w->state, &waiting, NULL), DR_OK);
        assert_int_equal(attest.counter, i + 1);
        assert_int_equal(waiting, (int64_t)i + 1);
    }
}

static void
a_write_that_fails_changes_nothing_and_says_so(void **state)
{
    struct world *w = *state;
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    pid_t pid = fork();
    if (pid == 0) {
        struct dr_agent_run run = run_of(1, 9);
        struct dr_err err = {0};
        (void)setenv("DROVER_FAILPOINT", "agent-state-commit=error", 1);
        enum dr_rc rc = dr_agent_state_consume(w->state, TARGET, &run, 0, &err);
        _exit(rc == DR_E_AGENT_STATE ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(has_ready(w));
    assert_false(has_run(w));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(killed_before_the_commit_nothing_is_consumed),
        TEST(killed_after_the_commit_it_is_consumed),
        TEST(killed_in_a_report_counter_outbox_and_ready_agree),
        TEST(a_write_that_fails_changes_nothing_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
