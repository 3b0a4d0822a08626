// Policies that can never open, or that hold nothing: found before anybody signs them.

#include "coordinator/cli/policy_text.h"
#include "coordinator/cli/waves.h"

#include "base/zone.h"
#include "sql/preflight.h"
#include "trust/gate.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_MIN_MINUTES 10u

struct checking {
    Drover__V1__FleetEntry *const *entries;
    size_t n;
    const Drover__V1__Root *root;
    struct dr_buf *out;
    size_t count;
};

static void DR_PRINTF(3, 4)
    problem(struct checking *c, const Drover__V1__Environment *e, const char *fmt, ...)
{
    va_list args;
    char text[256];
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    dr_buf_printf(c->out, "%s: %s\n", e->name, text);
    c->count++;
}

static const Drover__V1__Environment *
find(const struct checking *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++) {
        const Drover__V1__Environment *e = c->entries[i]->environment;
        if (e != NULL && dr_str_eq(e->name, name)) {
            return e;
        }
    }
    return NULL;
}

static size_t
count_targets(const struct checking *c, const char *environment)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        const Drover__V1__Target *t = c->entries[i]->target;
        n += t != NULL && dr_str_eq(t->environment, environment) &&
             t->state == DROVER__V1__TARGET_STATE__ACTIVE;
    }
    return n;
}

static bool
has_probe(const Drover__V1__Environment *e, const char *name)
{
    for (size_t i = 0; i < e->n_probes; i++) {
        if (dr_str_eq(e->probes[i]->name, name)) {
            return true;
        }
    }
    return false;
}

static bool
needs_targets(const Drover__V1__Gate *gate)
{
    return gate->kind == DROVER__V1__GATE_KIND__GATE_STAGED ||
           gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED;
}

// A gate that takes its evidence from another environment.
static void
check_source(struct checking *c, const Drover__V1__Environment *e, const Drover__V1__Gate *gate)
{
    const Drover__V1__Environment *from = find(c, gate->from_environment);
    if (from == NULL) {
        problem(c, e, "a gate waits for environment '%s', which the fleet does not have",
                gate->from_environment);
        return;
    }
    bool is_own = gate->after && from == e; // asked for when it has run here
    if (from->rank >= e->rank && !is_own) {
        problem(c, e, "a gate waits for '%s', which does not come before it (rank %u, own rank %u)",
                from->name, from->rank, e->rank);
    }
    size_t targets = count_targets(c, from->name);
    if (gate->min_targets == 0 && needs_targets(gate)) {
        problem(c, e, "a gate wants 0 targets of '%s': it would always be open", from->name);
    }
    if (targets > 0 && gate->min_targets > targets) {
        problem(c, e, "a gate wants %u targets of '%s', which has %zu", gate->min_targets,
                from->name, targets);
    }
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED && !from->prove) {
        problem(c, e, "a gate wants the rollback proof of '%s', which has prove = false",
                from->name);
    }
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED && !has_probe(from, gate->item)) {
        problem(c, e, "a gate waits for probe '%s' of '%s', which has no such probe", gate->item,
                from->name);
    }
}

static void
check_gates(struct checking *c, const Drover__V1__Environment *e)
{
    for (size_t i = 0; i < e->n_gates; i++) {
        const Drover__V1__Gate *gate = e->gates[i];
        bool is_backup = gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP;
        bool is_signoff = gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
        bool is_rehearsed = gate->kind == DROVER__V1__GATE_KIND__GATE_REHEARSED;
        bool is_own_verified = dr_gate_is_own_verified(gate);
        if (!is_signoff && !dr_gate_is_of_one_target(gate)) {
            check_source(c, e, gate);
        }
        if ((is_rehearsed || is_own_verified) && !e->rehearse) {
            problem(c, e, "a gate waits for rehearsals, and rehearse = false: nobody makes one");
        }
        if (is_rehearsed && gate->max_age_s < 60) {
            problem(c, e, "a rehearsal may be at most %" PRIu64 " s old: nobody signs that fast",
                    gate->max_age_s);
        }
        if (is_backup && gate->max_age_s < 60) {
            problem(c, e, "a backup may be at most %" PRIu64 " s old: nobody signs that fast",
                    gate->max_age_s);
        }
    }
}

// ---- waves, windows, probes

