/* test: libc=musl,glibc peer=no */
/* Security contexts of tasks: /proc/PID/attr, what fork and execve make of them, and SO_PEERSEC. Debian's
 * Linux runs without SELinux, whose files these are, so it cannot be asked. */
#include "tests/system/prog/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define KERNEL "system_u:system_r:kernel_t:s0"
#define OTHER  "staff_u:staff_r:staff_t:s0-s15:c0.c1023"
#define LEVEL  "system_u:system_r:kernel_t:s3:c7" /* KERNEL's type */

struct capability_header { /* musl does not have Linux's headers */
    uint32_t version;
    int pid;
};
struct capability_data {
    uint32_t effective, permitted, inheritable;
};
#define CAPABILITY_VERSION 0x20080522
#define CAPABILITIES       ((1ULL << 41) - 1)
#define MAC_ADMIN          (1ULL << 33)

/* ---- the files ---- */

/* What a file holds, without the 0 at its end, which must be there; "" when it is empty. */
static const char *attribute(const char *path) {
    static char text[8192];
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        check_fail("%s: errno %d", path, errno);
    ssize_t length = read(fd, text, sizeof text);
    if (length < 0 || (length > 0 && (text[length - 1] || strlen(text) != (size_t)length - 1)))
        check_fail("%s: %zd bytes, errno %d", path, length, errno);
    CHECK_EQ(read(fd, text + length, 1), 0);
    close(fd);
    text[length] = 0;
    return text;
}

/* Writes bytes: 0, or the errno. */
static int change_bytes(const char *path, const char *bytes, size_t length) {
    int fd = open(path, O_WRONLY);
    if (fd < 0)
        check_fail("%s: errno %d", path, errno);
    ssize_t written = write(fd, bytes, length);
    int error = written < 0 ? errno : 0;
    if (!error && (size_t)written != length)
        check_fail("%s: %zd bytes of %zu written", path, written, length);
    close(fd);
    return error;
}

static int change(const char *path, const char *text) {
    return change_bytes(path, text, strlen(text));
}

static void is_line(const char *path, const char *expected, int line) {
    const char *text = attribute(path);
    if (!check_is(text, expected))
        check_fail("line %d: %s is \"%s\", not \"%s\"", line, path, text, expected);
}
#define IS(path, expected) is_line(path, expected, __LINE__)

#define CURRENT  "/proc/self/attr/current"
#define PREVIOUS "/proc/self/attr/prev"
#define EXEC     "/proc/self/attr/exec"
#define SOCKET   "/proc/self/attr/sockcreate"
#define OWN      "/proc/thread-self/attr/"

TEST(at_first) {
    IS("/proc/1/attr/current", KERNEL);
    IS(CURRENT, KERNEL);
    IS(PREVIOUS, KERNEL);
    IS(EXEC, "");
    IS(SOCKET, "");
    IS(OWN "current", KERNEL);
}

