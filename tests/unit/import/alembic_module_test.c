#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "coordinator/import/alembic_module.h"

#include <string.h>

static struct dr_arena *arena;

static int
setup(void **state DR_UNUSED)
{
    arena = dr_arena_new(1u << 20);
    return arena == NULL;
}

static int
teardown(void **state DR_UNUSED)
{
    dr_arena_free(&arena);
    return 0;
}

static struct dr_alembic_module
read_text(const char *text)
{
    struct dr_alembic_module m = {0};
    struct dr_err err = {0};
    enum dr_rc rc = dr_alembic_module_read("v/x.py", text, strlen(text), arena, &m, &err);
    assert_int_equal(rc, DR_OK);
    return m;
}

static const char *
joined(const struct dr_names *names)
{
    const char *text = "";
    for (size_t i = 0; i < names->count; i++) {
        text = dr_arena_printf(arena, "%s%s%s", text, i == 0 ? "" : "|", names->items[i]);
    }
    return text;
}

// id: R1
static void
a_module_of_the_template_is_read_whole(void **state DR_UNUSED)
{
    struct dr_alembic_module m = read_text("\"\"\"Add users\n\nWhy: people log in.\n\n"
                                           "Revision ID: ae1027a6acf0\nRevises: 1975ea83b712\n"
                                           "Create Date: 2026-02-13 14:00:00.000000\n\n\"\"\"\n"
                                           "from alembic import op\n\n"
                                           "revision = 'ae1027a6acf0'\n"
                                           "down_revision = '1975ea83b712'\n"
                                           "branch_labels = None\ndepends_on = None\n\n"
                                           "def upgrade() -> None:\n    op.execute('x')\n\n"
                                           "def downgrade():\n    pass\n");
    assert_string_equal(m.id, "ae1027a6acf0");
    assert_string_equal(joined(&m.parents), "1975ea83b712");
    assert_int_equal(m.labels.count, 0);
    assert_int_equal(m.depends_on.count, 0);
    assert_string_equal(m.message, "Add users");
    assert_string_equal(m.text, "Why: people log in.");
    assert_string_equal(m.create_date, "2026-02-13 14:00:00.000000");
    assert_string_equal(m.doc_revises, "1975ea83b712");
    assert_int_equal(m.id_line, 12);
    assert_true(m.has_upgrade && !m.empty_upgrade);
    assert_true(m.has_downgrade && m.empty_downgrade);
    assert_null(m.problem);
}

// id: R1
static void
literals_of_every_shape_are_read(void **state DR_UNUSED)
{
    static const struct {
        const char *text, *parents;
    } rows[] = {
        {"down_revision: Union[str, None] = None", ""},
        {"down_revision: Union[str, Sequence[str], None] = ('a', \"b\")", "a|b"},
        {"down_revision = ('a',)  # one", "a"},
        {"down_revision = [\n    'a',  # first\n    'b',\n]", "a|b"},
        {"down_revision = (('a'))", "a"},
        {"down_revision = 'a' 'b'", "ab"},
        {"down_revision = ('a'\n  'b')", "ab"},
        {"down_revision = 'a' + \\\n  'b'", "ab"},
        {"down_revision = r'a\\n'", "a\\n"},
        {"down_revision = 'a\\x41\\u00e4\\101'", "aA\xc3\xa4"
                                                 "A"},
        {"down_revision = '''a'''", "a"},
        {"down_revision = u\"a\"; x = 1", "a"},
        {"down_revision = 'x'\ndown_revision = 'a'", "a"},
        {"\xEF\xBB\xBF"
         "down_revision = 'a'\r\nx = 2\r\n",
         "a"},
        {"if True:\n    down_revision = 'no'\ndown_revision = 'a'", "a"},
        {"s = \"\"\"\ndown_revision = 'no'\n\"\"\"\ndown_revision = {'a'}", "a"},
        {"down_revision == 'no'\ndown_revision = 'a'", "a"},
        {"# down_revision = 'no'\ndown_revision = 'a'", "a"},
    };
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_alembic_module m = read_text(rows[i].text);
        assert_string_equal(joined(&m.parents), rows[i].parents);
        assert_null(m.problem);
    }
}

static void
what_is_no_literal_is_told_with_its_line(void **state DR_UNUSED)
{
    static const char *const texts[] = {
        "\nrevision = make_id()",  "\nrevision = f'a{x}'", "\nrevision = 'a' if x else 'b'",
        "\nrevision = OTHER",      "\nrevision = b'a'",    "\nrevision = ('a', 'b')",
        "\nrevision = 'a'.lower()"};
    for (size_t i = 0; i < DR_COUNT_OF(texts); i++) {
        struct dr_alembic_module m = read_text(texts[i]);
        assert_string_equal(m.problem, "'revision' is not a plain literal");
        assert_int_equal(m.problem_line, 2);
    }
}

static void
functions_tell_whether_they_ask_a_database(void **state DR_UNUSED)
{
    struct dr_alembic_module m =
        read_text("def helper():\n    op.get_bind()\n"
                  "def upgrade():\n    with op.batch_alter_table('t') as b:\n        b.x()\n"
                  "async def other(): pass\n"
                  "def downgrade(): ...\n");
    assert_string_equal(m.asks_upgrade, "op.batch_alter_table()");
    assert_null(m.asks_downgrade);
    assert_true(m.empty_downgrade);
    assert_false(m.empty_upgrade);
    assert_null(m.id);
}

static void
a_string_that_never_ends_is_refused_with_its_place(void **state DR_UNUSED)
{
    static const char text[] = "x = 1\nrevision = 'abc\n";
    struct dr_alembic_module m = {0};
    struct dr_err err = {0};
    enum dr_rc rc = dr_alembic_module_read("v/x.py", text, sizeof(text) - 1, arena, &m, &err);
    assert_int_equal(rc, DR_E_INVALID);
    assert_string_equal(err.message, "a string is not closed");
    assert_string_equal(err.file, "v/x.py");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 12);
}

static void
bytes_that_end_anywhere_do_no_harm(void **state DR_UNUSED)
{
    static const char text[] = "\"\"\"m\"\"\"\nrevision = ('a\\x4', [\"b\" r'\\'],)\n"
                               "def upgrade(x: int = {1}) -> None: return f\"{x}\" \\\n  + 1\n";
    for (size_t n = 0; n < sizeof(text); n++) {
        struct dr_alembic_module m = {0};
        struct dr_err err = {0};
        enum dr_rc rc = dr_alembic_module_read("x", text, n, arena, &m, &err);
        assert_true(rc == DR_OK || rc == DR_E_INVALID);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_module_of_the_template_is_read_whole),
        cmocka_unit_test(literals_of_every_shape_are_read),
        cmocka_unit_test(what_is_no_literal_is_told_with_its_line),
        cmocka_unit_test(functions_tell_whether_they_ask_a_database),
        cmocka_unit_test(a_string_that_never_ends_is_refused_with_its_place),
        cmocka_unit_test(bytes_that_end_anywhere_do_no_harm),
    };
    return cmocka_run_group_tests_name("alembic_module", tests, setup, teardown);
}
