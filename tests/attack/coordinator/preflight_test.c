// What runs without an approval of its target: preflights, the named exception of the promise, and
// rehearsals on a copy. A revision that the reviewers let through (or three people in league with
// the coordinator) tries to write, to tell, to unlock and to reach out from a preflight, and the
// coordinator to bring SQL of its own. Nothing of it may reach a server.
#include "support/evil_server.h"

static bool
server_saw(struct evil *e, const char *text)
{
    return times_seen(e, text) > 0;
}

static void
place(struct coord *c, Drover__V1__PlanRevision *revision, size_t unit, const char *text)
{
    const char *file = c->plan->files[0];
    const char *at = strstr(file, text);
    Drover__V1__Statement *statement = revision->units[unit]->statements[0];
    assert_non_null(at);
    statement->offset = (uint64_t)(at - file);
    statement->length = strlen(text);
    statement->line = 1;
    for (const char *byte = file; byte < at; byte++) {
        statement->line += *byte == '\n' ? 1 : 0;
    }
}

// The file of the plan's revision as an author would have written it, and everything that hangs on
// its bytes.
static void
write_file(struct evil *e, const char *statement)
{
    struct coord *c = &e->c;
    Drover__V1__PlanRevision *revision = c->plan->plan->revisions[0];
    uint8_t digest[32];
    char *file = dr_arena_printf(c->plan->arena,
                                 "-- drover:revision 1\n-- Users\n--\n-- Revision ID: 001_users\n"
                                 "-- Revises:\n-- Create Date: 2026-02-13 14:30:00\n"
                                 "-- Engine: postgresql\n\n-- drover:preflight \"look\"\n%s;\n\n"
                                 "-- drover:up\nCREATE TABLE users(id int);\n\n"
                                 "-- drover:down\nDROP TABLE users;\n",
                                 statement);
    assert_non_null(file);
    c->plan->files[0] = file;
    c->plan->sizes[0] = revision->file_size = strlen(file);
    place(c, revision, 0, statement);
    place(c, revision, 1, "CREATE TABLE users(id int)");
    place(c, revision, 2, "DROP TABLE users");
    dr_digest_sha256(revision->file_sha256.data, file, strlen(file));
    dr_digest_revision(revision->digest.data, revision->id, revision->file_sha256.data, NULL, 0);
    for (size_t i = 0; i < revision->n_units; i++) {
        C_OK(c, dr_digest_unit(digest, revision->digest.data, revision->units[i], file,
                               strlen(file), &c->err));
        memcpy(revision->units[i]->digest.data, digest, 32);
    }
    c->plan_bytes = c_pack(c, &c->plan->plan->base);
    dr_digest_sha256(c->plan->sha256, c->plan_bytes.data, c->plan_bytes.len);
    c->chain_version = 0;
    c_make_chain(c);
    e->trusted_chain = c->chain_wire;
}

// A revision whose preflight is `statement`; `marker` is a part of it that the server's log would
// show.
static void
try_preflight(const char *statement, const char *marker)
{
    static struct evil e;
    const struct tp_revision revisions[] = {
        {.id = "001_users",
         .sections = {TP_PREFLIGHT(statement), TP_UP("CREATE TABLE users(id int)"),
                      TP_DOWN("DROP TABLE users")}},
    };
    e_begin_with(&e, DROVER__V1__ENGINE__POSTGRESQL, cluster, 0, revisions, 1);
    struct coord *c = &e.c;
    write_file(&e, statement);
    dr_pgcluster_sql(cluster, c->url, "CREATE TABLE public.touched(id int)");
    dr_pgcluster_sql(cluster, c->url, "CREATE SEQUENCE public.counted");
    dr_pgcluster_sql(
        cluster, c->url,
        "CREATE FUNCTION public.touch_it() RETURNS bool LANGUAGE sql SECURITY DEFINER AS "
        "'INSERT INTO public.touched VALUES (1) RETURNING true'");
    c_start_agent(c, NULL);
    c_push_trust(c);
    c_push_prepare(c, E_MODE(UP));
    struct dr_attestation one;
    do {
        one = c_next(c);
    } while (one.msg->kind == KIND_OF(STATE));
    bool is_stopped =
        one.msg->kind == KIND_OF(FAILED) && strcmp(one.msg->code, "preflight-forbidden") == 0;
    bool saw = server_saw(&e, marker);
    const char *touched = dr_pgcluster_ask(cluster, c->url,
                                           "SELECT (SELECT count(*) FROM public.touched) + (SELECT "
                                           "count(*) FROM pg_largeobject_metadata) + "
                                           "(SELECT count(*) FROM public.counted WHERE is_called)");
    if (!is_stopped || saw || strcmp(touched, "0") != 0) {
        fail_msg("'%s': attestation %d %s (%s), the server %s it, %s rows", statement,
                 (int)one.msg->kind, one.msg->code, one.msg->detail, saw ? "saw" : "did not see",
                 touched);
    }
    e_answers(&e);
    e_end(&e);
}

