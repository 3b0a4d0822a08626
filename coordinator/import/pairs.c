// Files with a version in front, as golang-migrate and sqlx have them: an up and a down script of
// their own, in the order of the versions as numbers.

#include "coordinator/import/readers.h"

#include <stdlib.h>
#include <string.h>

enum dr_rc
dr_versioned_fill(struct dr_import *import, struct dr_import_revision *revision,
                  const struct dr_versioned *name, const struct dr_source_file *file,
                  struct dr_err *err)
{
    for (size_t i = 0; i < import->count; i++) {
        const struct dr_import_revision *r = import->items[i];
        if (r->version != NULL && strcmp(r->version, name->version) == 0) {
            (void)dr_err_set(err, DR_E_REVISION_DUPLICATE, "'%s' and '%s' have one version",
                             r->file == NULL ? "" : r->file, file->path);
            return dr_err_hint(err, "give one of them another version, as %s itself would ask",
                               import->format);
        }
    }
    const char *title = dr_text_title(import, name->title);
    revision->id = dr_import_id(import, name->version);
    revision->version = name->version;
    revision->file = file->path;
    if (revision->id == NULL || title == NULL) {
        return dr_import_nomem(err);
    }
    revision->message = dr_import_message(import, title, strlen(title), name->version);
    return revision->message == NULL ? dr_import_nomem(err) : DR_OK;
}

// One version with its scripts.
struct pair {
    struct dr_versioned name;
    const struct dr_source_file *up, *down;
};

struct pairs {
    struct pair *items;
    size_t count;
};

static int
by_number(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return x->name.number < y->name.number ? -1 : x->name.number > y->name.number ? 1 : 0;
}

// Which script a file is by what stands behind its title: ".up.sql", ".down.sql", ".sql".
static bool
script_of(const char *rest, bool may_be_simple, bool *out_down)
{
    *out_down = strncmp(rest, ".down.", 6) == 0;
    return *out_down || strncmp(rest, ".up.", 4) == 0 ||
           (may_be_simple && strcmp(rest, ".sql") == 0);
}

static enum dr_rc
two_files(const struct dr_import *import, const struct dr_source_file *a,
          const struct dr_source_file *b, struct dr_err *err)
{
    (void)dr_err_set(err, DR_E_REVISION_DUPLICATE, "'%s' and '%s' have one version", a->path,
                     b->path);
    return dr_err_hint(err, "give one of them another version, as %s itself would ask",
                       import->format);
}

static enum dr_rc
add_to_pairs(const struct dr_import *import, struct pairs *pairs, const struct dr_versioned *name,
             const struct dr_source_file *file, bool is_down, struct dr_err *err)
{
    struct pair *pair = NULL;
    for (size_t i = pairs->count; i > 0 && pair == NULL; i--) { // its partner stands just before
        pair = pairs->items[i - 1].name.number == name->number ? &pairs->items[i - 1] : NULL;
    }
    if (pair == NULL) {
        pair = &pairs->items[pairs->count++];
        pair->name = *name;
    }
    const struct dr_source_file **slot = is_down ? &pair->down : &pair->up;
    if (*slot != NULL) {
        return two_files(import, *slot, file, err);
    }
    *slot = file;
    return DR_OK;
}

// sqlx runs a script outside of a transaction when it begins with this line.
static bool
is_no_transaction(const struct dr_import_pieces *pieces)
{
    static const char mark[] = "-- no-transaction";
    return pieces->count > 0 && pieces->items[0].len >= sizeof mark - 1 &&
           memcmp(pieces->items[0].sql, mark, sizeof mark - 1) == 0;
}

static enum dr_rc
read_pair(struct dr_import *import, const struct pair *pair, struct dr_err *err)
{
    struct dr_import_revision *revision;
    const struct dr_source_file *first = pair->up != NULL ? pair->up : pair->down;
    enum dr_rc rc = dr_import_follow(import, &revision, err);
    rc = rc == DR_OK ? dr_versioned_fill(import, revision, &pair->name, first, err) : rc;
    rc = rc == DR_OK ? dr_text_file(import, revision, pair->up, false, NULL, &revision->up, err)
                     : rc;
    rc = rc == DR_OK ? dr_text_file(import, revision, pair->down, false, NULL, &revision->down, err)
                     : rc;
    if (rc == DR_OK && is_no_transaction(&revision->up)) {
        revision->up.items[0].outside_transaction = true;
    }
    if (rc == DR_OK && is_no_transaction(&revision->down)) {
        revision->down.items[0].outside_transaction = true;
    }
    if (rc == DR_OK && pair->up == NULL) {
        rc = dr_import_note(import, revision, DR_IMPORT_CHANGED, first->path, 0, err,
                            "there is no up script beside it");
    }
    return rc;
}

static enum dr_rc
read_pairs(struct dr_import *import, bool may_be_simple, const char *what, struct dr_err *err)
{
    struct dr_source_list list;
    struct pairs pairs = {0};
    enum dr_rc rc = dr_source_scan(import, NULL, 1, &list, err);
    rc = rc == DR_OK ? dr_source_choose(import, &list, err) : rc;
    pairs.items =
        rc == DR_OK ? dr_arena_array(import->arena, list.count + 1, sizeof *pairs.items) : NULL;
    if (rc == DR_OK && pairs.items == NULL) {
        rc = dr_import_nomem(err);
    }
    for (size_t i = 0; rc == DR_OK && i < list.count; i++) {
        const struct dr_source_file *file = &list.items[i];
        struct dr_versioned name;
        bool is_down = false;
        bool is_one = strchr(file->name, '/') == NULL &&
                      dr_text_versioned(import, file->base, '_', &name) &&
                      script_of(name.rest, may_be_simple, &is_down);
        rc = is_one ? add_to_pairs(import, &pairs, &name, file, is_down, err)
                    : dr_text_left_out(import, file, what, err);
    }
    if (rc == DR_OK && pairs.count > 0) {
        qsort(pairs.items, pairs.count, sizeof *pairs.items, by_number);
    }
    for (size_t i = 0; rc == DR_OK && i < pairs.count; i++) {
        rc = read_pair(import, &pairs.items[i], err);
    }
    return rc == DR_OK && import->count == 0 ? dr_text_none(import, "0001_create_users.up.sql", err)
                                             : rc;
}

enum dr_rc
dr_golang_migrate_read(struct dr_import *import, const struct dr_import_options *options,
                       struct dr_err *err)
{
    (void)options;
    return read_pairs(import, false, "golang-migrate runs files named N_title.up.sql", err);
}

enum dr_rc
dr_sqlx_read(struct dr_import *import, const struct dr_import_options *options, struct dr_err *err)
{
    (void)options;
    return read_pairs(import, true, "sqlx runs files named N_title.sql and N_title.up.sql", err);
}
