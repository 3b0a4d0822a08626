// Attestations and sign-offs: built, verified under the fleet or the root, counted without gaps.
// size: one table of bad contents per document, beside what is good
#include "unit/trust/world.h"

#define N (TARGETS + ENVIRONMENTS)

static enum dr_rc
load(struct world *w, struct dr_bytes wire, struct dr_attestation *out)
{
    return dr_attest_load(w->arena, &w->fleet, w->all, N, wire, out, &w->err);
}

static struct dr_bytes
wire_of(struct world *w, size_t i)
{
    return (struct dr_bytes){w->evidence_wire[i].data, w->evidence_wire[i].len};
}

// `msg` signed as it stands, counter and all.
static struct dr_bytes
sign_raw(struct world *w, const Drover__V1__Attestation *msg, const struct dr_key *key)
{
    return sign_by(w, DR_TYPE_ATTESTATION, packed(w, &msg->base), &key, 1);
}

static Drover__V1__Attestation
raw(struct world *w, size_t i)
{
    static uint8_t epoch[16] = "an epoch of one";
    Drover__V1__Attestation msg = w->evidence_msg[i];
    msg.epoch = dr_data(epoch, 16);
    msg.counter = 1;
    return msg;
}

static void
attestations_are_counted_and_chained(void **state)
{
    static struct world w;
    struct dr_attestation a, b, c;
    (void)state; // id: G19 G20
    world_begin(&w);
    world_sign(&w);
    OK(&w, load(&w, wire_of(&w, E_APPLIED), &a));
    OK(&w, load(&w, wire_of(&w, E_REVERTED), &b));
    OK(&w, load(&w, wire_of(&w, E_AGAIN), &c));
    assert_int_equal(a.msg->counter, 1);
    assert_int_equal(a.msg->previous_sha256.len, 0);
    assert_true(dr_data_is(b.msg->previous_sha256, a.sha256));
    assert_string_equal(a.entry->msg->target->name, "staging/orders");
    OK(&w, dr_attest_follows(&a, &b, &w.err));
    OK(&w, dr_attest_follows(&b, &c, &w.err));
    REFUSED(DR_E_EXISTS, dr_attest_follows(&a, &a, &w.err));
    REFUSED(DR_E_COUNTER_GAP, dr_attest_follows(&a, &c, &w.err));
    REFUSED(DR_E_COUNTER_REUSED, dr_attest_follows(&b, &a, &w.err));
    world_end(&w);
}

static void
counter_used_twice_is_an_alarm(void **state)
{
    static struct world w;
    struct dr_attestation a, b, other;
    struct dr_attest_state before;
    uint8_t sha256[32];
    (void)state; // id: G19 N07
    world_begin(&w);
    world_sign(&w);
    before = w.counters[STG_ORDERS];
    OK(&w, load(&w,
                sign_attestation(&w, &w.evidence_msg[E_STATE], &w.agent[STG_ORDERS], STG_ORDERS,
                                 sha256),
                &a));
    w.counters[STG_ORDERS] = before;
    w.evidence_msg[E_STATE].time++;
    OK(&w, load(&w,
                sign_attestation(&w, &w.evidence_msg[E_STATE], &w.agent[STG_ORDERS], STG_ORDERS,
                                 sha256),
                &other));
    REFUSED(DR_E_COUNTER_REUSED, dr_attest_follows(&a, &other, &w.err));
    // the right number, but not after what is held
    OK(&w, load(&w,
                sign_attestation(&w, &w.evidence_msg[E_STATE], &w.agent[STG_ORDERS], STG_ORDERS,
                                 sha256),
                &b));
    OK(&w, dr_attest_follows(&other, &b, &w.err));
    REFUSED(DR_E_COUNTER_REUSED, dr_attest_follows(&a, &b, &w.err));
    // a new epoch begins at 1
    memset(&w.counters[STG_ORDERS], 0, sizeof(before));
    OK(&w, load(&w,
                sign_attestation(&w, &w.evidence_msg[E_STATE], &w.agent[STG_ORDERS], STG_ORDERS,
                                 sha256),
                &other));
    OK(&w, dr_attest_follows(&b, &other, &w.err));
    REFUSED(DR_E_COUNTER_GAP, dr_attest_follows(&other, &b, &w.err));
    world_end(&w);
}

