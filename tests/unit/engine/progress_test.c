// A run's place in words: the server's own counts, and blockers without anything that may be data.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/progress.h"

#include <stdio.h>
#include <string.h>

static const char *
query_of(const char *text)
{
    static char out[DR_BLOCKER_QUERY_MAX + 1];
    struct dr_blocker b = {.pid = 1};
    (void)snprintf(b.query, sizeof b.query, "%s", text);
    dr_blocker_query(&b, out, sizeof out);
    return out;
}

static void
a_blockers_statement_is_told_without_its_values(void **state)
{
    (void)state;
    assert_string_equal(query_of("UPDATE users SET email='a@b', n = 12.5 WHERE id= 17;"),
                        "UPDATE users SET email=?, n = ?.? WHERE id= ?");
    assert_string_equal(query_of("SELECT E'it\\'s', $$x$$, $1 -- secret\nFROM \"My t\""),
                        "SELECT ?, ?, $? FROM \"My t\"");
    assert_string_equal(query_of("SELECT /* secret */ 1"), "SELECT ?");
    // The server cut it within a string.
    assert_string_equal(query_of("ALTER ROLE bob PASSWORD 'hunt"), "ALTER ROLE bob PASSWORD ...");
    assert_string_equal(query_of("SELECT \xc3\xbc\x01"), "SELECT ???");
    assert_string_equal(query_of(""), "");
}

static void
blockers_are_named_by_pid_application_age_and_statement(void **state)
{
    (void)state;
    struct dr_blocker list[2] = {{.pid = 11, .age_ms = 12345, .application = "app"},
                                 {.pid = 12, .application = "cron"}};
    struct dr_engine_progress p = {.blockers_count = 2, .blockers = list};
    char out[256], small[12];
    (void)snprintf(list[0].query, sizeof list[0].query, "SELECT 1");
    dr_progress_blockers(&p, out, sizeof out);
    assert_string_equal(out, "pid 11 (app, 12 s): SELECT ?, pid 12 (cron, 0 s)");
    dr_progress_blockers(&p, small, sizeof small);
    assert_int_equal(strlen(small), sizeof small - 1);
    list[1].is_hidden = true;
    dr_progress_blockers(&p, out, sizeof out);
    assert_string_equal(
        out, "pid 11 (app, 12 s): SELECT ?, pid 12 (cron, GRANT pg_read_all_stats shows more)");
    p.blockers_count = 0;
    dr_progress_blockers(&p, out, sizeof out);
    assert_string_equal(out, "");
}

static void
the_phase_is_the_servers_own_or_what_it_waits_for(void **state)
{
    (void)state;
    struct dr_server_progress s = {
        .phase = "building index: scanning table", .unit = "blocks", .done = 12, .total = 100};
    struct dr_blocker b = {.pid = 1};
    struct dr_engine_progress p = {.direction = DROVER__V1__MODE__UP};
    char out[192];
    dr_progress_phase(&p, out, sizeof out);
    assert_string_equal(out, "up");
    p.server = &s;
    dr_progress_phase(&p, out, sizeof out);
    assert_string_equal(out, "building index: scanning table: 12 of 100 blocks");
    s = (struct dr_server_progress){.waits_for = "IO DataFileRead", .wal_bytes = 5u << 20};
    dr_progress_phase(&p, out, sizeof out);
    assert_string_equal(out, "up, IO DataFileRead, 5 MiB of WAL");
    p.blockers_count = 1;
    p.blockers = &b;
    dr_progress_phase(&p, out, sizeof out);
    assert_string_equal(out, "waits for a lock");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blockers_statement_is_told_without_its_values),
        cmocka_unit_test(blockers_are_named_by_pid_application_age_and_statement),
        cmocka_unit_test(the_phase_is_the_servers_own_or_what_it_waits_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
