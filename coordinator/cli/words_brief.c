// Brief words. What the coordinator says of a document (its digest, whose it is) only tells where
// to look: a word counts when it verifies under the key that the signed fleet has for that target.
// Signatures cost most of a first look at thousands of targets, so several threads share them.

#include "coordinator/cli/words_brief.h"
#include "coordinator/cli/words_kept.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HELPERS_MAX 3u
#define PIECE       32u  // words that a thread takes at once
#define SHARE       256u // words that are worth a thread
#define PIECE_CAP   (256u << 20)

// One word to verify.
struct job {
    ProtobufCBinaryData wire;
    const uint8_t *sha256; // as the coordinator names it
    const struct dr_fleet_entry *entry;
    uint8_t *brief; // by malloc; NULL: it does not verify
    size_t brief_len;
};

struct work {
    const struct dr_trust *trust;
    struct job *jobs;
    size_t n;
    atomic_size_t taken;
};

struct looking {
    struct dr_remote *remote;
    const Drover__V1__StatusReply *reply;
    const Drover__V1__Document **by_digest; // of the reply, in order
    struct dr_kept before, now;
    const struct dr_fleet_entry **entries; // of each of now's items
    struct job *jobs;
    size_t n_jobs;
    bool is_missing; // a word is neither kept nor in the reply
};

// ---- verifying

static void
keep_brief(struct job *job, const Drover__V1__Attestation *m)
{
    Drover__V1__Attestation brief = DROVER__V1__ATTESTATION__INIT;
    Drover__V1__BackupRecord backup = DROVER__V1__BACKUP_RECORD__INIT;
    brief.kind = m->kind;
    brief.target = m->target;
    brief.counter = m->counter;
    brief.time = m->time;
    brief.heads = m->heads;
    brief.n_heads = m->n_heads;
    brief.flags = m->flags;
    brief.started = m->started;
    if (m->backup != NULL) {
        backup.size_bytes = m->backup->size_bytes;
        backup.finished = m->backup->finished;
        brief.backup = &backup;
    }
    job->brief_len = drover__v1__attestation__get_packed_size(&brief);
    job->brief = malloc(job->brief_len + 1);
    if (job->brief != NULL) {
        drover__v1__attestation__pack(&brief, job->brief);
    }
}

static void
verify(const struct dr_trust *trust, struct job *job, struct dr_arena *arena)
{
    struct dr_attestation word;
    struct dr_err ignored = {0};
    if (dr_attest_load(arena, &trust->fleet, job->entry, 1,
                       (struct dr_bytes){job->wire.data, job->wire.len}, &word,
                       &ignored) == DR_OK &&
        memcmp(word.sha256, job->sha256, 32) == 0) {
        keep_brief(job, word.msg);
    }
}

// Whoever is free takes the next piece, so a thread that cannot be begun costs time only.
static void *
verify_some(void *user)
{
    struct work *work = user;
    for (;;) {
        size_t from = atomic_fetch_add(&work->taken, PIECE);
        struct dr_arena *arena = from < work->n ? dr_arena_new(PIECE_CAP) : NULL;
        if (arena == NULL) {
            return NULL;
        }
        for (size_t i = from; i < from + PIECE && i < work->n; i++) {
            verify(work->trust, &work->jobs[i], arena);
        }
        dr_arena_free(&arena);
    }
}

static void
verify_all(struct looking *l)
{
    struct work work = {.trust = l->remote->trust, .jobs = l->jobs, .n = l->n_jobs};
    pthread_t helpers[HELPERS_MAX];
    size_t wanted = l->n_jobs / SHARE;
    size_t begun = 0;
    for (size_t i = 0; i < wanted && i < HELPERS_MAX; i++) {
        begun += pthread_create(&helpers[begun], NULL, verify_some, &work) == 0;
    }
    verify_some(&work);
    for (size_t i = 0; i < begun; i++) {
        (void)pthread_join(helpers[i], NULL);
    }
}

// ---- choosing

static int
by_digest(const void *a, const void *b)
{
    const Drover__V1__Document *one = *(Drover__V1__Document *const *)a;
    const Drover__V1__Document *other = *(Drover__V1__Document *const *)b;
    return memcmp(one->sha256.data, other->sha256.data, 32);
}

static const Drover__V1__Document *
document_of(const struct looking *l, const uint8_t sha256[32])
{
    size_t low = 0;
    size_t high = l->reply->n_attestations;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(sha256, l->by_digest[middle]->sha256.data, 32);
        if (order == 0) {
            return l->by_digest[middle];
        }
        low = order < 0 ? low : middle + 1;
        high = order < 0 ? middle : high;
    }
    return NULL;
}

