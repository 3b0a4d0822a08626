#include "coordinator/import/chunk.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

// The lexer says where statements are; what stands between them (comments, blank lines) goes with
// the statement behind it. psql's commands are met where the lexer gives up at a backslash.

struct cut {
    struct dr_import *import;
    struct dr_import_revision *revision;
    const struct dr_import_piece *piece;
    bool is_verify;
    struct dr_chunks *out;
    struct dr_err *err;
    struct dr_sql_lexer lexer;
    size_t from;         // what is not yet in a chunk
    bool in_transaction; // behind a BEGIN of the author's
    uint32_t begin_line;
};

// psql's commands that change nothing in the database.
static const char *const harmless[] = {"echo",     "qecho",      "warn",     "timing",
                                       "pset",     "x",          "a",        "t",
                                       "restrict", "unrestrict", "encoding", "errverbose"};

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\v';
}

static uint32_t
line_of(const struct cut *c, size_t offset)
{
    uint32_t line, column;
    dr_sql_position(c->piece->sql, c->piece->len, offset, &line, &column);
    return c->piece->line + line - 1;
}

static enum dr_rc
add(struct cut *c, const struct dr_chunk *chunk)
{
    struct dr_chunks *to = c->out;
    struct dr_chunk *items =
        dr_import_grow(c->import, to->items, to->count, &to->cap, sizeof *items);
    if (items == NULL) {
        return dr_import_nomem(c->err);
    }
    to->items = items;
    to->statements += chunk->count;
    to->items[to->count++] = *chunk;
    return DR_OK;
}

// Behind the semicolon at `at` and the rest of its line, if nothing but a comment stands there.
static size_t
end_of(const struct cut *c, size_t at)
{
    const char *sql = c->piece->sql;
    size_t len = c->piece->len;
    at += at < len && sql[at] == ';';
    size_t end = at;
    while (end < len && (sql[end] == ' ' || sql[end] == '\t')) {
        end++;
    }
    if (end + 1 < len && sql[end] == '-' && sql[end + 1] == '-') {
        const char *newline = memchr(sql + end, '\n', len - end);
        return newline == NULL ? len : (size_t)(newline - sql) + 1;
    }
    return end < len && sql[end] == '\n' ? end + 1 : end;
}

// The comments before something that is taken out; nothing when there are only blanks.
static enum dr_rc
add_rest(struct cut *c, size_t from, size_t to, bool ends_transaction)
{
    const char *sql = c->piece->sql;
    bool is_empty = true;
    for (size_t i = from; i < to && is_empty; i++) {
        is_empty = is_blank(sql[i]);
    }
    struct dr_chunk chunk = {.text = is_empty ? "" : sql + from,
                             .len = is_empty ? 0 : to - from,
                             .line = line_of(c, from),
                             .ends_transaction = ends_transaction};
    return add(c, &chunk);
}

static enum dr_rc
note(struct cut *c, enum dr_import_kind kind, uint32_t line, const char *reason)
{
    return dr_import_note(c->import, c->revision, kind, c->piece->file, line, c->err, "%s", reason);
}

// A transaction command. `*out_stays`: it is not understood and left where it is.
static enum dr_rc
on_transaction(struct cut *c, const char *what, const struct dr_sql_piece *p, bool *out_stays)
{
    uint32_t line = c->piece->line + p->line - 1;
    bool is_begin = strcmp(what, "BEGIN") == 0 || strcmp(what, "START TRANSACTION") == 0;
    bool is_end = strcmp(what, "COMMIT") == 0 || strcmp(what, "END") == 0;
    bool is_back = strcmp(what, "ROLLBACK") == 0 || strcmp(what, "ABORT") == 0;
    char words[64];
    dr_sql_first_words(c->piece->sql + p->offset, p->length, 3, words, sizeof words);
    *out_stays = false;
    if (is_begin && !c->in_transaction) {
        c->in_transaction = true;
        c->begin_line = line;
        return DR_OK;
    }
    if ((is_end || (is_back && c->is_verify && strstr(words, " TO") == NULL)) &&
        strstr(words, "PREPARED") == NULL) {
        bool was = c->in_transaction;
        c->in_transaction = false;
        return dr_import_note(c->import, c->revision, DR_IMPORT_CHANGED, c->piece->file,
                              was ? c->begin_line : line, c->err,
                              was ? "BEGIN and %s were taken out: a section is a transaction"
                                  : "%s was taken out: a section is a transaction",
                              what);
    }
    *out_stays = true;
    return dr_import_note(c->import, c->revision, DR_IMPORT_HAND, c->piece->file, line, c->err,
                          "%s cannot stand in a revision: remove it, and what it undoes", what);
}

