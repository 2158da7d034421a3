/* test: libc=musl,glibc */
/* Pipes, FIFOs and descriptors: blocking rules, atomic writes, dup, fcntl, locks. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static void make(int ends[2], int flags) {
    CHECK(pipe2(ends, flags) == 0);
}

TEST(bytes_in_order) {
    int ends[2];
    make(ends, 0);
    CHECK_EQ(write(ends[1], "hello", 5), 5);
    CHECK_EQ(write(ends[1], " world", 6), 6);
    char text[32] = {0};
    CHECK_EQ(read(ends[0], text, 4), 4);
    CHECK_EQ(read(ends[0], text + 4, 28), 7);
    CHECK(check_is(text, "hello world"));
    CHECK_EQ(read(ends[0], text, 0), 0);
    CHECK_EQ(write(ends[1], text, 0), 0);
}

TEST(end_of_file_and_broken) {
    int ends[2];
    char byte;
    make(ends, 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    make(ends, 0);
    close(ends[0]);
    pid_t pid = fork();
    if (pid == 0) {
        (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    CHECK_KILLED(pid, SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
}

TEST(wrong_direction) {
    int ends[2];
    char byte;
    make(ends, 0);
    CHECK_ERRNO(read(ends[1], &byte, 1), EBADF);
    CHECK_ERRNO(write(ends[0], &byte, 1), EBADF);
    CHECK_ERRNO(lseek(ends[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERRNO(pread(ends[0], &byte, 1, 0), ESPIPE);
    CHECK_ERRNO(ftruncate(ends[1], 0), EINVAL);
    CHECK_ERRNO(pipe2(ends, 0x40), EINVAL);
    CHECK_ERRNO(read(999, &byte, 1), EBADF);
    CHECK_ERRNO(read(-1, &byte, 1), EBADF);
}

TEST(capacity_and_nonblocking) {
    int ends[2];
    static char bytes[65536];
    make(ends, O_NONBLOCK);
    CHECK_ERRNO(read(ends[0], bytes, 1), EAGAIN);
    CHECK_EQ(write(ends[1], bytes, sizeof bytes), 65536);
    CHECK_ERRNO(write(ends[1], bytes, 1), EAGAIN);
    int waiting = 0;
    CHECK(ioctl(ends[0], FIONREAD, &waiting) == 0);
    CHECK_EQ(waiting, 65536);
    CHECK_EQ(read(ends[0], bytes, 4096), 4096);
    CHECK_EQ(write(ends[1], bytes, 65536), 4096);
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
    CHECK_ERRNO(write(ends[1], bytes, 4096), EAGAIN); /* atomic: all or nothing */
}

TEST(size_can_change) {
    int ends[2];
    static char bytes[1 << 18];
    make(ends, O_NONBLOCK);
    CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 1 << 17), 1 << 17);
    CHECK_EQ(write(ends[1], bytes, sizeof bytes), 1 << 17);
    CHECK_ERRNO(fcntl(ends[1], F_SETPIPE_SZ, 4096), EBUSY);
    CHECK_EQ(read(ends[0], bytes, sizeof bytes), 1 << 17);
    CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 100), 4096);
}

TEST(atomic_writes_do_not_mix) {
    int ends[2];
    make(ends, 0);
    enum { WRITERS = 4, ROUNDS = 50, RECORD = 4096 };
    for (int writer = 0; writer < WRITERS; writer++)
        if (fork() == 0) {
            char record[RECORD];
            memset(record, 'a' + writer, sizeof record);
            for (int i = 0; i < ROUNDS; i++)
                CHECK_EQ(write(ends[1], record, sizeof record), RECORD);
            _exit(0);
        }
    close(ends[1]);
    char record[RECORD];
    for (int i = 0; i < WRITERS * ROUNDS; i++) {
        for (size_t have = 0; have < RECORD;) {
            ssize_t count = read(ends[0], record + have, RECORD - have);
            CHECK(count > 0);
            have += (size_t)count;
        }
        for (int j = 1; j < RECORD; j++)
            CHECK_EQ(record[j], record[0]);
    }
    CHECK_EQ(read(ends[0], record, 1), 0);
}

