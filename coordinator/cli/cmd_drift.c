// drift: targets whose schema somebody changed since their agent's last run, from what the agents
// signed; with --now they look again first.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/drift_accept.h"
#include "coordinator/cli/drift_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/remote.h"

#include "base/clock.h"
#include "trust/try.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS     30000u
#define LOOK_MAX_MS (3600u * 1000)
#define ASK_MS      200
#define SHOWN_MAX   200u

struct looking {
    struct dr_cli *cli;
    struct dr_remote remote;
    const Drover__V1__StatusReply *before; // --now: as it was when the order was given
    const Drover__V1__StatusReply *reply;
    struct dr_words words;
    size_t silent; // targets that did not answer
    int cancel_fd; // -1: none
};

static bool
is_named(const struct dr_cli *cli, const char *target)
{
    bool named = cli->args_count == 0;
    for (size_t i = 0; i < cli->args_count; i++) {
        named = named || dr_str_glob(cli->args[i], target);
    }
    return named;
}

static enum dr_rc
ask_status(struct looking *l, struct dr_err *err)
{
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    if (l->cli->args_count == 1) {
        request.target = dr_arena_str(l->cli->arena, l->cli->args[0]);
    }
    enum dr_rc rc =
        dr_remote_call(&l->remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err);
    if (rc == DR_OK) {
        l->reply = reply;
    }
    return rc;
}

static enum dr_rc
check_names(const struct looking *l, struct dr_err *err)
{
    for (size_t a = 0; a < l->cli->args_count; a++) {
        bool found = false;
        for (size_t i = 0; i < l->reply->n_targets; i++) {
            found = found || dr_str_glob(l->cli->args[a], l->reply->targets[i]->target);
        }
        if (!found) {
            (void)dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target like '%s'",
                             l->cli->args[a]);
            return dr_err_hint(err, "drover status shows all targets");
        }
    }
    return DR_OK;
}

// ------------------------------------------------------------------------------------- --now

static enum dr_rc
order(struct looking *l, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    size_t n = l->cli->args_count == 0 ? 1 : l->cli->args_count;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        Drover__V1__RolloutOrder request = DROVER__V1__ROLLOUT_ORDER__INIT;
        Drover__V1__Rollout *ignored = NULL;
        request.order = dr_arena_str(l->cli->arena, "drift");
        request.target =
            dr_arena_str(l->cli->arena, l->cli->args_count == 0 ? "" : l->cli->args[i]);
        if (request.order == NULL || request.target == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        rc = dr_remote_call(&l->remote, DR_METHOD_OPERATOR_ORDER_ROLLOUT, &request.base, &ignored,
                            err);
    }
    return rc;
}

// The digest of the target's last STATE in a reply; empty: none.
static ProtobufCBinaryData
state_in(const Drover__V1__StatusReply *reply, const char *target)
{
    for (size_t i = 0; i < reply->n_targets; i++) {
        if (dr_str_eq(reply->targets[i]->target, target)) {
            return reply->targets[i]->last_state_sha256;
        }
    }
    return (ProtobufCBinaryData){0};
}

static bool
has_answered(const struct looking *l, const Drover__V1__TargetView *view)
{
    return view->last_state_sha256.len == 32 &&
           !dr_data_eq(view->last_state_sha256, state_in(l->before, view->target));
}

// Those that are asked and silent; `*out_waits`: of them, on an agent that is connected.
static size_t
count_silent(const struct looking *l, size_t *out_waits)
{
    size_t silent = 0;
    *out_waits = 0;
    for (size_t i = 0; i < l->reply->n_targets; i++) {
        const Drover__V1__TargetView *view = l->reply->targets[i];
        if (is_named(l->cli, view->target) && !has_answered(l, view)) {
            silent++;
            *out_waits += view->connected ? 1 : 0;
        }
    }
    return silent;
}

static enum dr_rc
look_again(struct looking *l, struct dr_err *err)
{
    DR_TRY(dr_cli_look_begin(l->cli, err));
    enum dr_rc rc = ask_status(l, err);
    dr_cli_look_end(l->cli);
    return rc;
}

static enum dr_rc
look_now(struct looking *l, struct dr_err *err)
{
    struct pollfd cancel = {.fd = l->cancel_fd, .events = POLLIN};
    uint64_t timeout = 0;
    size_t waits = 1;
    enum dr_rc rc = dr_cli_duration(l->cli, "timeout", LOOK_MAX_MS, LOOK_MS, &timeout, err);
    int64_t deadline = dr_monotonic_ms() + (int64_t)timeout;
    l->before = l->reply;
    rc = rc == DR_OK ? order(l, err) : rc;
    while (rc == DR_OK) {
        rc = look_again(l, err);
        l->silent = rc == DR_OK ? count_silent(l, &waits) : 0;
        if (rc != DR_OK || waits == 0 || dr_monotonic_ms() >= deadline) {
            break;
        }
        if (poll(&cancel, 1, ASK_MS) > 0) {
            return dr_err_set(err, DR_E_INTERRUPTED, "interrupted: the agents look all the same");
        }
    }
    if (rc == DR_OK && l->silent > 0) {
        l->cli->exit_code = waits > 0 ? 124 : 5;
    }
    return rc;
}

// ------------------------------------------------------------------------------------- output

static void
print_silent(const struct looking *l)
{
    for (size_t i = 0; l->silent > 0 && i < l->reply->n_targets; i++) {
        const Drover__V1__TargetView *view = l->reply->targets[i];
        if (is_named(l->cli, view->target) && !has_answered(l, view)) {
            dr_print_note(l->cli, "note: '%s' has not answered, its agent %s", view->target,
                          view->connected ? "is connected: drover why TARGET" : "is not connected");
        }
    }
}

