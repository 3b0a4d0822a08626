// repair TARGET: from what the target's agent signed; the ways are rollouts, which people approve.

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/creating.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/repairing.h"
#include "coordinator/cli/word_ledger.h"
#include "coordinator/cli/words.h"

#include <stdio.h>

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

struct remote_repair {
    struct dr_creating creating;
    const Drover__V1__TargetView *view;
    const Drover__V1__Attestation *word;
    Drover__V1__Engine engine;
};

static const char *
trouble_of(const struct dr_cli *cli, const Drover__V1__Attestation *word)
{
    const char *text = "";
    bool is_partial = (word->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_PARTIAL) != 0;
    if ((word->flags & (uint32_t)DROVER__V1__READY_FLAG__FLAG_REGRESSED) != 0) {
        text = dr_arena_printf(
            cli->arena,
            "the ledger lacks what the agent knows as committed%s%s: the database was restored, or "
            "failed over to a standby that lagged behind",
            word->detail[0] ? ": " : "", dr_print_safe(cli, word->detail));
    } else if (is_partial && word->n_units == 0) {
        text = "a revision is half done; its agent does not say which units";
    }
    return text ? text : "";
}

static enum dr_rc
judge_word(struct dr_repairing *r, struct remote_repair *m, struct dr_err *err)
{
    struct dr_ledger_view view;
    struct dr_arena *arena = r->cli->arena;
    r->repair = (struct dr_repair){.held_by = "", .no_resume = "", .no_reverse = ""};
    r->facts.trouble = trouble_of(r->cli, m->word);
    enum dr_rc rc = dr_word_ledger(r->graph, m->word, NULL, arena, &view, err);
    rc = rc == DR_OK ? dr_repairing_find(r, &view, err) : rc;
    if (rc != DR_OK || r->nodes.count == 0) {
        return rc;
    }
    rc = dr_plan_compile(r->cli->project->name, m->engine, &r->nodes, arena, &r->plan, err);
    rc = rc == DR_OK ? dr_word_ledger(r->graph, m->word, r->plan.message, arena, &view, err) : rc;
    rc = rc == DR_OK ? dr_repair_list(&view, r->plan.message, arena, &r->repair, err) : rc;
    dr_repairing_name_ends(r);
    return rc;
}

// The newest signed word that tells of units: STATE or READY.
static const Drover__V1__Attestation *
state_word(const struct dr_words *words, const char *target)
{
    const struct dr_attestation *word =
        dr_words_newest(words, target, DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE);
    return word ? word->msg : NULL;
}

static enum dr_rc
load_target(struct dr_repairing *r, struct remote_repair *m, const char *name, struct dr_err *err)
{
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    struct dr_words words = {0};
    enum dr_rc rc =
        dr_remote_call(&m->creating.remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err);
    rc = rc == DR_OK ? dr_words_load(&m->creating.remote, reply, &words, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < reply->n_targets; i++) {
        if (dr_str_eq(reply->targets[i]->target, name)) {
            m->view = reply->targets[i];
        }
    }
    if (rc == DR_OK && m->view == NULL) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target '%s'", name);
        return dr_err_hint(err, "drover status shows all targets");
    }
    m->word = rc == DR_OK ? state_word(&words, name) : NULL;
    if (rc == DR_OK && m->word == NULL) {
        (void)dr_err_set(err, DR_E_WAITING, "'%s' has not signed a word yet", name);
        return dr_err_hint(err, "drover agents shows whether its agent is connected");
    }
    if (rc == DR_OK) {
        m->engine = m->word->engine;
        r->facts.target = r->facts.where = m->word->target;
    }
    return rc;
}

