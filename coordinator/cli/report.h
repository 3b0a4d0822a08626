// A report of one rollout: what its log, its signed documents and its plan say, and nothing else,
// so that whoever holds them can make it again and compare.
#ifndef DR_CLI_REPORT_H
#define DR_CLI_REPORT_H

#include "coordinator/cli/log_audit.h"
#include "coordinator/cli/remote.h"

#define DR_REPORT_MAX      (512u * 1024 * 1024) // bytes of a report's file
#define DR_REPORT_ROWS_MAX 1000000u             // of each kind

struct dr_report_blob {
    uint8_t sha256[32];
    struct dr_bytes bytes;
};

// A document of the rollout, decoded.
struct dr_report_document {
    const Drover__V1__Document *document;
    struct dr_envelope envelope;
    const Drover__V1__Approval *approval; // exactly one of the three
    const Drover__V1__Attestation *attestation;
    const Drover__V1__Signoff *signoff;
};

// Everything in the cli's arena.
struct dr_report {
    struct dr_cli *cli;
    const char *rollout; // "R-1"
    const Drover__V1__LogEntry **entries;
    const Drover__V1__Document **documents;
    struct dr_report_blob *blobs;
    size_t n_entries, n_documents, n_blobs;
    struct dr_log_findings findings;
    uint8_t pinned[32];
    const Drover__V1__Root *root;   // the newest: for names of keys
    struct dr_report_document *own; // this rollout's, in the order of `documents`
    size_t n_own;
};

// From the coordinator: the whole log, its documents, and the plan with its files.
// DR_E_NOT_FOUND, errors of the calls.
DR_MUST_CHECK enum dr_rc dr_report_gather(struct dr_remote *remote, const char *rollout,
                                          struct dr_report *out, struct dr_err *err);
// From a report's file: what is embedded. DR_E_INVALID.
DR_MUST_CHECK enum dr_rc dr_report_extract(struct dr_cli *cli, struct dr_bytes html,
                                           struct dr_report *out, struct dr_err *err);
// Checks every hash, signature and digest from the pinned root on, and decodes this rollout's
// documents. DR_E_BAD_LOG, DR_E_NOT_PINNED, DR_E_NOT_FOUND (no such rollout in it).
DR_MUST_CHECK enum dr_rc
dr_report_check(struct dr_report *report, const uint8_t pinned[32], struct dr_err *err);

// Is an entry of the log about the rollout?
bool dr_report_is_about(const struct dr_report *report, const Drover__V1__LogEntry *entry);
// "alice (key 3b9f77c2 10ab44de)" for each valid signature of the root's people; "" without memory.
const char *
dr_report_signers(const struct dr_report *report, const struct dr_report_document *document);
const struct dr_report_blob *
dr_report_blob(const struct dr_report *report, const uint8_t *sha256, size_t len);

// The page: no script, nothing from outside, every word escaped.
void dr_report_html(const struct dr_report *report, struct dr_buf *out);

#endif
