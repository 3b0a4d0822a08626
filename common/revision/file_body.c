#include "revision/file_internal.h"

#include "base/str.h"
#include "sql/lexer.h"

#include <stdio.h>
#include <string.h>

// What is asked of the sections once all are read. Statements are found by the lexer alone, so that
// a file is refused early and without a parser; drover-sqlcheck looks deeper.

static enum dr_rc
fail_line(struct dr_parse *p, enum dr_rc rc, uint32_t number, const char *hint, const char *message)
{
    dr_err_set(p->err, rc, "%s", message);
    dr_err_hint(p->err, "%s", hint);
    return dr_err_at(p->err, p->path, number, 1);
}

static enum dr_rc
refuse_empty(struct dr_parse *p, const struct dr_section *s)
{
    const char *kind = dr_section_kind_name(s->kind);
    char message[96];
    snprintf(message, sizeof message, "section '%s' has no statement", kind);
    if (s->kind == DR_SECTION_DOWN) {
        return fail_line(
            p, DR_E_REVISION_DOWN, s->directive_line,
            "write the way back, or '-- drover:down none reason=\"...\"' if there is none",
            message);
    }
    return fail_line(p, DR_E_REVISION_EMPTY, s->directive_line,
                     "write its SQL, or remove the section", message);
}

static enum dr_rc
refuse_forbidden(struct dr_parse *p, const struct dr_section *s, const struct dr_sql_piece *piece,
                 const char *what)
{
    bool is_copy = strncmp(what, "COPY", 4) == 0;
    dr_err_set(p->err, DR_E_SQL_FORBIDDEN, "%s cannot stand in a revision", what);
    dr_err_hint(p->err, "%s",
                is_copy ? "write the rows as INSERT ... VALUES"
                        : "remove it: drover opens and ends each section's transaction and sets "
                          "role and database");
    return dr_err_at(p->err, p->path, s->line + piece->line - 1, piece->column);
}

static enum dr_rc
refuse_second(struct dr_parse *p, const struct dr_section *s, const struct dr_sql_piece *piece)
{
    dr_err_set(p->err, DR_E_REVISION_STATEMENTS,
               "a section with transaction=off holds exactly one statement");
    dr_err_hint(p->err, "give this statement a section of its own: -- drover:%s transaction=off",
                dr_section_kind_name(s->kind));
    return dr_err_at(p->err, p->path, s->line + piece->line - 1, piece->column);
}

static enum dr_rc
check_body(struct dr_parse *p, const struct dr_section *s)
{
    enum dr_sql_dialect dialect =
        s->engines == DR_ENGINE_SQLITE ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL;
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece;
    enum dr_rc rc = DR_OK;
    size_t count = 0;
    dr_sql_lexer_init(&lexer, dialect, p->bytes + s->offset, s->length);
    while (dr_sql_lexer_next(&lexer, &piece, &rc, p->err)) {
        const char *text = p->bytes + s->offset + piece.offset;
        const char *what = dr_sql_forbidden(dialect, text, piece.length);
        if (what == NULL && (s->engines & DR_ENGINE_SQLITE) != 0) {
            what = dr_sql_forbidden(DR_SQL_SQLITE, text, piece.length);
        }
        if (what != NULL) {
            return refuse_forbidden(p, s, &piece, what);
        }
        if (++count > 1 && s->outside_transaction) {
            return refuse_second(p, s, &piece);
        }
    }
    if (rc != DR_OK) {
        return dr_err_at(p->err, p->path, s->line + p->err->line - 1, p->err->column);
    }
    return count == 0 ? refuse_empty(p, s) : DR_OK;
}

enum dr_rc
dr_parse_check_bodies(struct dr_parse *p)
{
    for (size_t i = 0; i < p->section_count; i++) {
        enum dr_rc rc = check_body(p, &p->sections[i]);
        if (rc != DR_OK) {
            return rc;
        }
    }
    return DR_OK;
}

static unsigned
engines_with(const struct dr_parse *p, enum dr_section_kind kind)
{
    unsigned mask = 0;
    for (size_t i = 0; i < p->section_count; i++) {
        mask |= p->sections[i].kind == kind ? p->sections[i].engines : 0;
    }
    return mask;
}

static const char *
engine_of(unsigned mask)
{
    return (mask & DR_ENGINE_POSTGRESQL) != 0 ? "postgresql" : "sqlite";
}

static const struct dr_section *
find_preflight(const struct dr_parse *p, const char *name)
{
    for (size_t i = 0; i < p->section_count; i++) {
        if (p->sections[i].kind == DR_SECTION_PREFLIGHT && strcmp(p->sections[i].name, name) == 0) {
            return &p->sections[i];
        }
    }
    return NULL;
}

