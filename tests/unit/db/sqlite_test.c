// SQLite files: what may be opened, what a revision may do, waits, copies.
// size: one fixture, a folder with a database, for all of its cases
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "db/sqlite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[64], path[96];
    struct dr_sqlite *db;
    struct dr_err err;
};

static int
set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct dr_sqlite_options options = {.create = true};
    snprintf(f->folder, sizeof f->folder, "/tmp/drover-sqlite-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/app.db", f->folder);
    assert_int_equal(dr_sqlite_open(f->path, &options, &f->db, &f->err), DR_OK);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;
    dr_sqlite_close(&f->db);
    assert_int_equal(dr_dir_remove(f->folder, NULL), DR_OK);
    free(f);
    return 0;
}

static enum dr_rc
run(struct fixture *f, const char *sql)
{
    f->err = (struct dr_err){0};
    return dr_sqlite_exec(f->db, sql, strlen(sql), NULL, NULL, &f->err);
}

static int64_t
ask(struct fixture *f, const char *sql)
{
    int64_t value = -1;
    if (dr_sqlite_value_int(f->db, sql, &value, &f->err) != DR_OK) {
        fail_msg("%s", f->err.message);
    }
    return value;
}

static struct dr_sqlite *
open_again(struct fixture *f)
{
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_options options = {0};
    assert_int_equal(dr_sqlite_open(f->path, &options, &db, &f->err), DR_OK);
    return db;
}

static void
new_file_is_private(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

// id: L09
static void
only_the_file_itself_is_opened(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_options options = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/none.db", f->folder);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_E_NOT_FOUND);
    snprintf(path, sizeof path, "%s/none/app.db", f->folder);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_E_NOT_FOUND);
    assert_int_equal(dr_sqlite_open(f->folder, &options, &db, &f->err), DR_E_DB_FILE);
    assert_int_equal(dr_sqlite_open("", &options, &db, &f->err), DR_E_DB_FILE);
    snprintf(path, sizeof path, "%s/link.db", f->folder);
    assert_int_equal(symlink(f->path, path), 0);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_E_DB_FILE);
    assert_non_null(strstr(f->err.message, "symbolic link"));
    snprintf(path, sizeof path, "%s/hard.db", f->folder);
    assert_int_equal(link(f->path, path), 0);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_E_DB_FILE);
    assert_int_equal(unlink(path), 0);
    assert_null(db);
}

static void
folder_may_be_reached_by_a_link(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_options options = {0};
    char link_path[128];
    char path[160];
    snprintf(link_path, sizeof link_path, "%s/here", f->folder);
    assert_int_equal(symlink(f->folder, link_path), 0);
    snprintf(path, sizeof path, "%s/app.db", link_path);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_OK);
    dr_sqlite_close(&db);
}

static void
file_of_another_kind_is_no_database(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite *db = NULL;
    struct dr_sqlite_options options = {0};
    char path[128];
    static char text[4096];
    memset(text, 'x', sizeof text);
    snprintf(path, sizeof path, "%s/text.db", f->folder);
    assert_int_equal(dr_file_write(path, text, sizeof text, 0600, NULL), DR_OK);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_E_DB_CORRUPT);
    assert_non_null(strstr(f->err.message, "not a database"));
}

// id: L01
static void
second_statement_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE TABLE a (i)  ; -- end\n /* x */ ; "), DR_OK);
    assert_int_equal(run(f, "CREATE TABLE b (i); CREATE TABLE c (i)"), DR_E_DB_MULTI);
    assert_int_equal(run(f, "SELECT 1; nonsense"), DR_E_DB_MULTI);
    assert_int_equal(run(f, "-- nothing"), DR_E_DB_STATEMENT);
    assert_int_equal(ask(f, "SELECT count(*) FROM sqlite_schema"), 1);
    const char sql[] = "SELECT 1\0; DROP TABLE a";
    assert_int_equal(dr_sqlite_exec(f->db, sql, sizeof sql - 1, NULL, NULL, &f->err),
                     DR_E_DB_STATEMENT);
}

