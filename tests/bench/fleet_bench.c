// A large fleet for the benches: `fleet IN OUT ENVIRONMENT N` adds N targets to a fleet file for
// drover to sign; `words FLEET STATE` puts what their agents would have signed (READY, BACKUP,
// APPLIED and STATE of each) into the state folder of a droverd that does not run.
#include "bench/many.h"

#include "base/clock.h"
#include "base/file.h"
#include "coordinator/core/events.h"
#include "coordinator/core/store.h"
#include "trust/attest.h"

#include <string.h>

#define MEMORY   (2048u << 20)
#define FILE_MAX (64u << 20)
#define KINDS    4u

static void
need(enum dr_rc rc, const struct dr_err *err)
{
    if (rc != DR_OK) {
        (void)fprintf(stderr, "fleet_bench: %s\n", err->message);
        exit(1);
    }
}

static Drover__V1__Document *
read_fleet(const char *path, Drover__V1__Fleet **out, struct dr_arena *arena)
{
    struct dr_err err = {0};
    struct dr_envelope envelope;
    ProtobufCMessage *message = NULL;
    char *bytes = NULL;
    size_t len = 0;
    need(dr_file_read(path, FILE_MAX, &bytes, &len, &err), &err);
    Drover__V1__Document *document =
        drover__v1__document__unpack(dr_arena_protobuf(arena), len, (const uint8_t *)bytes);
    free(bytes);
    need(dr_envelope_parse((struct dr_bytes){document->envelope.data, document->envelope.len},
                           DR_TYPE_FLEET, &envelope, &err),
         &err);
    need(dr_strict_decode(arena, &drover__v1__fleet__descriptor, envelope.payload, &message, &err),
         &err);
    *out = (Drover__V1__Fleet *)message;
    return document;
}

static Drover__V1__FleetEntry *
entry_of(const Drover__V1__Document *document, size_t i, struct dr_arena *arena)
{
    return drover__v1__fleet_entry__unpack(dr_arena_protobuf(arena), document->parts[i].len,
                                           document->parts[i].data);
}

// ---- fleet

static void
grow(const char *from, const char *to, char *environment, size_t n, struct dr_arena *arena)
{
    struct dr_err err = {0};
    struct dr_bytes payload, *leaves = NULL, wire;
    Drover__V1__Fleet *header = NULL;
    Drover__V1__Document *document = read_fleet(from, &header, arena);
    size_t all = document->n_parts + n;
    Drover__V1__FleetEntry **entries = dr_arena_array(arena, all, sizeof *entries);
    header->version++;
    for (size_t i = 0; i < document->n_parts; i++) {
        entries[i] = entry_of(document, i, arena);
    }
    Drover__V1__DatabaseIdentity identity = DROVER__V1__DATABASE_IDENTITY__INIT;
    Drover__V1__Target like = DROVER__V1__TARGET__INIT;
    like.environment = environment;
    like.engine = DROVER__V1__ENGINE__SQLITE;
    like.identity = &identity;
    like.state = DROVER__V1__TARGET_STATE__ACTIVE;
    for (size_t i = 0; i < n; i++) {
        entries[document->n_parts + i] = many_entry(arena, &like, i);
    }
    need(dr_fleet_draft(arena, *header, entries, all, &payload, &leaves, &err), &err);
    need(dr_envelope_build(arena, DR_TYPE_FLEET, payload, NULL, 0, &wire, &err), &err);
    Drover__V1__Document out = DROVER__V1__DOCUMENT__INIT;
    out.kind = dr_arena_str(arena, DR_TYPE_FLEET);
    out.envelope = dr_data(wire.data, wire.len);
    out.n_parts = all;
    out.parts = dr_arena_array(arena, all, sizeof *out.parts);
    for (size_t i = 0; i < all; i++) {
        out.parts[i] = dr_data(leaves[i].data, leaves[i].len);
    }
    size_t len = drover__v1__document__get_packed_size(&out);
    uint8_t *packed = dr_arena_alloc(arena, len);
    drover__v1__document__pack(&out, packed);
    need(dr_file_write(to, packed, len, 0644, &err), &err);
}

// ---- words

struct speaking {
    struct dr_arena *arena;
    struct dr_store *store;
    struct dr_events *events;
    const Drover__V1__Target *target;
    struct dr_key key;
    struct dr_attest_state state;
};

