// The real drover-agent with a coordinator of this test's own, on real databases: prepare, approve,
// apply, reverse, tell.
#include "support/agent_world.h"
#include "trust/keywords.h"

#define SQLITE        DROVER__V1__ENGINE__SQLITE
#define MODE_OF(name) DROVER__V1__MODE__##name

static const struct tp_revision TWO[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_orders",
     .parents = {"001_users"},
     .sections = {TP_UP("CREATE TABLE orders(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE orders")}},
};

static const struct tp_revision BROKEN[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_broken",
     .parents = {"001_users"},
     .sections = {TP_UP("INSERT INTO nowhere VALUES(1)"), TP_DOWN("DROP TABLE orders")}},
};

static struct coord *
begin(Drover__V1__Engine engine, const struct tp_revision *revisions, size_t n)
{
    static struct coord c;
    c = (struct coord){0};
    c_begin(&c, engine, revisions, n);
    return &c;
}

static Drover__V1__Engine
engine_of(void **state)
{
    return *(const Drover__V1__Engine *)*state;
}

// ------------------------------------------------------------------------------------- apply

// id: P1, P6
static void
agent_applies_what_enough_people_approved(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c->with_backup_gate = true;
    c_make_fleet(c);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    assert_int_equal(ready.msg->flags, 0);
    assert_int_equal(ready.msg->n_heads, 0);
    assert_non_null(ready.msg->backup);
    c_push_bundle(c, &ready, &(struct c_approve){.mode = MODE_OF(UP), .people = 2});
    struct dr_attestation applied = c_expect(c, KIND_OF(APPLIED));
    assert_int_equal(applied.msg->n_units, 2);
    assert_int_equal(applied.msg->n_heads, 1);
    assert_string_equal(applied.msg->heads[0]->id, "002_orders");
    assert_true(dr_data_is(applied.msg->plan_sha256, c->plan->sha256));
    assert_true(dr_data_eq(applied.msg->fingerprint_before, ready.msg->fingerprint));
    struct dr_attestation now = c_expect(c, KIND_OF(STATE));
    assert_true(dr_data_eq(now.msg->ledger_head, applied.msg->ledger_head));
    assert_true(c_has_table(c, "users") && c_has_table(c, "orders"));
    C_UNTIL(c, c->push[c->n_push - 1].is_acked);
    c_end(c);
}

static void
agent_goes_down_again_when_that_is_approved(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    uint32_t flags = ready.msg->flags;
    assert_int_equal(flags, DROVER__V1__READY_FLAG__FLAG_NO_BACKUP);
    c_push_bundle(c, &ready,
                  &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = flags});
    (void)c_expect(c, KIND_OF(APPLIED));
    c_push_prepare(c, MODE_OF(DOWN));
    struct dr_attestation again = c_expect(c, KIND_OF(READY));
    assert_int_equal(again.msg->n_heads, 1);
    c_push_bundle(c, &again,
                  &(struct c_approve){.mode = MODE_OF(DOWN), .people = 2, .acknowledged = flags});
    struct dr_attestation reverted = c_expect(c, KIND_OF(REVERTED));
    assert_int_equal(reverted.msg->n_heads, 0);
    assert_int_equal(reverted.msg->n_units, 2);
    assert_true(dr_data_eq(reverted.msg->fingerprint, ready.msg->fingerprint));
    assert_false(c_has_table(c, "users"));
    c_end(c);
}

static void
agent_proves_the_way_back_in_three_words(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c->prove = true;
    c_make_fleet(c);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(PROVE));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(PROVE), .people = 2, .acknowledged = ready.msg->flags});
    struct dr_attestation up = c_expect(c, KIND_OF(APPLIED));
    struct dr_attestation down = c_expect(c, KIND_OF(REVERTED));
    struct dr_attestation again = c_expect(c, KIND_OF(APPLIED));
    assert_true(dr_data_eq(up.msg->fingerprint_before, down.msg->fingerprint));
    assert_true(dr_data_eq(up.msg->fingerprint, again.msg->fingerprint));
    assert_int_equal(up.msg->n_units, 2);
    assert_int_equal(down.msg->n_units, 2);
    assert_int_equal(down.msg->n_heads, 0);
    assert_int_equal(again.msg->n_units, 2);
    c_end(c);
}

