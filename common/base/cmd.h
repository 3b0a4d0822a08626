// Child programs: fixed argv, no shell, own process group, deadline, bounded output.
#ifndef DR_BASE_CMD_H
#define DR_BASE_CMD_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>
#include <sys/types.h>

struct dr_cmd {
    const char *const *argv; // absolute path or a name found in PATH; ends with NULL
    const char *const
        *env; // NAME=value, ends with NULL; NULL: a minimal environment (PATH, LANG=C.UTF-8, HOME)
    const void *input; // written to its standard input
    size_t input_len;
    const char *output_path; // standard output goes to this new file; NULL: into `output`
    uint64_t timeout_ms;     // then SIGKILL to the whole group, DR_E_TIMEOUT; 0 is not allowed
    size_t output_max;       // cap of `output` and of `errors` each; the child is killed beyond it,
                             // DR_E_LIMIT
    uint64_t memory_max_bytes; // RLIMIT_AS; 0: none
    int cancel_fd;             // readable: kill the group, DR_E_INTERRUPTED; -1 or 0: none
    void (*tick)(void *arg);   // about twice a second while it runs and says nothing; NULL: none
    void *tick_arg;
    const char *folder; // its working folder; NULL: ours
    int pass_fd;        // the only other descriptor that it has, by the same number; <= 2: none
    uid_t uid;          // who it runs as, for root only; 0: as this process
    gid_t gid;
};

struct dr_cmd_result {
    int exit_code; // 0-255; -1 when a signal ended it
    int signal;    // 0: none
    struct dr_buf output, errors;
};

// Runs it to its end. DR_OK means that it ran, whatever its exit code. Blocks up to timeout_ms.
DR_MUST_CHECK enum dr_rc
dr_cmd_run(const struct dr_cmd *cmd, struct dr_cmd_result *out, struct dr_err *err);
void dr_cmd_result_fini(struct dr_cmd_result *result);

// Runs an interactive program (an editor) on this process's own terminal and waits for it, however
// long. `argv[0]` is looked for in PATH. DR_OK with its exit code (-1: a signal ended it);
// DR_E_NOT_FOUND.
DR_MUST_CHECK enum dr_rc
dr_cmd_foreground(const char *const *argv, int *out_exit_code, struct dr_err *err);

// Path of a program that stands beside this one (or in ../libexec/drover); DR_E_NOT_FOUND. `out`
// has PATH_MAX bytes. The variable DROVER_BINDIR goes first.
DR_MUST_CHECK enum dr_rc
dr_cmd_sibling(const char *name, char *out, size_t out_size, struct dr_err *err);

#endif
