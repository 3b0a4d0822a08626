// A proxy in front of a PostgreSQL socket that cuts a connection in the middle of a COMMIT: after
// byte N of what the client sends, or of what the server answers.
#ifndef DR_TESTS_SUPPORT_PGPROXY_H
#define DR_TESTS_SUPPORT_PGPROXY_H

#include <stdbool.h>
#include <stddef.h>

enum dr_pgproxy_cut {
    DR_PGPROXY_NEVER = 0,
    DR_PGPROXY_REQUEST, // after N bytes, counted from the first byte of the COMMIT's message
    DR_PGPROXY_ANSWER,  // after N bytes, counted from the first byte of the answer to the COMMIT
};

struct dr_pgproxy;

// Listens in `folder` and passes on to the server's socket in `server_folder`, both on `port`. A
// thread of its own does it. Ends the test program when it cannot.
struct dr_pgproxy *dr_pgproxy_start(const char *folder, const char *server_folder, int port);
void dr_pgproxy_stop(struct dr_pgproxy **proxy);
// From now on the next COMMIT is cut once; everything else is passed on.
void dr_pgproxy_cut(struct dr_pgproxy *proxy, enum dr_pgproxy_cut where, size_t after);
// How often a client spoke after it had been answered, over all connections: what each of them
// costs a round trip of the network. A goodbye is none.
size_t dr_pgproxy_trips(struct dr_pgproxy *proxy);
// Was it cut since the last call of dr_pgproxy_cut?
bool dr_pgproxy_has_cut(struct dr_pgproxy *proxy);

#endif
