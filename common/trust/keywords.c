#include "trust/keywords.h"

#include "trust/envelope.h"

#include <string.h>

static const char DOMAIN[] = "drover/agent-keys.v1"; // with its NUL before the keys

void
dr_key_word(uint16_t bits, char out[6])
{
    static const char CONSONANTS[] = "bdfghjklmnprstvz";
    static const char VOWELS[] = "aiou";
    out[0] = CONSONANTS[bits >> 12 & 15];
    out[1] = VOWELS[bits >> 10 & 3];
    out[2] = CONSONANTS[bits >> 6 & 15];
    out[3] = VOWELS[bits >> 4 & 3];
    out[4] = CONSONANTS[bits & 15];
    out[5] = '\0';
}

void
dr_key_words(const uint8_t signing[32], const uint8_t transport[32], char out[DR_KEY_WORDS_SIZE])
{
    uint8_t bytes[sizeof DOMAIN + 64];
    uint8_t sha256[32];
    memcpy(bytes, DOMAIN, sizeof DOMAIN);
    memcpy(bytes + sizeof DOMAIN, signing, 32);
    memcpy(bytes + sizeof DOMAIN + 32, transport, 32);
    dr_sha256((struct dr_bytes){.data = bytes, .len = sizeof bytes}, sha256);
    for (size_t i = 0; i < DR_KEY_WORDS; i++) {
        dr_key_word((uint16_t)(sha256[2 * i] << 8 | sha256[2 * i + 1]), out + 6 * i);
        out[6 * i + 5] = i + 1 < DR_KEY_WORDS ? '-' : '\0';
    }
}
