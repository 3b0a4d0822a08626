// What import and export share: the format and engine that were typed, and their notes for people.
#ifndef DR_CLI_IMPORT_VIEW_H
#define DR_CLI_IMPORT_VIEW_H

#include "coordinator/cli/print.h"

#include "coordinator/import/formats.h"

// The format of the first argument. DR_E_USAGE lists those that there are.
DR_MUST_CHECK enum dr_rc
dr_import_view_format(const struct dr_cli *cli, bool is_export, const struct dr_import_format **out,
                      struct dr_err *err);
// --engine into `import`. DR_E_USAGE.
DR_MUST_CHECK enum dr_rc
dr_import_view_engine(const struct dr_cli *cli, struct dr_import *import, struct dr_err *err);
// The notes as a table, hand work first.
void dr_import_view_notes(const struct dr_cli *cli, const struct dr_import *import);
json_t *dr_import_view_notes_json(const struct dr_import *import);

#endif
