// drover-agent backup ... See backup_cli.h.
#include "agent/backup_cli.h"

#include "agent/backup_job.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"

#include <string.h>

#define ARENA_MAX (64u * 1048576u)

static const char *const LEVELS[] = {"bad", "listed", "restored", "queried"};

static enum dr_rc
list(const struct dr_backup_job *job, FILE *out, struct dr_err *err)
{
    struct dr_backup_kept *kept = NULL;
    char name[160];
    size_t n = 0;
    const struct dr_backup_options options = dr_backup_job_options(job, name);
    enum dr_rc rc = dr_backup_list(&options, job->arena, &kept, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        char size[32] = "?", until[32] = "?";
        const Drover__V1__BackupRecord *record = kept[i].note == NULL ? NULL : kept[i].note->backup;
        uint32_t level = record == NULL ? 0 : (uint32_t)record->restore_level;
        if (record != NULL) {
            dr_format_size(size, record->size_bytes);
        }
        if (kept[i].keep_until != 0) {
            dr_format_time(until, kept[i].keep_until);
        }
        bool is_over = kept[i].keep_until != 0 && kept[i].keep_until < dr_now_unix_s();
        (void)fprintf(out, "%s  %s  %s  kept until %s%s  %s\n", job->target, size,
                      record == NULL                ? "unknown"
                      : level < DR_COUNT_OF(LEVELS) ? LEVELS[level]
                                                    : "?",
                      until, is_over ? " (over)" : "", kept[i].location);
    }
    if (rc == DR_OK && n == 0) {
        (void)fprintf(out, "%s  no backup in '%s'\n", job->target, job->folder);
    }
    return rc;
}

static enum dr_rc
do_one(const struct dr_backup_job *job, const char *what, FILE *out, struct dr_err *err)
{
    struct dr_backup_done done = {0};
    if (dr_str_eq(what, "list")) {
        return list(job, out, err);
    }
    enum dr_rc rc = dr_str_eq(what, "verify")         ? dr_backup_job_verify(job, &done, err)
                    : dr_str_eq(what, "restore-test") ? dr_backup_job_restore_test(job, &done, err)
                                                      : dr_backup_job_prune(job, &done, err);
    if (rc == DR_OK) {
        (void)fprintf(out, "%s  %s\n", job->target, done.detail);
        if (done.note != NULL) {
            (void)fprintf(out, "  %s\n", done.note->backup->location);
        }
    }
    return rc;
}

static const char *const *
words_of(const struct dr_agent_config *config, enum dr_agent_command which)
{
    return config->commands[which][0] == NULL ? NULL : config->commands[which];
}

enum dr_rc
dr_agent_backup(const struct dr_agent_config *config, const char *what, const char *target,
                FILE *out, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    if (target != NULL && dr_agent_config_target(config, target) == NULL) {
        return dr_err_set(err, DR_E_AGENT_NO_TARGET, "this agent has no target '%s'", target);
    }
    for (size_t i = 0; i < config->n_targets; i++) {
        struct dr_err one = {0};
        struct dr_arena *arena = dr_arena_new(ARENA_MAX);
        const struct dr_backup_job job = {
            .target = config->targets[i].name,
            .folder = config->backups,
            .pg_bindir = config->pg_bindir[0] == '\0' ? NULL : config->pg_bindir,
            .restore_server = config->restore_server,
            .timeout_ms = config->backup_timeout_ms,
            .commands = {.take = words_of(config, DR_AGENT_TAKE),
                         .verify = words_of(config, DR_AGENT_VERIFY),
                         .restore = words_of(config, DR_AGENT_RESTORE),
                         .prune = words_of(config, DR_AGENT_PRUNE),
                         .target = config->targets[i].name,
                         .environment = config->environment,
                         .database = dr_backup_job_database(config->targets[i].url, arena)},
            .arena = arena,
        };
        if (target != NULL && !dr_str_eq(target, job.target)) {
            dr_arena_free(&arena);
            continue;
        }
        enum dr_rc done = arena == NULL ? dr_err_set(&one, DR_E_NOMEM, "out of memory")
                                        : do_one(&job, what, out, &one);
        if (done != DR_OK && rc == DR_OK) {
            *err = one;
            rc = done;
        } else if (done != DR_OK) {
            (void)fprintf(out, "%s  %s\n", job.target, one.message);
        }
        dr_arena_free(&arena);
    }
    return rc;
}
