#include "revision/review.h"

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

static void
warn(const struct dr_revision *r, const char *rule, uint32_t line, const char *message,
     const char *help, struct dr_findings *out)
{
    for (size_t i = 0; i < r->nolint_count; i++) {
        if (strcmp(r->nolint[i].rule, rule) == 0) {
            return;
        }
    }
    struct dr_finding f = {.severity = DR_SEVERITY_WARNING, .rule = rule, .message = message};
    f.file = dr_arena_str(out->arena, r->path);
    f.line = line;
    f.column = 1;
    f.help = help;
    if (f.file != NULL) {
        dr_findings_add(out, &f);
    }
}

// What is said of a revision as a whole.
static void
review_whole(const struct dr_node *node, struct dr_findings *out)
{
    const struct dr_revision *r = node->revision;
    bool has_verify = r->section_count == 0;
    for (size_t i = 0; i < r->section_count; i++) {
        has_verify =
            has_verify || (r->sections[i].kind == DR_SECTION_VERIFY && !r->sections[i].on_down);
    }
    if (!has_verify) {
        warn(r, "no-verify", r->id_line, "nothing checks what the revision did",
             "add a section: -- drover:verify \"what must hold\" with a SELECT that is true", out);
    }
    if (strlen(r->id) > 32) {
        warn(r, "id-too-long", r->id_line,
             "the id has more than 32 characters, which the table alembic_version cannot hold",
             "shorten it, or do not keep alembic_version in step", out);
    }
}

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
review_engine(const struct dr_nodes *nodes, Drover__V1__Engine engine, bool is_linked,
              struct dr_arena *arena, struct dr_findings *out, struct dr_err *err)
{
    struct dr_checked_list list = {0};
    struct dr_lint_scratch *scratch = NULL;
    struct dr_lint_catalog *catalog = dr_lint_catalog_new(arena);
    enum dr_rc rc =
        catalog == NULL ? dr_graph_nomem(err) : dr_sections_check(nodes, engine, arena, &list, err);
    if (rc == DR_OK && engine == DROVER__V1__ENGINE__SQLITE && list.count > 0 && is_linked) {
        rc = dr_lint_scratch_open(&scratch, err);
    }
    for (size_t i = 0; rc == DR_OK && i < list.count;) {
        size_t count = 1;
        while (i + count < list.count && list.items[i + count].node == list.items[i].node) {
            count++;
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

// The revisions that are for the engine and stand on nothing that is not: what can be replayed.
static enum dr_rc
nodes_for(const struct dr_nodes *nodes, Drover__V1__Engine engine, struct dr_arena *arena,
          struct dr_nodes *out, struct dr_err *err)
{
    size_t size = 0, count = 0;
    for (size_t i = 0; i < nodes->count; i++) {
        size = nodes->items[i]->index >= size ? nodes->items[i]->index + 1 : size;
    }
    bool *is_left_out = dr_arena_array(arena, size, sizeof *is_left_out);
    const struct dr_node **items = dr_arena_array(arena, nodes->count, sizeof *items);
    if (is_left_out == NULL || items == NULL) {
        return dr_graph_nomem(err);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_node *n = nodes->items[i];
        bool is_out = (n->revision->engines & (1u << (unsigned)engine)) == 0;
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

static enum dr_rc
review(const struct dr_nodes *nodes, bool is_linked, struct dr_findings *out, struct dr_err *err)
{
    static const Drover__V1__Engine engines[] = {DROVER__V1__ENGINE__POSTGRESQL,
                                                 DROVER__V1__ENGINE__SQLITE};
    struct dr_arena *arena = dr_arena_new(ARENA_BYTES);
    enum dr_rc rc = arena == NULL ? dr_graph_nomem(err) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < nodes->count; i++) {
        review_whole(nodes->items[i], out);
    }
    for (size_t e = 0; rc == DR_OK && e < DR_COUNT_OF(engines); e++) {
        struct dr_nodes mine = {0};
        if (!is_wanted(nodes, engines[e])) {
            continue;
        }
        rc = nodes_for(nodes, engines[e], arena, &mine, err);
        rc = rc == DR_OK ? review_engine(&mine, engines[e], is_linked, arena, out, err) : rc;
    }
    dr_arena_free(&arena);
    return rc;
}

enum dr_rc
dr_review_nodes(const struct dr_nodes *nodes, struct dr_findings *out, struct dr_err *err)
{
    return review(nodes, true, out, err);
}

static char *
line_of(const char *text, size_t len, uint32_t line, struct dr_arena *arena)
{
    for (uint32_t l = 1; l < line && text != NULL; l++) {
        const char *end = memchr(text, '\n', len);
        if (end == NULL) {
            return NULL;
        }
        len -= (size_t)(end - text) + 1;
        text = end + 1;
    }
    const char *end = text == NULL ? NULL : memchr(text, '\n', len);
    size_t n = end == NULL ? len : (size_t)(end - text);
    return text == NULL ? NULL : dr_arena_strn(arena, text, n > 500 ? 500 : n);
}

static void
add_error(const struct dr_err *err, const char *text, size_t len, struct dr_findings *out)
{
    const struct dr_lint_rule *row = dr_lint_rule_of(err->rc);
    struct dr_finding f = {.severity = DR_SEVERITY_ERROR, .rc = err->rc};
    f.rule = row == NULL ? dr_rc_name(err->rc) : row->name;
    f.message = dr_arena_str(out->arena, err->message);
    f.file = dr_arena_str(out->arena, err->file);
    f.help = dr_arena_str(out->arena, err->hint[0] != '\0' ? err->hint : dr_rc_hint(err->rc));
    f.line = err->line;
    f.column = err->column;
    f.source_line = err->line == 0 ? NULL : line_of(text, len, err->line, out->arena);
    if (f.message != NULL && f.file != NULL) {
        dr_findings_add(out, &f);
    }
}

static void
on_bad_file(void *ctx, const struct dr_err *err, const char *bytes)
{
    add_error(err, bytes, bytes == NULL ? 0 : strlen(bytes), ctx);
}

static bool
is_asked_for(const struct dr_names *files, const char *path)
{
    if (files == NULL || files->count == 0) {
        return true;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    for (size_t i = 0; i < files->count; i++) {
        const char *other = strrchr(files->items[i], '/');
        if (strcmp(other == NULL ? files->items[i] : other + 1, name) == 0) {
            return true;
        }
    }
    return false;
}

static void
keep_asked_for(struct dr_findings *out, size_t from, const struct dr_names *files)
{
    size_t kept = from;
    for (size_t i = from; i < out->count; i++) {
        if (is_asked_for(files, out->items[i].file)) {
            out->items[kept++] = out->items[i];
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

enum dr_rc
dr_review_folder(const char *folder, const struct dr_names *files, struct dr_findings *out,
                 struct dr_err *err)
{
    struct dr_graph_report report = {
        .on_bad_file = on_bad_file, .on_bad_graph = on_bad_graph, .ctx = out};
    struct dr_err unused = {0};
    struct dr_graph *graph = NULL;
    struct dr_nodes nodes = {0};
    size_t from = out->count;
    err = err == NULL ? &unused : err;
    enum dr_rc rc = dr_graph_load_reporting(folder, &report, &graph, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!graph->is_loose && dr_graph_check_heads(graph, err) != DR_OK) {
        report_graph(err, out);
    }
    bool *all = dr_graph_set(graph, out->arena);
    rc = all == NULL ? dr_graph_nomem(err) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < graph->count; i++) {
        all[i] = true;
    }
    rc = rc == DR_OK ? dr_graph_list(graph, all, false, out->arena, &nodes, err) : rc;
    rc = rc == DR_OK ? review(&nodes, !graph->is_loose, out, err) : rc;
    dr_graph_free(&graph);
    keep_asked_for(out, from, files);
    return rc;
}
