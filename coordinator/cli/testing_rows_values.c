// Values that are made up for a column: by its type, its name, and the constants of its checks.
// What a check really asks for is not computed: several attempts vary what is filled and with what,
// and the database says which one it takes.

#include "coordinator/cli/testing_rows_inner.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LITERALS_MAX 32u
#define WINDOW       400u // bytes behind a column's name in a check that are looked at

struct literal {
    const char *text;
    size_t len;
    bool is_number;
};

// ------------------------------------------------------------------------------------------- kinds

enum dr_value_kind
dr_testing_kind_of(const char *type)
{
    // The first word that the type holds decides.
    static const struct {
        const char *word;
        enum dr_value_kind kind;
    } words[] = {
        {"\x01", DR_VALUE_LABEL},     {"[]", DR_VALUE_ARRAY},     {"range", DR_VALUE_RANGE},
        {"interval", DR_VALUE_SPAN},  {"uuid", DR_VALUE_UUID},    {"json", DR_VALUE_JSON},
        {"bool", DR_VALUE_BOOL},      {"date", DR_VALUE_TIME},    {"time", DR_VALUE_TIME},
        {"bytea", DR_VALUE_BYTES},    {"blob", DR_VALUE_BYTES},   {"inet", DR_VALUE_ADDRESS},
        {"cidr", DR_VALUE_ADDRESS},   {"int", DR_VALUE_NUMBER},   {"numeric", DR_VALUE_NUMBER},
        {"decimal", DR_VALUE_NUMBER}, {"real", DR_VALUE_NUMBER},  {"float", DR_VALUE_NUMBER},
        {"double", DR_VALUE_NUMBER},  {"money", DR_VALUE_NUMBER}, {"oid", DR_VALUE_NUMBER},
    };
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (strcasestr(type, words[i].word) != NULL) {
            return words[i].kind;
        }
    }
    return DR_VALUE_TEXT;
}

// ---------------------------------------------------------------------------------------- literals

// Is the name at `at` a word of its own?
static bool
is_word(const char *text, const char *at, size_t len)
{
    bool begins = at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_');
    return begins && !isalnum((unsigned char)at[len]) && at[len] != '_';
}

// Constants of one kind that stand behind the column's name in the checks.
static size_t
find_literals(const struct dr_value_column *column, bool numbers, struct literal out[LITERALS_MAX])
{
    size_t n = 0, name_len = strlen(column->plain);
    const char *text = column->literals;
    for (const char *at = text; (at = strstr(at, column->plain)) != NULL; at += name_len) {
        const char *end = at + strnlen(at, WINDOW);
        for (const char *c = at + name_len; is_word(text, at, name_len) && c < end; c++) {
            size_t len = 0;
            if (*c == '\'') {
                len = strcspn(c + 1, "'");
                if (!numbers && n < LITERALS_MAX && c + 1 + len < end) {
                    out[n++] = (struct literal){c + 1, len, false};
                }
                c += len + 1;
            } else if (isdigit((unsigned char)*c) && !isalnum((unsigned char)c[-1]) &&
                       c[-1] != '_') {
                len = strspn(c, "0123456789.");
                if (numbers && n < LITERALS_MAX) {
                    out[n++] = (struct literal){c, len, true};
                }
                c += len - 1;
            }
        }
    }
    return n;
}

// One of the labels, which have \x01 between.
static void
add_label(const struct dr_value_column *column, uint64_t number, struct dr_buf *out)
{
    size_t count = 1;
    const char *label = column->literals;
    for (const char *c = label; *c != '\0'; c++) {
        count += *c == '\x01';
    }
    for (uint64_t skip = number % count; skip > 0; skip--) {
        label += strcspn(label, "\x01") + 1;
    }
    for (size_t len = strcspn(label, "\x01"); len > 0; len--, label++) {
        dr_buf_add(out, "''", *label == '\'' ? 2 : 0);
        dr_buf_add(out, label, *label == '\'' ? 0 : 1);
    }
}

// ------------------------------------------------------------------------------------------ values

