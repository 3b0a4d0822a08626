// Backups in a folder and their notes. See backup_folder.h.
#include "engine/backup_folder.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/str.h"
#include "engine/backup_internal.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_MAX      262144u
#define SIZE_WORD     "size_bytes "
#define TOLERATE_WORD "tolerate "
#define ORDERED_WORD  "ordered"

void
dr_backup_target_name(const char *target, char *out, size_t out_size)
{
    (void)snprintf(out, out_size, "%s", target);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '/' ? '-' : *at;
    }
}

enum dr_rc
dr_backup_note(const Drover__V1__Attestation *note, struct dr_err *err)
{
    char path[PATH_MAX + 16];
    size_t len = drover__v1__attestation__get_packed_size(note);
    uint8_t *packed = malloc(len + 1);
    if (packed == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left");
    }
    (void)drover__v1__attestation__pack(note, packed);
    (void)snprintf(path, sizeof path, "%.*s" DR_BACKUP_NOTE_SUFFIX, PATH_MAX,
                   note->backup->location);
    enum dr_rc rc = dr_file_write(path, packed, len, 0600, err);
    free(packed);
    return rc;
}

// NULL: none, or it says nothing of a backup that lies there.
static const Drover__V1__Attestation *
read_note(const char *location, struct dr_arena *arena)
{
    char path[PATH_MAX + 16], *bytes = NULL;
    size_t len = 0;
    struct dr_err ignored = {0};
    (void)snprintf(path, sizeof path, "%.*s" DR_BACKUP_NOTE_SUFFIX, PATH_MAX, location);
    if (dr_file_read(path, NOTE_MAX, &bytes, &len, &ignored) != DR_OK) {
        return NULL;
    }
    const Drover__V1__Attestation *note = drover__v1__attestation__unpack(
        dr_arena_protobuf(arena), len, (const uint8_t *)(const void *)bytes);
    free(bytes);
    bool is_good = note != NULL && note->backup != NULL && note->backup->sha256.len == 32 &&
                   dr_str_eq(note->backup->location, location);
    return is_good ? note : NULL;
}

enum dr_rc
dr_backup_note_source(const struct dr_backup *backup, const struct dr_backup_source *source,
                      struct dr_err *err)
{
    char path[PATH_MAX + 16];
    struct dr_buf text = {.max = NOTE_MAX};
    dr_buf_printf(&text, "%s%" PRIu64 "\n", SIZE_WORD, source->size_bytes);
    dr_buf_str(&text, source->is_ordered ? ORDERED_WORD "\n" : "");
    for (size_t i = 0; i < source->tolerate_count; i++) {
        if (strchr(source->tolerate[i], '\n') != NULL) {
            dr_buf_fini(&text);
            return dr_err_set(err, DR_E_INVALID, "a tolerance has more than one line");
        }
        dr_buf_printf(&text, "%s%s\n", TOLERATE_WORD, source->tolerate[i]);
    }
    (void)snprintf(path, sizeof path, "%s" DR_BACKUP_FROM_SUFFIX, backup->location);
    enum dr_rc rc = text.failed ? dr_err_set(err, DR_E_NOMEM, "no memory left")
                                : dr_file_write(path, text.data, text.len, 0600, err);
    dr_buf_fini(&text);
    return rc;
}

// All 0 when it is not there, or not as dr_backup_note_source writes it.
static struct dr_backup_source
read_source(const char *location, struct dr_arena *arena)
{
    char path[PATH_MAX + 16], *bytes = NULL;
    size_t len = 0, n = 0;
    struct dr_backup_source source = {0};
    struct dr_err ignored = {0};
    (void)snprintf(path, sizeof path, "%.*s" DR_BACKUP_FROM_SUFFIX, PATH_MAX, location);
    if (dr_file_read(path, NOTE_MAX, &bytes, &len, &ignored) != DR_OK) {
        return source;
    }
    char *text = dr_arena_strn(arena, bytes, len);
    const char **tolerate =
        dr_arena_array(arena, len / strlen(TOLERATE_WORD) + 1, sizeof *tolerate);
    bool is_known =
        text != NULL && tolerate != NULL && len > 0 && strlen(text) == len && text[len - 1] == '\n';
    free(bytes);
    for (char *line = text, *end = NULL; is_known && *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        if (dr_str_starts(line, TOLERATE_WORD)) {
            tolerate[n++] = line + strlen(TOLERATE_WORD);
        } else if (dr_str_eq(line, ORDERED_WORD)) {
            source.is_ordered = true;
        } else {
            is_known = dr_str_starts(line, SIZE_WORD) &&
                       dr_parse_u64(line + strlen(SIZE_WORD), 0, UINT64_MAX, &source.size_bytes);
        }
    }
    source.tolerate = tolerate;
    source.tolerate_count = n;
    return is_known ? source : (struct dr_backup_source){0};
}

