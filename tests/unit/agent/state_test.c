// State: what is durable when a call returns, what a crash at each write leaves, and that a READY
// is used once.
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

static bool
take(struct world *w, uint64_t seq, const char *id, int kind, const char *body)
{
    bool is_new = false;
    struct dr_err err = {0};
    const struct dr_agent_task task = {.kind = kind, .target = TARGET, .body = text(body)};
    if (dr_agent_state_take(w->state, seq, text(id), &task, &is_new, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return is_new;
}

static struct dr_agent_task
next_task(struct world *w)
{
    struct dr_agent_task task = {0};
    assert_int_equal(dr_agent_state_next_task(w->state, w->arena, TARGET, &task, NULL), DR_OK);
    return task;
}

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

// ------------------------------------------------------------------------------------ pushes

static void
take_keeps_a_task_over_a_restart_and_knows_it_again(void **state)
{
    struct world *w = *state;
    uint64_t seq = 0;
    assert_true(take(w, 5, "id-5", DROVER__V1__PUSH_KIND__PUSH_BUNDLE, "bundle"));
    reopen(w);
    assert_false(take(w, 5, "id-5", DROVER__V1__PUSH_KIND__PUSH_BUNDLE, "bundle"));
    struct dr_agent_task task = next_task(w);
    assert_int_equal(task.seq, 5);
    assert_memory_equal(task.body.data, "bundle", 6);
    assert_int_equal(dr_agent_state_after_seq(w->state, &seq, NULL), DR_OK);
    assert_int_equal(seq, 5);
    assert_int_equal(dr_agent_state_drop_task(w->state, task.id, NULL), DR_OK);
    assert_int_equal(next_task(w).id, 0);
}

static void
take_lets_a_newer_prepare_replace_a_waiting_one_but_no_bundle(void **state)
{
    struct world *w = *state;
    (void)take(w, 1, "a", DROVER__V1__PUSH_KIND__PUSH_PREPARE, "one");
    (void)take(w, 2, "b", DROVER__V1__PUSH_KIND__PUSH_BUNDLE, "bundle");
    (void)take(w, 3, "c", DROVER__V1__PUSH_KIND__PUSH_PREPARE, "two");
    struct dr_agent_task task = next_task(w);
    assert_memory_equal(task.body.data, "bundle", 6);
    assert_int_equal(dr_agent_state_drop_task(w->state, task.id, NULL), DR_OK);
    assert_memory_equal(next_task(w).body.data, "two", 3);
}

static void
take_drops_the_oldest_when_too_much_waits(void **state)
{
    struct world *w = *state;
    char id[16];
    for (unsigned i = 1; i <= DR_AGENT_TASKS_MAX + 3; i++) {
        (void)snprintf(id, sizeof id, "id-%u", i);
        (void)take(w, i, id, DROVER__V1__PUSH_KIND__PUSH_BUNDLE, "x");
    }
    assert_int_equal(next_task(w).seq, 4);
}

static void
take_refuses_a_body_that_is_too_large(void **state)
{
    struct world *w = *state;
    struct dr_err err = {0};
    bool is_new = false;
    uint8_t *large = calloc(1, DR_AGENT_TASK_MAX + 1);
    const struct dr_agent_task task = {.kind = DROVER__V1__PUSH_KIND__PUSH_BUNDLE,
                                       .target = TARGET,
                                       .body = {.data = large, .len = DR_AGENT_TASK_MAX + 1}};
    assert_int_equal(dr_agent_state_take(w->state, 99, text("last"), &task, &is_new, &err),
                     DR_E_LIMIT);
    assert_int_equal(next_task(w).id, 0);
    free(large);
}

static void
after_seq_follows_a_coordinator_that_counts_anew(void **state)
{
    struct world *w = *state;
    uint64_t seq = 0;
    (void)take(w, 500, "old", DROVER__V1__PUSH_KIND__PUSH_BUNDLE, "x");
    (void)take(w, 1, "new", DROVER__V1__PUSH_KIND__PUSH_BUNDLE, "x");
    assert_int_equal(dr_agent_state_after_seq(w->state, &seq, NULL), DR_OK);
    assert_int_equal(seq, 1);
}

static void
drop_foreign_leaves_the_tasks_of_own_targets(void **state)
{
    struct world *w = *state;
    const char *const names[] = {TARGET};
    const char *const others[] = {"production/other"};
    (void)take(w, 1, "a", DROVER__V1__PUSH_KIND__PUSH_BUNDLE, "x");
    assert_int_equal(dr_agent_state_drop_foreign(w->state, names, 1, NULL), DR_OK);
    assert_int_not_equal(next_task(w).id, 0);
    assert_int_equal(dr_agent_state_drop_foreign(w->state, others, 1, NULL), DR_OK);
    assert_int_equal(next_task(w).id, 0);
}

// ----------------------------------------------------------------------------- READY, consume

static void
ready_stays_open_over_a_restart_until_it_is_consumed(void **state)
{
    struct world *w = *state;
    struct dr_agent_run run = run_of(1, 9);
    struct dr_agent_run found = {0};
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    reopen(w);
    assert_true(has_ready(w));
    assert_int_equal(dr_agent_state_consume(w->state, TARGET, &run, 0, NULL), DR_OK);
    reopen(w);
    assert_false(has_ready(w));
    assert_int_equal(dr_agent_state_run(w->state, w->arena, TARGET, &found, NULL), DR_OK);
    assert_true(found.exists);
    assert_int_equal(found.attempts, 1);
    assert_memory_equal(found.approval_sha256, run.approval_sha256, 32);
    assert_memory_equal(found.spec.data, "spec", 4);
}

static void
consume_refuses_a_ready_that_is_not_the_open_one(void **state)
{
    struct world *w = *state;
    struct dr_agent_run run = run_of(2, 9);
    struct dr_err err = {0};
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    assert_int_equal(dr_agent_state_consume(w->state, TARGET, &run, 0, &err), DR_E_NO_READY);
    assert_true(has_ready(w));
    assert_false(has_run(w));
}

static void
consume_refuses_an_approval_that_was_used(void **state)
{
    struct world *w = *state;
    struct dr_agent_run run = run_of(1, 9);
    struct dr_agent_change end = {.target = TARGET, .ends_run = true};
    struct dr_err err = {0};
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    assert_int_equal(dr_agent_state_consume(w->state, TARGET, &run, 0, NULL), DR_OK);
    assert_int_equal(dr_agent_state_commit(w->state, &end, NULL), DR_OK);
    assert_int_equal(dr_agent_state_consume(w->state, TARGET, &run, 0, &err), DR_E_NO_READY);
    // A snapshot of the state folder brought the READY back: the approval stays used.
    assert_int_equal(open_ready(w, 2, NULL), DR_OK);
    run = run_of(2, 9);
    assert_int_equal(dr_agent_state_consume(w->state, TARGET, &run, 0, &err), DR_E_AGENT_CONSUMED);
    assert_false(has_run(w));
}

static void
disarm_by_another_process_stops_the_next_consume(void **state)
{
    struct world *w = *state;
    struct world other = {.tmp = w->tmp};
    struct dr_agent_run run = run_of(1, 9);
    uint32_t count = 0;
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    open_state(&other);
    assert_int_equal(dr_agent_state_disarm(other.state, NULL, &count, NULL), DR_OK);
    dr_agent_state_close(&other.state);
    assert_int_equal(count, 1);
    assert_int_equal(dr_agent_state_consume(w->state, TARGET, &run, 0, NULL), DR_E_NO_READY);
}

static void
disarm_of_one_target_leaves_the_others(void **state)
{
    struct world *w = *state;
    uint32_t count = 9;
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    assert_int_equal(dr_agent_state_disarm(w->state, "production/other", &count, NULL), DR_OK);
    assert_int_equal(count, 0);
    assert_true(has_ready(w));
}

// ------------------------------------------------------------------------------------ outbox

static void
commit_keeps_attestations_in_order_until_they_are_delivered(void **state)
{
    struct world *w = *state;
    struct dr_agent_outgoing one = {0};
    struct dr_attest_state attest = {0};
    int64_t place = 0;
    int64_t second = 0;
    assert_int_equal(open_ready(w, 1, NULL), DR_OK);
    assert_int_equal(open_ready(w, 2, NULL), DR_OK);
    reopen(w);
    assert_int_equal(dr_agent_state_outbox_next(w->state, w->arena, 0, &place, &one, NULL), DR_OK);
    assert_int_equal(one.sha256[0], 1);
    assert_memory_equal(one.envelope.data, "envelope", 8);
    assert_int_equal(dr_agent_state_outbox_next(w->state, w->arena, place, &second, &one, NULL),
                     DR_OK);
    assert_int_equal(one.sha256[0], 2);
    assert_int_equal(dr_agent_state_outbox_done(w->state, one.sha256, NULL), DR_OK);
    assert_int_equal(dr_agent_state_outbox_next(w->state, w->arena, place, &second, &one, NULL),
                     DR_OK);
    assert_int_equal(second, 0);
    assert_int_equal(dr_agent_state_attest(w->state, &attest, NULL), DR_OK);
    assert_int_equal(attest.counter, 2);
    assert_int_equal(attest.epoch[0], 7);
    assert_int_equal(attest.previous[31], 2);
}

static void
commit_remembers_backup_and_record(void **state)
{
    struct world *w = *state;
    struct dr_agent_record record = {.position = 4};
    struct dr_agent_record found = {0};
    struct dr_bytes backup = {0};
    memset(record.ledger_head, 3, 32);
    struct dr_agent_change change = {.target = TARGET, .backup = text("backup"), .record = &record};
    assert_int_equal(dr_agent_state_record(w->state, TARGET, &found, NULL), DR_OK);
    assert_false(found.exists);
    assert_int_equal(dr_agent_state_commit(w->state, &change, NULL), DR_OK);
    reopen(w);
    assert_int_equal(dr_agent_state_record(w->state, TARGET, &found, NULL), DR_OK);
    assert_true(found.exists);
    assert_int_equal(found.position, 4);
    assert_int_equal(found.ledger_head[31], 3);
    assert_int_equal(dr_agent_state_backup(w->state, w->arena, TARGET, &backup, NULL), DR_OK);
    assert_memory_equal(backup.data, "backup", 6);
}

static void
open_refuses_the_state_of_a_newer_version(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    struct dr_sqlite *db = NULL;
    struct dr_agent_state *opened = NULL;
    struct dr_err err = {0};
    const struct dr_sqlite_options options = {.is_state = true};
    dr_agent_state_close(&w->state);
    dr_tmp_path(&w->tmp, DR_AGENT_STATE_FILE, path);
    assert_int_equal(dr_sqlite_open(path, &options, &db, NULL), DR_OK);
    assert_int_equal(dr_sqlite_script(db, "UPDATE meta SET value = 99 WHERE key = 'version'", NULL),
                     DR_OK);
    dr_sqlite_close(&db);
    assert_int_equal(dr_agent_state_open(w->tmp.path, &opened, &err), DR_E_AGENT_STATE_NEWER);
    assert_non_null(strstr(err.message, "99"));
}

static void
open_refuses_a_file_that_is_no_database(void **state)
{
    struct world *w = *state;
    char path[PATH_MAX];
    struct dr_agent_state *opened = NULL;
    struct dr_err err = {0};
    dr_agent_state_close(&w->state);
    dr_tmp_path(&w->tmp, DR_AGENT_STATE_FILE, path);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++) {
        (void)fputs("garbage ", file);
    }
    (void)fclose(file);
    assert_int_equal(dr_agent_state_open(w->tmp.path, &opened, &err), DR_E_AGENT_STATE);
    assert_null(opened);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(take_keeps_a_task_over_a_restart_and_knows_it_again),
        TEST(take_lets_a_newer_prepare_replace_a_waiting_one_but_no_bundle),
        TEST(take_drops_the_oldest_when_too_much_waits),
        TEST(take_refuses_a_body_that_is_too_large),
        TEST(after_seq_follows_a_coordinator_that_counts_anew),
        TEST(drop_foreign_leaves_the_tasks_of_own_targets),
        TEST(ready_stays_open_over_a_restart_until_it_is_consumed),
        TEST(consume_refuses_a_ready_that_is_not_the_open_one),
        TEST(consume_refuses_an_approval_that_was_used),
        TEST(disarm_by_another_process_stops_the_next_consume),
        TEST(disarm_of_one_target_leaves_the_others),
        TEST(commit_keeps_attestations_in_order_until_they_are_delivered),
        TEST(commit_remembers_backup_and_record),
        TEST(open_refuses_the_state_of_a_newer_version),
        TEST(open_refuses_a_file_that_is_no_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
