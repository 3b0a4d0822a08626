#include "sql/finding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
is_named(const char *const *rules, const char *rule)
{
    for (; *rules != NULL; rules++) {
        if (strcmp(*rules, rule) == 0 || strcmp(*rules, "all") == 0) {
            return true;
        }
    }
    return false;
}

bool
dr_findings_want(const struct dr_findings *list, const char *rule)
{
    return (list->only == NULL || is_named(list->only, rule)) &&
           (list->except == NULL || !is_named(list->except, rule));
}

void
dr_findings_add(struct dr_findings *list, const struct dr_finding *finding)
{
    if (!dr_findings_want(list, finding->rule)) {
        return;
    }
    if (list->count == DR_FINDINGS_MAX) {
        list->cut = true;
        return;
    }
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 16 : 2 * list->cap;
        struct dr_finding *items = dr_arena_array(list->arena, cap, sizeof *items);
        if (items == NULL) {
            list->cut = true;
            return;
        }
        if (list->count > 0) {
            memcpy(items, list->items, list->count * sizeof *items);
        }
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = *finding;
}

static int
by_place(const void *a, const void *b)
{
    const struct dr_finding *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    if (order == 0) {
        order = (x->line > y->line) - (x->line < y->line);
    }
    if (order == 0) {
        order = (x->column > y->column) - (x->column < y->column);
    }
    if (order == 0) {
        order = (int)y->severity - (int)x->severity;
    }
    return order != 0 ? order : strcmp(x->rule, y->rule);
}

void
dr_findings_sort(struct dr_findings *list)
{
    size_t kept = 0;
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof *list->items, by_place);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (i == 0 || by_place(&list->items[kept - 1], &list->items[i]) != 0 ||
            list->items[i].line == 0) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

size_t
dr_findings_count(const struct dr_findings *list, enum dr_severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        count += list->items[i].severity == severity;
    }
    return count;
}

size_t
dr_findings_errors(const struct dr_findings *list)
{
    return dr_findings_count(list, DR_SEVERITY_ERROR);
}

static void
show(struct dr_buf *out, const char *text)
{
    dr_show(out, text, strlen(text), false);
}

const char *
dr_severity_name(enum dr_severity severity)
{
    static const char *const names[] = {"advice", "warning", "error"};
    return names[severity];
}

static void
pad(struct dr_buf *out, unsigned count, char c)
{
    for (unsigned i = 0; i < count; i++) {
        dr_buf_add(out, &c, 1);
    }
}

// Tabs of the source line stay tabs in front of the carets, so that these stand below the right
// column.
static void
add_carets(struct dr_buf *out, const struct dr_finding *f)
{
    uint32_t column = 1;
    for (const char *c = f->source_line; *c != '\0' && column < f->column; c++) {
        if (((unsigned char)*c & 0xC0) != 0x80) {
            pad(out, 1, *c == '\t' ? '\t' : ' ');
            column++;
        }
    }
    pad(out, f->width == 0 ? 1 : (f->width > 60 ? 60 : f->width), '^');
    if (f->label != NULL) {
        dr_buf_str(out, " ");
        show(out, f->label);
    }
    dr_buf_str(out, "\n");
}

static void
add_source(struct dr_buf *out, const struct dr_finding *f)
{
    char number[16];
    snprintf(number, sizeof number, "%u", f->line);
    unsigned margin = (unsigned)strlen(number);
    pad(out, margin, ' ');
    dr_buf_str(out, " |\n");
    dr_buf_printf(out, "%s | ", number);
    dr_show(out, f->source_line, strlen(f->source_line), true);
    dr_buf_str(out, "\n");
    pad(out, margin, ' ');
    dr_buf_str(out, " | ");
    add_carets(out, f);
}

void
dr_finding_text(struct dr_buf *out, const struct dr_finding *finding)
{
    dr_buf_printf(out, "%s[%s]: ", dr_severity_name(finding->severity), finding->rule);
    show(out, finding->message);
    dr_buf_str(out, "\n");
    if (finding->file[0] != '\0') {
        dr_buf_str(out, "  --> ");
        show(out, finding->file);
        if (finding->line > 0) {
            dr_buf_printf(out, ":%u:%u", finding->line, finding->column);
        }
        dr_buf_str(out, "\n");
    }
    if (finding->source_line != NULL && finding->line > 0) {
        add_source(out, finding);
    }
    if (finding->help != NULL && finding->help[0] != '\0') {
        dr_buf_str(out, "   = help: ");
        show(out, finding->help);
        dr_buf_str(out, "\n");
    }
}

static void
add_json_string(struct dr_buf *out, const char *key, const char *value)
{
    dr_buf_printf(out, "\"%s\":\"", key);
    for (const char *c = value; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\') {
            dr_buf_printf(out, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7F) {
            dr_buf_printf(out, "\\u%04x", byte);
        } else {
            dr_buf_add(out, c, 1);
        }
    }
    dr_buf_str(out, "\"");
}

static void
add_json(struct dr_buf *out, const struct dr_finding *f)
{
    dr_buf_printf(out, "{\"severity\":\"%s\",", dr_severity_name(f->severity));
    add_json_string(out, "rule", f->rule);
    dr_buf_str(out, ",");
    add_json_string(out, "message", f->message);
    dr_buf_str(out, ",");
    add_json_string(out, "file", f->file);
    dr_buf_printf(out, ",\"line\":%u,\"column\":%u,\"width\":%u,", f->line, f->column, f->width);
    add_json_string(out, "help", f->help == NULL ? "" : f->help);
    dr_buf_str(out, "}");
}

void
dr_findings_json(struct dr_buf *out, const struct dr_findings *list)
{
    dr_buf_str(out, "{\"schema\":\"drover.v1.Findings\",\"findings\":[");
    for (size_t i = 0; i < list->count; i++) {
        dr_buf_str(out, i == 0 ? "" : ",");
        add_json(out, &list->items[i]);
    }
    dr_buf_printf(out, "],\"errors\":%zu,\"warnings\":%zu,\"advice\":%zu}\n",
                  dr_findings_errors(list), dr_findings_count(list, DR_SEVERITY_WARNING),
                  dr_findings_count(list, DR_SEVERITY_ADVICE));
}

bool
dr_findings_first_error(const struct dr_findings *list, struct dr_err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct dr_finding *f = &list->items[i];
        if (f->severity != DR_SEVERITY_ERROR) {
            continue;
        }
        dr_err_set(err, f->rc == DR_OK ? DR_E_SQL_LINT : f->rc, "%s", f->message);
        if (f->help != NULL) {
            dr_err_hint(err, "%s", f->help);
        }
        if (f->line > 0) {
            dr_err_at(err, f->file, f->line, f->column);
        }
        return true;
    }
    return false;
}
