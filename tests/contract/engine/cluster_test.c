#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/cluster.h"

#include "base/file.h"
#include "db/pg.h"
#include "support/test_tmp.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS 30000

// A TMPDIR of the test's own, which the server's user may pass through.
static int
setup(void **state)
{
    if (dr_tmp_setup(state) != 0) {
        return 1;
    }
    const struct dr_tmp *tmp = *state;
    return chmod(tmp->path, 0711) != 0 || setenv("TMPDIR", tmp->path, 1) != 0;
}

static int
teardown(void **state)
{
    (void)unsetenv("TMPDIR");
    return dr_tmp_teardown(state);
}

static void
ask(const char *url, const char *sql, char *out, size_t out_size)
{
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(WAIT_MS);
    const struct dr_pg_options options = {.url = url};
    const struct dr_pg_stmt stmt = {.sql = sql};
    assert_int_equal(dr_pg_connect(&options, &wait, &pg, &err), DR_OK);
    assert_int_equal(dr_pg_value(pg, &stmt, &wait, out, out_size, &err), DR_OK);
    dr_pg_close(&pg);
}

// May this user have a network of its own on this host?
static bool
may_leave_network(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        bool is_let = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
        _exit(is_let ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
a_private_server_serves_databases_and_leaves_nothing(void **state)
{
    struct dr_err err = {0};
    struct dr_cluster *cluster = NULL;
    struct dr_arena *arena = dr_arena_new(65536);
    const char *url = NULL;
    char value[64];
    assert_int_equal(dr_cluster_start(NULL, &cluster, &err), DR_OK);
    assert_int_equal(dr_tmp_count(*state), 1);
    assert_int_equal(dr_cluster_database(cluster, "shop", arena, &url, &err), DR_OK);
    ask(url, "SELECT current_database() || ' ' || current_user", value, sizeof value);
    assert_string_equal(value, "shop postgres");
    ask(url, "SHOW server_encoding", value, sizeof value);
    assert_string_equal(value, "UTF8");
    ask(url, "SHOW listen_addresses", value, sizeof value);
    assert_string_equal(value, "");
    assert_int_equal(dr_cluster_has_network(cluster), !may_leave_network()); // id: P1
    assert_int_equal(dr_cluster_database(cluster, "shop", arena, &url, &err), DR_E_DB_STATEMENT);
    assert_int_equal(dr_cluster_database(cluster, "a\"b", arena, &url, &err), DR_E_INVALID);
    dr_cluster_stop(&cluster);
    assert_null(cluster);
    assert_int_equal(dr_tmp_count(*state), 0);
    dr_cluster_stop(&cluster);
    dr_arena_free(&arena);
}

static void
two_servers_run_side_by_side_with_settings_of_their_own(void **state)
{
    struct dr_err err = {0};
    struct dr_cluster *one = NULL, *two = NULL;
    char value[64];
    const struct dr_cluster_options options = {.settings =
                                                   (const char *const[]){"work_mem=5MB", NULL}};
    assert_int_equal(dr_cluster_start(&options, &one, &err), DR_OK);
    assert_int_equal(dr_cluster_start(NULL, &two, &err), DR_OK);
    ask(dr_cluster_url(one), "SHOW work_mem", value, sizeof value);
    assert_string_equal(value, "5MB");
    ask(dr_cluster_url(two), "SHOW work_mem", value, sizeof value);
    assert_string_equal(value, "4MB");
    dr_cluster_stop(&one);
    dr_cluster_stop(&two);
    assert_int_equal(dr_tmp_count(*state), 0);
}

static void
a_folder_without_a_server_is_named(void **state)
{
    const struct dr_tmp *tmp = *state;
    struct dr_err err = {0};
    struct dr_cluster *cluster = NULL;
    const struct dr_cluster_options options = {.bindir = tmp->path};
    assert_int_equal(dr_cluster_start(&options, &cluster, &err), DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "no initdb and postgres in '"));
    assert_non_null(strstr(err.hint, "PG_BIN="));
    assert_null(cluster);
    (void)setenv("PG_BIN", "/nonexistent", 1);
    assert_int_equal(dr_cluster_start(NULL, &cluster, &err), DR_E_NOT_FOUND);
    assert_string_equal(err.message, "no initdb and postgres in '/nonexistent' (PG_BIN)");
    (void)unsetenv("PG_BIN");
    assert_int_equal(dr_tmp_count(tmp), 0);
}

static void
a_server_that_does_not_start_says_why(void **state)
{
    struct dr_err err = {0};
    struct dr_cluster *cluster = NULL;
    const struct dr_cluster_options options = {
        .settings = (const char *const[]){"shared_buffers=lots", NULL}};
    assert_int_equal(dr_cluster_start(&options, &cluster, &err), DR_E_IO);
    assert_non_null(strstr(err.message, "the private PostgreSQL server does not start: FATAL"));
    assert_non_null(strstr(err.message, "shared_buffers"));
    assert_null(cluster);
    assert_int_equal(dr_tmp_count(*state), 0);
}

static void
a_killed_command_takes_its_server_along(void **state)
{
    int told[2];
    char url[160] = "";
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct dr_err err = {0};
        struct dr_cluster *cluster = NULL;
        bool is_good = dr_cluster_start(NULL, &cluster, &err) == DR_OK;
        (void)snprintf(url, sizeof url, "%s", is_good ? dr_cluster_url(cluster) : "");
        is_good = dr_fd_write_all(told[1], url, sizeof url) && is_good;
        while (is_good) {
            (void)pause();
        }
        _exit(1);
    }
    (void)close(told[1]);
    assert_true(dr_fd_read_all(told[0], url, sizeof url));
    char value[16];
    ask(url, "SELECT 1", value, sizeof value);
    assert_int_equal(dr_tmp_count(*state), 1);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, NULL, 0), parent);
    for (int i = 0; i < WAIT_MS / 10 && dr_tmp_count(*state) > 0; i++) {
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(dr_tmp_count(*state), 0);
    (void)close(told[0]);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_private_server_serves_databases_and_leaves_nothing),
        T(two_servers_run_side_by_side_with_settings_of_their_own),
        T(a_folder_without_a_server_is_named),
        T(a_server_that_does_not_start_says_why),
        T(a_killed_command_takes_its_server_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
