// A private server. The watcher of base/keep.h holds its folder from before initdb to the end.

#include "engine/cluster.h"

#include "base/clock.h"
#include "base/cmd.h"
#include "base/file.h"
#include "base/keep.h"
#include "base/str.h"
#include "db/pg.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX         "drover-cluster-"
#define INITDB_MS      120000
#define START_MS       60000
#define PAUSE_MS       5
#define SQL_MS         30000
#define OUTPUT_MAX     65536u
#define PID_FILE_MAX   4096u
#define LOG_MAX        (1u << 20)
#define SOCKET_DIR_MAX 80 // bytes: sun_path has 108, and the server appends its own name
#define SETTINGS_MAX   16u
#define URL_START      "postgresql://postgres@/"
#define DEBIAN_FOLDER  "/usr/lib/postgresql"

struct dr_cluster {
    char folder[SOCKET_DIR_MAX + 1];
    char bindir[PATH_MAX];
    char url_end[128]; // what stands behind a database's name in its URL
    char url[160];
    uid_t uid; // who it runs as; 0: as this process
    gid_t gid;
    struct dr_keep *keep;
    int pidfd;
    pid_t pid;
};

static enum dr_rc
no_memory(struct dr_err *err)
{
    return dr_err_set(err, DR_E_NOMEM, "no memory left");
}

// ---------------------------------------------------------------------------------------- programs

static bool
has_programs(const char *folder)
{
    static const char *const names[] = {"initdb", "postgres"};
    bool has_all = folder != NULL && folder[0] == '/';
    for (size_t i = 0; has_all && i < DR_COUNT_OF(names); i++) {
        char path[PATH_MAX];
        int len = snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        has_all = len > 0 && len < (int)sizeof path && access(path, X_OK) == 0;
    }
    return has_all;
}

// What pg_config says, without the end of its line; "" for nothing.
static void
ask_pg_config(char *out, size_t out_size)
{
    struct dr_err ignored = {0};
    struct dr_cmd_result result;
    const struct dr_cmd cmd = {.argv = (const char *const[]){"pg_config", "--bindir", NULL},
                               .timeout_ms = 5000,
                               .output_max = PATH_MAX};
    out[0] = '\0';
    if (dr_cmd_run(&cmd, &result, &ignored) == DR_OK) {
        if (result.exit_code == 0) {
            (void)snprintf(out, out_size, "%.*s", (int)strcspn(result.output.data, "\n"),
                           result.output.data);
        }
        dr_cmd_result_fini(&result);
    }
}

// The newest of Debian's side-by-side versions; "" for none.
static void
find_newest(char *out, size_t out_size)
{
    uint64_t newest = 0;
    DIR *dir = opendir(DEBIAN_FOLDER);
    out[0] = '\0';
    for (struct dirent *e = NULL; dir != NULL && (e = readdir(dir)) != NULL;) {
        char path[PATH_MAX];
        uint64_t version = 0;
        (void)snprintf(path, sizeof path, DEBIAN_FOLDER "/%s/bin", e->d_name);
        if (dr_parse_u64(e->d_name, 1, 1000, &version) && version > newest && has_programs(path)) {
            newest = version;
            (void)snprintf(out, out_size, "%s", path);
        }
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
}

static enum dr_rc
find_programs(const char *wanted, char *out, size_t out_size, struct dr_err *err)
{
    const char *by = wanted != NULL ? "bindir" : "PG_BIN";
    wanted = wanted != NULL ? wanted : getenv("PG_BIN");
    if (wanted != NULL && wanted[0] != '\0') {
        (void)snprintf(out, out_size, "%s", wanted);
        if (!has_programs(out)) {
            (void)dr_err_set(err, DR_E_NOT_FOUND, "no initdb and postgres in '%s' (%s)", out, by);
            return dr_err_hint(err, "name the folder of a PostgreSQL server's programs, e.g. "
                                    "PG_BIN=" DEBIAN_FOLDER "/15/bin");
        }
        return DR_OK;
    }
    ask_pg_config(out, out_size);
    if (!has_programs(out)) {
        find_newest(out, out_size);
    }
    if (!has_programs(out)) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "there is no PostgreSQL server on this machine");
        return dr_err_hint(err, "apt install postgresql-15, or name its programs' folder with "
                                "PG_BIN, or a server with --scratch URL");
    }
    return DR_OK;
}

