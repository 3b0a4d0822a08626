// The user's own Alembic as a child program. See alembic_run.h.
//
// The program (alembic_program.c) is given to the Python that the alembic script itself names, so
// that it sees the packages that the user's Alembic sees. What it finds out comes back in a file,
// one JSON object a line: applications print on standard output what they like.
#include "coordinator/import/alembic_run.h"

#include "base/cmd.h"
#include "base/file.h"
#include "base/str.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES   4096u
#define SCRIPT_MAX_BYTES (1u << 20) // of the alembic program, a script of a few lines

extern char **environ;

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// ----------------------------------------------------------------------------------------- python

// The path of `name` in PATH; NULL.
static const char *
find_program(struct dr_arena *arena, const char *name)
{
    if (strchr(name, '/') != NULL) {
        char real[PATH_MAX];
        return realpath(name, real) != NULL ? dr_arena_str(arena, real) : name;
    }
    const char *path = getenv("PATH");
    for (const char *p = path == NULL ? "" : path; *p != '\0';) {
        size_t n = strcspn(p, ":");
        const char *one = dr_arena_printf(arena, "%.*s/%s", (int)n, p, name);
        if (one != NULL && access(one, X_OK) == 0) {
            return one;
        }
        p += p[n] == ':' ? n + 1 : n;
    }
    return NULL;
}

static bool
is_python(const char *path)
{
    const char *slash = strrchr(path, '/');
    return dr_str_starts(slash == NULL ? path : slash + 1, "python");
}

// The interpreter in the first line of a script, or in the second where the first is too long for
// the system; NULL: it is no script of Python.
static const char *
interpreter_of(struct dr_arena *arena, const char *script)
{
    char *bytes = NULL;
    size_t len = 0;
    struct dr_err ignored = {0};
    const char *found = NULL;
    if (dr_file_read(script, SCRIPT_MAX_BYTES, &bytes, &len, &ignored) != DR_OK) {
        return NULL;
    }
    const char *line = dr_str_starts(bytes, "#!") ? bytes + 2 : "";
    const char *second = strstr(bytes, "\n'''exec' ");
    if (dr_str_starts(line, "/bin/sh") && second != NULL) {
        line = second + strlen("\n'''exec' ");
    }
    while (*line != '\0' && *line != '\n' && found == NULL) {
        size_t n = strcspn(line, " \t\r\n\"");
        const char *word = dr_arena_strn(arena, line, n);
        found = word != NULL && is_python(word) ? word : NULL;
        line += n;
        line += *line == ' ' || *line == '\t' || *line == '"' ? 1 : 0;
    }
    free(bytes);
    return found;
}

static const char *
choose_python(struct dr_arena *arena, const char *command)
{
    const char *program = find_program(arena, command != NULL ? command : "alembic");
    if (program != NULL && is_python(program)) {
        return program;
    }
    const char *python = program == NULL ? NULL : interpreter_of(arena, program);
    return python != NULL ? python : "python3";
}

// -------------------------------------------------------------------------------------------- ask

static json_t *
names_json(const struct dr_names *names)
{
    json_t *list = json_array();
    for (size_t i = 0; i < names->count; i++) {
        json_array_append_new(list, json_string(names->items[i]));
    }
    return list;
}

