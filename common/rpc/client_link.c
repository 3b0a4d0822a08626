// The link: one connection, dialed when wanted, dialed again after a loss with exponential backoff
// and full jitter.
#include "rpc/client_priv.h"

#include "base/clock.h"
#include "base/str.h"

#include <string.h>

#define STABLE_MS 5000 // up for so long, and the backoff starts anew

static void
on_dialed(void *user, struct dr_stream *stream, const struct dr_err *err)
{
    struct dr_rpc_client *client = user;
    pthread_mutex_lock(&client->mail_lock);
    client->has_mail = true;
    client->mail_stream = stream;
    client->mail_err = *err;
    pthread_mutex_unlock(&client->mail_lock);
    dr_group_wake(client->group);
}

static void
tell_state(struct dr_rpc_client *client, bool is_up)
{
    if (client->config.on_state != NULL) {
        client->config.on_state(client->config.user, is_up, &client->last);
    }
}

// No connection, or no more.
static void
lose(struct dr_rpc_client *client, const struct dr_err *err)
{
    int64_t now_ms = dr_monotonic_ms();
    bool was_stable = client->state == DR_LINK_UP && now_ms - client->up_since_ms >= STABLE_MS;
    bool is_refusal = err->rc == DR_E_WRONG_SERVER_KEY;
    dr_dial_close(&client->dial);
    dr_conn_unref(client->conn);
    client->conn = NULL;
    client->state = DR_LINK_DOWN;
    client->refusals = is_refusal ? client->refusals + 1 : 0;
    client->retry_at_ms =
        now_ms + dr_backoff_ms(client->config.backoff_min_ms, client->config.backoff_max_ms,
                               was_stable ? 0 : client->failures);
    client->failures = was_stable ? 0 : client->failures + 1;
    client->last = *err;
    dr_pending_lost(client, &client->last);
    tell_state(client, false);
}

void
dr_link_break(struct dr_rpc_client *client, enum dr_rc rc, const char *reason)
{
    if (client->conn != NULL) {
        dr_conn_close(client->conn, rc, reason);
    }
}

static void
start_dial(struct dr_rpc_client *client)
{
    struct dr_err err = {0};
    client->state = DR_LINK_DIALING;
    enum dr_rc rc =
        dr_dial_start(client->url, client->tls_ca_file, client->tls_server_name,
                      client->config.connect_timeout_ms, on_dialed, client, &client->dial, &err);
    if (rc != DR_OK) {
        lose(client, &err);
    }
}

static void
take_mail(struct dr_rpc_client *client)
{
    struct dr_err err = {0};
    pthread_mutex_lock(&client->mail_lock);
    bool has_mail = client->has_mail;
    struct dr_stream *stream = client->mail_stream;
    client->has_mail = false;
    client->mail_stream = NULL;
    if (has_mail) {
        err = client->mail_err;
    }
    pthread_mutex_unlock(&client->mail_lock);
    if (!has_mail) {
        return;
    }
    bool is_nobody = stream == NULL && dr_dial_was_refused(client->dial);
    client->nobody_since_ms = !is_nobody                    ? 0
                              : client->nobody_since_ms > 0 ? client->nobody_since_ms
                                                            : dr_monotonic_ms();
    dr_dial_close(&client->dial);
    if (stream != NULL) {
        client->state = DR_LINK_SHAKING;
        client->conn = dr_conn_connect(client->group, stream, client->server_key);
        if (client->conn != NULL) {
            return;
        }
        dr_err_set(&err, DR_E_WRONG_SERVER_KEY, "the pinned key of '%s' is not usable",
                   client->url);
    }
    lose(client, &err);
}

static void
handle(struct dr_rpc_client *client, const struct dr_event *event)
{
    if (event->conn != client->conn) {
        return; // of an earlier connection
    }
    if (event->kind == DR_EVENT_UP) {
        client->state = DR_LINK_UP;
        client->was_up = true;
        client->up_since_ms = dr_monotonic_ms();
        client->refusals = 0;
        client->last = (struct dr_err){0};
        tell_state(client, true);
    } else if (event->kind == DR_EVENT_FRAME) {
        dr_pending_frame(client, event->frame);
    } else if (event->kind == DR_EVENT_CLOSED) {
        struct dr_err err = {0};
        const char *reason;
        enum dr_rc rc = dr_conn_reason(event->conn, &reason);
        dr_err_set(&err, rc, "'%s': %s", client->url, reason);
        if (rc == DR_E_WRONG_SERVER_KEY && dr_str_starts(client->url, "tls+")) {
            dr_err_hint(&err, "is its certificate signed by the CA file, and for this host name? "
                              "if so, compare the coordinator's public key in the configuration");
        }
        lose(client, &err);
    }
}

void
dr_link_step(struct dr_rpc_client *client, int64_t now_ms)
{
    take_mail(client);
    for (struct dr_event *event; (event = dr_group_take(client->group)) != NULL;) {
        handle(client, event);
        if (event->kind == DR_EVENT_FRAME) {
            dr_conn_consumed(event->conn, event->cost);
        }
        dr_event_free(client->group, event);
    }
    bool is_wanted = client->config.is_persistent || client->pendings != NULL;
    if (client->state == DR_LINK_DOWN && is_wanted && now_ms >= client->retry_at_ms) {
        start_dial(client);
    }
}

int64_t
dr_link_next_ms(const struct dr_rpc_client *client)
{
    bool is_wanted = client->config.is_persistent || client->pendings != NULL;
    return client->state == DR_LINK_DOWN && is_wanted ? client->retry_at_ms : INT64_MAX;
}

void
dr_link_close(struct dr_rpc_client *client)
{
    dr_dial_close(&client->dial);
    if (client->mail_stream != NULL) {
        dr_stream_close(client->mail_stream);
        dr_stream_unref(client->mail_stream);
        client->mail_stream = NULL;
    }
    if (client->conn != NULL) {
        dr_conn_finish(client->conn);
        dr_conn_unref(client->conn);
        client->conn = NULL;
    }
}
