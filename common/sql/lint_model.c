#include "sql/lint_model.h"

#include "base/str.h"

#include <string.h>

enum { COLUMNS_MAX = 64 };

void
dr_model_init(struct dr_model *model, struct dr_arena *arena)
{
    *model = (struct dr_model){.arena = arena};
    model->tail = &model->first;
}

// The name without its schema.
static const char *
bare(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL || dot[1] == '"' || name[strlen(name) - 1] == '"' ? name : dot + 1;
}

static size_t
bucket_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (name = bare(name); *name != '\0'; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash % DR_MODEL_BUCKETS;
}

struct dr_model_table *
dr_model_find(const struct dr_model *model, const char *name)
{
    struct dr_model_table *near = NULL;
    const char *own = bare(name);
    for (struct dr_model_table *t = model->buckets[bucket_of(name)]; t != NULL;
         t = t->next_in_bucket) {
        if (t->is_gone || strcmp(bare(t->name), own) != 0) {
            continue;
        }
        if (strcmp(t->name, name) == 0) {
            return t;
        }
        bool is_open = own == name || bare(t->name) == t->name; // one of them tells no schema
        near = near == NULL && is_open ? t : near;
    }
    return near;
}

struct dr_model_part *
dr_model_part_named(const struct dr_model_table *table, unsigned kind, const char *name)
{
    struct dr_model_part *p = table->parts;
    while (p != NULL && (p->is_gone || p->kind != kind || strcmp(p->name, name) != 0)) {
        p = p->next;
    }
    return p;
}

bool
dr_model_is_older(const struct dr_model *model, const struct dr_lint_section *section,
                  const char *name)
{
    const struct dr_model_table *t = dr_model_find(model, name);
    if (t == NULL) {
        return model->doubt_file == NULL || strcmp(model->doubt_file, section->file) != 0;
    }
    return !t->is_planned && (t->flags & DR_FACT_TEMPORARY) == 0 &&
           strcmp(t->file, section->file) != 0;
}

// The next name of a list joined by commas; commas in double quotes are part of a name.
static bool
next_name(const char **list, const char **out, size_t *out_len)
{
    const char *at = *list;
    bool is_quoted = false;
    if (*at == '\0') {
        return false;
    }
    while (*at != '\0' && (is_quoted || *at != ',')) {
        is_quoted = is_quoted != (*at == '"');
        at++;
    }
    *out = *list;
    *out_len = (size_t)(at - *list);
    *list = *at == ',' ? at + 1 : at;
    return true;
}

