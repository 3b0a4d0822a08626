// Counting on PostgreSQL what a way down would take. See loss_internal.h.
//
// Tables and columns are looked up, and then counted, in READ ONLY transactions that take the
// weakest lock there is, many questions in one round trip. A count that fails (too slow, locked,
// forbidden) ends its transaction: it is estimated, and the ones behind it go on in the next. Row
// security must not hide rows: with row_security off the server refuses instead.
#include "engine/driver_pg.h"
#include "engine/loss_internal.h"

#include "base/clock.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX   100000u // columns of all tables
#define TABLES_MAX 1000u   // of one schema
#define BATCH_MAX  64u     // counts of one transaction, so that its locks are soon given back
#define FIRST      2u      // place of the first question: BEGIN and the settings stand before it
#define AT_COLUMNS (FIRST + 1u)
#define LATE_MS    1000 // that a batch may end late, since each statement has its own time-out

// How a table is shown, how it is written, and what the statistics say of its rows, with all its
// partitions; -1 where one was never analysed.
#define TABLE_COLUMNS                                                                              \
    "c.oid::pg_catalog.regclass::text, pg_catalog.format('%I.%I', n.nspname, c.relname),"          \
    " (WITH RECURSIVE t(oid) AS (SELECT c.oid UNION ALL SELECT i.inhrelid FROM"                    \
    " pg_catalog.pg_inherits i JOIN t ON i.inhparent = t.oid) SELECT CASE WHEN "                   \
    "pg_catalog.bool_or(k.reltuples < 0 OR (k.reltuples = 0 AND "                                  \
    "pg_catalog.pg_relation_size(k.oid) > 0)) THEN -1 ELSE pg_catalog.sum(k.reltuples)::int8 END " \
    "FROM t JOIN pg_catalog.pg_class k ON k.oid = t.oid AND k.relkind = 'r')"
#define TABLES " pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
// $1 schemas ("": by the search path), $2 tables: all drops in one question, told apart by their
// number, since planning it costs more than asking it.
#define ASKED                                                                                      \
    " FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH "         \
    "ORDINALITY w(schema, name, number)"                                                           \
    " CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(CASE WHEN w.schema = '' THEN '' ELSE "     \
    "pg_catalog.quote_ident(w.schema) || '.' END || pg_catalog.quote_ident(w.name)) AS oid) f "    \
    "JOIN"
#define NAMED " ON c.oid = f.oid AND c.relkind IN ('r', 'p')"

static const char tables_sql[] =
    "SELECT w.number, " TABLE_COLUMNS ASKED " (" TABLES ")" NAMED " ORDER BY w.number";
static const char schema_sql[] =
    "SELECT $2::int8, " TABLE_COLUMNS " FROM" TABLES " WHERE n.nspname = $1 AND c.relkind IN ('r', "
    "'p') AND NOT c.relispartition ORDER BY c.relname";
static const char columns_sql[] =
    "SELECT w.number, a.attname, pg_catalog.quote_ident(a.attname), coalesce((SELECT "
    "pg_catalog.max(1 - s.null_frac) FROM pg_catalog.pg_stats s WHERE s.schemaname = n.nspname AND "
    "s.tablename = c.relname AND s.attname = a.attname), 1) * 1000000" ASKED " (" TABLES ")" NAMED
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT "
    "a.attisdropped ORDER BY w.number, a.attnum";

// One thing to count, and what came of it.
struct item {
    const struct dr_drop *drop;
    size_t number;       // in the order in which they were found
    struct dr_loss loss; // texts in the arena
    const char *sql;
    int64_t estimate; // -1: the server has no statistics
    bool is_done;
};

// A table that a drop names, as it is there.
struct found {
    const char *shown, *written; // NULL: it is not there
    int64_t rows;
};

