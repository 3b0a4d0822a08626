// Inside of lint: tables with their columns, keys and indexes, as a chain has made them so far. It
// knows what statements say; what they do not say (a DO block, a function) leaves it in doubt, and
// then no rule speaks.
#ifndef DR_SQL_LINT_MODEL_H
#define DR_SQL_LINT_MODEL_H

#include "sql/lint.h"
#include "sql/wire.h"

#define DR_MODEL_BUCKETS 1024u

// Where something was said, for findings that come later. Its section must live as long as the
// model.
struct dr_model_place {
    const struct dr_lint_section *section;
    const struct dr_sql_stmt *stmt;
    const struct dr_sql_fact *fact;
};

// A part of a table, in the order in which they were made; those that were dropped stay in the
// list.
struct dr_model_part {
    struct dr_model_part *next;
    struct dr_model_place place;
    unsigned kind;       // DR_FACT_COLUMN, KEY, FOREIGN_KEY, CHECK or INDEX
    unsigned flags;      // of the fact; NOT_VALID is taken away by VALIDATE
    const char *name;    // of a constraint without one: as PostgreSQL would name it
    const char *columns; // of a column: its type
    const char *ref;
    bool is_gone;
};

struct dr_model_table {
    struct dr_model_table *next_in_bucket, *next; // `next`: in the order of their making
    struct dr_model_place place;
    const char *name, *first_name; // `first_name`: before this file renamed it
    const char *file;              // that made it
    const char *renamed_in;        // file that renamed it last; NULL: none
    unsigned flags;
    bool is_planned; // made by a revision that is still to run, see lint.h
    bool is_gone;
    struct dr_model_part *parts, **tail;
};

struct dr_model {
    struct dr_arena *arena;
    struct dr_model_table *buckets[DR_MODEL_BUCKETS];
    struct dr_model_table *first, **tail;
    const char *doubt_file; // a statement of it may have made anything
};

void dr_model_init(struct dr_model *model, struct dr_arena *arena);
// By name; when one of the two tells no schema, the search path may mean it: then the newest. NULL.
struct dr_model_table *dr_model_find(const struct dr_model *model, const char *name);
// What is left of a kind under that name; NULL.
struct dr_model_part *
dr_model_part_named(const struct dr_model_table *table, unsigned kind, const char *name);
// Does what the fact says.
void dr_model_apply(struct dr_model *model, const struct dr_model_place *place);
// True when a table holds rows that nobody here knows of: it is not new in this file or plan.
bool dr_model_is_older(const struct dr_model *model, const struct dr_lint_section *section,
                       const char *name);
// True when the two lists of columns name the same ones, in any order, or, with `is_prefix`, when
// the first columns of `list` are those of `columns`.
bool dr_model_same_columns(const char *columns, const char *list, bool is_prefix);

#endif
