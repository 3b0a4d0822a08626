// Help texts and error output, made from the rows of the tables.

#include "coordinator/cli/cli.h"

#include <stdio.h>
#include <string.h>

const struct dr_cli_command *
dr_cli_find(const char *const *words, size_t count, size_t *out_words)
{
    const struct dr_cli_command *best = NULL;
    *out_words = 0;
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        char joined[128];
        for (size_t n = 1; n <= count && n <= 2; n++) {
            snprintf(joined, sizeof(joined), "%s%s%s", words[0], n == 2 ? " " : "",
                     n == 2 ? words[1] : "");
            if (n > *out_words && dr_str_eq(c->name, joined)) {
                best = c;
                *out_words = n;
            }
        }
    }
    return best;
}

static void
print_options(const struct dr_cli_option *rows, struct dr_buf *out)
{
    for (; rows != NULL && rows->name != NULL; rows++) {
        char left[64];
        char letter[8] = "    ";
        if (rows->letter != 0) {
            snprintf(letter, sizeof(letter), "-%c, ", rows->letter);
        }
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, rows->name, rows->value ? " " : "",
                 rows->value ? rows->value : "");
        dr_buf_printf(out, "  %-30s %s\n", left, rows->help);
    }
}

void
dr_cli_help_command(const struct dr_cli_command *c, struct dr_buf *out)
{
    dr_buf_printf(out, "drover %s: %s\n\nExamples:\n", c->name, c->summary);
    for (const char *line = c->examples; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        int len = end != NULL ? (int)(end - line) : (int)strlen(line);
        dr_buf_printf(out, "  %.*s\n", len, line);
        line = end != NULL ? end + 1 : NULL;
    }
    dr_buf_printf(out, "\nUsage: drover %s%s%s [options]\n", c->name, c->args[0] ? " " : "",
                  c->args);
    if (c->text != NULL) {
        dr_buf_printf(out, "\n%s\n", c->text);
    }
    if (c->options != NULL && c->options->name != NULL) {
        dr_buf_str(out, "\nOptions:\n");
        print_options(c->options, out);
    }
    dr_buf_str(out, "\nEvery command:\n");
    print_options(dr_cli_global_options, out);
}

void
dr_cli_help_overview(struct dr_buf *out)
{
    const char *group = "";
    dr_buf_str(
        out,
        "drover brings reviewed and signed revisions to every database, one gate at a time.\n\n"
        "Start:\n"
        "  drover init                                     one person, one key\n"
        "  drover revision -m \"add users\"                  a new revision to fill in\n"
        "  drover upgrade head --url sqlite:app.db         one database, no coordinator\n"
        "  drover upgrade head                             a rollout, through the coordinator\n");
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        if (!dr_str_eq(group, c->group)) {
            group = c->group;
            dr_buf_printf(out, "\n%s:\n", group);
        }
        char left[64];
        snprintf(left, sizeof(left), "%s %s", c->name, c->args);
        dr_buf_printf(out, "  %-34s %s\n", left, c->summary);
    }
    dr_buf_str(out, "\nOptions of every command:\n");
    print_options(dr_cli_global_options, out);
    dr_buf_str(
        out,
        "\ndrover COMMAND --help tells more. Exit codes: 0 ok, 1 failed, 2 usage, 3 difference "
        "found,\n"
        "4 key, signature or permission, 5 unreachable, 6 failed and rolled back, 7 needs repair,\n"
        "8 waiting for a gate or approval, 124 time-out, 130 interrupted.\n");
}

// "show" of the command "rollout show" when `word` is "rollout"; NULL otherwise.
static const char *
second_word(const struct dr_cli_command *command, const char *word)
{
    size_t len = strlen(word);
    bool is_of_group = strncmp(command->name, word, len) == 0 && command->name[len] == ' ';
    return is_of_group ? command->name + len + 1 : NULL;
}

bool
dr_cli_help_group(const char *word, struct dr_buf *out)
{
    size_t rows = 0;
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        if (second_word(c, word) != NULL) {
            char left[64];
            snprintf(left, sizeof(left), "drover %s %s", c->name, c->args);
            dr_buf_printf(out, "  %-34s %s\n", left, c->summary);
            rows++;
        }
    }
    if (rows > 0) {
        dr_buf_printf(out, "\ndrover %s COMMAND --help tells more, with examples.\n", word);
    }
    return rows > 0;
}

// How well a name begins like a word: the bytes that both begin with.
static size_t
common_start(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] != '\0' && a[n] == b[n]) {
        n++;
    }
    return n;
}

enum dr_rc
dr_cli_unknown(const char *const *words, size_t count, struct dr_err *err)
{
    struct dr_buf seconds = {0};
    const struct dr_cli_command *near = NULL;
    size_t best = 2; // less in common is no likeness
    for (const struct dr_cli_command *c = dr_cli_commands; c->name != NULL; c++) {
        const char *second = second_word(c, words[0]);
        size_t likeness = common_start(c->name, words[0]);
        if (second != NULL) {
            dr_buf_printf(&seconds, "%s%s", seconds.len ? ", " : "", second);
        }
        if (likeness > best) {
            near = c;
            best = likeness;
        }
    }
    if (seconds.len > 0 && count == 1) {
        dr_err_set(err, DR_E_USAGE, "'drover %s' needs another word: %s", words[0], seconds.data);
    } else if (seconds.len > 0) {
        dr_err_set(err, DR_E_USAGE, "'%s %s' is no command of drover; after '%s' comes: %s",
                   words[0], words[1], words[0], seconds.data);
    } else {
        dr_err_set(err, DR_E_USAGE, "'%s' is no command of drover", words[0]);
    }
    dr_buf_fini(&seconds);
    return dr_err_hint(err, "drover %s%s--help", near ? near->name : "", near ? " " : "");
}

void
dr_cli_print_error(const struct dr_err *err)
{
    struct dr_buf shown = {0};
    if (err->file[0] != '\0' && err->line > 0) {
        dr_show(&shown, err->file, strlen(err->file), false);
        dr_buf_printf(&shown, ":%u:%u: ", err->line, err->column ? err->column : 1);
    }
    dr_show(&shown, err->message, strlen(err->message), false);
    fflush(stdout);
    fprintf(stderr, "drover: error: %s\n", shown.data ? shown.data : "");
    const char *hint = err->hint[0] != '\0' ? err->hint : dr_rc_hint(err->rc);
    if (hint[0] != '\0') {
        dr_buf_reset(&shown);
        dr_show(&shown, hint, strlen(hint), true);
        fprintf(stderr, "  try: %s\n", shown.data ? shown.data : "");
    }
    dr_buf_fini(&shown);
}
