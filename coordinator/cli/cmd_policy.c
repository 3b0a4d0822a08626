// policy: what each environment demands, shown, edited, checked and signed into the next fleet.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/edit.h"
#include "coordinator/cli/fleet_change.h"
#include "coordinator/cli/policy_explain.h"
#include "coordinator/cli/policy_text.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char head[] =
    "# What each environment demands before a rollout may go on. After a change:\n"
    "#   drover policy check FILE    can it work?\n"
    "#   drover policy apply FILE    sign it\n"
    "# Gates: backup, staged:ENV, rollback-proved:ENV, verified:ENV, verified, signoff:ITEM, "
    "rehearsed,\n"
    "#   probed:ENV:PROBE.\n"
    "# More keys: windows, wave_percents, wave_soak, wave_parallel, server_parallel, probe,\n"
    "#   drift_every, rehearse.\n\n";

static void
all_text(const struct dr_fleet_draft *draft, const char *only, struct dr_buf *out)
{
    bool is_next = false;
    for (uint32_t rank = 0; rank <= 100000; rank++) { // in the order of the rollout
        size_t left = 0;
        for (size_t i = 0; i < draft->n_entries; i++) {
            const Drover__V1__Environment *e = draft->entries[i]->environment;
            left += e != NULL && e->rank > rank;
            if (e != NULL && e->rank == rank && (only == NULL || dr_str_eq(e->name, only))) {
                dr_buf_str(out, is_next ? "\n" : "");
                dr_policy_text(e, out);
                is_next = true;
            }
        }
        if (left == 0) {
            return;
        }
    }
}

enum dr_rc
dr_cmd_policy_show(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_fleet_change change;
    struct dr_buf text = {0};
    size_t index = 0;
    const char *only = dr_cli_option(cli, "environment");
    enum dr_rc rc = dr_fleet_change_open(cli, 0, &change, err);
    if (rc == DR_OK && only != NULL &&
        dr_fleet_draft_environment(&change.draft, only, &index) == NULL) {
        dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no environment '%s'", only);
        rc = dr_err_hint(err, "drover policy show");
    }
    if (rc == DR_OK) {
        all_text(&change.draft, only, &text);
        if (cli->format == DR_CLI_TEXT) {
            dr_say(cli, "%s%s", head, text.data ? text.data : "");
        } else {
            dr_print_json(cli, json_pack("{s:s, s:I, s:s}", "schema", "drover.v1.Policy",
                                         "fleetVersion", (json_int_t)change.draft.header->version,
                                         "policy", text.data ? text.data : ""));
        }
    }
    dr_buf_fini(&text);
    dr_fleet_change_close(&change);
    return rc;
}

// Puts the file's environments in the place of those with their names, or beside them.
static enum dr_rc
take_file(struct dr_fleet_change *change, const char *path, struct dr_err *err)
{
    Drover__V1__Environment **rows = NULL;
    size_t n = 0;
    enum dr_rc rc = dr_policy_read(change->cli, path, &rows, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        size_t index = 0;
        struct dr_fleet_draft *d = &change->draft;
        if (dr_fleet_draft_environment(d, rows[i]->name, &index) != NULL) {
            d->entries[index]->environment = rows[i];
            continue;
        }
        Drover__V1__FleetEntry *entry = dr_arena_alloc(change->cli->arena, sizeof(*entry));
        if (entry == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        drover__v1__fleet_entry__init(entry);
        entry->environment = rows[i];
        d->entries[d->n_entries++] = entry;
    }
    return rc;
}

// Says what cannot work; DR_E_INVALID when there is something.
static enum dr_rc
check(struct dr_fleet_change *change, bool is_all_said, struct dr_err *err)
{
    struct dr_buf problems = {0};
    size_t n = dr_policy_problems(change->draft.entries, change->draft.n_entries,
                                  change->now.root.msg, &problems);
    for (const char *p = problems.data; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, "\n");
        dr_print_note(change->cli, "policy: %.*s", (int)len, p);
        p += len + (p[len] == '\n' ? 1 : 0);
    }
    if (n == 0 && is_all_said) {
        dr_say(change->cli, "The policies can work.\n");
    }
    dr_buf_fini(&problems);
    if (n == 0) {
        return DR_OK;
    }
    dr_err_set(err, DR_E_INVALID, "%zu %s of the policies cannot work", n,
               n == 1 ? "point" : "points");
    return dr_err_hint(err, "drover policy show > FILE; change it; drover policy check FILE");
}

