// Frames and records: any cut of the byte stream gives the same frames; bad lengths are refused
// before memory is taken.
#include "rpc/frame.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

struct sink {
    unsigned count;
    size_t bytes;
    uint8_t last;
    enum dr_rc rc;
};

static enum dr_rc
take(void *user, const uint8_t *bytes, size_t len, struct dr_err *err)
{
    struct sink *sink = user;
    sink->count++;
    sink->bytes += len;
    sink->last = bytes[len - 1];
    return sink->rc == DR_OK ? DR_OK : dr_err_set(err, sink->rc, "refused");
}

static void
frames_survive_any_cut(void **state)
{
    static const uint8_t stream[] = {0,   0,   0,   1, 'a', 0, 0, 0,   3,
                                     'b', 'b', 'b', 0, 0,   0, 2, 'c', 'd'};
    struct dr_err err = {0};
    (void)state;
    for (size_t step = 1; step <= sizeof stream; step++) {
        struct dr_frame_reader reader = {.max = 3};
        struct sink sink = {0};
        for (size_t at = 0; at < sizeof stream; at += step) {
            size_t piece = sizeof stream - at < step ? sizeof stream - at : step;
            assert_int_equal(dr_frame_reader_take(&reader, stream + at, piece, take, &sink, &err),
                             DR_OK);
        }
        assert_int_equal(sink.count, 3);
        assert_int_equal(sink.bytes, 6);
        assert_int_equal(sink.last, 'd');
        dr_frame_reader_fini(&reader);
    }
}

static void
bad_lengths_are_refused_at_once(void **state)
{
    static const struct {
        uint8_t header[4];
        enum dr_rc rc;
    } rows[] = {{{0, 0, 0, 0}, DR_E_RPC_PROTOCOL},
                {{0xff, 0xff, 0xff, 0xff}, DR_E_RPC_LIMIT},
                {{0, 0, 4, 1}, DR_E_RPC_LIMIT},
                {{0, 0, 4, 0}, DR_OK}};
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_frame_reader reader = {.max = 1024};
        struct sink sink = {0};
        struct dr_err err = {0};
        assert_int_equal(dr_frame_reader_take(&reader, rows[i].header, 4, take, &sink, &err),
                         rows[i].rc);
        assert_int_equal(sink.count, 0);
        assert_null(reader.bytes);
        dr_frame_reader_fini(&reader);
    }
}

static void
memory_follows_what_arrives_not_what_is_announced(void **state)
{
    struct dr_frame_reader reader = {.max = DR_FRAME_MAX};
    struct sink sink = {0};
    struct dr_err err = {0};
    static const uint8_t start[] = {0, 0x10, 0, 0, 1, 2, 3}; // 1 MiB, three bytes of it
    (void)state;
    assert_int_equal(dr_frame_reader_take(&reader, start, sizeof start, take, &sink, &err), DR_OK);
    assert_in_range(reader.cap, 3, 1024);
    dr_frame_reader_fini(&reader);
}

