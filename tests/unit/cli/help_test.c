// The rows of the command table: help is made from them and compared with tests/golden (run with
// DROVER_UPDATE_GOLDEN=1 to write it anew), and what messages tell people to type is in them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "coordinator/cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Compares with the golden file, or writes it.
static void
golden(const char *name, const struct dr_buf *text)
{
    char path[PATH_MAX];
    char *kept = NULL;
    size_t len = 0;
    struct dr_err err = {0};
    const char *source = getenv("DROVER_SOURCE");
    assert_false(text->failed);
    snprintf(path, sizeof(path), "%s/tests/golden/%s", source ? source : "../main", name);
    if (getenv("DROVER_UPDATE_GOLDEN") != NULL) {
        assert_int_equal(dr_file_write(path, text->data, text->len, 0644, &err), DR_OK);
        return;
    }
    assert_int_equal(dr_file_read(path, 1 << 20, &kept, &len, &err), DR_OK);
    assert_string_equal(text->data, kept);
    free(kept);
}

static void
the_overview_is_as_in_the_golden_file(void **state)
{
    struct dr_buf out = {0};
    (void)state;
    dr_cli_help_overview(&out);
    golden("drover.txt", &out);
    dr_buf_fini(&out);
}

static void
help_of_every_command_is_as_in_the_golden_file(void **state)
{
    struct dr_buf out = {0};
    (void)state;
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        dr_buf_printf(&out, "---- drover %s --help\n", c->name);
        dr_cli_help_command(c, &out);
    }
    golden("drover_commands.txt", &out);
    dr_buf_fini(&out);
}

static void
every_row_is_whole(void **state)
{
    (void)state;
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        const char *words[3] = {c->name, NULL, NULL};
        char name[64];
        size_t found = 0;
        snprintf(name, sizeof(name), "%s", c->name);
        char *space = strchr(name, ' ');
        if (space != NULL) {
            *space = '\0';
            words[0] = name;
            words[1] = space + 1;
        }
        assert_ptr_equal(dr_cli_find(words, space ? 2 : 1, &found), c); // no row hides another
        assert_int_equal(found, space ? 2 : 1);
        assert_non_null(c->run);
        assert_true(c->summary[0] != '\0' && c->group[0] != '\0' && c->examples[0] != '\0');
        assert_true(c->args_max == -1 || c->args_max >= c->args_min);
        assert_true((c->args[0] != '\0') == (c->args_max != 0));
    }
}

static void
no_option_hides_another(void **state)
{
    (void)state;
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        for (const struct dr_cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
            for (const struct dr_cli_option *g = dr_cli_global_options; g->name != NULL; g++) {
                assert_string_not_equal(o->name, g->name);
                assert_true(o->letter == 0 || o->letter != g->letter);
            }
            for (const struct dr_cli_option *other = c->options; other < o; other++) {
                assert_string_not_equal(o->name, other->name);
                assert_true(o->letter == 0 || o->letter != other->letter);
            }
        }
    }
}

// Is `text`, which begins behind "drover ", a command of the table?
static bool
names_command(const char *text)
{
    char copy[256];
    const char *words[2] = {copy, NULL};
    size_t found = 0;
    snprintf(copy, sizeof(copy), "%.*s", (int)strcspn(text, ";:,()'\"\n"), text);
    char *space = strchr(copy, ' ');
    if (space != NULL) {
        *space = '\0';
        words[1] = space + 1;
        char *end = strchr(space + 1, ' ');
        if (end != NULL) {
            *end = '\0';
        }
    }
    return dr_cli_find(words, words[1] ? 2 : 1, &found) != NULL;
}

static void
every_example_is_a_command(void **state)
{
    (void)state;
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        for (const char *p = c->examples; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
            p += *p == '\n' ? 1 : 0;
            assert_true(dr_str_starts(p, "drover "));
            assert_true(dr_str_starts(p + strlen("drover "), c->name));
        }
    }
}

// Hints of errors say `drover WORD`; a word of prose behind "drover" would be taken for a command.
static void
every_command_in_a_hint_of_the_error_table_exists(void **state)
{
    static const char *const hints[] = {
#define DR_ERR(name, number, exit_code, rpc_status, hint) hint,
#include "base/err_table.h"
#undef DR_ERR
    };
    static const char *const prose[] = {"again", "wrote", "works", "of", "and", "it"};
    (void)state;
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        assert_true(hints[i][0] == '\0' || strlen(hints[i]) < DR_ERR_HINT_MAX);
        for (const char *p = hints[i]; (p = strstr(p, "drover ")) != NULL; p++) {
            bool is_prose = false;
            for (size_t k = 0; k < sizeof(prose) / sizeof(prose[0]); k++) {
                is_prose = is_prose || dr_str_starts(p + 7, prose[k]);
            }
            bool is_ours = p == hints[i] || p[-1] == ' ' || p[-1] == '(' || p[-1] == '`';
            if (is_ours && !is_prose && !names_command(p + 7)) {
                fail_msg("no command of drover: '%s'", p);
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_overview_is_as_in_the_golden_file),
        cmocka_unit_test(help_of_every_command_is_as_in_the_golden_file),
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(no_option_hides_another),
        cmocka_unit_test(every_example_is_a_command),
        cmocka_unit_test(every_command_in_a_hint_of_the_error_table_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
