// Strings and bytes: a growing buffer, hex, UTF-8, and bounded parsing of numbers and durations.
#ifndef DR_BASE_STR_H
#define DR_BASE_STR_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A borrowed run of bytes.
struct dr_bytes {
    const uint8_t *data;
    size_t len;
};

// A growing byte buffer; always NUL-terminated behind `len`. `{0}` is empty. Growth beyond `max`
// (0: 64 MiB) or a lack of memory sets `failed`, and later appends do nothing: check once at the
// end.
struct dr_buf {
    char *data;
    size_t len, cap, max;
    bool failed;
};
void dr_buf_fini(struct dr_buf *buf);
void dr_buf_add(struct dr_buf *buf, const void *bytes, size_t len);
void dr_buf_str(struct dr_buf *buf, const char *text);
void dr_buf_printf(struct dr_buf *buf, const char *fmt, ...) DR_PRINTF(2, 3);
void dr_buf_reset(struct dr_buf *buf);

// Lower-case hex. `out` has 2 * len + 1 bytes.
void dr_hex(char *out, const uint8_t *bytes, size_t len);
// Exactly `len` bytes from 2 * len hex digits (either case); false otherwise.
DR_MUST_CHECK bool dr_unhex(uint8_t *out, size_t len, const char *text);

// True for valid UTF-8 (RFC 3629: no surrogates, no overlong forms). `*out_bad`, if given, is the
// first bad offset.
DR_MUST_CHECK bool dr_utf8_valid(const char *text, size_t len, size_t *out_bad);
// True for valid UTF-8 without NUL, without C0/C1 controls other than \n and \t, and without bidi
// or zero-width controls (U+061C, U+200B-200F, U+202A-202E, U+2060-2064, U+2066-2069, U+FEFF).
DR_MUST_CHECK bool dr_utf8_plain(const char *text, size_t len, size_t *out_bad);
// Writes `text` so that a terminal shows what is there: controls, bidi and zero-width as \u{XXXX},
// bad bytes as \xNN. \n and \t are kept when `keep_lines`.
void dr_show(struct dr_buf *out, const char *text, size_t len, bool keep_lines);

// Decimal number in [min, max], the whole text; false otherwise.
DR_MUST_CHECK bool dr_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);
// "250ms", "3s", "10min", "10m", "4h", "30d", a bare number is seconds; to milliseconds. False when
// malformed or over `max_ms`.
DR_MUST_CHECK bool dr_parse_duration_ms(const char *text, uint64_t max_ms, uint64_t *out);
// "2.1 GB", "512 B": for people. `out` has 32 bytes.
void dr_format_size(char out[32], uint64_t bytes);
// "8.2s", "2m14s", "3h", "2d": for people.
void dr_format_duration(char out[32], uint64_t ms);
// "2026-02-13T14:00:00Z" from unix seconds.
void dr_format_time(char out[32], int64_t unix_s);

bool dr_str_eq(const char *a, const char *b);
bool dr_str_starts(const char *text, const char *prefix);
bool dr_str_ends(const char *text, const char *suffix);
// Shell-like pattern with * and ? only; the whole text.
bool dr_str_glob(const char *pattern, const char *text);

#endif
