// Key files: sealed, opened, and every way in which one can be wrong.
#include "unit/trust/world.h"

#include "base/file.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct dr_err err;

#define FINE(call) assert_int_equal(call, DR_OK)

static struct dr_secret *
secret_of(const char *text)
{
    struct dr_secret *secret = dr_secret_new(strlen(text));
    assert_non_null(secret);
    memcpy(dr_secret_bytes(secret), text, strlen(text));
    return secret;
}

static struct dr_key
a_key(enum dr_key_kind kind)
{
    struct dr_key key;
    FINE(dr_key_generate(kind, &key, &err));
    return key;
}

// The text of a key file; freed with free().
static char *
encoded(const struct dr_key *key, const char *passphrase)
{
    struct dr_secret *pass = passphrase ? secret_of(passphrase) : NULL, *file = NULL;
    FINE(dr_keyfile_encode(key, pass, DR_KEY_COST_MIN, "key of alice", &file, &err));
    char *text = calloc(1, dr_secret_len(file) + 1);
    memcpy(text, dr_secret_bytes(file), dr_secret_len(file));
    dr_secret_free(&file);
    dr_secret_free(&pass);
    return text;
}

static enum dr_rc
open_text(const char *text, size_t len, enum dr_key_kind kind, const char *passphrase)
{
    struct dr_secret *pass = passphrase ? secret_of(passphrase) : NULL;
    struct dr_key key = {0};
    enum dr_rc rc =
        dr_keyfile_decode((struct dr_bytes){(const uint8_t *)text, len}, kind, pass, &key, &err);
    dr_key_fini(&key);
    dr_secret_free(&pass);
    return rc;
}

static void
sealed_key_opens_with_its_passphrase(void **state)
{
    struct dr_key key = a_key(DR_KEY_SIGNING), again;
    struct dr_secret *pass = secret_of("correct horse");
    char *text = encoded(&key, "correct horse");
    (void)state;
    assert_true(dr_str_starts(text, "untrusted comment: key of alice\n"));
    FINE(dr_keyfile_decode((struct dr_bytes){(const uint8_t *)text, strlen(text)}, 0, pass, &again,
                           &err));
    assert_memory_equal(again.public_key, key.public_key, 32);
    assert_memory_equal(dr_secret_bytes(again.secret), dr_secret_bytes(key.secret), 32);
    assert_int_equal(again.kind, DR_KEY_SIGNING);
    dr_key_fini(&again);
    dr_key_fini(&key);
    dr_key_fini(&key); // an empty one is accepted
    dr_secret_free(&pass);
    free(text);
}

static void
wrong_or_missing_passphrase_is_refused(void **state)
{
    struct dr_key key = a_key(DR_KEY_SIGNING);
    char *text = encoded(&key, "correct horse");
    (void)state; // id: W10
    REFUSED(DR_E_PASSPHRASE, open_text(text, strlen(text), DR_KEY_SIGNING, "wrong horse"));
    assert_string_equal(err.message, "wrong passphrase, or the key file was changed");
    REFUSED(DR_E_PASSPHRASE, open_text(text, strlen(text), DR_KEY_SIGNING, NULL));
    assert_string_equal(err.message, "the key file needs a passphrase");
    dr_key_fini(&key);
    free(text);
}

static void
wrong_kind_is_refused(void **state)
{
    struct dr_key signing = a_key(DR_KEY_SIGNING), transport = a_key(DR_KEY_TRANSPORT);
    char *text = encoded(&transport, NULL), *other = encoded(&signing, NULL);
    uint8_t sig[64], point[32];
    (void)state;
    FINE(open_text(text, strlen(text), DR_KEY_TRANSPORT, NULL));
    REFUSED(DR_E_KEY_KIND, open_text(text, strlen(text), DR_KEY_SIGNING, NULL));
    assert_string_equal(err.message, "a signing key is needed, this is a transport key");
    REFUSED(DR_E_KEY_KIND, open_text(other, strlen(other), DR_KEY_TRANSPORT, NULL));
    REFUSED(DR_E_KEY_KIND, dr_key_sign(&transport, (struct dr_bytes){point, 0}, sig, &err));
    (void)crypto_scalarmult_base(point, dr_secret_bytes(transport.secret));
    assert_memory_equal(point, transport.public_key, 32);
    dr_key_fini(&signing);
    REFUSED(DR_E_KEY_KIND, dr_key_sign(&signing, (struct dr_bytes){point, 0}, sig, &err));
    dr_key_fini(&transport);
    free(text);
    free(other);
}

