// rollout undo: a rollout the other way, of exactly what another one applied, for the targets that
// still have it. What was applied is read from what their agents signed.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/creating.h"
#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/words.h"

#include <string.h>

#define WAVE_MAX 100000u

struct undo {
    struct dr_creating c;
    const Drover__V1__Rollout *rollout; // that is taken back
    struct dr_words ran, now;           // what was signed: APPLIED and FAILED, and of every kind
    struct dr_nodes all;                // of the chain, parents first
    const char **names;                 // targets that go back
    size_t n_names;
    bool *takes;        // by place in `all`
    bool *others, *has; // room for one target's: what goes, what it has
    uint64_t wave;
};

// Nothing may be applied behind our back: the rollout has ended, or is held.
static enum dr_rc
check_rollout(const struct undo *u, struct dr_err *err)
{
    const Drover__V1__Rollout *r = u->rollout;
    if (r->mode != DROVER__V1__MODE__UP) {
        (void)dr_err_set(err, DR_E_INVALID, "rollout '%s' is no upgrade", r->id);
        return dr_err_hint(err, "drover rollout show %s; an upgrade takes a downgrade back", r->id);
    }
    for (size_t s = 0; !r->is_paused && !r->is_aborted && s < r->n_stages; s++) {
        for (size_t i = 0; i < r->stages[s]->n_targets; i++) {
            const Drover__V1__TargetStatus *target = r->stages[s]->targets[i];
            if (!dr_rollout_is_over(target->state)) {
                (void)dr_err_set(err, DR_E_ROLLOUT_EVENT,
                                 "rollout '%s' is still on its way: '%s' is %s", r->id,
                                 target->target, target->state);
                return dr_err_hint(err, "drover rollout abort %s (or pause), then undo it", r->id);
            }
        }
    }
    return DR_OK;
}

static enum dr_rc
load_words(struct undo *u, struct dr_err *err)
{
    char kind[] = DR_TYPE_ATTESTATION;
    Drover__V1__StatusReply signed_words = DROVER__V1__STATUS_REPLY__INIT;
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < u->rollout->n_plans; i++) {
        Drover__V1__ListDocumentsRequest list = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
        Drover__V1__Document **documents = NULL;
        size_t n = 0;
        list.kind = kind;
        list.plan_sha256 = u->rollout->plans[i]->plan_sha256;
        list.subkinds = 1u << DROVER__V1__ATTESTATION_KIND__APPLIED |
                        1u << DROVER__V1__ATTESTATION_KIND__FAILED;
        rc = dr_remote_list(&u->c.remote, list, &documents, &n, err);
        Drover__V1__Document **both =
            dr_arena_array(u->c.cli->arena, signed_words.n_attestations + n + 1, sizeof(*both));
        if (rc == DR_OK && both == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        if (rc == DR_OK && signed_words.n_attestations > 0) {
            memcpy(both, signed_words.attestations, signed_words.n_attestations * sizeof(*both));
        }
        if (rc == DR_OK && n > 0) {
            memcpy(both + signed_words.n_attestations, documents, n * sizeof(*both));
        }
        signed_words.attestations = both;
        signed_words.n_attestations += n;
    }
    rc = rc == DR_OK ? dr_words_load(&u->c.remote, &signed_words, &u->ran, err) : rc;
    rc = rc == DR_OK
             ? dr_remote_call(&u->c.remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err)
             : rc;
    return rc == DR_OK ? dr_words_load(&u->c.remote, reply, &u->now, err) : rc;
}

