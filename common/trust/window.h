// Windows: when runs may start in an environment. Read by the local time of each window's zone, so
// that summer time is what the clock on the wall there says.
#ifndef DR_TRUST_WINDOW_H
#define DR_TRUST_WINDOW_H

#include "base/attr.h"
#include "base/err.h"
#include "proto/documents.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

#define DR_WINDOWS_MAX 32u

// A day at least, a span of minutes, and what may be a zone's name. Asks no file.
bool dr_window_is_sound(const Drover__V1__Window *window, const char *zone);
// Is a window of the policy open at `now`? Without windows: always. `*out_opens` is then `now`;
// closed: when the next one opens (unix seconds, a whole minute), 0 when none does within 15 days.
// Reads the zones' files. DR_E_NOT_FOUND and others of base/zone.h: a zone that this machine does
// not have.
DR_MUST_CHECK enum dr_rc dr_window_look(const Drover__V1__Environment *policy, int64_t now,
                                        bool *out_is_open, int64_t *out_opens, struct dr_err *err);
// Do windows hold this mode? The way back and repairs are never shut out.
bool dr_window_holds(Drover__V1__Mode mode);

#endif
