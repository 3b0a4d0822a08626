#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/keep.h"

#include "base/file.h"
#include "support/test_tmp.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 30000

// The folder "<tmp>/kept", made.
static char *
make_folder(void **state, char out[PATH_MAX])
{
    assert_int_equal(mkdir(dr_tmp_path(*state, "kept", out), 0700), 0);
    return out;
}

static struct dr_keep_options
shell(const char *folder, const char *const *argv, const char *log)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    return (struct dr_keep_options){
        .folder = folder, .argv = argv, .env = env, .log = log, .end_signal = SIGTERM};
}

static void
assert_ends(int pidfd)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    assert_int_equal(poll(&fd, 1, LONG_MS), 1);
    (void)close(pidfd);
}

static void
a_program_runs_until_it_is_closed_and_its_folder_goes(void **state)
{
    char folder[PATH_MAX], log[PATH_MAX];
    const char *const argv[] = {"/bin/sleep", "600", NULL};
    struct dr_err err = {0};
    struct dr_keep *keep = NULL;
    pid_t pid = 0;
    int pidfd = -1;
    struct dr_keep_options options =
        shell(make_folder(state, folder), argv, dr_tmp_path(*state, "log", log));
    assert_int_equal(dr_keep_open(&options, &keep, &err), DR_OK);
    assert_int_equal(dr_keep_start(keep, &pid, &pidfd, &err), DR_OK);
    assert_int_equal(kill(pid, 0), 0);
    dr_keep_close(&keep);
    assert_null(keep);
    assert_ends(pidfd);
    assert_false(dr_path_exists(folder));
    dr_keep_close(&keep);
}

static void
the_folder_of_a_running_program_cannot_be_taken_twice(void **state)
{
    char folder[PATH_MAX], log[PATH_MAX];
    const char *const argv[] = {"/bin/true", NULL};
    struct dr_err err = {0};
    struct dr_keep *keep = NULL, *other = NULL;
    struct dr_keep_options options =
        shell(make_folder(state, folder), argv, dr_tmp_path(*state, "log", log));
    assert_int_equal(dr_keep_open(&options, &keep, &err), DR_OK);
    assert_int_equal(dr_keep_open(&options, &other, &err), DR_E_CONFLICT);
    assert_null(other);
    dr_keep_close(&keep);
}

static void
a_program_that_ends_by_itself_is_seen(void **state)
{
    char folder[PATH_MAX], log[PATH_MAX];
    const char *const argv[] = {"/bin/sh", "-c", "echo words; exit 3", NULL};
    struct dr_err err = {0};
    struct dr_keep *keep = NULL;
    pid_t pid = 0;
    int pidfd = -1;
    char *text = NULL;
    size_t len = 0;
    struct dr_keep_options options =
        shell(make_folder(state, folder), argv, dr_tmp_path(*state, "log", log));
    assert_int_equal(dr_keep_open(&options, &keep, &err), DR_OK);
    assert_int_equal(dr_keep_start(keep, &pid, &pidfd, &err), DR_OK);
    assert_ends(pidfd);
    assert_int_equal(dr_file_read(log, 100, &text, &len, &err), DR_OK);
    assert_string_equal(text, "words\n");
    free(text);
    dr_keep_close(&keep);
}

static void
a_killed_parent_takes_program_and_folder_along(void **state)
{
    char folder[PATH_MAX], log[PATH_MAX];
    int told[2];
    pid_t program = 0;
    const char *const argv[] = {"/bin/sleep", "600", NULL};
    struct dr_keep_options options =
        shell(make_folder(state, folder), argv, dr_tmp_path(*state, "log", log));
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct dr_err err = {0};
        struct dr_keep *keep = NULL;
        pid_t pid = 0;
        int pidfd = -1;
        bool is_good = dr_keep_open(&options, &keep, &err) == DR_OK &&
                       dr_keep_start(keep, &pid, &pidfd, &err) == DR_OK &&
                       dr_fd_write_all(told[1], &pid, sizeof pid);
        while (is_good) {
            (void)pause();
        }
        _exit(1);
    }
    (void)close(told[1]);
    assert_true(dr_fd_read_all(told[0], &program, sizeof program));
    int pidfd = pidfd_open(program, 0);
    assert_true(pidfd >= 0);
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    assert_ends(pidfd);
    // The watcher removes the folder as its last act.
    for (int i = 0; i < LONG_MS / 10 && dr_path_exists(folder); i++) {
        (void)poll(NULL, 0, 10);
    }
    assert_false(dr_path_exists(folder));
    (void)close(folder_fd);
    (void)close(told[0]);
}

static void
make_old(const char *path)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void
sweep_takes_old_folders_that_nobody_uses(void **state)
{
    const struct dr_tmp *tmp = *state;
    char left[PATH_MAX], used[PATH_MAX], young[PATH_MAX], foreign[PATH_MAX], path[PATH_MAX + 8];
    struct dr_err err = {0};
    int lock = -1;
    char *const folders[] = {left, used, young, foreign};
    const char *const names[] = {"x-left", "x-used", "x-young", "y-foreign"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(mkdir(dr_tmp_path(tmp, names[i], folders[i]), 0700), 0);
    }
    (void)snprintf(path, sizeof path, "%s/" DR_KEEP_LOCK, used);
    assert_int_equal(dr_file_lock(path, &lock, &err), DR_OK);
    make_old(left);
    make_old(used);
    make_old(foreign);
    dr_keep_sweep(tmp->path, "x-", geteuid());
    assert_false(dr_path_exists(left));
    assert_true(dr_path_exists(used));
    assert_true(dr_path_exists(young));
    assert_true(dr_path_exists(foreign));
    (void)close(lock);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, dr_tmp_setup, dr_tmp_teardown)
    const struct CMUnitTest tests[] = {
        T(a_program_runs_until_it_is_closed_and_its_folder_goes),
        T(the_folder_of_a_running_program_cannot_be_taken_twice),
        T(a_program_that_ends_by_itself_is_seen),
        T(a_killed_parent_takes_program_and_folder_along),
        T(sweep_takes_old_folders_that_nobody_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
