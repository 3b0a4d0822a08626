// Connections that fail, or reach what no revision may run on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "db/pg.h"
#include "support/pgcluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PGBOUNCER "/usr/sbin/pgbouncer"

static struct dr_pgcluster *cluster; // asks for a password over TCP

static int
start_cluster(void **state)
{
    (void)state;
    struct dr_pgcluster_options options = {.with_tcp = true, .password = "s3cret"};
    cluster = dr_pgcluster_start(&options);
    return 0;
}

static int
stop_cluster(void **state)
{
    (void)state;
    dr_pgcluster_stop(&cluster);
    return 0;
}

static enum dr_rc
try_connect(const char *url, const char *password, struct dr_pg **out, struct dr_err *err)
{
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    struct dr_pg_options options = {.url = url, .password = password, .target = "test"};
    *err = (struct dr_err){0};
    *out = NULL;
    return dr_pg_connect(&options, &wait, out, err);
}

static void
assert_refused(const char *url, const char *password, enum dr_rc rc, const char *message)
{
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    enum dr_rc got = try_connect(url, password, &pg, &err);
    if (got != rc || strstr(err.message, message) == NULL) {
        fail_msg("%s: code '%s', message '%s'", url, dr_rc_name(got), err.message);
    }
    assert_null(pg);
    assert_true(err.hint[0] != '\0' || dr_rc_hint(rc)[0] != '\0');
    assert_null(strstr(err.message, "wr0ng"));
}

static void
wrong_password_is_told_apart(void **state)
{
    (void)state;
    const char *url = dr_pgcluster_url_tcp(cluster, "postgres");
    assert_refused(url, "wr0ng", DR_E_DB_AUTH, "password authentication failed");
    assert_refused(url, NULL, DR_E_DB_AUTH, "password");
    assert_int_equal(dr_rc_exit_code(DR_E_DB_AUTH), 4);
    struct dr_pg *pg = NULL;
    struct dr_err err;
    assert_int_equal(try_connect(url, "s3cret", &pg, &err), DR_OK);
    dr_pg_close(&pg);
}

static void
missing_database_is_told_apart(void **state)
{
    (void)state;
    assert_refused(dr_pgcluster_url(cluster, "nowhere"), NULL, DR_E_DB_NO_DATABASE,
                   "\"nowhere\" does not exist");
}

static void
missing_tls_is_told_apart(void **state)
{
    (void)state;
    char url[256];
    snprintf(url, sizeof url, "%s?sslmode=require", dr_pgcluster_url_tcp(cluster, "postgres"));
    assert_refused(url, "s3cret", DR_E_DB_TLS, "SSL");
}

static void
server_that_is_down_is_unreachable(void **state)
{
    (void)state;
    assert_refused("postgresql://127.0.0.1:1/app", NULL, DR_E_DB_UNREACHABLE, "Connection refused");
    assert_refused("postgresql:///app?host=/nowhere", NULL, DR_E_DB_UNREACHABLE, "No such file");
    assert_int_equal(dr_rc_exit_code(DR_E_DB_UNREACHABLE), 5);
}

static void
server_that_is_silent_is_given_up_at_the_deadline(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    char url[64];
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(fd, 1), 0);
    snprintf(url, sizeof url, "postgresql://127.0.0.1:%d/app", ntohs(address.sin_port));
    struct dr_pg_options options = {.url = url};
    struct dr_db_wait wait = dr_db_wait_ms(60);
    int64_t start = dr_monotonic_ms();
    assert_int_equal(dr_pg_connect(&options, &wait, &pg, &err), DR_E_DB_UNREACHABLE);
    assert_true(dr_monotonic_ms() - start < 3000);
    assert_non_null(strstr(err.message, "no answer in time"));
    close(fd);
}

static void
connect_is_interrupted_by_the_cancel_descriptor(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    wait.cancel_fd = ends[0];
    struct dr_pg_options options = {.url = dr_pgcluster_url(cluster, "postgres")};
    assert_int_equal(dr_pg_connect(&options, &wait, &pg, &err), DR_E_INTERRUPTED);
    close(ends[0]);
    close(ends[1]);
}

