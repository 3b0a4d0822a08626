#include "coordinator/import/source.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

// Folders that hold migrations for several databases say so by a word: in a folder's name
// ("sqlite/1_users.sql") or before a file's suffix ("1_users.sqlite.sql").

struct word {
    const char *word;
    const char *engine;          // as people are told
    enum dr_sql_dialect dialect; // 0: not one of drover's
};

static const struct word words[] = {
    {"postgresql", "postgresql", DR_SQL_POSTGRESQL},
    {"postgres", "postgresql", DR_SQL_POSTGRESQL},
    {"pgsql", "postgresql", DR_SQL_POSTGRESQL},
    {"pg", "postgresql", DR_SQL_POSTGRESQL},
    {"sqlite", "sqlite", DR_SQL_SQLITE},
    {"sqlite3", "sqlite", DR_SQL_SQLITE},
    {"mysql", "mysql", 0},
    {"mariadb", "mariadb", 0},
    {"mssql", "sqlserver", 0},
    {"sqlserver", "sqlserver", 0},
    {"oracle", "oracle", 0},
    {"h2", "h2", 0},
    {"hsqldb", "hsqldb", 0},
    {"derby", "derby", 0},
    {"db2", "db2", 0},
    {"cockroachdb", "cockroachdb", 0},
    {"cockroach", "cockroachdb", 0},
    {"clickhouse", "clickhouse", 0},
    {"redshift", "redshift", 0},
    {"snowflake", "snowflake", 0},
    {"spanner", "spanner", 0},
};

// A place of a dialect's word in a name.
struct place {
    size_t from, len; // with the '/' behind it or the '.' before it
};

static const struct word *
find_word(const char *text, size_t len)
{
    for (size_t i = 0; i < DR_COUNT_OF(words); i++) {
        if (strlen(words[i].word) == len && strncasecmp(words[i].word, text, len) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

static const struct word *
word_of(const char *name, struct place *out)
{
    const char *part = name;
    for (const char *slash; (slash = strchr(part, '/')) != NULL; part = slash + 1) {
        const struct word *word = find_word(part, (size_t)(slash - part));
        if (word != NULL) {
            *out = (struct place){(size_t)(part - name), (size_t)(slash - part) + 1};
            return word;
        }
    }
    for (const char *dot = strchr(part, '.'), *next; dot != NULL; dot = next) {
        next = strchr(dot + 1, '.');
        const struct word *word =
            next == NULL ? NULL : find_word(dot + 1, (size_t)(next - dot) - 1);
        if (word != NULL) {
            *out = (struct place){(size_t)(dot - name), (size_t)(next - dot)};
            return word;
        }
    }
    return NULL;
}

// "mysql, sqlite" into `out`.
static void
add_engine(struct dr_buf *out, const char *engine)
{
    if (out->data == NULL || strstr(out->data, engine) == NULL) {
        dr_buf_printf(out, "%s%s", out->len == 0 ? "" : ", ", engine);
    }
}

// Which engine is meant when none was named: the only one that every file is for.
static enum dr_rc
guess(struct dr_import *import, const struct dr_source_list *list, struct dr_err *err)
{
    struct dr_buf engines = {.max = 512};
    const struct word *only = NULL;
    bool is_mixed = false;
    for (size_t i = 0; i < list->count; i++) {
        struct place place;
        const struct word *word = word_of(list->items[i].name, &place);
        is_mixed = is_mixed || (word != NULL && word->dialect == 0) ||
                   (i > 0 && (word == NULL) != (only == NULL)) ||
                   (word != NULL && only != NULL && word->dialect != only->dialect);
        only = word != NULL ? word : only;
        if (word != NULL) {
            add_engine(&engines, word->engine);
        }
    }
    enum dr_rc rc = DR_OK;
    bool is_default = only != NULL && only->dialect == import->dialect && engines.data != NULL &&
                      strchr(engines.data, ',') == NULL;
    if (only != NULL && is_mixed && !is_default) {
        (void)dr_err_set(err, DR_E_USAGE,
                         "'%s' holds migrations that are for one database only: %s", import->folder,
                         engines.data == NULL ? "" : engines.data);
        rc = dr_err_hint(err,
                         "choose one: drover import %s %s --engine postgresql, or --engine "
                         "sqlite",
                         import->format, import->folder);
    } else if (only != NULL) {
        import->dialect = only->dialect;
    }
    dr_buf_fini(&engines);
    return rc;
}

static enum dr_rc
strip(struct dr_import *import, struct dr_source_file *file, const struct place *place,
      struct dr_err *err)
{
    file->name = dr_arena_printf(import->arena, "%.*s%s", (int)place->from, file->name,
                                 file->name + place->from + place->len);
    if (file->name == NULL) {
        return dr_import_nomem(err);
    }
    const char *slash = strrchr(file->name, '/');
    file->base = slash == NULL ? file->name : slash + 1;
    return DR_OK;
}

enum dr_rc
dr_source_choose(struct dr_import *import, struct dr_source_list *list, struct dr_err *err)
{
    size_t kept = 0;
    enum dr_rc rc = import->is_engine_given ? DR_OK : guess(import, list, err);
    for (size_t i = 0; rc == DR_OK && i < list->count; i++) {
        struct dr_source_file file = list->items[i];
        struct place place;
        const struct word *word = word_of(file.name, &place);
        if (word != NULL && word->dialect != import->dialect) {
            rc = dr_import_note(import, NULL, DR_IMPORT_LEFT_OUT, file.path, 0, err,
                                "it is for %s, not for %s", word->engine,
                                import->dialect == DR_SQL_SQLITE ? "sqlite" : "postgresql");
            continue;
        }
        rc = word == NULL ? DR_OK : strip(import, &file, &place, err);
        list->items[kept++] = file;
    }
    list->count = kept;
    return rc;
}
