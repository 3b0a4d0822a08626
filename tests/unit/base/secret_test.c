#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/secret.h"

#include "base/file.h"

#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
a_new_secret_is_zeroed_and_freed_once(void **state DR_UNUSED)
{
    static const uint8_t zeros[64];
    struct dr_secret *secret = dr_secret_new(64);
    assert_non_null(secret);
    assert_int_equal(dr_secret_len(secret), 64);
    assert_memory_equal(dr_secret_bytes(secret), zeros, 64);
    memset(dr_secret_bytes(secret), 7, 64);
    dr_secret_free(&secret);
    assert_null(secret);
    dr_secret_free(&secret);
    dr_secret_free(NULL);
    secret = dr_secret_new(0);
    assert_non_null(secret);
    assert_int_equal(dr_secret_len(secret), 0);
    dr_secret_free(&secret);
}

// Offers `text` on a pipe and asks; the read end is left in `*out_rest` when wanted.
static enum dr_rc
ask_pipe(const char *text, struct dr_secret **out, int *out_rest, struct dr_err *err)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(dr_fd_write_all(ends[1], text, strlen(text)));
    (void)close(ends[1]);
    enum dr_rc rc = dr_secret_ask("ignored: ", ends[0], out, err);
    if (out_rest == NULL) {
        (void)close(ends[0]);
    } else {
        *out_rest = ends[0];
    }
    return rc;
}

static void
a_descriptor_gives_its_first_line(void **state DR_UNUSED)
{
    static const struct {
        const char *text, *secret;
    } rows[] = {{"hunter2\nrest", "hunter2"}, {"no newline", "no newline"}, {"\n", ""}, {"", ""},
                {"dos\r\n", "dos"},           {" spaces \n", " spaces "}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_secret *secret = NULL;
        assert_int_equal(ask_pipe(rows[i].text, &secret, NULL, NULL), DR_OK);
        assert_int_equal(dr_secret_len(secret), strlen(rows[i].secret));
        assert_memory_equal(dr_secret_bytes(secret), rows[i].secret, strlen(rows[i].secret));
        dr_secret_free(&secret);
    }
}

static void
what_stands_behind_the_line_is_left_for_the_next_reader(void **state DR_UNUSED)
{
    struct dr_secret *secret = NULL;
    int rest = -1;
    char next[6];
    assert_int_equal(ask_pipe("one\nsecond", &secret, &rest, NULL), DR_OK);
    assert_true(dr_fd_read_all(rest, next, sizeof next));
    assert_memory_equal(next, "second", 6);
    (void)close(rest);
    dr_secret_free(&secret);
}

static void
a_passphrase_has_a_limit(void **state DR_UNUSED)
{
    char text[1026];
    struct dr_secret *secret = NULL;
    struct dr_err err = {0};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(ask_pipe(text, &secret, NULL, &err), DR_E_LIMIT);
    assert_null(secret);
    assert_null(strstr(err.message, "xxx"));
    text[1024] = '\0';
    assert_int_equal(ask_pipe(text, &secret, NULL, &err), DR_OK);
    assert_int_equal(dr_secret_len(secret), 1024);
    dr_secret_free(&secret);
}

static void
a_bad_descriptor_is_an_error(void **state DR_UNUSED)
{
    struct dr_secret *secret = NULL;
    struct dr_err err = {0};
    assert_int_equal(dr_secret_ask("x", 999, &secret, &err), DR_E_IO);
    assert_null(secret);
}

static void
without_a_terminal_the_option_is_named(void **state DR_UNUSED)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct dr_secret *secret = NULL;
        struct dr_err err = {0};
        (void)setsid(); // no controlling terminal from here on
        enum dr_rc rc = dr_secret_ask("x", -1, &secret, &err);
        _exit(rc == DR_E_INVALID && strstr(err.hint, "--passphrase-fd") != NULL ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

// A child with a terminal of its own asks; exit code 0: it got `expected`, else the error's number.
static pid_t
ask_on_terminal(const char *expected, int *out_master)
{
    pid_t pid = forkpty(out_master, NULL, NULL, NULL);
    if (pid == 0) {
        struct dr_secret *secret = NULL;
        enum dr_rc rc = dr_secret_ask("passphrase: ", -1, &secret, NULL);
        if (rc != DR_OK) {
            _exit((int)rc);
        }
        bool is_same = dr_secret_len(secret) == strlen(expected) &&
                       memcmp(dr_secret_bytes(secret), expected, strlen(expected)) == 0;
        _exit(is_same ? 0 : 99);
    }
    assert_true(pid > 0);
    return pid;
}

// Types `keys` after the prompt; gives the exit code, and all that the terminal showed.
static int
type_keys(pid_t pid, int master, const char *keys, char *shown, size_t size)
{
    size_t len = 0;
    int status = -1;
    bool is_typed = false;
    for (;;) {
        ssize_t got = read(master, shown + len, size - 1 - len);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
        shown[len] = '\0';
        if (!is_typed && strstr(shown, "passphrase: ") != NULL) {
            // The child turns echo off and drops what was typed before: it is awaited.
            struct termios now;
            do {
                assert_int_equal(tcgetattr(master, &now), 0);
            } while ((now.c_lflag & ECHO) != 0);
            is_typed = dr_fd_write_all(master, keys, strlen(keys));
        }
    }
    (void)close(master);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
the_terminal_does_not_show_what_is_typed(void **state DR_UNUSED)
{
    int master = -1;
    char shown[256];
    pid_t pid = ask_on_terminal("hunter2", &master);
    assert_int_equal(type_keys(pid, master,
                               "hunterx\x7f"
                               "2\r",
                               shown, sizeof shown),
                     0);
    assert_string_equal(shown, "passphrase: \r\n");
}

static void
an_interrupt_at_the_prompt_ends_it(void **state DR_UNUSED)
{
    int master = -1;
    char shown[256];
    pid_t pid = ask_on_terminal("", &master);
    assert_int_equal(type_keys(pid, master, "hun\x03", shown, sizeof shown), DR_E_INTERRUPTED);
    assert_null(strstr(shown, "hun"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_secret_is_zeroed_and_freed_once),
        cmocka_unit_test(a_descriptor_gives_its_first_line),
        cmocka_unit_test(what_stands_behind_the_line_is_left_for_the_next_reader),
        cmocka_unit_test(a_passphrase_has_a_limit),
        cmocka_unit_test(a_bad_descriptor_is_an_error),
        cmocka_unit_test(without_a_terminal_the_option_is_named),
        cmocka_unit_test(the_terminal_does_not_show_what_is_typed),
        cmocka_unit_test(an_interrupt_at_the_prompt_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
