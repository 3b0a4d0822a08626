// The SQLite driver: the file, its lock, and the table of its operations. See driver.h.
#include "engine/driver_sqlite.h"
#include "engine/alembic.h"
#include "engine/loss_internal.h"

#include "base/clock.h"
#include "base/file.h"
#include "engine/fingerprint.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_POLL_MS 100
#define TICK_MS     250

struct dr_sqd *
dr_sqd_of(struct dr_driver *driver)
{
    return (struct dr_sqd *)driver;
}

// With a grace period a unit may still end after it was told to stop.
static enum dr_rc
on_tick(void *ctx, struct dr_err *err)
{
    struct dr_sqd *d = ctx;
    struct pollfd p = {.fd = d->options.stop_fd, .events = POLLIN};
    int64_t now = dr_monotonic_ms();
    if (poll(&p, 1, 0) <= 0) {
        return DR_OK;
    }
    d->stop_ms = d->stop_ms == 0 ? now : d->stop_ms;
    return (uint64_t)(now - d->stop_ms) < d->options.stop_grace_ms
               ? DR_OK
               : dr_err_set(err, DR_E_INTERRUPTED,
                            "told to stop, and the unit did not end within %llu ms",
                            (unsigned long long)d->options.stop_grace_ms);
}

void
dr_sqd_set_wait(struct dr_sqd *d, uint64_t timeout_ms)
{
    struct dr_db_wait wait = dr_db_wait_ms((int64_t)timeout_ms);
    wait.cancel_fd = d->options.cancel_fd;
    if (d->options.stop_fd > 0) {
        wait.tick_ms = TICK_MS;
        wait.on_tick = on_tick;
        wait.ctx = d;
    }
    dr_sqlite_set_wait(d->db, &wait);
}

enum dr_rc
dr_sqd_reopen(struct dr_sqd *d, bool create, struct dr_err *err)
{
    if (d->db != NULL) {
        return DR_OK;
    }
    struct dr_sqlite_options options = {.create = create};
    struct dr_sqlite_identity now;
    enum dr_rc rc = dr_sqlite_open(d->path, &options, &d->db, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
    rc = dr_sqlite_identify(d->db, &now, err);
    if (rc == DR_OK && d->identity.inode != 0 &&
        (d->identity.inode != now.inode || d->identity.device != now.device)) {
        rc = dr_err_set(err, DR_E_DB_IDENTITY, "'%s' is not the file that it was before", d->path);
    }
    if (rc == DR_OK) {
        d->identity = now;
        rc = dr_sqlite_script(d->db, "PRAGMA foreign_keys = ON", err);
    }
    if (rc != DR_OK) {
        dr_sqlite_close(&d->db);
    }
    return rc;
}

static void
sq_close(struct dr_driver *driver)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    dr_sqlite_close(&d->db);
    if (d->lock_fd >= 0) {
        (void)close(d->lock_fd);
    }
    free(d->url);
    free(d->tenant);
    free(d->name);
    free(d);
}

static enum dr_rc
fill(struct dr_sqd *d, const struct dr_driver_options *options, struct dr_err *err)
{
    d->base.ops = &dr_driver_sqlite;
    d->options = *options;
    d->cancel_fd = options->cancel_fd;
    d->lock_fd = -1;
    d->url = strdup(options->url);
    d->tenant = strdup(options->tenant);
    d->name = strdup(options->name);
    if (d->url == NULL || d->tenant == NULL || d->name == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    d->options.url = d->url;
    d->options.tenant = d->tenant;
    d->options.name = d->name;
    d->options.schema = "";
    return dr_db_sqlite_path(d->url, d->path, sizeof d->path, err);
}

static enum dr_rc
sq_open(const struct dr_driver_options *options, struct dr_driver **out, struct dr_err *err)
{
    struct dr_sqd *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    enum dr_rc rc = fill(d, options, err);
    if (rc == DR_OK) {
        rc = dr_sqd_reopen(d, false, err);
        if (rc == DR_E_NOT_FOUND) {
            // A file that is not there is an empty database: the first run makes it.
            *err = (struct dr_err){0};
            rc = DR_OK;
        }
    }
    if (rc != DR_OK) {
        sq_close((struct dr_driver *)d);
        return rc;
    }
    *out = (struct dr_driver *)d;
    return DR_OK;
}

static void
sq_identity(const struct dr_driver *driver, struct dr_identity *out)
{
    const struct dr_sqd *d = (const struct dr_sqd *)driver;
    *out = (struct dr_identity){.server_number = 3000000};
    (void)snprintf(out->system_identifier, sizeof out->system_identifier, "%s", d->id);
    (void)snprintf(out->database, sizeof out->database, "%.1000s",
                   d->identity.inode != 0 ? d->identity.path : d->path);
    (void)snprintf(out->server_version, sizeof out->server_version, "%s", dr_sqlite_version());
}

static void
sq_foresee(struct dr_driver *driver)
{
    (void)driver; // a file is locked at once
}

static enum dr_rc
sq_lock(struct dr_driver *driver, uint64_t wait_ms, struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    int64_t deadline = dr_monotonic_ms() + (int64_t)wait_ms;
    enum dr_rc rc = d->lock_fd >= 0 ? DR_OK : dr_sqd_reopen(d, true, err);
    while (rc == DR_OK && d->lock_fd < 0) {
        rc = dr_sqlite_lock(d->path, &d->lock_fd, err);
        if (rc != DR_E_DB_LOCKED) {
            break;
        }
        if (dr_monotonic_ms() >= deadline) {
            return dr_err_set(err, DR_E_LOCKED, "another runner works on '%s'", d->path);
        }
        struct pollfd p = {.fd = d->options.cancel_fd > 0 ? d->options.cancel_fd : -1,
                           .events = POLLIN};
        rc =
            poll(&p, 1, KEY_POLL_MS) > 0 ? dr_err_set(err, DR_E_INTERRUPTED, "interrupted") : DR_OK;
    }
    struct dr_sqlite_identity now;
    if (rc == DR_OK) {
        rc = dr_sqlite_identify(d->db, &now, err); // the path may name another file by now
    }
    if (rc == DR_OK) {
        rc = dr_sqd_refuse_traps(d, err);
    }
    return rc;
}

static void
sq_unlock(struct dr_driver *driver)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    if (d->lock_fd >= 0) {
        (void)close(d->lock_fd);
        d->lock_fd = -1;
    }
}

