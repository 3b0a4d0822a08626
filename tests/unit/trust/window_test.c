// Windows: open to the minute in local time, over midnight, through both changes of summer time;
// the agent's check refuses outside of them and says when the next one opens.
#include "trust/window.h"
#include "unit/trust/world.h"

#define MON 1u
#define FRI (1u << 4)
#define SUN (1u << 6)
#define H   60u

// NOW is Friday 2027-01-15, 08:00 UTC and 09:00 in Zurich.
static void
window(struct world *w, uint32_t days, uint32_t from, uint32_t to, const char *zone)
{
    static Drover__V1__Window rows[2], *list[2] = {&rows[0], &rows[1]};
    Drover__V1__Environment *e = &w->environment[PRODUCTION];
    Drover__V1__Window *row = &rows[e->n_windows];
    drover__v1__window__init(row);
    row->days = days;
    row->from_minute = from;
    row->to_minute = to;
    row->zone = word(w, zone);
    e->windows = list;
    e->n_windows++;
}

static void
w_open(struct world *w)
{
    window(w, FRI, 9 * H, 16 * H, "Europe/Zurich");
}
static void
w_second_open(struct world *w)
{
    window(w, MON, 0, 24 * H, "UTC");
    window(w, FRI, 8 * H, 8 * H + 1, "UTC");
}
static void
w_first_open(struct world *w)
{
    w_open(w);
    window(w, MON, 0, 24 * H, "UTC");
}
static void
w_closes_now(struct world *w)
{
    window(w, FRI, 6 * H, 8 * H, "UTC");
}
static void
w_other_day(struct world *w)
{
    window(w, MON, 0, 24 * H, "UTC");
}
static void
w_unknown_zone(struct world *w)
{
    window(w, 0x7f, 0, 24 * H, "Mars/Olympus");
}
static void
w_down(struct world *w)
{
    w_other_day(w);
    w->request.header.mode = MODE(DOWN);
    w->ready_msg.heads = w->record.heads = &w->head_p[2];
    w->environment[PRODUCTION].n_gates = 1;
    w->approval_target[1].wave = 1;
}

static const struct world_case rows[] = {
    {"run_inside_of_a_window_is_accepted", DR_OK, w_open, NULL},
    {"run_inside_of_the_second_window_is_accepted", DR_OK, w_second_open, NULL},
    {"run_inside_of_the_first_window_is_accepted", DR_OK, w_first_open, NULL},
    {"run_at_the_minute_of_closing_is_refused", DR_E_OUTSIDE_WINDOW, w_closes_now, NULL},
    {"run_on_another_day_is_refused", DR_E_OUTSIDE_WINDOW, w_other_day, NULL},
    {"window_of_an_unknown_zone_is_closed", DR_E_OUTSIDE_WINDOW, w_unknown_zone, NULL},
    {"way_back_is_never_shut_out", DR_OK, w_down, NULL},
};

