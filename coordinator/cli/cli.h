// The command line's own types: one row per command, one row per option, and what a command is
// given when it runs.
#ifndef DR_CLI_CLI_H
#define DR_CLI_CLI_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dr_project;

enum dr_cli_format { DR_CLI_TEXT, DR_CLI_JSON, DR_CLI_JSONL };

#define DR_CLI_ARGS_MAX    4096u
#define DR_CLI_OPTIONS_MAX 320u // options given in one call
#define DR_CLI_ARENA_MAX   (768u * 1024 * 1024)

// One option. A table ends with {0}. `value` is its placeholder in help ("ENV"); NULL: a switch.
struct dr_cli_option {
    const char *name; // long name without dashes
    char letter;      // 0: none
    const char *value;
    const char *help;
};

// One option as given.
struct dr_cli_given {
    const struct dr_cli_option *option;
    const char *value; // NULL for a switch
};

struct dr_cli;
typedef enum dr_rc (*dr_cli_run_fn)(struct dr_cli *cli, struct dr_err *err);

// One command. The name may have two words ("rollout show"). The table ends with {0}.
struct dr_cli_command {
    const char *name;
    const char *group;    // heading in the overview
    const char *args;     // "REVISION", "[TARGET...]"; "" for none
    const char *summary;  // one line
    const char *text;     // paragraphs for --help; may be NULL
    const char *examples; // lines "drover ...\n"; every command has some
    const struct dr_cli_option *options;
    int args_min, args_max; // args_max -1: any number
    dr_cli_run_fn run;
};

// One call of drover. Everything in it lives until the end of the call.
struct dr_cli {
    struct dr_arena *arena;
    struct dr_arena *whole; // during a look: the arena of the whole call
    struct dr_arena *look;  // of the newest look
    const struct dr_cli_command *command;
    const char *const *args;
    size_t args_count;
    struct dr_cli_given given[DR_CLI_OPTIONS_MAX];
    size_t given_count;
    enum dr_cli_format format;
    bool color;       // standard output may be coloured
    bool interactive; // standard input is a terminal and --no-input was not given
    bool yes;         // -y: mild questions are answered
    bool quiet;
    struct dr_project *project; // opened by dr_project_need; NULL before
    int exit_code; // a command that ran well may still ask for another one (3: difference, 8:
                   // waiting)
};

// The value of an option, or NULL; the last one given counts. `dr_cli_has` for switches.
const char *dr_cli_option(const struct dr_cli *cli, const char *name);
bool dr_cli_has(const struct dr_cli *cli, const char *name);
// A number option within bounds, or `fallback`: DR_E_USAGE otherwise. Durations likewise, in ms.
DR_MUST_CHECK enum dr_rc
dr_cli_number(const struct dr_cli *cli, const char *name, uint64_t min, uint64_t max,
              uint64_t fallback, uint64_t *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_cli_duration(const struct dr_cli *cli, const char *name, uint64_t max_ms, uint64_t fallback,
                uint64_t *out, struct dr_err *err);

// The table of all commands (commands.c) and the options that every command takes.
extern const struct dr_cli_command dr_cli_commands[];
extern const struct dr_cli_option dr_cli_global_options[];

// Parses argv, runs the command, prints its error. Returns the exit code. `-1` and `+2` are
// arguments, not options.
int dr_cli_main(int argc, char **argv);
// Finds the command that argv's words name; NULL. `*out_words` is how many words its name has.
const struct dr_cli_command *dr_cli_find(const char *const *words, size_t count, size_t *out_words);

// A descriptor that becomes readable at Ctrl-C and SIGTERM, which from then on do nothing else: the
// command ends by itself, in a true state. -1 when there is none. The caller closes it, and calls
// this before anything that starts a thread (dr_remote_open), which would get the signal instead.
int dr_cli_cancel_fd(void);

// For commands that look again and again until something is there: between begin and end `arena` is
// one for this look alone, which lives until the next begin or the end of the call, so that waiting
// takes no more memory than one look. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_cli_look_begin(struct dr_cli *cli, struct dr_err *err);
void dr_cli_look_end(struct dr_cli *cli);

// Help texts, made from the rows.
void dr_cli_help_overview(struct dr_buf *out);
void dr_cli_help_command(const struct dr_cli_command *command, struct dr_buf *out);
// The commands that begin with `word`: "rollout" has list, show, ... False when there are none.
bool dr_cli_help_group(const char *word, struct dr_buf *out);
// DR_E_USAGE for words that name no command, with the nearest thing to type.
enum dr_rc dr_cli_unknown(const char *const *words, size_t count, struct dr_err *err);

// Prints "drover: error: ..." with position and hint to standard error.
void dr_cli_print_error(const struct dr_err *err);

#endif
