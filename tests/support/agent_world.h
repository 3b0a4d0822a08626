// A small coordinator for tests of the real agent: an RPC server in this process, and helpers that
// start the agent, push, and wait for attestations. It may lie where a test wants it to. Included
// once per test program.
#ifndef DR_TESTS_SUPPORT_AGENT_WORLD_H
#define DR_TESTS_SUPPORT_AGENT_WORLD_H

#include "support/agent_server.h"

// -------------------------------------------------------------------------------- the agent

static inline void
c_configure(struct coord *c)
{
    char path[PATH_MAX];
    struct dr_buf text = {0};
    char hex[65];
    dr_hex(hex, c->server_key.public_key, 32);
    dr_buf_printf(
        &text,
        "agent = \"%s\"\nenvironment = \"production\"\ncoordinator = \"tcp://127.0.0.1:%u\"\n"
        "coordinator_key = \"%s\"\nroot = \"root.drv\"\n",
        C_AGENT, c->port, hex);
    dr_hex(hex, c->root.file_sha256, 32);
    dr_buf_printf(
        &text, "root_sha256 = \"%s\"\nstate = \"state\"\nlog = \"debug\"\nlog_format = \"text\"\n",
        hex);
    dr_buf_printf(&text, "target \"%s\" { url = \"%s\" }\n", C_TARGET, c->url);
    (void)dr_tmp_file(&c->tmp, "agent.conf", text.data, 0600, path);
    dr_buf_fini(&text);
    C_OK(c, dr_file_write(dr_tmp_path(&c->tmp, "root.drv", path), c->root_wire.data,
                          c->root_wire.len, 0644, &c->err));
}

static const char *
c_agent_path(void)
{
    static char path[PATH_MAX];
    const char *build = getenv("DROVER_BUILD");
    (void)snprintf(path, sizeof path, "%s/drover-agent", build == NULL ? "." : build);
    return path;
}

// Runs `drover-agent ARG...` to its end; standard output goes to "out" in the folder. Returns the
// exit code.
static inline int
c_command(struct coord *c, const char *const *args)
{
    char out[PATH_MAX];
    (void)dr_tmp_path(&c->tmp, "out", out);
    pid_t pid = fork();
    if (pid == 0) {
        const char *argv[16] = {c_agent_path()};
        int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (void)dup2(fd, STDOUT_FILENO);
        for (size_t i = 0; args[i] != NULL && i < 14; i++) {
            argv[i + 1] = args[i];
        }
        union {
            const char **in;
            char *const *out;
        } lend = {.in = argv};
        (void)execv(argv[0], lend.out);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline char *
c_output(struct coord *c)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    C_OK(c, dr_file_read(dr_tmp_path(&c->tmp, "out", path), 1u << 20, &text, &len, &c->err));
    char *copy = dr_arena_strn(c->arena, text, len);
    free(text);
    return copy;
}

// Starts the agent with `failpoint` in its environment (NULL: none) and waits until it says that it
// is ready.
static inline void
c_start_agent(struct coord *c, const char *failpoint)
{
    char conf[PATH_MAX];
    char log[PATH_MAX];
    int fds[2];
    (void)dr_tmp_path(&c->tmp, "agent.conf", conf);
    (void)dr_tmp_path(&c->tmp, "agent.log", log);
    assert_int_equal(pipe(fds), 0);
    c->agent = fork();
    if (c->agent == 0) {
        char number[16];
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)dup2(fd, STDERR_FILENO);
        (void)dup2(fd, STDOUT_FILENO);
        (void)close(fds[0]);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that fails leaves no agent behind
        (void)snprintf(number, sizeof number, "%d", fds[1]);
        if (failpoint != NULL) {
            (void)setenv("DROVER_FAILPOINT", failpoint, 1);
        }
        (void)execl(c_agent_path(), "drover-agent", "--config", conf, "--ready-fd", number,
                    (char *)NULL);
        _exit(127);
    }
    (void)close(fds[1]);
    char line[8] = "";
    ssize_t n = 0;
    struct pollfd fd = {.fd = fds[0], .events = POLLIN};
    if (poll(&fd, 1, C_PATIENCE_MS) == 1) {
        n = read(fds[0], line, sizeof line - 1);
    }
    (void)close(fds[0]);
    if (n != 6) {
        fail_msg("the agent did not start");
    }
}

