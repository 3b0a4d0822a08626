#include "sql/lint_internal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

// What the tables lack when the whole chain has been replayed. A later revision may have mended
// what an earlier one left out, so nothing is said before the end.

enum { STEM_MAX = 120, WORD_BUCKETS = 4096 };

// True when an index begins with these columns, in any order among themselves.
static bool
has_index(const struct dr_model_table *t, const char *columns)
{
    for (const struct dr_model_part *p = t->parts; p != NULL; p = p->next) {
        bool is_index = p->kind == DR_FACT_KEY || p->kind == DR_FACT_INDEX;
        if (!p->is_gone && is_index && dr_model_same_columns(columns, p->columns, true)) {
            return true;
        }
    }
    return false;
}

// "ix_orders_user_id": SQLite wants a name, and so does an index that is built concurrently.
static const char *
index_name(const char *table, const char *columns, char out[96])
{
    const char *dot = strrchr(table, '.');
    const char *const parts[] = {dot == NULL ? table : dot + 1, columns};
    size_t n = (size_t)snprintf(out, 96, "ix");
    for (size_t i = 0; i < 2; i++) {
        bool is_apart = true;
        for (const char *at = parts[i]; *at != '\0' && n < 63; at++) {
            bool is_word = isalnum((unsigned char)*at) || (unsigned char)*at >= 0x80;
            if (is_word && is_apart) {
                out[n++] = '_';
            }
            if (is_word) {
                out[n++] = *at;
            }
            is_apart = !is_word;
        }
    }
    out[n] = '\0';
    return out;
}

static void
on_foreign_key(const struct dr_model_table *t, const struct dr_model_part *p,
               struct dr_findings *out)
{
    char message[400], help[400], name[96];
    bool is_lite = p->place.section->dialect == DR_SQL_SQLITE;
    if (has_index(t, p->columns)) {
        return;
    }
    snprintf(message, sizeof message,
             "foreign key (%.100s) of '%.80s' has no index: deleting or joining rows of '%.80s' "
             "reads the whole table",
             p->columns, t->name, p->ref);
    snprintf(help, sizeof help, "CREATE INDEX%s %s ON %.80s (%.100s)",
             is_lite || (p->place.fact->flags & DR_FACT_ADDED) == 0 ? "" : " CONCURRENTLY",
             index_name(t->name, p->columns, name), t->name, p->columns);
    dr_lint_report_fact(&p->place, "missing-fk-index", message, help, out);
}

// ------------------------------------------------------------------------------------- references

enum family { OTHER_TYPE, INTEGERS, UUIDS, TEXTS };

static enum family
family_of(const char *type)
{
    static const struct {
        const char *name;
        enum family family;
    } rows[] = {
        {"int", INTEGERS},    {"bigint", INTEGERS},    {"smallint", INTEGERS},
        {"serial", INTEGERS}, {"bigserial", INTEGERS}, {"uuid", UUIDS},
        {"varchar", TEXTS},   {"text", TEXTS},         {"char", TEXTS},
    };
    for (size_t i = 0; strchr(type, '[') == NULL && i < DR_COUNT_OF(rows); i++) {
        if (strncmp(type, rows[i].name, strlen(rows[i].name)) == 0) {
            return strncmp(type, "interval", 8) == 0 ? OTHER_TYPE : rows[i].family;
        }
    }
    return OTHER_TYPE;
}

static const struct dr_model_part *
primary_key(const struct dr_model_table *t)
{
    const struct dr_model_part *p = t->parts;
    while (p != NULL &&
           (p->is_gone || p->kind != DR_FACT_KEY || (p->flags & DR_FACT_PRIMARY) == 0)) {
        p = p->next;
    }
    return p;
}

static enum family
key_family(const struct dr_model_table *t)
{
    const struct dr_model_part *key = primary_key(t);
    const struct dr_model_part *column =
        key == NULL ? NULL : dr_model_part_named(t, DR_FACT_COLUMN, key->columns);
    return column == NULL ? OTHER_TYPE : family_of(column->columns);
}

static const char *
bare_name(const struct dr_model_table *t)
{
    const char *dot = strrchr(t->name, '.');
    return dot == NULL ? t->name : dot + 1;
}

// A table by a word that may mean it: its name, or the end of it behind a '_', in the singular.
struct entry {
    struct entry *next;
    const char *word;
    const struct dr_model_table *table;
    enum family family;
    bool is_end;
};