TEST(which_files) {
    static const char *const expected[] = {"current", "exec", "prev", "sockcreate"};
    struct dirent **entries;
    struct stat status;
    CHECK_EQ(scandir("/proc/self/attr", &entries, NULL, alphasort), 2 + 4);
    for (int i = 0; i < 4; i++)
        CHECK(check_is(entries[2 + i]->d_name, expected[i]));
    CHECK(stat("/proc/self/attr", &status) == 0 && status.st_mode == (S_IFDIR | 0555));
    CHECK(stat(CURRENT, &status) == 0 && status.st_mode == (S_IFREG | 0666));
    CHECK(stat(PREVIOUS, &status) == 0 && status.st_mode == (S_IFREG | 0444));
    CHECK_ERRNO(open("/proc/self/attr/fscreate", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/self/attr/keycreate", O_WRONLY), ENOENT);
}

TEST(reading_in_parts) {
    char text[8] = "";
    int fd = open(CURRENT, O_RDONLY);
    CHECK_EQ(read(fd, text, 6), 6);
    CHECK_EQ(read(fd, text, 3), 3);
    CHECK(memcmp(text, "_u:", 3) == 0);
    CHECK_EQ(pread(fd, text, 8, sizeof KERNEL - 2), 2);
    CHECK(memcmp(text, "0", 2) == 0);
    CHECK_EQ(pread(fd, text, 8, 5000), 0);
    CHECK_ERRNO(pread(fd, (char *)8, 8, 0), EFAULT);
}

/* ---- writing ---- */

TEST(what_is_taken) {
    CHECK_EQ(change(CURRENT, OTHER), 0);
    IS(CURRENT, OTHER);
    CHECK_EQ(change(CURRENT, KERNEL "\n"), 0);
    IS(CURRENT, KERNEL);
    CHECK_EQ(change_bytes(CURRENT, OTHER, sizeof OTHER), 0);
    IS(CURRENT, OTHER);
    CHECK_EQ(change_bytes(CURRENT, KERNEL "\0\n", sizeof KERNEL + 1), 0);
    IS(CURRENT, KERNEL);
    CHECK_EQ(change(CURRENT, "a:b:c:s0:c3,c1,c2,c9.c10-s15:c10.c900,c0.c10"), 0);
    IS(CURRENT, "a:b:c:s0:c1.c3,c9,c10-s15:c0.c900");
    CHECK_EQ(change(CURRENT, "a:b:c:s4-s4"), 0);
    IS(CURRENT, "a:b:c:s4");
    IS(PREVIOUS, KERNEL); /* that is execve's */
}

TEST(what_is_refused) {
    static const char *const wrong[] = {
        "a",
        "a:b:c",
        "a:b:c:",
        "a:b:c:s",
        "a:b:c:s16",
        "a:b:c:s00",
        "a:b::s0",
        "a:b:c:s0:",
        "a:b:c:s0:c1024",
        "a:b:c:s0 ",
        "a:b:c:s0:c5.c4",
        "a:b:c:s1-s0",
        "a:b:c:d:s0",
        "a:b:c:s0:c1,",
        "a:b:c:s0:c1-s5",
        "1:b:c:s0",
        "a b:b:c:s0",
        "a:b:c:s0\n\n",
        "\na:b:c:s0",
        "a:b:c:s0-",
        "a:b:c:s0-s1-s2",
        "a:b:c:s0:c1.c2.c3",
        "a:b:c:s0:c1..c2",
        "a:b:c:s4294967296",
    };
    static char large[5000];
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (change(CURRENT, wrong[i]) != EINVAL || change(EXEC, wrong[i]) != EINVAL)
            check_fail("\"%s\" was taken", wrong[i]);
    CHECK_EQ(change_bytes(CURRENT, "a:b:c:s0\0x", 10), EINVAL);
    CHECK_EQ(change_bytes(CURRENT, "a:b:c:s0\n", 10), EINVAL); /* the newline comes last */
    memset(large, 'a', sizeof large);
    memcpy(large + 4094 - 7, ":b:c:s0", 7);
    CHECK_EQ(change_bytes(CURRENT, large, 4095), EINVAL);
    CHECK_EQ(change_bytes(CURRENT, large, sizeof large), EINVAL);
    IS(CURRENT, KERNEL);
    CHECK_EQ(change_bytes(CURRENT, large, 4094), 0); /* the longest */
    CHECK_EQ(strlen(attribute(CURRENT)), 4094);
    int fd = open(CURRENT, O_WRONLY);
    CHECK_ERRNO(write(fd, (char *)8, 20), EFAULT);
}

TEST(nothing_clears) {
    static const char *const nothing[] = {"", "\n"};
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(change(EXEC, OTHER), 0);
        CHECK_EQ(change(SOCKET, LEVEL), 0);
        IS(EXEC, OTHER);
        IS(SOCKET, LEVEL);
        CHECK_EQ(change(EXEC, nothing[i]), 0);
        CHECK_EQ(change_bytes(SOCKET, "", i), 0);
        IS(EXEC, "");
        IS(SOCKET, "");
        CHECK_EQ(change(CURRENT, nothing[i]), EINVAL);
    }
    CHECK_EQ(change(PREVIOUS, OTHER), EINVAL);
    CHECK_EQ(change(PREVIOUS, ""), EINVAL);
}

TEST(one_write_is_one_context) {
    int fd = open(EXEC, O_RDWR);
    CHECK_EQ(write(fd, OTHER, sizeof OTHER), sizeof OTHER);
    CHECK_EQ(write(fd, LEVEL, sizeof LEVEL), sizeof LEVEL);
    IS(EXEC, LEVEL);
    CHECK_ERRNO(pwrite(fd, OTHER, sizeof OTHER, 1), EINVAL);
    CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
    CHECK_ERRNO(write(fd, OTHER, sizeof OTHER), EINVAL);
    IS(EXEC, LEVEL);
}

/* ---- who may ---- */

static void capabilities_keep(uint64_t set) {
    struct capability_header header = {CAPABILITY_VERSION, 0};
    struct capability_data data[2] = {{(uint32_t)set, (uint32_t)set, 0},
                                      {(uint32_t)(set >> 32), (uint32_t)(set >> 32), 0}};
    CHECK_EQ(syscall(SYS_capset, &header, data), 0);
}

TEST(the_capability_counts) {
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0 && setresuid(1000, 1000, 1000) == 0);
        CHECK_EQ(change(CURRENT, OTHER), EPERM); /* permitted alone is not enough */
        capabilities_keep(MAC_ADMIN);
        CHECK_EQ(change(CURRENT, OTHER), 0);
        capabilities_keep(0);
        CHECK_EQ(change(CURRENT, KERNEL), EPERM);
        CHECK_EQ(change(CURRENT, "nonsense"), EPERM);
        CHECK_EQ(change(EXEC, ""), EPERM);
        IS("/proc/1/attr/current", KERNEL); /* everybody may look */
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    capabilities_keep(CAPABILITIES & ~MAC_ADMIN);
    CHECK_EQ(change(CURRENT, OTHER), EPERM); /* to root as well */
    CHECK_EQ(change(SOCKET, OTHER), EPERM);
    IS(CURRENT, KERNEL);
}

