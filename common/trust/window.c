// Windows, minute by minute: whatever a zone does at its changes, the minutes are those that the
// clock there shows.
#include "trust/window.h"

#include "base/zone.h"
#include "trust/try.h"

#define DAY_MINUTES 1440
#define LOOK_S      (15 * 86400)

bool
dr_window_is_sound(const Drover__V1__Window *window, const char *zone)
{
    return window->days >= 1 && window->days <= 0x7f && window->from_minute < DAY_MINUTES &&
           window->to_minute >= 1 && window->to_minute <= DAY_MINUTES &&
           window->from_minute != window->to_minute && dr_zone_name_is_sound(zone);
}

bool
dr_window_holds(Drover__V1__Mode mode)
{
    return mode == DROVER__V1__MODE__UP || mode == DROVER__V1__MODE__PROVE ||
           mode == DROVER__V1__MODE__STAMP;
}

static bool
is_open(const Drover__V1__Window *window, const struct dr_zone *zone, int64_t at)
{
    // Minutes since a Monday before 1970, so that neither day nor minute is ever negative.
    int64_t minutes = (at + dr_zone_offset_s(zone, at)) / 60 + 3LL * DAY_MINUTES;
    uint32_t day = (uint32_t)(minutes / DAY_MINUTES % 7),
             minute = (uint32_t)(minutes % DAY_MINUTES);
    bool is_over_night = window->to_minute < window->from_minute;
    bool is_since = minute >= window->from_minute, is_until = minute < window->to_minute;
    bool is_today = (window->days >> day & 1u) != 0;
    bool was_yesterday = (window->days >> (day + 6) % 7 & 1u) != 0;
    return is_over_night ? (is_today && is_since) || (was_yesterday && is_until)
                         : is_today && is_since && is_until;
}

// The first minute from `now` on in which the window is open; 0: none.
static int64_t
first_open(const Drover__V1__Window *window, const struct dr_zone *zone, int64_t now)
{
    int64_t next = now - now % 60;
    for (int64_t at = now; at < now + LOOK_S; at = next) {
        if (is_open(window, zone, at)) {
            return at;
        }
        next += 60;
    }
    return 0;
}

enum dr_rc
dr_window_look(const Drover__V1__Environment *policy, int64_t now, bool *out_is_open,
               int64_t *out_opens, struct dr_err *err)
{
    int64_t opens = policy->n_windows > 0 ? 0 : now;
    for (size_t i = 0; i < policy->n_windows && opens != now; i++) {
        const Drover__V1__Window *window = policy->windows[i];
        struct dr_zone *zone = NULL;
        DR_TRY(dr_zone_load(NULL, window->zone, &zone, err));
        int64_t first = first_open(window, zone, now);
        dr_zone_free(&zone);
        opens = first != 0 && (opens == 0 || first < opens) ? first : opens;
    }
    *out_is_open = opens == now;
    *out_opens = opens;
    return DR_OK;
}