// ------------------------------------------------------------------------------------------ folder

// May another user reach what lies in the folder?
static bool
is_open_to_all(const char *folder)
{
    char path[PATH_MAX];
    struct stat st;
    bool is_open = true;
    (void)snprintf(path, sizeof path, "%s", folder);
    for (char *slash = path + strlen(path); is_open && slash != NULL; slash = strrchr(path, '/')) {
        *slash = '\0';
        is_open = stat(path[0] == '\0' ? "/" : path, &st) == 0 && (st.st_mode & S_IXOTH) != 0;
    }
    return is_open;
}

// TMPDIR, unless its name is too long for a socket or the server's user cannot reach it.
static const char *
parent_folder(const struct dr_cluster *c)
{
    const char *tmp = getenv("TMPDIR");
    bool is_good = tmp != NULL && tmp[0] == '/' &&
                   strlen(tmp) + sizeof "/" PREFIX "XXXXXX" <= sizeof c->folder &&
                   (c->uid == 0 || is_open_to_all(tmp));
    return is_good ? tmp : "/tmp";
}

static enum dr_rc
find_user(struct dr_cluster *c, struct dr_err *err)
{
    if (geteuid() != 0) {
        return DR_OK;
    }
    const struct passwd *user = getpwnam("postgres");
    user = user != NULL ? user : getpwnam("nobody");
    if (user == NULL || user->pw_uid == 0) {
        (void)dr_err_set(err, DR_E_NOT_FOUND, "a PostgreSQL server does not run as root");
        return dr_err_hint(err, "run drover as another user, or make one: useradd -r postgres");
    }
    c->uid = user->pw_uid;
    c->gid = user->pw_gid;
    return DR_OK;
}

static enum dr_rc
make_folder(struct dr_cluster *c, struct dr_err *err)
{
    const char *parent = parent_folder(c);
    dr_keep_sweep(parent, PREFIX, c->uid == 0 ? geteuid() : c->uid);
    (void)snprintf(c->folder, sizeof c->folder, "%s/" PREFIX "XXXXXX", parent);
    if (mkdtemp(c->folder) == NULL) {
        c->folder[0] = '\0';
        return dr_err_errno(err, DR_E_IO, errno, "cannot make a folder in '%s'", parent);
    }
    if (c->uid != 0 && chown(c->folder, c->uid, c->gid) != 0) {
        return dr_err_errno(err, DR_E_IO, errno, "cannot give away '%s'", c->folder);
    }
    return DR_OK;
}

// ------------------------------------------------------------------------------------------- start

// The last line of what a program said that names a problem.
static enum dr_rc
with_words(const char *text, const char *what, struct dr_err *err)
{
    const char *words = "";
    size_t len = 0;
    for (const char *line = text; line != NULL && *line != '\0';) {
        size_t n = strcspn(line, "\n");
        if (n > 0) {
            words = line;
            len = n;
        }
        if (strncmp(line, "FATAL", 5) == 0 || strncmp(line, "initdb: error", 13) == 0) {
            break;
        }
        line += n + (line[n] == '\n' ? 1 : 0);
    }
    return dr_err_set(err, DR_E_IO, "%s: %.*s", what, len > 300 ? 300 : (int)len, words);
}

static enum dr_rc
run_initdb(const struct dr_cluster *c, struct dr_err *err)
{
    char program[PATH_MAX + 16], data[sizeof c->folder + 8];
    struct dr_cmd_result result;
    (void)snprintf(program, sizeof program, "%s/initdb", c->bindir);
    (void)snprintf(data, sizeof data, "%s/data", c->folder);
    const struct dr_cmd cmd = {
        .argv =
            (const char *const[]){program, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
                                  "--no-instructions", "--locale=C", "-E", "UTF8", NULL},
        .timeout_ms = INITDB_MS,
        .output_max = OUTPUT_MAX,
        .folder = c->folder,
        .uid = c->uid,
        .gid = c->gid,
    };
    enum dr_rc rc = dr_cmd_run(&cmd, &result, err);
    if (rc != DR_OK) {
        return rc;
    }
    if (result.exit_code != 0) {
        rc = with_words(result.errors.data, "initdb failed", err);
    }
    dr_cmd_result_fini(&result);
    return rc;
}

