// Tree: what one parsed PostgreSQL statement is: its lock class, whether a transaction may hold it,
// how to probe for it.
#ifndef DR_SQLCHECK_TREE_H
#define DR_SQLCHECK_TREE_H

#include "base/str.h"
#include "sql/wire.h"

#include <pg_query/pg_query.pb-c.h>

// Facts of one statement; the buffers are the caller's, are emptied first, and stay with it.
struct sqlcheck_facts {
    enum dr_wire_class class_;
    unsigned flags; // enum dr_wire_flag
    enum dr_wire_probe probe;
    const char *what; // static; "" when the statement's first words say it
    struct dr_buf object, creates, drops;
    struct dr_buf lines; // F lines
};

void sqlcheck_tree(const PgQuery__Node *node, struct sqlcheck_facts *out);

// Appends an identifier as SQL: in double quotes where it must be.
void sqlcheck_add_ident(struct dr_buf *out, const char *name);
// The same, but keywords that may be names stay as they are: for people.
void sqlcheck_add_name(struct dr_buf *out, const char *name);
// Appends [schema.]name.
void sqlcheck_add_range(struct dr_buf *out, const PgQuery__RangeVar *range);
// Appends the F lines of a statement (at most DR_WIRE_FACTS_MAX); `base` is its offset in the text.
void sqlcheck_facts(const PgQuery__Node *node, size_t base, struct dr_buf *out);
// Appends a tab and the text with its escapes.
void sqlcheck_add_field(struct dr_buf *out, const char *text, size_t len);

// Appends a list of String nodes joined by dots.
void sqlcheck_add_names(struct dr_buf *out, PgQuery__Node *const *names, size_t count);

#endif
