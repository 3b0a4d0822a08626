// Repair: what of a half-done revision was proved and what is in doubt, and which ways lead out of
// it. Looking changes nothing; a way is gone by dr_engine_run.
//
// A unit in a transaction is never in doubt: its ledger row committed with it. A unit outside of
// one is, between its intent row and its done row: then its probe says what is there.
#ifndef DR_ENGINE_REPAIR_H
#define DR_ENGINE_REPAIR_H

#include "engine/run.h"

enum dr_repair_kind {
    DR_REPAIR_DONE = 1,  // its row is there
    DR_REPAIR_OPEN = 2,  // it was not begun, or what it began was taken back
    DR_REPAIR_DOUBT = 3, // begun outside of a transaction, and no row says how it ended
};

// One unit of a half-done revision, in the direction in which the revision was going.
struct dr_repair_unit {
    const char *revision_id;
    const Drover__V1__Unit *unit;
    size_t revision_index, unit_index; // in the plan
    Drover__V1__Mode direction;        // UP or DOWN
    size_t number, total;              // 1-based, of the revision's units in this direction
    enum dr_repair_kind kind;
    int64_t finished;           // DONE: unix seconds
    enum dr_probe_state probed; // DOUBT: what its probe saw; 0: not asked
    const char *why;            // DOUBT: for people; ""
};

struct dr_repair {
    bool is_needed;      // some revision is half done
    const char *held_by; // who works on the target right now, so that nothing could be asked; ""
    size_t units_count;
    struct dr_repair_unit *units;
    const char *no_resume;  // why it cannot be gone on with; "": it can
    const char *no_reverse; // why there is no way back; "": there is one
};

// From a ledger and a plan that holds every half-done revision; asks nothing of the target. Pure.
// All in the arena. DR_E_REVISION_CHANGED, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_repair_list(const struct dr_ledger_view *view, const Drover__V1__Plan *plan,
               struct dr_arena *arena, struct dr_repair *out, struct dr_err *err);

// The same of an open target, under its locks, with the probes' answers where units are in doubt.
// When somebody else holds a key, `held_by` says which session, and nothing is probed. An agent's
// ledger is only read. Errors of dr_engine_read_state, DR_E_FILE_DIGEST, DR_E_PLAN_MISMATCH.
DR_MUST_CHECK enum dr_rc
dr_engine_repair(struct dr_engine *engine, const struct dr_engine_job *job, struct dr_arena *arena,
                 struct dr_repair *out, struct dr_err *err);

// "SHA-256 of ("drover/difference.v1\0", expected, found)": names the difference between two
// fingerprints, for people who accept it. Zeros stand for an unknown one.
void dr_repair_difference(const uint8_t expected[32], const uint8_t found[32], uint8_t out[32]);

#endif
