// The method table and the generated service descriptors say the same.
#include "rpc/methods.h"

#include "proto/service.pb-c.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static const ProtobufCServiceDescriptor *const services[] = {
    &drover__v1__health__descriptor,   &drover__v1__reflection__descriptor,
    &drover__v1__enroll__descriptor,   &drover__v1__documents__descriptor,
    &drover__v1__operator__descriptor, &drover__v1__agent__descriptor,
};

static void
every_method_of_every_service_has_its_row(void **state)
{
    unsigned count = 0;
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(services); i++) {
        for (unsigned k = 0; k < services[i]->n_methods; k++, count++) {
            const ProtobufCMethodDescriptor *method = &services[i]->methods[k];
            const struct dr_method *row = NULL;
            for (unsigned r = 0; r < DR_METHOD_COUNT; r++) {
                const struct dr_method *candidate = dr_method_at((enum dr_method_id)r);
                if (candidate->service == services[i] &&
                    strcmp(candidate->method_name, method->name) == 0) {
                    assert_null(row); // only one
                    row = candidate;
                }
            }
            assert_non_null(row);
            assert_ptr_equal(row->request, method->input);
            assert_ptr_equal(row->reply, method->output);
            assert_string_equal(row->service_name, services[i]->name);
        }
    }
    assert_int_equal(count, DR_METHOD_COUNT);
}

static void
rows_are_found_by_their_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DR_METHOD_COUNT; i++) {
        const struct dr_method *row = dr_method_at((enum dr_method_id)i);
        assert_int_equal(row->id, i);
        assert_ptr_equal(dr_method_find(row->name), row);
        assert_ptr_equal(dr_method_find(row->name + strlen("drover.v1.")), row);
    }
    assert_null(dr_method_find(""));
    assert_null(dr_method_find("Health"));
    assert_null(dr_method_find("Health/Check/"));
}

static void
only_health_and_enroll_are_open_to_anyone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DR_METHOD_COUNT; i++) {
        const struct dr_method *row = dr_method_at((enum dr_method_id)i);
        int is_open = i == DR_METHOD_HEALTH_CHECK || i == DR_METHOD_ENROLL_OFFER;
        assert_int_equal(row->auth == DR_AUTH_ANYONE, is_open);
        assert_true(!is_open || row->request_max_bytes <= 4096);
    }
}

static void
streams_are_never_retried_and_requests_fit_a_frame(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DR_METHOD_COUNT; i++) {
        const struct dr_method *row = dr_method_at((enum dr_method_id)i);
        assert_int_equal(row->is_streaming, row->retry == DR_RETRY_NEVER);
        assert_in_range(row->request_max_bytes, 1, 1024u * 1024u);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_of_every_service_has_its_row),
        cmocka_unit_test(rows_are_found_by_their_name),
        cmocka_unit_test(only_health_and_enroll_are_open_to_anyone),
        cmocka_unit_test(streams_are_never_retried_and_requests_fit_a_frame),
    };
    return cmocka_run_group_tests_name("rpc/methods", tests, NULL, NULL);
}
