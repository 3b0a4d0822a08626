// Stored results: what a mutating call answered, by caller and request id, so that a retry gets the
// same answer.
#ifndef DR_RPC_STORE_H
#define DR_RPC_STORE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct dr_rpc_result {
    uint8_t caller[32];
    uint8_t request_id[16];
    uint8_t request_sha256[32]; // of method name, NUL, request bytes: the same id with another
                                // request is refused
    const uint8_t *body;        // serialised reply
    size_t body_len;
};

// Where results are kept. `get` fills body, body_len (memory of `arena`) and request_sha256;
// DR_E_NOT_FOUND when there is none. `put` makes it durable with whatever transaction is open. Both
// run on the server's loop thread.
struct dr_rpc_store {
    enum dr_rc (*get)(void *user, const uint8_t caller[32], const uint8_t request_id[16],
                      struct dr_arena *arena, struct dr_rpc_result *out, struct dr_err *err);
    enum dr_rc (*put)(void *user, const struct dr_rpc_result *result, struct dr_err *err);
    void *user;
};

// In memory: the newest `max` results, the oldest go first. For tests and for programs without a
// store.
struct dr_rpc_memory_store;
struct dr_rpc_memory_store *dr_rpc_memory_store_new(size_t max);
void dr_rpc_memory_store_free(struct dr_rpc_memory_store **store);
struct dr_rpc_store dr_rpc_memory_store_as(struct dr_rpc_memory_store *store);

#endif
