// Withdrawn: `revisions.withdrawn` in a folder of revisions names those that the reviewers took out
// of the chain, a line each: id, digest in hex, reason. Their files stay, for the way down of a
// database that has them; nothing goes up to them or stands on them any more.
#ifndef DR_REVISION_WITHDRAWN_H
#define DR_REVISION_WITHDRAWN_H

#include "base/attr.h"
#include "base/err.h"

#include <stdint.h>

#define DR_WITHDRAWN_NAME "revisions.withdrawn"
#define DR_WITHDRAWN_MAX  (4u * 1024 * 1024) // bytes of the file

// Adds a line, unless the revision stands there. Errors of files.
DR_MUST_CHECK enum dr_rc
dr_withdrawn_add(const char *folder, const char *id, const uint8_t digest[32], const char *reason,
                 struct dr_err *err);

#endif
