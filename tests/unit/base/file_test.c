#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "support/test_tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534u

static void
read_gives_all_bytes_and_a_nul(void **state)
{
    char path[PATH_MAX], *text = NULL;
    size_t len = 0;
    struct dr_err err = {0};
    dr_tmp_path(*state, "f", path);
    assert_int_equal(dr_file_write(path, "a\0b", 3, 0600, &err), DR_OK);
    assert_int_equal(dr_file_read(path, 3, &text, &len, &err), DR_OK);
    assert_int_equal(len, 3);
    assert_memory_equal(text, "a\0b", 4);
    free(text);
    assert_int_equal(dr_file_write(path, NULL, 0, 0600, &err), DR_OK);
    assert_int_equal(dr_file_read(path, 0, &text, &len, &err), DR_OK);
    assert_int_equal(len, 0);
    assert_string_equal(text, "");
    free(text);
}

static void
read_takes_files_longer_than_its_first_piece(void **state)
{
    char path[PATH_MAX], *text = NULL;
    size_t len = 0;
    static char large[100001];
    memset(large, 'x', sizeof large);
    dr_tmp_path(*state, "f", path);
    assert_int_equal(dr_file_write(path, large, sizeof large, 0600, NULL), DR_OK);
    assert_int_equal(dr_file_read(path, sizeof large, &text, &len, NULL), DR_OK);
    assert_int_equal(len, sizeof large);
    assert_memory_equal(text, large, sizeof large);
    free(text);
    // A file of /proc says that its size is 0.
    assert_int_equal(dr_file_read("/proc/self/status", 1 << 20, &text, &len, NULL), DR_OK);
    assert_true(len > 100);
    free(text);
}

static void
read_refuses_what_is_too_long_or_missing_or_a_folder(void **state)
{
    char path[PATH_MAX], *text = NULL;
    size_t len = 77;
    struct dr_err err = {0};
    dr_tmp_file(*state, "f", "12345", 0600, path);
    assert_int_equal(dr_file_read(path, 4, &text, &len, &err), DR_E_LIMIT);
    assert_non_null(strstr(err.message, "is longer than 4 bytes"));
    assert_int_equal(dr_file_read(dr_tmp_path(*state, "none", path), 4, &text, &len, &err),
                     DR_E_NOT_FOUND);
    assert_non_null(strstr(err.message, "none'"));
    assert_int_equal(dr_file_read(((struct dr_tmp *)*state)->path, 4, &text, &len, &err), DR_E_IO);
    assert_null(text);
    assert_int_equal(len, 77);
}

static void
write_replaces_whole_files_and_sets_the_mode(void **state)
{
    char path[PATH_MAX], *text = NULL;
    size_t len;
    struct stat st;
    mode_t old = umask(0077);
    dr_tmp_file(*state, "f", "a long old content", 0600, path);
    assert_int_equal(dr_file_write(path, "new", 3, 0640, NULL), DR_OK);
    (void)umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(dr_file_read(path, 100, &text, &len, NULL), DR_OK);
    assert_string_equal(text, "new");
    free(text);
    assert_int_equal(dr_tmp_count(*state), 1);
}

