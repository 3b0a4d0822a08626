// goose: VERSION_title.sql with `-- +goose Up` and `-- +goose Down`; StatementBegin and
// StatementEnd frame what has semicolons inside; NO TRANSACTION stands for the whole file.
// Migrations in Go are programs: they have to be written as SQL by hand.

#include "coordinator/import/readers.h"

#include <stdlib.h>
#include <string.h>

struct file {
    struct dr_import *import;
    struct dr_import_revision *revision;
    const char *path;
    struct dr_text up, down, *now;
    bool no_transaction, has_up, substitutes;
};

struct entry {
    struct dr_versioned name;
    const struct dr_source_file *file;
};

static int
by_number(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return x->name.number < y->name.number   ? -1
           : x->name.number > y->name.number ? 1
                                             : strcmp(x->file->name, y->file->name);
}

static enum dr_rc
hand(struct file *f, uint32_t line, struct dr_err *err, const char *reason)
{
    return dr_import_note(f->import, f->revision, DR_IMPORT_HAND, f->path, line, err, "%s", reason);
}

// A line `-- +goose WORD`.
static enum dr_rc
take_annotation(struct file *f, const struct dr_source_line *line, struct dr_err *err)
{
    if (dr_text_comment(line, "+goose Up") != NULL) {
        f->now = &f->up;
        f->has_up = true;
    } else if (dr_text_comment(line, "+goose Down") != NULL) {
        f->now = &f->down;
    } else if (dr_text_comment(line, "+goose NO TRANSACTION") != NULL) {
        f->no_transaction = true;
    } else if (dr_text_comment(line, "+goose StatementBegin") != NULL) {
        if (f->now != NULL) {
            dr_text_begin_statement(f->now);
        }
    } else if (dr_text_comment(line, "+goose StatementEnd") != NULL) {
        if (f->now != NULL) {
            dr_text_end_statement(f->now);
        }
    } else if (dr_text_comment(line, "+goose ENVSUB ON") != NULL) {
        f->substitutes = true;
    } else if (dr_text_comment(line, "+goose ENVSUB OFF") != NULL) {
        f->substitutes = false;
    } else {
        return hand(f, line->number, err, "this annotation of goose's is not known to drover");
    }
    return DR_OK;
}

static enum dr_rc
take_line(struct file *f, const struct dr_source_line *line, struct dr_err *err)
{
    if (dr_text_comment(line, "+goose") != NULL) {
        enum dr_rc rc = take_annotation(f, line, err);
        if (rc == DR_OK && f->now != NULL && f->now->len > 0) {
            dr_text_add(f->now, line, true);
        }
        return rc;
    }
    if (f->now == NULL) {
        return dr_text_is_blank(line->start, line->len)
                   ? DR_OK
                   : hand(f, line->number, err, "SQL stands before '-- +goose Up'");
    }
    dr_text_add(f->now, line, false);
    bool is_variable = f->substitutes && memchr(line->start, '$', line->len) != NULL;
    return is_variable ? hand(f, line->number, err,
                              "goose puts variables of the environment in here (ENVSUB): write "
                              "their values")
                       : DR_OK;
}

static enum dr_rc
read_sql(struct file *f, const struct dr_source_file *file, struct dr_err *err)
{
    const char *text = "";
    size_t len = 0, pos = 0;
    struct dr_source_line line = {0};
    enum dr_rc rc = dr_source_read(f->import, f->revision, file, &text, &len, err);
    size_t cap = 2 * len + 64; // every StatementEnd may add a semicolon
    rc = rc == DR_OK ? dr_text_begin(f->import, f->path, cap, &f->up, err) : rc;
    rc = rc == DR_OK ? dr_text_begin(f->import, f->path, cap, &f->down, err) : rc;
    while (rc == DR_OK && dr_source_line(text, len, &pos, &line)) {
        rc = take_line(f, &line, err);
    }
    if (rc == DR_OK && !f->has_up && len > 0) {
        rc = hand(f, 1, err, "there is no line '-- +goose Up': goose refuses the file");
    }
    struct dr_import_revision *r = f->revision;
    rc = rc == DR_OK ? dr_text_piece(&f->up, f->no_transaction, NULL, &r->up, err) : rc;
    return rc == DR_OK ? dr_text_piece(&f->down, f->no_transaction, NULL, &r->down, err) : rc;
}

static enum dr_rc
read_entry(struct dr_import *import, const struct entry *entry, struct dr_err *err)
{
    struct file f = {.import = import, .path = entry->file->path};
    enum dr_rc rc = dr_import_follow(import, &f.revision, err);
    rc = rc == DR_OK ? dr_versioned_fill(import, f.revision, &entry->name, entry->file, err) : rc;
    if (rc == DR_OK && strcmp(entry->name.rest, ".go") == 0) {
        f.revision->no_down = "a program in Go went back: write its SQL";
        return hand(&f, 0, err,
                    "a program in Go: write its statements under '-- drover:up' and "
                    "'-- drover:down'");
    }
    return rc == DR_OK ? read_sql(&f, entry->file, err) : rc;
}

enum dr_rc
dr_goose_read(struct dr_import *import, const struct dr_import_options *options, struct dr_err *err)
{
    struct dr_source_list list;
    struct entry *entries = NULL;
    size_t count = 0;
    (void)options;
    enum dr_rc rc = dr_source_scan(import, NULL, 1, &list, err);
    rc = rc == DR_OK ? dr_source_choose(import, &list, err) : rc;
    if (rc == DR_OK) {
        entries = dr_arena_array(import->arena, list.count + 1, sizeof *entries);
        rc = entries == NULL ? dr_import_nomem(err) : DR_OK;
    }
    for (size_t i = 0; rc == DR_OK && i < list.count; i++) {
        const struct dr_source_file *file = &list.items[i];
        struct dr_versioned name;
        size_t len = strlen(file->base);
        bool is_test = len > 8 && strcmp(file->base + len - 8, "_test.go") == 0;
        bool is_one = strchr(file->name, '/') == NULL && !is_test &&
                      dr_text_versioned(import, file->base, '_', &name) &&
                      (strcmp(name.rest, ".sql") == 0 || strcmp(name.rest, ".go") == 0);
        if (is_one) {
            entries[count++] = (struct entry){name, file};
        } else {
            rc = dr_text_left_out(import, file, "goose runs files named VERSION_title.sql", err);
        }
    }
    if (rc == DR_OK && count > 0) {
        qsort(entries, count, sizeof *entries, by_number);
    }
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        rc = read_entry(import, &entries[i], err);
    }
    return rc == DR_OK && import->count == 0
               ? dr_text_none(import, "20240102030405_create_users.sql", err)
               : rc;
}
