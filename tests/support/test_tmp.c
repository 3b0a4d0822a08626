#include "support/test_tmp.h"

#include "base/file.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static DR_NORETURN void
give_up(const char *what, const char *path)
{
    (void)fprintf(stderr, "test: cannot %s '%s'\n", what, path);
    exit(1);
}

void
dr_tmp_init(struct dr_tmp *tmp)
{
    const char *base = getenv("TMPDIR");
    int len = snprintf(tmp->path, sizeof tmp->path, "%s/drover-test-XXXXXX",
                       base == NULL || base[0] == '\0' ? "/tmp" : base);
    if (len < 0 || (size_t)len >= sizeof tmp->path || mkdtemp(tmp->path) == NULL) {
        give_up("make the folder", tmp->path);
    }
}

void
dr_tmp_fini(struct dr_tmp *tmp)
{
    struct dr_err err = {0};
    if (dr_dir_remove(tmp->path, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
}

char *
dr_tmp_path(const struct dr_tmp *tmp, const char *name, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%s/%s", tmp->path, name);
    if (len < 0 || len >= PATH_MAX) {
        give_up("name", name);
    }
    return out;
}

char *
dr_tmp_file(const struct dr_tmp *tmp, const char *name, const char *text, mode_t mode,
            char out[PATH_MAX])
{
    int fd = open(dr_tmp_path(tmp, name, out), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_good = fd >= 0 && dr_fd_write_all(fd, text, strlen(text)) && fchmod(fd, mode) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!is_good) {
        give_up("write", out);
    }
    return out;
}

size_t
dr_tmp_count(const struct dr_tmp *tmp)
{
    DIR *dir = opendir(tmp->path);
    size_t count = 0;
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir == NULL || count < 2) {
        give_up("list", tmp->path);
    }
    (void)closedir(dir);
    return count - 2;
}

int
dr_tmp_setup(void **state)
{
    struct dr_tmp *tmp = calloc(1, sizeof *tmp);
    if (tmp == NULL) {
        return -1;
    }
    dr_tmp_init(tmp);
    *state = tmp;
    return 0;
}

int
dr_tmp_teardown(void **state)
{
    struct dr_tmp *tmp = *state;
    dr_tmp_fini(tmp);
    free(tmp);
    return 0;
}
