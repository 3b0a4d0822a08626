// Plans for engine tests, written by hand: revisions as tables of sections and statements, with
// true digests. Included once per test program. Needs the library of common/revision.
#ifndef DR_TESTS_SUPPORT_ENGINE_PLANS_H
#define DR_TESTS_SUPPORT_ENGINE_PLANS_H

#include "base/arena.h"
#include "base/str.h"
#include "engine/run.h"
#include "revision/digest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TP_SECTIONS   8u
#define TP_STATEMENTS 6u
#define TP_REVISIONS  64u

struct tp_section {
    Drover__V1__UnitKind kind; // UNIT_NONE ends the list
    const char *statements[TP_STATEMENTS];
    bool is_outside;
    Drover__V1__Probe probe;
    const char *object;
    Drover__V1__Expect expect;
    const char *only;
    Drover__V1__StatementClass class;
    uint32_t lock_timeout_ms, max_ms, max_block_ms;
    const char *name;
};

struct tp_revision {
    const char *id;
    const char *parents[3];
    bool no_down;
    struct tp_section sections[TP_SECTIONS];
};

// A plan with its files. The arena owns it.
struct tp_plan {
    struct dr_arena *arena;
    Drover__V1__Plan *plan;
    uint8_t sha256[32];
    char *files[TP_REVISIONS];
    size_t sizes[TP_REVISIONS];
};

#define TP_UP(...)                                                                                 \
    {                                                                                              \
        .kind = DROVER__V1__UNIT_KIND__UNIT_UP, .statements = { __VA_ARGS__ }                      \
    }
#define TP_DOWN(...)                                                                               \
    {                                                                                              \
        .kind = DROVER__V1__UNIT_KIND__UNIT_DOWN, .statements = { __VA_ARGS__ }                    \
    }
#define TP_VERIFY(...)                                                                             \
    {                                                                                              \
        .kind = DROVER__V1__UNIT_KIND__UNIT_VERIFY, .name = "check", .statements = { __VA_ARGS__ } \
    }
