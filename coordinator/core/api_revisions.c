// Service Operator: revisions handed in for the chain. The file is a blob already; its digest is
// computed again here, so that what reviewers are shown is what they sign.
#include "base/clock.h"
#include "coordinator/core/api.h"
#include "revision/digest.h"
#include "trust/chain.h"
#include "trust/keyfile.h"
#include "trust/strict.h"
#include "trust/try.h"

#include <string.h>

#define SUBMIT_MAX  1000u
#define PARENTS_MAX 64u
#define ID_MAX      64u

struct listing {
    struct dr_arena *arena;
    Drover__V1__SubmittedRevision **list;
    size_t n, cap;
};

static enum dr_rc
take_revision(void *user, const char *id, struct dr_bytes body, struct dr_err *err)
{
    struct listing *listing = user;
    Drover__V1__SubmittedRevision *revision = drover__v1__submitted_revision__unpack(
        dr_arena_protobuf(listing->arena), body.len, body.data);

    if (revision == NULL) {
        return dr_err_set(err, DR_E_STORE, "revision '%s' in the store cannot be read", id);
    }
    if (listing->n == listing->cap) {
        size_t cap = listing->cap == 0 ? 64 : listing->cap * 2;
        Drover__V1__SubmittedRevision **grown = dr_arena_array(listing->arena, cap, sizeof *grown);

        if (grown == NULL) {
            return dr_err_set(err, DR_E_LIMIT, "too many revisions for one answer");
        }
        if (listing->n > 0) {
            memcpy(grown, listing->list, listing->n * sizeof *grown);
        }
        listing->list = grown;
        listing->cap = cap;
    }
    listing->list[listing->n++] = revision;
    return DR_OK;
}

// All that were submitted, with what the chain says about them.
static enum dr_rc
list_revisions(struct dr_core *core, struct dr_arena *arena, struct listing *out,
               struct dr_err *err)
{
    struct listing listing = {.arena = arena};

    DR_TRY(core->store->ops->revision_list(core->store, take_revision, &listing, err));
    for (size_t i = 0; core->trust->chain.msg != NULL && i < listing.n; i++) {
        struct dr_chain_revision found;

        if (dr_chain_find(&core->trust->chain, listing.list[i]->digest.data, &found)) {
            listing.list[i]->approved = true;
            listing.list[i]->withdrawn = found.withdraw != NULL;
        }
    }
    *out = listing;
    return DR_OK;
}

// As the grammar of revision files has it.
static bool
is_id(const char *id)
{
    size_t len = strlen(id);

    return len >= 1 && len <= ID_MAX &&
           strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == len;
}

static enum dr_rc
check_digest(const Drover__V1__SubmittedRevision *revision, struct dr_err *err)
{
    uint8_t parents[PARENTS_MAX][32], digest[32];

    if (!is_id(revision->id) || revision->digest.len != 32 || revision->file_sha256.len != 32 ||
        revision->n_parents > PARENTS_MAX) {
        return dr_err_set(err, DR_E_INVALID, "revision '%.64s' is not complete", revision->id);
    }
    for (size_t i = 0; i < revision->n_parents; i++) {
        if (revision->parents[i].len != 32) {
            return dr_err_set(err, DR_E_INVALID, "revision '%.64s' has a parent without digest",
                              revision->id);
        }
        memcpy(parents[i], revision->parents[i].data, 32);
    }
    dr_digest_revision(digest, revision->id, revision->file_sha256.data, parents,
                       revision->n_parents);
    if (!dr_data_is(revision->digest, digest)) {
        return dr_err_set(err, DR_E_PLAN_MISMATCH,
                          "revision '%s' has not the digest of its file and parents", revision->id);
    }
    return DR_OK;
}

static bool
has_digest(const struct listing *listing, ProtobufCBinaryData digest)
{
    for (size_t i = 0; i < listing->n; i++) {
        if (dr_data_eq(listing->list[i]->digest, digest)) {
            return true;
        }
    }
    return false;
}

// Parents are known, the file is here, and the id is not another approved revision's.
static enum dr_rc
check_place(struct dr_core *core, const struct listing *listing,
            const Drover__V1__SubmittedRevision *revision, struct dr_arena *arena,
            struct dr_err *err)
{
    struct dr_bytes piece;
    uint64_t total = 0;
    struct dr_chain_revision found;

