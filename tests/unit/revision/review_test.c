// Lint over folders: findings at their place, as people see them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "revision/review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct dr_arena *arena;
static char folder[64];

static int
set_up(void **state)
{
    (void)state;
    const char *build = getenv("DROVER_BUILD");
    setenv("DROVER_BINDIR", build == NULL ? "." : build, 1);
    snprintf(folder, sizeof folder, "/tmp/drover-review-XXXXXX");
    arena = dr_arena_new(64u << 20);
    return arena == NULL || mkdtemp(folder) == NULL;
}

static int
tear_down(void **state)
{
    (void)state;
    struct dr_err err = {0};
    dr_arena_free(&arena);
    return dr_dir_remove(folder, &err) != DR_OK;
}

static void
put(const char *name, const char *text)
{
    char path[128];
    struct dr_err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0600, &err), DR_OK);
}

static struct dr_findings
lint(const char *where)
{
    struct dr_findings out = {.arena = arena};
    struct dr_err err = {0};
    enum dr_rc rc = dr_review_folder(where, NULL, &out, &err);
    if (rc != DR_OK) {
        print_error("%d: %s\n", (int)rc, err.message);
        fail();
    }
    dr_findings_sort(&out);
    return out;
}

static const struct dr_finding *
find(const struct dr_findings *list, const char *rule)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].rule, rule) == 0) {
            return &list->items[i];
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        print_error("%s %s:%u:%u %s\n", list->items[i].rule, list->items[i].file,
                    list->items[i].line, list->items[i].column, list->items[i].message);
    }
    print_error("no finding '%s'\n", rule);
    fail();
    return NULL;
}

#define VERIFY "-- drover:verify \"v\"\nSELECT true;\n"

static void
a_reserved_word_is_shown_with_caret_and_help(void **state)
{
    (void)state;
    put("1.sql", "-- drover:revision 1\n-- x\n-- Revision ID: a\n\n-- drover:up\nCREATE TABLE t (\n"
                 "    CONSTRAINT c CHECK (order >= 1 AND order <= 3)\n);\n" VERIFY
                 "-- drover:down\nDROP TABLE t;\n");
    struct dr_findings out = lint(folder);
    const struct dr_finding *f = find(&out, "unquoted-reserved-word");
    struct dr_buf text = {0};
    char expected[512];
    dr_finding_text(&text, f);
    snprintf(expected, sizeof expected,
             "error[unquoted-reserved-word]: syntax error at or near \"order\"\n"
             "  --> %s/1.sql:7:25\n"
             "  |\n"
             "7 |     CONSTRAINT c CHECK (order >= 1 AND order <= 3)\n"
             "  |                         ^^^^^ reserved in PostgreSQL\n"
             "   = help: write \"order\" in double quotes\n",
             folder);
    assert_string_equal(text.data, expected);
    assert_int_equal(dr_findings_errors(&out), 1);
    dr_buf_fini(&text);
}

static void
the_chain_of_the_demo_is_clean_on_every_engine(void **state)
{
    (void)state;
    static const char *const folders[] = {"deploy/chains/masterplan/revisions",
                                          "deploy/chains/canvas/revisions"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        const char *source = getenv("DROVER_SOURCE");
        snprintf(path, sizeof path, "%s/%s", source == NULL ? "." : source, folders[i]);
        struct dr_findings out = lint(path);
        struct dr_err err = {0};
        if (dr_findings_first_error(&out, &err)) {
            print_error("%s:%u:%u: %s (%s)\n", err.file, err.line, err.column, err.message,
                        err.hint);
            fail();
        }
    }
}

static void
the_chain_as_it_was_written_is_refused_at_its_faults(void **state)
{
    (void)state;
    char path[512];
    const char *source = getenv("DROVER_SOURCE");
    snprintf(path, sizeof path, "%s/deploy/chains/canvas/as-written",
             source == NULL ? "." : source);
    struct dr_findings out = lint(path);
    const struct dr_finding *f = find(&out, "unquoted-reserved-word");
    assert_non_null(strstr(f->source_line, "order"));
    assert_memory_equal(f->source_line + f->column - 1, "order", 5);
    find(&out, "missing-parent");
}

