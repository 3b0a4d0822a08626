// Inside of facts: one line that is being made, and what writes a part of it.
#ifndef DR_SQLCHECK_FACTS_H
#define DR_SQLCHECK_FACTS_H

#include "coordinator/sqlcheck/tree.h"

#define NODE(name)    PG_QUERY__NODE__NODE_##name
#define WHEN(is, bit) ((is) ? (unsigned)(bit) : 0u)

// The line's texts; they are used again for the next one.
struct sqlcheck_writer {
    struct dr_buf *out;
    size_t base, count;
    struct dr_buf table, name, columns, ref;
};

// Ends the line. `location` and `length` are in the statement; length 0: nobody knows where. The
// table's name stays for the next line, the other texts are emptied.
void sqlcheck_end_fact(struct sqlcheck_writer *w, enum dr_wire_fact kind, unsigned flags,
                       int location, size_t length);
// Strings and index elements, joined by commas; nothing when one of them is no plain column.
void sqlcheck_add_columns(struct dr_buf *out, PgQuery__Node *const *items, size_t count);
// [schema.]name, from a relation and from a list of strings.
void sqlcheck_add_table(struct dr_buf *out, const PgQuery__RangeVar *range);
void sqlcheck_add_path(struct dr_buf *out, PgQuery__Node *const *names, size_t count);
// "varchar(20)", "numeric(10,4)", "int4[]": the last name, since pg_catalog goes without saying.
void sqlcheck_add_type(struct dr_buf *out, const PgQuery__TypeName *type);
// A column with its constraints.
void sqlcheck_column(struct sqlcheck_writer *w, const PgQuery__ColumnDef *column, unsigned flags);
// A constraint of the table, or of the column `own` (its name).
void sqlcheck_constraint(struct sqlcheck_writer *w, const PgQuery__Constraint *c, const char *own,
                         unsigned flags);

#endif
