// Inside of verify: the rows of its table, in order.
#ifndef DR_TRUST_VERIFY_ROWS_H
#define DR_TRUST_VERIFY_ROWS_H

#include "trust/verify.h"

enum dr_row { DR_ROW_REFUSED = 0, DR_ROW_PASSED = 0x5a17 };

// Hands a failure on; states one. Only for rows: they hold nothing to release.
#define DR_ROW_TRY(call)                                                                           \
    do {                                                                                           \
        if ((call) != DR_OK) {                                                                     \
            return DR_ROW_REFUSED;                                                                 \
        }                                                                                          \
    } while (0)

#define DR_ROW_REFUSE(check, code, ...)                                                            \
    do {                                                                                           \
        (void)dr_err_set((check)->err, DR_E_##code, __VA_ARGS__);                                  \
        return DR_ROW_REFUSED;                                                                     \
    } while (0)

// What the rows hand on to each other.
struct dr_check {
    struct dr_arena *arena;
    const struct dr_verify_input *in;
    struct dr_verdict *out;
    struct dr_err *err;
    struct dr_chain chain;          // verified again
    struct dr_fleet fleet;          // verified again
    bool *applied;                  // per chain entry, from READY's heads
    struct dr_fleet_entry *entries; // proven entries that evidence needs, and my own
    size_t n_entries;
    struct dr_attestation *evidence;
    size_t n_evidence;
    struct dr_signoff *signoffs;
    size_t n_signoffs;
};

enum dr_row dr_row_sizes(struct dr_check *check);    // endless data
enum dr_row dr_row_clock(struct dr_check *check);    // clock not before what signed documents say
enum dr_row dr_row_root(struct dr_check *check);     // not expired
enum dr_row dr_row_fleet(struct dr_check *check);    // signed under this root, not expired
enum dr_row dr_row_me(struct dr_check *check);       // my target with my key, agent, engine; active
enum dr_row dr_row_chain(struct dr_check *check);    // signed under this root
enum dr_row dr_row_approval(struct dr_check *check); // quorum, strict decode, cluster, environment
enum dr_row dr_row_lifetime(struct dr_check *check); // begun, not expired, not too long
enum dr_row dr_row_leaf(struct dr_check *check);     // my leaf, proven
enum dr_row dr_row_policy(struct dr_check *check); // policy and entry are those that were looked at
enum dr_row dr_row_ready(struct dr_check *check);  // exactly my open READY
enum dr_row
dr_row_flags(struct dr_check *check); // each flag acknowledged; drift as the policy says
// PROVE only where the policy says so, and there in the place of UP, unless the plan has no way
// back
enum dr_row dr_row_mode(struct dr_check *check);
enum dr_row dr_row_plan(struct dr_check *check);       // digest, then decode, engine, project
enum dr_row dr_row_in_chain(struct dr_check *check);   // every revision, with id and parents
enum dr_row dr_row_withdrawn(struct dr_check *check);  // not for up
enum dr_row dr_row_contiguous(struct dr_check *check); // from my heads
enum dr_row dr_row_authors(struct dr_check *check);    // quorum without the authors where asked
enum dr_row dr_row_evidence(struct dr_check *check);   // all that was brought verifies
enum dr_row dr_row_stops(struct dr_check *check);      // no veto, cancel or freeze
enum dr_row dr_row_gates(struct dr_check *check); // every gate of the policy that holds the start
enum dr_row dr_row_canaries(struct dr_check *check); // wave 1 went before
enum dr_row dr_row_window(struct dr_check *check);   // last: all else is as it should be

#endif
