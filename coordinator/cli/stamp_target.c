// stamp REVISION -t TARGET: a rollout of mode STAMP or UNSTAMP, which people approve over the READY
// that names the schema.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/creating.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/stamp_nodes.h"
#include "coordinator/cli/word_ledger.h"
#include "coordinator/cli/words.h"

static enum dr_rc
choose(struct dr_creating *c, struct dr_err *err)
{
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    struct dr_words words = {0};
    struct dr_ledger_view view = {.owner = ""};
    struct dr_stamp_nodes nodes = {0};
    struct dr_arena *arena = c->cli->arena;
    enum dr_rc rc =
        dr_remote_call(&c->remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err);
    rc = rc == DR_OK ? dr_words_load(&c->remote, reply, &words, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    const struct dr_attestation *word =
        dr_words_newest(&words, c->target, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE);
    if (word != NULL) { // without a word the target counts as empty; its READY will tell
        rc = dr_word_ledger(c->graph, word->msg, NULL, arena, &view, err);
    } else {
        rc = dr_ledger_index(arena, &view, err);
    }
    rc = rc == DR_OK ? dr_stamp_choose(c->graph, c->expr, &view, arena, &nodes, err) : rc;
    if (rc == DR_OK && nodes.up.count > 0 && nodes.down.count > 0) {
        (void)dr_err_set(err, DR_E_CONFLICT,
                         "revision '%s' is to be recorded as gone, and '%s' as there: that is two "
                         "rollouts",
                         nodes.down.items[0]->revision->id, nodes.up.items[0]->revision->id);
        const struct dr_node *first = nodes.down.items[0];
        return dr_err_hint(err, "drover stamp %s -t %s first",
                           first->parent_count ? first->parents[0]->revision->id : "base",
                           c->target);
    }
    c->mode = nodes.down.count > 0 ? DROVER__V1__MODE__UNSTAMP : DROVER__V1__MODE__STAMP;
    c->nodes = nodes.down.count > 0 ? nodes.down : nodes.up;
    return rc;
}

enum dr_rc
dr_stamp_target(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_creating c = {.cli = cli,
                            .expr = cli->args[0],
                            .target = dr_cli_option(cli, "target"),
                            .on_failure = DROVER__V1__ON_FAILURE__HOLD};
    Drover__V1__Rollout *rollout = NULL;
    if (c.target == NULL) {
        (void)dr_err_set(err, DR_E_USAGE, "no target is named");
        return dr_err_hint(err, "drover stamp %s -t production/orders, or --url URL", c.expr);
    }
    enum dr_rc rc = dr_chain_files_load(cli, &c.graph, err);
    rc = rc == DR_OK ? dr_remote_open(cli, &c.remote, err) : rc;
    rc = rc == DR_OK ? dr_creating_targets(&c, err) : rc;
    rc = rc == DR_OK ? choose(&c, err) : rc;
    if (rc == DR_OK && c.nodes.count == 0) {
        dr_creating_say_nothing(&c);
    } else if (rc == DR_OK) {
        rc = dr_creating_create(&c, &rollout, err);
        if (rc == DR_OK) {
            dr_creating_say(&c, rollout);
        }
    }
    dr_remote_close(&c.remote);
    dr_graph_free(&c.graph);
    return rc == DR_OK && rollout != NULL && dr_cli_has(cli, "wait")
               ? dr_creating_watch(cli, rollout->id, err)
               : rc;
}
