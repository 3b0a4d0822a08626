// withdraw: reviewers take revisions out of the chain, several in one version of it. Agents refuse
// it on the way up from then on, and still let it go down; the folder notes it, so that nothing
// stands on it any more.

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
#define AT_ONCE    64u // revisions

// What goes, newest first, so that each one's children go before it.
struct going {
    const Drover__V1__ChainEntry *entries[AT_ONCE]; // their ADDs
    size_t n;
    const char *reason;
};

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

static bool
goes(const struct going *g, ProtobufCBinaryData digest)
{
    for (size_t i = 0; i < g->n; i++) {
        if (dr_data_eq(g->entries[i]->digest, digest)) {
            return true;
        }
    }
    return false;
}

// What lives may not stand on it.
static enum dr_rc
check_children(const struct dr_chain *chain, const struct going *g, struct dr_err *err)
{
    for (size_t i = 0; i < chain->msg->n_entries; i++) {
        const Drover__V1__ChainEntry *child = chain->msg->entries[i];
        struct dr_chain_revision found;
        for (size_t k = 0; k < child->n_parents; k++) {
            if (goes(g, child->parents[k]) && !goes(g, child->digest) &&
                dr_chain_find(chain, child->digest.data, &found) && found.withdraw == NULL) {
                struct dr_chain_revision parent = {0};
                bool is_there = dr_chain_find(chain, child->parents[k].data, &parent);
                (void)dr_err_set(err, DR_E_CONFLICT, "revision '%s' stands on '%s'",
                                 child->revision_id, is_there ? parent.entry->revision_id : "?");
                return dr_err_hint(err, "drover withdraw %s -m WHY first, or both at once",
                                   child->revision_id);
            }
        }
    }
    return DR_OK;
}

// The chain in force, and the withdrawals.
static enum dr_rc
draft(const struct dr_remote *remote, const struct going *g, struct dr_bytes *out,
      struct dr_err *err)
{
    const Drover__V1__Chain *held = remote->trust->chain.msg;
    struct dr_arena *arena = remote->cli->arena;
    Drover__V1__Chain chain = DROVER__V1__CHAIN__INIT;
    Drover__V1__ChainEntry rows[AT_ONCE];
    struct dr_chain checked;
    char *reason = dr_arena_str(arena, g->reason);
    chain.cluster_id = held->cluster_id;
    chain.version = held->version + 1;
    chain.issued = dr_now_unix_s();
    chain.project = held->project;
    chain.entries = dr_arena_array(arena, held->n_entries + g->n, sizeof(*chain.entries));
    if (chain.entries == NULL || reason == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < held->n_entries; i++) {
        chain.entries[chain.n_entries++] = held->entries[i];
    }
    for (size_t i = 0; i < g->n; i++) {
        drover__v1__chain_entry__init(&rows[i]);
        rows[i].action = DROVER__V1__CHAIN_ACTION__WITHDRAW;
        rows[i].revision_id = g->entries[i]->revision_id;
        rows[i].digest = g->entries[i]->digest;
        rows[i].reason = reason;
        chain.entries[chain.n_entries++] = &rows[i];
    }
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
report(struct dr_remote *remote, const struct going *g, const Drover__V1__PutDocumentReply *reply,
       struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && reply->complete && i < g->n; i++) {
        rc = note(cli, g->entries[i], g->reason, err);
    }
    if (cli->format != DR_CLI_TEXT) {
        json_t *ids = json_array();
        for (size_t i = 0; i < g->n; i++) {
            json_array_append_new(ids, json_string(g->entries[i]->revision_id));
        }
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:o, s:s, s:i, s:i, s:b}", "schema",
                                     "drover.v1.Signed", "document", "chain", "withdrawn",
                                     g->entries[0]->revision_id, "revisions", ids, "reason",
                                     g->reason, "signatures", (int)reply->signatures, "needed",
                                     (int)reply->needed, "complete", reply->complete));
        return rc;
    }
    dr_say(cli, "Signed. %u of %u. %s\n", reply->signatures, reply->needed,
           !reply->complete ? "It waits for another reviewer: drover approve chain"
           : g->n == 1      ? "The revision is withdrawn."
                            : "The revisions are withdrawn.");
    if (reply->complete) {
        say_next(cli, &remote->trust->chain, g->entries[g->n - 1]);
    }
    return rc;
}

