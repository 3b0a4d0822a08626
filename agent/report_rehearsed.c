// Report, REHEARSED: what a plan did on a copy of the target. It tells the copy's schemas, and none
// as the target's: what somebody may believe of the target, a READY or STATE says.
#include "agent/report_internal.h"

enum dr_rc
dr_report_say_rehearsed(struct dr_report *report, const Drover__V1__WorkerResult *result,
                        uint8_t out_sha256[32], struct dr_err *err)
{
    struct dr_agent_slot *slot = report->slot;
    Drover__V1__Attestation msg = dr_report_word(report, DR_REPORT_KIND(REHEARSED));
    msg.identity = result->identity;
    msg.started = result->started;
    msg.finished = result->finished;
    msg.duration_ms = result->duration_ms;
    msg.rehearsal = result->rehearsal;
    msg.detail = result->rehearsal_unlike;
    enum dr_rc rc = slot->failure.rc == DR_OK ? DR_OK : dr_report_set_reason(slot, &msg, err);
    return rc != DR_OK ? rc : dr_report_say(report, &msg, out_sha256, NULL, err);
}
