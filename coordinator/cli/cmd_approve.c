// approve: signs the READYs of one environment. What is shown is read from the bytes that are
// signed; the plan was compiled again from this person's own files and compared; every READY, piece
// of evidence and gate was verified here.
//
// A rollout with several engines has a plan for each, so the command signs one approval per engine.

#include "coordinator/cli/approve_check.h"
#include "coordinator/cli/approve_seen.h"
#include "coordinator/cli/approve_show.h"
#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/commands.h"
#include "coordinator/cli/drift_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/ready_flags.h"
#include "coordinator/cli/stage.h"
#include "coordinator/cli/waves.h"

#include "base/clock.h"
#include "trust/envelope.h"
#include "trust/try.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// What was shown of one plan and gets the signature.
struct shown {
    struct dr_approval_request *request;
    bool is_pending; // another person's, to add to
    struct dr_envelope pending;
    struct dr_bytes payload;
    struct dr_bytes *leaves;
    size_t n_leaves; // 0: this plan has nothing to sign
};

struct approving {
    struct dr_cli *cli;
    struct dr_remote remote;
    struct dr_stage stage;
    struct dr_graph *graph;
    struct dr_key key;
    uint32_t acknowledged;
    Drover__V1__OnFailure on_failure;
    uint64_t valid_s;
    uint32_t signatures, needed; // of the approval that has the fewest
    bool all_complete;
    size_t signed_count;
    struct shown *shown; // one for each plan of the stage
    struct dr_stage_gate *gates;
    size_t n_gates;
};

static enum dr_rc
read_options(struct approving *a, struct dr_err *err)
{
    const char *on_failure = dr_cli_option(a->cli, "on-failure");
    uint64_t ms = 0;
    a->on_failure = on_failure != NULL && dr_str_eq(on_failure, "reverse")
                        ? DROVER__V1__ON_FAILURE__REVERSE
                        : DROVER__V1__ON_FAILURE__HOLD;
    if (on_failure != NULL && !dr_str_eq(on_failure, "reverse") && !dr_str_eq(on_failure, "hold")) {
        return dr_err_set(err, DR_E_USAGE, "--on-failure is hold or reverse, not '%s'", on_failure);
    }
    enum dr_rc rc = dr_cli_duration(a->cli, "expires", 30ull * 86400 * 1000, 0, &ms, err);
    a->valid_s = ms / 1000;
    return rc == DR_OK ? dr_ready_flags_parse(dr_cli_option(a->cli, "ack"), &a->acknowledged, err)
                       : rc;
}

// Compiles the plan's revisions again from this person's files and compares.
static enum dr_rc
compile_again(struct approving *a, const struct dr_stage_plan *theirs, struct dr_err *err)
{
    struct dr_plan mine = {0};
    struct dr_nodes nodes = {.count = theirs->plan->n_revisions};
    nodes.items = dr_arena_array(a->cli->arena, nodes.count + 1, sizeof(*nodes.items));
    if (nodes.items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < nodes.count; i++) {
        nodes.items[i] = dr_graph_find(a->graph, theirs->plan->revisions[i]->id);
        if (nodes.items[i] == NULL) {
            dr_err_set(err, DR_E_NOT_FOUND,
                       "the plan has revision '%s', which is not in your folder",
                       dr_print_safe(a->cli, theirs->plan->revisions[i]->id));
            return dr_err_hint(
                err, "fetch the project's newest revisions (git pull), then the same command");
        }
    }
    enum dr_rc rc = dr_plan_compile(theirs->plan->project, theirs->plan->engine, &nodes,
                                    a->cli->arena, &mine, err);
    rc = rc == DR_OK ? dr_plan_compare(&mine, theirs->plan, err) : rc;
    if (rc != DR_OK) {
        dr_err_wrap(err, "the coordinator's plan is not what your own files compile to");
    }
    return rc;
}

// A stamp without evidence is signed over exactly the difference that READY names.
static bool
wants_difference(const struct approving *a, const struct dr_stage_target *t)
{
    return dr_approval_is_stamp(dr_stage_mode(&a->stage)) && t->stamp_proof == NULL;
}

