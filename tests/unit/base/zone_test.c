// Time zones: the same offsets as the C library gives, both changes of summer time to the second,
// and no file that breaks the reader.
#include "base/file.h"
#include "base/zone.h"
#include "base/zone_rule.h"
#include "support/test_tmp.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct dr_err err;

static int32_t
offset(const char *name, int64_t unix_s)
{
    struct dr_zone *zone = NULL;
    assert_int_equal(dr_zone_load(NULL, name, &zone, &err), DR_OK);
    int32_t found = dr_zone_offset_s(zone, unix_s);
    dr_zone_free(&zone);
    dr_zone_free(&zone); // twice is harmless
    return found;
}

static void
summer_time_begins_and_ends_to_the_second(void **state)
{
    (void)state;
    assert_int_equal(offset("Europe/Zurich", 1774745999), 3600); // 2026-03-29 01:59:59
    assert_int_equal(offset("Europe/Zurich", 1774746000), 7200);
    assert_int_equal(offset("Europe/Zurich", 1792889999), 7200); // 2026-10-25 02:59:59
    assert_int_equal(offset("Europe/Zurich", 1792890000), 3600);
    assert_int_equal(offset("Australia/Sydney", 1791043199), 36000);
    assert_int_equal(offset("Australia/Sydney", 1791043200), 39600);
    assert_int_equal(offset("Asia/Kolkata", 1767225600), 19800);
    assert_int_equal(offset("UTC", 1767225600), 0);
    assert_int_equal(offset("Europe/Zurich", 3802550400), 7200); // July 2090: by the rule
    assert_int_equal(offset("Europe/Zurich", 3786912000), 3600);
}

static void
offsets_are_those_of_the_c_library(void **state)
{
    static const char *const names[] = {"Europe/Zurich",       "Europe/Dublin",  "America/New_York",
                                        "America/St_Johns",    "Asia/Kathmandu", "Australia/Sydney",
                                        "Australia/Lord_Howe", "Asia/Jerusalem", "America/Santiago",
                                        "Pacific/Auckland",    "Asia/Kolkata",   "Etc/GMT+5"};
    uint64_t random = 0x243f6a8885a308d3u;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dr_zone *zone = NULL;
        assert_int_equal(dr_zone_load(NULL, names[i], &zone, &err), DR_OK);
        setenv("TZ", names[i], 1);
        tzset();
        for (size_t k = 0; k < 5000; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            time_t at = (time_t)(random >> 31) % 5000000000LL - 500000000LL; // 1954 to 2112
            struct tm tm;
            assert_non_null(localtime_r(&at, &tm));
            if (dr_zone_offset_s(zone, at) != tm.tm_gmtoff) {
                fail_msg("%s at %lld: %d instead of %ld", names[i], (long long)at,
                         dr_zone_offset_s(zone, at), tm.tm_gmtoff);
            }
        }
        dr_zone_free(&zone);
    }
    unsetenv("TZ");
    tzset();
}

static void
unknown_zone_is_told_with_what_to_write(void **state)
{
    static const char *const names[] = {
        "Europe/Zürich",
        "Mars/Olympus",
        "../../etc/passwd",
        "",
        "/etc/passwd",
        "Europe/",
        "Europe/..",
        "CE ST",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct dr_zone *zone = NULL;
        err = (struct dr_err){0};
        assert_int_equal(dr_zone_load(NULL, names[i], &zone, &err), DR_E_NOT_FOUND);
        assert_null(zone);
        assert_non_null(strstr(err.message, "there is no time zone"));
        assert_non_null(strstr(err.hint, "tzdata"));
    }
    assert_true(dr_zone_name_is_sound("America/Argentina/Buenos_Aires"));
    assert_true(dr_zone_name_is_sound("Etc/GMT+5"));
}

static enum dr_rc
load_bytes(struct dr_tmp *tmp, const char *bytes, size_t len, struct dr_zone **out)
{
    char path[PATH_MAX];
    assert_int_equal(dr_file_write(dr_tmp_path(tmp, "Zone", path), bytes, len, 0600, &err), DR_OK);
    return dr_zone_load(tmp->path, "Zone", out, &err);
}

