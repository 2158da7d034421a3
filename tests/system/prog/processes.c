/* test: libc=musl,glibc */
/* Processes: fork, vfork, wait, exec, scripts, groups, orphans. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char self_path[4096];

static void self_find(void) {
    ssize_t length = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
    if (length <= 0)
        strcpy(self_path, "/test/bin/processes");
    else
        self_path[length] = 0;
}

static void file_make(const char *path, const void *bytes, size_t length, mode_t mode) {
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, mode);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, bytes, length), (long long)length);
    CHECK(fchmod(fd, mode) == 0);
    close(fd);
}

TEST(fork_and_wait) {
    for (int status = 0; status < 256; status += 51) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(status);
        CHECK_EXITS(pid, status);
    }
    CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
}

TEST(memory_is_copied) {
    volatile int *page = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8; i++)
        page[i * 1024] = i + 1;
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 8; i++) {
            CHECK_EQ(page[i * 1024], i + 1);
            page[i * 1024] = 100;
        }
        _exit(5);
    }
    page[1024] = 77;
    CHECK_EXITS(pid, 5);
    CHECK_EQ(page[0], 1);
    CHECK_EQ(page[1024], 77);
    CHECK_EQ(page[7 * 1024], 8);
}

TEST(parents_and_ids) {
    pid_t parent = getpid();
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t ids[2] = {getpid(), getppid()};
        (void)!write(ends[1], ids, sizeof ids);
        CHECK(syscall(SYS_gettid) == getpid());
        _exit(0);
    }
    pid_t ids[2];
    CHECK_EQ(read(ends[0], ids, sizeof ids), (long long)sizeof ids);
    CHECK_EQ(ids[0], pid);
    CHECK_EQ(ids[1], parent);
    CHECK_EXITS(pid, 0);
}

TEST(wait_any_and_nohang) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        (void)!read(ends[0], &byte, 1);
        _exit(9);
    }
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), 0);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    int status;
    struct rusage usage;
    CHECK_EQ(wait4(-1, &status, 0, &usage), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
    CHECK_ERRNO(waitpid(-1, NULL, 0x40000), EINVAL);
}

TEST(wait_by_group) {
    pid_t first = fork();
    if (first == 0) {
        setpgid(0, 0);
        _exit(1);
    }
    setpgid(first, first);
    pid_t second = fork();
    if (second == 0)
        _exit(2);
    int status;
    CHECK_EQ(waitpid(-first, &status, 0), first);
    CHECK_EQ(waitpid(0, &status, 0), second);
    CHECK_ERRNO(waitpid(-first, &status, 0), ECHILD);
}

TEST(stop_and_continue_are_seen) {
    pid_t pid = fork();
    int status;
    if (pid == 0)
        for (;;)
            pause();
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WNOHANG | WUNTRACED), 0);
    kill(pid, SIGCONT);
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    kill(pid, SIGTERM);
    CHECK_KILLED(pid, SIGTERM);
}

TEST(waitid_forms) {
    pid_t pid = fork();
    siginfo_t info = {0};
    if (pid == 0)
        _exit(42);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_status, 42);
    CHECK_EQ(info.si_signo, SIGCHLD);
    memset(&info, 0, sizeof info);
    CHECK(waitid(P_ALL, 0, &info, WEXITED) == 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_ERRNO(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    memset(&info, 0xff, sizeof info);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0);
    CHECK_EQ(info.si_pid, 0);
    kill(pid, SIGKILL);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGKILL);
}

TEST(vfork_shares_until_exec) {
    volatile int shared = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        shared = 2;
        _exit(3);
    }
    CHECK_EQ(shared, 2);
    CHECK_EXITS(pid, 3);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/busybox", "true", (char *)NULL);
        _exit(4);
    }
    CHECK_EXITS(pid, 0);
}

TEST(exec_arguments_and_environment) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        char *arguments[] = {"sh", "-c", "echo \"$0|$1|$2|$A\"", "zero", "", "two words", NULL};
        char *environment[] = {"A=value of A", "PATH=/bin", NULL};
        execve("/bin/sh", arguments, environment);
        _exit(1);
    }
    close(ends[1]);
    char text[128] = {0};
    CHECK(read(ends[0], text, sizeof text - 1) > 0);
    CHECK(check_is(text, "zero||two words|value of A\n"));
    CHECK_EXITS(pid, 0);
}

static int exec_child(const char *path, char **arguments) {
    pid_t pid = fork();
    if (pid == 0) {
        execv(path, arguments);
        _exit(errno > 250 ? 250 : errno);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(exec_errors) {
    char *arguments[] = {"x", NULL};
    CHECK_EQ(exec_child("/nonexistent", arguments), ENOENT);
    CHECK_EQ(exec_child("/etc/passwd/x", arguments), ENOTDIR);
    CHECK_EQ(exec_child("/etc", arguments), EACCES);
    CHECK_EQ(exec_child("/etc/passwd", arguments), EACCES);
    CHECK_EQ(exec_child("", arguments), ENOENT);
    file_make("/tmp/garbage", "\177ELF garbage", 12, 0755);
    CHECK_EQ(exec_child("/tmp/garbage", arguments), ENOEXEC);
    file_make("/tmp/garbage", "no magic here at all", 20, 0755);
    CHECK_EQ(exec_child("/tmp/garbage", arguments), ENOEXEC);
    file_make("/tmp/garbage", "", 0, 0755);
    CHECK_EQ(exec_child("/tmp/garbage", arguments), ENOEXEC);
    unlink("/tmp/garbage");
    CHECK_ERRNO(execve((char *)8, arguments, NULL), EFAULT);
    CHECK_ERRNO(execve("/bin/true", (char **)8, NULL), EFAULT);
}

/* Each damage to a good ELF file: the call fails, or the new program dies; never this one, never the system.
 */
