// Nothing that a coordinator, a database or a file says moves the terminal; colours only where they
// are wanted; JSON with its schema.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "run_cli.h"

#include "base/clock.h"
#include "coordinator/cli/agent_conf.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/ready_flags.h"
#include "proto/service.pb-c.h"

#define NOW 1700000000

// A clear screen, a title, a bell, a colour, a right-to-left override, half a character, a return.
#define HOSTILE "a\033[2J\033]0;x\007\033[31mb\xe2\x80\xae\xff\rc"

static const char text_of_hostile[] =
    "a\\u{001B}[2J\\u{001B}]0;x\\u{0007}\\u{001B}[31mb\\u{202E}\\xFF\\u{000D}c";
static struct run r;

static struct dr_cli
some_cli(struct dr_arena *arena, enum dr_cli_format format, bool color)
{
    return (struct dr_cli){.arena = arena, .format = format, .color = color};
}

static void
assert_is_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < ' ' && *p != '\n') {
            fail_msg("byte %02x reached the terminal: %s", (unsigned char)*p, text);
        }
    }
    assert_null(strstr(text, "\xe2\x80\xae"));
}

static void
said_text_is_escaped(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_cli cli = some_cli(arena, DR_CLI_TEXT, false);
    (void)state;
    struct run_catch c = run_catch_begin(stdout, STDOUT_FILENO);
    dr_say(&cli, "%s|%s\n", HOSTILE, dr_print_safe(&cli, HOSTILE));
    run_catch_end(&c, r.out);
    assert_is_plain(r.out);
    char wanted[512];
    snprintf(wanted, sizeof(wanted), "%s|%s\n", text_of_hostile, text_of_hostile);
    assert_string_equal(r.out, wanted);
    dr_arena_free(&arena);
}

static void
only_the_tones_own_codes_pass_and_only_with_colours(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_cli cli = some_cli(arena, DR_CLI_TEXT, true);
    (void)state;
    struct run_catch c = run_catch_begin(stdout, STDOUT_FILENO);
    dr_say(&cli, "%sgood%s \033[2J\033[1m", dr_tone_begin(&cli, DR_TONE_GOOD),
           dr_tone_end(&cli, DR_TONE_GOOD));
    run_catch_end(&c, r.out);
    assert_string_equal(r.out, "\033[32mgood\033[0m \\u{001B}[2J\\u{001B}[1m");
    cli.color = false;
    c = run_catch_begin(stdout, STDOUT_FILENO);
    dr_say(&cli, "%sgood%s \033[32m", dr_tone_begin(&cli, DR_TONE_GOOD),
           dr_tone_end(&cli, DR_TONE_GOOD));
    run_catch_end(&c, r.out);
    assert_string_equal(r.out, "good \\u{001B}[32m");
    dr_arena_free(&arena);
}

static void
nothing_is_said_in_json(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_cli cli = some_cli(arena, DR_CLI_JSON, false);
    (void)state;
    struct run_catch c = run_catch_begin(stdout, STDOUT_FILENO);
    dr_say(&cli, "words");
    dr_print_json(&cli, json_pack("{s:s, s:s}", "schema", "drover.v1.X", "text", "a\033[2J\u202e"));
    run_catch_end(&c, r.out);
    assert_string_equal(r.out, "{\n  \"schema\": \"drover.v1.X\",\n"
                               "  \"text\": \"a\\u001B[2J\\u202E\"\n}\n");
    cli.format = DR_CLI_JSONL;
    c = run_catch_begin(stdout, STDOUT_FILENO);
    dr_print_json(&cli, json_pack("{s:i}", "a", 1));
    run_catch_end(&c, r.out);
    assert_string_equal(r.out, "{\"a\":1}\n");
    dr_arena_free(&arena);
}

static void
a_message_is_printed_behind_its_schema(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_cli cli = some_cli(arena, DR_CLI_JSONL, false);
    Drover__V1__HealthRequest message = DROVER__V1__HEALTH_REQUEST__INIT;
    struct dr_err err = {0};
    char name[] = "R-1";
    (void)state;
    message.service = name;
    struct run_catch c = run_catch_begin(stdout, STDOUT_FILENO);
    assert_int_equal(dr_print_message(&cli, "drover.v1.Name", &message.base, &err), DR_OK);
    run_catch_end(&c, r.out);
    assert_string_equal(r.out, "{\"schema\":\"drover.v1.Name\",\"service\":\"R-1\"}\n");
    dr_arena_free(&arena);
}

