// Trusted store. Files in its folder: lock, root-N (envelopes, without gaps), fleet (TrustUpdate
// with fleet and entries, so that both change at once), chain (envelope), clock (decimal seconds).
// After each change everything is read and verified again from disk: what is used is what is
// persisted.
#include "trust/store_inner.h"

#include "base/failpoint.h"
#include "base/file.h"
#include "trust/chain_patch.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC       0x64725453u
#define FILE_MODE   0600
#define FOLDER_MODE 0700
#define TICK_S      60

static struct dr_bytes
bytes_of(ProtobufCBinaryData data)
{
    return (struct dr_bytes){data.data, data.len};
}

// ----------------------------------------------------------------------------------- open

static enum dr_rc
open_folder(struct dr_trust_store *store, struct dr_err *err)
{
    struct dr_buf path = {0};
    DR_TRY(dr_dir_make(store->folder, FOLDER_MODE, err));
    dr_buf_printf(&path, "%s/lock", store->folder);
    enum dr_rc rc = dr_file_lock(path.failed ? "" : path.data, &store->lock_fd, err);
    dr_buf_fini(&path);
    return rc == DR_OK ? dr_store_load(store, &(struct dr_store_known){0}, err) : rc;
}

enum dr_rc
dr_trust_store_open(const char *folder, struct dr_bytes first_root, const uint8_t pinned[32],
                    struct dr_trust_store **out, struct dr_err *err)
{
    struct dr_trust_store *store = calloc(1, sizeof(*store));
    uint8_t *root = malloc(first_root.len + 1);
    char *name = strdup(folder);
    if (!store || !root || !name) {
        free(store);
        free(root);
        free(name);
        return dr_err_set(err, DR_E_NOMEM, "no memory for the trusted store");
    }
    memcpy(root, first_root.data, first_root.len);
    *store = (struct dr_trust_store){.magic = MAGIC,
                                     .folder = name,
                                     .lock_fd = -1,
                                     .arena_cap = DR_STORE_ARENA_CAP,
                                     .looked_at_min = DR_STORE_LOOKED_AT_MIN};
    store->first_root = (struct dr_bytes){root, first_root.len};
    memcpy(store->pinned, pinned, 32);
    enum dr_rc rc = open_folder(store, err);
    if (rc != DR_OK) {
        dr_trust_store_close(&store);
        return rc;
    }
    *out = store;
    return DR_OK;
}

void
dr_trust_store_release(struct dr_trust_store *store)
{
    if (store->lock_fd >= 0) {
        (void)close(store->lock_fd);
        store->lock_fd = -1;
    }
}

void
dr_trust_store_close(struct dr_trust_store **store)
{
    if (*store) {
        struct dr_trust_store *old = *store;
        uint8_t *root = NULL;
        memcpy(&root, &old->first_root.data, sizeof(root));
        dr_trust_store_release(old);
        dr_arena_free(&old->arena);
        free(root);
        free(old->folder);
        old->magic = 0;
        free(old);
        *store = NULL;
    }
}

const struct dr_trust *
dr_trust_store_get(const struct dr_trust_store *store)
{
    return &store->trust;
}

// --------------------------------------------------------------------------------- update

static enum dr_rc
write_document(const char *path, struct dr_bytes bytes, struct dr_err *err)
{
    (void)DR_FAILPOINT("trust-write-before");
    enum dr_rc rc = path ? dr_file_write(path, bytes.data, bytes.len, FILE_MODE, err)
                         : dr_err_set(err, DR_E_LIMIT, "no room for a path");
    (void)DR_FAILPOINT("trust-write-after");
    return rc;
}

// One update in progress; `root` is the newest persisted.
struct update {
    struct dr_trust_store *store;
    struct dr_arena *arena;
    const Drover__V1__TrustUpdate *msg;
    int64_t now, seen;
    struct dr_root root;
    struct dr_store_known known; // the fleet held, then the one just verified
    bool changed;
};

static enum dr_rc
check_issued(struct update *update, int64_t issued, const char *what, struct dr_err *err)
{
    if (issued > update->now + DR_CLOCK_SKEW_S) {
        char when[32], now[32];
        dr_format_time(when, issued);
        dr_format_time(now, update->now);
        return dr_err_set(err, DR_E_NOT_YET, "the %s was issued at %s, this host's clock says %s",
                          what, when, now);
    }
    update->seen = issued > update->seen ? issued : update->seen;
    return DR_OK;
}

static bool
is_held_root(const struct dr_trust_store *store, struct dr_bytes wire)
{
    struct dr_envelope envelope;
    bool is_held = false;
    if (dr_envelope_parse(wire, DR_TYPE_ROOT, &envelope, NULL) == DR_OK) {
        for (size_t i = 0; i < store->n_roots; i++) {
            is_held = is_held || memcmp(store->root_names[i], envelope.sha256, 32) == 0;
        }
    }
    return is_held;
}

