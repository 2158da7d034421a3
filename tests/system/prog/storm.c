/* test: libc=musl cpus=1,4 timeout=400 */
/* Many processes and threads that wait for each other: lost wake-ups, races of unmapping, lost signals show
 * here. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum { PROCESSES = 8, THREADS = 8, PAGE = 4096 };

static void wait_all(int count) {
    for (int i = 0; i < count; i++) {
        int status = 0;
        pid_t pid;
        while ((pid = wait(&status)) < 0 && errno == EINTR)
            continue;
        if (pid < 0 || status != 0)
            check_fail("a child: pid %d, status %#x, errno %d", (int)pid, status, errno);
    }
}

#define IN_PROCESSES(index, count)                                                                           \
    for (int index = 0; index < (count); index++)                                                            \
        if (fork() == 0)                                                                                     \
            for (bool once_ = true; once_; _exit(0))

TEST(forks_at_once) {
    IN_PROCESSES(i, PROCESSES) {
        for (int turn = 0; turn < 60; turn++) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(turn & 127);
            CHECK_EXITS(pid, turn & 127);
        }
    }
    wait_all(PROCESSES);
}

TEST(execs_at_once) {
    IN_PROCESSES(i, PROCESSES) {
        for (int turn = 0; turn < 25; turn++) {
            pid_t pid = vfork();
            if (pid == 0) {
                execl("/bin/busybox", "sh", "-c", "exit 42", (char *)NULL);
                _exit(1);
            }
            CHECK_EXITS(pid, 42);
        }
    }
    wait_all(PROCESSES);
}

TEST(orphans) {
    for (int turn = 0; turn < 40; turn++) {
        int ends[2];
        CHECK_EQ(pipe(ends), 0);
        pid_t pid = fork();
        if (pid == 0) {
            for (int i = 0; i < 4; i++)
                if (fork() == 0) {
                    check_sleep_ms(1);
                    _exit(0);
                }
            _exit(3);
        }
        CHECK_EXITS(pid, 3);
        close(ends[1]);
        char byte;
        CHECK_EQ(read(ends[0], &byte, 1), 0); /* the last of them has gone */
        close(ends[0]);
    }
}

/* A token goes round a ring of processes. */
TEST(pipe_ring) {
    enum { ROUNDS = 300 };
    int links[PROCESSES][2];
    for (int i = 0; i < PROCESSES; i++)
        CHECK_EQ(pipe(links[i]), 0);
    IN_PROCESSES(i, PROCESSES) {
        for (int round = 0; round < ROUNDS; round++) {
            unsigned token = 0;
            if (i != 0 || round != 0)
                CHECK_EQ(read(links[i][0], &token, sizeof token), (long)sizeof token);
            token++;
            CHECK_EQ(write(links[(i + 1) % PROCESSES][1], &token, sizeof token), (long)sizeof token);
        }
    }
    wait_all(PROCESSES);
    unsigned token = 0;
    CHECK_EQ(read(links[0][0], &token, sizeof token), (long)sizeof token);
    CHECK_EQ(token, PROCESSES * ROUNDS);
}

/* Writers of whole records into one pipe, readers of whole records out of it: none is torn, none is lost. */
TEST(pipe_records) {
    enum { RECORDS = 2000, SIZE = 64 };
    int ends[2], sums[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(pipe(sums), 0);
    IN_PROCESSES(i, 4) {
        char record[SIZE];
        close(ends[0]);
        memset(record, 'a' + i, SIZE);
        for (int n = 0; n < RECORDS; n++)
            CHECK_EQ(write(ends[1], record, SIZE), SIZE);
    }
    close(ends[1]);
    IN_PROCESSES(i, 3) {
        char record[SIZE];
        long got, count = 0;
        while ((got = read(ends[0], record, SIZE)) > 0) {
            CHECK_EQ(got, SIZE);
            for (int at = 1; at < SIZE; at++)
                CHECK_EQ(record[at], record[0]);
            count++;
        }
        CHECK_EQ(got, 0);
        CHECK_EQ(write(sums[1], &count, sizeof count), (long)sizeof count);
    }
    close(ends[0]);
    wait_all(7);
    long total = 0, count;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(read(sums[0], &count, sizeof count), (long)sizeof count);
        total += count;
    }
    CHECK_EQ(total, 4 * RECORDS);
}

