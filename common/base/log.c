// Log lines on stderr. One write per line, so that lines of several threads and processes do not
// mix.

#include "base/log.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_MAX      4096u
#define LINE_MAX_BYTES ((size_t)1024 * 1024)

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

// `text`, cut to a sane length, with everything visible that a terminal would act on.
static void
show(struct dr_buf *out, const char *text, bool keep_lines)
{
    size_t len = strnlen(text, VALUE_MAX + 1);
    dr_show(out, text, len > VALUE_MAX ? VALUE_MAX : len, keep_lines);
    dr_buf_str(out, len > VALUE_MAX ? "..." : "");
}

// `text` between double quotes: JSON's rules, which serve the text form too.
static void
add_quoted(struct dr_buf *out, const char *text)
{
    struct dr_buf shown = {.max = LINE_MAX_BYTES};
    show(&shown, text, true);
    dr_buf_str(out, "\"");
    for (size_t i = 0; i < shown.len; i++) {
        char c = shown.data[i];
        if (c == '\n' || c == '\t') {
            dr_buf_str(out, c == '\n' ? "\\n" : "\\t");
        } else {
            dr_buf_str(out, c == '"' || c == '\\' ? "\\" : "");
            dr_buf_add(out, &c, 1);
        }
    }
    dr_buf_str(out, "\"");
    dr_buf_fini(&shown);
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
        add_quoted(out, settings.component);
        dr_buf_str(out, ",\"msg\":");
        add_quoted(out, message);
        return;
    }
    dr_buf_printf(out, "%.19s %-5s %s: ", time, level_names[level], settings.component);
    show(out, message, false);
}

static void
add_field(struct dr_buf *out, const char *key, const char *value)
{
    if (settings.is_json) {
        dr_buf_str(out, ",");
        add_quoted(out, key);
        dr_buf_str(out, ":");
        add_quoted(out, value);
        return;
    }
    dr_buf_printf(out, " %s=", key);
    if (value[0] != '\0' && strpbrk(value, " \"\\=\t\n") == NULL) {
        show(out, value, false);
    } else {
        add_quoted(out, value);
    }
}

static void
end_line(struct dr_buf *out)
{
    dr_buf_str(out, settings.is_json ? "}\n" : "\n");
    if (!out->failed) {
        // Nobody can be told that the log cannot be written.
        bool is_written = dr_fd_write_all(STDERR_FILENO, out->data, out->len);
        (void)is_written;
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
    struct dr_buf line = {.max = LINE_MAX_BYTES};
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
    struct dr_buf line = {.max = LINE_MAX_BYTES};
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
