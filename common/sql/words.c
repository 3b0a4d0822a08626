#include "sql/lexer.h"

#include "base/str.h"

#include <string.h>

// What the first words of a statement say about it. Words are compared in upper case; comments
// between them are skipped.

// The next bare word of `text` from `*pos` in upper case; false at anything else. Quoted names are
// no words.
static bool
next_word(const char *text, size_t len, size_t *pos, char *out, size_t out_size)
{
    size_t p = *pos;
    while (p < len) {
        if (strchr(" \t\r\n\f\v", text[p]) != NULL && text[p] != '\0') {
            p++;
        } else if (p + 1 < len && text[p] == '-' && text[p + 1] == '-') {
            while (p < len && text[p] != '\n') {
                p++;
            }
        } else if (p + 1 < len && text[p] == '/' && text[p + 1] == '*') {
            const char *close = memmem(text + p + 2, len - p - 2, "*/", 2);
            p = close == NULL ? len : (size_t)(close - text) + 2;
        } else {
            break;
        }
    }
    size_t n = 0;
    while (p < len && ((text[p] >= 'a' && text[p] <= 'z') || (text[p] >= 'A' && text[p] <= 'Z') ||
                       text[p] == '_')) {
        if (n + 1 < out_size) {
            out[n++] = (char)(text[p] >= 'a' && text[p] <= 'z' ? text[p] - 32 : text[p]);
        }
        p++;
    }
    out[n] = '\0';
    *pos = p;
    return n > 0;
}

void
dr_sql_first_words(const char *text, size_t len, unsigned max, char *out, size_t out_size)
{
    size_t pos = 0, used = 0;
    char word[32];
    out[0] = '\0';
    for (unsigned i = 0; i < max && next_word(text, len, &pos, word, sizeof word); i++) {
        size_t n = strlen(word);
        if (used + n + 2 > out_size) {
            return;
        }
        if (used > 0) {
            out[used++] = ' ';
        }
        memcpy(out + used, word, n + 1);
        used += n;
    }
}

struct forbidden {
    unsigned dialects;
    const char *words; // the statement begins with them
    const char *what;
};

enum { PG = 1u << DR_SQL_POSTGRESQL, LITE = 1u << DR_SQL_SQLITE, BOTH = PG | LITE };

static const struct forbidden forbidden[] = {
    {BOTH, "BEGIN", "BEGIN"},
    {BOTH, "START TRANSACTION", "START TRANSACTION"},
    {BOTH, "COMMIT", "COMMIT"},
    {BOTH, "END", "END"},
    {PG, "ABORT", "ABORT"},
    {BOTH, "ROLLBACK", "ROLLBACK"},
    {BOTH, "SAVEPOINT", "SAVEPOINT"},
    {BOTH, "RELEASE", "RELEASE SAVEPOINT"},
    {PG, "PREPARE TRANSACTION", "PREPARE TRANSACTION"},
    {PG, "CREATE DATABASE", "CREATE DATABASE"},
    {PG, "DROP DATABASE", "DROP DATABASE"},
    {PG, "CREATE TABLESPACE", "CREATE TABLESPACE"},
    {PG, "DROP TABLESPACE", "DROP TABLESPACE"},
    {PG, "ALTER SYSTEM", "ALTER SYSTEM"},
    {PG, "SET ROLE", "SET ROLE"},
    {PG, "SET LOCAL ROLE", "SET ROLE"},
    {PG, "SET SESSION ROLE", "SET ROLE"},
    {PG, "RESET ROLE", "RESET ROLE"},
    {PG, "SET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION"},
    {PG, "SET LOCAL SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION"},
    {PG, "SET SESSION SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION"},
    {PG, "RESET SESSION AUTHORIZATION", "RESET SESSION AUTHORIZATION"},
    {PG, "DISCARD", "DISCARD"},
    {LITE, "ATTACH", "ATTACH"},
    {LITE, "DETACH", "DETACH"},
};

static bool
begins_with_words(const char *text, const char *words)
{
    size_t n = text[0] == words[0] ? strlen(words) : 0;
    return n > 0 && strncmp(text, words, n) == 0 && (text[n] == ' ' || text[n] == '\0');
}

// What a COPY is called: with the client as its other end it would also break the protocol.
// quotes and parentheses.
static const char *
copy_name(const char *text, size_t len)
{
    char word[32], before[32] = "";
    for (size_t pos = 0; pos < len;) {
        size_t was = pos;
        if (text[pos] == '\'' || text[pos] == '"') {
            char quote = text[pos++];
            while (pos < len && text[pos] != quote) {
                pos++;
            }
            pos++;
            before[0] = '\0';
        } else if (!next_word(text, len, &pos, word, sizeof word)) {
            pos += pos == was;
            before[0] = pos == was + 1 ? '\0' : before[0];
        } else if (strcmp(before, "FROM") == 0 && strcmp(word, "STDIN") == 0) {
            return "COPY FROM STDIN";
        } else if (strcmp(before, "TO") == 0 && strcmp(word, "STDOUT") == 0) {
            return "COPY TO STDOUT";
        } else {
            memcpy(before, word, sizeof before);
        }
    }
    return "COPY";
}

const char *
dr_sql_forbidden(enum dr_sql_dialect dialect, const char *text, size_t len)
{
    char words[96];
    dr_sql_first_words(text, len, 4, words, sizeof words);
    for (size_t i = 0; i < DR_COUNT_OF(forbidden); i++) {
        if ((forbidden[i].dialects & (1u << dialect)) != 0 &&
            begins_with_words(words, forbidden[i].words)) {
            return forbidden[i].what;
        }
    }
    bool is_copy = dialect == DR_SQL_POSTGRESQL && begins_with_words(words, "COPY");
    return is_copy ? copy_name(text, len) : NULL;
}
