// The walk over the chain: one scratch database for each engine, made anew only after something in
// it went wrong, so that what is found later was not caused by what was found before.

#include "coordinator/cli/testing_inner.h"

#include "coordinator/cli/chain_files.h"
#include "coordinator/cli/direct.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define ARENA_MAX (256u << 20) // of one place of the walk

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

bool
dr_test_is_fatal(enum dr_rc rc)
{
    return rc == DR_E_INTERRUPTED || rc == DR_E_NOMEM || rc == DR_E_DB_UNREACHABLE ||
           rc == DR_E_DB_LOST || rc == DR_E_COMMIT_UNKNOWN || rc == DR_E_DB_FULL ||
           rc == DR_E_INTERNAL || rc == DR_E_SQL_CHECK_DIED;
}

// ---------------------------------------------------------------------------------------- findings

// The line where the section of this engine begins; of the file's head when there is none.
static uint32_t
section_line(const struct dr_testing *t, const struct dr_revision *r, enum dr_section_kind kind)
{
    for (size_t i = 0; kind != 0 && i < r->section_count; i++) {
        const struct dr_section *s = &r->sections[i];
        if (s->kind == kind && (s->engines & 1u << t->engine) != 0) {
            return s->directive_line;
        }
    }
    return 1;
}

static const char *
keep(const struct dr_test_walk *w, const char *text)
{
    const char *copy = dr_arena_str(w->t->cli->arena, text == NULL ? "" : text);
    return copy == NULL ? "" : copy;
}

struct dr_test_finding *
dr_test_find(struct dr_test_walk *w, struct dr_test_revision *r, bool is_note, const char *kind,
             enum dr_section_kind section, const char *message, const char *details)
{
    // The last place is written again when there are too many: the verdict counts, not the list.
    size_t last = DR_TEST_FINDINGS_MAX - 1;
    size_t at = r->findings_count > last ? last : r->findings_count++;
    r->verdict = is_note ? r->verdict : DR_TEST_FAILED;
    r->findings[at] = (struct dr_test_finding){
        .is_note = is_note,
        .kind = kind,
        .message = keep(w, message),
        .hint = "",
        .details = keep(w, details),
        .file = r->node->revision->path,
        .line = section_line(w->t, r->node->revision, section),
        .column = 1,
    };
    return &r->findings[at];
}

// "check "name": words" for each check of which the server has more to say.
static void
add_checks(const struct dr_engine_result *result, struct dr_buf *out)
{
    for (size_t i = 0; i < result->checks_count; i++) {
        const struct dr_check_result *c = &result->checks[i];
        bool is_bad = c->verdict == DR_CHECK_FAILED || c->verdict == DR_CHECK_ERROR;
        if (is_bad && c->words != NULL && c->words[0] != '\0') {
            dr_buf_printf(out, "%scheck \"%s\": %s", out->len > 0 ? "\n" : "", c->name, c->words);
        }
    }
}

void
dr_test_find_error(struct dr_test_walk *w, struct dr_test_revision *r, bool is_note,
                   const char *kind, const struct dr_engine_result *result,
                   const struct dr_err *cause)
{
    struct dr_direct place = {.cli = w->t->cli, .graph = w->t->graph};
    struct dr_err at = *cause;
    struct dr_buf details = {0};
    dr_direct_place(&place, result, &at);
    add_checks(result, &details);
    if (result->words[0] != '\0' && strstr(cause->message, result->words) == NULL) {
        dr_buf_printf(&details, "%s%s", details.len > 0 ? "\n" : "", result->words);
    }
    struct dr_test_finding *f =
        dr_test_find(w, r, is_note, kind, DR_SECTION_UP, at.message, details.data);
    f->hint = keep(w, at.hint);
    if (at.file[0] != '\0' && at.line > 0) {
        f->file = keep(w, at.file);
        f->line = at.line;
        f->column = at.column > 0 ? at.column : 1;
    }
    dr_buf_fini(&details);
}

// ----------------------------------------------------------------------------------------- running