TEST(exec_damaged_elf) {
    self_find();
    int fd = open(self_path, O_RDONLY);
    static unsigned char head[4096];
    CHECK_EQ(pread(fd, head, sizeof head, 0), (long long)sizeof head);
    close(fd);
    static const struct {
        unsigned offset, value;
    } damages[] = {{0, 0},     {4, 1},     {5, 2},     {16, 1},    {18, 3},     {24, 0xff}, {31, 0xff},
                   {32, 0xff}, {39, 0xff}, {54, 1},    {56, 0xff}, {57, 0xff},  {64, 0xff}, {72, 0xff},
                   {79, 0xff}, {80, 1},    {87, 0x7f}, {96, 0xff}, {103, 0x7f}, {104, 0},   {111, 0x7f}};
    char *arguments[] = {"x", "none", NULL};
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        unsigned char bytes[sizeof head];
        memcpy(bytes, head, sizeof bytes);
        bytes[damages[i].offset] = (unsigned char)damages[i].value;
        file_make("/tmp/damaged", bytes, sizeof bytes, 0755);
        pid_t pid = fork();
        if (pid == 0) {
            execv("/tmp/damaged", arguments);
            _exit(errno);
        }
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
    }
    for (size_t length = 1; length < 256; length += 9) {
        file_make("/tmp/damaged", head, length, 0755);
        CHECK(exec_child("/tmp/damaged", arguments) != 0);
    }
    memcpy(head, "\177ELF", 4);
    head[0] = 0;
    file_make("/tmp/damaged", head, sizeof head, 0755);
    CHECK_EQ(exec_child("/tmp/damaged", arguments), ENOEXEC);
    unlink("/tmp/damaged");
}

static void script_says(const char *text, const char *expected) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    file_make("/tmp/script", text, strlen(text), 0755);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execl("/tmp/script", "ignored", "first", "second one", (char *)NULL);
        _exit(errno);
    }
    close(ends[1]);
    char out[256] = {0};
    size_t length = 0;
    ssize_t count;
    while ((count = read(ends[0], out + length, sizeof out - 1 - length)) > 0)
        length += (size_t)count;
    close(ends[0]);
    CHECK_EXITS(pid, 0);
    if (!check_is(out, expected))
        check_fail("script %s said %s", text, out);
    unlink("/tmp/script");
}

TEST(exec_scripts) {
    script_says("#!/bin/sh\necho \"$0 $# $2\"\n", "/tmp/script 2 second one\n");
    script_says("#! /bin/echo one argument \nignored\n", "one argument /tmp/script first second one\n");
    script_says("#!/bin/echo", "/tmp/script first second one\n");
    file_make("/tmp/inner", "#!/bin/sh\necho inner \"$@\"\n", 26, 0755);
    script_says("#!/tmp/inner x\n", "inner x /tmp/script first second one\n");
    unlink("/tmp/inner");
    char *arguments[] = {"x", NULL};
    file_make("/tmp/script", "#!/nonexistent\n", 15, 0755);
    CHECK_EQ(exec_child("/tmp/script", arguments), ENOENT);
    file_make("/tmp/script", "#!\n", 3, 0755);
    CHECK_EQ(exec_child("/tmp/script", arguments), ENOEXEC);
    file_make("/tmp/script", "#!/tmp/script\n", 14, 0755);
    CHECK_EQ(exec_child("/tmp/script", arguments), ELOOP);
    unlink("/tmp/script");
}

TEST(exec_too_big) {
    enum { SIZE = 200000 };
    char *big = malloc(SIZE + 1);
    memset(big, 'x', SIZE);
    big[SIZE] = 0;
    char *arguments[] = {"true", big, NULL};
    CHECK_EQ(exec_child("/bin/true", arguments), E2BIG);
    big[131071] = 0;
    CHECK_EQ(exec_child("/bin/true", arguments), 0);
    big[1000] = 0;
    char **many = calloc(3001, sizeof *many);
    many[0] = "true";
    for (int i = 1; i < 3000; i++)
        many[i] = big;
    CHECK_EQ(exec_child("/bin/true", many), E2BIG);
    many[1500] = NULL;
    CHECK_EQ(exec_child("/bin/true", many), 0);
}

