// What changed since an approver looked is said; what did not is not.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/file.h"
#include "coordinator/cli/approve_seen.h"
#include "coordinator/cli/project.h"
#include "support/test_tmp.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// A stage of one plan, one gate and one target.
struct scene {
    struct dr_tmp tmp;
    struct dr_project project;
    struct dr_cli cli;
    struct dr_remote remote;
    struct dr_stage stage;
    struct dr_stage_plan plan;
    struct dr_stage_target target;
    struct dr_stage_gate gate;
    struct dr_fleet_entry policy;
    Drover__V1__FleetEntry entry;
    Drover__V1__Environment rules;
    Drover__V1__EnginePlan named;
    Drover__V1__Rollout rollout;
    Drover__V1__StageStatus said;
    Drover__V1__TargetStatus row;
    Drover__V1__Attestation ready;
    Drover__V1__Head head, *heads[1];
    Drover__V1__Gate item;
    char id[16], environment[16], name[32], revision[64], thing[32];
    uint8_t plan_sha256[32];
};

static int
set_up(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    dr_tmp_init(&s->tmp);
    (void)snprintf(s->project.trust, sizeof s->project.trust, "%s", s->tmp.path);
    (void)snprintf(s->id, sizeof s->id, "R-1");
    (void)snprintf(s->environment, sizeof s->environment, "production");
    (void)snprintf(s->name, sizeof s->name, "production/orders");
    (void)snprintf(s->revision, sizeof s->revision, "001_users");
    (void)snprintf(s->thing, sizeof s->thing, "logs-reviewed");
    s->cli.arena = dr_arena_new(16u << 20);
    s->cli.project = &s->project;
    s->remote.cli = &s->cli;
    drover__v1__rollout__init(&s->rollout);
    drover__v1__stage_status__init(&s->said);
    drover__v1__target_status__init(&s->row);
    drover__v1__attestation__init(&s->ready);
    drover__v1__head__init(&s->head);
    drover__v1__gate__init(&s->item);
    drover__v1__engine_plan__init(&s->named);
    drover__v1__fleet_entry__init(&s->entry);
    drover__v1__environment__init(&s->rules);
    s->entry.environment = &s->rules;
    s->policy.msg = &s->entry;
    s->rollout.id = s->id;
    s->said.environment = s->environment;
    s->row.target = s->name;
    s->head.id = s->revision;
    s->heads[0] = &s->head;
    s->ready.heads = s->heads;
    s->ready.n_heads = 1;
    s->item.kind = DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    s->item.item = s->thing;
    s->named.plan_sha256 = dr_data(s->plan_sha256, 32);
    s->plan.named = &s->named;
    s->target.said = &s->row;
    s->target.ready.msg = &s->ready;
    s->gate = (struct dr_stage_gate){.gate = &s->item, .is_open = true};
    s->stage = (struct dr_stage){.remote = &s->remote,
                                 .rollout = &s->rollout,
                                 .said = &s->said,
                                 .policy = &s->policy,
                                 .plans = &s->plan,
                                 .n_plans = 1,
                                 .targets = &s->target,
                                 .n_targets = 1};
    *state = s;
    return 0;
}

static int
tear_down(void **state)
{
    struct scene *s = *state;
    dr_arena_free(&s->cli.arena);
    dr_tmp_fini(&s->tmp);
    free(s);
    return 0;
}

// What a look prints, in the arena.
static const char *
look(struct scene *s)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    (void)fflush(stdout);
    int terminal = dup(STDOUT_FILENO);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    dr_approve_seen(&s->stage, &s->gate, 1);
    (void)fflush(stdout);
    assert_true(dup2(terminal, STDOUT_FILENO) >= 0);
    (void)close(terminal);
    char *text = dr_arena_alloc(s->cli.arena, 8192);
    rewind(file);
    assert_true(fread(text, 1, 8191, file) < 8191);
    (void)fclose(file);
    return text;
}

static void
the_first_look_and_one_without_change_say_nothing(void **state)
{
    struct scene *s = *state;
    assert_string_equal(look(s), "");
    assert_string_equal(look(s), "");
    assert_int_equal(dr_tmp_count(&s->tmp), 1);
}

// id: W16
static void
every_change_is_named_once(void **state)
{
    struct scene *s = *state;
    (void)look(s);
    s->ready.flags = DROVER__V1__READY_FLAG__FLAG_DRIFT;
    s->target.ready.sha256[0] = 1;
    s->gate.is_open = false;
    const char *said = look(s);
    assert_non_null(strstr(said, "Changed since you looked"));
    assert_non_null(strstr(said, "  + gate logs-reviewed: closed\n"));
    assert_non_null(strstr(said, "at 001_users, flags: drift\n"));
    assert_non_null(strstr(said, "  - target production/orders: READY 00000000 00000000"));
    assert_null(strstr(said, "plan"));
    assert_string_equal(look(s), "");
    s->plan_sha256[0] = 9;
    s->policy.sha256[0] = 9;
    said = look(s);
    assert_non_null(strstr(said, "+ plan 09000000 00000000"));
    assert_non_null(strstr(said, "+ policy 09000000 00000000"));
    assert_null(strstr(said, "target"));
    s->target.ready.msg = NULL;
    assert_non_null(strstr(look(s), "+ target production/orders: no READY"));
}

// id: W03
static void
what_agents_called_things_moves_no_terminal_and_makes_no_line(void **state)
{
    struct scene *s = *state;
    (void)look(s);
    (void)snprintf(s->revision, sizeof s->revision, "a\x1b[2J\ngate logs-reviewed: open");
    const char *said = look(s);
    assert_null(strchr(said, '\x1b'));
    assert_null(strstr(said, "  + gate"));
}

static void
each_rollout_and_environment_is_remembered_apart(void **state)
{
    struct scene *s = *state;
    (void)look(s);
    (void)snprintf(s->environment, sizeof s->environment, "../../x");
    s->gate.is_open = false;
    assert_string_equal(look(s), "");
    assert_int_equal(dr_tmp_count(&s->tmp), 2);
}

static void
a_file_that_is_not_whole_counts_as_never_seen(void **state)
{
    struct scene *s = *state;
    char path[PATH_MAX];
    struct dr_err err = {0};
    (void)look(s);
    DIR *dir = opendir(s->tmp.path);
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            static const char TEXT[] = "5 0000\nplan\n";
            assert_int_equal(dr_file_write(dr_tmp_path(&s->tmp, entry->d_name, path), TEXT,
                                           sizeof TEXT - 1, 0600, &err),
                             DR_OK);
        }
    }
    (void)closedir(dir);
    s->gate.is_open = false;
    assert_string_equal(look(s), "");
    s->gate.is_open = true;
    assert_non_null(strstr(look(s), "+ gate logs-reviewed: open"));
}

#define SEEN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SEEN(the_first_look_and_one_without_change_say_nothing),
        SEEN(every_change_is_named_once),
        SEEN(what_agents_called_things_moves_no_terminal_and_makes_no_line),
        SEEN(each_rollout_and_environment_is_remembered_apart),
        SEEN(a_file_that_is_not_whole_counts_as_never_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
