// A fresh database of either engine for one test, and short ways to run a plan on it. Included once
// per test program.
#ifndef DR_TESTS_SUPPORT_ENGINE_ENV_H
#define DR_TESTS_SUPPORT_ENGINE_ENV_H

#include "db/pg.h"
#include "db/sqlite.h"
#include "support/engine_plans.h"
#include "support/pgcluster.h"
#include "support/test_tmp.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct env {
    Drover__V1__Engine engine;
    char url[512];
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_engine_result result; // of the last run
    struct dr_err err;
    struct dr_engine_options options; // for the next open; url is filled in
    char answer[256];
};

static inline void
env_start(struct env *e, Drover__V1__Engine engine)
{
    *e = (struct env){.engine = engine};
    dr_tmp_init(&e->tmp);
    e->arena = dr_arena_new(64u * 1024 * 1024);
    if (engine == DROVER__V1__ENGINE__POSTGRESQL) {
        (void)snprintf(e->url, sizeof e->url, "%s",
                       dr_pgcluster_new_database(dr_pgcluster_shared()));
    } else {
        (void)snprintf(e->url, sizeof e->url, "sqlite:%.400s/test.db", e->tmp.path);
    }
    e->options.retry_budget_ms = 1;
    e->options.recover_timeout_ms = 20000;
}

static inline void
env_stop(struct env *e)
{
    dr_arena_free(&e->arena);
    dr_tmp_fini(&e->tmp);
}

static inline bool
env_is_pg(const struct env *e)
{
    return e->engine == DROVER__V1__ENGINE__POSTGRESQL;
}

