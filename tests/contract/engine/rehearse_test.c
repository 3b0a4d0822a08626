// The engine's contract: a rehearsal tells on a throw-away copy what a plan would do, whether its
// way back gives the schema from before, and leaves neither target nor machine different.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/rehearse.h"
#include "support/engine_env.h"

#include <dirent.h>
#include <poll.h>

static struct dr_rehearsal told;

// On what the target lacks, or holds.
static enum dr_rc
rehearse_with(struct env *e, struct tp_plan *p, Drover__V1__Mode mode,
              const struct dr_rehearse_options *more)
{
    const struct dr_engine_state state = env_state(e);
    struct dr_engine_job job = tp_job(p, mode);
    struct dr_rehearse_options options = *more;
    options.url = e->url;
    e->err = (struct dr_err){0};
    return dr_rehearse(&options, &job, &state, e->arena, &told, &e->err);
}

static enum dr_rc
rehearse(struct env *e, struct tp_plan *p, Drover__V1__Mode mode)
{
    const struct dr_rehearse_options none = {0};
    return rehearse_with(e, p, mode, &none);
}

static const struct dr_rehearsed_table *
find_table(const char *revision, Drover__V1__Mode mode, const char *table)
{
    for (size_t i = 0; i < told.units_count; i++) {
        const struct dr_rehearsed_unit *u = &told.units[i];
        for (size_t k = 0; k < u->tables_count; k++) {
            const char *dot = strrchr(u->tables[k].table, '.');
            const char *name = dot == NULL ? u->tables[k].table : dot + 1;
            if (strcmp(u->revision_id, revision) == 0 && u->mode == mode &&
                strcmp(name, table) == 0) {
                return &u->tables[k];
            }
        }
    }
    return NULL;
}

static bool
is_zero(const uint8_t bytes[32])
{
    static const uint8_t none[32] = {0};
    return memcmp(bytes, none, 32) == 0;
}

static void
plan_that_goes_both_ways_passes_and_leaves_the_target_alone(void **state)
{
    struct env *e = *state;
    struct tp_plan *first = make(e, chain, 1), *p = make(e, chain, 3);
    assert_ok(e, env_up(e, first));
    const struct dr_engine_state before = env_state(e);
    assert_ok(e, rehearse(e, p, DROVER__V1__MODE__UP));
    assert_true(told.went_back);
    assert_string_equal(told.unlike, ""); // the copy is the target's schema, to the byte
    assert_memory_equal(told.before, before.fingerprint, 32);
    assert_memory_equal(told.back, told.before, 32);
    assert_memory_not_equal(told.there, told.before, 32);
    assert_int_equal(told.units_count, 6); // what is there already is not run
    assert_string_equal(told.units[0].revision_id, "two");
    assert_int_equal(told.units[0].statements, 1);
    assert_int_equal(told.units[3].mode, DROVER__V1__MODE__DOWN);
    const struct dr_engine_state after = env_state(e);
    assert_memory_equal(before.fingerprint, after.fingerprint, 32);
    assert_int_equal(before.position, after.position);
    // id: G4 -- what the copy came to is what the target comes to
    assert_ok(e, env_up(e, p));
    assert_memory_equal(env_state(e).fingerprint, told.there, 32);
    tp_free(first);
    tp_free(p);
}

static void
way_down_that_leaves_something_is_told_with_the_objects(void **state)
{
    static const struct tp_revision lazy[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE a (id integer PRIMARY KEY, n integer)",
                            "CREATE TABLE left_over (id integer)"),
                      TP_DOWN("DROP TABLE a")}},
    };
    struct env *e = *state;
    struct tp_plan *p = make(e, lazy, 1);
    assert_int_equal(rehearse(e, p, DROVER__V1__MODE__UP), DR_E_REHEARSAL_DIFFERS);
    assert_int_equal(told.stage, DR_REHEARSE_BACK);
    assert_non_null(strstr(told.differences, "left_over"));
    assert_null(strstr(told.differences, "table a"));
    assert_non_null(strstr(e->err.message, "the way down does not give the schema from before"));
    assert_false(env_has_table(e, "left_over"));
    tp_free(p);
}

