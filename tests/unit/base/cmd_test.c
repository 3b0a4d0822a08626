#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cmd.h"

#include "base/clock.h"
#include "base/file.h"
#include "support/test_tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_MS    30000u
#define SHORT_MS   1500u
#define CAP_BYTES  65536u
#define MEMORY_CAP ((uint64_t)64 << 20)

// Runs `script` in sh with the fields of `like`.
static enum dr_rc
run_shell(const char *script, struct dr_cmd like, struct dr_cmd_result *out, struct dr_err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    like.argv = argv;
    like.timeout_ms = like.timeout_ms == 0 ? LONG_MS : like.timeout_ms;
    like.output_max = like.output_max == 0 ? CAP_BYTES : like.output_max;
    return dr_cmd_run(&like, out, err);
}

// A pipe in the file system: its reader sees the end when the last process that had it open is
// gone.
static int
open_fifo(void **state, char path[PATH_MAX])
{
    assert_int_equal(mkfifo(dr_tmp_path(*state, "fifo", path), 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void
assert_writers_are_gone(int fifo)
{
    struct pollfd fd = {.fd = fifo, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, (int)LONG_MS), 1);
    assert_true((fd.revents & POLLHUP) != 0);
    (void)close(fifo);
}

static void
only_the_descriptor_that_is_passed_on_is_there(void **state DR_UNUSED)
{
    struct dr_cmd_result result = {0};
    struct dr_err err = {0};
    char script[128];
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 3);
    assert_int_equal(write(fd, "told", 4), 4);
    (void)snprintf(script, sizeof script, "cat /proc/self/fd/%d", fd);
    assert_int_equal(run_shell(script, (struct dr_cmd){0}, &result, &err), DR_OK);
    assert_int_not_equal(result.exit_code, 0);
    dr_cmd_result_fini(&result);
    assert_int_equal(run_shell(script, (struct dr_cmd){.pass_fd = fd}, &result, &err), DR_OK);
    assert_int_equal(result.exit_code, 0);
    assert_string_equal(result.output.data, "told");
    dr_cmd_result_fini(&result);
    (void)close(fd);
}

static void
output_errors_and_exit_code_come_back(void **state DR_UNUSED)
{
    struct dr_cmd_result result = {0};
    assert_int_equal(run_shell("echo out; echo err >&2; exit 7", (struct dr_cmd){0}, &result, NULL),
                     DR_OK);
    assert_string_equal(result.output.data, "out\n");
    assert_string_equal(result.errors.data, "err\n");
    assert_int_equal(result.exit_code, 7);
    assert_int_equal(result.signal, 0);
    dr_cmd_result_fini(&result);
    assert_int_equal(run_shell("exit 0", (struct dr_cmd){0}, &result, NULL), DR_OK);
    assert_string_equal(result.output.data, "");
    assert_string_equal(result.errors.data, "");
    dr_cmd_result_fini(&result);
}

static void
an_end_by_a_signal_is_told(void **state DR_UNUSED)
{
    struct dr_cmd_result result = {0};
    assert_int_equal(run_shell("kill -SEGV $$", (struct dr_cmd){0}, &result, NULL), DR_OK);
    assert_int_equal(result.exit_code, -1);
    assert_int_equal(result.signal, SIGSEGV);
    dr_cmd_result_fini(&result);
}

static void
large_input_and_output_flow_at_once(void **state DR_UNUSED)
{
    static char input[3000000];
    memset(input, 'q', sizeof input);
    struct dr_cmd_result result = {0};
    struct dr_cmd cmd = {.input = input, .input_len = sizeof input, .output_max = sizeof input};
    assert_int_equal(run_shell("cat", cmd, &result, NULL), DR_OK);
    assert_int_equal(result.output.len, sizeof input);
    assert_memory_equal(result.output.data, input, sizeof input);
    dr_cmd_result_fini(&result);
}

static void
a_child_that_does_not_read_its_input_does_no_harm(void **state DR_UNUSED)
{
    static char input[3000000];
    struct dr_cmd_result result = {0};
    struct dr_cmd cmd = {.input = input, .input_len = sizeof input};
    struct sigaction before, after;
    assert_int_equal(sigaction(SIGPIPE, NULL, &before), 0);
    assert_int_equal(run_shell("exec 0<&-; echo x", cmd, &result, NULL), DR_OK);
    assert_string_equal(result.output.data, "x\n");
    dr_cmd_result_fini(&result);
    assert_int_equal(sigaction(SIGPIPE, NULL, &after), 0);
    assert_ptr_equal(before.sa_handler, after.sa_handler);
    sigset_t pending;
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
}

static void
a_program_that_is_not_there_is_not_found(void **state DR_UNUSED)
{
    const char *const argv[] = {"drover-no-such-program", NULL};
    struct dr_cmd cmd = {.argv = argv, .timeout_ms = LONG_MS, .output_max = 1};
    struct dr_cmd_result result = {.exit_code = 77};
    struct dr_err err = {0};
    assert_int_equal(dr_cmd_run(&cmd, &result, &err), DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "'drover-no-such-program' cannot be started"));
    assert_int_equal(result.exit_code, 77);
    const char *const folder[] = {"/tmp", NULL};
    cmd.argv = folder;
    assert_int_equal(dr_cmd_run(&cmd, &result, &err), DR_E_IO);
    assert_non_null(strstr(err.message, "Permission denied"));
    cmd.timeout_ms = 0;
    assert_int_equal(dr_cmd_run(&cmd, &result, &err), DR_E_INTERNAL);
}

