// Listener and dialer. nng listens with a backlog of 128, which a herd of returning agents
// overruns; Linux lets us call listen() again on its descriptor, once that is found.
#include "rpc/stream_nng.h"

#include "base/failpoint.h"
#include "base/str.h"

#include <assert.h>
#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LISTENER_MAGIC  0x64726c7374ULL
#define BACKLOG         4096
#define ACCEPT_PAUSE_MS 10 // after an error, e.g. no descriptors left
#define FD_LIMIT        (1u << 30)
#define PORT_MAX        65535u

struct dr_listener {
    uint64_t magic;
    nng_stream_listener *nng;
    nng_aio *aio;
    pthread_mutex_t lock;
    bool closed, is_pausing;
    dr_listener_accept on_accept;
    void *user;
    uint16_t port;
    atomic_ullong accepted;
};

struct dr_dial {
    nng_stream_dialer *nng;
    nng_aio *aio;
    dr_dial_done on_done;
    void *user;
    char *url;
    atomic_bool was_refused;
};

enum dr_rc
dr_stream_check_url(const char *url, struct dr_err *err)
{
    nng_url *parsed = NULL;
    uint64_t port;
    bool is_known = dr_str_starts(url, "tcp://") || dr_str_starts(url, "tls+tcp://");
    bool ok = is_known && nng_url_parse(&parsed, url) == 0;
    ok = ok && parsed->u_port != NULL && dr_parse_u64(parsed->u_port, 0, PORT_MAX, &port) &&
         parsed->u_hostname != NULL && parsed->u_hostname[0] != '\0' &&
         (parsed->u_path == NULL || parsed->u_path[0] == '\0') && parsed->u_query == NULL;
    nng_url_free(parsed);
    if (ok) {
        return DR_OK;
    }
    dr_err_set(err, DR_E_CONFIG, "'%s' is no address of a coordinator", url);
    return dr_err_hint(err,
                       "write tcp://HOST:PORT or tls+tcp://HOST:PORT, e.g. tcp://10.0.0.5:7171");
}

// -----------------------------------------------------------------------------------------------
// listener

// Takes the stream of a finished accept, or NULL.
static nng_stream *
take_accepted(struct dr_listener *listener)
{
    if (listener->is_pausing || nng_aio_result(listener->aio) != 0) {
        return NULL;
    }
    return nng_aio_get_output(listener->aio, 0);
}

static void
on_accept_done(void *arg)
{
    struct dr_listener *listener = arg;
    nng_stream *nng = take_accepted(listener);
    bool is_error = nng == NULL && !listener->is_pausing;
    if (nng != NULL) {
        struct dr_stream *stream = dr_stream_adopt(nng);
        atomic_fetch_add(&listener->accepted, 1);
        if (stream != NULL) {
            listener->on_accept(listener->user, stream);
        }
    }
    if (DR_FAILPOINT("rpc-accept-stops")) {
        return;
    }
    pthread_mutex_lock(&listener->lock);
    if (!listener->closed) {
        listener->is_pausing = is_error;
        if (is_error) {
            nng_sleep_aio(ACCEPT_PAUSE_MS, listener->aio);
        } else {
            nng_stream_listener_accept(listener->nng, listener->aio);
        }
    }
    pthread_mutex_unlock(&listener->lock);
}

// True for a listening socket on `port`.
static bool
listens_on(int fd, uint16_t port)
{
    int is_listening = 0;
    socklen_t len = sizeof is_listening;
    struct sockaddr_storage address = {0};
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0 || is_listening == 0) {
        return false;
    }
    len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return false;
    }
    if (address.ss_family == AF_INET) {
        return ntohs(((struct sockaddr_in *)&address)->sin_port) == port;
    }
    return address.ss_family == AF_INET6 &&
           ntohs(((struct sockaddr_in6 *)&address)->sin6_port) == port;
}

// A backlog of 128 works, too: failures are let pass.
static void
raise_backlog(uint16_t port)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        uint64_t fd;
        if (dr_parse_u64(entry->d_name, 0, FD_LIMIT, &fd) && listens_on((int)fd, port)) {
            (void)listen((int)fd, BACKLOG);
        }
    }
    closedir(dir);
}

