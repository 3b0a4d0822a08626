// The PostgreSQL driver: connections, the two advisory keys, and the table of its operations. See
// driver.h.
//
// Key A lies on an idle second connection and keeps other runners out. Key B lies on the connection
// that works: as long as an old backend of a runner that died is still committing, B is not to be
// had, so whoever holds both may believe what the ledger says. Keys are taken by trying again and
// again, never by a waiting statement: that would hold a snapshot, and CREATE INDEX CONCURRENTLY
// would wait for it for ever.
#include "engine/driver_pg.h"
#include "engine/alembic.h"
#include "engine/loss_internal.h"

#include "base/clock.h"
#include "engine/fingerprint.h"
#include "revision/digest.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_POLL_FIRST_MS 5u // the runner before may be going just now
#define KEY_POLL_MAX_MS   100u
#define KEY_GRACE_MS      250u // a runner that has ended holds its key until the server notices

struct dr_pgd *
dr_pgd_of(struct dr_driver *driver)
{
    return (struct dr_pgd *)driver;
}

static const struct dr_pgd *
pgd_of_const(const struct dr_driver *driver)
{
    return (const struct dr_pgd *)driver;
}

struct dr_db_wait
dr_pgd_wait(const struct dr_pgd *d, uint64_t timeout_ms)
{
    struct dr_db_wait wait = dr_db_wait_ms((int64_t)timeout_ms);
    wait.cancel_fd = d->options.cancel_fd;
    if (d->running != NULL) {
        dr_pgd_watch(d->running, &wait); // its locks are held meanwhile
    }
    return wait;
}

enum dr_rc
dr_pgd_pause(const struct dr_pgd *d, uint64_t ms, struct dr_err *err)
{
    struct pollfd p = {.fd = d->options.cancel_fd > 0 ? d->options.cancel_fd : -1,
                       .events = POLLIN};
    int n = poll(&p, 1, (int)ms);
    if (n > 0) {
        return dr_err_set(err, DR_E_INTERRUPTED, "interrupted");
    }
    return DR_OK;
}

void
dr_pgd_rollback(struct dr_pgd *d)
{
    struct dr_err ignored = {0};
    struct dr_db_wait wait = dr_db_wait_ms(DR_PGD_SHORT_MS);
    if (d->work != NULL && dr_pg_is_alive(d->work) && dr_pg_tx_status(d->work) != DR_PG_TX_IDLE &&
        dr_pg_run(d->work, "ROLLBACK", &wait, &ignored) != DR_OK) {
        dr_pg_close(
            &d->work); // a connection that cannot roll back is given up: the server does it then
    }
}

// ---------------------------------------------------------------------------------------- connect

static enum dr_rc
inspect(struct dr_pg *pg, const struct dr_db_wait *wait, struct dr_pg_info *out, struct dr_err *err)
{
    enum dr_rc rc = dr_pg_inspect(pg, wait, out, err);
    return rc == DR_OK ? dr_pg_check_usable(out, err) : rc;
}

enum dr_rc
dr_pgd_connect(const struct dr_pgd *d, struct dr_pg **out, struct dr_pg_info *out_info,
               struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    struct dr_pg_info info = {0};
    struct dr_pg_options options = {.url = d->url, .target = d->name};
    struct dr_db_wait wait = dr_pgd_wait(d, d->options.connect_timeout_ms);
    enum dr_rc rc = dr_pg_connect(&options, &wait, &pg, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (out_info != NULL) {
        rc = inspect(pg, &wait, &info, err);
        if (rc != DR_OK) {
            dr_pg_close(&pg);
            return rc;
        }
        *out_info = info;
    }
    *out = pg;
    return DR_OK;
}

enum dr_rc
dr_pgd_know(struct dr_pgd *d, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, d->options.connect_timeout_ms);
    enum dr_rc rc = dr_pgd_reconnect(d, err);
    if (rc == DR_OK && !d->is_known) {
        rc = inspect(d->work, &wait, &d->info, err);
        d->is_known = rc == DR_OK;
    }
    return rc;
}

