// A dial that succeeds proves little, since the kernel accepts into the backlog by itself. What
// counts is that the listener's own number of accepted connections grows.
#include "rpc/canary.h"

#include "base/str.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAGIC    0x6472706f72ULL
#define PATIENCE_MIN  100
#define PATIENCE_MAX  5000
#define RETRY_MS      1000 // after a listener could not be made anew
#define URL_MAX       512u
#define URL_LOCALHOST "tcp://127.0.0.1:%u"

struct dr_port {
    uint64_t magic;
    struct dr_listener *listener; // NULL: died and not yet made anew
    char url[URL_MAX];            // with the port that was bound
    char canary_url[URL_MAX];
    char *tls_cert_key_file;
    dr_listener_accept on_accept;
    void *user;
    uint16_t number;
    int64_t every_ms; // 0: no canary
    int64_t next_ms, until_ms;
    struct dr_dial *dial; // NULL: none is under way
    uint64_t accepted_before;
    atomic_ullong relistened;
};

static void
on_canary_dialed(void *user, struct dr_stream *stream, const struct dr_err *err)
{
    (void)user;
    (void)err;
    if (stream != NULL) {
        dr_stream_close(stream);
        dr_stream_unref(stream);
    }
}

// Writes `url` with another port, and what the canary dials: always plain TCP, and this host where
// the address is all.
static bool
make_urls(struct dr_port *port, const char *url)
{
    const char *host = strstr(url, "://");
    const char *colon = strrchr(url, ':');
    if (host == NULL || colon == NULL || colon <= host + 2) {
        return false;
    }
    host += 3;
    struct dr_buf text = {.max = URL_MAX - 1}, canary = {.max = URL_MAX - 1};
    dr_buf_add(&text, url, (size_t)(colon - url));
    dr_buf_printf(&text, ":%u", port->number);
    if (*host == '*') {
        dr_buf_printf(&canary, URL_LOCALHOST, port->number);
    } else {
        dr_buf_str(&canary, "tcp://");
        dr_buf_add(&canary, host, (size_t)(colon - host));
        dr_buf_printf(&canary, ":%u", port->number);
    }
    bool ok = !text.failed && !canary.failed;
    if (ok) {
        memcpy(port->url, text.data, text.len + 1);
        memcpy(port->canary_url, canary.data, canary.len + 1);
    }
    dr_buf_fini(&text);
    dr_buf_fini(&canary);
    return ok;
}

enum dr_rc
dr_port_open(const char *url, const char *tls_cert_key_file, uint32_t canary_ms,
             dr_listener_accept on_accept, void *user, struct dr_port **out, struct dr_err *err)
{
    struct dr_port *port = calloc(1, sizeof *port);
    if (port == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "no memory to listen on '%s'", url);
    }
    port->magic = PORT_MAGIC;
    port->on_accept = on_accept;
    port->user = user;
    port->every_ms = canary_ms == UINT32_MAX ? 0 : canary_ms;
    enum dr_rc rc = dr_listener_open(url, tls_cert_key_file, on_accept, user, &port->listener, err);
    if (rc == DR_OK) {
        port->number = dr_listener_port(port->listener);
        port->tls_cert_key_file = tls_cert_key_file == NULL ? NULL : strdup(tls_cert_key_file);
        if (!make_urls(port, url)) {
            rc = dr_err_set(err, DR_E_CONFIG, "'%s' is too long for an address", url);
        } else if (tls_cert_key_file != NULL && port->tls_cert_key_file == NULL) {
            rc = dr_err_set(err, DR_E_NOMEM, "no memory to listen on '%s'", url);
        }
    }
    if (rc != DR_OK) {
        dr_port_close(&port);
        return rc;
    }
    *out = port;
    return DR_OK;
}

void
dr_port_close(struct dr_port **port)
{
    if (*port == NULL) {
        return;
    }
    assert((*port)->magic == PORT_MAGIC);
    dr_dial_close(&(*port)->dial);
    dr_listener_close(&(*port)->listener);
    free((*port)->tls_cert_key_file);
    (*port)->magic = 0;
    free(*port);
    *port = NULL;
}

uint16_t
dr_port_number(const struct dr_port *port)
{
    return port->number;
}

uint64_t
dr_port_relistened(const struct dr_port *port)
{
    return atomic_load(&port->relistened);
}

static void
listen_again(struct dr_port *port, int64_t now_ms)
{
    dr_listener_close(&port->listener);
    if (dr_listener_open(port->url, port->tls_cert_key_file, port->on_accept, port->user,
                         &port->listener, NULL) == DR_OK) {
        atomic_fetch_add(&port->relistened, 1);
        port->next_ms = now_ms + port->every_ms;
    } else {
        port->next_ms = now_ms + RETRY_MS;
    }
}

static void
start_dial(struct dr_port *port, int64_t now_ms)
{
    int64_t patience = port->every_ms / 2;
    patience = patience < PATIENCE_MIN ? PATIENCE_MIN : patience;
    patience = patience > PATIENCE_MAX ? PATIENCE_MAX : patience;
    port->accepted_before = dr_listener_accepted(port->listener);
    port->until_ms = now_ms + patience;
    port->next_ms = now_ms + port->every_ms;
    // When even the dial cannot be started (no memory, no descriptors) the listener is not to
    // blame.
    (void)!dr_dial_start(port->canary_url, NULL, NULL, (uint32_t)patience, on_canary_dialed, NULL,
                         &port->dial, NULL);
}

void
dr_port_tick(struct dr_port *port, int64_t now_ms)
{
    if (port->every_ms == 0) {
        return;
    }
    if (port->next_ms == 0) {
        port->next_ms = now_ms + port->every_ms;
    }
    if (port->dial != NULL) {
        bool is_alive = dr_listener_accepted(port->listener) != port->accepted_before;
        if (is_alive || now_ms >= port->until_ms) {
            dr_dial_close(&port->dial);
        }
        if (!is_alive && port->dial == NULL) {
            listen_again(port, now_ms);
        }
    } else if (now_ms >= port->next_ms) {
        if (port->listener == NULL) {
            listen_again(port, now_ms);
        } else {
            start_dial(port, now_ms);
        }
    }
}
