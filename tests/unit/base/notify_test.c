// Notify: one datagram to the service manager's socket, and silence where there is none.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/notify.h"
#include "support/test_tmp.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
listen_at(const char *name, bool is_abstract)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    assert_true(len < sizeof address.sun_path);
    memcpy(address.sun_path, name, len);
    address.sun_path[0] = is_abstract ? '\0' : address.sun_path[0];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    union {
        const struct sockaddr_un *un;
        const struct sockaddr *any;
    } at = {.un = &address};
    assert_int_equal(bind(fd, at.any, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    return fd;
}

static void
heard(int fd, const char *begin)
{
    char text[128] = "";
    assert_true(recv(fd, text, sizeof text - 1, 0) > 0);
    assert_memory_equal(text, begin, strlen(begin));
}

static void
the_manager_hears_one_datagram_by_path_and_by_abstract_name(void **state)
{
    struct dr_tmp tmp;
    char path[PATH_MAX];
    char name[64];
    (void)state;
    dr_tmp_init(&tmp);
    (void)dr_tmp_path(&tmp, "notify", path);
    int fd = listen_at(path, false);
    (void)setenv("NOTIFY_SOCKET", path, 1);
    assert_true(dr_notify("READY=1"));
    heard(fd, "READY=1");
    assert_true(dr_notify_reloading());
    heard(fd, "RELOADING=1\nMONOTONIC_USEC=");
    (void)close(fd);
    (void)snprintf(name, sizeof name, "@drover-notify-test-%d", (int)getpid());
    fd = listen_at(name, true);
    (void)setenv("NOTIFY_SOCKET", name, 1);
    assert_true(dr_notify("STOPPING=1"));
    heard(fd, "STOPPING=1");
    (void)close(fd);
    dr_tmp_fini(&tmp);
}

static void
nobody_is_told_where_nobody_listens(void **state)
{
    char large[300];
    (void)state;
    memset(large, 'x', sizeof large - 1);
    large[0] = '/';
    large[sizeof large - 1] = '\0';
    (void)unsetenv("NOTIFY_SOCKET");
    assert_false(dr_notify("READY=1"));
    (void)setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
    assert_false(dr_notify("READY=1"));
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    assert_false(dr_notify("READY=1"));
    (void)setenv("NOTIFY_SOCKET", large, 1);
    assert_false(dr_notify("READY=1"));
    (void)unsetenv("NOTIFY_SOCKET");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manager_hears_one_datagram_by_path_and_by_abstract_name),
        cmocka_unit_test(nobody_is_told_where_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
