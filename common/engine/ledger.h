// The ledger: what was done to a database, kept in that database, one row per unit, each row
// chained to the one before.
//
// PostgreSQL keeps it in schema `drover`, SQLite in tables `drover_*`; one ledger per database,
// keyed by tenant ("" is the plain one). Tables of version 1:
//   meta      key, value                   'version' of these tables; 'owner' (agent's name) and
//   'owner_key' (hex) ledger    tenant, position, ...        append-only; see struct dr_ledger_row;
//   xid and time are the server's defaults revision  tenant, id, digest, ...      the revisions
//   that are there now, kept in the same transaction as the row;
//                                          `is_head` has a partial index, so one indexed query
//                                          tells a tenant's version
#ifndef DR_ENGINE_LEDGER_H
#define DR_ENGINE_LEDGER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_LEDGER_VERSION     1u
#define DR_LEDGER_ID_MAX      64u      // bytes of a revision's id
#define DR_LEDGER_TENANT_MAX  200u     // bytes of a tenant's name
#define DR_LEDGER_PARENTS_MAX 64u      // parents of one revision
#define DR_LEDGER_ROWS_MAX    1000000u // rows that a full check reads

enum dr_ledger_kind {
    DR_LEDGER_DONE = 1,   // a unit was done
    DR_LEDGER_INTENT = 2, // a unit outside a transaction is about to begin
    DR_LEDGER_STAMP = 3,  // a revision was recorded without running it
    DR_LEDGER_FAILED = 4, // what an intent announced failed and left nothing
};
enum dr_ledger_direction { DR_LEDGER_UP = 1, DR_LEDGER_DOWN = 2, DR_LEDGER_REMEDY = 3 };

// One row, complete before it is sent: `head` covers what the client knows and nothing that the
// server adds.
struct dr_ledger_row {
    const char *tenant;
    uint64_t position; // from 1, without gaps
    enum dr_ledger_kind kind;
    enum dr_ledger_direction direction;
    const char *revision_id;
    uint8_t revision_digest[32];
    size_t parents_count;
    const uint8_t (*parents)[32]; // digests
    uint32_t
        unit_number; // index in the plan's PlanRevision.units; UINT32_MAX: a revision without units
    uint8_t unit_digest[32]; // zero for a revision without units
    bool completes;          // with this row the revision is there (UP, STAMP) or gone (DOWN)
    uint8_t plan_sha256[32];
    uint8_t approval_sha256[32]; // zero in direct mode
    uint8_t previous[32];        // zero at position 1
    uint8_t head[32];
};

// head = SHA-256 of ("drover-ledger-1\0", previous, position, kind, direction, completes, tenant,
// revision id, revision digest, parents, unit number, unit digest, plan, approval); integers
// big-endian, texts and the parents' list with a 32-bit length in front. Fills row->head.
void dr_ledger_seal(struct dr_ledger_row *row);

// A revision that is wholly or partly there.
enum dr_ledger_state { DR_LEDGER_APPLIED = 1, DR_LEDGER_GOING_UP = 2, DR_LEDGER_GOING_DOWN = 3 };

struct dr_ledger_revision {
    const char *id;
    uint8_t digest[32];
    enum dr_ledger_state state;
    bool is_head;
    uint64_t since; // first position of the half-done phase; 0 when applied
    size_t parents_count;
    const uint8_t (*parents)[32];
};

// A unit done of a revision that is not wholly done, or the open intent of one outside a
// transaction.
struct dr_ledger_unit {
    const char *revision_id;
    uint8_t revision_digest[32];
    enum dr_ledger_kind kind; // DONE or INTENT (no DONE row follows it)
    enum dr_ledger_direction direction;
    uint32_t unit_number;
    uint8_t unit_digest[32];
    int64_t finished; // unix seconds, the server's clock
};

// What the ledger says about one tenant. All in the arena that was given.
// How deep a ledger is read.
enum dr_ledger_depth {
    DR_LEDGER_LIST = 0,  // every revision, the last row against its own hash, and no traps on the
                         // ledger's tables
    DR_LEDGER_WHOLE = 1, // every row replayed, and compared with the list
    DR_LEDGER_HEADS = 2, // of the revisions only heads and half-done ones, without their units:
                         // what it costs does not grow with the chain
};

struct dr_ledger_view {
    bool exists; // false: no ledger in this database; the rest is zero
    uint32_t version;
    const char *owner; // name of the agent that owns it; "" when none
    uint8_t owner_key[32];
    uint64_t position; // of the last row
    uint8_t head[32];  // of the last row; zero: no row
    size_t revisions_count;
    struct dr_ledger_revision *revisions; // ordered by the position that brought them
    size_t units_count;
    struct dr_ledger_unit *units; // of partial revisions only, in order
    struct dr_index *index;       // of revisions by id; dr_ledger_index makes it
};

// Makes view->index once the revisions are there; drivers call it. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_ledger_index(struct dr_arena *arena, struct dr_ledger_view *view, struct dr_err *err);
// Adds a row of a half-done phase (rows come in order) to view->units: an intent that is followed
// by its DONE row goes away. DR_E_NOMEM, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_ledger_add_unit(struct dr_arena *arena, struct dr_ledger_view *view,
                   const struct dr_ledger_row *row, int64_t time, struct dr_err *err);

// The revision with that id, or NULL.
const struct dr_ledger_revision *dr_ledger_find(const struct dr_ledger_view *view, const char *id);

// Replays rows, in order from position 1: used by the full check of a ledger and by the reading of
// partial revisions.
struct dr_ledger_replay;
struct dr_ledger_replay *dr_ledger_replay_new(struct dr_arena *arena, const char *tenant);
// Takes one row: DR_E_LEDGER_TAMPERED when its position, its link or its own hash is wrong, or when
// it cannot follow the rows before it. The row is copied.
DR_MUST_CHECK enum dr_rc
dr_ledger_replay_row(struct dr_ledger_replay *replay, const struct dr_ledger_row *row, int64_t time,
                     struct dr_err *err);
// After the last row: compares with what the revision table says. DR_E_LEDGER_TAMPERED names the
// first difference.
DR_MUST_CHECK enum dr_rc
dr_ledger_replay_compare(const struct dr_ledger_replay *replay, const struct dr_ledger_view *view,
                         struct dr_err *err);

#endif