static void
an_object_made_twice_in_the_chain_is_an_error(void **state)
{
    (void)state;
    put("1.sql",
        "-- drover:revision 1\n-- x\n-- Revision ID: a\n\n-- drover:up\nCREATE TYPE m AS ENUM "
        "('x');\nCREATE TABLE t (id int);\n"
        "CREATE INDEX i ON t (id);\n" VERIFY "-- drover:down\nDROP TABLE t;\nDROP TYPE m;\n");
    put("2.sql",
        "-- drover:revision 1\n-- x\n-- Revision ID: b\n-- Revises: a\n-- Destructive: t\n-- "
        "drover:up\nDROP TABLE t;\n"
        "CREATE TABLE t (id int);\nCREATE INDEX i ON t (id);\nCREATE TYPE m AS ENUM ('y');\n" VERIFY
        "-- drover:down none reason=\"x\"\n");
    struct dr_findings out = lint(folder);
    const struct dr_finding *f = find(&out, "duplicate-object");
    assert_int_equal(dr_findings_errors(&out), 1);
    assert_int_equal(f->line, 10);
    assert_non_null(strstr(f->message, "type m exists already: made on line 6 of"));
}

static void
every_bad_file_is_reported_and_the_others_still_checked(void **state)
{
    (void)state;
    put("1.sql", "-- drover:revision 1\n-- x\n-- Revision ID: a\n\n-- drover:up\nSELECT 1;\n");
    put("2.sql", "-- drover:revision 1\n-- x\n-- Revision ID: b\n-- Revises: a\n\n-- "
                 "drover:up\nSELECT 1 +;\n-- drover:down\nSELECT 1;\n");
    put("3.sql", "nothing\n");
    struct dr_findings out = lint(folder);
    assert_int_equal(dr_findings_errors(&out), 3);
    assert_non_null(strstr(find(&out, "missing-down")->file, "1.sql"));
    assert_int_equal(find(&out, "syntax-error")->line, 7);
    assert_non_null(strstr(find(&out, "header")->file, "3.sql"));
    assert_string_equal(find(&out, "header")->source_line, "nothing");
    assert_non_null(find(&out, "no-verify"));
}

static void
a_second_head_is_a_finding(void **state)
{
    (void)state;
    put("1.sql", "-- drover:revision 1\n-- x\n-- Revision ID: a\n\n-- drover:up\nSELECT 1;\n-- "
                 "drover:down\nSELECT 1;\n");
    put("2.sql", "-- drover:revision 1\n-- x\n-- Revision ID: b\n\n-- drover:up\nSELECT 1;\n-- "
                 "drover:down\nSELECT 1;\n");
    struct dr_findings out = lint(folder);
    assert_string_equal(find(&out, "second-head")->help, "drover merge a b -m \"merge\"");
}

#define LITE_HEAD "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Engine: sqlite\n\n"

static void
sqlite_is_prepared_against_a_scratch_database(void **state)
{
    (void)state;
    put("1.sql", LITE_HEAD
        "-- drover:up\nCREATE TABLE t (id INTEGER, \"order\" INTEGER CHECK (order >= 1));\n" VERIFY
        "-- drover:down\nDROP TABLE t;\n");
    struct dr_findings out = lint(folder);
    const struct dr_finding *f = find(&out, "unquoted-reserved-word");
    assert_int_equal(f->line, 7);
    assert_int_equal(f->column, 52);
    assert_string_equal(f->help, "write \"order\" in double quotes");
    put("1.sql", LITE_HEAD
        "-- drover:up\nCREATE TABLE t (id INTEGER);\nINSERT INTO nope VALUES (1);\n" VERIFY
        "-- drover:down\nDROP TABLE t;\n");
    out = lint(folder);
    assert_int_equal(find(&out, "statement-error")->line, 8);
    assert_string_equal(find(&out, "statement-error")->message, "no such table: nope");
    put("1.sql", LITE_HEAD "-- drover:up\nCREATE TABLE t (id INTEGER);\n-- drover:verify "
                           "\"v\"\nSELECT count(*) FROM u;\n"
                           "-- drover:down\nDROP TABLE t;\nDROP TABLE t;\n");
    out = lint(folder);
    assert_int_equal(dr_findings_errors(&out), 2);
    assert_int_equal(out.items[0].line, 9);
    assert_int_equal(out.items[1].line, 12);
}

