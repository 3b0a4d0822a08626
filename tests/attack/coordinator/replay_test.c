// Good documents at the wrong time: what was approved once runs once, whatever the coordinator
// sends again, in which order and how often, and whatever happened to the agent's disk or to the
// database in between.
#include "support/evil.h"

static void
copy_tree(const char *from, const char *to)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

// What lies at `path` in the test's folder becomes what lies at `from`.
static void
restore(struct evil *e, const char *from, const char *path)
{
    char a[PATH_MAX];
    char b[PATH_MAX];
    struct dr_err ignored = {0};
    (void)dr_tmp_path(&e->c.tmp, path, b);
    if (dr_dir_remove(b, &ignored) != DR_OK) {
        (void)unlink(b);
    }
    if (from != NULL) {
        copy_tree(dr_tmp_path(&e->c.tmp, from, a), b);
    }
}

static void
keep(struct evil *e, const char *path, const char *as)
{
    char a[PATH_MAX];
    char b[PATH_MAX];
    copy_tree(dr_tmp_path(&e->c.tmp, path, a), dr_tmp_path(&e->c.tmp, as, b));
}

static void
runs(struct evil *e, struct e_draft *d)
{
    e_push_draft(d);
    (void)c_expect(&e->c, KIND_OF(APPLIED));
    (void)c_expect(&e->c, KIND_OF(STATE));
    e_hash_database(e, e->database_sha256);
}

static void
stays(struct evil *e, const char *name)
{
    uint8_t now[32];
    e_hash_database(e, now);
    if (memcmp(now, e->database_sha256, 32) != 0) {
        fail_msg("%s: O1: the database was changed", name);
    }
    assert_int_equal(waitpid(e->c.agent, NULL, WNOHANG), 0);
}

static void
refuses_again(struct evil *e, struct e_draft *d, const char *name, const char *code)
{
    e_push_draft(d);
    e_refused(e, name, code);
    stays(e, name);
}

// id: P03 P04
static void
a_used_approval_is_dead_also_after_a_restart(void **state)
{
    struct evil *e = e_begin();
    struct e_draft d;
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    runs(e, &d);
    refuses_again(e, &d, "P03 again", "no-ready");
    (void)c_stop_agent(&e->c, SIGKILL);
    c_start_agent(&e->c, NULL);
    refuses_again(e, &d, "P04 after a restart", "no-ready");
    e_end(e);
}

// The agent's disk is lost before the approval comes: the READY that it answers is nobody's any
// more. id: P05
static void
an_approval_is_dead_when_the_agent_lost_its_state(void **state)
{
    struct evil *e = e_begin();
    struct e_draft d;
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    (void)c_stop_agent(&e->c, SIGKILL);
    restore(e, NULL, "state");
    c_start_agent(&e->c, NULL);
    refuses_again(e, &d, "P05 the state is lost", "no-ready");
    e_oracles(e, "P05");
    e_end(e);
}

// After the run too: and the agent says that it begins anew.
// id: P05 C19
static void
a_used_approval_is_dead_when_the_agent_lost_its_state(void **state)
{
    struct evil *e = e_begin();
    struct e_draft d;
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    runs(e, &d);
    (void)c_stop_agent(&e->c, SIGKILL);
    restore(e, NULL, "state");
    c_start_agent(&e->c, NULL);
    refuses_again(e, &d, "P05 the state is lost", "no-ready");
    e->c.n_push = 0;
    struct dr_attestation again = c_prepare(&e->c, E_MODE(UP));
    assert_true((again.msg->flags & DROVER__V1__READY_FLAG__FLAG_NEW_EPOCH) != 0);
    assert_int_not_equal(memcmp(again.msg->epoch.data, ready.msg->epoch.data, 16), 0);
    e_end(e);
}

// A snapshot of the agent's disk from before the run: its READY is open again, but the ledger has
// gone on. id: P06 A11
static void
a_used_approval_is_dead_when_the_agents_state_was_restored(void **state)
{
    struct evil *e = e_begin();
    struct e_draft d;
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    (void)c_stop_agent(&e->c, SIGTERM);
    keep(e, "state", "old");
    c_start_agent(&e->c, NULL);
    runs(e, &d);
    (void)c_stop_agent(&e->c, SIGKILL);
    restore(e, "old", "state");
    c_start_agent(&e->c, NULL);
    e_push_draft(&d);
    struct dr_attestation one;
    do {
        one = c_next(&e->c);
    } while (one.msg->kind == KIND_OF(STATE));
    assert_int_equal(one.msg->kind, KIND_OF(REFUSED));
    // READY was dropped when the first STATE showed another ledger, or does not fit the ledger that
    // the worker finds.
    bool is_known = strcmp(one.msg->code, "no-ready") == 0 ||
                    strcmp(one.msg->code, "ledger-changed") == 0 ||
                    strcmp(one.msg->code, "state-changed") == 0;
    if (!is_known) {
        fail_msg("P06: %s: %s", one.msg->code, one.msg->detail);
    }
    stays(e, "P06");
    e_end(e);
}

