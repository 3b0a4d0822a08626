#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"
#include "support/test_tmp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOON_MS 1770991200123 // 2026-02-13T14:00:00.123Z

// Standard error goes to a file while an event is written. The tests of this program run in order,
// each with settings of its own.
struct capture {
    char path[PATH_MAX];
    int saved;
};

static void
begin_capture(struct capture *capture, void **state)
{
    dr_clock_set_for_test(NOON_MS);
    dr_tmp_path(*state, "log", capture->path);
    int fd = open(capture->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    capture->saved = dup(STDERR_FILENO);
    assert_true(fd >= 0 && capture->saved >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    (void)close(fd);
}

static char *
end_capture(struct capture *capture)
{
    char *text = NULL;
    size_t len;
    (void)dup2(capture->saved, STDERR_FILENO);
    (void)close(capture->saved);
    dr_clock_set_for_test(-1);
    assert_int_equal(dr_file_read(capture->path, 1 << 22, &text, &len, NULL), DR_OK);
    assert_int_equal(strlen(text), len);
    return text;
}

static void
text_lines_are_for_people(void **state)
{
    struct capture capture;
    begin_capture(&capture, state);
    dr_log_init("droverd", DR_LOG_INFO, DR_LOG_TEXT);
    dr_log(DR_LOG_INFO, "plan received", "target", "staging/orders", "note", "two words", NULL);
    dr_log(DR_LOG_ERROR, "nothing to add", NULL);
    char *text = end_capture(&capture);
    assert_string_equal(text, "2026-02-13T14:00:00 info  droverd: plan received "
                              "target=staging/orders note=\"two words\"\n"
                              "2026-02-13T14:00:00 error droverd: nothing to add\n");
    free(text);
}

static void
json_lines_escape_what_json_and_terminals_need(void **state)
{
    struct capture capture;
    begin_capture(&capture, state);
    dr_log_init("agent", DR_LOG_INFO, DR_LOG_JSON);
    dr_log(DR_LOG_WARN, "say \"hi\"", "k\"ey", "a\\b\n\x1b[2J\xff\xE2\x80\xAE\tz\xC3\xA9", NULL);
    char *text = end_capture(&capture);
    assert_string_equal(text,
                        "{\"ts\":\"2026-02-13T14:00:00.123Z\",\"level\":\"warn\","
                        "\"component\":\"agent\",\"msg\":\"say \\\"hi\\\"\","
                        "\"k\\\"ey\":\"a\\\\b\\n\\\\u{001B}[2J\\\\xFF\\\\u{202E}\\tz\xC3\xA9\"}\n");
    free(text);
}

static void
a_value_cannot_forge_a_line_or_a_field(void **state)
{
    struct capture capture;
    begin_capture(&capture, state);
    dr_log_init("agent", DR_LOG_INFO, DR_LOG_TEXT);
    dr_log(DR_LOG_INFO, "m\n2026 error x", "a", "x\nlevel=error", "b", "q\" c=\"1", "d", "", "e",
           "f=g", "h", NULL, NULL);
    char *text = end_capture(&capture);
    assert_string_equal(text,
                        "2026-02-13T14:00:00 info  agent: m\\u{000A}2026 error x "
                        "a=\"x\\nlevel=error\" b=\"q\\\" c=\\\"1\" d=\"\" e=\"f=g\" h=\"\"\n");
    free(text);
}

static void
a_huge_value_is_cut_and_the_line_is_kept(void **state)
{
    struct capture capture;
    char *huge = malloc(3 << 20);
    assert_non_null(huge);
    memset(huge, 'x', (3 << 20) - 1);
    huge[(3 << 20) - 1] = '\0';
    begin_capture(&capture, state);
    dr_log_init("agent", DR_LOG_INFO, DR_LOG_JSON);
    dr_log(DR_LOG_INFO, "m", "a", huge, "b", "behind", NULL);
    char *text = end_capture(&capture);
    free(huge);
    size_t len = strlen(text);
    assert_true(len > 4096 && len < 5000);
    assert_true(dr_str_ends(text, "xxx...\",\"b\":\"behind\"}\n"));
    free(text);
}

static void
an_error_is_logged_with_all_that_it_knows(void **state)
{
    struct capture capture;
    struct dr_err err = {0};
    (void)dr_err_set(&err, DR_E_NOT_FOUND, "no '%s'", "x");
    (void)dr_err_hint(&err, "type this");
    (void)dr_err_at(&err, "a.sql", 3, 4);
    begin_capture(&capture, state);
    dr_log_init("agent", DR_LOG_INFO, DR_LOG_TEXT);
    dr_log_err(DR_LOG_ERROR, "stopped", &err);
    dr_log_err(DR_LOG_DEBUG, "not shown", &err);
    char *text = end_capture(&capture);
    assert_string_equal(text, "2026-02-13T14:00:00 error agent: stopped error=\"no 'x'\" "
                              "code=not-found hint=\"type this\" at=a.sql:3:4\n");
    free(text);
}

static void
levels_below_the_least_are_dropped_and_the_environment_wins(void **state)
{
    struct capture capture;
    begin_capture(&capture, state);
    dr_log_init("a", DR_LOG_WARN, DR_LOG_TEXT);
    dr_log(DR_LOG_INFO, "one", NULL);
    dr_log(DR_LOG_WARN, "two", NULL);
    assert_int_equal(setenv("DROVER_LOG", "debug", 1), 0);
    dr_log_init("a", DR_LOG_ERROR, DR_LOG_TEXT);
    dr_log(DR_LOG_DEBUG, "three", NULL);
    assert_int_equal(setenv("DROVER_LOG", "nonsense", 1), 0);
    dr_log_init("a", DR_LOG_ERROR, DR_LOG_TEXT);
    dr_log(DR_LOG_WARN, "four", NULL);
    assert_int_equal(unsetenv("DROVER_LOG"), 0);
    char *text = end_capture(&capture);
    assert_null(strstr(text, "one"));
    assert_non_null(strstr(text, "two"));
    assert_non_null(strstr(text, "three"));
    assert_null(strstr(text, "four"));
    free(text);
}

static void
auto_writes_json_where_there_is_no_terminal(void **state)
{
    struct capture capture;
    begin_capture(&capture, state);
    dr_log_init("a", DR_LOG_INFO, DR_LOG_AUTO);
    dr_log(DR_LOG_INFO, "m", NULL);
    char *text = end_capture(&capture);
    assert_true(text[0] == '{');
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dr_tmp_setup, dr_tmp_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_lines_are_for_people),
        TEST(json_lines_escape_what_json_and_terminals_need),
        TEST(a_value_cannot_forge_a_line_or_a_field),
        TEST(a_huge_value_is_cut_and_the_line_is_kept),
        TEST(an_error_is_logged_with_all_that_it_knows),
        TEST(levels_below_the_least_are_dropped_and_the_environment_wins),
        TEST(auto_writes_json_where_there_is_no_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
