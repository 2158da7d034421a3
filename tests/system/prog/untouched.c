/* test: libc=musl,glibc */
/* Memory that was mapped and never touched: whatever meets it first, a program, a call or another process,
 * finds it as mmap promised; and what was taken out of it is gone. */
#include "tests/system/prog/check.h"
#include "tests/system/prog/areas.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_PRIVATE = 128 };
enum { PAGE = 4096, READ_WRITE = PROT_READ | PROT_WRITE };

static char *fresh(size_t pages, int protection) {
    char *address = mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(address != MAP_FAILED);
    return address;
}

TEST(many_areas) {
    enum { AREAS = 40 };
    char *areas[AREAS];
    for (int i = 0; i < AREAS; i++)
        areas[i] = fresh((size_t)(i % 3) + 1, i % 2 ? READ_WRITE : READ_WRITE | PROT_EXEC);
    for (int i = AREAS; i-- > 0;) {
        CHECK_EQ(areas[i][0], 0);
        areas[i][i % 3 * PAGE] = (char)(i + 1);
    }
    for (int i = 0; i < AREAS; i++)
        CHECK_EQ(areas[i][i % 3 * PAGE], i + 1);
}

TEST(calls_fill_it) {
    int ends[2], fd = temporary(3 * PAGE);
    CHECK(pipe(ends) == 0);
    CHECK_EQ(write(ends[1], "abcdefgh", 8), 8);
    CHECK_EQ(pwrite(fd, "file", 4, 2 * PAGE), 4);
    char *area = fresh(3, READ_WRITE);
    CHECK_EQ(read(ends[0], area + PAGE - 2, 8), 8);
    CHECK(memcmp(area + PAGE - 2, "abcdefgh", 8) == 0);
    area = fresh(3, READ_WRITE);
    CHECK_EQ(pread(fd, area, 3 * PAGE, 0), 3 * PAGE);
    CHECK(memcmp(area + 2 * PAGE, "file", 4) == 0);
    char *first = fresh(1, READ_WRITE), *second = fresh(2, READ_WRITE);
    struct iovec parts[2] = {{first, PAGE}, {second, 2 * PAGE}};
    CHECK_EQ(preadv(fd, parts, 2, 0), 3 * PAGE);
    CHECK(memcmp(second + PAGE, "file", 4) == 0);
    struct stat *stat_area = (struct stat *)fresh(1, READ_WRITE);
    CHECK(fstat(fd, stat_area) == 0);
    CHECK_EQ(stat_area->st_size, 3 * PAGE);
    int zero = open("/dev/zero", O_RDONLY);
    CHECK_EQ(read(zero, fresh(2, READ_WRITE), 2 * PAGE), 2 * PAGE);
}

TEST(calls_read_zeros) {
    int ends[2], fd = temporary(0);
    char got[16];
    CHECK(pipe(ends) == 0);
    CHECK_EQ(write(ends[1], fresh(2, READ_WRITE) + PAGE - 8, 16), 16);
    memset(got, 1, sizeof got);
    CHECK_EQ(read(ends[0], got, 16), 16);
    CHECK_EQ(got[0] | got[15], 0);
    CHECK_EQ(write(fd, fresh(5, PROT_READ), 5 * PAGE), 5 * PAGE);
    CHECK_EQ(pread(fd, got, 16, 5 * PAGE - 16), 16);
    CHECK_EQ(got[0] | got[15], 0);
    CHECK_ERRNO(open(fresh(1, READ_WRITE), O_RDONLY), ENOENT); /* "" */
    CHECK_ERRNO(nanosleep((void *)fresh(1, PROT_NONE), NULL), EFAULT);
    CHECK(nanosleep((void *)fresh(1, PROT_READ), NULL) == 0);
}

TEST(futexes_in_it) {
    struct timespec soon = {0, 20000000};
    int *word = (int *)fresh(1, READ_WRITE);
    CHECK_ERRNO(syscall(SYS_futex, word, FUTEX_WAIT, 1, &soon, NULL, 0), EAGAIN);
    word = (int *)fresh(1, READ_WRITE);
    CHECK_ERRNO(syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE, 0, &soon, NULL, 0), ETIMEDOUT);
    word = (int *)fresh(1, READ_WRITE);
    CHECK_EQ(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    CHECK_EQ(*word, 0);
}

