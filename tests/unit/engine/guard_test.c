// The guard refuses what would end a unit's transaction, however it is written, and lets ordinary
// SQL through.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/guard.h"

#include <string.h>

#define PG     DROVER__V1__ENGINE__POSTGRESQL
#define SQLITE DROVER__V1__ENGINE__SQLITE

static enum dr_rc
look(Drover__V1__Engine engine, const char *text, struct dr_guard_facts *facts, struct dr_err *err)
{
    struct dr_guard_facts unused;
    struct dr_err ignored;
    memset(&ignored, 0, sizeof ignored);
    return dr_guard_statement(engine, text, strlen(text), "file", 7,
                              facts == NULL ? &unused : facts, err == NULL ? &ignored : err);
}

// id: S02
static void
transaction_commands_are_refused_in_any_writing(void **state)
{
    (void)state;
    static const char *const texts[] = {"BEGIN",
                                        "begin;",
                                        "Start Transaction",
                                        "COMMIT AND CHAIN",
                                        "END",
                                        "ROLLBACK TO s",
                                        "ABORT",
                                        "SAVEPOINT x",
                                        "RELEASE x",
                                        "PREPARE TRANSACTION 'x'",
                                        "COMMIT PREPARED 'x'",
                                        "/* a /* b */ c */ commit",
                                        "-- x\nCOMMIT",
                                        "\"commit\"",
                                        "SELECT 1; COMMIT",
                                        "CREATE TABLE t (a text DEFAULT ';'); COMMIT"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        if (look(PG, texts[i], NULL, NULL) != DR_E_FORBIDDEN_STATEMENT) {
            fail_msg("'%s' went through", texts[i]);
        }
    }
}

// id: S03 S05
static void
copy_roles_and_what_reaches_further_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"COPY t FROM STDIN",
                                        "copy t to program 'sh'",
                                        "\\i other.sql",
                                        "SET ROLE x",
                                        "SET LOCAL ROLE x",
                                        "SET \"role\" = 'x'",
                                        "set session authorization x",
                                        "RESET ROLE",
                                        "DISCARD ALL",
                                        "CREATE DATABASE x",
                                        "ALTER SYSTEM SET a = b",
                                        "DELETE FROM drover.ledger",
                                        "DROP SCHEMA drover CASCADE",
                                        "UPDATE \"drover\".revision SET id = ''",
                                        "",
                                        "-- only a comment",
                                        "-- x\rCOMMIT -- y\n AND CHAIN",
                                        ";"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        if (look(PG, texts[i], NULL, NULL) != DR_E_FORBIDDEN_STATEMENT) {
            fail_msg("'%s' went through", texts[i]);
        }
    }
    static const char *const sqlite[] = {"ATTACH 'x' AS y", "DETACH y", "BEGIN IMMEDIATE",
                                         "DELETE FROM drover_ledger",
                                         "UPDATE [drover_meta] SET value = 1"};
    for (size_t i = 0; i < DR_COUNT_OF(sqlite); i++) {
        if (look(SQLITE, sqlite[i], NULL, NULL) != DR_E_FORBIDDEN_STATEMENT) {
            fail_msg("'%s' went through", sqlite[i]);
        }
    }
}

static void
ordinary_statements_pass(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "CREATE TABLE t (id integer);",
        "INSERT INTO t VALUES ('COMMIT; BEGIN', E'it\\'s; \\\\', $$; COMMIT$$, $tag$ ; $$ $tag$)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
        "DO $$ BEGIN PERFORM 1; END $$",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)",
        "COMMENT ON TABLE t IS 'by drover.ledger'",
        "CREATE TABLE drover_trucks (id integer)",
        "SET ROLES = 'x'",
        "ALTER TABLE t ADD COLUMN \"order\" integer CHECK (\"order\" > 0)"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        struct dr_err err = {0};
        if (look(PG, texts[i], NULL, &err) != DR_OK) {
            fail_msg("'%s': %s", texts[i], err.message);
        }
    }
    assert_int_equal(
        look(SQLITE,
             "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = 1; DELETE FROM b; END",
             NULL, NULL),
        DR_OK);
    assert_int_equal(look(SQLITE, "/* a /* b */ SELECT 1", NULL, NULL), DR_OK);
}

static void
unclosed_text_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char *const texts[] = {"SELECT 'a", "SELECT \"a", "SELECT /* a", "SELECT $x$ a $$",
                                        "SELECT E'a\\'"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        struct dr_err err = {0};
        assert_int_equal(look(PG, texts[i], NULL, &err), DR_E_FORBIDDEN_STATEMENT);
        assert_int_equal(err.line, 7);
        assert_string_equal(err.file, "file");
    }
    struct dr_guard_facts facts;
    struct dr_err err = {0};
    assert_int_equal(dr_guard_statement(PG, "SELECT\0 1", 9, "f", 1, &facts, &err),
                     DR_E_FORBIDDEN_STATEMENT);
}

static void
what_may_leave_session_state_is_known(void **state)
{
    (void)state;
    static const char *const leaky[] = {"SET work_mem = 1",
                                        "CREATE TEMP TABLE t (id int)",
                                        "SELECT set_config('a', 'b', false)",
                                        "INSERT INTO t SELECT pg_advisory_lock(1)",
                                        "LISTEN x",
                                        "DO $$ $$",
                                        "PREPARE p AS SELECT 1"};
    static const char *const clean[] = {"CREATE TABLE t (id int)",
                                        "ALTER TABLE t ADD COLUMN temperature int",
                                        "INSERT INTO t VALUES ('SET x')", "DROP INDEX i"};
    struct dr_guard_facts facts;
    for (size_t i = 0; i < DR_COUNT_OF(leaky); i++) {
        assert_int_equal(look(PG, leaky[i], &facts, NULL), DR_OK);
        assert_true(facts.may_leak);
    }
    for (size_t i = 0; i < DR_COUNT_OF(clean); i++) {
        assert_int_equal(look(PG, clean[i], &facts, NULL), DR_OK);
        assert_false(facts.may_leak);
    }
    assert_int_equal(look(SQLITE, "PRAGMA legacy_alter_table = ON", &facts, NULL), DR_OK);
    assert_true(facts.may_leak);
}

static void
table_rebuild_is_known(void **state)
{
    (void)state;
    struct dr_guard_facts facts;
    assert_int_equal(look(SQLITE, "DROP TABLE IF EXISTS t", &facts, NULL), DR_OK);
    assert_true(facts.drops_table);
    assert_int_equal(look(SQLITE, "ALTER TABLE \"a\" RENAME TO b", &facts, NULL), DR_OK);
    assert_true(facts.renames_table);
    assert_int_equal(look(SQLITE, "ALTER TABLE a RENAME COLUMN b TO c", &facts, NULL), DR_OK);
    assert_false(facts.renames_table);
    assert_int_equal(look(SQLITE, "pragma foreign_keys = off", &facts, NULL), DR_OK);
    assert_true(facts.names_foreign_keys);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transaction_commands_are_refused_in_any_writing),
        cmocka_unit_test(copy_roles_and_what_reaches_further_are_refused),
        cmocka_unit_test(ordinary_statements_pass),
        cmocka_unit_test(unclosed_text_is_refused_with_its_line),
        cmocka_unit_test(what_may_leave_session_state_is_known),
        cmocka_unit_test(table_rebuild_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