static void
only_the_targets_own_agent_speaks_for_it(void **state)
{
    static struct world w;
    struct dr_attestation a;
    (void)state; // id: G02 G03 G23 E07 E08 A05
    world_begin(&w);
    world_sign(&w);
    Drover__V1__Attestation msg = raw(&w, E_APPLIED);
    msg.plan_sha256 = msg.approval_sha256 = DATA32(w.nonce);
    OK(&w, load(&w, sign_raw(&w, &msg, &w.agent[STG_ORDERS]), &a));
    REFUSED(DR_E_BAD_EVIDENCE, load(&w, sign_raw(&w, &msg, &w.agent[PRD_ORDERS]), &a));
    REFUSED(DR_E_BAD_EVIDENCE, load(&w, sign_raw(&w, &msg, &w.agent[STG_STOCK]), &a));
    REFUSED(DR_E_BAD_SIGNATURE, load(&w, sign_raw(&w, &msg, &w.stranger), &a));
    REFUSED(DR_E_BAD_SIGNATURE, load(&w, sign_raw(&w, &msg, &w.person[ALICE]), &a));
    REFUSED(DR_E_BAD_SIGNATURE,
            load(&w, sign_by(&w, DR_TYPE_ATTESTATION, packed(&w, &msg.base), NULL, 0), &a));
    REFUSED(DR_E_WRONG_TYPE, load(&w, w.approval_wire, &a));
    // the agent's own key is named, and the signature is none
    struct dr_bytes wire = sign_raw(&w, &msg, &w.agent[STG_ORDERS]);
    uint8_t *forged = dr_arena_copy(w.arena, wire.data, wire.len);
    forged[wire.len - 1] ^= 1;
    REFUSED(DR_E_BAD_SIGNATURE, load(&w, (struct dr_bytes){forged, wire.len}, &a));
    Drover__V1__Attestation bad = msg;
    bad.agent = w.target[STG_STOCK].agent;
    REFUSED(DR_E_BAD_EVIDENCE, load(&w, sign_raw(&w, &bad, &w.agent[STG_ORDERS]), &a));
    bad = msg;
    bad.environment = w.target[PRD_ORDERS].environment;
    REFUSED(DR_E_BAD_EVIDENCE, load(&w, sign_raw(&w, &bad, &w.agent[STG_ORDERS]), &a));
    bad = msg;
    bad.engine = DROVER__V1__ENGINE__SQLITE;
    REFUSED(DR_E_BAD_EVIDENCE, load(&w, sign_raw(&w, &bad, &w.agent[STG_ORDERS]), &a));
    bad = msg;
    bad.target = word(&w, "staging/none");
    REFUSED(DR_E_BAD_EVIDENCE, load(&w, sign_raw(&w, &bad, &w.agent[STG_ORDERS]), &a));
    bad = msg;
    bad.cluster_id = dr_data((const uint8_t *)"another cluster!", 16);
    REFUSED(DR_E_FOREIGN_CLUSTER, load(&w, sign_raw(&w, &bad, &w.agent[STG_ORDERS]), &a));
    world_end(&w);
}

static void
a_kind(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->kind = ATT(ATTESTATION_NONE);
}
static void
a_nonce(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->kind = ATT(READY);
}
static void
a_ledger(struct world *w, Drover__V1__Attestation *m)
{
    m->kind = ATT(READY);
    m->nonce = DATA32(w->nonce);
    m->ledger_head.len = 0;
}
static void
a_backup(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->kind = ATT(BACKUP);
}
static void
a_plan(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->plan_sha256.len = 0;
}
static void
a_approval(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->approval_sha256.len = 0;
}
static void
a_code(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->kind = ATT(FAILED);
}
static void
a_refused(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->kind = ATT(REFUSED);
}
static void
a_target(struct world *w, Drover__V1__Attestation *m)
{
    m->target = word(w, "orders");
}
static void
a_env(struct world *w, Drover__V1__Attestation *m)
{
    m->environment = word(w, "");
}
static void
a_agent(struct world *w, Drover__V1__Attestation *m)
{
    m->agent = word(w, "A");
}
static void
a_engine(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->engine = DROVER__V1__ENGINE__ENGINE_NONE;
}
static void
a_counter(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->counter = 0;
}
static void
a_time(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->time = 0;
}
static void
a_previous(struct world *w, Drover__V1__Attestation *m)
{
    m->previous_sha256 = DATA32(w->nonce);
}
static void
a_no_previous(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->counter = 2;
}
static void
a_flags(struct world *w, Drover__V1__Attestation *m)
{
    (void)w;
    m->flags = 64;
}

