#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/conf.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct dr_conf_key target_keys[] = {
    {.name = "url", .type = DR_CONF_STR, .is_required = true, .help = "address of the database"},
    {.name = "engine", .type = DR_CONF_STR, .fallback = "postgresql"},
    {.name = "labels", .type = DR_CONF_LIST},
    {0},
};
static const struct dr_conf_key keys[] = {
    {.name = "listen", .type = DR_CONF_STR, .fallback = "127.0.0.1:7000"},
    {.name = "state", .type = DR_CONF_STR},
    {.name = "workers", .type = DR_CONF_INT, .fallback = "4"},
    {.name = "offset", .type = DR_CONF_INT},
    {.name = "armed", .type = DR_CONF_BOOL, .fallback = "true"},
    {.name = "quiet", .type = DR_CONF_BOOL},
    {.name = "grace", .type = DR_CONF_DURATION, .fallback = "30s"},
    {.name = "patience", .type = DR_CONF_DURATION},
    {.name = "peers", .type = DR_CONF_LIST},
    {.name = "target", .type = DR_CONF_SECTION, .section = target_keys},
    {0},
};

static enum dr_rc
read_text(void **state, const char *text, struct dr_conf **out, struct dr_err *err)
{
    char path[PATH_MAX];
    dr_tmp_file(*state, "test.conf", text, 0600, path);
    return dr_conf_read(path, keys, out, err);
}

static void
an_empty_file_gives_the_fallbacks(void **state)
{
    struct dr_conf *conf = NULL;
    assert_int_equal(read_text(state, "", &conf, NULL), DR_OK);
    assert_string_equal(dr_conf_str(conf, "listen"), "127.0.0.1:7000");
    assert_null(dr_conf_str(conf, "state"));
    assert_int_equal(dr_conf_int(conf, "workers"), 4);
    assert_int_equal(dr_conf_int(conf, "offset"), 0);
    assert_true(dr_conf_bool(conf, "armed"));
    assert_false(dr_conf_bool(conf, "quiet"));
    assert_int_equal(dr_conf_duration_ms(conf, "grace"), 30000);
    assert_int_equal(dr_conf_duration_ms(conf, "patience"), 0);
    assert_int_equal(dr_conf_list_len(conf, "peers"), 0);
    assert_int_equal(dr_conf_section_count(conf, "target"), 0);
    dr_conf_free(&conf);
    assert_null(conf);
    dr_conf_free(&conf);
}

static void
values_of_every_type_are_read(void **state)
{
    struct dr_conf *conf = NULL;
    struct dr_err err = {0};
    assert_int_equal(read_text(state,
                               "# a comment with { and \"\n"
                               "listen = tcp://0.0.0.0:7000 // and } here\n"
                               "state = \"/var/lib/{drover}\" /* ' { */\n"
                               "workers = 12\noffset = -3\narmed = off\nquiet = yes\n"
                               "grace = 10min\npeers = {\"a\", 'b',\n c}\n"
                               "target \"production/orders\" {\n  url = \"postgresql:///x\"\n}\n"
                               "target \"staging/orders\" { url = sqlite:a.db engine = sqlite "
                               "labels = {eu} }\n",
                               &conf, &err),
                     DR_OK);
    assert_string_equal(dr_conf_str(conf, "listen"), "tcp://0.0.0.0:7000");
    assert_string_equal(dr_conf_str(conf, "state"), "/var/lib/{drover}");
    assert_int_equal(dr_conf_int(conf, "workers"), 12);
    assert_int_equal(dr_conf_int(conf, "offset"), -3);
    assert_false(dr_conf_bool(conf, "armed"));
    assert_true(dr_conf_bool(conf, "quiet"));
    assert_int_equal(dr_conf_duration_ms(conf, "grace"), 600000);
    assert_int_equal(dr_conf_list_len(conf, "peers"), 3);
    assert_string_equal(dr_conf_list_at(conf, "peers", 2), "c");
    assert_int_equal(dr_conf_section_count(conf, "target"), 2);
    const struct dr_conf *first = dr_conf_section_at(conf, "target", 0);
    const struct dr_conf *second = dr_conf_section_at(conf, "target", 1);
    assert_string_equal(dr_conf_title(first), "production/orders");
    assert_string_equal(dr_conf_str(first, "engine"), "postgresql");
    assert_string_equal(dr_conf_title(second), "staging/orders");
    assert_string_equal(dr_conf_str(second, "url"), "sqlite:a.db");
    assert_string_equal(dr_conf_list_at(second, "labels", 0), "eu");
    dr_conf_free(&conf);
}