static enum dr_rc
update_roots(struct update *update, struct dr_err *err)
{
    for (size_t i = 0; i < update->msg->n_roots; i++) {
        struct dr_bytes wire = bytes_of(update->msg->roots[i]);
        struct dr_root next;
        if (is_held_root(update->store, wire)) {
            continue;
        }
        DR_TRY(dr_root_next(update->arena, &update->root, wire, &next, err));
        DR_TRY(check_issued(update, next.msg->issued, "root", err));
        DR_TRY(write_document(dr_store_root_path(update->store, update->arena, next.msg->version),
                              next.wire, err));
        update->root = next;
        update->changed = true;
    }
    return dr_root_check_time(update->root.msg, update->now, err);
}

static enum dr_rc
write_fleet(struct update *update, const struct dr_fleet *fleet, struct dr_err *err)
{
    Drover__V1__TrustUpdate file;
    drover__v1__trust_update__init(&file);
    file.fleet = dr_data(fleet->wire.data, fleet->wire.len);
    file.entries = update->msg->entries;
    file.n_entries = update->msg->n_entries;
    size_t len = drover__v1__trust_update__get_packed_size(&file);
    uint8_t *packed = dr_arena_alloc(update->arena, len);
    if (!packed) {
        return dr_err_set(err, DR_E_LIMIT, "no room for a fleet of %zu bytes", len);
    }
    drover__v1__trust_update__pack(&file, packed);
    if (len == update->store->fleet_file.len &&
        memcmp(packed, update->store->fleet_file.data, len) == 0) {
        return DR_OK;
    }
    update->changed = true;
    return write_document(dr_store_path(update->store, update->arena, "fleet"),
                          (struct dr_bytes){packed, len}, err);
}

static enum dr_rc
update_fleet(struct update *update, struct dr_err *err)
{
    const struct dr_fleet *held = &update->store->held_fleet;
    struct dr_fleet fleet;
    struct dr_fleet_entry *entries = NULL;
    bool is_whole = false;
    if (update->msg->fleet.len == 0) {
        return DR_OK;
    }
    DR_TRY(dr_fleet_load(update->arena, &update->root, bytes_of(update->msg->fleet), &fleet, err));
    DR_TRY(check_issued(update, fleet.msg->issued, "fleet", err));
    if (held->msg) {
        DR_TRY(dr_fleet_follows(held->msg, held->sha256, &fleet, err));
    }
    DR_TRY(dr_fleet_check_time(fleet.msg, update->now, err));
    DR_TRY(dr_store_entries(update->arena, &fleet, update->msg->entries, update->msg->n_entries,
                            &update->known, &entries, &is_whole, err));
    update->known = (struct dr_store_known){entries, update->msg->n_entries, false};
    bool is_same = held->msg && memcmp(held->sha256, fleet.sha256, 32) == 0;
    return is_same && update->msg->n_entries == 0 ? DR_OK : write_fleet(update, &fleet, err);
}

static enum dr_rc
update_chain(struct update *update, struct dr_err *err)
{
    const struct dr_chain *held = &update->store->held_chain;
    struct dr_bytes wire = bytes_of(update->msg->chain);
    struct dr_chain chain;
    if (wire.len == 0 && update->msg->chain_patch) {
        DR_TRY(dr_chain_patch_apply(update->arena, held, update->msg->chain_patch, &wire, err));
    }
    if (wire.len == 0) {
        return DR_OK;
    }
    DR_TRY(dr_chain_load(update->arena, &update->root, wire, &chain, err));
    DR_TRY(check_issued(update, chain.msg->issued, "chain", err));
    if (held->msg) {
        DR_TRY(dr_chain_follows(held, &chain, err));
        if (memcmp(held->sha256, chain.sha256, 32) == 0 && update->store->trust.chain.msg) {
            return DR_OK;
        }
    }
    update->changed = true;
    return write_document(dr_store_path(update->store, update->arena, "chain"), chain.wire, err);
}

static enum dr_rc
check_size(const Drover__V1__TrustUpdate *msg, struct dr_err *err)
{
    size_t total = msg->fleet.len + msg->chain.len;
    if (msg->n_roots > DR_ROOTS_PER_UPDATE_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "%zu roots in one update, at most %u", msg->n_roots,
                          DR_ROOTS_PER_UPDATE_MAX);
    }
    for (size_t i = 0; i < msg->n_roots; i++) {
        total += msg->roots[i].len;
    }
    for (size_t i = 0; i < msg->n_entries && i < DR_STORE_ENTRIES_MAX; i++) {
        total += msg->entries[i]->leaf.len + 32 * msg->entries[i]->n_path;
    }
    if (total > DR_UPDATE_MAX || msg->n_entries > DR_STORE_ENTRIES_MAX) {
        return dr_err_set(err, DR_E_BUNDLE_SIZE, "an update of %zu bytes and %zu entries", total,
                          msg->n_entries);
    }
    return DR_OK;
}

