// Runs a command and writes one line about it: wall, user and system time in microseconds with all
// its descendants that it waited for, the largest resident set of one process in KiB, and the exit
// status. Being small itself, it does not blur the memory figure, which starts at the size of the
// parent.
//
//   timed OUTPUT COMMAND [ARGUMENT ...]

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long
microseconds(long seconds, long rest)
{
    return seconds * 1000000 + rest;
}

int
main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: timed OUTPUT COMMAND [ARGUMENT ...]\n");
        return 2;
    }
    struct timespec began;
    struct timespec ended;
    struct rusage used;
    int status = 0;
    clock_gettime(CLOCK_MONOTONIC, &began);
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) != pid) {
        perror("timed");
        return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    FILE *out = fopen(argv[1], "w");
    if (!out) {
        perror(argv[1]);
        return 1;
    }
    fprintf(out, "%ld %ld %ld %ld %d\n",
            microseconds(ended.tv_sec - began.tv_sec, (ended.tv_nsec - began.tv_nsec) / 1000),
            microseconds(used.ru_utime.tv_sec, used.ru_utime.tv_usec),
            microseconds(used.ru_stime.tv_sec, used.ru_stime.tv_usec), used.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(out) == 0 ? 0 : 1;
}
