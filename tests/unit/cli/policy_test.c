// Policies as text: each line of each environment reads back as it was written, and what cannot
// work is told before anybody signs it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "coordinator/cli/policy_explain.h"
#include "coordinator/cli/policy_text.h"
#include "coordinator/cli/policy_window.h"
#include "support/test_tmp.h"
#include "trust/fleet.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sheet {
    struct dr_tmp tmp;
    struct dr_cli cli;
    struct dr_err err;
    Drover__V1__Environment **rows;
    size_t n;
};

// staging, with a line more, and production, with a line more.
static enum dr_rc
read_policy(struct sheet *t, const char *staging, const char *production)
{
    char path[PATH_MAX], text[4096];
    dr_tmp_init(&t->tmp);
    t->cli = (struct dr_cli){.arena = dr_arena_new(1u << 22)};
    t->err = (struct dr_err){0};
    int len = snprintf(text, sizeof text,
                       "environment \"staging\" {\n rank = 1\n %s\n}\n"
                       "environment \"production\" {\n rank = 2\n %s\n}\n",
                       staging, production);
    assert_true(len > 0 && (size_t)len < sizeof text);
    assert_int_equal(
        dr_file_write(dr_tmp_path(&t->tmp, "policy.conf", path), text, (size_t)len, 0600, &t->err),
        DR_OK);
    return dr_policy_read(&t->cli, path, &t->rows, &t->n, &t->err);
}

static void
end(struct sheet *t)
{
    dr_arena_free(&t->cli.arena);
    dr_tmp_fini(&t->tmp);
}

// ---- text

static void
each_line_reads_back_as_it_was(void **state)
{
    static const char *const lines[] = {
        "wave_percents = {10, 30, 60}",
        "wave_soak = \"15min\"",
        "wave_parallel = 4",
        "server_parallel = 2",
        "windows = {\"mon-thu 09:00-16:00 Europe/Zurich\", \"sat,sun 22:00-04:00 UTC\"}",
        "drift_every = \"6h\"",
        "rehearse = true",
        "probe \"errors\" { engine = postgresql sql = \"SELECT 0\" most = \"5\" every = \"30s\" }",
        "probe \"lag\" { engine = sqlite sql = \"SELECT 1\" least = \"-1.5\" every = \"1min\" }",
        "gate \"rehearsed\" { max_age = \"7d\" }",
        "gate \"probed:staging:errors\" { min_targets = 2 soak = \"1h\" }",
        "gate \"probed:production:errors\" { min_targets = 1 soak = \"0s\" after = true }",
        "gate \"verified:staging\" { min_targets = 1 soak = \"0s\" }",
        "gate \"verified\" { after = true }",
        "gate \"rollback-proved:staging\" { min_targets = 1 soak = \"0s\" one_way = true }",
        "gate \"signoff:logs-reviewed\" { }",
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(lines); i++) {
        struct sheet t;
        struct dr_buf text = {0};
        enum dr_rc rc = read_policy(&t, "", lines[i]);
        if (rc != DR_OK) {
            fail_msg("%s: %s", lines[i], t.err.message);
        }
        dr_policy_text(t.rows[1], &text);
        if (strstr(text.data, lines[i]) == NULL) {
            fail_msg("'%s' became\n%s", lines[i], text.data);
        }
        dr_buf_fini(&text);
        end(&t);
    }
}

static void
what_stands_at_its_default_takes_no_line(void **state)
{
    struct sheet t;
    struct dr_buf text = {0};
    (void)state;
    assert_int_equal(read_policy(&t, "", ""), DR_OK);
    dr_policy_text(t.rows[0], &text);
    assert_null(strstr(text.data, "wave_percents"));
    assert_null(strstr(text.data, "windows"));
    assert_null(strstr(text.data, "rehearse"));
    dr_buf_fini(&text);
    end(&t);
}

static void
probes_stand_in_order(void **state)
{
    struct sheet t;
    (void)state;
    assert_int_equal(read_policy(&t,
                                 "probe \"b\" { sql = \"SELECT 1\" }\nprobe \"a\" { sql = "
                                 "\"SELECT 1\" }",
                                 ""),
                     DR_OK);
    assert_string_equal(t.rows[0]->probes[0]->name, "a");
    assert_int_equal(t.rows[0]->probes[0]->every_s, 30);
    end(&t);
}