struct words {
    struct dr_arena *arena;
    struct entry *buckets[WORD_BUCKETS], **tails[WORD_BUCKETS];
};

static size_t
bucket_of(const char *word)
{
    uint32_t hash = 2166136261u;
    for (; *word != '\0'; word++) {
        hash = (hash ^ (unsigned char)*word) * 16777619u;
    }
    return hash % WORD_BUCKETS;
}

static void
add_word(struct words *words, const struct entry *like, const char *text, size_t len,
         const char *end)
{
    struct entry *e = dr_arena_alloc(words->arena, sizeof *e);
    const char *word = dr_arena_printf(words->arena, "%.*s%s", (int)len, text, end);
    if (e == NULL || word == NULL || word[0] == '\0') {
        return;
    }
    *e = *like;
    e->word = word;
    size_t bucket = bucket_of(word);
    if (words->tails[bucket] == NULL) {
        words->tails[bucket] = &words->buckets[bucket];
    }
    *words->tails[bucket] = e;
    words->tails[bucket] = &e->next;
}

static bool
ends_with(const char *text, size_t len, const char *end)
{
    size_t n = strlen(end);
    return len > n && memcmp(text + len - n, end, n) == 0;
}

static void
add_table_words(struct words *words, const struct dr_model_table *t)
{
    struct entry like = {.table = t, .family = key_family(t)};
    const char *name = bare_name(t);
    for (const char *at = name; at != NULL; at = strchr(at, '_')) {
        at += at != name;
        size_t len = strlen(at);
        like.is_end = at != name;
        add_word(words, &like, at, len, "");
        if (ends_with(at, len, "ies")) {
            add_word(words, &like, at, len - 3, "y");
        }
        if (ends_with(at, len, "es")) {
            add_word(words, &like, at, len - 2, "");
        }
        if (ends_with(at, len, "s")) {
            add_word(words, &like, at, len - 1, "");
        }
    }
}

static struct words *
read_words(const struct dr_model *model)
{
    struct words *words = dr_arena_alloc(model->arena, sizeof *words);
    if (words == NULL) {
        return NULL;
    }
    words->arena = model->arena;
    for (const struct dr_model_table *t = model->first; t != NULL; t = t->next) {
        if (!t->is_gone && (t->flags & DR_FACT_TEMPORARY) == 0) {
            add_table_words(words, t);
        }
    }
    return words;
}

static const struct dr_model_table *
table_for(const struct words *words, const char *word, enum family family, bool is_end)
{
    const struct entry *e = words->buckets[bucket_of(word)];
    while (e != NULL &&
           (e->is_end != is_end || e->family != family || strcmp(e->word, word) != 0)) {
        e = e->next;
    }
    return e == NULL ? NULL : e->table;
}

// The table for "spec_artifact": that name, then "artifact".
static const struct dr_model_table *
find_target(const struct words *words, const struct dr_model_table *own, const char *stem,
            enum family family)
{
    if (strcmp(stem, "parent") == 0 && key_family(own) == family) {
        return own;
    }
    for (int is_end = 0; is_end < 2; is_end++) {
        for (const char *at = stem; at != NULL; at = strchr(at, '_')) {
            at += at != stem;
            const struct dr_model_table *t = table_for(words, at, family, is_end != 0);
            if (t != NULL) {
                return t;
            }
        }
    }
    return NULL;
}

// Ids that usually belong to another system.
static bool
is_foreign_word(const char *stem)
{
    static const char *const words[] = {"external", "request",  "trace",    "span",   "session",
                                        "client",   "device",   "message",  "event",  "job",
                                        "process",  "thread",   "tenant",   "batch",  "correlation",
                                        "remote",   "upstream", "legacy",   "stripe", "transaction",
                                        "object",   "entity",   "resource", "subject"};
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        const char *found = strstr(stem, words[i]);
        size_t len = strlen(words[i]);
        if (found != NULL && (found == stem || found[-1] == '_') &&
            (found[len] == '\0' || found[len] == '_')) {
            return true;
        }
    }
    return false;
}

static bool
is_held(const struct dr_model_table *t, const struct dr_model_part *column)
{
    const struct dr_model_part *key = primary_key(t);
    if (key != NULL && strcmp(key->columns, column->name) == 0) {
        return true;
    }
    for (const struct dr_model_part *p = t->parts; p != NULL; p = p->next) {
        if (!p->is_gone && p->kind == DR_FACT_FOREIGN_KEY &&
            strstr(p->columns, column->name) != NULL) {
            return true;
        }
    }
    return false;
}

