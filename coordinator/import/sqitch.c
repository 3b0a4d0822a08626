// Sqitch: sqitch.plan lists the changes, one a line: NAME [requires !conflicts] TIME PLANNER <MAIL>
// # note; @TAG lines mark places. Scripts are deploy/NAME.sql, revert/NAME.sql, verify/NAME.sql,
// run by psql without a transaction of Sqitch's. A change that stands in the plan again was
// reworked: its earlier scripts are NAME@TAG.sql, for the first tag behind that place.

#include "coordinator/import/export.h"
#include "coordinator/import/readers.h"

#include "base/str.h"

#include <string.h>

struct change {
    const char *name;
    const char *requires; // what stands in the brackets
    const char *time, *planner, *note;
    const char *tags;      // "@v1 @v1.1" behind it, ""
    const char *first_tag; // first tag anywhere behind it; NULL
    uint32_t line;
    struct dr_import_revision *revision;
};

struct plan {
    struct dr_import *import;
    const char *path;
    struct dr_source_list files;
    struct change *items;
    size_t count, cap;
};

static const struct dr_source_file *
find_file(const struct plan *plan, const char *folder, const char *name, const char *tag)
{
    char wanted[512];
    struct dr_buf text = {.max = sizeof wanted};
    dr_buf_printf(&text, "%s/%s%s%s.sql", folder, name, tag == NULL ? "" : "@",
                  tag == NULL ? "" : tag);
    const struct dr_source_file *found = NULL;
    for (size_t i = 0; text.data != NULL && i < plan->files.count && found == NULL; i++) {
        found = strcmp(plan->files.items[i].name, text.data) == 0 ? &plan->files.items[i] : NULL;
    }
    dr_buf_fini(&text);
    return found;
}

static const char *
skip_blank(const char *at)
{
    return at + strspn(at, " \t");
}

// A copy of `len` bytes with the escapes of plan notes undone.
static const char *
copy_note(struct plan *plan, const char *from)
{
    char *text = dr_arena_str(plan->import->arena, from);
    size_t to = 0;
    for (size_t i = 0; text != NULL && text[i] != '\0'; i++) {
        if (text[i] == '\\' && text[i + 1] == 'n') {
            text[to++] = '\n';
            i++;
        } else {
            text[to++] = text[i];
        }
    }
    if (text != NULL) {
        text[to] = '\0';
    }
    return text;
}

static enum dr_rc
malformed(const struct plan *plan, uint32_t number, struct dr_err *err)
{
    (void)dr_err_set(err, DR_E_INVALID, "this is no line of a plan of Sqitch's");
    (void)dr_err_hint(err, "look with: sqitch plan");
    return dr_err_at(err, plan->path, number, 1);
}

// "TIME PLANNER <MAIL> # note" into `c`.
static enum dr_rc
read_tail(struct plan *plan, struct change *c, const char *at, struct dr_err *err)
{
    struct dr_arena *arena = plan->import->arena;
    at = skip_blank(at);
    size_t time = strcspn(at, " \t");
    c->time = dr_arena_strn(arena, at, time);
    at = skip_blank(at + time);
    const char *mark = strstr(at, "> #");
    const char *end = strchr(at, '>');
    size_t planner = mark != NULL  ? (size_t)(mark - at) + 1
                     : end != NULL ? (size_t)(end - at) + 1
                                   : 0;
    c->planner = dr_arena_strn(arena, at, planner);
    const char *note = strchr(at + planner, '#');
    c->note = note == NULL ? "" : copy_note(plan, skip_blank(note + 1));
    bool is_time = time >= 20 && strspn(c->time == NULL ? "" : c->time, "0123456789-:TZ") == time;
    return c->time == NULL || c->planner == NULL || c->note == NULL ? dr_import_nomem(err)
           : !is_time || planner == 0                               ? malformed(plan, c->line, err)
                                                                    : DR_OK;
}

