// backup: what agents signed about their backups, and orders to them. An agent does only what
// cannot harm, whoever asks: a backup goes when its time is over and not before.

#include "coordinator/cli/commands.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/progress_view.h"
#include "coordinator/cli/remote.h"

#include "base/clock.h"
#include "trust/gate.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX       1000u
#define ASK_MS         300  // between two looks for the answer
#define PROGRESS_MS    1000 // between two questions how far it is
#define ANSWERS_MAX    20u
#define TIMEOUT_MS     (3600ull * 1000)
#define TIMEOUT_MAX    (7ull * 86400 * 1000)
#define SHORT_DIGEST   12
#define KIND_BIT(name) (1u << DROVER__V1__ATTESTATION_KIND__##name)

static const char *
level_name(uint32_t level)
{
    static const char *const names[] = {"bad", "listed", "restored", "queried"};
    return level < DR_COUNT_OF(names) ? names[level] : "?";
}

// The verified attestations of these kinds, newest first; of one target if it is named.
static enum dr_rc
fetch(struct dr_remote *remote, const char *target, uint32_t kinds, uint32_t limit,
      struct dr_attestation **out, size_t *out_n, struct dr_err *err)
{
    struct dr_arena *arena = remote->cli->arena;
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__Document **documents = NULL;
    char kind[] = DR_TYPE_ATTESTATION;
    size_t n = 0;
    request.kind = kind;
    request.target = dr_arena_str(arena, target);
    request.subkinds = kinds;
    request.newest_first = true;
    request.limit = limit;
    if (request.target == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc = dr_remote_list(remote, request, &documents, &n, err);
    ProtobufCBinaryData *wires = dr_arena_array(arena, n + 1, sizeof *wires);
    if (rc == DR_OK && wires == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        wires[i] = documents[i]->envelope;
    }
    const struct dr_trust *trust = remote->trust;
    return rc != DR_OK ? rc
                       : dr_gate_load_evidence(arena, &trust->fleet, trust->entries,
                                               trust->n_entries, wires, n, true, out, out_n, err);
}

// ------------------------------------------------------------------------------------------- list

// A backup is told more than once when it was looked after: the newest word counts.
static bool
is_told(const struct dr_attestation *words, size_t before, const Drover__V1__BackupRecord *record,
        const char *target)
{
    for (size_t i = 0; i < before; i++) {
        const Drover__V1__Attestation *msg = words[i].msg;
        if (msg->backup != NULL && dr_str_eq(msg->target, target) &&
            dr_data_eq(msg->backup->sha256, record->sha256) &&
            dr_str_eq(msg->backup->location, record->location)) {
            return true;
        }
    }
    return false;
}

static int
compare_words(const void *a, const void *b)
{
    const Drover__V1__Attestation *x = ((const struct dr_attestation *)a)->msg;
    const Drover__V1__Attestation *y = ((const struct dr_attestation *)b)->msg;
    int order = strcmp(x->target, y->target);
    if (order == 0 && x->time != y->time) {
        return x->time > y->time ? -1 : 1;
    }
    return order != 0 ? order : x->counter > y->counter ? -1 : x->counter < y->counter;
}

static json_t *
record_json(const Drover__V1__Attestation *msg)
{
    char hex[65] = "";
    const Drover__V1__BackupRecord *record = msg->backup;
    if (record->sha256.len == 32) {
        dr_hex(hex, record->sha256.data, 32);
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:s, s:s, s:s, s:I}", "target",
                     msg->target, "tool", record->tool, "finished", (json_int_t)record->finished,
                     "sizeBytes", (json_int_t)record->size_bytes, "restoreLevel",
                     level_name((uint32_t)record->restore_level), "location", record->location,
                     "keepUntil", (json_int_t)record->keep_until, "sha256", hex, "code", msg->code,
                     "detail", msg->detail, "signedAt", (json_int_t)msg->time);
}

