#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"

#include <string.h>

static void
a_buffer_grows_and_stays_terminated(void **state DR_UNUSED)
{
    struct dr_buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        dr_buf_printf(&buf, "%d,", i);
        assert_int_equal(strlen(buf.data), buf.len);
    }
    dr_buf_str(&buf, "end");
    dr_buf_add(&buf, "\0x", 2);
    dr_buf_add(&buf, NULL, 0);
    assert_false(buf.failed);
    assert_memory_equal(buf.data, "0,1,2,", 6);
    assert_memory_equal(buf.data + buf.len - 5, "end\0x", 6);
    dr_buf_fini(&buf);
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    dr_buf_fini(&buf);
}

static void
a_buffer_fails_at_its_cap_and_stays_failed(void **state DR_UNUSED)
{
    struct dr_buf buf = {.max = 10};
    dr_buf_str(&buf, "0123456789");
    assert_false(buf.failed);
    dr_buf_str(&buf, "x");
    assert_true(buf.failed);
    assert_string_equal(buf.data, "0123456789");
    dr_buf_str(&buf, "");
    assert_true(buf.failed);
    dr_buf_printf(&buf, "%s", "y");
    assert_int_equal(buf.len, 10);
    dr_buf_reset(&buf);
    assert_false(buf.failed);
    dr_buf_printf(&buf, "%s", "ab");
    assert_string_equal(buf.data, "ab");
    dr_buf_fini(&buf);
}

static void
a_buffer_without_cap_of_its_own_has_one(void **state DR_UNUSED)
{
    static char megabyte[1 << 20];
    struct dr_buf buf = {0};
    for (int i = 0; i < 65; i++) {
        dr_buf_add(&buf, megabyte, sizeof megabyte);
    }
    assert_true(buf.failed);
    assert_int_equal(buf.len, (size_t)64 << 20);
    dr_buf_fini(&buf);
}

static void
hex_goes_there_and_back(void **state DR_UNUSED)
{
    uint8_t bytes[256], back[256];
    char text[513];
    for (size_t i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    dr_hex(text, bytes, 256);
    assert_memory_equal(text, "000102030405060708090a0b", 24);
    assert_int_equal(strlen(text), 512);
    assert_true(dr_unhex(back, 256, text));
    assert_memory_equal(bytes, back, 256);
    assert_true(dr_unhex(back, 2, "FfAa"));
    assert_memory_equal(back, "\xff\xaa", 2);
    assert_true(dr_unhex(back, 0, ""));
}

static void
unhex_refuses_and_leaves_the_output_alone(void **state DR_UNUSED)
{
    static const char *const bad[] = {"",     "0",    "00",   "000", "00000",
                                      "00 0", "00g0", "0x00", "-000"};
    for (size_t i = 0; i < DR_COUNT_OF(bad); i++) {
        uint8_t out[2] = {7, 7};
        assert_false(dr_unhex(out, 2, bad[i]));
        assert_memory_equal(out, "\7\7", 2);
    }
}

static void
equality_takes_null(void **state DR_UNUSED)
{
    assert_true(dr_str_eq("a", "a"));
    assert_false(dr_str_eq("a", "b"));
    assert_false(dr_str_eq("a", NULL));
    assert_false(dr_str_eq(NULL, "a"));
    assert_true(dr_str_eq(NULL, NULL));
}

static void
starts_and_ends_look_at_the_whole_affix(void **state DR_UNUSED)
{
    assert_true(dr_str_starts("drover", "dr"));
    assert_true(dr_str_starts("drover", ""));
    assert_false(dr_str_starts("dr", "drover"));
    assert_true(dr_str_ends("a.sql", ".sql"));
    assert_true(dr_str_ends("a.sql", ""));
    assert_false(dr_str_ends("sql", ".sql"));
    assert_false(dr_str_ends("a.sql.bak", ".sql"));
}

static void
glob_matches_the_whole_text(void **state DR_UNUSED)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything/at.all", true},
        {"production/*", "production/orders", true},
        {"production/*", "production/", true},
        {"production/*", "staging/orders", false},
        {"*orders", "production/orders", true},
        {"*a*b*c", "xxaxxbxxc", true},
        {"*a*b*c", "xxaxxbxxcx", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"?", "", false},
        {"[a]", "a", false},
        {"[a]", "[a]", true},
        {"abc", "abcd", false},
        {"abcd", "abc", false},
        {"**", "x", true},
        {"a*", "b", false},
    };
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (dr_str_glob(rows[i].pattern, rows[i].text) != rows[i].matches) {
            fail_msg("'%s' on '%s'", rows[i].pattern, rows[i].text);
        }
    }
}

static void
glob_does_not_explode_on_many_stars(void **state DR_UNUSED)
{
    char text[20001];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(dr_str_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_and_stays_terminated),
        cmocka_unit_test(a_buffer_fails_at_its_cap_and_stays_failed),
        cmocka_unit_test(a_buffer_without_cap_of_its_own_has_one),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(unhex_refuses_and_leaves_the_output_alone),
        cmocka_unit_test(equality_takes_null),
        cmocka_unit_test(starts_and_ends_look_at_the_whole_affix),
        cmocka_unit_test(glob_matches_the_whole_text),
        cmocka_unit_test(glob_does_not_explode_on_many_stars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
