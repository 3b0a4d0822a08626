// Pace: at most so many reports a second, however often something has to be told.
#ifndef DR_AGENT_PACE_H
#define DR_AGENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

// May something be told at `now_ms` (dr_monotonic_ms)? Then the next time is `least_ms` later.
// `*next_ms` starts at 0. Pure but for it.
bool dr_pace_may(int64_t *next_ms, int64_t now_ms, int64_t least_ms);

// So many at once, and one more after each while: a bucket that fills again.
struct dr_pace_bucket {
    unsigned used;
    int64_t since_ms; // when the last one came back
};
// Milliseconds of `now_ms` (dr_monotonic_ms) until another may begin; 0: now. Gives back what is
// due: one for every `every_ms`.
int64_t
dr_pace_wait(struct dr_pace_bucket *bucket, int64_t now_ms, unsigned most, int64_t every_ms);
void dr_pace_take(struct dr_pace_bucket *bucket, int64_t now_ms);

#endif