static void
cells_of_tables_are_escaped(void **state)
{
    static const char *const columns[] = {"NAME", "STATE", NULL};
    const char *const cells[] = {HOSTILE, "ready\033[2J", NULL};
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_cli cli = some_cli(arena, DR_CLI_TEXT, false);
    (void)state;
    struct dr_table *table = dr_table_new(&cli, columns);
    assert_non_null(table);
    size_t root = dr_table_row(table, SIZE_MAX, cells);
    dr_table_tone(table, dr_table_row(table, root, cells), 1, DR_TONE_GOOD);
    struct run_catch c = run_catch_begin(stdout, STDOUT_FILENO);
    dr_table_print(table, stdout);
    run_catch_end(&c, r.out);
    assert_is_plain(r.out);
    run_says(r.out, text_of_hostile);
    dr_table_free(&table);
    assert_null(table);
    dr_arena_free(&arena);
}

static void
errors_and_notes_are_escaped(void **state)
{
    struct dr_cli cli = {0};
    struct dr_err err = {0};
    (void)state;
    dr_err_set(&err, DR_E_INVALID, "%s", HOSTILE);
    dr_err_hint(&err, "%s", HOSTILE);
    dr_err_at(&err, HOSTILE, 3, 4);
    struct run_catch c = run_catch_begin(stderr, STDERR_FILENO);
    dr_cli_print_error(&err);
    dr_print_note(&cli, "note: %s", HOSTILE);
    run_catch_end(&c, r.err);
    assert_is_plain(r.err);
    char wanted[2048];
    snprintf(wanted, sizeof(wanted), "drover: error: %s:3:4: %s\n  try: %s\nnote: %s\n",
             text_of_hostile, text_of_hostile, text_of_hostile, text_of_hostile);
    assert_string_equal(r.err, wanted);
}

static void
an_error_without_a_hint_of_its_own_has_that_of_its_kind(void **state)
{
    struct dr_err err = {0};
    (void)state;
    dr_err_set(&err, DR_E_PASSPHRASE, "wrong");
    struct run_catch c = run_catch_begin(stderr, STDERR_FILENO);
    dr_cli_print_error(&err);
    run_catch_end(&c, r.err);
    run_says(r.err, "drover: error: wrong\n  try: ");
}

static void
quiet_has_no_notes(void **state)
{
    struct dr_cli cli = {.quiet = true};
    (void)state;
    struct run_catch c = run_catch_begin(stderr, STDERR_FILENO);
    dr_print_note(&cli, "note");
    run_catch_end(&c, r.err);
    assert_string_equal(r.err, "");
}

static void
colours_are_chosen_by_option_then_variables_then_terminal(void **state)
{
    (void)state;
    assert_true(dr_print_wants_color("always"));
    assert_false(dr_print_wants_color("never"));
    struct run_catch c = run_catch_begin(stdout, STDOUT_FILENO);
    bool in_a_file = dr_print_wants_color(NULL);
    setenv("FORCE_COLOR", "1", 1);
    bool forced = dr_print_wants_color("auto");
    setenv("NO_COLOR", "1", 1);
    bool both = dr_print_wants_color(NULL);
    bool asked = dr_print_wants_color("always");
    run_catch_end(&c, r.out);
    assert_false(in_a_file);
    assert_true(forced);
    assert_false(both);
    assert_true(asked);
}

static void
ages_are_whole_seconds_at_least(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_cli cli = some_cli(arena, DR_CLI_TEXT, false);
    (void)state;
    dr_clock_set_for_test((int64_t)NOW * 1000 + 400);
    assert_string_equal(dr_print_age(&cli, 0), "-");
    assert_string_equal(dr_print_age(&cli, NOW), "0s");
    assert_string_equal(dr_print_age(&cli, NOW + 5), "0s"); // a clock that runs ahead
    assert_string_equal(dr_print_age(&cli, NOW - 14), "14s");
    dr_clock_set_for_test(-1);
    dr_arena_free(&arena);
}

static void
a_digest_is_shown_by_its_first_bytes(void **state)
{
    static const uint8_t bytes[32] = {0x3b, 0x9f, 0x77, 0xc2, 0x10, 0xab, 0x44, 0xde, 0xff};
    char out[20];
    (void)state;
    dr_print_digest(out, bytes, 32);
    assert_string_equal(out, "3b9f77c2 10ab44de");
    dr_print_digest(out, bytes, 3); // too short to be one
    assert_string_equal(out, "");
    dr_print_digest(out, NULL, 0);
    assert_string_equal(out, "");
}

