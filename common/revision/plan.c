#include "revision/plan.h"

#include "revision/sections.h"

#include <stdlib.h>
#include <string.h>

// Compiling: sections to units, in the file's order. Nothing but the revisions' bytes and the
// compiler's version goes in, so the message can be made again anywhere and compared byte by byte.

#define FINDINGS_BYTES (8u << 20)

struct compile {
    Drover__V1__Engine engine;
    struct dr_arena *arena;
    struct dr_err *err;
    bool failed; // a copy could not be made
};

static enum dr_rc
nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left for the plan");
}

// A copy in the plan's arena, so that the plan outlives the graph. An empty text when memory is
// out, noted in `failed`.
static char *
copy(struct compile *c, const char *text)
{
    char *own = dr_arena_str(c->arena, text);
    c->failed = c->failed || own == NULL;
    return own;
}

Drover__V1__UnitKind
dr_plan_unit_kind(const struct dr_section *s)
{
    static const Drover__V1__UnitKind kinds[] = {
        DROVER__V1__UNIT_KIND__UNIT_NONE, DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT,
        DROVER__V1__UNIT_KIND__UNIT_UP,   DROVER__V1__UNIT_KIND__UNIT_VERIFY,
        DROVER__V1__UNIT_KIND__UNIT_DOWN, DROVER__V1__UNIT_KIND__UNIT_REMEDY,
    };
    if (s->on_down) {
        return s->kind == DR_SECTION_PREFLIGHT ? DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN
                                               : DROVER__V1__UNIT_KIND__UNIT_VERIFY_DOWN;
    }
    return kinds[s->kind];
}

static enum dr_rc
add_statements(struct compile *c, const struct dr_checked *item, Drover__V1__Unit *unit)
{
    const struct dr_sql_result *r = item->lint.result;
    Drover__V1__Statement *all = dr_arena_array(c->arena, r->count, sizeof *all);
    unit->statements = dr_arena_array(c->arena, r->count, sizeof *unit->statements);
    if (all == NULL || unit->statements == NULL) {
        return nomem(c->err);
    }
    for (size_t i = 0; i < r->count; i++) {
        const struct dr_sql_stmt *s = &r->stmts[i];
        drover__v1__statement__init(&all[i]);
        all[i].offset = item->section->offset + s->offset;
        all[i].length = s->length;
        all[i].class_ = s->class_;
        all[i].line = item->section->line + s->line - 1;
        unit->statements[i] = &all[i];
    }
    unit->n_statements = r->count;
    return DR_OK;
}

static enum dr_rc
make_unit(struct compile *c, const struct dr_checked *item, const uint8_t digest[DR_DIGEST_SIZE],
          Drover__V1__Unit **out)
{
    const struct dr_section *s = item->section;
    const struct dr_revision *r = item->node->revision;
    Drover__V1__Unit *unit = dr_arena_alloc(c->arena, sizeof *unit);
    uint8_t *own = dr_arena_alloc(c->arena, DR_DIGEST_SIZE);
    if (unit == NULL || own == NULL) {
        return nomem(c->err);
    }
    drover__v1__unit__init(unit);
    unit->kind = dr_plan_unit_kind(s);
    unit->name = copy(c, s->name);
    unit->outside_transaction = s->outside_transaction;
    unit->lock_timeout_ms = s->lock_timeout_ms != 0 ? s->lock_timeout_ms : r->lock_timeout_ms;
    unit->statement_timeout_ms =
        s->statement_timeout_ms != 0 ? s->statement_timeout_ms : r->statement_timeout_ms;
    unit->expect =
        s->expect_empty ? DROVER__V1__EXPECT__EXPECT_EMPTY : DROVER__V1__EXPECT__EXPECT_TRUE;
    unit->only = copy(c, s->only);
    unit->max_ms = s->max_ms;
    unit->max_block_ms = s->max_block_ms;
    unit->sample = s->sample;
    unit->retry = s->retry;
    if (s->outside_transaction && item->lint.result->count == 1) {
        unit->probe = item->lint.result->stmts[0].probe;
        unit->probe_object = copy(c, item->lint.result->stmts[0].object);
    }
    if (s->probe[0] != '\0') {
        unit->probe = DROVER__V1__PROBE__PROBE_QUERY;
        unit->probe_object = copy(c, s->probe);
    }
    enum dr_rc rc = add_statements(c, item, unit);
    rc = rc == DR_OK ? dr_digest_unit(own, digest, unit, r->bytes, r->size, c->err) : rc;
    unit->digest = (ProtobufCBinaryData){.len = DR_DIGEST_SIZE, .data = own};
    *out = unit;
    return rc;
}

static uint8_t *
keep_digest(struct compile *c, const uint8_t digest[DR_DIGEST_SIZE])
{
    return dr_arena_copy(c->arena, digest, DR_DIGEST_SIZE);
}

