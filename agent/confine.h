// Confine: what the net process gives up before it hears a byte from outside.
#ifndef DR_AGENT_CONFINE_H
#define DR_AGENT_CONFINE_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

// Becomes `user` when this process runs as root; otherwise, or with NULL, stays. DR_E_NOT_FOUND,
// DR_E_PERMISSION.
DR_MUST_CHECK enum dr_rc dr_confine_user(const char *user, struct dr_err *err);
// By Landlock: from now on files may be read below /etc, /usr, /lib, /lib64, /run and /proc and the
// file `also` ("": none) only, and none written. False where the kernel has no Landlock: nothing
// changed.
bool dr_confine_files(const char *also);
// Does the kernel have Landlock? For `drover-agent check`.
bool dr_confine_is_available(void);

#endif