// Asked once more, since it cannot be taken back.
static enum dr_rc
sign(struct dr_remote *remote, const struct going *g, struct dr_bytes payload, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    Drover__V1__PutDocumentReply *reply = NULL;
    bool go = false;
    for (size_t i = 0; i < g->n; i++) {
        char digest[20];
        dr_print_digest(digest, g->entries[i]->digest.data, 32);
        dr_say(cli, "  - %s  %s  withdrawn: %s\n", g->entries[i]->revision_id, digest,
               dr_print_safe(cli, g->reason));
    }
    dr_say(cli, "    for good: %s never used again\n", g->n == 1 ? "its id is" : "their ids are");
    enum dr_rc rc = dr_ask_yes(cli, g->n == 1 ? "Withdraw it?" : "Withdraw them?", &go, err);
    if (rc == DR_OK && !go) {
        return dr_err_set(err, DR_E_INTERRUPTED, "nothing was signed");
    }
    rc = rc == DR_OK ? dr_chain_sign_payload(remote, payload, &reply, err) : rc;
    return rc == DR_OK ? report(remote, g, reply, err) : rc;
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

// One that went before is told, and noted in a folder that does not know it yet.
static enum dr_rc
say_gone(const struct dr_cli *cli, const Drover__V1__ChainEntry *entry, const char *reason,
         struct dr_err *err)
{
    dr_say(cli, "%s is withdrawn already: %s\n", entry->revision_id, dr_print_safe(cli, reason));
    enum dr_rc rc = note(cli, entry, reason, err);
    if (rc == DR_OK && cli->format != DR_CLI_TEXT && cli->args_count == 1) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:s, s:b}", "schema", "drover.v1.Signed",
                                     "document", "chain", "withdrawn", entry->revision_id, "reason",
                                     reason, "complete", true));
    }
    return rc;
}

// Puts it where it belongs, once.
static enum dr_rc
add(struct going *g, const struct dr_chain *chain, const Drover__V1__ChainEntry *entry,
    struct dr_err *err)
{
    size_t at = g->n;
    if (goes(g, entry->digest)) {
        return DR_OK;
    }
    if (g->n == AT_ONCE) {
        return dr_err_set(err, DR_E_LIMIT, "more than %u revisions at once", AT_ONCE);
    }
    size_t place = dr_chain_position(chain, entry->digest.data);
    for (; at > 0 && dr_chain_position(chain, g->entries[at - 1]->digest.data) < place; at--) {
        g->entries[at] = g->entries[at - 1];
    }
    g->entries[at] = entry;
    g->n++;
    return DR_OK;
}

static enum dr_rc
choose(const struct dr_remote *remote, struct going *g, struct dr_err *err)
{
    const struct dr_cli *cli = remote->cli;
    const struct dr_chain *chain = &remote->trust->chain;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < cli->args_count; i++) {
        const Drover__V1__ChainEntry *entry = NULL;
        struct dr_chain_revision found = {0};
        rc = find_entry(chain, cli->args[i], &entry, err);
        if (rc == DR_OK && dr_chain_find(chain, entry->digest.data, &found) &&
            found.withdraw != NULL) {
            rc = say_gone(cli, entry, found.withdraw->reason, err);
        } else if (rc == DR_OK) {
            rc = add(g, chain, entry, err);
        }
    }
    return rc;
}

enum dr_rc
dr_cmd_withdraw(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct dr_bytes payload = {0};
    struct going g = {.reason = dr_cli_option(cli, "message")};
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK ? choose(&remote, &g, err) : rc;
    if (rc == DR_OK && g.n > 0) {
        rc = check_reason(g.reason, err);
        rc = rc == DR_OK ? check_children(&remote.trust->chain, &g, err) : rc;
        rc = rc == DR_OK ? draft(&remote, &g, &payload, err) : rc;
        rc = rc == DR_OK ? sign(&remote, &g, payload, err) : rc;
    }
    dr_remote_close(&remote);
    return rc;
}

// A chain that differs from the one in force by withdrawals for one reason; false: this is another.
static bool
read_withdrawals(const struct dr_chain *held, const struct dr_chain *next, struct going *out)
{
    struct dr_err ignored = {0};
    *out = (struct going){0};
    bool is = held->msg != NULL && next->msg->n_entries > held->msg->n_entries &&
              next->msg->n_entries - held->msg->n_entries <= AT_ONCE &&
              dr_chain_follows(held, next, &ignored) == DR_OK;
    for (size_t i = is ? held->msg->n_entries : 0; is && i < next->msg->n_entries; i++) {
        const Drover__V1__ChainEntry *row = next->msg->entries[i];
        struct dr_chain_revision found = {0};
        is = row->action == DROVER__V1__CHAIN_ACTION__WITHDRAW &&
             dr_chain_find(held, row->digest.data, &found) &&
             (out->reason == NULL || dr_str_eq(out->reason, row->reason));
        out->reason = row->reason;
        out->entries[out->n] = found.entry;
        out->n += is ? 1 : 0;
    }
    return is;
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
        struct going g;
        if (!read_withdrawals(&remote->trust->chain, &next, &g)) {
            continue;
        }
        dr_say(remote->cli, "Another reviewer withdraws %s:\n",
               g.n == 1 ? "a revision" : "revisions");
        rc = sign(remote, &g, envelope.payload, err);
        *out_is_done = true;
    }
    return rc;
}