static void
refusal_says_when_the_next_window_opens(void **state)
{
    static struct world w;
    (void)state;
    for (size_t i = 0; i < 2; i++) { // whichever of the two stands first
        world_begin(&w);
        window(&w, i == 0 ? MON : SUN, 23 * H, 24 * H, "Europe/Zurich");
        window(&w, i == 0 ? SUN : MON, 23 * H, 24 * H, "Europe/Zurich");
        world_sign(&w);
        REFUSED(DR_E_OUTSIDE_WINDOW, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
        assert_string_equal(w.verdict.failed_check, "window");
        assert_non_null(strstr(w.err.message, "'production'"));
        assert_non_null(strstr(w.err.message, "2027-01-17T22:00"));
        world_end(&w);
    }
}

static void
expiry_holds_whatever_a_window_says(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    w_other_day(&w);
    w.request.header.expires = NOW;
    world_sign(&w);
    REFUSED(DR_E_EXPIRED, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    world_end(&w);
}

// ---------------------------------------------------------------------------- day and minute

struct look {
    uint32_t days, from, to;
    const char *zone;
    int64_t now, opens; // opens == now: it is open
};

static void
windows_open_and_close_to_the_minute(void **state)
{
    static const struct look looks[] = {
        {FRI, 9 * H, 16 * H, "Europe/Zurich", NOW, NOW},
        {FRI, 9 * H, 16 * H, "Europe/Zurich", NOW - 1, NOW},
        {FRI, 9 * H, 16 * H, "Europe/Zurich", NOW + 7 * 3600 - 1, NOW + 7 * 3600 - 1},
        {FRI, 9 * H, 16 * H, "Europe/Zurich", NOW + 7 * 3600, NOW + 7 * DAY},
        {FRI, 9 * H, 16 * H, "America/New_York", NOW, NOW + 6 * 3600},
        // over midnight: Friday 22:00 to Saturday 04:00, the night's day is the one it began on
        {FRI, 22 * H, 4 * H, "UTC", NOW + 14 * 3600, NOW + 14 * 3600},
        {FRI, 22 * H, 4 * H, "UTC", NOW + 20 * 3600 - 1, NOW + 20 * 3600 - 1},
        {FRI, 22 * H, 4 * H, "UTC", NOW + 20 * 3600, NOW + 7 * DAY + 14 * 3600},
        {FRI, 22 * H, 4 * H, "UTC", NOW - 5 * 3600, NOW + 14 * 3600}, // 03:00 belongs to Thursday
        {SUN, 22 * H, 4 * H, "UTC", NOW + 2 * DAY + 17 * 3600, NOW + 2 * DAY + 17 * 3600}, // Monday
        {SUN, 22 * H, 4 * H, "UTC", NOW + 3 * DAY - 5 * 3600, NOW + 3 * DAY - 5 * 3600},
        // summer time begins on Sunday 2026-03-29: there is no 02:30
        {SUN, 2 * H + 30, 4 * H, "Europe/Zurich", 1774745940, 1774746000},
        {SUN, 2 * H, 3 * H, "Europe/Zurich", 1774745940, 1774746000 + 7 * DAY - 3600},
        // and ends on Sunday 2026-10-25: 02:30 is there twice
        {SUN, 2 * H + 30, 3 * H, "Europe/Zurich", 1792888200, 1792888200},
        {SUN, 2 * H + 30, 3 * H, "Europe/Zurich", 1792890000, 1792891800},
        {SUN, 2 * H + 30, 3 * H, "Europe/Zurich", 1792893599, 1792893599},
    };
    struct dr_err err = {0};
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(looks); i++) {
        Drover__V1__Window row = DROVER__V1__WINDOW__INIT, *list[1] = {&row};
        Drover__V1__Environment policy = DROVER__V1__ENVIRONMENT__INIT;
        char zone[32];
        bool is_open = false;
        int64_t opens = 0;
        row.days = looks[i].days;
        row.from_minute = looks[i].from;
        row.to_minute = looks[i].to;
        (void)snprintf(zone, sizeof zone, "%s", looks[i].zone);
        row.zone = zone;
        policy.windows = list;
        policy.n_windows = 1;
        assert_int_equal(dr_window_look(&policy, looks[i].now, &is_open, &opens, &err), DR_OK);
        if (opens != looks[i].opens || is_open != (opens == looks[i].now)) {
            fail_msg("row %zu: opens at %lld, %+lld s", i, (long long)opens,
                     (long long)(opens - looks[i].opens));
        }
    }
}

static void
without_windows_it_is_always_open(void **state)
{
    Drover__V1__Environment policy = DROVER__V1__ENVIRONMENT__INIT;
    struct dr_err err = {0};
    bool is_open = false;
    int64_t opens = 0;
    (void)state;
    assert_int_equal(dr_window_look(&policy, NOW, &is_open, &opens, &err), DR_OK);
    assert_true(is_open && opens == NOW);
}

static void
window_that_does_not_open_soon_is_told(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    window(&w, 0, 0, 1, "UTC"); // no day; cannot be signed, so the row is asked alone
    struct dr_err err = {0};
    bool is_open = true;
    int64_t opens = 1;
    assert_int_equal(dr_window_look(&w.environment[PRODUCTION], NOW, &is_open, &opens, &err),
                     DR_OK);
    assert_true(!is_open && opens == 0);
    world_end(&w);
}

static void
unsound_windows_and_probes_are_no_policy(void **state)
{
    static const struct look looks[] = {
        {0, 0, 60, "UTC", 0, 0}, {128, 0, 60, "UTC", 0, 0},  {1, 1440, 60, "UTC", 0, 0},
        {1, 0, 0, "UTC", 0, 0},  {1, 0, 1441, "UTC", 0, 0},  {1, 60, 60, "UTC", 0, 0},
        {1, 0, 60, "", 0, 0},    {1, 0, 60, "../etc", 0, 0},
    };
    static struct world w;
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(looks); i++) {
        world_begin(&w);
        window(&w, looks[i].days, looks[i].from, looks[i].to, looks[i].zone);
        REFUSED(DR_E_BAD_FLEET,
                dr_fleet_draft(w.arena, w.fleet_msg, w.entry_p, TARGETS + ENVIRONMENTS,
                               &(struct dr_bytes){0}, &w.leaves, &w.err));
        world_end(&w);
    }
}

