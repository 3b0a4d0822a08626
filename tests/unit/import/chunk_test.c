// Pieces of SQL cut at their statements: what is taken out, what stays, what needs hand work.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/import/chunk.h"

#include <stdio.h>
#include <string.h>

struct row {
    const char *sql;
    const char *texts; // of the chunks with statements, joined by '|', without line ends around
    const char *notes; // kinds joined: 'c' changed, 'h' hand work
};

static const struct row rows[] = {
    {"SELECT 1; -- a\nSELECT 2", "SELECT 1; -- a|SELECT 2", ""},
    {"-- it's $$\nSELECT 1; SELECT 2;\n", "-- it's $$\nSELECT 1; |SELECT 2;", ""},
    {"BEGIN; SELECT 1; COMMIT; SELECT 2;", "SELECT 1; |SELECT 2;", "c"},
    {"START TRANSACTION;\nSELECT 1;\nEND;", "SELECT 1;", "c"},
    {"COMMIT;", "", "c"},
    {"BEGIN; SELECT 1;", "SELECT 1;", "c"},
    {"SELECT 1; ROLLBACK;", "SELECT 1; |ROLLBACK;", "h"},
    {"BEGIN; BEGIN;", "BEGIN;", "hc"},
    {"COMMIT PREPARED 'x';", "COMMIT PREPARED 'x';", "h"},
    {"\\timing\nSELECT 1;", "SELECT 1;", "c"},
    {"\\set ON_ERROR_STOP 1\n\\pset pager off\nSELECT 1;", "SELECT 1;", "cc"},
    {"\\set x 1\nSELECT :x;", "", "h"},
    {"SELECT 1 \\gset\nSELECT 2;", "", "h"},
    {"COPY t FROM stdin;\n1\t\\N\n\\.\nSELECT 1;",
     "INSERT INTO t OVERRIDING SYSTEM VALUE VALUES\n('1', NULL);|SELECT 1;", "c"},
    {"COPY \"from\".t (a, \"b\"\"c\") FROM STDIN;\nx",
     "INSERT INTO \"from\".t (a, \"b\"\"c\") OVERRIDING SYSTEM VALUE VALUES\n('x');", "c"},
    {"COPY t FROM STDIN; SELECT 1;\n1\n\\.\n", "COPY t FROM STDIN; |SELECT 1;", "hh"},
    {"COPY t FROM STDIN;\n\\.\n", "", "c"},
    {"COPY t FROM '/tmp/x';", "COPY t FROM '/tmp/x';", "h"},
    {"SET ROLE bob;", "SET ROLE bob;", "h"},
    {"SELECT 'open", "", "h"},
};

static void
join(const struct dr_chunks *chunks, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < chunks->count; i++) {
        const struct dr_chunk *c = &chunks->items[i];
        size_t from = 0, to = c->len;
        if (c->count == 0) {
            continue;
        }
        while (from < to && c->text[from] == '\n') {
            from++;
        }
        while (to > from && c->text[to - 1] == '\n') {
            to--;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", n == 0 ? "" : "|", (int)(to - from),
                              c->text + from);
    }
}

static void
statements_are_cut_and_what_drover_does_itself_is_taken_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_import import = {.arena = dr_arena_new(1u << 22), .dialect = DR_SQL_POSTGRESQL};
        struct dr_import_revision *revision = NULL;
        struct dr_import_piece piece = {
            .sql = rows[i].sql, .len = strlen(rows[i].sql), .file = "a.sql", .line = 1};
        struct dr_chunks chunks;
        struct dr_err err = {0};
        char texts[512], notes[16] = "";
        assert_int_equal(dr_import_add(&import, &revision, &err), DR_OK);
        assert_int_equal(dr_chunk_cut(&import, revision, &piece, false, &chunks, &err), DR_OK);
        join(&chunks, texts, sizeof texts);
        assert_string_equal(texts, rows[i].texts);
        for (size_t k = 0; k < import.notes_count; k++) {
            notes[k] = "clh"[import.notes[k].kind];
        }
        assert_string_equal(notes, rows[i].notes);
        assert_int_equal(revision->is_hand, strchr(notes, 'h') != NULL);
        dr_arena_free(&import.arena);
    }
}

