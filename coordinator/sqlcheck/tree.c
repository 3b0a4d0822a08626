#include "coordinator/sqlcheck/tree.h"

#include <string.h>
#include <strings.h>

// Kinds of statements are rows where the kind alone decides, and a function each where the details
// do.

struct row {
    PgQuery__Node__NodeCase node;
    enum dr_wire_class class_;
    unsigned flags;
    const char *what; // for what is forbidden
};

#define NODE(name) PG_QUERY__NODE__NODE_##name

static const struct row rows[] = {
    {NODE(INSERT_STMT), DR_WIRE_WRITE, 0, ""},
    {NODE(UPDATE_STMT), DR_WIRE_WRITE, 0, ""},
    {NODE(DELETE_STMT), DR_WIRE_WRITE, 0, ""},
    {NODE(MERGE_STMT), DR_WIRE_WRITE, 0, ""},
    {NODE(VARIABLE_SHOW_STMT), DR_WIRE_READ, DR_WIRE_READ_ONLY, ""},
    {NODE(TRUNCATE_STMT), DR_WIRE_ACCESS_EXCLUSIVE, 0, ""},
    {NODE(LOCK_STMT), DR_WIRE_ACCESS_EXCLUSIVE, 0, ""},
    {NODE(RULE_STMT), DR_WIRE_ACCESS_EXCLUSIVE, 0, ""},
    {NODE(CREATE_POLICY_STMT), DR_WIRE_ACCESS_EXCLUSIVE, 0, ""},
    {NODE(ALTER_POLICY_STMT), DR_WIRE_ACCESS_EXCLUSIVE, 0, ""},
    {NODE(ALTER_OBJECT_SCHEMA_STMT), DR_WIRE_ACCESS_EXCLUSIVE, 0, ""},
    {NODE(ALTER_OWNER_STMT), DR_WIRE_ACCESS_EXCLUSIVE, 0, ""},
    {NODE(CREATE_TRIG_STMT), DR_WIRE_SHARE, 0, ""},
    {NODE(TRANSACTION_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "a transaction command"},
    {NODE(COPY_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "COPY"},
    {NODE(CREATEDB_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "CREATE DATABASE"},
    {NODE(DROPDB_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "DROP DATABASE"},
    {NODE(CREATE_TABLE_SPACE_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "CREATE TABLESPACE"},
    {NODE(DROP_TABLE_SPACE_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "DROP TABLESPACE"},
    {NODE(ALTER_SYSTEM_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "ALTER SYSTEM"},
    {NODE(DISCARD_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "DISCARD"},
    {NODE(LOAD_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "LOAD"},
    {NODE(CHECK_POINT_STMT), DR_WIRE_OTHER, DR_WIRE_FORBIDDEN, "CHECKPOINT"},
    {NODE(CREATE_SUBSCRIPTION_STMT), DR_WIRE_OTHER, DR_WIRE_OUTSIDE_ONLY, "CREATE SUBSCRIPTION"},
    {NODE(DROP_SUBSCRIPTION_STMT), DR_WIRE_OTHER, DR_WIRE_OUTSIDE_ONLY, "DROP SUBSCRIPTION"},
    {NODE(CREATE_SCHEMA_STMT), DR_WIRE_NEW_OBJECT, 0, ""},
    {NODE(CREATE_RANGE_STMT), DR_WIRE_NEW_OBJECT, 0, ""},
    {NODE(CREATE_EXTENSION_STMT), DR_WIRE_NEW_OBJECT, 0, ""},
    {NODE(CREATE_STATS_STMT), DR_WIRE_CONCURRENT, 0, ""},
    {NODE(DEFINE_STMT), DR_WIRE_NEW_OBJECT, 0, ""},
};

// "KIND NAME" as a line of `creates` or `drops`.
static void
add_line(struct dr_buf *out, const char *kind)
{
    dr_buf_printf(out, "%s%s ", out->len == 0 ? "" : "\n", kind);
}

static void
create_relation(const PgQuery__RangeVar *range, bool is_optional, struct sqlcheck_facts *f)
{
    f->class_ = DR_WIRE_NEW_OBJECT;
    f->flags |= is_optional ? (unsigned)DR_WIRE_IF_NOT_EXISTS : 0u;
    bool is_temporary = range != NULL && strcmp(range->relpersistence, "t") == 0;
    if (range != NULL && !is_optional && !is_temporary) {
        add_line(&f->creates, "relation");
        sqlcheck_add_range(&f->creates, range);
    }
}

static void
create_type(PgQuery__Node *const *names, size_t count, struct sqlcheck_facts *f)
{
    f->class_ = DR_WIRE_NEW_OBJECT;
    add_line(&f->creates, "type");
    sqlcheck_add_names(&f->creates, names, count);
}

static void
on_index(const PgQuery__IndexStmt *s, struct sqlcheck_facts *f)
{
    f->class_ = s->concurrent ? DR_WIRE_CONCURRENT : DR_WIRE_SHARE;
    f->flags |= s->if_not_exists ? (unsigned)DR_WIRE_IF_NOT_EXISTS : 0u;
    struct dr_buf *name = &f->object;
    if (s->idxname[0] == '\0') {
        f->flags |= DR_WIRE_UNNAMED;
    } else {
        if (s->relation != NULL && s->relation->schemaname[0] != '\0') {
            sqlcheck_add_ident(name, s->relation->schemaname);
            dr_buf_str(name, ".");
        }
        sqlcheck_add_ident(name, s->idxname);
    }
    if (s->idxname[0] != '\0' && !s->if_not_exists) {
        dr_buf_printf(&f->creates, "relation %s\nrelation ", name->data);
        sqlcheck_add_range(&f->creates, s->relation);
    }
    if (s->concurrent) {
        f->what = "CREATE INDEX CONCURRENTLY";
        f->flags |= DR_WIRE_OUTSIDE_ONLY | DR_WIRE_OUTSIDE_ALLOWED | DR_WIRE_IS_CONCURRENT;
        f->probe = DR_WIRE_INDEX_CREATED;
    }
}

// The kind of what DROP and ALTER ... RENAME name, for `drops`; NULL: not followed.
static const char *
kind_of(PgQuery__ObjectType type)
{
    switch (type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
    case PG_QUERY__OBJECT_TYPE__OBJECT_INDEX:
    case PG_QUERY__OBJECT_TYPE__OBJECT_SEQUENCE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_FOREIGN_TABLE:
        return "relation";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TYPE:
    case PG_QUERY__OBJECT_TYPE__OBJECT_DOMAIN:
        return "type";
    case PG_QUERY__OBJECT_TYPE__OBJECT_SCHEMA:
        return "schema";
    case PG_QUERY__OBJECT_TYPE__OBJECT_TRIGGER:
    case PG_QUERY__OBJECT_TYPE__OBJECT_POLICY:
    case PG_QUERY__OBJECT_TYPE__OBJECT_RULE:
        return "of a relation";
    default:
        return NULL;
    }
}

static void
add_object(struct dr_buf *out, const PgQuery__Node *object)
{
    if (object->node_case == NODE(LIST)) {
        sqlcheck_add_names(out, object->list->items, object->list->n_items);
    } else if (object->node_case == NODE(TYPE_NAME)) {
        sqlcheck_add_names(out, object->type_name->names, object->type_name->n_names);
    } else if (object->node_case == NODE(STRING)) {
        sqlcheck_add_ident(out, object->string->sval);
    }
}

static void
on_drop(const PgQuery__DropStmt *s, struct sqlcheck_facts *f)
{
    const char *kind = kind_of(s->remove_type);
    bool is_relation =
        kind != NULL && (strcmp(kind, "relation") == 0 || strcmp(kind, "of a relation") == 0);
    f->class_ = s->concurrent ? DR_WIRE_CONCURRENT
                : is_relation ? DR_WIRE_ACCESS_EXCLUSIVE
                              : DR_WIRE_OTHER;
    for (size_t i = 0; kind != NULL && i < s->n_objects; i++) {
        add_line(&f->drops, kind);
        add_object(&f->drops, s->objects[i]);
    }
    if (kind == NULL && s->behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE) {
        dr_buf_str(&f->drops, "anything");
    }
    if (s->concurrent) {
        f->what = "DROP INDEX CONCURRENTLY";
        f->flags |= DR_WIRE_OUTSIDE_ONLY | DR_WIRE_OUTSIDE_ALLOWED | DR_WIRE_IS_CONCURRENT;
        f->probe = DR_WIRE_INDEX_DROPPED;
        if (s->n_objects > 0) {
            add_object(&f->object, s->objects[0]);
        }
    }
}

// The lock that one sub-command of ALTER TABLE takes.
static enum dr_wire_class
alter_class(const PgQuery__AlterTableCmd *c)
{
    switch (c->subtype) {
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetStatistics:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_SetRelOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ResetRelOptions:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_ClusterOn:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DropCluster:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AttachPartition:
        return DR_WIRE_CONCURRENT;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_AddConstraint:
        return c->def != NULL && c->def->node_case == NODE(CONSTRAINT) &&
                       c->def->constraint->contype == PG_QUERY__CONSTR_TYPE__CONSTR_FOREIGN
                   ? DR_WIRE_SHARE
                   : DR_WIRE_ACCESS_EXCLUSIVE;
    case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrig:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrig:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrigAll:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigAll:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_EnableTrigUser:
    case PG_QUERY__ALTER_TABLE_TYPE__AT_DisableTrigUser:
        return DR_WIRE_SHARE;
    default:
        return DR_WIRE_ACCESS_EXCLUSIVE;
    }
}

static void
on_single_alter(const PgQuery__AlterTableStmt *s, const PgQuery__AlterTableCmd *c,
                struct sqlcheck_facts *f)
{
    if (c->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_ValidateConstraint) {
        f->flags |= DR_WIRE_OUTSIDE_ALLOWED;
        f->probe = DR_WIRE_CONSTRAINT_VALID;
        sqlcheck_add_range(&f->object, s->relation);
        dr_buf_str(&f->object, " ");
        sqlcheck_add_ident(&f->object, c->name);
    }
    bool is_detach = c->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DetachPartition &&
                     c->def != NULL && c->def->node_case == NODE(PARTITION_CMD) &&
                     c->def->partition_cmd->concurrent;
    if (is_detach) {
        f->what = "ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY";
        f->class_ = DR_WIRE_CONCURRENT;
        f->flags |= DR_WIRE_OUTSIDE_ONLY | DR_WIRE_OUTSIDE_ALLOWED | DR_WIRE_IS_CONCURRENT;
        f->probe = DR_WIRE_DETACHED;
        sqlcheck_add_range(&f->object, s->relation);
        dr_buf_str(&f->object, " ");
        sqlcheck_add_range(&f->object, c->def->partition_cmd->name);
    }
}

static void
on_alter_table(const PgQuery__AlterTableStmt *s, struct sqlcheck_facts *f)
{
    bool may_drop_parts = false;
    f->class_ = s->n_cmds == 0 ? DR_WIRE_ACCESS_EXCLUSIVE : DR_WIRE_CONCURRENT;
    for (size_t i = 0; i < s->n_cmds; i++) {
        if (s->cmds[i]->node_case != NODE(ALTER_TABLE_CMD)) {
            continue;
        }
        const PgQuery__AlterTableCmd *c = s->cmds[i]->alter_table_cmd;
        enum dr_wire_class mine = alter_class(c);
        bool is_heavier = mine == DR_WIRE_ACCESS_EXCLUSIVE ||
                          (mine == DR_WIRE_SHARE && f->class_ == DR_WIRE_CONCURRENT);
        f->class_ = is_heavier ? mine : f->class_;
        may_drop_parts = may_drop_parts ||
                         c->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DropColumn ||
                         c->subtype == PG_QUERY__ALTER_TABLE_TYPE__AT_DropConstraint;
        if (s->n_cmds == 1) {
            on_single_alter(s, c, f);
        }
    }
    if (may_drop_parts) {
        add_line(&f->drops, "parts-of");
        sqlcheck_add_range(&f->drops, s->relation);
    }
}

static void
on_alter_enum(const PgQuery__AlterEnumStmt *s, struct sqlcheck_facts *f)
{
    if (s->old_val[0] != '\0') {
        return;
    }
    f->what = "ALTER TYPE ... ADD VALUE";
    f->flags |= DR_WIRE_OUTSIDE_ALLOWED |
                (s->skip_if_new_val_exists ? (unsigned)DR_WIRE_IF_NOT_EXISTS : 0u);
    f->probe = DR_WIRE_ENUM_VALUE;
    sqlcheck_add_names(&f->object, s->type_name, s->n_type_name);
    dr_buf_str(&f->object, " '");
    for (const char *c = s->new_val; *c != '\0'; c++) {
        dr_buf_add(&f->object, c, 1);
        dr_buf_str(&f->object, *c == '\'' ? "'" : "");
    }
    dr_buf_str(&f->object, "'");
}

static bool
has_option(PgQuery__Node *const *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i]->node_case == NODE(DEF_ELEM) &&
            strcasecmp(options[i]->def_elem->defname, name) == 0) {
            return true;
        }
    }
    return false;
}

static void
on_reindex(const PgQuery__ReindexStmt *s, struct sqlcheck_facts *f)
{
    static const char *const kinds[] = {"", "INDEX", "TABLE", "SCHEMA", "SYSTEM", "DATABASE"};
    bool is_concurrent = has_option(s->params, s->n_params, "concurrently");
    bool is_wide = s->kind > PG_QUERY__REINDEX_OBJECT_TYPE__REINDEX_OBJECT_TABLE;
    f->class_ = is_concurrent ? DR_WIRE_CONCURRENT : DR_WIRE_ACCESS_EXCLUSIVE;
    f->what = is_concurrent ? "REINDEX CONCURRENTLY" : "REINDEX";
    f->flags |= DR_WIRE_OUTSIDE_ALLOWED;
    f->flags |= is_concurrent || is_wide ? (unsigned)DR_WIRE_OUTSIDE_ONLY : 0u;
    f->flags |= is_concurrent ? (unsigned)DR_WIRE_IS_CONCURRENT : 0u;
    f->probe = DR_WIRE_REINDEX;
    dr_buf_printf(&f->object, "%s ", (size_t)s->kind < DR_COUNT_OF(kinds) ? kinds[s->kind] : "");
    if (s->relation != NULL) {
        sqlcheck_add_range(&f->object, s->relation);
    } else {
        sqlcheck_add_ident(&f->object, s->name);
    }
}

static void
on_vacuum(const PgQuery__VacuumStmt *s, struct sqlcheck_facts *f)
{
    bool is_full = has_option(s->options, s->n_options, "full");
    f->class_ = is_full ? DR_WIRE_ACCESS_EXCLUSIVE : DR_WIRE_CONCURRENT;
    f->what = s->is_vacuumcmd ? "VACUUM" : "ANALYZE";
    f->flags |= DR_WIRE_OUTSIDE_ALLOWED | (s->is_vacuumcmd ? (unsigned)DR_WIRE_OUTSIDE_ONLY : 0u);
    f->probe = DR_WIRE_IDEMPOTENT;
}

static void
on_refresh(const PgQuery__RefreshMatViewStmt *s, struct sqlcheck_facts *f)
{
    f->class_ = s->concurrent ? DR_WIRE_SHARE : DR_WIRE_ACCESS_EXCLUSIVE;
    f->what = "REFRESH MATERIALIZED VIEW";
    f->flags |= DR_WIRE_OUTSIDE_ALLOWED;
    f->probe = DR_WIRE_IDEMPOTENT;
}

static void
on_cluster(const PgQuery__ClusterStmt *s, struct sqlcheck_facts *f)
{
    f->class_ = DR_WIRE_ACCESS_EXCLUSIVE;
    f->what = "CLUSTER";
    f->flags |=
        DR_WIRE_OUTSIDE_ALLOWED | (s->relation == NULL ? (unsigned)DR_WIRE_OUTSIDE_ONLY : 0u);
    f->probe = DR_WIRE_IDEMPOTENT;
}

static void
on_select(const PgQuery__SelectStmt *s, struct sqlcheck_facts *f)
{
    if (s->into_clause != NULL) {
        create_relation(s->into_clause->rel, false, f);
        return;
    }
    f->class_ = s->n_locking_clause > 0 ? DR_WIRE_WRITE : DR_WIRE_READ;
    f->flags |= s->n_locking_clause > 0 ? 0u : (unsigned)DR_WIRE_READ_ONLY;
}

static void
on_set(const PgQuery__VariableSetStmt *s, struct sqlcheck_facts *f)
{
    bool is_role = strcasecmp(s->name, "role") == 0;
    if (is_role || strcasecmp(s->name, "session_authorization") == 0) {
        f->flags |= DR_WIRE_FORBIDDEN;
        f->what = is_role ? "SET ROLE" : "SET SESSION AUTHORIZATION";
    }
}

static void
on_rename(const PgQuery__RenameStmt *s, struct sqlcheck_facts *f)
{
    const char *kind = kind_of(s->rename_type);
    f->class_ = DR_WIRE_ACCESS_EXCLUSIVE;
    if (kind == NULL || s->relation == NULL || strcmp(kind, "relation") != 0) {
        return;
    }
    add_line(&f->drops, kind);
    sqlcheck_add_range(&f->drops, s->relation);
}

static void
on_view(const PgQuery__ViewStmt *s, struct sqlcheck_facts *f)
{
    create_relation(s->view, s->replace, f);
    f->class_ = s->replace ? DR_WIRE_ACCESS_EXCLUSIVE : DR_WIRE_NEW_OBJECT;
}

static bool
by_row(const PgQuery__Node *node, struct sqlcheck_facts *f)
{
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        if (rows[i].node == node->node_case) {
            f->class_ = rows[i].class_;
            f->flags = rows[i].flags;
            f->what = rows[i].what;
            return true;
        }
    }
    return false;
}

static void
by_definition(const PgQuery__Node *n, struct sqlcheck_facts *f)
{
    switch (n->node_case) {
    case NODE(CREATE_STMT):
        create_relation(n->create_stmt->relation, n->create_stmt->if_not_exists, f);
        break;
    case NODE(CREATE_SEQ_STMT):
        create_relation(n->create_seq_stmt->sequence, n->create_seq_stmt->if_not_exists, f);
        break;
    case NODE(CREATE_TABLE_AS_STMT):
        create_relation(n->create_table_as_stmt->into->rel, n->create_table_as_stmt->if_not_exists,
                        f);
        break;
    case NODE(VIEW_STMT):
        on_view(n->view_stmt, f);
        break;
    case NODE(CREATE_ENUM_STMT):
        create_type(n->create_enum_stmt->type_name, n->create_enum_stmt->n_type_name, f);
        break;
    case NODE(CREATE_DOMAIN_STMT):
        create_type(n->create_domain_stmt->domainname, n->create_domain_stmt->n_domainname, f);
        break;
    case NODE(COMPOSITE_TYPE_STMT):
        f->class_ = DR_WIRE_NEW_OBJECT;
        add_line(&f->creates, "type");
        sqlcheck_add_range(&f->creates, n->composite_type_stmt->typevar);
        break;
    case NODE(CREATE_FUNCTION_STMT):
        f->class_ = DR_WIRE_NEW_OBJECT;
        break;
    case NODE(DO_STMT):
    case NODE(CALL_STMT):
    case NODE(DROP_OWNED_STMT):
    case NODE(ALTER_EXTENSION_STMT):
        dr_buf_str(&f->drops, "anything");
        break;
    default:
        break;
    }
}

void
sqlcheck_tree(const PgQuery__Node *node, struct sqlcheck_facts *out)
{
    out->class_ = DR_WIRE_OTHER;
    out->flags = 0;
    out->probe = DR_WIRE_PROBE_NONE;
    out->what = "";
    dr_buf_reset(&out->object);
    dr_buf_reset(&out->creates);
    dr_buf_reset(&out->drops);
    dr_buf_reset(&out->lines);
    if (node == NULL || by_row(node, out)) {
        return;
    }
    switch (node->node_case) {
    case NODE(SELECT_STMT):
        on_select(node->select_stmt, out);
        break;
    case NODE(INDEX_STMT):
        on_index(node->index_stmt, out);
        break;
    case NODE(DROP_STMT):
        on_drop(node->drop_stmt, out);
        break;
    case NODE(ALTER_TABLE_STMT):
        on_alter_table(node->alter_table_stmt, out);
        break;
    case NODE(ALTER_ENUM_STMT):
        on_alter_enum(node->alter_enum_stmt, out);
        break;
    case NODE(REINDEX_STMT):
        on_reindex(node->reindex_stmt, out);
        break;
    case NODE(VACUUM_STMT):
        on_vacuum(node->vacuum_stmt, out);
        break;
    case NODE(REFRESH_MAT_VIEW_STMT):
        on_refresh(node->refresh_mat_view_stmt, out);
        break;
    case NODE(CLUSTER_STMT):
        on_cluster(node->cluster_stmt, out);
        break;
    case NODE(VARIABLE_SET_STMT):
        on_set(node->variable_set_stmt, out);
        break;
    case NODE(RENAME_STMT):
        on_rename(node->rename_stmt, out);
        break;
    default:
        by_definition(node, out);
    }
}
