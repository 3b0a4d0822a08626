// submit: revisions reach the coordinator. approve chain: a reviewer signs them into the chain,
// after this drover has worked out every digest again from the files' bytes.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/chain_sign.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"

#include "base/clock.h"
#include "revision/review.h"

#include <stdio.h>
#include <string.h>

static bool
is_in_chain(const struct dr_trust *trust, const uint8_t digest[32])
{
    struct dr_chain_revision found;
    return trust->chain.msg != NULL && dr_chain_find(&trust->chain, digest, &found);
}

static bool
is_file_of(const struct dr_nodes *nodes, const char *file)
{
    bool is_one = false;
    for (size_t i = 0; i < nodes->count; i++) {
        is_one = is_one || dr_str_eq(nodes->items[i]->revision->path, file);
    }
    return is_one;
}

// Errors of lint stop a revision here: nobody should have to read it. The whole chain is replayed,
// for a new revision stands on the tables of the others; only what is wrong with new ones counts.
static enum dr_rc
refuse_findings(struct dr_cli *cli, const struct dr_graph *graph, const struct dr_nodes *nodes,
                struct dr_err *err)
{
    struct dr_findings all = {.arena = cli->arena}, findings = {.arena = cli->arena};
    struct dr_nodes chain = {.count = dr_graph_count(graph)};
    chain.items = dr_arena_array(cli->arena, chain.count + 1, sizeof(*chain.items));
    if (chain.items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < chain.count; i++) {
        chain.items[i] = dr_graph_at(graph, i);
    }
    enum dr_rc rc = dr_review_nodes(&chain, &all, err);
    for (size_t i = 0; rc == DR_OK && i < all.count; i++) {
        if (is_file_of(nodes, all.items[i].file)) {
            dr_findings_add(&findings, &all.items[i]);
        }
    }
    if (rc != DR_OK || dr_findings_errors(&findings) == 0) {
        return rc;
    }
    dr_findings_sort(&findings);
    dr_findings_first_error(&findings, err);
    return dr_err_hint(err, "drover lint");
}

static Drover__V1__SubmittedRevision *
to_submitted(struct dr_cli *cli, const struct dr_node *node)
{
    struct dr_arena *arena = cli->arena;
    Drover__V1__SubmittedRevision *row = dr_arena_alloc(arena, sizeof(*row));
    if (row == NULL) {
        return NULL;
    }
    drover__v1__submitted_revision__init(row);
    const char *slash = strrchr(node->revision->path, '/');
    row->id = dr_arena_str(arena, node->revision->id);
    row->message = dr_arena_str(arena, node->revision->message);
    row->file_name = dr_arena_str(arena, slash ? slash + 1 : node->revision->path);
    row->digest = dr_data(node->digest, 32);
    row->file_sha256 = dr_data(node->file_sha256, 32);
    row->file_size = node->revision->size;
    row->parents = dr_arena_array(arena, node->parent_count + 1, sizeof(*row->parents));
    row->parent_ids = dr_arena_array(arena, node->parent_count + 1, sizeof(*row->parent_ids));
    if (row->parents == NULL || row->parent_ids == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < node->parent_count; i++) {
        row->parents[i] = dr_data(node->parents[i]->digest, 32);
        row->parent_ids[i] = dr_arena_str(arena, node->parents[i]->revision->id);
    }
    row->n_parents = row->n_parent_ids = node->parent_count;
    return row;
}

// What of the folder (or of what leads to the given revision) the chain does not have yet.
static enum dr_rc
choose_new(struct dr_cli *cli, const struct dr_graph *graph, const struct dr_trust *trust,
           struct dr_nodes *out, struct dr_err *err)
{
    static const struct dr_names none = {0};
    struct dr_nodes all = {0};
    enum dr_rc rc = dr_graph_upgrade(graph, cli->args_count ? cli->args[0] : "heads", &none,
                                     cli->arena, &all, err);
    out->items = dr_arena_array(cli->arena, all.count + 1, sizeof(*out->items));
    out->count = 0;
    if (rc == DR_OK && out->items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < all.count; i++) {
        if (!is_in_chain(trust, all.items[i]->digest)) {
            out->items[out->count++] = all.items[i];
        }
    }
    return rc;
}

