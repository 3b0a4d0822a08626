// Source: the files of another tool, listed in order and read as plain text. What a revision file
// cannot hold as it is (a byte order mark, CR) is changed here and noted.
#ifndef DR_IMPORT_SOURCE_H
#define DR_IMPORT_SOURCE_H

#include "coordinator/import/model.h"

#define DR_SOURCE_FILES_MAX 40000u
#define DR_SOURCE_DEPTH_MAX 4u

struct dr_source_file {
    const char *path; // that opens it: "db/migrations/1_users.up.sql"
    const char *name; // in the folder: "1_users.up.sql", "1_users/up.sql"
    const char *base; // its last part
};

struct dr_source_list {
    struct dr_source_file *items; // by name, in byte order
    size_t count, cap;
};

// Regular files below `folder` (NULL: import->folder), at most `depth` folders deep; names that
// begin with '.' are left out. DR_E_NOT_FOUND, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_source_scan(struct dr_import *import, const char *folder, unsigned depth,
               struct dr_source_list *out, struct dr_err *err);

// Takes files for other databases out of the list and notes each: by folder ("mysql/") or by a word
// before the suffix ("1_users.sqlite.up.sql", which is taken out of `name` and `base` of those that
// stay). DR_E_USAGE when there are such files and no engine was named: the message lists them.
DR_MUST_CHECK enum dr_rc
dr_source_choose(struct dr_import *import, struct dr_source_list *list, struct dr_err *err);

// The file's text, with CRLF and CR as LF and without a byte order mark, each noted. What no
// revision can hold (NUL, bad UTF-8, invisible controls) is noted as hand work of `revision`. Empty
// files give "". DR_E_LIMIT, DR_E_NOT_FOUND, DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_source_read(struct dr_import *import, struct dr_import_revision *revision,
               const struct dr_source_file *file, const char **out, size_t *out_len,
               struct dr_err *err);

// One line of a text; false at its end. `*pos` moves behind it, `*number` counts (begin with 0).
struct dr_source_line {
    const char *start;
    size_t len;      // without its end
    size_t offset;   // of start in the text
    uint32_t number; // from 1
};
bool dr_source_line(const char *text, size_t len, size_t *pos, struct dr_source_line *line);

#endif
