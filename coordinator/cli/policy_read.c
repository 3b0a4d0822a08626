// Policies as text, read through libconfuse.

#include "coordinator/cli/policy_text.h"
#include "coordinator/cli/policy_window.h"

#include "base/conf.h"
#include "trust/gate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DR_POLICY_GATE_KINDS                                                                       \
    "backup, staged:ENV, rollback-proved:ENV, verified, verified:ENV, signoff:ITEM, rehearsed "    \
    "or probed:ENV:PROBE"

static const struct dr_conf_key gate_keys[] = {
    {"min_targets", DR_CONF_INT, "1", false, NULL, "how many of its targets"},
    {"soak", DR_CONF_DURATION, "0", false, NULL, "how long it must have been there"},
    {"max_age", DR_CONF_DURATION, "0", false, NULL, "backup, rehearsed: oldest that counts"},
    {"restore", DR_CONF_STR, "listed", false, NULL, "backup: listed, restored or queried"},
    {"keep", DR_CONF_DURATION, "0", false, NULL, "backup: not deleted before"},
    {"one_way", DR_CONF_BOOL, "false", false, NULL, "rollback-proved: admit what has no way back"},
    {"after", DR_CONF_BOOL, "false", false, NULL, "asked for afterwards; does not hold the start"},
    {0},
};
static const struct dr_conf_key probe_keys[] = {
    {"sql", DR_CONF_STR, NULL, true, NULL, "one SELECT that gives one number"},
    {"engine", DR_CONF_STR, "postgresql", false, NULL, "targets of this engine are asked"},
    {"least", DR_CONF_STR, "", false, NULL, "below it the probe has not passed"},
    {"most", DR_CONF_STR, "", false, NULL, "above it the probe has not passed"},
    {"every", DR_CONF_DURATION, "30s", false, NULL, "how often it is asked"},
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
    {"wave_percents", DR_CONF_LIST, NULL, false, NULL, "size of each wave, summing to 100"},
    {"wave_soak", DR_CONF_DURATION, "0", false, NULL, "how long a wave is looked at"},
    {"wave_parallel", DR_CONF_INT, "0", false, NULL, "most targets running at once; 0: no limit"},
    {"server_parallel", DR_CONF_INT, "0", false, NULL, "and on one database server"},
    {"windows", DR_CONF_LIST, NULL, false, NULL, "when runs may start: mon-thu 09:00-16:00 UTC"},
    {"drift_every", DR_CONF_DURATION, "0", false, NULL, "how often agents look for drift"},
    {"rehearse", DR_CONF_BOOL, "false", false, NULL, "READY comes after a rehearsal"},
    {"probe", DR_CONF_SECTION, NULL, false, probe_keys, "what is asked while a wave soaks"},
    {"gate", DR_CONF_SECTION, NULL, false, gate_keys, DR_POLICY_GATE_KINDS},
    {0},
};
static const struct dr_conf_key file_keys[] = {
    {"environment", DR_CONF_SECTION, NULL, true, environment_keys, "one for each environment"},
    {0},
};

static enum dr_rc
refuse(const struct dr_conf *conf, struct dr_err *err, const char *what, const char *value,
       const char *hint)
{
    dr_err_set(err, DR_E_CONFIG, "%s '%s'", what, value);
    dr_err_at(err, dr_conf_path(conf), 1, 1);
    return dr_err_hint(err, "%s", hint);
}

static enum dr_rc
no_gate(const struct dr_conf *conf, struct dr_err *err)
{
    return refuse(conf, err, "there is no gate", dr_conf_title(conf), DR_POLICY_GATE_KINDS);
}

