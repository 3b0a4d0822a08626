// Probes on PostgreSQL: is the effect of a statement there that ran outside of a transaction? And
// the removal of what such a statement leaves when it is cut off. Objects come as written in the
// revision; names that go into SQL are printed by the server itself (regclass), so that they are
// quoted as it wants. See driver.h.
#include "engine/driver_pg.h"
#include "engine/guard.h"

#include <stdio.h>
#include <string.h>

#define CLEAN_TIMEOUT_MS (15ull * 60 * 1000)
#define OBJECT_MAX       512u

// Each query gives 'done', 'absent' or 'debris' for $1 (and $2, the object's second word).
static const struct {
    Drover__V1__Probe probe;
    const char *sql;
    const char *clean_sql; // gives the statement that removes debris; NULL: there is none
} probes[] = {
    {DROVER__V1__PROBE__PROBE_INDEX_CREATED,
     "SELECT CASE WHEN pg_catalog.to_regclass($1) IS NULL THEN 'absent' WHEN (SELECT indisvalid "
     "AND indisready FROM"
     " pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1)) THEN 'done' ELSE "
     "'debris' END, $2",
     "SELECT 'DROP INDEX CONCURRENTLY IF EXISTS ' || pg_catalog.to_regclass($1)::text, $2"},
    {DROVER__V1__PROBE__PROBE_INDEX_DROPPED,
     "SELECT CASE WHEN pg_catalog.to_regclass($1) IS NULL THEN 'done' ELSE 'absent' END, $2", NULL},
    {DROVER__V1__PROBE__PROBE_ENUM_VALUE,
     "SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_enum WHERE enumtypid = "
     "pg_catalog.to_regtype($1) AND"
     " enumlabel = $2) THEN 'done' ELSE 'absent' END",
     NULL},
    {DROVER__V1__PROBE__PROBE_CONSTRAINT_VALID,
     "SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = "
     "pg_catalog.to_regclass($1) AND"
     " conname = $2 AND convalidated) THEN 'done' ELSE 'absent' END",
     NULL},
    {DROVER__V1__PROBE__PROBE_IDEMPOTENT, "SELECT 'absent', $1, $2", NULL},
    {DROVER__V1__PROBE__PROBE_REINDEX,
     "SELECT CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON "
     "c.oid = i.indexrelid"
     " WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$') THEN 'debris' ELSE 'absent' "
     "END, $1, $2",
     "SELECT 'DROP INDEX CONCURRENTLY IF EXISTS ' || i.indexrelid::regclass::text, $1, $2 FROM "
     "pg_catalog.pg_index i"
     " JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid AND c.relname ~"
     " '_cc(new|old)[0-9]*$' LIMIT 1"},
    {DROVER__V1__PROBE__PROBE_DETACHED,
     "SELECT coalesce((SELECT CASE WHEN inhdetachpending THEN 'debris' ELSE 'absent' END FROM "
     "pg_catalog.pg_inherits"
     " WHERE inhparent = pg_catalog.to_regclass($1) AND inhrelid = pg_catalog.to_regclass($2)), "
     "'done')",
     "SELECT 'ALTER TABLE ' || pg_catalog.to_regclass($1)::text || ' DETACH PARTITION ' ||"
     " pg_catalog.to_regclass($2)::text || ' FINALIZE'"},
};

// The end of the first word of `object`, quotes respected.
static size_t
first_word(const char *object)
{
    bool is_quoted = false;
    size_t i = 0;
    for (; object[i] != '\0' && (is_quoted || object[i] != ' '); i++) {
        is_quoted ^= object[i] == '"';
    }
    return i;
}

// A second word as a plain text: without its quotes, doubled ones once; a bare name in lower case.
static bool
plain_word(const char *word, bool is_name, char *out, size_t size)
{
    size_t len = strlen(word), n = 0;
    char quote = len >= 2 && (word[0] == '\'' || word[0] == '"') && word[len - 1] == word[0]
                     ? word[0]
                     : '\0';
    for (size_t i = quote != '\0' ? 1 : 0; i < len - (quote != '\0' ? 1 : 0); i++) {
        if (n + 1 >= size) {
            return false;
        }
        char c = word[i];
        bool is_upper = is_name && quote == '\0' && c >= 'A' && c <= 'Z';
        out[n++] = is_upper ? (char)(c + 32) : c;
        i += quote != '\0' && c == quote && word[i + 1] == quote ? 1 : 0;
    }
    out[n] = '\0';
    return true;
}

static bool
split(Drover__V1__Probe probe, const char *object, char first[OBJECT_MAX], char second[OBJECT_MAX])
{
    size_t n = first_word(object), len = strlen(object);
    if (len >= OBJECT_MAX) {
        return false;
    }
    memcpy(first, object, n);
    first[n] = '\0';
    second[0] = '\0';
    const char *rest = object[n] == '\0' ? "" : object + n + 1;
    if (probe == DROVER__V1__PROBE__PROBE_DETACHED) {
        memcpy(second, rest, strlen(rest) + 1);
        return true;
    }
    return rest[0] == '\0' ||
           plain_word(rest, probe == DROVER__V1__PROBE__PROBE_CONSTRAINT_VALID, second, OBJECT_MAX);
}

