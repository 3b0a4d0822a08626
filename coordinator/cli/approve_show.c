// What is signed, for people.

#include "coordinator/cli/approve_show.h"
#include "coordinator/cli/drift_view.h"
#include "coordinator/cli/loss_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/ready_flags.h"
#include "coordinator/cli/rehearsal_view.h"

#include "base/clock.h"

#include <string.h>

// "12 statements, 1 outside a transaction"
static const char *
count_statements(struct dr_arena *arena, const Drover__V1__PlanRevision *revision,
                 Drover__V1__UnitKind kind)
{
    size_t statements = 0;
    size_t outside = 0;
    for (size_t i = 0; i < revision->n_units; i++) {
        if (revision->units[i]->kind == kind) {
            statements += revision->units[i]->n_statements;
            outside += revision->units[i]->outside_transaction ? 1 : 0;
        }
    }
    const char *text =
        outside > 0
            ? dr_arena_printf(arena, "%zu statement%s, %zu outside a transaction", statements,
                              statements == 1 ? "" : "s", outside)
            : dr_arena_printf(arena, "%zu statement%s", statements, statements == 1 ? "" : "s");
    return text ? text : "";
}

static void
show_line(const struct dr_cli *cli, const char *word, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        dr_say(cli, "      %s: %s\n", word, text);
    }
}

static void
show_revision(const struct dr_cli *cli, const Drover__V1__PlanRevision *r,
              const struct dr_node *node, bool is_down)
{
    Drover__V1__UnitKind kind =
        is_down ? DROVER__V1__UNIT_KIND__UNIT_DOWN : DROVER__V1__UNIT_KIND__UNIT_UP;
    dr_say(cli, "  %s %s  %s (%s)\n", is_down ? "-" : "+", r->id, r->message,
           count_statements(cli->arena, r, kind));
    if (node == NULL) {
        return;
    }
    if (is_down && node->revision->reversible == DR_REVERSIBLE_LOSSY) {
        show_line(cli, "DATA IS LOST", node->revision->reversible_why);
    } else if (!is_down) {
        show_line(cli, "BREAKING", node->revision->breaking);
        show_line(cli, "DESTRUCTIVE", node->revision->destructive);
        show_line(cli, "NO WAY BACK", r->no_down ? node->revision->down_none_reason : "");
    }
}

// What the run will mean for others, from the rehearsal that READY stands on.
static void
show_rehearsal(const struct dr_stage *stage, const struct dr_stage_plan *plan,
               const Drover__V1__Attestation *ready)
{
    const struct dr_cli *cli = stage->remote->cli;
    for (size_t i = 0; i < stage->n_evidence && ready->rehearsed_sha256.len == 32; i++) {
        const struct dr_attestation *one = &stage->evidence[i];
        bool is_it = one->msg->rehearsal != NULL &&
                     memcmp(one->sha256, ready->rehearsed_sha256.data, 32) == 0;
        struct dr_buf line = {0};
        if (is_it) {
            bool is_down = dr_approval_is_down(ready->mode);
            dr_rehearsal_summary(one->msg->rehearsal, plan->plan,
                                 is_down ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP, &line);
            dr_say(cli, "    rehearsed: %s\n", line.data == NULL ? "" : line.data);
        }
        if (is_it && one->msg->detail[0] != '\0') {
            dr_say(cli, "    the copy was not the target to the letter: %s\n",
                   dr_print_safe(cli, one->msg->detail));
        }
        dr_buf_fini(&line);
    }
}

static void
show_target(const struct dr_stage *stage, const struct dr_stage_plan *plan,
            const Drover__V1__Attestation *ready, uint32_t wave)
{
    const struct dr_cli *cli = stage->remote->cli;
    bool is_fresh = dr_now_unix_s() <= ready->time;
    dr_say(cli, "  target %s, wave %u, ready %s%s, at %s%s%s\n", ready->target, wave,
           is_fresh ? "just now" : dr_print_age(cli, ready->time), is_fresh ? "" : " ago",
           ready->n_heads ? ready->heads[0]->id : "base", ready->flags ? ", flags: " : "",
           dr_ready_flags_names(cli->arena, ready->flags));
    if (ready->difference_sha256.len == 32) {
        char digest[20];
        dr_print_digest(digest, ready->difference_sha256.data, ready->difference_sha256.len);
        dr_say(cli, "    schema: difference %s from what its agent knew\n", digest);
    }
    const struct dr_loss *losses = dr_loss_of_ready(cli, ready);
    if (losses != NULL && cli->format == DR_CLI_TEXT) {
        dr_loss_print(cli, losses, ready->n_losses, stdout);
    }
    show_rehearsal(stage, plan, ready);
}

static const char *
mode_text(Drover__V1__Mode mode)
{
    switch (mode) {
    case DROVER__V1__MODE__UP:
        return "UP";
    case DROVER__V1__MODE__DOWN:
        return "DOWN";
    case DROVER__V1__MODE__PROVE:
        return "PROVE (up, down, up)";
    case DROVER__V1__MODE__STAMP:
        return "STAMP (nothing runs, only the ledger says so)";
    case DROVER__V1__MODE__UNSTAMP:
        return "UNSTAMP (nothing runs, the ledger forgets it)";
    case DROVER__V1__MODE__REMEDY:
        return "REMEDY";
    default:
        return "an unknown mode";
    }
}

enum dr_rc
dr_approve_show(const struct dr_stage *stage, const struct dr_stage_plan *plan,
                const struct dr_graph *graph, const struct dr_approval_request *request,
                struct dr_bytes payload, struct dr_err *err)
{
    const struct dr_cli *cli = stage->remote->cli;
    ProtobufCMessage *message = NULL;
    char digest[20];
    char expires[32];
    enum dr_rc rc =
        dr_strict_decode(cli->arena, &drover__v1__approval__descriptor, payload, &message, err);
    if (rc != DR_OK) {
        return rc;
    }
    const Drover__V1__Approval *p = (const Drover__V1__Approval *)message;
    dr_print_digest(digest, p->plan_sha256.data, p->plan_sha256.len);
    dr_format_time(expires, p->expires);
    dr_say(cli, "You sign for %s%s%s: rollout %s, plan %s, %s%s%s%s, until %s\n",
           dr_tone_begin(cli, DR_TONE_BAD), p->environment, dr_tone_end(cli, DR_TONE_BAD),
           p->rollout, digest, mode_text(p->mode), p->remedy[0] ? " " : "",
           dr_print_safe(cli, p->remedy),
           p->on_failure == DROVER__V1__ON_FAILURE__REVERSE ? ", reversed when it fails" : "",
           expires);
    for (size_t i = 0; i < plan->plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *r = plan->plan->revisions[i];
        show_revision(cli, r, dr_graph_find(graph, r->id), dr_approval_is_down(p->mode));
    }
    for (size_t i = 0; i < request->n_targets; i++) {
        for (size_t j = 0; j < stage->n_targets; j++) {
            const struct dr_attestation *ready = &stage->targets[j].ready;
            if (ready->msg != NULL && dr_str_eq(ready->msg->target, request->targets[i].target)) {
                show_target(stage, plan, ready->msg, request->targets[i].wave);
                dr_drift_of_ready(stage->remote, ready->msg);
            }
        }
    }
    return DR_OK;
}