static inline struct dr_sqlite *
env_sqlite(struct env *e)
{
    struct dr_sqlite_options o = {.create = true};
    struct dr_sqlite *db = NULL;
    struct dr_err err = {0};
    if (dr_sqlite_open(e->url + strlen("sqlite:"), &o, &db, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return db;
}

// Runs a query on PostgreSQL as an application would: schema public in the search path.
static inline void
env_pg(struct env *e, const char *sql, bool wants_value)
{
    struct dr_pg_options o = {.url = e->url};
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_pg_stmt stmt = {.sql = sql, .max_rows = 1};
    enum dr_rc rc = dr_pg_connect(&o, &wait, &pg, &err);
    if (rc == DR_OK) {
        rc = dr_pg_run(pg, "SET search_path = public", &wait, &err);
    }
    if (rc == DR_OK) {
        rc = wants_value ? dr_pg_value(pg, &stmt, &wait, e->answer, sizeof e->answer, &err)
                         : dr_pg_run(pg, sql, &wait, &err);
    }
    if (rc == DR_E_NOT_FOUND) {
        e->answer[0] = '\0';
    } else if (rc != DR_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
    dr_pg_close(&pg);
}

// Runs one statement beside drover.
static inline void
env_sql(struct env *e, const char *sql)
{
    struct dr_err err = {0};
    if (env_is_pg(e)) {
        env_pg(e, sql, false);
        return;
    }
    struct dr_sqlite *db = env_sqlite(e);
    if (dr_sqlite_exec(db, sql, strlen(sql), NULL, NULL, &err) != DR_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
    dr_sqlite_close(&db);
}

static inline enum dr_rc
env_take_first(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct env *e = ctx;
    (void)err;
    (void)snprintf(e->answer, sizeof e->answer, "%s", dr_sqlite_column_text(s, 0));
    return DR_OK;
}

// The first value of a query, "" for none.
static inline const char *
env_ask(struct env *e, const char *sql)
{
    struct dr_err err = {0};
    if (env_is_pg(e)) {
        env_pg(e, sql, true);
        return e->answer;
    }
    struct dr_sqlite *db = env_sqlite(e);
    e->answer[0] = '\0';
    if (dr_sqlite_exec(db, sql, strlen(sql), env_take_first, e, &err) != DR_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
    dr_sqlite_close(&db);
    return e->answer;
}

static inline bool
env_has_table(struct env *e, const char *name)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   env_is_pg(e) ? "SELECT count(*) FROM pg_class WHERE relname = '%s'"
                                : "SELECT count(*) FROM sqlite_master WHERE name = '%s'",
                   name);
    return strcmp(env_ask(e, sql), "0") != 0;
}

static inline const char *
env_ledger_table(const struct env *e, const char *name)
{
    static char out[64];
    (void)snprintf(out, sizeof out, "drover%c%s", env_is_pg(e) ? '.' : '_', name);
    return out;
}

// Rows of the ledger that say DONE for a revision and direction; 0 where there is no ledger.
static inline int
env_done_rows(struct env *e, const char *id, int direction)
{
    char sql[256];
    if (env_is_pg(e) &&
        strcmp(env_ask(e, "SELECT to_regclass('drover.ledger') IS NULL"), "t") == 0) {
        return 0;
    }
    (void)snprintf(
        sql, sizeof sql,
        "SELECT count(*) FROM %s WHERE kind = 1 AND revision_id = '%s' AND direction = %d",
        env_ledger_table(e, "ledger"), id, direction);
    return (int)strtol(env_ask(e, sql), NULL, 10);
}

static inline enum dr_rc
env_run_job(struct env *e, const struct dr_engine_job *job)
{
    struct dr_engine *engine = NULL;
    e->err = (struct dr_err){0};
    e->result = (struct dr_engine_result){0};
    e->options.url = e->url;
    enum dr_rc rc = dr_engine_open(&e->options, &engine, &e->err);
    if (rc == DR_OK) {
        rc = dr_engine_run(engine, job, e->arena, &e->result, &e->err);
    }
    dr_engine_close(&engine);
    return rc;
}

static inline enum dr_rc
env_run(struct env *e, struct tp_plan *p, Drover__V1__Mode mode)
{
    struct dr_engine_job job = tp_job(p, mode);
    return env_run_job(e, &job);
}

#define env_up(e, p)   env_run((e), (p), DROVER__V1__MODE__UP)
#define env_down(e, p) env_run((e), (p), DROVER__V1__MODE__DOWN)

#define assert_ok(e, call)                                                                         \
    do {                                                                                           \
        if ((call) != DR_OK) {                                                                     \
            fail_msg("%s", (e)->err.message);                                                      \
        }                                                                                          \
    } while (0)

// The state, with every ledger row checked.
static inline struct dr_engine_state
env_state(struct env *e)
{
    struct dr_engine *engine = NULL;
    struct dr_engine_state s = {0};
    e->err = (struct dr_err){0};
    e->options.url = e->url;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_ok(e, dr_engine_read_state(engine, e->arena, true, true, &s, &e->err));
    dr_engine_close(&engine);
    return s;
}

// Runs in a child process with a failpoint set; gives the wait status.
static inline int
env_run_in_child(struct env *e, const struct dr_engine_job *job, const char *failpoint)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("DROVER_FAILPOINT", failpoint, 1);
        enum dr_rc rc = env_run_job(e, job);
        if (rc != DR_OK && getenv("DR_TEST_VERBOSE") != NULL) {
            (void)fprintf(stderr, "child: %s\n", e->err.message);
        }
        _exit(rc == DR_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

// cmocka fixtures: `*state` is the environment of one engine.
static struct env env_shared DR_UNUSED;

static inline int
env_start_pg(void **state)
{
    env_start(&env_shared, DROVER__V1__ENGINE__POSTGRESQL);
    *state = &env_shared;
    return 0;
}

static inline int
env_start_sqlite(void **state)
{
    env_start(&env_shared, DROVER__V1__ENGINE__SQLITE);
    *state = &env_shared;
    return 0;
}

static inline int
env_end(void **state)
{
    env_stop(*state);
    return 0;
}

// A test of the contract: once on each engine.
#define BOTH(name)                                                                                 \
    {"postgresql: " #name, name, env_start_pg, env_end, NULL},                                     \
    {                                                                                              \
        "sqlite: " #name, name, env_start_sqlite, env_end, NULL                                    \
    }

// A chain of three revisions and four units that most tests run.
static const struct tp_revision chain[] DR_UNUSED = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE a (id integer PRIMARY KEY)", "INSERT INTO a VALUES (1)"),
                  TP_VERIFY("SELECT count(*) = 1 FROM a"), TP_DOWN("DROP TABLE a")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_UP("CREATE TABLE c (id integer)"),
                  TP_DOWN("DROP TABLE c"), TP_DOWN("DROP TABLE b")}},
    {.id = "three",
     .parents = {"two"},
     .sections = {TP_UP("CREATE INDEX c_id ON c (id)"), TP_DOWN("DROP INDEX c_id")}},
};

static inline struct tp_plan *
make(struct env *e, const struct tp_revision *revisions, size_t count)
{
    return tp_make(e->engine, revisions, count);
}

static inline void
assert_head(struct env *e, const char *id)
{
    struct dr_engine_state s = env_state(e);
    assert_int_equal(s.heads_count, id == NULL ? 0 : 1);
    if (id != NULL) {
        assert_string_equal(s.heads[0].id, id);
    }
}

#endif