// The database comes back from before the run: the approval was consumed all the same.
// id: P07 A12
static void
a_used_approval_is_dead_when_the_database_was_restored(void **state)
{
    struct evil *e = e_begin();
    struct e_draft d;
    (void)state;
    keep(e, "app.db", "old.db");
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    runs(e, &d);
    restore(e, "old.db", "app.db");
    e_hash_database(e, e->database_sha256);
    refuses_again(e, &d, "P07 the database is old", "no-ready");
    e->c.n_push = 0;
    struct dr_attestation again = c_prepare(&e->c, E_MODE(UP));
    assert_true((again.msg->flags & DROVER__V1__READY_FLAG__FLAG_REGRESSED) != 0);
    assert_false(c_has_table(&e->c, "users"));
    e_end(e);
}

// Two approvals, each signed by enough people, of one READY: the first that is consumed kills the
// other. id: P10
static void
of_two_approvals_of_one_ready_one_runs(void **state)
{
    struct evil *e = e_begin();
    struct e_draft first;
    struct e_draft second;
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &first);
    e_make(e, &ready, NULL, &second); // another approval_id
    c_push(&e->c, E_PUSH(BUNDLE), &first.bundle->base);
    c_push(&e->c, E_PUSH(BUNDLE), &second.bundle->base);
    (void)c_expect(&e->c, KIND_OF(APPLIED));
    e_hash_database(e, e->database_sha256);
    e_refused(e, "P10", "no-ready");
    stays(e, "P10");
    e_end(e);
}

// id: P24
static void
an_approval_delivered_twenty_times_runs_once(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    struct e_draft d;
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    c->n_push = 0;
    for (int i = 0; i < 20; i++) {
        c_push(c, E_PUSH(BUNDLE), &d.bundle->base);
        if (i > 0) {
            memcpy(c->push[i].id, c->push[i & 1].id, 16); // some with the id of another
        }
    }
    (void)c_expect(c, KIND_OF(APPLIED));
    e_hash_database(e, e->database_sha256);
    C_UNTIL(c, c->push[19].is_acked);
    c_push_order(c, "state");
    for (;;) {
        struct dr_attestation one = c_next(c);
        assert_int_not_equal(one.msg->kind, KIND_OF(APPLIED));
        if (one.msg->kind == KIND_OF(STATE) && c->push[20].is_acked) {
            break;
        }
    }
    stays(e, "P24");
    e_end(e);
}

// id: P13
static void
an_approval_is_dead_when_its_ready_was_superseded(void **state)
{
    struct evil *e = e_begin();
    struct e_draft old;
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation first = e_ready(e);
    e_make(e, &first, NULL, &old);
    e->c.n_push = 0;
    struct dr_attestation second = e_ready(e);
    refuses_again(e, &old, "P13 superseded", "wrong-ready");
    e_oracles(e, "P13");
    e_good_one_runs(e, &second);
    e_end(e);
}

// On the copy: down first, and up again to what READY names.
static void
rehearse_downwards(struct e_draft *d)
{
    ProtobufCBinaryData there = d->rehearsal->fingerprint_up;

    d->rehearsal->fingerprint_up = d->rehearsal->fingerprint_down;
    d->rehearsal->fingerprint_down = there;
    assert_int_equal(d->n_downs, d->rehearsal->n_units);
    for (size_t i = 0; i < d->n_downs; i++) {
        d->rehearsal->units[i]->revision_digest = d->downs[i]->revision_digest;
        d->rehearsal->units[i]->unit_digest = d->downs[i]->unit_digest;
        d->rehearsal->units[i]->mode = E_MODE(DOWN);
    }
}