struct losing {
    struct dr_pgd *d;
    struct dr_loss_list *list;
    const struct dr_drop *drops;
    size_t drops_count;
    struct found *found; // per drop
    struct item *items;
    size_t count, cap;
    size_t next;      // of the count under way: the item at place FIRST
    enum dr_rc added; // of what was put into the pipeline under way
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

// A transaction with the tenant's search path; the questions follow.
static enum dr_rc
begin(struct losing *l, const struct dr_db_wait *wait, dr_pg_on_result on_result,
      struct dr_err *err)
{
    char ms[24];
    (void)snprintf(ms, sizeof ms, "%u", DR_COUNT_ONE_MS);
    const char *params[] = {l->d->search_path, ms};
    struct dr_pg_stmt set = {.sql = "SELECT pg_catalog.set_config('search_path', $1, true),"
                                    " pg_catalog.set_config('statement_timeout', $2, true),"
                                    " pg_catalog.set_config('lock_timeout', '1000', true),"
                                    " pg_catalog.set_config('row_security', 'off', true)",
                             .params = params,
                             .params_count = 2};
    enum dr_rc rc = dr_pgd_reconnect(l->d, err);
    if (rc == DR_OK) {
        rc = dr_pg_pipeline_begin(l->d->work, wait, on_result, l, err);
    }
    if (rc == DR_OK) {
        l->added =
            dr_pg_pipeline_add(l->d->work, &(struct dr_pg_stmt){.sql = "BEGIN READ ONLY"}, err);
    }
    if (rc == DR_OK && l->added == DR_OK) {
        l->added = dr_pg_pipeline_add(l->d->work, &set, err);
    }
    return rc;
}

// `*out_done`: so many statements of the pipeline ended well.
static enum dr_rc
end(struct losing *l, uint64_t *out_done, struct dr_err *err)
{
    struct dr_err later = {0};
    if (l->added == DR_OK) {
        l->added = dr_pg_pipeline_add(l->d->work, &(struct dr_pg_stmt){.sql = "COMMIT"}, err);
    }
    enum dr_rc rc = dr_pg_pipeline_end(l->d->work, out_done, &later);
    rc = rc == DR_OK ? l->added : rc;
    *err = later;
    if (rc != DR_OK) {
        dr_pgd_rollback(l->d);
    }
    return rc;
}

// ------------------------------------------------------------------------------------------- look

static enum dr_rc
add_item(struct losing *l, const struct dr_drop *drop, const struct found *table,
         const char *column, const char *what, int64_t estimate, struct dr_err *err)
{
    struct dr_arena *arena = l->list->arena;
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 64 : 2 * l->cap;
        struct item *items = dr_arena_array(arena, cap, sizeof *items);
        if (items == NULL) {
            return no_memory(err);
        }
        if (l->count > 0) {
            memcpy(items, l->items, l->count * sizeof *items);
        }
        l->items = items;
        l->cap = cap;
    }
    struct item *item = &l->items[l->count];
    *item = (struct item){.drop = drop, .number = l->count++, .estimate = estimate};
    item->loss = (struct dr_loss){.revision_id = drop->revision_id,
                                  .table = table->shown,
                                  .column = dr_arena_str(arena, column),
                                  .note = ""};
    item->sql = dr_arena_printf(arena, "SELECT pg_catalog.count(%s) FROM %s", what, table->written);
    return item->sql == NULL || item->loss.column == NULL ? no_memory(err) : DR_OK;
}

// The drop that a row is about; NULL: a number that was never asked for.
static const struct dr_drop *
drop_of(const struct losing *l, const struct dr_pg_result *res, size_t row)
{
    int64_t number = dr_pg_int(res, row, 0);
    return number < 1 || (uint64_t)number > l->drops_count ? NULL : &l->drops[number - 1];
}

static enum dr_rc
take_table(struct losing *l, const struct dr_pg_result *res, size_t row, struct dr_err *err)
{
    const struct dr_drop *drop = drop_of(l, res, row);
    if (drop == NULL) {
        return DR_OK;
    }
    struct found found = {.shown = dr_arena_str(l->list->arena, dr_pg_text(res, row, 1)),
                          .written = dr_arena_str(l->list->arena, dr_pg_text(res, row, 2)),
                          .rows = dr_pg_int(res, row, 3)};
    if (found.shown == NULL || found.written == NULL) {
        return no_memory(err);
    }
    l->found[drop - l->drops] = found;
    bool is_whole = drop->kind == DR_DROP_ROWS || drop->kind == DR_DROP_SCHEMA;
    return is_whole ? add_item(l, drop, &found, "", "*", found.rows, err) : DR_OK;
}