struct refusal {
    const char *text;
    uint32_t line;
    const char *message; // part of it
};

static const struct refusal refusals[] = {
    {"listen = a\napprovalz = 2\n", 2, "no such option 'approvalz'"},
    {"target a {\n url = x\n hots = y\n}\n", 3, "no such option 'hots'"},
    {"\nlisten = a\nstate = b\nlisten = c\n", 4, "'listen' is set twice"},
    {"target a { url = x\nurl = y }", 2, "'url' is set twice"},
    {"listen\n=\na\nlisten\n=\nb", 4, "'listen' is set twice"},
    {"target a { url = x }\ntarget a { url = y }\n", 2, "'a'"},
    {"listen = a\ntarget a {\n url = x\n\n", 2, "this section is never closed"},
    {"peers = {a, b\n", 1, "this section is never closed"},
    {"target \"{\" {\n url = \"}\"\n", 1, "this section is never closed"},
    {"target a {\n url = x # }\n", 1, "this section is never closed"},
    {"target a {\n url = x /* } */\n", 1, "this section is never closed"},
    {"target a { url = tcp://x }\n}\n", 2, "this '}' closes nothing"},
    {"listen = \"abc\n\n", 1, "this string is never closed"},
    {"\nlisten = 'abc\\'\n", 2, "this string is never closed"},
    {"listen = a /* and\nso on\n", 1, "this comment is never closed"},
    {"workers = many\n", 1, "'workers' is a whole number, not 'many'"},
    {"\n\nworkers = 3x\n\n\n", 3, "'workers' is a whole number, not '3x'"},
    {"workers = 99999999999999999999\n", 1, "'workers' is a whole number"},
    {"armed = maybe\n", 1, "'armed' is true or false, not 'maybe'"},
    {"\ngrace = soon\n", 2, "'grace' is a time such as 500ms"},
    {"target a {\n engine = x\n}\n", 3, "'url' is missing: address of the database"},
    {"target { url = x }\n", 1, "title"},
    {"listen = \xff\n", 1, "the file is not UTF-8 text"},
    {"listen a\n", 1, "missing equal sign after option 'listen'"},
    {"listen =\n", 2, "premature end of file"},
    {"= a\n", 1, "unexpected token"},
    {"include(\"/etc/passwd\")\n", 1, "no such option 'include'"},
};

static void
bad_files_are_refused_with_file_and_line(void **state)
{
    for (size_t i = 0; i < DR_COUNT_OF(refusals); i++) {
        struct dr_conf *conf = NULL;
        struct dr_err err = {0};
        enum dr_rc rc = read_text(state, refusals[i].text, &conf, &err);
        if (rc != DR_E_CONFIG || err.line != refusals[i].line ||
            strstr(err.message, refusals[i].message) == NULL) {
            fail_msg("row %zu: %s, line %u: %s", i, dr_rc_name(rc), (unsigned)err.line,
                     err.message);
        }
        assert_non_null(strstr(err.file, "/test.conf"));
        assert_null(conf);
    }
}

static void
a_file_with_a_nul_is_refused(void **state)
{
    char path[PATH_MAX];
    struct dr_conf *conf = NULL;
    struct dr_err err = {0};
    dr_tmp_path(*state, "test.conf", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite("listen = a\0b\n", 1, 13, file), 13);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(dr_conf_read(path, keys, &conf, &err), DR_E_CONFIG);
}

