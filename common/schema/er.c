// Diagrams: mermaid's erDiagram and graphviz' dot.
#include "schema/er.h"

#include <ctype.h>
#include <string.h>

static bool
is_chosen(const struct dr_schema_object *o, const char *pattern)
{
    return o->kind == DR_SCHEMA_TABLE && (pattern == NULL || dr_str_glob(pattern, o->name));
}

static const char *
part_name(const struct dr_schema_object *o)
{
    size_t len = strlen(o->part_of);
    return o->name[len] == '.' ? o->name + len + 1 : o->name;
}

// The piece of "... REFERENCES name(...)" that is the name, or what stands in the first
// parentheses.
static bool
find_references(const char *definition, const char **out, size_t *out_len)
{
    static const char word[] = "REFERENCES ";
    const char *at = strstr(definition, word);
    if (at == NULL) {
        return false;
    }
    at += strlen(word);
    bool quoted = false;
    size_t len = 0;
    while (at[len] != '\0' && (quoted || (at[len] != '(' && at[len] != ' '))) {
        quoted = at[len] == '"' ? !quoted : quoted;
        len++;
    }
    *out = at;
    *out_len = len;
    return len > 0;
}

const char *
dr_er_references(struct dr_arena *arena, const struct dr_schema_object *key)
{
    const char *name = NULL;
    size_t len = 0;
    if (!find_references(key->attrs[DR_ATTR_DEFINITION], &name, &len)) {
        return "";
    }
    const char *kept = dr_arena_strn(arena, name, len);
    return kept == NULL ? "" : kept;
}

static size_t
referenced(const struct dr_catalog *catalog, const struct dr_schema_object *key)
{
    const char *name = NULL;
    size_t len = 0;
    if (!find_references(key->attrs[DR_ATTR_DEFINITION], &name, &len)) {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < catalog->count; i++) {
        const struct dr_schema_object *o = &catalog->objects[i];
        if (o->kind == DR_SCHEMA_TABLE && strlen(o->name) == len &&
            memcmp(o->name, name, len) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

// Is the column among those in the first parentheses of a definition?
static bool
is_listed(const char *definition, const char *column)
{
    const char *at = strchr(definition, '(');
    size_t len = strlen(column);
    while (at != NULL && *at != ')' && *at != '\0') {
        at += 1 + strspn(at + 1, " ");
        if (strncmp(at, column, len) == 0 && strchr(",)", at[len]) != NULL) {
            return true;
        }
        at += strcspn(at, ",)");
    }
    return false;
}

// "PK", "FK", "PK, FK", "UK" or ""
static const char *
key_of(const struct dr_catalog *catalog, const struct dr_schema_object *column)
{
    bool is_primary = catalog->engine == DR_DB_SQLITE && column->attrs[DR_ATTR_IDENTITY][0] != '\0';
    bool is_foreign = false;
    bool is_unique = false;
    const char *name = catalog->engine == DR_DB_SQLITE ? column->drop : part_name(column);
    for (size_t i = 0; i < catalog->count; i++) {
        const struct dr_schema_object *k = &catalog->objects[i];
        bool is_key = k->kind == DR_SCHEMA_CONSTRAINT || k->kind == DR_SCHEMA_FOREIGN_KEY;
        if (!is_key || k->owner != column->owner ||
            !is_listed(k->attrs[DR_ATTR_DEFINITION], name)) {
            continue;
        }
        is_foreign = is_foreign || k->kind == DR_SCHEMA_FOREIGN_KEY;
        is_primary = is_primary || k->attrs[DR_ATTR_CONTYPE][0] == 'p';
        is_unique = is_unique || k->attrs[DR_ATTR_CONTYPE][0] == 'u';
    }
    return is_primary && is_foreign ? "PK, FK"
           : is_primary             ? "PK"
           : is_foreign             ? "FK"
           : is_unique              ? "UK"
                                    : "";
}

// Mermaid knows words of letters, digits and a few signs only.
static void
add_word(struct dr_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        bool is_plain = isalnum((unsigned char)*text) || *text == '_' || *text == '-';
        if (*text != '"') {
            dr_buf_add(out, is_plain ? text : "_", 1);
        }
    }
}

// For a label of dot, which is HTML.
static void
add_html(struct dr_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        dr_buf_add(out, entity ? entity : text, entity ? strlen(entity) : 1);
    }
}

// The columns of a table in their order, one call each.
static size_t
next_column(const struct dr_catalog *catalog, size_t table, uint32_t *place)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct dr_schema_object *o = &catalog->objects[i];
        if (o->kind == DR_SCHEMA_COLUMN && o->owner == table && o->place > *place &&
            (best == SIZE_MAX || o->place < catalog->objects[best].place)) {
            best = i;
        }
    }
    *place = best == SIZE_MAX ? *place : catalog->objects[best].place;
    return best;
}

static const char *
shown_name(const struct dr_catalog *catalog, const struct dr_schema_object *column)
{
    return catalog->engine == DR_DB_SQLITE ? column->drop : part_name(column);
}