// The old file must stay as it was, and no temporary file may be left, when writing fails half-way.
static void
write_that_fails_leaves_the_old_file_and_nothing_else(void **state)
{
    char path[PATH_MAX], *text = NULL;
    size_t len;
    struct dr_err err = {0};
    static char large[8192];
    dr_tmp_file(*state, "f", "old", 0600, path);
    pid_t pid = fork();
    if (pid == 0) {
        // No file may grow beyond 4 KiB, as on a full disk.
        (void)signal(SIGXFSZ, SIG_IGN);
        struct rlimit limit = {4096, 4096};
        bool is_set = setrlimit(RLIMIT_FSIZE, &limit) == 0;
        enum dr_rc rc = dr_file_write(path, large, sizeof large, 0600, &err);
        _exit(is_set && rc == DR_E_IO && strstr(err.message, "File too large") != NULL ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(dr_file_read(path, 100, &text, &len, NULL), DR_OK);
    assert_string_equal(text, "old");
    free(text);
    assert_int_equal(dr_tmp_count(*state), 1);
}

static void
write_into_a_missing_folder_is_an_error(void **state)
{
    char path[PATH_MAX];
    struct dr_err err = {0};
    dr_tmp_path(*state, "no/f", path);
    assert_int_equal(dr_file_write(path, "x", 1, 0600, &err), DR_E_IO);
    assert_non_null(strstr(err.message, "No such file or directory"));
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(dr_file_write(path, "x", 1, 0600, &err), DR_E_LIMIT);
}

static void
create_never_replaces_and_follows_no_link(void **state)
{
    char path[PATH_MAX], link[PATH_MAX], target[PATH_MAX], *text = NULL;
    size_t len;
    struct dr_err err = {0};
    dr_tmp_path(*state, "f", path);
    assert_int_equal(dr_file_create(path, "one", 3, 0600, &err), DR_OK);
    assert_int_equal(dr_file_create(path, "two", 3, 0600, &err), DR_E_EXISTS);
    assert_int_equal(dr_file_read(path, 100, &text, &len, NULL), DR_OK);
    assert_string_equal(text, "one");
    free(text);
    assert_int_equal(
        symlink(dr_tmp_path(*state, "target", target), dr_tmp_path(*state, "link", link)), 0);
    assert_int_equal(dr_file_create(link, "x", 1, 0600, &err), DR_E_EXISTS);
    assert_false(dr_path_exists(target));
    assert_true(dr_path_exists(link));
}

static void
folders_are_made_with_their_parents(void **state)
{
    char path[PATH_MAX], file[PATH_MAX];
    struct stat st;
    struct dr_err err = {0};
    dr_tmp_path(*state, "a/b/c", path);
    assert_int_equal(dr_dir_make(path, 0700, &err), DR_OK);
    assert_int_equal(dr_dir_make(path, 0700, &err), DR_OK);
    assert_int_equal(dr_dir_make(dr_tmp_path(*state, "a/b//d/", path), 0700, &err), DR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    dr_tmp_file(*state, "file", "", 0600, file);
    assert_int_not_equal(dr_dir_make(file, 0700, &err), DR_OK);
    assert_int_not_equal(dr_dir_make(dr_tmp_path(*state, "file/x", path), 0700, &err), DR_OK);
    assert_int_not_equal(dr_dir_make("", 0700, &err), DR_OK);
}

static void
remove_takes_the_tree_and_follows_no_link(void **state)
{
    char path[PATH_MAX], kept[PATH_MAX], link[PATH_MAX];
    assert_int_equal(dr_dir_make(dr_tmp_path(*state, "kept", kept), 0700, NULL), DR_OK);
    dr_tmp_file(*state, "kept/file", "x", 0600, path);
    assert_int_equal(dr_dir_make(dr_tmp_path(*state, "tree/a/b", path), 0700, NULL), DR_OK);
    dr_tmp_file(*state, "tree/a/file", "x", 0400, path);
    dr_tmp_file(*state, "tree/.hidden", "x", 0400, path);
    assert_int_equal(symlink(kept, dr_tmp_path(*state, "tree/a/link", link)), 0);
    assert_int_equal(dr_dir_remove(dr_tmp_path(*state, "tree", path), NULL), DR_OK);
    assert_false(dr_path_exists(path));
    assert_true(dr_path_exists(dr_tmp_path(*state, "kept/file", path)));
    assert_int_equal(dr_dir_remove(dr_tmp_path(*state, "tree", path), NULL), DR_OK);
}

static void
private_files_are_for_their_owner_only(void **state)
{
    static const struct {
        mode_t mode;
        bool is_private;
    } rows[] = {{0600, true},  {0400, true},  {0700, true},  {0644, false}, {0640, false},
                {0604, false}, {0660, false}, {0601, false}, {0610, false}, {0666, false}};
    char path[PATH_MAX];
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_err err = {0};
        dr_tmp_file(*state, "key", "x", 0600, path);
        assert_int_equal(chmod(path, rows[i].mode), 0);
        enum dr_rc rc = dr_file_check_private(path, &err);
        assert_int_equal(rc, rows[i].is_private ? DR_OK : DR_E_PERMISSION);
        if (rc != DR_OK) {
            char expected[PATH_MAX + 16];
            (void)snprintf(expected, sizeof expected, "chmod 600 '%s'", path);
            assert_string_equal(err.hint, expected);
            (void)snprintf(expected, sizeof expected, "mode %04o", (unsigned)rows[i].mode);
            assert_non_null(strstr(err.message, expected));
        }
    }
    struct dr_err err = {0};
    assert_int_equal(dr_file_check_private(dr_tmp_path(*state, "none", path), &err),
                     DR_E_NOT_FOUND);
}

static void
private_files_of_another_user_are_refused(void **state)
{
    if (geteuid() != 0) {
        skip();
    }
    char path[PATH_MAX];
    struct dr_err err = {0};
    dr_tmp_file(*state, "key", "x", 0600, path);
    assert_int_equal(chown(path, NOBODY, NOBODY), 0);
    assert_int_equal(dr_file_check_private(path, &err), DR_E_PERMISSION);
    assert_non_null(strstr(err.message, "belongs to another user (uid 65534)"));
    assert_memory_equal(err.hint, "chown 0 '", 9);
}

static void
a_lock_is_held_until_closed(void **state)
{
    char path[PATH_MAX];
    int first = -1, second = -1;
    struct dr_err err = {0};
    dr_tmp_path(*state, "lock", path);
    assert_int_equal(dr_file_lock(path, &first, &err), DR_OK);
    assert_int_equal(dr_file_lock(path, &second, &err), DR_E_CONFLICT);
    assert_non_null(strstr(err.message, "another process holds"));
    assert_int_equal(second, -1);
    (void)close(first);
    assert_int_equal(dr_file_lock(path, &second, &err), DR_OK);
    (void)close(second);
    assert_int_not_equal(dr_file_lock(dr_tmp_path(*state, "no/lock", path), &first, &err), DR_OK);
}

// FIPS 180-2, appendix B: "abc", and a million times 'a'.
static void
sha256_gives_the_published_digests(void **state)
{
    char path[PATH_MAX], hex[65];
    uint8_t digest[32];
    uint64_t size = 0;
    static char million[1000000];
    dr_tmp_file(*state, "f", "abc", 0600, path);
    assert_int_equal(dr_file_sha256(path, digest, &size, NULL), DR_OK);
    dr_hex(hex, digest, 32);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(size, 3);
    memset(million, 'a', sizeof million);
    assert_int_equal(dr_file_write(path, million, sizeof million, 0600, NULL), DR_OK);
    assert_int_equal(dr_file_sha256(path, digest, NULL, NULL), DR_OK);
    dr_hex(hex, digest, 32);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(dr_file_sha256(dr_tmp_path(*state, "none", path), digest, NULL, NULL),
                     DR_E_NOT_FOUND);
}

static void
refuse_own(const char *path)
{
    char *text = NULL;
    size_t len = 7;
    struct dr_err err = {0};
    assert_int_equal(dr_file_read_own(path, 99, &text, &len, &err), DR_E_PERMISSION);
    assert_null(text);
    assert_int_equal(len, 7);
}

static void
own_files_are_those_that_no_other_user_can_have_written(void **state)
{
    char path[PATH_MAX], link_path[PATH_MAX], folder[PATH_MAX], *text = NULL;
    size_t len = 0;
    struct dr_err err = {0};
    dr_tmp_path(*state, "d", folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    dr_tmp_path(*state, "d/f", path);
    dr_tmp_path(*state, "d/link", link_path);
    assert_int_equal(dr_file_write(path, "abc", 3, 0644, &err), DR_OK);
    assert_int_equal(dr_file_read_own(path, 3, &text, &len, &err), DR_OK);
    assert_string_equal(text, "abc");
    free(text);
    assert_int_equal(dr_file_read_own(path, 2, &text, &len, &err), DR_E_LIMIT);
    for (mode_t mode = 0620; mode >= 0602; mode -= 016) { // the group's, then others'
        assert_int_equal(chmod(path, mode), 0);
        refuse_own(path);
    }
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(folder, 0770), 0);
    refuse_own(path);
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_not_equal(dr_file_read_own(link_path, 99, &text, &len, &err), DR_OK);
    refuse_own(folder);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, NOBODY, NOBODY), 0);
        refuse_own(path);
    } else {
        refuse_own("/etc/hostname");
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dr_file_read_own(path, 99, &text, &len, &err), DR_E_NOT_FOUND);
}

