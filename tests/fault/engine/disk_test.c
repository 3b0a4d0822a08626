// The disk under a SQLite target is full, does not flush, or loses power, at every system call of
// an upgrade: each unit is there exactly once or not at all, the ledger says which, and the next
// run goes on.
#include "engine/backup.h"
#include "support/disk_faults.h"
#include "support/engine_env.h"

#define CALLS_MAX 400u // far beyond what the run needs

static const struct tp_revision two[] = {
    {.id = "one",
     .sections = {TP_UP("CREATE TABLE lines (unit text)", "INSERT INTO lines VALUES ('1')"),
                  TP_DOWN("DROP TABLE lines")}},
    {.id = "two",
     .parents = {"one"},
     .sections = {TP_UP("INSERT INTO lines VALUES ('2')"),
                  TP_VERIFY("SELECT count(*) = 2 FROM lines"),
                  TP_DOWN("DELETE FROM lines WHERE unit = '2'")}},
};

struct target {
    struct env e;
    struct tp_plan *plan;
    char folder[PATH_MAX], vault[PATH_MAX], image[PATH_MAX];
    bool has_wal;
};

static void
fresh(struct target *t)
{
    struct dr_err err = {0};
    char root[PATH_MAX];
    env_stop(&t->e);
    env_start(&t->e, DROVER__V1__ENGINE__SQLITE);
    assert_non_null(realpath(t->e.tmp.path, root));
    disk_path(t->folder, root, "data");
    disk_path(t->vault, root, "vault");
    disk_path(t->image, root, "image");
    assert_int_equal(dr_dir_make(t->folder, 0700, &err), DR_OK);
    assert_int_equal(dr_dir_make(t->vault, 0700, &err), DR_OK);
    assert_int_equal(dr_dir_make(t->image, 0700, &err), DR_OK);
    (void)snprintf(t->e.url, sizeof t->e.url, "sqlite:%.400s/test.db", t->folder);
    env_sql(&t->e, "CREATE TABLE before (id integer)");
    if (t->has_wal) {
        env_sql(&t->e, "PRAGMA journal_mode = WAL");
    }
    disk = (struct disk){0};
    (void)snprintf(disk.folder, sizeof disk.folder, "%.2000s", t->folder);
}

// Whatever is there agrees with itself: the lines are those of the revisions that the ledger names.
// Gives their number.
static int
assert_true_state(struct target *t)
{
    struct dr_engine_state s = env_state(&t->e);
    assert_false(s.is_partial);
    assert_in_range(s.heads_count, 0, 1);
    int count = s.heads_count == 0 ? 0 : strcmp(s.heads[0].id, "one") == 0 ? 1 : 2;
    assert_int_equal(s.position, count);
    assert_int_equal(env_has_table(&t->e, "lines"), count > 0);
    if (count > 0) {
        assert_int_equal(strtol(env_ask(&t->e, "SELECT count(*) FROM lines"), NULL, 10), count);
    }
    assert_string_equal(env_ask(&t->e, "PRAGMA integrity_check"), "ok");
    return count;
}

// An upgrade with the fault at the N-th call. True when there was such a call.
static bool
try_upgrade(struct target *t, enum disk_fault fault, unsigned at, bool once)
{
    fresh(t);
    disk.fault = fault;
    disk.at = at;
    disk.once = once;
    enum dr_rc rc = env_up(&t->e, t->plan);
    disk.fault = DISK_SOUND;
    bool was_hit = disk.calls >= at;
    size_t told = t->e.result.units_count;
    int count = assert_true_state(t);
    // What was told as done is there; what failed is told.
    assert_in_range(told, 0, count);
    if (rc == DR_OK) {
        assert_int_equal(count, 2);
    } else {
        assert_true(was_hit);
        assert_true(t->e.err.rc == DR_OK || t->e.err.message[0] != '\0');
    }
    if (!once && was_hit && !t->has_wal) { // a log that cannot be copied back is kept for later
        assert_int_not_equal(rc, DR_OK);
    }
    assert_ok(&t->e, env_up(&t->e, t->plan));
    assert_int_equal(assert_true_state(t), 2);
    return was_hit;
}

static void
try_every_call(enum disk_fault fault, bool has_wal)
{
    struct target t = {.plan = tp_make(DROVER__V1__ENGINE__SQLITE, two, 2), .has_wal = has_wal};
    unsigned calls = 0;
    env_start(&t.e, DROVER__V1__ENGINE__SQLITE);
    for (unsigned at = 1; at < CALLS_MAX && try_upgrade(&t, fault, at, true); at++) {
        (void)try_upgrade(&t, fault, at, false);
        calls = at;
    }
    print_message("at each of %u calls\n", calls);
    assert_in_range(calls, 3, CALLS_MAX - 2);
    env_stop(&t.e);
    tp_free(t.plan);
}

