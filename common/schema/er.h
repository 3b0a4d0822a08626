// ER: the tables of a schema and the keys between them as a diagram's text.
#ifndef DR_SCHEMA_ER_H
#define DR_SCHEMA_ER_H

#include "base/str.h"
#include "schema/catalog.h"

#include <jansson.h>

enum dr_er_format { DR_ER_MERMAID, DR_ER_DOT };

// Appends the diagram to `out`; `pattern` (* and ?; NULL: all) chooses tables by name, and the keys
// between these.
void dr_er_text(const struct dr_catalog *catalog, enum dr_er_format format, const char *pattern,
                struct dr_buf *out);
// {"tables":[{"name","columns":[{"name","type","nullable","default","key"}]}],
// "keys":[{"table","references","definition","name"}]}; NULL when memory is out. The caller's.
json_t *dr_er_json(const struct dr_catalog *catalog, const char *pattern);
// The name of the table that a foreign key points to, as written in its definition, in the arena;
// "" when it is not found.
const char *dr_er_references(struct dr_arena *arena, const struct dr_schema_object *key);

#endif
