#include "revision/plan.h"

#include "sql/lexer.h"

#include <stdlib.h>
#include <string.h>

// The other side of a plan: what somebody else compiled, against one's own compilation or against
// the file's bytes.

static bool
digest_is(const ProtobufCBinaryData *field, const uint8_t digest[DR_DIGEST_SIZE])
{
    return field->len == DR_DIGEST_SIZE && memcmp(field->data, digest, DR_DIGEST_SIZE) == 0;
}

static bool
same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static enum dr_rc
mismatch(struct dr_err *err, const char *revision, const char *what)
{
    dr_err_set(err, DR_E_PLAN_MISMATCH, "revision '%.64s': %s", revision, what);
    return dr_err_hint(
        err, "do not approve it; compile the same revisions with the same drover: drover plan");
}

static enum dr_rc
compare_revision(const Drover__V1__PlanRevision *mine, const Drover__V1__PlanRevision *theirs,
                 struct dr_err *err)
{
    if (strcmp(mine->id, theirs->id) != 0) {
        dr_err_set(err, DR_E_PLAN_MISMATCH, "the plan has revision '%.64s' where '%.64s' should be",
                   theirs->id, mine->id);
        return dr_err_hint(err, "do not approve it; compare: drover plan");
    }
    if (!same_bytes(&mine->file_sha256, &theirs->file_sha256)) {
        return mismatch(err, mine->id, "the plan was made from another file");
    }
    if (!same_bytes(&mine->digest, &theirs->digest)) {
        return mismatch(err, mine->id, "the plan was made with other parents");
    }
    if (mine->n_units != theirs->n_units) {
        return mismatch(err, mine->id, "the plan has another number of units");
    }
    for (size_t i = 0; i < mine->n_units; i++) {
        if (!same_bytes(&mine->units[i]->digest, &theirs->units[i]->digest)) {
            dr_err_set(
                err, DR_E_PLAN_MISMATCH,
                "revision '%.64s': unit %zu ('%.100s') is not the one that this drover compiles",
                mine->id, i + 1, mine->units[i]->name);
            return dr_err_hint(err, "do not approve it; compile with the same drover: drover plan");
        }
    }
    return DR_OK;
}

enum dr_rc
dr_plan_compare(const struct dr_plan *mine, const Drover__V1__Plan *theirs, struct dr_err *err)
{
    const Drover__V1__Plan *own = mine->message;
    size_t size = drover__v1__plan__get_packed_size(theirs);
    uint8_t *packed = size > DR_PLAN_PACKED_MAX ? NULL : malloc(size == 0 ? 1 : size);
    if (packed == NULL) {
        return dr_err_set(err, size > DR_PLAN_PACKED_MAX ? DR_E_LIMIT : DR_E_NOMEM,
                          "the plan has %zu bytes", size);
    }
    drover__v1__plan__pack(theirs, packed);
    bool is_same = size == mine->packed.len && memcmp(packed, mine->packed.data, size) == 0;
    free(packed);
    if (is_same) {
        return DR_OK;
    }
    if (strcmp(own->compiler, theirs->compiler) != 0) {
        dr_err_set(err, DR_E_PLAN_MISMATCH, "the plan was compiled by '%.40s', this is '%s'",
                   theirs->compiler, own->compiler);
        return dr_err_hint(err, "use the same version of drover");
    }
    if (strcmp(own->project, theirs->project) != 0 || own->engine != theirs->engine) {
        return dr_err_set(err, DR_E_PLAN_MISMATCH, "the plan is for another project or engine");
    }
    for (size_t i = 0; i < own->n_revisions && i < theirs->n_revisions; i++) {
        enum dr_rc rc = compare_revision(own->revisions[i], theirs->revisions[i], err);
        if (rc != DR_OK) {
            return rc;
        }
    }
    if (own->n_revisions != theirs->n_revisions) {
        return dr_err_set(err, DR_E_PLAN_MISMATCH,
                          "the plan has %zu revisions, this drover compiles %zu",
                          theirs->n_revisions, own->n_revisions);
    }
    return dr_err_set(err, DR_E_PLAN_MISMATCH, "the plan is not the one that this drover compiles");
}

bool
dr_plan_statement(const Drover__V1__Statement *statement, const char *file, size_t file_len,
                  struct dr_bytes *out)
{
    if (statement->offset > file_len || statement->length > file_len - statement->offset) {
        return false;
    }
    *out = (struct dr_bytes){(const uint8_t *)file + statement->offset, statement->length};
    return true;
}

// May the last line end in a comment, which would swallow the semicolon?
static bool
ends_in_comment(const char *sql, size_t len)
{
    const char *line = memrchr(sql, '\n', len);
    size_t from = line == NULL ? 0 : (size_t)(line - sql);
    return memmem(sql + from, len - from, "--", 2) != NULL;
}

