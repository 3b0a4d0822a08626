// Store: what the coordinator keeps: documents, blobs, rollouts, pushes, the event log, stored
// results. One interface, several backends; only the loop thread calls it.
//
// Everything between begin and commit is durable together, or not at all. A handler replies after
// its commit, so what was acknowledged survives any crash.
#ifndef DR_CORE_STORE_H
#define DR_CORE_STORE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_STORE_VERSION    1 // of the tables; a newer one is refused
#define DR_BLOB_PIECE_MAX   (512u * 1024)
#define DR_BLOB_MAX         (64u << 20)
#define DR_RESULT_KEEP_S    86400 // stored results
#define DR_BLOB_PART_KEEP_S 86400 // uploads that nobody finished
#define DR_LIST_MAX         1000u // rows of one answer

// A signed document. Texts and bytes are borrowed on the way in and live in the arena on the way
// out; NULL texts are "".
struct dr_store_document {
    uint8_t sha256[32]; // of the payload
    const char *kind;   // "drover/root.v1", ...
    struct dr_bytes envelope;
    struct dr_bytes parts; // packed Document with nothing but its parts; empty: none
    const char *environment, *target, *agent;
    uint8_t plan_sha256[32];
    bool has_plan;
    uint32_t subkind;   // attestation or sign-off kind
    uint64_t version;   // root, fleet, chain; counter of an attestation
    uint8_t epoch[16];  // attestation
    int64_t time;       // as signed
    bool is_pending;    // signatures are missing
    uint64_t log_index; // the entry that recorded it
};

// Where an attestation lies, without its bytes.
struct dr_store_word {
    uint8_t sha256[32];
    int64_t time;
    uint64_t version, log_index;
};

// NULL or zero fields do not filter.
struct dr_store_filter {
    const char *kind, *environment, *target;
    const uint8_t *plan_sha256;
    uint32_t subkinds; // bit n: subkind n
    uint64_t after_log_index;
    uint64_t before_log_index; // newest_first: those before it; 0: from the end
    bool only_pending, only_complete, newest_first;
    uint32_t limit; // 0: DR_LIST_MAX
};

struct dr_store_log {
    uint64_t index;
    int64_t time;
    const char *kind, *subject, *text, *actor;
    uint8_t document[32];
    bool has_document;
    uint8_t previous[32], hash[32];
};

struct dr_store_push {
    uint64_t seq;  // per agent, from 1, never used twice
    uint32_t kind; // PushKind
    uint8_t id[16];
    struct dr_bytes body;
};

struct dr_store_result {
    uint8_t caller[32], request_id[16], request_sha256[32];
    struct dr_bytes body;
    int64_t time;
};

// Rows arrive one by one and live until the callback returns; anything but DR_OK ends the walk with
// that error.
typedef enum dr_rc (*dr_store_document_fn)(void *user, const struct dr_store_document *row,
                                           struct dr_err *err);
typedef enum dr_rc (*dr_store_bytes_fn)(void *user, const char *name, struct dr_bytes body,
                                        struct dr_err *err);
typedef enum dr_rc (*dr_store_push_fn)(void *user, const struct dr_store_push *row,
                                       struct dr_err *err);
typedef enum dr_rc (*dr_store_log_fn)(void *user, const struct dr_store_log *row,
                                      struct dr_err *err);

struct dr_store;

// One backend. Each function may block for the disk; errors are DR_E_STORE or what the door says,
// unless named.
struct dr_store_ops {
    void (*close)(struct dr_store *store);
    enum dr_rc (*begin)(struct dr_store *store, struct dr_err *err);
    enum dr_rc (*commit)(struct dr_store *store, struct dr_err *err);
    void (*rollback)(struct dr_store *store); // does nothing outside of a transaction

    // Inserts, or replaces the row with this digest.
    enum dr_rc (*document_put)(struct dr_store *store, const struct dr_store_document *row,
                               struct dr_err *err);
    // DR_E_NOT_FOUND.
    enum dr_rc (*document_get)(struct dr_store *store, const uint8_t sha256[32],
                               struct dr_arena *arena, struct dr_store_document *out,
                               struct dr_err *err);
    // The complete document of this kind and version; version 0: the highest. DR_E_NOT_FOUND.
    enum dr_rc (*document_version)(struct dr_store *store, const char *kind, uint64_t version,
                                   struct dr_arena *arena, struct dr_store_document *out,
                                   struct dr_err *err);
    // The newest attestation of this subkind about a target. DR_E_NOT_FOUND.
    enum dr_rc (*document_latest)(struct dr_store *store, const char *target, uint32_t subkind,
                                  struct dr_arena *arena, struct dr_store_document *out,
                                  struct dr_err *err);
    // The same without its bytes.
    enum dr_rc (*document_latest_word)(struct dr_store *store, const char *target, uint32_t subkind,
                                       struct dr_store_word *out, struct dr_err *err);
    // The attestation of an agent with this epoch and counter. DR_E_NOT_FOUND.
    enum dr_rc (*document_counter)(struct dr_store *store, const char *agent,
                                   const uint8_t epoch[16], uint64_t counter,
                                   struct dr_arena *arena, struct dr_store_document *out,
                                   struct dr_err *err);
    // In the order of the log (or backwards).
    enum dr_rc (*document_list)(struct dr_store *store, const struct dr_store_filter *filter,
                                dr_store_document_fn row, void *user, struct dr_err *err);