static void
a_nolint_with_a_reason_silences_a_warning(void **state)
{
    (void)state;
    put("1.sql", "-- drover:revision 1\n-- x\n-- Revision ID: a\n\n-- drover:up\n"
                 "-- drover:nolint no-verify reason=\"nothing to see\"\nSELECT 1;\n-- "
                 "drover:down\nSELECT 1;\n");
    struct dr_findings out = lint(folder);
    assert_int_equal(out.count, 0);
}

static void
an_index_on_an_older_table_should_be_concurrent(void **state)
{
    (void)state;
    put("1.sql", "-- drover:revision 1\n-- x\n-- Revision ID: a\n\n-- drover:up\nCREATE TABLE t "
                 "(id int, a int, b int);\nCREATE INDEX i ON t (id);\n" VERIFY
                 "-- drover:down\nDROP TABLE t;\n");
    put("2.sql", "-- drover:revision 1\n-- x\n-- Revision ID: b\n-- Revises: a\n\n-- "
                 "drover:up\nCREATE INDEX j ON t (a);\n"
                 "-- drover:nolint require-concurrent-index-creation reason=\"ten rows\"\nCREATE "
                 "INDEX k ON t (b);\n" VERIFY "-- drover:down\nDROP INDEX k, j;\n");
    struct dr_findings out = lint(folder);
    assert_int_equal(out.count, 1);
    assert_int_equal(find(&out, "require-concurrent-index-creation")->line, 7);
    assert_int_equal(out.items[0].severity, DR_SEVERITY_WARNING);
}

static void
json_escapes_and_counts(void **state)
{
    (void)state;
    struct dr_findings out = {.arena = arena};
    struct dr_finding f = {.severity = DR_SEVERITY_ERROR,
                           .rule = "syntax-error",
                           .message = "at \"x\"\n\\",
                           .file = "a.sql"};
    f.line = 3;
    f.column = 4;
    dr_findings_add(&out, &f);
    struct dr_buf text = {0};
    dr_findings_json(&text, &out);
    assert_string_equal(text.data, "{\"schema\":\"drover.v1.Findings\",\"findings\":[{\"severity\":"
                                   "\"error\",\"rule\":\"syntax-error\","
                                   "\"message\":\"at "
                                   "\\\"x\\\"\\u000a\\\\\",\"file\":\"a.sql\",\"line\":3,"
                                   "\"column\":4,\"width\":0,\"help\":\"\"}],"
                                   "\"errors\":1,\"warnings\":0,\"advice\":0}\n");
    dr_buf_fini(&text);
}

static void
every_rule_has_its_row(void **state)
{
    (void)state;
    for (const struct dr_lint_rule *r = dr_lint_rules(); r->name != NULL; r++) {
        assert_non_null(r->summary);
        assert_ptr_equal(dr_lint_rule_named(r->name), r);
        assert_int_equal(r->severity == DR_SEVERITY_ERROR, r->rc != DR_OK);
    }
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_reserved_word_is_shown_with_caret_and_help),
        TEST(the_chain_of_the_demo_is_clean_on_every_engine),
        TEST(the_chain_as_it_was_written_is_refused_at_its_faults),
        TEST(an_object_made_twice_in_the_chain_is_an_error),
        TEST(every_bad_file_is_reported_and_the_others_still_checked),
        TEST(a_second_head_is_a_finding),
        TEST(sqlite_is_prepared_against_a_scratch_database),
        TEST(a_nolint_with_a_reason_silences_a_warning),
        TEST(an_index_on_an_older_table_should_be_concurrent),
        TEST(json_escapes_and_counts),
        TEST(every_rule_has_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
