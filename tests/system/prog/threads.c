/* test: libc=musl,glibc timeout=240 */
/* Threads: creation, thread-local storage, mutexes, conditions, barriers, cancellation, futexes, signals to
 * threads. */
#include "tests/system/prog/threads/threads.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_PRIVATE = 128,
    FUTEX_WAIT_PRIVATE = FUTEX_WAIT | FUTEX_PRIVATE,
    FUTEX_WAKE_PRIVATE = FUTEX_WAKE | FUTEX_PRIVATE,
    FUTEX_CMP_REQUEUE_PRIVATE = 4 | FUTEX_PRIVATE,
    FUTEX_BITSET_MATCH_ANY = -1,
};

static _Thread_local int own = 7;
static _Thread_local char own_big[5000] = "start";
static volatile int counter;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void *use_own(void *argument) {
    CHECK_EQ(own, 7);
    CHECK(check_is(own_big, "start"));
    own = (int)(intptr_t)argument;
    own_big[4999] = 1;
    for (int i = 0; i < 200; i++) {
        sched_yield();
        CHECK_EQ(own, (int)(intptr_t)argument);
    }
    return (void *)(intptr_t)(own * 2);
}

TEST(local_storage) {
    pthread_t threads[THREADS];
    own = 1000;
    for (intptr_t i = 0; i < THREADS; i++)
        threads[i] = start(use_own, (void *)(i + 1));
    for (intptr_t i = 0; i < THREADS; i++)
        CHECK_EQ((intptr_t)join(threads[i]), 2 * (i + 1));
    CHECK_EQ(own, 1000);
}

static void *count(void *argument) {
    (void)argument;
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&mutex);
        counter = counter + 1;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(mutex_excludes) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = start(count, NULL);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
    CHECK_EQ(counter, THREADS * 5000);
}

static volatile int turn;

static void *take_turns(void *argument) {
    int me = (int)(intptr_t)argument;
    for (int i = 0; i < 300; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != me)
            pthread_cond_wait(&condition, &mutex);
        turn = (turn + 1) % 3;
        counter = counter + 1;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

TEST(conditions) {
    pthread_t threads[3];
    for (intptr_t i = 0; i < 3; i++)
        threads[i] = start(take_turns, (void *)i);
    for (int i = 0; i < 3; i++)
        join(threads[i]);
    CHECK_EQ(counter, 900);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&mutex);
    CHECK_EQ(pthread_cond_timedwait(&condition, &mutex, &until), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
}

static pthread_barrier_t barrier;

static void *meet(void *argument) {
    (void)argument;
    for (int i = 1; i <= 20; i++) {
        __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
        pthread_barrier_wait(&barrier);
        CHECK_EQ(counter, i * 4);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

TEST(barriers) {
    pthread_t threads[4];
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 4; i++)
        threads[i] = start(meet, NULL);
    for (int i = 0; i < 4; i++)
        join(threads[i]);
}

static sem_t semaphore;

static void *post(void *argument) {
    (void)argument;
    for (int i = 0; i < 100; i++)
        sem_post(&semaphore);
    return NULL;
}

TEST(semaphores) {
    sem_init(&semaphore, 0, 0);
    pthread_t thread = start(post, NULL);
    for (int i = 0; i < 100; i++)
        CHECK(sem_wait(&semaphore) == 0);
    join(thread);
    CHECK_ERRNO(sem_trywait(&semaphore), EAGAIN);
}

static pthread_rwlock_t shared_lock = PTHREAD_RWLOCK_INITIALIZER;
static volatile int pair_a, pair_b;

static void *read_or_write(void *argument) {
    bool writes = argument != NULL;
    for (int i = 0; i < 500; i++) {
        if (writes) {
            pthread_rwlock_wrlock(&shared_lock);
            pair_a = pair_a + 1;
            pair_b = pair_b + 1;
        } else {
            pthread_rwlock_rdlock(&shared_lock);
            CHECK_EQ(pair_a, pair_b);
        }
        pthread_rwlock_unlock(&shared_lock);
    }
    return NULL;
}

TEST(reader_writer_locks) {
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        threads[i] = start(read_or_write, i < 2 ? (void *)1 : NULL);
    for (int i = 0; i < 6; i++)
        join(threads[i]);
    CHECK_EQ(pair_a, 1000);
}

static void destroyed(void *value) {
    counter = counter + (int)(intptr_t)value;
}
static pthread_key_t key;

static void *set_key(void *argument) {
    pthread_setspecific(key, argument);
    return NULL;
}

TEST(keys_are_destroyed) {
    pthread_key_create(&key, destroyed);
    join(start(set_key, (void *)5));
    join(start(set_key, (void *)6));
    CHECK_EQ(counter, 11);
}

static void cleaned(void *argument) {
    *(volatile int *)argument = 1;
}
static volatile int was_cleaned, to_be_cleaned;

static void *wait_to_be_cancelled(void *argument) {
    int *ends = argument;
    char byte;
    pthread_cleanup_push(cleaned, (void *)&was_cleaned);
    to_be_cleaned = 1;
    (void)!read(ends[0], &byte, 1);
    pthread_cleanup_pop(0);
    return NULL;
}

TEST(cancellation) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pthread_t thread = start(wait_to_be_cancelled, ends);
    while (!to_be_cleaned)
        check_sleep_ms(1);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK(join(thread) == PTHREAD_CANCELED);
    CHECK_EQ(was_cleaned, 1);
}

static void *quick(void *argument) {
    return argument;
}

TEST(many_short_threads) {
    for (intptr_t i = 0; i < 300; i++)
        CHECK_EQ((intptr_t)join(start(quick, (void *)i)), i);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        int error = pthread_create(&thread, &attributes, quick, NULL);
        CHECK_EQ(error, 0);
    }
    check_sleep_ms(50);
}