// id: P1
static void
a_preflight_that_would_write_never_reaches_the_server(void **state)
{
    static const char *const ROWS[][2] = {
        {"SELECT lo_create(4242) > 0", "lo_create(4242)"},
        {"SELECT touch_it()", "SELECT touch_it()"},
        {"SELECT nextval('counted') > 0", "nextval('counted')"},
        {"SELECT \"lo_create\" /* */ (4243) > 0", "(4243)"},
        {"WITH w AS (INSERT INTO touched VALUES (7) RETURNING true AS t) SELECT t FROM w",
         "VALUES (7)"},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(ROWS); i++) {
        try_preflight(ROWS[i][0], ROWS[i][1]);
    }
}

// id: P1
static void
a_preflight_that_would_tell_unlock_or_reach_out_never_reaches_the_server(void **state)
{
    static const char *const ROWS[][2] = {
        {"SELECT pg_notify('tell', 'them') IS NOT NULL", "'tell'"},
        {"SELECT pg_advisory_lock(7077) IS NOT NULL", "(7077)"},
        {"SELECT pg_advisory_unlock_all() IS NOT NULL", "pg_advisory_unlock_all() IS"},
        {"SELECT pg_logical_emit_message(false, 'tell', 'wal') IS NOT NULL", "'wal'"},
        {"SELECT set_config('transaction_read_only', 'off', false) = 'off'", "'off', false"},
        {"SELECT query_to_xml('SELECT touch_it()', true, true, '') IS NOT NULL", "query_to_xml"},
        {"SELECT pg_terminate_backend(pg_backend_pid() + 77)", "+ 77"},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(ROWS); i++) {
        try_preflight(ROWS[i][0], ROWS[i][1]);
    }
}

// What honest preflights ask still gets its answer, and the READY comes.
static void
a_preflight_that_only_looks_gets_its_answer(void **state)
{
    static struct evil e;
    static const char LOOK[] = "SELECT count(*) = 0 FROM pg_class WHERE relname = lower('USERS')";
    const struct tp_revision revisions[] = {
        {.id = "001_users",
         .sections = {TP_PREFLIGHT(LOOK), TP_UP("CREATE TABLE users(id int)"),
                      TP_DOWN("DROP TABLE users")}},
    };
    (void)state;
    e_begin_with(&e, DROVER__V1__ENGINE__POSTGRESQL, cluster, 0, revisions, 1);
    write_file(&e, LOOK);
    c_start_agent(&e.c, NULL);
    (void)c_prepare(&e.c, E_MODE(UP));
    e_end(&e);
}

// id: P1
static void
a_preflight_is_asked_once_for_a_ready(void **state)
{
    static const char ASKS[] = "SELECT 424242 = 424242";
    static struct evil e;
    static const struct tp_revision revisions[] = {
        {.id = "001_users",
         .sections = {TP_PREFLIGHT(ASKS), TP_UP("CREATE TABLE users(id int)"),
                      TP_DOWN("DROP TABLE users")}},
    };
    (void)state;
    e_begin_with(&e, DROVER__V1__ENGINE__POSTGRESQL, cluster, 0, revisions, 1);
    struct coord *c = &e.c;
    char conf[PATH_MAX];
    const char *const disarm[] = {"disarm", "--config", dr_tmp_path(&c->tmp, "agent.conf", conf),
                                  NULL};
    write_file(&e, ASKS);
    c_start_agent(c, NULL);
    c_push_trust(c);
    for (unsigned i = 0; i < 3; i++) {
        c_push_prepare(c, DROVER__V1__MODE__UP);
        (void)c_expect(c, KIND_OF(READY));
    }
    assert_int_equal(times_seen(&e, ASKS), 1);
    assert_int_equal(c_command(c, disarm), 0);
    c_push_prepare(c, DROVER__V1__MODE__UP);
    (void)c_expect(c, KIND_OF(READY));
    assert_int_equal(times_seen(&e, ASKS), 2);
    e_end(&e);
}

static void
pack_plan(struct coord *c)
{
    Drover__V1__PlanRevision *revision = c->plan->plan->revisions[0];
    uint8_t digest[32];
    for (size_t i = 0; i < revision->n_units; i++) {
        C_OK(c, dr_digest_unit(digest, revision->digest.data, revision->units[i], c->plan->files[0],
                               c->plan->sizes[0], &c->err));
        memcpy(revision->units[i]->digest.data, digest, 32);
    }
    c->plan_bytes = c_pack(c, &c->plan->plan->base);
    dr_digest_sha256(c->plan->sha256, c->plan_bytes.data, c->plan_bytes.len);
}

