// Failpoints: see failpoint.h. One variable names one place, so one counter is enough. A socket and
// not a folder of files, because the process that talks to the network may not write any.
#include "base/failpoint.h"

#ifdef DROVER_FAILPOINTS

#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EXIT_AT_FAILPOINT 99
#define NAME_LIMIT        128u
#define ACTION_LIMIT      4096u
#define HITS_LIMIT        1000000u
#define PAUSE_STEP_NS     5000000L

static atomic_uint hits;

struct wanted {
    char name[NAME_LIMIT];
    char action[ACTION_LIMIT];
    uint64_t hit;
};

// "name=action@N"; false when the variable is not of this form.
static bool
parse_wanted(const char *text, struct wanted *out)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || (size_t)(equals - text) >= NAME_LIMIT) {
        return false;
    }
    const char *at = strrchr(equals, '@');
    size_t len = at == NULL ? strlen(equals + 1) : (size_t)(at - equals - 1);
    if (len >= ACTION_LIMIT) {
        return false;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->name, text, (size_t)(equals - text));
    memcpy(out->action, equals + 1, len);
    out->hit = 1;
    return at == NULL || dr_parse_u64(at + 1, 1, HITS_LIMIT, &out->hit);
}

static void
pause_while_there(const char *path)
{
    const struct timespec step = {0, PAUSE_STEP_NS};
    while (access(path, F_OK) == 0) {
        (void)nanosleep(&step, NULL);
    }
}

// Tells the test that listens at `path`, and waits for its answer: "error", or go on. A test that
// is gone lets everything go on.
static int
ask(const char *path, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char line[NAME_LIMIT + 32];
    char answer[8] = "";
    int fd = -1;
    if (strlen(path) < sizeof address.sun_path) {
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    int len = snprintf(line, sizeof line, "%s %d\n", name, (int)getpid());
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, line, (size_t)len, MSG_NOSIGNAL) == len) {
        ssize_t got = 0;
        do {
            got = recv(fd, answer, sizeof answer - 1, 0);
        } while (got < 0 && errno == EINTR);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return strncmp(answer, "error", 5) == 0;
}

int
dr_failpoint_hit(const char *name)
{
    const char *path = getenv("DROVER_FAILPOINT_SOCKET");
    const char *text = getenv("DROVER_FAILPOINT");
    struct wanted wanted;
    if (path != NULL) {
        int before = errno;
        int fails = ask(path, name);
        errno = before;
        return fails;
    }
    if (text == NULL || !parse_wanted(text, &wanted) || strcmp(wanted.name, name) != 0) {
        return 0;
    }
    if (atomic_fetch_add(&hits, 1) + 1 != wanted.hit) {
        return 0;
    }
    if (strcmp(wanted.action, "kill") == 0) {
        (void)kill(getpid(), SIGKILL);
    } else if (strcmp(wanted.action, "exit") == 0) {
        _exit(EXIT_AT_FAILPOINT);
    } else if (dr_str_starts(wanted.action, "pause:")) {
        pause_while_there(wanted.action + strlen("pause:"));
        return 0;
    }
    return strcmp(wanted.action, "error") == 0;
}

#else
typedef int dr_failpoints_are_off;
#endif
