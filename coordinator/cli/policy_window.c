// Windows of policies, as words and back.

#include "coordinator/cli/policy_window.h"

#include "base/str.h"
#include "trust/window.h"

#include <stdio.h>
#include <string.h>

#define DAYS_ALL    0x7fu
#define DAY_MINUTES 1440u

static const char *const day_names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

// ---- writing

static bool
has_day(uint32_t days, size_t day)
{
    return (days >> day & 1u) != 0;
}

static void
days_text(uint32_t days, struct dr_buf *out)
{
    if ((days & DAYS_ALL) == DAYS_ALL) {
        dr_buf_str(out, "daily");
        return;
    }
    for (size_t day = 0; day < 7; day++) {
        size_t last = day;
        if (!has_day(days, day)) {
            continue;
        }
        while (last < 6 && has_day(days, last + 1)) {
            last++;
        }
        dr_buf_printf(out, "%s%s", out->len > 0 ? "," : "", day_names[day]);
        if (last > day) {
            dr_buf_printf(out, "%s%s", last > day + 1 ? "-" : ",", day_names[last]);
        }
        day = last;
    }
}

void
dr_policy_window_text(const Drover__V1__Window *window, char out[DR_POLICY_WINDOW_MAX])
{
    struct dr_buf days = {0};
    days_text(window->days, &days);
    (void)snprintf(out, DR_POLICY_WINDOW_MAX, "%s %02u:%02u-%02u:%02u %s",
                   days.data ? days.data : "", window->from_minute / 60, window->from_minute % 60,
                   window->to_minute / 60, window->to_minute % 60, window->zone);
    dr_buf_fini(&days);
}

// ---- reading

static bool
find_day(const char *text, size_t len, size_t *out)
{
    for (size_t i = 0; len == 3 && i < 7; i++) {
        if (memcmp(day_names[i], text, 3) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

// "mon-thu,sat", up to `len`; a span may go over the week's end.
static bool
parse_days(const char *text, size_t len, uint32_t *out)
{
    if (len == 5 && memcmp(text, "daily", 5) == 0) {
        *out = DAYS_ALL;
        return true;
    }
    for (size_t at = 0; at < len;) {
        size_t part = 0, from = 0, to = 0;
        while (at + part < len && text[at + part] != ',') {
            part++;
        }
        bool is_span = part == 7 && text[at + 3] == '-';
        if (!find_day(text + at, is_span ? 3 : part, &from) ||
            !find_day(text + at + (is_span ? 4 : 0), is_span ? 3 : part, &to)) {
            return false;
        }
        for (size_t day = from;; day = (day + 1) % 7) {
            *out |= 1u << day;
            if (day == to) {
                break;
            }
        }
        at += part + 1;
        if (at == len) { // a comma with nothing behind it
            return false;
        }
    }
    return *out != 0;
}

static bool
parse_digits(const char *text, uint32_t *out)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    *out = (uint32_t)(text[0] - '0') * 10 + (uint32_t)(text[1] - '0');
    return true;
}

// "09:00-16:00"
static bool
parse_times(const char *text, size_t len, Drover__V1__Window *out)
{
    uint32_t hour[2] = {0}, minute[2] = {0};
    if (len != 11 || text[2] != ':' || text[5] != '-' || text[8] != ':') {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!parse_digits(text + 6 * i, &hour[i]) || !parse_digits(text + 6 * i + 3, &minute[i]) ||
            minute[i] > 59) {
            return false;
        }
    }
    out->from_minute = hour[0] * 60 + minute[0];
    out->to_minute = hour[1] * 60 + minute[1];
    out->to_minute = out->to_minute == 0 ? DAY_MINUTES : out->to_minute;
    return out->from_minute < DAY_MINUTES && out->to_minute <= DAY_MINUTES;
}

enum dr_rc
dr_policy_window_parse(struct dr_arena *arena, const char *text, Drover__V1__Window *out,
                       struct dr_err *err)
{
    const char *times = strchr(text, ' ');
    const char *zone = times ? strchr(times + 1, ' ') : NULL;
    drover__v1__window__init(out);
    if (zone == NULL || !parse_days(text, (size_t)(times - text), &out->days) ||
        !parse_times(times + 1, (size_t)(zone - times - 1), out) ||
        !dr_window_is_sound(out, zone + 1)) {
        dr_err_set(err, DR_E_CONFIG, "this is no window: '%s'", text);
        return dr_err_hint(err, "DAYS FROM-TO ZONE: \"mon-thu 09:00-16:00 Europe/Zurich\", "
                                "\"daily 22:00-04:00 UTC\"");
    }
    out->zone = dr_arena_str(arena, zone + 1);
    return out->zone != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}
