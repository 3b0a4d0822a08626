// Log audit: signatures under what was in force, and the numbers of agents.
#include "coordinator/cli/log_audit.h"
#include "unit/trust/world.h"

#include <stdarg.h>

#define ENTRIES_MAX 32u

// A log in the making, over a world's documents.
struct log {
    struct world w;
    struct dr_log_audit *audit;
    struct dr_loghash head;
    uint8_t pin[32], hashes[ENTRIES_MAX][32], previous[ENTRIES_MAX][32];
    Drover__V1__LogEntry entries[ENTRIES_MAX];
    Drover__V1__Document documents[ENTRIES_MAX];
    size_t n_documents;
    struct dr_log_findings found;
};

static struct log l;

// A document as it lies in an export; the digest is its payload's.
static const uint8_t *
put(struct dr_bytes wire, const struct dr_bytes *parts, size_t n_parts)
{
    struct dr_envelope envelope;
    Drover__V1__Document *document = &l.documents[l.n_documents++];
    OK(&l.w, dr_envelope_parse(wire, NULL, &envelope, &l.w.err));
    drover__v1__document__init(document);
    document->sha256 = dr_data(dr_arena_copy(l.w.arena, envelope.sha256, 32), 32);
    document->envelope = data_of(wire);
    document->parts = dr_arena_array(l.w.arena, n_parts + 1, sizeof(*document->parts));
    document->n_parts = n_parts;
    for (size_t i = 0; i < n_parts; i++) {
        document->parts[i] = data_of(parts[i]);
    }
    OK(&l.w, dr_log_audit_document(l.audit, document, &l.w.err));
    return document->sha256.data;
}

static void
note(const char *kind, const char *subject, const char *text, const char *actor,
     const uint8_t *document)
{
    size_t i = (size_t)l.head.index;
    Drover__V1__LogEntry *entry = &l.entries[i];
    drover__v1__log_entry__init(entry);
    entry->index = i + 1;
    entry->time = NOW;
    entry->kind = word(&l.w, kind);
    entry->subject = word(&l.w, subject);
    entry->text = word(&l.w, text);
    entry->actor = word(&l.w, actor);
    entry->document = dr_data(document, document ? 32 : 0);
    memcpy(l.previous[i], l.head.hash, 32);
    entry->previous = dr_data(l.previous[i], 32);
    OK(&l.w, dr_loghash_compute(entry, l.hashes[i], &l.w.err));
    entry->hash = dr_data(l.hashes[i], 32);
    l.head.index++;
    memcpy(l.head.hash, l.hashes[i], 32);
    OK(&l.w, dr_log_audit_entry(l.audit, entry, 0, &l.w.err));
}

// An attestation of an agent, signed by any key.
static struct dr_bytes
attested(int agent, const struct dr_key *key)
{
    Drover__V1__Attestation msg = l.w.ready_msg;
    uint8_t sha256[32];
    msg.target = l.w.target[agent].name;
    msg.environment = l.w.target[agent].environment;
    msg.agent = l.w.target[agent].agent;
    msg.engine = l.w.target[agent].engine;
    return sign_attestation(&l.w, &msg, key ? key : &l.w.agent[agent], agent, sha256);
}

static void
note_attested(int agent, struct dr_bytes wire)
{
    note("attestation", l.w.target[agent].name, "READY at r1", l.w.target[agent].agent,
         put(wire, NULL, 0));
}

static int
begin(void **state)
{
    (void)state;
    memset(&l, 0, sizeof(l));
    world_begin(&l.w);
    world_sign(&l.w);
    memset(l.w.counters, 0, sizeof(l.w.counters));
    l.audit = dr_log_audit_new(l.w.arena);
    dr_sha256(l.w.root.wire, l.pin);
    note("document", "trust", "root signed", "", put(l.w.root.wire, NULL, 0));
    note("document", "trust", "fleet signed", "",
         put(l.w.fleet.wire, l.w.leaves, TARGETS + ENVIRONMENTS));
    return 0;
}

static int
end(void **state)
{
    (void)state;
    dr_log_audit_free(&l.audit);
    world_end(&l.w);
    return 0;
}

static void
run(void)
{
    OK(&l.w, dr_log_audit_run(l.audit, l.pin, &l.found, &l.w.err));
}

static void
bad_is(uint64_t index, const char *why)
{
    run();
    assert_int_equal(l.found.bad.index, index);
    if (strstr(l.found.bad.why, why) == NULL) {
        fail_msg("'%s' is not in '%s'", why, l.found.bad.why);
    }
}

