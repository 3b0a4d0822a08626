#include "coordinator/sqlcheck/tree.h"

#include <pg_query.h>
#include <string.h>

// True when PostgreSQL's lexer takes the word for a keyword of any kind.
static bool
is_keyword(const char *word)
{
    PgQueryScanResult scan = pg_query_scan(word);
    bool is = true;
    if (scan.error == NULL) {
        PgQuery__ScanResult *tokens =
            pg_query__scan_result__unpack(NULL, scan.pbuf.len, (const uint8_t *)scan.pbuf.data);
        is = tokens == NULL || tokens->n_tokens != 1 ||
             tokens->tokens[0]->keyword_kind != PG_QUERY__KEYWORD_KIND__NO_KEYWORD;
        if (tokens != NULL) {
            pg_query__scan_result__free_unpacked(tokens, NULL);
        }
    }
    pg_query_free_scan_result(scan);
    return is;
}

void
sqlcheck_add_ident(struct dr_buf *out, const char *name)
{
    size_t len = strlen(name);
    bool is_plain = len > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_$") == len &&
                    strchr("0123456789$", name[0]) == NULL && !is_keyword(name);
    if (is_plain) {
        dr_buf_str(out, name);
        return;
    }
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
