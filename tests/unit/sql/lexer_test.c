// Where statements begin and end, in both dialects.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "sql/lexer.h"

#include <stdlib.h>
#include <string.h>

enum { PG = DR_SQL_POSTGRESQL, LITE = DR_SQL_SQLITE };

struct row {
    int dialect;
    const char *text;
    const char *pieces; // joined by '|'; "!message" for a refusal
};

static const struct row rows[] = {
    {PG, "", ""},
    {PG, " ;; -- x\n /* ; */ ; ", ""},
    {PG, "SELECT 1; SELECT 2", "SELECT 1|SELECT 2"},
    {PG, "SELECT ';', \"a;b\", $$;$$, $x$ $$;$$ $x$; b",
     "SELECT ';', \"a;b\", $$;$$, $x$ $$;$$ $x$|b"},
    {PG, "SELECT 'it''s;'; b", "SELECT 'it''s;'|b"},
    {PG, "SELECT E'a\\';b'; c", "SELECT E'a\\';b'|c"},
    {PG, "SELECT 'a\\'; b", "SELECT 'a\\'|b"},
    {PG, "SELECT me'x'; b", "SELECT me'x'|b"},
    {PG, "SELECT $1; SELECT a$1$b; c", "SELECT $1|SELECT a$1$b|c"},
    {PG, "SELECT 1 /* a /* ; */ ; */ + 1; b", "SELECT 1 /* a /* ; */ ; */ + 1|b"},
    {PG, "SELECT 1 -- it's;\n + 1; b", "SELECT 1 -- it's;\n + 1|b"},
    {PG, "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); b",
     "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)|b"},
    {PG,
     "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; "
     "SELECT 2; END; b",
     "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; "
     "SELECT 2; END|b"},
    {PG, "create procedure p() begin atomic insert into t values (1); end; b",
     "create procedure p() begin atomic insert into t values (1); end|b"},
    {PG, "BEGIN; SELECT 1; END", "BEGIN|SELECT 1|END"},
    {PG, "SELECT 1 /* behind */ ; b", "SELECT 1|b"},
    {PG, "SELECT [1;", "SELECT [1"},
    {PG, "SELECT '\xC3\xA9;'; \xC3\xA9", "SELECT '\xC3\xA9;'|\xC3\xA9"},
    {PG, "SELECT 'a", "!unterminated string"},
    {PG, "SELECT E'a\\'", "!unterminated string"},
    {PG, "SELECT \"a", "!unterminated quoted name"},
    {PG, "SELECT $x$ $y$", "!unterminated dollar-quoted string"},
    {PG, "SELECT /* /* */", "!unterminated comment"},
    {PG, "SELECT 1\n\\gexec", "!backslash commands"},
    {LITE, "SELECT `a;b`, [c;d]; e", "SELECT `a;b`, [c;d]|e"},
    {LITE, "SELECT /* /* ; */ 1; b", "SELECT /* /* ; */ 1|b"},
    {LITE, "SELECT (1;2)", "SELECT (1|2)"},
    {LITE,
     "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; DELETE "
     "FROM c; END; b",
     "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; DELETE "
     "FROM c; END|b"},
    {LITE, "create temp trigger t after insert on a begin select 1; end",
     "create temp trigger t after insert on a begin select 1; end"},
    {LITE, "CREATE TABLE trigger_log (x); b", "CREATE TABLE trigger_log (x)|b"},
    {LITE, "SELECT [a", "!unterminated quoted name"},
};

