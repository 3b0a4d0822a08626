// Worker, backups: the one of a PREPARE, and JOB_BACKUP, by which people have a backup taken,
// verified, restored into a throw-away database, or removed when its time is over.
#include "agent/backup_job.h"
#include "agent/worker_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/backup_command.h"
#include "engine/backup_keep.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// A backup that is no longer needed and does not go is a nuisance, no reason to stop.
static void
prune(const struct dr_backup_job *job, const struct dr_backup_options *options,
      const struct dr_backup *newest)
{
    struct dr_err why = {0};
    struct dr_backup_done done = {0};
    size_t removed = 0;
    if (job->commands.prune != NULL && dr_backup_job_prune(job, &done, &why) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "old backups stay", &why);
    }
    if (dr_backup_prune(options, newest, dr_now_unix_s(), &removed, &why) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "old backups stay", &why);
    }
}

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// Words with the NULL behind them that dr_cmd wants; NULL when there are none.
static const char *const *
words_of(struct dr_worker *worker, char *const *words, size_t n)
{
    const char **list = n == 0 ? NULL : dr_arena_array(worker->arena, n + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i] = words[i];
    }
    return list;
}

static struct dr_backup_commands
commands_of(struct dr_worker *worker)
{
    const Drover__V1__WorkerRun *run = worker->run;
    const Drover__V1__DatabaseIdentity *identity = worker->result.identity;
    return (struct dr_backup_commands){
        .take = words_of(worker, run->backup_command, run->n_backup_command),
        .verify = words_of(worker, run->backup_verify_command, run->n_backup_verify_command),
        .restore = words_of(worker, run->backup_restore_command, run->n_backup_restore_command),
        .prune = words_of(worker, run->backup_prune_command, run->n_backup_prune_command),
        .target = run->target,
        .environment = run->environment,
        .database = dr_backup_job_database(worker->url, worker->arena),
        .system_identifier = run->engine == DROVER__V1__ENGINE__SQLITE || identity == NULL
                                 ? ""
                                 : identity->system_identifier,
        .keep_s = run->keep_s,
    };
}

static struct dr_backup_job
job_of(struct dr_worker *worker)
{
    const Drover__V1__WorkerRun *run = worker->run;
    return (struct dr_backup_job){
        .target = run->target,
        .folder = run->backup_folder,
        .pg_bindir = run->pg_bindir[0] == '\0' ? NULL : run->pg_bindir,
        .restore_server = run->restore_server[0] == '\0' ? NULL : run->restore_server,
        .cancel_fd = worker->stop_fd,
        .timeout_ms = run->backup_timeout_s * 1000,
        .commands = commands_of(worker),
        .arena = worker->arena,
    };
}

// ------------------------------------------------------------------------------------------- take

