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
        "  drover revision -m \"add users\"                   a new revision to fill in\n"
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

void
dr_cli_print_error(const struct dr_err *err)
{
    struct dr_buf shown = {0};
    dr_show(&shown, err->message, strlen(err->message), false);
    if (err->file[0] != '\0' && err->line > 0) {
        fprintf(stderr, "drover: error: %s:%u:%u: %s\n", err->file, err->line,
                err->column ? err->column : 1, shown.data ? shown.data : "");
    } else {
        fprintf(stderr, "drover: error: %s\n", shown.data ? shown.data : "");
    }
    const char *hint = err->hint[0] != '\0' ? err->hint : dr_rc_hint(err->rc);
    if (hint[0] != '\0') {
        dr_buf_reset(&shown);
        dr_show(&shown, hint, strlen(hint), true);
        fprintf(stderr, "  try: %s\n", shown.data ? shown.data : "");
    }
    dr_buf_fini(&shown);
}