static int
by_digest(const void *a, const void *b)
{
    const struct dr_node *const *x = a, *const *y = b;
    return memcmp((*x)->digest, (*y)->digest, DR_DIGEST_SIZE);
}

// Parents by digest ascending, ids in the same order.
static enum dr_rc
add_parents(struct compile *c, const struct dr_node *node, Drover__V1__PlanRevision *out)
{
    const struct dr_node *parents[DR_REVISION_LIST_MAX];
    size_t n = node->parent_count;
    out->parents = dr_arena_array(c->arena, n, sizeof *out->parents);
    out->parent_ids = dr_arena_array(c->arena, n, sizeof *out->parent_ids);
    if (out->parents == NULL || out->parent_ids == NULL) {
        return nomem(c->err);
    }
    for (size_t i = 0; i < n; i++) {
        parents[i] = node->parents[i];
    }
    if (n > 1) {
        qsort(parents, n, sizeof parents[0], by_digest);
    }
    for (size_t i = 0; i < n; i++) {
        out->parents[i] = (ProtobufCBinaryData){.len = DR_DIGEST_SIZE,
                                                .data = keep_digest(c, parents[i]->digest)};
        out->parent_ids[i] = copy(c, parents[i]->revision->id);
        if (out->parents[i].data == NULL) {
            return nomem(c->err);
        }
    }
    out->n_parents = out->n_parent_ids = n;
    return DR_OK;
}

// Dependencies by id, ascending.
static enum dr_rc
add_depends(struct compile *c, const struct dr_node *node, Drover__V1__PlanRevision *out)
{
    size_t n = node->depends_on_count;
    out->depends_ids = dr_arena_array(c->arena, n, sizeof *out->depends_ids);
    if (out->depends_ids == NULL) {
        return nomem(c->err);
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        char *id = copy(c, node->depends_on[i]->revision->id);
        if (id == NULL) {
            return nomem(c->err);
        }
        while (at > 0 && strcmp(out->depends_ids[at - 1], id) > 0) {
            out->depends_ids[at] = out->depends_ids[at - 1];
            at--;
        }
        out->depends_ids[at] = id;
    }
    out->n_depends_ids = n;
    return DR_OK;
}

// One revision with the units of `list` from `*next` on.
static enum dr_rc
make_revision(struct compile *c, const struct dr_node *node, const struct dr_checked_list *list,
              size_t *next, Drover__V1__PlanRevision **out)
{
    Drover__V1__PlanRevision *r = dr_arena_alloc(c->arena, sizeof *r);
    size_t count = 0;
    while (*next + count < list->count && list->items[*next + count].node == node) {
        count++;
    }
    if (r == NULL) {
        return nomem(c->err);
    }
    drover__v1__plan_revision__init(r);
    r->id = copy(c, node->revision->id);
    r->message = copy(c, node->revision->message);
    r->file_size = node->revision->size;
    r->no_down = node->revision->down_none;
    r->digest = (ProtobufCBinaryData){.len = DR_DIGEST_SIZE, .data = keep_digest(c, node->digest)};
    r->file_sha256 =
        (ProtobufCBinaryData){.len = DR_DIGEST_SIZE, .data = keep_digest(c, node->file_sha256)};
    r->units = dr_arena_array(c->arena, count, sizeof *r->units);
    if (r->digest.data == NULL || r->file_sha256.data == NULL || r->units == NULL) {
        return nomem(c->err);
    }
    enum dr_rc rc = add_parents(c, node, r);
    rc = rc == DR_OK ? add_depends(c, node, r) : rc;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = make_unit(c, &list->items[*next + i], node->digest, &r->units[i]);
    }
    r->n_units = count;
    *next += count;
    *out = r;
    return rc;
}

static enum dr_rc
check_engine(struct compile *c, const struct dr_nodes *nodes)
{
    const char *name = c->engine == DROVER__V1__ENGINE__SQLITE ? "sqlite" : "postgresql";
    for (size_t i = 0; i < nodes->count; i++) {
        const struct dr_revision *r = nodes->items[i]->revision;
        if ((r->engines & (1u << (unsigned)c->engine)) == 0) {
            dr_err_set(c->err, DR_E_REVISION_ENGINE, "revision '%s' is not for engine '%s'", r->id,
                       name);
            dr_err_hint(c->err,
                        "add '%s' to its 'Engine:' line and write the sections for it (engine=%s)",
                        name, name);
            return dr_err_at(c->err, r->path, r->engine_line, 1);
        }
    }
    return DR_OK;
}

