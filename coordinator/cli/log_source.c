// Sources of the log. An export has an entry a line, and behind them a document a line, each with
// its `schema`.
#include "coordinator/cli/log_source.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "rpc/reflect.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX (256u * 1024 * 1024) // memory for one line's message
#define PAGE        500u
#define PAGE_MAX    (64u * 1024 * 1024)

static enum dr_rc
take_message(const struct dr_log_sink *sink, const json_t *json, struct dr_arena *arena,
             uint32_t line, struct dr_err *err)
{
    const char *schema = json_string_value(json_object_get(json, "schema"));
    bool is_document = schema != NULL && dr_str_eq(schema, "drover.v1.Document");
    ProtobufCMessage *message = NULL;
    if (is_document && sink->document == NULL) {
        return DR_OK;
    }
    enum dr_rc rc = dr_json_to_message(
        json, is_document ? &drover__v1__document__descriptor : &drover__v1__log_entry__descriptor,
        arena, &message, err);
    if (rc != DR_OK) {
        return rc;
    }
    return is_document
               ? sink->document(sink->user, (const Drover__V1__Document *)(void *)message, err)
               : sink->entry(sink->user, (const Drover__V1__LogEntry *)(void *)message, line, err);
}

static enum dr_rc
take_line(const struct dr_log_sink *sink, const char *text, size_t len, uint32_t line,
          struct dr_err *err)
{
    json_error_t why;
    json_t *json = json_loadb(text, len, 0, &why);
    if (json == NULL) {
        return dr_err_set(err, DR_E_INVALID, "no JSON: %s", why.text);
    }
    struct dr_arena *own = sink->keep == NULL ? dr_arena_new(MESSAGE_MAX) : NULL;
    struct dr_arena *arena = sink->keep != NULL ? sink->keep : own;
    enum dr_rc rc = arena != NULL ? take_message(sink, json, arena, line, err)
                                  : dr_err_set(err, DR_E_NOMEM, "out of memory");
    dr_arena_free(&own);
    json_decref(json);
    return rc;
}

enum dr_rc
dr_log_read_export(const char *path, const struct dr_log_sink *sink, struct dr_err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum dr_rc rc = dr_file_read(path, DR_LOG_EXPORT_MAX, &text, &len, err);
    uint32_t line = 0;
    for (char *p = text; rc == DR_OK && *p != '\0';) {
        size_t n = strcspn(p, "\n");
        line++;
        rc = n > 0 ? take_line(sink, p, n, line, err) : DR_OK;
        if (rc != DR_OK) {
            dr_err_at(err, path, line, 1);
        }
        p += n + (p[n] == '\n' ? 1 : 0);
    }
    free(text);
    return rc;
}

enum dr_rc
dr_log_say_empty(const char *path, struct dr_err *err)
{
    dr_err_set(err, DR_E_INVALID, "'%s' holds no entry of a log", path);
    return dr_err_hint(err, "drover log -o jsonl --documents > export.jsonl");
}

enum dr_rc
dr_log_read_coordinator(struct dr_remote *remote, uint64_t after, const struct dr_log_sink *sink,
                        struct dr_err *err)
{
    Drover__V1__LogRequest request = DROVER__V1__LOG_REQUEST__INIT;
    const char *rollout = dr_cli_option(remote->cli, "rollout");
    const char *target = dr_cli_option(remote->cli, "target");
    request.after = after;
    request.limit = PAGE;
    request.rollout = dr_arena_str(remote->cli->arena, rollout ? rollout : "");
    request.target = dr_arena_str(remote->cli->arena, target ? target : "");
    enum dr_rc rc = DR_OK;
    for (bool more = true; rc == DR_OK && more;) {
        Drover__V1__LogReply *reply = NULL;
        struct dr_arena *own = sink->keep == NULL ? dr_arena_new(PAGE_MAX) : NULL;
        struct dr_arena *arena = sink->keep != NULL ? sink->keep : own;
        rc = arena != NULL ? dr_remote_call_in(remote, DR_METHOD_OPERATOR_LOG, &request.base, arena,
                                               &reply, err)
                           : dr_err_set(err, DR_E_NOMEM, "out of memory");
        for (size_t i = 0; rc == DR_OK && i < reply->n_entries; i++) {
            rc = sink->entry(sink->user, reply->entries[i], 0, err);
            request.after = reply->entries[i]->index;
        }
        more = rc == DR_OK && reply->more && reply->n_entries > 0;
        dr_arena_free(&own);
    }
    return rc;
}

enum dr_rc
dr_log_fetch(struct dr_remote *remote, const uint8_t sha256[32], struct dr_arena *arena,
             Drover__V1__Document **out, struct dr_err *err)
{
    Drover__V1__GetDocumentRequest request = DROVER__V1__GET_DOCUMENT_REQUEST__INIT;
    Drover__V1__Document *document = NULL;
    struct dr_cli *cli = remote->cli;
    struct dr_cli here = *cli; // a large document comes as a blob, into the cli's arena
    request.sha256 = dr_data(sha256, 32);
    here.arena = arena;
    remote->cli = &here;
    enum dr_rc rc = dr_remote_call(remote, DR_METHOD_DOCUMENTS_GET, &request.base, &document, err);
    rc = rc == DR_OK ? dr_remote_whole(remote, &document, err) : rc;
    remote->cli = cli;
    if (rc == DR_OK) {
        document->sha256 = dr_data(dr_arena_copy(arena, sha256, 32), 32);
        *out = document;
        rc = document->sha256.data ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    return rc;
}

Drover__V1__Document *
dr_log_first_root(struct dr_cli *cli)
{
    struct dr_envelope envelope;
    char *text = NULL;
    size_t len = 0;
    if (cli->project == NULL || cli->project->root[0] == '\0' ||
        dr_file_read(cli->project->root, DR_ENVELOPE_MAX, &text, &len, NULL) != DR_OK) {
        return NULL;
    }
    Drover__V1__Document *document = dr_arena_alloc(cli->arena, sizeof(*document));
    const uint8_t *bytes = dr_arena_copy(cli->arena, text, len);
    free(text);
    if (document == NULL || bytes == NULL ||
        dr_envelope_parse((struct dr_bytes){bytes, len}, DR_TYPE_ROOT, &envelope, NULL) != DR_OK) {
        return NULL;
    }
    drover__v1__document__init(document);
    document->kind = dr_arena_str(cli->arena, DR_TYPE_ROOT);
    document->envelope = dr_data(bytes, len);
    document->sha256 = dr_data(dr_arena_copy(cli->arena, envelope.sha256, 32), 32);
    return document->kind != NULL && document->sha256.data != NULL ? document : NULL;
}
