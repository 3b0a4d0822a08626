// Inside of revision/file: the state of one parse, shared by header, directives and body.
#ifndef DR_REVISION_FILE_INTERNAL_H
#define DR_REVISION_FILE_INTERNAL_H

#include "revision/file.h"

// One line without its end; `column` positions in it are counted from `start`.
struct dr_line {
    const char *start;
    size_t len;
    uint32_t number;
};

struct dr_parse {
    const char *path, *bytes;
    size_t len, pos; // pos: begin of the next line
    uint32_t line;   // number of the next line
    struct dr_arena *arena;
    struct dr_err *err;
    struct dr_revision *revision;
    struct dr_section *sections; // room for every directive of the file
    size_t section_count;
    struct dr_nolint *nolint;
    size_t nolint_count;
    size_t text_from, text_to; // the header's free text; equal: none
    uint32_t key_lines[32];    // by key: where it stands; 0: not given
};

enum dr_directive { DR_DIRECTIVE_NONE, DR_DIRECTIVE_EXACT, DR_DIRECTIVE_NEAR };

#define DR_DIRECTIVE_PREFIX "-- drover:"

bool dr_parse_line(struct dr_parse *p, struct dr_line *out); // false at the end of the file
enum dr_directive dr_parse_is_directive(const struct dr_line *line);

// Errors at byte `at` of a line, with a hint (not NULL).
enum dr_rc dr_parse_fail(struct dr_parse *p, enum dr_rc rc, const struct dr_line *line, size_t at,
                         const char *hint, const char *fmt, ...) DR_PRINTF(6, 7);
enum dr_rc dr_parse_nomem(struct dr_parse *p);

// Reads the header from line 1; stops before the first line that is not part of it.
DR_MUST_CHECK enum dr_rc dr_parse_header(struct dr_parse *p);
// Reads one directive line into a new section or nolint. `*out_section` is NULL for nolint and
// `down none`.
DR_MUST_CHECK enum dr_rc
dr_parse_directive(struct dr_parse *p, const struct dr_line *line, struct dr_section **out_section);
// Splits a list of ids at commas and blanks.
DR_MUST_CHECK enum dr_rc dr_parse_ids(struct dr_parse *p, const struct dr_line *line, size_t at,
                                      const char *value, struct dr_names *out);
// What is wrong over the whole file: engines without up or down, remedies without preflight.
DR_MUST_CHECK enum dr_rc dr_parse_check_whole(struct dr_parse *p);
// The statements of every section: none, too many, forbidden, not closed.
DR_MUST_CHECK enum dr_rc dr_parse_check_bodies(struct dr_parse *p);

#endif
