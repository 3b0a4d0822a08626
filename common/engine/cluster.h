// Cluster: a private PostgreSQL server in a temporary folder, reached by a Unix socket only, for as
// long as one command needs it. Fast and forgetful: nothing in it survives a crash.
#ifndef DR_ENGINE_CLUSTER_H
#define DR_ENGINE_CLUSTER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

struct dr_cluster; // one server

struct dr_cluster_options {
    const char *bindir; // folder with initdb and postgres; NULL: PG_BIN of the environment,
                        // `pg_config --bindir`, then the newest /usr/lib/postgresql/*/bin
    const char *const *settings; // "name=value" each, ends with NULL; NULL: none
};

// Makes and starts one (about a second; blocks until it answers). As root it runs as 'postgres' or
// 'nobody'. Its folder (drover-cluster-* below TMPDIR or /tmp, mode 0700) and its processes go with
// this process, whatever ends it. `options` may be NULL. DR_E_NOT_FOUND with the package to install
// when there is no server; DR_E_IO with the server's own words when it does not start.
DR_MUST_CHECK enum dr_rc dr_cluster_start(const struct dr_cluster_options *options,
                                          struct dr_cluster **out, struct dr_err *err);
// Could what runs in it reach other machines? It has a network of its own with nothing in it,
// unless the host lets neither root nor an unprivileged user make one (or does not let us look).
bool dr_cluster_has_network(const struct dr_cluster *cluster);
// URL of its database 'postgres' (superuser, trust); lives as long as the cluster.
const char *dr_cluster_url(const struct dr_cluster *cluster);
// Folder of its programs, and its own folder, where files that go with it may lie. Live as long.
const char *dr_cluster_bindir(const struct dr_cluster *cluster);
const char *dr_cluster_folder(const struct dr_cluster *cluster);
// URL of a database for one of its roles, in the arena; NULL when that is full.
const char *dr_cluster_url_as(const struct dr_cluster *cluster, const char *database,
                              const char *role, struct dr_arena *arena);
// A new empty database; its URL (superuser, trust) in the arena. `name`: [a-z0-9_]{1,63}.
// DR_E_INVALID, errors of the connection and of CREATE DATABASE.
DR_MUST_CHECK enum dr_rc
dr_cluster_database(struct dr_cluster *cluster, const char *name, struct dr_arena *arena,
                    const char **out_url, struct dr_err *err);
// Ends it at once and removes the folder. NULL accepted, pointer cleared.
void dr_cluster_stop(struct dr_cluster **cluster);

#endif
