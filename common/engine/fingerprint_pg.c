// The catalog of PostgreSQL as lines: one query per kind of object, all in one pipeline.
//
// With a tenant's schema, names are relative to it, since search_path holds only that schema: the
// server's own printing of types, expressions and views then leaves it out, and two tenants compare
// equal. Without one, everything is qualified.
//
// A schema in search_path may hold operators made to be found by such queries. pg_catalog is
// searched first, so every operator here has operands of exactly the types that pg_catalog's has:
// hence the casts of names to text and of 0 to oid.
#include "engine/fingerprint_internal.h"
#include "engine/fingerprint_pg.h"

#include "db/pg.h"

#include <string.h>

#define ROWS_MAX          500000u // of one query
#define STATE_NO_PREPARED "26000" // there is no prepared statement of this name

#define FUNCTIONS(body)                                                                            \
    NAMESPACES                                                                                     \
    "SELECT CASE p.prokind WHEN 'p' THEN 'procedure ' WHEN 'a' THEN 'aggregate ' ELSE 'function "  \
    "' END || ns.prefix "                                                                          \
    "|| pg_catalog.quote_ident(p.proname) || '(' || "                                              \
    "pg_catalog.pg_get_function_identity_arguments(p.oid) || ')', "                                \
    "pg_catalog.concat_ws(' ', '(' || pg_catalog.pg_get_function_arguments(p.oid) || ')', "        \
    "'returns ' || "                                                                               \
    "pg_catalog.pg_get_function_result(p.oid), 'language ' || l.lanname::text, CASE "              \
    "p.provolatile WHEN 'i' THEN "                                                                 \
    "'immutable' WHEN 's' THEN 'stable' END, CASE WHEN p.proisstrict THEN 'strict' END, CASE "     \
    "WHEN p.prosecdef THEN "                                                                       \
    "'security definer' END, CASE WHEN p.proleakproof THEN 'leakproof' END, CASE p.proparallel "   \
    "WHEN 's' THEN "                                                                               \
    "'parallel safe' WHEN 'r' THEN 'parallel restricted' END, CASE WHEN p.prokind = 'w' THEN "     \
    "'window' END, 'set ' || "                                                                     \
    "(SELECT pg_catalog.string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM "                        \
    "pg_catalog.unnest(p.proconfig) o), "                                                          \
    "(SELECT pg_catalog.concat_ws(' ', 'sfunc', g.aggtransfn, 'stype', "                           \
    "pg_catalog.format_type(g.aggtranstype, NULL), "                                               \
    "'finalfunc ' || NULLIF(g.aggfinalfn::text, '-'), 'initcond ' || "                             \
    "pg_catalog.quote_literal(g.agginitval)) FROM "                                                \
    "pg_catalog.pg_aggregate g WHERE g.aggfnoid = p.oid), 'in ' || p.probin, 'as ' || "            \
    "NULLIF(p.prosrc, ''), " body ") FROM pg_catalog.pg_proc p JOIN ns ON ns.oid = "               \
    "p.pronamespace JOIN pg_catalog.pg_language l ON "                                             \
    "l.oid = p.prolang WHERE " NOT_OF_EXTENSION("pg_proc", "p.oid")

