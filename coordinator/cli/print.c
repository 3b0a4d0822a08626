// Tables through libsmartcols (this file is its only door), JSON through jansson.

#include "coordinator/cli/print.h"
#include "coordinator/cli/cli.h"

#include "base/clock.h"
#include "rpc/reflect.h"

#include <libsmartcols/libsmartcols.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 16u

struct dr_table {
    struct libscols_table *table;
    struct libscols_line **lines; // by number: the library walks through a list
    size_t columns, count, cap;
};

static bool
is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

bool
dr_print_wants_color(const char *when)
{
    if (when != NULL && !dr_str_eq(when, "auto")) {
        return dr_str_eq(when, "always");
    }
    if (is_set("NO_COLOR")) {
        return false;
    }
    if (is_set("FORCE_COLOR") || is_set("CLICOLOR_FORCE")) {
        return true;
    }
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && term != NULL && !dr_str_eq(term, "dumb");
}

// SGR codes by tone; plain has none.
static const char *const TONES[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};
#define TONE_END "\033[0m"

const char *
dr_tone_begin(const struct dr_cli *cli, enum dr_tone tone)
{
    return cli->color ? TONES[tone] : "";
}

const char *
dr_tone_end(const struct dr_cli *cli, enum dr_tone tone)
{
    return cli->color && tone != DR_TONE_PLAIN ? TONE_END : "";
}

// Length of the tone's code that stands at `text`; 0 when there is none.
static size_t
tone_code_len(const char *text)
{
    for (size_t i = 1; i < DR_COUNT_OF(TONES); i++) {
        if (dr_str_starts(text, TONES[i])) {
            return strlen(TONES[i]);
        }
    }
    return dr_str_starts(text, TONE_END) ? strlen(TONE_END) : 0;
}

void
dr_say(const struct dr_cli *cli, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    struct dr_buf out = {0};
    if (cli->format != DR_CLI_TEXT) {
        return;
    }
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0) {
        return;
    }
    for (const char *p = text; *p != '\0';) {
        size_t code = cli->color ? tone_code_len(p) : 0;
        size_t plain = code ? 0 : 1 + strcspn(p + 1, "\033");
        dr_buf_add(&out, p, code);
        dr_show(&out, p, plain, true);
        p += code + plain;
    }
    fwrite(out.data ? out.data : "", 1, out.len, stdout);
    dr_buf_fini(&out);
    free(text);
}

struct dr_table *
dr_table_new(const struct dr_cli *cli, const char *const *columns)
{
    struct dr_table *t = calloc(1, sizeof(*t));
    if (t == NULL || (t->table = scols_new_table()) == NULL) {
        free(t);
        return NULL;
    }
    scols_table_enable_noencoding(t->table, 1); // dr_table_row escapes
    scols_table_enable_colors(t->table, cli->color);
    scols_table_set_column_separator(t->table, "  ");
    for (; columns[t->columns] != NULL && t->columns < COLUMNS_MAX; t->columns++) {
        scols_table_new_column(t->table, columns[t->columns], 0,
                               t->columns == 0 ? SCOLS_FL_TREE : 0);
    }
    return t;
}

static struct libscols_line *
line_at(const struct dr_table *t, size_t row)
{
    return row < t->count ? t->lines[row] : NULL;
}

static bool
add_line(struct dr_table *t, struct libscols_line *line)
{
    if (t->count == t->cap) {
        size_t cap = t->cap > 0 ? 2 * t->cap : 64;
        struct libscols_line **grown = reallocarray(t->lines, cap, sizeof(struct libscols_line *));
        if (grown == NULL) {
            return false;
        }
        t->lines = grown;
        t->cap = cap;
    }
    t->lines[t->count++] = line;
    return true;
}

size_t
dr_table_row(struct dr_table *t, size_t parent, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(t->table, line_at(t, parent));
    struct dr_buf cell = {0};
    for (size_t i = 0; line != NULL && i < t->columns; i++) {
        dr_buf_reset(&cell);
        dr_show(&cell, cells[i], strlen(cells[i]), false);
        scols_line_set_data(line, i, cell.data ? cell.data : "");
    }
    dr_buf_fini(&cell);
    return line != NULL && add_line(t, line) ? t->count - 1 : SIZE_MAX;
}

void
dr_table_tone(struct dr_table *t, size_t row, size_t column, enum dr_tone tone)
{
    struct libscols_line *line = line_at(t, row);
    if (line != NULL && tone != DR_TONE_PLAIN) {
        scols_cell_set_color(scols_line_get_cell(line, column), TONES[tone]);
    }
}

void
dr_table_print(struct dr_table *t, FILE *to)
{
    scols_table_set_stream(t->table, to);
    if (!isatty(fileno(to))) {
        scols_table_enable_nowrap(t->table, 1);
        scols_table_set_termforce(t->table, SCOLS_TERMFORCE_NEVER);
    }
    scols_print_table(t->table);
}

void
dr_table_free(struct dr_table **table)
{
    if (*table != NULL) {
        scols_unref_table((*table)->table);
        free((*table)->lines);
        free(*table);
        *table = NULL;
    }
}

void
dr_print_json(const struct dr_cli *cli, json_t *value)
{
    size_t flags = cli->format == DR_CLI_JSONL ? JSON_COMPACT : JSON_INDENT(2);
    json_dumpf(value, stdout, flags | JSON_ENSURE_ASCII);
    fputc('\n', stdout);
    json_decref(value);
}

