// The checker: what it says of statements, and that nothing which the parser does is ours.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cmd.h"
#include "base/file.h"
#include "sql/check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct dr_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    const char *build = getenv("DROVER_BUILD");
    setenv("DROVER_BINDIR", build == NULL ? "." : build, 1);
    arena = dr_arena_new(512u << 20);
    return arena == NULL;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    return 0;
}

static struct dr_sql_result
check(const char *text)
{
    struct dr_err err = {0};
    struct dr_sql_text one = {text, strlen(text)};
    struct dr_sql_result *results = NULL;
    enum dr_rc rc = dr_sql_check(DR_SQL_POSTGRESQL, &one, 1, arena, &results, &err);
    if (rc != DR_OK) {
        print_error("%d: %s\n", (int)rc, err.message);
        fail();
    }
    return results[0];
}

struct row {
    const char *text;
    Drover__V1__StatementClass class_;
    unsigned flags;
    Drover__V1__Probe probe;
    const char *what, *object, *creates, *drops;
};

#define CLASS(name) DROVER__V1__STATEMENT_CLASS__CLASS_##name
#define PROBE(name) DROVER__V1__PROBE__PROBE_##name
#define OUTSIDE     (DR_SQL_OUTSIDE_ONLY | DR_SQL_OUTSIDE_ALLOWED | DR_SQL_CONCURRENT)

