// The catalog of PostgreSQL beside tables and functions: statistics, comments, operators, casts,
// publications, foreign servers, and privileges. See fingerprint_pg.c.
//
// Options of servers may hold what is nobody's business: they count by their digest.
#include "engine/fingerprint_pg.h"

#include "base/attr.h"

#define WHO(oid)                                                                                   \
    "CASE WHEN " oid " = 0::pg_catalog.oid THEN 'public' ELSE "                                    \
    "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(" oid ")) END"
#define PRIVILEGES                                                                                 \
    "pg_catalog.string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, "    \
    "', ' ORDER BY x.privilege_type COLLATE \"C\")"
#define OPTIONS(array)                                                                             \
    "(SELECT 'options ' || pg_catalog.string_agg(pg_catalog.split_part(o, '=', 1) || '#' || "      \
    "pg_catalog.md5(o), ', ' ORDER BY o COLLATE \"C\") FROM pg_catalog.unnest(" array ") o)"
#define COMMENT_OF(class, oid)                                                                     \
    "pg_catalog.pg_description d ON d.objoid = " oid                                               \
    " AND d.classoid = 'pg_catalog." class "'::pg_catalog.regclass AND d.objsubid = 0"

#define STATISTICS(columns)                                                                        \
    RELATIONS                                                                                      \
    "SELECT 'statistics ' || rel.name || '.' || pg_catalog.quote_ident(s.stxname), "               \
    "pg_catalog.concat_ws(' ', (SELECT pg_catalog.string_agg(k::text, ',' ORDER BY k::text "       \
    "COLLATE \"C\") FROM pg_catalog.unnest(s.stxkind) k), 'on', " columns ") FROM "                \
    "pg_catalog.pg_statistic_ext s JOIN rel ON rel.oid = s.stxrelid"

#define PUBLICATIONS(details)                                                                      \
    "SELECT 'publication ' || pg_catalog.quote_ident(p.pubname), pg_catalog.concat_ws(' ', "       \
    "(pg_catalog.to_jsonb(p) - 'oid'::text - 'pubname'::text - 'pubowner'::text)::text, (SELECT "  \
    "'tables ' || pg_catalog.string_agg(r.prrelid::pg_catalog.regclass::text" details ", ', ' "    \
    "ORDER BY r.prrelid::pg_catalog.regclass::text COLLATE \"C\") FROM "                           \
    "pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid)"

