/*
 * A disk's node in memory: what a mapping shows, where what is written to it goes, and that more can be
 * mapped than is in memory at one time. The environment's NODE is a disk whose contents do not matter. At the
 * end every page of it begins with its number: see stamp.
 */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { PAGE = 4096, MB = 1 << 20, READ_WRITE = PROT_READ | PROT_WRITE, BLOCK_SIZE_64 = (int)0x80081272 };

static uint64_t size;

static int node(int flags) {
    int fd = open(getenv("NODE"), flags);
    CHECK(fd >= 0);
    CHECK(ioctl(fd, BLOCK_SIZE_64, &size) == 0 && size >= 8 * MB);
    return fd;
}

static char *map(int fd, uint64_t offset, size_t length, int protection, int flags) {
    char *address = mmap(NULL, length, protection, flags, fd, (off_t)offset);
    CHECK(address != MAP_FAILED);
    return address;
}

/* Bytes of the disk itself, after what was written has reached it. */
static void disk_read(void *to, size_t length, uint64_t offset) {
    static _Alignas(PAGE) char bytes[16 * PAGE];
    int fd = node(O_RDONLY | O_DIRECT);
    CHECK_EQ(pread(fd, bytes, sizeof bytes, (off_t)(offset & -(uint64_t)PAGE)), sizeof bytes);
    memcpy(to, bytes + offset % PAGE, length);
    close(fd);
}

static sigjmp_buf back;
static volatile sig_atomic_t caught, code;

static void on_fault(int signo, siginfo_t *info, void *context) {
    (void)context;
    caught = signo;
    code = info->si_code;
    siglongjmp(back, 1);
}

/* The signal that a read or write of a byte brings, 0: none. */
static int touch(volatile char *at, bool write) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    caught = 0;
    if (!sigsetjmp(back, 1)) {
        char byte = *at;
        if (write)
            *at = byte;
    }
    return caught;
}

static void fill(char *at, size_t length, unsigned seed) {
    for (size_t i = 0; i < length; i++)
        at[i] = (char)(seed + i * 7 + i / 251);
}

static bool filled(const char *at, size_t length, unsigned seed) {
    for (size_t i = 0; i < length; i++)
        if (at[i] != (char)(seed + i * 7 + i / 251))
            return false;
    return true;
}

/* Touches each page. */
static void read_all(const volatile char *at, uint64_t length) {
    for (uint64_t i = 0; i < length; i += PAGE)
        (void)at[i];
}

TEST(shows_what_read_reads) {
    int fd = node(O_RDONLY);
    static char bytes[PAGE];
    char *shared = map(fd, 0, size, PROT_READ, MAP_SHARED),
         *private = map(fd, 0, size, PROT_READ, MAP_PRIVATE);
    for (uint64_t at = 0; at < size; at += 61 * PAGE) {
        CHECK_EQ(pread(fd, bytes, PAGE, (off_t)at), PAGE);
        CHECK(!memcmp(shared + at, bytes, PAGE));
        CHECK(!memcmp(private + at, bytes, PAGE));
    }
    CHECK(munmap(shared, size) == 0 && munmap(private, size) == 0);
}

static unsigned long long sectors_written(void) {
    char line[256], name[64];
    unsigned long long sectors, found = 0;
    FILE *file = fopen("/proc/diskstats", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%*u %*u %63s %*u %*u %*u %*u %*u %*u %llu", name, &sectors) == 2 &&
            check_is(name, strrchr(getenv("NODE"), '/') + 1))
            found = sectors;
    fclose(file);
    return found;
}

TEST(writes_reach_the_disk) {
    int fd = node(O_RDWR);
    char *area = map(fd, 2 * MB, MB, READ_WRITE, MAP_SHARED);
    static char bytes[16 * PAGE];
    unsigned long long before = sectors_written();
    fill(area + 5, 3 * PAGE, 1);
    CHECK(msync(area, 4 * PAGE, MS_SYNC) == 0);
    CHECK(sectors_written() >= before + 4 * PAGE / 512);
    disk_read(bytes, 3 * PAGE, 2 * MB + 5);
    CHECK(filled(bytes, 3 * PAGE, 1));
    fill(area + 5, 3 * PAGE, 2); /* the pages were written before: this must be noticed again */
    CHECK(fsync(fd) == 0);
    disk_read(bytes, 3 * PAGE, 2 * MB + 5);
    CHECK(filled(bytes, 3 * PAGE, 2));
    fill(area + 5, 3 * PAGE, 3);
    CHECK(msync(area, MB, MS_ASYNC) == 0);
    CHECK(munmap(area, MB) == 0);
    disk_read(bytes, 3 * PAGE, 2 * MB + 5);
    CHECK(filled(bytes, 3 * PAGE, 3));
    CHECK_ERRNO(msync((void *)((uintptr_t)area & -PAGE), PAGE, MS_SYNC), ENOMEM);
}

