#include "sql/lint_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Rules about tables that are in use: what blocks reads or writes for as long as all rows are read
// or written. Nobody waits for a table that is as new as the statement.

static void
say(const struct dr_lint_ctx *c, const char *rule, const char *message, const char *help)
{
    dr_lint_report_fact(&c->place, rule, message, help, c->out);
}

static bool
has(const struct dr_lint_ctx *c, unsigned flags)
{
    return (c->place.fact->flags & flags) != 0;
}

static void
on_foreign_key(const struct dr_lint_ctx *c)
{
    const struct dr_sql_fact *f = c->place.fact;
    bool is_checked =
        !has(c, DR_FACT_NOT_VALID) && (!has(c, DR_FACT_INLINE) || has(c, DR_FACT_HAS_DEFAULT));
    if (!has(c, DR_FACT_ADDED) || !is_checked) {
        return;
    }
    char message[300];
    snprintf(message, sizeof message,
             "adding this foreign key checks every row and blocks writes to '%.80s' and '%.80s' "
             "meanwhile",
             f->table, f->ref);
    say(c, "adding-foreign-key-constraint", message,
        "add it with NOT VALID, then in a section of its own: ALTER TABLE ... VALIDATE CONSTRAINT");
}

static void
on_check(const struct dr_lint_ctx *c)
{
    if (has(c, DR_FACT_ADDED) && !has(c, DR_FACT_NOT_VALID)) {
        say(c, "constraint-missing-not-valid",
            "adding this check reads every row and blocks reads and writes meanwhile",
            has(c, DR_FACT_INLINE)
                ? "add the column without it, then ADD CONSTRAINT ... NOT VALID, and VALIDATE "
                  "CONSTRAINT in a section of its own"
                : "add it with NOT VALID, then in a section of its own: ALTER TABLE ... VALIDATE "
                  "CONSTRAINT");
    }
}

// The lock of ADD CONSTRAINT is held to the end of the transaction, so a VALIDATE there gains
// nothing.
static void
on_validate(const struct dr_lint_ctx *c)
{
    const struct dr_model_part *p = c->table == NULL ? NULL : c->table->parts;
    while (p != NULL && (p->is_gone || strcmp(p->name, c->place.fact->name) != 0 ||
                         p->place.section != c->place.section)) {
        p = p->next;
    }
    if (p != NULL && (p->kind == DR_FACT_FOREIGN_KEY || p->kind == DR_FACT_CHECK)) {
        say(c, "constraint-missing-not-valid",
            "this reads every row in the transaction that adds the constraint, whose lock is still "
            "held",
            "put VALIDATE CONSTRAINT into a section of its own: -- drover:up");
    }
}

static void
on_key(const struct dr_lint_ctx *c)
{
    if (!has(c, DR_FACT_ADDED) || c->place.fact->ref[0] != '\0') {
        return;
    }
    bool is_primary = has(c, DR_FACT_PRIMARY);
    say(c, is_primary ? "adding-serial-primary-key-field" : "disallowed-unique-constraint",
        "building the index of this constraint blocks reads and writes of the table",
        is_primary ? "build it first: CREATE UNIQUE INDEX CONCURRENTLY in a section of its own, "
                     "then ADD CONSTRAINT ... PRIMARY KEY USING INDEX"
                   : "build it first: CREATE UNIQUE INDEX CONCURRENTLY in a section of its own, "
                     "then ADD CONSTRAINT ... UNIQUE USING INDEX");
}

static void
on_column(const struct dr_lint_ctx *c)
{
    const struct dr_sql_fact *f = c->place.fact;
    char message[300];
    if (!has(c, DR_FACT_ADDED)) {
        return;
    }
    if (has(c, DR_FACT_VOLATILE)) {
        snprintf(message, sizeof message,
                 "%.60s() gives each row another value, so the table is written anew while nobody "
                 "can read it",
                 f->ref[0] == '\0' ? "the default" : f->ref);
        say(c, "volatile-default", message,
            "add the column without a default, set the default for new rows, then fill the old "
            "rows in steps");
    } else if (has(c, DR_FACT_FILLED)) {
        say(c, "adding-field-with-default",
            "this column has a value of its own in each row, so the table is written anew while "
            "nobody can read it",
            "add a plain column, fill it in steps, then add the sequence or a trigger");
    } else if (has(c, DR_FACT_NOT_NULL) && !has(c, DR_FACT_HAS_DEFAULT)) {
        say(c, "adding-required-field",
            "a NOT NULL column without a default cannot be added to a table with rows",
            "give it a DEFAULT, or add it without NOT NULL and fill it first");
    }
}

// "name" of "name(1,2)[]" with its numbers; -1: not given.
struct type {
    char name[40];
    int first, second;
    bool is_array;
};

static struct type
read_type(const char *text)
{
    struct type t = {.first = -1, .second = -1};
    size_t len = strcspn(text, "([");
    len = len < sizeof t.name - 1 ? len : sizeof t.name - 1;
    memcpy(t.name, text, len);
    const char *open = strchr(text, '(');
    const char *comma = open == NULL ? NULL : strchr(open, ',');
    t.first = open == NULL ? -1 : (int)strtol(open + 1, NULL, 10);
    t.second = comma == NULL ? -1 : (int)strtol(comma + 1, NULL, 10);
    t.is_array = strchr(text, '[') != NULL;
    return t;
}

