// The greeting of the next watch, kept up to date while net lives: what exec holds by then.
#ifndef DR_AGENT_NET_HELLO_H
#define DR_AGENT_NET_HELLO_H

#include "proto/service.pb-c.h"

// The chain that exec holds; another length than 32 changes nothing.
void dr_net_hello_chain(Drover__V1__AgentHello *hello, ProtobufCBinaryData sha256);
// The log's head that a PUSH_LOG_HEAD showed.
void dr_net_hello_log(Drover__V1__AgentHello *hello, const Drover__V1__Push *push);

#endif
