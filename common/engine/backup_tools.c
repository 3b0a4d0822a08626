// The PostgreSQL programs of a backup: which of them, and how they are run.
#include "engine/backup_tools.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/file.h"
#include "db/pg.h"
#include "engine/backup_internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEBIAN_ROOT     "/usr/lib/postgresql"
#define MAJOR_MAX       99ul
#define VERSION_WAIT_MS 10000u
#define TOOL_ERROR_MAX  300u

// ----------------------------------------------------------------------------------------------------
// tools

static void
tick(void *arg)
{
    const struct dr_db_wait *wait = arg;
    enum dr_rc ignored = wait->on_tick(wait->ctx, NULL); // who watches does not decide
    (void)ignored;
}

static enum dr_rc
run(const struct dr_cmd *like, const struct dr_db_wait *wait, uint64_t most_ms,
    struct dr_cmd_result *out, struct dr_err *err)
{
    uint64_t left_ms = dr_backup_left_ms(wait);
    struct dr_db_wait watched = *wait;
    struct dr_cmd cmd = *like;
    cmd.timeout_ms = most_ms != 0 && most_ms < left_ms ? most_ms : left_ms;
    cmd.output_max = DR_BACKUP_OUTPUT_MAX;
    cmd.cancel_fd = wait->cancel_fd;
    cmd.tick = wait->on_tick == NULL ? NULL : tick;
    cmd.tick_arg = &watched;
    return dr_cmd_run(&cmd, out, err);
}

enum dr_rc
dr_backup_tool_run(const char *const *argv, const char *const *env, const struct dr_db_wait *wait,
                   uint64_t most_ms, struct dr_cmd_result *out, struct dr_err *err)
{
    return run(&(struct dr_cmd){.argv = argv, .env = env}, wait, most_ms, out, err);
}

enum dr_rc
dr_backup_login_run(const struct dr_backup_login *login, const char *const *argv,
                    const struct dr_db_wait *wait, struct dr_cmd_result *out, struct dr_err *err)
{
    const struct dr_cmd like = {.argv = argv, .env = login->env, .pass_fd = login->password_fd};
    return run(&like, wait, 0, out, err);
}

// The tool's own last words: the last error, or the last line that it wrote.
enum dr_rc
dr_backup_tool_failed(const char *tool, struct dr_cmd_result *result, struct dr_err *err)
{
    const char *text = result->errors.data == NULL ? "" : result->errors.data;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    const char *line = len == 0 ? NULL : memrchr(text, '\n', len);
    line = line == NULL ? text : line + 1;
    // pg_dump tells the query behind the error.
    for (const char *at = text; (at = strstr(at, "error: ")) != NULL; at++) {
        const char *begin = memrchr(text, '\n', (size_t)(at - text));
        line = begin == NULL ? text : begin + 1;
    }
    size_t line_len = strcspn(line, "\n");
    struct dr_buf shown = {0};
    dr_show(&shown, line, line_len < TOOL_ERROR_MAX ? line_len : TOOL_ERROR_MAX, false);
    enum dr_rc rc = dr_err_set(err, DR_E_BACKUP_FAILED, "%s ended with %s %d: %s", tool,
                               result->signal != 0 ? "signal" : "exit code",
                               result->signal != 0 ? result->signal : result->exit_code,
                               shown.data == NULL ? "" : shown.data);
    dr_buf_fini(&shown);
    return rc;
}

// "pg_dump (PostgreSQL) 15.20 (Debian ...)" to "15.20" and 15. False when the program does not say
// so.
static bool
ask_version(struct dr_backup_tools *tools, const struct dr_db_wait *wait)
{
    struct dr_cmd_result result = {0};
    const char *argv[] = {tools->dump, "--version", NULL};
    enum dr_rc rc = dr_backup_tool_run(argv, NULL, wait, VERSION_WAIT_MS, &result, NULL);
    const char *text =
        rc == DR_OK && result.output.data != NULL ? strchr(result.output.data, ')') : NULL;
    bool is_known = text != NULL && result.exit_code == 0;
    if (is_known) {
        text += 1 + strspn(text + 1, " ");
        snprintf(tools->version, sizeof tools->version, "%.*s", (int)(strcspn(text, " \n") % 31),
                 text);
        tools->major = strtoul(tools->version, NULL, 10);
    }
    dr_cmd_result_fini(&result);
    return is_known && tools->major > 0 && tools->major <= MAJOR_MAX;
}

static bool
try_folder(const char *folder, struct dr_backup_tools *out, const struct dr_db_wait *wait)
{
    struct dr_backup_tools tools = {0};
    int dump = snprintf(tools.dump, sizeof tools.dump, "%s/pg_dump", folder);
    int restore = snprintf(tools.restore, sizeof tools.restore, "%s/pg_restore", folder);
    if (dump >= PATH_MAX || restore >= PATH_MAX || access(tools.dump, X_OK) != 0 ||
        access(tools.restore, X_OK) != 0 || !ask_version(&tools, wait)) {
        return false;
    }
    *out = tools;
    return true;
}

