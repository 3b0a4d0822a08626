// A rehearsal as a table, as JSON and as one line.

#include "coordinator/cli/rehearsal_view.h"

#include "coordinator/cli/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// Weakest first.
static const struct {
    const char *lock, *word;
} locks[] = {
    {"AccessShareLock", "ACCESS SHARE"},
    {"RowShareLock", "ROW SHARE"},
    {"RowExclusiveLock", "ROW EXCLUSIVE"},
    {"ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"},
    {"ShareLock", "SHARE"},
    {"ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"},
    {"ExclusiveLock", "EXCLUSIVE"},
    {"AccessExclusiveLock", "ACCESS EXCLUSIVE"},
    {"EXCLUSIVE", "EXCLUSIVE"}, // of a SQLite file
};

static size_t
strength(const char *lock)
{
    for (size_t i = 0; i < DR_COUNT_OF(locks); i++) {
        if (strcmp(locks[i].lock, lock) == 0) {
            return i + 1;
        }
    }
    return 0;
}

// "ACCESS EXCLUSIVE" for "AccessExclusiveLock"; what is no lock of PostgreSQL stays.
static void
lock_word(char out[40], const char *lock)
{
    size_t at = strength(lock);
    (void)snprintf(out, 40, "%s", at > 0 ? locks[at - 1].word : lock);
}

static bool
is_same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && a->len > 0 && memcmp(a->data, b->data, a->len) == 0;
}

static const Drover__V1__PlanRevision *
find_revision(const Drover__V1__Plan *plan, const Drover__V1__RehearsedUnit *u)
{
    for (size_t i = 0; plan != NULL && i < plan->n_revisions; i++) {
        if (is_same(&plan->revisions[i]->digest, &u->revision_digest)) {
            return plan->revisions[i];
        }
    }
    return NULL;
}

static size_t
count_statements(const Drover__V1__Plan *plan, const Drover__V1__RehearsedUnit *u)
{
    const Drover__V1__PlanRevision *r = find_revision(plan, u);
    for (size_t i = 0; r != NULL && i < r->n_units; i++) {
        if (is_same(&r->units[i]->digest, &u->unit_digest)) {
            return r->units[i]->n_statements;
        }
    }
    return 0;
}

static void
name_revision(const Drover__V1__Plan *plan, const Drover__V1__RehearsedUnit *u, char out[80])
{
    const Drover__V1__PlanRevision *r = find_revision(plan, u);
    char digest[20] = "";
    if (u->revision_digest.len >= 8) {
        dr_print_digest(digest, u->revision_digest.data, u->revision_digest.len);
    }
    (void)snprintf(out, 80, "%s", r != NULL ? r->id : digest);
}

static const char *
way_of(const Drover__V1__RehearsedUnit *u)
{
    return u->mode == DROVER__V1__MODE__DOWN ? "down" : "up";
}

// "1,234,567"
static void
format_count(char out[32], uint64_t n)
{
    char plain[24];
    int len = snprintf(plain, sizeof plain, "%" PRIu64, n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            out[at++] = ',';
        }
        out[at++] = plain[i];
    }
    out[at] = '\0';
}

static void
format_time(char out[32], uint64_t ms)
{
    if (ms < 1000) {
        (void)snprintf(out, 32, "%" PRIu64 " ms", ms);
    } else {
        dr_format_duration(out, ms);
    }
}

// ------------------------------------------------------------------------------------------- table

static void
add_row(struct dr_table *table, const char *const first[4], const Drover__V1__TableEstimate *t)
{
    char lock[40] = "-", rows[32] = "-", size[32] = "-";
    if (t != NULL) {
        lock_word(lock, t->lock);
        format_count(rows, t->rows);
        if (t->size_bytes > 0) {
            dr_format_size(size, t->size_bytes);
        }
    }
    const char *rewrite = t == NULL ? "-" : t->is_rewritten ? "yes" : "no";
    size_t row = dr_table_row(table, SIZE_MAX,
                              (const char *const[]){first[0], first[1], first[2], first[3],
                                                    t == NULL ? "-" : t->table, lock, rows, size,
                                                    rewrite, NULL});
    if (t != NULL && t->is_rewritten) {
        dr_table_tone(table, row, 8, DR_TONE_WAIT);
    }
    if (t != NULL && strcmp(lock, "ACCESS EXCLUSIVE") == 0) {
        dr_table_tone(table, row, 5, DR_TONE_WAIT);
    }
}