static void
spoilt_files_are_refused_and_break_nothing(void **state)
{
    struct dr_tmp tmp;
    char *bytes = NULL;
    size_t len = 0, refused = 0;
    (void)state;
    dr_tmp_init(&tmp);
    assert_int_equal(
        dr_file_read(DR_ZONE_FOLDER "/Europe/Zurich", DR_ZONE_FILE_MAX, &bytes, &len, &err), DR_OK);
    for (size_t cut = 0; cut < len; cut += 1 + len / 97) { // no file is whole before its end
        struct dr_zone *zone = NULL;
        assert_int_not_equal(load_bytes(&tmp, bytes, cut, &zone), DR_OK);
        assert_null(zone);
    }
    for (size_t i = 0; i < len; i += 1 + len / 211) { // one byte changed: refused, or read
        struct dr_zone *zone = NULL;
        bytes[i] = (char)(bytes[i] ^ 0xff);
        if (load_bytes(&tmp, bytes, len, &zone) == DR_OK) {
            (void)dr_zone_offset_s(zone, 1774746000);
            (void)dr_zone_offset_s(zone, INT64_MAX);
            (void)dr_zone_offset_s(zone, INT64_MIN);
            dr_zone_free(&zone);
        } else {
            refused++;
        }
        bytes[i] = (char)(bytes[i] ^ 0xff);
    }
    assert_true(refused > 3);
    free(bytes);
    dr_tmp_fini(&tmp);
}

static void
table_of_the_first_version_is_enough(void **state)
{
    // Version 1: one change at 1000, from one hour to two; no rule behind.
    static const uint8_t file[] = {
        'T', 'Z', 'i', 'f',  0, 0, 0, 0,    0,    0, 0, 0, 0, 0,    0,    0, 0, 0,   0,   0,   0, 0,
        0,   0,   0,   0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 1,    0,    0, 0, 2,   0,   0,   0, 4,
        0,   0,   3,   0xe8, 1, 0, 0, 0x0e, 0x10, 0, 0, 0, 0, 0x1c, 0x20, 1, 0, 'A', 'B', 'C', 0};
    struct dr_tmp tmp;
    struct dr_zone *zone = NULL;
    (void)state;
    dr_tmp_init(&tmp);
    assert_int_equal(load_bytes(&tmp, (const char *)file, sizeof file, &zone), DR_OK);
    assert_int_equal(dr_zone_offset_s(zone, 999), 3600);
    assert_int_equal(dr_zone_offset_s(zone, 1000), 7200);
    assert_int_equal(dr_zone_offset_s(zone, 4000000000), 7200);
    dr_zone_free(&zone);
    dr_tmp_fini(&tmp);
}

static void
rules_of_all_forms_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t at;
        int32_t offset_s;
    } rows[] = {
        {"UTC0", 0, 0},
        {"<+0545>-5:45", 0, 20700},
        {"NZST-12NZDT,M9.5.0,M4.1.0/3", 1767225600, 46800}, // January: summer there
        {"NZST-12NZDT,M9.5.0,M4.1.0/3", 1782864000, 43200}, // July
        {"AAA0BBB-2:30,J60/0,J61/0", 1709251200, 9000}, // 2024-03-01: 29 February does not count
        {"AAA0BBB-2:30,J60/0,J61/0", 1709164800, 0},    // 2024-02-29
        {"AAA0BBB,59/0,60/0", 1709164800, 3600},        // day 59 from 0: 29 February
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 1767225600, 0},  // the standard is the summer's
        {"AAA3BBB,M3.2.0/-2,M11.1.0/167:59:59", 1782864000, -7200},
    };
    struct dr_zone_rule rule;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(dr_zone_rule_parse(rows[i].text, strlen(rows[i].text), &rule));
        if (dr_zone_rule_offset_s(&rule, rows[i].at) != rows[i].offset_s) {
            fail_msg("%s: %d", rows[i].text, dr_zone_rule_offset_s(&rule, rows[i].at));
        }
    }
}

static void
bad_rules_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "C",
                                        "CET",
                                        "CET-",
                                        "CET-1CEST",
                                        "CET-1CEST,M3.5.0",
                                        "CET-1CEST,M13.5.0,M10.5.0",
                                        "CET-1CEST,M3.6.0,M10.5.0",
                                        "CET-1CEST,M3.5.7,M10.5.0",
                                        "CET-1CEST,J0,J5",
                                        "CET-1CEST,J366,J5",
                                        "CET-1CEST,366,5",
                                        "CET-168",
                                        "CET-1:60",
                                        "<CET-1",
                                        "CET-1CEST,M3.5.0,M10.5.0,",
                                        "CET-1CEST,M3.5.0/x,M10.5.0",
                                        "CET-1C",
                                        "CET-1CEST-x,1,2"};
    struct dr_zone_rule rule;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (dr_zone_rule_parse(texts[i], strlen(texts[i]), &rule)) {
            fail_msg("'%s' was taken", texts[i]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summer_time_begins_and_ends_to_the_second),
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(unknown_zone_is_told_with_what_to_write),
        cmocka_unit_test(spoilt_files_are_refused_and_break_nothing),
        cmocka_unit_test(table_of_the_first_version_is_enough),
        cmocka_unit_test(rules_of_all_forms_are_read),
        cmocka_unit_test(bad_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