static void
agent_says_what_failed_and_what_stays(void **state)
{
    struct coord *c = begin(engine_of(state), BROKEN, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    struct dr_attestation failed = c_expect(c, KIND_OF(FAILED));
    assert_string_equal(failed.msg->heads[0]->id, "001_users");
    assert_int_equal(failed.msg->flags, DROVER__V1__READY_FLAG__FLAG_PARTIAL);
    assert_true(strlen(failed.msg->detail) > 0);
    assert_true(c_has_table(c, "users"));
    c_end(c);
}

static void
agent_reverses_what_it_did_when_that_was_approved(void **state)
{
    struct coord *c = begin(engine_of(state), BROKEN, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(c, &ready,
                  &(struct c_approve){.mode = MODE_OF(UP),
                                      .on_failure = DROVER__V1__ON_FAILURE__REVERSE,
                                      .people = 2,
                                      .acknowledged = ready.msg->flags});
    (void)c_expect(c, KIND_OF(FAILED));
    struct dr_attestation reverted = c_expect(c, KIND_OF(REVERTED));
    assert_int_equal(reverted.msg->n_heads, 0);
    assert_int_equal(reverted.msg->n_units, 1);
    assert_false(c_has_table(c, "users"));
    c_end(c);
}

static void
agent_tells_its_state_when_it_starts_and_when_it_is_asked(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation first = c_next(c);
    assert_int_equal(first.msg->kind, KIND_OF(STATE));
    assert_int_equal(first.msg->counter, 1);
    c_push_order(c, "state");
    struct dr_attestation second = c_next(c);
    assert_int_equal(second.msg->kind, KIND_OF(STATE));
    assert_int_equal(dr_attest_follows(&first, &second, NULL), DR_OK);
    c_end(c);
}

// ---------------------------------------------------------------------------------- commands

static void
check_finds_what_is_wrong_and_names_the_remedy(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    char conf[PATH_MAX];
    char key[PATH_MAX];
    const char *const args[] = {"check", "--config", dr_tmp_path(&c->tmp, "agent.conf", conf),
                                NULL};
    dr_rpc_server_close(&c->server); // nobody serves it while the command runs
    (void)chmod(dr_tmp_path(&c->tmp, "agent.key", key), 0644);
    assert_int_equal(c_command(c, args), 1);
    const char *text = c_output(c);
    assert_non_null(strstr(text, "FAIL  key"));
    assert_non_null(strstr(text, "chmod"));
    assert_non_null(strstr(text, "FAIL  coordinator"));
    assert_non_null(strstr(text, "ok    root"));
    assert_non_null(strstr(text, "ok    " C_TARGET));
    c_end(c);
}

static void
check_speaks_json(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    char conf[PATH_MAX];
    (void)state;
    dr_rpc_server_close(&c->server);
    const char *const args[] = {"check",    "--config", dr_tmp_path(&c->tmp, "agent.conf", conf),
                                "--output", "json",     NULL};
    assert_int_equal(c_command(c, args), 1);
    assert_int_equal(c_output(c)[0], '[');
    assert_non_null(strstr(c_output(c), "\"level\": \"FAIL\""));
    c_end(c);
}

// What check prints behind ",system=".
static const char *
system_that_check_prints(struct coord *c)
{
    char conf[PATH_MAX];
    const char *const args[] = {"check", "--config", dr_tmp_path(&c->tmp, "agent.conf", conf),
                                NULL};
    (void)c_command(c, args);
    const char *at = strstr(c_output(c), ",system=");
    if (at == NULL) {
        return NULL;
    }
    at += strlen(",system=");
    return dr_arena_strn(c->arena, at, strcspn(at, "\n"));
}

// SQLite has an id once a run was there, PostgreSQL always.
static void
the_system_that_check_prints_can_be_pinned_and_no_other(void **state)
{
    struct coord *c = begin(engine_of(state), TWO, 2);
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    (void)c_expect(c, KIND_OF(APPLIED));
    (void)c_stop_agent(c, SIGTERM);
    c->system = system_that_check_prints(c);
    assert_non_null(c->system);
    c_make_fleet(c);
    c_start_agent(c, NULL);
    (void)c_prepare(c, MODE_OF(DOWN));
    c->system = "1234567890";
    c_make_fleet(c);
    c_push_trust(c);
    c_push_prepare(c, MODE_OF(DOWN));
    struct dr_attestation refused = c_expect(c, KIND_OF(REFUSED));
    assert_string_equal(refused.msg->code, "database-identity");
    c_end(c);
}

static void
an_agent_that_nobody_knows_announces_itself_and_says_what_to_do(void **state)
{
    static const struct {
        const char *answer, *text;
    } ROWS[] = {{"offered", "compare the key with what drover agent list shows"},
                {"other-key", "drover agent rekey"},
                {"retired", "the fleet retired this agent"}};
    struct coord *c = begin(SQLITE, TWO, 2);
    (void)state;
    c->knows_nobody = true;
    for (size_t i = 0; i < DR_COUNT_OF(ROWS); i++) {
        c->answer = ROWS[i].answer;
        c_start_agent(c, NULL);
        C_UNTIL(c, c_log_has(c, ROWS[i].text));
        (void)c_stop_agent(c, SIGTERM);
    }
    assert_int_equal(c->offers, 3); // not with every try
    assert_string_equal(c->offered, C_AGENT " production " C_TARGET);
    c_end(c);
}

static int
move_file(struct coord *c, const char *from, const char *to)
{
    char source[PATH_MAX];
    char target[PATH_MAX];
    return rename(dr_tmp_path(&c->tmp, from, source), dr_tmp_path(&c->tmp, to, target));
}

// The fleet and the coordinator know the pair of that file from now on.
static void
name_key_in_fleet(struct coord *c, const char *file)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    C_OK(c, dr_file_read(dr_tmp_path(&c->tmp, file, path), 4096, &text, &len, &c->err));
    C_OK(c, dr_public_parse(text, &c->agent_key, &c->err));
    free(text);
    c_make_fleet(c);
    dr_rpc_server_recheck(c->server);
}

// Makes another pair, has the fleet name it, and goes on: no restart, and the ledger stays its own.
static void
keys_are_replaced_without_a_restart(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    char conf[PATH_MAX];
    (void)state;
    const char *const next[] = {"key", "next", "--config", dr_tmp_path(&c->tmp, "agent.conf", conf),
                                NULL};
    c_start_agent(c, NULL);
    struct dr_attestation ready = c_prepare(c, MODE_OF(UP));
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(UP), .people = 2, .acknowledged = ready.msg->flags});
    (void)c_expect(c, KIND_OF(APPLIED));
    (void)c_expect(c, KIND_OF(STATE));
    assert_int_equal(c_command(c, next), 0);
    assert_non_null(strstr(c_output(c), "in words: "));
    assert_int_equal(c_command(c, next), 1); // not twice
    (void)kill(c->agent, SIGHUP);
    C_UNTIL(c, c_log_has(c, "read again"));
    c_push_order(c, "state");
    (void)c_expect(c, KIND_OF(STATE)); // by the old key, which still counts
    name_key_in_fleet(c, "agent.key.next.pub");
    c_push_trust(c);
    (void)c_expect(c, KIND_OF(STATE)); // verifies under the new key only
    c_push_prepare(c, MODE_OF(DOWN));
    ready = c_expect(c, KIND_OF(READY));
    assert_int_equal(ready.msg->flags & DROVER__V1__READY_FLAG__FLAG_FOREIGN, 0);
    // The host's owner tidies up, and nothing changes.
    assert_int_equal(move_file(c, "agent.key.next", "agent.key"), 0);
    assert_int_equal(move_file(c, "agent.transport.next", "agent.transport"), 0);
    (void)kill(c->agent, SIGHUP);
    C_UNTIL(c, c_log_count(c, "read again") == 2);
    c_push_bundle(
        c, &ready,
        &(struct c_approve){.mode = MODE_OF(DOWN), .people = 2, .acknowledged = ready.msg->flags});
    (void)c_expect(c, KIND_OF(REVERTED));
    assert_false(c_has_table(c, "users"));
    c_end(c);
}

