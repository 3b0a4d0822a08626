// Looking at rows, filling tables, comparing. The dialects hold what differs between the engines.

#include "coordinator/cli/testing_rows_inner.h"

#include "db/db.h"
#include "db/pg.h"
#include "db/sqlite.h"
#include "engine/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS      30000
#define TABLES_MAX   20000u
#define COLUMNS_MAX  1700u
#define UNION_MAX    100u // tables that are asked for in one query
#define ROWS_EACH    3u   // into an empty table
#define PASSES       6u   // tables that refer to others wait for them
#define LINES_MAX    20u
#define SHOWN_MAX    160   // bytes of a row in a message
#define FIRST_NUMBER 1000u // of rows beside those of the chain
#define TABLE_CELLS  3u
#define COLUMN_CELLS 9u

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

enum dr_rc
dr_testing_rows_open(const char *url, struct dr_testing_rows **out, struct dr_err *err)
{
    char path[DR_DB_URL_MAX];
    struct dr_db_wait wait = dr_db_wait_ms(WAIT_MS);
    enum dr_rc rc = DR_OK;
    struct dr_testing_rows *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return no_memory(err);
    }
    if (dr_db_kind_of(url) == DR_DB_POSTGRES) {
        const struct dr_pg_options options = {.url = url, .target = "test"};
        r->dialect = &dr_testing_pg;
        rc = dr_pg_connect(&options, &wait, &r->pg, err);
        wait = dr_db_wait_ms(WAIT_MS); // triggers find their tables as an application's would
        rc = rc == DR_OK ? dr_pg_run(r->pg, "SET search_path TO public", &wait, err) : rc;
    } else {
        const struct dr_sqlite_options options = {.create = true};
        r->dialect = &dr_testing_sqlite;
        rc = dr_db_sqlite_path(url, path, sizeof path, err);
        rc = rc == DR_OK ? dr_sqlite_open(path, &options, &r->sqlite, err) : rc;
        rc = rc == DR_OK ? dr_sqlite_script(r->sqlite, "PRAGMA foreign_keys = ON", err) : rc;
    }
    if (rc != DR_OK) {
        dr_testing_rows_close(&r);
        return rc;
    }
    *out = r;
    return DR_OK;
}

void
dr_testing_rows_close(struct dr_testing_rows **rows)
{
    if (*rows != NULL) {
        dr_pg_close(&(*rows)->pg);
        dr_sqlite_close(&(*rows)->sqlite);
        free(*rows);
        *rows = NULL;
    }
}

// -------------------------------------------------------------------------------------------- look

struct looking {
    struct dr_arena *arena;
    struct dr_testing_seen *seen;
    size_t tables_cap;
};

static enum dr_rc
take_table(void *arg, const char *const *cells, struct dr_err *err)
{
    struct looking *l = arg;
    if (l->seen->count == TABLES_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "more than %u tables", TABLES_MAX);
    }
    if (l->seen->count == l->tables_cap) {
        size_t cap = l->tables_cap == 0 ? 32 : 2 * l->tables_cap;
        struct dr_testing_table *tables = dr_arena_array(l->arena, cap, sizeof *tables);
        if (tables == NULL) {
            return no_memory(err);
        }
        if (l->seen->count > 0) {
            memcpy(tables, l->seen->tables, l->seen->count * sizeof *tables);
        }
        l->seen->tables = tables;
        l->tables_cap = cap;
    }
    struct dr_testing_table *t = &l->seen->tables[l->seen->count++];
    t->name = dr_arena_str(l->arena, cells[0] ? cells[0] : "");
    t->columns = dr_arena_str(l->arena, cells[1] ? cells[1] : "");
    t->types = dr_arena_str(l->arena, cells[2] ? cells[2] : "");
    return t->name && t->columns && t->types ? DR_OK : no_memory(err);
}

// A row of a table: its number in `seen`, its text.
static enum dr_rc
take_row(void *arg, const char *const *cells, struct dr_err *err)
{
    struct looking *l = arg;
    uint64_t number = 0;
    if (cells[0] == NULL || !dr_parse_u64(cells[0], 0, l->seen->count - 1, &number)) {
        return dr_err_set(err, DR_E_INTERNAL, "a row of no table");
    }
    struct dr_testing_table *t = &l->seen->tables[number];
    t->count++;
    if (t->rows_count == t->rows_cap) {
        size_t cap = t->rows_cap == 0 ? 8 : 2 * t->rows_cap;
        const char **rows = dr_arena_array(l->arena, cap, sizeof *rows);
        if (rows == NULL) {
            return no_memory(err);
        }
        if (t->rows_count > 0) {
            memcpy(rows, t->rows, t->rows_count * sizeof *rows);
        }
        t->rows = rows;
        t->rows_cap = cap;
    }
    t->rows[t->rows_count] = dr_arena_str(l->arena, cells[1] ? cells[1] : "");
    return t->rows[t->rows_count++] != NULL ? DR_OK : no_memory(err);
}

