#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

// This program is its own role: started with --role NAME it plays what a child would.
#include "base/role.h"

#include "base/file.h"
#include "base/str.h"
#include "support/test_tmp.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 30000

// ---- the roles ----

static void
say(const char *text)
{
    bool is_told = dr_fd_write_all(DR_ROLE_CHANNEL_FD, text, strlen(text));
    (void)is_told;
}

// Tells argv, the open descriptors and where standard input leads.
static void
play_describe(int argc, char **argv)
{
    struct dr_buf out = {0};
    for (int i = 0; i < argc; i++) {
        dr_buf_printf(&out, "%s|", argv[i]);
    }
    char target[64] = "";
    ssize_t len = readlink("/proc/self/fd/0", target, sizeof target - 1);
    dr_buf_printf(&out, "stdin=%s|fds=", len > 0 ? target : "?");
    for (int fd = 0; fd < 64; fd++) {
        dr_buf_str(&out, fcntl(fd, F_GETFD) >= 0 ? "x" : "-");
    }
    say(out.data);
    dr_buf_fini(&out);
}

static void
play_harden(void)
{
    struct rlimit core = {1, 1};
    dr_role_harden();
    (void)getrlimit(RLIMIT_CORE, &core);
    struct dr_buf out = {0};
    dr_buf_printf(&out, "dumpable=%d core=%llu password=%s anything=%s path=%s",
                  prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), (unsigned long long)core.rlim_cur,
                  getenv("PGPASSWORD") == NULL ? "gone" : "there",
                  getenv("PGANYTHING") == NULL ? "gone" : "there",
                  getenv("PATH") == NULL ? "gone" : "there");
    say(out.data);
    dr_buf_fini(&out);
}

// Holds a FIFO open until it is killed.
static void
play_holder(const char *fifo)
{
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    say(fd >= 0 ? "held" : "failed");
    (void)pause();
}

// Starts a holder, tells when it holds, and waits to be killed.
static void
play_middle(const char *fifo)
{
    const char *const extra[] = {fifo, NULL};
    struct dr_role_child child;
    char word[4];
    if (dr_role_start("holder", "holder", extra, &child, NULL) == DR_OK &&
        dr_fd_read_all(child.channel, word, sizeof word)) {
        say("held");
    }
    (void)pause();
}

static int
play(int argc, char **argv)
{
    if (strcmp(argv[2], "describe") == 0) {
        play_describe(argc, argv);
    } else if (strcmp(argv[2], "harden") == 0) {
        play_harden();
    } else if (strcmp(argv[2], "holder") == 0) {
        play_holder(argv[3]);
    } else if (strcmp(argv[2], "middle") == 0) {
        play_middle(argv[3]);
    }
    _exit(42);
}

// ---- the tests ----

// All that the role says until it ends.
static void
listen_to(struct dr_role_child *child, char *out, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len + 1 < size && (got = read(child->channel, out + len, size - 1 - len)) > 0) {
        len += (size_t)got;
    }
    out[len] = '\0';
    (void)close(child->channel);
    int status = 0;
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static void
a_role_is_a_fresh_image_with_only_its_channel(void **state DR_UNUSED)
{
    const char *const extra[] = {"--config", "a b", NULL};
    struct dr_role_child child;
    char text[1024];
    int stray = open("/dev/null", O_RDONLY); // without O_CLOEXEC
    assert_true(stray >= 0);
    assert_int_equal(dr_role_start("drover-agent: net", "describe", extra, &child, NULL), DR_OK);
    (void)close(stray);
    assert_true((fcntl(child.channel, F_GETFD) & FD_CLOEXEC) != 0);
    listen_to(&child, text, sizeof text);
    char expected[1024] = "drover-agent: net|--role|describe|--config|a b|stdin=/dev/null|fds=xxxx";
    size_t len = strlen(expected);
    memset(expected + len, '-', 60);
    expected[len + 60] = '\0';
    assert_string_equal(text, expected);
}

static void
a_role_starts_although_standard_descriptors_are_closed(void **state DR_UNUSED)
{
    struct dr_role_child child;
    char text[1024];
    int saved = dup(STDIN_FILENO);
    (void)close(STDIN_FILENO);
    enum dr_rc rc = dr_role_start("x", "describe", NULL, &child, NULL);
    (void)dup2(saved, STDIN_FILENO);
    (void)close(saved);
    assert_int_equal(rc, DR_OK);
    listen_to(&child, text, sizeof text);
    assert_memory_equal(text, "x|--role|describe|stdin=/dev/null|fds=xxxx-", 43);
}

static void
hardening_leaves_no_dumps_no_tracing_and_no_pg_variables(void **state DR_UNUSED)
{
    struct dr_role_child child;
    char text[1024];
    assert_int_equal(setenv("PGPASSWORD", "secret", 1), 0);
    assert_int_equal(setenv("PGANYTHING", "x", 1), 0);
    assert_int_equal(dr_role_start("x", "harden", NULL, &child, NULL), DR_OK);
    assert_int_equal(unsetenv("PGPASSWORD"), 0);
    assert_int_equal(unsetenv("PGANYTHING"), 0);
    listen_to(&child, text, sizeof text);
    assert_string_equal(text, "dumpable=0 core=0 password=gone anything=gone path=there");
}

static void
a_role_dies_with_the_process_that_started_it(void **state)
{
    char fifo[PATH_MAX], word[4];
    assert_int_equal(mkfifo(dr_tmp_path(*state, "fifo", fifo), 0600), 0);
    int fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    const char *const extra[] = {fifo, NULL};
    struct dr_role_child middle;
    assert_int_equal(dr_role_start("middle", "middle", extra, &middle, NULL), DR_OK);
    assert_true(dr_fd_read_all(middle.channel, word, sizeof word));
    assert_memory_equal(word, "held", 4);
    assert_int_equal(kill(middle.pid, SIGKILL), 0);
    struct pollfd holder = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&holder, 1, WAIT_MS), 1);
    assert_true((holder.revents & POLLHUP) != 0);
    assert_int_equal(waitpid(middle.pid, NULL, 0), middle.pid);
    (void)close(middle.channel);
    (void)close(fd);
}

static void
too_many_arguments_are_refused(void **state DR_UNUSED)
{
    const char *extra[70];
    struct dr_role_child child;
    struct dr_err err = {0};
    for (size_t i = 0; i < 69; i++) {
        extra[i] = "x";
    }
    extra[69] = NULL;
    assert_int_equal(dr_role_start("x", "describe", extra, &child, &err), DR_E_LIMIT);
    assert_string_equal(err.message, "more than 64 arguments for role 'describe'");
}

int
main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "--role") == 0) {
        return play(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_is_a_fresh_image_with_only_its_channel),
        cmocka_unit_test(a_role_starts_although_standard_descriptors_are_closed),
        cmocka_unit_test(hardening_leaves_no_dumps_no_tracing_and_no_pg_variables),
        cmocka_unit_test_setup_teardown(a_role_dies_with_the_process_that_started_it, dr_tmp_setup,
                                        dr_tmp_teardown),
        cmocka_unit_test(too_many_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