// By the time in the name; a second one of the same second has a number behind it.
static int
compare_newest_first(const void *a, const void *b)
{
    const char *x = ((const struct dr_backup_kept *)a)->location;
    const char *y = ((const struct dr_backup_kept *)b)->location;
    size_t x_time = (size_t)(strrchr(x, 'Z') - x), y_time = (size_t)(strrchr(y, 'Z') - y);
    int order = x_time == y_time ? strncmp(y, x, x_time) : strcmp(y, x);
    if (order == 0 && strlen(x) != strlen(y)) {
        return strlen(x) > strlen(y) ? -1 : 1;
    }
    return order != 0 ? order : strcmp(y, x);
}

static enum dr_rc
add_kept(struct dr_arena *arena, const char *folder, const char *name, struct dr_backup_kept *out,
         struct dr_err *err)
{
    out->location = dr_arena_printf(arena, "%s/%s", folder, name);
    if (out->location == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a list of backups");
    }
    out->keep_until = dr_backup_promise(out->location);
    out->note = read_note(out->location, arena);
    out->source = read_source(out->location, arena);
    return DR_OK;
}

enum dr_rc
dr_backup_list(const struct dr_backup_options *options, struct dr_arena *arena,
               struct dr_backup_kept **out, size_t *out_n, struct dr_err *err)
{
    char target[DR_BACKUP_NAME_MAX + 1], folder[PATH_MAX];
    struct dr_backup_kept *list = dr_arena_array(arena, DR_BACKUPS_MAX, sizeof *list);
    size_t n = 0;
    enum dr_rc rc = DR_OK;
    if (list == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a list of backups");
    }
    dr_backup_plain_name(options->target, target);
    DIR *dir = realpath(options->folder, folder) == NULL ? NULL : opendir(folder);
    if (dir == NULL && errno != ENOENT) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot read the backup folder '%s'",
                            options->folder);
    }
    for (struct dirent *e = NULL; rc == DR_OK && dir != NULL && (e = readdir(dir)) != NULL;) {
        if (dr_backup_is_of(e->d_name, target)) {
            rc = n == DR_BACKUPS_MAX ? dr_err_set(err, DR_E_LIMIT, "more than %u backups of '%s'",
                                                  DR_BACKUPS_MAX, options->target)
                                     : add_kept(arena, folder, e->d_name, &list[n], err);
            n++;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    if (rc == DR_OK) {
        qsort(list, n, sizeof *list, compare_newest_first);
        *out = list;
        *out_n = n;
    }
    return rc;
}

bool
dr_backup_of_record(const Drover__V1__BackupRecord *record, struct dr_backup *out)
{
    struct dr_backup backup = {.size_bytes = record->size_bytes,
                               .started = record->started,
                               .finished = record->finished,
                               .restore_level = (uint32_t)record->restore_level};
    bool fits = record->sha256.len == 32 && record->location[0] == '/' &&
                strlen(record->tool) < sizeof backup.tool &&
                strlen(record->location) < sizeof backup.location &&
                strlen(record->server_version) < sizeof backup.server_version;
    if (!fits) {
        return false;
    }
    memcpy(backup.sha256, record->sha256.data, 32);
    (void)snprintf(backup.tool, sizeof backup.tool, "%s", record->tool);
    (void)snprintf(backup.location, sizeof backup.location, "%s", record->location);
    (void)snprintf(backup.server_version, sizeof backup.server_version, "%s",
                   record->server_version);
    *out = backup;
    return true;
}

enum dr_rc
dr_backup_remove(const struct dr_backup_kept *kept, int64_t now, struct dr_err *err)
{
    char until[32];
    if (kept->keep_until == 0) {
        (void)dr_err_set(err, DR_E_BACKUP_KEPT,
                         "nothing beside backup '%s' tells until when it is kept", kept->location);
        return dr_err_hint(err, "remove it by hand if it is yours");
    }
    if (kept->keep_until >= now) {
        dr_format_time(until, kept->keep_until);
        return dr_err_set(err, DR_E_BACKUP_KEPT, "backup '%s' is kept until %s", kept->location,
                          until);
    }
    return dr_backup_remove_all(kept->location)
               ? DR_OK
               : dr_err_errno(err, DR_E_IO, errno, "cannot remove the old backup '%s'",
                              kept->location);
}
