// root: the document that says who may decide, shown, changed, renewed and signed.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/root_change.h"
#include "coordinator/cli/trust_words.h"

#include "base/file.h"

static const char *
role_text(struct dr_cli *cli, const Drover__V1__Role *role)
{
    return dr_arena_printf(cli->arena, "%u of %zu", role->threshold, role->n_people);
}

static json_t *
roles_json(struct dr_cli *cli, const Drover__V1__Root *root)
{
    json_t *roles =
        json_pack("{s:s, s:s, s:s}", "root", role_text(cli, root->root), "fleet",
                  role_text(cli, root->fleet), "reviewers", role_text(cli, root->reviewers));
    for (size_t i = 0; i < root->n_approvers; i++) {
        json_object_set_new(roles, root->approvers[i]->environment,
                            json_string(role_text(cli, root->approvers[i]->role)));
    }
    return roles;
}

static void
show_text(struct dr_cli *cli, const Drover__V1__Root *root, const char *pin, const char *waiting)
{
    char issued[32];
    char expires[32];
    dr_format_time(issued, root->issued);
    dr_format_time(expires, root->expires);
    dr_say(cli, "Root:     %llu, from %s until %s\nPinned:   %s (the first root)\n",
           (unsigned long long)root->version, issued, expires, pin);
    dr_say(cli, "Roles:    root %s, fleet %s, reviewers %s", role_text(cli, root->root),
           role_text(cli, root->fleet), role_text(cli, root->reviewers));
    for (size_t i = 0; i < root->n_approvers; i++) {
        dr_say(cli, ", %s %s", root->approvers[i]->environment,
               role_text(cli, root->approvers[i]->role));
    }
    dr_say(cli, "\n");
    for (uint32_t i = 0; i < root->n_people; i++) {
        struct dr_buf roles = {0};
        dr_words_roles(root, i, &roles);
        dr_say(cli, "%s%s: %s\n", i == 0 ? "People:   " : "          ", root->people[i]->name,
               roles.data);
        dr_buf_fini(&roles);
    }
    if (waiting != NULL) {
        dr_say(cli, "Proposed: %s waits for signatures\nnext: drover sign %s\n", waiting, waiting);
    }
}

enum dr_rc
dr_cmd_root_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_trust_now now = {0};
    char pin[65];
    enum dr_rc rc = dr_trust_now_need(cli, &now, err);
    if (rc != DR_OK) {
        dr_trust_now_close(&now);
        return rc;
    }
    const Drover__V1__Root *root = now.root.msg;
    const char *path = dr_trust_file_path(cli, "root", root->version + 1);
    const char *waiting = dr_path_exists(path) ? dr_project_shown(cli, path) : NULL;
    dr_hex(pin, cli->project->root_sha256, 32);
    dr_remote_note_expiry(cli, "root", root->version, root->expires, "drover root rotate");
    if (cli->format == DR_CLI_TEXT) {
        show_text(cli, root, pin, waiting);
    } else {
        dr_print_json(cli, json_pack("{s:s, s:I, s:I, s:I, s:s, s:o, s:s*}", "schema",
                                     "drover.v1.RootShown", "version", (json_int_t)root->version,
                                     "issued", (json_int_t)root->issued, "expires",
                                     (json_int_t)root->expires, "pinned", pin, "roles",
                                     roles_json(cli, root), "proposed", waiting));
    }
    dr_trust_now_close(&now);
    return DR_OK;
}

// Thresholds, roles of somebody, the time that it holds.
static enum dr_rc
apply_options(struct dr_root_change *change, struct dr_err *err)
{
    struct dr_cli *cli = change->cli;
    const char *who = dr_cli_option(cli, "person");
    const char *roles = dr_cli_option(cli, "roles");
    if ((who == NULL) != (roles == NULL)) {
        dr_err_set(err, DR_E_USAGE, "--person and --roles go together");
        return dr_err_hint(err, "drover root propose --person bob --roles reviewers,staging");
    }
    if (who == NULL && dr_cli_option(cli, "threshold") == NULL && !dr_cli_has(cli, "expires")) {
        dr_err_set(err, DR_E_USAGE, "no change is named");
        return dr_err_hint(err, "drover root propose --threshold 2; drover root rotate renews it");
    }
    if (who != NULL) {
        int index = dr_root_person_index(change->next, who);
        if (index < 0) {
            dr_err_set(err, DR_E_NOT_FOUND, "the root names no '%s'", who);
            return dr_err_hint(err, "drover people list");
        }
        dr_root_take_roles(change->next, (uint32_t)index);
        enum dr_rc rc = dr_root_give_roles(change, (uint32_t)index, roles, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    return dr_root_set_thresholds(change, dr_cli_option(cli, "threshold"), err);
}

enum dr_rc
dr_cmd_root_propose(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_root_change change;
    enum dr_rc rc = dr_root_change_open(cli, &change, err);
    rc = rc == DR_OK ? apply_options(&change, err) : rc;
    rc = rc == DR_OK ? dr_root_change_finish(&change, err) : rc;
    dr_root_change_close(&change);
    return rc;
}

enum dr_rc
dr_cmd_root_rotate(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_root_change change;
    enum dr_rc rc = dr_root_change_open(cli, &change, err);
    rc = rc == DR_OK ? dr_root_change_finish(&change, err) : rc;
    dr_root_change_close(&change);
    return rc;
}
