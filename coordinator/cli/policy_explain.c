// Policies in words.

#include "coordinator/cli/policy_explain.h"

#include "coordinator/cli/policy_text.h"
#include "coordinator/cli/policy_window.h"
#include "coordinator/cli/waves.h"

#include "trust/fleet.h"
#include "trust/root.h"

#include <inttypes.h>
#include <string.h>

const Drover__V1__Environment *
dr_policy_next(Drover__V1__FleetEntry *const *entries, size_t n, uint32_t rank)
{
    const Drover__V1__Environment *next = NULL;
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Environment *e = entries[i]->environment;
        next = e != NULL && e->rank > rank && (next == NULL || e->rank < next->rank) ? e : next;
    }
    return next;
}

static size_t
count_targets(Drover__V1__FleetEntry *const *entries, size_t n, const char *environment)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Target *t = entries[i]->target;
        count += t != NULL && dr_str_eq(t->environment, environment) &&
                 t->state == DROVER__V1__TARGET_STATE__ACTIVE;
    }
    return count;
}

void
dr_policy_put_time(uint64_t seconds, struct dr_buf *out)
{
    char text[32];
    dr_format_duration(text, seconds * 1000);
    dr_buf_str(out, text);
}

static const char *
plural(size_t n)
{
    return n == 1 ? "" : "s";
}

// ---- waves

static void
explain_waves(const Drover__V1__Environment *e, size_t targets, struct dr_buf *out)
{
    size_t waves = dr_waves_most(e, targets);
    dr_buf_printf(out, "  waves: %zu", waves);
    for (size_t i = 0; i < e->n_wave_percents; i++) {
        dr_buf_printf(out, "%s%" PRIu32 " %%", i ? ", " : " of ", e->wave_percents[i]);
    }
    for (size_t i = 0; i < e->n_wave_labels; i++) {
        dr_buf_printf(out, "%s%s", i ? ", " : " by label: ", e->wave_labels[i]);
    }
    if (waves > 1 && dr_fleet_wave_soak_s(e) > 0) {
        dr_buf_str(out, ", with ");
        dr_policy_put_time(dr_fleet_wave_soak_s(e), out);
        dr_buf_str(out, " between them");
    }
    if (e->wave_parallel > 0) {
        dr_buf_printf(out, ", at most %" PRIu32 " targets at once", e->wave_parallel);
    }
    if (e->server_parallel > 0) {
        dr_buf_printf(out, ", %" PRIu32 " on one server", e->server_parallel);
    }
    dr_buf_printf(out, "; %" PRIu32 " target%s may fail\n", e->failure_budget,
                  plural(e->failure_budget));
}

// ---- gates

static void
explain_gate(const Drover__V1__Gate *gate, struct dr_buf *out)
{
    const char *from = gate->from_environment;
    dr_buf_printf(out, "    %s ",
                  gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF ? "a person"
                                                                    : "a machine shows");
    switch (gate->kind) {
    case DROVER__V1__GATE_KIND__GATE_BACKUP:
        dr_buf_printf(out, "a backup, %s, of the last ", dr_policy_levels[gate->restore_level % 4]);
        dr_policy_put_time(gate->max_age_s, out);
        dr_buf_str(out, gate->keep_s > 0 ? ", kept for " : "");
        if (gate->keep_s > 0) {
            dr_policy_put_time(gate->keep_s, out);
        }
        break;
    case DROVER__V1__GATE_KIND__GATE_STAGED:
        dr_buf_printf(out, "%" PRIu32 " target%s of %s ran the same, and ", gate->min_targets,
                      plural(gate->min_targets), from);
        dr_policy_put_time(gate->soak_s, out);
        dr_buf_str(out, " later still shows it");
        break;
    case DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED:
        dr_buf_printf(out, "a target of %s went back to the same schema%s", from,
                      gate->one_way ? ", or there is no way back" : "");
        break;
    case DROVER__V1__GATE_KIND__GATE_VERIFIED:
        dr_buf_printf(out, "the same schema as %s%s", from[0] ? "in " : "",
                      from[0] ? from : "its rehearsal ended with");
        break;
    case DROVER__V1__GATE_KIND__GATE_REHEARSED:
        dr_buf_str(out, "a rehearsal there and back, of the last ");
        dr_policy_put_time(gate->max_age_s, out);
        break;
    case DROVER__V1__GATE_KIND__GATE_PROBED:
        dr_buf_printf(out, "probe '%s' passed on %" PRIu32 " target%s of %s after ", gate->item,
                      gate->min_targets, plural(gate->min_targets), from);
        dr_policy_put_time(gate->soak_s, out);
        break;
    default:
        dr_buf_printf(out, "signs '%s'", gate->item);
    }
    dr_buf_str(out, "\n");
}

static void
explain_gates(const Drover__V1__Environment *e, bool after, struct dr_buf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < e->n_gates; i++) {
        if ((e->gates[i]->after != 0) == after) {
            dr_buf_str(out, !is_first ? "" : after ? "  afterwards:\n" : "  before the start:\n");
            explain_gate(e->gates[i], out);
            is_first = false;
        }
    }
}

// ---- people

static void
explain_people(const Drover__V1__Environment *e, const Drover__V1__Root *root, struct dr_buf *out)
{
    const Drover__V1__Role *role = root != NULL ? dr_root_approvers(root, e->name) : NULL;
    if (role != NULL) {
        dr_buf_printf(out, "  approved by %" PRIu32 " of", role->threshold);
        for (size_t i = 0; i < role->n_people; i++) {
            dr_buf_printf(out, "%s %s", i ? "," : "", root->people[role->people[i]]->name);
        }
        dr_buf_printf(out, "%s, for at most ",
                      e->author_may_not_approve ? " (not by the author)" : "");
        dr_policy_put_time(e->approval_max_s ? e->approval_max_s : DR_APPROVAL_MAX_S, out);
        dr_buf_str(out, "\n");
    }
}

void
dr_policy_explain(Drover__V1__FleetEntry *const *entries, size_t n, const Drover__V1__Root *root,
                  struct dr_buf *out)
{
    for (const Drover__V1__Environment *e = dr_policy_next(entries, n, 0); e != NULL;
         e = dr_policy_next(entries, n, e->rank)) {
        size_t targets = count_targets(entries, n, e->name);
        dr_buf_printf(out, "%s: %zu target%s, %s\n", e->name, targets, plural(targets),
                      e->prove ? "up, down and up again: the way back is proved" : "up");
        explain_waves(e, targets, out);
        for (size_t i = 0; i < e->n_windows; i++) {
            char text[DR_POLICY_WINDOW_MAX];
            dr_policy_window_text(e->windows[i], text);
            dr_buf_printf(out, "  starts %s\n", text);
        }
        explain_people(e, root, out);
        explain_gates(e, false, out);
        explain_gates(e, true, out);
    }
}
