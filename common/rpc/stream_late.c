// nng when it is needed: the functions that the door calls, each of which loads the library first.
// A program that is linked with this file instead of with -lnng starts without it and the TLS
// library behind it, which a command on one database, or help, never needs. See base/late.h.
//
// The table is filled once and never changes: the functions of a library are no state of ours.
#include "rpc/stream_nng.h"

#include "base/late.h"

#include <pthread.h>

#define LIBRARY "libnng.so.1"

#define FUNCTIONS(X)                                                                               \
    X(int, nng_aio_alloc, (nng_aio * *a, void (*b)(void *), void *c), (a, b, c))                   \
    X(int, nng_aio_result, (nng_aio * a), (a))                                                     \
    X(int, nng_aio_set_iov, (nng_aio * a, unsigned b, const nng_iov *c), (a, b, c))                \
    X(int, nng_stream_dialer_alloc, (nng_stream_dialer * *a, const char *b), (a, b))               \
    X(int, nng_stream_dialer_set_bool, (nng_stream_dialer * a, const char *b, bool c), (a, b, c))  \
    X(int, nng_stream_dialer_set_string, (nng_stream_dialer * a, const char *b, const char *c),    \
      (a, b, c))                                                                                   \
    X(int, nng_stream_get_addr, (nng_stream * a, const char *b, nng_sockaddr *c), (a, b, c))       \
    X(int, nng_stream_listener_alloc, (nng_stream_listener * *a, const char *b), (a, b))           \
    X(int, nng_stream_listener_get_int, (nng_stream_listener * a, const char *b, int *c),          \
      (a, b, c))                                                                                   \
    X(int, nng_stream_listener_listen, (nng_stream_listener * a), (a))                             \
    X(int, nng_stream_listener_set_bool, (nng_stream_listener * a, const char *b, bool c),         \
      (a, b, c))                                                                                   \
    X(int, nng_stream_listener_set_string,                                                         \
      (nng_stream_listener * a, const char *b, const char *c), (a, b, c))                          \
    X(int, nng_url_parse, (nng_url * *a, const char *b), (a, b))
#define PROCEDURES(X)                                                                              \
    X(void, nng_aio_free, (nng_aio * a), (a))                                                      \
    X(void, nng_aio_reap, (nng_aio * a), (a))                                                      \
    X(void, nng_aio_set_timeout, (nng_aio * a, nng_duration b), (a, b))                            \
    X(void, nng_aio_stop, (nng_aio * a), (a))                                                      \
    X(void, nng_sleep_aio, (nng_duration a, nng_aio * b), (a, b))                                  \
    X(void, nng_stream_close, (nng_stream * a), (a))                                               \
    X(void, nng_stream_dialer_close, (nng_stream_dialer * a), (a))                                 \
    X(void, nng_stream_dialer_dial, (nng_stream_dialer * a, nng_aio * b), (a, b))                  \
    X(void, nng_stream_dialer_free, (nng_stream_dialer * a), (a))                                  \
    X(void, nng_stream_free, (nng_stream * a), (a))                                                \
    X(void, nng_stream_listener_accept, (nng_stream_listener * a, nng_aio * b), (a, b))            \
    X(void, nng_stream_listener_close, (nng_stream_listener * a), (a))                             \
    X(void, nng_stream_listener_free, (nng_stream_listener * a), (a))                              \
    X(void, nng_stream_recv, (nng_stream * a, nng_aio * b), (a, b))                                \
    X(void, nng_stream_send, (nng_stream * a, nng_aio * b), (a, b))                                \
    X(void, nng_url_free, (nng_url * a), (a))
#define OTHERS(X)                                                                                  \
    X(size_t, nng_aio_count, (nng_aio * a), (a))                                                   \
    X(void *, nng_aio_get_output, (nng_aio * a, unsigned b), (a, b))                               \
    X(const char *, nng_strerror, (int a), (a))

static struct {
    FUNCTIONS(DR_LATE_FIELD)
    PROCEDURES(DR_LATE_FIELD)
    OTHERS(DR_LATE_FIELD)
} nng;
static const char *const names[] = {FUNCTIONS(DR_LATE_NAME) PROCEDURES(DR_LATE_NAME)
                                        OTHERS(DR_LATE_NAME)};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
load(void)
{
    if (!dr_late_load(LIBRARY, names, DR_COUNT_OF(names), &nng)) {
        nng.nng_strerror = NULL;
    }
}

static bool
is_loaded(void)
{
    (void)pthread_once(&once, load);
    return nng.nng_strerror != NULL;
}

const char *
nng_strerror(int number)
{
    return is_loaded() ? nng.nng_strerror(number)
                       : LIBRARY " is not there, or another version: install libnng1";
}

// Whatever is asked of an operation, making it did not fail: the library is there.
size_t
nng_aio_count(nng_aio *aio)
{
    return nng.nng_aio_count(aio);
}

void *
nng_aio_get_output(nng_aio *aio, unsigned place)
{
    return nng.nng_aio_get_output(aio, place);
}

#define AS_FUNCTION(type, name, parameters, arguments)                                             \
    type name parameters                                                                           \
    {                                                                                              \
        return is_loaded() ? nng.name arguments : NNG_ENOTSUP;                                     \
    }
#define AS_PROCEDURE(type, name, parameters, arguments)                                            \
    type name parameters                                                                           \
    {                                                                                              \
        if (is_loaded()) {                                                                         \
            nng.name arguments;                                                                    \
        }                                                                                          \
    }

FUNCTIONS(AS_FUNCTION)
PROCEDURES(AS_PROCEDURE)