static const struct row rows[] = {
    {"SELECT 1", CLASS(READ), DR_SQL_READ_ONLY, PROBE(NONE), "SELECT", "", "", ""},
    {"SELECT 1 FROM t FOR UPDATE", CLASS(WRITE), 0, PROBE(NONE), "SELECT", "", "", ""},
    {"SELECT 1 INTO t", CLASS(NEW_OBJECT), 0, PROBE(NONE), "SELECT", "", "relation t", ""},
    {"INSERT INTO t VALUES (1)", CLASS(WRITE), 0, PROBE(NONE), "INSERT INTO", "", "", ""},
    {"CREATE TABLE s.t (id int)", CLASS(NEW_OBJECT), 0, PROBE(NONE), "CREATE TABLE", "",
     "relation s.t", ""},
    {"CREATE TABLE IF NOT EXISTS t (id int)", CLASS(NEW_OBJECT), DR_SQL_IF_NOT_EXISTS, PROBE(NONE),
     "CREATE TABLE", "", "", ""},
    {"CREATE TYPE m AS ENUM ('a')", CLASS(NEW_OBJECT), 0, PROBE(NONE), "CREATE TYPE", "", "type m",
     ""},
    {"CREATE INDEX i ON t (a)", CLASS(SHARE), 0, PROBE(NONE), "CREATE INDEX", "i",
     "relation i\nrelation t", ""},
    {"CREATE UNIQUE INDEX CONCURRENTLY \"I x\" ON s.\"order\" (a)", CLASS(CONCURRENT), OUTSIDE,
     PROBE(INDEX_CREATED), "CREATE INDEX CONCURRENTLY", "s.\"I x\"",
     "relation s.\"I x\"\nrelation s.\"order\"", ""},
    {"CREATE INDEX CONCURRENTLY ON t (a)", CLASS(CONCURRENT), OUTSIDE | DR_SQL_UNNAMED,
     PROBE(INDEX_CREATED), "CREATE INDEX CONCURRENTLY", "", "", ""},
    {"DROP INDEX CONCURRENTLY s.i", CLASS(CONCURRENT), OUTSIDE, PROBE(INDEX_DROPPED),
     "DROP INDEX CONCURRENTLY", "s.i", "", "relation s.i"},
    {"DROP TABLE a, b", CLASS(ACCESS_EXCLUSIVE), 0, PROBE(NONE), "DROP TABLE", "", "",
     "relation a\nrelation b"},
    {"DROP FUNCTION f()", CLASS(OTHER), 0, PROBE(NONE), "DROP FUNCTION", "", "", ""},
    {"ALTER TABLE t ADD COLUMN a int", CLASS(ACCESS_EXCLUSIVE), 0, PROBE(NONE), "ALTER TABLE", "",
     "", ""},
    {"ALTER TABLE t DROP COLUMN a", CLASS(ACCESS_EXCLUSIVE), 0, PROBE(NONE), "ALTER TABLE", "", "",
     "parts-of t"},
    {"ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u", CLASS(SHARE), 0, PROBE(NONE), "ALTER TABLE",
     "", "", ""},
    {"ALTER TABLE s.t VALIDATE CONSTRAINT \"C\"", CLASS(CONCURRENT), DR_SQL_OUTSIDE_ALLOWED,
     PROBE(CONSTRAINT_VALID), "ALTER TABLE", "s.t \"C\"", "", ""},
    {"ALTER TYPE s.m ADD VALUE 'it''s'", CLASS(OTHER), DR_SQL_OUTSIDE_ALLOWED, PROBE(ENUM_VALUE),
     "ALTER TYPE ... ADD VALUE", "s.m 'it''s'", "", ""},
    {"REINDEX INDEX CONCURRENTLY i", CLASS(CONCURRENT), OUTSIDE, PROBE(REINDEX),
     "REINDEX CONCURRENTLY", "INDEX i", "", ""},
    {"VACUUM ANALYZE t", CLASS(CONCURRENT), DR_SQL_OUTSIDE_ONLY | DR_SQL_OUTSIDE_ALLOWED,
     PROBE(IDEMPOTENT), "VACUUM", "", "", ""},
    {"ANALYZE t", CLASS(CONCURRENT), DR_SQL_OUTSIDE_ALLOWED, PROBE(IDEMPOTENT), "ANALYZE", "", "",
     ""},
    {"REFRESH MATERIALIZED VIEW CONCURRENTLY v", CLASS(SHARE), DR_SQL_OUTSIDE_ALLOWED,
     PROBE(IDEMPOTENT), "REFRESH MATERIALIZED VIEW", "", "", ""},
    {"ALTER TABLE p DETACH PARTITION s.q CONCURRENTLY", CLASS(CONCURRENT), OUTSIDE, PROBE(DETACHED),
     "ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY", "p s.q", "", ""},
    {"BEGIN", CLASS(OTHER), DR_SQL_FORBIDDEN, PROBE(NONE), "BEGIN", "", "", ""},
    {"SET role TO bob", CLASS(OTHER), DR_SQL_FORBIDDEN, PROBE(NONE), "SET ROLE", "", "", ""},
    {"SET session_authorization = bob", CLASS(OTHER), DR_SQL_FORBIDDEN, PROBE(NONE),
     "SET SESSION AUTHORIZATION", "", "", ""},
    {"LOAD 'x'", CLASS(OTHER), DR_SQL_FORBIDDEN, PROBE(NONE), "LOAD", "", "", ""},
    {"DO $$ BEGIN END $$", CLASS(OTHER), 0, PROBE(NONE), "DO", "", "", "anything"},
};

// "kind/flags@offset table name columns ref", one a line.
static char *
facts_of(const struct dr_sql_stmt *stmt)
{
    struct dr_buf text = {0};
    dr_buf_str(&text, "");
    for (const struct dr_sql_fact *f = stmt->facts; f != NULL; f = f->next) {
        dr_buf_printf(&text, "%u/%u@%zu %s|%s|%s|%s\n", f->kind, f->flags, f->offset, f->table,
                      f->name, f->columns, f->ref);
    }
    char *kept = dr_arena_str(arena, text.data == NULL ? "" : text.data);
    dr_buf_fini(&text);
    return kept;
}

