// Net, offers: see net_offer.h.
#include "agent/net_offer.h"

#include "agent/net.h"
#include "agent/pace.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

// What an offer led to, as the host's owner should read it.
static const struct {
    const char *state, *text;
} ANSWERS[] = {
    {"offered", "not in the fleet yet: compare the key with what drover agent list shows, then let "
                "it be added"},
    {"other-key", "the fleet names another key for this agent: drover agent rekey gives it this "
                  "one"},
    {"retired", "the fleet retired this agent: stop it, or add it again under a new name"},
    {"active", "the fleet names this key now"},
};

static void
on_offered(void *user, const ProtobufCMessage *reply, const struct dr_err *err)
{
    const struct dr_net_offer *offer = user;
    if (err->rc != DR_OK) {
        dr_log_err(DR_LOG_WARN, "the offer to the coordinator was not taken", err);
        return;
    }
    const Drover__V1__EnrollReply *answer = (const Drover__V1__EnrollReply *)reply;
    for (size_t i = 0; i < DR_COUNT_OF(ANSWERS); i++) {
        if (dr_str_eq(ANSWERS[i].state, answer->state)) {
            dr_log(DR_LOG_WARN, ANSWERS[i].text, "agent", offer->msg->agent, NULL);
        }
    }
}

void
dr_net_offer_make(struct dr_net_offer *offer, struct dr_rpc_client *client)
{
    struct dr_err err = {0};
    if (offer->msg != NULL && dr_pace_may(&offer->next_ms, dr_monotonic_ms(), DR_NET_OFFER_MS) &&
        dr_rpc_client_start(client, DR_METHOD_ENROLL_OFFER, &offer->msg->base, DR_NET_CALL_MS, NULL,
                            on_offered, offer, NULL, &err) != DR_OK) {
        dr_log_err(DR_LOG_WARN, "offer", &err);
    }
}

void
dr_net_offer_take(struct dr_net_offer *offer, ProtobufCBinaryData body)
{
    if (offer->msg == NULL) {
        offer->msg = drover__v1__enroll_request__unpack(NULL, body.len, body.data);
    }
}

void
dr_net_offer_fini(struct dr_net_offer *offer)
{
    if (offer->msg != NULL) {
        drover__v1__enroll_request__free_unpacked(offer->msg, NULL);
        offer->msg = NULL;
    }
}
