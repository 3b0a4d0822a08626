// What a table rebuild on SQLite could lose without a word. See driver_sqlite.h.
//
// DROP TABLE takes the table's indexes and triggers with it, and with foreign keys off nothing else
// watches over the children. So what was there before is noted, and looked for before the COMMIT;
// what the unit itself names is the author's own doing.
#include "engine/driver_sqlite.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

// Indexes, triggers and views that somebody made.
static const char note_sql[] =
    "CREATE TEMP TABLE drover_before AS SELECT type, name, tbl_name FROM main.sqlite_master"
    " WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL";
static const char lost_sql[] =
    "SELECT b.type, b.name, b.tbl_name FROM temp.drover_before b WHERE NOT"
    " EXISTS (SELECT 1 FROM main.sqlite_master m WHERE m.type = b.type AND m.name = b.name)";

static enum dr_rc
on_view(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    (void)s;
    (void)err;
    *(bool *)ctx = true;
    return DR_OK;
}

static bool
names(const struct dr_exec *x, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < x->count; i++) {
        const struct dr_statement *s = &x->statements[i];
        for (size_t k = 0; len > 0 && k + len <= s->len; k++) {
            if (strncasecmp(s->text + k, word, len) == 0) {
                return true;
            }
        }
    }
    return false;
}

static enum dr_rc
on_lost(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    const struct dr_exec *x = ctx;
    const char *type = dr_sqlite_column_text(s, 0), *name = dr_sqlite_column_text(s, 1);
    if (names(x, name)) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_DB_STATEMENT,
                     "revision '%s' rebuilds table '%s' and loses its %s '%s'", x->revision_id,
                     dr_sqlite_column_text(s, 2), type, name);
    return dr_err_hint(err, "create the %s again after the rename, or drop it by name", type);
}

enum dr_rc
dr_sqd_rebuild_begin(struct dr_sqd *d, struct dr_err *err)
{
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_script(d->db, "DROP TABLE IF EXISTS temp.drover_before", err);
    if (rc == DR_OK) {
        rc = dr_sqlite_script(d->db, note_sql, err);
    }
    // A view of the table that is dropped makes the rename fail, unless SQLite leaves views alone
    // (lang_altertable, section 7).
    static const char views[] = "SELECT 1 FROM temp.drover_before WHERE type = 'view' LIMIT 1";
    bool has_views = false;
    if (rc == DR_OK) {
        rc = dr_sqlite_exec(d->db, views, sizeof views - 1, on_view, &has_views, err);
    }
    return rc == DR_OK && has_views ? dr_sqlite_script(d->db, "PRAGMA legacy_alter_table = ON", err)
                                    : rc;
}

enum dr_rc
dr_sqd_rebuild_check(struct dr_sqd *d, const struct dr_exec *x, struct dr_err *err)
{
    struct dr_exec unit = *x;
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_exec(d->db, lost_sql, sizeof lost_sql - 1, on_lost, &unit, err);
    if (rc == DR_OK) {
        rc = dr_sqlite_script(d->db, "DROP TABLE temp.drover_before", err);
    }
    return rc == DR_OK ? dr_sqlite_integrity_check(d->db, err) : rc;
}
