// The coordinator as this person sees it: a connection, and documents that were verified under the
// person's own root.
#ifndef DR_CLI_REMOTE_H
#define DR_CLI_REMOTE_H

#include "coordinator/cli/cli.h"

#include "rpc/client.h"
#include "trust/keyfile.h"
#include "trust/loghash.h"
#include "trust/store.h"
#include "trust/strict.h"

#include "proto/service.pb-c.h"

#define DR_REMOTE_DEADLINE_MS  15000u
#define DR_REMOTE_LIST_MAX     1000u       // documents of one answer
#define DR_REMOTE_DOCUMENT_MAX (32u << 20) // bytes of one document with its leaves
#define DR_EXPIRY_NOTE_S       (14 * 86400)

// `{0}` is closed. `trust` is what this person trusts now; the coordinator's word never changes it
// without signatures.
struct dr_remote {
    struct dr_cli *cli;
    struct dr_rpc_client *client;
    struct dr_trust_store *store;
    const struct dr_trust *trust;
    bool is_behind; // it lacks a fleet or chain that this person holds
};

// Connects with the person's transport key and brings the trusted documents up to date.
// DR_E_CONFIG, key errors, DR_E_UNREACHABLE, and the trust errors when the coordinator shows
// something that does not verify.
DR_MUST_CHECK enum dr_rc
dr_remote_open(struct dr_cli *cli, struct dr_remote *out, struct dr_err *err);
// The same, but gives up after `patience_ms` (0: 2 s) when nothing answers: for what can as well be
// handed over later.
DR_MUST_CHECK enum dr_rc dr_remote_open_soon(struct dr_cli *cli, uint32_t patience_ms,
                                             struct dr_remote *out, struct dr_err *err);
// The same for handing over a next root or fleet: an expired one in force is no error.
DR_MUST_CHECK enum dr_rc dr_remote_open_to_renew(struct dr_cli *cli, uint32_t patience_ms,
                                                 struct dr_remote *out, struct dr_err *err);
// Without a connection: what this person's folder holds. DR_E_CONFIG, errors of the trusted store.
DR_MUST_CHECK enum dr_rc
dr_remote_open_offline(struct dr_cli *cli, struct dr_remote *out, struct dr_err *err);
void dr_remote_close(struct dr_remote *remote);
// A note on standard error when `what` has expired, or will within DR_EXPIRY_NOTE_S.
void dr_remote_note_expiry(const struct dr_cli *cli, const char *what, uint64_t version,
                           int64_t expires, const char *command);

// Remembers the log's head as the one that this person saw last.
void dr_remote_log_remember(const struct dr_cli *cli, const struct dr_loghash *head);
// Compares the coordinator's log with what was seen: a warning when it does not continue that, else
// its head is remembered. dr_remote_open does it.
void dr_remote_check_log(struct dr_remote *remote);
// Puts the roots, fleet and chain that this person holds: for a coordinator that was put back to an
// older copy.
DR_MUST_CHECK enum dr_rc dr_remote_give_back(struct dr_remote *remote, struct dr_err *err);

// One call with the usual deadline; the reply lives in the cli's arena.
DR_MUST_CHECK enum dr_rc
dr_remote_call(struct dr_remote *remote, enum dr_method_id method, const ProtobufCMessage *request,
               void *out_reply, struct dr_err *err);
// The same into another arena, for replies that are not kept until the end of the command.
DR_MUST_CHECK enum dr_rc dr_remote_call_in(struct dr_remote *remote, enum dr_method_id method,
                                           const ProtobufCMessage *request, struct dr_arena *arena,
                                           void *out_reply, struct dr_err *err);
// Fetches the other pages of a large rollout or status and adds them to the first, in `arena`:
// dr_remote_call does it by itself.
DR_MUST_CHECK enum dr_rc dr_remote_all_targets(struct dr_remote *remote, struct dr_arena *arena,
                                               Drover__V1__Rollout *first, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_remote_all_status(struct dr_remote *remote, struct dr_arena *arena,
                                              const ProtobufCMessage *request,
                                              Drover__V1__StatusReply *first, struct dr_err *err);
// Uploads a blob in pieces unless the coordinator has it. DR_OK also when it was there.
DR_MUST_CHECK enum dr_rc dr_remote_put_blob(struct dr_remote *remote, const uint8_t sha256[32],
                                            struct dr_bytes bytes, struct dr_err *err);
// Fetches a blob of at most `max_bytes` and checks its digest. DR_E_NOT_FOUND, DR_E_CONFLICT
// (another content).
DR_MUST_CHECK enum dr_rc
dr_remote_get_blob(struct dr_remote *remote, const uint8_t sha256[32], size_t max_bytes,
                   struct dr_bytes *out, struct dr_err *err);
// A document that the coordinator only named, because it is too large for a message, is fetched and
// takes its place. DR_E_LIMIT, DR_E_CONFLICT, DR_E_BAD_DOCUMENT.
DR_MUST_CHECK enum dr_rc
dr_remote_whole(struct dr_remote *remote, Drover__V1__Document **document, struct dr_err *err);
// Uploads a signed document; `parts` may be NULL. DR_E_LIMIT over DR_REMOTE_DOCUMENT_MAX.
DR_MUST_CHECK enum dr_rc
dr_remote_put(struct dr_remote *remote, const char *kind, struct dr_bytes envelope,
              const struct dr_bytes *parts, size_t n_parts, Drover__V1__PutDocumentReply **out,
              struct dr_err *err);
// All documents that the request names (at most `limit` of them, if it is set), page after page, as
// envelopes in the arena.
DR_MUST_CHECK enum dr_rc
dr_remote_list(struct dr_remote *remote, Drover__V1__ListDocumentsRequest request,
               Drover__V1__Document ***out, size_t *out_n, struct dr_err *err);
// The person's signing key, from --key or drover.conf; asks for the passphrase when the file wants
// one.
DR_MUST_CHECK enum dr_rc
dr_remote_signing_key(struct dr_cli *cli, struct dr_key *out, struct dr_err *err);
// The signing key of a file.
DR_MUST_CHECK enum dr_rc
dr_remote_key_at(struct dr_cli *cli, const char *path, struct dr_key *out, struct dr_err *err);

#endif
