#include "coordinator/cli/import_view.h"
#include "coordinator/cli/cli.h"

#include <string.h>

#define NOTES_SHOWN 60u

static const char *const kinds[] = {"changed", "left out", "hand work"};

enum dr_rc
dr_import_view_format(const struct dr_cli *cli, bool is_export, const struct dr_import_format **out,
                      struct dr_err *err)
{
    struct dr_buf names = {.max = 512};
    const struct dr_import_format *format = dr_import_format_find(cli->args[0]);
    if (format != NULL && (is_export ? format->write != NULL : format->read != NULL)) {
        *out = format;
        return DR_OK;
    }
    for (const struct dr_import_format *f = dr_import_formats; f->name != NULL; f++) {
        if (is_export ? f->write != NULL : f->read != NULL) {
            dr_buf_printf(&names, "%s%s", names.len == 0 ? "" : ", ", f->name);
        }
    }
    (void)dr_err_set(err, DR_E_USAGE, "'%s' is no format that drover %s", cli->args[0],
                     is_export ? "writes" : "reads");
    (void)dr_err_hint(err, "one of: %s", names.data == NULL ? "" : names.data);
    dr_buf_fini(&names);
    return DR_E_USAGE;
}

enum dr_rc
dr_import_view_engine(const struct dr_cli *cli, struct dr_import *import, struct dr_err *err)
{
    const char *engine = dr_cli_option(cli, "engine");
    import->is_engine_given = engine != NULL;
    import->dialect =
        engine != NULL && strcmp(engine, "sqlite") == 0 ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL;
    if (engine != NULL && strcmp(engine, "sqlite") != 0 && strcmp(engine, "postgresql") != 0) {
        (void)dr_err_set(err, DR_E_USAGE, "'%s' is no engine of drover's", engine);
        return dr_err_hint(err, "--engine postgresql, or --engine sqlite");
    }
    return DR_OK;
}

static const char *
place_of(const struct dr_cli *cli, const struct dr_import_note *note)
{
    const char *file = note->file == NULL ? "" : note->file;
    const char *place =
        note->line == 0 ? file : dr_arena_printf(cli->arena, "%s:%u", file, note->line);
    return place == NULL ? "" : place;
}

// How often a note's reason stands in the list; 0 when it does so before it.
static size_t
times_of(const struct dr_import *import, size_t index)
{
    const struct dr_import_note *n = &import->notes[index];
    size_t times = 0;
    for (size_t i = 0; i < import->notes_count; i++) {
        const struct dr_import_note *other = &import->notes[i];
        bool is_same = other->kind == n->kind && strcmp(other->reason, n->reason) == 0;
        if (is_same && i < index) {
            return 0;
        }
        times += is_same;
    }
    return times;
}

static void
add_note(const struct dr_cli *cli, struct dr_table *table, const struct dr_import_note *n,
         size_t times)
{
    static const enum dr_tone tones[] = {DR_TONE_DIM, DR_TONE_WAIT, DR_TONE_BAD};
    const char *place = place_of(cli, n);
    if (times > 1) {
        place = dr_arena_printf(cli->arena, "%s and %zu more", place, times - 1);
    }
    const char *const cells[] = {kinds[n->kind], place == NULL ? "" : place, n->reason, NULL};
    dr_table_tone(table, dr_table_row(table, SIZE_MAX, cells), 0, tones[n->kind]);
}

// Notes by what they ask for, hand work first and each on its own; of others one line for a reason.
void
dr_import_view_notes(const struct dr_cli *cli, const struct dr_import *import)
{
    static const char *const columns[] = {"WHAT", "WHERE", "WHY", NULL};
    struct dr_table *table = import->notes_count == 0 ? NULL : dr_table_new(cli, columns);
    size_t shown = 0, hidden = 0;
    for (int kind = DR_IMPORT_HAND; table != NULL && kind >= DR_IMPORT_CHANGED; kind--) {
        for (size_t i = 0; i < import->notes_count; i++) {
            const struct dr_import_note *n = &import->notes[i];
            size_t times = (int)n->kind != kind     ? 0
                           : kind == DR_IMPORT_HAND ? 1
                           : shown >= NOTES_SHOWN   ? 1
                                                    : times_of(import, i);
            if (times == 0) {
                continue;
            }
            if (kind != DR_IMPORT_HAND && shown >= NOTES_SHOWN) {
                hidden++;
                continue;
            }
            add_note(cli, table, n, times);
            shown++;
        }
    }
    if (table != NULL) {
        dr_table_print(table, stdout);
        dr_table_free(&table);
    }
    if (hidden > 0) {
        dr_say(cli, "... and %zu more: --output json tells them all\n", hidden);
    }
}

json_t *
dr_import_view_notes_json(const struct dr_import *import)
{
    json_t *notes = json_array();
    for (size_t i = 0; i < import->notes_count; i++) {
        const struct dr_import_note *n = &import->notes[i];
        json_array_append_new(notes, json_pack("{s:s, s:s?, s:s?, s:I, s:s}", "kind",
                                               n->kind == DR_IMPORT_HAND       ? "hand-work"
                                               : n->kind == DR_IMPORT_LEFT_OUT ? "left-out"
                                                                               : "changed",
                                               "revision", n->revision, "file", n->file, "line",
                                               (json_int_t)n->line, "reason", n->reason));
    }
    return notes;
}
