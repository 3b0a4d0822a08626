// The engine's contract: who may run, and what a run refuses before its first write. Every test
// runs on both drivers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

#include <poll.h>
#include <unistd.h>

// ------------------------------------------------------------------------------------ who may run

// id: S23
static void
second_runner_is_told_that_the_database_is_locked(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    char gate[PATH_MAX], value[PATH_MAX + 64];
    (void)dr_tmp_file(&e->tmp, "gate", "", 0600, gate);
    (void)snprintf(value, sizeof value, "engine-locked=pause:%s", gate);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT", value, 1);
        e->options.lock_wait_ms = 60000;
        enum dr_rc rc = env_up(e, p);
        _exit(rc == DR_OK ? 0 : 1);
    }
    // The child waits at the gate with the lock held; until it has it, we would get it, so look for
    // it.
    bool was_locked = false;
    struct dr_engine *engine = NULL;
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    const uint8_t never[32] = {1};
    job.expect_head = never; // what is not locked out is refused here, and runs nothing
    // Between two looks the child must find the lock free, however slowly it polls.
    for (int i = 0; i < 60 && !was_locked; i++) {
        (void)poll(NULL, 0, 400);
        enum dr_rc rc = dr_engine_run(engine, &job, e->arena, &e->result, &e->err);
        was_locked = rc == DR_E_LOCKED;
    }
    dr_engine_close(&engine);
    assert_true(was_locked);
    assert_int_equal(unlink(gate), 0);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_head(e, "three");
    tp_free(p);
}

// What an agent finds at `begin`, and what it answers.
struct answer {
    enum dr_rc rc;
    bool has_key_a, saw_key_b;
    bool was_asked;
};

static enum dr_rc
answer(void *arg, const struct dr_engine_state *found, struct dr_err *err)
{
    struct answer *a = arg;
    a->was_asked = true;
    a->has_key_a = found->has_key_a;
    a->saw_key_b = found->saw_key_b;
    return a->rc == DR_OK ? DR_OK : dr_err_set(err, a->rc, "not now");
}

// An agent with `key` begins a run of `p` that has nothing to run, and owns the ledger after it.
static enum dr_rc
own_it(struct env *e, struct tp_plan *p, const uint8_t key[32], bool take_over, enum dr_rc says)
{
    struct answer a = {.rc = says};
    struct dr_engine *engine = NULL;
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__DOWN);
    job.owns = true;
    job.take_over = take_over;
    job.begin = answer;
    job.begin_arg = &a;
    e->options.url = e->url;
    e->options.owner = "agent-7";
    e->options.owner_key = key;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    enum dr_rc rc = dr_engine_run(engine, &job, e->arena, &e->result, &e->err);
    dr_engine_close(&engine);
    assert_true(!a.was_asked || (a.has_key_a && a.saw_key_b));
    return rc;
}

static void
ledger_changes_hands_only_after_the_new_owner_has_agreed(void **state)
{
    struct env *e = *state;
    static const uint8_t key[32] = {7}, other[32] = {8};
    struct tp_plan *p = make(e, chain, 1);
    assert_int_equal(own_it(e, p, key, false, DR_E_STATE_CHANGED), DR_E_STATE_CHANGED);
    assert_false(env_state(e).has_ledger);
    assert_ok(e, own_it(e, p, key, false, DR_OK));
    assert_int_equal(own_it(e, p, other, false, DR_OK), DR_E_LEDGER_OWNED);
    assert_int_equal(own_it(e, p, other, true, DR_E_STATE_CHANGED), DR_E_STATE_CHANGED);
    assert_memory_equal(env_state(e).owner_key, key, 32);
    assert_ok(e, own_it(e, p, other, true, DR_OK));
    assert_memory_equal(env_state(e).owner_key, other, 32);
    tp_free(p);
}

