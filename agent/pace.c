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

int64_t
dr_pace_wait(struct dr_pace_bucket *bucket, int64_t now_ms, unsigned most, int64_t every_ms)
{
    int64_t back = bucket->used == 0 ? 0 : (now_ms - bucket->since_ms) / every_ms;
    bucket->used = back >= (int64_t)bucket->used ? 0 : bucket->used - (unsigned)back;
    bucket->since_ms += back * every_ms;
    return bucket->used < most ? 0 : bucket->since_ms + every_ms - now_ms;
}

void
dr_pace_take(struct dr_pace_bucket *bucket, int64_t now_ms)
{
    bucket->since_ms = bucket->used == 0 ? now_ms : bucket->since_ms;
    bucket->used++;
}
