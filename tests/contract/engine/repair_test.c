// The engine's contract: what a half-done revision is, which ways lead out of it, and what a person
// who mended it by hand may record. Every test runs on both drivers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/repair.h"
#include "engine/scratch.h"
#include "support/engine_env.h"

#include <poll.h>

// "two" fails in its second unit: the first one stays.
static const struct tp_revision half[] = {
    {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_UP("INSERT INTO missing VALUES (1)"),
                  TP_DOWN("DROP TABLE IF EXISTS missing"), TP_DOWN("DROP TABLE b")}},
};

static struct dr_repair
look(struct env *e, struct tp_plan *p)
{
    struct dr_engine *engine = NULL;
    struct dr_repair r = {0};
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    e->err = (struct dr_err){0};
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_ok(e, dr_engine_repair(engine, &job, e->arena, &r, &e->err));
    dr_engine_close(&engine);
    return r;
}

static struct tp_plan *
leave_half(struct env *e)
{
    struct tp_plan *p = make(e, half, 2);
    assert_int_not_equal(env_up(e, p), DR_OK);
    return p;
}

static void
whole_target_needs_no_repair(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_false(look(e, p).is_needed);
    assert_ok(e, env_up(e, p));
    struct dr_repair r = look(e, p);
    assert_false(r.is_needed);
    assert_int_equal(r.units_count, 0);
    tp_free(p);
}

static void
half_done_revision_is_told_unit_by_unit(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = leave_half(e);
    struct dr_repair r = look(e, p);
    assert_true(r.is_needed);
    assert_string_equal(r.held_by, "");
    assert_int_equal(r.units_count, 2);
    assert_string_equal(r.units[0].revision_id, "two");
    assert_int_equal(r.units[0].kind, DR_REPAIR_DONE);
    assert_true(r.units[0].finished > 0);
    assert_int_equal(r.units[1].kind, DR_REPAIR_OPEN);
    assert_int_equal(r.units[1].number, 2);
    assert_int_equal(r.units[1].total, 2);
    assert_string_equal(r.no_resume, "");
    assert_string_equal(r.no_reverse, "");
    tp_free(p);
}

static void
half_done_revision_is_reversed(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = leave_half(e);
    struct tp_plan *only = tp_make_after(e->engine, &half[1], 1, p);
    assert_ok(e, env_down(e, only));
    assert_false(env_has_table(e, "b"));
    assert_head(e, "one");
    assert_false(look(e, p).is_needed);
    tp_free(only);
    tp_free(p);
}

static void
half_done_revision_is_resumed_when_the_cause_is_gone(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = leave_half(e);
    env_sql(e, "CREATE TABLE missing (id integer)");
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.units_count, 1);
    assert_head(e, "two");
    tp_free(p);
}

static void
revision_without_a_way_back_cannot_be_reversed(void **state)
{
    struct env *e = *state;
    struct tp_revision stuck[] = {half[0], half[1]};
    stuck[1].no_down = true;
    struct tp_plan *p = make(e, stuck, 2);
    assert_int_not_equal(env_up(e, p), DR_OK);
    assert_non_null(strstr(look(e, p).no_reverse, "no way back"));
    tp_free(p);
}

static void
revision_on_its_way_down_can_only_be_finished(void **state)
{
    struct env *e = *state;
    static const struct tp_revision falls[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a"),
                      TP_DOWN("DROP TABLE missing")}}};
    struct tp_plan *p = make(e, falls, 1);
    assert_ok(e, env_up(e, p));
    assert_int_not_equal(env_down(e, p), DR_OK);
    struct dr_repair r = look(e, p);
    assert_true(r.is_needed);
    assert_int_equal(r.units[0].direction, DROVER__V1__MODE__DOWN);
    assert_int_equal(r.units[0].kind, DR_REPAIR_DONE);
    assert_int_equal(r.units[1].kind, DR_REPAIR_OPEN);
    assert_string_equal(r.no_resume, "");
    assert_non_null(strstr(r.no_reverse, "finish that first"));
    tp_free(p);
}

// id: C14
static void
stamp_completes_what_a_person_finished(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = leave_half(e);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__STAMP));
    assert_head(e, "two");
    assert_false(look(e, p).is_needed);
    tp_free(p);
}

// id: C14
static void
unstamp_records_what_a_person_undid(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = leave_half(e);
    struct tp_plan *only = tp_make_after(e->engine, &half[1], 1, p);
    env_sql(e, "DROP TABLE b");
    assert_ok(e, env_run(e, only, DROVER__V1__MODE__UNSTAMP));
    assert_head(e, "one");
    assert_false(look(e, p).is_needed);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__UNSTAMP));
    assert_true(env_has_table(e, "a"));
    assert_head(e, NULL);
    tp_free(only);
    tp_free(p);
}

