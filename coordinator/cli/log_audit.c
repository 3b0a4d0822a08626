// Log audit: gathers entries and documents, then walks the log once from its beginning.
#include "coordinator/cli/log_audit_inner.h"

#include "base/str.h"
#include "trust/strict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_MAX (256u << 20)

struct entry {
    const Drover__V1__LogEntry *msg;
    uint32_t line;
};

struct dr_log_audit {
    struct dr_arena *arena;
    struct entry *entries;
    size_t n_entries, cap_entries;
    const Drover__V1__Document **documents; // sorted by digest once `is_sorted`
    size_t n_documents, cap_documents;
    bool is_sorted;
};

// A digest and the entry that names it first.
struct wanted {
    uint8_t sha256[32];
    size_t at;
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

struct dr_log_audit *
dr_log_audit_new(struct dr_arena *arena)
{
    struct dr_log_audit *audit = calloc(1, sizeof(*audit));
    if (audit != NULL) {
        audit->arena = arena;
    }
    return audit;
}

void
dr_log_audit_free(struct dr_log_audit **audit)
{
    if (*audit != NULL) {
        free((*audit)->entries);
        free((*audit)->documents);
        free(*audit);
        *audit = NULL;
    }
}

enum dr_rc
dr_log_audit_entry(struct dr_log_audit *audit, const Drover__V1__LogEntry *entry, uint32_t line,
                   struct dr_err *err)
{
    if (audit->n_entries == audit->cap_entries) {
        size_t cap = audit->cap_entries == 0 ? 1024 : 2 * audit->cap_entries;
        struct entry *grown = reallocarray(audit->entries, cap, sizeof(*grown));
        if (grown == NULL) {
            return no_memory(err);
        }
        audit->entries = grown;
        audit->cap_entries = cap;
    }
    audit->entries[audit->n_entries++] = (struct entry){entry, line};
    return DR_OK;
}

enum dr_rc
dr_log_audit_document(struct dr_log_audit *audit, const Drover__V1__Document *document,
                      struct dr_err *err)
{
    if (audit->n_documents == audit->cap_documents) {
        size_t cap = audit->cap_documents == 0 ? 256 : 2 * audit->cap_documents;
        const Drover__V1__Document **grown =
            reallocarray(audit->documents, cap, sizeof(const Drover__V1__Document *));
        if (grown == NULL) {
            return no_memory(err);
        }
        audit->documents = grown;
        audit->cap_documents = cap;
    }
    if (document->sha256.len == 32) {
        audit->documents[audit->n_documents++] = document;
        audit->is_sorted = false;
    }
    return DR_OK;
}

static int
by_digest(const void *a, const void *b)
{
    return memcmp((*(const Drover__V1__Document *const *)a)->sha256.data,
                  (*(const Drover__V1__Document *const *)b)->sha256.data, 32);
}

// Its place in audit->documents; n_documents: it is not there.
static size_t
find_document(struct dr_log_audit *audit, const uint8_t sha256[32])
{
    if (!audit->is_sorted && audit->n_documents > 0) {
        qsort(audit->documents, audit->n_documents, sizeof(audit->documents[0]), by_digest);
        audit->is_sorted = true;
    }
    size_t low = 0;
    for (size_t high = audit->n_documents; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(audit->documents[middle]->sha256.data, sha256, 32) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < audit->n_documents && memcmp(audit->documents[low]->sha256.data, sha256, 32) == 0
               ? low
               : audit->n_documents;
}

bool
dr_log_names_document(const Drover__V1__LogEntry *entry)
{
    return dr_str_eq(entry->kind, "document") || dr_str_eq(entry->kind, "trust") ||
           dr_str_eq(entry->kind, "attestation");
}

static int
by_wanted_digest(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    int order = memcmp(x->sha256, y->sha256, 32);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static int
by_place(const void *a, const void *b)
{
    const struct wanted *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

enum dr_rc
dr_log_audit_wanted(struct dr_log_audit *audit, uint8_t (**out)[32], size_t *out_n,
                    struct dr_err *err)
{
    struct wanted *list = calloc(audit->n_entries + 1, sizeof(*list));
    size_t n = 0, unique = 0;
    uint8_t(*digests)[32] = dr_arena_array(audit->arena, audit->n_entries + 1, 32);
    if (list == NULL || digests == NULL) {
        free(list);
        return no_memory(err);
    }
    for (size_t i = 0; i < audit->n_entries; i++) {
        const Drover__V1__LogEntry *entry = audit->entries[i].msg;
        if (dr_log_names_document(entry) && entry->document.len == 32 &&
            find_document(audit, entry->document.data) == audit->n_documents) {
            memcpy(list[n].sha256, entry->document.data, 32);
            list[n++].at = i;
        }
    }
    qsort(list, n, sizeof(*list), by_wanted_digest);
    for (size_t i = 0; i < n; i++) {
        if (unique == 0 || memcmp(list[unique - 1].sha256, list[i].sha256, 32) != 0) {
            list[unique++] = list[i];
        }
    }
    qsort(list, unique, sizeof(*list), by_place);
    for (size_t i = 0; i < unique; i++) {
        memcpy(digests[i], list[i].sha256, 32);
    }
    free(list);
    *out = digests;
    *out_n = unique;
    return DR_OK;
}

// ---- the walk

// The pinned file is among the documents; whoever made the export may have put it anywhere.
static enum dr_rc
find_first_root(const struct dr_log_audit *audit, const uint8_t pinned[32],
                struct dr_log_force *force, struct dr_err *err)
{
    for (size_t i = 0; i < audit->n_documents; i++) {
        const Drover__V1__Document *document = audit->documents[i];
        struct dr_bytes wire = {document->envelope.data, document->envelope.len};
        uint8_t found[32];
        dr_sha256(wire, found);
        if (memcmp(found, pinned, 32) == 0) {
            enum dr_rc rc = dr_root_first(force->root_arena, wire, pinned, &force->root, err);
            if (rc == DR_OK) {
                memcpy(force->roots[force->n_roots++], force->root.sha256, 32);
            }
            return rc;
        }
    }
    dr_err_set(err, DR_E_NOT_PINNED, "the first root that is pinned is not there");
    return dr_err_hint(err, "an export with documents has it: drover log -o jsonl --documents");
}

static enum dr_rc
add_gap(struct dr_log_audit *audit, struct dr_log_findings *out, const Drover__V1__LogEntry *entry,
        struct dr_err *err)
{
    if (out->gaps == NULL) {
        out->gaps = dr_arena_array(audit->arena, audit->n_entries, sizeof(*out->gaps));
    }
    if (out->gaps == NULL) {
        return no_memory(err);
    }
    out->gaps[out->n_gaps++] = (struct dr_log_gap){.index = entry->index,
                                                   .kind = entry->kind,
                                                   .subject = entry->subject,
                                                   .agent = "",
                                                   .why = "its document is not there"};
    return DR_OK;
}

struct walk {
    struct dr_log_audit *audit;
    struct dr_log_findings *out;
    struct dr_log_force force;
    struct dr_log_numbers numbers;
    bool *is_counted; // by place in audit->documents
};

static enum dr_rc
check_named(struct walk *walk, const Drover__V1__LogEntry *entry, struct dr_err *err)
{
    struct dr_log_audit *audit = walk->audit;
    enum dr_log_kind kind = DR_LOG_KINDS;
    if (entry->document.len != 32) {
        return dr_err_set(err, DR_E_BAD_LOG, "it names no document");
    }
    size_t at = find_document(audit, entry->document.data);
    if (at == audit->n_documents) {
        return !dr_log_is_in_force(entry)
                   ? add_gap(audit, walk->out, entry, err)
                   : dr_err_set(err, DR_E_BAD_LOG,
                                "its document is not there, so nothing behind it can be checked");
    }
    struct dr_arena *scratch = dr_arena_new(SCRATCH_MAX);
    enum dr_rc rc = scratch == NULL
                        ? no_memory(err)
                        : dr_log_check_document(audit->arena, scratch, &walk->force, &walk->numbers,
                                                entry, audit->documents[at], &kind, err);
    dr_arena_free(&scratch);
    if (rc == DR_OK && !walk->is_counted[at]) {
        walk->out->counts[kind]++;
        walk->is_counted[at] = true;
    }
    return rc;
}

static void
note_bad(struct dr_log_findings *out, const struct entry *entry, const struct dr_err *why)
{
    out->bad = (struct dr_log_bad){.index = entry->msg->index,
                                   .line = entry->line,
                                   .kind = entry->msg->kind,
                                   .subject = entry->msg->subject};
    (void)snprintf(out->bad.why, sizeof(out->bad.why), "%s", why->message);
}

static enum dr_rc
walk_all(struct walk *walk, struct dr_err *err)
{
    for (size_t i = 0; i < walk->audit->n_entries; i++) {
        const struct entry *entry = &walk->audit->entries[i];
        struct dr_loghash head = walk->out->head;
        struct dr_err why = {0};
        enum dr_rc rc = dr_loghash_verify(&head, entry->msg, &why);
        rc = rc == DR_OK && dr_log_names_document(entry->msg) ? check_named(walk, entry->msg, &why)
                                                              : rc;
        if (rc == DR_E_NOMEM) {
            return no_memory(err);
        }
        if (rc != DR_OK) {
            note_bad(walk->out, entry, &why);
            return DR_OK;
        }
        walk->out->head = head;
    }
    return DR_OK;
}

enum dr_rc
dr_log_audit_run(struct dr_log_audit *audit, const uint8_t pinned[32], struct dr_log_findings *out,
                 struct dr_err *err)
{
    struct walk walk = {.audit = audit, .out = out};
    *out = (struct dr_log_findings){0};
    walk.force.root_arena = dr_arena_new(SCRATCH_MAX);
    walk.force.roots = dr_arena_array(audit->arena, audit->n_entries + 1, 32); // one each at most
    walk.is_counted = calloc(audit->n_documents + 1, sizeof(bool));
    enum dr_rc rc = walk.force.root_arena && walk.force.roots && walk.is_counted
                        ? find_first_root(audit, pinned, &walk.force, err)
                        : no_memory(err);
    rc = rc == DR_OK ? walk_all(&walk, err) : rc;
    if (rc == DR_OK) {
        rc = dr_log_find_gaps(audit->arena, &walk.numbers, &out->gaps, &out->n_gaps, err);
    }
    dr_arena_free(&walk.force.root_arena);
    dr_arena_free(&walk.force.fleet_arena);
    dr_arena_free(&walk.force.chain_arena);
    free(walk.numbers.list);
    free(walk.is_counted);
    return rc;
}
