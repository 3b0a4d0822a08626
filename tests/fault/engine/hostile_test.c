// A database whose owner set traps around the ledger: rules, triggers and row security that swallow
// what is written to it. Nothing may run there, since nobody could tell afterwards what ran.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"

static const struct tp_revision two[] = {
    {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_DOWN("DROP TABLE b")}},
};

#define FUNCTION(body)                                                                             \
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN " body " END'"
#define TRIGGER(when) "CREATE TRIGGER t " when " EXECUTE FUNCTION f()"

static const struct {
    const char *statements[2];
    const char *named, *remedy, *rest;
} traps[] = {
    {{"CREATE RULE r AS ON INSERT TO drover.ledger DO INSTEAD NOTHING"},
     "rule \"r\" on drover.ledger",
     "DROP RULE r ON drover.ledger",
     NULL},
    {{"CREATE RULE r AS ON INSERT TO drover.revision DO INSTEAD NOTHING"},
     "rule \"r\" on drover.revision",
     "DROP RULE r ON drover.revision",
     NULL},
    // Swallows the row; changes it; does something else with the agent's rights.
    {{FUNCTION("RETURN NULL;"), TRIGGER("BEFORE INSERT ON drover.ledger FOR EACH ROW")},
     "trigger \"t\" on drover.ledger",
     "DROP TRIGGER t ON drover.ledger",
     NULL},
    {{FUNCTION("NEW.approval_sha256 = NEW.plan_sha256; RETURN NEW;"),
      TRIGGER("BEFORE INSERT ON drover.ledger FOR EACH ROW")},
     "trigger \"t\" on drover.ledger",
     "DROP TRIGGER t ON drover.ledger",
     NULL},
    {{FUNCTION("DROP TABLE public.a; RETURN NULL;"),
      TRIGGER("AFTER INSERT ON drover.ledger FOR EACH STATEMENT")},
     "trigger \"t\" on drover.ledger",
     "DROP TRIGGER t ON drover.ledger",
     NULL},
    {{"ALTER TABLE drover.ledger ENABLE ROW LEVEL SECURITY",
      "ALTER TABLE drover.ledger FORCE ROW LEVEL SECURITY"},
     "row security on drover.ledger",
     "ALTER TABLE drover.ledger DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY",
     NULL},
    {{"ALTER TABLE drover.revision RENAME TO kept",
      "CREATE VIEW drover.revision AS SELECT * FROM drover.kept"},
     "on drover.revision",
     "DROP VIEW drover.revision",
     "ALTER TABLE drover.kept RENAME TO revision"},
};

// id: S08
static void
trap_on_the_ledger_is_refused_before_anything_runs(void **state)
{
    struct env *e = *state;
    struct tp_plan *first = make(e, two, 1), *both = make(e, two, 2);
    for (size_t i = 0; i < DR_COUNT_OF(traps); i++) {
        (void)snprintf(e->url, sizeof e->url, "%s",
                       dr_pgcluster_new_database(dr_pgcluster_shared()));
        assert_ok(e, env_up(e, first));
        for (size_t k = 0; k < 2 && traps[i].statements[k] != NULL; k++) {
            env_sql(e, traps[i].statements[k]);
        }
        assert_int_equal(env_up(e, both), DR_E_LEDGER_TAMPERED);
        if (strstr(e->err.message, traps[i].named) == NULL) {
            fail_msg("%s: %s", traps[i].named, e->err.message);
        }
        assert_int_equal(e->result.units_count, 0);
        assert_false(env_has_table(e, "b"));
        assert_true(env_has_table(e, "a"));
        // A look, as for READY, says so too.
        struct dr_engine *engine = NULL;
        struct dr_engine_state s;
        assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
        assert_int_equal(dr_engine_read_state(engine, e->arena, true, true, &s, &e->err),
                         DR_E_LEDGER_TAMPERED);
        assert_int_equal(dr_engine_read_state(engine, e->arena, true, false, &s, &e->err),
                         DR_E_LEDGER_TAMPERED);
        assert_non_null(strstr(e->err.message, traps[i].named));
        dr_engine_close(&engine);
        env_sql(e, traps[i].remedy);
        if (traps[i].rest != NULL) {
            env_sql(e, traps[i].rest);
        }
        assert_ok(e, env_up(e, both));
    }
    tp_free(both);
    tp_free(first);
}

// An event trigger is the work of a superuser and sees DDL only; that it took a row of the ledger
// away is seen by the chain of the rows.
// id: S08
static void
event_trigger_that_changes_the_ledger_is_seen(void **state)
{
    struct env *e = *state;
    struct tp_plan *first = make(e, two, 1), *both = make(e, two, 2);
    (void)snprintf(e->url, sizeof e->url, "%s", dr_pgcluster_new_database(dr_pgcluster_shared()));
    assert_ok(e, env_up(e, first));
    env_sql(e, "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS "
               "'BEGIN UPDATE drover.ledger SET revision_id = ''x'' WHERE position = 1; END'");
    env_sql(e, "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f()");
    (void)env_up(e, both);
    env_sql(e, "DROP EVENT TRIGGER t");
    assert_int_equal(env_up(e, both), env_has_table(e, "b") ? DR_OK : DR_E_LEDGER_TAMPERED);
    struct dr_engine *engine = NULL;
    struct dr_engine_state s;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_int_equal(dr_engine_read_state(engine, e->arena, true, true, &s, &e->err),
                     DR_E_LEDGER_TAMPERED);
    dr_engine_close(&engine);
    tp_free(both);
    tp_free(first);
}

// id: S08
static void
trigger_on_the_ledger_of_a_sqlite_file_is_refused(void **state)
{
    struct env *e = *state;
    struct tp_plan *first = make(e, two, 1), *both = make(e, two, 2);
    assert_ok(e, env_up(e, first));
    env_sql(e, "CREATE TRIGGER t BEFORE INSERT ON drover_ledger BEGIN SELECT RAISE(IGNORE); END");
    assert_int_equal(env_up(e, both), DR_E_LEDGER_TAMPERED);
    assert_non_null(strstr(e->err.message, "trigger"));
    assert_false(env_has_table(e, "b"));
    struct dr_engine *engine = NULL;
    struct dr_engine_state s;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_int_equal(dr_engine_read_state(engine, e->arena, true, false, &s, &e->err),
                     DR_E_LEDGER_TAMPERED);
    dr_engine_close(&engine);
    env_sql(e, "DROP TRIGGER t");
    assert_ok(e, env_up(e, both));
    tp_free(both);
    tp_free(first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trap_on_the_ledger_is_refused_before_anything_runs,
                                        env_start_pg, env_end),
        cmocka_unit_test_setup_teardown(event_trigger_that_changes_the_ledger_is_seen, env_start_pg,
                                        env_end),
        cmocka_unit_test_setup_teardown(trigger_on_the_ledger_of_a_sqlite_file_is_refused,
                                        env_start_sqlite, env_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
