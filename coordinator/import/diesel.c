// Diesel: a folder for each migration, VERSION_title/, with up.sql, perhaps down.sql, and
// metadata.toml, where `run_in_transaction = false` may stand. The version is the folder's name up
// to the first '_', without dashes.

#include "coordinator/import/readers.h"

#include "base/str.h"

#include <string.h>

struct entry {
    const char *folder;
    const struct dr_source_file *up, *down, *metadata;
};

// The folder of a file: "2024-01-01-000000_users" of ".../up.sql"; NULL at the top.
static const char *
folder_of(struct dr_import *import, const struct dr_source_file *file)
{
    const char *slash = strchr(file->name, '/');
    return slash == NULL || strchr(slash + 1, '/') != NULL
               ? NULL
               : dr_arena_strn(import->arena, file->name, (size_t)(slash - file->name));
}

static enum dr_rc
add_file(struct dr_import *import, struct entry *entries, size_t *count,
         const struct dr_source_file *file, struct dr_err *err)
{
    const char *folder = folder_of(import, file);
    bool is_up = strcmp(file->base, "up.sql") == 0, is_down = strcmp(file->base, "down.sql") == 0;
    bool is_metadata = strcmp(file->base, "metadata.toml") == 0;
    if (folder == NULL || !(is_up || is_down || is_metadata)) {
        return dr_text_left_out(import, file,
                                "diesel runs VERSION_title/up.sql and VERSION_title/down.sql", err);
    }
    struct entry *last = *count > 0 ? &entries[*count - 1] : NULL;
    if (last == NULL || strcmp(last->folder, folder) != 0) { // the list is sorted by name
        last = &entries[(*count)++];
        last->folder = folder;
    }
    last->up = is_up ? file : last->up;
    last->down = is_down ? file : last->down;
    last->metadata = is_metadata ? file : last->metadata;
    return DR_OK;
}

// `run_in_transaction = false` in metadata.toml.
static enum dr_rc
read_metadata(struct dr_import *import, const struct dr_source_file *file, bool *out_outside,
              struct dr_err *err)
{
    const char *text = "";
    size_t len = 0, pos = 0;
    struct dr_source_line line = {0};
    enum dr_rc rc = file == NULL ? DR_OK : dr_source_read(import, NULL, file, &text, &len, err);
    while (rc == DR_OK && file != NULL && dr_source_line(text, len, &pos, &line)) {
        size_t at = strspn(line.start, " \t");
        bool is_key = line.len > at + 18 && memcmp(line.start + at, "run_in_transaction", 18) == 0;
        *out_outside = *out_outside || (is_key && memmem(line.start, line.len, "false", 5) != NULL);
    }
    return rc;
}

static enum dr_rc
read_entry(struct dr_import *import, const struct entry *entry, struct dr_err *err)
{
    struct dr_import_revision *revision;
    const struct dr_source_file *first = entry->up != NULL ? entry->up : entry->down;
    const char *underscore = strchr(entry->folder, '_');
    char *version = dr_arena_strn(import->arena, entry->folder, strcspn(entry->folder, "_"));
    bool is_outside = false;
    size_t n = 0;
    if (version == NULL) {
        return dr_import_nomem(err);
    }
    for (const char *p = version; *p != '\0'; p++) {
        if (*p != '-') {
            version[n++] = *p;
        }
    }
    version[n] = '\0';
    struct dr_versioned name = {.version = version,
                                .title = underscore == NULL ? entry->folder : underscore + 1,
                                .rest = ""};
    enum dr_rc rc = read_metadata(import, entry->metadata, &is_outside, err);
    if (rc != DR_OK || first == NULL) {
        return rc;
    }
    rc = dr_import_follow(import, &revision, err);
    rc = rc == DR_OK ? dr_versioned_fill(import, revision, &name, first, err) : rc;
    rc = rc == DR_OK
             ? dr_text_file(import, revision, entry->up, is_outside, NULL, &revision->up, err)
             : rc;
    return rc == DR_OK
               ? dr_text_file(import, revision, entry->down, is_outside, NULL, &revision->down, err)
               : rc;
}

enum dr_rc
dr_diesel_read(struct dr_import *import, const struct dr_import_options *options,
               struct dr_err *err)
{
    struct dr_source_list list;
    size_t count = 0;
    struct entry *entries = NULL;
    (void)options;
    enum dr_rc rc = dr_source_scan(import, NULL, 2, &list, err);
    rc = rc == DR_OK ? dr_source_choose(import, &list, err) : rc;
    if (rc == DR_OK) {
        entries = dr_arena_array(import->arena, list.count + 1, sizeof *entries);
        rc = entries == NULL ? dr_import_nomem(err) : DR_OK;
    }
    for (size_t i = 0; rc == DR_OK && i < list.count; i++) {
        rc = add_file(import, entries, &count, &list.items[i], err);
    }
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = read_entry(import, &entries[i], err);
    }
    return rc == DR_OK && import->count == 0
               ? dr_text_none(import, "2024-01-02-030405_create_users/up.sql", err)
               : rc;
}
