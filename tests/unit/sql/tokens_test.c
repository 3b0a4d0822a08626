// Tokens: what is a word, a quoted name, a string; and that nothing ends outside of the text.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "sql/tokens.h"

#include <string.h>

struct row {
    enum dr_sql_dialect dialect;
    const char *text, *tokens; // W word, Q quoted, S string, N number, the byte itself
};

static const struct row rows[] = {
    {DR_SQL_POSTGRESQL, "", ""},
    {DR_SQL_POSTGRESQL, " -- only a comment", ""},
    {DR_SQL_POSTGRESQL, "a /* b /* c */ d */ e", "W:a W:e"},
    {DR_SQL_SQLITE, "a /* b /* c */ d", "W:a W:d"},
    {DR_SQL_POSTGRESQL, "\"a \"\"b\"\"\".c", "Q:\"a \"\"b\"\"\" .:. W:c"},
    {DR_SQL_POSTGRESQL, "'it''s' E'\\'x' $t$ $u$ ' $t$", "S:'it''s' S:E'\\'x' S:$t$ $u$ ' $t$"},
    {DR_SQL_SQLITE, "[a b] `c` $1", "Q:[a b] Q:`c` $:$ N:1"},
    {DR_SQL_POSTGRESQL, "x$1 $1 1.5e3 (", "W:x$1 $:$ N:1 N:1.5e3 (:("},
    {DR_SQL_POSTGRESQL, "'open", "S:'open"},
    {DR_SQL_POSTGRESQL, "\"open", "Q:\"open"},
    {DR_SQL_POSTGRESQL, "E'\\", "S:E'\\"},
    {DR_SQL_POSTGRESQL, "$t$ open", "S:$t$ open"},
    {DR_SQL_POSTGRESQL, "/* open", ""},
    {DR_SQL_POSTGRESQL, "$", "$:$"},
    {DR_SQL_POSTGRESQL, "\xc3\xa9t\xc3\xa9", "W:\xc3\xa9t\xc3\xa9"},
};

static void
each_text_has_its_tokens(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dr_buf told = {0};
        struct dr_sql_token t;
        size_t pos = 0, len = strlen(rows[i].text);
        dr_buf_str(&told, "");
        while (dr_sql_token_next(rows[i].dialect, rows[i].text, len, &pos, &t)) {
            char kind = t.kind == DR_TOKEN_OTHER ? rows[i].text[t.offset] : "?WQSN"[t.kind];
            assert_true(t.length > 0 && t.offset + t.length <= len && pos <= len);
            dr_buf_printf(&told, "%s%c:%.*s", told.len == 0 ? "" : " ", kind, (int)t.length,
                          rows[i].text + t.offset);
        }
        assert_string_equal(told.data == NULL ? "" : told.data, rows[i].tokens);
        dr_buf_fini(&told);
    }
}

static void
a_word_is_compared_in_any_case_and_a_quoted_one_is_none(void **state)
{
    (void)state;
    struct dr_sql_token t;
    size_t pos = 0;
    const char *text = "Where \"where\"";
    assert_true(dr_sql_token_next(DR_SQL_POSTGRESQL, text, strlen(text), &pos, &t));
    assert_true(dr_sql_token_is(text, &t, "WHERE"));
    assert_false(dr_sql_token_is(text, &t, "wher"));
    assert_true(dr_sql_token_next(DR_SQL_POSTGRESQL, text, strlen(text), &pos, &t));
    assert_false(dr_sql_token_is(text, &t, "\"where\""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_text_has_its_tokens),
        cmocka_unit_test(a_word_is_compared_in_any_case_and_a_quoted_one_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