// A COPY with its data, if it has some. `*out_next`: behind them.
static enum dr_rc
on_copy(struct cut *c, const struct dr_sql_piece *p, size_t *out_next, bool *out_done)
{
    const char *sql = c->piece->sql, *text = NULL;
    size_t used = 0, len = 0, rows = 0, statements = 0, data = end_of(c, c->lexer.pos);
    uint32_t line = c->piece->line + p->line - 1;
    bool is_line =
        data > 0 && data <= c->piece->len && (sql[data - 1] == '\n' || data == c->piece->len);
    *out_done = is_line;
    if (!is_line) {
        return note(c, DR_IMPORT_HAND, line,
                    "something follows COPY ... FROM STDIN on its line: write the rows as INSERT "
                    "... VALUES");
    }
    enum dr_rc rc =
        dr_copy_insert(c->import->arena, sql + p->offset, p->length, sql + data,
                       c->piece->len - data, &used, &text, &len, &rows, &statements, c->err);
    if (rc != DR_OK) {
        return rc;
    }
    *out_next = data + used;
    if (text == NULL) {
        c->out->is_broken = true;
        struct dr_chunk as_is = {.text = sql + c->from,
                                 .len = *out_next - c->from,
                                 .sql = sql + p->offset,
                                 .sql_len = p->length,
                                 .count = 1,
                                 .line = line};
        rc = note(c, DR_IMPORT_HAND, line,
                  "this COPY has options of its own: write the rows as INSERT ... VALUES");
        return rc == DR_OK ? add(c, &as_is) : rc;
    }
    char *whole = dr_arena_alloc(c->import->arena, p->offset - c->from + len + 1);
    if (whole == NULL) {
        return dr_import_nomem(c->err);
    }
    memcpy(whole, sql + c->from, p->offset - c->from);
    memcpy(whole + (p->offset - c->from), text, len);
    struct dr_chunk chunk = {
        .text = whole, .len = p->offset - c->from + len, .count = statements, .line = line};
    chunk.sql = rows == 0 ? NULL : whole + (p->offset - c->from);
    chunk.sql_len = rows == 0 ? 0 : strlen("INSERT");
    rc = add(c, &chunk);
    return rc != DR_OK
               ? rc
               : dr_import_note(c->import, c->revision, DR_IMPORT_CHANGED, c->piece->file, line,
                                c->err, "the %zu row%s of a COPY %s written as INSERTs", rows,
                                rows == 1 ? "" : "s", rows == 1 ? "is" : "are");
}