static void
attestation_with_bad_content_is_refused(void **state)
{
    static void (*const changes[])(struct world *, Drover__V1__Attestation *) = {
        a_kind,    a_nonce,   a_ledger,   a_backup,      a_plan,  a_approval,
        a_code,    a_refused, a_target,   a_env,         a_agent, a_engine,
        a_counter, a_time,    a_previous, a_no_previous, a_flags,
    };
    static struct world w;
    struct dr_attestation a;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        Drover__V1__Attestation msg = raw(&w, E_APPLIED);
        msg.plan_sha256 = msg.approval_sha256 = DATA32(w.nonce);
        OK(&w, load(&w, sign_raw(&w, &msg, &w.agent[STG_ORDERS]), &a));
        changes[i](&w, &msg);
        enum dr_rc rc = load(&w, sign_raw(&w, &msg, &w.agent[STG_ORDERS]), &a);
        if (rc != DR_E_BAD_EVIDENCE) {
            fail_msg("change %zu: %s", i, dr_rc_name(rc));
        }
    }
    world_end(&w);
}

static void
builder_refuses_what_nobody_would_accept(void **state)
{
    static struct world w;
    struct dr_bytes wire;
    struct dr_attest_state next;
    uint8_t sha256[32];
    (void)state;
    world_begin(&w);
    Drover__V1__Attestation msg = w.evidence_msg[E_STATE];
    struct dr_attest_state zero = {0};
    OK(&w, dr_attest_build(w.arena, msg, &w.agent[0], &zero, &wire, sha256, &next, &w.err));
    assert_int_equal(next.counter, 1);
    msg.time = 0;
    REFUSED(DR_E_BAD_EVIDENCE,
            dr_attest_build(w.arena, msg, &w.agent[0], &zero, &wire, sha256, &next, &w.err));
    msg.time = NOW;
    msg.detail = word(&w, "\x1b[2J");
    REFUSED(DR_E_BAD_DOCUMENT,
            dr_attest_build(w.arena, msg, &w.agent[0], &zero, &wire, sha256, &next, &w.err));
    msg.detail = word(&w, "");
    struct dr_key transport = test_key(&w, DR_KEY_TRANSPORT, 9);
    REFUSED(DR_E_KEY_KIND,
            dr_attest_build(w.arena, msg, &transport, &zero, &wire, sha256, &next, &w.err));
    dr_key_fini(&transport);
    world_end(&w);
}

static void
own_payload_and_envelope_decode_alike(void **state)
{
    static struct world w;
    struct dr_attestation a, b;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    OK(&w, dr_attest_decode(w.arena, wire_of(&w, E_STATE), false, &a, &w.err));
    OK(&w, dr_attest_decode(w.arena, payload_of(&w, wire_of(&w, E_STATE)), true, &b, &w.err));
    assert_memory_equal(a.sha256, b.sha256, 32);
    assert_null(a.entry);
    REFUSED(DR_E_BAD_ENVELOPE, dr_attest_decode(w.arena, w.ready, false, &a, &w.err));
    world_end(&w);
}

// ------------------------------------------------------------------------------ sign-offs

static enum dr_rc
load_signoff(struct world *w, const Drover__V1__Signoff *msg, const struct dr_key *key)
{
    struct dr_signoff signoff;
    static const uint8_t id[16] = "sixteen bytes id";
    Drover__V1__Signoff copy = *msg;
    copy.signoff_id = dr_data(id, 16);
    return dr_signoff_load(w->arena, &w->root, "production",
                           sign_by(w, DR_TYPE_SIGNOFF, packed(w, &copy.base), &key, 1), &signoff,
                           &w->err);
}

