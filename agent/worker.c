// Worker: start, the look at a target, and the answer. worker_prepare.c and worker_run.c hold the
// larger jobs.
#include "agent/pace.h"
#include "agent/worker_internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/role.h"
#include "engine/progress.h"
#include "trust/plandoc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DRAIN_MS 60000

ProtobufCBinaryData
dr_worker_data(struct dr_arena *arena, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = dr_arena_copy(arena, bytes, len);
    return (ProtobufCBinaryData){.len = copy == NULL ? 0 : len, .data = copy};
}

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// -------------------------------------------------------------------------------- identity

// A field that fleet leaves empty is not pinned.
static bool
differs(const char *pinned, const char *found)
{
    return pinned[0] != '\0' && !dr_str_eq(pinned, found);
}

static enum dr_rc
take_identity(struct dr_worker *worker, struct dr_err *err)
{
    struct dr_identity found = {0};
    dr_engine_identity(worker->engine, &found);
    Drover__V1__DatabaseIdentity *identity = dr_arena_alloc(worker->arena, sizeof *identity);
    if (identity == NULL) {
        return no_memory(err);
    }
    drover__v1__database_identity__init(identity);
    identity->system_identifier = dr_arena_str(worker->arena, found.system_identifier);
    identity->database = dr_arena_str(worker->arena, found.database);
    identity->schema = dr_arena_str(worker->arena, found.schema);
    worker->result.server_version = dr_arena_str(worker->arena, found.server_version);
    if (identity->system_identifier == NULL || identity->database == NULL ||
        identity->schema == NULL || worker->result.server_version == NULL) {
        return no_memory(err);
    }
    worker->result.identity = identity;
    const Drover__V1__DatabaseIdentity *pinned = worker->run->identity;
    if (pinned == NULL) {
        return DR_OK;
    }
    if (differs(pinned->system_identifier, identity->system_identifier) ||
        differs(pinned->database, identity->database)) {
        return dr_err_set(err, DR_E_DATABASE_IDENTITY,
                          "the database is '%s' of system '%s', fleet names '%s' of '%s'",
                          identity->database, identity->system_identifier, pinned->database,
                          pinned->system_identifier);
    }
    return DR_OK;
}

// -------------------------------------------------------------------------------- progress

void
dr_worker_say(struct dr_worker *worker, const Drover__V1__Progress *progress)
{
    uint8_t packed[4096];
    size_t len = drover__v1__progress__get_packed_size(progress);
    if (len <= sizeof packed) {
        (void)drover__v1__progress__pack(progress, packed);
        const struct dr_bytes body = {.data = packed, .len = len};
        // A watcher's view only: when it cannot be told, the run goes on.
        enum dr_rc ignored = dr_pipe_send_simple(
            &worker->pipe, DROVER__V1__PIPE_KIND__PIPE_PROGRESS, 0, NULL, body, NULL, NULL);
        (void)ignored;
    }
}

static void
tell_progress(void *arg, const struct dr_engine_progress *from)
{
    struct dr_worker *worker = arg;
    int64_t now = dr_monotonic_ms();
    if (!dr_pace_may(&worker->next_progress_ms, now, DR_WORKER_PROGRESS_MS)) {
        return;
    }
    char revision[DR_LEDGER_ID_MAX + 1];
    char blockers[1024];
    char unit[32];
    (void)snprintf(revision, sizeof revision, "%s", from->revision_id);
    (void)snprintf(unit, sizeof unit, "%zu/%zu", from->unit, from->units);
    dr_progress_blockers(from, blockers, sizeof blockers);
    Drover__V1__Progress progress = DROVER__V1__PROGRESS__INIT;
    progress.target = worker->run->target;
    progress.rollout = worker->run->rollout;
    progress.revision = revision;
    progress.unit = unit;
    progress.unit_number = (uint32_t)from->revision;
    progress.unit_total = (uint32_t)from->revisions;
    progress.elapsed_ms = from->elapsed_ms;
    progress.done = from->statement;
    progress.total = from->statements;
    progress.blockers = blockers;
    char phase[192];
    dr_progress_phase(from, phase, sizeof phase);
    progress.phase = phase;
    char counted[sizeof from->server->unit];
    if (from->server != NULL && from->blockers_count == 0) {
        (void)snprintf(counted, sizeof counted, "%s", from->server->unit);
        progress.server_unit = counted;
        progress.server_done = from->server->done;
        progress.server_total = from->server->total;
    }
    dr_worker_say(worker, &progress);
}

