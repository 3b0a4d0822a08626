// Scan of a configuration file before libconfuse reads it: what libconfuse would let pass.
#ifndef DR_BASE_CONF_SCAN_H
#define DR_BASE_CONF_SCAN_H

#include "base/err.h"

#include <stddef.h>

// DR_E_CONFIG with file and line for a section, string, list or comment that is never closed, a
// brace too many, a key set twice in one section, NUL or invalid UTF-8. `text` is NUL-terminated;
// comments of one line are replaced by spaces, since libconfuse counts their lines more than once.
DR_MUST_CHECK enum dr_rc dr_conf_scan(const char *path, char *text, size_t len, struct dr_err *err);

#endif