static void
signoff_is_a_persons_word(void **state)
{
    static struct world w;
    struct dr_signoff signoff;
    (void)state;
    world_begin(&w);
    world_sign(&w);
    struct dr_bytes wire = {w.signoff_wire[0].data, w.signoff_wire[0].len};
    OK(&w, dr_signoff_load(w.arena, &w.root, "production", wire, &signoff, &w.err));
    assert_true(signoff.signers.signed_by[CAROL]);
    assert_int_equal(signoff.signers.n, 1);
    assert_memory_equal(signoff.sha256, w.item_sha, 32);
    assert_int_equal(signoff.msg->signoff_id.len, 16);
    REFUSED(DR_E_QUORUM, load_signoff(&w, &w.item_msg, &w.stranger));
    REFUSED(DR_E_QUORUM, load_signoff(&w, &w.item_msg, &w.agent[0]));
    REFUSED(DR_E_WRONG_TYPE,
            dr_signoff_load(w.arena, &w.root, "production", w.approval_wire, &signoff, &w.err));
    w.item_msg.note = word(&w, "\x1b");
    REFUSED(DR_E_BAD_DOCUMENT, load_signoff(&w, &w.item_msg, &w.person[BOB]));
    w.item_msg.note = word(&w, "");
    w.item_msg.cluster_id = dr_data((const uint8_t *)"another cluster!", 16);
    REFUSED(DR_E_FOREIGN_CLUSTER, load_signoff(&w, &w.item_msg, &w.person[BOB]));
    world_end(&w);
}

static void
s_kind(struct world *w)
{
    w->item_msg.kind = DROVER__V1__SIGNOFF_KIND__SIGNOFF_NONE;
}
static void
s_time(struct world *w)
{
    w->item_msg.time = 0;
}
static void
s_expires(struct world *w)
{
    w->item_msg.expires = w->item_msg.time;
}
static void
s_env(struct world *w)
{
    w->item_msg.environment = word(w, "");
}
static void
s_freeze_env(struct world *w)
{
    w->item_msg.kind = DROVER__V1__SIGNOFF_KIND__FREEZE;
    w->item_msg.environment = word(w, "*");
}
static void
s_plan(struct world *w)
{
    w->item_msg.plan_sha256.len = 0;
}
static void
s_item(struct world *w)
{
    w->item_msg.item = word(w, "");
}
static void
s_lift(struct world *w)
{
    w->item_msg.kind = DROVER__V1__SIGNOFF_KIND__LIFT;
}

static void
signoff_with_bad_content_is_refused(void **state)
{
    static void (*const changes[])(struct world *) = {s_kind,       s_time, s_expires, s_env,
                                                      s_freeze_env, s_plan, s_item,    s_lift};
    static struct world w;
    struct dr_bytes wire;
    uint8_t sha256[32];
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        world_begin(&w);
        world_sign(&w);
        changes[i](&w);
        enum dr_rc rc = load_signoff(&w, &w.item_msg, &w.person[BOB]);
        if (rc != DR_E_BAD_EVIDENCE) {
            fail_msg("change %zu: %s", i, dr_rc_name(rc));
        }
        REFUSED(DR_E_BAD_EVIDENCE,
                dr_signoff_build(w.arena, w.item_msg, &w.person[BOB], &wire, sha256, &w.err));
        world_end(&w);
    }
}

static void
lift_takes_the_environments_approvers(void **state)
{
    static struct world w;
    struct dr_signoff signoff;
    ProtobufCBinaryData data;
    uint8_t sha256[32];
    (void)state;
    world_begin(&w);
    world_sign(&w);
    for (size_t people = 1; people <= 2; people++) {
        make_stop(&w, DROVER__V1__SIGNOFF_KIND__LIFT, "production", NOW, w.nonce, people, &data,
                  sha256);
        struct dr_bytes wire = {data.data, data.len};
        REFUSED(people == 2 ? DR_OK : DR_E_QUORUM,
                dr_signoff_load(w.arena, &w.root, "production", wire, &signoff, &w.err));
        REFUSED(DR_E_WRONG_ENVIRONMENT,
                dr_signoff_load(w.arena, &w.root, "staging", wire, &signoff, &w.err));
        REFUSED(DR_E_WRONG_ENVIRONMENT,
                dr_signoff_load(w.arena, &w.root, "test", wire, &signoff, &w.err));
    }
    world_end(&w);
}

