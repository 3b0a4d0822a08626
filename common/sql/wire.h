// Wire between sql/check and its child drover-sqlcheck: lines on standard input and output.
//   in   "drover-sqlcheck 1 COUNT\n", then per text "LENGTH\n" and LENGTH bytes
//   out  per text: any number of S lines, at most one P line, then "E\n" (flushed, so that a crash
//   tells which text)
//        S offset length class flags probe what object creates drops
//        P kind offset length message help
// Fields are separated by tabs; in them \\ \t \n stand for backslash, tab and newline. Numbers are
// decimal.
#ifndef DR_SQL_WIRE_H
#define DR_SQL_WIRE_H

#define DR_WIRE_HELLO        "drover-sqlcheck 1 "
#define DR_WIRE_TEXTS_MAX    100000u
#define DR_WIRE_TEXT_SECONDS 8 // the child ends itself (SIGALRM) when one text takes longer
#define DR_WIRE_TEXT_MAX     (33u << 20)

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

// What the tree says of names, in `creates` and `drops`: "relation NAME", "type NAME"; creates may
// have a second line with the relation that it belongs to; drops has one per line, also "schema
// NAME", "parts-of NAME" (indexes of a relation) and "anything" (nobody can tell).
#endif
