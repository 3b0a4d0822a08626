// The page of a report. Pure: the same evidence gives the same bytes, which is how a page is
// checked.

#include "coordinator/cli/print.h"
#include "coordinator/cli/report_embed.h"

#include "trust/plandoc.h"

#include <stdio.h>
#include <string.h>

static const char HEAD[] = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                           "<meta http-equiv=\"Content-Security-Policy\" "
                           "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width\">\n";

static const char STYLE[] =
    "<style>\nbody{font:15px/1.5 sans-serif;margin:2em auto;max-width:75em;padding:0 1em;"
    "color:#222;background:#fff}\ntable{border-collapse:collapse;width:100%}\n"
    "th,td{text-align:left;vertical-align:top;padding:.25em .7em .25em 0;border-bottom:1px solid "
    "#ddd;overflow-wrap:anywhere}\ncode,pre{font:13px/1.4 monospace}\n"
    "pre{background:#f5f5f5;padding:.7em;overflow:auto;max-height:30em}\n</style>\n";

static void
hex_of(struct dr_buf *out, const uint8_t *bytes, size_t len)
{
    char hex[65] = "";
    if (len == 32) {
        dr_hex(hex, bytes, 32);
    }
    dr_buf_printf(out, "<code>%s</code>", hex);
}

static void
cell(struct dr_buf *out, const char *text)
{
    dr_buf_str(out, "<td>");
    dr_print_xml(out, text);
    dr_buf_str(out, "</td>");
}

static void
cell_time(struct dr_buf *out, int64_t time)
{
    char text[32] = "";
    if (time > 0) {
        dr_format_time(text, time);
    }
    cell(out, text);
}

static void
cell_hex(struct dr_buf *out, const uint8_t *bytes, size_t len)
{
    dr_buf_str(out, "<td>");
    hex_of(out, bytes, len);
    dr_buf_str(out, "</td>");
}

static void
table_begin(struct dr_buf *out, const char *title, const char *const *columns)
{
    dr_buf_printf(out, "<h2>%s</h2>\n<table>\n<tr>", title);
    for (size_t i = 0; columns[i] != NULL; i++) {
        dr_buf_printf(out, "<th>%s</th>", columns[i]);
    }
    dr_buf_str(out, "</tr>\n");
}

// ---- sections

static void
add_summary(const struct dr_report *r, struct dr_buf *out)
{
    char time[32];
    const Drover__V1__LogEntry *last = r->entries[r->n_entries - 1];
    dr_format_time(time, last->time);
    dr_buf_printf(out,
                  "<h1>Rollout %s</h1>\n<p>As the log told it at %s, entry %llu, whose hash is ",
                  r->rollout, time, (unsigned long long)r->findings.head.index);
    hex_of(out, r->findings.head.hash, 32);
    dr_buf_str(out, ". First root: ");
    hex_of(out, r->pinned, 32);
    dr_buf_printf(out,
                  ".</p>\n<p>Checked when this was made, and again by <code>drover report --verify "
                  "FILE --root-sha256 HEX</code> without any server: every signature from the "
                  "first root on, every hash of the log, the digests of plan and files, and that "
                  "this page says what they say. %zu gaps in the log.</p>\n",
                  r->findings.n_gaps);
}

// The last word of the log on each target.
static void
add_targets(const struct dr_report *r, struct dr_buf *out)
{
    static const char *const columns[] = {"Target", "State", "Since", NULL};
    table_begin(out, "Targets", columns);
    for (size_t i = 0; i < r->n_entries; i++) {
        const Drover__V1__LogEntry *e = r->entries[i];
        bool is_last = dr_str_eq(e->kind, "target") && dr_report_is_about(r, e);
        for (size_t k = i + 1; is_last && k < r->n_entries; k++) {
            is_last = !(dr_str_eq(r->entries[k]->kind, "target") &&
                        dr_str_eq(r->entries[k]->subject, e->subject));
        }
        const char *name = strchr(e->subject, ' ');
        if (is_last && name != NULL) {
            dr_buf_str(out, "<tr>");
            cell(out, name + 1);
            cell(out, e->text);
            cell_time(out, e->time);
            dr_buf_str(out, "</tr>\n");
        }
    }
    dr_buf_str(out, "</table>\n");
}

