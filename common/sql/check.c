#include "sql/check_internal.h"

#include "base/cmd.h"
#include "base/str.h"
#include "sql/twin.h"
#include "sql/wire.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A text is split by the lexer; runs of its statements go to the child, many texts in one start.
// When the child dies, the text that it did not answer is to blame: a single statement gets a
// problem, a run of several is asked again one by one.

enum { GROUP_BYTES = 256 * 1024, OUTPUT_MAX = 256 * 1024 * 1024 };

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_MAX_BYTES 0ull // the sanitizer's shadow needs more address space than any cap allows
#else
#define MEMORY_MAX_BYTES DR_SQLCHECK_MEMORY_MAX_BYTES
#endif

static enum dr_rc
nomem(struct dr_sql_job *job)
{
    return dr_err_set(job->err, DR_E_NOMEM, "no memory left for checking statements");
}

bool
dr_sql_add_group(struct dr_sql_job *job, struct dr_sql_group group)
{
    if (job->group_count == job->group_cap) {
        size_t cap = job->group_cap == 0 ? 64 : 2 * job->group_cap;
        struct dr_sql_group *groups = realloc(job->groups, cap * sizeof *groups);
        if (groups == NULL) {
            return false;
        }
        job->groups = groups;
        job->group_cap = cap;
    }
    job->groups[job->group_count++] = group;
    return true;
}

void
dr_sql_group_range(const struct dr_sql_job *job, const struct dr_sql_group *group, size_t *out_from,
                   size_t *out_to)
{
    const struct dr_sql_stmt *stmts = job->results[group->text].stmts;
    const struct dr_sql_stmt *last = &stmts[group->first + group->count - 1];
    *out_from = stmts[group->first].offset;
    *out_to = last->offset + last->length;
}

enum dr_rc
dr_sql_put_problem(struct dr_sql_job *job, struct dr_sql_stmt *stmt, enum dr_rc rc, size_t at,
                   size_t length, const char *message, const char *help)
{
    struct dr_sql_problem *p = dr_arena_alloc(job->arena, sizeof *p);
    size_t end = stmt->offset + stmt->length;
    if (p == NULL) {
        return nomem(job);
    }
    p->rc = rc;
    p->offset = at > end ? end : at;
    p->length = length;
    p->message = dr_arena_str(job->arena, message);
    p->help = dr_arena_str(job->arena, help);
    stmt->problem = p;
    return p->message == NULL || p->help == NULL ? nomem(job) : DR_OK;
}

static bool
add_twin(struct dr_sql_job *job, size_t text, size_t of, size_t stmt)
{
    struct dr_sql_twins *last = job->twins_count > 0 ? &job->twins[job->twins_count - 1] : NULL;
    if (last != NULL && last->text == text && last->of == of && last->first + last->count == stmt) {
        last->count++;
        return true;
    }
    if (job->twins_count == job->twins_cap) {
        size_t cap = job->twins_cap == 0 ? 64 : 2 * job->twins_cap;
        struct dr_sql_twins *twins = realloc(job->twins, cap * sizeof *twins);
        if (twins == NULL) {
            return false;
        }
        job->twins = twins;
        job->twins_cap = cap;
    }
    job->twins[job->twins_count++] = (struct dr_sql_twins){text, of, stmt, 1};
    return true;
}

// The last INSERT of a text that is to be asked for, for those behind it that are like it.
struct insert {
    size_t stmt, head_len;
    const char *head;
};

// True when `stmt` need not be asked for.
static bool
is_twin(const struct dr_sql_job *job, size_t text, size_t stmt, struct insert *last)
{
    const struct dr_sql_stmt *s = &job->results[text].stmts[stmt];
    const char *sql = job->texts[text].text + s->offset;
    size_t head = s->problem != NULL ? 0 : dr_sql_insert_head(sql, s->length);
    if (head == 0) {
        return false;
    }
    if (head == last->head_len && memcmp(last->head, sql, head) == 0) {
        return true;
    }
    *last = (struct insert){.stmt = stmt, .head_len = head, .head = sql};
    return false;
}

