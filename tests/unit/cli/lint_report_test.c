// Findings in the formats of others: each is read again by what others would read it with.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/lint_report.h"

#include <jansson.h>
#include <string.h>

static struct dr_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = dr_arena_new(16u << 20);
    return arena == NULL;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    return 0;
}

static struct dr_findings
some(void)
{
    struct dr_findings list = {.arena = arena};
    static const struct dr_finding rows[] = {
        {.severity = DR_SEVERITY_ERROR,
         .rule = "syntax-error",
         .message = "at \"<x>\" & 50%\nof it",
         .file = "a b/1,2.sql",
         .line = 3,
         .column = 4,
         .width = 5,
         .source_line = "SELECT <x> & 1",
         .help = "write it: again"},
        {.severity = DR_SEVERITY_WARNING,
         .rule = "missing-fk-index",
         .message = "m",
         .file = "1.sql",
         .line = 7,
         .column = 1},
        {.severity = DR_SEVERITY_WARNING,
         .rule = "missing-fk-index",
         .message = "m",
         .file = "1.sql",
         .line = 9,
         .column = 1},
        {.severity = DR_SEVERITY_ADVICE,
         .rule = "ban-char-field",
         .message = "whole",
         .file = "/x/2.sql"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dr_findings_add(&list, &rows[i]);
    }
    return list;
}

static char *
report(const char *format, const struct dr_findings *findings)
{
    struct dr_buf out = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_lint_report_named(format)(&out, findings, &err), DR_OK);
    char *text = dr_arena_str(arena, out.data == NULL ? "" : out.data);
    dr_buf_fini(&out);
    return text;
}

static void
github_gets_one_command_a_line(void **state)
{
    (void)state;
    struct dr_findings list = some();
    assert_string_equal(
        report("github", &list),
        "::error file=a b/1%2C2.sql,line=3,col=4,endColumn=9,title=syntax-error::at \"<x>\" & "
        "50%25%0Aof it%0Ahelp: write it: again\n"
        "::warning file=1.sql,line=7,col=1,endColumn=2,title=missing-fk-index::m\n"
        "::warning file=1.sql,line=9,col=1,endColumn=2,title=missing-fk-index::m\n"
        "::notice file=/x/2.sql,title=ban-char-field::whole\n");
}

static void
gitlab_gets_fingerprints_that_differ_and_last(void **state)
{
    (void)state;
    struct dr_findings list = some();
    json_t *first = json_loads(report("gitlab", &list), 0, NULL);
    list.items[0].line = 30;
    json_t *second = json_loads(report("gitlab", &list), 0, NULL);
    assert_int_equal(json_array_size(first), 4);
    const char *prints[4];
    for (size_t i = 0; i < 4; i++) {
        json_t *row = json_array_get(first, i);
        prints[i] = json_string_value(json_object_get(row, "fingerprint"));
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(prints[i], prints[k]);
        }
        json_t *lines = json_object_get(json_object_get(row, "location"), "lines");
        assert_true(json_integer_value(json_object_get(lines, "begin")) >= 1);
        assert_non_null(json_object_get(row, "description"));
        assert_non_null(json_object_get(row, "check_name"));
    }
    json_t *moved = json_array_get(second, 0);
    assert_string_equal(json_string_value(json_object_get(moved, "fingerprint")), prints[0]);
    assert_string_equal(json_string_value(json_object_get(json_array_get(first, 0), "severity")),
                        "critical");
    json_decref(first);
    json_decref(second);
}

