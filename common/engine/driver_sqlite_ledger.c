// The ledger in a SQLite file: tables drover_meta, drover_ledger, drover_revision. See ledger.h.
#include "engine/driver_sqlite.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char tables_sql[] =
    "CREATE TABLE drover_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE drover_ledger (tenant TEXT NOT NULL, position INTEGER NOT NULL, kind INTEGER NOT "
    "NULL,"
    " direction INTEGER NOT NULL, completes INTEGER NOT NULL, revision_id TEXT NOT NULL, "
    "revision_digest BLOB NOT NULL,"
    " parents BLOB NOT NULL, unit_number INTEGER NOT NULL, unit_digest BLOB NOT NULL, plan_sha256 "
    "BLOB NOT NULL,"
    " approval_sha256 BLOB NOT NULL, previous BLOB NOT NULL, head BLOB NOT NULL,"
    " at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)), PRIMARY KEY (tenant, "
    "position)) WITHOUT ROWID;"
    "CREATE TABLE drover_revision (tenant TEXT NOT NULL, id TEXT NOT NULL, digest BLOB NOT NULL, "
    "parents BLOB NOT NULL,"
    " state INTEGER NOT NULL, since INTEGER NOT NULL, is_head INTEGER NOT NULL, position INTEGER "
    "NOT NULL,"
    " PRIMARY KEY (tenant, id)) WITHOUT ROWID;"
    "CREATE INDEX drover_revision_heads ON drover_revision (tenant) WHERE is_head OR state <> 1;"
    "INSERT INTO drover_meta VALUES ('version', '1'), ('id', lower(hex(randomblob(16))));";

#define ROW_COLUMNS                                                                                \
    "l.position, l.kind, l.direction, l.completes, l.revision_id, l.revision_digest, l.parents, "  \
    "l.unit_number,"                                                                               \
    " l.unit_digest, l.plan_sha256, l.approval_sha256, l.previous, l.head, l.at"

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

static enum dr_rc
not_a_ledger(struct dr_err *err)
{
    return dr_err_set(err, DR_E_LEDGER_TAMPERED, "the ledger has a value that drover never writes");
}

// ------------------------------------------------------------------------------------------- read

struct reading {
    struct dr_sqd *d;
    struct dr_arena *arena;
    struct dr_ledger_view *view;
    struct dr_ledger_replay *replay; // NULL: not the whole ledger
    uint64_t revisions_cap;
    enum dr_ledger_depth depth;
};

static bool
blob32(struct dr_sqlite_stmt *s, int column, uint8_t out[32])
{
    size_t len;
    const void *bytes = dr_sqlite_column_blob(s, column, &len);
    if (bytes == NULL || len != 32) {
        return false;
    }
    memcpy(out, bytes, 32);
    return true;
}

// False: they are none; a list of NULL: no memory.
static bool
read_parents(struct dr_sqlite_stmt *s, int column, struct dr_arena *arena, size_t *out_count,
             const uint8_t (**out)[32])
{
    size_t len = 0;
    const void *bytes = dr_sqlite_column_blob(s, column, &len);
    if (len % 32 != 0 || len / 32 > DR_LEDGER_PARENTS_MAX) {
        return false;
    }
    void *copy = dr_arena_copy(arena, len > 0 ? bytes : "", len);
    *out_count = len / 32;
    *out = (const uint8_t(*)[32])copy;
    return true;
}

