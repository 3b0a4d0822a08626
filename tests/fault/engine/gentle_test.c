// The engine beside an application that works: what ordinary queries feel, who is named, and what
// is given up so that they go on. PostgreSQL only: SQLite has one writer and says "busy".
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "support/engine_env.h"

#include <pthread.h>
#include <stdatomic.h>

#define CLIENTS 4u

// Ordinary queries of an application, one connection each, as fast as they go.
struct traffic {
    struct dr_pg *pg[CLIENTS];
    pthread_t threads[CLIENTS];
    atomic_bool stop;
    atomic_llong worst_ms, queries;
    atomic_int next;
};

static struct dr_pg *
connect_as(struct env *e, const char *who)
{
    struct dr_pg_options o = {.url = e->url, .target = who};
    struct dr_db_wait wait = dr_db_wait_ms(20000);
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    if (dr_pg_connect(&o, &wait, &pg, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return pg;
}

static void
say(struct dr_pg *pg, const char *sql)
{
    struct dr_db_wait wait = dr_db_wait_ms(60000);
    struct dr_err err = {0};
    if (dr_pg_run(pg, sql, &wait, &err) != DR_OK) {
        fail_msg("%s: %s", sql, err.message);
    }
}

static void *
ask_and_ask(void *arg)
{
    struct traffic *t = arg;
    struct dr_pg *pg = t->pg[atomic_fetch_add(&t->next, 1)];
    while (!atomic_load(&t->stop)) {
        struct dr_db_wait wait = dr_db_wait_ms(60000);
        struct dr_err err = {0};
        int64_t start = dr_monotonic_ms();
        enum dr_rc rc = dr_pg_run(pg,
                                  "UPDATE public.t SET n = n + 1 WHERE id = 1 + (random() * "
                                  "98)::int",
                                  &wait, &err);
        long long took = dr_monotonic_ms() - start, worst = atomic_load(&t->worst_ms);
        while (took > worst && !atomic_compare_exchange_weak(&t->worst_ms, &worst, took)) {
        }
        if (rc != DR_OK) {
            (void)fprintf(stderr, "traffic: %s\n", err.message);
            break;
        }
        atomic_fetch_add(&t->queries, 1);
    }
    return NULL;
}

static void
traffic_start(struct env *e, struct traffic *t)
{
    env_sql(e, "CREATE TABLE t (id integer PRIMARY KEY, n integer NOT NULL)");
    env_sql(e, "INSERT INTO t SELECT i, 0 FROM generate_series(1, 100) i");
    for (size_t i = 0; i < CLIENTS; i++) {
        t->pg[i] = connect_as(e, "app");
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_create(&t->threads[i], NULL, ask_and_ask, t), 0);
    }
}

// The worst stall in ms.
static long long
traffic_stop(struct traffic *t)
{
    atomic_store(&t->stop, true);
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pthread_join(t->threads[i], NULL), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        dr_pg_close(&t->pg[i]); // threads took them in any order
    }
    print_message("%lld queries, worst stall %lld ms\n", atomic_load(&t->queries),
                  atomic_load(&t->worst_ms));
    assert_true(atomic_load(&t->queries) > 0);
    return atomic_load(&t->worst_ms);
}

static const struct tp_revision add_column[] = {
    {.id = "one",
     .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                   .class = DROVER__V1__STATEMENT_CLASS__CLASS_ACCESS_EXCLUSIVE,
                   .statements = {"ALTER TABLE t ADD COLUMN extra integer"}}}}};

struct seen {
    int32_t blocker;
    char application[64], query[64], phase[64], unit[16];
    uint64_t total;
    struct dr_pg *reader; // ends its transaction when this was seen
    uint32_t release_at;  // attempt
    bool wants_phase;
};

static void
note_progress(void *arg, const struct dr_engine_progress *p)
{
    struct seen *s = arg;
    if (p->blockers_count > 0) {
        s->blocker = p->blockers[0].pid;
        (void)snprintf(s->application, sizeof s->application, "%.60s", p->blockers[0].application);
        (void)snprintf(s->query, sizeof s->query, "%.60s", p->blockers[0].query);
    }
    if (p->server != NULL && p->server->phase[0] != '\0') {
        memcpy(s->phase, p->server->phase, sizeof s->phase);
        memcpy(s->unit, p->server->unit, sizeof s->unit);
        s->total = p->server->total;
    }
    bool is_time =
        s->wants_phase ? s->phase[0] != '\0' : s->blocker != 0 && p->attempt >= s->release_at;
    if (s->reader != NULL && is_time) {
        say(s->reader, "ROLLBACK");
        dr_pg_close(&s->reader);
    }
}

