// Prints schemas. See schema_view.h.

#include "coordinator/cli/schema_view.h"

#include "coordinator/cli/print.h"

#include "schema/diff.h"
#include "schema/er.h"
#include "schema/write.h"

#include <stdio.h>
#include <string.h>

// Kinds of a list without --kind: what has a name of its own.
static const enum dr_schema_kind listed[] = {
    DR_SCHEMA_TABLE,  DR_SCHEMA_VIEW,      DR_SCHEMA_MATVIEW,  DR_SCHEMA_ENUM,
    DR_SCHEMA_DOMAIN, DR_SCHEMA_COMPOSITE, DR_SCHEMA_RANGE,    DR_SCHEMA_SEQUENCE,
    DR_SCHEMA_INDEX,  DR_SCHEMA_FUNCTION,  DR_SCHEMA_EXTENSION};

static bool
is_named(const struct dr_cli *cli, const char *name)
{
    bool is = cli->args_count == 0;
    for (size_t i = 0; i < cli->args_count; i++) {
        is = is || dr_str_glob(cli->args[i], name);
    }
    return is;
}

static bool
is_listed(const struct dr_cli *cli, const struct dr_schema_object *o)
{
    const char *kind = dr_cli_option(cli, "kind");
    bool is = kind != NULL && dr_str_eq(kind, dr_schema_kind_word(o->kind));
    for (size_t i = 0; kind == NULL && i < DR_COUNT_OF(listed); i++) {
        is = is || o->kind == listed[i];
    }
    return is;
}

static const char *
part_name(const struct dr_schema_object *o)
{
    size_t len = strlen(o->part_of);
    return len > 0 && o->name[len] == '.' ? o->name + len + 1 : o->name;
}

// What an object is, in one line.
static const char *
definition(const struct dr_cli *cli, const struct dr_catalog *catalog,
           const struct dr_schema_object *o)
{
    struct dr_buf out = {0};
    if (o->kind == DR_SCHEMA_COLUMN || o->kind == DR_SCHEMA_ATTRIBUTE) {
        size_t value = dr_catalog_find(catalog, DR_SCHEMA_DEFAULT, o->name);
        for (size_t i = 0; i < DR_CATALOG_ATTRS; i++) {
            dr_buf_printf(&out, "%s%s", i && o->attrs[i][0] ? " " : "", o->attrs[i]);
        }
        if (value != SIZE_MAX) {
            dr_buf_printf(&out, " DEFAULT %s", catalog->objects[value].attrs[DR_ATTR_DEFINITION]);
        }
    } else {
        bool has_own = o->kind == DR_SCHEMA_CONSTRAINT || o->kind == DR_SCHEMA_FOREIGN_KEY ||
                       o->kind == DR_SCHEMA_DEFAULT;
        dr_buf_str(&out, has_own ? o->attrs[DR_ATTR_DEFINITION] : o->create);
    }
    const char *text = dr_arena_str(cli->arena, out.data ? out.data : "");
    dr_buf_fini(&out);
    return text ? text : "";
}

json_t *
dr_schema_view_json(const struct dr_cli *cli, const struct dr_schema_source *source)
{
    json_t *list = json_array();
    for (size_t i = 0; i < source->catalog.count; i++) {
        const struct dr_schema_object *o = &source->catalog.objects[i];
        const char *of = o->part_of[0] ? o->part_of : o->name;
        bool is_kind = dr_cli_option(cli, "kind") == NULL || is_listed(cli, o);
        if (is_kind && (is_named(cli, o->name) || is_named(cli, of))) {
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "kind",
                                                  dr_schema_kind_word(o->kind), "name", o->name,
                                                  "part_of", o->part_of, "definition",
                                                  definition(cli, &source->catalog, o)));
        }
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "schema", "drover.v1.Schema", "source", source->shown,
                     "engine", source->engine == DR_DB_SQLITE ? "sqlite" : "postgresql", "objects",
                     list);
}

enum dr_rc
dr_schema_view_sql(struct dr_cli *cli, const struct dr_schema_source *source, struct dr_err *err)
{
    struct dr_schema_script script = {0};
    enum dr_rc rc = dr_schema_write_all(&source->catalog, cli->arena, &script, err);
    for (size_t i = 0; rc == DR_OK && i < script.count; i++) {
        printf("%s;\n", script.stmts[i].sql);
    }
    return rc;
}

static size_t
count_columns(const struct dr_catalog *catalog, size_t table)
{
    size_t n = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        n += catalog->objects[i].kind == DR_SCHEMA_COLUMN && catalog->objects[i].owner == table;
    }
    return n;
}

