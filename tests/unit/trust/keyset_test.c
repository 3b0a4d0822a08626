// Key set: many keys at once, by one thread and by several.
#include "trust/keyset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define MANY (4 * DR_KEYSET_SHARE + 7) // more than there are threads for

static uint8_t good[32];

static void
fill(const uint8_t *keys[MANY])
{
    struct dr_key key;
    assert_int_equal(dr_key_generate(DR_KEY_SIGNING, &key, NULL), DR_OK);
    memcpy(good, key.public_key, 32);
    dr_key_fini(&key);
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = good;
    }
}

static void
one_weak_key_is_found_wherever_it_stands(void **state)
{
    static const uint8_t weak[32] = {1};
    const uint8_t *keys[MANY];
    const size_t places[] = {0, 31, 32, DR_KEYSET_SHARE, MANY - 1};
    (void)state;
    fill(keys);
    assert_true(dr_keyset_is_sane(keys, MANY));
    for (size_t i = 0; i < DR_COUNT_OF(places); i++) {
        keys[places[i]] = weak;
        assert_false(dr_keyset_is_sane(keys, MANY));
        assert_true(dr_keyset_is_sane(keys, places[i]));
        keys[places[i]] = good;
    }
}

static void
keys_behind_the_end_are_not_looked_at(void **state)
{
    const uint8_t *keys[MANY];
    (void)state;
    fill(keys);
    keys[40] = NULL;
    assert_true(dr_keyset_is_sane(keys, 40));
    assert_true(dr_keyset_is_sane(keys, 0));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_weak_key_is_found_wherever_it_stands),
        cmocka_unit_test(keys_behind_the_end_are_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