static void
the_tree_tells_what_a_statement_does_to_tables(void **state)
{
    (void)state;
    struct dr_sql_result r =
        check("SELECT 1;\nCREATE TABLE s.\"T x\" (id serial PRIMARY KEY, a numeric(4,2)[] NOT NULL "
              "DEFAULT random(), CONSTRAINT f FOREIGN KEY (a, id) REFERENCES u NOT VALID);\n"
              "DROP TABLE a, s.b CASCADE; ALTER TABLE t RENAME x TO \"order\"");
    assert_int_equal(r.count, 4);
    assert_null(r.stmts[0].facts);
    assert_string_equal(facts_of(&r.stmts[1]), "1/0@10 s.\"T x\"|||\n"
                                               "2/86@32 s.\"T x\"|id|serial|\n"
                                               "3/16412@42 s.\"T x\"||id|\n"
                                               "2/50@55 s.\"T x\"|a|numeric(4,2)[]|random\n"
                                               "4/128@99 s.\"T x\"|f|a,id|u\n");
    assert_string_equal(facts_of(&r.stmts[2]), "7/1024@157 a|||\n7/1024@157 s.b|||\n");
    assert_string_equal(facts_of(&r.stmts[3]), "13/0@184 t|x||\"order\"\n");
}

static void
no_more_facts_are_told_than_are_read(void **state)
{
    (void)state;
    struct dr_buf text = {0};
    size_t count = 0;
    dr_buf_str(&text, "CREATE TABLE t (c0 int");
    for (int i = 1; i < 5000; i++) {
        dr_buf_printf(&text, ", c%d int", i);
    }
    dr_buf_str(&text, "); SELECT 1");
    struct dr_sql_result r = check(text.data);
    for (const struct dr_sql_fact *f = r.stmts[0].facts; f != NULL; f = f->next) {
        count++;
    }
    assert_int_equal(count, 4096);
    assert_int_equal(r.count, 2);
    assert_null(r.stmts[1].problem);
    dr_buf_fini(&text);
}

static void
statements_are_classified_by_the_parsers_tree(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct dr_sql_result got = check(r->text);
        bool is_good = got.count == 1 && got.problem.rc == DR_OK;
        const struct dr_sql_stmt *s = got.stmts;
        is_good = is_good && s->class_ == r->class_ && s->flags == r->flags &&
                  s->probe == r->probe && strcmp(s->what, r->what) == 0 &&
                  strcmp(s->object, r->object) == 0 && strcmp(s->creates, r->creates) == 0 &&
                  strcmp(s->drops, r->drops) == 0;
        if (!is_good) {
            print_error("'%s': class %d flags %u probe %d what '%s' object '%s' creates '%s' drops "
                        "'%s' problem '%s'\n",
                        r->text, (int)s->class_, s->flags, (int)s->probe, s->what, s->object,
                        s->creates, s->drops, got.problem.rc == DR_OK ? "" : got.problem.message);
            fail();
        }
    }
}

static void
syntax_errors_have_their_place_behind_wide_characters(void **state)
{
    (void)state;
    static const char text[] = "SELECT '\xC3\xA9\xC3\xA9';\nCREATE TABLE t (a int CHECK (order > "
                               "0));\nSELECT 1 +;\nSELECT 2";
    struct dr_sql_result got = check(text);
    assert_int_equal(got.count, 4);
    assert_null(got.stmts[0].problem);
    assert_null(got.stmts[3].problem);
    const struct dr_sql_problem *p = got.stmts[1].problem;
    assert_non_null(p);
    assert_int_equal(p->rc, DR_E_SQL_RESERVED);
    assert_memory_equal(text + p->offset, "order", 5);
    assert_int_equal(p->length, 5);
    assert_string_equal(p->message, "syntax error at or near \"order\"");
    assert_string_equal(p->help, "write \"order\" in double quotes");
    assert_int_equal(got.stmts[2].problem->rc, DR_E_SQL_SYNTAX);
    assert_string_equal(got.stmts[2].problem->message, "syntax error at end of input");
    assert_int_equal(got.problem.offset, p->offset);
}

static void
a_stray_keyword_is_not_called_a_name(void **state)
{
    (void)state;
    struct dr_sql_result got = check("CREATE TABLE t (a int,, b int)");
    assert_int_equal(got.problem.rc, DR_E_SQL_SYNTAX);
    got = check("SELECT FROM FROM WHERE");
    assert_int_equal(got.problem.rc == DR_OK, 0);
}

