// The command line as people type it: where options may stand, what is an argument, what is refused
// and with which exit code.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "run_cli.h"

static struct run r;

static void
a_relative_revision_is_an_argument(void **state) // id: C2 C4
{
    (void)state;
    RUN(&r, "downgrade", "-1");
    assert_int_equal(r.code, 2);
    run_says(r.err, "no database and no coordinator is named");
    run_says(r.err, "try: drover downgrade -1 --url");
    RUN(&r, "upgrade", "+2");
    run_says(r.err, "try: drover upgrade +2 --url");
    RUN(&r, "downgrade", "-12", "--yes");
    run_says(r.err, "try: drover downgrade -12 --url");
}

static void
a_range_that_begins_with_a_minus_is_a_value(void **state)
{
    const struct dr_tmp *tmp = *state;
    run_project(tmp, "");
    run_revision(tmp, "a", "");
    run_revision(tmp, "b", "a");
    run_revision(tmp, "c", "b");
    RUN(&r, "history", "-r", "-1:head");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.out, "b -> c (head), Make t_c\na -> b, Make t_b\n");
    RUN(&r, "history", "-r-1:head");
    assert_int_equal(r.code, 0);
    RUN(&r, "history", "-r", "-3:current"); // no database is named
    assert_int_equal(r.code, 2);
    run_says(r.err, "this asks a database, and none is named");
    RUN(&r, "history", "-r", "a:b");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.out, "a -> b, Make t_b\n<base> -> a, Make t_a\n");
    RUN(&r, "log", "--limit", "-1", "--file", "x");
    assert_null(strchr(r.err, 1)); // the mark is taken off again
}

static void
options_stand_before_and_behind_the_command(void **state)
{
    static const char *const calls[][6] = {
        {"-o", "json", "heads"},
        {"heads", "-o", "json"},
        {"-ojson", "heads"},
        {"--output", "json", "heads", "-q"},
        {"--output=json", "heads"},
        {"heads", "--output=json"},
        {"--no-input", "heads", "-o", "json"},
        {"-q", "-y", "heads", "-ojson"},
    };
    char first[RUN_TEXT_MAX] = "";
    const struct dr_tmp *tmp = *state;
    run_project(tmp, "");
    run_revision(tmp, "a", "");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        run_cli(&r, calls[i]);
        assert_int_equal(r.code, 0);
        run_says(r.out, "\"drover.v1.Heads\"");
        if (i == 0) {
            memcpy(first, r.out, sizeof(first));
        }
        assert_string_equal(r.out, first);
    }
}

static void
an_option_of_the_command_may_stand_before_it(void **state)
{
    (void)state;
    RUN(&r, "--url", "sqlite:none.db", "current");
    assert_int_equal(r.code, 1);
    run_says(r.err, "there is no database file 'none.db'");
    RUN(&r, "--url=mysql://x/y", "current");
    assert_int_equal(r.code, 1);
    run_says(r.err, "sqlite:");
}

static void
the_last_of_an_option_given_twice_counts(void **state)
{
    (void)state;
    RUN(&r, "current", "--url", "mysql://x/y", "--url", "sqlite:none.db");
    run_says(r.err, "there is no database file 'none.db'");
}

static void
an_unknown_option_is_named_with_the_help_to_type(void **state)
{
    (void)state;
    RUN(&r, "history", "--frobnicate");
    assert_int_equal(r.code, 2);
    assert_string_equal(r.err, "drover: error: unknown option '--frobnicate'\n"
                               "  try: drover history --help\n");
    RUN(&r, "history", "-Z");
    assert_int_equal(r.code, 2);
    run_says(r.err, "unknown option '-Z'");
    RUN(&r, "heads", "--url", "x"); // another command's
    assert_int_equal(r.code, 2);
    run_says(r.err, "unknown option '--url'");
    assert_string_equal(r.out, "");
}

static void
a_missing_value_is_named(void **state)
{
    (void)state;
    RUN(&r, "current", "--url");
    assert_int_equal(r.code, 2);
    run_says(r.err, "option '--url' needs a value");
    RUN(&r, "revision", "-m");
    assert_int_equal(r.code, 2);
    run_says(r.err, "option '-m' needs a value");
}

static void
values_of_global_options_are_checked(void **state)
{
    (void)state;
    RUN(&r, "heads", "--output", "xml");
    assert_int_equal(r.code, 2);
    run_says(r.err, "--output is text, json or jsonl, not 'xml'");
    RUN(&r, "heads", "--color", "blue");
    assert_int_equal(r.code, 2);
    run_says(r.err, "--color is auto, always or never, not 'blue'");
}

