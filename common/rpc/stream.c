// Rules for nng 1.5.2, each of which avoids a defect or an abort: an operation is posted only under
// our lock while `closed` is false; an aio is touched again only in or after its callback; streams
// are freed with nng_stream_free and nng_aio_reap, which are legal in callbacks; nng_aio_stop is
// not, so listeners and dials are closed by their owners.
#include "rpc/stream_nng.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_MAGIC      0x6472737472ULL
#define WRITE_PIECES      8u // as many as nng keeps without allocating; from 17 on it refuses
#define PIECE_BYTES       (16u * 1024u) // small writes are put together up to this
#define SMALL_READS_LIMIT 8u

struct piece {
    struct piece *next;
    uint8_t *bytes;
    size_t len, done, cap;
    bool is_posted;
};

struct dr_stream {
    uint64_t magic;
    atomic_uint refs; // owner, reader while reading, writer while writing
    pthread_mutex_t lock;
    nng_stream *nng;
    nng_aio *read_aio, *write_aio;
    const struct dr_stream_hooks *hooks;
    void *user;
    bool closed, is_reading, is_writing, is_finishing;
    bool was_full; // the last read filled the buffer; this line and the next belong to the reader
    unsigned small_reads;
    uint8_t *in;
    size_t in_len, in_cap;
    struct piece *first, *last;
    size_t queued;
    atomic_llong read_at, written_at;
};

static void on_read_done(void *arg);
static void on_write_done(void *arg);

struct dr_stream *
dr_stream_adopt(nng_stream *nng)
{
    struct dr_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        goto fail;
    }
    stream->in = malloc(DR_STREAM_READ_MIN);
    if (stream->in == NULL || nng_aio_alloc(&stream->read_aio, on_read_done, stream) != 0 ||
        nng_aio_alloc(&stream->write_aio, on_write_done, stream) != 0) {
        goto fail;
    }
    nng_aio_set_timeout(stream->read_aio, NNG_DURATION_INFINITE);
    nng_aio_set_timeout(stream->write_aio, NNG_DURATION_INFINITE);
    stream->magic = STREAM_MAGIC;
    stream->in_cap = DR_STREAM_READ_MIN;
    stream->nng = nng;
    atomic_init(&stream->refs, 1);
    atomic_init(&stream->read_at, dr_monotonic_ms());
    atomic_init(&stream->written_at, dr_monotonic_ms());
    pthread_mutex_init(&stream->lock, NULL);
    return stream;
fail:
    if (stream != NULL) {
        nng_aio_free(stream->read_aio);
        free(stream->in);
        free(stream);
    }
    nng_stream_close(nng);
    nng_stream_free(nng);
    return NULL;
}

static void
stream_free(struct dr_stream *stream)
{
    nng_stream_free(stream->nng);
    nng_aio_reap(stream->read_aio);
    nng_aio_reap(stream->write_aio);
    while (stream->first != NULL) {
        struct piece *piece = stream->first;
        stream->first = piece->next;
        free(piece->bytes);
        free(piece);
    }
    pthread_mutex_destroy(&stream->lock);
    free(stream->in);
    if (stream->hooks != NULL) {
        stream->hooks->on_free(stream->user);
    }
    stream->magic = 0;
    free(stream);
}

void
dr_stream_ref(struct dr_stream *stream)
{
    assert(stream->magic == STREAM_MAGIC);
    atomic_fetch_add(&stream->refs, 1);
}

void
dr_stream_unref(struct dr_stream *stream)
{
    assert(stream->magic == STREAM_MAGIC);
    if (atomic_fetch_sub(&stream->refs, 1) == 1) {
        if (!stream->closed) {
            nng_stream_close(stream->nng);
        }
        stream_free(stream);
    }
}

void
dr_stream_close(struct dr_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool is_first = !stream->closed;
    bool is_started = stream->hooks != NULL;
    stream->closed = true;
    pthread_mutex_unlock(&stream->lock);
    if (is_first) {
        nng_stream_close(stream->nng);
        if (is_started) {
            stream->hooks->on_closed(stream->user);
        }
    }
}

// ------------------------------------------------------------------------------------------------
// reading

// Posts the next read; under the lock, not closed.
static void
post_read(struct dr_stream *stream)
{
    nng_iov iov = {.iov_buf = stream->in + stream->in_len,
                   .iov_len = stream->in_cap - stream->in_len};
    nng_aio_set_iov(stream->read_aio, 1, &iov);
    nng_stream_recv(stream->nng, stream->read_aio);
}

