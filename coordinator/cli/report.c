// Gathers, embeds, extracts and checks. A line of the embedded part is a letter (R: rollout, E: log
// entry, D: document, B: blob), a blank and base64 of a message.

#include "coordinator/cli/report.h"
#include "coordinator/cli/log_source.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/report_embed.h"
#include "coordinator/cli/rollout_view.h"

#include "trust/plandoc.h"
#include "trust/root.h"

#include <string.h>

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// Room for one more of `n` pointers or rows, doubled when it is full.
static void *
grown(struct dr_arena *arena, void *list, size_t n, size_t size)
{
    bool is_full = n == 0 || (n & (n - 1)) == 0;
    if (!is_full) {
        return list;
    }
    void *more = n < DR_REPORT_ROWS_MAX ? dr_arena_array(arena, n == 0 ? 1 : 2 * n, size) : NULL;
    if (more != NULL && n > 0) {
        memcpy(more, list, n * size);
    }
    return more;
}

enum dr_rc
dr_report_add_entry(struct dr_report *r, const Drover__V1__LogEntry *entry, struct dr_err *err)
{
    void *list = grown(r->cli->arena, (void *)r->entries, r->n_entries, sizeof(*r->entries));
    if (list == NULL) {
        return no_memory(err);
    }
    r->entries = list;
    r->entries[r->n_entries++] = entry;
    return DR_OK;
}

enum dr_rc
dr_report_add_document(struct dr_report *r, const Drover__V1__Document *document,
                       struct dr_err *err)
{
    void *list = grown(r->cli->arena, (void *)r->documents, r->n_documents, sizeof(*r->documents));
    if (list == NULL) {
        return no_memory(err);
    }
    r->documents = list;
    r->documents[r->n_documents++] = document;
    return DR_OK;
}

enum dr_rc
dr_report_add_blob(struct dr_report *r, struct dr_bytes bytes, struct dr_err *err)
{
    void *list = grown(r->cli->arena, r->blobs, r->n_blobs, sizeof(*r->blobs));
    if (list == NULL) {
        return no_memory(err);
    }
    r->blobs = list;
    struct dr_report_blob *blob = &r->blobs[r->n_blobs++];
    blob->bytes = bytes;
    dr_sha256(bytes, blob->sha256);
    return DR_OK;
}

// ---- gathering

static enum dr_rc
take_entry(void *user, const Drover__V1__LogEntry *entry, uint32_t line, struct dr_err *err)
{
    (void)line;
    return dr_report_add_entry(user, entry, err);
}

static enum dr_rc
gather_documents(struct dr_remote *remote, struct dr_report *r, struct dr_err *err)
{
    struct dr_log_audit *audit = dr_log_audit_new(r->cli->arena);
    uint8_t(*digests)[32] = NULL;
    size_t n = 0;
    Drover__V1__Document *root = dr_log_first_root(r->cli);
    enum dr_rc rc = audit != NULL ? DR_OK : no_memory(err);
    for (size_t i = 0; rc == DR_OK && i < r->n_entries; i++) {
        rc = dr_log_audit_entry(audit, r->entries[i], 0, err);
    }
    if (rc == DR_OK && root != NULL) {
        rc = dr_log_audit_document(audit, root, err);
        rc = rc == DR_OK ? dr_report_add_document(r, root, err) : rc;
    }
    rc = rc == DR_OK ? dr_log_audit_wanted(audit, &digests, &n, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        Drover__V1__Document *document = NULL;
        struct dr_err mine = {0};
        rc = dr_log_fetch(remote, digests[i], r->cli->arena, &document, &mine);
        if (rc == DR_OK) {
            rc = dr_report_add_document(r, document, err);
        } else if (rc == DR_E_NOT_FOUND) {
            rc = DR_OK; // a gap, which the check tells
        } else {
            *err = mine;
        }
    }
    dr_log_audit_free(&audit);
    return rc;
}

static enum dr_rc
gather_blob(struct dr_remote *remote, struct dr_report *r, ProtobufCBinaryData sha256, size_t max,
            struct dr_bytes *out, struct dr_err *err)
{
    *out = (struct dr_bytes){0};
    if (sha256.len != 32 || dr_report_blob(r, sha256.data, 32) != NULL) {
        return DR_OK;
    }
    enum dr_rc rc = dr_remote_get_blob(remote, sha256.data, max, out, err);
    return rc == DR_OK ? dr_report_add_blob(r, *out, err) : rc;
}

