// The root, fleet and chain that the next one is built on.

#include "coordinator/cli/trust_now.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/file.h"

#include <string.h>

#define PATIENCE_MS 700u

// Is this a reason to work from files alone? What has expired is renewed from files, too.
static bool
is_absence(enum dr_rc rc)
{
    return rc == DR_E_UNREACHABLE || rc == DR_E_PERMISSION || rc == DR_E_UNAUTHENTICATED ||
           rc == DR_E_FREEZE_ROOT || rc == DR_E_FREEZE_FLEET;
}

static enum dr_rc
open_remote(struct dr_cli *cli, struct dr_trust_now *out, struct dr_err *err)
{
    struct dr_err mine = {0};
    if (cli->project->coordinator[0] == '\0' || !dr_path_exists(cli->project->transport)) {
        return dr_remote_open_offline(cli, &out->remote, err);
    }
    enum dr_rc rc = dr_remote_open_soon(cli, PATIENCE_MS, &out->remote, &mine);
    out->is_online = rc == DR_OK;
    if (!is_absence(rc)) {
        *err = rc == DR_OK ? *err : mine;
        return rc;
    }
    dr_remote_close(&out->remote);
    return dr_remote_open_offline(cli, &out->remote, err);
}

// Goes on from the root that is trusted to the newest file that has enough signatures.
static enum dr_rc
follow_files(struct dr_cli *cli, struct dr_root *root, struct dr_err *err)
{
    for (;;) {
        struct dr_trust_file file = {0};
        struct dr_root next;
        struct dr_err mine = {0};
        const char *path = dr_trust_file_path(cli, "root", root->msg->version + 1);
        if (path == NULL || !dr_path_exists(path)) {
            return DR_OK;
        }
        enum dr_rc rc = dr_trust_file_read(cli, path, &file, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (dr_root_next(cli->arena, root, file.envelope, &next, &mine) != DR_OK) {
            return DR_OK; // a proposal
        }
        *root = next;
    }
}

enum dr_rc
dr_trust_now_open(struct dr_cli *cli, struct dr_trust_now *out, struct dr_err *err)
{
    *out = (struct dr_trust_now){0};
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK || !cli->project->has_root_pin) {
        return rc;
    }
    rc = open_remote(cli, out, err);
    if (rc == DR_OK) {
        dr_trust_store_release(out->remote.store);
        out->root = out->remote.trust->root;
        rc = follow_files(cli, &out->root, err);
    }
    return rc;
}

enum dr_rc
dr_trust_now_need(struct dr_cli *cli, struct dr_trust_now *out, struct dr_err *err)
{
    *out = (struct dr_trust_now){0};
    enum dr_rc rc = dr_project_need(cli, err);
    rc = rc == DR_OK ? dr_trust_now_open(cli, out, err) : rc;
    if (rc == DR_OK && out->root.msg == NULL) {
        dr_err_set(err, DR_E_CONFIG, "the first root is not complete yet");
        rc = dr_err_hint(err, "drover sign trust/root.1.drv");
    }
    return rc;
}

void
dr_trust_now_close(struct dr_trust_now *now)
{
    dr_remote_close(&now->remote);
    now->is_online = false;
}

enum dr_rc
dr_fleet_draft_load(struct dr_cli *cli, size_t spare, struct dr_fleet_draft *out,
                    struct dr_err *err)
{
    struct dr_fleet fleet = {0};
    struct dr_fleet_entry *entries = NULL;
    struct dr_envelope envelope;
    ProtobufCMessage *message = NULL;
    uint64_t version = dr_trust_file_newest(cli, "fleet");
    *out = (struct dr_fleet_draft){0};
    if (version == 0) {
        dr_err_set(err, DR_E_NOT_FOUND, "there is no trust/fleet.N.drv in '%s'",
                   cli->project->folder);
        return dr_err_hint(err, "drover init");
    }
    enum dr_rc rc =
        dr_trust_file_read(cli, dr_trust_file_path(cli, "fleet", version), &out->file, err);
    rc = rc == DR_OK ? dr_envelope_parse(out->file.envelope, DR_TYPE_FLEET, &envelope, err) : rc;
    rc = rc == DR_OK ? dr_strict_decode(cli->arena, &drover__v1__fleet__descriptor,
                                        envelope.payload, &message, err)
                     : rc;
    if (rc != DR_OK) {
        return rc;
    }
    fleet.msg = (const Drover__V1__Fleet *)message;
    rc = dr_fleet_entries_check(cli->arena, &fleet, out->file.parts, out->file.n_parts, &entries,
                                err);
    out->header = fleet.msg;
    out->entries = dr_arena_array(cli->arena, out->file.n_parts + spare, sizeof(*out->entries));
    if (rc == DR_OK && out->entries == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < out->file.n_parts; i++) {
        ProtobufCMessage *copy = NULL;
        rc = dr_strict_decode(cli->arena, &drover__v1__fleet_entry__descriptor, out->file.parts[i],
                              &copy, err);
        out->entries[out->n_entries++] = (Drover__V1__FleetEntry *)copy;
    }
    return rc;
}

enum dr_rc
dr_trust_file_count(struct dr_cli *cli, const Drover__V1__Root *root,
                    const struct dr_trust_file *file, uint32_t *out_have, uint32_t *out_need,
                    struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_signers signers = {0};
    const Drover__V1__Role *role = dr_str_eq(file->kind, DR_TYPE_ROOT)    ? root->root
                                   : dr_str_eq(file->kind, DR_TYPE_FLEET) ? root->fleet
                                                                          : root->reviewers;
    enum dr_rc rc = dr_envelope_parse(file->envelope, NULL, &envelope, err);
    rc = rc == DR_OK ? dr_quorum_count(cli->arena, root, role, &envelope, &signers, err) : rc;
    if (out_have != NULL) {
        *out_have = signers.n;
    }
    if (out_need != NULL) {
        *out_need = role->threshold;
    }
    return rc;
}
