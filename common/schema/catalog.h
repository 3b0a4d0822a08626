// Catalog: what a database's schema is made of, as objects that know the statements which make and
// drop them, what they are part of and what they need.
//
// Names are relative to one schema (PostgreSQL), so that the statements run in any tenant; objects
// of other schemas carry theirs. Left out: drover's own schema and tables, alembic_version, and
// what belongs to an extension.
#ifndef DR_SCHEMA_CATALOG_H
#define DR_SCHEMA_CATALOG_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "db/db.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_CATALOG_OBJECTS_MAX 500000u
#define DR_CATALOG_ATTRS       5

struct dr_pg;
struct dr_sqlite;

// In the order in which things that do not need each other are made.
enum dr_schema_kind {
    DR_SCHEMA_SCHEMA,
    DR_SCHEMA_EXTENSION,
    DR_SCHEMA_ENUM,
    DR_SCHEMA_COMPOSITE,
    DR_SCHEMA_ATTRIBUTE, // of a composite type
    DR_SCHEMA_RANGE,
    DR_SCHEMA_DOMAIN,
    DR_SCHEMA_DOMAIN_CHECK,
    DR_SCHEMA_SEQUENCE,
    DR_SCHEMA_TABLE,
    DR_SCHEMA_COLUMN,
    DR_SCHEMA_DEFAULT,
    DR_SCHEMA_CONSTRAINT,
    DR_SCHEMA_INDEX,
    DR_SCHEMA_FUNCTION,
    DR_SCHEMA_FOREIGN_KEY,
    DR_SCHEMA_VIEW,
    DR_SCHEMA_MATVIEW,
    DR_SCHEMA_RULE,
    DR_SCHEMA_TRIGGER,
    DR_SCHEMA_POLICY,
    DR_SCHEMA_STATISTICS,
    DR_SCHEMA_SETTING, // of a table, view, type: has a statement that sets it and one that resets
    DR_SCHEMA_COMMENT,
    DR_SCHEMA_GRANT,
    DR_SCHEMA_KINDS
};

// What `attrs` hold, by kind; "" where the kind has none. Texts are SQL.
enum dr_schema_attr {
    DR_ATTR_LABELS = 0,     // enum: quoted labels, each ended by \x01
    DR_ATTR_VERSION = 0,    // extension
    DR_ATTR_TYPE = 0,       // column, attribute: "character varying(40)"
    DR_ATTR_COLLATE = 1,    // column: "COLLATE x"
    DR_ATTR_NOT_NULL = 2,   // column: "NOT NULL"
    DR_ATTR_IDENTITY = 3,   // column: "GENERATED ... AS IDENTITY (...)"
    DR_ATTR_GENERATED = 4,  // column: "GENERATED ALWAYS AS (...) STORED"
    DR_ATTR_ALTER = 0,      // sequence: all of its numbers, for ALTER SEQUENCE
    DR_ATTR_OWNED_BY = 1,   // sequence: "table.column" with which it goes
    DR_ATTR_PARTITION = 0,  // table: "PARTITION BY ..."
    DR_ATTR_OF = 1,         // table: "PARTITION OF x FOR VALUES ..."
    DR_ATTR_INHERITS = 2,   // table: "INHERITS (x)"
    DR_ATTR_DEFINITION = 0, // default, constraint, foreign key: without ALTER TABLE
    DR_ATTR_NOT_VALID = 1,  // constraint, foreign key: "NOT VALID"
    DR_ATTR_CONTYPE = 2,    // constraint: p, u, c, x
    DR_ATTR_SIGNATURE = 0,  // function: what CREATE OR REPLACE cannot change
    DR_ATTR_BODY = 1,       // function: its text, which may name what the catalog does not record
    DR_ATTR_COLUMNS = 0,    // view: names and types, each ended by \x01
    DR_ATTR_QUERY = 1,      // view
    DR_ATTR_OPTIONS = 2,    // view
};

struct dr_schema_object {
    enum dr_schema_kind kind;
    const char *name;    // "users", "users.email", "billing.add(integer)"; with kind it is unique
    const char *part_of; // name of the table, view or type that it goes with; "" for none
    const char *address; // as COMMENT ON and GRANT name it: "TABLE users"; "" for none
    const char *create;  // the statement without semicolon; "" where the writer composes it
    const char *drop;
    const char *attrs[DR_CATALOG_ATTRS];
    uint32_t place; // order of columns in their table
    size_t owner;   // index of `part_of`'s object; SIZE_MAX for none
    size_t *needs;  // indexes of objects that must be there first
    size_t needs_count;
    uint32_t class_, oid, sub; // in PostgreSQL's catalog
};

// Plain data, in the arena that it was read into.
struct dr_catalog {
    enum dr_db_kind engine;
    struct dr_schema_object *objects; // sorted by kind, then name
    size_t count;
};

// Reads the schema `schema` (NULL: "public", with the other schemas beside it) in a read-only
// transaction of its own, or inside the caller's. Errors as dr_pg_exec's; DR_E_LIMIT, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_catalog_pg(struct dr_pg *pg, const char *schema, const struct dr_db_wait *wait,
              struct dr_arena *arena, struct dr_catalog *out, struct dr_err *err);
// The same of a SQLite file.
DR_MUST_CHECK enum dr_rc dr_catalog_sqlite(struct dr_sqlite *db, struct dr_arena *arena,
                                           struct dr_catalog *out, struct dr_err *err);

// The object's index, or SIZE_MAX.
size_t
dr_catalog_find(const struct dr_catalog *catalog, enum dr_schema_kind kind, const char *name);
// "table", "foreign key", ...
const char *dr_schema_kind_word(enum dr_schema_kind kind);
// DR_SCHEMA_KINDS for a word that names none.
enum dr_schema_kind dr_schema_kind_of(const char *word);

#endif