// By the command of the configuration. What it proved itself counts; a gate that asks for more has
// the backup restored by the command that is there for it.
static enum dr_rc
take_by_command(struct dr_worker *worker, const struct dr_backup_options *options,
                struct dr_backup *out, struct dr_err *err)
{
    struct dr_backup_evidence evidence = {0}, proof = {0};
    uint32_t level = (uint32_t)worker->run->restore_level;
    enum dr_rc rc = dr_backup_command_take(options, out, &evidence, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (out->restore_level < level && options->commands->restore != NULL) {
        rc = dr_backup_command_restore(out, options, &proof, err);
        out->restore_level = rc == DR_OK ? proof.restore_level : out->restore_level;
    }
    if (rc == DR_OK && out->restore_level < level) {
        (void)dr_err_set(err, DR_E_BACKUP_NO_COMMAND,
                         "the gate asks for a backup that was %s, and the command's is %s; %s",
                         level == DR_BACKUP_QUERIED ? "queried" : "restored",
                         out->restore_level == DR_BACKUP_LISTED ? "only listed" : "only restored",
                         options->commands->restore == NULL
                             ? "no backup_restore_command is configured"
                             : "so is what its restore command says");
        rc = dr_err_hint(err,
                         "name one in the agent's configuration, or ask for less in the policy");
    }
    if (rc != DR_OK) {
        dr_backup_drop(out);
        return rc;
    }
    const char *detail = proof.detail[0] != '\0' ? proof.detail : evidence.detail;
    worker->result.detail = dr_arena_printf(worker->arena, "backup '%s' by the command%s%s",
                                            evidence.id, detail[0] == '\0' ? "" : ": ", detail);
    return worker->result.detail == NULL ? no_memory(err) : DR_OK;
}

static enum dr_rc
take(struct dr_worker *worker, const struct dr_backup_options *options, struct dr_backup *out,
     struct dr_err *err)
{
    char path[4096];
    if (dr_str_eq(worker->run->backup_format, "command")) {
        return take_by_command(worker, options, out, err);
    }
    if (worker->run->engine != DROVER__V1__ENGINE__SQLITE) {
        return dr_backup_pg(worker->url, options, out, err);
    }
    enum dr_rc rc = dr_db_sqlite_path(worker->url, path, sizeof path, err);
    return rc != DR_OK ? rc : dr_backup_sqlite(path, options, out, err);
}

// The copy has to be what the target is now.
static enum dr_rc
prove(struct dr_worker *worker, const struct dr_backup_job *job, struct dr_backup *backup,
      struct dr_err *err)
{
    const Drover__V1__WorkerResult *is = &worker->result;
    struct dr_backup_proof proof = {0};
    char text[200];
    const struct dr_backup_expect expect = {
        .schema = worker->run->identity == NULL ? "" : worker->run->identity->schema,
        .fingerprint = is->fingerprint.data,
        .ledger_head = is->ledger_head.data,
        .tolerate = (const char *const *)worker->run->tolerances,
        .tolerate_count = worker->run->n_tolerances,
    };
    const struct dr_backup_restore_options options = dr_backup_job_restore(job);
    enum dr_rc rc = dr_backup_prove(backup, (uint32_t)worker->run->restore_level, &expect, &options,
                                    &proof, err);
    if (rc != DR_OK) {
        return rc;
    }
    backup->restore_level = proof.restore_level;
    dr_backup_proof_text(&proof, text);
    worker->result.detail = dr_arena_str(worker->arena, text);
    return worker->result.detail == NULL ? no_memory(err) : DR_OK;
}

struct watched {
    struct dr_worker *worker;
    int64_t began_ms;
};

static void
tell(void *arg, uint64_t done_bytes, uint64_t total_bytes)
{
    const struct watched *w = arg;
    char done[32], total[32], rate[32], phase[160], unit[] = "bytes";
    uint64_t elapsed_ms = (uint64_t)(dr_monotonic_ms() - w->began_ms);
    Drover__V1__Progress progress = DROVER__V1__PROGRESS__INIT;
    dr_format_size(done, done_bytes);
    dr_format_size(total, total_bytes);
    dr_format_size(rate, elapsed_ms == 0 ? 0 : done_bytes * 1000 / elapsed_ms);
    if (total_bytes == 0) {
        dr_format_duration(total, elapsed_ms);
        (void)snprintf(phase, sizeof phase, "backup: the command has run for %s", total);
    } else {
        (void)snprintf(phase, sizeof phase, "backup: %s written of a database of %s, %s/s", done,
                       total, rate);
    }
    progress.target = w->worker->run->target;
    progress.rollout = w->worker->run->rollout;
    progress.phase = phase;
    progress.elapsed_ms = elapsed_ms;
    progress.done = progress.server_done = done_bytes;
    progress.total = progress.server_total = total_bytes;
    progress.server_unit = unit;
    dr_worker_say(w->worker, &progress);
}

enum dr_rc
dr_worker_take_backup(struct dr_worker *worker, struct dr_err *err)
{
    const struct dr_backup_job job = job_of(worker);
    struct dr_backup backup = {0};
    char name[160];
    uint32_t level = (uint32_t)worker->run->restore_level;
    struct dr_backup_options options = dr_backup_job_options(&job, name);
    struct watched watched = {.worker = worker, .began_ms = dr_monotonic_ms()};
    options.progress = tell;
    options.progress_arg = &watched;
    options.with_rows = level >= DR_BACKUP_QUERIED;
    options.is_directory = dr_str_eq(worker->run->backup_format, "directory");
    options.jobs = worker->run->backup_jobs;
    options.compress =
        worker->run->backup_compress[0] == '\0' ? NULL : worker->run->backup_compress;
    enum dr_rc rc = take(worker, &options, &backup, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (backup.restore_level < level) {
        rc = prove(worker, &job, &backup, err);
    }
    Drover__V1__BackupRecord *record =
        rc != DR_OK ? NULL : dr_backup_record(&backup, worker->arena);
    if (record == NULL) {
        dr_backup_drop(&backup);
        return rc != DR_OK ? rc : no_memory(err);
    }
    record->keep_until = record->finished + (int64_t)worker->run->keep_s;
    worker->backup = backup;
    worker->result.backup = record;
    return DR_OK;
}

enum dr_rc
dr_worker_note_backup(struct dr_worker *worker, struct dr_err *err)
{
    Drover__V1__WorkerResult *result = &worker->result;
    Drover__V1__Attestation *note = dr_arena_alloc(worker->arena, sizeof *note);
    char name[160];
    if (note == NULL) {
        return no_memory(err);
    }
    result->backup->n_heads = result->n_heads;
    result->backup->heads = result->heads;
    result->backup->fingerprint = result->fingerprint;
    drover__v1__attestation__init(note);
    note->kind = DROVER__V1__ATTESTATION_KIND__BACKUP;
    note->engine = worker->run->engine;
    note->time = dr_now_unix_s();
    note->target = worker->run->target;
    note->backup = result->backup;
    note->n_heads = result->n_heads;
    note->heads = result->heads;
    note->fingerprint = result->fingerprint;
    note->ledger_head = result->ledger_head;
    note->identity = result->identity;
    note->detail = result->detail;
    const struct dr_backup_source source = {
        .size_bytes = worker->backup.source_bytes,
        .tolerate = (const char *const *)worker->run->tolerances,
        .tolerate_count = worker->run->n_tolerances,
        .is_ordered = worker->run->job == DROVER__V1__WORKER_JOB__JOB_BACKUP,
    };
    enum dr_rc rc = dr_backup_note_source(&worker->backup, &source, err);
    rc = rc != DR_OK ? rc : dr_backup_keep(&worker->backup, result->backup->keep_until, err);
    rc = rc != DR_OK ? rc : dr_backup_note(note, err);
    if (rc == DR_OK) {
        const struct dr_backup_job job = job_of(worker);
        const struct dr_backup_options options = dr_backup_job_options(&job, name);
        prune(&job, &options, &worker->backup);
        worker->backup = (struct dr_backup){0}; // it stays
        result->noted = note;
        result->is_newest = true;
    }
    return rc;
}

void
dr_worker_drop_backup(struct dr_worker *worker)
{
    if (worker->backup.location[0] != '\0') {
        dr_backup_drop(&worker->backup);
        worker->backup = (struct dr_backup){0};
        worker->result.backup = NULL;
    }
}

// ------------------------------------------------------------------------------------- JOB_BACKUP

static enum dr_rc
take_now(struct dr_worker *worker, struct dr_err *err)
{
    ProtobufCBinaryData head = worker->result.ledger_head;
    ProtobufCBinaryData fingerprint = worker->result.fingerprint;
    if (head.len != 32) {
        return dr_err_set(err, DR_E_DB_UNREACHABLE, "the target cannot be looked at");
    }
    const struct dr_backup_job job = job_of(worker);
    enum dr_rc rc = dr_backup_job_may_take(&job, dr_now_unix_s(), err);
    rc = rc != DR_OK ? rc : dr_worker_take_backup(worker, err);
    rc = rc != DR_OK ? rc : dr_worker_look(worker, err);
    if (rc == DR_OK && (memcmp(head.data, worker->result.ledger_head.data, 32) != 0 ||
                        memcmp(fingerprint.data, worker->result.fingerprint.data, 32) != 0)) {
        rc = dr_err_set(err, DR_E_STATE_CHANGED,
                        "somebody changed the target '%s' while it was backed up",
                        worker->run->target);
    }
    rc = rc != DR_OK ? rc : dr_worker_note_backup(worker, err);
    if (rc == DR_OK && worker->result.detail[0] == '\0') {
        worker->result.detail = dr_arena_str(worker->arena, "taken, and its contents read back");
    }
    return rc;
}

static enum dr_rc
look_after(struct dr_worker *worker, const char *order, struct dr_err *err)
{
    struct dr_backup_job job = job_of(worker);
    struct dr_backup_done done = {0};
    ProtobufCBinaryData named = worker->run->backup_sha256;
    job.sha256 = named.len == 32 ? named.data : NULL;
    enum dr_rc rc = dr_str_eq(order, "verify") ? dr_backup_job_verify(&job, &done, err)
                    : dr_str_eq(order, "restore-test")
                        ? dr_backup_job_restore_test(&job, &done, err)
                        : dr_backup_job_prune(&job, &done, err);
    worker->result.noted = done.note;
    worker->result.is_newest = done.is_newest;
    worker->result.detail = done.detail == NULL ? worker->result.detail : done.detail;
    return rc;
}

// Backups are looked after while the database is away, too; what was found then is told without its
// state.
enum dr_rc
dr_worker_backup(struct dr_worker *worker, struct dr_err *err)
{
    const char *order = worker->run->backup_order;
    struct dr_err away = {0};
    enum dr_rc rc = dr_worker_open(worker, &away);
    rc = rc != DR_OK ? rc : dr_worker_look(worker, &away);
    if (rc != DR_OK && dr_str_eq(order, "take")) {
        *err = away;
        return rc;
    }
    return dr_str_eq(order, "take") ? take_now(worker, err) : look_after(worker, order, err);
}