// A plan of a revision in the chain, and an order to rehearse it; `asks`: the policy wants that.
static void
begin_rehearsal(struct evil *e, bool asks)
{
    static const char LOOK[] = "SELECT 1 = 1";
    static const struct tp_revision revisions[] = {
        {.id = "001_users",
         .sections = {TP_PREFLIGHT(LOOK), TP_UP("CREATE TABLE users(id int)"),
                      TP_DOWN("DROP TABLE users")}},
    };
    e_begin_with(e, DROVER__V1__ENGINE__POSTGRESQL, cluster, 0, revisions, 1);
    e->fleet.rehearses = asks;
    e_make_fleet(e);
    e_believe_fleet(e);
    write_file(e, LOOK);
}

static void
push_rehearsal(struct coord *c)
{
    Drover__V1__Prepare *prepare = c_new(c, &drover__v1__prepare__descriptor);
    prepare->rollout = c_text(c, "R-1");
    prepare->target = c_text(c, C_TARGET);
    prepare->plan_sha256 = c_data(c, c->plan->sha256, 32);
    prepare->mode = E_MODE(UP);
    prepare->with_rehearsal = true;
    c_push(c, E_PUSH(PREPARE), &prepare->base);
}

static struct dr_attestation
next_word(struct coord *c)
{
    struct dr_attestation one;
    do {
        one = c_next(c);
    } while (one.msg->kind == KIND_OF(STATE));
    return one;
}

// The digests of such a plan are all right: whoever makes a unit makes its digest. id: P1
static void
a_rehearsal_runs_nothing_that_is_not_in_the_chains_files(void **state)
{
    static struct evil e;
    static char stolen[] = "lo_get(pg_read_binary_file('agent.key')::text::oid) IS NULL";
    static const char HIDDEN[] = "Create Date: 2026-02-13 14:30:00";
    (void)state;
    begin_rehearsal(&e, true);
    Drover__V1__Unit *up = e.c.plan->plan->revisions[0]->units[1];
    const Drover__V1__Unit good = *up;
    const Drover__V1__Statement where = *up->statements[0];
    c_start_agent(&e.c, NULL);
    c_push_trust(&e.c);
    for (unsigned i = 0; i < 3; i++) {
        if (i == 0) {
            up->outside_transaction = true;
            up->probe = DROVER__V1__PROBE__PROBE_QUERY;
            up->probe_object = stolen;
        } else if (i == 1) {
            up->kind = DROVER__V1__UNIT_KIND__UNIT_DOWN;
        } else {
            place(&e.c, e.c.plan->plan->revisions[0], 1, HIDDEN);
        }
        pack_plan(&e.c);
        push_rehearsal(&e.c);
        struct dr_attestation one = next_word(&e.c);
        if (one.msg->kind != KIND_OF(FAILED) || strcmp(one.msg->code, "plan-mismatch") != 0) {
            fail_msg("row %u: attestation %d %s (%s)", i, (int)one.msg->kind, one.msg->code,
                     one.msg->detail);
        }
        *up = good;
        *up->statements[0] = where;
    }
    pack_plan(&e.c); // what the file says goes
    push_rehearsal(&e.c);
    struct dr_attestation one = next_word(&e.c);
    if (one.msg->kind != KIND_OF(REHEARSED) || one.msg->code[0] != '\0') {
        fail_msg("attestation %d %s (%s)", (int)one.msg->kind, one.msg->code, one.msg->detail);
    }
    assert_int_equal(next_word(&e.c).msg->kind, KIND_OF(READY));
    e_end(&e);
}

// id: P1
static void
a_rehearsal_that_only_the_coordinator_wants_is_not_made(void **state)
{
    static struct evil e;
    (void)state;
    begin_rehearsal(&e, false);
    c_start_agent(&e.c, NULL);
    c_push_trust(&e.c);
    push_rehearsal(&e.c);
    assert_int_equal(next_word(&e.c).msg->kind, KIND_OF(READY));
    e_end(&e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_preflight_is_asked_once_for_a_ready),
        cmocka_unit_test(a_preflight_that_would_write_never_reaches_the_server),
        cmocka_unit_test(a_preflight_that_would_tell_unlock_or_reach_out_never_reaches_the_server),
        cmocka_unit_test(a_preflight_that_only_looks_gets_its_answer),
        cmocka_unit_test(a_rehearsal_runs_nothing_that_is_not_in_the_chains_files),
        cmocka_unit_test(a_rehearsal_that_only_the_coordinator_wants_is_not_made),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