enum dr_rc
dr_schema_view_list(struct dr_cli *cli, const struct dr_schema_source *source, struct dr_err *err)
{
    static const char *const columns[] = {"KIND", "NAME", "OF", "COLUMNS", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    size_t shown = 0;
    if (table == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < source->catalog.count; i++) {
        const struct dr_schema_object *o = &source->catalog.objects[i];
        size_t n = o->kind == DR_SCHEMA_TABLE ? count_columns(&source->catalog, i) : 0;
        const char *count = n > 0 ? dr_arena_printf(cli->arena, "%zu", n) : "";
        const char *const cells[] = {dr_schema_kind_word(o->kind), o->name, o->part_of,
                                     count ? count : "", NULL};
        if (is_listed(cli, o)) {
            dr_table_row(table, SIZE_MAX, cells);
            shown++;
        }
    }
    if (shown > 0) {
        dr_table_print(table, stdout);
    } else {
        dr_say(cli, "%s: nothing there\n", source->shown);
    }
    dr_table_free(&table);
    return DR_OK;
}

// --------------------------------------------------------------------------------------- tables

static enum dr_rc
print_columns(struct dr_cli *cli, const struct dr_catalog *catalog, size_t owner,
              struct dr_err *err)
{
    static const char *const columns[] = {"COLUMN", "TYPE", "NULL", "DEFAULT", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    if (table == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (uint32_t place = 0;;) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < catalog->count; i++) {
            const struct dr_schema_object *o = &catalog->objects[i];
            if (o->kind == DR_SCHEMA_COLUMN && o->owner == owner && o->place > place &&
                (best == SIZE_MAX || o->place < catalog->objects[best].place)) {
                best = i;
            }
        }
        if (best == SIZE_MAX) {
            break;
        }
        const struct dr_schema_object *c = &catalog->objects[best];
        size_t value = dr_catalog_find(catalog, DR_SCHEMA_DEFAULT, c->name);
        const char *rest = value != SIZE_MAX ? catalog->objects[value].attrs[DR_ATTR_DEFINITION]
                           : c->attrs[DR_ATTR_GENERATED][0] ? c->attrs[DR_ATTR_GENERATED]
                                                            : c->attrs[DR_ATTR_IDENTITY];
        const char *type =
            dr_arena_printf(cli->arena, "%s%s%s", c->attrs[DR_ATTR_TYPE],
                            c->attrs[DR_ATTR_COLLATE][0] ? " " : "", c->attrs[DR_ATTR_COLLATE]);
        const char *const cells[] = {catalog->engine == DR_DB_SQLITE ? c->drop : part_name(c),
                                     type ? type : "",
                                     c->attrs[DR_ATTR_NOT_NULL][0] ? "not null" : "", rest, NULL};
        dr_table_row(table, SIZE_MAX, cells);
        place = c->place;
    }
    dr_table_print(table, stdout);
    dr_table_free(&table);
    return DR_OK;
}

static void
print_parts(struct dr_cli *cli, const struct dr_catalog *catalog, size_t owner,
            enum dr_schema_kind kind, const char *heading)
{
    bool is_first = true;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct dr_schema_object *o = &catalog->objects[i];
        if (o->kind == kind && o->owner == owner) {
            dr_say(cli, "%s", is_first ? heading : "");
            dr_say(cli, "    %s%s%s\n",
                   kind == DR_SCHEMA_CONSTRAINT || kind == DR_SCHEMA_FOREIGN_KEY ? part_name(o)
                                                                                 : "",
                   kind == DR_SCHEMA_CONSTRAINT || kind == DR_SCHEMA_FOREIGN_KEY ? " " : "",
                   definition(cli, catalog, o));
            is_first = false;
        }
    }
}

static void
print_referenced(struct dr_cli *cli, const struct dr_catalog *catalog, const char *table)
{
    bool is_first = true;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct dr_schema_object *o = &catalog->objects[i];
        if (o->kind == DR_SCHEMA_FOREIGN_KEY && dr_str_eq(dr_er_references(cli->arena, o), table)) {
            dr_say(cli, "%s    %s: %s\n", is_first ? "Referenced by:\n" : "", o->part_of,
                   definition(cli, catalog, o));
            is_first = false;
        }
    }
}

