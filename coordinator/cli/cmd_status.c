// status, agents: what every target is, from statements that its agent signed; the coordinator only
// says who is connected and what is under way.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/drift_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/progress_view.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"
#include "coordinator/cli/rollout_view.h"
#include "coordinator/cli/words_brief.h"

#include "trust/keywords.h"

#include <stdio.h>
#include <string.h>

struct looking {
    struct dr_cli *cli;
    struct dr_remote remote;
    struct dr_graph *graph; // NULL: no files here
    struct dr_words words;
    const Drover__V1__StatusReply *reply;
};

// The newest word that tells a target's state.
static const struct dr_attestation *
state_word(const struct looking *l, const char *target)
{
    return dr_words_newest(&l->words, target, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE);
}

static bool
is_head(const struct looking *l, const char *id)
{
    const struct dr_node *node = l->graph ? dr_graph_find(l->graph, id) : NULL;
    return node != NULL && dr_node_is_head(node);
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
        dr_buf_printf(&out, "%s%s%s", i ? ", " : "", id, is_head(l, id) ? " (head)" : "");
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
    if (dr_words_heads(l->cli->arena, word, &heads, &ignored) != DR_OK ||
        dr_graph_upgrade(l->graph, "heads", &heads, l->cli->arena, &nodes, &ignored) != DR_OK) {
        return -1;
    }
    return (int)nodes.count;
}

static const char *
backup_text(const struct looking *l, const char *target)
{
    char size[32];
    const struct dr_attestation *word =
        dr_words_newest(&l->words, target, DROVER__V1__ATTESTATION_KIND__BACKUP);
    if (word == NULL || word->msg->backup == NULL) {
        return "-";
    }
    dr_format_size(size, word->msg->backup->size_bytes);
    const char *text = dr_arena_printf(l->cli->arena, "%s, %s ago", size,
                                       dr_print_age(l->cli, word->msg->backup->finished));
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
print_text(const struct looking *l)
{
    static const char *const columns[] = {"TARGET", "AGENT",  "VERSION", "PENDING",
                                          "STATE",  "BACKUP", "SEEN",    NULL};
    const struct dr_cli *cli = l->cli;
    struct dr_table *table = dr_table_new(cli, columns);
    size_t rows = 0;
    for (size_t i = 0; table != NULL && i < l->reply->n_targets; i++) {
        const Drover__V1__TargetView *view = l->reply->targets[i];
        if (!is_wanted(cli, view)) {
            continue;
        }
        const struct dr_attestation *word = state_word(l, view->target);
        int pending = count_pending(l, word);
        const char *count = pending < 0 ? "?" : dr_arena_printf(cli->arena, "%d", pending);
        const char *state = state_text(view, word);
        const struct dr_attestation *drift = dr_drift_of(&l->words, view->target);
        const char *shown = drift == NULL ? state : dr_drift_state(cli, state, drift);
        const char *cells[] = {view->target,
                               view->agent,
                               version_text(l, word),
                               count ? count : "",
                               shown,
                               backup_text(l, view->target),
                               view->connected   ? "now"
                               : view->last_seen ? dr_print_age(cli, view->last_seen)
                                                 : "never",
                               NULL};
        dr_table_tone(table, dr_table_row(table, SIZE_MAX, cells), 4,
                      drift != NULL            ? DR_TONE_WAIT
                      : dr_str_eq(state, "ok") ? DR_TONE_GOOD
                                               : dr_rollout_tone(state));
        rows++;
    }
    if (rows > 0) {
        dr_table_print(table, stdout);
    } else {
        dr_say(cli,
               "No target%s. next: drover agent add NAME -e ENV --public-key FILE "
               "--target ENV/NAME=ENGINE\n",
               l->reply->n_targets > 0 ? " like this" : "");
    }
    dr_table_free(&table);
}

// What runs now, and what is in its way, below the table.
static void
print_moving(const struct looking *l)
{
    for (size_t i = 0; i < l->reply->n_targets; i++) {
        const Drover__V1__TargetView *view = l->reply->targets[i];
        const char *text = dr_progress_text(l->cli, view->progress);
        if (is_wanted(l->cli, view) && dr_rollout_moves(view->state) && text[0] != '\0') {
            dr_say(l->cli, "%s: %s\n", view->target, text);
        }
    }
}

static void
print_json(const struct looking *l)
{
    json_t *list = json_array();
    for (size_t i = 0; i < l->reply->n_targets; i++) {
        const Drover__V1__TargetView *view = l->reply->targets[i];
        if (!is_wanted(l->cli, view)) {
            continue;
        }
        const struct dr_attestation *word = state_word(l, view->target);
        json_t *heads = json_array();
        for (size_t h = 0; word != NULL && h < word->msg->n_heads; h++) {
            json_array_append_new(heads, json_string(word->msg->heads[h]->id));
        }
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:o, s:i, s:s, s:s, s:b, s:I, s:I, s:o}", "target",
                      view->target, "environment", view->environment, "agent", view->agent, "heads",
                      heads, "pending", count_pending(l, word), "state", state_text(view, word),
                      "reason", view->reason, "connected", view->connected, "signedAt",
                      (json_int_t)(word ? word->msg->time : 0), "driftSince",
                      (json_int_t)dr_drift_since(dr_drift_of(&l->words, view->target)), "progress",
                      dr_progress_json(dr_rollout_moves(view->state) ? view->progress : NULL)));
    }
    dr_print_json(l->cli, json_pack("{s:s, s:o}", "schema", "drover.v1.Status", "targets", list));
}

