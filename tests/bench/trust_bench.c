// Times trust: `make DIR` writes a production bundle with all that an agent needs to check it (a
// fleet of 10,000 targets, a chain of 1,000 revisions, 20 pieces of evidence), `verify DIR` checks
// it as exec does and prints "milliseconds MiB", `fleet IN OUT ENVIRONMENT N` adds N targets to a
// fleet file for drover to sign.
#include "unit/trust/world.h"

#include "base/clock.h"
#include "base/file.h"
#include "trust/store.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MANY     10000u
#define CHAIN    1000u
#define PIECES   20u
#define ROUNDS   21u
#define FILE_MAX (64u << 20)

static double
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

static void
write_part(struct world *w, const char *folder, const char *name, struct dr_bytes bytes)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    OK(w, dr_file_write(path, bytes.data, bytes.len, 0600, &w->err));
}

static struct dr_bytes
read_part(struct world *w, const char *folder, const char *name)
{
    char path[PATH_MAX];
    char *bytes = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s%s%s", folder, folder[0] ? "/" : "", name);
    OK(w, dr_file_read(path, FILE_MAX, &bytes, &len, &w->err));
    return (struct dr_bytes){(const uint8_t *)bytes, len};
}

// ---- make

static Drover__V1__FleetEntry *
one_more(struct dr_arena *arena, const Drover__V1__Target *like, size_t i)
{
    Drover__V1__Target *target = dr_arena_copy(arena, like, sizeof *target);
    Drover__V1__FleetEntry *entry = dr_arena_alloc(arena, sizeof *entry);
    uint8_t *transport = dr_arena_alloc(arena, 32);
    struct dr_key key;
    drover__v1__fleet_entry__init(entry);
    if (dr_key_generate(DR_KEY_SIGNING, &key, NULL) != DR_OK) {
        exit(1);
    }
    dr_random(transport, 32);
    target->name = dr_arena_printf(arena, "%s/db%05zu", like->environment, i);
    target->agent = dr_arena_printf(arena, "agent%05zu", i);
    target->agent_signing_key = dr_data(dr_arena_copy(arena, key.public_key, 32), 32);
    target->agent_transport_key = dr_data(transport, 32);
    dr_key_fini(&key);
    entry->target = target;
    return entry;
}

static void
long_chain(struct world *w)
{
    Drover__V1__ChainEntry **entries = dr_arena_array(w->arena, CHAIN, sizeof *entries);
    memcpy(entries, w->chain_entry_p, 3 * sizeof *entries);
    for (size_t i = 3; i < CHAIN; i++) {
        uint8_t *digest = dr_arena_alloc(w->arena, 32);
        dr_random(digest, 32);
        entries[i] = dr_arena_copy(w->arena, w->chain_entry_p[2], sizeof **entries);
        entries[i]->revision_id = dr_arena_printf(w->arena, "%012zx", i);
        entries[i]->digest = dr_data(digest, 32);
        entries[i]->parents =
            dr_arena_copy(w->arena, &entries[i - 1]->digest, sizeof(ProtobufCBinaryData));
        entries[i]->n_parents = 1;
    }
    w->chain_msg.entries = entries;
    w->chain_msg.n_entries = CHAIN;
}

static Drover__V1__ProvenEntry *
prove(struct world *w, const struct dr_merkle_tree *tree, const struct dr_fleet_entry *all,
      size_t n, const char *target)
{
    const struct dr_fleet_entry *entry = dr_fleet_target(all, n, target);
    Drover__V1__ProvenEntry *proven = NULL;
    entry = entry ? entry : dr_fleet_environment(all, n, target);
    OK(w, dr_proven_make(w->arena, tree, entry->leaf, entry->index, &proven, &w->err));
    return proven;
}

