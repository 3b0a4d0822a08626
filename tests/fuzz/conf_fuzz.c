// Any bytes as a configuration file.

#include "base/conf.h"
#include "base/file.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dr_conf_key target[] = {{"url", DR_CONF_STR, NULL, true, NULL, "address"},
                                                {0}};
    static const struct dr_conf_key keys[] = {
        {"name", DR_CONF_STR, "x", false, NULL, "name"},
        {"port", DR_CONF_INT, "1", false, NULL, "port"},
        {"keep", DR_CONF_DURATION, "1s", false, NULL, "time"},
        {"is_on", DR_CONF_BOOL, "no", false, NULL, "switch"},
        {"list", DR_CONF_LIST, NULL, false, NULL, "names"},
        {"target", DR_CONF_SECTION, NULL, false, target, "targets"},
        {0}};
    struct dr_conf *conf = NULL;
    struct dr_err err = {0};
    char path[64];
    int fd = memfd_create("conf", MFD_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (dr_fd_write_all(fd, data, size) && dr_conf_read(path, keys, &conf, &err) == DR_OK) {
        for (size_t i = 0; i < dr_conf_section_count(conf, "target"); i++) {
            (void)dr_conf_title(dr_conf_section_at(conf, "target", i));
        }
        (void)dr_conf_duration_ms(conf, "keep");
    }
    dr_conf_free(&conf);
    close(fd);
    return 0;
}
