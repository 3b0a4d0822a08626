// Confine: what the net process can no longer do.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/confine.h"
#include "support/test_tmp.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

// In a child: after it no file of the folder is readable but `also`, and none writable.
static int
look_confined(const char *secret, const char *also)
{
    if (!dr_confine_files(also)) {
        return 1;
    }
    if (can_open(secret, O_RDONLY) || can_open(secret, O_WRONLY) || can_open(also, O_WRONLY)) {
        return 2;
    }
    return can_open(also, O_RDONLY) && can_open("/etc/hosts", O_RDONLY) ? 0 : 3;
}

static void
confined_process_reads_no_key_and_writes_nothing(void **state)
{
    char secret[PATH_MAX];
    char also[PATH_MAX];
    (void)dr_tmp_file(*state, "agent.key", "secret", 0600, secret);
    (void)dr_tmp_file(*state, "ca.pem", "public", 0600, also);
    if (!dr_confine_is_available()) {
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(look_confined(secret, also));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void
user_that_is_not_there_is_an_error(void **state)
{
    struct dr_err err = {0};
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(dr_confine_user("nobody-has-this-name", &err), DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "nobody-has-this-name"));
    assert_int_equal(dr_confine_user("", &err), DR_OK);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(confined_process_reads_no_key_and_writes_nothing,
                                        dr_tmp_setup, dr_tmp_teardown),
        cmocka_unit_test(user_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
