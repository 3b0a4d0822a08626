// Freezes and vetoes, and what lifts them.

#include "coordinator/cli/stops.h"
#include "coordinator/cli/print.h"

#include "base/clock.h"

#include <string.h>

#define STOP_KINDS                                                                                 \
    (1u << DROVER__V1__SIGNOFF_KIND__VETO | 1u << DROVER__V1__SIGNOFF_KIND__CANCEL |               \
     1u << DROVER__V1__SIGNOFF_KIND__FREEZE)
#define LIFT_KIND (1u << DROVER__V1__SIGNOFF_KIND__LIFT)

static enum dr_rc
list(struct dr_remote *remote, uint32_t subkinds, bool is_pending, Drover__V1__Document ***out,
     size_t *out_n, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    request.kind = dr_arena_str(remote->cli->arena, DR_TYPE_SIGNOFF);
    request.subkinds = subkinds;
    request.pending = is_pending;
    return dr_remote_list(remote, request, out, out_n, err);
}

static const char *
first_signer(const struct dr_root *root, const struct dr_signoff *signoff)
{
    for (size_t i = 0; i < root->msg->n_people; i++) {
        if (signoff->signers.signed_by[i]) {
            return root->msg->people[i]->name;
        }
    }
    return "";
}

static struct dr_bytes
wire_of(const Drover__V1__Document *document)
{
    return (struct dr_bytes){document->envelope.data, document->envelope.len};
}

// The LIFT that a document holds, of this stop and there; NULL: it is another, or none.
static const Drover__V1__Signoff *
lift_in(struct dr_remote *remote, const Drover__V1__Document *document, const struct dr_stop *stop,
        const char *environment)
{
    struct dr_envelope envelope;
    ProtobufCMessage *message = NULL;
    struct dr_err ignored = {0};
    if (dr_envelope_parse(wire_of(document), DR_TYPE_SIGNOFF, &envelope, &ignored) != DR_OK ||
        dr_strict_decode(remote->cli->arena, &drover__v1__signoff__descriptor, envelope.payload,
                         &message, &ignored) != DR_OK) {
        return NULL;
    }
    const Drover__V1__Signoff *msg = (const Drover__V1__Signoff *)message;
    bool is_it = msg->kind == DROVER__V1__SIGNOFF_KIND__LIFT &&
                 dr_data_is(msg->seen_sha256, stop->signoff.sha256) &&
                 (environment[0] == '\0' || dr_str_eq(msg->environment, environment));
    return is_it ? msg : NULL;
}

// Does it say nothing but that? Whoever adds a signature signs all of it, so a lift of another
// cluster, or with a note, an end or a plan of its own, is not one to add to.
static bool
is_plain_lift(struct dr_remote *remote, const Drover__V1__Document *document,
              const struct dr_stop *stop, const char *environment)
{
    const Drover__V1__Signoff *msg = lift_in(remote, document, stop, environment);
    return msg != NULL && dr_data_eq(msg->cluster_id, remote->trust->root.msg->cluster_id) &&
           dr_data_eq(msg->plan_sha256, stop->signoff.msg->plan_sha256) && msg->note[0] == '\0' &&
           msg->item[0] == '\0' && msg->expires == 0 &&
           msg->time <= dr_now_unix_s() + DR_CLOCK_SKEW_S;
}

static enum dr_rc
mark_lifts(struct dr_remote *remote, struct dr_stop *stops, size_t n, struct dr_err *err)
{
    Drover__V1__Document **rows = NULL;
    size_t n_rows = 0;
    enum dr_rc rc = list(remote, LIFT_KIND, false, &rows, &n_rows, err);
    for (size_t i = 0; rc == DR_OK && i < n * n_rows; i++) {
        struct dr_stop *stop = &stops[i / n_rows];
        struct dr_signoff lift;
        struct dr_err ignored = {0};
        const char *environment = stop->signoff.msg->environment;
        stop->is_lifted = stop->is_lifted ||
                          (lift_in(remote, rows[i % n_rows], stop, environment) != NULL &&
                           environment[0] != '\0' &&
                           dr_signoff_load(remote->cli->arena, &remote->trust->root, environment,
                                           wire_of(rows[i % n_rows]), &lift, &ignored) == DR_OK);
    }
    rc = rc == DR_OK ? list(remote, LIFT_KIND, true, &rows, &n_rows, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < n * n_rows; i++) {
        struct dr_stop *stop = &stops[i / n_rows];
        if (is_plain_lift(remote, rows[i % n_rows], stop, stop->signoff.msg->environment)) {
            stop->lift = rows[i % n_rows];
        }
    }
    return rc;
}

