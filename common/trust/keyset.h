// Key set: many Ed25519 public keys looked at together. One takes about 40 us, a fleet has
// thousands.
#ifndef DR_TRUST_KEYSET_H
#define DR_TRUST_KEYSET_H

#include "trust/keyfile.h"

#define DR_KEYSET_SHARE 256u // keys for which a further thread is begun

// True when dr_signing_key_is_sane holds for each of the `n` keys. From DR_KEYSET_SHARE keys on, up
// to three more threads help; they have ended when it returns. Blocks for n * 40 us at most.
bool dr_keyset_is_sane(const uint8_t *const *keys, size_t n);

#endif
