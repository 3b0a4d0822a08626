// Port: a listener with a canary, which dials it now and then and makes it anew when nobody answers
// any more.
#ifndef DR_RPC_CANARY_H
#define DR_RPC_CANARY_H

#include "base/attr.h"
#include "base/err.h"
#include "rpc/stream.h"

#include <stdint.h>

struct dr_port;

// Listens; arguments as of dr_listener_open. `canary_ms` UINT32_MAX: no canary.
DR_MUST_CHECK enum dr_rc
dr_port_open(const char *url, const char *tls_cert_key_file, uint32_t canary_ms,
             dr_listener_accept on_accept, void *user, struct dr_port **out, struct dr_err *err);
void dr_port_close(struct dr_port **port);
uint16_t dr_port_number(const struct dr_port *port);
// Does what is due; every second or so, from one thread. Never blocks for long.
void dr_port_tick(struct dr_port *port, int64_t now_ms);
// How often the listener was made anew; any thread.
uint64_t dr_port_relistened(const struct dr_port *port);

#endif