static enum dr_rc
print_one(struct dr_cli *cli, const struct dr_catalog *catalog, size_t at, struct dr_err *err)
{
    static const struct {
        enum dr_schema_kind kind;
        const char *heading;
    } parts[] = {
        {DR_SCHEMA_CONSTRAINT, "Constraints:\n"}, {DR_SCHEMA_FOREIGN_KEY, "Foreign keys:\n"},
        {DR_SCHEMA_INDEX, "Indexes:\n"},          {DR_SCHEMA_TRIGGER, "Triggers:\n"},
        {DR_SCHEMA_POLICY, "Policies:\n"},        {DR_SCHEMA_RULE, "Rules:\n"},
        {DR_SCHEMA_SETTING, "Settings:\n"},       {DR_SCHEMA_STATISTICS, "Statistics:\n"},
        {DR_SCHEMA_COMMENT, "Comments:\n"},       {DR_SCHEMA_GRANT, "Grants:\n"}};
    const struct dr_schema_object *o = &catalog->objects[at];
    dr_say(cli, "%s %s\n", dr_schema_kind_word(o->kind), o->name);
    enum dr_rc rc = DR_OK;
    if (o->kind == DR_SCHEMA_TABLE) {
        rc = print_columns(cli, catalog, at, err);
    } else {
        dr_say(cli, "%s\n", o->create);
    }
    for (size_t i = 0; i < DR_COUNT_OF(parts); i++) {
        print_parts(cli, catalog, at, parts[i].kind, parts[i].heading);
    }
    print_referenced(cli, catalog, o->name);
    return rc;
}

enum dr_rc
dr_schema_view_hint(struct dr_err *err, const char *name)
{
    static const char *const places[] = {"head", "heads", "base", "current"};
    for (size_t i = 0; i < DR_COUNT_OF(places); i++) {
        if (dr_str_eq(name, places[i])) {
            return dr_err_hint(err, "--from %s, to see the schema there", name);
        }
    }
    return dr_err_hint(err, "drover schema show lists what is there; --from names another schema");
}

enum dr_rc
dr_schema_view_tables(struct dr_cli *cli, const struct dr_schema_source *source, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    size_t shown = 0;
    for (size_t i = 0; rc == DR_OK && i < source->catalog.count; i++) {
        const struct dr_schema_object *o = &source->catalog.objects[i];
        bool can_be = dr_cli_option(cli, "kind") != NULL
                          ? is_listed(cli, o)
                          : o->kind == DR_SCHEMA_TABLE || o->kind == DR_SCHEMA_VIEW ||
                                o->kind == DR_SCHEMA_MATVIEW || o->kind == DR_SCHEMA_ENUM ||
                                o->kind == DR_SCHEMA_DOMAIN || o->kind == DR_SCHEMA_FUNCTION ||
                                o->kind == DR_SCHEMA_INDEX || o->kind == DR_SCHEMA_SEQUENCE;
        if (can_be && is_named(cli, o->name)) {
            dr_say(cli, "%s", shown++ > 0 ? "\n" : "");
            rc = print_one(cli, &source->catalog, i, err);
        }
    }
    if (rc == DR_OK && shown == 0) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "%s has no '%s'", source->shown, cli->args[0]);
        return dr_schema_view_hint(err, cli->args[0]);
    }
    return rc;
}

// ----------------------------------------------------------------------------------------- diff

enum dr_rc
dr_schema_view_diff(struct dr_cli *cli, const struct dr_schema_source *a,
                    const struct dr_schema_source *b, size_t *out_count, struct dr_err *err)
{
    struct dr_schema_change *list = NULL;
    enum dr_rc rc = dr_schema_diff(a->print, b->print, cli->arena, &list, out_count, err);
    json_t *rows = json_array();
    for (size_t i = 0; rc == DR_OK && i < *out_count; i++) {
        const struct dr_schema_change *c = &list[i];
        const char *kind = c->sign == '+' ? "added" : c->sign == '-' ? "removed" : "changed";
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s}", "change", kind, "object",
                                              c->object, "before", c->before, "after", c->after));
        if (c->sign == '~') {
            dr_say(cli, "~ %s\n    - %s\n    + %s\n", c->object, c->before, c->after);
        } else {
            const char *text = c->sign == '+' ? c->after : c->before;
            dr_say(cli, "%c %s%s%s\n", c->sign, c->object, text[0] ? ": " : "", text);
        }
    }
    if (rc == DR_OK && cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:s, s:s, s:O}", "schema", "drover.v1.SchemaDiff",
                                     "from", a->shown, "to", b->shown, "changes", rows));
    } else if (rc == DR_OK && *out_count > 0) {
        dr_print_note(cli, "%zu object%s: - only in %s, + only in %s", *out_count,
                      *out_count == 1 ? " differs" : "s differ", a->shown, b->shown);
    }
    json_decref(rows);
    return rc;
}
