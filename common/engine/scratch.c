// Throw-away databases. See scratch.h.
#include "engine/scratch.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/keep.h"
#include "base/str.h"
#include "db/db.h"
#include "db/pg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PREFIX           "drover-scratch-"
#define DATABASE_PREFIX  "drover_scratch_" // then the time it was made, and a number
#define SCRATCH_MS       30000             // connecting, and each of our own statements
#define SWEEP_AGE_S      3600
#define SWEEP_MAX        100000
#define HAS_FORCE        130000 // versions of the server
#define HAS_IDLE_TIMEOUT 140000

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

static enum dr_rc
connect_to(const char *url, struct dr_pg **out, struct dr_err *err)
{
    const struct dr_pg_options options = {.url = url, .target = "scratch"};
    const struct dr_db_wait wait = dr_db_wait_ms(SCRATCH_MS);
    return dr_pg_connect(&options, &wait, out, err);
}

static enum dr_rc
run_in(struct dr_pg *pg, const char *sql, struct dr_err *err)
{
    const struct dr_db_wait wait = dr_db_wait_ms(SCRATCH_MS);
    return dr_pg_run(pg, sql, &wait, err);
}

static enum dr_rc
run_sql(const char *url, const char *sql, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    enum dr_rc rc = connect_to(url, &pg, err);
    rc = rc == DR_OK ? run_in(pg, sql, err) : rc;
    dr_pg_close(&pg);
    return rc;
}

// ------------------------------------------------------------------------------------------- open

static const char *
scratch_parent(void)
{
    const char *tmp = getenv("TMPDIR");
    if (tmp != NULL && tmp[0] == '/') {
        return tmp;
    }
    return access("/dev/shm", R_OK | W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

static enum dr_rc
open_sqlite(struct dr_scratch *s, struct dr_err *err)
{
    const char *parent = scratch_parent();
    char url[PATH_MAX + 32], lock[PATH_MAX + 16];
    int fd = -1;
    dr_keep_sweep(parent, PREFIX, geteuid()); // of runs that were killed
    int len = snprintf(s->folder, sizeof s->folder, "%s/" PREFIX "XXXXXX", parent);
    if (len < 0 || (size_t)len >= sizeof s->folder || mkdtemp(s->folder) == NULL) {
        s->folder[0] = '\0';
        return dr_err_errno(err, DR_E_IO, errno, "cannot make a folder for a scratch database");
    }
    (void)snprintf(lock, sizeof lock, "%s/" DR_KEEP_LOCK, s->folder);
    enum dr_rc rc = dr_file_lock(lock, &fd, err);
    if (rc != DR_OK) {
        return rc;
    }
    s->lock = fd + 1;
    (void)snprintf(url, sizeof url, "sqlite:%s/scratch.db", s->folder);
    s->url = strdup(url);
    return s->url == NULL ? no_memory(err) : DR_OK;
}

// Those that nobody is connected to: the server itself refuses to drop the others. What is younger
// than SWEEP_AGE_S may be one whose owner connects just now.
static void
sweep_databases(struct dr_pg *pg)
{
    static const char sql[] =
        "SELECT d.datname FROM pg_catalog.pg_database d "
        "WHERE d.datname ~ '^drover_scratch_[0-9a-f]{8}_[0-9a-f]{12}$' "
        "AND pg_catalog.pg_get_userbyid(d.datdba) = current_user "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)";
    struct dr_pg_result *found = NULL;
    struct dr_err ignored = {0};
    const struct dr_pg_stmt ask = {.sql = sql, .max_rows = SWEEP_MAX};
    const struct dr_db_wait wait = dr_db_wait_ms(SCRATCH_MS);
    int64_t now = dr_now_unix_s();
    enum dr_rc rc = dr_pg_exec(pg, &ask, &wait, &found, &ignored);
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(found); i++) {
        char drop[128];
        const char *name = dr_pg_text(found, i, 0);
        if (strtoll(name + strlen(DATABASE_PREFIX), NULL, 16) < now - SWEEP_AGE_S) {
            (void)snprintf(drop, sizeof drop, "DROP DATABASE IF EXISTS %.63s", name);
            enum dr_rc dropped = run_in(pg, drop, &ignored);
            (void)dropped; // the next one tries again
        }
    }
    dr_pg_result_free(&found);
}

// From now on it is in use, until this process ends.
static enum dr_rc
occupy(struct dr_scratch *s, struct dr_err *err)
{
    enum dr_rc rc = connect_to(s->url, &s->session, err);
    if (rc == DR_OK && dr_pg_server_version(s->session) >= HAS_IDLE_TIMEOUT) {
        rc = run_in(s->session, "SELECT pg_catalog.set_config('idle_session_timeout', '0', false)",
                    err);
    }
    return rc;
}

