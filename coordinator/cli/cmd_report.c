// report: what happened in a rollout, with the evidence, for people who were not there; and its
// check without any server.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/log_source.h"
#include "coordinator/cli/log_verify.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/report.h"
#include "coordinator/cli/rollout_view.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static void
print_text(const struct dr_report *r)
{
    const struct dr_cli *cli = r->cli;
    char time[32];
    for (size_t i = 0; i < r->n_entries; i++) {
        const Drover__V1__LogEntry *e = r->entries[i];
        if (dr_report_is_about(r, e)) {
            dr_format_time(time, e->time);
            dr_say(cli, "%s  %-12s %-28s %s%s%s\n", time, e->kind, e->subject, e->text,
                   e->actor[0] ? "  by " : "", e->actor);
        }
    }
    for (size_t i = 0; i < r->n_own; i++) {
        const struct dr_report_document *one = &r->own[i];
        char digest[20];
        dr_print_digest(digest, one->envelope.sha256, 32);
        if (one->attestation == NULL) {
            dr_say(cli, "%s of %s%s%s, %s: signed by %s\n", one->approval ? "approval" : "sign-off",
                   one->approval ? one->approval->environment : one->signoff->environment,
                   one->approval ? "" : ", ", one->approval ? "" : one->signoff->item, digest,
                   dr_report_signers(r, one));
        }
    }
}

static void
say_proved(const struct dr_report *r, const char *file)
{
    const struct dr_log_findings *f = &r->findings;
    uint32_t n = 0;
    char head[65];
    for (size_t k = 0; k < DR_LOG_KINDS; k++) {
        n += f->counts[k];
    }
    dr_hex(head, f->head.hash, 32);
    if (r->cli->format != DR_CLI_TEXT) {
        dr_print_json(r->cli, json_pack("{s:s, s:s, s:b, s:I, s:I, s:s, s:I, s:I}", "schema",
                                        "drover.v1.ReportVerified", "rollout", r->rollout, "valid",
                                        1, "entries", (json_int_t)f->head.index, "documents",
                                        (json_int_t)n, "head", head, "gaps", (json_int_t)f->n_gaps,
                                        "files", (json_int_t)r->n_blobs));
        return;
    }
    dr_say(r->cli, "%s: rollout %s\n", file, r->rollout);
    dr_say(r->cli, "proved: the signatures of %u documents, from the pinned first root on\n", n);
    dr_say(r->cli, "proved: %llu entries of the log are one chain, which ends at %llu:%s\n",
           (unsigned long long)f->head.index, (unsigned long long)f->head.index, head);
    dr_say(r->cli,
           "proved: the page says what they say, byte for byte, with %zu files of the plan\n",
           r->n_blobs);
    dr_say(r->cli,
           "not proved: that the log is the one that others saw (drover log --compare "
           "%llu:%s), and what it tells without a signed document\n",
           (unsigned long long)f->head.index, head);
    if (f->n_gaps > 0) {
        dr_say(r->cli, "gaps: %zu, see drover log --verify\n", f->n_gaps);
    }
}

static enum dr_rc
compare_page(const struct dr_report *r, struct dr_bytes page, const char *file, struct dr_err *err)
{
    struct dr_buf again = {0};
    dr_report_html(r, &again);
    size_t at = 0;
    uint32_t line = 1;
    while (!again.failed && at < again.len && at < page.len &&
           (uint8_t)again.data[at] == page.data[at]) {
        line += again.data[at++] == '\n' ? 1 : 0;
    }
    enum dr_rc rc = again.failed ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
    if (rc == DR_OK && (at < again.len || at < page.len)) {
        dr_err_set(err, DR_E_BAD_LOG,
                   "the page does not say what its signed documents and its log say");
        rc = dr_err_at(err, file, line, 1);
    }
    dr_buf_fini(&again);
    return rc;
}

static enum dr_rc
verify(struct dr_cli *cli, const char *file, struct dr_err *err)
{
    struct dr_report r;
    uint8_t pinned[32];
    char *text = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_log_pin(cli, pinned, err);
    rc = rc == DR_OK ? dr_file_read(file, DR_REPORT_MAX, &text, &len, err) : rc;
    const struct dr_bytes page = {(const uint8_t *)text, len};
    rc = rc == DR_OK ? dr_report_extract(cli, page, &r, err) : rc;
    rc = rc == DR_OK && r.n_entries == 0 ? dr_log_say_empty(file, err) : rc;
    rc = rc == DR_OK ? dr_report_check(&r, pinned, err) : rc;
    rc = rc == DR_OK ? compare_page(&r, page, file, err) : rc;
    if (rc == DR_OK) {
        say_proved(&r, file);
    }
    free(text);
    return rc;
}

static enum dr_rc
write_page(const struct dr_report *r, const char *file, struct dr_err *err)
{
    struct dr_buf out = {0};
    dr_report_html(r, &out);
    enum dr_rc rc = out.failed ? dr_err_set(err, DR_E_NOMEM, "out of memory")
                               : dr_file_write(file, out.data, out.len, 0644, err);
    dr_buf_fini(&out);
    if (rc == DR_OK) {
        dr_say(r->cli, "%s written. Whoever has it checks it with: drover report --verify %s\n",
               file, file);
    }
    return rc;
}

enum dr_rc
dr_cmd_report(struct dr_cli *cli, struct dr_err *err)
{
    const char *file = dr_cli_option(cli, "verify");
    const char *html = dr_cli_option(cli, "html");
    struct dr_remote remote = {0};
    struct dr_report r = {0};
    uint8_t pinned[32];
    if ((file != NULL) == (cli->args_count == 1) || (file != NULL && html != NULL)) {
        dr_err_set(err, DR_E_USAGE, "report takes a rollout, or --verify FILE");
        return dr_err_hint(err, "drover report R-1 --html r1.html");
    }
    if (file != NULL) {
        return verify(cli, file, err);
    }
    if (!dr_rollout_id_is_valid(cli->args[0])) {
        return dr_err_set(err, DR_E_USAGE, "'%s' is no rollout: R-1, R-2, ...", cli->args[0]);
    }
    enum dr_rc rc = dr_log_pin(cli, pinned, err);
    rc = rc == DR_OK ? dr_remote_open(cli, &remote, err) : rc;
    rc = rc == DR_OK ? dr_report_gather(&remote, cli->args[0], &r, err) : rc;
    rc = rc == DR_OK ? dr_report_check(&r, pinned, err) : rc;
    if (rc == DR_OK && html != NULL) {
        rc = write_page(&r, html, err);
    } else if (rc == DR_OK && cli->format == DR_CLI_TEXT) {
        print_text(&r);
    }
    if (rc == DR_OK && (html == NULL || cli->format != DR_CLI_TEXT)) {
        say_proved(&r, "the coordinator's log");
    }
    dr_remote_close(&remote);
    return rc;
}