// The end of the agent by `sig`; gives its status.
static inline int
c_stop_agent(struct coord *c, int sig)
{
    int status = 0;
    if (c->agent > 0) {
        (void)kill(c->agent, sig);
        while (waitpid(c->agent, &status, WNOHANG) == 0) {
            c_turn(c);
        }
        c->agent = 0;
    }
    return status;
}

// The child of the agent whose command line holds `word`; 0: none.
static inline pid_t
c_child(const struct coord *c, const char *word)
{
    char path[64];
    char text[65536];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)c->agent, (int)c->agent);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    (void)close(fd);
    text[n < 0 ? 0 : n] = '\0';
    for (char *at = text; *at != '\0';) {
        char *end = at;
        long pid = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        at = end;
        char line[256] = "";
        (void)snprintf(path, sizeof path, "/proc/%ld/cmdline", pid);
        fd = open(path, O_RDONLY);
        n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
        (void)close(fd);
        for (ssize_t i = 0; i < n; i++) {
            line[i] = line[i] == '\0' ? ' ' : line[i];
        }
        if (n > 0 && strstr(line, word) != NULL) {
            return (pid_t)pid;
        }
    }
    return 0;
}

// ------------------------------------------------------------------------- start and end

static inline void
c_read_agent_key(struct coord *c)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    const char *const args[] = {"key", "new", "--dir", c->tmp.path, "--name", C_AGENT, NULL};
    assert_int_equal(c_command(c, args), 0);
    C_OK(c, dr_file_read(dr_tmp_path(&c->tmp, "agent.pub", path), 4096, &text, &len, &c->err));
    C_OK(c, dr_public_parse(text, &c->agent_key, &c->err));
    free(text);
}

// A database whose server writes every statement down, for oracle O1.
static inline const char *
c_new_database(struct dr_pgcluster *cluster)
{
    const char *url = dr_pgcluster_new_database(cluster);
    char sql[256];
    (void)snprintf(sql, sizeof sql, "ALTER DATABASE %s SET log_statement = 'all'",
                   dr_pgcluster_ask(cluster, url, "SELECT current_database()"));
    dr_pgcluster_sql(cluster, url, sql);
    return url;
}

// O1: each statement that the server was sent for `database` in the agent's name is one of the
// agent's own, or stands in the plan.
static inline void
c_check_statements(struct coord *c, const struct dr_pgcluster *cluster, const char *database)
{
    char log[PATH_MAX], script[PATH_MAX], path[PATH_MAX];
    const char *argv[TP_REVISIONS + 7] = {"python3", "-B", script, "--log", log};
    size_t n = 5;
    (void)snprintf(log, sizeof log, "%s/log", dr_pgcluster_folder(cluster));
    (void)snprintf(script, sizeof script, "%s/tests/support/approved.py", getenv("DROVER_SOURCE"));
    argv[n++] = database;
    for (size_t i = 0; i < c->plan->plan->n_revisions; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "o1-%zu.sql", i);
        C_OK(c, dr_file_write(dr_tmp_path(&c->tmp, name, path), c->plan->files[i],
                              c->plan->sizes[i], 0600, &c->err));
        argv[n++] = dr_arena_str(c->arena, path);
    }
    struct dr_cmd cmd = {.argv = argv, .timeout_ms = 60000, .output_max = 1u << 20};
    struct dr_cmd_result result = {0};
    C_OK(c, dr_cmd_run(&cmd, &result, &c->err));
    if (result.exit_code != 0) {
        fail_msg("%s%s", result.output.data ? result.output.data : "",
                 result.errors.data ? result.errors.data : "");
    }
    dr_cmd_result_fini(&result);
}

static inline void
c_make_database(struct coord *c)
{
    if (c->engine == DROVER__V1__ENGINE__POSTGRESQL) {
        (void)snprintf(c->url, sizeof c->url, "%s", c_new_database(dr_pgcluster_shared()));
        return;
    }
    char path[PATH_MAX];
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.create = true};
    C_OK(c, dr_sqlite_open(dr_tmp_path(&c->tmp, "app.db", path), &options, &db, &c->err));
    C_OK(c, dr_sqlite_script(db, "CREATE TABLE before(id INTEGER)", &c->err));
    dr_sqlite_close(&db);
    (void)snprintf(c->url, sizeof c->url, "sqlite:%.500s", path);
}

