// Pipelines: statements go out without waiting for the answers of those before.
//
// Memory is bounded on both sides: at most DR_PG_PIPELINE_WINDOW statements are on their way, and
// every DR_PG_PIPELINE_FLUSH of them the server is asked to send what it has, so that its answers
// never fill a buffer that nobody reads.
#include "db/pg_internal.h"

#include <string.h>

// Keeps the first failure only: what comes after it follows from it.
static void
keep_failure(struct dr_pg_pipeline *pipeline, enum dr_rc rc, const struct dr_err *err)
{
    if (pipeline->rc == DR_OK) {
        pipeline->rc = rc;
        pipeline->err = *err;
        pipeline->failed_at = pipeline->read;
    }
}

static enum dr_rc
give_failure(const struct dr_pg_pipeline *pipeline, struct dr_err *err)
{
    if (pipeline->rc != DR_OK && err != NULL) {
        *err = pipeline->err;
    }
    return pipeline->rc;
}

// The failure after which the connection cannot go on.
static enum dr_rc
give_up(struct dr_pg *pg, enum dr_rc rc, const struct dr_err *err)
{
    keep_failure(&pg->pipeline, rc, err);
    pg->lost = true;
    return rc;
}

static void
take_error(struct dr_pg_op *op, const PGresult *result)
{
    struct dr_err err = {0};
    struct dr_pg *pg = op->pg;
    if (pg->pipeline.rc != DR_OK) {
        return;
    }
    enum dr_rc rc = dr_pg_error_from(pg, result, &err);
    if (rc == DR_E_DB_CANCELLED && op->stop_rc != DR_OK) {
        keep_failure(&pg->pipeline, op->stop_rc, &op->stop_err);
    } else {
        keep_failure(&pg->pipeline, rc, &err);
    }
}

// One result of the statement at the head. Not DR_OK when the connection cannot go on.
static enum dr_rc
take_result(struct dr_pg_op *op, const PGresult *from, struct dr_pg_result *result, size_t max_rows)
{
    struct dr_pg *pg = op->pg;
    struct dr_err err = {0};
    enum dr_rc rc;
    switch (PQresultStatus(from)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
        rc = pg->pipeline.rc == DR_OK ? dr_pg_result_add(result, from, max_rows, &err) : DR_OK;
        if (rc != DR_OK) {
            keep_failure(&pg->pipeline, rc, &err);
            dr_pg_op_stop(op, rc, err.message);
        }
        return DR_OK;
    case PGRES_FATAL_ERROR:
        take_error(op, from);
        return DR_OK;
    case PGRES_PIPELINE_ABORTED:
        return DR_OK;
    case PGRES_EMPTY_QUERY:
        keep_failure(&pg->pipeline, dr_err_set(&err, DR_E_DB_STATEMENT, "the statement is empty"),
                     &err);
        return DR_OK;
    default: // COPY has no way back inside a pipeline
        rc = dr_err_set(&err, DR_E_DB_COPY, "COPY to or from the client is not allowed");
        return give_up(pg, rc, &err);
    }
}

// All answers to the statement at the head of the queue.
static enum dr_rc
read_statement(struct dr_pg_op *op)
{
    struct dr_pg *pg = op->pg;
    struct dr_pg_pipeline *pipeline = &pg->pipeline;
    size_t max_rows = pipeline->max_rows[pipeline->read % DR_PG_PIPELINE_WINDOW];
    struct dr_err err = {0};
    struct dr_pg_result *result = dr_pg_result_new();
    if (result == NULL) {
        return give_up(pg, dr_err_set(&err, DR_E_NOMEM, "no memory for a result of the database"),
                       &err);
    }
    PQsetSingleRowMode(pg->conn);
    enum dr_rc rc;
    for (;;) {
        rc = dr_pg_op_ready(op, &err);
        if (rc != DR_OK) {
            rc = give_up(pg, rc, &err);
            break;
        }
        PGresult *from = PQgetResult(pg->conn);
        if (from == NULL && PQstatus(pg->conn) == CONNECTION_BAD) {
            rc = give_up(pg, dr_pg_set_lost(pg, &err), &err);
        }
        if (from == NULL) {
            break;
        }
        rc = take_result(op, from, result, max_rows);
        PQclear(from);
        if (rc != DR_OK) {
            break;
        }
    }
    if (rc == DR_OK && pipeline->rc == DR_OK && pipeline->on_result != NULL) {
        enum dr_rc seen = pipeline->on_result(pipeline->ctx, pipeline->read, result, &err);
        if (seen != DR_OK) {
            keep_failure(pipeline, seen, &err);
        }
    }
    dr_pg_result_free(&result);
    pipeline->unread_bytes -= pipeline->sizes[pipeline->read % DR_PG_PIPELINE_WINDOW];
    pipeline->read++;
    return rc;
}

// Reads until at most so many statements, and so many bytes of them, are on their way.
static enum dr_rc
read_until(struct dr_pg *pg, uint64_t outstanding, size_t bytes)
{
    struct dr_pg_op op;
    struct dr_err err = {0};
    dr_pg_op_init(&op, pg, &pg->pipeline.wait);
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK && (pg->pipeline.sent - pg->pipeline.read > outstanding ||
                           pg->pipeline.unread_bytes > bytes)) {
        rc = read_statement(&op);
    }
    enum dr_rc fini_rc = dr_pg_op_fini(&op, &err);
    if (fini_rc != DR_OK) {
        keep_failure(&pg->pipeline, fini_rc, &err);
    }
    return rc != DR_OK ? rc : fini_rc;
}