static void *sleep_forever(void *argument) {
    for (;;)
        pause();
    return argument;
}

TEST(exit_group_ends_all) {
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < THREADS; i++)
            start(sleep_forever, NULL);
        exit(33);
    }
    CHECK_EXITS(pid, 33);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < THREADS; i++)
            start(sleep_forever, NULL);
        abort();
    }
    CHECK_KILLED(pid, SIGABRT);
}

static void *exits_process(void *argument) {
    check_sleep_ms(20);
    exit((int)(intptr_t)argument);
}

TEST(leader_may_leave_first) {
    pid_t pid = fork();
    if (pid == 0) {
        start(exits_process, (void *)44);
        pthread_exit(NULL);
    }
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    CHECK_EXITS(pid, 44);
}

static void *exec_from_thread(void *argument) {
    (void)argument;
    execl("/bin/sh", "sh", "-c", "exit 21", (char *)NULL);
    return NULL;
}

TEST(exec_from_a_thread) {
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 3; i++)
            start(sleep_forever, NULL);
        start(exec_from_thread, NULL);
        for (;;)
            pause();
    }
    CHECK_EXITS(pid, 21);
}

static void *forks(void *argument) {
    pid_t pid = fork();
    if (pid == 0)
        _exit((int)(intptr_t)argument);
    CHECK_EXITS(pid, (int)(intptr_t)argument);
    return NULL;
}

TEST(fork_from_threads) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        threads[i] = start(forks, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
}

static pthread_t signalled;
static volatile pid_t signal_tid;

static void note_thread(int signo) {
    (void)signo;
    signal_tid = (pid_t)syscall(SYS_gettid);
}

static void *wait_for_signal(void *argument) {
    *(volatile pid_t *)argument = (pid_t)syscall(SYS_gettid);
    while (!signal_tid)
        check_sleep_ms(1);
    return NULL;
}

TEST(signal_to_one_thread) {
    volatile pid_t tid = 0;
    signal(SIGUSR1, note_thread);
    signalled = start(wait_for_signal, (void *)&tid);
    while (!tid)
        check_sleep_ms(1);
    CHECK(tid != getpid());
    CHECK_EQ(pthread_kill(signalled, SIGUSR1), 0);
    join(signalled);
    CHECK_EQ(signal_tid, tid);
    CHECK_EQ(syscall(SYS_getpid), getpid());
}

TEST(process_signal_goes_to_a_willing_thread) {
    volatile pid_t tid = 0;
    signal(SIGUSR1, note_thread);
    signal_tid = 0;
    signalled = start(wait_for_signal, (void *)&tid);
    while (!tid)
        check_sleep_ms(1);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    join(signalled);
    CHECK_EQ(signal_tid, tid);
}

static long futex(volatile int *word, int operation, int value, void *timeout, volatile int *second,
                  int value3) {
    return syscall(SYS_futex, word, operation, value, timeout, second, value3);
}