/* After a second; on Linux after half a minute. */
TEST(writes_reach_the_disk_by_themselves) {
    int fd = node(O_RDWR);
    char *area = map(fd, 2 * MB, MB, READ_WRITE, MAP_SHARED);
    CHECK(fsync(fd) == 0);
    for (unsigned i = 0; i < 2; i++) {
        unsigned long long before = sectors_written();
        area[i * PAGE / 2]++; /* the second time the page was written before */
        while (sectors_written() == before)
            check_sleep_ms(100);
    }
}

TEST(agrees_with_read_and_write) {
    int fd = node(O_RDWR);
    char *area = map(fd, MB, MB, READ_WRITE, MAP_SHARED);
    static char bytes[3 * PAGE];
    for (unsigned round = 0; round < 20; round++) {
        uint64_t at = (round * 37 + 11) * 997 % (MB - sizeof bytes);
        fill(bytes, sizeof bytes, round);
        CHECK_EQ(pwrite(fd, bytes, sizeof bytes, (off_t)(MB + at)), sizeof bytes);
        CHECK(filled(area + at, sizeof bytes, round));
        fill(area + at, sizeof bytes, round + 100);
        CHECK_EQ(pread(fd, bytes, sizeof bytes, (off_t)(MB + at)), sizeof bytes);
        CHECK(filled(bytes, sizeof bytes, round + 100));
        if (round % 5 == 0)
            CHECK(fdatasync(fd) == 0);
    }
}

TEST(private_pages_are_copied) {
    int fd = node(O_RDWR);
    char *private = map(fd, 3 * MB, MB, READ_WRITE, MAP_PRIVATE);
    char *shared = map(fd, 3 * MB, MB, READ_WRITE, MAP_SHARED);
    static char bytes[PAGE];
    fill(shared, MB, 1);
    CHECK(filled(private, MB, 1));
    for (unsigned i = 0; i < MB / PAGE; i += 2)
        memset(private + i * PAGE + 100, 'x', 10);
    CHECK(filled(shared, MB, 1));
    CHECK_EQ(pread(fd, bytes, PAGE, 3 * MB), PAGE);
    CHECK(filled(bytes, PAGE, 1));
    char *all = map(fd, 0, size, PROT_READ, MAP_SHARED);
    read_all(all, size); /* what was not copied leaves memory */
    for (unsigned i = 0; i < MB / PAGE; i++) {
        CHECK_EQ(private[i * PAGE + 109], i % 2 ? shared[i * PAGE + 109] : 'x');
        CHECK_EQ(private[i * PAGE + 110], shared[i * PAGE + 110]);
    }
    CHECK(mprotect(private, MB, PROT_READ) == 0);
    CHECK_EQ(touch(private, true), SIGSEGV);
    CHECK_EQ(touch(private + PAGE, true), SIGSEGV);
    CHECK_EQ(private[105], 'x');
    CHECK(mprotect(private, MB, READ_WRITE) == 0);
    CHECK_EQ(private[105], 'x');
    private[PAGE] = 'y';
    CHECK(shared[PAGE] != 'y' || shared[PAGE + 1] != private[PAGE + 2]);
    CHECK(madvise(private, 4 * PAGE, MADV_DONTNEED) == 0);
    CHECK_EQ(private[105], shared[105]);
    CHECK_EQ(private[8 * PAGE + 105], 'x');
    private = mremap(private, MB, 2 * MB, MREMAP_MAYMOVE);
    CHECK(private != MAP_FAILED);
    CHECK_EQ(private[8 * PAGE + 105], 'x');
    CHECK(!memcmp(private + 9 * PAGE, shared + 9 * PAGE, PAGE));
    CHECK(mprotect(private, PAGE, PROT_NONE) == 0);
    CHECK_EQ(touch(private, false), SIGSEGV);
}

