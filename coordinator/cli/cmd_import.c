// import: the migrations of another tool as revision files.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/import_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "coordinator/import/applied.h"
#include "coordinator/import/formats.h"
#include "coordinator/import/write.h"

#include "db/db.h"

#include <string.h>

static size_t
count_hand(const struct dr_import *import)
{
    size_t count = 0;
    for (size_t i = 0; i < import->count; i++) {
        count += import->items[i]->is_hand && !import->items[i]->is_known;
    }
    return count;
}

static size_t
count_known(const struct dr_import *import)
{
    size_t count = 0;
    for (size_t i = 0; i < import->count; i++) {
        count += import->items[i]->is_known;
    }
    return count;
}

static size_t
count_notes(const struct dr_import *import, enum dr_import_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < import->notes_count; i++) {
        count += import->notes[i].kind == kind;
    }
    return count;
}

static void
print_text(const struct dr_cli *cli, const struct dr_import *import, const char *out, bool is_dry)
{
    size_t hand = count_hand(import), notes = count_notes(import, DR_IMPORT_HAND);
    size_t known = count_known(import), count = import->count - known;
    if (!cli->quiet || notes > 0) {
        dr_import_view_notes(cli, import);
    }
    dr_say(cli, "%s %zu migration%s of %s into '%s': %zu converted, %zu need%s hand work\n",
           is_dry ? "Would import" : "Imported", count, count == 1 ? "" : "s", import->format, out,
           count - hand, hand, hand == 1 ? "s" : "");
    if (known > 0) {
        dr_say(cli, "%zu more of them %s there already\n", known, known == 1 ? "is" : "are");
    }
}

static json_t *
revision_json(const struct dr_import_file *file)
{
    const struct dr_import_revision *r = file->revision;
    json_t *parents = json_array();
    for (size_t i = 0; i < r->parents.count; i++) {
        json_array_append_new(parents, json_string(r->parents.items[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:o, s:b, s:b}", "id", r->id, "file", file->name,
                     "message", r->message ? r->message : r->id, "source", r->file, "version",
                     r->version, "parents", parents, "hand_work", r->is_hand, "known", r->is_known);
}

static void
print_json(const struct dr_cli *cli, const struct dr_import *import,
           const struct dr_import_file *files, const char *out, bool is_dry, json_t *applied)
{
    json_t *revisions = json_array(), *notes = dr_import_view_notes_json(import);
    size_t hand = count_hand(import);
    for (size_t i = 0; i < import->count; i++) {
        json_array_append_new(revisions, revision_json(&files[i]));
    }
    dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:o}", "schema",
                                 "drover.v1.Import", "format", import->format, "folder",
                                 import->folder, "out", out, "dry_run", is_dry, "converted",
                                 (json_int_t)(import->count - count_known(import) - hand),
                                 "hand_work", (json_int_t)hand, "revisions", revisions, "notes",
                                 notes, "applied", applied));
}

// What is typed to tell drover what the tool's table says; "" when nothing is applied or something
// has to be seen to first.
static const char *
stamp_command(const struct dr_cli *cli, const struct dr_applied *applied, size_t head)
{
    char url[DR_DB_URL_MAX];
    dr_db_url_show(dr_cli_option(cli, "url"), url, sizeof url);
    const char *text =
        dr_arena_printf(cli->arena, "drover stamp %s --url '%s'", applied->heads.items[head], url);
    return text == NULL ? "" : text;
}

static void
print_applied(const struct dr_cli *cli, const struct dr_import *import,
              const struct dr_import_format *format, const struct dr_applied *applied)
{
    const char *table = format->state->table;
    if (applied->is_absent) {
        dr_say(cli, "The database has no table '%s': nothing of %s is applied there\n", table,
               format->name);
        return;
    }
    dr_say(cli, "'%s' of %s says that %zu of %zu are applied\n", table, format->name,
           applied->count, import->count);
    for (size_t i = 0; i < applied->warnings_count; i++) {
        dr_say(cli, "  %sbeware:%s %s\n", dr_tone_begin(cli, DR_TONE_WAIT),
               dr_tone_end(cli, DR_TONE_WAIT), applied->warnings[i]);
    }
    for (size_t i = 0; i < applied->problems_count; i++) {
        dr_say(cli, "  %snot yet:%s %s\n", dr_tone_begin(cli, DR_TONE_BAD),
               dr_tone_end(cli, DR_TONE_BAD), applied->problems[i]);
    }
    for (size_t i = 0; applied->problems_count == 0 && i < applied->heads.count; i++) {
        dr_say(cli, "%s %s\n", i == 0 ? "next:" : "     ", stamp_command(cli, applied, i));
    }
}