static enum dr_rc
load(struct looking *l, struct dr_err *err)
{
    struct dr_err ignored = {0};
    enum dr_rc rc = dr_remote_open(l->cli, &l->remote, err);
    if (rc == DR_OK && dr_chain_drafts_load(l->cli, &l->graph, &ignored) != DR_OK) {
        l->graph = NULL; // versions are told without the files too
    }
    return rc == DR_OK ? dr_words_brief(&l->remote, &l->reply, &l->words, err) : rc;
}

enum dr_rc
dr_cmd_status(struct dr_cli *cli, struct dr_err *err)
{
    struct looking l = {.cli = cli};
    enum dr_rc rc = load(&l, err);
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        print_json(&l);
    } else if (rc == DR_OK) {
        print_text(&l);
        print_moving(&l);
    }
    dr_graph_free(&l.graph);
    dr_remote_close(&l.remote);
    return rc;
}

// One target of `current`: bare lines when only one is asked for, as Alembic prints them.
static void
print_version(const struct looking *l, const char *target, bool is_alone, json_t *list,
              bool *out_behind)
{
    const struct dr_attestation *word = state_word(l, target);
    size_t n = word != NULL ? word->msg->n_heads : 0;
    json_t *heads = json_array();
    *out_behind = *out_behind || count_pending(l, word) != 0;
    for (size_t i = 0; i < n; i++) {
        const char *id = word->msg->heads[i]->id;
        json_array_append_new(heads, json_pack("{s:s, s:b}", "id", id, "isHead", is_head(l, id)));
        if (is_alone) {
            dr_say(l->cli, "%s%s\n", id, is_head(l, id) ? " (head)" : "");
        }
    }
    if (!is_alone) {
        dr_say(l->cli, "%s  %s\n", target, version_text(l, word));
    } else if (word == NULL) {
        dr_print_note(l->cli, "note: '%s' has not signed a word yet", target);
    }
    json_array_append_new(list, json_pack("{s:s, s:o, s:b}", "target", target, "heads", heads,
                                          "isKnown", word != NULL));
}

static bool
is_named(const struct dr_cli *cli, const Drover__V1__TargetView *view)
{
    bool named = cli->args_count == 0;
    for (size_t i = 0; i < cli->args_count; i++) {
        named = named || dr_str_glob(cli->args[i], view->target);
    }
    return named && is_wanted(cli, view);
}

