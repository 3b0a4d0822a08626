#include "coordinator/import/applied.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

struct judge {
    struct dr_import *import;
    struct dr_applied *applied;
    struct dr_err *err;
    bool *has;   // by revision: applied
    size_t *row; // by revision: its row, plus 1
};

static enum dr_rc
add(struct judge *j, const char **list, size_t *count, const char *text)
{
    if (text == NULL) {
        return dr_import_nomem(j->err);
    }
    if (*count < DR_APPLIED_PROBLEMS_MAX) {
        list[(*count)++] = text;
    }
    return DR_OK;
}

static enum dr_rc
problem(struct judge *j, const char *text)
{
    return add(j, j->applied->problems, &j->applied->problems_count, text);
}

static enum dr_rc
warning(struct judge *j, const char *text)
{
    return add(j, j->applied->warnings, &j->applied->warnings_count, text);
}

// "007" is 7, "1.0" is 1, "V1_2" stays what it is: numbers between dots without zeros in front, and
// no ".0" at the end.
static void
canonical(const char *version, char *out, size_t size)
{
    size_t n = 0, end = 0;
    bool is_number = strspn(version, "0123456789.") == strlen(version);
    if (!is_number || 2 * strlen(version) + 2 > size) { // a lone dot becomes "0."
        size_t len = strlen(version) < size ? strlen(version) : size - 1;
        memcpy(out, version, len);
        out[len] = '\0';
        return;
    }
    for (const char *at = version; *at != '\0';) {
        at += strspn(at, "0");
        size_t digits = strspn(at, "123456789") == 0 ? 0 : strspn(at, "0123456789");
        if (digits == 0) {
            out[n++] = '0';
        }
        memcpy(out + n, at, digits);
        n += digits;
        end = digits > 0 || end == 0 ? n : end;
        at += digits;
        if (*at == '.') {
            out[n++] = *at++;
        }
    }
    out[end] = '\0';
}

static bool
same_version(const char *a, const char *b)
{
    char x[256], y[256];
    canonical(a, x, sizeof x);
    canonical(b, y, sizeof y);
    return strcmp(x, y) == 0;
}

// The revision of a row: the first of its name that no earlier row took; SIZE_MAX.
static size_t
find(const struct judge *j, const char *version, bool is_again)
{
    for (size_t i = 0; i < j->import->count; i++) {
        const struct dr_import_revision *r = j->import->items[i];
        const char *own = r->version != NULL ? r->version : r->id;
        if (same_version(own, version) && (is_again ? j->has[i] : !j->has[i])) {
            return i;
        }
    }
    return SIZE_MAX;
}

