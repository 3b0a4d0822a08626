// Expiry: says in time that the root or the fleet ends: without a newer one nothing runs any more.
#ifndef DR_AGENT_EXPIRY_H
#define DR_AGENT_EXPIRY_H

#include "trust/store.h"

#include <stddef.h>
#include <stdint.h>

#define DR_EXPIRY_WARN_S (14ll * 86400) // before the end

// {0} warns at once where something is to be said.
struct dr_expiry {
    int64_t next_root, next_fleet; // unix seconds: not before
};

// Seconds until the next warning when `left_s` are left: half of them, at most two days and at
// least an hour; 0: nothing is to be said yet.
int64_t dr_expiry_pause(int64_t left_s);
// Logs what is to be said at `now`. Gives how many warnings that were.
unsigned dr_expiry_warn(struct dr_expiry *expiry, const struct dr_trust *trust, int64_t now);

#endif
