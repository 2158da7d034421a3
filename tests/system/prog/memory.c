/* test: libc=musl,glibc */
/* Memory: mappings of every kind, protection, the heap, files in memory, limits. */
#include "tests/system/prog/check.h"
#include "tests/system/prog/areas.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

enum { PAGE = 4096 };

static char *map(size_t length, int protection, int flags) {
    char *address = mmap(NULL, length, protection, flags | MAP_ANONYMOUS, -1, 0);
    CHECK(address != MAP_FAILED);
    return address;
}

TEST(anonymous_is_zero) {
    enum { LENGTH = 300 * PAGE };
    char *area = map(LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 0; i < LENGTH; i += 512)
        CHECK_EQ(area[i], 0);
    memset(area, 0xaa, LENGTH);
    CHECK(munmap(area, LENGTH) == 0);
    CHECK(!readable(area));
    area = map(LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (size_t i = 0; i < LENGTH; i += 512)
        CHECK_EQ(area[i], 0);
}

TEST(unmap_in_the_middle) {
    char *area = map(10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(area, 1, 10 * PAGE);
    CHECK(munmap(area + 3 * PAGE, 2 * PAGE) == 0);
    CHECK(readable(area + 3 * PAGE - 1));
    CHECK(!readable(area + 3 * PAGE));
    CHECK(!readable(area + 5 * PAGE - 1));
    CHECK(readable(area + 5 * PAGE));
    CHECK(munmap(area, 10 * PAGE) == 0); /* holes are no error */
    CHECK(munmap(area, 10 * PAGE) == 0);
}

TEST(map_errors) {
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF);
    CHECK((void *)syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 1) == MAP_FAILED &&
          errno == EINVAL);
    CHECK(mmap((void *)1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
          errno == EINVAL);
    CHECK(mmap((void *)(1UL << 62), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
              MAP_FAILED &&
          errno == ENOMEM);
    CHECK((void *)syscall(SYS_mmap, 0, ~0UL, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
          errno == ENOMEM);
    CHECK_ERRNO(syscall(SYS_munmap, 1, PAGE), EINVAL);
    CHECK_ERRNO(syscall(SYS_munmap, PAGE, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_munmap, 0xffff800000000000, PAGE), EINVAL);
    CHECK_ERRNO(mprotect((void *)PAGE, PAGE, PROT_READ), ENOMEM);
    CHECK_ERRNO(syscall(SYS_mprotect, 1, PAGE, PROT_READ), EINVAL);
    CHECK_ERRNO(syscall(SYS_mprotect, 0x10000, PAGE, 0x1000), EINVAL);
    int fd = open("/etc/passwd", O_RDONLY);
    CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
    CHECK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
    int write_only = open("/tmp/wo", O_CREAT | O_WRONLY, 0600);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0) == MAP_FAILED && errno == EACCES);
    unlink("/tmp/wo");
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0) == MAP_FAILED && errno == ENODEV);
}

