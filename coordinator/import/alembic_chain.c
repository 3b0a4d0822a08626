// From revision modules to a chain. See alembic_chain.h.
#include "coordinator/import/alembic_chain.h"

#include "base/file.h"
#include "base/str.h"
#include "coordinator/import/alembic_python.h"
#include "coordinator/import/source.h"
#include "engine/index.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct building {
    struct dr_import *import;
    struct dr_err *err;
    struct dr_alembic_module **modules; // as found
    size_t count, cap;
    struct dr_index by_id, by_label; // places in `modules`
    struct dr_alembic_chain chain;
    const char *root, *named; // real path of the folder, and as the user wrote it
};

// ------------------------------------------------------------------------------------------- read

// A path as the user would write it.
static const char *
shown(const struct building *b, const char *path)
{
    size_t n = strlen(b->root);
    if (strncmp(path, b->root, n) == 0 && path[n] == '/') {
        const char *text = dr_arena_printf(b->import->arena, "%s%s", b->named, path + n);
        return text != NULL ? text : path;
    }
    return path;
}

static bool
is_module_name(const char *base)
{
    return dr_str_ends(base, ".py") && !dr_str_starts(base, "__init__") &&
           !dr_str_starts(base, ".#");
}

static enum dr_rc
keep_module(struct building *b, const struct dr_alembic_module *m)
{
    size_t other = 0;
    if (b->count == b->cap) {
        size_t cap = b->cap == 0 ? 64 : b->cap * 2;
        struct dr_alembic_module **more = dr_arena_array(b->import->arena, cap, sizeof(*more));
        if (more == NULL) {
            return dr_import_nomem(b->err);
        }
        if (b->count > 0) {
            memcpy(more, b->modules, b->count * sizeof(struct dr_alembic_module *));
        }
        b->modules = more;
        b->cap = cap;
    }
    if (dr_index_get(&b->by_id, m->id, &other)) {
        dr_err_set(b->err, DR_E_REVISION_DUPLICATE, "revision '%s' is in two modules, also in '%s'",
                   m->id, shown(b, b->modules[other]->path));
        dr_err_hint(b->err, "give one of them another id, or move it away");
        return dr_err_at(b->err, shown(b, m->path), m->id_line, 1);
    }
    struct dr_alembic_module *copy = dr_arena_copy(b->import->arena, m, sizeof(*m));
    if (copy == NULL || !dr_index_put(&b->by_id, copy->id, b->count)) {
        return dr_import_nomem(b->err);
    }
    for (size_t i = 0; i < copy->labels.count; i++) {
        if (!dr_index_put(&b->by_label, copy->labels.items[i], b->count)) {
            return dr_import_nomem(b->err);
        }
    }
    b->modules[b->count++] = copy;
    return DR_OK;
}

static enum dr_rc
read_module(struct building *b, const char *path)
{
    struct dr_alembic_module m = {0};
    char *bytes = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_file_read(path, DR_PYTHON_SOURCE_MAX, &bytes, &len, b->err);
    if (rc == DR_OK) {
        rc = dr_alembic_module_read(path, bytes, len, b->import->arena, &m, b->err);
        free(bytes);
    }
    if (rc == DR_E_INVALID) {
        struct dr_err why = *b->err;
        *b->err = (struct dr_err){0};
        return dr_import_note(b->import, NULL, DR_IMPORT_HAND, shown(b, path), why.line, b->err,
                              "it is no Python that can be read: %s", why.message);
    }
    if (rc != DR_OK) {
        return rc;
    }
    if (m.id == NULL || m.id[0] == '\0') {
        const char *why = m.problem != NULL ? m.problem
                          : m.has_upgrade   ? "it has upgrade(), but no line 'revision = \"ID\"' "
                                              "that can be read: write it so"
                                            : "it has no 'revision = ...'";
        return dr_import_note(b->import, NULL,
                              m.problem != NULL || m.has_upgrade ? DR_IMPORT_HAND
                                                                 : DR_IMPORT_LEFT_OUT,
                              shown(b, path), m.problem_line, b->err, "%s", why);
    }
    return keep_module(b, &m);
}