static void
probes_of_a_policy_are_named_once_and_say_something(void **state)
{
    static struct world w;
    struct dr_bytes payload;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        Drover__V1__SqlProbe probe[2], *list[2] = {&probe[0], &probe[1]};
        world_begin(&w);
        for (size_t k = 0; k < 2; k++) {
            drover__v1__sql_probe__init(&probe[k]);
            probe[k].name = word(&w, k == 0 ? "errors" : "latency");
            probe[k].sql = word(&w, "SELECT 1");
        }
        w.environment[PRODUCTION].probes = list;
        w.environment[PRODUCTION].n_probes = 2;
        probe[1].name = word(&w, i == 1 ? "errors" : i == 2 ? "Not a name" : "latency");
        probe[1].sql = word(&w, i == 3 ? "" : "SELECT 1");
        Drover__V1__Window many = DROVER__V1__WINDOW__INIT, *windows[DR_WINDOWS_MAX + 1];
        many.days = many.to_minute = 1;
        many.zone = word(&w, "UTC");
        for (size_t k = 0; k < DR_COUNT_OF(windows); k++) {
            windows[k] = &many;
        }
        w.environment[PRODUCTION].windows = windows;
        w.environment[PRODUCTION].n_windows = i == 4 ? DR_WINDOWS_MAX + 1 : DR_WINDOWS_MAX;
        enum dr_rc rc = dr_fleet_draft(w.arena, w.fleet_msg, w.entry_p, TARGETS + ENVIRONMENTS,
                                       &payload, &w.leaves, &w.err);
        assert_int_equal(rc, i == 0 ? DR_OK : DR_E_BAD_FLEET);
        world_end(&w);
    }
}

int
main(void)
{
    static struct CMUnitTest tests[DR_COUNT_OF(rows) + 8];
    static struct world_case copies[DR_COUNT_OF(rows)];
    size_t n = DR_COUNT_OF(rows);
    for (size_t i = 0; i < n; i++) {
        copies[i] = rows[i];
        tests[i] = (struct CMUnitTest){rows[i].name, run_case, NULL, NULL, &copies[i]};
    }
    const struct CMUnitTest more[] = {
        cmocka_unit_test(refusal_says_when_the_next_window_opens),
        cmocka_unit_test(expiry_holds_whatever_a_window_says),
        cmocka_unit_test(windows_open_and_close_to_the_minute),
        cmocka_unit_test(without_windows_it_is_always_open),
        cmocka_unit_test(window_that_does_not_open_soon_is_told),
        cmocka_unit_test(unsound_windows_and_probes_are_no_policy),
        cmocka_unit_test(probes_of_a_policy_are_named_once_and_say_something),
    };
    for (size_t i = 0; i < DR_COUNT_OF(more); i++) {
        tests[n++] = more[i];
    }
    return _cmocka_run_group_tests("trust/window", tests, n, NULL, NULL);
}
