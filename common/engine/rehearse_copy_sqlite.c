// The copy of a SQLite target: its schema, statement by statement, in a file of its own, with the
// rows of drover's own tables; or a whole backup.
#include "engine/rehearse_internal.h"

#include "base/str.h"
#include "db/sqlite.h"
#include "engine/backup_restore.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct copying {
    struct dr_sqlite *from, *to;
    struct dr_arena *arena;
    struct dr_buf columns; // of the table at hand, as a text of its row
};

// What SQLite makes itself (its own tables, those of a virtual table) is not made twice.
static const char schema_sql[] =
    "SELECT sql, type, name FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE"
    " 'sqlite\\_%' ESCAPE '\\' ORDER BY CASE type WHEN 'table' THEN"
    " CASE WHEN sql LIKE 'CREATE VIRTUAL%' THEN 0 ELSE 1 END WHEN 'view' THEN 2 WHEN 'index'"
    " THEN 3 ELSE 4 END, rowid";
static const char ledger_sql[] = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE"
                                 " 'drover\\_%' ESCAPE '\\'";

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

static enum dr_rc
run_text(struct copying *c, const char *sql, dr_sqlite_on_row on_row, struct dr_sqlite *db,
         struct dr_err *err)
{
    return dr_sqlite_exec(db, sql, strlen(sql), on_row, c, err);
}

static enum dr_rc
make_object(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct copying *c = ctx;
    const char *text = dr_arena_str(c->arena, dr_sqlite_column_text(s, 0));
    const char *name = dr_arena_str(c->arena, dr_sqlite_column_text(s, 2));
    struct dr_err failed = {0};
    int64_t found = 0;
    if (text == NULL || name == NULL) {
        return no_memory(err);
    }
    enum dr_rc rc = run_text(c, text, NULL, c->to, &failed);
    const char *ask =
        dr_arena_printf(c->arena, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'", name);
    if (rc != DR_OK && ask != NULL && strchr(name, '\'') == NULL &&
        dr_sqlite_value_int(c->to, ask, &found, err) == DR_OK && found > 0) {
        rc = DR_OK;
    }
    if (rc != DR_OK) {
        *err = failed;
        return dr_err_wrap(err, "cannot make '%s' in the copy", name);
    }
    return DR_OK;
}

static enum dr_rc
add_column(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct copying *c = ctx;
    (void)err;
    dr_buf_printf(&c->columns, "%squote(\"%s\")", c->columns.len > 0 ? " || ',' || " : "",
                  dr_sqlite_column_text(s, 0));
    return DR_OK;
}

static enum dr_rc
add_row(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct copying *c = ctx;
    const char *text = dr_arena_str(c->arena, dr_sqlite_column_text(s, 0));
    return text == NULL ? no_memory(err) : run_text(c, text, NULL, c->to, err);
}

// The rows of one of drover's tables; the names of these and of their columns are plain.
static enum dr_rc
copy_rows(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct copying *c = ctx;
    const char *name = dr_arena_str(c->arena, dr_sqlite_column_text(s, 0));
    const char *ask = dr_arena_printf(
        c->arena, "SELECT name FROM pragma_table_info('%s') ORDER BY cid", name ? name : "");
    if (name == NULL || ask == NULL || strpbrk(name, "'\"") != NULL) {
        return DR_OK;
    }
    dr_buf_reset(&c->columns);
    enum dr_rc rc = run_text(c, ask, add_column, c->from, err);
    const char *rows =
        dr_arena_printf(c->arena, "SELECT 'INSERT INTO \"%s\" VALUES (' || %s || ')' FROM \"%s\"",
                        name, c->columns.data == NULL ? "''" : c->columns.data, name);
    if (rc == DR_OK && (rows == NULL || c->columns.failed)) {
        return no_memory(err);
    }
    return rc == DR_OK ? run_text(c, rows, add_row, c->from, err) : rc;
}

static enum dr_rc
copy_schema(const char *from, const char *to, struct dr_arena *arena, struct dr_err *err)
{
    const struct dr_sqlite_options read = {.read_only = true}, write = {.create = true};
    struct copying c = {.arena = arena};
    enum dr_rc rc = dr_sqlite_open(from, &read, &c.from, err);
    if (rc == DR_E_NOT_FOUND) { // the first run makes it
        *err = (struct dr_err){0};
        return DR_OK;
    }
    rc = rc == DR_OK ? dr_sqlite_open(to, &write, &c.to, err) : rc;
    rc = rc == DR_OK ? dr_sqlite_begin_read(c.from, err) : rc;
    rc = rc == DR_OK ? run_text(&c, schema_sql, make_object, c.from, err) : rc;
    rc = rc == DR_OK ? run_text(&c, ledger_sql, copy_rows, c.from, err) : rc;
    if (c.from != NULL) {
        dr_sqlite_rollback(c.from);
    }
    dr_sqlite_close(&c.from);
    dr_sqlite_close(&c.to);
    dr_buf_fini(&c.columns);
    return rc;
}

static enum dr_rc
make_copy(struct dr_copy *copy, const struct dr_rehearse_options *options, struct dr_arena *arena,
          const char **out_url, struct dr_err *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (options->backup != NULL) {
        const struct dr_backup_restore_options restore = {.cancel_fd = options->cancel_fd};
        enum dr_rc rc = dr_backup_copy_open(options->backup, &restore, &copy->restored, err);
        *out_url = rc == DR_OK ? dr_backup_copy_url(copy->restored) : NULL;
        return rc;
    }
    enum dr_rc rc = dr_scratch_open("sqlite:copy.db", NULL, &copy->scratch, err);
    rc = rc == DR_OK ? dr_db_sqlite_path(copy->scratch.url, to, sizeof to, err) : rc;
    rc = rc == DR_OK ? dr_db_sqlite_path(options->url, from, sizeof from, err) : rc;
    *out_url = copy->scratch.url;
    return rc == DR_OK ? copy_schema(from, to, arena, err) : rc;
}

enum dr_rc
dr_copy_sqlite(struct dr_copy *copy, const struct dr_rehearse_options *options,
               struct dr_arena *arena, struct dr_err *err)
{
    const char *url = NULL;
    enum dr_rc rc = make_copy(copy, options, arena, &url, err);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot make the copy");
    }
    copy->url = dr_arena_str(arena, url);
    return copy->url == NULL ? no_memory(err) : DR_OK;
}
