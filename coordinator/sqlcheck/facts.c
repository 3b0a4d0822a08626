#include "coordinator/sqlcheck/facts.h"

#include <string.h>

// What a statement does to tables, columns, keys and indexes, for the rules of lint. Nothing is
// decided here: the tree is told in lines.

#define ALTER(name)  PG_QUERY__ALTER_TABLE_TYPE__AT_##name
#define OBJECT(name) PG_QUERY__OBJECT_TYPE__OBJECT_##name
#define CASCADES(s)  ((s)->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE)

static void
add_texts(struct sqlcheck_writer *w)
{
    const struct dr_buf *const texts[] = {&w->table, &w->name, &w->columns, &w->ref};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        sqlcheck_add_field(w->out, texts[i]->data, texts[i]->len);
    }
    dr_buf_str(w->out, "\n");
}

void
sqlcheck_end_fact(struct sqlcheck_writer *w, enum dr_wire_fact kind, unsigned flags, int location,
                  size_t length)
{
    bool is_placed = location >= 0 && length > 0;
    if (w->count++ < DR_WIRE_FACTS_MAX) {
        dr_buf_printf(w->out, "F\t%d\t%zu\t%zu\t%u", (int)kind,
                      w->base + (is_placed ? (size_t)location : 0), is_placed ? length : 0, flags);
        add_texts(w);
    }
    dr_buf_reset(&w->name);
    dr_buf_reset(&w->columns);
    dr_buf_reset(&w->ref);
}

void
sqlcheck_add_table(struct dr_buf *out, const PgQuery__RangeVar *range)
{
    if (range != NULL) {
        if (range->schemaname[0] != '\0') {
            sqlcheck_add_name(out, range->schemaname);
            dr_buf_str(out, ".");
        }
        sqlcheck_add_name(out, range->relname);
    }
}

void
sqlcheck_add_path(struct dr_buf *out, PgQuery__Node *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i]->node_case == NODE(STRING)) {
            dr_buf_str(out, i == 0 ? "" : ".");
            sqlcheck_add_name(out, names[i]->string->sval);
        }
    }
}

static void
set_table(struct sqlcheck_writer *w, const PgQuery__RangeVar *range)
{
    dr_buf_reset(&w->table);
    sqlcheck_add_table(&w->table, range);
}

void
sqlcheck_add_columns(struct dr_buf *out, PgQuery__Node *const *items, size_t count)
{
    bool are_plain = true;
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        if (items[i]->node_case == NODE(STRING)) {
            name = items[i]->string->sval;
        } else if (items[i]->node_case == NODE(INDEX_ELEM)) {
            name = items[i]->index_elem->name;
        }
        are_plain = are_plain && name != NULL && name[0] != '\0';
        if (are_plain) {
            dr_buf_str(out, i == 0 ? "" : ",");
            sqlcheck_add_name(out, name);
        }
    }
    if (!are_plain) {
        dr_buf_reset(out);
    }
}

static void
on_create(struct sqlcheck_writer *w, const PgQuery__CreateStmt *s)
{
    set_table(w, s->relation);
    bool is_vague = s->n_inh_relations > 0 || s->partbound != NULL || s->of_typename != NULL;
    for (size_t i = 0; i < s->n_table_elts; i++) {
        is_vague = is_vague || s->table_elts[i]->node_case == NODE(TABLE_LIKE_CLAUSE);
    }
    bool is_temporary = s->relation != NULL && strcmp(s->relation->relpersistence, "t") == 0;
    unsigned flags = WHEN(is_vague, DR_FACT_VAGUE) | WHEN(is_temporary, DR_FACT_TEMPORARY) |
                     WHEN(s->if_not_exists, DR_FACT_OPTIONAL) |
                     WHEN(s->partspec != NULL, DR_FACT_PARTITIONED);
    sqlcheck_end_fact(w, DR_FACT_TABLE, flags, -1, 0);
    for (size_t i = 0; i < s->n_table_elts; i++) {
        const PgQuery__Node *e = s->table_elts[i];
        if (e->node_case == NODE(COLUMN_DEF)) {
            sqlcheck_column(w, e->column_def, 0);
        } else if (e->node_case == NODE(CONSTRAINT)) {
            sqlcheck_constraint(w, e->constraint, NULL, 0);
        }
    }
}

