// What a document says and changes, in words, from the bytes that are signed.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/signing.h"
#include "coordinator/cli/trust_words.h"

#include "trust/chain.h"
#include "trust/strict.h"

#include <string.h>

static enum dr_rc
decode(const struct dr_signing *s, const struct dr_trust_file *file,
       const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, struct dr_err *err)
{
    struct dr_envelope envelope;
    enum dr_rc rc = dr_envelope_parse(file->envelope, NULL, &envelope, err);
    return rc == DR_OK ? dr_strict_decode(s->cli->arena, type, envelope.payload, out, err) : rc;
}

// A signature goes only to what may still come into force here: of this cluster, newer than what is
// in force, or the same to the byte. With another in its place people who were away would be told a
// second story under one number.
static enum dr_rc
check_place(struct dr_signing *s, ProtobufCBinaryData my_cluster, ProtobufCBinaryData cluster,
            uint64_t in_force, bool is_same, struct dr_err *err)
{
    uint64_t version = s->document.version;
    const char *path = dr_print_safe(s->cli, s->document.path);
    if (!dr_data_eq(my_cluster, cluster)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "'%s' is of another cluster", path);
    }
    if (version < in_force) {
        return dr_err_set(err, DR_E_ROLLBACK, "'%s' is version %llu, and %llu is in force", path,
                          (unsigned long long)version, (unsigned long long)in_force);
    }
    if (version == in_force && !is_same) {
        return dr_err_set(err, DR_E_EQUIVOCATION,
                          "'%s' is not the version %llu that is in force; nothing was signed", path,
                          (unsigned long long)version);
    }
    s->is_in_force = version == in_force;
    return DR_OK;
}