TEST(fixed_replaces) {
    char *area = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(area, 7, 4 * PAGE);
    CHECK(mmap(area + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          area + PAGE);
    CHECK_EQ(area[PAGE], 0);
    CHECK_EQ(area[0], 7);
    CHECK_EQ(area[2 * PAGE], 7);
    CHECK(mmap(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
              MAP_FAILED &&
          errno == EEXIST);
    munmap(area, 4 * PAGE);
    CHECK(mmap(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == area);
    munmap(area, PAGE);
    CHECK(mmap(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == area); /* a free hint is taken */
}

TEST(protection) {
    char *area = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(area, 3, 3 * PAGE);
    CHECK(mprotect(area + PAGE, PAGE, PROT_READ) == 0);
    touch_kills(area + PAGE, true, SIGSEGV);
    CHECK_EQ(area[PAGE], 3);
    CHECK(mprotect(area + PAGE, PAGE, PROT_NONE) == 0);
    touch_kills(area + PAGE, false, SIGSEGV);
    CHECK(!readable(area + PAGE));
    CHECK(mprotect(area, 3 * PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK_EQ(area[PAGE], 3);
    area[PAGE] = 4;
}

static const unsigned char return_42[] = {0xb8, 42, 0, 0, 0, 0xc3};

TEST(execution) {
    char *area = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memcpy(area, return_42, sizeof return_42);
    pid_t pid = fork();
    if (pid == 0) {
        ((int (*)(void))area)();
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
    CHECK(mprotect(area, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK_EQ(((int (*)(void))area)(), 42);
    touch_kills(area, true, SIGSEGV);
}

TEST(heap) {
    char *start = sbrk(0);
    CHECK(start != (void *)-1);
    uintptr_t end = (uintptr_t)syscall(SYS_brk, 0);
    CHECK_EQ(syscall(SYS_brk, end + 100 * PAGE), (long long)(end + 100 * PAGE));
    memset((char *)end, 5, 100 * PAGE);
    CHECK_EQ(syscall(SYS_brk, end + PAGE), (long long)(end + PAGE));
    CHECK(!readable((char *)end + 50 * PAGE));
    CHECK_EQ(syscall(SYS_brk, end + 2 * PAGE), (long long)(end + 2 * PAGE));
    CHECK_EQ(((char *)end)[PAGE + PAGE / 2], 0);
    CHECK_EQ(syscall(SYS_brk, 1), (long long)(end + 2 * PAGE)); /* refused: the old end */
    CHECK_EQ(syscall(SYS_brk, end), (long long)end);
}

TEST(shared_across_fork) {
    int *shared = (int *)map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
    pid_t pid = fork();
    if (pid == 0) {
        shared[0] = 11;
        shared[1024] = 12; /* first touched by the child */
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(shared[0], 11);
    CHECK_EQ(shared[1024], 12);
}

TEST(file_private_and_shared) {
    int fd = temporary(3 * PAGE);
    CHECK_EQ(pwrite(fd, "file", 4, PAGE), 4);
    char *shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(shared != MAP_FAILED && private != MAP_FAILED);
    CHECK(memcmp(shared + PAGE, "file", 4) == 0);
    CHECK(memcmp(private + PAGE, "file", 4) == 0);
    shared[PAGE] = 'F';
    char bytes[4];
    CHECK_EQ(pread(fd, bytes, 4, PAGE), 4);
    CHECK(memcmp(bytes, "File", 4) == 0);
    /* What an unwritten page of the private mapping shows after a change of the file is left open by POSIX.
     */
    private[PAGE + 1] = 'X';
    CHECK_EQ(shared[PAGE + 1], 'i');
    CHECK_EQ(pwrite(fd, "Q", 1, 10), 1);
    CHECK_EQ(shared[10], 'Q');
    CHECK(msync(shared, 3 * PAGE, MS_SYNC) == 0);
    close(fd);
    CHECK_EQ(shared[10], 'Q');
    char *second = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(second != MAP_FAILED);
}

TEST(file_shared_between_processes) {
    int fd = temporary(PAGE);
    volatile char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t pid = fork();
    if (pid == 0) {
        volatile char *mine = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        mine[100] = 33;
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(page[100], 33);
    char byte;
    CHECK_EQ(pread(fd, &byte, 1, 100), 1);
    CHECK_EQ(byte, 33);
}

TEST(file_offsets_and_end) {
    int fd = temporary(2 * PAGE + 100);
    CHECK_EQ(pwrite(fd, "tail", 4, 2 * PAGE + 96), 4);
    char *area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
    CHECK(area != MAP_FAILED);
    CHECK(memcmp(area + PAGE + 96, "tail", 4) == 0);
    CHECK_EQ(area[PAGE + 100], 0);
    area[PAGE + 200] = 9; /* behind the end, same page: never reaches the file */
    struct stat info;
    fstat(fd, &info);
    CHECK_EQ(info.st_size, 2 * PAGE + 100);
    CHECK(ftruncate(fd, PAGE) == 0);
    touch_kills(area + 10, false, SIGBUS);
    CHECK(ftruncate(fd, 3 * PAGE) == 0);
    CHECK_EQ(area[10], 0);
    CHECK_EQ(area[PAGE + 96], 0);
}

TEST(remap) {
    char *area = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < 4; i++)
        area[i * PAGE] = (char)(i + 1);
    CHECK(mremap(area, 4 * PAGE, 2 * PAGE, 0) == area);
    CHECK(!readable(area + 2 * PAGE));
    char *blocker = mmap(area + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(blocker == area + 2 * PAGE);
    CHECK(mremap(area, 2 * PAGE, 8 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
    char *moved = mremap(area, 2 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
    CHECK(moved != MAP_FAILED && moved != area);
    CHECK_EQ(moved[0], 1);
    CHECK_EQ(moved[PAGE], 2);
    CHECK_EQ(moved[99 * PAGE], 0);
    CHECK(!readable(area));
    char *target = map(2 * PAGE, PROT_READ, MAP_PRIVATE);
    CHECK(mremap(moved, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
    CHECK_EQ(target[PAGE], 2);
    CHECK(mremap((void *)PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
    CHECK(mremap(target + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL);
}

TEST(advice) {
    char *area = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(area, 9, 4 * PAGE);
    CHECK(madvise(area + PAGE, PAGE, MADV_DONTNEED) == 0);
    CHECK_EQ(area[PAGE], 0);
    CHECK_EQ(area[0], 9);
    CHECK(madvise(area, 4 * PAGE, MADV_WILLNEED) == 0);
    CHECK(madvise(area, 4 * PAGE, MADV_NORMAL) == 0);
    CHECK_ERRNO(madvise(area, PAGE, 9999), EINVAL);
    CHECK_ERRNO(madvise(area + 1, PAGE, MADV_DONTNEED), EINVAL);
    int fd = temporary(PAGE);
    CHECK_EQ(pwrite(fd, "disk", 4, 0), 4);
    char *file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    file[0] = 'X';
    CHECK(madvise(file, PAGE, MADV_DONTNEED) == 0);
    CHECK_EQ(file[0], 'd');
}

TEST(copy_on_write_chain) {
    int *area = (int *)map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    for (int i = 0; i < 16; i++)
        area[i * 1024] = i;
    for (int round = 0; round < 5; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            area[round * 1024] += 100;
            pid_t inner = fork();
            if (inner == 0) {
                CHECK_EQ(area[round * 1024], round + 100);
                area[15 * 1024] = -1;
                _exit(0);
            }
            CHECK_EXITS(inner, 0);
            CHECK_EQ(area[15 * 1024], 15);
            _exit(0);
        }
        CHECK_EXITS(pid, 0);
        CHECK_EQ(area[round * 1024], round);
    }
}

TEST(write_into_copied_page_by_the_kernel) {
    char *area = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    area[0] = 'a';
    pid_t pid = fork();
    if (pid == 0) {
        check_sleep_ms(30);
        CHECK_EQ(area[0], 'a');
        _exit(0);
    }
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK_EQ(write(ends[1], "b", 1), 1);
    CHECK_EQ(read(ends[0], area, 1), 1);
    CHECK_EQ(area[0], 'b');
    CHECK_EXITS(pid, 0);
}

TEST(large_and_sparse) {
    size_t length = 1UL << 34; /* 16 GB of addresses, few of memory */
    char *area =
        mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(area != MAP_FAILED);
    for (size_t at = 0; at < length; at += length / 16)
        area[at] = (char)(at >> 30);
    for (size_t at = 0; at < length; at += length / 16)
        CHECK_EQ(area[at], (char)(at >> 30));
    CHECK(munmap(area, length) == 0);
}

TEST(many_mappings) {
    enum { MANY = 400 };
    static char *areas[MANY];
    for (int i = 0; i < MANY; i++) {
        areas[i] = map(2 * PAGE, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ, MAP_PRIVATE);
        if (i & 1)
            areas[i][PAGE] = (char)i;
    }
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 1; i < MANY; i += 2)
            CHECK_EQ(areas[i][PAGE], (char)i);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    for (int i = 0; i < MANY; i += 3)
        CHECK(munmap(areas[i], 2 * PAGE) == 0);
    for (int i = 1; i < MANY; i += 2)
        if (i % 3)
            CHECK_EQ(areas[i][PAGE], (char)i);
}

TEST(resident_pages) {
    unsigned char vector[4];
    char *area = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    area[0] = 1;
    area[3 * PAGE] = 1;
    CHECK(mincore(area, 4 * PAGE, vector) == 0);
    CHECK((vector[0] & 1) && (vector[3] & 1)); /* the kernel may have brought the others along */
    munmap(area, PAGE);
    CHECK_ERRNO(mincore(area, 4 * PAGE, vector), ENOMEM);
}

TEST(address_space_limit) {
    struct rlimit limit = {64 << 20, 64 << 20};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    CHECK(mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
          errno == ENOMEM);
    CHECK(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

TEST(stack_grows) {
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_STACK, &limit) == 0);
    CHECK_EQ(limit.rlim_cur, 8 << 20);
    volatile char deep[6 << 20];
    for (size_t i = sizeof deep; i >= PAGE; i -= PAGE)
        deep[i - 1] = 1;
    CHECK_EQ(deep[sizeof deep - 1], 1);
}

TEST(locking_is_accepted) {
    char *area = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK(mlock(area, 4 * PAGE) == 0);
    CHECK(munlock(area, 4 * PAGE) == 0);
    CHECK(mlockall(MCL_CURRENT) == 0);
    CHECK(munlockall() == 0);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) != MAP_FAILED);
}

TEST(memory_files) {
    int fd = (int)syscall(SYS_memfd_create, "name", 0);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, 2 * PAGE) == 0);
    char *area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    area[PAGE] = 8;
    char byte;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 8);
}

static void *map_memfd(int fd, int protection, int flags) {
    return mmap(NULL, 2 * PAGE, protection, flags, fd, 0);
}

static int sealable(void) {
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
    CHECK(fd >= 0);
    CHECK(ftruncate(fd, 2 * PAGE) == 0);
    return fd;
}

/* A seal against writing is not given while somebody has a way to write, and then nobody gets one. */
TEST(sealed_against_writing) {
    int fd = sealable();
    char *area = map_memfd(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    area[PAGE] = 8;
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), EBUSY);
    CHECK(mprotect(area, 2 * PAGE, PROT_READ) == 0);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY); /* it could be writable again */
    CHECK(munmap(area, PAGE) == 0);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
    CHECK(munmap(area + PAGE, PAGE) == 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE), EPERM);
    CHECK_ERRNO((long)map_memfd(fd, PROT_READ | PROT_WRITE, MAP_SHARED), EPERM);
    area = map_memfd(fd, PROT_READ, MAP_SHARED);
    CHECK_EQ(area[PAGE], 8);
    CHECK_ERRNO(mprotect(area, PAGE, PROT_READ | PROT_WRITE), EACCES);
    char *copy = map_memfd(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    copy[PAGE] = 9;
    CHECK_EQ(area[PAGE], 8);
}

TEST(sealed_against_future_writing) {
    int fd = sealable();
    char *area = map_memfd(fd, PROT_READ | PROT_WRITE, MAP_SHARED);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
    CHECK(mprotect(area, PAGE, PROT_READ) == 0);
    CHECK(mprotect(area, PAGE, PROT_READ | PROT_WRITE) == 0);
    area[0] = 7;
    CHECK_ERRNO(pwrite(fd, "x", 1, 0), EPERM);
    CHECK_ERRNO((long)map_memfd(fd, PROT_READ | PROT_WRITE, MAP_SHARED), EPERM);
    char *later = map_memfd(fd, PROT_READ, MAP_SHARED);
    CHECK_EQ(later[0], 7);
    CHECK_ERRNO(mprotect(later, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK(munmap(area, 2 * PAGE) == 0);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
}

TEST(io_across_many_pages) {
    enum { LENGTH = 40 * PAGE };
    char *area = map(LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    int fd = temporary(0);
    for (size_t i = 0; i < LENGTH; i++)
        area[i] = (char)(i * 7 >> 3);
    CHECK_EQ(write(fd, area + 5, LENGTH - 5), LENGTH - 5);
    char *back = map(LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    CHECK_EQ(pread(fd, back + 5, LENGTH - 5, 0), LENGTH - 5);
    CHECK(memcmp(area + 5, back + 5, LENGTH - 5) == 0);
    struct iovec parts[3] = {{back, 10}, {back + 100, 0}, {back + PAGE - 3, 100}};
    CHECK_EQ(preadv(fd, parts, 3, 1000), 110);
    CHECK(memcmp(back + PAGE - 3, area + 1015, 100) == 0);
}

TEST(partial_transfer_into_bad_memory) {
    char *area = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    munmap(area + PAGE, PAGE);
    int fd = temporary(3 * PAGE);
    CHECK_EQ(pread(fd, area + PAGE - 100, 500, 0), 100);
    CHECK_ERRNO(pread(fd, area + PAGE, 500, 0), EFAULT);
    CHECK_EQ(pwrite(fd, area + PAGE - 100, 500, 0), 100);
}

TEST_MAIN()
