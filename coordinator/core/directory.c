// Directory: sorted arrays over the verified fleet entries.
#include "coordinator/core/directory.h"

#include "trust/try.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTORY_MEMORY_MAX (512u << 20)

struct dr_directory {
    struct dr_arena *arena;
    const struct dr_trust *trust;
    struct dr_merkle_tree tree;
    struct dr_bytes *leaves;
    struct dr_directory_agent *agents;        // by name
    const struct dr_directory_agent **by_key; // by transport key
    size_t n_agents;
    const struct dr_fleet_entry **targets; // by agent, then name; what agents[].targets point into
    size_t n_targets;
    const struct dr_fleet_entry **environments;
    size_t n_environments;
};

static int
compare_targets(const void *a, const void *b)
{
    const Drover__V1__Target *x = (*(const struct dr_fleet_entry *const *)a)->msg->target;
    const Drover__V1__Target *y = (*(const struct dr_fleet_entry *const *)b)->msg->target;
    int by_agent = strcmp(x->agent, y->agent);

    return by_agent != 0 ? by_agent : strcmp(x->name, y->name);
}

static int
compare_environments(const void *a, const void *b)
{
    const Drover__V1__Environment *x = (*(const struct dr_fleet_entry *const *)a)->msg->environment;
    const Drover__V1__Environment *y = (*(const struct dr_fleet_entry *const *)b)->msg->environment;

    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static int
compare_keys(const void *a, const void *b)
{
    const struct dr_directory_agent *x = *(const struct dr_directory_agent *const *)a;
    const struct dr_directory_agent *y = *(const struct dr_directory_agent *const *)b;

    return memcmp(x->transport_key, y->transport_key, 32);
}

// One agent per run of equal names in the sorted targets.
static void
index_agents(struct dr_directory *d)
{
    for (size_t i = 0; i < d->n_targets; i++) {
        const Drover__V1__Target *target = d->targets[i]->msg->target;

        if (d->n_agents == 0 || strcmp(d->agents[d->n_agents - 1].name, target->agent) != 0) {
            struct dr_directory_agent *agent = &d->agents[d->n_agents];

            agent->name = target->agent;
            agent->transport_key = target->agent_transport_key.data;
            agent->signing_key = target->agent_signing_key.data;
            agent->environment = target->environment;
            agent->targets = &d->targets[i];
            d->by_key[d->n_agents++] = agent;
        }
        d->agents[d->n_agents - 1].n_targets++;
    }
    qsort(d->by_key, d->n_agents, sizeof *d->by_key, compare_keys);
}

static enum dr_rc
index_entries(struct dr_directory *d, struct dr_err *err)
{
    size_t n = d->trust->n_entries;

    d->leaves = dr_arena_array(d->arena, n, sizeof *d->leaves);
    d->targets = dr_arena_array(d->arena, n, sizeof *d->targets);
    d->environments = dr_arena_array(d->arena, n, sizeof *d->environments);
    d->agents = dr_arena_array(d->arena, n, sizeof *d->agents);
    d->by_key = dr_arena_array(d->arena, n, sizeof *d->by_key);
    if (d->leaves == NULL || d->targets == NULL || d->environments == NULL || d->agents == NULL ||
        d->by_key == NULL) {
        return dr_err_set(err, DR_E_LIMIT, "the fleet is too large");
    }
    for (size_t i = 0; i < n; i++) {
        const struct dr_fleet_entry *entry = &d->trust->entries[i];

        d->leaves[i] = entry->leaf;
        if (entry->msg->environment != NULL) {
            d->environments[d->n_environments++] = entry;
        } else if (entry->msg->target->state == DROVER__V1__TARGET_STATE__ACTIVE) {
            d->targets[d->n_targets++] = entry;
        }
    }
    qsort(d->targets, d->n_targets, sizeof *d->targets, compare_targets);
    qsort(d->environments, d->n_environments, sizeof *d->environments, compare_environments);
    index_agents(d);
    return dr_merkle_build(d->arena, d->leaves, n, &d->tree, err);
}

enum dr_rc
dr_directory_new(const struct dr_trust *trust, struct dr_directory **out, struct dr_err *err)
{
    struct dr_directory *d = calloc(1, sizeof *d);

    if (d == NULL || (d->arena = dr_arena_new(DIRECTORY_MEMORY_MAX)) == NULL) {
        free(d);
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    d->trust = trust;
    if (trust->fleet.msg != NULL && trust->n_entries > 0) {
        enum dr_rc rc = index_entries(d, err);

        if (rc != DR_OK) {
            dr_directory_free(&d);
            return rc;
        }
    }
    *out = d;
    return DR_OK;
}

void
dr_directory_free(struct dr_directory **directory)
{
    if (directory != NULL && *directory != NULL) {
        dr_arena_free(&(*directory)->arena);
        free(*directory);
        *directory = NULL;
    }
}

void
dr_directory_caller(const struct dr_directory *directory, const uint8_t key[32],
                    struct dr_caller *out)
{
    const struct dr_directory_agent probe = {.transport_key = key}, *wanted = &probe;
    const Drover__V1__Person *person = dr_root_person_by_transport(directory->trust->root.msg, key);

    if (person != NULL) {
        out->kind = DR_CALLER_PERSON;
        (void)snprintf(out->name, sizeof out->name, "%s", person->name);
        return;
    }
    const struct dr_directory_agent *const *found =
        directory->n_agents == 0 ? NULL
                                 : bsearch(&wanted, directory->by_key, directory->n_agents,
                                           sizeof *directory->by_key, compare_keys);
    if (found != NULL) {
        out->kind = DR_CALLER_AGENT;
        (void)snprintf(out->name, sizeof out->name, "%s", (*found)->name);
    }
}

const struct dr_directory_agent *
dr_directory_agent(const struct dr_directory *directory, const char *name)
{
    size_t low = 0, high = directory->n_agents;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, directory->agents[middle].name);

        if (order == 0) {
            return &directory->agents[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

size_t
dr_directory_agent_count(const struct dr_directory *directory)
{
    return directory->n_agents;
}

const struct dr_directory_agent *
dr_directory_agent_at(const struct dr_directory *directory, size_t i)
{
    return &directory->agents[i];
}

size_t
dr_directory_environment_count(const struct dr_directory *directory)
{
    return directory->n_environments;
}

const struct dr_fleet_entry *
dr_directory_environment_at(const struct dr_directory *directory, size_t i)
{
    return directory->environments[i];
}

const struct dr_fleet_entry *
dr_directory_environment(const struct dr_directory *directory, const char *name)
{
    return dr_fleet_environment(directory->trust->entries, directory->trust->n_entries, name);
}

const struct dr_fleet_entry *
dr_directory_target(const struct dr_directory *directory, const char *name)
{
    return dr_fleet_target(directory->trust->entries, directory->trust->n_entries, name);
}

enum dr_rc
dr_directory_proof(const struct dr_directory *directory, const struct dr_fleet_entry *entry,
                   struct dr_arena *arena, Drover__V1__ProvenEntry **out, struct dr_err *err)
{
    return dr_proven_make(arena, &directory->tree, entry->leaf, entry->index, out, err);
}
