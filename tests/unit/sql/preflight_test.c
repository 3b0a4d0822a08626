// What a preflight may say before anybody has approved it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/attr.h"
#include "sql/preflight.h"

#include <string.h>

#define PG   DR_SQL_POSTGRESQL
#define LITE DR_SQL_SQLITE

static void
questions_to_built_in_functions_are_allowed(void **state)
{
    (void)state;
    static const struct {
        enum dr_sql_dialect dialect;
        const char *sql;
    } rows[] = {
        {PG, "SELECT to_regclass('users') IS NOT NULL AND to_regclass('a') IS NOT NULL"},
        {PG, "SELECT user_id, count(*) FROM t WHERE user_id !~ '^[0-9]{8}$' GROUP BY user_id"},
        {PG, "SELECT t.id FROM t WHERE NOT EXISTS (SELECT FROM u WHERE u.id::text = lower(t.id))"},
        {PG, "(SELECT 1) UNION ALL (SELECT 2)"},
        {PG, "SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint"},
        {PG, "SELECT pg_catalog . /* x */ count ( * ) FROM t"},
        {PG, "WITH a AS (SELECT 1), b AS MATERIALIZED (SELECT 2) SELECT true FROM a, b"},
        {PG, "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT true FROM n"},
        {PG, "SELECT i FROM generate_series(1, 3) AS g(i)"},
        {PG, "SELECT row_number() OVER (PARTITION BY (a) ORDER BY (b)) FROM t"},
        {PG, "SELECT count(*) FILTER (WHERE (a)) FROM t GROUP BY GROUPING SETS ((a), (b))"},
        {PG, "SELECT a::numeric(10, 2), b::varchar(36), c::character varying (3) FROM t"},
        {PG, "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FROM t"},
        {PG, "SELECT now() AT TIME ZONE ('utc') > '2020-01-01'"},
        {PG, "SELECT 'lo_create(0)', $$nextval('x')$$, E'\\'lo_create(' -- pg_sleep(9)\n"},
        {PG, "SELECT t.\"update\", t.insert, substring(a FROM 1 FOR 3) FROM t"},
        {PG, "TABLE t"},
        {PG, "SHOW server_version"},
        {PG, "EXPLAIN SELECT 1"},
        {LITE, "SELECT count(*) = 0 FROM [my table] WHERE typeof(`a`) = 'text' AND b IN (1, 2)"},
        {LITE, "SELECT name FROM pragma_table_info('t')"},
        {LITE, "SELECT CAST(a AS varchar(10)), ifnull(b, 0) FROM t"},
    };
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_sql_preflight_fault fault = {0};
        if (!dr_sql_preflight_allowed(rows[i].dialect, rows[i].sql, strlen(rows[i].sql), &fault)) {
            fail_msg("%s: %s", rows[i].sql, fault.message);
        }
    }
}

