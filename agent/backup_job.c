// Backup jobs. See backup_job.h.
#include "agent/backup_job.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "db/db.h"
#include "db/pg.h"
#include "engine/backup_command.h"
#include "trust/strict.h"

#include <stdio.h>
#include <string.h>

#define HOUR_S 3600

const char *
dr_backup_job_database(const char *url, struct dr_arena *arena)
{
    char text[PATH_MAX] = "";
    bool is_told = dr_db_kind_of(url) == DR_DB_SQLITE
                       ? dr_db_sqlite_path(url, text, sizeof text, NULL) == DR_OK
                       : dr_pg_url_get(url, "dbname", text, sizeof text);
    return dr_arena_str(arena, is_told ? text : "");
}

struct dr_backup_options
dr_backup_job_options(const struct dr_backup_job *job, char name[160])
{
    dr_backup_target_name(job->target, name, 160);
    return (struct dr_backup_options){
        .folder = job->folder,
        .target = name,
        .pg_bindir = job->pg_bindir,
        .timeout_ms = job->timeout_ms,
        .cancel_fd = job->cancel_fd,
        .commands = &job->commands,
    };
}

struct dr_backup_restore_options
dr_backup_job_restore(const struct dr_backup_job *job)
{
    return (struct dr_backup_restore_options){
        .pg_bindir = job->pg_bindir,
        .scratch = job->restore_server,
        .timeout_ms = job->timeout_ms,
        .cancel_fd = job->cancel_fd,
    };
}

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// ------------------------------------------------------------------------------------------- find

static enum dr_rc
list(const struct dr_backup_job *job, struct dr_backup_kept **out, size_t *out_n,
     struct dr_err *err)
{
    char name[160];
    const struct dr_backup_options options = dr_backup_job_options(job, name);
    enum dr_rc rc = dr_backup_list(&options, job->arena, out, out_n, err);
    if (rc == DR_OK && *out_n == 0) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "'%s' has no backup in '%s'", job->target,
                         job->folder);
        return dr_err_hint(err, "drover backup take %s", job->target);
    }
    return rc;
}

// One that was cut off before it was noted is not what anybody means.
static size_t
newest_of(const struct dr_backup_kept *kept, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (kept[i].note != NULL) {
            return i;
        }
    }
    return 0;
}

static enum dr_rc
find(const struct dr_backup_job *job, struct dr_backup_kept *out, bool *out_is_newest,
     struct dr_err *err)
{
    struct dr_backup_kept *kept = NULL;
    size_t n = 0;
    enum dr_rc rc = list(job, &kept, &n, err);
    size_t newest = rc == DR_OK ? newest_of(kept, n) : 0;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        const Drover__V1__Attestation *note = kept[i].note;
        if (job->sha256 == NULL ? i == newest
                                : note != NULL && dr_data_is(note->backup->sha256, job->sha256)) {
            *out = kept[i];
            *out_is_newest = i == newest;
            return DR_OK;
        }
    }
    if (rc == DR_OK) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "'%s' has no backup with that digest", job->target);
        rc = dr_err_hint(err, "drover backup list %s", job->target);
    }
    return rc;
}

// The backup with a note of it that may be changed.
static enum dr_rc
find_noted(const struct dr_backup_job *job, struct dr_backup *out_backup,
           struct dr_backup_source *out_source, struct dr_backup_done *out, struct dr_err *err)
{
    struct dr_backup_kept kept = {0};
    enum dr_rc rc = find(job, &kept, &out->is_newest, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (kept.note == NULL || !dr_backup_of_record(kept.note->backup, out_backup)) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "nothing is noted about backup '%s'", kept.location);
        return dr_err_hint(err, "drover backup take %s", job->target);
    }
    Drover__V1__Attestation *note = dr_arena_copy(job->arena, kept.note, sizeof *note);
    Drover__V1__BackupRecord *record = dr_arena_copy(job->arena, kept.note->backup, sizeof *record);
    if (note == NULL || record == NULL) {
        return no_memory(err);
    }
    note->backup = record;
    out->note = note;
    *out_source = kept.source;
    out_backup->source_bytes = kept.source.size_bytes;
    return DR_OK;
}

