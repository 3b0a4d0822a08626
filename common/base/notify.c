// Notify: see notify.h. A path, or an abstract name behind '@'.
#include "base/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

bool
dr_notify(const char *state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *name = getenv("NOTIFY_SOCKET");
    size_t len = name == NULL ? 0 : strlen(name);
    if (len < 2 || len >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@')) {
        return false;
    }
    memcpy(address.sun_path, name, len);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return false;
    }
    union {
        const struct sockaddr_un *un;
        const struct sockaddr *any;
    } to = {.un = &address};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    size_t n = strlen(state);
    bool is_sent = sendto(fd, state, n, MSG_NOSIGNAL, to.any, size) == (ssize_t)n;
    (void)close(fd);
    return is_sent;
}

bool
dr_notify_reloading(void)
{
    struct timespec now = {0};
    char text[64];
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                   (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return dr_notify(text);
}