static json_t *
ids_json(const struct dr_nodes *nodes)
{
    json_t *list = json_array();
    for (size_t i = 0; i < nodes->count; i++) {
        json_array_append_new(list, json_string(nodes->items[i]->revision->id));
    }
    return list;
}

static enum dr_rc
send_revisions(struct dr_cli *cli, struct dr_remote *remote, const struct dr_nodes *nodes,
               struct dr_err *err)
{
    Drover__V1__SubmitRequest request = DROVER__V1__SUBMIT_REQUEST__INIT;
    Drover__V1__SubmitReply *reply = NULL;
    request.project = cli->project->name;
    request.revisions = dr_arena_array(cli->arena, nodes->count, sizeof(*request.revisions));
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_node *node = nodes->items[i];
        struct dr_bytes bytes = {(const uint8_t *)node->revision->bytes, node->revision->size};
        enum dr_rc rc = dr_remote_put_blob(remote, node->file_sha256, bytes, err);
        if (rc != DR_OK) {
            return rc;
        }
        Drover__V1__SubmittedRevision *row = to_submitted(cli, node);
        if (request.revisions == NULL || row == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        request.revisions[request.n_revisions++] = row;
    }
    enum dr_rc rc = dr_remote_call(remote, DR_METHOD_OPERATOR_SUBMIT, &request.base, &reply, err);
    if (rc == DR_OK && cli->format == DR_CLI_TEXT) {
        for (size_t i = 0; i < nodes->count; i++) {
            char digest[20];
            dr_print_digest(digest, nodes->items[i]->digest, 32);
            dr_say(cli, "Submitted %s (%s), %s\n", nodes->items[i]->revision->id, digest,
                   nodes->items[i]->revision->message);
        }
        dr_say(cli, "%u new. next: drover approve chain\n", reply->added);
    } else if (rc == DR_OK) {
        dr_print_json(cli, json_pack("{s:s, s:i, s:i, s:o}", "schema", "drover.v1.Submit",
                                     "submitted", (int)nodes->count, "added", (int)reply->added,
                                     "revisions", ids_json(nodes)));
    }
    return rc;
}

// What would be submitted, or that there is nothing: nothing is sent.
static void
say_only(const struct dr_cli *cli, const struct dr_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_revision *r = nodes->items[i]->revision;
        dr_say(cli, "Would submit %s, %s\n", r->id, r->message);
    }
    if (nodes->count == 0) {
        dr_say(cli, "Nothing to submit: the chain has every revision of the folder\n");
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:i, s:i, s:o}", "schema", "drover.v1.Submit",
                                     "submitted", 0, "added", 0, "revisions", ids_json(nodes)));
    }
}

enum dr_rc
dr_cmd_submit(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    enum dr_rc rc = dr_chain_files_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_graph_check_heads(graph, err) : rc;
    rc = rc == DR_OK ? dr_remote_open(cli, &remote, err) : rc;
    rc = rc == DR_OK ? choose_new(cli, graph, remote.trust, &nodes, err) : rc;
    rc = rc == DR_OK && nodes.count > 0 ? refuse_findings(cli, graph, &nodes, err) : rc;
    if (rc == DR_OK && (nodes.count == 0 || dr_cli_has(cli, "dry-run"))) {
        say_only(cli, &nodes);
    } else if (rc == DR_OK) {
        rc = send_revisions(cli, &remote, &nodes, err);
    }
    dr_graph_free(&graph);
    dr_remote_close(&remote);
    return rc;
}

// -------------------------------------------------------------------------------------------------
// approve chain