// Up, down, and the first approval once more.
// id: P18 P19
static void
an_old_upgrade_does_not_run_again_after_the_way_back(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    struct e_draft up;
    struct e_draft down;
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &up);
    runs(e, &up);
    c->n_push = 0;
    struct dr_attestation back = c_prepare(c, E_MODE(DOWN));
    e_draft_begin(e, &back, &down);
    down.request.header.mode = E_MODE(DOWN);
    for (size_t i = 0; i < E_STOCKED; i++) {
        down.evidence[i].heads = NULL;
        down.evidence[i].n_heads = 0;
    }
    down.evidence[E_STOCKED].kind = KIND_OF(REVERTED);
    down.evidence[E_STOCKED].units = down.downs;
    down.evidence[E_STOCKED].n_units = down.n_downs;
    down.evidence[E_APPLIED].fingerprint_before = back.msg->fingerprint;
    down.evidence[E_CANARY].kind = KIND_OF(REVERTED);
    rehearse_downwards(&down);
    e_draft_sign(&down);
    e_push_draft(&down);
    struct dr_attestation reverted = c_expect(c, KIND_OF(REVERTED));
    assert_int_equal(reverted.msg->n_heads, 0);
    (void)c_expect(c, KIND_OF(STATE));
    assert_false(c_has_table(c, "users"));
    e_hash_database(e, e->database_sha256);
    refuses_again(e, &up, "P19 the old upgrade", "no-ready");
    assert_false(c_has_table(c, "users"));
    e_end(e);
}

// A bundle for a target that is not this agent's, in this agent's stream: acknowledged, and
// nothing. id: X02 X05 A04
static void
another_agents_bundle_is_left_lying(void **state)
{
    struct evil *e = e_begin();
    struct e_draft d;
    (void)state;
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    d.bundle->target = c_text(&e->c, "production/billing");
    e_push_draft(&d);
    C_UNTIL(&e->c, e->c.push[0].is_acked);
    e_answers(e);
    e_oracles(e, "X05");
    e_good_one_runs(e, &ready);
    e_end(e);
}

// The same sequence numbers again, backwards, and with other bodies under old ids.
// id: X02
static void
pushes_in_disorder_change_nothing(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    struct e_draft d;
    (void)state;
    c_start_agent(c, NULL);
    struct dr_attestation ready = e_ready(e);
    e_make(e, &ready, NULL, &d);
    d.bundle->signoffs = NULL;
    d.bundle->n_signoffs = 0;
    const uint64_t last = c->next_seq;
    for (uint64_t seq = last + 5; seq > last; seq--) {
        c->n_push = 0;
        c->next_seq = seq - 1;
        c_push(c, E_PUSH(BUNDLE), &d.bundle->base);
        e_refused(e, "X02 backwards", "gate-missing");
    }
    c->next_seq = last + 10;
    e_oracles(e, "X02");
    e_good_one_runs(e, &ready);
    e_end(e);
}

// id: P12
static void
ten_rounds_of_a_bad_and_a_good_bundle(void **state)
{
    struct evil *e = e_begin();
    struct coord *c = &e->c;
    (void)state;
    c_start_agent(c, NULL);
    for (int i = 0; i < 10; i++) {
        struct e_draft bad;
        c->n_push = 0;
        struct dr_attestation ready = e_ready(e);
        e_make(e, &ready, NULL, &bad);
        bad.bundle->approval.data[bad.bundle->approval.len / 2] ^= 1;
        e_push_draft(&bad);
        e_refused(e, "P12", "quorum");
        e_oracles(e, "P12");
    }
    c->n_push = 0;
    struct dr_attestation ready = e_ready(e);
    e_good_one_runs(e, &ready);
    e_end(e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_used_approval_is_dead_also_after_a_restart),
        cmocka_unit_test(an_approval_is_dead_when_the_agent_lost_its_state),
        cmocka_unit_test(a_used_approval_is_dead_when_the_agent_lost_its_state),
        cmocka_unit_test(a_used_approval_is_dead_when_the_agents_state_was_restored),
        cmocka_unit_test(a_used_approval_is_dead_when_the_database_was_restored),
        cmocka_unit_test(of_two_approvals_of_one_ready_one_runs),
        cmocka_unit_test(an_approval_delivered_twenty_times_runs_once),
        cmocka_unit_test(an_approval_is_dead_when_its_ready_was_superseded),
        cmocka_unit_test(an_old_upgrade_does_not_run_again_after_the_way_back),
        cmocka_unit_test(another_agents_bundle_is_left_lying),
        cmocka_unit_test(pushes_in_disorder_change_nothing),
        cmocka_unit_test(ten_rounds_of_a_bad_and_a_good_bundle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
