// Sheet: one revision file under construction. Inside of render.c.
#ifndef DR_IMPORT_SHEET_H
#define DR_IMPORT_SHEET_H

#include "coordinator/import/chunk.h"

#include "base/str.h"
#include "sql/check.h"

#define DR_SHEET_SETS_MAX 32u

// One piece with what is known of its statements.
struct dr_part {
    const struct dr_import_piece *piece;
    struct dr_chunks chunks;
    const struct dr_sql_result *result; // NULL: not asked
};

// A file under construction.
struct dr_sheet {
    struct dr_import *import;
    struct dr_err *err;
    struct dr_import_revision *revision;
    const char *word; // "up"
    struct dr_buf *out;
    struct dr_buf pending; // comments before the next statement
    bool is_open, is_off;
    const char
        *sets[DR_SHEET_SETS_MAX]; // SETs of the session in sections before, with their lengths
    size_t set_lens[DR_SHEET_SETS_MAX];
    size_t sets_count;
    size_t sections;
};

// Adds the header (its keys; no blank line behind them).
void dr_head_add(const struct dr_import *import, const struct dr_import_revision *revision,
                 struct dr_buf *out);

// One way of a revision ("up", "down", "verify"): all its parts. `sheet->sections` counts what was
// written; comments that are left over stay in `sheet->pending`. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_sheet_way(struct dr_sheet *sheet, const char *word, const struct dr_part *parts, size_t count);
// An up without a statement: of hand work it stays empty, so that it is refused; otherwise the tool
// counted a migration that does nothing, and so does drover. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_sheet_empty_up(struct dr_sheet *sheet);
// The reason why there is no way back.
void dr_sheet_no_down(struct dr_sheet *sheet);

#endif
