#include "revision/review_internal.h"

#include "base/file.h"
#include "revision/graph_internal.h"
#include "revision/sections.h"

#include <stdlib.h>
#include <string.h>

// Review replays the chain: objects by name in a catalog per engine, and SQLite's sections on a
// scratch database too.

#define ARENA_BYTES (512ull << 20)

static const char *
engine_name(Drover__V1__Engine engine)
{
    return engine == DROVER__V1__ENGINE__SQLITE ? "sqlite" : "postgresql";
}

// One review: what it knows besides the revisions. Arrays go by the index of the node.
struct review {
    bool is_linked; // the revisions are a chain
    const bool *planned;
    bool **used;
    struct dr_arena *arena;
};

// The sections of one revision in the order of their kinds, so that all of up is done before verify
// looks.
static void
review_sections(const struct dr_checked *items, size_t count, struct dr_lint_catalog *catalog,
                struct dr_lint_scratch *scratch, struct dr_findings *out)
{
    for (enum dr_lint_kind kind = DR_LINT_PREFLIGHT; kind <= DR_LINT_VERIFY_DOWN; kind++) {
        for (size_t i = 0; i < count; i++) {
            if (items[i].lint.kind != kind) {
                continue;
            }
            dr_lint_section(&items[i].lint, catalog, out);
            if (scratch != NULL) {
                dr_lint_scratch_section(scratch, &items[i].lint, out);
            }
        }
    }
    dr_lint_revision_end(catalog, out);
}

// Without links between the revisions each is looked at alone, with a catalog of its own and no
// database.
static enum dr_rc
review_engine(const struct dr_nodes *nodes, Drover__V1__Engine engine, const struct review *v,
              struct dr_findings *out, struct dr_err *err)
{
    struct dr_arena *arena = v->arena;
    bool is_linked = v->is_linked;
    struct dr_checked_list list = {0};
    struct dr_lint_scratch *scratch = NULL;
    struct dr_lint_catalog *catalog = dr_lint_catalog_new(arena);
    enum dr_rc rc =
        catalog == NULL ? dr_graph_nomem(err) : dr_sections_check(nodes, engine, arena, &list, err);
    if (rc == DR_OK && engine == DROVER__V1__ENGINE__SQLITE && list.count > 0 && is_linked) {
        rc = dr_lint_scratch_open(&scratch, err);
    }
    for (size_t i = 0; rc == DR_OK && i < list.count;) {
        size_t count = 0;
        const struct dr_node *node = list.items[i].node;
        for (; i + count < list.count && list.items[i + count].node == node; count++) {
            list.items[i + count].lint.nolint_used = v->used[node->index];
            list.items[i + count].lint.is_planned = v->planned != NULL && v->planned[node->index];
        }
        review_sections(&list.items[i], count, catalog, scratch, out);
        i += count;
        if (!is_linked) {
            catalog = dr_lint_catalog_new(arena);
            rc = catalog == NULL ? dr_graph_nomem(err) : rc;
        }
    }
    if (rc == DR_OK && is_linked) {
        dr_lint_chain_end(catalog, out);
    }
    dr_lint_scratch_close(&scratch);
    return rc == DR_OK ? rc : dr_err_wrap(err, "%s", engine_name(engine));
}

static size_t
size_of(const struct dr_nodes *nodes)
{
    size_t size = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        size = nodes->items[i]->index >= size ? nodes->items[i]->index + 1 : size;
    }
    return size;
}

// The revisions that are for the engine and stand on nothing that is not: what can be replayed.
static enum dr_rc
nodes_for(const struct dr_nodes *nodes, Drover__V1__Engine engine, struct dr_arena *arena,
          struct dr_nodes *out, struct dr_err *err)
{
    size_t size = size_of(nodes), count = 0;
    bool *is_left_out = dr_arena_array(arena, size, sizeof *is_left_out);
    const struct dr_node **items = dr_arena_array(arena, nodes->count, sizeof *items);
    if (is_left_out == NULL || items == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_node *n = nodes->items[i];
        bool is_out =
            n->withdrawn != NULL || (n->revision->engines & (1u << (unsigned)engine)) == 0;
        for (size_t k = 0; k < n->parent_count && !is_out; k++) {
            is_out = n->parents[k]->index < size && is_left_out[n->parents[k]->index];
        }
        is_left_out[n->index] = is_out;
        if (!is_out) {
            items[count++] = n;
        }
    }
    *out = (struct dr_nodes){items, count};
    return DR_OK;
}