// The server notes its state in the last line of its pid file, as pg_ctl reads it.
static bool
is_ready(const struct dr_cluster *c)
{
    char path[sizeof c->folder + 32];
    char *text = NULL;
    size_t len = 0;
    struct dr_err ignored = {0};
    (void)snprintf(path, sizeof path, "%s/data/postmaster.pid", c->folder);
    bool is_it = dr_file_read(path, PID_FILE_MAX, &text, &len, &ignored) == DR_OK &&
                 strtol(text, NULL, 10) == c->pid && strstr(text, "ready") != NULL;
    free(text);
    return is_it;
}

static enum dr_rc
did_not_start(const struct dr_cluster *c, struct dr_err *err)
{
    char path[sizeof c->folder + 8];
    char *text = NULL;
    size_t len = 0;
    struct dr_err ignored = {0};
    (void)snprintf(path, sizeof path, "%s/log", c->folder);
    enum dr_rc read = dr_file_read(path, LOG_MAX, &text, &len, &ignored);
    (void)with_words(read == DR_OK ? text : "", "the private PostgreSQL server does not start",
                     err);
    free(text);
    return DR_E_IO;
}

static enum dr_rc
start_server(struct dr_cluster *c, struct dr_err *err)
{
    int64_t deadline = dr_monotonic_ms() + START_MS;
    enum dr_rc rc = dr_keep_start(c->keep, &c->pid, &c->pidfd, err);
    while (rc == DR_OK && !is_ready(c)) {
        struct pollfd end = {.fd = c->pidfd, .events = POLLIN};
        if (poll(&end, 1, PAUSE_MS) == 1 || dr_monotonic_ms() > deadline) {
            rc = did_not_start(c, err);
        }
    }
    return rc;
}

// Opens the watcher with the server's whole command line; makes the data folder; starts.
static enum dr_rc
prepare_and_start(struct dr_cluster *c, const struct dr_cluster_options *options,
                  struct dr_err *err)
{
    static const char *const settings[] = {
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "logging_collector=off",
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "archive_mode=off",
        "autovacuum=off",
        "shared_buffers=16MB",
        "max_connections=60",
        "jit=off",
        "plan_cache_mode=force_generic_plan",
        "log_line_prefix=",
        "log_destination=stderr",
    };
    static const char *const env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", NULL};
    const char *argv[2 * DR_COUNT_OF(settings) + 2 * SETTINGS_MAX + 6];
    char program[PATH_MAX + 16], data[sizeof c->folder + 8], log[sizeof c->folder + 8];
    size_t n = 0;
    (void)snprintf(program, sizeof program, "%s/postgres", c->bindir);
    (void)snprintf(data, sizeof data, "%s/data", c->folder);
    (void)snprintf(log, sizeof log, "%s/log", c->folder);
    argv[n++] = program;
    argv[n++] = "-D";
    argv[n++] = data;
    argv[n++] = "-k";
    argv[n++] = c->folder;
    for (size_t i = 0; i < DR_COUNT_OF(settings); i++) {
        argv[n++] = "-c";
        argv[n++] = settings[i];
    }
    for (size_t i = 0; options->settings != NULL && options->settings[i] != NULL; i++) {
        if (i == SETTINGS_MAX) {
            return dr_err_set(err, DR_E_LIMIT, "more than %u settings of a server", SETTINGS_MAX);
        }
        argv[n++] = "-c";
        argv[n++] = options->settings[i];
    }
    argv[n] = NULL;
    const struct dr_keep_options keep = {.folder = c->folder,
                                         .argv = argv,
                                         .env = env,
                                         .log = log,
                                         .uid = c->uid,
                                         .gid = c->gid,
                                         .has_no_network = true,
                                         .end_signal = SIGQUIT};
    enum dr_rc rc = dr_keep_open(&keep, &c->keep, err);
    rc = rc == DR_OK ? run_initdb(c, err) : rc;
    return rc == DR_OK ? start_server(c, err) : rc;
}