// The same entries among 10,000 others: the leaves that the approval names stay what they are.
static void
large_fleet(struct world *w, Drover__V1__TrustUpdate *update)
{
    size_t n = MANY + TARGETS + ENVIRONMENTS;
    Drover__V1__FleetEntry **entries = dr_arena_array(w->arena, n, sizeof *entries);
    struct dr_bytes payload, *leaves = NULL;
    struct dr_fleet_entry *all = NULL;
    struct dr_merkle_tree tree;
    struct dr_fleet fleet;
    memcpy(entries, w->entry_p, sizeof w->entry_p);
    for (size_t i = 0; i < MANY; i++) {
        entries[TARGETS + ENVIRONMENTS + i] = one_more(w->arena, &w->target[STG_ORDERS], i);
    }
    OK(w, dr_fleet_draft(w->arena, w->fleet_msg, entries, n, &payload, &leaves, &w->err));
    struct dr_bytes wire = sign_by_two(w, DR_TYPE_FLEET, payload);
    OK(w, dr_fleet_load(w->arena, &w->root, wire, &fleet, &w->err));
    OK(w, dr_fleet_entries_check(w->arena, &fleet, leaves, n, &all, &w->err));
    OK(w, dr_merkle_build(w->arena, leaves, n, &tree, &w->err));
    update->fleet = data_of(wire);
    update->entries = dr_arena_array(w->arena, 2, sizeof *update->entries);
    update->n_entries = 2;
    update->entries[0] = prove(w, &tree, all, n, "production/orders");
    update->entries[1] = prove(w, &tree, all, n, "production");
    for (size_t i = 0, k = 0; i < TARGETS; i++) {
        if (i != PRD_ORDERS) {
            w->bundle.evidence_entries[k++] = prove(w, &tree, all, n, w->target[i].name);
        }
    }
}

static void
more_evidence(struct world *w)
{
    ProtobufCBinaryData *evidence = dr_arena_array(w->arena, PIECES, sizeof *evidence);
    memcpy(evidence, w->bundle.evidence, w->bundle.n_evidence * sizeof *evidence);
    while (w->bundle.n_evidence < PIECES) {
        Drover__V1__Attestation msg = w->evidence_msg[E_STOCK_STATE];
        uint8_t sha256[32];
        evidence[w->bundle.n_evidence++] =
            data_of(sign_attestation(w, &msg, &w->agent[STG_STOCK], STG_STOCK, sha256));
    }
    w->bundle.evidence = evidence;
}

static void
make(const char *folder)
{
    static struct world w;
    Drover__V1__TrustUpdate update = DROVER__V1__TRUST_UPDATE__INIT;
    world_begin(&w);
    long_chain(&w);
    world_sign(&w);
    large_fleet(&w, &update);
    more_evidence(&w);
    update.chain = data_of(w.chain.wire);
    w.bundle.trust = &update;
    write_part(&w, folder, "root", w.root.wire);
    write_part(&w, folder, "bundle", packed(&w, &w.bundle.base));
    write_part(&w, folder, "plan", w.plan_bytes);
    write_part(&w, folder, "ready", w.ready);
    write_part(&w, folder, "backup", w.backup);
    write_part(&w, folder, "key", (struct dr_bytes){w.agent[PRD_ORDERS].public_key, 32});
}

// ---- verify

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double
resident_mib(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "VmHWM: %lu", &kib) == 1) {
            break;
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return (double)kib / 1024;
}

static void
verify(const char *folder)
{
    static struct world w;
    struct dr_trust_store *store = NULL;
    char path[PATH_MAX];
    uint8_t pin[32];
    double took[ROUNDS];
    struct dr_bytes root = read_part(&w, folder, "root"), wire = read_part(&w, folder, "bundle");
    struct dr_verify_me me = {.target = "production/orders",
                              .environment = "production",
                              .agent = "prd-2",
                              .engine = DROVER__V1__ENGINE__POSTGRESQL};
    memcpy(me.signing_key, read_part(&w, folder, "key").data, 32);
    struct dr_verify_input input = {.me = &me, .now = NOW};
    input.plan = read_part(&w, folder, "plan");
    input.ready = read_part(&w, folder, "ready");
    input.backup = read_part(&w, folder, "backup");
    (void)snprintf(path, sizeof path, "%s/store", folder);
    dr_sha256(root, pin);
    OK(&w, dr_trust_store_open(path, root, pin, &store, &w.err));
    for (size_t i = 0; i < ROUNDS; i++) { // the first one also writes
        double before = now_ms();
        bool changed = false;
        struct dr_verdict verdict = {0};
        struct dr_arena *arena = dr_arena_new(FILE_MAX);
        input.bundle = drover__v1__bundle__unpack(dr_arena_protobuf(arena), wire.len, wire.data);
        OK(&w, dr_trust_store_update(store, input.bundle->trust, NOW, &changed, &w.err));
        input.trust = dr_trust_store_get(store);
        OK(&w, dr_verify(arena, &input, &verdict, &w.err));
        took[i] = now_ms() - before;
        dr_arena_free(&arena);
    }
    qsort(took + 1, ROUNDS - 1, sizeof took[0], by_size);
    printf("%.2f %.1f %.2f\n", took[ROUNDS / 2], resident_mib(), took[0]);
    dr_trust_store_close(&store);
}

