// Reads the command line by the rows of the tables, runs one command, and says what went wrong.
//
// getopt_long takes `-1` for an option, so arguments that look like a relative revision are marked
// before it sees them and unmarked afterwards.

#include "coordinator/cli/cli.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include <assert.h>
#include <getopt.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define MARK                    0x01
#define OPTIONS_PER_COMMAND_MAX 48

const struct dr_cli_option dr_cli_global_options[] = {
    {"config", 'c', "FILE", "project file (default: drover.conf here or in a folder above)"},
    {"output", 'o', "FORMAT", "text, json or jsonl"},
    {"color", 0, "WHEN", "auto, always or never"},
    {"yes", 'y', NULL, "answer mild questions with yes"},
    {"no-input", 0, NULL, "never ask; fail instead"},
    {"quiet", 'q', NULL, "results only, no progress"},
    {"help", 'h', NULL, "this help"},
    {0},
};

const char *
dr_cli_option(const struct dr_cli *cli, const char *name)
{
    for (size_t i = cli->given_count; i > 0; i--) {
        if (dr_str_eq(cli->given[i - 1].option->name, name)) {
            return cli->given[i - 1].value ? cli->given[i - 1].value : "";
        }
    }
    return NULL;
}

bool
dr_cli_has(const struct dr_cli *cli, const char *name)
{
    return dr_cli_option(cli, name) != NULL;
}

enum dr_rc
dr_cli_number(const struct dr_cli *cli, const char *name, uint64_t min, uint64_t max,
              uint64_t fallback, uint64_t *out, struct dr_err *err)
{
    const char *text = dr_cli_option(cli, name);
    if (text == NULL) {
        *out = fallback;
        return DR_OK;
    }
    if (!dr_parse_u64(text, min, max, out)) {
        return dr_err_set(err, DR_E_USAGE, "--%s takes a number from %llu to %llu, not '%s'", name,
                          (unsigned long long)min, (unsigned long long)max, text);
    }
    return DR_OK;
}

enum dr_rc
dr_cli_duration(const struct dr_cli *cli, const char *name, uint64_t max_ms, uint64_t fallback,
                uint64_t *out, struct dr_err *err)
{
    const char *text = dr_cli_option(cli, name);
    if (text == NULL) {
        *out = fallback;
        return DR_OK;
    }
    uint64_t any = 0;
    if (dr_parse_duration_ms(text, UINT64_MAX, &any) && any > max_ms) {
        char most[32];
        dr_format_duration(most, max_ms);
        return dr_err_set(err, DR_E_USAGE, "--%s takes at most %s, not '%s'", name, most, text);
    }
    if (!dr_parse_duration_ms(text, max_ms, out)) {
        return dr_err_set(err, DR_E_USAGE,
                          "--%s takes a time such as 500ms, 30s or 10min, not '%s'", name, text);
    }
    return DR_OK;
}

static bool
is_relative(const char *text)
{
    if (text[0] != '-' && text[0] != '+') {
        return false;
    }
    size_t i = 1;
    while (text[i] >= '0' && text[i] <= '9') {
        i++;
    }
    return i > 1 && (text[i] == '\0' || text[i] == ':');
}

// Marks relative revisions so that getopt_long takes them as arguments.
static enum dr_rc
mark_relative(struct dr_cli *cli, char **argv, int argc, struct dr_err *err)
{
    for (int i = 1; i < argc; i++) {
        if (is_relative(argv[i])) {
            argv[i] = dr_arena_printf(cli->arena, "%c%s", MARK, argv[i]);
            if (argv[i] == NULL) {
                return dr_err_set(err, DR_E_NOMEM, "out of memory");
            }
        }
    }
    return DR_OK;
}

static size_t
add_rows(const struct dr_cli_option *rows, const struct dr_cli_option **all, size_t count)
{
    for (; rows != NULL && rows->name != NULL && count < OPTIONS_PER_COMMAND_MAX; rows++) {
        all[count++] = rows;
    }
    return count;
}

