#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"

#include <string.h>

static void
memory_is_zeroed_and_aligned(void **state DR_UNUSED)
{
    struct dr_arena *arena = dr_arena_new(1 << 20);
    for (size_t size = 0; size < 200; size++) {
        unsigned char *p = dr_arena_alloc(arena, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(p[i], 0);
        }
        memset(p, 0xAA, size);
    }
    dr_arena_free(&arena);
    assert_null(arena);
    dr_arena_free(&arena);
    dr_arena_free(NULL);
}

static void
the_cap_is_kept_and_nothing_is_lost_by_a_refusal(void **state DR_UNUSED)
{
    struct dr_arena *arena = dr_arena_new(100);
    assert_non_null(dr_arena_alloc(arena, 64));
    size_t used = dr_arena_used(arena);
    assert_null(dr_arena_alloc(arena, 64));
    assert_int_equal(dr_arena_used(arena), used);
    assert_non_null(dr_arena_alloc(arena, 16));
    assert_null(dr_arena_alloc(arena, SIZE_MAX));
    assert_null(dr_arena_alloc(arena, SIZE_MAX - 15));
    assert_true(dr_arena_used(arena) <= 100);
    dr_arena_free(&arena);
}

static void
an_array_whose_size_overflows_is_refused(void **state DR_UNUSED)
{
    struct dr_arena *arena = dr_arena_new(SIZE_MAX);
    assert_null(dr_arena_array(arena, SIZE_MAX / 2, 3));
    assert_null(dr_arena_array(arena, SIZE_MAX, SIZE_MAX));
    uint32_t *numbers = dr_arena_array(arena, 10, sizeof *numbers);
    assert_non_null(numbers);
    assert_int_equal(numbers[9], 0);
    dr_arena_free(&arena);
}

static void
large_and_small_pieces_live_side_by_side(void **state DR_UNUSED)
{
    struct dr_arena *arena = dr_arena_new((size_t)64 << 20);
    unsigned char *pieces[200];
    for (size_t i = 0; i < 200; i++) {
        size_t size = i % 7 == 0 ? 600000 : i * 13 + 1;
        pieces[i] = dr_arena_alloc(arena, size);
        assert_non_null(pieces[i]);
        memset(pieces[i], (int)(i + 1), size);
    }
    for (size_t i = 0; i < 200; i++) {
        size_t size = i % 7 == 0 ? 600000 : i * 13 + 1;
        assert_int_equal(pieces[i][0], (unsigned char)(i + 1));
        assert_int_equal(pieces[i][size - 1], (unsigned char)(i + 1));
    }
    dr_arena_free(&arena);
}

static void
copies_are_copies(void **state DR_UNUSED)
{
    struct dr_arena *arena = dr_arena_new(4096);
    char text[] = "hello";
    char *whole = dr_arena_str(arena, text);
    char *part = dr_arena_strn(arena, text, 3);
    char *printed = dr_arena_printf(arena, "%s-%d", text, 42);
    unsigned char *bytes = dr_arena_copy(arena, text, 2);
    memset(text, 'x', 5);
    assert_string_equal(whole, "hello");
    assert_string_equal(part, "hel");
    assert_string_equal(printed, "hello-42");
    assert_memory_equal(bytes, "he", 2);
    assert_non_null(dr_arena_copy(arena, NULL, 0));
    assert_string_equal(dr_arena_strn(arena, NULL, 0), "");
    dr_arena_free(&arena);
}

static void
copies_are_refused_at_the_cap(void **state DR_UNUSED)
{
    struct dr_arena *arena = dr_arena_new(16);
    assert_null(dr_arena_str(arena, "longer than sixteen bytes"));
    assert_null(dr_arena_printf(arena, "%s", "longer than sixteen bytes"));
    assert_null(dr_arena_strn(arena, "x", SIZE_MAX));
    assert_string_equal(dr_arena_str(arena, "short"), "short");
    dr_arena_free(&arena);
}

static void
protobuf_allocator_takes_from_the_arena_up_to_its_cap(void **state DR_UNUSED)
{
    struct dr_arena *arena = dr_arena_new(256);
    ProtobufCAllocator *allocator = dr_arena_protobuf(arena);
    void *first = allocator->alloc(allocator->allocator_data, 100);
    assert_non_null(first);
    assert_true(dr_arena_used(arena) >= 100);
    allocator->free(allocator->allocator_data, first);
    allocator->free(allocator->allocator_data, NULL);
    assert_true(dr_arena_used(arena) >= 100);
    assert_null(allocator->alloc(allocator->allocator_data, 1000));
    dr_arena_free(&arena);
}

// A field whose bytes are longer than the cap: the decoder must fail, not take the memory.
static void
protobuf_decoder_fails_when_the_arena_is_full(void **state DR_UNUSED)
{
    static const ProtobufCFieldDescriptor field = {.name = "b",
                                                   .id = 1,
                                                   .label = PROTOBUF_C_LABEL_NONE,
                                                   .type = PROTOBUF_C_TYPE_BYTES,
                                                   .offset = sizeof(ProtobufCMessage)};
    static const unsigned by_name[] = {0};
    static const ProtobufCIntRange ranges[] = {{1, 0}, {0, 1}};
    static const ProtobufCMessageDescriptor descriptor = {
        .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
        .name = "T",
        .sizeof_message = sizeof(ProtobufCMessage) + sizeof(ProtobufCBinaryData),
        .n_fields = 1,
        .fields = &field,
        .fields_sorted_by_name = by_name,
        .n_field_ranges = 1,
        .field_ranges = ranges};
    uint8_t packed[3 + 1000] = {0x0A, 0xE8, 0x07}; // field 1, length 1000
    struct dr_arena *small = dr_arena_new(512);
    assert_null(
        protobuf_c_message_unpack(&descriptor, dr_arena_protobuf(small), sizeof packed, packed));
    dr_arena_free(&small);
    struct dr_arena *large = dr_arena_new(4096);
    assert_non_null(
        protobuf_c_message_unpack(&descriptor, dr_arena_protobuf(large), sizeof packed, packed));
    dr_arena_free(&large);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned),
        cmocka_unit_test(the_cap_is_kept_and_nothing_is_lost_by_a_refusal),
        cmocka_unit_test(an_array_whose_size_overflows_is_refused),
        cmocka_unit_test(large_and_small_pieces_live_side_by_side),
        cmocka_unit_test(copies_are_copies),
        cmocka_unit_test(copies_are_refused_at_the_cap),
        cmocka_unit_test(protobuf_allocator_takes_from_the_arena_up_to_its_cap),
        cmocka_unit_test(protobuf_decoder_fails_when_the_arena_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