static enum dr_rc
read_tag(struct plan *plan, const char *line, uint32_t number, struct dr_err *err)
{
    struct dr_arena *arena = plan->import->arena;
    const char *tag = dr_arena_strn(arena, line + 1, strcspn(line + 1, " \t"));
    if (plan->count == 0) {
        return malformed(plan, number, err);
    }
    for (size_t i = plan->count; i > 0 && plan->items[i - 1].first_tag == NULL; i--) {
        plan->items[i - 1].first_tag = tag;
    }
    struct change *last = &plan->items[plan->count - 1];
    last->tags = tag == NULL ? NULL
                             : dr_arena_printf(arena, "%s%s@%s", last->tags,
                                               last->tags[0] == '\0' ? "" : " ", tag);
    return last->tags == NULL ? dr_import_nomem(err) : DR_OK;
}

static enum dr_rc
read_change(struct plan *plan, const char *line, uint32_t number, struct dr_err *err)
{
    struct change *items =
        dr_import_grow(plan->import, plan->items, plan->count, &plan->cap, sizeof *items);
    if (items == NULL) {
        return dr_import_nomem(err);
    }
    plan->items = items;
    struct change *c = &plan->items[plan->count];
    *c = (struct change){.requires = "", .tags = "", .line = number};
    line += line[0] == '+';
    line = skip_blank(line);
    size_t len = strcspn(line, " \t[");
    c->name = dr_arena_strn(plan->import->arena, line, len);
    const char *at = skip_blank(line + len);
    if (*at == '[') {
        const char *close = strchr(at, ']');
        if (close == NULL) {
            return malformed(plan, number, err);
        }
        c->requires = dr_arena_strn(plan->import->arena, at + 1, (size_t)(close - at) - 1);
        at = close + 1;
    }
    if (c->name == NULL || c->requires == NULL) {
        return dr_import_nomem(err);
    }
    if (len == 0 || line[0] == '-') {
        return malformed(plan, number, err);
    }
    enum dr_rc rc = read_tail(plan, c, at, err);
    plan->count += rc == DR_OK;
    return rc;
}

static enum dr_rc
read_plan(struct plan *plan, const char *text, size_t len, struct dr_err *err)
{
    struct dr_source_line line = {0};
    size_t pos = 0;
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK && dr_source_line(text, len, &pos, &line)) {
        const char *copy = dr_arena_strn(plan->import->arena, line.start, line.len);
        const char *at = copy == NULL ? "" : skip_blank(copy);
        if (copy == NULL) {
            rc = dr_import_nomem(err);
        } else if (*at == '@') {
            rc = read_tag(plan, at, line.number, err);
        } else if (*at != '\0' && *at != '#' && *at != '%') {
            rc = read_change(plan, at, line.number, err);
        }
    }
    return rc;
}

// The change of a name before `until`; `tag` (may be "") says which of several.
static struct change *
find_change(struct plan *plan, const char *name, size_t len, const char *tag, size_t until)
{
    struct change *found = NULL;
    for (size_t i = 0; i < until; i++) {
        struct change *c = &plan->items[i];
        if (strlen(c->name) != len || memcmp(c->name, name, len) != 0) {
            continue;
        }
        bool is_tagged = tag[0] == '\0' || (c->first_tag != NULL && strcmp(c->first_tag, tag) == 0);
        found = is_tagged || found == NULL ? c : found;
        if (tag[0] != '\0' && is_tagged) {
            break;
        }
    }
    return found;
}

