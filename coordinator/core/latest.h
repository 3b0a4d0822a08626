// Latest: the newest attestation of each kind that a status shows, target by target, so that a look
// at thousands of targets asks the store only about those that said something since the last one.
#ifndef DR_CORE_LATEST_H
#define DR_CORE_LATEST_H

#include "coordinator/core/core.h"

// STATE, APPLIED, REVERTED and READY tell a target's state; then BACKUP and DRIFT.
enum { DR_LATEST_STATE, DR_LATEST_BACKUP = 4, DR_LATEST_DRIFT, DR_LATEST_KINDS };

struct dr_latest_word {
    bool is_there;
    uint8_t sha256[32]; // of the payload
    int64_t time;
    uint64_t counter, log_index;
};

struct dr_latest {
    UT_hash_handle hh;
    char target[DR_TARGET_NAME_MAX];
    struct dr_latest_word words[DR_LATEST_KINDS];
};

// What is known of a target; valid until the next call of dr_latest_forget. DR_E_NOMEM and errors
// of the store.
DR_MUST_CHECK enum dr_rc dr_latest_of(struct dr_core *core, const char *target,
                                      const struct dr_latest **out, struct dr_err *err);
// The newest of the words that tell the target's state; NULL: none.
const struct dr_latest_word *dr_latest_state(const struct dr_latest *latest);
// Something new was put about the target: it is read again when it is asked for.
void dr_latest_forget(struct dr_core *core, const char *target);
void dr_latest_free(struct dr_core *core);

#endif