static void
ready_flags_have_names_in_both_directions(void **state)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_err err = {0};
    uint32_t flags = 0;
    (void)state;
    assert_int_equal(dr_ready_flags_parse("no-backup,drift", &flags, &err), DR_OK);
    assert_string_equal(dr_ready_flags_names(arena, flags), "drift,no-backup");
    assert_int_equal(
        dr_ready_flags_parse("regressed,foreign,drift,partial,no-backup,new-epoch", &flags, &err),
        DR_OK);
    assert_int_equal(flags, 63);
    assert_int_equal(dr_ready_flags_parse(NULL, &flags, &err), DR_OK);
    assert_int_equal(flags, 0);
    assert_string_equal(dr_ready_flags_names(arena, 0), "");
    assert_int_equal(dr_ready_flags_parse("drift,no", &flags, &err), DR_E_USAGE);
    run_says(err.message, "'no'");
    run_says(err.hint, "no-backup, drift");
    assert_int_equal(flags, 0);
    dr_arena_free(&arena);
}

static void
an_agents_configuration_is_quoted_and_private(void **state)
{
    const struct dr_tmp *tmp = *state;
    char path[PATH_MAX];
    char text[4096] = "";
    struct stat st;
    struct dr_err err = {0};
    struct dr_arena *arena = dr_arena_new(1 << 20);
    struct dr_project project = {.coordinator = "tcp://127.0.0.1:7800", .has_root_pin = true};
    struct dr_cli cli = {.arena = arena, .project = &project};
    const struct dr_agent_conf_target targets[] = {
        {"production/orders", "postgresql://drover:p\"a\\$HOME@db/orders"},
        {"production/notes", "sqlite:notes.db"},
    };
    dr_tmp_file(tmp, "root", "the root", 0644, project.root);
    const struct dr_agent_conf conf = {.path = "agent.conf",
                                       .agent = "prd",
                                       .environment = "production",
                                       .targets = targets,
                                       .n_targets = 2};
    assert_int_equal(dr_agent_conf_check(&cli, conf.path, &err), DR_OK);
    assert_int_equal(dr_agent_conf_write(&cli, &conf, &err), DR_OK);
    dr_tmp_path(tmp, "agent.conf", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600); // a URL may hold a password
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    run_says(text, "url = \"postgresql://drover:p\\\"a\\\\\\$HOME@db/orders\"");
    run_says(text, "target \"production/notes\" { url = \"sqlite:/");
    run_says(text, "root = \"root.1.drv\"");
    run_says(text, "backups = \"state/backups\"\nbackup_keep = \"30d\"\n");
    run_says(text, "\nbackup = \"custom\"\n");
    assert_int_equal(access(dr_tmp_path(tmp, "root.1.drv", path), R_OK), 0);
    assert_int_equal(dr_agent_conf_check(&cli, conf.path, &err), DR_E_EXISTS);
    project.has_root_pin = false;
    assert_int_equal(dr_agent_conf_check(&cli, "other.conf", &err), DR_E_CONFIG);
    run_says(err.hint, "drover sign");
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(said_text_is_escaped),
        cmocka_unit_test(only_the_tones_own_codes_pass_and_only_with_colours),
        cmocka_unit_test(nothing_is_said_in_json),
        cmocka_unit_test(a_message_is_printed_behind_its_schema),
        cmocka_unit_test(cells_of_tables_are_escaped),
        cmocka_unit_test(errors_and_notes_are_escaped),
        cmocka_unit_test(an_error_without_a_hint_of_its_own_has_that_of_its_kind),
        cmocka_unit_test(quiet_has_no_notes),
        cmocka_unit_test_setup_teardown(colours_are_chosen_by_option_then_variables_then_terminal,
                                        run_setup, run_teardown),
        cmocka_unit_test(ages_are_whole_seconds_at_least),
        cmocka_unit_test(a_digest_is_shown_by_its_first_bytes),
        cmocka_unit_test(ready_flags_have_names_in_both_directions),
        cmocka_unit_test_setup_teardown(an_agents_configuration_is_quoted_and_private, run_setup,
                                        run_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