enum dr_rc
dr_worker_open(struct dr_worker *worker, struct dr_err *err)
{
    const Drover__V1__WorkerRun *run = worker->run;
    const char *schema = run->identity == NULL ? "" : run->identity->schema;
    const struct dr_engine_options options = {
        .url = worker->url,
        .schema = schema,
        .target = run->target,
        .environment = run->environment,
        .owner = run->agent,
        .owner_key = run->owner_key.len == 32 ? run->owner_key.data : NULL,
        .cancel_fd = worker->pipe.fd,
        .stop_fd = worker->signal_fd,
        .stop_grace_ms = DR_WORKER_STOP_MS,
        .keeps_alembic = run->keeps_alembic,
        .tolerate = (const char *const *)run->tolerances,
        .tolerate_count = run->n_tolerances,
        .progress = tell_progress,
        .progress_arg = worker,
    };
    struct dr_engine_state ignored = {0};
    enum dr_rc rc = dr_engine_open(&options, &worker->engine, err);
    if (rc == DR_OK && run->engine == DROVER__V1__ENGINE__SQLITE) {
        // What a SQLite file is called stands in its ledger.
        rc = dr_engine_read_state(worker->engine, worker->arena, false, false, &ignored, err);
    }
    return rc != DR_OK ? rc : take_identity(worker, err);
}

// ----------------------------------------------------------------------------------- state

enum dr_rc
dr_worker_fill_heads(struct dr_arena *arena, const struct dr_engine_head *heads, size_t count,
                     Drover__V1__Head ***out, size_t *out_n, struct dr_err *err)
{
    if (count > DR_WORKER_HEADS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "the target has %zu heads", count);
    }
    Drover__V1__Head **list = dr_arena_array(arena, count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < count; i++) {
        list[i] = dr_arena_alloc(arena, sizeof **list);
        if (list[i] == NULL) {
            return no_memory(err);
        }
        drover__v1__head__init(list[i]);
        list[i]->id = dr_arena_str(arena, heads[i].id);
        list[i]->digest = dr_worker_data(arena, heads[i].digest, 32);
        if (list[i]->id == NULL || list[i]->digest.data == NULL) {
            return no_memory(err);
        }
    }
    *out = list;
    *out_n = count;
    return list == NULL ? no_memory(err) : DR_OK;
}

static enum dr_rc
fill_partial(struct dr_worker *worker, const struct dr_ledger_view *ledger,
             Drover__V1__WorkerResult *out, struct dr_err *err)
{
    size_t count = ledger->units_count;
    if (count > DR_WORKER_UNITS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "%zu units are half done", count);
    }
    Drover__V1__UnitProof **list = dr_arena_array(worker->arena, count + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list != NULL && i < count; i++) {
        const struct dr_ledger_unit *unit = &ledger->units[i];
        Drover__V1__UnitProof *proof = dr_arena_alloc(worker->arena, sizeof *proof);
        if (proof == NULL) {
            return no_memory(err);
        }
        drover__v1__unit_proof__init(proof);
        proof->revision_digest = dr_worker_data(worker->arena, unit->revision_digest, 32);
        proof->unit_digest = dr_worker_data(worker->arena, unit->unit_digest, 32);
        proof->mode =
            unit->direction == DR_LEDGER_DOWN ? DROVER__V1__MODE__DOWN : DROVER__V1__MODE__UP;
        proof->begun = unit->kind != DR_LEDGER_DONE;
        proof->finished = proof->begun ? 0 : unit->finished;
        list[n++] = proof;
    }
    out->units = list;
    out->n_units = n;
    return list == NULL ? no_memory(err) : DR_OK;
}

enum dr_rc
dr_worker_fill_state(struct dr_worker *worker, const struct dr_engine_state *state,
                     Drover__V1__WorkerResult *out, struct dr_err *err)
{
    enum dr_rc rc = dr_worker_fill_heads(worker->arena, state->heads, state->heads_count,
                                         &out->heads, &out->n_heads, err);
    rc = rc != DR_OK ? rc : fill_partial(worker, &state->ledger, out, err);
    if (rc != DR_OK) {
        return rc;
    }
    out->ledger_head = dr_worker_data(worker->arena, state->ledger_head, 32);
    out->fingerprint = dr_worker_data(worker->arena, state->fingerprint, 32);
    out->owner_key = dr_worker_data(worker->arena, state->owner_key, 32);
    out->owner = dr_arena_str(worker->arena, state->owner == NULL ? "" : state->owner);
    out->position = state->position;
    out->is_partial = state->is_partial;
    if (out->ledger_head.data == NULL || out->fingerprint.data == NULL ||
        out->owner_key.data == NULL || out->owner == NULL) {
        return no_memory(err);
    }
    return DR_OK;
}

