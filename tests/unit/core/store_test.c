// The store: what was committed is there after a reopen, what was not is gone; refusals name the
// folder.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "coordinator/core/events.h"
#include "coordinator/core/store.h"
#include "db/sqlite.h"
#include "revision/digest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char folder[256], state[300];
    struct dr_store *store;
    struct dr_arena *arena;
    struct dr_err err;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "%s/dr-store-XXXXXX",
                   getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->state, sizeof f->state, "%s/state", f->folder);
    f->arena = dr_arena_new(64u << 20);
    assert_int_equal(dr_store_sqlite_open(f->state, &f->store, &f->err), DR_OK);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    dr_store_close(&f->store);
    dr_arena_free(&f->arena);
    (void)!dr_dir_remove(f->folder, NULL);
    free(f);
    return 0;
}

static void
reopen(struct fixture *f)
{
    dr_store_close(&f->store);
    assert_int_equal(dr_store_sqlite_open(f->state, &f->store, &f->err), DR_OK);
}

static struct dr_bytes
text(const char *s)
{
    return (struct dr_bytes){(const uint8_t *)s, strlen(s)};
}

static struct dr_store_document
document(uint8_t n, const char *kind, const char *target, uint32_t subkind, uint64_t version)
{
    struct dr_store_document d = {.kind = kind,
                                  .envelope = text("envelope"),
                                  .target = target,
                                  .environment = "staging",
                                  .agent = "stg",
                                  .subkind = subkind,
                                  .version = version,
                                  .log_index = n};

    memset(d.sha256, n, 32);
    memset(d.epoch, 7, 16);
    return d;
}

static void
put(struct fixture *f, const struct dr_store_document *d)
{
    assert_int_equal(f->store->ops->document_put(f->store, d, &f->err), DR_OK);
}

// id: P6
static void
committed_documents_survive_a_reopen_and_others_do_not(void **state)
{
    struct fixture *f = *state;
    struct dr_store_document a = document(1, "drover/attestation.v1", "staging/a", 2, 1), out;
    struct dr_store_document b = document(2, "drover/attestation.v1", "staging/a", 2, 2);

    assert_int_equal(f->store->ops->begin(f->store, &f->err), DR_OK);
    put(f, &a);
    assert_int_equal(f->store->ops->commit(f->store, &f->err), DR_OK);
    assert_int_equal(f->store->ops->begin(f->store, &f->err), DR_OK);
    put(f, &b);
    f->store->ops->rollback(f->store);
    reopen(f);
    assert_int_equal(f->store->ops->document_get(f->store, a.sha256, f->arena, &out, &f->err),
                     DR_OK);
    assert_string_equal(out.target, "staging/a");
    assert_memory_equal(out.envelope.data, "envelope", 8);
    assert_int_equal(f->store->ops->document_get(f->store, b.sha256, f->arena, &out, &f->err),
                     DR_E_NOT_FOUND);
}

// id: P6
static void
what_was_committed_survives_a_kill(void **state)
{
    struct fixture *f = *state;
    int pipe_fd[2], status;
    char byte;
    struct dr_store_document out;

    dr_store_close(&f->store);
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    if (child == 0) {
        struct dr_store_document a = document(1, "drover/root.v1", NULL, 0, 1);
        struct dr_store_document b = document(2, "drover/root.v1", NULL, 0, 2);

        if (dr_store_sqlite_open(f->state, &f->store, &f->err) != DR_OK ||
            f->store->ops->begin(f->store, &f->err) != DR_OK ||
            f->store->ops->document_put(f->store, &a, &f->err) != DR_OK ||
            f->store->ops->commit(f->store, &f->err) != DR_OK ||
            f->store->ops->begin(f->store, &f->err) != DR_OK ||
            f->store->ops->document_put(f->store, &b, &f->err) != DR_OK) {
            _exit(1);
        }
        (void)!write(pipe_fd[1], "x", 1);
        pause();
    }
    assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    assert_int_equal(dr_store_sqlite_open(f->state, &f->store, &f->err), DR_OK);
    assert_int_equal(
        f->store->ops->document_version(f->store, "drover/root.v1", 0, f->arena, &out, &f->err),
        DR_OK);
    assert_int_equal(out.version, 1);
}

