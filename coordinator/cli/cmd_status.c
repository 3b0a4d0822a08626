// status, agents: what every target is, from statements that its agent signed; the coordinator only
// says who is connected and what is under way.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"

#include "base/clock.h"
#include "rpc/reflect.h"
#include "trust/gate.h"

#include <stdio.h>
#include <string.h>

struct looking {
    struct dr_cli *cli;
    struct dr_remote remote;
    struct dr_graph *graph; // NULL: no files here
    struct dr_attestation *words;
    size_t n_words;
};

static enum dr_rc
load_words(struct looking *l, const Drover__V1__StatusReply *reply, struct dr_err *err)
{
    const struct dr_trust *trust = l->remote.trust;
    ProtobufCBinaryData *wires =
        dr_arena_array(l->cli->arena, reply->n_attestations + 1, sizeof(*wires));
    if (wires == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < reply->n_attestations; i++) {
        wires[i] = reply->attestations[i]->envelope;
    }
    return dr_gate_load_evidence(l->cli->arena, &trust->fleet, trust->entries, trust->n_entries,
                                 wires, reply->n_attestations, true, &l->words, &l->n_words, err);
}

// The newest verified word about a target; of one kind when `kind` is not NONE, else any but BACKUP
// and DRIFT.
static const struct dr_attestation *
newest(const struct looking *l, const char *target, Drover__V1__AttestationKind kind)
{
    const struct dr_attestation *best = NULL;
    for (size_t i = 0; i < l->n_words; i++) {
        const Drover__V1__Attestation *m = l->words[i].msg;
        bool fits = kind == DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE
                        ? m->kind != DROVER__V1__ATTESTATION_KIND__BACKUP &&
                              m->kind != DROVER__V1__ATTESTATION_KIND__DRIFT
                        : m->kind == kind;
        if (fits && dr_str_eq(m->target, target) &&
            (best == NULL || m->time > best->msg->time ||
             (m->time == best->msg->time && m->counter > best->msg->counter))) {
            best = &l->words[i];
        }
    }
    return best;
}

static const char *
version_text(const struct looking *l, const struct dr_attestation *word)
{
    struct dr_buf out = {0};
    if (word == NULL) {
        return "unknown";
    }
    for (size_t i = 0; i < word->msg->n_heads; i++) {
        const char *id = word->msg->heads[i]->id;
        const struct dr_node *node = l->graph ? dr_graph_find(l->graph, id) : NULL;
        dr_buf_printf(&out, "%s%s%s", i ? ", " : "", id,
                      node != NULL && dr_node_is_head(node) ? " (head)" : "");
    }
    const char *text = dr_arena_str(l->cli->arena, out.len ? out.data : "base");
    dr_buf_fini(&out);
    return text ? text : "";
}

// How many revisions of this folder the target lacks; -1 when it cannot be told.
static int
count_pending(const struct looking *l, const struct dr_attestation *word)
{
    struct dr_names heads = {0};
    struct dr_nodes nodes = {0};
    struct dr_err ignored = {0};
    if (word == NULL || l->graph == NULL) {
        return -1;
    }
    const char **ids = dr_arena_array(l->cli->arena, word->msg->n_heads + 1, sizeof(*ids));
    for (size_t i = 0; ids != NULL && i < word->msg->n_heads; i++) {
        ids[i] = word->msg->heads[i]->id;
    }
    heads = (struct dr_names){.items = ids, .count = word->msg->n_heads};
    if (ids == NULL ||
        dr_graph_upgrade(l->graph, "heads", &heads, l->cli->arena, &nodes, &ignored) != DR_OK) {
        return -1;
    }
    return (int)nodes.count;
}

static const char *
age_text(const struct dr_cli *cli, int64_t time)
{
    char text[32];
    int64_t now = dr_now_unix_s();
    dr_format_duration(text, now > time ? (uint64_t)(now - time) * 1000 : 0);
    const char *kept = dr_arena_str(cli->arena, text);
    return kept ? kept : "";
}

static const char *
backup_text(const struct looking *l, const char *target)
{
    char size[32];
    const struct dr_attestation *word = newest(l, target, DROVER__V1__ATTESTATION_KIND__BACKUP);
    if (word == NULL || word->msg->backup == NULL) {
        return "-";
    }
    dr_format_size(size, word->msg->backup->size_bytes);
    const char *text = dr_arena_printf(l->cli->arena, "%s, %s ago", size,
                                       age_text(l->cli, word->msg->backup->finished));
    return text ? text : "";
}

// The target's own state: what is under way in a rollout, else what its last word says.
static const char *
state_text(const Drover__V1__TargetView *view, const struct dr_attestation *word)
{
    if (view->state[0] != '\0') {
        return view->state;
    }
    if (word == NULL) {
        return "never seen";
    }
    return word->msg->kind == DROVER__V1__ATTESTATION_KIND__FAILED    ? "failed"
           : word->msg->kind == DROVER__V1__ATTESTATION_KIND__REFUSED ? "refused"
           : word->msg->kind == DROVER__V1__ATTESTATION_KIND__READY   ? "ready"
                                                                      : "ok";
}

static bool
is_wanted(const struct dr_cli *cli, const Drover__V1__TargetView *view)
{
    const char *environment = dr_cli_option(cli, "environment");
    const char *glob = dr_cli_option(cli, "target");
    return (environment == NULL || dr_str_eq(environment, view->environment)) &&
           (glob == NULL || dr_str_glob(glob, view->target));
}

