#include "coordinator/sqlcheck/parse.h"

#include "coordinator/sqlcheck/tree.h"

#include <pg_query.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORD_MAX = 63, MESSAGE_MAX = 300 };

static void
add_text(struct dr_buf *out, const char *text)
{
    sqlcheck_add_field(out, text, strlen(text));
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

// Behind a comment at `at`; `at` itself when there is none.
static size_t
skip_comment(const char *text, size_t at, size_t end)
{
    if (end - at < 2 || (memcmp(text + at, "--", 2) != 0 && memcmp(text + at, "/*", 2) != 0)) {
        return at;
    }
    if (text[at] == '-') {
        const char *line_end = memchr(text + at, '\n', end - at);
        return line_end == NULL ? end : (size_t)(line_end - text);
    }
    size_t depth = 0;
    while (at + 1 < end) {
        if (memcmp(text + at, "/*", 2) == 0) {
            depth++;
            at += 2;
        } else if (memcmp(text + at, "*/", 2) == 0) {
            at += 2;
            if (--depth == 0) {
                return at;
            }
        } else {
            at++;
        }
    }
    return end;
}

// Cuts blanks and leading comments off a statement's range: the parser counts them in.
static void
trim(const char *text, size_t *from, size_t *to)
{
    while (*from < *to) {
        size_t next = is_blank(text[*from]) ? *from + 1 : skip_comment(text, *from, *to);
        if (next == *from) {
            break;
        }
        *from = next;
    }
    while (*to > *from && is_blank(text[*to - 1])) {
        --*to;
    }
}

static void
add_statement(size_t from, size_t to, const struct sqlcheck_facts *facts, struct dr_buf *out)
{
    dr_buf_printf(out, "S\t%zu\t%zu\t%d\t%u\t%d", from, to - from, (int)facts->class_, facts->flags,
                  (int)facts->probe);
    add_text(out, facts->what);
    sqlcheck_add_field(out, facts->object.data, facts->object.len);
    sqlcheck_add_field(out, facts->creates.data, facts->creates.len);
    sqlcheck_add_field(out, facts->drops.data, facts->drops.len);
    dr_buf_str(out, "\n");
    if (facts->lines.len > 0) {
        dr_buf_add(out, facts->lines.data, facts->lines.len);
    }
}

// INSERT, UPDATE and DELETE say all by their first word; a tree of them costs ten times their
// parsing.
static bool
is_plain_write(const char *text, size_t len)
{
    static const char *const words[] = {"insert", "update", "delete"};
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (len > 6 && strncasecmp(text, words[i], 6) == 0 && is_blank(text[6])) {
            return true;
        }
    }
    return false;
}

// The facts of one statement from its own tree. False when there is none: nested too deeply to be
// written down.
static bool
read_tree(const char *text, size_t len, size_t base, struct sqlcheck_facts *facts)
{
    char *own = strndup(text, len);
    if (own == NULL) {
        exit(SQLCHECK_EXIT_MEMORY);
    }
    PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(own);
    PgQuery__ParseResult *tree = NULL;
    if (parsed.error == NULL) {
        tree = pg_query__parse_result__unpack(NULL, parsed.parse_tree.len,
                                              (const uint8_t *)parsed.parse_tree.data);
    }
    bool is_read = tree != NULL && tree->n_stmts == 1;
    if (is_read) {
        sqlcheck_tree(tree->stmts[0]->stmt, facts);
        sqlcheck_facts(tree->stmts[0]->stmt, base, &facts->lines);
    }
    if (tree != NULL) {
        pg_query__parse_result__free_unpacked(tree, NULL);
    }
    pg_query_free_protobuf_parse_result(parsed);
    free(own);
    return is_read;
}

static void
add_statements(const char *text, size_t len, const PgQuerySplitResult *split, struct dr_buf *out)
{
    struct sqlcheck_facts facts = {0};
    for (int i = 0; i < split->n_stmts; i++) {
        size_t from =
            split->stmts[i]->stmt_location < 0 ? 0 : (size_t)split->stmts[i]->stmt_location;
        size_t to = split->stmts[i]->stmt_len <= 0 ? len : from + (size_t)split->stmts[i]->stmt_len;
        if (from > len || to > len) {
            continue;
        }
        trim(text, &from, &to);
        if (is_plain_write(text + from, to - from)) {
            sqlcheck_tree(NULL, &facts);
            facts.class_ = DR_WIRE_WRITE;
        } else if (!read_tree(text + from, to - from, from, &facts)) {
            dr_buf_printf(out, "P\t%d\t%zu\t1\tthe statement is nested too deeply\t\n",
                          DR_WIRE_COMPLEX, from);
            break;
        }
        add_statement(from, to, &facts, out);
    }
    dr_buf_fini(&facts.object);
    dr_buf_fini(&facts.creates);
    dr_buf_fini(&facts.drops);
    dr_buf_fini(&facts.lines);
}

