#include "coordinator/import/folder.h"

#include "base/file.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// An absent or empty folder is made whole by one rename of the temporary folder. Into one that
// holds files they are linked one after another, and those links go again when one of them fails.

struct dr_folder {
    char path[PATH_MAX], temporary[PATH_MAX]; // temporary "": dry, or done with
    bool is_dry, is_whole;
    char **names;
    size_t count, cap;
};

static bool
is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool is = dir != NULL;
    for (struct dirent *e; is && (e = readdir(dir)) != NULL;) {
        is = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return is;
}

static enum dr_rc
make_temporary(struct dr_folder *folder, struct dr_err *err)
{
    int len = snprintf(folder->temporary, sizeof folder->temporary, "%s%s", folder->path,
                       folder->is_whole ? ".new-XXXXXX" : "/.new-XXXXXX");
    if (len < 0 || (size_t)len >= sizeof folder->temporary) {
        folder->temporary[0] = '\0';
        return dr_err_set(err, DR_E_LIMIT, "the folder's name '%s' is too long", folder->path);
    }
    char *slash = strrchr(folder->temporary, '/');
    if (folder->is_whole && slash != NULL && slash != folder->temporary) {
        *slash = '\0';
        enum dr_rc rc = dr_dir_make(folder->temporary, 0755, err);
        *slash = '/';
        if (rc != DR_OK) {
            folder->temporary[0] = '\0';
            return rc;
        }
    }
    if (mkdtemp(folder->temporary) == NULL || chmod(folder->temporary, 0755) != 0) {
        int errnum = errno;
        folder->temporary[0] = '\0';
        return dr_err_errno(err, DR_E_IO, errnum, "cannot write beside '%s'", folder->path);
    }
    return DR_OK;
}

enum dr_rc
dr_folder_begin(const char *path, bool is_dry, struct dr_folder **out, struct dr_err *err)
{
    struct dr_folder *folder = calloc(1, sizeof *folder);
    if (folder == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left for the files of '%s'", path);
    }
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    snprintf(folder->path, sizeof folder->path, "%.*s", (int)len, path);
    folder->is_dry = is_dry;
    struct stat row;
    bool is_there = stat(folder->path, &row) == 0;
    enum dr_rc rc = DR_OK;
    if (is_there && !S_ISDIR(row.st_mode)) {
        rc = dr_err_set(err, DR_E_EXISTS, "'%s' is there and is no folder", folder->path);
    }
    folder->is_whole = !is_there || is_empty(folder->path);
    if (rc == DR_OK && !is_dry) {
        rc = make_temporary(folder, err);
    }
    if (rc != DR_OK) {
        dr_folder_free(&folder);
        return rc;
    }
    *out = folder;
    return DR_OK;
}

static bool
is_inside(const char *name)
{
    return name[0] != '/' && name[0] != '\0' && strstr(name, "../") == NULL &&
           !dr_str_ends(name, "/..") && strcmp(name, "..") != 0;
}

static enum dr_rc
keep_name(struct dr_folder *folder, const char *name, struct dr_err *err)
{
    if (folder->count == DR_FOLDER_FILES_MAX) {
        return dr_err_set(err, DR_E_LIMIT, "more than %u files for '%s'", DR_FOLDER_FILES_MAX,
                          folder->path);
    }
    if (folder->count == folder->cap) {
        size_t cap = folder->cap == 0 ? 64 : 2 * folder->cap;
        char **names = realloc(folder->names, cap * sizeof *names);
        if (names == NULL) {
            return dr_err_set(err, DR_E_NOMEM, "no memory left for the files of '%s'",
                              folder->path);
        }
        folder->names = names;
        folder->cap = cap;
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory left for the files of '%s'", folder->path);
    }
    folder->names[folder->count++] = copy;
    return DR_OK;
}

static enum dr_rc
join(const char *folder, const char *name, char out[PATH_MAX], struct dr_err *err)
{
    int len = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return len < PATH_MAX ? DR_OK
                          : dr_err_set(err, DR_E_LIMIT, "the name '%.200s' is too long", name);
}

