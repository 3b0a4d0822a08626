// A window of a policy as words: "mon-thu 09:00-16:00 Europe/Zurich".
#ifndef DR_CLI_POLICY_WINDOW_H
#define DR_CLI_POLICY_WINDOW_H

#include "base/arena.h"
#include "base/err.h"

#include "proto/documents.pb-c.h"

#define DR_POLICY_WINDOW_MAX 160u // of the words, with their end

// In the one form in which policies are written: days in the order of the week, "daily" for all of
// them, "24:00" for the end of a day.
void dr_policy_window_text(const Drover__V1__Window *window, char out[DR_POLICY_WINDOW_MAX]);
// DAYS FROM-TO ZONE: days are "daily", or "mon", "mon-thu" and "mon,wed,fri-sun"; FROM and TO are
// HH:MM, TO may be the next day's (22:00-04:00). Strings are in the arena. DR_E_CONFIG, with a
// hint.
DR_MUST_CHECK enum dr_rc dr_policy_window_parse(struct dr_arena *arena, const char *text,
                                                Drover__V1__Window *out, struct dr_err *err);

#endif
