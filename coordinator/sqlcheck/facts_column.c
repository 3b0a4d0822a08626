#include "coordinator/sqlcheck/facts.h"

#include <string.h>

// Columns, their types and constraints as lines of facts.

#define CONSTR(name) PG_QUERY__CONSTR_TYPE__CONSTR_##name

enum { EXPRESSION_DEPTH_MAX = 100, DIMENSIONS_MAX = 6 };

void
sqlcheck_add_type(struct dr_buf *out, const PgQuery__TypeName *type)
{
    if (type == NULL || type->n_names == 0) {
        return;
    }
    bool is_own = type->n_names == 2 && type->names[0]->node_case == NODE(STRING) &&
                  strcmp(type->names[0]->string->sval, "pg_catalog") == 0;
    if ((is_own || type->n_names == 1) && type->names[is_own]->node_case == NODE(STRING)) {
        dr_buf_str(out, type->names[is_own]->string->sval); // as it is: "text" is a keyword too
    } else {
        sqlcheck_add_path(out, type->names, type->n_names);
    }
    for (size_t i = 0; i < type->n_typmods; i++) {
        const PgQuery__Node *mod = type->typmods[i];
        if (mod->node_case == NODE(A_CONST) &&
            mod->a_const->val_case == PG_QUERY__A__CONST__VAL_IVAL) {
            dr_buf_printf(out, "%s%d", i == 0 ? "(" : ",", (int)mod->a_const->ival->ival);
        }
    }
    dr_buf_str(out, out->len > 0 && type->n_typmods > 0 ? ")" : "");
    for (size_t i = 0; i < type->n_array_bounds && i < DIMENSIONS_MAX; i++) {
        dr_buf_str(out, "[]");
    }
}