    // The piece that begins at `offset`, which must be what was received so far (a piece that is
    // there already is skipped).
    // `*out_received` tells where to go on. With the last piece the digest is compared:
    // DR_E_BLOB_DIGEST throws the upload away. Durable when it returns, outside of transactions.
    // DR_E_LIMIT.
    enum dr_rc (*blob_put)(struct dr_store *store, const uint8_t sha256[32], uint64_t offset,
                           uint64_t total, struct dr_bytes piece, uint64_t *out_received,
                           bool *out_complete, struct dr_err *err);
    // At most DR_BLOB_PIECE_MAX bytes from `offset`. DR_E_NOT_FOUND (also an upload that is not
    // complete), DR_E_INVALID (offset behind the end).
    enum dr_rc (*blob_get)(struct dr_store *store, const uint8_t sha256[32], uint64_t offset,
                           struct dr_arena *arena, struct dr_bytes *out_piece, uint64_t *out_total,
                           struct dr_err *err);
    // All of it. DR_E_NOT_FOUND, DR_E_LIMIT at the arena's cap.
    enum dr_rc (*blob_read)(struct dr_store *store, const uint8_t sha256[32],
                            struct dr_arena *arena, struct dr_bytes *out, struct dr_err *err);

    // Throws a blob away, if it is there.
    void (*blob_drop)(struct dr_store *store, const uint8_t sha256[32]);

    // Submitted revisions, in the order of their arrival; `body` is a packed SubmittedRevision. A
    // put takes the place of the one with the same id.
    enum dr_rc (*revision_put)(struct dr_store *store, const uint8_t digest[32], const char *id,
                               struct dr_bytes body, struct dr_err *err);
    enum dr_rc (*revision_list)(struct dr_store *store, dr_store_bytes_fn row, void *user,
                                struct dr_err *err);

    // Rollouts by number; `body` is a packed Rollout. `only_open` leaves out those that have ended.
    enum dr_rc (*rollout_put)(struct dr_store *store, uint64_t number, const char *id, bool is_open,
                              struct dr_bytes body, struct dr_err *err);
    enum dr_rc (*rollout_list)(struct dr_store *store, bool only_open, dr_store_bytes_fn row,
                               void *user, struct dr_err *err);

    // Adds a push for an agent under its next number. `key` (NULL: none) takes the place of older
    // pushes with the same key.
    enum dr_rc (*push_add)(struct dr_store *store, const char *agent, uint32_t kind,
                           const char *key, const uint8_t id[16], struct dr_bytes body,
                           uint64_t *out_seq, struct dr_err *err);
    // Pushes after `after_seq`, ascending.
    enum dr_rc (*push_list)(struct dr_store *store, const char *agent, uint64_t after_seq,
                            uint32_t limit, dr_store_push_fn row, void *user, struct dr_err *err);
    // Drops all up to and with `seq`.
    enum dr_rc (*push_ack)(struct dr_store *store, const char *agent, uint64_t seq,
                           struct dr_err *err);
    enum dr_rc (*push_drop)(struct dr_store *store, const char *agent, const char *key,
                            struct dr_err *err);

    enum dr_rc (*log_add)(struct dr_store *store, const struct dr_store_log *row,
                          struct dr_err *err);
    // Entries after `after`, at most `limit`; `word` (NULL: any) must be one of the words of the
    // subject.
    enum dr_rc (*log_list)(struct dr_store *store, uint64_t after, uint32_t limit, const char *word,
                           dr_store_log_fn row, void *user, struct dr_err *err);
    // The last entry's index and hash; 0 and zeros for an empty log.
    enum dr_rc (*log_head)(struct dr_store *store, uint64_t *out_index, uint8_t out_hash[32],
                           struct dr_err *err);

    enum dr_rc (*result_get)(struct dr_store *store, const uint8_t caller[32],
                             const uint8_t request_id[16], struct dr_arena *arena,
                             struct dr_store_result *out, struct dr_err *err);
    enum dr_rc (*result_put)(struct dr_store *store, const struct dr_store_result *row,
                             struct dr_err *err);
    // Throws away results and unfinished uploads that are too old at `now`.
    enum dr_rc (*sweep)(struct dr_store *store, int64_t now, struct dr_err *err);
};

// A backend's struct begins with this.
struct dr_store {
    const struct dr_store_ops *ops;
};

// Opens (and makes) the SQLite backend in `folder` and takes its lock. DR_E_STORE_FOLDER (cannot be
// made or written to), DR_E_CONFLICT (another droverd has it), DR_E_STORE_VERSION (written by a
// newer droverd, or not drover's file), DR_E_DB_CORRUPT.
DR_MUST_CHECK enum dr_rc
dr_store_sqlite_open(const char *folder, struct dr_store **out, struct dr_err *err);
// NULL accepted, pointer cleared.
void dr_store_close(struct dr_store **store);

#endif
