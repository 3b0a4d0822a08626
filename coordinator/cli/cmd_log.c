// log: the coordinator's event log. --verify checks it from the pinned root on (log_verify.c),
// also from an export without any server; --compare tells whether two people saw the same one.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/log_audit.h"
#include "coordinator/cli/log_source.h"
#include "coordinator/cli/log_verify.h"
#include "coordinator/cli/print.h"

#include "base/file.h"
#include "rpc/reflect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DOCUMENT_MAX (512u * 1024 * 1024) // memory to export one document

struct reading {
    struct dr_cli *cli;
    struct dr_loghash chain;
    bool verifies;
    uint64_t count;
    uint64_t skip;               // entries not shown, for --limit
    json_t *list;                // for --output json: one document
    struct dr_log_audit *wanted; // for --documents: those that the entries name
    // --compare: the other log's hashes, by index - 1; `n` entries from `first` on.
    uint8_t (*other)[32];
    uint64_t n_other, cap, first, differs; // 0: not yet
    bool collects;
    struct dr_loghash other_chain;
};

static enum dr_rc
print_entry(struct reading *r, const Drover__V1__LogEntry *entry, struct dr_err *err)
{
    char time[32];
    json_t *json = NULL;
    if (r->cli->format != DR_CLI_TEXT) {
        enum dr_rc rc = dr_json_from_message(&entry->base, &json, err);
        if (rc == DR_OK && r->list != NULL) {
            json_array_append_new(r->list, json);
        } else if (rc == DR_OK) {
            json_object_set_new(json, "schema", json_string("drover.v1.LogEntry"));
            dr_print_json(r->cli, json);
        }
        return rc;
    }
    dr_format_time(time, entry->time);
    dr_say(r->cli, "%6llu  %s  %-20s %-24s %s%s%s\n", (unsigned long long)entry->index, time,
           entry->kind, entry->subject, entry->text, entry->actor[0] ? "  by " : "", entry->actor);
    return DR_OK;
}