static json_t *
strings_json(const char *const *items, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_string(items[i]));
    }
    return list;
}

static json_t *
applied_json(const struct dr_cli *cli, const struct dr_import_format *format,
             const struct dr_applied *applied)
{
    json_t *commands = json_array();
    for (size_t i = 0; applied->problems_count == 0 && i < applied->heads.count; i++) {
        json_array_append_new(commands, json_string(stamp_command(cli, applied, i)));
    }
    return json_pack("{s:s, s:b, s:I, s:o, s:o, s:o, s:o}", "table", format->state->table, "found",
                     !applied->is_absent, "applied", (json_int_t)applied->count, "heads",
                     strings_json(applied->heads.items, applied->heads.count), "problems",
                     strings_json(applied->problems, applied->problems_count), "warnings",
                     strings_json(applied->warnings, applied->warnings_count), "stamp", commands);
}

static enum dr_rc
ask_applied(const struct dr_cli *cli, struct dr_import *import,
            const struct dr_import_format *format, struct dr_applied *out, struct dr_err *err)
{
    const char *url = dr_cli_option(cli, "url");
    if (url == NULL) {
        return DR_OK;
    }
    if (format->state == NULL) {
        (void)dr_err_set(err, DR_E_USAGE, "%s keeps no table that drover can read", format->name);
        return dr_err_hint(err, "the same command without --url");
    }
    return dr_applied_ask(import, format->state, url, out, err);
}

enum dr_rc
dr_cmd_import(struct dr_cli *cli, struct dr_err *err)
{
    const struct dr_import_format *format = NULL;
    struct dr_import_file *files = NULL;
    struct dr_applied applied = {0};
    struct dr_import import = {.arena = cli->arena, .format = cli->args[0], .folder = cli->args[1]};
    struct dr_import_options options = {.command = dr_cli_option(cli, "command"),
                                        .scratch_url = dr_cli_option(cli, "scratch"),
                                        .url = dr_cli_option(cli, "url")};
    const char *out = dr_cli_option(cli, "out");
    bool is_dry = dr_cli_has(cli, "dry-run");
    enum dr_import_mode mode = is_dry                   ? DR_IMPORT_DRY
                               : dr_cli_has(cli, "new") ? DR_IMPORT_NEW
                                                        : DR_IMPORT_WHOLE;
    bool has_url = dr_cli_option(cli, "url") != NULL;
    enum dr_rc rc = dr_import_view_format(cli, false, &format, err);
    rc = rc == DR_OK ? dr_import_view_engine(cli, &import, err) : rc;
    rc = rc == DR_OK ? dr_project_maybe(cli, err) : rc;
    if (rc == DR_OK && out == NULL) {
        out = dr_project_shown(cli, cli->project->revisions);
    }
    rc = rc == DR_OK ? format->read(&import, &options, err) : rc;
    rc = rc == DR_OK ? dr_import_render(&import, &files, err) : rc;
    rc = rc == DR_OK ? ask_applied(cli, &import, format, &applied, err) : rc;
    rc = rc == DR_OK ? dr_import_write(&import, files, out, mode, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    if (cli->format == DR_CLI_TEXT) {
        print_text(cli, &import, out, is_dry);
        if (has_url) {
            print_applied(cli, &import, format, &applied);
        }
    } else {
        print_json(cli, &import, files, out, is_dry,
                   has_url ? applied_json(cli, format, &applied) : json_null());
    }
    cli->exit_code = count_notes(&import, DR_IMPORT_HAND) > 0 || applied.problems_count > 0 ? 3 : 0;
    return DR_OK;
}
