#include "sql/check_internal.h"

#include "base/str.h"
#include "sql/wire.h"

#include <stdio.h>
#include <string.h>

// Reading what drover-sqlcheck answered. It may have been broken by the text that it parsed, so
// nothing in its answer is believed beyond its bounds, and its statements must begin where the
// lexer's do.

enum { FIELDS_MAX = 10, FACT_FIELDS = 9 };

static enum dr_rc
broken(struct dr_sql_job *job)
{
    dr_err_set(job->err, DR_E_INTERNAL, "drover-sqlcheck gave an answer that cannot be read");
    return dr_err_hint(
        job->err, "is it of another version? compare: drover-sqlcheck --version; drover --version");
}

// Cuts a line at tabs, in place, and undoes the escapes. Returns the number of fields.
static size_t
cut_fields(char *line, char *fields[FIELDS_MAX])
{
    size_t count = 0;
    char *to = line;
    fields[count++] = line;
    for (char *from = line; *from != '\0'; from++) {
        if (*from == '\t') {
            *to++ = '\0';
            if (count == FIELDS_MAX) {
                return FIELDS_MAX + 1;
            }
            fields[count++] = to;
        } else if (*from == '\\' && from[1] != '\0') {
            from++;
            *to++ = (char)(*from == 't' ? '\t' : *from == 'n' ? '\n' : *from);
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return count;
}

static const char *
keep(struct dr_sql_job *job, const char *text, bool *failed)
{
    const char *kept = text[0] == '\0' ? "" : dr_arena_str(job->arena, text);
    *failed = *failed || kept == NULL;
    return kept;
}

static enum dr_rc
read_statement(struct dr_sql_job *job, char *fields[FIELDS_MAX], size_t base,
               struct dr_sql_stmt *stmt)
{
    uint64_t offset, length, class_, flags, probe;
    bool is_good = dr_parse_u64(fields[1], 0, DR_WIRE_TEXT_MAX, &offset) &&
                   dr_parse_u64(fields[2], 1, DR_WIRE_TEXT_MAX, &length) &&
                   dr_parse_u64(fields[3], 0, 6, &class_) &&
                   dr_parse_u64(fields[4], 0, 127, &flags) && dr_parse_u64(fields[5], 0, 7, &probe);
    if (!is_good) {
        return broken(job);
    }
    if (base + offset != stmt->offset) {
        return dr_sql_put_problem(job, stmt, DR_E_SQL_SYNTAX, stmt->offset, 1,
                                  "drover and PostgreSQL do not agree where this statement begins",
                                  "write it in another way, one statement after the other");
    }
    bool failed = false,
         is_named = (stmt->flags & DR_SQL_FORBIDDEN) != 0; // by the lexer, and better
    stmt->class_ = (Drover__V1__StatementClass)class_;
    stmt->flags |= (unsigned)flags;
    stmt->probe = (Drover__V1__Probe)probe;
    if (fields[6][0] != '\0' && !is_named) {
        stmt->what = keep(job, fields[6], &failed);
    }
    stmt->object = keep(job, fields[7], &failed);
    stmt->creates = keep(job, fields[8], &failed);
    stmt->drops = keep(job, fields[9], &failed);
    return failed ? dr_err_set(job->err, DR_E_NOMEM, "no memory left for the facts of a statement")
                  : DR_OK;
}

// The fact behind the statement's others; `*tail` is where it is linked.
static enum dr_rc
read_fact(struct dr_sql_job *job, char *fields[FIELDS_MAX], size_t base,
          const struct dr_sql_stmt *stmt, const struct dr_sql_fact ***tail)
{
    uint64_t kind, offset, length, flags;
    bool is_good = dr_parse_u64(fields[1], 1, DR_FACT_LAST, &kind) &&
                   dr_parse_u64(fields[2], 0, DR_WIRE_TEXT_MAX, &offset) &&
                   dr_parse_u64(fields[3], 0, DR_WIRE_TEXT_MAX, &length) &&
                   dr_parse_u64(fields[4], 0, DR_FACT_FLAGS_ALL, &flags);
    if (!is_good) {
        return broken(job);
    }
    bool failed = false;
    bool is_inside = base + offset >= stmt->offset &&
                     base + offset <= stmt->offset + stmt->length &&
                     length <= stmt->offset + stmt->length - base - offset;
    struct dr_sql_fact *fact = dr_arena_alloc(job->arena, sizeof *fact);
    if (fact == NULL) {
        return dr_err_set(job->err, DR_E_NOMEM, "no memory left for the facts of a statement");
    }
    *fact = (struct dr_sql_fact){.kind = (unsigned)kind, .flags = (unsigned)flags};
    fact->offset = is_inside ? base + offset : stmt->offset;
    fact->length = is_inside ? length : 0;
    fact->table = keep(job, fields[5], &failed);
    fact->name = keep(job, fields[6], &failed);
    fact->columns = keep(job, fields[7], &failed);
    fact->ref = keep(job, fields[8], &failed);
    **tail = fact;
    *tail = &fact->next;
    return failed ? dr_err_set(job->err, DR_E_NOMEM, "no memory left for the facts of a statement")
                  : DR_OK;
}

// A problem of a group: known for a single statement; a group of several is asked again one by one.
static enum dr_rc
read_problem(struct dr_sql_job *job, char *fields[FIELDS_MAX], const struct dr_sql_group *group,
             size_t base)
{
    static const enum dr_rc codes[] = {DR_E_SQL_SYNTAX, DR_E_SQL_SYNTAX, DR_E_SQL_RESERVED,
                                       DR_E_SQL_TOO_COMPLEX};
    uint64_t kind, offset, length;
    bool is_good = dr_parse_u64(fields[1], 1, 3, &kind) &&
                   dr_parse_u64(fields[2], 0, DR_WIRE_TEXT_MAX, &offset) &&
                   dr_parse_u64(fields[3], 1, DR_WIRE_TEXT_MAX, &length);
    if (!is_good) {
        return broken(job);
    }
    struct dr_sql_stmt *stmts = job->results[group->text].stmts;
    if (group->count == 1) {
        return dr_sql_put_problem(job, &stmts[group->first], codes[kind], base + offset, length,
                                  fields[4], fields[5]);
    }
    for (size_t i = 0; i < group->count; i++) {
        if (!dr_sql_add_group(job, (struct dr_sql_group){group->text, group->first + i, 1})) {
            return dr_err_set(job->err, DR_E_NOMEM, "no memory left for checking statements");
        }
    }
    return DR_OK;
}

// The parser found more or fewer statements than the lexer: refused, since every later step goes by
// the lexer's.
static enum dr_rc
disagree(struct dr_sql_job *job, const struct dr_sql_group *group)
{
    struct dr_sql_stmt *stmt = &job->results[group->text].stmts[group->first];
    return dr_sql_put_problem(job, stmt, DR_E_SQL_SYNTAX, stmt->offset, 1,
                              "drover and PostgreSQL do not agree how many statements stand here",
                              "write it in another way, one statement after the other");
}

static char *
next_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');
    if (end == NULL) {
        return NULL;
    }
    *end = '\0';
    *at = end + 1;
    return line;
}

// The lines of one group up to its E. `*out_whole` is false when the answer ends before.
static enum dr_rc
read_group(struct dr_sql_job *job, const struct dr_sql_group *group, char **at, bool *out_whole)
{
    size_t from, to, seen = 0, facts = 0;
    bool has_problem = false;
    const struct dr_sql_fact **tail = NULL;
    struct dr_sql_stmt *stmts = &job->results[group->text].stmts[group->first];
    dr_sql_group_range(job, group, &from, &to);
    for (char *line = next_line(at); line != NULL; line = next_line(at)) {
        char *fields[FIELDS_MAX] = {NULL};
        size_t count = cut_fields(line, fields);
        enum dr_rc rc = DR_OK;
        if (strcmp(fields[0], "E") == 0 && count == 1) {
            *out_whole = true;
            return has_problem || seen == group->count ? DR_OK : disagree(job, group);
        }
        if (strcmp(fields[0], "S") == 0 && count == FIELDS_MAX) {
            if (seen < group->count) {
                rc = read_statement(job, fields, from, &stmts[seen]);
                tail = &stmts[seen].facts;
                facts = 0;
            }
            seen++;
        } else if (strcmp(fields[0], "F") == 0 && count == FACT_FIELDS && tail != NULL &&
                   facts < DR_WIRE_FACTS_MAX) {
            facts++;
            rc =
                seen > group->count ? DR_OK : read_fact(job, fields, from, &stmts[seen - 1], &tail);
        } else if (strcmp(fields[0], "P") == 0 && count == 6 && !has_problem) {
            has_problem = true;
            rc = read_problem(job, fields, group, from);
        } else {
            rc = broken(job);
        }
        if (rc != DR_OK) {
            return rc;
        }
    }
    *out_whole = false;
    return DR_OK;
}

enum dr_rc
dr_sql_read_answer(struct dr_sql_job *job, const struct dr_sql_group *groups, size_t count,
                   char *answer, size_t *out_answered)
{
    size_t answered = 0;
    bool is_whole = true;
    while (answered < count && is_whole) {
        enum dr_rc rc = read_group(job, &groups[answered], &answer, &is_whole);
        if (rc != DR_OK) {
            return rc;
        }
        answered += is_whole;
    }
    *out_answered = answered;
    return DR_OK;
}
