// Pace: at most so many reports a second, however often something has to be told.
#ifndef DR_AGENT_PACE_H
#define DR_AGENT_PACE_H

#include <stdbool.h>
#include <stdint.h>

// May something be told at `now_ms` (dr_monotonic_ms)? Then the next time is `least_ms` later.
// `*next_ms` starts at 0. Pure but for it.
bool dr_pace_may(int64_t *next_ms, int64_t now_ms, int64_t least_ms);

#endif
