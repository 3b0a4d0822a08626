// droverd is killed in every row of the rollout's table: a target is taken to the row's state by
// what agents and people send, the row's event happens, SIGKILL. Started again, droverd knows the
// target exactly as it was, and the rollout goes on from there to its right end.
//
// Which rows there are, and how to get to one, is asked of the table itself.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define SITE_POLICY(w) ((w)->environment[PRODUCTION].n_gates = 0)

#include "unit/core/world_droverd.h"
#include "unit/core/world_rollout.h"
#include "support/rollout_rows.h"

// ---- what happens to a target

struct lane {
    int agent;
    const struct row *row;
    char rollout[24];
    uint8_t approval[32];
    bool has_approval, is_paused, is_aborted;
    unsigned approvals;
    enum dr_target_state state; // what it has to be in
};

static Drover__V1__Rollout *
rollout_of(struct site *site, const struct lane *lane)
{
    Drover__V1__RolloutId request;
    ProtobufCMessage *reply = NULL;

    drover__v1__rollout_id__init(&request);
    request.id = word(&site->w, lane->rollout);
    OK(&site->w,
       call(site, site->person[BOB], DR_METHOD_OPERATOR_GET_ROLLOUT, &request.base, &reply));
    return (Drover__V1__Rollout *)(void *)reply;
}

static void
give_order(struct site *site, const struct lane *lane, const char *what)
{
    Drover__V1__RolloutOrder request;
    ProtobufCMessage *reply = NULL;

    drover__v1__rollout_order__init(&request);
    request.id = word(&site->w, lane->rollout);
    request.order = word(&site->w, what);
    request.target =
        strcmp(what, "retry") == 0 ? site->w.target[lane->agent].name : word(&site->w, "");
    OK(&site->w,
       call(site, site->person[ALICE], DR_METHOD_OPERATOR_ORDER_ROLLOUT, &request.base, &reply));
}

static void
set_paused(struct site *site, struct lane *lane, bool is_paused)
{
    if (lane->is_paused != is_paused) {
        give_order(site, lane, is_paused ? "pause" : "resume");
        lane->is_paused = is_paused;
    }
}

// One word of the agent about this rollout.
static void
say(struct site *site, struct lane *lane, Drover__V1__AttestationKind kind, bool is_partial,
    const char *code)
{
    struct world *w = &site->w;
    Drover__V1__Attestation msg;
    uint8_t sha256[32];

    begin_attestation(w, &msg, lane->agent, kind, NOW - 30);
    applied(w, &msg);
    msg.mode = lane->row->facts.mode;
    msg.plan_sha256 = DATA32(w->plan_sha);
    msg.code = word(w, code);
    if (kind == ATT(REVERTED)) {
        msg.n_heads = 0;
        msg.units = w->proof_down_p;
    } else if (kind != ATT(APPLIED)) {
        msg.n_heads = 0;
        msg.n_units = is_partial ? 1 : 0;
        msg.mode = kind == ATT(FAILED) ? msg.mode : DROVER__V1__MODE__MODE_NONE;
    }
    if (kind == ATT(READY)) {
        msg.nonce = DATA32(w->nonce);
        msg.identity = &w->identity;
        lane->has_approval = false;
    } else if (kind == ATT(BACKUP)) {
        msg.backup = &w->record;
        w->record.n_heads = 0;
    } else if (lane->has_approval) {
        msg.approval_sha256 = DATA32(lane->approval);
    }
    OK(w, agent_attest(site, lane->agent, &msg,
                       kind == ATT(READY) ? site->ready_sha[lane->agent] : sha256));
}

