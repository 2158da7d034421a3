/* test: libc=musl,glibc */
/* /proc and /sys: what ps, top, mount, free and libraries read, and its formats. */
#include "tests/system/prog/check.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char text[65536];

static char *read_all(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        check_fail("%s: %s", path, strerror(errno));
    size_t length = 0;
    ssize_t count;
    while ((count = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)count;
    CHECK(count == 0 || length == sizeof text - 1);
    text[length] = 0;
    close(fd);
    return text;
}

/* The value behind "NAME:" in a file of such lines. */
static char *field(const char *path, const char *name) {
    char *at = read_all(path);
    size_t length = strlen(name);
    for (; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, name, length) == 0 && at[length] == ':') {
            at += length + 1;
            while (*at == ' ' || *at == '\t')
                at++;
            at[strcspn(at, "\n")] = 0;
            return at;
        }
    check_fail("%s has no %s", path, name);
}

TEST(self_and_ids) {
    char link[64] = {0}, pid[32];
    CHECK(readlink("/proc/self", link, 63) > 0);
    snprintf(pid, sizeof pid, "%d", getpid());
    CHECK(check_is(link, pid));
    memset(link, 0, sizeof link);
    CHECK(readlink("/proc/thread-self", link, 63) > 0);
    CHECK(strstr(link, "/task/"));
    CHECK_EQ(atoi(field("/proc/self/status", "Pid")), getpid());
    CHECK_EQ(atoi(field("/proc/self/status", "PPid")), getppid());
    CHECK_EQ(atoi(field("/proc/self/status", "Tgid")), getpid());
    CHECK(strncmp(field("/proc/self/status", "State"), "R (running)", 11) == 0);
    CHECK_EQ(atoi(field("/proc/self/status", "Threads")), 1);
    CHECK(check_is(field("/proc/self/status", "Uid"), "0\t0\t0\t0"));
}

TEST(stat_line) {
    char *at = read_all("/proc/self/stat");
    int pid, parent, group, session;
    char state;
    char *close = strrchr(at, ')');
    CHECK(close && sscanf(at, "%d (", &pid) == 1);
    CHECK_EQ(pid, getpid());
    CHECK_EQ(sscanf(close, ") %c %d %d %d", &state, &parent, &group, &session), 4);
    CHECK(state == 'R' && parent == getppid() && group == getpgrp() && session == getsid(0));
    int fields = 2;
    for (char *p = close + 1; *p; p++)
        fields += *p == ' ';
    CHECK_EQ(fields, 52);
    CHECK_EQ(close[strlen(close) - 1], '\n');
}

TEST(states_of_others) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    CHECK_STATE(pid, 'S');
    CHECK(strncmp(field(path, "State"), "S (sleeping)", 12) == 0);
    kill(pid, SIGSTOP);
    CHECK_STATE(pid, 'T');
    CHECK(strncmp(field(path, "State"), "T (stopped)", 11) == 0);
    kill(pid, SIGKILL);
    CHECK_STATE(pid, 'Z');
    CHECK(strncmp(field(path, "State"), "Z (zombie)", 10) == 0);
    CHECK_KILLED(pid, SIGKILL);
    CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/9999999/status", O_RDONLY), ENOENT);
}