static void
revision_that_fails_is_named_with_its_place(void **state)
{
    static const struct tp_revision bad[] = {
        {.id = "one", .sections = {TP_UP("CREATE TABLE a (id integer)"), TP_DOWN("DROP TABLE a")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("ALTER TABLE nowhere ADD COLUMN n integer"), TP_DOWN("SELECT 1")}},
    };
    struct env *e = *state;
    struct tp_plan *p = make(e, bad, 2);
    assert_int_equal(rehearse(e, p, DROVER__V1__MODE__UP), DR_E_ENGINE_FAILED);
    assert_int_equal(told.stage, DR_REHEARSE_THERE);
    assert_string_equal(told.result.failed_revision, "two");
    assert_int_equal(told.units_count, 1); // as far as it came
    assert_false(env_has_table(e, "a"));
    tp_free(p);
}

static void
revision_without_a_way_back_is_the_ground_of_what_follows(void **state)
{
    static const struct tp_revision fixed[] = {
        {.id = "one", .no_down = true, .sections = {TP_UP("CREATE TABLE a (id integer)")}},
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_DOWN("DROP TABLE b")}},
    };
    struct env *e = *state;
    struct tp_plan *p = make(e, fixed, 2), *alone = make(e, fixed, 1);
    assert_ok(e, rehearse(e, p, DROVER__V1__MODE__UP));
    assert_string_equal(told.no_way_back, "one");
    assert_true(told.went_back);
    assert_ok(e, rehearse(e, alone, DROVER__V1__MODE__UP));
    assert_false(told.went_back);
    assert_true(is_zero(told.back));
    Drover__V1__Rehearsal *message = dr_rehearsal_message(&told, e->arena);
    assert_string_equal(message->no_way_back, "one");
    assert_int_equal(message->fingerprint_up.len, 32);
    assert_int_equal(message->fingerprint_down.len, 0);
    assert_non_null(strstr(told.there_text, "table a"));
    tp_free(p);
    tp_free(alone);
}

static void
way_down_is_rehearsed_down_up_and_down_again(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    assert_ok(e, env_up(e, p));
    assert_ok(e, rehearse(e, p, DROVER__V1__MODE__DOWN));
    assert_true(told.went_back);
    assert_int_equal(told.units[0].mode, DROVER__V1__MODE__DOWN);
    assert_string_equal(told.units[0].revision_id, "three");
    Drover__V1__Rehearsal *message = dr_rehearsal_message(&told, e->arena);
    assert_memory_equal(message->fingerprint_up.data, told.before, 32);
    assert_memory_equal(message->fingerprint_down.data, told.there, 32);
    assert_head(e, "three");
    tp_free(p);
}

// What a half-done revision has done is not done again, on neither way.
static void
half_done_revision_is_rehearsed_from_where_it_stands(void **state)
{
    static const struct tp_revision half[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE TABLE b (id integer)"), TP_UP("INSERT INTO missing VALUES (1)"),
                      TP_DOWN("DROP TABLE IF EXISTS missing"), TP_DOWN("DROP TABLE b")}},
    };
    struct env *e = *state;
    struct tp_plan *p = make(e, half, 1);
    assert_int_not_equal(env_up(e, p), DR_OK);
    assert_ok(e, rehearse(e, p, DROVER__V1__MODE__DOWN));
    assert_int_equal(told.units_count, 2);
    assert_false(told.went_back);
    env_sql(e, "CREATE TABLE missing (id integer)");
    assert_ok(e, rehearse(e, p, DROVER__V1__MODE__UP));
    assert_int_equal(told.units_count, 1);
    assert_false(told.went_back);
    Drover__V1__Rehearsal *message = dr_rehearsal_message(&told, e->arena);
    assert_int_equal(message->fingerprint_up.len, 32);
    tp_free(p);
}

