// One revision module of Alembic: what its literals say, read without running it.
#ifndef DR_IMPORT_ALEMBIC_MODULE_H
#define DR_IMPORT_ALEMBIC_MODULE_H

#include "base/arena.h"
#include "revision/file.h"

#define DR_ALEMBIC_LIST_MAX 64u // parents, labels, dependencies of one revision

// All strings are in the arena; "" and empty lists for what the module does not say.
struct dr_alembic_module {
    const char *path;
    const char *id; // `revision`; NULL: the module has none, it is no revision
    uint32_t id_line, parents_line;
    struct dr_names parents;    // `down_revision`
    struct dr_names labels;     // `branch_labels`
    struct dr_names depends_on; // `depends_on`, as written: an id, a part of one, or a label
    const char *message;        // first line of the docstring
    const char *text;           // its other lines up to "Revision ID:"
    const char *create_date;
    bool has_doc_revises;
    const char *doc_revises; // what the docstring says of the parents: people only
    const char *doc_id;      // and of the id; "" when it says nothing
    const char *problem;     // why a literal could not be read; NULL: all could
    uint32_t problem_line;
    bool has_upgrade, has_downgrade;     // `def upgrade(` at the top level
    bool empty_upgrade, empty_downgrade; // nothing but `pass` and text in it
    // Names in it that need an answer from a database: "op.get_bind()", "batch_alter_table"; NULL.
    const char *asks_upgrade, *asks_downgrade;
};

// Reads `len` bytes of `path`. A literal that cannot be read is a `problem`, not a failure.
// DR_E_INVALID for bytes that are no Python; DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_alembic_module_read(const char *path, const char *source, size_t len, struct dr_arena *arena,
                       struct dr_alembic_module *out, struct dr_err *err);

#endif
