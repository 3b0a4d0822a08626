#include "sql/lint.h"

#include <string.h>

// Rules by name; squawk's names where the meaning is equal. An error has the code that `drover
// upgrade` would end with; the first row with a code stands for it.
#define ERROR(name, rc, text)                                                                      \
    {                                                                                              \
        name, DR_SEVERITY_ERROR, rc, text, false                                                   \
    }
#define WARNING(name, text)                                                                        \
    {                                                                                              \
        name, DR_SEVERITY_WARNING, DR_OK, text, false                                              \
    }
#define ADVICE(name, text)                                                                         \
    {                                                                                              \
        name, DR_SEVERITY_ADVICE, DR_OK, text, false                                               \
    }
#define STRICT(name, text)                                                                         \
    {                                                                                              \
        name, DR_SEVERITY_ADVICE, DR_OK, text, true                                                \
    }

static const struct dr_lint_rule rules[] = {
    ERROR("syntax-error", DR_E_SQL_SYNTAX, "the database would not parse the statement"),
    ERROR("unquoted-reserved-word", DR_E_SQL_RESERVED,
          "a reserved word is used as a name without quotes"),
    ERROR("too-complex", DR_E_SQL_TOO_COMPLEX, "the statement is nested too deeply to be checked"),
    ERROR("check-died", DR_E_SQL_CHECK_DIED,
          "the parser crashed or took too long on the statement"),
    ERROR("forbidden-statement", DR_E_SQL_FORBIDDEN,
          "drover runs no transaction commands, COPY, SET ROLE, ..."),
    ERROR("concurrent-index-in-transaction", DR_E_SQL_TRANSACTION,
          "CONCURRENTLY cannot run in a transaction"),
    ERROR("mixed-transaction-step", DR_E_SQL_TRANSACTION,
          "a statement that cannot run in a transaction stands in one"),
    ERROR("transaction-off-without-probe", DR_E_SQL_PROBE,
          "outside a transaction nobody could tell whether the statement was done"),
    ERROR("probe-not-asked", DR_E_SQL_PROBE, "on SQLite no probe of an author's own is asked"),
    ERROR("if-not-exists-concurrent", DR_E_SQL_CONCURRENT,
          "IF NOT EXISTS takes an invalid index for a good one"),
    ERROR("unnamed-concurrent-index", DR_E_SQL_CONCURRENT,
          "an index without a name cannot be looked for"),
    ERROR("writes-in-preflight", DR_E_SQL_FORBIDDEN, "a preflight only reads"),
    ERROR("preflight-function", DR_E_PREFLIGHT_FORBIDDEN,
          "a preflight calls only built-in functions that read"),
    ERROR("duplicate-object", DR_E_SQL_DUPLICATE,
          "the object exists already when the statement runs"),
    ERROR("missing-down", DR_E_REVISION_DOWN, "the way back is missing or empty"),
    ERROR("empty-revision", DR_E_REVISION_EMPTY, "the revision does nothing"),
    ERROR("transaction-off-statements", DR_E_REVISION_STATEMENTS,
          "a section outside a transaction holds exactly one statement"),
    ERROR("file-bytes", DR_E_REVISION_BYTES, "the file is not plain UTF-8 with LF line ends"),
    ERROR("file-size", DR_E_REVISION_SIZE, "the file is longer than 32 MiB"),
    ERROR("header", DR_E_REVISION_HEADER, "the header is missing, doubled or wrong"),
    ERROR("revision-id", DR_E_REVISION_ID, "the id has forbidden characters or is too long"),
    ERROR("directive", DR_E_REVISION_DIRECTIVE, "a drover directive is not written as one"),
    ERROR("duplicate-revision", DR_E_REVISION_DUPLICATE, "two files have one id"),
    ERROR("missing-parent", DR_E_REVISION_PARENT, "a parent or dependency is not in the folder"),
    ERROR("cycle", DR_E_REVISION_CYCLE, "the revisions form a cycle"),
    ERROR("branch-label", DR_E_REVISION_LABEL, "a branch label is used twice"),
    ERROR("second-head", DR_E_REVISION_HEADS, "one branch has two heads"),
    ERROR("statement-error", DR_E_SQL_LINT,
          "the statement fails on an empty database with the chain's schema"),
    ERROR("ban-drop-database", DR_E_SQL_FORBIDDEN, "no revision drops a database"),
    ERROR("identifier-too-long", DR_E_SQL_LINT, "PostgreSQL cuts a name of more than 63 bytes"),
    ERROR("destructive-undeclared", DR_E_SQL_LINT,
          "data is lost, and the header has no line 'Destructive'"),
    ERROR("approved-revision-changed", DR_E_SQL_LINT,
          "the file of a revision that was approved, or is in the older tree, has other bytes"),
    WARNING("id-too-long", "alembic_version holds ids of up to 32 characters"),
    WARNING("sum-differs", "a file is not as revisions.sum notes it"),
    WARNING("no-verify", "nothing checks what the revision did"),
    WARNING("require-concurrent-index-creation", "building the index blocks writes to the table"),
    WARNING("adding-foreign-key-constraint", "the check of all rows blocks writes to both tables"),
    WARNING("constraint-missing-not-valid",
            "the check of all rows blocks reads and writes of the table"),
    WARNING("disallowed-unique-constraint",
            "building the constraint's index blocks reads and writes of the table"),
    WARNING("adding-serial-primary-key-field",
            "building the primary key's index blocks reads and writes of the table"),
    WARNING("changing-column-type",
            "the table is written anew, or checked, while nobody can read it"),
    WARNING("adding-not-nullable-field",
            "SET NOT NULL reads the whole table while nobody else can"),
    WARNING("adding-required-field",
            "a new column that is NOT NULL without a default fails when the table has rows"),
    WARNING("adding-field-with-default",
            "a serial, identity or stored generated column writes the table anew"),
    WARNING("volatile-default", "a default that differs from row to row writes the table anew"),
    WARNING("ban-drop-column", "programs that still name the column fail"),
    WARNING("ban-drop-table", "programs that still name the table fail"),
    WARNING("ban-truncate-cascade",
            "TRUNCATE CASCADE also empties every table that refers to this one"),
    WARNING("renaming-column", "programs that know the old name fail"),
    WARNING("renaming-table", "programs that know the old name fail"),
    WARNING("unique-and-index-duplicate", "two indexes hold the same columns"),
    WARNING(
        "missing-fk-index",
        "a foreign key without index: deleting the row that it points at reads the whole table"),
    WARNING("enum-value-in-transaction",
            "a new enum value cannot be used in the transaction that adds it"),
    WARNING("sqlite-alter-limits", "SQLite adds such a column only to a table without rows"),
    WARNING("table-rewrite", "the table is written anew while nobody can read it"),
    WARNING("require-concurrent-reindex", "REINDEX blocks writes to the table"),
    WARNING("require-concurrent-refresh", "REFRESH blocks reads of the view"),
    WARNING("ban-alter-domain-with-add-constraint",
            "every table with a column of the domain is read and locked"),
    ADVICE("ban-char-field", "char(n) fills up with blanks and is no faster than text"),
    ADVICE("reference-without-foreign-key",
           "a column is named like a reference, but no foreign key holds it"),
    ADVICE("missing-filter-index", "a column that queries often filter by has no index"),
    WARNING("unknown-rule", "a nolint names no rule"),
    WARNING("unused-nolint", "a nolint silences nothing"),
    WARNING("unchecked-grammar", "the statement is newer than the parser"),
    STRICT("prefer-text-field", "text with a CHECK is easier to change than varchar(n)"),
    STRICT("prefer-identity", "an identity column keeps its sequence to itself, serial does not"),
    STRICT("prefer-bigint-over-int", "an integer key ends at 2147483647"),
    STRICT("prefer-timestamp-tz", "timestamp without time zone does not say which instant it is"),
    STRICT("ban-drop-not-null", "programs may not expect NULL in the column"),
    STRICT("require-concurrent-index-deletion",
           "DROP INDEX waits for the table's readers, and others wait behind it"),
    {0},
};

const struct dr_lint_rule *
dr_lint_rules(void)
{
    return rules;
}

const struct dr_lint_rule *
dr_lint_rule_of(enum dr_rc rc)
{
    for (const struct dr_lint_rule *r = rules; r->name != NULL; r++) {
        if (rc != DR_OK && r->rc == rc) {
            return r;
        }
    }
    return NULL;
}

const struct dr_lint_rule *
dr_lint_rule_named(const char *name)
{
    for (const struct dr_lint_rule *r = rules; r->name != NULL; r++) {
        if (strcmp(r->name, name) == 0) {
            return r;
        }
    }
    return NULL;
}