static const struct tp_revision two_tables[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE big (id integer PRIMARY KEY, n integer)",
                        "CREATE TABLE other (id integer PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE other", "DROP TABLE big")}},
};

static void
tables_of_a_unit_are_told_with_lock_rows_and_rewrite(void **state)
{
    static const struct tp_revision change[] = {
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("ALTER TABLE big ADD COLUMN m integer"),
                      TP_UP("CREATE TABLE fresh (id integer)"), TP_DOWN("DROP TABLE fresh"),
                      TP_DOWN("ALTER TABLE big DROP COLUMN m")}},
    };
    struct env *e = *state;
    struct tp_plan *p = make(e, two_tables, 1), *q = tp_make_after(e->engine, change, 1, p);
    assert_ok(e, env_up(e, p));
    env_sql(e, "INSERT INTO big (id) SELECT x.n FROM (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL "
               "SELECT n + 1 FROM r WHERE n < 5000) SELECT n FROM r) x");
    if (env_is_pg(e)) {
        env_sql(e, "ANALYZE big");
    }
    assert_ok(e, rehearse(e, q, DROVER__V1__MODE__UP));
    const struct dr_rehearsed_table *t = find_table("two", DROVER__V1__MODE__UP, "big");
    assert_non_null(t);
    assert_string_equal(t->lock, env_is_pg(e) ? "AccessExclusiveLock" : "EXCLUSIVE");
    assert_true(t->is_known);
    assert_int_equal(t->rows, 5000); // of the target: the copy has none
    assert_true(!env_is_pg(e) || t->size_bytes > 100000);
    assert_false(t->is_rewritten);
    assert_null(find_table("two", DROVER__V1__MODE__UP, "other"));
    assert_null(find_table("two", DROVER__V1__MODE__UP, "fresh")); // nobody waits for a new one
    Drover__V1__Rehearsal *message = dr_rehearsal_message(&told, e->arena);
    assert_int_equal(message->n_units, 4);
    assert_string_equal(message->units[0]->tables[0]->lock, t->lock);
    assert_int_equal(message->units[0]->tables[0]->rows, 5000);
    tp_free(p);
    tp_free(q);
}

static void
rewrite_and_locks_of_other_tables_are_seen(void **state)
{
    static const struct tp_revision change[] = {
        {.id = "two",
         .parents = {"one"},
         .sections = {TP_UP("ALTER TABLE big ALTER COLUMN n TYPE bigint"),
                      TP_UP("ALTER TABLE big ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES other"),
                      {.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .is_outside = true,
                       .probe = DROVER__V1__PROBE__PROBE_INDEX_CREATED,
                       .object = "big_n",
                       .class = DROVER__V1__STATEMENT_CLASS__CLASS_CONCURRENT,
                       .statements = {"CREATE INDEX CONCURRENTLY big_n ON big (n)"}},
                      TP_DOWN("DROP INDEX big_n"),
                      TP_DOWN("ALTER TABLE big DROP CONSTRAINT f"),
                      TP_DOWN("ALTER TABLE big ALTER COLUMN n TYPE integer")}},
    };
    struct env *e = *state;
    struct tp_plan *p = make(e, two_tables, 1), *q = tp_make_after(e->engine, change, 1, p);
    assert_ok(e, env_up(e, p));
    assert_ok(e, rehearse(e, q, DROVER__V1__MODE__UP));
    assert_int_equal(told.units_count, 6);
    assert_true(told.units[0].tables[0].is_rewritten);
    assert_string_equal(told.units[0].tables[0].lock, "AccessExclusiveLock");
    assert_int_equal(told.units[1].tables_count,
                     2); // the table that a key points at is locked, too
    assert_string_equal(told.units[1].tables[1].table, "public.other");
    assert_string_equal(told.units[1].tables[1].lock, "ShareRowExclusiveLock");
    assert_false(told.units[1].tables[0].is_rewritten);
    assert_int_equal(told.units[2].tables_count, 1); // outside of a transaction
    assert_string_equal(told.units[2].tables[0].lock, "ShareUpdateExclusiveLock");
    tp_free(p);
    tp_free(q);
}