// id: P1
// size: a table of statements
static void
everything_else_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        enum dr_sql_dialect dialect;
        const char *sql, *message;
    } rows[] = {
        {PG, "SELECT lo_create(0)", "'lo_create'"},
        {PG, "SELECT LO_CREATE /* a */ -- b\n (0)", "'lo_create'"},
        {PG, "SELECT \"lo_create\"(0)", "'lo_create'"},
        {PG, "SELECT U&\"lo\\005fcreate\"(0)", "U&"},
        {PG, "SELECT U&\"d!0061t\" UESCAPE '!' (0)", "U&"},
        {PG, "SELECT pg_catalog.lo_create(0)", "'lo_create'"},
        {PG, "SELECT public.lower('A')", "'lower'"},
        {PG, "SELECT db.pg_catalog.lower('A')", "'lower'"},
        {PG, "SELECT \"pg_catalog\".pg_notify('a', 'b')", "'pg_notify'"},
        {PG, "SELECT DISTINCT ON (a) pg_sleep(1) FROM t", "'pg_sleep'"},
        {PG, "SELECT a FROM t WHERE (b) AND pg_try_advisory_lock(1)", "'pg_try_advisory_lock'"},
        {PG, "SELECT pg_advisory_xact_lock(1)", "'pg_advisory_xact_lock'"},
        {PG, "SELECT pg_logical_emit_message(false, 'a', 'b')", "'pg_logical_emit_message'"},
        {PG, "SELECT set_config('a.b', 'c', false)", "'set_config'"},
        {PG, "SELECT * FROM dblink('x', 'y') AS t(a int)", "'dblink'"},
        {PG, "SELECT nextval('s')", "'nextval'"},
        {PG, "SELECT pg_read_file('/etc/passwd')", "'pg_read_file'"},
        {PG, "SELECT pg_terminate_backend(1)", "'pg_terminate_backend'"},
        {PG, "SELECT query_to_xml('SELECT 1', true, true, '')", "'query_to_xml'"},
        {PG, "SELECT over(1)", "'over'"},
        {PG, "SELECT t.over(1) FROM t", "'over'"},
        {PG, "SELECT a.\"in\"(1) FROM a", "'in'"},
        {PG, "SELECT filter(1)", "'filter'"},
        {PG, "SELECT by(1)", "'by'"},
        {PG, "SELECT e\xc3\xa9(1)", "'e"},
        {PG, "SELECT 1lo_create(0)", "'1lo_create'"},
        {PG, "WITH a AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT true FROM a", "'insert'"},
        {PG, "WITH a AS (DELETE FROM t RETURNING 1) SELECT true FROM a", "'delete'"},
        {PG, "WITH a AS (MERGE INTO t USING u ON true) SELECT true", "'merge'"},
        {PG, "SELECT 1 INTO x", "'into'"},
        {PG, "SELECT * FROM t FOR UPDATE", "'update'"},
        {PG, "SELECT * FROM t FOR NO KEY UPDATE", "'for no'"},
        {PG, "SELECT * FROM t FOR SHARE", "'for share'"},
        {PG, "SELECT * FROM t FOR KEY SHARE", "'for key'"},
        {PG, "EXPLAIN ANALYZE SELECT 1", "analyze"},
        {PG, "EXPLAIN (ANALYZE, VERBOSE) SELECT 1", "'explain'"},
        {PG, "DO $$ BEGIN END $$", "'do'"},
        {PG, "CALL p()", "'call'"},
        {PG, "EXECUTE q(1)", "'execute'"},
        {PG, "LISTEN x", "'listen'"},
        {PG, "SELECT 'a", "not closed"},
        {PG, "SELECT $a$ lo_create(0) $b$", "not closed"},
        {PG, "/* nothing */", "empty"},
        {LITE, "SELECT load_extension('x')", "'load_extension'"},
        {LITE, "SELECT [writefile]('a', 'b')", "'writefile'"},
        {LITE, "SELECT `readfile`('a')", "'readfile'"},
        {LITE, "SELECT /* /* */ readfile('a')", "'readfile'"},
        {LITE, "SELECT readfile \xef\xbb\xbf('a')", "not one"},
        {LITE, "PRAGMA writable_schema = 1", "'pragma'"},
        {LITE, "REPLACE INTO t VALUES (1)", "'replace'"},
        {LITE, "SELECT main.lower('A')", "'lower'"},
    };
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_sql_preflight_fault fault = {0};
        size_t len = strlen(rows[i].sql);
        if (dr_sql_preflight_allowed(rows[i].dialect, rows[i].sql, len, &fault)) {
            fail_msg("allowed: %s", rows[i].sql);
        }
        if (strstr(fault.message, rows[i].message) == NULL) {
            fail_msg("%s: %s", rows[i].sql, fault.message);
        }
        assert_true(fault.offset + fault.length <= len);
        assert_true(fault.help[0] != '\0');
    }
}

static void
a_cut_text_is_never_read_beyond_its_end(void **state)
{
    (void)state;
    static const char sql[] = "SELECT \"a\"(1), $x$y$x$, E'\\'', /* a */ pg_catalog.count(*) -- b";
    for (size_t len = 0; len < sizeof sql; len++) {
        char copy[sizeof sql];
        struct dr_sql_preflight_fault fault;
        memcpy(copy, sql, len);
        for (int dialect = PG; dialect <= LITE; dialect++) {
            bool is_good =
                dr_sql_preflight_allowed((enum dr_sql_dialect)dialect, copy, len, &fault);
            assert_true(is_good || fault.offset <= len);
        }
    }
}

static void
the_list_is_sorted_and_knows_case_by_dialect(void **state)
{
    (void)state;
    assert_true(dr_sql_preflight_words_sorted());
    assert_int_equal(dr_sql_preflight_word(PG, "count"), DR_SQL_CALL_FUNCTION);
    assert_int_equal(dr_sql_preflight_word(LITE, "to_regclass"), DR_SQL_CALL_NONE);
    assert_int_equal(dr_sql_preflight_word(PG, "exists"), DR_SQL_CALL_SYNTAX);
    assert_int_equal(dr_sql_preflight_word(PG, ""), DR_SQL_CALL_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_to_built_in_functions_are_allowed),
        cmocka_unit_test(everything_else_is_refused_by_name),
        cmocka_unit_test(a_cut_text_is_never_read_beyond_its_end),
        cmocka_unit_test(the_list_is_sorted_and_knows_case_by_dialect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
