/*
 * leak PROGRAM ARGS…: runs a program, and on Keel looks whether memory or kernel objects are lost by it. A
 * first run fills the caches and is not heard; the second one is, and its exit status is this program's. When
 * the counters of /proc/keel are worse after it than before, it is run again: only a loss in every run is a
 * leak, reported as a "not ok leak" line with status 97.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNTERS = 64, NAME = 48, EXTRA_RUNS = 8, SETTLE_ROUNDS = 100, LEAK_STATUS = 97 };

struct counters {
    int count;
    struct {
        char name[NAME];
        long value;
    } row[COUNTERS];
};

/* What must not change: free pages and live objects. */
static bool counted(const char *name) {
    return strcmp(name, "pages_free") == 0 || strncmp(name, "objects_", 8) == 0;
}

static bool counters_read(struct counters *counters) {
    FILE *file = fopen("/proc/keel", "r");
    if (!file)
        return false;
    *counters = (struct counters){0};
    char name[NAME];
    long value;
    while (counters->count < COUNTERS && fscanf(file, "%47s %ld", name, &value) == 2)
        if (counted(name)) {
            strcpy(counters->row[counters->count].name, name);
            counters->row[counters->count++].value = value;
        }
    fclose(file);
    return counters->count > 0;
}

/* Ended processes are taken apart in the background: reads until nothing changes any more. */
static void counters_settle(struct counters *counters) {
    struct counters before;
    counters_read(counters);
    for (int round = 0; round < SETTLE_ROUNDS; round++) {
        before = *counters;
        nanosleep(&(struct timespec){0, 20000000}, NULL);
        counters_read(counters);
        if (memcmp(&before, counters, sizeof before) == 0)
            return;
    }
}

static int program_run(char **program, bool quiet) {
    pid_t pid = fork();
    if (pid == 0) {
        if (quiet) {
            int null = open("/dev/null", O_RDWR);
            for (int fd = 0; fd < 3; fd++)
                dup2(null, fd);
            close(null);
        }
        execvp(program[0], program);
        perror(program[0]);
        _exit(127);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 126;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Writes what got worse into text; false when nothing did. */
static bool loss(const struct counters *before, const struct counters *after, char *text, size_t size) {
    size_t length = 0;
    for (int i = 0; i < before->count && length < size - 1; i++) {
        long change = after->row[i].value - before->row[i].value;
        bool free_count = strcmp(before->row[i].name, "pages_free") == 0;
        if (free_count ? change < 0 : change > 0)
            length += (size_t)snprintf(text + length, size - length, " %s %+ld", before->row[i].name, change);
    }
    return length > 0;
}

int main(int argc, char **argv) {
    struct counters before, after;
    char text[512];
    if (argc < 2)
        return 2;
    if (!counters_read(&before)) {
        execvp(argv[1], argv + 1);
        return 127;
    }
    program_run(argv + 1, true);
    counters_settle(&before);
    int status = program_run(argv + 1, false);
    counters_settle(&after);
    for (int run = 0; loss(&before, &after, text, sizeof text); run++) {
        if (run == EXTRA_RUNS) {
            printf("not ok leak: in each of %d runs; the last:%s\n", EXTRA_RUNS + 1, text);
            return LEAK_STATUS;
        }
        before = after;
        program_run(argv + 1, true);
        counters_settle(&after);
    }
    return status;
}