// At least one target is ready, and no READY carries a flag that was not accepted.
static enum dr_rc
check_ready(struct approving *a, struct dr_err *err)
{
    size_t ready = 0;
    for (size_t i = 0; i < a->stage.n_targets; i++) {
        const struct dr_stage_target *t = &a->stage.targets[i];
        ready += dr_stage_is_waiting(t) ? 1 : 0;
        uint32_t missing = t->ready.msg != NULL ? t->ready.msg->flags & ~a->acknowledged : 0;
        if (dr_stage_is_waiting(t) && wants_difference(a, t)) {
            missing |= (uint32_t)DROVER__V1__READY_FLAG__FLAG_DIFFERENCE & ~a->acknowledged;
        }
        if (dr_stage_is_waiting(t) && missing != 0) {
            dr_drift_of_ready(a->stage.remote, t->ready.msg);
            dr_err_set(err, DR_E_WAITING,
                       "target '%s' is ready with flags that nobody accepted: %s", t->said->target,
                       dr_ready_flags_names(a->cli->arena, missing));
            return dr_err_hint(err, "drover approve %s -e %s --ack %s", a->stage.rollout->id,
                               a->stage.said->environment,
                               dr_ready_flags_names(a->cli->arena, missing));
        }
    }
    if (ready == 0 && a->stage.rollout->is_aborted) {
        dr_err_set(err, DR_E_ROLLOUT_ENDED, "rollout '%s' was aborted: nothing of it runs any more",
                   a->stage.rollout->id);
        return dr_err_hint(err, "drover rollout list");
    }
    if (ready == 0) {
        const Drover__V1__TargetStatus *first =
            a->stage.n_targets ? a->stage.targets[0].said : NULL;
        dr_err_set(err, DR_E_WAITING, "nothing in '%s' is ready for an approval%s%s%s%s",
                   a->stage.said->environment, first ? ": " : "", first ? first->target : "",
                   first ? " is " : "", first ? first->state : "");
        return dr_err_hint(err, "drover rollout watch %s", a->stage.rollout->id);
    }
    return DR_OK;
}