void
dr_rehearsal_print(const struct dr_cli *cli, const Drover__V1__Rehearsal *rehearsal,
                   const Drover__V1__Plan *plan)
{
    static const char *const columns[] = {"REVISION", "WAY",  "STATEMENTS", "TIME",    "TABLE",
                                          "LOCK",     "ROWS", "SIZE",       "REWRITE", NULL};
    struct dr_table *table = dr_table_new(cli, columns);
    for (size_t i = 0; table != NULL && i < rehearsal->n_units; i++) {
        const Drover__V1__RehearsedUnit *u = rehearsal->units[i];
        char revision[80], statements[24], time[32];
        name_revision(plan, u, revision);
        format_time(time, u->duration_ms);
        (void)snprintf(statements, sizeof statements, "%zu", count_statements(plan, u));
        add_row(table, (const char *const[]){revision, way_of(u), statements, time},
                u->n_tables > 0 ? u->tables[0] : NULL);
        for (size_t k = 1; k < u->n_tables; k++) {
            add_row(table, (const char *const[]){"", "", "", ""}, u->tables[k]);
        }
    }
    if (table != NULL) {
        dr_table_print(table, stdout);
        dr_table_free(&table);
    }
}

// -------------------------------------------------------------------------------------------- JSON

json_t *
dr_rehearsal_json(const Drover__V1__Rehearsal *rehearsal, const Drover__V1__Plan *plan)
{
    json_t *list = json_array();
    for (size_t i = 0; i < rehearsal->n_units; i++) {
        const Drover__V1__RehearsedUnit *u = rehearsal->units[i];
        json_t *tables = json_array();
        char revision[80];
        name_revision(plan, u, revision);
        for (size_t k = 0; k < u->n_tables; k++) {
            const Drover__V1__TableEstimate *t = u->tables[k];
            json_array_append_new(tables, json_pack("{s:s, s:s, s:I, s:I, s:b}", "table", t->table,
                                                    "lock", t->lock, "rows", (json_int_t)t->rows,
                                                    "sizeBytes", (json_int_t)t->size_bytes,
                                                    "isRewritten", (int)t->is_rewritten));
        }
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:o}", "revision", revision,
                                              "way", way_of(u), "statements",
                                              (json_int_t)count_statements(plan, u), "durationMs",
                                              (json_int_t)u->duration_ms, "tables", tables));
    }
    return list;
}

// ----------------------------------------------------------------------------------------- summary

// Is `a` what a reader should see rather than `b`?
static bool
is_worse(const Drover__V1__TableEstimate *a, const Drover__V1__TableEstimate *b)
{
    size_t left = strength(a->lock), right = b == NULL ? 0 : strength(b->lock);
    if (b == NULL || left != right) {
        return b == NULL || left > right;
    }
    if (a->is_rewritten != b->is_rewritten) {
        return a->is_rewritten;
    }
    return a->rows > b->rows;
}

static void
add_table(const Drover__V1__TableEstimate *t, size_t others, struct dr_buf *out)
{
    char lock[40], rows[32], size[32];
    lock_word(lock, t->lock);
    format_count(rows, t->rows);
    dr_buf_printf(out, "; %s on ", lock);
    dr_show(out, t->table, strlen(t->table), false);
    dr_buf_printf(out, " (%s row%s", rows, t->rows == 1 ? "" : "s");
    if (t->size_bytes > 0) {
        dr_format_size(size, t->size_bytes);
        dr_buf_printf(out, ", %s", size);
    }
    dr_buf_str(out, t->is_rewritten ? ", rewritten)" : ")");
    if (others > 0) {
        dr_buf_printf(out, ", and %zu table%s more", others, others == 1 ? "" : "s");
    }
}

void
dr_rehearsal_summary(const Drover__V1__Rehearsal *rehearsal, const Drover__V1__Plan *plan,
                     Drover__V1__Mode mode, struct dr_buf *out)
{
    const Drover__V1__TableEstimate *worst = NULL;
    size_t statements = 0, tables = 0;
    uint64_t ms = 0;
    char time[32];
    for (size_t i = 0; i < rehearsal->n_units; i++) {
        const Drover__V1__RehearsedUnit *u = rehearsal->units[i];
        if (u->mode != mode) {
            continue;
        }
        statements += count_statements(plan, u);
        ms += u->duration_ms;
        for (size_t k = 0; k < u->n_tables; k++) {
            bool is_new = true; // the same table of an earlier unit is counted once
            for (size_t j = 0; j < i; j++) {
                const Drover__V1__RehearsedUnit *v = rehearsal->units[j];
                for (size_t l = 0; v->mode == mode && l < v->n_tables; l++) {
                    is_new = is_new && strcmp(v->tables[l]->table, u->tables[k]->table) != 0;
                }
            }
            tables += is_new ? 1 : 0;
            worst = is_worse(u->tables[k], worst) ? u->tables[k] : worst;
        }
    }
    format_time(time, ms);
    if (plan != NULL) {
        dr_buf_printf(out, "%zu statement%s, ", statements, statements == 1 ? "" : "s");
    }
    dr_buf_printf(out, "%s on the copy", time);
    if (worst != NULL) {
        add_table(worst, tables - 1, out);
    }
    if (rehearsal->no_way_back[0] != '\0') {
        dr_buf_str(out, "; '");
        dr_show(out, rehearsal->no_way_back, strlen(rehearsal->no_way_back), false);
        dr_buf_str(out, "' has no way back");
    }
}
