// Log hash: the chain over the coordinator's log, checked entry by entry.

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "trust/loghash.h"

#include <string.h>

#define ENTRIES 3

struct log {
    Drover__V1__LogEntry entries[ENTRIES];
    uint8_t hashes[ENTRIES + 1][32]; // [0]: before the first
    uint8_t document[32];
    char texts[ENTRIES][16];
};

static void
seal(struct log *log, size_t i)
{
    struct dr_err err = {0};
    assert_int_equal(dr_loghash_compute(&log->entries[i], log->hashes[i + 1], &err), DR_OK);
}

static int
set_up(void **state)
{
    static struct log log;
    memset(&log, 0, sizeof(log));
    memset(log.document, 7, sizeof(log.document));
    for (size_t i = 0; i < ENTRIES; i++) {
        Drover__V1__LogEntry *e = &log.entries[i];
        drover__v1__log_entry__init(e);
        memcpy(log.texts[i], "entry", 6);
        e->index = i + 1;
        e->time = 1700000000 + (int64_t)i;
        e->kind = log.texts[i];
        e->subject = log.texts[i];
        e->text = log.texts[i];
        e->actor = i == 1 ? NULL : log.texts[i];
        e->previous = (ProtobufCBinaryData){32, log.hashes[i]};
        e->document =
            i == 0 ? (ProtobufCBinaryData){32, log.document} : (ProtobufCBinaryData){0, NULL};
        seal(&log, i);
        e->hash = (ProtobufCBinaryData){32, log.hashes[i + 1]};
    }
    *state = &log;
    return 0;
}

static enum dr_rc
verify_all(const struct log *log, struct dr_loghash *chain)
{
    struct dr_err err = {0};
    enum dr_rc rc = DR_OK;
    for (size_t i = 0; rc == DR_OK && i < ENTRIES; i++) {
        rc = dr_loghash_verify(chain, &log->entries[i], &err);
    }
    return rc;
}

static void
whole_log_verifies(void **state)
{
    struct log *log = *state;
    struct dr_loghash chain = {0};
    assert_int_equal(verify_all(log, &chain), DR_OK);
    assert_int_equal(chain.index, ENTRIES);
    assert_memory_equal(chain.hash, log->hashes[ENTRIES], 32);
}

// The hash of one entry, worked out by hand with sha256sum over the bytes that the header names.
static void
hash_is_what_the_header_says(void **state)
{
    (void)state;
    static const uint8_t wanted[4] = {0x9c, 0x7b, 0xc5, 0x97};
    uint8_t zero[32] = {0};
    uint8_t out[32];
    char a[] = "a";
    struct dr_err err = {0};
    Drover__V1__LogEntry e = {0};
    drover__v1__log_entry__init(&e);
    e.index = 1;
    e.time = 2;
    e.kind = e.subject = e.text = e.actor = a;
    e.previous = (ProtobufCBinaryData){32, zero};
    assert_int_equal(dr_loghash_compute(&e, out, &err), DR_OK);
    assert_memory_equal(out, wanted, 4);
}

static void
every_changed_field_is_found(void **state)
{
    struct log *log = *state;
    Drover__V1__LogEntry *e = &log->entries[1];
    Drover__V1__LogEntry kept = *e;
    char other[] = "other";
    for (int field = 0; field < 8; field++) {
        struct dr_loghash chain = {0};
        *e = kept;
        e->index += field == 0;
        e->time += field == 1;
        e->kind = field == 2 ? other : e->kind;
        e->subject = field == 3 ? other : e->subject;
        e->text = field == 4 ? other : e->text;
        e->actor = field == 5 ? other : e->actor;
        e->document = field == 6 ? (ProtobufCBinaryData){32, log->document} : e->document;
        e->previous = field == 7 ? (ProtobufCBinaryData){32, log->document} : e->previous;
        assert_int_equal(verify_all(log, &chain), DR_E_BAD_LOG);
        assert_int_equal(chain.index, 1);
    }
}

static void
missing_entry_is_found(void **state)
{
    struct log *log = *state;
    struct dr_loghash chain = {0};
    struct dr_err err = {0};
    assert_int_equal(dr_loghash_verify(&chain, &log->entries[0], &err), DR_OK);
    assert_int_equal(dr_loghash_verify(&chain, &log->entries[2], &err), DR_E_BAD_LOG);
    assert_non_null(strstr(err.message, "3 stands where 2 belongs"));
}

static void
digests_of_wrong_length_are_refused(void **state)
{
    struct log *log = *state;
    struct dr_loghash chain = {0};
    struct dr_err err = {0};
    log->entries[0].hash.len = 31;
    assert_int_equal(dr_loghash_verify(&chain, &log->entries[0], &err), DR_E_BAD_LOG);
    log->entries[0].document.len = 31;
    assert_int_equal(dr_loghash_verify(&chain, &log->entries[0], &err), DR_E_BAD_LOG);
    log->entries[0].document.len = 32;
    log->entries[0].previous.len = 31;
    assert_int_equal(dr_loghash_compute(&log->entries[0], log->hashes[0], &err), DR_E_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whole_log_verifies, set_up),
        cmocka_unit_test_setup(hash_is_what_the_header_says, set_up),
        cmocka_unit_test_setup(every_changed_field_is_found, set_up),
        cmocka_unit_test_setup(missing_entry_is_found, set_up),
        cmocka_unit_test_setup(digests_of_wrong_length_are_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