static void
to_getopt(const struct dr_cli_option *const *all, size_t count, struct option *longs, char *letters)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        longs[i] = (struct option){
            .name = all[i]->name,
            .has_arg = all[i]->value ? required_argument : no_argument,
            .flag = NULL,
            .val = 1000 + (int)i,
        };
        if (all[i]->letter != 0) {
            letters[n++] = all[i]->letter;
            if (all[i]->value != NULL) {
                letters[n++] = ':';
            }
        }
    }
    letters[n] = '\0';
}

static enum dr_rc
bad_option(const struct dr_cli *cli, int kind, char **argv, struct dr_err *err)
{
    const char *word = argv[optind > 1 ? optind - 1 : 1];
    if (kind == ':') {
        dr_err_set(err, DR_E_USAGE, "option '%s' needs a value", word);
    } else if (optopt != 0 && optopt < 256) {
        dr_err_set(err, DR_E_USAGE, "unknown option '-%c'", optopt);
    } else {
        dr_err_set(err, DR_E_USAGE, "unknown option '%s'", word);
    }
    return dr_err_hint(err, "drover %s%s--help", cli->command ? cli->command->name : "",
                       cli->command ? " " : "");
}

static enum dr_rc
parse_options(struct dr_cli *cli, int argc, char **argv, struct dr_err *err)
{
    const struct dr_cli_option *all[OPTIONS_PER_COMMAND_MAX];
    struct option longs[OPTIONS_PER_COMMAND_MAX + 1] = {0};
    char letters[2 * OPTIONS_PER_COMMAND_MAX + 2] = ":";
    size_t count = add_rows(cli->command ? cli->command->options : NULL, all, 0);
    count = add_rows(dr_cli_global_options, all, count);
    to_getopt(all, count, longs, letters + 1);
    optind = 0;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        if (c == '?' || c == ':') {
            return bad_option(cli, c, argv, err);
        }
        const struct dr_cli_option *row = c >= 1000 ? all[c - 1000] : NULL;
        for (size_t i = 0; row == NULL && i < count; i++) {
            row = all[i]->letter == c ? all[i] : NULL;
        }
        if (row == NULL || cli->given_count == DR_CLI_OPTIONS_MAX) {
            return dr_err_set(err, DR_E_USAGE, "too many options");
        }
        const char *value = row->value ? optarg : NULL;
        cli->given[cli->given_count++] =
            (struct dr_cli_given){row, value && value[0] == MARK ? value + 1 : value};
    }
    return DR_OK;
}

static enum dr_rc
take_globals(struct dr_cli *cli, struct dr_err *err)
{
    const char *format = dr_cli_option(cli, "output");
    const char *color = dr_cli_option(cli, "color");
    if (format == NULL || dr_str_eq(format, "text")) {
        cli->format = DR_CLI_TEXT;
    } else if (dr_str_eq(format, "json")) {
        cli->format = DR_CLI_JSON;
    } else if (dr_str_eq(format, "jsonl")) {
        cli->format = DR_CLI_JSONL;
    } else {
        return dr_err_set(err, DR_E_USAGE, "--output is text, json or jsonl, not '%s'", format);
    }
    if (color != NULL && !dr_str_eq(color, "auto") && !dr_str_eq(color, "always") &&
        !dr_str_eq(color, "never")) {
        return dr_err_set(err, DR_E_USAGE, "--color is auto, always or never, not '%s'", color);
    }
    cli->color = dr_print_wants_color(color);
    cli->interactive = isatty(STDIN_FILENO) && !dr_cli_has(cli, "no-input");
    cli->yes = dr_cli_has(cli, "yes");
    cli->quiet = dr_cli_has(cli, "quiet");
    return DR_OK;
}

static bool
names_value_option(const struct dr_cli_option *rows, const char *arg)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        bool is_it = arg[1] == '-' ? dr_str_eq(arg + 2, rows->name)
                                   : arg[1] == rows->letter && arg[2] == '\0';
        if (is_it && rows->value != NULL) {
            return true;
        }
    }
    return false;
}

