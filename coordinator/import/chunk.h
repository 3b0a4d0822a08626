// Chunk: one piece of another tool's SQL cut at its statements, with what drover does itself taken
// out: transaction commands, harmless commands of psql; COPY data become INSERTs.
#ifndef DR_IMPORT_CHUNK_H
#define DR_IMPORT_CHUNK_H

#include "coordinator/import/model.h"

// A statement with the comments before it and the rest of its last line, as it is written.
struct dr_chunk {
    const char *text;
    size_t len;
    const char *sql; // its first statement inside of `text`; NULL: none
    size_t sql_len;
    size_t count;          // statements in `text`
    uint32_t line;         // of the statement in its file
    bool ends_transaction; // a COMMIT stood here: what follows is another transaction
};

struct dr_chunks {
    struct dr_chunk *items;
    size_t count, cap;
    size_t statements; // of all chunks
    bool is_broken;    // the lexer gave up: the last chunk holds the rest as it stands
};

// Cuts a piece. Notes what was taken out or needs hand work. `is_verify`: queries only have to run,
// whatever they give, and a ROLLBACK at the end is what drover does anyway. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_chunk_cut(struct dr_import *import, struct dr_import_revision *revision,
                                      const struct dr_import_piece *piece, bool is_verify,
                                      struct dr_chunks *out, struct dr_err *err);

// The data lines behind a COPY ... FROM STDIN as INSERTs. `sql` is the statement without its
// semicolon, `data` what follows its line. `*out_used` bytes of `data` belong to it; `*out_text` is
// NULL when its options are not the default ones. DR_E_NOMEM, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_copy_insert(struct dr_arena *arena, const char *sql, size_t sql_len, const char *data,
               size_t data_len, size_t *out_used, const char **out_text, size_t *out_len,
               size_t *out_rows, size_t *out_statements, struct dr_err *err);

#endif
