// Keep: a program that runs beside this one, in a temporary folder, until it is ended. A watcher
// process stands between: it sees this process go, however it goes, ends the program and removes
// the folder.
#ifndef DR_BASE_KEEP_H
#define DR_BASE_KEEP_H

#include "base/attr.h"
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct dr_keep; // one watcher, with or without its program

#define DR_KEEP_LOCK "lock" // a file in the folder, locked for as long as it is in use

struct dr_keep_options {
    const char *folder;      // is there; working folder of the program; removed at the end
    const char *const *argv; // absolute path of the program; ends with NULL
    const char *const *env;  // NAME=value, ends with NULL
    const char *log;         // file that its output is added to; made with mode 0600
    uid_t uid;               // who it runs as; 0: as this process
    gid_t gid;
    bool has_no_network; // it gets an empty one of its own, where the kernel lets this process
    int end_signal;      // what ends it in order, e.g. SIGQUIT; SIGKILL follows after 10 s
};

// Locks the folder and starts the watcher, not yet the program. The options are copied. From here
// on the folder goes when this process goes. DR_E_CONFLICT when somebody uses the folder, DR_E_IO,
// DR_E_NOMEM. Not for processes with threads that allocate while this forks.
DR_MUST_CHECK enum dr_rc
dr_keep_open(const struct dr_keep_options *options, struct dr_keep **out, struct dr_err *err);
// Starts the program. `*out_pid` is its process, `*out_pidfd` (the caller closes it) is readable
// when it has ended. DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_keep_start(struct dr_keep *keep, pid_t *out_pid, int *out_pidfd, struct dr_err *err);
// Ends the program, removes the folder and waits for both. NULL accepted, pointer cleared.
void dr_keep_close(struct dr_keep **keep);

// Removes folders "<parent>/<prefix>*" of this user, or of `uid`, that nobody has locked and that
// are older than a minute: what is left when even the watcher was killed. Never fails.
void dr_keep_sweep(const char *parent, const char *prefix, uid_t uid);

#endif
