// Inside the test cluster only: its processes.
#ifndef DR_TESTS_SUPPORT_PGCLUSTER_INTERNAL_H
#define DR_TESTS_SUPPORT_PGCLUSTER_INTERNAL_H

#include "support/pgcluster.h"

#include <stddef.h>

#define DR_PGCLUSTER_BINDIR      "/usr/lib/postgresql/15/bin"
#define DR_PGCLUSTER_STRINGS_MAX 256

struct dr_pgcluster {
    char folder[128], data[160];
    int port;
    pid_t postmaster;
    pid_t watcher;
    int watcher_pipe; // closed: the watcher ends all
    bool with_tcp;
    char *strings[DR_PGCLUSTER_STRINGS_MAX]; // handed out
    size_t strings_count;
    unsigned databases;
};

// Ends the test program with a message.
void dr_pgcluster_die(const char *what, const char *detail);
// Runs a program as the server's user to its end; its output goes to the log. Ends the test program
// when it fails.
void dr_pgcluster_run(const struct dr_pgcluster *cluster, const char *const *argv);
// Starts the process that outlives a killed test and cleans up after it.
void dr_pgcluster_watch(struct dr_pgcluster *cluster);
// Starts the server and waits until it answers; ends it at once.
void dr_pgcluster_start_server(struct dr_pgcluster *cluster);
void dr_pgcluster_end_server(struct dr_pgcluster *cluster);

#endif