static void
stops_name_the_person_and_end_when_expired(void **state)
{
    static struct world w;
    struct dr_signoff stop;
    ProtobufCBinaryData data;
    uint8_t sha256[32];
    (void)state;
    world_begin(&w);
    world_sign(&w);
    w.item_msg.expires = NOW + 10;
    make_stop(&w, DROVER__V1__SIGNOFF_KIND__VETO, "production", NOW - 10, NULL, 1, &data, sha256);
    struct dr_bytes wire = {data.data, data.len};
    OK(&w, dr_signoff_load(w.arena, &w.root, "production", wire, &stop, &w.err));
    REFUSED(DR_E_VETOED, dr_signoff_check_stops(&w.root, &stop, 1, "production", w.plan_sha, NOW,
                                                NOW + 9, &w.err));
    assert_string_equal(w.err.message, "'carol' stopped this: not today");
    OK(&w,
       dr_signoff_check_stops(&w.root, &stop, 1, "production", w.plan_sha, NOW, NOW + 10, &w.err));
    OK(&w, dr_signoff_check_stops(&w.root, &stop, 1, "production", w.nonce, NOW, NOW, &w.err));
    Drover__V1__Signoff silent = *stop.msg;
    silent.note = word(&w, "");
    stop.msg = &silent;
    REFUSED(DR_E_VETOED,
            dr_signoff_check_stops(&w.root, &stop, 1, "production", w.plan_sha, NOW, NOW, &w.err));
    assert_non_null(strstr(w.err.message, "no reason given"));
    world_end(&w);
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    struct dr_attestation a;
    struct dr_signoff signoff;
    struct dr_bytes wire;
    struct dr_attest_state next;
    ProtobufCBinaryData lift;
    uint8_t sha256[32];
    (void)state;
    world_begin(&w);
    world_sign(&w);
    make_stop(&w, DROVER__V1__SIGNOFF_KIND__LIFT, "production", NOW, w.nonce, 2, &lift, sha256);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        struct dr_attest_state zero = {0};
        rc = dr_attest_build(small, w.evidence_msg[E_STATE], &w.agent[0], &zero, &wire, sha256,
                             &next, &w.err);
        rc = rc == DR_OK ? dr_signoff_build(small, w.item_msg, &w.person[0], &wire, sha256, &w.err)
                         : rc;
        rc = rc == DR_OK ? dr_attest_decode(small, wire_of(&w, E_STATE), false, &a, &w.err) : rc;
        rc = rc == DR_OK
                 ? dr_attest_load(small, &w.fleet, w.all, N, wire_of(&w, E_STATE), &a, &w.err)
                 : rc;
        rc = rc == DR_OK ? dr_signoff_load(small, &w.root, "production",
                                           (struct dr_bytes){lift.data, lift.len}, &signoff, &w.err)
                         : rc;
        assert_true(rc == DR_OK || rc == DR_E_LIMIT);
        dr_arena_free(&small);
        assert_true(cap < 1000000);
    }
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attestations_are_counted_and_chained),
        cmocka_unit_test(counter_used_twice_is_an_alarm),
        cmocka_unit_test(only_the_targets_own_agent_speaks_for_it),
        cmocka_unit_test(attestation_with_bad_content_is_refused),
        cmocka_unit_test(builder_refuses_what_nobody_would_accept),
        cmocka_unit_test(own_payload_and_envelope_decode_alike),
        cmocka_unit_test(signoff_is_a_persons_word),
        cmocka_unit_test(signoff_with_bad_content_is_refused),
        cmocka_unit_test(lift_takes_the_environments_approvers),
        cmocka_unit_test(stops_name_the_person_and_end_when_expired),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