static void
a_newer_grammar_is_a_finding(void **state)
{
    (void)state;
    struct dr_sql_result got = check("SELECT JSON_ARRAYAGG(x RETURNING jsonb) FROM t");
    assert_int_equal(got.problem.rc, DR_E_SQL_SYNTAX);
}

static void
a_crash_of_the_child_is_a_finding_about_the_text(void **state)
{
    (void)state;
    size_t terms = 400000, len = 2 * terms + 8;
    char *deep = calloc(1, len + 1);
    assert_non_null(deep);
    memcpy(deep, "SELECT 1", 8);
    for (size_t i = 0; i < terms; i++) {
        memcpy(deep + 8 + 2 * i, "+1", 2);
    }
    struct dr_sql_text texts[3] = {{"SELECT 1", 8}, {deep, len}, {"SELECT 2; SELECT 3", 18}};
    struct dr_sql_result *results = NULL;
    struct dr_err err = {0};
    assert_int_equal(dr_sql_check(DR_SQL_POSTGRESQL, texts, 3, arena, &results, &err), DR_OK);
    assert_int_equal(results[0].problem.rc, DR_OK);
    assert_int_equal(results[0].stmts[0].class_, CLASS(READ));
    assert_int_equal(results[1].problem.rc, DR_E_SQL_CHECK_DIED);
    assert_non_null(strstr(results[1].problem.message, "drover-sqlcheck"));
    assert_int_equal(results[2].problem.rc, DR_OK);
    assert_int_equal(results[2].stmts[1].class_, CLASS(READ));
    free(deep);
}

static void
deep_parentheses_never_reach_the_parser(void **state)
{
    (void)state;
    char text[4096] = "SELECT ";
    memset(text + 7, '(', 1500);
    struct dr_sql_result got = check(text);
    assert_int_equal(got.problem.rc, DR_E_SQL_TOO_COMPLEX);
}

// A child that hangs, lies or is missing: drover goes on and says what is wrong.
static void
write_child(const char *folder, const char *script)
{
    char path[PATH_MAX];
    struct dr_err err = {0};
    snprintf(path, sizeof path, "%s/drover-sqlcheck", folder);
    unlink(path);
    assert_int_equal(dr_file_write(path, script, strlen(script), 0700, &err), DR_OK);
}

static enum dr_rc
check_with_child(const char *script, struct dr_err *err, struct dr_sql_result **out)
{
    char folder[] = "/tmp/drover-sqlcheck-XXXXXX";
    struct dr_err ignored = {0};
    struct dr_sql_text one = {"SELECT 1", 8};
    assert_non_null(mkdtemp(folder));
    write_child(folder, script);
    setenv("DROVER_BINDIR", folder, 1);
    enum dr_rc rc = dr_sql_check(DR_SQL_POSTGRESQL, &one, 1, arena, out, err);
    assert_int_equal(dr_dir_remove(folder, &ignored), DR_OK);
    return rc;
}

static void
a_lying_child_is_not_believed(void **state)
{
    (void)state;
    static const char *const scripts[] = {
        "#!/bin/sh\nprintf 'S\\t99\\t8\\t1\\t0\\t0\\t\\t\\t\\t\\nE\\n'\n", // another place
        "#!/bin/sh\nprintf 'E\\n'\n",                                      // no statement
        "#!/bin/sh\nprintf 'S\\t0\\t8\\t77\\t0\\t0\\t\\t\\t\\t\\nE\\n'\n", // no such class
        "#!/bin/sh\nprintf 'hello\\n'\n",
        "#!/bin/sh\nprintf 'S\\t0\\n'\n",
        "#!/bin/sh\nexit 3\n",
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        struct dr_err err = {0};
        struct dr_sql_result *results = NULL;
        enum dr_rc rc = check_with_child(scripts[i], &err, &results);
        bool is_refused = rc != DR_OK ? rc == DR_E_INTERNAL : results[0].problem.rc != DR_OK;
        if (!is_refused) {
            print_error("script %zu was believed\n", i);
            fail();
        }
    }
}