// One word of the brackets: a change, change@tag, @tag, !conflict or project:change.
static enum dr_rc
add_requirement(struct plan *plan, size_t index, const char *word, struct dr_err *err)
{
    struct change *c = &plan->items[index];
    struct dr_import_revision *r = c->revision;
    const char *tag = strchr(word, '@');
    size_t len = strcspn(word, "@");
    if (word[0] == '!' || strchr(word, ':') != NULL) {
        bool is_conflict = word[0] == '!';
        return dr_import_note(plan->import, r, is_conflict ? DR_IMPORT_CHANGED : DR_IMPORT_HAND,
                              plan->path, c->line, err,
                              is_conflict ? "the conflict with '%s' is not kept: a chain is one"
                                          : "'%s' is a change of another project: see to it that "
                                            "it is there first",
                              is_conflict ? word + 1 : word);
    }
    struct change *other =
        len == 0 ? NULL : find_change(plan, word, len, tag == NULL ? "" : tag + 1, index);
    if (other == NULL && len > 0) {
        (void)dr_err_set(err, DR_E_REVISION_PARENT, "'%s' requires '%s', which is not before it",
                         c->name, word);
        return dr_err_at(err, plan->path, c->line, 1);
    }
    if (other == NULL) {
        return DR_OK; // a tag alone: what stands before it does so here too
    }
    const char **items =
        dr_arena_array(plan->import->arena, r->depends_on.count + 1, sizeof *items);
    if (items == NULL) {
        return dr_import_nomem(err);
    }
    for (size_t i = 0; i < r->depends_on.count; i++) {
        items[i] = r->depends_on.items[i];
        if (strcmp(items[i], other->revision->id) == 0) {
            return DR_OK;
        }
    }
    items[r->depends_on.count] = other->revision->id;
    r->depends_on = (struct dr_names){items, r->depends_on.count + 1};
    return DR_OK;
}

static enum dr_rc
add_requirements(struct plan *plan, size_t index, struct dr_err *err)
{
    const char *at = skip_blank(plan->items[index].requires);
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK && *at != '\0') {
        size_t len = strcspn(at, " \t");
        const char *word = dr_arena_strn(plan->import->arena, at, len);
        rc = word == NULL ? dr_import_nomem(err) : add_requirement(plan, index, word, err);
        at = skip_blank(at + len);
    }
    return rc;
}

// The tag that names the scripts of a change that was reworked later; NULL: it was not.
static const char *
rework_tag(struct plan *plan, size_t index)
{
    const struct change *c = &plan->items[index];
    for (size_t i = index + 1; i < plan->count; i++) {
        if (strcmp(plan->items[i].name, c->name) == 0) {
            return c->first_tag;
        }
    }
    return NULL;
}

static enum dr_rc
add_scripts(struct plan *plan, size_t index, const char *tag, struct dr_err *err)
{
    struct dr_import *import = plan->import;
    const struct change *c = &plan->items[index];
    struct dr_import_revision *r = c->revision;
    const struct dr_source_file *deploy = find_file(plan, "deploy", c->name, tag);
    const struct dr_source_file *revert = find_file(plan, "revert", c->name, tag);
    const struct dr_source_file *verify = find_file(plan, "verify", c->name, tag);
    const char *name = dr_arena_printf(import->arena, "%s is there", c->name);
    enum dr_rc rc = name == NULL ? dr_import_nomem(err) : DR_OK;
    r->file = deploy == NULL ? plan->path : deploy->path;
    rc = rc == DR_OK ? dr_text_file(import, r, deploy, true, NULL, &r->up, err) : rc;
    if (rc == DR_OK && r->up.count > 0) {
        rc = dr_export_take_header(import, r, &r->up.items[0], err);
    }
    rc = rc == DR_OK ? dr_export_read_verify(import, r, verify, err) : rc;
    if (rc == DR_OK && r->verify.count == 0) {
        rc = dr_text_file(import, r, verify, true, name, &r->verify, err);
    }
    rc = rc == DR_OK ? dr_text_file(import, r, revert, true, NULL, &r->down, err) : rc;
    if (rc == DR_OK && deploy == NULL) {
        rc = dr_import_note(import, r, DR_IMPORT_HAND, plan->path, c->line, err,
                            "there is no script deploy/%s%s%s.sql", c->name, tag == NULL ? "" : "@",
                            tag == NULL ? "" : tag);
    }
    return rc;
}

