// The note is a text: a first line that names the program and a sum of the rest, one by which the
// whole folder can be told unchanged, then a line a revision. It is the user's own file, so it is
// trusted as the revisions themselves are; the sum only tells a torn one, since nothing waits for
// the disk here.
#include "revision/graph_note.h"
#include "revision/graph_internal.h"

#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE_HELLO     "drover-note 5 " DROVER_VERSION
#define NOTE_BYTES_MAX (16u * 1024 * 1024)
#define SETTLED_MS     1000 // a file's time may be this much older than its last change

struct line {
    const char *id, *marks;
};

// All revision files of a folder: how many, and the sum of their stamps, in whatever order the
// folder gives them.
struct state {
    size_t files;
    uint64_t stamps;
    int64_t changed_ms; // of the latest change
};

struct dr_graph_note {
    char *text; // the fields lie in it
    struct line *lines;
    size_t count, heads;
};

// ------------------------------------------------------------------------------------------ shared

bool
dr_graph_note_path(const char *folder, char *out, size_t out_size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char absolute[PATH_MAX], hex[2 * DR_DIGEST_SIZE + 1];
    uint8_t digest[DR_DIGEST_SIZE];
    bool has_cache = cache != NULL && cache[0] == '/';
    if ((!has_cache && (home == NULL || home[0] != '/')) || realpath(folder, absolute) == NULL) {
        return false;
    }
    dr_digest_sha256(digest, absolute, strlen(absolute));
    dr_hex(hex, digest, DR_DIGEST_SIZE);
    int n = snprintf(out, out_size, "%s%s/drover/%.24s.note", has_cache ? cache : home,
                     has_cache ? "" : "/.cache", hex);
    return n > 0 && (size_t)n < out_size;
}

// FNV-1a (draft-eastlake-fnv), 64 bits, over words instead of bytes.
static uint64_t
sum_of(const uint64_t *words, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ words[i]) * 0x100000001b3u;
        hash ^= hash >> 32; // else what differs in high bits only stays there
    }
    return hash;
}

// The same over bytes.
static uint64_t
sum_of_text(const char *text, size_t len)
{
    uint64_t sum = len;
    for (size_t at = 0; at < len; at += sizeof sum) {
        uint64_t words[2] = {sum, 0};
        memcpy(&words[1], text + at, len - at < sizeof sum ? len - at : sizeof sum);
        sum = sum_of(words, DR_COUNT_OF(words));
    }
    return sum;
}

// Adds a file: its name, and what changes when it does. False: it is no plain file.
static bool
add_file(int folder, const char *name, struct state *state)
{
    struct stat s;
    if (fstatat(folder, name, &s, 0) != 0 || !S_ISREG(s.st_mode)) {
        return false;
    }
    const uint64_t parts[] = {
        sum_of_text(name, strlen(name)),
        s.st_dev,
        s.st_ino,
        (uint64_t)s.st_size,
        (uint64_t)s.st_mtim.tv_sec,
        (uint64_t)s.st_mtim.tv_nsec,
        (uint64_t)s.st_ctim.tv_sec,
        (uint64_t)s.st_ctim.tv_nsec,
    };
    int64_t changed_ms = (int64_t)s.st_ctim.tv_sec * 1000 + s.st_ctim.tv_nsec / 1000000;
    state->files++;
    state->stamps += sum_of(parts, DR_COUNT_OF(parts));
    state->changed_ms = changed_ms > state->changed_ms ? changed_ms : state->changed_ms;
    return true;
}

static bool
look_at(const char *folder, struct state *out)
{
    DIR *dir = opendir(folder);
    bool is_good = dir != NULL;
    *out = (struct state){0};
    for (struct dirent *e = NULL; is_good && (e = readdir(dir)) != NULL;) {
        bool is_ours = e->d_name[0] != '.' && dr_str_ends(e->d_name, ".sql");
        is_good = !is_ours || add_file(dirfd(dir), e->d_name, out);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return is_good;
}

static void
head_line(struct dr_buf *out, const char *body, size_t len)
{
    dr_buf_printf(out, "%s %016" PRIx64 "\n", NOTE_HELLO, sum_of_text(body, len));
}

static void
state_line(struct dr_buf *out, const struct state *state)
{
    dr_buf_printf(out, "%zu files %016" PRIx64 "\n", state->files, state->stamps);
}

// ------------------------------------------------------------------------------------------- read

// Cuts the lines into their fields, in place. False: it is not ours.
static bool
cut(char *body, struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *end = strchr(body, '\n');
        char *tab = end == NULL ? NULL : memchr(body, '\t', (size_t)(end - body));
        if (tab == NULL) {
            return false;
        }
        *tab = *end = '\0';
        lines[i] = (struct line){.id = body, .marks = tab + 1};
        body = end + 1;
    }
    return true;
}

// Is the folder just as it is noted? `*body` moves behind the line that tells.
static bool
is_unchanged(const char *folder, char **body)
{
    struct state now;
    struct dr_buf line = {0};
    size_t len = strcspn(*body, "\n") + 1;
    bool is_same = look_at(folder, &now);
    state_line(&line, &now);
    is_same = is_same && !line.failed && strncmp(*body, line.data, len) == 0 && line.len == len;
    dr_buf_fini(&line);
    *body += is_same ? len : 0;
    return is_same;
}

static size_t
count_lines(const char *text)
{
    size_t count = 0;
    for (const char *c = strchr(text, '\n'); c != NULL; c = strchr(c + 1, '\n')) {
        count++;
    }
    return count;
}

