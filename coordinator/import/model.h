// Model of an imported chain: what every reader of another tool's migrations fills in and write.h
// turns into revision files. A reader copies SQL as it stands; transaction commands, COPY data and
// psql's own commands are dealt with when the files are written, for all formats alike.
//
// A reader is a row of formats.c: {"alembic", dr_alembic_read, ...}. It is given the folder and
// fills the chain; readers need no file but theirs and that row.
#ifndef DR_IMPORT_MODEL_H
#define DR_IMPORT_MODEL_H

#include "base/arena.h"
#include "revision/file.h"
#include "sql/lexer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_IMPORT_REVISIONS_MAX 20000u
#define DR_IMPORT_NOTES_MAX     10000u
#define DR_IMPORT_BYTES_MAX     (256ull * 1024 * 1024) // of all files together

// One run of SQL as the tool ran it: a file, or a part of one. Plain UTF-8 with LF, as
// dr_source_read gives it.
struct dr_import_piece {
    const char *sql;
    size_t len;
    bool outside_transaction; // the tool ran it without a transaction of its own
    const char *probe;        // of its one statement outside a transaction; NULL: none
    const char *name;         // of a verify section; NULL otherwise
    const char *options;      // of a verify section of drover's own (" expect=empty"); NULL: the
                              // tool's check passes when its queries run
    const char *file;         // where it stands, for notes
    uint32_t line;            // of its first byte
};

struct dr_import_pieces {
    struct dr_import_piece *items;
    size_t count, cap;
};

// What people must know of the import.
enum dr_import_kind {
    DR_IMPORT_CHANGED,  // taken out or written otherwise; nothing to do
    DR_IMPORT_LEFT_OUT, // not in the chain, with the reason
    DR_IMPORT_HAND,     // needs hand work: the chain is not complete without it
};

struct dr_import_note {
    enum dr_import_kind kind;
    const char *revision; // id; NULL: of no revision
    const char *file;     // as the user named it
    uint32_t line;        // from 1; 0: the whole file
    const char *reason;   // what it is, and what to do about it
};

// Strings live in the chain's arena. What is NULL is not known.
struct dr_import_revision {
    const char *id;                              // see dr_import_id
    const char *message;                         // one line; see dr_import_message
    const char *text;                            // free text for the header, lines joined by \n
    struct dr_names parents, labels, depends_on; // ids
    const char *create_date, *author;
    const char *file; // where it came from
    uint32_t line;
    const char *version;  // its key in the tool's own table, when that is not the id
    const char *checksum; // in the tool's own table
    struct dr_import_pieces up, down, verify;
    const char *no_down; // why there is no way back, when `down` is empty
    bool is_repeatable;  // the tool runs it again when it changes
    bool is_unrecorded;  // the tool's table never names it
    bool is_hand;        // set by dr_import_note: hand work is left
    bool is_known;       // set by dr_import_write: a revision of this id is in the folder
    uint32_t notes;      // of any kind
};

struct dr_import {
    struct dr_arena *arena;
    const char *format; // "dbmate"
    const char *folder; // as the user named it
    enum dr_sql_dialect dialect;
    bool is_engine_given;              // --engine
    struct dr_import_revision **items; // parents first
    size_t count, cap;
    struct dr_import_note *notes;
    size_t notes_count, notes_cap;
    uint64_t bytes; // read so far
};

// A new revision at the end of the chain, its parents empty. DR_E_LIMIT, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_import_add(struct dr_import *import, struct dr_import_revision **out, struct dr_err *err);
// The same with the revision before it as its parent.
DR_MUST_CHECK enum dr_rc
dr_import_follow(struct dr_import *import, struct dr_import_revision **out, struct dr_err *err);
// The revision of this id; NULL.
struct dr_import_revision *dr_import_find(const struct dr_import *import, const char *id);

// Adds a piece (copied; its strings are lent). DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_import_piece(struct dr_import *import, struct dr_import_pieces *to,
                                         const struct dr_import_piece *piece, struct dr_err *err);

// Notes something at file and line (0: the whole file). `revision` may be NULL. DR_E_NOMEM; beyond
// DR_IMPORT_NOTES_MAX notes that need no hand work are counted only.
DR_MUST_CHECK enum dr_rc
dr_import_note(struct dr_import *import, struct dr_import_revision *revision,
               enum dr_import_kind kind, const char *file, uint32_t line, struct dr_err *err,
               const char *fmt, ...) DR_PRINTF(7, 8);

// An id made of a name of the tool's: [A-Za-z0-9_.]{1,64}, other characters as '_', too long ones
// cut, made different from the ids that are there. NULL when memory is out.
const char *dr_import_id(struct dr_import *import, const char *name);
// One line of plain text made of `len` bytes: blanks for line ends, cut at 200 bytes; `fallback`
// when nothing is left. NULL when memory is out.
const char *
dr_import_message(struct dr_import *import, const char *text, size_t len, const char *fallback);
// Room for one more item of `size` bytes: the array, moved when it had to grow. NULL when memory is
// out.
void *
dr_import_grow(const struct dr_import *import, void *items, size_t count, size_t *cap, size_t size);
enum dr_rc dr_import_nomem(struct dr_err *err);
#ifdef __clang_analyzer__ // see base/err.h
#define dr_import_nomem(err) dr_analyzer_not_ok((dr_import_nomem)(err))
#endif

#endif