static inline void
c_begin(struct coord *c, Drover__V1__Engine engine, const struct tp_revision *revisions, size_t n)
{
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); // the agent turns tracing of itself off
    dr_tmp_init(&c->tmp);
    c->arena = dr_arena_new(256u << 20);
    c->engine = engine;
    c->plan = tp_make(engine, revisions, n);
    c->plan_bytes = c_pack(c, &c->plan->plan->base);
    C_OK(c, dr_key_generate(DR_KEY_TRANSPORT, &c->server_key, &c->err));
    c_read_agent_key(c);
    c_make_database(c);
    c_serve(c);
    c_make_root(c);
    c_make_fleet(c);
    c_make_chain(c);
    c_configure(c);
}

static inline void
c_end(struct coord *c)
{
    (void)c_stop_agent(c, SIGKILL);
    dr_rpc_server_close(&c->server);
    if (c->engine == DROVER__V1__ENGINE__POSTGRESQL) {
        struct dr_pgcluster *shared = dr_pgcluster_shared();
        if (strstr(c->url, dr_pgcluster_folder(shared)) != NULL) { // not a test's own server
            c_check_statements(c, shared,
                               dr_pgcluster_ask(shared, c->url, "SELECT current_database()"));
        }
    }
    for (size_t i = 0; i < C_PEOPLE; i++) {
        dr_key_fini(&c->person[i]);
    }
    dr_key_fini(&c->server_key);
    tp_free(c->plan);
    dr_arena_free(&c->arena);
    dr_tmp_fini(&c->tmp);
}

// ------------------------------------------------------------------------------------ pushes

static inline void
c_push_bytes(struct coord *c, Drover__V1__PushKind kind, struct dr_bytes body)
{
    assert_true(c->n_push < C_PUSHES);
    size_t i = c->n_push++;
    c->push[i].seq = ++c->next_seq;
    c->push[i].kind = kind;
    c->push[i].body = body;
    c->push[i].is_acked = c->push[i].is_sent = false;
    dr_random(c->push[i].id, 16);
}

static inline void
c_push(struct coord *c, Drover__V1__PushKind kind, const ProtobufCMessage *msg)
{
    c_push_bytes(c, kind, c_pack(c, msg));
}

static inline void
c_push_trust(struct coord *c)
{
    c_push(c, DROVER__V1__PUSH_KIND__PUSH_TRUST, &c_trust(c)->base);
}

static inline void
c_push_prepare(struct coord *c, Drover__V1__Mode mode)
{
    Drover__V1__Prepare *prepare = c_new(c, &drover__v1__prepare__descriptor);
    prepare->rollout = c_text(c, "R-1");
    prepare->target = c_text(c, C_TARGET);
    prepare->plan_sha256 = c_data(c, c->plan->sha256, 32);
    prepare->mode = mode;
    prepare->with_backup = c->with_backup_gate;
    c_push(c, DROVER__V1__PUSH_KIND__PUSH_PREPARE, &prepare->base);
}

static inline void
c_push_order(struct coord *c, const char *order)
{
    Drover__V1__Order *msg = c_new(c, &drover__v1__order__descriptor);
    msg->rollout = c_text(c, "R-1");
    msg->target = c_text(c, C_TARGET);
    msg->order = c_text(c, order);
    c_push(c, DROVER__V1__PUSH_KIND__PUSH_ORDER, &msg->base);
}

// The next attestation that was not looked at yet; it must verify under the fleet and follow the
// one before.
static inline struct dr_attestation
c_next(struct coord *c)
{
    struct dr_attestation one = {0};
    C_UNTIL(c, c->n_taken < c->n_seen);
    struct dr_bytes wire = c->seen[c->n_taken++];
    C_OK(c, dr_attest_load(c->arena, &c->fleet, c->entries, c->n_entries, wire, &one, &c->err));
    return one;
}

// The next of that kind; STATEs on the way are skipped, anything else fails the test.
static inline struct dr_attestation
c_expect(struct coord *c, Drover__V1__AttestationKind kind)
{
    for (;;) {
        struct dr_attestation one = c_next(c);
        if (one.msg->kind == kind) {
            return one;
        }
        if (one.msg->kind != KIND_OF(STATE)) {
            fail_msg("attestation of kind %d came, not %d: %s %s", (int)one.msg->kind, (int)kind,
                     one.msg->code, one.msg->detail);
        }
    }
}