// `schema` as an identifier in double quotes.
static bool
quote_name(char *out, size_t size, const char *name)
{
    size_t n = 0;
    out[n++] = '"';
    for (const char *c = name; *c != '\0'; c++) {
        if (n + 4 > size) {
            return false;
        }
        if (*c == '"') {
            out[n++] = '"';
        }
        out[n++] = *c;
    }
    out[n++] = '"';
    out[n] = '\0';
    return true;
}

static void
pg_close(struct dr_driver *driver)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    dr_pg_close(&d->work);
    dr_pg_close(&d->idle);
    free(d->url);
    free(d->schema);
    free(d->tenant);
    free(d->name);
    free(d);
}

static enum dr_rc
fill(struct dr_pgd *d, const struct dr_driver_options *options, struct dr_err *err)
{
    d->base.ops = &dr_driver_pg;
    d->options = *options;
    d->cancel_fd = options->cancel_fd;
    d->url = strdup(options->url);
    d->schema = strdup(options->schema[0] == '\0' ? "public" : options->schema);
    d->tenant = strdup(options->tenant);
    d->name = strdup(options->name);
    if (d->url == NULL || d->schema == NULL || d->tenant == NULL || d->name == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    d->options.url = d->url;
    d->options.schema = d->schema;
    d->options.tenant = d->tenant;
    d->options.name = d->name;
    if (!quote_name(d->search_path, sizeof d->search_path, d->schema)) {
        return dr_err_set(err, DR_E_INVALID, "schema name '%s' is too long", d->schema);
    }
    uint8_t hash[32];
    dr_digest_sha256(hash, d->tenant, strlen(d->tenant));
    uint32_t number =
        ((uint32_t)hash[0] << 22 | (uint32_t)hash[1] << 14 | (uint32_t)hash[2] << 6 | hash[3] >> 2)
        << 1;
    (void)snprintf(d->key_class, sizeof d->key_class, "%d", DR_PGD_KEY_CLASS);
    (void)snprintf(d->key_a, sizeof d->key_a, "%u", number);
    (void)snprintf(d->key_b, sizeof d->key_b, "%u", number + 1);
    return DR_OK;
}

static enum dr_rc
pg_open(const struct dr_driver_options *options, struct dr_driver **out, struct dr_err *err)
{
    struct dr_pgd *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    enum dr_rc rc = fill(d, options, err);
    struct dr_pg_options pg = {.url = d->url, .target = d->name};
    if (rc == DR_OK && options->is_lazy) {
        rc = dr_pg_connect_begin(&pg, &d->work, err);
        d->is_connecting = rc == DR_OK;
    } else if (rc == DR_OK) {
        rc = dr_pgd_connect(d, &d->work, &d->info, err);
        d->is_known = rc == DR_OK;
    }
    if (rc != DR_OK) {
        pg_close((struct dr_driver *)d);
        return rc;
    }
    *out = (struct dr_driver *)d;
    return DR_OK;
}

static void
pg_identity(const struct dr_driver *driver, struct dr_identity *out)
{
    const struct dr_pgd *d = pgd_of_const(driver);
    *out = (struct dr_identity){.server_number = (uint32_t)d->info.server_version};
    (void)snprintf(out->system_identifier, sizeof out->system_identifier, "%s",
                   d->info.system_identifier);
    (void)snprintf(out->database, sizeof out->database, "%s", d->info.database);
    (void)snprintf(out->schema, sizeof out->schema, "%s", d->schema);
    (void)snprintf(out->server_version, sizeof out->server_version, "%s",
                   d->info.server_version_text);
}

// ------------------------------------------------------------------------------------------- keys

#define TRY_FOR_SESSION     "SELECT pg_catalog.pg_try_advisory_lock($1::int4, $2::int4)"
#define TRY_FOR_TRANSACTION "SELECT pg_catalog.pg_try_advisory_xact_lock($1::int4, $2::int4)"

static enum dr_rc
try_key(struct dr_pg *pg, const struct dr_pgd *d, const char *sql, const char *key, bool *out,
        struct dr_err *err)
{
    const char *params[] = {d->key_class, key};
    struct dr_pg_stmt stmt = {.sql = sql, .params = params, .params_count = 2, .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    char answer[8];
    enum dr_rc rc = dr_pg_value(pg, &stmt, &wait, answer, sizeof answer, err);
    if (rc == DR_OK) {
        *out = strcmp(answer, "t") == 0;
    }
    return rc;
}

enum dr_rc
dr_pgd_locked_by(struct dr_pgd *d, char which, struct dr_err *err)
{
    struct dr_pg *pg = which == 'a' ? d->idle : d->work;
    const char *params[] = {d->key_class, which == 'a' ? d->key_a : d->key_b};
    struct dr_pg_stmt stmt = {
        .sql = "SELECT 'pid ' || a.pid || ', ' || a.application_name || ', ' || a.state || "
               "', connected for ' || pg_catalog.date_part('epoch', "
               "pg_catalog.clock_timestamp() - a.backend_start)::int8 || ' s'"
               " FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)"
               " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
               " AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = "
               "current_database())"
               " AND l.classid = $1::int8::oid AND l.objid = $2::int8::oid LIMIT 1",
        .params = params,
        .params_count = 2,
        .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    char who[200];
    struct dr_err ignored = {0};
    if (pg == NULL || dr_pg_value(pg, &stmt, &wait, who, sizeof who, &ignored) != DR_OK) {
        return dr_err_set(err, DR_E_LOCKED, "another runner works on this database");
    }
    (void)dr_err_set(err, DR_E_LOCKED, "another runner works on this database (%s)", who);
    return which == 'a' ? DR_E_LOCKED
                        : dr_err_hint(err, "wait until it has ended, or end it: SELECT "
                                           "pg_terminate_backend(PID)");
}

static enum dr_rc
poll_key(struct dr_pgd *d, char which, const char *sql, uint64_t wait_ms, struct dr_err *err)
{
    struct dr_pg *pg = which == 'a' ? d->idle : d->work;
    const char *key = which == 'a' ? d->key_a : d->key_b;
    uint64_t pause_ms = KEY_POLL_FIRST_MS;
    int64_t deadline = dr_monotonic_ms() + (int64_t)wait_ms;
    for (;;) {
        bool is_mine = false;
        enum dr_rc rc = try_key(pg, d, sql, key, &is_mine, err);
        if (rc != DR_OK || is_mine) {
            return rc;
        }
        if (dr_monotonic_ms() >= deadline) {
            return dr_pgd_locked_by(d, which, err);
        }
        rc = dr_pgd_pause(d, pause_ms, err);
        pause_ms = pause_ms * 2 < KEY_POLL_MAX_MS ? pause_ms * 2 : KEY_POLL_MAX_MS;
        if (rc != DR_OK) {
            return rc;
        }
    }
}

enum dr_rc
dr_pgd_take_key(struct dr_pgd *d, char which, uint64_t wait_ms, struct dr_err *err)
{
    return poll_key(d, which, TRY_FOR_SESSION, wait_ms, err);
}

void
dr_pgd_drop_key(struct dr_pgd *d, char which)
{
    struct dr_pg **pg = which == 'a' ? &d->idle : &d->work;
    const char *params[] = {d->key_class, which == 'a' ? d->key_a : d->key_b};
    struct dr_pg_stmt stmt = {.sql = "SELECT pg_catalog.pg_advisory_unlock($1::int4, $2::int4)",
                              .params = params,
                              .params_count = 2,
                              .max_rows = 1};
    struct dr_db_wait wait = dr_db_wait_ms(DR_PGD_SHORT_MS);
    struct dr_err ignored = {0};
    char answer[8] = "";
    if (*pg != NULL && (!dr_pg_is_alive(*pg) ||
                        dr_pg_value(*pg, &stmt, &wait, answer, sizeof answer, &ignored) != DR_OK ||
                        strcmp(answer, "t") != 0)) {
        dr_pg_close(pg); // the server gives the key back when the connection ends
    }
}

// With A held nobody new begins; with B to be had, nobody old is still committing. Only then is
// what the ledger says true. B is not kept: it goes with the statement that takes it, and each unit
// takes it in its own transaction.
static enum dr_rc
wait_for_old(struct dr_pgd *d, struct dr_err *err)
{
    enum dr_rc rc = poll_key(d, 'b', TRY_FOR_TRANSACTION, d->options.recover_timeout_ms, err);
    return rc == DR_E_LOCKED ? dr_err_wrap(err, "an earlier run has not ended in the server") : rc;
}

static void
pg_foresee(struct dr_driver *driver)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_pg_options options = {.url = d->url, .target = d->name};
    struct dr_err ignored = {0};
    d->is_idle_begun =
        d->is_idle_begun ||
        (d->idle == NULL && dr_pg_connect_begin(&options, &d->idle, &ignored) == DR_OK);
}

// The connection that was begun, or, when nothing came of it, a new one.
static enum dr_rc
connect_idle(struct dr_pgd *d, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, d->options.connect_timeout_ms);
    struct dr_err ignored = {0};
    if (d->is_idle_begun && d->idle != NULL &&
        dr_pg_connect_end(d->idle, &wait, &ignored) == DR_OK) {
        d->is_idle_begun = false;
        return DR_OK;
    }
    d->is_idle_begun = false;
    dr_pg_close(&d->idle);
    return dr_pgd_connect(d, &d->idle, NULL, err);
}

enum dr_rc
dr_pgd_take_a(struct dr_pgd *d, uint64_t wait_ms, struct dr_err *err)
{
    d->has_key_a = false;
    enum dr_rc rc = connect_idle(d, err);
    if (rc == DR_OK) {
        rc = dr_pgd_take_key(d, 'a', wait_ms < KEY_GRACE_MS ? KEY_GRACE_MS : wait_ms, err);
    }
    if (rc != DR_OK) {
        dr_pg_close(&d->idle);
    }
    d->has_key_a = rc == DR_OK;
    return rc;
}

static enum dr_rc
pg_lock(struct dr_driver *driver, uint64_t wait_ms, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    if (d->has_key_a && d->idle != NULL && dr_pg_still_there(d->idle)) {
        return DR_OK;
    }
    enum dr_rc rc = dr_pgd_know(d, err);
    if (rc == DR_OK) {
        rc = dr_pgd_take_a(d, wait_ms, err);
    }
    if (rc == DR_OK) {
        rc = dr_pgd_reconnect(d, err);
    }
    if (rc == DR_OK) {
        rc = wait_for_old(d, err);
    }
    if (rc != DR_OK) {
        d->has_key_a = false;
        dr_pg_close(&d->idle);
    }
    return rc;
}

static void
pg_unlock(struct dr_driver *driver)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    d->has_key_a = false;
    dr_pg_close(&d->idle);
}