static void
add_text(const struct dr_value_column *column, uint64_t number, unsigned attempt,
         struct dr_buf *out)
{
    char text[128];
    struct literal found[LITERALS_MAX];
    size_t n = attempt % 4 == 3 ? 0 : find_literals(column, false, found);
    size_t room = column->max_len == 0 ? sizeof text : column->max_len;
    bool is_id = dr_str_ends(column->plain, "id") || dr_str_ends(column->plain, "uuid");
    if (n > 0) {
        const struct literal *one = &found[(number + attempt) % n];
        dr_buf_add(out, one->text, one->len);
        return;
    }
    if (strcasestr(column->plain, "mail") != NULL) {
        (void)snprintf(text, sizeof text, "row%" PRIu64 "@example.org", number);
    } else if (strcasestr(column->plain, "url") != NULL || attempt % 4 == 2) {
        (void)snprintf(text, sizeof text, "https://example.org/%" PRIu64, number);
    } else if ((is_id && room >= 36) || attempt % 4 == 3) {
        (void)snprintf(text, sizeof text, "00000000-0000-4000-8000-%012" PRIu64, number);
    } else {
        (void)snprintf(text, sizeof text, "%s %" PRIu64, column->plain, number);
    }
    size_t len = strlen(text);
    const char *from = len > room ? text + len - room : text; // the end of it differs
    for (; *from != '\0'; from++) {
        dr_buf_add(out, "_", *from == '\'' ? 1 : 0);
        dr_buf_add(out, from, *from == '\'' ? 0 : 1);
    }
}

static void
add_number(const struct dr_value_column *column, uint64_t number, unsigned attempt,
           struct dr_buf *out)
{
    struct literal found[LITERALS_MAX];
    size_t n = attempt < 2 ? 0 : find_literals(column, true, found);
    if (n > 0) {
        const struct literal *one = &found[(number + attempt) % n];
        dr_buf_add(out, one->text, one->len);
    } else {
        dr_buf_printf(out, "%" PRIu64, attempt % 5 == 4 ? 0 : number + 1);
    }
}

static void
add_value(const struct dr_value_column *column, uint64_t number, unsigned attempt,
          struct dr_buf *out)
{
    switch (column->kind) {
    case DR_VALUE_NUMBER:
        add_number(column, number, attempt, out);
        break;
    case DR_VALUE_BOOL:
        dr_buf_printf(out, "%d", (int)((number + attempt) % 2));
        break;
    case DR_VALUE_TIME: // a later column holds a later time
        dr_buf_printf(out, "2026-01-%02u %02u:00:00", (unsigned)(number % 27) + 1,
                      (unsigned)(column->place % 24));
        break;
    case DR_VALUE_SPAN:
        dr_buf_printf(out, "%" PRIu64 " days", number + 1);
        break;
    case DR_VALUE_UUID:
        dr_buf_printf(out, "00000000-0000-4000-8000-%012" PRIu64, number);
        break;
    case DR_VALUE_JSON:
        dr_buf_str(out, attempt % 2 == 0 ? "{}" : "[]");
        break;
    case DR_VALUE_BYTES:
        dr_buf_printf(out, "\\x%02x", (unsigned)(number % 256));
        break;
    case DR_VALUE_ARRAY:
        dr_buf_str(out, "{}");
        break;
    case DR_VALUE_RANGE:
        dr_buf_str(out, "empty");
        break;
    case DR_VALUE_ADDRESS:
        dr_buf_printf(out, "10.0.0.%u", (unsigned)(number % 250) + 1);
        break;
    case DR_VALUE_LABEL:
        add_label(column, number + attempt, out);
        break;
    case DR_VALUE_TEXT:
        add_text(column, number, attempt, out);
        break;
    }
}

// ------------------------------------------------------------------------------------------ insert

// Does this attempt fill the column? The first fills all, the second what has to be; later ones
// vary what need not be.
static bool
is_filled(const struct dr_value_column *column, unsigned attempt)
{
    if (column->has_default) {
        return attempt % 3 == 2;
    }
    if (column->is_not_null || attempt == 0) {
        return true;
    }
    return attempt != 1 && ((attempt - 1) >> (column->place % 4) & 1u) != 0;
}

void
dr_testing_insert(const char *table, const struct dr_value_column *columns, size_t count,
                  uint64_t number, unsigned attempt, struct dr_buf *out)
{
    size_t n = 0;
    dr_buf_printf(out, "INSERT INTO %s ", table);
    for (size_t i = 0; i < count; i++) {
        if (is_filled(&columns[i], attempt)) {
            dr_buf_printf(out, "%s%s", n++ == 0 ? "(" : ", ", columns[i].name);
        }
    }
    if (n == 0) {
        dr_buf_str(out, "DEFAULT VALUES");
        return;
    }
    dr_buf_str(out, ") VALUES (");
    n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct dr_value_column *c = &columns[i];
        if (!is_filled(c, attempt)) {
            continue;
        }
        dr_buf_str(out, n++ == 0 ? "" : ", ");
        if (c->reference[0] != '\0') {
            dr_buf_printf(out,
                          "(%s LIMIT 1 OFFSET %" PRIu64 " %% (SELECT CASE count(*) WHEN 0 THEN 1 "
                          "ELSE count(*) END FROM %s))",
                          c->reference, number, c->target);
        } else {
            dr_buf_str(out, "'");
            add_value(c, number, attempt, out);
            dr_buf_str(out, "'");
        }
    }
    dr_buf_str(out, ")");
}