static void
any_changed_or_cut_file_is_refused(void **state)
{
    struct dr_key key = a_key(DR_KEY_SIGNING);
    char *text = encoded(&key, NULL);
    size_t len = strlen(text), begin = (size_t)(strchr(text, '\n') + 1 - text);
    (void)state; // id: W10 Z04
    FINE(open_text(text, len, 0, NULL));
    for (size_t cut = 0; cut < len; cut++) {
        REFUSED(DR_E_KEY_FORMAT, open_text(text, cut, 0, NULL));
    }
    for (size_t i = begin; i < len; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        enum dr_rc rc = open_text(text, len, 0, NULL);
        if (rc == DR_OK) {
            fail_msg("changed byte %zu is accepted", i);
        }
        text[i] = was;
    }
    text[0] = 'U';
    REFUSED(DR_E_KEY_FORMAT, open_text(text, len, 0, NULL));
    char *big = calloc(1, DR_KEYFILE_MAX + 2);
    memset(big, 'x', DR_KEYFILE_MAX + 1);
    REFUSED(DR_E_KEY_FORMAT, open_text(big, DR_KEYFILE_MAX + 1, 0, NULL));
    free(big);
    dr_key_fini(&key);
    free(text);
}

// A file with raw bytes that a test changed.
static enum dr_rc
open_raw(const struct dr_key *key, const char *passphrase, size_t at, const void *bytes, size_t n)
{
    char *text = encoded(key, passphrase), *line = strchr(text, '\n') + 1;
    uint8_t raw[256];
    size_t len = 0;
    char again[512], whole[600];
    assert_int_equal(sodium_base642bin(raw, sizeof(raw), line, strlen(line), "\n", &len, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    memcpy(raw + at, bytes, n);
    sodium_bin2base64(again, sizeof(again), raw, len, sodium_base64_VARIANT_ORIGINAL);
    int total = snprintf(whole, sizeof(whole), "untrusted comment: x\n%s\n", again);
    free(text);
    return open_text(whole, (size_t)total, 0, passphrase);
}

static void
absurd_work_is_refused_before_it_is_done(void **state)
{
    static const uint8_t zero[8], ops[8] = {0, 0, 0, 0, 0, 0, 0, 11},
                                  memory[8] = {0, 0, 1, 0, 0, 0, 0, 0},
                                  little[8] = {0, 0, 0, 0, 0, 0, 0x1f, 0xff};
    struct dr_key key = a_key(DR_KEY_SIGNING);
    (void)state; // id: W10
    REFUSED(DR_E_KEY_COST, open_raw(&key, "p", 26, zero, 8));
    REFUSED(DR_E_KEY_COST, open_raw(&key, "p", 26, ops, 8));
    REFUSED(DR_E_KEY_COST, open_raw(&key, "p", 34, memory, 8)); // 2^40 bytes
    REFUSED(DR_E_KEY_COST, open_raw(&key, "p", 34, little, 8));
    dr_key_fini(&key);
}

static void
unknown_headers_are_refused(void **state)
{
    struct dr_key key = a_key(DR_KEY_SIGNING);
    (void)state;
    REFUSED(DR_E_KEY_FORMAT, open_raw(&key, NULL, 0, "DRK2", 4));
    REFUSED(DR_E_KEY_FORMAT, open_raw(&key, NULL, 4, "RS", 2));
    REFUSED(DR_E_KEY_FORMAT, open_raw(&key, NULL, 6, "scry", 4));
    REFUSED(DR_E_PASSPHRASE, open_raw(&key, NULL, 4, "X2", 2)); // the header is authenticated
    assert_string_equal(err.message, "the key file was changed");
    dr_key_fini(&key);
}

static void
halves_that_do_not_fit_are_refused(void **state)
{
    struct dr_key key = a_key(DR_KEY_SIGNING);
    (void)state; // id: W11
    key.public_key[0] ^= 1;
    char *text = encoded(&key, NULL);
    REFUSED(DR_E_KEY_MISMATCH, open_text(text, strlen(text), 0, NULL));
    dr_key_fini(&key);
    free(text);
}

static void
comment_is_one_line(void **state)
{
    struct dr_key key = a_key(DR_KEY_SIGNING);
    struct dr_secret *file = NULL;
    char endless[202];
    (void)state;
    memset(endless, 'c', 201);
    endless[201] = '\0';
    REFUSED(DR_E_INVALID, dr_keyfile_encode(&key, NULL, 0, "two\nlines", &file, &err));
    REFUSED(DR_E_INVALID, dr_keyfile_encode(&key, NULL, 0, endless, &file, &err));
    REFUSED(DR_E_INVALID, dr_keyfile_save("/nonexistent/key", &key, NULL, 0, "a\nb", &err));
    dr_key_fini(&key);
}

static void
key_files_are_private(void **state)
{
    char folder[] = "/tmp/drover-key-XXXXXX", path[64];
    struct dr_key key = a_key(DR_KEY_SIGNING), again;
    struct dr_secret *pass = secret_of("pass");
    struct stat info;
    bool needs = false;
    (void)state; // id: W10 N06
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/key", folder);
    FINE(dr_keyfile_save(path, &key, pass, DR_KEY_COST_MIN, "x", &err));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    REFUSED(DR_E_EXISTS, dr_keyfile_save(path, &key, pass, DR_KEY_COST_MIN, "x", &err));
    FINE(dr_keyfile_load(path, DR_KEY_SIGNING, pass, &again, &err));
    dr_key_fini(&again);
    REFUSED(DR_E_PASSPHRASE, dr_keyfile_load(path, DR_KEY_SIGNING, NULL, &again, &err));
    assert_true(dr_str_starts(err.message, "key file '"));
    FINE(dr_keyfile_needs_passphrase(path, &needs, &err));
    assert_true(needs);
    assert_int_equal(chmod(path, 0644), 0);
    REFUSED(DR_E_PERMISSION, dr_keyfile_load(path, DR_KEY_SIGNING, pass, &again, &err));
    REFUSED(DR_E_PERMISSION, dr_keyfile_needs_passphrase(path, &needs, &err));
    assert_int_equal(unlink(path), 0);
    assert_int_not_equal(dr_keyfile_load(path, DR_KEY_SIGNING, pass, &again, &err), DR_OK);
    FINE(dr_keyfile_save(path, &key, NULL, DR_KEY_COST_MIN, "x", &err));
    FINE(dr_keyfile_needs_passphrase(path, &needs, &err));
    assert_false(needs);
    FINE(dr_file_write(path, "rubbish", 7, 0600, &err));
    REFUSED(DR_E_KEY_FORMAT, dr_keyfile_needs_passphrase(path, &needs, &err));
    REFUSED(DR_E_KEY_FORMAT, dr_keyfile_load(path, 0, NULL, &again, &err));
    FINE(dr_dir_remove(folder, &err));
    dr_secret_free(&pass);
    dr_key_fini(&key);
}

static void
public_line_is_read_back(void **state)
{
    struct dr_public alice = {.name = "alice"}, again;
    struct dr_key signing = a_key(DR_KEY_SIGNING), transport = a_key(DR_KEY_TRANSPORT);
    struct dr_buf line = {0};
    (void)state;
    memcpy(alice.signing, signing.public_key, 32);
    memcpy(alice.transport, transport.public_key, 32);
    dr_buf_str(&line, " \t");
    dr_public_format(&line, &alice);
    FINE(dr_public_parse(line.data, &again, &err));
    assert_string_equal(again.name, "alice");
    assert_memory_equal(again.signing, alice.signing, 32);
    assert_memory_equal(again.transport, alice.transport, 32);
    for (size_t cut = 0; cut + 1 < line.len; cut++) {
        char *copy = strndup(line.data, cut);
        REFUSED(DR_E_KEY_FORMAT, dr_public_parse(copy, &again, &err));
        free(copy);
    }
    dr_buf_str(&line, "x");
    REFUSED(DR_E_KEY_FORMAT, dr_public_parse(line.data, &again, &err));
    dr_buf_reset(&line);
    (void)snprintf(alice.name, sizeof(alice.name), "Alice");
    dr_public_format(&line, &alice);
    REFUSED(DR_E_KEY_FORMAT, dr_public_parse(line.data, &again, &err));
    dr_buf_reset(&line);
    dr_buf_printf(&line, "%s%070d ed25519:", DR_PUBLIC_FORMAT, 0);
    REFUSED(DR_E_KEY_FORMAT, dr_public_parse(line.data, &again, &err));
    dr_buf_reset(&line);
    (void)snprintf(alice.name, sizeof(alice.name), "alice");
    memset(alice.signing, 0, 32);
    dr_public_format(&line, &alice);
    REFUSED(DR_E_KEY_FORMAT, dr_public_parse(line.data, &again, &err));
    dr_buf_fini(&line);
    dr_key_fini(&signing);
    dr_key_fini(&transport);
}

static void
names_hold_nothing_that_a_path_could_misread(void **state)
{
    static const char *const bad[] = {"",  "?",   "#", "/x",  "../x",
                                      ".", "-rf", "A", "a b", "\xe2\x80\xae"};
    char endless[66];
    (void)state; // id: Z07
    for (size_t i = 0; i < DR_COUNT_OF(bad); i++) {
        assert_false(dr_name_is_valid(bad[i]));
        assert_false(dr_target_name_is_valid(bad[i]));
    }
    memset(endless, 'a', 65);
    endless[65] = '\0';
    assert_false(dr_name_is_valid(endless));
    assert_true(dr_name_is_valid(endless + 1));
    assert_true(dr_name_is_valid("0.a_b-c"));
    assert_true(dr_target_name_is_valid("staging/orders"));
    assert_false(dr_target_name_is_valid("staging/orders/x"));
    assert_false(dr_target_name_is_valid("staging/"));
}

// RFC 8032, section 7.1, test 2.
static void
signature_is_that_of_rfc_8032(void **state)
{
    uint8_t seed[32], expected[64], sig[64], public_key[32];
    struct dr_key key;
    (void)state;
    assert_true(
        dr_unhex(seed, 32, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
    assert_true(dr_unhex(public_key, 32,
                         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
    assert_true(dr_unhex(expected, 64,
                         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
    FINE(dr_key_from_seed(DR_KEY_SIGNING, seed, &key, &err));
    assert_memory_equal(key.public_key, public_key, 32);
    FINE(dr_key_sign(&key, (struct dr_bytes){(const uint8_t *)"\x72", 1}, sig, &err));
    assert_memory_equal(sig, expected, 64);
    dr_key_fini(&key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_key_opens_with_its_passphrase),
        cmocka_unit_test(wrong_or_missing_passphrase_is_refused),
        cmocka_unit_test(wrong_kind_is_refused),
        cmocka_unit_test(any_changed_or_cut_file_is_refused),
        cmocka_unit_test(absurd_work_is_refused_before_it_is_done),
        cmocka_unit_test(unknown_headers_are_refused),
        cmocka_unit_test(halves_that_do_not_fit_are_refused),
        cmocka_unit_test(comment_is_one_line),
        cmocka_unit_test(key_files_are_private),
        cmocka_unit_test(public_line_is_read_back),
        cmocka_unit_test(names_hold_nothing_that_a_path_could_misread),
        cmocka_unit_test(signature_is_that_of_rfc_8032),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