TEST(nobody_else) {
    char path[64];
    int fd = open(CURRENT, O_WRONLY), parent = getpid();
    snprintf(path, sizeof path, "/proc/%d/attr/current", parent);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(change(path, OTHER), EACCES);
        CHECK_ERRNO(write(fd, OTHER, sizeof OTHER), EPERM); /* it was opened by another program */
        int own = open(CURRENT, O_WRONLY);
        dup2(own, 9);
        execl("/proc/self/exe", "security", "child", "write", (char *)NULL);
        _exit(9);
    }
    CHECK_EXITS(pid, EPERM);
    IS(CURRENT, KERNEL);
    CHECK_EQ(change("/proc/1/attr/exec", OTHER), EACCES);
    CHECK_EQ(write(fd, OTHER, sizeof OTHER), sizeof OTHER);
    IS(CURRENT, OTHER);
}

TEST(the_end) {
    char path[64], text[64];
    pid_t pid = fork();
    if (pid == 0)
        _exit(change(CURRENT, OTHER));
    siginfo_t info;
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    snprintf(path, sizeof path, "/proc/%d/attr/current", pid);
    IS(path, OTHER); /* a zombie has it still */
    int fd = open(path, O_RDWR);
    CHECK_ERRNO(write(fd, KERNEL, sizeof KERNEL), EACCES);
    CHECK_EXITS(pid, 0);
    CHECK_ERRNO(read(fd, text, sizeof text), ESRCH);
    CHECK_ERRNO(write(fd, KERNEL, sizeof KERNEL), ESRCH);
    CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

/* ---- fork and threads ---- */

TEST(children_inherit) {
    CHECK(change(EXEC, LEVEL) == 0 && change(SOCKET, OTHER) == 0 && change(CURRENT, OTHER) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        IS(CURRENT, OTHER);
        IS(PREVIOUS, KERNEL);
        IS(EXEC, LEVEL);
        IS(SOCKET, OTHER);
        CHECK(change(CURRENT, KERNEL) == 0 && change(EXEC, "") == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    IS(CURRENT, OTHER);
    IS(EXEC, LEVEL);
}

static int in_shared_memory(void *nothing) {
    (void)nothing;
    return change(CURRENT, LEVEL) != 0 ? 1 : change(CURRENT, OTHER) == EPERM ? 0 : 2;
}

TEST(shared_memory_has_one_type) {
    static char stack[65536] __attribute__((aligned(16)));
    pid_t pid = clone(in_shared_memory, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
    CHECK_EXITS(pid, 0);
    IS(CURRENT, KERNEL);
    CHECK_EQ(change(CURRENT, OTHER), 0); /* alone again */
}

static pthread_barrier_t barrier;

static void *thread_changes(void *argument) {
    char path[64];
    IS(OWN "current", KERNEL);
    CHECK_EQ(change(OWN "current", OTHER), EPERM);
    CHECK_EQ(change(OWN "current", LEVEL), 0); /* user, role and level may change, as with SELinux */
    CHECK_EQ(change(OWN "exec", OTHER), 0);
    CHECK_EQ(change(CURRENT, LEVEL), EACCES); /* /proc/self is the first thread */
    IS(OWN "current", LEVEL);
    IS(CURRENT, KERNEL);
    snprintf(path, sizeof path, "/proc/%d/attr/current", (int)syscall(SYS_gettid));
    IS(path, LEVEL);
    snprintf(path, sizeof path, "/proc/self/task/%d/attr/exec", (int)syscall(SYS_gettid));
    IS(path, OTHER);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return argument;
}

TEST(threads_have_their_own) {
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    CHECK(pthread_create(&thread, NULL, thread_changes, NULL) == 0);
    pthread_barrier_wait(&barrier);
    CHECK_EQ(change(CURRENT, OTHER), EPERM);
    IS(CURRENT, KERNEL);
    IS(EXEC, "");
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    for (int tries = 0; change(CURRENT, OTHER) == EPERM && tries < 1000; tries++)
        check_sleep_ms(1); /* joined is a moment before gone */
    IS(CURRENT, OTHER);
}

static void *thread_looks_at_the_first(void *argument) {
    char path[64];
    for (int tries = 0; tries < 5000 && syscall(SYS_tgkill, getpid(), getpid(), 0) == 0; tries++)
        check_sleep_ms(1);
    IS(CURRENT, LEVEL); /* the first thread has ended, and is looked at still */
    IS(OWN "current", KERNEL);
    CHECK_EQ(change(CURRENT, KERNEL), EACCES);
    snprintf(path, sizeof path, "/proc/self/task/%d/attr/current", (int)syscall(SYS_gettid));
    CHECK_EQ(change(path, LEVEL), 0);
    exit(0);
    return argument;
}

TEST(a_first_thread_that_has_ended) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, thread_looks_at_the_first, NULL) == 0);
    CHECK_EQ(change(CURRENT, LEVEL), 0);
    syscall(SYS_exit, 0);
}

/* ---- execve ---- */

/* The program started anew: what it sees, or what it is told to do. Its status. */
static int child(char **arguments) {
    check_name = "child";
    if (check_is(arguments[0], "write"))
        return write(9, OTHER, sizeof OTHER) < 0 ? errno : 0;
    if (check_is(arguments[0], "sees")) { /* current, previous, AT_SECURE */
        IS(CURRENT, arguments[1]);
        IS(PREVIOUS, arguments[2]);
        IS(EXEC, "");
        IS(SOCKET, "");
        CHECK_EQ(getauxval(AT_SECURE), atoi(arguments[3]));
        return 0;
    }
    return 9;
}

static void exec_sees(const char *current, const char *previous, const char *secure) {
    execl("/proc/self/exe", "security", "child", "sees", current, previous, secure, (char *)NULL);
    check_fail("execve: errno %d", errno);
}

#define EXEC_SEES(before, current, previous, secure)                                                         \
    do {                                                                                                     \
        pid_t pid_ = fork();                                                                                 \
        if (pid_ == 0) {                                                                                     \
            before;                                                                                          \
            exec_sees(current, previous, secure);                                                            \
        }                                                                                                    \
        CHECK_EXITS(pid_, 0);                                                                                \
    } while (0)

TEST(execve_changes) {
    EXEC_SEES(CHECK_EQ(change(EXEC, OTHER), 0), OTHER, KERNEL, "1");
    EXEC_SEES(CHECK_EQ(change(EXEC, LEVEL), 0), LEVEL, KERNEL, "1");
    EXEC_SEES(CHECK_EQ(change(EXEC, KERNEL), 0), KERNEL, KERNEL, "0");
    EXEC_SEES(CHECK_EQ(change(SOCKET, OTHER), 0), KERNEL, KERNEL, "0");
    EXEC_SEES(CHECK_EQ(change(CURRENT, OTHER), 0), OTHER, OTHER, "0");
    EXEC_SEES(CHECK(change(CURRENT, OTHER) == 0 && change(EXEC, LEVEL) == 0), LEVEL, OTHER, "1");
    EXEC_SEES(CHECK(change(EXEC, OTHER) == 0 && personality(ADDR_NO_RANDOMIZE) >= 0), OTHER, KERNEL, "1");
}

static void *thread_executes(void *argument) {
    CHECK_EQ(change(OWN "exec", OTHER), 0);
    exec_sees(OTHER, KERNEL, "1");
    return argument;
}

TEST(a_thread_executes) {
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        CHECK_EQ(change(CURRENT, LEVEL), 0); /* of the thread that ends */
        CHECK_EQ(change(CURRENT, KERNEL), 0);
        CHECK(pthread_create(&thread, NULL, thread_executes, NULL) == 0);
        CHECK_EQ(change(EXEC, LEVEL), 0); /* this one's, and so in vain */
        for (;;)
            pause();
    }
    CHECK_EXITS(pid, 0);
}

