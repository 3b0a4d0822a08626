// Open addressing with FNV-1a. See index.h.
#include "engine/index.h"

#include <stdint.h>
#include <string.h>

struct dr_index_slot {
    const char *key; // NULL: free
    size_t value;
};

static size_t
hash_text(const char *text)
{
    uint64_t h = 14695981039346656037u;
    for (; *text != '\0'; text++) {
        h = (h ^ (uint8_t)*text) * 1099511628211u;
    }
    return (size_t)(h ^ (h >> 32));
}

static struct dr_index_slot *
find_slot(struct dr_index_slot *slots, size_t cap, const char *key)
{
    size_t i = hash_text(key) & (cap - 1);
    while (slots[i].key != NULL && strcmp(slots[i].key, key) != 0) {
        i = (i + 1) & (cap - 1);
    }
    return &slots[i];
}

bool
dr_index_put(struct dr_index *index, const char *key, size_t value)
{
    if (2 * (index->count + 1) > index->cap) {
        size_t cap = index->cap == 0 ? 64 : index->cap * 2;
        struct dr_index_slot *slots = dr_arena_array(index->arena, cap, sizeof *slots);
        if (slots == NULL) {
            return false;
        }
        for (size_t i = 0; i < index->cap; i++) {
            if (index->slots[i].key != NULL) {
                *find_slot(slots, cap, index->slots[i].key) = index->slots[i];
            }
        }
        index->slots = slots;
        index->cap = cap;
    }
    struct dr_index_slot *slot = find_slot(index->slots, index->cap, key);
    index->count += slot->key == NULL ? 1 : 0;
    *slot = (struct dr_index_slot){key, value};
    return true;
}

bool
dr_index_get(const struct dr_index *index, const char *key, size_t *out)
{
    if (index->cap == 0) {
        return false;
    }
    const struct dr_index_slot *slot = find_slot(index->slots, index->cap, key);
    if (slot->key == NULL) {
        return false;
    }
    *out = slot->value;
    return true;
}
