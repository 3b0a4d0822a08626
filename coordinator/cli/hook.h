// A command that is run on each change: on a thread of its own, so that whoever watches never waits
// for it.
#ifndef DR_CLI_HOOK_H
#define DR_CLI_HOOK_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DR_HOOK_QUEUE_MAX  1000u // changes that wait; the oldest goes
#define DR_HOOK_TRIES      3u
#define DR_HOOK_BACKOFF_MS 200u // doubled at each try
#define DR_HOOK_TIMEOUT_MS 30000u
#define DR_HOOK_END_MS     10000u // what waits at the end gets this long

struct dr_hook;

// `argv` ends with NULL, is copied, and runs without a shell, with the change on its standard
// input. Blocks no signal: whoever wants that does it before. DR_E_NOMEM, DR_E_IO.
DR_MUST_CHECK enum dr_rc
dr_hook_begin(const char *const *argv, struct dr_hook **out, struct dr_err *err);
// Hands over one change; never waits. NULL `hook`: nothing.
void dr_hook_add(struct dr_hook *hook, const char *text, size_t len);
// The first failure after all tries, once; false afterwards and when there is none. The text lives
// until dr_hook_end.
bool dr_hook_trouble(struct dr_hook *hook, const char **out_text);
// Waits until everything was delivered or given up, at most `patience_ms`.
void dr_hook_wait(struct dr_hook *hook, uint64_t patience_ms);
// Drops what waits, ends the command that runs, and joins. The number of changes that were not
// delivered.
size_t dr_hook_end(struct dr_hook **hook);

#endif
