// Time zones from TZif files. Both tables of a file describe the same zone: the second, with times
// of 64 bits, is read where there is one.
#include "base/zone.h"

#include "base/file.h"
#include "base/zone_rule.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 44u
#define TYPE_SIZE   6u
#define OFFSET_MAX  93600 // 26 h, as RFC 9636 says
#define CHANGES_MAX 4096u

struct change {
    int64_t at;
    int32_t offset_s; // from then on
};

struct dr_zone {
    int32_t first_s; // before the first change
    struct change *changes;
    size_t n_changes;
    bool has_rule;
    struct dr_zone_rule rule;
};

bool
dr_zone_name_is_sound(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > DR_ZONE_NAME_MAX || name[0] == '/' || name[len - 1] == '/') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && c != '_' && c != '+' && c != '-' && c != '/') { // no '.': no way up
            return false;
        }
    }
    return true;
}

// ---------------------------------------------------------------------------------- reading

struct block {
    const uint8_t *data; // behind the header
    size_t n_ut, n_std, n_leap, n_times, n_types, n_chars;
    size_t time_size;
};

static uint32_t
read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t
read_time(const uint8_t *p, size_t size)
{
    return size == 4 ? (int32_t)read_u32(p)
                     : (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static size_t
block_size(const struct block *b)
{
    return b->n_times * (b->time_size + 1) + b->n_types * TYPE_SIZE + b->n_chars +
           b->n_leap * (b->time_size + 4) + b->n_std + b->n_ut;
}

// The block whose header is at `at`; false: it is none, or does not fit.
static bool
read_block(const uint8_t *file, size_t len, size_t at, size_t time_size, struct block *out)
{
    if (len < HEADER_SIZE || at > len - HEADER_SIZE || memcmp(file + at, "TZif", 4) != 0) {
        return false;
    }
    const uint8_t *counts = file + at + 20;
    *out = (struct block){.data = file + at + HEADER_SIZE,
                          .n_ut = read_u32(counts),
                          .n_std = read_u32(counts + 4),
                          .n_leap = read_u32(counts + 8),
                          .n_times = read_u32(counts + 12),
                          .n_types = read_u32(counts + 16),
                          .n_chars = read_u32(counts + 20),
                          .time_size = time_size};
    bool is_small = out->n_ut <= 256 && out->n_std <= 256 && out->n_leap <= CHANGES_MAX &&
                    out->n_times <= CHANGES_MAX && out->n_types >= 1 && out->n_types <= 256 &&
                    out->n_chars <= CHANGES_MAX;
    return is_small && block_size(out) <= len - at - HEADER_SIZE;
}

static bool
read_offset(const struct block *b, size_t type, int32_t *out)
{
    const uint8_t *types = b->data + b->n_times * (b->time_size + 1);
    if (type >= b->n_types) {
        return false;
    }
    *out = (int32_t)read_u32(types + type * TYPE_SIZE);
    return *out >= -OFFSET_MAX && *out <= OFFSET_MAX;
}

static bool
read_changes(const struct block *b, struct dr_zone *zone)
{
    if (!read_offset(b, 0, &zone->first_s)) {
        return false;
    }
    for (size_t i = 0; i < b->n_times; i++) {
        struct change *change = &zone->changes[i];
        change->at = read_time(b->data + i * b->time_size, b->time_size);
        if (!read_offset(b, b->data[b->n_times * b->time_size + i], &change->offset_s) ||
            (i > 0 && change->at <= zone->changes[i - 1].at)) {
            return false;
        }
    }
    zone->n_changes = b->n_times;
    return true;
}

// "\n...\n" behind the second block; an empty one says nothing of later times.
static bool
read_rule(const uint8_t *at, size_t len, struct dr_zone *zone)
{
    const uint8_t *end = len > 1 && at[0] == '\n' ? memchr(at + 1, '\n', len - 1) : NULL;
    if (end == NULL) {
        return false;
    }
    zone->has_rule = end > at + 1;
    return !zone->has_rule ||
           dr_zone_rule_parse((const char *)at + 1, (size_t)(end - at - 1), &zone->rule);
}

static bool
parse(const uint8_t *file, size_t len, struct dr_zone *zone)
{
    struct block b;
    bool has_second = len > 4 && file[4] >= '2';
    if (!read_block(file, len, 0, 4, &b)) {
        return false;
    }
    if (has_second && !read_block(file, len, HEADER_SIZE + block_size(&b), 8, &b)) {
        return false;
    }
    zone->changes = calloc(b.n_times + 1, sizeof(*zone->changes));
    if (zone->changes == NULL || !read_changes(&b, zone)) {
        return false;
    }
    const uint8_t *rest = b.data + block_size(&b);
    return !has_second || read_rule(rest, len - (size_t)(rest - file), zone);
}

static enum dr_rc
unknown(const char *name, struct dr_err *err)
{
    dr_err_set(err, DR_E_NOT_FOUND, "there is no time zone '%s' on this machine", name);
    return dr_err_hint(err, "write UTC or a name like Europe/Zurich; "
                            "the names come with the package tzdata");
}

enum dr_rc
dr_zone_load(const char *folder, const char *name, struct dr_zone **out, struct dr_err *err)
{
    char path[PATH_MAX];
    char *bytes = NULL;
    size_t len = 0;
    if (!dr_zone_name_is_sound(name) ||
        snprintf(path, sizeof(path), "%s/%s", folder ? folder : DR_ZONE_FOLDER, name) >=
            (int)sizeof(path)) {
        return unknown(name, err);
    }
    struct dr_zone *zone = calloc(1, sizeof(*zone));
    if (zone == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (strcmp(name, "UTC") == 0) {
        *out = zone;
        return DR_OK;
    }
    enum dr_rc rc = dr_file_read(path, DR_ZONE_FILE_MAX, &bytes, &len, err);
    if (rc == DR_E_NOT_FOUND) {
        rc = unknown(name, err);
    } else if (rc == DR_OK && !parse((const uint8_t *)bytes, len, zone)) {
        rc = dr_err_set(err, DR_E_INVALID, "'%s' is no file of a time zone", path);
    }
    free(bytes);
    if (rc != DR_OK) {
        dr_zone_free(&zone);
        return rc;
    }
    *out = zone;
    return DR_OK;
}

// ----------------------------------------------------------------------------------- asking

int32_t
dr_zone_offset_s(const struct dr_zone *zone, int64_t unix_s)
{
    size_t low = 0, high = zone->n_changes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at <= unix_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->n_changes && zone->has_rule) {
        return dr_zone_rule_offset_s(&zone->rule, unix_s);
    }
    return low == 0 ? zone->first_s : zone->changes[low - 1].offset_s;
}

void
dr_zone_free(struct dr_zone **zone)
{
    if (*zone != NULL) {
        free((*zone)->changes);
        free(*zone);
        *zone = NULL;
    }
}
