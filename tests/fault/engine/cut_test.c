// The connection is cut after every byte of the COMMIT exchange, in both directions: the run goes
// on by itself, and the unit is there exactly once.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/engine_env.h"
#include "support/pgproxy.h"

#define BYTES_MAX 100u // a COMMIT has fewer, in either direction

static const struct tp_revision pipelined[] = {
    {.id = "one",
     .sections = {TP_UP("INSERT INTO lines VALUES ('1')", "CREATE TABLE a (id integer)"),
                  TP_DOWN("DROP TABLE a", "DELETE FROM lines")}}};

// Its COMMIT is an exchange of its own, since a person's condition is looked at before.
static const struct tp_revision alone[] = {
    {.id = "one",
     .sections = {TP_UP("INSERT INTO lines VALUES ('1')", "CREATE TABLE a (id integer)"),
                  TP_VERIFY("SELECT count(*) = 1 FROM lines"),
                  TP_DOWN("DROP TABLE a", "DELETE FROM lines")}}};

static void
assert_clean(struct env *e, size_t byte, size_t ups, const uint8_t fingerprint[32])
{
    struct dr_engine_state s = env_state(e);
    if (s.is_partial || s.heads_count != 1 || memcmp(s.fingerprint, fingerprint, 32) != 0) {
        fail_msg("byte %zu: another state", byte);
    }
    if (strcmp(env_ask(e, "SELECT count(*) FROM lines"), "1") != 0) {
        fail_msg("byte %zu: the unit is there %s times", byte, e->answer);
    }
    assert_int_equal(env_done_rows(e, "one", 1), ups);
    assert_string_equal(
        env_ask(e, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                   " (SELECT oid FROM pg_database WHERE datname = current_database())"),
        "0");
}

// Reads end with a COMMIT too, so the cut is armed when the unit begins; once in a run.
struct arming {
    struct dr_pgproxy *proxy;
    enum dr_pgproxy_cut where;
    size_t byte;
    bool is_armed;
};

static void
arm(void *arg, const struct dr_engine_progress *p)
{
    struct arming *a = arg;
    if (!a->is_armed && !p->done) {
        a->is_armed = true;
        dr_pgproxy_cut(a->proxy, a->where, a->byte);
    }
}

// Cuts after 0, 1, 2, ... bytes until the exchange is over before, or what follows the COMMIT is
// far behind: the question what it left in the session, which decides nothing.
static void
sweep(struct env *e, const struct tp_revision *revisions, enum dr_pgproxy_cut where)
{
    struct dr_pgcluster *cluster = dr_pgcluster_shared();
    struct dr_pgproxy *proxy =
        dr_pgproxy_start(e->tmp.path, dr_pgcluster_socket(cluster), dr_pgcluster_port(cluster));
    struct tp_plan *p = make(e, revisions, 1);
    char straight[sizeof e->url], database[64];
    uint8_t fingerprint[32];
    e->options.lock_wait_ms = 30000; // the server may be slow to notice that a connection was cut
    memcpy(straight, e->url, sizeof straight);
    (void)snprintf(database, sizeof database, "%s", env_ask(e, "SELECT current_database()"));
    env_sql(e, "CREATE TABLE lines (unit text)");
    assert_ok(e, env_up(e, p));
    memcpy(fingerprint, env_state(e).fingerprint, 32);
    size_t byte = 0;
    for (bool was_cut = true; was_cut && byte < BYTES_MAX; byte++) {
        memcpy(e->url, straight, sizeof e->url);
        assert_ok(e, env_down(e, p));
        (void)snprintf(e->url, sizeof e->url, "postgresql:///%s?host=%.200s&port=%d&user=postgres",
                       database, e->tmp.path, dr_pgcluster_port(cluster));
        struct arming arming = {.proxy = proxy, .where = where, .byte = byte};
        e->options.progress = arm;
        e->options.progress_arg = &arming;
        assert_ok(e, env_up(e, p));
        e->options.progress = NULL;
        was_cut = dr_pgproxy_has_cut(proxy);
        dr_pgproxy_cut(proxy, DR_PGPROXY_NEVER, 0);
        memcpy(e->url, straight, sizeof e->url);
        assert_clean(e, byte, byte + 2, fingerprint);
        dr_arena_free(&e->arena);
        e->arena = dr_arena_new(64u * 1024 * 1024);
    }
    print_message("cut after each of %zu bytes\n", byte - 1);
    assert_in_range(byte, 15, BYTES_MAX);
    dr_pgproxy_stop(&proxy);
    tp_free(p);
}

// id: C04
static void
cut_in_the_request_of_a_pipelined_commit(void **state)
{
    sweep(*state, pipelined, DR_PGPROXY_REQUEST);
}

// id: C04
static void
cut_in_the_answer_to_a_pipelined_commit(void **state)
{
    sweep(*state, pipelined, DR_PGPROXY_ANSWER);
}

// id: C04
static void
cut_in_the_request_of_a_commit_alone(void **state)
{
    sweep(*state, alone, DR_PGPROXY_REQUEST);
}

// id: C04
static void
cut_in_the_answer_to_a_commit_alone(void **state)
{
    sweep(*state, alone, DR_PGPROXY_ANSWER);
}

#define ON_PG(name)                                                                                \
    {                                                                                              \
#name, name, env_start_pg, env_end, NULL                                                   \
    }

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PG(cut_in_the_request_of_a_pipelined_commit),
        ON_PG(cut_in_the_answer_to_a_pipelined_commit),
        ON_PG(cut_in_the_request_of_a_commit_alone),
        ON_PG(cut_in_the_answer_to_a_commit_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
