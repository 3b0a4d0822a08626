// The rule at the end of a time zone's file, for all time behind its table: "CET-1CEST,M3.5.0,
// M10.5.0/3" (the TZ variable of POSIX, section 8.3, with the wider hours of RFC 9636).
#ifndef DR_BASE_ZONE_RULE_H
#define DR_BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One change a year, in local time as it is before the change.
struct dr_zone_change {
    char kind; // 'M': week of month, 'J': day 1 to 365 without 29 February, 'D': day 0 to 365
    uint32_t month, week, day; // M: 1-12, 1-5 (5: the last), 0-6 from Sunday; else `day` alone
    int32_t time_s;            // of the day, [-167 h, 167 h]
};

struct dr_zone_rule {
    int32_t standard_s, summer_s; // to add to UTC
    bool has_summer;
    struct dr_zone_change begin, end; // of summer time
};

// Parses `len` bytes; false: it is no rule.
bool dr_zone_rule_parse(const char *text, size_t len, struct dr_zone_rule *out);
// Seconds to add to UTC at `unix_s`.
int32_t dr_zone_rule_offset_s(const struct dr_zone_rule *rule, int64_t unix_s);

#endif
