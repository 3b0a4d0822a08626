// Stored results in memory: a ring of the newest, looked up by walking it.
#include "rpc/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STORE_MAGIC 0x6472737472ULL

struct dr_rpc_memory_store {
    uint64_t magic;
    size_t max, next;
    struct dr_rpc_result *results; // body is ours
};

struct dr_rpc_memory_store *
dr_rpc_memory_store_new(size_t max)
{
    struct dr_rpc_memory_store *store = calloc(1, sizeof *store);
    if (store != NULL) {
        store->magic = STORE_MAGIC;
        store->max = max == 0 ? 1 : max;
        store->results = calloc(store->max, sizeof *store->results);
    }
    if (store != NULL && store->results == NULL) {
        free(store);
        return NULL;
    }
    return store;
}

static void
clear(struct dr_rpc_result *result)
{
    union {
        const uint8_t *kept;
        uint8_t *bytes;
    } u = {.kept = result->body};
    free(u.bytes);
    *result = (struct dr_rpc_result){0};
}

void
dr_rpc_memory_store_free(struct dr_rpc_memory_store **store)
{
    if (*store == NULL) {
        return;
    }
    assert((*store)->magic == STORE_MAGIC);
    for (size_t i = 0; i < (*store)->max; i++) {
        clear(&(*store)->results[i]);
    }
    free((*store)->results);
    free(*store);
    *store = NULL;
}

static enum dr_rc
memory_get(void *user, const uint8_t caller[32], const uint8_t request_id[16],
           struct dr_arena *arena, struct dr_rpc_result *out, struct dr_err *err)
{
    struct dr_rpc_memory_store *store = user;
    for (size_t i = 0; i < store->max; i++) {
        const struct dr_rpc_result *r = &store->results[i];
        if (r->body == NULL || memcmp(r->caller, caller, sizeof r->caller) != 0 ||
            memcmp(r->request_id, request_id, sizeof r->request_id) != 0) {
            continue;
        }
        uint8_t *body = dr_arena_copy(arena, r->body, r->body_len);
        if (body == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory for a stored result");
        }
        *out = *r;
        out->body = body;
        return DR_OK;
    }
    return dr_err_set(err, DR_E_NOT_FOUND, "no stored result");
}

static enum dr_rc
memory_put(void *user, const struct dr_rpc_result *result, struct dr_err *err)
{
    struct dr_rpc_memory_store *store = user;
    uint8_t *body = malloc(result->body_len + 1);
    if (body == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory for a stored result");
    }
    if (result->body_len > 0) {
        memcpy(body, result->body, result->body_len);
    }
    struct dr_rpc_result *place = &store->results[store->next];
    store->next = (store->next + 1) % store->max;
    clear(place);
    *place = *result;
    place->body = body;
    return DR_OK;
}

struct dr_rpc_store
dr_rpc_memory_store_as(struct dr_rpc_memory_store *store)
{
    return (struct dr_rpc_store){memory_get, memory_put, store};
}
