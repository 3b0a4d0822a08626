// The cluster's files, addresses and databases.
#include "support/pgcluster_internal.h"

#include "base/file.h"
#include "base/str.h"
#include "db/pg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DATABASES_MAX 100000u

static const char *
keep(struct dr_pgcluster *c, char *text)
{
    if (text == NULL || c->strings_count == DR_PGCLUSTER_STRINGS_MAX) {
        dr_pgcluster_die("too many strings", "raise DR_PGCLUSTER_STRINGS_MAX");
    }
    c->strings[c->strings_count++] = text;
    return text;
}

static int
free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        dr_pgcluster_die("no free port", strerror(errno));
    }
    close(fd);
    return ntohs(address.sin_port);
}

static void
write_file(const struct dr_pgcluster *c, const char *name, const char *text)
{
    char path[256];
    struct dr_err err = {0};
    uid_t uid;
    gid_t gid;
    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    if (dr_file_write(path, text, strlen(text), 0600, &err) != DR_OK) {
        dr_pgcluster_die("cannot write", err.message);
    }
    dr_pgcluster_user(&uid, &gid);
    if (uid != 0 && chown(path, uid, gid) != 0) {
        dr_pgcluster_die("cannot chown", path);
    }
}

static struct dr_pgcluster *
new_cluster(void)
{
    struct dr_pgcluster *c = calloc(1, sizeof *c);
    uid_t uid;
    gid_t gid;
    if (c == NULL) {
        dr_pgcluster_die("no memory", "");
    }
    snprintf(c->folder, sizeof c->folder, "/tmp/drover-pg-XXXXXX");
    if (mkdtemp(c->folder) == NULL) {
        dr_pgcluster_die("no temporary folder", strerror(errno));
    }
    dr_pgcluster_user(&uid, &gid);
    if (uid != 0 && chown(c->folder, uid, gid) != 0) {
        dr_pgcluster_die("cannot chown", c->folder);
    }
    chmod(c->folder, 0755);
    snprintf(c->data, sizeof c->data, "%s/data", c->folder);
    c->port = free_port();
    dr_pgcluster_watch(c);
    return c;
}

static void
write_settings(const struct dr_pgcluster *c, const struct dr_pgcluster_options *options)
{
    struct dr_buf text = {0};
    dr_buf_printf(&text,
                  "fsync = off\nfull_page_writes = off\nport = %d\nlisten_addresses = "
                  "'%s'\nunix_socket_directories = '%s'\nmax_connections = 40\n"
                  "shared_buffers = 16MB\nmax_wal_senders = 3\nlogging_collector = off\n"
                  "log_line_prefix = '%%p|%%u|%%d|%%a|'\n",
                  c->port, c->with_tcp ? "127.0.0.1" : "", c->folder);
    for (size_t i = 0; options->settings != NULL && options->settings[i] != NULL; i++) {
        dr_buf_printf(&text, "%s\n", options->settings[i]);
    }
    write_file(c, "data/postgresql.auto.conf", text.data);
    dr_buf_fini(&text);
    bool asks = options->password != NULL;
    write_file(c, "data/pg_hba.conf",
               asks ? "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 "
                      "scram-sha-256\n"
                    : "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 "
                      "trust\n");
}

struct dr_pgcluster *
dr_pgcluster_start(const struct dr_pgcluster_options *options)
{
    static const struct dr_pgcluster_options none = {0};
    options = options == NULL ? &none : options;
    struct dr_pgcluster *c = new_cluster();
    c->with_tcp = options->with_tcp;
    dr_pgcluster_run(c, (const char *const[]){DR_PGCLUSTER_BINDIR "/initdb", "-D", c->data, "-U",
                                              "postgres", "-A", "trust", "-N", "--no-instructions",
                                              "--locale=C", "-E", "UTF8", NULL});
    write_settings(c, options);
    dr_pgcluster_start_server(c);
    if (options->password != NULL) {
        char sql[256];
        snprintf(sql, sizeof sql, "ALTER ROLE postgres PASSWORD '%s'", options->password);
        dr_pgcluster_sql(c, dr_pgcluster_url(c, "postgres"), sql);
    }
    return c;
}

void
dr_pgcluster_stop(struct dr_pgcluster **cluster)
{
    struct dr_pgcluster *c = *cluster;
    if (c == NULL) {
        return;
    }
    close(c->watcher_pipe);
    waitpid(c->watcher, NULL, 0);
    for (size_t i = 0; i < c->strings_count; i++) {
        free(c->strings[i]);
    }
    free(c);
    *cluster = NULL;
}

