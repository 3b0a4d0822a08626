// The log's chain of hashes: every field counts, every break is named.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "trust/loghash.h"

#include <string.h>

struct chain {
    Drover__V1__LogEntry entries[3];
    uint8_t hashes[3][32], document[32];
    char text[3][16];
};

static void
make(struct chain *c)
{
    static uint8_t zero[32];
    static char kind[] = "rollout", subject[] = "R-1", actor[] = "alice";
    struct dr_err err = {0};

    memset(c, 0, sizeof *c);
    memset(c->document, 7, 32);
    for (size_t i = 0; i < 3; i++) {
        Drover__V1__LogEntry *e = &c->entries[i];

        drover__v1__log_entry__init(e);
        memcpy(c->text[i], "entry", 6);
        e->index = i + 1;
        e->time = 1000 + (int64_t)i;
        e->kind = kind;
        e->subject = subject;
        e->actor = actor;
        e->text = c->text[i];
        e->document = (ProtobufCBinaryData){i == 1 ? 32 : 0, c->document};
        e->previous = (ProtobufCBinaryData){32, i == 0 ? zero : c->hashes[i - 1]};
        assert_int_equal(dr_loghash_compute(e, c->hashes[i], &err), DR_OK);
        e->hash = (ProtobufCBinaryData){32, c->hashes[i]};
    }
}

// The number of the first entry that does not verify; 0: all do.
static uint64_t
first_bad(const struct chain *c, struct dr_err *err)
{
    struct dr_loghash state = {0};

    for (size_t i = 0; i < 3; i++) {
        if (dr_loghash_verify(&state, &c->entries[i], err) != DR_OK) {
            assert_int_equal(err->rc, DR_E_BAD_LOG);
            assert_int_equal(state.index, i);
            return i + 1;
        }
    }
    return 0;
}

static void
a_whole_log_verifies(void **unused)
{
    struct chain c;
    struct dr_err err = {0};

    (void)unused;
    make(&c);
    assert_int_equal(first_bad(&c, &err), 0);
}

static void
every_changed_field_is_found(void **unused)
{
    static char other[] = "other";
    struct dr_err err = {0};

    (void)unused;
    for (int field = 0; field < 8; field++) {
        struct chain c;
        static uint8_t another[32];

        make(&c);
        Drover__V1__LogEntry *e = &c.entries[1];
        switch (field) {
        case 0:
            e->time++;
            break;
        case 1:
            e->kind = other;
            break;
        case 2:
            e->subject = other;
            break;
        case 3:
            e->text = other;
            break;
        case 4:
            e->actor = other;
            break;
        case 5:
            e->document.len = 0;
            break;
        case 6:
            e->previous.data = another;
            break;
        default:
            e->hash.len = 31;
        }
        assert_int_equal(first_bad(&c, &err), 2);
        assert_non_null(strstr(err.message, "2"));
    }
}

static void
a_missing_entry_and_a_wrong_length_are_found(void **unused)
{
    struct chain c;
    struct dr_err err = {0};
    struct dr_loghash state = {0};

    (void)unused;
    make(&c);
    assert_int_equal(dr_loghash_verify(&state, &c.entries[0], &err), DR_OK);
    assert_int_equal(dr_loghash_verify(&state, &c.entries[2], &err), DR_E_BAD_LOG);
    c.entries[1].previous.len = 31;
    assert_int_equal(dr_loghash_verify(&state, &c.entries[1], &err), DR_E_BAD_LOG);
    assert_int_equal(dr_loghash_verify(&state, &c.entries[1], NULL), DR_E_BAD_LOG);
    make(&c);
    c.entries[1].document.len = 5;
    assert_int_equal(dr_loghash_verify(&state, &c.entries[1], &err), DR_E_BAD_LOG);
}

static void
a_null_text_counts_as_an_empty_one(void **unused)
{
    static char empty[] = "";
    struct chain c;
    struct dr_err err = {0};
    uint8_t with_null[32], with_empty[32];

    (void)unused;
    make(&c);
    c.entries[0].text = NULL;
    assert_int_equal(dr_loghash_compute(&c.entries[0], with_null, &err), DR_OK);
    c.entries[0].text = empty;
    assert_int_equal(dr_loghash_compute(&c.entries[0], with_empty, &err), DR_OK);
    assert_memory_equal(with_null, with_empty, 32);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_log_verifies),
        cmocka_unit_test(every_changed_field_is_found),
        cmocka_unit_test(a_missing_entry_and_a_wrong_length_are_found),
        cmocka_unit_test(a_null_text_counts_as_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