static void
add_timeline(const struct dr_report *r, struct dr_buf *out)
{
    static const char *const columns[] = {"Entry", "Time",     "Kind", "About", "What",
                                          "By",    "Document", "Hash", NULL};
    table_begin(out, "Timeline", columns);
    for (size_t i = 0; i < r->n_entries; i++) {
        const Drover__V1__LogEntry *e = r->entries[i];
        if (!dr_report_is_about(r, e)) {
            continue;
        }
        dr_buf_printf(out, "<tr><td>%llu</td>", (unsigned long long)e->index);
        cell_time(out, e->time);
        cell(out, e->kind);
        cell(out, e->subject);
        cell(out, e->text);
        cell(out, e->actor);
        cell_hex(out, e->document.data, e->document.len);
        cell_hex(out, e->hash.data, e->hash.len);
        dr_buf_str(out, "</tr>\n");
    }
    dr_buf_str(out, "</table>\n");
}

static const char *
enum_name(const ProtobufCEnumDescriptor *descriptor, int value)
{
    const ProtobufCEnumValue *row = protobuf_c_enum_descriptor_get_value(descriptor, value);
    return row != NULL ? row->name : "?";
}

static void
add_signatures(const struct dr_report *r, struct dr_buf *out)
{
    static const char *const columns[] = {"What", "Where",  "Signed by", "Time",
                                          "Note", "Digest", NULL};
    table_begin(out, "Signatures of people", columns);
    for (size_t i = 0; i < r->n_own; i++) {
        const struct dr_report_document *one = &r->own[i];
        if (one->attestation != NULL) {
            continue;
        }
        bool is_approval = one->approval != NULL;
        dr_buf_str(out, "<tr>");
        cell(out, is_approval
                      ? "approval"
                      : enum_name(&drover__v1__signoff_kind__descriptor, (int)one->signoff->kind));
        cell(out, is_approval ? one->approval->environment : one->signoff->environment);
        cell(out, dr_report_signers(r, one));
        cell_time(out, is_approval ? one->approval->not_before : one->signoff->time);
        dr_buf_str(out, "<td>");
        dr_print_xml(out, is_approval
                              ? enum_name(&drover__v1__mode__descriptor, (int)one->approval->mode)
                              : one->signoff->item);
        if (!is_approval && one->signoff->note[0] != '\0') {
            dr_buf_str(out, ": ");
            dr_print_xml(out, one->signoff->note);
        }
        dr_buf_str(out, "</td>");
        cell_hex(out, one->envelope.sha256, 32);
        dr_buf_str(out, "</tr>\n");
    }
    dr_buf_str(out, "</table>\n");
}

static void
add_evidence(const struct dr_report *r, struct dr_buf *out)
{
    static const char *const columns[] = {"What",      "Target", "Signed by", "Time",
                                          "Revisions", "Detail", "Digest",    NULL};
    table_begin(out, "Evidence of agents", columns);
    for (size_t i = 0; i < r->n_own; i++) {
        const Drover__V1__Attestation *a = r->own[i].attestation;
        if (a == NULL) {
            continue;
        }
        dr_buf_str(out, "<tr>");
        cell(out, enum_name(&drover__v1__attestation_kind__descriptor, (int)a->kind));
        cell(out, a->target);
        cell(out, dr_report_signers(r, &r->own[i]));
        cell_time(out, a->time);
        dr_buf_str(out, "<td>");
        for (size_t h = 0; h < a->n_heads; h++) {
            dr_buf_str(out, h > 0 ? ", " : "");
            dr_print_xml(out, a->heads[h]->id);
        }
        dr_buf_str(out, "</td><td>");
        dr_print_xml(out, a->code);
        dr_buf_str(out, a->code[0] && a->detail[0] ? ": " : "");
        dr_print_xml(out, a->detail);
        if (a->backup != NULL) {
            char size[32];
            dr_format_size(size, a->backup->size_bytes);
            dr_buf_printf(out, "backup of %s ", size);
            hex_of(out, a->backup->sha256.data, a->backup->sha256.len);
        }
        dr_buf_str(out, "</td>");
        cell_hex(out, r->own[i].envelope.sha256, 32);
        dr_buf_str(out, "</tr>\n");
    }
    dr_buf_str(out, "</table>\n");
}