enum dr_rc
dr_trust_store_update(struct dr_trust_store *store, const Drover__V1__TrustUpdate *msg, int64_t now,
                      bool *out_changed, struct dr_err *err)
{
    if (store->lock_fd < 0) {
        return dr_err_set(err, DR_E_CONFLICT, "the folder '%s' was released", store->folder);
    }
    DR_TRY(check_size(msg, err));
    DR_TRY(dr_trust_check_clock(&store->trust, now, err));
    struct update update = {.store = store,
                            .arena = dr_arena_new(store->arena_cap),
                            .msg = msg,
                            .now = now,
                            .root = store->trust.root,
                            .known = {store->trust.entries, store->trust.n_entries}};
    enum dr_rc rc = update.arena ? update_roots(&update, err)
                                 : dr_err_set(err, DR_E_NOMEM, "no memory for an update");
    rc = rc == DR_OK ? update_fleet(&update, err) : rc;
    rc = rc == DR_OK ? update_chain(&update, err) : rc;
    // What was persisted before a failure is used all the same.
    struct dr_err later = {0};
    enum dr_rc reload = update.changed ? dr_store_load(store, &update.known, &later) : DR_OK;
    reload = reload == DR_OK && update.changed ? dr_trust_store_tick(store, update.seen, &later)
                                               : reload;
    dr_arena_free(&update.arena);
    if (rc == DR_OK && reload != DR_OK) {
        return dr_err_set(err, reload, "%s", later.message);
    }
    *out_changed = update.changed;
    return rc;
}

enum dr_rc
dr_trust_store_export(const struct dr_trust_store *store, struct dr_arena *arena,
                      Drover__V1__TrustUpdate **out, struct dr_err *err)
{
    Drover__V1__TrustUpdate *msg = dr_arena_alloc(arena, sizeof(*msg));
    struct dr_bytes file = store->fleet_file;
    ProtobufCBinaryData *roots = dr_arena_array(arena, store->n_roots, sizeof(*roots));
    if (msg && file.len > 0) {
        msg = drover__v1__trust_update__unpack(dr_arena_protobuf(arena), file.len, file.data);
    } else if (msg) {
        drover__v1__trust_update__init(msg);
    }
    if (!msg || !roots) {
        return dr_err_set(err, DR_E_LIMIT, "no room for the trusted state");
    }
    const struct dr_chain *chain = &store->trust.chain;
    msg->chain = chain->msg ? dr_data(chain->wire.data, chain->wire.len) : msg->chain;
    for (size_t i = 1; i < store->n_roots; i++) {
        struct dr_bytes wire;
        uint64_t version = store->trust.root.msg->version - (store->n_roots - 1) + i;
        DR_TRY(dr_store_read(arena, dr_store_root_path(store, arena, version), DR_ENVELOPE_MAX,
                             &wire, err));
        roots[msg->n_roots++] = dr_data(wire.data, wire.len);
    }
    msg->roots = roots;
    *out = msg;
    return DR_OK;
}

enum dr_rc
dr_trust_check_clock(const struct dr_trust *trust, int64_t now, struct dr_err *err)
{
    if (now < trust->clock_high - DR_CLOCK_SKEW_S) {
        char here[32], seen[32];
        dr_format_time(here, now);
        dr_format_time(seen, trust->clock_high);
        return dr_err_set(err, DR_E_CLOCK_BACK,
                          "this host's clock says %s, a signed document says %s", here, seen);
    }
    return DR_OK;
}

static enum dr_rc
write_clock(struct dr_trust_store *store, int64_t seen, struct dr_err *err)
{
    struct dr_buf path = {0}, text = {0};
    dr_buf_printf(&text, "%" PRId64, seen);
    dr_buf_printf(&path, "%s/clock", store->folder);
    enum dr_rc rc = dr_file_write(path.failed || text.failed ? "" : path.data, text.data, text.len,
                                  FILE_MODE, err);
    store->trust.clock_high = rc == DR_OK ? seen : store->trust.clock_high;
    dr_buf_fini(&path);
    dr_buf_fini(&text);
    return rc;
}

enum dr_rc
dr_trust_store_tick(struct dr_trust_store *store, int64_t seen, struct dr_err *err)
{
    int64_t from = store->trust.root.msg->issued > store->trust.clock_high
                       ? store->trust.root.msg->issued
                       : store->trust.clock_high;
    seen = seen > from + DR_CLOCK_JUMP_MAX_S ? from + DR_CLOCK_JUMP_MAX_S : seen;
    return seen < store->trust.clock_high + TICK_S ? DR_OK : write_clock(store, seen, err);
}

enum dr_rc
dr_trust_store_reset_clock(struct dr_trust_store *store, struct dr_err *err)
{
    return store->lock_fd >= 0
               ? write_clock(store, 0, err)
               : dr_err_set(err, DR_E_CONFLICT, "the folder '%s' was released", store->folder);
}
