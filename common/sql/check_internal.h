// Inside of sql/check: splitting, and the talk with drover-sqlcheck.
#ifndef DR_SQL_CHECK_INTERNAL_H
#define DR_SQL_CHECK_INTERNAL_H

#include "sql/check.h"
#include "sql/classify.h"

// A run of statements of one text that is parsed at once: stmts[first, first + count) of
// results[text].
struct dr_sql_group {
    size_t text, first, count;
};

// A run of statements of one text, stmts[first, first + count), that are twins (sql/twin.h) of
// stmts[of].
struct dr_sql_twins {
    size_t text, of, first, count;
};

struct dr_sql_job {
    const struct dr_sql_text *texts;
    struct dr_sql_result *results;
    struct dr_arena *arena;
    struct dr_err *err;
    struct dr_sql_twins *twins; // what is not asked, since another statement's answer holds for
                                // it too; malloc'ed
    size_t twins_count, twins_cap;
    struct dr_sql_group *groups; // what is still to be asked; malloc'ed
    size_t group_count, group_cap;
    size_t batch_max; // groups for one start of the child; 1 after one took too long
};

// Copies the first statement's problem into the result.
void dr_sql_first_problem(struct dr_sql_result *result);

bool dr_sql_add_group(struct dr_sql_job *job, struct dr_sql_group group);
// The bytes of a group in its text.
void dr_sql_group_range(const struct dr_sql_job *job, const struct dr_sql_group *group,
                        size_t *out_from, size_t *out_to);
// Puts a problem on a statement. `at` is in the text.
enum dr_rc dr_sql_put_problem(struct dr_sql_job *job, struct dr_sql_stmt *stmt, enum dr_rc rc,
                              size_t at, size_t length, const char *message, const char *help);

// Reads the child's answer to `groups`; `*out_answered` is how many were answered whole. A group
// with a problem and several statements is cut into single ones, which are added to the job.
// DR_E_INTERNAL when the answer breaks the protocol.
enum dr_rc dr_sql_read_answer(struct dr_sql_job *job, const struct dr_sql_group *groups,
                              size_t count, char *answer, size_t *out_answered);

#endif
