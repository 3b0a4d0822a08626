// withdraw: reviewers take a revision out of the chain. Agents refuse it on the way up from then
// on, and still let it go down; the folder notes it, so that nothing stands on it any more.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_sign.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"
#include "revision/withdrawn.h"
#include "trust/chain.h"
#include "trust/envelope.h"

#include <string.h>

#define REASON_MAX 500u

// The ADD that a full id or its unique beginning names.
static enum dr_rc
find_entry(const struct dr_chain *chain, const char *name, const Drover__V1__ChainEntry **out,
           struct dr_err *err)
{
    size_t found = 0;
    for (size_t i = 0; chain->msg != NULL && i < chain->msg->n_entries; i++) {
        const Drover__V1__ChainEntry *entry = chain->msg->entries[i];
        bool is_add = entry->action == DROVER__V1__CHAIN_ACTION__ADD;
        if (is_add && dr_str_eq(entry->revision_id, name)) {
            *out = entry;
            return DR_OK;
        }
        if (is_add && strncmp(entry->revision_id, name, strlen(name)) == 0) {
            *out = entry;
            found++;
        }
    }
    if (found == 1) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_NOT_IN_CHAIN, "'%.100s' names %s revision of the approved chain",
                     name, found == 0 ? "no" : "more than one");
    return dr_err_hint(err, found == 0 ? "what was never approved is only deleted from the folder"
                                       : "type more of its id");
}

// What lives may not stand on it.
static enum dr_rc
check_children(const struct dr_chain *chain, const Drover__V1__ChainEntry *entry,
               struct dr_err *err)
{
    for (size_t i = 0; i < chain->msg->n_entries; i++) {
        const Drover__V1__ChainEntry *child = chain->msg->entries[i];
        struct dr_chain_revision found;
        for (size_t k = 0; k < child->n_parents; k++) {
            if (dr_data_eq(child->parents[k], entry->digest) &&
                dr_chain_find(chain, child->digest.data, &found) && found.withdraw == NULL) {
                (void)dr_err_set(err, DR_E_CONFLICT, "revision '%s' stands on '%s'",
                                 child->revision_id, entry->revision_id);
                return dr_err_hint(err, "drover withdraw %s -m WHY first", child->revision_id);
            }
        }
    }
    return DR_OK;
}

// The chain in force, and the withdrawal.
static enum dr_rc
draft(const struct dr_remote *remote, const Drover__V1__ChainEntry *entry, const char *reason,
      struct dr_bytes *out, struct dr_err *err)
{
    const Drover__V1__Chain *held = remote->trust->chain.msg;
    struct dr_arena *arena = remote->cli->arena;
    Drover__V1__Chain chain = DROVER__V1__CHAIN__INIT;
    Drover__V1__ChainEntry last = DROVER__V1__CHAIN_ENTRY__INIT;
    struct dr_chain checked;
    chain.cluster_id = held->cluster_id;
    chain.version = held->version + 1;
    chain.issued = dr_now_unix_s();
    chain.project = held->project;
    chain.entries = dr_arena_array(arena, held->n_entries + 1, sizeof(*chain.entries));
    last.action = DROVER__V1__CHAIN_ACTION__WITHDRAW;
    last.revision_id = entry->revision_id;
    last.digest = entry->digest;
    last.reason = dr_arena_str(arena, reason);
    if (chain.entries == NULL || last.reason == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < held->n_entries; i++) {
        chain.entries[chain.n_entries++] = held->entries[i];
    }
    chain.entries[chain.n_entries++] = &last;
    enum dr_rc rc = dr_strict_encode(arena, &chain.base, out, err);
    return rc == DR_OK ? dr_chain_decode(arena, *out, &checked, err) : rc;
}

// In the folder, where there is one: it goes with the files into the repository.
static enum dr_rc
note(const struct dr_cli *cli, const Drover__V1__ChainEntry *entry, const char *reason,
     struct dr_err *err)
{
    const char *folder = dr_project_shown(cli, cli->project->revisions);
    if (!dr_path_exists(folder)) {
        return DR_OK;
    }
    enum dr_rc rc = dr_withdrawn_add(folder, entry->revision_id, entry->digest.data, reason, err);
    if (rc == DR_OK) {
        dr_say(cli, "Noted in %s/%s: commit it\n", folder, DR_WITHDRAWN_NAME);
    }
    return rc;
}

// What to type for targets that have it, and for a rollout that wanted it.
static void
say_next(const struct dr_cli *cli, const struct dr_chain *chain,
         const Drover__V1__ChainEntry *entry)
{
    struct dr_chain_revision parent = {0};
    const char *below = "base";
    if (entry->n_parents > 0 && dr_chain_find(chain, entry->parents[0].data, &parent)) {
        below = parent.entry->revision_id;
    }
    dr_say(cli,
           "Agents refuse it on the way up. A target that has it: drover downgrade %s -t TARGET\n",
           below);
    dr_say(cli, "next: drover rollout abort R-N where one wants it; "
                "drover revision -m MESSAGE writes what takes its place\n");
}

