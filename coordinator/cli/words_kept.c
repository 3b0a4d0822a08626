// The file: head (what it is, root, fleet), a packed StatusReply, SHA-256 of all that.

#include "coordinator/cli/words_kept.h"
#include "coordinator/cli/project.h"

#include "base/file.h"
#include "trust/strict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHAT      "drover/words.v1"
#define HEAD_SIZE (sizeof(WHAT) + 64)

static bool
path_of(const struct dr_cli *cli, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/" DR_KEPT_FILE, cli->project->trust);
    return n > 0 && n < PATH_MAX;
}

static void
fill_head(const struct dr_trust *trust, uint8_t out[HEAD_SIZE])
{
    memcpy(out, WHAT, sizeof(WHAT));
    memcpy(out + sizeof(WHAT), trust->root.sha256, 32);
    memcpy(out + sizeof(WHAT) + 32, trust->fleet.sha256, 32);
}

static size_t
place_of(const struct dr_kept *kept, const uint8_t sha256[32])
{
    size_t hash;
    memcpy(&hash, sha256, sizeof(hash));
    size_t at = hash & kept->mask;
    while (kept->places[at] != 0 &&
           memcmp(kept->items[kept->places[at] - 1].sha256, sha256, 32) != 0) {
        at = (at + 1) & kept->mask;
    }
    return at;
}

const struct dr_kept_word *
dr_kept_find(const struct dr_kept *kept, const uint8_t sha256[32])
{
    uint32_t found = kept->count > 0 ? kept->places[place_of(kept, sha256)] : 0;
    return found != 0 ? &kept->items[found - 1] : NULL;
}

// The table is less than half full, so that a place is found soon.
static bool
take_reply(const struct dr_cli *cli, const Drover__V1__StatusReply *reply, struct dr_kept *out)
{
    struct dr_kept kept = {.log_index = reply->log_count, .mask = 1};
    size_t n = reply->n_attestations;
    while (kept.mask < 2 * n) {
        kept.mask = 2 * kept.mask + 1;
    }
    kept.items = dr_arena_array(cli->arena, n + 1, sizeof(*kept.items));
    kept.places = dr_arena_array(cli->arena, kept.mask + 1, sizeof(*kept.places));
    if (kept.items == NULL || kept.places == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const Drover__V1__Document *one = reply->attestations[i];
        struct dr_kept_word *word = &kept.items[i];
        if (one->sha256.len != 32) {
            return false;
        }
        memcpy(word->sha256, one->sha256.data, 32);
        word->brief = (struct dr_bytes){one->envelope.data, one->envelope.len};
        kept.places[place_of(&kept, word->sha256)] = (uint32_t)i + 1;
        kept.count++;
    }
    *out = kept;
    return true;
}

static bool
is_whole(const struct dr_trust *trust, struct dr_bytes file)
{
    uint8_t head[HEAD_SIZE], digest[32];
    if (file.len < HEAD_SIZE + 32) {
        return false;
    }
    fill_head(trust, head);
    dr_sha256((struct dr_bytes){file.data, file.len - 32}, digest);
    return memcmp(file.data, head, HEAD_SIZE) == 0 &&
           memcmp(file.data + file.len - 32, digest, 32) == 0;
}

void
dr_kept_load(const struct dr_cli *cli, const struct dr_trust *trust, struct dr_kept *out)
{
    char path[PATH_MAX];
    char *content = NULL;
    size_t len = 0;
    *out = (struct dr_kept){0};
    if (!path_of(cli, path) || dr_file_read_own(path, DR_KEPT_MAX, &content, &len, NULL) != DR_OK) {
        return;
    }
    const struct dr_bytes file = {(const uint8_t *)content, len};
    Drover__V1__StatusReply *reply =
        is_whole(trust, file)
            ? drover__v1__status_reply__unpack(dr_arena_protobuf(cli->arena), len - HEAD_SIZE - 32,
                                               file.data + HEAD_SIZE)
            : NULL;
    free(content);
    if (reply != NULL && !take_reply(cli, reply, out)) {
        *out = (struct dr_kept){0};
    }
}

static size_t
pack(const struct dr_cli *cli, const struct dr_kept *kept, uint8_t **out, size_t before,
     size_t after)
{
    Drover__V1__StatusReply reply = DROVER__V1__STATUS_REPLY__INIT;
    Drover__V1__Document *rows = dr_arena_array(cli->arena, kept->count + 1, sizeof(*rows));
    reply.attestations =
        dr_arena_array(cli->arena, kept->count + 1, sizeof(Drover__V1__Document *));
    if (rows == NULL || reply.attestations == NULL) {
        return 0;
    }
    reply.log_count = kept->log_index;
    for (size_t i = 0; i < kept->count; i++) {
        const struct dr_kept_word *word = &kept->items[i];
        drover__v1__document__init(&rows[i]);
        rows[i].sha256 = dr_data(word->sha256, 32);
        rows[i].envelope = dr_data(word->brief.data, word->brief.len);
        reply.attestations[reply.n_attestations++] = &rows[i];
    }
    size_t len = drover__v1__status_reply__get_packed_size(&reply);
    *out = len <= DR_KEPT_MAX - before - after ? malloc(before + len + after) : NULL;
    return *out != NULL ? drover__v1__status_reply__pack(&reply, *out + before) : 0;
}

void
dr_kept_save(const struct dr_cli *cli, const struct dr_trust *trust, const struct dr_kept *kept)
{
    char path[PATH_MAX];
    uint8_t *file = NULL;
    size_t len = path_of(cli, path) ? pack(cli, kept, &file, HEAD_SIZE, 32) : 0;
    if (len > 0) {
        fill_head(trust, file);
        dr_sha256((struct dr_bytes){file, HEAD_SIZE + len}, file + HEAD_SIZE + len);
        (void)!dr_file_write(path, file, HEAD_SIZE + len + 32, 0600, NULL);
    }
    free(file);
}
