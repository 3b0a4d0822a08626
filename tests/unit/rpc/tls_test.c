// tls+tcp:// underneath: the server shows a certificate, Noise runs all the same.
#include "unit/rpc/raw.h"

#include "base/cmd.h"
#include "base/file.h"

#include <limits.h>

#define OPENSSL "/usr/bin/openssl"

struct tls_world {
    struct world *world;
    char folder[64], pem[128], ca[128];
};

// A self-signed certificate for localhost, and its key behind it in one file.
static void
make_certificate(struct tls_world *tls)
{
    char key[128];
    snprintf(tls->folder, sizeof tls->folder, "/tmp/drover-tls-XXXXXX");
    assert_non_null(mkdtemp(tls->folder));
    snprintf(tls->ca, sizeof tls->ca, "%s/ca.pem", tls->folder);
    snprintf(tls->pem, sizeof tls->pem, "%s/both.pem", tls->folder);
    snprintf(key, sizeof key, "%s/key.pem", tls->folder);
    const char *const argv[] = {OPENSSL,
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:prime256v1",
                                "-nodes",
                                "-days",
                                "2",
                                "-subj",
                                "/CN=localhost",
                                "-addext",
                                "subjectAltName=DNS:localhost",
                                "-keyout",
                                key,
                                "-out",
                                tls->ca,
                                NULL};
    const struct dr_cmd cmd = {
        .argv = argv, .timeout_ms = 60000, .output_max = 65536, .cancel_fd = -1};
    struct dr_cmd_result result = {0};
    struct dr_err err = {0};
    char *cert_text = NULL, *key_text = NULL;
    size_t cert_len, key_len;
    assert_int_equal(dr_cmd_run(&cmd, &result, &err), DR_OK);
    assert_int_equal(result.exit_code, 0);
    dr_cmd_result_fini(&result);
    assert_int_equal(dr_file_read(tls->ca, 65536, &cert_text, &cert_len, &err), DR_OK);
    assert_int_equal(dr_file_read(key, 65536, &key_text, &key_len, &err), DR_OK);
    struct dr_buf both = {0};
    dr_buf_add(&both, cert_text, cert_len);
    dr_buf_add(&both, key_text, key_len);
    assert_int_equal(dr_file_write(tls->pem, both.data, both.len, 0600, &err), DR_OK);
    dr_buf_fini(&both);
    free(cert_text);
    free(key_text);
}

static int
setup(void **state)
{
    struct tls_world *tls = calloc(1, sizeof *tls);
    *state = tls;
    if (access(OPENSSL, X_OK) != 0) {
        return 0;
    }
    make_certificate(tls);
    tls->world = world_new();
    tls->world->scheme = "tls+tcp";
    tls->world->cert = tls->pem;
    tls->world->limits.hello_timeout_ms = 300;
    world_start(tls->world);
    return 0;
}

static int
teardown(void **state)
{
    struct tls_world *tls = *state;
    void *world = tls->world;
    if (world != NULL) {
        world_teardown(&world);
        assert_int_equal(dr_dir_remove(tls->folder, NULL), DR_OK);
    }
    free(tls);
    return 0;
}

static struct world *
world_of(struct tls_world *tls)
{
    if (tls->world == NULL) {
        skip();
    }
    return tls->world;
}

static struct dr_rpc_client *
client_with(struct tls_world *tls, const char *ca, const char *name, uint32_t patience_ms)
{
    char url[64];
    struct dr_err err = {0};
    struct dr_rpc_client *client = NULL;
    struct dr_rpc_client_config config = world_client_config(tls->world, &tls->world->person, url);
    config.tls_ca_file = ca;
    config.tls_server_name = name;
    config.connect_patience_ms = patience_ms;
    if (dr_rpc_client_open(&config, &client, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    return client;
}

static void
calls_go_through_tls(void **state)
{
    struct world *world = world_of(*state);
    struct dr_rpc_client *client =
        client_with(*state, ((struct tls_world *)*state)->ca, "localhost", 0);
    struct dr_err err = {0};
    for (int i = 0; i < 20; i++) {
        if (world_echo(client, "R-1", WORLD_PATIENCE_MS, &err) != DR_OK) {
            fail_msg("%s", err.message);
        }
    }
    dr_rpc_client_close(&client);
    world_await_connections(world, 0);
}

static void
a_body_of_one_mib_goes_through_tls(void **state)
{
    (void)world_of(*state);
    struct dr_rpc_client *client =
        client_with(*state, ((struct tls_world *)*state)->ca, "localhost", 0);
    struct dr_arena *arena = dr_arena_new(8 * WORLD_MIB);
    struct dr_err err = {0};
    Drover__V1__GetDocumentRequest request;
    ProtobufCMessage *reply = NULL;
    drover__v1__get_document_request__init(&request);
    request.version = WORLD_MIB - 16;
    if (dr_rpc_call(client, DR_METHOD_DOCUMENTS_GET, &request.base, arena, &reply,
                    WORLD_PATIENCE_MS, &err) != DR_OK) {
        fail_msg("%s", err.message);
    }
    dr_arena_free(&arena);
    dr_rpc_client_close(&client);
}

static void
a_certificate_of_another_name_or_authority_is_refused(void **state)
{
    struct tls_world *tls = *state;
    (void)world_of(tls);
    const struct {
        const char *ca, *name;
    } rows[] = {{tls->ca, "elsewhere"}, {NULL, "localhost"}};
    for (size_t i = 0; i < DR_COUNT_OF(rows); i++) {
        struct dr_rpc_client *client = client_with(tls, rows[i].ca, rows[i].name, 200);
        struct dr_err err = {0};
        enum dr_rc rc = world_echo(client, "R-1", 2000, &err);
        assert_true(rc == DR_E_WRONG_SERVER_KEY || rc == DR_E_UNREACHABLE);
        dr_rpc_client_close(&client);
    }
    world_await_connections(tls->world, 0);
}

static void
silence_on_a_tls_port_is_closed_in_time(void **state)
{
    struct world *world = world_of(*state);
    int fd = raw_connect(world->port);
    assert_int_equal(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
    assert_int_equal(raw_read_to_end(fd), 0);
    close(fd);
    world_await_connections(world, 0);
}

static void
a_missing_certificate_file_is_refused_with_a_hint(void **state)
{
    struct world *world = world_of(*state);
    static const char *const files[] = {"/nonexistent.pem", NULL};
    for (size_t i = 0; i < DR_COUNT_OF(files); i++) {
        struct dr_rpc_server *server = NULL;
        struct dr_err err = {0};
        const struct dr_rpc_server_config config = {.url = "tls+tcp://127.0.0.1:0",
                                                    .secret_key = world->server_key.secret,
                                                    .cluster_id = world->cluster,
                                                    .tls_cert_key_file = files[i]};
        assert_int_equal(dr_rpc_server_open(&config, &server, &err), DR_E_CONFIG);
        assert_non_null(strstr(err.message, "certificate file"));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_go_through_tls),
        TEST(a_body_of_one_mib_goes_through_tls),
        TEST(a_certificate_of_another_name_or_authority_is_refused),
        TEST(silence_on_a_tls_port_is_closed_in_time),
        TEST(a_missing_certificate_file_is_refused_with_a_hint),
    };
    return cmocka_run_group_tests_name("rpc/tls", tests, NULL, NULL);
}