static void
on_create_as(struct sqlcheck_writer *w, const PgQuery__RangeVar *range)
{
    bool is_temporary = range != NULL && strcmp(range->relpersistence, "t") == 0;
    set_table(w, range);
    sqlcheck_end_fact(w, DR_FACT_TABLE, DR_FACT_VAGUE | WHEN(is_temporary, DR_FACT_TEMPORARY), -1,
                      0);
}

// True when an index is more than its columns: another order, operators or collation, or more of
// them in its leaves.
static bool
is_special(const PgQuery__IndexStmt *s)
{
    bool is = s->n_index_including_params > 0;
    for (size_t i = 0; i < s->n_index_params && !is; i++) {
        const PgQuery__IndexElem *e = s->index_params[i]->node_case == NODE(INDEX_ELEM)
                                          ? s->index_params[i]->index_elem
                                          : NULL;
        is = e == NULL || e->n_opclass > 0 || e->n_collation > 0 ||
             e->ordering == PG_QUERY__SORT_BY_DIR__SORTBY_DESC ||
             e->nulls_ordering == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST;
    }
    return is;
}

static void
on_index(struct sqlcheck_writer *w, const PgQuery__IndexStmt *s)
{
    set_table(w, s->relation);
    if (s->idxname[0] != '\0') {
        sqlcheck_add_name(&w->name, s->idxname);
    }
    sqlcheck_add_columns(&w->columns, s->index_params, s->n_index_params);
    dr_buf_str(&w->ref, s->access_method);
    sqlcheck_end_fact(w, DR_FACT_INDEX,
                      WHEN(s->unique, DR_FACT_UNIQUE) | WHEN(s->concurrent, DR_FACT_CONCURRENTLY) |
                          WHEN(s->where_clause != NULL, DR_FACT_PARTIAL) |
                          WHEN(is_special(s), DR_FACT_VAGUE) |
                          WHEN(s->if_not_exists, DR_FACT_OPTIONAL),
                      -1, 0);
}

struct alter_row {
    PgQuery__AlterTableType subtype;
    enum dr_wire_fact kind;
    const char *text; // for the name; NULL: the command's own
};

static const struct alter_row alter_rows[] = {
    {ALTER(DropColumn), DR_FACT_DROP_COLUMN, NULL},
    {ALTER(DropConstraint), DR_FACT_DROP_CONSTRAINT, NULL},
    {ALTER(SetNotNull), DR_FACT_SET_NOT_NULL, NULL},
    {ALTER(DropNotNull), DR_FACT_DROP_NOT_NULL, NULL},
    {ALTER(ValidateConstraint), DR_FACT_VALIDATE, NULL},
    {ALTER(SetLogged), DR_FACT_REWRITE, "SET LOGGED"},
    {ALTER(SetUnLogged), DR_FACT_REWRITE, "SET UNLOGGED"},
    {ALTER(SetTableSpace), DR_FACT_REWRITE, "SET TABLESPACE"},
    {ALTER(SetAccessMethod), DR_FACT_REWRITE, "SET ACCESS METHOD"},
};

static void
by_alter_row(struct sqlcheck_writer *w, const PgQuery__AlterTableCmd *c)
{
    for (size_t i = 0; i < DR_COUNT_OF(alter_rows); i++) {
        if (alter_rows[i].subtype != c->subtype) {
            continue;
        }
        if (alter_rows[i].text != NULL) {
            dr_buf_str(&w->name, alter_rows[i].text);
        } else {
            sqlcheck_add_name(&w->name, c->name);
        }
        sqlcheck_end_fact(
            w, alter_rows[i].kind,
            WHEN(CASCADES(c), DR_FACT_CASCADE) | WHEN(c->missing_ok, DR_FACT_OPTIONAL), -1, 0);
        return;
    }
}

