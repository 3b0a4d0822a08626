#include "coordinator/cli/chain_state.h"

#include "coordinator/cli/chain_view.h"
#include "coordinator/cli/direct.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/word_ledger.h"
#include "coordinator/cli/words.h"

#include "base/file.h"
#include "db/db.h"

#include <limits.h>
#include <string.h>

enum dr_rc
dr_chain_state_check_file(const struct dr_cli *cli, const char *url, struct dr_err *err)
{
    char path[PATH_MAX];
    if (dr_db_kind_of(url) != DR_DB_SQLITE) {
        return DR_OK;
    }
    enum dr_rc rc = dr_db_sqlite_path(url, path, sizeof(path), err);
    if (rc == DR_OK && !dr_path_exists(path)) {
        dr_err_set(err, DR_E_NOT_FOUND, "there is no database file '%s'", path);
        return dr_err_hint(err, "correct the name; 'drover upgrade head --url %s' makes a new one",
                           dr_print_safe(cli, url));
    }
    return rc;
}

static enum dr_rc
keep_heads(struct dr_cli *cli, const struct dr_engine_state *state, struct dr_names *out,
           struct dr_err *err)
{
    const char **ids = dr_arena_array(cli->arena, state->heads_count + 1, sizeof(*ids));
    if (ids == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < state->heads_count; i++) {
        ids[i] = state->heads[i].id;
    }
    *out = (struct dr_names){ids, state->heads_count};
    return DR_OK;
}

enum dr_rc
dr_chain_state_read(struct dr_cli *cli, bool whole, struct dr_chain_state *out, struct dr_err *err)
{
    struct dr_direct d = {.cli = cli, .url = dr_project_direct_url(cli)};
    if (d.url == NULL) {
        dr_err_set(err, DR_E_USAGE, "this asks a database, and none is named");
        return dr_err_hint(err, "--url postgresql:///name, or --url sqlite:FILE");
    }
    enum dr_rc rc = dr_chain_state_check_file(cli, d.url, err);
    rc = rc == DR_OK ? dr_direct_open(&d, -1, err) : rc;
    if (rc == DR_OK) {
        rc = whole ? dr_engine_read_state(d.engine, cli->arena, false, false, &d.state, err)
                   : dr_engine_read_heads(d.engine, cli->arena, &d.state, err);
    }
    rc = rc == DR_OK ? keep_heads(cli, &d.state, &out->heads, err) : rc;
    out->ledger = d.state.ledger;
    dr_engine_close(&d.engine);
    return rc;
}

bool
dr_chain_asks_database(const char *expr)
{
    static const char word[] = "current";
    const char *at = expr != NULL ? strstr(expr, word) : NULL;
    for (; at != NULL; at = strstr(at + 1, word)) {
        bool begins = at == expr || at[-1] == ':' || at[-1] == '@';
        if (begins && strchr(":+-", at[sizeof(word) - 1]) != NULL) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_chain_current(struct dr_cli *cli, const char *expr, struct dr_names *out, struct dr_err *err)
{
    struct dr_chain_state state = {0};
    enum dr_rc rc =
        dr_chain_asks_database(expr) ? dr_chain_state_read(cli, false, &state, err) : DR_OK;
    *out = state.heads;
    return rc;
}

// The newest signed word about a target of the fleet.
static enum dr_rc
find_word(struct dr_remote *remote, const Drover__V1__StatusReply *reply, const char *target,
          const struct dr_attestation **out, struct dr_err *err)
{
    struct dr_words words = {0};
    bool is_there = false;
    for (size_t i = 0; i < reply->n_targets; i++) {
        is_there = is_there || dr_str_eq(reply->targets[i]->target, target);
    }
    if (!is_there) {
        dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target '%s'", target);
        return dr_err_hint(err, "drover status shows all");
    }
    enum dr_rc rc = dr_words_load(remote, reply, &words, err);
    if (rc == DR_OK) {
        *out = dr_words_newest(&words, target, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE);
        rc = *out != NULL
                 ? DR_OK
                 : dr_err_set(err, DR_E_NOT_FOUND, "'%s' has not signed a word yet", target);
    }
    return rc;
}

enum dr_rc
dr_chain_state_of_target(struct dr_cli *cli, const struct dr_graph *graph, const char *target,
                         struct dr_chain_state *out, struct dr_err *err)
{
    struct dr_remote remote = {0};
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    const struct dr_attestation *word = NULL;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc == DR_OK
             ? dr_remote_call(&remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err)
             : rc;
    rc = rc == DR_OK ? find_word(&remote, reply, target, &word, err) : rc;
    rc = rc == DR_OK ? dr_words_heads(cli->arena, word, &out->heads, err) : rc;
    rc = rc == DR_OK ? dr_word_ledger(graph, word->msg, NULL, cli->arena, &out->ledger, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

struct word {
    const char *text;
    enum dr_tone tone;
};

// What one revision is to the database.
static struct word
state_of(const struct dr_node *node, const struct dr_chain_state *state)
{
    const struct dr_ledger_revision *r =
        state->ledger.exists ? dr_ledger_find(&state->ledger, node->revision->id) : NULL;
    if (r == NULL) {
        return node->revision->defect != NULL ? (struct word){dr_chain_defect(node), DR_TONE_WAIT}
                                              : (struct word){"pending", DR_TONE_WAIT};
    }
    if (r->state != DR_LEDGER_APPLIED) {
        return (struct word){"half done", DR_TONE_BAD};
    }
    if (memcmp(r->digest, node->digest, 32) != 0) {
        return (struct word){"changed since", DR_TONE_BAD};
    }
    return (struct word){r->is_head ? "current" : "applied", DR_TONE_GOOD};
}

static const char *
way_back(const struct dr_revision *r)
{
    static const char *const words[] = {"", "yes", "no", "lossy"};
    return r->down_none ? "no" : words[r->reversible];
}

static void
add_row(struct dr_cli *cli, struct dr_table *table, json_t *list, const char *id, struct word state,
        const struct dr_revision *r)
{
    const char *back = r != NULL ? way_back(r) : "";
    const char *message = r != NULL ? r->message : "(not in this folder)";
    if (table != NULL) {
        size_t row =
            dr_table_row(table, SIZE_MAX, (const char *[]){id, state.text, back, message, NULL});
        dr_table_tone(table, row, 1, state.tone);
    }
    if (cli->format != DR_CLI_TEXT) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", id, "state", state.text,
                                              "reversible", back, "message", message));
    }
}

void
dr_chain_state_print(struct dr_cli *cli, const struct dr_graph *graph, const struct dr_nodes *nodes,
                     const struct dr_chain_state *state)
{
    static const char *const columns[] = {"REVISION", "STATE", "REVERSIBLE", "MESSAGE", NULL};
    json_t *list = json_array();
    struct dr_table *table = cli->format == DR_CLI_TEXT ? dr_table_new(cli, columns) : NULL;
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_revision *r = nodes->items[i]->revision;
        add_row(cli, table, list, r->id, state_of(nodes->items[i], state), r);
    }
    for (size_t i = 0; i < state->ledger.revisions_count; i++) {
        const char *id = state->ledger.revisions[i].id;
        if (dr_graph_find(graph, id) == NULL) {
            add_row(cli, table, list, id, (struct word){"missing", DR_TONE_BAD}, NULL);
        }
    }
    if (table != NULL) {
        dr_table_print(table, stdout);
    } else {
        dr_print_json(
            cli, json_pack("{s:s, s:O}", "schema", "drover.v1.HistoryStates", "revisions", list));
    }
    dr_table_free(&table);
    json_decref(list);
}