// A check of the tool's passes when its queries run; drover's passes when they are true. So each is
// run for its rows alone.
static enum dr_rc
add_verify(struct cut *c, const struct dr_sql_piece *p, size_t next)
{
    const char *sql = c->piece->sql;
    bool is_lite = c->import->dialect == DR_SQL_SQLITE;
    const char *tag = "$verify$";
    for (unsigned i = 2; memmem(sql + p->offset, p->length, tag, strlen(tag)) != NULL; i++) {
        tag = dr_arena_printf(c->import->arena, "$verify%u$", i);
        if (tag == NULL) {
            return dr_import_nomem(c->err);
        }
    }
    char *text =
        is_lite ? dr_arena_printf(c->import->arena, "%.*sSELECT count(*) >= 0 FROM (\n%.*s\n);\n",
                                  (int)(p->offset - c->from), sql + c->from, (int)p->length,
                                  sql + p->offset)
                : dr_arena_printf(c->import->arena,
                                  "%.*sDO %s DECLARE r record; BEGIN FOR r IN\n%.*s\nLOOP END "
                                  "LOOP; END %s;\n",
                                  (int)(p->offset - c->from), sql + c->from, tag, (int)p->length,
                                  sql + p->offset, tag);
    if (text == NULL) {
        return dr_import_nomem(c->err);
    }
    struct dr_chunk chunk = {
        .text = text, .len = strlen(text), .count = 1, .line = c->piece->line + p->line - 1};
    chunk.sql = text + (p->offset - c->from);
    chunk.sql_len = 2;
    c->from = next;
    return add(c, &chunk);
}

static bool
is_query(const char *sql, size_t len)
{
    char word[16];
    dr_sql_first_words(sql, len, 1, word, sizeof word);
    return strcmp(word, "SELECT") == 0 || strcmp(word, "WITH") == 0 ||
           strcmp(word, "VALUES") == 0 || strcmp(word, "TABLE") == 0;
}

static enum dr_rc
on_statement(struct cut *c, const struct dr_sql_piece *p)
{
    const char *sql = c->piece->sql;
    const char *what = dr_sql_forbidden(c->import->dialect, sql + p->offset, p->length);
    size_t next = end_of(c, c->lexer.pos);
    uint32_t line = c->piece->line + p->line - 1;
    bool stays = true, is_done = false;
    enum dr_rc rc = DR_OK;
    static const char *const commands[] = {"BEGIN",
                                           "START TRANSACTION",
                                           "COMMIT",
                                           "END",
                                           "ABORT",
                                           "ROLLBACK",
                                           "SAVEPOINT",
                                           "RELEASE SAVEPOINT",
                                           "PREPARE TRANSACTION"};
    bool is_transaction = false;
    for (size_t i = 0; what != NULL && i < DR_COUNT_OF(commands); i++) {
        is_transaction = is_transaction || strcmp(what, commands[i]) == 0;
    }
    if (is_transaction) {
        bool was = c->in_transaction;
        rc = on_transaction(c, what, p, &stays);
        if (rc == DR_OK && !stays) {
            rc = add_rest(c, c->from, p->offset, was && !c->in_transaction);
            c->from = next;
        }
    } else if (what != NULL && strcmp(what, "COPY FROM STDIN") == 0) {
        rc = on_copy(c, p, &next, &is_done);
        if (rc == DR_OK && is_done) {
            c->from = c->lexer.pos = next;
            return DR_OK;
        }
    } else if (what != NULL) {
        rc = dr_import_note(c->import, c->revision, DR_IMPORT_HAND, c->piece->file, line, c->err,
                            "%s cannot stand in a revision: it belongs to whoever sets up the "
                            "database, remove it here",
                            what);
    } else if (c->is_verify && c->piece->options == NULL && is_query(sql + p->offset, p->length)) {
        return add_verify(c, p, next);
    }
    if (rc != DR_OK || !stays) {
        return rc;
    }
    struct dr_chunk chunk = {.text = sql + c->from,
                             .len = next - c->from,
                             .sql = sql + p->offset,
                             .sql_len = p->length,
                             .count = 1,
                             .line = line};
    c->from = next;
    return add(c, &chunk);
}

// The byte at a line and column that the lexer named.
static size_t
offset_of(const struct cut *c, uint32_t line, uint32_t column)
{
    size_t at = 0;
    for (uint32_t l = 1; l < line && at < c->piece->len; at++) {
        l += c->piece->sql[at] == '\n';
    }
    for (uint32_t n = 1; n < column && at < c->piece->len; n++) {
        at++;
        while (at < c->piece->len && ((unsigned char)c->piece->sql[at] & 0xC0) == 0x80) {
            at++;
        }
    }
    return at;
}

