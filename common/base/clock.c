#include "base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#ifdef DROVER_FAILPOINTS
#include "base/str.h"

#include <pthread.h>
#endif

#define NOT_SET (-1)

// The clock may be set by tests: one of the two mutable globals that are allowed (the other is the
// log).
static _Atomic int64_t test_unix_ms = NOT_SET;

#ifdef DROVER_FAILPOINTS
#define OFFSET_MAX_S 4000000000ULL

static int64_t offset_ms;
static pthread_once_t offset_once = PTHREAD_ONCE_INIT;

static void
read_offset(void)
{
    const char *text = getenv("DROVER_TEST_CLOCK_OFFSET_S");
    if (text == NULL) {
        return;
    }
    int64_t sign = text[0] == '-' ? -1 : 1;
    uint64_t seconds;
    if (dr_parse_u64(sign < 0 ? text + 1 : text, 0, OFFSET_MAX_S, &seconds)) {
        offset_ms = sign * (int64_t)seconds * 1000;
    }
}

static int64_t
test_offset_ms(void)
{
    (void)pthread_once(&offset_once, read_offset);
    return offset_ms;
}
#else
static int64_t
test_offset_ms(void)
{
    return 0;
}
#endif

static int64_t
read_ms(clockid_t id)
{
    struct timespec now = {0};
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
dr_now_unix_s(void)
{
    return dr_now_unix_ms() / 1000;
}

int64_t
dr_now_unix_ms(void)
{
    int64_t set = atomic_load(&test_unix_ms);
    return set >= 0 ? set : read_ms(CLOCK_REALTIME) + test_offset_ms();
}

int64_t
dr_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

void
dr_clock_set_for_test(int64_t unix_ms)
{
    atomic_store(&test_unix_ms, unix_ms < 0 ? NOT_SET : unix_ms);
}
