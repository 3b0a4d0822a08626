// What is particular to SQLite: table rebuilds with foreign keys, a busy application, a file that
// is replaced.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>

#include "support/engine_env.h"

static struct env env;

static int
start(void **state)
{
    env_start(&env, DROVER__V1__ENGINE__SQLITE);
    *state = &env;
    return 0;
}

static int
stop(void **state)
{
    env_stop(*state);
    return 0;
}

static const struct tp_revision rebuild[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE p (id INTEGER PRIMARY KEY, n TEXT)",
                        "CREATE TABLE c (p INTEGER REFERENCES p (id) ON DELETE CASCADE)",
                        "INSERT INTO p VALUES (1, '5')", "INSERT INTO c VALUES (1)"),
                  TP_DOWN("DROP TABLE c", "DROP TABLE p")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("PRAGMA foreign_keys=off",
                        "CREATE TABLE p_new (id INTEGER PRIMARY KEY, n INTEGER)",
                        "INSERT INTO p_new SELECT id, CAST(n AS INTEGER) FROM p", "DROP TABLE p",
                        "ALTER TABLE p_new RENAME TO p"),
                  TP_VERIFY("SELECT count(*) = 1 FROM c", "SELECT typeof(n) = 'integer' FROM p")}},
};

static void
rebuild_keeps_the_rows_of_the_children(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = tp_make(e->engine, rebuild, 2);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM c"), "1");
    assert_string_equal(
        env_ask(e, "SELECT sql LIKE '%REFERENCES p %' FROM sqlite_master WHERE name = 'c'"), "1");
    tp_free(p);
}

// id: L06
static void
rebuild_that_loses_a_parent_row_is_taken_back(void **state)
{
    struct env *e = *state;
    struct tp_revision bad[2];
    memcpy(bad, rebuild, sizeof bad);
    bad[1].sections[0].statements[2] = "INSERT INTO p_new SELECT id, n FROM p WHERE id <> 1";
    bad[1].sections[1] = (struct tp_section){0};
    struct tp_plan *p = tp_make(e->engine, bad, 2);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_non_null(strstr(e->err.message, "foreign key"));
    assert_string_equal(env_ask(e, "SELECT n FROM p"), "5");
    assert_string_equal(env_state(e).heads[0].id, "one");
    tp_free(p);
}

static void
rebuild_that_loses_a_trigger_or_an_index_is_taken_back(void **state)
{
    struct env *e = *state;
    static const char *const things[] = {
        "CREATE TRIGGER p_guard AFTER INSERT ON p BEGIN DELETE FROM p WHERE n = ''; END",
        "CREATE INDEX p_guard ON p (n)"};
    for (size_t i = 0; i < DR_COUNT_OF(things); i++) {
        struct tp_revision kept[2];
        memcpy(kept, rebuild, sizeof kept);
        kept[0].sections[0].statements[4] = things[i];
        struct tp_plan *p = tp_make(e->engine, kept, 2);
        assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
        assert_non_null(strstr(e->err.message, "'p_guard'"));
        assert_string_equal(env_ask(e, "SELECT count(*) FROM sqlite_master WHERE name = 'p_guard'"),
                            "1");
        assert_head(e, "one");
        tp_free(p);
        kept[1].sections[0].statements[5] = things[i];
        p = tp_make(e->engine, kept, 2);
        assert_ok(e, env_up(e, p));
        assert_string_equal(env_ask(e, "SELECT count(*) FROM sqlite_master WHERE name = 'p_guard'"),
                            "1");
        assert_string_equal(env_ask(e, "SELECT count(*) FROM c"), "1");
        tp_free(p);
        env_stop(e);
        env_start(e, DROVER__V1__ENGINE__SQLITE);
    }
}

static void
rebuild_keeps_views_and_works_beside_a_write_ahead_log(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = tp_make(e->engine, rebuild, 1);
    env_sql(e, "PRAGMA journal_mode = WAL");
    assert_ok(e, env_up(e, p));
    tp_free(p);
    env_sql(e, "CREATE VIEW v AS SELECT p.n FROM p JOIN c ON c.p = p.id");
    p = tp_make(e->engine, rebuild, 2);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT n FROM v"), "5");
    assert_string_equal(env_ask(e, "PRAGMA journal_mode"), "wal");
    assert_string_equal(env_ask(e, "SELECT sql LIKE '%REFERENCES p (id) ON DELETE CASCADE%' FROM "
                                   "sqlite_master WHERE name = 'c'"),
                        "1");
    tp_free(p);
}

// Nothing cascades while foreign keys are off, but a trigger elsewhere may still take rows.
static void
rebuild_that_changes_the_number_of_child_rows_is_taken_back(void **state)
{
    struct env *e = *state;
    struct tp_revision bad[2];
    memcpy(bad, rebuild, sizeof bad);
    bad[1].sections[0].statements[5] = "INSERT INTO audit VALUES (1)";
    bad[1].sections[1] = (struct tp_section){0};
    struct tp_plan *p = tp_make(e->engine, rebuild, 1);
    assert_ok(e, env_up(e, p));
    tp_free(p);
    env_sql(e, "CREATE TABLE audit (id integer)");
    env_sql(e, "CREATE TRIGGER sweep AFTER INSERT ON audit BEGIN DELETE FROM c; END");
    p = tp_make(e->engine, bad, 2);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_non_null(strstr(e->err.message, "table 'c' has 0 rows instead of 1"));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM c"), "1");
    assert_string_equal(env_ask(e, "SELECT typeof(n) FROM p"), "text");
    assert_head(e, "one");
    tp_free(p);
    env_sql(e, "DROP TRIGGER sweep");
    p = tp_make(e->engine, bad, 2);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM c"), "1");
    tp_free(p);
}

