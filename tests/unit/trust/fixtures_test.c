// Documents as each release wrote them, in fixtures/RELEASE: whatever comes later has to verify
// them, byte for byte, and read the same out of them. DROVER_MAKE_FIXTURES=FOLDER writes those of a
// new release into FOLDER instead; the tests themselves never make any.
#include "unit/trust/world.h"

#include "base/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

#define N            (TARGETS + ENVIRONMENTS)
#define FIXTURE_MAX  (1u << 20)
#define FIXTURES_MAX 64

static const char *const RELEASES[] = {"0.1.0"};

// What an attestation or sign-off of each kind is called, and its kind.
static const struct {
    const char *file;
    int kind;
} ATTESTATIONS[] =
    {
        {"attestation-ready", ATT(READY)},       {"attestation-rehearsed", ATT(REHEARSED)},
        {"attestation-backup", ATT(BACKUP)},     {"attestation-applied", ATT(APPLIED)},
        {"attestation-reverted", ATT(REVERTED)}, {"attestation-failed", ATT(FAILED)},
        {"attestation-refused", ATT(REFUSED)},   {"attestation-state", ATT(STATE)},
        {"attestation-drift", ATT(DRIFT)},
},
  SIGNOFFS[] = {
      {"signoff-item", DROVER__V1__SIGNOFF_KIND__ITEM},
      {"signoff-veto", DROVER__V1__SIGNOFF_KIND__VETO},
      {"signoff-cancel", DROVER__V1__SIGNOFF_KIND__CANCEL},
      {"signoff-freeze", DROVER__V1__SIGNOFF_KIND__FREEZE},
      {"signoff-lift", DROVER__V1__SIGNOFF_KIND__LIFT},
};

static struct world w;

// ------------------------------------------------------------------------------------- making

static void
make(const char *folder, const char *name, struct dr_bytes bytes, struct dr_buf *sums)
{
    char path[PATH_MAX], hex[65];
    uint8_t sha256[32];
    (void)snprintf(path, sizeof path, "%s/%s.drv", folder, name);
    OK(&w, dr_file_write(path, bytes.data, bytes.len, 0644, &w.err));
    dr_sha256(bytes, sha256);
    dr_hex(hex, sha256, 32);
    dr_buf_printf(sums, "%s  %s.drv\n", hex, name);
}

// The fleet with its leaves, as a coordinator hands it over.
static struct dr_bytes
whole_fleet(void)
{
    Drover__V1__Document document = DROVER__V1__DOCUMENT__INIT;
    ProtobufCBinaryData parts[N];
    struct dr_bytes wire = w.fleet.wire;
    document.kind = word(&w, DR_TYPE_FLEET);
    document.envelope = data_of(wire);
    for (size_t i = 0; i < N; i++) {
        parts[i] = data_of(w.leaves[i]);
    }
    document.parts = parts;
    document.n_parts = N;
    return packed(&w, &document.base);
}

static struct dr_bytes
attestation(int kind)
{
    uint8_t sha256[32];
    Drover__V1__Attestation msg = w.evidence_msg[E_AGAIN];
    msg.kind = (Drover__V1__AttestationKind)kind;
    msg.code = word(&w, kind == (int)ATT(FAILED) || kind == (int)ATT(REFUSED) ? "a-code" : "");
    msg.detail = word(&w, "in words");
    if (kind == (int)ATT(READY)) {
        msg.nonce = DATA32(w.nonce);
    }
    if (kind == (int)ATT(BACKUP)) {
        msg.backup = &w.record;
    }
    return sign_attestation(&w, &msg, &w.agent[STG_ORDERS], STG_ORDERS, sha256);
}