static volatile uintptr_t handler_stack;
static void on_signal(int signo) {
    volatile char here = 1;
    (void)signo;
    handler_stack = (uintptr_t)&here;
}

TEST(signal_stacks) {
    stack_t stack = {.ss_sp = fresh(16, READ_WRITE), .ss_size = 16 * PAGE};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK(sigaltstack(&stack, NULL) == 0);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(handler_stack - (uintptr_t)stack.ss_sp < 16 * PAGE);
}

TEST(unmapped_parts_are_gone) {
    char *area = fresh(6, READ_WRITE);
    CHECK(munmap(area, PAGE) == 0);
    CHECK(munmap(area + 5 * PAGE, PAGE) == 0);
    CHECK(munmap(area + 2 * PAGE, PAGE) == 0);
    CHECK(!readable(area) && readable(area + PAGE) && !readable(area + 2 * PAGE));
    CHECK(readable(area + 3 * PAGE) && readable(area + 5 * PAGE - 1) && !readable(area + 5 * PAGE));
    touch_kills(area, true, SIGSEGV);
    touch_kills(area + 2 * PAGE, false, SIGSEGV);
    touch_kills(area + 5 * PAGE, true, SIGSEGV);
    area[PAGE] = area[4 * PAGE] = 1;
    area = fresh(2, READ_WRITE);
    char *other = fresh(2, READ_WRITE);
    CHECK(munmap(other < area ? other : area, 4 * PAGE) == 0); /* both, when they are neighbours */
    touch_kills(other < area ? other : area, true, SIGSEGV);
    CHECK(!readable(other < area ? other : area));
    area = fresh(1, READ_WRITE);
    *area = 1;
    CHECK(munmap(area, PAGE) == 0);
    char *again = mmap(area, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(again != MAP_FAILED);
    CHECK_EQ(*again, 0);
}

TEST(mapping_over_parts) {
    int fd = temporary(PAGE);
    CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
    char *area = fresh(5, READ_WRITE);
    CHECK(mmap(area + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == area + PAGE);
    CHECK(mmap(area + 3 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) ==
          area + 3 * PAGE);
    area[0] = area[2 * PAGE] = area[4 * PAGE] = 1;
    CHECK_EQ(area[PAGE], 'x');
    CHECK_EQ(area[3 * PAGE], 0);
    touch_kills(area + PAGE, true, SIGSEGV);
    touch_kills(area + 3 * PAGE, true, SIGSEGV);
    CHECK_ERRNO(munmap(area + 1, PAGE), EINVAL);
    area = fresh(3, READ_WRITE);
    CHECK(mmap(area, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == area);
    CHECK_EQ(area[0], 'x');
}

TEST(protection) {
    char *area = fresh(4, READ_WRITE);
    CHECK(mprotect(area + PAGE, PAGE, PROT_READ) == 0);
    CHECK(mprotect(area + 2 * PAGE, PAGE, PROT_NONE) == 0);
    area[0] = area[3 * PAGE] = 1;
    CHECK_EQ(area[PAGE], 0);
    touch_kills(area + PAGE, true, SIGSEGV);
    touch_kills(area + 2 * PAGE, false, SIGSEGV);
    CHECK(!readable(area + 2 * PAGE));
    area = fresh(3, PROT_NONE); /* reserved first, used later, as allocators and thread stacks do */
    CHECK(!readable(area));
    touch_kills(area, false, SIGSEGV);
    CHECK(mprotect(area + PAGE, 2 * PAGE, READ_WRITE) == 0);
    area[PAGE] = area[2 * PAGE] = 1;
    touch_kills(area, false, SIGSEGV);
    touch_kills(fresh(1, PROT_READ), true, SIGSEGV);
}

static siginfo_t fault;
static char *fault_area;
static void on_fault(int signo, siginfo_t *info, void *context) {
    (void)signo;
    (void)context;
    fault = *info;
    if (mprotect(fault_area, PAGE, READ_WRITE) != 0)
        _exit(1);
}

TEST(faults_say_why) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
    fault_area = fresh(1, PROT_NONE);
    fault_area[8] = 5;
    CHECK_EQ(fault_area[8], 5);
    CHECK_EQ(fault.si_code, SEGV_ACCERR);
    CHECK(fault.si_addr == fault_area + 8);
}

TEST(moving) {
    char *area = fresh(3, READ_WRITE);
    char *grown = mremap(area, 3 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED);
    grown[0] = 1;
    grown[5 * PAGE] = 2;
    if (grown != area)
        CHECK(!readable(area));
    CHECK(mremap(grown, 6 * PAGE, PAGE, 0) == grown);
    CHECK_EQ(*grown, 1);
    CHECK(!readable(grown + PAGE));
    char *from = fresh(2, READ_WRITE), *to = fresh(4, PROT_READ);
    from[PAGE] = 7;
    CHECK(mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE) == to + PAGE);
    CHECK_EQ(to[2 * PAGE], 7);
    to[PAGE] = 8;
    touch_kills(to, true, SIGSEGV);
    touch_kills(to + 3 * PAGE, true, SIGSEGV);
    CHECK_EQ(to[0], 0);
    CHECK_EQ(to[2 * PAGE], 7);
    CHECK(!readable(from));
    from = fresh(2, READ_WRITE), to = fresh(2, READ_WRITE);
    CHECK(mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    CHECK_EQ(to[PAGE], 0);
    to[0] = 1;
    touch_kills(from, false, SIGSEGV);
    CHECK(munmap(to, 2 * PAGE) == 0);
    touch_kills(to, false, SIGSEGV);
    from = fresh(2, READ_WRITE);
    to = mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    CHECK(to != MAP_FAILED && to != from);
    to[0] = 3;
    CHECK_EQ(from[0], 0);
}

TEST(advice) {
    char *area = fresh(4, READ_WRITE);
    CHECK(madvise(area, 4 * PAGE, MADV_DONTNEED) == 0);
    area[PAGE] = 1;
    CHECK(madvise(area + PAGE, PAGE, MADV_DONTNEED) == 0);
    CHECK_EQ(area[PAGE], 0);
    area = fresh(4, READ_WRITE);
    CHECK(madvise(area, PAGE, MADV_FREE) == 0);
    area[0] = area[3 * PAGE] = 1;
    area = fresh(2, READ_WRITE);
    CHECK(mlock(area, 2 * PAGE) == 0);
    unsigned char present[2] = {0};
    CHECK(mincore(area, 2 * PAGE, present) == 0);
    CHECK(present[0] & present[1] & 1);
    CHECK(munmap(area, 2 * PAGE) == 0);
    touch_kills(area, false, SIGSEGV);
    area = mmap(NULL, 2 * PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(area != MAP_FAILED);
    CHECK(mincore(area, 2 * PAGE, present) == 0);
    CHECK(present[0] & present[1] & 1);
}

TEST(forks_share_nothing) {
    char *both = fresh(2, READ_WRITE), *parents = fresh(1, READ_WRITE), *children = fresh(1, READ_WRITE);
    int go[2];
    char byte = 0;
    CHECK(pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        children[0] = 1;
        both[0] = 2;
        CHECK_EQ(read(go[0], &byte, 1), 1); /* the parent has touched its own */
        CHECK_EQ(both[0], 2);
        CHECK_EQ(both[PAGE], 0);
        CHECK_EQ(parents[0], 0);
        CHECK(munmap(both, 2 * PAGE) == 0);
        CHECK(!readable(both));
        _exit(0);
    }
    both[0] = both[PAGE] = 3;
    parents[0] = 4;
    CHECK_EQ(write(go[1], &byte, 1), 1);
    CHECK_EXITS(pid, 0);
    CHECK_EQ(both[0], 3);
    CHECK_EQ(children[0], 0);
}

TEST(fork_advice) {
    char *left_out = fresh(2, READ_WRITE), *wiped = fresh(2, READ_WRITE), *kept = fresh(2, READ_WRITE);
    CHECK(madvise(left_out, 2 * PAGE, MADV_DONTFORK) == 0);
    CHECK(madvise(wiped + PAGE, PAGE, MADV_WIPEONFORK) == 0);
    wiped[0] = wiped[PAGE] = 1;
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(!readable(left_out));
        CHECK_EQ(wiped[0], 1);
        CHECK_EQ(wiped[PAGE], 0);
        kept[0] = 1;
        *(volatile char *)left_out = 1;
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
    left_out[0] = 1;
    CHECK_EQ(kept[0], 0);
}

TEST(vfork_shares_all) {
    char *volatile area = fresh(2, READ_WRITE);
    pid_t pid = vfork();
    if (pid == 0) {
        area[PAGE] = 9;
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(area[PAGE], 9);
}

TEST(through_proc) {
    char line[256];
    unsigned long start, end;
    bool found = false;
    char *area = fresh(3, READ_WRITE);
    int fd = open("/proc/self/mem", O_RDWR);
    CHECK(fd >= 0);
    CHECK_EQ(pwrite(fd, "hi", 2, (off_t)(uintptr_t)(area + PAGE)), 2);
    CHECK(memcmp(area + PAGE, "hi", 2) == 0);
    area = fresh(3, READ_WRITE);
    CHECK_EQ(pread(fd, line, 8, (off_t)(uintptr_t)(area + 2 * PAGE)), 8);
    CHECK_EQ(line[0], 0);
    area = fresh(3, READ_WRITE);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx rw-p", &start, &end) == 2 && start <= (unsigned long)area &&
            end >= (unsigned long)area + 3 * PAGE)
            found = true;
    fclose(maps);
    CHECK(found);
}

/* ---- on several CPUs ---- */

enum { THREADS = 4, ROUNDS = 40 };
static pthread_barrier_t barrier;
static _Atomic(_Atomic int *) arena;
static int full;

/* All touch the same fresh area at once: by an access, or by a call. */
static void *race(void *argument) {
    long self = (long)argument;
    for (int round = 0; round < ROUNDS; round++) {
        if (self == 0)
            arena = (_Atomic int *)fresh(2, READ_WRITE);
        pthread_barrier_wait(&barrier);
        _Atomic int *area = arena;
        if ((self + round) % 4 == 0)
            CHECK_EQ(pread(full, (char *)area + 64, 64, 0), 64);
        else if ((self + round) % 4 == 1)
            CHECK_EQ(syscall(SYS_futex, area, FUTEX_WAKE | FUTEX_PRIVATE, 1, NULL, NULL, 0), 0);
        atomic_fetch_add(area, 1);
        atomic_fetch_add(area + PAGE / 4, 1);
        char *own = fresh(1, READ_WRITE);
        *own = 1;
        CHECK(munmap(own, PAGE) == 0);
        CHECK(munmap(fresh(3, READ_WRITE), 3 * PAGE) == 0);
        pthread_barrier_wait(&barrier);
        CHECK_EQ(atomic_load(area), THREADS);
        CHECK_EQ(atomic_load(area + PAGE / 4), THREADS);
        CHECK_EQ(((char *)area)[64], 'f');
        pthread_barrier_wait(&barrier);
        if (self == 0)
            CHECK(munmap((void *)area, 2 * PAGE) == 0);
    }
    return NULL;
}

TEST(threads_touch_at_once) {
    pthread_t threads[THREADS];
    char text[64];
    memset(text, 'f', sizeof text);
    full = temporary(0);
    CHECK_EQ(write(full, text, sizeof text), 64);
    CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    for (long i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, race, (void *)i) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static _Atomic bool done;
static void *map_and_touch(void *argument) {
    (void)argument;
    while (!done) {
        char *area = fresh(2, READ_WRITE);
        CHECK_EQ(area[PAGE], 0);
        area[PAGE] = 1;
        CHECK(munmap(area, 2 * PAGE) == 0);
    }
    return NULL;
}

/* The child's copy must be whole whatever another thread is just touching. */
TEST(forks_beside_touches) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, map_and_touch, NULL) == 0);
    for (int i = 0; i < 40; i++) {
        char *area = fresh(2, READ_WRITE), *spare = fresh(1, READ_WRITE);
        pid_t pid = fork();
        if (pid == 0) {
            CHECK_EQ(area[0], 0);
            area[0] = 1;
            CHECK(munmap(area, 2 * PAGE) == 0);
            CHECK(!readable(area));
            spare[0] = 1;
            _exit(0);
        }
        area[0] = 2;
        CHECK_EXITS(pid, 0);
        CHECK_EQ(area[0], 2);
        CHECK(munmap(area, 2 * PAGE) == 0);
        CHECK(munmap(spare, PAGE) == 0);
    }
    done = true;
    CHECK(pthread_join(thread, NULL) == 0);
}

TEST_MAIN()