TEST(a_failed_execve_changes_nothing) {
    CHECK_EQ(change(EXEC, OTHER), 0);
    CHECK_ERRNO(execl("/tmp/is/not/there", "x", (char *)NULL), ENOENT);
    CHECK_ERRNO(execl("/etc", "x", (char *)NULL), EACCES);
    IS(CURRENT, KERNEL);
    IS(EXEC, OTHER);
}

TEST(no_new_privileges) {
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXEC_SEES(CHECK_EQ(change(EXEC, LEVEL), 0), LEVEL, KERNEL, "1"); /* the type stays */
    CHECK_EQ(change(EXEC, OTHER), 0);
    CHECK_ERRNO(execl("/proc/self/exe", "security", "child", "x", (char *)NULL), EPERM);
    IS(EXEC, OTHER);
    EXEC_SEES(CHECK_EQ(change(EXEC, ""), 0), KERNEL, KERNEL, "0");
}

TEST(not_on_a_mount_without_suid) {
    CHECK(mkdir("/tmp/nosuid", 0755) == 0);
    CHECK(mount("none", "/tmp/nosuid", "tmpfs", MS_NOSUID, NULL) == 0);
    CHECK_EQ(
        system(
            "cp /proc/$PPID/exe /tmp/nosuid/security && printf '#!/bin/sh\\n' >/tmp/nosuid/script && "
            "printf '#!/tmp/nosuid/security child\\n' >/tmp/script && chmod 755 /tmp/nosuid/* /tmp/script"),
        0);
    CHECK_EQ(change(EXEC, OTHER), 0);
    CHECK_ERRNO(execl("/tmp/nosuid/security", "x", (char *)NULL), EACCES);
    CHECK_ERRNO(execl("/tmp/nosuid/script", "x", (char *)NULL), EACCES);
    pid_t pid = fork();
    if (pid == 0) { /* of a script and its interpreter, the script counts */
        execl("/tmp/script", "/tmp/script", (char *)NULL);
        _exit(errno);
    }
    CHECK_EXITS(pid, 9);
    pid = fork();
    if (pid == 0) {
        CHECK_EQ(change(EXEC, LEVEL), 0);
        execl("/tmp/nosuid/security", "security", "child", "sees", LEVEL, KERNEL, "1", (char *)NULL);
        _exit(errno);
    }
    CHECK_EXITS(pid, 0);
    CHECK(umount("/tmp/nosuid") == 0 && rmdir("/tmp/nosuid") == 0 && unlink("/tmp/script") == 0);
}

