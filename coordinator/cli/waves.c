// Waves: labels first, then canaries, then no gaps.

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

enum dr_rc
dr_waves_assign(const Drover__V1__Environment *policy, const struct dr_fleet_entry *const *entries,
                struct dr_approval_target *targets, size_t n, struct dr_err *err)
{
    struct row *rows = calloc(n + 1, sizeof(*rows));
    if (rows == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        bool is_labelled = policy->n_wave_labels > 0;
        rows[i] =
            (struct row){&targets[i], is_labelled ? labelled_wave(policy, entries[i]->msg->target)
                                      : policy->canary_targets > 0 ? 2
                                                                   : 1};
    }
    qsort(rows, n, sizeof(*rows), by_wave);
    uint32_t before = 0;
    uint32_t wave = 0;
    for (size_t i = 0; i < n; i++) {
        bool is_full = i == policy->canary_targets && i > 0;
        bool is_next = rows[i].wave != before && i >= policy->canary_targets;
        if (i == 0 || is_next ||
            (is_full && (policy->n_wave_labels == 0 || rows[i].wave != rows[0].wave))) {
            wave++;
        }
        before = rows[i].wave;
        rows[i].target->wave = wave;
    }
    free(rows);
    return DR_OK;
}