static enum dr_rc
take_count(void *arg, const char *const *cells, struct dr_err *err)
{
    uint64_t *count = arg;
    return cells[0] != NULL && dr_parse_u64(cells[0], 0, UINT64_MAX, count)
               ? DR_OK
               : dr_err_set(err, DR_E_INTERNAL, "no number of rows");
}

static int
by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

// "SELECT * FROM (SELECT 7 AS t, ROW(a, b)::text AS r FROM x LIMIT 1001) x7" for tables
// [first, end), UNION ALL between.
static void
add_rows_query(const struct dr_testing_rows *r, const struct dr_testing_seen *seen, size_t first,
               size_t end, struct dr_buf *sql)
{
    for (size_t i = first; i < end; i++) {
        const struct dr_testing_table *t = &seen->tables[i];
        dr_buf_printf(sql, "%sSELECT * FROM (SELECT %zu AS t, %s", i == first ? "" : " UNION ALL ",
                      i, r->dialect->row_before);
        for (const char *c = t->columns; *c != '\0'; c++) {
            bool is_between = c[0] == ',' && c[1] == '\n';
            dr_buf_add(sql, c, is_between ? 0 : 1);
            dr_buf_str(sql, is_between ? r->dialect->row_between : "");
            c += is_between;
        }
        dr_buf_printf(sql, "%s AS r FROM %s LIMIT %u) x%zu", r->dialect->row_after, t->name,
                      DR_TESTING_ROWS_MAX + 1, i);
    }
}

static enum dr_rc
look_at_rows(struct dr_testing_rows *r, struct looking *l, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < l->seen->count; i += UNION_MAX) {
        struct dr_buf sql = {0};
        size_t end = i + UNION_MAX < l->seen->count ? i + UNION_MAX : l->seen->count;
        add_rows_query(r, l->seen, i, end, &sql);
        rc =
            sql.failed ? no_memory(err) : r->dialect->query(r, sql.data, NULL, 2, take_row, l, err);
        dr_buf_fini(&sql);
    }
    for (size_t i = 0; rc == DR_OK && i < l->seen->count; i++) {
        struct dr_testing_table *t = &l->seen->tables[i];
        if (t->count > DR_TESTING_ROWS_MAX) {
            const char *sql = dr_arena_printf(l->arena, "SELECT count(*) FROM %s", t->name);
            rc = sql == NULL ? no_memory(err)
                             : r->dialect->query(r, sql, NULL, 1, take_count, &t->count, err);
            t->rows = NULL;
            t->rows_count = 0;
        } else if (t->rows_count > 1) {
            qsort(t->rows, t->rows_count, sizeof *t->rows, by_text);
        }
    }
    return rc;
}

enum dr_rc
dr_testing_rows_look(struct dr_testing_rows *rows, struct dr_arena *arena,
                     struct dr_testing_seen *out, struct dr_err *err)
{
    struct dr_testing_seen seen = {0};
    struct looking l = {.arena = arena, .seen = &seen};
    enum dr_rc rc = rows->dialect->query(rows, rows->dialect->tables_sql, NULL, TABLE_CELLS,
                                         take_table, &l, err);
    rc = rc == DR_OK ? look_at_rows(rows, &l, err) : rc;
    if (rc == DR_OK) {
        *out = seen;
    }
    return rc;
}

enum dr_rc
dr_testing_rows_schema(struct dr_testing_rows *rows, struct dr_arena *arena, uint8_t out_sha256[32],
                       const char **out_text, struct dr_err *err)
{
    struct dr_fingerprint print = {0};
    struct dr_db_wait wait = dr_db_wait_ms(WAIT_MS);
    const struct dr_fingerprint_options options = {.is_repeated = true};
    enum dr_rc rc = rows->pg != NULL ? dr_fingerprint_pg(rows->pg, &options, &wait, &print, err)
                                     : dr_fingerprint_sqlite(rows->sqlite, &options, &print, err);
    const char *text = rc == DR_OK ? dr_arena_str(arena, print.text) : NULL;
    if (rc == DR_OK && text == NULL) {
        rc = no_memory(err);
    }
    if (rc == DR_OK) {
        memcpy(out_sha256, print.sha256, sizeof print.sha256);
        *out_text = text;
    }
    dr_fingerprint_fini(&print);
    return rc;
}

