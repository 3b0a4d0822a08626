// Published Ed25519 vectors, by value: C2SP/wycheproof, testvectors_v1/ed25519_test.json (0.9rc5,
// Apache License 2.0); the numbers are its tcId. Signatures of another length than 64 bytes (30 to
// 41) have no place here: the envelope's field has a fixed size, which unit/trust/envelope tests.
#include "unit/trust/world.h"

#include <sodium.h>

#define MESSAGE_MAX 70u

struct vector {
    int id;
    const char *key, *message, *sig;
    bool is_valid;
};

#define KEY_1 "7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa"
#define KEY_2 "a12c2beb77265f2aac953b5009349d94155a03ada416aad451319480e983ca4c"
#define KEY_3 "100fdf47fb94f1536a4f7c3fda27383fa03375a8f527c537e6f1703c47f94f86"

// Test 3's signature: the malleable ones are made of it.
#define R_3 "7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab0"
#define S_3 "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d"

static const struct vector vectors[] = {
    {1, KEY_1, "",
     "d4fbdb52bfa726b44d1786a8c0d171c3e62ca83c9e5bbe63de0bb2483f8fd6cc"
     "1429ab72cafc41ab56af02ff8fcc43b99bfe4c7ae940f60f38ebaa9d311c4007",
     true},
    {2, KEY_1, "78",
     "d80737358ede548acb173ef7e0399f83392fe8125b2ce877de7975d8b726ef5b"
     "1e76632280ee38afad12125ea44b961bf92f1178c9fa819d020869975bcbe109",
     true},
    {3, KEY_1, "54657374", R_3 S_3, true},
    {4, KEY_1, "48656c6c6f",
     "1c1ad976cbaae3b31dee07971cf92c928ce2091a85f5899f5e11ecec90fc9f8e"
     "93df18c5037ec9b29c07195ad284e63d548cd0a6fe358cc775bd6c1608d2c905",
     true},
    {5, KEY_1, "313233343030",
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2b"
     "f0cf5b3a289976458a1be6277a5055545253b45b07dcc1abd96c8b989c00f301",
     true},
    {8, KEY_1,
     "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
     "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60",
     "7bdc3f9919a05f1d5db4a3ada896094f6871c1f37afc75db82ec3147d84d6f23"
     "7b7e5ecc26b59cfea0c7eaf1052dc427b0f724615be9c3d3e01356c65b9b5109",
     true},
    {9, KEY_1, "ffffffffffffffffffffffffffffffff",
     "5dbd7360e55aa38e855d6ad48c34bd35b7871628508906861a7c4776765ed7d1"
     "e13d910faabd689ec8618b78295c8ab8f0e19c8b4b43eb8685778499e943ae04",
     true},
    // One bit of R is another, and S was computed anew for it.
    {42, KEY_1, "313233343030",
     "647c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2b"
     "1d125e5538f38afbcc1c84e489521083041d24bc6240767029da063271a1ff0c",
     false},
    {45, KEY_1, "313233343030",
     "e57c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2b"
     "bb3eb51cd98dddb235a5f46f2bded6af184a58d09cce928bda43f41d69118a03",
     false},
    {53, KEY_1, "313233343030",
     "657c1492402ab5ce03e2c3a7f0384d851b9cf3570f1207fc78c1bcc98c281c2b"
     "b978c866187ffb1cc7b29a0b4045aefc08768df65717194ff0c6e63f4dea0d02",
     false},
    {58, KEY_1, "313233343030",
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c6b"
     "8da07efd07a6dafb015ed6a32fe136319a972ffbc341f3a0beae97ccf8136505",
     false},
    {59, KEY_1, "313233343030",
     "657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281cab"
     "227aedf259f910f0f3a759a335062665217925d019173b88917eae294f75d40f",
     false},
    {60, KEY_1, "313233343030",
     "0000000000000000000000000000000000000000000000000000000000000000"
     "e0b8e7770d51c7a36375d006c5bffd6af43ff54aaf47e4330dc118c71d61ec02",
     false},
    {61, KEY_1, "313233343030",
     "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
     "463a1908382e7eb7693acef9884f7cf931a215e0791876be22c631a59881fd0e",
     false},
    {62, KEY_1, "313233343030",
     "9a83eb6dbfd54a31fc1d3c580fc7b2fae4630ca8f0edf803873e433673d7e3d4"
     "0e94254586cb6188c5386c3febed477cb9a6cb29e3979adc4cb27cf5278fb70a",
     false},
    // S out of its range, the same scalar or a near one.
    {63, KEY_1, "54657374", R_3 "67654bce3832c2d76f8f6f5dafc08d9339d4eef676573336a5c51eb6f946b31d",
     false},
    {64, KEY_1, "54657374", R_3 "5439412b5395d42f462c67008eba6ca839d4eef676573336a5c51eb6f946b32d",
     false},
    {65, KEY_1, "54657374", R_3 "2ee12ce5875bf9dff26556464bae2ad239d4eef676573336a5c51eb6f946b34d",
     false},
    {66, KEY_1, "54657374", R_3 "e2300459f1e742404cd934d2c595a6253ad4eef676573336a5c51eb6f946b38d",
     false},
    {67, KEY_1, "54657374", R_3 "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b32d",
     false},
    {68, KEY_1, "54657374", R_3 "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b34d",
     false},
    {69, KEY_1, "54657374", R_3 "7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d",
     false},
    {70, KEY_1, "54657374", R_3 "679155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d",
     false},
    {71, KEY_2, "",
     "5056325d2ab440bf30bbf0f7173199aa8b4e6fbc091cf3eb6bc6cf87cd73d992"
     "ffc216c85e4ab5b8a0bbc7e9a6e9f8d33b7f6e5ac0ffdc22d9fcaf784af84302",
     true},
    {72, KEY_2, "78",
     "481fafbf4364d7b682475282f517a3ac0538c9a6b6a562e99a3d8e5afb4f90a5"
     "59b056b9f07af023905753b02d95eb329a35c77f154b79abbcd291615ce42f02",
     true},
    {76, KEY_2, "000000000000000000000000",
     "f63b5c0667c7897fc283296416f7f60e84bbde9cbd832e56be463ed9f5680697"
     "02b17a2f7c341ebf590706a6388ac76ac613c1675ec0f2c7118f2573422a500b",
     true},
    {80, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
     true},
    {81, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
     true},
    {82, "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
     true},
    // S just under and just above its bound.
    {84, KEY_3, "124e583f8b8eca58bb29c271b41d36986bbc45541f8e51f9cb0133eca447601e",
     "dac119d6ca87fc59ae611c157048f4d4fc932a149dbe20ec6effd1436abf83ea"
     "05c7df0fef06147241259113909bc71bd3c53ba4464ffcad3c0968f2ffffff0f",
     true},
    {85, KEY_3, "6a0bc2b0057cedfc0fa2e3f7f7d39279b30f454a69dfd1117c758d86b19d85e0",
     "0971f86d2c9c78582524a103cb9cf949522ae528f8054dc20107d999be673ff4"
     "e25ebf2f2928766b1248bec6e91697775f8446639ede46ad4df4053000000010",
     false},
    {89, "32ad026f693d0d2afe7f4388d91c4c964426fcb9e3665c3ebd8650009b815c8e", "ec5c7cb078",
     "d920d421a5956b69bfe1ba834c025e2babb6c7a6d78c97de1d9bb1116dfdd118"
     "5147b2887e34e15578172e150774275ea2aad9e02106f7e8ca1caa669a066f0c",
     true},
    {92, "cfda5b899e35764c5229e59295fe1222b7ddce176643697c29e46ecbba10cf10", "ec5c7cb078",
     "30490c28f806298225df62103521dcee047153912c33ab8ab8bbdd1ffabd70fd"
     "4fdb360f05be535b067d1cf4e78c2cb432206bf280aab3bd21aaa1cb894c5b06",
     true},
};

