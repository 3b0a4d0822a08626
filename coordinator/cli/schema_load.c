// Runs a file of statements in a scratch database, as pg_dump, psql and people write it.

#include "coordinator/cli/schema_source.h"

#include "base/file.h"
#include "db/pg.h"
#include "db/sqlite.h"
#include "sql/check.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENT_MS 60000
#define ROLE_TRIES   64

struct loading {
    struct dr_schema_shared *shared;
    const char *path;
    struct dr_pg *pg;
    struct dr_sqlite *db;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Takes psql's own lines (\restrict) out, keeping the lines' numbers.
static void
blank_commands(char *text, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t next = end == NULL ? len : (size_t)(end - text);
        if (text[at] == '\\') {
            memset(text + at, ' ', next - at);
        }
        at = next;
    }
}

// The first words of a statement in lower case with single blanks, without comments.
static void
first_words(const char *sql, size_t len, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < size; i++) {
        bool is_comment = sql[i] == '-' && i + 1 < len && sql[i + 1] == '-';
        while (is_comment && i + 1 < len && sql[i] != '\n') {
            i++;
        }
        if (!is_comment && !is_space(sql[i])) {
            out[n++] = (char)tolower((unsigned char)sql[i]);
        } else if (n > 0 && out[n - 1] != ' ') {
            out[n++] = ' ';
        }
    }
    out[n] = '\0';
}

// What follows `start` in `words`; NULL where they begin otherwise.
static const char *
after(const char *words, const char *start)
{
    for (; *start != '\0'; start++, words++) {
        if (tolower((unsigned char)*words) != tolower((unsigned char)*start)) {
            return NULL;
        }
    }
    return words;
}

static bool
ends_word(const char *rest)
{
    return rest != NULL && !isalnum((unsigned char)*rest) && *rest != '_' && *rest != '$';
}

static bool
makes_schema(const char *words, const char *schema)
{
    const char *name = after(words, "create schema ");
    const char *condition = name == NULL ? NULL : after(name, "if not exists ");
    name = condition == NULL ? name : condition;
    return name != NULL && ends_word(after(*name == '"' ? name + 1 : name, schema));
}

// Nothing of the schema: who owns it, transactions, what every database has.
static bool
is_left_out(const char *words, const char *schema)
{
    if (schema != NULL && makes_schema(words, schema)) {
        return true; // made already
    }
    static const char *const starts[] = {"begin",
                                         "commit",
                                         "start transaction",
                                         "create schema public",
                                         "comment on extension plpgsql",
                                         "create extension if not exists plpgsql",
                                         "set default_table_access_method",
                                         "select pg_catalog.set_config('search_path', ''"};
    for (size_t i = 0; i < DR_COUNT_OF(starts); i++) {
        if (ends_word(after(words, starts[i]))) {
            return true;
        }
    }
    return after(words, "alter ") != NULL && strstr(words, " owner to ") != NULL;
}

bool
dr_schema_make_role(const struct dr_schema_shared *shared, const char *message)
{
    static const char before[] = "role \"";
    const char *start = strstr(message, before);
    const char *name = start == NULL ? NULL : start + strlen(before);
    const char *end = name == NULL ? NULL : strstr(name, "\" does not exist");
    struct dr_db_wait wait = dr_db_wait_ms(STATEMENT_MS);
    struct dr_pg *pg = NULL;
    if (end == NULL || shared->server.cluster == NULL || memchr(name, '"', (size_t)(end - name))) {
        return false;
    }
    const struct dr_pg_options options = {.url = shared->server.url, .target = "schema"};
    const char *sql =
        dr_arena_printf(shared->cli->arena, "CREATE ROLE \"%.*s\"", (int)(end - name), name);
    bool made = sql != NULL && dr_pg_connect(&options, &wait, &pg, NULL) == DR_OK &&
                dr_pg_run(pg, sql, &wait, NULL) == DR_OK;
    dr_pg_close(&pg);
    return made;
}