// Keeps the hash of an entry of the other log.
static enum dr_rc
collect(struct reading *r, const Drover__V1__LogEntry *entry, struct dr_err *err)
{
    if (r->n_other == 0 && entry->index > 1 && entry->previous.len == 32) { // a later part
        r->other_chain.index = entry->index - 1;
        memcpy(r->other_chain.hash, entry->previous.data, 32);
    }
    enum dr_rc rc = dr_loghash_verify(&r->other_chain, entry, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (r->n_other == r->cap) {
        r->cap = r->cap == 0 ? 1024 : r->cap * 2;
        uint8_t(*grown)[32] = realloc(r->other, r->cap * 32);
        if (grown == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        r->other = grown;
    }
    r->first = r->n_other == 0 ? entry->index : r->first;
    memcpy(r->other[r->n_other++], entry->hash.data, 32);
    return DR_OK;
}

static void
compare(struct reading *r, const Drover__V1__LogEntry *entry)
{
    uint64_t at = entry->index - r->first;
    if (r->differs == 0 && entry->index >= r->first && at < r->n_other &&
        (entry->hash.len != 32 || memcmp(entry->hash.data, r->other[at], 32) != 0)) {
        r->differs = entry->index;
    }
}

// Of an entry that names a document, what is needed to find that.
static enum dr_rc
note_wanted(struct reading *r, const Drover__V1__LogEntry *entry, struct dr_err *err)
{
    if (!dr_log_names_document(entry) || entry->document.len != 32) {
        return DR_OK;
    }
    Drover__V1__LogEntry *copy = dr_arena_alloc(r->cli->arena, sizeof(*copy));
    const uint8_t *digest = dr_arena_copy(r->cli->arena, entry->document.data, 32);
    if (copy == NULL || digest == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    drover__v1__log_entry__init(copy);
    copy->kind = dr_arena_str(r->cli->arena, entry->kind);
    copy->document = dr_data(digest, 32);
    return copy->kind != NULL ? dr_log_audit_entry(r->wanted, copy, 0, err)
                              : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
take_entry(void *user, const Drover__V1__LogEntry *entry, uint32_t line, struct dr_err *err)
{
    struct reading *r = user;
    (void)line;
    if (r->collects) {
        return collect(r, entry, err);
    }
    enum dr_rc rc = r->verifies ? dr_loghash_verify(&r->chain, entry, err) : DR_OK;
    r->count++;
    if (r->other != NULL) {
        compare(r, entry);
        return rc;
    }
    if (rc != DR_OK || r->verifies || r->count <= r->skip) {
        return rc;
    }
    rc = r->wanted != NULL ? note_wanted(r, entry, err) : DR_OK;
    return rc == DR_OK ? print_entry(r, entry, err) : rc;
}

static enum dr_rc
print_document(struct dr_cli *cli, const Drover__V1__Document *document, struct dr_err *err)
{
    json_t *json = NULL;
    enum dr_rc rc = dr_json_from_message(&document->base, &json, err);
    if (rc == DR_OK) {
        json_object_set_new(json, "schema", json_string("drover.v1.Document"));
        dr_print_json(cli, json);
    }
    return rc;
}

// Behind the entries: the first root, which a stranger starts from, then what the entries name.
static enum dr_rc
print_documents(struct reading *r, struct dr_remote *remote, struct dr_err *err)
{
    uint8_t(*digests)[32] = NULL;
    size_t n = 0;
    Drover__V1__Document *root = dr_log_first_root(r->cli);
    enum dr_rc rc = root != NULL ? print_document(r->cli, root, err) : DR_OK;
    rc = rc == DR_OK && root != NULL ? dr_log_audit_document(r->wanted, root, err) : rc;
    rc = rc == DR_OK ? dr_log_audit_wanted(r->wanted, &digests, &n, err) : rc;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        struct dr_arena *arena = dr_arena_new(DOCUMENT_MAX);
        Drover__V1__Document *document = NULL;
        struct dr_err mine = {0};
        rc = arena != NULL ? dr_log_fetch(remote, digests[i], arena, &document, &mine)
                           : dr_err_set(&mine, DR_E_NOMEM, "out of memory");
        if (rc == DR_E_NOT_FOUND) {
            dr_print_note(r->cli, "note: the coordinator lacks a document that its log names; "
                                  "--verify tells which");
            rc = DR_OK;
        } else if (rc == DR_OK) {
            rc = print_document(r->cli, document, err);
        } else {
            *err = mine;
        }
        dr_arena_free(&arena);
    }
    return rc;
}

static enum dr_rc
read_coordinator(struct reading *r, struct dr_err *err)
{
    struct dr_remote remote = {0};
    uint64_t limit = 0;
    uint64_t after = 0;
    bool is_filtered = dr_cli_has(r->cli, "rollout") || dr_cli_has(r->cli, "target");
    struct dr_log_sink sink = {r, take_entry, NULL, NULL};
    enum dr_rc rc = dr_cli_number(r->cli, "limit", 1, UINT32_MAX, 0, &limit, err);
    rc = rc == DR_OK ? dr_remote_open(r->cli, &remote, err) : rc;
    if (rc == DR_OK && limit > 0 && is_filtered) { // how many there are shows only in reading them
        struct reading counted = {.cli = r->cli, .skip = UINT64_MAX};
        struct dr_log_sink counting = {&counted, take_entry, NULL, NULL};
        rc = dr_log_read_coordinator(&remote, 0, &counting, err);
        r->skip = counted.count > limit ? counted.count - limit : 0;
    } else if (rc == DR_OK && limit > 0) {
        Drover__V1__HealthRequest who = DROVER__V1__HEALTH_REQUEST__INIT;
        Drover__V1__HealthReply *health = NULL;
        rc = dr_remote_call(&remote, DR_METHOD_HEALTH_CHECK, &who.base, &health, err);
        after = rc == DR_OK && health->log_count > limit ? health->log_count - limit : 0;
    }
    rc = rc == DR_OK ? dr_log_read_coordinator(&remote, after, &sink, err) : rc;
    rc = rc == DR_OK && r->wanted != NULL ? print_documents(r, &remote, err) : rc;
    dr_remote_close(&remote);
    return rc;
}

// The other side of --compare: a head as "INDEX:HASH", or an export.
static enum dr_rc
read_other(struct reading *r, const char *other, struct dr_err *err)
{
    const char *colon = strchr(other, ':');
    char number[24] = "";
    if (colon != NULL && strlen(colon + 1) == 64 && (size_t)(colon - other) < sizeof(number)) {
        memcpy(number, other, (size_t)(colon - other));
        r->other = malloc(32);
        if (r->other == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "out of memory");
        }
        if (dr_parse_u64(number, 1, INT64_MAX, &r->first) && dr_unhex(r->other[0], 32, colon + 1)) {
            r->n_other = 1;
            return DR_OK;
        }
        dr_err_set(err, DR_E_USAGE, "'%s' is no head of a log", other);
        return dr_err_hint(err, "INDEX:HASH, as drover log --verify prints it, or a file");
    }
    struct stat is_there;
    if (colon != NULL && stat(other, &is_there) != 0 && strspn(other, "0123456789") > 0) {
        dr_err_set(err, DR_E_USAGE, "'%s' is no head of a log, and no file", other);
        return dr_err_hint(err, "INDEX:HASH, as drover log --verify prints it, or a file");
    }
    struct dr_log_sink sink = {r, take_entry, NULL, NULL};
    r->collects = true;
    enum dr_rc rc = dr_log_read_export(other, &sink, err);
    r->collects = false;
    return rc == DR_OK && r->n_other == 0 ? dr_log_say_empty(other, err) : rc;
}

static enum dr_rc
say_comparison(const struct reading *r, struct dr_err *err)
{
    uint64_t last = r->n_other > 0 ? r->first + r->n_other - 1 : 0;
    uint64_t common = last < r->chain.index ? last : r->chain.index;
    if (r->differs != 0) {
        dr_err_set(err, DR_E_DIFFERENCE,
                   "the two logs part: entry %llu is another in each, before it they are one",
                   (unsigned long long)r->differs);
        return dr_err_hint(err, "somebody was shown a forked log: compare what each says of this "
                                "entry, and ask who ran the coordinator");
    }
    if (r->chain.index < r->first) {
        return dr_err_set(err, DR_E_DIFFERENCE,
                          "this log ends at entry %llu, before entry %llu of the other",
                          (unsigned long long)r->chain.index, (unsigned long long)r->first);
    }
    if (r->cli->format != DR_CLI_TEXT) {
        dr_print_json(r->cli, json_pack("{s:s, s:I, s:I, s:I}", "schema", "drover.v1.LogCompared",
                                        "same", (json_int_t)common, "entries",
                                        (json_int_t)r->chain.index, "other", (json_int_t)last));
    } else {
        dr_say(r->cli, "One log: the same up to entry %llu; this one has %llu, the other %llu\n",
               (unsigned long long)common, (unsigned long long)r->chain.index,
               (unsigned long long)last);
    }
    return DR_OK;
}

static enum dr_rc
check_options(const struct dr_cli *cli, struct dr_err *err)
{
    bool is_filtered =
        dr_cli_has(cli, "rollout") || dr_cli_has(cli, "target") || dr_cli_has(cli, "limit");
    bool exports = dr_cli_has(cli, "documents");
    if ((dr_cli_has(cli, "verify") || dr_cli_has(cli, "compare")) && is_filtered) {
        dr_err_set(err, DR_E_USAGE, "--verify reads the whole log, so it takes no filter");
        return dr_err_hint(err, "drover log --verify");
    }
    if (exports && (cli->format != DR_CLI_JSONL || is_filtered || dr_cli_has(cli, "verify") ||
                    dr_cli_has(cli, "compare") || dr_cli_has(cli, "file"))) {
        dr_err_set(err, DR_E_USAGE, "--documents belongs to an export of the whole log");
        return dr_err_hint(err, "drover log -o jsonl --documents > export.jsonl");
    }
    return DR_OK;
}

static enum dr_rc
list_or_compare(struct dr_cli *cli, struct dr_err *err)
{
    const char *other = dr_cli_option(cli, "compare"), *file = dr_cli_option(cli, "file");
    struct reading r = {.cli = cli, .verifies = other != NULL};
    struct dr_log_sink sink = {&r, take_entry, NULL, NULL};
    r.list = cli->format == DR_CLI_JSON && other == NULL ? json_array() : NULL;
    r.wanted = dr_cli_has(cli, "documents") ? dr_log_audit_new(cli->arena) : NULL;
    enum dr_rc rc = other != NULL ? read_other(&r, other, err) : DR_OK;
    if (rc == DR_OK) {
        rc = file != NULL ? dr_log_read_export(file, &sink, err) : read_coordinator(&r, err);
    }
    if (rc == DR_OK && file != NULL && other != NULL && r.count == 0) {
        rc = dr_log_say_empty(file, err);
    } else if (rc == DR_OK && other != NULL) {
        rc = say_comparison(&r, err);
    } else if (rc == DR_OK && r.list != NULL) {
        dr_print_json(cli, json_pack("{s:s, s:O}", "schema", "drover.v1.Log", "entries", r.list));
    }
    json_decref(r.list);
    dr_log_audit_free(&r.wanted);
    free(r.other);
    return rc;
}

enum dr_rc
dr_cmd_log(struct dr_cli *cli, struct dr_err *err)
{
    enum dr_rc rc = check_options(cli, err);
    if (rc != DR_OK) {
        return rc;
    }
    return dr_cli_has(cli, "verify") && !dr_cli_has(cli, "compare") ? dr_log_verify(cli, err)
                                                                    : list_or_compare(cli, err);
}