// Roles, grants, owners and settings of a real schema come along: the copy is the same.
static void
copy_has_the_roles_and_grants_of_the_target(void **state)
{
    static const char *const setup[] = {
        "CREATE ROLE \"Odd owner\" NOLOGIN",
        "CREATE ROLE reading NOLOGIN",
        "CREATE TABLE owned (id integer PRIMARY KEY, t text CHECK (t <> ''))",
        "ALTER TABLE owned OWNER TO \"Odd owner\"",
        "GRANT SELECT ON owned TO reading",
        "ALTER TABLE owned ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY mine ON owned TO reading USING (id > 0)",
        "CREATE TYPE mood AS ENUM ('a', 'b')",
        "CREATE VIEW seen AS SELECT id FROM owned",
        "CREATE SCHEMA more",
        "CREATE TABLE more.parts (id integer, at date) PARTITION BY RANGE (at)",
        "CREATE TABLE more.part_one PARTITION OF more.parts FOR VALUES FROM ('2020-01-01') TO "
        "('2021-01-01')",
    };
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    for (size_t i = 0; i < DR_COUNT_OF(setup); i++) {
        env_sql(e, setup[i]);
    }
    assert_ok(e, rehearse(e, p, DROVER__V1__MODE__UP));
    assert_string_equal(told.unlike, "");
    tp_free(p);
    env_sql(e, "DROP OWNED BY \"Odd owner\", reading CASCADE");
    env_sql(e, "DROP ROLE \"Odd owner\"");
    env_sql(e, "DROP ROLE reading");
}

// A foreign table of the target, which is a table of the target's own server.
static void
make_foreign_table(struct env *e)
{
    env_sql(e, "CREATE EXTENSION postgres_fdw");
    env_sql(e, "DO $$ BEGIN EXECUTE format('CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw "
               "OPTIONS (host %L, port %L, dbname %L)', "
               "split_part(current_setting('unix_socket_directories'), ',', 1), "
               "current_setting('port'), current_database()); EXECUTE format('CREATE USER MAPPING "
               "FOR PUBLIC SERVER far OPTIONS (user %L, password_required ''false'')', "
               "current_user); EXECUTE format('CREATE USER MAPPING FOR %I SERVER far OPTIONS (user "
               "%L)', current_user, current_user); END $$");
    env_sql(e, "CREATE TABLE real_audit (x integer)");
    env_sql(e, "CREATE FOREIGN TABLE audit (x integer) SERVER far OPTIONS (table_name "
               "'real_audit')");
    env_sql(e, "INSERT INTO audit VALUES (1)"); // it works
}

// Nobody has approved anything yet. The schema itself is as the target's: no difference is told.
// id: P1
static void
rehearsal_goes_to_no_other_server(void **state)
{
    static const struct tp_revision writes[] = {
        {.id = "one",
         .sections = {TP_UP("INSERT INTO audit VALUES (42)"), TP_DOWN("DELETE FROM audit")}},
    };
    static const struct tp_revision makes[] = {
        {.id = "one",
         .sections = {TP_UP("CREATE FOREIGN TABLE more (x integer) SERVER far",
                            "CREATE VIEW seen AS SELECT x FROM audit"),
                      TP_DOWN("DROP VIEW seen", "DROP FOREIGN TABLE more")}},
    };
    struct env *e = *state;
    make_foreign_table(e);
    struct tp_plan *p = make(e, writes, 1), *q = make(e, makes, 1);
    assert_int_not_equal(rehearse(e, p, DROVER__V1__MODE__UP), DR_OK);
    assert_int_equal(told.stage, DR_REHEARSE_THERE);
    assert_non_null(strstr(e->err.message, "has no handler"));
    assert_string_equal(env_ask(e, "SELECT count(*) FROM real_audit"), "1");
    assert_ok(e, rehearse(e, q, DROVER__V1__MODE__UP));
    assert_string_equal(told.unlike, "");
    assert_ok(e, env_up(e, q));
    assert_memory_equal(env_state(e).fingerprint, told.there, 32);
    tp_free(p);
    tp_free(q);
}

