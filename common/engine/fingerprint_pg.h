// Inside the fingerprint of PostgreSQL only: queries over the catalog. Each gives two columns, the
// object's key and its definition. See fingerprint_pg.c for what they must heed.
#ifndef DR_ENGINE_FINGERPRINT_PG_H
#define DR_ENGINE_FINGERPRINT_PG_H

#include <stddef.h>

struct dr_fppg_query {
    int from_version, to_version; // 0: any
    const char *sql;
};

// fingerprint_pg_more.c: what stands beside tables and functions.
extern const struct dr_fppg_query dr_fppg_more[];
extern const size_t dr_fppg_more_count;

// The schemas that count. $1: the tenant's schema, or NULL for all.
#define NAMESPACES                                                                                 \
    "WITH ns AS (SELECT n.oid, n.nspname, n.nspacl, n.nspowner, CASE WHEN $1::text IS NULL THEN "  \
    "pg_catalog.quote_ident(n.nspname) || '.' ELSE '' END AS prefix FROM pg_catalog.pg_namespace " \
    "n WHERE n.nspname::text "                                                                     \
    "!~ '^pg_' AND n.nspname NOT IN ('information_schema', 'drover') AND ($1::text IS NULL OR "    \
    "n.nspname = $1)) "

// Tables, views and sequences that count: not an extension's, not ours.
#define RELATIONS                                                                                  \
    NAMESPACES                                                                                     \
    ", rel AS (SELECT c.*, ns.prefix || pg_catalog.quote_ident(c.relname) AS name FROM "           \
    "pg_catalog.pg_class c JOIN ns ON "                                                            \
    "ns.oid = c.relnamespace WHERE c.relname <> 'alembic_version' AND c.relname::text NOT LIKE "   \
    "'drover\\_%' AND NOT EXISTS "                                                                 \
    "(SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "                                       \
    "'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = "                                    \
    "c.oid AND d.deptype = 'e')) "

#define NOT_OF_EXTENSION(catalog, oid)                                                             \
    "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog." catalog        \
    "'::pg_catalog.regclass AND d.objid = " oid " AND d.deptype = 'e')"

#endif
