/* test: libc=musl peer=no */
/*
 * System calls through int 0x80 (requirement Y1): numbers and registers are those of SYSCALL, and no register
 * but rax changes. Linux has the numbers of 32-bit programs there.
 */
#include "tests/system/prog/check.h"

#include <sys/syscall.h>

/* rcx and r11, which SYSCALL changes, go in and come out. */
struct result {
    long rax;
    unsigned long rcx, r11;
};

static struct result int80(long number, long a, long b, long c) {
    struct result result = {.rax = number, .rcx = 0x1234567890abcdef, .r11 = 0xfedcba0987654321};
    register unsigned long r10 __asm__("r10") = 0, r11 __asm__("r11") = result.r11;
    __asm__ volatile("int $0x80"
                     : "+a"(result.rax), "+c"(result.rcx), "+r"(r11)
                     : "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "memory", "cc");
    result.r11 = r11;
    return result;
}

static void check_kept(struct result result) {
    CHECK_EQ(result.rcx, 0x1234567890abcdef);
    CHECK_EQ(result.r11, 0xfedcba0987654321);
}

TEST(results) {
    int ends[2];
    char text[8] = "";
    CHECK_EQ(int80(SYS_getpid, 0, 0, 0).rax, getpid());
    CHECK_EQ(int80(SYS_pipe, (long)ends, 0, 0).rax, 0);
    struct result result = int80(SYS_write, ends[1], (long)"bytes", 5);
    CHECK_EQ(result.rax, 5);
    check_kept(result);
    result = int80(SYS_read, ends[0], (long)text, sizeof text);
    CHECK_EQ(result.rax, 5);
    check_kept(result);
    CHECK(!memcmp(text, "bytes", 5));
}

TEST(errors) {
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(int80(SYS_write, ends[1], 0x10, 5).rax, -EFAULT);
    CHECK_EQ(int80(SYS_close, 99, 0, 0).rax, -EBADF);
    struct result result = int80(100000, 1, 2, 3);
    CHECK_EQ(result.rax, -ENOSYS);
    check_kept(result);
}

TEST(children) {
    for (unsigned i = 0; i < 3; i++) {
        struct result result = int80(SYS_fork, 0, 0, 0);
        check_kept(result);
        if (!result.rax)
            int80(SYS_exit_group, (long)(40 + i), 0, 0);
        int status;
        CHECK_EQ(int80(SYS_wait4, result.rax, (long)&status, 0).rax, result.rax);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (int)(40 + i));
    }
}

static volatile sig_atomic_t caught;

static void handler(int signal) {
    (void)signal;
    caught++;
}

/* A call that a signal interrupts is made again, or ends with EINTR. */
static void interrupted(int flags, long expected) {
    int ends[2];
    char byte = 0;
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(pipe(ends), 0);
    caught = 0;
    pid_t child = fork();
    if (!child) {
        pid_t parent = getppid();
        for (unsigned i = 0; i < 5; i++) {
            usleep(20000);
            kill(parent, SIGALRM);
        }
        usleep(20000);
        _exit(write(ends[1], "x", 1) != 1);
    }
    struct result result = int80(SYS_read, ends[0], (long)&byte, 1);
    CHECK_EQ(result.rax, expected);
    check_kept(result);
    CHECK(caught);
    CHECK(expected < 0 || byte == 'x');
    signal(SIGALRM, SIG_IGN);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

TEST(made_again) {
    interrupted(SA_RESTART, 1);
}

TEST(interrupted) {
    interrupted(0, -EINTR);
}

TEST(new_programs) {
    char *arguments[] = {"/bin/true", NULL};
    pid_t child = fork();
    if (!child) {
        int80(SYS_execve, (long)arguments[0], (long)arguments, (long)environ);
        _exit(1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

TEST_MAIN()