// Does `arg`, an option that stands before the command, take the next word as its value?
static bool
takes_next(const char *arg)
{
    bool found = names_value_option(dr_cli_global_options, arg);
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL && !found; c++) {
        found = names_value_option(c->options, arg);
    }
    return found;
}

// The words among the arguments that are no options, two at most: the command's name.
static size_t
find_words(int argc, char **argv, const char *words[2])
{
    size_t n = 0;
    for (int i = 1; i < argc && n < 2; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0' && !is_relative(argv[i])) {
            i += takes_next(argv[i]) ? 1 : 0;
        } else {
            words[n++] = argv[i];
        }
    }
    return n;
}

static enum dr_rc
check_args(struct dr_cli *cli, struct dr_err *err)
{
    const struct dr_cli_command *c = cli->command;
    if ((int)cli->args_count < c->args_min) {
        dr_err_set(err, DR_E_USAGE, "'drover %s' needs %s", c->name, c->args);
    } else if (c->args_max >= 0 && (int)cli->args_count > c->args_max) {
        dr_err_set(err, DR_E_USAGE, "'drover %s' does not take '%s'", c->name,
                   cli->args[c->args_max]);
    } else if (dr_cli_option(cli, "url") != NULL && dr_cli_option(cli, "target") != NULL) {
        dr_err_set(err, DR_E_USAGE, "--url names one database, so --target cannot be given too");
    } else {
        return DR_OK;
    }
    return dr_err_hint(err, "drover %s --help", c->name);
}

// Help, when it is asked for: `drover`, `drover help [COMMAND]`, `drover [COMMAND] --help`.
static bool
show_help(const struct dr_cli *cli, const char *const *words, size_t count, struct dr_err *err,
          enum dr_rc *out_rc)
{
    struct dr_buf out = {0};
    size_t named = 0;
    bool is_help = count > 0 && dr_str_eq(words[0], "help");
    if (count > 0 && !is_help && !dr_cli_has(cli, "help")) {
        return false;
    }
    words += is_help ? 1 : 0;
    count -= is_help ? 1 : 0;
    const struct dr_cli_command *command = count ? dr_cli_find(words, count, &named) : NULL;
    *out_rc = DR_OK;
    if (command != NULL) {
        dr_cli_help_command(command, &out);
    } else if (count == 0) {
        dr_cli_help_overview(&out);
    } else if (!dr_cli_help_group(words[0], &out)) {
        *out_rc = dr_cli_unknown(words, count, err);
    }
    fputs(out.data ? out.data : "", stdout);
    dr_buf_fini(&out);
    return true;
}

// Other tribes' words for what drover has a name for. They stand where a command does.
static const struct {
    const char *word;
    const char *const instead[3];
} aliases[] = {
    {"up", {"upgrade", "head", NULL}},
    {"down", {"downgrade", "-1", NULL}},
    {"info", {"history", "--state", NULL}},
    {"new", {"revision", "-m", NULL}},
};