static void
time_out_kills_the_whole_group(void **state)
{
    char path[PATH_MAX], script[PATH_MAX + 64];
    int fifo = open_fifo(state, path);
    (void)snprintf(script, sizeof script, "sleep 300 >'%s' & wait", path);
    struct dr_cmd_result result = {0};
    struct dr_err err = {0};
    int64_t begin = dr_monotonic_ms();
    assert_int_equal(run_shell(script, (struct dr_cmd){.timeout_ms = SHORT_MS}, &result, &err),
                     DR_E_TIMEOUT);
    assert_true(dr_monotonic_ms() - begin >= SHORT_MS);
    assert_string_equal(err.message, "'/bin/sh' did not end within its time");
    assert_writers_are_gone(fifo);
}

static void
too_much_output_kills_the_whole_group(void **state)
{
    char path[PATH_MAX], script[PATH_MAX + 64];
    int fifo = open_fifo(state, path);
    (void)snprintf(script, sizeof script, "exec 3>'%s'; sleep 300 & exec yes", path);
    struct dr_cmd_result result = {0};
    struct dr_err err = {0};
    assert_int_equal(run_shell(script, (struct dr_cmd){0}, &result, &err), DR_E_LIMIT);
    assert_string_equal(err.message, "'/bin/sh' printed more than 65536 bytes");
    assert_writers_are_gone(fifo);
    assert_int_equal(run_shell("yes >&2", (struct dr_cmd){0}, &result, &err), DR_E_LIMIT);
}

static void
output_of_exactly_the_cap_is_taken(void **state DR_UNUSED)
{
    struct dr_cmd_result result = {0};
    struct dr_cmd cmd = {.output_max = 5};
    assert_int_equal(run_shell("printf 12345", cmd, &result, NULL), DR_OK);
    assert_string_equal(result.output.data, "12345");
    dr_cmd_result_fini(&result);
    assert_int_equal(run_shell("printf 123456", cmd, &result, NULL), DR_E_LIMIT);
}

