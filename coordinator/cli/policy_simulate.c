// A rollout that is only thought of, by the policies.

#include "coordinator/cli/policy_explain.h"
#include "coordinator/cli/waves.h"

#include "trust/root.h"
#include "trust/window.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 3u // of a wave

struct thought {
    Drover__V1__FleetEntry *const *entries;
    size_t n;
    const Drover__V1__Root *root;
    int64_t at;
    uint64_t soaks_s; // in sum
    struct dr_buf *out;
};

// The targets of one environment in their waves.
struct fill {
    struct dr_fleet_entry *entries;
    const struct dr_fleet_entry **list;
    struct dr_approval_target *targets;
    size_t n, waves;
};

static int
by_name(const void *a, const void *b)
{
    const struct dr_fleet_entry *x = a;
    const struct dr_fleet_entry *y = b;
    return strcmp(x->msg->target->name, y->msg->target->name);
}

static void
fill_free(struct fill *f)
{
    free(f->entries);
    free(f->list);
    free(f->targets);
}

// Without memory, or targets: only how many waves there are at most.
static void
fill_waves(const struct thought *t, const Drover__V1__Environment *e, struct fill *out)
{
    struct fill f = {.entries = calloc(t->n + 1, sizeof(*f.entries)),
                     .list = calloc(t->n + 1, sizeof(*f.list)),
                     .targets = calloc(t->n + 1, sizeof(*f.targets))};
    struct dr_err ignored = {0};
    bool has_room = f.entries != NULL && f.list != NULL && f.targets != NULL;
    for (size_t i = 0; has_room && i < t->n; i++) {
        const Drover__V1__Target *target = t->entries[i]->target;
        if (target != NULL && dr_str_eq(target->environment, e->name) &&
            target->state == DROVER__V1__TARGET_STATE__ACTIVE) {
            f.entries[f.n++].msg = t->entries[i];
        }
    }
    if (f.n > 0) {
        qsort(f.entries, f.n, sizeof(*f.entries), by_name);
    }
    for (size_t i = 0; i < f.n; i++) {
        f.list[i] = &f.entries[i];
        f.targets[i].target = f.entries[i].msg->target->name;
    }
    f.waves = dr_waves_most(e, f.n);
    if (f.n > 0 && dr_waves_assign(e, f.list, f.targets, f.n, &ignored) == DR_OK) {
        f.waves = 0;
        for (size_t i = 0; i < f.n; i++) {
            f.waves = f.targets[i].wave > f.waves ? f.targets[i].wave : f.waves;
        }
    }
    *out = f;
}

// ": 10 targets, production/a, ... in 3 rounds of at most 4"
static void
put_wave(const Drover__V1__Environment *e, const struct fill *f, size_t wave, struct dr_buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        n += f->targets[i].wave == wave;
    }
    if (n == 0) {
        return;
    }
    dr_buf_printf(out, ": %zu target%s", n, n == 1 ? "" : "s");
    size_t named = 0;
    for (size_t i = 0; i < f->n && named < NAMES_MAX; i++) {
        if (f->targets[i].wave == wave) {
            dr_buf_printf(out, ", %s", f->targets[i].target);
            named++;
        }
    }
    dr_buf_str(out, n > named ? ", ..." : "");
    if (e->wave_parallel > 0 && n > e->wave_parallel) {
        dr_buf_printf(out, ", in %zu rounds of at most %" PRIu32,
                      (n + e->wave_parallel - 1) / e->wave_parallel, e->wave_parallel);
    }
}

// `at`, or when the next window opens.
static int64_t
when_open(const Drover__V1__Environment *e, int64_t at)
{
    struct dr_err ignored = {0};
    bool is_open = true;
    int64_t opens = at;
    return dr_window_look(e, at, &is_open, &opens, &ignored) == DR_OK && opens > at ? opens : at;
}

// The longest soak that the environment's gates ask of those before it.
static uint64_t
longest_soak(const Drover__V1__Environment *e)
{
    uint64_t soak = 0;
    for (size_t i = 0; i < e->n_gates; i++) {
        soak = !e->gates[i]->after && e->gates[i]->soak_s > soak ? e->gates[i]->soak_s : soak;
    }
    return soak;
}