static void
say_ways_out(const struct dr_cli *cli, const Drover__V1__Attestation *drift)
{
    dr_say(
        cli,
        "next: put it back; or\n"
        "  drover drift %s --as-revision -m MESSAGE --desired URL   takes it into the chain; or\n"
        "  drover drift %s --tolerate   lets it differ, signed by people\n",
        drift->target, drift->target);
}

static size_t
print_text(const struct looking *l)
{
    const struct dr_cli *cli = l->cli;
    const Drover__V1__Attestation *last = NULL;
    size_t differ = 0;
    size_t asked = 0;
    for (size_t i = 0; i < l->reply->n_targets; i++) {
        const char *target = l->reply->targets[i]->target;
        const struct dr_attestation *drift = dr_drift_of(&l->words, target);
        if (!is_named(cli, target)) {
            continue;
        }
        asked++;
        if (drift != NULL) {
            dr_say(cli, "%s differs from what its last run left, for %s:\n", target,
                   dr_print_age(cli, dr_drift_since(drift)));
            dr_drift_print(cli, drift->msg, "  ", SHOWN_MAX);
            last = drift->msg;
            differ++;
        }
    }
    if (differ == 0) {
        dr_say(cli, "No drift in %zu target%s\n", asked, asked == 1 ? "" : "s");
    } else if (last != NULL) {
        say_ways_out(cli, last);
    }
    return differ;
}

static size_t
print_json(const struct looking *l)
{
    json_t *list = json_array();
    size_t differ = 0;
    for (size_t i = 0; i < l->reply->n_targets; i++) {
        const Drover__V1__TargetView *view = l->reply->targets[i];
        const struct dr_attestation *drift = dr_drift_of(&l->words, view->target);
        if (is_named(l->cli, view->target)) {
            json_t *row = dr_drift_json(view->target, drift);
            if (l->before != NULL) {
                json_object_set_new(row, "hasAnswered", json_boolean(has_answered(l, view)));
            }
            json_array_append_new(list, row);
            differ += drift != NULL ? 1 : 0;
        }
    }
    dr_print_json(l->cli, json_pack("{s:s, s:o}", "schema", "drover.v1.Drift", "targets", list));
    return differ;
}

// -------------------------------------------------------------------------------------- accepted

static bool
is_accepting(const struct dr_cli *cli)
{
    return dr_cli_has(cli, "tolerate") || dr_cli_has(cli, "as-revision");
}

static enum dr_rc
accept(struct looking *l, struct dr_err *err)
{
    struct dr_cli *cli = l->cli;
    const struct dr_attestation **drifts =
        dr_arena_array(cli->arena, l->reply->n_targets + 1, sizeof *drifts);
    size_t n = 0;
    if (drifts == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < l->reply->n_targets; i++) {
        const char *target = l->reply->targets[i]->target;
        const struct dr_attestation *drift = dr_drift_of(&l->words, target);
        if (is_named(cli, target) && drift != NULL) {
            drifts[n++] = drift;
        }
    }
    if (n == 0) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "nothing differs there: nothing is to be accepted");
        return dr_err_hint(err, "drover drift --now lets the agents look again");
    }
    for (size_t i = 0; i < n; i++) {
        dr_say(cli, "%s differs:\n", drifts[i]->msg->target);
        dr_drift_print(cli, drifts[i]->msg, "  ", SHOWN_MAX);
    }
    if (dr_cli_has(cli, "tolerate")) {
        return dr_drift_tolerate(cli, drifts, n, err);
    }
    if (n > 1) {
        return dr_err_set(err, DR_E_USAGE, "--as-revision takes one target, here differ %zu", n);
    }
    return dr_drift_as_revision(cli, drifts[0], err);
}

static enum dr_rc
check_usage(const struct dr_cli *cli, struct dr_err *err)
{
    if (dr_cli_has(cli, "tolerate") && dr_cli_has(cli, "as-revision")) {
        return dr_err_set(err, DR_E_USAGE,
                          "what differs is tolerated or taken into the chain, not both");
    }
    if (!dr_cli_has(cli, "as-revision") &&
        (dr_cli_has(cli, "message") || dr_cli_has(cli, "desired"))) {
        (void)dr_err_set(err, DR_E_USAGE, "--message and --desired are for a revision");
        return dr_err_hint(err, "drover drift TARGET --as-revision -m MESSAGE --desired URL");
    }
    return DR_OK;
}

enum dr_rc
dr_cmd_drift(struct dr_cli *cli, struct dr_err *err)
{
    struct looking l = {.cli = cli, .cancel_fd = dr_cli_has(cli, "now") ? dr_cli_cancel_fd() : -1};
    size_t differ = 0;
    enum dr_rc rc = check_usage(cli, err);
    rc = rc == DR_OK ? dr_remote_open(cli, &l.remote, err) : rc;
    rc = rc == DR_OK ? ask_status(&l, err) : rc;
    rc = rc == DR_OK ? check_names(&l, err) : rc;
    rc = rc == DR_OK && dr_cli_has(cli, "now") ? look_now(&l, err) : rc;
    rc = rc == DR_OK ? dr_words_load(&l.remote, l.reply, &l.words, err) : rc;
    if (rc == DR_OK && is_accepting(cli)) {
        print_silent(&l);
        rc = cli->exit_code == 0 ? accept(&l, err) : rc;
    } else if (rc == DR_OK) {
        print_silent(&l);
        differ = cli->format == DR_CLI_TEXT ? print_text(&l) : print_json(&l);
    }
    if (rc == DR_OK && cli->exit_code == 0 && differ > 0) {
        cli->exit_code = 3;
    }
    dr_remote_close(&l.remote);
    if (l.cancel_fd >= 0) {
        close(l.cancel_fd);
    }
    return rc;
}