static const struct dr_fppg_query queries[] = {
    // schemas and extensions, of a whole database only
    {0, 0,
     NAMESPACES
     "SELECT 'schema ' || pg_catalog.quote_ident(nspname), '' FROM ns WHERE $1::text IS NULL AND "
     "nspname <> 'public'"},
    {0, 0,
     "SELECT 'extension ' || pg_catalog.quote_ident(e.extname), 'version ' || e.extversion || ' "
     "schema ' || "
     "pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e JOIN "
     "pg_catalog.pg_namespace n ON n.oid = "
     "e.extnamespace WHERE $1::text IS NULL AND e.extname <> 'plpgsql'"},
    // tables
    {0, 0,
     RELATIONS
     "SELECT CASE relkind WHEN 'f' THEN 'foreign table ' ELSE 'table ' END || name, "
     "pg_catalog.concat_ws(' ', "
     "CASE relpersistence WHEN 'u' THEN 'unlogged' END, CASE WHEN relkind = 'p' THEN 'partition by "
     "' || "
     "pg_catalog.pg_get_partkeydef(oid) END, (SELECT CASE WHEN rel.relispartition THEN 'partition "
     "of ' ELSE "
     "'inherits ' END || pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::text, ', ' ORDER "
     "BY i.inhseqno) "
     "FROM pg_catalog.pg_inherits i WHERE i.inhrelid = rel.oid), "
     "pg_catalog.pg_get_expr(relpartbound, oid), "
     "CASE WHEN reloptions IS NOT NULL THEN 'with (' || (SELECT pg_catalog.string_agg(o, ', ' "
     "ORDER BY o COLLATE "
     "\"C\") FROM pg_catalog.unnest(reloptions) o) || ')' END, CASE WHEN relrowsecurity THEN 'row "
     "security' END, "
     "CASE WHEN relforcerowsecurity THEN 'forced' END, CASE relreplident WHEN 'f' THEN 'replica "
     "identity full' "
     "WHEN 'n' THEN 'replica identity nothing' END) FROM rel WHERE relkind IN ('r', 'p', 'f')"},
    // columns
    {0, 0,
     RELATIONS "SELECT 'column ' || rel.name || '.' || pg_catalog.quote_ident(a.attname), "
               "pg_catalog.concat_ws(' ', "
               "pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attcollation <> "
               "t.typcollation THEN 'collate ' "
               "|| a.attcollation::pg_catalog.regcollation::text END, CASE WHEN a.attnotnull THEN "
               "'not null' END, CASE "
               "a.attidentity WHEN 'a' THEN 'generated always as identity' WHEN 'd' THEN "
               "'generated by default as identity' "
               "END, CASE WHEN ad.oid IS NOT NULL THEN CASE a.attgenerated WHEN 's' THEN "
               "'generated always as ' ELSE "
               "'default ' END || pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) END) FROM rel JOIN "
               "pg_catalog.pg_attribute a "
               "ON a.attrelid = rel.oid JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN "
               "pg_catalog.pg_attrdef ad "
               "ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum WHERE rel.relkind IN ('r', 'p', "
               "'f') AND a.attnum > 0 AND "
               "NOT a.attisdropped"},
    // constraints of tables
    {0, 0,
     RELATIONS "SELECT 'constraint ' || rel.name || '.' || pg_catalog.quote_ident(k.conname), "
               "pg_catalog.pg_get_constraintdef(k.oid, true) FROM rel JOIN "
               "pg_catalog.pg_constraint k ON k.conrelid = "
               "rel.oid WHERE k.contype <> 't'"},
    // indexes; one that failed to build is there and not valid
    {0, 0,
     RELATIONS
     "SELECT 'index ' || rel.name || '.' || pg_catalog.quote_ident(c.relname), "
     "pg_catalog.concat_ws(' ', "
     "pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), CASE WHEN NOT i.indisvalid THEN 'INVALID' "
     "END, CASE WHEN "
     "NOT i.indisready THEN 'NOT READY' END, CASE WHEN i.indisclustered THEN 'clustered' END, CASE "
     "WHEN "
     "i.indisreplident THEN 'replica identity' END) FROM rel JOIN pg_catalog.pg_index i ON "
     "i.indrelid = rel.oid "
     "JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE rel.relkind IN ('r', 'p', 'm')"},
    // views
    {0, 0,
     RELATIONS "SELECT CASE relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || name, "
               "pg_catalog.concat_ws(' ', CASE WHEN reloptions IS NOT NULL THEN 'with (' || "
               "(SELECT pg_catalog.string_agg(o, "
               "', ' ORDER BY o COLLATE \"C\") FROM pg_catalog.unnest(reloptions) o) || ')' END, "
               "pg_catalog.pg_get_viewdef(oid)) FROM rel WHERE relkind IN ('v', 'm')"},
    {0, 0,
     RELATIONS "SELECT 'rule ' || rel.name || '.' || pg_catalog.quote_ident(r.rulename), "
               "pg_catalog.pg_get_ruledef(r.oid, "
               "true) FROM rel JOIN pg_catalog.pg_rewrite r ON r.ev_class = rel.oid WHERE "
               "r.rulename <> '_RETURN'"},
    // sequences, without where they stand
    {0, 0,
     RELATIONS "SELECT 'sequence ' || rel.name, pg_catalog.concat_ws(' ', "
               "pg_catalog.format_type(s.seqtypid, NULL), 'start', "
               "s.seqstart, 'increment', s.seqincrement, 'min', s.seqmin, 'max', s.seqmax, "
               "'cache', s.seqcache, CASE WHEN "
               "s.seqcycle THEN 'cycle' END, (SELECT 'owned by ' || o.relname::text || '.' || "
               "a.attname::text FROM pg_catalog.pg_depend d "
               "JOIN pg_catalog.pg_class o ON o.oid = d.refobjid JOIN pg_catalog.pg_attribute a ON "
               "a.attrelid = d.refobjid AND "
               "a.attnum = d.refobjsubid WHERE d.classid = "
               "'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = rel.oid "
               "AND d.refclassid = d.classid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 "
               "LIMIT 1)) FROM rel JOIN "
               "pg_catalog.pg_sequence s ON s.seqrelid = rel.oid"},
    // types: enums, domains, composites, ranges
    {0, 0,
     NAMESPACES "SELECT 'enum ' || ns.prefix || pg_catalog.quote_ident(t.typname), (SELECT "
                "pg_catalog.string_agg("
                "pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM "
                "pg_catalog.pg_enum e WHERE "
                "e.enumtypid = t.oid) FROM pg_catalog.pg_type t JOIN ns ON ns.oid = t.typnamespace "
                "WHERE t.typtype = 'e' AND " NOT_OF_EXTENSION("pg_type", "t.oid")},
    {0, 0,
     NAMESPACES
     "SELECT 'domain ' || ns.prefix || pg_catalog.quote_ident(t.typname), pg_catalog.concat_ws(' "
     "', "
     "pg_catalog.format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'not null' "
     "END, 'default ' || "
     "t.typdefault, (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(k.conname) || ' ' || "
     "pg_catalog.pg_get_constraintdef(k.oid, true), ' ' ORDER BY k.conname COLLATE \"C\") FROM "
     "pg_catalog.pg_constraint k WHERE k.contypid = t.oid)) FROM pg_catalog.pg_type t JOIN ns ON "
     "ns.oid = "
     "t.typnamespace WHERE t.typtype = 'd' AND " NOT_OF_EXTENSION("pg_type", "t.oid")},
    {0, 0,
     RELATIONS
     "SELECT 'type ' || rel.name, (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname) "
     "|| ' ' || "
     "pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM "
     "pg_catalog.pg_attribute a WHERE "
     "a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped) FROM rel WHERE relkind = 'c'"},
    {0, 0,
     NAMESPACES "SELECT 'range ' || ns.prefix || pg_catalog.quote_ident(t.typname), "
                "pg_catalog.format_type(r.rngsubtype, NULL) "
                "FROM pg_catalog.pg_range r JOIN pg_catalog.pg_type t ON t.oid = r.rngtypid JOIN "
                "ns ON ns.oid = t.typnamespace "
                "WHERE " NOT_OF_EXTENSION("pg_type", "t.oid")},
    // functions: by their parts, since pg_get_functiondef always writes the schema
    {0, 139999, FUNCTIONS("NULL")},
    {140000, 0, FUNCTIONS("pg_catalog.pg_get_function_sqlbody(p.oid)")},
    // triggers and policies
    {0, 0,
     RELATIONS "SELECT 'trigger ' || rel.name || '.' || pg_catalog.quote_ident(t.tgname), "
               "pg_catalog.concat_ws(' ', "
               "pg_catalog.pg_get_triggerdef(t.oid, true), CASE t.tgenabled WHEN 'D' THEN "
               "'disabled' WHEN 'R' THEN 'replica' "
               "WHEN 'A' THEN 'always' END) FROM rel JOIN pg_catalog.pg_trigger t ON t.tgrelid = "
               "rel.oid WHERE NOT "
               "t.tgisinternal"},
    {0, 0,
     "SELECT 'event trigger ' || pg_catalog.quote_ident(e.evtname), pg_catalog.concat_ws(' ', "
     "e.evtevent, "
     "e.evtfoid::pg_catalog.regprocedure, e.evtenabled, e.evttags::text) FROM "
     "pg_catalog.pg_event_trigger e WHERE "
     "$1::text IS NULL AND " NOT_OF_EXTENSION("pg_event_trigger", "e.oid")},
    {0, 0,
     RELATIONS
     "SELECT 'policy ' || rel.name || '.' || pg_catalog.quote_ident(p.polname), "
     "pg_catalog.concat_ws(' ', CASE WHEN "
     "p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'for', p.polcmd, 'to', (SELECT "
     "pg_catalog.string_agg(CASE WHEN r = 0::pg_catalog.oid THEN 'public' ELSE "
     "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(r)) "
     "END, ', ' ORDER BY pg_catalog.pg_get_userbyid(r)::text COLLATE \"C\") FROM "
     "pg_catalog.unnest(p.polroles) r), 'using ' || "
     "pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'with check ' || "
     "pg_catalog.pg_get_expr(p.polwithcheck, "
     "p.polrelid)) FROM rel JOIN pg_catalog.pg_policy p ON p.polrelid = rel.oid"},
    // grants
    {0, 0,
     RELATIONS "SELECT 'grant ' || CASE rel.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || "
               "rel.name || ' to ' || CASE "
               "WHEN x.grantee = 0::pg_catalog.oid THEN 'public' ELSE "
               "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, "
               "pg_catalog.string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE "
               "'' END, ', ' ORDER BY "
               "x.privilege_type COLLATE \"C\") FROM rel, pg_catalog.aclexplode(rel.relacl) x "
               "WHERE x.grantee <> rel.relowner "
               "AND rel.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') GROUP BY 1"},
    {0, 0,
     RELATIONS "SELECT 'grant column ' || rel.name || '.' || pg_catalog.quote_ident(a.attname) || "
               "' to ' || CASE WHEN x.grantee "
               "= 0::pg_catalog.oid THEN 'public' ELSE "
               "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, "
               "pg_catalog.string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE "
               "'' END, ', ' ORDER BY "
               "x.privilege_type COLLATE \"C\") FROM rel JOIN pg_catalog.pg_attribute a ON "
               "a.attrelid = rel.oid AND a.attacl IS "
               "NOT NULL AND NOT a.attisdropped, pg_catalog.aclexplode(a.attacl) x WHERE x.grantee "
               "<> rel.relowner GROUP BY 1"},
    {0, 0,
     NAMESPACES "SELECT 'grant schema ' || CASE WHEN $1::text IS NULL THEN "
                "pg_catalog.quote_ident(ns.nspname) ELSE '' END || "
                "' to ' || CASE WHEN x.grantee = 0::pg_catalog.oid THEN 'public' ELSE "
                "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid("
                "x.grantee)) END, pg_catalog.string_agg(x.privilege_type || CASE WHEN "
                "x.is_grantable THEN '*' ELSE '' END, ', ' "
                "ORDER BY x.privilege_type COLLATE \"C\") FROM ns, "
                "pg_catalog.aclexplode(ns.nspacl) x WHERE x.grantee <> "
                "ns.nspowner GROUP BY 1"},
    {0, 0,
     NAMESPACES
     "SELECT 'grant function ' || ns.prefix || pg_catalog.quote_ident(p.proname) || '(' || "
     "pg_catalog.pg_get_function_identity_arguments(p.oid) || ') to ' || CASE WHEN x.grantee = "
     "0::pg_catalog.oid THEN 'public' ELSE "
     "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END, "
     "pg_catalog.string_agg(x.privilege_type || "
     "CASE WHEN x.is_grantable THEN '*' ELSE '' END, ', ' ORDER BY x.privilege_type COLLATE \"C\") "
     "FROM "
     "pg_catalog.pg_proc p JOIN ns ON ns.oid = p.pronamespace, "
     "pg_catalog.aclexplode(COALESCE(p.proacl, "
     "pg_catalog.acldefault('f', p.proowner))) x WHERE x.grantee <> p.proowner "
     "AND " NOT_OF_EXTENSION("pg_proc", "p.oid") " GROUP BY 1"},
};