static enum dr_rc
sq_flush(struct dr_driver *driver, struct dr_err *err)
{
    // Every commit was flushed, but for the removal of the last one's journal: found again after a
    // power cut, it would take that commit back.
    return dr_file_sync_folder(dr_sqd_of(driver)->path, err);
}

static enum dr_rc
sq_probe(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
         const struct dr_statement *statement, enum dr_probe_state *out, struct dr_err *err)
{
    (void)driver;
    (void)object;
    (void)statement;
    (void)err;
    *out = probe == DROVER__V1__PROBE__PROBE_IDEMPOTENT ? DR_PROBE_ABSENT : DR_PROBE_UNKNOWN;
    return DR_OK;
}

static enum dr_rc
sq_clean(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
         const struct dr_statement *statement, struct dr_err *err)
{
    (void)driver;
    (void)probe;
    (void)statement;
    return dr_err_set(err, DR_E_NEEDS_REPAIR, "nothing is known to clean up '%s'", object);
}

// SQLite has no server that goes on without us: what the file says after it was opened again is
// true.
static enum dr_rc
sq_recover(struct dr_driver *driver, const struct dr_ledger_row *row, uint64_t transaction,
           bool *out_committed, struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    (void)transaction;
    *err = (struct dr_err){0};
    dr_sqlite_close(&d->db);
    enum dr_rc rc = dr_sqd_reopen(d, false, err);
    if (rc == DR_OK) {
        rc = sq_flush(driver, err); // what is believed from here on has to last
    }
    return rc == DR_OK ? dr_sqd_ledger_has(d, row, out_committed, err) : rc;
}

static enum dr_rc
sq_fingerprint(struct dr_driver *driver, struct dr_arena *arena, uint8_t out[32],
               const char **out_text, struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    struct dr_fingerprint_options options = {.tolerate = d->options.tolerate,
                                             .tolerate_count = d->options.tolerate_count};
    struct dr_fingerprint print = {0};
    enum dr_rc rc = dr_sqd_reopen(d, false, err);
    if (rc == DR_E_NOT_FOUND) {
        *err = (struct dr_err){0};
        struct dr_sqlite_options memory = {.create = true};
        struct dr_sqlite *empty = NULL;
        rc = dr_sqlite_open(":memory:", &memory, &empty, err);
        if (rc == DR_OK) {
            rc = dr_fingerprint_sqlite(empty, &options, &print, err);
        }
        dr_sqlite_close(&empty);
    } else if (rc == DR_OK) {
        dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
        rc = dr_fingerprint_sqlite(d->db, &options, &print, err);
    }
    if (rc != DR_OK) {
        return rc;
    }
    const char *text = out_text == NULL ? "" : dr_arena_strn(arena, print.text, print.text_len);
    if (text != NULL) {
        memcpy(out, print.sha256, 32);
        if (out_text != NULL) {
            *out_text = text;
        }
    }
    dr_fingerprint_fini(&print);
    return text != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "the fingerprint's text is too long");
}

static void
sq_shield(struct dr_driver *driver, bool is_on)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    d->options.cancel_fd = is_on ? -1 : d->cancel_fd;
}

static enum dr_rc
sq_rights(struct dr_driver *driver, struct dr_arena *arena, const char *const **out,
          size_t *out_count, struct dr_err *err)
{
    const struct dr_sqd *d = dr_sqd_of(driver);
    (void)arena;
    (void)out;
    if (access(d->path, F_OK) == 0 && access(d->path, W_OK) != 0) {
        return dr_err_set(err, DR_E_DB_FILE, "'%s' cannot be written by this user", d->path);
    }
    *out_count = 0;
    return DR_OK;
}

const struct dr_driver_ops dr_driver_sqlite = {
    .name = "sqlite",
    .open = sq_open,
    .close = sq_close,
    .identity = sq_identity,
    .foresee = sq_foresee,
    .lock = sq_lock,
    .unlock = sq_unlock,
    .ledger_ensure = dr_sqd_ledger_ensure,
    .ledger_read = dr_sqd_ledger_read,
    .ledger_own = dr_sqd_ledger_own,
    .unit = dr_sqd_unit,
    .note = dr_sqd_note,
    .shield = sq_shield,
    .flush = sq_flush,
    .outside = dr_sqd_outside,
    .probe = sq_probe,
    .clean = sq_clean,
    .check = dr_sqd_check,
    .recover = sq_recover,
    .fingerprint = sq_fingerprint,
    .lose = dr_sqd_lose,
    .rights = sq_rights,
    .alembic_read = dr_sqd_alembic_read,
    .alembic_make = dr_sqd_alembic_make,
};
