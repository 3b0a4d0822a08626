// What the real agent signs after a run that failed, and what the next READY makes of it.
#include "db/pg.h"
#include "support/agent_world.h"

#define HOLD          DROVER__V1__ON_FAILURE__HOLD
#define MODE_OF(name) DROVER__V1__MODE__##name

// Two units, and the second fails: in a transaction, outside of one, and with a way back that
// fails.
static const struct tp_revision HALF[] = {
    {.id = "001_half",
     .sections = {TP_UP("CREATE TABLE half(id INTEGER PRIMARY KEY)"),
                  TP_UP("INSERT INTO nowhere VALUES(1)"), TP_DOWN("DROP TABLE half"),
                  TP_DOWN("SELECT 1")}},
};
static const struct tp_revision OUTSIDE[] = {
    {.id = "001_outside",
     .sections = {TP_UP("CREATE TABLE half(id INTEGER PRIMARY KEY)"),
                  {.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                   .is_outside = true,
                   .probe = DROVER__V1__PROBE__PROBE_INDEX_CREATED,
                   .object = "half_i",
                   .statements = {"CREATE INDEX CONCURRENTLY half_i ON public.half(nothing)"}},
                  TP_DOWN("SELECT 1"),
                  TP_DOWN("DROP TABLE half")}},
};
static const struct tp_revision NO_WAY_BACK[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"), TP_DOWN("DROP TABLE no")}},
    {.id = "002_broken",
     .parents = {"001_users"},
     .sections = {TP_UP("INSERT INTO nowhere VALUES(1)"), TP_DOWN("DROP TABLE orders")}},
};

// Closes the ledger behind itself, so that the look after the failure is refused.
static const struct tp_revision TRAP[] = {
    {.id = "001_trap",
     .sections = {TP_UP("CREATE TABLE half(id INTEGER PRIMARY KEY)"),
                  TP_UP("DO 'BEGIN EXECUTE ''ALTER TABLE dro'' || ''ver.ledger ENABLE ROW LEVEL "
                        "SECURITY''; END'"),
                  TP_UP("INSERT INTO nowhere VALUES(1)"), TP_DOWN("DROP TABLE half"),
                  TP_DOWN("SELECT 1"), TP_DOWN("SELECT 2")}},
};

// Fails, and gives the flags of the next READY.
static uint32_t
flags_after_failure(Drover__V1__Engine engine, const struct tp_revision *revisions, size_t n,
                    Drover__V1__OnFailure on_failure)
{
    static struct coord world;
    struct coord *c = &world;
    world = (struct coord){0};
    c_begin(c, engine, revisions, n);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(c, &ready,
                  &(struct c_approve){.mode = MODE_OF(UP),
                                      .on_failure = on_failure,
                                      .people = 2,
                                      .acknowledged = ready.msg->flags});
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    assert_int_equal(failed.msg->flags, DROVER__V1__READY_FLAG__FLAG_PARTIAL);
    c_push_prepare(c, MODE_OF(UP));
    if (revisions == TRAP) {
        struct dr_attestation trapped = c_expect(c, KIND_OF(FAILED)); // id: S08
        assert_string_equal(trapped.msg->code, "ledger-tampered");
        assert_non_null(strstr(trapped.msg->detail, "row security on drover.ledger"));
        (void)dr_pgcluster_ask(dr_pgcluster_shared(), c->url,
                               "ALTER TABLE drover.ledger DISABLE ROW LEVEL SECURITY");
        c_push_prepare(c, MODE_OF(UP));
    }
    uint32_t flags = c_expect(c, KIND_OF(READY)).msg->flags;
    c_end(c);
    return flags & ~(uint32_t)DROVER__V1__READY_FLAG__FLAG_NO_BACKUP;
}

// id: P2
static void
what_a_failed_run_left_is_the_agents_own(void **state)
{
    const uint32_t partial = DROVER__V1__READY_FLAG__FLAG_PARTIAL;
    (void)state;
    assert_int_equal(flags_after_failure(DROVER__V1__ENGINE__SQLITE, HALF, 1, HOLD), partial);
    assert_int_equal(flags_after_failure(DROVER__V1__ENGINE__POSTGRESQL, HALF, 1, HOLD), partial);
    assert_int_equal(flags_after_failure(DROVER__V1__ENGINE__POSTGRESQL, OUTSIDE, 1, HOLD),
                     partial);
    assert_int_equal(flags_after_failure(DROVER__V1__ENGINE__POSTGRESQL, TRAP, 1, HOLD), partial);
    assert_int_equal(flags_after_failure(DROVER__V1__ENGINE__POSTGRESQL, NO_WAY_BACK, 2,
                                         DROVER__V1__ON_FAILURE__REVERSE),
                     0);
}

