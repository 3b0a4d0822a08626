// What a revision, a role or a server may do to a session: programs, roles, settings, the ledger by
// a detour, a second runner beside a concurrent build, and a server that is not the one it says.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "support/engine_env.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define OPENSSL     "/usr/bin/openssl"
#define PATIENCE_MS 60000

static struct tp_plan *
one(struct env *e, const char *first, const char *second)
{
    const struct tp_revision r[] = {{.id = "one", .sections = {TP_UP(first, second)}}};
    return tp_make(e->engine, r, 1);
}

static void
as_role(struct env *e, const char *role)
{
    char database[64];
    (void)snprintf(database, sizeof database, "%s", env_ask(e, "SELECT current_database()"));
    (void)snprintf(e->url, sizeof e->url, "postgresql:///%s?host=%s&port=%d&user=%s", database,
                   dr_pgcluster_socket(dr_pgcluster_shared()),
                   dr_pgcluster_port(dr_pgcluster_shared()), role);
}

// COPY with a program is refused before anything is sent; hidden in a function it is the server
// that refuses it to a role without the right, and nothing of the unit stays.
// id: S04
static void
program_is_refused_by_the_guard_and_by_the_server(void **state)
{
    struct env *e = *state;
    char mark[PATH_MAX], hidden[PATH_MAX + 128], straight[sizeof e->url];
    (void)dr_tmp_path(&e->tmp, "mark", mark);
    (void)snprintf(hidden, sizeof hidden,
                   "DO $$BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch %.200s'''; END$$", mark);
    struct tp_plan *open = one(e, "CREATE TABLE t (id integer)", "COPY t TO PROGRAM 'true'");
    struct tp_plan *detour = one(e, "CREATE TABLE t (id integer)", hidden);
    memcpy(straight, e->url, sizeof straight);
    assert_int_equal(env_up(e, open), DR_E_FORBIDDEN_STATEMENT);
    env_sql(e, "DROP ROLE IF EXISTS agent");
    env_sql(e, "CREATE ROLE agent LOGIN");
    char grant[128];
    (void)snprintf(grant, sizeof grant, "GRANT ALL ON DATABASE %s TO agent",
                   env_ask(e, "SELECT current_database()"));
    env_sql(e, grant);
    env_sql(e, "GRANT ALL ON SCHEMA public TO agent");
    as_role(e, "agent");
    assert_int_equal(env_up(e, detour), DR_E_ENGINE_FAILED);
    assert_string_equal(e->result.sqlstate, "42501");
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    memcpy(e->url, straight, sizeof straight);
    assert_false(env_has_table(e, "t"));
    assert_false(dr_path_exists(mark));
    tp_free(detour);
    tp_free(open);
}

