// Signing the next chain: one that another reviewer signed already, and that says the same, gets my
// signature beside theirs.

#include "coordinator/cli/chain_sign.h"
#include "coordinator/cli/print.h"

#include "trust/chain.h"
#include "trust/envelope.h"

#include <string.h>

// Everything but the time of signing.
static bool
says_the_same(const Drover__V1__Chain *a, const Drover__V1__Chain *b)
{
    bool same = a->version == b->version && a->n_entries == b->n_entries &&
                dr_str_eq(a->project, b->project) && dr_data_eq(a->cluster_id, b->cluster_id);
    for (size_t i = 0; same && i < a->n_entries; i++) {
        const Drover__V1__ChainEntry *x = a->entries[i];
        const Drover__V1__ChainEntry *y = b->entries[i];
        same = x->action == y->action && dr_data_eq(x->digest, y->digest) &&
               dr_str_eq(x->revision_id, y->revision_id) && dr_str_eq(x->branch, y->branch) &&
               dr_str_eq(x->author, y->author) && dr_str_eq(x->reason, y->reason) &&
               x->n_parents == y->n_parents;
        for (size_t k = 0; same && k < x->n_parents; k++) {
            same = dr_data_eq(x->parents[k], y->parents[k]);
        }
    }
    return same;
}

// A chain that another reviewer signed already and that says the same as my draft: its bytes are
// what I sign.
static enum dr_rc
find_pending(struct dr_remote *remote, struct dr_bytes draft, struct dr_envelope *out,
             bool *out_found, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__Document **documents = NULL;
    size_t n = 0;
    struct dr_chain mine;
    struct dr_chain other;
    char kind[] = DR_TYPE_CHAIN;
    request.kind = kind;
    request.pending = true;
    *out_found = false;
    enum dr_rc rc = dr_chain_decode(remote->cli->arena, draft, &mine, err);
    rc = rc == DR_OK ? dr_remote_list(remote, request, &documents, &n, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        struct dr_err ignored = {0};
        struct dr_bytes wire = {documents[i]->envelope.data, documents[i]->envelope.len};
        if (dr_envelope_parse(wire, DR_TYPE_CHAIN, out, &ignored) == DR_OK &&
            dr_chain_decode(remote->cli->arena, out->payload, &other, &ignored) == DR_OK &&
            says_the_same(mine.msg, other.msg)) {
            *out_found = true;
            return DR_OK;
        }
    }
    return rc;
}

enum dr_rc
dr_chain_sign_payload(struct dr_remote *remote, struct dr_bytes payload,
                      Drover__V1__PutDocumentReply **out, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    struct dr_envelope pending;
    struct dr_bytes signed_bytes;
    struct dr_key key = {0};
    bool found = false;
    enum dr_rc rc = find_pending(remote, payload, &pending, &found, err);
    rc = rc == DR_OK ? dr_remote_signing_key(cli, &key, err) : rc;
    if (rc == DR_OK) {
        rc = found ? dr_envelope_add(cli->arena, &pending, &key, &signed_bytes, err)
                   : dr_envelope_sign(cli->arena, DR_TYPE_CHAIN, payload, &key, &signed_bytes, err);
    }
    dr_key_fini(&key);
    return rc == DR_OK ? dr_remote_put(remote, DR_TYPE_CHAIN, signed_bytes, NULL, 0, out, err) : rc;
}

enum dr_rc
dr_chain_sign(struct dr_remote *remote, struct dr_bytes payload, size_t n_new, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    Drover__V1__PutDocumentReply *reply = NULL;
    enum dr_rc rc = dr_chain_sign_payload(remote, payload, &reply, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:i, s:i, s:i, s:b}", "schema", "drover.v1.Signed",
                                     "document", "chain", "revisions", (int)n_new, "signatures",
                                     (int)reply->signatures, "needed", (int)reply->needed,
                                     "complete", reply->complete));
        return DR_OK;
    }
    dr_say(cli, "Signed. %u of %u. %s\n", reply->signatures, reply->needed,
           reply->complete ? "The chain is approved. next: drover upgrade head"
                           : "It waits for another reviewer: drover approve chain");
    return DR_OK;
}
