// Deadlines: a binary heap of times, each part of the thing that it is about.
#ifndef DR_RPC_DEADLINE_H
#define DR_RPC_DEADLINE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Zeroed it is in no heap.
struct dr_deadline {
    int64_t at_ms;
    size_t place; // 1-based; 0: in no heap
    void *owner;
};

struct dr_deadlines {
    struct dr_deadline **heap;
    size_t count, cap;
};

// Adds `deadline` for `at_ms`; it must not be in the heap. False when memory is out.
DR_MUST_CHECK bool
dr_deadlines_add(struct dr_deadlines *heap, struct dr_deadline *deadline, int64_t at_ms);
// Takes it out; nothing happens when it is in no heap.
void dr_deadlines_remove(struct dr_deadlines *heap, struct dr_deadline *deadline);
// The earliest; NULL when there is none.
struct dr_deadline *dr_deadlines_first(const struct dr_deadlines *heap);
void dr_deadlines_fini(struct dr_deadlines *heap);

#endif