static void
cancelling_kills_the_whole_group(void **state DR_UNUSED)
{
    int ends[2];
    struct dr_cmd_result result = {0};
    struct dr_err err = {0};
    assert_int_equal(pipe(ends), 0);
    assert_true(dr_fd_write_all(ends[1], "x", 1));
    assert_int_equal(run_shell("sleep 300", (struct dr_cmd){.cancel_fd = ends[0]}, &result, &err),
                     DR_E_INTERRUPTED);
    assert_non_null(strstr(err.message, "was cancelled"));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void
a_grandchild_that_keeps_the_pipes_does_not_keep_us(void **state DR_UNUSED)
{
    struct dr_cmd_result result = {0};
    int64_t begin = dr_monotonic_ms();
    assert_int_equal(run_shell("sleep 300 & echo $!", (struct dr_cmd){0}, &result, NULL), DR_OK);
    assert_true(dr_monotonic_ms() - begin < LONG_MS);
    uint64_t pid = 0;
    assert_true(result.output.len > 1);
    result.output.data[result.output.len - 1] = '\0';
    assert_true(dr_parse_u64(result.output.data, 2, INT32_MAX, &pid));
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    dr_cmd_result_fini(&result);
}

static void
memory_is_capped(void **state DR_UNUSED)
{
    struct dr_cmd_result result = {0};
    struct dr_cmd cmd = {.memory_max_bytes = MEMORY_CAP};
    assert_int_equal(run_shell("dd if=/dev/zero of=/dev/null bs=200M count=1", cmd, &result, NULL),
                     DR_OK);
    assert_int_not_equal(result.exit_code, 0);
    assert_non_null(strstr(result.errors.data, "memory"));
    dr_cmd_result_fini(&result);
}

static void
the_environment_is_minimal_or_what_was_given(void **state DR_UNUSED)
{
    static const char *const given[] = {"A=1", "PATH=/usr/bin:/bin", NULL};
    struct dr_cmd_result result = {0};
    assert_int_equal(setenv("PGPASSWORD", "secret", 1), 0);
    assert_int_equal(run_shell("env", (struct dr_cmd){0}, &result, NULL), DR_OK);
    assert_null(strstr(result.output.data, "PGPASSWORD"));
    assert_non_null(strstr(result.output.data, "LANG=C.UTF-8\n"));
    dr_cmd_result_fini(&result);
    assert_int_equal(run_shell("env", (struct dr_cmd){.env = given}, &result, NULL), DR_OK);
    assert_non_null(strstr(result.output.data, "A=1\n"));
    assert_null(strstr(result.output.data, "LANG"));
    dr_cmd_result_fini(&result);
    assert_int_equal(unsetenv("PGPASSWORD"), 0);
}

static void
no_descriptor_of_ours_reaches_the_child(void **state DR_UNUSED)
{
    char script[64];
    struct dr_cmd_result result = {0};
    int fd = open("/dev/null", O_RDONLY); // without O_CLOEXEC
    assert_true(fd > 2);
    (void)snprintf(script, sizeof script, "[ ! -e /proc/self/fd/%d ] && cat", fd);
    assert_int_equal(run_shell(script, (struct dr_cmd){0}, &result, NULL), DR_OK);
    assert_int_equal(result.exit_code, 0);
    dr_cmd_result_fini(&result);
    (void)close(fd);
}

static void
output_goes_to_a_new_file_of_ours_alone(void **state)
{
    char path[PATH_MAX], *text = NULL;
    size_t len;
    struct stat st;
    struct dr_cmd_result result = {0};
    struct dr_err err = {0};
    struct dr_cmd cmd = {.output_path = dr_tmp_path(*state, "dump", path), .output_max = 3};
    // The cap is for what is kept in memory.
    assert_int_equal(run_shell("echo to the file; echo e >&2", cmd, &result, &err), DR_OK);
    assert_string_equal(result.output.data, "");
    assert_string_equal(result.errors.data, "e\n");
    dr_cmd_result_fini(&result);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(dr_file_read(path, 100, &text, &len, NULL), DR_OK);
    assert_string_equal(text, "to the file\n");
    free(text);
    assert_int_equal(run_shell("echo again", cmd, &result, &err), DR_E_EXISTS);
    assert_non_null(strstr(err.message, "dump' cannot be made"));
}

static void
closed_standard_descriptors_do_no_harm(void **state DR_UNUSED)
{
    struct dr_cmd_result result = {0};
    int saved = dup(STDIN_FILENO);
    (void)close(STDIN_FILENO);
    enum dr_rc rc =
        run_shell("cat; echo x", (struct dr_cmd){.input = "in ", .input_len = 3}, &result, NULL);
    (void)dup2(saved, STDIN_FILENO);
    (void)close(saved);
    assert_int_equal(rc, DR_OK);
    assert_string_equal(result.output.data, "in x\n");
    dr_cmd_result_fini(&result);
}

static void
a_sibling_stands_in_the_named_folder_or_beside_this_program(void **state)
{
    char path[PATH_MAX], out[PATH_MAX], self[PATH_MAX] = "";
    struct dr_err err = {0};
    struct dr_tmp *tmp = *state;
    assert_int_equal(setenv("DROVER_BINDIR", tmp->path, 1), 0);
    dr_tmp_file(tmp, "drover-x", "", 0600, path);
    assert_int_equal(dr_cmd_sibling("drover-x", out, sizeof out, &err), DR_E_NOT_FOUND);
    assert_string_equal(err.message, "the program 'drover-x' is not beside this one");
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_equal(dr_cmd_sibling("drover-x", out, sizeof out, &err), DR_OK);
    assert_string_equal(out, path);
    assert_int_equal(unsetenv("DROVER_BINDIR"), 0);
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    const char *slash = strrchr(self, '/');
    assert_non_null(slash);
    assert_int_equal(dr_cmd_sibling(slash + 1, out, sizeof out, &err), DR_OK);
    assert_string_equal(out, self);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dr_tmp_setup, dr_tmp_teardown)

int
main(void)
{
    // The caller's PATH may hold folders that cannot be searched, which changes the error.
    (void)setenv("PATH", "/usr/local/bin:/usr/bin:/bin", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_descriptor_that_is_passed_on_is_there),
        cmocka_unit_test(output_errors_and_exit_code_come_back),
        cmocka_unit_test(an_end_by_a_signal_is_told),
        cmocka_unit_test(large_input_and_output_flow_at_once),
        cmocka_unit_test(a_child_that_does_not_read_its_input_does_no_harm),
        cmocka_unit_test(a_program_that_is_not_there_is_not_found),
        TEST(time_out_kills_the_whole_group),
        TEST(too_much_output_kills_the_whole_group),
        cmocka_unit_test(output_of_exactly_the_cap_is_taken),
        cmocka_unit_test(cancelling_kills_the_whole_group),
        cmocka_unit_test(a_grandchild_that_keeps_the_pipes_does_not_keep_us),
        cmocka_unit_test(memory_is_capped),
        cmocka_unit_test(the_environment_is_minimal_or_what_was_given),
        cmocka_unit_test(no_descriptor_of_ours_reaches_the_child),
        TEST(output_goes_to_a_new_file_of_ours_alone),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        TEST(a_sibling_stands_in_the_named_folder_or_beside_this_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
