// The configuration of droverd: relative paths, defaults, and what is refused with file and line.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "coordinator/core/config.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <string.h>

#define WHOLE                                                                                      \
    "project = \"shop\"\nstate = \"state\"\ntransport_key = \"/keys/c.transport\"\nroot = "        \
    "\"trust/root.1.drv\"\n"

static enum dr_rc
read_text(struct dr_tmp *tmp, const char *text, struct dr_config *out, struct dr_err *err)
{
    char path[PATH_MAX];

    memset(err, 0, sizeof *err);
    return dr_config_read(dr_tmp_file(tmp, "droverd.conf", text, 0644, path), out, err);
}

static void
paths_are_relative_to_the_file_and_the_rest_has_defaults(void **state)
{
    struct dr_tmp *tmp = *state;
    struct dr_config config;
    struct dr_err err;
    char path[PATH_MAX];

    assert_int_equal(read_text(tmp, WHOLE, &config, &err), DR_OK);
    assert_string_equal(config.project, "shop");
    assert_string_equal(config.listen, "tcp://127.0.0.1:7800");
    assert_string_equal(config.state, dr_tmp_path(tmp, "state", path));
    assert_string_equal(config.transport_key, "/keys/c.transport");
    assert_string_equal(config.fleet, "");
    assert_false(config.has_root_pin);
}

static void
wrong_files_are_refused_by_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {WHOLE "approvalz = \"x\"\n", "approvalz"},
        {"project = \"shop\"\n", "state"},
        {WHOLE "listen = \"http://x\"\n", "http://x"},
        {WHOLE "root_sha256 = \"abc\"\n", "abc"},
        {WHOLE "log_format = \"xml\"\n", "xml"},
        {"project = \"Two Words\"\nstate = \"s\"\ntransport_key = \"k\"\nroot = \"r\"\n",
         "Two Words"},
    };
    struct dr_tmp *tmp = *state;
    struct dr_config config;
    struct dr_err err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_text(tmp, rows[i].text, &config, &err), DR_E_CONFIG);
        assert_non_null(strstr(err.message, rows[i].says));
    }
    assert_int_equal(read_text(tmp, "# one\n\n# three\n" WHOLE "nonsense = 1\n", &config, &err),
                     DR_E_CONFIG);
    assert_int_equal(err.line, 8);
}

static void
a_missing_file_is_named(void **state)
{
    struct dr_tmp *tmp = *state;
    struct dr_config config;
    struct dr_err err = {0};
    char path[PATH_MAX];

    assert_int_equal(dr_config_read(dr_tmp_path(tmp, "none.conf", path), &config, &err),
                     DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "none.conf"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paths_are_relative_to_the_file_and_the_rest_has_defaults,
                                        dr_tmp_setup, dr_tmp_teardown),
        cmocka_unit_test_setup_teardown(wrong_files_are_refused_by_what_is_wrong, dr_tmp_setup,
                                        dr_tmp_teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_is_named, dr_tmp_setup, dr_tmp_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