static enum dr_rc
read_modules(struct building *b, const struct dr_alembic_config *config)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < config->versions.count; i++) {
        struct dr_source_list list = {0};
        rc = dr_source_scan(b->import, config->versions.items[i],
                            config->is_recursive ? DR_SOURCE_DEPTH_MAX : 0, &list, b->err);
        for (size_t k = 0; rc == DR_OK && k < list.count; k++) {
            rc = is_module_name(list.items[k].base) ? read_module(b, list.items[k].path) : DR_OK;
        }
    }
    if (rc == DR_OK && b->count == 0) {
        dr_err_set(b->err, DR_E_NOT_FOUND, "'%s' has no revision of Alembic", b->named);
        return dr_err_hint(b->err, "drover import alembic FOLDER, the one with alembic.ini");
    }
    return rc;
}

// ------------------------------------------------------------------------------------------ links

// The module that a dependency names: by id, label or a part of an id; SIZE_MAX: none or several.
static size_t
find_dependency(const struct building *b, const char *name)
{
    size_t at = 0, found = SIZE_MAX;
    const char *id = strchr(name, '@') != NULL ? strchr(name, '@') + 1 : name;
    if (dr_index_get(&b->by_id, id, &at) || dr_index_get(&b->by_label, name, &at)) {
        return at;
    }
    for (size_t i = 0; i < b->count; i++) {
        if (dr_str_starts(b->modules[i]->id, id)) {
            if (found != SIZE_MAX) {
                return SIZE_MAX;
            }
            found = i;
        }
    }
    return found;
}

// A literal that could not be read: what people are told of it is taken instead, and said.
static enum dr_rc
mend_parents(struct building *b, struct dr_alembic_module *m)
{
    if (m->problem == NULL) {
        return DR_OK;
    }
    const char **items = dr_arena_array(b->import->arena, DR_ALEMBIC_LIST_MAX, sizeof(*items));
    size_t count = 0, unused = 0;
    if (items == NULL) {
        return dr_import_nomem(b->err);
    }
    for (const char *p = m->doc_revises; *p != '\0' && count < DR_ALEMBIC_LIST_MAX;) {
        size_t n = strcspn(p, ", ");
        const char *id = dr_arena_strn(b->import->arena, p, n);
        if (id != NULL && n > 0 && dr_index_get(&b->by_id, id, &unused)) {
            items[count++] = id;
        }
        p += p[n] == '\0' ? n : n + 1;
    }
    if (m->parents.count == 0) {
        m->parents = (struct dr_names){.items = items, .count = count};
    }
    return DR_OK;
}

static enum dr_rc
check_links(struct building *b, struct dr_alembic_module *m)
{
    size_t at = 0;
    for (size_t i = 0; i < m->parents.count; i++) {
        if (!dr_index_get(&b->by_id, m->parents.items[i], &at)) {
            dr_err_set(b->err, DR_E_REVISION_PARENT,
                       "revision '%s' revises '%s', which no module has", m->id,
                       m->parents.items[i]);
            dr_err_hint(b->err,
                        "bring the missing module, or correct down_revision; Alembic itself "
                        "stops here, too");
            return dr_err_at(b->err, shown(b, m->path), m->parents_line, 1);
        }
    }
    for (size_t i = 0; i < m->depends_on.count; i++) {
        if (find_dependency(b, m->depends_on.items[i]) == SIZE_MAX) {
            dr_err_set(b->err, DR_E_REVISION_PARENT,
                       "revision '%s' depends on '%s', which no module or more than one has", m->id,
                       m->depends_on.items[i]);
            dr_err_hint(b->err, "write the whole id of one revision in depends_on");
            return dr_err_at(b->err, shown(b, m->path), m->parents_line, 1);
        }
    }
    return DR_OK;
}

