// Confine: a user of its own where there is one, Landlock where the kernel has it.
#include "agent/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READS                                                                                      \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)
// All rights of Landlock's first version.
#define ALL_RIGHTS ((1ull << 13) - 1)

enum dr_rc
dr_confine_user(const char *user, struct dr_err *err)
{
    if (user == NULL || user[0] == '\0' || geteuid() != 0) {
        return DR_OK;
    }
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        return dr_err_set(err, DR_E_NOT_FOUND, "there is no user '%s'", user);
    }
    if (setgroups(0, NULL) != 0 || setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
        setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
        return dr_err_errno(err, DR_E_PERMISSION, errno, "cannot become user '%s'", user);
    }
    return DR_OK;
}

bool
dr_confine_is_available(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

static void
allow(int ruleset, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd >= 0) {
        struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
        (void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
        (void)close(fd);
    }
}

bool
dr_confine_files(const char *also)
{
    static const char *const READABLE[] = {"/etc", "/usr", "/lib", "/lib64", "/run", "/proc"};
    struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_RIGHTS};
    if (!dr_confine_is_available()) {
        return false;
    }
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (ruleset < 0) {
        return false;
    }
    for (size_t i = 0; i < DR_COUNT_OF(READABLE); i++) {
        allow(ruleset, READABLE[i], READS);
    }
    if (also[0] != '\0') {
        allow(ruleset, also, LANDLOCK_ACCESS_FS_READ_FILE);
    }
    bool is_on = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                 syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    (void)close(ruleset);
    return is_on;
}
