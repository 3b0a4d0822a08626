// Rehearsals of a plan as lines and as JSON.

#include "coordinator/cli/estimate_view.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/rehearsal_view.h"

#include "trust/envelope.h"
#include "trust/strict.h"

#include <string.h>

#define SHOWN_MAX 20u // targets

enum dr_rc
dr_estimates_load(struct dr_remote *remote, const uint8_t plan_sha256[32],
                  const Drover__V1__Plan *plan, Drover__V1__Mode mode, struct dr_estimates *out,
                  struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__StatusReply all = DROVER__V1__STATUS_REPLY__INIT;
    char kind[] = DR_TYPE_ATTESTATION;
    uint8_t digest[32];
    *out = (struct dr_estimates){.plan = plan, .mode = mode};
    memcpy(digest, plan_sha256, sizeof digest);
    memcpy(out->plan_sha256, plan_sha256, sizeof out->plan_sha256);
    request.kind = kind;
    request.plan_sha256 = (ProtobufCBinaryData){.data = digest, .len = sizeof digest};
    request.subkinds = 1u << DROVER__V1__ATTESTATION_KIND__REHEARSED;
    enum dr_rc rc = dr_remote_list(remote, request, &all.attestations, &all.n_attestations, err);
    return rc == DR_OK ? dr_words_load(remote, &all, &out->words, err) : rc;
}

// The newest of its target that came to its end; NULL: `index` is not where that stands.
static const struct dr_attestation *
at(const struct dr_estimates *e, size_t index)
{
    const struct dr_attestation *one = &e->words.items[index];
    const struct dr_attestation *newest =
        dr_words_newest(&e->words, one->msg->target, DROVER__V1__ATTESTATION_KIND__REHEARSED);
    bool is_it = newest == one && one->msg->rehearsal != NULL && one->msg->code[0] == '\0' &&
                 dr_data_is(one->msg->plan_sha256, e->plan_sha256);
    return is_it ? one : NULL;
}

static const char *
summary_of(const struct dr_cli *cli, const struct dr_estimates *e, const struct dr_attestation *one)
{
    struct dr_buf line = {0};
    dr_rehearsal_summary(one->msg->rehearsal, e->plan, e->mode, &line);
    const char *text = dr_arena_str(cli->arena, line.data == NULL ? "" : line.data);
    dr_buf_fini(&line);
    return text == NULL ? "" : text;
}

void
dr_estimates_print(const struct dr_cli *cli, const struct dr_estimates *e, const char *heading)
{
    size_t n = 0;
    for (size_t i = 0; i < e->words.count; i++) {
        const struct dr_attestation *one = at(e, i);
        if (one == NULL || n++ >= SHOWN_MAX) {
            continue;
        }
        if (n == 1) {
            dr_say(cli, "%s\n", heading);
        }
        dr_say(cli, "  %s: %s\n", dr_print_safe(cli, one->msg->target), summary_of(cli, e, one));
    }
    if (n > SHOWN_MAX) {
        dr_say(cli, "  ... and %zu targets more: --output json has all\n", n - SHOWN_MAX);
    }
}

void
dr_estimates_json(const struct dr_cli *cli, const struct dr_estimates *e, json_t *list)
{
    for (size_t i = 0; i < e->words.count; i++) {
        const struct dr_attestation *one = at(e, i);
        if (one == NULL) {
            continue;
        }
        const Drover__V1__Rehearsal *r = one->msg->rehearsal;
        json_array_append_new(list, json_pack("{s:s, s:I, s:b, s:s, s:s, s:s, s:o}", "target",
                                              one->msg->target, "time", (json_int_t)one->msg->time,
                                              "onBackup", r->backup_sha256.len > 0, "noWayBack",
                                              r->no_way_back, "unlike", one->msg->detail, "summary",
                                              summary_of(cli, e, one), "units",
                                              dr_rehearsal_json(r, e->plan)));
    }
}