static void
take_word(struct looking *l, const struct dr_fleet_entry *entry, const uint8_t sha256[32])
{
    const struct dr_kept_word *kept = dr_kept_find(&l->before, sha256);
    const Drover__V1__Document *document = kept == NULL ? document_of(l, sha256) : NULL;
    if (kept != NULL) {
        l->entries[l->now.count] = entry;
        l->now.items[l->now.count++] = *kept;
    } else if (document != NULL) {
        l->jobs[l->n_jobs++] =
            (struct job){.wire = document->envelope, .sha256 = sha256, .entry = entry};
    } else {
        l->is_missing = true;
    }
}

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
reserve(struct looking *l, struct dr_err *err)
{
    struct dr_arena *arena = l->remote->cli->arena;
    const Drover__V1__StatusReply *reply = l->reply;
    size_t n = 1;
    for (size_t i = 0; i < reply->n_targets; i++) {
        n += reply->targets[i]->n_words;
    }
    l->now.items = dr_arena_array(arena, n, sizeof(*l->now.items));
    l->entries = dr_arena_array(arena, n, sizeof(struct dr_fleet_entry *));
    l->jobs = dr_arena_array(arena, n, sizeof(*l->jobs));
    l->by_digest = dr_arena_array(arena, reply->n_attestations + 1, sizeof(Drover__V1__Document *));
    if (l->now.items == NULL || l->entries == NULL || l->jobs == NULL || l->by_digest == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < reply->n_attestations; i++) {
        if (reply->attestations[i]->sha256.len != 32) {
            return dr_err_set(err, DR_E_BAD_DOCUMENT, "the coordinator sent a word without digest");
        }
        l->by_digest[i] = reply->attestations[i];
    }
    if (reply->n_attestations > 0) {
        qsort(l->by_digest, reply->n_attestations, sizeof(l->by_digest[0]), by_digest);
    }
    return DR_OK;
}

static enum dr_rc
choose(struct looking *l, struct dr_err *err)
{
    const struct dr_trust *trust = l->remote->trust;
    l->now = (struct dr_kept){.log_index = l->reply->log_count};
    l->n_jobs = 0;
    l->is_missing = false;
    enum dr_rc rc = reserve(l, err);
    for (size_t i = 0; rc == DR_OK && i < l->reply->n_targets; i++) {
        const Drover__V1__TargetView *view = l->reply->targets[i];
        const struct dr_fleet_entry *entry =
            view->n_words > 0 ? dr_fleet_target(trust->entries, trust->n_entries, view->target)
                              : NULL;
        for (size_t w = 0; entry != NULL && w < view->n_words; w++) {
            if (view->words[w].len == 32) {
                take_word(l, entry, view->words[w].data);
            }
        }
    }
    return rc;
}

static enum dr_rc
ask(struct looking *l, struct dr_err *err)
{
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    request.brief = true;
    request.have_log_index = l->before.log_index;
    enum dr_rc rc =
        dr_remote_call(l->remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, err);
    l->reply = reply;
    return rc == DR_OK && l->remote->trust->fleet.msg != NULL ? choose(l, err) : rc;
}

// ---- the list

// Adds what verified; what was written by malloc moves into the arena.
static enum dr_rc
take_verified(struct looking *l, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; i < l->n_jobs; i++) {
        struct job *job = &l->jobs[i];
        uint8_t *copy = job->brief != NULL && rc == DR_OK
                            ? dr_arena_copy(l->remote->cli->arena, job->brief, job->brief_len)
                            : NULL;
        if (copy != NULL) {
            struct dr_kept_word *word = &l->now.items[l->now.count];
            memcpy(word->sha256, job->sha256, 32);
            word->brief = (struct dr_bytes){copy, job->brief_len};
            l->entries[l->now.count++] = job->entry;
        } else if (job->brief != NULL) {
            rc = no_memory(err);
        }
        free(job->brief);
    }
    return rc;
}

static enum dr_rc
make_words(const struct looking *l, struct dr_words *out, struct dr_err *err)
{
    struct dr_arena *arena = l->remote->cli->arena;
    out->items = dr_arena_array(arena, l->now.count + 1, sizeof(*out->items));
    if (out->items == NULL) {
        return no_memory(err);
    }
    for (size_t i = 0; i < l->now.count; i++) {
        const struct dr_kept_word *kept = &l->now.items[i];
        struct dr_attestation *word = &out->items[out->count];
        const Drover__V1__Attestation *msg = drover__v1__attestation__unpack(
            dr_arena_protobuf(arena), kept->brief.len, kept->brief.data);
        if (msg != NULL && dr_str_eq(msg->target, l->entries[i]->msg->target->name)) {
            word->msg = msg;
            memcpy(word->sha256, kept->sha256, 32);
            out->count++;
        }
    }
    dr_words_sort(out);
    return DR_OK;
}

enum dr_rc
dr_words_brief(struct dr_remote *remote, const Drover__V1__StatusReply **out_reply,
               struct dr_words *out_words, struct dr_err *err)
{
    struct looking l = {.remote = remote};
    *out_words = (struct dr_words){0};
    if (remote->trust->fleet.msg != NULL) {
        dr_kept_load(remote->cli, remote->trust, &l.before);
    }
    enum dr_rc rc = ask(&l, err);
    if (rc == DR_OK && l.is_missing && l.before.log_index > 0) {
        l.before.log_index = 0; // the coordinator was put back, or the file is of another one
        rc = ask(&l, err);
    }
    if (rc != DR_OK) {
        return rc;
    }
    verify_all(&l);
    rc = take_verified(&l, err);
    rc = rc == DR_OK ? make_words(&l, out_words, err) : rc;
    if (rc == DR_OK && l.n_jobs > 0) {
        dr_kept_save(remote->cli, remote->trust, &l.now);
    }
    *out_reply = l.reply;
    return rc;
}
