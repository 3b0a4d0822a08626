// Deadlines: see deadline.h. Places are 1-based, so that the parent of k is k / 2.
#include "rpc/deadline.h"

#include <assert.h>
#include <stdlib.h>

#define CAP_MIN 16u

static void
put(struct dr_deadlines *heap, size_t place, struct dr_deadline *deadline)
{
    heap->heap[place - 1] = deadline;
    deadline->place = place;
}

static void
sift_up(struct dr_deadlines *heap, struct dr_deadline *deadline, size_t place)
{
    while (place > 1 && heap->heap[place / 2 - 1]->at_ms > deadline->at_ms) {
        put(heap, place, heap->heap[place / 2 - 1]);
        place /= 2;
    }
    put(heap, place, deadline);
}

static void
sift_down(struct dr_deadlines *heap, struct dr_deadline *deadline, size_t place)
{
    for (size_t child; (child = place * 2) <= heap->count; place = child) {
        if (child < heap->count && heap->heap[child]->at_ms < heap->heap[child - 1]->at_ms) {
            child++;
        }
        if (heap->heap[child - 1]->at_ms >= deadline->at_ms) {
            break;
        }
        put(heap, place, heap->heap[child - 1]);
    }
    put(heap, place, deadline);
}

bool
dr_deadlines_add(struct dr_deadlines *heap, struct dr_deadline *deadline, int64_t at_ms)
{
    assert(deadline->place == 0);
    if (heap->count == heap->cap) {
        size_t cap = heap->cap == 0 ? CAP_MIN : heap->cap * 2;
        struct dr_deadline **grown = reallocarray(heap->heap, cap, sizeof(struct dr_deadline *));
        if (grown == NULL) {
            return false;
        }
        heap->heap = grown;
        heap->cap = cap;
    }
    deadline->at_ms = at_ms;
    heap->count++;
    sift_up(heap, deadline, heap->count);
    return true;
}

void
dr_deadlines_remove(struct dr_deadlines *heap, struct dr_deadline *deadline)
{
    size_t place = deadline->place;
    if (place == 0) {
        return;
    }
    assert(place <= heap->count && heap->heap[place - 1] == deadline);
    struct dr_deadline *last = heap->heap[heap->count - 1];
    heap->count--;
    deadline->place = 0;
    if (last != deadline) {
        sift_down(heap, last, place);
        sift_up(heap, last, last->place);
    }
}

struct dr_deadline *
dr_deadlines_first(const struct dr_deadlines *heap)
{
    return heap->count == 0 ? NULL : heap->heap[0];
}

void
dr_deadlines_fini(struct dr_deadlines *heap)
{
    free(heap->heap);
    *heap = (struct dr_deadlines){0};
}
