#define _GNU_SOURCE
#include "chain.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char suffix[] = ".up.sql";

void
die(const char *what, const char *why)
{
    fprintf(stderr, "error: %s: %s\n", what, why);
    exit(1);
}

static int
is_up(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length >= sizeof suffix &&
           strcmp(entry->d_name + length - sizeof suffix + 1, suffix) == 0;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

struct chain
chain_read(const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, is_up, by_bytes);
    if (count < 0) {
        die(folder, "cannot be read");
    }
    struct chain chain = {calloc((size_t)count + 1, sizeof *chain.names), (size_t)count};
    for (int i = 0; i < count; i++) {
        chain.names[i] =
            strndup(entries[i]->d_name, strlen(entries[i]->d_name) - sizeof suffix + 1);
        free(entries[i]);
    }
    free(entries);
    return chain;
}

struct text
text_load(const char *folder, const char *name, const char *way)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s.sql", folder, name, way);
    FILE *file = fopen(path, "rb");
    struct stat facts;
    if (!file || fstat(fileno(file), &facts) != 0) {
        die(path, "cannot be read");
    }
    struct text text = {.size = (size_t)facts.st_size};
    text.bytes = malloc(text.size + 1);
    if (!text.bytes || fread(text.bytes, 1, text.size, file) != text.size) {
        die(path, "is shorter than it was");
    }
    fclose(file);
    text.bytes[text.size] = '\0';
    text.replaced = text.size ? text.bytes[0] : '\0';
    text.dollars = strstr(text.bytes, "$$") != NULL;
    return text;
}

// Whether the bytes leave a $$ quote open.
static int
is_quoted(const char *from, const char *to)
{
    int open = 0;
    for (const char *at = from; at + 1 < to; at++) {
        if (at[0] == '$' && at[1] == '$') {
            open = !open;
            at++;
        }
    }
    return open;
}

char *
next_statement(struct text *text)
{
    if (text->at >= text->size) {
        return NULL;
    }
    char *start = text->bytes + text->at;
    *start = text->replaced;
    char *from = start;
    char *line_end;
    while ((line_end = memchr(from, '\n', text->size - (size_t)(from - text->bytes)))) {
        if (line_end > start && line_end[-1] == ';' &&
            !(text->dollars && is_quoted(start, line_end))) {
            break;
        }
        from = line_end + 1;
    }
    if (!line_end) {
        text->at = text->size;
        return NULL;
    }
    text->at = (size_t)(line_end + 1 - text->bytes);
    text->replaced = text->bytes[text->at];
    text->bytes[text->at] = '\0';
    return start;
}
