// Documents: every signed document is verified under the current root before it is kept; signatures
// over the same payload are gathered until there are enough.
#ifndef DR_CORE_DOCUMENTS_H
#define DR_CORE_DOCUMENTS_H

#include "coordinator/core/core.h"
#include "trust/envelope.h"

// One document on its way in: what the kinds have in common.
struct dr_incoming {
    struct dr_core *core;
    const char *actor; // who brings it
    struct dr_arena *arena;
    struct dr_envelope envelope;
    const ProtobufCBinaryData *parts; // of the request, else those kept with the pending one
    size_t n_parts;
    struct dr_store_document row; // what will be kept; envelope is the merged and pruned one
    bool is_held;                 // a row with this digest is there
    bool was_complete;
    uint32_t signatures, needed;
    const char *subject; // of the log entry
};

// Verifies and keeps `document`, and does what follows from it. Within the caller's transaction.
// Errors of common/trust.
DR_MUST_CHECK enum dr_rc
dr_documents_put(struct dr_core *core, const Drover__V1__Document *document, const char *actor,
                 struct dr_arena *arena, Drover__V1__PutDocumentReply *out, struct dr_err *err);
// Puts the roots, fleet and chain that trust holds into the store if they are missing (after a
// crash between the two).
DR_MUST_CHECK enum dr_rc dr_documents_adopt(struct dr_core *core, struct dr_err *err);

// One kind each: fills signatures, needed, row.is_pending and the row's columns, and lets the
// document take effect. Roots, fleets and chains: documents_trust.c; approvals and sign-offs:
// documents_people.c; attestations: documents_agent.c.
DR_MUST_CHECK enum dr_rc dr_incoming_root(struct dr_incoming *in, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_incoming_fleet(struct dr_incoming *in, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_incoming_chain(struct dr_incoming *in, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_incoming_approval(struct dr_incoming *in, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_incoming_signoff(struct dr_incoming *in, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_incoming_attestation(struct dr_incoming *in, struct dr_err *err);

// Merges the kept signatures with the new ones and keeps only valid ones of people in `root`;
// counts those of `role` (NULL: everybody). DR_E_BAD_SIGNATURE when nobody of the role is among
// them.
DR_MUST_CHECK enum dr_rc
dr_incoming_gather(struct dr_incoming *in, const Drover__V1__Root *root,
                   const Drover__V1__Role *role, const char *role_name, struct dr_err *err);
// Keeps the row and notes it in the log: called by each kind when it knows what it has.
DR_MUST_CHECK enum dr_rc dr_incoming_keep(struct dr_incoming *in, struct dr_err *err);
// Leaves as an array of bytes; in the arena.
struct dr_bytes *dr_incoming_leaves(const struct dr_incoming *in);

#endif
