#include "coordinator/import/export.h"

#include <string.h>

static unsigned
engine_bit(const struct dr_import *import)
{
    return import->dialect == DR_SQL_SQLITE ? DR_ENGINE_SQLITE : DR_ENGINE_POSTGRESQL;
}

static bool
is_meant(const struct dr_import *import, const struct dr_section *s, enum dr_section_kind kind)
{
    return s->kind == kind && (s->engines & engine_bit(import)) != 0;
}

static void
add_list(struct dr_buf *out, const char *key, const struct dr_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        dr_buf_printf(out, "%s%s%s", i == 0 ? "-- " : ", ", i == 0 ? key : "", names->items[i]);
    }
    dr_buf_str(out, names->count == 0 ? "" : "\n");
}

static void
add_text(struct dr_buf *out, const char *key, const char *value)
{
    if (value[0] != '\0') {
        dr_buf_printf(out, "-- %s: %s\n", key, value);
    }
}

void
dr_export_header(const struct dr_node *node, struct dr_buf *out)
{
    const struct dr_revision *r = node->revision;
    dr_buf_printf(out, "-- %s\n--\n-- Revision ID: %s\n", r->message, r->id);
    if (r->parents.count == 0) {
        dr_buf_str(out, "-- Revises:\n");
    }
    add_list(out, "Revises: ", &r->parents);
    add_text(out, "Create Date", r->create_date);
    add_list(out, "Branch labels: ", &r->labels);
    add_list(out, "Depends on: ", &r->depends_on);
    add_text(out, "Author", r->author);
    add_text(out, DR_EXPORT_NO_WAY_BACK, r->down_none_reason);
    dr_buf_str(out, "\n");
}

bool
dr_export_is_one(const struct dr_import *import, const struct dr_node *node,
                 enum dr_section_kind kind)
{
    size_t count = 0, outside = 0;
    for (size_t i = 0; i < node->revision->section_count; i++) {
        const struct dr_section *s = &node->revision->sections[i];
        count += is_meant(import, s, kind);
        outside += is_meant(import, s, kind) && s->outside_transaction;
    }
    return count <= 1 && outside == 0;
}

// The body with the semicolon that its last statement may lack.
static void
add_body(struct dr_import *import, const struct dr_revision *r, const struct dr_section *s,
         struct dr_buf *out)
{
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece = {0};
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    const char *body = r->bytes + s->offset;
    size_t len = s->length, end = 0;
    dr_sql_lexer_init(&lexer, import->dialect, body, len);
    while (dr_sql_lexer_next(&lexer, &piece, &rc, &ignored)) {
        end = lexer.pos >= len ? piece.offset + piece.length : 0;
    }
    while (len > 0 && (body[len - 1] == '\n' || body[len - 1] == ' ')) {
        len--;
    }
    dr_buf_add(out, body, end == 0 || end > len ? len : end);
    if (end > 0 && end <= len) {
        dr_buf_str(out, ";");
        dr_buf_add(out, body + end, len - end);
    }
    dr_buf_str(out, "\n");
}

// What a verify section says of itself, as a comment that plain's reader takes back.
static void
add_verify_line(const struct dr_section *s, struct dr_buf *out)
{
    dr_buf_printf(out, "-- verify \"%s\"%s%s", s->name, s->expect_empty ? " expect=empty" : "",
                  s->on_down ? " on=down" : "");
    if (s->max_ms != 0) {
        dr_buf_printf(out, " max=%ums", s->max_ms);
    }
    if (s->only[0] != '\0') {
        dr_buf_printf(out, " only=%s", s->only);
    }
    dr_buf_str(out, "\n");
}

size_t
dr_export_sections(struct dr_import *import, const struct dr_node *node, enum dr_section_kind kind,
                   bool is_framed, struct dr_buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < node->revision->section_count; i++) {
        const struct dr_section *s = &node->revision->sections[i];
        if (!is_meant(import, s, kind)) {
            continue;
        }
        bool is_own = is_framed && !s->outside_transaction;
        bool is_verify = kind == DR_SECTION_VERIFY;
        dr_buf_str(out, count > 0 ? "\n" : "");
        if (is_verify) {
            add_verify_line(s, out);
        }
        dr_buf_str(out, is_own ? "BEGIN;\n" : "");
        add_body(import, node->revision, s, out);
        dr_buf_str(out, !is_own ? "" : is_verify ? "ROLLBACK;\n" : "COMMIT;\n");
        count++;
    }
    return count;
}

static enum dr_rc
lose(struct dr_import *import, const struct dr_node *node, uint32_t line, struct dr_err *err,
     const char *what)
{
    return dr_import_note(import, NULL, DR_IMPORT_LEFT_OUT, node->revision->path, line, err,
                          "%s has no place in %s", what, import->format);
}

enum dr_rc
dr_export_losses(struct dr_import *import, const struct dr_node *node, bool keeps_verify,
                 struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < node->revision->section_count; i++) {
        const struct dr_section *s = &node->revision->sections[i];
        bool is_ours = (s->engines & engine_bit(import)) != 0;
        bool is_timed = s->lock_timeout_ms != 0 || s->statement_timeout_ms != 0 || s->retry != 0 ||
                        s->max_block_ms != 0;
        if (!is_ours) {
            rc = lose(import, node, s->directive_line, err, "a section for another engine");
        } else if (s->kind == DR_SECTION_PREFLIGHT || s->kind == DR_SECTION_REMEDY) {
            rc = lose(import, node, s->directive_line, err,
                      s->kind == DR_SECTION_REMEDY ? "a remedy" : "a preflight");
        } else if (s->kind == DR_SECTION_VERIFY && !keeps_verify) {
            rc = lose(import, node, s->directive_line, err, "a verify section");
        } else if (is_timed || s->probe[0] != '\0') {
            rc = lose(import, node, s->directive_line, err, "a probe, time-out or retry");
        }
    }
    return rc;
}

bool
dr_export_by_id(const struct dr_graph *graph)
{
    bool is = true;
    for (size_t i = 0; is && i < dr_graph_count(graph); i++) {
        const char *id = dr_graph_at(graph, i)->revision->id;
        const char *last = i == 0 ? "" : dr_graph_at(graph, i - 1)->revision->id;
        is = strspn(id, "0123456789") == strlen(id) && strcmp(last, id) < 0 &&
             (i == 0 || strlen(last) == strlen(id));
    }
    return is;
}

const char *
dr_export_name(struct dr_import *import, const struct dr_node *node, bool by_id)
{
    struct dr_buf slug = {.max = 256};
    for (const char *p = node->revision->message; *p != '\0' && slug.len < 40; p++) {
        bool is_plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (is_plain) {
            dr_buf_add(&slug, p, 1);
        } else if (slug.len > 0 && slug.data[slug.len - 1] != '_') {
            dr_buf_str(&slug, "_");
        }
    }
    const char *id = node->revision->id;
    const char *name =
        slug.failed ? NULL
        : by_id ? dr_arena_printf(import->arena, "%s_%s", id, slug.data == NULL ? "" : slug.data)
                : dr_arena_printf(import->arena, "%05zu_%s", node->index + 1,
                                  slug.data == NULL ? id : slug.data);
    dr_buf_fini(&slug);
    return name;
}