static void
ledger_of_an_agent_is_refused_in_direct_mode(void **state)
{
    struct env *e = *state;
    static const uint8_t key[32] = {7}, other[32] = {8};
    struct tp_plan *p = make(e, chain, 1);
    assert_ok(e, own_it(e, p, key, false, DR_OK));
    e->options.owner_key = other;
    assert_int_equal(env_up(e, p), DR_E_LEDGER_OWNED);
    e->options.owner = NULL;
    e->options.owner_key = NULL;
    assert_int_equal(env_up(e, p), DR_E_LEDGER_OWNED);
    assert_non_null(strstr(e->err.message, "agent-7"));
    assert_false(env_has_table(e, "a"));
    e->options.owner = "agent-7";
    e->options.owner_key = key;
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_state(e).owner, "agent-7");
    tp_free(p);
}

static void
newer_ledger_is_refused(void **state)
{
    struct env *e = *state;
    char sql[128];
    struct tp_plan *p = make(e, chain, 1);
    assert_ok(e, env_up(e, p));
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET value = '2' WHERE key = 'version'",
                   env_ledger_table(e, "meta"));
    env_sql(e, sql);
    assert_int_equal(env_up(e, p), DR_E_LEDGER_NEWER);
    tp_free(p);
}

static void
changed_ledger_is_noticed(void **state)
{
    struct env *e = *state;
    static const struct {
        const char *verb, *rest;
    } changes[] = {{"UPDATE", "SET plan_sha256 = approval_sha256 WHERE position = 2"},
                   {"DELETE FROM", "WHERE position = 2"},
                   {"DELETE FROM", "WHERE position = 3"},
                   {"UPDATE", "SET revision_id = 'one' WHERE position = 3"}};
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        char sql[256];
        struct tp_plan *p = make(e, chain, 2), *all = make(e, chain, 3);
        assert_ok(e, env_up(e, p));
        (void)snprintf(sql, sizeof sql, "%s %s %s", changes[i].verb, env_ledger_table(e, "ledger"),
                       changes[i].rest);
        env_sql(e, sql);
        assert_int_equal(env_up(e, all), DR_E_LEDGER_TAMPERED);
        assert_false(env_has_table(e, "c_id"));
        tp_free(all);
        tp_free(p);
        Drover__V1__Engine engine = e->engine;
        env_stop(e);
        env_start(e, engine);
    }
}

static void
changed_list_of_revisions_is_noticed(void **state)
{
    struct env *e = *state;
    char sql[256];
    struct tp_plan *p = make(e, chain, 2), *all = make(e, chain, 3);
    assert_ok(e, env_up(e, p));
    (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id = 'two'",
                   env_ledger_table(e, "revision"));
    env_sql(e, sql);
    assert_int_equal(env_up(e, all), DR_E_LEDGER_TAMPERED);
    assert_non_null(strstr(e->err.message, "'two'"));
    tp_free(all);
    tp_free(p);
}

static void
target_that_moved_since_it_was_looked_at_is_refused(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 1), *all = make(e, chain, 3);
    struct dr_engine_state before = env_state(e);
    struct dr_engine_job job = tp_job(all, DROVER__V1__MODE__UP);
    assert_ok(e, env_up(e, p));
    job.expect_head = before.ledger_head;
    assert_int_equal(env_run_job(e, &job), DR_E_STATE_CHANGED);
    job.expect_head = NULL;
    job.expect_fingerprint = before.fingerprint;
    assert_int_equal(env_run_job(e, &job), DR_E_STATE_CHANGED);
    struct dr_engine_state now = env_state(e);
    job.expect_head = now.ledger_head;
    job.expect_fingerprint = now.fingerprint;
    assert_ok(e, env_run_job(e, &job));
    tp_free(all);
    tp_free(p);
}

static enum dr_rc
refuse(void *arg, const struct dr_engine_state *found, struct dr_err *err)
{
    *(uint64_t *)arg += 1 + found->position;
    return dr_err_set(err, DR_E_PERMISSION, "not now");
}

static void
caller_may_refuse_before_the_first_write(void **state)
{
    struct env *e = *state;
    uint64_t calls = 0;
    struct tp_plan *p = make(e, chain, 3);
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    job.begin = refuse;
    job.begin_arg = &calls;
    assert_int_equal(env_run_job(e, &job), DR_E_PERMISSION);
    assert_int_equal(calls, 1);
    assert_false(env_has_table(e, "a"));
    assert_false(env_state(e).has_ledger);
    tp_free(p);
}

