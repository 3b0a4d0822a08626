// Which value counts: an option before a DROVER_ variable before drover.conf; and which database a
// command means.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "run_cli.h"

#include "coordinator/cli/project.h"

static const struct dr_cli_option option_config = {"config", 'c', "FILE", ""};
static const struct dr_cli_option option_url = {"url", 0, "URL", ""};

struct fixture {
    struct dr_tmp tmp;
    struct dr_cli cli;
    struct dr_err err;
};

static int
setup(void **state)
{
    void *tmp = NULL;
    int rc = run_setup(&tmp);
    struct fixture *f = calloc(1, sizeof(*f));
    f->tmp = *(struct dr_tmp *)tmp;
    free(tmp);
    f->cli.arena = dr_arena_new(1 << 20);
    *state = f;
    return rc;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    dr_project_close(&f->cli.project);
    dr_arena_free(&f->cli.arena);
    int rc = chdir("/");
    dr_tmp_fini(&f->tmp);
    free(f);
    return rc;
}

static void
give(struct fixture *f, const struct dr_cli_option *option, const char *value)
{
    f->cli.given[f->cli.given_count++] = (struct dr_cli_given){option, value};
}

static const struct dr_project *
need(struct fixture *f)
{
    dr_project_close(&f->cli.project);
    if (dr_project_need(&f->cli, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    return f->cli.project;
}

static void
a_variable_goes_before_the_file(void **state) // id: V15
{
    struct fixture *f = *state;
    run_project(&f->tmp, "person = \"alice\"\nenvironment = \"staging\"\n");
    assert_string_equal(need(f)->person, "alice");
    setenv("DROVER_PERSON", "bob", 1);
    assert_string_equal(need(f)->person, "bob");
    assert_string_equal(f->cli.project->environment, "staging");
    setenv("DROVER_PERSON", "", 1); // empty is not set
    assert_string_equal(need(f)->person, "alice");
    unsetenv("DROVER_PERSON");
}

static void
a_path_of_the_file_begins_at_the_file_and_one_of_a_variable_here(void **state)
{
    struct fixture *f = *state;
    char wanted[PATH_MAX];
    char below[PATH_MAX];
    run_project(&f->tmp, "key = \"keys/alice.key\"\n");
    dr_tmp_path(&f->tmp, "below", below);
    assert_int_equal(mkdir(below, 0755), 0);
    assert_int_equal(chdir(below), 0);
    assert_string_equal(need(f)->key, dr_tmp_path(&f->tmp, "keys/alice.key", wanted));
    setenv("DROVER_KEY", "mine.key", 1);
    assert_string_equal(need(f)->key, dr_tmp_path(&f->tmp, "below/mine.key", wanted));
    setenv("DROVER_KEY", "/abs/mine.key", 1);
    assert_string_equal(need(f)->key, "/abs/mine.key");
    unsetenv("DROVER_KEY");
}

static void
the_project_is_found_in_a_folder_above(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    run_project(&f->tmp, "");
    dr_tmp_path(&f->tmp, "revisions", path);
    assert_int_equal(chdir(path), 0);
    assert_string_equal(need(f)->name, "shop");
    assert_string_equal(f->cli.project->folder, f->tmp.path);
}

static void
config_names_another_file_and_goes_before_its_variable(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    run_project(&f->tmp, "");
    dr_tmp_file(&f->tmp, "one.conf", "project = \"one\"\n", 0644, path);
    dr_tmp_file(&f->tmp, "two.conf", "project = \"two\"\n", 0644, path);
    setenv("DROVER_CONFIG", "one.conf", 1);
    assert_string_equal(need(f)->name, "one");
    give(f, &option_config, "two.conf");
    assert_string_equal(need(f)->name, "two");
    f->cli.given_count = 0;
    dr_project_close(&f->cli.project);
    setenv("DROVER_CONFIG", "none.conf", 1); // named and not there: never another one instead
    assert_int_equal(dr_project_maybe(&f->cli, &f->err), DR_E_NOT_FOUND);
    run_says(f->err.hint, "DROVER_CONFIG");
    unsetenv("DROVER_CONFIG");
}

static void
without_a_project_the_folder_revisions_is_taken(void **state)
{
    struct fixture *f = *state;
    char wanted[PATH_MAX];
    assert_int_equal(dr_project_need(&f->cli, &f->err), DR_E_NOT_FOUND);
    run_says(f->err.hint, "drover init");
    assert_int_equal(dr_project_maybe(&f->cli, &f->err), DR_OK);
    assert_int_equal(f->err.rc, DR_OK);
    assert_string_equal(f->cli.project->revisions, dr_tmp_path(&f->tmp, "revisions", wanted));
    assert_string_equal(f->cli.project->coordinator, "");
}

static void
a_database_is_named_by_option_then_variables_then_file(void **state) // id: C15 C16
{
    struct fixture *f = *state;
    run_project(&f->tmp, "url = \"sqlite:file.db\"\n");
    (void)need(f);
    assert_string_equal(dr_project_direct_url(&f->cli), "sqlite:file.db");
    setenv("DATABASE_URL", "sqlite:database_url.db", 1);
    assert_string_equal(dr_project_direct_url(&f->cli), "sqlite:database_url.db");
    setenv("DROVER_URL", "sqlite:drover_url.db", 1);
    assert_string_equal(dr_project_direct_url(&f->cli), "sqlite:drover_url.db");
    give(f, &option_url, "sqlite:option.db");
    assert_string_equal(dr_project_direct_url(&f->cli), "sqlite:option.db");
    unsetenv("DROVER_URL");
    unsetenv("DATABASE_URL");
}

static void
with_a_coordinator_only_what_is_drovers_own_names_a_database(void **state)
{
    struct fixture *f = *state;
    run_project(&f->tmp, "url = \"sqlite:file.db\"\ncoordinator = \"tcp://127.0.0.1:1\"\n");
    (void)need(f);
    setenv("DATABASE_URL", "sqlite:of_the_application.db", 1);
    assert_null(dr_project_direct_url(&f->cli));
    setenv("DROVER_URL", "sqlite:drover_url.db", 1);
    assert_string_equal(dr_project_direct_url(&f->cli), "sqlite:drover_url.db");
    unsetenv("DROVER_URL");
    unsetenv("DATABASE_URL");
}

static void
what_is_missing_for_a_coordinator_is_named(void **state)
{
    struct fixture *f = *state;
    run_project(&f->tmp, "coordinator = \"tcp://127.0.0.1:1\"\n");
    assert_int_equal(dr_project_need_coordinator(&f->cli, &f->err), DR_E_CONFIG);
    assert_string_equal(f->err.message, "'coordinator_key' is not set in 'drover.conf', so no "
                                        "coordinator can be reached");
    run_says(f->err.hint, "--url");
}

static void
paths_are_shown_as_one_would_write_them_here(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];
    assert_string_equal(dr_project_shown(&f->cli, dr_tmp_path(&f->tmp, "revisions/a.sql", path)),
                        "revisions/a.sql");
    assert_string_equal(dr_project_shown(&f->cli, "/etc/drover.conf"), "/etc/drover.conf");
    snprintf(path, sizeof(path), "%s-other/a.sql", f->tmp.path);
    assert_string_equal(dr_project_shown(&f->cli, path), path); // only looks like a folder below
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_variable_goes_before_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_path_of_the_file_begins_at_the_file_and_one_of_a_variable_here, setup, teardown),
        cmocka_unit_test_setup_teardown(the_project_is_found_in_a_folder_above, setup, teardown),
        cmocka_unit_test_setup_teardown(config_names_another_file_and_goes_before_its_variable,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_project_the_folder_revisions_is_taken, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_database_is_named_by_option_then_variables_then_file,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            with_a_coordinator_only_what_is_drovers_own_names_a_database, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_missing_for_a_coordinator_is_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(paths_are_shown_as_one_would_write_them_here, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