static bool
holds(const char *key_hex, const char *message_hex, const uint8_t sig[DR_SIG_SIZE])
{
    uint8_t key[DR_KEY_SIZE], message[MESSAGE_MAX];
    struct dr_signature one = {0};
    size_t len = strlen(message_hex) / 2;
    assert_true(len <= sizeof message);
    assert_true(dr_unhex(key, sizeof key, key_hex));
    assert_true(dr_unhex(message, len, message_hex));
    dr_keyid(key, one.keyid);
    memcpy(one.sig, sig, DR_SIG_SIZE);
    return dr_envelope_sig_is_valid(&one, key, (struct dr_bytes){.data = message, .len = len});
}

// id: E09 E11
static void
published_vectors_are_judged_as_published(void **state)
{
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(vectors); i++) {
        const struct vector *v = &vectors[i];
        uint8_t sig[DR_SIG_SIZE];
        assert_true(dr_unhex(sig, sizeof sig, v->sig));
        if (holds(v->key, v->message, sig) != v->is_valid) {
            fail_msg("vector %d is %s", v->id, v->is_valid ? "refused" : "accepted");
        }
    }
}

#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE   "0100000000000000000000000000000000000000000000000000000000000000"
#define ORDER "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"
#define PRIME "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
#define BELOW "ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010" // ORDER - 1

