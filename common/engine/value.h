// Value: one number of a target, asked by a statement that people signed, and how it is judged.
#ifndef DR_ENGINE_VALUE_H
#define DR_ENGINE_VALUE_H

#include "engine/run.h"
#include "sql/lexer.h"

#define DR_VALUE_TEXT_MAX 64u

struct dr_engine_value {
    char text[DR_VALUE_TEXT_MAX]; // a decimal number as the database writes it; "": there is none
    char why[160];                // then: why, without data of the database
    uint32_t duration_ms;
};

// Asks `sql`: one query of one row and one column, held to the list of functions of preflights
// (sql/preflight.h), in a READ ONLY transaction that is rolled back, with their time-outs. Whatever
// it gives or says is in `*out`. Errors are those that leave nothing to ask: DR_E_DB_LOST,
// DR_E_DB_UNREACHABLE, DR_E_INTERRUPTED, DR_E_NOMEM. Blocks.
DR_MUST_CHECK enum dr_rc dr_engine_value(struct dr_engine *engine, enum dr_sql_dialect dialect,
                                         const char *name, const char *sql, struct dr_arena *arena,
                                         struct dr_engine_value *out, struct dr_err *err);
// PASSED within [least, most], NOT_PASSED outside ("" is no bound); INCONCLUSIVE when one of them
// is no number. Compared as doubles.
Drover__V1__ProbeOutcome dr_value_judge(const char *text, const char *least, const char *most);

#endif
