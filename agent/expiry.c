// Expiry: see expiry.h. The pauses between warnings grow shorter towards the end.
#include "agent/expiry.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

#define PAUSE_MAX_S (2ll * 86400)
#define PAUSE_MIN_S 3600
#define DAY_S       86400

int64_t
dr_expiry_pause(int64_t left_s)
{
    int64_t half = left_s / 2;
    if (left_s > DR_EXPIRY_WARN_S) {
        return 0;
    }
    return half > PAUSE_MAX_S ? PAUSE_MAX_S : half < PAUSE_MIN_S ? PAUSE_MIN_S : half;
}

static unsigned
warn(int64_t *next, const char *what, const char *remedy, int64_t expires, int64_t now)
{
    char when[32];
    char left[48];
    int64_t pause = dr_expiry_pause(expires - now);
    if (pause == 0) {
        *next = 0; // a newer one came
        return 0;
    }
    if (now < *next) {
        return 0;
    }
    *next = now + pause;
    dr_format_time(when, expires);
    if (expires <= now) {
        (void)snprintf(left, sizeof left, "over: nothing runs any more");
    } else {
        (void)snprintf(left, sizeof left, "%lld days and %lld hours left",
                       (long long)((expires - now) / DAY_S),
                       (long long)((expires - now) % DAY_S / 3600));
    }
    dr_log(DR_LOG_WARN, what, "expires", when, "left", left, "try", remedy, NULL);
    return 1;
}

unsigned
dr_expiry_warn(struct dr_expiry *expiry, const struct dr_trust *trust, int64_t now)
{
    unsigned n = warn(&expiry->next_root, "the root expires", "drover root rotate",
                      trust->root.msg->expires, now);
    if (trust->fleet.msg != NULL) {
        n += warn(&expiry->next_fleet, "the fleet expires", "drover fleet renew",
                  trust->fleet.msg->expires, now);
    }
    return n;
}
