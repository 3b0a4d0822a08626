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

#include "coordinator/core/rollout_table.h"
#include "unit/core/world_droverd.h"
#include "unit/core/world_rollout.h"

#define ROWS_MAX 256u
#define PATH_LEN 12u

// ---- rows

struct row {
    enum dr_target_state state;
    enum dr_target_event event;
    struct dr_target_facts facts;
    struct dr_target_step step;
};

static const Drover__V1__Mode MODES[] = {DROVER__V1__MODE__UP, DROVER__V1__MODE__DOWN,
                                         DROVER__V1__MODE__PROVE};

// What the first test does not do, since it takes an agent's absence of ten seconds (the second
// test does that), a second environment, a rollout that has ended, or one that takes back; and what
// is refused before the table is asked: an approval of what was sent.
static bool
is_elsewhere(enum dr_target_state state, enum dr_target_event event)
{
    return state == DR_TARGET_UNREACHABLE || event == DR_EVENT_AWAY || event == DR_EVENT_BACK ||
           event == DR_EVENT_LOOKED || event == DR_EVENT_UNDONE ||
           (event == DR_EVENT_APPROVE && state == DR_TARGET_SENT) ||
           (event == DR_EVENT_ABORT &&
            (state == DR_TARGET_PENDING || state == DR_TARGET_APPLIED ||
             state == DR_TARGET_REVERTED || state == DR_TARGET_CANCELLED));
}

static bool
is_known(const struct row *rows, size_t n, const struct row *row)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].state == row->state && rows[i].event == row->event &&
            rows[i].step.next == row->step.next && rows[i].step.reason == row->step.reason) {
            return true;
        }
    }
    return false;
}

struct path {
    enum dr_target_event events[PATH_LEN];
    size_t n;
};

// Where a target is: with an approval that agents can name, or without.
struct place {
    enum dr_target_state state;
    bool has_approval;
};

// What an agent says of a run names its approval.
static bool
names_approval(enum dr_target_event event)
{
    return event == DR_EVENT_APPLIED || event == DR_EVENT_REVERTED;
}

static bool
is_way(struct place from, enum dr_target_event event, enum dr_target_state to)
{
    return !is_elsewhere(from.state, event) && event != DR_EVENT_ALREADY &&
           (event != DR_EVENT_ABORT || to == DR_TARGET_CANCELLED) &&
           (from.has_approval || !names_approval(event));
}

static struct place
after(struct place from, enum dr_target_event event, enum dr_target_state next)
{
    bool is_dropped = event == DR_EVENT_READY || event == DR_EVENT_RETRY;

    return (struct place){next, event == DR_EVENT_APPROVE || (from.has_approval && !is_dropped)};
}

// The shortest way from one place to a state; false: there is none.
static bool
find_path(struct place from, enum dr_target_state to, bool with_approval,
          const struct dr_target_facts *facts, struct path *out)
{
    struct path paths[DR_TARGET_STATES][2] = {0};
    struct place queue[DR_TARGET_STATES * 2];
    bool is_seen[DR_TARGET_STATES][2] = {{false}};
    size_t n = 1;

    queue[0] = from;
    is_seen[from.state][from.has_approval] = true;
    for (size_t i = 0; i < n; i++) {
        if (queue[i].state == to && (queue[i].has_approval || !with_approval)) {
            *out = paths[to][queue[i].has_approval];
            return true;
        }
        for (int e = 0; e < DR_TARGET_EVENTS; e++) {
            enum dr_target_event event = (enum dr_target_event)e;
            struct dr_target_step step;

            if (dr_rollout_step(queue[i].state, event, facts, &step, NULL) != DR_OK ||
                !is_way(queue[i], event, to)) {
                continue;
            }
            struct place next = after(queue[i], event, step.next);
            if (!is_seen[next.state][next.has_approval]) {
                struct path *path = &paths[next.state][next.has_approval];

                is_seen[next.state][next.has_approval] = true;
                *path = paths[queue[i].state][queue[i].has_approval];
                assert_true(path->n < PATH_LEN);
                path->events[path->n++] = event;
                queue[n++] = next;
            }
        }
    }
    return false;
}

static bool
is_reached(const struct row *row)
{
    struct path ignored;

    return find_path((struct place){DR_TARGET_PENDING, false}, row->state,
                     names_approval(row->event), &row->facts, &ignored) &&
           (row->event != DR_EVENT_ALREADY || row->facts.mode != DROVER__V1__MODE__PROVE);
}

// Row number `i` of all that there could be; false: there is none.
static bool
row_at(unsigned i, struct row *out)
{
    *out = (struct row){.state = (enum dr_target_state)(i / 6 / DR_TARGET_EVENTS),
                        .event = (enum dr_target_event)(i / 6 % DR_TARGET_EVENTS),
                        .facts = {MODES[i % 3], i / 3 % 2 == 1}};
    return !is_elsewhere(out->state, out->event) &&
           dr_rollout_step(out->state, out->event, &out->facts, &out->step, NULL) == DR_OK;
}

// Each row once, under facts by which a rollout gets there.
static size_t
find_rows(struct row rows[ROWS_MAX])
{
    const unsigned all = 3u * 2u * DR_TARGET_STATES * DR_TARGET_EVENTS;
    struct row row;
    size_t n = 0;

    for (unsigned i = 0; i < all; i++) {
        if (row_at(i, &row) && !is_known(rows, n, &row) && is_reached(&row)) {
            assert_true(n < ROWS_MAX);
            rows[n++] = row;
        }
    }
    for (unsigned i = 0; i < all; i++) {
        if (row_at(i, &row) && !is_known(rows, n, &row)) {
            print_error("nothing leads to event %d in state '%s' with '%s'\n", (int)row.event,
                        dr_target_state_name(row.state), row.step.reason);
        }
    }
    return n;
}

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
