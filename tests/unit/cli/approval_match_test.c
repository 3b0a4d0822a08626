// Another person's approval gets my signature too only when it says what I would sign: each field
// that differs makes it another document.
#include "unit/trust/world.h"

#include "coordinator/cli/stage.h"

static struct world w;
static struct dr_approval_request mine;
static struct dr_approval_target targets[2];
static uint8_t evidence[16][32];

// What I would sign: the same as what the others signed.
static void
begin(void)
{
    world_begin(&w);
    world_sign(&w);
    mine = w.request;
    memcpy(targets, w.request.targets, sizeof(targets));
    memcpy(evidence, w.request.evidence, w.request.n_evidence * 32);
    mine.targets = targets;
    mine.evidence = evidence;
}

static bool
matches(void)
{
    struct dr_envelope out;
    return dr_approval_matches(w.arena, w.approval_wire, w.approval_leaves, 2, &mine, &out);
}

static void
the_same_is_the_same(void **state)
{
    struct dr_envelope out;
    (void)state;
    begin();
    assert_true(dr_approval_matches(w.arena, w.approval_wire, w.approval_leaves, 2, &mine, &out));
    assert_memory_equal(out.sha256, w.approval_sha, 32);
    world_end(&w);
}

static uint8_t other_bytes[32] = {0xaa, 0xbb};
static char other_word[] = "elsewhere";

static void
d_cluster(void)
{
    mine.header.cluster_id = dr_data(other_bytes, 16);
}
static void
d_plan(void)
{
    mine.header.plan_sha256 = dr_data(other_bytes, 32);
}
static void
d_mode(void)
{
    mine.header.mode = DROVER__V1__MODE__DOWN;
}
static void
d_on_failure(void)
{
    mine.header.on_failure = DROVER__V1__ON_FAILURE__REVERSE;
}
static void
d_environment(void)
{
    mine.header.environment = other_word;
}
static void
d_policy(void)
{
    mine.header.policy_sha256 = dr_data(other_bytes, 32);
}
static void
d_rollout(void)
{
    mine.header.rollout = other_word;
}
static void
d_remedy(void)
{
    mine.header.remedy = other_word;
}
static void
d_begins_in_the_future(void)
{
    mine.header.not_before -= DR_CLOCK_SKEW_S + 1;
}
static void
d_has_expired(void)
{
    mine.header.not_before = mine.header.expires;
    mine.header.expires += 60;
}
static void
d_holds_longer_than_mine(void)
{
    mine.header.expires--;
}
static void
d_lacks_my_evidence(void)
{
    memcpy(evidence[mine.n_evidence++], other_bytes, 32);
}
static void
d_other_target(void)
{
    targets[0].target = other_word;
}
static void
d_other_wave(void)
{
    targets[1].wave++;
}
static void
d_other_flags(void)
{
    targets[0].acknowledged_flags ^= 4;
}
static void
d_other_entry(void)
{
    targets[1].entry_sha256[0] ^= 1;
}
static void
d_other_ready(void)
{
    targets[0].ready_sha256[31] ^= 1;
}
static void
d_fewer_targets(void)
{
    mine.n_targets = 1;
}

static void
each_field_that_differs_makes_it_another(void **state)
{
    static const struct {
        const char *name;
        void (*change)(void);
    } rows[] = {
        {"cluster", d_cluster},
        {"plan", d_plan},
        {"mode", d_mode},
        {"on failure", d_on_failure},
        {"environment", d_environment},
        {"policy", d_policy},
        {"rollout", d_rollout},
        {"remedy", d_remedy},
        {"begins in the future", d_begins_in_the_future},
        {"has expired", d_has_expired},
        {"holds longer than mine", d_holds_longer_than_mine},
        {"lacks my evidence", d_lacks_my_evidence},
        {"other target", d_other_target},
        {"other wave", d_other_wave},
        {"other flags", d_other_flags},
        {"other entry", d_other_entry},
        {"other READY", d_other_ready},
        {"fewer targets", d_fewer_targets},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        begin();
        assert_true(matches());
        rows[i].change();
        if (matches()) {
            fail_msg("'%s' made no difference", rows[i].name);
        }
        world_end(&w);
    }
}

static void
evidence_that_i_do_not_need_makes_no_difference(void **state)
{
    (void)state;
    begin();
    mine.n_evidence--;
    assert_true(matches());
    world_end(&w);
}

static void
leaves_that_are_not_the_documents_are_refused(void **state)
{
    struct dr_envelope out;
    struct dr_bytes leaves[2];
    (void)state;
    begin();
    leaves[0] = w.approval_leaves[1];
    leaves[1] = w.approval_leaves[0];
    assert_false(dr_approval_matches(w.arena, w.approval_wire, leaves, 2, &mine, &out));
    assert_false(dr_approval_matches(w.arena, w.approval_wire, w.approval_leaves, 1, &mine, &out));
    struct dr_bytes cut = {w.approval_wire.data, w.approval_wire.len - 1};
    assert_false(dr_approval_matches(w.arena, cut, w.approval_leaves, 2, &mine, &out));
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_the_same),
        cmocka_unit_test(each_field_that_differs_makes_it_another),
        cmocka_unit_test(evidence_that_i_do_not_need_makes_no_difference),
        cmocka_unit_test(leaves_that_are_not_the_documents_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
