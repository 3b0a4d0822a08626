// A private PostgreSQL 15 cluster for tests: temporary folder, Unix socket in it, gone when the
// test process dies.
#ifndef DR_TESTS_SUPPORT_PGCLUSTER_H
#define DR_TESTS_SUPPORT_PGCLUSTER_H

#include <stdbool.h>
#include <sys/types.h>

struct dr_pgcluster;

struct dr_pgcluster_options {
    bool with_tcp;        // listen on 127.0.0.1 too, on a free port
    const char *password; // not NULL: user "postgres" has it and TCP asks for it (scram-sha-256)
    const char *const *settings; // "name=value" for postgresql.conf, ended by NULL; NULL: none
};

// Starts one (about 2 s) and waits until it answers. As root it runs as user postgres, or nobody.
// Ends the test program with a message when it cannot. `options` NULL: socket only, no password
// (trust).
struct dr_pgcluster *dr_pgcluster_start(const struct dr_pgcluster_options *options);
// Stops it and removes its folder. NULL accepted.
void dr_pgcluster_stop(struct dr_pgcluster **cluster);
// The same cluster for all tests of this program: started at the first call, stopped at exit.
struct dr_pgcluster *dr_pgcluster_shared(void);

// "postgresql:///DATABASE?host=SOCKET_FOLDER&port=N&user=postgres"; with_tcp: url_tcp for
// "postgresql://postgres@127.0.0.1:N/...". Owned by the cluster, valid until it stops.
const char *dr_pgcluster_url(struct dr_pgcluster *cluster, const char *database);
const char *dr_pgcluster_url_tcp(struct dr_pgcluster *cluster, const char *database);
// A new empty database with a name of its own; gives its URL.
const char *dr_pgcluster_new_database(struct dr_pgcluster *cluster);
// Runs one statement as superuser in `url`; ends the test program when it fails. `dr_pgcluster_ask`
// gives the first value
// ("" for none), owned by the cluster.
void dr_pgcluster_sql(struct dr_pgcluster *cluster, const char *url, const char *sql);
const char *dr_pgcluster_ask(struct dr_pgcluster *cluster, const char *url, const char *sql);

// Ends the server at once as `pg_ctl stop -m immediate` does (no checkpoint), and starts it again
// on the same files.
void dr_pgcluster_kill(struct dr_pgcluster *cluster);
void dr_pgcluster_restart(struct dr_pgcluster *cluster);
// A hot standby of a running cluster, streaming from it.
struct dr_pgcluster *dr_pgcluster_standby(struct dr_pgcluster *cluster);

const char *
dr_pgcluster_folder(const struct dr_pgcluster *cluster); // data, socket and log lie in it
const char *dr_pgcluster_socket(const struct dr_pgcluster *cluster);
int dr_pgcluster_port(const struct dr_pgcluster *cluster);
pid_t dr_pgcluster_pid(const struct dr_pgcluster *cluster); // of the postmaster
// The unprivileged user that servers run as when the test runs as root; 0, 0 otherwise.
void dr_pgcluster_user(uid_t *out_uid, gid_t *out_gid);

#endif
