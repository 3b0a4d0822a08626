// Errors: a code from err_table.h plus one message, filled where the cause is known and wrapped on
// the way up.
#ifndef DR_BASE_ERR_H
#define DR_BASE_ERR_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

enum dr_rc {
    DR_OK = 0,
#define DR_ERR(name, number, exit_code, rpc_status, hint) DR_E_##name = number,
#include "base/err_table.h"
#undef DR_ERR
};

#define DR_ERR_MESSAGE_MAX 1024u
#define DR_ERR_HINT_MAX    512u

// Plain data; `struct dr_err err = {0};` is ready for use. Messages: lower case, no full stop,
// values in quotes.
struct dr_err {
    enum dr_rc rc;
    char message[DR_ERR_MESSAGE_MAX];
    char hint[DR_ERR_HINT_MAX]; // what to type next; empty: the table's
    char file[256];             // position in the user's input, when there is one
    uint32_t line, column;      // 1-based; 0: none
};

// Sets `err` (may be NULL) to `rc` with the formatted message, clearing what stood there. Returns
// `rc`, so that a failing function ends with `return dr_err_set(err, DR_E_X, "...")`. Never fails;
// a long message is cut with "...".
enum dr_rc dr_err_set(struct dr_err *err, enum dr_rc rc, const char *fmt, ...) DR_PRINTF(3, 4);

// The same from errno: appends ": <strerror>".
enum dr_rc
dr_err_errno(struct dr_err *err, enum dr_rc rc, int errnum, const char *fmt, ...) DR_PRINTF(4, 5);

// Puts "<context>: " before the message that is there. Returns err->rc.
enum dr_rc dr_err_wrap(struct dr_err *err, const char *fmt, ...) DR_PRINTF(2, 3);

// Sets the hint ("try: ..."). Returns err->rc.
enum dr_rc dr_err_hint(struct dr_err *err, const char *fmt, ...) DR_PRINTF(2, 3);

// Notes the position in the user's file. `file` is copied. Returns err->rc.
enum dr_rc dr_err_at(struct dr_err *err, const char *file, uint32_t line, uint32_t column);

// The row of a code: its name in lower case with dashes ("not-found"), exit code, RPC status, hint.
// An unknown code gives INTERNAL's row.
const char *dr_rc_name(enum dr_rc rc);
int dr_rc_exit_code(enum dr_rc rc);
int dr_rc_rpc_status(enum dr_rc rc);
const char *dr_rc_hint(enum dr_rc rc);
// Back from a number (from the wire); DR_E_INTERNAL when unknown. 0 is DR_OK.
enum dr_rc dr_rc_from_number(uint32_t number);

#ifdef __clang_analyzer__
// The analyzer reads one file at a time: here it learns that these return the failure they are
// given, so that it does not follow a path on which an error is a success.
static inline enum dr_rc
dr_analyzer_not_ok(enum dr_rc rc)
{
    if (rc == DR_OK) {
        __builtin_unreachable();
    }
    return rc;
}
#define dr_err_set(err, rc, ...) ((void)(dr_err_set)(err, rc, __VA_ARGS__), (rc))
#define dr_err_errno(err, rc, errnum, ...)                                                         \
    ((void)(dr_err_errno)(err, rc, errnum, __VA_ARGS__), (rc))
#define dr_err_wrap(...) dr_analyzer_not_ok((dr_err_wrap)(__VA_ARGS__))
#define dr_err_hint(...) dr_analyzer_not_ok((dr_err_hint)(__VA_ARGS__))
#define dr_err_at(...)   dr_analyzer_not_ok((dr_err_at)(__VA_ARGS__))
#endif

#endif
