// The driver says what the role lacks; here is looked whether the plan needs it. See rights.h.
#include "engine/rights.h"

#include "engine/run_internal.h"

#include <ctype.h>
#include <string.h>

static bool
is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$';
}

// Is `name` a word of the text, whatever its case? A name in a comment or a string counts too: that
// only makes the question stricter.
static bool
names(const char *text, size_t len, const char *name)
{
    size_t width = strlen(name);
    for (size_t i = 0; width > 0 && i + width <= len; i++) {
        bool starts = i == 0 || !is_word(text[i - 1]);
        bool ends = i + width == len || !is_word(text[i + width]);
        if (starts && ends && strncasecmp(text + i, name, width) == 0) {
            return true;
        }
    }
    return false;
}

static bool
unit_names(const Drover__V1__Unit *unit, const char *bytes, size_t len, const char *name)
{
    for (size_t i = 0; i < unit->n_statements; i++) {
        const Drover__V1__Statement *s = unit->statements[i];
        if (s->offset <= len && s->length <= len - s->offset &&
            names(bytes + s->offset, s->length, name)) {
            return true;
        }
    }
    return false;
}

// Which of the plan's revisions names the table; NULL: none.
static enum dr_rc
find_revision(const struct dr_engine_job *job, const char *table,
              const Drover__V1__PlanRevision **out, struct dr_err *err)
{
    bool is_down = job->mode == DROVER__V1__MODE__DOWN;
    Drover__V1__UnitKind kind =
        is_down ? DROVER__V1__UNIT_KIND__UNIT_DOWN : DROVER__V1__UNIT_KIND__UNIT_UP;
    *out = NULL;
    for (size_t i = 0; i < job->plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *r = job->plan->revisions[i];
        const char *bytes = NULL;
        size_t len = 0;
        enum dr_rc rc = job->file(job->file_arg, r->file_sha256.data, &bytes, &len, err);
        if (rc != DR_OK) {
            return rc;
        }
        for (size_t u = 0; u < r->n_units; u++) {
            if (r->units[u]->kind == kind && unit_names(r->units[u], bytes, len, table)) {
                *out = r;
                return DR_OK;
            }
        }
    }
    return DR_OK;
}

enum dr_rc
dr_engine_check_rights(struct dr_engine *engine, const struct dr_engine_job *job,
                       struct dr_arena *arena, struct dr_err *err)
{
    const char *const *tables = NULL;
    size_t count = 0;
    enum dr_rc rc = engine->ops->rights(engine->driver, arena, &tables, &count, err);
    for (size_t i = 0; rc == DR_OK && i < count; i++) {
        const Drover__V1__PlanRevision *r = NULL;
        rc = find_revision(job, tables[i], &r, err);
        if (rc == DR_OK && r != NULL) {
            rc = dr_err_set(err, DR_E_DB_PRIVILEGE,
                            "revision '%s' works on table '%s', which another role owns: ALTER "
                            "TABLE \"%s\" OWNER TO this role",
                            r->id, tables[i], tables[i]);
        }
    }
    return rc;
}
