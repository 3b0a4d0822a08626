// What a person is shown before signing is what the payload says.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "coordinator/cli/approve_show.h"
#include "trust/strict.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Standard output of dr_approve_show for an approval of `mode`, in the arena.
static const char *
shown(struct dr_arena *arena, Drover__V1__Mode mode, Drover__V1__OnFailure on_failure)
{
    static const uint8_t digest[32] = {1};
    static uint32_t sizes[] = {1};
    char environment[] = "production", rollout[] = "R-1", remedy[] = "mend";
    Drover__V1__Approval approval = DROVER__V1__APPROVAL__INIT;
    Drover__V1__Plan plan = DROVER__V1__PLAN__INIT;
    struct dr_cli cli = {.arena = arena};
    struct dr_remote remote = {.cli = &cli};
    const struct dr_stage stage = {.remote = &remote};
    const struct dr_stage_plan stage_plan = {.plan = &plan};
    const struct dr_approval_request request = {0};
    struct dr_bytes payload = {0};
    struct dr_err err = {0};
    approval.cluster_id = approval.approval_id = dr_data(digest, 16);
    approval.plan_sha256 = approval.policy_sha256 = approval.leaves_root = dr_data(digest, 32);
    approval.mode = mode;
    approval.on_failure = on_failure;
    approval.environment = environment;
    approval.rollout = rollout;
    approval.remedy = mode == DROVER__V1__MODE__REMEDY ? remedy : approval.remedy;
    approval.wave_sizes = sizes;
    approval.n_wave_sizes = 1;
    approval.not_before = 1;
    approval.expires = 2;
    assert_int_equal(dr_strict_encode(arena, &approval.base, &payload, &err), DR_OK);
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stdout);
    int terminal = dup(STDOUT_FILENO);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    enum dr_rc rc = dr_approve_show(&stage, &stage_plan, NULL, &request, payload, &err);
    (void)fflush(stdout);
    (void)dup2(terminal, STDOUT_FILENO);
    (void)close(terminal);
    assert_int_equal(rc, DR_OK);
    char *text = dr_arena_array(arena, 4096, 1);
    rewind(file);
    size_t len = fread(text, 1, 4095, file);
    (void)fclose(file);
    assert_true(len > 0);
    return text;
}

// id: A17
static void
approve_names_the_mode_that_is_signed(void **state)
{
    static const struct {
        Drover__V1__Mode mode;
        const char *word;
    } modes[] = {{DROVER__V1__MODE__UP, ", UP, "},
                 {DROVER__V1__MODE__DOWN, ", DOWN, "},
                 {DROVER__V1__MODE__PROVE, ", PROVE "},
                 {DROVER__V1__MODE__STAMP, ", STAMP "},
                 {DROVER__V1__MODE__REMEDY, ", REMEDY mend, "},
                 {DROVER__V1__MODE__UNSTAMP, ", UNSTAMP "}};
    struct dr_arena *arena = dr_arena_new(1u << 20);
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(modes); i++) {
        const char *text = shown(arena, modes[i].mode, DROVER__V1__ON_FAILURE__HOLD);
        if (strstr(text, modes[i].word) == NULL) {
            fail_msg("no '%s' in: %s", modes[i].word, text);
        }
        assert_null(strstr(text, "reversed"));
    }
    dr_arena_free(&arena);
}

static void
approve_says_when_a_failure_is_reversed(void **state)
{
    struct dr_arena *arena = dr_arena_new(1u << 20);
    (void)state;
    const char *text = shown(arena, DROVER__V1__MODE__UP, DROVER__V1__ON_FAILURE__REVERSE);
    assert_non_null(strstr(text, "UP, reversed when it fails, until"));
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approve_names_the_mode_that_is_signed),
        cmocka_unit_test(approve_says_when_a_failure_is_reversed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
