// A real server beside the evil coordinator, which logs every statement, for tests of what reaches
// it.
#ifndef DR_TESTS_SUPPORT_EVIL_SERVER_H
#define DR_TESTS_SUPPORT_EVIL_SERVER_H

#include "support/evil.h"

static struct dr_pgcluster *cluster;

static inline int
start(void **state)
{
    static const char *const SETTINGS[] = {"log_statement=all", "log_min_messages=notice", NULL};
    const struct dr_pgcluster_options options = {.settings = SETTINGS};
    (void)state;
    cluster = dr_pgcluster_start(&options);
    return cluster == NULL ? -1 : 0;
}

static inline int
stop(void **state)
{
    (void)state;
    dr_pgcluster_stop(&cluster);
    return 0;
}

static inline unsigned
times_seen(struct evil *e, const char *text)
{
    unsigned n = 0;
    char path[PATH_MAX];
    char *log = NULL;
    size_t len = 0;
    (void)snprintf(path, sizeof path, "%s/log", dr_pgcluster_folder(cluster));
    C_OK(&e->c, dr_file_read(path, 64u << 20, &log, &len, &e->c.err));
    for (const char *at = log;
         (at = memmem(at, (size_t)(log + len - at), text, strlen(text))) != NULL;
         at += strlen(text)) {
        n++;
    }
    free(log);
    return n;
}

#endif