TEST(command_line_and_environment) {
    pid_t pid = fork();
    if (pid == 0) {
        char *arguments[] = {"sleep", "100", "", "x y", NULL}, *environment[] = {"ONE=1", "TWO=2", NULL};
        arguments[2] = NULL;
        execve("/bin/sleep", arguments, environment);
        _exit(1);
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    while (!check_is(read_all(path), "sleep\n"))
        check_sleep_ms(1);
    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    read_all(path);
    CHECK(memcmp(text, "sleep\000100\0", 10) == 0);
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    read_all(path);
    CHECK(memcmp(text, "ONE=1\0TWO=2\0", 12) == 0);
    char link[64] = {0};
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    CHECK(readlink(path, link, 63) > 0);
    CHECK(check_is(link, "/bin/busybox"));
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(descriptors) {
    int fd = open("/etc/passwd", O_RDONLY), ends[2];
    CHECK(pipe(ends) == 0);
    char path[64], link[64] = {0};
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(readlink(path, link, 63) > 0);
    CHECK(check_is(link, "/etc/passwd"));
    int again = open(path, O_RDONLY);
    CHECK(again >= 0);
    CHECK_EQ(read(again, link, 4), 4);
    CHECK(memcmp(link, "root", 4) == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0); /* opened anew, not shared */
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    memset(link, 0, sizeof link);
    CHECK(readlink(path, link, 63) > 0);
    CHECK(strncmp(link, "pipe:[", 6) == 0);
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory));)
        count += isdigit((unsigned char)entry->d_name[0]) != 0;
    CHECK(count >= 7);
    closedir(directory);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    CHECK_EQ(atoi(field(path, "pos")), 0);
}

TEST(maps) {
    char *area = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("/etc/passwd", O_RDONLY);
    mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    read_all("/proc/self/maps");
    char line[64];
    CHECK(strstr(text, "[stack]"));
    CHECK(strstr(text, "[vdso]"));
    CHECK(strstr(text, "/etc/passwd\n"));
    snprintf(line, sizeof line, "%lx-", (unsigned long)area);
    unsigned long low, high, before = 0;
    bool found = false;
    for (char *at = text; *at; at = strchr(at, '\n') + 1) {
        char protection[8];
        unsigned long offset;
        CHECK_EQ(sscanf(at, "%lx-%lx %7s %lx", &low, &high, protection, &offset), 4);
        CHECK(low < high && low >= before && strlen(protection) == 4);
        before = high;
        found |= low <= (unsigned long)area && (unsigned long)area + 8192 <= high;
    }
    CHECK(found);
}

TEST(processes_are_listed) {
    DIR *directory = opendir("/proc");
    bool self = false, one = false, meminfo = false;
    for (struct dirent *entry; (entry = readdir(directory));) {
        self |= atoi(entry->d_name) == getpid();
        one |= check_is(entry->d_name, "1");
        meminfo |= check_is(entry->d_name, "meminfo");
    }
    CHECK(self && one && meminfo);
    closedir(directory);
}

TEST(system_files) {
    CHECK(atol(field("/proc/meminfo", "MemTotal")) > 20000);
    CHECK(atol(field("/proc/meminfo", "MemFree")) > 0);
    CHECK(atol(field("/proc/meminfo", "MemAvailable")) > 0);
    double up = 0, idle = -1;
    CHECK_EQ(sscanf(read_all("/proc/uptime"), "%lf %lf", &up, &idle), 2);
    CHECK(up > 0 && idle >= 0);
    double a, b, c;
    int running, total, last;
    CHECK_EQ(sscanf(read_all("/proc/loadavg"), "%lf %lf %lf %d/%d %d", &a, &b, &c, &running, &total, &last),
             6);
    CHECK(running >= 1 && total >= running);
    CHECK(strncmp(read_all("/proc/version"), "Linux version ", 14) == 0);
    read_all("/proc/stat");
    CHECK(strncmp(text, "cpu  ", 5) == 0 && strstr(text, "\ncpu0 ") && strstr(text, "\nbtime ") &&
          strstr(text, "\nprocesses ") && strstr(text, "\nctxt "));
    read_all("/proc/interrupts");
    CHECK(strstr(text, "CPU0") && strstr(text, "\nLOC: "));
    CHECK(strncmp(read_all("/proc/schedstat"), "version 15\n", 11) == 0 && strstr(text, "\ncpu0 "));
    CHECK(strstr(read_all("/proc/cpuinfo"), "processor\t: 0\n"));
    CHECK(strstr(read_all("/proc/filesystems"), "nodev\ttmpfs\n"));
    CHECK(strstr(read_all("/proc/mounts"), "proc /proc proc rw"));
    CHECK(strstr(read_all("/proc/self/mountinfo"), " /proc "));
    CHECK(strlen(read_all("/proc/cmdline")) < 4096);
    CHECK(check_is(read_all("/proc/sys/kernel/ostype"), "Linux\n"));
    CHECK(check_is(read_all("/proc/sys/kernel/hostname"), "keel\n"));
    CHECK(atoi(read_all("/proc/sys/kernel/pid_max")) >= 32768);
    CHECK_EQ(strlen(read_all("/proc/sys/kernel/random/uuid")), 37);
}