const struct dr_fppg_query dr_fppg_more[] = {
    // extended statistics
    {0, 139999,
     STATISTICS("(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY "
                "a.attname::text COLLATE \"C\") FROM pg_catalog.pg_attribute a WHERE a.attrelid = "
                "s.stxrelid AND a.attnum = ANY (s.stxkeys::pg_catalog.int2[]))")},
    {140000, 0, STATISTICS("pg_catalog.pg_get_statisticsobjdef_columns(s.oid)")},
    // comments: on tables, views, indexes, sequences and their columns; then on what hangs on them
    {0, 0,
     RELATIONS "SELECT 'comment ' || rel.name || COALESCE('.' || "
               "pg_catalog.quote_ident(a.attname), ''), d.description FROM rel JOIN "
               "pg_catalog.pg_description d ON d.objoid = rel.oid AND d.classoid = "
               "'pg_catalog.pg_class'::pg_catalog.regclass LEFT JOIN pg_catalog.pg_attribute a ON "
               "a.attrelid = rel.oid AND a.attnum::int4 = d.objsubid AND d.objsubid > 0"},
    {0, 0,
     RELATIONS "SELECT 'comment constraint ' || rel.name || '.' || "
               "pg_catalog.quote_ident(k.conname), d.description FROM rel JOIN "
               "pg_catalog.pg_constraint k ON k.conrelid = rel.oid JOIN " COMMENT_OF(
                   "pg_constraint", "k.oid")},
    {0, 0,
     RELATIONS
     "SELECT 'comment trigger ' || rel.name || '.' || pg_catalog.quote_ident(t.tgname), "
     "d.description FROM rel JOIN pg_catalog.pg_trigger t ON t.tgrelid = rel.oid JOIN " COMMENT_OF(
         "pg_trigger", "t.oid")},
    {0, 0,
     RELATIONS
     "SELECT 'comment policy ' || rel.name || '.' || pg_catalog.quote_ident(p.polname), "
     "d.description FROM rel JOIN pg_catalog.pg_policy p ON p.polrelid = rel.oid JOIN " COMMENT_OF(
         "pg_policy", "p.oid")},
    {0, 0,
     NAMESPACES "SELECT 'comment function ' || ns.prefix || pg_catalog.quote_ident(p.proname) || "
                "'(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')', d.description "
                "FROM pg_catalog.pg_proc p JOIN ns ON ns.oid = p.pronamespace JOIN " COMMENT_OF(
                    "pg_proc", "p.oid") " WHERE " NOT_OF_EXTENSION("pg_proc", "p.oid")},
    {0, 0,
     NAMESPACES
     "SELECT 'comment type ' || ns.prefix || pg_catalog.quote_ident(t.typname), "
     "d.description FROM pg_catalog.pg_type t JOIN ns ON ns.oid = t.typnamespace JOIN " COMMENT_OF(
         "pg_type", "t.oid") " WHERE " NOT_OF_EXTENSION("pg_type", "t.oid")},
    {0, 0,
     NAMESPACES
     "SELECT 'comment schema ' || CASE WHEN $1::text IS NULL THEN "
     "pg_catalog.quote_ident(ns.nspname) ELSE '' END, d.description FROM ns JOIN " COMMENT_OF(
         "pg_namespace", "ns.oid") " WHERE ns.nspname <> 'public' OR "
                                   "d.description <> 'standard public schema'"},
    // operators
    {0, 0,
     NAMESPACES
     "SELECT 'operator ' || ns.prefix || o.oprname::text || '(' || CASE WHEN o.oprleft "
     "= 0::pg_catalog.oid THEN 'none' ELSE pg_catalog.format_type(o.oprleft, NULL) END "
     "|| ', ' || CASE WHEN o.oprright = 0::pg_catalog.oid THEN 'none' ELSE "
     "pg_catalog.format_type(o.oprright, NULL) END || ')', pg_catalog.concat_ws(' ', "
     "o.oprcode::pg_catalog.regprocedure::text, 'commutator ' || "
     "NULLIF(o.oprcom::pg_catalog.regoperator::text, '0'), 'negator ' || "
     "NULLIF(o.oprnegate::pg_catalog.regoperator::text, '0'), 'restrict ' || "
     "NULLIF(o.oprrest::text, '-'), 'join ' || NULLIF(o.oprjoin::text, '-'), CASE WHEN "
     "o.oprcanhash THEN 'hashes' END, CASE WHEN o.oprcanmerge THEN 'merges' END) FROM "
     "pg_catalog.pg_operator o JOIN ns ON ns.oid = o.oprnamespace WHERE " NOT_OF_EXTENSION(
         "pg_operator", "o.oid")},
    // casts; the server's own have small numbers
    {0, 0,
     NAMESPACES
     "SELECT 'cast ' || pg_catalog.format_type(c.castsource, NULL) || ' as ' || "
     "pg_catalog.format_type(c.casttarget, NULL), pg_catalog.concat_ws(' ', "
     "c.castcontext, c.castmethod, NULLIF(c.castfunc::pg_catalog.regprocedure::text, "
     "'-')) FROM pg_catalog.pg_cast c WHERE c.oid >= 16384::pg_catalog.oid AND "
     "($1::text IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_type t JOIN ns ON ns.oid = "
     "t.typnamespace WHERE t.oid = c.castsource OR t.oid = c.casttarget)) AND " NOT_OF_EXTENSION(
         "pg_cast", "c.oid")},
    // publications, of a whole database only
    {0, 149999, PUBLICATIONS("") ") FROM pg_catalog.pg_publication p WHERE $1::text IS NULL"},
    {150000, 0,
     PUBLICATIONS(
         " || COALESCE(' (' || (SELECT "
         "pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY "
         "a.attname::text COLLATE \"C\") FROM pg_catalog.pg_attribute a WHERE a.attrelid "
         "= r.prrelid AND a.attnum = ANY (r.prattrs::pg_catalog.int2[])) || ')', '') || "
         "COALESCE(' where ' || pg_catalog.pg_get_expr(r.prqual, r.prrelid), '')") ", (SELECT "
                                                                                   "'schemas ' || "
                                                                                   "pg_catalog."
                                                                                   "string_agg(n."
                                                                                   "nspname::text, "
                                                                                   "', ' ORDER BY "
                                                                                   "n.nspname::"
                                                                                   "text "
                                                                                   "COLLATE \"C\") "
                                                                                   "FROM "
                                                                                   "pg_catalog.pg_"
                                                                                   "publication_"
                                                                                   "namespace s "
                                                                                   "JOIN "
                                                                                   "pg_catalog.pg_"
                                                                                   "namespace n ON "
                                                                                   "n.oid = "
                                                                                   "s.pnnspid "
                                                                                   "WHERE "
                                                                                   "s.pnpubid = "
                                                                                   "p.oid)) FROM "
                                                                                   "pg_catalog.pg_"
                                                                                   "publication p "
                                                                                   "WHERE $1::text "
                                                                                   "IS NULL"},
    // foreign servers, of a whole database only; foreign tables say where they lie
    {0, 0,
     "SELECT 'foreign data wrapper ' || pg_catalog.quote_ident(w.fdwname), "
     "pg_catalog.concat_ws(' ', 'handler ' || "
     "NULLIF(w.fdwhandler::pg_catalog.regproc::text, '-'), 'validator ' || "
     "NULLIF(w.fdwvalidator::pg_catalog.regproc::text, '-'), " OPTIONS(
         "w.fdwoptions") ") FROM pg_catalog.pg_foreign_data_wrapper w WHERE $1::text IS NULL "
                         "AND " NOT_OF_EXTENSION("pg_foreign_data_wrapper", "w.oid")},
    {0, 0,
     "SELECT 'server ' || pg_catalog.quote_ident(s.srvname), pg_catalog.concat_ws(' ', 'wrapper', "
     "pg_catalog.quote_ident(w.fdwname), 'type ' || s.srvtype, 'version ' || "
     "s.srvversion, " OPTIONS("s.srvoptions") ") FROM pg_catalog.pg_foreign_server s JOIN "
                                              "pg_catalog.pg_foreign_data_wrapper w ON w.oid = "
                                              "s.srvfdw WHERE $1::text IS NULL"},
    {0, 0,
     RELATIONS "SELECT 'foreign ' || rel.name, pg_catalog.concat_ws(' ', 'server', "
               "pg_catalog.quote_ident(s.srvname), " OPTIONS(
                   "f.ftoptions") ") FROM rel JOIN "
                                  "pg_catalog.pg_foreign_table f ON f.ftrelid = rel.oid JOIN "
                                  "pg_catalog.pg_foreign_server s ON s.oid = f.ftserver"},
    // privileges: on types, and those that objects to come will have
    {0, 0,
     NAMESPACES
     "SELECT 'grant type ' || ns.prefix || pg_catalog.quote_ident(t.typname) || ' to ' "
     "|| " WHO("x.grantee") ", " PRIVILEGES " FROM pg_catalog.pg_type t JOIN ns ON "
                            "ns.oid = t.typnamespace, pg_catalog.aclexplode(COALESCE(t.typacl, "
                            "pg_catalog.acldefault('T', t.typowner))) x WHERE x.grantee <> "
                            "t.typowner AND "
                            "(t.typtype IN ('e', 'd', 'r') OR t.typacl IS NOT NULL) "
                            "AND " NOT_OF_EXTENSION("pg_type", "t.oid") " GROUP BY 1"},
    {0, 0,
     NAMESPACES
     "SELECT 'default grant ' || CASE a.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' "
     "THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN "
     "'schemas' ELSE a.defaclobjtype::text END || COALESCE(' in ' || CASE WHEN "
     "$1::text IS NULL THEN pg_catalog.quote_ident(ns.nspname) ELSE 'schema' END, '') "
     "|| ' by ' || pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.defaclrole)) || "
     "' to ' || " WHO(
         "x.grantee") ", " PRIVILEGES " FROM pg_catalog.pg_default_acl a "
                      "LEFT JOIN ns ON ns.oid = a.defaclnamespace, "
                      "pg_catalog.aclexplode(a.defaclacl) x "
                      "WHERE ns.oid IS NOT NULL OR ($1::text IS NULL AND a.defaclnamespace = "
                      "0::pg_catalog.oid) GROUP BY 1"},
};
const size_t dr_fppg_more_count = DR_COUNT_OF(dr_fppg_more);