/* ---- threads ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static volatile long shared_count;
static volatile int whose_turn;

static void threads_run(void *(*run)(void *), int count) {
    pthread_t threads[32];
    for (int i = 0; i < count; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, run, (void *)(intptr_t)i), 0);
    for (int i = 0; i < count; i++) {
        void *result = NULL;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK(result == NULL);
    }
}

static void *mutex_thread(void *argument) {
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&mutex);
        long value = shared_count;
        if (i % 64 == 0)
            sched_yield();
        shared_count = value + 1;
        pthread_mutex_unlock(&mutex);
    }
    return (void)argument, NULL;
}

TEST(mutex_counts) {
    threads_run(mutex_thread, THREADS);
    CHECK_EQ(shared_count, THREADS * 5000);
}

static void *turn_thread(void *argument) {
    int self = (int)(intptr_t)argument;
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mutex);
        while (whose_turn != self)
            pthread_cond_wait(&turn_changed, &mutex);
        whose_turn = (self + 1) % THREADS;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(condition_turns) {
    threads_run(turn_thread, THREADS);
}

static pthread_barrier_t barrier;

static void *barrier_thread(void *argument) {
    for (int i = 0; i < 300; i++) {
        __atomic_fetch_add(&shared_count, 1, __ATOMIC_SEQ_CST);
        pthread_barrier_wait(&barrier);
        if (shared_count != (i + 1) * THREADS)
            return (void *)1;
        pthread_barrier_wait(&barrier);
    }
    return (void)argument, NULL;
}

TEST(barriers) {
    pthread_barrier_init(&barrier, NULL, THREADS);
    threads_run(barrier_thread, THREADS);
}

static void *nothing_thread(void *argument) {
    return (void)argument, NULL;
}

TEST(short_threads) {
    for (int i = 0; i < 100; i++)
        threads_run(nothing_thread, THREADS);
}

/* A process that ends while its threads are busy, wait, or are being made. */
TEST(exit_with_threads) {
    for (int turn = 0; turn < 60; turn++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t thread;
            for (int i = 0; i < 6; i++)
                pthread_create(&thread, NULL, i % 2 ? turn_thread : mutex_thread, (void *)(intptr_t)(i + 1));
            if (turn % 3 == 0)
                execl("/bin/busybox", "sh", "-c", "exit 5", (char *)NULL);
            if (turn % 3 == 1)
                _exit(5);
            kill(getpid(), SIGKILL);
        }
        if (turn % 3 == 2)
            CHECK_KILLED(pid, SIGKILL);
        else
            CHECK_EXITS(pid, 5);
    }
}

/* ---- memory ---- */

/* Each thread maps, fills, looks and unmaps: what it sees is its own, whatever others unmap meanwhile. */
static void *map_thread(void *argument) {
    unsigned seed = 7 + (unsigned)(intptr_t)argument;
    for (int i = 0; i < 80; i++) {
        size_t pages = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 20;
        volatile unsigned *map =
            mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            return (void *)1;
        for (size_t p = 0; p < pages; p++) {
            if (map[p * PAGE / 4] != 0)
                return (void *)2;
            map[p * PAGE / 4] = seed + (unsigned)p;
        }
        if (i % 4 == 0)
            mprotect((void *)map, PAGE, PROT_READ);
        for (size_t p = 0; p < pages; p++)
            if (map[p * PAGE / 4] != seed + (unsigned)p)
                return (void *)3;
        munmap((void *)map, pages * PAGE);
    }
    return NULL;
}

TEST(maps_in_threads) {
    threads_run(map_thread, THREADS);
}

static volatile bool writers_stop;
static volatile uint64_t *written;

static void *writer_thread(void *argument) {
    uint64_t step = 1;
    for (; !writers_stop; step++)
        for (int p = 0; p < 16; p++)
            written[p * PAGE / 8 + (intptr_t)argument] = step;
    return NULL;
}

/* A fork takes one moment: in the child, no page is more than one step ahead of an earlier one, and none
 * changes. */
TEST(fork_while_written) {
    written = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(written != MAP_FAILED);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, writer_thread, (void *)(intptr_t)i), 0);
    for (int turn = 0; turn < 60; turn++) {
        pid_t pid = fork();
        if (pid == 0) {
            for (int pass = 0; pass < 2; pass++)
                for (int i = 0; i < 3; i++)
                    for (int p = 1; p < 16; p++) {
                        uint64_t earlier = written[(p - 1) * PAGE / 8 + i], later = written[p * PAGE / 8 + i];
                        if (later > earlier || earlier - later > 1)
                            _exit(7);
                    }
            _exit(0);
        }
        CHECK_EXITS(pid, 0);
    }
    writers_stop = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* ---- signals ---- */

static volatile sig_atomic_t caught;
static void count_signal(int signo) {
    (void)signo;
    caught++;
}

