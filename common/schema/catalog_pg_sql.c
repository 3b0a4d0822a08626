// The queries over PostgreSQL's catalog for schemas, types, sequences, tables, columns and
// constraints. What names operators here has operands of exactly pg_catalog's types, as a schema in
// search_path may hold others of the same name.
#include "schema/catalog_internal.h"

const struct dr_catalog_query dr_catalog_pg_main[] = {
    // schemas, extensions
    {0, 0,
     CATALOG_NS
     "SELECT 'schema', CASE WHEN prefix = '' THEN '' ELSE pg_catalog.quote_ident(nspname) "
     "END, '', 'SCHEMA ' || pg_catalog.quote_ident(nspname), CASE WHEN prefix = '' OR "
     "nspname::text = 'public' THEN '' ELSE 'CREATE SCHEMA ' || "
     "pg_catalog.quote_ident(nspname) END, CASE WHEN prefix = '' OR nspname::text = "
     "'public' THEN '' ELSE 'DROP SCHEMA ' || pg_catalog.quote_ident(nspname) END, '', "
     "'', '', '', '', 0, " CATALOG_CLASS("pg_namespace") ", oid, 0 FROM ns"},
    {0, 0,
     "SELECT 'extension', pg_catalog.quote_ident(e.extname), '', '', 'CREATE EXTENSION ' "
     "|| pg_catalog.quote_ident(e.extname) || CASE WHEN n.nspname::text IN ($1::text, "
     "'pg_catalog') THEN '' ELSE ' SCHEMA ' || pg_catalog.quote_ident(n.nspname) END, "
     "'DROP EXTENSION ' || pg_catalog.quote_ident(e.extname), e.extversion, '', '', '', "
     "'', 0, " CATALOG_CLASS(
         "pg_extension") ", e.oid, 0 FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n "
                         "ON n.oid = "
                         "e.extnamespace WHERE $2::text = 't' AND e.extname::text <> 'plpgsql'"},
    // types
    {0, 0,
     CATALOG_NS
     "SELECT 'enum', x.name, '', 'TYPE ' || x.name, 'CREATE TYPE ' || x.name || ' AS ENUM "
     "(' || COALESCE((SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), "
     "', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = "
     "t.oid), '') || ')', 'DROP TYPE ' || x.name, COALESCE((SELECT "
     "pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel) || pg_catalog.chr(1), "
     "'' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), "
     "''), '', '', '', '', 0, " CATALOG_CLASS(
         "pg_type") ", t.oid, 0 FROM pg_catalog.pg_type t JOIN ns ON ns.oid = t.typnamespace, "
                    "LATERAL "
                    "(SELECT ns.prefix || pg_catalog.quote_ident(t.typname) AS name) x WHERE "
                    "t.typtype = "
                    "'e' AND " CATALOG_NOT_EXTENSION("pg_type", "t.oid")},
    {0, 0,
     CATALOG_NS
     "SELECT 'domain', x.name, '', 'DOMAIN ' || x.name, 'CREATE DOMAIN ' || x.name || ' "
     "AS ' || pg_catalog.format_type(t.typbasetype, t.typtypmod) || COALESCE(' COLLATE ' "
     "|| c.oid::pg_catalog.regcollation::text, ''), 'DROP DOMAIN ' || x.name, '', '', '', "
     "'', '', 0, " CATALOG_CLASS(
         "pg_type") ", t.oid, 0 FROM pg_catalog.pg_type t JOIN ns ON ns.oid = t.typnamespace JOIN "
                    "pg_catalog.pg_type b ON b.oid = t.typbasetype LEFT JOIN "
                    "pg_catalog.pg_collation c "
                    "ON c.oid = t.typcollation AND t.typcollation <> b.typcollation, LATERAL "
                    "(SELECT "
                    "ns.prefix || pg_catalog.quote_ident(t.typname) AS name) x WHERE t.typtype = "
                    "'d' AND " CATALOG_NOT_EXTENSION("pg_type", "t.oid")},
    {0, 0,
     CATALOG_NS
     "SELECT 'setting', 'default of ' || x.name, x.name, '', 'ALTER DOMAIN ' || x.name || "
     "' SET DEFAULT ' || t.typdefault, 'ALTER DOMAIN ' || x.name || ' DROP DEFAULT', '', "
     "'', '', '', '', 0, 0, 0, 0 FROM pg_catalog.pg_type t JOIN ns ON ns.oid = "
     "t.typnamespace, LATERAL (SELECT ns.prefix || pg_catalog.quote_ident(t.typname) AS "
     "name) x WHERE t.typtype = 'd' AND t.typdefault IS NOT NULL AND " CATALOG_NOT_EXTENSION(
         "pg_type",
         "t.oid") " UNION ALL SELECT 'setting', 'not null of ' || x.name, x.name, '', 'ALTER "
                  "DOMAIN ' "
                  "|| x.name || ' SET NOT NULL', 'ALTER DOMAIN ' || x.name || ' DROP NOT NULL', "
                  "'', "
                  "'', '', '', '', 0, 0, 0, 0 FROM pg_catalog.pg_type t JOIN ns ON ns.oid = "
                  "t.typnamespace, LATERAL (SELECT ns.prefix || pg_catalog.quote_ident(t.typname) "
                  "AS "
                  "name) x WHERE t.typtype = 'd' AND t.typnotnull AND " CATALOG_NOT_EXTENSION(
                      "pg_type",
                      "t.oid") " UNION ALL SELECT 'domain check', x.name || '.' || "
                               "pg_catalog.quote_ident(k.conname), x.name, 'CONSTRAINT ' || "
                               "pg_catalog.quote_ident(k.conname) || ' ON DOMAIN ' || x.name, "
                               "'ALTER DOMAIN ' || "
                               "x.name || ' ADD CONSTRAINT ' || pg_catalog.quote_ident(k.conname) "
                               "|| ' ' || "
                               "pg_catalog.pg_get_constraintdef(k.oid), 'ALTER DOMAIN ' || x.name "
                               "|| ' DROP "
                               "CONSTRAINT ' || pg_catalog.quote_ident(k.conname), '', '', '', '', "
                               "'', 0, " CATALOG_CLASS(
                                   "pg_constraint") ", k.oid, 0 FROM pg_catalog.pg_constraint k "
                                                    "JOIN pg_catalog.pg_type t ON t.oid = "
                                                    "k.contypid JOIN ns ON ns.oid = "
                                                    "t.typnamespace, LATERAL (SELECT ns.prefix || "
                                                    "pg_catalog.quote_ident(t.typname) AS name) x "
                                                    "WHERE k.contype = 'c' "
                                                    "AND " CATALOG_NOT_EXTENSION("pg_type",
                                                                                 "t.oid")},
    {0, 0,
     CATALOG_REL
     "SELECT 'composite type', name, '', 'TYPE ' || name, '', 'DROP TYPE ' || name, '', "
     "'', '', '', '', 0, " CATALOG_CLASS("pg_type") ", reltype, 0 FROM rel WHERE relkind = 'c'"},
    {0, 0,
     CATALOG_NS
     "SELECT 'range', x.name, '', 'TYPE ' || x.name, 'CREATE TYPE ' || x.name || ' AS "
     "RANGE (' || pg_catalog.concat_ws(', ', 'SUBTYPE = ' || "
     "pg_catalog.format_type(r.rngsubtype, NULL), 'SUBTYPE_DIFF = ' || "
     "NULLIF(r.rngsubdiff::text, '-'), 'CANONICAL = ' || NULLIF(r.rngcanonical::text, "
     "'-')) || ')', 'DROP TYPE ' || x.name, '', '', '', '', '', 0, " CATALOG_CLASS(
         "pg_type") ", t.oid, 0 FROM pg_catalog.pg_range r JOIN pg_catalog.pg_type t ON t.oid = "
                    "r.rngtypid JOIN ns ON ns.oid = t.typnamespace, LATERAL (SELECT ns.prefix || "
                    "pg_catalog.quote_ident(t.typname) AS name) x WHERE " CATALOG_NOT_EXTENSION(
                        "pg_type", "t.oid")},
    // sequences; those of identity columns are said with the column
    {0, 0,
     CATALOG_REL
     "SELECT 'sequence', rel.name, '', 'SEQUENCE ' || rel.name, 'CREATE SEQUENCE ' || "
     "rel.name || CASE WHEN s.seqtypid <> 20::pg_catalog.oid THEN ' AS ' || "
     "pg_catalog.format_type(s.seqtypid, NULL) ELSE '' END || CASE WHEN s.seqincrement <> "
     "1::int8 THEN ' INCREMENT ' || s.seqincrement ELSE '' END || d.bounds || CASE WHEN "
     "s.seqstart <> CASE WHEN s.seqincrement > 0::int8 THEN s.seqmin ELSE s.seqmax END "
     "THEN ' START ' || s.seqstart ELSE '' END || CASE WHEN s.seqcache <> 1::int8 THEN ' "
     "CACHE ' || s.seqcache ELSE '' END || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' "
     "END, 'DROP SEQUENCE ' || rel.name, pg_catalog.concat_ws(' ', 'AS', "
     "pg_catalog.format_type(s.seqtypid, NULL), 'INCREMENT', s.seqincrement, 'MINVALUE', "
     "s.seqmin, 'MAXVALUE', s.seqmax, 'START', s.seqstart, 'CACHE', s.seqcache, CASE WHEN "
     "s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END), COALESCE(o.column_name, ''), '', '', "
     "'', 0, " CATALOG_CLASS(
         "pg_class") ", rel.oid, 0 FROM rel JOIN pg_catalog.pg_sequence s ON s.seqrelid = rel.oid, "
                     "LATERAL (SELECT CASE WHEN s.seqincrement > 0::int8 AND s.seqmin <> 1::int8 "
                     "OR "
                     "s.seqincrement < 0::int8 AND s.seqmin > -32768::int8 THEN ' MINVALUE ' || "
                     "s.seqmin "
                     "ELSE '' END || CASE WHEN s.seqincrement < 0::int8 AND s.seqmax <> -1::int8 "
                     "OR "
                     "s.seqincrement > 0::int8 AND s.seqmax <> CASE s.seqtypid WHEN "
                     "21::pg_catalog.oid "
                     "THEN 32767::int8 WHEN 23::pg_catalog.oid THEN 2147483647::int8 ELSE "
                     "9223372036854775807::int8 END THEN ' MAXVALUE ' || s.seqmax ELSE '' END AS "
                     "bounds) "
                     "d LEFT JOIN LATERAL (SELECT t.name || '.' || "
                     "pg_catalog.quote_ident(a.attname) AS "
                     "column_name, p.deptype FROM pg_catalog.pg_depend p JOIN rel t ON t.oid = "
                     "p.refobjid "
                     "JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum::int4 = "
                     "p.refobjsubid WHERE p.classid = " CATALOG_CLASS(
                         "pg_class") " AND p.refclassid = p.classid AND p.objid = rel.oid AND "
                                     "p.deptype IN ('a', 'i') AND "
                                     "p.refobjsubid > 0) o ON true WHERE o.deptype IS NULL OR "
                                     "o.deptype = 'a'"},
    {0, 0,
     CATALOG_REL
     "SELECT 'setting', 'owner of sequence ' || rel.name, rel.name, '', 'ALTER SEQUENCE ' "
     "|| rel.name || ' OWNED BY ' || t.name || '.' || pg_catalog.quote_ident(a.attname), "
     "'ALTER SEQUENCE ' || rel.name || ' OWNED BY NONE', t.name || '.' || "
     "pg_catalog.quote_ident(a.attname), '', '', '', '', 0, 0, 0, 0 FROM rel JOIN "
     "pg_catalog.pg_depend p ON p.objid = rel.oid AND p.classid = " CATALOG_CLASS(
         "pg_class") " AND p.deptype = 'a' AND p.refobjsubid > 0 AND p.refclassid = p.classid JOIN "
                     "rel t "
                     "ON t.oid = p.refobjid JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid "
                     "AND "
                     "a.attnum::int4 = p.refobjsubid WHERE rel.relkind = 'S'"},
    // tables and their columns
    {0, 0,
     CATALOG_REL
     "SELECT 'table', name, '', 'TABLE ' || name, '', 'DROP TABLE ' || name, "
     "COALESCE('PARTITION BY ' || pg_catalog.pg_get_partkeydef(oid), ''), CASE WHEN "
     "relispartition THEN 'PARTITION OF ' || i.parents || ' ' || "
     "pg_catalog.pg_get_expr(relpartbound, oid) ELSE '' END, CASE WHEN NOT relispartition "
     "AND i.parents IS NOT NULL THEN 'INHERITS (' || i.parents || ')' ELSE '' END, '', "
     "'', 0, " CATALOG_CLASS(
         "pg_class") ", oid, 0 FROM rel, LATERAL (SELECT "
                     "pg_catalog.string_agg(h.inhparent::pg_catalog.regclass::text, ', ' ORDER BY "
                     "h.inhseqno) AS parents FROM pg_catalog.pg_inherits h WHERE h.inhrelid = "
                     "rel.oid) i "
                     "WHERE relkind IN ('r', 'p')"},
    {0, 0,
     CATALOG_REL
     "SELECT CASE relkind WHEN 'c' THEN 'attribute' ELSE 'column' END, rel.name || '.' || "
     "pg_catalog.quote_ident(a.attname), rel.name, 'COLUMN ' || rel.name || '.' || "
     "pg_catalog.quote_ident(a.attname), pg_catalog.quote_ident(a.attname), '', "
     "pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attcollation <> "
     "t.typcollation THEN 'COLLATE ' || a.attcollation::pg_catalog.regcollation::text "
     "ELSE '' END, CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE '' END, CASE a.attidentity "
     "WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY' WHEN 'd' THEN 'GENERATED BY DEFAULT AS "
     "IDENTITY' ELSE '' END || COALESCE(q.options, ''), CASE WHEN a.attgenerated = 's' "
     "THEN 'GENERATED ALWAYS AS (' || pg_catalog.pg_get_expr(d.adbin, d.adrelid) || ') "
     "STORED' ELSE '' END, a.attnum, " CATALOG_CLASS(
         "pg_class") ", rel.oid, a.attnum FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = "
                     "rel.oid "
                     "JOIN pg_catalog.pg_type t ON t.oid = a.atttypid LEFT JOIN "
                     "pg_catalog.pg_attrdef d "
                     "ON d.adrelid = a.attrelid AND d.adnum = a.attnum LEFT JOIN LATERAL (SELECT ' "
                     "(' || "
                     "NULLIF(pg_catalog.concat_ws(' ', CASE WHEN s.seqstart <> 1::int8 THEN 'START "
                     "' || "
                     "s.seqstart END, CASE WHEN s.seqincrement <> 1::int8 THEN 'INCREMENT ' || "
                     "s.seqincrement END, CASE WHEN s.seqmin <> 1::int8 THEN 'MINVALUE ' || "
                     "s.seqmin END, "
                     "CASE WHEN s.seqmax NOT IN (32767::int8, 2147483647::int8, "
                     "9223372036854775807::int8) THEN 'MAXVALUE ' || s.seqmax END, CASE WHEN "
                     "s.seqcache "
                     "<> 1::int8 THEN 'CACHE ' || s.seqcache END, CASE WHEN s.seqcycle THEN "
                     "'CYCLE' END), "
                     "'') || ')' AS options FROM pg_catalog.pg_depend p JOIN "
                     "pg_catalog.pg_sequence s ON "
                     "s.seqrelid = p.objid WHERE p.classid = " CATALOG_CLASS(
                         "pg_class") " AND p.refclassid = p.classid AND p.refobjid = rel.oid AND "
                                     "p.refobjsubid = "
                                     "a.attnum::int4 AND p.deptype = 'i') q ON a.attidentity <> '' "
                                     "WHERE rel.relkind IN "
                                     "('r', 'p', 'c') AND a.attnum > 0::int2 AND NOT "
                                     "a.attisdropped AND a.attislocal"},
    {0, 0,
     CATALOG_REL
     "SELECT 'default', rel.name || '.' || pg_catalog.quote_ident(a.attname), rel.name || "
     "'.' || pg_catalog.quote_ident(a.attname), '', 'ALTER TABLE ' || rel.name || ' ALTER "
     "COLUMN ' || pg_catalog.quote_ident(a.attname) || ' SET DEFAULT ' || x.value, 'ALTER "
     "TABLE ' || rel.name || ' ALTER COLUMN ' || pg_catalog.quote_ident(a.attname) || ' "
     "DROP DEFAULT', x.value, '', '', '', '', a.attnum, " CATALOG_CLASS(
         "pg_attrdef") ", d.oid, 0 FROM rel JOIN pg_catalog.pg_attribute a ON a.attrelid = rel.oid "
                       "JOIN "
                       "pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum, "
                       "LATERAL "
                       "(SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS value) x WHERE "
                       "rel.relkind IN "
                       "('r', 'p') AND a.attgenerated = '' AND a.attislocal AND NOT a.attisdropped "
                       "UNION "
                       "ALL SELECT 'setting', 'default of view column ' || rel.name || '.' || "
                       "pg_catalog.quote_ident(a.attname), rel.name, '', 'ALTER VIEW ' || rel.name "
                       "|| ' "
                       "ALTER COLUMN ' || pg_catalog.quote_ident(a.attname) || ' SET DEFAULT ' || "
                       "x.value, "
                       "'ALTER VIEW ' || rel.name || ' ALTER COLUMN ' || "
                       "pg_catalog.quote_ident(a.attname) "
                       "|| ' DROP DEFAULT', '', '', '', '', '', 0, 0, 0, 0 FROM rel JOIN "
                       "pg_catalog.pg_attribute a ON a.attrelid = rel.oid JOIN "
                       "pg_catalog.pg_attrdef d ON "
                       "d.adrelid = a.attrelid AND d.adnum = a.attnum, LATERAL (SELECT "
                       "pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS value) x WHERE rel.relkind = "
                       "'v'"},
    // constraints
    {0, 0,
     CATALOG_REL
     "SELECT CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END, rel.name "
     "|| '.' || pg_catalog.quote_ident(k.conname), rel.name, 'CONSTRAINT ' || "
     "pg_catalog.quote_ident(k.conname) || ' ON ' || rel.name, 'ALTER TABLE ' || rel.name "
     "|| ' ADD CONSTRAINT ' || pg_catalog.quote_ident(k.conname) || ' ' || x.def, 'ALTER "
     "TABLE ' || rel.name || ' DROP CONSTRAINT ' || pg_catalog.quote_ident(k.conname), "
     "pg_catalog.regexp_replace(x.def, ' NOT VALID$', ''), CASE WHEN k.convalidated THEN "
     "'' ELSE 'NOT VALID' END, k.contype::text, pg_catalog.quote_ident(k.conname), '', "
     "0, " CATALOG_CLASS("pg_constraint") ", k.oid, 0 FROM rel JOIN pg_catalog.pg_constraint k ON "
                                          "k.conrelid = rel.oid, "
                                          "LATERAL (SELECT pg_catalog.pg_get_constraintdef(k.oid) "
                                          "AS def) x WHERE k.contype IN "
                                          "('p', 'u', 'c', 'x', 'f') AND k.conislocal AND "
                                          "k.coninhcount::int4 = 0 AND "
                                          "k.conparentid = 0::pg_catalog.oid"},
};
const size_t dr_catalog_pg_main_count = DR_COUNT_OF(dr_catalog_pg_main);
