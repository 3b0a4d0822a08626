// Backups by a configured command. See backup_command.h.
#include "engine/backup_command.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "engine/backup_internal.h"
#include "engine/backup_tools.h"
#include "trust/keyfile.h"
#include "trust/root.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOL      "command"
#define ENV_SIZE  (PATH_MAX + 64)
#define ENV_COUNT 8

bool
dr_backup_is_by_command(const char *tool)
{
    return dr_str_starts(tool, TOOL);
}

// ----------------------------------------------------------------------------------------------
// run

// All that a command is told besides its words.
struct environment {
    char text[ENV_COUNT][ENV_SIZE];
    const char *env[ENV_COUNT + 1];
};

static void
add(struct environment *e, size_t *n, const char *name, const char *value)
{
    (void)snprintf(e->text[*n], ENV_SIZE, "%s=%.*s", name, PATH_MAX, value == NULL ? "" : value);
    e->env[*n] = e->text[*n];
    *n += 1;
}

static void
fill(struct environment *e, const struct dr_backup_commands *commands, const char *id)
{
    char until[32];
    const char *home = getenv("HOME");
    size_t n = 0;
    add(e, &n, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    add(e, &n, "LANG", "C.UTF-8");
    add(e, &n, "HOME", home == NULL ? "/" : home);
    add(e, &n, "DROVER_TARGET", commands->target);
    add(e, &n, "DROVER_ENVIRONMENT", commands->environment);
    add(e, &n, "DROVER_DATABASE", commands->database);
    if (id == NULL) {
        (void)snprintf(until, sizeof until, "%" PRId64,
                       dr_now_unix_s() + (int64_t)commands->keep_s);
        add(e, &n, "DROVER_KEEP_UNTIL", until);
    } else {
        add(e, &n, "DROVER_BACKUP", id);
    }
    e->env[n] = NULL;
}

struct watched {
    const struct dr_backup_options *options;
};

static enum dr_rc
tell(void *ctx, struct dr_err *err)
{
    const struct dr_backup_options *options = ((const struct watched *)ctx)->options;
    (void)err;
    options->progress(options->progress_arg, 0, 0); // nobody knows how far a command is
    return DR_OK;
}

static enum dr_rc
run(const char *const *words, const char *id, const struct dr_backup_options *options,
    struct dr_cmd_result *out, struct dr_err *err)
{
    struct environment e;
    struct dr_db_wait wait = dr_backup_wait(options);
    struct watched watched = {options};
    wait.on_tick = options->progress == NULL ? NULL : tell;
    wait.ctx = &watched;
    fill(&e, options->commands, id);
    return dr_backup_tool_run(words, e.env, &wait, 0, out, err);
}

static enum dr_rc
no_command(const char *key, const char *what, struct dr_err *err)
{
    (void)dr_err_set(err, DR_E_BACKUP_NO_COMMAND,
                     "the backup was made by a command, and none is configured to %s it", what);
    return dr_err_hint(err, "in the agent's configuration: %s = {\"/path/of/a/program\"}", key);
}

// ------------------------------------------------------------------------------------------
// evidence

static void
digest_of(const struct dr_backup_evidence *evidence, const char *text, size_t len, uint8_t out[32])
{
    if (evidence->has_sha256) {
        memcpy(out, evidence->sha256, 32);
    } else {
        dr_sha256((struct dr_bytes){.data = (const uint8_t *)text, .len = len}, out);
    }
}

// Of this cluster, made now, and kept as long as the agent is going to promise.
static enum dr_rc
check_evidence(const struct dr_backup_evidence *evidence, const struct dr_backup_commands *commands,
               int64_t began, struct dr_err *err)
{
    char shown[32], wanted[32];
    const char *system = commands->system_identifier;
    if (evidence->system_identifier[0] != '\0' && system != NULL && system[0] != '\0' &&
        !dr_str_eq(evidence->system_identifier, system)) {
        return dr_err_set(err, DR_E_BACKUP_OTHER,
                          "backup '%s' is of the cluster with system identifier '%s', the target "
                          "is of '%s'",
                          evidence->id, evidence->system_identifier, system);
    }
    if (evidence->started < began - DR_CLOCK_SKEW_S ||
        evidence->finished > dr_now_unix_s() + DR_CLOCK_SKEW_S) {
        dr_format_time(shown, evidence->started);
        return dr_err_set(err, DR_E_BACKUP_OTHER,
                          "backup '%s' was begun at %s: the command did not take it now",
                          evidence->id, shown);
    }
    int64_t until = evidence->finished + (int64_t)commands->keep_s;
    if (evidence->keep_until != 0 && evidence->keep_until < until - DR_CLOCK_SKEW_S) {
        dr_format_time(shown, evidence->keep_until);
        dr_format_time(wanted, until);
        return dr_err_set(err, DR_E_BACKUP_KEPT,
                          "backup '%s' is kept until %s by its tool, and until %s by the agent's "
                          "backup_keep",
                          evidence->id, shown, wanted);
    }
    return DR_OK;
}

static enum dr_rc
take(const struct dr_backup_options *options, const struct dr_backup_file *file,
     struct dr_backup *backup, struct dr_backup_evidence *evidence, struct dr_err *err)
{
    struct dr_cmd_result result = {0};
    int64_t began = dr_now_unix_s();
    enum dr_rc rc = run(options->commands->take, NULL, options, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = dr_backup_tool_failed("the backup command", &result, err);
    }
    const char *text = result.output.data == NULL ? "" : result.output.data;
    size_t len = result.output.len;
    rc = rc != DR_OK ? rc : dr_backup_evidence_read(text, len, DR_EVIDENCE_TAKEN, evidence, err);
    rc = rc != DR_OK ? rc : check_evidence(evidence, options->commands, began, err);
    rc = rc != DR_OK ? rc : dr_file_write(file->partial, text, len, 0600, err);
    rc = rc != DR_OK ? rc : dr_backup_finish(file, backup, err);
    if (rc == DR_OK) {
        digest_of(evidence, text, len, backup->sha256);
        backup->size_bytes = evidence->size_bytes;
        backup->started = evidence->started;
        backup->finished = evidence->finished;
        backup->restore_level = evidence->restore_level;
        (void)snprintf(backup->tool, sizeof backup->tool, TOOL "%s%s",
                       evidence->tool[0] == '\0' ? "" : " ", evidence->tool);
    }
    dr_cmd_result_fini(&result);
    return rc;
}

enum dr_rc
dr_backup_command_take(const struct dr_backup_options *options, struct dr_backup *out,
                       struct dr_backup_evidence *out_evidence, struct dr_err *err)
{
    struct dr_backup_file file = {0};
    struct dr_backup backup = {0};
    struct dr_backup_evidence evidence = {0};
    if (options->commands == NULL || options->commands->take == NULL) {
        return no_command("backup_command", "make", err);
    }
    // Before the command works for hours: is there a place for what it says?
    enum dr_rc rc = dr_backup_begin(options, ".command", 0, &file, err);
    rc = rc != DR_OK ? rc : take(options, &file, &backup, &evidence, err);
    if (rc != DR_OK) {
        dr_backup_abandon(&file);
        return dr_err_wrap(err, "backup failed");
    }
    *out = backup;
    *out_evidence = evidence;
    return DR_OK;
}

enum dr_rc
dr_backup_command_check(const struct dr_backup *backup, struct dr_backup_evidence *out,
                        struct dr_err *err)
{
    struct dr_backup_evidence evidence = {0};
    uint8_t sha256[32] = {0};
    char *text = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_file_read(backup->location, DR_EVIDENCE_MAX, &text, &len, err);
    if (rc == DR_E_NOT_FOUND) {
        return dr_err_set(err, DR_E_BACKUP_GONE, "the evidence of a backup '%s' is gone",
                          backup->location);
    }
    if (rc == DR_OK &&
        dr_backup_evidence_read(text, len, DR_EVIDENCE_TAKEN, &evidence, NULL) == DR_OK) {
        digest_of(&evidence, text, len, sha256);
    }
    free(text);
    if (rc == DR_OK && (evidence.size_bytes != backup->size_bytes ||
                        memcmp(sha256, backup->sha256, sizeof sha256) != 0)) {
        rc = dr_err_set(err, DR_E_BACKUP_CHANGED, "the evidence '%s' is not what was recorded",
                        backup->location);
    }
    if (rc == DR_OK && evidence.location[0] == '/' && !dr_path_exists(evidence.location)) {
        rc = dr_err_set(err, DR_E_BACKUP_GONE, "backup '%s' is gone: nothing is at '%s'",
                        evidence.id, evidence.location);
    }
    if (rc == DR_OK) {
        *out = evidence;
    }
    return rc;
}

// ---------------------------------------------------------------------------------------- look
// after

// One of the commands on a backup, whose exit code is its word.
static enum dr_rc
look_after(const struct dr_backup *backup, const struct dr_backup_options *options,
           const char *const *words, const char *name, struct dr_cmd_result *result,
           struct dr_backup_evidence *evidence, struct dr_err *err)
{
    enum dr_rc rc = dr_backup_command_check(backup, evidence, err);
    rc = rc != DR_OK ? rc : run(words, evidence->id, options, result, err);
    if (rc != DR_OK || result->exit_code == 0) {
        return rc;
    }
    return result->exit_code == DR_BACKUP_COMMAND_NOT_NOW
               ? dr_err_set(err, DR_E_BACKUP_NOT_NOW, "%s cannot look now (exit code %d)", name,
                            DR_BACKUP_COMMAND_NOT_NOW)
               : dr_backup_tool_failed(name, result, err);
}

enum dr_rc
dr_backup_command_verify(const struct dr_backup *backup, const struct dr_backup_options *options,
                         struct dr_err *err)
{
    struct dr_cmd_result result = {0};
    struct dr_backup_evidence evidence;
    if (options->commands == NULL || options->commands->verify == NULL) {
        return no_command("backup_verify_command", "verify", err);
    }
    enum dr_rc rc = look_after(backup, options, options->commands->verify, "the verify command",
                               &result, &evidence, err);
    dr_cmd_result_fini(&result);
    return rc;
}

enum dr_rc
dr_backup_command_restore(const struct dr_backup *backup, const struct dr_backup_options *options,
                          struct dr_backup_evidence *out, struct dr_err *err)
{
    struct dr_cmd_result result = {0};
    struct dr_backup_evidence evidence, proof = {0};
    if (options->commands == NULL || options->commands->restore == NULL) {
        return no_command("backup_restore_command", "restore", err);
    }
    enum dr_rc rc = look_after(backup, options, options->commands->restore, "the restore command",
                               &result, &evidence, err);
    if (rc == DR_OK) {
        rc = dr_backup_evidence_read(result.output.data == NULL ? "" : result.output.data,
                                     result.output.len, DR_EVIDENCE_RESTORED, &proof, err);
    }
    dr_cmd_result_fini(&result);
    if (rc == DR_OK &&
        (!dr_str_eq(proof.id, evidence.id) || proof.restore_level < DR_BACKUP_RESTORED)) {
        rc = dr_err_set(err, DR_E_BACKUP_EVIDENCE,
                        "the restore command was asked to restore '%s', and says '%s' of '%s'",
                        evidence.id, proof.restore_level < DR_BACKUP_RESTORED ? "listed" : "done",
                        proof.id);
    }
    if (rc == DR_OK) {
        *out = proof;
    }
    return rc;
}

enum dr_rc
dr_backup_command_prune(const struct dr_backup *backup, const struct dr_backup_options *options,
                        struct dr_err *err)
{
    struct dr_cmd_result result = {0};
    struct dr_backup_evidence evidence;
    if (options->commands == NULL || options->commands->prune == NULL) {
        return no_command("backup_prune_command", "remove", err);
    }
    enum dr_rc rc = look_after(backup, options, options->commands->prune, "the prune command",
                               &result, &evidence, err);
    dr_cmd_result_fini(&result);
    return rc == DR_E_BACKUP_GONE ? DR_OK : rc; // the tool was first
}