/* Queued signals are neither lost nor doubled. */
TEST(queued_signals) {
    enum { EACH = 100 };
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGRTMIN + 3, &action, NULL);
    pid_t self = getpid();
    IN_PROCESSES(i, 4) {
        for (int n = 0; n < EACH; n++) {
            union sigval value = {.sival_int = n};
            while (sigqueue(self, SIGRTMIN + 3, value) < 0)
                CHECK_EQ(errno, EAGAIN);
        }
    }
    wait_all(4);
    for (int wait = 0; caught < 4 * EACH && wait < 2000; wait++)
        check_sleep_ms(1);
    CHECK_EQ(caught, 4 * EACH);
}

/* A signal that comes just before or after pause-like waits still ends them. */
TEST(signal_and_suspend) {
    sigset_t blocked, none;
    struct sigaction action = {.sa_handler = count_signal};
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        char byte;
        close(ends[1]);
        while (read(ends[0], &byte, 1) == 1)
            kill(parent, SIGUSR1);
        _exit(0);
    }
    for (int turn = 0; turn < 1000; turn++) {
        int before = caught;
        CHECK_EQ(write(ends[1], "x", 1), 1);
        while (caught == before)
            sigsuspend(&none);
    }
    close(ends[1]);
    CHECK_EXITS(pid, 0);
}

/* ---- waiting for descriptors ---- */

TEST(poll_pingpong) {
    int there[PROCESSES][2], back[2];
    CHECK_EQ(pipe(back), 0);
    for (int i = 0; i < PROCESSES; i++)
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, there[i]), 0);
    IN_PROCESSES(i, PROCESSES) {
        for (int turn = 0; turn < 100; turn++) {
            struct pollfd wait = {there[i][1], POLLIN, 0};
            char byte;
            CHECK_EQ(poll(&wait, 1, 30000), 1);
            CHECK_EQ(read(there[i][1], &byte, 1), 1);
            CHECK_EQ(write(there[i][1], &byte, 1), 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        CHECK_EQ(write(there[i][0], "x", 1), 1);
    int left[PROCESSES], open_links = PROCESSES;
    for (int i = 0; i < PROCESSES; i++)
        left[i] = 100;
    while (open_links > 0) {
        struct pollfd waits[PROCESSES];
        for (int i = 0; i < PROCESSES; i++)
            waits[i] = (struct pollfd){left[i] ? there[i][0] : -1, POLLIN, 0};
        CHECK(poll(waits, PROCESSES, 30000) > 0);
        for (int i = 0; i < PROCESSES; i++) {
            char byte;
            if (!(waits[i].revents & POLLIN))
                continue;
            CHECK_EQ(read(there[i][0], &byte, 1), 1);
            if (--left[i])
                CHECK_EQ(write(there[i][0], &byte, 1), 1);
            else
                open_links--;
        }
    }
    wait_all(PROCESSES);
}

TEST(epoll_events) {
    enum { EACH = 300 };
    int epoll = epoll_create1(0), events[4];
    for (int i = 0; i < 4; i++) {
        events[i] = eventfd(0, EFD_NONBLOCK);
        struct epoll_event watch = {.events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)i};
        CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, events[i], &watch), 0);
    }
    IN_PROCESSES(i, 4) {
        uint64_t one = 1;
        for (int n = 0; n < EACH; n++)
            CHECK_EQ(write(events[i], &one, sizeof one), (long)sizeof one);
    }
    uint64_t sum = 0;
    while (sum < 4 * EACH) {
        struct epoll_event ready[4];
        int count = epoll_wait(epoll, ready, 4, 30000);
        CHECK(count > 0);
        for (int i = 0; i < count; i++) {
            uint64_t value;
            if (read(events[ready[i].data.u32], &value, sizeof value) == (long)sizeof value)
                sum += value;
        }
    }
    wait_all(4);
    CHECK_EQ(sum, 4 * EACH);
}

/* Something like make -j: shells that start pipelines, all at once. */
TEST(shells_at_once) {
    IN_PROCESSES(i, 6) {
        char command[256];
        snprintf(command, sizeof command,
                 "d=/tmp/storm.%d; mkdir $d; cd $d; n=0; while [ $n -lt 8 ]; do seq 1 50 | sort -rn | head "
                 "-1 > f$n;"
                 " [ \"$(cat f$n)\" = 50 ] || exit 1; n=$((n+1)); done; ls | wc -l | grep -q 8 && rm -r $d",
                 i);
        int status = system(command);
        CHECK_EQ(status, 0);
    }
    wait_all(6);
}

TEST_MAIN()
