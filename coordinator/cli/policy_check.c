// Policies that can never open, or that hold nothing: found before anybody signs them.

#include "coordinator/cli/policy_text.h"

#include "trust/fleet.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    if (from->rank >= e->rank) {
        problem(c, e, "a gate waits for '%s', which does not come before it (rank %u, own rank %u)",
                from->name, from->rank, e->rank);
    }
    size_t targets = count_targets(c, from->name);
    if (targets > 0 && gate->min_targets > targets) {
        problem(c, e, "a gate wants %u targets of '%s', which has %zu", gate->min_targets,
                from->name, targets);
    }
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED && !from->prove) {
        problem(c, e, "a gate wants the rollback proof of '%s', which has prove = false",
                from->name);
    }
}

static void
check_gates(struct checking *c, const Drover__V1__Environment *e)
{
    uint64_t longest = e->approval_max_s ? e->approval_max_s : DR_APPROVAL_MAX_S;
    for (size_t i = 0; i < e->n_gates; i++) {
        const Drover__V1__Gate *gate = e->gates[i];
        bool is_backup = gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP;
        bool is_signoff = gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
        if (!is_backup && !is_signoff) {
            check_source(c, e, gate);
        }
        if (gate->soak_s >= longest && e->canary_targets > 0) {
            problem(c, e,
                    "a soak of %" PRIu64 " s is not shorter than the longest approval of %" PRIu64
                    " s: the second wave could never start",
                    gate->soak_s, longest);
        }
        if (is_backup && gate->max_age_s > 0 && gate->max_age_s < 60) {
            problem(c, e, "a backup may be at most %" PRIu64 " s old: nobody signs that fast",
                    gate->max_age_s);
        }
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
        check_people(&c, e);
    }
    return c.count;
}
