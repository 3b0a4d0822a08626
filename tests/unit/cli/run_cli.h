// Runs drover in this process, in a temporary folder, and keeps what it printed.
#ifndef DR_TESTS_UNIT_CLI_RUN_CLI_H
#define DR_TESTS_UNIT_CLI_RUN_CLI_H

#include "coordinator/cli/cli.h"
#include "support/test_tmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN_TEXT_MAX 65536u

// What one call left. Plain data.
struct run {
    int code;
    char out[RUN_TEXT_MAX], err[RUN_TEXT_MAX];
};

static inline void
run_read(FILE *file, char *text)
{
    rewind(file);
    text[fread(text, 1, RUN_TEXT_MAX - 1, file)] = '\0';
    (void)fclose(file);
}

// Where a standard stream went while it is caught.
struct run_catch {
    FILE *file, *stream;
    int fd, before;
};

static inline struct run_catch
run_catch_begin(FILE *stream, int fd)
{
    struct run_catch c = {.file = tmpfile(), .stream = stream, .fd = fd};
    assert_non_null(c.file);
    (void)fflush(stream);
    c.before = dup(fd);
    assert_true(dup2(fileno(c.file), fd) >= 0);
    return c;
}

static inline void
run_catch_end(struct run_catch *c, char *text)
{
    (void)fflush(c->stream);
    assert_true(dup2(c->before, c->fd) >= 0);
    (void)close(c->before);
    run_read(c->file, text);
}

// Words, ended by NULL; the program's name is put before them.
static inline void
run_cli(struct run *out, const char *const *words)
{
    char *argv[32] = {strdup("drover")};
    int argc = 1;
    for (; words[argc - 1] != NULL && argc < 31; argc++) {
        argv[argc] = strdup(words[argc - 1]);
    }
    char *kept[32];
    memcpy(kept, argv, sizeof(kept)); // getopt permutes, drover replaces
    struct run_catch stdout_catch = run_catch_begin(stdout, STDOUT_FILENO);
    struct run_catch stderr_catch = run_catch_begin(stderr, STDERR_FILENO);
    out->code = dr_cli_main(argc, argv);
    run_catch_end(&stdout_catch, out->out);
    run_catch_end(&stderr_catch, out->err);
    for (int i = 0; i < argc; i++) {
        free(kept[i]);
    }
}

#define RUN(out, ...) run_cli((out), (const char *const[]){__VA_ARGS__, NULL})

static inline void
run_says(const char *text, const char *wanted)
{
    if (strstr(text, wanted) == NULL) {
        fail_msg("no '%s' in: %s", wanted, text);
    }
}

// A folder that is also the current one; the variables that drover looks at are not set.
static inline int
run_setup(void **state)
{
    static const char *const names[] = {"DROVER_CONFIG",      "DROVER_URL",  "DATABASE_URL",
                                        "DROVER_COORDINATOR", "DROVER_KEY",  "DROVER_TRANSPORT",
                                        "DROVER_TRUST",       "DROVER_NAME", "DROVER_PERSON",
                                        "DROVER_REVISIONS",   "NO_COLOR",    "FORCE_COLOR",
                                        "CLICOLOR_FORCE",     "DROVER_ROOT", "DROVER_ENVIRONMENT"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsetenv(names[i]);
    }
    int rc = dr_tmp_setup(state);
    return rc == 0 ? chdir(((struct dr_tmp *)*state)->path) : rc;
}

static inline int
run_teardown(void **state)
{
    return chdir("/") == 0 ? dr_tmp_teardown(state) : -1;
}

// drover.conf with these lines behind the project's name, and an empty revisions folder.
static inline void
run_project(const struct dr_tmp *tmp, const char *lines)
{
    char path[PATH_MAX];
    char text[4096];
    snprintf(text, sizeof(text), "project = \"shop\"\n%s", lines);
    dr_tmp_file(tmp, "drover.conf", text, 0644, path);
    dr_tmp_path(tmp, "revisions", path);
    assert_int_equal(mkdir(path, 0755), 0);
}

// revisions/ID.sql with PARENT ("" for none), for both engines.
static inline void
run_revision(const struct dr_tmp *tmp, const char *id, const char *parent)
{
    char name[128];
    char path[PATH_MAX];
    char text[1024];
    snprintf(name, sizeof(name), "revisions/%s.sql", id);
    snprintf(text, sizeof(text),
             "-- drover:revision 1\n-- Make t_%s\n--\n-- Revision ID: %s\n-- Revises: %s\n"
             "-- Engine: postgresql,sqlite\n-- Reversible: yes\n\n-- drover:up\n"
             "CREATE TABLE t_%s (id bigint PRIMARY KEY);\n\n-- drover:down\nDROP TABLE t_%s;\n",
             id, id, parent, id, id);
    dr_tmp_file(tmp, name, text, 0644, path);
}

#endif