TEST(sys_processors) {
    char path[96], list[32];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(list, sizeof list, cpus > 1 ? "0-%ld\n" : "0\n", cpus - 1);
    CHECK(check_is(read_all("/sys/devices/system/cpu/online"), list));
    CHECK(check_is(read_all("/sys/devices/system/node/node0/cpulist"), list));
    for (long i = 0; i < cpus; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/topology/core_id", i);
        CHECK_EQ(atoi(read_all(path)), i);
    }
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld", cpus);
    CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/sys/devices/system/cpu/cpu01", O_RDONLY), ENOENT);
    CHECK(strstr(read_all("/proc/mounts"), "sysfs /sys sysfs rw"));
    CHECK(access("/sys/fs/cgroup", X_OK) == 0);
}

TEST(statm_and_limits) {
    long size, resident;
    CHECK_EQ(sscanf(read_all("/proc/self/statm"), "%ld %ld", &size, &resident), 2);
    CHECK(size >= resident && resident > 0);
    CHECK(strstr(read_all("/proc/self/limits"), "Max open files"));
    CHECK(strstr(read_all("/proc/self/io"), "rchar: ") || true);
}

TEST(tasks) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    CHECK_EQ(atoi(read_all(path)), getpid());
    struct stat info;
    CHECK(stat("/proc/self/task", &info) == 0);
    CHECK(S_ISDIR(info.st_mode) && info.st_nlink == 3);
}

TEST(links_to_places) {
    char link[64] = {0};
    CHECK(chdir("/tmp") == 0);
    CHECK(readlink("/proc/self/cwd", link, 63) == 4);
    CHECK(check_is(link, "/tmp"));
    memset(link, 0, sizeof link);
    CHECK_EQ(readlink("/proc/self/root", link, 63), 1);
    CHECK(access("/proc/self/cwd/../etc/passwd", R_OK) == 0);
}

TEST(read_only) {
    CHECK_ERRNO(open("/proc/new", O_CREAT | O_RDWR, 0600), ENOENT);
    CHECK_ERRNO(mkdir("/proc/new", 0700), ENOENT);
    CHECK_ERRNO(unlink("/proc/uptime"), EPERM);
    struct stat info;
    CHECK(stat("/proc/uptime", &info) == 0);
    CHECK(S_ISREG(info.st_mode) && info.st_size == 0 && (info.st_mode & 0777) == 0444);
    CHECK_ERRNO(open("/proc/uptime/x", O_RDONLY), ENOTDIR);
}

TEST(comm_can_be_written) {
    int fd = open("/proc/self/comm", O_WRONLY);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "renamed", 7), 7);
    CHECK(check_is(read_all("/proc/self/comm"), "renamed\n"));
}

TEST(small_reads_continue) {
    int fd = open("/proc/self/status", O_RDONLY);
    static char piecewise[16384];
    size_t length = 0;
    ssize_t count;
    while ((count = read(fd, piecewise + length, 7)) > 0)
        length += (size_t)count;
    CHECK(length > 200);
    CHECK(strncmp(piecewise, "Name:", 5) == 0);
    CHECK(strstr(piecewise, "\nThreads:\t1\n"));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(fd, piecewise, 5), 5);
    CHECK(memcmp(piecewise, "Name:", 5) == 0);
}

TEST_MAIN()