static void
windows_are_read_in_every_form(void **state)
{
    static const struct {
        const char *text, *shown;
        uint32_t days, from, to;
    } rows[] = {
        {"mon-thu 09:00-16:00 Europe/Zurich", NULL, 0x0f, 540, 960},
        {"daily 00:00-24:00 UTC", NULL, 0x7f, 0, 1440},
        {"mon,wed,fri-sun 10:30-11:00 UTC", NULL, 0x75, 630, 660},
        {"sat-mon 22:00-04:00 UTC", "mon,sat,sun 22:00-04:00 UTC", 0x61, 1320, 240},
        {"mon-sun 08:00-00:00 UTC", "daily 08:00-24:00 UTC", 0x7f, 480, 1440},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_arena *arena = dr_arena_new(1u << 16);
        Drover__V1__Window window;
        struct dr_err err = {0};
        char text[DR_POLICY_WINDOW_MAX];
        assert_int_equal(dr_policy_window_parse(arena, rows[i].text, &window, &err), DR_OK);
        assert_int_equal(window.days, rows[i].days);
        assert_int_equal(window.from_minute, rows[i].from);
        assert_int_equal(window.to_minute, rows[i].to);
        dr_policy_window_text(&window, text);
        assert_string_equal(text, rows[i].shown ? rows[i].shown : rows[i].text);
        dr_arena_free(&arena);
    }
}

static void
what_is_no_policy_is_refused_with_a_hint(void **state)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"windows = {\"mon 9:00-16:00 UTC\"}", "this is no window"},
        {"windows = {\"mon 09:00-16:00\"}", "this is no window"},
        {"windows = {\"someday 09:00-16:00 UTC\"}", "this is no window"},
        {"windows = {\"mon, 09:00-16:00 UTC\"}", "this is no window"},
        {"windows = {\"mon 09:00-25:00 UTC\"}", "this is no window"},
        {"windows = {\"mon 09:60-10:00 UTC\"}", "this is no window"},
        {"windows = {\"mon 09:00-09:00 UTC\"}", "this is no window"},
        {"windows = {\"mon 09:00-10:00 ../etc/passwd\"}", "this is no window"},
        {"wave_percents = {10, x}", "no share of a wave: 'x'"},
        {"wave_percents = {0, 100}", "no share of a wave: '0'"},
        {"probe \"A b\" { sql = \"SELECT 1\" }", "no name of a probe"},
        {"probe \"a\" { sql = \"SELECT 1\" engine = oracle }", "there is no engine 'oracle'"},
        {"gate \"rehearsed:staging\" { }", "there is no gate"},
        {"gate \"probed:staging\" { }", "there is no gate"},
        {"gate \"probed\" { }", "there is no gate"},
        {"gate \"backup\" { restore = \"prayed\" }", "no level of restore 'prayed'"},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct sheet t;
        assert_int_equal(read_policy(&t, "", rows[i].line), DR_E_CONFIG);
        if (strstr(t.err.message, rows[i].says) == NULL || t.err.hint[0] == '\0') {
            fail_msg("%s: '%s'", rows[i].line, t.err.message);
        }
        end(&t);
    }
}

// ---- what cannot work

#define PROBE(rest) "probe \"errors\" { sql = \"SELECT 0\" " rest " }"

// id: G1 G2 G3 G4 G7
static const struct {
    const char *staging, *production, *says; // "": it works
} CHECKED[] = {
    {"", "wave_percents = {10, 90}", ""},
    {"", "wave_percents = {10, 80}", "wave_percents sum to 90, not to 100"},
    {"", "wave_percents = {50, 50}\nwave_labels = {\"canary\"}", "not by both"},
    {"", "wave_percents = {50, 50}\nwave_soak = \"3h\"", ""},
    {"", "wave_percents = {50, 50}\nwave_soak = \"4h\"", "the last wave could never start"},
    {"", "wave_percents = {10, 40, 50}\nwave_soak = \"2h\"", "3 waves with a soak of 7200 s"},
    {"", "canary_targets = 1\nwave_percents = {50, 50}\nwave_soak = \"2h\"",
     "3 waves with a soak of 7200 s"},
    {"", "canary_targets = 1\ngate \"staged:staging\" { soak = \"4h\" }",
     "2 waves with a soak of 14400 s"},
    {"", "gate \"staged:staging\" { min_targets = 0 }", "it would always be open"},
    {"", "gate \"backup\" { restore = \"listed\" }", "at most 0 s old"},
    {"", "canary_targets = 1\nwave_soak = \"4h\"", "the last wave could never start"},
    {"", "wave_soak = \"5h\"", ""},
    {"", "windows = {\"mon 09:00-16:00 Mars/Olympus\"}", "there is no time zone 'Mars/Olympus'"},
    {"", "windows = {\"mon 09:00-09:05 UTC\"}", "a window of 5 min is too short"},
    {"", "windows = {\"mon 23:58-00:07 UTC\"}", "a window of 9 min is too short"},
    {PROBE("most = \"0\""), "", ""},
    {PROBE(""), "", "it could never fail"},
    {PROBE("least = \"2\" most = \"1\""), "", "can never pass"},
    {PROBE("most = \"few\""), "", "no decimal numbers"},
    {PROBE("most = \"1\" every = \"0s\""), "", "is asked every 0 s"},
    {"probe \"x\" { sql = \"DROP TABLE users\" most = \"1\" }", "", "probe 'x' may not run"},
    {"probe \"x\" { sql = \"SELECT pg_sleep(9)\" most = \"1\" }", "", "probe 'x' may not run"},
    {PROBE("most = \"0\""), "gate \"probed:staging:errors\" { }", ""},
    {"", "gate \"probed:staging:errors\" { }", "has no such probe"},
    {"", "gate \"probed:production:errors\" { after = true }\n" PROBE("most = \"1\""), ""},
    {"", "gate \"probed:production:errors\" { }\n" PROBE("most = \"1\""), "does not come before"},
    {"", "rehearse = true\ngate \"rehearsed\" { max_age = \"1d\" }", ""},
    {"", "gate \"rehearsed\" { max_age = \"1d\" }", "rehearse = false"},
    {"", "rehearse = true\ngate \"rehearsed\" { }", "at most 0 s old"},
    {"", "gate \"rollback-proved:staging\" { }", "which has prove = false"},
    {"prove = true", "gate \"rollback-proved:staging\" { }", ""},
};