static void
print_text(const struct looking *l, const Drover__V1__StatusReply *reply)
{
    static const char *const columns[] = {"TARGET", "AGENT",  "VERSION", "PENDING",
                                          "STATE",  "BACKUP", "SEEN",    NULL};
    const struct dr_cli *cli = l->cli;
    struct dr_table *table = dr_table_new(columns);
    size_t rows = 0;
    for (size_t i = 0; table != NULL && i < reply->n_targets; i++) {
        const Drover__V1__TargetView *view = reply->targets[i];
        if (!is_wanted(cli, view)) {
            continue;
        }
        const struct dr_attestation *word =
            newest(l, view->target, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE);
        int pending = count_pending(l, word);
        const char *count = pending < 0 ? "?" : dr_arena_printf(cli->arena, "%d", pending);
        const char *state = state_text(view, word);
        enum dr_tone tone = dr_rollout_tone(state);
        const char *coloured = dr_arena_printf(cli->arena, "%s%s%s", dr_tone_begin(cli, tone),
                                               state, dr_tone_end(cli, tone));
        const char *cells[] = {dr_print_safe(cli, view->target),
                               dr_print_safe(cli, view->agent),
                               dr_print_safe(cli, version_text(l, word)),
                               count ? count : "",
                               coloured ? coloured : "",
                               backup_text(l, view->target),
                               view->connected   ? "now"
                               : view->last_seen ? age_text(cli, view->last_seen)
                                                 : "never",
                               NULL};
        dr_table_row(table, SIZE_MAX, cells);
        rows++;
    }
    if (rows > 0) {
        dr_table_print(table, stdout);
    } else {
        printf("No target. next: drover agent add NAME -e ENV --public-key FILE --target "
               "ENV/NAME=ENGINE\n");
    }
    dr_table_free(&table);
}

static void
print_json(const struct looking *l, const Drover__V1__StatusReply *reply)
{
    json_t *list = json_array();
    for (size_t i = 0; i < reply->n_targets; i++) {
        const Drover__V1__TargetView *view = reply->targets[i];
        if (!is_wanted(l->cli, view)) {
            continue;
        }
        const struct dr_attestation *word =
            newest(l, view->target, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE);
        json_t *heads = json_array();
        for (size_t h = 0; word != NULL && h < word->msg->n_heads; h++) {
            json_array_append_new(heads, json_string(word->msg->heads[h]->id));
        }
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o, s:i, s:s, s:s, s:b, s:I}", "target", view->target,
                            "environment", view->environment, "agent", view->agent, "heads", heads,
                            "pending", count_pending(l, word), "state", state_text(view, word),
                            "reason", view->reason, "connected", view->connected, "signedAt",
                            (json_int_t)(word ? word->msg->time : 0)));
    }
    dr_print_json(l->cli, json_pack("{s:s, s:o}", "schema", "drover.v1.Status", "targets", list));
}

enum dr_rc
dr_cmd_status(struct dr_cli *cli, struct dr_err *err)
{
    struct looking l = {.cli = cli};
    struct dr_err ignored = {0};
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    enum dr_rc rc = dr_remote_open(cli, &l.remote, err);
    if (rc == DR_OK && dr_chain_files_load(cli, &l.graph, &ignored) != DR_OK) {
        l.graph = NULL;
    }
    rc = rc == DR_OK
             ? dr_remote_call(&l.remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err)
             : rc;
    rc = rc == DR_OK && l.remote.trust->fleet.msg != NULL ? load_words(&l, reply, err) : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_json(&l, reply);
    } else if (rc == DR_OK) {
        print_text(&l, reply);
    }
    dr_graph_free(&l.graph);
    dr_remote_close(&l.remote);
    return rc;
}

enum dr_rc
dr_cmd_agents(struct dr_cli *cli, struct dr_err *err)
{
    static const char *const columns[] = {"AGENT",   "ENVIRONMENT", "STATE", "SEEN",
                                          "VERSION", "TARGETS",     NULL};
    struct dr_remote remote = {0};
    Drover__V1__Empty request = DROVER__V1__EMPTY__INIT;
    Drover__V1__AgentList *reply = NULL;
    json_t *json = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_remote_call(&remote, DR_METHOD_OPERATOR_AGENTS, &request.base, &reply, err)
             : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        rc = dr_json_from_message_full(&reply->base, &json, err);
        if (rc == DR_OK) {
            json_object_set_new(json, "schema", json_string("drover.v1.AgentList"));
            dr_print_json(cli, json);
        }
    } else if (rc == DR_OK) {
        struct dr_table *table = dr_table_new(columns);
        for (size_t i = 0; table != NULL && i < reply->n_agents; i++) {
            const Drover__V1__AgentView *a = reply->agents[i];
            const char *targets = dr_arena_printf(cli->arena, "%zu", a->n_targets);
            const char *cells[] = {dr_print_safe(cli, a->agent),
                                   dr_print_safe(cli, a->environment),
                                   dr_print_safe(cli, a->state),
                                   a->connected   ? "now"
                                   : a->last_seen ? age_text(cli, a->last_seen)
                                                  : "never",
                                   dr_print_safe(cli, a->version),
                                   targets ? targets : "",
                                   NULL};
            dr_table_row(table, SIZE_MAX, cells);
        }
        if (table != NULL) {
            dr_table_print(table, stdout);
        }
        dr_table_free(&table);
    }
    dr_remote_close(&remote);
    return rc;
}
