// Status mapping: how an error crosses the wire and is raised again on the other side under the
// same code.
#ifndef DR_RPC_STATUS_H
#define DR_RPC_STATUS_H

#include "base/err.h"
#include "proto/service.pb-c.h"

#include <stdint.h>

// The sixteen canonical codes of gRPC (grpc/grpc doc/statuscodes.md) and OK.
enum dr_status {
    DR_STATUS_OK,
    DR_STATUS_CANCELLED,
    DR_STATUS_UNKNOWN,
    DR_STATUS_INVALID_ARGUMENT,
    DR_STATUS_DEADLINE_EXCEEDED,
    DR_STATUS_NOT_FOUND,
    DR_STATUS_ALREADY_EXISTS,
    DR_STATUS_PERMISSION_DENIED,
    DR_STATUS_RESOURCE_EXHAUSTED,
    DR_STATUS_FAILED_PRECONDITION,
    DR_STATUS_ABORTED,
    DR_STATUS_OUT_OF_RANGE,
    DR_STATUS_UNIMPLEMENTED,
    DR_STATUS_INTERNAL,
    DR_STATUS_UNAVAILABLE,
    DR_STATUS_DATA_LOSS,
    DR_STATUS_UNAUTHENTICATED,
};

// Fills `detail` (strings borrow from `err`, which must outlive it) and returns the canonical code
// of `err`.
uint32_t dr_status_from_err(const struct dr_err *err, Drover__V1__StatusDetail *detail);

// Sets `err` from what came over the wire: the same code when the number in `detail` is known, else
// one that fits the canonical code. `detail` may be NULL. The texts are made safe for a terminal
// (dr_show) and cut to size. Returns err's code; never DR_OK, also not for status 0 (that would be
// a peer's mistake: DR_E_RPC_PROTOCOL).
enum dr_rc
dr_status_raise(uint32_t status, const Drover__V1__StatusDetail *detail, struct dr_err *err);

#endif
