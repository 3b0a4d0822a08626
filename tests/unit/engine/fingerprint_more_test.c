// Fingerprints: what stands beside tables and functions.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/fingerprint_pg.h"

#include <string.h>

static const struct {
    const char *make, *undo, *line;
    bool is_wide; // only the print of a whole database has it
} rows[] = {
    {"CREATE STATISTICS app.s (dependencies) ON a, b FROM app.t", "DROP STATISTICS app.s",
     "statistics t.s: f on a, b\n", false},
    {"COMMENT ON TABLE app.t IS 'all of it'", "COMMENT ON TABLE app.t IS NULL",
     "comment t: all of it\n", false},
    {"COMMENT ON COLUMN app.t.a IS 'one'", "COMMENT ON COLUMN app.t.a IS NULL",
     "comment t.a: one\n", false},
    {"COMMENT ON INDEX app.t_a IS 'quick'", "COMMENT ON INDEX app.t_a IS NULL",
     "comment t_a: quick\n", false},
    {"COMMENT ON CONSTRAINT pos ON app.t IS 'more'", "COMMENT ON CONSTRAINT pos ON app.t IS NULL",
     "comment constraint t.pos: more\n", false},
    {"COMMENT ON FUNCTION app.f(int, int) IS 'adds'", "COMMENT ON FUNCTION app.f(int, int) IS NULL",
     "comment function f(i integer, j integer): adds\n", false},
    {"COMMENT ON TYPE app.lane IS 'where'", "COMMENT ON TYPE app.lane IS NULL",
     "comment type lane: where\n", false},
    {"COMMENT ON SCHEMA app IS 'ours'", "COMMENT ON SCHEMA app IS NULL", "comment schema : ours\n",
     false},
    {"CREATE OPERATOR app.=== (FUNCTION = app.f, LEFTARG = int, RIGHTARG = int)",
     "DROP OPERATOR app.=== (int, int)", "operator ===(integer, integer): f(integer,integer)\n",
     false},
    {"CREATE CAST (app.lane AS int) WITH FUNCTION app.c(app.lane) AS IMPLICIT",
     "DROP CAST (app.lane AS int)", "cast lane as integer: i f c(lane)\n", false},
    {"GRANT USAGE ON TYPE app.lane TO fp_reader", "REVOKE USAGE ON TYPE app.lane FROM fp_reader",
     "grant type lane to fp_reader: USAGE\n", false},
    {"REVOKE USAGE ON TYPE app.lane FROM PUBLIC", "GRANT USAGE ON TYPE app.lane TO PUBLIC", NULL,
     false},
    {"GRANT EXECUTE ON FUNCTION app.f(int, int) TO fp_reader",
     "REVOKE EXECUTE ON FUNCTION app.f(int, int) FROM fp_reader",
     "grant function f(i integer, j integer) to fp_reader: EXECUTE\n", false},
    {"ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO fp_reader",
     "ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT ON TABLES FROM fp_reader",
     "default grant tables in schema by postgres to fp_reader: SELECT\n", false},
    {"ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO fp_reader",
     "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON SEQUENCES FROM fp_reader",
     "default grant sequences by postgres to fp_reader: SELECT\n", true},
    {"CREATE PUBLICATION p FOR TABLE app.t WITH (publish = 'insert')", "DROP PUBLICATION p",
     "publication p: ", true},
    {"CREATE FOREIGN DATA WRAPPER w OPTIONS (host 'x')", "DROP FOREIGN DATA WRAPPER w",
     "foreign data wrapper w: options host#", true},
    {"CREATE SERVER far FOREIGN DATA WRAPPER always OPTIONS (password 'hidden')", "DROP SERVER far",
     "server far: wrapper always options password#", true},
};