// What SARIF 2.1.0 requires of what is written here (sections 3.13 to 3.58 of the standard).
static void
check_result(json_t *result, json_t *rules)
{
    static const char *const levels[] = {"none", "note", "warning", "error"};
    const char *level = json_string_value(json_object_get(result, "level"));
    json_int_t index = json_integer_value(json_object_get(result, "ruleIndex"));
    json_t *rule = json_array_get(rules, (size_t)index);
    bool is_level = false;
    for (size_t i = 0; i < 4; i++) {
        is_level = is_level || strcmp(levels[i], level) == 0;
    }
    assert_true(is_level);
    assert_string_equal(json_string_value(json_object_get(rule, "id")),
                        json_string_value(json_object_get(result, "ruleId")));
    json_t *message = json_object_get(result, "message");
    assert_true(json_string_length(json_object_get(message, "text")) > 0);
    json_t *place = json_object_get(json_array_get(json_object_get(result, "locations"), 0),
                                    "physicalLocation");
    const char *uri =
        json_string_value(json_object_get(json_object_get(place, "artifactLocation"), "uri"));
    assert_null(strpbrk(uri, " ,<>\""));
    json_t *region = json_object_get(place, "region");
    if (region != NULL) {
        json_int_t from = json_integer_value(json_object_get(region, "startColumn"));
        assert_true(json_integer_value(json_object_get(region, "startLine")) >= 1 && from >= 1);
        assert_true(json_integer_value(json_object_get(region, "endColumn")) > from);
    }
}

static void
sarif_has_what_its_schema_requires(void **state)
{
    (void)state;
    struct dr_findings list = some(), none = {.arena = arena};
    json_t *log = json_loads(report("sarif", &list), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(log, "version")), "2.1.0");
    json_t *runs = json_object_get(log, "runs"), *run = json_array_get(runs, 0);
    assert_int_equal(json_array_size(runs), 1);
    json_t *driver = json_object_get(json_object_get(run, "tool"), "driver");
    json_t *rules = json_object_get(driver, "rules"), *rule, *result;
    size_t i, count = 0;
    assert_string_equal(json_string_value(json_object_get(driver, "name")), "drover");
    json_array_foreach(rules, i, rule)
    {
        assert_non_null(json_object_get(json_object_get(rule, "shortDescription"), "text"));
        json_t *level = json_object_get(json_object_get(rule, "defaultConfiguration"), "level");
        assert_true(json_is_string(level) && strcmp(json_string_value(level), "advice") != 0);
    }
    json_array_foreach(json_object_get(run, "results"), i, result)
    {
        check_result(result, rules);
        count++;
    }
    assert_int_equal(count, 4);
    result = json_array_get(json_object_get(run, "results"), 0);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(result, "message"), "text")),
        "at \"<x>\" & 50%\nof it\nhelp: write it: again");
    json_decref(log);
    log = json_loads(report("sarif", &none), 0, NULL);
    result = json_object_get(json_array_get(json_object_get(log, "runs"), 0), "results");
    assert_true(json_is_array(result) && json_array_size(result) == 0);
    json_decref(log);
}

static void
junit_fails_errors_only(void **state)
{
    (void)state;
    struct dr_findings list = some(), none = {.arena = arena};
    const char *text = report("junit", &list);
    assert_non_null(strstr(text, "tests=\"4\" failures=\"1\" errors=\"0\""));
    assert_non_null(strstr(text, "<testcase classname=\"syntax-error\" name=\"a b/1,2.sql:3:4\">"
                                 "<failure message=\"at &quot;&lt;x&gt;&quot; &amp; 50%"));
    assert_non_null(strstr(text, "<system-out>warning[missing-fk-index]: m"));
    assert_null(strstr(text, "& "));
    text = report("junit", &none);
    assert_non_null(strstr(text, "tests=\"1\" failures=\"0\""));
    assert_non_null(strstr(text, "<testcase classname=\"drover lint\" name=\"all files\"/>"));
}

static void
other_formats_are_not_known(void **state)
{
    (void)state;
    assert_null(dr_lint_report_named("checkstyle"));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(github_gets_one_command_a_line),
        TEST(gitlab_gets_fingerprints_that_differ_and_last),
        TEST(sarif_has_what_its_schema_requires),
        TEST(junit_fails_errors_only),
        TEST(other_formats_are_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