// The folders that `path` lies in.
static enum dr_rc
make_parents(const char *path, struct dr_err *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    char *slash = strrchr(copy, '/');
    if (slash == NULL || slash == copy) {
        return DR_OK;
    }
    *slash = '\0';
    return dr_path_exists(copy) ? DR_OK : dr_dir_make(copy, 0755, err);
}

static enum dr_rc
write_new(const char *path, const void *bytes, size_t len, struct dr_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return dr_err_errno(err, errno == EEXIST ? DR_E_EXISTS : DR_E_IO, errno, "cannot make '%s'",
                            path);
    }
    bool is_written = dr_fd_write_all(fd, bytes, len);
    int errnum = errno;
    is_written = close(fd) == 0 && is_written;
    return is_written ? DR_OK : dr_err_errno(err, DR_E_IO, errnum, "cannot write '%s'", path);
}

enum dr_rc
dr_folder_add(struct dr_folder *folder, const char *name, const void *bytes, size_t len,
              struct dr_err *err)
{
    char path[PATH_MAX];
    if (!is_inside(name)) {
        return dr_err_set(err, DR_E_INVALID, "'%s' is no name of a file in a folder", name);
    }
    enum dr_rc rc = join(folder->path, name, path, err);
    if (rc == DR_OK && dr_path_exists(path)) {
        (void)dr_err_set(err, DR_E_EXISTS, "there is a file '%s' already", path);
        rc = dr_err_hint(err, "name another folder with --out, or move the file away");
    }
    rc = rc == DR_OK ? keep_name(folder, name, err) : rc;
    if (rc != DR_OK || folder->is_dry) {
        return rc;
    }
    rc = join(folder->temporary, name, path, err);
    rc = rc == DR_OK ? make_parents(path, err) : rc;
    return rc == DR_OK ? write_new(path, bytes, len, err) : rc;
}

static void
take_back(struct dr_folder *folder, size_t count)
{
    char path[PATH_MAX];
    struct dr_err ignored;
    for (size_t i = 0; i < count; i++) {
        if (join(folder->path, folder->names[i], path, &ignored) == DR_OK) {
            unlink(path);
        }
    }
}

static enum dr_rc
link_all(struct dr_folder *folder, struct dr_err *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    for (size_t i = 0; i < folder->count; i++) {
        enum dr_rc rc = join(folder->temporary, folder->names[i], from, err);
        rc = rc == DR_OK ? join(folder->path, folder->names[i], to, err) : rc;
        rc = rc == DR_OK ? make_parents(to, err) : rc;
        if (rc == DR_OK && link(from, to) != 0) {
            rc = dr_err_errno(err, errno == EEXIST ? DR_E_EXISTS : DR_E_IO, errno,
                              "cannot make '%s'", to);
        }
        if (rc != DR_OK) {
            take_back(folder, i);
            return rc;
        }
    }
    return DR_OK;
}

static void
sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)syncfs(fd);
        close(fd);
    }
}

enum dr_rc
dr_folder_end(struct dr_folder *folder, struct dr_err *err)
{
    enum dr_rc rc = DR_OK;
    if (folder->is_dry) {
        return DR_OK;
    }
    sync_folder(folder->temporary);
    if (!folder->is_whole) {
        rc = link_all(folder, err);
    } else if (rename(folder->temporary, folder->path) != 0) {
        rc = dr_err_errno(err, DR_E_IO, errno, "cannot make '%s'", folder->path);
    } else {
        folder->temporary[0] = '\0';
    }
    return rc == DR_OK ? dr_file_sync_folder(folder->path, err) : rc;
}

void
dr_folder_free(struct dr_folder **folder)
{
    struct dr_folder *f = *folder;
    struct dr_err ignored;
    if (f == NULL) {
        return;
    }
    if (f->temporary[0] != '\0') {
        (void)!dr_dir_remove(f->temporary, &ignored);
    }
    for (size_t i = 0; i < f->count; i++) {
        free(f->names[i]);
    }
    free(f->names);
    free(f);
    *folder = NULL;
}