static void
what_cannot_work_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(CHECKED); i++) {
        struct sheet t;
        struct dr_buf said = {0};
        Drover__V1__FleetEntry entry[2], *list[2] = {&entry[0], &entry[1]};
        if (read_policy(&t, CHECKED[i].staging, CHECKED[i].production) != DR_OK) {
            fail_msg("row %zu: %s", i, t.err.message);
        }
        for (size_t k = 0; k < 2; k++) {
            drover__v1__fleet_entry__init(&entry[k]);
            entry[k].environment = t.rows[k];
        }
        size_t n = dr_policy_problems(list, 2, NULL, &said);
        const char *text = said.data ? said.data : "";
        if (n != (CHECKED[i].says[0] ? 1 : 0) || strstr(text, CHECKED[i].says) == NULL) {
            fail_msg("row %zu: %zu problems: %s", i, n, text);
        }
        dr_buf_fini(&said);
        end(&t);
    }
}

// ---- words and times

static void
policies_are_explained_and_simulated(void **state)
{
    // Friday 2027-01-15, 08:00 UTC; the window opens an hour later.
    static const char *const words[] = {
        "staging: 1 target, up, down and up again",
        "production: 0 targets, up\n",
        "waves: 2 of 50 %, 50 %, with 30m between them, at most 4 targets at once",
        "starts fri 09:00-16:00 UTC",
        "before the start:\n    a machine shows 1 target of staging ran the same, and 15m later",
        "a person signs 'logs-reviewed'",
        "afterwards:\n    a person signs 'monitored'",
    };
    struct sheet t;
    struct dr_buf said = {0}, times = {0};
    Drover__V1__Target target = DROVER__V1__TARGET__INIT;
    Drover__V1__FleetEntry entry[3], *list[3] = {&entry[0], &entry[1], &entry[2]};
    (void)state;
    assert_int_equal(
        read_policy(&t, "prove = true",
                    "wave_percents = {50, 50}\nwave_soak = \"30min\"\nwave_parallel = 4\n"
                    "windows = {\"fri 09:00-16:00 UTC\"}\n"
                    "gate \"staged:staging\" { soak = \"15min\" }\n"
                    "gate \"signoff:logs-reviewed\" { }\n"
                    "gate \"signoff:monitored\" { after = true }"),
        DR_OK);
    for (size_t k = 0; k < 3; k++) {
        drover__v1__fleet_entry__init(&entry[k]);
        entry[k].environment = k < 2 ? t.rows[1 - k] : NULL; // whatever their order
    }
    target.name = target.environment = t.rows[0]->name;
    target.state = DROVER__V1__TARGET_STATE__ACTIVE;
    entry[2].target = &target;
    dr_policy_explain(list, 3, NULL, &said);
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (strstr(said.data, words[i]) == NULL) {
            fail_msg("no '%s' in\n%s", words[i], said.data);
        }
    }
    dr_policy_simulate(list, 3, NULL, 1800000000, &times);
    assert_string_equal(times.data,
                        "staging: wave 1 of 1 not before 2027-01-15T08:00:00Z: 1 target, staging\n"
                        "production: wave 1 of 2 not before 2027-01-15T09:00:00Z\n"
                        "production: wave 2 of 2 not before 2027-01-15T09:30:00Z\n"
                        "From the first start to the last: 1h30m, of which 45m are soaks, and "
                        "what the runs and the people take.\n");
    dr_buf_fini(&said);
    dr_buf_fini(&times);
    end(&t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_reads_back_as_it_was),
        cmocka_unit_test(what_stands_at_its_default_takes_no_line),
        cmocka_unit_test(probes_stand_in_order),
        cmocka_unit_test(windows_are_read_in_every_form),
        cmocka_unit_test(what_is_no_policy_is_refused_with_a_hint),
        cmocka_unit_test(what_cannot_work_is_told),
        cmocka_unit_test(policies_are_explained_and_simulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
