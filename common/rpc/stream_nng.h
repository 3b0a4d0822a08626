// What the two files behind stream.h share: the only header that names nng.
#ifndef DR_RPC_STREAM_NNG_H
#define DR_RPC_STREAM_NNG_H

#include "rpc/stream.h"

#include <nng/nng.h>

// A stream of ours around nng's, which is taken over, also on failure. NULL when memory is out.
struct dr_stream *dr_stream_adopt(nng_stream *nng);

#endif
