// Secrets: locked memory that is wiped when freed; no function prints one.
#ifndef DR_BASE_SECRET_H
#define DR_BASE_SECRET_H

#include "base/attr.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct dr_secret; // opaque: sodium_malloc'ed bytes

// `len` bytes, zeroed. NULL when memory is out.
struct dr_secret *dr_secret_new(size_t len);
void dr_secret_free(struct dr_secret **secret); // wipes; NULL accepted
uint8_t *dr_secret_bytes(struct dr_secret *secret);
size_t dr_secret_len(const struct dr_secret *secret);

// A passphrase from, in this order: descriptor `fd` if >= 0 (first line), else the terminal without
// echo, asking `prompt` on /dev/tty. At most 1024 bytes. DR_E_INVALID when there is neither ("use
// --passphrase-fd").
DR_MUST_CHECK enum dr_rc
dr_secret_ask(const char *prompt, int fd, struct dr_secret **out, struct dr_err *err);

#endif
