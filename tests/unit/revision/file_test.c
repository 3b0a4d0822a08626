// The revision file's grammar: what it takes, and every bad input with its place, message and hint.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "revision/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "-- drover:revision 1\n-- add table a\n--\n-- Revision ID: a1\n-- Revises:\n\n"
#define UP   "-- drover:up\nCREATE TABLE a (id int);\n\n"
#define DOWN "-- drover:down\nDROP TABLE a;\n"

static struct dr_arena *arena;

static int
set_up(void **state)
{
    (void)state;
    arena = dr_arena_new(8u << 20);
    return arena == NULL;
}

static int
tear_down(void **state)
{
    (void)state;
    dr_arena_free(&arena);
    return 0;
}

static const struct dr_revision *
must_parse(const char *text, size_t len)
{
    struct dr_err err = {0};
    struct dr_revision *r = NULL;
    if (dr_revision_parse("a.sql", text, len, arena, &r, &err) != DR_OK) {
        print_error("%s:%u:%u: %s (%s)\n", err.file, err.line, err.column, err.message, err.hint);
        fail();
    }
    return r;
}

struct bad {
    const char *what, *text;
    enum dr_rc rc;
    uint32_t line, column;
    const char *message, *hint; // parts of them
};

static const struct bad bads[] = {
    {"no header", "CREATE TABLE a (id int);\n", DR_E_REVISION_HEADER, 1, 1, "no header",
     "-- drover:revision 1"},
    {"empty file", "", DR_E_REVISION_HEADER, 1, 1, "no header", "drover revision -m"},
    {"another version", "-- drover:revision 2\n-- x\n", DR_E_REVISION_HEADER, 1, 20,
     "format 1 only", "newer drover"},
    {"no message", "-- drover:revision 1\n--\n-- Revision ID: a\n", DR_E_REVISION_HEADER, 2, 1,
     "message is missing", "line 2"},
    {"two headers", HEAD UP DOWN "-- drover:revision 1\n-- b\n", DR_E_REVISION_HEADER, 12, 1,
     "second header", "file of its own"},
    {"header that ends with blanks", "-- drover:revision 1\n-- x\n-- y\n--  ", DR_E_REVISION_HEADER,
     1, 1, "no 'Revision ID'", "add"},
    {"no id", "-- drover:revision 1\n-- x\n--\n-- Revises: b\n\n" UP DOWN, DR_E_REVISION_HEADER, 1,
     1, "no 'Revision ID'", "-- Revision ID:"},
    {"bad id", "-- drover:revision 1\n-- x\n-- Revision ID: a-b\n", DR_E_REVISION_ID, 3, 17,
     "'a-b' cannot be a revision id", "letters"},
    {"id is a word", "-- drover:revision 1\n-- x\n-- Revision ID: head\n", DR_E_REVISION_ID, 3, 17,
     "'head'", "none of the words"},
    {"long id",
     "-- drover:revision 1\n-- x\n-- Revision ID: "
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
     DR_E_REVISION_ID, 3, 17, "cannot be a revision id", "64"},
    {"misspelt key", "-- drover:revision 1\n-- x\n-- Revison ID: a\n", DR_E_REVISION_HEADER, 3, 4,
     "unknown header key 'Revison ID'", "did you mean 'Revision ID'?"},
    {"unknown key", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Colour: red\n",
     DR_E_REVISION_HEADER, 4, 4, "unknown header key 'Colour'", "free text"},
    {"key twice", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Revision ID: b\n",
     DR_E_REVISION_HEADER, 4, 4, "given twice", "keep one"},
    {"key without value", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Author:\n",
     DR_E_REVISION_HEADER, 4, 4, "no value", "remove the line"},
    {"text behind keys", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- oh well\n",
     DR_E_REVISION_HEADER, 4, 1, "neither a key", "blank line"},
    {"bad parent", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Revises: b, c-d\n",
     DR_E_REVISION_ID, 4, 16, "'c-d'", "leave"},
    {"parent twice", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Revises: b, b\n",
     DR_E_REVISION_HEADER, 4, 16, "named twice", "once"},
    {"bad engine", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Engine: oracle\n",
     DR_E_REVISION_HEADER, 4, 12, "unknown engine 'oracle'", "postgresql"},
    {"bad engine version",
     "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Engine: postgresql >= new\n",
     DR_E_REVISION_HEADER, 4, 12, "'new' is no version", ">= 14"},
    {"bad time", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Lock timeout: soon\n",
     DR_E_REVISION_HEADER, 4, 18, "'soon' is no time", "3s"},
    {"bad phase", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Phase: grow\n",
     DR_E_REVISION_HEADER, 4, 11, "expand", "expand"},
    {"bad reversible", "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Reversible: maybe\n",
     DR_E_REVISION_HEADER, 4, 16, "yes, no or lossy", "lossy"},
    {"no up", HEAD DOWN, DR_E_REVISION_EMPTY, 4, 1, "no up section", "-- drover:up"},
    {"empty up", HEAD "-- drover:up\n-- nothing; yet\n\n" DOWN, DR_E_REVISION_EMPTY, 7, 1,
     "section 'up' has no statement", "remove the section"},
    {"missing down", HEAD UP, DR_E_REVISION_DOWN, 4, 1, "no down section", "down none"},
    {"empty down", HEAD UP "-- drover:down\n/* later /* nested */ ; */\n", DR_E_REVISION_DOWN, 10,
     1, "section 'down' has no statement", "down none"},
    {"down none without reason", HEAD UP "-- drover:down none\n", DR_E_REVISION_DIRECTIVE, 10, 20,
     "reason is required", "reason=\"why\""},
    {"down none and SQL", HEAD UP "-- drover:down none reason=\"x\"\nDROP TABLE a;\n",
     DR_E_REVISION_DOWN, 11, 1, "SQL stands under", "remove"},
    {"down none beside down", HEAD UP DOWN "-- drover:down none reason=\"x\"\n", DR_E_REVISION_DOWN,
     4, 1, "beside", "remove"},
    {"CR line ends", "-- drover:revision 1\r\n-- x\r\n", DR_E_REVISION_BYTES, 1, 21,
     "carriage return", "sed"},
    {"byte order mark", "\xEF\xBB\xBF-- drover:revision 1\n", DR_E_REVISION_BYTES, 1, 1,
     "byte order mark", "sed"},
    {"invalid UTF-8", HEAD UP "-- drover:down\n-- \xC3(\nDROP TABLE a;\n", DR_E_REVISION_BYTES, 11,
     4, "not valid UTF-8: byte 0xc3", "iconv"},
    {"bidi control", HEAD UP "-- drover:down\n-- \xE2\x80\xAE\nDROP TABLE a;\n",
     DR_E_REVISION_BYTES, 11, 4, "bidirectional", "remove the character"},
    {"zero width", HEAD UP "-- drover:down\nDROP TABLE a\xE2\x80\x8B;\n", DR_E_REVISION_BYTES, 11,
     13, "zero-width", "escape"},
    {"control character", HEAD UP "-- drover:down\nDROP\x01 TABLE a;\n", DR_E_REVISION_BYTES, 11, 5,
     "control character", "remove"},
    {"indented directive", HEAD UP "  -- drover:down\nDROP TABLE a;\n", DR_E_REVISION_DIRECTIVE, 10,
     1, "looks like a directive", "column 1"},
    {"directive without blank", HEAD UP "--drover:down\nDROP TABLE a;\n", DR_E_REVISION_DIRECTIVE,
     10, 1, "looks like a directive", "-- drover:up"},
    {"directive in capitals", HEAD UP "-- Drover:Down\nDROP TABLE a;\n", DR_E_REVISION_DIRECTIVE,
     10, 1, "looks like a directive", "-- drover:up"},
    {"unknown directive", HEAD UP "-- drover:undo\nDROP TABLE a;\n", DR_E_REVISION_DIRECTIVE, 10,
     11, "unknown directive 'drover:undo'", "down"},
    {"unknown option", HEAD "-- drover:up sample=3\nCREATE TABLE a (id int);\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 7, 14, "section 'up' has no option 'sample'", "transaction="},
    {"option twice", HEAD "-- drover:up retry=3 retry=4\nCREATE TABLE a (id int);\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 7, 22, "given twice", "keep"},
    {"option without value", HEAD "-- drover:up transaction\nCREATE TABLE a (id int);\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 7, 25, "'transaction' has no value", "key=value"},
    {"bad option value", HEAD "-- drover:up transaction=maybe\nCREATE TABLE a (id int);\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 7, 14, "'maybe' is no value", "transaction=off"},
    {"retry out of range", HEAD "-- drover:up retry=1000\nCREATE TABLE a (id int);\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 7, 14, "'1000' is no value", "1 to 100"},
    {"open name", HEAD "-- drover:up \"x\nCREATE TABLE a (id int);\n" DOWN, DR_E_REVISION_DIRECTIVE,
     7, 14, "not closed", "quote"},
    {"verify without name", HEAD UP "-- drover:verify\nSELECT true;\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 10, 17, "needs a name", "-- drover:verify"},
    {"nolint without reason",
     HEAD "-- drover:up\n-- drover:nolint no-verify\nCREATE TABLE a (id int);\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 8, 27, "reason is required", "reason="},
    {"remedy for nothing", HEAD UP DOWN "-- drover:remedy \"r\" for=\"x\"\nDELETE FROM a;\n",
     DR_E_REVISION_DIRECTIVE, 12, 1, "no preflight has that name", "exactly"},
    {"engine not in header",
     "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Engine: sqlite\n\n-- drover:up "
     "engine=postgresql\nSELECT 1;\n",
     DR_E_REVISION_DIRECTIVE, 6, 14, "header does not name the engine 'postgresql'", "Engine"},
    {"engine without down",
     "-- drover:revision 1\n-- x\n-- Revision ID: a\n-- Engine: postgresql, sqlite\n\n" UP
     "-- drover:down engine=sqlite\nDROP TABLE a;\n",
     DR_E_REVISION_DOWN, 3, 1, "no down section for engine postgresql", "down none"},
    {"SQL before the first section", HEAD "CREATE TABLE a (id int);\n" DOWN,
     DR_E_REVISION_DIRECTIVE, 7, 1, "before the first section", "-- drover:up"},
    {"two statements outside a transaction",
     HEAD "-- drover:up transaction=off\nCREATE INDEX CONCURRENTLY a ON t (x);\n  CREATE INDEX "
          "CONCURRENTLY b ON t (x);\n" DOWN,
     DR_E_REVISION_STATEMENTS, 9, 3, "exactly one statement", "section of its own"},
    {"BEGIN", HEAD "-- drover:up\nBEGIN;\nCREATE TABLE a (id int);\nCOMMIT;\n" DOWN,
     DR_E_SQL_FORBIDDEN, 8, 1, "BEGIN cannot stand in a revision", "drover opens and ends"},
    {"COMMIT", HEAD "-- drover:up\nCREATE TABLE a (id int); /* é */ commit;\n" DOWN,
     DR_E_SQL_FORBIDDEN, 8, 34, "COMMIT cannot stand", "remove it"},
    {"COPY FROM STDIN", HEAD "-- drover:up\nCOPY a (id) FROM stdin;\n1\n\\.\n" DOWN,
     DR_E_SQL_FORBIDDEN, 8, 1, "COPY FROM STDIN cannot stand", "INSERT"},
    {"backslash command", HEAD "-- drover:up\nSELECT 1;\n\\d a\n" DOWN, DR_E_SQL_FORBIDDEN, 9, 1,
     "backslash commands", "statement"},
    {"SET ROLE", HEAD "-- drover:up\nset local role bob;\n" DOWN, DR_E_SQL_FORBIDDEN, 8, 1,
     "SET ROLE", "remove it"},
    {"open string", HEAD "-- drover:up\nSELECT 'a;\n" DOWN, DR_E_SQL_SYNTAX, 8, 8,
     "unterminated string", "close it"},
    {"open comment", HEAD UP "-- drover:down\nDROP TABLE a; /* /* */\n", DR_E_SQL_SYNTAX, 11, 15,
     "unterminated comment", "close it"},
    {"open dollar quote", HEAD "-- drover:up\nDO $x$ BEGIN $y$ END\n" DOWN, DR_E_SQL_SYNTAX, 8, 4,
     "dollar-quoted", "close it"},
};

static void
parse_refuses_each_bad_file_at_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        const struct bad *b = &bads[i];
        struct dr_err err = {0};
        struct dr_revision *r = NULL;
        size_t len = strlen(b->text);
        char *own =
            malloc(len == 0 ? 1 : len); // no NUL behind it, so that a read beyond the end is seen
        memcpy(own, b->text, len);
        enum dr_rc rc = dr_revision_parse("dir/a.sql", own, len, arena, &r, &err);
        bool is_good = rc == b->rc && err.rc == rc && err.line == b->line &&
                       err.column == b->column && strstr(err.message, b->message) != NULL &&
                       strstr(err.hint, b->hint) != NULL && strcmp(err.file, "dir/a.sql") == 0 &&
                       r == NULL;
        if (!is_good) {
            print_error("%s: got %d at %u:%u '%s' hint '%s'\n", b->what, (int)rc, err.line,
                        err.column, err.message, err.hint);
            fail();
        }
        free(own);
    }
}

static void
parse_refuses_a_nul_byte(void **state)
{
    (void)state;
    static const char text[] = HEAD UP "-- drover:down\nDROP TABLE\0 a;\n";
    struct dr_err err = {0};
    struct dr_revision *r = NULL;
    assert_int_equal(dr_revision_parse("a.sql", text, sizeof text - 1, arena, &r, &err),
                     DR_E_REVISION_BYTES);
    assert_non_null(strstr(err.message, "NUL"));
    assert_int_equal(err.line, 11);
    assert_int_equal(err.column, 11);
}

static void
parse_refuses_33_megabytes(void **state)
{
    (void)state;
    size_t len = 33u << 20;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, ' ', len);
    struct dr_err err = {0};
    struct dr_revision *r = NULL;
    assert_int_equal(dr_revision_parse("a.sql", text, len, arena, &r, &err), DR_E_REVISION_SIZE);
    assert_non_null(strstr(err.message, "32 MiB"));
    assert_non_null(strstr(err.hint, "several revisions"));
    free(text);
}

static char *
read_fixture(const char *name, size_t *len)
{
    char path[512];
    char *text = NULL;
    struct dr_err err = {0};
    const char *source = getenv("DROVER_SOURCE");
    snprintf(path, sizeof path, "%s/tests/unit/revision/data/%s", source == NULL ? "." : source,
             name);
    assert_int_equal(dr_file_read(path, DR_REVISION_FILE_MAX, &text, len, &err), DR_OK);
    return text;
}

static void
parse_reads_header_and_sections(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = read_fixture("reviews.sql", &len);
    const struct dr_revision *r = must_parse(text, len);
    assert_string_equal(r->id, "004_reviews");
    assert_string_equal(r->message, "add reviews and their commitments");
    assert_non_null(strstr(r->text, "at most three of a review."));
    assert_int_equal(r->parents.count, 1);
    assert_string_equal(r->parents.items[0], "003_boards");
    assert_string_equal(r->requirements, "FR-006, T-005");
    assert_int_equal(r->reversible, DR_REVERSIBLE_YES);
    assert_string_equal(r->reversible_why, "the rows of both tables are lost");
    assert_int_equal(r->lock_timeout_ms, 5000);
    assert_int_equal(r->statement_timeout_ms, 30000);
    assert_int_equal(r->engines, DR_ENGINE_POSTGRESQL);
    assert_int_equal(r->section_count, 6);
    assert_int_equal(r->sections[0].kind, DR_SECTION_PREFLIGHT);
    assert_string_equal(r->sections[3].only, "staging");
    assert_true(r->sections[5].on_down);
    const struct dr_section *up = &r->sections[1];
    assert_int_equal(up->kind, DR_SECTION_UP);
    assert_memory_equal(text + up->offset, "CREATE TYPE topic", 17);
    assert_int_equal(up->line, up->directive_line + 1);
    free(text);
}

static void
parse_reads_every_option(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = read_fixture("uuid_key.sql", &len);
    const struct dr_revision *r = must_parse(text, len);
    assert_int_equal(r->postgresql_min, 14);
    assert_string_equal(r->phase, "migrate");
    assert_int_equal(r->time_budget_ms, 30000);
    assert_int_equal(r->reversible, DR_REVERSIBLE_LOSSY);
    assert_true(r->sections[0].expect_empty);
    assert_int_equal(r->sections[0].sample, 5);
    assert_string_equal(r->sections[1].for_name, "every user_id is a uuid");
    assert_int_equal(r->sections[2].lock_timeout_ms, 3000);
    assert_int_equal(r->sections[2].retry, 4);
    assert_true(r->sections[4].outside_transaction);
    assert_int_equal(r->sections[5].max_ms, 50);
    free(text);
}

static void
parse_keeps_sections_of_both_engines_apart(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = read_fixture("control.sql", &len);
    const struct dr_revision *r = must_parse(text, len);
    assert_int_equal(r->parents.count, 0);
    assert_int_equal(r->engines, DR_ENGINE_ALL);
    assert_int_equal(r->sections[2].engines, DR_ENGINE_SQLITE);
    assert_int_equal(r->sections[5].engines, DR_ENGINE_ALL);
    assert_int_equal(r->sections[6].engines, DR_ENGINE_POSTGRESQL);
    free(text);
}

static void
parse_takes_a_merge_without_sections(void **state)
{
    (void)state;
    static const char text[] =
        "-- drover:revision 1\n-- merge a and b\n-- Revision ID: m\n-- Revises: a, b";
    const struct dr_revision *r = must_parse(text, sizeof text - 1);
    assert_int_equal(r->parents.count, 2);
    assert_int_equal(r->section_count, 0);
}

static void
parse_takes_down_none_with_a_reason(void **state)
{
    (void)state;
    static const char text[] = HEAD UP "-- drover:down none reason=\"rows were deleted\"\n";
    const struct dr_revision *r = must_parse(text, sizeof text - 1);
    assert_true(r->down_none);
    assert_string_equal(r->down_none_reason, "rows were deleted");
}

static void
parse_keeps_nolint_in_its_section(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "-- drover:up\n-- drover:nolint require-concurrent-index-creation "
             "reason=\"empty\"\nCREATE INDEX i ON a (id);\n" DOWN;
    const struct dr_revision *r = must_parse(text, sizeof text - 1);
    assert_int_equal(r->nolint_count, 1);
    assert_int_equal(r->section_count, 2);
    assert_string_equal(r->nolint[0].rule, "require-concurrent-index-creation");
    assert_int_equal(r->nolint[0].line, 8);
}

static void
parse_survives_any_cut_of_a_good_file(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = read_fixture("uuid_key.sql", &len);
    for (size_t cut = 0; cut < len; cut++) {
        struct dr_err err = {0};
        struct dr_revision *r = NULL;
        struct dr_arena *own = dr_arena_new(1u << 20);
        char *copy = malloc(cut == 0 ? 1 : cut); // its own size, so that a read beyond it is seen
        memcpy(copy, text, cut);
        enum dr_rc rc = dr_revision_parse("a.sql", copy, cut, own, &r, &err);
        assert_true(rc == DR_OK || (err.line > 0 && err.message[0] != '\0' && err.hint[0] != '\0'));
        free(copy);
        dr_arena_free(&own);
    }
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parse_refuses_each_bad_file_at_its_place, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(parse_refuses_a_nul_byte, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_refuses_33_megabytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_reads_header_and_sections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_reads_every_option, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_keeps_sections_of_both_engines_apart, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(parse_takes_a_merge_without_sections, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_takes_down_none_with_a_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_keeps_nolint_in_its_section, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parse_survives_any_cut_of_a_good_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
