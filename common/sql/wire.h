// Wire between sql/check and its child drover-sqlcheck: lines on standard input and output.
//   in   "drover-sqlcheck 2 COUNT\n", then per text "LENGTH\n" and LENGTH bytes
//   out  per text: any number of S lines, each with its F lines behind it, at most one P line, then
//   "E\n" (flushed, so that a crash tells which text)
//        S offset length class flags probe what object creates drops
//        F kind offset length flags table name columns ref
//        P kind offset length message help
// Fields are separated by tabs; in them \\ \t \n stand for backslash, tab and newline. Numbers are
// decimal.
#ifndef DR_SQL_WIRE_H
#define DR_SQL_WIRE_H

#define DR_WIRE_HELLO        "drover-sqlcheck 2 "
#define DR_WIRE_TEXTS_MAX    100000u
#define DR_WIRE_TEXT_SECONDS 8 // the child ends itself (SIGALRM) when one text takes longer
#define DR_WIRE_TEXT_MAX     (33u << 20)
#define DR_WIRE_FACTS_MAX    4096u // F lines of one statement; what is beyond is not told

// Numbers of StatementClass and Probe in proto/documents.proto: the child does not link that.
enum dr_wire_class {
    DR_WIRE_OTHER = 0,
    DR_WIRE_READ = 1,
    DR_WIRE_WRITE = 2,
    DR_WIRE_ACCESS_EXCLUSIVE = 3,
    DR_WIRE_SHARE = 4,
    DR_WIRE_CONCURRENT = 5,
    DR_WIRE_NEW_OBJECT = 6,
};

enum dr_wire_probe {
    DR_WIRE_PROBE_NONE = 0,
    DR_WIRE_INDEX_CREATED = 1,
    DR_WIRE_INDEX_DROPPED = 2,
    DR_WIRE_ENUM_VALUE = 3,
    DR_WIRE_CONSTRAINT_VALID = 4,
    DR_WIRE_IDEMPOTENT = 5,
    DR_WIRE_REINDEX = 6,
    DR_WIRE_DETACHED = 7,
};

// Numbers of enum dr_sql_flag in sql/check.h.
enum dr_wire_flag {
    DR_WIRE_FORBIDDEN = 1,
    DR_WIRE_OUTSIDE_ONLY = 2,
    DR_WIRE_OUTSIDE_ALLOWED = 4,
    DR_WIRE_IF_NOT_EXISTS = 8,
    DR_WIRE_IS_CONCURRENT = 16,
    DR_WIRE_UNNAMED = 32,
    DR_WIRE_READ_ONLY = 64,
};

enum dr_wire_problem { DR_WIRE_SYNTAX = 1, DR_WIRE_RESERVED = 2, DR_WIRE_COMPLEX = 3 };

// Facts: what a statement does to the parts of a schema, as rules of lint want to know it. Names
// are written as SQL, `columns` joined by commas. `length` 0: the place is not known.
enum dr_wire_fact {
    DR_FACT_TABLE = 1,       // table: made
    DR_FACT_COLUMN,          // table, name, columns: its type, ref: what fills it
    DR_FACT_KEY,             // table, name, columns; ref: the index that it is made of
    DR_FACT_FOREIGN_KEY,     // table, name, columns; ref: the table that it points at
    DR_FACT_CHECK,           // table, name; columns: the one that it says is not null
    DR_FACT_INDEX,           // table, name, columns: "" when one is an expression
    DR_FACT_DROP_TABLE,      // table
    DR_FACT_DROP_COLUMN,     // table, name
    DR_FACT_DROP_CONSTRAINT, // table, name
    DR_FACT_DROP_INDEX,      // name
    DR_FACT_DROP_SCHEMA,     // name
    DR_FACT_RENAME_TABLE,    // table, name: the new one
    DR_FACT_RENAME_COLUMN,   // table, name, ref: the new one
    DR_FACT_SET_TYPE,        // table, name, columns: the new type
    DR_FACT_SET_NOT_NULL,    // table, name
    DR_FACT_DROP_NOT_NULL,   // table, name
    DR_FACT_VALIDATE,        // table, name
    DR_FACT_TRUNCATE,        // table
    DR_FACT_ADD_VALUE,       // table: the type, name: the value, unquoted
    DR_FACT_REWRITE,         // table, name: the command that writes it anew
    DR_FACT_REINDEX,         // table: "" when it is not told
    DR_FACT_REFRESH,         // table
    DR_FACT_DOMAIN_CHECK,    // table: the domain
    DR_FACT_DELETE_ALL,      // table
    DR_FACT_LAST = DR_FACT_DELETE_ALL,
};

enum dr_wire_fact_flag {
    DR_FACT_ADDED = 1, // by ALTER TABLE, not with the table
    DR_FACT_NOT_NULL = 2,
    DR_FACT_PRIMARY = 4,
    DR_FACT_UNIQUE = 8,
    DR_FACT_HAS_DEFAULT = 16,
    DR_FACT_VOLATILE = 32, // the default gives each row another value
    DR_FACT_FILLED = 64,   // serial, identity or stored generated
    DR_FACT_NOT_VALID = 128,
    DR_FACT_CONCURRENTLY = 256,
    DR_FACT_PARTIAL = 512, // an index with WHERE
    DR_FACT_CASCADE = 1024,
    DR_FACT_VAGUE =
        2048, // a table whose columns are not all told: LIKE, INHERITS, AS, PARTITION OF
    DR_FACT_TEMPORARY = 4096,
    DR_FACT_OPTIONAL = 8192,     // IF [NOT] EXISTS
    DR_FACT_INLINE = 16384,      // a constraint that stands with its column
    DR_FACT_PARTITIONED = 32768, // PARTITION BY: no index can be built on it concurrently
    DR_FACT_FLAGS_ALL = 65535,
};

// What the tree says of names, in `creates` and `drops`: "relation NAME", "type NAME"; creates may
// have a second line with the relation that it belongs to; drops has one per line, also "schema
// NAME", "parts-of NAME" (indexes of a relation) and "anything" (nobody can tell).
#endif
