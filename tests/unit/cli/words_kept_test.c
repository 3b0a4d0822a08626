// Kept words: what was kept comes back under the same root and fleet, from this user's own whole
// file, and in no other case.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "coordinator/cli/project.h"
#include "coordinator/cli/words_kept.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534u
#define COUNT  1000u

struct fixture {
    struct dr_tmp *tmp;
    struct dr_cli cli;
    struct dr_project project;
    struct dr_trust trust;
    char path[PATH_MAX];
};

static int
setup(void **state)
{
    void *tmp = NULL;
    int rc = dr_tmp_setup(&tmp);
    struct fixture *f = calloc(1, sizeof(*f));
    f->tmp = tmp;
    f->cli.arena = dr_arena_new(64u << 20);
    f->cli.project = &f->project;
    dr_tmp_path(f->tmp, "trust", f->project.trust);
    dr_tmp_path(f->tmp, "trust/" DR_KEPT_FILE, f->path);
    assert_int_equal(mkdir(f->project.trust, 0700), 0);
    memset(f->trust.root.sha256, 1, 32);
    memset(f->trust.fleet.sha256, 2, 32);
    *state = f;
    return rc;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    void *tmp = f->tmp;
    dr_arena_free(&f->cli.arena);
    free(f);
    return dr_tmp_teardown(&tmp);
}

static void
digest_of(size_t number, uint8_t out[32])
{
    dr_sha256((struct dr_bytes){(const uint8_t *)&number, sizeof(number)}, out);
}

static void
save(struct fixture *f)
{
    struct dr_kept kept = {.log_index = 77};
    kept.items = dr_arena_array(f->cli.arena, COUNT, sizeof(*kept.items));
    for (size_t i = 0; i < COUNT; i++) {
        const char *text = dr_arena_printf(f->cli.arena, "word %zu", i);
        digest_of(i, kept.items[kept.count].sha256);
        kept.items[kept.count++].brief = (struct dr_bytes){(const uint8_t *)text, strlen(text)};
    }
    dr_kept_save(&f->cli, &f->trust, &kept);
}

static size_t
loaded(struct fixture *f)
{
    struct dr_kept kept;
    dr_kept_load(&f->cli, &f->trust, &kept);
    assert_int_equal(kept.log_index, kept.count > 0 ? 77 : 0);
    return kept.count;
}

static void
what_was_kept_is_found_by_its_digest(void **state)
{
    struct fixture *f = *state;
    struct dr_kept kept;
    uint8_t sha256[32];
    struct stat st;
    assert_int_equal(loaded(f), 0);
    save(f);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    dr_kept_load(&f->cli, &f->trust, &kept);
    assert_int_equal(kept.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        char text[32];
        digest_of(i, sha256);
        const struct dr_kept_word *word = dr_kept_find(&kept, sha256);
        int n = snprintf(text, sizeof(text), "word %zu", i);
        assert_non_null(word);
        assert_int_equal(word->brief.len, n);
        assert_memory_equal(word->brief.data, text, (size_t)n);
    }
    digest_of(COUNT, sha256);
    assert_null(dr_kept_find(&kept, sha256));
    assert_null(dr_kept_find(&(struct dr_kept){0}, sha256));
}

// A next root or fleet may have taken a key away, so nothing that was verified before it counts.
static void
nothing_is_kept_across_another_root_or_fleet(void **state)
{
    struct fixture *f = *state;
    save(f);
    f->trust.root.sha256[31] ^= 1;
    assert_int_equal(loaded(f), 0);
    f->trust.root.sha256[31] ^= 1;
    f->trust.fleet.sha256[0] ^= 1;
    assert_int_equal(loaded(f), 0);
    f->trust.fleet.sha256[0] ^= 1;
    assert_int_equal(loaded(f), COUNT);
}

static void
damaged_file_is_as_none(void **state)
{
    struct fixture *f = *state;
    char *bytes = NULL;
    size_t len = 0;
    struct dr_err err = {0};
    save(f);
    assert_int_equal(dr_file_read(f->path, DR_KEPT_MAX, &bytes, &len, &err), DR_OK);
    for (size_t at = 0; at < len; at += at < 100 || at + 100 > len ? 1 : 997) {
        bytes[at] = (char)(bytes[at] ^ 1);
        assert_int_equal(dr_file_write(f->path, bytes, len, 0600, NULL), DR_OK);
        bytes[at] = (char)(bytes[at] ^ 1);
        assert_int_equal(loaded(f), 0);
    }
    for (size_t cut = 0; cut < len; cut = 2 * cut + 1) {
        assert_int_equal(dr_file_write(f->path, bytes, cut, 0600, NULL), DR_OK);
        assert_int_equal(loaded(f), 0);
    }
    save(f); // and takes its place
    assert_int_equal(loaded(f), COUNT);
    free(bytes);
}

static void
file_that_another_user_could_have_written_is_as_none(void **state)
{
    struct fixture *f = *state;
    save(f);
    assert_int_equal(chmod(f->path, 0660), 0);
    assert_int_equal(loaded(f), 0);
    assert_int_equal(chmod(f->path, 0606), 0);
    assert_int_equal(loaded(f), 0);
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(chmod(f->project.trust, 0777), 0);
    assert_int_equal(loaded(f), 0);
    assert_int_equal(chmod(f->project.trust, 0700), 0);
    assert_int_equal(loaded(f), COUNT);
    if (geteuid() == 0) {
        assert_int_equal(chown(f->path, NOBODY, NOBODY), 0);
        assert_int_equal(loaded(f), 0);
        save(f);
        assert_int_equal(loaded(f), COUNT);
    }
}

static void
folder_that_cannot_be_written_is_no_error(void **state)
{
    struct fixture *f = *state;
    (void)snprintf(f->project.trust, sizeof(f->project.trust), "/nonexistent/folder");
    save(f);
    assert_int_equal(loaded(f), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_kept_is_found_by_its_digest),
        TEST(nothing_is_kept_across_another_root_or_fleet),
        TEST(damaged_file_is_as_none),
        TEST(file_that_another_user_could_have_written_is_as_none),
        TEST(folder_that_cannot_be_written_is_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