static void
make_all(const char *folder)
{
    struct dr_buf sums = {0};
    char path[PATH_MAX];
    world_begin(&w);
    w.chain_entry[3] = w.chain_entry[1]; // a withdrawal behind the three
    w.chain_entry[3].action = DROVER__V1__CHAIN_ACTION__WITHDRAW;
    w.chain_entry[3].n_parents = 0;
    w.chain_entry[3].author = word(&w, "");
    w.chain_entry[3].reason = word(&w, "it was wrong");
    world_sign(&w);
    make(folder, "root-1", w.root.wire, &sums);
    make(folder, "fleet", whole_fleet(), &sums);
    make(folder, "chain", w.chain.wire, &sums);
    make(folder, "plan", w.plan_bytes, &sums);
    make(folder, "ready-payload", w.ready, &sums);
    make(folder, "backup-payload", w.backup, &sums);
    make(folder, "approval", w.approval_wire, &sums);
    make(folder, "bundle", packed(&w, &w.bundle.base), &sums);
    for (size_t i = 0; i < DR_COUNT_OF(ATTESTATIONS); i++) {
        make(folder, ATTESTATIONS[i].file, attestation(ATTESTATIONS[i].kind), &sums);
    }
    for (size_t i = 0; i < DR_COUNT_OF(SIGNOFFS); i++) {
        ProtobufCBinaryData data;
        uint8_t sha256[32];
        Drover__V1__SignoffKind kind = (Drover__V1__SignoffKind)SIGNOFFS[i].kind;
        data = w.signoff_wire[0];
        if (kind != DROVER__V1__SIGNOFF_KIND__ITEM) {
            make_stop(&w, kind, "production", NOW, w.nonce, 2, &data, sha256);
        }
        make(folder, SIGNOFFS[i].file, (struct dr_bytes){data.data, data.len}, &sums);
    }
    w.chain_msg.n_entries = 4;
    w.chain_msg.version++;
    make(folder, "chain-withdrawn", sign_by_two(&w, DR_TYPE_CHAIN, packed(&w, &w.chain_msg.base)),
         &sums);
    w.root_msg.version = 2;
    w.keys[CAROL].public_key = DATA32(w.alice2.public_key); // carol has another key
    w.roles[3 + STAGING].threshold = 2;
    make(folder, "root-2", sign_by_two(&w, DR_TYPE_ROOT, packed(&w, &w.root_msg.base)), &sums);
    (void)snprintf(path, sizeof path, "%s/SHA256SUMS", folder);
    OK(&w, dr_file_write(path, sums.data, sums.len, 0644, &w.err));
    dr_buf_fini(&sums);
    world_end(&w);
}

// ------------------------------------------------------------------------------------ reading

static const char *release;

static char *
in_folder(const char *name, char out[PATH_MAX])
{
    const char *source = getenv("DROVER_SOURCE");
    (void)snprintf(out, PATH_MAX, "%s/tests/unit/trust/fixtures/%s/%s", source ? source : ".",
                   release, name);
    return out;
}

static struct dr_bytes
fixture(const char *name)
{
    char file[64], path[PATH_MAX], *text = NULL;
    size_t len = 0;
    (void)snprintf(file, sizeof file, "%s.drv", name);
    OK(&w, dr_file_read(in_folder(file, path), FIXTURE_MAX, &text, &len, &w.err));
    struct dr_bytes out = {dr_arena_copy(w.arena, text, len), len};
    free(text);
    return out;
}

// Trust as it stood: root 1, and root 2 after it; fleet and chain under both.
static void
load_trust(struct dr_root *root)
{
    struct dr_root second;
    struct dr_bytes leaves[N];
    OK(&w, dr_root_first(w.arena, fixture("root-1"), NULL, root, &w.err));
    assert_int_equal(root->msg->version, 1);
    OK(&w, dr_root_next(w.arena, root, fixture("root-2"), &second, &w.err));
    assert_int_equal(second.msg->version, 2);
    assert_int_equal(dr_root_approvers(second.msg, "staging")->threshold, 2);
    assert_string_equal(second.msg->people[CAROL]->name, "carol");
    Drover__V1__Document *document = NULL;
    struct dr_bytes whole = fixture("fleet");
    document = drover__v1__document__unpack(dr_arena_protobuf(w.arena), whole.len, whole.data);
    assert_non_null(document);
    assert_int_equal(document->n_parts, N);
    for (size_t i = 0; i < N; i++) {
        leaves[i] = (struct dr_bytes){document->parts[i].data, document->parts[i].len};
    }
    struct dr_bytes wire = {document->envelope.data, document->envelope.len};
    OK(&w, dr_fleet_load(w.arena, &second, wire, &w.fleet, &w.err));
    OK(&w, dr_fleet_load(w.arena, root, wire, &w.fleet, &w.err));
    OK(&w, dr_fleet_entries_check(w.arena, &w.fleet, leaves, N, &w.all, &w.err));
    OK(&w, dr_chain_load(w.arena, &second, fixture("chain"), &w.chain, &w.err));
    OK(&w, dr_chain_load(w.arena, root, fixture("chain"), &w.chain, &w.err));
}