TEST(read_only_then_private) {
    int fd = node(O_RDONLY);
    char *area = map(fd, 0, 16 * PAGE, PROT_READ, MAP_PRIVATE);
    char first = area[0], other = area[PAGE];
    CHECK_EQ(touch(area, true), SIGSEGV);
    CHECK(mprotect(area, 16 * PAGE, READ_WRITE) == 0);
    area[0] = (char)(first + 1);
    CHECK_EQ(area[0], (char)(first + 1));
    CHECK_EQ(area[PAGE], other);
    char byte;
    CHECK_EQ(pread(fd, &byte, 1, 0), 1);
    CHECK_EQ(byte, first);
}

TEST(ends_where_the_disk_ends) {
    int fd = node(O_RDWR);
    char *area = map(fd, size - PAGE, 4 * PAGE, READ_WRITE, MAP_SHARED);
    CHECK_EQ(touch(area + PAGE - 1, true), 0);
    CHECK_EQ(touch(area + PAGE, false), SIGBUS);
    CHECK_EQ(code, BUS_ADRERR);
    CHECK_EQ(touch(area + 3 * PAGE, true), SIGBUS);
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    CHECK_ERRNO(write(pipes[1], area + PAGE, 1), EFAULT);
}

TEST(refuses_what_the_descriptor_does_not_allow) {
    int reader = node(O_RDONLY), writer = node(O_WRONLY), both = node(O_RDWR);
    CHECK(mmap(NULL, PAGE, READ_WRITE, MAP_SHARED, reader, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, writer, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, both, 1) == MAP_FAILED && errno == EINVAL);
    char *area = map(reader, 0, PAGE, PROT_READ, MAP_SHARED);
    CHECK_ERRNO(mprotect(area, PAGE, READ_WRITE), EACCES);
    CHECK_EQ(touch(area, false), 0);
    CHECK_EQ(touch(area, true), SIGSEGV);
    CHECK_EQ(code, SEGV_ACCERR);
    CHECK(mprotect(area, PAGE, PROT_NONE) == 0);
    CHECK_EQ(touch(area, false), SIGSEGV);
    CHECK_EQ(code, SEGV_ACCERR);
    area = map(both, 0, PAGE, PROT_READ, MAP_SHARED);
    CHECK_EQ(touch(area, false), 0);
    CHECK(mprotect(area, PAGE, READ_WRITE) == 0);
    CHECK_EQ(touch(area, true), 0);
    CHECK(mprotect(area, PAGE, PROT_READ) == 0);
    CHECK_EQ(touch(area, true), SIGSEGV);
}

TEST(lives_on_without_the_descriptor) {
    int fd = node(O_RDWR);
    char *area = map(fd, 0, MB, READ_WRITE, MAP_SHARED);
    close(fd);
    fill(area, MB, 9);
    CHECK(msync(area, MB, MS_SYNC) == 0);
    static char bytes[PAGE];
    disk_read(bytes, PAGE, 0);
    CHECK(filled(bytes, PAGE, 9));
}

TEST(fork_shares_and_copies) {
    int fd = node(O_RDWR);
    char *shared = map(fd, 4 * MB, MB, READ_WRITE, MAP_SHARED);
    char *private = map(fd, 4 * MB, MB, READ_WRITE, MAP_PRIVATE);
    fill(shared, MB, 4);
    private[0] = 'p';
    private[PAGE] = 'p';
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(private[0], 'p');
        private[0] = 'c';
        private[2 * PAGE] = 'c';
        shared[3 * PAGE] = 's';
        _exit(0);
    }
    CHECK_EXITS(child, 0);
    CHECK_EQ(private[0], 'p');
    CHECK_EQ(private[PAGE], 'p');
    CHECK_EQ(private[2 * PAGE], shared[2 * PAGE]);
    CHECK_EQ(shared[3 * PAGE], 's');
    shared[3 * PAGE] = 't'; /* still noticed after the fork */
    CHECK(msync(shared, MB, MS_SYNC) == 0);
    char byte;
    disk_read(&byte, 1, 4 * MB + 3 * PAGE);
    CHECK_EQ(byte, 't');
}