// A folder's name as it stands in a URL.
static void
add_escaped(struct dr_buf *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.";
    for (; *text != '\0'; text++) {
        bool is_plain = strchr(plain, *text) != NULL;
        dr_buf_printf(out, is_plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
}

enum dr_rc
dr_cluster_start(const struct dr_cluster_options *options, struct dr_cluster **out,
                 struct dr_err *err)
{
    static const struct dr_cluster_options none = {0};
    struct dr_buf url = {0};
    struct dr_cluster *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return no_memory(err);
    }
    options = options == NULL ? &none : options;
    c->pidfd = -1;
    enum dr_rc rc = find_programs(options->bindir, c->bindir, sizeof c->bindir, err);
    rc = rc == DR_OK ? find_user(c, err) : rc;
    rc = rc == DR_OK ? make_folder(c, err) : rc;
    rc = rc == DR_OK ? prepare_and_start(c, options, err) : rc;
    if (rc != DR_OK) {
        dr_cluster_stop(&c);
        return rc;
    }
    dr_buf_str(&url, "?port=5432&host=");
    add_escaped(&url, c->folder);
    if (url.failed || url.len >= sizeof c->url_end) {
        rc = dr_err_set(err, DR_E_LIMIT, "the folder's name '%s' is too long", c->folder);
        dr_cluster_stop(&c);
    } else {
        (void)snprintf(c->url_end, sizeof c->url_end, "%s", url.data);
        (void)snprintf(c->url, sizeof c->url, URL_START "postgres%s", c->url_end);
        *out = c;
    }
    dr_buf_fini(&url);
    return rc;
}

bool
dr_cluster_has_network(const struct dr_cluster *cluster)
{
    char path[64];
    struct stat own, its;
    (void)snprintf(path, sizeof path, "/proc/%ld/ns/net", (long)cluster->pid);
    return stat("/proc/self/ns/net", &own) != 0 || stat(path, &its) != 0 ||
           own.st_ino == its.st_ino;
}

const char *
dr_cluster_url(const struct dr_cluster *cluster)
{
    return cluster->url;
}

const char *
dr_cluster_bindir(const struct dr_cluster *cluster)
{
    return cluster->bindir;
}

const char *
dr_cluster_folder(const struct dr_cluster *cluster)
{
    return cluster->folder;
}

const char *
dr_cluster_url_as(const struct dr_cluster *cluster, const char *database, const char *role,
                  struct dr_arena *arena)
{
    struct dr_buf url = {0};
    dr_buf_str(&url, "postgresql://");
    add_escaped(&url, role);
    dr_buf_str(&url, "@/");
    add_escaped(&url, database);
    dr_buf_str(&url, cluster->url_end);
    const char *copy = url.failed ? NULL : dr_arena_str(arena, url.data);
    dr_buf_fini(&url);
    return copy;
}

static bool
is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return len > 0 && len <= 63 && name[len] == '\0';
}

enum dr_rc
dr_cluster_database(struct dr_cluster *cluster, const char *name, struct dr_arena *arena,
                    const char **out_url, struct dr_err *err)
{
    struct dr_pg *pg = NULL;
    char sql[160];
    const struct dr_pg_options options = {.url = cluster->url, .target = "scratch"};
    struct dr_db_wait wait = dr_db_wait_ms(SQL_MS);
    if (!is_name(name)) {
        return dr_err_set(err, DR_E_INVALID, "'%s' is no plain name of a database", name);
    }
    (void)snprintf(sql, sizeof sql, "CREATE DATABASE \"%s\" TEMPLATE template0", name);
    enum dr_rc rc = dr_pg_connect(&options, &wait, &pg, err);
    wait = dr_db_wait_ms(SQL_MS);
    rc = rc == DR_OK ? dr_pg_run(pg, sql, &wait, err) : rc;
    dr_pg_close(&pg);
    if (rc != DR_OK) {
        return rc;
    }
    const char *url = dr_arena_printf(arena, URL_START "%s%s", name, cluster->url_end);
    if (url == NULL) {
        return no_memory(err);
    }
    *out_url = url;
    return DR_OK;
}

void
dr_cluster_stop(struct dr_cluster **cluster)
{
    struct dr_cluster *c = *cluster;
    if (c == NULL) {
        return;
    }
    bool is_watched = c->keep != NULL;
    dr_keep_close(&c->keep);
    if (c->pidfd >= 0) {
        (void)close(c->pidfd);
    }
    if (!is_watched && c->folder[0] != '\0') {
        struct dr_err ignored = {0};
        enum dr_rc rc = dr_dir_remove(c->folder, &ignored);
        (void)rc; // it is empty, and the next start sweeps it
    }
    free(c);
    *cluster = NULL;
}
