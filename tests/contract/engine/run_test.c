// The engine's contract: up, down, stamp and prove, and what failures leave. Every test runs on
// both drivers.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

#include <poll.h>
#include <unistd.h>

// ------------------------------------------------------------------------------------- up and down

// id: C1
static void
upgrade_does_every_unit_once_and_names_the_head(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.outcome, DR_ENGINE_DONE);
    assert_int_equal(e->result.units_count, 4);
    assert_int_equal(e->result.heads_count, 1);
    assert_string_equal(e->result.heads[0].id, "three");
    assert_int_equal(e->result.position, 4);
    assert_true(env_has_table(e, "a") && env_has_table(e, "b") && env_has_table(e, "c_id"));
    assert_int_equal(env_done_rows(e, "two", 1), 2);
    assert_head(e, "three");
    tp_free(p);
}

// id: V12
static void
second_upgrade_does_nothing(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_up(e, p));
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.outcome, DR_ENGINE_NOTHING);
    assert_int_equal(e->result.units_count, 0);
    assert_int_equal(e->result.position, 4);
    assert_string_equal(e->result.heads[0].id, "three");
    tp_free(p);
}

// id: C4
static void
downgrade_goes_back_and_upgrade_comes_again(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3), *last = tp_make_after(e->engine, chain + 2, 1, p);
    struct dr_engine_state empty = env_state(e);
    assert_ok(e, env_up(e, p));
    assert_ok(e, env_down(e, last));
    assert_head(e, "two");
    assert_false(env_has_table(e, "c_id"));
    assert_ok(e, env_down(e, p));
    struct dr_engine_state after = env_state(e);
    assert_int_equal(after.heads_count, 0);
    assert_memory_equal(after.fingerprint, empty.fingerprint, 32);
    assert_ok(e, env_up(e, p));
    assert_head(e, "three");
    tp_free(last);
    tp_free(p);
}

static void
merge_makes_one_head_of_two(void **state)
{
    struct env *e = *state;
    static const struct tp_revision tree[] = {
        {.id = "root", .sections = {TP_UP("CREATE TABLE t (id integer)"), TP_DOWN("DROP TABLE t")}},
        {.id = "left",
         .parents = {"root"},
         .sections = {TP_UP("CREATE TABLE l (id integer)"), TP_DOWN("DROP TABLE l")}},
        {.id = "right",
         .parents = {"root"},
         .sections = {TP_UP("CREATE TABLE r (id integer)"), TP_DOWN("DROP TABLE r")}},
        {.id = "merge", .parents = {"left", "right"}},
    };
    struct tp_plan *branches = make(e, tree, 3), *p = make(e, tree, 4);
    assert_ok(e, env_up(e, branches));
    assert_int_equal(env_state(e).heads_count, 2);
    assert_ok(e, env_up(e, p));
    assert_head(e, "merge");
    struct tp_plan *last = tp_make_after(e->engine, tree + 3, 1, p);
    assert_ok(e, env_down(e, last));
    assert_int_equal(env_state(e).heads_count, 2);
    tp_free(last);
    tp_free(p);
    tp_free(branches);
}

// id: C13
static void
stamp_records_without_running(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__STAMP));
    assert_false(env_has_table(e, "a"));
    assert_head(e, "three");
    tp_free(p);
}

// id: G3
static void
prove_runs_up_down_up_and_compares(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__PROVE));
    assert_true(e->result.proved);
    assert_int_equal(e->result.units_count, 12);
    assert_head(e, "three");
    tp_free(p);
}

static void
prove_notices_a_down_that_forgets(void **state)
{
    struct env *e = *state;
    static const struct tp_revision forgets[] = {
        {.id = "one",
         .sections = {
             TP_UP("CREATE TABLE IF NOT EXISTS a (id integer)", "CREATE TABLE b (id integer)"),
             TP_DOWN("DROP TABLE b")}}};
    struct tp_plan *p = make(e, forgets, 1);
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__PROVE));
    assert_false(e->result.proved);
    tp_free(p);
}

static void
prove_takes_back_only_what_comes_after_a_revision_without_a_way_back(void **state)
{
    static const struct tp_revision one_way[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a")}},
        {.id = "two",
         .parents = {"one"},
         .no_down = true,
         .sections = {TP_UP("CREATE TABLE b (id integer)")}},
        {.id = "three",
         .parents = {"two"},
         .sections = {TP_UP("CREATE TABLE c (id integer)"), TP_DOWN("DROP TABLE c")}}};
    struct env *e = *state;
    struct tp_plan *p = make(e, one_way, 3), *stuck = make(e, one_way, 2);
    assert_int_equal(env_run(e, stuck, DROVER__V1__MODE__PROVE), DR_E_NO_DOWN);
    assert_false(env_has_table(e, "a")); // it is known before anything runs
    assert_ok(e, env_run(e, p, DROVER__V1__MODE__PROVE));
    assert_true(e->result.proved);
    assert_int_equal(e->result.fixed_units, 2);
    assert_int_equal(e->result.units_count, 5);
    assert_int_equal(e->result.fixed_heads_count, 1);
    assert_string_equal(e->result.fixed_heads[0].id, "two");
    assert_memory_equal(e->result.fingerprint_fixed, e->result.fingerprint_down, 32);
    assert_memory_not_equal(e->result.fingerprint_fixed, e->result.fingerprint_before, 32);
    assert_true(env_has_table(e, "c"));
    assert_head(e, "three");
    tp_free(stuck);
    tp_free(p);
}

