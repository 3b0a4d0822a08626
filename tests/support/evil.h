// An evil coordinator around one real agent of production: it holds every key of a small
// organisation (three people, two staging agents, a second production agent) and so can sign,
// forge, mix, withhold and replay anything. A case starts from a bundle that is good in every way,
// spoils one thing, and says which refusal must come back; after each case the oracles look: no
// statement ran, trust on disk is what it should be, the agent lives. Included once per test
// program.
#ifndef DR_TESTS_SUPPORT_EVIL_H
#define DR_TESTS_SUPPORT_EVIL_H

#include "support/evil_draft.h"

#include <dirent.h>

// ------------------------------------------------------------------------------------ oracles

static inline int
e_count_fds(pid_t pid)
{
    char path[64];
    int n = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return -1; // another user's: not for us to see
    }
    while (readdir(dir) != NULL) {
        n++;
    }
    (void)closedir(dir);
    return n;
}

static inline void
e_hash_database(struct evil *e, uint8_t out[32])
{
    uint64_t size = 0;
    memset(out, 0, 32);
    if (e->c.engine == E_SQLITE) {
        C_OK(&e->c, dr_file_sha256(e->c.url + strlen("sqlite:"), out, &size, &e->c.err));
    }
}

// The world is quiet: from now on nothing may change.
static inline void
e_remember(struct evil *e)
{
    e_hash_database(e, e->database_sha256);
    e->fds_exec = e_count_fds(e->c.agent);
    e->fds_net = e_count_fds(c_child(&e->c, "net"));
}

static inline bool
e_file_holds(struct evil *e, const char *name, struct dr_bytes wire)
{
    char path[PATH_MAX];
    char *bytes = NULL;
    size_t len = 0;
    C_OK(&e->c,
         dr_file_read(dr_tmp_path(&e->c.tmp, name, path), E_FILE_MAX, &bytes, &len, &e->c.err));
    bool holds = memmem(bytes, len, wire.data, wire.len) != NULL;
    free(bytes);
    return holds;
}

// O1: nothing ran. O2: trust on disk is what was accepted. O3: the agent lives and holds on to
// nothing.
static inline void
e_oracles(struct evil *e, const char *name)
{
    struct coord *c = &e->c;
    uint8_t now[32];
    char root[64];
    e_hash_database(e, now);
    if (memcmp(now, e->database_sha256, 32) != 0 || c_has_table(c, "users")) {
        fail_msg("%s: O1: the database was changed", name);
    }
    (void)snprintf(root, sizeof root, "state/trust/root-%llu",
                   (unsigned long long)c->root.msg->version);
    if (!e_file_holds(e, "state/trust/fleet", e->trusted_fleet) ||
        !e_file_holds(e, "state/trust/chain", e->trusted_chain) ||
        (c->root.msg->version > 1 && !e_file_holds(e, root, e->trusted_root))) {
        fail_msg("%s: O2: what the agent trusts is not what was accepted", name);
    }
    if (waitpid(c->agent, NULL, WNOHANG) != 0) {
        c->agent = 0;
        fail_msg("%s: O3: the agent is dead", name);
    }
    C_UNTIL(c, e_count_fds(c->agent) <= e->fds_exec);
    C_UNTIL(c, e_count_fds(c_child(c, "net")) <= e->fds_net);
}

// --------------------------------------------------------------------------------------- cases

struct e_case {
    const char *name; // begins with the id
    void (*before)(struct e_draft *d);
    void (*after)(struct e_draft *d);
    const char *code;
};

// The good bundle of an open READY, spoilt.
static inline void
e_make(struct evil *e, const struct dr_attestation *ready, const struct e_case *row,
       struct e_draft *d)
{
    e_draft_begin(e, ready, d);
    if (row != NULL && row->before != NULL) {
        row->before(d);
    }
    e_draft_sign(d);
    if (row != NULL && row->after != NULL) {
        row->after(d);
    }
}

static inline void
e_push_draft(struct e_draft *d)
{
    d->e->c.n_push = 0;
    c_push(&d->e->c, E_PUSH(BUNDLE), &d->bundle->base);
}

// Nothing but STATEs may come before the refusal. True if it carries `code`.
static inline bool
e_is_refused(struct evil *e, const char *name, const char *code)
{
    struct dr_attestation one;
    do {
        one = c_next(&e->c);
    } while (one.msg->kind == KIND_OF(STATE));
    if (one.msg->kind != KIND_OF(REFUSED)) {
        fail_msg("%s: attestation %d '%s' (%s) came, no refusal", name, (int)one.msg->kind,
                 one.msg->code, one.msg->detail);
    }
    if (strcmp(one.msg->code, code) != 0) {
        print_error("%s: '%s' (%s) instead of '%s'\n", name, one.msg->code, one.msg->detail, code);
    }
    return strcmp(one.msg->code, code) == 0;
}

static inline void
e_refused(struct evil *e, const char *name, const char *code)
{
    if (!e_is_refused(e, name, code)) {
        fail_msg("%s: another refusal", name);
    }
}

// Asks for a STATE and gets one: the agent answers.
static inline void
e_answers(struct evil *e)
{
    e->c.n_push = 0;
    c_push_order(&e->c, "state");
    struct dr_attestation one = c_next(&e->c);
    assert_int_equal(one.msg->kind, KIND_OF(STATE));
}

static inline bool
e_run_case(struct evil *e, const struct dr_attestation *ready, const struct e_case *row)
{
    struct e_draft d;
    e_make(e, ready, row, &d);
    e_push_draft(&d);
    bool is_right = e_is_refused(e, row->name, row->code);
    e_oracles(e, row->name);
    return is_right;
}

// The good bundle runs: what the cases refused was refused for what they spoilt.
static inline void
e_good_one_runs(struct evil *e, const struct dr_attestation *ready)
{
    struct e_draft d;
    e_make(e, ready, NULL, &d);
    e_push_draft(&d);
    struct dr_attestation applied = c_expect(&e->c, KIND_OF(APPLIED));
    assert_true(dr_data_is(applied.msg->plan_sha256, e->c.plan->sha256));
    assert_true(c_has_table(&e->c, "users") && c_has_table(&e->c, "orders"));
}

static const struct tp_revision E_TWO[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
    {.id = "002_orders",
     .parents = {"001_users"},
     .sections = {TP_UP("CREATE TABLE orders(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE orders")}},
};

static inline struct evil *
e_begin(void)
{
    static struct evil e;
    e_begin_with(&e, E_SQLITE, NULL, E_GATES, E_TWO, 2);
    return &e;
}

static inline struct dr_attestation
e_ready(struct evil *e)
{
    struct dr_attestation ready = c_prepare(&e->c, E_MODE(UP));
    e_remember(e);
    return ready;
}

// One agent, one READY, all rows one after the other, then the good bundle. At most 28 rows: an
// agent signs 30 refusals a minute.
static inline void
e_run_table(const struct e_case *rows, size_t n)
{
    struct evil *e = e_begin();
    assert_true(n <= 28);
    c_start_agent(&e->c, NULL);
    struct dr_attestation ready = e_ready(e);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        wrong += e_run_case(e, &ready, &rows[i]) ? 0 : 1;
    }
    assert_int_equal(wrong, 0);
    e_answers(e);
    e_good_one_runs(e, &ready);
    e_end(e);
}

#endif