// Vectors 10 to 29: each of four values of R with each of five of S, over the byte 3f.
// id: E09 E11
static void
special_values_of_r_and_s_are_refused(void **state)
{
    static const char *const of_r[] = {ZERO, ONE, ORDER, PRIME};
    static const char *const of_s[] = {ZERO, ONE, BELOW, ORDER, PRIME};
    (void)state;
    for (size_t r = 0; r < DR_COUNT_OF(of_r); r++) {
        for (size_t s = 0; s < DR_COUNT_OF(of_s); s++) {
            uint8_t sig[DR_SIG_SIZE];
            assert_true(dr_unhex(sig, 32, of_r[r]) && dr_unhex(sig + 32, 32, of_s[s]));
            assert_false(holds(KEY_1, "3f", sig));
        }
    }
}

// Vectors 63 to 66 are S plus 1, 2, 4 and 8 times the order of the group: the same scalar. That
// they are, and not merely some wrong bytes, is computed here.
// id: E09
static void
malleable_vectors_are_the_good_one_plus_the_order(void **state)
{
    uint8_t s[32], order[32], sum[32];
    (void)state;
    assert_true(dr_unhex(s, 32, S_3) && dr_unhex(order, 32, ORDER));
    for (size_t i = 0; i < DR_COUNT_OF(vectors); i++) {
        if (vectors[i].id < 63 || vectors[i].id > 66) {
            continue;
        }
        uint8_t sig[DR_SIG_SIZE];
        memcpy(sum, s, 32);
        sodium_add(sum, order, 32);
        assert_true(dr_unhex(sig, sizeof sig, vectors[i].sig));
        assert_memory_equal(sig + 32, sum, 32);
        sodium_add(order, order, 32);
    }
}

// With a key of small order, R a point of small order and S zero hold for a part of all messages,
// or for all: nobody needs to know a secret. The eight points, in every encoding that decodes to
// one.
static const char *const small_order[] = {
    ZERO,
    ONE,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    PRIME,
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

// id: E10
static void
keys_of_small_order_are_refused_and_sign_nothing(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2 * DR_COUNT_OF(small_order); k++) {
        uint8_t key[DR_KEY_SIZE];
        char hex[2 * DR_KEY_SIZE + 1];
        assert_true(dr_unhex(key, sizeof key, small_order[k / 2]));
        key[31] |= k % 2 == 0 ? 0 : 0x80;
        dr_hex(hex, key, sizeof key);
        assert_false(dr_signing_key_is_sane(key));
        for (size_t r = 0; r < 2 * DR_COUNT_OF(small_order); r++) {
            uint8_t sig[DR_SIG_SIZE] = {0};
            assert_true(dr_unhex(sig, 32, small_order[r / 2]));
            sig[31] |= r % 2 == 0 ? 0 : 0x80;
            for (int byte = 0; byte < 16; byte++) {
                char message[3];
                (void)snprintf(message, sizeof message, "%02x", (unsigned)byte);
                assert_false(holds(hex, message, sig));
            }
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_are_judged_as_published),
        cmocka_unit_test(special_values_of_r_and_s_are_refused),
        cmocka_unit_test(malleable_vectors_are_the_good_one_plus_the_order),
        cmocka_unit_test(keys_of_small_order_are_refused_and_sign_nothing),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