static enum dr_rc
add_revision(struct plan *plan, size_t index, struct dr_err *err)
{
    struct dr_import *import = plan->import;
    struct change *c = &plan->items[index];
    const char *tag = rework_tag(plan, index);
    const char *id = tag == NULL ? c->name : dr_arena_printf(import->arena, "%s.%s", c->name, tag);
    struct dr_import_revision *r;
    enum dr_rc rc = dr_import_follow(import, &r, err);
    if (rc != DR_OK) {
        return rc;
    }
    r->id = id == NULL ? NULL : dr_import_id(import, id);
    r->message = dr_import_message(import, c->note, strcspn(c->note, "\n"), c->name);
    r->create_date = c->time;
    r->author = c->planner;
    r->version = c->name;
    r->line = c->line;
    const char *more = strchr(c->note, '\n');
    r->text = dr_arena_printf(import->arena, "Sqitch change: %s%s%s%s%s", c->name,
                              c->tags[0] == '\0' ? "" : "\nSqitch tags: ", c->tags,
                              more == NULL ? "" : "\n\n", more == NULL ? "" : more + 1);
    if (r->id == NULL || r->message == NULL || r->text == NULL) {
        return dr_import_nomem(err);
    }
    c->revision = r;
    rc = add_requirements(plan, index, err);
    return rc == DR_OK ? add_scripts(plan, index, tag, err) : rc;
}

// `engine = pg` or sqlite of sqitch.conf, if nothing else was said.
static enum dr_rc
read_conf(struct plan *plan, struct dr_err *err)
{
    struct dr_import *import = plan->import;
    const char *text = "";
    size_t len = 0, pos = 0;
    struct dr_source_line line = {0};
    const struct dr_source_file *file = NULL;
    for (size_t i = 0; i < plan->files.count; i++) {
        file = strcmp(plan->files.items[i].name, "sqitch.conf") == 0 ? &plan->files.items[i] : file;
    }
    enum dr_rc rc = file == NULL ? DR_OK : dr_source_read(import, NULL, file, &text, &len, err);
    while (rc == DR_OK && file != NULL && dr_source_line(text, len, &pos, &line)) {
        bool is_engine = memmem(line.start, line.len, "engine = sqlite", 15) != NULL;
        if (is_engine && !import->is_engine_given) {
            import->dialect = DR_SQL_SQLITE;
        }
    }
    return rc;
}

// Scripts that no change of the plan names.
static enum dr_rc
note_others(struct plan *plan, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < plan->files.count; i++) {
        const struct dr_source_file *file = &plan->files.items[i];
        bool is_script = strncmp(file->name, "deploy/", 7) == 0 ||
                         strncmp(file->name, "revert/", 7) == 0 ||
                         strncmp(file->name, "verify/", 7) == 0;
        const char *name = is_script ? file->name + 7 : "";
        bool is_used = !is_script;
        for (size_t k = 0; k < plan->count && !is_used; k++) {
            size_t len = strlen(plan->items[k].name);
            is_used = strncmp(plan->items[k].name, name, len) == 0 &&
                      (name[len] == '@' || strcmp(name + len, ".sql") == 0);
        }
        if (!is_used) {
            rc =
                dr_text_left_out(plan->import, file, "no change of sqitch.plan has this name", err);
        }
    }
    return rc;
}

enum dr_rc
dr_sqitch_read(struct dr_import *import, const struct dr_import_options *options,
               struct dr_err *err)
{
    struct plan plan = {.import = import};
    const char *text = "";
    size_t len = 0;
    const struct dr_source_file *file = NULL;
    (void)options;
    enum dr_rc rc = dr_source_scan(import, NULL, DR_SOURCE_DEPTH_MAX, &plan.files, err);
    for (size_t i = 0; rc == DR_OK && i < plan.files.count; i++) {
        file = strcmp(plan.files.items[i].name, "sqitch.plan") == 0 ? &plan.files.items[i] : file;
    }
    if (rc == DR_OK && file == NULL) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "there is no sqitch.plan in '%s'", import->folder);
        return dr_err_hint(err, "name the folder that holds sqitch.plan, deploy/ and revert/");
    }
    rc = rc == DR_OK ? read_conf(&plan, err) : rc;
    rc = rc == DR_OK ? dr_source_read(import, NULL, file, &text, &len, err) : rc;
    plan.path = rc == DR_OK ? file->path : "";
    rc = rc == DR_OK ? read_plan(&plan, text, len, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < plan.count; i++) {
        rc = add_revision(&plan, i, err);
    }
    return rc == DR_OK ? note_others(&plan, err) : rc;
}