// True when some revision names the engine in its header: without a header a revision is held to
// PostgreSQL alone, unless a section of it says otherwise.
static bool
is_wanted(const struct dr_nodes *nodes, Drover__V1__Engine engine)
{
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_revision *r = nodes->items[i]->revision;
        bool is_named = r->engine_line > 0 || engine == DROVER__V1__ENGINE__POSTGRESQL;
        if (is_named && (r->engines & (1u << (unsigned)engine)) != 0) {
            return true;
        }
    }
    return false;
}

// Room to note which nolint lines are used.
static enum dr_rc
prepare(const struct dr_nodes *nodes, struct review *v, struct dr_err *err)
{
    v->arena = dr_arena_new(ARENA_BYTES);
    v->used = v->arena == NULL ? NULL : dr_arena_array(v->arena, size_of(nodes), sizeof *v->used);
    for (size_t i = 0; v->used != NULL && i < nodes->count; i++) {
        const struct dr_node *n = nodes->items[i];
        v->used[n->index] = dr_arena_array(v->arena, n->revision->nolint_count, sizeof(bool));
        if (v->used[n->index] == NULL) {
            v->used = NULL;
        }
    }
    if (v->used == NULL) {
        (void)dr_graph_nomem(err);
        return DR_E_NOMEM;
    }
    return DR_OK;
}

static enum dr_rc
review(const struct dr_nodes *nodes, struct review *v, struct dr_findings *out, struct dr_err *err)
{
    static const Drover__V1__Engine engines[] = {DROVER__V1__ENGINE__POSTGRESQL,
                                                 DROVER__V1__ENGINE__SQLITE};
    enum dr_rc rc = prepare(nodes, v, err);
    for (size_t i = 0; rc == DR_OK && i < nodes->count; i++) {
        dr_review_whole(nodes->items[i], v->used[nodes->items[i]->index], out);
    }
    for (size_t e = 0; rc == DR_OK && e < DR_COUNT_OF(engines); e++) {
        struct dr_nodes mine = {0};
        if (!is_wanted(nodes, engines[e])) {
            continue;
        }
        rc = nodes_for(nodes, engines[e], v->arena, &mine, err);
        rc = rc == DR_OK ? review_engine(&mine, engines[e], v, out, err) : rc;
    }
    for (size_t i = 0; rc == DR_OK && v->is_linked && i < nodes->count; i++) {
        if (nodes->items[i]->withdrawn == NULL) {
            dr_review_nolint(nodes->items[i], v->used[nodes->items[i]->index], out);
        }
    }
    dr_arena_free(&v->arena);
    return rc;
}

enum dr_rc
dr_review_nodes(const struct dr_nodes *nodes, struct dr_findings *out, struct dr_err *err)
{
    struct review v = {.is_linked = true};
    return review(nodes, &v, out, err);
}

static void
add_error(const struct dr_err *err, const char *text, size_t len, struct dr_findings *out)
{
    const struct dr_lint_rule *row = dr_lint_rule_of(err->rc);
    struct dr_finding f = {.severity = DR_SEVERITY_ERROR, .rc = err->rc};
    bool is_drop = strncmp(err->message, "DROP DATABASE", 13) == 0;
    f.rule = row == NULL ? dr_rc_name(err->rc) : is_drop ? "ban-drop-database" : row->name;
    f.message = dr_arena_str(out->arena, err->message);
    f.file = dr_arena_str(out->arena, err->file);
    f.help = dr_arena_str(out->arena, err->hint[0] != '\0' ? err->hint : dr_rc_hint(err->rc));
    f.line = err->line;
    f.column = err->column;
    f.source_line = err->line == 0 ? NULL : dr_review_source(text, len, err->line, out->arena);
    if (f.message != NULL && f.file != NULL) {
        dr_findings_add(out, &f);
    }
}

