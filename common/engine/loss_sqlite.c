// Counting on SQLite what a way down would take. See loss_internal.h.
#include "engine/driver_sqlite.h"
#include "engine/loss_internal.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 2000u

struct columns {
    struct dr_arena *arena;
    const char **names;
    size_t count;
};

static enum dr_rc
on_name(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    struct columns *c = ctx;
    if (c->count == COLUMNS_MAX) {
        return DR_OK;
    }
    c->names[c->count] = dr_arena_str(c->arena, dr_sqlite_column_text(s, 0));
    return c->names[c->count++] == NULL ? dr_err_set(err, DR_E_NOMEM, "no memory left") : DR_OK;
}

static enum dr_rc
on_count(void *ctx, struct dr_sqlite_stmt *s, struct dr_err *err)
{
    (void)err;
    *(int64_t *)ctx = dr_sqlite_column_int(s, 0);
    return DR_OK;
}

// "name" with its quotes, doubled inside; NULL when memory is out.
static char *
quoted(struct dr_arena *arena, const char *name, char quote)
{
    char *out = dr_arena_alloc(arena, 2 * strlen(name) + 3);
    char *at = out;
    if (out == NULL) {
        return NULL;
    }
    *at++ = quote;
    for (const char *c = name; *c != '\0'; c++) {
        *at++ = *c;
        if (*c == quote) {
            *at++ = quote;
        }
    }
    *at = quote;
    return out;
}

static enum dr_rc
ask(struct dr_sqd *d, const struct dr_loss_list *list, const char *sql, dr_sqlite_on_row on_row,
    void *ctx, struct dr_err *err)
{
    int64_t left = list->deadline_ms - dr_monotonic_ms();
    if (sql == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    if (left <= 0) {
        return dr_err_set(err, DR_E_TIMEOUT, "no time left to count");
    }
    dr_sqd_set_wait(d, left < DR_COUNT_ONE_MS ? (uint64_t)left : DR_COUNT_ONE_MS);
    dr_sqlite_set_guard(d->db, DR_SQLITE_OWN);
    return dr_sqlite_exec(d->db, sql, strlen(sql), on_row, ctx, err);
}

// Counts `what` ("*" or a column) of one table.
static enum dr_rc
count(struct dr_sqd *d, const struct dr_drop *drop, const char *column, struct dr_loss_list *list,
      struct dr_err *err)
{
    int64_t found = 0;
    struct dr_loss loss = {
        .revision_id = drop->revision_id, .table = drop->table, .column = column, .note = ""};
    const char *table = quoted(list->arena, drop->table, '"');
    const char *what = column[0] == '\0' ? "*" : quoted(list->arena, column, '"');
    const char *sql =
        table == NULL || what == NULL
            ? NULL
            : dr_arena_printf(list->arena, "SELECT count(%s) FROM main.%s", what, table);
    enum dr_rc rc = ask(d, list, sql, on_count, &found, err);
    if (rc == DR_E_TIMEOUT || rc == DR_E_DB_BUSY || rc == DR_E_DB_STATEMENT) {
        *err = (struct dr_err){0};
        loss.is_unknown = true;
        loss.note = rc == DR_E_TIMEOUT   ? "not counted: it took too long"
                    : rc == DR_E_DB_BUSY ? "not counted: the file is busy"
                                         : "it could not be counted";
        rc = DR_OK;
    }
    loss.count = (uint64_t)found;
    return rc == DR_OK ? dr_loss_add(list, &loss, err) : rc;
}

static bool
is_meant(const struct dr_drop *drop, const char *column)
{
    return drop->kind == DR_DROP_REBUILD ? !dr_loss_is_kept(drop, column, true)
                                         : strcasecmp(drop->column, column) == 0;
}

static enum dr_rc
lose(struct dr_sqd *d, const struct dr_drop *drop, struct dr_loss_list *list, struct dr_err *err)
{
    struct columns columns = {.arena = list->arena};
    enum dr_rc rc = dr_sqd_reopen(d, false, err);
    if (rc == DR_E_NOT_FOUND || drop->kind == DR_DROP_SCHEMA) {
        *err = (struct dr_err){0};
        return DR_OK;
    }
    columns.names = dr_arena_array(list->arena, COLUMNS_MAX, sizeof *columns.names);
    const char *table = quoted(list->arena, drop->table, '\'');
    if (rc == DR_OK && (columns.names == NULL || table == NULL)) {
        rc = dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    if (rc == DR_OK) {
        // Ordinary tables only: a view holds nothing.
        const char *sql = dr_arena_printf(
            list->arena,
            "SELECT c.name FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type ="
            " 'table' AND t.name = %s COLLATE NOCASE",
            table);
        rc = ask(d, list, sql, on_name, &columns, err);
    }
    if (rc != DR_OK || columns.count == 0) {
        return rc;
    }
    if (drop->kind == DR_DROP_ROWS) {
        return count(d, drop, "", list, err);
    }
    for (size_t i = 0; rc == DR_OK && i < columns.count; i++) {
        if (is_meant(drop, columns.names[i])) {
            rc = count(d, drop, columns.names[i], list, err);
        }
    }
    return rc;
}

enum dr_rc
dr_sqd_lose(struct dr_driver *driver, const struct dr_drop *drops, size_t count,
            struct dr_loss_list *list, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = drops[i].kind == DR_DROP_UNKNOWN ? dr_loss_add_unknown(list, &drops[i], err)
                                              : lose(dr_sqd_of(driver), &drops[i], list, err);
    }
    return rc;
}
