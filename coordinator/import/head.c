// The header of a revision file, from what is known of the tool's migration.

#include "coordinator/import/sheet.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 8 * 1024, LINE_MAX_SHOWN = 400 };

static void
add_names(struct dr_buf *out, const char *key, const struct dr_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        dr_buf_printf(out, "%s%s", i == 0 ? key : ", ", names->items[i]);
    }
    dr_buf_str(out, names->count == 0 ? "" : "\n");
}

// Free text: two blanks in front of a line that could be taken for a key.
static void
add_free_text(struct dr_buf *out, const char *text)
{
    struct dr_buf safe = {.max = 4 * TEXT_MAX};
    size_t len = strlen(text), begin = out->len;
    dr_show(&safe, text, len > TEXT_MAX ? TEXT_MAX : len, true);
    const char *at = safe.data == NULL ? "" : safe.data;
    while (*at != '\0' && out->len - begin < TEXT_MAX) {
        size_t line = strcspn(at, "\n");
        size_t blanks = strspn(at, " \t-");
        bool is_near = strncasecmp(at + blanks, "drover", 6) == 0;
        bool is_key = memchr(at, ':', line) != NULL;
        if (line == 0) {
            dr_buf_str(out, "--\n");
        } else {
            dr_buf_printf(out, "-- %s%.*s\n",
                          is_near  ? "(text) "
                          : is_key ? " "
                                   : "",
                          (int)(line > LINE_MAX_SHOWN ? LINE_MAX_SHOWN : line), at);
        }
        at += line + (at[line] == '\n');
    }
    dr_buf_fini(&safe);
}

static void
add_key(struct dr_buf *out, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        dr_buf_printf(out, "-- %s: ", key);
        dr_show(out, value, strcspn(value, "\n"), false);
        dr_buf_str(out, "\n");
    }
}

void
dr_head_add(const struct dr_import *import, const struct dr_import_revision *revision,
            struct dr_buf *out)
{
    dr_buf_printf(out, "-- drover:revision 1\n-- %s\n--\n",
                  revision->message != NULL ? revision->message : revision->id);
    if (revision->file != NULL) {
        struct dr_buf line = {0};
        dr_buf_printf(&line, "Imported from %s: %s", import->format, revision->file);
        add_free_text(out, line.data == NULL ? "" : line.data);
        dr_buf_fini(&line);
    }
    if (revision->is_repeatable) {
        dr_buf_printf(out,
                      "-- Repeatable in %s; here it runs once, and a change to it is a revision of "
                      "its own\n",
                      import->format);
    }
    if (revision->text != NULL && revision->text[0] != '\0') {
        dr_buf_str(out, "--\n");
        add_free_text(out, revision->text);
    }
    dr_buf_printf(out, "--\n-- Revision ID: %s\n", revision->id);
    if (revision->parents.count == 0) {
        dr_buf_str(out, "-- Revises:\n");
    }
    add_names(out, "-- Revises: ", &revision->parents);
    add_key(out, "Create Date", revision->create_date);
    add_names(out, "-- Branch labels: ", &revision->labels);
    add_names(out, "-- Depends on: ", &revision->depends_on);
    add_key(out, "Engine", import->dialect == DR_SQL_SQLITE ? "sqlite" : "postgresql");
    add_key(out, "Author", revision->author);
}
