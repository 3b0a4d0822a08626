// Method table: the rows of methods_table.h.
#include "rpc/methods.h"

#include "proto/service.pb-c.h"

#include <assert.h>
#include <string.h>

#define PACKAGE "drover.v1."

static const struct dr_method methods[DR_METHOD_COUNT] = {
#define DR_METHOD(id_, service_, service_name_, name_, request_, reply_, auth_, max_, streams_,    \
                  retry_)                                                                          \
    [DR_METHOD_##id_] = {                                                                          \
        .id = DR_METHOD_##id_,                                                                     \
        .name = service_name_ "/" name_,                                                           \
        .service_name = service_name_,                                                             \
        .method_name = name_,                                                                      \
        .service = &drover__v1__##service_##__descriptor,                                          \
        .request = &drover__v1__##request_##__descriptor,                                          \
        .reply = &drover__v1__##reply_##__descriptor,                                              \
        .auth = DR_AUTH_##auth_,                                                                   \
        .request_max_bytes = max_,                                                                 \
        .is_streaming = streams_,                                                                  \
        .retry = DR_RETRY_##retry_,                                                                \
    },
#include "rpc/methods_table.h"
#undef DR_METHOD
};

const struct dr_method *
dr_method_at(enum dr_method_id id)
{
    assert((unsigned)id < DR_METHOD_COUNT);
    return &methods[id];
}

const struct dr_method *
dr_method_find(const char *name)
{
    for (size_t i = 0; i < DR_METHOD_COUNT; i++) {
        if (strcmp(name, methods[i].name) == 0 ||
            strcmp(name, methods[i].name + sizeof PACKAGE - 1) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

const char *
dr_auth_name(enum dr_auth auth)
{
    static const char *const names[] = {
        [DR_AUTH_ANYONE] = "anyone",
        [DR_AUTH_PERSON] = "person",
        [DR_AUTH_AGENT] = "agent",
        [DR_AUTH_PERSON_OR_AGENT] = "person or agent",
    };
    return (unsigned)auth < DR_COUNT_OF(names) ? names[auth] : "nobody";
}
