// Results: rows copied out of libpq into one buffer, so that the limits are ours and a result
// outlives its connection.
#include "db/pg_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dr_pg_result *
dr_pg_result_new(void)
{
    struct dr_pg_result *result = calloc(1, sizeof *result);
    if (result != NULL) {
        result->values.max = DR_PG_RESULT_BYTES_MAX;
    }
    return result;
}

static bool
grow_cells(struct dr_pg_result *result, size_t needed)
{
    if (needed <= result->cells_cap) {
        return true;
    }
    size_t cap = result->cells_cap == 0 ? 64 : result->cells_cap;
    while (cap < needed) {
        cap *= 2;
    }
    size_t *cells = reallocarray(result->cells, cap, sizeof *cells);
    if (cells == NULL) {
        return false;
    }
    result->cells = cells;
    result->cells_cap = cap;
    return true;
}

static enum dr_rc
add_row(struct dr_pg_result *result, const PGresult *from, int row, struct dr_err *err)
{
    size_t first = result->rows * result->columns;
    if (!grow_cells(result, first + result->columns)) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a result of the database");
    }
    for (size_t column = 0; column < result->columns; column++) {
        bool is_null = PQgetisnull(from, row, (int)column) != 0;
        result->cells[first + column] = is_null ? SIZE_MAX : result->values.len;
        if (!is_null) {
            size_t len = (size_t)PQgetlength(from, row, (int)column);
            dr_buf_add(&result->values, PQgetvalue(from, row, (int)column), len);
            dr_buf_add(&result->values, "", 1);
        }
    }
    if (result->values.failed) {
        return dr_err_set(err, DR_E_LIMIT, "a result of the database is larger than %u bytes",
                          DR_PG_RESULT_BYTES_MAX);
    }
    result->rows++;
    return DR_OK;
}

enum dr_rc
dr_pg_result_add(struct dr_pg_result *result, const PGresult *from, size_t max_rows,
                 struct dr_err *err)
{
    size_t keep = max_rows < DR_PG_ROWS_MAX ? max_rows : DR_PG_ROWS_MAX;
    int rows = PQntuples(from);
    result->columns = (size_t)PQnfields(from);
    for (int row = 0; row < rows; row++) {
        result->seen++;
        if (keep == 0) {
            continue;
        }
        if (result->rows == keep) {
            return dr_err_set(err, DR_E_LIMIT, "a query gave more than %zu rows", keep);
        }
        enum dr_rc rc = add_row(result, from, row, err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    if (PQresultStatus(from) != PGRES_SINGLE_TUPLE) {
        // libpq declares these for a non-const result; they do not change it.
        PGresult *plain = NULL;
        memcpy(&plain, &from, sizeof from);
        snprintf(result->tag, sizeof result->tag, "%s", PQcmdStatus(plain));
        result->affected = strtoull(PQcmdTuples(plain), NULL, 10);
    }
    return DR_OK;
}

size_t
dr_pg_rows(const struct dr_pg_result *result)
{
    return result == NULL ? 0 : result->rows;
}

uint64_t
dr_pg_rows_seen(const struct dr_pg_result *result)
{
    return result == NULL ? 0 : result->seen;
}

size_t
dr_pg_columns(const struct dr_pg_result *result)
{
    return result == NULL ? 0 : result->columns;
}

const char *
dr_pg_text(const struct dr_pg_result *result, size_t row, size_t column)
{
    if (result == NULL || row >= result->rows || column >= result->columns) {
        return NULL;
    }
    size_t offset = result->cells[row * result->columns + column];
    return offset == SIZE_MAX ? NULL : result->values.data + offset;
}

int64_t
dr_pg_int(const struct dr_pg_result *result, size_t row, size_t column)
{
    const char *text = dr_pg_text(result, row, column);
    return text == NULL ? 0 : strtoll(text, NULL, 10);
}

bool
dr_pg_bool(const struct dr_pg_result *result, size_t row, size_t column)
{
    const char *text = dr_pg_text(result, row, column);
    return text != NULL && (strcmp(text, "t") == 0 || strcmp(text, "true") == 0);
}

bool
dr_pg_bytea(const struct dr_pg_result *result, size_t row, size_t column, uint8_t *out, size_t len)
{
    const char *text = dr_pg_text(result, row, column);
    if (text == NULL || text[0] != '\\' || text[1] != 'x' || strlen(text) != 2 * len + 2) {
        return false;
    }
    return dr_unhex(out, len, text + 2);
}

void
dr_pg_bytea_param(char *out, const uint8_t *bytes, size_t len)
{
    out[0] = '\\';
    out[1] = 'x';
    dr_hex(out + 2, bytes, len);
}

const char *
dr_pg_tag(const struct dr_pg_result *result)
{
    return result == NULL ? "" : result->tag;
}

void
dr_pg_result_free(struct dr_pg_result **result)
{
    if (*result != NULL) {
        dr_buf_fini(&(*result)->values);
        free((*result)->cells);
        free(*result);
        *result = NULL;
    }
}
