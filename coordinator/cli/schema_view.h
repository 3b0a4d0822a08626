// Schemas and their differences for people and programs.
#ifndef DR_CLI_SCHEMA_VIEW_H
#define DR_CLI_SCHEMA_VIEW_H

#include "coordinator/cli/schema_source.h"

#include <jansson.h>

// Every object that the options --kind and the command's arguments (patterns of names) choose.
json_t *dr_schema_view_json(const struct dr_cli *cli, const struct dr_schema_source *source);
// Statements that make it.
DR_MUST_CHECK enum dr_rc
dr_schema_view_sql(struct dr_cli *cli, const struct dr_schema_source *source, struct dr_err *err);
// One line per object.
DR_MUST_CHECK enum dr_rc
dr_schema_view_list(struct dr_cli *cli, const struct dr_schema_source *source, struct dr_err *err);
// The tables and views that the arguments name, with all that hangs on them. DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc
dr_schema_view_tables(struct dr_cli *cli, const struct dr_schema_source *source,
                      struct dr_err *err);
// The hint where nothing has the name that was typed: it may have been meant for --from. Returns
// err->rc.
enum dr_rc dr_schema_view_hint(struct dr_err *err, const char *name);
// What differs, object by object; `*out_count` objects.
DR_MUST_CHECK enum dr_rc
dr_schema_view_diff(struct dr_cli *cli, const struct dr_schema_source *a,
                    const struct dr_schema_source *b, size_t *out_count, struct dr_err *err);

#endif
