// Policies as text: written in one fixed form, read through libconfuse.

#include "coordinator/cli/policy_text.h"

#include "base/conf.h"
#include "trust/fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const gate_names[] = {NULL,       "backup", "staged", "rollback-proved",
                                         "verified", "signoff"};
static const char *const levels[] = {"none", "listed", "restored", "queried"};

static const struct dr_conf_key gate_keys[] = {
    {"min_targets", DR_CONF_INT, "1", false, NULL, "how many of its targets"},
    {"soak", DR_CONF_DURATION, "0", false, NULL, "how long it must have been there"},
    {"max_age", DR_CONF_DURATION, "0", false, NULL, "backup: oldest that counts"},
    {"restore", DR_CONF_STR, "listed", false, NULL, "backup: listed, restored or queried"},
    {"keep", DR_CONF_DURATION, "0", false, NULL, "backup: not deleted before"},
    {"after", DR_CONF_BOOL, "false", false, NULL, "asked for afterwards; does not hold the start"},
    {0},
};
static const struct dr_conf_key environment_keys[] = {
    {"rank", DR_CONF_INT, NULL, true, NULL, "order: 1 comes first"},
    {"approval_max", DR_CONF_DURATION, "4h", false, NULL, "longest life of an approval"},
    {"resume_window", DR_CONF_DURATION, "1h", false, NULL, "how long a run may be resumed"},
    {"prove", DR_CONF_BOOL, "false", false, NULL, "run up, down, up: the rollback proof"},
    {"refuse_drift", DR_CONF_BOOL, "false", false, NULL, "refuse a schema that was changed"},
    {"author_may_not_approve", DR_CONF_BOOL, "false", false, NULL, "four eyes"},
    {"canary_targets", DR_CONF_INT, "0", false, NULL, "size of the first wave"},
    {"failure_budget", DR_CONF_INT, "0", false, NULL, "targets that may fail"},
    {"tolerances", DR_CONF_LIST, NULL, false, NULL, "objects that may differ in a fingerprint"},
    {"wave_labels", DR_CONF_LIST, NULL, false, NULL, "labels that make the waves, in order"},
    {"gate", DR_CONF_SECTION, NULL, false, gate_keys,
     "backup, staged:ENV, rollback-proved:ENV, verified:ENV, signoff:ITEM"},
    {0},
};
static const struct dr_conf_key file_keys[] = {
    {"environment", DR_CONF_SECTION, NULL, true, environment_keys, "one for each environment"},
    {0},
};

// ---- writing

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
    const char *kind = gate_names[gate->kind % DR_COUNT_OF(gate_names)];
    char before[32];
    (void)snprintf(before, sizeof before, "%s%s", kind ? kind : "", is_backup ? "" : ":");
    dr_buf_str(out, "    gate ");
    put_quoted(before, is_signoff ? gate->item : gate->from_environment, " {", out);
    if (is_backup) {
        dr_buf_printf(out, " restore = \"%s\" ", levels[gate->restore_level % DR_COUNT_OF(levels)]);
        put_duration("max_age", gate->max_age_s, out);
        dr_buf_str(out, " ");
        put_duration("keep", gate->keep_s, out);
    } else if (!is_signoff) {
        dr_buf_printf(out, " min_targets = %u ", gate->min_targets);
        put_duration("soak", gate->soak_s, out);
    }
    dr_buf_printf(out, "%s }\n", gate->after ? " after = true" : "");
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
    for (size_t i = 0; i < e->n_gates; i++) {
        put_gate(e->gates[i], out);
    }
    dr_buf_str(out, "}\n");
}

// ---- reading

static enum dr_rc
refuse(const struct dr_conf *conf, struct dr_err *err, const char *what, const char *value,
       const char *hint)
{
    dr_err_set(err, DR_E_CONFIG, "%s '%s'", what, value);
    dr_err_at(err, dr_conf_path(conf), 1, 1);
    return dr_err_hint(err, "%s", hint);
}

static enum dr_rc
read_kind(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Gate *gate,
          struct dr_err *err)
{
    const char *title = dr_conf_title(conf);
    const char *colon = strchr(title, ':');
    const char *rest = colon ? colon + 1 : "";
    size_t len = colon ? (size_t)(colon - title) : strlen(title);
    for (size_t i = 1; i < DR_COUNT_OF(gate_names); i++) {
        if (strlen(gate_names[i]) == len && memcmp(gate_names[i], title, len) == 0) {
            gate->kind = (Drover__V1__GateKind)i;
        }
    }
    bool is_backup = gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP;
    bool is_signoff = gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_NONE || is_backup == (colon != NULL) ||
        (!is_backup && !dr_name_is_valid(rest))) {
        return refuse(conf, err, "there is no gate", title,
                      "backup, staged:ENV, rollback-proved:ENV, verified:ENV or signoff:ITEM");
    }
    gate->item = dr_arena_str(cli->arena, is_signoff ? rest : "");
    gate->from_environment = dr_arena_str(cli->arena, is_signoff ? "" : rest);
    return gate->item && gate->from_environment ? DR_OK
                                                : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static uint64_t