// What was said of one holds for its twins, problem and place too.
static enum dr_rc
copy_to_twins(struct dr_sql_job *job, const struct dr_sql_twins *t)
{
    struct dr_sql_stmt *stmts = job->results[t->text].stmts;
    const struct dr_sql_stmt *from = &stmts[t->of];
    enum dr_rc rc = DR_OK;
    for (size_t i = t->first; rc == DR_OK && i < t->first + t->count; i++) {
        struct dr_sql_stmt own = stmts[i];
        stmts[i] = *from;
        stmts[i].offset = own.offset;
        stmts[i].length = own.length;
        stmts[i].line = own.line;
        stmts[i].column = own.column;
        stmts[i].problem = NULL;
        if (from->problem != NULL) {
            const struct dr_sql_problem *p = from->problem;
            rc = dr_sql_put_problem(job, &stmts[i], p->rc, p->offset - from->offset + own.offset,
                                    p->length, p->message, p->help);
        }
    }
    return rc;
}

// Cuts the statements of a text into groups; those with a problem already, and those whose answer
// another one gives, are left out.
static enum dr_rc
group_text(struct dr_sql_job *job, size_t text)
{
    const struct dr_sql_result *r = &job->results[text];
    struct dr_sql_group group = {.text = text};
    struct insert last = {0};
    for (size_t i = 0; i < r->count; i++) {
        bool is_known = is_twin(job, text, i, &last);
        if (is_known && !add_twin(job, text, last.stmt, i)) {
            return nomem(job);
        }
        if (group.count == 0) {
            group.first = i;
        }
        size_t from = r->stmts[group.first].offset, to = r->stmts[i].offset + r->stmts[i].length;
        bool is_bad = is_known || r->stmts[i].problem != NULL;
        if (group.count > 0 && (is_bad || to - from > GROUP_BYTES)) {
            if (!dr_sql_add_group(job, group)) {
                return nomem(job);
            }
            group.first = i;
            group.count = 0;
        }
        group.count += !is_bad;
    }
    return group.count == 0 || dr_sql_add_group(job, group) ? DR_OK : nomem(job);
}

// The groups from `first` that fit one start of the child, and its input.
static size_t
make_batch(struct dr_sql_job *job, size_t first, struct dr_buf *input)
{
    size_t count = 0, bytes = 0;
    for (size_t i = first; i < job->group_count && count < job->batch_max; i++) {
        size_t from, to;
        dr_sql_group_range(job, &job->groups[i], &from, &to);
        bytes += to - from;
        if (count > 0 && bytes > DR_SQLCHECK_BATCH_BYTES) {
            break;
        }
        count++;
    }
    dr_buf_printf(input, "%s%zu\n", DR_WIRE_HELLO, count);
    for (size_t i = first; i < first + count; i++) {
        size_t from, to;
        dr_sql_group_range(job, &job->groups[i], &from, &to);
        dr_buf_printf(input, "%zu\n", to - from);
        dr_buf_add(input, job->texts[job->groups[i].text].text + from, to - from);
    }
    return count;
}

// The child ended before it answered this group.
static enum dr_rc
blame(struct dr_sql_job *job, struct dr_sql_group group, int signal_number, bool is_late)
{
    if (group.count > 1) {
        for (size_t i = 0; i < group.count; i++) {
            if (!dr_sql_add_group(job, (struct dr_sql_group){group.text, group.first + i, 1})) {
                return nomem(job);
            }
        }
        return DR_OK;
    }
    char message[120];
    struct dr_sql_stmt *stmt = &job->results[group.text].stmts[group.first];
    if (is_late) {
        snprintf(message, sizeof message,
                 "drover-sqlcheck needed more than %d s for this statement", DR_WIRE_TEXT_SECONDS);
    } else if (signal_number != 0) {
        snprintf(message, sizeof message, "drover-sqlcheck died (signal %d) on this statement",
                 signal_number);
    } else {
        snprintf(message, sizeof message, "drover-sqlcheck ran out of memory on this statement");
    }
    return dr_sql_put_problem(job, stmt, DR_E_SQL_CHECK_DIED, stmt->offset, 1, message,
                              "the statement is too deep or too long for the parser: split it");
}