// Is it what an approval of this rollout names?
static bool
is_approved(const struct dr_report *r, const uint8_t sha256[32])
{
    for (size_t i = 0; i < r->n_own; i++) {
        if (r->own[i].approval != NULL && dr_data_is(r->own[i].approval->plan_sha256, sha256)) {
            return true;
        }
    }
    return false;
}

// Text between tags, with its lines.
static void
add_lines(struct dr_buf *out, struct dr_bytes bytes)
{
    struct dr_buf shown = {0};
    dr_show(&shown, (const char *)bytes.data, bytes.len, true);
    for (size_t i = 0; i < shown.len; i++) {
        const char c = shown.data[i];
        const char *word = c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : NULL;
        dr_buf_add(out, word ? word : &shown.data[i], word ? strlen(word) : 1);
    }
    dr_buf_fini(&shown);
}

static void
add_plan(const struct dr_report *r, const struct dr_report_blob *blob, struct dr_buf *out)
{
    Drover__V1__Plan *plan = NULL;
    struct dr_err ignored = {0};
    if (dr_plandoc_decode(r->cli->arena, blob->bytes, blob->sha256, &plan, &ignored) != DR_OK) {
        return; // a file of one
    }
    dr_buf_str(out, "<h2>Plan</h2>\n<p>");
    hex_of(out, blob->sha256, 32);
    dr_buf_str(out, is_approved(r, blob->sha256) ? ", as the approval names it</p>\n"
                                                 : ", which no approval names yet</p>\n");
    for (size_t i = 0; i < plan->n_revisions; i++) {
        const Drover__V1__PlanRevision *revision = plan->revisions[i];
        const struct dr_report_blob *file =
            dr_report_blob(r, revision->file_sha256.data, revision->file_sha256.len);
        dr_buf_str(out, "<h3>");
        dr_print_xml(out, revision->id);
        dr_buf_str(out, " ");
        dr_print_xml(out, revision->message);
        dr_buf_str(out, "</h3>\n<pre>\n");
        if (file != NULL) {
            add_lines(out, file->bytes);
        }
        dr_buf_str(out, "</pre>\n");
    }
}

void
dr_report_html(const struct dr_report *r, struct dr_buf *out)
{
    struct dr_buf evidence = {0};
    uint8_t digest[32];
    dr_report_embed(r, &evidence);
    dr_sha256((struct dr_bytes){(const uint8_t *)evidence.data, evidence.len}, digest);
    dr_buf_str(out, HEAD);
    dr_buf_printf(out, "<title>Rollout %s</title>\n", r->rollout);
    dr_buf_str(out, STYLE);
    dr_buf_str(out, "</head>\n<body>\n");
    add_summary(r, out);
    add_targets(r, out);
    add_signatures(r, out);
    add_evidence(r, out);
    add_timeline(r, out);
    for (size_t i = 0; i < r->n_blobs; i++) {
        add_plan(r, &r->blobs[i], out);
    }
    dr_buf_str(out, "<details>\n<summary>The log, the signed documents and the plan, in base64, "
                    "SHA-256 ");
    hex_of(out, digest, 32);
    dr_buf_str(out, "</summary>\n" DR_REPORT_BEGIN);
    dr_buf_add(out, evidence.data, evidence.len);
    dr_buf_str(out, DR_REPORT_END "</details>\n</body>\n</html>\n");
    out->failed = out->failed || evidence.failed;
    dr_buf_fini(&evidence);
}
