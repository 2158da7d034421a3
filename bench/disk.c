/*
 * The benchmark's requests to a disk: one static program, the same bytes on Keel and on Linux.
 *
 *   disk NODE [NAME…]
 *
 * prints a line per operation, NAME TICKS NS SWITCHES ENTRIES as ops.c does, per request. All requests are
 * O_DIRECT, one at a time, so that NS is the latency.
 *
 *   disk --counted NODE [NAME…]
 *
 * counts instructions (-icount shift=0, one CPU): a process that runs only when nothing else does adds one to
 * a number with every second instruction; TICKS are those of the time-stamp counter without these. What the
 * device takes is left out, and idle states that systems enter in their own ways are, too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { SPIN = 2 /* instructions that add one */, LARGE = 65536, SMALL = 4096, AREA = 32 << 20, TEXT = 65536 };

struct operation {
    const char *name;
    unsigned count, size;
    bool write, random;
};

static const struct operation operations[] = {
    {"read_in_order", 256, LARGE, false, false},
    {"write_in_order", 256, LARGE, true, false},
    {"read_random", 1000, SMALL, false, true},
    {"write_random", 1000, SMALL, true, true},
};

struct counters {
    uint64_t ticks, ns, switches, entries;
};

static char text[TEXT];
static volatile uint64_t *spun; /* by the process that runs when nothing else does; NULL: there is none */
static char memory[LARGE] __attribute__((aligned(4096)));

static void die(const char *what) {
    perror(what);
    exit(1);
}

static bool file_read(const char *path) {
    int fd = open(path, O_RDONLY);
    size_t length = 0;
    ssize_t got = 0;
    if (fd < 0)
        return false;
    while (length < TEXT - 1 && (got = read(fd, text + length, TEXT - 1 - length)) > 0)
        length += (size_t)got;
    close(fd);
    text[length] = 0;
    return true;
}

/* The number behind a word of the text. */
static uint64_t number_of(const char *word) {
    const char *at = strstr(text, word);
    return at ? strtoull(at + strlen(word) + strspn(at + strlen(word), " :"), NULL, 10) : 0;
}

static bool counters_read(struct counters *now) {
    bool keel = file_read("/proc/keel");
    *now = (struct counters){0};
    if (keel)
        *now = (struct counters){.switches = number_of("page_table_switches"),
                                 .entries = number_of("kernel_entries")};
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now->ns = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
    now->ticks = __rdtsc() - (spun ? SPIN * *spun : 0);
    return keel;
}

/* A sequence that is the same everywhere. */
static unsigned random_next(void) {
    static uint32_t state = 1;
    return state = state * 1664525 + 1013904223;
}

static void requests_make(int disk, const struct operation *operation) {
    for (unsigned i = 0; i < operation->count; i++) {
        unsigned place = operation->random ? random_next() >> 8 : i;
        off_t offset = (off_t)(place % (AREA / operation->size)) * operation->size;
        ssize_t done = operation->write ? pwrite(disk, memory, operation->size, offset)
                                        : pread(disk, memory, operation->size, offset);
        if (done != (ssize_t)operation->size)
            die(operation->name);
    }
}

static void operation_measure(int disk, const struct operation *operation) {
    struct counters before, after;
    double count = operation->count;
    requests_make(disk, operation); /* once before, for whatever happens at first */
    counters_read(&before);
    requests_make(disk, operation);
    bool keel = counters_read(&after);
    printf("%s %.2f %.2f", operation->name, (double)(after.ticks - before.ticks) / count,
           (double)(after.ns - before.ns) / count);
    if (keel)
        printf(" %.2f %.2f\n", (double)(after.switches - before.switches) / count,
               (double)(after.entries - before.entries) / count);
    else
        printf(" - -\n");
}

/* Starts the process that runs when nothing else does. */
static pid_t spinner_start(void) {
    spun = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sched_param none = {0};
        if (syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &none)) /* musl has none */
            die("SCHED_IDLE");
        for (;;)
            __asm__ volatile("1: incq (%0); jmp 1b" : : "r"(spun) : "memory");
    }
    return pid;
}

static bool wanted(const char *name, char **names) {
    bool found = !*names;
    for (; *names; names++)
        found |= !strcmp(name, *names);
    return found;
}

int main(int argc, char **argv) {
    bool counted = argc > 1 && !strcmp(argv[1], "--counted");
    argv += 1 + counted;
    int disk = *argv ? open(*argv, O_RDWR | O_DIRECT) : -1;
    if (disk < 0)
        die("disk");
    pid_t spinner = counted ? spinner_start() : 0;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
        if (wanted(operations[i].name, argv + 1))
            operation_measure(disk, &operations[i]);
    if (spinner)
        kill(spinner, SIGKILL);
    return 0;
}
