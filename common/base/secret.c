// Secrets on libsodium's guarded pages: locked, kept out of core dumps, wiped when freed.
#include "base/secret.h"

#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRET_MAGIC   0x6472736563ULL
#define PASSPHRASE_MAX 1024u
#define KEY_INTERRUPT  3   // Ctrl-C, read as a byte while signals from the keyboard are off
#define KEY_ERASE      127 // and backspace
#define KEY_BACKSPACE  8

struct dr_secret {
    uint64_t magic;
    size_t len;
    uint8_t *bytes;
};

struct dr_secret *
dr_secret_new(size_t len)
{
    if (sodium_init() < 0) {
        return NULL;
    }
    struct dr_secret *secret = calloc(1, sizeof *secret);
    if (secret == NULL) {
        return NULL;
    }
    secret->bytes = sodium_malloc(len == 0 ? 1 : len);
    if (secret->bytes == NULL) {
        free(secret);
        return NULL;
    }
    memset(secret->bytes, 0, len == 0 ? 1 : len);
    secret->magic = SECRET_MAGIC;
    secret->len = len;
    return secret;
}

void
dr_secret_free(struct dr_secret **secret)
{
    if (secret == NULL || *secret == NULL) {
        return;
    }
    assert((*secret)->magic == SECRET_MAGIC);
    sodium_free((*secret)->bytes); // wipes
    (*secret)->magic = 0;
    free(*secret);
    *secret = NULL;
}

uint8_t *
dr_secret_bytes(struct dr_secret *secret)
{
    assert(secret->magic == SECRET_MAGIC);
    return secret->bytes;
}

size_t
dr_secret_len(const struct dr_secret *secret)
{
    assert(secret->magic == SECRET_MAGIC);
    return secret->len;
}

// One line byte by byte, so that nothing behind it is taken from the descriptor. `line` has
// PASSPHRASE_MAX bytes. With `is_terminal` the erase keys and Ctrl-C are handled here, since the
// terminal no longer does.
static enum dr_rc
read_line(int fd, bool is_terminal, uint8_t *line, size_t *out_len, struct dr_err *err)
{
    size_t len = 0;
    for (;;) {
        uint8_t c;
        ssize_t got = read(fd, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return dr_err_errno(err, DR_E_IO, errno, "cannot read the passphrase");
        }
        if (got == 0 || c == '\n' || (is_terminal && c == '\r')) {
            *out_len = len;
            return DR_OK;
        }
        if (is_terminal && c == KEY_INTERRUPT) {
            return dr_err_set(err, DR_E_INTERRUPTED, "interrupted");
        }
        if (is_terminal && (c == KEY_ERASE || c == KEY_BACKSPACE)) {
            len -= len > 0 ? 1 : 0;
            continue;
        }
        if (len == PASSPHRASE_MAX) {
            return dr_err_set(err, DR_E_LIMIT, "the passphrase is longer than %u bytes",
                              PASSPHRASE_MAX);
        }
        line[len++] = c;
    }
}

static enum dr_rc
read_terminal(const char *prompt, uint8_t *line, size_t *out_len, struct dr_err *err)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios old;
    if (tty < 0 || tcgetattr(tty, &old) != 0) {
        if (tty >= 0) {
            (void)close(tty);
        }
        (void)dr_err_set(err, DR_E_INVALID, "there is no terminal to ask for the passphrase");
        (void)dr_err_hint(err, "use --passphrase-fd N to read it from a descriptor");
        return DR_E_INVALID;
    }
    struct termios quiet = old;
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    enum dr_rc rc = DR_OK;
    if (!dr_fd_write_all(tty, prompt, strlen(prompt)) || tcsetattr(tty, TCSAFLUSH, &quiet) != 0) {
        rc = dr_err_errno(err, DR_E_IO, errno, "cannot use the terminal");
    } else {
        rc = read_line(tty, true, line, out_len, err);
        (void)tcsetattr(tty, TCSAFLUSH, &old);
        bool is_written = dr_fd_write_all(tty, "\n", 1);
        (void)is_written;
    }
    (void)close(tty);
    return rc;
}

enum dr_rc
dr_secret_ask(const char *prompt, int fd, struct dr_secret **out, struct dr_err *err)
{
    struct dr_secret *line = dr_secret_new(PASSPHRASE_MAX);
    if (line == NULL) {
        return dr_err_set(err, DR_E_NOMEM, "out of memory for a secret");
    }
    size_t len = 0;
    enum dr_rc rc = fd >= 0 ? read_line(fd, false, line->bytes, &len, err)
                            : read_terminal(prompt, line->bytes, &len, err);
    if (rc == DR_OK && fd >= 0 && len > 0 && line->bytes[len - 1] == '\r') {
        len--;
    }
    if (rc == DR_OK) {
        struct dr_secret *exact = dr_secret_new(len);
        if (exact == NULL) {
            rc = dr_err_set(err, DR_E_NOMEM, "out of memory for a secret");
        } else {
            memcpy(exact->bytes, line->bytes, len);
            *out = exact;
        }
    }
    dr_secret_free(&line);
    return rc;
}