    for (size_t i = 0; i < revision->n_parents; i++) {
        bool in_chain = core->trust->chain.msg != NULL &&
                        dr_chain_find(&core->trust->chain, revision->parents[i].data, &found);

        if (!in_chain && !has_digest(listing, revision->parents[i])) {
            return dr_err_set(
                err, DR_E_REVISION_PARENT, "the parent '%.64s' of revision '%s' is not here",
                i < revision->n_parent_ids ? revision->parent_ids[i] : "?", revision->id);
        }
    }
    for (size_t i = 0; i < listing->n; i++) {
        const Drover__V1__SubmittedRevision *other = listing->list[i];

        if (other->approved && strcmp(other->id, revision->id) == 0 &&
            !dr_data_eq(other->digest, revision->digest)) {
            dr_err_set(err, DR_E_REVISION_DUPLICATE,
                       "revision '%s' is in the approved chain with another content", revision->id);
            return dr_err_hint(err, "put the file back, and make a new revision for the change");
        }
    }
    enum dr_rc rc = core->store->ops->blob_get(core->store, revision->file_sha256.data, 0, arena,
                                               &piece, &total, err);
    if (rc == DR_E_NOT_FOUND || (rc == DR_OK && total != revision->file_size)) {
        return dr_err_set(err, DR_E_BLOB_MISSING, "the file of revision '%s' is not here",
                          revision->id);
    }
    return rc;
}

static enum dr_rc
submit_one(struct dr_core *core, struct listing *listing, Drover__V1__SubmittedRevision *revision,
           const char *actor, struct dr_arena *arena, struct dr_err *err)
{
    const struct dr_event event = {"revision", revision->id, actor, revision->digest.data};

    revision->submitted = dr_now_unix_s();
    revision->submitted_by = dr_arena_str(arena, actor);
    revision->approved = revision->withdrawn = false;
    size_t len = drover__v1__submitted_revision__get_packed_size(revision);
    uint8_t *bytes = dr_arena_alloc(arena, len);
    if (bytes == NULL || revision->submitted_by == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "too many revisions at once");
    }
    drover__v1__submitted_revision__pack(revision, bytes);
    DR_TRY(core->store->ops->revision_put(core->store, revision->digest.data, revision->id,
                                          (struct dr_bytes){bytes, len}, err));
    DR_TRY(take_revision(listing, revision->id, (struct dr_bytes){bytes, len}, err));
    return dr_events_add(core->events, &event, NULL, err, "submitted: %.200s", revision->message);
}

static enum dr_rc
submit(struct dr_core *core, const Drover__V1__SubmitRequest *request, const char *actor,
       struct dr_arena *arena, Drover__V1__SubmitReply *reply, struct dr_err *err)
{
    struct listing listing;

    if (strcmp(request->project, core->config.project) != 0) {
        return dr_err_set(err, DR_E_INVALID,
                          "this coordinator is for project '%s', not for '%.64s'",
                          core->config.project, request->project);
    }
    if (request->n_revisions > SUBMIT_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "%zu revisions at once, at most %u",
                          request->n_revisions, SUBMIT_MAX);
    }
    DR_TRY(list_revisions(core, arena, &listing, err));
    for (size_t i = 0; i < request->n_revisions; i++) {
        Drover__V1__SubmittedRevision *revision = request->revisions[i];

        DR_TRY(check_digest(revision, err));
        if (has_digest(&listing, revision->digest)) {
            continue;
        }
        DR_TRY(check_place(core, &listing, revision, arena, err));
        DR_TRY(submit_one(core, &listing, revision, actor, arena, err));
        reply->added++;
    }
    DR_TRY(list_revisions(core, arena, &listing, err));
    reply->revisions = listing.list;
    reply->n_revisions = listing.n;
    return DR_OK;
}

void
dr_api_operator_submit(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__SubmitReply reply = DROVER__V1__SUBMIT_REPLY__INIT;
    struct dr_err err = {0};
    enum dr_rc rc = dr_core_begin(core, &err);

    if (rc == DR_OK) {
        rc = submit(core, (const Drover__V1__SubmitRequest *)(const void *)message,
                    dr_call_caller(call)->name, dr_call_arena(call), &reply, &err);
    }
    dr_core_answer(core, call, rc, &reply.base, &err);
}

void
dr_api_operator_list_revisions(struct dr_call *call, const ProtobufCMessage *message, void *user)
{
    struct dr_core *core = user;
    Drover__V1__ListRevisionsReply reply = DROVER__V1__LIST_REVISIONS_REPLY__INIT;
    struct dr_err err = {0};
    struct listing listing = {0};
    enum dr_rc rc = list_revisions(core, dr_call_arena(call), &listing, &err);

    (void)message;
    reply.revisions = listing.list;
    reply.n_revisions = listing.n;
    dr_api_answer(core, call, rc, &reply.base, &err);
}
