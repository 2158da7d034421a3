/*
 * The native runtime (lib/native), tested by an ordinary musl program on the running system, in place of the
 * personality (tests/native/rtest.manifest): start block, memory, clocks, threads, futexes, vector state
 * across calls, and the console link to the serial driver. Prints "ok NAME" or "not ok NAME: what" lines to
 * the log and ends with the number of failures. The serial line carries LINK_BYTES bytes of a pattern and
 * then "end\n".
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/virtqueue/console_client.h"
#include "tests/native/check.h"

enum { DETACHED = 500, QUEUE = 16, ITEMS = 5000, BLOCKS = 200, LINK_BYTES = 100000, MS = 1000000 };

static void test_start(void) {
    CHECK(strcmp(program_name(), "rtest") == 0);
    CHECK(getenv("KEEL_CMDLINE") != NULL);
    CHECK(handle_find("log") != HANDLE_NONE);
    CHECK(handle_find("root-resource") == HANDLE_NONE);
    CHECK(handle_find("ioport.3f8") == HANDLE_NONE);
    CHECK(getpid() == 1);
    errno = 0;
    CHECK(fopen("/etc/passwd", "r") == NULL && errno == ENOSYS);
}

static void test_memory(void) {
    static unsigned char *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(i * 997 + 1);
        memset(blocks[i], (int)i, i * 997 + 1);
        blocks[i] = realloc(blocks[i], i * 1999 + 2);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        CHECK(blocks[i][0] == (unsigned char)i && blocks[i][i * 997] == (unsigned char)i);
        free(blocks[i]);
    }
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED && page[4096] == 0);
    CHECK(mprotect(page, 4096, PROT_READ) == 0);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) == MAP_FAILED && errno == EBADF);
    CHECK(munmap(page, 8192) == 0);
    CHECK(munmap(page + 1, 4096) == -1 && errno == EINVAL);
}

static void test_clocks(void) {
    struct timespec before, after, wall;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK(usleep(20000) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    int64_t slept = (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
    CHECK(slept >= 20 * MS);
    CHECK(clock_gettime(CLOCK_REALTIME, &wall) == 0 && wall.tv_sec > 1700000000);
    struct timespec past = {0, 0};
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL) == 0);
    CHECK(clock_gettime(99, &wall) == -1 && errno == EINVAL);
}

/* ---- threads ---- */

static _Thread_local int local = 7;
static sem_t started;

static void *detached_run(void *argument) {
    int *sum = argument;
    *sum += ++local;
    sem_post(&started);
    return NULL;
}

static struct system_info system_now(void) {
    struct system_info info = {0};
    (void)keel_object_info(handle_find("info"), keel_pointer(&info), sizeof info);
    return info;
}

/* Detached threads unmap their own stacks; the runtime frees the rest, and nothing adds up. */
static void test_detached_threads(void) {
    pthread_attr_t detached;
    int sum = 0;
    CHECK(sem_init(&started, 0, 0) == 0 && pthread_attr_init(&detached) == 0);
    CHECK(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
    struct system_info half = {0};
    for (unsigned i = 0; i < DETACHED; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &detached, detached_run, &sum) == 0);
        CHECK(sem_wait(&started) == 0);
        if (i == DETACHED / 2)
            half = system_now();
    }
    CHECK(sum == DETACHED * 8);
    /* Those that have posted may still be on their way out; what they leave is freed when the next one is
     * made. */
    for (unsigned tries = 0; tries < 300 && system_now().objects[OBJECT_THREAD] > 8; tries++) {
        pthread_t thread;
        usleep(10000);
        CHECK(pthread_create(&thread, &detached, detached_run, &sum) == 0);
        CHECK(sem_wait(&started) == 0);
    }
    CHECK(system_now().objects[OBJECT_THREAD] <= 8);
    CHECK(system_now().pages_free + 64 > half.pages_free);
}

struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int items[QUEUE], count;
    long sum;
};