static bool
has_name(const char *list, size_t first, const char *name, size_t len)
{
    const char *own;
    size_t own_len, seen = 0;
    while (seen++ < first && next_name(&list, &own, &own_len)) {
        if (own_len == len && memcmp(own, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static size_t
count_names(const char *list)
{
    const char *name;
    size_t len, count = 0;
    while (next_name(&list, &name, &len)) {
        count++;
    }
    return count;
}

bool
dr_model_same_columns(const char *columns, const char *list, bool is_prefix)
{
    const char *name;
    size_t len, count = count_names(columns), other = count_names(list);
    bool can_be =
        count > 0 && count <= COLUMNS_MAX && (is_prefix ? other >= count : other == count);
    while (can_be && next_name(&columns, &name, &len)) {
        can_be = has_name(list, count, name, len);
    }
    return can_be;
}

// As PostgreSQL names a constraint or index that has no name.
static const char *
default_name(struct dr_arena *arena, const struct dr_sql_fact *f)
{
    const char *dot = strrchr(f->table, '.');
    const char *table = dot == NULL ? f->table : dot + 1;
    struct dr_buf text = {0};
    dr_buf_str(&text, table);
    if (f->kind == DR_FACT_KEY && (f->flags & DR_FACT_PRIMARY) != 0) {
        dr_buf_str(&text, "_pkey");
    } else {
        const char *list = f->columns, *name;
        size_t len;
        while (next_name(&list, &name, &len)) {
            dr_buf_str(&text, "_");
            dr_buf_add(&text, name, len);
        }
        dr_buf_str(&text, f->kind == DR_FACT_KEY           ? "_key"
                          : f->kind == DR_FACT_FOREIGN_KEY ? "_fkey"
                          : f->kind == DR_FACT_INDEX       ? "_idx"
                                                           : "_check");
    }
    char *kept = text.failed ? NULL : dr_arena_str(arena, text.data);
    dr_buf_fini(&text);
    return kept == NULL ? "" : kept;
}

static struct dr_model_table *
add_table(struct dr_model *model, const struct dr_model_place *place)
{
    struct dr_model_table *t = dr_arena_alloc(model->arena, sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->place = *place;
    t->name = t->first_name = place->fact->table;
    t->file = place->section->file;
    t->flags = place->fact->flags;
    t->is_planned = place->section->is_planned;
    t->tail = &t->parts;
    size_t bucket = bucket_of(t->name);
    t->next_in_bucket = model->buckets[bucket];
    model->buckets[bucket] = t;
    *model->tail = t;
    model->tail = &t->next;
    return t;
}

static void
add_part(struct dr_model *model, struct dr_model_table *t, const struct dr_model_place *place)
{
    const struct dr_sql_fact *f = place->fact;
    const char *name =
        f->kind != DR_FACT_COLUMN && f->name[0] == '\0' ? default_name(model->arena, f) : f->name;
    if (dr_model_part_named(t, f->kind, name) != NULL) {
        return; // IF NOT EXISTS
    }
    struct dr_model_part *p = dr_arena_alloc(model->arena, sizeof *p);
    if (p == NULL) {
        return;
    }
    p->place = *place;
    p->kind = f->kind;
    p->flags = f->flags;
    p->columns = f->columns;
    p->ref = f->ref;
    p->name = name;
    const struct dr_model_part *index = f->kind == DR_FACT_KEY && f->ref[0] != '\0'
                                            ? dr_model_part_named(t, DR_FACT_INDEX, f->ref)
                                            : NULL;
    p->columns = index != NULL ? index->columns : p->columns;
    *t->tail = p;
    t->tail = &p->next;
}

// True when `column` is in the list of the part, or is the part's own name.
static bool
names_column(const struct dr_model_part *p, const char *column)
{
    return p->kind == DR_FACT_COLUMN ? strcmp(p->name, column) == 0
                                     : has_name(p->columns, COLUMNS_MAX, column, strlen(column));
}

static void
drop_part(struct dr_model_table *t, const struct dr_sql_fact *f)
{
    for (struct dr_model_part *p = t->parts; p != NULL; p = p->next) {
        bool is_it = strcmp(p->name, f->name) == 0;
        if (f->kind == DR_FACT_DROP_COLUMN) {
            is_it = names_column(p, f->name);
        } else if (f->kind == DR_FACT_DROP_CONSTRAINT) {
            is_it = is_it && p->kind != DR_FACT_COLUMN && p->kind != DR_FACT_INDEX;
        } else {
            is_it = is_it && p->kind == DR_FACT_INDEX;
        }
        p->is_gone = p->is_gone || is_it;
    }
}

static void
drop_index(struct dr_model *model, const struct dr_sql_fact *f)
{
    const char *dot = strrchr(f->name, '.');
    struct dr_sql_fact own = *f;
    own.name = dot == NULL ? f->name : dot + 1;
    for (struct dr_model_table *t = model->first; t != NULL; t = t->next) {
        if (!t->is_gone) {
            drop_part(t, &own);
        }
    }
}

static void
drop_schema(struct dr_model *model, const char *name)
{
    size_t len = strlen(name);
    for (struct dr_model_table *t = model->first; t != NULL; t = t->next) {
        t->is_gone = t->is_gone || (strncmp(t->name, name, len) == 0 && t->name[len] == '.');
    }
}

static void
rename_table(struct dr_model *model, struct dr_model_table *t, const struct dr_model_place *place)
{
    const char *dot = strrchr(t->name, '.');
    bool has_schema = dot != NULL && strchr(place->fact->name, '.') == NULL;
    const char *full = has_schema ? dr_arena_printf(model->arena, "%.*s.%s", (int)(dot - t->name),
                                                    t->name, place->fact->name)
                                  : NULL;
    struct dr_model_table **link = &model->buckets[bucket_of(t->name)];
    while (*link != t) {
        link = &(*link)->next_in_bucket;
    }
    *link = t->next_in_bucket;
    if (t->renamed_in == NULL || strcmp(t->renamed_in, place->section->file) != 0) {
        t->first_name = t->name;
        t->renamed_in = place->section->file;
    }
    t->name = full == NULL ? place->fact->name : full;
    size_t bucket = bucket_of(t->name);
    t->next_in_bucket = model->buckets[bucket];
    model->buckets[bucket] = t;
}

// The list with one name put for another.
static const char *
replace_name(struct dr_arena *arena, const char *list, const char *from, const char *to)
{
    struct dr_buf text = {0};
    const char *all = list, *name;
    size_t len;
    while (next_name(&list, &name, &len)) {
        bool is_it = len == strlen(from) && memcmp(name, from, len) == 0;
        dr_buf_str(&text, text.len == 0 ? "" : ",");
        dr_buf_add(&text, is_it ? to : name, is_it ? strlen(to) : len);
    }
    char *kept = text.failed || text.data == NULL ? NULL : dr_arena_str(arena, text.data);
    dr_buf_fini(&text);
    return kept == NULL ? all : kept;
}

static void
rename_column(struct dr_model *model, struct dr_model_table *t, const struct dr_sql_fact *f)
{
    for (struct dr_model_part *p = t->parts; p != NULL; p = p->next) {
        if (p->is_gone || !names_column(p, f->name)) {
            continue;
        }
        if (p->kind == DR_FACT_COLUMN) {
            p->name = f->ref;
        } else {
            p->columns = replace_name(model->arena, p->columns, f->name, f->ref);
        }
    }
}

static void
change_part(struct dr_model_table *t, const struct dr_sql_fact *f)
{
    struct dr_model_part *column = dr_model_part_named(t, DR_FACT_COLUMN, f->name);
    for (struct dr_model_part *p = t->parts; f->kind == DR_FACT_VALIDATE && p != NULL;
         p = p->next) {
        if (p->kind != DR_FACT_COLUMN && strcmp(p->name, f->name) == 0) {
            p->flags &= ~(unsigned)DR_FACT_NOT_VALID;
        }
    }
    if (column == NULL) {
        return;
    }
    if (f->kind == DR_FACT_SET_TYPE) {
        column->columns = f->columns;
    } else if (f->kind == DR_FACT_SET_NOT_NULL) {
        column->flags |= DR_FACT_NOT_NULL;
    } else if (f->kind == DR_FACT_DROP_NOT_NULL) {
        column->flags &= ~(unsigned)DR_FACT_NOT_NULL;
    }
}

static void
apply_to_table(struct dr_model *model, struct dr_model_table *t, const struct dr_model_place *place)
{
    const struct dr_sql_fact *f = place->fact;
    switch (f->kind) {
    case DR_FACT_COLUMN:
    case DR_FACT_KEY:
    case DR_FACT_FOREIGN_KEY:
    case DR_FACT_CHECK:
    case DR_FACT_INDEX:
        add_part(model, t, place);
        break;
    case DR_FACT_DROP_TABLE:
        t->is_gone = true;
        break;
    case DR_FACT_DROP_COLUMN:
    case DR_FACT_DROP_CONSTRAINT:
        drop_part(t, f);
        break;
    case DR_FACT_RENAME_TABLE:
        rename_table(model, t, place);
        break;
    case DR_FACT_RENAME_COLUMN:
        rename_column(model, t, f);
        break;
    default:
        change_part(t, f);
    }
}

void
dr_model_apply(struct dr_model *model, const struct dr_model_place *place)
{
    const struct dr_sql_fact *f = place->fact;
    struct dr_model_table *t = f->table[0] == '\0' ? NULL : dr_model_find(model, f->table);
    if (f->kind == DR_FACT_TABLE) {
        if (t == NULL || (f->flags & DR_FACT_OPTIONAL) == 0) {
            add_table(model, place);
        }
    } else if (f->kind == DR_FACT_DROP_INDEX) {
        drop_index(model, f);
    } else if (f->kind == DR_FACT_DROP_SCHEMA) {
        drop_schema(model, f->name);
    } else if (t != NULL) {
        apply_to_table(model, t, place);
    }
}