enum dr_rc
dr_worker_fill_schema(struct dr_worker *worker, const uint8_t sha256[32], const char *text,
                      struct dr_err *err)
{
    const Drover__V1__WorkerRun *run = worker->run;
    size_t len = text == NULL ? 0 : strlen(text);
    bool is_known =
        run->known_fingerprint.len == 32 && memcmp(run->known_fingerprint.data, sha256, 32) == 0;
    worker->result.schema = (ProtobufCBinaryData){0};
    if (!run->wants_schema || is_known || len == 0 || len > DR_WORKER_SCHEMA_MAX) {
        return DR_OK;
    }
    worker->result.schema = dr_worker_data(worker->arena, (const uint8_t *)text, len);
    return worker->result.schema.data == NULL ? no_memory(err) : DR_OK;
}

enum dr_rc
dr_worker_look(struct dr_worker *worker, struct dr_err *err)
{
    struct dr_engine_state state = {0};
    enum dr_rc rc = dr_engine_read_state(worker->engine, worker->arena, true, false, &state, err);
    rc = rc != DR_OK ? rc : dr_worker_fill_state(worker, &state, &worker->result, err);
    return rc != DR_OK
               ? rc
               : dr_worker_fill_schema(worker, state.fingerprint, state.fingerprint_text, err);
}

// ----------------------------------------------------------------------------- plan, files