static bool
is_placed(const struct building *b, const bool *placed, const struct dr_alembic_module *m)
{
    size_t at = 0;
    for (size_t i = 0; i < m->parents.count; i++) {
        if (dr_index_get(&b->by_id, m->parents.items[i], &at) && !placed[at]) {
            return false;
        }
    }
    for (size_t i = 0; i < m->depends_on.count; i++) {
        at = find_dependency(b, m->depends_on.items[i]);
        if (at != SIZE_MAX && !placed[at]) {
            return false;
        }
    }
    return true;
}

// Parents first; of those that may come, the first by file name.
static enum dr_rc
put_in_order(struct building *b)
{
    bool *placed = dr_arena_array(b->import->arena, b->count, sizeof(*placed));
    b->chain.modules = dr_arena_array(b->import->arena, b->count, sizeof(*b->chain.modules));
    if (placed == NULL || b->chain.modules == NULL) {
        return dr_import_nomem(b->err);
    }
    for (bool has_moved = true; has_moved && b->chain.count < b->count;) {
        has_moved = false;
        for (size_t i = 0; i < b->count; i++) {
            if (!placed[i] && is_placed(b, placed, b->modules[i])) {
                b->chain.modules[b->chain.count++] = b->modules[i];
                placed[i] = has_moved = true;
            }
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        if (!placed[i]) {
            dr_err_set(b->err, DR_E_REVISION_CYCLE, "revision '%s' stands on itself",
                       b->modules[i]->id);
            return dr_err_at(b->err, shown(b, b->modules[i]->path), b->modules[i]->parents_line, 1);
        }
    }
    return DR_OK;
}

// ------------------------------------------------------------------------------------------ model

// The docstring is for people, and a copy of another file's; what Alembic obeys are the literals.
static enum dr_rc
tell_lies(struct building *b, struct dr_import_revision *r, const struct dr_alembic_module *m)
{
    struct dr_buf parents = {0};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; i < m->parents.count; i++) {
        dr_buf_printf(&parents, "%s%s", i == 0 ? "" : ", ", m->parents.items[i]);
    }
    const char *said = parents.data ? parents.data : "";
    bool is_same = strcmp(said, m->doc_revises) == 0 ||
                   (said[0] == '\0' && strcmp(m->doc_revises, "None") == 0);
    if (m->has_doc_revises && !is_same && m->problem == NULL) {
        rc = dr_import_note(b->import, r, DR_IMPORT_CHANGED, r->file, m->parents_line, b->err,
                            "the docstring says 'Revises: %s', down_revision says '%s': "
                            "down_revision counts",
                            m->doc_revises, said);
    }
    if (rc == DR_OK && m->doc_id[0] != '\0' && strcmp(m->doc_id, m->id) != 0) {
        rc = dr_import_note(b->import, r, DR_IMPORT_CHANGED, r->file, m->id_line, b->err,
                            "the docstring says 'Revision ID: %s', revision says '%s': revision "
                            "counts",
                            m->doc_id, m->id);
    }
    if (rc == DR_OK && m->problem != NULL) {
        rc = dr_import_note(b->import, r, DR_IMPORT_HAND, r->file, m->problem_line, b->err,
                            "%s: the docstring's 'Revises: %s' was taken; check it", m->problem,
                            m->doc_revises);
    }
    dr_buf_fini(&parents);
    return rc;
}

static struct dr_import_revision *
revision_of(const struct building *b, const struct dr_alembic_module *m)
{
    for (size_t i = 0; i < b->chain.count; i++) {
        if (b->chain.modules[i] == m) {
            return b->chain.revisions[i];
        }
    }
    return NULL;
}

// Names of modules as ids of the model.
static enum dr_rc
link_names(struct building *b, const struct dr_names *names, struct dr_names *out)
{
    const char **ids = dr_arena_array(b->import->arena, names->count + 1, sizeof(*ids));
    size_t count = 0;
    for (size_t i = 0; ids != NULL && i < names->count; i++) {
        size_t at = find_dependency(b, names->items[i]);
        const struct dr_import_revision *r = at == SIZE_MAX ? NULL : revision_of(b, b->modules[at]);
        if (r != NULL) {
            ids[count++] = r->id;
        }
    }
    *out = (struct dr_names){.items = ids, .count = count};
    return ids != NULL ? DR_OK : dr_import_nomem(b->err);
}

