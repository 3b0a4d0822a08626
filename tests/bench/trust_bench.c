// Times trust: `make DIR` writes a production bundle with all that an agent needs to check it (a
// fleet of 10,000 targets, a chain of 1,000 revisions, 20 pieces of evidence), `verify DIR` checks
// it as exec does and prints "milliseconds MiB".
#include "bench/many.h"
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
        entries[TARGETS + ENVIRONMENTS + i] = many_entry(w->arena, &w->target[STG_ORDERS], i);
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

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "make") == 0) {
        make(argv[2]);
    } else if (argc == 3 && strcmp(argv[1], "verify") == 0) {
        verify(argv[2]);
    } else {
        (void)fprintf(stderr, "make DIR or verify DIR\n");
        return 2;
    }
    return 0;
}