static enum dr_rc
keep_rows(void *ctx, uint64_t index, const struct dr_pg_result *result, struct dr_err *err)
{
    struct dr_fplines *lines = ctx;
    (void)index;
    (void)err;
    // The frame of the pipeline gives one column; queries give two.
    for (size_t row = 0; dr_pg_columns(result) == 2 && row < dr_pg_rows(result); row++) {
        const char *key = dr_pg_text(result, row, 0);
        if (key != NULL) {
            dr_fplines_add(lines, key, dr_pg_text(result, row, 1));
        }
    }
    return DR_OK;
}

// `name` NULL: not prepared.
static enum dr_rc
add_named(struct dr_pg *pg, const char *name, const char *sql, const char *schema,
          struct dr_err *err)
{
    const char *params[] = {schema};
    bool has_param = strstr(sql, "$1") != NULL;
    struct dr_pg_stmt stmt = {.sql = sql,
                              .params = params,
                              .params_count = has_param ? 1 : 0,
                              .max_rows = ROWS_MAX,
                              .name = name};
    enum dr_rc rc = name == NULL ? DR_OK : dr_pg_pipeline_prepare(pg, &stmt, err);
    return rc == DR_OK ? dr_pg_pipeline_add(pg, &stmt, err) : rc;
}

static enum dr_rc
add(struct dr_pg *pg, const char *sql, const char *schema, struct dr_err *err)
{
    return add_named(pg, NULL, sql, schema, err);
}

