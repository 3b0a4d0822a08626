// Formats: the tools whose migrations drover reads and writes, one row each. Who adds a format
// writes its reader (and its writer) in files of its own and adds a row to formats.c.
#ifndef DR_IMPORT_FORMATS_H
#define DR_IMPORT_FORMATS_H

#include "coordinator/import/model.h"

struct dr_graph;

// How a tool's own table is asked what is applied; see applied.h. Names are unqualified: the schema
// that holds `table` is the search path.
struct dr_import_state {
    const char *table; // "schema_migrations"
    // Rows of four texts, in the order in which they were applied: kind, version (the revision's
    // `version`, or its id), checksum ("": none), trouble ("": done). Kinds: "one"; "upto": this
    // and all before it; "head": this and its ancestors; "undone": no longer.
    const char *query;
    // A query for a text each about what is wrong with the table as a whole; NULL: nothing can be.
    const char *warning;
};

struct dr_import_options {
    const char *command; // what runs the tool, where a reader needs it (--command); NULL: default
    const char *scratch_url; // --scratch; NULL: none was given
    const char *url;         // --url: the database that the tool works on; NULL: none was given
};

// A folder that is written by an export; files appear when all are written.
struct dr_folder;

struct dr_import_format {
    const char *name;    // "dbmate"
    const char *summary; // what DIR is: "db/migrations of dbmate"
    // Fills the chain from import->folder. Errors name file and line. NULL: cannot be imported.
    enum dr_rc (*read)(struct dr_import *import, const struct dr_import_options *options,
                       struct dr_err *err);
    const struct dr_import_state *state; // NULL: the tool keeps none
    // Writes the chain as the tool's files into a new folder, through folder.h; what the format
    // cannot hold is noted in `import` (its revisions stay empty). NULL: cannot be exported.
    enum dr_rc (*write)(const struct dr_graph *graph, struct dr_import *import,
                        struct dr_folder *to, struct dr_err *err);
};

// The row of a name; NULL. `dr_import_formats` ends with {0}.
const struct dr_import_format *dr_import_format_find(const char *name);
extern const struct dr_import_format dr_import_formats[];

#endif
