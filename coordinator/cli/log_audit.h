// Audit of the event log: every hash of its chain, every signature of the documents that its
// entries name, and the numbers that agents gave their attestations; from the pinned first root on,
// without any server.
#ifndef DR_CLI_LOG_AUDIT_H
#define DR_CLI_LOG_AUDIT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "proto/service.pb-c.h"
#include "trust/loghash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_LOG_WHY_MAX 1024u

// The six kinds of documents, as they are counted.
enum dr_log_kind {
    DR_LOG_ROOT,
    DR_LOG_FLEET,
    DR_LOG_CHAIN,
    DR_LOG_APPROVAL,
    DR_LOG_ATTESTATION,
    DR_LOG_SIGNOFF,
    DR_LOG_KINDS
};

// Something is not there, or an agent said two things. `agent` is "" when it is an entry whose
// document is not there; else the agent's numbers `first` to `last` of this epoch are missing, or
// (first 0) its number `last` contradicts what it signed before. `index` is the entry at which it
// shows.
struct dr_log_gap {
    uint64_t index;
    const char *kind, *subject; // of that entry
    const char *agent;
    uint8_t epoch[16];
    uint64_t first, last;
    const char *why;
};

// The first entry that is wrong; index 0: none is. `line`: as given with the entry.
struct dr_log_bad {
    uint64_t index;
    uint32_t line;
    const char *kind, *subject;
    char why[DR_LOG_WHY_MAX];
};

// Plain data, in the audit's arena.
struct dr_log_findings {
    struct dr_loghash head; // as far as it is good
    uint32_t counts[DR_LOG_KINDS];
    struct dr_log_bad bad;
    struct dr_log_gap *gaps;
    size_t n_gaps;
};

struct dr_log_audit; // opaque: what was gathered

// An audit in `arena`, which has to outlive it. NULL without memory.
struct dr_log_audit *dr_log_audit_new(struct dr_arena *arena);
// Frees what is outside of the arena; NULL is accepted, the pointer is cleared.
void dr_log_audit_free(struct dr_log_audit **audit);
// Takes the next entry; it has to live as long as the audit. `line`: where it stands in a file, 0:
// nowhere. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_log_audit_entry(struct dr_log_audit *audit, const Drover__V1__LogEntry *entry, uint32_t line,
                   struct dr_err *err);
// Takes a document, in any order; it has to live as long as the audit. Of several under one name
// one is looked at. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_log_audit_document(struct dr_log_audit *audit, const Drover__V1__Document *document,
                      struct dr_err *err);
// The digests of the documents that the entries name and that were not taken yet, each once, in the
// order of the log. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_log_audit_wanted(struct dr_log_audit *audit, uint8_t (**out)[32],
                                             size_t *out_n, struct dr_err *err);
// Goes through the log. `pinned`: SHA-256 of the first root's file, which must be among the
// documents (DR_E_NOT_PINNED). What is wrong with the log itself stands in `*out`, and is DR_OK.
// DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_log_audit_run(struct dr_log_audit *audit, const uint8_t pinned[32],
                                          struct dr_log_findings *out, struct dr_err *err);
// Does an entry of this kind name a signed document?
bool dr_log_names_document(const Drover__V1__LogEntry *entry);

#endif