static enum dr_rc
gather_plan(struct dr_remote *remote, struct dr_report *r, ProtobufCBinaryData sha256,
            struct dr_err *err)
{
    struct dr_bytes bytes;
    Drover__V1__Plan *plan = NULL;
    enum dr_rc rc = gather_blob(remote, r, sha256, DR_PLANDOC_MAX, &bytes, err);
    if (rc == DR_OK && bytes.len > 0) {
        rc = dr_plandoc_decode(r->cli->arena, bytes, sha256.data, &plan, err);
    }
    for (size_t i = 0; rc == DR_OK && plan != NULL && i < plan->n_revisions; i++) {
        rc = gather_blob(remote, r, plan->revisions[i]->file_sha256, DR_REVISION_FILE_MAX, &bytes,
                         err);
    }
    return rc;
}

enum dr_rc
dr_report_gather(struct dr_remote *remote, const char *rollout, struct dr_report *out,
                 struct dr_err *err)
{
    Drover__V1__RolloutId request = DROVER__V1__ROLLOUT_ID__INIT;
    Drover__V1__Rollout *seen = NULL;
    struct dr_log_sink sink = {out, take_entry, NULL, remote->cli->arena};
    *out = (struct dr_report){.cli = remote->cli, .rollout = rollout};
    request.id = dr_arena_str(remote->cli->arena, rollout);
    enum dr_rc rc =
        dr_remote_call(remote, DR_METHOD_OPERATOR_GET_ROLLOUT, &request.base, &seen, err);
    rc = rc == DR_OK ? dr_log_read_coordinator(remote, 0, &sink, err) : rc;
    rc = rc == DR_OK ? gather_documents(remote, out, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < seen->n_plans; i++) {
        rc = gather_plan(remote, out, seen->plans[i]->plan_sha256, err);
    }
    return rc;
}

// ---- checking

static enum dr_rc
audit(struct dr_report *r, struct dr_err *err)
{
    struct dr_log_audit *all = dr_log_audit_new(r->cli->arena);
    enum dr_rc rc = all != NULL ? DR_OK : no_memory(err);
    for (size_t i = 0; rc == DR_OK && i < r->n_entries; i++) {
        rc = dr_log_audit_entry(all, r->entries[i], 0, err);
    }
    for (size_t i = 0; rc == DR_OK && i < r->n_documents; i++) {
        rc = dr_log_audit_document(all, r->documents[i], err);
    }
    rc = rc == DR_OK ? dr_log_audit_run(all, r->pinned, &r->findings, err) : rc;
    dr_log_audit_free(&all);
    const struct dr_log_bad *bad = &r->findings.bad;
    if (rc == DR_OK && bad->why[0] != '\0') {
        return dr_err_set(err, DR_E_BAD_LOG, "entry %llu, %s '%s': %s",
                          (unsigned long long)bad->index, bad->kind, bad->subject, bad->why);
    }
    return rc;
}

static const ProtobufCMessageDescriptor *
descriptor_of(const char *kind)
{
    return dr_str_eq(kind, DR_TYPE_APPROVAL)      ? &drover__v1__approval__descriptor
           : dr_str_eq(kind, DR_TYPE_ATTESTATION) ? &drover__v1__attestation__descriptor
           : dr_str_eq(kind, DR_TYPE_SIGNOFF)     ? &drover__v1__signoff__descriptor
           : dr_str_eq(kind, DR_TYPE_ROOT)        ? &drover__v1__root__descriptor
                                                  : NULL;
}

static bool
is_named(const struct dr_report *r, const uint8_t sha256[32])
{
    for (size_t i = 0; i < r->n_entries; i++) {
        if (dr_report_is_about(r, r->entries[i]) && dr_data_is(r->entries[i]->document, sha256)) {
            return true;
        }
    }
    return false;
}

static bool
is_of_plan(const struct dr_report *r, ProtobufCBinaryData plan)
{
    for (size_t i = 0; i < r->n_own; i++) {
        if (r->own[i].approval != NULL && dr_data_eq(r->own[i].approval->plan_sha256, plan)) {
            return true;
        }
    }
    return false;
}

