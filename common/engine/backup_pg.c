// Backups of PostgreSQL by pg_dump: fixed arguments, no shell, the password in a file that lives as
// long as the call.
#include "engine/backup_internal.h"

#include "base/clock.h"
#include "base/cmd.h"
#include "base/file.h"
#include "base/str.h"
#include "db/pg.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBIAN_ROOT     "/usr/lib/postgresql"
#define MAJOR_MAX       99ul
#define VERSION_WAIT_MS 10000u
#define TOOL_ERROR_MAX  300u

struct tools {
    char dump[PATH_MAX], restore[PATH_MAX];
    char version[32]; // of pg_dump: "15.20"
    unsigned long major;
};

// What one call of pg_dump needs of the server's side.
struct source {
    const char *url;
    const char *password; // NULL: none, or libpq finds one
    char passfile[PATH_MAX];
    struct dr_pg_info info;
    uint64_t size_bytes;
};

// ----------------------------------------------------------------------------------------------------
// tools

static enum dr_rc
run(const char *const *argv, const char *const *env, const struct dr_db_wait *wait,
    uint64_t most_ms, struct dr_cmd_result *out, struct dr_err *err)
{
    uint64_t left_ms = dr_backup_left_ms(wait);
    struct dr_cmd cmd = {
        .argv = argv,
        .env = env,
        .timeout_ms = most_ms != 0 && most_ms < left_ms ? most_ms : left_ms,
        .output_max = DR_BACKUP_OUTPUT_MAX,
        .cancel_fd = wait->cancel_fd,
    };
    return dr_cmd_run(&cmd, out, err);
}

