// Inside the worker's files only: the job under way and its result.
#ifndef DR_AGENT_WORKER_INTERNAL_H
#define DR_AGENT_WORKER_INTERNAL_H

#include "agent/pipe.h"
#include "agent/worker.h"
#include "base/arena.h"
#include "engine/backup.h"
#include "engine/run.h"
#include "proto/pipe.pb-c.h"
#include "proto/service.pb-c.h"

struct dr_worker {
    struct dr_pipe pipe;
    struct dr_arena *arena;
    const char *url;
    const Drover__V1__WorkerRun *run;
    Drover__V1__WorkerResult result;
    struct dr_backup backup; // taken, and neither noted nor dropped; no location: none
    struct dr_engine *engine;
    Drover__V1__Plan *plan;
    int64_t next_progress_ms;
    int signal_fd; // readable after SIGTERM
    int stop_fd;   // readable after SIGTERM and when exec says stop, or is gone
};

// Opens the target and compares its identity with the one that fleet pins. DR_E_IDENTITY and
// dr_engine_open's.
DR_MUST_CHECK enum dr_rc dr_worker_open(struct dr_worker *worker, struct dr_err *err);
// Reads and checks the plan from the blob folder. DR_E_PLAN_DIGEST, DR_E_BAD_PLAN, DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc dr_worker_load_plan(struct dr_worker *worker, struct dr_err *err);
// Reads a file from the blob folder (dr_engine_file_fn); `arg` is the worker.
enum dr_rc dr_worker_file(void *arg, const uint8_t sha256[32], const char **out_bytes,
                          size_t *out_len, struct dr_err *err);
// Reads the target's state into the result.
DR_MUST_CHECK enum dr_rc dr_worker_look(struct dr_worker *worker, struct dr_err *err);
// Puts the text of the fingerprint into the result, where exec asked for it and does not know it.
DR_MUST_CHECK enum dr_rc dr_worker_fill_schema(struct dr_worker *worker, const uint8_t sha256[32],
                                               const char *text, struct dr_err *err);
// Copies what was found into the result. DR_E_NOMEM, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_worker_fill_state(struct dr_worker *worker, const struct dr_engine_state *state,
                     Drover__V1__WorkerResult *out, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_worker_fill_heads(struct dr_arena *arena, const struct dr_engine_head *heads, size_t count,
                     Drover__V1__Head ***out, size_t *out_n, struct dr_err *err);
// A digest in the arena; empty when memory is out.
ProtobufCBinaryData dr_worker_data(struct dr_arena *arena, const uint8_t *bytes, size_t len);

// Takes a backup, proved as far as the job asks, into the result; the target's state has been read.
// It has to be noted when nothing changed meanwhile; a job that fails drops it. Errors of
// dr_backup_pg and dr_backup_prove: then no file is left.
DR_MUST_CHECK enum dr_rc dr_worker_take_backup(struct dr_worker *worker, struct dr_err *err);
// Writes beside it what the target was and until when it stays, and removes those whose time is
// over.
DR_MUST_CHECK enum dr_rc dr_worker_note_backup(struct dr_worker *worker, struct dr_err *err);
// Removes the one that was taken and not noted, if there is one.
void dr_worker_drop_backup(struct dr_worker *worker);
// worker_rehearse.c: the plan on a copy of the target, into the result also when that failed
// (DR_E_REHEARSAL_DIFFERS, DR_E_REHEARSAL_FAILED, DR_E_REHEARSAL_COPY).
DR_MUST_CHECK enum dr_rc dr_worker_rehearse(struct dr_worker *worker, struct dr_err *err);

// Hands a report to exec, for whoever watches.
void dr_worker_say(struct dr_worker *worker, const Drover__V1__Progress *progress);

// The jobs. Each fills the result as far as it came.
DR_MUST_CHECK enum dr_rc dr_worker_prepare(struct dr_worker *worker, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_worker_run(struct dr_worker *worker, struct dr_err *err);
DR_MUST_CHECK enum dr_rc dr_worker_backup(struct dr_worker *worker, struct dr_err *err);

// Asks the probes that the job names.
DR_MUST_CHECK enum dr_rc dr_worker_probe(struct dr_worker *worker, struct dr_err *err);

#endif