static void
say_more(struct dr_fleet_change *change)
{
    struct dr_cli *cli = change->cli;
    struct dr_buf text = {0};
    Drover__V1__FleetEntry *const *entries = change->draft.entries;
    if (dr_cli_option(cli, "explain") != NULL) {
        dr_policy_explain(entries, change->draft.n_entries, change->now.root.msg, &text);
    }
    if (dr_cli_option(cli, "simulate") != NULL) {
        dr_policy_simulate(entries, change->draft.n_entries, change->now.root.msg, dr_now_unix_s(),
                           &text);
    }
    dr_say(cli, "%s", text.data ? text.data : "");
    dr_buf_fini(&text);
}

enum dr_rc
dr_cmd_policy_check(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_fleet_change change;
    enum dr_rc rc = dr_fleet_change_open(cli, DR_POLICY_ENVIRONMENTS_MAX, &change, err);
    rc = rc == DR_OK && cli->args_count > 0 ? take_file(&change, cli->args[0], err) : rc;
    rc = rc == DR_OK ? check(&change, true, err) : rc;
    if (rc == DR_OK && cli->format == DR_CLI_TEXT) {
        say_more(&change);
    } else if (rc == DR_OK) {
        dr_print_json(cli,
                      json_pack("{s:s, s:b}", "schema", "drover.v1.PolicyChecked", "works", 1));
    }
    dr_fleet_change_close(&change);
    return rc;
}

static enum dr_rc
apply(struct dr_cli *cli, const char *path, struct dr_err *err)
{
    struct dr_fleet_change change;
    struct dr_buf before = {0};
    struct dr_buf after = {0};
    enum dr_rc rc = dr_fleet_change_open(cli, DR_POLICY_ENVIRONMENTS_MAX, &change, err);
    if (rc == DR_OK) {
        all_text(&change.draft, NULL, &before);
        rc = take_file(&change, path, err);
    }
    if (rc == DR_OK) {
        all_text(&change.draft, NULL, &after);
        rc = check(&change, false, err);
    }
    bool is_same = before.data != NULL && after.data != NULL && dr_str_eq(before.data, after.data);
    if (rc == DR_OK && is_same && !before.failed && !after.failed) {
        dr_say(cli, "Nothing to do: these are the fleet's policies already\n");
    } else if (rc == DR_OK) {
        rc = dr_fleet_change_finish(&change, "Sign this fleet?", err);
    }
    dr_buf_fini(&before);
    dr_buf_fini(&after);
    if (rc == DR_OK) {
        dr_fleet_change_json(&change, "drover.v1.PolicyApplied", NULL);
    }
    dr_fleet_change_close(&change);
    return rc;
}

enum dr_rc
dr_cmd_policy_apply(struct dr_cli *cli, struct dr_err *err)
{
    return apply(cli, cli->args[0], err);
}

enum dr_rc
dr_cmd_policy_edit(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_fleet_change change;
    struct dr_buf text = {0};
    const char *path = NULL;
    enum dr_rc rc = dr_fleet_change_open(cli, 0, &change, err);
    if (rc == DR_OK) {
        path = dr_arena_printf(cli->arena, "%s/.drover/policy.conf", cli->project->folder);
        dr_buf_str(&text, head);
        all_text(&change.draft, NULL, &text);
        rc = path && !text.failed ? dr_file_write(path, text.data, text.len, 0600, err)
                                  : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    dr_buf_fini(&text);
    dr_fleet_change_close(&change);
    rc = rc == DR_OK
             ? dr_edit(cli, &path, 1,
                       "drover policy show > FILE; change it; drover policy apply FILE", err)
             : rc;
    if (rc == DR_E_INTERRUPTED) {
        dr_err_wrap(err, "nothing was signed");
        dr_err_hint(err, "drover policy apply %s", dr_project_shown(cli, path));
    }
    rc = rc == DR_OK ? apply(cli, path, err) : rc;
    if (rc == DR_OK) {
        (void)unlink(path);
    } else if (path != NULL && dr_path_exists(path)) {
        dr_print_note(cli, "note: your text is kept in %s", dr_project_shown(cli, path));
    }
    return rc;
}
