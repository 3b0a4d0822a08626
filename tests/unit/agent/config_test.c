// Agent's configuration: what is accepted, and how each mistake is told.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/config.h"
#include "base/file.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <string.h>

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD                                                                                       \
    "agent = \"db7\"\nenvironment = \"production\"\ncoordinator = \"tcp://127.0.0.1:7800\"\n"      \
    "coordinator_key = \"" HEX64 "\"\nroot = \"root.drv\"\nroot_sha256 = \"" HEX64 "\"\n"          \
    "state = \"state\"\n"
#define TARGET "target \"production/orders\" { url = \"postgresql:///orders\" }\n"

static enum dr_rc
read_text(struct dr_tmp *tmp, const char *text, struct dr_agent_config *out, struct dr_err *err)
{
    char path[PATH_MAX];
    dr_tmp_path(tmp, "agent.conf", path);
    assert_int_equal(dr_file_write(path, text, strlen(text), 0600, NULL), DR_OK);
    return dr_agent_config_read(path, out, err);
}

static void
refuse(struct dr_tmp *tmp, const char *text, const char *word)
{
    struct dr_agent_config config = {0};
    struct dr_err err = {0};
    assert_int_equal(read_text(tmp, text, &config, &err), DR_E_CONFIG);
    if (strstr(err.message, word) == NULL) {
        fail_msg("'%s' does not name '%s'", err.message, word);
    }
}

