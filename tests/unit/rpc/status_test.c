// Errors cross the wire with their number; a peer that knows other numbers is understood by the
// canonical code.
#include "rpc/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void
every_error_of_the_table_comes_back_as_itself(void **state)
{
    static const enum dr_rc codes[] = {
#define DR_ERR(name, number, exit_code, rpc_status, hint) DR_E_##name,
#include "base/err_table.h"
#undef DR_ERR
    };
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct dr_err err = {0}, back = {0};
        Drover__V1__StatusDetail detail;
        dr_err_set(&err, codes[i], "what happened to '%s'", "x");
        dr_err_hint(&err, "try: this");
        uint32_t status = dr_status_from_err(&err, &detail);
        assert_in_range(status, 1, 16);
        assert_int_equal(dr_status_raise(status, &detail, &back), codes[i]);
        assert_int_equal(back.rc, codes[i]);
        assert_string_equal(back.message, "what happened to 'x'");
        assert_string_equal(back.hint, "try: this");
    }
}

static void
an_unknown_number_falls_back_to_the_canonical_code(void **state)
{
    struct dr_err err = {0};
    Drover__V1__StatusDetail detail;
    (void)state;
    drover__v1__status_detail__init(&detail);
    detail.error = 99999;
    assert_int_equal(dr_status_raise(DR_STATUS_NOT_FOUND, &detail, &err), DR_E_NOT_FOUND);
    assert_string_equal(err.message, "the coordinator answered NOT_FOUND");
    assert_int_equal(dr_status_raise(DR_STATUS_UNAVAILABLE, NULL, &err), DR_E_UNREACHABLE);
    assert_int_equal(dr_status_raise(12345, NULL, &err), DR_E_RPC_REMOTE);
}

static void
success_cannot_be_raised(void **state)
{
    struct dr_err err = {0};
    Drover__V1__StatusDetail detail;
    (void)state;
    drover__v1__status_detail__init(&detail);
    detail.error = (uint32_t)DR_E_NOT_FOUND;
    assert_int_equal(dr_status_raise(DR_STATUS_OK, &detail, &err), DR_E_RPC_PROTOCOL);
    detail.error = 0;
    assert_int_equal(dr_status_raise(DR_STATUS_INTERNAL, &detail, &err), DR_E_RPC_REMOTE);
    struct dr_err none = {0};
    assert_int_equal(dr_status_from_err(&none, &detail), DR_STATUS_INTERNAL);
}

static void
texts_of_the_peer_cannot_steer_a_terminal(void **state)
{
    struct dr_err err = {0};
    Drover__V1__StatusDetail detail;
    char message[] = "a\x1b[31mb\xff", hint[] = "c\x07";
    (void)state;
    drover__v1__status_detail__init(&detail);
    detail.message = message;
    detail.hint = hint;
    dr_status_raise(DR_STATUS_NOT_FOUND, &detail, &err);
    assert_null(strchr(err.message, '\x1b'));
    assert_null(strchr(err.message, '\xff'));
    assert_null(strchr(err.hint, '\x07'));
    assert_non_null(strstr(err.message, "[31mb"));
}

static void
canonical_codes_have_their_names(void **state)
{
    struct dr_err err = {0};
    (void)state;
    dr_status_raise(DR_STATUS_DEADLINE_EXCEEDED, NULL, &err);
    assert_string_equal(err.message, "the coordinator answered DEADLINE_EXCEEDED");
    dr_status_raise(DR_STATUS_UNAUTHENTICATED, NULL, &err);
    assert_string_equal(err.message, "the coordinator answered UNAUTHENTICATED");
    dr_status_raise(DR_STATUS_UNAUTHENTICATED + 1, NULL, &err);
    assert_string_equal(err.message, "the coordinator answered UNKNOWN");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_of_the_table_comes_back_as_itself),
        cmocka_unit_test(an_unknown_number_falls_back_to_the_canonical_code),
        cmocka_unit_test(success_cannot_be_raised),
        cmocka_unit_test(texts_of_the_peer_cannot_steer_a_terminal),
        cmocka_unit_test(canonical_codes_have_their_names),
    };
    return cmocka_run_group_tests_name("rpc/status", tests, NULL, NULL);
}
