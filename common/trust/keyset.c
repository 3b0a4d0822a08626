// Key set: whoever is free takes the next keys, so a thread that cannot be begun costs time only.
#include "trust/keyset.h"

#include <pthread.h>
#include <stdatomic.h>

#define HELPERS_MAX 3u
#define PIECE       32u

struct work {
    const uint8_t *const *keys;
    size_t n;
    atomic_size_t taken;
    atomic_bool is_bad;
};

static void *
look(void *user)
{
    struct work *work = user;
    for (;;) {
        size_t from = atomic_fetch_add(&work->taken, PIECE);
        if (from >= work->n) {
            return NULL;
        }
        for (size_t i = from; i < from + PIECE && i < work->n; i++) {
            if (!dr_signing_key_is_sane(work->keys[i])) {
                atomic_store(&work->is_bad, true);
            }
        }
    }
}

bool
dr_keyset_is_sane(const uint8_t *const *keys, size_t n)
{
    struct work work = {.keys = keys, .n = n};
    pthread_t helpers[HELPERS_MAX];
    size_t wanted = n / DR_KEYSET_SHARE, begun = 0;
    for (size_t i = 0; i < wanted && i < HELPERS_MAX; i++) {
        begun += pthread_create(&helpers[begun], NULL, look, &work) == 0;
    }
    look(&work);
    for (size_t i = 0; i < begun; i++) {
        (void)pthread_join(helpers[i], NULL);
    }
    return !atomic_load(&work.is_bad);
}
