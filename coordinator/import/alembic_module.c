// Literals of a revision module. See alembic_module.h.
//
// Only assignments in column 1 count: the last one of a name wins, as in Python. The docstring is
// for people: where it contradicts the literals, the literals are what Alembic obeys.
#include "coordinator/import/alembic_module.h"

#include "base/str.h"
#include "coordinator/import/alembic_python.h"

#include <string.h>

struct reading {
    struct dr_alembic_module *m;
    const struct dr_python_token *t; // never NULL; the last one is END
    size_t at;
    struct dr_arena *arena;
};

static bool
is_operator(const struct dr_python_token *t, const char *text)
{
    return t->kind == DR_PYTHON_OPERATOR && strcmp(t->text, text) == 0;
}

static bool
is_word(const struct dr_python_token *t, const char *text)
{
    return t->kind == DR_PYTHON_NAME && strcmp(t->text, text) == 0;
}

static bool
is_line_end(const struct dr_python_token *t)
{
    return t->kind == DR_PYTHON_NEWLINE || t->kind == DR_PYTHON_END;
}

// ----------------------------------------------------------------------------------------- values

struct values {
    const char *items[DR_ALEMBIC_LIST_MAX];
    size_t count;
};

// One string, which may be several beside each other or added; false: not one.
static bool
take_string(struct reading *r, struct values *out)
{
    struct dr_buf text = {.max = DR_PYTHON_SOURCE_MAX};
    bool is_good = r->t[r->at].kind == DR_PYTHON_STRING && out->count < DR_ALEMBIC_LIST_MAX;
    while (is_good && r->t[r->at].kind == DR_PYTHON_STRING) {
        dr_buf_str(&text, r->t[r->at].text);
        r->at++;
        if (is_operator(&r->t[r->at], "+")) {
            r->at++;
            is_good = r->t[r->at].kind == DR_PYTHON_STRING;
        }
    }
    if (is_good) {
        out->items[out->count] = dr_arena_strn(r->arena, text.data ? text.data : "", text.len);
        is_good = out->items[out->count] != NULL;
        out->count += is_good ? 1 : 0;
    }
    dr_buf_fini(&text);
    return is_good;
}

// None, a string, or strings and None between brackets of any kind, one in the other.
static bool
take_value(struct reading *r, struct values *out)
{
    unsigned depth = 0;
    for (bool is_first = true;; is_first = false) {
        const struct dr_python_token *t = &r->t[r->at];
        if (t->kind == DR_PYTHON_OPERATOR && strchr("([{", t->text[0]) != NULL) {
            depth++;
            r->at++;
        } else if (depth > 0 && t->kind == DR_PYTHON_OPERATOR && strchr(")]}", t->text[0])) {
            depth--;
            r->at++;
        } else if (!is_first && is_operator(t, ",")) {
            r->at++;
        } else if (is_word(t, "None")) {
            r->at++;
        } else if (is_line_end(t)) {
            return depth == 0 && !is_first;
        } else if (!take_string(r, out)) {
            return false;
        }
    }
}

static bool
keep_names(struct reading *r, const struct values *v, struct dr_names *out)
{
    const char **items = dr_arena_array(r->arena, v->count + 1, sizeof(*items));
    if (items == NULL) {
        return false;
    }
    if (v->count > 0) {
        memcpy(items, v->items, v->count * sizeof(*items));
    }
    *out = (struct dr_names){.items = items, .count = v->count};
    return true;
}

static bool
keep(struct reading *r, const char *name, const struct values *v, uint32_t line)
{
    struct dr_alembic_module *m = r->m;
    if (strcmp(name, "revision") == 0) {
        m->id = v->count == 1 ? v->items[0] : NULL;
        m->id_line = line;
        return v->count == 1;
    }
    if (strcmp(name, "down_revision") == 0) {
        m->parents_line = line;
        return keep_names(r, v, &m->parents);
    }
    return keep_names(r, v, strcmp(name, "branch_labels") == 0 ? &m->labels : &m->depends_on);
}

// `name = value` or `name: type = value` at `at`, in column 1.
static void
take_assignment(struct reading *r)
{
    static const char *const wanted[] = {"revision", "down_revision", "branch_labels",
                                         "depends_on"};
    const struct dr_python_token *name = &r->t[r->at];
    bool is_wanted = false;
    for (size_t i = 0; i < DR_COUNT_OF(wanted); i++) {
        is_wanted = is_wanted || is_word(name, wanted[i]);
    }
    const struct dr_python_token *next = &r->t[r->at + 1];
    if (!is_wanted || !(is_operator(next, "=") || is_operator(next, ":"))) {
        return;
    }
    r->at++;
    while (!is_operator(&r->t[r->at], "=") && !is_line_end(&r->t[r->at])) {
        r->at++;
    }
    if (is_line_end(&r->t[r->at])) {
        return; // only a type
    }
    struct values v = {0};
    r->at++;
    bool is_good = take_value(r, &v) && keep(r, name->text, &v, name->line);
    if (!is_good) {
        r->m->problem = dr_arena_printf(r->arena, "'%s' is not a plain literal", name->text);
        r->m->problem_line = name->line;
    }
}

// -------------------------------------------------------------------------------------- functions

// What in a function needs an answer from a database, so that it cannot be rendered without one.
static const struct {
    const char *name, *what;
} asking[] = {
    {"get_bind", "op.get_bind()"},
    {"batch_alter_table", "op.batch_alter_table()"},
    {"inspect", "an inspector"},
    {"Inspector", "an inspector"},
    {"Session", "a session"},
    {"sessionmaker", "a session"},
    {"from_engine", "an inspector"},
    {"autoload_with", "a reflected table"},
    {"get_table_names", "an inspector"},
    {"has_table", "an inspector"},
    {"get_columns", "an inspector"},
    {"fetchall", "a query"},
    {"fetchone", "a query"},
    {"scalar", "a query"},
};