// `names`: as many as `list` has; NULL: not prepared.
static enum dr_rc
add_queries(struct dr_pg *pg, const struct dr_fppg_query *list, size_t count,
            const char *const *names, const char *schema, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    int version = dr_pg_server_version(pg);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        bool fits = version >= list[i].from_version &&
                    (list[i].to_version == 0 || version <= list[i].to_version);
        const char *name = names == NULL ? NULL : names[i];
        rc = fits ? add_named(pg, name, list[i].sql, schema, err) : DR_OK;
    }
    return rc;
}

#define TEN(tens)                                                                                  \
    "drover_fp" tens "0", "drover_fp" tens "1", "drover_fp" tens "2", "drover_fp" tens "3",        \
        "drover_fp" tens "4", "drover_fp" tens "5", "drover_fp" tens "6", "drover_fp" tens "7",    \
        "drover_fp" tens "8", "drover_fp" tens "9"
static const char *const query_names[] = {TEN("0"), TEN("1"), TEN("2"), TEN("3"), TEN("4")};

// The caller's search_path is kept in a setting of ours and put back; both end with the
// transaction.
static enum dr_rc
add_all(struct dr_pg *pg, const struct dr_fingerprint_options *options, bool own_tx,
        struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    const char *schema = options->schema;
    size_t all = DR_COUNT_OF(queries) + dr_fppg_more_count;
    bool is_named = options->is_repeated && all <= DR_COUNT_OF(query_names);
    const char *const *names = is_named ? query_names : NULL;
    const char *const *more_names = is_named ? query_names + DR_COUNT_OF(queries) : NULL;
    if (own_tx) {
        rc = add(pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, err);
    }
    rc = rc != DR_OK ? rc
                     : add(pg,
                           "SELECT pg_catalog.set_config('drover.search_path', "
                           "pg_catalog.current_setting('search_path'), true)",
                           NULL, err);
    rc = rc != DR_OK ? rc
                     : add(pg,
                           "SELECT pg_catalog.set_config('search_path', "
                           "COALESCE(pg_catalog.quote_ident($1), 'pg_catalog'), true)",
                           schema, err);
    rc = rc != DR_OK ? rc : add_queries(pg, queries, DR_COUNT_OF(queries), names, schema, err);
    rc = rc != DR_OK ? rc
                     : add_queries(pg, dr_fppg_more, dr_fppg_more_count, more_names, schema, err);
    rc = rc != DR_OK ? rc
                     : add(pg,
                           "SELECT pg_catalog.set_config('search_path', "
                           "pg_catalog.current_setting('drover.search_path'), true)",
                           NULL, err);
    return rc == DR_OK && own_tx ? add(pg, "COMMIT", NULL, err) : rc;
}

