// URLs of databases, before either library sees them.
#include "db/db.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct dr_db_wait
dr_db_wait_ms(int64_t timeout_ms)
{
    return (struct dr_db_wait){.deadline_ms = dr_monotonic_ms() + timeout_ms};
}

// True when `url` begins with "<scheme>:" or "<scheme>+driver:".
static bool
has_scheme(const char *url, const char *scheme)
{
    size_t len = strlen(scheme);
    if (strncasecmp(url, scheme, len) != 0) {
        return false;
    }
    if (url[len] == '+') {
        len += strspn(url + len, "+abcdefghijklmnopqrstuvwxyz0123456789_");
    }
    return url[len] == ':';
}

enum dr_db_kind
dr_db_kind_of(const char *url)
{
    if (url == NULL) {
        return DR_DB_UNKNOWN;
    }
    if (has_scheme(url, "sqlite")) {
        return DR_DB_SQLITE;
    }
    bool is_url = has_scheme(url, "postgresql") || has_scheme(url, "postgres");
    if (is_url && strncmp(strchr(url, ':'), "://", 3) == 0) {
        return DR_DB_POSTGRES;
    }
    const char *dbname = strstr(url, "dbname");
    bool is_conninfo = dbname != NULL && strchr(dbname, '=') != NULL && strstr(url, "://") == NULL;
    return is_conninfo ? DR_DB_POSTGRES : DR_DB_UNKNOWN;
}

// End of the value that starts at `text`: of a query parameter, or of a connection string's setting
// (quoted or not).
static const char *
value_end(const char *text, bool is_url)
{
    if (is_url) {
        return text + strcspn(text, "&#");
    }
    if (*text != '\'') {
        while (*text != '\0' && *text != ' ' && *text != '\t' && *text != '\n') {
            text += text[0] == '\\' && text[1] != '\0' ? 2 : 1;
        }
        return text;
    }
    for (text++; *text != '\0' && *text != '\''; text++) {
        if (text[0] == '\\' && text[1] != '\0') {
            text++;
        }
    }
    return text;
}

// The next secret at or after `text`: [*out_start, *out_end). False when there is none.
static bool
next_secret(const char *text, bool is_url, const char **out_start, const char **out_end)
{
    const char *key = strcasestr(text, "password");
    if (key == NULL) {
        return false;
    }
    const char *value = key + strlen("password");
    value += strspn(value, " \t\n");
    if (*value != '=') {
        return next_secret(key + 1, is_url, out_start, out_end);
    }
    value++;
    value += is_url ? 0 : strspn(value, " \t\n");
    *out_start = value;
    *out_end = value_end(value, is_url);
    return true;
}

void
dr_db_url_show(const char *url, char *out, size_t out_size)
{
    struct dr_buf shown = {0};
    const char *at = url == NULL ? "" : url;
    const char *authority = strstr(at, "://");
    if (authority != NULL) {
        authority += 3;
        // The last '@' of the authority ends the user part, so that a password with '@' in it is
        // covered too.
        size_t len = strcspn(authority, "/?#");
        const char *host = memrchr(authority, '@', len);
        const char *colon =
            host == NULL ? NULL : memchr(authority, ':', (size_t)(host - authority));
        if (colon != NULL) {
            dr_buf_add(&shown, at, (size_t)(colon + 1 - at));
            dr_buf_str(&shown, "***");
            at = host;
        }
    }
    const char *start = NULL;
    const char *end = NULL;
    while (next_secret(at, authority != NULL, &start, &end)) {
        dr_buf_add(&shown, at, (size_t)(start - at));
        dr_buf_str(&shown, "***");
        at = end;
    }
    dr_buf_str(&shown, at);
    snprintf(out, out_size, "%s", shown.failed || shown.data == NULL ? "" : shown.data);
    dr_buf_fini(&shown);
}

enum dr_rc
dr_db_sqlite_path(const char *url, char *out, size_t out_size, struct dr_err *err)
{
    if (dr_db_kind_of(url) != DR_DB_SQLITE) {
        return dr_err_set(err, DR_E_DB_URL, "'%.200s' is no SQLite URL", url == NULL ? "" : url);
    }
    const char *path = strchr(url, ':') + 1;
    if (strncmp(path, "//", 2) == 0) {
        path += 2;
        if (*path != '/') {
            dr_err_set(err, DR_E_DB_URL, "SQLite URL '%.200s' names a host", url);
            return dr_err_hint(err, "write sqlite:FILE, or sqlite:///FILE with three slashes");
        }
        path++;
    }
    if (*path == '\0') {
        return dr_err_set(err, DR_E_DB_URL, "SQLite URL '%.200s' names no file", url);
    }
    if (strpbrk(path, "?#%") != NULL) {
        dr_err_set(err, DR_E_DB_URL, "SQLite URL '%.200s' has parameters", url);
        return dr_err_hint(err, "write only the file's path: sqlite:FILE");
    }
    if (strlen(path) >= out_size) {
        return dr_err_set(err, DR_E_DB_URL, "path of the SQLite URL is longer than %zu bytes",
                          out_size - 1);
    }
    snprintf(out, out_size, "%s", path);
    return DR_OK;
}