// What was found stands beside the backup from now on: how far it was proved, or that it is bad.
static enum dr_rc
conclude(const struct dr_backup_job *job, struct dr_backup_done *out, enum dr_rc found,
         uint32_t level, const char *detail, struct dr_err *err)
{
    bool is_bad = found == DR_E_BACKUP_CHANGED || found == DR_E_BACKUP_FAILED ||
                  found == DR_E_BACKUP_OTHER || found == DR_E_BACKUP_GONE ||
                  found == DR_E_DB_CORRUPT ||
                  (found == DR_E_NOT_FOUND && !dr_path_exists(out->note->backup->location));
    if (found != DR_OK && !is_bad) {
        return found; // nothing was learnt about it: a tool, a server or the time was missing
    }
    out->detail = dr_arena_str(job->arena, found == DR_OK ? detail : err->message);
    if (out->detail == NULL) {
        return no_memory(err);
    }
    out->note->backup->restore_level =
        found == DR_OK ? (Drover__V1__RestoreLevel)level : DROVER__V1__RESTORE_LEVEL__RESTORE_NONE;
    out->note->detail = out->detail;
    out->note->time = dr_now_unix_s();
    struct dr_err ignored = {0};
    enum dr_rc rc = dr_backup_note(out->note, found == DR_OK ? err : &ignored);
    return found != DR_OK ? found : rc;
}

// ------------------------------------------------------------------------------------------- jobs

enum dr_rc
dr_backup_job_may_take(const struct dr_backup_job *job, int64_t now, struct dr_err *err)
{
    struct dr_backup_kept *kept = NULL;
    char name[160], until[32];
    size_t n = 0, staying = 0, young = 0;
    int64_t first = INT64_MAX;
    const struct dr_backup_options options = dr_backup_job_options(job, name);
    enum dr_rc rc = dr_backup_list(&options, job->arena, &kept, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        bool stays = kept[i].source.is_ordered && kept[i].keep_until >= now;
        bool is_young =
            stays && kept[i].note != NULL && kept[i].note->backup->finished > now - HOUR_S;
        staying += stays ? 1 : 0;
        young += is_young ? 1 : 0;
        first = stays && kept[i].keep_until < first ? kept[i].keep_until : first;
    }
    if (staying >= DR_BACKUP_ORDERED_MAX) {
        dr_format_time(until, first);
        return dr_err_set(err, DR_E_BACKUP_TOO_MANY,
                          "'%s' has %zu backups that were ordered and have to stay, the first "
                          "until %s",
                          job->target, staying, until);
    }
    return young < DR_BACKUP_ORDERED_HOUR
               ? rc
               : dr_err_set(err, DR_E_BACKUP_TOO_MANY,
                            "%zu backups of '%s' were ordered within an hour", young, job->target);
}