// Room for the next read: more when the buffer is full, less after a run of small reads.
static bool
fit_buffer(struct dr_stream *stream)
{
    size_t cap = stream->in_cap;
    if (stream->was_full && cap < DR_STREAM_READ_MAX) {
        cap = cap * 2 > DR_STREAM_READ_MAX ? DR_STREAM_READ_MAX : cap * 2;
    } else if (cap > DR_STREAM_READ_MIN && stream->in_len == 0 &&
               stream->small_reads >= SMALL_READS_LIMIT) {
        cap = DR_STREAM_READ_MIN;
    } else {
        return true;
    }
    uint8_t *in = realloc(stream->in, cap);
    if (in != NULL) {
        stream->in = in;
        stream->in_cap = cap;
    }
    stream->was_full = false;
    return stream->in_len < stream->in_cap;
}

// Gives the bytes to the hook until none is wanted, then posts the next read or stops. Runs as the
// reader, whose reference it holds.
static void
deliver(struct dr_stream *stream)
{
    for (;;) {
        bool stopped = false;
        if (stream->in_len > 0) {
            size_t used =
                stream->hooks->on_read(stream->user, stream->in, stream->in_len, &stopped);
            assert(used <= stream->in_len);
            memmove(stream->in, stream->in + used, stream->in_len - used);
            stream->in_len -= used;
        }
        if (!fit_buffer(stream)) {
            dr_stream_close(stream); // more unused bytes than any record has
        }
        pthread_mutex_lock(&stream->lock);
        bool may_read = !stream->closed && stream->hooks->may_read(stream->user);
        if (may_read && !stopped) {
            post_read(stream);
            pthread_mutex_unlock(&stream->lock);
            return;
        }
        stream->is_reading = may_read;
        pthread_mutex_unlock(&stream->lock);
        if (!may_read) {
            dr_stream_unref(stream);
            return;
        }
    }
}

static void
on_read_done(void *arg)
{
    struct dr_stream *stream = arg;
    size_t got = nng_aio_count(stream->read_aio);
    if (nng_aio_result(stream->read_aio) != 0 || got == 0) {
        dr_stream_close(stream);
        dr_stream_unref(stream);
        return;
    }
    atomic_store(&stream->read_at, dr_monotonic_ms());
    stream->in_len += got;
    stream->was_full = stream->in_len == stream->in_cap;
    stream->small_reads =
        stream->was_full || got > DR_STREAM_READ_MIN ? 0 : stream->small_reads + 1;
    deliver(stream);
}

