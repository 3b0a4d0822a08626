// Pipe: frames of proto/pipe.proto over a socket pair between two of drover-agent's processes. A
// frame is a u32 big-endian length (1 to DR_PIPE_FRAME_MAX) and one PipeFrame. One thread per pipe.
#ifndef DR_AGENT_PIPE_H
#define DR_AGENT_PIPE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "proto/pipe.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_PIPE_FRAME_MAX (33u * 1048576u) // a push of 32 MiB
#define DR_PIPE_QUEUE_MAX (64u * 1048576u) // bytes that wait to be written

// Open struct, so that loops can embed it. `{0}` is closed.
struct dr_pipe {
    int fd; // -1: closed
    bool is_open;
    char *in; // received, not yet taken
    size_t in_len, in_cap;
    struct dr_buf out; // queued; `out_sent` bytes of it are written
    size_t out_sent;
};

// Takes `fd` and makes it non-blocking.
void dr_pipe_init(struct dr_pipe *pipe, int fd);
// Closes and wipes what is left. A closed pipe is accepted.
void dr_pipe_fini(struct dr_pipe *pipe);

// Queues a frame and writes what the socket takes without blocking. DR_E_LIMIT (frame or queue too
// long), DR_E_AGENT_PIPE (the other side is gone).
DR_MUST_CHECK enum dr_rc
dr_pipe_send(struct dr_pipe *pipe, const Drover__V1__PipeFrame *frame, struct dr_err *err);
// A frame without body in one line; texts and bytes may be NULL, `digest` has 32 bytes.
DR_MUST_CHECK enum dr_rc
dr_pipe_send_simple(struct dr_pipe *pipe, Drover__V1__PipeKind kind, uint64_t number,
                    const uint8_t *digest, struct dr_bytes body, const char *text,
                    struct dr_err *err);
// Writes what is queued, as far as the socket takes it. DR_E_AGENT_PIPE.
DR_MUST_CHECK enum dr_rc dr_pipe_flush(struct dr_pipe *pipe, struct dr_err *err);
// True while something waits to be written: poll for POLLOUT.
bool dr_pipe_has_output(const struct dr_pipe *pipe);
// Bytes queued and not yet written.
size_t dr_pipe_queued(const struct dr_pipe *pipe);

// Next whole frame, or NULL when there is none yet; never blocks. The caller frees it with
// dr_pipe_frame_free. DR_E_AGENT_PIPE: end of file, a length out of range, a frame that does not
// decode or has no known kind.
DR_MUST_CHECK enum dr_rc
dr_pipe_receive(struct dr_pipe *pipe, Drover__V1__PipeFrame **out, struct dr_err *err);
// The same, waiting up to `timeout_ms` (writing meanwhile what is queued): DR_E_TIMEOUT.
DR_MUST_CHECK enum dr_rc dr_pipe_wait(struct dr_pipe *pipe, int64_t timeout_ms,
                                      Drover__V1__PipeFrame **out, struct dr_err *err);
// Waits until all that is queued is written. DR_E_TIMEOUT, DR_E_AGENT_PIPE.
DR_MUST_CHECK enum dr_rc
dr_pipe_drain(struct dr_pipe *pipe, int64_t timeout_ms, struct dr_err *err);
// Wipes and frees; NULL accepted, the pointer is cleared.
void dr_pipe_frame_free(Drover__V1__PipeFrame **frame);

#endif