// Asks one of the table's queries in a transaction that has the tenant's search_path.
static enum dr_rc
ask(struct dr_pgd *d, const char *sql, const char *first, const char *second, char *out,
    size_t size, struct dr_err *err)
{
    const char *params[] = {first, second};
    const char *path[] = {d->search_path};
    struct dr_pg_stmt set = {.sql = "SELECT pg_catalog.set_config('search_path', $1, true)",
                             .params = path,
                             .params_count = 1};
    struct dr_pg_stmt stmt = {.sql = sql, .params = params, .params_count = 2, .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    if (d->work == NULL || !dr_pg_is_alive(d->work)) {
        dr_pg_close(&d->work);
        enum dr_rc connected = dr_pgd_connect(d, &d->work, &d->info, err);
        if (connected != DR_OK) {
            return connected;
        }
    }
    enum dr_rc rc = dr_pg_run(d->work, "BEGIN READ ONLY", &wait, err);
    if (rc == DR_OK) {
        rc = dr_pg_exec(d->work, &set, &wait, NULL, err);
    }
    if (rc == DR_OK) {
        rc = dr_pg_value(d->work, &stmt, &wait, out, size, err);
    }
    dr_pgd_rollback(d);
    return rc;
}

// The author's own question, in the READ ONLY transaction of the others.
static enum dr_rc
ask_author(struct dr_pgd *d, const char *query, enum dr_probe_state *out, struct dr_err *err)
{
    char sql[2 * OBJECT_MAX], answer[16];
    struct dr_guard_facts facts;
    enum dr_rc rc = dr_guard_statement(DROVER__V1__ENGINE__POSTGRESQL, query, strlen(query),
                                       "probe", 1, &facts, err);
    int len =
        snprintf(sql, sizeof sql,
                 "SELECT CASE WHEN (%s) THEN 'done' ELSE 'absent' END, $1::text, $2::text", query);
    if (rc == DR_OK && (len < 0 || (size_t)len >= sizeof sql)) {
        rc = dr_err_set(err, DR_E_INVALID, "the section's probe is too long");
    }
    rc = rc == DR_OK ? ask(d, sql, "", "", answer, sizeof answer, err) : rc;
    if (rc != DR_OK) {
        return dr_err_wrap(err, "cannot ask the section's probe");
    }
    *out = strcmp(answer, "done") == 0 ? DR_PROBE_DONE : DR_PROBE_ABSENT;
    return DR_OK;
}

enum dr_rc
dr_pgd_probe(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
             const struct dr_statement *statement, enum dr_probe_state *out, struct dr_err *err)
{
    char first[OBJECT_MAX], second[OBJECT_MAX], answer[16];
    (void)statement;
    if (probe == DROVER__V1__PROBE__PROBE_QUERY) {
        return ask_author(dr_pgd_of(driver), object, out, err);
    }
    for (size_t i = 0; i < DR_COUNT_OF(probes); i++) {
        if (probes[i].probe != probe) {
            continue;
        }
        if (!split(probe, object, first, second)) {
            break;
        }
        enum dr_rc rc =
            ask(dr_pgd_of(driver), probes[i].sql, first, second, answer, sizeof answer, err);
        if (rc != DR_OK) {
            return dr_err_wrap(err, "cannot look for '%s'", object);
        }
        *out = strcmp(answer, "done") == 0     ? DR_PROBE_DONE
               : strcmp(answer, "debris") == 0 ? DR_PROBE_DEBRIS
                                               : DR_PROBE_ABSENT;
        return DR_OK;
    }
    *out = DR_PROBE_UNKNOWN;
    return DR_OK;
}

enum dr_rc
dr_pgd_clean(struct dr_driver *driver, Drover__V1__Probe probe, const char *object,
             const struct dr_statement *statement, struct dr_err *err)
{
    struct dr_pgd *d = dr_pgd_of(driver);
    char first[OBJECT_MAX], second[OBJECT_MAX], sql[2 * OBJECT_MAX];
    (void)statement;
    for (size_t i = 0; i < DR_COUNT_OF(probes); i++) {
        if (probes[i].probe != probe || probes[i].clean_sql == NULL ||
            !split(probe, object, first, second)) {
            continue;
        }
        // Without the tenant's search_path the server prints every name with its schema.
        enum dr_rc rc = ask(d, probes[i].clean_sql, first, second, sql, sizeof sql, err);
        char path[sizeof d->search_path + 64];
        (void)snprintf(path, sizeof path, "SET search_path = %s", d->search_path);
        struct dr_db_wait wait = dr_pgd_wait(d, CLEAN_TIMEOUT_MS);
        if (rc == DR_OK) {
            rc = dr_pg_run(d->work, path, &wait, err);
        }
        if (rc == DR_OK) {
            rc = dr_pg_run(d->work, sql, &wait, err);
        }
        return rc == DR_OK ? dr_pg_run(d->work, "RESET ALL", &wait, err)
                           : dr_err_wrap(err, "cannot clean up '%s'", object);
    }
    return dr_err_set(err, DR_E_NEEDS_REPAIR,
                      "'%s' is half there, and nothing is known to clean it up", object);
}
