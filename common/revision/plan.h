// Plan: compiles revisions to units. A pure function of (project, engine, revisions, compiler):
// anyone who compiles the same revisions gets the same bytes. A unit is one section; statements are
// ranges of bytes in the revision's file.
//
// Unit.probe_object, by probe (identifiers are written as SQL, quoted where they must be):
//   INDEX_CREATED INDEX_DROPPED   [schema.]index
//   REINDEX                       INDEX|TABLE|SCHEMA|DATABASE [schema.]name
//   ENUM_VALUE                    [schema.]type 'label'
//   CONSTRAINT_VALID              [schema.]table constraint
//   DETACHED                      [schema.]parent [schema.]partition
//   IDEMPOTENT                    ""
#ifndef DR_REVISION_PLAN_H
#define DR_REVISION_PLAN_H

#include "base/arena.h"
#include "base/str.h"
#include "revision/graph.h"

#include "proto/documents.pb-c.h"

#define DR_PLAN_COMPILER      "drover-plan/1"
#define DR_PLAN_REVISIONS_MAX 20000u
#define DR_PLAN_PACKED_MAX    (64u * 1024 * 1024)

struct dr_plan {
    Drover__V1__Plan *message; // all in the arena
    struct dr_bytes packed;
    uint8_t digest[DR_DIGEST_SIZE];
};

// Compiles `nodes` of one graph for one engine; the plan has them parents first, in whatever order
// they are given (a way down names the same plan as the way up). Errors carry the position in the
// file: REVISION_ENGINE (a revision is not for this engine), SQL_SYNTAX, SQL_RESERVED,
// SQL_FORBIDDEN, SQL_TRANSACTION, SQL_PROBE, SQL_CHECK_DIED, SQL_TOO_COMPLEX, REVISION_DOWN,
// REVISION_STATEMENTS, DR_E_INVALID (project name). Starts drover-sqlcheck for PostgreSQL and may
// block as dr_sql_check does.
DR_MUST_CHECK enum dr_rc
dr_plan_compile(const char *project, Drover__V1__Engine engine, const struct dr_nodes *nodes,
                struct dr_arena *arena, struct dr_plan *out, struct dr_err *err);

// The other side: packs `message` again and compares with `packed` of the coordinator or a file;
// DR_E_PLAN_MISMATCH names the first revision and unit that differ.
DR_MUST_CHECK enum dr_rc
dr_plan_compare(const struct dr_plan *mine, const Drover__V1__Plan *theirs, struct dr_err *err);

// Checks one revision of a decoded plan against the bytes of its file: size, file digest, revision
// digest over the parents, every unit's digest, statements in order and inside, one statement
// outside a transaction, and each range exactly one statement for `engine`'s lexer.
// DR_E_PLAN_MISMATCH. Needs no parser and no child: this is what an agent runs.
DR_MUST_CHECK enum dr_rc
dr_plan_check_file(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine,
                   const char *file, size_t file_len, struct dr_err *err);

// dr_plan_check_file, and that every preflight of the revision is a preflight section of its file:
// all of its statements, with the section's own options. For a plan that nobody has signed: there a
// unit's kind is nobody's word. Parses the file into `arena`. DR_E_PLAN_MISMATCH and
// dr_revision_parse's.
DR_MUST_CHECK enum dr_rc
dr_plan_check_preflights(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine,
                         const char *file, size_t file_len, struct dr_arena *arena,
                         struct dr_err *err);

// dr_plan_check_file, and that the revision's units are the sections of its file for `engine`: all
// of them, in the file's order, each with all of its statements, its kind, its options and its
// author's probe. What a rehearsal runs before anybody has signed the plan. A built-in probe's
// object is not compared: it is only ever a value of the engine's own question. Parses the file
// into `arena`. DR_E_PLAN_MISMATCH and dr_revision_parse's.
DR_MUST_CHECK enum dr_rc
dr_plan_check_sections(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine,
                       const char *file, size_t file_len, struct dr_arena *arena,
                       struct dr_err *err);

// What a section is as a unit.
Drover__V1__UnitKind dr_plan_unit_kind(const struct dr_section *section);

// The bytes of one statement; false when it lies outside of the file.
DR_MUST_CHECK bool dr_plan_statement(const Drover__V1__Statement *statement, const char *file,
                                     size_t file_len, struct dr_bytes *out);
// Appends a unit as SQL: each statement's bytes, then ";\n" (on a line of its own behind a
// comment).
DR_MUST_CHECK enum dr_rc dr_plan_unit_sql(struct dr_buf *out, const Drover__V1__Unit *unit,
                                          const char *file, size_t file_len, struct dr_err *err);

#endif
