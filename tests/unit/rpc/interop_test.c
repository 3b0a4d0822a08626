// Live handshakes, both ways, with dissononce, which is written in Python by other people.
#include "unit/rpc/raw.h"

#include "base/cmd.h"

#include <spawn.h>
#include <sys/wait.h>

#define PYTHON     "/usr/bin/python3"
#define NO_LIBRARY 77
#define TIMEOUT_MS 60000

extern char **environ;

static void
make_path(char out[512])
{
    const char *source = getenv("DROVER_SOURCE");
    snprintf(out, 512, "%s/tests/unit/rpc/noise_peer.py", source == NULL ? "." : source);
    if (access(PYTHON, X_OK) != 0 || access(out, R_OK) != 0) {
        skip();
    }
}

struct peer {
    pid_t pid;
    uint16_t port;
};

// Reads a line with a port; 0 when there is none.
static uint16_t
read_port(int fd)
{
    char line[16] = "";
    uint64_t port = 0;
    for (size_t i = 0; i + 1 < sizeof line && read(fd, line + i, 1) == 1 && line[i] != '\n'; i++) {
    }
    line[strcspn(line, "\n")] = '\0';
    return dr_parse_u64(line, 1, UINT16_MAX, &port) ? (uint16_t)port : 0;
}

// Starts the script as a server and reads its port. `mode` is "server" or "echo".
static struct peer
start_peer(const char *mode_name, const struct dr_noise_pair *key)
{
    struct peer peer = {0};
    char path[512], mode[16], secret[65], python[] = PYTHON, every[] = "3", count[] = "20";
    char *argv[] = {python, path, mode, secret, NULL, NULL, NULL};
    int fds[2], status = 0;
    posix_spawn_file_actions_t actions;
    make_path(path);
    snprintf(mode, sizeof mode, "%s", mode_name);
    dr_hex(secret, key->secret, sizeof key->secret);
    if (strcmp(mode, "echo") == 0) {
        argv[4] = every;
        argv[5] = count;
    }
    assert_int_equal(pipe(fds), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    assert_int_equal(posix_spawn(&peer.pid, PYTHON, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    peer.port = read_port(fds[0]);
    close(fds[0]);
    if (peer.port == 0) {
        waitpid(peer.pid, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == NO_LIBRARY) {
            skip();
        }
        fail_msg("the peer did not start: status %d", status);
    }
    return peer;
}

static void
expect_success(const struct peer *peer)
{
    int status = -1;
    assert_int_equal(waitpid(peer->pid, &status, 0), peer->pid);
    assert_int_equal(status, 0);
}

static void
their_client_is_served_by_our_server(void **state)
{
    struct world *world = *state;
    char path[512], port[16], public[65], secret[65];
    struct dr_err err = {0};
    make_path(path);
    snprintf(port, sizeof port, "%u", world->port);
    dr_hex(public, world->server_key.public, 32);
    dr_hex(secret, world->person.secret, 32);
    const char *const argv[] = {PYTHON, path, "client", port, public, secret, NULL};
    const struct dr_cmd cmd = {
        .argv = argv, .timeout_ms = TIMEOUT_MS, .output_max = 65536, .cancel_fd = -1};
    struct dr_cmd_result result = {0};
    assert_int_equal(dr_cmd_run(&cmd, &result, &err), DR_OK);
    if (result.exit_code == NO_LIBRARY) {
        dr_cmd_result_fini(&result);
        skip();
    }
    if (result.exit_code != 0) {
        fail_msg("%s", result.errors.data);
    }
    assert_string_equal(result.output.data, "alice\n"); // our server knew the caller
    dr_cmd_result_fini(&result);
}

static void
our_client_is_served_by_their_server(void **state)
{
    struct world *world = *state;
    struct dr_noise_pair key;
    char url[64];
    make_pair(&key);
    struct peer peer = start_peer("server", &key);
    struct dr_rpc_client_config config = world_client_config(world, &world->person, url);
    snprintf(url, sizeof url, "tcp://127.0.0.1:%u", peer.port);
    config.server_key = key.public;
    struct dr_rpc_client *client = NULL;
    struct dr_arena *arena = dr_arena_new(WORLD_MIB);
    struct dr_err err = {0};
    Drover__V1__HealthRequest request;
    ProtobufCMessage *reply = NULL;
    drover__v1__health_request__init(&request);
    assert_int_equal(dr_rpc_client_open(&config, &client, &err), DR_OK);
    if (dr_rpc_call(client, DR_METHOD_HEALTH_CHECK, &request.base, arena, &reply, WORLD_PATIENCE_MS,
                    &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(((Drover__V1__HealthReply *)reply)->version, "written in Python");
    dr_rpc_client_close(&client);
    dr_arena_free(&arena);
    expect_success(&peer);
}

static void
both_rekey_at_the_same_record(void **state)
{
    struct world *world = *state;
    struct world other = *world;
    struct raw raw = {0};
    struct dr_err err = {0};
    struct peer peer = start_peer("echo", &world->server_key);
    other.port = peer.port;
    assert_true(raw_shake_hands(&raw, &other, &world->person));
    raw.send.rekey_every = raw.receive.rekey_every = 3;
    for (unsigned i = 0; i < 20; i++) {
        char text[32];
        uint8_t header[2], record[64];
        snprintf(text, sizeof text, "record %u", i);
        raw_send_plain(&raw, text, strlen(text));
        assert_true(dr_fd_read_all(raw.fd, header, sizeof header));
        size_t len = (size_t)header[0] << 8 | header[1];
        assert_int_equal(len, strlen(text) + DR_NOISE_TAG);
        assert_true(dr_fd_read_all(raw.fd, record, len));
        assert_int_equal(dr_noise_open(&raw.receive, record, len, record, &err), DR_OK);
        assert_memory_equal(record, text, strlen(text));
    }
    close(raw.fd);
    expect_success(&peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(their_client_is_served_by_our_server),
        TEST(our_client_is_served_by_their_server),
        TEST(both_rekey_at_the_same_record),
    };
    return cmocka_run_group_tests_name("rpc/interop", tests, NULL, NULL);
}
