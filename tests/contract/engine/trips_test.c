// What a run costs that no clock shows: round trips, flushes of the server's disk, and what happens
// when the shortcuts behind these figures are taken away.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/loss.h"
#include "support/engine_env.h"
#include "support/pgproxy.h"

#define CHAIN       60u
#define TRIPS_EXTRA 15u // of a run, above one for each unit

static char names[CHAIN + 1][16], up[CHAIN + 1][64], down[CHAIN + 1][64];

static struct tp_plan *
long_chain(struct env *e)
{
    static struct tp_revision revisions[CHAIN];
    for (size_t i = 0; i < CHAIN; i++) {
        (void)snprintf(names[i], sizeof names[i], "r%03zu", i);
        (void)snprintf(up[i], sizeof up[i], "CREATE TABLE t%zu (id integer PRIMARY KEY)", i);
        (void)snprintf(down[i], sizeof down[i], "DROP TABLE t%zu", i);
        revisions[i] = (struct tp_revision){.id = names[i],
                                            .parents = {i == 0 ? NULL : names[i - 1]},
                                            .sections = {TP_UP(up[i]), TP_DOWN(down[i])}};
    }
    return tp_make(e->engine, revisions, CHAIN);
}

// As a command does it: connect while files are read, look, count what goes, run.
static void
run_as_command(struct env *e, struct tp_plan *p, Drover__V1__Mode mode)
{
    struct dr_engine *engine = NULL;
    struct dr_engine_state state;
    struct dr_loss *losses = NULL;
    size_t losses_count = 0;
    struct dr_engine_job job = tp_job(p, mode);
    e->options.url = e->url;
    e->options.is_lazy = true;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_ok(e, dr_engine_read_heads(engine, e->arena, &state, &e->err));
    job.has_work = true;
    job.seen_position = state.position;
    assert_ok(e, dr_engine_losses(engine, &job, e->arena, &losses, &losses_count, &e->err));
    assert_ok(e, dr_engine_run(engine, &job, e->arena, &e->result, &e->err));
    assert_int_equal(e->result.units_count, CHAIN);
    dr_engine_close(&engine);
}

static void
unit_costs_one_round_trip_and_a_run_few_more(void **state)
{
    struct env *e = *state;
    struct dr_pgcluster *cluster = dr_pgcluster_shared();
    struct dr_pgproxy *proxy =
        dr_pgproxy_start(e->tmp.path, dr_pgcluster_socket(cluster), dr_pgcluster_port(cluster));
    struct tp_plan *p = long_chain(e);
    const char *database = e->url + strlen("postgresql:///");
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(database, "?"), database);
    (void)snprintf(e->url, sizeof e->url, "postgresql:///%s?host=%.300s&port=%d&user=postgres",
                   name, e->tmp.path, dr_pgcluster_port(cluster));
    run_as_command(e, p, DROVER__V1__MODE__UP);
    size_t trips = dr_pgproxy_trips(proxy);
    assert_in_range(trips, CHAIN, CHAIN + TRIPS_EXTRA);
    run_as_command(e, p, DROVER__V1__MODE__DOWN);
    assert_in_range(dr_pgproxy_trips(proxy) - trips, CHAIN, CHAIN + TRIPS_EXTRA);
    trips = dr_pgproxy_trips(proxy);

    struct dr_engine *engine = NULL;
    struct dr_engine_state seen;
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_ok(e, dr_engine_read_heads(engine, e->arena, &seen, &e->err));
    assert_int_equal(seen.heads_count, 0);
    assert_int_equal(seen.position, 2 * CHAIN);
    dr_engine_close(&engine);
    assert_int_equal(dr_pgproxy_trips(proxy) - trips, 2); // start and question
    dr_pgproxy_stop(&proxy);
    tp_free(p);
}

// Where a flush is dear, a chain may not pay one for each unit.
static void
chain_is_flushed_at_its_end_only(void **state)
{
    struct env *e = *state;
    static const char *const settings[] = {"fsync=on", "wal_writer_delay=10s", "autovacuum=off",
                                           "shared_buffers=64MB", NULL};
    struct dr_pgcluster_options o = {.settings = settings};
    struct dr_pgcluster *cluster = dr_pgcluster_start(&o);
    struct tp_plan *p = long_chain(e);
    (void)snprintf(e->url, sizeof e->url, "%s", dr_pgcluster_new_database(cluster));
    const char *const ask = "SELECT wal_sync FROM pg_stat_wal";
    unsigned long before = strtoul(dr_pgcluster_ask(cluster, e->url, ask), NULL, 10);
    run_as_command(e, p, DROVER__V1__MODE__UP);
    unsigned long after = strtoul(dr_pgcluster_ask(cluster, e->url, ask), NULL, 10);
    assert_in_range(after - before, 1, CHAIN / 3);
    dr_pgcluster_stop(&cluster);
    tp_free(p);
}

