// The engine's handle: open, look, own. See run.h; what a run does is in run_job.c.
#include "engine/run_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS   10000u
#define RETRY_MS     60000u
#define RECOVER_MS   60000u
#define MAX_BLOCK_MS 5000

static void
on_tick(void *arg, const struct dr_tick *tick)
{
    struct dr_engine *e = arg;
    if (e->current != NULL) {
        dr_run_tell(e->current, tick, false);
    }
}

static bool
copy_strings(struct dr_engine *e)
{
    const char **const fields[] = {&e->options.url,    &e->options.schema,      &e->options.tenant,
                                   &e->options.target, &e->options.environment, &e->options.owner};
    for (size_t i = 0; i < DR_COUNT_OF(fields); i++) {
        e->strings[i] = strdup(*fields[i] == NULL ? "" : *fields[i]);
        if (e->strings[i] == NULL) {
            return false;
        }
        *fields[i] = e->strings[i];
    }
    return true;
}

static void
set_defaults(struct dr_engine *e)
{
    struct dr_engine_options *o = &e->options;
    o->connect_timeout_ms = o->connect_timeout_ms == 0 ? CONNECT_MS : o->connect_timeout_ms;
    o->retry_budget_ms = o->retry_budget_ms == 0 ? RETRY_MS : o->retry_budget_ms;
    o->recover_timeout_ms = o->recover_timeout_ms == 0 ? RECOVER_MS : o->recover_timeout_ms;
    o->cancel_fd = o->cancel_fd <= 0 ? -1 : o->cancel_fd;
    o->stop_fd = o->stop_fd <= 0 ? -1 : o->stop_fd;
    o->max_block_ms = o->max_block_ms == 0            ? MAX_BLOCK_MS
                      : o->max_block_ms == UINT64_MAX ? 0
                                                      : o->max_block_ms;
    if (o->owner_key != NULL) {
        memcpy(e->owner_key, o->owner_key, 32);
        o->owner_key = e->owner_key;
    }
}

