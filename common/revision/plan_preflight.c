#include "revision/plan.h"

#include "sql/lexer.h"

#include <string.h>

// Preflights and rehearsals before an approval: nobody has signed the plan that names them, only
// the chain with its files. So what may run is what the file itself calls so, whole and with its
// own options; a unit's kind, digest, ranges and probe are the word of whoever made the plan.

static enum dr_rc
foreign(struct dr_err *err, const char *revision, const char *what, const Drover__V1__Unit *unit)
{
    return dr_err_set(err, DR_E_PLAN_MISMATCH,
                      "revision '%.64s': %s '%.100s' of the plan is not one of its file", revision,
                      what, unit->name);
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
    bool is_empty = unit->expect == DROVER__V1__EXPECT__EXPECT_EMPTY;
    return strcmp(unit->name, s->name) == 0 && strcmp(unit->only, s->only) == 0 &&
           unit->outside_transaction == s->outside_transaction && is_empty == s->expect_empty &&
           unit->sample == s->sample && unit->retry == s->retry && unit->max_ms == s->max_ms &&
           unit->max_block_ms == s->max_block_ms && unit->kind == dr_plan_unit_kind(s) &&
           unit->lock_timeout_ms == own_or(s->lock_timeout_ms, file->lock_timeout_ms) &&
           unit->statement_timeout_ms ==
               own_or(s->statement_timeout_ms, file->statement_timeout_ms);
}

// The author's own question is the file's text. Another probe is a row of the engine's table and
// names an object that the question has as a value.
static bool
has_probe_of(const Drover__V1__Unit *unit, const struct dr_section *s)
{
    if (s->probe[0] != '\0' || unit->probe == DROVER__V1__PROBE__PROBE_QUERY) {
        return unit->probe == DROVER__V1__PROBE__PROBE_QUERY &&
               strcmp(unit->probe_object, s->probe) == 0;
    }
    return s->outside_transaction || unit->probe == DROVER__V1__PROBE__PROBE_NONE;
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
is_for(const struct dr_section *s, Drover__V1__Engine engine)
{
    return (s->engines & (1u << (unsigned)engine)) != 0;
}

static bool
is_unit_of(const Drover__V1__Unit *unit, Drover__V1__Engine engine, const struct dr_revision *file,
           const struct dr_section *s)
{
    enum dr_sql_dialect dialect =
        engine == DROVER__V1__ENGINE__SQLITE ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL;
    return is_for(s, engine) && has_options_of(unit, file, s) && has_probe_of(unit, s) &&
           has_statements_of(unit, dialect, file->bytes, s);
}

static bool
is_preflight_of(const Drover__V1__Unit *unit, Drover__V1__Engine engine,
                const struct dr_revision *file)
{
    for (size_t i = 0; i < file->section_count; i++) {
        const struct dr_section *s = &file->sections[i];
        if (s->kind == DR_SECTION_PREFLIGHT && is_unit_of(unit, engine, file, s)) {
            return true;
        }
    }
    return false;
}

static enum dr_rc
parse(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine, const char *file,
      size_t file_len, struct dr_arena *arena, struct dr_revision **out, struct dr_err *err)
{
    enum dr_rc rc = dr_plan_check_file(revision, engine, file, file_len, err);
    rc = rc == DR_OK ? dr_revision_parse(revision->id, file, file_len, arena, out, err) : rc;
    if (rc == DR_OK && strcmp((*out)->id, revision->id) != 0) {
        rc = dr_err_set(err, DR_E_PLAN_MISMATCH, "the file of revision '%.64s' is that of '%.64s'",
                        revision->id, (*out)->id);
    }
    return rc;
}

enum dr_rc
dr_plan_check_sections(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine,
                       const char *file, size_t file_len, struct dr_arena *arena,
                       struct dr_err *err)
{
    struct dr_revision *parsed = NULL;
    size_t n = 0;
    enum dr_rc rc = parse(revision, engine, file, file_len, arena, &parsed, err);
    for (size_t i = 0; rc == DR_OK && i < parsed->section_count; i++) {
        const struct dr_section *s = &parsed->sections[i];
        if (!is_for(s, engine)) {
            continue;
        }
        if (n == revision->n_units || !is_unit_of(revision->units[n], engine, parsed, s)) {
            return dr_err_set(err, DR_E_PLAN_MISMATCH,
                              "revision '%.64s': unit %zu of the plan is not the section in line "
                              "%u of its file",
                              revision->id, n + 1, s->directive_line);
        }
        n++;
    }
    if (rc == DR_OK && n < revision->n_units) {
        rc = foreign(err, revision->id, "unit", revision->units[n]);
    }
    if (rc == DR_OK && revision->no_down != parsed->down_none) {
        rc = dr_err_set(err, DR_E_PLAN_MISMATCH,
                        "revision '%.64s': plan and file differ in whether there is a way down",
                        revision->id);
    }
    return rc;
}

enum dr_rc
dr_plan_check_preflights(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine,
                         const char *file, size_t file_len, struct dr_arena *arena,
                         struct dr_err *err)
{
    struct dr_revision *parsed = NULL;
    enum dr_rc rc = parse(revision, engine, file, file_len, arena, &parsed, err);
    for (size_t i = 0; rc == DR_OK && i < revision->n_units; i++) {
        const Drover__V1__Unit *unit = revision->units[i];
        bool is_preflight = unit->kind == DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT ||
                            unit->kind == DROVER__V1__UNIT_KIND__UNIT_PREFLIGHT_DOWN;
        if (is_preflight && !is_preflight_of(unit, engine, parsed)) {
            rc = foreign(err, revision->id, "preflight", unit);
        }
    }
    return rc;
}