// Fetches the file, parses it, and works out its digest from its own words; that it equals what was
// submitted is checked.
static enum dr_rc
recompute(struct dr_remote *remote, const Drover__V1__SubmittedRevision *row,
          struct dr_revision **out, struct dr_err *err)
{
    struct dr_bytes file = {0};
    uint8_t digest[32];
    const char *name = dr_print_safe(remote->cli, row->id);
    if (row->file_sha256.len != 32 || row->digest.len != 32) {
        return dr_err_set(err, DR_E_INVALID, "the coordinator names revision '%s' without digests",
                          name);
    }
    enum dr_rc rc =
        dr_remote_get_blob(remote, row->file_sha256.data, DR_REVISION_FILE_MAX, &file, err);
    rc = rc == DR_OK ? dr_revision_parse(name, (const char *)file.data, file.len,
                                         remote->cli->arena, out, err)
                     : rc;
    if (rc != DR_OK) {
        return dr_err_wrap(err, "revision '%s' from the coordinator", name);
    }
    uint8_t(*parents)[32] =
        dr_arena_array(remote->cli->arena, row->n_parents + 1, sizeof(*parents));
    for (size_t i = 0; parents != NULL && i < row->n_parents; i++) {
        if (row->parents[i].len != 32) {
            return dr_err_set(err, DR_E_INVALID, "revision '%s' has a malformed parent", name);
        }
        memcpy(parents[i], row->parents[i].data, 32);
    }
    if (parents == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    dr_digest_revision(digest, (*out)->id, row->file_sha256.data, parents, row->n_parents);
    if ((!dr_str_eq((*out)->id, row->id) || memcmp(digest, row->digest.data, 32) != 0)) {
        dr_err_set(err, DR_E_CONFLICT,
                   "revision '%s': the coordinator's digest is not that of its bytes", name);
        dr_err_hint(err, "do not sign; ask who submitted it");
        rc = err->rc;
    }
    return rc;
}

// The chain names parents by digest, the file by id: both have to mean the same revisions.
static enum dr_rc
check_parents(struct dr_cli *cli, const Drover__V1__Chain *so_far,
              const Drover__V1__SubmittedRevision *row, const struct dr_revision *revision,
              struct dr_err *err)
{
    bool same = revision->parents.count == row->n_parents;
    for (size_t i = 0; same && i < revision->parents.count; i++) {
        const Drover__V1__ChainEntry *parent = NULL;
        for (size_t k = 0; k < so_far->n_entries && parent == NULL; k++) {
            const Drover__V1__ChainEntry *entry = so_far->entries[k];
            bool is_it = entry->action == DROVER__V1__CHAIN_ACTION__ADD &&
                         dr_str_eq(entry->revision_id, revision->parents.items[i]);
            parent = is_it ? entry : NULL;
        }
        same = false;
        for (size_t k = 0; parent != NULL && k < row->n_parents; k++) {
            same = same || dr_data_eq(parent->digest, row->parents[k]);
        }
    }
    if (!same) {
        dr_err_set(err, DR_E_CONFLICT,
                   "revision '%s': the parents that were submitted are not those that its file "
                   "names",
                   dr_print_safe(cli, row->id));
        return dr_err_hint(err, "do not sign; ask who submitted it");
    }
    return DR_OK;
}

static Drover__V1__ChainEntry *
to_entry(struct dr_remote *remote, const Drover__V1__SubmittedRevision *row,
         const struct dr_revision *revision)
{
    struct dr_arena *arena = remote->cli->arena;
    Drover__V1__ChainEntry *entry = dr_arena_alloc(arena, sizeof(*entry));
    if (entry == NULL) {
        return NULL;
    }
    drover__v1__chain_entry__init(entry);
    bool is_person = dr_root_person_index(remote->trust->root.msg, row->submitted_by) >= 0;
    entry->action = DROVER__V1__CHAIN_ACTION__ADD;
    entry->revision_id = row->id;
    entry->digest = row->digest;
    entry->parents = row->parents;
    entry->n_parents = row->n_parents;
    entry->author = dr_arena_str(arena, is_person ? row->submitted_by : "");
    entry->branch =
        dr_arena_str(arena, revision->labels.count > 0 ? revision->labels.items[0] : "");
    for (size_t i = 1; i < entry->n_parents; i++) { // ascending, as the document wants
        for (size_t j = i;
             j > 0 && memcmp(entry->parents[j - 1].data, entry->parents[j].data, 32) > 0; j--) {
            ProtobufCBinaryData other = entry->parents[j];
            entry->parents[j] = entry->parents[j - 1];
            entry->parents[j - 1] = other;
        }
    }
    return entry;
}

static void
show_entry(struct dr_cli *cli, const Drover__V1__ChainEntry *entry,
           const struct dr_revision *revision)
{
    char digest[20];
    dr_print_digest(digest, entry->digest.data, 32);
    dr_say(cli, "  + %s  %s  %s%s%s\n", revision->id, digest, revision->message,
           entry->author[0] != '\0' ? ", by " : "", entry->author);
    if (revision->breaking != NULL && revision->breaking[0] != '\0') {
        dr_say(cli, "      BREAKING: %s\n", revision->breaking);
    }
    if (revision->destructive != NULL && revision->destructive[0] != '\0') {
        dr_say(cli, "      DESTRUCTIVE: %s\n", revision->destructive);
    }
}

// The chain that I would sign: mine and every submitted revision that it lacks, in the
// coordinator's order (parents first, which the chain's own check demands).
static enum dr_rc
draft_chain(struct dr_remote *remote, const Drover__V1__ListRevisionsReply *submitted,
            struct dr_bytes *out_payload, size_t *out_new, struct dr_err *err)
{
    struct dr_cli *cli = remote->cli;
    const Drover__V1__Chain *held = remote->trust->chain.msg;
    size_t n = held ? held->n_entries : 0;
    Drover__V1__Chain chain = DROVER__V1__CHAIN__INIT;
    struct dr_chain checked;
    chain.cluster_id = remote->trust->root.msg->cluster_id;
    chain.version = held ? held->version + 1 : 1;
    chain.issued = dr_now_unix_s();
    chain.project = cli->project->name;
    chain.entries =
        dr_arena_array(cli->arena, n + submitted->n_revisions + 1, sizeof(*chain.entries));
    if (chain.entries == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        chain.entries[chain.n_entries++] = held->entries[i];
    }
    for (size_t i = 0; i < submitted->n_revisions; i++) {
        const Drover__V1__SubmittedRevision *row = submitted->revisions[i];
        struct dr_revision *revision = NULL;
        if (row->digest.len != 32 || is_in_chain(remote->trust, row->digest.data)) {
            continue;
        }
        enum dr_rc rc = recompute(remote, row, &revision, err);
        rc = rc == DR_OK ? check_parents(cli, &chain, row, revision, err) : rc;
        Drover__V1__ChainEntry *entry = rc == DR_OK ? to_entry(remote, row, revision) : NULL;
        if (rc != DR_OK || entry == NULL) {
            return rc != DR_OK ? rc : dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        show_entry(cli, entry, revision);
        chain.entries[chain.n_entries++] = entry;
    }
    *out_new = chain.n_entries - n;
    enum dr_rc rc = *out_new ? dr_strict_encode(cli->arena, &chain.base, out_payload, err) : DR_OK;
    return rc == DR_OK && *out_new ? dr_chain_decode(cli->arena, *out_payload, &checked, err) : rc;
}

static void
say_none(const struct dr_cli *cli)
{
    dr_say(cli, "  none: everything that was submitted is in the chain\n");
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:i}", "schema", "drover.v1.Signed", "document",
                                     "chain", "revisions", 0));
    }
}

