#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/failpoint.h"

#include "base/attr.h"
#include "base/file.h"
#include "support/test_tmp.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef DROVER_FAILPOINTS
#define ARE_ON true
#else
#define ARE_ON false
#endif

// Passes the point "p" five times in a child with the variable set to `text` (NULL: unset). The
// exit code has bit N set when pass N was told to fail.
static int
pass_five_times(const char *text)
{
    pid_t pid = fork();
    if (pid == 0) {
        int failed = 0;
        (void)(text == NULL ? unsetenv("DROVER_FAILPOINT") : setenv("DROVER_FAILPOINT", text, 1));
        for (int i = 0; i < 5; i++) {
            failed |= DR_FAILPOINT("p") ? 1 << i : 0;
        }
        _exit(failed);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
an_error_is_reported_at_the_named_hit_only(void **state DR_UNUSED)
{
    int first = pass_five_times("p=error");
    int third = pass_five_times("p=error@3");
    assert_int_equal(WEXITSTATUS(first), ARE_ON ? 1 : 0);
    assert_int_equal(WEXITSTATUS(third), ARE_ON ? 4 : 0);
    assert_int_equal(pass_five_times("p=error@6"), 0);
}

static void
other_names_and_malformed_values_do_nothing(void **state DR_UNUSED)
{
    static const char *const texts[] = {
        NULL,         "",         "p",         "q=kill",    "pp=kill",
        "p=nonsense", "p=error@", "p=error@x", "p=error@0", "p=error@999999999999"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        assert_int_equal(pass_five_times(texts[i]), 0);
    }
}

static void
kill_and_exit_end_the_process_at_once(void **state DR_UNUSED)
{
    int killed = pass_five_times("p=kill@2");
    int ended = pass_five_times("p=exit");
    assert_int_equal(WIFSIGNALED(killed) ? WTERMSIG(killed) : 0, ARE_ON ? SIGKILL : 0);
    assert_int_equal(WEXITSTATUS(ended), ARE_ON ? 99 : 0);
}

static void
pause_lasts_until_the_file_is_gone(void **state)
{
    char path[PATH_MAX], text[PATH_MAX + 16];
    int ends[2];
    char passed = 0;
    dr_tmp_file(*state, "hold@here", "", 0600, path);
    (void)snprintf(text, sizeof text, "p=pause:%s@1", path);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT", text, 1);
        bool is_told = dr_fd_write_all(ends[1], "b", 1);
        int failed = DR_FAILPOINT("p");
        passed = dr_path_exists(path) ? 'x' : 'y'; // 'y': gone before the pass
        is_told = dr_fd_write_all(ends[1], &passed, 1) && is_told;
        _exit(is_told && !failed ? 0 : 1);
    }
    (void)close(ends[1]);
    assert_true(dr_fd_read_all(ends[0], &passed, 1));
    assert_int_equal(passed, 'b');
    if (ARE_ON) {
        assert_int_equal(unlink(path), 0);
    }
    assert_true(dr_fd_read_all(ends[0], &passed, 1));
    assert_int_equal(passed, ARE_ON ? 'y' : 'x');
    (void)close(ends[0]);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

// One pass of "p" in a child that knows the socket; `answer` NULL: the test closes without a word.
static int
pass_at_socket(const char *path, int listener, const char *answer, char *line, size_t size)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT_SOCKET", path, 1);
        _exit(DR_FAILPOINT("p") ? 1 : 0);
    }
    if (ARE_ON) {
        int fd = accept(listener, NULL, NULL);
        assert_true(fd >= 0);
        ssize_t n = recv(fd, line, size - 1, 0);
        line[n < 0 ? 0 : n] = '\0';
        assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); // it stands still
        assert_true(answer == NULL || dr_fd_write_all(fd, answer, strlen(answer)));
        (void)close(fd);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void
a_test_at_the_socket_hears_every_hit_and_answers(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATH_MAX], line[64] = "";
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s",
                   dr_tmp_path(*state, "socket", path));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 4), 0);
    int fails = pass_at_socket(path, listener, "error\n", line, sizeof line);
    assert_int_equal(WEXITSTATUS(fails), ARE_ON ? 1 : 0);
    assert_true(!ARE_ON || strncmp(line, "p ", 2) == 0);
    assert_int_equal(pass_at_socket(path, listener, "go\n", line, sizeof line), 0);
    assert_int_equal(pass_at_socket(path, listener, NULL, line, sizeof line), 0);
    (void)close(listener);
    pid_t pid = fork(); // nobody listens any more
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT_SOCKET", path, 1);
        _exit(DR_FAILPOINT("p") ? 1 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_reported_at_the_named_hit_only),
        cmocka_unit_test(other_names_and_malformed_values_do_nothing),
        cmocka_unit_test(kill_and_exit_end_the_process_at_once),
        cmocka_unit_test_setup_teardown(pause_lasts_until_the_file_is_gone, dr_tmp_setup,
                                        dr_tmp_teardown),
        cmocka_unit_test_setup_teardown(a_test_at_the_socket_hears_every_hit_and_answers,
                                        dr_tmp_setup, dr_tmp_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