static void
syntax_error_has_its_place(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE TABLE t (order INT)"), DR_E_DB_STATEMENT);
    assert_int_equal(dr_sqlite_last_error(f->db)->offset, 16);
    assert_non_null(strstr(f->err.message, "order"));
}

// id: L02
// size: a table of statements
static void
revision_may_not_leave_its_bounds(void **state)
{
    struct fixture *f = *state;
    static const char *const refused[] = {
        "ATTACH '/tmp/x.db' AS x",
        "ATTACH '/tmp/' || 'x.db' AS x",
        "DETACH main",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        "PRAGMA writable_schema = on",
        "PRAGMA journal_mode = off",
        "PRAGMA foreign_keys = off",
        "PRAGMA synchronous = off",
        "SELECT load_extension('x')",
        "INSERT INTO drover_ledger VALUES (1)",
        "UPDATE DROVER_LEDGER SET i = 2",
        "DELETE FROM drover_ledger",
        "DROP TABLE drover_ledger",
        "ALTER TABLE drover_ledger ADD COLUMN j",
        "CREATE INDEX x ON drover_ledger (i)",
        "CREATE TRIGGER x AFTER INSERT ON drover_ledger BEGIN SELECT 1; END",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM drover_ledger; END",
        "CREATE TABLE drover_mine (i)",
        "ALTER TABLE t RENAME TO drover_mine",
        "VACUUM INTO '/tmp/x.db'",
    };
    static const char *const allowed[] = {
        "SELECT * FROM drover_ledger",
        "CREATE TABLE u (i)",
        "CREATE INDEX u_i ON u (i)",
        "PRAGMA user_version = 3",
        "PRAGMA table_info(t)",
        "PRAGMA foreign_keys",
        "ALTER TABLE t ADD COLUMN j",
        "ALTER TABLE t RENAME TO t2",
        "INSERT INTO t2 VALUES (1, 2)",
        "CREATE VIEW v AS SELECT 1",
        "DROP VIEW v",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "DROP TABLE t2",
    };
    assert_int_equal(
        dr_sqlite_script(f->db, "CREATE TABLE drover_ledger (i); CREATE TABLE t (i);", &f->err),
        DR_OK);
    dr_sqlite_set_guard(f->db, DR_SQLITE_REVISION);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (run(f, refused[i]) != DR_E_DB_DENIED) {
            fail_msg("%s: '%s' %s", refused[i], dr_rc_name(f->err.rc), f->err.message);
        }
        assert_non_null(strstr(f->err.message, "is not allowed here"));
    }
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (run(f, allowed[i]) != DR_OK) {
            fail_msg("%s: %s", allowed[i], f->err.message);
        }
    }
    dr_sqlite_set_guard(f->db, DR_SQLITE_READ);
    assert_int_equal(run(f, "SELECT * FROM u"), DR_OK);
    assert_int_equal(run(f, "INSERT INTO u VALUES (1)"), DR_E_DB_DENIED);
    assert_int_equal(run(f, "PRAGMA user_version = 4"), DR_E_DB_DENIED);
    assert_int_equal(run(f, "PRAGMA user_version"), DR_OK);
    assert_int_equal(run(f, "VACUUM"), DR_E_DB_DENIED);
}

static void
transactions_of_ours_pass_the_guard(void **state)
{
    struct fixture *f = *state;
    dr_sqlite_set_guard(f->db, DR_SQLITE_REVISION);
    assert_int_equal(dr_sqlite_begin(f->db, &f->err), DR_OK);
    assert_true(dr_sqlite_in_transaction(f->db));
    assert_int_equal(run(f, "CREATE TABLE t (i)"), DR_OK);
    dr_sqlite_rollback(f->db);
    assert_false(dr_sqlite_in_transaction(f->db));
    assert_int_equal(dr_sqlite_begin(f->db, &f->err), DR_OK);
    assert_int_equal(run(f, "CREATE TABLE u (i)"), DR_OK);
    assert_int_equal(dr_sqlite_commit(f->db, &f->err), DR_OK);
    dr_sqlite_set_guard(f->db, DR_SQLITE_OWN);
    assert_int_equal(ask(f, "SELECT count(*) FROM sqlite_schema WHERE name = 'u'"), 1);
    assert_int_equal(ask(f, "SELECT count(*) FROM sqlite_schema"), 1);
}

