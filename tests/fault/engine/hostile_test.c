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

static const struct {
    const char *name;
    const char *statements[4];
} traps[] = {
    {"a rule that swallows rows", {"CREATE RULE t AS ON INSERT TO drover.ledger DO INSTEAD NOTHING"}},
    {"a rule that swallows revisions",
     {"CREATE RULE t AS ON INSERT TO drover.revision DO INSTEAD NOTHING"}},
    {"a trigger that swallows rows",
     {"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
      "CREATE TRIGGER t BEFORE INSERT ON drover.ledger FOR EACH ROW EXECUTE FUNCTION f()"}},
    {"a trigger that changes rows",
     {"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.approval_sha256 = "
      "NEW.plan_sha256; RETURN NEW; END'",
      "CREATE TRIGGER t BEFORE INSERT ON drover.ledger FOR EACH ROW EXECUTE FUNCTION f()"}},
    {"a trigger that runs more",
     {"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DROP TABLE public.a; RETURN "
      "NULL; END'",
      "CREATE TRIGGER t AFTER INSERT ON drover.ledger FOR EACH STATEMENT EXECUTE FUNCTION f()"}},
    {"row security", {"ALTER TABLE drover.ledger ENABLE ROW LEVEL SECURITY",
      "ALTER TABLE drover.ledger FORCE ROW LEVEL SECURITY"}},
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
        for (size_t k = 0; k < 4 && traps[i].statements[k] != NULL; k++) {
            env_sql(e, traps[i].statements[k]);
        }
        enum dr_rc rc = env_up(e, both);
        print_message("%s: %s: %s (%d)\n", traps[i].name, dr_rc_name(rc), e->err.message, env_has_table(e, "b"));
    }
    tp_free(both);
    tp_free(first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(trap_on_the_ledger_is_refused_before_anything_runs,
                                        env_start_pg, env_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