/* ---- sockets ---- */

/* The context of the other end: 0, or the errno. */
static int peer(int fd, char *text, socklen_t *length) {
    return getsockopt(fd, SOL_SOCKET, SO_PEERSEC, text, length) < 0 ? errno : 0;
}

TEST(peers_of_sockets) {
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    char text[128];
    for (int i = 0; i < 2; i++) {
        int ends[2];
        socklen_t length = sizeof text;
        CHECK(change(CURRENT, OTHER) == 0 && change(SOCKET, LEVEL) == 0);
        CHECK(socketpair(AF_UNIX, types[i], 0, ends) == 0);
        CHECK(change(CURRENT, KERNEL) == 0 && change(SOCKET, "") == 0); /* what was made stays as it is */
        CHECK_EQ(peer(ends[0], text, &length), 0);
        CHECK(length == sizeof LEVEL && check_is(text, LEVEL));
        close(ends[0]);
        length = sizeof LEVEL;
        CHECK_EQ(peer(ends[1], text, &length), 0); /* of an end that is closed, too */
        CHECK(length == sizeof LEVEL && check_is(text, LEVEL));
        close(ends[1]);
    }
    CHECK_EQ(change(CURRENT, OTHER), 0);
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    socklen_t length = sizeof OTHER - 1;
    memset(text, 'x', sizeof text);
    CHECK_EQ(peer(ends[1], text, &length), ERANGE);
    CHECK(length == sizeof OTHER && text[0] == 'x');
    CHECK_EQ(peer(ends[1], text, &length), 0);
    CHECK(check_is(text, OTHER));
    CHECK_EQ(peer(ends[1], (char *)8, &length), EFAULT);
    CHECK_EQ(peer(ends[1], text, (socklen_t *)8), EFAULT);
    length = (socklen_t)-1;
    CHECK_EQ(peer(ends[1], text, &length), EINVAL);
}

