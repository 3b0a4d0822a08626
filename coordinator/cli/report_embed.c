// What a report carries in itself. See report_embed.h.

#include "coordinator/cli/report_embed.h"
#include "coordinator/cli/rollout_view.h"

#include "rpc/json_base64.h"

#include <stdlib.h>
#include <string.h>

static void
add_message(struct dr_buf *out, const char *letter, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);
    if (bytes == NULL) {
        out->failed = true;
        return;
    }
    (void)protobuf_c_message_pack(message, bytes);
    dr_buf_str(out, letter);
    dr_base64_encode(out, bytes, len);
    dr_buf_str(out, "\n");
    free(bytes);
}

void
dr_report_embed(const struct dr_report *r, struct dr_buf *out)
{
    dr_buf_printf(out, "R %s\n", r->rollout);
    for (size_t i = 0; i < r->n_entries; i++) {
        add_message(out, "E ", &r->entries[i]->base);
    }
    for (size_t i = 0; i < r->n_documents; i++) {
        add_message(out, "D ", &r->documents[i]->base);
    }
    for (size_t i = 0; i < r->n_blobs; i++) {
        dr_buf_str(out, "B ");
        dr_base64_encode(out, r->blobs[i].bytes.data, r->blobs[i].bytes.len);
        dr_buf_str(out, "\n");
    }
}

static enum dr_rc
bad_line(struct dr_err *err)
{
    return dr_err_set(err, DR_E_INVALID, "what the report carries in itself is damaged");
}

static enum dr_rc
take_line(struct dr_report *r, const char *line, size_t len, struct dr_err *err)
{
    ProtobufCBinaryData data = {0};
    struct dr_arena *arena = r->cli->arena;
    if (len < 3 || line[1] != ' ') {
        return bad_line(err);
    }
    if (line[0] == 'R' && r->rollout == NULL) {
        char *id = dr_arena_copy(arena, line + 2, len - 1);
        if (id != NULL) {
            id[len - 2] = '\0';
        }
        r->rollout = id;
        return id != NULL && dr_rollout_id_is_valid(id) ? DR_OK : bad_line(err);
    }
    if (!dr_base64_decode(line + 2, len - 2, arena, &data)) {
        return bad_line(err);
    }
    if (line[0] == 'B') {
        return dr_report_add_blob(r, (struct dr_bytes){data.data, data.len}, err);
    }
    ProtobufCAllocator *allocator = dr_arena_protobuf(arena);
    if (line[0] == 'E') {
        Drover__V1__LogEntry *entry = drover__v1__log_entry__unpack(allocator, data.len, data.data);
        return entry != NULL ? dr_report_add_entry(r, entry, err) : bad_line(err);
    }
    Drover__V1__Document *document =
        line[0] == 'D' ? drover__v1__document__unpack(allocator, data.len, data.data) : NULL;
    return document != NULL ? dr_report_add_document(r, document, err) : bad_line(err);
}

enum dr_rc
dr_report_extract(struct dr_cli *cli, struct dr_bytes html, struct dr_report *out,
                  struct dr_err *err)
{
    const char *text = (const char *)html.data;
    const char *begin = memchr(text, '\0', html.len) == NULL ? strstr(text, DR_REPORT_BEGIN) : NULL;
    const char *end = begin != NULL ? strstr(begin, DR_REPORT_END) : NULL;
    *out = (struct dr_report){.cli = cli};
    if (end == NULL) {
        return dr_err_set(err, DR_E_INVALID, "this is no report of drover, or it was cut off");
    }
    enum dr_rc rc = DR_OK;
    for (const char *p = begin + strlen(DR_REPORT_BEGIN); rc == DR_OK && p < end;) {
        size_t n = strcspn(p, "\n");
        rc = take_line(out, p, n, err);
        p += n + 1;
    }
    return rc == DR_OK && out->rollout == NULL ? bad_line(err) : rc;
}