// A reader that stays in its transaction, as a report or a forgotten session does.
static void
reader_start(struct env *e, struct seen *s)
{
    s->reader = connect_as(e, "report");
    say(s->reader, "BEGIN");
    say(s->reader, "SELECT count(*) FROM public.t");
}

// id: S10
static void
long_reader_holds_up_nobody_longer_than_the_lock_timeout(void **state)
{
    struct env *e = *state;
    struct traffic t = {0};
    struct seen s = {.release_at = 3};
    struct tp_plan *p = make(e, add_column, 1);
    traffic_start(e, &t);
    reader_start(e, &s);
    e->options.retry_budget_ms = 60000;
    e->options.progress = note_progress;
    e->options.progress_arg = &s;
    assert_ok(e, env_up(e, p));
    // 2 s is the lock time-out of the class; the rest is the machine's.
    assert_in_range(traffic_stop(&t), 0, 3500);
    assert_true(e->result.retries >= 2);
    assert_int_not_equal(s.blocker, 0);
    assert_string_equal(s.application, "drover/report");
    assert_string_equal(s.query, "SELECT count(*) FROM public.t");
    tp_free(p);
}

// id: S10
static void
reader_that_stays_ends_the_run_and_is_named(void **state)
{
    struct env *e = *state;
    struct traffic t = {0};
    struct seen s = {.release_at = UINT32_MAX};
    struct tp_plan *p = make(e, add_column, 1);
    traffic_start(e, &t);
    reader_start(e, &s);
    e->options.retry_budget_ms = 1;
    assert_int_equal(env_up(e, p), DR_E_LOCK_TIMEOUT);
    assert_in_range(traffic_stop(&t), 0, 3500);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_non_null(strstr(e->err.hint, "drover/report"));
    assert_non_null(strstr(e->result.detail, "drover/report"));
    assert_null(strstr(e->result.detail, "SELECT"));
    assert_head(e, NULL);
    dr_pg_close(&s.reader);
    tp_free(p);
}

static void
unit_that_makes_others_wait_too_long_is_taken_back(void **state)
{
    struct env *e = *state;
    static const struct tp_revision slow[] = {
        {.id = "one",
         .sections = {TP_UP("ALTER TABLE t ADD COLUMN extra integer", "SELECT pg_sleep(60)")}}};
    struct traffic t = {0};
    struct tp_plan *p = make(e, slow, 1);
    traffic_start(e, &t);
    e->options.max_block_ms = 1000;
    assert_int_equal(env_up(e, p), DR_E_BLOCKS_OTHERS);
    assert_in_range(traffic_stop(&t), 1000, 3500);
    assert_int_equal(e->result.outcome, DR_ENGINE_ROLLED_BACK);
    assert_non_null(strstr(e->err.message, "drover/app"));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM information_schema.columns WHERE "
                                   "column_name = 'extra'"),
                        "0");
    assert_head(e, NULL);
    tp_free(p);
}

static void
section_names_its_own_patience_with_others(void **state)
{
    struct env *e = *state;
    static const struct tp_revision slow[] = {
        {.id = "one",
         .sections = {
             {.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
              .max_block_ms = 1000,
              .statements = {"ALTER TABLE t ADD COLUMN extra integer", "SELECT pg_sleep(60)"}}}}};
    struct traffic t = {0};
    struct tp_plan *p = make(e, slow, 1);
    traffic_start(e, &t);
    e->options.max_block_ms = UINT64_MAX; // any time, unless the section says otherwise
    assert_int_equal(env_up(e, p), DR_E_BLOCKS_OTHERS);
    assert_in_range(traffic_stop(&t), 1000, 3500);
    assert_non_null(strstr(e->err.message, "at most 1000 ms"));
    assert_head(e, NULL);
    tp_free(p);
}

static void
many_quick_statements_are_watched_as_one_slow_one_is(void **state)
{
    struct env *e = *state;
    struct traffic t = {0};
    static const char nap[] = "SELECT pg_sleep(0.05)";
    struct tp_revision r = {.id = "one",
                            .sections = {TP_UP("LOCK TABLE t IN ACCESS EXCLUSIVE MODE", nap, nap,
                                               "SELECT count(*) FROM generate_series(1, 100) i, "
                                               "LATERAL (SELECT pg_sleep(0.05), i) s"),
                                         TP_VERIFY("SELECT pg_sleep(60) IS NULL")}};
    struct tp_plan *p = make(e, &r, 1);
    traffic_start(e, &t);
    e->options.max_block_ms = 1000;
    assert_int_equal(env_up(e, p), DR_E_BLOCKS_OTHERS);
    assert_in_range(traffic_stop(&t), 1000, 3500);
    assert_head(e, NULL);
    tp_free(p);
}