static void
a_configuration_that_cannot_be_taken_is_named_and_the_old_one_stays(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    char path[PATH_MAX];
    (void)state;
    c_start_agent(c, NULL);
    C_OK(c, dr_file_write(dr_tmp_path(&c->tmp, "agent.conf", path), "nonsense", 8, 0600, &c->err));
    (void)kill(c->agent, SIGHUP);
    C_UNTIL(c, c_log_has(c, "the configuration is kept as it was"));
    (void)c_prepare(c, MODE_OF(UP));
    c_end(c);
}

static void
key_new_and_check_say_the_same_words(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    char conf[PATH_MAX];
    char words[DR_KEY_WORDS_SIZE];
    (void)state;
    dr_key_words(c->agent_key.signing, c->agent_key.transport, words);
    const char *const key[] = {"key",    "new",  "--dir", dr_tmp_path(&c->tmp, "more", conf),
                               "--name", "more", NULL};
    assert_int_equal(c_command(c, key), 0);
    assert_non_null(strstr(c_output(c), "in words: "));
    assert_null(strstr(c_output(c), words));
    const char *const args[] = {"check", "--config", dr_tmp_path(&c->tmp, "agent.conf", conf),
                                NULL};
    dr_rpc_server_close(&c->server);
    (void)c_command(c, args);
    assert_non_null(strstr(c_output(c), words));
    c_end(c);
}