static struct dr_pgcluster **
shared_slot(void)
{
    static struct dr_pgcluster *shared;
    return &shared;
}

static void
stop_shared(void)
{
    dr_pgcluster_stop(shared_slot());
}

struct dr_pgcluster *
dr_pgcluster_shared(void)
{
    struct dr_pgcluster **slot = shared_slot();
    if (*slot == NULL) {
        *slot = dr_pgcluster_start(NULL);
        atexit(stop_shared);
    }
    return *slot;
}

const char *
dr_pgcluster_url(struct dr_pgcluster *c, const char *database)
{
    char *url = NULL;
    if (asprintf(&url, "postgresql:///%s?host=%s&port=%d&user=postgres", database, c->folder,
                 c->port) < 0) {
        dr_pgcluster_die("no memory", "");
    }
    return keep(c, url);
}

const char *
dr_pgcluster_url_tcp(struct dr_pgcluster *c, const char *database)
{
    char *url = NULL;
    if (asprintf(&url, "postgresql://postgres@127.0.0.1:%d/%s", c->port, database) < 0) {
        dr_pgcluster_die("no memory", "");
    }
    return keep(c, url);
}

static struct dr_pg *
connect_to(const char *url)
{
    struct dr_pg *pg = NULL;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(10000);
    struct dr_pg_options options = {.url = url, .target = "test"};
    if (dr_pg_connect(&options, &wait, &pg, &err) != DR_OK) {
        dr_pgcluster_die("cannot connect", err.message);
    }
    return pg;
}

const char *
dr_pgcluster_ask(struct dr_pgcluster *c, const char *url, const char *sql)
{
    char value[4096] = "";
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(30000);
    struct dr_pg_stmt stmt = {.sql = sql};
    struct dr_pg *pg = connect_to(url);
    enum dr_rc rc = dr_pg_value(pg, &stmt, &wait, value, sizeof value, &err);
    dr_pg_close(&pg);
    if (rc != DR_OK && rc != DR_E_NOT_FOUND) {
        dr_pgcluster_die(sql, err.message);
    }
    return keep(c, strdup(value));
}

void
dr_pgcluster_sql(struct dr_pgcluster *c, const char *url, const char *sql)
{
    (void)c;
    struct dr_err err = {0};
    struct dr_db_wait wait = dr_db_wait_ms(30000);
    struct dr_pg *pg = connect_to(url);
    if (dr_pg_run(pg, sql, &wait, &err) != DR_OK) {
        dr_pgcluster_die(sql, err.message);
    }
    dr_pg_close(&pg);
}

const char *
dr_pgcluster_new_database(struct dr_pgcluster *c)
{
    char name[32];
    char sql[64];
    snprintf(name, sizeof name, "db%u", ++c->databases % DATABASES_MAX);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    dr_pgcluster_sql(c, dr_pgcluster_url(c, "postgres"), sql);
    return dr_pgcluster_url(c, name);
}

void
dr_pgcluster_kill(struct dr_pgcluster *c)
{
    dr_pgcluster_end_server(c);
}

void
dr_pgcluster_restart(struct dr_pgcluster *c)
{
    dr_pgcluster_start_server(c);
}

struct dr_pgcluster *
dr_pgcluster_standby(struct dr_pgcluster *primary)
{
    static const struct dr_pgcluster_options none = {0};
    char port[16];
    char conninfo[256];
    struct dr_pgcluster *c = new_cluster();
    snprintf(port, sizeof port, "%d", primary->port);
    dr_pgcluster_run(c, (const char *const[]){DR_PGCLUSTER_BINDIR "/pg_basebackup", "-h",
                                              primary->folder, "-p", port, "-U", "postgres", "-D",
                                              c->data, "-c", "fast", "-X", "stream", "--no-sync",
                                              NULL});
    snprintf(conninfo, sizeof conninfo, "primary_conninfo = 'host=%s port=%d user=postgres'",
             primary->folder, primary->port);
    struct dr_pgcluster_options options = none;
    options.settings = (const char *const[]){conninfo, NULL};
    write_settings(c, &options);
    write_file(c, "data/standby.signal", "");
    dr_pgcluster_start_server(c);
    return c;
}

const char *
dr_pgcluster_folder(const struct dr_pgcluster *c)
{
    return c->folder;
}

const char *
dr_pgcluster_socket(const struct dr_pgcluster *c)
{
    return c->folder;
}

int
dr_pgcluster_port(const struct dr_pgcluster *c)
{
    return c->port;
}

pid_t
dr_pgcluster_pid(const struct dr_pgcluster *c)
{
    return c->postmaster;
}