TEST(other_sockets_have_none) {
    char text[128];
    int ends[2];
    socklen_t length = sizeof text;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    CHECK_EQ(peer(ends[0], text, &length), ENOPROTOOPT);
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    CHECK_EQ(peer(fd, text, &length), ENOPROTOOPT);
    fd = socket(AF_NETLINK, SOCK_RAW, 0);
    CHECK_EQ(peer(fd, text, &length), ENOPROTOOPT);
}

/* ---- all at once ---- */

/* One process changes its context all the time, forks and executes; others read it, and must never see a
 * part. */
TEST(read_while_it_changes) {
    enum { READERS = 3, ROUNDS = 300 };
    char path[64];
    pid_t readers[READERS];
    snprintf(path, sizeof path, "/proc/%d/attr/current", getpid());
    for (int i = 0; i < READERS; i++) {
        readers[i] = fork();
        if (readers[i] == 0)
            for (;;) {
                char text[128];
                int fd = open(path, O_RDONLY);
                CHECK(read(fd, text, sizeof text) > 0);
                CHECK(check_is(text, KERNEL) || check_is(text, OTHER) || check_is(text, LEVEL));
                close(fd);
            }
    }
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(change(CURRENT, i & 1 ? OTHER : LEVEL), 0);
        if (i % 10 == 0) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(change(CURRENT, KERNEL));
            CHECK_EXITS(pid, 0);
        }
    }
    for (int i = 0; i < READERS; i++) {
        CHECK(kill(readers[i], SIGKILL) == 0);
        CHECK_KILLED(readers[i], SIGKILL);
    }
}

int main(int argc, char **argv) {
    if (argc > 2 && check_is(argv[1], "child"))
        return child(argv + 2);
    return check_main(argc > 1 ? argv[1] : NULL);
}
