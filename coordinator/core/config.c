// Configuration of droverd.
#include "coordinator/core/config.h"

#include "base/conf.h"
#include "base/str.h"
#include "trust/keyfile.h"

#include <stdio.h>
#include <string.h>

static const struct dr_conf_key KEYS[] = {
    {"project", DR_CONF_STR, NULL, true, NULL, "name of the project"},
    {"listen", DR_CONF_STR, "tcp://127.0.0.1:7800", false, NULL,
     "address to listen on, tcp://HOST:PORT"},
    {"state", DR_CONF_STR, NULL, true, NULL, "folder of the coordinator's state"},
    {"transport_key", DR_CONF_STR, NULL, true, NULL, "key file that names this coordinator"},
    {"root", DR_CONF_STR, NULL, true, NULL, "file of the first root"},
    {"root_sha256", DR_CONF_STR, NULL, false, NULL, "SHA-256 of that file, 64 hex digits"},
    {"fleet", DR_CONF_STR, NULL, false, NULL, "file of a fleet to begin with"},
    {"tls", DR_CONF_STR, NULL, false, NULL, "PEM file with certificate and key, for tls+tcp://"},
    {"log_format", DR_CONF_STR, "auto", false, NULL, "auto, text or json"},
    {0},
};

static void
read_path(const struct dr_conf *conf, const char *key, char out[PATH_MAX])
{
    const char *value = dr_conf_str(conf, key);

    out[0] = '\0';
    if (value != NULL && value[0] != '\0') {
        dr_conf_resolve(conf, value, out, PATH_MAX);
    }
}

static enum dr_rc
read_values(const struct dr_conf *conf, struct dr_config *out, struct dr_err *err)
{
    static const char *const formats[] = {"auto", "text", "json"};
    const char *project = dr_conf_str(conf, "project"), *listen = dr_conf_str(conf, "listen");
    const char *pin = dr_conf_str(conf, "root_sha256"), *format = dr_conf_str(conf, "log_format");
    const char *path = dr_conf_path(conf);

    if (!dr_name_is_valid(project)) {
        return dr_err_set(err, DR_E_CONFIG, "%s: project '%s' is not a name of a-z 0-9 . _ -", path,
                          project);
    }
    if ((!dr_str_starts(listen, "tcp://") && !dr_str_starts(listen, "tls+tcp://")) ||
        strlen(listen) >= sizeof out->listen) {
        dr_err_set(err, DR_E_CONFIG, "%s: listen '%s' is not an address", path, listen);
        return dr_err_hint(err, "write listen = \"tcp://127.0.0.1:7800\"");
    }
    if (pin != NULL && pin[0] != '\0' &&
        (strlen(pin) != 64 || !dr_unhex(out->root_sha256, 32, pin))) {
        dr_err_set(err, DR_E_CONFIG, "%s: root_sha256 '%s' is not a SHA-256", path, pin);
        return dr_err_hint(err, "take it from: sha256sum ROOT_FILE");
    }
    out->has_root_pin = pin != NULL && pin[0] != '\0';
    (void)snprintf(out->project, sizeof out->project, "%s", project);
    (void)snprintf(out->listen, sizeof out->listen, "%s", listen);
    read_path(conf, "state", out->state);
    read_path(conf, "transport_key", out->transport_key);
    read_path(conf, "root", out->root);
    read_path(conf, "fleet", out->fleet);
    read_path(conf, "tls", out->tls);
    for (unsigned i = 0; i < DR_COUNT_OF(formats); i++) {
        if (dr_str_eq(format, formats[i])) {
            out->log_format = (enum dr_log_format)i;
            return DR_OK;
        }
    }
    return dr_err_set(err, DR_E_CONFIG, "%s: log_format '%s' is none of auto, text, json", path,
                      format);
}

enum dr_rc
dr_config_read(const char *path, struct dr_config *out, struct dr_err *err)
{
    struct dr_conf *conf = NULL;
    struct dr_config config = {0};
    enum dr_rc rc = dr_conf_read(path, KEYS, &conf, err);

    if (rc == DR_OK) {
        rc = read_values(conf, &config, err);
    }
    dr_conf_free(&conf);
    if (rc == DR_OK) {
        *out = config;
    }
    return rc;
}