// -------------------------------------------------------------------------------------------- fill

struct columns {
    struct dr_arena *arena;
    struct dr_value_column *items;
    size_t count;
};

static enum dr_rc
take_column(void *arg, const char *const *cells, struct dr_err *err)
{
    struct columns *l = arg;
    uint64_t max_len = 0;
    const char *copies[COLUMN_CELLS];
    for (size_t i = 0; i < COLUMN_CELLS; i++) {
        copies[i] = dr_arena_str(l->arena, cells[i] == NULL ? "" : cells[i]);
        if (copies[i] == NULL) {
            return no_memory(err);
        }
    }
    if (l->count == COLUMNS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a table has more than %u columns", COLUMNS_MAX);
    }
    l->items[l->count] = (struct dr_value_column){
        .name = copies[0],
        .plain = copies[1],
        .kind = dr_testing_kind_of(copies[2]),
        .max_len = dr_parse_u64(copies[3], 0, 10000000, &max_len) ? (uint32_t)max_len : 0,
        .is_not_null = copies[4][0] == '1',
        .has_default = copies[5][0] == '1',
        .reference = copies[6],
        .target = copies[7],
        .literals = copies[8],
        .place = l->count,
    };
    l->count++;
    return DR_OK;
}

static enum dr_rc
ignore_row(void *arg DR_UNUSED, const char *const *cells DR_UNUSED, struct dr_err *err DR_UNUSED)
{
    return DR_OK;
}

// True when the database took one of the attempts.
static bool
put_row(struct dr_testing_rows *r, const char *table, const struct columns *columns,
        uint64_t number, unsigned attempts)
{
    bool is_in = false;
    for (unsigned i = 0; !is_in && i < attempts; i++) {
        struct dr_buf sql = {0};
        struct dr_err refused = {0};
        dr_testing_insert(table, columns->items, columns->count, number, i, &sql);
        is_in = !sql.failed &&
                r->dialect->query(r, sql.data, NULL, 0, ignore_row, NULL, &refused) == DR_OK;
        dr_buf_fini(&sql);
    }
    return is_in;
}

static const struct dr_testing_table *
find_table(const struct dr_testing_seen *seen, const char *name)
{
    for (size_t i = 0; seen != NULL && i < seen->count; i++) {
        if (strcmp(seen->tables[i].name, name) == 0) {
            return &seen->tables[i];
        }
    }
    return NULL;
}

// How many rows the table is to get.
static unsigned
rows_wanted(const struct dr_testing_table *table, const struct dr_testing_seen *before)
{
    const struct dr_testing_table *was = find_table(before, table->name);
    if (table->count == 0) {
        return ROWS_EACH;
    }
    return was != NULL && strcmp(was->types, table->types) != 0 ? 1 : 0;
}

// Fills one table; true when nothing is left to do for it.
static bool
fill_table(struct dr_testing_rows *r, const struct dr_testing_table *table, unsigned wanted,
           unsigned attempts, struct dr_arena *arena, uint64_t *added)
{
    struct dr_err ignored = {0};
    struct columns columns = {.arena = arena,
                              .items = dr_arena_array(arena, COLUMNS_MAX, sizeof *columns.items)};
    unsigned done = 0;
    if (columns.items == NULL ||
        r->dialect->query(r, r->dialect->columns_sql, table->name, COLUMN_CELLS, take_column,
                          &columns, &ignored) != DR_OK) {
        return true; // it stays as it is
    }
    uint64_t first = table->count == 0 ? 0 : FIRST_NUMBER + table->count;
    while (done < wanted && put_row(r, table->name, &columns, first + done, attempts)) {
        done++;
    }
    *added += done;
    return done > 0;
}

