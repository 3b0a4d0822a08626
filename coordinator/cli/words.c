// The newest verified statements about targets.

#include "coordinator/cli/words.h"

#include "trust/gate.h"

#include <stdlib.h>
#include <string.h>

static int
by_target(const void *a, const void *b)
{
    const struct dr_attestation *one = a;
    const struct dr_attestation *other = b;
    return strcmp(one->msg->target, other->msg->target);
}

void
dr_words_sort(struct dr_words *words)
{
    if (words->count > 0) {
        qsort(words->items, words->count, sizeof(*words->items), by_target);
        words->is_sorted = true;
    }
}

enum dr_rc
dr_words_load(struct dr_remote *remote, const Drover__V1__StatusReply *reply, struct dr_words *out,
              struct dr_err *err)
{
    const struct dr_trust *trust = remote->trust;
    struct dr_arena *arena = remote->cli->arena;
    *out = (struct dr_words){0};
    if (trust->fleet.msg == NULL) {
        return DR_OK;
    }
    ProtobufCBinaryData *wires = dr_arena_array(arena, reply->n_attestations + 1, sizeof(*wires));
    if (wires == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < reply->n_attestations; i++) {
        wires[i] = reply->attestations[i]->envelope;
    }
    enum dr_rc rc =
        dr_gate_load_evidence(arena, &trust->fleet, trust->entries, trust->n_entries, wires,
                              reply->n_attestations, true, &out->items, &out->count, err);
    if (rc == DR_OK) {
        dr_words_sort(out);
    }
    return rc;
}

// Where the words about a target begin; 0 where they may be anywhere.
static size_t
first_of(const struct dr_words *words, const char *target)
{
    size_t low = 0;
    size_t high = words->is_sorted ? words->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(words->items[middle].msg->target, target) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool
fits(const Drover__V1__Attestation *m, Drover__V1__AttestationKind kind)
{
    return kind == DROVER__V1__ATTESTATION_KIND__ATTESTATION_NONE
               ? m->kind != DROVER__V1__ATTESTATION_KIND__BACKUP &&
                     m->kind != DROVER__V1__ATTESTATION_KIND__DRIFT
               : m->kind == kind;
}

const struct dr_attestation *
dr_words_newest(const struct dr_words *words, const char *target, Drover__V1__AttestationKind kind)
{
    const struct dr_attestation *best = NULL;
    for (size_t i = first_of(words, target); i < words->count; i++) {
        const Drover__V1__Attestation *m = words->items[i].msg;
        if (words->is_sorted && !dr_str_eq(m->target, target)) {
            break;
        }
        if (fits(m, kind) && dr_str_eq(m->target, target) &&
            (best == NULL || m->time > best->msg->time ||
             (m->time == best->msg->time && m->counter > best->msg->counter))) {
            best = &words->items[i];
        }
    }
    return best;
}

enum dr_rc
dr_words_heads(struct dr_arena *arena, const struct dr_attestation *word, struct dr_names *out,
               struct dr_err *err)
{
    size_t n = word != NULL ? word->msg->n_heads : 0;
    const char **ids = dr_arena_array(arena, n + 1, sizeof(*ids));
    if (ids == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        ids[i] = word->msg->heads[i]->id;
    }
    *out = (struct dr_names){.items = ids, .count = n};
    return DR_OK;
}
