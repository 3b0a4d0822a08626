// The report of `drover test` for CI systems.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/testing_view.h"

#include <string.h>

static const char expected[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<testsuites name=\"drover test\">\n"
    "  <testsuite name=\"sqlite 3.40.1\" tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"2\" "
    "time=\"2.005\">\n"
    "    <testcase classname=\"sqlite\" name=\"a1\" file=\"revisions/a&amp;b.sql\" "
    "time=\"1.234\">\n"
    "      <failure type=\"up\" message=\"1 &lt; 2 &amp; \\u{001B}[31mred\">f:3:4: 1 &lt; 2 "
    "&amp; \\u{001B}[31mred&#10;- table &quot;t&quot;</failure>\n"
    "      <system-out>f:1:1: a note</system-out>\n"
    "    </testcase>\n"
    "    <testcase classname=\"sqlite.a1\" name=\"SC-001 &quot;is&quot; &lt;there&gt;\" "
    "file=\"revisions/a&amp;b.sql\" time=\"0.007\">\n"
    "    </testcase>\n"
    "    <testcase classname=\"sqlite.a1\" name=\"SC-002\" file=\"revisions/a&amp;b.sql\" "
    "time=\"0.000\">\n"
    "      <failure type=\"verify\" message=\"not&#10;true\"/>\n"
    "    </testcase>\n"
    "    <testcase classname=\"sqlite.a1\" name=\"later\" file=\"revisions/a&amp;b.sql\" "
    "time=\"0.000\">\n"
    "      <skipped/>\n"
    "    </testcase>\n"
    "    <testcase classname=\"sqlite\" name=\"a1\" file=\"revisions/a&amp;b.sql\" "
    "time=\"0.000\">\n"
    "      <skipped message=\"it stands on a revision that failed\"/>\n"
    "    </testcase>\n"
    "  </testsuite>\n"
    "</testsuites>\n";

// id: V19
static void
a_report_names_each_revision_and_check_and_escapes_what_xml_would_take(void **state)
{
    (void)state;
    static const struct dr_revision revision = {
        .id = "a1", .path = "revisions/a&b.sql", .message = "x"};
    static const struct dr_node node = {.revision = &revision};
    static const struct dr_node *nodes[] = {&node, &node};
    static const struct dr_check_result checks[] = {
        {.name = "SC-001 \"is\" <there>", .verdict = DR_CHECK_PASSED, .duration_ms = 7},
        {.name = "SC-002", .verdict = DR_CHECK_FAILED, .reason = "not\ntrue"},
        {.name = "later", .verdict = DR_CHECK_DEFERRED, .reason = ""}};
    struct dr_test_revision revisions[2] = {{.node = &node,
                                             .verdict = DR_TEST_FAILED,
                                             .up_ms = 1200,
                                             .down_ms = 34,
                                             .checks = checks,
                                             .checks_count = 3,
                                             .findings = {{.is_note = true,
                                                           .kind = "rows",
                                                           .message = "a note",
                                                           .hint = "",
                                                           .details = "",
                                                           .file = "f",
                                                           .line = 1,
                                                           .column = 1},
                                                          {.kind = "up",
                                                           .message = "1 < 2 & \x1b[31mred",
                                                           .hint = "",
                                                           .details = "- table \"t\"",
                                                           .file = "f",
                                                           .line = 3,
                                                           .column = 4}},
                                             .findings_count = 2},
                                            {.node = &node, .verdict = DR_TEST_SKIPPED}};
    struct dr_testing part = {.name = "sqlite",
                              .version = "3.40.1",
                              .nodes = {.items = nodes, .count = 2},
                              .revisions = revisions,
                              .failed = 1,
                              .skipped = 1,
                              .duration_ms = 2005};
    struct dr_buf out = {0};
    dr_testing_junit(&part, 1, &out);
    assert_string_equal(out.data, expected);
    dr_buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_names_each_revision_and_check_and_escapes_what_xml_would_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