static void
read_takes_a_whole_file_with_paths_beside_it(void **state)
{
    struct dr_tmp *tmp = *state;
    struct dr_agent_config config = {0};
    struct dr_err err = {0};
    char path[PATH_MAX];
    if (read_text(tmp, HEAD TARGET "target \"production/app\" { url = \"sqlite:app.db\" }\n",
                  &config, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(config.agent, "db7");
    assert_int_equal(config.n_targets, 2);
    assert_string_equal(config.targets[0].name, "production/app");
    assert_int_equal(config.targets[0].engine, DROVER__V1__ENGINE__SQLITE);
    assert_int_equal(config.targets[1].engine, DROVER__V1__ENGINE__POSTGRESQL);
    assert_non_null(dr_agent_config_target(&config, "production/orders"));
    assert_null(dr_agent_config_target(&config, "production/other"));
    dr_tmp_path(tmp, "state/backups", path);
    assert_string_equal(config.backups, path);
    dr_tmp_path(tmp, "agent.key", path);
    assert_string_equal(config.key, path);
    assert_int_equal(config.backup_keep_ms, 30ull * 24 * 3600 * 1000);
    dr_agent_config_fini(&config);
}

static void
read_takes_the_words_of_commands_as_they_stand(void **state)
{
    struct dr_tmp *tmp = *state;
    struct dr_agent_config config = {0};
    struct dr_err err = {0};
    if (read_text(tmp,
                  HEAD TARGET "backup = \"command\"\nbackup_command = {\"/bin/b\", \"a $b; c\"}\n"
                              "backup_prune_command = {\"/bin/p\"}\nbackup_timeout = \"90min\"\n",
                  &config, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(config.commands[DR_AGENT_TAKE][0], "/bin/b");
    assert_string_equal(config.commands[DR_AGENT_TAKE][1], "a $b; c");
    assert_null(config.commands[DR_AGENT_TAKE][2]);
    assert_null(config.commands[DR_AGENT_VERIFY][0]);
    assert_string_equal(config.commands[DR_AGENT_PRUNE][0], "/bin/p");
    assert_int_equal(config.backup_timeout_ms, 90ull * 60 * 1000);
    dr_agent_config_fini(&config);
}

static void
read_refuses_what_is_wrong_and_names_it(void **state)
{
    struct dr_tmp *tmp = *state;
    refuse(tmp, HEAD, "0 targets");
    refuse(tmp, HEAD TARGET TARGET, "production/orders");
    refuse(tmp, HEAD "target \"staging/orders\" { url = \"postgresql:///o\" }\n", "production");
    refuse(tmp, HEAD "target \"production/o\" { url = \"mysql://x\" }\n", "names no database");
    refuse(tmp, HEAD "target \"orders\" { url = \"postgresql:///o\" }\n", "orders");
    refuse(tmp, HEAD TARGET "approvalz = \"1\"\n", "approvalz");
    refuse(tmp, HEAD TARGET "log = \"loud\"\n", "loud");
    refuse(tmp, HEAD TARGET "backup = \"tape\"\n", "'backup' has the value 'tape'");
    refuse(tmp, HEAD TARGET "backup = \"command\"\n", "there is no backup_command");
    refuse(tmp, HEAD TARGET "backup_command = {\"/bin/x\"}\n", "backup is not 'command'");
    refuse(tmp, HEAD TARGET "backup = \"command\"\nbackup_command = {\"x\", \"y\"}\n",
           "'backup_command' begins with 'x', no absolute path");
    refuse(tmp, HEAD TARGET "backup_timeout = \"0s\"\n", "backup_timeout is not from 1s to 30d");
    refuse(tmp, HEAD TARGET "backup_jobs = 0\n", "backup_jobs is not from 1 to 64");
    refuse(tmp, HEAD TARGET "backup_jobs = 65\n", "backup_jobs is not from 1 to 64");
    refuse(tmp, HEAD TARGET "backup_compress = \"lz77:1\"\n", "lz77:1");
    refuse(tmp, HEAD TARGET "backup_compress = \"zstd:99\"\n", "zstd:99");
    refuse(tmp, HEAD TARGET "restore_server = \"sqlite:x\"\n", "restore_server");
    refuse(tmp, HEAD TARGET "log_format = \"xml\"\n", "xml");
    refuse(tmp, HEAD TARGET "run_timeout = \"soon\"\n", "run_timeout");
    refuse(tmp, HEAD "target \"production/orders\" { url = \"postgresql:///orders\"\n",
           "never closed");
    refuse(tmp, TARGET, "agent");
}

static void
read_refuses_short_keys_and_bad_addresses(void **state)
{
    static const char *const LINES[][2] = {
        {"coordinator_key = \"0011\"\n", "coordinator_key"},
        {"coordinator = \"http://x\"\n", "coordinator"},
        {"root_sha256 = \"zz\"\n", "root_sha256"},
        {"agent = \"Not A Name\"\n", "Not A Name"},
    };
    for (size_t i = 0; i < DR_COUNT_OF(LINES); i++) {
        static const char *const KEYS[] = {"agent",           "environment", "coordinator",
                                           "coordinator_key", "root",        "root_sha256"};
        static const char *const VALUES[] = {"db7", "production", "tcp://x:1", HEX64, "r", HEX64};
        char text[2048] = "";
        size_t len = 0;
        for (size_t k = 0; k < DR_COUNT_OF(KEYS); k++) {
            size_t n = strlen(KEYS[k]);
            bool is_it = strncmp(LINES[i][0], KEYS[k], n) == 0 && LINES[i][0][n] == ' ';
            len += (size_t)snprintf(text + len, sizeof text - len, is_it ? "%s" : "%s = \"%s\"\n",
                                    is_it ? LINES[i][0] : KEYS[k], VALUES[k]);
        }
        (void)snprintf(text + len, sizeof text - len, "%s", TARGET);
        refuse(*state, text, LINES[i][1]);
    }
}

static void
read_names_a_file_that_is_not_there(void **state)
{
    struct dr_agent_config config = {0};
    struct dr_err err = {0};
    char path[PATH_MAX];
    dr_tmp_path(*state, "nothing.conf", path);
    assert_int_equal(dr_agent_config_read(path, &config, &err), DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "nothing.conf"));
}

static int
setup(void **state)
{
    static struct dr_tmp tmp;
    dr_tmp_init(&tmp);
    *state = &tmp;
    return 0;
}

static int
teardown(void **state)
{
    dr_tmp_fini(*state);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(read_takes_a_whole_file_with_paths_beside_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(read_takes_the_words_of_commands_as_they_stand, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(read_refuses_what_is_wrong_and_names_it, setup, teardown),
        cmocka_unit_test_setup_teardown(read_refuses_short_keys_and_bad_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(read_names_a_file_that_is_not_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