static void
add_table(const struct dr_catalog *catalog, enum dr_er_format format, size_t table,
          struct dr_buf *out)
{
    const struct dr_schema_object *t = &catalog->objects[table];
    uint32_t place = 0;
    size_t i;
    if (format == DR_ER_MERMAID) {
        dr_buf_str(out, "    ");
        add_word(out, t->name);
        dr_buf_str(out, " {\n");
    } else {
        dr_buf_printf(out,
                      "  t%zu [label=<<table border=\"0\" cellborder=\"1\" "
                      "cellspacing=\"0\"><tr><td bgcolor=\"lightgrey\"><b>",
                      table);
        add_html(out, t->name);
        dr_buf_str(out, "</b></td></tr>");
    }
    while ((i = next_column(catalog, table, &place)) != SIZE_MAX) {
        const struct dr_schema_object *c = &catalog->objects[i];
        const char *key = key_of(catalog, c);
        const char *type = c->attrs[DR_ATTR_TYPE][0] ? c->attrs[DR_ATTR_TYPE] : "any";
        if (format == DR_ER_MERMAID) {
            dr_buf_str(out, "        ");
            add_word(out, type);
            dr_buf_str(out, " ");
            add_word(out, shown_name(catalog, c));
            dr_buf_printf(out, "%s%s\n", key[0] ? " " : "", key);
        } else {
            dr_buf_str(out, "<tr><td align=\"left\">");
            add_html(out, shown_name(catalog, c));
            dr_buf_str(out, " ");
            add_html(out, type);
            dr_buf_printf(out, "%s%s</td></tr>", key[0] ? " " : "", key);
        }
    }
    dr_buf_str(out, format == DR_ER_MERMAID ? "    }\n" : "</table>>];\n");
}

static void
add_key(const struct dr_catalog *catalog, enum dr_er_format format, size_t key, size_t to,
        struct dr_buf *out)
{
    const struct dr_schema_object *k = &catalog->objects[key];
    if (format == DR_ER_MERMAID) {
        dr_buf_str(out, "    ");
        add_word(out, catalog->objects[to].name);
        dr_buf_str(out, " ||--o{ ");
        add_word(out, k->part_of);
        dr_buf_str(out, " : \"");
        add_word(out, part_name(k));
        dr_buf_str(out, "\"\n");
    } else {
        dr_buf_printf(out, "  t%zu -> t%zu [label=\"", k->owner, to);
        add_word(out, part_name(k));
        dr_buf_str(out, "\"];\n");
    }
}

void
dr_er_text(const struct dr_catalog *catalog, enum dr_er_format format, const char *pattern,
           struct dr_buf *out)
{
    dr_buf_str(out, format == DR_ER_MERMAID
                        ? "erDiagram\n"
                        : "digraph schema {\n  rankdir=LR;\n  node [shape=plain];\n");
    for (size_t i = 0; i < catalog->count; i++) {
        if (is_chosen(&catalog->objects[i], pattern)) {
            add_table(catalog, format, i, out);
        }
    }
    for (size_t i = 0; i < catalog->count; i++) {
        const struct dr_schema_object *k = &catalog->objects[i];
        size_t to = k->kind == DR_SCHEMA_FOREIGN_KEY ? referenced(catalog, k) : SIZE_MAX;
        if (to != SIZE_MAX && k->owner != SIZE_MAX && is_chosen(&catalog->objects[to], pattern) &&
            is_chosen(&catalog->objects[k->owner], pattern)) {
            add_key(catalog, format, i, to, out);
        }
    }
    dr_buf_str(out, format == DR_ER_MERMAID ? "" : "}\n");
}

static json_t *
columns_json(const struct dr_catalog *catalog, size_t table)
{
    json_t *list = json_array();
    uint32_t place = 0;
    size_t i;
    while ((i = next_column(catalog, table, &place)) != SIZE_MAX) {
        const struct dr_schema_object *c = &catalog->objects[i];
        size_t value = dr_catalog_find(catalog, DR_SCHEMA_DEFAULT, c->name);
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:b, s:s*, s:s}", "name", shown_name(catalog, c), "type",
                      c->attrs[DR_ATTR_TYPE], "nullable", c->attrs[DR_ATTR_NOT_NULL][0] == '\0',
                      "default",
                      value == SIZE_MAX ? NULL : catalog->objects[value].attrs[DR_ATTR_DEFINITION],
                      "key", key_of(catalog, c)));
    }
    return list;
}

json_t *
dr_er_json(const struct dr_catalog *catalog, const char *pattern)
{
    json_t *tables = json_array();
    json_t *keys = json_array();
    for (size_t i = 0; i < catalog->count; i++) {
        const struct dr_schema_object *o = &catalog->objects[i];
        size_t to = o->kind == DR_SCHEMA_FOREIGN_KEY ? referenced(catalog, o) : SIZE_MAX;
        if (is_chosen(o, pattern)) {
            json_array_append_new(tables, json_pack("{s:s, s:o}", "name", o->name, "columns",
                                                    columns_json(catalog, i)));
        } else if (to != SIZE_MAX && o->owner != SIZE_MAX &&
                   is_chosen(&catalog->objects[to], pattern) &&
                   is_chosen(&catalog->objects[o->owner], pattern)) {
            json_array_append_new(keys,
                                  json_pack("{s:s, s:s, s:s, s:s}", "name", part_name(o), "table",
                                            o->part_of, "references", catalog->objects[to].name,
                                            "definition", o->attrs[DR_ATTR_DEFINITION]));
        }
    }
    return json_pack("{s:o, s:o}", "tables", tables, "keys", keys);
}