static void
on_alter(struct sqlcheck_writer *w, const PgQuery__AlterTableStmt *s)
{
    bool is_table = s->objtype == OBJECT(TABLE) || s->objtype == OBJECT(INDEX);
    set_table(w, s->relation);
    for (size_t i = 0; is_table && i < s->n_cmds; i++) {
        if (s->cmds[i]->node_case != NODE(ALTER_TABLE_CMD)) {
            continue;
        }
        const PgQuery__AlterTableCmd *c = s->cmds[i]->alter_table_cmd;
        const PgQuery__Node *def = c->def;
        if (c->subtype == ALTER(AddColumn) && def != NULL && def->node_case == NODE(COLUMN_DEF)) {
            sqlcheck_column(w, def->column_def,
                            DR_FACT_ADDED | WHEN(c->missing_ok, DR_FACT_OPTIONAL));
        } else if (c->subtype == ALTER(AddConstraint) && def != NULL &&
                   def->node_case == NODE(CONSTRAINT)) {
            sqlcheck_constraint(w, def->constraint, NULL, DR_FACT_ADDED);
        } else if (c->subtype == ALTER(AlterColumnType) && def != NULL &&
                   def->node_case == NODE(COLUMN_DEF)) {
            sqlcheck_add_name(&w->name, c->name);
            sqlcheck_add_type(&w->columns, def->column_def->type_name);
            sqlcheck_end_fact(w, DR_FACT_SET_TYPE, 0, -1, 0);
        } else {
            by_alter_row(w, c);
        }
    }
}

static void
on_rename(struct sqlcheck_writer *w, const PgQuery__RenameStmt *s)
{
    if (s->relation == NULL || s->newname[0] == '\0') {
        return;
    }
    set_table(w, s->relation);
    if (s->rename_type == OBJECT(TABLE)) {
        sqlcheck_add_name(&w->name, s->newname);
        sqlcheck_end_fact(w, DR_FACT_RENAME_TABLE, 0, -1, 0);
    } else if (s->rename_type == OBJECT(COLUMN) && s->relation_type == OBJECT(TABLE)) {
        sqlcheck_add_name(&w->name, s->subname);
        sqlcheck_add_name(&w->ref, s->newname);
        sqlcheck_end_fact(w, DR_FACT_RENAME_COLUMN, 0, -1, 0);
    }
}

static void
on_drop(struct sqlcheck_writer *w, const PgQuery__DropStmt *s)
{
    unsigned flags = WHEN(CASCADES(s), DR_FACT_CASCADE) | WHEN(s->missing_ok, DR_FACT_OPTIONAL) |
                     WHEN(s->concurrent, DR_FACT_CONCURRENTLY);
    for (size_t i = 0; i < s->n_objects; i++) {
        const PgQuery__Node *o = s->objects[i];
        dr_buf_reset(&w->table);
        if (o->node_case == NODE(LIST) && s->remove_type == OBJECT(TABLE)) {
            sqlcheck_add_path(&w->table, o->list->items, o->list->n_items);
            sqlcheck_end_fact(w, DR_FACT_DROP_TABLE, flags, -1, 0);
        } else if (o->node_case == NODE(LIST) && s->remove_type == OBJECT(INDEX)) {
            sqlcheck_add_path(&w->name, o->list->items, o->list->n_items);
            sqlcheck_end_fact(w, DR_FACT_DROP_INDEX, flags, -1, 0);
        } else if (o->node_case == NODE(STRING) && s->remove_type == OBJECT(SCHEMA)) {
            sqlcheck_add_name(&w->name, o->string->sval);
            sqlcheck_end_fact(w, DR_FACT_DROP_SCHEMA, flags, -1, 0);
        }
    }
}

static void
on_truncate(struct sqlcheck_writer *w, const PgQuery__TruncateStmt *s)
{
    for (size_t i = 0; i < s->n_relations; i++) {
        if (s->relations[i]->node_case == NODE(RANGE_VAR)) {
            set_table(w, s->relations[i]->range_var);
            sqlcheck_end_fact(w, DR_FACT_TRUNCATE, WHEN(CASCADES(s), DR_FACT_CASCADE),
                              s->relations[i]->range_var->location, 1);
        }
    }
}

static void
on_add_value(struct sqlcheck_writer *w, const PgQuery__AlterEnumStmt *s)
{
    if (s->old_val[0] == '\0') {
        sqlcheck_add_path(&w->table, s->type_name, s->n_type_name);
        dr_buf_str(&w->name, s->new_val);
        sqlcheck_end_fact(w, DR_FACT_ADD_VALUE, 0, -1, 0);
    }
}

static bool
has_option(PgQuery__Node *const *options, size_t count, const char *name)
{
    bool has = false;
    for (size_t i = 0; i < count; i++) {
        has = has || (options[i]->node_case == NODE(DEF_ELEM) &&
                      strcmp(options[i]->def_elem->defname, name) == 0);
    }
    return has;
}