// Every rule that is an error holds for a plan too: the first one stops it.
static enum dr_rc
check_rules(struct compile *c, const struct dr_checked_list *list)
{
    struct dr_arena *scratch = dr_arena_new(FINDINGS_BYTES);
    struct dr_findings findings = {.arena = scratch};
    enum dr_rc rc = scratch == NULL ? nomem(c->err) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < list->count; i++) {
        dr_lint_section(&list->items[i].lint, NULL, &findings);
        if (dr_findings_first_error(&findings, c->err)) {
            rc = c->err == NULL ? DR_E_SQL_LINT : c->err->rc;
        }
    }
    dr_arena_free(&scratch);
    return rc;
}

static int
by_index(const void *a, const void *b)
{
    const struct dr_node *const *x = a, *const *y = b;
    return ((*x)->index > (*y)->index) - ((*x)->index < (*y)->index);
}

// Parents first, whatever the direction that the list was made for.
static enum dr_rc
order_nodes(const struct dr_nodes *nodes, struct dr_arena *arena, struct dr_nodes *out,
            struct dr_err *err)
{
    const struct dr_node **items = dr_arena_array(arena, nodes->count, sizeof *items);
    if (items == NULL) {
        return nomem(err);
    }
    for (size_t i = 0; i < nodes->count; i++) {
        items[i] = nodes->items[i];
    }
    if (nodes->count > 1) {
        qsort(items, nodes->count, sizeof *items, by_index);
    }
    *out = (struct dr_nodes){items, nodes->count};
    return DR_OK;
}

static enum dr_rc
check_request(const char *project, Drover__V1__Engine engine, const struct dr_nodes *nodes,
              struct dr_err *err)
{
    size_t len = strlen(project);
    if (len == 0 || len > 64 || strspn(project, "abcdefghijklmnopqrstuvwxyz0123456789._-") != len) {
        dr_err_set(err, DR_E_INVALID, "'%.100s' cannot be the name of a project", project);
        return dr_err_hint(err, "use 1 to 64 of a-z, 0-9, '.', '_' and '-'");
    }
    if (engine != DROVER__V1__ENGINE__POSTGRESQL && engine != DROVER__V1__ENGINE__SQLITE) {
        return dr_err_set(err, DR_E_INVALID, "a plan needs an engine");
    }
    if (nodes->count > DR_PLAN_REVISIONS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a plan has at most %u revisions",
                          DR_PLAN_REVISIONS_MAX);
    }
    return DR_OK;
}

static enum dr_rc
pack(struct compile *c, Drover__V1__Plan *message, struct dr_plan *out)
{
    if (c->failed) {
        return nomem(c->err);
    }
    size_t size = drover__v1__plan__get_packed_size(message);
    if (size > DR_PLAN_PACKED_MAX) {
        dr_err_set(c->err, DR_E_LIMIT, "the plan has %zu bytes; at most %u are allowed", size,
                   DR_PLAN_PACKED_MAX);
        return dr_err_hint(c->err, "upgrade in several steps: drover upgrade +1");
    }
    uint8_t *bytes = dr_arena_alloc(c->arena, size);
    if (bytes == NULL) {
        return nomem(c->err);
    }
    drover__v1__plan__pack(message, bytes);
    out->message = message;
    out->packed = (struct dr_bytes){bytes, size};
    dr_digest_sha256(out->digest, bytes, size);
    return DR_OK;
}

enum dr_rc
dr_plan_compile(const char *project, Drover__V1__Engine engine, const struct dr_nodes *given,
                struct dr_arena *arena, struct dr_plan *out, struct dr_err *err)
{
    struct dr_err unused = {0};
    struct compile c = {.engine = engine, .arena = arena, .err = err == NULL ? &unused : err};
    struct dr_checked_list list = {0};
    struct dr_nodes ordered = {0};
    const struct dr_nodes *nodes = &ordered;
    size_t next = 0;
    enum dr_rc rc = check_request(project, engine, given, c.err);
    rc = rc == DR_OK ? order_nodes(given, arena, &ordered, c.err) : rc;
    rc = rc == DR_OK ? check_engine(&c, nodes) : rc;
    rc = rc == DR_OK ? dr_sections_check(nodes, engine, arena, &list, c.err) : rc;
    rc = rc == DR_OK ? check_rules(&c, &list) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    Drover__V1__Plan *plan = dr_arena_alloc(arena, sizeof *plan);
    char *name = dr_arena_str(arena, project);
    if (plan == NULL || name == NULL) {
        return nomem(c.err);
    }
    drover__v1__plan__init(plan);
    plan->project = name;
    plan->engine = engine;
    plan->compiler = copy(&c, DR_PLAN_COMPILER);
    plan->revisions = dr_arena_array(arena, nodes->count, sizeof *plan->revisions);
    if (plan->revisions == NULL) {
        return nomem(c.err);
    }
    for (size_t i = 0; rc == DR_OK && i < nodes->count; i++) {
        rc = make_revision(&c, nodes->items[i], &list, &next, &plan->revisions[i]);
    }
    plan->n_revisions = nodes->count;
    return rc == DR_OK ? pack(&c, plan, out) : rc;
}
