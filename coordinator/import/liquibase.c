// Liquibase's formatted SQL: files that begin with `--liquibase formatted sql` and hold changesets,
// `--changeset author:id attribute:value ...`, each with `--rollback` lines. Files are taken in the
// order of their names.

#include "coordinator/import/readers.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

struct reader {
    struct dr_import *import;
    const struct dr_source_file *file;
    struct dr_import_revision *revision; // of the open changeset; NULL: none
    struct dr_text up, down;
    bool is_outside, is_whole, is_other, in_rollback, is_ignored, has_rollback;
    const char *delimiter; // ";" by default
    size_t len;            // of the file
};

static enum dr_rc
hand(struct reader *r, uint32_t line, struct dr_err *err, const char *reason)
{
    return dr_import_note(r->import, r->revision, DR_IMPORT_HAND, r->file->path, line, err, "%s",
                          reason);
}

// The value of `name:value` in the rest of a line; NULL. Values may stand in double quotes.
static const char *
attribute(struct dr_import *import, const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = text; (at = strcasestr(at, name)) != NULL; at += len) {
        bool is_start = at == text || at[-1] == ' ' || at[-1] == '\t';
        if (is_start && at[len] == ':') {
            const char *value = at + len + 1;
            bool is_quoted = *value == '"';
            value += is_quoted;
            return dr_arena_strn(import->arena, value, strcspn(value, is_quoted ? "\"" : " \t"));
        }
    }
    return NULL;
}

// "postgresql, h2" or "!oracle" has our engine?
static bool
is_for_us(const struct dr_import *import, const char *dbms)
{
    const char *mine = import->dialect == DR_SQL_SQLITE ? "sqlite" : "postgresql";
    bool is_named = strcasestr(dbms, mine) != NULL || strcasecmp(dbms, "all") == 0;
    const char *no = strchr(dbms, '!');
    return no == NULL ? is_named : strncasecmp(no + 1, mine, strlen(mine)) != 0;
}

// Puts semicolons where another delimiter stood at the end of a line or on one of its own.
static void
change_delimiters(struct dr_text *text, const char *delimiter)
{
    struct dr_source_line line = {0};
    size_t len = strlen(delimiter), pos = 0;
    while (len > 0 && dr_source_line(text->data, text->len, &pos, &line)) {
        size_t end = line.len;
        while (end > 0 && (line.start[end - 1] == ' ' || line.start[end - 1] == '\t')) {
            end--;
        }
        if (end >= len && memcmp(line.start + end - len, delimiter, len) == 0) {
            char *at = text->data + line.offset + end - len;
            memset(at, ' ', len);
            at[0] = ';';
        }
    }
}

static void
end_statements(struct reader *r, struct dr_text *text)
{
    if (strcmp(r->delimiter, ";") != 0) {
        change_delimiters(text, r->delimiter);
    }
    if (r->is_whole) {
        text->begin = 0;
        dr_text_end_statement(text);
    }
}

// The open changeset becomes a revision.
static enum dr_rc
end_changeset(struct reader *r, struct dr_err *err)
{
    struct dr_import_revision *revision = r->revision;
    r->revision = NULL;
    if (revision == NULL) {
        return DR_OK;
    }
    end_statements(r, &r->up);
    enum dr_rc rc = dr_text_piece(&r->up, r->is_outside, NULL, &revision->up, err);
    rc = rc == DR_OK ? dr_text_piece(&r->down, r->is_outside, NULL, &revision->down, err) : rc;
    if (r->has_rollback && revision->down.count == 0) {
        revision->no_down = "its rollback in Liquibase does nothing";
    }
    return rc;
}

static const char *
id_of(struct reader *r, const char *id)
{
    size_t base = strcspn(r->file->base, ".");
    bool is_short = strlen(id) < 5 || dr_import_find(r->import, id) != NULL;
    const char *name = is_short ? dr_arena_printf(r->import->arena, "%.*s.%s",
                                                  (int)(base > 40 ? 40 : base), r->file->base, id)
                                : id;
    return name == NULL ? NULL : dr_import_id(r->import, name);
}

static enum dr_rc
note_attributes(struct reader *r, const char *rest, uint32_t line, struct dr_err *err)
{
    static const char *const kept_out[][2] = {
        {"context", "runs only in a context: put it where it belongs, or remove it"},
        {"contextFilter", "runs only in a context: put it where it belongs, or remove it"},
        {"labels", "has labels that select it: it runs always here"},
        {"failOnError", "may fail in Liquibase: it may not here"},
        {"onValidationFail", "has a rule for changed checksums: drover has none"},
    };
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < DR_COUNT_OF(kept_out); i++) {
        if (attribute(r->import, rest, kept_out[i][0]) != NULL) {
            rc = dr_import_note(r->import, r->revision, DR_IMPORT_HAND, r->file->path, line, err,
                                "the changeset %s", kept_out[i][1]);
        }
    }
    const char *always = attribute(r->import, rest, "runAlways");
    const char *change = attribute(r->import, rest, "runOnChange");
    bool is_repeated = (always != NULL && strcasecmp(always, "true") == 0) ||
                       (change != NULL && strcasecmp(change, "true") == 0);
    r->revision->is_repeatable = is_repeated;
    return rc == DR_OK && is_repeated
               ? dr_import_note(r->import, r->revision, DR_IMPORT_CHANGED, r->file->path, line, err,
                                "Liquibase runs it again; here a change is a new revision")
               : rc;
}

