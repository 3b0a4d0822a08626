// What a restored copy shows: the schema and the ledger that were recorded, and every row.
#include "engine/backup_restore.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "db/pg.h"
#include "db/sqlite.h"
#include "engine/backup_internal.h"
#include "engine/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (512u * 1048576u)

static enum dr_rc
check_state(const struct dr_engine_state *state, const struct dr_backup_expect *expect,
            struct dr_err *err)
{
    const char *head = state->heads_count > 0 ? state->heads[0].id : "base";
    if (expect->ledger_head != NULL && memcmp(expect->ledger_head, state->ledger_head, 32) != 0) {
        return dr_err_set(err, DR_E_BACKUP_OTHER,
                          "the restored copy has another history than the target: it is at '%s', "
                          "row %llu of the ledger",
                          head, (unsigned long long)state->position);
    }
    if (expect->fingerprint != NULL && memcmp(expect->fingerprint, state->fingerprint, 32) != 0) {
        return dr_err_set(err, DR_E_BACKUP_OTHER,
                          "the restored copy has another schema than the target");
    }
    return DR_OK;
}

static enum dr_rc
look(const char *url, const struct dr_backup_expect *expect, int cancel_fd,
     struct dr_backup_proof *proof, struct dr_err *err)
{
    struct dr_engine *engine = NULL;
    struct dr_engine_state state = {0};
    const struct dr_engine_options options = {.url = url,
                                              .schema = expect->schema,
                                              .target = "restore",
                                              .tolerate = expect->tolerate,
                                              .tolerate_count = expect->tolerate_count,
                                              .cancel_fd = cancel_fd};
    struct dr_arena *arena = dr_arena_new(ARENA_MAX);
    if (arena == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    enum dr_rc rc = dr_engine_open(&options, &engine, err);
    rc = rc != DR_OK ? rc : dr_engine_read_state(engine, arena, true, false, &state, err);
    rc = rc != DR_OK ? rc : check_state(&state, expect, err);
    if (rc == DR_OK) {
        memcpy(proof->fingerprint, state.fingerprint, 32);
        (void)snprintf(proof->server_version, sizeof proof->server_version, "%s",
                       state.identity.server_version);
        proof->restore_level = DR_BACKUP_RESTORED;
    }
    dr_engine_close(&engine);
    dr_arena_free(&arena);
    return rc;
}

// ------------------------------------------------------------------------------------------ query

static enum dr_rc
read_pg(const char *url, const struct dr_db_wait *wait, struct dr_buf *rows, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    const struct dr_pg_options connect = {.url = url, .target = "restore"};
    enum dr_rc rc = dr_pg_connect(&connect, wait, &pg, err);
    rc = rc != DR_OK ? rc : dr_backup_rows_pg(pg, true, wait, rows, err);
    dr_pg_close(&pg);
    return rc;
}

static enum dr_rc
read_sqlite(const char *url, const struct dr_db_wait *wait, struct dr_buf *rows, struct dr_err *err)
{
    const struct dr_sqlite_options options = {.read_only = true};
    struct dr_sqlite *db = NULL;
    char path[PATH_MAX];
    enum dr_rc rc = dr_db_sqlite_path(url, path, sizeof path, err);
    rc = rc != DR_OK ? rc : dr_sqlite_open(path, &options, &db, err);
    if (rc == DR_OK) {
        dr_sqlite_set_wait(db, wait);
        rc = dr_backup_rows_sqlite(db, rows, err);
    }
    dr_sqlite_close(&db);
    return rc;
}

static void
add_up(const struct dr_buf *rows, struct dr_backup_proof *proof)
{
    for (const char *line = rows->data; line != NULL && *line != '\0';) {
        proof->tables++;
        proof->rows += strtoull(line, NULL, 10);
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
}

static enum dr_rc
query(const struct dr_backup *backup, const char *url, const struct dr_db_wait *wait,
      struct dr_backup_proof *proof, struct dr_err *err)
{
    struct dr_buf rows = {.max = DR_BACKUP_ROWS_MAX};
    int64_t began = dr_monotonic_ms();
    enum dr_rc rc = dr_db_kind_of(url) == DR_DB_SQLITE ? read_sqlite(url, wait, &rows, err)
                                                       : read_pg(url, wait, &rows, err);
    rc = rc != DR_OK ? rc
                     : dr_backup_rows_compare(backup->location, &rows, &proof->is_compared, err);
    if (rc == DR_OK) {
        add_up(&rows, proof);
        proof->queried_ms = (uint64_t)(dr_monotonic_ms() - began);
        proof->restore_level = DR_BACKUP_QUERIED;
    }
    dr_buf_fini(&rows);
    return rc;
}

enum dr_rc
dr_backup_prove(const struct dr_backup *backup, uint32_t level,
                const struct dr_backup_expect *expect,
                const struct dr_backup_restore_options *options, struct dr_backup_proof *out,
                struct dr_err *err)
{
    const struct dr_backup_options limits = {.timeout_ms = options->timeout_ms,
                                             .cancel_fd = options->cancel_fd};
    const struct dr_db_wait wait = dr_backup_wait(&limits);
    struct dr_backup_proof proof = {0};
    struct dr_backup_copy *copy = NULL;
    int64_t began = dr_monotonic_ms();
    enum dr_rc rc = dr_backup_copy_open(backup, options, &copy, err);
    if (rc != DR_OK) {
        return rc;
    }
    proof.restored_ms = (uint64_t)(dr_monotonic_ms() - began);
    const char *url = dr_backup_copy_url(copy);
    rc = look(url, expect, options->cancel_fd, &proof, err);
    if (rc == DR_OK && level >= DR_BACKUP_QUERIED) {
        rc = query(backup, url, &wait, &proof, err);
    }
    dr_backup_copy_close(&copy);
    if (rc != DR_OK) {
        return rc;
    }
    *out = proof;
    return DR_OK;
}

void
dr_backup_proof_text(const struct dr_backup_proof *proof, char out[200])
{
    char restored[32], queried[32];
    dr_format_duration(restored, proof->restored_ms);
    dr_format_duration(queried, proof->queried_ms);
    int len = snprintf(out, 200, "restored in %s (%s), schema and history as recorded", restored,
                       proof->server_version);
    if (proof->restore_level == DR_BACKUP_QUERIED && len > 0 && len < 200) {
        (void)snprintf(out + len, 200 - (size_t)len, "; %llu rows of %llu table%s read in %s%s",
                       (unsigned long long)proof->rows, (unsigned long long)proof->tables,
                       proof->tables == 1 ? "" : "s", queried,
                       proof->is_compared ? ", as many as in the backup's snapshot" : "");
    }
}
