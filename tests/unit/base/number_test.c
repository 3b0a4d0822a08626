#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

#include <string.h>

#define DAY_MS 86400000ull

static void
numbers_are_whole_texts_within_bounds(void **state DR_UNUSED)
{
    uint64_t n = 0;
    assert_true(dr_parse_u64("0", 0, 10, &n));
    assert_int_equal(n, 0);
    assert_true(dr_parse_u64("0010", 0, 10, &n));
    assert_int_equal(n, 10);
    assert_true(dr_parse_u64("18446744073709551615", 0, UINT64_MAX, &n));
    assert_true(n == UINT64_MAX);
}

static void
numbers_are_refused_and_the_output_left_alone(void **state DR_UNUSED)
{
    static const char *const bad[] = {"",
                                      " 1",
                                      "1 ",
                                      "+1",
                                      "-1",
                                      "1a",
                                      "0x",
                                      "1.0",
                                      "1e3",
                                      "\xD9\xA1",
                                      "11",
                                      "4",
                                      "18446744073709551616",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < DR_COUNT_OF(bad); i++) {
        uint64_t n = 77;
        if (dr_parse_u64(bad[i], 5, 10, &n) || n != 77) {
            fail_msg("'%s'", bad[i]);
        }
    }
    uint64_t n = 77;
    assert_false(dr_parse_u64(NULL, 0, 10, &n));
    assert_false(dr_parse_u64("18446744073709551616", 0, UINT64_MAX, &n));
    assert_int_equal(n, 77);
}

static void
durations_have_units(void **state DR_UNUSED)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"250ms", 250},  {"3s", 3000},     {"10min", 600000},
                {"10m", 600000}, {"4h", 14400000}, {"30d", 30 * DAY_MS},
                {"5", 5000},     {"0", 0},         {"0ms", 0}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        uint64_t ms = 77;
        if (!dr_parse_duration_ms(rows[i].text, 365 * DAY_MS, &ms) || ms != rows[i].ms) {
            fail_msg("'%s' gave %llu", rows[i].text, (unsigned long long)ms);
        }
    }
}

static void
malformed_and_too_long_durations_are_refused(void **state DR_UNUSED)
{
    static const char *const bad[] = {"",     "s",  "-1s",  "1.5s",
                                      "1 s",  "1S", "1sec", "1w",
                                      "1d2h", "ms", "366d", "18446744073709551615d"};
    for (size_t i = 0; i < DR_COUNT_OF(bad); i++) {
        uint64_t ms = 77;
        if (dr_parse_duration_ms(bad[i], 365 * DAY_MS, &ms) || ms != 77) {
            fail_msg("'%s'", bad[i]);
        }
    }
    uint64_t ms;
    assert_false(dr_parse_duration_ms(NULL, 1000, &ms));
    assert_true(dr_parse_duration_ms("1s", 1000, &ms));
    assert_false(dr_parse_duration_ms("1001ms", 1000, &ms));
    assert_false(dr_parse_duration_ms("2s", 1999, &ms));
}

static void
sizes_are_for_people(void **state DR_UNUSED)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {{0, "0 B"},         {512, "512 B"},         {999, "999 B"},
                {1000, "1.0 kB"},   {2100000000, "2.1 GB"}, {999949, "999.9 kB"},
                {999950, "1.0 MB"}, {UINT64_MAX, "18.4 EB"}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        char out[32];
        dr_format_size(out, rows[i].bytes);
        assert_string_equal(out, rows[i].text);
    }
}

static void
durations_are_for_people(void **state DR_UNUSED)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {{0, "0ms"},
                {999, "999ms"},
                {1000, "1.0s"},
                {8249, "8.2s"},
                {59999, "59.9s"},
                {60000, "1m"},
                {134000, "2m14s"},
                {3599999, "59m59s"},
                {3600000, "1h"},
                {3 * 3600000, "3h"},
                {5400000, "1h30m"},
                {2 * DAY_MS, "2d"},
                {DAY_MS + 3600000, "1d1h"},
                {UINT64_MAX, "213503982334d14h"}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        char out[32];
        dr_format_duration(out, rows[i].ms);
        assert_string_equal(out, rows[i].text);
    }
}

static void
times_are_utc_whatever_the_zone(void **state DR_UNUSED)
{
    char out[32];
    dr_format_time(out, 1770991200);
    assert_string_equal(out, "2026-02-13T14:00:00Z");
    dr_format_time(out, 0);
    assert_string_equal(out, "1970-01-01T00:00:00Z");
    dr_format_time(out, -1);
    assert_string_equal(out, "1969-12-31T23:59:59Z");
    dr_format_time(out, INT64_MAX);
    assert_string_equal(out, "(out of range)");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_texts_within_bounds),
        cmocka_unit_test(numbers_are_refused_and_the_output_left_alone),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(malformed_and_too_long_durations_are_refused),
        cmocka_unit_test(sizes_are_for_people),
        cmocka_unit_test(durations_are_for_people),
        cmocka_unit_test(times_are_utc_whatever_the_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