enum dr_rc
dr_testing_rows_fill(struct dr_testing_rows *rows, const struct dr_testing_seen *now,
                     const struct dr_testing_seen *before, struct dr_arena *arena,
                     uint64_t *out_added, struct dr_err *err)
{
    uint64_t added = 0;
    size_t left = 0;
    unsigned *wanted = dr_arena_array(arena, now->count + 1, sizeof *wanted);
    if (wanted == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < now->count; i++) {
        wanted[i] = rows_wanted(&now->tables[i], before);
        left += wanted[i] > 0 ? 1 : 0;
    }
    bool is_last = false;
    for (unsigned pass = 0; left > 0 && pass < PASSES; pass++) {
        size_t left_before = left;
        for (size_t i = 0; i < now->count; i++) {
            struct dr_arena *scratch = wanted[i] > 0 ? dr_arena_new(4u << 20) : NULL;
            unsigned attempts = is_last ? DR_TESTING_ATTEMPTS : 2;
            if (scratch != NULL &&
                fill_table(rows, &now->tables[i], wanted[i], attempts, scratch, &added)) {
                wanted[i] = 0;
                left--;
            }
            dr_arena_free(&scratch);
        }
        if (left == left_before && is_last) {
            break;
        }
        is_last = left == left_before;
    }
    *out_added = added;
    return DR_OK;
}

// ----------------------------------------------------------------------------------------- compare

static bool
add_line(size_t *lines, struct dr_buf *out)
{
    if (*lines < LINES_MAX) {
        dr_buf_str(out, *lines == 0 ? "" : "\n");
    }
    return (*lines)++ < LINES_MAX;
}

// Rows of `was` that `is` has not; both sorted. `*out_first` is one of them.
static uint64_t
count_missing(const struct dr_testing_table *was, const struct dr_testing_table *is,
              const char **out_first)
{
    uint64_t missing = 0;
    for (size_t i = 0, k = 0; i < was->rows_count;) {
        int order = k < is->rows_count ? strcmp(was->rows[i], is->rows[k]) : -1;
        if (order < 0) {
            *out_first = missing == 0 ? was->rows[i] : *out_first;
            missing++;
        }
        i += order <= 0 ? 1 : 0;
        k += order >= 0 ? 1 : 0;
    }
    return missing;
}

static bool
add_lost(const struct dr_testing_table *was, const struct dr_testing_table *is, size_t *lines,
         struct dr_buf *out)
{
    const char *first = "";
    uint64_t missing = was->count;
    const char *what = "gone";
    if (is != NULL && was->rows != NULL && is->rows != NULL &&
        strcmp(was->columns, is->columns) == 0) {
        missing = count_missing(was, is, &first);
        what = is->count >= was->count ? "changed" : "gone";
    } else if (is != NULL) {
        missing = is->count < was->count ? was->count - is->count : 0;
    }
    if (missing > 0 && add_line(lines, out)) {
        dr_buf_printf(out, "%" PRIu64 " of %" PRIu64 " row%s of %s %s %s", missing, was->count,
                      was->count == 1 ? "" : "s", was->name, missing == 1 ? "is" : "are", what);
        size_t len = strlen(first);
        dr_buf_printf(out, len > 0 ? ", e.g. %.*s%s" : "%.*s%s",
                      (int)(len > SHOWN_MAX ? SHOWN_MAX : len), first,
                      len > SHOWN_MAX ? "..." : "");
    }
    return missing > 0;
}

size_t
dr_testing_rows_lost(const struct dr_testing_seen *before, const struct dr_testing_seen *after,
                     struct dr_buf *out)
{
    size_t tables = 0, lines = 0;
    for (size_t i = 0; i < before->count; i++) {
        const struct dr_testing_table *was = &before->tables[i];
        if (was->count > 0 && add_lost(was, find_table(after, was->name), &lines, out)) {
            tables++;
        }
    }
    return tables;
}

size_t
dr_testing_rows_fewer(const struct dr_testing_seen *before, const struct dr_testing_seen *up,
                      const struct dr_testing_seen *filled, const struct dr_testing_seen *after,
                      struct dr_buf *out)
{
    size_t tables = 0, lines = 0;
    for (size_t i = 0; i < before->count; i++) {
        const char *name = before->tables[i].name;
        const struct dr_testing_table *was = find_table(up, name), *full = find_table(filled, name);
        const struct dr_testing_table *is = find_table(after, name);
        uint64_t added = was != NULL && full != NULL ? full->count - was->count : 0;
        uint64_t expected = before->tables[i].count + added, left = is == NULL ? 0 : is->count;
        if (left >= expected) {
            continue;
        }
        tables++;
        if (add_line(&lines, out)) {
            dr_buf_printf(out, "%" PRIu64 " of %" PRIu64 " row%s of %s %s gone", expected - left,
                          expected, expected == 1 ? "" : "s", name,
                          expected - left == 1 ? "is" : "are");
        }
    }
    return tables;
}

uint64_t
dr_testing_rows_total(const struct dr_testing_seen *seen)
{
    uint64_t total = 0;
    for (size_t i = 0; i < seen->count; i++) {
        total += seen->tables[i].count;
    }
    return total;
}