// The body behind a first line that is right for it; NULL: the note is torn or another one.
static char *
open_note(char *text, size_t len)
{
    struct dr_buf head = {0};
    char *body = memchr(text, '\n', len);
    if (body == NULL || strlen(text) != len) {
        return NULL;
    }
    body++;
    head_line(&head, body, len - (size_t)(body - text));
    bool is_good =
        !head.failed && head.len == (size_t)(body - text) && memcmp(head.data, text, head.len) == 0;
    dr_buf_fini(&head);
    return is_good ? body : NULL;
}

enum dr_rc
dr_graph_note_read(const char *path, const char *folder, struct dr_graph_note **out,
                   struct dr_err *err)
{
    struct dr_graph_note *note = calloc(1, sizeof *note);
    size_t len = 0;
    if (note == NULL) {
        return dr_graph_nomem(err);
    }
    char *body = dr_file_read(path, NOTE_BYTES_MAX, &note->text, &len, err) == DR_OK
                     ? open_note(note->text, len)
                     : NULL;
    if (body != NULL && is_unchanged(folder, &body)) {
        note->count = count_lines(body);
    }
    if (note->count > 0 && note->count <= DR_GRAPH_FILES_MAX) {
        note->lines = calloc(note->count, sizeof *note->lines);
    }
    if (body == NULL || note->lines == NULL || !cut(body, note->lines, note->count)) {
        dr_graph_note_free(&note);
        return dr_err_set(err, DR_E_NOT_FOUND, "there is no note of the revisions");
    }
    for (size_t i = 0; i < note->count; i++) {
        note->heads += strchr(note->lines[i].marks, 'h') != NULL;
    }
    *out = note;
    return DR_OK;
}

void
dr_graph_note_free(struct dr_graph_note **note)
{
    if (*note != NULL) {
        free((*note)->lines);
        free((*note)->text);
        free(*note);
        *note = NULL;
    }
}

size_t
dr_graph_note_heads(const struct dr_graph_note *note)
{
    return note->heads;
}

const char *
dr_graph_note_marks(const struct dr_graph_note *note, const char *id)
{
    for (size_t i = 0; i < note->count; i++) {
        if (strcmp(note->lines[i].id, id) == 0) {
            return note->lines[i].marks;
        }
    }
    return NULL;
}

// ------------------------------------------------------------------------------------------ write

static const char *
file_name(const struct dr_node *node)
{
    const char *path = node->revision->path, *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

// The stamps are of the files that were read, and not of what lies in the folder by now.
static bool
make_body(const struct dr_graph *graph, const char *folder, int64_t since_ms, struct dr_buf *out)
{
    struct state state = {0};
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_good = fd >= 0;
    for (size_t i = 0; is_good && i < graph->count; i++) {
        is_good = add_file(fd, file_name(&graph->nodes[i]), &state);
    }
    if (fd >= 0) {
        close(fd);
    }
    // Before it was read: what changes within the grain of the clock cannot be told.
    if (state.changed_ms + SETTLED_MS < since_ms) {
        state_line(out, &state);
    } else {
        dr_buf_str(out, "-\n");
    }
    for (size_t i = 0; is_good && i < graph->count; i++) {
        char marks[DR_NODE_MARKS_SIZE];
        dr_node_marks(&graph->nodes[i], marks);
        dr_buf_printf(out, "%s\t%s\n", graph->nodes[i].revision->id, marks);
    }
    return is_good && !out->failed;
}

// A whole file in the place of the old one; nothing waits for the disk.
static enum dr_rc
replace(const char *path, const struct dr_buf *head, const struct dr_buf *body, struct dr_err *err)
{
    char temporary[PATH_MAX], folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    (void)snprintf(folder, sizeof folder, "%.*s", slash == NULL ? 0 : (int)(slash - path), path);
    if (slash == NULL || n < 0 || n >= (int)sizeof temporary) {
        return dr_err_set(err, DR_E_LIMIT, "the path of the note is too long");
    }
    enum dr_rc rc = dr_dir_make(folder, 0700, err);
    int fd = rc == DR_OK ? mkostemp(temporary, O_CLOEXEC) : -1;
    if (fd < 0) {
        return rc == DR_OK ? dr_err_set(err, DR_E_IO, "the note cannot be written") : rc;
    }
    bool is_good =
        dr_fd_write_all(fd, head->data, head->len) && dr_fd_write_all(fd, body->data, body->len);
    is_good = close(fd) == 0 && is_good && rename(temporary, path) == 0;
    if (!is_good) {
        (void)unlink(temporary);
        return dr_err_set(err, DR_E_IO, "the note cannot be written");
    }
    return DR_OK;
}

enum dr_rc
dr_graph_note_write(const struct dr_graph *graph, const char *path, const char *folder,
                    int64_t since_ms, struct dr_err *err)
{
    struct dr_buf body = {.max = NOTE_BYTES_MAX / 2}, head = {0};
    enum dr_rc rc = make_body(graph, folder, since_ms, &body)
                        ? DR_OK
                        : dr_err_set(err, DR_E_IO, "the revisions cannot be noted");
    if (rc == DR_OK) {
        head_line(&head, body.data, body.len);
        rc = head.failed ? dr_graph_nomem(err) : replace(path, &head, &body, err);
    }
    dr_buf_fini(&head);
    dr_buf_fini(&body);
    return rc;
}
