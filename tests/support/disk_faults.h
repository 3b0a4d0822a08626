// A disk that fails, for one test program: the system calls that make files last are defined here,
// in front of the C library's, so that SQLite and our own code meet them alike. A fake, since a
// full or dying disk cannot be had without privileges; it works on files of one folder only.
//
// It can refuse writes (ENOSPC) or flushes (EIO) from the N-th on, and it can cut the power: then
// only what was flushed is there, in a copy of the folder. Files count as flushed by fsync or
// fdatasync, names (made, renamed, removed) by an fsync of the folder. Included once per test
// program.
#ifndef DR_TESTS_SUPPORT_DISK_FAULTS_H
#define DR_TESTS_SUPPORT_DISK_FAULTS_H

#include "base/file.h"
#include "support/test_tmp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DISK_NAMES 32u
#define DISK_FILE  (4u << 20) // bytes of the largest file

enum disk_fault {
    DISK_SOUND,
    DISK_FULL,       // writes fail
    DISK_NO_FLUSH,   // flushes fail
    DISK_POWER_LOSS, // the process ends there, with status DISK_CUT
};
#define DISK_CUT 77

// What is left of changes that were never flushed: an operating system may have written any of
// them.
enum disk_left {
    DISK_LEFT_NAMES = 1,
    DISK_LEFT_EVEN = 2, // content of files whose inode is even
    DISK_LEFT_ODD = 4,
    DISK_LEFT_END = 8
};

struct disk {
    char folder[PATH_MAX / 2]; // real path; "": no fault anywhere
    enum disk_fault fault;
    unsigned at; // the call that fails, from 1; calls after it fail too unless `once`
    bool once;
    unsigned calls; // that the fault is about, so far
    // for DISK_POWER_LOSS
    char vault[PATH_MAX / 2]; // flushed content, a file for each inode
    char image[PATH_MAX / 2]; // what is found after the power is back
    unsigned left;            // of enum disk_left
    size_t names_count;
    struct disk_name {
        char name[NAME_MAX + 1];
        uint64_t node;
    } names[DISK_NAMES]; // flushed
};

static struct disk disk;

static inline void
disk_must(bool is_good, const char *what)
{
    if (!is_good) {
        (void)fprintf(stderr, "disk_faults: %s: %s\n", what, strerror(errno));
        abort();
    }
}

static inline void
disk_path(char out[PATH_MAX], const char *folder, const char *name)
{
    disk_must(snprintf(out, PATH_MAX, "%s/%s", folder, name) < PATH_MAX, "the path is too long");
}

static inline void
disk_copy(const char *from, const char *to)
{
    static char bytes[DISK_FILE];
    int in = open(from, O_RDONLY | O_CLOEXEC);
    disk_must(in >= 0, from);
    ssize_t n = read(in, bytes, sizeof bytes);
    disk_must(n >= 0 && (size_t)n < sizeof bytes, from);
    (void)close(in);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    disk_must(out >= 0, to);
    for (ssize_t at = 0; at < n;) {
        long written = syscall(SYS_write, out, bytes + at, (size_t)(n - at));
        disk_must(written > 0, to);
        at += written;
    }
    (void)close(out);
}

static inline void
disk_keep_content(const char *path, uint64_t node)
{
    char name[32], to[PATH_MAX];
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)node);
    disk_path(to, disk.vault, name);
    disk_copy(path, to);
}

// The folder as it is now.
static inline size_t
disk_list(struct disk_name out[DISK_NAMES])
{
    DIR *dir = opendir(disk.folder);
    size_t n = 0;
    disk_must(dir != NULL, disk.folder);
    for (const struct dirent *d; (d = readdir(dir)) != NULL;) {
        char path[PATH_MAX];
        struct stat st;
        disk_path(path, disk.folder, d->d_name);
        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            disk_must(n < DISK_NAMES, "too many names");
            (void)snprintf(out[n].name, sizeof out[n].name, "%s", d->d_name);
            out[n++].node = (uint64_t)st.st_ino;
        }
    }
    (void)closedir(dir);
    return n;
}

// Everything that is there now counts as flushed.
static inline void
disk_keep_all(void)
{
    disk.names_count = disk_list(disk.names);
    for (size_t i = 0; i < disk.names_count; i++) {
        char path[PATH_MAX];
        disk_path(path, disk.folder, disk.names[i].name);
        disk_keep_content(path, disk.names[i].node);
    }
}

static inline bool
disk_find_now(uint64_t node, const struct disk_name *now, size_t n, char out[PATH_MAX])
{
    for (size_t i = 0; i < n; i++) {
        if (now[i].node == node) {
            disk_path(out, disk.folder, now[i].name);
            return true;
        }
    }
    return false;
}