TEST(large_transfer) {
    int ends[2];
    make(ends, 0);
    enum { TOTAL = 3000000 };
    pid_t pid = fork();
    if (pid == 0) {
        char *bytes = malloc(TOTAL);
        for (int i = 0; i < TOTAL; i++)
            bytes[i] = (char)(i ^ i >> 9);
        CHECK_EQ(write(ends[1], bytes, TOTAL), TOTAL);
        _exit(0);
    }
    close(ends[1]);
    static char chunk[7001];
    int at = 0;
    ssize_t count;
    while ((count = read(ends[0], chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < count; i++, at++)
            if (chunk[i] != (char)(at ^ at >> 9))
                check_fail("wrong byte at %d", at);
    CHECK_EQ(at, TOTAL);
    CHECK_EXITS(pid, 0);
}

TEST(ping_pong) {
    int there[2], back[2];
    make(there, 0);
    make(back, 0);
    pid_t pid = fork();
    if (pid == 0) {
        int value;
        close(there[1]);
        while (read(there[0], &value, sizeof value) == sizeof value) {
            value++;
            (void)!write(back[1], &value, sizeof value);
        }
        _exit(0);
    }
    for (int i = 0; i < 2000; i++) {
        int value = i;
        CHECK_EQ(write(there[1], &value, sizeof value), (long long)sizeof value);
        CHECK_EQ(read(back[0], &value, sizeof value), (long long)sizeof value);
        CHECK_EQ(value, i + 1);
    }
    close(there[1]);
    CHECK_EXITS(pid, 0);
}

TEST(blocked_reader_sees_last_writer_leave) {
    int ends[2];
    char byte;
    make(ends, 0);
    pid_t pid = fork();
    if (pid == 0) {
        check_sleep_ms(30);
        _exit(0);
    }
    close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 0);
    CHECK_EXITS(pid, 0);
}

TEST(vectors) {
    int ends[2];
    make(ends, 0);
    struct iovec out[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    CHECK_EQ(writev(ends[1], out, 3), 5);
    char a[2], b[8];
    struct iovec in[2] = {{a, 2}, {b, 8}};
    CHECK_EQ(readv(ends[0], in, 2), 5);
    CHECK(memcmp(a, "ab", 2) == 0 && memcmp(b, "cde", 3) == 0);
    CHECK_ERRNO(writev(ends[1], out, -1), EINVAL);
    CHECK_ERRNO(writev(ends[1], out, 1025), EINVAL);
    CHECK_EQ(writev(ends[1], out, 0), 0);
    out[0].iov_len = (size_t)-1;
    CHECK_ERRNO(writev(ends[1], out, 1), EINVAL);
}

TEST(fifo_opens_wait_for_each_other) {
    unlink("/tmp/fifo");
    CHECK(mkfifo("/tmp/fifo", 0600) == 0);
    CHECK_ERRNO(mkfifo("/tmp/fifo", 0600), EEXIST);
    CHECK_ERRNO(open("/tmp/fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = open("/tmp/fifo", O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0);
    char text[8];
    CHECK_EQ(read(reader, text, 1), 0); /* no writer: end of file */
    int writer = open("/tmp/fifo", O_WRONLY | O_NONBLOCK);
    CHECK(writer >= 0);
    CHECK_ERRNO(read(reader, text, 1), EAGAIN);
    close(writer);
    close(reader);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("/tmp/fifo", O_WRONLY);
        CHECK_EQ(write(fd, "through", 7), 7);
        _exit(0);
    }
    check_sleep_ms(20);
    reader = open("/tmp/fifo", O_RDONLY);
    CHECK_EQ(read(reader, text, 8), 7);
    CHECK(memcmp(text, "through", 7) == 0);
    CHECK_EQ(read(reader, text, 8), 0);
    CHECK_EXITS(pid, 0);
    int both = open("/tmp/fifo", O_RDWR);
    CHECK(both >= 0);
    struct stat info;
    CHECK(fstat(both, &info) == 0 && S_ISFIFO(info.st_mode));
    unlink("/tmp/fifo");
}

TEST(duplicates) {
    int fd = open("/tmp/dup", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    int other = dup(fd);
    CHECK_EQ(lseek(other, 3, SEEK_SET), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3); /* one file position */
    CHECK_EQ(dup2(fd, 50), 50);
    CHECK_EQ(dup2(fd, fd), fd);
    CHECK_ERRNO(dup2(49, 49), EBADF);
    CHECK_ERRNO(dup2(fd, -1), EBADF);
    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_dup3, fd, 51, 1), EINVAL);
    CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
    CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_DUPFD, 100), 100);
    CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 100), 101);
    CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
    CHECK_ERRNO(fcntl(fd, 9999), EINVAL);
    CHECK_ERRNO(fcntl(999, F_GETFD), EBADF);
    CHECK(close(other) == 0);
    CHECK_ERRNO(close(other), EBADF);
    unlink("/tmp/dup");
}

TEST(lowest_descriptor) {
    int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY), c = open("/dev/null", O_RDONLY);
    CHECK(b == a + 1 && c == b + 1);
    close(b);
    CHECK_EQ(open("/dev/null", O_RDONLY), b);
    close(a);
    CHECK_EQ(dup(c), a);
}