// True when the command of psql's at `at` stands between statements and does nothing to the
// database.
static bool
is_harmless(const struct cut *c, size_t at)
{
    const char *sql = c->piece->sql;
    struct dr_sql_lexer before;
    struct dr_sql_piece piece;
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    dr_sql_lexer_init(&before, c->import->dialect, sql + c->from, at - c->from);
    if (dr_sql_lexer_next(&before, &piece, &rc, &ignored) || rc != DR_OK) {
        return false;
    }
    size_t len = 0;
    const char *name = sql + at + 1;
    while (at + 1 + len < c->piece->len && !is_blank(name[len])) {
        len++;
    }
    bool is = len == 3 && memcmp(name, "set", 3) == 0 && c->piece->len - at > 9 &&
              strncasecmp(name + 3, " ON_ERROR", 9) == 0;
    for (size_t i = 0; i < DR_COUNT_OF(harmless); i++) {
        is = is || (strlen(harmless[i]) == len && memcmp(harmless[i], name, len) == 0);
    }
    return is;
}

// The lexer stopped with `why`: a command of psql's, or something that is not closed.
static enum dr_rc
on_stop(struct cut *c, const struct dr_err *why, bool *out_goes_on)
{
    const char *sql = c->piece->sql;
    size_t at = offset_of(c, why->line, why->column);
    uint32_t line = c->piece->line + why->line - 1;
    *out_goes_on = why->rc == DR_E_SQL_FORBIDDEN && at < c->piece->len && is_harmless(c, at);
    if (*out_goes_on) {
        const char *newline = memchr(sql + at, '\n', c->piece->len - at);
        size_t next = newline == NULL ? c->piece->len : (size_t)(newline - sql) + 1;
        enum dr_rc rc = dr_import_note(c->import, c->revision, DR_IMPORT_CHANGED, c->piece->file,
                                       line, c->err, "'%.*s' was taken out: it is psql's own",
                                       (int)(strcspn(sql + at, "\n")), sql + at);
        rc = rc == DR_OK ? add_rest(c, c->from, at, false) : rc;
        c->from = c->lexer.pos = next;
        return rc;
    }
    c->out->is_broken = true;
    if (why->rc == DR_E_SQL_FORBIDDEN) {
        return note(c, DR_IMPORT_HAND, line,
                    "a command of psql's: write the statements that it stands for");
    }
    return dr_import_note(c->import, c->revision, DR_IMPORT_HAND, c->piece->file, line, c->err,
                          "%s: mend it", why->message);
}

enum dr_rc
dr_chunk_cut(struct dr_import *import, struct dr_import_revision *revision,
             const struct dr_import_piece *piece, bool is_verify, struct dr_chunks *out,
             struct dr_err *err)
{
    struct cut c = {.import = import,
                    .revision = revision,
                    .piece = piece,
                    .is_verify = is_verify,
                    .out = out,
                    .err = err};
    struct dr_sql_piece p;
    enum dr_rc rc = DR_OK, stop = DR_OK;
    bool goes_on = true;
    *out = (struct dr_chunks){0};
    dr_sql_lexer_init(&c.lexer, import->dialect, piece->sql, piece->len);
    while (rc == DR_OK && goes_on) {
        struct dr_err why = {0};
        if (dr_sql_lexer_next(&c.lexer, &p, &stop, &why)) {
            rc = on_statement(&c, &p);
        } else if (stop != DR_OK) {
            rc = on_stop(&c, &why, &goes_on);
        } else {
            goes_on = false;
        }
    }
    if (rc == DR_OK && c.from < piece->len) {
        struct dr_chunk rest = {
            .text = piece->sql + c.from, .len = piece->len - c.from, .line = line_of(&c, c.from)};
        rc = add(&c, &rest);
    }
    if (rc == DR_OK && c.in_transaction) {
        rc = note(&c, DR_IMPORT_CHANGED, c.begin_line,
                  "BEGIN was taken out: a section is a transaction");
    }
    return rc;
}
