// Index: from a text to a number, in an arena. Open addressing; it only grows.
#ifndef DR_ENGINE_INDEX_H
#define DR_ENGINE_INDEX_H

#include "base/arena.h"
#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

// Plain data; `{.arena = a}` is ready for use.
struct dr_index {
    struct dr_arena *arena;
    struct dr_index_slot *slots;
    size_t cap, count;
};

// Sets the value of `key`, which is lent and must live as long as the index. False when memory is
// out.
DR_MUST_CHECK bool dr_index_put(struct dr_index *index, const char *key, size_t value);
// False when there is no such key.
DR_MUST_CHECK bool dr_index_get(const struct dr_index *index, const char *key, size_t *out);

#endif