enum dr_rc
dr_cmd_approve_chain(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    Drover__V1__ListRevisionsRequest request = DROVER__V1__LIST_REVISIONS_REQUEST__INIT;
    Drover__V1__ListRevisionsReply *submitted = NULL;
    struct dr_bytes payload = {0};
    size_t n_new = 0;
    bool go = false;
    bool is_done = false;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK ? dr_withdraw_approve(&remote, &is_done, err) : rc;
    if (rc != DR_OK || is_done) {
        dr_remote_close(&remote);
        return rc;
    }
    if (rc == DR_OK) {
        request.project = cli->project->name;
        rc = dr_remote_call(&remote, DR_METHOD_OPERATOR_LIST_REVISIONS, &request.base, &submitted,
                            err);
    }
    if (rc == DR_OK) {
        dr_say(cli, "Revisions that wait for the chain, as worked out from their bytes:\n");
    }
    rc = rc == DR_OK ? draft_chain(&remote, submitted, &payload, &n_new, err) : rc;
    if (rc == DR_OK && n_new == 0) {
        say_none(cli);
    } else if (rc == DR_OK) {
        rc = dr_ask_yes(cli, "Sign these into the chain?", &go, err);
        if (rc == DR_OK && go) {
            rc = dr_chain_sign(&remote, payload, n_new, err);
        } else if (rc == DR_OK) {
            rc = dr_err_set(err, DR_E_INTERRUPTED, "nothing was signed");
        }
    }
    dr_remote_close(&remote);
    return rc;
}