// The rows are in a backup only; the ledger of an owner goes on in its name.
static void
ledger_of_an_agent_is_carried_over(void **state)
{
    static const uint8_t key[32] = {7};
    struct env *e = *state;
    struct tp_plan *first = make(e, chain, 1), *p = make(e, chain, 3);
    struct dr_engine_job job = tp_job(first, DROVER__V1__MODE__UP);
    e->options.owner = "agent-1";
    e->options.owner_key = key;
    job.owns = true;
    assert_ok(e, env_run_job(e, &job));
    assert_ok(e, rehearse(e, p, DROVER__V1__MODE__UP));
    assert_int_equal(told.units_count, 6);
    tp_free(first);
    tp_free(p);
}

static void
cancelled_and_overdue_rehearsals_end_at_once(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    int ends[2];
    const struct dr_rehearse_options hurry = {.timeout_ms = 1};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    const struct dr_rehearse_options cancelled = {.cancel_fd = ends[0]};
    assert_int_equal(rehearse_with(e, p, DROVER__V1__MODE__UP, &cancelled), DR_E_INTERRUPTED);
    assert_int_not_equal(rehearse_with(e, p, DROVER__V1__MODE__UP, &hurry), DR_OK);
    (void)close(ends[0]);
    (void)close(ends[1]);
    tp_free(p);
}

static size_t
count_folders(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *d = NULL; dir != NULL && (d = readdir(dir)) != NULL;) {
        n += strncmp(d->d_name, "drover-", 7) == 0 ? 1 : 0;
    }
    (void)closedir(dir);
    return n;
}

static void
nothing_is_left_behind(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = make(e, chain, 3);
    const char *folder = e->tmp.path;
    const char *before = getenv("TMPDIR");
    assert_int_equal(setenv("TMPDIR", folder, 1), 0);
    enum dr_rc rc = rehearse(e, p, DROVER__V1__MODE__UP);
    int64_t deadline = dr_monotonic_ms() + 20000; // the watcher of a server removes its folder
    while (count_folders(folder) > 0 && dr_monotonic_ms() < deadline) {
        (void)poll(NULL, 0, 10);
    }
    (void)(before == NULL ? unsetenv("TMPDIR") : setenv("TMPDIR", before, 1));
    assert_ok(e, rc);
    assert_int_equal(count_folders(folder), 0);
    tp_free(p);
}

#define PG(name) cmocka_unit_test_setup_teardown(name, env_start_pg, env_end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(plan_that_goes_both_ways_passes_and_leaves_the_target_alone),
        BOTH(way_down_that_leaves_something_is_told_with_the_objects),
        BOTH(revision_that_fails_is_named_with_its_place),
        BOTH(revision_without_a_way_back_is_the_ground_of_what_follows),
        BOTH(way_down_is_rehearsed_down_up_and_down_again),
        BOTH(half_done_revision_is_rehearsed_from_where_it_stands),
        BOTH(tables_of_a_unit_are_told_with_lock_rows_and_rewrite),
        PG(rewrite_and_locks_of_other_tables_are_seen),
        PG(copy_has_the_roles_and_grants_of_the_target),
        PG(rehearsal_goes_to_no_other_server),
        BOTH(ledger_of_an_agent_is_carried_over),
        BOTH(cancelled_and_overdue_rehearsals_end_at_once),
        BOTH(nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
