// Throw-away databases. See scratch.h.
#include "engine/scratch.h"

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

#define PREFIX     "drover-scratch-"
#define SCRATCH_MS 30000 // connecting, and each of our own statements

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

// One statement by a connection of its own: CREATE DATABASE wants no transaction and no company.
static enum dr_rc
run_sql(const char *url, const char *sql, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    const struct dr_pg_options options = {.url = url, .target = "scratch"};
    struct dr_db_wait wait = dr_db_wait_ms(SCRATCH_MS);
    enum dr_rc rc = dr_pg_connect(&options, &wait, &pg, err);
    if (rc == DR_OK) {
        wait = dr_db_wait_ms(SCRATCH_MS);
        rc = dr_pg_run(pg, sql, &wait, err);
    }
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

static enum dr_rc
make_database(struct dr_scratch *s, const char *url, struct dr_err *err)
{
    uint64_t number = 0;
    char sql[128];
    struct dr_buf other = {0};
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return dr_err_errno(err, DR_E_IO, errno, "no random number");
    }
    (void)snprintf(s->database, sizeof s->database, "drover_scratch_%016llx",
                   (unsigned long long)number);
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
    rc = rc == DR_OK ? run_sql(url, sql, err) : rc;
    if (rc == DR_OK) {
        s->made_from = strdup(url);
        rc = s->made_from == NULL ? no_memory(err) : DR_OK;
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
    if (s->made_from != NULL) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s", s->database);
        rc = run_sql(s->made_from, sql, &ignored);
        explicit_bzero(s->made_from, strlen(s->made_from));
    }
    if (s->url != NULL) {
        explicit_bzero(s->url, strlen(s->url));
    }
    (void)rc; // its name says what it is, and nothing more can be done here
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