static json_t *
maybe(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

// What the program is told, as text on the heap; NULL when memory is out.
static char *
question(const struct dr_alembic_job *job, const char *result)
{
    json_t *modules = json_object(), *order = json_array();
    for (size_t i = 0; i < job->count; i++) {
        const struct dr_alembic_module *m = job->modules[i];
        char real[PATH_MAX] = "";
        json_array_append_new(order, json_string(m->id));
        json_object_set_new(modules, realpath(m->path, real) != NULL ? real : m->path,
                            json_pack("{s:s, s:s, s:o, s:o, s:o}", "id", m->id, "message",
                                      m->message, "parents", names_json(&m->parents), "labels",
                                      names_json(&m->labels), "depends_on",
                                      names_json(&m->depends_on)));
    }
    json_t *all =
        json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "result", result, "ini",
                  maybe(job->config->ini), "section", job->config->section, "script_location",
                  maybe(job->config->script_location), "url", maybe(job->url), "scratch",
                  maybe(job->scratch_url), "modules", modules, "up", order);
    char *text = all == NULL ? NULL : json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

static char *
program_text(void)
{
    struct dr_buf text = {0};
    for (size_t i = 0; dr_alembic_program[i] != NULL; i++) {
        dr_buf_printf(&text, "%s\n", dr_alembic_program[i]);
    }
    if (text.failed) {
        dr_buf_fini(&text);
        return NULL;
    }
    return text.data;
}

// The last line that says something.
static const char *
last_line(struct dr_arena *arena, const struct dr_buf *text)
{
    size_t end = text->len;
    while (end > 0 && strchr(" \r\n", text->data[end - 1]) != NULL) {
        end--;
    }
    size_t start = end;
    while (start > 0 && text->data[start - 1] != '\n') {
        start--;
    }
    size_t len = end - start > LINE_MAX_BYTES ? LINE_MAX_BYTES : end - start;
    return len == 0 ? "" : dr_arena_strn(arena, text->data + start, len);
}

// ----------------------------------------------------------------------------------------- answer

static const char *
text_of(struct dr_arena *arena, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? NULL : dr_arena_str(arena, text);
}

static enum dr_rc
take_statements(struct dr_arena *arena, const json_t *items, struct dr_alembic_script *out,
                struct dr_err *err)
{
    struct dr_alembic_statement *list =
        dr_arena_array(arena, json_array_size(items) + 1, sizeof(*list));
    size_t count = 0;
    bool is_outside = false;
    if (list == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *tx = json_string_value(json_object_get(item, "tx"));
        if (tx != NULL) {
            is_outside = strcmp(tx, "outside") == 0;
            continue;
        }
        const char *sql = text_of(arena, item, "sql");
        if (sql == NULL) {
            return no_memory(err);
        }
        list[count++] = (struct dr_alembic_statement){.sql = sql, .is_outside = is_outside};
    }
    out->statements = list;
    out->count = count;
    return DR_OK;
}

struct answer {
    struct dr_arena *arena;
    struct dr_alembic_script *scripts;
    size_t count, cap;
    const char *fatal;
    bool is_absent;
};

static enum dr_rc
take_line(struct answer *a, const char *line, size_t len, struct dr_err *err)
{
    json_t *object = json_loadb(line, len, 0, NULL);
    enum dr_rc rc = DR_OK;
    if (object == NULL) {
        return dr_err_set(err, DR_E_IO, "what Alembic was asked came back unreadable");
    }
    const char *fatal = text_of(a->arena, object, "fatal");
    const char *where = json_string_value(json_object_get(object, "where"));
    if (fatal != NULL) {
        a->fatal = fatal;
        a->is_absent = where != NULL && strcmp(where, "alembic") == 0;
    } else if (json_object_get(object, "revision") != NULL && a->count < a->cap) {
        struct dr_alembic_script *s = &a->scripts[a->count++];
        *s = (struct dr_alembic_script){
            .revision = text_of(a->arena, object, "revision"),
            .is_up = json_is_true(json_object_get(object, "up")),
            .is_recorded = json_is_true(json_object_get(object, "recorded")),
            .error = text_of(a->arena, object, "error"),
            .is_import = json_is_true(json_object_get(object, "is_import")),
            .dialect = text_of(a->arena, object, "dialect")};
        rc = s->revision == NULL || s->dialect == NULL
                 ? no_memory(err)
                 : take_statements(a->arena, json_object_get(object, "items"), s, err);
    }
    json_decref(object);
    return rc;
}

static enum dr_rc
take_answer(struct answer *a, const char *path, struct dr_err *err)
{
    char *bytes = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_file_read(path, DR_ALEMBIC_RESULT_MAX, &bytes, &len, err);
    for (size_t at = 0, n; rc == DR_OK && at < len; at += n + 1) {
        n = strcspn(bytes + at, "\n");
        rc = n == 0 ? DR_OK : take_line(a, bytes + at, n, err);
    }
    free(bytes);
    return rc;
}

// -------------------------------------------------------------------------------------------- run

// Runs the program; `result` is the file that it writes.
static enum dr_rc
run_python(const struct dr_alembic_job *job, const char *result, struct answer *a,
           struct dr_err *err)
{
    struct dr_cmd_result done = {0};
    char *input = question(job, result), *program = program_text();
    const char *python = choose_python(a->arena, job->command);
    const char *argv[] = {
        "env", "-C", job->config->folder, "PYTHONDONTWRITEBYTECODE=1", python, "-c", program, NULL};
    struct dr_cmd cmd = {.argv = argv,
                         .env = (const char *const *)environ,
                         .input = input,
                         .input_len = input == NULL ? 0 : strlen(input),
                         .timeout_ms = DR_ALEMBIC_RUN_MS,
                         .output_max = DR_ALEMBIC_OUTPUT_MAX};
    enum dr_rc rc =
        input == NULL || program == NULL ? no_memory(err) : dr_cmd_run(&cmd, &done, err);
    if (rc == DR_OK && dr_path_exists(result)) {
        rc = take_answer(a, result, err);
    }
    bool has_died = rc == DR_OK && done.exit_code != 0 && a->fatal == NULL;
    if (has_died || (rc == DR_OK && !dr_path_exists(result))) {
        a->fatal = last_line(a->arena, &done.errors);
        a->is_absent = done.exit_code == 127;
        rc = a->fatal == NULL ? no_memory(err) : DR_OK;
    }
    dr_cmd_result_fini(&done);
    free(input);
    free(program);
    return rc;
}

enum dr_rc
dr_alembic_run(const struct dr_alembic_job *job, struct dr_arena *arena,
               struct dr_alembic_result *out, struct dr_err *err)
{
    const char *base = getenv("TMPDIR");
    char folder[PATH_MAX], result[PATH_MAX + 16];
    struct dr_err ignored = {0};
    struct answer a = {.arena = arena, .cap = 2 * job->count};
    snprintf(folder, sizeof(folder), "%s/drover-alembic-XXXXXX",
             base != NULL && base[0] == '/' ? base : "/tmp");
    a.scripts = dr_arena_array(arena, a.cap + 1, sizeof(*a.scripts));
    if (a.scripts == NULL) {
        return no_memory(err);
    }
    if (mkdtemp(folder) == NULL) {
        return dr_err_set(err, DR_E_IO, "cannot make a folder in '%s'", folder);
    }
    snprintf(result, sizeof(result), "%s/result", folder);
    enum dr_rc rc = run_python(job, result, &a, err);
    enum dr_rc removed = dr_dir_remove(folder, &ignored);
    (void)removed; // it is in the temporary folder, and another name is taken next time
    if (rc == DR_OK) {
        *out = (struct dr_alembic_result){
            .fatal = a.fatal, .is_absent = a.is_absent, .scripts = a.scripts, .count = a.count};
    }
    return rc;
}

const struct dr_alembic_script *
dr_alembic_script(const struct dr_alembic_result *result, const char *revision, bool is_up)
{
    for (size_t i = 0; i < result->count; i++) {
        const struct dr_alembic_script *s = &result->scripts[i];
        if (s->is_up == is_up && strcmp(s->revision, revision) == 0) {
            return s;
        }
    }
    return NULL;
}