static bool
is_serial(const PgQuery__TypeName *type)
{
    static const char *const names[] = {"serial",  "bigserial", "smallserial",
                                        "serial4", "serial8",   "serial2"};
    if (type == NULL || type->n_names != 1 || type->names[0]->node_case != NODE(STRING)) {
        return false;
    }
    for (size_t i = 0; i < DR_COUNT_OF(names); i++) {
        if (strcmp(type->names[0]->string->sval, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

// The last name of a function that gives each row another value; NULL when it is none that is
// known.
static const char *
volatile_name(const PgQuery__FuncCall *call)
{
    static const char *const names[] = {
        "random",
        "gen_random_uuid",
        "uuid_generate_v1",
        "uuid_generate_v4",
        "uuid_generate_v1mc",
        "clock_timestamp",
        "timeofday",
        "nextval",
        "gen_random_bytes",
        "uuidv4",
        "uuidv7",
        "random_normal",
    };
    const PgQuery__Node *last = call->n_funcname == 0 ? NULL : call->funcname[call->n_funcname - 1];
    for (size_t i = 0; last != NULL && last->node_case == NODE(STRING) && i < DR_COUNT_OF(names);
         i++) {
        if (strcmp(last->string->sval, names[i]) == 0) {
            return names[i];
        }
    }
    return NULL;
}

static const char *find_volatile(const PgQuery__Node *n, unsigned depth);

static const char *
find_in_list(PgQuery__Node *const *items, size_t count, unsigned depth)
{
    const char *found = NULL;
    for (size_t i = 0; i < count && found == NULL; i++) {
        found = find_volatile(items[i], depth);
    }
    return found;
}

static const char *
find_volatile(const PgQuery__Node *n, unsigned depth)
{
    if (n == NULL || depth > EXPRESSION_DEPTH_MAX) {
        return NULL;
    }
    const char *found = NULL;
    switch (n->node_case) {
    case NODE(FUNC_CALL):
        found = volatile_name(n->func_call);
        return found != NULL ? found
                             : find_in_list(n->func_call->args, n->func_call->n_args, depth + 1);
    case NODE(TYPE_CAST):
        return find_volatile(n->type_cast->arg, depth + 1);
    case NODE(A_EXPR):
        found = find_volatile(n->a_expr->lexpr, depth + 1);
        return found != NULL ? found : find_volatile(n->a_expr->rexpr, depth + 1);
    case NODE(COALESCE_EXPR):
        return find_in_list(n->coalesce_expr->args, n->coalesce_expr->n_args, depth + 1);
    case NODE(A_ARRAY_EXPR):
        return find_in_list(n->a_array_expr->elements, n->a_array_expr->n_elements, depth + 1);
    case NODE(COLLATE_CLAUSE):
        return find_volatile(n->collate_clause->arg, depth + 1);
    default:
        return NULL;
    }
}

// The column in `x IS NOT NULL`, or NULL.
static const char *
not_null_column(const PgQuery__Node *n)
{
    bool is_it = n != NULL && n->node_case == NODE(NULL_TEST) &&
                 n->null_test->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL &&
                 n->null_test->arg != NULL && n->null_test->arg->node_case == NODE(COLUMN_REF) &&
                 n->null_test->arg->column_ref->n_fields == 1;
    const PgQuery__Node *field = is_it ? n->null_test->arg->column_ref->fields[0] : NULL;
    return field != NULL && field->node_case == NODE(STRING) ? field->string->sval : NULL;
}

void
sqlcheck_constraint(struct sqlcheck_writer *w, const PgQuery__Constraint *c, const char *own,
                    unsigned flags)
{
    const size_t word = 1; // where it begins; the reader widens it to the word there
    if (c->conname[0] != '\0') {
        sqlcheck_add_name(&w->name, c->conname);
    }
    flags |= WHEN(c->skip_validation, DR_FACT_NOT_VALID);
    if (own != NULL && c->contype != CONSTR(CHECK)) {
        sqlcheck_add_name(&w->columns, own);
    }
    switch (c->contype) {
    case CONSTR(PRIMARY):
    case CONSTR(UNIQUE):
        flags |= c->contype == CONSTR(PRIMARY) ? DR_FACT_PRIMARY | DR_FACT_UNIQUE : DR_FACT_UNIQUE;
        if (own == NULL) {
            sqlcheck_add_columns(&w->columns, c->keys, c->n_keys);
        }
        if (c->indexname[0] != '\0') {
            sqlcheck_add_name(&w->ref, c->indexname);
        }
        sqlcheck_end_fact(w, DR_FACT_KEY, flags, c->location, word);
        break;
    case CONSTR(FOREIGN):
        if (own == NULL) {
            sqlcheck_add_columns(&w->columns, c->fk_attrs, c->n_fk_attrs);
        }
        sqlcheck_add_table(&w->ref, c->pktable);
        sqlcheck_end_fact(w, DR_FACT_FOREIGN_KEY, flags, c->location, word);
        break;
    case CONSTR(CHECK):
        own = not_null_column(c->raw_expr);
        if (own != NULL) {
            sqlcheck_add_name(&w->columns, own);
        }
        sqlcheck_end_fact(w, DR_FACT_CHECK, flags, c->location, word);
        break;
    default:
        dr_buf_reset(&w->name);
        dr_buf_reset(&w->columns);
    }
}

// What the constraints of a column say of the column itself.
static unsigned
column_flags(struct sqlcheck_writer *w, const PgQuery__ColumnDef *column)
{
    unsigned flags = WHEN(is_serial(column->type_name), DR_FACT_FILLED);
    flags |= WHEN(flags != 0, DR_FACT_NOT_NULL | DR_FACT_HAS_DEFAULT);
    for (size_t i = 0; i < column->n_constraints; i++) {
        const PgQuery__Constraint *c = column->constraints[i]->constraint;
        const char *name = NULL;
        if (column->constraints[i]->node_case != NODE(CONSTRAINT)) {
            continue;
        }
        switch (c->contype) {
        case CONSTR(NOTNULL):
            flags |= DR_FACT_NOT_NULL;
            break;
        case CONSTR(PRIMARY):
            flags |= DR_FACT_PRIMARY | DR_FACT_NOT_NULL;
            break;
        case CONSTR(IDENTITY):
        case CONSTR(GENERATED):
            flags |= DR_FACT_FILLED | DR_FACT_HAS_DEFAULT;
            break;
        case CONSTR(DEFAULT):
            name = find_volatile(c->raw_expr, 0);
            flags |= DR_FACT_HAS_DEFAULT | WHEN(name != NULL, DR_FACT_VOLATILE);
            dr_buf_str(&w->ref, name == NULL ? "" : name);
            break;
        default:
            break;
        }
    }
    return flags;
}

void
sqlcheck_column(struct sqlcheck_writer *w, const PgQuery__ColumnDef *column, unsigned flags)
{
    sqlcheck_add_name(&w->name, column->colname);
    sqlcheck_add_type(&w->columns, column->type_name);
    unsigned own = column_flags(w, column);
    sqlcheck_end_fact(w, DR_FACT_COLUMN, flags | own, column->location, strlen(column->colname));
    for (size_t i = 0; i < column->n_constraints; i++) {
        if (column->constraints[i]->node_case == NODE(CONSTRAINT)) {
            sqlcheck_constraint(w, column->constraints[i]->constraint, column->colname,
                                DR_FACT_INLINE | (flags & DR_FACT_ADDED) |
                                    (own & DR_FACT_HAS_DEFAULT));
        }
    }
}