static enum dr_rc
count_documents(void *user, const struct dr_store_document *row, struct dr_err *err)
{
    (void)err;
    assert_true(row->log_index > 0);
    ++*(unsigned *)user;
    return DR_OK;
}

static unsigned
list(struct fixture *f, struct dr_store_filter filter)
{
    unsigned n = 0;

    assert_int_equal(f->store->ops->document_list(f->store, &filter, count_documents, &n, &f->err),
                     DR_OK);
    return n;
}

static void
documents_are_found_by_their_columns(void **state)
{
    struct fixture *f = *state;
    struct dr_store_document a = document(1, "drover/attestation.v1", "staging/a", 2, 1), out;
    struct dr_store_document b = document(2, "drover/attestation.v1", "staging/a", 4, 2);
    struct dr_store_document c = document(3, "drover/approval.v1", NULL, 0, 0);
    struct dr_store_word word;

    b.has_plan = c.has_plan = true;
    c.is_pending = true;
    put(f, &a);
    put(f, &b);
    put(f, &c);
    assert_int_equal(list(f, (struct dr_store_filter){0}), 3);
    assert_int_equal(list(f, (struct dr_store_filter){.target = "staging/a"}), 2);
    assert_int_equal(list(f, (struct dr_store_filter){.target = "staging/a", .newest_first = true}),
                     2);
    assert_int_equal(list(f, (struct dr_store_filter){.subkinds = 1u << 4}), 1);
    for (uint32_t kind = 2; kind <= 4; kind++) { // one target's words of one kind
        assert_int_equal(list(f, (struct dr_store_filter){.target = "staging/a",
                                                          .subkinds = 1u << kind,
                                                          .newest_first = true}),
                         kind == 3 ? 0 : 1);
    }
    assert_int_equal(list(f, (struct dr_store_filter){.only_pending = true}), 1);
    assert_int_equal(list(f, (struct dr_store_filter){.only_complete = true}), 2);
    assert_int_equal(list(f, (struct dr_store_filter){.plan_sha256 = c.plan_sha256}), 2);
    assert_int_equal(list(f, (struct dr_store_filter){.after_log_index = 2}), 1);
    assert_int_equal(
        f->store->ops->document_latest(f->store, "staging/a", 4, f->arena, &out, &f->err), DR_OK);
    assert_int_equal(out.log_index, 2);
    assert_int_equal(f->store->ops->document_latest_word(f->store, "staging/a", 4, &word, &f->err),
                     DR_OK);
    assert_int_equal(word.log_index, 2);
    assert_memory_equal(word.sha256, b.sha256, 32);
    assert_int_equal(f->store->ops->document_latest_word(f->store, "staging/b", 4, &word, &f->err),
                     DR_E_NOT_FOUND);
    assert_int_equal(
        f->store->ops->document_counter(f->store, "stg", a.epoch, 1, f->arena, &out, &f->err),
        DR_OK);
    assert_memory_equal(out.sha256, a.sha256, 32);
}

