// Counting on PostgreSQL what a way down would take. See loss_internal.h.
//
// Tables and columns are looked up, and then counted, in READ ONLY transactions that take the
// weakest lock there is, many questions in one round trip. A count that fails (too slow, locked,
// forbidden) ends its transaction: it is estimated, and the ones behind it go on in the next. Row
// security must not hide rows: with row_security off the server refuses instead.
#include "engine/driver_pg.h"
#include "engine/loss_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 2000u
#define TABLES_MAX  1000u
#define BATCH_MAX   64u  // questions of one transaction, so that its locks are soon given back
#define FIRST       2u   // place of the first question: BEGIN and the settings stand before it
#define LATE_MS     1000 // that a batch may end late, since each statement has its own time-out

// How a table is shown, how it is written, and what the statistics say of its rows, with all its
// partitions; -1 where one was never analysed.
#define TABLE_SQL                                                                                  \
    "SELECT c.oid::pg_catalog.regclass::text, pg_catalog.format('%I.%I', n.nspname, c.relname),"   \
    " (WITH RECURSIVE t(oid) AS (SELECT c.oid UNION ALL SELECT i.inhrelid FROM"                    \
    " pg_catalog.pg_inherits i JOIN t ON i.inhparent = t.oid) SELECT CASE WHEN "                   \
    "pg_catalog.bool_or(k.reltuples < 0 OR (k.reltuples = 0 AND "                                  \
    "pg_catalog.pg_relation_size(k.oid) > 0)) THEN -1 ELSE pg_catalog.sum(k.reltuples)::int8 END " \
    "FROM t JOIN pg_catalog.pg_class k ON k.oid = t.oid AND k.relkind = 'r')"                      \
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
// $1 schema ("": by the search path), $2 table.
#define NAMED                                                                                      \
    " WHERE c.oid = pg_catalog.to_regclass(CASE WHEN $1 = '' THEN '' ELSE "                        \
    "pg_catalog.quote_ident($1) || '.' END || pg_catalog.quote_ident($2)) AND c.relkind IN "       \
    "('r', 'p')"

static const char table_sql[] = TABLE_SQL NAMED;
static const char schema_sql[] =
    TABLE_SQL " WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND"
              " $2 = '' ORDER BY c.relname";
static const char columns_sql[] =
    "SELECT a.attname, pg_catalog.quote_ident(a.attname), coalesce((SELECT pg_catalog.max(1 -"
    " s.null_frac) FROM pg_catalog.pg_stats s WHERE s.schemaname = n.nspname AND s.tablename ="
    " c.relname AND s.attname = a.attname), 1) * 1000000 FROM pg_catalog.pg_class c JOIN"
    " pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_attribute a ON"
    " a.attrelid = c.oid" NAMED " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

// One thing to count, and what came of it.
struct item {
    const struct dr_drop *drop;
    struct dr_loss loss; // texts in the arena
    const char *sql;
    int64_t estimate; // -1: the server has no statistics
    bool is_done;
};

struct losing {
    struct dr_pgd *d;
    struct dr_loss_list *list;
    struct item *items;
    size_t count, cap;
    const struct dr_drop *drops[BATCH_MAX]; // of the look under way, by place
    const char *shown, *written;            // the table that the columns behind it belong to
    int64_t rows;
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
add_item(struct losing *l, const struct dr_drop *drop, const char *column, const char *what,
         int64_t estimate, struct dr_err *err)
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
    struct item *item = &l->items[l->count++];
    *item = (struct item){.drop = drop, .estimate = estimate};
    item->loss = (struct dr_loss){.revision_id = drop->revision_id,
                                  .table = l->shown,
                                  .column = dr_arena_str(arena, column),
                                  .note = ""};
    item->sql = dr_arena_printf(arena, "SELECT pg_catalog.count(%s) FROM %s", what, l->written);
    return item->sql == NULL || item->loss.column == NULL ? no_memory(err) : DR_OK;
}

static enum dr_rc
take_table(struct losing *l, const struct dr_drop *drop, const struct dr_pg_result *res, size_t row,
           struct dr_err *err)
{
    l->shown = dr_arena_str(l->list->arena, dr_pg_text(res, row, 0));
    l->written = dr_arena_str(l->list->arena, dr_pg_text(res, row, 1));
    l->rows = dr_pg_int(res, row, 2);
    if (l->shown == NULL || l->written == NULL) {
        return no_memory(err);
    }
    bool is_whole = drop->kind == DR_DROP_ROWS || drop->kind == DR_DROP_SCHEMA;
    return is_whole ? add_item(l, drop, "", "*", l->rows, err) : DR_OK;
}