static bool
names_unit(const Drover__V1__Attestation *applied, const struct dr_node *node)
{
    for (size_t i = 0; i < applied->n_units; i++) {
        const Drover__V1__UnitProof *unit = applied->units[i];
        if (unit->mode == DROVER__V1__MODE__UP && dr_data_is(unit->revision_digest, node->digest)) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
stands_on(const char *target, const struct dr_node *node, const struct dr_node *below, bool depends,
          struct dr_err *err)
{
    (void)dr_err_set(err, DR_E_CONFLICT, "'%s' has revision '%s' by now, which %s '%s'", target,
                     node->revision->id, depends ? "depends on" : "stands on", below->revision->id);
    return dr_err_hint(err, "undo the rollout that brought it first: drover rollout list");
}

// In any of its runs there: what failed in the middle and was tried again did a part each time.
static bool
ran(const struct undo *u, const char *target, const struct dr_node *node)
{
    for (size_t i = 0; i < u->ran.count; i++) {
        const Drover__V1__Attestation *word = u->ran.items[i].msg;
        if (dr_str_eq(word->target, target) && names_unit(word, node)) {
            return true;
        }
    }
    return false;
}

// Nothing that stays may stand on what goes, or depend on it.
static enum dr_rc
check_above(const struct undo *u, const char *target, const bool *goes, struct dr_err *err)
{
    for (size_t i = 0; i < u->all.count; i++) {
        const struct dr_node *node = u->all.items[i];
        for (size_t p = 0; u->has[i] && !goes[i] && p < node->parent_count; p++) {
            if (goes[node->parents[p]->index]) {
                return stands_on(target, node, node->parents[p], false, err);
            }
        }
        for (size_t p = 0; u->has[i] && !goes[i] && p < node->depends_on_count; p++) {
            if (goes[node->depends_on[p]->index]) {
                return stands_on(target, node, node->depends_on[p], true, err);
            }
        }
    }
    return DR_OK;
}

// Marks in `goes` what the rollout applied to a target and what it still has; false: nothing.
static enum dr_rc
mark(const struct undo *u, const char *target, bool *goes, bool *out_any, struct dr_err *err)
{
    struct dr_names heads = {0};
    struct dr_nodes have = {0};
    enum dr_rc rc = dr_words_heads(
        u->c.cli->arena,
        dr_words_newest(&u->now, target, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE), &heads,
        err);
    rc = rc == DR_OK ? dr_graph_applied(u->c.graph, &heads, u->c.cli->arena, &have, err) : rc;
    *out_any = false;
    memset(u->has, 0, u->all.count * sizeof(bool));
    for (size_t i = 0; rc == DR_OK && i < have.count; i++) {
        u->has[have.items[i]->index] = true;
    }
    for (size_t i = 0; rc == DR_OK && i < u->all.count; i++) {
        goes[i] = u->has[i] && ran(u, target, u->all.items[i]);
        *out_any = *out_any || goes[i];
    }
    return rc == DR_OK ? check_above(u, target, goes, err) : rc;
}

static enum dr_rc
add_target(struct undo *u, const char *target, struct dr_err *err)
{
    bool any = false;
    enum dr_rc rc = mark(u, target, u->n_names == 0 ? u->takes : u->others, &any, err);
    if (rc != DR_OK || !any) {
        return rc;
    }
    if (u->n_names > 0 && memcmp(u->takes, u->others, u->all.count * sizeof(bool)) != 0) {
        (void)dr_err_set(err, DR_E_CONFLICT,
                         "rollout '%s' applied other revisions to '%s' than to '%s'",
                         u->rollout->id, target, u->names[0]);
        return dr_err_hint(err, "undo them one after the other: drover rollout undo %s -t %s",
                           u->rollout->id, target);
    }
    u->names[u->n_names++] = target;
    return DR_OK;
}

// What failed in the middle has a part of it, also when the rollout was aborted since.
static bool
is_meant(const struct undo *u, const Drover__V1__TargetStatus *target)
{
    const char *environment = dr_cli_option(u->c.cli, "environment");
    const char *glob = dr_cli_option(u->c.cli, "target");
    return dr_rollout_is_over(target->state) && (u->wave == 0 || target->wave == u->wave) &&
           (environment == NULL || dr_str_eq(environment, target->environment)) &&
           (glob == NULL || dr_str_glob(glob, target->target));
}

static enum dr_rc
choose(struct undo *u, struct dr_err *err)
{
    const Drover__V1__Rollout *r = u->rollout;
    struct dr_arena *arena = u->c.cli->arena;
    size_t n = 0;
    for (size_t s = 0; s < r->n_stages; s++) {
        n += r->stages[s]->n_targets;
    }
    enum dr_rc rc = dr_chain_all(u->c.cli, u->c.graph, &u->all, err);
    u->names = dr_arena_array(arena, n + 1, sizeof(*u->names));
    u->takes = dr_arena_array(arena, u->all.count + 1, sizeof(bool));
    u->others = dr_arena_array(arena, u->all.count + 1, sizeof(bool));
    u->has = dr_arena_array(arena, u->all.count + 1, sizeof(bool));
    u->c.nodes.items = dr_arena_array(arena, u->all.count + 1, sizeof(*u->c.nodes.items));
    if (rc == DR_OK && (!u->names || !u->takes || !u->others || !u->has || !u->c.nodes.items)) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t s = 0; rc == DR_OK && s < r->n_stages; s++) {
        for (size_t i = 0; rc == DR_OK && i < r->stages[s]->n_targets; i++) {
            const Drover__V1__TargetStatus *target = r->stages[s]->targets[i];
            rc = is_meant(u, target) ? add_target(u, target->target, err) : DR_OK;
        }
    }
    for (size_t i = 0; rc == DR_OK && u->n_names > 0 && i < u->all.count; i++) {
        if (u->takes[i]) {
            u->c.nodes.items[u->c.nodes.count++] = u->all.items[i];
        }
    }
    if (rc == DR_OK && u->n_names == 0) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "no target that is meant has anything of '%s'",
                         r->id);
        return dr_err_hint(err, "drover rollout show %s", r->id);
    }
    u->c.targets_exact = (struct dr_names){.items = u->names, .count = u->n_names};
    return rc;
}

