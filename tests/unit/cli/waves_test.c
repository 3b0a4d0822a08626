// Waves of an approval: canaries by name, labels in order, wave 1 never smaller than the policy
// asks.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/cli/waves.h"

#include <string.h>

#define N 5

struct world {
    Drover__V1__Environment policy;
    Drover__V1__Target target[N];
    Drover__V1__FleetEntry entry_msg[N];
    Drover__V1__Label label[N], *label_p[N];
    struct dr_fleet_entry entry[N];
    const struct dr_fleet_entry *entries[N];
    struct dr_approval_target targets[N];
};

// Names out of order; `labels` has "" for none, else the value of "ring".
static void
begin(struct world *w, const char *const labels[N])
{
    static char names[N][4] = {"p/e", "p/b", "p/d", "p/a", "p/c"}, key[] = "ring";
    memset(w, 0, sizeof(*w));
    drover__v1__environment__init(&w->policy);
    for (size_t i = 0; i < N; i++) {
        drover__v1__target__init(&w->target[i]);
        drover__v1__label__init(&w->label[i]);
        w->target[i].name = names[i];
        w->label[i].key = key;
        memcpy(&w->label[i].value, &labels[i], sizeof(char *));
        w->label_p[i] = &w->label[i];
        w->target[i].labels = &w->label_p[i];
        w->target[i].n_labels = labels[i][0] ? 1 : 0;
        w->entry_msg[i].target = &w->target[i];
        w->entry[i].msg = &w->entry_msg[i];
        w->entries[i] = &w->entry[i];
        w->targets[i].target = names[i];
    }
}

static void
gives(struct world *w, const uint32_t waves[N])
{
    struct dr_err err = {0};
    assert_int_equal(dr_waves_assign(&w->policy, w->entries, w->targets, N, &err), DR_OK);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(w->targets[i].wave, waves[i]);
    }
}

static const char *const NONE[N] = {"", "", "", "", ""};

static void
without_canaries_all_go_together(void **state)
{
    struct world w;
    (void)state;
    begin(&w, NONE);
    gives(&w, (const uint32_t[]){1, 1, 1, 1, 1});
    w.policy.canary_targets = N;
    gives(&w, (const uint32_t[]){1, 1, 1, 1, 1});
}

static void
the_first_by_name_are_the_canaries(void **state)
{
    struct world w;
    (void)state;
    begin(&w, NONE);
    w.policy.canary_targets = 2;
    gives(&w, (const uint32_t[]){2, 1, 2, 1, 2});
}

static void
labels_make_the_waves_in_their_order_without_gaps(void **state)
{
    struct world w;
    char first[] = "ring=early", second[] = "ring=never", third[] = "ring";
    char *labels[] = {first, second, third};
    (void)state;
    begin(&w, (const char *const[]){"early", "", "late", "", "early"});
    w.policy.wave_labels = labels;
    w.policy.n_wave_labels = 3;
    gives(&w, (const uint32_t[]){1, 3, 2, 3, 1});
    w.policy.canary_targets = 3; // filled with the next
    gives(&w, (const uint32_t[]){1, 2, 1, 2, 1});
    w.policy.canary_targets = 4;
    gives(&w, (const uint32_t[]){1, 2, 1, 1, 1});
}

static void
percents_divide_the_rest_by_name(void **state)
{
    struct world w;
    uint32_t percents[] = {20, 30, 50}, many[] = {1, 1, 98};
    (void)state;
    begin(&w, NONE); // e b d a c
    w.policy.wave_percents = percents;
    w.policy.n_wave_percents = 3;
    gives(&w, (const uint32_t[]){3, 2, 3, 1, 2});
    w.policy.canary_targets = 1; // then 1, 1 and 2 of the four
    gives(&w, (const uint32_t[]){4, 2, 4, 1, 3});
    w.policy.canary_targets = 0;
    w.policy.wave_percents = many; // one that gets none is left out
    gives(&w, (const uint32_t[]){2, 2, 2, 1, 2});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_canaries_all_go_together),
        cmocka_unit_test(the_first_by_name_are_the_canaries),
        cmocka_unit_test(percents_divide_the_rest_by_name),
        cmocka_unit_test(labels_make_the_waves_in_their_order_without_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