// The rollout that the target stopped in is gone on with; without one a new one is made.
static enum dr_rc
retry(struct dr_repairing *r, struct remote_repair *m, struct dr_err *err)
{
    Drover__V1__RolloutOrder order = DROVER__V1__ROLLOUT_ORDER__INIT;
    Drover__V1__Rollout *rollout = NULL;
    struct dr_arena *arena = r->cli->arena;
    order.id = m->view->rollout;
    order.target = dr_arena_str(arena, r->facts.target);
    order.order = dr_arena_str(arena, "retry");
    order.note = dr_arena_str(arena, "repair --resume");
    if (!order.target || !order.order || !order.note) {
        return no_memory(err);
    }
    enum dr_rc rc = dr_remote_call(&m->creating.remote, DR_METHOD_OPERATOR_ORDER_ROLLOUT,
                                   &order.base, &rollout, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (r->cli->format != DR_CLI_TEXT) {
        return dr_print_message(r->cli, "drover.v1.Rollout", &rollout->base, err);
    }
    dr_say(r->cli, "%s prepares again in rollout %s\nnext: drover approve %s -e %s --ack partial\n",
           r->facts.target, m->view->rollout, m->view->rollout, m->view->environment);
    return DR_OK;
}

static enum dr_rc
make_rollout(struct dr_repairing *r, struct remote_repair *m, bool is_reverse, struct dr_err *err)
{
    struct dr_creating *c = &m->creating;
    Drover__V1__Rollout *rollout = NULL;
    c->target = r->facts.target;
    c->nodes = r->nodes;
    c->mode = dr_repairing_mode(r, is_reverse);
    c->on_failure = DROVER__V1__ON_FAILURE__HOLD;
    enum dr_rc rc = dr_creating_targets(c, err);
    rc = rc == DR_OK ? dr_creating_create(c, &rollout, err) : rc;
    if (rc == DR_OK) {
        dr_creating_say(c, rollout);
    }
    return rc;
}

static enum dr_rc
go_remote(struct dr_repairing *r, struct remote_repair *m, bool is_reverse, struct dr_err *err)
{
    if (r->repair.units_count == 0) {
        if (r->facts.trouble[0] == '\0') {
            dr_say(r->cli, "%s: nothing to repair\n", r->facts.target);
            return DR_OK;
        }
        return dr_err_set(err, DR_E_NEEDS_REPAIR, "%s", r->facts.trouble);
    }
    enum dr_rc rc = dr_repairing_check(r, is_reverse, err);
    bool is_open = m->view->rollout[0] != '\0';
    if (rc == DR_OK && is_open && is_reverse) {
        (void)dr_err_set(err, DR_E_ROLLOUT_BUSY, "'%s' is still part of rollout %s",
                         r->facts.target, dr_print_safe(r->cli, m->view->rollout));
        return dr_err_hint(err, "drover rollout abort %s, then this again", m->view->rollout);
    }
    if (rc != DR_OK) {
        return rc;
    }
    return is_open ? retry(r, m, err) : make_rollout(r, m, is_reverse, err);
}

enum dr_rc
dr_repair_target(struct dr_cli *cli, struct dr_err *err)
{
    struct remote_repair m = {.creating = {.cli = cli}};
    struct dr_repairing r = {.cli = cli,
                             .facts = {.trouble = "", .finished = "", .undone = "base"}};
    enum dr_rc rc = dr_chain_files_load(cli, &m.creating.graph, err);
    r.graph = m.creating.graph;
    rc = rc == DR_OK ? dr_remote_open(cli, &m.creating.remote, err) : rc;
    rc = rc == DR_OK ? load_target(&r, &m, cli->args[0], err) : rc;
    rc = rc == DR_OK ? judge_word(&r, &m, err) : rc;
    if (rc == DR_OK && (dr_cli_has(cli, "resume") || dr_cli_has(cli, "reverse"))) {
        rc = go_remote(&r, &m, dr_cli_has(cli, "reverse"), err);
    } else if (rc == DR_OK) {
        dr_repair_print(cli, &r.facts, &r.repair, r.graph);
    }
    dr_remote_close(&m.creating.remote);
    dr_graph_free(&m.creating.graph);
    return rc;
}