void
dr_stream_resume(struct dr_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool is_mine = !stream->closed && !stream->is_reading && stream->hooks->may_read(stream->user);
    if (is_mine) {
        stream->is_reading = true;
        dr_stream_ref(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    if (is_mine) {
        deliver(stream);
    }
}

void
dr_stream_start(struct dr_stream *stream, const struct dr_stream_hooks *hooks, void *user)
{
    pthread_mutex_lock(&stream->lock);
    assert(stream->hooks == NULL);
    stream->hooks = hooks;
    stream->user = user;
    bool is_late = stream->closed;
    if (!is_late) {
        stream->is_reading = true;
        dr_stream_ref(stream);
        post_read(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    if (is_late) {
        hooks->on_closed(user);
    }
}

// ------------------------------------------------------------------------------------------------
// writing

// Posts what is queued, up to 8 pieces; under the lock, not closed.
static void
post_write(struct dr_stream *stream)
{
    nng_iov iov[WRITE_PIECES];
    unsigned count = 0;
    for (struct piece *p = stream->first; p != NULL && count < WRITE_PIECES; p = p->next) {
        p->is_posted = true;
        iov[count++] = (nng_iov){.iov_buf = p->bytes + p->done, .iov_len = p->len - p->done};
    }
    nng_aio_set_iov(stream->write_aio, count, iov);
    nng_stream_send(stream->nng, stream->write_aio);
}

// Takes `count` written bytes off the queue.
static void
advance(struct dr_stream *stream, size_t count)
{
    stream->queued -= count;
    while (count > 0) {
        struct piece *piece = stream->first;
        size_t left = piece->len - piece->done;
        if (count < left) {
            piece->done += count;
            return;
        }
        count -= left;
        stream->first = piece->next;
        free(piece->bytes);
        free(piece);
    }
    if (stream->first == NULL) {
        stream->last = NULL;
    }
}

static void
on_write_done(void *arg)
{
    struct dr_stream *stream = arg;
    bool is_lost = nng_aio_result(stream->write_aio) != 0;
    bool is_more = false, is_end = false;
    size_t queued = 0;
    pthread_mutex_lock(&stream->lock);
    bool is_started = stream->hooks != NULL;
    if (!is_lost) {
        advance(stream, nng_aio_count(stream->write_aio));
        atomic_store(&stream->written_at, dr_monotonic_ms());
        queued = stream->queued;
        is_more = stream->first != NULL && !stream->closed;
        is_end = stream->is_finishing && !is_more;
    }
    if (is_more) {
        post_write(stream);
        dr_stream_ref(stream); // for the rest of this function
    } else {
        stream->is_writing = false;
    }
    pthread_mutex_unlock(&stream->lock);
    if (is_lost || is_end) {
        dr_stream_close(stream);
    } else if (is_started) {
        stream->hooks->on_written(stream->user, queued);
    }
    dr_stream_unref(stream);
}

// Begins to write what is queued, unless that is under way; under the lock.
static void
begin_writing(struct dr_stream *stream)
{
    if (!stream->closed && !stream->is_writing && stream->first != NULL) {
        stream->is_writing = true;
        atomic_store(&stream->written_at, dr_monotonic_ms());
        dr_stream_ref(stream);
        post_write(stream);
    }
}

// Copies small bytes behind others that wait; under the lock. False when there is no room for them.
static bool
put_behind(struct dr_stream *stream, const uint8_t *bytes, size_t len)
{
    struct piece *last = stream->last;
    if (last == NULL || last->is_posted || last->len + len > PIECE_BYTES) {
        return false;
    }
    if (last->len + len > last->cap) {
        uint8_t *grown = realloc(last->bytes, PIECE_BYTES);
        if (grown == NULL) {
            return false;
        }
        last->bytes = grown;
        last->cap = PIECE_BYTES;
    }
    memcpy(last->bytes + last->len, bytes, len);
    last->len += len;
    return true;
}

// Puts bytes into the queue; under the lock. True when they were taken over.
static bool
enqueue(struct dr_stream *stream, uint8_t *bytes, size_t len, bool *out_ok)
{
    *out_ok = true;
    if (len <= PIECE_BYTES && put_behind(stream, bytes, len)) {
        return false;
    }
    struct piece *piece = malloc(sizeof *piece);
    if (piece == NULL) {
        *out_ok = false;
        return false;
    }
    *piece = (struct piece){.bytes = bytes, .len = len, .cap = len};
    *(stream->last == NULL ? &stream->first : &stream->last->next) = piece;
    stream->last = piece;
    return true;
}

size_t
dr_stream_write(struct dr_stream *stream, uint8_t *take_bytes, size_t len, bool is_held)
{
    size_t queued = 0;
    bool ok = true, is_taken = false;
    pthread_mutex_lock(&stream->lock);
    if (!stream->closed && !stream->is_finishing && len > 0) {
        is_taken = enqueue(stream, take_bytes, len, &ok);
        stream->queued += ok ? len : 0;
        queued = ok ? stream->queued : 0;
        if (!is_held) {
            begin_writing(stream);
        }
    }
    pthread_mutex_unlock(&stream->lock);
    if (!ok) {
        dr_stream_close(stream);
    }
    if (!is_taken) {
        free(take_bytes);
    }
    return queued;
}

void
dr_stream_flush(struct dr_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    begin_writing(stream);
    pthread_mutex_unlock(&stream->lock);
}

void
dr_stream_finish(struct dr_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    begin_writing(stream);
    stream->is_finishing = true;
    bool is_idle = !stream->is_writing;
    pthread_mutex_unlock(&stream->lock);
    if (is_idle) {
        dr_stream_close(stream);
    }
}

size_t
dr_stream_queued(struct dr_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    size_t queued = stream->queued;
    pthread_mutex_unlock(&stream->lock);
    return queued;
}

int64_t
dr_stream_read_at(struct dr_stream *stream)
{
    return atomic_load(&stream->read_at);
}

int64_t
dr_stream_written_at(struct dr_stream *stream)
{
    return atomic_load(&stream->written_at);
}

void
dr_stream_address(struct dr_stream *stream, char out[DR_STREAM_ADDRESS_MAX], uint64_t *out_key)
{
    nng_sockaddr address = {0};
    char host[INET6_ADDRSTRLEN] = "?";
    uint64_t key = 0;
    unsigned port = 0;
    if (nng_stream_get_addr(stream->nng, NNG_OPT_REMADDR, &address) == 0) {
        if (address.s_family == NNG_AF_INET) {
            (void)inet_ntop(AF_INET, &address.s_in.sa_addr, host, sizeof host);
            key = address.s_in.sa_addr;
            port = ntohs(address.s_in.sa_port);
        } else if (address.s_family == NNG_AF_INET6) {
            (void)inet_ntop(AF_INET6, address.s_in6.sa_addr, host, sizeof host);
            memcpy(&key, address.s_in6.sa_addr, sizeof key);
            port = ntohs(address.s_in6.sa_port);
        }
    }
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(out, DR_STREAM_ADDRESS_MAX, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
    *out_key = key;
}