static void
an_error_of_the_sink_ends_the_reading(void **state)
{
    static const uint8_t stream[] = {0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b'};
    struct dr_frame_reader reader = {.max = 8};
    struct sink sink = {.rc = DR_E_LIMIT};
    struct dr_err err = {0};
    (void)state;
    assert_int_equal(dr_frame_reader_take(&reader, stream, sizeof stream, take, &sink, &err),
                     DR_E_LIMIT);
    assert_int_equal(sink.count, 1);
    dr_frame_reader_fini(&reader);
}

struct decoded {
    size_t body_len;
    uint64_t call_id;
};

static enum dr_rc
decode(void *user, const uint8_t *bytes, size_t len, struct dr_err *err)
{
    struct decoded *decoded = user;
    struct dr_arena *arena = dr_arena_new(4u * 1024u * 1024u);
    Drover__V1__Frame *frame = NULL;
    enum dr_rc rc = dr_frame_decode(bytes, len, arena, &frame, err);
    if (rc == DR_OK) {
        decoded->body_len = frame->body.len;
        decoded->call_id = frame->call_id;
    }
    dr_arena_free(&arena);
    return rc;
}

// Opens the records in `bytes` and feeds them to a reader.
static void
open_records(uint8_t *bytes, size_t len, struct decoded *out, unsigned *out_records)
{
    struct dr_noise_cipher receive = {0};
    struct dr_frame_reader reader = {.max = DR_FRAME_MAX};
    struct dr_err err = {0};
    *out_records = 0;
    for (size_t at = 0; at < len; (*out_records)++) {
        size_t record = (size_t)bytes[at] << 8 | bytes[at + 1];
        at += DR_RECORD_HEADER;
        assert_int_equal(dr_noise_open(&receive, bytes + at, record, bytes + at, &err), DR_OK);
        assert_int_equal(
            dr_frame_reader_take(&reader, bytes + at, record - DR_NOISE_TAG, decode, out, &err), 0);
        at += record;
    }
    dr_frame_reader_fini(&reader);
}

static void
a_body_of_one_mib_is_split_into_records(void **state)
{
    struct dr_noise_cipher send = {0};
    struct dr_err err = {0};
    Drover__V1__Frame frame;
    uint8_t *bytes = NULL;
    size_t len;
    unsigned records;
    struct decoded decoded = {0};
    (void)state;
    drover__v1__frame__init(&frame);
    frame.kind = DROVER__V1__FRAME_KIND__STREAM;
    frame.call_id = 77;
    frame.body.len = DR_FRAME_BODY_MAX;
    frame.body.data = calloc(1, frame.body.len);
    assert_int_equal(dr_frame_seal(&send, &frame, &bytes, &len, &err), DR_OK);
    open_records(bytes, len, &decoded, &records);
    assert_int_equal(records, 17);
    assert_int_equal(decoded.body_len, DR_FRAME_BODY_MAX);
    assert_int_equal(decoded.call_id, 77);
    free(bytes);
    frame.body.len++;
    assert_int_equal(dr_frame_seal(&send, &frame, &bytes, &len, &err), DR_E_RPC_LIMIT);
    free(frame.body.data);
}

static void
malformed_frames_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *message;
    } rows[] = {
        {"\xff\xff", 2, "a frame does not decode"},
        {"\x08\x01", 2, "a frame of unknown kind 0"},
        {"\x10\x0a", 2, "a frame of unknown kind 10"},
        {"\x10\x01\x42\x03xyz", 7, "a request id of 3 bytes"},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_arena *arena = dr_arena_new(4096);
        Drover__V1__Frame *frame = NULL;
        struct dr_err err = {0};
        assert_int_equal(
            dr_frame_decode((const uint8_t *)rows[i].bytes, rows[i].len, arena, &frame, &err),
            DR_E_RPC_PROTOCOL);
        assert_string_equal(err.message, rows[i].message);
        dr_arena_free(&arena);
    }
}

static void
a_long_method_name_is_refused(void **state)
{
    struct dr_arena *arena = dr_arena_new(65536);
    Drover__V1__Frame frame, *out = NULL;
    struct dr_err err = {0};
    char name[200];
    uint8_t bytes[512];
    (void)state;
    memset(name, 'x', sizeof name);
    drover__v1__frame__init(&frame);
    frame.kind = DROVER__V1__FRAME_KIND__REQUEST;
    frame.method = name;
    name[128] = '\0';
    size_t len = drover__v1__frame__pack(&frame, bytes);
    assert_int_equal(dr_frame_decode(bytes, len, arena, &out, &err), DR_OK);
    name[128] = 'x';
    name[129] = '\0';
    len = drover__v1__frame__pack(&frame, bytes);
    assert_int_equal(dr_frame_decode(bytes, len, arena, &out, &err), DR_E_RPC_PROTOCOL);
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_survive_any_cut),
        cmocka_unit_test(bad_lengths_are_refused_at_once),
        cmocka_unit_test(memory_follows_what_arrives_not_what_is_announced),
        cmocka_unit_test(an_error_of_the_sink_ends_the_reading),
        cmocka_unit_test(a_body_of_one_mib_is_split_into_records),
        cmocka_unit_test(malformed_frames_are_refused),
        cmocka_unit_test(a_long_method_name_is_refused),
    };
    return cmocka_run_group_tests_name("rpc/frame", tests, NULL, NULL);
}