static void
verify_section_that_holds_locks_is_watched_too(void **state)
{
    struct env *e = *state;
    struct traffic t = {0};
    struct tp_revision r = {.id = "one",
                            .sections = {TP_UP("ALTER TABLE t ADD COLUMN extra integer"),
                                         TP_VERIFY("SELECT pg_sleep(60) IS NOT NULL")}};
    struct tp_plan *p = make(e, &r, 1);
    traffic_start(e, &t);
    e->options.max_block_ms = 1000;
    assert_int_equal(env_up(e, p), DR_E_BLOCKS_OTHERS);
    assert_in_range(traffic_stop(&t), 1000, 3500);
    assert_head(e, NULL);
    tp_free(p);
}

static void
progress_of_an_index_build_is_the_servers_own(void **state)
{
    struct env *e = *state;
    static const struct tp_revision build[] = {
        {.id = "one",
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .is_outside = true,
                       .probe = DROVER__V1__PROBE__PROBE_INDEX_CREATED,
                       .object = "t_n",
                       .class = DROVER__V1__STATEMENT_CLASS__CLASS_CONCURRENT,
                       .statements = {"CREATE INDEX CONCURRENTLY t_n ON t (n)"}}}}};
    struct seen s = {.wants_phase = true};
    struct tp_plan *p = make(e, build, 1);
    env_sql(e, "CREATE TABLE t (id integer, n integer)");
    s.reader = connect_as(e, "report");
    say(s.reader, "BEGIN");
    say(s.reader, "INSERT INTO public.t VALUES (1, 1)");
    e->options.progress = note_progress;
    e->options.progress_arg = &s;
    assert_ok(e, env_up(e, p));
    assert_null(s.reader);
    assert_non_null(strstr(s.phase, "waiting for writers"));
    assert_string_equal(s.unit, "transactions");
    assert_int_equal(s.total, 1);
    tp_free(p);
}

// Key B of the plain tenant, as driver_pg.c makes it.
static void
hold_key_b(struct dr_pg *pg)
{
    uint8_t h[32];
    char sql[128];
    dr_digest_sha256(h, "", 0);
    uint32_t number =
        ((uint32_t)h[0] << 22 | (uint32_t)h[1] << 14 | (uint32_t)h[2] << 6 | (uint32_t)h[3] >> 2)
        << 1;
    (void)snprintf(sql, sizeof sql, "SELECT pg_advisory_lock(%d, %u)", 0x64727672, number + 1);
    say(pg, sql);
}

// id: C13
static void
old_session_that_never_ends_is_named_with_its_pid(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    struct dr_pg *old = connect_as(e, "direct");
    struct dr_pg_info info = {0};
    struct dr_db_wait wait = dr_db_wait_ms(5000);
    char pid[32];
    assert_int_equal(dr_pg_inspect(old, &wait, &info, &e->err), DR_OK);
    (void)snprintf(pid, sizeof pid, "pid %d, drover/direct", info.backend_pid);
    hold_key_b(old);
    e->options.recover_timeout_ms = 500;
    assert_int_equal(env_up(e, p), DR_E_LOCKED);
    assert_non_null(strstr(e->err.message, pid));
    assert_non_null(strstr(e->err.message, "connected for"));
    assert_false(env_has_table(e, "a"));
    dr_pg_close(&old);
    e->options.recover_timeout_ms = 20000;
    assert_ok(e, env_up(e, p));
    assert_head(e, "three");
    tp_free(p);
}

static void
work_connection_notices_a_client_that_is_gone(void **state)
{
    struct env *e = *state;
    static const struct tp_revision look[] = {
        {.id = "one",
         .sections = {
             TP_UP("CREATE TABLE s AS SELECT current_setting('client_connection_check_interval') "
                   "AS a, current_setting('idle_in_transaction_session_timeout') AS b")}}};
    struct tp_plan *p = make(e, look, 1);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT a || ' ' || b FROM s"), "10s 1min");
    tp_free(p);
}

#define ON_PG(name)                                                                                \
    {                                                                                              \
#name, name, env_start_pg, env_end, NULL                                                   \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PG(long_reader_holds_up_nobody_longer_than_the_lock_timeout),
        ON_PG(reader_that_stays_ends_the_run_and_is_named),
        ON_PG(unit_that_makes_others_wait_too_long_is_taken_back),
        ON_PG(section_names_its_own_patience_with_others),
        ON_PG(many_quick_statements_are_watched_as_one_slow_one_is),
        ON_PG(verify_section_that_holds_locks_is_watched_too),
        ON_PG(progress_of_an_index_build_is_the_servers_own),
        ON_PG(old_session_that_never_ends_is_named_with_its_pid),
        ON_PG(work_connection_notices_a_client_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