static void
on_bad_file(void *ctx, const struct dr_err *err, const char *bytes)
{
    add_error(err, bytes, bytes == NULL ? 0 : strlen(bytes), ctx);
}

static const char *
base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool
has_file(const struct dr_names *files, const char *path)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(base_name(files->items[i]), base_name(path)) == 0) {
            return true;
        }
    }
    return false;
}

// What is wrong with an older file is not told again, but that it was changed.
static void
keep_asked_for(struct dr_findings *out, size_t from, const struct dr_review_options *o)
{
    size_t kept = from;
    for (size_t i = from; i < out->count; i++) {
        const struct dr_finding *f = &out->items[i];
        bool is_asked = o->files == NULL || o->files->count == 0 || has_file(o->files, f->file);
        bool is_old = o->older != NULL && has_file(o->older, f->file) &&
                      strcmp(f->rule, "approved-revision-changed") != 0;
        if (is_asked && !is_old) {
            out->items[kept++] = *f;
        }
    }
    out->count = kept;
}

// The bytes of a file that the graph refused are read anew.
static void
report_graph(const struct dr_err *err, struct dr_findings *out)
{
    char *text = NULL;
    size_t len = 0;
    struct dr_err ignored = {0};
    if (err->file[0] == '\0' ||
        dr_file_read(err->file, DR_REVISION_FILE_MAX, &text, &len, &ignored) != DR_OK) {
        text = NULL;
        len = 0;
    }
    add_error(err, text, len, out);
    free(text);
}

static void
on_bad_graph(void *ctx, const struct dr_err *err)
{
    report_graph(err, ctx);
}

// Which revisions are planned together, and those among the known ones that were changed.
static enum dr_rc
compare_known(const struct dr_graph *graph, const struct dr_review_options *o, struct review *v,
              struct dr_findings *out, struct dr_err *err)
{
    bool *planned = dr_graph_set(graph, out->arena);
    if (planned == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < dr_graph_count(graph); i++) {
        const struct dr_node *node = dr_graph_at(graph, i);
        planned[i] = o->older != NULL && !has_file(o->older, node->revision->path);
        if (o->changed != NULL && has_file(o->changed, node->revision->path)) {
            dr_review_line(node->revision, "approved-revision-changed", node->revision->id_line,
                           "this revision has other bytes than the one that people know",
                           "take the change back, and write it as a new revision: drover revision "
                           "-m \"...\"",
                           out);
        }
    }
    v->planned = o->older == NULL ? NULL : planned;
    return DR_OK;
}

enum dr_rc
dr_review_folder(const char *folder, const struct dr_review_options *options,
                 struct dr_findings *out, struct dr_err *err)
{
    static const struct dr_review_options none = {0};
    struct dr_graph_report report = {
        .on_bad_file = on_bad_file, .on_bad_graph = on_bad_graph, .ctx = out};
    struct dr_err unused = {0};
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    struct review v = {0};
    size_t from = out->count;
    options = options == NULL ? &none : options;
    err = err == NULL ? &unused : err;
    enum dr_rc rc = dr_graph_load_reporting(folder, &report, &graph, err);
    if (rc != DR_OK) {
        return rc;
    }
    v.is_linked = !graph->is_loose;
    if (v.is_linked && dr_graph_check_heads(graph, err) != DR_OK) {
        report_graph(err, out);
    }
    bool *all = dr_graph_set(graph, out->arena);
    rc = all == NULL ? dr_graph_nomem(err) : DR_OK;
    for (size_t i = 0; all != NULL && i < graph->count; i++) {
        all[i] = true;
    }
    rc = rc == DR_OK ? dr_graph_list(graph, all, false, out->arena, &nodes, err) : rc;
    rc = rc == DR_OK ? compare_known(graph, options, &v, out, err) : rc;
    rc = rc == DR_OK ? review(&nodes, &v, out, err) : rc;
    dr_graph_free(&graph);
    keep_asked_for(out, from, options);
    return rc;
}