// Each approval is another one: the same READY may be approved anew.
static void
approve(struct site *site, struct lane *lane)
{
    struct world *w = &site->w;
    struct dr_approval_target target = {.target = w->target[lane->agent].name, .wave = 1};
    struct dr_approval_request request = {
        .header = w->request.header, .targets = &target, .n_targets = 1};
    struct dr_bytes payload, *leaves;
    const char *environment = w->target[lane->agent].environment;

    set_paused(site, lane, true); // it is sent when somebody resumes
    request.header.rollout = word(w, lane->rollout);
    request.header.environment = word(w, environment);
    request.header.plan_sha256 = DATA32(w->plan_sha);
    request.header.policy_sha256 =
        DATA32(dr_fleet_environment(w->all, TARGETS + ENVIRONMENTS, environment)->sha256);
    request.header.mode = lane->row->facts.mode;
    request.header.not_before = NOW - 40 + lane->approvals++;
    request.header.leaves_root = (ProtobufCBinaryData){0};
    memcpy(target.ready_sha256, site->ready_sha[lane->agent], 32);
    memcpy(target.entry_sha256,
           dr_fleet_target(w->all, TARGETS + ENVIRONMENTS, target.target)->sha256, 32);
    OK(w, dr_approval_draft(w->arena, &request, &payload, &leaves, &w->err));
    for (int who = ALICE; who <= (lane->agent >= PRD_BILLING ? BOB : ALICE); who++) {
        struct dr_bytes wire = signed_by_one(site, DR_TYPE_APPROVAL, payload, who, lane->approval);

        OK(w, put_document(site, who, DR_TYPE_APPROVAL, wire, leaves, 1, NULL));
    }
    lane->has_approval = true;
}

static void
report_progress(struct site *site, const struct lane *lane)
{
    Drover__V1__Progress request;
    ProtobufCMessage *reply = NULL;

    drover__v1__progress__init(&request);
    request.target = site->w.target[lane->agent].name;
    request.rollout = word(&site->w, lane->rollout);
    OK(&site->w,
       call(site, site->agent[lane->agent], DR_METHOD_AGENT_REPORT, &request.base, &reply));
}

// Makes a rollout; what the target said last decides whether there is anything to do.
static void
create(struct site *site, struct lane *lane, bool is_done)
{
    struct world *w = &site->w;
    Drover__V1__CreateRolloutRequest request;
    Drover__V1__EnginePlan plan, *plans[1] = {&plan};
    Drover__V1__Attestation msg;
    ProtobufCMessage *reply = NULL;
    uint8_t sha256[32];
    char *targets[1] = {w->target[lane->agent].name};
    bool is_down = lane->row->facts.mode == DROVER__V1__MODE__DOWN;

    begin_attestation(w, &msg, lane->agent, ATT(STATE), NOW - 30);
    msg.heads = &w->head_p[2];
    msg.n_heads = is_down == is_done ? 0 : 1;
    msg.fingerprint = DATA32(w->fp_after);
    OK(w, agent_attest(site, lane->agent, &msg, sha256));
    drover__v1__create_rollout_request__init(&request);
    drover__v1__engine_plan__init(&plan);
    plan.engine = DROVER__V1__ENGINE__POSTGRESQL;
    plan.plan_sha256 = DATA32(w->plan_sha);
    request.plans = plans;
    request.n_plans = 1;
    request.mode = lane->row->facts.mode;
    request.targets = targets;
    request.n_targets = 1;
    OK(w,
       call(site, site->person[ALICE], DR_METHOD_OPERATOR_CREATE_ROLLOUT, &request.base, &reply));
    (void)snprintf(lane->rollout, sizeof lane->rollout, "%s",
                   ((Drover__V1__Rollout *)(void *)reply)->id);
}

static void
fire(struct site *site, struct lane *lane, enum dr_target_event event)
{
    struct dr_target_step step;

    OK(&site->w, dr_rollout_step(lane->state, event, &lane->row->facts, &step, &site->w.err));
    switch (event) {
    case DR_EVENT_START:
    case DR_EVENT_ALREADY:
        create(site, lane, event == DR_EVENT_ALREADY);
        break;
    case DR_EVENT_BACKUP:
        say(site, lane, ATT(BACKUP), false, "");
        break;
    case DR_EVENT_READY:
        say(site, lane, ATT(READY), false, "");
        break;
    case DR_EVENT_APPLIED:
        say(site, lane, ATT(APPLIED), false, "");
        break;
    case DR_EVENT_REVERTED:
        say(site, lane, ATT(REVERTED), false, "");
        break;
    case DR_EVENT_FAILED:
        say(site, lane, ATT(FAILED), lane->row->facts.is_partial, "sql");
        break;
    case DR_EVENT_REFUSED:
        say(site, lane, ATT(REFUSED), false, "frozen");
        break;
    case DR_EVENT_CLOSED:
        set_paused(site, lane, true); // otherwise it is sent again at once
        say(site, lane, ATT(REFUSED), false, "outside-window");
        break;
    case DR_EVENT_APPROVE:
        approve(site, lane);
        break;
    case DR_EVENT_GO:
        set_paused(site, lane, false);
        break;
    case DR_EVENT_PROGRESS:
        report_progress(site, lane);
        break;
    case DR_EVENT_RETRY:
        give_order(site, lane, "retry");
        lane->has_approval = false;
        break;
    case DR_EVENT_ABORT:
        give_order(site, lane, "abort");
        lane->is_aborted = true;
        break;
    default:
        fail_msg("event %d cannot be made", (int)event);
    }
    lane->state = step.next;
}

