// Verify: what an agent checks, in order, before one byte of a plan's SQL. A table of rows; each
// that passes sets its bit, and only the full mask makes a verdict accepted. Order for a bundle:
// dr_trust_store_update(bundle->trust), dr_verify, then the worker looks at the database,
// dr_verify_database, then READY is consumed durably, then the first statement.
#ifndef DR_TRUST_VERIFY_H
#define DR_TRUST_VERIFY_H

#include "trust/approval.h"
#include "trust/gate.h"
#include "trust/plandoc.h"
#include "trust/store.h"

#define DR_BUNDLE_MAX           (32u << 20)
#define DR_BUNDLE_ENVELOPES_MAX 256u
#define DR_VERDICT_ACCEPTED     0x5a17c0deu

// Who I am, from my own configuration and key: never from the wire.
struct dr_verify_me {
    const char *target, *environment, *agent;
    Drover__V1__Engine engine;
    uint8_t signing_key[32];
};

struct dr_verify_input {
    const struct dr_verify_me *me;
    const struct dr_trust *trust;
    const Drover__V1__Bundle *bundle; // as unpacked; nothing in it is believed
    struct dr_bytes plan;             // bytes that hash to what the approval names, or not
    struct dr_bytes ready;            // payload of my one open READY; empty: none is open
    struct dr_bytes backup;           // payload of my newest BACKUP; empty: none
    const ProtobufCBinaryData
        *stops; // envelopes of VETO, CANCEL, FREEZE and LIFT shown to me earlier
    size_t n_stops;
    int64_t now; // read once
};

// What was approved. Everything is in the arena. Ask dr_verdict_is_accepted before using it.
struct dr_verdict {
    uint32_t accepted, mask;
    struct dr_approval approval;
    const Drover__V1__ApprovalLeaf *leaf;
    const Drover__V1__Plan *plan;
    const bool
        *is_to_run; // one per revision of the plan: the target lacks it (UP) or has it (DOWN)
    const struct dr_fleet_entry *entry;   // my target
    const struct dr_fleet_entry *policy;  // my environment
    const Drover__V1__Attestation *ready; // my open READY
    uint8_t ready_sha256[32];
    const struct dr_gate_result *gates;
    size_t n_gates;
    const char *failed_check; // name of the row that refused; NULL
};

// Runs all rows. On failure the code names the attack; `out` then holds what was known until then
// (failed_check, and the approval if it was decoded), and is not accepted. Touches no clock and no
// network, and of files only the time zones of the policy's windows.
DR_MUST_CHECK enum dr_rc dr_verify(struct dr_arena *arena, const struct dr_verify_input *input,
                                   struct dr_verdict *out, struct dr_err *err);
bool dr_verdict_is_accepted(const struct dr_verdict *verdict);
// Names of the rows in order; NULL behind the last. For documentation and tests.
const char *dr_verify_row_name(size_t index);

// What the worker found in the database, with both locks held.
struct dr_database_facts {
    const Drover__V1__DatabaseIdentity *identity;
    bool is_pooler, is_standby, has_lock_a, has_lock_b;
    uint8_t ledger_head[32];
    uint8_t fingerprint[32];
};
// DR_E_DATABASE_IDENTITY, DR_E_BEHIND_POOLER, DR_E_ON_STANDBY, DR_E_NOT_LOCKED,
// DR_E_LEDGER_CHANGED, DR_E_SCHEMA_CHANGED, DR_E_CHECK_SKIPPED for a verdict that is not accepted.
DR_MUST_CHECK enum dr_rc
dr_verify_database(const struct dr_verdict *verdict, const struct dr_database_facts *facts,
                   struct dr_err *err);
// The identity alone: what is pinned in `fleet` (an empty field is not pinned).
DR_MUST_CHECK enum dr_rc
dr_verify_identity(const Drover__V1__DatabaseIdentity *pinned,
                   const Drover__V1__DatabaseIdentity *found, struct dr_err *err);
// May work that began at `started` go on at `now` without a new approval? DR_E_RESUME_WINDOW.
DR_MUST_CHECK enum dr_rc dr_verify_resume(const Drover__V1__Environment *policy, int64_t started,
                                          int64_t now, struct dr_err *err);

#endif