enum dr_rc
dr_cmd_current_of_targets(struct dr_cli *cli, struct dr_err *err)
{
    struct looking l = {.cli = cli};
    size_t found = 0;
    bool behind = false;
    enum dr_rc rc = load(&l, err);
    for (size_t i = 0; rc == DR_OK && i < l.reply->n_targets; i++) {
        found += is_named(cli, l.reply->targets[i]) ? 1 : 0;
    }
    if (rc == DR_OK && found == 0) {
        rc = dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no such target%s%s%s",
                        cli->args_count ? ": '" : "", cli->args_count ? cli->args[0] : "",
                        cli->args_count ? "'" : "");
        dr_err_hint(err, "drover status shows all; drover current --url URL asks one database");
    }
    json_t *list = json_array();
    for (size_t i = 0; rc == DR_OK && i < l.reply->n_targets; i++) {
        if (is_named(cli, l.reply->targets[i])) {
            print_version(&l, l.reply->targets[i]->target, found == 1, list, &behind);
        }
    }
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(
            cli, json_pack("{s:s, s:O}", "schema", "drover.v1.TargetVersions", "targets", list));
    }
    cli->exit_code = rc == DR_OK && behind && dr_cli_has(cli, "check-heads") ? 3 : 0;
    json_decref(list);
    dr_graph_free(&l.graph);
    dr_remote_close(&l.remote);
    return rc;
}

// Agents that the fleet does not name, or not with this key; their words are worked out here.
static void
print_offers(struct dr_cli *cli, const Drover__V1__AgentList *reply)
{
    static const char *const columns[] = {"OFFERED", "STATE", "HOST", "SEEN", "KEY IN WORDS", NULL};
    struct dr_table *table = reply->n_offers > 0 ? dr_table_new(cli, columns) : NULL;
    for (size_t i = 0; table != NULL && i < reply->n_offers; i++) {
        const Drover__V1__AgentOffer *o = reply->offers[i];
        char words[DR_KEY_WORDS_SIZE] = "";
        if (o->signing_key.len == 32 && o->transport_key.len == 32) {
            dr_key_words(o->signing_key.data, o->transport_key.data, words);
        }
        dr_table_row(table, SIZE_MAX,
                     (const char *[]){o->agent, o->state, o->host, dr_print_age(cli, o->last_seen),
                                      words, NULL});
    }
    if (table != NULL) {
        dr_table_print(table, stdout);
        dr_say(cli, "next: drover agent approve %s\n",
               dr_name_is_valid(reply->offers[0]->agent) ? reply->offers[0]->agent : "NAME");
    }
    dr_table_free(&table);
}

enum dr_rc
dr_cmd_agents(struct dr_cli *cli, struct dr_err *err)
{
    static const char *const columns[] = {"AGENT",   "ENVIRONMENT", "STATE", "SEEN",
                                          "VERSION", "TARGETS",     NULL};
    struct dr_remote remote = {0};
    Drover__V1__Empty request = DROVER__V1__EMPTY__INIT;
    Drover__V1__AgentList *reply = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_remote_call(&remote, DR_METHOD_OPERATOR_AGENTS, &request.base, &reply, err)
             : rc;
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        rc = dr_print_message(cli, "drover.v1.AgentList", &reply->base, err);
    } else if (rc == DR_OK) {
        struct dr_table *table = dr_table_new(cli, columns);
        for (size_t i = 0; table != NULL && i < reply->n_agents; i++) {
            const Drover__V1__AgentView *a = reply->agents[i];
            const char *targets = dr_arena_printf(cli->arena, "%zu", a->n_targets);
            const char *cells[] = {
                a->agent,
                a->environment,
                a->state,
                a->connected ? "now" : a->last_seen ? dr_print_age(cli, a->last_seen) : "never",
                a->version,
                targets ? targets : "",
                NULL};
            dr_table_row(table, SIZE_MAX, cells);
        }
        if (reply->n_agents > 0 && table != NULL) {
            dr_table_print(table, stdout);
        } else if (reply->n_offers == 0) {
            dr_say(cli, "No agent yet. next: drover agent add NAME -e ENV --public-key FILE "
                        "--target ENV/NAME=ENGINE\n");
        }
        dr_table_free(&table);
        print_offers(cli, reply);
    }
    dr_remote_close(&remote);
    return rc;
}
