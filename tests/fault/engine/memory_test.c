// The N-th allocation of an upgrade fails: it ends with success or with a plain error; nothing is
// half written, nothing is called tampered with, and the next run goes on.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/alloc_faults.h"
#include "support/engine_env.h"

#define RUNS_OF_A_DATABASE 25 // a ledger is read whole: it is kept short

static const struct tp_revision two[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE lines (unit text)", "INSERT INTO lines VALUES ('1')"),
                  TP_DOWN("DROP TABLE lines")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("INSERT INTO lines VALUES ('2')"),
                  TP_VERIFY("SELECT count(*) = 2 FROM lines"),
                  TP_DOWN("DELETE FROM lines WHERE unit = '2'")}},
};

static int
assert_true_state(struct env *e, uint64_t at)
{
    struct dr_engine_state s = env_state(e);
    int count = s.heads_count == 0 ? 0 : strcmp(s.heads[0].id, "one") == 0 ? 1 : 2;
    if (s.is_partial || s.heads_count > 1 || env_has_table(e, "lines") != (count > 0)) {
        fail_msg("allocation %llu: half of something is there", (unsigned long long)at);
    }
    if (count > 0 && strtol(env_ask(e, "SELECT count(*) FROM lines"), NULL, 10) != count) {
        fail_msg("allocation %llu: %s lines at head '%s'", (unsigned long long)at, e->answer,
                 s.heads[0].id);
    }
    return count;
}

// One upgrade with that allocation failing; then a good one and the way back. True when there was
// such an allocation.
static bool
try_upgrade(struct env *e, struct tp_plan *p, uint64_t at, bool once)
{
    alloc_fault_set(at, once);
    enum dr_rc rc = env_up(e, p);
    bool was_hit = alloc_fault_end();
    if (rc != DR_OK && (e->err.message[0] == '\0' || rc == DR_E_LEDGER_TAMPERED)) {
        fail_msg("allocation %llu: %s: '%s'", (unsigned long long)at, dr_rc_name(rc),
                 e->err.message);
    }
    int count = assert_true_state(e, at);
    if (rc == DR_OK) {
        assert_int_equal(count, 2);
    }
    assert_ok(e, env_up(e, p));
    assert_int_equal(assert_true_state(e, at), 2);
    assert_ok(e, env_down(e, p));
    return was_hit;
}

static void
try_all(Drover__V1__Engine engine, uint64_t dense, uint64_t stride)
{
    struct env e;
    struct tp_plan *p = tp_make(engine, two, 2);
    unsigned runs = 0;
    uint64_t at = 1;
    bool was_hit = true;
    env_start(&e, engine);
    while (was_hit) {
        was_hit = try_upgrade(&e, p, at, true);
        if (was_hit) {
            (void)try_upgrade(&e, p, at, false);
            at = alloc_fault_next(at, dense, stride);
        }
        if (++runs % RUNS_OF_A_DATABASE == 0) {
            env_stop(&e);
            env_start(&e, engine);
        }
    }
    print_message("%u of about %llu allocations\n", runs, (unsigned long long)at);
    assert_in_range(runs, 50, 5000);
    env_stop(&e);
    tp_free(p);
}

// id: C16
static void
sqlite_upgrade_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    try_all(DROVER__V1__ENGINE__SQLITE, 400, 5);
}

// id: C16
static void
postgresql_upgrade_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    try_all(DROVER__V1__ENGINE__POSTGRESQL, 50, 8);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlite_upgrade_survives_the_failure_of_any_allocation),
        cmocka_unit_test(postgresql_upgrade_survives_the_failure_of_any_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