// What stands behind the colon: an environment, an item, or for probed both.
static enum dr_rc
read_subject(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Gate *gate,
             const char *rest, struct dr_err *err)
{
    bool is_signoff = gate->kind == DROVER__V1__GATE_KIND__GATE_SIGNOFF;
    bool is_probed = gate->kind == DROVER__V1__GATE_KIND__GATE_PROBED;
    const char *colon = is_probed ? strchr(rest, ':') : NULL;
    gate->item = dr_arena_str(cli->arena, is_signoff ? rest : colon ? colon + 1 : "");
    gate->from_environment = colon ? dr_arena_printf(cli->arena, "%.*s", (int)(colon - rest), rest)
                                   : dr_arena_str(cli->arena, is_signoff ? "" : rest);
    if (gate->item == NULL || gate->from_environment == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    bool has_item = dr_name_is_valid(gate->item) == (is_signoff || is_probed);
    bool has_environment = is_signoff || dr_name_is_valid(gate->from_environment);
    return has_item && has_environment ? DR_OK : no_gate(conf, err);
}

static enum dr_rc
read_kind(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Gate *gate,
          struct dr_err *err)
{
    const char *title = dr_conf_title(conf);
    const char *colon = strchr(title, ':');
    size_t len = colon ? (size_t)(colon - title) : strlen(title);
    for (size_t i = 1; i < DR_POLICY_GATES; i++) {
        const char *name = dr_policy_gate_names[i];
        if (strlen(name) == len && memcmp(name, title, len) == 0) {
            gate->kind = (Drover__V1__GateKind)i;
        }
    }
    bool is_verified = gate->kind == DROVER__V1__GATE_KIND__GATE_VERIFIED;
    bool is_own = gate->kind == DROVER__V1__GATE_KIND__GATE_BACKUP ||
                  gate->kind == DROVER__V1__GATE_KIND__GATE_REHEARSED ||
                  (is_verified && colon == NULL);
    if (gate->kind == DROVER__V1__GATE_KIND__GATE_NONE || is_own == (colon != NULL)) {
        return no_gate(conf, err);
    }
    return is_own ? DR_OK : read_subject(conf, cli, gate, colon + 1, err);
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
read_level(const struct dr_conf *conf, Drover__V1__Gate *gate, struct dr_err *err)
{
    const char *level = dr_conf_str(conf, "restore");
    for (size_t i = 1; i < DR_POLICY_LEVELS; i++) {
        if (dr_str_eq(level, dr_policy_levels[i])) {
            gate->restore_level = (Drover__V1__RestoreLevel)i;
            return DR_OK;
        }
    }
    return refuse(conf, err, "there is no level of restore", level, "listed, restored or queried");
}

static enum dr_rc
read_gate(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Gate *gate,
          struct dr_err *err)
{
    drover__v1__gate__init(gate);
    enum dr_rc rc = read_kind(conf, cli, gate, err);
    gate->after = dr_conf_bool(conf, "after");
    if (rc != DR_OK) {
        return rc;
    }
    if (dr_gate_is_own_verified(gate)) {
        gate->after = true; // what is there can be looked at only then
        return DR_OK;
    }
    switch (gate->kind) {
    case DROVER__V1__GATE_KIND__GATE_SIGNOFF:
        return DR_OK;
    case DROVER__V1__GATE_KIND__GATE_REHEARSED:
        gate->max_age_s = seconds(conf, "max_age");
        return DR_OK;
    case DROVER__V1__GATE_KIND__GATE_BACKUP:
        gate->max_age_s = seconds(conf, "max_age");
        gate->keep_s = seconds(conf, "keep");
        return read_level(conf, gate, err);
    default:
        gate->one_way = gate->kind == DROVER__V1__GATE_KIND__GATE_ROLLBACK_PROVED &&
                        dr_conf_bool(conf, "one_way");
        gate->soak_s = seconds(conf, "soak");
        return read_number(conf, "min_targets", &gate->min_targets, err);
    }
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
read_percents(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Environment *e,
              struct dr_err *err)
{
    size_t n = dr_conf_list_len(conf, "wave_percents");
    e->wave_percents = dr_arena_array(cli->arena, n + 1, sizeof(*e->wave_percents));
    if (e->wave_percents == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        const char *text = dr_conf_list_at(conf, "wave_percents", i);
        char *end = NULL;
        long value = strtol(text, &end, 10);
        if (end == text || *end != '\0' || value < 1 || value > 100) {
            return refuse(conf, err, "this is no share of a wave:", text,
                          "whole numbers from 1 to 100: wave_percents = {10, 40, 50}");
        }
        e->wave_percents[e->n_wave_percents++] = (uint32_t)value;
    }
    return DR_OK;
}

static enum dr_rc
read_windows(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Environment *e,
             struct dr_err *err)
{
    size_t n = dr_conf_list_len(conf, "windows");
    Drover__V1__Window *rows = dr_arena_array(cli->arena, n + 1, sizeof(*rows));
    e->windows = dr_arena_array(cli->arena, n + 1, sizeof(*e->windows));
    if (rows == NULL || e->windows == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        enum dr_rc rc =
            dr_policy_window_parse(cli->arena, dr_conf_list_at(conf, "windows", i), &rows[i], err);
        if (rc != DR_OK) {
            return dr_err_at(err, dr_conf_path(conf), 1, 1);
        }
        e->windows[e->n_windows++] = &rows[i];
    }
    return DR_OK;
}

static enum dr_rc
read_probe(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__SqlProbe *probe,
           struct dr_err *err)
{
    const char *engine = dr_conf_str(conf, "engine");
    const char *const bounds[] = {dr_conf_str(conf, "least"), dr_conf_str(conf, "most")};
    drover__v1__sql_probe__init(probe);
    probe->name = dr_arena_str(cli->arena, dr_conf_title(conf));
    probe->sql = dr_arena_str(cli->arena, dr_conf_str(conf, "sql"));
    probe->least = dr_arena_str(cli->arena, bounds[0]);
    probe->most = dr_arena_str(cli->arena, bounds[1]);
    probe->every_s = (uint32_t)seconds(conf, "every");
    if (!probe->name || !probe->sql || !probe->least || !probe->most) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory");
    }
    if (!dr_name_is_valid(probe->name)) {
        return refuse(conf, err, "this is no name of a probe:", probe->name,
                      "small letters, digits, '.', '_' and '-'");
    }
    probe->engine = dr_str_eq(engine, "postgresql") ? DROVER__V1__ENGINE__POSTGRESQL
                    : dr_str_eq(engine, "sqlite")   ? DROVER__V1__ENGINE__SQLITE
                                                    : DROVER__V1__ENGINE__ENGINE_NONE;
    if (probe->engine == DROVER__V1__ENGINE__ENGINE_NONE) {
        return refuse(conf, err, "there is no engine", engine, "postgresql or sqlite");
    }
    return DR_OK;
}

static int
by_name(const void *a, const void *b)
{
    const Drover__V1__SqlProbe *const *left = a, *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

static enum dr_rc
read_probes(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Environment *e,
            struct dr_err *err)
{
    size_t n = dr_conf_section_count(conf, "probe");
    Drover__V1__SqlProbe *rows = dr_arena_array(cli->arena, n + 1, sizeof(*rows));
    e->probes = dr_arena_array(cli->arena, n + 1, sizeof(*e->probes));
    enum dr_rc rc = rows && e->probes ? DR_OK : dr_err_set(err, DR_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == DR_OK && i < n; i++) {
        rc = read_probe(dr_conf_section_at(conf, "probe", i), cli, &rows[i], err);
        e->probes[e->n_probes++] = &rows[i];
    }
    if (rc == DR_OK && n > 1) {
        qsort(e->probes, n, sizeof(*e->probes), by_name);
    }
    return rc;
}

static enum dr_rc
read_pace(const struct dr_conf *conf, struct dr_cli *cli, Drover__V1__Environment *e,
          struct dr_err *err)
{
    e->wave_soak_s = seconds(conf, "wave_soak");
    e->drift_every_s = seconds(conf, "drift_every");
    e->rehearse = dr_conf_bool(conf, "rehearse");
    enum dr_rc rc = read_number(conf, "wave_parallel", &e->wave_parallel, err);
    rc = rc == DR_OK ? read_number(conf, "server_parallel", &e->server_parallel, err) : rc;
    rc = rc == DR_OK ? read_percents(conf, cli, e, err) : rc;
    rc = rc == DR_OK ? read_windows(conf, cli, e, err) : rc;
    return rc == DR_OK ? read_probes(conf, cli, e, err) : rc;
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
    rc = rc == DR_OK ? read_pace(conf, cli, e, err) : rc;
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
