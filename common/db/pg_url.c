// URLs and connection strings: libpq parses them, a table says which settings are allowed.
#include "db/pg_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum setting_use { SETTING_TAKE, SETTING_IGNORE };

// Whatever is not here is refused: `options` and `service` would bring in settings that nobody
// reviewed.
static const struct {
    const char *key;
    enum setting_use use;
} setting_table[] = {
    {"host", SETTING_TAKE},
    {"hostaddr", SETTING_TAKE},
    {"port", SETTING_TAKE},
    {"dbname", SETTING_TAKE},
    {"user", SETTING_TAKE},
    {"password", SETTING_TAKE},
    {"passfile", SETTING_TAKE},
    {"sslmode", SETTING_TAKE},
    {"sslcert", SETTING_TAKE},
    {"sslkey", SETTING_TAKE},
    {"sslpassword", SETTING_TAKE},
    {"sslrootcert", SETTING_TAKE},
    {"sslcrl", SETTING_TAKE},
    {"sslcrldir", SETTING_TAKE},
    {"sslsni", SETTING_TAKE},
    {"ssl_min_protocol_version", SETTING_TAKE},
    {"ssl_max_protocol_version", SETTING_TAKE},
    {"channel_binding", SETTING_TAKE},
    {"requirepeer", SETTING_TAKE},
    {"gssencmode", SETTING_TAKE},
    {"krbsrvname", SETTING_TAKE},
    {"target_session_attrs", SETTING_TAKE},
    {"keepalives", SETTING_TAKE},
    {"keepalives_idle", SETTING_TAKE},
    {"keepalives_interval", SETTING_TAKE},
    {"keepalives_count", SETTING_TAKE},
    {"tcp_user_timeout", SETTING_TAKE},
    // ours, whatever the URL says
    {"connect_timeout", SETTING_IGNORE},
    {"application_name", SETTING_IGNORE},
    {"fallback_application_name", SETTING_IGNORE},
    {"client_encoding", SETTING_IGNORE},
};

static const char *
settings_get(const struct dr_pg_settings *settings, const char *key)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->keys[i], key) == 0) {
            return settings->values[i];
        }
    }
    return NULL;
}

void
dr_pg_settings_add(struct dr_pg_settings *settings, const char *key, const char *value)
{
    if (settings->count < DR_PG_SETTINGS_MAX) {
        settings->keys[settings->count] = key;
        settings->values[settings->count] = value;
        settings->count++;
    }
}

void
dr_pg_settings_fini(struct dr_pg_settings *settings)
{
    for (PQconninfoOption *o = settings->parsed; o != NULL && o->keyword != NULL; o++) {
        if (o->val != NULL) {
            explicit_bzero(o->val, strlen(o->val));
        }
    }
    PQconninfoFree(settings->parsed);
    *settings = (struct dr_pg_settings){0};
}

// "postgresql+driver://" of other tools, without the driver. False when it is too long.
static bool
drop_driver(const char *url, char *out, size_t out_size)
{
    const char *scheme_end = strstr(url, "://");
    const char *plus = strchr(url, '+');
    bool has_driver = scheme_end != NULL && plus != NULL && plus < scheme_end;
    int len = has_driver ? snprintf(out, out_size, "%.*s%s", (int)(plus - url), url, scheme_end)
                         : snprintf(out, out_size, "%s", url);
    return len >= 0 && (size_t)len < out_size;
}

// libpq's complaints quote the text, so they are shown only when no password can be in it.
static enum dr_rc
parse_failed(const char *url, const char *complaint, struct dr_err *err)
{
    bool has_password = strcasestr(url, "password") != NULL || strchr(url, '@') != NULL;
    if (has_password || complaint == NULL) {
        return dr_err_set(err, DR_E_DB_URL, "the database URL cannot be read");
    }
    return dr_err_set(err, DR_E_DB_URL, "the database URL cannot be read: %.*s",
                      (int)strcspn(complaint, "\n"), complaint);
}

static enum dr_rc
check_text(const char *url, struct dr_err *err)
{
    if (url == NULL || *url == '\0') {
        return dr_err_set(err, DR_E_DB_URL, "no database URL is given");
    }
    size_t len = strlen(url);
    if (len > DR_DB_URL_MAX) {
        return dr_err_set(err, DR_E_DB_URL, "the database URL is longer than %u bytes",
                          DR_DB_URL_MAX);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] < 0x20 || url[i] == 0x7f) {
            return dr_err_set(err, DR_E_DB_URL,
                              "the database URL has a control character at byte %zu", i + 1);
        }
    }
    if (dr_db_kind_of(url) != DR_DB_POSTGRES) {
        char shown[256];
        dr_db_url_show(url, shown, sizeof shown);
        return dr_err_set(err, DR_E_DB_URL, "'%s' is no PostgreSQL URL", shown);
    }
    return DR_OK;
}

static enum dr_rc
take_settings(struct dr_pg_settings *settings, struct dr_err *err)
{
    for (const PQconninfoOption *o = settings->parsed; o->keyword != NULL; o++) {
        if (o->val == NULL || *o->val == '\0') {
            continue;
        }
        size_t row = 0;
        while (row < DR_COUNT_OF(setting_table) &&
               strcmp(setting_table[row].key, o->keyword) != 0) {
            row++;
        }
        if (row == DR_COUNT_OF(setting_table)) {
            dr_err_set(err, DR_E_DB_URL, "setting '%s' is not allowed in a database URL",
                       o->keyword);
            return dr_err_hint(err, "take '%s' out of the URL", o->keyword);
        }
        if (setting_table[row].use == SETTING_TAKE) {
            dr_pg_settings_add(settings, o->keyword, o->val);
        }
    }
    if (settings_get(settings, "dbname") == NULL) {
        dr_err_set(err, DR_E_DB_URL, "the database URL names no database");
        return dr_err_hint(err, "add its name behind the host: postgresql://HOST/DATABASE");
    }
    return DR_OK;
}

