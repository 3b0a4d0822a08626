// Policies as text, written in one fixed form: what stands at its default is left out where it is
// rarely used.

#include "coordinator/cli/policy_text.h"
#include "coordinator/cli/policy_window.h"

#include "trust/gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const dr_policy_gate_names[DR_POLICY_GATES + 1] = {
    NULL,        "backup", "staged", "rollback-proved", "verified", "signoff",
    "rehearsed", "probed", NULL};
const char *const dr_policy_levels[DR_POLICY_LEVELS + 1] = {"none", "listed", "restored", "queried",
                                                            NULL};

static void
put_duration(const char *key, uint64_t seconds, struct dr_buf *out)
{
    const struct {
        uint64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (seconds == 0 ? i < 3 : seconds % units[i].seconds != 0) {
        i++;
    }
    dr_buf_printf(out, "%s = \"%" PRIu64 "%s\"", key, seconds / units[i].seconds, units[i].unit);
}

// Between quotes, so that it is read back as it is and stays on its line.
static void
put_quoted(const char *before, const char *text, const char *after, struct dr_buf *out)
{
    dr_buf_printf(out, "\"%s", before);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\') {
            dr_buf_printf(out, "\\%c", *p);
        } else if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '$') { // "${NAME}" is replaced
            dr_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*p);
        } else {
            dr_buf_add(out, p, 1);
        }
    }
    dr_buf_printf(out, "\"%s", after);
}

static void
put_gate(const Drover__V1__Gate *gate, struct dr_buf *out)
{
    bool is_signoff = gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    bool is_backup = gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP;
    bool is_rehearsed = gate->kind == DROVER__V1__GATE_KIND__GATE_REHEARSED;
    bool is_own = dr_gate_is_of_one_target(gate);
    const char *kind = gate->kind < (int)DR_POLICY_GATES ? dr_policy_gate_names[gate->kind] : NULL;
    char before[160];
    (void)snprintf(before, sizeof before, "%s%s", kind ? kind : "", is_own ? "" : ":");
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED) {
        (void)snprintf(before, sizeof before, "probed:%s:", gate->from_environment);
    }
    dr_buf_str(out, "    gate ");
    put_quoted(before, gate->item[0] != '\0' ? gate->item : gate->from_environment, " {", out);
    if (is_rehearsed) {
        dr_buf_str(out, " ");
        put_duration("max_age", gate->max_age_s, out);
    } else if (is_backup) {
        dr_buf_printf(out, " restore = \"%s\" ",
                      gate->restore_level < (int)DR_POLICY_LEVELS
                          ? dr_policy_levels[gate->restore_level]
                          : "");
        put_duration("max_age", gate->max_age_s, out);
        dr_buf_str(out, " ");
        put_duration("keep", gate->keep_s, out);
    } else if (!is_signoff && !is_own) {
        dr_buf_printf(out, " min_targets = %u ", gate->min_targets);
        put_duration("soak", gate->soak_s, out);
    }
    dr_buf_printf(out, "%s%s }\n", gate->one_way ? " one_way = true" : "",
                  gate->after ? " after = true" : "");
}

static void
put_list(const char *key, char *const *items, size_t n, struct dr_buf *out)
{
    dr_buf_printf(out, "    %s = {", key);
    for (size_t i = 0; i < n; i++) {
        dr_buf_str(out, i ? ", " : "");
        put_quoted("", items[i], "", out);
    }
    dr_buf_str(out, "}\n");
}

static const char *
truth(protobuf_c_boolean value)
{
    return value ? "true" : "false";
}

static void
put_number(const char *key, uint32_t value, struct dr_buf *out)
{
    if (value > 0) {
        dr_buf_printf(out, "    %s = %" PRIu32 "\n", key, value);
    }
}

static void
put_time(const char *key, uint64_t seconds, struct dr_buf *out)
{
    if (seconds > 0) {
        dr_buf_str(out, "    ");
        put_duration(key, seconds, out);
        dr_buf_str(out, "\n");
    }
}

static void
put_probe(const Drover__V1__SqlProbe *probe, struct dr_buf *out)
{
    bool is_sqlite = probe->engine == DROVER__V1__ENGINE__SQLITE;
    dr_buf_str(out, "    probe ");
    put_quoted("", probe->name, " {", out);
    dr_buf_printf(out, " engine = %s sql = ", is_sqlite ? "sqlite" : "postgresql");
    put_quoted("", probe->sql, "", out);
    if (probe->least[0] != '\0') {
        dr_buf_str(out, " least = ");
        put_quoted("", probe->least, "", out);
    }
    if (probe->most[0] != '\0') {
        dr_buf_str(out, " most = ");
        put_quoted("", probe->most, "", out);
    }
    dr_buf_str(out, " ");
    put_duration("every", probe->every_s, out);
    dr_buf_str(out, " }\n");
}

// Waves, windows and probes: each line only where it says something.
static void
put_pace(const Drover__V1__Environment *e, struct dr_buf *out)
{
    if (e->n_wave_percents > 0) {
        dr_buf_str(out, "    wave_percents = {");
        for (size_t i = 0; i < e->n_wave_percents; i++) {
            dr_buf_printf(out, "%s%" PRIu32, i ? ", " : "", e->wave_percents[i]);
        }
        dr_buf_str(out, "}\n");
    }
    put_time("wave_soak", e->wave_soak_s, out);
    put_number("wave_parallel", e->wave_parallel, out);
    put_number("server_parallel", e->server_parallel, out);
    if (e->n_windows > 0) {
        dr_buf_str(out, "    windows = {");
        for (size_t i = 0; i < e->n_windows; i++) {
            char text[DR_POLICY_WINDOW_MAX];
            dr_policy_window_text(e->windows[i], text);
            dr_buf_str(out, i ? ", " : "");
            put_quoted("", text, "", out);
        }
        dr_buf_str(out, "}\n");
    }
    put_time("drift_every", e->drift_every_s, out);
    if (e->rehearse) {
        dr_buf_str(out, "    rehearse = true\n");
    }
    for (size_t i = 0; i < e->n_probes; i++) {
        put_probe(e->probes[i], out);
    }
}

void
dr_policy_text(const Drover__V1__Environment *e, struct dr_buf *out)
{
    dr_buf_printf(out, "environment \"%s\" {\n    rank = %u\n    ", e->name, e->rank);
    put_duration("approval_max", e->approval_max_s, out);
    dr_buf_str(out, "\n    ");
    put_duration("resume_window", e->resume_window_s, out);
    dr_buf_printf(out,
                  "\n    prove = %s\n    refuse_drift = %s\n    author_may_not_approve = %s\n"
                  "    canary_targets = %u\n    failure_budget = %u\n",
                  truth(e->prove), truth(e->refuse_drift), truth(e->author_may_not_approve),
                  e->canary_targets, e->failure_budget);
    put_list("tolerances", e->tolerances, e->n_tolerances, out);
    put_list("wave_labels", e->wave_labels, e->n_wave_labels, out);
    put_pace(e, out);
    for (size_t i = 0; i < e->n_gates; i++) {
        put_gate(e->gates[i], out);
    }
    dr_buf_str(out, "}\n");
}
