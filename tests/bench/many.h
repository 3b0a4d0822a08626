// Targets by number for the benches: target N of a large fleet, and the key that its agent signs
// with, which is always the same.
#ifndef DR_BENCH_MANY_H
#define DR_BENCH_MANY_H

#include "trust/envelope.h"
#include "trust/fleet.h"
#include "trust/keyfile.h"
#include "trust/strict.h"

#include <stdio.h>
#include <stdlib.h>

static void
many_key(size_t number, struct dr_key *out)
{
    char text[48];
    uint8_t seed[32];
    int n = snprintf(text, sizeof text, "bench agent %zu", number);
    dr_sha256((struct dr_bytes){(const uint8_t *)text, (size_t)n}, seed);
    if (dr_key_from_seed(DR_KEY_SIGNING, seed, out, NULL) != DR_OK) {
        exit(1);
    }
}

// An entry for target `number`, with an agent of its own; everything else is as in `like`.
static Drover__V1__FleetEntry *
many_entry(struct dr_arena *arena, const Drover__V1__Target *like, size_t number)
{
    Drover__V1__Target *target = dr_arena_copy(arena, like, sizeof *target);
    Drover__V1__FleetEntry *entry = dr_arena_alloc(arena, sizeof *entry);
    uint8_t *transport = dr_arena_alloc(arena, 32);
    struct dr_key key;
    drover__v1__fleet_entry__init(entry);
    many_key(number, &key);
    dr_random(transport, 32);
    target->name = dr_arena_printf(arena, "%s/db%05zu", like->environment, number);
    target->agent = dr_arena_printf(arena, "agent%05zu", number);
    target->agent_signing_key = dr_data(dr_arena_copy(arena, key.public_key, 32), 32);
    target->agent_transport_key = dr_data(transport, 32);
    dr_key_fini(&key);
    entry->target = target;
    return entry;
}

#endif
