// Rules of time zones. Days are counted in the proleptic Gregorian calendar.
#include "base/zone_rule.h"

#include <string.h>

#define DAY_S 86400
// From year 1 to 9999; beyond, nobody knows of summer time.
#define FIRST_S (-62135596800LL)
#define LAST_S  253402300799LL

// ---------------------------------------------------------------------------------- reading

struct scan {
    const char *at, *end;
};

static bool
take(struct scan *s, char c)
{
    bool is_there = s->at < s->end && *s->at == c;
    s->at += is_there;
    return is_there;
}

static bool
take_number(struct scan *s, uint32_t max, uint32_t *out)
{
    uint32_t value = 0;
    const char *start = s->at;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        value = value * 10 + (uint32_t)(*s->at - '0');
        if (value > max) {
            return false;
        }
    }
    *out = value;
    return s->at > start;
}

// "CET" or "<+0330>"
static bool
take_name(struct scan *s)
{
    bool is_quoted = take(s, '<');
    size_t n = 0;
    for (; s->at < s->end && n < 16; n++, s->at++) {
        char c = *s->at;
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_sign = (c >= '0' && c <= '9') || c == '+' || c == '-';
        if (!is_letter && !(is_quoted && is_sign)) {
            break;
        }
    }
    return n >= 3 && (!is_quoted || take(s, '>'));
}

// [+-]hh[:mm[:ss]]
static bool
take_time(struct scan *s, int32_t *out)
{
    uint32_t part[3] = {0};
    bool is_negative = take(s, '-');
    if (!is_negative) {
        (void)take(s, '+');
    }
    bool ok = take_number(s, 167, &part[0]);
    for (size_t i = 1; ok && i < 3 && take(s, ':'); i++) {
        ok = take_number(s, 59, &part[i]);
    }
    int32_t seconds = (int32_t)(part[0] * 3600 + part[1] * 60 + part[2]);
    *out = is_negative ? -seconds : seconds;
    return ok;
}

static bool
take_change(struct scan *s, struct dr_zone_change *out)
{
    bool ok;
    *out = (struct dr_zone_change){.kind = 'D', .time_s = 2 * 3600};
    if (take(s, 'M')) {
        out->kind = 'M';
        ok = take_number(s, 12, &out->month) && out->month >= 1 && take(s, '.') &&
             take_number(s, 5, &out->week) && out->week >= 1 && take(s, '.') &&
             take_number(s, 6, &out->day);
    } else if (take(s, 'J')) {
        out->kind = 'J';
        ok = take_number(s, 365, &out->day) && out->day >= 1;
    } else {
        ok = take_number(s, 365, &out->day);
    }
    return ok && (!take(s, '/') || take_time(s, &out->time_s));
}

bool
dr_zone_rule_parse(const char *text, size_t len, struct dr_zone_rule *out)
{
    struct scan s = {text, text + len};
    struct dr_zone_rule rule = {0};
    int32_t west = 0;
    if (!take_name(&s) || !take_time(&s, &west)) {
        return false;
    }
    rule.standard_s = rule.summer_s = -west;
    if (s.at < s.end) {
        rule.has_summer = true;
        rule.summer_s = rule.standard_s + 3600;
        if (!take_name(&s)) {
            return false;
        }
        if (s.at < s.end && *s.at != ',') {
            if (!take_time(&s, &west)) {
                return false;
            }
            rule.summer_s = -west;
        }
        if (!take(&s, ',') || !take_change(&s, &rule.begin) || !take(&s, ',') ||
            !take_change(&s, &rule.end)) {
            return false;
        }
    }
    *out = rule;
    return s.at == s.end;
}

// --------------------------------------------------------------------------------- counting

static bool
is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// Days since 1970-01-01 of 1 January.
static int64_t
days_before_year(int64_t year)
{
    int64_t y = year - 1;
    int64_t leaps = (y >= 0 ? y / 4 : (y - 3) / 4) - (y >= 0 ? y / 100 : (y - 99) / 100) +
                    (y >= 0 ? y / 400 : (y - 399) / 400);
    return year * 365 + leaps - (1970 * 365LL + 477);
}

static int64_t
year_of(int64_t days)
{
    int64_t year = 1970 + days / 366;
    while (days_before_year(year + 1) <= days) {
        year++;
    }
    while (days_before_year(year) > days) {
        year--;
    }
    return year;
}

// The day of a change, since 1970-01-01.
static int64_t
change_day(const struct dr_zone_change *change, int64_t year)
{
    static const int64_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    int64_t first = days_before_year(year);
    if (change->kind == 'D') {
        return first + change->day;
    }
    if (change->kind == 'J') {
        return first + change->day - 1 + (is_leap(year) && change->day >= 60 ? 1 : 0);
    }
    int64_t leap = is_leap(year) ? 1 : 0;
    int64_t month = first + before[change->month - 1] + (change->month > 2 ? leap : 0);
    int64_t next = first + before[change->month] + (change->month > 1 ? leap : 0);
    int64_t weekday = ((month + 4) % 7 + 7) % 7; // 1970-01-01 was a Thursday
    int64_t day = month + (change->day - weekday + 7) % 7 + 7 * ((int64_t)change->week - 1);
    return day >= next ? day - 7 : day;
}

int32_t
dr_zone_rule_offset_s(const struct dr_zone_rule *rule, int64_t unix_s)
{
    if (!rule->has_summer || unix_s < FIRST_S || unix_s > LAST_S) {
        return rule->standard_s;
    }
    int64_t local = unix_s + rule->standard_s;
    int64_t year = year_of(local / DAY_S - (local % DAY_S < 0));
    int64_t begin = change_day(&rule->begin, year) * DAY_S + rule->begin.time_s - rule->standard_s;
    int64_t end = change_day(&rule->end, year) * DAY_S + rule->end.time_s - rule->summer_s;
    // South of the equator summer time goes over the end of the year.
    bool is_summer =
        begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end;
    return is_summer ? rule->summer_s : rule->standard_s;
}