static enum dr_rc
run_one(struct loading *l, const char *sql, size_t len, struct dr_err *err)
{
    if (l->db != NULL) {
        return dr_sqlite_exec(l->db, sql, len, NULL, NULL, err);
    }
    struct dr_db_wait wait = dr_db_wait_ms(STATEMENT_MS);
    const char *text = dr_arena_strn(l->shared->cli->arena, sql, len);
    enum dr_rc rc = text == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                                 : dr_pg_run(l->pg, text, &wait, err);
    for (int i = 0; rc != DR_OK && text != NULL && err != NULL && i < ROLE_TRIES &&
                    dr_schema_make_role(l->shared, err->message);
         i++) {
        wait = dr_db_wait_ms(STATEMENT_MS);
        rc = dr_pg_run(l->pg, text, &wait, err);
    }
    return rc;
}

static enum dr_rc
run_all(struct loading *l, const char *text, const struct dr_sql_result *split, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    if (split->problem.rc != DR_OK) {
        (void)dr_err_set(err, DR_E_SQL_SYNTAX, "%s", split->problem.message);
        return dr_err_at(err, l->path, 1, 1);
    }
    for (size_t i = 0; rc == DR_OK && i < split->count; i++) {
        const struct dr_sql_stmt *s = &split->stmts[i];
        char words[256] = {0};
        first_words(text + s->offset, s->length, words, sizeof(words));
        if (!is_left_out(words, dr_cli_option(l->shared->cli, "schema"))) {
            rc = run_one(l, text + s->offset, s->length, err);
        }
        if (rc != DR_OK) {
            (void)dr_err_at(err, l->path, s->line, s->column);
            (void)dr_err_hint(err, "correct the statement; the file must build the schema in an "
                                   "empty database");
        }
    }
    return rc;
}

static enum dr_rc
open_pg(struct loading *l, const char *url, struct dr_err *err)
{
    const struct dr_pg_options options = {.url = url, .target = "schema"};
    const char *schema = dr_cli_option(l->shared->cli, "schema");
    struct dr_db_wait wait = dr_db_wait_ms(STATEMENT_MS);
    enum dr_rc rc = dr_pg_connect(&options, &wait, &l->pg, err);
    const char *params[] = {schema ? schema : "public"};
    struct dr_pg_stmt set = {.sql = "SELECT pg_catalog.set_config('search_path', "
                                    "pg_catalog.quote_ident($1), false)",
                             .params = params,
                             .params_count = 1};
    struct dr_pg_stmt quote = {.sql = "SELECT 'CREATE SCHEMA IF NOT EXISTS ' || "
                                      "pg_catalog.quote_ident($1)",
                               .params = params,
                               .params_count = 1,
                               .max_rows = 1};
    char make[256];
    if (rc == DR_OK && schema != NULL) {
        rc = dr_pg_value(l->pg, &quote, &wait, make, sizeof(make), err);
        rc = rc == DR_OK ? dr_pg_run(l->pg, make, &wait, err) : rc;
    }
    return rc == DR_OK ? dr_pg_exec(l->pg, &set, &wait, NULL, err) : rc;
}

static enum dr_rc
open_sqlite(struct loading *l, const char *url, struct dr_err *err)
{
    const struct dr_sqlite_options options = {.create = true};
    char path[DR_DB_URL_MAX];
    enum dr_rc rc = dr_db_sqlite_path(url, path, sizeof(path), err);
    return rc == DR_OK ? dr_sqlite_open(path, &options, &l->db, err) : rc;
}

enum dr_rc
dr_schema_load(struct dr_schema_shared *shared, const char *path, enum dr_db_kind engine,
               const char *url, struct dr_err *err)
{
    struct loading l = {.shared = shared, .path = path};
    struct dr_sql_result split = {0};
    char *text = NULL;
    size_t len = 0;
    bool is_sqlite = engine == DR_DB_SQLITE;
    enum dr_rc rc = dr_file_read(path, DR_SCHEMA_FILE_MAX, &text, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    blank_commands(text, len);
    const struct dr_sql_text one = {.text = text, .len = len};
    rc = dr_sql_split(is_sqlite ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL, &one, shared->cli->arena,
                      &split, err);
    rc = rc != DR_OK ? rc : is_sqlite ? open_sqlite(&l, url, err) : open_pg(&l, url, err);
    rc = rc == DR_OK ? run_all(&l, one.text, &split, err) : rc;
    dr_pg_close(&l.pg);
    dr_sqlite_close(&l.db);
    free(text);
    return rc;
}
