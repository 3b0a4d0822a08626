// Flyway: V1_2__title.sql in the order of the versions' numbers, U1_2__title.sql the way back,
// B5__title.sql a baseline for new databases, R__title.sql run after all others whenever it
// changes, and callbacks named for events. Folders below are searched as well.

#include "coordinator/import/readers.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct script {
    char kind;           // V U B R; 'c': before everything, 'C': behind it
    const char *version; // "1.2"; "" for R and callbacks
    const char *title;
    const struct dr_source_file *file, *conf;
    size_t order; // in the list
};

struct scripts {
    struct script *items;
    size_t count;
};

// Numbers between dots and underscores, one by one; missing ones are 0.
static int
compare_versions(const char *a, const char *b)
{
    while (*a != '\0' || *b != '\0') {
        size_t za = strspn(a, "0"), zb = strspn(b, "0");
        a += za;
        b += zb;
        size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
        int order = na != nb ? (na < nb ? -1 : 1) : strncmp(a, b, na);
        if (order != 0) {
            return order;
        }
        a += na;
        b += nb;
        a += *a != '\0';
        b += *b != '\0';
    }
    return 0;
}

static int
rank_of(char kind)
{
    static const char order[] = "cBVURC";
    return (int)(strchr(order, kind) - order);
}

static int
by_order(const void *a, const void *b)
{
    const struct script *x = a, *y = b;
    bool both = strchr("BVU", x->kind) != NULL && strchr("BVU", y->kind) != NULL;
    int order = both ? compare_versions(x->version, y->version) : 0;
    order = order != 0 ? order : rank_of(x->kind) - rank_of(y->kind);
    order = order != 0 ? order : strcmp(x->title, y->title);
    return order != 0 ? order : (x->order < y->order ? -1 : 1);
}

// What a callback's event is in drover: run once before or behind the chain; '\0': nothing.
static char
event_of(const char *base)
{
    size_t len = strcspn(base, "_.");
    static const char *const first[] = {"beforeMigrate", "createSchema"};
    static const char *const last[] = {"afterMigrate", "afterMigrateApplied", "afterVersioned"};
    for (size_t i = 0; i < DR_COUNT_OF(first); i++) {
        if (strlen(first[i]) == len && memcmp(first[i], base, len) == 0) {
            return 'c';
        }
    }
    for (size_t i = 0; i < DR_COUNT_OF(last); i++) {
        if (strlen(last[i]) == len && memcmp(last[i], base, len) == 0) {
            return 'C';
        }
    }
    return '\0';
}

// Reads a name like V1_2__title.sql. False when it is none.
static bool
read_name(struct dr_import *import, const struct dr_source_file *file, struct script *out)
{
    const char *base = file->base, *at = base + 1;
    size_t len = strlen(base);
    if (len < 6 || strcmp(base + len - 4, ".sql") != 0) {
        return false;
    }
    *out = (struct script){.kind = event_of(base), .version = "", .file = file};
    if (out->kind != '\0') {
        out->title = dr_arena_strn(import->arena, base, len - 4);
        return out->title != NULL;
    }
    if (strchr("VUBR", base[0]) == NULL) {
        return false;
    }
    const char *title = strstr(base, "__");
    const char *end = title == NULL ? base + len - 4 : title;
    char *version = dr_arena_strn(import->arena, at, (size_t)(end - at));
    out->kind = base[0];
    out->title = title == NULL ? ""
                               : dr_arena_strn(import->arena, title + 2,
                                               (size_t)(base + len - 4 - title - 2));
    if (version == NULL || out->title == NULL || (base[0] == 'R') != (version[0] == '\0') ||
        strspn(version, "0123456789._") != strlen(version) || (base[0] == 'R' && title == NULL)) {
        return false;
    }
    for (char *p = version; *p != '\0'; p++) {
        *p = *p == '_' ? '.' : *p;
    }
    out->version = version;
    return true;
}

