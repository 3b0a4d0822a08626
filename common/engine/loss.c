// What a way down would take away: the schedule's down units, read and counted. See loss.h.
#include "engine/loss_internal.h"

#include "base/clock.h"
#include "engine/run_internal.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum dr_rc
dr_loss_add(struct dr_loss_list *list, const struct dr_loss *loss, struct dr_err *err)
{
    struct dr_loss copy = *loss;
    const char **const texts[] = {&copy.revision_id, &copy.table, &copy.column, &copy.note};
    if (list->count == DR_LOSSES_MAX - 1) {
        list->more++;
        return DR_OK;
    }
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        *texts[i] = dr_arena_str(list->arena, *texts[i] == NULL ? "" : *texts[i]);
        if (*texts[i] == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory left");
        }
    }
    list->items[list->count++] = copy;
    return DR_OK;
}

enum dr_rc
dr_loss_add_unknown(struct dr_loss_list *list, const struct dr_drop *drop, struct dr_err *err)
{
    struct dr_loss loss = {
        .revision_id = drop->revision_id, .is_unknown = true, .note = drop->what};
    return dr_loss_add(list, &loss, err);
}

bool
dr_loss_is_kept(const struct dr_drop *drop, const char *column, bool is_case_blind)
{
    for (size_t i = 0; i < drop->kept_count; i++) {
        if ((is_case_blind ? strcasecmp(drop->kept[i], column) : strcmp(drop->kept[i], column)) ==
            0) {
            return true;
        }
    }
    return false;
}

// The statements of every down unit that is to run.
static enum dr_rc
scan_steps(struct dr_engine_run *run, const struct dr_schedule *schedule, struct dr_loss_scan *scan,
           struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < schedule->count; i++) {
        const struct dr_step *step = &schedule->steps[i];
        struct dr_statement *statements = NULL;
        size_t count = 0;
        if (step->unit == DR_NO_UNIT) {
            continue;
        }
        rc = dr_run_load(run, step->revision_index, err);
        if (rc == DR_OK) {
            rc = dr_run_statements(run, step->revision_index, step->revision->units[step->unit],
                                   run->arena, &statements, &count, NULL, err);
        }
        if (rc == DR_OK) {
            rc = dr_loss_scan_unit(scan, step->revision->id, statements, count, err);
        }
    }
    return rc;
}

static enum dr_rc
count_drops(struct dr_engine_run *run, const struct dr_loss_scan *scan, struct dr_loss_list *list,
            struct dr_err *err)
{
    size_t count = 0;
    const struct dr_drop *drops = dr_loss_scan_drops(scan, &count);
    return count == 0 ? DR_OK
                      : run->engine->ops->lose(run->engine->driver, drops, count, list, err);
}

static enum dr_rc
end_list(struct dr_loss_list *list, struct dr_err *err)
{
    if (list->more == 0) {
        return DR_OK;
    }
    const char *note = dr_arena_printf(list->arena, "%zu more tables and columns", list->more);
    list->items[list->count++] = (struct dr_loss){
        .revision_id = "", .table = "", .column = "", .is_unknown = true, .note = note};
    return note == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
}

static enum dr_rc
find_losses(struct dr_engine_run *run, struct dr_loss_list *list, struct dr_err *err)
{
    struct dr_engine *e = run->engine;
    struct dr_ledger_view view;
    struct dr_schedule schedule = {0};
    struct dr_loss_scan *scan = dr_loss_scan_new(run->job->plan->engine, run->arena);
    size_t n = run->job->plan->n_revisions + 1;
    run->files = dr_arena_array(run->arena, n, sizeof *run->files);
    list->items = dr_arena_array(run->arena, DR_LOSSES_MAX, sizeof *list->items);
    if (scan == NULL || run->files == NULL || list->items == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    enum dr_rc rc = e->ops->ledger_read(e->driver, run->arena, false, &view, err);
    if (rc == DR_OK) {
        rc = dr_schedule_down(run->job->plan, NULL, &view, false, run->arena, &schedule, err);
    }
    if (rc == DR_OK) {
        rc = scan_steps(run, &schedule, scan, err);
    }
    if (rc == DR_OK) {
        rc = count_drops(run, scan, list, err);
    }
    return rc == DR_OK ? end_list(list, err) : rc;
}

enum dr_rc
dr_engine_losses(struct dr_engine *engine, const struct dr_engine_job *job, struct dr_arena *arena,
                 struct dr_loss **out, size_t *out_count, struct dr_err *err)
{
    struct dr_engine_result none = {.failed_revision = ""};
    struct dr_engine_run run = {.engine = engine, .job = job, .arena = arena, .result = &none};
    struct dr_loss_list list = {.arena = arena, .deadline_ms = dr_monotonic_ms() + DR_COUNT_ALL_MS};
    *out = NULL;
    *out_count = 0;
    if (job->mode != DROVER__V1__MODE__DOWN) {
        return DR_OK;
    }
    enum dr_rc rc = dr_run_check_plan(engine, job, err);
    if (rc == DR_OK) {
        rc = find_losses(&run, &list, err);
    }
    if (rc == DR_OK) {
        *out = list.items;
        *out_count = list.count;
    }
    return rc;
}

void
dr_loss_text(const struct dr_loss *loss, struct dr_buf *out)
{
    bool is_one = loss->count == 1;
    bool is_column = loss->column[0] != '\0';
    if (loss->table[0] == '\0') {
        dr_buf_str(out, "what ");
        dr_show(out, loss->note, strlen(loss->note), false);
        dr_buf_str(out, " removes is not known");
        return;
    }
    if (loss->is_unknown) {
        dr_buf_str(out, is_column ? "the values of " : "the rows of ");
    } else {
        dr_buf_printf(out, "%s%" PRIu64 " %s%s of ", loss->is_estimate ? "about " : "", loss->count,
                      is_column ? "value" : "row", is_one ? "" : "s");
    }
    dr_show(out, loss->table, strlen(loss->table), false);
    if (is_column) {
        dr_buf_str(out, ".");
        dr_show(out, loss->column, strlen(loss->column), false);
    }
    if (loss->note[0] != '\0') {
        dr_buf_str(out, " (");
        dr_show(out, loss->note, strlen(loss->note), false);
        dr_buf_str(out, ")");
    }
}