#define TP_PREFLIGHT(...)                                                                          \
    {                                                                                              \
        .kind = DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT, .name = "look", .statements = {             \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static inline void *
tp_alloc(struct tp_plan *p, size_t count, size_t size)
{
    void *m = dr_arena_array(p->arena, count + 1, size);
    assert(m != NULL);
    return m;
}

static inline void
tp_bytes(struct tp_plan *p, ProtobufCBinaryData *out, const uint8_t *bytes, size_t len)
{
    out->data = dr_arena_copy(p->arena, bytes, len);
    out->len = len;
    assert(out->data != NULL);
}

static inline Drover__V1__Unit *
tp_unit(struct tp_plan *p, const struct tp_section *s, struct dr_buf *file, uint32_t *line)
{
    Drover__V1__Unit *u = tp_alloc(p, 1, sizeof *u);
    drover__v1__unit__init(u);
    u->kind = s->kind;
    u->name = dr_arena_str(p->arena, s->name == NULL ? "" : s->name);
    u->only = dr_arena_str(p->arena, s->only == NULL ? "" : s->only);
    u->probe_object = dr_arena_str(p->arena, s->object == NULL ? "" : s->object);
    u->outside_transaction = s->is_outside;
    u->probe = s->probe;
    u->expect = s->expect;
    u->lock_timeout_ms = s->lock_timeout_ms;
    u->max_ms = s->max_ms;
    u->max_block_ms = s->max_block_ms;
    u->statements = tp_alloc(p, TP_STATEMENTS, sizeof *u->statements);
    dr_buf_str(file, "-- drover:section\n");
    (*line)++;
    for (size_t i = 0; i < TP_STATEMENTS && s->statements[i] != NULL; i++) {
        Drover__V1__Statement *t = tp_alloc(p, 1, sizeof *t);
        drover__v1__statement__init(t);
        t->offset = file->len;
        t->length = strlen(s->statements[i]);
        t->class_ = s->class;
        t->line = *line;
        dr_buf_printf(file, "%s;\n", s->statements[i]);
        for (const char *c = s->statements[i]; *c != '\0'; c++) {
            *line += *c == '\n' ? 1 : 0;
        }
        (*line)++;
        u->statements[u->n_statements++] = t;
    }
    return u;
}

static inline void
tp_digest_units(struct tp_plan *p, Drover__V1__PlanRevision *r, const char *file, size_t len)
{
    for (size_t i = 0; i < r->n_units; i++) {
        uint8_t digest[32];
        struct dr_err err = {0};
        enum dr_rc rc = dr_digest_unit(digest, r->digest.data, r->units[i], file, len, &err);
        assert(rc == DR_OK);
        tp_bytes(p, &r->units[i]->digest, digest, 32);
    }
}

static inline const Drover__V1__PlanRevision *
tp_find(const struct tp_plan *p, const char *id)
{
    for (size_t i = 0; i < p->plan->n_revisions; i++) {
        if (strcmp(p->plan->revisions[i]->id, id) == 0) {
            return p->plan->revisions[i];
        }
    }
    return NULL;
}

// Parents that are not in the plan get the digest of their id, which no applied revision has.
static inline void
tp_parents(struct tp_plan *p, Drover__V1__PlanRevision *r, const struct tp_revision *t,
           const struct tp_plan *earlier)
{
    uint8_t digests[3][32];
    size_t n = 0;
    r->parents = tp_alloc(p, 3, sizeof *r->parents);
    r->parent_ids = tp_alloc(p, 3, sizeof *r->parent_ids);
    for (; n < 3 && t->parents[n] != NULL; n++) {
        const Drover__V1__PlanRevision *parent = tp_find(p, t->parents[n]);
        parent = parent == NULL && earlier != NULL ? tp_find(earlier, t->parents[n]) : parent;
        if (parent != NULL) {
            memcpy(digests[n], parent->digest.data, 32);
        } else {
            dr_digest_sha256(digests[n], t->parents[n], strlen(t->parents[n]));
        }
        r->parent_ids[n] = dr_arena_str(p->arena, t->parents[n]);
    }
    uint8_t digest[32];
    dr_digest_revision(digest, r->id, r->file_sha256.data, digests, n);
    tp_bytes(p, &r->digest, digest, 32);
    for (size_t i = 0; i < n; i++) {
        tp_bytes(p, &r->parents[i], digests[i], 32);
    }
    r->n_parents = r->n_parent_ids = n;
}

static inline void
tp_add(struct tp_plan *p, const struct tp_revision *t, const struct tp_plan *earlier)
{
    struct dr_buf file = {0};
    uint8_t digest[32];
    uint32_t line = 2;
    size_t index = p->plan->n_revisions++;
    Drover__V1__PlanRevision *r = tp_alloc(p, 1, sizeof *r);
    drover__v1__plan_revision__init(r);
    p->plan->revisions[index] = r;
    r->id = dr_arena_str(p->arena, t->id);
    r->message = dr_arena_str(p->arena, t->id);
    r->no_down = t->no_down;
    r->units = tp_alloc(p, TP_SECTIONS, sizeof *r->units);
    dr_buf_printf(&file, "-- %s\n", t->id);
    for (size_t i = 0; i < TP_SECTIONS && t->sections[i].kind != DROVER__V1__UNIT_KIND__UNIT_NONE;
         i++) {
        r->units[r->n_units++] = tp_unit(p, &t->sections[i], &file, &line);
    }
    assert(!file.failed);
    dr_digest_sha256(digest, file.data, file.len);
    tp_bytes(p, &r->file_sha256, digest, 32);
    r->file_size = file.len;
    tp_parents(p, r, t, earlier);
    p->files[index] = dr_arena_copy(p->arena, file.data, file.len);
    p->sizes[index] = file.len;
    tp_digest_units(p, r, file.data, file.len);
    dr_buf_fini(&file);
}

// A plan of `count` revisions, parents first. `earlier` (may be NULL) knows the parents that are
// not in it.
static inline struct tp_plan *
tp_make_after(Drover__V1__Engine engine, const struct tp_revision *revisions, size_t count,
              const struct tp_plan *earlier)
{
    struct dr_arena *arena = dr_arena_new(16u * 1024 * 1024);
    struct tp_plan *p = dr_arena_alloc(arena, sizeof *p);
    assert(p != NULL && count <= TP_REVISIONS);
    p->arena = arena;
    p->plan = tp_alloc(p, 1, sizeof *p->plan);
    drover__v1__plan__init(p->plan);
    p->plan->project = dr_arena_str(arena, "test");
    p->plan->compiler = dr_arena_str(arena, "test");
    p->plan->engine = engine;
    p->plan->revisions = tp_alloc(p, count, sizeof *p->plan->revisions);
    for (size_t i = 0; i < count; i++) {
        tp_add(p, &revisions[i], earlier);
    }
    size_t len = drover__v1__plan__get_packed_size(p->plan);
    uint8_t *packed = tp_alloc(p, len, 1);
    (void)drover__v1__plan__pack(p->plan, packed);
    dr_digest_sha256(p->sha256, packed, len);
    return p;
}

static inline struct tp_plan *
tp_make(Drover__V1__Engine engine, const struct tp_revision *revisions, size_t count)
{
    return tp_make_after(engine, revisions, count, NULL);
}

static inline void
tp_free(struct tp_plan *p)
{
    struct dr_arena *arena = p->arena;
    dr_arena_free(&arena);
}

static inline enum dr_rc
tp_file(void *arg, const uint8_t sha256[32], const char **out, size_t *out_len, struct dr_err *err)
{
    const struct tp_plan *p = arg;
    for (size_t i = 0; i < p->plan->n_revisions; i++) {
        if (memcmp(p->plan->revisions[i]->file_sha256.data, sha256, 32) == 0) {
            *out = p->files[i];
            *out_len = p->sizes[i];
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_NOT_FOUND, "no such file");
}

static inline struct dr_engine_job
tp_job(struct tp_plan *p, Drover__V1__Mode mode)
{
    struct dr_engine_job job = {.plan = p->plan, .mode = mode, .file = tp_file, .file_arg = p};
    memcpy(job.plan_sha256, p->sha256, 32);
    return job;
}

#endif