static void
pieces_are_what_the_database_would_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char joined[1024] = "";
        struct dr_sql_lexer lexer;
        struct dr_sql_piece piece;
        struct dr_err err = {0};
        enum dr_rc rc = DR_OK;
        size_t len = strlen(rows[i].text);
        char *copy = malloc(len == 0 ? 1 : len); // its own size, so that a read beyond it is seen
        memcpy(copy, rows[i].text, len);
        dr_sql_lexer_init(&lexer, (enum dr_sql_dialect)rows[i].dialect, copy, len);
        while (dr_sql_lexer_next(&lexer, &piece, &rc, &err)) {
            size_t used = strlen(joined);
            snprintf(joined + used, sizeof(joined) - used, "%s%.*s", used == 0 ? "" : "|",
                     (int)piece.length, copy + piece.offset);
        }
        free(copy);
        bool is_refused = rows[i].pieces[0] == '!';
        bool is_good = is_refused ? rc != DR_OK &&
                                        strncmp(err.message, rows[i].pieces + 1,
                                                strlen(rows[i].pieces) - 1) == 0 &&
                                        err.line > 0 && err.hint[0] != '\0'
                                  : rc == DR_OK && strcmp(joined, rows[i].pieces) == 0;
        if (!is_good) {
            print_error("'%s': got '%s' %d '%s'\n", rows[i].text, joined, (int)rc, err.message);
            fail();
        }
    }
}

static void
positions_count_lines_and_code_points(void **state)
{
    (void)state;
    static const char text[] = "SELECT 1;\n\n  /* \xC3\xA9 */ SELECT 2; SELECT 3";
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece;
    enum dr_rc rc = DR_OK;
    dr_sql_lexer_init(&lexer, DR_SQL_POSTGRESQL, text, sizeof text - 1);
    assert_true(dr_sql_lexer_next(&lexer, &piece, &rc, NULL));
    assert_true(dr_sql_lexer_next(&lexer, &piece, &rc, NULL));
    assert_int_equal(piece.line, 3);
    assert_int_equal(piece.column, 11);
    assert_true(dr_sql_lexer_next(&lexer, &piece, &rc, NULL));
    assert_int_equal(piece.line, 3);
    assert_int_equal(piece.column, 21);
}

static void
forbidden_statements_are_known_by_their_words(void **state)
{
    (void)state;
    static const struct {
        int dialect;
        const char *text, *what;
    } cases[] = {
        {PG, "begin", "BEGIN"},
        {PG, "/* x */ start -- y\n transaction", "START TRANSACTION"},
        {PG, "END", "END"},
        {PG, "abort", "ABORT"},
        {PG, "PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"},
        {PG, "PREPARE q AS SELECT 1", NULL},
        {PG, "copy t (a) from stdin", "COPY FROM STDIN"},
        {PG, "COPY (SELECT ' from stdin') TO STDOUT", "COPY TO STDOUT"},
        {PG, "COPY t FROM '/tmp/x'", "COPY"},
        {PG, "set role bob", "SET ROLE"},
        {PG, "SET SESSION AUTHORIZATION bob", "SET SESSION AUTHORIZATION"},
        {PG, "SET search_path = a", NULL},
        {PG, "create database x", "CREATE DATABASE"},
        {PG, "CREATE TABLE begin_x (id int)", NULL},
        {PG, "ATTACH", NULL},
        {LITE, "ATTACH 'x' AS y", "ATTACH"},
        {LITE, "COPY", NULL},
        {LITE, "savepoint x", "SAVEPOINT"},
        {LITE, "release x", "RELEASE SAVEPOINT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *what = dr_sql_forbidden((enum dr_sql_dialect)cases[i].dialect, cases[i].text,
                                            strlen(cases[i].text));
        if (cases[i].what == NULL ? what != NULL
                                  : (what == NULL || strcmp(what, cases[i].what) != 0)) {
            print_error("'%s': got '%s'\n", cases[i].text, what == NULL ? "(nothing)" : what);
            fail();
        }
    }
}

static void
a_long_line_is_walked_in_linear_time(void **state)
{
    (void)state;
    size_t count = 200000, len = count * 9, found = 0;
    char *text = malloc(len);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + 9 * i, "SELECT 1;", 9);
    }
    assert_int_equal(dr_sql_count(DR_SQL_POSTGRESQL, text, len, &found, NULL), DR_OK);
    assert_int_equal(found, count);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_what_the_database_would_run),
        cmocka_unit_test(positions_count_lines_and_code_points),
        cmocka_unit_test(forbidden_statements_are_known_by_their_words),
        cmocka_unit_test(a_long_line_is_walked_in_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
