// log: the coordinator's event log; --verify checks its chain of hashes, also from an export
// without any server.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/remote.h"

#include "base/file.h"
#include "rpc/reflect.h"
#include "trust/loghash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXPORT_MAX (512u * 1024 * 1024)
#define ENTRY_MAX  (1u * 1024 * 1024)
#define PAGE       500u
#define PAGE_MAX   (64u * 1024 * 1024)

struct reading {
    struct dr_cli *cli;
    struct dr_loghash chain;
    bool verifies;
    uint64_t count;
    uint64_t skip; // entries not shown, for --limit
    json_t *list;  // for --output json: one document
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

static enum dr_rc
take_entry(struct reading *r, const Drover__V1__LogEntry *entry, struct dr_err *err)
{
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
    return print_entry(r, entry, err);
}

static enum dr_rc
read_export(struct reading *r, const char *path, struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_file_read(path, EXPORT_MAX, &text, &len, err);
    uint32_t line = 0;
    for (char *p = text; rc == DR_OK && *p != '\0';) {
        size_t n = strcspn(p, "\n");
        json_error_t why;
        ProtobufCMessage *entry = NULL;
        json_t *json = n > 0 ? json_loadb(p, n, 0, &why) : NULL;
        line++;
        if (n > 0 && json == NULL) {
            dr_err_set(err, DR_E_INVALID, "no JSON: %s", why.text);
            rc = dr_err_at(err, path, line, (uint32_t)why.column);
        } else if (n > 0) {
            struct dr_arena *arena = dr_arena_new(ENTRY_MAX);
            rc = dr_json_to_message(json, &drover__v1__log_entry__descriptor, arena, &entry, err);
            rc = rc == DR_OK ? take_entry(r, (const Drover__V1__LogEntry *)entry, err) : rc;
            if (rc != DR_OK) {
                dr_err_at(err, path, line, 1);
            }
            dr_arena_free(&arena);
            json_decref(json);
        }
        p += n + (p[n] == '\n' ? 1 : 0);
    }
    free(text);
    return rc;
}

// All pages after `after`, each in an arena of its own: the log may be long.
static enum dr_rc
read_pages(struct reading *r, struct dr_remote *remote, uint64_t after, struct dr_err *err)
{
    Drover__V1__LogRequest request = DROVER__V1__LOG_REQUEST__INIT;
    const char *rollout = dr_cli_option(r->cli, "rollout");
    const char *target = dr_cli_option(r->cli, "target");
    request.after = after;
    request.limit = PAGE;
    request.rollout = dr_arena_str(r->cli->arena, rollout ? rollout : "");
    request.target = dr_arena_str(r->cli->arena, target ? target : "");
    enum dr_rc rc = DR_OK;
    for (bool more = true; rc == DR_OK && more;) {
        Drover__V1__LogReply *reply = NULL;
        struct dr_arena *arena = dr_arena_new(PAGE_MAX);
        rc = arena != NULL ? dr_remote_call_in(remote, DR_METHOD_OPERATOR_LOG, &request.base, arena,
                                               &reply, err)
                           : dr_err_set(err, DR_E_NOMEM, "out of memory");
        for (size_t i = 0; rc == DR_OK && i < reply->n_entries; i++) {
            rc = take_entry(r, reply->entries[i], err);
            request.after = reply->entries[i]->index;
        }
        more = rc == DR_OK && reply->more && reply->n_entries > 0;
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
    enum dr_rc rc = dr_cli_number(r->cli, "limit", 1, UINT32_MAX, 0, &limit, err);
    rc = rc == DR_OK ? dr_remote_open(r->cli, &remote, err) : rc;
    if (rc == DR_OK && limit > 0 && is_filtered) { // how many there are shows only in reading them
        struct reading counted = {.cli = r->cli, .skip = UINT64_MAX};
        rc = read_pages(&counted, &remote, 0, err);
        r->skip = counted.count > limit ? counted.count - limit : 0;
    } else if (rc == DR_OK && limit > 0) {
        Drover__V1__HealthRequest who = DROVER__V1__HEALTH_REQUEST__INIT;
        Drover__V1__HealthReply *health = NULL;
        rc = dr_remote_call(&remote, DR_METHOD_HEALTH_CHECK, &who.base, &health, err);
        after = rc == DR_OK && health->log_count > limit ? health->log_count - limit : 0;
    }
    rc = rc == DR_OK ? read_pages(r, &remote, after, err) : rc;
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
    r->collects = true;
    enum dr_rc rc = read_export(r, other, err);
    r->collects = false;
    if (rc == DR_OK && r->n_other == 0) {
        dr_err_set(err, DR_E_INVALID, "'%s' holds no entry of a log", other);
        rc = dr_err_hint(err, "drover log -o jsonl > export.jsonl");
    }
    return rc;
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

enum dr_rc
dr_cmd_log(struct dr_cli *cli, struct dr_err *err)
{
    const char *other = dr_cli_option(cli, "compare");
    struct reading r = {.cli = cli, .verifies = dr_cli_has(cli, "verify") || other != NULL};
    const char *file = dr_cli_option(cli, "file");
    if (r.verifies &&
        (dr_cli_has(cli, "rollout") || dr_cli_has(cli, "target") || dr_cli_has(cli, "limit"))) {
        dr_err_set(err, DR_E_USAGE, "--verify reads the whole log, so it takes no filter");
        return dr_err_hint(err, "drover log --verify");
    }
    r.list = cli->format == DR_CLI_JSON && !r.verifies ? json_array() : NULL;
    enum dr_rc rc = other != NULL ? read_other(&r, other, err) : DR_OK;
    if (rc != DR_OK) {
        free(r.other);
        return rc;
    }
    rc = file != NULL ? read_export(&r, file, err) : read_coordinator(&r, err);
    if (rc == DR_OK && file != NULL && r.verifies && r.count == 0) {
        dr_err_set(err, DR_E_INVALID, "'%s' holds no entry of a log", file);
        rc = dr_err_hint(err, "drover log -o jsonl > export.jsonl");
    }
    if (rc == DR_OK && r.list != NULL) {
        dr_print_json(cli, json_pack("{s:s, s:O}", "schema", "drover.v1.Log", "entries", r.list));
    }
    json_decref(r.list);
    free(r.other);
    if (rc != DR_OK || !r.verifies) {
        return rc;
    }
    if (other != NULL) {
        return say_comparison(&r, err);
    }
    if (dr_cli_has(cli, "accept") && file == NULL) {
        dr_remote_log_remember(cli, &r.chain);
    }
    char head[65];
    dr_hex(head, r.chain.hash, 32);
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli, json_pack("{s:s, s:I, s:s, s:b}", "schema", "drover.v1.LogVerified",
                                     "entries", (json_int_t)r.count, "head", head, "valid", 1));
    } else {
        dr_say(cli, "%llu entries verified, head %llu:%s\n", (unsigned long long)r.count,
               (unsigned long long)r.chain.index, head);
    }
    return DR_OK;
}