static bool
is(const struct type *t, const char *name)
{
    return strcmp(t->name, name) == 0;
}

// What PostgreSQL changes in its catalog alone: texts and numbers that only get more room.
static bool
is_free(const char *old_text, const char *new_text)
{
    struct type from = read_type(old_text), to = read_type(new_text);
    if (strcmp(old_text, new_text) == 0) {
        return true;
    }
    if (from.is_array || to.is_array) {
        return false;
    }
    if (is(&from, "varchar") || is(&from, "text")) {
        bool has_room =
            to.first < 0 || (is(&from, "varchar") && from.first > 0 && to.first >= from.first);
        return (is(&to, "varchar") || is(&to, "text")) && has_room;
    }
    if (is(&from, "numeric") && is(&to, "numeric")) {
        int old_scale = from.second < 0 ? 0 : from.second, scale = to.second < 0 ? 0 : to.second;
        return to.first < 0 || (from.first > 0 && to.first >= from.first && scale == old_scale);
    }
    bool is_time = is(&from, "timestamptz") || is(&from, "timestamp") || is(&from, "interval") ||
                   is(&from, "time") || is(&from, "varbit");
    return is_time && strcmp(from.name, to.name) == 0 &&
           (to.first < 0 || (from.first >= 0 && to.first >= from.first));
}

static void
on_type(const struct dr_lint_ctx *c)
{
    const struct dr_sql_fact *f = c->place.fact;
    const struct dr_model_part *column =
        c->table == NULL ? NULL : dr_model_part_named(c->table, DR_FACT_COLUMN, f->name);
    if (column != NULL && is_free(column->columns, f->columns)) {
        return;
    }
    char message[300];
    snprintf(message, sizeof message,
             "changing the type of '%.80s' writes the table and its indexes anew while nobody can "
             "read it",
             f->name);
    say(c, "changing-column-type", message,
        "add a column of the new type, fill it in steps, then swap the names; a small table may "
        "say -- drover:nolint changing-column-type reason=\"...\"");
}

// From PostgreSQL 12 on a valid CHECK (x IS NOT NULL) is proof enough.
static bool
is_proved(const struct dr_lint_ctx *c)
{
    const struct dr_model_part *p = c->table == NULL ? NULL : c->table->parts;
    for (; p != NULL; p = p->next) {
        if (!p->is_gone && p->kind == DR_FACT_CHECK && (p->flags & DR_FACT_NOT_VALID) == 0 &&
            strcmp(p->columns, c->place.fact->name) == 0) {
            return true;
        }
    }
    const struct dr_model_part *column =
        c->table == NULL ? NULL
                         : dr_model_part_named(c->table, DR_FACT_COLUMN, c->place.fact->name);
    return column != NULL && (column->flags & DR_FACT_NOT_NULL) != 0;
}

static void
on_not_null(const struct dr_lint_ctx *c)
{
    if (!is_proved(c)) {
        say(c, "adding-not-nullable-field",
            "SET NOT NULL reads every row and blocks reads and writes meanwhile",
            "add CHECK (... IS NOT NULL) NOT VALID, VALIDATE it in a section of its own, then SET "
            "NOT NULL looks at nothing");
    }
}

static void
on_rewrite(const struct dr_lint_ctx *c)
{
    char message[200];
    snprintf(message, sizeof message, "%.40s writes the table anew while nobody can read it",
             c->place.fact->name);
    say(c, "table-rewrite", message, "do it in a maintenance window, or with pg_repack");
}

static void
on_domain(const struct dr_lint_ctx *c)
{
    char type[200];
    snprintf(type, sizeof type, "type %.180s", c->place.fact->table);
    bool is_new = !dr_lint_is_older(c->catalog, type, c->place.section->file);
    if (!is_new && !has(c, DR_FACT_NOT_VALID)) {
        say(c, "ban-alter-domain-with-add-constraint",
            "every table with a column of this domain is read and locked meanwhile",
            "add it with NOT VALID, then ALTER DOMAIN ... VALIDATE CONSTRAINT in a section of its "
            "own");
    }
}

void
dr_lint_alter_rules(const struct dr_lint_ctx *ctx)
{
    static const struct {
        unsigned kind;
        void (*check)(const struct dr_lint_ctx *c);
    } rows[] = {
        {DR_FACT_FOREIGN_KEY, on_foreign_key}, {DR_FACT_CHECK, on_check},
        {DR_FACT_VALIDATE, on_validate},       {DR_FACT_KEY, on_key},
        {DR_FACT_COLUMN, on_column},           {DR_FACT_SET_TYPE, on_type},
        {DR_FACT_SET_NOT_NULL, on_not_null},   {DR_FACT_REWRITE, on_rewrite},
        {DR_FACT_DOMAIN_CHECK, on_domain},
    };
    bool is_asked = ctx->is_pg && (ctx->is_older || ctx->place.fact->kind == DR_FACT_DOMAIN_CHECK);
    for (size_t i = 0; is_asked && i < DR_COUNT_OF(rows); i++) {
        if (rows[i].kind == ctx->place.fact->kind) {
            rows[i].check(ctx);
        }
    }
}