static void
too_few_and_too_many_arguments_are_named(void **state)
{
    (void)state;
    RUN(&r, "show");
    assert_int_equal(r.code, 2);
    run_says(r.err, "'drover show' needs REVISION");
    RUN(&r, "show", "a", "b");
    assert_int_equal(r.code, 2);
    run_says(r.err, "'drover show' does not take 'b'");
    run_says(r.err, "try: drover show --help");
}

static void
more_options_than_there_is_room_for_are_refused(void **state)
{
    const char *words[31] = {"heads"};
    (void)state;
    for (size_t i = 1; i < 30; i++) {
        words[i] = "-qqqqqqqqqqqq"; // twelve each
    }
    run_cli(&r, words);
    assert_int_equal(r.code, 2);
    run_says(r.err, "too many options");
}

static void
an_unknown_command_is_answered_with_the_nearest(void **state)
{
    (void)state;
    RUN(&r, "upgrad");
    assert_int_equal(r.code, 2);
    assert_string_equal(r.err, "drover: error: 'upgrad' is no command of drover\n"
                               "  try: drover upgrade --help\n");
    RUN(&r, "xyzzy");
    run_says(r.err, "try: drover --help");
    RUN(&r, "rollout");
    assert_int_equal(r.code, 2);
    run_says(r.err, "'drover rollout' needs another word: list, show, watch");
    RUN(&r, "rollout", "dance");
    run_says(r.err, "'rollout dance' is no command of drover; after 'rollout' comes: list");
    RUN(&r, "-q", "xyzzy", "--frobnicate");
    run_says(r.err, "'xyzzy' is no command");
}

static void
exit_codes_tell_what_happened(void **state)
{
    const struct dr_tmp *tmp = *state;
    RUN(&r, "heads");
    assert_int_equal(r.code, 1); // no folder with revisions
    RUN(&r, "status");
    assert_int_equal(r.code, 1); // no drover.conf
    run_says(r.err, "try: drover init");
    run_project(tmp, "coordinator = \"tcp://127.0.0.1:1\"\n");
    RUN(&r, "status");
    assert_int_equal(r.code, 2); // configuration
    run_revision(tmp, "a", "");
    char path[PATH_MAX];
    dr_tmp_file(tmp, "app.db", "", 0600, path);
    RUN(&r, "current", "--url", "sqlite:app.db", "--check-heads");
    assert_int_equal(r.code, 3); // a difference
    RUN(&r, "current", "--url", "postgresql:///x?host=/nowhere");
    assert_int_equal(r.code, 5); // unreachable
    RUN(&r, "upgrade", "head", "--url", "sqlite:app.db");
    assert_int_equal(r.code, 0);
    RUN(&r, "downgrade", "-1", "--url", "sqlite:app.db", "--no-input");
    assert_int_equal(r.code, 2); // nobody can be asked
    run_says(r.err, "the same command with --yes");
    RUN(&r, "current", "--url", "sqlite:app.db", "--check-heads");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.out, "a (head)\n");
}

static void
help_goes_to_standard_output_and_ends_well(void **state)
{
    (void)state;
    RUN(&r, "--help");
    assert_int_equal(r.code, 0);
    run_says(r.out, "Author (no server needed):");
    RUN(&r, "rollout", "show", "--help");
    assert_int_equal(r.code, 0);
    run_says(r.out, "Usage: drover rollout show R-N [options]");
    RUN(&r, "help", "rollout", "show");
    run_says(r.out, "Usage: drover rollout show R-N [options]");
    RUN(&r, "rollout", "--help");
    run_says(r.out, "drover rollout abort R-N");
    assert_string_equal(r.err, "");
    RUN(&r, "help", "xyzzy");
    assert_int_equal(r.code, 2);
    RUN(&r, "--version");
    assert_int_equal(r.code, 0);
    run_says(r.out, "drover ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_relative_revision_is_an_argument, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(a_range_that_begins_with_a_minus_is_a_value, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(options_stand_before_and_behind_the_command, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(an_option_of_the_command_may_stand_before_it, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(the_last_of_an_option_given_twice_counts, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(an_unknown_option_is_named_with_the_help_to_type, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(a_missing_value_is_named, run_setup, run_teardown),
        cmocka_unit_test_setup_teardown(values_of_global_options_are_checked, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(too_few_and_too_many_arguments_are_named, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(more_options_than_there_is_room_for_are_refused, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(an_unknown_command_is_answered_with_the_nearest, run_setup,
                                        run_teardown),
        cmocka_unit_test_setup_teardown(exit_codes_tell_what_happened, run_setup, run_teardown),
        cmocka_unit_test_setup_teardown(help_goes_to_standard_output_and_ends_well, run_setup,
                                        run_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
