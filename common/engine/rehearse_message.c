// A rehearsal as a document has it.
#include "engine/rehearse.h"

#include <string.h>

#define U32(n) ((n) > UINT32_MAX ? UINT32_MAX : (uint32_t)(n))

static bool
copy_bytes(struct dr_arena *arena, ProtobufCBinaryData *out, const uint8_t bytes[32])
{
    out->data = dr_arena_copy(arena, bytes, 32);
    out->len = out->data == NULL ? 0 : 32;
    return out->data != NULL;
}

static bool
fill_table(struct dr_arena *arena, Drover__V1__TableEstimate *out,
           const struct dr_rehearsed_table *from)
{
    drover__v1__table_estimate__init(out);
    char *table = dr_arena_str(arena, from->table), *lock = dr_arena_str(arena, from->lock);
    if (table == NULL || lock == NULL) {
        return false;
    }
    out->table = table;
    out->lock = lock;
    out->rows = from->rows;
    out->size_bytes = from->size_bytes;
    out->is_rewritten = from->is_rewritten;
    return true;
}

static bool
fill_unit(struct dr_arena *arena, Drover__V1__RehearsedUnit *out,
          const struct dr_rehearsed_unit *from)
{
    Drover__V1__TableEstimate *rows = dr_arena_array(arena, from->tables_count + 1, sizeof *rows);
    Drover__V1__TableEstimate **list =
        dr_arena_array(arena, from->tables_count + 1, sizeof(void *));
    drover__v1__rehearsed_unit__init(out);
    bool is_filled = rows != NULL && list != NULL &&
                     copy_bytes(arena, &out->revision_digest, from->revision_digest) &&
                     copy_bytes(arena, &out->unit_digest, from->unit_digest);
    for (size_t i = 0; is_filled && i < from->tables_count; i++) {
        is_filled = fill_table(arena, &rows[i], &from->tables[i]);
        list[i] = &rows[i];
    }
    out->mode = from->mode;
    out->duration_ms = U32(from->duration_ms);
    out->n_tables = is_filled ? from->tables_count : 0;
    out->tables = list;
    return is_filled;
}

Drover__V1__Rehearsal *
dr_rehearsal_message(const struct dr_rehearsal *r, struct dr_arena *arena)
{
    Drover__V1__Rehearsal *out = dr_arena_alloc(arena, sizeof *out);
    Drover__V1__RehearsedUnit *rows = dr_arena_array(arena, r->units_count + 1, sizeof *rows);
    Drover__V1__RehearsedUnit **list = dr_arena_array(arena, r->units_count + 1, sizeof(void *));
    if (out == NULL || rows == NULL || list == NULL) {
        return NULL;
    }
    drover__v1__rehearsal__init(out);
    out->server_version = dr_arena_str(arena, r->server_version);
    out->no_way_back = dr_arena_str(arena, r->no_way_back);
    bool is_filled = out->server_version != NULL && out->no_way_back != NULL;
    for (size_t i = 0; is_filled && i < r->units_count; i++) {
        is_filled = fill_unit(arena, &rows[i], &r->units[i]);
        list[i] = &rows[i];
    }
    out->n_units = r->units_count;
    out->units = list;
    static const uint8_t none[32] = {0};
    bool has_gone = memcmp(r->there, none, 32) != 0;
    bool is_down = r->units_count > 0 && r->units[0].mode == DROVER__V1__MODE__DOWN;
    const uint8_t *up = is_down ? r->back : r->there, *down = is_down ? r->there : r->back;
    is_filled = is_filled && copy_bytes(arena, &out->fingerprint_before, r->before);
    if (is_filled && (is_down ? r->went_back : has_gone)) {
        is_filled = copy_bytes(arena, &out->fingerprint_up, up);
    }
    if (is_filled && (is_down ? has_gone : r->went_back)) {
        is_filled = copy_bytes(arena, &out->fingerprint_down, down);
    }
    if (is_filled && r->backup_sha256 != NULL) {
        is_filled = copy_bytes(arena, &out->backup_sha256, r->backup_sha256);
    }
    return is_filled ? out : NULL;
}
