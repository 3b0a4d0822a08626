// Key words: an agent's two public keys as something to read out on the telephone. 96 bits of a
// digest over both, 16 bits a word of five letters that can be spoken ("proquints": D. S.
// Wilkerson, A Proposal for Proquints, arXiv:0901.4016).
#ifndef DR_TRUST_KEYWORDS_H
#define DR_TRUST_KEYWORDS_H

#include <stddef.h>
#include <stdint.h>

#define DR_KEY_WORDS      6u
#define DR_KEY_WORDS_SIZE 36u // six words, five dashes, NUL

// "lusab-babad-gutih-tugad-mudof-sakat": another pair of keys gives other words. Both keys are 32
// bytes.
void
dr_key_words(const uint8_t signing[32], const uint8_t transport[32], char out[DR_KEY_WORDS_SIZE]);
// One word of five letters for 16 bits, with its NUL.
void dr_key_word(uint16_t bits, char out[6]);

#endif
