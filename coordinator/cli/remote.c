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
#define PIECE_MAX     (512u * 1024)

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

static enum dr_rc
open_offline(struct dr_cli *cli, struct dr_remote *out, struct dr_err *err)
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
    rc = rc == DR_OK ? open_offline(cli, out, err) : rc;
    rc = rc == DR_OK ? connect_client(out, patience_ms, err) : rc;
    rc = rc == DR_OK ? sync_trust(out, err) : rc;
    if (rc == DR_OK) {
        dr_trust_store_release(out->store);
    } else if (rc == DR_E_UNREACHABLE) {
        hint_own_coordinator(cli, err);
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
    if (rc == DR_OK && out_reply != NULL) {
        memcpy(out_reply, &reply, sizeof(reply));
    } else if (rc != DR_OK && !dr_print_is_tame(err->hint, false)) {
        dr_err_hint(err, "%s", ""); // a coordinator's hint is text that people paste
    }
    return rc;
}

// The newest document of a kind; `*out` NULL when the coordinator has none.
static enum dr_rc
newest(struct dr_remote *remote, const char *kind, uint64_t version, Drover__V1__Document **out,
       struct dr_err *err)
{
    Drover__V1__GetDocumentRequest request = DROVER__V1__GET_DOCUMENT_REQUEST__INIT;
    struct dr_err mine = {0};
    request.kind = dr_arena_str(remote->cli->arena, kind);
    request.version = version;
    *out = NULL;
    enum dr_rc rc = dr_remote_call(remote, DR_METHOD_DOCUMENTS_GET, &request.base, out, &mine);
    if (rc == DR_E_NOT_FOUND) {
        *out = NULL;
        return DR_OK;
    }
    if (rc != DR_OK) {
        *err = mine;
    }
    return rc;
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
        enum dr_rc rc = newest(remote, DR_TYPE_ROOT, ++version, &document, err);
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

static enum dr_rc
sync_trust(struct dr_remote *remote, struct dr_err *err)
{
    Drover__V1__TrustUpdate update = DROVER__V1__TRUST_UPDATE__INIT;
    Drover__V1__Document *fleet = NULL;
    Drover__V1__Document *chain = NULL;
    bool changed = false;
    enum dr_rc rc = fetch_roots(remote, &update, err);
    rc = rc == DR_OK ? newest(remote, DR_TYPE_FLEET, 0, &fleet, err) : rc;
    rc = rc == DR_OK && fleet != NULL ? add_entries(remote, fleet, &update, err) : rc;
    rc = rc == DR_OK ? newest(remote, DR_TYPE_CHAIN, 0, &chain, err) : rc;
    if (rc != DR_OK) {
        return rc;
    }
    if (chain != NULL) {
        update.chain = chain->envelope;
    }
    rc = dr_trust_store_update(remote->store, &update, dr_now_unix_s(), &changed, err);
    remote->trust = dr_trust_store_get(remote->store);
    if (rc != DR_OK) {
        return dr_err_wrap(err, "what the coordinator shows was not accepted");
    }
    return rc;
}

enum dr_rc
dr_remote_put_blob(struct dr_remote *remote, const uint8_t sha256[32], struct dr_bytes bytes,
                   struct dr_err *err)
{
    uint64_t offset = 0;
    do {
        Drover__V1__PutBlobRequest request = DROVER__V1__PUT_BLOB_REQUEST__INIT;
        Drover__V1__PutBlobReply *reply = NULL;
        size_t left = bytes.len - (size_t)offset;
        request.sha256 = dr_data(sha256, 32);
        request.offset = offset;
        request.total = bytes.len;
        request.bytes = dr_data(bytes.data + offset, left > PIECE_MAX ? PIECE_MAX : left);
        enum dr_rc rc =
            dr_remote_call(remote, DR_METHOD_DOCUMENTS_PUT_BLOB, &request.base, &reply, err);
        if (rc != DR_OK || reply->complete) {
            return rc;
        }
        if (reply->received <= offset || reply->received > bytes.len) {
            return dr_err_set(err, DR_E_INTERNAL,
                              "the coordinator took no further piece of the upload");
        }
        offset = reply->received;
    } while (offset < bytes.len);
    return dr_err_set(err, DR_E_INTERNAL,
                      "the coordinator did not say that the upload is complete");
}

enum dr_rc
dr_remote_get_blob(struct dr_remote *remote, const uint8_t sha256[32], size_t max_bytes,
                   struct dr_bytes *out, struct dr_err *err)
{
    uint8_t *bytes = NULL;
    uint64_t total = 0;
    uint64_t have = 0;
    do {
        Drover__V1__GetBlobRequest request = DROVER__V1__GET_BLOB_REQUEST__INIT;
        Drover__V1__GetBlobReply *reply = NULL;
        request.sha256 = dr_data(sha256, 32);
        request.offset = have;
        enum dr_rc rc =
            dr_remote_call(remote, DR_METHOD_DOCUMENTS_GET_BLOB, &request.base, &reply, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (bytes == NULL) {
            total = reply->total;
            bytes =
                total <= max_bytes ? dr_arena_alloc(remote->cli->arena, (size_t)total + 1) : NULL;
        }
        if (bytes == NULL || reply->total != total || reply->bytes.len > total - have ||
            (reply->bytes.len == 0 && have < total)) {
            return dr_err_set(err, DR_E_LIMIT,
                              "the coordinator's blob has another size than it may have");
        }
        memcpy(bytes + have, reply->bytes.data, reply->bytes.len);
        have += reply->bytes.len;
    } while (have < total);
    uint8_t digest[32];
    *out = (struct dr_bytes){bytes, (size_t)total};
    dr_sha256(*out, digest);
    if (memcmp(digest, sha256, 32) != 0) {
        return dr_err_set(err, DR_E_CONFLICT,
                          "the coordinator handed over other bytes than the digest names");
    }
    return DR_OK;
}

enum dr_rc
dr_remote_put(struct dr_remote *remote, const char *kind, struct dr_bytes envelope,
              const struct dr_bytes *parts, size_t n_parts, Drover__V1__PutDocumentReply **out,
              struct dr_err *err)
{
    Drover__V1__Document document = DROVER__V1__DOCUMENT__INIT;
    document.kind = dr_arena_str(remote->cli->arena, kind);
    document.envelope = dr_data(envelope.data, envelope.len);
    document.parts = dr_arena_array(remote->cli->arena, n_parts + 1, sizeof(*document.parts));
    if (document.kind == NULL || document.parts == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n_parts; i++) {
        document.parts[i] = dr_data(parts[i].data, parts[i].len);
    }
    document.n_parts = n_parts;
    return dr_remote_call(remote, DR_METHOD_DOCUMENTS_PUT, &document.base, out, err);
}

enum dr_rc
dr_remote_list(struct dr_remote *remote, Drover__V1__ListDocumentsRequest request,
               Drover__V1__Document ***out, size_t *out_n, struct dr_err *err)
{
    size_t cap = 0;
    *out = NULL;
    *out_n = 0;
    for (;;) {
        Drover__V1__DocumentList *page = NULL;
        enum dr_rc rc = dr_remote_call(remote, DR_METHOD_DOCUMENTS_LIST, &request.base, &page, err);
        if (rc != DR_OK) {
            return rc;
        }
        if (*out_n + page->n_documents > cap) {
            cap = 2 * (*out_n + page->n_documents);
            Drover__V1__Document **grown = dr_arena_array(remote->cli->arena, cap, sizeof(*grown));
            if (grown == NULL) {
                return dr_err_set(err, DR_E_NOMEM, "out of memory");
            }
            memcpy(grown, *out ? *out : grown, *out_n * sizeof(*grown));
            *out = grown;
        }
        for (size_t i = 0; i < page->n_documents; i++) {
            (*out)[(*out_n)++] = page->documents[i];
            request.after_log_index = page->documents[i]->log_index;
        }
        if (!page->more || page->n_documents == 0) {
            return DR_OK;
        }
    }
}

enum dr_rc
dr_remote_signing_key(struct dr_cli *cli, struct dr_key *out, struct dr_err *err)
{
    const char *path = dr_cli_option(cli, "key");
    bool asks = false;
    uint64_t fd = 0;
    if (path == NULL) {
        path = cli->project ? cli->project->key : "";
    }
    if (path[0] == '\0') {
        dr_err_set(err, DR_E_CONFIG, "no signing key is named");
        return dr_err_hint(
            err, "--key FILE, or set `key` in drover.conf; drover key new NAME makes one");
    }
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