TEST(futex_errors_and_timeout) {
    volatile int word = 5;
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 4, NULL, NULL, 0), EAGAIN);
    struct timespec wait = {0, 20000000};
    uint64_t begin = check_now_ns();
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 5, &wait, NULL, 0), ETIMEDOUT);
    CHECK(check_now_ns() - begin >= 20000000);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 5, NULL, NULL, 0), EINVAL);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    CHECK_ERRNO(futex((int *)((char *)&word + 1), FUTEX_WAIT, 5, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex((int *)8, FUTEX_WAIT, 5, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(&word, 99, 5, NULL, NULL, 0), ENOSYS);
    wait = (struct timespec){0, -1};
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 5, &wait, NULL, 0), EINVAL);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    CHECK_ERRNO(futex(&word, FUTEX_WAIT_BITSET, 5, &until, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
}

static volatile int gate, other_gate;

static void *wait_at_gate(void *argument) {
    (void)argument;
    while (!gate)
        futex(&gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *wait_once(void *argument) {
    *(volatile pid_t *)argument = (pid_t)syscall(SYS_gettid);
    futex(&gate, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

TEST(futex_wakes_all) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = start(wait_at_gate, NULL);
    check_sleep_ms(20);
    gate = 1;
    futex(&gate, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
    CHECK_EQ(counter, THREADS);
}

TEST(futex_requeue) {
    pthread_t threads[4];
    static volatile pid_t waiting[4];
    for (int i = 0; i < 4; i++)
        threads[i] = start(wait_once, (void *)&waiting[i]);
    for (int i = 0; i < 4; i++) {
        while (!waiting[i])
            check_sleep_ms(1);
        CHECK_STATE(waiting[i], 'S');
    }
    CHECK_ERRNO(futex(&gate, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)(intptr_t)INT_MAX, &other_gate, 9),
                EAGAIN);
    CHECK_EQ(futex(&gate, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)(intptr_t)INT_MAX, &other_gate, 0), 4);
    while (counter == 0)
        check_sleep_ms(1);
    CHECK_EQ(counter, 1);
    CHECK_EQ(futex(&gate, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&other_gate, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 3);
    for (int i = 0; i < 4; i++)
        join(threads[i]);
}

TEST(futex_between_processes) {
    volatile int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        while (*word == 0)
            futex(word, FUTEX_WAIT, 0, NULL, NULL, 0);
        _exit(*word);
    }
    CHECK_STATE(pid, 'S');
    *word = 9;
    CHECK_EQ(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    CHECK_EXITS(pid, 9);
}

TEST(futex_wait_is_interrupted) {
    struct sigaction action = {.sa_handler = note_thread};
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 20000);
    volatile int word = 0;
    CHECK_ERRNO(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
}

static pthread_mutex_t *robust_mutex;

static void *die_holding(void *argument) {
    (void)argument;
    pthread_mutex_lock(robust_mutex);
    return NULL;
}

TEST(robust_mutex_of_a_dead_owner) {
    robust_mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(robust_mutex, &attributes);
    join(start(die_holding, NULL));
    CHECK_EQ(pthread_mutex_lock(robust_mutex), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(robust_mutex), 0);
    pthread_mutex_unlock(robust_mutex);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_mutex_lock(robust_mutex);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(pthread_mutex_lock(robust_mutex), EOWNERDEAD);
}

static void *compute(void *argument) {
    double x = (double)(intptr_t)argument, sum = 0;
    for (int i = 1; i < 200000; i++)
        sum += x / i;
    double *result = malloc(sizeof *result);
    *result = sum;
    return result;
}

TEST(vector_state_is_per_thread) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        threads[i] = start(compute, (void *)(i + 1));
    double *first = join(threads[0]);
    for (int i = 1; i < THREADS; i++) {
        double *sum = join(threads[i]);
        double ratio = *sum / *first - (i + 1);
        CHECK(ratio < 1e-6 && ratio > -1e-6);
        free(sum);
    }
    free(first);
}

static void *use_files(void *argument) {
    char name[32];
    snprintf(name, sizeof name, "/tmp/thread-%d", (int)(intptr_t)argument);
    for (int i = 0; i < 50; i++) {
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        CHECK(fd >= 0);
        CHECK_EQ(write(fd, name, 10), 10);
        close(fd);
        CHECK(unlink(name) == 0);
    }
    return NULL;
}

TEST(files_from_many_threads) {
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        threads[i] = start(use_files, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
}

TEST_MAIN()