// What stands beside tables and functions: each is seen, and gone again when it is taken back.
static void
what_stands_beside_tables_counts_too(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    RUN(pg, "CREATE ROLE fp_reader", "CREATE SCHEMA app", "CREATE TYPE app.lane AS ENUM ('a')",
        "CREATE TABLE app.t (a int, b int, CONSTRAINT pos CHECK (a > 0))",
        "CREATE INDEX t_a ON app.t (a)",
        "CREATE FUNCTION app.f(i int, j int) RETURNS int LANGUAGE sql AS 'SELECT i + j'",
        "CREATE FUNCTION app.c(l app.lane) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FOREIGN DATA WRAPPER always");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *schema = rows[i].is_wide ? NULL : "app";
        struct dr_fingerprint before = take(pg, schema);
        RUN(pg, rows[i].make);
        struct dr_fingerprint with = take(pg, schema);
        RUN(pg, rows[i].undo);
        struct dr_fingerprint after = take(pg, schema);
        if (memcmp(before.sha256, with.sha256, 32) == 0) {
            fail_msg("not seen: %s", rows[i].make);
        }
        if (rows[i].line != NULL && strstr(with.text, rows[i].line) == NULL) {
            fail_msg("no line '%s' in\n%s", rows[i].line, with.text);
        }
        assert_null(strstr(with.text, "hidden"));
        if (strcmp(before.text, after.text) != 0) {
            fail_msg("%s left something:\n%s", rows[i].undo, after.text);
        }
        dr_fingerprint_fini(&before);
        dr_fingerprint_fini(&with);
        dr_fingerprint_fini(&after);
    }
    RUN(pg, "DROP SCHEMA app CASCADE", "DROP ROLE fp_reader");
    dr_pg_close(&pg);
}

// Other numbers, another order, another tenant's name: the same print.
static void
what_stands_beside_tables_counts_by_name_only(void **state)
{
    (void)state;
    static const char *const make[] = {
        "CREATE STATISTICS s1 (ndistinct, dependencies) ON b, a FROM t",
        "CREATE STATISTICS s2 (mcv) ON a, b FROM t",
        "COMMENT ON TABLE t IS 'x'",
        "COMMENT ON COLUMN t.b IS 'y'",
        "CREATE OPERATOR === (FUNCTION = f, LEFTARG = int, RIGHTARG = int)",
        "CREATE CAST (lane AS int) WITH FUNCTION c(lane)"};
    static const char *const base[] = {
        "CREATE TYPE lane AS ENUM ('a')", "CREATE TABLE t (a int, b int)",
        "CREATE FUNCTION f(i int, j int) RETURNS int LANGUAGE sql AS 'SELECT i + j'",
        "CREATE FUNCTION c(l lane) RETURNS int LANGUAGE sql AS 'SELECT 1'"};
    struct dr_pg *pg = new_database();
    RUN(pg, "CREATE SCHEMA one", "CREATE SCHEMA two", "CREATE TABLE two.before (a int)",
        "DROP TABLE two.before");
    for (size_t i = 0; i < 2; i++) {
        size_t n = sizeof make / sizeof make[0];
        RUN(pg, i == 0 ? "SET search_path = one, pg_catalog" : "SET search_path = two, pg_catalog",
            base[0], base[1], base[2], base[3]);
        for (size_t k = 0; k < n; k++) {
            RUN(pg, make[i == 0 ? k : n - 1 - k]);
        }
    }
    RUN(pg, "RESET search_path");
    struct dr_fingerprint one = take(pg, "one"), two = take(pg, "two");
    assert_string_equal(one.text, two.text);
    assert_memory_equal(one.sha256, two.sha256, 32);
    dr_fingerprint_fini(&one);
    dr_fingerprint_fini(&two);
    dr_pg_close(&pg);
}

static struct dr_fingerprint
take_again(struct dr_pg *pg)
{
    struct dr_err err = {0};
    struct dr_fingerprint out = {0};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    const struct dr_fingerprint_options options = {.is_repeated = true};
    assert_int_equal(dr_fingerprint_pg(pg, &options, &wait, &out, &err), DR_OK);
    return out;
}

static void
a_connection_that_is_asked_often_gives_the_same(void **state)
{
    (void)state;
    struct dr_pg *pg = new_database();
    RUN(pg, "CREATE SCHEMA app", "CREATE TABLE app.t (a int PRIMARY KEY)");
    for (int i = 0; i < 3; i++) {
        struct dr_fingerprint plain = take(pg, NULL), often = take_again(pg);
        assert_string_equal(often.text, plain.text);
        assert_non_null(strstr(often.text, i == 0 ? "column app.t.a" : "column app.t.b"));
        dr_fingerprint_fini(&plain);
        dr_fingerprint_fini(&often);
        if (i == 0) {
            RUN(pg, "ALTER TABLE app.t ADD COLUMN b text", "ANALYZE");
        } else {
            RUN(pg, "DEALLOCATE ALL");
        }
    }
    struct dr_fingerprint last = take_again(pg);
    dr_fingerprint_fini(&last);
    dr_pg_close(&pg);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_beside_tables_counts_too),
        cmocka_unit_test(what_stands_beside_tables_counts_by_name_only),
        cmocka_unit_test(a_connection_that_is_asked_often_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