static void
an_upload_goes_on_where_it_stopped(void **state)
{
    struct fixture *f = *state;
    uint8_t digest[32];
    uint64_t received, total;
    bool complete;
    struct dr_bytes piece;

    dr_digest_sha256(digest, "hello world", 11);
    assert_int_equal(f->store->ops->blob_put(f->store, digest, 0, 11, text("hello"), &received,
                                             &complete, &f->err),
                     DR_OK);
    assert_int_equal(received, 5);
    assert_false(complete);
    assert_int_equal(
        f->store->ops->blob_get(f->store, digest, 0, f->arena, &piece, &total, &f->err),
        DR_E_NOT_FOUND);
    reopen(f);
    assert_int_equal(f->store->ops->blob_put(f->store, digest, 0, 11, text("hello"), &received,
                                             &complete, &f->err),
                     DR_OK);
    assert_int_equal(received, 5);
    assert_int_equal(f->store->ops->blob_put(f->store, digest, 5, 11, text(" world"), &received,
                                             &complete, &f->err),
                     DR_OK);
    assert_true(complete);
    assert_int_equal(
        f->store->ops->blob_get(f->store, digest, 6, f->arena, &piece, &total, &f->err), DR_OK);
    assert_int_equal(total, 11);
    assert_memory_equal(piece.data, "world", 5);
    assert_int_equal(
        f->store->ops->blob_get(f->store, digest, 12, f->arena, &piece, &total, &f->err),
        DR_E_INVALID);
}

static void
a_blob_that_is_not_what_its_digest_names_is_thrown_away(void **state)
{
    struct fixture *f = *state;
    uint8_t digest[32];
    uint64_t received;
    bool complete;

    dr_digest_sha256(digest, "right", 5);
    assert_int_equal(f->store->ops->blob_put(f->store, digest, 0, 5, text("wrong"), &received,
                                             &complete, &f->err),
                     DR_E_BLOB_DIGEST);
    assert_int_equal(f->store->ops->blob_put(f->store, digest, 0, 5, text("right"), &received,
                                             &complete, &f->err),
                     DR_OK);
    assert_true(complete);
    assert_int_equal(f->store->ops->blob_put(f->store, digest, 0, (64u << 20) + 1, text("x"),
                                             &received, &complete, &f->err),
                     DR_E_LIMIT);
}

struct pushes {
    uint64_t seq[8];
    size_t n;
};

static enum dr_rc
collect_push(void *user, const struct dr_store_push *row, struct dr_err *err)
{
    struct pushes *p = user;

    (void)err;
    p->seq[p->n++] = row->seq;
    return DR_OK;
}

static void
pushes_are_kept_until_acknowledged_and_numbers_are_never_reused(void **state)
{
    struct fixture *f = *state;
    const uint8_t id[16] = {0};
    uint64_t seq;
    struct pushes p = {{0}, 0};

    for (int i = 0; i < 3; i++) {
        assert_int_equal(f->store->ops->push_add(f->store, "stg", 2, i == 0 ? NULL : "trust", id,
                                                 text("x"), &seq, &f->err),
                         DR_OK);
    }
    reopen(f);
    assert_int_equal(f->store->ops->push_list(f->store, "stg", 0, 8, collect_push, &p, &f->err),
                     DR_OK);
    assert_int_equal(p.n, 2); // the second "trust" took the place of the first
    assert_int_equal(p.seq[0], 1);
    assert_int_equal(p.seq[1], 3);
    assert_int_equal(f->store->ops->push_ack(f->store, "stg", 3, &f->err), DR_OK);
    assert_int_equal(
        f->store->ops->push_add(f->store, "stg", 2, NULL, id, text("y"), &seq, &f->err), DR_OK);
    assert_int_equal(seq, 4);
}

static void
the_log_is_a_chain_that_shows_every_change(void **state)
{
    struct fixture *f = *state;
    struct dr_events *events;
    struct dr_sqlite *db;
    char path[400];
    const struct dr_event event = {"rollout", "R-1 staging/a", "alice", NULL};
    const struct dr_sqlite_options options = {.is_state = true};

    assert_int_equal(dr_events_open(f->store, true, &events, &f->err), DR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(dr_events_add(events, &event, NULL, &f->err, "entry %d", i), DR_OK);
    }
    assert_int_equal(dr_events_head(events)->index, 3);
    dr_events_close(&events);
    reopen(f);
    assert_int_equal(dr_events_open(f->store, true, &events, &f->err), DR_OK);
    dr_events_close(&events);
    dr_store_close(&f->store);
    (void)snprintf(path, sizeof path, "%s/drover.db", f->state);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_script(db, "UPDATE log SET actor = 'bob' WHERE idx = 2", &f->err),
                     DR_OK);
    dr_sqlite_close(&db);
    assert_int_equal(dr_store_sqlite_open(f->state, &f->store, &f->err), DR_OK);
    assert_int_equal(dr_events_open(f->store, true, &events, &f->err), DR_E_BAD_LOG);
    assert_non_null(strstr(f->err.message, "2"));
}