// id: K04
static void
clock_shows_the_latest_signed_time_and_forgets_it_when_the_agent_rests(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    char conf[PATH_MAX];
    (void)state;
    (void)dr_tmp_path(&c->tmp, "agent.conf", conf);
    const char *const show[] = {"clock", "--config", conf, NULL};
    const char *const reset[] = {"clock", "reset", "--config", conf, NULL};
    c_start_agent(c, NULL);
    c_push_trust(c);
    C_UNTIL(c, c->push[0].is_acked);
    assert_int_equal(c_command(c, reset), 1); // it runs
    (void)c_stop_agent(c, SIGTERM);
    assert_int_equal(c_command(c, show), 0);
    assert_null(strstr(c_output(c), "none yet"));
    assert_int_equal(c_command(c, reset), 0);
    assert_non_null(strstr(c_output(c), "forgotten"));
    assert_int_equal(c_command(c, show), 0);
    assert_non_null(strstr(c_output(c), "none yet"));
    c_end(c);
}

static void
a_second_agent_on_one_state_folder_is_refused(void **state)
{
    struct coord *c = begin(SQLITE, TWO, 2);
    char conf[PATH_MAX];
    (void)state;
    c_start_agent(c, NULL);
    const char *const args[] = {"--config", dr_tmp_path(&c->tmp, "agent.conf", conf), NULL};
    assert_int_equal(c_command(c, args), 1);
    c_end(c);
}

static const Drover__V1__Engine ON_SQLITE = DROVER__V1__ENGINE__SQLITE;
static const Drover__V1__Engine ON_POSTGRESQL = DROVER__V1__ENGINE__POSTGRESQL;

#define ON(engine, name)                                                                           \
    {                                                                                              \
#name " on " #engine, name, NULL, NULL, (void *)(uintptr_t)&ON_##engine                    \
    }
#define BOTH(name) ON(SQLITE, name), ON(POSTGRESQL, name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(agent_applies_what_enough_people_approved),
        BOTH(agent_goes_down_again_when_that_is_approved),
        BOTH(agent_proves_the_way_back_in_three_words),
        BOTH(agent_says_what_failed_and_what_stays),
        BOTH(agent_reverses_what_it_did_when_that_was_approved),
        BOTH(agent_tells_its_state_when_it_starts_and_when_it_is_asked),
        BOTH(check_finds_what_is_wrong_and_names_the_remedy),
        BOTH(the_system_that_check_prints_can_be_pinned_and_no_other),
        ON(SQLITE, an_agent_that_nobody_knows_announces_itself_and_says_what_to_do),
        ON(SQLITE, key_new_and_check_say_the_same_words),
        ON(SQLITE, keys_are_replaced_without_a_restart),
        ON(SQLITE, a_configuration_that_cannot_be_taken_is_named_and_the_old_one_stays),
        ON(SQLITE, check_speaks_json),
        ON(SQLITE, clock_shows_the_latest_signed_time_and_forgets_it_when_the_agent_rests),
        ON(SQLITE, a_second_agent_on_one_state_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