enum dr_rc
dr_stops_load(struct dr_remote *remote, const char *environment, struct dr_stop **out,
              size_t *out_n, struct dr_err *err)
{
    Drover__V1__Document **rows = NULL;
    size_t n = 0;
    enum dr_rc rc = list(remote, STOP_KINDS, false, &rows, &n, err);
    *out = rc == DR_OK ? dr_arena_array(remote->cli->arena, n + 1, sizeof(**out)) : NULL;
    *out_n = 0;
    if (rc == DR_OK && *out == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = n; rc == DR_OK && i > 0; i--) { // the coordinator gives the oldest first
        struct dr_stop stop = {0};
        struct dr_err mine = {0};
        if (dr_signoff_load(remote->cli->arena, &remote->trust->root, "", wire_of(rows[i - 1]),
                            &stop.signoff, &mine) != DR_OK) {
            continue; // signed by somebody who has gone since, or a lie
        }
        const Drover__V1__Signoff *msg = stop.signoff.msg;
        if (environment != NULL && msg->environment[0] != '\0' &&
            !dr_str_eq(msg->environment, environment)) {
            continue;
        }
        stop.person = first_signer(&remote->trust->root, &stop.signoff);
        stop.is_over = msg->expires != 0 && msg->expires <= dr_now_unix_s();
        (*out)[(*out_n)++] = stop;
    }
    return rc == DR_OK && *out_n > 0 ? mark_lifts(remote, *out, *out_n, err) : rc;
}

static bool
is_about(const Drover__V1__Signoff *msg, const Drover__V1__Rollout *rollout)
{
    if (msg->kind == DROVER__V1__SIGNOFF_KIND__FREEZE) {
        return true;
    }
    bool is_veto = msg->kind == DROVER__V1__SIGNOFF_KIND__VETO;
    for (size_t i = 0; is_veto && rollout != NULL && i < rollout->n_plans; i++) {
        if (dr_data_eq(msg->plan_sha256, rollout->plans[i]->plan_sha256)) {
            return true;
        }
    }
    return false;
}

const struct dr_stop *
dr_stops_holding(const struct dr_stop *stops, size_t n, const char *environment,
                 const Drover__V1__Rollout *rollout)
{
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Signoff *msg = stops[i].signoff.msg;
        bool is_here = msg->environment[0] == '\0' || dr_str_eq(msg->environment, environment);
        if (is_here && !stops[i].is_over && !stops[i].is_lifted && is_about(msg, rollout)) {
            return &stops[i];
        }
    }
    return NULL;
}

const char *
dr_stop_text(const struct dr_cli *cli, const struct dr_stop *stop, const char *environment)
{
    bool is_freeze = stop->signoff.msg->kind == DROVER__V1__SIGNOFF_KIND__FREEZE;
    const char *note = dr_print_safe(cli, stop->signoff.msg->note);
    const char *text = dr_arena_printf(cli->arena, "%s %s%s: %s", stop->person,
                                       is_freeze ? "froze " : "vetoed this in ", environment,
                                       note[0] ? note : "no reason given");
    return text != NULL ? text : "";
}

const char *
dr_stop_way_out(const struct dr_cli *cli, const struct dr_stop *stop, const char *environment,
                const Drover__V1__Rollout *rollout)
{
    bool is_freeze = stop->signoff.msg->kind == DROVER__V1__SIGNOFF_KIND__FREEZE;
    const char *text =
        is_freeze || rollout == NULL
            ? dr_arena_printf(cli->arena, "drover freeze lift %s", environment)
            : dr_arena_printf(cli->arena, "drover veto lift %s -e %s", rollout->id, environment);
    return text != NULL ? text : "";
}

const char *
dr_stop_word(const struct dr_stop *stop)
{
    switch (stop->signoff.msg->kind) {
    case DROVER__V1__SIGNOFF_KIND__FREEZE:
        return "freeze";
    case DROVER__V1__SIGNOFF_KIND__VETO:
        return "veto";
    default:
        return "cancel";
    }
}

enum dr_rc
dr_stop_lift(struct dr_remote *remote, const struct dr_stop *stop, const char *environment,
             const struct dr_key *key, uint32_t *out_have, uint32_t *out_need, struct dr_err *err)
{
    struct dr_arena *arena = remote->cli->arena;
    Drover__V1__Signoff msg = DROVER__V1__SIGNOFF__INIT;
    Drover__V1__PutDocumentReply *reply = NULL;
    struct dr_envelope envelope;
    struct dr_bytes wire;
    uint8_t digest[32];
    enum dr_rc rc = DR_OK;
    if (stop->lift != NULL && is_plain_lift(remote, stop->lift, stop, environment)) {
        rc = dr_envelope_parse(wire_of(stop->lift), DR_TYPE_SIGNOFF, &envelope, err);
        rc = rc == DR_OK ? dr_envelope_add(arena, &envelope, key, &wire, err) : rc;
    } else {
        msg.cluster_id = remote->trust->root.msg->cluster_id;
        msg.kind = DROVER__V1__SIGNOFF_KIND__LIFT;
        msg.environment = dr_arena_str(arena, environment);
        msg.plan_sha256 = stop->signoff.msg->plan_sha256;
        msg.seen_sha256 = dr_data(stop->signoff.sha256, 32);
        msg.time = dr_now_unix_s();
        rc = msg.environment ? dr_signoff_build(arena, msg, key, &wire, digest, err)
                             : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    rc = rc == DR_OK ? dr_remote_put(remote, DR_TYPE_SIGNOFF, wire, NULL, 0, &reply, err) : rc;
    if (rc == DR_OK) {
        *out_have = reply->signatures;
        *out_need = reply->needed;
    }
    return rc;
}
