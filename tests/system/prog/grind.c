/*
 * grind [CALLS [SEED [WORKERS]]]: random system calls, in the spirit of xv6's grind. It must end:
 * without a panic, without a process that cannot be killed, without a lost page or object.
 *
 *   main         starts the workers of a round, waits for them, compares /proc/keel after each round
 *   worker       runs torturers, one after the other, in a directory of its own
 *   torturer     a session of its own, some threads and children that make random calls
 *
 * Half of those calls make sense together (files, pipes, processes, memory, signals), half are any number
 * with any arguments. Workers kill a torturer that makes no call for a while, or slow ones for long.
 *
 * A torturer uses no libc: it unmaps, overwrites and redirects what it runs on, and often dies of it. What it
 * may not do is harm anybody else: wild() replaces the process ids, and the calls that stop the machine are
 * left out. All is drawn from the seed, but how torturers interleave is not.
 */
#include "grind/torturer.h"
#include "grind/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ROUNDS = 8,
    TREND = 7, /* rounds that must all lose for a leak: by chance that is one run in 40,320 */
};

char *const *own_arguments;

struct counters {
    long free, objects, heap;
};

static struct counters counters_read(void) {
    struct counters counters = {0};
    FILE *file = fopen("/proc/keel", "r");
    char name[64];
    long value;
    while (file && fscanf(file, "%63s %ld", name, &value) == 2) {
        if (!strcmp(name, "pages_free"))
            counters.free = value;
        else if (!strncmp(name, "objects_", 8))
            counters.objects += value;
        else if (!strcmp(name, "heap_used"))
            counters.heap = value;
    }
    if (file)
        fclose(file);
    return counters;
}

/* Ended processes are taken apart in the background. */
static struct counters counters_settled(void) {
    struct counters counters = counters_read(), before;
    for (int i = 0; i < 100; i++) {
        before = counters;
        sleep_ms(20);
        counters = counters_read();
        if (!memcmp(&before, &counters, sizeof before))
            break;
    }
    return counters;
}

/* Segments, sets of semaphores and message queues outlive who made them: those left by torturers are nobody's
 * loss. */
static void ipc_remove(void) {
    struct shmid_ds segment;
    struct semid_ds set;
    struct msqid_ds queue;
    int id, last = shmctl(0, SHM_INFO, &segment);
    for (int i = 0; i <= last; i++)
        if ((id = shmctl(i, SHM_STAT, &segment)) >= 0 && shmctl(id, IPC_RMID, NULL))
            give_up("a segment stays", id);
    last = semctl(0, 0, SEM_INFO, &set);
    for (int i = 0; i <= last; i++)
        if ((id = semctl(i, 0, SEM_STAT, &set)) >= 0 && semctl(id, 0, IPC_RMID))
            give_up("a set of semaphores stays", id);
    last = msgctl(0, MSG_INFO, &queue);
    for (int i = 0; i <= last; i++)
        if ((id = msgctl(i, MSG_STAT, &queue)) >= 0 && msgctl(id, IPC_RMID, NULL))
            give_up("a message queue stays", id);
}

static void round_run(unsigned round, unsigned workers, uint64_t calls, uint64_t seed) {
    pid_t pids[WORKERS_MAX];
    shared->goal = calls_all() + calls;
    for (unsigned i = 0; i < workers; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            worker_run(i, (seed * 1000 + round * 37 + i) * 0xbf58476d1ce4e5b9ULL);
        if (pids[i] < 0)
            give_up("no process for a worker", 0);
    }
    for (unsigned i = 0; i < workers; i++) {
        int status = 0;
        waitpid(pids[i], &status, 0);
        if (status)
            give_up("a worker failed", pids[i]);
    }
    ipc_remove();
}

/* A leak gets worse in each of the last rounds. */
static bool leak_report(const struct counters *at, unsigned rounds) {
    bool free = true, objects = true, heap = true;
    for (unsigned i = rounds - TREND; i < rounds; i++) {
        free &= at[i].free < at[i - 1].free;
        objects &= at[i].objects > at[i - 1].objects;
        heap &= at[i].heap > at[i - 1].heap;
    }
    if (free || objects || heap)
        printf("not ok grind leaks%s%s%s\n", free ? " pages" : "", objects ? " objects" : "",
               heap ? " heap" : "");
    return free || objects || heap;
}

static void bytes_print(const char *what, const uint8_t *bytes, size_t length) {
    printf("%s", what);
    for (size_t i = 0; i < length; i++)
        printf(" %02x", bytes[i]);
    printf("\n");
}

static bool wrong_report(void) {
    const struct wrong_piece *first = &shared->first_wrong;
    if (!shared->wrong)
        return false;
    printf("not ok grind: %llu bytes came out of a pipe wrong, the first at %u of a message, of whose "
           "piece %u bytes were left\n",
           (unsigned long long)shared->wrong, first->at, first->length);
    bytes_print("came", first->came, sizeof first->came);
    bytes_print("sent", first->sent, sizeof first->sent);
    return true;
}

int main(int argc, char **argv) {
    own_arguments = argv;
    if (argc > 1 && argv[1][0] == '-')
        return 0; /* the program that torturers execute */
    uint64_t calls = argc > 1 ? strtoull(argv[1], NULL, 0) : 300000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    unsigned workers = argc > 3 ? (unsigned)atoi(argv[3]) : 8;
    struct counters at[ROUNDS + 1];
    if (workers < 1 || workers > WORKERS_MAX)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (mmap(shared, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
             -1, 0) == MAP_FAILED)
        return 2;
    signal(SIGPIPE, SIG_DFL);
    at[0] = counters_settled();
    for (unsigned round = 1; round <= ROUNDS; round++) {
        uint64_t began = now_ms();
        round_run(round, workers, calls / ROUNDS, seed);
        at[round] = counters_settled();
        printf("round %u: %llu calls, %llu torturers, %llu crashed, %llu killed, %llu ms; free %ld objects "
               "%ld heap %ld\n",
               round, (unsigned long long)calls_all(), (unsigned long long)shared->torturers,
               (unsigned long long)shared->crashed, (unsigned long long)shared->killed,
               (unsigned long long)(now_ms() - began), at[round].free, at[round].objects, at[round].heap);
    }
    bool wrong = wrong_report();
    if (leak_report(at, ROUNDS + 1) || wrong)
        return 1;
    printf("ok grind\n");
    return 0;
}
