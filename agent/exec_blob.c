// Exec, blobs: plans and revision files lie in the state folder under their digest; what lacks is
// fetched through net, one at a time, and believed only when its digest is right.
#include "agent/exec_internal.h"

#include "base/file.h"
#include "base/failpoint.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
name_blob(const struct dr_agent *agent, const uint8_t sha256[32], char out[PATH_MAX])
{
    char hex[65];
    dr_hex(hex, sha256, 32);
    (void)snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX - 80, agent->blob_folder, hex);
}

bool
dr_exec_blob_has(const struct dr_agent *agent, const uint8_t sha256[32])
{
    char path[PATH_MAX];
    name_blob(agent, sha256, path);
    return dr_path_exists(path);
}

enum dr_rc
dr_exec_blob_read(const struct dr_agent *agent, struct dr_arena *arena, const uint8_t sha256[32],
                  struct dr_bytes *out, struct dr_err *err)
{
    char path[PATH_MAX];
    char *bytes = NULL;
    size_t len = 0;
    name_blob(agent, sha256, path);
    enum dr_rc rc = dr_file_read(path, DR_PLANDOC_MAX, &bytes, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    out->data = dr_arena_copy(arena, bytes, len);
    out->len = len;
    free(bytes);
    return out->data == NULL ? dr_err_set(err, DR_E_NOMEM, "out of memory") : DR_OK;
}

void
dr_exec_blob_abort(struct dr_agent *agent)
{
    if (agent->fetch.is_on) {
        (void)close(agent->fetch.fd);
        (void)unlink(agent->fetch.part);
        agent->fetch.is_on = false;
    }
}

static bool
begin_fetch(struct dr_agent *agent, const uint8_t sha256[32])
{
    struct dr_agent_fetch *fetch = &agent->fetch;
    char path[PATH_MAX];
    struct dr_err err = {0};
    name_blob(agent, sha256, path);
    (void)snprintf(fetch->part, sizeof fetch->part, "%.*s.part", PATH_MAX - 8, path);
    fetch->fd = open(fetch->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fetch->fd < 0) {
        (void)dr_err_errno(&err, DR_E_AGENT_STATE, errno, "cannot write '%s'", fetch->part);
        dr_log_err(DR_LOG_ERROR, "fetch", &err);
        return false;
    }
    memcpy(fetch->sha256, sha256, 32);
    fetch->received = 0;
    fetch->is_on = true;
    const struct dr_bytes none = {0};
    dr_exec_net_send(agent, DROVER__V1__PIPE_KIND__PIPE_NEED_BLOB, 0, sha256, none);
    return true;
}

void
dr_exec_blob_turn(struct dr_agent *agent)
{
    if (agent->fetch.is_on || !agent->net.is_up) {
        return;
    }
    for (size_t i = 0; i < agent->n_slots; i++) {
        struct dr_agent_slot *slot = &agent->slots[i];
        for (size_t k = 0; slot->state == DR_STEP_FETCHING && k < slot->n_blobs; k++) {
            if (!dr_exec_blob_has(agent, slot->blobs[k])) {
                if (!begin_fetch(agent, slot->blobs[k])) {
                    dr_exec_slot_event(slot, DR_STEP_ON_AGAIN);
                }
                return;
            }
        }
    }
}

// Whoever waits goes on. A slot's step may end its task, so each is looked at once.
static void
tell_slots(struct dr_agent *agent)
{
    for (size_t i = 0; i < agent->n_slots; i++) {
        if (agent->slots[i].state == DR_STEP_FETCHING) {
            agent->slots[i].has_news = true;
        }
    }
}

static void
refuse_slots(struct dr_agent *agent, const uint8_t sha256[32], const char *why)
{
    char hex[65];
    dr_hex(hex, sha256, 32);
    for (size_t i = 0; i < agent->n_slots; i++) {
        struct dr_agent_slot *slot = &agent->slots[i];
        for (size_t k = 0; slot->state == DR_STEP_FETCHING && k < slot->n_blobs; k++) {
            if (memcmp(slot->blobs[k], sha256, 32) == 0) {
                (void)dr_err_set(&slot->failure, DR_E_AGENT_NO_BLOB, "file '%.12s' %s", hex, why);
                dr_exec_slot_event(slot, DR_STEP_ON_REFUSED);
            }
        }
    }
}

static void
end_fetch(struct dr_agent *agent)
{
    struct dr_agent_fetch *fetch = &agent->fetch;
    uint8_t found[32];
    uint64_t size = 0;
    char path[PATH_MAX];
    uint8_t sha256[32];
    memcpy(sha256, fetch->sha256, 32);
    bool is_written = fsync(fetch->fd) == 0;
    (void)close(fetch->fd);
    fetch->is_on = false;
    enum dr_rc rc = dr_file_sha256(fetch->part, found, &size, NULL);
    name_blob(agent, sha256, path);
    (void)DR_FAILPOINT("agent-blob-before");
    if (is_written && rc == DR_OK && memcmp(found, sha256, 32) == 0 &&
        rename(fetch->part, path) == 0) {
        (void)DR_FAILPOINT("agent-blob-after");
        tell_slots(agent);
        return;
    }
    (void)unlink(fetch->part);
    refuse_slots(agent, sha256, "came with other bytes than its digest says");
}

void
dr_exec_blob_piece(struct dr_agent *agent, const Drover__V1__PipeFrame *frame)
{
    struct dr_agent_fetch *fetch = &agent->fetch;
    if (!fetch->is_on || frame->digest.len != 32 ||
        memcmp(frame->digest.data, fetch->sha256, 32) != 0 || frame->offset != fetch->received) {
        return; // of a fetch that was given up
    }
    bool fits = frame->number <= DR_PLANDOC_MAX && frame->body.len <= frame->number &&
                fetch->received <= frame->number - frame->body.len &&
                (frame->body.len > 0 || frame->number == 0);
    if (!fits || !dr_fd_write_all(fetch->fd, frame->body.data, frame->body.len)) {
        uint8_t sha256[32];
        memcpy(sha256, fetch->sha256, 32);
        dr_exec_blob_abort(agent);
        refuse_slots(agent, sha256, fits ? "cannot be written here" : "is too large");
        return;
    }
    fetch->received += frame->body.len;
    if (fetch->received == frame->number) {
        end_fetch(agent);
    }
}

void
dr_exec_blob_missing(struct dr_agent *agent, const Drover__V1__PipeFrame *frame)
{
    if (agent->fetch.is_on && frame->digest.len == 32 &&
        memcmp(frame->digest.data, agent->fetch.sha256, 32) == 0) {
        uint8_t sha256[32];
        memcpy(sha256, agent->fetch.sha256, 32);
        dr_exec_blob_abort(agent);
        refuse_slots(agent, sha256, "is not at the coordinator");
    }
}