static void
nesting_and_key_count_have_limits(void **state)
{
    struct dr_conf *conf = NULL;
    struct dr_err err = {0};
    assert_int_equal(read_text(state, "a{b{c{d{e{f{g{h{i{}}}}}}}}}", &conf, &err), DR_E_CONFIG);
    assert_string_equal(err.message, "sections are nested too deep");
    static char text[20000];
    size_t len = 0;
    for (int i = 0; i < 1500; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "k%d=1\n", i);
    }
    assert_int_equal(read_text(state, text, &conf, &err), DR_E_CONFIG);
    assert_string_equal(err.message, "the file sets too many keys");
}

static void
a_missing_or_huge_file_is_told_apart(void **state)
{
    char path[PATH_MAX];
    struct dr_conf *conf = NULL;
    struct dr_err err = {0};
    assert_int_equal(dr_conf_read(dr_tmp_path(*state, "none", path), keys, &conf, &err),
                     DR_E_NOT_FOUND);
    char *large = malloc(DR_CONF_FILE_MAX + 2);
    assert_non_null(large);
    memset(large, '\n', DR_CONF_FILE_MAX + 1);
    large[DR_CONF_FILE_MAX + 1] = '\0';
    assert_int_equal(read_text(state, large, &conf, &err), DR_E_LIMIT);
    free(large);
}

static void
required_keys_lists_and_sections_are_asked_for(void **state)
{
    static const struct dr_conf_key section[] = {{0}};
    const struct {
        struct dr_conf_key table[2];
        const char *message;
    } rows[] = {
        {{{.name = "a", .type = DR_CONF_STR, .is_required = true, .help = "why"}, {0}},
         "'a' is missing: why"},
        {{{.name = "b", .type = DR_CONF_LIST, .is_required = true}, {0}}, "'b' is missing"},
        {{{.name = "c", .type = DR_CONF_SECTION, .is_required = true, .section = section}, {0}},
         "'c' is missing"},
    };
    char path[PATH_MAX];
    dr_tmp_file(*state, "test.conf", "# nothing\n", 0600, path);
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_conf *conf = NULL;
        struct dr_err err = {0};
        assert_int_equal(dr_conf_read(path, rows[i].table, &conf, &err), DR_E_CONFIG);
        assert_string_equal(err.message, rows[i].message);
    }
}

static void
paths_are_relative_to_the_file(void **state)
{
    char expected[PATH_MAX], out[PATH_MAX];
    struct dr_conf *conf = NULL;
    assert_int_equal(read_text(state, "", &conf, NULL), DR_OK);
    assert_true(dr_conf_path(conf)[0] == '/');
    assert_non_null(strstr(dr_conf_path(conf), "/test.conf"));
    dr_conf_resolve(conf, "keys/a.key", out, sizeof out);
    char *folder = realpath(((struct dr_tmp *)*state)->path, NULL);
    assert_non_null(folder);
    (void)snprintf(expected, sizeof expected, "%s/keys/a.key", folder);
    free(folder);
    assert_string_equal(out, expected);
    dr_conf_resolve(conf, "/etc/a.key", out, sizeof out);
    assert_string_equal(out, "/etc/a.key");
    dr_conf_free(&conf);
}

static void
variables_of_the_environment_are_put_in(void **state)
{
    struct dr_conf *conf = NULL;
    assert_int_equal(setenv("DROVER_TEST_VALUE", "from outside }", 1), 0);
    assert_int_equal(read_text(state, "state = \"${DROVER_TEST_VALUE}\"\n", &conf, NULL), DR_OK);
    assert_string_equal(dr_conf_str(conf, "state"), "from outside }");
    dr_conf_free(&conf);
    assert_int_equal(unsetenv("DROVER_TEST_VALUE"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dr_tmp_setup, dr_tmp_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_file_gives_the_fallbacks),
        TEST(values_of_every_type_are_read),
        TEST(bad_files_are_refused_with_file_and_line),
        TEST(a_file_with_a_nul_is_refused),
        TEST(nesting_and_key_count_have_limits),
        TEST(a_missing_or_huge_file_is_told_apart),
        TEST(required_keys_lists_and_sections_are_asked_for),
        TEST(paths_are_relative_to_the_file),
        TEST(variables_of_the_environment_are_put_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
