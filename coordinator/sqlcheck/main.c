// drover-sqlcheck: a short-lived child of drover, the only program that links PostgreSQL's parser
// (which can crash on hostile depth). Reads texts on standard input, answers on standard output, in
// the lines of common/sql/wire.h. It opens no file and no socket; its parent caps its memory and
// its time.
#include "coordinator/sqlcheck/parse.h"

#include "sql/wire.h"

#include <pg_query.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64 };

static int
print_version(void)
{
    printf("drover-sqlcheck %s\nlibpg_query %s (PostgreSQL's grammar)\nprotobuf-c %s\n",
           DROVER_VERSION, PG_VERSION, protobuf_c_version());
    return 0;
}

// A line with one decimal number behind `prefix`; false when it is anything else or above `max`.
static bool
read_number(const char *prefix, uint64_t max, uint64_t *out)
{
    char line[LINE_MAX_BYTES];
    size_t skip = strlen(prefix);
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    char *end = strchr(line, '\n');
    if (end == NULL || strncmp(line, prefix, skip) != 0) {
        return false;
    }
    *end = '\0';
    return dr_parse_u64(line + skip, 0, max, out);
}

static int
answer_one(struct dr_buf *out)
{
    uint64_t len = 0;
    if (!read_number("", DR_WIRE_TEXT_MAX, &len)) {
        return SQLCHECK_EXIT_PROTOCOL;
    }
    char *text = malloc(len + 1);
    if (text == NULL) {
        return SQLCHECK_EXIT_MEMORY;
    }
    if (fread(text, 1, len, stdin) != len || memchr(text, '\0', len) != NULL) {
        free(text);
        return SQLCHECK_EXIT_PROTOCOL;
    }
    text[len] = '\0';
    dr_buf_reset(out);
    alarm(DR_WIRE_TEXT_SECONDS);
    sqlcheck_parse(text, len, out);
    free(text);
    dr_buf_str(out, "E\n");
    if (out->failed) {
        return SQLCHECK_EXIT_MEMORY;
    }
    bool is_written = fwrite(out->data, 1, out->len, stdout) == out->len && fflush(stdout) == 0;
    return is_written ? 0 : SQLCHECK_EXIT_PROTOCOL;
}

int
main(int argc, char **argv)
{
    uint64_t count = 0;
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return print_version();
    }
    if (argc != 1 || !read_number(DR_WIRE_HELLO, DR_WIRE_TEXTS_MAX, &count)) {
        fprintf(stderr, "drover-sqlcheck: started by drover itself; try: drover lint\n");
        return 2;
    }
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    struct dr_buf out = {0};
    int rc = 0;
    for (uint64_t i = 0; i < count && rc == 0; i++) {
        rc = answer_one(&out);
    }
    dr_buf_fini(&out);
    return rc;
}