// The job for revisions [0, count) of `list`.
static enum dr_rc
run(struct dr_test_walk *w, Drover__V1__PlanRevision **list, size_t count, Drover__V1__Mode mode,
    struct dr_engine_result *out, struct dr_err *err)
{
    Drover__V1__Plan plan = *w->plan.message;
    plan.revisions = list;
    plan.n_revisions = count;
    struct dr_engine_job job = {
        .plan = &plan,
        .mode = mode,
        .file = dr_chain_file,
        .file_arg = w->t->graph,
        .is_own_plan = true,
    };
    memcpy(job.plan_sha256, w->plan.digest, 32);
    *out = (struct dr_engine_result){0};
    return dr_engine_run(w->engine, &job, w->arena, out, err);
}

enum dr_rc
dr_test_step(struct dr_test_walk *w, size_t index, Drover__V1__Mode mode,
             struct dr_engine_result *out, struct dr_err *err)
{
    return run(w, &w->plan.message->revisions[index], 1, mode, out, err);
}

enum dr_rc
dr_test_read_schema(struct dr_test_walk *w, struct dr_err *err)
{
    uint8_t *digest = dr_arena_alloc(w->arena, 32);
    if (digest == NULL) {
        return no_memory(err);
    }
    w->fingerprint = digest;
    return dr_testing_rows_schema(w->rows, w->arena, digest, &w->fingerprint_text, err);
}

enum dr_rc
dr_test_fill(struct dr_test_walk *w, const struct dr_testing_seen *before,
             struct dr_testing_seen *out_now, struct dr_testing_seen *out_filled,
             struct dr_err *err)
{
    struct dr_testing_seen seen = {0}, filled = {0};
    uint64_t added = 0;
    enum dr_rc rc = dr_testing_rows_look(w->rows, w->arena, &seen, err);
    rc = rc == DR_OK ? dr_testing_rows_fill(w->rows, &seen, before, w->arena, &added, err) : rc;
    filled = seen;
    if (rc == DR_OK && added > 0) {
        w->has_rows = true;
        rc = out_filled == NULL ? DR_OK : dr_testing_rows_look(w->rows, w->arena, &filled, err);
    }
    if (rc == DR_OK && out_filled != NULL) {
        *out_now = seen;
        *out_filled = filled;
    }
    return rc;
}

static void
close_database(struct dr_test_walk *w)
{
    dr_testing_rows_close(&w->rows);
    dr_engine_close(&w->engine);
    dr_scratch_close(&w->scratch);
    w->has_rows = false;
}

static enum dr_rc
open_database(struct dr_test_walk *w, struct dr_err *err)
{
    struct dr_testing *t = w->t;
    enum dr_rc rc = dr_scratch_open(t->server_url, NULL, &w->scratch, err);
    const struct dr_engine_options options = {.url = w->scratch.url,
                                              .environment = t->environment,
                                              .target = "test",
                                              .cancel_fd = t->cancel_fd};
    rc = rc == DR_OK ? dr_engine_open(&options, &w->engine, err) : rc;
    return rc == DR_OK ? dr_testing_rows_open(w->scratch.url, &w->rows, err) : rc;
}

enum dr_rc
dr_test_restart(struct dr_test_walk *w, bool with_rows, struct dr_err *err)
{
    size_t all = w->plan.message->n_revisions, n = 0;
    struct dr_engine_result *result = dr_arena_alloc(w->arena, sizeof *result);
    Drover__V1__PlanRevision **list = dr_arena_array(w->arena, all + 1, sizeof(void *));
    if (list == NULL || result == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < all; i++) {
        if (w->is_built[i]) {
            list[n++] = w->plan.message->revisions[i];
        }
    }
    close_database(w);
    enum dr_rc rc = open_database(w, err);
    rc = rc == DR_OK && n > 0 ? run(w, list, n, DROVER__V1__MODE__UP, result, err) : rc;
    if (rc != DR_OK) {
        struct dr_direct place = {.cli = w->t->cli, .graph = w->t->graph};
        dr_direct_place(&place, result, err);
        return rc;
    }
    rc = dr_test_read_schema(w, err);
    return rc == DR_OK && with_rows ? dr_test_fill(w, NULL, NULL, NULL, err) : rc;
}

// -------------------------------------------------------------------------------------------- walk

