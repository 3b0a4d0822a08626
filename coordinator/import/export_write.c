// The writers: plain SQL for psql, dbmate, Sqitch. The chain goes out as one line, parents first.

#include "coordinator/import/export.h"

#include <string.h>

struct writer {
    const struct dr_graph *graph;
    struct dr_import *import;
    struct dr_folder *to;
    struct dr_err *err;
};

static enum dr_rc
add_file(struct writer *w, const char *name, struct dr_buf *text)
{
    enum dr_rc rc =
        name == NULL || text->failed
            ? dr_import_nomem(w->err)
            : dr_folder_add(w->to, name, text->data == NULL ? "" : text->data, text->len, w->err);
    dr_buf_fini(text);
    return rc;
}

// One script of plain's: NAME.up.sql. An empty way is no file.
static enum dr_rc
add_plain(struct writer *w, const struct dr_node *node, const char *name, enum dr_section_kind kind,
          bool has_header)
{
    struct dr_buf text = {0};
    if (has_header) {
        dr_export_header(node, &text);
    }
    size_t count = dr_export_sections(w->import, node, kind, true, &text);
    if (count == 0 && !has_header) {
        dr_buf_fini(&text);
        return DR_OK;
    }
    const char *path =
        dr_arena_printf(w->import->arena, "%s.%s.sql", name, dr_section_kind_name(kind));
    return add_file(w, path, &text);
}

enum dr_rc
dr_plain_write(const struct dr_graph *graph, struct dr_import *import, struct dr_folder *to,
               struct dr_err *err)
{
    struct writer w = {graph, import, to, err};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        const char *name = dr_arena_printf(import->arena, "%05zu_%s", i + 1, node->revision->id);
        rc = name == NULL ? dr_import_nomem(err) : dr_export_losses(import, node, true, err);
        rc = rc == DR_OK ? add_plain(&w, node, name, DR_SECTION_UP, true) : rc;
        rc = rc == DR_OK ? add_plain(&w, node, name, DR_SECTION_VERIFY, false) : rc;
        rc = rc == DR_OK ? add_plain(&w, node, name, DR_SECTION_DOWN, false) : rc;
    }
    return rc;
}

// One part of a dbmate file. Several sections are run outside of dbmate's transaction, with their
// own.
static void
add_part(struct writer *w, const struct dr_node *node, const char *word, enum dr_section_kind kind,
         struct dr_buf *out)
{
    bool is_one = dr_export_is_one(w->import, node, kind);
    struct dr_buf body = {0};
    size_t count = dr_export_sections(w->import, node, kind, !is_one, &body);
    if (count > 0 || kind == DR_SECTION_UP) {
        dr_buf_printf(out, "%s-- migrate:%s%s\n", kind == DR_SECTION_DOWN ? "\n" : "", word,
                      is_one ? "" : " transaction:false");
        dr_buf_add(out, body.data == NULL ? "" : body.data, body.len);
    }
    out->failed = out->failed || body.failed;
    dr_buf_fini(&body);
}

enum dr_rc
dr_dbmate_write(const struct dr_graph *graph, struct dr_import *import, struct dr_folder *to,
                struct dr_err *err)
{
    struct writer w = {graph, import, to, err};
    bool by_id = dr_export_by_id(graph);
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        struct dr_buf text = {0};
        const char *name = dr_export_name(import, node, by_id);
        const char *path = name == NULL ? NULL : dr_arena_printf(import->arena, "%s.sql", name);
        rc = dr_export_losses(import, node, false, err);
        dr_export_header(node, &text);
        add_part(&w, node, "up", DR_SECTION_UP, &text);
        add_part(&w, node, "down", DR_SECTION_DOWN, &text);
        if (rc == DR_OK) {
            rc = add_file(&w, path, &text);
        } else {
            dr_buf_fini(&text);
        }
    }
    return rc;
}

// Parents that are not just before it, and dependencies, are what a change requires.
static void
add_requirements(const struct dr_node *node, struct dr_buf *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < node->parent_count + node->depends_on_count; i++) {
        const struct dr_node *other =
            i < node->parent_count ? node->parents[i] : node->depends_on[i - node->parent_count];
        bool is_before = i < node->parent_count && other->index + 1 == node->index;
        if (!is_before || node->parent_count > 1) {
            dr_buf_printf(plan, "%s%s", count++ == 0 ? " [" : " ", other->revision->id);
        }
    }
    dr_buf_str(plan, count == 0 ? "" : "]");
}

// "2024-01-02T03:04:05Z" of "2024-01-02 03:04:05..."; a fixed time for what is none.
static void
add_time(const char *date, struct dr_buf *plan)
{
    size_t len = strlen(date);
    bool is_time = len >= 19 && strspn(date, "0123456789-:T ") >= 19 && date[4] == '-';
    if (is_time) {
        dr_buf_printf(plan, " %.10sT%.8sZ", date, date + 11);
    } else {
        dr_buf_str(plan, " 2000-01-01T00:00:00Z");
    }
}

static void
add_planner(const char *author, struct dr_buf *plan)
{
    bool is_whole = strchr(author, '<') != NULL && strchr(author, '>') != NULL;
    if (is_whole) {
        dr_buf_printf(plan, " %s", author);
    } else {
        dr_buf_printf(plan, " %s <unknown@localhost>", author[0] == '\0' ? "unknown" : author);
    }
}

static enum dr_rc
add_script(struct writer *w, const struct dr_node *node, const char *folder,
           enum dr_section_kind kind)
{
    struct dr_buf text = {0};
    bool is_up = kind == DR_SECTION_UP;
    if (is_up) {
        dr_export_header(node, &text);
    }
    size_t count = dr_export_sections(w->import, node, kind, true, &text);
    if (count == 0 && !is_up) {
        dr_buf_fini(&text);
        return DR_OK;
    }
    return add_file(w, dr_arena_printf(w->import->arena, "%s/%s.sql", folder, node->revision->id),
                    &text);
}

enum dr_rc
dr_sqitch_write(const struct dr_graph *graph, struct dr_import *import, struct dr_folder *to,
                struct dr_err *err)
{
    struct writer w = {graph, import, to, err};
    struct dr_buf plan = {0}, conf = {0};
    enum dr_rc rc = DR_OK;
    dr_buf_str(&plan, "%syntax-version=1.0.0\n%project=drover\n\n");
    dr_buf_printf(&conf, "[core]\n\tengine = %s\n",
                  import->dialect == DR_SQL_SQLITE ? "sqlite" : "pg");
    for (size_t i = 0; rc == DR_OK && i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        dr_buf_str(&plan, node->revision->id);
        add_requirements(node, &plan);
        add_time(node->revision->create_date, &plan);
        add_planner(node->revision->author, &plan);
        dr_buf_printf(&plan, " # %s\n", node->revision->message);
        rc = dr_export_losses(import, node, true, err);
        rc = rc == DR_OK ? add_script(&w, node, "deploy", DR_SECTION_UP) : rc;
        rc = rc == DR_OK ? add_script(&w, node, "verify", DR_SECTION_VERIFY) : rc;
        rc = rc == DR_OK ? add_script(&w, node, "revert", DR_SECTION_DOWN) : rc;
    }
    if (rc == DR_OK) {
        rc = add_file(&w, "sqitch.plan", &plan);
    }
    rc = rc == DR_OK ? add_file(&w, "sqitch.conf", &conf) : rc;
    dr_buf_fini(&plan);
    dr_buf_fini(&conf);
    return rc;
}