// id: C14 T3
static void
stamp_brings_back_what_was_half_taken_down(void **state)
{
    struct env *e = *state;
    static const struct tp_revision falls[] = {
        {.id = "zero", .sections = {TP_UP("SELECT 1"), TP_DOWN("SELECT 1")}},
        {.id = "one",
         .parents = {"zero"},
         .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a"),
                      TP_DOWN("DROP TABLE missing")}}};
    struct tp_plan *p = make(e, falls, 2);
    assert_ok(e, env_up(e, p));
    assert_int_not_equal(env_down(e, p), DR_OK);
    env_sql(e, "CREATE TABLE a (id integer)");
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__STAMP));
    assert_head(e, "one"); // env_state checks every row: the ledger's list of heads is right
    env_sql(e, "CREATE TABLE missing (id integer)");
    assert_ok(e, env_down(e, p));
    assert_head(e, NULL);
    tp_free(p);
}

static void
runner_at_work_is_named_and_nothing_is_probed(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = leave_half(e);
    struct dr_engine *other = NULL;
    char gate[PATH_MAX], value[PATH_MAX + 64];
    (void)dr_tmp_file(&e->tmp, "gate", "", 0600, gate);
    (void)snprintf(value, sizeof value, "engine-unit-begin=pause:%s", gate);
    env_sql(e, "CREATE TABLE missing (id integer)");
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT", value, 1);
        e->options.lock_wait_ms = 60000;
        _exit(env_up(e, p) == DR_OK ? 0 : 1);
    }
    bool was_held = false;
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &other, &e->err));
    for (int i = 0; i < 100 && !was_held; i++) {
        struct dr_repair r = {0};
        (void)poll(NULL, 0, 300); // between two looks the child must find the lock free
        assert_ok(e, dr_engine_repair(other, &job, e->arena, &r, &e->err));
        was_held = r.held_by[0] != '\0';
        assert_true(r.is_needed);
    }
    dr_engine_close(&other);
    assert_true(was_held);
    assert_int_equal(unlink(gate), 0);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_head(e, "two");
    tp_free(p);
}

static void
scratch_gives_the_schema_that_a_chain_makes(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    struct dr_scratch scratch = {0};
    struct dr_engine_state expected = {0};
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    assert_ok(e, dr_scratch_open(e->url, NULL, &scratch, &e->err));
    assert_ok(e, dr_scratch_build(&scratch, &job, NULL, NULL, e->arena, &expected, &e->err));
    // Used once: what is in it would count as the chain's.
    assert_int_equal(dr_scratch_build(&scratch, &job, NULL, NULL, e->arena, &expected, &e->err),
                     DR_E_EXISTS);
    dr_scratch_close(&scratch);
    e->err = (struct dr_err){0};
    assert_ok(e, env_up(e, p));
    assert_memory_equal(env_state(e).fingerprint, expected.fingerprint, 32);
    if (env_is_pg(e)) {
        assert_string_equal(
            env_ask(e, "SELECT count(*) FROM pg_database WHERE datname LIKE 'drover_scratch%'"),
            "0");
    }
    tp_free(p);
}

static void
difference_is_named_by_both_sides(void **state)
{
    (void)state;
    uint8_t a[32] = {1}, b[32] = {2}, ab[32], ba[32], again[32];
    dr_repair_difference(a, b, ab);
    dr_repair_difference(b, a, ba);
    dr_repair_difference(a, b, again);
    assert_memory_not_equal(ab, ba, 32);
    assert_memory_equal(ab, again, 32);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(whole_target_needs_no_repair),
        BOTH(half_done_revision_is_told_unit_by_unit),
        BOTH(half_done_revision_is_reversed),
        BOTH(half_done_revision_is_resumed_when_the_cause_is_gone),
        BOTH(revision_without_a_way_back_cannot_be_reversed),
        BOTH(revision_on_its_way_down_can_only_be_finished),
        BOTH(stamp_completes_what_a_person_finished),
        BOTH(unstamp_records_what_a_person_undid),
        BOTH(stamp_brings_back_what_was_half_taken_down),
        BOTH(runner_at_work_is_named_and_nothing_is_probed),
        BOTH(scratch_gives_the_schema_that_a_chain_makes),
        cmocka_unit_test(difference_is_named_by_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
