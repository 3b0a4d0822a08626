// What a report carries in itself, as lines of base64.
#ifndef DR_CLI_REPORT_EMBED_H
#define DR_CLI_REPORT_EMBED_H

#include "coordinator/cli/report.h"

#define DR_REPORT_BEGIN "<pre id=\"drover-evidence\">\n"
#define DR_REPORT_END   "</pre>\n"

// Appends the lines.
void dr_report_embed(const struct dr_report *report, struct dr_buf *out);

// Add to the report; what is added has to live as long. DR_E_NOMEM.
DR_MUST_CHECK enum dr_rc dr_report_add_entry(struct dr_report *report,
                                             const Drover__V1__LogEntry *entry, struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_report_add_document(struct dr_report *report, const Drover__V1__Document *document,
                       struct dr_err *err);
DR_MUST_CHECK enum dr_rc
dr_report_add_blob(struct dr_report *report, struct dr_bytes bytes, struct dr_err *err);

#endif
