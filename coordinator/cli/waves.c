// Waves: labels or percents first, then canaries, then no gaps.

#include "coordinator/cli/waves.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct row {
    struct dr_approval_target *target;
    uint32_t wave;
};

static int
by_wave(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    int wave = (x->wave > y->wave) - (x->wave < y->wave);
    return wave != 0 ? wave : strcmp(x->target->target, y->target->target);
}

static bool
has_label(const Drover__V1__Target *target, const char *wanted)
{
    size_t key = strcspn(wanted, "=");
    for (size_t i = 0; i < target->n_labels; i++) {
        const Drover__V1__Label *label = target->labels[i];
        if (strlen(label->key) == key && strncmp(label->key, wanted, key) == 0 &&
            (wanted[key] == '\0' || strcmp(label->value, wanted + key + 1) == 0)) {
            return true;
        }
    }
    return false;
}

static uint32_t
labelled_wave(const Drover__V1__Environment *policy, const Drover__V1__Target *target)
{
    uint32_t wave = 0;
    while (wave < policy->n_wave_labels && !has_label(target, policy->wave_labels[wave])) {
        wave++;
    }
    return wave + 1;
}

// The wave, from 1, of the target with index `i` among the `n` behind the canaries: percents say
// how much of them each wave takes, rounded up.
static uint32_t
percent_wave(const Drover__V1__Environment *policy, size_t i, size_t n)
{
    uint64_t sum = 0;
    size_t wave = 0;
    while (wave < policy->n_wave_percents) {
        sum += policy->wave_percents[wave];
        if ((uint64_t)i * 100 < sum * n) {
            break;
        }
        wave++;
    }
    return (uint32_t)wave + 1;
}

// Among those behind the canaries, by name.
static void
divide(const Drover__V1__Environment *policy, struct row *rows, size_t n)
{
    size_t first = policy->canary_targets < n ? policy->canary_targets : n;
    for (size_t i = first; i < n; i++) {
        rows[i].wave = 1 + percent_wave(policy, i - first, n - first);
    }
}

enum dr_rc
dr_waves_assign(const Drover__V1__Environment *policy, const struct dr_fleet_entry *const *entries,
                struct dr_approval_target *targets, size_t n, struct dr_err *err)
{
    bool is_labelled = policy->n_wave_labels > 0;
    struct row *rows = calloc(n + 1, sizeof(*rows));
    if (rows == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        rows[i] =
            (struct row){&targets[i], is_labelled ? labelled_wave(policy, entries[i]->msg->target)
                                      : policy->canary_targets > 0 ? 2
                                                                   : 1};
    }
    qsort(rows, n, sizeof(*rows), by_wave);
    if (!is_labelled && policy->n_wave_percents > 0) {
        divide(policy, rows, n);
    }
    uint32_t before = 0;
    uint32_t wave = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_full = i == policy->canary_targets && i > 0;
        bool is_next = rows[i].wave != before && i >= policy->canary_targets;
        if (i == 0 || is_next || (is_full && (!is_labelled || rows[i].wave != rows[0].wave))) {
            wave++;
        }
        before = rows[i].wave;
        rows[i].target->wave = wave;
    }
    free(rows);
    return DR_OK;
}

size_t
dr_waves_most(const Drover__V1__Environment *policy, size_t n)
{
    size_t canary = policy->canary_targets > 0 ? 1 : 0;
    size_t most = policy->n_wave_labels > 0     ? policy->n_wave_labels + 1
                  : policy->n_wave_percents > 0 ? policy->n_wave_percents + canary
                                                : 1 + canary;
    return most < n || n == 0 ? most : n;
}
