// Shows a rollout and judges where it stands.

#include "coordinator/cli/progress_view.h"
#include "coordinator/cli/rollout_view.h"

#include "trust/approval.h"

#include <stdio.h>
#include <string.h>

#define ID_DIGITS_MAX 18u

static const struct {
    const char *state;
    enum dr_tone tone;
    bool is_end;
} STATES[] = {
    {"pending", DR_TONE_DIM, false},   {"preparing", DR_TONE_PLAIN, false},
    {"ready", DR_TONE_WAIT, false},    {"approved", DR_TONE_PLAIN, false},
    {"sent", DR_TONE_PLAIN, false},    {"running", DR_TONE_PLAIN, false},
    {"proving", DR_TONE_PLAIN, false}, {"unreachable", DR_TONE_WAIT, false},
    {"applied", DR_TONE_GOOD, true},   {"reverted", DR_TONE_WAIT, true},
    {"failed", DR_TONE_BAD, true},     {"held", DR_TONE_BAD, true},
    {"refused", DR_TONE_BAD, true},    {"cancelled", DR_TONE_DIM, true},
};

static size_t
row_of(const char *state)
{
    for (size_t i = 0; i < DR_COUNT_OF(STATES); i++) {
        if (dr_str_eq(STATES[i].state, state)) {
            return i;
        }
    }
    return 0;
}

bool
dr_rollout_id_is_valid(const char *id)
{
    size_t digits = dr_str_starts(id, "R-") ? strspn(id + 2, "0123456789") : 0;
    return digits > 0 && digits <= ID_DIGITS_MAX && id[2 + digits] == '\0';
}

bool
dr_rollout_is_state(const char *state)
{
    return dr_str_eq(STATES[row_of(state)].state, state);
}

enum dr_tone
dr_rollout_tone(const char *state)
{
    return dr_rollout_is_state(state) ? STATES[row_of(state)].tone : DR_TONE_PLAIN;
}

bool
dr_rollout_is_over(const char *state)
{
    return STATES[row_of(state)].is_end;
}

bool
dr_rollout_moves(const char *state)
{
    return dr_str_eq(state, "running") || dr_str_eq(state, "proving") || dr_str_eq(state, "sent");
}

static bool
is_good(const Drover__V1__Rollout *r, const char *state)
{
    return dr_str_eq(state, dr_approval_is_down(r->mode) ? "reverted" : "applied");
}

// Approved, and held back until a person decides about what failed.
static bool
is_stopped(const Drover__V1__StageStatus *stage, const char *state)
{
    return stage->hold[0] != '\0' && dr_str_eq(state, "approved");
}

const Drover__V1__StageStatus *
dr_rollout_waiting_stage(const Drover__V1__Rollout *r)
{
    for (size_t i = 0; i < r->n_stages; i++) {
        const Drover__V1__StageStatus *stage = r->stages[i];
        size_t ready = 0;
        size_t moving = 0;
        for (size_t t = 0; t < stage->n_targets; t++) {
            const char *state = stage->targets[t]->state;
            ready += dr_str_eq(state, "ready") ? 1 : 0;
            bool is_away = dr_str_eq(state, "preparing") && !stage->targets[t]->connected;
            moving += !dr_str_eq(state, "ready") && !STATES[row_of(state)].is_end && !is_away &&
                      !is_stopped(stage, state);
        }
        if (ready > 0 && moving == 0) {
            return stage;
        }
    }
    return NULL;
}

