// The N-th allocation of our own code fails: the linker puts these in front of malloc and its kin
// and of the arena, for the programs that are named memory_test.c (tests/CMakeLists.txt has the
// list). Libraries that others wrote keep their own. Included once per test program.
#ifndef DR_TESTS_SUPPORT_ALLOC_FAULTS_H
#define DR_TESTS_SUPPORT_ALLOC_FAULTS_H

#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
    uint64_t fails_at; // 0: none does
    uint64_t calls;
    bool once;
} alloc_fault;

static inline void
alloc_fault_set(uint64_t at, bool once)
{
    alloc_fault.fails_at = at;
    alloc_fault.once = once;
    alloc_fault.calls = 0;
}

// Ends it; was there an N-th call?
static inline bool
alloc_fault_end(void)
{
    bool was_hit = alloc_fault.fails_at != 0 && alloc_fault.calls >= alloc_fault.fails_at;
    alloc_fault.fails_at = 0;
    return was_hit;
}

// The calls to try: each of the first `dense`, then steps of a length that a fixed seed chooses.
static inline uint64_t
alloc_fault_next(uint64_t at, uint64_t dense, uint64_t stride)
{
    static uint64_t seed = 20240611;
    if (at < dense) {
        return at + 1;
    }
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return at + 1 + (seed >> 33) % (2 * stride);
}

static inline bool
alloc_fault_now(void)
{
    if (alloc_fault.fails_at == 0) {
        return false;
    }
    alloc_fault.calls++;
    return alloc_fault.once ? alloc_fault.calls == alloc_fault.fails_at
                            : alloc_fault.calls >= alloc_fault.fails_at;
}

// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names.
#define ALLOC_FAULT(type, name, parameters, arguments)                                             \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return alloc_fault_now() ? NULL : __real_##name arguments;                                 \
    }

ALLOC_FAULT(void *, malloc, (size_t n), (n))
ALLOC_FAULT(void *, calloc, (size_t n, size_t size), (n, size))
ALLOC_FAULT(void *, realloc, (void *old, size_t n), (old, n))
ALLOC_FAULT(void *, reallocarray, (void *old, size_t n, size_t size), (old, n, size))
ALLOC_FAULT(char *, strdup, (const char *text), (text))
ALLOC_FAULT(char *, strndup, (const char *text, size_t n), (text, n))
ALLOC_FAULT(struct dr_arena *, dr_arena_new, (size_t cap), (cap))
ALLOC_FAULT(void *, dr_arena_alloc, (struct dr_arena * a, size_t n), (a, n))
ALLOC_FAULT(void *, dr_arena_array, (struct dr_arena * a, size_t n, size_t size), (a, n, size))
ALLOC_FAULT(void *, dr_arena_copy, (struct dr_arena * a, const void *bytes, size_t n),
            (a, bytes, n))
ALLOC_FAULT(char *, dr_arena_str, (struct dr_arena * a, const char *text), (a, text))
ALLOC_FAULT(char *, dr_arena_strn, (struct dr_arena * a, const char *text, size_t n), (a, text, n))

char *__wrap_dr_arena_printf(struct dr_arena *arena, const char *format, ...) DR_PRINTF(2, 3);
char *
__wrap_dr_arena_printf(struct dr_arena *arena, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bool fits = n >= 0 && (size_t)n < sizeof text;
    return !fits || alloc_fault_now() ? NULL : __real_dr_arena_str(arena, text);
}

// protobuf-c decodes into an arena, too.
static inline void *
alloc_fault_decode(void *arena, size_t n)
{
    return alloc_fault_now() ? NULL : __real_dr_arena_alloc(arena, n);
}

static inline void
alloc_fault_forget(void *arena DR_UNUSED, void *pointer DR_UNUSED)
{
}

ProtobufCAllocator *__wrap_dr_arena_protobuf(struct dr_arena *arena);
ProtobufCAllocator *
__wrap_dr_arena_protobuf(struct dr_arena *arena)
{
    ProtobufCAllocator *mine = __real_dr_arena_alloc(arena, sizeof *mine);
    if (mine != NULL) {
        *mine = (ProtobufCAllocator){alloc_fault_decode, alloc_fault_forget, arena};
    }
    return mine;
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

#endif
