// Roles by re-exec: one binary, several processes, each begun as a fresh image with only the
// descriptors it is given.
#ifndef DR_BASE_ROLE_H
#define DR_BASE_ROLE_H

#include "base/attr.h"
#include "base/err.h"

#include <sys/types.h>

struct dr_role_child {
    pid_t pid;
    int channel; // our end of a socket pair (SOCK_STREAM, close-on-exec); the child finds its end
                 // as descriptor 3
};

// Starts /proc/self/exe with argv {argv0, "--role", role, extra..., NULL}; descriptor 3 is the
// channel, everything above is closed, PR_SET_PDEATHSIG is SIGKILL. `extra` ends with NULL. `argv0`
// is what ps shows ("drover-agent: net").
DR_MUST_CHECK enum dr_rc
dr_role_start(const char *argv0, const char *role, const char *const *extra,
              struct dr_role_child *out, struct dr_err *err);
#define DR_ROLE_CHANNEL_FD 3

// Turns off core dumps and tracing of this process (PR_SET_DUMPABLE 0, RLIMIT_CORE 0) and clears
// PG* variables.
void dr_role_harden(void);

#endif
