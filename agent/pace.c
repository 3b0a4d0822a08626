// At most so many reports a second. See pace.h.
#include "agent/pace.h"

bool
dr_pace_may(int64_t *next_ms, int64_t now_ms, int64_t least_ms)
{
    if (now_ms < *next_ms) {
        return false;
    }
    *next_ms = now_ms + least_ms;
    return true;
}