static enum dr_rc
read_row(struct reading *r, struct dr_sqlite_stmt *s, struct dr_ledger_row *out, int64_t *out_time,
         struct dr_err *err)
{
    const char *id = dr_sqlite_column_text(s, 4);
    *out = (struct dr_ledger_row){
        .tenant = r->d->tenant,
        .position = (uint64_t)dr_sqlite_column_int(s, 0),
        .kind = (enum dr_ledger_kind)dr_sqlite_column_int(s, 1),
        .direction = (enum dr_ledger_direction)dr_sqlite_column_int(s, 2),
        .completes = dr_sqlite_column_int(s, 3) != 0,
        .unit_number = (uint32_t)dr_sqlite_column_int(s, 7),
    };
    *out_time = dr_sqlite_column_int(s, 13);
    out->revision_id = strlen(id) <= DR_LEDGER_ID_MAX ? dr_arena_str(r->arena, id) : NULL;
    bool is_good = strlen(id) <= DR_LEDGER_ID_MAX && blob32(s, 5, out->revision_digest) &&
                   read_parents(s, 6, r->arena, &out->parents_count, &out->parents) &&
                   blob32(s, 8, out->unit_digest) && blob32(s, 9, out->plan_sha256) &&
                   blob32(s, 10, out->approval_sha256) && blob32(s, 11, out->previous) &&
                   blob32(s, 12, out->head);
    if (!is_good) {
        return not_a_ledger(err);
    }
    return out->revision_id != NULL && out->parents != NULL ? DR_OK : no_memory(err);
}

static enum dr_rc
take_meta(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct reading *r = ctx;
    const char *key = dr_sqlite_column_text(s, 0), *value = dr_sqlite_column_text(s, 1);
    uint64_t number;
    if (strcmp(key, "version") == 0) {
        if (!dr_parse_u64(value, 1, UINT32_MAX, &number)) {
            return not_a_ledger(err);
        }
        r->view->version = (uint32_t)number;
    } else if (strcmp(key, "owner") == 0) {
        r->view->owner = dr_arena_str(r->arena, value);
        return r->view->owner == NULL ? no_memory(err) : DR_OK;
    } else if (strcmp(key, "owner_key") == 0) {
        return dr_unhex(r->view->owner_key, 32, value) ? DR_OK : not_a_ledger(err);
    } else if (strcmp(key, "id") == 0) {
        (void)snprintf(r->d->id, sizeof r->d->id, "%s", value);
    }
    return DR_OK;
}

static enum dr_rc
take_revision(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct reading *r = ctx;
    size_t n = r->view->revisions_count;
    if (n == r->revisions_cap) {
        size_t cap = n == 0 ? 32 : n * 2;
        struct dr_ledger_revision *list = dr_arena_array(r->arena, cap, sizeof *list);
        if (list == NULL) {
            return no_memory(err);
        }
        if (n > 0) {
            memcpy(list, r->view->revisions, n * sizeof *list);
        }
        r->view->revisions = list;
        r->revisions_cap = cap;
    }
    struct dr_ledger_revision *v = &r->view->revisions[n];
    *v = (struct dr_ledger_revision){.id = dr_arena_str(r->arena, dr_sqlite_column_text(s, 0)),
                                     .state = (enum dr_ledger_state)dr_sqlite_column_int(s, 3),
                                     .since = (uint64_t)dr_sqlite_column_int(s, 4),
                                     .is_head = dr_sqlite_column_int(s, 5) != 0};
    if (!blob32(s, 1, v->digest) || !read_parents(s, 2, r->arena, &v->parents_count, &v->parents)) {
        return not_a_ledger(err);
    }
    if (v->id == NULL || v->parents == NULL) {
        return no_memory(err);
    }
    r->view->revisions_count++;
    return DR_OK;
}