// ------------------------------------------------------------------------------------ fingerprint

static enum dr_rc
pg_fingerprint(struct dr_driver *driver, struct dr_arena *arena, uint8_t out[32],
               const char **out_text, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    struct dr_fingerprint_options options = {.schema = d->schema,
                                             .tolerate = d->options.tolerate,
                                             .tolerate_count = d->options.tolerate_count};
    struct dr_fingerprint print = {0};
    struct dr_db_wait wait = dr_pgd_wait(d, 10 * DR_PGD_SHORT_MS);
    enum dr_rc rc = dr_pgd_reconnect(d, err);
    if (rc == DR_OK) {
        rc = dr_fingerprint_pg(d->work, &options, &wait, &print, err);
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
pg_shield(struct dr_driver *driver, bool is_on)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    d->options.cancel_fd = is_on ? -1 : d->cancel_fd;
}

const struct dr_driver_ops dr_driver_pg = {
    .name = "postgresql",
    .open = pg_open,
    .close = pg_close,
    .identity = pg_identity,
    .foresee = pg_foresee,
    .lock = pg_lock,
    .unlock = pg_unlock,
    .ledger_ensure = dr_pgd_ledger_ensure,
    .ledger_read = dr_pgd_ledger_read,
    .ledger_own = dr_pgd_ledger_own,
    .unit = dr_pgd_unit,
    .note = dr_pgd_note,
    .shield = pg_shield,
    .flush = dr_pgd_flush,
    .outside = dr_pgd_outside,
    .probe = dr_pgd_probe,
    .clean = dr_pgd_clean,
    .check = dr_pgd_check,
    .recover = dr_pgd_recover,
    .fingerprint = pg_fingerprint,
    .lose = dr_pgd_lose,
    .rights = dr_pgd_rights,
    .alembic_read = dr_pgd_alembic_read,
    .alembic_make = dr_pgd_alembic_make,
};