TEST(close_on_exec) {
    int keep = open("/dev/null", O_RDONLY), drop = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        char text[128];
        snprintf(text, sizeof text, "[ -e /proc/self/fd/%d ] && ! [ -e /proc/self/fd/%d ]", keep, drop);
        execl("/bin/sh", "sh", "-c", text, (char *)NULL);
        _exit(1);
    }
    CHECK_EXITS(pid, 0);
}

static void handler_nothing(int signo) {
    (void)signo;
}

TEST(exec_keeps_and_resets) {
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, handler_nothing);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        execl("/bin/grep", "grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    char out[512] = {0};
    size_t length = 0;
    ssize_t count;
    while ((count = read(ends[0], out + length, sizeof out - 1 - length)) > 0)
        length += (size_t)count;
    CHECK_EXITS(pid, 0);
    CHECK(strstr(out, "SigBlk:\t0000000000000001\n"));
    CHECK(strstr(out, "SigIgn:\t0000000000000200\n"));
    CHECK(strstr(out, "SigCgt:\t0000000000000000\n"));
}

TEST(exec_at_and_descriptor) {
    int directory = open("/bin", O_RDONLY | O_DIRECTORY);
    char *arguments[] = {"echo", NULL}, *environment[] = {NULL};
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 1);
        syscall(SYS_execveat, directory, "echo", arguments, environment, 0);
        _exit(1);
    }
    CHECK_EXITS(pid, 0);
    int file = open("/bin/busybox", O_RDONLY);
    arguments[0] = "true";
    pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, file, "", arguments, environment, AT_EMPTY_PATH);
        _exit(1);
    }
    CHECK_EXITS(pid, 0);
}

TEST(orphans_find_a_new_parent) {
    int ends[2], known[2];
    CHECK(pipe(ends) == 0 && pipe(known) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            pid_t parent = getppid();
            (void)!write(known[1], "k", 1);
            for (int i = 0; i < 1000 && getppid() == parent; i++)
                check_sleep_ms(2);
            char moved = getppid() != parent;
            (void)!write(ends[1], &moved, 1);
            _exit(0);
        }
        char byte;
        CHECK_EQ(read(known[0], &byte, 1), 1);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    char moved = 0;
    CHECK_EQ(read(ends[0], &moved, 1), 1);
    CHECK(moved);
}

TEST(groups_and_sessions) {
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(getpgrp() != getpid());
        CHECK(setpgid(0, 0) == 0);
        CHECK_EQ(getpgrp(), getpid());
        CHECK_ERRNO(setsid(), EPERM);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    pid = fork();
    if (pid == 0) {
        CHECK_EQ(setsid(), getpid());
        CHECK_EQ(getsid(0), getpid());
        CHECK_EQ(getpgid(0), getpid());
        CHECK_ERRNO(setpgid(0, 0), EPERM);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_ERRNO(setpgid(0, 999999), EPERM);
    CHECK_ERRNO(setpgid(999999, 0), ESRCH);
    CHECK_ERRNO(setpgid(0, -1), EINVAL);
    CHECK_ERRNO(getpgid(999999), ESRCH);
    CHECK_ERRNO(getsid(999999), ESRCH);
}

TEST(many_children) {
    enum { MANY = 60 };
    pid_t pids[MANY];
    for (int i = 0; i < MANY; i++) {
        pids[i] = fork();
        CHECK(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(i);
    }
    for (int i = 0; i < MANY; i++)
        CHECK_EXITS(pids[i], i);
}

TEST(deep_chain) {
    pid_t first = getpid(), pid = 0;
    for (int depth = 0; pid == 0 && depth < 20; depth++)
        pid = fork();
    if (pid == 0)
        _exit(7);
    CHECK_EXITS(pid, 7);
    if (getpid() != first)
        _exit(7);
}

static int clone_body(void *argument) {
    *(volatile int *)argument = 55;
    return 6;
}

TEST(clone_with_shared_memory) {
    static char stack[65536] __attribute__((aligned(16)));
    volatile int value = 1;
    int pid = clone(clone_body, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)&value);
    CHECK(pid > 0);
    CHECK_EXITS(pid, 6);
    CHECK_EQ(value, 55);
    pid = clone(clone_body, stack + sizeof stack, SIGCHLD, (void *)&value);
    value = 2;
    CHECK_EXITS(pid, 6);
    CHECK_EQ(value, 2);
    /* No exit signal: only __WCLONE or __WALL sees such a child. */
    pid = clone(clone_body, stack + sizeof stack, CLONE_VM, (void *)&value);
    CHECK(pid > 0);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
    int status;
    CHECK_EQ(waitpid(pid, &status, __WCLONE), pid);
    CHECK_EQ(WEXITSTATUS(status), 6);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
}

TEST(names) {
    char name[16];
    CHECK(prctl(PR_SET_NAME, "a very long name indeed") == 0);
    CHECK(prctl(PR_GET_NAME, name) == 0);
    CHECK(check_is(name, "a very long nam"));
}

TEST(parent_death_signal) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)!write(ends[1], "r", 1);
            for (;;)
                pause();
        }
        char byte;
        (void)!read(ends[0], &byte, 1);
        _exit(0);
    }
    close(ends[1]);
    CHECK_EXITS(pid, 0);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 0);
}

TEST_MAIN()