static size_t
index_of(const struct judge *j, const char *id)
{
    for (size_t i = 0; i < j->import->count; i++) {
        if (strcmp(j->import->items[i]->id, id) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

// Marks what stands before those that are marked; parents come first in the list.
static void
mark_ancestors(struct judge *j)
{
    for (size_t i = j->import->count; i > 0; i--) {
        const struct dr_import_revision *r = j->import->items[i - 1];
        const struct dr_names *lists[] = {&r->parents, &r->depends_on};
        for (size_t l = 0; j->has[i - 1] && l < DR_COUNT_OF(lists); l++) {
            for (size_t k = 0; k < lists[l]->count; k++) {
                size_t other = index_of(j, lists[l]->items[k]);
                if (other != SIZE_MAX) {
                    j->has[other] = true;
                }
            }
        }
    }
}

static enum dr_rc
take_row(struct judge *j, size_t row)
{
    const struct dr_applied_row *r = &j->applied->rows[row];
    bool is_undone = strcmp(r->kind, "undone") == 0;
    size_t index = find(j, r->version, is_undone);
    if (r->trouble[0] != '\0') {
        return problem(
            j, dr_arena_printf(j->import->arena, "'%s' is half-way: %s", r->version, r->trouble));
    }
    if (index == SIZE_MAX) {
        return is_undone || find(j, r->version, true) != SIZE_MAX
                   ? DR_OK
                   : problem(j, dr_arena_printf(j->import->arena,
                                                "'%s' is applied, but its file is not in '%s'",
                                                r->version, j->import->folder));
    }
    j->has[index] = !is_undone;
    j->row[index] = is_undone ? 0 : row + 1;
    if (strcmp(r->kind, "upto") == 0) {
        for (size_t i = 0; i < index; i++) {
            j->has[i] = true;
        }
    } else if (strcmp(r->kind, "head") == 0) {
        mark_ancestors(j);
    }
    return DR_OK;
}

// What the table never names goes with what stands before it.
static void
mark_unrecorded(struct judge *j)
{
    bool any = false;
    for (size_t i = 0; i < j->import->count; i++) {
        any = any || j->has[i];
    }
    for (size_t i = 0; i < j->import->count; i++) {
        if (j->import->items[i]->is_unrecorded) {
            j->has[i] = any && (i == 0 || j->has[i - 1]);
        }
    }
}

static enum dr_rc
check_one(struct judge *j, size_t i)
{
    const struct dr_import_revision *r = j->import->items[i];
    enum dr_rc rc = DR_OK;
    for (size_t k = 0; rc == DR_OK && k < r->parents.count; k++) {
        size_t parent = index_of(j, r->parents.items[k]);
        if (parent != SIZE_MAX && !j->has[parent]) {
            rc = problem(j, dr_arena_printf(j->import->arena,
                                            "'%s' is applied, but '%s' before it is not", r->id,
                                            r->parents.items[k]));
        }
    }
    const char *sum = j->row[i] == 0 ? "" : j->applied->rows[j->row[i] - 1].checksum;
    if (rc == DR_OK && sum[0] != '\0' && r->checksum != NULL && strcmp(sum, r->checksum) != 0) {
        rc = warning(j, dr_arena_printf(j->import->arena,
                                        "'%s' is another file now than when it was applied "
                                        "(checksum %s, then %s)",
                                        r->file == NULL ? r->id : r->file, r->checksum, sum));
    }
    return rc;
}

static enum dr_rc
find_heads(struct judge *j)
{
    const char **heads = dr_arena_array(j->import->arena, j->import->count + 1, sizeof *heads);
    bool *is_parent = dr_arena_array(j->import->arena, j->import->count + 1, sizeof *is_parent);
    size_t count = 0;
    if (heads == NULL || is_parent == NULL) {
        return dr_import_nomem(j->err);
    }
    for (size_t i = 0; i < j->import->count; i++) {
        const struct dr_names *parents = &j->import->items[i]->parents;
        for (size_t k = 0; j->has[i] && k < parents->count; k++) {
            size_t parent = i > 0 && strcmp(j->import->items[i - 1]->id, parents->items[k]) == 0
                                ? i - 1
                                : index_of(j, parents->items[k]);
            if (parent != SIZE_MAX) {
                is_parent[parent] = true;
            }
        }
    }
    for (size_t i = 0; i < j->import->count; i++) {
        j->applied->count += j->has[i];
        if (j->has[i] && !is_parent[i]) {
            heads[count++] = j->import->items[i]->id;
        }
    }
    j->applied->heads = (struct dr_names){heads, count};
    return DR_OK;
}

enum dr_rc
dr_applied_judge(struct dr_import *import, struct dr_applied *applied, struct dr_err *err)
{
    struct judge j = {.import = import, .applied = applied, .err = err};
    j.has = dr_arena_array(import->arena, import->count + 1, sizeof *j.has);
    j.row = dr_arena_array(import->arena, import->count + 1, sizeof *j.row);
    enum dr_rc rc = j.has == NULL || j.row == NULL ? dr_import_nomem(err) : DR_OK;
    for (size_t i = 0; rc == DR_OK && i < applied->rows_count; i++) {
        rc = take_row(&j, i);
    }
    if (rc == DR_OK) {
        mark_unrecorded(&j);
    }
    for (size_t i = 0; rc == DR_OK && i < import->count; i++) {
        rc = j.has[i] ? check_one(&j, i) : DR_OK;
    }
    return rc == DR_OK ? find_heads(&j) : rc;
}
