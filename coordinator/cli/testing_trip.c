// The round trip of one revision: up with rows in the tables, more rows, down, up again. The schema
// after the way down is the one from before, the second up makes what the first made, and rows that
// were there before are there after it, unless the revision says otherwise.

#include "coordinator/cli/testing_inner.h"

#include "engine/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIFF_LINES       20u
#define SQLSTATE_NO_NULL "23502"

struct trip {
    struct dr_test_walk *w;
    struct dr_test_revision *r;
    size_t index;  // in the plan
    bool is_empty; // it did not go up on made-up rows
    struct dr_testing_seen before, up, filled;
    const uint8_t *schema_before, *schema_up;
    const char *text_before, *text_up;
};

// ------------------------------------------------------------------------------------------- words

// Does the revision say that its way back takes data?
static bool
says_lossy(const struct dr_revision *r)
{
    return r->reversible == DR_REVERSIBLE_LOSSY || r->reversible == DR_REVERSIBLE_NO ||
           (r->destructive != NULL && r->destructive[0] != '\0');
}

static const Drover__V1__PlanRevision *
planned(const struct trip *t)
{
    return t->w->plan.message->revisions[t->index];
}

// Has its way up a statement that is more than a question?
static bool
has_work(const Drover__V1__PlanRevision *r)
{
    for (size_t i = 0; i < r->n_units; i++) {
        const Drover__V1__Unit *u = r->units[i];
        for (size_t k = 0; u->kind == DROVER__V1__UNIT_KIND__UNIT_UP && k < u->n_statements; k++) {
            if (u->statements[k]->class_ != DROVER__V1__STATEMENT_CLASS__CLASS_READ) {
                return true;
            }
        }
    }
    return false;
}

// -------------------------------------------------------------------------------------------- runs