// Prepared statements of ours are gone: the unit that finds out runs again, once.
static void
trigger_that_deallocates_does_not_stop_a_run(void **state)
{
    struct env *e = *state;
    static const struct tp_revision revisions[] = {
        {.id = "one",
         .sections = {TP_UP(
             "CREATE TABLE t (id integer)",
             "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE "
             "'DEALLOCATE ALL'; RETURN NEW; END $$",
             "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()")}},
        {.id = "two", .parents = {"one"}, .sections = {TP_UP("INSERT INTO t VALUES (1)")}},
        {.id = "three", .parents = {"two"}, .sections = {TP_UP("INSERT INTO t VALUES (2)")}},
        {.id = "four", .parents = {"three"}, .sections = {TP_UP("CREATE TABLE u (id integer)")}},
    };
    struct tp_plan *p = tp_make(e->engine, revisions, 4);
    assert_ok(e, env_up(e, p));
    assert_string_equal(env_ask(e, "SELECT string_agg(id::text, ',' ORDER BY id) FROM t"), "1,2");
    struct dr_engine_state s = env_state(e);
    assert_int_equal(s.position, 4);
    assert_string_equal(s.heads[0].id, "four");
    tp_free(p);
}

// Adds remedies, which change nothing but the ledger, so that it fills more than a page.
static void
lengthen_ledger(struct env *e, uint64_t to)
{
    struct dr_engine_state s = env_state(e);
    struct dr_ledger_row row = {.tenant = "",
                                .position = s.position,
                                .kind = DR_LEDGER_DONE,
                                .direction = DR_LEDGER_REMEDY,
                                .revision_id = "r000",
                                .completes = true};
    struct dr_buf sql = {0};
    memcpy(row.head, s.ledger_head, 32);
    dr_buf_str(&sql, "INSERT INTO drover.ledger (tenant, position, kind, direction, completes, "
                     "revision_id, revision_digest, parents, unit_number, unit_digest, "
                     "plan_sha256, approval_sha256, previous, head) VALUES ");
    while (row.position < to) {
        char zero[65], previous[65], head[65];
        memcpy(row.previous, row.head, 32);
        row.position++;
        dr_ledger_seal(&row);
        dr_hex(zero, row.approval_sha256, 32);
        dr_hex(previous, row.previous, 32);
        dr_hex(head, row.head, 32);
        dr_buf_printf(&sql,
                      "%s('', %llu, 1, 3, true, 'r000', '\\x%s', '', 0, '\\x%s', '\\x%s', "
                      "'\\x%s', '\\x%s', '\\x%s')",
                      row.position == s.position + 1 ? "" : ",", (unsigned long long)row.position,
                      zero, zero, zero, zero, previous, head);
    }
    env_sql(e, sql.data);
    dr_buf_fini(&sql);
}

static void
ledger_of_several_pages_is_read_whole(void **state)
{
    struct env *e = *state;
    struct tp_plan *p = long_chain(e);
    assert_ok(e, env_up(e, p));
    lengthen_ledger(e, 20001);
    struct dr_engine_state s = env_state(e);
    assert_int_equal(s.position, 20001);
    env_sql(e, "UPDATE drover.ledger SET plan_sha256 = head WHERE position = 15000");
    struct dr_engine *engine = NULL;
    e->err = (struct dr_err){0};
    assert_ok(e, dr_engine_open(&e->options, &engine, &e->err));
    assert_int_equal(dr_engine_read_state(engine, e->arena, false, true, &s, &e->err),
                     DR_E_LEDGER_TAMPERED);
    assert_non_null(strstr(e->err.message, "row 15000 does not match its own hash"));
    dr_engine_close(&engine);
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unit_costs_one_round_trip_and_a_run_few_more, env_start_pg,
                                        env_end),
        cmocka_unit_test_setup_teardown(chain_is_flushed_at_its_end_only, env_start_pg, env_end),
        cmocka_unit_test_setup_teardown(trigger_that_deallocates_does_not_stop_a_run, env_start_pg,
                                        env_end),
        cmocka_unit_test_setup_teardown(ledger_of_several_pages_is_read_whole, env_start_pg,
                                        env_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