enum dr_rc
dr_plan_unit_sql(struct dr_buf *out, const Drover__V1__Unit *unit, const char *file,
                 size_t file_len, struct dr_err *err)
{
    for (size_t i = 0; i < unit->n_statements; i++) {
        struct dr_bytes sql;
        if (!dr_plan_statement(unit->statements[i], file, file_len, &sql)) {
            return dr_err_set(err, DR_E_PLAN_MISMATCH,
                              "statement %zu of unit '%.100s' lies outside of the revision's file",
                              i + 1, unit->name);
        }
        dr_buf_add(out, sql.data, sql.len);
        dr_buf_str(out, ends_in_comment((const char *)sql.data, sql.len) ? "\n;\n" : ";\n");
    }
    return out->failed ? dr_err_set(err, DR_E_NOMEM, "no memory left for the SQL of a unit")
                       : DR_OK;
}

// One range of bytes is one statement: the lexer finds exactly it.
static bool
is_one_statement(Drover__V1__Engine engine, const struct dr_bytes *sql)
{
    enum dr_sql_dialect dialect =
        engine == DROVER__V1__ENGINE__SQLITE ? DR_SQL_SQLITE : DR_SQL_POSTGRESQL;
    struct dr_sql_lexer lexer;
    struct dr_sql_piece piece = {0}, more;
    struct dr_err ignored = {0};
    enum dr_rc rc = DR_OK;
    dr_sql_lexer_init(&lexer, dialect, (const char *)sql->data, sql->len);
    bool is_first = dr_sql_lexer_next(&lexer, &piece, &rc, &ignored);
    return is_first && piece.offset == 0 && piece.length == sql->len &&
           !dr_sql_lexer_next(&lexer, &more, &rc, &ignored) && rc == DR_OK;
}

static enum dr_rc
check_unit(const Drover__V1__PlanRevision *r, const Drover__V1__Unit *unit,
           Drover__V1__Engine engine, const char *file, size_t file_len, uint64_t *end,
           struct dr_err *err)
{
    uint8_t digest[DR_DIGEST_SIZE];
    if (unit->outside_transaction && unit->n_statements != 1) {
        return mismatch(err, r->id,
                        "a unit outside a transaction does not hold exactly one statement");
    }
    for (size_t i = 0; i < unit->n_statements; i++) {
        const Drover__V1__Statement *s = unit->statements[i];
        struct dr_bytes sql;
        if (!dr_plan_statement(s, file, file_len, &sql) || s->offset < *end) {
            return mismatch(err, r->id, "a statement lies outside of the file or out of order");
        }
        if (!is_one_statement(engine, &sql)) {
            return mismatch(err, r->id, "a range of bytes is not exactly one statement");
        }
        *end = s->offset + s->length;
    }
    enum dr_rc rc = dr_digest_unit(digest, r->digest.data, unit, file, file_len, err);
    if (rc == DR_OK && !digest_is(&unit->digest, digest)) {
        rc = mismatch(err, r->id, "a unit's digest is not that of its statements");
    }
    return rc;
}

static enum dr_rc
check_digests(const Drover__V1__PlanRevision *r, const char *file, size_t file_len,
              struct dr_err *err)
{
    uint8_t digest[DR_DIGEST_SIZE], parents[DR_REVISION_LIST_MAX][DR_DIGEST_SIZE];
    if (r->file_size != file_len || r->n_parents > DR_REVISION_LIST_MAX) {
        return mismatch(err, r->id, "the file has another size than the plan says");
    }
    dr_digest_sha256(digest, file, file_len);
    if (!digest_is(&r->file_sha256, digest)) {
        return mismatch(err, r->id, "the file is not the one that the plan names");
    }
    for (size_t i = 0; i < r->n_parents; i++) {
        if (r->parents[i].len != DR_DIGEST_SIZE) {
            return mismatch(err, r->id, "a parent's digest has another length");
        }
        memcpy(parents[i], r->parents[i].data, DR_DIGEST_SIZE);
    }
    uint8_t file_sha256[DR_DIGEST_SIZE];
    memcpy(file_sha256, digest, sizeof digest);
    dr_digest_revision(digest, r->id, file_sha256, parents, r->n_parents);
    return digest_is(&r->digest, digest)
               ? DR_OK
               : mismatch(err, r->id, "the revision's digest is not that of file and parents");
}

enum dr_rc
dr_plan_check_file(const Drover__V1__PlanRevision *revision, Drover__V1__Engine engine,
                   const char *file, size_t file_len, struct dr_err *err)
{
    uint64_t end = 0;
    enum dr_rc rc = check_digests(revision, file, file_len, err);
    for (size_t i = 0; rc == DR_OK && i < revision->n_units; i++) {
        rc = check_unit(revision, revision->units[i], engine, file, file_len, &end, err);
    }
    return rc;
}
