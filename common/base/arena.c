// Arena: a list of chunks that only grows. The cap counts what was handed out, so that a hostile
// message cannot make its decoder take more than its request may.
#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAGIC   0x6472617265ULL
#define ALIGNMENT     16u
#define CHUNK_DEFAULT 4096u
#define CHUNK_LARGEST (256u * 1024u)

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct dr_arena {
    uint64_t magic;
    size_t cap, used, next_chunk;
    struct chunk *chunks; // the newest first
    ProtobufCAllocator protobuf;
};

static void *
protobuf_alloc(void *data, size_t size)
{
    return dr_arena_alloc(data, size);
}

static void
protobuf_free(void *data DR_UNUSED, void *pointer DR_UNUSED)
{
}

struct dr_arena *
dr_arena_new(size_t cap_bytes)
{
    struct dr_arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL) {
        return NULL;
    }
    arena->magic = ARENA_MAGIC;
    arena->cap = cap_bytes;
    arena->next_chunk = CHUNK_DEFAULT;
    arena->protobuf = (ProtobufCAllocator){protobuf_alloc, protobuf_free, arena};
    return arena;
}

void
dr_arena_free(struct dr_arena **arena)
{
    if (arena == NULL || *arena == NULL) {
        return;
    }
    assert((*arena)->magic == ARENA_MAGIC);
    for (struct chunk *c = (*arena)->chunks; c != NULL;) {
        struct chunk *next = c->next;
        free(c);
        c = next;
    }
    (*arena)->magic = 0;
    free(*arena);
    *arena = NULL;
}

// A chunk with room for `size`. A large request gets one of its own, put behind the newest, which
// stays in use.
static struct chunk *
add_chunk(struct dr_arena *arena, size_t size)
{
    size_t wanted = size > arena->next_chunk ? size : arena->next_chunk;
    struct chunk *chunk = calloc(1, sizeof *chunk + wanted);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->size = wanted;
    if (size > arena->next_chunk && arena->chunks != NULL) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
        return chunk;
    }
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    if (arena->next_chunk < CHUNK_LARGEST) {
        arena->next_chunk *= 2;
    }
    return chunk;
}

void *
dr_arena_alloc(struct dr_arena *arena, size_t size)
{
    assert(arena != NULL && arena->magic == ARENA_MAGIC);
    if (size > SIZE_MAX - sizeof(struct chunk) - ALIGNMENT) {
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded == 0) {
        rounded = ALIGNMENT;
    }
    if (rounded > arena->cap - arena->used) {
        return NULL;
    }
    struct chunk *chunk = arena->chunks;
    if (chunk == NULL || rounded > chunk->size - chunk->used) {
        chunk = add_chunk(arena, rounded);
        if (chunk == NULL) {
            return NULL;
        }
    }
    void *out = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    return out;
}

void *
dr_arena_array(struct dr_arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    return dr_arena_alloc(arena, total);
}

void *
dr_arena_copy(struct dr_arena *arena, const void *bytes, size_t size)
{
    void *out = dr_arena_alloc(arena, size);
    if (out != NULL && size > 0) {
        memcpy(out, bytes, size);
    }
    return out;
}

char *
dr_arena_str(struct dr_arena *arena, const char *text)
{
    return dr_arena_copy(arena, text, strlen(text) + 1);
}

char *
dr_arena_strn(struct dr_arena *arena, const char *text, size_t len)
{
    char *out = len < SIZE_MAX ? dr_arena_alloc(arena, len + 1) : NULL;
    if (out != NULL && len > 0) {
        memcpy(out, text, len);
    }
    return out;
}

char *
dr_arena_printf(struct dr_arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *out = len < 0 ? NULL : dr_arena_alloc(arena, (size_t)len + 1);
    if (out != NULL) {
        (void)vsnprintf(out, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return out;
}

size_t
dr_arena_used(const struct dr_arena *arena)
{
    return arena->used;
}

ProtobufCAllocator *
dr_arena_protobuf(struct dr_arena *arena)
{
    return &arena->protobuf;
}