static enum dr_rc
check_gates(struct approving *a, struct dr_err *err)
{
    enum dr_rc rc = dr_stage_gates(&a->stage, &a->gates, &a->n_gates, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_say(a->cli, "Gates of %s:\n", a->stage.said->environment);
    size_t closed = dr_stage_print_gates(&a->stage, a->gates, a->n_gates);
    if (closed == 0) {
        return DR_OK;
    }
    const struct dr_stage_gate *first = a->gates;
    while (first->is_open || first->is_after) {
        first++;
    }
    dr_err_set(err, DR_E_WAITING, "%zu gate%s of '%s' %s closed; nothing was signed", closed,
               closed == 1 ? "" : "s", a->stage.said->environment, closed == 1 ? "is" : "are");
    return dr_err_hint(err, "%s", first->next[0] ? first->next : "drover rollout show");
}

static uint64_t
longest_valid(const struct approving *a)
{
    uint64_t max = a->stage.policy->msg->environment->approval_max_s;
    max = max ? max : DR_APPROVAL_MAX_S;
    return a->valid_s && a->valid_s < max ? a->valid_s : max;
}

static uint32_t
acknowledged_of(const struct approving *a, const struct dr_stage_target *t)
{
    uint32_t flags = t->ready.msg->flags;
    if (wants_difference(a, t)) {
        flags |= (uint32_t)DROVER__V1__READY_FLAG__FLAG_DIFFERENCE;
    }
    return flags & a->acknowledged;
}

// The most that the targets can name together.
static size_t
evidence_of(const struct dr_stage *s)
{
    size_t n = s->n_targets; // a proof for a stamp each
    for (size_t i = 0; i < s->n_targets; i++) {
        for (size_t g = 0; g < s->targets[i].n_gates; g++) {
            n += s->targets[i].gates[g].n_evidence;
        }
    }
    return n;
}

// What I would sign for one plan.
static enum dr_rc
draft(struct approving *a, const struct dr_stage_plan *plan, struct dr_approval_request *r,
      struct dr_err *err)
{
    struct dr_stage *s = &a->stage;
    drover__v1__approval__init(&r->header);
    r->header.cluster_id = a->remote.trust->root.msg->cluster_id;
    r->header.plan_sha256 = plan->named->plan_sha256;
    r->header.mode = dr_stage_mode(s);
    r->header.on_failure = a->on_failure;
    r->header.environment = s->said->environment;
    r->header.policy_sha256 = dr_data(s->policy->sha256, 32);
    r->header.not_before = dr_now_unix_s();
    r->header.expires = r->header.not_before + (int64_t)longest_valid(a);
    r->header.rollout = s->rollout->id;
    r->header.remedy = s->rollout->remedy;
    r->targets = dr_arena_array(a->cli->arena, s->n_targets + 1, sizeof(*r->targets));
    r->evidence = dr_arena_array(a->cli->arena, evidence_of(s) + 1, sizeof(*r->evidence));
    const struct dr_fleet_entry **entries =
        dr_arena_array(a->cli->arena, s->n_targets + 1, sizeof(*entries));
    if (r->targets == NULL || r->evidence == NULL || entries == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < s->n_targets; i++) {
        const struct dr_stage_target *t = &s->targets[i];
        if (!dr_stage_is_waiting(t) || dr_stage_plan_of(s, t) != plan) {
            continue;
        }
        struct dr_approval_target *row = &r->targets[r->n_targets++];
        *row = (struct dr_approval_target){.target = t->said->target,
                                           .acknowledged_flags = acknowledged_of(a, t)};
        entries[r->n_targets - 1] = t->entry;
        memcpy(row->entry_sha256, t->entry->sha256, 32);
        memcpy(row->ready_sha256, t->ready.sha256, 32);
        if (t->stamp_proof != NULL) {
            memcpy(r->evidence[r->n_evidence++], t->stamp_proof->sha256, 32);
        }
        for (size_t g = 0; g < t->n_gates; g++) {
            for (size_t e = 0; e < t->gates[g].n_evidence && !t->gates[g].is_after; e++) {
                memcpy(r->evidence[r->n_evidence++], t->gates[g].evidence[e], 32);
            }
        }
    }
    return dr_waves_assign(s->policy->msg->environment, entries, r->targets, r->n_targets, err);
}

// Another person's approval of exactly what I would sign, still without its quorum: its bytes are
// what I sign.
static enum dr_rc
find_pending(struct approving *a, const struct dr_approval_request *mine, struct dr_envelope *out,
             struct dr_bytes **out_leaves, size_t *out_n, bool *out_found, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__Document **documents = NULL;
    size_t n = 0;
    char kind[] = DR_TYPE_APPROVAL;
    request.kind = kind;
    request.environment = a->stage.said->environment;
    request.pending = true;
    *out_found = false;
    enum dr_rc rc = dr_remote_list(&a->remote, request, &documents, &n, err);
    for (size_t i = n; rc == DR_OK && i > 0 && !*out_found; i--) {
        const Drover__V1__Document *d = documents[i - 1];
        struct dr_bytes wire = {d->envelope.data, d->envelope.len};
        *out_leaves = dr_arena_array(a->cli->arena, d->n_parts + 1, sizeof(**out_leaves));
        if (*out_leaves == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        for (size_t p = 0; p < d->n_parts; p++) {
            (*out_leaves)[p] = (struct dr_bytes){d->parts[p].data, d->parts[p].len};
        }
        *out_n = d->n_parts;
        *out_found = dr_approval_matches(a->cli->arena, wire, *out_leaves, d->n_parts, mine, out);
    }
    return rc;
}

static enum dr_rc
put(struct approving *a, struct dr_bytes wire, const struct dr_bytes *leaves, size_t n,
    struct dr_err *err)
{
    Drover__V1__PutDocumentReply *reply = NULL;
    enum dr_rc rc = dr_remote_put(&a->remote, DR_TYPE_APPROVAL, wire, leaves, n, &reply, err);
    if (rc != DR_OK) {
        return rc;
    }
    bool is_first = a->signed_count++ == 0;
    if (is_first || reply->signatures < a->signatures) {
        a->signatures = reply->signatures;
        a->needed = reply->needed;
    }
    a->all_complete = (is_first || a->all_complete) && reply->complete;
    return DR_OK;
}

static enum dr_rc
show_plan(struct approving *a, const struct dr_stage_plan *plan, struct shown *out,
          struct dr_err *err)
{
    struct dr_approval_request *r = dr_arena_alloc(a->cli->arena, sizeof(*r));
    if (r == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = draft(a, plan, r, err);
    out->request = r;
    if (rc != DR_OK || r->n_targets == 0) {
        return rc;
    }
    rc = find_pending(a, r, &out->pending, &out->leaves, &out->n_leaves, &out->is_pending, err);
    if (rc == DR_OK && out->is_pending) {
        out->payload = out->pending.payload;
    } else if (rc == DR_OK) {
        rc = dr_approval_draft(a->cli->arena, r, &out->payload, &out->leaves, err);
        out->n_leaves = r->n_targets;
    }
    return rc == DR_OK ? dr_approve_show(&a->stage, plan, a->graph, r, out->payload, err) : rc;
}

static enum dr_rc
show_plans(struct approving *a, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    a->shown = dr_arena_array(a->cli->arena, a->stage.n_plans + 1, sizeof(*a->shown));
    if (a->shown == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < a->stage.n_plans; i++) {
        rc = show_plan(a, &a->stage.plans[i], &a->shown[i], err);
    }
    if (rc == DR_OK) {
        dr_approve_seen(&a->stage, a->gates, a->n_gates);
    }
    return rc;
}

// Somebody may have signed the very same while I was asked: two halves of a quorum on two documents
// would open nothing. Their bytes say what mine say, for no longer.
static enum dr_rc
look_again(struct approving *a, struct shown *s, struct dr_err *err)
{
    struct shown theirs = {.request = s->request};
    struct dr_approval approval;
    char until[32];
    enum dr_rc rc = find_pending(a, s->request, &theirs.pending, &theirs.leaves, &theirs.n_leaves,
                                 &theirs.is_pending, err);
    if (rc != DR_OK || !theirs.is_pending) {
        return rc;
    }
    rc = dr_approval_decode(a->cli->arena, theirs.pending.wire, &approval, err);
    if (rc == DR_OK) {
        *s = theirs;
        dr_format_time(until, approval.msg->expires);
        dr_say(a->cli, "Somebody signed the same meanwhile, until %s: yours is added to it.\n",
               until);
    }
    return rc;
}

static enum dr_rc
sign_plans(struct approving *a, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < a->stage.n_plans; i++) {
        struct shown *s = &a->shown[i];
        struct dr_bytes wire = {0};
        if (s->n_leaves == 0) {
            continue;
        }
        rc = s->is_pending ? DR_OK : look_again(a, s, err);
        if (rc != DR_OK) {
            return rc;
        }
        rc = s->is_pending ? dr_envelope_add(a->cli->arena, &s->pending, &a->key, &wire, err)
                           : dr_envelope_sign(a->cli->arena, DR_TYPE_APPROVAL, s->payload, &a->key,
                                              &wire, err);
        rc = rc == DR_OK ? put(a, wire, s->leaves, s->n_leaves, err) : rc;
    }
    return rc;
}

static enum dr_rc
confirm(struct approving *a, struct dr_err *err)
{
    bool go = false;
    if (a->stage.policy->msg->environment->rank > 1) {
        return dr_ask_name(a->cli, "Type the environment's name to sign",
                           a->stage.said->environment, err);
    }
    if (dr_cli_option(a->cli, "confirm") != NULL) {
        return dr_ask_name(a->cli, "", a->stage.said->environment, err);
    }
    enum dr_rc rc = dr_ask_yes(a->cli, "Sign?", &go, err);
    return rc == DR_OK && !go ? dr_err_set(err, DR_E_INTERRUPTED, "nothing was signed") : rc;
}

static void
say_done(struct approving *a)
{
    const Drover__V1__Rollout *r = a->stage.rollout;
    if (a->cli->format != DR_CLI_TEXT) {
        dr_print_json(a->cli,
                      json_pack("{s:s, s:s, s:s, s:i, s:i, s:b}", "schema", "drover.v1.Approved",
                                "rollout", r->id, "environment", a->stage.said->environment,
                                "signatures", (int)a->signatures, "needed", (int)a->needed,
                                "complete", a->all_complete));
        return;
    }
    dr_say(a->cli, "Approved. %u of %u. %s\n", a->signatures, a->needed,
           a->all_complete ? "It starts now." : "It waits for another signature.");
    dr_say(a->cli, "next: drover rollout watch %s\n", r->id);
}

static enum dr_rc
load_again(struct approving *a, const char *environment, struct dr_err *err)
{
    DR_TRY(dr_cli_look_begin(a->cli, err));
    enum dr_rc rc = dr_stage_load(&a->remote, a->cli->args[0], environment, &a->stage, err);
    dr_cli_look_end(a->cli);
    return rc;
}

// Loads the stage; with --timeout again until something is ready.
static enum dr_rc
load_when_ready(struct approving *a, const char *environment, struct dr_err *err)
{
    uint64_t timeout = 0;
    enum dr_rc rc = dr_cli_duration(a->cli, "timeout", 86400ull * 1000, 0, &timeout, err);
    int64_t deadline = dr_monotonic_ms() + (int64_t)timeout;
    while (rc == DR_OK) {
        struct dr_err why = {0};
        rc = load_again(a, environment, err);
        enum dr_rc ready = rc == DR_OK ? check_ready(a, &why) : rc;
        if (rc != DR_OK || ready == DR_OK || dr_monotonic_ms() >= deadline) {
            return rc;
        }
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000000}, NULL);
    }
    return rc;
}