static enum dr_rc
make_database(struct dr_scratch *s, const char *url, struct dr_err *err)
{
    uint64_t number = 0;
    char sql[128];
    struct dr_buf other = {0};
    struct dr_pg *pg = NULL;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return dr_err_errno(err, DR_E_IO, errno, "no random number");
    }
    (void)snprintf(s->database, sizeof s->database, DATABASE_PREFIX "%08llx_%012llx",
                   (unsigned long long)dr_now_unix_s() & 0xffffffff,
                   (unsigned long long)number >> 16);
    enum dr_rc rc = dr_pg_url_on_database(url, s->database, &other, err);
    s->url = rc == DR_OK ? strdup(other.data) : NULL;
    if (other.data != NULL) {
        explicit_bzero(other.data, other.len);
    }
    dr_buf_fini(&other);
    if (rc == DR_OK && s->url == NULL) {
        rc = no_memory(err);
    }
    (void)snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", s->database);
    rc = rc == DR_OK ? connect_to(url, &pg, err) : rc;
    if (rc == DR_OK) {
        sweep_databases(pg);
        rc = run_in(pg, sql, err);
    }
    dr_pg_close(&pg);
    if (rc == DR_OK) {
        s->made_from = strdup(url);
        rc = s->made_from == NULL ? no_memory(err) : occupy(s, err);
    }
    if (rc == DR_E_DB_PRIVILEGE) {
        return dr_err_hint(err, "name an empty database with --scratch URL, or: ALTER ROLE ... "
                                "CREATEDB");
    }
    return rc;
}

enum dr_rc
dr_scratch_open(const char *url, const char *named, struct dr_scratch *out, struct dr_err *err)
{
    struct dr_scratch s = {0};
    enum dr_rc rc = DR_OK;
    if (named != NULL && dr_db_kind_of(named) != dr_db_kind_of(url)) {
        return dr_err_set(err, DR_E_USAGE, "the scratch database is of another engine");
    }
    if (named != NULL) {
        s.url = strdup(named);
        rc = s.url == NULL ? no_memory(err) : DR_OK;
    } else if (dr_db_kind_of(url) == DR_DB_SQLITE) {
        rc = open_sqlite(&s, err);
    } else {
        rc = make_database(&s, url, err);
    }
    if (rc != DR_OK) {
        dr_scratch_close(&s);
        return rc;
    }
    *out = s;
    return DR_OK;
}

// A tool that was cut off may still have its session there.
static enum dr_rc
drop_database(const struct dr_scratch *s, struct dr_err *err)
{
    char sql[128];
    struct dr_pg *pg = NULL;
    enum dr_rc rc = connect_to(s->made_from, &pg, err);
    if (rc == DR_OK) {
        (void)snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s%s", s->database,
                       dr_pg_server_version(pg) >= HAS_FORCE ? " WITH (FORCE)" : "");
        rc = run_in(pg, sql, err);
    }
    dr_pg_close(&pg);
    return rc;
}

void
dr_scratch_close(struct dr_scratch *s)
{
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    if (s->folder[0] != '\0') {
        rc = dr_dir_remove(s->folder, &ignored);
    }
    if (s->lock > 0) {
        (void)close(s->lock - 1);
    }
    dr_pg_close(&s->session);
    if (s->made_from != NULL) {
        rc = drop_database(s, &ignored);
        explicit_bzero(s->made_from, strlen(s->made_from));
    }
    if (s->url != NULL) {
        explicit_bzero(s->url, strlen(s->url));
    }
    (void)rc; // a later open removes it
    free(s->made_from);
    free(s->url);
    *s = (struct dr_scratch){0};
}

// ------------------------------------------------------------------------------------------ build

static enum dr_rc
check_empty(struct dr_engine *engine, struct dr_arena *arena, struct dr_err *err)
{
    struct dr_engine_state state = {0};
    enum dr_rc rc = dr_engine_read_state(engine, arena, true, false, &state, err);
    if (rc == DR_OK && (state.has_ledger || strstr(state.fingerprint_text, "table ") != NULL)) {
        (void)dr_err_set(err, DR_E_EXISTS, "the scratch database is not empty");
        return dr_err_hint(err, "name an empty one: createdb NAME");
    }
    return rc;
}

static enum dr_rc
make_schema(const struct dr_scratch *s, const char *schema, struct dr_err *err)
{
    struct dr_buf sql = {0};
    if (schema == NULL || schema[0] == '\0' || strcmp(schema, "public") == 0 ||
        dr_db_kind_of(s->url) != DR_DB_POSTGRES) {
        return DR_OK;
    }
    dr_buf_str(&sql, "CREATE SCHEMA IF NOT EXISTS \"");
    for (const char *c = schema; *c != '\0'; c++) {
        dr_buf_add(&sql, "\"\"", *c == '"' ? 1 : 0);
        dr_buf_add(&sql, c, 1);
    }
    dr_buf_str(&sql, "\"");
    enum dr_rc rc = sql.failed ? no_memory(err) : run_sql(s->url, sql.data, err);
    dr_buf_fini(&sql);
    return rc;
}

enum dr_rc
dr_scratch_build(const struct dr_scratch *s, const struct dr_engine_job *job,
                 const char *environment, const char *schema, struct dr_arena *arena,
                 struct dr_engine_state *out, struct dr_err *err)
{
    struct dr_engine *engine = NULL;
    struct dr_engine_result result = {0};
    struct dr_engine_options options = {
        .url = s->url, .schema = schema, .environment = environment, .target = "scratch"};
    enum dr_rc rc = make_schema(s, schema, err);
    rc = rc == DR_OK ? dr_engine_open(&options, &engine, err) : rc;
    rc = rc == DR_OK ? check_empty(engine, arena, err) : rc;
    rc = rc == DR_OK && job->plan != NULL ? dr_engine_run(engine, job, arena, &result, err) : rc;
    rc = rc == DR_OK ? dr_engine_read_state(engine, arena, true, false, out, err) : rc;
    dr_engine_close(&engine);
    return rc == DR_OK ? DR_OK : dr_err_wrap(err, "in the scratch database");
}
