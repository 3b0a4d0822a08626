// Gaps: an agent numbers what it signs, from 1 in each epoch, and names the one before. What is
// missing was withheld from the log, or came before it began; what does not follow was signed by a
// second agent with the same key.
#include "coordinator/cli/log_audit_inner.h"

#include <stdlib.h>
#include <string.h>

static int
by_number(const void *a, const void *b)
{
    const struct dr_log_number *x = a, *y = b;
    int order = strcmp(x->agent, y->agent);
    order = order != 0 ? order : memcmp(x->epoch, y->epoch, sizeof(x->epoch));
    order = order != 0 ? order : (x->counter > y->counter) - (x->counter < y->counter);
    return order != 0 ? order
                      : (x->entry->index > y->entry->index) - (x->entry->index < y->entry->index);
}

static int
by_index(const void *a, const void *b)
{
    const struct dr_log_gap *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static struct dr_log_gap
gap_at(const struct dr_log_number *number, uint64_t first, uint64_t last, const char *why)
{
    struct dr_log_gap gap = {.index = number->entry->index,
                             .kind = number->entry->kind,
                             .subject = number->entry->subject,
                             .agent = number->agent,
                             .first = first,
                             .last = last,
                             .why = why};
    memcpy(gap.epoch, number->epoch, sizeof(gap.epoch));
    return gap;
}

enum dr_rc
dr_log_find_gaps(struct dr_arena *arena, struct dr_log_numbers *numbers, struct dr_log_gap **gaps,
                 size_t *n_gaps, struct dr_err *err)
{
    struct dr_log_gap *all = dr_arena_array(arena, *n_gaps + numbers->n + 1, sizeof(*all));
    size_t n = *n_gaps;
    if (all == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (n > 0) {
        memcpy(all, *gaps, n * sizeof(*all));
    }
    if (numbers->n > 0) {
        qsort(numbers->list, numbers->n, sizeof(numbers->list[0]), by_number);
    }
    for (size_t i = 0; i < numbers->n; i++) {
        const struct dr_log_number *one = &numbers->list[i], *last = i > 0 ? one - 1 : NULL;
        bool is_same = last != NULL && strcmp(last->agent, one->agent) == 0 &&
                       memcmp(last->epoch, one->epoch, sizeof(one->epoch)) == 0;
        uint64_t before = is_same ? last->counter : 0;
        if (is_same && one->counter == before) {
            if (memcmp(one->sha256, last->sha256, 32) != 0) {
                all[n++] = gap_at(one, 0, one->counter, "two different ones have this number");
            }
        } else if (one->counter > before + 1) {
            all[n++] = gap_at(one, before + 1, one->counter - 1, "not in the log");
        } else if (is_same && memcmp(one->previous, last->sha256, 32) != 0) {
            all[n++] = gap_at(one, 0, one->counter, "it does not continue the one before it");
        }
    }
    qsort(all, n, sizeof(*all), by_index);
    *gaps = all;
    *n_gaps = n;
    return DR_OK;
}
