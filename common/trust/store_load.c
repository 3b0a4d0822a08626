// Reading the trusted store back: everything is verified again from the first root on.
#include "trust/store_inner.h"

#include "base/file.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROOTS_MAX  1000u
#define CLOCK_TEXT 24u

static struct dr_bytes
bytes_of(ProtobufCBinaryData data)
{
    return (struct dr_bytes){data.data, data.len};
}

const char *
dr_store_path(const struct dr_trust_store *store, struct dr_arena *arena, const char *name)
{
    return dr_arena_printf(arena, "%s/%s", store->folder, name);
}

const char *
dr_store_root_path(const struct dr_trust_store *store, struct dr_arena *arena, uint64_t version)
{
    return dr_arena_printf(arena, "%s/root-%" PRIu64, store->folder, version);
}

enum dr_rc
dr_store_read(struct dr_arena *arena, const char *path, size_t max, struct dr_bytes *out,
              struct dr_err *err)
{
    char *content = NULL;
    *out = (struct dr_bytes){0};
    if (!path) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a path");
    }
    if (!dr_path_exists(path)) {
        return DR_OK;
    }
    DR_TRY(dr_file_read(path, max, &content, &out->len, err));
    out->data = dr_arena_copy(arena, content, out->len);
    free(content);
    return out->data ? DR_OK : dr_err_set(err, DR_E_LIMIT, "no room for '%s'", path);
}

// --------------------------------------------------------------------------- what is held

static enum dr_rc
load_roots(struct dr_trust_store *store, struct dr_err *err)
{
    struct dr_root root, next;
    struct dr_bytes wire;
    DR_TRY(dr_root_first(store->arena, store->first_root, store->pinned, &root, err));
    store->root_names = dr_arena_array(store->arena, ROOTS_MAX, 32);
    store->n_roots = 0;
    if (!store->root_names) {
        return dr_err_set(err, DR_E_LIMIT, "no room for the roots");
    }
    for (;;) {
        memcpy(store->root_names[store->n_roots++], root.sha256, 32);
        const char *path = dr_store_root_path(store, store->arena, root.msg->version + 1);
        DR_TRY(dr_store_read(store->arena, path, DR_ENVELOPE_MAX, &wire, err));
        if (wire.len == 0 || store->n_roots == ROOTS_MAX) { // GCOVR_EXCL_BR_LINE a thousand roots
            break;
        }
        DR_TRY(dr_root_next(store->arena, &root, wire, &next, err));
        root = next;
    }
    store->trust.root = root;
    return DR_OK;
}

enum dr_rc
dr_store_entries(struct dr_arena *arena, const struct dr_fleet *fleet,
                 Drover__V1__ProvenEntry *const *proven, size_t n,
                 const struct dr_store_known *known, struct dr_fleet_entry **out, bool *out_whole,
                 struct dr_err *err)
{
    bool is_whole = n == fleet->msg->entries_count;
    for (size_t i = 0; i < n; i++) {
        is_whole = is_whole && proven[i]->n_path == 0;
    }
    struct dr_fleet_entry *entries = dr_arena_array(arena, n, sizeof(*entries));
    struct dr_bytes *leaves = dr_arena_array(arena, n, sizeof(*leaves));
    if (!entries || !leaves) {
        return dr_err_set(err, DR_E_LIMIT, "no room for %zu fleet entries", n);
    }
    for (size_t i = 0; i < n; i++) {
        leaves[i] = bytes_of(proven[i]->leaf);
        if (!is_whole) {
            DR_TRY(dr_fleet_entry_prove(arena, fleet, proven[i], &entries[i], err));
        }
    }
    if (is_whole && known->is_all) {
        DR_TRY(dr_fleet_entries_check_again(arena, fleet, leaves, n, &entries, err));
    } else if (is_whole) {
        DR_TRY(dr_fleet_entries_check_next(arena, fleet, leaves, n, known->entries, known->n,
                                           &entries, err));
    }
    *out = entries;
    *out_whole = is_whole;
    return DR_OK;
}

// The file that names the fleet, and the root it was verified under, whose agents' keys were all
// looked at. Whoever could write it could as well put an older fleet there; what people sign and
// the Merkle root are verified all the same.
static void
looked_at_name(const struct dr_trust *trust, uint8_t out[32])
{
    static const char what[] = "drover/looked-at.v1";
    uint8_t bytes[sizeof(what) + 64];
    memcpy(bytes, what, sizeof(what));
    memcpy(bytes + sizeof(what), trust->root.sha256, 32);
    memcpy(bytes + sizeof(what) + 32, trust->fleet.sha256, 32);
    dr_sha256((struct dr_bytes){bytes, sizeof(bytes)}, out);
}

static bool
was_looked_at(const char *path, const uint8_t name[32])
{
    char *content = NULL;
    size_t len = 0;
    bool is_it = dr_file_read_own(path, 32, &content, &len, NULL) == DR_OK && len == 32 &&
                 memcmp(content, name, 32) == 0;
    free(content);
    return is_it;
}