static void
cancel_in_two(void *arg, const struct dr_engine_progress *p)
{
    if (strcmp(p->revision_id, "two") == 0) {
        assert_int_equal(write(*(int *)arg, "x", 1), 1);
    }
}

static void
cancelled_run_leaves_a_true_state(void **state)
{
    struct env *e = *state;
    static const struct tp_revision pg[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)", "SELECT pg_sleep(60)")}}};
    static const struct tp_revision sqlite[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP(
             "CREATE TABLE b (id integer)",
             "INSERT INTO b WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
             " count(*) FROM n")}}};
    struct tp_plan *p = make(e, env_is_pg(e) ? pg : sqlite, 2);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    e->options.cancel_fd = fds[0];
    e->options.progress = cancel_in_two;
    e->options.progress_arg = &fds[1];
    assert_int_equal(env_up(e, p), DR_E_INTERRUPTED);
    e->options = (struct dr_engine_options){0};
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_int_equal(e->result.units_count, 1);
    assert_false(env_has_table(e, "b"));
    assert_head(e, "one");
    tp_free(p);
}

// id: C23
static void
unit_at_hand_may_end_within_the_grace_period(void **state)
{
    struct env *e = *state;
    static const struct tp_revision pg[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)", "SELECT pg_sleep(0.6)")}},
        {.id = "three", .parents = {"two"}, .sections = {TP_UP("CREATE TABLE c (id integer)")}}};
    static const struct tp_revision sqlite[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP(
             "CREATE TABLE b (id integer)",
             "INSERT INTO b WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT"
             " 2000000) SELECT count(*) FROM n")}},
        {.id = "three", .parents = {"two"}, .sections = {TP_UP("CREATE TABLE c (id integer)")}}};
    struct tp_plan *p = make(e, env_is_pg(e) ? pg : sqlite, 3);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    e->options.stop_fd = fds[0];
    e->options.stop_grace_ms = 30000;
    e->options.progress = cancel_in_two;
    e->options.progress_arg = &fds[1];
    assert_int_equal(env_up(e, p), DR_E_INTERRUPTED);
    e->options = (struct dr_engine_options){0};
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(e->result.units_count, 2);
    assert_head(e, "two");
    assert_true(env_has_table(e, "b"));
    assert_false(env_has_table(e, "c"));
    assert_ok(e, env_up(e, p));
    assert_head(e, "three");
    tp_free(p);
}

// id: C23
static void
unit_that_outlasts_the_grace_period_is_taken_back(void **state)
{
    struct env *e = *state;
    static const struct tp_revision pg[] = {
        {.id = "two", .sections = {TP_UP("CREATE TABLE b (id integer)", "SELECT pg_sleep(60)")}}};
    static const struct tp_revision sqlite[] = {
        {.id = "two",
         .sections = {TP_UP(
             "CREATE TABLE b (id integer)",
             "INSERT INTO b WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"
             " count(*) FROM n")}}};
    struct tp_plan *p = make(e, env_is_pg(e) ? pg : sqlite, 1);
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    e->options.stop_fd = fds[0];
    e->options.stop_grace_ms = 400;
    e->options.progress = cancel_in_two;
    e->options.progress_arg = &fds[1];
    assert_int_equal(env_up(e, p), DR_E_INTERRUPTED);
    assert_non_null(strstr(e->err.message, "400 ms"));
    e->options = (struct dr_engine_options){0};
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_false(env_has_table(e, "b"));
    assert_head(e, NULL);
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(second_runner_is_told_that_the_database_is_locked),
        BOTH(ledger_changes_hands_only_after_the_new_owner_has_agreed),
        BOTH(ledger_of_an_agent_is_refused_in_direct_mode),
        BOTH(newer_ledger_is_refused),
        BOTH(changed_ledger_is_noticed),
        BOTH(changed_list_of_revisions_is_noticed),
        BOTH(target_that_moved_since_it_was_looked_at_is_refused),
        BOTH(caller_may_refuse_before_the_first_write),
        BOTH(cancelled_run_leaves_a_true_state),
        BOTH(unit_at_hand_may_end_within_the_grace_period),
        BOTH(unit_that_outlasts_the_grace_period_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