static const Drover__V1__TargetStatus *
status_of(struct site *site, const struct lane *lane)
{
    const Drover__V1__Rollout *rollout = rollout_of(site, lane);

    assert_int_equal(rollout->n_stages, 1);
    assert_int_equal(rollout->stages[0]->n_targets, 1);
    return rollout->stages[0]->targets[0];
}

static void
is_as_the_table_says(struct site *site, const struct lane *lane, const char *when)
{
    const Drover__V1__TargetStatus *status = status_of(site, lane);

    if (strcmp(status->state, dr_target_state_name(lane->state)) != 0) {
        fail_msg("%s, event %d in state '%s': '%s' (%s) instead of '%s'", when,
                 (int)lane->row->event, dr_target_state_name(lane->row->state), status->state,
                 status->reason, dr_target_state_name(lane->state));
    }
}

static void
to_the_row(struct site *site, struct lane *lane)
{
    struct path path;

    lane->state = DR_TARGET_PENDING;
    assert_true(find_path((struct place){DR_TARGET_PENDING, false}, lane->row->state,
                          names_approval(lane->row->event), &lane->row->facts, &path));
    for (size_t i = 0; i < path.n; i++) {
        fire(site, lane, path.events[i]);
    }
    fire(site, lane, lane->row->event);
    is_as_the_table_says(site, lane, "before");
}

// On to where the mode wants it; what was aborted only has to come to rest.
static void
to_the_end(struct site *site, struct lane *lane)
{
    const Drover__V1__Mode mode = lane->row->facts.mode;
    enum dr_target_state wanted =
        mode == DROVER__V1__MODE__DOWN ? DR_TARGET_REVERTED : DR_TARGET_APPLIED;
    struct path path = {0};

    if (lane->is_aborted) {
        if (dr_target_is_active(lane->state)) {
            fire(site, lane, DR_EVENT_REFUSED);
        }
    } else {
        assert_true(find_path((struct place){lane->state, lane->has_approval}, wanted, false,
                              &lane->row->facts, &path));
        for (size_t i = 0; i < path.n; i++) {
            fire(site, lane, path.events[i]);
        }
        if (lane->is_paused && rollout_of(site, lane)->is_paused &&
            strcmp(rollout_of(site, lane)->state, "paused") == 0) {
            set_paused(site, lane, false);
        }
    }
    is_as_the_table_says(site, lane, "at the end");
    const char *state = rollout_of(site, lane)->state;
    if (strcmp(state, "applied") != 0 && strcmp(state, "reverted") != 0 &&
        strcmp(state, "aborted") != 0) {
        fail_msg("event %d in state '%s': the rollout is %s at its end", (int)lane->row->event,
                 dr_target_state_name(lane->row->state), state);
    }
}

// What is stored of a rollout, in bytes.
static struct dr_bytes
stored(struct site *site, const struct lane *lane)
{
    Drover__V1__Rollout *rollout = rollout_of(site, lane);
    Drover__V1__TargetStatus *target = rollout->stages[0]->targets[0];

    target->connected = false;
    target->agent_seen = 0;
    target->progress = NULL; // of the moment
    target->waits = target->next = rollout->waits = rollout->next = word(&site->w, "");
    rollout->stages[0]->waits = rollout->stages[0]->next = word(&site->w, "");
    size_t len = drover__v1__rollout__get_packed_size(rollout);
    uint8_t *bytes = dr_arena_alloc(site->w.arena, len);
    assert_non_null(bytes);
    drover__v1__rollout__pack(rollout, bytes);
    return (struct dr_bytes){bytes, len};
}