static int
set_up(void **state)
{
    release = *state;
    memset(&w, 0, sizeof w);
    w.arena = dr_arena_new(64u << 20);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_arena_free(&w.arena);
    return 0;
}

// Every file is listed with its digest, and every listed file is there.
// id: X10
static void
fixtures_are_what_was_released(void **state)
{
    char path[PATH_MAX], *sums = NULL, hex[65];
    size_t len = 0, n = 0, on_disk = 0;
    uint8_t sha256[32];
    (void)state;
    OK(&w, dr_file_read(in_folder("SHA256SUMS", path), FIXTURE_MAX, &sums, &len, &w.err));
    for (char *line = sums; *line != '\0'; n++) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        *end = '\0';
        char *name = line + 66;
        name[strlen(name) - strlen(".drv")] = '\0';
        dr_sha256(fixture(name), sha256);
        dr_hex(hex, sha256, 32);
        assert_memory_equal(hex, line, 64);
        line = end + 1;
    }
    DIR *dir = opendir(in_folder("", path));
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        on_disk += strstr(entry->d_name, ".drv") != NULL;
    }
    (void)closedir(dir);
    free(sums);
    assert_int_equal(n, on_disk);
    assert_in_range(n, DR_COUNT_OF(ATTESTATIONS) + DR_COUNT_OF(SIGNOFFS) + 8, FIXTURES_MAX);
}

// id: X10 R01 F01
static void
trust_of_a_release_verifies_for_ever(void **state)
{
    struct dr_root root;
    struct dr_chain longer;
    struct dr_chain_revision found;
    (void)state;
    load_trust(&root);
    assert_int_equal(w.fleet.msg->version, 7);
    const Drover__V1__Target *target = dr_fleet_target(w.all, N, "production/orders")->msg->target;
    assert_string_equal(target->agent, "prd-2");
    assert_string_equal(target->identity->database, "orders");
    const Drover__V1__Environment *policy =
        dr_fleet_environment(w.all, N, "production")->msg->environment;
    assert_int_equal(policy->n_gates, GATES);
    assert_int_equal(policy->gates[G_STAGED]->soak_s, 3600);
    assert_int_equal(w.chain.msg->n_entries, 3);
    assert_string_equal(w.chain.msg->entries[2]->revision_id, "003_index");
    OK(&w, dr_chain_load(w.arena, &root, fixture("chain-withdrawn"), &longer, &w.err));
    OK(&w, dr_chain_follows(&w.chain, &longer, &w.err));
    assert_true(dr_chain_find(&longer, longer.msg->entries[1]->digest.data, &found));
    assert_string_equal(found.withdraw->reason, "it was wrong");
}

// id: X10
static void
attestations_of_a_release_verify_for_ever(void **state)
{
    struct dr_root root;
    struct dr_attestation last = {0}, one;
    (void)state;
    load_trust(&root);
    for (size_t i = 0; i < DR_COUNT_OF(ATTESTATIONS); i++) {
        OK(&w, dr_attest_load(w.arena, &w.fleet, w.all, N, fixture(ATTESTATIONS[i].file), &one,
                              &w.err));
        assert_int_equal(one.msg->kind, ATTESTATIONS[i].kind);
        assert_string_equal(one.msg->target, "staging/orders");
        assert_int_equal(one.msg->time, NOW - 9800);
        assert_string_equal(one.msg->detail, "in words");
        assert_int_equal(one.msg->n_units, 3);
        if (i > 0) {
            OK(&w, dr_attest_follows(&last, &one, &w.err));
        }
        last = one;
    }
}