static void
add_row(const struct dr_cli *cli, struct dr_table *table, const Drover__V1__Attestation *msg)
{
    char size[32], taken[32], keep[32], hex[65] = "";
    const Drover__V1__BackupRecord *record = msg->backup;
    dr_format_size(size, record->size_bytes);
    dr_format_time(taken, record->finished);
    dr_format_time(keep, record->keep_until);
    if (record->sha256.len == 32) {
        dr_hex(hex, record->sha256.data, 32);
        hex[SHORT_DIGEST] = '\0';
    }
    const char *age =
        dr_arena_printf(cli->arena, "%s (%s ago)", taken, dr_print_age(cli, record->finished));
    const char *level = level_name((uint32_t)record->restore_level);
    size_t row = dr_table_row(table, SIZE_MAX,
                              (const char *[]){msg->target, age == NULL ? taken : age, size, level,
                                               keep, hex, record->location, NULL});
    dr_table_tone(table, row, 3, dr_str_eq(level, "bad") ? DR_TONE_BAD : DR_TONE_GOOD);
}

static void
print_list(const struct dr_cli *cli, const struct dr_attestation *words, size_t n)
{
    static const char *const columns[] = {"TARGET",     "TAKEN",  "SIZE",     "PROVED",
                                          "KEPT UNTIL", "DIGEST", "LOCATION", NULL};
    struct dr_table *table = cli->format == DR_CLI_TEXT ? dr_table_new(cli, columns) : NULL;
    json_t *list = json_array();
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Attestation *msg = words[i].msg;
        if (msg->backup == NULL || is_told(words, i, msg->backup, msg->target)) {
            continue;
        }
        rows++;
        json_array_append_new(list, record_json(msg));
        if (table != NULL) {
            add_row(cli, table, msg);
        }
    }
    if (cli->format != DR_CLI_TEXT) {
        dr_print_json(cli,
                      json_pack("{s:s, s:O}", "schema", "drover.v1.BackupList", "backups", list));
    } else if (rows > 0 && table != NULL) {
        dr_table_print(table, stdout);
    } else {
        dr_say(cli, "No backup yet. next: drover backup take ENV/NAME\n");
    }
    dr_table_free(&table);
    json_decref(list);
}

static enum dr_rc
check_target(const struct dr_remote *remote, const char *name, struct dr_err *err)
{
    const struct dr_trust *trust = remote->trust;
    if (dr_fleet_target(trust->entries, trust->n_entries, name) != NULL) {
        return DR_OK;
    }
    (void)dr_err_set(err, DR_E_NOT_FOUND, "the fleet has no target '%s'", name);
    return dr_err_hint(err, "drover status shows all targets");
}

enum dr_rc
dr_cmd_backup_list(struct dr_cli *cli, struct dr_err *err)
{
    struct dr_remote remote = {0};
    struct dr_attestation *words = NULL;
    size_t n = 0;
    enum dr_rc rc = dr_remote_open(cli, &remote, err);
    rc = rc != DR_OK ? rc
                     : fetch(&remote, cli->args_count > 0 ? cli->args[0] : "", KIND_BIT(BACKUP),
                             LIST_MAX, &words, &n, err);
    if (rc == DR_OK && n == 0 && cli->args_count > 0) {
        rc = check_target(&remote, cli->args[0], err);
    }
    if (rc == DR_OK) {
        qsort(words, n, sizeof *words, compare_words);
        print_list(cli, words, n);
    }
    dr_remote_close(&remote);
    return rc;
}

// ----------------------------------------------------------------------------------------- orders

struct asking {
    struct dr_cli *cli;
    struct dr_remote remote;
    const char *order; // "backup take"
    uint8_t nonce[32], sha256[32];
    bool has_sha256;
    uint64_t timeout_ms;
    const Drover__V1__Attestation *answer;
};

static enum dr_rc
read_options(struct asking *a, struct dr_err *err)
{
    const char *backup = dr_cli_option(a->cli, "backup");
    enum dr_rc rc =
        dr_cli_duration(a->cli, "timeout", TIMEOUT_MAX, TIMEOUT_MS, &a->timeout_ms, err);
    a->has_sha256 = backup != NULL;
    if (rc == DR_OK && backup != NULL && strlen(backup) != SHORT_DIGEST &&
        !dr_unhex(a->sha256, 32, backup)) {
        (void)dr_err_set(err, DR_E_USAGE, "--backup takes a digest, not '%s'", backup);
        return dr_err_hint(err, "drover backup list %s", a->cli->args[0]);
    }
    return rc;
}

