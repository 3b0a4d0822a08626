// Hello: fields of a message that protobuf-c has unpacked, so they are allocated as it does.
#include "agent/net_hello.h"

#include <stdlib.h>
#include <string.h>

static void
set_digest(ProtobufCBinaryData *field, const uint8_t *sha256)
{
    if (field->len != 32) {
        free(field->data);
        field->data = malloc(32);
        field->len = field->data == NULL ? 0 : 32;
    }
    if (field->len == 32) {
        memcpy(field->data, sha256, 32);
    }
}

void
dr_net_hello_chain(Drover__V1__AgentHello *hello, ProtobufCBinaryData sha256)
{
    if (sha256.len == 32) {
        set_digest(&hello->chain_sha256, sha256.data);
    }
}

void
dr_net_hello_log(Drover__V1__AgentHello *hello, const Drover__V1__Push *push)
{
    Drover__V1__LogHead *head = drover__v1__log_head__unpack(NULL, push->body.len, push->body.data);
    if (head != NULL && head->hash.len == 32) {
        set_digest(&hello->log_hash, head->hash.data);
        hello->log_index = hello->log_hash.len == 32 ? head->index : 0;
    }
    drover__v1__log_head__free_unpacked(head, NULL);
}