static void
rebuild_works_with_a_rollback_journal_and_removes_it(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = tp_make(e->engine, rebuild, 2);
    char journal[600];
    env_sql(e, "PRAGMA journal_mode = DELETE");
    assert_ok(e, env_up(e, p));
    (void)snprintf(journal, sizeof journal, "%s-journal", e->url + strlen("sqlite:"));
    assert_int_not_equal(access(journal, F_OK), 0);
    assert_string_equal(env_ask(e, "PRAGMA journal_mode"), "delete");
    assert_string_equal(env_ask(e, "PRAGMA integrity_check"), "ok");
    tp_free(p);
}

static void
foreign_keys_hold_in_an_ordinary_unit(void **state)
{
    struct env *e = *state;
    struct tp_revision bad[2];
    memcpy(bad, rebuild, sizeof bad);
    bad[1] = (struct tp_revision){
        .id = "two", .parents = {"one"}, .sections = {TP_UP("INSERT INTO c VALUES (9)")}};
    struct tp_plan *p = tp_make(e->engine, bad, 2);
    assert_int_equal(env_up(e, p), DR_E_ENGINE_FAILED);
    assert_string_equal(env_ask(e, "SELECT count(*) FROM c"), "1");
    tp_free(p);
}

// id: L02
static void
statements_that_reach_out_are_refused(void **state)
{
    struct env *e = *state;
    static const char *const texts[] = {"ATTACH 'other.db' AS o", "DELETE FROM drover_ledger",
                                        "PRAGMA writable_schema = on", "SELECT load_extension('x')",
                                        "PRAGMA journal_mode = off"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        const struct tp_revision r[] = {
            {.id = "one", .sections = {TP_UP("CREATE TABLE t (id integer)", texts[i])}}};
        struct tp_plan *p = tp_make(e->engine, r, 1);
        enum dr_rc rc = env_up(e, p);
        if (rc != DR_E_FORBIDDEN_STATEMENT && rc != DR_E_ENGINE_FAILED) {
            fail_msg("'%s' gave %s", texts[i], dr_rc_name(rc));
        }
        assert_true(!env_has_table(e, "t"));
        tp_free(p);
    }
}

// id: L04
static void
busy_application_is_waited_for(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = tp_make(e->engine, rebuild, 1);
    int ready[2];
    char byte;
    env_sql(e, "CREATE TABLE app (id integer)");
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct dr_sqlite *db = env_sqlite(e);
        struct dr_err err = {0};
        enum dr_rc rc = dr_sqlite_begin(db, &err);
        (void)!write(ready[1], "x", 1);
        (void)poll(NULL, 0, 400);
        rc = rc == DR_OK ? dr_sqlite_commit(db, &err) : rc;
        dr_sqlite_close(&db);
        _exit(rc == DR_OK ? 0 : 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_ok(e, env_up(e, p));
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
    tp_free(p);
}

// id: L07
static void
file_that_was_replaced_is_noticed(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = tp_make(e->engine, rebuild, 1);
    struct dr_engine *engine = NULL;
    char moved[PATH_MAX];
    env_sql(e, "CREATE TABLE app (id integer)");
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_int_equal(rename(e->url + 7, dr_tmp_path(&e->tmp, "old.db", moved)), 0);
    env_sql(e, "CREATE TABLE other (id integer)");
    struct dr_engine_job job = tp_job(p, DROVER__V1__MODE__UP);
    assert_int_equal(dr_engine_run(engine, &job, e->arena, &e->result, &e->err), DR_E_DB_IDENTITY);
    dr_engine_close(&engine);
    tp_free(p);
}

static void
id_of_the_file_is_made_by_the_first_run_and_stays(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = tp_make(e->engine, rebuild, 2), *first = tp_make(e->engine, rebuild, 1);
    assert_string_equal(env_state(e).identity.system_identifier, "");
    assert_ok(e, env_up(e, first));
    struct dr_engine_state before = env_state(e);
    assert_int_equal(strlen(before.identity.system_identifier), 32);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_state(e).identity.system_identifier, before.identity.system_identifier);
    tp_free(first);
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define ONE(name) cmocka_unit_test_setup_teardown(name, start, stop)
        ONE(rebuild_keeps_the_rows_of_the_children),
        ONE(rebuild_that_loses_a_parent_row_is_taken_back),
        ONE(rebuild_that_loses_a_trigger_or_an_index_is_taken_back),
        ONE(rebuild_keeps_views_and_works_beside_a_write_ahead_log),
        ONE(rebuild_that_changes_the_number_of_child_rows_is_taken_back),
        ONE(rebuild_works_with_a_rollback_journal_and_removes_it),
        ONE(foreign_keys_hold_in_an_ordinary_unit),
        ONE(statements_that_reach_out_are_refused),
        ONE(busy_application_is_waited_for),
        ONE(file_that_was_replaced_is_noticed),
        ONE(id_of_the_file_is_made_by_the_first_run_and_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