seconds(const struct dr_conf *conf, const char *key)
{
    return dr_conf_duration_ms(conf, key) / 1000;
}

static enum dr_rc
read_number(const struct dr_conf *conf, const char *key, uint32_t *out, struct dr_err *err)
{
    int64_t value = dr_conf_int(conf, key);
    if (value < 0 || value > 100000) {
        dr_err_set(err, DR_E_CONFIG, "'%s' of '%s' is not between 0 and 100000", key,
                   dr_conf_title(conf));
        return dr_err_at(err, dr_conf_path(conf), 1, 1);
    }
    *out = (uint32_t)value;
    return DR_OK;
}

static enum dr_rc
read_gate(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Gate *gate,
          struct dr_err *err)
{
    const char *level = dr_conf_str(conf, "restore");
    drover__v1__gate__init(gate);
    enum dr_rc rc = read_kind(conf, cli, gate, err);
    bool is_backup = gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP;
    bool is_signoff = gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    gate->after = dr_conf_bool(conf, "after");
    if (rc != DR_OK || is_signoff) {
        return rc;
    }
    gate->soak_s = is_backup ? 0 : seconds(conf, "soak");
    gate->max_age_s = is_backup ? seconds(conf, "max_age") : 0;
    gate->keep_s = is_backup ? seconds(conf, "keep") : 0;
    if (!is_backup) {
        return read_number(conf, "min_targets", &gate->min_targets, err);
    }
    for (size_t i = 1; i < DR_COUNT_OF(levels); i++) {
        if (dr_str_eq(level, levels[i])) {
            gate->restore_level = (Drover__V1__RestoreLevel)i;
            return DR_OK;
        }
    }
    return refuse(conf, err, "there is no level of restore", level, "listed, restored or queried");
}

static enum dr_rc
read_list(const struct dr_conf *conf, struct dr_cli *cli, const char *key, char ***out,
          size_t *out_n, struct dr_err *err)
{
    size_t n = dr_conf_list_len(conf, key);
    *out = dr_arena_array(cli->arena, n + 1, sizeof(**out));
    for (size_t i = 0; *out != NULL && i < n; i++) {
        (*out)[i] = dr_arena_str(cli->arena, dr_conf_list_at(conf, key, i));
    }
    *out_n = n;
    return *out != NULL ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
}

static enum dr_rc
read_environment(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Environment *e,
                 struct dr_err *err)
{
    size_t n = dr_conf_section_count(conf, "gate");
    Drover__V1__Gate *gates = dr_arena_array(cli->arena, n + 1, sizeof(*gates));
    drover__v1__environment__init(e);
    e->name = dr_arena_str(cli->arena, dr_conf_title(conf));
    e->gates = dr_arena_array(cli->arena, n + 1, sizeof(*e->gates));
    if (gates == NULL || e->gates == NULL || e->name == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    e->approval_max_s = seconds(conf, "approval_max");
    e->resume_window_s = seconds(conf, "resume_window");
    e->prove = dr_conf_bool(conf, "prove");
    e->refuse_drift = dr_conf_bool(conf, "refuse_drift");
    e->author_may_not_approve = dr_conf_bool(conf, "author_may_not_approve");
    enum dr_rc rc = read_number(conf, "rank", &e->rank, err);
    rc = rc == DR_OK ? read_number(conf, "canary_targets", &e->canary_targets, err) : rc;
    rc = rc == DR_OK ? read_number(conf, "failure_budget", &e->failure_budget, err) : rc;
    rc = rc == DR_OK ? read_list(conf, cli, "tolerances", &e->tolerances, &e->n_tolerances, err)
                     : rc;
    rc = rc == DR_OK ? read_list(conf, cli, "wave_labels", &e->wave_labels, &e->n_wave_labels, err)
                     : rc;
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = read_gate(dr_conf_section_at(conf, "gate", i), cli, &gates[i], err);
        e->gates[e->n_gates++] = &gates[i];
    }
    return rc;
}

enum dr_rc
dr_policy_read(struct dr_cli *cli, const char *path, Drover__V1__Environment ***out, size_t *out_n,
               struct dr_err *err)
{
    struct dr_conf *conf = NULL;
    enum dr_rc rc = dr_conf_read(path, file_keys, &conf, err);
    if (rc != DR_OK) {
        return rc;
    }
    size_t n = dr_conf_section_count(conf, "environment");
    Drover__V1__Environment *rows = dr_arena_array(cli->arena, n + 1, sizeof(*rows));
    *out = dr_arena_array(cli->arena, n + 1, sizeof(**out));
    *out_n = 0;
    if (n > DR_POLICY_ENVIRONMENTS_MAX) {
        rc = dr_err_set(err, DR_E_LIMIT, "%zu environments, at most %u", n,
                        DR_POLICY_ENVIRONMENTS_MAX);
    } else if (rows == NULL || *out == NULL) {
        rc = dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = read_environment(dr_conf_section_at(conf, "environment", i), cli, &rows[i], err);
        (*out)[(*out_n)++] = &rows[i];
    }
    dr_conf_free(&conf);
    return rc;
}