// A role taken by a detour that the guard does not see cannot write the ledger: the unit is taken
// back. Settings and temporary tables that a unit leaves behind are gone for the next one.
// id: S05
static void
what_a_unit_does_to_its_session_ends_with_it(void **state)
{
    struct env *e = *state;
    struct tp_plan *role =
        one(e, "CREATE TABLE gone (id integer)", "DO $$BEGIN EXECUTE 'SET ROLE pg_monitor'; END$$");
    const struct tp_revision two[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE mine AS SELECT current_user::text AS who"),
                      TP_UP("SET search_path = pg_temp", "SET default_transaction_read_only = on",
                            "CREATE TEMPORARY TABLE mine (who text)"),
                      TP_UP("UPDATE mine SET who = who || '!'")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE late AS SELECT current_user::text AS who")}}};
    struct tp_plan *p = tp_make(e->engine, two, 2);
    assert_int_equal(env_up(e, role), DR_E_ENGINE_FAILED);
    assert_string_equal(e->result.sqlstate, "42501");
    assert_false(env_has_table(e, "gone"));
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT who FROM mine"), "postgres!");
    assert_string_equal(env_ask(e, "SELECT who FROM late"), "postgres");
    tp_free(p);
    tp_free(role);
}

// id: S05
static void
unit_that_resets_all_settings_is_whole_or_not_there(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = one(e, "CREATE TABLE public.t (id integer)", "RESET ALL");
    enum dr_rc rc = env_up(e, p);
    assert_int_equal(env_has_table(e, "t"), rc == DR_OK);
    assert_head(e, rc == DR_OK ? "one" : NULL);
    tp_free(p);
}

// A database and a role with settings of their own: the engine's statements say what they mean.
// id: S07
static void
settings_of_database_and_role_do_not_reach_a_unit(void **state)
{
    struct env *e = *state;
    char sql[256], database[64];
    static const char *const settings[] = {"search_path = nowhere",
                                           "lock_timeout = 1",
                                           "statement_timeout = '60s'",
                                           "default_transaction_isolation = serializable",
                                           "standard_conforming_strings = on",
                                           "row_security = off"};
    struct tp_plan *p = one(e, "CREATE TABLE t (id integer)", "SELECT pg_sleep(0.01)");
    (void)snprintf(database, sizeof database, "%s", env_ask(e, "SELECT current_database()"));
    for (size_t i = 0; i < DR_COUNT_OF(settings); i++) {
        (void)snprintf(sql, sizeof sql, "ALTER DATABASE %s SET %s", database, settings[i]);
        env_sql(e, sql);
        (void)snprintf(sql, sizeof sql, "ALTER ROLE postgres IN DATABASE %s SET %s", database,
                       settings[i]);
        env_sql(e, sql);
    }
    assert_ok(e, env_up(e, p));
    assert_head(e, "one");
    assert_string_equal(env_ask(e, "SELECT schemaname FROM pg_tables WHERE tablename = 't'"),
                        "public");
    tp_free(p);
}

// id: S09
static void
plan_that_writes_to_the_ledger_is_refused_or_seen(void **state)
{
    struct env *e = *state;
    struct tp_plan *open = one(e, "DELETE FROM drover.ledger", NULL);
    struct tp_plan *detour =
        one(e, "CREATE TABLE t (id integer)",
            "DO $$BEGIN EXECUTE 'UPDATE dro' || 'ver.ledger SET revision_id = ''x'''; END$$");
    const struct tp_revision before[] = {
        {.id = "zero", .sections = {TP_UP("CREATE TABLE z (id integer)")}}};
    struct tp_plan *first = tp_make(e->engine, before, 1);
    assert_int_equal(env_up(e, open), DR_E_FORBIDDEN_STATEMENT);
    assert_ok(e, env_up(e, first));
    (void)env_up(e, detour);
    struct dr_engine *engine = NULL;
    struct dr_engine_state s;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_int_equal(dr_engine_read_state(engine, e->arena, true, true, &s, &e->err),
                     DR_E_LEDGER_TAMPERED);
    dr_engine_close(&engine);
    tp_free(first);
    tp_free(detour);
    tp_free(open);
}

// Made up: a server of another age cannot be had here.
// id: S15
static void
server_that_is_too_old_is_refused_and_a_newer_one_is_not(void **state)
{
    struct env *e = *state;
    struct dr_pg_info info = {.server_version = DR_PG_VERSION_MIN - 1};
    (void)snprintf(info.server_version_text, sizeof info.server_version_text, "9.6");
    e->err = (struct dr_err){0};
    assert_int_equal(dr_pg_check_usable(&info, &e->err), DR_E_DB_VERSION);
    assert_non_null(strstr(e->err.message, "9.6"));
    info.server_version = DR_PG_VERSION_MIN + 100000;
    assert_int_equal(dr_pg_check_usable(&info, &e->err), DR_OK);
}

static void
wait_until(struct env *e, const char *sql, const char *want)
{
    int64_t deadline = dr_monotonic_ms() + PATIENCE_MS;
    while (strcmp(env_ask(e, sql), want) != 0) {
        if (dr_monotonic_ms() > deadline) {
            fail_msg("never: %s is %s", sql, e->answer);
        }
        (void)poll(NULL, 0, 20);
    }
}

// A concurrent build waits for an old snapshot, and a second runner waits for the first: if it
// waited in a statement, its snapshot would be one more to wait for, for ever.
// id: S21
static void
second_runner_beside_a_concurrent_build_is_no_deadlock(void **state)
{
    struct env *e = *state;
    const struct tp_revision r[] = {
        {.id = "one",
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .is_outside = true,
                       .probe = DROVER__V1__PROBE__PROBE_INDEX_CREATED,
                       .object = "t_id",
                       .class = DROVER__V1__STATEMENT_CLASS__CLASS_CONCURRENT,
                       .statements = {"CREATE INDEX CONCURRENTLY t_id ON t (id)"}}}}};
    struct tp_plan *p = tp_make(e->engine, r, 1);
    struct dr_pg *reader = NULL;
    struct dr_pg_options o = {.url = e->url};
    struct dr_db_wait wait = dr_db_wait_ms(PATIENCE_MS);
    pid_t runner[2];
    env_sql(e, "CREATE TABLE t (id integer)");
    assert_ok(e, dr_pg_connect(&o, &wait, &reader, &e->err));
    assert_ok(e, dr_pg_run(reader, "BEGIN ISOLATION LEVEL REPEATABLE READ", &wait, &e->err));
    assert_ok(e, dr_pg_run(reader, "SELECT count(*) FROM public.t", &wait, &e->err));
    e->options.lock_wait_ms = PATIENCE_MS;
    for (int i = 0; i < 2; i++) {
        runner[i] = fork();
        if (runner[i] == 0) {
            (void)alarm(120);
            _exit(env_up(e, p) == DR_OK ? 0 : 1);
        }
        // The first is in its build before the second comes; the second has looked and waits.
        wait_until(e,
                   i == 0 ? "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                            "AND query LIKE 'CREATE INDEX%' AND datname = current_database()"
                          : "SELECT (count(*) > 2)::int::text FROM pg_stat_activity WHERE "
                            "application_name LIKE 'drover%' AND datname = current_database() AND "
                            "state LIKE 'idle%'",
                   "1");
    }
    assert_ok(e, dr_pg_run(reader, "COMMIT", &wait, &e->err));
    dr_pg_close(&reader);
    for (int i = 0; i < 2; i++) {
        int status = 0;
        assert_int_equal(waitpid(runner[i], &status, 0), runner[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(env_done_rows(e, "one", 1), 1);
    assert_string_equal(
        env_ask(e, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"), "t");
    tp_free(p);
}

// ------------------------------------------------------------------------------------------- TLS

static void
make_certificate(struct dr_pgcluster *cluster)
{
    char key[PATH_MAX], certificate[PATH_MAX];
    uid_t uid;
    gid_t gid;
    int status = 0;
    (void)snprintf(key, sizeof key, "%s/server.key", dr_pgcluster_folder(cluster));
    (void)snprintf(certificate, sizeof certificate, "%s/server.crt", dr_pgcluster_folder(cluster));
    pid_t pid = fork();
    if (pid == 0) {
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null_fd, STDOUT_FILENO);
        (void)dup2(null_fd, STDERR_FILENO);
        (void)execl(OPENSSL, OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                    "/CN=db.example.org", "-addext", "subjectAltName=DNS:db.example.org", "-keyout",
                    key, "-out", certificate, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    dr_pgcluster_user(&uid, &gid);
    assert_int_equal(chmod(key, 0600), 0);
    if (uid != 0) {
        assert_int_equal(chown(key, uid, gid), 0);
        assert_int_equal(chown(certificate, uid, gid), 0);
    }
}

static enum dr_rc
try_url(struct env *e, struct dr_pgcluster *cluster, const char *rest)
{
    struct dr_pg *pg = NULL;
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    char url[600];
    struct dr_pg_options o = {.url = url};
    (void)snprintf(url, sizeof url, "postgresql://postgres:secret@127.0.0.1:%d/postgres?%s",
                   dr_pgcluster_port(cluster), rest);
    e->err = (struct dr_err){0};
    enum dr_rc rc = dr_pg_connect(&o, &wait, &pg, &e->err);
    dr_pg_close(&pg);
    assert_null(strstr(e->err.message, "secret"));
    return rc;
}

// id: S20
static void
server_without_the_promised_protection_is_refused(void **state)
{
    struct env *e = *state;
    struct dr_pgcluster_options o = {.with_tcp = true, .password = "secret"};
    struct dr_pgcluster *cluster = dr_pgcluster_start(&o);
    char rest[400];
    // A server that speaks plain text only.
    assert_int_equal(try_url(e, cluster, "sslmode=prefer"), DR_OK);
    assert_int_equal(try_url(e, cluster, "sslmode=require"), DR_E_DB_TLS);
    assert_int_equal(try_url(e, cluster, "sslmode=prefer&channel_binding=require"), DR_E_DB_TLS);
    // The same with a certificate, for another name than it is called by.
    make_certificate(cluster);
    const char *admin = dr_pgcluster_url(cluster, "postgres");
    const char *folder = dr_pgcluster_folder(cluster);
    char sql[400];
    (void)snprintf(sql, sizeof sql, "ALTER SYSTEM SET ssl_cert_file = '%s/server.crt'", folder);
    dr_pgcluster_sql(cluster, admin, sql);
    (void)snprintf(sql, sizeof sql, "ALTER SYSTEM SET ssl_key_file = '%s/server.key'", folder);
    dr_pgcluster_sql(cluster, admin, sql);
    dr_pgcluster_sql(cluster, admin, "ALTER SYSTEM SET ssl = on");
    dr_pgcluster_kill(cluster);
    dr_pgcluster_restart(cluster);
    assert_int_equal(try_url(e, cluster, "sslmode=require&channel_binding=require"), DR_OK);
    (void)snprintf(rest, sizeof rest, "sslmode=verify-full&sslrootcert=%s/server.crt", folder);
    assert_int_equal(try_url(e, cluster, rest), DR_E_DB_TLS);
    (void)snprintf(rest, sizeof rest, "sslmode=verify-ca&sslrootcert=%s/server.crt", folder);
    assert_int_equal(try_url(e, cluster, rest), DR_OK);
    char other[PATH_MAX];
    (void)dr_tmp_file(&e->tmp, "empty.crt", "", 0600, other);
    (void)snprintf(rest, sizeof rest, "sslmode=verify-ca&sslrootcert=%.200s", other);
    assert_int_equal(try_url(e, cluster, rest), DR_E_DB_TLS);
    dr_pgcluster_stop(&cluster);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#define ONE(name) cmocka_unit_test_setup_teardown(name, env_start_pg, env_end)
        ONE(program_is_refused_by_the_guard_and_by_the_server),
        ONE(what_a_unit_does_to_its_session_ends_with_it),
        ONE(unit_that_resets_all_settings_is_whole_or_not_there),
        ONE(settings_of_database_and_role_do_not_reach_a_unit),
        ONE(plan_that_writes_to_the_ledger_is_refused_or_seen),
        ONE(second_runner_beside_a_concurrent_build_is_no_deadlock),
        ONE(server_that_is_too_old_is_refused_and_a_newer_one_is_not),
        ONE(server_without_the_promised_protection_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
