// A hook: each change reaches it once and in order, it is tried again, and nobody waits for it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/hook.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "support/test_tmp.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct dr_tmp tmp;
    char script[PATH_MAX], out[PATH_MAX];
    struct dr_hook *hook;
};

static void
begin(struct fixture *f, const char *body)
{
    char text[1024];
    struct dr_err err = {0};
    dr_tmp_init(&f->tmp);
    snprintf(f->script, sizeof f->script, "%s/hook", f->tmp.path);
    snprintf(f->out, sizeof f->out, "%s/out", f->tmp.path);
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", body);
    assert_int_equal(dr_file_write(f->script, text, strlen(text), 0755, &err), DR_OK);
    const char *argv[] = {f->script, f->out, "two words; not a shell", NULL};
    assert_int_equal(dr_hook_begin(argv, &f->hook, &err), DR_OK);
}

static const char *
output(struct fixture *f)
{
    static char text[4096];
    char *kept = NULL;
    size_t len = 0;
    struct dr_err err = {0};
    assert_int_equal(dr_file_read(f->out, sizeof text - 1, &kept, &len, &err), DR_OK);
    snprintf(text, sizeof text, "%s", kept);
    free(kept);
    return text;
}

static void
add(struct fixture *f, const char *text)
{
    dr_hook_add(f->hook, text, strlen(text));
}

static void
every_change_arrives_in_order_with_the_arguments_as_they_are(void **state)
{
    struct fixture f = {0};
    const char *trouble;
    (void)state;
    begin(&f, "{ echo \"$2\"; cat; echo; } >> \"$1\"");
    add(&f, "{\"a\":1}");
    add(&f, "{\"a\":2}");
    dr_hook_wait(f.hook, 10000);
    assert_false(dr_hook_trouble(f.hook, &trouble));
    assert_int_equal(dr_hook_end(&f.hook), 0);
    assert_null(f.hook);
    assert_string_equal(output(&f), "two words; not a shell\n{\"a\":1}\n"
                                    "two words; not a shell\n{\"a\":2}\n");
    dr_tmp_fini(&f.tmp);
}

static void
what_fails_is_tried_again(void **state)
{
    struct fixture f = {0};
    (void)state;
    begin(&f, "cat >/dev/null; echo try >> \"$1\"; [ \"$(wc -l < \"$1\")\" -ge 3 ]");
    add(&f, "{}");
    dr_hook_wait(f.hook, 20000);
    assert_int_equal(dr_hook_end(&f.hook), 0);
    assert_string_equal(output(&f), "try\ntry\ntry\n");
    dr_tmp_fini(&f.tmp);
}

static void
a_failure_is_told_once_with_what_the_hook_said(void **state)
{
    struct fixture f = {0};
    const char *trouble = NULL;
    (void)state;
    begin(&f, "echo no such channel >&2; exit 3");
    add(&f, "{}");
    add(&f, "{}");
    dr_hook_wait(f.hook, 20000);
    assert_true(dr_hook_trouble(f.hook, &trouble));
    assert_non_null(strstr(trouble, "ended with 3: no such channel"));
    assert_false(dr_hook_trouble(f.hook, &trouble));
    assert_int_equal(dr_hook_end(&f.hook), 2);
    dr_tmp_fini(&f.tmp);
}

static void
a_hook_that_hangs_holds_nobody_up(void **state)
{
    struct fixture f = {0};
    int64_t begin_ms = dr_monotonic_ms();
    (void)state;
    begin(&f, "exec sleep 600");
    for (unsigned i = 0; i < DR_HOOK_QUEUE_MAX + 10; i++) {
        add(&f, "{}");
    }
    dr_hook_wait(f.hook, 0);
    assert_true(dr_hook_end(&f.hook) >= DR_HOOK_QUEUE_MAX);
    assert_true(dr_monotonic_ms() - begin_ms < 20000);
    dr_tmp_fini(&f.tmp);
}

static void
a_program_that_is_not_there_is_a_failure_and_no_end(void **state)
{
    const char *argv[] = {"/nonexistent/hook", NULL};
    struct dr_hook *hook = NULL;
    const char *trouble = NULL;
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_hook_begin(argv, &hook, &err), DR_OK);
    dr_hook_add(hook, "{}", 2);
    dr_hook_wait(hook, 20000);
    assert_true(dr_hook_trouble(hook, &trouble));
    assert_non_null(strstr(trouble, "/nonexistent/hook"));
    assert_int_equal(dr_hook_end(&hook), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_arrives_in_order_with_the_arguments_as_they_are),
        cmocka_unit_test(what_fails_is_tried_again),
        cmocka_unit_test(a_failure_is_told_once_with_what_the_hook_said),
        cmocka_unit_test(a_hook_that_hangs_holds_nobody_up),
        cmocka_unit_test(a_program_that_is_not_there_is_a_failure_and_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