static enum dr_rc
report(struct dr_remote *remote, const Drover__V1__ChainEntry *entry, const char *reason,
       const Drover__V1__PutDocumentReply *reply, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    enum dr_rc rc = reply->complete ? note(cli, entry, reason, err) : DR_OK;
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli,
                      json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:b}", "schema", "drover.v1.Signed",
                                "document", "chain", "withdrawn", entry->revision_id, "reason",
                                reason, "signatures", (int)reply->signatures, "needed",
                                (int)reply->needed, "complete", reply->complete));
        return rc;
    }
    dr_say(cli, "Signed. %u of %u. %s\n", reply->signatures, reply->needed,
           reply->complete ? "The revision is withdrawn."
                           : "It waits for another reviewer: drover approve chain");
    if (reply->complete) {
        say_next(cli, &remote->trust->chain, entry);
    }
    return rc;
}

// Asked once more, since it cannot be taken back.
static enum dr_rc
sign(struct dr_remote *remote, const Drover__V1__ChainEntry *entry, const char *reason,
     struct dr_bytes payload, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    Drover__V1__PutDocumentReply *reply = NULL;
    char digest[20];
    bool go = false;
    dr_print_digest(digest, entry->digest.data, 32);
    dr_say(cli, "  - %s  %s  withdrawn: %s\n", entry->revision_id, digest,
           dr_print_safe(cli, reason));
    dr_say(cli, "    for good: its id is never used again\n");
    enum dr_rc rc = dr_ask_yes(cli, "Withdraw it?", &go, err);
    if (rc == DR_OK && !go) {
        return dr_err_set(err, DR_E_INTERRUPTED, "nothing was signed");
    }
    rc = rc == DR_OK ? dr_chain_sign_payload(remote, payload, &reply, err) : rc;
    return rc == DR_OK ? report(remote, entry, reason, reply, err) : rc;
}

static enum dr_rc
check_reason(const char *reason, struct dr_err *err)
{
    if (reason == NULL || reason[0] == '\0') {
        (void)dr_err_set(err, DR_E_USAGE, "a withdrawal needs a reason");
        return dr_err_hint(err, "drover withdraw REVISION -m \"it locks orders for minutes\"");
    }
    return strlen(reason) <= REASON_MAX
               ? DR_OK
               : dr_err_set(err, DR_E_LIMIT, "the reason has more than %u bytes", REASON_MAX);
}

enum dr_rc
dr_cmd_withdraw(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    const Drover__V1__ChainEntry *entry = NULL;
    struct dr_chain_revision found = {0};
    struct dr_bytes payload = {0};
    const char *reason = dr_cli_option(cli, "message");
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK ? find_entry(&remote.trust->chain, cli->args[0], &entry, err) : rc;
    bool is_gone = rc == DR_OK && dr_chain_find(&remote.trust->chain, entry->digest.data, &found) &&
                   found.withdraw != NULL;
    if (is_gone) {
        dr_say(cli, "%s is withdrawn already: %s\n", entry->revision_id,
               dr_print_safe(cli, found.withdraw->reason));
        rc = note(cli, entry, found.withdraw->reason, err);
        if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
            dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:s, s:b}", "schema", "drover.v1.Signed",
                                         "document", "chain", "withdrawn", entry->revision_id,
                                         "reason", found.withdraw->reason, "complete", true));
        }
    }
    if (rc == DR_OK && !is_gone) {
        rc = check_reason(reason, err);
        rc = rc == DR_OK ? check_children(&remote.trust->chain, entry, err) : rc;
        rc = rc == DR_OK ? draft(&remote, entry, reason, &payload, err) : rc;
        rc = rc == DR_OK ? sign(&remote, entry, reason, payload, err) : rc;
    }
    dr_remote_close(&remote);
    return rc;
}

// A chain that differs from the one in force by one withdrawal; NULL: this is another.
static const Drover__V1__ChainEntry *
withdrawal_of(const struct dr_chain *held, const struct dr_chain *next)
{
    struct dr_err ignored = {0};
    const Drover__V1__ChainEntry *last =
        next->msg->n_entries > 0 ? next->msg->entries[next->msg->n_entries - 1] : NULL;
    bool is_next = held->msg != NULL && next->msg->n_entries == held->msg->n_entries + 1 &&
                   dr_chain_follows(held, next, &ignored) == DR_OK;
    return is_next && last != NULL && last->action == DROVER__V1__CHAIN_ACTION__WITHDRAW ? last
                                                                                         : NULL;
}

enum dr_rc
dr_withdraw_approve(struct dr_remote *remote, bool *out_is_done, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__Document **documents = NULL;
    char kind[] = DR_TYPE_CHAIN;
    size_t n = 0;
    *out_is_done = false;
    request.kind = kind;
    request.pending = true;
    enum dr_rc rc = dr_remote_list(remote, request, &documents, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n && !*out_is_done; i++) {
        struct dr_err ignored = {0};
        struct dr_envelope envelope;
        struct dr_chain next;
        struct dr_bytes wire = {documents[i]->envelope.data, documents[i]->envelope.len};
        if (dr_envelope_parse(wire, DR_TYPE_CHAIN, &envelope, &ignored) != DR_OK ||
            dr_chain_decode(remote->cli->arena, envelope.payload, &next, &ignored) != DR_OK) {
            continue;
        }
        const Drover__V1__ChainEntry *last = withdrawal_of(&remote->trust->chain, &next);
        const Drover__V1__ChainEntry *entry = NULL;
        if (last == NULL ||
            find_entry(&remote->trust->chain, last->revision_id, &entry, &ignored) != DR_OK) {
            continue;
        }
        dr_say(remote->cli, "Another reviewer withdraws a revision:\n");
        rc = sign(remote, entry, last->reason, envelope.payload, err);
        *out_is_done = true;
    }
    return rc;
}