// id: L05
static void
full_disk_at_every_write_leaves_whole_units(void **state)
{
    (void)state;
    try_every_call(DISK_FULL, false);
}

// id: L05
static void
full_disk_at_every_write_of_a_write_ahead_log_leaves_whole_units(void **state)
{
    (void)state;
    try_every_call(DISK_FULL, true);
}

static void
flush_that_fails_leaves_whole_units(void **state)
{
    (void)state;
    try_every_call(DISK_NO_FLUSH, false);
}

// The power goes at every N-th call; the file that is found then has a hot journal most of the
// time.
// id: L08
static void
power_cut_leaves_whole_units_and_keeps_what_was_told(void **state)
{
    struct target t = {.plan = tp_make(DROVER__V1__ENGINE__SQLITE, two, 2)};
    unsigned hot = 0;
    (void)state;
    env_start(&t.e, DROVER__V1__ENGINE__SQLITE);
    for (unsigned left = 0; left < DISK_LEFT_END; left += 3) {
        int status = DISK_CUT;
        for (unsigned at = 1; status != 0; at += 2) {
            assert_true(at < CALLS_MAX);
            fresh(&t);
            pid_t pid = fork();
            if (pid == 0) {
                disk.at = at;
                disk.left = left;
                (void)snprintf(disk.vault, sizeof disk.vault, "%.2000s", t.vault);
                (void)snprintf(disk.image, sizeof disk.image, "%.2000s", t.image);
                disk_keep_all();
                disk.fault = DISK_POWER_LOSS;
                bool is_done = env_up(&t.e, t.plan) == DR_OK;
                disk_make_image();
                _exit(is_done ? 0 : 1);
            }
            assert_int_equal(waitpid(pid, &status, 0), pid);
            status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
            assert_true(status == 0 || status == DISK_CUT);
            char journal[PATH_MAX];
            struct stat st;
            disk_path(journal, t.image, "test.db-journal");
            hot += stat(journal, &st) == 0 && st.st_size > 0 ? 1 : 0;
            (void)snprintf(t.e.url, sizeof t.e.url, "sqlite:%.400s/test.db", t.image);
            int count = assert_true_state(&t);
            assert_true(status == DISK_CUT || count == 2);
            assert_ok(&t.e, env_up(&t.e, t.plan));
            assert_int_equal(assert_true_state(&t), 2);
        }
    }
    assert_true(hot > 0);
    env_stop(&t.e);
    tp_free(t.plan);
}

// A backup with the flush that fails at the N-th call. True when there was such a call.
static bool
try_backup(struct target *t, unsigned at)
{
    char database[PATH_MAX], backups[PATH_MAX];
    struct dr_backup backup = {0};
    struct dr_err err = {0};
    fresh(t);
    disk_path(database, t->folder, "test.db");
    disk_path(backups, t->folder, "backups");
    assert_int_equal(dr_dir_make(backups, 0700, &err), DR_OK);
    const struct dr_backup_options options = {.folder = backups, .target = "lite"};
    (void)snprintf(disk.folder, sizeof disk.folder, "%.2000s", backups);
    disk.fault = DISK_NO_FLUSH;
    disk.at = at;
    enum dr_rc rc = dr_backup_sqlite(database, &options, &backup, &err);
    disk.fault = DISK_SOUND;
    assert_int_equal(rc == DR_OK, disk.calls < at);
    DIR *dir = opendir(backups);
    size_t n = 0;
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        n += e->d_name[0] != '.' ? 1 : 0;
    }
    (void)closedir(dir);
    assert_int_equal(n, rc == DR_OK ? 1 : 0);
    return rc != DR_OK;
}

// id: G1
static void
flush_that_fails_leaves_no_backup_behind(void **state)
{
    struct target t = {0};
    unsigned at = 1;
    (void)state;
    env_start(&t.e, DROVER__V1__ENGINE__SQLITE);
    while (at < CALLS_MAX && try_backup(&t, at)) {
        at++;
    }
    assert_in_range(at, 3, CALLS_MAX - 1); // the file, and the folder that has its name
    env_stop(&t.e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk_at_every_write_leaves_whole_units),
        cmocka_unit_test(full_disk_at_every_write_of_a_write_ahead_log_leaves_whole_units),
        cmocka_unit_test(flush_that_fails_leaves_whole_units),
        cmocka_unit_test(flush_that_fails_leaves_no_backup_behind),
        cmocka_unit_test(power_cut_leaves_whole_units_and_keeps_what_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
