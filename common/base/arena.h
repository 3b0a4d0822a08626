// Arena: memory of one request, freed at once, with a cap. It also serves protobuf-c's allocator.
#ifndef DR_BASE_ARENA_H
#define DR_BASE_ARENA_H

#include "base/attr.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

struct dr_arena;

// A new arena that hands out at most `cap_bytes`. NULL when memory is out. One thread at a time.
struct dr_arena *dr_arena_new(size_t cap_bytes);
// Frees all of it; NULL is accepted, the pointer is cleared.
void dr_arena_free(struct dr_arena **arena);
// Zeroed memory aligned for any type; NULL when the cap or memory is reached. `size` 0 gives a
// valid pointer.
void *dr_arena_alloc(struct dr_arena *arena, size_t size);
// A zeroed array; NULL also on overflow of count * size.
void *dr_arena_array(struct dr_arena *arena, size_t count, size_t size);
// Copies: of bytes, of a string, of the first `len` bytes with a NUL behind them, of a formatted
// text. NULL at the cap.
void *dr_arena_copy(struct dr_arena *arena, const void *bytes, size_t size);
char *dr_arena_str(struct dr_arena *arena, const char *text);
char *dr_arena_strn(struct dr_arena *arena, const char *text, size_t len);
char *dr_arena_printf(struct dr_arena *arena, const char *fmt, ...) DR_PRINTF(2, 3);
// Bytes handed out so far.
size_t dr_arena_used(const struct dr_arena *arena);
// protobuf-c's allocator on this arena: alloc returns NULL at the cap, free does nothing. Lives as
// long as the arena.
ProtobufCAllocator *dr_arena_protobuf(struct dr_arena *arena);

#endif
