// API: the handlers of all services. Each decides in a module of the core and replies with what a
// view built.
#ifndef DR_CORE_API_H
#define DR_CORE_API_H

#include "coordinator/core/core.h"

void dr_api_documents_put(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_documents_get(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_documents_list(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_documents_put_blob(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_documents_get_blob(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_operator_submit(struct dr_call *call, const ProtobufCMessage *message, void *user);
void
dr_api_operator_list_revisions(struct dr_call *call, const ProtobufCMessage *message, void *user);
void
dr_api_operator_create_rollout(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_operator_get_rollout(struct dr_call *call, const ProtobufCMessage *message, void *user);
void
dr_api_operator_list_rollouts(struct dr_call *call, const ProtobufCMessage *message, void *user);
void
dr_api_operator_order_target(struct dr_call *call, const ProtobufCMessage *message, void *user);
void
dr_api_operator_order_rollout(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_operator_status(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_operator_log(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_operator_agents(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_agent_watch(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_agent_ack(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_agent_attest(struct dr_call *call, const ProtobufCMessage *message, void *user);
void dr_api_agent_report(struct dr_call *call, const ProtobufCMessage *message, void *user);

// Ends a call that changes nothing: the reply, or the error.
void dr_api_answer(struct dr_core *core, struct dr_call *call, enum dr_rc rc,
                   const ProtobufCMessage *reply, const struct dr_err *err);
// Notes in the log, in a transaction of its own, what somebody did that honest programs never do.
void dr_api_alarm(struct dr_core *core, struct dr_call *call, const struct dr_err *err);

// A rollout of what was asked for, checked against fleet, chain and the rollouts that are open; not
// stored yet, freed by the caller. create.c
DR_MUST_CHECK enum dr_rc
dr_api_new_rollout(struct dr_core *core, const Drover__V1__CreateRolloutRequest *request,
                   const char *actor, struct dr_rollout **out, struct dr_err *err);

#endif