static enum dr_rc
root_words(struct dr_signing *s, struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    enum dr_rc rc = decode(s, &s->document.file, &drover__v1__root__descriptor, &message, err);
    const Drover__V1__Root *root = (const Drover__V1__Root *)message;
    rc = rc == DR_OK ? dr_root_check(root, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    s->document.version = root->version;
    s->root = root;
    const Drover__V1__Root *old = s->now->root.msg;
    if (old == NULL) {
        dr_words_root_change(NULL, root, &s->changes);
        return DR_OK;
    }
    struct dr_envelope envelope;
    rc = dr_envelope_parse(s->document.file.envelope, NULL, &envelope, err);
    rc = rc == DR_OK ? check_place(s, old->cluster_id, root->cluster_id, old->version,
                                   memcmp(envelope.sha256, s->now->root.sha256, 32) == 0, err)
                     : rc;
    if (rc == DR_OK && root->version > old->version + 1) {
        dr_err_set(err, DR_E_BAD_ROOT, "root %llu does not come next: root %llu is in force",
                   (unsigned long long)root->version, (unsigned long long)old->version);
        return dr_err_hint(err, "drover sign root.%llu", (unsigned long long)old->version + 1);
    }
    if (rc == DR_OK) {
        dr_words_root_change(old, root, &s->changes);
    }
    return rc;
}

// Decodes the leaves as messages, for comparing.
static enum dr_rc
decode_leaves(struct dr_signing *s, const struct dr_bytes *leaves, size_t n,
              Drover__V1__FleetEntry ***out, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    *out = dr_arena_array(s->cli->arena, n + 1, sizeof(**out));
    if (*out == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        ProtobufCMessage *message = NULL;
        rc = dr_strict_decode(s->cli->arena, &drover__v1__fleet_entry__descriptor, leaves[i],
                              &message, err);
        (*out)[i] = (Drover__V1__FleetEntry *)message;
    }
    return rc;
}

// The fleet to compare with is one that was signed: in force here, or the newest complete file
// before this one. Never a proposal: what it adds would not be seen by anybody.
static enum dr_rc
older_leaves(struct dr_signing *s, const Drover__V1__Fleet **out_header,
             const struct dr_bytes **out, size_t *out_n, struct dr_err *err)
{
    const struct dr_trust *trust = s->now->remote.trust;
    struct dr_trust_file file = {0};
    *out_n = 0;
    if (trust != NULL && trust->fleet.msg != NULL && trust->is_fleet_whole) {
        struct dr_bytes *leaves =
            dr_arena_array(s->cli->arena, trust->n_entries + 1, sizeof(*leaves));
        if (leaves == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        for (size_t i = 0; i < trust->n_entries; i++) {
            leaves[i] = trust->entries[i].leaf;
        }
        *out_header = trust->fleet.msg;
        *out = leaves;
        *out_n = trust->n_entries;
        return DR_OK;
    }
    const Drover__V1__Root *root = s->now->root.msg;
    for (uint64_t v = s->document.version - 1; root != NULL && v > 0; v--) {
        struct dr_err ignored = {0};
        uint32_t have = 0;
        uint32_t need = 1;
        if (dr_trust_file_read(s->cli, dr_trust_file_path(s->cli, "fleet", v), &file, &ignored) ==
                DR_OK &&
            dr_trust_file_count(s->cli, root, &file, &have, &need, &ignored) == DR_OK &&
            have >= need) {
            const struct dr_signing inner = {.cli = s->cli, .document.file = file};
            ProtobufCMessage *header = NULL;
            enum dr_rc rc = decode(&inner, &file, &drover__v1__fleet__descriptor, &header, err);
            *out_header = (const Drover__V1__Fleet *)header;
            *out = file.parts;
            *out_n = file.n_parts;
            return rc;
        }
    }
    return DR_OK;
}

static enum dr_rc
check_fleet_place(struct dr_signing *s, const Drover__V1__Fleet *fleet, struct dr_err *err)
{
    const struct dr_trust *trust = s->now->remote.trust;
    const Drover__V1__Root *root = s->now->root.msg;
    struct dr_envelope envelope;
    if (root == NULL) {
        return DR_OK; // a first fleet beside the first root
    }
    bool has = trust != NULL && trust->fleet.msg != NULL;
    enum dr_rc rc = dr_envelope_parse(s->document.file.envelope, NULL, &envelope, err);
    return rc == DR_OK
               ? check_place(s, root->cluster_id, fleet->cluster_id,
                             has ? trust->fleet.msg->version : 0,
                             has && memcmp(envelope.sha256, trust->fleet.sha256, 32) == 0, err)
               : rc;
}

static enum dr_rc
fleet_words(struct dr_signing *s, struct dr_err *err)
{
    ProtobufCMessage *message = NULL;
    struct dr_fleet fleet = {.wire = s->document.file.envelope};
    struct dr_fleet_entry *checked = NULL;
    Drover__V1__FleetEntry **entries = NULL;
    Drover__V1__FleetEntry **before = NULL;
    const struct dr_bytes *old = NULL;
    const Drover__V1__Fleet *old_header = NULL;
    size_t old_n = 0;
    enum dr_rc rc = decode(s, &s->document.file, &drover__v1__fleet__descriptor, &message, err);
    if (rc != DR_OK) {
        return rc;
    }
    fleet.msg = (const Drover__V1__Fleet *)message;
    s->document.version = fleet.msg->version;
    dr_format_time(s->until, fleet.msg->expires);
    rc = check_fleet_place(s, fleet.msg, err);
    const struct dr_trust *held = s->now->remote.trust;
    rc = rc != DR_OK
             ? rc
             : dr_fleet_entries_check_next(s->cli->arena, &fleet, s->document.file.parts,
                                           s->document.file.n_parts, held ? held->entries : NULL,
                                           held ? held->n_entries : 0, &checked, err);
    rc = rc == DR_OK
             ? decode_leaves(s, s->document.file.parts, s->document.file.n_parts, &entries, err)
             : rc;
    rc = rc == DR_OK ? older_leaves(s, &old_header, &old, &old_n, err) : rc;
    rc = rc == DR_OK ? decode_leaves(s, old, old_n, &before, err) : rc;
    if (rc == DR_OK) {
        dr_words_fleet_change(s->cli, old_header, before, old_n, fleet.msg, entries,
                              s->document.file.n_parts, &s->changes);
    }
    return rc;
}

// What a chain adds to the one in force, which it has to begin with.
static enum dr_rc
chain_change(struct dr_signing *s, const struct dr_chain *chain, struct dr_err *err)
{
    const struct dr_trust *trust = s->now->remote.trust;
    const struct dr_chain *held = trust != NULL && trust->chain.msg ? &trust->chain : NULL;
    const Drover__V1__Root *root = s->now->root.msg;
    enum dr_rc rc = DR_OK;
    if (root != NULL && !dr_data_eq(root->cluster_id, chain->msg->cluster_id)) {
        return dr_err_set(err, DR_E_FOREIGN_CLUSTER, "the chain is of another cluster");
    }
    s->is_in_force = held != NULL && memcmp(held->sha256, chain->sha256, 32) == 0;
    if (held != NULL && !s->is_in_force) {
        rc = dr_chain_follows(held, chain, err);
    }
    for (size_t i = held ? held->msg->n_entries : 0; rc == DR_OK && i < chain->msg->n_entries;
         i++) {
        const Drover__V1__ChainEntry *e = chain->msg->entries[i];
        bool is_add = e->action == DROVER__V1__CHAIN_ACTION__ADD;
        dr_buf_printf(&s->changes, "%s %s%s%s%s%s\n", is_add ? "+" : "- withdrawn",
                      dr_print_safe(s->cli, e->revision_id),
                      is_add ? (e->author[0] ? ", by " : "") : ": ",
                      dr_print_safe(s->cli, is_add ? e->author : e->reason),
                      e->branch[0] ? ", branch " : "", dr_print_safe(s->cli, e->branch));
    }
    return rc;
}

// Who signs a chain has every revision as a file.
static enum dr_rc
chain_words(struct dr_signing *s, const struct dr_trust_file *file, uint64_t *out_version,
            struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_chain chain;
    struct dr_graph *graph = NULL;
    enum dr_rc rc = dr_envelope_parse(file->envelope, DR_TYPE_CHAIN, &envelope, err);
    rc = rc == DR_OK ? dr_chain_decode(s->cli->arena, envelope.payload, &chain, err) : rc;
    if (rc == DR_OK) {
        chain.wire = file->envelope;
        memcpy(chain.sha256, envelope.sha256, 32);
        rc = chain_change(s, &chain, err);
    }
    rc = rc == DR_OK ? dr_chain_files_load(s->cli, &graph, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < chain.msg->n_entries; i++) {
        const Drover__V1__ChainEntry *entry = chain.msg->entries[i];
        bool found = entry->action != DROVER__V1__CHAIN_ACTION__ADD;
        for (size_t k = 0; !found && k < dr_graph_count(graph); k++) {
            found = dr_data_is(entry->digest, dr_graph_at(graph, k)->digest);
        }
        if (!found) {
            dr_err_set(err, DR_E_NOT_FOUND,
                       "the chain has revision '%s' in a form that is not in your folder",
                       entry->revision_id);
            rc = dr_err_hint(err, "git pull, then the same command again");
        }
    }
    dr_graph_free(&graph);
    if (rc == DR_OK) {
        *out_version = chain.msg->version;
        dr_buf_printf(&s->changes, "= chain %llu: %zu entries, each as in your folder\n",
                      (unsigned long long)chain.msg->version, chain.msg->n_entries);
    }
    return rc;
}

enum dr_rc
dr_signing_read_words(struct dr_signing *s, struct dr_err *err)
{
    const char *kind = s->document.file.kind;
    if (dr_str_eq(kind, DR_TYPE_ROOT)) {
        return root_words(s, err);
    }
    if (dr_str_eq(kind, DR_TYPE_FLEET)) {
        return fleet_words(s, err);
    }
    return chain_words(s, &s->document.file, &s->document.version, err);
}

// ---- saying it

static void
describe_root(const struct dr_signing *s)
{
    char expires[32];
    struct dr_buf people = {0};
    const Drover__V1__Root *root = s->root;
    dr_format_time(expires, root->expires);
    for (size_t i = 0; i < root->n_people; i++) {
        dr_buf_printf(&people, "%s%s", i ? ", " : "", root->people[i]->name);
    }
    dr_say(s->cli, "root version %llu, until %s: %zu people (%s), root %u, fleet %u, reviewers %u",
           (unsigned long long)root->version, expires, root->n_people,
           people.data ? people.data : "", root->root->threshold, root->fleet->threshold,
           root->reviewers->threshold);
    for (size_t i = 0; i < root->n_approvers; i++) {
        dr_say(s->cli, ", %s %u", root->approvers[i]->environment,
               root->approvers[i]->role->threshold);
    }
    dr_say(s->cli, "\n");
    dr_buf_fini(&people);
}

static const char *
kind_word(const struct dr_trust_file *file)
{
    return dr_str_eq(file->kind, DR_TYPE_ROOT)    ? "root"
           : dr_str_eq(file->kind, DR_TYPE_FLEET) ? "fleet"
                                                  : "chain";
}

void
dr_signing_describe(const struct dr_signing *s)
{
    if (dr_str_eq(s->document.file.kind, DR_TYPE_ROOT)) {
        describe_root(s);
    } else {
        dr_say(s->cli, "%s version %llu%s%s\n", kind_word(&s->document.file),
               (unsigned long long)s->document.version, s->until[0] ? ", until " : "", s->until);
    }
    for (const char *p = s->changes.data; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, "\n");
        dr_say(s->cli, "  %.*s\n", (int)len, p);
        p += len + (p[len] == '\n' ? 1 : 0);
    }
    if (s->changes.len == 0 && s->document.version > 1) {
        dr_say(s->cli, s->is_in_force ? "  as it is in force\n" : "  nothing but its times\n");
    }
    for (size_t i = 0; i < s->n_with; i++) {
        dr_say(s->cli, "  also signed, unchanged, so that it holds under this root: %s %llu\n",
               kind_word(&s->with[i].file), (unsigned long long)s->with[i].version);
    }
}