TEST(parts_move_and_go) {
    int fd = node(O_RDWR);
    char *area = map(fd, 5 * MB, 64 * PAGE, READ_WRITE, MAP_SHARED);
    for (unsigned i = 0; i < 64; i++)
        area[i * PAGE] = (char)i;
    CHECK(munmap(area + 10 * PAGE, 3 * PAGE) == 0);
    CHECK_EQ(touch(area + 10 * PAGE, false), SIGSEGV);
    CHECK_EQ(area[9 * PAGE], 9);
    CHECK_EQ(area[13 * PAGE], 13);
    CHECK(mprotect(area + 20 * PAGE, PAGE, PROT_READ) == 0);
    CHECK_EQ(touch(area + 20 * PAGE, true), SIGSEGV);
    CHECK_EQ(touch(area + 21 * PAGE, true), 0);
    char *moved = mremap(area + 30 * PAGE, 4 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved != area + 30 * PAGE);
    for (unsigned i = 0; i < 34; i++)
        CHECK_EQ(moved[i * PAGE], (char)(30 + i));
    CHECK_EQ(touch(area + 30 * PAGE, false), SIGSEGV);
    CHECK(mremap(moved, 40 * PAGE, 2 * PAGE, 0) == moved);
    CHECK_EQ(touch(moved + 2 * PAGE, false), SIGSEGV);
    char *again = mremap(area, 0, 8 * PAGE, MREMAP_MAYMOVE);
    CHECK(again != MAP_FAILED);
    again[0] = 'a';
    CHECK_EQ(area[0], 'a');
    char *zero = mmap(area, PAGE, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(zero == area && !zero[0] && again[0] == 'a');
    CHECK(mmap(zero, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 5 * MB) == zero);
    CHECK_EQ(zero[0], 'a');
    CHECK(madvise(again, 8 * PAGE, MADV_DONTNEED) == 0);
    CHECK_EQ(again[0], 'a');
    unsigned char present[8] = {0};
    CHECK(mincore(again, 8 * PAGE, present) == 0);
    CHECK_EQ(present[0], 1);
    CHECK(mlock(again, PAGE) == 0 && munlock(again, PAGE) == 0);
}

/* As what calls read from and write to. */
TEST(calls_move_bytes_of_it) {
    int fd = node(O_RDWR), file = open("/tmp/disk_map", O_RDWR | O_CREAT | O_TRUNC, 0600), pipes[2];
    static char bytes[PAGE];
    enum { LENGTH = 6 * MB };
    char *area = map(fd, 0, size, READ_WRITE, MAP_SHARED);
    CHECK(file >= 0 && pipe(pipes) == 0);
    CHECK_EQ(write(file, area + 1, LENGTH), LENGTH); /* more than is in memory at a time */
    for (uint64_t at = 0; at < LENGTH; at += 17 * PAGE) {
        CHECK_EQ(pread(file, bytes, PAGE, (off_t)at), PAGE);
        CHECK(!memcmp(bytes, area + 1 + at, PAGE));
    }
    fill(bytes, PAGE, 77);
    CHECK_EQ(pwrite(file, bytes, PAGE, 3 * MB), PAGE);
    CHECK_EQ(pread(file, area + 7, LENGTH, 0), LENGTH);
    CHECK(filled(area + 7 + 3 * MB, PAGE, 77));
    /* From the disk to the disk, where neither is in memory, and by parts. */
    CHECK_EQ(pwrite(fd, area + 7 + 3 * MB, PAGE, (off_t)(size - 3 * PAGE)), PAGE);
    CHECK(filled(area + size - 3 * PAGE, PAGE, 77));
    CHECK_EQ(pread(fd, area + 2 * MB, MB, (off_t)(7 + 3 * MB)), MB);
    CHECK(filled(area + 2 * MB, PAGE, 77));
    struct iovec parts[2] = {{area + 4 * MB, 100}, {area + 5 * MB, PAGE - 100}};
    CHECK_EQ(preadv(fd, parts, 2, (off_t)(size - 3 * PAGE)), PAGE);
    CHECK(filled(area + 4 * MB, 100, 77));
    CHECK(!memcmp(area + 5 * MB, bytes + 100, PAGE - 100));
    for (uint64_t at = 0; at < size; at += MB) {
        CHECK_EQ(write(pipes[1], area + at, PAGE), PAGE);
        CHECK_EQ(read(pipes[0], area + (at + size / 2) % size, PAGE), PAGE);
        CHECK(!memcmp(area + at, area + (at + size / 2) % size, PAGE));
    }
    strcpy(area + PAGE - 4, "/tmp/disk_map"); /* a path across two pages */
    read_all(area + size / 2, size / 2);      /* takes its place in memory */
    CHECK(stat(area + PAGE - 4, (struct stat *)(area + 6 * MB)) == 0);
    CHECK_EQ(((struct stat *)(area + 6 * MB))->st_size, LENGTH);
    CHECK_ERRNO(pwrite(fd, (char *)8, PAGE, 0), EFAULT);
    CHECK(unlink("/tmp/disk_map") == 0);
}

/* ---- many pages ---- */

static void stamp(char *page, uint64_t number, uint64_t version) {
    uint64_t *words = (uint64_t *)page;
    words[0] = number;
    words[1] = version;
    words[511] = (number << 20 ^ version) * 0x9e3779b97f4a7c15ULL;
}

static bool stamped(const char *page, uint64_t number, uint64_t version) {
    const uint64_t *words = (const uint64_t *)page;
    return words[0] == number && words[1] == version &&
           words[511] == (number << 20 ^ version) * 0x9e3779b97f4a7c15ULL;
}

enum { THREADS = 4, ROUNDS = 300 };
static char *all;
static int all_fd;
static atomic_uint wrong;

/* Each thread has every fourth page. */
static void *work(void *argument) {
    unsigned mine = (unsigned)(uintptr_t)argument, seed = mine * 7919 + 1;
    uint64_t pages = size / PAGE / THREADS;
    uint16_t *versions = calloc(pages, sizeof *versions);
    static _Thread_local char bytes[PAGE];
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t index = (uint64_t)rand_r(&seed) % pages, number = index * THREADS + mine;
        char *page = all + number * PAGE;
        if (versions[index] && !stamped(page, number, versions[index]))
            wrong++;
        switch (rand_r(&seed) % 4) {
        case 0:
            stamp(bytes, number, ++versions[index]);
            if (pwrite(all_fd, bytes, PAGE, (off_t)(number * PAGE)) != PAGE)
                wrong++;
            break;
        case 1:
            if (pread(all_fd, bytes, PAGE, (off_t)(number * PAGE)) != PAGE ||
                (versions[index] && !stamped(bytes, number, versions[index])))
                wrong++;
            break;
        default:
            stamp(page, number, ++versions[index]);
        }
        if (i % 100 == mine && msync(page, PAGE, MS_SYNC))
            wrong++;
    }
    for (uint64_t index = 0; index < pages; index++)
        if (versions[index] &&
            !stamped(all + (index * THREADS + mine) * PAGE, index * THREADS + mine, versions[index]))
            wrong++;
    free(versions);
    return NULL;
}