static enum dr_rc
listen_error(struct dr_err *err, const char *url, int nng_error)
{
    if (nng_error == NNG_ENOMEM) {
        return dr_err_set(err, DR_E_NOMEM, "no memory to listen on '%s'", url);
    }
    dr_err_set(err, DR_E_LISTEN, "cannot listen on '%s': %s", url, nng_strerror(nng_error));
    if (nng_error == NNG_EADDRINVAL) {
        return dr_err_hint(err, "the address must be one of this machine, or * for all");
    }
    return err == NULL ? DR_E_LISTEN : err->rc;
}

static enum dr_rc
set_certificate(nng_stream_listener *nng, const char *file, struct dr_err *err)
{
    if (file == NULL) {
        return dr_err_set(err, DR_E_CONFIG, "tls+tcp:// needs a certificate file");
    }
    int rv = nng_stream_listener_set_string(nng, NNG_OPT_TLS_CERT_KEY_FILE, file);
    if (rv != 0) {
        dr_err_set(err, DR_E_CONFIG, "cannot use the certificate file '%s': %s", file,
                   nng_strerror(rv));
        return dr_err_hint(err, "it must hold a certificate and its private key, both PEM");
    }
    return DR_OK;
}

static void
listener_free(struct dr_listener *listener)
{
    nng_aio_free(listener->aio);
    nng_stream_listener_free(listener->nng);
    pthread_mutex_destroy(&listener->lock);
    listener->magic = 0;
    free(listener);
}

enum dr_rc
dr_listener_open(const char *url, const char *tls_cert_key_file, dr_listener_accept on_accept,
                 void *user, struct dr_listener **out, struct dr_err *err)
{
    enum dr_rc rc = dr_stream_check_url(url, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return listen_error(err, url, NNG_ENOMEM);
    }
    listener->magic = LISTENER_MAGIC;
    listener->on_accept = on_accept;
    listener->user = user;
    pthread_mutex_init(&listener->lock, NULL);
    int port = 0;
    int rv = nng_stream_listener_alloc(&listener->nng, url);
    if (rv == 0) {
        rv = nng_aio_alloc(&listener->aio, on_accept_done, listener);
    }
    if (rv == 0 && dr_str_starts(url, "tls+")) {
        rc = set_certificate(listener->nng, tls_cert_key_file, err);
    }
    if (rv == 0 && rc == DR_OK) {
        (void)nng_stream_listener_set_bool(listener->nng, NNG_OPT_TCP_NODELAY, true);
        (void)nng_stream_listener_set_bool(listener->nng, NNG_OPT_TCP_KEEPALIVE, true);
        rv = nng_stream_listener_listen(listener->nng);
    }
    if (rv == 0 && rc == DR_OK) {
        rv = nng_stream_listener_get_int(listener->nng, NNG_OPT_TCP_BOUND_PORT, &port);
    }
    if (rv != 0 || rc != DR_OK) {
        listener_free(listener);
        return rc != DR_OK ? rc : listen_error(err, url, rv);
    }
    listener->port = (uint16_t)port;
    raise_backlog(listener->port);
    pthread_mutex_lock(&listener->lock);
    nng_stream_listener_accept(listener->nng, listener->aio);
    pthread_mutex_unlock(&listener->lock);
    *out = listener;
    return DR_OK;
}

void
dr_listener_close(struct dr_listener **listener)
{
    if (*listener == NULL) {
        return;
    }
    struct dr_listener *l = *listener;
    assert(l->magic == LISTENER_MAGIC);
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    pthread_mutex_unlock(&l->lock);
    nng_stream_listener_close(l->nng);
    nng_aio_stop(l->aio);
    listener_free(l);
    *listener = NULL;
}

uint16_t
dr_listener_port(const struct dr_listener *listener)
{
    return listener->port;
}

uint64_t
dr_listener_accepted(struct dr_listener *listener)
{
    return atomic_load(&listener->accepted);
}

// -------------------------------------------------------------------------------------------------
// dialer