TEST(descriptor_limit) {
    struct rlimit limit = {16, 16};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int last = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    int problem = errno;
    CHECK_EQ(problem, EMFILE);
    CHECK_EQ(last, 15);
    int ends[2];
    CHECK_ERRNO(pipe(ends), EMFILE);
    CHECK_ERRNO(dup2(0, 16), EBADF);
    CHECK_ERRNO(fcntl(0, F_DUPFD, 16), EINVAL);
}

TEST(status_flags) {
    int fd = open("/tmp/flags", O_RDWR | O_CREAT | O_APPEND, 0600);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR | O_NONBLOCK);
    int ends[2];
    make(ends, O_CLOEXEC);
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_EQ(fcntl(ends[1], F_GETFL) & O_ACCMODE, O_WRONLY);
    unlink("/tmp/flags");
}

TEST(close_a_range) {
    int first = open("/dev/null", O_RDONLY);
    for (int i = 0; i < 5; i++)
        CHECK(dup(first) >= 0);
    CHECK(syscall(SYS_close_range, first + 1, first + 3, 0) == 0);
    CHECK_ERRNO(fcntl(first + 3, F_GETFD), EBADF);
    CHECK_EQ(fcntl(first + 4, F_GETFD), 0);
    CHECK(syscall(SYS_close_range, first, ~0u, 4) == 0); /* CLOSE_RANGE_CLOEXEC */
    CHECK_EQ(fcntl(first, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
}

static struct flock region(short type, off_t start, off_t length) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

TEST(record_locks) {
    int fd = open("/tmp/lock", O_RDWR | O_CREAT, 0600);
    struct flock lock = region(F_WRLCK, 10, 10);
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        struct flock query = region(F_RDLCK, 0, 15);
        CHECK(fcntl(fd, F_GETLK, &query) == 0);
        CHECK_EQ(query.l_type, F_WRLCK);
        CHECK_EQ(query.l_start, 10);
        CHECK_EQ(query.l_len, 10);
        CHECK_EQ(query.l_pid, parent);
        query = region(F_RDLCK, 0, 15);
        CHECK_ERRNO(fcntl(fd, F_SETLK, &query), EAGAIN);
        query = region(F_WRLCK, 20, 5);
        CHECK(fcntl(fd, F_SETLK, &query) == 0);
        query = region(F_WRLCK, 12, 1);
        CHECK(fcntl(fd, F_SETLKW, &query) == 0); /* until the parent unlocks */
        _exit(0);
    }
    CHECK_STATE(pid, 'S'); /* all but the last of its calls return at once */
    lock = region(F_UNLCK, 0, 0);
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
    CHECK_EXITS(pid, 0);
    unlink("/tmp/lock");
}

TEST(file_locks) {
    int a = open("/tmp/flock", O_RDWR | O_CREAT, 0600), b = open("/tmp/flock", O_RDWR);
    CHECK(syscall(SYS_flock, a, 2) == 0);
    CHECK_ERRNO(syscall(SYS_flock, b, 2 | 4), EAGAIN);
    CHECK(syscall(SYS_flock, a, 1) == 0);
    CHECK(syscall(SYS_flock, b, 1 | 4) == 0);
    CHECK(syscall(SYS_flock, a, 8) == 0);
    close(b);
    CHECK(syscall(SYS_flock, a, 2 | 4) == 0);
    CHECK_ERRNO(syscall(SYS_flock, a, 0), EINVAL);
    unlink("/tmp/flock");
}

TEST(socket_pairs) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK_EQ(write(ends[0], "ping", 4), 4);
    char text[8] = {0};
    CHECK_EQ(read(ends[1], text, 8), 4);
    CHECK_EQ(write(ends[1], "pong!", 5), 5);
    CHECK_EQ(read(ends[0], text, 8), 5);
    CHECK(memcmp(text, "pong!", 5) == 0);
    close(ends[1]);
    CHECK_EQ(read(ends[0], text, 8), 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(ends[0], text, 1), EPIPE);
}

TEST(send_a_file) {
    int in = open("/tmp/send", O_RDWR | O_CREAT | O_TRUNC, 0600), ends[2];
    CHECK_EQ(write(in, "0123456789", 10), 10);
    make(ends, 0);
    off_t offset = 2;
    CHECK_EQ(syscall(SYS_sendfile, ends[1], in, &offset, 5), 5);
    CHECK_EQ(offset, 7);
    char text[16] = {0};
    CHECK_EQ(read(ends[0], text, 16), 5);
    CHECK(memcmp(text, "23456", 5) == 0);
    unlink("/tmp/send");
}

TEST_MAIN()