static void
a_killed_child_is_named_with_its_signal(void **state)
{
    (void)state;
    struct dr_err err = {0};
    struct dr_sql_result *results = NULL;
    assert_int_equal(check_with_child("#!/bin/sh\nkill -SEGV $$\n", &err, &results), DR_OK);
    assert_int_equal(results[0].problem.rc, DR_E_SQL_CHECK_DIED);
    assert_string_equal(results[0].problem.message,
                        "drover-sqlcheck died (signal 11) on this statement");
}

static void
sqlite_needs_no_child(void **state)
{
    (void)state;
    setenv("DROVER_BINDIR", "/nonexistent", 1);
    static const char text[] =
        "CREATE TABLE a (id INTEGER); PRAGMA user_version = 1; VACUUM; ATTACH 'x' AS y";
    struct dr_sql_text one = {text, sizeof text - 1};
    struct dr_sql_result *results = NULL;
    struct dr_err err = {0};
    assert_int_equal(dr_sql_check(DR_SQL_SQLITE, &one, 1, arena, &results, &err), DR_OK);
    assert_int_equal(results[0].count, 4);
    assert_int_equal(results[0].stmts[0].class_, CLASS(NEW_OBJECT));
    assert_int_equal(results[0].stmts[1].probe, PROBE(IDEMPOTENT));
    assert_int_equal(results[0].stmts[2].flags, DR_SQL_OUTSIDE_ONLY | DR_SQL_OUTSIDE_ALLOWED);
    assert_int_equal(results[0].stmts[3].flags, DR_SQL_FORBIDDEN);
}

static void
many_statements_are_checked_in_groups(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static const char row[] = "INSERT INTO t (a, b) VALUES (1, 'x;y');\n";
    size_t len = COUNT * (sizeof row - 1);
    char *text = malloc(len + 1);
    assert_non_null(text);
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(text + i * (sizeof row - 1), row, sizeof row);
    }
    struct dr_sql_result got = check(text);
    assert_int_equal(got.count, COUNT);
    assert_int_equal(got.problem.rc, DR_OK);
    assert_int_equal(got.stmts[COUNT - 1].class_, CLASS(WRITE));
    assert_int_equal(got.stmts[COUNT - 1].line, COUNT);
    free(text);
}

static void
the_child_uses_protobuf_c_of_the_system(void **state)
{
    (void)state;
    char program[PATH_MAX];
    struct dr_err err = {0};
    assert_int_equal(dr_cmd_sibling("drover-sqlcheck", program, sizeof program, &err), DR_OK);
    const char *const argv[] = {program, "--version", NULL};
    struct dr_cmd cmd = {.argv = argv, .timeout_ms = 10000, .output_max = 4096};
    struct dr_cmd_result result;
    char expected[64];
    snprintf(expected, sizeof expected, "protobuf-c %s\n", protobuf_c_version());
    assert_int_equal(dr_cmd_run(&cmd, &result, &err), DR_OK);
    assert_non_null(strstr(result.output.data, expected));
    assert_non_null(strstr(result.output.data, "libpg_query "));
    dr_cmd_result_fini(&result);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(statements_are_classified_by_the_parsers_tree),
        TEST(the_tree_tells_what_a_statement_does_to_tables),
        TEST(no_more_facts_are_told_than_are_read),
        TEST(syntax_errors_have_their_place_behind_wide_characters),
        TEST(a_stray_keyword_is_not_called_a_name),
        TEST(a_newer_grammar_is_a_finding),
        TEST(a_crash_of_the_child_is_a_finding_about_the_text),
        TEST(deep_parentheses_never_reach_the_parser),
        TEST(a_lying_child_is_not_believed),
        TEST(a_killed_child_is_named_with_its_signal),
        TEST(sqlite_needs_no_child),
        TEST(many_statements_are_checked_in_groups),
        TEST(the_child_uses_protobuf_c_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