static enum dr_rc
take_last(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct reading *r = ctx;
    struct dr_ledger_row row;
    int64_t time;
    enum dr_rc rc = read_row(r, s, &row, &time, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_ledger_row again = row;
    dr_ledger_seal(&again);
    if (memcmp(again.head, row.head, 32) != 0) {
        return dr_err_set(err, DR_E_LEDGER_TAMPERED,
                          "the ledger was changed: row %" PRIu64 " does not match its own hash",
                          row.position);
    }
    r->view->position = row.position;
    memcpy(r->view->head, row.head, 32);
    return DR_OK;
}

static enum dr_rc
take_unit(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct reading *r = ctx;
    struct dr_ledger_row row;
    int64_t time;
    enum dr_rc rc = read_row(r, s, &row, &time, err);
    return rc == DR_OK ? dr_ledger_add_unit(r->arena, r->view, &row, time, err) : rc;
}

static enum dr_rc
take_replay(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct reading *r = ctx;
    struct dr_ledger_row row;
    int64_t time;
    enum dr_rc rc = read_row(r, s, &row, &time, err);
    return rc == DR_OK ? dr_ledger_replay_row(r->replay, &row, time, err) : rc;
}

// Runs a query whose only parameter is the tenant.
static enum dr_rc
query(struct reading *r, const char *sql, dr_sqlite_on_row on_row, struct dr_err *err)
{
    struct dr_sqlite_stmt *s = NULL;
    bool has_row = true;
    enum dr_rc rc = dr_sqlite_prepare(r->d->db, sql, &s, err);
    if (rc == DR_OK && strchr(sql, '?') != NULL) {
        dr_sqlite_bind_text(s, 1, r->d->tenant);
    }
    while (rc == DR_OK) {
        rc = dr_sqlite_step(s, &has_row, err);
        if (rc != DR_OK || !has_row) {
            break;
        }
        rc = on_row(r, s, err);
    }
    dr_sqlite_finalize(&s);
    return rc;
}

#define REVISIONS_SQL                                                                              \
    "SELECT id, digest, parents, state, since, is_head FROM drover_revision WHERE tenant = ?1"

static enum dr_rc
read_all(struct reading *r, struct dr_err *err)
{
    enum dr_rc rc = query(r, "SELECT key, value FROM drover_meta", take_meta, err);
    if (rc == DR_OK && r->view->version > DR_LEDGER_VERSION) {
        return dr_err_set(err, DR_E_LEDGER_NEWER,
                          "the ledger of this database has version %u, this drover knows %u",
                          r->view->version, DR_LEDGER_VERSION);
    }
    if (rc == DR_OK) {
        rc = query(r,
                   r->depth == DR_LEDGER_HEADS ? REVISIONS_SQL " AND (is_head OR state <> 1)"
                                               : REVISIONS_SQL " ORDER BY position, id",
                   take_revision, err);
    }
    if (rc == DR_OK) {
        rc = dr_ledger_index(r->arena, r->view, err);
    }
    if (rc == DR_OK) {
        rc = query(r,
                   "SELECT " ROW_COLUMNS
                   " FROM drover_ledger l WHERE l.tenant = ?1 ORDER BY l.position DESC LIMIT 1",
                   take_last, err);
    }
    if (rc == DR_OK && r->depth != DR_LEDGER_HEADS) {
        rc = query(r,
                   "SELECT " ROW_COLUMNS
                   " FROM drover_revision r JOIN drover_ledger l ON r.tenant = l.tenant AND"
                   " r.id = l.revision_id WHERE r.tenant = ?1 AND r.state <> 1 AND l.position >= "
                   "r.since AND"
                   " l.direction <> 3 ORDER BY l.position",
                   take_unit, err);
    }
    if (rc == DR_OK && r->replay != NULL) {
        rc = query(r,
                   "SELECT " ROW_COLUMNS
                   " FROM drover_ledger l WHERE l.tenant = ?1 ORDER BY l.position",
                   take_replay, err);
        if (rc == DR_OK) {
            rc = dr_ledger_replay_compare(r->replay, r->view, err);
        }
    }
    return rc;
}

static enum dr_rc
has_tables(struct dr_sqd *d, bool *out, struct dr_err *err)
{
    int64_t n = 0;
    enum dr_rc rc = dr_sqlite_value_int(
        d->db, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'drover_meta'",
        &n, err);
    *out = n > 0;
    return rc;
}

enum dr_rc
dr_sqd_refuse_traps(struct dr_sqd *d, struct dr_err *err)
{
    int64_t count = 0;
    enum dr_rc rc = dr_sqlite_value_int(d->db,
                                        "SELECT count(*) FROM sqlite_schema WHERE type IN "
                                        "('trigger', 'view') AND (tbl_name LIKE 'drover\\_%' "
                                        "ESCAPE '\\')",
                                        &count, err);
    if (rc == DR_OK && count > 0) {
        (void)dr_err_set(err, DR_E_LEDGER_TAMPERED,
                         "there is a trigger or a view on a table of drover's ledger: what is "
                         "written there could be changed or lost");
        return dr_err_hint(err, "find out who made it, and drop it: SELECT sql FROM sqlite_schema "
                                "WHERE tbl_name LIKE 'drover_%%'");
    }
    return rc;
}

enum dr_rc
dr_sqd_ledger_read(struct dr_driver *driver, struct dr_arena *arena, enum dr_ledger_depth depth,
                   struct dr_ledger_view *out, struct dr_err *err)
{
    bool whole = depth == DR_LEDGER_WHOLE;
    struct dr_sqd *d = dr_sqd_of(driver);
    struct dr_ledger_view view = {.owner = ""};
    enum dr_rc rc = dr_sqd_reopen(d, false, err);
    if (rc == DR_E_NOT_FOUND) {
        *err = (struct dr_err){0};
        *out = view;
        return DR_OK;
    }
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    rc = dr_sqlite_script(d->db, "BEGIN", err);
    if (rc == DR_OK) {
        rc = has_tables(d, &view.exists, err);
    }
    if (rc == DR_OK && view.exists && depth != DR_LEDGER_HEADS) {
        rc = dr_sqd_refuse_traps(d, err);
    }
    if (rc == DR_OK && view.exists) {
        struct reading r = {.d = d, .arena = arena, .view = &view, .depth = depth};
        r.replay = whole ? dr_ledger_replay_new(arena, d->tenant) : NULL;
        rc = whole && r.replay == NULL ? no_memory(err) : read_all(&r, err);
    }
    dr_sqlite_rollback(d->db);
    if (rc == DR_OK) {
        *out = view;
    }
    return rc;
}

enum dr_rc
dr_sqd_ledger_ensure(struct dr_driver *driver, struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    bool is_there = false;
    int64_t version = 0;
    enum dr_rc rc = dr_sqd_reopen(d, true, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_sqd_set_wait(d, DR_SQD_BUSY_MS);
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    rc = dr_sqlite_begin(d->db, err);
    if (rc == DR_OK) {
        rc = has_tables(d, &is_there, err);
    }
    if (rc == DR_OK && !is_there) {
        rc = dr_sqlite_script(d->db, tables_sql, err);
    } else if (rc == DR_OK) {
        rc = dr_sqlite_value_int(
            d->db, "SELECT CAST(value AS INTEGER) FROM drover_meta WHERE key = 'version'", &version,
            err);
        if (rc == DR_OK && version > DR_LEDGER_VERSION) {
            rc = dr_err_set(err, DR_E_LEDGER_NEWER,
                            "the ledger of this database has version %" PRId64
                            ", this drover knows %u",
                            version, DR_LEDGER_VERSION);
        }
    }
    if (rc == DR_OK) {
        rc = dr_sqlite_commit(d->db, err);
    }
    if (rc != DR_OK) {
        dr_sqlite_rollback(d->db);
    }
    return rc;
}

enum dr_rc
dr_sqd_ledger_own(struct dr_driver *driver, const char *owner, const uint8_t key[32],
                  struct dr_err *err)
{
    struct dr_sqd *d = dr_sqd_of(driver);
    struct dr_sqlite_stmt *s = NULL;
    char hex[65];
    dr_hex(hex, key, 32);
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_prepare(
        d->db,
        "INSERT OR REPLACE INTO drover_meta (key, value) VALUES ('owner', ?1), ('owner_key', ?2)",
        &s, err);
    if (rc == DR_OK) {
        dr_sqlite_bind_text(s, 1, owner);
        dr_sqlite_bind_text(s, 2, hex);
        rc = dr_sqlite_finish(s, err);
    }
    dr_sqlite_finalize(&s);
    return rc;
}