static struct queue queue = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *producer_run(void *argument) {
    for (int i = 1; i <= ITEMS; i++) {
        pthread_mutex_lock(&queue.mutex);
        while (queue.count == QUEUE)
            pthread_cond_wait(&queue.changed, &queue.mutex);
        queue.items[queue.count++] = i;
        pthread_cond_broadcast(&queue.changed);
        pthread_mutex_unlock(&queue.mutex);
    }
    return argument;
}

static void *consumer_run(void *argument) {
    for (int i = 1; i <= ITEMS; i++) {
        pthread_mutex_lock(&queue.mutex);
        while (queue.count == 0)
            pthread_cond_wait(&queue.changed, &queue.mutex);
        queue.sum += queue.items[--queue.count];
        pthread_cond_broadcast(&queue.changed);
        pthread_mutex_unlock(&queue.mutex);
    }
    return argument;
}

static void test_futexes(void) {
    void *(*const roles[])(void *) = {producer_run, consumer_run, producer_run, consumer_run};
    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, roles[i], (void *)i) == 0);
    for (long i = 0; i < 4; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0 && (long)result == i);
    }
    CHECK(queue.sum == 2L * ITEMS * (ITEMS + 1) / 2);
}

static void test_timed_wait(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 30 * MS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    uint64_t before = clock_now();
    pthread_mutex_lock(&queue.mutex);
    CHECK(pthread_cond_timedwait(&queue.changed, &queue.mutex, &until) == ETIMEDOUT);
    pthread_mutex_unlock(&queue.mutex);
    CHECK(clock_now() - before >= 29 * MS);
}

/* Floating point that lives in vector registers across calls and switches. */
static void *float_run(void *argument) {
    double x = (double)(long)argument + 0.5;
    for (int i = 0; i < 2000; i++) {
        x = x * 1.0000001 + 1e-9;
        if (i % 200 == 0)
            usleep(10);
    }
    return (void *)(long)(x * 1e6);
}

static void test_vector_state(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, float_run, (void *)i) == 0);
    for (long i = 0; i < 4; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0 && result == float_run((void *)i));
    }
}

/* ---- the console link ---- */

static struct console_client console;
static handle_t kick, call;

static void console_put(const char *bytes, size_t length) {
    while (length > 0) {
        bool signal;
        size_t taken = console_write(&console, bytes, length, &signal);
        bytes += taken;
        length -= taken;
        if (signal)
            (void)keel_event_signal(kick);
        if (length > 0 && !console_want_space(&console, true))
            (void)keel_event_wait(call, DEADLINE_NEVER);
    }
}

static void test_console(void) {
    static char pattern[LINK_BYTES];
    void *area = memory_map(handle_find("console"), 0, CONSOLE_AREA_SIZE, MAP_READ | MAP_WRITE);
    kick = handle_find("console.kick");
    call = handle_find("console.call");
    CHECK(area != NULL && console_client_init(&console, area, CONSOLE_AREA_SIZE) == 0);
    (void)keel_event_signal(kick);
    for (size_t i = 0; i < LINK_BYTES; i++)
        pattern[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i % 26);
    console_put(pattern, LINK_BYTES);
    console_put("end\n", 4);
    while (!console_drained(&console))
        if (!console_want_space(&console, true))
            CHECK(keel_event_wait(call, clock_now() + 5000 * (uint64_t)MS) >= 0);
    CHECK(!console_broken(&console));
}

static const struct test tests[] = {
    {"start", test_start},
    {"memory", test_memory},
    {"clocks", test_clocks},
    {"detached_threads", test_detached_threads},
    {"futexes", test_futexes},
    {"timed_wait", test_timed_wait},
    {"vector_state", test_vector_state},
    {"console", test_console},
};

int main(void) {
    for (unsigned i = 0; i < sizeof tests / sizeof tests[0]; i++)
        check_run(&tests[i]);
    return check_end();
}