static void
log_with_everything_is_good(void **state)
{
    (void)state;
    note_attested(STG_ORDERS, attested(STG_ORDERS, NULL));
    note("document", "chain", "chain: 1 of 2 signatures", "alice", put(l.w.chain.wire, NULL, 0));
    note("trust", "chain", "chain 3 is current", "bob", l.w.chain.sha256);
    note("document", "R-1 production", "approval: 2 of 2 signatures", "bob",
         put(l.w.approval_wire, l.w.approval_leaves, 2));
    note("document", "R-1 production", "signoff signed", "carol",
         put((struct dr_bytes){l.w.signoff_wire[0].data, l.w.signoff_wire[0].len}, NULL, 0));
    note_attested(STG_ORDERS, attested(STG_ORDERS, NULL));
    note("order", "R-1", "pause", "alice", NULL);
    run();
    assert_string_equal(l.found.bad.why, "");
    assert_int_equal(l.found.head.index, 9);
    assert_memory_equal(l.found.head.hash, l.head.hash, 32);
    assert_int_equal(l.found.n_gaps, 0);
    const uint32_t counts[DR_LOG_KINDS] = {1, 1, 1, 1, 2, 1};
    assert_memory_equal(l.found.counts, counts, sizeof(counts));
}

static void
attestation_forged_with_another_key_is_told(void **state)
{
    (void)state;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    note_attested(STG_ORDERS, attested(STG_ORDERS, &l.w.stranger));
    bad_is(4, "no agent of the fleet signed");
}

static void
one_agent_may_not_speak_for_another(void **state)
{
    (void)state;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, &l.w.agent[PRD_BILLING]));
    bad_is(3, "no agent of the fleet signed");
}

static void
entry_may_not_say_another_thing_than_its_document(void **state)
{
    (void)state;
    struct dr_bytes wire = attested(PRD_ORDERS, NULL);
    note("attestation", "staging/orders", "READY at r1", "prd-2", put(wire, NULL, 0));
    bad_is(3, "its document is about 'production/orders'");
}

static void
entry_may_not_name_another_kind_or_agent(void **state)
{
    (void)state;
    struct dr_bytes wire = attested(PRD_ORDERS, NULL);
    note("attestation", "production/orders", "APPLIED at r1", "prd-2", put(wire, NULL, 0));
    bad_is(3, "its document is a READY of agent 'prd-2'");
}

static void
approval_that_lacks_a_signature_is_told(void **state)
{
    const struct dr_key *one[] = {&l.w.person[ALICE]};
    (void)state;
    struct dr_bytes wire =
        sign_by(&l.w, DR_TYPE_APPROVAL, payload_of(&l.w, l.w.approval_wire), one, 1);
    const uint8_t *sha256 = put(wire, l.w.approval_leaves, 2);
    note("document", "R-1 production", "approval: 1 of 2 signatures", "alice", sha256);
    note("document", "R-1 production", "approval: 2 of 2 signatures", "alice", sha256);
    bad_is(4, "1 of 2 signatures of the environment's approvers");
}

static void
signatures_that_nobody_gave_are_told_before_it_is_complete(void **state)
{
    const struct dr_key *nobody[] = {&l.w.stranger};
    (void)state;
    struct dr_bytes wire =
        sign_by(&l.w, DR_TYPE_CHAIN, payload_of(&l.w, l.w.chain.wire), nobody, 1);
    note("document", "chain", "chain: 1 of 2 signatures", "alice", put(wire, NULL, 0));
    bad_is(3, "0 of the 1 signatures");
}

static void
older_fleet_may_not_come_back(void **state)
{
    struct dr_bytes payload, *leaves;
    (void)state;
    l.w.fleet_msg.version--;
    OK(&l.w, dr_fleet_draft(l.w.arena, l.w.fleet_msg, l.w.entry_p, TARGETS + ENVIRONMENTS, &payload,
                            &leaves, &l.w.err));
    note("trust", "fleet", "fleet 6 is current", "bob",
         put(sign_by_two(&l.w, DR_TYPE_FLEET, payload), leaves, TARGETS + ENVIRONMENTS));
    bad_is(3, "is older than fleet");
}

static void
attestation_counts_under_the_fleet_of_its_place(void **state)
{
    struct dr_bytes payload, *leaves;
    (void)state;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    struct dr_bytes late = attested(PRD_ORDERS, NULL);
    l.w.fleet_msg.version++; // this agent has another key from now on
    l.w.target[PRD_ORDERS].agent_signing_key = dr_data(l.w.stranger.public_key, 32);
    OK(&l.w, dr_fleet_draft(l.w.arena, l.w.fleet_msg, l.w.entry_p, TARGETS + ENVIRONMENTS, &payload,
                            &leaves, &l.w.err));
    note("trust", "fleet", "fleet 8 is current", "bob",
         put(sign_by_two(&l.w, DR_TYPE_FLEET, payload), leaves, TARGETS + ENVIRONMENTS));
    note_attested(PRD_ORDERS, late);
    bad_is(5, "no agent of the fleet signed");
}