enum dr_rc
dr_print_message(const struct dr_cli *cli, const char *schema, const ProtobufCMessage *message,
                 struct dr_err *err)
{
    json_t *fields = NULL;
    enum dr_rc rc = dr_json_from_message_full(message, &fields, err);
    json_t *all = rc == DR_OK ? json_pack("{s:s}", "schema", schema) : NULL;
    if (rc == DR_OK && (all == NULL || json_object_update(all, fields) != 0)) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    } else if (rc == DR_OK) {
        dr_print_json(cli, json_incref(all));
    }
    json_decref(fields);
    json_decref(all);
    return rc;
}

void
dr_print_digest(char out[20], const uint8_t *bytes, size_t len)
{
    char hex[17] = "";
    if (bytes != NULL && len >= 8) {
        dr_hex(hex, bytes, 8);
    }
    snprintf(out, 20, "%.8s%s%.8s", hex, hex[0] ? " " : "", hex[0] ? hex + 8 : "");
}

bool
dr_print_is_tame(const char *text, bool is_command)
{
    static const char tame[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               " .,:_+=/@'()-";
    return text[strspn(text, tame)] == '\0' && (!is_command || dr_str_starts(text, "drover "));
}

const char *
dr_print_safe(const struct dr_cli *cli, const char *text)
{
    struct dr_buf shown = {0};
    dr_show(&shown, text, strlen(text), false);
    const char *kept = dr_arena_str(cli->arena, shown.data ? shown.data : "");
    dr_buf_fini(&shown);
    return kept ? kept : "";
}

const char *
dr_print_age(const struct dr_cli *cli, int64_t unix_s)
{
    char text[32];
    int64_t now = dr_now_unix_s();
    if (unix_s <= 0) {
        return "-";
    }
    int64_t age = now > unix_s ? now - unix_s : 0;
    if (age < 60) {
        snprintf(text, sizeof(text), "%ds", (int)age);
    } else {
        dr_format_duration(text, (uint64_t)age * 1000);
    }
    const char *kept = dr_arena_str(cli->arena, text);
    return kept ? kept : "";
}

void
dr_print_note(const struct dr_cli *cli, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;
    struct dr_buf out = {0};
    if (cli->quiet) {
        return;
    }
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len >= 0) {
        fflush(stdout);
        dr_show(&out, text, (size_t)len, true);
        fprintf(stderr, "%s\n", out.data ? out.data : "");
        free(text);
    }
    dr_buf_fini(&out);
}

// One line from standard input without its end; false at its end. A command that takes Ctrl-C
// itself has blocked it; while a question waits it ends the command at once.
static bool
read_line(char *line, size_t size)
{
    sigset_t keys;
    sigset_t before;
    sigemptyset(&keys);
    sigaddset(&keys, SIGINT);
    sigaddset(&keys, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &keys, &before);
    bool got = fgets(line, (int)size, stdin) != NULL;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!got) {
        return false;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

enum dr_rc
dr_ask_yes(const struct dr_cli *cli, const char *question, bool *out, struct dr_err *err)
{
    char line[64];
    if (cli->yes) {
        *out = true;
        return DR_OK;
    }
    if (!cli->interactive) {
        dr_err_set(err, DR_E_USAGE, "'%s' must be answered, and nobody can be asked here",
                   question);
        return dr_err_hint(err, "the same command with --yes");
    }
    fflush(stdout);
    fprintf(stderr, "%s [y/N] ", question);
    *out = read_line(line, sizeof(line)) && (line[0] == 'y' || line[0] == 'Y');
    return DR_OK;
}

enum dr_rc
dr_ask_name(const struct dr_cli *cli, const char *question, const char *name, struct dr_err *err)
{
    char line[256] = "";
    const char *confirm = dr_cli_option(cli, "confirm");
    if (confirm == NULL && !cli->interactive) {
        dr_err_set(err, DR_E_USAGE, "'%s' must be typed, and nobody can be asked here", name);
        return dr_err_hint(err, "the same command with --confirm=%s", name);
    }
    if (confirm == NULL) {
        fflush(stdout);
        fprintf(stderr, "%s: ", question);
        if (!read_line(line, sizeof(line))) {
            line[0] = '\0';
        }
        confirm = line;
    }
    if (!dr_str_eq(confirm, name)) {
        dr_err_set(err, DR_E_USAGE, "'%s' was typed, '%s' was wanted; nothing was done",
                   dr_print_safe(cli, confirm), name);
        return dr_err_hint(err, "the same command again");
    }
    return DR_OK;
}

void
dr_print_xml(struct dr_buf *out, const char *text)
{
    struct dr_buf shown = {0};
    dr_show(&shown, text, strlen(text), true);
    for (const char *c = shown.data == NULL ? "" : shown.data; *c != '\0'; c++) {
        const char *word = *c == '<'    ? "&lt;"
                           : *c == '>'  ? "&gt;"
                           : *c == '&'  ? "&amp;"
                           : *c == '"'  ? "&quot;"
                           : *c == '\n' ? "&#10;"
                                        : NULL;
        dr_buf_add(out, word == NULL ? c : word, word == NULL ? 1 : strlen(word));
    }
    dr_buf_fini(&shown);
}