// ---- fleet

static void
grow(const char *from, const char *to, const char *environment, size_t n)
{
    static struct world w;
    struct dr_envelope envelope;
    struct dr_bytes payload, *leaves = NULL, wire;
    ProtobufCMessage *message = NULL;
    w.arena = dr_arena_new(512u << 20);
    struct dr_bytes file = read_part(&w, "", from);
    Drover__V1__Document *document = drover__v1__document__unpack(NULL, file.len, file.data);
    Drover__V1__FleetEntry **entries =
        dr_arena_array(w.arena, document->n_parts + n, sizeof *entries);
    OK(&w, dr_envelope_parse((struct dr_bytes){document->envelope.data, document->envelope.len},
                             DR_TYPE_FLEET, &envelope, &w.err));
    OK(&w, dr_strict_decode(w.arena, &drover__v1__fleet__descriptor, envelope.payload, &message,
                            &w.err));
    Drover__V1__Fleet header = *(const Drover__V1__Fleet *)(const void *)message;
    header.version++;
    for (size_t i = 0; i < document->n_parts; i++) {
        entries[i] =
            drover__v1__fleet_entry__unpack(NULL, document->parts[i].len, document->parts[i].data);
    }
    Drover__V1__DatabaseIdentity identity = DROVER__V1__DATABASE_IDENTITY__INIT;
    Drover__V1__Target like = DROVER__V1__TARGET__INIT;
    like.environment = word(&w, environment);
    like.engine = DROVER__V1__ENGINE__SQLITE;
    like.identity = &identity;
    like.state = DROVER__V1__TARGET_STATE__ACTIVE;
    for (size_t i = 0; i < n; i++) {
        entries[document->n_parts + i] = one_more(w.arena, &like, i);
    }
    OK(&w,
       dr_fleet_draft(w.arena, header, entries, document->n_parts + n, &payload, &leaves, &w.err));
    OK(&w, dr_envelope_build(w.arena, DR_TYPE_FLEET, payload, NULL, 0, &wire, &w.err));
    Drover__V1__Document out = DROVER__V1__DOCUMENT__INIT;
    out.kind = word(&w, DR_TYPE_FLEET);
    out.envelope = data_of(wire);
    out.n_parts = document->n_parts + n;
    out.parts = dr_arena_array(w.arena, out.n_parts, sizeof *out.parts);
    for (size_t i = 0; i < out.n_parts; i++) {
        out.parts[i] = data_of(leaves[i]);
    }
    struct dr_bytes packed_out = packed(&w, &out.base);
    OK(&w, dr_file_write(to, packed_out.data, packed_out.len, 0644, &w.err));
}

int
main(int argc, char **argv)
{
    uint64_t n = 0;
    if (argc == 3 && strcmp(argv[1], "make") == 0) {
        make(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "verify") == 0) {
        verify(argv[2]);
    } else if (argc == 6 && strcmp(argv[1], "fleet") == 0 && dr_parse_u64(argv[5], 1, 200000, &n)) {
        grow(argv[2], argv[3], argv[4], (size_t)n);
    } else {
        (void)fprintf(stderr, "make DIR, verify DIR, or fleet IN OUT ENVIRONMENT N\n");
        return 2;
    }
    return 0;
}