// The body of the function at `at` ("def" in column 1) up to the next token in column 1.
static void
take_function(struct reading *r)
{
    const struct dr_python_token *name = &r->t[r->at + 1];
    bool is_up = is_word(name, "upgrade"), is_down = is_word(name, "downgrade");
    const char *asks = NULL;
    bool is_empty = true;
    r->at += 2;
    while (!is_operator(&r->t[r->at], ":") && !is_line_end(&r->t[r->at])) {
        r->at++;
    }
    r->at += is_line_end(&r->t[r->at]) ? 0 : 1;
    for (; r->t[r->at].kind != DR_PYTHON_END; r->at++) {
        const struct dr_python_token *t = &r->t[r->at];
        if (t->kind == DR_PYTHON_NEWLINE) {
            continue;
        }
        if (t->column == 0 && r->t[r->at - 1].kind == DR_PYTHON_NEWLINE) {
            break;
        }
        for (size_t i = 0; asks == NULL && i < DR_COUNT_OF(asking); i++) {
            asks = is_word(t, asking[i].name) ? asking[i].what : NULL;
        }
        is_empty =
            is_empty && (t->kind == DR_PYTHON_STRING || is_word(t, "pass") || is_operator(t, "."));
    }
    if (is_up) {
        r->m->has_upgrade = true;
        r->m->empty_upgrade = is_empty;
        r->m->asks_upgrade = asks;
    } else if (is_down) {
        r->m->has_downgrade = true;
        r->m->empty_downgrade = is_empty;
        r->m->asks_downgrade = asks;
    }
}

// -------------------------------------------------------------------------------------- docstring

// The value of "key: value" in a line of the docstring, case ignored; NULL: another line.
static const char *
line_value(struct dr_arena *arena, const char *line, size_t len, const char *key)
{
    size_t n = strlen(key);
    if (len < n || strncmp(line, key, n) != 0) {
        return NULL;
    }
    while (n < len && line[n] == ' ') {
        n++;
    }
    while (len > n && (line[len - 1] == ' ' || line[len - 1] == '\r')) {
        len--;
    }
    return dr_arena_strn(arena, line + n, len - n);
}

static bool
take_doc_line(struct reading *r, const char *line, size_t len)
{
    struct dr_alembic_module *m = r->m;
    const char *id = line_value(r->arena, line, len, "Revision ID:");
    const char *revises = line_value(r->arena, line, len, "Revises:");
    const char *date = line_value(r->arena, line, len, "Create Date:");
    m->doc_id = id != NULL ? id : m->doc_id;
    m->create_date = date != NULL ? date : m->create_date;
    if (revises != NULL) {
        m->doc_revises = revises;
        m->has_doc_revises = true;
    }
    return id != NULL || revises != NULL || date != NULL;
}

// The first line is the message; the keys are known; the rest is text for people.
static bool
take_docstring(struct reading *r, const char *doc)
{
    struct dr_buf text = {.max = DR_PYTHON_SOURCE_MAX};
    const char *message = NULL;
    for (const char *line = doc, *end; *line != '\0'; line = *end == '\0' ? end : end + 1) {
        end = line + strcspn(line, "\n");
        while (*line == ' ' || *line == '\t') {
            line++;
        }
        size_t len = (size_t)(end - line);
        while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t')) {
            len--;
        }
        if (take_doc_line(r, line, len)) {
            continue;
        }
        if (message == NULL && len > 0) {
            message = dr_arena_strn(r->arena, line, len);
        } else if (message != NULL && (len > 0 || text.len > 0)) {
            dr_buf_printf(&text, "%.*s\n", (int)len, line);
        }
    }
    while (text.len > 0 && text.data[text.len - 1] == '\n') {
        text.data[--text.len] = '\0';
    }
    r->m->message = message != NULL ? message : "";
    r->m->text = dr_arena_strn(r->arena, text.data ? text.data : "", text.len);
    dr_buf_fini(&text);
    return r->m->text != NULL;
}

// ------------------------------------------------------------------------------------------ module

static void
take_statement(struct reading *r, bool is_first)
{
    const struct dr_python_token *t = &r->t[r->at];
    if (is_first && t->kind == DR_PYTHON_STRING) {
        (void)take_docstring(r, t->text);
    } else if (t->column == 0 && is_word(t, "def")) {
        take_function(r);
        return;
    } else if (t->column == 0 && t->kind == DR_PYTHON_NAME) {
        take_assignment(r);
    }
    while (!is_line_end(&r->t[r->at])) {
        r->at++;
    }
    r->at += r->t[r->at].kind == DR_PYTHON_END ? 0 : 1;
}

enum dr_rc
dr_alembic_module_read(const char *path, const char *source, size_t len, struct dr_arena *arena,
                       struct dr_alembic_module *out, struct dr_err *err)
{
    struct dr_alembic_module m = {.path = path,
                                  .message = "",
                                  .text = "",
                                  .create_date = "",
                                  .doc_revises = "",
                                  .doc_id = ""};
    struct dr_python_token *tokens = NULL;
    size_t count = 0;
    enum dr_rc rc = dr_python_tokens(path, source, len, arena, &tokens, &count, err);
    struct reading r = {.m = &m, .t = tokens, .arena = arena};
    bool is_first = true;
    while (rc == DR_OK && r.t[r.at].kind != DR_PYTHON_END) {
        take_statement(&r, is_first);
        is_first = false;
    }
    if (rc == DR_OK) {
        *out = m;
    }
    return rc;
}
