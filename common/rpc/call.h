// A call on the server: what a handler sees of it. All functions run on the thread that steps the
// server.
#ifndef DR_RPC_CALL_H
#define DR_RPC_CALL_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "rpc/methods.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#define DR_CALLER_NAME_MAX  128u
#define DR_KEY_BYTES        32u // X25519
#define DR_REQUEST_ID_BYTES 16u

enum dr_caller_kind { DR_CALLER_UNKNOWN, DR_CALLER_PERSON, DR_CALLER_AGENT };

// Who calls: the owner of the key that the handshake proved.
struct dr_caller {
    enum dr_caller_kind kind;
    char name[DR_CALLER_NAME_MAX]; // of the person or agent; "" when unknown
    uint8_t key[DR_KEY_BYTES];
};

// A handler ends its call (dr_call_reply, dr_call_fail, dr_call_end) or, to keep it open after its
// return, sets dr_call_on_gone first; a handler that does neither is a defect and the caller gets
// INTERNAL. A call that was ended must not be used again.
struct dr_call;

// `request` lives in the call's arena, which is freed when the handler returns, also for a call
// that stays open (an idle Watch costs little): copy what is needed later.
typedef void (*dr_call_handler)(struct dr_call *call, const ProtobufCMessage *request, void *user);
// The peer cancelled, went away or the deadline passed. The call is ended and freed after this
// returns: forget it. Not called for a call that the handler ended itself.
typedef void (*dr_call_gone)(struct dr_call *call, void *user);
// The window has opened again: dr_call_room(call) is not 0.
typedef void (*dr_call_room_fn)(struct dr_call *call, void *user);

const struct dr_caller *dr_call_caller(const struct dr_call *call);
const struct dr_method *dr_call_method(const struct dr_call *call);
// Memory of the request; NULL after the handler has returned.
struct dr_arena *dr_call_arena(struct dr_call *call);
// "192.0.2.7:52044", for logs.
const char *dr_call_address(const struct dr_call *call);
// Keeps the call open after the handler's return. Streams without a deadline usually do.
void dr_call_on_gone(struct dr_call *call, dr_call_gone gone, void *user);
void dr_call_on_room(struct dr_call *call, dr_call_room_fn room, void *user);

// Unary: sends the reply and ends the call. `reply` is serialised at once. Of a method with stored
// results the result is stored first (unless dr_call_record did it); when that fails the caller
// gets that error instead.
void dr_call_reply(struct dr_call *call, const ProtobufCMessage *reply);
// Ends a unary call or stream with an error: message, hint and number cross the wire.
void dr_call_fail(struct dr_call *call, const struct dr_err *err);
// Stores the result now, so that a handler can have it in its own transaction; the later
// dr_call_reply does not store again. Nothing happens (DR_OK) when the method's results are not
// stored or the client sent no request id.
DR_MUST_CHECK enum dr_rc
dr_call_record(struct dr_call *call, const ProtobufCMessage *reply, struct dr_err *err);

// Stream: sends one item, or queues it while the window is shut (32 items not yet taken by the
// peer, or 1 MiB not yet written). Beyond 4 MiB queued the peer is too slow: DR_E_RPC_LIMIT, its
// connection is cut off and the call is gone (the gone callback runs later, from the step
// function).
DR_MUST_CHECK enum dr_rc
dr_call_send(struct dr_call *call, const ProtobufCMessage *item, struct dr_err *err);
// Items that may still be sent before they are queued.
uint32_t dr_call_room(const struct dr_call *call);
// Ends a stream well, after what is queued.
void dr_call_end(struct dr_call *call);

#endif
