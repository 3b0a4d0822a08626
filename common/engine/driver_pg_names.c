// Names in an unapproved preflight on PostgreSQL. The list of sql/preflight.h knows names; which
// function, operator or relation a name means is decided by the database, and its users can make
// their own: lower(mytype) in the tenant's schema is called in the place of lower(text) when it
// fits better, u.lower calls lower(u), a view runs whatever is in it. So the catalog is asked, with
// nothing but pg_catalog on the search path, whether anything of that kind could be meant. What an
// extension brought and a superuser owns is trusted: it came from the server's own files.
//
// Asked before and after the statements: what somebody made in between is at least not silent.
#include "engine/driver_pg.h"

#include "base/str.h"
#include "sql/preflight.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_MAX   2000u // of one statement
#define FINDING_MAX 400u

#define TRUSTED(class, alias, owner)                                                               \
    "(EXISTS (SELECT FROM pg_depend d WHERE d.classid = '" class "'::regclass AND d.objid "        \
                                                                 "= " alias                        \
                                                                 ".oid AND d.deptype = 'e') AND "  \
                                                                 "(SELECT r.rolsuper FROM "        \
                                                                 "pg_roles r WHERE r.oid = " alias \
                                                                 "." owner "))"

// $1 called names, $2 names behind a dot, $3 all names, $4 the schema on the search path.
static const char SQL[] =
    "SELECT f.what FROM ("
    "SELECT format('function %I.%I(%s)', n.nspname, p.proname,"
    " pg_get_function_identity_arguments(p.oid)) AS what"
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
    " WHERE n.nspname = $4 AND n.nspname <> 'pg_catalog'"
    " AND (p.proname = ANY ($1::text[]) OR (p.proname = ANY ($2::text[]) AND p.pronargs > 0"
    " AND p.pronargs - p.pronargdefaults <= 1 AND (SELECT t.typtype FROM pg_type t"
    " WHERE t.oid = p.proargtypes[0]) IN ('c', 'p')))"
    " AND NOT " TRUSTED(
        "pg_proc", "p",
        "proowner") " UNION ALL "
                    "SELECT format('operator %I.%s', n.nspname, o.oprname)"
                    " FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace"
                    " WHERE n.nspname = $4 AND n.nspname <> 'pg_catalog'"
                    " AND NOT " TRUSTED(
                        "pg_operator", "o",
                        "oprowner") " UNION ALL "
                                    "SELECT format('%s %I.%I', CASE c.relkind WHEN 'v' THEN 'view' "
                                    "ELSE 'foreign table' END,"
                                    " n.nspname, c.relname)"
                                    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                                    " WHERE c.relname = ANY ($3::text[]) AND c.relkind IN ('v', "
                                    "'f')"
                                    " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
                                    " AND NOT " TRUSTED(
                                        "pg_class", "c",
                                        "relowner") " UNION ALL "
                                                    "SELECT format('cast from %s to %s', "
                                                    "format_type(k.castsource, NULL),"
                                                    " format_type(k.casttarget, NULL))"
                                                    " FROM pg_cast k JOIN pg_proc p ON p.oid = "
                                                    "k.castfunc"
                                                    " JOIN pg_namespace n ON n.oid = p.pronamespace"
                                                    " WHERE n.nspname <> 'pg_catalog' AND "
                                                    "NOT " TRUSTED(
                                                        "pg_proc", "p",
                                                        "proowner") " UNION ALL "
                                                                    "SELECT format('check %I of "
                                                                    "domain %s', c.conname, "
                                                                    "format_type(c.contypid, NULL))"
                                                                    " FROM pg_constraint c WHERE "
                                                                    "c.contypid <> 0 AND EXISTS "
                                                                    "(SELECT FROM pg_depend d"
                                                                    " JOIN pg_proc p ON p.oid = "
                                                                    "d.refobjid WHERE d.classid = "
                                                                    "'pg_constraint'::regclass"
                                                                    " AND d.objid = c.oid AND "
                                                                    "d.refclassid = "
                                                                    "'pg_proc'::regclass"
                                                                    " AND NOT " TRUSTED(
                                                                        "pg_proc", "p",
                                                                        "proowner") ")"
                                                                                    ") f LIMIT 1";

