// What a person means by "root", "fleet.3" or a path: a file of the project, or what waits at the
// coordinator.

#include "coordinator/cli/project.h"
#include "coordinator/cli/signing.h"

#include "base/file.h"
#include "trust/chain.h"
#include "trust/strict.h"

#include <stdio.h>
#include <string.h>

static const struct kind {
    const char *word, *type;
} kinds[] = {{"root", DR_TYPE_ROOT}, {"fleet", DR_TYPE_FLEET}, {"chain", DR_TYPE_CHAIN}};

// "fleet", "fleet.3": the kind, and the version or 0. NULL: something else.
static const struct kind *
parse_name(const char *name, uint64_t *out_version)
{
    for (size_t i = 0; i < DR_COUNT_OF(kinds); i++) {
        size_t len = strlen(kinds[i].word);
        *out_version = 0;
        if (strncmp(name, kinds[i].word, len) == 0 &&
            (name[len] == '\0' ||
             (name[len] == '.' && dr_parse_u64(name + len + 1, 1, UINT64_MAX, out_version)))) {
            return &kinds[i];
        }
    }
    return NULL;
}

static enum dr_rc
version_of(struct dr_cli *cli, const struct kind *kind, const Drover__V1__Document *document,
           uint64_t *out, struct dr_err *err)
{
    struct dr_envelope envelope;
    struct dr_bytes wire = {document->envelope.data, document->envelope.len};
    ProtobufCMessage *message = NULL;
    struct dr_chain chain;
    enum dr_rc rc = dr_envelope_parse(wire, kind->type, &envelope, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (dr_str_eq(kind->word, "chain")) {
        rc = dr_chain_decode(cli->arena, envelope.payload, &chain, err);
        *out = rc == DR_OK ? chain.msg->version : 0;
        return rc;
    }
    bool is_root = dr_str_eq(kind->word, "root");
    rc = dr_strict_decode(cli->arena,
                          is_root ? &drover__v1__root__descriptor : &drover__v1__fleet__descriptor,
                          envelope.payload, &message, err);
    if (rc == DR_OK) {
        *out = is_root ? ((const Drover__V1__Root *)message)->version
                       : ((const Drover__V1__Fleet *)message)->version;
    }
    return rc;
}

static enum dr_rc
to_file(struct dr_cli *cli, const struct kind *kind, const Drover__V1__Document *document,
        struct dr_trust_file *out, struct dr_err *err)
{
    *out = (struct dr_trust_file){.kind = kind->type,
                                  .envelope = {document->envelope.data, document->envelope.len},
                                  .n_parts = document->n_parts};
    out->parts = dr_arena_array(cli->arena, document->n_parts + 1, sizeof(*out->parts));
    for (size_t i = 0; out->parts != NULL && i < document->n_parts; i++) {
        out->parts[i] = (struct dr_bytes){document->parts[i].data, document->parts[i].len};
    }
    return out->parts != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

// Its place in trust/. A file that is there keeps its signatures, too: `file` gets them; one with
// another content is refused. Nothing is written: what nobody signed here leaves no trace.
static enum dr_rc
place_file(struct dr_cli *cli, const struct kind *kind, uint64_t version,
           struct dr_trust_file *file, const char **out_path, struct dr_err *err)
{
    const char *path = dr_trust_file_path(cli, kind->word, version);
    struct dr_trust_file held = {0};
    struct dr_envelope a, b;
    enum dr_rc rc = DR_OK;
    *out_path = path;
    if (dr_path_exists(path)) {
        rc = dr_trust_file_read(cli, path, &held, err);
        rc = rc == DR_OK ? dr_envelope_parse(held.envelope, kind->type, &a, err) : rc;
        rc = rc == DR_OK ? dr_envelope_parse(file->envelope, kind->type, &b, err) : rc;
        rc = rc == DR_OK ? dr_envelope_merge(cli->arena, &a, &b, &file->envelope, err) : rc;
        if (rc == DR_E_CONFLICT) {
            dr_err_set(err, DR_E_CONFLICT, "'%s' and the coordinator's %s %llu differ",
                       dr_project_shown(cli, path), kind->word, (unsigned long long)version);
            return dr_err_hint(err,
                               "drover sign %s signs the file; move it away to sign the "
                               "coordinator's",
                               dr_project_shown(cli, path));
        }
    }
    return rc;
}

// The newest of what waits for signatures, else (chain and fleet) of what is in force.
static enum dr_rc
ask_coordinator(struct dr_cli *cli, const struct dr_trust_now *now, const struct kind *kind,
                uint64_t version, const Drover__V1__Document **out, uint64_t *out_version,
                struct dr_err *err)
{
    Drover__V1__ListDocumentsRequest request = DROVER__V1__LIST_DOCUMENTS_REQUEST__INIT;
    Drover__V1__Document **rows = NULL;
    size_t n = 0;
    // the remote is only borrowed here, and its calls do not change it
    struct dr_remote remote = now->remote;
    request.kind = dr_arena_str(cli->arena, kind->type);
    request.pending = true;
    enum dr_rc rc = dr_remote_list(&remote, request, &rows, &n, err);
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        uint64_t v = 0;
        rc = version_of(cli, kind, rows[i], &v, err);
        if (rc == DR_OK && (version == 0 ? v > *out_version : v == version)) {
            *out = rows[i];
            *out_version = v;
        }
    }
    if (rc != DR_OK || *out != NULL) {
        return rc;
    }
    Drover__V1__GetDocumentRequest get = DROVER__V1__GET_DOCUMENT_REQUEST__INIT;
    Drover__V1__Document *document = NULL;
    get.kind = request.kind;
    get.version = version;
    rc = dr_remote_call(&remote, DR_METHOD_DOCUMENTS_GET, &get.base, &document, err);
    *out = document;
    return rc == DR_OK ? version_of(cli, kind, document, out_version, err) : rc;
}

static enum dr_rc
fetch(struct dr_cli *cli, const struct dr_trust_now *now, const struct kind *kind, uint64_t version,
      struct dr_signing_file *out, struct dr_err *err)
{
    const Drover__V1__Document *document = NULL;
    uint64_t found = 0;
    enum dr_rc rc = ask_coordinator(cli, now, kind, version, &document, &found, err);
    rc = rc == DR_OK ? to_file(cli, kind, document, &out->file, err) : rc;
    return rc == DR_OK ? place_file(cli, kind, found, &out->file, &out->path, err) : rc;
}

enum dr_rc
dr_signing_find(struct dr_cli *cli, const struct dr_trust_now *now, const char *name,
                struct dr_signing_file *out, struct dr_err *err)
{
    uint64_t version = 0;
    const struct kind *kind = dr_path_exists(name) ? NULL : parse_name(name, &version);
    *out = (struct dr_signing_file){.path = name, .is_file = kind == NULL};
    if (kind == NULL) { // a path; reading it tells what is wrong with it
        return dr_trust_file_read(cli, name, &out->file, err);
    }
    struct dr_err mine = {0};
    enum dr_rc rc = now->is_online ? fetch(cli, now, kind, version, out, &mine) : DR_E_NOT_FOUND;
    if (rc != DR_E_NOT_FOUND) {
        *err = rc == DR_OK ? *err : mine;
        return rc;
    }
    version = version ? version : dr_trust_file_newest(cli, kind->word);
    out->path = dr_trust_file_path(cli, kind->word, version);
    if (version == 0 || !dr_path_exists(out->path)) {
        dr_err_set(err, DR_E_NOT_FOUND, "no %s waits here%s", name,
                   now->is_online ? " or at the coordinator" : ", and no coordinator answers");
        return dr_err_hint(err, "drover inbox shows what waits for your signature");
    }
    return dr_trust_file_read(cli, out->path, &out->file, err);
}

// The newest file of a kind that has the signatures it needs: never a proposal.
static enum dr_rc
newest_complete(struct dr_cli *cli, const struct dr_trust_now *now, const char *word,
                struct dr_signing_file *out, struct dr_err *err)
{
    for (uint64_t v = dr_trust_file_newest(cli, word); v > 0; v--) {
        const char *path = dr_trust_file_path(cli, word, v);
        struct dr_trust_file file = {0};
        uint32_t have = 0;
        uint32_t need = 0;
        if (!dr_path_exists(path)) {
            continue;
        }
        enum dr_rc rc = dr_trust_file_read(cli, path, &file, err);
        rc = rc == DR_OK ? dr_trust_file_count(cli, now->root.msg, &file, &have, &need, err) : rc;
        if (rc != DR_OK) {
            return rc;
        }
        if (have >= need) {
            out->path = path;
            out->file = file;
            return DR_OK;
        }
    }
    return DR_OK;
}

enum dr_rc
dr_signing_in_force(struct dr_cli *cli, const struct dr_trust_now *now, const char *type,
                    struct dr_signing_file *out, struct dr_err *err)
{
    const struct dr_trust *trust = now->remote.trust;
    bool is_fleet = dr_str_eq(type, DR_TYPE_FLEET);
    struct dr_trust_file file = {.kind = type};
    uint64_t version = 0;
    *out = (struct dr_signing_file){0};
    if (trust != NULL && is_fleet && trust->fleet.msg != NULL && trust->is_fleet_whole) {
        version = trust->fleet.msg->version;
        file.envelope = trust->fleet.wire;
        file.n_parts = trust->n_entries;
        file.parts = dr_arena_array(cli->arena, file.n_parts + 1, sizeof(*file.parts));
        for (size_t i = 0; file.parts != NULL && i < file.n_parts; i++) {
            file.parts[i] = trust->entries[i].leaf;
        }
    } else if (trust != NULL && !is_fleet && trust->chain.msg != NULL) {
        version = trust->chain.msg->version;
        file.envelope = trust->chain.wire;
    }
    if (version > 0) {
        out->file = file;
        enum dr_rc rc =
            place_file(cli, is_fleet ? &kinds[1] : &kinds[2], version, &out->file, &out->path, err);
        return rc == DR_OK ? dr_trust_file_write(out->path, &out->file, err) : rc;
    }
    return newest_complete(cli, now, is_fleet ? "fleet" : "chain", out, err);
}