static void
soak(struct thought *t, uint64_t soak_s)
{
    t->at += (int64_t)soak_s;
    t->soaks_s += soak_s;
}

static void
think_waves(struct thought *t, const Drover__V1__Environment *e, const struct fill *f)
{
    char when[32];
    soak(t, longest_soak(e));
    for (size_t i = 0; i < f->waves; i++) {
        if (i > 0) {
            soak(t, dr_fleet_wave_soak_s(e));
        }
        t->at = when_open(e, t->at);
        dr_format_time(when, t->at);
        dr_buf_printf(t->out, "%s: wave %zu of %zu not before %s", e->name, i + 1, f->waves, when);
        put_wave(e, f, i + 1, t->out);
        dr_buf_str(t->out, "\n");
    }
}

// Where there are probes the environment is done when they have passed after that.
static void
think_last(struct thought *t, const Drover__V1__Environment *e)
{
    char when[32];
    if (e->n_probes == 0) {
        return;
    }
    soak(t, dr_fleet_last_soak_s(e));
    dr_format_time(when, t->at);
    dr_buf_printf(t->out, "%s: done not before %s, after ", e->name, when);
    dr_policy_put_time(dr_fleet_last_soak_s(e), t->out);
    dr_buf_str(t->out, " with the probes");
    for (size_t i = 0; i < e->n_probes; i++) {
        dr_buf_printf(t->out, "%s '%s'", i > 0 ? "," : "", e->probes[i]->name);
    }
    dr_buf_str(t->out, "\n");
}

// ---- people

static size_t
put_items(const Drover__V1__Environment *e, bool is_after, struct dr_buf *out)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n_gates; i++) {
        const Drover__V1__Gate *gate = e->gates[i];
        if (gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF && (gate->after != 0) == is_after) {
            dr_buf_printf(out, "%s'%s'",
                          n > 0      ? ", "
                          : is_after ? "; afterwards "
                                     : "; before it ",
                          gate->item);
            n++;
        }
    }
    return n;
}

static void
think_people(const struct thought *t, const Drover__V1__Environment *e)
{
    const Drover__V1__Role *role = t->root != NULL ? dr_root_approvers(t->root, e->name) : NULL;
    if (role == NULL) {
        return;
    }
    dr_buf_printf(t->out, "%s: %" PRIu32 " of", e->name, role->threshold);
    for (size_t i = 0; i < role->n_people; i++) {
        dr_buf_printf(t->out, "%s %s", i ? "," : "", t->root->people[role->people[i]]->name);
    }
    dr_buf_printf(t->out, " sign%s the approval%s", role->threshold == 1 ? "s" : "",
                  e->author_may_not_approve ? " (not the author)" : "");
    (void)put_items(e, false, t->out);
    (void)put_items(e, true, t->out);
    dr_buf_str(t->out, "\n");
}

void
dr_policy_simulate(Drover__V1__FleetEntry *const *entries, size_t n, const Drover__V1__Root *root,
                   int64_t now, struct dr_buf *out)
{
    struct thought t = {.entries = entries, .n = n, .root = root, .at = now, .out = out};
    for (const Drover__V1__Environment *e = dr_policy_next(entries, n, 0); e != NULL;
         e = dr_policy_next(entries, n, e->rank)) {
        struct fill f;
        fill_waves(&t, e, &f);
        think_waves(&t, e, &f);
        think_last(&t, e);
        think_people(&t, e);
        fill_free(&f);
    }
    dr_buf_str(out, "From the first start to the last: ");
    dr_policy_put_time((uint64_t)(t.at - now), out);
    if (t.soaks_s > 0) {
        dr_buf_str(out, ", of which ");
        dr_policy_put_time(t.soaks_s, out);
        dr_buf_str(out, " are soaks");
    }
    dr_buf_str(out, ", and what the runs and the people take.\n");
}