static bool
is_conf(const struct dr_source_file *file)
{
    size_t len = strlen(file->base);
    return len > 9 && strcmp(file->base + len - 9, ".sql.conf") == 0;
}

static enum dr_rc
refuse_file(struct dr_import *import, const struct dr_source_file *file, struct dr_err *err)
{
    size_t len = strlen(file->base);
    bool is_program = len > 5 && (strcmp(file->base + len - 5, ".java") == 0 ||
                                  strcmp(file->base + len - 3, ".py") == 0 ||
                                  strcmp(file->base + len - 3, ".kt") == 0);
    bool is_event = strncmp(file->base, "before", 6) == 0 || strncmp(file->base, "after", 5) == 0;
    if (is_program && strchr("VBUR", file->base[0]) != NULL) {
        return dr_import_note(import, NULL, DR_IMPORT_HAND, file->path, 0, err,
                              "a program: write a revision with its statements at its place in the "
                              "chain");
    }
    return dr_text_left_out(import, file,
                            is_event ? "drover has no such event: say it in the revisions that "
                                       "need it"
                                     : "Flyway runs files named V1__title.sql, R__title.sql and "
                                       "the like",
                            err);
}

static enum dr_rc
list_scripts(struct dr_import *import, struct dr_source_list *list, struct scripts *out,
             struct dr_err *err)
{
    enum dr_rc rc = dr_source_scan(import, NULL, DR_SOURCE_DEPTH_MAX, list, err);
    rc = rc == DR_OK ? dr_source_choose(import, list, err) : rc;
    out->items =
        rc == DR_OK ? dr_arena_array(import->arena, list->count + 1, sizeof *out->items) : NULL;
    if (rc == DR_OK && out->items == NULL) {
        rc = dr_import_nomem(err);
    }
    for (size_t i = 0; rc == DR_OK && i < list->count; i++) {
        struct script *script = &out->items[out->count];
        if (read_name(import, &list->items[i], script)) {
            script->order = i;
            out->count++;
        } else if (!is_conf(&list->items[i])) {
            rc = refuse_file(import, &list->items[i], err);
        }
    }
    for (size_t i = 0; rc == DR_OK && i < list->count; i++) {
        for (size_t k = 0; is_conf(&list->items[i]) && k < out->count; k++) {
            const char *name = out->items[k].file->name;
            size_t len = strlen(name);
            bool is_its = strncmp(list->items[i].name, name, len) == 0 &&
                          strcmp(list->items[i].name + len, ".conf") == 0;
            out->items[k].conf = is_its ? &list->items[i] : out->items[k].conf;
        }
    }
    if (rc == DR_OK && out->count > 0) {
        qsort(out->items, out->count, sizeof *out->items, by_order);
    }
    return rc;
}

// What a script's own configuration says.
static enum dr_rc
read_conf(struct dr_import *import, struct dr_import_revision *revision,
          const struct dr_source_file *conf, bool *out_outside, bool *out_plain, struct dr_err *err)
{
    const char *text = "";
    size_t len = 0, pos = 0;
    struct dr_source_line line = {0};
    enum dr_rc rc = conf == NULL ? DR_OK : dr_source_read(import, NULL, conf, &text, &len, err);
    while (rc == DR_OK && conf != NULL && dr_source_line(text, len, &pos, &line)) {
        bool is_false = memmem(line.start, line.len, "false", 5) != NULL;
        if (line.len == 0 || line.start[0] == '#') {
            continue;
        }
        if (memmem(line.start, line.len, "executeInTransaction", 20) != NULL) {
            *out_outside = is_false;
        } else if (memmem(line.start, line.len, "placeholderReplacement", 22) != NULL) {
            *out_plain = is_false;
        } else {
            rc = dr_import_note(import, revision, DR_IMPORT_HAND, conf->path, line.number, err,
                                "drover has no such setting of a script: '%.*s'",
                                (int)(line.len > 80 ? 80 : line.len), line.start);
        }
    }
    return rc;
}

