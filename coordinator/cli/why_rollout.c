// why R-n.

#include "coordinator/cli/why_rollout.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/stops.h"

#include "trust/root.h"

#include <string.h>

#define GROUPS_MAX 8u // of targets that wait for the same
#define NAMES_MAX  3u // told of one group

struct why {
    const struct dr_cli *cli;
    struct dr_remote *remote;
    const Drover__V1__Rollout *rollout;
    const Drover__V1__StageStatus *stage; // where it stands; NULL: all are done
    const struct dr_stop *stop;           // a freeze or veto there
};

static bool
has_signed(const Drover__V1__StageStatus *stage, const char *name)
{
    bool has = false;
    for (size_t i = 0; i < stage->n_signers; i++) {
        has = has || dr_str_eq(stage->signers[i], name);
    }
    return has;
}

// Names of a role, of those who have or have not signed, joined by `word`.
static size_t
join_names(struct dr_buf *out, const Drover__V1__Root *root, const Drover__V1__Role *role,
           const Drover__V1__StageStatus *stage, bool signed_already, const char *word)
{
    size_t n = 0;
    for (size_t i = 0; i < root->n_people; i++) {
        const char *name = root->people[i]->name;
        if (dr_role_has(role, (uint32_t)i) && has_signed(stage, name) == signed_already) {
            dr_buf_printf(out, "%s%s", n > 0 ? word : "", name);
            n++;
        }
    }
    return n;
}

const char *
dr_why_signers(const struct dr_cli *cli, const Drover__V1__Root *root,
               const Drover__V1__StageStatus *stage)
{
    const Drover__V1__Role *role = dr_root_approvers(root, stage->environment);
    struct dr_buf can = {0};
    struct dr_buf have = {0};
    const char *text = "";
    if (role != NULL && stage->signatures < stage->needed &&
        join_names(&can, root, role, stage, false, " or ") > 0) {
        size_t n = join_names(&have, root, role, stage, true, ", ");
        text = dr_arena_printf(cli->arena, "%s can sign%s%s%s", can.data, n > 0 ? "; " : "",
                               n > 0 ? have.data : "",
                               n > 1   ? " have"
                               : n > 0 ? " has"
                                       : "");
    }
    dr_buf_fini(&can);
    dr_buf_fini(&have);
    return text ? text : "";
}

// The first stage of which a target is not done, or which soaks.
static const Drover__V1__StageStatus *
stage_of(const Drover__V1__Rollout *r)
{
    for (size_t i = 0; i < r->n_stages; i++) {
        bool is_down = r->mode == DROVER__V1__MODE__DOWN;
        if (r->stages[i]->soaking_wave != 0 ||
            !dr_rollout_all_in(r, r->stages[i]->environment, is_down ? "reverted" : "applied")) {
            return r->stages[i];
        }
    }
    return NULL;
}

static const char *
next_of(const struct why *w)
{
    if (w->stop != NULL) {
        return dr_stop_way_out(w->cli, w->stop, w->stage->environment, w->rollout);
    }
    return dr_print_is_tame(w->rollout->next, true) ? w->rollout->next : "";
}

static const char *
waits_of(const struct why *w)
{
    return w->rollout->waits[0] != '\0' ? w->rollout->waits : w->rollout->reason;
}

// Is it the first target of its stage that waits for this?
static bool
is_first_of_group(const Drover__V1__StageStatus *stage, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (dr_str_eq(stage->targets[i]->waits, stage->targets[at]->waits)) {
            return false;
        }
    }
    return stage->targets[at]->next[0] != '\0'; // what is done waits for nothing
}

static void
print_group(const struct why *w, size_t at)
{
    const Drover__V1__StageStatus *stage = w->stage;
    const Drover__V1__TargetStatus *first = stage->targets[at];
    struct dr_buf names = {0};
    size_t n = 0;
    for (size_t i = at; i < stage->n_targets; i++) {
        const Drover__V1__TargetStatus *t = stage->targets[i];
        if (dr_str_eq(t->waits, first->waits)) {
            if (n < NAMES_MAX) {
                dr_buf_printf(&names, "%s%s", n > 0 ? ", " : "", t->target);
            }
            n++;
        }
    }
    dr_say(w->cli, "  %s%s (%s): %s\n", names.len ? names.data : "", n > NAMES_MAX ? ", ..." : "",
           n > 1 ? dr_arena_printf(w->cli->arena, "%zu targets", n) : first->state, first->waits);
    if (dr_rollout_reason(first)[0] != '\0' && n == 1 && strcmp(first->reason, first->waits) != 0) {
        dr_say(w->cli, "      %s\n", first->reason);
    }
    dr_buf_fini(&names);
}

