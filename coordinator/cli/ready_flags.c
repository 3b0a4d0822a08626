// Names of READY flags.

#include "coordinator/cli/ready_flags.h"

#include "base/str.h"
#include "proto/documents.pb-c.h"

#include <string.h>

static const struct {
    const char *name;
    Drover__V1__ReadyFlag flag;
} FLAGS[] = {
    {"regressed", DROVER__V1__READY_FLAG__FLAG_REGRESSED},
    {"foreign", DROVER__V1__READY_FLAG__FLAG_FOREIGN},
    {"drift", DROVER__V1__READY_FLAG__FLAG_DRIFT},
    {"partial", DROVER__V1__READY_FLAG__FLAG_PARTIAL},
    {"no-backup", DROVER__V1__READY_FLAG__FLAG_NO_BACKUP},
    {"difference", DROVER__V1__READY_FLAG__FLAG_DIFFERENCE},
    {"new-epoch", DROVER__V1__READY_FLAG__FLAG_NEW_EPOCH},
};

enum dr_rc
dr_ready_flags_parse(const char *text, uint32_t *out, struct dr_err *err)
{
    *out = 0;
    for (const char *p = text; p != NULL && *p != '\0';) {
        size_t len = strcspn(p, ",");
        uint32_t flag = 0;
        for (size_t i = 0; i < DR_COUNT_OF(FLAGS); i++) {
            if (strlen(FLAGS[i].name) == len && memcmp(FLAGS[i].name, p, len) == 0) {
                flag = (uint32_t)FLAGS[i].flag;
            }
        }
        if (flag == 0) {
            *out = 0;
            dr_err_set(err, DR_E_USAGE, "--ack does not know '%.*s'", (int)len, p);
            return dr_err_hint(
                err, "no-backup, drift, partial, regressed, foreign, difference, new-epoch");
        }
        *out |= flag;
        p += len + (p[len] == ',' ? 1 : 0);
    }
    return DR_OK;
}

const char *
dr_ready_flags_names(struct dr_arena *arena, uint32_t flags)
{
    struct dr_buf out = {0};
    for (size_t i = 0; i < DR_COUNT_OF(FLAGS); i++) {
        if ((flags & (uint32_t)FLAGS[i].flag) != 0) {
            dr_buf_printf(&out, "%s%s", out.len ? "," : "", FLAGS[i].name);
        }
    }
    const char *text = dr_arena_str(arena, out.data ? out.data : "");
    dr_buf_fini(&out);
    return text ? text : "";
}
