// UTF-8 of str.h: validity as in RFC 3629 section 4, the characters that can deceive a reader, and
// how they are shown.
#include "base/str.h"

#include <stdio.h>
#include <string.h>

struct range {
    uint32_t first, last;
};

// Bidirectional and zero-width controls: a reviewer would see other text than the database gets.
static const struct range deceiving[] = {
    {0x061C, 0x061C}, {0x200B, 0x200F}, {0x202A, 0x202E},
    {0x2060, 0x2064}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF},
};

// Length of the valid sequence that begins at `text` (1 to 4, its code point in `*out`), or 0.
static size_t
decode(const unsigned char *text, size_t len, uint32_t *out)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = text[0];
    size_t need = lead < 0x80   ? 1
                  : lead < 0xC2 ? 0
                  : lead < 0xE0 ? 2
                  : lead < 0xF0 ? 3
                  : lead < 0xF5 ? 4
                                : 0;
    if (need == 0 || need > len) {
        return 0;
    }
    uint32_t code = need == 1 ? lead : lead & (0xFFu >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xC0u) != 0x80u) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3Fu);
    }
    if (code < least[need] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
        return 0;
    }
    *out = code;
    return need;
}

static bool
is_deceiving(uint32_t code)
{
    for (size_t i = 0; i < DR_COUNT_OF(deceiving); i++) {
        if (code >= deceiving[i].first && code <= deceiving[i].last) {
            return true;
        }
    }
    return false;
}

static bool
is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F);
}

static bool
is_plain(uint32_t code)
{
    return code == '\n' || code == '\t' || (!is_control(code) && !is_deceiving(code));
}

// Are all eight bytes printable ASCII? A byte is not when its highest bit is set, when taking 0x20
// from it sets that bit, or when adding 1 to it does (0x7F).
static bool
are_printable(const char *text)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x80u * ones;
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    // The first looks at all eight; without a byte of 0x80 or more the others do not carry over.
    return (bytes & high) == 0 && (((bytes | high) - 0x20u * ones) & high) == high &&
           ((bytes + ones) & high) == 0;
}

// How many bytes from `at` on are printable ASCII or line ends: nearly all of most texts.
static size_t
plain_run(const char *text, size_t len, size_t at)
{
    size_t end = at;
    for (;;) {
        while (len - end >= 8 && are_printable(text + end)) {
            end += 8;
        }
        size_t start = end;
        while (end < len && end - start < 8 &&
               ((text[end] >= 0x20 && text[end] < 0x7F) || text[end] == '\n')) {
            end++;
        }
        if (end - start < 8) {
            return end - at;
        }
    }
}

static bool
check(const char *text, size_t len, bool must_be_plain, size_t *out_bad)
{
    for (size_t at = plain_run(text, len, 0); at < len; at += plain_run(text, len, at)) {
        uint32_t code = 0;
        size_t step = decode((const unsigned char *)text + at, len - at, &code);
        if (step == 0 || (must_be_plain && !is_plain(code))) {
            if (out_bad != NULL) {
                *out_bad = at;
            }
            return false;
        }
        at += step;
    }
    return true;
}

bool
dr_utf8_valid(const char *text, size_t len, size_t *out_bad)
{
    return check(text, len, false, out_bad);
}

bool
dr_utf8_plain(const char *text, size_t len, size_t *out_bad)
{
    return check(text, len, true, out_bad);
}

void
dr_show(struct dr_buf *out, const char *text, size_t len, bool keep_lines)
{
    for (size_t at = 0; at < len;) {
        uint32_t code = 0;
        size_t step = decode((const unsigned char *)text + at, len - at, &code);
        bool is_line = code == '\n' || code == '\t';
        if (step == 0) {
            dr_buf_printf(out, "\\x%02X", (unsigned)(unsigned char)text[at]);
            step = 1;
        } else if (is_line ? keep_lines : is_plain(code)) {
            dr_buf_add(out, text + at, step);
        } else {
            dr_buf_printf(out, "\\u{%04X}", (unsigned)code);
        }
        at += step;
    }
}
