// Backups by a command: what it is told, what is kept of its evidence, what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "engine/backup_command.h"
#include "engine/backup_folder.h"
#include "engine/backup_internal.h"
#include "engine/backup_keep.h"
#include "support/test_tmp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Takes one now; the text in $1 stands behind the keys that are needed.
#define TAKE                                                                                       \
    "printf '{\"id\": \"b-1\", \"bytes\": 77, \"started\": %s, \"finished\": %s, "                 \
    "\"restore_level\": \"listed\"%s}' $(date +%s) $(date +%s) \"$1\""

struct fixture {
    struct dr_tmp tmp;
    char folder[PATH_MAX];
    const char *take[6], *other[6];
    struct dr_backup_commands commands;
    struct dr_backup_options options;
    struct dr_backup backup;
    struct dr_backup_evidence evidence;
    struct dr_err err;
};

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    dr_tmp_init(&f->tmp);
    dr_tmp_path(&f->tmp, "backups", f->folder);
    const char *const take[] = {"/bin/sh", "-c", TAKE, "sh", ""};
    memcpy(f->take, take, sizeof take); // NULL stands behind them
    f->commands = (struct dr_backup_commands){.take = f->take,
                                              .target = "production/orders",
                                              .environment = "production",
                                              .database = "orders",
                                              .system_identifier = "77",
                                              .keep_s = 86400};
    f->options = (struct dr_backup_options){.folder = f->folder,
                                            .target = "production-orders",
                                            .timeout_ms = 20000,
                                            .commands = &f->commands};
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    dr_tmp_fini(&f->tmp);
    free(f);
    return 0;
}

