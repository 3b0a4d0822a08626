// The rows of the rollout's table, asked of the table itself, and the ways to get to them. Included
// behind cmocka.
#ifndef DR_TESTS_SUPPORT_ROLLOUT_ROWS_H
#define DR_TESTS_SUPPORT_ROLLOUT_ROWS_H

#include "coordinator/core/rollout_table.h"

#include <stdbool.h>
#include <stddef.h>

#define ROWS_MAX 256u
#define PATH_LEN 12u

struct row {
    enum dr_target_state state;
    enum dr_target_event event;
    struct dr_target_facts facts;
    struct dr_target_step step;
};

static const Drover__V1__Mode ROW_MODES[] = {DROVER__V1__MODE__UP, DROVER__V1__MODE__DOWN,
                                             DROVER__V1__MODE__PROVE};

// What the first test does not do, since it takes an agent's absence of ten seconds (the second
// test does that), a second environment, a rollout that has ended, one that takes back, a later
// wave that lost its first; and what is refused before the table is asked: an approval of what was
// sent.
static bool
is_elsewhere(enum dr_target_state state, enum dr_target_event event)
{
    return state == DR_TARGET_UNREACHABLE || event == DR_EVENT_AWAY || event == DR_EVENT_BACK ||
           event == DR_EVENT_LOOKED || event == DR_EVENT_UNDONE || event == DR_EVENT_LAPSED ||
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
                        .facts = {ROW_MODES[i % 3], i / 3 % 2 == 1}};
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

#endif