// Placeholders are Flyway's own: each line with one has to be written out.
static enum dr_rc
note_placeholders(struct dr_import *import, struct dr_import_revision *revision,
                  const struct dr_import_pieces *pieces, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < pieces->count; i++) {
        struct dr_source_line line = {0};
        size_t pos = 0;
        while (rc == DR_OK &&
               dr_source_line(pieces->items[i].sql, pieces->items[i].len, &pos, &line)) {
            const char *open = memmem(line.start, line.len, "${", 2);
            size_t rest = open == NULL ? 0 : line.len - (size_t)(open - line.start);
            const char *close = open == NULL ? NULL : memchr(open, '}', rest);
            if (close != NULL && close > open + 2) {
                rc = dr_import_note(import, revision, DR_IMPORT_HAND, pieces->items[i].file,
                                    line.number, err,
                                    "the placeholder %.*s: write what it stands for",
                                    (int)(close - open + 1 > 80 ? 80 : close - open + 1), open);
            }
        }
    }
    return rc;
}

// Flyway's checksum: CRC-32 over the lines without their ends, as a signed number.
static const char *
checksum_of(struct dr_import *import, const char *text, size_t len)
{
    struct dr_source_line line = {0};
    uint32_t crc = UINT32_MAX;
    size_t pos = 0;
    while (dr_source_line(text, len, &pos, &line)) {
        for (size_t i = 0; i < line.len; i++) {
            crc ^= (unsigned char)line.start[i];
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
            }
        }
    }
    return dr_arena_printf(import->arena, "%d", (int32_t)~crc);
}

static const struct script *
find_script(const struct scripts *all, char kind, const char *version)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i].kind == kind && compare_versions(all->items[i].version, version) == 0) {
            return &all->items[i];
        }
    }
    return NULL;
}

static enum dr_rc
add_script(struct dr_import *import, struct dr_import_revision *revision,
           const struct script *script, struct dr_import_pieces *to, struct dr_err *err)
{
    bool is_outside = false, is_plain = false;
    enum dr_rc rc = read_conf(import, revision, script->conf, &is_outside, &is_plain, err);
    rc = rc == DR_OK ? dr_text_file(import, revision, script->file, is_outside, NULL, to, err) : rc;
    return rc == DR_OK && !is_plain ? note_placeholders(import, revision, to, err) : rc;
}

static enum dr_rc
fill(struct dr_import *import, struct dr_import_revision *revision, const struct script *script,
     struct dr_err *err)
{
    bool is_versioned = script->version[0] != '\0';
    const char *title = dr_text_title(import, script->title);
    const char *name = is_versioned ? script->version
                       : script->kind == 'R'
                           ? dr_arena_printf(import->arena, "R__%s", script->title)
                           : script->title;
    revision->id = name == NULL ? NULL : dr_import_id(import, name);
    revision->version = is_versioned ? script->version : script->file->name;
    revision->file = script->file->path;
    revision->is_repeatable = script->kind == 'R';
    revision->is_unrecorded = strchr("cC", script->kind) != NULL;
    if (title == NULL || revision->id == NULL) {
        return dr_import_nomem(err);
    }
    revision->message = dr_import_message(import, title, strlen(title), revision->id);
    return revision->message == NULL ? dr_import_nomem(err) : DR_OK;
}

// Flyway undoes versions before it without touching it: its way down does nothing.
static enum dr_rc
add_standing(struct dr_import *import, struct dr_import_revision *revision, struct dr_err *err)
{
    static const char text[] = "-- Flyway leaves it as it is when a version is undone\nSELECT 1;\n";
    struct dr_import_piece piece = {
        .sql = text, .len = sizeof text - 1, .file = revision->file, .line = 1};
    return dr_import_piece(import, &revision->down, &piece, err);
}