static void
sort_in(struct dr_report *r, struct dr_report_document *one, const ProtobufCMessage *message)
{
    bool is_own = false;
    if (message->descriptor == &drover__v1__root__descriptor) {
        const Drover__V1__Root *root = (const Drover__V1__Root *)(const void *)message;
        r->root = r->root == NULL || root->version > r->root->version ? root : r->root;
    } else if (message->descriptor == &drover__v1__approval__descriptor) {
        one->approval = (const Drover__V1__Approval *)(const void *)message;
        is_own = dr_str_eq(one->approval->rollout, r->rollout);
    } else if (message->descriptor == &drover__v1__attestation__descriptor) {
        one->attestation = (const Drover__V1__Attestation *)(const void *)message;
        is_own = is_named(r, one->envelope.sha256);
    } else {
        one->signoff = (const Drover__V1__Signoff *)(const void *)message;
        is_own = is_of_plan(r, one->signoff->plan_sha256);
    }
    if (is_own) {
        r->own[r->n_own++] = *one;
    }
}

// Approvals and the root first: sign-offs are found by the plan that an approval names.
static enum dr_rc
decode_all(struct dr_report *r, struct dr_err *err)
{
    static const char *const order[] = {DR_TYPE_ROOT, DR_TYPE_APPROVAL, DR_TYPE_ATTESTATION,
                                        DR_TYPE_SIGNOFF};
    r->own = dr_arena_array(r->cli->arena, r->n_documents + 1, sizeof(*r->own));
    if (r->own == NULL) {
        return no_memory(err);
    }
    for (size_t k = 0; k < DR_COUNT_OF(order); k++) {
        for (size_t i = 0; i < r->n_documents; i++) {
            struct dr_report_document one = {.document = r->documents[i]};
            const struct dr_bytes wire = {one.document->envelope.data, one.document->envelope.len};
            ProtobufCMessage *message = NULL;
            if (!dr_str_eq(one.document->kind, order[k])) {
                continue;
            }
            enum dr_rc rc = dr_envelope_parse(wire, order[k], &one.envelope, err);
            rc = rc == DR_OK ? dr_strict_decode(r->cli->arena, descriptor_of(order[k]),
                                                one.envelope.payload, &message, err)
                             : rc;
            if (rc != DR_OK) {
                return rc;
            }
            sort_in(r, &one, message);
        }
    }
    return DR_OK;
}

enum dr_rc
dr_report_check(struct dr_report *r, const uint8_t pinned[32], struct dr_err *err)
{
    bool is_there = false;
    memcpy(r->pinned, pinned, 32);
    enum dr_rc rc = audit(r, err);
    rc = rc == DR_OK ? decode_all(r, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < r->n_entries; i++) {
        is_there = is_there || dr_report_is_about(r, r->entries[i]);
    }
    return rc != DR_OK || is_there
               ? rc
               : dr_err_set(err, DR_E_NOT_FOUND, "the log has no rollout '%s'", r->rollout);
}

bool
dr_report_is_about(const struct dr_report *r, const Drover__V1__LogEntry *entry)
{
    size_t len = strlen(r->rollout);
    return dr_str_starts(entry->subject, r->rollout) &&
           (entry->subject[len] == '\0' || entry->subject[len] == ' ');
}

const struct dr_report_blob *
dr_report_blob(const struct dr_report *r, const uint8_t *sha256, size_t len)
{
    for (size_t i = 0; len == 32 && i < r->n_blobs; i++) {
        if (memcmp(r->blobs[i].sha256, sha256, 32) == 0) {
            return &r->blobs[i];
        }
    }
    return NULL;
}

static const char *
person_of(const struct dr_report *r, const uint8_t keyid[32])
{
    for (size_t i = 0; r->root != NULL && i < r->root->n_people; i++) {
        for (size_t k = 0; k < r->root->people[i]->n_keys; k++) {
            uint8_t id[32];
            const ProtobufCBinaryData key = r->root->people[i]->keys[k]->public_key;
            if (key.len != 32) {
                continue;
            }
            dr_keyid(key.data, id);
            if (memcmp(id, keyid, 32) == 0) {
                return r->root->people[i]->name;
            }
        }
    }
    return NULL;
}

const char *
dr_report_signers(const struct dr_report *r, const struct dr_report_document *one)
{
    struct dr_buf out = {0};
    for (size_t i = 0; i < one->envelope.n_sigs; i++) {
        const uint8_t *keyid = one->envelope.sigs[i].keyid;
        const char *name = one->attestation != NULL ? one->attestation->agent : person_of(r, keyid);
        char id[20];
        dr_print_digest(id, keyid, 32);
        dr_buf_printf(&out, "%s%s (key %s)", i > 0 ? ", " : "",
                      name ? name : "somebody of an earlier root", id);
    }
    const char *text = dr_arena_str(r->cli->arena, out.len > 0 ? out.data : "nobody");
    dr_buf_fini(&out);
    return text ? text : "";
}