static void
print_targets(const struct why *w)
{
    size_t groups = 0;
    for (size_t i = 0; w->stage != NULL && i < w->stage->n_targets && groups <= GROUPS_MAX; i++) {
        if (!is_first_of_group(w->stage, i)) {
            continue;
        }
        if (groups < GROUPS_MAX) {
            print_group(w, i);
        } else {
            dr_say(w->cli, "  ...: drover rollout show %s\n", w->rollout->id);
        }
        groups++;
    }
}

static void
print_text(const struct why *w)
{
    const struct dr_cli *cli = w->cli;
    const Drover__V1__Rollout *r = w->rollout;
    const char *signers = w->stage ? dr_why_signers(cli, w->remote->trust->root.msg, w->stage) : "";
    dr_say(cli, "%s  %s -> %s is %s%s%s\n", r->id, r->from[0] ? r->from : "base",
           r->to[0] ? r->to : "base", r->state, w->stage ? " in " : "",
           w->stage ? w->stage->environment : "");
    if (w->stop != NULL) {
        dr_say(cli, "stopped: %s\n", dr_stop_text(cli, w->stop, w->stage->environment));
    }
    dr_say(cli, "waits: %s\n", waits_of(w));
    if (signers[0] != '\0') {
        dr_say(cli, "signatures: %u of %u in %s; %s\n", w->stage->signatures, w->stage->needed,
               w->stage->environment, signers);
    }
    print_targets(w);
    dr_say(cli, "next: %s\n",
           next_of(w)[0] != '\0' ? next_of(w)
                                 : dr_arena_printf(cli->arena, "drover rollout show %s", r->id));
}

static json_t *
targets_json(const struct why *w)
{
    json_t *list = json_array();
    for (size_t i = 0; w->stage != NULL && i < w->stage->n_targets; i++) {
        const Drover__V1__TargetStatus *t = w->stage->targets[i];
        if (t->next[0] != '\0') {
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I}",
                                                  "target", t->target, "state", t->state, "reason",
                                                  t->reason, "waits", t->waits, "next", t->next,
                                                  "agent", t->agent, "connected", t->connected,
                                                  "agentSeen", (json_int_t)t->agent_seen));
        }
    }
    return list;
}

static void
print_json(const struct why *w)
{
    const Drover__V1__Rollout *r = w->rollout;
    const Drover__V1__StageStatus *s = w->stage;
    dr_print_json(w->cli, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:o}",
                                    "schema", "drover.v1.WhyRollout", "rollout", r->id, "state",
                                    r->state, "environment", s ? s->environment : "", "waits",
                                    waits_of(w), "next", next_of(w), "stop",
                                    w->stop ? dr_stop_text(w->cli, w->stop, s->environment) : "",
                                    "signatures", s ? (int)s->signatures : 0, "needed",
                                    s ? (int)s->needed : 0, "canSign",
                                    s ? dr_why_signers(w->cli, w->remote->trust->root.msg, s) : "",
                                    "targets", targets_json(w)));
}

enum dr_rc
dr_why_rollout(struct dr_remote *remote, const char *id, struct dr_err *err)
{
    struct why w = {.cli = remote->cli, .remote = remote};
    Drover__V1__RolloutId request = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *rollout = NULL;
    struct dr_stop *stops = NULL;
    size_t n = 0;
    request.id = dr_arena_str(remote->cli->arena, id);
    enum dr_rc rc =
        dr_remote_call(remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &request.base, &rollout, err);
    w.rollout = rollout;
    w.stage = rc == DR_OK ? stage_of(rollout) : NULL;
    if (w.stage != NULL) {
        const char *environment = w.stage->environment;
        rc = dr_stops_load(remote, environment, &stops, &n, err);
        w.stop = rc == DR_OK ? dr_stops_holding(stops, n, environment, rollout) : NULL;
    }
    if (rc == DR_OK && w.cli->format == DR_CLI_TEXT) {
        print_text(&w);
    } else if (rc == DR_OK) {
        print_json(&w);
    }
    return rc;
}