static enum dr_rc
keep_labels(struct building *b, struct dr_import_revision *r, const struct dr_names *labels)
{
    const char **items = dr_arena_array(b->import->arena, labels->count + 1, sizeof(*items));
    enum dr_rc rc = items == NULL ? dr_import_nomem(b->err) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < labels->count; i++) {
        items[i] = dr_revision_id_valid(labels->items[i])
                       ? labels->items[i]
                       : dr_import_id(b->import, labels->items[i]);
        if (items[i] == NULL) {
            return dr_import_nomem(b->err);
        }
        if (strcmp(items[i], labels->items[i]) != 0) {
            rc = dr_import_note(b->import, r, DR_IMPORT_CHANGED, r->file, 0, b->err,
                                "branch label '%s' is '%s' here", labels->items[i], items[i]);
        }
    }
    r->labels = (struct dr_names){.items = items, .count = labels->count};
    return rc;
}

static enum dr_rc
add_revision(struct building *b, const struct dr_alembic_module *m, struct dr_import_revision **out)
{
    struct dr_import_revision *r = NULL;
    enum dr_rc rc = dr_import_add(b->import, &r, b->err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *base = strrchr(m->path, '/');
    bool is_plain = dr_revision_id_valid(m->id) && dr_import_find(b->import, m->id) == NULL;
    r->file = shown(b, m->path);
    r->message = dr_import_message(b->import, m->message, strlen(m->message),
                                   base != NULL ? base + 1 : m->path);
    r->text = m->text;
    r->create_date = m->create_date[0] != '\0' ? m->create_date : NULL;
    r->id = is_plain ? m->id : dr_import_id(b->import, m->id);
    r->version = m->id;
    *out = r;
    if (r->id == NULL || r->message == NULL) {
        return dr_import_nomem(b->err);
    }
    if (!is_plain) {
        rc = dr_import_note(b->import, r, DR_IMPORT_CHANGED, r->file, m->id_line, b->err,
                            "revision '%s' is '%s' here: an id has letters, digits, '_' and '.', "
                            "64 at most",
                            m->id, r->id);
    }
    rc = rc == DR_OK ? keep_labels(b, r, &m->labels) : rc;
    return rc == DR_OK ? tell_lies(b, r, m) : rc;
}

static enum dr_rc
fill_model(struct building *b)
{
    enum dr_rc rc = DR_OK;
    b->chain.revisions =
        dr_arena_array(b->import->arena, b->chain.count, sizeof(struct dr_import_revision *));
    if (b->chain.revisions == NULL) {
        return dr_import_nomem(b->err);
    }
    for (size_t i = 0; rc == DR_OK && i < b->chain.count; i++) {
        const struct dr_alembic_module *m = b->chain.modules[i];
        rc = add_revision(b, m, &b->chain.revisions[i]);
        rc = rc == DR_OK ? link_names(b, &m->parents, &b->chain.revisions[i]->parents) : rc;
        rc = rc == DR_OK ? link_names(b, &m->depends_on, &b->chain.revisions[i]->depends_on) : rc;
    }
    return rc;
}

enum dr_rc
dr_alembic_chain_read(struct dr_import *import, const struct dr_alembic_config *config,
                      struct dr_alembic_chain *out, struct dr_err *err)
{
    char real[PATH_MAX] = "";
    struct building b = {.import = import,
                         .err = err,
                         .by_id = {.arena = import->arena},
                         .by_label = {.arena = import->arena},
                         .named = import->folder};
    b.root = realpath(import->folder, real) != NULL ? real : import->folder;
    enum dr_rc rc = read_modules(&b, config);
    for (size_t i = 0; rc == DR_OK && i < b.count; i++) {
        rc = mend_parents(&b, b.modules[i]);
        rc = rc == DR_OK ? check_links(&b, b.modules[i]) : rc;
    }
    rc = rc == DR_OK ? put_in_order(&b) : rc;
    rc = rc == DR_OK ? fill_model(&b) : rc;
    if (rc == DR_OK) {
        *out = b.chain;
    }
    return rc;
}