// Makes the image of what a power cut at this instant leaves.
static inline void
disk_make_image(void)
{
    static struct disk_name now[DISK_NAMES];
    size_t n_now = disk_list(now);
    bool keeps_names = (disk.left & DISK_LEFT_NAMES) != 0;
    const struct disk_name *names = keeps_names ? now : disk.names;
    size_t n = keeps_names ? n_now : disk.names_count;
    for (size_t i = 0; i < n; i++) {
        char from[PATH_MAX], to[PATH_MAX], node[32];
        bool is_left = (disk.left & (names[i].node % 2 == 0 ? DISK_LEFT_EVEN : DISK_LEFT_ODD)) != 0;
        disk_path(to, disk.image, names[i].name);
        (void)snprintf(node, sizeof node, "%llu", (unsigned long long)names[i].node);
        if (!is_left || !disk_find_now(names[i].node, now, n_now, from)) {
            disk_path(from, disk.vault, node);
        }
        disk_copy(access(from, F_OK) == 0 ? from : "/dev/null", to);
    }
}

static inline bool
disk_owns(const char *path)
{
    size_t len = strlen(disk.folder);
    return len > 0 && strncmp(path, disk.folder, len) == 0 &&
           (path[len] == '/' || path[len] == '\0');
}

static inline bool
disk_owns_fd(int fd, char path[PATH_MAX])
{
    char link[64];
    if (disk.folder[0] == '\0' || disk.fault == DISK_SOUND) {
        return false;
    }
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = '\0';
    return disk_owns(path);
}

// Counts a call that a fault is about; true when it shall fail.
static inline bool
disk_fails(enum disk_fault fault)
{
    if (disk.fault == DISK_POWER_LOSS) {
        if (++disk.calls == disk.at) {
            disk_make_image();
            _exit(DISK_CUT);
        }
        return false;
    }
    if (disk.fault != fault) {
        return false;
    }
    disk.calls++;
    return disk.once ? disk.calls == disk.at : disk.calls >= disk.at;
}

static inline long
disk_write_fault(int fd)
{
    char path[PATH_MAX];
    if (disk_owns_fd(fd, path) && disk_fails(DISK_FULL)) {
        errno = ENOSPC;
        return -1;
    }
    return 0;
}

// A flush: what it is about is kept. Removed files have no name to flush by, and need none.
static inline int
disk_flush(int fd, long number)
{
    char path[PATH_MAX];
    struct stat st;
    if (!disk_owns_fd(fd, path)) {
        return (int)syscall(number, fd);
    }
    if (disk_fails(DISK_NO_FLUSH)) {
        errno = EIO;
        return -1;
    }
    if (disk.fault == DISK_POWER_LOSS && fstat(fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            disk.names_count = disk_list(disk.names);
        } else if (access(path, F_OK) == 0) {
            disk_keep_content(path, (uint64_t)st.st_ino);
        }
        return 0;
    }
    return (int)syscall(number, fd);
}

// A file goes whose name may still be found after a power cut. Its inode may be given to a new
// file, so what was flushed of it gets a number of its own.
static inline void
disk_part_from(const char *path)
{
    static uint64_t last = 1ull << 62;
    char old[32], new[32], from[PATH_MAX], to[PATH_MAX];
    struct stat st;
    if (lstat(path, &st) != 0) {
        return;
    }
    last += 2;
    for (size_t i = 0; i < disk.names_count; i++) {
        if (disk.names[i].node == (uint64_t)st.st_ino) {
            disk.names[i].node = last + (uint64_t)st.st_ino % 2;
        }
    }
    (void)snprintf(old, sizeof old, "%llu", (unsigned long long)st.st_ino);
    (void)snprintf(new, sizeof new, "%llu", (unsigned long long)(last + (uint64_t)st.st_ino % 2));
    disk_path(from, disk.vault, old);
    disk_path(to, disk.vault, new);
    (void)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

// ----------------------------------------------------------------------------- in front of libc

int
fsync(int fd)
{
    return disk_flush(fd, SYS_fsync);
}

int
fdatasync(int fd)
{
    return disk_flush(fd, SYS_fdatasync);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
    return disk_write_fault(fd) != 0 ? -1 : syscall(SYS_write, fd, bytes, len);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return disk_write_fault(fd) != 0 ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at);
}

int
ftruncate64(int fd, off64_t len)
{
    char path[PATH_MAX];
    if (disk_owns_fd(fd, path)) {
        (void)disk_fails(DISK_POWER_LOSS);
    }
    return (int)syscall(SYS_ftruncate, fd, len);
}

int
unlink(const char *path)
{
    if (disk.fault == DISK_POWER_LOSS && disk_owns(path)) {
        (void)disk_fails(DISK_POWER_LOSS);
        disk_part_from(path);
    }
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int
rename(const char *from, const char *to)
{
    if (disk.fault == DISK_POWER_LOSS && disk_owns(to)) {
        (void)disk_fails(DISK_POWER_LOSS);
        disk_part_from(to);
    }
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

#endif
