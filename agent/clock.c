// Clock: see clock.h.
#include "agent/clock.h"

#include "agent/trusted.h"
#include "base/clock.h"

enum dr_rc
dr_agent_clock(const struct dr_agent_config *config, bool resets, FILE *out, struct dr_err *err)
{
    struct dr_trust_store *store = NULL;
    char seen[32] = "none yet";
    char now[32];
    enum dr_rc rc = dr_agent_trust_open(config, &store, err);
    if (rc != DR_OK) {
        return rc;
    }
    int64_t high = dr_trust_store_get(store)->clock_high;
    if (high > 0) {
        dr_format_time(seen, high);
    }
    dr_format_time(now, dr_now_unix_s());
    (void)fprintf(
        out, "latest time in a verified document: %s\nthis host's clock:                  %s\n",
        seen, now);
    if (resets) {
        rc = dr_trust_store_reset_clock(store, err);
    }
    if (resets && rc == DR_OK) {
        (void)fprintf(out, "forgotten: the next document that is verified sets it again\n");
    }
    dr_trust_store_close(&store);
    return rc;
}