static bool
is_value(const char *value, const char *wanted)
{
    return value != NULL && strcasecmp(value, wanted) == 0;
}

// `--changeset author:id attributes`
static enum dr_rc
begin_changeset(struct reader *r, const char *text, uint32_t line, struct dr_err *err)
{
    struct dr_import *import = r->import;
    enum dr_rc rc = end_changeset(r, err);
    text += strspn(text, " \t");
    size_t name_len = strcspn(text, " \t");
    const char *colon = memchr(text, ':', name_len);
    if (rc == DR_OK && colon == NULL) {
        (void)dr_err_set(err, DR_E_INVALID, "a changeset is named author:id");
        return dr_err_at(err, r->file->path, line, 1);
    }
    const char *rest = text + name_len;
    const char *dbms = attribute(import, rest, "dbms");
    r->is_other = dbms != NULL && !is_for_us(import, dbms);
    if (rc == DR_OK && r->is_other) {
        return dr_import_note(import, NULL, DR_IMPORT_LEFT_OUT, r->file->path, line, err,
                              "the changeset %.*s is for %s", (int)name_len, text, dbms);
    }
    const char *id = dr_arena_strn(import->arena, colon + 1, name_len - (size_t)(colon - text) - 1);
    rc = rc == DR_OK ? dr_import_follow(import, &r->revision, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    r->revision->id = id == NULL ? NULL : id_of(r, id);
    r->revision->author = dr_arena_strn(import->arena, text, (size_t)(colon - text));
    r->revision->version = dr_arena_strn(import->arena, text, name_len);
    r->revision->file = r->file->path;
    r->revision->line = line;
    if (r->revision->id == NULL || r->revision->author == NULL || r->revision->version == NULL) {
        return dr_import_nomem(err);
    }
    r->revision->message = r->revision->id;
    r->is_outside = is_value(attribute(import, rest, "runInTransaction"), "false");
    r->is_whole = is_value(attribute(import, rest, "splitStatements"), "false");
    const char *delimiter = attribute(import, rest, "endDelimiter");
    r->delimiter = delimiter == NULL                   ? ";"
                   : strncmp(delimiter, "\\n", 2) == 0 ? delimiter + 2
                                                       : delimiter;
    r->has_rollback = r->in_rollback = r->is_ignored = false;
    rc = dr_text_begin(import, r->file->path, r->len + 16, &r->up, err);
    rc = rc == DR_OK ? dr_text_begin(import, r->file->path, r->len + 16, &r->down, err) : rc;
    return rc == DR_OK ? note_attributes(r, rest, line, err) : rc;
}

// `--rollback SQL`, `--rollback empty`, `--rollback changesetId:...`
static enum dr_rc
take_rollback(struct reader *r, const char *text, size_t len, uint32_t line, struct dr_err *err)
{
    size_t blanks = 0;
    while (blanks < len && (text[blanks] == ' ' || text[blanks] == '\t')) {
        blanks++;
    }
    r->has_rollback = true;
    bool is_empty = len - blanks == 5 && strncasecmp(text + blanks, "empty", 5) == 0;
    bool is_not = len - blanks == 12 && strncasecmp(text + blanks, "not required", 12) == 0;
    if (is_empty || is_not) {
        return DR_OK;
    }
    if (len - blanks > 11 && strncasecmp(text + blanks, "changesetid", 11) == 0) {
        return hand(r, line, err, "the way back is another changeset: write its statements");
    }
    struct dr_source_line sql = {.start = text + blanks, .len = len - blanks, .number = line};
    dr_text_add(&r->down, &sql, false);
    return DR_OK;
}

static enum dr_rc
take_comment(struct reader *r, const struct dr_source_line *line, bool *out_taken,
             struct dr_err *err)
{
    const char *end = line->start + line->len, *at;
    *out_taken = true;
    if ((at = dr_text_comment(line, "changeset")) != NULL) {
        const char *text = dr_arena_strn(r->import->arena, at, (size_t)(end - at));
        return text == NULL ? dr_import_nomem(err) : begin_changeset(r, text, line->number, err);
    }
    if (dr_text_comment(line, "liquibase formatted sql") != NULL) {
        return DR_OK;
    }
    if (dr_text_comment(line, "property") != NULL) {
        return hand(r, line->number, err,
                    "properties are Liquibase's own: write their values "
                    "where they are used");
    }
    if (r->revision == NULL) {
        *out_taken = false;
        return DR_OK;
    }
    if ((at = dr_text_comment(line, "rollback")) != NULL) {
        return take_rollback(r, at, (size_t)(end - at), line->number, err);
    }
    if (dr_text_comment(line, "precondition") != NULL) {
        return hand(r, line->number, err,
                    "preconditions are Liquibase's own: write a preflight, -- drover:preflight "
                    "\"name\"");
    }
    if ((at = dr_text_comment(line, "comment")) != NULL && at < end && (*at == ':' || *at == ' ')) {
        r->revision->message =
            dr_import_message(r->import, at + 1, (size_t)(end - at) - 1, r->revision->id);
        return r->revision->message == NULL ? dr_import_nomem(err) : DR_OK;
    }
    if (dr_text_comment(line, "ignoreLines:start") != NULL) {
        r->is_ignored = true;
    } else if (dr_text_comment(line, "ignoreLines:end") != NULL) {
        r->is_ignored = false;
    } else if (dr_text_comment(line, "ignoreLines") != NULL) {
        return hand(r, line->number, err, "lines that Liquibase ignores follow: remove them");
    } else if (dr_text_comment(line, "validCheckSum") == NULL) {
        *out_taken = false;
    }
    return DR_OK;
}

static enum dr_rc
take_line(struct reader *r, const struct dr_source_line *line, struct dr_err *err)
{
    bool is_taken = false;
    enum dr_rc rc = take_comment(r, line, &is_taken, err);
    if (rc != DR_OK || is_taken || r->is_other || r->is_ignored) {
        return rc;
    }
    bool opens = line->len >= 21 && strncasecmp(line->start, "/* liquibase rollback", 21) == 0;
    if (opens || (r->in_rollback && memmem(line->start, line->len, "*/", 2) != NULL)) {
        r->in_rollback = opens;
        r->has_rollback = true;
        return DR_OK;
    }
    if (r->revision == NULL) {
        return dr_text_is_blank(line->start, line->len)
                   ? DR_OK
                   : hand(r, line->number, err, "this stands before the first changeset");
    }
    dr_text_add(r->in_rollback ? &r->down : &r->up, line, false);
    const char *open = memmem(line->start, line->len, "${", 2);
    return open == NULL
               ? DR_OK
               : hand(r, line->number, err, "Liquibase puts a property in here: write its value");
}

static bool
is_formatted(const char *text, size_t len)
{
    struct dr_source_line line = {0};
    size_t pos = 0;
    while (dr_source_line(text, len, &pos, &line)) {
        if (dr_text_comment(&line, "liquibase formatted sql") != NULL) {
            return true;
        }
        if (!dr_text_is_blank(line.start, line.len)) {
            return false;
        }
    }
    return false;
}

static enum dr_rc
read_file(struct dr_import *import, const struct dr_source_file *file, struct dr_err *err)
{
    const char *text = "";
    struct reader r = {.import = import, .file = file, .delimiter = ";"};
    size_t pos = 0;
    struct dr_source_line line = {0};
    size_t len = strlen(file->base);
    if (len < 5 || strcmp(file->base + len - 4, ".sql") != 0) {
        static const char *const logs[] = {".xml", ".yaml", ".yml", ".json"};
        for (size_t i = 0; i < DR_COUNT_OF(logs); i++) {
            if (dr_str_ends(file->base, logs[i])) {
                return dr_import_note(import, NULL, DR_IMPORT_HAND, file->path, 0, err,
                                      "only formatted SQL is read: what this changelog holds or "
                                      "orders otherwise has to be seen to");
            }
        }
        return dr_text_left_out(import, file, "it is no formatted SQL of Liquibase's", err);
    }
    enum dr_rc rc = dr_source_read(import, NULL, file, &text, &r.len, err);
    if (rc == DR_OK && !is_formatted(text, r.len)) {
        return dr_text_left_out(import, file, "it does not begin with '--liquibase formatted sql'",
                                err);
    }
    while (rc == DR_OK && dr_source_line(text, r.len, &pos, &line)) {
        rc = take_line(&r, &line, err);
    }
    return rc == DR_OK ? end_changeset(&r, err) : rc;
}

enum dr_rc
dr_liquibase_read(struct dr_import *import, const struct dr_import_options *options,
                  struct dr_err *err)
{
    struct dr_source_list list;
    (void)options;
    enum dr_rc rc = dr_source_scan(import, NULL, DR_SOURCE_DEPTH_MAX, &list, err);
    rc = rc == DR_OK ? dr_source_choose(import, &list, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < list.count; i++) {
        rc = read_file(import, &list.items[i], err);
    }
    return rc == DR_OK && import->count == 0 ? dr_text_none(import,
                                                            "001_users.sql, which begins "
                                                            "with '--liquibase formatted "
                                                            "sql'",
                                                            err)
                                             : rc;
}