static enum dr_rc
dial_error(struct dr_err *err, const char *url, int nng_error)
{
    switch (nng_error) {
    case NNG_ENOMEM:
        return dr_err_set(err, DR_E_NOMEM, "no memory to reach '%s'", url);
    case NNG_ETIMEDOUT:
        return dr_err_set(err, DR_E_UNREACHABLE, "no answer from '%s' in time", url);
    case NNG_ECONNREFUSED:
        return dr_err_set(err, DR_E_UNREACHABLE, "nothing listens on '%s'", url);
    default:
        return dr_err_set(err, DR_E_UNREACHABLE, "cannot reach '%s': %s", url,
                          nng_strerror(nng_error));
    }
}

static void
on_dial_done(void *arg)
{
    struct dr_dial *dial = arg;
    struct dr_err err = {0};
    struct dr_stream *stream = NULL;
    int rv = nng_aio_result(dial->aio);
    if (rv == 0) {
        stream = dr_stream_adopt(nng_aio_get_output(dial->aio, 0));
        rv = stream == NULL ? NNG_ENOMEM : 0;
    }
    if (rv != 0) {
        dial_error(&err, dial->url, rv);
    }
    atomic_store(&dial->was_refused, rv == NNG_ECONNREFUSED);
    dial->on_done(dial->user, stream, &err);
}

static int
set_tls(nng_stream_dialer *nng, const char *ca_file, const char *server_name)
{
    int rv = ca_file == NULL ? 0 : nng_stream_dialer_set_string(nng, NNG_OPT_TLS_CA_FILE, ca_file);
    if (rv == 0 && server_name != NULL) {
        rv = nng_stream_dialer_set_string(nng, NNG_OPT_TLS_SERVER_NAME, server_name);
    }
    return rv;
}

bool
dr_dial_was_refused(struct dr_dial *dial)
{
    return dial != NULL && atomic_load(&dial->was_refused);
}

static void
dial_free(struct dr_dial *dial)
{
    nng_aio_free(dial->aio);
    nng_stream_dialer_free(dial->nng);
    free(dial->url);
    free(dial);
}

enum dr_rc
dr_dial_start(const char *url, const char *tls_ca_file, const char *tls_server_name,
              uint32_t timeout_ms, dr_dial_done on_done, void *user, struct dr_dial **out,
              struct dr_err *err)
{
    enum dr_rc rc = dr_stream_check_url(url, err);
    if (rc != DR_OK) {
        return rc;
    }
    struct dr_dial *dial = calloc(1, sizeof *dial);
    if (dial == NULL) {
        return dial_error(err, url, NNG_ENOMEM);
    }
    dial->on_done = on_done;
    dial->user = user;
    dial->url = strdup(url);
    int rv = dial->url == NULL ? NNG_ENOMEM : nng_stream_dialer_alloc(&dial->nng, url);
    if (rv == 0) {
        rv = nng_aio_alloc(&dial->aio, on_dial_done, dial);
    }
    if (rv == 0 && dr_str_starts(url, "tls+")) {
        rv = set_tls(dial->nng, tls_ca_file, tls_server_name);
        if (rv != 0) {
            dial_free(dial);
            return dr_err_set(err, DR_E_CONFIG, "cannot use the CA file '%s': %s",
                              tls_ca_file == NULL ? "" : tls_ca_file, nng_strerror(rv));
        }
    }
    if (rv != 0) {
        dial_free(dial);
        return dial_error(err, url, rv);
    }
    (void)nng_stream_dialer_set_bool(dial->nng, NNG_OPT_TCP_NODELAY, true);
    (void)nng_stream_dialer_set_bool(dial->nng, NNG_OPT_TCP_KEEPALIVE, true);
    nng_aio_set_timeout(dial->aio, (nng_duration)timeout_ms);
    *out = dial;
    nng_stream_dialer_dial(dial->nng, dial->aio);
    return DR_OK;
}

void
dr_dial_close(struct dr_dial **dial)
{
    if (*dial == NULL) {
        return;
    }
    nng_stream_dialer_close((*dial)->nng);
    nng_aio_stop((*dial)->aio);
    dial_free(*dial);
    *dial = NULL;
}
