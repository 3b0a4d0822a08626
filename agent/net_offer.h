// Net, offers: a coordinator that does not know this agent's key is told who it is, again and again
// but not often; people decide about it.
#ifndef DR_AGENT_NET_OFFER_H
#define DR_AGENT_NET_OFFER_H

#include "proto/service.pb-c.h"
#include "rpc/client.h"

#define DR_NET_OFFER_MS 600000 // between two offers

// {0} is empty.
struct dr_net_offer {
    Drover__V1__EnrollRequest *msg; // NULL: none came yet
    int64_t next_ms;                // on dr_monotonic_ms
};

// Takes a packed EnrollRequest from exec; the first counts.
void dr_net_offer_take(struct dr_net_offer *offer, ProtobufCBinaryData body);
// Says it, when there is one and it is time. The answer is logged as what to do next.
void dr_net_offer_make(struct dr_net_offer *offer, struct dr_rpc_client *client);
void dr_net_offer_fini(struct dr_net_offer *offer);

#endif
