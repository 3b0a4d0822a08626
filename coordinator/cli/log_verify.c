// Verifying the log: every hash and every signature, or with --hashes the hashes alone.
#include "coordinator/cli/log_verify.h"
#include "coordinator/cli/log_audit.h"
#include "coordinator/cli/log_source.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/file.h"

#include <string.h>

// Words for the counts, in the order of enum dr_log_kind.
static const struct {
    const char *json, *one, *many;
} KINDS[DR_LOG_KINDS] = {
    {"root", "root", "roots"},
    {"fleet", "fleet", "fleets"},
    {"chain", "chain", "chains"},
    {"approval", "approval", "approvals"},
    {"attestation", "attestation", "attestations"},
    {"signoff", "sign-off", "sign-offs"},
};

struct verifying {
    struct dr_cli *cli;
    struct dr_log_audit *audit; // NULL: hashes only
    struct dr_loghash chain;    // hashes only
    uint64_t n_entries;
    size_t n_documents;
};

static enum dr_rc
take_entry(void *user, const Drover__V1__LogEntry *entry, uint32_t line, struct dr_err *err)
{
    struct verifying *v = user;
    v->n_entries++;
    return v->audit != NULL ? dr_log_audit_entry(v->audit, entry, line, err)
                            : dr_loghash_verify(&v->chain, entry, err);
}

static enum dr_rc
take_document(void *user, const Drover__V1__Document *document, struct dr_err *err)
{
    struct verifying *v = user;
    v->n_documents++;
    return dr_log_audit_document(v->audit, document, err);
}

// Attestations are many, so they come in pages; then the others one by one. What is not there is a
// gap, which the audit tells.
static enum dr_rc
fetch_documents(struct verifying *v, struct dr_remote *remote, struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__Document **list = NULL;
    uint8_t(*digests)[32] = NULL;
    size_t n = 0;
    request.kind = dr_arena_str(v->cli->arena, DR_TYPE_ATTESTATION);
    enum dr_rc rc = request.kind != NULL ? dr_remote_list(remote, request, &list, &n, err)
                                         : dr_err_set(err, DR_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = take_document(v, list[i], err);
    }
    rc = rc == DR_OK ? dr_log_audit_wanted(v->audit, &digests, &n, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        Drover__V1__Document *document = NULL;
        struct dr_err mine = {0};
        rc = dr_log_fetch(remote, digests[i], v->cli->arena, &document, &mine);
        if (rc == DR_OK) {
            rc = take_document(v, document, err);
        } else if (rc == DR_E_NOT_FOUND) {
            rc = DR_OK;
        } else {
            *err = mine;
        }
    }
    return rc;
}

