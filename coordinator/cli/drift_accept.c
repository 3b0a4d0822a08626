// See drift_accept.h.

#include "coordinator/cli/drift_accept.h"
#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/fleet_change.h"
#include "coordinator/cli/print.h"

#include "engine/fingerprint.h"

#include <string.h>

// ------------------------------------------------------------------------------------ tolerances

// "added column users.nick": the pattern is all behind the word that says what became of it.
static enum dr_rc
pattern_of(const char *object, const char **out, struct dr_err *err)
{
    const char *space = strchr(object, ' ');
    if (space == NULL || strpbrk(space, "*?") != NULL) {
        (void)dr_err_set(err, DR_E_INVALID, "no pattern means '%.200s' alone", object);
        return dr_err_hint(err, "drover policy edit: write the tolerance by hand");
    }
    *out = space + 1;
    return DR_OK;
}

static bool
has_tolerance(const Drover__V1__Environment *e, const char *pattern)
{
    for (size_t i = 0; i < e->n_tolerances; i++) {
        if (dr_str_eq(e->tolerances[i], pattern)) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
add_tolerance(struct dr_arena *arena, Drover__V1__Environment *e, const char *pattern,
              struct dr_err *err)
{
    if (has_tolerance(e, pattern)) {
        return DR_OK;
    }
    if (e->n_tolerances >= DR_FINGERPRINT_TOLERATE_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "'%s' would have more than %u tolerances", e->name,
                          DR_FINGERPRINT_TOLERATE_MAX);
    }
    char **list = dr_arena_array(arena, e->n_tolerances + 1, sizeof *list);
    char *text = dr_arena_str(arena, pattern);
    if (list == NULL || text == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < e->n_tolerances; i++) {
        list[i] = e->tolerances[i];
    }
    list[e->n_tolerances++] = text;
    e->tolerances = list;
    return DR_OK;
}

static enum dr_rc
add_all(struct dr_fleet_change *change, const Drover__V1__Attestation *drift, struct dr_err *err)
{
    Drover__V1__Environment *e =
        dr_fleet_draft_environment(&change->draft, drift->environment, NULL);
    enum dr_rc rc = DR_OK;
    if (e == NULL) {
        return dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no environment '%s'",
                          drift->environment);
    }
    if (drift->n_objects < drift->objects_count || drift->n_objects == 0) {
        (void)dr_err_set(err, DR_E_LIMIT, "'%s' names %zu of %zu objects that differ",
                         drift->target, drift->n_objects, (size_t)drift->objects_count);
        return dr_err_hint(err, "drover policy edit: write the tolerances by hand");
    }
    for (size_t i = 0; rc == DR_OK && i < drift->n_objects; i++) {
        const char *pattern = NULL;
        rc = pattern_of(drift->objects[i], &pattern, err);
        rc = rc == DR_OK ? add_tolerance(change->cli->arena, e, pattern, err) : rc;
    }
    if (rc == DR_OK) {
        dr_print_note(change->cli, "note: it may differ in all targets of '%s' then", e->name);
    }
    return rc;
}

enum dr_rc
dr_drift_tolerate(struct dr_cli *cli, const struct dr_attestation *const *drifts, size_t n,
                  struct dr_err *err)
{
    struct dr_fleet_change change;
    enum dr_rc rc = dr_fleet_change_open(cli, 0, &change, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = add_all(&change, drifts[i]->msg, err);
    }
    rc = rc == DR_OK ? dr_fleet_change_finish(&change, "Sign this fleet?", err) : rc;
    if (rc == DR_OK && change.is_in_force) {
        dr_say(cli, "next: drover drift --now\n");
    }
    if (rc == DR_OK) {
        dr_fleet_change_json(&change, "drover.v1.DriftTolerated", NULL);
    }
    dr_fleet_change_close(&change);
    return rc;
}

// -------------------------------------------------------------------------------------- revision

// Does the target have every head of the folder's chain? What it lacks would be taken back by a
// revision that makes the folder's schema into the target's.
static enum dr_rc
check_place(struct dr_cli *cli, const Drover__V1__Attestation *drift, struct dr_err *err)
{
    struct dr_graph *graph = NULL;
    struct dr_nodes all = {0};
    enum dr_rc rc = dr_chain_drafts_load(cli, &graph, err);
    rc = rc == DR_OK ? dr_chain_live(cli, graph, &all, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < all.count; i++) {
        const struct dr_node *node = all.items[i];
        bool has = !dr_node_is_head(node);
        for (size_t k = 0; k < drift->n_heads; k++) {
            has = has || dr_str_eq(drift->heads[k]->id, node->revision->id);
        }
        if (!has) {
            (void)dr_err_set(err, DR_E_CONFLICT,
                             "'%s' does not have revision '%s', which the new one would stand on",
                             drift->target, node->revision->id);
            rc = dr_err_hint(err,
                             "drover upgrade head -t %s first; the approval takes note of "
                             "the drift",
                             drift->target);
        }
    }
    dr_graph_free(&graph);
    return rc;
}

enum dr_rc
dr_drift_as_revision(struct dr_cli *cli, const struct dr_attestation *drift, struct dr_err *err)
{
    const Drover__V1__Attestation *msg = drift->msg;
    if (dr_cli_option(cli, "desired") == NULL) {
        (void)dr_err_set(err, DR_E_USAGE,
                         "an agent tells what differs in '%s' by name: the definitions are in the "
                         "database",
                         msg->target);
        return dr_err_hint(err, "drover drift %s --as-revision -m MESSAGE --desired URL",
                           msg->target);
    }
    enum dr_rc rc = check_place(cli, msg, err);
    rc = rc == DR_OK ? dr_cmd_revision(cli, err) : rc;
    if (rc == DR_OK) {
        dr_print_note(cli,
                      "then: drover submit; drover approve chain; drover stamp head -t %s, which "
                      "has it already",
                      msg->target);
    }
    return rc;
}
