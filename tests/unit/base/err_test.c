#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"

#include <errno.h>
#include <string.h>

static void
set_replaces_everything_that_stood_there(void **state DR_UNUSED)
{
    struct dr_err err = {.rc = DR_E_IO, .hint = "old", .file = "old", .line = 3, .column = 4};
    assert_int_equal(dr_err_set(&err, DR_E_LIMIT, "'%s' has %d", "a", 7), DR_E_LIMIT);
    assert_int_equal(err.rc, DR_E_LIMIT);
    assert_string_equal(err.message, "'a' has 7");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.file, "");
    assert_int_equal(err.line, 0);
    assert_int_equal(err.column, 0);
}

static void
set_accepts_that_nobody_wants_the_details(void **state DR_UNUSED)
{
    assert_int_equal(dr_err_set(NULL, DR_E_EXISTS, "x"), DR_E_EXISTS);
    assert_int_equal(dr_err_errno(NULL, DR_E_IO, ENOENT, "x"), DR_E_IO);
}

static void
set_may_take_its_arguments_from_the_error_itself(void **state DR_UNUSED)
{
    struct dr_err err = {0};
    (void)dr_err_set(&err, DR_E_IO, "inner");
    (void)dr_err_set(&err, DR_E_CONFIG, "outer of '%s'", err.message);
    assert_string_equal(err.message, "outer of 'inner'");
}

static void
errno_appends_the_reason_of_the_system(void **state DR_UNUSED)
{
    struct dr_err err = {0};
    assert_int_equal(dr_err_errno(&err, DR_E_NOT_FOUND, ENOENT, "cannot open '%s'", "x"),
                     DR_E_NOT_FOUND);
    assert_string_equal(err.message, "cannot open 'x': No such file or directory");
}

static void
wrap_puts_context_before_and_keeps_the_code(void **state DR_UNUSED)
{
    struct dr_err err = {0};
    (void)dr_err_set(&err, DR_E_IO, "cause");
    (void)dr_err_hint(&err, "type '%s'", "this");
    (void)dr_err_at(&err, "a.sql", 3, 9);
    assert_int_equal(dr_err_wrap(&err, "step %d", 2), DR_E_IO);
    assert_string_equal(err.message, "step 2: cause");
    assert_string_equal(err.hint, "type 'this'");
    assert_string_equal(err.file, "a.sql");
    assert_int_equal(err.line, 3);
    assert_int_equal(err.column, 9);
}

static void
a_long_message_is_cut_and_says_so(void **state DR_UNUSED)
{
    char text[2 * DR_ERR_MESSAGE_MAX];
    struct dr_err err = {0};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)dr_err_set(&err, DR_E_INVALID, "%s", text);
    assert_int_equal(strlen(err.message), DR_ERR_MESSAGE_MAX - 1);
    assert_string_equal(err.message + DR_ERR_MESSAGE_MAX - 4, "...");
    (void)dr_err_wrap(&err, "context");
    assert_memory_equal(err.message, "context: xxx", 12);
    assert_string_equal(err.message + DR_ERR_MESSAGE_MAX - 4, "...");
    (void)dr_err_hint(&err, "%s", text);
    assert_int_equal(strlen(err.hint), DR_ERR_HINT_MAX - 1);
    (void)dr_err_at(&err, text, 1, 1);
    assert_int_equal(strlen(err.file), sizeof err.file - 1);
}

static void
a_cut_message_ends_on_a_whole_character(void **state DR_UNUSED)
{
    char text[DR_ERR_MESSAGE_MAX + 8];
    struct dr_err err = {0};
    for (size_t i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\xC3\xA9", 3);
    }
    (void)dr_err_set(&err, DR_E_INVALID, "%s", text);
    size_t len = strlen(err.message);
    assert_string_equal(err.message + len - 3, "...");
    assert_int_equal((len - 3) % 2, 0);
}

static void
every_row_has_its_own_number_a_name_and_known_codes(void **state DR_UNUSED)
{
    static const enum dr_rc all[] = {
#define DR_ERR(name, number, exit_code, rpc_status, hint) DR_E_##name,
#include "base/err_table.h"
#undef DR_ERR
    };
    for (size_t i = 0; i < DR_COUNT_OF(all); i++) {
        const char *name = dr_rc_name(all[i]);
        assert_true(strlen(name) > 1);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(name));
        assert_true(strlen(name) < 40); // the longest that the table of shown names takes whole
        assert_true(dr_rc_exit_code(all[i]) > 0 && dr_rc_exit_code(all[i]) < 256);
        assert_true(dr_rc_rpc_status(all[i]) > 0 && dr_rc_rpc_status(all[i]) <= 16);
        assert_true(strlen(dr_rc_hint(all[i])) < DR_ERR_HINT_MAX);
        assert_int_equal(dr_rc_from_number((uint32_t)all[i]), all[i]);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(all[i], all[j]);
            assert_string_not_equal(name, dr_rc_name(all[j]));
        }
    }
}

static void
names_are_shown_in_lower_case_with_dashes(void **state DR_UNUSED)
{
    assert_string_equal(dr_rc_name(DR_E_NOT_FOUND), "not-found");
    assert_string_equal(dr_rc_name(DR_OK), "ok");
    assert_int_equal(dr_rc_exit_code(DR_OK), 0);
    assert_int_equal(dr_rc_rpc_status(DR_OK), 0);
    assert_string_equal(dr_rc_hint(DR_OK), "");
    assert_int_equal(dr_rc_exit_code(DR_E_TIMEOUT), 124);
    assert_int_equal(dr_rc_exit_code(DR_E_INTERRUPTED), 130);
}

static void
an_unknown_number_is_internal(void **state DR_UNUSED)
{
    assert_int_equal(dr_rc_from_number(0), DR_OK);
    assert_int_equal(dr_rc_from_number(99999), DR_E_INTERNAL);
    assert_int_equal(dr_rc_from_number(UINT32_MAX), DR_E_INTERNAL);
    assert_string_equal(dr_rc_name((enum dr_rc)99999), "internal");
    assert_true(strlen(dr_rc_hint((enum dr_rc)99999)) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_replaces_everything_that_stood_there),
        cmocka_unit_test(set_accepts_that_nobody_wants_the_details),
        cmocka_unit_test(set_may_take_its_arguments_from_the_error_itself),
        cmocka_unit_test(errno_appends_the_reason_of_the_system),
        cmocka_unit_test(wrap_puts_context_before_and_keeps_the_code),
        cmocka_unit_test(a_long_message_is_cut_and_says_so),
        cmocka_unit_test(a_cut_message_ends_on_a_whole_character),
        cmocka_unit_test(every_row_has_its_own_number_a_name_and_known_codes),
        cmocka_unit_test(names_are_shown_in_lower_case_with_dashes),
        cmocka_unit_test(an_unknown_number_is_internal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
