// Sealing, replaying and scheduling, without a database.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/index.h"
#include "engine/ledger.h"
#include "support/engine_plans.h"

#include "engine/schedule.h"

#include <string.h>

static struct dr_arena *arena;

static int
start(void **state)
{
    (void)state;
    arena = dr_arena_new(16u * 1024 * 1024);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    return 0;
}

static struct dr_ledger_row
row_after(const struct dr_ledger_row *before, const char *id, enum dr_ledger_direction direction,
          bool completes)
{
    struct dr_ledger_row row = {.tenant = "",
                                .position = before == NULL ? 1 : before->position + 1,
                                .kind = DR_LEDGER_DONE,
                                .direction = direction,
                                .revision_id = id,
                                .completes = completes};
    memset(row.revision_digest, id[0], 32);
    if (before != NULL) {
        memcpy(row.previous, before->head, 32);
    }
    dr_ledger_seal(&row);
    return row;
}

static void
every_field_changes_the_head(void **state)
{
    (void)state;
    static const uint8_t parents[1][32] = {{1}};
    const struct dr_ledger_row good = row_after(NULL, "a", DR_LEDGER_UP, true);
    struct dr_ledger_row rows[13];
    for (size_t i = 0; i < 13; i++) {
        rows[i] = good;
    }
    rows[0].tenant = "t";
    rows[1].position = 2;
    rows[2].kind = DR_LEDGER_STAMP;
    rows[3].direction = DR_LEDGER_DOWN;
    rows[4].revision_id = "b";
    rows[5].revision_digest[31] ^= 1;
    rows[6].parents_count = 1;
    rows[6].parents = parents;
    rows[7].unit_number = 1;
    rows[8].unit_digest[0] ^= 1;
    rows[9].completes = false;
    rows[10].plan_sha256[0] ^= 1;
    rows[11].approval_sha256[0] ^= 1;
    rows[12].previous[0] ^= 1;
    for (size_t i = 0; i < 13; i++) {
        dr_ledger_seal(&rows[i]);
        assert_memory_not_equal(rows[i].head, good.head, 32);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(rows[i].head, rows[k].head, 32);
        }
    }
}

static void
replay_refuses_gaps_links_and_contradictions(void **state)
{
    (void)state;
    struct dr_err err = {0};
    struct dr_ledger_replay *r = dr_ledger_replay_new(arena, "");
    struct dr_ledger_row one = row_after(NULL, "a", DR_LEDGER_UP, true);
    assert_int_equal(dr_ledger_replay_row(r, &one, 0, &err), DR_OK);
    struct dr_ledger_row twice = row_after(&one, "a", DR_LEDGER_UP, true);
    assert_int_equal(dr_ledger_replay_row(r, &twice, 0, &err), DR_E_LEDGER_TAMPERED);
    r = dr_ledger_replay_new(arena, "");
    assert_int_equal(dr_ledger_replay_row(r, &twice, 0, &err), DR_E_LEDGER_TAMPERED);
    assert_int_equal(dr_ledger_replay_row(r, &one, 0, &err), DR_OK);
    struct dr_ledger_row down = row_after(&one, "b", DR_LEDGER_DOWN, true);
    assert_int_equal(dr_ledger_replay_row(r, &down, 0, &err), DR_E_LEDGER_TAMPERED);
    struct dr_ledger_row forged = row_after(&one, "c", DR_LEDGER_UP, true);
    forged.plan_sha256[0] = 1;
    r = dr_ledger_replay_new(arena, "");
    assert_int_equal(dr_ledger_replay_row(r, &one, 0, &err), DR_OK);
    assert_int_equal(dr_ledger_replay_row(r, &forged, 0, &err), DR_E_LEDGER_TAMPERED);
    assert_non_null(strstr(err.message, "row 2"));
}

static void
done_row_closes_its_intent(void **state)
{
    (void)state;
    struct dr_err err = {0};
    struct dr_ledger_view view = {0};
    struct dr_ledger_row row = row_after(NULL, "a", DR_LEDGER_UP, false);
    row.kind = DR_LEDGER_INTENT;
    assert_int_equal(dr_ledger_add_unit(arena, &view, &row, 1, &err), DR_OK);
    assert_int_equal(view.units[0].kind, DR_LEDGER_INTENT);
    row.kind = DR_LEDGER_DONE;
    assert_int_equal(dr_ledger_add_unit(arena, &view, &row, 2, &err), DR_OK);
    assert_int_equal(view.units_count, 1);
    assert_int_equal(view.units[0].kind, DR_LEDGER_DONE);
    row.unit_number = 1;
    row.kind = DR_LEDGER_INTENT;
    assert_int_equal(dr_ledger_add_unit(arena, &view, &row, 3, &err), DR_OK);
    row.kind = DR_LEDGER_FAILED;
    assert_int_equal(dr_ledger_add_unit(arena, &view, &row, 4, &err), DR_OK);
    assert_int_equal(view.units_count, 1);
}

static void
index_finds_what_was_put(void **state)
{
    (void)state;
    struct dr_index index = {.arena = arena};
    size_t value;
    assert_false(dr_index_get(&index, "x", &value));
    for (size_t i = 0; i < 1000; i++) {
        char *key = dr_arena_printf(arena, "key-%zu", i);
        assert_true(dr_index_put(&index, key, i));
    }
    for (size_t i = 0; i < 1000; i++) {
        assert_true(dr_index_get(&index, dr_arena_printf(arena, "key-%zu", i), &value));
        assert_int_equal(value, i);
    }
    assert_false(dr_index_get(&index, "key-1000", &value));
}

static const struct tp_revision line[] = {
    {.id = "a", .sections = {TP_UP("SELECT 1"), TP_DOWN("SELECT 1")}},
    {.id = "b",
     .parents = {"a"},
     .sections = {TP_UP("SELECT 1"), TP_UP("SELECT 2"), TP_DOWN("SELECT 1")}},
    {.id = "c", .parents = {"b"}, .sections = {TP_DOWN("SELECT 1")}},
};

static void
schedule_of_an_empty_target_is_the_whole_plan(void **state)
{
    (void)state;
    struct dr_err err = {0};
    struct dr_ledger_view view = {.owner = ""};
    struct dr_schedule s;
    struct tp_plan *p = tp_make(DROVER__V1__ENGINE__SQLITE, line, 3);
    assert_int_equal(dr_schedule_up(p->plan, NULL, &view, false, arena, &s, &err), DR_OK);
    assert_int_equal(s.count, 4);
    assert_int_equal(s.revisions, 3);
    assert_true(s.steps[0].is_first && s.steps[0].is_last);
    assert_true(s.steps[1].is_first && !s.steps[1].is_last && s.steps[1].total == 2);
    assert_true(!s.steps[2].is_first && s.steps[2].is_last);
    assert_true(s.steps[3].unit == DR_NO_UNIT && s.steps[3].is_last);
    assert_int_equal(dr_schedule_down(p->plan, NULL, &view, false, arena, &s, &err), DR_OK);
    assert_int_equal(s.count, 0);
    tp_free(p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_field_changes_the_head, start, stop),
        cmocka_unit_test_setup_teardown(replay_refuses_gaps_links_and_contradictions, start, stop),
        cmocka_unit_test_setup_teardown(done_row_closes_its_intent, start, stop),
        cmocka_unit_test_setup_teardown(index_finds_what_was_put, start, stop),
        cmocka_unit_test_setup_teardown(schedule_of_an_empty_target_is_the_whole_plan, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
