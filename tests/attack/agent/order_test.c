// Orders about backups are not signed: a coordinator that is not to be trusted may give them.
#include "support/agent_world.h"

#include "agent/backup_job.h"

static const struct tp_revision ONE[] = {
    {.id = "001_users",
     .sections = {TP_UP("CREATE TABLE users(id INTEGER PRIMARY KEY)"),
                  TP_DOWN("DROP TABLE users")}},
};

// Programs of PostgreSQL of which pg_dump waits until the file "go" is there.
static void
make_slow_tools(struct coord *c)
{
    char path[PATH_MAX], text[1024];
    (void)snprintf(text, sizeof text,
                   "#!/bin/sh\n[ \"$1\" = --version ] || { echo >%.400s/begun; "
                   "while [ ! -e %.400s/go ]; do sleep 0.1; done; }\n"
                   "exec /usr/lib/postgresql/15/bin/pg_dump \"$@\"\n",
                   c->tmp.path, c->tmp.path);
    (void)dr_tmp_file(&c->tmp, "pg_dump", text, 0700, path);
    (void)dr_tmp_file(&c->tmp, "pg_restore",
                      "#!/bin/sh\nexec /usr/lib/postgresql/15/bin/pg_restore \"$@\"\n", 0700, path);
    (void)dr_tmp_path(&c->tmp, "agent.conf", path);
    FILE *conf = fopen(path, "a");
    (void)fprintf(conf, "pg_bindir = \"%s\"\n", c->tmp.path);
    assert_int_equal(fclose(conf), 0);
}

static bool
is_there(const struct coord *c, const char *name)
{
    char path[PATH_MAX];
    return access(dr_tmp_path(&c->tmp, name, path), F_OK) == 0;
}

// id: G1
static void
cancel_of_a_rollout_does_not_end_a_backup_that_somebody_ordered(void **state)
{
    struct coord c = {0};
    char path[PATH_MAX];
    (void)state;
    c_begin(&c, DROVER__V1__ENGINE__POSTGRESQL, ONE, 1);
    make_slow_tools(&c);
    c_start_agent(&c, NULL);
    c_push_trust(&c);
    c_push_order(&c, "backup take");
    C_UNTIL(&c, is_there(&c, "begun"));
    c_push_order(&c, "cancel"); // of R-1
    C_UNTIL(&c, c_log_has(&c, "cancelled by the coordinator"));
    (void)dr_tmp_file(&c.tmp, "go", "", 0600, path);
    struct dr_attestation taken = c_expect(&c, DROVER__V1__ATTESTATION_KIND__BACKUP);
    assert_string_equal(taken.msg->code, "");
    assert_int_equal(taken.msg->backup->restore_level, DROVER__V1__RESTORE_LEVEL__LISTED);
    c_end(&c);
}

// id: G1 G8
static void
backups_that_a_coordinator_orders_do_not_fill_the_disk(void **state)
{
    struct coord c = {0};
    (void)state;
    c_begin(&c, DROVER__V1__ENGINE__SQLITE, ONE, 1);
    c_start_agent(&c, NULL);
    c_push_trust(&c);
    for (unsigned i = 0; i < DR_BACKUP_ORDERED_HOUR + 2; i++) {
        c_push_order(&c, "backup take");
    }
    for (unsigned i = 0; i < DR_BACKUP_ORDERED_HOUR; i++) {
        assert_string_equal(c_expect(&c, DROVER__V1__ATTESTATION_KIND__BACKUP).msg->code, "");
    }
    for (unsigned refused = 0; refused < 2;) {
        struct dr_attestation answer = c_expect(&c, DROVER__V1__ATTESTATION_KIND__STATE);
        refused += strcmp(answer.msg->code, "backup-too-many") == 0 ? 1 : 0;
    }
    c_push_prepare(&c, DROVER__V1__MODE__UP); // a rollout is not held up by that
    (void)c_expect(&c, DROVER__V1__ATTESTATION_KIND__READY);
    c_end(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_of_a_rollout_does_not_end_a_backup_that_somebody_ordered),
        cmocka_unit_test(backups_that_a_coordinator_orders_do_not_fill_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