// Adds the verify sections' results to what is told of the revision.
static enum dr_rc
add_checks(struct trip *t, const struct dr_engine_result *result, struct dr_err *err)
{
    struct dr_arena *arena = t->w->t->cli->arena;
    size_t count = t->r->checks_count + result->checks_count;
    struct dr_check_result *list = dr_arena_array(arena, count + 1, sizeof *list);
    if (list == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    for (size_t i = 0; i < count; i++) {
        bool is_old = i < t->r->checks_count;
        list[i] = is_old ? t->r->checks[i] : result->checks[i - t->r->checks_count];
        if (!is_old) { // the result goes with its arena
            list[i].name = dr_arena_str(arena, list[i].name);
            list[i].reason = dr_arena_str(arena, list[i].reason ? list[i].reason : "");
            list[i].rows_count = list[i].columns_count = 0;
            list[i].words = NULL;
        }
        if (list[i].name == NULL || list[i].reason == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory left");
        }
    }
    t->r->checks = list;
    t->r->checks_count = count;
    return DR_OK;
}

// The way up. When it fails on made-up rows, it is tried again without them: what they broke is
// told, but only what fails on any rows is a failure. `*out_up`: it is there.
static enum dr_rc
go_up(struct trip *t, bool *out_up, struct dr_err *err)
{
    struct dr_engine_result result;
    struct dr_err cause = {0};
    enum dr_rc rc = dr_test_step(t->w, t->index, DROVER__V1__MODE__UP, &result, &cause);
    *out_up = rc == DR_OK;
    if (rc != DR_OK && !dr_test_is_fatal(rc) && t->w->has_rows) {
        struct dr_engine_result again;
        struct dr_err still = {0};
        bool is_any = strcmp(result.sqlstate, SQLSTATE_NO_NULL) == 0;
        rc = dr_test_restart(t->w, false, err);
        rc = rc == DR_OK ? dr_testing_rows_look(t->w->rows, t->w->arena, &t->before, err) : rc;
        if (rc != DR_OK) {
            return rc;
        }
        rc = dr_test_step(t->w, t->index, DROVER__V1__MODE__UP, &again, &still);
        *out_up = rc == DR_OK;
        if (rc == DR_OK) {
            char text[DR_ERR_MESSAGE_MAX];
            (void)snprintf(text, sizeof text, "with rows in the tables: %.900s", cause.message);
            (void)snprintf(cause.message, sizeof cause.message, "%s", text);
            dr_test_find_error(t->w, t->r, !is_any, "rows", &result, &cause);
            t->is_empty = true;
            result = again;
        } else {
            cause = still;
            result = again;
        }
    }
    if (dr_test_is_fatal(rc)) {
        *err = cause;
        return rc;
    }
    if (rc != DR_OK) {
        dr_test_find_error(t->w, t->r, false, "up", &result, &cause);
        return add_checks(t, &result, err); // which one failed stands in the report
    }
    t->r->up_ms = result.duration_ms;
    return add_checks(t, &result, err);
}

// The way down; when it fails on rows, once more without. `*out_down`: it went through with rows.
static enum dr_rc
go_down(struct trip *t, bool *out_down, struct dr_err *err)
{
    struct dr_engine_result result;
    struct dr_err cause = {0};
    enum dr_rc rc = dr_test_step(t->w, t->index, DROVER__V1__MODE__DOWN, &result, &cause);
    *out_down = rc == DR_OK;
    if (dr_test_is_fatal(rc)) {
        *err = cause;
        return rc;
    }
    if (rc == DR_OK) {
        t->r->down_ms = result.duration_ms;
        return add_checks(t, &result, err);
    }
    bool is_note = false;
    if (t->w->has_rows) { // is it the rows, and was that said?
        struct dr_engine_result again;
        struct dr_err ignored = {0};
        t->w->is_built[t->index] = true;
        rc = dr_test_restart(t->w, false, err);
        if (rc != DR_OK) {
            return rc;
        }
        rc = dr_test_step(t->w, t->index, DROVER__V1__MODE__DOWN, &again, &ignored);
        is_note = rc == DR_OK && says_lossy(t->r->node->revision);
        *out_down = is_note;
        if (rc == DR_OK) {
            char text[DR_ERR_MESSAGE_MAX];
            t->r->down_ms = again.duration_ms;
            (void)snprintf(text, sizeof text, "with rows in the tables: %.900s", cause.message);
            (void)snprintf(cause.message, sizeof cause.message, "%s", text);
            t->before = t->up = t->filled = (struct dr_testing_seen){0}; // nothing to compare
        }
    }
    dr_test_find_error(t->w, t->r, is_note, "down", &result, &cause);
    return DR_OK;
}

// ---------------------------------------------------------------------------------------- compares

static bool
compare_schema(struct trip *t, const uint8_t *expected, const char *expected_text, const char *kind,
               const char *message)
{
    struct dr_buf diff = {0};
    struct dr_test_walk *w = t->w;
    if (memcmp(expected, w->fingerprint, 32) == 0) {
        return true;
    }
    size_t n = dr_fingerprint_diff(expected_text, w->fingerprint_text, DIFF_LINES, &diff);
    char text[200];
    (void)snprintf(text, sizeof text, "%s: %zu object%s differ%s (- is missing, + is left over)",
                   message, n, n == 1 ? "" : "s", n == 1 ? "s" : "");
    bool is_down = strcmp(kind, "schema") == 0;
    struct dr_test_finding *f = dr_test_find(
        w, t->r, false, kind, is_down ? DR_SECTION_DOWN : DR_SECTION_UP, text, diff.data);
    f->hint = is_down ? "write a way down that takes back all that the way up does, or say "
                        "'-- drover:down none reason=\"...\"'"
                      : "";
    dr_buf_fini(&diff);
    return false;
}

static enum dr_rc
compare_rows(struct trip *t, struct dr_err *err)
{
    struct dr_testing_seen after = {0};
    struct dr_buf lost = {0};
    enum dr_rc rc = dr_testing_rows_look(t->w->rows, t->w->arena, &after, err);
    if (rc != DR_OK) {
        return rc;
    }
    bool is_said = says_lossy(t->r->node->revision);
    if (dr_testing_rows_lost(&t->before, &after, &lost) == 0) {
        (void)dr_testing_rows_fewer(&t->before, &t->up, &t->filled, &after, &lost);
    }
    if (lost.len > 0) {
        struct dr_test_finding *f = dr_test_find(
            t->w, t->r, is_said, "rows", DR_SECTION_DOWN,
            is_said ? "rows that were there before do not survive up and down, as it says"
                    : "rows that were there before do not survive up and down",
            lost.data);
        f->hint = is_said ? "" : "keep them, or say so in the header: Reversible: lossy, WHAT";
    }
    dr_buf_fini(&lost);
    return DR_OK;
}

// A way up that leaves everything as it was.
static enum dr_rc
check_empty(struct trip *t, struct dr_err *err)
{
    struct dr_testing_seen now = {0};
    struct dr_buf changed = {0};
    bool is_same = memcmp(t->schema_before, t->schema_up, 32) == 0;
    bool may_be = t->r->node->parent_count > 1; // a merge
    if (!is_same || may_be) {
        return DR_OK;
    }
    bool is_work = has_work(planned(t));
    enum dr_rc rc = dr_testing_rows_look(t->w->rows, t->w->arena, &now, err);
    if (rc == DR_OK && dr_testing_rows_lost(&t->before, &now, &changed) == 0 &&
        dr_testing_rows_total(&now) == dr_testing_rows_total(&t->before)) {
        struct dr_test_finding *f = dr_test_find(
            t->w, t->r, is_work, "empty", DR_SECTION_UP,
            is_work ? "the way up changed nothing here: its statements found nothing to do"
                    : "an empty revision: the way up changes neither the schema nor a row",
            NULL);
        f->hint = is_work ? "" : "write the change, or take the revision out of the chain";
    }
    dr_buf_fini(&changed);
    return rc;
}

static void
check_budget(struct trip *t)
{
    uint32_t budget = t->r->node->revision->time_budget_ms;
    uint64_t took = t->r->up_ms;
    char text[160], allowed[32], needed[32];
    if (budget == 0 || took <= budget) {
        return;
    }
    dr_format_duration(allowed, budget);
    dr_format_duration(needed, took);
    (void)snprintf(text, sizeof text, "the way up took %s, over its time budget of %s", needed,
                   allowed);
    struct dr_test_finding *f =
        dr_test_find(t->w, t->r, false, "budget", DR_SECTION_UP, text, NULL);
    f->hint = "make it smaller, or raise the header's Time budget";
}

// -------------------------------------------------------------------------------------------- trip

// Down, compared, and up again, compared. `*out_whole`: the database is good to go on with.
static enum dr_rc
go_back_and_forth(struct trip *t, bool *out_whole, struct dr_err *err)
{
    struct dr_test_walk *w = t->w;
    struct dr_engine_result result;
    struct dr_err cause = {0};
    bool is_down = false;
    enum dr_rc rc = go_down(t, &is_down, err);
    *out_whole = false;
    if (rc != DR_OK || !is_down) {
        return rc;
    }
    rc = dr_test_read_schema(w, err);
    bool is_same = false;
    if (rc == DR_OK) {
        is_same = compare_schema(t, t->schema_before, t->text_before, "schema",
                                 "the way down does not give the schema from before");
        rc = compare_rows(t, err);
    }
    if (rc != DR_OK || !is_same) {
        return rc; // what would come next comes from that
    }
    rc = dr_test_step(w, t->index, DROVER__V1__MODE__UP, &result, &cause);
    if (dr_test_is_fatal(rc)) {
        *err = cause;
        return rc;
    }
    if (rc != DR_OK) {
        dr_test_find_error(w, t->r, false, "again", &result, &cause);
        return DR_OK;
    }
    t->r->again_ms = result.duration_ms;
    rc = dr_test_read_schema(w, err);
    if (rc == DR_OK) {
        is_same = compare_schema(t, t->schema_up, t->text_up, "again",
                                 "going up again does not give what the first way up gave");
    }
    *out_whole = is_same && t->r->verdict == DR_TEST_PASSED;
    return rc;
}

// After the first way up.
static enum dr_rc
test_built(struct trip *t, struct dr_err *err)
{
    struct dr_test_walk *w = t->w;
    bool is_whole = true;
    enum dr_rc rc = dr_test_read_schema(w, err);
    t->schema_up = w->fingerprint;
    t->text_up = w->fingerprint_text;
    check_budget(t);
    rc = rc == DR_OK ? check_empty(t, err) : rc;
    rc = rc == DR_OK && !t->is_empty ? dr_test_fill(w, &t->before, &t->up, &t->filled, err) : rc;
    t->r->has_down = !planned(t)->no_down;
    if (rc == DR_OK && t->r->has_down) {
        rc = go_back_and_forth(t, &is_whole, err);
    }
    w->is_built[t->index] = true;
    if (rc != DR_OK) {
        return rc;
    }
    return is_whole ? dr_test_fill(w, NULL, NULL, NULL, err) : dr_test_restart(w, true, err);
}

enum dr_rc
dr_test_trip(struct dr_test_walk *w, size_t index, struct dr_test_revision *r, struct dr_err *err)
{
    struct trip t = {.w = w,
                     .r = r,
                     .index = index,
                     .schema_before = w->fingerprint,
                     .text_before = w->fingerprint_text};
    bool is_up = false;
    enum dr_rc rc = dr_testing_rows_look(w->rows, w->arena, &t.before, err);
    r->rows = dr_testing_rows_total(&t.before);
    rc = rc == DR_OK ? go_up(&t, &is_up, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    // What does not go up is not built, and what stands on it is not tested.
    return is_up ? test_built(&t, err) : dr_test_restart(w, true, err);
}
