// Log lines on stderr. One write per line, so that lines of several threads and processes do not
// mix.

#include "base/log.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};

// Set once before threads start.
static struct {
    char component[64];
    atomic_int level;
    bool is_json;
} settings = {.component = "drover", .level = DR_LOG_INFO};

void
dr_log_init(const char *component, enum dr_log_level level, enum dr_log_format format)
{
    const char *wanted = getenv("DROVER_LOG");
    snprintf(settings.component, sizeof(settings.component), "%s", component);
    settings.is_json = format == DR_LOG_JSON || (format == DR_LOG_AUTO && !isatty(STDERR_FILENO));
    for (size_t i = 0; wanted != NULL && i < DR_COUNT_OF(level_names); i++) {
        if (dr_str_eq(wanted, level_names[i])) {
            level = (enum dr_log_level)i;
        }
    }
    atomic_store(&settings.level, level);
}

static void
add_json_string(struct dr_buf *out, const char *text)
{
    size_t len = strlen(text);
    bool valid = dr_utf8_valid(text, len, NULL);
    dr_buf_str(out, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            dr_buf_printf(out, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !valid)) {
            dr_buf_printf(out, "\\u%04x", c);
        } else {
            dr_buf_add(out, &text[i], 1);
        }
    }
    dr_buf_str(out, "\"");
}

static void
begin_line(struct dr_buf *out, enum dr_log_level level, const char *message)
{
    char time[32];
    int64_t now = dr_now_unix_ms();
    dr_format_time(time, now / 1000);
    if (settings.is_json) {
        dr_buf_printf(out, "{\"ts\":\"%.19s.%03dZ\",\"level\":\"%s\",\"component\":", time,
                      (int)(now % 1000), level_names[level]);
        add_json_string(out, settings.component);
        dr_buf_str(out, ",\"msg\":");
        add_json_string(out, message);
        return;
    }
    dr_buf_printf(out, "%.19s %-5s %s: ", time, level_names[level], settings.component);
    dr_show(out, message, strlen(message), false);
}

static void
add_field(struct dr_buf *out, const char *key, const char *value)
{
    if (settings.is_json) {
        dr_buf_str(out, ",");
        add_json_string(out, key);
        dr_buf_str(out, ":");
        add_json_string(out, value);
        return;
    }
    dr_buf_printf(out, " %s=", key);
    bool plain = value[0] != '\0' && strpbrk(value, " \"\t\n") == NULL;
    dr_buf_str(out, plain ? "" : "\"");
    dr_show(out, value, strlen(value), false);
    dr_buf_str(out, plain ? "" : "\"");
}

static void
end_line(struct dr_buf *out)
{
    dr_buf_str(out, settings.is_json ? "}\n" : "\n");
    if (!out->failed) {
        ssize_t ignored = write(STDERR_FILENO, out->data, out->len);
        (void)ignored;
    }
    dr_buf_fini(out);
}

void
dr_log(enum dr_log_level level, const char *message, ...)
{
    va_list args;
    if ((int)level < atomic_load(&settings.level)) {
        return;
    }
    struct dr_buf line = {.max = 65536};
    begin_line(&line, level, message);
    va_start(args, message);
    for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        add_field(&line, key, value ? value : "");
    }
    va_end(args);
    end_line(&line);
}

void
dr_log_err(enum dr_log_level level, const char *message, const struct dr_err *err)
{
    if ((int)level < atomic_load(&settings.level)) {
        return;
    }
    struct dr_buf line = {.max = 65536};
    begin_line(&line, level, message);
    add_field(&line, "error", err->message);
    add_field(&line, "code", dr_rc_name(err->rc));
    if (err->hint[0] != '\0') {
        add_field(&line, "hint", err->hint);
    }
    if (err->file[0] != '\0') {
        char place[300];
        snprintf(place, sizeof(place), "%s:%u:%u", err->file, err->line, err->column);
        add_field(&line, "at", place);
    }
    end_line(&line);
}
