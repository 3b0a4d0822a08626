// Large pushes: one whose body lies as a blob is fetched piece by piece and handed on whole, in its
// turn: those behind it wait, because their order has a meaning.
#ifndef DR_AGENT_NET_LARGE_H
#define DR_AGENT_NET_LARGE_H

#include "base/err.h"
#include "proto/service.pb-c.h"
#include "rpc/client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_NET_PUSH_MAX  (32u * 1048576u) // bytes of one push's body
#define DR_NET_QUEUE_LEN 256u             // pushes that wait for one

// Open struct, so that net can embed it. `{0}` with the callbacks set is ready.
struct dr_net_large {
    void (*deliver)(void *user, const Drover__V1__Push *push);
    // It cannot be had: everything that waits was dropped, the watch has to begin again.
    void (*give_up)(void *user, const struct dr_err *why);
    void *user;
    Drover__V1__Push *queue[DR_NET_QUEUE_LEN];
    size_t n;
    struct dr_rpc_client *client; // lent with the first push
    bool is_asked;
    uint64_t call;
    uint8_t *bytes; // of the first in the queue
    uint64_t have;
};

// Delivers `push` now, or after those that wait. It is copied if it has to wait.
void dr_net_large_take(struct dr_net_large *large, struct dr_rpc_client *client,
                       const Drover__V1__Push *push);
// The connection is lost, or the end: drops what waits; it is pushed again.
void dr_net_large_reset(struct dr_net_large *large);

#endif
