#include "revision/plan.h"

#include "sql/lexer.h"

#include <string.h>

// Preflights before an approval: nobody has signed the plan that names them, only the chain with
// its files. So what may run is what the file itself calls a preflight, whole and with its own
// options; a unit's kind, digest and ranges are the word of whoever made the plan.

static enum dr_rc
foreign(struct dr_err *err, const char *revision, const Drover__V1__Unit *unit)
{
    return dr_err_set(err, DR_E_PLAN_MISMATCH,
                      "revision '%.64s': preflight '%.100s' of the plan is not one of its file",
                      revision, unit->name);
}

static uint32_t
own_or(uint32_t own, uint32_t of_revision)
{
    return own != 0 ? own : of_revision;
}

static bool
has_options_of(const Drover__V1__Unit *unit, const struct dr_revision *file,
               const struct dr_section *s)
{
    bool is_down = unit->kind == DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN;
    bool is_empty = unit->expect == DROVER__V1__EXPECT__EXPECT_EMPTY;
    return strcmp(unit->name, s->name) == 0 && strcmp(unit->only, s->only) == 0 &&
           unit->outside_transaction == s->outside_transaction && is_empty == s->expect_empty &&
           unit->sample == s->sample && unit->retry == s->retry && unit->max_ms == s->max_ms &&
           unit->max_block_ms == s->max_block_ms && is_down == s->on_down &&
           unit->lock_timeout_ms == own_or(s->lock_timeout_ms, file->lock_timeout_ms) &&
           unit->statement_timeout_ms ==
               own_or(s->statement_timeout_ms, file->statement_timeout_ms);
}

// All statements of the section, each whole, and none else.
static bool
has_statements_of(const Drover__V1__Unit *unit, enum dr_sql_dialect dialect, const char *bytes,
                  const struct dr_section *s)
{
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece = {0};
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    size_t n = 0;
    dr_sql_lexer_init(&lexer, dialect, bytes + s->offset, s->length);
    while (dr_sql_lexer_next(&lexer, &piece, &rc, &ignored)) {
        if (n == unit->n_statements || unit->statements[n]->offset != s->offset + piece.offset ||
            unit->statements[n]->length != piece.length) {
            return false;
        }
        n++;
    }
    return rc == DR_OK && n == unit->n_statements;
}

static bool
is_preflight_of(const Drover__V1__Unit *unit, Drover__V1__Engine engine,
                const struct dr_revision *file)
{
    enum dr_sql_dialect dialect =
        engine == DROVER__V1__ENGINE__SQLITE ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL;
    for (size_t i = 0; i < file->section_count; i++) {
        const struct dr_section *s = &file->sections[i];
        if (s->kind == DR_SECTION_PREFLIGHT && (s->engines & (1u << (unsigned)engine)) != 0 &&
            has_options_of(unit, file, s) && has_statements_of(unit, dialect, file->bytes, s)) {
            return true;
        }
    }
    return false;
}

enum dr_rc
dr_plan_check_preflights(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine,
                         const char *file, size_t file_len, struct dr_arena *arena,
                         struct dr_err *err)
{
    struct dr_revision *parsed = NULL;
    enum dr_rc rc = dr_plan_check_file(revision, engine, file, file_len, err);
    rc = rc == DR_OK ? dr_revision_parse(revision->id, file, file_len, arena, &parsed, err) : rc;
    if (rc == DR_OK && strcmp(parsed->id, revision->id) != 0) {
        rc = dr_err_set(err, DR_E_PLAN_MISMATCH, "the file of revision '%.64s' is that of '%.64s'",
                        revision->id, parsed->id);
    }
    for (size_t i = 0; rc == DR_OK && i < revision->n_units; i++) {
        const Drover__V1__Unit *unit = revision->units[i];
        bool is_preflight = unit->kind == DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT ||
                            unit->kind == DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN;
        if (is_preflight && !is_preflight_of(unit, engine, parsed)) {
            rc = foreign(err, revision->id, unit);
        }
    }
    return rc;
}