enum dr_rc
dr_worker_file(void *arg, const uint8_t sha256[32], const char **out_bytes, size_t *out_len,
               struct dr_err *err)
{
    struct dr_worker *worker = arg;
    char hex[65];
    char path[PATH_MAX];
    char *bytes = NULL;
    size_t len = 0;
    dr_hex(hex, sha256, 32);
    if (snprintf(path, sizeof path, "%s/%s", worker->run->blob_folder, hex) >= (int)sizeof path) {
        return dr_err_set(err, DR_E_LIMIT, "the path of the blob folder is too long");
    }
    enum dr_rc rc = dr_file_read(path, DR_PLANDOC_MAX, &bytes, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *copy = dr_arena_strn(worker->arena, bytes, len);
    free(bytes);
    if (copy == NULL) {
        return no_memory(err);
    }
    *out_bytes = copy;
    *out_len = len;
    return DR_OK;
}

enum dr_rc
dr_worker_load_plan(struct dr_worker *worker, struct dr_err *err)
{
    const char *bytes = NULL;
    size_t len = 0;
    if (worker->run->plan_sha256.len != 32) {
        return dr_err_set(err, DR_E_INTERNAL, "the job names no plan");
    }
    enum dr_rc rc = dr_worker_file(worker, worker->run->plan_sha256.data, &bytes, &len, err);
    const struct dr_bytes text = {.data = (const uint8_t *)bytes, .len = len};
    return rc != DR_OK ? rc
                       : dr_plandoc_decode(worker->arena, text, worker->run->plan_sha256.data,
                                           &worker->plan, err);
}

// ----------------------------------------------------------------------------------- main

static enum dr_rc
do_job(struct dr_worker *worker, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    worker->result.started = dr_now_unix_s();
    int64_t began = dr_monotonic_ms();
    switch (worker->run->job) {
    case DROVER__V1__WORKER_JOB__JOB_STATE:
        rc = dr_worker_open(worker, err);
        rc = rc != DR_OK ? rc : dr_worker_look(worker, err);
        rc = rc != DR_OK ? rc : dr_worker_probe(worker, err);
        break;
    case DROVER__V1__WORKER_JOB__JOB_PREPARE:
        rc = dr_worker_prepare(worker, err);
        break;
    case DROVER__V1__WORKER_JOB__JOB_BACKUP:
        rc = dr_worker_backup(worker, err);
        break;
    case DROVER__V1__WORKER_JOB__JOB_RUN:
        rc = dr_worker_run(worker, err);
        break;
    default:
        rc = dr_err_set(err, DR_E_INTERNAL, "a worker has no job %d", (int)worker->run->job);
        break;
    }
    dr_worker_drop_backup(worker);
    worker->result.finished = dr_now_unix_s();
    worker->result.duration_ms = (uint32_t)(dr_monotonic_ms() - began);
    return rc;
}

static enum dr_rc
answer(struct dr_worker *worker, const struct dr_err *failure, struct dr_err *err)
{
    if (failure->rc != DR_OK) {
        worker->result.error = (uint32_t)failure->rc;
        char *message = dr_arena_str(worker->arena, failure->message);
        worker->result.message = message != NULL ? message : worker->result.message;
    }
    size_t len = drover__v1__worker_result__get_packed_size(&worker->result);
    uint8_t *packed = malloc(len + 1);
    if (packed == NULL) {
        return no_memory(err);
    }
    (void)drover__v1__worker_result__pack(&worker->result, packed);
    const struct dr_bytes body = {.data = packed, .len = len};
    enum dr_rc rc = dr_pipe_send_simple(&worker->pipe, DROVER__V1__PIPE_KIND__PIPE_RESULT, 0, NULL,
                                        body, NULL, err);
    free(packed);
    return rc != DR_OK ? rc : dr_pipe_drain(&worker->pipe, DRAIN_MS, err);
}

static enum dr_rc
serve(struct dr_worker *worker, struct dr_err *err)
{
    Drover__V1__PipeFrame *frame = NULL;
    enum dr_rc rc = dr_pipe_wait(&worker->pipe, DR_WORKER_START_MS, &frame, err);
    if (rc != DR_OK || frame->kind != DROVER__V1__PIPE_KIND__PIPE_RUN) {
        dr_pipe_frame_free(&frame);
        return rc != DR_OK ? rc : dr_err_set(err, DR_E_AGENT_PIPE, "no job came");
    }
    worker->run = drover__v1__worker_run__unpack(dr_arena_protobuf(worker->arena), frame->body.len,
                                                 frame->body.data);
    worker->url = frame->text;
    struct dr_err failure = {0};
    if (worker->run == NULL) {
        rc = dr_err_set(&failure, DR_E_AGENT_PIPE, "the job does not decode");
    } else {
        rc = do_job(worker, &failure);
    }
    failure.rc = rc;
    dr_engine_close(&worker->engine);
    (void)DR_FAILPOINT("agent-worker-result");
    rc = answer(worker, &failure, err);
    dr_pipe_frame_free(&frame);
    return rc;
}

// A frame from exec (STOP) cancels at once. SIGTERM is gentler: the unit at hand may end.
static enum dr_rc
watch_for_stop(struct dr_worker *worker, struct dr_err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    worker->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    worker->stop_fd = epoll_create1(EPOLL_CLOEXEC);
    const int fds[] = {worker->pipe.fd, worker->signal_fd};
    bool is_watched = worker->signal_fd >= 0 && worker->stop_fd >= 0;
    for (size_t i = 0; is_watched && i < DR_COUNT_OF(fds); i++) {
        struct epoll_event event = {.events = EPOLLIN};
        is_watched = epoll_ctl(worker->stop_fd, EPOLL_CTL_ADD, fds[i], &event) == 0;
    }
    return is_watched ? DR_OK : dr_err_errno(err, DR_E_IO, errno, "cannot watch for a stop");
}

int
dr_worker_main(void)
{
    struct dr_worker worker = {
        .result = DROVER__V1__WORKER_RESULT__INIT, .signal_fd = -1, .stop_fd = -1};
    struct dr_err err = {0};
    dr_role_harden();
    (void)fcntl(DR_ROLE_CHANNEL_FD, F_SETFD, FD_CLOEXEC); // pg_dump must not hold it open
    dr_pipe_init(&worker.pipe, DR_ROLE_CHANNEL_FD);
    worker.arena = dr_arena_new(DR_WORKER_ARENA_MAX);
    enum dr_rc rc = worker.arena == NULL ? no_memory(&err) : watch_for_stop(&worker, &err);
    rc = rc != DR_OK ? rc : serve(&worker, &err);
    (void)close(worker.stop_fd);
    (void)close(worker.signal_fd);
    dr_arena_free(&worker.arena);
    dr_pipe_fini(&worker.pipe);
    return rc == DR_OK ? 0 : dr_rc_exit_code(rc);
}