static size_t
count_files(const struct fixture *f)
{
    size_t count = 0;
    DIR *dir = opendir(f->folder);
    for (const struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        count += e->d_name[0] != '.' ? 1 : 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static enum dr_rc
take_with(struct fixture *f, const char *script)
{
    f->take[2] = script;
    return dr_backup_command_take(&f->options, &f->backup, &f->evidence, &f->err);
}

static void
refuse(struct fixture *f, const char *script, enum dr_rc want, const char *word)
{
    enum dr_rc rc = take_with(f, script);
    if (rc != want || strstr(f->err.message, word) == NULL) {
        fail_msg("%d '%s' does not say '%s'", (int)rc, f->err.message, word);
    }
    assert_int_equal(count_files(f), 0);
}

static const char *const *
words(struct fixture *f, const char *script)
{
    f->other[0] = "/bin/sh";
    f->other[1] = "-c";
    f->other[2] = script;
    return f->other;
}

static void
taken(struct fixture *f)
{
    if (take_with(f, TAKE) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
}

// id: G1
static void
evidence_is_kept_and_recorded(void **state)
{
    struct fixture *f = *state;
    struct dr_arena *arena = dr_arena_new(4u * 1048576u);
    struct dr_backup_kept *kept = NULL;
    size_t n = 0;
    taken(f);
    assert_string_equal(f->evidence.id, "b-1");
    assert_int_equal(f->backup.size_bytes, 77);
    assert_int_equal(f->backup.restore_level, DR_BACKUP_LISTED);
    assert_true(f->backup.started > 0 && f->backup.finished >= f->backup.started);
    assert_true(dr_backup_is_by_command(f->backup.tool));
    assert_non_null(strstr(f->backup.location, "/production-orders-2"));
    assert_non_null(strstr(f->backup.location, "Z.command"));
    assert_int_equal(dr_backup_check_digest(&f->backup, &f->err), DR_OK);
    assert_int_equal(dr_backup_list(&f->options, arena, &kept, &n, &f->err), DR_OK);
    assert_int_equal(n, 1);
    assert_string_equal(kept[0].location, f->backup.location);
    dr_arena_free(&arena);
}

static void
a_command_is_told_the_target_and_nothing_secret(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(setenv("PGPASSWORD", "secret", 1), 0);
    enum dr_rc rc = take_with(f, "[ \"$DROVER_TARGET $DROVER_ENVIRONMENT $DROVER_DATABASE\" = "
                                 "'production/orders production orders' ] || exit 5; "
                                 "[ $DROVER_KEEP_UNTIL -gt $(date +%s) ] || exit 6; "
                                 "[ -z \"$PGPASSWORD$DROVER_BACKUP\" ] || exit 7; " TAKE);
    assert_int_equal(unsetenv("PGPASSWORD"), 0);
    if (rc != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    f->commands.verify = words(f, "[ \"$DROVER_BACKUP\" = b-1 ]");
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_OK);
}

static void
a_command_that_fails_leaves_nothing_and_its_own_words(void **state)
{
    struct fixture *f = *state;
    refuse(f, "echo 'ERROR: stanza is not there' >&2; exit 3", DR_E_BACKUP_FAILED,
           "the backup command ended with exit code 3: ERROR: stanza is not there");
    refuse(f, "exit 0", DR_E_BACKUP_EVIDENCE, "printed no evidence");
    refuse(f, "kill -9 $$", DR_E_BACKUP_FAILED, "signal 9");
    f->take[0] = "/nowhere/backup";
    assert_int_equal(take_with(f, ""), DR_E_NOT_FOUND);
    assert_non_null(strstr(f->err.message, "/nowhere/backup"));
    assert_int_equal(count_files(f), 0);
}

static void
a_command_that_does_not_end_is_ended(void **state)
{
    struct fixture *f = *state;
    f->options.timeout_ms = 200;
    refuse(f, "exec sleep 100", DR_E_TIMEOUT, "did not end within its time");
}

// id: G1
static void
a_backup_of_another_cluster_or_time_is_refused(void **state)
{
    struct fixture *f = *state;
    f->take[4] = ", \"system_identifier\": \"78\"";
    refuse(f, TAKE, DR_E_BACKUP_OTHER, "system identifier '78', the target is of '77'");
    f->take[4] = "";
    refuse(f,
           "echo '{\"id\": \"old\", \"bytes\": 7, \"started\": 1700000000, \"finished\": "
           "1700000001, \"restore_level\": \"listed\"}'",
           DR_E_BACKUP_OTHER, "backup 'old' was begun at 2023-11-14");
    refuse(f,
           "echo '{\"id\": \"new\", \"bytes\": 7, \"started\": 9900000000, \"finished\": "
           "9900000001, \"restore_level\": \"listed\"}'",
           DR_E_BACKUP_OTHER, "did not take it now");
    f->take[4] = ", \"system_identifier\": \"77\"";
    taken(f);
}

// id: G8
static void
a_backup_that_its_tool_drops_too_early_is_refused(void **state)
{
    struct fixture *f = *state;
    char keep[64];
    (void)snprintf(keep, sizeof keep, ", \"keep_until\": %lld", (long long)dr_now_unix_s() + 3600);
    f->take[4] = keep;
    refuse(f, TAKE, DR_E_BACKUP_KEPT, "by its tool, and until");
    (void)snprintf(keep, sizeof keep, ", \"keep_until\": %lld", (long long)dr_now_unix_s() + 90000);
    taken(f);
}

static void
evidence_that_is_gone_or_changed_is_noticed(void **state)
{
    struct fixture *f = *state;
    char lies[PATH_MAX], more[PATH_MAX + 64];
    dr_tmp_path(&f->tmp, "repository", lies);
    assert_int_equal(dr_file_write(lies, "x", 1, 0600, NULL), DR_OK);
    (void)snprintf(more, sizeof more, ", \"location\": \"%s\"", lies);
    f->take[4] = more;
    taken(f);
    assert_int_equal(dr_backup_check_digest(&f->backup, &f->err), DR_OK);
    assert_int_equal(unlink(lies), 0);
    assert_int_equal(dr_backup_check_digest(&f->backup, &f->err), DR_E_BACKUP_GONE);
    assert_non_null(strstr(f->err.message, lies));
    assert_int_equal(dr_file_write(f->backup.location, "{}", 2, 0600, NULL), DR_OK);
    assert_int_equal(dr_backup_check_digest(&f->backup, &f->err), DR_E_BACKUP_CHANGED);
    assert_int_equal(unlink(f->backup.location), 0);
    assert_int_equal(dr_backup_check_digest(&f->backup, &f->err), DR_E_BACKUP_GONE);
}

static void
its_commands_look_after_it_or_say_that_there_is_none(void **state)
{
    struct fixture *f = *state;
    struct dr_backup_evidence proof = {0};
    taken(f);
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_E_BACKUP_NO_COMMAND);
    assert_non_null(strstr(f->err.hint, "backup_verify_command = {"));
    assert_int_equal(dr_backup_command_restore(&f->backup, &f->options, &proof, &f->err),
                     DR_E_BACKUP_NO_COMMAND);
    assert_int_equal(dr_backup_command_prune(&f->backup, &f->options, &f->err),
                     DR_E_BACKUP_NO_COMMAND);
    f->commands.verify = words(f, "echo 'page 7 is torn' >&2; exit 1");
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_E_BACKUP_FAILED);
    assert_non_null(strstr(f->err.message, "page 7 is torn"));
    f->commands.verify = words(f, "exit 75");
    assert_int_equal(dr_backup_verify(&f->backup, &f->options, &f->err), DR_E_BACKUP_NOT_NOW);
    f->commands.restore =
        words(f, "printf '{\"id\": \"%s\", \"restore_level\": \"queried\"}' \"$DROVER_BACKUP\"");
    assert_int_equal(dr_backup_command_restore(&f->backup, &f->options, &proof, &f->err), DR_OK);
    assert_int_equal(proof.restore_level, DR_BACKUP_QUERIED);
    f->commands.restore = words(f, "echo '{\"id\": \"b-2\", \"restore_level\": \"queried\"}'");
    assert_int_equal(dr_backup_command_restore(&f->backup, &f->options, &proof, &f->err),
                     DR_E_BACKUP_EVIDENCE);
    f->commands.restore = words(f, "echo '{\"id\": \"b-1\", \"restore_level\": \"listed\"}'");
    assert_int_equal(dr_backup_command_restore(&f->backup, &f->options, &proof, &f->err),
                     DR_E_BACKUP_EVIDENCE);
    f->commands.prune = words(f, "true");
    assert_int_equal(dr_backup_command_prune(&f->backup, &f->options, &f->err), DR_OK);
}

// id: G8
static void
pruning_of_files_leaves_what_a_command_made(void **state)
{
    struct fixture *f = *state;
    struct dr_backup newer = {0};
    size_t removed = 9;
    taken(f);
    assert_int_equal(dr_backup_keep(&f->backup, 5, &f->err), DR_OK);
    (void)snprintf(newer.location, sizeof newer.location,
                   "%.1000s/production-orders-29990101T000000Z.dump", f->folder);
    assert_int_equal(dr_backup_prune(&f->options, &newer, dr_now_unix_s(), &removed, &f->err),
                     DR_OK);
    assert_int_equal(removed, 0);
    assert_int_equal(access(f->backup.location, F_OK), 0);
}

#define COMMAND_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        COMMAND_TEST(evidence_is_kept_and_recorded),
        COMMAND_TEST(a_command_is_told_the_target_and_nothing_secret),
        COMMAND_TEST(a_command_that_fails_leaves_nothing_and_its_own_words),
        COMMAND_TEST(a_command_that_does_not_end_is_ended),
        COMMAND_TEST(a_backup_of_another_cluster_or_time_is_refused),
        COMMAND_TEST(a_backup_that_its_tool_drops_too_early_is_refused),
        COMMAND_TEST(evidence_that_is_gone_or_changed_is_noticed),
        COMMAND_TEST(its_commands_look_after_it_or_say_that_there_is_none),
        COMMAND_TEST(pruning_of_files_leaves_what_a_command_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