// The text of an array of the names that `wants` chooses: {"a","b"}.
static void
list_names(struct dr_buf *out, const struct dr_sql_preflight_name *names, size_t n, char wants)
{
    dr_buf_str(out, "{");
    for (size_t i = 0; i < n; i++) {
        if ((wants == 'c' && !names[i].is_call) || (wants == 'p' && !names[i].is_part)) {
            continue;
        }
        dr_buf_str(out, out->len > 1 ? ",\"" : "\"");
        for (const char *p = names[i].name; *p != '\0'; p++) {
            dr_buf_printf(out, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
        }
        dr_buf_str(out, "\"");
    }
    dr_buf_str(out, "}");
}

static enum dr_rc
ask(struct dr_pgd *d, const struct dr_sql_preflight_name *names, size_t n, char *finding,
    size_t size, struct dr_err *err)
{
    struct dr_buf lists[3] = {{0}, {0}, {0}};
    list_names(&lists[0], names, n, 'c');
    list_names(&lists[1], names, n, 'p');
    list_names(&lists[2], names, n, 'a');
    const char *params[] = {lists[0].data, lists[1].data, lists[2].data, d->schema};
    const struct dr_pg_stmt stmt = {
        .sql = SQL, .params = params, .params_count = DR_COUNT_OF(params), .max_rows = 1};
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    enum dr_rc rc = lists[0].failed || lists[1].failed || lists[2].failed
                        ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                        : dr_pg_value(d->work, &stmt, &wait, finding, size, err);
    for (size_t i = 0; i < DR_COUNT_OF(lists); i++) {
        dr_buf_fini(&lists[i]);
    }
    return rc;
}

static enum dr_rc
check_one(struct dr_pgd *d, const struct dr_statement *s, struct dr_sql_preflight_name *names,
          struct dr_err *err)
{
    char finding[FINDING_MAX];
    size_t n = dr_sql_preflight_names(DR_SQL_POSTGRESQL, s->text, s->len, names, NAMES_MAX);
    enum dr_rc rc = DR_E_LIMIT;
    if (n <= NAMES_MAX) {
        struct dr_err none = {0};
        rc = ask(d, names, n, finding, sizeof finding, &none);
        if (rc == DR_E_NOT_FOUND) {
            return DR_OK;
        }
        *err = none;
    }
    if (rc == DR_E_LIMIT) {
        return dr_err_set(err, rc, "it says too many names");
    }
    if (rc != DR_OK) {
        return rc;
    }
    (void)dr_err_set(err, DR_E_PREFLIGHT_FORBIDDEN,
                     "it could run what a user of the database made: %s", finding);
    return dr_err_hint(err, "say pg_catalog.NAME(...) for a function, read tables and no views; or "
                            "move the check into up or verify, which run after the approval");
}

enum dr_rc
dr_pgd_check_names(struct dr_pgd *d, const struct dr_check *check, struct dr_err *err)
{
    struct dr_db_wait wait = dr_pgd_wait(d, DR_PGD_SHORT_MS);
    struct dr_sql_preflight_name *names = calloc(NAMES_MAX, sizeof *names);
    if (names == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    // Policies of rows are code, too: a table with one that would be asked is refused.
    enum dr_rc rc = dr_pg_run(d->work,
                              "SELECT pg_catalog.set_config('search_path', 'pg_catalog', true),"
                              " pg_catalog.set_config('row_security', 'off', true)",
                              &wait, err);
    for (size_t i = 0; rc == DR_OK && i < check->count; i++) {
        rc = check_one(d, &check->statements[i], names, err);
    }
    free(names);
    return rc;
}