static void
a_commit_ends_a_transaction_and_lines_are_those_of_the_file(void **state)
{
    (void)state;
    struct dr_import import = {.arena = dr_arena_new(1u << 22), .dialect = DR_SQL_POSTGRESQL};
    static const char sql[] = "BEGIN;\nSELECT 1;\nCOMMIT;\nSELECT\n2;\n";
    struct dr_import_piece piece = {.sql = sql, .len = sizeof sql - 1, .file = "a.sql", .line = 10};
    struct dr_chunks chunks;
    struct dr_err err = {0};
    bool ends = false;
    assert_int_equal(dr_chunk_cut(&import, NULL, &piece, false, &chunks, &err), DR_OK);
    assert_int_equal(chunks.statements, 2);
    for (size_t i = 0; i < chunks.count; i++) {
        const struct dr_chunk *c = &chunks.items[i];
        ends = ends || (c->count == 0 && c->ends_transaction);
        assert_true(c->sql == NULL || c->line == (c->sql[6] == ' ' ? 11 : 13));
    }
    assert_true(ends);
    assert_int_equal(import.notes[0].line, 10);
    dr_arena_free(&import.arena);
}

static void
a_query_of_a_verify_script_only_has_to_run(void **state)
{
    (void)state;
    struct dr_import import = {.arena = dr_arena_new(1u << 22), .dialect = DR_SQL_POSTGRESQL};
    static const char sql[] = "BEGIN; SELECT '$verify$'; ROLLBACK;";
    struct dr_import_piece piece = {.sql = sql, .len = sizeof sql - 1, .file = "a.sql", .line = 1};
    struct dr_chunks chunks;
    struct dr_err err = {0};
    char texts[512];
    assert_int_equal(dr_chunk_cut(&import, NULL, &piece, true, &chunks, &err), DR_OK);
    join(&chunks, texts, sizeof texts);
    assert_string_equal(texts, "DO $verify2$ DECLARE r record; BEGIN FOR r IN\nSELECT "
                               "'$verify$'\nLOOP END LOOP; END $verify2$;");
    dr_arena_free(&import.arena);
}

static void
copy_data_keep_every_byte(void **state)
{
    static const struct {
        const char *data, *values;
    } cases[] = {
        {"a\\tb\n\\.\n", "('a\tb')"},
        {"it's\t\\\\\n", "('it''s', '\\')"},
        {"\\r\\x0d\\015\n", "(E'\\x0d\\x0d\\x0d')"},
        {"a\\.b\\qc\n", "('a.bqc')"},
        {"\\N\t\\\\N\t\n", "(NULL, '\\N', '')"},
        {"\xe2\x80\x8d\\\\\n", "(E'\\xe2\\x80\\x8d\\\\')"},
        {"\\x41\\102\\7z\n", "(E'AB\\x07z')"},
        {"\n", "('')"},
    };
    (void)state;
    for (size_t i = 0; i < DR_COUNT_OF(cases); i++) {
        struct dr_arena *arena = dr_arena_new(1u << 20);
        struct dr_err err = {0};
        const char *text = NULL;
        size_t used, len, n_rows, statements;
        char expected[128];
        assert_int_equal(dr_copy_insert(arena, "COPY t FROM STDIN", 17, cases[i].data,
                                        strlen(cases[i].data), &used, &text, &len, &n_rows,
                                        &statements, &err),
                         DR_OK);
        snprintf(expected, sizeof expected, "INSERT INTO t OVERRIDING SYSTEM VALUE VALUES\n%s;\n",
                 cases[i].values);
        assert_string_equal(text, expected);
        assert_int_equal(used, strlen(cases[i].data));
        dr_arena_free(&arena);
    }
}

static void
many_rows_are_several_inserts(void **state)
{
    (void)state;
    struct dr_arena *arena = dr_arena_new(1u << 22);
    struct dr_err err = {0};
    char data[2 * 2001];
    const char *text = NULL;
    size_t used, len, n_rows, statements;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = i % 2 == 0 ? '1' : '\n';
    }
    assert_int_equal(dr_copy_insert(arena, "copy t(a) from stdin", 20, data, sizeof data, &used,
                                    &text, &len, &n_rows, &statements, &err),
                     DR_OK);
    assert_int_equal(n_rows, 2001);
    assert_int_equal(statements, 3);
    assert_int_equal(dr_copy_insert(arena, "copy (select 1) to stdout", 25, "", 0, &used, &text,
                                    &len, &n_rows, &statements, &err),
                     DR_OK);
    assert_null(text);
    dr_arena_free(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_cut_and_what_drover_does_itself_is_taken_out),
        cmocka_unit_test(a_commit_ends_a_transaction_and_lines_are_those_of_the_file),
        cmocka_unit_test(a_query_of_a_verify_script_only_has_to_run),
        cmocka_unit_test(copy_data_keep_every_byte),
        cmocka_unit_test(many_rows_are_several_inserts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