static enum dr_rc
take_column(struct losing *l, const struct dr_pg_result *res, size_t row, struct dr_err *err)
{
    const struct dr_drop *drop = drop_of(l, res, row);
    const struct found *table = drop == NULL ? NULL : &l->found[drop - l->drops];
    const char *column = dr_pg_text(res, row, 1);
    if (table == NULL || table->shown == NULL) {
        return DR_OK;
    }
    bool is_meant = drop->kind == DR_DROP_REBUILD
                        ? !dr_loss_is_kept(drop, column, false)
                        : drop->kind == DR_DROP_COLUMN && strcmp(drop->column, column) == 0;
    int64_t share = dr_pg_int(res, row, 3);
    int64_t estimate =
        table->rows < 0 ? -1 : (int64_t)((double)table->rows * (double)share / 1000000.0);
    return is_meant ? add_item(l, drop, table, column, dr_pg_text(res, row, 2), estimate, err)
                    : DR_OK;
}

static enum dr_rc
on_look(void *ctx, uint64_t index, const struct dr_pg_result *res, struct dr_err *err)
{
    struct losing *l = ctx;
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && index >= FIRST && i < dr_pg_rows(res); i++) {
        rc = index == AT_COLUMNS ? take_column(l, res, i, err) : take_table(l, res, i, err);
    }
    return rc;
}

// One element of an array's text.
static void
add_element(struct dr_buf *out, const char *text)
{
    dr_buf_str(out, out->len == 0 ? "{\"" : ",\"");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            dr_buf_str(out, "\\");
        }
        dr_buf_add(out, c, 1);
    }
    dr_buf_str(out, "\"");
}

static void
ask_names(struct losing *l, struct dr_err *err)
{
    struct dr_buf schemas = {0}, tables = {0};
    for (size_t i = 0; i < l->drops_count; i++) {
        bool is_named = l->drops[i].kind != DR_DROP_UNKNOWN && l->drops[i].kind != DR_DROP_SCHEMA;
        add_element(&schemas, is_named ? l->drops[i].schema : "");
        add_element(&tables, is_named ? l->drops[i].table : "");
    }
    dr_buf_str(&schemas, "}");
    dr_buf_str(&tables, "}");
    const char *params[] = {schemas.data, tables.data};
    struct dr_pg_stmt ask = {
        .sql = tables_sql, .params = params, .params_count = 2, .max_rows = ROWS_MAX};
    l->added = schemas.failed || tables.failed ? no_memory(err)
                                               : dr_pg_pipeline_add(l->d->work, &ask, err);
    if (l->added == DR_OK) {
        ask.sql = columns_sql;
        l->added = dr_pg_pipeline_add(l->d->work, &ask, err);
    }
    dr_buf_fini(&schemas);
    dr_buf_fini(&tables);
}

static int
by_drop(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return x->drop != y->drop ? (x->drop > y->drop ? 1 : -1)
                              : (x->number > y->number) - (x->number < y->number);
}

// Looks up what every drop names, in one transaction.
static enum dr_rc
look(struct losing *l, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(l->d, DR_PGD_SHORT_MS);
    uint64_t done = 0;
    enum dr_rc rc = begin(l, &wait, on_look, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (l->added == DR_OK) {
        ask_names(l, err);
    }
    for (size_t i = 0; l->added == DR_OK && i < l->drops_count; i++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i + 1);
        const char *params[] = {l->drops[i].schema, number};
        struct dr_pg_stmt ask = {
            .sql = schema_sql, .params = params, .params_count = 2, .max_rows = TABLES_MAX};
        if (l->drops[i].kind == DR_DROP_SCHEMA) {
            l->added = dr_pg_pipeline_add(l->d->work, &ask, err);
        }
    }
    rc = end(l, &done, err);
    if (rc == DR_OK && l->count > 1) {
        qsort(l->items, l->count, sizeof *l->items, by_drop);
    }
    return rc;
}

// ------------------------------------------------------------------------------------------ count

