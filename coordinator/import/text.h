// Text: small readers that the formats share: names of files with a version in front, and pieces of
// a text with lines of the tool's own taken out.
#ifndef DR_IMPORT_TEXT_H
#define DR_IMPORT_TEXT_H

#include "coordinator/import/source.h"

// "0001_create_users.up.sql": version "0001", title "create_users", rest ".up.sql" from the first
// '.' behind the title.
struct dr_versioned {
    const char *version, *title, *rest;
    uint64_t number; // of the version; UINT64_MAX when it is too large
};

// Splits a file's last part; false when it does not begin with digits and, if `separator` is not 0,
// that character. DR_E_NOMEM through `*out_rc`.
bool dr_text_versioned(struct dr_import *import, const char *base, char separator,
                       struct dr_versioned *out);

// "create_users" -> "create users".
const char *dr_text_title(struct dr_import *import, const char *title);

// Behind "--" and blanks, a word is met, letters of any case: its place behind the word; NULL.
// `line` is not terminated.
const char *dr_text_comment(const struct dr_source_line *line, const char *word);

// True when nothing but blanks and `--` comments stands there.
bool dr_text_is_blank(const char *text, size_t len);

// A text of lines that are added one by one; lines that the tool alone understands become empty, so
// that line numbers stay.
struct dr_text {
    struct dr_import *import;
    const char *file;
    char *data;
    size_t len, cap;
    size_t begin;  // see dr_text_end_statement
    uint32_t line; // of its first byte; 0: nothing there yet
};
// `cap` bytes are enough for all lines (the file's length and what is added). DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_text_begin(struct dr_import *import, const char *file, size_t cap,
                                       struct dr_text *out, struct dr_err *err);
// Adds a line, or an empty one in its place.
void dr_text_add(struct dr_text *text, const struct dr_source_line *line, bool is_empty);
// From here on counts for dr_text_end_statement.
void dr_text_begin_statement(struct dr_text *text);
// What was added since dr_text_begin_statement ends here: adds the semicolon that it lacks.
void dr_text_end_statement(struct dr_text *text);
// Adds the text as a piece, if it has anything but blanks.
DR_MUST_CHECK enum dr_rc
dr_text_piece(const struct dr_text *text, bool outside_transaction, const char *name,
              struct dr_import_pieces *to, struct dr_err *err);

// A whole file as a piece; an absent one (NULL) is none.
DR_MUST_CHECK enum dr_rc
dr_text_file(struct dr_import *import, struct dr_import_revision *revision,
             const struct dr_source_file *file, bool outside_transaction, const char *name,
             struct dr_import_pieces *to, struct dr_err *err);

// Notes a file that is not of the chain.
DR_MUST_CHECK enum dr_rc
dr_text_left_out(struct dr_import *import, const struct dr_source_file *file, const char *why,
                 struct dr_err *err);
// DR_E_NOT_FOUND: the folder holds no migration, with what one is called.
enum dr_rc dr_text_none(const struct dr_import *import, const char *example, struct dr_err *err);

#endif