// id: L04
static void
busy_file_is_waited_for_until_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite *other = open_again(f);
    assert_int_equal(dr_sqlite_begin(other, &f->err), DR_OK);
    int64_t start = dr_monotonic_ms();
    struct dr_db_wait wait = dr_db_wait_ms(60);
    dr_sqlite_set_wait(f->db, &wait);
    assert_int_equal(dr_sqlite_begin(f->db, &f->err), DR_E_DB_BUSY);
    assert_in_range(dr_monotonic_ms() - start, 55, 30000);
    dr_sqlite_rollback(other);
    wait = dr_db_wait_ms(30000);
    dr_sqlite_set_wait(f->db, &wait);
    assert_int_equal(dr_sqlite_begin(f->db, &f->err), DR_OK);
    dr_sqlite_close(&other);
}

// id: L04
static void
commit_that_meets_a_reader_stays_open_and_can_be_repeated(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE TABLE t (i)"), DR_OK);
    struct dr_sqlite *reader = open_again(f);
    struct dr_db_wait wait = dr_db_wait_ms(50);
    assert_int_equal(dr_sqlite_script(reader, "BEGIN; SELECT * FROM t;", &f->err), DR_OK);
    assert_int_equal(dr_sqlite_begin(f->db, &f->err), DR_OK);
    assert_int_equal(run(f, "INSERT INTO t VALUES (1)"), DR_OK);
    dr_sqlite_set_wait(f->db, &wait);
    assert_int_equal(dr_sqlite_commit(f->db, &f->err), DR_E_DB_BUSY);
    assert_true(dr_sqlite_in_transaction(f->db));
    dr_sqlite_close(&reader);
    dr_sqlite_set_wait(f->db, NULL);
    assert_int_equal(dr_sqlite_commit(f->db, &f->err), DR_OK);
    assert_int_equal(ask(f, "SELECT count(*) FROM t"), 1);
}

static void
endless_statement_ends_at_the_deadline_or_by_cancel(void **state)
{
    struct fixture *f = *state;
    const char *endless =
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c";
    struct dr_db_wait wait = dr_db_wait_ms(40);
    dr_sqlite_set_wait(f->db, &wait);
    assert_int_equal(run(f, endless), DR_E_TIMEOUT);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    wait = dr_db_wait_ms(20000);
    wait.cancel_fd = ends[0];
    dr_sqlite_set_wait(f->db, &wait);
    assert_int_equal(run(f, endless), DR_E_INTERRUPTED);
    close(ends[0]);
    close(ends[1]);
}

static enum dr_rc
sum_up(void *ctx, struct dr_sqlite_stmt *stmt, struct dr_err *err)
{
    (void)err;
    *(int64_t *)ctx += dr_sqlite_column_int(stmt, 0);
    return DR_OK;
}