enum dr_rc
dr_cmd_approve(struct dr_cli *cli, struct dr_err *err)
{
    struct approving *a = dr_arena_alloc(cli->arena, sizeof(*a));
    const char *environment = dr_cli_option(cli, "environment");
    if (a == NULL || environment == NULL || environment[0] == '\0') {
        dr_err_set(err, DR_E_USAGE, "no environment is given");
        return dr_err_hint(err, "drover approve %s -e staging", cli->args[0]);
    }
    a->cli = cli;
    enum dr_rc rc = read_options(a, err);
    rc = rc == DR_OK ? dr_remote_open(cli, &a->remote, err) : rc;
    rc = rc == DR_OK ? dr_chain_files_load(cli, &a->graph, err) : rc;
    rc = rc == DR_OK ? load_when_ready(a, environment, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < a->stage.n_plans; i++) {
        rc = compile_again(a, &a->stage.plans[i], err);
    }
    rc = rc == DR_OK ? dr_approve_check_stops(&a->stage, err) : rc;
    rc = rc == DR_OK ? check_gates(a, err) : rc;
    rc = rc == DR_OK ? check_ready(a, err) : rc;
    rc = rc == DR_OK ? dr_approve_check_window(&a->stage, longest_valid(a), err) : rc;
    rc = rc == DR_OK ? show_plans(a, err) : rc;
    rc = rc == DR_OK ? confirm(a, err) : rc;
    rc = rc == DR_OK ? dr_remote_signing_key(cli, &a->key, err) : rc;
    rc = rc == DR_OK ? dr_approve_check_author(&a->stage, &a->key, err) : rc;
    rc = rc == DR_OK ? sign_plans(a, err) : rc;
    dr_key_fini(&a->key);
    if (rc == DR_OK) {
        say_done(a);
    }
    dr_graph_free(&a->graph);
    dr_remote_close(&a->remote);
    return rc;
}