// The tool's own last words: the last line that it wrote.
static enum dr_rc
tool_failed(const char *tool, struct dr_cmd_result *result, struct dr_err *err)
{
    const char *text = result->errors.data == NULL ? "" : result->errors.data;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        len--;
    }
    const char *line = len == 0 ? NULL : memrchr(text, '\n', len);
    line = line == NULL ? text : line + 1;
    size_t line_len = len - (size_t)(line - text);
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
ask_version(struct tools *tools, const struct dr_db_wait *wait)
{
    struct dr_cmd_result result = {0};
    const char *argv[] = {tools->dump, "--version", NULL};
    enum dr_rc rc = run(argv, NULL, wait, VERSION_WAIT_MS, &result, NULL);
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
try_folder(const char *folder, struct tools *out, const struct dr_db_wait *wait)
{
    struct tools tools = {0};
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
try_debian(unsigned long major, struct tools *out, const struct dr_db_wait *wait)
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
try_path(unsigned long major, struct tools *out, const struct dr_db_wait *wait)
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

static enum dr_rc
find_tools(const char *bindir, unsigned long major, const struct dr_db_wait *wait,
           struct tools *out, struct dr_err *err)
{
    struct tools tools = {0};
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

// ----------------------------------------------------------------------------------------------------
// check

// Counts the entries of "pg_restore --list"; false when it is no such list.
static bool
count_entries(const struct dr_buf *list, uint32_t *out)
{
    bool is_list = list->data != NULL && strstr(list->data, "; Archive created at") != NULL;
    *out = 0;
    for (const char *line = list->data; is_list && line != NULL && *line != '\0';) {
        *out += isdigit((unsigned char)*line) ? 1 : 0;
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    return is_list;
}

enum dr_rc
dr_backup_check_archive(const char *path, const char *bindir, bool with_data,
                        const struct dr_db_wait *wait, uint32_t *out_entries, struct dr_err *err)
{
    struct tools tools;
    struct dr_cmd_result result = {0};
    enum dr_rc rc = find_tools(bindir, 0, wait, &tools, err);
    if (rc != DR_OK) {
        return rc;
    }
    const char *list[] = {tools.restore, "--list", path, NULL};
    // Writes the archive as a script to nowhere: the only way to read all data back without a
    // server.
    const char *read_all[] = {tools.restore, "--file=/dev/null", path, NULL};
    rc = run(list, NULL, wait, 0, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = tool_failed("pg_restore --list", &result, err);
    } else if (rc == DR_OK && !count_entries(&result.output, out_entries)) {
        rc = dr_err_set(err, DR_E_BACKUP_FAILED, "pg_restore --list gave no list");
    }
    dr_cmd_result_fini(&result);
    if (rc != DR_OK || !with_data) {
        return rc;
    }
    result = (struct dr_cmd_result){0};
    rc = run(read_all, NULL, wait, 0, &result, err);
    if (rc == DR_OK && result.exit_code != 0) {
        rc = tool_failed("pg_restore", &result, err);
    }
    dr_cmd_result_fini(&result);
    return rc;
}

// ----------------------------------------------------------------------------------------------------
// dump

static enum dr_rc
look_at_server(struct source *source, const struct dr_backup_options *options,
               const struct dr_db_wait *wait, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    char size[32] = "0";
    struct dr_pg_options connect = {
        .url = source->url, .password = options->password, .target = options->target};
    struct dr_pg_stmt ask = {
        .sql = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())"};
    enum dr_rc rc = dr_pg_connect(&connect, wait, &pg, err);
    if (rc != DR_OK) {
        return rc;
    }
    rc = dr_pg_inspect(pg, wait, &source->info, err);
    rc = rc != DR_OK ? rc : dr_pg_value(pg, &ask, wait, size, sizeof size, err);
    dr_pg_close(&pg);
    source->size_bytes = strtoull(size, NULL, 10);
    return rc;
}

// A password file with one line for every server, beside the backup; "" when there is no password
// to pass on.
static enum dr_rc
write_passfile(struct source *source, const struct dr_backup_file *file, const char *password,
               struct dr_err *err)
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
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/.passfile-%ld-XXXXXX", file->folder, (long)getpid());
    int fd = len < PATH_MAX ? mkstemp(path) : -1; // mode 0600
    bool is_written = fd >= 0 && !line.failed && dr_fd_write_all(fd, line.data, line.len);
    if (fd >= 0) {
        snprintf(source->passfile, sizeof source->passfile, "%s", path);
        close(fd);
    }
    if (line.data != NULL) {
        explicit_bzero(line.data, line.len);
    }
    dr_buf_fini(&line);
    return is_written
               ? DR_OK
               : dr_err_set(err, DR_E_IO, "cannot write a password file in '%s'", file->folder);
}

static enum dr_rc
dump(struct source *source, const struct tools *tools, const struct dr_backup_file *file,
     const struct dr_db_wait *wait, struct dr_err *err)
{
    struct dr_buf dbname = {0};
    char file_arg[PATH_MAX + 16];
    char passfile[PATH_MAX + 16] = "DROVER_NO_PASSFILE=1";
    char home[PATH_MAX + 16];
    const char *from_url = source->passfile[0] != '\0' ? NULL : getenv("PGPASSFILE");
    char url_passfile[PATH_MAX];
    if (source->passfile[0] == '\0' &&
        dr_pg_url_get(source->url, "passfile", url_passfile, sizeof url_passfile)) {
        from_url = url_passfile;
    }
    if (source->passfile[0] != '\0' || from_url != NULL) {
        snprintf(passfile, sizeof passfile, "PGPASSFILE=%s",
                 from_url != NULL ? from_url : source->passfile);
    }
    snprintf(file_arg, sizeof file_arg, "--file=%s", file->partial);
    snprintf(home, sizeof home, "HOME=%s", getenv("HOME") == NULL ? "/" : getenv("HOME"));
    dr_buf_str(&dbname, "--dbname=");
    struct dr_buf settings = {0};
    struct dr_cmd_result result = {0};
    enum dr_rc rc = dr_pg_url_for_tools(source->url, &settings, err);
    dr_buf_str(&dbname, settings.data == NULL ? "" : settings.data);
    if (rc == DR_OK && !dbname.failed) {
        const char *argv[] = {tools->dump,
                              "--format=custom",
                              "--no-password",
                              "--lock-wait-timeout=60000",
                              file_arg,
                              dbname.data,
                              NULL};
        const char *env[] = {"PATH=/usr/bin:/bin",
                             "LC_ALL=C.UTF-8",
                             "PGAPPNAME=drover-backup",
                             home,
                             passfile,
                             NULL};
        rc = run(argv, env, wait, 0, &result, err);
    }
    if (rc == DR_OK && result.exit_code != 0) {
        rc = tool_failed("pg_dump", &result, err);
    }
    dr_cmd_result_fini(&result);
    dr_buf_fini(&settings);
    dr_buf_fini(&dbname);
    return rc;
}

static enum dr_rc
dump_and_check(struct source *source, const struct dr_backup_options *options,
               const struct tools *tools, const struct dr_db_wait *wait, struct dr_backup *backup,
               struct dr_err *err)
{
    struct dr_backup_file file = {0};
    char password[1024] = "";
    enum dr_rc rc = dr_backup_begin(options, ".dump", source->size_bytes, &file, err);
    if (rc == DR_OK) {
        const char *given = options->password != NULL ? options->password : getenv("PGPASSWORD");
        bool in_url = options->password == NULL &&
                      dr_pg_url_get(source->url, "password", password, sizeof password);
        rc = write_passfile(source, &file, in_url ? password : given, err);
    }
    rc = rc != DR_OK ? rc : dump(source, tools, &file, wait, err);
    if (source->passfile[0] != '\0') {
        unlink(source->passfile);
    }
    explicit_bzero(password, sizeof password);
    rc = rc != DR_OK ? rc
                     : dr_backup_check_archive(file.partial, options->pg_bindir, true, wait,
                                               &backup->entries, err);
    rc = rc != DR_OK ? rc : dr_backup_finish(&file, backup, err);
    if (rc != DR_OK) {
        dr_backup_abandon(&file);
    }
    return rc;
}

enum dr_rc
dr_backup_pg(const char *url, const struct dr_backup_options *options, struct dr_backup *out,
             struct dr_err *err)
{
    struct dr_db_wait wait = dr_backup_wait(options);
    struct source source = {.url = url};
    struct tools tools;
    struct dr_backup backup = {.started = dr_now_unix_s()};
    enum dr_rc rc = look_at_server(&source, options, &wait, err);
    if (rc == DR_OK) {
        rc = find_tools(options->pg_bindir, (unsigned long)source.info.server_version / 10000,
                        &wait, &tools, err);
    }
    if (rc == DR_OK) {
        snprintf(backup.tool, sizeof backup.tool, "pg_dump %s", tools.version);
        snprintf(backup.server_version, sizeof backup.server_version, "%s",
                 source.info.server_version_text);
        rc = dump_and_check(&source, options, &tools, &wait, &backup, err);
    }
    if (rc != DR_OK) {
        return dr_err_wrap(err, "backup failed");
    }
    *out = backup;
    return DR_OK;
}
