// Worker, before READY: the plan on a copy of the target's schema, so that people approve what was
// seen to go. The copy is on this host and goes away; of the target only catalog, ledger and
// statistics are read.
#include "agent/pace.h"
#include "agent/worker_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/rehearse.h"
#include "revision/plan.h"

#include <stdio.h>
#include <string.h>

#define NOTE_MAX   300u        // bytes of objects that are named
#define PARSED_MAX (64u << 20) // bytes of one revision's sections

static void
tell(void *arg, enum dr_rehearse_stage stage, const struct dr_engine_progress *at)
{
    struct dr_worker *worker = arg;
    char phase[64], revision[DR_LEDGER_ID_MAX + 1] = "";
    Drover__V1__Progress progress = DROVER__V1__PROGRESS__INIT;
    if (at != NULL &&
        !dr_pace_may(&worker->next_progress_ms, dr_monotonic_ms(), DR_WORKER_PROGRESS_MS)) {
        return;
    }
    (void)snprintf(phase, sizeof phase, "rehearsal: %s",
                   dr_rehearse_stage_word(stage, worker->run->mode));
    progress.target = worker->run->target;
    progress.rollout = worker->run->rollout;
    progress.phase = phase;
    progress.revision = revision;
    if (at != NULL) {
        (void)snprintf(revision, sizeof revision, "%s", at->revision_id);
        progress.unit_number = (uint32_t)at->revision;
        progress.unit_total = (uint32_t)at->revisions;
        progress.elapsed_ms = at->elapsed_ms;
    }
    dr_worker_say(worker, &progress);
}

static bool
is_of_host(enum dr_rc rc)
{
    return rc == DR_E_INTERRUPTED || rc == DR_E_NOMEM || rc == DR_E_DB_UNREACHABLE ||
           rc == DR_E_DB_LOST || rc == DR_E_INTERNAL;
}

// The first of some lines, for a detail of one line.
static void
first_line(char out[NOTE_MAX], const char *lines)
{
    size_t len = strcspn(lines, "\n");
    (void)snprintf(out, NOTE_MAX, "%.*s", (int)(len < NOTE_MAX - 1 ? len : NOTE_MAX - 1), lines);
}

// What went wrong on the copy is a finding about the plan, with a code of its own. It names objects
// and revisions, and never a row: there is none.
static enum dr_rc
as_finding(const struct dr_rehearsal *told, enum dr_rc rc, struct dr_err *err)
{
    char line[NOTE_MAX];
    char message[sizeof err->message];
    if (rc == DR_OK || is_of_host(rc)) {
        return rc;
    }
    (void)snprintf(message, sizeof message, "%s", err->message);
    if (rc == DR_E_REHEARSAL_DIFFERS) {
        first_line(line, told->differences);
        return dr_err_set(err, rc, "%.600s: %s", message, line);
    }
    if (told->stage <= DR_REHEARSE_COPY) {
        return dr_err_set(err, DR_E_REHEARSAL_COPY, "%.900s", message);
    }
    return dr_err_set(err, DR_E_REHEARSAL_FAILED, "on a copy, on the way %s: %.900s",
                      dr_rehearse_stage_word(told->stage, told->units_count > 0
                                                              ? told->units[0].mode
                                                              : DROVER__V1__MODE__UP),
                      message);
}

// A failed rehearsal shows no end that somebody could take for one.
static enum dr_rc
fill(struct dr_worker *worker, const struct dr_rehearsal *told, bool is_whole, struct dr_err *err)
{
    Drover__V1__Rehearsal *message = dr_rehearsal_message(told, worker->arena);
    char line[NOTE_MAX];
    first_line(line, told->unlike);
    char *unlike = dr_arena_str(worker->arena, line);
    if (message == NULL || unlike == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (!is_whole) {
        message->fingerprint_up = message->fingerprint_down = (ProtobufCBinaryData){0};
    }
    size_t len = !is_whole || told->there_text == NULL ? 0 : strlen(told->there_text);
    if (len > 0 && len <= DR_WORKER_SCHEMA_MAX) {
        worker->result.rehearsed_schema =
            dr_worker_data(worker->arena, (const uint8_t *)told->there_text, len);
        if (worker->result.rehearsed_schema.data == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
    }
    worker->result.rehearsal = message;
    worker->result.rehearsal_unlike = unlike;
    return DR_OK;
}

static enum dr_rc
rehearse(struct dr_worker *worker, const struct dr_engine_state *state, struct dr_err *err)
{
    const Drover__V1__WorkerRun *run = worker->run;
    struct dr_rehearsal told = {0};
    struct dr_err ignored = {0};
    const struct dr_rehearse_options options = {
        .url = worker->url,
        .schema = run->identity == NULL ? "" : run->identity->schema,
        .environment = run->environment,
        .tolerate = (const char *const *)run->tolerances,
        .tolerate_count = run->n_tolerances,
        .pg_bindir = run->pg_bindir[0] == '\0' ? NULL : run->pg_bindir,
        .cancel_fd = worker->stop_fd,
        .progress = tell,
        .progress_arg = worker,
    };
    struct dr_engine_job job = {
        .plan = worker->plan,
        .mode = run->mode == DROVER__V1__MODE__DOWN ? run->mode : DROVER__V1__MODE__UP,
        .file = dr_worker_file,
        .file_arg = worker,
    };
    memcpy(job.plan_sha256, run->plan_sha256.data, 32);
    enum dr_rc rc = dr_rehearse(&options, &job, state, worker->arena, &told, err);
    if (told.has_network) {
        dr_log(DR_LOG_WARN,
               "the rehearsal's server had this host's network, as the host lets it have "
               "none of its own",
               "target", worker->run->target, NULL);
    }
    rc = as_finding(&told, rc, err);
    if (is_of_host(rc)) {
        return rc;
    }
    enum dr_rc filled = fill(worker, &told, rc == DR_OK, rc == DR_OK ? err : &ignored);
    return rc != DR_OK ? rc : filled;
}

// Nobody has signed this plan: on the copy, too, only what the chain's own files say may run.
static enum dr_rc
check_plan(struct dr_worker *worker, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < worker->plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = worker->plan->revisions[i];
        struct dr_arena *parsed = dr_arena_new(PARSED_MAX);
        const char *bytes = NULL;
        size_t len = 0;
        if (parsed == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        rc = dr_worker_file(worker, revision->file_sha256.data, &bytes, &len, err);
        rc = rc != DR_OK
                 ? rc
                 : dr_plan_check_sections(revision, worker->plan->engine, bytes, len, parsed, err);
        dr_arena_free(&parsed);
    }
    return rc;
}

// Modes that run no unit of up or down have nothing to rehearse.
static bool
has_units(Drover__V1__Mode mode)
{
    return mode == DROVER__V1__MODE__UP || mode == DROVER__V1__MODE__DOWN ||
           mode == DROVER__V1__MODE__PROVE;
}

enum dr_rc
dr_worker_rehearse(struct dr_worker *worker, struct dr_err *err)
{
    struct dr_engine_state state = {0};
    if (!has_units(worker->run->mode)) {
        return DR_OK;
    }
    enum dr_rc rc = check_plan(worker, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_engine_read_state(worker->engine, worker->arena, true, false, &state, err);
    rc = rc == DR_OK ? rehearse(worker, &state, err) : rc;
    return rc;
}
