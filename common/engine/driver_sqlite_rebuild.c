// What a table rebuild on SQLite could lose without a word. See driver_sqlite.h.
//
// DROP TABLE takes the table's indexes and triggers with it, and with foreign keys off nothing else
// watches over the children. So what was there before is noted, and looked for before the COMMIT;
// what the unit itself names is the author's own doing.
#include "engine/driver_sqlite.h"

#include "base/str.h"

#include <ctype.h>
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
is_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool
names(const struct dr_exec *x, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < x->count; i++) {
        const struct dr_statement *s = &x->statements[i];
        for (size_t k = 0; len > 0 && k + len <= s->len; k++) {
            bool is_whole = (k == 0 || !is_part(s->text[k - 1])) &&
                            (k + len == s->len || !is_part(s->text[k + len]));
            if (is_whole && strncasecmp(s->text + k, word, len) == 0) {
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

// ---------------------------------------------------------------------------------------- children

struct children {
    struct dr_buf names; // NUL-terminated, one behind the other
    struct dr_sqd *d;
    const struct dr_exec *x;
};

static const char children_sql[] =
    "SELECT DISTINCT m.name FROM main.sqlite_master m, pragma_foreign_key_list(m.name) WHERE m.type"
    " = 'table'";
static const char counted_sql[] = "SELECT name, n FROM temp.drover_rows";

static enum dr_rc
on_child(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct children *c = ctx;
    const char *name = dr_sqlite_column_text(s, 0);
    dr_buf_add(&c->names, name, strlen(name) + 1);
    return c->names.failed ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
}

// The name as SQL wants it, between `quote`s.
static void
add_quoted(struct dr_buf *sql, const char *name, char quote)
{
    dr_buf_add(sql, &quote, 1);
    for (const char *c = name; *c != '\0'; c++) {
        dr_buf_add(sql, c, 1);
        if (*c == quote) {
            dr_buf_add(sql, c, 1);
        }
    }
    dr_buf_add(sql, &quote, 1);
}

// Notes how many rows each table has that points to another one.
static enum dr_rc
count_children(struct dr_sqd *d, struct dr_err *err)
{
    struct children c = {.d = d};
    enum dr_rc rc = dr_sqlite_script(d->db,
                                     "DROP TABLE IF EXISTS temp.drover_rows; CREATE TEMP TABLE"
                                     " drover_rows (name TEXT, n INTEGER)",
                                     err);
    if (rc == DR_OK) {
        rc = dr_sqlite_exec(d->db, children_sql, sizeof children_sql - 1, on_child, &c, err);
    }
    for (size_t at = 0; rc == DR_OK && at < c.names.len; at += strlen(c.names.data + at) + 1) {
        struct dr_buf sql = {0};
        dr_buf_str(&sql, "INSERT INTO temp.drover_rows SELECT ");
        add_quoted(&sql, c.names.data + at, '\'');
        dr_buf_str(&sql, ", count(*) FROM main.");
        add_quoted(&sql, c.names.data + at, '"');
        rc = sql.failed ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                        : dr_sqlite_exec(d->db, sql.data, sql.len, NULL, NULL, err);
        dr_buf_fini(&sql);
    }
    dr_buf_fini(&c.names);
    return rc;
}

static enum dr_rc
on_counted(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct children *c = ctx;
    const char *name = dr_sqlite_column_text(s, 0);
    int64_t before = dr_sqlite_column_int(s, 1), after = 0;
    struct dr_buf sql = {0};
    if (names(c->x, name)) {
        return DR_OK; // the author's own doing
    }
    dr_buf_str(&sql, "SELECT count(*) FROM main.");
    add_quoted(&sql, name, '"');
    enum dr_rc rc = sql.failed ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                               : dr_sqlite_value_int(c->d->db, sql.data, &after, err);
    dr_buf_fini(&sql);
    if (rc == DR_OK && before != after) {
        rc = dr_err_set(err, DR_E_DB_STATEMENT,
                        "revision '%s' rebuilds a table, and table '%s' has %lld rows instead of "
                        "%lld afterwards",
                        c->x->revision_id, name, (long long)after, (long long)before);
        (void)dr_err_hint(err, "if it is meant, change the rows in a section of their own");
    }
    return rc;
}

enum dr_rc
dr_sqd_rebuild_begin(struct dr_sqd *d, struct dr_err *err)
{
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    enum dr_rc rc = dr_sqlite_script(d->db, "DROP TABLE IF EXISTS temp.drover_before", err);
    if (rc == DR_OK) {
        rc = dr_sqlite_script(d->db, note_sql, err);
    }
    if (rc == DR_OK) {
        rc = count_children(d, err);
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
    struct children c = {.d = d, .x = x};
    if (rc == DR_OK) {
        rc = dr_sqlite_exec(d->db, counted_sql, sizeof counted_sql - 1, on_counted, &c, err);
    }
    if (rc == DR_OK) {
        rc = dr_sqlite_script(d->db, "DROP TABLE temp.drover_before; DROP TABLE temp.drover_rows",
                              err);
    }
    return rc == DR_OK ? dr_sqlite_integrity_check(d->db, err) : rc;
}
