// A temporary folder for one test, removed with all that is in it.
#ifndef DR_TESTS_SUPPORT_TEST_TMP_H
#define DR_TESTS_SUPPORT_TEST_TMP_H

#include "base/attr.h"

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

// The folder and, behind it, room for paths in it. Plain data; made by dr_tmp_init.
struct dr_tmp {
    char path[PATH_MAX / 2];
};

// Makes a new folder, mode 0700, under $TMPDIR or /tmp. Ends the test program when it cannot.
void dr_tmp_init(struct dr_tmp *tmp);
// Removes it. Fails the running test when something cannot be removed.
void dr_tmp_fini(struct dr_tmp *tmp);

// "<folder>/<name>" into `out`, PATH_MAX bytes. Returns `out`.
char *dr_tmp_path(const struct dr_tmp *tmp, const char *name, char out[PATH_MAX]);
// Writes a file in it with exactly `mode`; its path goes to `out`, PATH_MAX bytes. Returns `out`.
char *dr_tmp_file(const struct dr_tmp *tmp, const char *name, const char *text, mode_t mode,
                  char out[PATH_MAX]);
// Number of entries in it, without "." and "..": to prove that nothing was left.
size_t dr_tmp_count(const struct dr_tmp *tmp);

// cmocka fixtures: `*state` is a struct dr_tmp.
int dr_tmp_setup(void **state);
int dr_tmp_teardown(void **state);

#endif
