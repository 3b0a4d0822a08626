#include "coordinator/sqlcheck/tree.h"

#include <pg_query.h>
#include <string.h>

// What PostgreSQL's lexer takes the word for; -1 when it is no single token.
static int
keyword_kind(const char *word)
{
    PgQueryScanResult scan = pg_query_scan(word);
    int kind = -1;
    if (scan.error == NULL) {
        PgQuery__ScanResult *tokens =
            pg_query__scan_result__unpack(NULL, scan.pbuf.len, (const uint8_t *)scan.pbuf.data);
        if (tokens != NULL && tokens->n_tokens == 1) {
            kind = (int)tokens->tokens[0]->keyword_kind;
        }
        if (tokens != NULL) {
            pg_query__scan_result__free_unpacked(tokens, NULL);
        }
    }
    pg_query_free_scan_result(scan);
    return kind;
}

static bool
is_plain(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_$") == len &&
           strchr("0123456789$", name[0]) == NULL;
}

static void
add_quoted(struct dr_buf *out, const char *name)
{
    dr_buf_str(out, "\"");
    for (const char *c = name; *c != '\0'; c++) {
        dr_buf_add(out, c, 1);
        if (*c == '"') {
            dr_buf_str(out, "\"");
        }
    }
    dr_buf_str(out, "\"");
}

void
sqlcheck_add_ident(struct dr_buf *out, const char *name)
{
    if (is_plain(name) && keyword_kind(name) == PG_QUERY__KEYWORD_KIND__NO_KEYWORD) {
        dr_buf_str(out, name);
    } else {
        add_quoted(out, name);
    }
}

void
sqlcheck_add_name(struct dr_buf *out, const char *name)
{
    int kind = is_plain(name) ? keyword_kind(name) : -1;
    if (kind == PG_QUERY__KEYWORD_KIND__NO_KEYWORD ||
        kind == PG_QUERY__KEYWORD_KIND__UNRESERVED_KEYWORD) {
        dr_buf_str(out, name);
    } else {
        add_quoted(out, name);
    }
}

void
sqlcheck_add_range(struct dr_buf *out, const PgQuery__RangeVar *range)
{
    if (range == NULL) {
        return;
    }
    if (range->schemaname[0] != '\0') {
        sqlcheck_add_ident(out, range->schemaname);
        dr_buf_str(out, ".");
    }
    sqlcheck_add_ident(out, range->relname);
}

void
sqlcheck_add_names(struct dr_buf *out, PgQuery__Node *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i]->node_case == PG_QUERY__NODE__NODE_STRING) {
            dr_buf_str(out, i == 0 ? "" : ".");
            sqlcheck_add_ident(out, names[i]->string->sval);
        }
    }
}

void
sqlcheck_add_field(struct dr_buf *out, const char *text, size_t len)
{
    dr_buf_str(out, "\t");
    for (size_t i = 0; i < len; i++) {
        const char *escape = text[i] == '\\'   ? "\\\\"
                             : text[i] == '\t' ? "\\t"
                             : text[i] == '\n' ? "\\n"
                                               : NULL;
        if (escape != NULL) {
            dr_buf_str(out, escape);
        } else {
            dr_buf_add(out, text + i, 1);
        }
    }
}