static void
prepared_statement_binds_and_gives_columns(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite_stmt *stmt = NULL;
    bool has_row = false;
    size_t len = 0;
    assert_int_equal(run(f, "CREATE TABLE t (i INTEGER PRIMARY KEY, s TEXT, b BLOB) STRICT"),
                     DR_OK);
    assert_int_equal(
        dr_sqlite_prepare(f->db, "INSERT INTO t (s, b) VALUES (?1, ?2)", &stmt, &f->err), DR_OK);
    dr_sqlite_bind_text(stmt, 1, "one");
    dr_sqlite_bind_blob(stmt, 2, "\0\1", 2);
    assert_int_equal(dr_sqlite_finish(stmt, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_changes(f->db), 1);
    assert_int_equal(dr_sqlite_last_rowid(f->db), 1);
    dr_sqlite_bind_text(stmt, 1, NULL);
    dr_sqlite_bind_null(stmt, 2);
    assert_int_equal(dr_sqlite_finish(stmt, &f->err), DR_OK);
    dr_sqlite_bind_int(stmt, 3, 1);
    assert_int_equal(dr_sqlite_finish(stmt, &f->err), DR_E_INTERNAL);
    dr_sqlite_finalize(&stmt);
    assert_int_equal(dr_sqlite_prepare(f->db, "SELECT i, s, b FROM t ORDER BY i", &stmt, &f->err),
                     DR_OK);
    assert_int_equal(dr_sqlite_step(stmt, &has_row, &f->err), DR_OK);
    assert_true(has_row);
    assert_int_equal(dr_sqlite_columns(stmt), 3);
    assert_string_equal(dr_sqlite_column_name(stmt, 1), "s");
    assert_string_equal(dr_sqlite_column_text(stmt, 1), "one");
    assert_memory_equal(dr_sqlite_column_blob(stmt, 2, &len), "\0\1", 2);
    assert_int_equal(len, 2);
    assert_int_equal(dr_sqlite_step(stmt, &has_row, &f->err), DR_OK);
    assert_true(dr_sqlite_column_is_null(stmt, 1));
    assert_string_equal(dr_sqlite_column_text(stmt, 1), "");
    assert_int_equal(dr_sqlite_step(stmt, &has_row, &f->err), DR_OK);
    assert_false(has_row);
    dr_sqlite_finalize(&stmt);
    int64_t sum = 0;
    assert_int_equal(dr_sqlite_exec(f->db, "SELECT i FROM t", 15, sum_up, &sum, &f->err), DR_OK);
    assert_int_equal(sum, 3);
}

// id: L03
static void
schema_may_not_call_what_is_unsafe(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE VIEW v AS SELECT load_extension('x')"), DR_OK);
    assert_int_not_equal(run(f, "SELECT * FROM v"), DR_OK);
    assert_int_equal(run(f, "PRAGMA writable_schema = on"), DR_OK);
    assert_int_not_equal(run(f, "DELETE FROM sqlite_schema"), DR_OK);
}

static void
one_runner_holds_the_lock(void **state)
{
    struct fixture *f = *state;
    int first = -1;
    int second = -1;
    assert_int_equal(dr_sqlite_lock(f->path, &first, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_lock(f->path, &second, &f->err), DR_E_DB_LOCKED);
    assert_int_equal(second, -1);
    assert_int_equal(dr_sqlite_begin(f->db, &f->err), DR_OK);
    close(first);
    assert_int_equal(dr_sqlite_lock(f->path, &second, &f->err), DR_OK);
    close(second);
    // The descriptors of the lock were not on the database, so that SQLite still holds its own.
    struct dr_sqlite *other = open_again(f);
    struct dr_db_wait wait = dr_db_wait_ms(20);
    dr_sqlite_set_wait(other, &wait);
    assert_int_equal(dr_sqlite_begin(other, &f->err), DR_E_DB_BUSY);
    dr_sqlite_close(&other);
}

// id: L07
static void
replaced_file_is_noticed(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite_identity identity = {0};
    char moved[128];
    assert_int_equal(dr_sqlite_identify(f->db, &identity, &f->err), DR_OK);
    assert_true(identity.inode != 0);
    assert_string_equal(identity.path, f->path);
    snprintf(moved, sizeof moved, "%s/old.db", f->folder);
    assert_int_equal(rename(f->path, moved), 0);
    assert_int_equal(dr_sqlite_identify(f->db, &identity, &f->err), DR_E_DB_IDENTITY);
    assert_int_equal(dr_file_write(f->path, "", 0, 0600, NULL), DR_OK);
    assert_int_equal(dr_sqlite_identify(f->db, &identity, &f->err), DR_E_DB_IDENTITY);
}

// id: L11
static void
backup_is_one_instant_of_a_busy_file(void **state)
{
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/copy.db", f->folder);
    assert_int_equal(run(f, "PRAGMA journal_mode = wal"), DR_OK);
    assert_int_equal(run(f, "CREATE TABLE t (v)"), DR_OK);
    assert_int_equal(
        run(f, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3000) "
               "INSERT INTO t SELECT randomblob(2000) FROM c"),
        DR_OK);
    struct dr_sqlite *writer = open_again(f);
    assert_int_equal(dr_sqlite_begin(writer, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_script(writer, "DELETE FROM t;", &f->err), DR_OK);
    assert_int_equal(dr_sqlite_backup(f->db, path, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_backup(f->db, path, &f->err), DR_E_EXISTS);
    dr_sqlite_close(&writer);
    struct dr_sqlite *copy = NULL;
    struct dr_sqlite_options options = {.read_only = true};
    int64_t rows = 0;
    assert_int_equal(dr_sqlite_open(path, &options, &copy, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_integrity_check(copy, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_value_int(copy, "SELECT count(*) FROM t", &rows, &f->err), DR_OK);
    assert_int_equal(rows, 3000);
    dr_sqlite_close(&copy);
}

// id: L10
static void
damaged_page_is_found(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run(f, "CREATE TABLE t (v)"), DR_OK);
    assert_int_equal(
        run(f, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300) "
               "INSERT INTO t SELECT randomblob(1000) FROM c"),
        DR_OK);
    assert_int_equal(dr_sqlite_integrity_check(f->db, &f->err), DR_OK);
    dr_sqlite_close(&f->db);
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    char junk[512];
    memset(junk, 0xee, sizeof junk);
    assert_int_equal(pwrite(fd, junk, sizeof junk, 4096 * 20), sizeof junk);
    close(fd);
    f->db = open_again(f);
    assert_int_equal(dr_sqlite_integrity_check(f->db, &f->err), DR_E_DB_CORRUPT);
}

// id: L06
static void
dangling_reference_is_found(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        dr_sqlite_script(f->db,
                         "CREATE TABLE p (i INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p);"
                         "INSERT INTO c VALUES (7);",
                         &f->err),
        DR_OK);
    assert_int_equal(dr_sqlite_foreign_key_check(f->db, &f->err), DR_E_DB_STATEMENT);
    assert_non_null(strstr(f->err.message, "table 'c'"));
    assert_int_equal(run(f, "DELETE FROM c"), DR_OK);
    assert_int_equal(dr_sqlite_foreign_key_check(f->db, &f->err), DR_OK);
}

static void
state_file_flushes_and_checks_references(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite_options options = {.create = true, .is_state = true};
    dr_sqlite_close(&f->db);
    assert_int_equal(dr_sqlite_open(f->path, &options, &f->db, &f->err), DR_OK);
    assert_int_equal(ask(f, "PRAGMA synchronous"), 3);
    assert_int_equal(ask(f, "PRAGMA foreign_keys"), 1);
}

int
main(void)
{
#define DB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        DB_TEST(new_file_is_private),
        DB_TEST(only_the_file_itself_is_opened),
        DB_TEST(folder_may_be_reached_by_a_link),
        DB_TEST(file_of_another_kind_is_no_database),
        DB_TEST(second_statement_is_refused),
        DB_TEST(syntax_error_has_its_place),
        DB_TEST(revision_may_not_leave_its_bounds),
        DB_TEST(transactions_of_ours_pass_the_guard),
        DB_TEST(busy_file_is_waited_for_until_the_deadline),
        DB_TEST(commit_that_meets_a_reader_stays_open_and_can_be_repeated),
        DB_TEST(endless_statement_ends_at_the_deadline_or_by_cancel),
        DB_TEST(prepared_statement_binds_and_gives_columns),
        DB_TEST(schema_may_not_call_what_is_unsafe),
        DB_TEST(one_runner_holds_the_lock),
        DB_TEST(replaced_file_is_noticed),
        DB_TEST(backup_is_one_instant_of_a_busy_file),
        DB_TEST(damaged_page_is_found),
        DB_TEST(dangling_reference_is_found),
        DB_TEST(state_file_flushes_and_checks_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