// id: X10
static void
signoffs_of_a_release_verify_for_ever(void **state)
{
    struct dr_root root;
    struct dr_signoff one;
    (void)state;
    load_trust(&root);
    for (size_t i = 0; i < DR_COUNT_OF(SIGNOFFS); i++) {
        OK(&w,
           dr_signoff_load(w.arena, &root, "production", fixture(SIGNOFFS[i].file), &one, &w.err));
        assert_int_equal(one.msg->kind, SIGNOFFS[i].kind);
        assert_string_equal(one.msg->environment, "production");
        assert_true(one.signers.signed_by[CAROL]);
    }
}

// The whole bundle, as an agent of the release got it, is accepted by an agent of today.
// id: X10 P01 G01
static void
an_approval_of_a_release_is_accepted_for_ever(void **state)
{
    struct dr_root root;
    struct dr_approval approval;
    (void)state;
    load_trust(&root);
    const struct dr_fleet_entry own[2] = {*dr_fleet_target(w.all, N, "production/orders"),
                                          *dr_fleet_environment(w.all, N, "production")};
    const struct dr_trust trust = {.root = root,
                                   .fleet = w.fleet,
                                   .chain = w.chain,
                                   .entries = own,
                                   .n_entries = 2,
                                   .clock_high = NOW - 4 * DAY};
    struct dr_bytes bytes = fixture("bundle");
    Drover__V1__Bundle *bundle =
        drover__v1__bundle__unpack(dr_arena_protobuf(w.arena), bytes.len, bytes.data);
    assert_non_null(bundle);
    OK(&w, dr_approval_load(w.arena, &root, "production", fixture("approval"), &approval, &w.err));
    assert_int_equal(approval.msg->mode, MODE(UP));
    assert_string_equal(approval.msg->rollout, "R-1");
    assert_int_equal(approval.msg->n_wave_sizes, 2);
    w.me = (struct dr_verify_me){.target = "production/orders",
                                 .environment = "production",
                                 .agent = "prd-2",
                                 .engine = DROVER__V1__ENGINE__POSTGRESQL};
    memcpy(w.me.signing_key, own[0].msg->target->agent_signing_key.data, 32);
    w.input = (struct dr_verify_input){.me = &w.me,
                                       .trust = &trust,
                                       .bundle = bundle,
                                       .plan = fixture("plan"),
                                       .ready = fixture("ready-payload"),
                                       .backup = fixture("backup-payload"),
                                       .now = NOW};
    OK(&w, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
    assert_true(dr_verdict_is_accepted(&w.verdict));
    assert_false(w.verdict.is_to_run[0]);
    assert_true(w.verdict.is_to_run[1] && w.verdict.is_to_run[2]);
    w.input.now = NOW + 3600; // and no longer than it was signed for
    REFUSED(DR_E_EXPIRED, dr_verify(w.arena, &w.input, &w.verdict, &w.err));
}

#define PER_RELEASE 5

int
main(void)
{
    static const CMUnitTestFunction FUNCTIONS[PER_RELEASE] = {
        fixtures_are_what_was_released,
        trust_of_a_release_verifies_for_ever,
        attestations_of_a_release_verify_for_ever,
        signoffs_of_a_release_verify_for_ever,
        an_approval_of_a_release_is_accepted_for_ever,
    };
    static const char *const NAMES[PER_RELEASE] = {
        "fixtures_are_what_was_released",
        "trust_of_a_release_verifies_for_ever",
        "attestations_of_a_release_verify_for_ever",
        "signoffs_of_a_release_verify_for_ever",
        "an_approval_of_a_release_is_accepted_for_ever",
    };
    static struct CMUnitTest tests[DR_COUNT_OF(RELEASES) * PER_RELEASE];
    const char *folder = getenv("DROVER_MAKE_FIXTURES");
    if (folder != NULL) {
        make_all(folder);
        return 0;
    }
    for (size_t i = 0; i < DR_COUNT_OF(tests); i++) {
        union {
            const char *text;
            void *state;
        } name = {.text = RELEASES[i / PER_RELEASE]};
        tests[i] = (struct CMUnitTest){NAMES[i % PER_RELEASE], FUNCTIONS[i % PER_RELEASE], set_up,
                                       tear_down, name.state};
    }
    return _cmocka_run_group_tests("trust/fixtures", tests, DR_COUNT_OF(tests), NULL, NULL);
}