static enum dr_rc
read_all(struct verifying *v, struct dr_err *err)
{
    const char *file = dr_cli_option(v->cli, "file");
    struct dr_remote remote = {0};
    struct dr_log_sink sink = {v, take_entry, v->audit ? take_document : NULL,
                               v->audit ? v->cli->arena : NULL};
    if (file != NULL) {
        enum dr_rc read = dr_log_read_export(file, &sink, err);
        return read == DR_OK && v->n_entries == 0 ? dr_log_say_empty(file, err) : read;
    }
    enum dr_rc rc = dr_remote_open(v->cli, &remote, err);
    rc = rc == DR_OK ? dr_log_read_coordinator(&remote, 0, &sink, err) : rc;
    rc = rc == DR_OK && v->audit != NULL ? fetch_documents(v, &remote, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

enum dr_rc
dr_log_pin(struct dr_cli *cli, uint8_t out[32], struct dr_err *err)
{
    const char *given = dr_cli_option(cli, "root-sha256");
    enum dr_rc rc = dr_project_maybe(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (given != NULL) {
        return strlen(given) == 64 && dr_unhex(out, 32, given)
                   ? DR_OK
                   : dr_err_set(err, DR_E_USAGE,
                                "--root-sha256 takes 64 hexadecimal digits, not '%s'", given);
    }
    if (!cli->project->has_root_pin) {
        dr_err_set(err, DR_E_CONFIG, "no first root is pinned, so no signature can be checked");
        return dr_err_hint(err, "--root-sha256 HEX, as in drover.conf and on every agent's host; "
                                "--hashes checks the hashes alone");
    }
    memcpy(out, cli->project->root_sha256, 32);
    return DR_OK;
}

// ---- saying it

static void
say_gap(const struct verifying *v, const struct dr_log_gap *gap)
{
    char epoch[20];
    unsigned long long index = gap->index, first = gap->first, last = gap->last;
    dr_print_digest(epoch, gap->epoch, sizeof(gap->epoch));
    epoch[8] = '\0';
    if (gap->agent[0] == '\0') {
        dr_say(v->cli, "gap at entry %llu, %s '%s': %s\n", index, gap->kind, gap->subject,
               gap->why);
    } else if (gap->first == 0) {
        dr_say(v->cli, "gap at entry %llu, agent %s, epoch %s: number %llu: %s\n", index,
               gap->agent, epoch, last, gap->why);
    } else if (first == last) {
        dr_say(v->cli, "gap before entry %llu, agent %s, epoch %s: number %llu is %s\n", index,
               gap->agent, epoch, last, gap->why);
    } else {
        dr_say(v->cli, "gap before entry %llu, agent %s, epoch %s: numbers %llu to %llu are %s\n",
               index, gap->agent, epoch, first, last, gap->why);
    }
}

static void
say_text(const struct verifying *v, const struct dr_log_findings *found, const char *head)
{
    struct dr_buf words = {0};
    for (size_t k = 0; k < DR_LOG_KINDS; k++) {
        uint32_t n = found->counts[k];
        if (n > 0) {
            dr_buf_printf(&words, "%s%u %s", words.len > 0 ? ", " : "", n,
                          n == 1 ? KINDS[k].one : KINDS[k].many);
        }
    }
    if (words.len > 0 && !words.failed) {
        dr_say(v->cli, "signatures verified: %s\n", words.data);
    }
    dr_buf_fini(&words);
    for (size_t i = 0; i < found->n_gaps; i++) {
        say_gap(v, &found->gaps[i]);
    }
    if (found->bad.index == 0 && found->bad.why[0] == '\0') {
        dr_say(v->cli, "%llu entries verified, head %llu:%s\n", (unsigned long long)v->n_entries,
               (unsigned long long)found->head.index, head);
    }
}

static json_t *
gaps_json(const struct dr_log_findings *found)
{
    json_t *list = json_array();
    for (size_t i = 0; i < found->n_gaps; i++) {
        const struct dr_log_gap *gap = &found->gaps[i];
        char epoch[33];
        dr_hex(epoch, gap->epoch, sizeof(gap->epoch));
        json_t *row = json_pack("{s:I, s:s, s:s, s:s}", "index", (json_int_t)gap->index, "kind",
                                gap->kind, "subject", gap->subject, "why", gap->why);
        if (gap->agent[0] != '\0') {
            json_object_set_new(row, "agent", json_string(gap->agent));
            json_object_set_new(row, "epoch", json_string(epoch));
            json_object_set_new(row, "first",
                                json_integer((json_int_t)(gap->first ? gap->first : gap->last)));
            json_object_set_new(row, "last", json_integer((json_int_t)gap->last));
            json_object_set_new(row, "missing", json_boolean(gap->first != 0));
        }
        json_array_append_new(list, row);
    }
    return list;
}

static void
say_json(const struct verifying *v, const struct dr_log_findings *found, const char *head)
{
    const struct dr_log_bad *bad = &found->bad;
    bool is_good = bad->why[0] == '\0';
    json_t *out = json_pack("{s:s, s:I, s:s, s:b, s:b}", "schema", "drover.v1.LogVerified",
                            "entries", (json_int_t)v->n_entries, "head", head, "valid", is_good,
                            "signatures", v->audit != NULL);
    if (v->audit != NULL) {
        json_t *counts = json_object();
        for (size_t k = 0; k < DR_LOG_KINDS; k++) {
            json_object_set_new(counts, KINDS[k].json, json_integer(found->counts[k]));
        }
        json_object_set_new(out, "documents", counts);
        json_object_set_new(out, "gaps", gaps_json(found));
    }
    if (!is_good) {
        json_object_set_new(out, "bad",
                            json_pack("{s:I, s:s, s:s, s:s}", "index", (json_int_t)bad->index,
                                      "kind", bad->kind, "subject", bad->subject, "why", bad->why));
    }
    dr_print_json(v->cli, out);
}

static enum dr_rc
say_findings(const struct verifying *v, const struct dr_log_findings *found, struct dr_err *err)
{
    char head[65];
    const struct dr_log_bad *bad = &found->bad;
    const char *file = dr_cli_option(v->cli, "file");
    dr_hex(head, found->head.hash, 32);
    if (v->cli->format != DR_CLI_TEXT) {
        say_json(v, found, head);
    } else {
        say_text(v, found, head);
    }
    if (bad->why[0] != '\0') {
        dr_err_set(err, DR_E_BAD_LOG, "entry %llu, %s '%s': %s", (unsigned long long)bad->index,
                   bad->kind, bad->subject, bad->why);
        return file != NULL ? dr_err_at(err, file, bad->line, 1) : DR_E_BAD_LOG;
    }
    if (found->n_gaps > 0) {
        dr_err_set(err, DR_E_DIFFERENCE,
                   "every hash and signature that is there holds, but the log has %zu gap%s",
                   found->n_gaps, found->n_gaps == 1 ? "" : "s");
        return dr_err_hint(err, "where no coordinator was set up anew and no agent lost its disk, "
                                "something was withheld: compare with another person's export");
    }
    return DR_OK;
}

enum dr_rc
dr_log_verify(struct dr_cli *cli, struct dr_err *err)
{
    struct verifying v = {.cli = cli};
    struct dr_log_findings found = {0};
    uint8_t pinned[32] = {0};
    bool signatures = !dr_cli_has(cli, "hashes");
    enum dr_rc rc = signatures ? dr_log_pin(cli, pinned, err) : DR_OK;
    if (rc == DR_OK && signatures) {
        v.audit = dr_log_audit_new(cli->arena);
        rc = v.audit != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    rc = rc == DR_OK ? read_all(&v, err) : rc;
    if (rc == DR_OK && signatures && v.n_documents == 0) {
        dr_err_set(err, DR_E_USAGE, "no document is there, so no signature can be checked");
        rc = dr_err_hint(err, "drover log -o jsonl --documents makes an export that has them; "
                              "--hashes checks the hashes alone");
    }
    Drover__V1__Document *root = rc == DR_OK && signatures ? dr_log_first_root(cli) : NULL;
    rc = root != NULL ? dr_log_audit_document(v.audit, root, err) : rc;
    rc = rc == DR_OK && signatures ? dr_log_audit_run(v.audit, pinned, &found, err) : rc;
    if (rc == DR_OK) {
        found.head = signatures ? found.head : v.chain;
        rc = say_findings(&v, &found, err);
        if ((rc == DR_OK || rc == DR_E_DIFFERENCE) && dr_cli_has(cli, "accept") &&
            !dr_cli_has(cli, "file")) {
            dr_remote_log_remember(cli, &found.head);
        }
    }
    dr_log_audit_free(&v.audit);
    return rc;
}