// id: S19
static void
environment_of_libpq_does_not_count(void **state)
{
    (void)state;
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    char value[64];
    setenv("PGOPTIONS", "-cwork_mem=123MB", 1);
    setenv("PGSERVICE", "production", 1);
    setenv("PGSSLMODE", "verify-full", 1);
    setenv("PGDATABASE", "other", 1);
    setenv("PGTZ", "Asia/Tokyo", 1);
    setenv("PGPASSWORD", "s3cret", 1);
    assert_int_equal(try_connect(dr_pgcluster_url_tcp(cluster, "postgres"), NULL, &pg, &err),
                     DR_OK);
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    struct dr_pg_stmt stmt = {
        .sql = "SELECT current_setting('work_mem') || current_setting('TimeZone')"};
    assert_int_equal(dr_pg_value(pg, &stmt, &wait, value, sizeof value, &err), DR_OK);
    assert_null(strstr(value, "123MB"));
    assert_null(strstr(value, "Tokyo"));
    dr_pg_close(&pg);
    assert_null(getenv("PGOPTIONS"));
    unsetenv("PGPASSWORD");
}

// id: S18
static void
identity_is_asked_and_compared(void **state)
{
    (void)state;
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_pg_info info;
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    assert_int_equal(try_connect(dr_pgcluster_url(cluster, "postgres"), NULL, &pg, &err), DR_OK);
    assert_int_equal(dr_pg_inspect(pg, &wait, &info, &err), DR_OK);
    dr_pg_close(&pg);
    assert_int_equal(info.server_version / 10000, 15);
    assert_memory_equal(info.server_version_text, "15.", 3);
    assert_string_equal(info.database, "postgres");
    assert_string_equal(info.user, "postgres");
    assert_true(info.is_superuser);
    assert_int_equal(info.timeline, 1);
    assert_true(strlen(info.system_identifier) >= 18);
    assert_int_equal(dr_pg_check_usable(&info, &err), DR_OK);
    assert_int_equal(dr_pg_check_identity(&info, info.system_identifier, "postgres", &err), DR_OK);
    assert_int_equal(dr_pg_check_identity(&info, NULL, "", &err), DR_OK);
    assert_int_equal(dr_pg_check_identity(&info, "7000000000000000000", NULL, &err),
                     DR_E_DB_IDENTITY);
    assert_non_null(strstr(err.message, info.system_identifier));
    assert_int_equal(dr_pg_check_identity(&info, NULL, "orders", &err), DR_E_DB_IDENTITY);
    assert_non_null(strstr(err.message, "'orders'"));
}

static void
role_without_rights_still_learns_who_the_server_is(void **state)
{
    (void)state;
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_pg_info info;
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    const char *admin = dr_pgcluster_url(cluster, "postgres");
    char url[256];
    dr_pgcluster_sql(cluster, admin, "CREATE ROLE alice LOGIN");
    dr_pgcluster_sql(cluster, admin, "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC");
    snprintf(url, sizeof url, "postgresql:///postgres?host=%s&port=%d&user=alice",
             dr_pgcluster_socket(cluster), dr_pgcluster_port(cluster));
    assert_int_equal(try_connect(url, NULL, &pg, &err), DR_OK);
    assert_int_equal(dr_pg_inspect(pg, &wait, &info, &err), DR_OK);
    assert_string_equal(info.user, "alice");
    assert_string_equal(info.system_identifier, "");
    assert_false(info.is_superuser);
    assert_int_equal(dr_pg_run(pg, "CREATE TABLE public.t (i int)", &wait, &err),
                     DR_E_DB_PRIVILEGE);
    dr_pg_close(&pg);
    dr_pgcluster_sql(cluster, admin, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC");
}

// id: S17
static void
standby_is_refused(void **state)
{
    (void)state;
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_pg_info info;
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    struct dr_pgcluster *standby = dr_pgcluster_standby(cluster);
    assert_int_equal(try_connect(dr_pgcluster_url(standby, "postgres"), NULL, &pg, &err), DR_OK);
    assert_int_equal(dr_pg_inspect(pg, &wait, &info, &err), DR_OK);
    assert_int_equal(dr_pg_check_usable(&info, &err), DR_E_DB_STANDBY);
    assert_int_equal(dr_pg_run(pg, "CREATE TABLE public.t (i int)", &wait, &err), DR_E_DB_STANDBY);
    dr_pg_close(&pg);
    char url[256];
    snprintf(url, sizeof url, "%s&target_session_attrs=read-write",
             dr_pgcluster_url(standby, "postgres"));
    assert_refused(url, NULL, DR_E_DB_STANDBY, "session is read-only");
    dr_pgcluster_stop(&standby);
}

static pid_t
start_pgbouncer(const char *folder, int port, const char *extra)
{
    char path[256];
    char text[1024];
    char log[256];
    uid_t uid;
    gid_t gid;
    snprintf(path, sizeof path, "%s/pgbouncer.ini", folder);
    snprintf(log, sizeof log, "%s/pgbouncer.log", folder);
    snprintf(
        text, sizeof text,
        "[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        "listen_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\nlogfile = "
        "%s\n%s\n",
        dr_pgcluster_socket(cluster), dr_pgcluster_port(cluster), port, log, extra);
    unlink(log);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0644, NULL), DR_OK);
    dr_pgcluster_user(&uid, &gid);
    pid_t pid = fork();
    if (pid == 0) {
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null_fd, 1);
        dup2(null_fd, 2);
        if (uid == 0 || (setgid(gid) == 0 && setuid(uid) == 0)) {
            execl(PGBOUNCER, PGBOUNCER, path, (char *)NULL);
        }
        _exit(127);
    }
    return pid;
}