// The digest as the list shows it, cut short, to the whole one.
static enum dr_rc
find_whole(struct asking *a, struct dr_err *err)
{
    const char *backup = dr_cli_option(a->cli, "backup");
    struct dr_attestation *words = NULL;
    size_t n = 0;
    if (backup == NULL || strlen(backup) != SHORT_DIGEST) {
        return DR_OK;
    }
    enum dr_rc rc = fetch(&a->remote, a->cli->args[0], KIND_BIT(BACKUP), LIST_MAX, &words, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        char hex[65];
        const Drover__V1__BackupRecord *record = words[i].msg->backup;
        if (record == NULL || record->sha256.len != 32) {
            continue;
        }
        dr_hex(hex, record->sha256.data, 32);
        if (strncmp(hex, backup, SHORT_DIGEST) == 0) {
            memcpy(a->sha256, record->sha256.data, 32);
            return DR_OK;
        }
    }
    if (rc == DR_OK) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "'%s' has no backup '%s'", a->cli->args[0], backup);
        return dr_err_hint(err, "drover backup list %s", a->cli->args[0]);
    }
    return rc;
}

static enum dr_rc
send(struct asking *a, struct dr_err *err)
{
    Drover__V1__Order order = DROVER__V1__ORDER__INIT;
    Drover__V1__TargetView *view = NULL;
    dr_random(a->nonce, sizeof a->nonce);
    order.target = dr_arena_str(a->cli->arena, a->cli->args[0]);
    order.order = dr_arena_str(a->cli->arena, a->order);
    order.nonce = dr_data(a->nonce, 32);
    if (a->has_sha256) {
        order.backup_sha256 = dr_data(a->sha256, 32);
    }
    if (order.target == NULL || order.order == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    enum dr_rc rc =
        dr_remote_call(&a->remote, DR_METHOD_OPERATOR_ORDER_TARGET, &order.base, &view, err);
    if (rc == DR_OK && !view->connected) {
        dr_print_note(a->cli, "note: agent '%s' is not connected: it does this when it is back",
                      view->agent);
    }
    return rc;
}

static bool
find_answer(struct asking *a, const struct dr_attestation *words, size_t n)
{
    for (size_t i = 0; i < n && a->answer == NULL; i++) {
        if (dr_data_is(words[i].msg->nonce, a->nonce) &&
            dr_str_eq(words[i].msg->target, a->cli->args[0])) {
            a->answer = words[i].msg;
        }
    }
    return a->answer != NULL;
}

// How far the agent is, for people; whatever goes wrong with it is no reason to stop waiting.
static void
show_progress(struct asking *a, struct dr_progress_line *line)
{
    Drover__V1__StatusRequest request = DROVER__V1__STATUS_REQUEST__INIT;
    Drover__V1__StatusReply *reply = NULL;
    struct dr_err ignored = {0};
    if (a->cli->format != DR_CLI_TEXT || a->cli->quiet) {
        return;
    }
    request.target = dr_arena_str(a->cli->arena, a->cli->args[0]);
    request.brief = true;
    request.limit = 1;
    if (request.target == NULL ||
        dr_remote_call(&a->remote, DR_METHOD_OPERATOR_STATUS, &request.base, &reply, &ignored) !=
            DR_OK ||
        reply->n_targets != 1 || reply->targets[0]->progress == NULL) {
        return;
    }
    const Drover__V1__Progress *progress = reply->targets[0]->progress;
    const struct dr_progress_at at = {.name = a->cli->args[0],
                                      .phase = progress->phase,
                                      .blockers = "",
                                      .elapsed_ms = progress->elapsed_ms,
                                      .done = progress->server_done,
                                      .total = progress->server_total};
    dr_progress_show(a->cli, line, &at);
}

static enum dr_rc
await(struct asking *a, struct dr_err *err)
{
    int64_t began = dr_monotonic_ms(), shown = began;
    struct dr_progress_line line = {0};
    enum dr_rc rc = DR_OK;
    while (rc == DR_OK) {
        struct dr_attestation *words = NULL;
        size_t n = 0;
        rc = dr_cli_look_begin(a->cli, err);
        if (rc != DR_OK) {
            break;
        }
        if (dr_monotonic_ms() - shown >= PROGRESS_MS) {
            shown = dr_monotonic_ms();
            show_progress(a, &line);
        }
        rc = fetch(&a->remote, a->cli->args[0], KIND_BIT(BACKUP) | KIND_BIT(STATE), ANSWERS_MAX,
                   &words, &n, err);
        dr_cli_look_end(a->cli);
        if (rc != DR_OK || find_answer(a, words, n)) {
            break;
        }
        if (dr_monotonic_ms() - began > (int64_t)a->timeout_ms) {
            (void)dr_err_set(err, DR_E_TIMEOUT, "the agent of '%s' has not answered yet",
                             a->cli->args[0]);
            rc = dr_err_hint(err,
                             "its log tells what it does: drover why %s; drover backup list "
                             "%s shows the answer when it is there",
                             a->cli->args[0], a->cli->args[0]);
            break;
        }
        (void)poll(NULL, 0, ASK_MS);
    }
    dr_progress_end(&line);
    return rc;
}

// For the hint and the exit code.
static enum dr_rc
known_code(const char *name)
{
    static const enum dr_rc codes[] = {
        DR_E_BACKUP_KEPT,     DR_E_BACKUP_CHANGED,    DR_E_BACKUP_OTHER,   DR_E_BACKUP_TOOL,
        DR_E_BACKUP_SPACE,    DR_E_BACKUP_EMPTY,      DR_E_BACKUP_FAILED,  DR_E_BACKUP_GONE,
        DR_E_BACKUP_EVIDENCE, DR_E_BACKUP_NO_COMMAND, DR_E_BACKUP_NOT_NOW, DR_E_BACKUP_TOO_MANY,
        DR_E_NOT_FOUND};
    for (size_t i = 0; i < DR_COUNT_OF(codes); i++) {
        if (dr_str_eq(dr_rc_name(codes[i]), name)) {
            return codes[i];
        }
    }
    return DR_E_BACKUP_FAILED;
}

static enum dr_rc
tell(const struct asking *a, struct dr_err *err)
{
    const Drover__V1__Attestation *msg = a->answer;
    if (msg->code[0] != '\0') {
        enum dr_rc rc = dr_err_set(err, known_code(msg->code), "%s", msg->detail);
        return rc == DR_E_NOT_FOUND || rc == DR_E_BACKUP_GONE || rc == DR_E_BACKUP_CHANGED
                   ? dr_err_hint(err, "drover backup take %s", msg->target)
                   : rc;
    }
    if (a->cli->format != DR_CLI_TEXT) {
        json_t *value = msg->backup != NULL
                            ? record_json(msg)
                            : json_pack("{s:s, s:s}", "target", msg->target, "detail", msg->detail);
        (void)json_object_set_new(value, "schema", json_string("drover.v1.BackupAnswer"));
        dr_print_json(a->cli, value);
        return DR_OK;
    }
    dr_say(a->cli, "%s: %s\n", msg->target, msg->detail);
    if (msg->backup != NULL) {
        char size[32], keep[32];
        dr_format_size(size, msg->backup->size_bytes);
        dr_format_time(keep, msg->backup->keep_until);
        dr_say(a->cli, "  %s, %s, %s, kept until %s\n  %s\n", msg->backup->tool, size,
               level_name((uint32_t)msg->backup->restore_level), keep, msg->backup->location);
    }
    return DR_OK;
}

static enum dr_rc
ask(struct dr_cli *cli, const char *order, struct dr_err *err)
{
    struct asking a = {.cli = cli, .order = order};
    enum dr_rc rc = read_options(&a, err);
    rc = rc != DR_OK ? rc : dr_remote_open(cli, &a.remote, err);
    rc = rc != DR_OK ? rc : find_whole(&a, err);
    rc = rc != DR_OK ? rc : send(&a, err);
    rc = rc != DR_OK ? rc : await(&a, err);
    rc = rc != DR_OK ? rc : tell(&a, err);
    dr_remote_close(&a.remote);
    return rc;
}

enum dr_rc
dr_cmd_backup_take(struct dr_cli *cli, struct dr_err *err)
{
    return ask(cli, "backup take", err);
}

enum dr_rc
dr_cmd_backup_verify(struct dr_cli *cli, struct dr_err *err)
{
    return ask(cli, "backup verify", err);
}

enum dr_rc
dr_cmd_backup_restore_test(struct dr_cli *cli, struct dr_err *err)
{
    return ask(cli, "backup restore-test", err);
}

enum dr_rc
dr_cmd_backup_prune(struct dr_cli *cli, struct dr_err *err)
{
    return ask(cli, "backup prune", err);
}
