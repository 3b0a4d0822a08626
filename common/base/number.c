// Numbers, durations, sizes and times of str.h: bounded parsing, and forms for people.
#include "base/str.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND_MS 1000u
#define MINUTE_MS (60u * SECOND_MS)
#define HOUR_MS   (60u * MINUTE_MS)
#define DAY_MS    (24u * HOUR_MS)

struct unit {
    const char *name;
    uint64_t ms;
};

static const struct unit units[] = {
    {"", SECOND_MS},  {"ms", 1},      {"s", SECOND_MS}, {"min", MINUTE_MS},
    {"m", MINUTE_MS}, {"h", HOUR_MS}, {"d", DAY_MS},
};

// Digits at the start of `text`: their value, and where they end. False when there is none or on
// overflow.
static bool
parse_digits(const char *text, uint64_t *out, const char **out_end)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = value;
    *out_end = at;
    return at != text;
}

bool
dr_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value;
    const char *end;
    if (text == NULL || !parse_digits(text, &value, &end) || *end != '\0' || value < min ||
        value > max) {
        return false;
    }
    *out = value;
    return true;
}

bool
dr_parse_duration_ms(const char *text, uint64_t max_ms, uint64_t *out)
{
    uint64_t value;
    const char *end;
    if (text == NULL || !parse_digits(text, &value, &end)) {
        return false;
    }
    for (size_t i = 0; i < DR_COUNT_OF(units); i++) {
        if (strcmp(end, units[i].name) == 0) {
            if (value > max_ms / units[i].ms) {
                return false;
            }
            *out = value * units[i].ms;
            return true;
        }
    }
    return false;
}

void
dr_format_size(char out[32], uint64_t bytes)
{
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) {
        (void)snprintf(out, 32, "%u B", (unsigned)bytes);
        return;
    }
    double value = (double)bytes;
    size_t unit = 0;
    // 999.95 would be printed as 1000.0: it belongs to the next unit.
    while (value >= 999.95 && unit + 1 < DR_COUNT_OF(names)) {
        value /= 1000;
        unit++;
    }
    (void)snprintf(out, 32, "%.1f %s", value, names[unit]);
}

// "2m14s", or "3h" when the smaller part is 0.
static void
format_two(char out[32], uint64_t large, const char *large_name, uint64_t small,
           const char *small_name)
{
    if (small == 0) {
        (void)snprintf(out, 32, "%llu%s", (unsigned long long)large, large_name);
    } else {
        (void)snprintf(out, 32, "%llu%s%llu%s", (unsigned long long)large, large_name,
                       (unsigned long long)small, small_name);
    }
}

void
dr_format_duration(char out[32], uint64_t ms)
{
    if (ms < SECOND_MS) {
        (void)snprintf(out, 32, "%ums", (unsigned)ms);
    } else if (ms < MINUTE_MS) {
        uint64_t tenths = ms / 100;
        (void)snprintf(out, 32, "%u.%us", (unsigned)(tenths / 10), (unsigned)(tenths % 10));
    } else if (ms < HOUR_MS) {
        format_two(out, ms / MINUTE_MS, "m", ms % MINUTE_MS / SECOND_MS, "s");
    } else if (ms < DAY_MS) {
        format_two(out, ms / HOUR_MS, "h", ms % HOUR_MS / MINUTE_MS, "m");
    } else {
        format_two(out, ms / DAY_MS, "d", ms % DAY_MS / HOUR_MS, "h");
    }
}

void
dr_format_time(char out[32], int64_t unix_s)
{
    time_t seconds = (time_t)unix_s;
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        (void)snprintf(out, 32, "(out of range)");
    }
}
