// Connection to the coordinator and the person's trusted documents. Everything that comes from
// there is a hint until common/trust has verified it.

#include "coordinator/cli/remote.h"
#include "coordinator/cli/print.h"
#include "coordinator/cli/project.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STORE_WAIT_MS 20000

// Two commands of one person may begin at once: the second waits while the first brings the folder
// up to date.
static enum dr_rc
open_store(struct dr_cli *cli, struct dr_bytes first, struct dr_trust_store **out,
           struct dr_err *err)
{
    int64_t deadline = dr_monotonic_ms() + STORE_WAIT_MS;
    for (;;) {
        enum dr_rc rc =
            dr_trust_store_open(cli->project->trust, first, cli->project->root_sha256, out, err);
        if (rc != DR_E_CONFLICT || dr_monotonic_ms() >= deadline) {
            return rc;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
    }
}

enum dr_rc
dr_remote_open_offline(struct dr_cli *cli, struct dr_remote *out, struct dr_err *err)
{
    char *root = NULL;
    size_t len = 0;
    *out = (struct dr_remote){.cli = cli};
    enum dr_rc rc = dr_project_need(cli, err);
    if (rc == DR_OK && !cli->project->has_root_pin) {
        dr_err_set(err, DR_E_CONFIG, "'root_sha256' is not set in '%s'",
                   dr_project_shown(cli, cli->project->conf_path));
        return dr_err_hint(err, "drover sign %s, which notes it once enough people have signed",
                           dr_project_shown(cli, cli->project->root));
    }
    if (rc == DR_OK) {
        rc = dr_file_read(cli->project->root, DR_ENVELOPE_MAX, &root, &len, err);
    }
    if (rc == DR_OK) {
        rc = dr_dir_make(cli->project->trust, 0700, err);
    }
    if (rc == DR_OK) {
        struct dr_bytes first = {(const uint8_t *)root, len};
        rc = open_store(cli, first, &out->store, err);
    }
    free(root);
    if (rc == DR_OK) {
        out->trust = dr_trust_store_get(out->store);
    }
    return rc;
}

static enum dr_rc sync_trust(struct dr_remote *remote, struct dr_err *err);

static enum dr_rc
connect_client(struct dr_remote *remote, uint32_t patience_ms, struct dr_err *err)
{
    const struct dr_project *p = remote->cli->project;
    struct dr_key key = {0};
    enum dr_rc rc = dr_keyfile_load(p->transport, DR_KEY_TRANSPORT, NULL, &key, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_rpc_client_config config = {
        .url = p->coordinator,
        .server_key = p->coordinator_key,
        .secret_key = dr_secret_bytes(key.secret),
        .cluster_id = remote->trust->root.msg->cluster_id.data,
        .connect_patience_ms = patience_ms,
    };
    rc = dr_rpc_client_open(&config, &remote->client, err);
    dr_key_fini(&key);
    return rc;
}

static bool
takes_url(const struct dr_cli_command *command)
{
    for (const struct dr_cli_option *o = command->options; o != NULL && o->name != NULL; o++) {
        if (dr_str_eq(o->name, "url")) {
            return true;
        }
    }
    return false;
}

// Where nothing answers and this project's own droverd.conf lies here, that is what to start.
static void
hint_own_coordinator(const struct dr_cli *cli, struct dr_err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/droverd.conf", cli->project->folder);
    if (n > 0 && n < (int)sizeof(path) && dr_path_exists(path)) {
        dr_err_hint(err, "droverd --config %s starts it%s", dr_project_shown(cli, path),
                    takes_url(cli->command) ? "; --url URL works on one database without it" : "");
    }
}

// From 14 days before a root or fleet expires, every command that asks the coordinator says so.
static void
note_expiry(const struct dr_cli *cli, const struct dr_trust *trust)
{
    const Drover__V1__Root *root = trust->root.msg;
    const Drover__V1__Fleet *fleet = trust->fleet.msg;
    dr_remote_note_expiry(cli, "root", root->version, root->expires, "drover root rotate");
    if (fleet != NULL) {
        dr_remote_note_expiry(cli, "fleet", fleet->version, fleet->expires, "drover fleet renew");
    }
}

void
dr_remote_note_expiry(const struct dr_cli *cli, const char *what, uint64_t version, int64_t expires,
                      const char *command)
{
    char when[32];
    int64_t left = expires - dr_now_unix_s();
    dr_format_time(when, expires);
    if (left <= 0) {
        dr_print_note(cli, "note: %s %llu expired at %s\n  try: %s", what,
                      (unsigned long long)version, when, command);
    } else if (left < DR_EXPIRY_NOTE_S) {
        dr_print_note(cli, "note: %s %llu expires in %d days, at %s\n  try: %s", what,
                      (unsigned long long)version, (int)(left / 86400), when, command);
    }
}

enum dr_rc
dr_remote_open(struct dr_cli *cli, struct dr_remote *out, struct dr_err *err)
{
    return dr_remote_open_soon(cli, 0, out, err); // 0: the client's default
}

enum dr_rc
dr_remote_open_soon(struct dr_cli *cli, uint32_t patience_ms, struct dr_remote *out,
                    struct dr_err *err)
{
    *out = (struct dr_remote){.cli = cli};
    enum dr_rc rc = dr_project_need_coordinator(cli, err);
    rc = rc == DR_OK ? dr_remote_open_offline(cli, out, err) : rc;
    rc = rc == DR_OK ? connect_client(out, patience_ms, err) : rc;
    rc = rc == DR_OK ? sync_trust(out, err) : rc;
    if (rc == DR_OK) {
        dr_trust_store_release(out->store);
        dr_remote_check_log(out);
        note_expiry(cli, out->trust);
    } else if (rc == DR_E_UNREACHABLE) {
        hint_own_coordinator(cli, err);
    }
    return rc;
}

enum dr_rc
dr_remote_open_to_renew(struct dr_cli *cli, uint32_t patience_ms, struct dr_remote *out,
                        struct dr_err *err)
{
    struct dr_err mine = {0};
    enum dr_rc rc = dr_remote_open_soon(cli, patience_ms, out, &mine);
    if (rc != DR_E_FREEZE_ROOT && rc != DR_E_FREEZE_FLEET) {
        *err = rc == DR_OK ? *err : mine;
        return rc;
    }
    dr_remote_close(out);
    rc = dr_remote_open_offline(cli, out, err);
    rc = rc == DR_OK ? connect_client(out, patience_ms, err) : rc;
    if (rc == DR_OK) {
        dr_trust_store_release(out->store);
    }
    return rc;
}

void
dr_remote_close(struct dr_remote *remote)
{
    dr_rpc_client_close(&remote->client);
    dr_trust_store_close(&remote->store);
    remote->trust = NULL;
}

enum dr_rc
dr_remote_call(struct dr_remote *remote, enum dr_method_id method, const ProtobufCMessage *request,
               void *out_reply, struct dr_err *err)
{
    return dr_remote_call_in(remote, method, request, remote->cli->arena, out_reply, err);
}

enum dr_rc
dr_remote_call_in(struct dr_remote *remote, enum dr_method_id method,
                  const ProtobufCMessage *request, struct dr_arena *arena, void *out_reply,
                  struct dr_err *err)
{
    ProtobufCMessage *reply = NULL;
    enum dr_rc rc =
        dr_rpc_call(remote->client, method, request, arena, &reply, DR_REMOTE_DEADLINE_MS, err);
    if (rc == DR_OK && method == DR_METHOD_OPERATOR_GET_ROLLOUT) {
        rc = dr_remote_all_targets(remote, arena, (Drover__V1__Rollout *)(void *)reply, err);
    } else if (rc == DR_OK && method == DR_METHOD_OPERATOR_STATUS) {
        rc = dr_remote_all_status(remote, arena, request, (Drover__V1__StatusReply *)(void *)reply,
                                  err);
    }
    if (rc == DR_OK && out_reply != NULL) {
        memcpy(out_reply, &reply, sizeof(reply));
    } else if (rc != DR_OK && !dr_print_is_tame(err->hint, false)) {
        dr_err_hint(err, "%s", ""); // a coordinator's hint is text that people paste
    }
    return rc;
}

// The newest document of a kind; `*out` NULL when the coordinator has none, or it is the one that
// is held (of this digest; NULL: none).
static enum dr_rc
newest(struct dr_remote *remote, const char *kind, uint64_t version, const uint8_t *held,
       Drover__V1__Document **out, struct dr_err *err)
{
    Drover__V1__GetDocumentRequest request = DROVER__V1__GET_DOCUMENT_REQUEST__INIT;
    struct dr_err mine = {0};
    request.kind = dr_arena_str(remote->cli->arena, kind);
    request.version = version;
    request.have_sha256 = dr_data(held, held != NULL ? 32 : 0);
    *out = NULL;
    enum dr_rc rc = dr_remote_call(remote, DR_METHOD_DOCUMENTS_GET, &request.base, out, &mine);
    if (rc == DR_E_NOT_FOUND) {
        *out = NULL;
        remote->is_behind = remote->is_behind || held != NULL;
        return DR_OK;
    }
    if (rc != DR_OK) {
        *err = mine;
        return rc;
    }
    if (held != NULL && (*out)->envelope.len == 0 && (*out)->blob.len == 0 &&
        dr_data_is((*out)->sha256, held)) {
        *out = NULL;
        return DR_OK;
    }
    return dr_remote_whole(remote, out, err);
}

// Roots after the one held, one by one.
static enum dr_rc
fetch_roots(struct dr_remote *remote, Drover__V1__TrustUpdate *update, struct dr_err *err)
{
    uint64_t version = remote->trust->root.msg->version;
    update->roots =
        dr_arena_array(remote->cli->arena, DR_ROOTS_PER_UPDATE_MAX, sizeof(*update->roots));
    if (update->roots == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    while (update->n_roots < DR_ROOTS_PER_UPDATE_MAX) {
        Drover__V1__Document *document = NULL;
        enum dr_rc rc = newest(remote, DR_TYPE_ROOT, ++version, NULL, &document, err);
        if (rc != DR_OK || document == NULL) {
            return rc;
        }
        update->roots[update->n_roots++] = document->envelope;
    }
    return DR_OK;
}

static enum dr_rc
add_entries(struct dr_remote *remote, const Drover__V1__Document *fleet,
            Drover__V1__TrustUpdate *update, struct dr_err *err)
{
    update->fleet = fleet->envelope;
    update->entries =
        dr_arena_array(remote->cli->arena, fleet->n_parts + 1, sizeof(*update->entries));
    Drover__V1__ProvenEntry *rows =
        dr_arena_array(remote->cli->arena, fleet->n_parts + 1, sizeof(*rows));
    if (update->entries == NULL || rows == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < fleet->n_parts; i++) {
        drover__v1__proven_entry__init(&rows[i]);
        rows[i].leaf = fleet->parts[i];
        rows[i].index = i;
        update->entries[i] = &rows[i];
    }
    update->n_entries = fleet->n_parts;
    return DR_OK;
}

// Takes what verifies. After a new root, the fleet and the chain may lack signatures of its people
// for a while: then they are left out, and a note says what to sign. Everything else is an error.
static enum dr_rc
accept_update(struct dr_remote *remote, const Drover__V1__TrustUpdate *update, struct dr_err *err)
{
    Drover__V1__TrustUpdate part = *update;
    bool changed = false;
    struct dr_err mine = {0};
    int64_t now = dr_now_unix_s();
    enum dr_rc rc = dr_trust_store_update(remote->store, &part, now, &changed, &mine);
    if (rc != DR_E_QUORUM) {
        *err = rc == DR_OK ? *err : mine;
        return rc;
    }
    part.fleet.len = part.chain.len = 0;
    part.n_entries = 0;
    rc = dr_trust_store_update(remote->store, &part, now, &changed, err);
    if (rc != DR_OK) {
        return rc;
    }
    for (int i = 0; i < 2; i++) {
        part = *update;
        part.fleet.len = i == 0 ? part.fleet.len : 0;
        part.n_entries = i == 0 ? part.n_entries : 0;
        part.chain.len = i == 0 ? 0 : part.chain.len;
        rc = dr_trust_store_update(remote->store, &part, now, &changed, &mine);
        if (rc == DR_E_QUORUM) {
            dr_print_note(remote->cli,
                          "note: the %s is not signed by enough people of the new root"
                          "\n  try: drover sign %s",
                          i == 0 ? "fleet" : "chain", i == 0 ? "fleet" : "chain");
        } else if (rc != DR_OK) {
            *err = mine;
            return rc;
        }
    }
    return DR_OK;
}

static enum dr_rc
sync_once(struct dr_remote *remote, struct dr_err *err)
{
    Drover__V1__TrustUpdate update = DROVER__V1__TRUST_UPDATE__INIT;
    Drover__V1__Document *fleet = NULL;
    Drover__V1__Document *chain = NULL;
    enum dr_rc rc = fetch_roots(remote, &update, err);
    const struct dr_trust *held = remote->trust;
    // Under a new root what is held is looked at again, so it is asked for as if it were not.
    bool may_hold = update.n_roots == 0;
    bool has_fleet = may_hold && held->fleet.msg != NULL && held->is_fleet_whole;
    const uint8_t *held_fleet = has_fleet ? held->fleet.sha256 : NULL;
    const uint8_t *held_chain = may_hold && held->chain.msg != NULL ? held->chain.sha256 : NULL;
    rc = rc == DR_OK ? newest(remote, DR_TYPE_FLEET, 0, held_fleet, &fleet, err) : rc;
    rc = rc == DR_OK && fleet != NULL ? add_entries(remote, fleet, &update, err) : rc;
    rc = rc == DR_OK ? newest(remote, DR_TYPE_CHAIN, 0, held_chain, &chain, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    if (chain != NULL) {
        update.chain = chain->envelope;
    }
    rc = accept_update(remote, &update, err);
    remote->trust = dr_trust_store_get(remote->store);
    if (rc == DR_OK && fleet == NULL && remote->trust->fleet.msg != NULL) {
        rc = dr_fleet_check_time(remote->trust->fleet.msg, dr_now_unix_s(), err); // held, unchanged
    }
    return rc;
}

// A coordinator that was put back to an older copy is given what this person holds: its documents
// are signed, so whoever brings them does no harm.
static enum dr_rc
sync_trust(struct dr_remote *remote, struct dr_err *err)
{
    struct dr_err first = {0};
    enum dr_rc rc = sync_once(remote, &first);
    if (rc == DR_E_ROLLBACK || (rc == DR_OK && remote->is_behind)) {
        remote->is_behind = false;
        rc = dr_remote_give_back(remote, &first);
        rc = rc == DR_OK ? sync_once(remote, &first) : rc;
    }
    if (rc != DR_OK) {
        *err = first;
        return rc == DR_E_UNREACHABLE
                   ? rc
                   : dr_err_wrap(err, "what the coordinator shows was not accepted");
    }
    return rc;
}

enum dr_rc
dr_remote_signing_key(struct dr_cli *cli, struct dr_key *out, struct dr_err *err)
{
    const char *path = dr_cli_option(cli, "key");
    if (path == NULL) {
        path = cli->project ? cli->project->key : "";
    }
    if (path[0] == '\0') {
        dr_err_set(err, DR_E_CONFIG, "no signing key is named");
        return dr_err_hint(
            err, "--key FILE, or set `key` in drover.conf; drover key new NAME makes one");
    }
    return dr_remote_key_at(cli, path, out, err);
}

enum dr_rc
dr_remote_key_at(struct dr_cli *cli, const char *path, struct dr_key *out, struct dr_err *err)
{
    bool asks = false;
    uint64_t fd = 0;
    enum dr_rc rc = dr_keyfile_needs_passphrase(path, &asks, err);
    rc = rc == DR_OK ? dr_cli_number(cli, "passphrase-fd", 0, 1023, UINT64_MAX, &fd, err) : rc;
    struct dr_secret *passphrase = NULL;
    if (rc == DR_OK && asks) {
        const char *prompt = dr_arena_printf(cli->arena, "Passphrase of %s: ", path);
        rc = dr_secret_ask(prompt ? prompt : "Passphrase: ", fd == UINT64_MAX ? -1 : (int)fd,
                           &passphrase, err);
    }
    if (rc == DR_OK) {
        rc = dr_keyfile_load(path, DR_KEY_SIGNING, passphrase, out, err);
    }
    dr_secret_free(&passphrase);
    return rc;
}