static void
next_root_takes_effect_at_its_place(void **state)
{
    (void)state;
    const struct dr_key *old[] = {&l.w.person[ALICE], &l.w.person[BOB], &l.w.person[CAROL]};
    Drover__V1__Role only_carol = l.w.roles[0];
    uint32_t carol[] = {CAROL};
    only_carol.people = carol;
    only_carol.n_people = only_carol.threshold = 1;
    l.w.root_msg.version++;
    l.w.root_msg.fleet = &only_carol; // so the fleet in force has no signature that counts
    struct dr_bytes next = sign_by(&l.w, DR_TYPE_ROOT, packed(&l.w, &l.w.root_msg.base), old, 3);
    note("trust", "root", "root 2 is current", "bob", put(next, NULL, 0));
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    bad_is(4, "no fleet was in force");
}

static void
missing_numbers_are_gaps(void **state)
{
    (void)state;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    (void)attested(PRD_ORDERS, NULL);
    (void)attested(PRD_ORDERS, NULL);
    (void)attested(STG_ORDERS, NULL);
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    note_attested(STG_ORDERS, attested(STG_ORDERS, NULL));
    run();
    assert_string_equal(l.found.bad.why, "");
    assert_int_equal(l.found.n_gaps, 2);
    assert_string_equal(l.found.gaps[0].agent, "prd-2");
    assert_int_equal(l.found.gaps[0].index, 4);
    assert_int_equal(l.found.gaps[0].first, 2);
    assert_int_equal(l.found.gaps[0].last, 3);
    assert_string_equal(l.found.gaps[1].agent, "stg-1");
    assert_int_equal(l.found.gaps[1].first, 1);
    assert_int_equal(l.found.gaps[1].last, 1);
}

static void
new_epoch_begins_at_one_without_a_gap(void **state)
{
    (void)state;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    memset(&l.w.counters[PRD_ORDERS], 0, sizeof(l.w.counters[PRD_ORDERS]));
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    run();
    assert_int_equal(l.found.n_gaps, 0);
}

static void
two_agents_with_one_key_are_told(void **state)
{
    (void)state;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    struct dr_attest_state copied = l.w.counters[PRD_ORDERS];
    l.w.nonce[0] ^= 1;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    l.w.counters[PRD_ORDERS] = copied; // the other host goes on from the same state
    l.w.nonce[0] ^= 2;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    run();
    assert_int_equal(l.found.n_gaps, 1);
    assert_int_equal(l.found.gaps[0].index, 5);
    assert_int_equal(l.found.gaps[0].first, 0);
    assert_int_equal(l.found.gaps[0].last, 2);
    assert_string_equal(l.found.gaps[0].why, "two different ones have this number");
}

static void
number_that_names_another_before_it_is_told(void **state)
{
    (void)state;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    l.w.counters[PRD_ORDERS].previous[0] ^= 1;
    note_attested(PRD_ORDERS, attested(PRD_ORDERS, NULL));
    run();
    assert_int_equal(l.found.n_gaps, 1);
    assert_int_equal(l.found.gaps[0].index, 4);
    assert_string_equal(l.found.gaps[0].why, "it does not continue the one before it");
}

static void
only_the_pinned_root_begins(void **state)
{
    (void)state;
    l.pin[0] ^= 1;
    REFUSED(DR_E_NOT_PINNED, dr_log_audit_run(l.audit, l.pin, &l.found, &l.w.err));
}

static void
wanted_are_the_documents_that_are_not_there(void **state)
{
    uint8_t(*digests)[32] = NULL;
    size_t n = 9;
    uint8_t absent[32] = {7};
    (void)state;
    OK(&l.w, dr_log_audit_wanted(l.audit, &digests, &n, &l.w.err));
    assert_int_equal(n, 0);
    note("document", "R-1 staging", "approval signed", "bob", absent);
    note("document", "R-1 staging", "approval signed", "bob", absent);
    OK(&l.w, dr_log_audit_wanted(l.audit, &digests, &n, &l.w.err));
    assert_int_equal(n, 1);
    assert_memory_equal(digests[0], absent, 32);
    run();
    assert_int_equal(l.found.n_gaps, 2);
    assert_string_equal(l.found.gaps[1].agent, "");
    assert_int_equal(l.found.gaps[1].index, 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(log_with_everything_is_good),
        TEST(attestation_forged_with_another_key_is_told),
        TEST(one_agent_may_not_speak_for_another),
        TEST(entry_may_not_say_another_thing_than_its_document),
        TEST(entry_may_not_name_another_kind_or_agent),
        TEST(approval_that_lacks_a_signature_is_told),
        TEST(signatures_that_nobody_gave_are_told_before_it_is_complete),
        TEST(older_fleet_may_not_come_back),
        TEST(attestation_counts_under_the_fleet_of_its_place),
        TEST(next_root_takes_effect_at_its_place),
        TEST(missing_numbers_are_gaps),
        TEST(new_epoch_begins_at_one_without_a_gap),
        TEST(two_agents_with_one_key_are_told),
        TEST(number_that_names_another_before_it_is_told),
        TEST(only_the_pinned_root_begins),
        TEST(wanted_are_the_documents_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