static void
say(struct speaking *s, Drover__V1__Attestation *msg)
{
    struct dr_err err = {0};
    struct dr_bytes wire;
    struct dr_store_document row = {.kind = DR_TYPE_ATTESTATION, .subkind = (uint32_t)msg->kind};
    const struct dr_event event = {"attestation", msg->target, msg->agent, row.sha256};
    need(dr_attest_build(s->arena, *msg, &s->key, &s->state, &wire, row.sha256, &s->state, &err),
         &err);
    row.envelope = wire;
    row.environment = msg->environment;
    row.target = msg->target;
    row.agent = msg->agent;
    row.version = s->state.counter;
    row.time = msg->time;
    memcpy(row.epoch, s->state.epoch, 16);
    row.log_index = dr_events_next(s->events);
    need(s->store->ops->document_put(s->store, &row, &err), &err);
    need(dr_events_add(s->events, &event, NULL, &err, "word %d at r1", (int)msg->kind), &err);
}

static void
say_all(struct speaking *s, const Drover__V1__Fleet *fleet)
{
    static const Drover__V1__AttestationKind kinds[KINDS] = {
        DROVER__V1__ATTESTATION_KIND__BACKUP, DROVER__V1__ATTESTATION_KIND__READY,
        DROVER__V1__ATTESTATION_KIND__APPLIED, DROVER__V1__ATTESTATION_KIND__STATE};
    Drover__V1__Attestation msg = DROVER__V1__ATTESTATION__INIT;
    Drover__V1__BackupRecord backup = DROVER__V1__BACKUP_RECORD__INIT;
    Drover__V1__Head head = DROVER__V1__HEAD__INIT, *heads[] = {&head};
    uint8_t digests[5][32];
    dr_random(digests, sizeof digests);
    head.id = dr_arena_str(s->arena, "r00000000001");
    head.digest = dr_data(digests[0], 32);
    msg.cluster_id = fleet->cluster_id;
    msg.target = s->target->name;
    msg.environment = s->target->environment;
    msg.agent = s->target->agent;
    msg.engine = s->target->engine;
    msg.n_heads = 1;
    msg.heads = heads;
    msg.fingerprint = dr_data(digests[1], 32);
    msg.ledger_head = dr_data(digests[2], 32);
    msg.nonce = dr_data(digests[3], 32);
    msg.plan_sha256 = dr_data(digests[3], 32);
    msg.approval_sha256 = dr_data(digests[4], 32);
    msg.time = dr_now_unix_s();
    backup.tool = dr_arena_str(s->arena, "sqlite backup 3.40.1");
    backup.location = dr_arena_str(s->arena, "/var/lib/drover/backups/1.db");
    backup.sha256 = dr_data(digests[4], 32);
    backup.size_bytes = 65536;
    backup.finished = msg.time;
    for (size_t k = 0; k < KINDS; k++) {
        msg.kind = kinds[k];
        msg.backup = kinds[k] == DROVER__V1__ATTESTATION_KIND__BACKUP ? &backup : NULL;
        say(s, &msg);
    }
}

static void
speak(const char *fleet_file, const char *state, struct dr_arena *arena)
{
    struct dr_err err = {0};
    Drover__V1__Fleet *fleet = NULL;
    Drover__V1__Document *document = read_fleet(fleet_file, &fleet, arena);
    struct speaking s = {.arena = arena};
    need(dr_store_sqlite_open(state, &s.store, &err), &err);
    need(dr_events_open(s.store, false, &s.events, &err), &err);
    need(s.store->ops->begin(s.store, &err), &err);
    for (size_t i = 0; i < document->n_parts; i++) {
        const Drover__V1__FleetEntry *entry = entry_of(document, i, arena);
        uint64_t number = 0;
        if (entry->target == NULL || strncmp(entry->target->agent, "agent", 5) != 0 ||
            !dr_parse_u64(entry->target->agent + 5, 0, DR_FLEET_ENTRIES_MAX, &number)) {
            continue;
        }
        s.target = entry->target;
        s.state = (struct dr_attest_state){0};
        many_key((size_t)number, &s.key);
        say_all(&s, fleet);
        dr_key_fini(&s.key);
    }
    need(s.store->ops->commit(s.store, &err), &err);
    dr_events_close(&s.events);
    dr_store_close(&s.store);
}

int
main(int argc, char **argv)
{
    uint64_t n = 0;
    struct dr_arena *arena = dr_arena_new(MEMORY);
    if (argc == 6 && strcmp(argv[1], "fleet") == 0 && dr_parse_u64(argv[5], 1, 200000, &n)) {
        grow(argv[2], argv[3], argv[4], (size_t)n, arena);
    } else if (argc == 4 && strcmp(argv[1], "words") == 0) {
        speak(argv[2], argv[3], arena);
    } else {
        (void)fprintf(stderr, "fleet IN OUT ENVIRONMENT N, or words FLEET STATE\n");
        return 2;
    }
    dr_arena_free(&arena);
    return 0;
}