static enum dr_rc
check_schema(struct dr_pg *pg, const char *schema, const struct dr_db_wait *wait,
             struct dr_err *err)
{
    char found[8];
    struct dr_pg_stmt stmt = {.sql = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1",
                              .params = &schema,
                              .params_count = 1};
    enum dr_rc rc = dr_pg_value(pg, &stmt, wait, found, sizeof found, err);
    return rc == DR_E_NOT_FOUND ? dr_err_set(err, rc, "there is no schema '%s'", schema) : rc;
}

enum dr_rc
dr_fingerprint_pg(struct dr_pg *pg, const struct dr_fingerprint_options *options,
                  const struct dr_db_wait *wait, struct dr_fingerprint *out, struct dr_err *err)
{
    struct dr_fplines lines = {.options = options};
    bool own_tx = dr_pg_tx_status(pg) == DR_PG_TX_IDLE;
    enum dr_rc rc = dr_pg_pipeline_begin(pg, wait, keep_rows, &lines, err);
    if (rc != DR_OK) {
        return rc;
    }
    // What add reports, end reports again.
    (void)!add_all(pg, options, own_tx, NULL);
    rc = dr_pg_pipeline_end(pg, NULL, err);
    bool is_unprepared = rc != DR_OK && own_tx && options->is_repeated &&
                         strcmp(dr_pg_last_error(pg)->sqlstate, STATE_NO_PREPARED) == 0;
    if (rc != DR_OK && own_tx && dr_pg_tx_status(pg) == DR_PG_TX_FAILED) {
        (void)!dr_pg_run(pg, "ROLLBACK", wait, NULL);
    }
    if (is_unprepared) {
        struct dr_fingerprint_options once = *options;
        once.is_repeated = false; // something in the database removed what was prepared
        dr_pg_forget_prepared(pg);
        dr_fplines_fini(&lines);
        return dr_fingerprint_pg(pg, &once, wait, out, err);
    }
    if (rc == DR_OK && lines.count == 0 && options->schema != NULL) {
        rc = check_schema(pg, options->schema, wait, err);
    }
    rc =
        rc != DR_OK ? dr_err_wrap(err, "cannot read the schema") : dr_fplines_end(&lines, out, err);
    dr_fplines_fini(&lines);
    return rc;
}