// Puts the words of an alias in its place. `up 2f3a` goes where it says: what an alias adds at its
// end stands only when nothing else does.
static enum dr_rc
replace_alias(struct dr_cli *cli, int *argc, char ***argv, struct dr_err *err)
{
    const char *words[2] = {NULL, NULL};
    size_t count = find_words(*argc, *argv, words), at = DR_COUNT_OF(aliases), n = 0;
    for (size_t i = 0; count > 0 && i < DR_COUNT_OF(aliases); i++) {
        at = dr_str_eq(words[0], aliases[i].word) ? i : at;
    }
    if (at == DR_COUNT_OF(aliases)) {
        return DR_OK;
    }
    char **out = dr_arena_array(cli->arena, (size_t)*argc + 2, sizeof(*out));
    if (out == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    bool is_place = aliases[at].instead[1][0] != '-' || aliases[at].instead[1][1] == '1';
    for (int i = 0; i < *argc; i++) {
        out[n++] = (*argv)[i];
        if ((*argv)[i] == words[0] && i > 0) {
            out[n - 1] = dr_arena_str(cli->arena, aliases[at].instead[0]);
            if (!is_place || count == 1) {
                out[n++] = dr_arena_str(cli->arena, aliases[at].instead[1]);
            }
        }
    }
    *argc = (int)n;
    *argv = out;
    return DR_OK;
}

// Everything up to the command's own work. `*out_done` when there is nothing more to do (help).
static enum dr_rc
prepare(struct dr_cli *cli, int argc, char **argv, bool *out_done, struct dr_err *err)
{
    const char *words[3] = {NULL, NULL, NULL};
    enum dr_rc rc = replace_alias(cli, &argc, &argv, err);
    if (rc != DR_OK) {
        return rc;
    }
    size_t count = find_words(argc, argv, words);
    size_t named = 0;
    cli->command = count ? dr_cli_find(words, count, &named) : NULL;
    rc = mark_relative(cli, argv, argc, err);
    rc = rc == DR_OK ? parse_options(cli, argc, argv, err) : rc;
    rc = rc == DR_OK ? take_globals(cli, err) : rc;
    if (rc != DR_OK && (cli->command != NULL || count == 0 || dr_str_eq(words[0], "help"))) {
        return rc;
    }
    if (count > 0 && dr_str_eq(words[0], "help")) { // `drover help rollout show` has three words
        for (size_t i = 0; i < 3 && optind + (int)i < argc; i++) {
            words[i] = argv[optind + (int)i];
            count = i + 1;
        }
    }
    *out_done = show_help(cli, words, count, err, &rc);
    if (*out_done) {
        return rc;
    }
    if (cli->command == NULL) {
        return dr_cli_unknown(words, count, err);
    }
    const char **args = dr_arena_array(cli->arena, (size_t)argc + 1, sizeof(*args));
    if (args == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (int i = optind + (int)named; i < argc; i++) {
        args[cli->args_count++] = argv[i][0] == MARK ? argv[i] + 1 : argv[i];
    }
    cli->args = args;
    return check_args(cli, err);
}

int
dr_cli_cancel_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// `drover log | head`: whoever read our output has enough. That is no error to talk about.
static bool
reader_has_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

enum dr_rc
dr_cli_look_begin(struct dr_cli *cli, struct dr_err *err)
{
    assert(cli->whole == NULL);
    dr_arena_free(&cli->look);
    cli->look = dr_arena_new(DR_CLI_ARENA_MAX);
    if (cli->look == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    cli->whole = cli->arena;
    cli->arena = cli->look;
    return DR_OK;
}

void
dr_cli_look_end(struct dr_cli *cli)
{
    cli->arena = cli->whole;
    cli->whole = NULL;
}

int
dr_cli_main(int argc, char **argv)
{
    struct dr_err err = {0};
    struct dr_cli cli = {.arena = dr_arena_new(DR_CLI_ARENA_MAX)};
    bool done = false;
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_CTYPE, "");
    if (argc == 2 && dr_str_eq(argv[1], "--version")) {
        puts("drover " DROVER_VERSION);
        dr_arena_free(&cli.arena);
        return 0;
    }
    enum dr_rc rc = cli.arena == NULL || argc > (int)DR_CLI_ARGS_MAX
                        ? dr_err_set(&err, DR_E_USAGE, "too many arguments")
                        : prepare(&cli, argc, argv, &done, &err);
    if (rc == DR_OK && !done) {
        assert(cli.command != NULL);
        rc = cli.command->run(&cli, &err);
    }
    bool is_cut = fflush(stdout) != 0 || ferror(stdout);
    bool is_unread = is_cut && reader_has_gone();
    if (rc == DR_OK && is_cut) {
        rc = dr_err_set(&err, DR_E_IO, "standard output cannot be written");
    }
    if (rc == DR_E_USAGE && err.hint[0] == '\0' && cli.command != NULL) {
        dr_err_hint(&err, "drover %s --help", cli.command->name);
    }
    if (rc != DR_OK && !is_unread) {
        dr_cli_print_error(&err);
    }
    int code = rc != DR_OK ? dr_rc_exit_code(rc) : cli.exit_code;
    dr_project_close(&cli.project);
    dr_arena_free(&cli.look);
    dr_arena_free(&cli.arena);
    return code;
}
