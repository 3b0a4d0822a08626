// The ledger in PostgreSQL: its tables, made when a run needs them, and its owner. See ledger.h.
#include "engine/driver_pg.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STATE_SCHEMA_EXISTS "42P06" // duplicate_schema

static const char *const tables[] = {
    "CREATE SCHEMA drover",
    "CREATE TABLE drover.meta (key text PRIMARY KEY, value text NOT NULL)",
    "CREATE TABLE drover.ledger (tenant text NOT NULL, position int8 NOT NULL, kind int2 NOT NULL,"
    " direction int2 NOT NULL, completes bool NOT NULL, revision_id text NOT NULL, revision_digest "
    "bytea NOT NULL,"
    " parents bytea NOT NULL, unit_number int8 NOT NULL, unit_digest bytea NOT NULL, plan_sha256 "
    "bytea NOT NULL,"
    " approval_sha256 bytea NOT NULL, previous bytea NOT NULL, head bytea NOT NULL,"
    " xid int8 NOT NULL DEFAULT pg_catalog.txid_current(),"
    " at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(), PRIMARY KEY (tenant, "
    "position))",
    "CREATE TABLE drover.revision (tenant text NOT NULL, id text NOT NULL, digest bytea NOT NULL,"
    " parents bytea NOT NULL, state int2 NOT NULL, since int8 NOT NULL, is_head bool NOT NULL,"
    " position int8 NOT NULL, PRIMARY KEY (tenant, id))",
    "CREATE INDEX revision_heads ON drover.revision (tenant) WHERE is_head OR state <> 1",
    "COMMENT ON SCHEMA drover IS 'history of this database, kept by drover: read it, do not change "
    "it'",
};

enum dr_rc
dr_pgd_ledger_newer(struct dr_err *err, uint64_t version)
{
    return dr_err_set(err, DR_E_LEDGER_NEWER,
                      "the ledger of this database has version %" PRIu64 ", this drover knows %u",
                      version, DR_LEDGER_VERSION);
}

// The last statement failed since the ledger's tables are not there.
bool
dr_pgd_ledger_is_missing(const struct dr_pgd *d)
{
    const char *state = dr_pg_last_error(d->work)->sqlstate;
    return strcmp(state, "42P01") == 0 || strcmp(state, "3F000") == 0;
}

// ----------------------------------------------------------------------------------------- ensure

// 0: there is none.
static enum dr_rc
read_version(struct dr_pgd *d, uint64_t *out, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    char value[32];
    struct dr_pg_stmt ask = {.sql = "SELECT value FROM drover.meta WHERE key = 'version'",
                             .max_rows = 1};
    enum dr_rc rc = dr_pg_value(d->work, &ask, &wait, value, sizeof value, err);
    if (rc != DR_OK && dr_pgd_ledger_is_missing(d)) {
        *err = (struct dr_err){0};
        *out = 0;
        return DR_OK;
    }
    if (rc != DR_OK && rc != DR_E_NOT_FOUND) {
        return rc;
    }
    if (rc == DR_E_NOT_FOUND || !dr_parse_u64(value, 1, UINT32_MAX, out)) {
        return dr_err_set(err, DR_E_LEDGER_TAMPERED,
                          "schema 'drover' is there, but it is no ledger");
    }
    return DR_OK;
}

