#include "sql/check_internal.h"

#include <string.h>

// Splitting by the lexer: every check begins with it, so that the parser, the agent and the server
// are asked about the same statements.

static enum dr_rc
nomem(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left for the statements of a text");
}

// The byte at a line and column (code points) of the text.
static size_t
offset_of(const struct dr_sql_text *text, uint32_t line, uint32_t column)
{
    size_t at = 0;
    for (uint32_t l = 1; l < line && at < text->len; at++) {
        l += text->text[at] == '\n';
    }
    for (uint32_t c = 1; c < column && at < text->len; c++) {
        at++;
        while (at < text->len && ((unsigned char)text->text[at] & 0xC0) == 0x80) {
            at++;
        }
    }
    return at;
}

static const char *
what_words(struct dr_arena *arena, const char *text, size_t len, const char *last)
{
    char words[96];
    dr_sql_first_words(text, len, 2, words, sizeof words);
    const char *what = words[0] == '\0' ? "statement" : words;
    return last != NULL && strcmp(last, what) == 0 ? last : dr_arena_str(arena, what);
}

// The facts that need no parser. A statement of SQLite may stand outside a transaction if it can be
// repeated.
static void
fill_sqlite(const struct dr_sql_text *text, struct dr_sql_stmt *s)
{
    const char *sql = text->text + s->offset;
    char word[16];
    dr_sql_first_words(sql, s->length, 1, word, sizeof word);
    s->class_ = dr_sql_class_sqlite(sql, s->length);
    s->flags |=
        s->class_ == DROVER__V1__STATEMENT_CLASS__CLASS_READ ? (unsigned)DR_SQL_READ_ONLY : 0u;
    bool is_vacuum = strcmp(word, "VACUUM") == 0;
    if (is_vacuum || strcmp(word, "ANALYZE") == 0 || strcmp(word, "REINDEX") == 0 ||
        strcmp(word, "PRAGMA") == 0) {
        s->flags |= DR_SQL_OUTSIDE_ALLOWED | (is_vacuum ? (unsigned)DR_SQL_OUTSIDE_ONLY : 0u);
        s->probe = DROVER__V1__PROBE__PROBE_IDEMPOTENT;
    }
}

static bool
add_problem(struct dr_arena *arena, struct dr_sql_stmt *s, enum dr_rc rc, const char *message,
            const char *help)
{
    struct dr_sql_problem *p = dr_arena_alloc(arena, sizeof *p);
    if (p == NULL) {
        return false;
    }
    *p = (struct dr_sql_problem){
        .rc = rc, .offset = s->offset, .length = 1, .message = message, .help = help};
    s->problem = p;
    return true;
}

static enum dr_rc
fill(enum dr_sql_dialect dialect, const struct dr_sql_text *text, const struct dr_sql_piece *piece,
     const char *last, struct dr_arena *arena, struct dr_sql_stmt *s, struct dr_err *err)
{
    *s = (struct dr_sql_stmt){.offset = piece->offset,
                              .length = piece->length,
                              .line = piece->line,
                              .column = piece->column};
    s->object = s->creates = s->drops = "";
    const char *sql = text->text + piece->offset;
    const char *forbidden = dr_sql_forbidden(dialect, sql, piece->length);
    s->what = forbidden != NULL ? forbidden : what_words(arena, sql, piece->length, last);
    s->flags = forbidden != NULL ? (unsigned)DR_SQL_FORBIDDEN : 0u;
    if (s->what == NULL) {
        return nomem(err);
    }
    if (dialect == DR_SQL_SQLITE) {
        fill_sqlite(text, s);
    }
    bool is_deep = piece->depth > DR_SQL_DEPTH_MAX;
    if (is_deep && !add_problem(arena, s, DR_E_SQL_TOO_COMPLEX, "parentheses are nested too deeply",
                                "split the statement into smaller ones")) {
        return nomem(err);
    }
    return DR_OK;
}

static enum dr_rc
fail_text(const struct dr_sql_text *text, enum dr_rc rc, const struct dr_err *why,
          struct dr_arena *arena, struct dr_sql_result *out, struct dr_err *err)
{
    out->problem = (struct dr_sql_problem){.rc = rc, .length = 1};
    out->problem.offset = offset_of(text, why->line, why->column);
    out->problem.message = dr_arena_str(arena, why->message);
    out->problem.help = dr_arena_str(arena, why->hint);
    return out->problem.message == NULL || out->problem.help == NULL ? nomem(err) : DR_OK;
}

enum dr_rc
dr_sql_split(enum dr_sql_dialect dialect, const struct dr_sql_text *text, struct dr_arena *arena,
             struct dr_sql_result *out, struct dr_err *err)
{
    struct dr_err why = {0};
    size_t count = 0, used = 0;
    struct dr_sql_result result = {0};
    enum dr_rc rc = dr_sql_count(dialect, text->text, text->len, &count, &why);
    if (rc != DR_OK) {
        rc = fail_text(text, rc, &why, arena, &result, err);
        *out = rc == DR_OK ? result : *out;
        return rc;
    }
    if (count > DR_SQL_STATEMENTS_MAX) {
        result.problem = (struct dr_sql_problem){
            .rc = DR_E_SQL_TOO_COMPLEX, .length = 1, .message = "too many statements"};
        result.problem.help = "split the section";
        *out = result;
        return DR_OK;
    }
    result.stmts = dr_arena_array(arena, count, sizeof *result.stmts);
    if (result.stmts == NULL) {
        return nomem(err);
    }
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece;
    const char *last = NULL;
    dr_sql_lexer_init(&lexer, dialect, text->text, text->len);
    while (used < count && dr_sql_lexer_next(&lexer, &piece, &rc, &why)) {
        enum dr_rc filled = fill(dialect, text, &piece, last, arena, &result.stmts[used], err);
        if (filled != DR_OK) {
            return filled;
        }
        last = result.stmts[used++].what;
    }
    result.count = used;
    dr_sql_first_problem(&result);
    *out = result;
    return DR_OK;
}

void
dr_sql_first_problem(struct dr_sql_result *result)
{
    for (size_t i = 0; i < result->count && result->problem.rc == DR_OK; i++) {
        if (result->stmts[i].problem != NULL) {
            result->problem = *result->stmts[i].problem;
        }
    }
}
