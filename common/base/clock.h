// Time: one place that reads the clock, so that tests can set it.
#ifndef DR_BASE_CLOCK_H
#define DR_BASE_CLOCK_H

#include <stdint.h>

int64_t dr_now_unix_s(void);   // wall clock, seconds since 1970 UTC
int64_t dr_now_unix_ms(void);  // wall clock, milliseconds
int64_t dr_monotonic_ms(void); // never goes back; for deadlines

// Tests: every read of the wall clock gives `unix_ms` until called with a negative value. The
// environment variable DROVER_TEST_CLOCK_OFFSET_S (read once; only in builds with failpoints)
// shifts it.
void dr_clock_set_for_test(int64_t unix_ms);

#endif
