// Trusted: see trusted.h.
#include "agent/trusted.h"

#include "base/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define ROOT_FILE_MAX (256u * 1024u)

enum dr_rc
dr_agent_trust_open(const struct dr_agent_config *config, struct dr_trust_store **out,
                    struct dr_err *err)
{
    char folder[PATH_MAX];
    char *root = NULL;
    size_t len = 0;
    (void)snprintf(folder, sizeof folder, "%.*s/trust", PATH_MAX - 16, config->state);
    enum dr_rc rc = dr_file_read(config->root, ROOT_FILE_MAX, &root, &len, err);
    if (rc != DR_OK) {
        return rc;
    }
    const struct dr_bytes first = {.data = (const uint8_t *)root, .len = len};
    rc = dr_trust_store_open(folder, first, config->root_sha256, out, err);
    free(root);
    if (rc == DR_E_CONFLICT) {
        (void)dr_err_set(err, rc, "another drover-agent runs with the state folder '%s'",
                         config->state);
        (void)dr_err_hint(err, "stop that one first, or give this one a state folder of its own");
    }
    return rc;
}