static void
check_waves(struct checking *c, const Drover__V1__Environment *e)
{
    uint64_t longest = e->approval_max_s ? e->approval_max_s : DR_APPROVAL_MAX_S, sum = 0;
    uint64_t soak = dr_fleet_wave_soak_s(e);
    size_t waves = dr_waves_most(e, count_targets(c, e->name));
    for (size_t i = 0; i < e->n_wave_percents; i++) {
        sum += e->wave_percents[i];
    }
    if (e->n_wave_percents > 0 && sum != 100) {
        problem(c, e, "wave_percents sum to %" PRIu64 ", not to 100", sum);
    }
    if (e->n_wave_percents > 0 && e->n_wave_labels > 0) {
        problem(c, e, "waves are made by wave_labels or by wave_percents, not by both");
    }
    if (waves > 1 && soak > 0 && soak >= (longest + waves - 2) / (waves - 1)) {
        problem(c, e,
                "%zu waves with a soak of %" PRIu64 " s between them take longer than the longest "
                "approval, %" PRIu64 " s: the last wave could never start",
                waves, soak, longest);
    }
}

static void
check_windows(struct checking *c, const Drover__V1__Environment *e)
{
    for (size_t i = 0; i < e->n_windows; i++) {
        const Drover__V1__Window *window = e->windows[i];
        struct dr_zone *zone = NULL;
        struct dr_err err = {0};
        uint32_t minutes = window->to_minute > window->from_minute
                               ? window->to_minute - window->from_minute
                               : window->to_minute + 1440 - window->from_minute;
        if (dr_zone_load(NULL, window->zone, &zone, &err) != DR_OK) {
            problem(c, e, "%s", err.message);
        }
        dr_zone_free(&zone);
        if (minutes < WINDOW_MIN_MINUTES) {
            problem(c, e, "a window of %u min is too short to start a wave in, take %u at least",
                    minutes, WINDOW_MIN_MINUTES);
        }
    }
}

// A decimal number; true also for "", which is no bound.
static bool
read_bound(const char *text, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    return *end == '\0' && strspn(text, "-.0123456789") == strlen(text);
}

static void
check_probe(struct checking *c, const Drover__V1__Environment *e, const Drover__V1__SqlProbe *probe)
{
    struct dr_sql_preflight_fault fault = {0};
    double least = 0, most = 0;
    bool is_sqlite = probe->engine == DROVER__V1__ENGINE__SQLITE;
    if (!dr_sql_preflight_allowed(is_sqlite ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL, probe->sql,
                                  strlen(probe->sql), &fault)) {
        problem(c, e, "probe '%s' may not run: %s", probe->name, fault.message);
    }
    if (!read_bound(probe->least, &least) || !read_bound(probe->most, &most)) {
        problem(c, e, "the bounds of probe '%s' are no decimal numbers", probe->name);
    } else if (probe->least[0] == '\0' && probe->most[0] == '\0') {
        problem(c, e, "probe '%s' has neither least nor most: it could never fail", probe->name);
    } else if (probe->least[0] != '\0' && probe->most[0] != '\0' && least > most) {
        problem(c, e, "probe '%s' can never pass: least is above most", probe->name);
    }
    if (probe->every_s == 0) {
        problem(c, e, "probe '%s' is asked every 0 s", probe->name);
    }
}

static void
check_people(struct checking *c, const Drover__V1__Environment *e)
{
    const Drover__V1__Role *role = c->root ? dr_root_approvers(c->root, e->name) : NULL;
    if (c->root != NULL && role == NULL) {
        problem(c, e, "the root names nobody who may approve here");
    }
    if (role != NULL && e->author_may_not_approve && role->n_people <= role->threshold) {
        problem(c, e,
                "the author may not approve, and all %zu approvers must sign: an approver's own "
                "revision could never run",
                role->n_people);
    }
}

size_t
dr_policy_problems(Drover__V1__FleetEntry *const *entries, size_t n, const Drover__V1__Root *root,
                   struct dr_buf *out)
{
    struct checking c = {.entries = entries, .n = n, .root = root, .out = out};
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Environment *e = entries[i]->environment;
        if (e == NULL) {
            continue;
        }
        for (size_t k = 0; k < i; k++) {
            const Drover__V1__Environment *other = entries[k]->environment;
            if (other != NULL && other->rank == e->rank) {
                problem(&c, e, "has rank %u, like '%s'", e->rank, other->name);
            }
        }
        size_t targets = count_targets(&c, e->name);
        if (targets > 0 && e->canary_targets >= targets) {
            problem(&c, e, "canary_targets is %u of %zu targets: there would be no second wave",
                    e->canary_targets, targets);
        }
        check_gates(&c, e);
        check_waves(&c, e);
        check_windows(&c, e);
        for (size_t k = 0; k < e->n_probes; k++) {
            check_probe(&c, e, e->probes[k]);
        }
        check_people(&c, e);
    }
    return c.count;
}
