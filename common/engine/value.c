// Value: a preflight's check that expects no row, so that the row that comes is kept.
#include "engine/value.h"

#include "base/clock.h"
#include "engine/run_internal.h"
#include "sql/preflight.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
say(struct dr_engine_value *out, const char *why)
{
    (void)snprintf(out->why, sizeof out->why, "%.*s", (int)sizeof out->why - 1, why);
}

// Exactly one statement, and one that may be run unasked. False: `out` says why.
static bool
find_statement(enum dr_sql_dialect dialect, const char *sql, struct dr_statement *statement,
               struct dr_engine_value *out)
{
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece = {0}, second = {0};
    struct dr_sql_preflight_fault fault = {0};
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK, rest = DR_OK;

    dr_sql_lexer_init(&lexer, dialect, sql, strlen(sql));
    bool has_one = dr_sql_lexer_next(&lexer, &piece, &rc, &ignored) && rc == DR_OK;
    if (!has_one || dr_sql_lexer_next(&lexer, &second, &rest, &ignored) || rest != DR_OK) {
        say(out, "it is not one statement");
        return false;
    }
    if (!dr_sql_preflight_allowed(dialect, sql + piece.offset, piece.length, &fault)) {
        say(out, fault.message);
        return false;
    }
    *statement = (struct dr_statement){.text = sql + piece.offset,
                                       .len = piece.length,
                                       .line = 1,
                                       .class = DROVER__V1__STATEMENT_CLASS__CLASS_READ};
    return true;
}

static bool
read_number(const char *text, double *out)
{
    char *end = NULL;
    size_t len = strlen(text);

    if (len == 0 || len >= DR_VALUE_TEXT_MAX || strspn(text, "0123456789+-.eE") != len) {
        return false;
    }
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

static void
take_value(const struct dr_check_result *got, struct dr_engine_value *out)
{
    const char *cell =
        got->rows_count == 1 && got->columns_count == 1 && got->cells != NULL ? got->cells[0] : "";
    double ignored;

    if (got->verdict == DR_CHECK_PASSED || got->rows_count == 0) {
        say(out, got->verdict == DR_CHECK_PASSED ? "it gave no row" : got->reason);
    } else if (got->rows_count > 1 || got->columns_count != 1) {
        say(out, "it gave more than one row or column");
    } else if (cell == NULL) {
        say(out, "it gave NULL");
    } else if (!read_number(cell, &ignored)) {
        say(out, "it gave no number");
    } else {
        (void)snprintf(out->text, sizeof out->text, "%s", cell);
    }
}

// What the driver could not ask at all.
static bool
is_lost(const struct dr_err *err)
{
    return err->rc == DR_E_DB_LOST || err->rc == DR_E_DB_UNREACHABLE ||
           err->rc == DR_E_INTERRUPTED || err->rc == DR_E_NOMEM;
}

enum dr_rc
dr_engine_value(struct dr_engine *engine, enum dr_sql_dialect dialect, const char *name,
                const char *sql, struct dr_arena *arena, struct dr_engine_value *out,
                struct dr_err *err)
{
    struct dr_statement statement;
    struct dr_check_result got = {0};
    int64_t began = dr_monotonic_ms();
    struct dr_check check = {.name = name,
                             .statements = &statement,
                             .count = 1,
                             .expect_empty = true,
                             .sample = 2,
                             .statement_timeout_ms = DR_UNAPPROVED_STATEMENT_MS,
                             .deadline_ms = began + 2 * (int64_t)DR_UNAPPROVED_STATEMENT_MS,
                             .is_unapproved = true};

    *out = (struct dr_engine_value){0};
    if (!find_statement(dialect, sql, &statement, out)) {
        return DR_OK;
    }
    enum dr_rc rc = engine->ops->check(engine->driver, &check, true, arena, &got, err);
    out->duration_ms = (uint32_t)(dr_monotonic_ms() - began);
    if (rc != DR_OK && !is_lost(err)) {
        say(out, err->message);
        *err = (struct dr_err){0};
        return DR_OK;
    }
    if (rc == DR_OK) {
        take_value(&got, out);
    }
    return rc;
}

// ---- judging

Drover__V1__ProbeOutcome
dr_value_judge(const char *text, const char *least, const char *most)
{
    double value, bound;

    if (!read_number(text, &value)) {
        return DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
    }
    if (least[0] != '\0') {
        if (!read_number(least, &bound)) {
            return DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
        }
        if (value < bound) {
            return DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
        }
    }
    if (most[0] != '\0') {
        if (!read_number(most, &bound)) {
            return DROVER__V1__PROBE_OUTCOME__INCONCLUSIVE;
        }
        if (value > bound) {
            return DROVER__V1__PROBE_OUTCOME__NOT_PASSED;
        }
    }
    return DROVER__V1__PROBE_OUTCOME__PASSED;
}