enum dr_rc
dr_pg_settings_parse(struct dr_pg_settings *out, const char *url, struct dr_err *err)
{
    char plain[DR_DB_URL_MAX + 1];
    enum dr_rc rc = check_text(url, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (!drop_driver(url, plain, sizeof plain)) {
        return dr_err_set(err, DR_E_DB_URL, "the database URL is too long");
    }
    char *complaint = NULL;
    struct dr_pg_settings settings = {.parsed = PQconninfoParse(plain, &complaint)};
    rc =
        settings.parsed == NULL ? parse_failed(url, complaint, err) : take_settings(&settings, err);
    explicit_bzero(plain, sizeof plain);
    PQfreemem(complaint);
    if (rc != DR_OK) {
        dr_pg_settings_fini(&settings);
        return rc;
    }
    *out = settings;
    return DR_OK;
}

static bool
is_local_host(const char *host)
{
    return *host == '\0' || *host == '/' || *host == '@' || strcmp(host, "localhost") == 0 ||
           strcmp(host, "::1") == 0 || (strncmp(host, "127.", 4) == 0 && strchr(host, ',') == NULL);
}

static void
add_default(struct dr_pg_settings *settings, const char *key, const char *value)
{
    if (settings_get(settings, key) == NULL) {
        dr_pg_settings_add(settings, key, value);
    }
}

void
dr_pg_settings_defaults(struct dr_pg_settings *settings)
{
    const char *host = settings_get(settings, "hostaddr");
    host = host != NULL ? host : settings_get(settings, "host");
    host = host != NULL ? host : getenv("PGHOST");
    bool is_local = host == NULL || is_local_host(host);
    add_default(settings, "sslmode", is_local ? "prefer" : "require");
    add_default(settings, "gssencmode", "disable");
    add_default(settings, "keepalives_idle", "30");
    add_default(settings, "keepalives_interval", "10");
    add_default(settings, "keepalives_count", "3");
    add_default(settings, "tcp_user_timeout", "30000");
}

enum dr_rc
dr_pg_url_check(const char *url, struct dr_err *err)
{
    struct dr_pg_settings settings;
    enum dr_rc rc = dr_pg_settings_parse(&settings, url, err);
    if (rc == DR_OK) {
        dr_pg_settings_fini(&settings);
    }
    return rc;
}

bool
dr_pg_url_get(const char *url, const char *key, char *out, size_t out_size)
{
    struct dr_pg_settings settings;
    if (dr_pg_settings_parse(&settings, url, NULL) != DR_OK) {
        return false;
    }
    const char *value = settings_get(&settings, key);
    bool fits = value != NULL && strlen(value) < out_size;
    if (fits) {
        snprintf(out, out_size, "%s", value);
    }
    dr_pg_settings_fini(&settings);
    return fits;
}

// libpq's quoting of a connection string.
static void
write_setting(struct dr_buf *out, const char *key, const char *value)
{
    dr_buf_printf(out, "%s%s='", out->len == 0 ? "" : " ", key);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\') {
            dr_buf_str(out, "\\");
        }
        dr_buf_add(out, value, 1);
    }
    dr_buf_str(out, "'");
}

enum dr_rc
dr_pg_url_for_tools(const char *url, struct dr_buf *out, struct dr_err *err)
{
    static const struct {
        const char *key, *variable;
    } from_environment[] = {{"host", "PGHOST"}, {"port", "PGPORT"}, {"user", "PGUSER"}};
    struct dr_pg_settings settings;
    enum dr_rc rc = dr_pg_settings_parse(&settings, url, err);
    if (rc != DR_OK) {
        return rc;
    }
    dr_pg_settings_defaults(&settings);
    for (size_t i = 0; i < DR_COUNT_OF(from_environment); i++) {
        const char *value = getenv(from_environment[i].variable);
        if (value != NULL && *value != '\0') {
            add_default(&settings, from_environment[i].key, value);
        }
    }
    for (size_t i = 0; i < settings.count; i++) {
        const char *key = settings.keys[i];
        // Arguments of a program can be read by every user of the host.
        bool is_secret = strcmp(key, "password") == 0 || strcmp(key, "passfile") == 0 ||
                         strcmp(key, "sslpassword") == 0;
        if (!is_secret) {
            write_setting(out, settings.keys[i], settings.values[i]);
        }
    }
    dr_pg_settings_fini(&settings);
    return out->failed ? dr_err_set(err, DR_E_NOMEM, "no memory for a connection string") : DR_OK;
}

enum dr_rc
dr_pg_url_on_database(const char *url, const char *database, struct dr_buf *out, struct dr_err *err)
{
    struct dr_pg_settings settings;
    enum dr_rc rc = dr_pg_settings_parse(&settings, url, err);
    if (rc != DR_OK) {
        return rc;
    }
    write_setting(out, "dbname", database);
    for (size_t i = 0; i < settings.count; i++) {
        if (strcmp(settings.keys[i], "dbname") != 0) {
            write_setting(out, settings.keys[i], settings.values[i]);
        }
    }
    dr_pg_settings_fini(&settings);
    return out->failed ? dr_err_set(err, DR_E_NOMEM, "no memory for a connection string") : DR_OK;
}