static void
results_and_revisions_and_rollouts_are_read_back(void **state)
{
    struct fixture *f = *state;
    struct dr_store_result r = {.body = text("reply"), .time = dr_now_unix_s()}, out;
    struct dr_store_result old = {.body = text("old"), .time = 5};

    old.request_id[0] = 1;
    assert_int_equal(f->store->ops->result_put(f->store, &r, &f->err), DR_OK);
    assert_int_equal(f->store->ops->result_put(f->store, &old, &f->err), DR_OK);
    assert_int_equal(f->store->ops->sweep(f->store, dr_now_unix_s(), &f->err), DR_OK);
    reopen(f);
    assert_int_equal(
        f->store->ops->result_get(f->store, r.caller, r.request_id, f->arena, &out, &f->err),
        DR_OK);
    assert_memory_equal(out.body.data, "reply", 5);
    assert_int_equal(
        f->store->ops->result_get(f->store, old.caller, old.request_id, f->arena, &out, &f->err),
        DR_E_NOT_FOUND);
}

static void
a_second_coordinator_on_one_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    struct dr_store *second = NULL;

    assert_int_equal(dr_store_sqlite_open(f->state, &second, &f->err), DR_E_CONFLICT);
    assert_null(second);
}

static void
a_newer_or_foreign_state_is_refused(void **state)
{
    struct fixture *f = *state;
    struct dr_sqlite *db;
    char path[400];
    const struct dr_sqlite_options options = {.is_state = true};

    dr_store_close(&f->store);
    (void)snprintf(path, sizeof path, "%s/drover.db", f->state);
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_script(db, "PRAGMA user_version = 99", &f->err), DR_OK);
    dr_sqlite_close(&db);
    assert_int_equal(dr_store_sqlite_open(f->state, &f->store, &f->err), DR_E_STORE_VERSION);
    assert_non_null(strstr(f->err.message, "99"));
    assert_int_equal(dr_sqlite_open(path, &options, &db, &f->err), DR_OK);
    assert_int_equal(dr_sqlite_script(db, "PRAGMA application_id = 7", &f->err), DR_OK);
    dr_sqlite_close(&db);
    assert_int_equal(dr_store_sqlite_open(f->state, &f->store, &f->err), DR_E_STORE_VERSION);
}

static void
a_folder_that_cannot_be_made_is_named(void **state)
{
    struct fixture *f = *state;
    struct dr_store *second = NULL;
    char path[400];

    (void)snprintf(path, sizeof path, "%s/file", f->folder);
    assert_int_equal(dr_file_create(path, "x", 1, 0600, &f->err), DR_OK);
    (void)snprintf(path, sizeof path, "%s/file/state", f->folder);
    assert_int_equal(dr_store_sqlite_open(path, &second, &f->err), DR_E_STORE_FOLDER);
    assert_non_null(strstr(f->err.message, path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(committed_documents_survive_a_reopen_and_others_do_not,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_committed_survives_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(documents_are_found_by_their_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(an_upload_goes_on_where_it_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blob_that_is_not_what_its_digest_names_is_thrown_away,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            pushes_are_kept_until_acknowledged_and_numbers_are_never_reused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_log_is_a_chain_that_shows_every_change, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(results_and_revisions_and_rollouts_are_read_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_second_coordinator_on_one_folder_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_newer_or_foreign_state_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_made_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
