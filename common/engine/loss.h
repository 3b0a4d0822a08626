// Loss: what a way down would take away for good, counted before anybody is asked. Which tables
// and columns go is read from the down sections' statements; how much is in them is asked of the
// database, in short READ ONLY transactions that change nothing.
#ifndef DR_ENGINE_LOSS_H
#define DR_ENGINE_LOSS_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_LOSSES_MAX 200u

// One table or one column, or a statement of which only the database knows what it removes.
struct dr_loss {
    const char *revision_id; // whose way down takes it
    const char *table;       // as the database prints it; "" when not known
    const char *column;      // "": whole rows
    uint64_t count;          // rows, or values of the column that are not NULL
    bool is_estimate;        // counting took too long: from the server's statistics
    bool is_unknown;         // not counted at all: `note` says why
    const char *note;        // "" when counted
};

struct dr_engine;
struct dr_engine_job;

// What `job` (mode DOWN; for every other mode the list is empty) would take from the target as it
// is now, in the order in which it would go. `*out` is an array of `*out_count` (at most
// DR_LOSSES_MAX) in the arena. Each count takes 3 s at most, all of them 15 s; what is not counted
// by then is estimated and says so. Blocks; writes nothing. Errors: those of dr_engine_run's look
// (DR_E_NO_DOWN, DR_E_NOT_CONTIGUOUS, DR_E_FILE_DIGEST, ...), of the connection, DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc
dr_engine_losses(struct dr_engine *engine, const struct dr_engine_job *job, struct dr_arena *arena,
                 struct dr_loss **out, size_t *out_count, struct dr_err *err);

// "1203 rows of public.users", "about 5000000 values of users.email (estimated)",
// "what DO removes is not known". Names are shown as a terminal may see them.
void dr_loss_text(const struct dr_loss *loss, struct dr_buf *out);

#endif
