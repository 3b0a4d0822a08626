// The disk under the agent's state is full, does not flush, or loses power: what was answered with
// OK is there afterwards, and what was not is there whole or not at all.
#include "support/disk_faults.h"

#include "agent/state.h"
#include "proto/service.pb-c.h"
#include "base/file.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define TARGET    "production/orders"
#define CALLS_MAX 200u // far beyond what one change needs

struct world {
    struct dr_tmp tmp;
    struct dr_arena *arena;
    struct dr_agent_state *state;
    char folder[PATH_MAX], base[PATH_MAX], vault[PATH_MAX], image[PATH_MAX];
};

static struct world w;

static void
empty_folder(const char *path)
{
    struct dr_err err = {0};
    assert_int_equal(dr_dir_remove(path, &err), DR_OK);
    assert_int_equal(dr_dir_make(path, 0700, &err), DR_OK);
}

static void
copy_state(const char *from, const char *to)
{
    char source[PATH_MAX], target[PATH_MAX];
    empty_folder(to);
    disk_path(source, from, DR_AGENT_STATE_FILE);
    disk_path(target, to, DR_AGENT_STATE_FILE);
    disk_copy(source, target);
}

static void
open_state(const char *folder)
{
    struct dr_err err = {0};
    if (dr_agent_state_open(folder, &w.state, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
}

static void
close_state(void)
{
    dr_agent_state_close(&w.state);
}

// ------------------------------------------------------------------------------------ changes

static struct dr_bytes
text(const char *value)
{
    return (struct dr_bytes){.data = (const uint8_t *)value, .len = strlen(value)};
}

// Opens a READY whose digest is 32 times `fill`, with one attestation in the outbox.
static enum dr_rc
open_ready(uint8_t fill, struct dr_bytes payload, struct dr_err *err)
{
    struct dr_agent_outgoing one = {.envelope = text("envelope"),
                                    .kind = DROVER__V1__ATTESTATION_KIND__READY};
    struct dr_agent_change change = {
        .target = TARGET, .outgoing = &one, .n_outgoing = 1, .ready = payload};
    memset(one.sha256, fill, 32);
    memset(change.ready_sha256, fill, 32);
    memset(change.attest.epoch, 7, sizeof change.attest.epoch);
    change.attest.counter = fill;
    memset(change.attest.previous, fill, 32);
    return dr_agent_state_commit(w.state, &change, err);
}

static enum dr_rc
consume(struct dr_err *err)
{
    struct dr_agent_run run = {.ready = text("payload"), .spec = text("spec"), .started = 1000};
    memset(run.ready_sha256, 1, 32);
    memset(run.approval_sha256, 9, 32);
    return dr_agent_state_consume(w.state, TARGET, &run, 0, err);
}

static enum dr_rc
open_second(struct dr_err *err)
{
    return open_ready(2, text("payload"), err);
}

static bool
has_ready(void)
{
    struct dr_bytes payload = {0};
    assert_int_equal(dr_agent_state_ready(w.state, w.arena, TARGET, &payload, NULL), DR_OK);
    return payload.len > 0;
}

static bool
has_run(void)
{
    struct dr_agent_run run = {0};
    assert_int_equal(dr_agent_state_run(w.state, w.arena, TARGET, &run, NULL), DR_OK);
    return run.exists;
}

// Is the change there? Fails when it is there in part.
static bool
is_consumed(void)
{
    assert_true(has_ready() != has_run());
    return has_run();
}

static bool
is_second_open(void)
{
    struct dr_attest_state attest = {0};
    int64_t waiting = 0;
    assert_int_equal(dr_agent_state_attest(w.state, &attest, NULL), DR_OK);
    assert_int_equal(dr_agent_state_outbox_count(w.state, &waiting, NULL), DR_OK);
    assert_int_equal((int64_t)attest.counter, waiting);
    assert_in_range(attest.counter, 1, 2);
    return attest.counter == 2;
}

static const struct {
    enum dr_rc (*make)(struct dr_err *err);
    bool (*is_there)(void);
} changes[] = {{consume, is_consumed}, {open_second, is_second_open}};

// A state with READY 1 open, kept in `base`.
static int
setup(void **state)
{
    struct dr_err err = {0};
    (void)state;
    dr_tmp_init(&w.tmp);
    w.arena = dr_arena_new(64u << 20);
    assert_non_null(realpath(w.tmp.path, w.base));
    disk_path(w.folder, w.base, "state");
    disk_path(w.vault, w.base, "vault");
    disk_path(w.image, w.base, "image");
    (void)dr_tmp_path(&w.tmp, "base", w.base);
    open_state(w.folder);
    assert_int_equal(open_ready(1, text("payload"), &err), DR_OK);
    close_state();
    copy_state(w.folder, w.base);
    disk = (struct disk){0};
    (void)snprintf(disk.folder, sizeof disk.folder, "%.2000s", w.folder);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    disk = (struct disk){0};
    close_state();
    dr_arena_free(&w.arena);
    dr_tmp_fini(&w.tmp);
    return 0;
}

// -------------------------------------------------------------------------------- full, no flush

// One change with the fault at the N-th call. True when there was such a call.
static bool
try_change(size_t which, enum disk_fault fault, unsigned at, bool once)
{
    struct dr_err err = {0};
    copy_state(w.base, w.folder);
    open_state(w.folder);
    disk.fault = fault;
    disk.at = at;
    disk.once = once;
    disk.calls = 0;
    enum dr_rc rc = changes[which].make(&err);
    disk.fault = DISK_SOUND;
    // The same connection is asked first: what it says must not be more than what is on the disk.
    bool said = changes[which].is_there();
    close_state();
    open_state(w.folder);
    bool is_there = changes[which].is_there();
    close_state();
    assert_int_equal(said, is_there);
    if (rc == DR_OK) {
        assert_true(is_there);
    } else {
        assert_int_equal(rc, DR_E_AGENT_STATE);
        assert_non_null(strstr(err.message, "cannot be used"));
    }
    return disk.calls >= at;
}

static void
try_every_call(enum disk_fault fault)
{
    for (size_t which = 0; which < sizeof changes / sizeof changes[0]; which++) {
        unsigned calls = 0;
        for (unsigned at = 1; at < CALLS_MAX && try_change(which, fault, at, true); at++) {
            (void)try_change(which, fault, at, false);
            calls = at;
        }
        assert_in_range(calls, 2, CALLS_MAX - 2);
    }
}

// id: C15
static void
flush_that_fails_is_told_and_never_believed(void **state)
{
    (void)state;
    try_every_call(DISK_NO_FLUSH);
}

// id: C14
static void
full_disk_is_told_and_changes_nothing_or_all(void **state)
{
    (void)state;
    try_every_call(DISK_FULL);
}

// A real limit instead of a made-up one: the file cannot grow.
// id: C14
static void
file_that_cannot_grow_refuses_the_change_and_takes_the_next(void **state)
{
    static char large[256u * 1024];
    struct dr_err err = {0};
    (void)state;
    memset(large, 'x', sizeof large - 1);
    open_state(w.folder);
    pid_t pid = fork();
    if (pid == 0) {
        const struct rlimit limit = {.rlim_cur = 128u * 1024, .rlim_max = RLIM_INFINITY};
        close_state();
        open_state(w.folder);
        (void)signal(SIGXFSZ, SIG_IGN);
        bool is_set = setrlimit(RLIMIT_FSIZE, &limit) == 0;
        enum dr_rc refused = open_ready(2, text(large), &err);
        enum dr_rc next = open_ready(3, text("payload"), &err);
        _exit(is_set && refused == DR_E_AGENT_STATE && next == DR_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    struct dr_attest_state attest = {0};
    int64_t waiting = 0;
    assert_int_equal(dr_agent_state_attest(w.state, &attest, &err), DR_OK);
    assert_int_equal(dr_agent_state_outbox_count(w.state, &waiting, &err), DR_OK);
    assert_int_equal(attest.counter, 3);
    assert_int_equal(waiting, 2); // READYs 1 and 3
}

// -------------------------------------------------------------------------------------- power cut

// In a child: one change, and the power goes at the N-th call, or behind the last one.
static int
cut_power(enum dr_rc (*make)(struct dr_err *err), unsigned at, unsigned left)
{
    empty_folder(w.vault);
    empty_folder(w.image);
    pid_t pid = fork();
    if (pid == 0) {
        struct dr_err err = {0};
        disk.at = at;
        disk.left = left;
        disk.calls = 0;
        (void)snprintf(disk.vault, sizeof disk.vault, "%.2000s", w.vault);
        (void)snprintf(disk.image, sizeof disk.image, "%.2000s", w.image);
        disk_keep_all();
        disk.fault = DISK_POWER_LOSS;
        if (make(&err) != DR_OK) {
            _exit(1);
        }
        disk_make_image();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DISK_CUT);
    return WEXITSTATUS(status);
}

static enum dr_rc
open_and_consume(struct dr_err *err)
{
    open_state(w.folder);
    return consume(err);
}

static enum dr_rc
open_and_open_second(struct dr_err *err)
{
    open_state(w.folder);
    return open_second(err);
}

// id: C17
static void
power_cut_leaves_the_state_old_or_new_and_never_takes_back_an_ok(void **state)
{
    (void)state;
    for (size_t which = 0; which < sizeof changes / sizeof changes[0]; which++) {
        for (unsigned left = 0; left < DISK_LEFT_END; left++) {
            int status = DISK_CUT;
            unsigned at = 0;
            bool was_old = false;
            while (status == DISK_CUT && ++at < CALLS_MAX) {
                copy_state(w.base, w.folder);
                status = cut_power(which == 0 ? open_and_consume : open_and_open_second, at, left);
                open_state(w.image);
                bool is_there = changes[which].is_there();
                was_old = was_old || !is_there;
                close_state();
                if (status == 0 && !is_there) {
                    fail_msg("change %zu was answered with OK and is gone (left %u)", which, left);
                }
            }
            assert_in_range(at, 5, CALLS_MAX - 1);
            assert_true(was_old);
        }
    }
}

static enum dr_rc
write_new(struct dr_err *err)
{
    char path[PATH_MAX];
    disk_path(path, w.folder, "document");
    return dr_file_write(path, "the new one", 11, 0600, err);
}

// Documents of trust are written so.
// id: C17
static void
power_cut_leaves_a_file_old_or_new(void **state)
{
    char path[PATH_MAX];
    struct dr_err err = {0};
    (void)state;
    for (unsigned left = 0; left < DISK_LEFT_END; left++) {
        int status = DISK_CUT;
        for (unsigned at = 1; status == DISK_CUT; at++) {
            char *content = NULL;
            size_t len = 0;
            empty_folder(w.folder);
            disk_path(path, w.folder, "document");
            assert_int_equal(dr_file_write(path, "the old", 7, 0600, &err), DR_OK);
            status = cut_power(write_new, at, left);
            disk_path(path, w.image, "document");
            assert_int_equal(dr_file_read(path, 100, &content, &len, &err), DR_OK);
            bool is_new = strcmp(content, "the new one") == 0;
            assert_true(is_new || strcmp(content, "the old") == 0);
            assert_true(is_new || status == DISK_CUT);
            free(content);
        }
    }
}

static enum dr_rc
write_carelessly(struct dr_err *err)
{
    char path[PATH_MAX];
    (void)err;
    disk_path(path, w.folder, "document");
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    bool is_good = write(fd, "the new one", 11) == 11;
    (void)close(fd);
    return is_good ? DR_OK : DR_E_IO;
}

// The negative control: a write without a flush does not survive.
static void
power_cut_takes_what_was_not_flushed(void **state)
{
    char path[PATH_MAX];
    char *content = NULL;
    size_t len = 0;
    struct dr_err err = {0};
    (void)state;
    empty_folder(w.folder);
    disk_path(path, w.folder, "document");
    assert_int_equal(dr_file_write(path, "the old", 7, 0600, &err), DR_OK);
    assert_int_equal(cut_power(write_carelessly, CALLS_MAX, 0), 0);
    disk_path(path, w.image, "document");
    assert_int_equal(dr_file_read(path, 100, &content, &len, &err), DR_OK);
    assert_string_equal(content, "the old");
    free(content);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(flush_that_fails_is_told_and_never_believed),
        TEST(full_disk_is_told_and_changes_nothing_or_all),
        TEST(file_that_cannot_grow_refuses_the_change_and_takes_the_next),
        TEST(power_cut_leaves_the_state_old_or_new_and_never_takes_back_an_ok),
        TEST(power_cut_leaves_a_file_old_or_new),
        TEST(power_cut_takes_what_was_not_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
