// Puts a drawing in the place of the one before: a synchronized update, each line cleared behind
// its text, so that nothing flickers and no old letter stays.

#include "coordinator/cli/live.h"

#include <string.h>

static size_t
count_lines(const struct dr_buf *text)
{
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++) {
        n += text->data[i] == '\n' ? 1 : 0;
    }
    return n;
}

void
dr_live_paint(struct dr_live_screen *screen, const struct dr_live_look *look,
              const struct dr_buf *text, struct dr_buf *out)
{
    size_t n = count_lines(text);
    size_t skip = n >= look->height ? n - look->height + 1 : 0; // of a terminal of a few lines
    const char *at = text->data;
    bool is_resized =
        screen->lines > 0 && (screen->width != look->width || screen->height != look->height);
    dr_buf_str(out, "\x1b[?2026h\x1b[?25l");
    if (is_resized) { // the terminal has broken the lines anew: where they are is unknown
        dr_buf_str(out, "\x1b[H\x1b[2J");
    } else if (screen->lines > 0) {
        dr_buf_printf(out, "\r\x1b[%zuA", screen->lines);
    }
    for (size_t i = 0; i < n; i++) {
        const char *end = strchr(at, '\n');
        if (i >= skip) {
            dr_buf_add(out, at, (size_t)(end - at));
            dr_buf_str(out, "\x1b[K\r\n");
        }
        at = end + 1;
    }
    dr_buf_str(out, "\x1b[J\x1b[?2026l");
    *screen = (struct dr_live_screen){n - skip, look->width, look->height};
}

void
dr_live_leave(struct dr_live_screen *screen, struct dr_buf *out)
{
    if (screen->lines > 0) {
        dr_buf_str(out, "\x1b[?25h");
    }
    *screen = (struct dr_live_screen){0};
}