static enum dr_rc
read_script(struct dr_import *import, const struct scripts *all, const struct script *script,
            struct dr_err *err)
{
    struct dr_import_revision *revision;
    const struct script *undo = script->kind == 'V' ? find_script(all, 'U', script->version) : NULL;
    enum dr_rc rc = dr_import_follow(import, &revision, err);
    rc = rc == DR_OK ? fill(import, revision, script, err) : rc;
    rc = rc == DR_OK ? add_script(import, revision, script, &revision->up, err) : rc;
    if (rc == DR_OK && revision->up.count > 0) {
        const struct dr_import_piece *up = &revision->up.items[0];
        revision->checksum = checksum_of(import, up->sql, up->len);
        rc = revision->checksum == NULL ? dr_import_nomem(err) : DR_OK;
    }
    if (rc == DR_OK && undo != NULL) {
        rc = add_script(import, revision, undo, &revision->down, err);
    }
    bool is_again = strchr("RcC", script->kind) != NULL;
    if (rc == DR_OK && is_again) {
        rc = add_standing(import, revision, err);
    }
    if (rc == DR_OK && (script->kind == 'c' || script->kind == 'C')) {
        rc = dr_import_note(import, revision, DR_IMPORT_CHANGED, script->file->path, 0, err,
                            "Flyway runs this callback with every migrate; here it runs once, %s "
                            "the chain",
                            script->kind == 'c' ? "before" : "behind");
    } else if (rc == DR_OK && script->kind == 'R') {
        rc =
            dr_import_note(import, revision, DR_IMPORT_CHANGED, script->file->path, 0, err,
                           "Flyway runs it again when it changes; here a change is a new revision");
    }
    return rc;
}

// A baseline stands for the versions up to its own: it is used when those are gone.
static enum dr_rc
skip_script(struct dr_import *import, const struct scripts *all, const struct script *script,
            bool *out_skip, struct dr_err *err)
{
    const struct script *first = NULL;
    for (size_t i = 0; i < all->count && first == NULL; i++) {
        first = all->items[i].kind == 'V' ? &all->items[i] : NULL;
    }
    *out_skip = true;
    if (script->kind == 'U') {
        return find_script(all, 'V', script->version) != NULL
                   ? DR_OK
                   : dr_text_left_out(import, script->file, "there is no migration that it undoes",
                                      err);
    }
    if (script->kind == 'B' && first != NULL &&
        compare_versions(first->version, script->version) <= 0) {
        return dr_import_note(import, NULL, DR_IMPORT_LEFT_OUT, script->file->path, 0, err,
                              "the migrations from version %s on that it stands for are there",
                              first->version);
    }
    *out_skip = false;
    return DR_OK;
}

enum dr_rc
dr_flyway_read(struct dr_import *import, const struct dr_import_options *options,
               struct dr_err *err)
{
    struct dr_source_list list;
    struct scripts all = {0};
    (void)options;
    enum dr_rc rc = list_scripts(import, &list, &all, err);
    for (size_t i = 0; rc == DR_OK && i < all.count; i++) {
        const struct script *script = &all.items[i];
        bool skip = false;
        const struct script *last = i > 0 ? &all.items[i - 1] : NULL;
        bool is_double = last != NULL && last->kind == script->kind && script->version[0] != '\0' &&
                         compare_versions(last->version, script->version) == 0;
        if (is_double) {
            (void)dr_err_set(err, DR_E_REVISION_DUPLICATE, "'%s' and '%s' have one version",
                             last->file->path, script->file->path);
            return dr_err_hint(err, "give one of them another version, as Flyway itself would ask");
        }
        rc = skip_script(import, &all, script, &skip, err);
        rc = rc == DR_OK && !skip ? read_script(import, &all, script, err) : rc;
    }
    return rc == DR_OK && import->count == 0 ? dr_text_none(import, "V1__create_users.sql", err)
                                             : rc;
}
