// The log's head as this person saw it last, in the folder of the trusted documents: a coordinator
// whose log does not continue it was put back, forked or replaced. And what this person holds and a
// coordinator that was put back lacks, given to it again.

#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_FILE "log-head"
#define HEAD_MAX  128u

static bool
head_path(const struct dr_cli *cli, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/" HEAD_FILE, cli->project->trust);
    return n > 0 && n < PATH_MAX;
}

static void
read_seen(const struct dr_cli *cli, struct dr_loghash *out)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    *out = (struct dr_loghash){0};
    if (!head_path(cli, path) || dr_file_read(path, HEAD_MAX, &text, &len, NULL) != DR_OK) {
        return;
    }
    char *space = strchr(text, ' ');
    if (space != NULL && strlen(space + 1) >= 64) {
        *space = '\0';
        space[65] = '\0';
        if (!dr_parse_u64(text, 1, INT64_MAX, &out->index) || !dr_unhex(out->hash, 32, space + 1)) {
            *out = (struct dr_loghash){0};
        }
    }
    free(text);
}

void
dr_remote_log_remember(const struct dr_cli *cli, const struct dr_loghash *head)
{
    char path[PATH_MAX];
    char hex[65];
    char text[HEAD_MAX];
    dr_hex(hex, head->hash, 32);
    int n = snprintf(text, sizeof(text), "%" PRIu64 " %s\n", head->index, hex);
    if (head->index > 0 && head_path(cli, path) && n > 0 &&
        dr_file_write(path, text, (size_t)n, 0600, NULL) != DR_OK) {
        dr_print_note(cli,
                      "note: '%s' cannot be written: a coordinator that is put back would not "
                      "be noticed",
                      dr_project_shown(cli, path));
    }
}

// The hash of one entry there; false when there is none.
static bool
entry_there(struct dr_remote *remote, uint64_t index, uint8_t out[32])
{
    Drover__V1__LogRequest request = DROVER__V1__LOG_REQUEST__INIT;
    Drover__V1__LogReply *reply = NULL;
    struct dr_err ignored = {0};
    request.after = index - 1;
    request.limit = 1;
    if (dr_remote_call(remote, DR_METHOD_OPERATOR_LOG, &request.base, &reply, &ignored) != DR_OK ||
        reply->n_entries != 1 || reply->entries[0]->index != index ||
        reply->entries[0]->hash.len != 32) {
        return false;
    }
    memcpy(out, reply->entries[0]->hash.data, 32);
    return true;
}

void
dr_remote_check_log(struct dr_remote *remote)
{
    const struct dr_cli *cli = remote->cli;
    Drover__V1__HealthRequest who = DROVER__V1__HEALTH_REQUEST__INIT;
    Drover__V1__HealthReply *reply = NULL;
    struct dr_err ignored = {0};
    struct dr_loghash seen;
    struct dr_loghash now = {0};
    uint8_t there[32] = {0};
    if (dr_remote_call(remote, DR_METHOD_HEALTH_CHECK, &who.base, &reply, &ignored) != DR_OK ||
        reply->log_head.len != 32) {
        return;
    }
    now.index = reply->log_count;
    memcpy(now.hash, reply->log_head.data, 32);
    read_seen(cli, &seen);
    if (seen.index == 0) {
        dr_remote_log_remember(cli, &now);
        return;
    }
    if (seen.index > now.index) {
        dr_print_note(cli,
                      "warning: the coordinator's log ends at entry %" PRIu64 ", you saw %" PRIu64
                      ": it was put back to an older copy, or replaced\n"
                      "  try: drover log --verify --accept, when you know why",
                      now.index, seen.index);
        return;
    }
    if (seen.index == now.index) {
        memcpy(there, now.hash, 32);
    } else if (!entry_there(remote, seen.index, there)) {
        return;
    }
    if (memcmp(there, seen.hash, 32) != 0) {
        dr_print_note(cli,
                      "warning: entry %" PRIu64 " of the coordinator's log is not the one that you "
                      "saw: it was forked, put back or replaced\n"
                      "  try: drover log --verify --accept, when you know why",
                      seen.index);
    } else if (now.index > seen.index) {
        dr_remote_log_remember(cli, &now);
    }
}

static enum dr_rc
give_fleet(struct dr_remote *remote, Drover__V1__PutDocumentReply **reply, struct dr_err *err)
{
    const struct dr_trust *trust = remote->trust;
    struct dr_bytes *leaves =
        dr_arena_array(remote->cli->arena, trust->n_entries + 1, sizeof(*leaves));
    if (leaves == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < trust->n_entries; i++) {
        leaves[i] = trust->entries[i].leaf;
    }
    return dr_remote_put(remote, DR_TYPE_FLEET, trust->fleet.wire, leaves, trust->n_entries, reply,
                         err);
}

enum dr_rc
dr_remote_give_back(struct dr_remote *remote, struct dr_err *err)
{
    const struct dr_trust *trust = remote->trust;
    Drover__V1__PutDocumentReply *reply = NULL;
    Drover__V1__TrustUpdate *held = NULL;
    enum dr_rc rc = dr_trust_store_export(remote->store, remote->cli->arena, &held, err);
    for (size_t i = 0; rc == DR_OK && i < held->n_roots; i++) {
        struct dr_err older = {0}; // one that it has already
        struct dr_bytes wire = {held->roots[i].data, held->roots[i].len};
        enum dr_rc put = dr_remote_put(remote, DR_TYPE_ROOT, wire, NULL, 0, &reply, &older);
        rc = put == DR_E_UNREACHABLE ? put : DR_OK;
    }
    if (rc == DR_OK && trust->fleet.msg != NULL && trust->is_fleet_whole) {
        rc = give_fleet(remote, &reply, err);
    }
    if (rc == DR_OK && trust->chain.msg != NULL) {
        rc = dr_remote_put(remote, DR_TYPE_CHAIN, trust->chain.wire, NULL, 0, &reply, err);
    }
    if (rc == DR_OK) {
        dr_print_note(remote->cli, "note: the coordinator held older documents than you: it was "
                                   "given yours");
    }
    return rc;
}