static void
on_reference(const struct words *words, const struct dr_model_table *t,
             const struct dr_model_part *p, struct dr_findings *out)
{
    char stem[STEM_MAX], other[STEM_MAX + 8], message[400], help[400];
    size_t len = strlen(p->name);
    enum family family = family_of(p->columns);
    if (len < 4 || len >= STEM_MAX || strcmp(p->name + len - 3, "_id") != 0 ||
        family == OTHER_TYPE || is_held(t, p)) {
        return;
    }
    snprintf(stem, sizeof stem, "%.*s", (int)len - 3, p->name);
    snprintf(other, sizeof other, "%s_type", stem);
    if (dr_model_part_named(t, DR_FACT_COLUMN, other) != NULL) {
        return; // points at one of several tables
    }
    const struct dr_model_table *target = find_target(words, t, stem, family);
    if (target == NULL && (is_foreign_word(stem) || family == TEXTS || key_family(t) != family)) {
        return;
    }
    const struct dr_model_part *key = target == NULL ? NULL : primary_key(target);
    if (key != NULL) {
        snprintf(
            message, sizeof message,
            "'%.80s.%.80s' looks like a reference to '%.80s.%.60s', but no foreign key holds it",
            t->name, p->name, target->name, key->columns);
        snprintf(help, sizeof help,
                 "add FOREIGN KEY (%.80s) REFERENCES %.80s (%.60s), or say with nolint why not",
                 p->name, target->name, key->columns);
    } else {
        snprintf(message, sizeof message,
                 "'%.80s.%.80s' is named like a reference, but no foreign key holds it, and no "
                 "table is called after it",
                 t->name, p->name);
        snprintf(help, sizeof help, "add a foreign key, or say with nolint what it points at");
    }
    dr_lint_report_fact(&p->place, "reference-without-foreign-key", message, help, out);
}

// ---------------------------------------------------------------------------------------- filters

static bool
is_filter(const char *name)
{
    size_t len = strlen(name);
    return strcmp(name, "status") == 0 || strcmp(name, "state") == 0 ||
           (len > 7 && strcmp(name + len - 7, "_status") == 0);
}

// Any index that has the column will do; what a partial one is good for cannot be told.
static bool
is_indexed(const struct dr_model_table *t, const char *column)
{
    for (const struct dr_model_part *p = t->parts; p != NULL; p = p->next) {
        bool is_index = !p->is_gone && (p->kind == DR_FACT_KEY || p->kind == DR_FACT_INDEX);
        if (is_index && ((p->flags & DR_FACT_PARTIAL) != 0 || p->columns[0] == '\0' ||
                         strstr(p->columns, column) != NULL)) {
            return true;
        }
    }
    return false;
}

static void
on_filter(const struct dr_model_table *t, const struct dr_model_part *p, struct dr_findings *out)
{
    char message[300], help[400], name[96];
    if (!is_filter(p->name) || strncmp(p->columns, "bool", 4) == 0 || is_indexed(t, p->name)) {
        return;
    }
    snprintf(message, sizeof message, "queries often filter by '%.80s.%.80s', which has no index",
             t->name, p->name);
    snprintf(
        help, sizeof help,
        "if yours do: CREATE INDEX %s ON %.80s (%.80s); one with WHERE for the values that are "
        "rare is smaller",
        index_name(t->name, p->name, name), t->name, p->name);
    dr_lint_report_fact(&p->place, "missing-filter-index", message, help, out);
}

void
dr_lint_chain_end(struct dr_lint_catalog *catalog, struct dr_findings *out)
{
    const struct words *words = read_words(&catalog->model);
    for (const struct dr_model_table *t = words == NULL ? NULL : catalog->model.first; t != NULL;
         t = t->next) {
        if (t->is_gone || (t->flags & DR_FACT_TEMPORARY) != 0) {
            continue;
        }
        for (const struct dr_model_part *p = t->parts; p != NULL; p = p->next) {
            if (!p->is_gone && p->kind == DR_FACT_FOREIGN_KEY) {
                on_foreign_key(t, p, out);
            } else if (!p->is_gone && p->kind == DR_FACT_COLUMN) {
                on_reference(words, t, p, out);
                on_filter(t, p, out);
            }
        }
    }
}