// Why a count is not exact; NULL: that failure ends the walk.
static const char *
reason_of(enum dr_rc rc)
{
    switch (rc) {
    case DR_E_DB_STATEMENT_TIMEOUT:
    case DR_E_TIMEOUT:
        return "estimated: counting took too long";
    case DR_E_DB_LOCK_TIMEOUT:
        return "estimated: the table is locked";
    case DR_E_DB_PRIVILEGE:
        return "estimated: the role may not read it";
    case DR_E_DB_STATEMENT:
        return "estimated: it could not be counted";
    default:
        return NULL;
    }
}

static void
estimate(struct item *item, enum dr_rc why)
{
    bool is_known = item->estimate >= 0;
    item->loss.is_estimate = is_known;
    item->loss.is_unknown = !is_known;
    item->loss.count = is_known ? (uint64_t)item->estimate : 0;
    item->loss.note = is_known ? reason_of(why) : "not counted, and the server has no statistics";
    item->is_done = true;
}

static enum dr_rc
on_count(void *ctx, uint64_t index, const struct dr_pg_result *res, struct dr_err *err)
{
    struct losing *l = ctx;
    (void)err;
    if (index >= FIRST && l->next + (index - FIRST) < l->count) {
        struct item *item = &l->items[l->next + (index - FIRST)];
        item->loss.count = (uint64_t)dr_pg_int(res, 0, 0);
        item->is_done = true;
    }
    return DR_OK;
}

// Counts as many items from l->next on as one transaction takes, and moves l->next behind those
// that are done.
static enum dr_rc
count_batch(struct losing *l, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(l->d, DR_COUNT_ALL_MS);
    uint64_t done = 0;
    size_t first = l->next, used = 0;
    wait.deadline_ms = l->list->deadline_ms + LATE_MS;
    enum dr_rc rc = begin(l, &wait, on_count, err);
    if (rc != DR_OK) {
        return rc;
    }
    for (; l->added == DR_OK && first + used < l->count && used < BATCH_MAX; used++) {
        struct dr_pg_stmt ask = {.sql = l->items[first + used].sql, .max_rows = 1};
        l->added = dr_pg_pipeline_add(l->d->work, &ask, err);
    }
    rc = end(l, &done, err);
    bool is_of_item = rc != DR_OK && done >= FIRST && done - FIRST < used;
    while (l->next < first + used && l->items[l->next].is_done) {
        l->next++;
    }
    if (is_of_item && reason_of(rc) != NULL && l->next < first + used) {
        estimate(&l->items[l->next++], rc);
        *err = (struct dr_err){0};
        return DR_OK;
    }
    return rc;
}

static enum dr_rc
count_all(struct losing *l, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (l->next = 0; rc == DR_OK && l->next < l->count;) {
        if (dr_monotonic_ms() < l->list->deadline_ms) {
            rc = count_batch(l, err);
        } else {
            estimate(&l->items[l->next++], DR_E_TIMEOUT);
        }
    }
    return rc;
}

// Items stand in the order of the drops; drops of which nothing is known stand between.
static enum dr_rc
tell(const struct losing *l, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    size_t item = 0;
    for (size_t i = 0; rc == DR_OK && i < l->drops_count; i++) {
        if (l->drops[i].kind == DR_DROP_UNKNOWN) {
            rc = dr_loss_add_unknown(l->list, &l->drops[i], err);
        }
        for (; rc == DR_OK && item < l->count && l->items[item].drop == &l->drops[i]; item++) {
            rc = dr_loss_add(l->list, &l->items[item].loss, err);
        }
    }
    return rc;
}

enum dr_rc
dr_pgd_lose(struct dr_driver *driver, const struct dr_drop *drops, size_t count,
            struct dr_loss_list *list, struct dr_err *err)
{
    struct losing l = {.d = dr_pgd_of(driver), .list = list, .drops = drops, .drops_count = count};
    l.found = dr_arena_array(list->arena, count + 1, sizeof *l.found);
    enum dr_rc rc = l.found == NULL ? no_memory(err) : look(&l, err);
    if (rc == DR_OK) {
        rc = count_all(&l, err);
    }
    return rc == DR_OK ? tell(&l, err) : rc;
}
