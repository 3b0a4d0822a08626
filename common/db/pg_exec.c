// One statement, from sending to its last answer.
#include "db/pg_internal.h"

#include "base/clock.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

// What a running statement has given so far.
struct gathering {
    struct dr_pg_op *op;
    struct dr_pg_result *result;
    size_t max_rows;
    enum dr_rc rc; // first failure; reading goes on to the end
    struct dr_err err;
};

bool
dr_pg_is_prepared(const struct dr_pg *pg, const char *name)
{
    for (size_t i = 0; name != NULL && i < pg->prepared_count; i++) {
        if (strcmp(pg->prepared[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void
dr_pg_forget_prepared(struct dr_pg *pg)
{
    pg->prepared_count = 0;
}

static enum dr_rc
cannot_send(struct dr_pg *pg, struct dr_err *err)
{
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        return dr_pg_set_lost(pg, err);
    }
    return dr_err_set(err, DR_E_INTERNAL, "cannot send a statement: %s", PQerrorMessage(pg->conn));
}

enum dr_rc
dr_pg_stmt_prepare(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err)
{
    if (pg->prepared_count == DR_PG_PREPARED_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "more than %u statements are prepared",
                          DR_PG_PREPARED_MAX);
    }
    dr_pg_error_clear(pg);
    if (PQsendPrepare(pg->conn, stmt->name, stmt->sql, 0, NULL) != 1) {
        return cannot_send(pg, err);
    }
    pg->prepared[pg->prepared_count++] = stmt->name;
    return DR_OK;
}

enum dr_rc
dr_pg_stmt_send(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err)
{
    if (stmt->params_count > DR_PG_PARAMS_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a statement has more than %u parameters",
                          DR_PG_PARAMS_MAX);
    }
    if (strnlen(stmt->sql, DR_PG_STATEMENT_MAX + 1) > DR_PG_STATEMENT_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "a statement is longer than %u bytes",
                          DR_PG_STATEMENT_MAX);
    }
    dr_pg_error_clear(pg);
    int params = (int)stmt->params_count;
    int is_sent =
        dr_pg_is_prepared(pg, stmt->name)
            ? PQsendQueryPrepared(pg->conn, stmt->name, params, stmt->params, NULL, NULL, 0)
            : PQsendQueryParams(pg->conn, stmt->sql, params, NULL, stmt->params, NULL, NULL, 0);
    return is_sent == 1 ? DR_OK : cannot_send(pg, err);
}

static void
fail(struct gathering *g, enum dr_rc rc, const struct dr_err *err)
{
    if (g->rc == DR_OK) {
        g->rc = rc;
        g->err = *err;
    }
}

// COPY ... FROM STDIN: the server waits for data; it gets a failure instead.
static enum dr_rc
refuse_copy_in(struct gathering *g, struct dr_err *err)
{
    int sent;
    while ((sent = PQputCopyEnd(g->op->pg->conn, "COPY is not allowed here")) == 0) {
        enum dr_rc rc = dr_pg_op_wait(g->op, POLLIN | POLLOUT, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (PQflush(g->op->pg->conn) < 0) {
            break;
        }
    }
    return sent == 1 ? DR_OK : dr_pg_set_lost(g->op->pg, err);
}

// COPY ... TO STDOUT: cancelled, and what is on its way thrown away.
static enum dr_rc
refuse_copy_out(struct gathering *g, struct dr_err *err)
{
    dr_pg_op_stop(g->op, DR_E_DB_COPY, "COPY is not allowed here");
    for (;;) {
        char *data = NULL;
        int len = PQgetCopyData(g->op->pg->conn, &data, 1);
        PQfreemem(data);
        if (len < 0) {
            return DR_OK; // the end or the error: PQgetResult tells
        }
        if (len > 0) {
            continue;
        }
        enum dr_rc rc = dr_pg_op_wait(g->op, POLLIN, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (PQconsumeInput(g->op->pg->conn) == 0) {
            return DR_OK;
        }
    }
}

static void
gather_rows(struct gathering *g, const PGresult *result)
{
    struct dr_err err = {0};
    if (g->rc != DR_OK) {
        return;
    }
    enum dr_rc rc = dr_pg_result_add(g->result, result, g->max_rows, &err);
    if (rc != DR_OK) {
        fail(g, rc, &err);
        dr_pg_op_stop(g->op, rc, err.message);
    }
}

// One result of libpq. Not DR_OK only when the connection is lost.
static enum dr_rc
gather(struct gathering *g, const PGresult *result, struct dr_err *err)
{
    struct dr_err failure = {0};
    enum dr_rc rc = DR_OK;
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        gather_rows(g, result);
        break;
    case PGRES_FATAL_ERROR:
        rc = dr_pg_error_from(g->op->pg, result, &failure);
        fail(g, rc, &failure);
        return DR_OK;
    case PGRES_COPY_IN:
        rc = refuse_copy_in(g, err);
        break;
    case PGRES_COPY_OUT:
        rc = refuse_copy_out(g, err);
        break;
    case PGRES_COPY_BOTH:
        rc = dr_pg_set_lost(g->op->pg, err);
        break;
    default: // an empty statement and whatever a later libpq may add
        fail(g, dr_err_set(&failure, DR_E_DB_STATEMENT, "the statement is empty"), &failure);
        return DR_OK;
    }
    if (PQresultStatus(result) == PGRES_COPY_IN || PQresultStatus(result) == PGRES_COPY_OUT) {
        dr_err_set(&failure, DR_E_DB_COPY, "COPY to or from the client is not allowed");
        fail(g, DR_E_DB_COPY, &failure);
    }
    return rc;
}

// All answers of the statement, to the server being ready again.
static enum dr_rc
gather_all(struct gathering *g, struct dr_err *err)
{
    PGconn *conn = g->op->pg->conn;
    for (;;) {
        enum dr_rc rc = dr_pg_op_ready(g->op, err);
        if (rc != DR_OK) {
            return rc;
        }
        PGresult *result = PQgetResult(conn);
        if (result == NULL) {
            return PQstatus(conn) == CONNECTION_BAD ? dr_pg_set_lost(g->op->pg, err) : DR_OK;
        }
        rc = gather(g, result, err);
        PQclear(result);
        if (rc != DR_OK) {
            return rc;
        }
    }
}

// The server's refusal is the consequence, and what stopped the statement is the reason.
static enum dr_rc
outcome(const struct gathering *g, struct dr_err *err)
{
    bool was_stopped = g->op->stop_rc != DR_OK && g->rc == DR_E_DB_CANCELLED;
    if (g->rc != DR_OK && err != NULL) {
        *err = was_stopped ? g->op->stop_err : g->err;
    }
    return was_stopped ? g->op->stop_rc : g->rc;
}

enum dr_rc
dr_pg_exec(struct dr_pg *pg, const struct dr_pg_stmt *stmt, const struct dr_db_wait *wait,
           struct dr_pg_result **out, struct dr_err *err)
{
    if (pg->lost) {
        return dr_pg_set_lost(pg, err);
    }
    if (pg->pipeline.is_on) {
        return dr_err_set(err, DR_E_INTERNAL, "a pipeline is open on this connection");
    }
    struct dr_pg_op op;
    dr_pg_op_init(&op, pg, wait);
    struct gathering g = {.op = &op, .max_rows = stmt->max_rows, .result = dr_pg_result_new()};
    if (g.result == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a result of the database");
    }
    enum dr_rc rc = dr_pg_stmt_send(pg, stmt, err);
    if (rc == DR_OK) {
        PQsetSingleRowMode(pg->conn);
        rc = gather_all(&g, err);
        enum dr_rc fini_rc = dr_pg_op_fini(&op, rc == DR_OK && g.rc == DR_OK ? err : NULL);
        rc = rc != DR_OK ? rc : outcome(&g, err);
        rc = rc != DR_OK ? rc : fini_rc;
    }
    if (rc != DR_OK || out == NULL) {
        dr_pg_result_free(&g.result);
    } else {
        *out = g.result;
    }
    return rc;
}

enum dr_rc
dr_pg_run(struct dr_pg *pg, const char *sql, const struct dr_db_wait *wait, struct dr_err *err)
{
    struct dr_pg_stmt stmt = {.sql = sql};
    return dr_pg_exec(pg, &stmt, wait, NULL, err);
}

enum dr_rc
dr_pg_value(struct dr_pg *pg, const struct dr_pg_stmt *stmt, const struct dr_db_wait *wait,
            char *out, size_t out_size, struct dr_err *err)
{
    struct dr_pg_result *result = NULL;
    struct dr_pg_stmt one = *stmt;
    one.max_rows = one.max_rows == 0 ? 1 : one.max_rows;
    enum dr_rc rc = dr_pg_exec(pg, &one, wait, &result, err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *value = dr_pg_text(result, 0, 0);
    if (dr_pg_rows(result) == 0) {
        rc = dr_err_set(err, DR_E_NOT_FOUND, "the query gave no row");
    } else if (value != NULL && strlen(value) >= out_size) {
        rc = dr_err_set(err, DR_E_LIMIT, "the query gave a value longer than %zu bytes",
                        out_size - 1);
    } else {
        snprintf(out, out_size, "%s", value == NULL ? "" : value);
    }
    dr_pg_result_free(&result);
    return rc;
}
