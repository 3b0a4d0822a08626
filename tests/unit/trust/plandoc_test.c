// Plan document: digest first, then strict decode, then its own consistency.
#include "unit/trust/world.h"

static enum dr_rc
decode(struct world *w)
{
    Drover__V1__Plan *plan;
    return dr_plandoc_decode(w->arena, packed(w, &w->plan_msg.base), NULL, &plan, &w->err);
}

static void
plan_is_decoded_after_its_digest_matched(void **state)
{
    static struct world w;
    Drover__V1__Plan *plan = NULL;
    uint8_t sha256[32];
    (void)state; // id: P08
    world_begin(&w);
    struct dr_bytes bytes = packed(&w, &w.plan_msg.base);
    dr_sha256(bytes, sha256);
    OK(&w, dr_plandoc_decode(w.arena, bytes, sha256, &plan, &w.err));
    assert_string_equal(dr_plandoc_revision(plan, w.rev_digest[2])->id, "003_index");
    assert_null(dr_plandoc_revision(plan, w.nonce));
    sha256[0] ^= 1;
    REFUSED(DR_E_PLAN_DIGEST, dr_plandoc_decode(w.arena, bytes, sha256, &plan, &w.err));
    bytes.len--;
    REFUSED(DR_E_BAD_DOCUMENT, dr_plandoc_decode(w.arena, bytes, NULL, &plan, &w.err));
    world_end(&w);
}

static void
p_project(struct world *w)
{
    w->plan_msg.project = word(w, "");
}
static void
p_engine(struct world *w)
{
    w->plan_msg.engine = DROVER__V1__ENGINE__ENGINE_NONE;
}
static void
p_empty(struct world *w)
{
    w->plan_msg.n_revisions = 0;
}
static void
p_twice(struct world *w)
{
    w->rev[2].digest = w->rev[0].digest;
}
static void
p_id(struct world *w)
{
    w->rev[1].id = word(w, "");
}
static void
p_size(struct world *w)
{
    w->rev[1].file_size = 0;
}
static void
p_big(struct world *w)
{
    w->rev[1].file_size = DR_REVISION_FILE_MAX + 1;
}
static void
p_order(struct world *w)
{
    w->rev_p[1] = &w->rev[2];
    w->rev_p[2] = &w->rev[1];
}
static void
p_cycle(struct world *w)
{
    w->parent[1][0] = w->rev[1].digest;
}
static void
p_parents(struct world *w)
{
    w->parent[2][1] = w->parent[2][0];
    w->rev[2].n_parents = 2;
}
static void
p_parent_ids(struct world *w)
{
    static char a[] = "a", *ids[2] = {a, a};
    w->rev[1].parent_ids = ids;
    w->rev[1].n_parent_ids = 2;
}
static void
p_kind(struct world *w)
{
    w->unit[0][0].kind = DROVER__V1__UNIT_KIND__UNIT_NONE;
}
static void
p_no_statement(struct world *w)
{
    w->unit[0][0].n_statements = 0;
}
static void
p_outside(struct world *w)
{
    static Drover__V1__Statement a, b, *two[2] = {&a, &b};
    a = b = w->statement;
    a.length = 10;
    b.offset = 20;
    b.length = 10;
    w->unit[0][0].statements = two;
    w->unit[0][0].n_statements = 2;
    w->unit[0][0].outside_transaction = true;
}
static void
p_overlap(struct world *w)
{
    p_outside(w);
    w->unit[0][0].outside_transaction = false;
    w->unit[0][0].statements[1]->offset = 19;
}
static void
p_zero(struct world *w)
{
    w->statement.length = 0;
}
static void
p_behind(struct world *w)
{
    w->statement.offset = 101;
    w->statement.length = 1;
}
static void
p_over(struct world *w)
{
    w->statement.length = 91;
}
static void
p_wrap(struct world *w)
{
    w->statement.length = UINT64_MAX - 5;
}

static void
plan_with_bad_content_is_refused(void **state)
{
    static void (*const changes[])(struct world *) = {
        p_project, p_engine, p_empty,   p_twice,      p_id,   p_size,         p_big,
        p_order,   p_cycle,  p_parents, p_parent_ids, p_kind, p_no_statement, p_outside,
        p_overlap, p_zero,   p_behind,  p_over,       p_wrap,
    };
    static struct world w;
    (void)state; // id: P17 P23
    for (size_t i = 0; i < DR_COUNT_OF(changes); i++) {
        world_begin(&w);
        OK(&w, decode(&w));
        changes[i](&w);
        enum dr_rc rc = decode(&w);
        if (rc != DR_E_BAD_PLAN) {
            fail_msg("change %zu: %s", i, dr_rc_name(rc));
        }
        world_end(&w);
    }
}

static void
one_statement_outside_of_a_transaction_is_accepted(void **state)
{
    static struct world w;
    (void)state;
    world_begin(&w);
    w.unit[0][0].outside_transaction = true;
    OK(&w, decode(&w));
    p_outside(&w);
    w.unit[0][0].outside_transaction = false; // two in one transaction
    OK(&w, decode(&w));
    world_end(&w);
}

static void
plan_is_proved_when_its_last_revision_goes_back(void **state)
{
    Drover__V1__PlanRevision first = DROVER__V1__PLAN_REVISION__INIT, last = first;
    Drover__V1__PlanRevision *both[] = {&first, &last};
    Drover__V1__Plan plan = DROVER__V1__PLAN__INIT;
    (void)state;
    assert_true(dr_plandoc_can_prove(&plan));
    plan.revisions = both;
    plan.n_revisions = 2;
    first.no_down = true;
    assert_true(dr_plandoc_can_prove(&plan));
    last.no_down = true;
    assert_false(dr_plandoc_can_prove(&plan));
}

static void
lack_of_memory_is_an_error(void **state)
{
    static struct world w;
    Drover__V1__Plan *plan;
    (void)state;
    world_begin(&w);
    struct dr_bytes bytes = packed(&w, &w.plan_msg.base);
    enum dr_rc rc = DR_E_LIMIT;
    for (size_t cap = 0; rc != DR_OK; cap += 16) {
        struct dr_arena *small = dr_arena_new(cap);
        rc = dr_plandoc_decode(small, bytes, NULL, &plan, &w.err);
        assert_true(rc == DR_OK || rc == DR_E_LIMIT);
        dr_arena_free(&small);
        assert_true(cap < 1000000);
    }
    world_end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_is_decoded_after_its_digest_matched),
        cmocka_unit_test(plan_with_bad_content_is_refused),
        cmocka_unit_test(one_statement_outside_of_a_transaction_is_accepted),
        cmocka_unit_test(plan_is_proved_when_its_last_revision_goes_back),
        cmocka_unit_test(lack_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
