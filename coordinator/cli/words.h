// What agents signed about their targets, verified here. The coordinator only hands it over.
#ifndef DR_CLI_WORDS_H
#define DR_CLI_WORDS_H

#include "coordinator/cli/remote.h"

#include "revision/file.h"
#include "trust/attest.h"

// The verified attestations of a status reply; all in the cli's arena.
struct dr_words {
    struct dr_attestation *items;
    size_t count;
    bool is_sorted; // by target, as dr_words_load leaves them
};

// Verifies what the reply carries under the signed fleet; what does not verify is left out.
// DR_E_NOMEM, DR_E_LIMIT.
DR_MUST_CHECK enum dr_rc
dr_words_load(struct dr_remote *remote, const Drover__V1__StatusReply *reply, struct dr_words *out,
              struct dr_err *err);
// Sorts by target: each of thousands is asked about.
void dr_words_sort(struct dr_words *words);
// The newest word about a target, of one kind; with kind NONE of any that tells the target's state
// (all but BACKUP and DRIFT). NULL: none.
const struct dr_attestation *
dr_words_newest(const struct dr_words *words, const char *target, Drover__V1__AttestationKind kind);
// The heads that an attestation tells, as names in the arena. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_words_heads(struct dr_arena *arena, const struct dr_attestation *word,
                                        struct dr_names *out, struct dr_err *err);

#endif