static enum dr_rc
load_entries(struct dr_trust_store *store, const Drover__V1__TrustUpdate *file,
             const struct dr_store_known *known, struct dr_err *err)
{
    struct dr_trust *trust = &store->trust;
    struct dr_fleet_entry *entries = NULL;
    struct dr_store_known all = *known;
    const char *path = dr_store_path(store, store->arena, "looked-at");
    uint8_t name[32];
    bool is_large = file->n_entries >= store->looked_at_min;
    if (!path) {
        return dr_err_set(err, DR_E_LIMIT, "no room for the path of a note");
    }
    looked_at_name(trust, name);
    all.is_all = is_large && was_looked_at(path, name);
    DR_TRY(dr_store_entries(store->arena, &trust->fleet, file->entries, file->n_entries, &all,
                            &entries, &trust->is_fleet_whole, err));
    if (is_large && trust->is_fleet_whole && !all.is_all) {
        (void)!dr_file_write(path, name, sizeof(name), 0600, NULL); // without it, time is lost
    }
    trust->entries = entries;
    trust->n_entries = file->n_entries;
    return DR_OK;
}

// A fleet whose signers the newest root no longer names is held for its version, nothing more.
static enum dr_rc
load_fleet(struct dr_trust_store *store, const struct dr_store_known *known, struct dr_err *err)
{
    struct dr_trust *trust = &store->trust;
    struct dr_envelope envelope;
    ProtobufCMessage *message = NULL;
    const char *path = dr_store_path(store, store->arena, "fleet");
    DR_TRY(dr_store_read(store->arena, path, DR_UPDATE_MAX, &store->fleet_file, err));
    if (store->fleet_file.len == 0) {
        return DR_OK;
    }
    Drover__V1__TrustUpdate *file = drover__v1__trust_update__unpack(
        dr_arena_protobuf(store->arena), store->fleet_file.len, store->fleet_file.data);
    if (!file) {
        return dr_err_set(err, DR_E_BAD_FLEET, "'%s' is damaged", path);
    }
    DR_TRY(dr_envelope_copy(store->arena, bytes_of(file->fleet), DR_TYPE_FLEET, &envelope, err));
    DR_TRY(dr_strict_decode(store->arena, &drover__v1__fleet__descriptor, envelope.payload,
                            &message, err));
    store->held_fleet.msg = (const Drover__V1__Fleet *)message;
    memcpy(store->held_fleet.sha256, envelope.sha256, 32);
    enum dr_rc rc =
        dr_fleet_load(store->arena, &trust->root, bytes_of(file->fleet), &trust->fleet, err);
    if (rc != DR_OK) {
        return rc == DR_E_QUORUM ? DR_OK : rc;
    }
    return load_entries(store, file, known, err);
}

static enum dr_rc
load_chain(struct dr_trust_store *store, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_bytes wire;
    const char *path = dr_store_path(store, store->arena, "chain");
    DR_TRY(dr_store_read(store->arena, path, DR_ENVELOPE_MAX, &wire, err));
    if (wire.len == 0) {
        return DR_OK;
    }
    DR_TRY(dr_envelope_copy(store->arena, wire, DR_TYPE_CHAIN, &envelope, err));
    DR_TRY(dr_chain_decode(store->arena, envelope.payload, &store->held_chain, err));
    store->held_chain.wire = envelope.wire;
    enum dr_rc rc = dr_chain_load(store->arena, &store->trust.root, wire, &store->trust.chain, err);
    return rc == DR_E_QUORUM ? DR_OK : rc;
}

static enum dr_rc
load_clock(struct dr_trust_store *store, struct dr_err *err)
{
    struct dr_bytes file;
    uint64_t seen = 0;
    const char *path = dr_store_path(store, store->arena, "clock");
    DR_TRY(dr_store_read(store->arena, path, CLOCK_TEXT, &file, err));
    char text[CLOCK_TEXT + 1] = "0";
    memcpy(text, file.data ? file.data : (const uint8_t *)"0", file.data ? file.len : 1);
    if (!dr_parse_u64(text, 0, INT64_MAX, &seen)) {
        return dr_err_set(err, DR_E_IO, "'%s' is damaged", path);
    }
    store->trust.clock_high = (int64_t)seen;
    return DR_OK;
}

enum dr_rc
dr_store_load(struct dr_trust_store *store, const struct dr_store_known *known, struct dr_err *err)
{
    struct dr_trust_store fresh = *store;
    fresh.trust = (struct dr_trust){0};
    fresh.held_fleet = (struct dr_fleet){0};
    fresh.held_chain = (struct dr_chain){0};
    fresh.arena = dr_arena_new(store->arena_cap);
    enum dr_rc rc = fresh.arena ? load_roots(&fresh, err)
                                : dr_err_set(err, DR_E_NOMEM, "no memory for the trusted store");
    rc = rc == DR_OK ? load_fleet(&fresh, known, err) : rc;
    rc = rc == DR_OK ? load_chain(&fresh, err) : rc;
    rc = rc == DR_OK ? load_clock(&fresh, err) : rc;
    if (rc != DR_OK) {
        dr_arena_free(&fresh.arena);
        return dr_err_wrap(err, "trusted store '%s'", store->folder);
    }
    dr_arena_free(&store->arena);
    *store = fresh;
    return DR_OK;
}