// ---------------------------------------------------------------------------------------- failures

// id: T3
static void
failing_statement_takes_its_whole_unit_back(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)", "INSERT INTO nowhere VALUES (1)"),
                      TP_DOWN("DROP TABLE b")}}};
    struct tp_plan *p = make(e, bad, 2);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_string_equal(e->result.failed_revision, "two");
    assert_non_null(strstr(e->err.message, "nowhere"));
    assert_int_equal(e->err.line, 4);
    assert_string_equal(e->err.file, "two");
    if (env_is_pg(e)) {
        assert_string_equal(e->result.sqlstate, "42P01");
        assert_int_equal(e->err.column, 13);
    }
    assert_int_equal(e->result.units_count, 1);
    assert_true(env_has_table(e, "a"));
    assert_false(env_has_table(e, "b"));
    assert_head(e, "one");
    tp_free(p);
}

// id: T1
static void
run_goes_on_after_the_unit_that_failed(void **state)
{
    struct env *e = *state;
    static const struct tp_revision bad[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_UP("CREATE TABLE x (id integer)")}}};
    struct tp_plan *p = make(e, bad, 1);
    env_sql(e, "CREATE TABLE x (id integer)");
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    struct dr_engine_state s = env_state(e);
    assert_true(s.is_partial);
    assert_int_equal(s.heads_count, 0);
    assert_int_equal(s.ledger.units_count, 1);
    env_sql(e, "DROP TABLE x");
    assert_ok(e, env_up(e, p));
    assert_int_equal(e->result.units_count, 1);
    assert_false(env_state(e).is_partial);
    assert_int_equal(env_done_rows(e, "one", 1), 2);
    tp_free(p);
}

static void
forbidden_statement_is_refused_before_anything_runs(void **state)
{
    struct env *e = *state;
    static const char *const texts[] = {"COMMIT",
                                        "/* x */ -- y\n rollback",
                                        "BEGIN",
                                        "SAVEPOINT s",
                                        "CREATE TABLE y (id integer); COMMIT",
                                        "END"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        const struct tp_revision bad[] = {
            {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)")}},
            {.id = "two", .parents = {"one"}, .sections = {TP_UP(texts[i])}}};
        struct tp_plan *p = make(e, bad, 2);
        enum dr_rc rc = env_up(e, p);
        if (rc != DR_E_FORBIDDEN_STATEMENT && rc != DR_E_PLAN_MISMATCH) {
            fail_msg("'%s' gave %s: %s", texts[i], dr_rc_name(rc), e->err.message);
        }
        assert_false(env_has_table(e, "a"));
        tp_free(p);
    }
}

static void
file_with_other_bytes_is_refused(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    p->files[1][0] ^= 1;
    assert_int_equal(env_up(e, p), DR_E_FILE_DIGEST);
    assert_false(env_has_table(e, "a"));
    tp_free(p);
}

static void
changed_revision_and_missing_parent_are_refused(void **state)
{
    struct env *e = *state;
    static const struct tp_revision other[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE z (id integer)")}}};
    struct tp_plan *p = make(e, chain, 1), *q = make(e, other, 1), *far = make(e, chain + 2, 1);
    assert_ok(e, env_up(e, p));
    assert_int_equal(env_up(e, q), DR_E_REVISION_CHANGED);
    assert_int_equal(env_up(e, far), DR_E_NOT_CONTIGUOUS);
    tp_free(far);
    tp_free(q);
    tp_free(p);
}

static void
revision_with_children_or_without_a_way_back_stays(void **state)
{
    struct env *e = *state;
    static const struct tp_revision one_way[] = {
        {.id = "one", .no_down = true, .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_DOWN("DROP TABLE b")}}};
    struct tp_plan *p = make(e, one_way, 2), *first = make(e, one_way, 1);
    assert_ok(e, env_up(e, p));
    assert_int_equal(env_down(e, p), DR_E_NO_DOWN);
    struct tp_plan *q = make(e, chain, 1);
    (void)q;
    assert_true(env_has_table(e, "b"));
    assert_int_equal(env_down(e, first), DR_E_NO_DOWN);
    tp_free(q);
    tp_free(first);
    tp_free(p);
}

static void
parent_of_an_applied_revision_cannot_go_first(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 2), *first = make(e, chain, 1);
    assert_ok(e, env_up(e, p));
    assert_int_equal(env_down(e, first), DR_E_NOT_CONTIGUOUS);
    assert_true(env_has_table(e, "a"));
    tp_free(first);
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(upgrade_does_every_unit_once_and_names_the_head),
        BOTH(second_upgrade_does_nothing),
        BOTH(downgrade_goes_back_and_upgrade_comes_again),
        BOTH(merge_makes_one_head_of_two),
        BOTH(stamp_records_without_running),
        BOTH(prove_runs_up_down_up_and_compares),
        BOTH(prove_notices_a_down_that_forgets),
        BOTH(prove_takes_back_only_what_comes_after_a_revision_without_a_way_back),
        BOTH(failing_statement_takes_its_whole_unit_back),
        BOTH(run_goes_on_after_the_unit_that_failed),
        BOTH(forbidden_statement_is_refused_before_anything_runs),
        BOTH(file_with_other_bytes_is_refused),
        BOTH(changed_revision_and_missing_parent_are_refused),
        BOTH(revision_with_children_or_without_a_way_back_stays),
        BOTH(parent_of_an_applied_revision_cannot_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
