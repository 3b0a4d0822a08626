// Replays a corpus without libFuzzer: every file as it is, then with bytes flipped, cut and
// repeated from a fixed seed.

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUTATIONS 400u
#define SIZE_MAX_ 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t
next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

// An exact copy on the heap, so that a read behind the end is seen.
static void
run_one(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void
mutate(const char *text, size_t len, uint32_t *seed)
{
    static uint8_t work[SIZE_MAX_ * 2];
    for (unsigned i = 0; i < MUTATIONS && len > 0 && len <= SIZE_MAX_; i++) {
        size_t n = len;
        memcpy(work, text, len);
        for (uint32_t k = next_random(seed) % 4 + 1; k > 0; k--) {
            size_t at = next_random(seed) % n;
            switch (next_random(seed) % 4) {
            case 0:
                work[at] ^= (uint8_t)(1u << (next_random(seed) % 8));
                break;
            case 1:
                work[at] = (uint8_t)next_random(seed);
                break;
            case 2:
                n = at > 0 ? at : 1;
                break;
            default:
                if (n + 16 <= sizeof(work)) {
                    memmove(work + at + 8, work + at, n - at);
                    n += 8;
                }
                break;
            }
        }
        run_one(work, n);
    }
}

int
main(int argc, char **argv)
{
    uint32_t seed = 0x5eed1234;
    size_t files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (dir == NULL) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    run_one((const uint8_t *)"", 0);
    for (struct dirent *row; (row = readdir(dir)) != NULL;) {
        char path[4096];
        char *text = NULL;
        size_t len = 0;
        struct dr_err err = {0};
        snprintf(path, sizeof(path), "%s/%s", argv[1], row->d_name);
        if (row->d_name[0] == '.' || dr_file_read(path, 1u << 24, &text, &len, &err) != DR_OK) {
            continue;
        }
        run_one((const uint8_t *)text, len);
        mutate(text, len, &seed);
        free(text);
        files++;
    }
    closedir(dir);
    printf("%zu files replayed\n", files);
    return files > 0 ? 0 : 1;
}