// The parser counts code points from 1.
static size_t
byte_of(const char *text, size_t len, int cursor)
{
    size_t at = 0;
    for (int seen = 1; seen < cursor && at < len; seen++) {
        at++;
        while (at < len && ((unsigned char)text[at] & 0xC0) == 0x80) {
            at++;
        }
    }
    return at < len ? at : (len == 0 ? 0 : len - 1);
}

static size_t
word_length(const char *text, size_t len, size_t at)
{
    size_t end = at;
    while (end < len && end - at < WORD_MAX &&
           ((text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z') ||
            text[end] == '_' || (end > at && text[end] >= '0' && text[end] <= '9'))) {
        end++;
    }
    return end - at;
}

// True when the word is a keyword that cannot be a column's name without quotes.
static bool
is_reserved(const char *word)
{
    PgQueryScanResult scan = pg_query_scan(word);
    bool is = false;
    if (scan.error == NULL) {
        PgQuery__ScanResult *tokens =
            pg_query__scan_result__unpack(NULL, scan.pbuf.len, (const uint8_t *)scan.pbuf.data);
        if (tokens != NULL && tokens->n_tokens == 1) {
            PgQuery__KeywordKind kind = tokens->tokens[0]->keyword_kind;
            is = kind == PG_QUERY__KEYWORD_KIND__RESERVED_KEYWORD ||
                 kind == PG_QUERY__KEYWORD_KIND__TYPE_FUNC_NAME_KEYWORD;
        }
        if (tokens != NULL) {
            pg_query__scan_result__free_unpacked(tokens, NULL);
        }
    }
    pg_query_free_scan_result(scan);
    return is;
}

// True when the same text parses further with the word at `at` in double quotes: then the word was
// meant as a name.
static bool
quoting_helps(const char *text, size_t len, size_t at, size_t word_len)
{
    struct dr_buf quoted = {.max = len + 16};
    dr_buf_add(&quoted, text, at);
    dr_buf_str(&quoted, "\"");
    dr_buf_add(&quoted, text + at, word_len);
    dr_buf_str(&quoted, "\"");
    dr_buf_add(&quoted, text + at + word_len, len - at - word_len);
    if (quoted.failed) {
        dr_buf_fini(&quoted);
        return false;
    }
    PgQuerySplitResult again = pg_query_split_with_parser(quoted.data);
    // The next token must be fine too: else a stray keyword would be called a name.
    bool helps = again.error == NULL ||
                 byte_of(quoted.data, quoted.len, again.error->cursorpos) > at + word_len + 3;
    if (again.error != NULL && helps) {
        size_t next = at + word_len + 2;
        while (next < quoted.len && is_blank(quoted.data[next])) {
            next++;
        }
        helps = byte_of(quoted.data, quoted.len, again.error->cursorpos) > next;
    }
    pg_query_free_split_result(again);
    dr_buf_fini(&quoted);
    return helps;
}

static void
add_problem(const char *text, size_t len, const PgQueryError *error, struct dr_buf *out)
{
    size_t at = byte_of(text, len, error->cursorpos);
    size_t word_len = word_length(text, len, at);
    char word[WORD_MAX + 1] = "", help[160] = "";
    memcpy(word, text + at, word_len);
    word[word_len] = '\0';
    bool is_word = word_len > 0 && is_reserved(word) && quoting_helps(text, len, at, word_len);
    if (is_word) {
        snprintf(help, sizeof help, "write \"%s\" in double quotes", word);
    }
    dr_buf_printf(out, "P\t%d\t%zu\t%zu", is_word ? DR_WIRE_RESERVED : DR_WIRE_SYNTAX, at,
                  word_len == 0 ? 1 : word_len);
    sqlcheck_add_field(out, error->message, strnlen(error->message, MESSAGE_MAX));
    add_text(out, help);
    dr_buf_str(out, "\n");
}

void
sqlcheck_parse(const char *text, size_t len, struct dr_buf *out)
{
    PgQuerySplitResult split = pg_query_split_with_parser(text);
    if (split.error != NULL) {
        add_problem(text, len, split.error, out);
    } else {
        add_statements(text, len, &split, out);
    }
    pg_query_free_split_result(split);
}
