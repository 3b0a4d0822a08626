// why: one target's state, or one rollout's, what is in its way, and what to type next.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/drift_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/progress_view.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/stops.h"
#include "coordinator/cli/why_rollout.h"

#include "trust/try.h"

#include <string.h>

#define DRIFT_SHOWN_MAX 10u

struct asking {
    struct dr_cli *cli;
    struct dr_remote remote;
    const Drover__V1__TargetView *view;
    const Drover__V1__Rollout *rollout;     // NULL: in none
    const Drover__V1__TargetStatus *status; // its row there; NULL: not on the first page
    const Drover__V1__StageStatus *stage;
    const struct dr_stop *stop;         // a freeze or veto that holds it; NULL: none
    const struct dr_attestation *drift; // what somebody changed there; NULL: nothing
};

static enum dr_rc
find_view(struct asking *a, struct dr_err *err)
{
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    struct dr_words words = {0};
    request.target = dr_arena_str(a->cli->arena, a->cli->args[0]);
    if (request.target == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    DR_TRY(dr_remote_call(&a->remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err));
    for (size_t i = 0; i < reply->n_targets; i++) {
        if (dr_str_eq(reply->targets[i]->target, a->cli->args[0])) {
            a->view = reply->targets[i];
        }
    }
    if (a->view == NULL) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target '%s'", a->cli->args[0]);
        return dr_err_hint(err, "drover status shows all targets");
    }
    DR_TRY(dr_words_load(&a->remote, reply, &words, err));
    a->drift = dr_drift_of(&words, a->view->target);
    return DR_OK;
}

static enum dr_rc
find_rollout(struct asking *a, struct dr_err *err)
{
    Drover__V1__RolloutId id = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *rollout = NULL;
    if (!dr_rollout_id_is_valid(a->view->rollout)) {
        return DR_OK;
    }
    id.id = a->view->rollout;
    enum dr_rc rc =
        dr_remote_call(&a->remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &id.base, &rollout, err);
    a->rollout = rc == DR_OK ? rollout : NULL;
    for (size_t i = 0; rc == DR_OK && i < rollout->n_stages; i++) {
        for (size_t t = 0; t < rollout->stages[i]->n_targets; t++) {
            if (dr_str_eq(rollout->stages[i]->targets[t]->target, a->view->target)) {
                a->stage = rollout->stages[i];
                a->status = rollout->stages[i]->targets[t];
            }
        }
    }
    return rc;
}

static enum dr_rc
find_stop(struct asking *a, struct dr_err *err)
{
    struct dr_stop *stops = NULL;
    size_t n = 0;
    enum dr_rc rc = dr_stops_load(&a->remote, a->view->environment, &stops, &n, err);
    a->stop = rc == DR_OK ? dr_stops_holding(stops, n, a->view->environment, a->rollout) : NULL;
    return rc;
}

// The first command that anybody has for it; "" when none is fit to be shown.
static const char *
next_of(const struct asking *a)
{
    const char *const texts[] = {a->status ? a->status->next : "", a->stage ? a->stage->next : "",
                                 a->rollout ? a->rollout->next : ""};
    if (a->stop != NULL) {
        return dr_stop_way_out(a->cli, a->stop, a->view->environment, a->rollout);
    }
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        if (texts[i][0] != '\0' && dr_print_is_tame(texts[i], true)) {
            return texts[i];
        }
    }
    const char *text =
        a->drift == NULL ? "" : dr_arena_printf(a->cli->arena, "drover drift %s", a->view->target);
    return text == NULL ? "" : text;
}

static const char *
progress_of(const struct asking *a)
{
    return dr_rollout_moves(a->view->state) ? dr_progress_text(a->cli, a->view->progress) : "";
}

static void
print_text(const struct asking *a)
{
    const struct dr_cli *cli = a->cli;
    const Drover__V1__TargetView *v = a->view;
    bool is_idle = v->state[0] == '\0';
    const char *reason = a->status ? dr_rollout_reason(a->status) : v->reason;
    dr_say(cli, "%s is %s%s%s%s%s\n", v->target, is_idle ? "in no rollout" : v->state,
           a->status && a->status->since ? " for " : "",
           a->status && a->status->since ? dr_print_age(cli, a->status->since) : "",
           reason[0] ? ": " : "", reason);
    if (progress_of(a)[0] != '\0') {
        dr_say(cli, "  runs    %s\n", progress_of(a));
    }
    if (a->rollout != NULL) {
        dr_say(cli, "  rollout %s  %s -> %s, %s%s%s\n", a->rollout->id,
               a->rollout->from[0] ? a->rollout->from : "base",
               a->rollout->to[0] ? a->rollout->to : "base", a->rollout->state,
               a->rollout->reason[0] ? ": " : "", a->rollout->reason);
    }
    if (a->status != NULL && a->status->waits[0] != '\0') {
        const char *signers = dr_str_eq(a->status->state, "ready")
                                  ? dr_why_signers(cli, a->remote.trust->root.msg, a->stage)
                                  : "";
        dr_say(cli, "  waits   %s%s%s\n", a->status->waits, signers[0] ? ": " : "", signers);
    }
    if (a->stop != NULL) {
        dr_say(cli, "  stopped %s\n", dr_stop_text(cli, a->stop, v->environment));
    }
    if (a->drift != NULL) {
        dr_say(cli, "  drift   for %s, somebody changed what the last run left:\n",
               dr_print_age(cli, dr_drift_since(a->drift)));
        dr_drift_print(cli, a->drift->msg, "          ", DRIFT_SHOWN_MAX);
    }
    dr_say(cli, "  agent   %s, %s\n", v->agent,
           v->connected   ? "connected"
           : v->last_seen ? "not connected, see its log: journalctl -u drover-agent"
                          : "never seen");
    if (next_of(a)[0] != '\0') {
        dr_say(cli, "next: %s\n", next_of(a));
    }
}

static void
print_json(const struct asking *a)
{
    const Drover__V1__TargetView *v = a->view;
    dr_print_json(
        a->cli,
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:s, s:s, s:s, s:o, s:o}", "schema",
                  "drover.v1.Why", "target", v->target, "state", v->state, "reason", v->reason,
                  "rollout", v->rollout, "agent", v->agent, "connected", v->connected, "since",
                  (json_int_t)(a->status ? a->status->since : 0), "stop",
                  a->stop ? dr_stop_text(a->cli, a->stop, v->environment) : "", "waits",
                  a->status ? a->status->waits : "", "next", next_of(a), "progress",
                  dr_progress_json(dr_rollout_moves(v->state) ? v->progress : NULL), "drift",
                  a->drift == NULL ? json_null() : dr_drift_json(v->target, a->drift)));
}

enum dr_rc
dr_cmd_why(struct dr_cli *cli, struct dr_err *err)
{
    struct asking a = {.cli = cli};
    enum dr_rc rc = dr_remote_open(cli, &a.remote, err);
    if (rc == DR_OK && dr_rollout_id_is_valid(cli->args[0])) {
        rc = dr_why_rollout(&a.remote, cli->args[0], err);
        dr_remote_close(&a.remote);
        return rc;
    }
    rc = rc == DR_OK ? find_view(&a, err) : rc;
    rc = rc == DR_OK ? find_rollout(&a, err) : rc;
    rc = rc == DR_OK ? find_stop(&a, err) : rc;
    if (rc == DR_OK && cli->format == DR_CLI_TEXT) {
        print_text(&a);
    } else if (rc == DR_OK) {
        print_json(&a);
    }
    dr_remote_close(&a.remote);
    return rc;
}