static inline void
c_push_bundle(struct coord *c, const struct dr_attestation *ready, const struct c_approve *how)
{
    c_push(c, DROVER__V1__PUSH_KIND__PUSH_BUNDLE, &c_bundle(c, ready, how)->base);
}

// A person's stop, signed by carol.
static inline void
c_push_stop(struct coord *c, Drover__V1__SignoffKind kind)
{
    Drover__V1__Signoff msg = DROVER__V1__SIGNOFF__INIT;
    struct dr_bytes wire = {0};
    uint8_t sha256[32];
    msg.cluster_id = c_data(c, C_CLUSTER, 16);
    msg.kind = kind;
    msg.environment = c_text(c, "production");
    msg.plan_sha256 = c_data(c, c->plan->sha256, 32);
    msg.note = c_text(c, "not today");
    msg.time = dr_now_unix_s();
    C_OK(c, dr_signoff_build(c->arena, msg, &c->person[2], &wire, sha256, &c->err));
    c_push_bytes(c, DROVER__V1__PUSH_KIND__PUSH_SIGNOFF, wire);
}

// Trust and PREPARE, then the READY (and the BACKUP before it, if the policy asks).
static inline struct dr_attestation
c_prepare(struct coord *c, Drover__V1__Mode mode)
{
    c_push_trust(c);
    c_push_prepare(c, mode);
    if (c->with_backup_gate) {
        struct dr_attestation backup = c_expect(c, KIND_OF(BACKUP));
        assert_int_equal(backup.msg->backup->restore_level, DROVER__V1__RESTORE_LEVEL__LISTED);
        assert_true(backup.msg->backup->size_bytes > 0);
    }
    return c_expect(c, KIND_OF(READY));
}

// ---------------------------------------------------------------------------------- database

// Somebody else makes a table in the target.
static inline void
c_make_table(struct coord *c, const char *table)
{
    bool is_pg = c->engine == DROVER__V1__ENGINE__POSTGRESQL;
    char sql[256];
    (void)snprintf(sql, sizeof sql, "CREATE TABLE %s.%s(id INTEGER PRIMARY KEY)",
                   is_pg ? "public" : "main", table);
    if (is_pg) {
        (void)dr_pgcluster_ask(c->cluster == NULL ? dr_pgcluster_shared() : c->cluster, c->url,
                               sql);
        return;
    }
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.create = true};
    C_OK(c, dr_sqlite_open(c->url + strlen("sqlite:"), &options, &db, &c->err));
    C_OK(c, dr_sqlite_script(db, sql, &c->err));
    dr_sqlite_close(&db);
}

// How often has the agent logged that?
static inline unsigned
c_log_count(struct coord *c, const char *words)
{
    char path[PATH_MAX];
    char *text = NULL;
    size_t len = 0;
    unsigned n = 0;
    if (dr_file_read(dr_tmp_path(&c->tmp, "agent.log", path), 16u << 20, &text, &len, &c->err) !=
        DR_OK) {
        return 0;
    }
    for (const char *at = text; (at = strstr(at, words)) != NULL; at += strlen(words)) {
        n++;
    }
    free(text);
    return n;
}

// Has the agent logged that?
static inline bool
c_log_has(struct coord *c, const char *words)
{
    return c_log_count(c, words) > 0;
}

// Does the target have a table of that name?
static inline bool
c_has_table(struct coord *c, const char *table)
{
    char sql[256];
    if (c->engine == DROVER__V1__ENGINE__POSTGRESQL) {
        (void)snprintf(sql, sizeof sql, "SELECT to_regclass('public.%s') IS NOT NULL", table);
        return dr_pgcluster_ask(c->cluster == NULL ? dr_pgcluster_shared() : c->cluster, c->url,
                                sql)[0] == 't';
    }
    struct dr_sqlite *db = NULL;
    const struct dr_sqlite_options options = {.read_only = true};
    int64_t count = 0;
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_schema WHERE name = '%s'", table);
    C_OK(c, dr_sqlite_open(c->url + strlen("sqlite:"), &options, &db, &c->err));
    C_OK(c, dr_sqlite_value_int(db, sql, &count, &c->err));
    dr_sqlite_close(&db);
    return count > 0;
}

#endif
