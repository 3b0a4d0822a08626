// Errors: see err.h. The table of err_table.h is the only list of codes; everything here is looked
// up in it.
#include "base/err.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// The functions themselves are meant here, not what the analyzer is told of them.
#undef dr_err_set
#undef dr_err_errno
#undef dr_err_wrap
#undef dr_err_hint
#undef dr_err_at

#define NAME_MAX_BYTES 48u

struct row {
    enum dr_rc rc;
    const char *name;
    int exit_code;
    int rpc_status;
    const char *hint;
};

static const struct row rows[] = {
#define DR_ERR(name, number, exit_code, rpc_status, hint)                                          \
    {DR_E_##name, #name, exit_code, rpc_status, hint},
#include "base/err_table.h"
#undef DR_ERR
};

// The table spells names as C does; what is shown is derived from it once ("NOT_FOUND" to
// "not-found").
static char shown_names[DR_COUNT_OF(rows)][NAME_MAX_BYTES];
static pthread_once_t shown_once = PTHREAD_ONCE_INIT;

static void
fill_shown_names(void)
{
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        const char *from = rows[i].name;
        for (size_t k = 0; from[k] != '\0' && k + 1 < NAME_MAX_BYTES; k++) {
            char c = from[k];
            shown_names[i][k] = (char)(c == '_' ? '-' : (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c));
        }
    }
}

static size_t
find_row(enum dr_rc rc)
{
    size_t internal = 0;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (rows[i].rc == rc) {
            return i;
        }
        if (rows[i].rc == DR_E_INTERNAL) {
            internal = i;
        }
    }
    return internal;
}

// Shows that text was cut: the last bytes become "...", never in the middle of a UTF-8 sequence.
static void
mark_cut(char *text, size_t size)
{
    size_t at = size - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xC0u) == 0x80u) {
        at--;
    }
    memcpy(text + at, "...", 4);
}

static void DR_PRINTF(3, 0) format_into(char *out, size_t size, const char *fmt, va_list args)
{
    int len = vsnprintf(out, size, fmt, args);
    if (len < 0) {
        out[0] = '\0';
    } else if ((size_t)len >= size) {
        mark_cut(out, size);
    }
}

// "<first>: <second>" into `out`, cut as above.
static void
join_into(char *out, size_t size, const char *first, const char *second)
{
    int len = snprintf(out, size, "%s: %s", first, second);
    if (len >= 0 && (size_t)len >= size) {
        mark_cut(out, size);
    }
}

enum dr_rc
dr_err_set(struct dr_err *err, enum dr_rc rc, const char *fmt, ...)
{
    if (err == NULL) {
        return rc;
    }
    // Formatted aside first: the arguments may point into `err` itself.
    char message[DR_ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    format_into(message, sizeof message, fmt, args);
    va_end(args);
    memset(err, 0, sizeof *err);
    err->rc = rc;
    memcpy(err->message, message, strlen(message) + 1);
    return rc;
}

enum dr_rc
dr_err_errno(struct dr_err *err, enum dr_rc rc, int errnum, const char *fmt, ...)
{
    if (err == NULL) {
        return rc;
    }
    char context[DR_ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    format_into(context, sizeof context, fmt, args);
    va_end(args);
    char buffer[128];
    const char *reason = strerror_r(errnum, buffer, sizeof buffer);
    memset(err, 0, sizeof *err);
    err->rc = rc;
    join_into(err->message, sizeof err->message, context, reason);
    return rc;
}

enum dr_rc
dr_err_wrap(struct dr_err *err, const char *fmt, ...)
{
    if (err == NULL) {
        return DR_E_INTERNAL;
    }
    char context[DR_ERR_MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    format_into(context, sizeof context, fmt, args);
    va_end(args);
    char inner[DR_ERR_MESSAGE_MAX];
    memcpy(inner, err->message, sizeof inner);
    inner[sizeof inner - 1] = '\0';
    join_into(err->message, sizeof err->message, context, inner);
    return err->rc;
}

enum dr_rc
dr_err_hint(struct dr_err *err, const char *fmt, ...)
{
    if (err == NULL) {
        return DR_E_INTERNAL;
    }
    char hint[DR_ERR_HINT_MAX];
    va_list args;
    va_start(args, fmt);
    format_into(hint, sizeof hint, fmt, args);
    va_end(args);
    memcpy(err->hint, hint, strlen(hint) + 1);
    return err->rc;
}

enum dr_rc
dr_err_at(struct dr_err *err, const char *file, uint32_t line, uint32_t column)
{
    if (err == NULL) {
        return DR_E_INTERNAL;
    }
    int len = snprintf(err->file, sizeof err->file, "%s", file == NULL ? "" : file);
    if (len >= 0 && (size_t)len >= sizeof err->file) {
        mark_cut(err->file, sizeof err->file);
    }
    err->line = line;
    err->column = column;
    return err->rc;
}

const char *
dr_rc_name(enum dr_rc rc)
{
    if (rc == DR_OK) {
        return "ok";
    }
    (void)pthread_once(&shown_once, fill_shown_names);
    return shown_names[find_row(rc)];
}

int
dr_rc_exit_code(enum dr_rc rc)
{
    return rc == DR_OK ? 0 : rows[find_row(rc)].exit_code;
}

int
dr_rc_rpc_status(enum dr_rc rc)
{
    return rc == DR_OK ? 0 : rows[find_row(rc)].rpc_status;
}

const char *
dr_rc_hint(enum dr_rc rc)
{
    return rc == DR_OK ? "" : rows[find_row(rc)].hint;
}

enum dr_rc
dr_rc_from_number(uint32_t number)
{
    if (number == 0) {
        return DR_OK;
    }
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if ((uint32_t)rows[i].rc == number) {
            return rows[i].rc;
        }
    }
    return DR_E_INTERNAL;
}
