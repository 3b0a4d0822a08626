// Status mapping. The number of the error is what counts; the canonical code serves peers that know
// other numbers.
#include "rpc/status.h"

#include "base/str.h"

#include <string.h>

struct row {
    const char *name;
    enum dr_rc rc; // raised when the peer's number says nothing
};

static const struct row rows[] = {
    [DR_STATUS_OK] = {"OK", DR_E_RPC_PROTOCOL},
    [DR_STATUS_CANCELLED] = {"CANCELLED", DR_E_INTERRUPTED},
    [DR_STATUS_UNKNOWN] = {"UNKNOWN", DR_E_RPC_REMOTE},
    [DR_STATUS_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", DR_E_INVALID},
    [DR_STATUS_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", DR_E_TIMEOUT},
    [DR_STATUS_NOT_FOUND] = {"NOT_FOUND", DR_E_NOT_FOUND},
    [DR_STATUS_ALREADY_EXISTS] = {"ALREADY_EXISTS", DR_E_EXISTS},
    [DR_STATUS_PERMISSION_DENIED] = {"PERMISSION_DENIED", DR_E_PERMISSION},
    [DR_STATUS_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", DR_E_RPC_LIMIT},
    [DR_STATUS_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", DR_E_RPC_REMOTE},
    [DR_STATUS_ABORTED] = {"ABORTED", DR_E_CONFLICT},
    [DR_STATUS_OUT_OF_RANGE] = {"OUT_OF_RANGE", DR_E_INVALID},
    [DR_STATUS_UNIMPLEMENTED] = {"UNIMPLEMENTED", DR_E_RPC_UNIMPLEMENTED},
    [DR_STATUS_INTERNAL] = {"INTERNAL", DR_E_RPC_REMOTE},
    [DR_STATUS_UNAVAILABLE] = {"UNAVAILABLE", DR_E_UNREACHABLE},
    [DR_STATUS_DATA_LOSS] = {"DATA_LOSS", DR_E_RPC_REMOTE},
    [DR_STATUS_UNAUTHENTICATED] = {"UNAUTHENTICATED", DR_E_UNAUTHENTICATED},
};

static const char *
name_of(uint32_t status)
{
    return status < DR_COUNT_OF(rows) ? rows[status].name : rows[DR_STATUS_UNKNOWN].name;
}

// protobuf-c's strings are not const; nothing writes through this one.
static char *
lend(const char *text)
{
    union {
        const char *in;
        char *out;
    } u = {.in = text};
    return u.out;
}

uint32_t
dr_status_from_err(const struct dr_err *err, Drover__V1__StatusDetail *detail)
{
    enum dr_rc rc = err->rc == DR_OK ? DR_E_INTERNAL : err->rc;
    drover__v1__status_detail__init(detail);
    detail->message = lend(err->message);
    detail->hint = lend(err->hint);
    detail->error = (uint32_t)rc;
    int status = dr_rc_rpc_status(rc);
    return status > 0 && status < (int)DR_COUNT_OF(rows) ? (uint32_t)status : DR_STATUS_UNKNOWN;
}

// A number from the wire that this program knows; DR_OK when it does not.
static enum dr_rc
known(uint32_t number)
{
    enum dr_rc rc = dr_rc_from_number(number);
    return rc == DR_E_INTERNAL && number != (uint32_t)DR_E_INTERNAL ? DR_OK : rc;
}

static void
show(struct dr_buf *out, const char *text)
{
    size_t len = text == NULL ? 0 : strnlen(text, DR_ERR_MESSAGE_MAX);
    dr_show(out, text == NULL ? "" : text, len, true);
}

enum dr_rc
dr_status_raise(uint32_t status, const Drover__V1__StatusDetail *detail, struct dr_err *err)
{
    enum dr_rc rc = detail == NULL ? DR_OK : known(detail->error);
    if (rc == DR_OK || status == DR_STATUS_OK) {
        rc = status < DR_COUNT_OF(rows) ? rows[status].rc : DR_E_RPC_REMOTE;
    }
    struct dr_buf message = {0}, hint = {0};
    if (detail != NULL) {
        show(&message, detail->message);
        show(&hint, detail->hint);
    }
    if (message.len > 0 && !message.failed) {
        dr_err_set(err, rc, "%s", message.data);
    } else {
        dr_err_set(err, rc, "the coordinator answered %s", name_of(status));
    }
    if (hint.len > 0 && !hint.failed) {
        dr_err_hint(err, "%s", hint.data);
    }
    dr_buf_fini(&message);
    dr_buf_fini(&hint);
    return rc;
}
