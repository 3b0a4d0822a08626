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

// Writes a document to its place in trust/. A file that is there keeps its signatures, too; one
// with another content is not touched.
static enum dr_rc
put_file(struct dr_cli *cli, const struct kind *kind, uint64_t version, struct dr_trust_file *file,
         const char **out_path, struct dr_err *err)
{
    const char *path = dr_trust_file_path(cli, kind->word, version);
    struct dr_trust_file held = {0};
    struct dr_envelope a, b;
    *out_path = path;
    if (dr_path_exists(path)) {
        enum dr_rc rc = dr_trust_file_read(cli, path, &held, err);
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
        if (rc != DR_OK) {
            return rc;
        }
    }
    return dr_trust_file_write(path, file, err);
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
      const char **out_path, struct dr_err *err)
{
    const Drover__V1__Document *document = NULL;
    struct dr_trust_file file;
    uint64_t found = 0;
    enum dr_rc rc = ask_coordinator(cli, now, kind, version, &document, &found, err);
    rc = rc == DR_OK ? to_file(cli, kind, document, &file, err) : rc;
    return rc == DR_OK ? put_file(cli, kind, found, &file, out_path, err) : rc;
}

enum dr_rc
dr_signing_find(struct dr_cli *cli, const struct dr_trust_now *now, const char *name,
                const char **out_path, struct dr_err *err)
{
    uint64_t version = 0;
    const struct kind *kind = dr_path_exists(name) ? NULL : parse_name(name, &version);
    *out_path = name;
    if (kind == NULL) {
        return DR_OK; // a path; reading it tells what is wrong with it
    }
    struct dr_err mine = {0};
    enum dr_rc rc =
        now->is_online ? fetch(cli, now, kind, version, out_path, &mine) : DR_E_NOT_FOUND;
    if (rc != DR_E_NOT_FOUND) {
        *err = rc == DR_OK ? *err : mine;
        return rc;
    }
    version = version ? version : dr_trust_file_newest(cli, kind->word);
    *out_path = dr_trust_file_path(cli, kind->word, version);
    if (version == 0 || !dr_path_exists(*out_path)) {
        dr_err_set(err, DR_E_NOT_FOUND, "no %s waits here%s", name,
                   now->is_online ? " or at the coordinator" : ", and no coordinator answers");
        return dr_err_hint(err, "drover inbox shows what waits for your signature");
    }
    return DR_OK;
}

enum dr_rc
dr_signing_keep(struct dr_cli *cli, const struct dr_trust_now *now, const char *type,
                const char **out_path, struct dr_err *err)
{
    const struct dr_trust *trust = now->remote.trust;
    bool is_fleet = dr_str_eq(type, DR_TYPE_FLEET);
    struct dr_trust_file file = {.kind = type};
    uint64_t version = 0;
    *out_path = NULL;
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
        return put_file(cli, is_fleet ? &kinds[1] : &kinds[2], version, &file, out_path, err);
    }
    const char *word = is_fleet ? "fleet" : "chain";
    version = dr_trust_file_newest(cli, word);
    *out_path = version > 0 ? dr_trust_file_path(cli, word, version) : NULL;
    return DR_OK;
}