// Reads the answer of one start. `groups` may move while groups are added, so the batch is read
// from a copy.
static enum dr_rc
read_batch(struct dr_sql_job *job, size_t first, size_t count, char *answer, size_t *out_answered)
{
    if (answer == NULL) {
        return DR_OK;
    }
    struct dr_sql_group *batch = malloc(count * sizeof *batch);
    if (batch == NULL) {
        return nomem(job);
    }
    memcpy(batch, job->groups + first, count * sizeof *batch);
    enum dr_rc rc = dr_sql_read_answer(job, batch, count, answer, out_answered);
    free(batch);
    return rc;
}

static enum dr_rc
run_child(struct dr_sql_job *job, const char *program, const struct dr_buf *input,
          struct dr_cmd_result *out)
{
    const char *const argv[] = {program, NULL};
    struct dr_cmd cmd = {.argv = argv,
                         .input = input->data,
                         .input_len = input->len,
                         .timeout_ms = DR_SQLCHECK_TIMEOUT_MS,
                         .output_max = OUTPUT_MAX,
                         .memory_max_bytes = MEMORY_MAX_BYTES};
    return input->failed ? nomem(job) : dr_cmd_run(&cmd, out, job->err);
}

// Runs the child once for the groups from `*next` on, and moves `*next` behind those that are done
// with.
static enum dr_rc
ask(struct dr_sql_job *job, const char *program, size_t *next)
{
    struct dr_buf input = {.max = 64u << 20};
    struct dr_cmd_result result = {.exit_code = -1};
    size_t first = *next, answered = 0;
    size_t count = make_batch(job, first, &input);
    enum dr_rc rc = run_child(job, program, &input, &result);
    bool is_late = rc == DR_E_TIMEOUT || result.signal == SIGALRM;
    dr_buf_fini(&input);
    if (rc == DR_E_TIMEOUT && count > 1) {
        job->batch_max = 1; // nobody knows which one it was: each is asked alone
        return DR_OK;
    }
    if (rc == DR_OK) {
        rc = read_batch(job, first, count, result.output.data, &answered);
    } else if (rc == DR_E_TIMEOUT) {
        rc = DR_OK;
    }
    if (rc == DR_OK && answered < count) {
        bool is_refusal = result.exit_code == 2 || result.exit_code == 3;
        rc = is_refusal ? dr_err_set(job->err, DR_E_INTERNAL,
                                     "drover-sqlcheck did not understand what it was asked")
                        : blame(job, job->groups[first + answered], result.signal, is_late);
        answered++;
    }
    *next = first + answered;
    dr_cmd_result_fini(&result);
    return rc;
}

static enum dr_rc
ask_all(struct dr_sql_job *job)
{
    char program[PATH_MAX];
    if (job->group_count == 0) {
        return DR_OK;
    }
    enum dr_rc rc = dr_cmd_sibling("drover-sqlcheck", program, sizeof program, job->err);
    for (size_t next = 0; rc == DR_OK && next < job->group_count;) {
        rc = ask(job, program, &next);
    }
    return rc;
}

enum dr_rc
dr_sql_check(enum dr_sql_dialect dialect, const struct dr_sql_text *texts, size_t count,
             struct dr_arena *arena, struct dr_sql_result **out, struct dr_err *err)
{
    struct dr_sql_job job = {
        .texts = texts, .arena = arena, .err = err, .batch_max = DR_WIRE_TEXTS_MAX};
    job.results = dr_arena_array(arena, count, sizeof *job.results);
    enum dr_rc rc = job.results == NULL ? nomem(&job) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = dr_sql_split(dialect, &texts[i], arena, &job.results[i], err);
        if (rc == DR_OK && dialect == DR_SQL_POSTGRESQL) {
            rc = group_text(&job, i);
        }
    }
    if (rc == DR_OK && dialect == DR_SQL_POSTGRESQL) {
        rc = ask_all(&job);
    }
    for (size_t i = 0; rc == DR_OK && i < job.twins_count; i++) {
        rc = copy_to_twins(&job, &job.twins[i]);
    }
    free(job.twins);
    free(job.groups);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        dr_sql_first_problem(&job.results[i]);
    }
    if (rc == DR_OK) {
        *out = job.results;
    }
    return rc;
}