// Debian's folders by number: the smallest one that is as new as the server.
static bool
try_debian(unsigned long major, struct dr_backup_tools *out, const struct dr_db_wait *wait)
{
    unsigned long best = 0;
    DIR *root = opendir(DEBIAN_ROOT);
    const struct dirent *entry;
    while (root != NULL && (entry = readdir(root)) != NULL) {
        uint64_t found = 0;
        bool fits = dr_parse_u64(entry->d_name, major, MAJOR_MAX, &found);
        char path[PATH_MAX];
        snprintf(path, sizeof path, DEBIAN_ROOT "/%.8s/bin/pg_dump", entry->d_name);
        best = fits && (best == 0 || found < best) && access(path, X_OK) == 0 ? (unsigned long)found
                                                                              : best;
    }
    if (root != NULL) {
        closedir(root);
    }
    char folder[64];
    snprintf(folder, sizeof folder, DEBIAN_ROOT "/%lu/bin", best);
    return best != 0 && try_folder(folder, out, wait);
}

static bool
try_path(unsigned long major, struct dr_backup_tools *out, const struct dr_db_wait *wait)
{
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        char folder[PATH_MAX];
        size_t len = strcspn(at, ":");
        snprintf(folder, sizeof folder, "%.*s", (int)(len % sizeof folder), at);
        if (folder[0] == '/' && try_folder(folder, out, wait) && out->major >= major) {
            return true;
        }
        at += len + (at[len] == ':' ? 1 : 0);
    }
    return false;
}

enum dr_rc
dr_backup_tools_find(const char *bindir, unsigned long major, const struct dr_db_wait *wait,
                     struct dr_backup_tools *out, struct dr_err *err)
{
    struct dr_backup_tools tools = {0};
    bool is_found = bindir != NULL
                        ? try_folder(bindir, &tools, wait)
                        : try_debian(major, &tools, wait) || try_path(major, &tools, wait);
    if (!is_found) {
        return dr_err_set(err, DR_E_BACKUP_TOOL, "there is no pg_dump of version %lu or newer%s%s",
                          major, bindir == NULL ? "" : " in ", bindir == NULL ? "" : bindir);
    }
    if (tools.major < major) {
        return dr_err_set(err, DR_E_BACKUP_TOOL,
                          "'%s' has version %s, but the server is of version %lu", tools.dump,
                          tools.version, major);
    }
    *out = tools;
    return DR_OK;
}

// ------------------------------------------------------------------------------------------ login

// A password file with one line for every server, which no folder ever shows: it is gone when its
// last reader is, whatever ends this process. libpq wants it to be a plain file of its owner alone.
static enum dr_rc
hold_password(struct dr_backup_login *login, const char *password, struct dr_err *err)
{
    struct dr_buf line = {0};
    if (password == NULL || *password == '\0') {
        return DR_OK;
    }
    dr_buf_str(&line, "*:*:*:*:");
    for (const char *c = password; *c != '\0'; c++) {
        dr_buf_str(&line, *c == ':' || *c == '\\' ? "\\" : "");
        dr_buf_add(&line, c, 1);
    }
    dr_buf_str(&line, "\n");
    login->password_fd = memfd_create("passfile", MFD_CLOEXEC);
    bool is_written = login->password_fd >= 0 && !line.failed &&
                      fchmod(login->password_fd, 0600) == 0 &&
                      dr_fd_write_all(login->password_fd, line.data, line.len);
    if (line.data != NULL) {
        explicit_bzero(line.data, line.len);
    }
    dr_buf_fini(&line);
    return is_written ? DR_OK
                      : dr_err_errno(err, DR_E_IO, errno, "cannot hold a password for a tool");
}

// The password file that a tool is told: ours, or that of the URL or the environment; NULL: none.
static const char *
named_passfile(const struct dr_backup_login *login, const char *url, char out[PATH_MAX])
{
    if (login->password_fd > 0) {
        (void)snprintf(out, PATH_MAX, "/proc/self/fd/%d", login->password_fd);
        return out;
    }
    return dr_pg_url_get(url, "passfile", out, PATH_MAX) ? out : getenv("PGPASSFILE");
}

enum dr_rc
dr_backup_login_begin(const char *url, const char *password, struct dr_backup_login *out,
                      struct dr_err *err)
{
    char in_url[1024] = "", url_passfile[PATH_MAX];
    const char *home = getenv("HOME");
    *out = (struct dr_backup_login){0};
    if (password == NULL) {
        bool is_there = dr_pg_url_get(url, "password", in_url, sizeof in_url);
        password = is_there ? in_url : getenv("PGPASSWORD");
    }
    enum dr_rc rc = hold_password(out, password, err);
    explicit_bzero(in_url, sizeof in_url);
    dr_buf_str(&out->dbname, "--dbname=");
    rc = rc != DR_OK ? rc : dr_pg_url_for_tools(url, &out->dbname, err);
    if (rc != DR_OK) {
        dr_backup_login_end(out);
        return rc;
    }
    const char *passfile = named_passfile(out, url, url_passfile);
    (void)snprintf(out->home_env, sizeof out->home_env, "HOME=%s", home == NULL ? "/" : home);
    (void)snprintf(out->passfile_env, sizeof out->passfile_env, "%s%s",
                   passfile == NULL ? "DROVER_NO_PASSFILE=1" : "PGPASSFILE=",
                   passfile == NULL ? "" : passfile);
    out->env[0] = "PATH=/usr/bin:/bin";
    out->env[1] = "LC_ALL=C.UTF-8";
    out->env[2] = "PGAPPNAME=drover-backup";
    out->env[3] = out->home_env;
    out->env[4] = out->passfile_env;
    return DR_OK;
}

void
dr_backup_login_end(struct dr_backup_login *login)
{
    if (login->password_fd > 0) {
        (void)close(login->password_fd);
    }
    dr_buf_fini(&login->dbname);
    *login = (struct dr_backup_login){0};
}