enum dr_rc
dr_pg_pipeline_begin(struct dr_pg *pg, const struct dr_db_wait *wait, dr_pg_on_result on_result,
                     void *ctx, struct dr_err *err)
{
    if (pg->lost) {
        return dr_pg_set_lost(pg, err);
    }
    if (pg->pipeline.is_on || PQenterPipelineMode(pg->conn) != 1) {
        return dr_err_set(err, DR_E_INTERNAL, "a pipeline cannot begin here");
    }
    struct dr_pg_op op;
    dr_pg_op_init(&op, pg, wait);
    pg->pipeline = (struct dr_pg_pipeline){
        .is_on = true,
        .wait = *wait,
        .on_result = on_result,
        .ctx = ctx,
    };
    pg->pipeline.wait.deadline_ms = op.deadline_ms;
    return DR_OK;
}

static enum dr_rc
queue(struct dr_pg *pg, const struct dr_pg_stmt *stmt, bool is_preparation, struct dr_err *err)
{
    struct dr_pg_pipeline *pipeline = &pg->pipeline;
    if (pipeline->rc != DR_OK) {
        return give_failure(pipeline, err);
    }
    if (!pipeline->is_on) {
        return dr_err_set(err, DR_E_INTERNAL, "no pipeline is open on this connection");
    }
    if (pipeline->sent - pipeline->read == DR_PG_PIPELINE_WINDOW &&
        (read_until(pg, DR_PG_PIPELINE_WINDOW - DR_PG_PIPELINE_FLUSH, SIZE_MAX) != DR_OK ||
         pipeline->rc != DR_OK)) {
        return give_failure(pipeline, err);
    }
    struct dr_err failure = {0};
    enum dr_rc rc = is_preparation ? dr_pg_stmt_prepare(pg, stmt, &failure)
                                   : dr_pg_stmt_send(pg, stmt, &failure);
    if (rc != DR_OK) {
        keep_failure(pipeline, rc, &failure);
        pipeline->failed_at = pipeline->sent;
        return give_failure(pipeline, err);
    }
    size_t size = strlen(stmt->sql), slot = pipeline->sent % DR_PG_PIPELINE_WINDOW;
    pipeline->max_rows[slot] = stmt->max_rows;
    pipeline->sizes[slot] = size;
    pipeline->sent++;
    pipeline->unread_bytes += size;
    if (pipeline->unread_bytes > DR_PG_PIPELINE_BYTES) {
        // libpq keeps every statement until it is answered: large ones do not pile up. The server
        // has work left while the next ones are made.
        (void)PQsendFlushRequest(pg->conn);
        return read_until(pg, DR_PG_PIPELINE_WINDOW, DR_PG_PIPELINE_BYTES / 2) != DR_OK ||
                       pipeline->rc != DR_OK
                   ? give_failure(pipeline, err)
                   : DR_OK;
    }
    if (pipeline->sent % DR_PG_PIPELINE_FLUSH == 0) {
        // Failures of these two show when the answers are read.
        (void)PQsendFlushRequest(pg->conn);
        (void)PQflush(pg->conn);
    }
    return DR_OK;
}

enum dr_rc
dr_pg_pipeline_add(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err)
{
    return queue(pg, stmt, false, err);
}

enum dr_rc
dr_pg_pipeline_prepare(struct dr_pg *pg, const struct dr_pg_stmt *stmt, struct dr_err *err)
{
    return dr_pg_is_prepared(pg, stmt->name) ? DR_OK : queue(pg, stmt, true, err);
}

// The answer to the sync: the server is ready again.
static enum dr_rc
read_sync(struct dr_pg *pg, struct dr_err *err)
{
    struct dr_pg_op op;
    dr_pg_op_init(&op, pg, &pg->pipeline.wait);
    enum dr_rc rc = dr_pg_op_ready(&op, err);
    PGresult *result = rc == DR_OK ? PQgetResult(pg->conn) : NULL;
    bool is_sync = result != NULL && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    if (result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR) {
        rc = dr_pg_error_from(pg, result, err);
        keep_failure(&pg->pipeline, rc, err);
    }
    PQclear(result);
    enum dr_rc fini_rc = dr_pg_op_fini(&op, err);
    if (rc == DR_OK && fini_rc == DR_OK && is_sync && PQexitPipelineMode(pg->conn) == 1) {
        return DR_OK;
    }
    return dr_pg_set_lost(pg, err);
}

enum dr_rc
dr_pg_pipeline_end(struct dr_pg *pg, uint64_t *out_done, struct dr_err *err)
{
    struct dr_pg_pipeline *pipeline = &pg->pipeline;
    struct dr_err failure = {0};
    if (!pipeline->is_on && pipeline->rc == DR_OK) {
        return dr_err_set(err, DR_E_INTERNAL, "no pipeline is open on this connection");
    }
    if (!pg->lost && PQpipelineSync(pg->conn) != 1) {
        (void)give_up(pg, dr_pg_set_lost(pg, &failure), &failure);
    }
    if (!pg->lost && read_until(pg, 0, 0) == DR_OK) {
        enum dr_rc rc = read_sync(pg, &failure);
        if (rc != DR_OK) {
            keep_failure(pipeline, rc, &failure);
        }
    }
    enum dr_rc rc = give_failure(pipeline, err);
    if (out_done != NULL) {
        *out_done = rc == DR_OK ? pipeline->read : pipeline->failed_at;
    }
    *pipeline = (struct dr_pg_pipeline){0};
    return rc;
}
