// Fuzz target: the parser of revision files, and the lexer over every section that it found. Both
// take bytes that nobody has checked yet, and neither may read outside of them.
#include "revision/file.h"
#include "sql/lexer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
walk(const struct dr_revision *revision, enum dr_sql_dialect dialect)
{
    for (size_t i = 0; i < revision->section_count; i++) {
        const struct dr_section *s = &revision->sections[i];
        size_t count = 0;
        if (s->offset > revision->size || s->length > revision->size - s->offset) {
            abort();
        }
        enum dr_rc rc = dr_sql_count(dialect, revision->bytes + s->offset, s->length, &count, NULL);
        if (rc == DR_OK && count == 0 && dialect == DR_SQL_POSTGRESQL &&
            s->engines != DR_ENGINE_SQLITE) {
            abort(); // the parser refuses empty sections
        }
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dr_arena *arena = dr_arena_new(64u << 20);
    struct dr_err err = {0};
    struct dr_revision *revision = NULL;
    if (arena == NULL) {
        return 0;
    }
    enum dr_rc rc = dr_revision_parse("fuzz.sql", (const char *)data, size, arena, &revision, &err);
    if (rc == DR_OK) {
        walk(revision, DR_SQL_POSTGRESQL);
        walk(revision, DR_SQL_SQLITE);
    } else if (rc != DR_E_NOMEM && (err.message[0] == '\0' || err.hint[0] == '\0')) {
        abort(); // every refusal says what and what to type
    }
    dr_arena_free(&arena);
    return 0;
}