// The revisions that cannot be tested: what they stand on was not built.
static bool
can_be_tested(const struct dr_test_walk *w, const struct dr_node *node)
{
    const struct dr_testing *t = w->t;
    size_t all = t->before.count + t->nodes.count, found = 0;
    for (size_t i = 0; i < all; i++) {
        const struct dr_node *other =
            i < t->before.count ? t->before.items[i] : t->nodes.items[i - t->before.count];
        for (size_t k = 0; w->is_built[i] && k < node->parent_count; k++) {
            found += node->parents[k] == other ? 1 : 0;
        }
        for (size_t k = 0; w->is_built[i] && k < node->depends_on_count; k++) {
            found += node->depends_on[k] == other ? 1 : 0;
        }
    }
    return found == node->parent_count + node->depends_on_count;
}

// Gives the walk a new arena; what it knows of the schema moves.
static enum dr_rc
turn_arena(struct dr_test_walk *w, struct dr_err *err)
{
    struct dr_arena *next = dr_arena_new(ARENA_MAX);
    const char *text = next == NULL ? NULL : dr_arena_str(next, w->fingerprint_text);
    const uint8_t *digest = next == NULL ? NULL : dr_arena_copy(next, w->fingerprint, 32);
    if (text == NULL || digest == NULL) {
        dr_arena_free(&next);
        return no_memory(err);
    }
    dr_arena_free(&w->arena);
    w->arena = next;
    w->fingerprint = digest;
    w->fingerprint_text = text;
    return DR_OK;
}

static enum dr_rc
walk_all(struct dr_test_walk *w, struct dr_err *err)
{
    struct dr_testing *t = w->t;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < t->nodes.count; i++) {
        struct dr_test_revision *r = &t->revisions[i];
        if (t->progress != NULL) {
            t->progress(t->progress_arg, t, i);
        }
        *r = (struct dr_test_revision){.node = t->nodes.items[i], .verdict = DR_TEST_PASSED};
        if (!can_be_tested(w, r->node)) {
            r->verdict = DR_TEST_SKIPPED;
            t->skipped++;
            continue;
        }
        rc = turn_arena(w, err);
        rc = rc == DR_OK ? dr_test_trip(w, t->before.count + i, r, err) : rc;
        t->failed += r->verdict == DR_TEST_FAILED ? 1 : 0;
    }
    return rc;
}

static enum dr_rc
compile(struct dr_test_walk *w, struct dr_err *err)
{
    struct dr_testing *t = w->t;
    struct dr_arena *arena = t->cli->arena;
    size_t all = t->before.count + t->nodes.count;
    struct dr_nodes both = {.items = dr_arena_array(arena, all + 1, sizeof *both.items),
                            .count = all};
    w->is_built = dr_arena_array(arena, all + 1, sizeof *w->is_built);
    t->revisions = dr_arena_array(arena, t->nodes.count + 1, sizeof *t->revisions);
    if (both.items == NULL || w->is_built == NULL || t->revisions == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < all; i++) {
        both.items[i] =
            i < t->before.count ? t->before.items[i] : t->nodes.items[i - t->before.count];
        w->is_built[i] = i < t->before.count;
    }
    const char *project = t->cli->project->name[0] != '\0' ? t->cli->project->name : "test";
    return dr_plan_compile(project, t->engine, &both, arena, &w->plan, err);
}

enum dr_rc
dr_testing_run(struct dr_testing *t, struct dr_err *err)
{
    int64_t started = dr_monotonic_ms();
    struct dr_test_walk w = {.t = t, .arena = dr_arena_new(ARENA_MAX)};
    enum dr_rc rc = w.arena == NULL ? no_memory(err) : compile(&w, err);
    rc = rc == DR_OK ? dr_test_restart(&w, true, err) : rc;
    if (rc == DR_OK) {
        struct dr_identity identity;
        dr_engine_identity(w.engine, &identity);
        (void)snprintf(t->version, sizeof t->version, "%s", identity.server_version);
        rc = walk_all(&w, err);
    }
    close_database(&w);
    dr_arena_free(&w.arena);
    t->duration_ms = (uint64_t)(dr_monotonic_ms() - started);
    return rc;
}