enum dr_rollout_verdict
dr_rollout_where(const Drover__V1__Rollout *r)
{
    size_t bad = 0;
    size_t moving = 0;
    size_t pending = 0;
    size_t active = 0;
    size_t stopped = 0;
    for (size_t i = 0; i < r->n_stages; i++) {
        pending += r->stages[i]->soaking_wave != 0 ? 1 : 0;
        for (size_t t = 0; t < r->stages[i]->n_targets; t++) {
            const char *state = r->stages[i]->targets[t]->state;
            size_t row = row_of(state);
            bad += STATES[row].is_end && !is_good(r, state) ? 1 : 0;
            pending += dr_str_eq(state, "pending") ? 1 : 0;
            moving += !STATES[row].is_end && !dr_str_eq(state, "pending") ? 1 : 0;
            stopped += is_stopped(r->stages[i], state) ? 1 : 0;
            active += dr_rollout_moves(state) || dr_str_eq(state, "preparing") ||
                              dr_str_eq(state, "unreachable")
                          ? 1
                          : 0;
        }
    }
    if (dr_rollout_waiting_stage(r) != NULL) {
        return DR_ROLLOUT_WAITS;
    }
    if (bad > 0 && moving == stopped) {
        return DR_ROLLOUT_FAILED;
    }
    if (dr_str_eq(r->state, "paused") && active == 0) {
        return DR_ROLLOUT_WAITS;
    }
    return moving == 0 && pending == 0 ? DR_ROLLOUT_DONE : DR_ROLLOUT_GOES_ON;
}

bool
dr_rollout_all_in(const Drover__V1__Rollout *r, const char *environment, const char *state)
{
    for (size_t i = 0; i < r->n_stages; i++) {
        const Drover__V1__StageStatus *stage = r->stages[i];
        if (!dr_str_eq(stage->environment, environment)) {
            continue;
        }
        for (size_t t = 0; t < stage->n_targets; t++) {
            if (!dr_str_eq(stage->targets[t]->state, state)) {
                return false;
            }
        }
        return stage->n_targets > 0;
    }
    return false;
}

const char *
dr_rollout_reason(const Drover__V1__TargetStatus *target)
{
    return dr_str_eq(target->reason, target->state) ? "" : target->reason;
}

static const char *
info_of(const struct dr_cli *cli, const Drover__V1__TargetStatus *t)
{
    const char *text = dr_rollout_moves(t->state) ? dr_progress_text(cli, t->progress) : "";
    return text[0] != '\0' ? text : dr_rollout_reason(t);
}

static void
add_stage(const struct dr_cli *cli, struct dr_table *table, size_t parent,
          const Drover__V1__StageStatus *stage)
{
    const char *approvals =
        dr_arena_printf(cli->arena, "approvals %u/%u", stage->signatures, stage->needed);
    const char *cells[] = {
        stage->environment,         "environment", stage->state, dr_print_age(cli, stage->since),
        approvals ? approvals : "", NULL};
    size_t row = dr_table_row(table, parent, cells);
    for (size_t i = 0; i < stage->n_targets; i++) {
        const Drover__V1__TargetStatus *t = stage->targets[i];
        const char *target[] = {t->target,       "target", t->state, dr_print_age(cli, t->since),
                                info_of(cli, t), NULL};
        dr_table_tone(table, dr_table_row(table, row, target), 2, dr_rollout_tone(t->state));
    }
}

void
dr_rollout_tree(const struct dr_cli *cli, const Drover__V1__Rollout *r)
{
    static const char *const columns[] = {"NAME", "KIND", "STATUS", "AGE", "INFO", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    if (table == NULL) {
        return;
    }
    dr_say(cli, "Rollout: %s  %s -> %s\n", r->id, r->from[0] ? r->from : "base",
           r->to[0] ? r->to : "base");
    dr_say(cli, "State:   %s%s%s\n", r->state, r->reason[0] ? ": " : "", r->reason);
    const char *cells[] = {r->id, "rollout", r->state, dr_print_age(cli, r->created), "", NULL};
    size_t root = dr_table_row(table, SIZE_MAX, cells);
    for (size_t i = 0; i < r->n_stages; i++) {
        add_stage(cli, table, root, r->stages[i]);
    }
    dr_table_print(table, stdout);
    dr_table_free(&table);
    if (dr_print_is_tame(r->next, true)) { // it is the coordinator's word, and people paste it
        dr_say(cli, "next: %s\n", r->next);
    }
}