static void
on_vacuum(struct sqlcheck_writer *w, const PgQuery__VacuumStmt *s)
{
    if (!has_option(s->options, s->n_options, "full")) {
        return;
    }
    const PgQuery__Node *first = s->n_rels == 0 ? NULL : s->rels[0];
    set_table(w, first != NULL && first->node_case == NODE(VACUUM_RELATION)
                     ? first->vacuum_relation->relation
                     : NULL);
    dr_buf_str(&w->name, "VACUUM FULL");
    sqlcheck_end_fact(w, DR_FACT_REWRITE, 0, -1, 0);
}

static void
on_maintenance(struct sqlcheck_writer *w, const PgQuery__Node *n)
{
    if (n->node_case == NODE(VACUUM_STMT)) {
        on_vacuum(w, n->vacuum_stmt);
    } else if (n->node_case == NODE(CLUSTER_STMT)) {
        set_table(w, n->cluster_stmt->relation);
        dr_buf_str(&w->name, "CLUSTER");
        sqlcheck_end_fact(w, DR_FACT_REWRITE, 0, -1, 0);
    } else if (n->node_case == NODE(REINDEX_STMT)) {
        const PgQuery__ReindexStmt *s = n->reindex_stmt;
        set_table(w, s->kind == PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE ? s->relation
                                                                                    : NULL);
        sqlcheck_end_fact(
            w, DR_FACT_REINDEX,
            WHEN(has_option(s->params, s->n_params, "concurrently"), DR_FACT_CONCURRENTLY), -1, 0);
    } else if (n->node_case == NODE(REFRESH_MAT_VIEW_STMT)) {
        set_table(w, n->refresh_mat_view_stmt->relation);
        sqlcheck_end_fact(w, DR_FACT_REFRESH,
                          WHEN(n->refresh_mat_view_stmt->concurrent, DR_FACT_CONCURRENTLY), -1, 0);
    }
}

static void
on_domain(struct sqlcheck_writer *w, const PgQuery__AlterDomainStmt *s)
{
    const PgQuery__Node *def = s->def;
    if (strcmp(s->subtype, "C") != 0 || def == NULL || def->node_case != NODE(CONSTRAINT)) {
        return;
    }
    sqlcheck_add_path(&w->table, s->type_name, s->n_type_name);
    sqlcheck_end_fact(w, DR_FACT_DOMAIN_CHECK,
                      DR_FACT_ADDED | WHEN(def->constraint->skip_validation, DR_FACT_NOT_VALID), -1,
                      0);
}

static void
by_kind(struct sqlcheck_writer *w, const PgQuery__Node *n)
{
    switch (n->node_case) {
    case NODE(CREATE_STMT):
        on_create(w, n->create_stmt);
        break;
    case NODE(CREATE_TABLE_AS_STMT):
        on_create_as(w, n->create_table_as_stmt->into->rel);
        break;
    case NODE(SELECT_STMT):
        if (n->select_stmt->into_clause != NULL) {
            on_create_as(w, n->select_stmt->into_clause->rel);
        }
        break;
    case NODE(INDEX_STMT):
        on_index(w, n->index_stmt);
        break;
    case NODE(ALTER_TABLE_STMT):
        on_alter(w, n->alter_table_stmt);
        break;
    case NODE(RENAME_STMT):
        on_rename(w, n->rename_stmt);
        break;
    case NODE(DROP_STMT):
        on_drop(w, n->drop_stmt);
        break;
    case NODE(TRUNCATE_STMT):
        on_truncate(w, n->truncate_stmt);
        break;
    case NODE(ALTER_ENUM_STMT):
        on_add_value(w, n->alter_enum_stmt);
        break;
    case NODE(ALTER_DOMAIN_STMT):
        on_domain(w, n->alter_domain_stmt);
        break;
    default:
        on_maintenance(w, n);
    }
}

void
sqlcheck_facts(const PgQuery__Node *node, size_t base, struct dr_buf *out)
{
    struct sqlcheck_writer w = {.out = out, .base = base};
    by_kind(&w, node);
    dr_buf_fini(&w.table);
    dr_buf_fini(&w.name);
    dr_buf_fini(&w.columns);
    dr_buf_fini(&w.ref);
}