static void
descriptors_are_read_and_written_whole(void **state DR_UNUSED)
{
    static char sent[300000], got[300000];
    int ends[2];
    memset(sent, 'z', sizeof sent);
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(dr_fd_write_all(ends[1], sent, sizeof sent) ? 0 : 1);
    }
    (void)close(ends[1]);
    assert_true(dr_fd_read_all(ends[0], got, sizeof got));
    assert_memory_equal(sent, got, sizeof got);
    assert_false(dr_fd_read_all(ends[0], got, 1)); // the end
    (void)close(ends[0]);
    int status = 1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(dr_fd_write_all(-1, sent, 1));
    assert_false(dr_fd_read_all(-1, got, 1));
    assert_true(dr_fd_write_all(-1, sent, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dr_tmp_setup, dr_tmp_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(read_gives_all_bytes_and_a_nul),
        TEST(read_takes_files_longer_than_its_first_piece),
        TEST(read_refuses_what_is_too_long_or_missing_or_a_folder),
        TEST(write_replaces_whole_files_and_sets_the_mode),
        TEST(write_that_fails_leaves_the_old_file_and_nothing_else),
        TEST(write_into_a_missing_folder_is_an_error),
        TEST(create_never_replaces_and_follows_no_link),
        TEST(folders_are_made_with_their_parents),
        TEST(remove_takes_the_tree_and_follows_no_link),
        TEST(private_files_are_for_their_owner_only),
        TEST(private_files_of_another_user_are_refused),
        TEST(own_files_are_those_that_no_other_user_can_have_written),
        TEST(a_lock_is_held_until_closed),
        TEST(sha256_gives_the_published_digests),
        cmocka_unit_test(descriptors_are_read_and_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