// Killed now, it knows every lane as it was.
static void
kill_and_compare(struct site *site, const struct lane *lanes, size_t n)
{
    struct dr_bytes before[TARGETS];

    for (size_t i = 0; i < n; i++) {
        before[i] = stored(site, &lanes[i]);
    }
    site_restart(site);
    for (size_t i = 0; i < n; i++) {
        struct dr_bytes after = stored(site, &lanes[i]);

        is_as_the_table_says(site, &lanes[i], "after the kill");
        if (after.len != before[i].len || memcmp(after.data, before[i].data, after.len) != 0) {
            fail_msg("event %d in state '%s': the rollout is another after the kill",
                     (int)lanes[i].row->event, dr_target_state_name(lanes[i].row->state));
        }
    }
}

static void
one_round(struct site *site, const struct row *rows, size_t n)
{
    struct lane lanes[TARGETS];

    for (size_t i = 0; i < n; i++) {
        lanes[i] = (struct lane){.agent = (int)i, .row = &rows[i]};
        to_the_row(site, &lanes[i]);
    }
    kill_and_compare(site, lanes, n);
    for (size_t i = 0; i < n; i++) {
        to_the_end(site, &lanes[i]);
    }
}

// ---- agents that are away

static void
all_step(struct site *site, struct lane *lanes, size_t n, enum dr_target_event event)
{
    for (size_t i = 0; i < n; i++) {
        struct dr_target_step step;
        int64_t deadline = dr_monotonic_ms() + START_MS;

        OK(&site->w,
           dr_rollout_step(lanes[i].state, event, &lanes[i].row->facts, &step, &site->w.err));
        lanes[i].state = step.next;
        while (!dr_str_starts(status_of(site, &lanes[i])->reason, step.reason)) {
            if (dr_monotonic_ms() > deadline) {
                fail_msg("lane %zu: '%s', not '%s'", i, status_of(site, &lanes[i])->reason,
                         step.reason);
            }
            (void)poll(NULL, 0, 50);
        }
    }
    kill_and_compare(site, lanes, n);
}

// id: P6
static void
droverd_killed_while_agents_are_away_invents_no_end(void **state)
{
    static const struct row ROWS[] = {
        {.state = DR_TARGET_SENT, .facts = {DROVER__V1__MODE__UP, false}},
        {.state = DR_TARGET_RUNNING, .facts = {DROVER__V1__MODE__UP, false}},
        {.state = DR_TARGET_PROVING, .facts = {DROVER__V1__MODE__PROVE, false}},
        {.state = DR_TARGET_RUNNING, .facts = {DROVER__V1__MODE__DOWN, false}},
    };
    struct site *site = *state;
    struct lane lanes[TARGETS];

    begin_site(site);
    for (int i = 0; i < TARGETS; i++) {
        struct path path;

        lanes[i] = (struct lane){.agent = i, .row = &ROWS[i], .state = DR_TARGET_PENDING};
        assert_true(find_path((struct place){DR_TARGET_PENDING, false}, ROWS[i].state, true,
                              &ROWS[i].facts, &path));
        for (size_t e = 0; e < path.n; e++) {
            fire(site, &lanes[i], path.events[e]);
        }
    }
    all_step(site, lanes, TARGETS, DR_EVENT_AWAY);
    for (int i = 0; i < TARGETS; i++) {
        agent_watch(site, i, 0);
    }
    all_step(site, lanes, TARGETS, DR_EVENT_BACK);
    for (int i = 0; i < TARGETS; i++) {
        agent_state(site, i, NOW + 120); // after it went away
    }
    all_step(site, lanes, TARGETS, DR_EVENT_LOOKED);
    for (int i = 0; i < TARGETS; i++) {
        to_the_end(site, &lanes[i]);
    }
}

// id: P6
static void
droverd_killed_in_any_row_of_the_table_goes_on_from_there(void **state)
{
    static struct row rows[ROWS_MAX];
    struct site *site = *state;
    size_t n = find_rows(rows);

    begin_site(site);
    for (size_t i = 0; i < n; i += TARGETS) {
        one_round(site, rows + i, n - i < TARGETS ? n - i : TARGETS);
    }
    print_message("%zu rows\n", n);
    assert_true(n >= 80);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(droverd_killed_in_any_row_of_the_table_goes_on_from_there,
                                        site_setup, site_teardown),
        cmocka_unit_test_setup_teardown(droverd_killed_while_agents_are_away_invents_no_end,
                                        site_setup, site_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
