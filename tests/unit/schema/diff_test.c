// What is told of two fingerprints' texts.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "schema/diff.h"

static struct dr_arena *arena;

// The changes in lines of "SIGN OBJECT|BEFORE|AFTER".
static const char *
diff(const char *before, const char *after)
{
    struct dr_schema_change *list = NULL;
    struct dr_err err = {0};
    size_t count = 0;
    const char *text = "";
    assert_int_equal(dr_schema_diff(before, after, arena, &list, &count, &err), DR_OK);
    for (size_t i = 0; i < count; i++) {
        text = dr_arena_printf(arena, "%s%c %s|%s|%s\n", text, list[i].sign, list[i].object,
                               list[i].before, list[i].after);
        assert_non_null(text);
    }
    return text;
}

static void
objects_come_go_and_change(void **state)
{
    (void)state;
    assert_string_equal(diff("", ""), "");
    assert_string_equal(diff("a 1: x\nb 2: y\n", "a 1: x\nb 2: y\n"), "");
    assert_string_equal(diff("a 1: x\nb 2: y\n", "a 1: z\nc 3: y\n"),
                        "~ a 1|x|z\n- b 2|y|\n+ c 3||y\n");
    assert_string_equal(diff("a 1\n", "a 1: x"), "~ a 1||x\n");
}

static void
what_everybody_may_do_with_a_new_object_goes_without_saying(void **state)
{
    (void)state;
    static const char with[] = "enum public.mood: 'a'\nfunction public.f(x integer): body\n"
                               "grant function public.f(x integer) to public: EXECUTE\n"
                               "grant type public.mood to public: USAGE\n";
    assert_string_equal(diff("", with), "+ enum public.mood||'a'\n"
                                        "+ function public.f(x integer)||body\n");
    assert_string_equal(diff(with, ""), "- enum public.mood|'a'|\n"
                                        "- function public.f(x integer)|body|\n");
}

static void
a_right_that_was_taken_or_given_is_told(void **state)
{
    (void)state;
    assert_string_equal(diff("enum public.mood: 'a'\ngrant type public.mood to public: USAGE\n",
                             "enum public.mood: 'a'\n"),
                        "- grant type public.mood to public|USAGE|\n");
    assert_string_equal(diff("", "enum public.mood: 'a'\ngrant type public.mood to app: USAGE\n"
                                 "grant type public.mood to public: USAGE*\n"),
                        "+ enum public.mood||'a'\n+ grant type public.mood to app||USAGE\n"
                        "+ grant type public.mood to public||USAGE*\n");
    assert_string_equal(diff("enum public.mood: 'a'\n",
                             "enum public.old: 'a'\ngrant type public.mood to public: USAGE\n"),
                        "- enum public.mood|'a'|\n+ enum public.old||'a'\n"
                        "+ grant type public.mood to public||USAGE\n");
}

static int
make_arena(void **state)
{
    (void)state;
    arena = dr_arena_new(1u << 20);
    return arena == NULL ? -1 : 0;
}

static int
free_arena(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_go_and_change),
        cmocka_unit_test(what_everybody_may_do_with_a_new_object_goes_without_saying),
        cmocka_unit_test(a_right_that_was_taken_or_given_is_told),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
