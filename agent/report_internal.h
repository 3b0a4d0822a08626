// Inside the report's files only: a change that is being put together, and its parts.
#ifndef DR_AGENT_REPORT_INTERNAL_H
#define DR_AGENT_REPORT_INTERNAL_H

#include "agent/exec_internal.h"
#include "trust/attest.h"

#define DR_REPORT_OUTGOING_MAX 64u
#define DR_REPORT_DETAIL_MAX   1000u
#define DR_REPORT_OBJECTS_MAX  200u  // that a DRIFT names
#define DR_REPORT_UNITS_MAX    8000u // units in one attestation; the document allows 10,000

#define DR_REPORT_KIND(name) DROVER__V1__ATTESTATION_KIND__##name
#define DR_REPORT_FLAG(name) ((uint32_t)DROVER__V1__READY_FLAG__FLAG_##name)

struct dr_report {
    struct dr_agent_slot *slot;
    struct dr_agent_change change;
    struct dr_agent_outgoing outgoing[DR_REPORT_OUTGOING_MAX];
    struct dr_agent_record record;
    struct dr_agent_schema schema;
    struct dr_agent_drift drift;
    struct dr_agent_rehearsed rehearsed;
    const char *missing; // what a regressed ledger lacks; NULL: nothing
};

DR_MUST_CHECK enum dr_rc
dr_report_begin(struct dr_agent_slot *slot, struct dr_report *out, struct dr_err *err);
// A document of the slot's target with what every kind has; it borrows.
Drover__V1__Attestation
dr_report_word(const struct dr_report *report, Drover__V1__AttestationKind kind);
// FLAG_* of what was found, compared with what this agent remembers of the target.
uint32_t dr_report_flags(const struct dr_agent_slot *slot, const Drover__V1__WorkerResult *result,
                         const struct dr_agent_record *record);
// What the worker found: heads, ledger head, fingerprint, identity, times.
void dr_report_add_state(Drover__V1__Attestation *msg, const Drover__V1__WorkerResult *result);
// Signs it as the next one. `out_sha256` and `out_payload` may be NULL.
DR_MUST_CHECK enum dr_rc
dr_report_say(struct dr_report *report, const Drover__V1__Attestation *msg, uint8_t out_sha256[32],
              struct dr_bytes *out_payload, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_report_say_state(struct dr_report *report, const Drover__V1__WorkerResult *result,
                    uint32_t flags, struct dr_err *err);
// report_rehearsed.c: signs what the rehearsal told; with slot->failure set it failed, and says
// why.
DR_MUST_CHECK enum dr_rc
dr_report_say_rehearsed(struct dr_report *report, const Drover__V1__WorkerResult *result,
                        uint8_t out_sha256[32], struct dr_err *err);
// report_drift.c: names in `msg`, the end of a run, the rehearsal that `ready` stands on, and in
// what the schema that is there is not the one that the rehearsal ended with.
DR_MUST_CHECK enum dr_rc
dr_report_add_rehearsal(struct dr_report *report, const Drover__V1__Attestation *ready,
                        const Drover__V1__WorkerResult *result, Drover__V1__Attestation *msg,
                        struct dr_err *err);
// report_run.c: code and detail of slot->failure. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_report_set_reason(struct dr_agent_slot *slot, Drover__V1__Attestation *msg, struct dr_err *err);
// report_drift.c: says DRIFT where what the worker found is not what the target was left with, once
// for each change, and once more when it is gone; and keeps a schema's text that is not kept yet.
DR_MUST_CHECK enum dr_rc
dr_report_drift(struct dr_report *report, const Drover__V1__WorkerResult *result,
                const struct dr_exec_known *known, uint32_t flags, struct dr_err *err);
// After a run, which leaves no drift: what was reported is over.
DR_MUST_CHECK enum dr_rc
dr_report_drift_over(struct dr_report *report, const Drover__V1__WorkerResult *result,
                     struct dr_err *err);
void dr_report_keep_schema(struct dr_report *report, const Drover__V1__WorkerResult *result);
// Remembers what the worker left behind, after a synchronous commit.
void dr_report_note_record(struct dr_report *report, const Drover__V1__WorkerResult *result);
DR_MUST_CHECK enum dr_rc dr_report_commit(struct dr_report *report, struct dr_err *err);
// A text as a field of a message that is only packed.
char *dr_report_lend(const char *text);

#endif