static enum dr_rc
add_tables(struct dr_pgd *d, struct dr_err *err)
{
    char version[16];
    (void)snprintf(version, sizeof version, "%u", DR_LEDGER_VERSION);
    struct dr_pg_stmt lock = {.sql = "SELECT pg_catalog.pg_advisory_xact_lock($1::int4, -1)",
                              .params = (const char *const[]){d->key_class},
                              .params_count = 1};
    struct dr_pg_stmt insert = {.sql =
                                    "INSERT INTO drover.meta (key, value) VALUES ('version', $1)",
                                .params = (const char *const[]){version},
                                .params_count = 1};
    // Nobody is told of the tables, and whatever is written into them is flushed behind them.
    struct dr_pg_stmt late = {.sql = "SET LOCAL synchronous_commit = off"};
    enum dr_rc rc = dr_pg_pipeline_add(d->work, &(struct dr_pg_stmt){.sql = "BEGIN"}, err);
    if (rc == DR_OK) {
        rc = dr_pg_pipeline_add(d->work, &late, err);
    }
    if (rc == DR_OK) {
        rc = dr_pg_pipeline_add(d->work, &lock, err);
    }
    for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(tables); i++) {
        rc = dr_pg_pipeline_add(d->work, &(struct dr_pg_stmt){.sql = tables[i]}, err);
    }
    if (rc == DR_OK) {
        rc = dr_pg_pipeline_add(d->work, &insert, err);
    }
    return rc == DR_OK ? dr_pg_pipeline_add(d->work, &(struct dr_pg_stmt){.sql = "COMMIT"}, err)
                       : rc;
}

// One round trip: the tables where they are missing, and the preparation of what units send.
// DR_E_STATE_CHANGED: somebody else has just made the schema.
static enum dr_rc
make_and_prepare(struct dr_pgd *d, bool with_tables, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    struct dr_err later = {0};
    enum dr_rc rc = dr_pg_pipeline_begin(d->work, &wait, NULL, NULL, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = with_tables ? add_tables(d, err) : DR_OK;
    if (rc == DR_OK) {
        rc = dr_pgd_prepare(d, err);
    }
    enum dr_rc ended = dr_pg_pipeline_end(d->work, NULL, &later);
    if (ended != DR_OK) {
        *err = later;
        rc = ended;
    }
    if (rc != DR_OK) {
        bool is_schema = strcmp(dr_pg_last_error(d->work)->sqlstate, STATE_SCHEMA_EXISTS) == 0;
        dr_pgd_unprepare(d);
        return is_schema ? DR_E_STATE_CHANGED : rc;
    }
    return rc;
}

// Two tenants of one database may come at the same time: the tables are made under a key of their
// own, and who comes second finds the schema.
static enum dr_rc
make_tables(struct dr_pgd *d, struct dr_err *err)
{
    uint64_t version = 0;
    enum dr_rc rc = make_and_prepare(d, true, err);
    if (rc == DR_OK) {
        d->ledger = LEDGER_THERE;
        return DR_OK;
    }
    if (rc != DR_E_STATE_CHANGED || d->work == NULL) {
        return dr_err_wrap(err, "cannot make the ledger");
    }
    *err = (struct dr_err){0};
    rc = read_version(d, &version, err);
    if (rc == DR_OK && version == 0) {
        return dr_err_set(err, DR_E_LEDGER_TAMPERED,
                          "schema 'drover' is there, but it is no ledger");
    }
    if (rc == DR_OK && version > DR_LEDGER_VERSION) {
        return dr_pgd_ledger_newer(err, version);
    }
    return rc;
}

enum dr_rc
dr_pgd_ledger_ensure(struct dr_driver *driver, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    uint64_t version = 0;
    enum dr_rc connected = dr_pgd_reconnect(d, err);
    if (connected != DR_OK) {
        return connected;
    }
    if (d->ledger == LEDGER_THERE) {
        return make_and_prepare(d, false, err);
    }
    enum dr_rc rc = d->ledger == LEDGER_MISSING ? DR_OK : read_version(d, &version, err);
    if (rc != DR_OK || version == DR_LEDGER_VERSION) {
        return rc;
    }
    return version > DR_LEDGER_VERSION ? dr_pgd_ledger_newer(err, version) : make_tables(d, err);
}

enum dr_rc
dr_pgd_ledger_own(struct dr_driver *driver, const char *owner, const uint8_t key[32],
                  struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    char hex[65];
    dr_hex(hex, key, 32);
    const char *params[] = {owner, hex};
    struct dr_pg_stmt stmt = {
        .sql = "INSERT INTO drover.meta (key, value) VALUES ('owner', $1), ('owner_key', $2)"
               " ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        .params = params,
        .params_count = 2};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    return dr_pg_exec(d->work, &stmt, &wait, NULL, err);
}