enum dr_rc
dr_engine_open(const struct dr_engine_options *options, struct dr_engine **out, struct dr_err *err)
{
    const struct dr_driver_ops *ops;
    enum dr_rc rc = dr_driver_find(options->url, &ops, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (options->tenant != NULL && strlen(options->tenant) > DR_LEDGER_TENANT_MAX) {
        return dr_err_set(err, DR_E_INVALID, "the tenant's name is too long");
    }
    struct dr_engine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    e->magic = DR_ENGINE_MAGIC;
    e->ops = ops;
    e->options = *options;
    rc = copy_strings(e) ? DR_OK : dr_err_set(err, DR_E_NOMEM, "no memory left");
    if (rc == DR_OK) {
        set_defaults(e);
        struct dr_driver_options d = {.url = e->options.url,
                                      .schema = e->options.schema,
                                      .tenant = e->options.tenant,
                                      .name = e->options.target[0] == '\0' ? "direct"
                                                                           : e->options.target,
                                      .is_lazy = e->options.is_lazy,
                                      .keeps_alembic = e->options.keeps_alembic,
                                      .tolerate = e->options.tolerate,
                                      .tolerate_count = e->options.tolerate_count,
                                      .observes = e->options.observes,
                                      .connect_timeout_ms = e->options.connect_timeout_ms,
                                      .recover_timeout_ms = e->options.recover_timeout_ms,
                                      .cancel_fd = e->options.cancel_fd,
                                      .stop_fd = e->options.stop_fd,
                                      .stop_grace_ms = e->options.stop_grace_ms,
                                      .max_block_ms = e->options.max_block_ms,
                                      .tick = on_tick,
                                      .tick_arg = e};
        rc = ops->open(&d, &e->driver, err);
    }
    if (rc != DR_OK) {
        dr_engine_close(&e);
        return rc;
    }
    *out = e;
    return DR_OK;
}

void
dr_engine_close(struct dr_engine **engine)
{
    struct dr_engine *e = *engine;
    if (e == NULL) {
        return;
    }
    if (e->driver != NULL) {
        e->ops->close(e->driver);
    }
    for (size_t i = 0; i < DR_COUNT_OF(e->strings); i++) {
        free(e->strings[i]);
    }
    e->magic = 0;
    free(e);
    *engine = NULL;
}

void
dr_engine_foresee(struct dr_engine *engine)
{
    engine->ops->foresee(engine->driver);
}

void
dr_engine_identity(const struct dr_engine *engine, struct dr_identity *out)
{
    engine->ops->identity(engine->driver, out);
}

enum dr_rc
dr_run_heads(const struct dr_ledger_view *view, struct dr_arena *arena, struct dr_engine_head **out,
             size_t *out_count, struct dr_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < view->revisions_count; i++) {
        n += view->revisions[i].is_head ? 1 : 0;
    }
    struct dr_engine_head *heads = dr_arena_array(arena, n + 1, sizeof *heads);
    if (heads == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    n = 0;
    for (size_t i = 0; i < view->revisions_count; i++) {
        const struct dr_ledger_revision *v = &view->revisions[i];
        if (v->is_head) {
            heads[n].id = v->id;
            memcpy(heads[n++].digest, v->digest, 32);
        }
    }
    *out = heads;
    *out_count = n;
    return DR_OK;
}

enum dr_rc
dr_run_state(struct dr_engine *engine, struct dr_arena *arena, const struct dr_ledger_view *view,
             struct dr_engine_state *out, struct dr_err *err)
{
    struct dr_engine_state s = {.has_ledger = view->exists,
                                .owner = view->owner,
                                .position = view->position,
                                .fingerprint_text = "",
                                .ledger = *view};
    memcpy(s.owner_key, view->owner_key, 32);
    memcpy(s.ledger_head, view->head, 32);
    for (size_t i = 0; i < view->revisions_count; i++) {
        s.is_partial |= view->revisions[i].state != DR_LEDGER_APPLIED;
    }
    engine->ops->identity(engine->driver, &s.identity);
    enum dr_rc rc = dr_run_heads(view, arena, &s.heads, &s.heads_count, err);
    if (rc == DR_OK) {
        *out = s;
    }
    return rc;
}

static enum dr_rc
read_state(struct dr_engine *engine, struct dr_arena *arena, bool with_fingerprint,
           enum dr_ledger_depth depth, struct dr_engine_state *out, struct dr_err *err)
{
    struct dr_ledger_view view;
    struct dr_engine_state s = {0};
    enum dr_rc rc = engine->ops->ledger_read(engine->driver, arena, depth, &view, err);
    if (rc == DR_OK) {
        rc = dr_run_state(engine, arena, &view, &s, err);
    }
    if (rc == DR_OK && with_fingerprint) {
        rc = engine->ops->fingerprint(engine->driver, arena, s.fingerprint, &s.fingerprint_text,
                                      err);
    }
    if (rc == DR_OK) {
        *out = s;
    }
    return rc;
}

enum dr_rc
dr_engine_read_state(struct dr_engine *engine, struct dr_arena *arena, bool with_fingerprint,
                     bool whole, struct dr_engine_state *out, struct dr_err *err)
{
    return read_state(engine, arena, with_fingerprint, whole ? DR_LEDGER_WHOLE : DR_LEDGER_LIST,
                      out, err);
}

enum dr_rc
dr_engine_read_heads(struct dr_engine *engine, struct dr_arena *arena, struct dr_engine_state *out,
                     struct dr_err *err)
{
    return read_state(engine, arena, false, DR_LEDGER_HEADS, out, err);
}

enum dr_rc
dr_run_check_owner(const struct dr_engine *engine, const struct dr_ledger_view *view,
                   struct dr_err *err)
{
    bool is_mine =
        engine->options.owner_key != NULL && memcmp(engine->owner_key, view->owner_key, 32) == 0;
    if (view->owner[0] == '\0' || is_mine) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_LEDGER_OWNED, "agent '%s' owns the ledger of this database",
                     view->owner);
    if (engine->options.owner_key != NULL) {
        return dr_err_hint(err,
                           "this database belongs to another agent, or is a copy of its database");
    }
    return err->rc;
}

enum dr_rc
dr_run_own(const struct dr_engine_run *run, const struct dr_ledger_view *view, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    if (!run->job->owns) {
        return DR_OK;
    }
    if (e->options.owner_key == NULL || e->options.owner[0] == '\0') {
        return dr_err_set(err, DR_E_INVALID, "direct mode owns no ledger");
    }
    if (view->exists && memcmp(view->owner_key, e->owner_key, 32) == 0 &&
        strcmp(view->owner, e->options.owner) == 0) {
        return DR_OK;
    }
    enum dr_rc rc = e->ops->ledger_ensure(e->driver, err);
    return rc != DR_OK ? rc : e->ops->ledger_own(e->driver, e->options.owner, e->owner_key, err);
}