static enum dr_rc
load(struct undo *u, struct dr_err *err)
{
    struct dr_cli *cli = u->c.cli;
    Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *rollout = NULL;
    const char *wave = dr_cli_option(cli, "wave");
    if (wave != NULL && !dr_parse_u64(wave, 1, WAVE_MAX, &u->wave)) {
        return dr_err_set(err, DR_E_USAGE, "--wave is a number from 1, not '%s'", wave);
    }
    id.id = dr_arena_str(cli->arena, cli->args[0]);
    enum dr_rc rc = dr_creating_on_failure(&u->c, err);
    rc = rc == DR_OK ? dr_chain_files_load(cli, &u->c.graph, err) : rc;
    rc = rc == DR_OK ? dr_remote_open(cli, &u->c.remote, err) : rc;
    rc = rc == DR_OK
             ? dr_remote_call(&u->c.remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &rollout, err)
             : rc;
    u->rollout = rollout;
    rc = rc == DR_OK ? check_rollout(u, err) : rc;
    return rc == DR_OK ? load_words(u, err) : rc;
}

enum dr_rc
dr_cmd_rollout_undo(struct dr_cli *cli, struct dr_err *err)
{
    struct undo u = {.c = {.cli = cli, .is_down = true, .undo_of = cli->args[0]}};
    Drover__V1__Rollout *made = NULL;
    enum dr_rc rc = load(&u, err);
    rc = rc == DR_OK ? choose(&u, err) : rc;
    rc = rc == DR_OK ? dr_creating_targets(&u.c, err) : rc;
    if (rc == DR_OK && dr_cli_has(cli, "dry-run")) {
        rc = dr_creating_dry_run(&u.c, err);
    } else if (rc == DR_OK) {
        rc = dr_creating_create(&u.c, &made, err);
        if (rc == DR_OK) {
            dr_creating_say(&u.c, made);
        }
    }
    dr_remote_close(&u.c.remote);
    dr_graph_free(&u.c.graph);
    return rc == DR_OK && made != NULL && dr_cli_has(cli, "wait")
               ? dr_creating_watch(cli, made->id, err)
               : rc;
}
