#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

#include <string.h>

struct sample {
    const char *name, *text;
    size_t len;
    size_t bad; // offset of the first bad byte; len: all is well
};
#define TEXT(name, literal, bad)                                                                   \
    {                                                                                              \
        name, literal, sizeof(literal) - 1, bad                                                    \
    }
#define GOOD(name, literal)                                                                        \
    {                                                                                              \
        name, literal, sizeof(literal) - 1, sizeof(literal) - 1                                    \
    }

// RFC 3629, section 4, and the classical stress cases.
static const struct sample validity[] = {
    GOOD("empty", ""),
    GOOD("ascii", "select 1;\r\n\x1b\x7f"),
    GOOD("nul is a character", "a\0b"),
    GOOD("two bytes, least and largest", "\xC2\x80\xDF\xBF"),
    GOOD("three bytes, least and largest", "\xE0\xA0\x80\xEF\xBF\xBF"),
    GOOD("around the surrogates", "\xED\x9F\xBF\xEE\x80\x80"),
    GOOD("four bytes, least and largest", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
    TEXT("lone continuation", "ab\x80", 2),
    TEXT("overlong slash, two bytes", "a\xC0\xAF", 1),
    TEXT("overlong, C1", "\xC1\xBF", 0),
    TEXT("overlong slash, three bytes", "\xE0\x80\xAF", 0),
    TEXT("overlong, largest of three bytes", "\xE0\x9F\xBF", 0),
    TEXT("overlong, four bytes", "\xF0\x8F\xBF\xBF", 0),
    TEXT("first surrogate", "x\xED\xA0\x80", 1),
    TEXT("last surrogate", "x\xED\xBF\xBF", 1),
    TEXT("above 10FFFF", "\xF4\x90\x80\x80", 0),
    TEXT("F5", "\xF5\x80\x80\x80", 0),
    TEXT("FE", "\xFE", 0),
    TEXT("FF", "\xFF", 0),
    TEXT("cut after the lead", "abc\xE2", 3),
    TEXT("cut in the middle", "abc\xE2\x82", 3),
    TEXT("lead and ascii", "\xE2\x82x", 0),
    TEXT("two leads", "\xC3\xC3\xA9", 0),
};

static const struct sample plainness[] = {
    GOOD("lines and tabs", "a\n\tb"),
    GOOD("other scripts", "\xD7\xA9\xD7\x9C\xE6\x97\xA5\xF0\x9F\x98\x80"),
    TEXT("nul", "a\0b", 1),
    TEXT("carriage return", "a\r\n", 1),
    TEXT("escape", "\x1b[2J", 0),
    TEXT("delete", "ab\x7f", 2),
    TEXT("C1, first", "a\xC2\x80", 1),
    TEXT("C1, CSI", "a\xC2\x9B", 1),
    TEXT("C1, last", "a\xC2\x9F", 1),
    GOOD("behind C1", "a\xC2\xA0"),
    TEXT("arabic letter mark", "\xD8\x9C", 0),
    TEXT("zero width space", "x\xE2\x80\x8B", 1),
    TEXT("right-to-left mark", "x\xE2\x80\x8F", 1),
    GOOD("hyphen behind the marks", "x\xE2\x80\x90"),
    TEXT("left-to-right embedding", "\xE2\x80\xAA", 0),
    TEXT("right-to-left override", "\xE2\x80\xAE", 0),
    GOOD("narrow no-break space behind it", "\xE2\x80\xAF"),
    TEXT("word joiner", "\xE2\x81\xA0", 0),
    TEXT("invisible plus", "\xE2\x81\xA4", 0),
    GOOD("between the groups", "\xE2\x81\xA5"),
    TEXT("first isolate", "\xE2\x81\xA6", 0),
    TEXT("pop isolate", "\xE2\x81\xA9", 0),
    TEXT("byte order mark", "\xEF\xBB\xBFselect", 0),
    TEXT("invalid is not plain", "ok\xC0", 2),
};

typedef bool check(const char *text, size_t len, size_t *out_bad);

static void
check_table(const struct sample *rows, size_t count, check *function)
{
    for (size_t i = 0; i < count; i++) {
        size_t bad = rows[i].len;
        bool is_good = function(rows[i].text, rows[i].len, &bad);
        if (is_good != (rows[i].bad == rows[i].len) || bad != rows[i].bad) {
            fail_msg("%s: %d, bad at %zu", rows[i].name, is_good, bad);
        }
        assert_int_equal(function(rows[i].text, rows[i].len, NULL), is_good);
    }
}

static void
validity_follows_rfc_3629(void **state DR_UNUSED)
{
    check_table(validity, DR_COUNT_OF(validity), dr_utf8_valid);
}

static void
plain_refuses_what_deceives_a_reader(void **state DR_UNUSED)
{
    check_table(plainness, DR_COUNT_OF(plainness), dr_utf8_plain);
}

// Every code point, encoded by hand, is valid exactly when it is no surrogate.
static void
every_code_point_is_judged_by_its_number(void **state DR_UNUSED)
{
    for (uint32_t c = 0x80; c < 0x110000; c++) {
        char text[4];
        size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = len - 1; i > 0; i--) {
            text[i] = (char)(0x80 | ((c >> (6 * (len - 1 - i))) & 0x3F));
        }
        text[0] = (char)((0xF00 >> len & 0xFF) | (c >> (6 * (len - 1))));
        if (dr_utf8_valid(text, len, NULL) != (c < 0xD800 || c > 0xDFFF)) {
            fail_msg("U+%04X", (unsigned)c);
        }
    }
}

static void
expect_shown(const char *text, size_t len, bool keep_lines, const char *expected)
{
    struct dr_buf buf = {0};
    dr_buf_str(&buf, "");
    dr_show(&buf, text, len, keep_lines);
    assert_string_equal(buf.data, expected);
    assert_true(dr_utf8_plain(buf.data, buf.len, NULL));
    dr_buf_fini(&buf);
}

static void
show_makes_the_hidden_visible(void **state DR_UNUSED)
{
    expect_shown("a\x1b[31m", 6, false, "a\\u{001B}[31m");
    expect_shown("\xE2\x80\xAEx", 4, false, "\\u{202E}x");
    expect_shown("a\nb\tc", 5, false, "a\\u{000A}b\\u{0009}c");
    expect_shown("a\nb\tc", 5, true, "a\nb\tc");
    expect_shown("a\r\n", 3, true, "a\\u{000D}\n");
    expect_shown("\xff\xC3\xA9\xC3", 4, false, "\\xFF\xC3\xA9\\xC3");
    expect_shown("a\0b", 3, true, "a\\u{0000}b");
    expect_shown("", 0, true, "");
}

// Long runs of plain text are walked many bytes at a time.
static void
every_byte_is_judged_at_every_place_of_a_long_text(void **state DR_UNUSED)
{
    char text[40];
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < sizeof text; at++) {
            size_t bad = SIZE_MAX;
            memset(text, at % 2 == 0 ? '~' : ' ', sizeof text);
            text[at] = (char)byte;
            bool is_good = byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7F);
            assert_int_equal(dr_utf8_plain(text, sizeof text, &bad), is_good);
            assert_int_equal(bad, is_good ? SIZE_MAX : at);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validity_follows_rfc_3629),
        cmocka_unit_test(plain_refuses_what_deceives_a_reader),
        cmocka_unit_test(every_code_point_is_judged_by_its_number),
        cmocka_unit_test(show_makes_the_hidden_visible),
        cmocka_unit_test(every_byte_is_judged_at_every_place_of_a_long_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