// Preflights and remedies are named by people and by other sections, so a name stands once per
// engine.
static enum dr_rc
check_names(struct dr_parse *p, size_t i)
{
    const struct dr_section *s = &p->sections[i];
    if (s->kind == DR_SECTION_REMEDY && find_preflight(p, s->for_name) == NULL) {
        dr_err_set(p->err, DR_E_REVISION_DIRECTIVE,
                   "remedy '%s' is for '%s', but no preflight has that name", s->name, s->for_name);
        dr_err_hint(p->err, "write the preflight's name exactly: for=\"...\"");
        return dr_err_at(p->err, p->path, s->directive_line, 1);
    }
    for (size_t k = 0; k < i && (s->kind == DR_SECTION_REMEDY || s->kind == DR_SECTION_PREFLIGHT);
         k++) {
        const struct dr_section *other = &p->sections[k];
        if (other->kind == s->kind && (other->engines & s->engines) != 0 &&
            strcmp(other->name, s->name) == 0) {
            dr_err_set(p->err, DR_E_REVISION_DIRECTIVE, "%s '%s' is there twice, first on line %u",
                       dr_section_kind_name(s->kind), s->name, other->directive_line);
            dr_err_hint(p->err, "give one of them another name");
            return dr_err_at(p->err, p->path, s->directive_line, 1);
        }
    }
    return DR_OK;
}

static enum dr_rc
check_engines(struct dr_parse *p)
{
    const struct dr_revision *r = p->revision;
    unsigned up = engines_with(p, DR_SECTION_UP), down = engines_with(p, DR_SECTION_DOWN);
    bool is_merge = r->parents.count > 1;
    bool may_be_empty = is_merge && p->section_count == 0;
    if ((r->engines & ~up) != 0 && !may_be_empty) {
        dr_err_set(p->err, DR_E_REVISION_EMPTY, "there is no up section%s%s",
                   up == 0 ? "" : " for engine ", up == 0 ? "" : engine_of(r->engines & ~up));
        dr_err_hint(p->err, "write what the revision does under a line '-- drover:up'");
        return dr_err_at(p->err, p->path, r->id_line, 1);
    }
    if (r->down_none && down != 0) {
        return fail_line(p, DR_E_REVISION_DOWN, r->id_line,
                         "remove 'down none' or the down sections",
                         "'down none' stands beside a down section");
    }
    if ((up & ~down) != 0 && !r->down_none) {
        dr_err_set(p->err, DR_E_REVISION_DOWN, "there is no down section%s%s",
                   down == 0 ? "" : " for engine ", down == 0 ? "" : engine_of(up & ~down));
        dr_err_hint(
            p->err,
            "write the way back under '-- drover:down', or '-- drover:down none reason=\"...\"'");
        return dr_err_at(p->err, p->path, r->id_line, 1);
    }
    return DR_OK;
}

enum dr_rc
dr_parse_check_whole(struct dr_parse *p)
{
    for (size_t i = 0; i < p->section_count; i++) {
        enum dr_rc rc = check_names(p, i);
        if (rc != DR_OK) {
            return rc;
        }
    }
    return check_engines(p);
}

enum dr_rc
dr_parse_ids(struct dr_parse *p, const struct dr_line *line, size_t at, const char *value,
             struct dr_names *out)
{
    const char **items = dr_arena_array(p->arena, DR_REVISION_LIST_MAX, sizeof *items);
    size_t count = 0;
    if (items == NULL) {
        return dr_parse_nomem(p);
    }
    for (const char *from = value + strspn(value, ", "); from[0] != '\0';) {
        size_t len = strcspn(from, ", ");
        char *id = dr_arena_strn(p->arena, from, len);
        size_t where = at + (size_t)(from - value);
        if (id == NULL) {
            return dr_parse_nomem(p);
        }
        if (!dr_revision_id_valid(id)) {
            return dr_parse_fail(p, DR_E_REVISION_ID, line, where,
                                 "a revision or label is 1 to 64 letters, digits, '_' or '.'; for "
                                 "a base leave 'Revises:' empty",
                                 "'%.100s' cannot be the name of a revision or label", id);
        }
        for (size_t i = 0; i < count; i++) {
            if (strcmp(items[i], id) == 0) {
                return dr_parse_fail(p, DR_E_REVISION_HEADER, line, where, "name it once",
                                     "'%s' is named twice", id);
            }
        }
        if (count == DR_REVISION_LIST_MAX) {
            return dr_parse_fail(p, DR_E_REVISION_HEADER, line, where, "merge in several steps",
                                 "more than %u names in one list", DR_REVISION_LIST_MAX);
        }
        items[count++] = id;
        from += len;
        from += strspn(from, ", ");
    }
    out->items = items;
    out->count = count;
    return DR_OK;
}