// Connects as soon as the pooler listens.
static enum dr_rc
connect_patiently(const char *url, struct dr_pg **out, struct dr_err *err)
{
    enum dr_rc rc = try_connect(url, NULL, out, err);
    for (int i = 0; i < 500 && rc == DR_E_DB_UNREACHABLE; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        rc = try_connect(url, NULL, out, err);
    }
    return rc;
}

static int
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

// id: S16
static void
pooler_is_refused(void **state)
{
    (void)state;
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_pg_info info;
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    char url[64];
    if (access(PGBOUNCER, X_OK) != 0) {
        skip();
    }
    int port = free_port();
    snprintf(url, sizeof url, "postgresql://postgres@127.0.0.1:%d/postgres", port);
    // As it comes it refuses start-up settings; told to ignore them, it shows by the process id.
    pid_t pid = start_pgbouncer(dr_pgcluster_folder(cluster), port, "");
    assert_int_equal(connect_patiently(url, &pg, &err), DR_E_DB_POOLER);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pid =
        start_pgbouncer(dr_pgcluster_folder(cluster), port, "ignore_startup_parameters = options");
    assert_int_equal(connect_patiently(url, &pg, &err), DR_OK);
    assert_int_equal(dr_pg_inspect(pg, &wait, &info, &err), DR_OK);
    assert_true(info.is_pooled);
    assert_int_equal(dr_pg_check_usable(&info, &err), DR_E_DB_POOLER);
    dr_pg_close(&pg);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

// Last: it takes the server down.
static void
server_that_dies_in_mid_query_is_lost_and_found_again(void **state)
{
    (void)state;
    struct dr_pg *pg = NULL;
    struct dr_pg *idle = NULL;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    const char *url = dr_pgcluster_url(cluster, "postgres");
    assert_int_equal(try_connect(url, NULL, &pg, &err), DR_OK);
    assert_int_equal(try_connect(url, NULL, &idle, &err), DR_OK);
    assert_true(dr_pg_still_there(idle));
    pid_t killer = fork();
    if (killer == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        kill(dr_pgcluster_pid(cluster), SIGQUIT);
        _exit(0);
    }
    assert_int_equal(dr_pg_run(pg, "SELECT pg_sleep(30)", &wait, &err), DR_E_DB_LOST);
    waitpid(killer, NULL, 0);
    dr_pgcluster_kill(cluster);
    assert_false(dr_pg_is_alive(pg));
    assert_false(dr_pg_still_there(idle));
    dr_pg_close(&pg);
    dr_pg_close(&idle);
    assert_refused(url, NULL, DR_E_DB_UNREACHABLE, "cannot connect");
    dr_pgcluster_restart(cluster);
    assert_int_equal(try_connect(url, NULL, &pg, &err), DR_OK);
    dr_pg_close(&pg);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_password_is_told_apart),
        cmocka_unit_test(missing_database_is_told_apart),
        cmocka_unit_test(missing_tls_is_told_apart),
        cmocka_unit_test(server_that_is_down_is_unreachable),
        cmocka_unit_test(server_that_is_silent_is_given_up_at_the_deadline),
        cmocka_unit_test(connect_is_interrupted_by_the_cancel_descriptor),
        cmocka_unit_test(environment_of_libpq_does_not_count),
        cmocka_unit_test(identity_is_asked_and_compared),
        cmocka_unit_test(role_without_rights_still_learns_who_the_server_is),
        cmocka_unit_test(standby_is_refused),
        cmocka_unit_test(pooler_is_refused),
        cmocka_unit_test(server_that_dies_in_mid_query_is_lost_and_found_again),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