enum dr_rc
dr_backup_job_verify(const struct dr_backup_job *job, struct dr_backup_done *out,
                     struct dr_err *err)
{
    struct dr_backup backup = {0};
    struct dr_backup_source source = {0};
    char name[160];
    const struct dr_backup_options options = dr_backup_job_options(job, name);
    enum dr_rc rc = find_noted(job, &backup, &source, out, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_backup_verify(&backup, &options, err);
    uint32_t level =
        backup.restore_level > DR_BACKUP_LISTED ? backup.restore_level : DR_BACKUP_LISTED;
    return conclude(job, out, rc, level,
                    dr_backup_is_by_command(backup.tool)
                        ? "the verify command says that it is good"
                        : "size, digest and contents are as recorded",
                    err);
}

// What its command says; drover's own eyes see nothing of it.
static enum dr_rc
restore_by_command(const struct dr_backup_job *job, const struct dr_backup *backup,
                   struct dr_backup_done *out, struct dr_err *err)
{
    char name[160];
    struct dr_backup_evidence proof = {0};
    const struct dr_backup_options options = dr_backup_job_options(job, name);
    enum dr_rc rc = dr_backup_command_restore(backup, &options, &proof, err);
    return conclude(job, out, rc, proof.restore_level,
                    proof.detail[0] != '\0' ? proof.detail : "restored by the restore command",
                    err);
}

enum dr_rc
dr_backup_job_restore_test(const struct dr_backup_job *job, struct dr_backup_done *out,
                           struct dr_err *err)
{
    struct dr_backup backup = {0};
    struct dr_backup_source source = {0};
    struct dr_backup_proof proof = {0};
    char text[200] = "";
    const struct dr_backup_restore_options options = dr_backup_job_restore(job);
    enum dr_rc rc = find_noted(job, &backup, &source, out, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (dr_backup_is_by_command(backup.tool)) {
        return restore_by_command(job, &backup, out, err);
    }
    const Drover__V1__Attestation *note = out->note;
    const struct dr_backup_expect expect = {
        .schema = note->identity == NULL ? "" : note->identity->schema,
        .fingerprint = note->fingerprint.len == 32 ? note->fingerprint.data : NULL,
        .ledger_head = note->ledger_head.len == 32 ? note->ledger_head.data : NULL,
        .tolerate = source.tolerate,
        .tolerate_count = source.tolerate_count,
    };
    rc = dr_backup_prove(&backup, DR_BACKUP_QUERIED, &expect, &options, &proof, err);
    if (rc == DR_OK) {
        dr_backup_proof_text(&proof, text);
    }
    return conclude(job, out, rc, proof.restore_level, text, err);
}

// The backup itself goes first: evidence without one harms nobody, and is removed the next time.
static enum dr_rc
remove_kept(const struct dr_backup_job *job, const struct dr_backup_kept *kept, struct dr_err *err)
{
    struct dr_backup backup = {0};
    char name[160];
    const struct dr_backup_options options = dr_backup_job_options(job, name);
    bool is_over = kept->keep_until != 0 && kept->keep_until < dr_now_unix_s();
    bool is_noted = kept->note != NULL && dr_backup_of_record(kept->note->backup, &backup);
    if (is_over && is_noted && dr_backup_is_by_command(backup.tool)) {
        enum dr_rc rc = dr_backup_command_prune(&backup, &options, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    return dr_backup_remove(kept, dr_now_unix_s(), err);
}

static enum dr_rc
prune_one(const struct dr_backup_job *job, struct dr_backup_done *out, struct dr_err *err)
{
    struct dr_backup_kept kept = {0};
    bool is_newest = false;
    enum dr_rc rc = find(job, &kept, &is_newest, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (is_newest && kept.keep_until < dr_now_unix_s()) {
        return dr_err_set(err, DR_E_BACKUP_KEPT, "backup '%s' is the newest of '%s'", kept.location,
                          job->target);
    }
    rc = remove_kept(job, &kept, err);
    out->removed = rc == DR_OK ? 1 : 0;
    return rc;
}

static enum dr_rc
prune_all(const struct dr_backup_job *job, struct dr_backup_done *out, struct dr_err *err)
{
    struct dr_backup_kept *kept = NULL;
    struct dr_err first = {0};
    size_t n = 0;
    enum dr_rc rc = list(job, &kept, &n, err);
    size_t newest = rc == DR_OK ? newest_of(kept, n) : 0;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        struct dr_err one = {0};
        if (i == newest) {
            continue;
        }
        enum dr_rc removed = remove_kept(job, &kept[i], &one);
        out->removed += removed == DR_OK ? 1 : 0;
        first = first.rc == DR_OK && removed != DR_OK && removed != DR_E_BACKUP_KEPT ? one : first;
    }
    if (rc == DR_OK && first.rc != DR_OK) {
        *err = first;
        rc = first.rc;
    }
    return rc;
}

enum dr_rc
dr_backup_job_prune(const struct dr_backup_job *job, struct dr_backup_done *out, struct dr_err *err)
{
    enum dr_rc rc = job->sha256 != NULL ? prune_one(job, out, err) : prune_all(job, out, err);
    if (rc == DR_OK) {
        out->detail = dr_arena_printf(job->arena, "%zu backup%s removed", out->removed,
                                      out->removed == 1 ? "" : "s");
    }
    return rc;
}
