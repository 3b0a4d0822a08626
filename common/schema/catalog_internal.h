// Inside the catalog only: how the readers gather objects.
#ifndef DR_SCHEMA_CATALOG_INTERNAL_H
#define DR_SCHEMA_CATALOG_INTERNAL_H

#include "schema/catalog.h"

// Objects as they come; `failed` when the arena or DR_CATALOG_OBJECTS_MAX is reached.
struct dr_gather {
    struct dr_arena *arena;
    struct dr_schema_object *objects;
    size_t count, cap;
    bool failed;
};

// Copies the struct (its strings are lent); NULL when it failed.
struct dr_schema_object *
dr_gather_add(struct dr_gather *gather, const struct dr_schema_object *object);
// Sorts, finds the owners by `part_of`, makes them a need.
DR_MUST_CHECK enum dr_rc
dr_gather_end(struct dr_gather *gather, struct dr_catalog *out, struct dr_err *err);
// Notes that `object` needs `other` (indexes). False when memory is out.
DR_MUST_CHECK bool
dr_gather_need(struct dr_arena *arena, struct dr_catalog *catalog, size_t object, size_t other);

// catalog_pg_sql.c, catalog_pg_more.c: each query gives kind, name, part_of, address, create, drop,
// five attrs, place, class, oid, sub. $1: the schema, $2: 't' to read the others, too.
struct dr_catalog_query {
    int from_version, to_version; // as PQserverVersion; 0: any
    const char *sql;
};
extern const struct dr_catalog_query dr_catalog_pg_main[];
extern const size_t dr_catalog_pg_main_count;
extern const struct dr_catalog_query dr_catalog_pg_more[];
extern const size_t dr_catalog_pg_more_count;
// class, oid, sub, needed class, oid, sub
extern const char dr_catalog_pg_needs[];

// The schemas that count, and their relations.
#define CATALOG_NS                                                                                 \
    "WITH ns AS (SELECT n.oid, n.nspname, n.nspacl, n.nspowner, CASE WHEN n.nspname = "            \
    "$1::pg_catalog.name THEN '' ELSE pg_catalog.quote_ident(n.nspname) || '.' END AS prefix "     \
    "FROM pg_catalog.pg_namespace n WHERE n.nspname::text !~ '^pg_' AND n.nspname::text NOT IN "   \
    "('information_schema', 'drover') AND (n.nspname = $1::pg_catalog.name OR $2::text = 't')) "
#define CATALOG_REL                                                                                \
    CATALOG_NS                                                                                     \
    ", rel AS (SELECT c.*, ns.prefix, ns.prefix || pg_catalog.quote_ident(c.relname) AS name "     \
    "FROM pg_catalog.pg_class c JOIN ns ON ns.oid = c.relnamespace WHERE c.relname::text <> "      \
    "'alembic_version' AND c.relname::text NOT LIKE 'drover\\_%' "                                 \
    "AND " CATALOG_NOT_EXTENSION("pg_class", "c.oid") ") "
#define CATALOG_NOT_EXTENSION(catalog, oid)                                                        \
    "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog." catalog        \
    "'::pg_catalog.regclass AND d.objid = " oid " AND d.deptype = 'e')"
#define CATALOG_CLASS(catalog) "'pg_catalog." catalog "'::pg_catalog.regclass::pg_catalog.oid"

#endif
