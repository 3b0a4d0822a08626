// Key words: the published examples, and that each half of a pair of keys counts.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "trust/keywords.h"

#include <string.h>

static void
words_are_those_of_the_published_examples(void **state)
{
    static const struct {
        uint16_t bits;
        const char *word;
    } ROWS[] = {{0x7f00, "lusab"}, {0x0001, "babad"}, {0x3f54, "gutih"}, {0xdcc1, "tugad"},
                {0x8c62, "mudof"}, {0xc18d, "sakat"}, {0x0000, "babab"}, {0xffff, "zuzuz"}};
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char word[6];
        dr_key_word(ROWS[i].bits, word);
        assert_string_equal(word, ROWS[i].word);
    }
}

static void
each_key_of_the_pair_changes_the_words(void **state)
{
    uint8_t a[32] = {1}, b[32] = {2};
    char words[DR_KEY_WORDS_SIZE], again[DR_KEY_WORDS_SIZE], other[DR_KEY_WORDS_SIZE];
    (void)state;
    dr_key_words(a, b, words);
    assert_int_equal(strlen(words), DR_KEY_WORDS_SIZE - 1);
    dr_key_words(a, b, again);
    assert_string_equal(words, again);
    dr_key_words(b, a, other);
    assert_string_not_equal(words, other);
    b[31] = 1;
    dr_key_words(a, b, other);
    assert_string_not_equal(words, other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_those_of_the_published_examples),
        cmocka_unit_test(each_key_of_the_pair_changes_the_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
