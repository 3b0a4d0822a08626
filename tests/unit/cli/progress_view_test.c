// Progress for people: who is in the way once per change, a bar on a terminal, a line per 30 s in
// a log.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/progress_view.h"

#include <string.h>

static struct dr_progress_line line;

static int
set_up(void **state)
{
    (void)state;
    line = (struct dr_progress_line){0};
    return 0;
}

static const char *
render(const struct dr_progress_at *at, bool is_terminal)
{
    static char text[512];
    struct dr_buf out = {0};
    dr_progress_render(&line, at, is_terminal, &out);
    assert_true(out.len < sizeof text);
    memcpy(text, out.len > 0 ? out.data : "", out.len + (out.len > 0 ? 1 : 0));
    text[out.len] = '\0';
    dr_buf_fini(&out);
    return text;
}

static void
blockers_are_shown_once_per_change(void **state)
{
    (void)state;
    struct dr_progress_at at = {
        .name = "", .phase = "waits for a lock", .blockers = "pid 11 (app, 1 s): SELECT ?"};
    assert_string_equal(render(&at, false),
                        "  waiting for a lock held by pid 11 (app, 1 s): SELECT ?\n");
    at.blockers = "pid 11 (app, 12 s): SELECT ?";
    at.elapsed_ms = 500;
    assert_string_equal(render(&at, false), "");
    at.blockers = "pid 12 (app, 0 s): SELECT ?";
    assert_non_null(strstr(render(&at, false), "pid 12"));
    at.blockers = "";
    assert_string_equal(render(&at, false), "  no longer waiting for a lock\n");
    assert_string_equal(render(&at, false), "");
}

static void
a_log_gets_a_line_every_30_seconds(void **state)
{
    (void)state;
    struct dr_progress_at at = {.name = "production/orders",
                                .phase = "building index: 1 of 4 blocks",
                                .blockers = "",
                                .done = 1,
                                .total = 4};
    size_t lines = 0;
    for (at.elapsed_ms = 0; at.elapsed_ms < 125000; at.elapsed_ms += 250) {
        const char *text = render(&at, false);
        lines += text[0] != '\0' ? 1 : 0;
        assert_true(text[0] == '\0' || at.elapsed_ms % 30000 == 0);
    }
    assert_int_equal(lines, 4);
    at.elapsed_ms = 250; // the next unit
    assert_string_equal(render(&at, false), "");
    at.elapsed_ms = 30500;
    assert_string_equal(render(&at, false),
                        "  production/orders: building index: 1 of 4 blocks  30.5s\n");
}

static void
a_terminal_gets_a_bar_of_the_servers_counts_only(void **state)
{
    (void)state;
    struct dr_progress_at at = {.name = "",
                                .phase = "building index",
                                .blockers = "",
                                .done = 1,
                                .total = 4,
                                .elapsed_ms = 900};
    assert_string_equal(render(&at, true), "");
    at.elapsed_ms = 12300;
    assert_string_equal(render(&at, true),
                        "\r\x1b[K  building index  [#####---------------]  12.3s");
    assert_true(line.is_open);
    at.total = 0; // no count: no bar
    at.phase = "up, IO DataFileRead, 3 MiB of WAL\x1b[2J";
    assert_string_equal(render(&at, true),
                        "\r\x1b[K  up, IO DataFileRead, 3 MiB of WAL\\u{001B}[2J  12.3s");
    at.blockers = "pid 1 (a, 2 s)";
    assert_string_equal(render(&at, true),
                        "\r\x1b[K  waiting for a lock held by pid 1 (a, 2 s)\n"
                        "\r\x1b[K  up, IO DataFileRead, 3 MiB of WAL\\u{001B}[2J  12.3s");
    dr_progress_end(&line);
    assert_false(line.is_open);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(blockers_are_shown_once_per_change, set_up),
        cmocka_unit_test_setup(a_log_gets_a_line_every_30_seconds, set_up),
        cmocka_unit_test_setup(a_terminal_gets_a_bar_of_the_servers_counts_only, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