TEST(threads_lose_nothing) {
    pthread_t threads[THREADS];
    all_fd = node(O_RDWR);
    all = map(all_fd, 0, size, READ_WRITE, MAP_SHARED);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(wrong, 0);
}

/* Without msync: the caller looks into the disk. */
TEST(all_of_it_is_written) {
    int fd = node(O_RDWR);
    char *area = map(fd, 0, size, READ_WRITE, MAP_SHARED);
    for (uint64_t number = 0; number < size / PAGE; number++)
        stamp(area + number * PAGE, number, 1);
    for (uint64_t number = 0; number < size / PAGE; number++)
        CHECK(stamped(area + number * PAGE, number, 1));
}

/* ---- a disk that goes ---- */

/* Counts in the first page until that is refused, because somebody takes the disk: what was counted is on it.
 */
static int count_until_refused(void) {
    int fd = node(O_RDWR);
    char *area = map(fd, 0, size, READ_WRITE, MAP_SHARED), *private = map(fd, 0, MB, READ_WRITE, MAP_PRIVATE);
    static volatile uint64_t counted;
    volatile uint64_t *count = (uint64_t *)area;
    private[MB - 1] = 'p';
    CHECK_EQ(touch(area, true), 0); /* and its handlers are there */
    while (counted < 2000)
        *count = ++counted;
    printf("counting\n");
    fflush(stdout);
    while (!caught)
        if (!sigsetjmp(back, 1))
            for (;;)
                *count = ++counted;
    counted--;
    printf("counted %llu, signal %d\n", (unsigned long long)counted, (int)caught);
    fflush(stdout);
    struct stat status;
    while (stat(getenv("NODE"), &status) == 0)
        check_sleep_ms(1);
    check_name = "goes";
    CHECK_EQ(touch(area, false), SIGBUS);
    CHECK_EQ(touch(area + 3 * MB, false), SIGBUS);
    CHECK_EQ(touch(private, true), SIGBUS);
    CHECK_EQ(private[MB - 1], 'p'); /* a copy stays */
    CHECK_ERRNO(msync(area, size, MS_SYNC), EIO);
    CHECK(munmap(area, size) == 0);
    printf("ok goes\n");
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && check_is(argv[1], "goes"))
        return count_until_refused();
    return check_main(argc > 1 ? argv[1] : NULL);
}