static enum dr_rc
take_columns(struct losing *l, const struct dr_drop *drop, const struct dr_pg_result *res,
             struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(res); i++) {
        const char *column = dr_pg_text(res, i, 0);
        bool is_meant = drop->kind == DR_DROP_REBUILD ? !dr_loss_is_kept(drop, column, false)
                                                      : strcmp(drop->column, column) == 0;
        int64_t share = dr_pg_int(res, i, 2);
        int64_t estimate =
            l->rows < 0 ? -1 : (int64_t)((double)l->rows * (double)share / 1000000.0);
        rc = is_meant ? add_item(l, drop, column, dr_pg_text(res, i, 1), estimate, err) : DR_OK;
    }
    return rc;
}

static enum dr_rc
on_look(void *ctx, uint64_t index, const struct dr_pg_result *res, struct dr_err *err)
{
    struct losing *l = ctx;
    const struct dr_drop *drop =
        index < FIRST || index - FIRST >= BATCH_MAX ? NULL : l->drops[index - FIRST];
    enum dr_rc rc = DR_OK;
    if (drop == NULL) {
        return DR_OK;
    }
    if (index > FIRST && l->drops[index - FIRST - 1] == drop) { // its table came before
        return take_columns(l, drop, res, err);
    }
    for (size_t i = 0; rc == DR_OK && i < dr_pg_rows(res); i++) {
        rc = take_table(l, drop, res, i, err);
    }
    return rc;
}

static bool
has_columns(const struct dr_drop *drop)
{
    return drop->kind == DR_DROP_COLUMN || drop->kind == DR_DROP_REBUILD;
}

// Looks up as many drops from `*next` on as one transaction takes.
static enum dr_rc
look(struct losing *l, const struct dr_drop *drops, size_t count, size_t *next, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(l->d, DR_PGD_SHORT_MS);
    uint64_t done = 0;
    size_t used = 0, i = *next;
    memset(l->drops, 0, sizeof l->drops);
    enum dr_rc rc = begin(l, &wait, on_look, err);
    if (rc != DR_OK) {
        return rc;
    }
    for (; l->added == DR_OK && i < count && used + 2 <= BATCH_MAX; i++) {
        if (drops[i].kind == DR_DROP_UNKNOWN) {
            continue;
        }
        const char *params[] = {drops[i].schema,
                                drops[i].kind == DR_DROP_SCHEMA ? "" : drops[i].table};
        struct dr_pg_stmt ask = {.sql = drops[i].kind == DR_DROP_SCHEMA ? schema_sql : table_sql,
                                 .params = params,
                                 .params_count = 2,
                                 .max_rows = TABLES_MAX};
        l->drops[used++] = &drops[i];
        l->added = dr_pg_pipeline_add(l->d->work, &ask, err);
        if (l->added == DR_OK && has_columns(&drops[i])) {
            l->drops[used++] = &drops[i];
            ask.sql = columns_sql;
            ask.max_rows = COLUMNS_MAX;
            l->added = dr_pg_pipeline_add(l->d->work, &ask, err);
        }
    }
    *next = i;
    return end(l, &done, err);
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
tell(const struct losing *l, const struct dr_drop *drops, size_t count, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    size_t item = 0;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        if (drops[i].kind == DR_DROP_UNKNOWN) {
            rc = dr_loss_add_unknown(l->list, &drops[i], err);
        }
        for (; rc == DR_OK && item < l->count && l->items[item].drop == &drops[i]; item++) {
            rc = dr_loss_add(l->list, &l->items[item].loss, err);
        }
    }
    return rc;
}

enum dr_rc
dr_pgd_lose(struct dr_driver *driver, const struct dr_drop *drops, size_t count,
            struct dr_loss_list *list, struct dr_err *err)
{
    struct losing l = {.d = dr_pgd_of(driver), .list = list};
    enum dr_rc rc = DR_OK;
    for (size_t next = 0; rc == DR_OK && next < count;) {
        rc = look(&l, drops, count, &next, err);
    }
    if (rc == DR_OK) {
        rc = count_all(&l, err);
    }
    return rc == DR_OK ? tell(&l, drops, count, err) : rc;
}