// An application's transaction, open on the target's database.
static struct dr_pg *
hold(struct coord *c, const char *lock)
{
    const struct dr_pg_options options = {.url = c->url, .target = "test"};
    struct dr_db_wait wait = dr_db_wait_ms(C_PATIENCE_MS);
    struct dr_pg *pg = NULL;
    C_OK(c, dr_pg_connect(&options, &wait, &pg, &c->err));
    C_OK(c, dr_pg_run(pg, "BEGIN", &wait, &c->err));
    C_OK(c, dr_pg_run(pg, lock, &wait, &c->err));
    return pg;
}

// id: P4
static void
at_most_two_reports_a_second_tell_of_a_unit_that_waits(void **state)
{
    static const struct tp_revision waits[] = {
        {.id = "001_waits",
         .sections = {{.kind = DROVER__V1__UNIT_KIND__UNIT_UP,
                       .lock_timeout_ms = 120000,
                       .statements = {"ALTER TABLE public.busy ADD COLUMN x INTEGER"}},
                      TP_DOWN("ALTER TABLE public.busy DROP COLUMN x")}},
    };
    static struct coord world;
    struct coord *c = &world;
    (void)state;
    world = (struct coord){0};
    c_begin(c, DROVER__V1__ENGINE__POSTGRESQL, waits, 1);
    (void)dr_pgcluster_ask(dr_pgcluster_shared(), c->url, "CREATE TABLE public.busy (id integer)");
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    struct dr_pg *holder = hold(c, "LOCK TABLE public.busy");
    int64_t start = dr_monotonic_ms();
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    C_UNTIL(c, c->progress >= 7);
    assert_true(dr_monotonic_ms() - start >= 3000); // six pauses of half a second
    dr_pg_close(&holder);
    (void)c_expect(c, KIND_OF(APPLIED));
    c_end(c);
}

// Puts another file where the target's was.
static void
replace_file(struct coord *c, const char *sql)
{
    char other[PATH_MAX];
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.create = true};
    C_OK(c, dr_sqlite_open(dr_tmp_path(&c->tmp, "other.db", other), &options, &db, &c->err));
    C_OK(c, dr_sqlite_script(db, sql, &c->err));
    dr_sqlite_close(&db);
    assert_int_equal(rename(other, c->url + strlen("sqlite:")), 0);
}

// READY was said over one file, and the approval meets another.
// id: S18
static void
a_file_that_was_replaced_after_ready_is_refused(void **state)
{
    static const char *const others[] = {"CREATE TABLE something(id INTEGER)",
                                         "CREATE TABLE before(id INTEGER)"};
    static struct coord world;
    struct coord *c = &world;
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(others); i++) {
        world = (struct coord){0};
        c_begin(c, DROVER__V1__ENGINE__SQLITE, HALF, 1);
        c_start_agent(c, NULL);
        struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
        if (i > 0) { // the other one looks as this one did, but has no ledger
            c_push_bundle(c, &ready,
                          &(struct c_approve){
                              .mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
            (void)c_expect(c, KIND_OF(FAILED));
            c_push_prepare(c, MODE_OF(UP));
            ready = c_expect(c, KIND_OF(READY));
        }
        replace_file(c, others[i]);
        c_push_bundle(c, &ready,
                      &(struct c_approve){
                          .mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
        struct dr_attestation refused = c_expect(c, KIND_OF(REFUSED));
        assert_string_equal(refused.msg->code, "state-changed");
        assert_non_null(strstr(dr_rc_hint(DR_E_STATE_CHANGED), "READY"));
        assert_false(c_has_table(c, "half"));
        assert_false(c_has_table(c, "drover_ledger"));
        c_end(c);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_failed_run_left_is_the_agents_own),
        cmocka_unit_test(a_file_that_was_replaced_after_ready_is_refused),
        cmocka_unit_test(at_most_two_reports_a_second_tell_of_a_unit_that_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
