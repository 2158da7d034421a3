/* test: libc=musl,glibc */
/* Who and where: credentials, limits, priorities, random bytes, names, system information. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static void ids_are(uid_t real, uid_t effective, uid_t saved, int line) {
    uid_t r, e, s;
    getresuid(&r, &e, &s);
    if (r != real || e != effective || s != saved)
        check_fail("line %d: ids %d %d %d, not %d %d %d", line, r, e, s, real, effective, saved);
}
#define IDS(r, e, s) ids_are(r, e, s, __LINE__)

TEST(root_at_first) {
    IDS(0, 0, 0);
    CHECK(getgid() == 0 && getegid() == 0);
}

TEST(effective_only) {
    CHECK(seteuid(1000) == 0);
    IDS(0, 1000, 0);
    CHECK_ERRNO(setuid(5), EPERM);
    CHECK(seteuid(0) == 0);
    IDS(0, 0, 0);
}

TEST(for_good) {
    CHECK(setgid(100) == 0);
    CHECK(setuid(1000) == 0);
    IDS(1000, 1000, 1000);
    CHECK_EQ(getegid(), 100);
    CHECK_ERRNO(setuid(0), EPERM);
    CHECK_ERRNO(seteuid(0), EPERM);
    CHECK_ERRNO(setgid(0), EPERM);
    CHECK_ERRNO(setgroups(0, NULL), EPERM);
    CHECK_ERRNO(kill(1, 0), EPERM);
    CHECK_ERRNO(sethostname("x", 1), EPERM);
    CHECK(setuid(1000) == 0);
}

TEST(three_at_once) {
    CHECK(setresuid(1, 2, 3) == 0);
    IDS(1, 2, 3);
    CHECK_ERRNO(setresuid(4, (uid_t)-1, (uid_t)-1), EPERM);
    CHECK(setresuid((uid_t)-1, 3, (uid_t)-1) == 0);
    IDS(1, 3, 3);
    CHECK(setreuid(3, 1) == 0);
    IDS(3, 1, 1);
}

TEST(threads_change_one_by_one) {
    CHECK(syscall(SYS_setfsuid, 0) == 0);
    CHECK(syscall(SYS_setresgid, 5, 6, 7) == 0);
    gid_t r, e, s;
    CHECK(getresgid(&r, &e, &s) == 0);
    CHECK(r == 5 && e == 6 && s == 7);
}

TEST(groups) {
    gid_t set[3] = {30, 10, 20}, got[8];
    CHECK(setgroups(3, set) == 0);
    CHECK_EQ(getgroups(0, NULL), 3);
    CHECK_EQ(getgroups(8, got), 3);
    CHECK(got[0] + got[1] + got[2] == 60);
    CHECK_ERRNO(getgroups(2, got), EINVAL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getgroups(0, NULL));
    CHECK_EXITS(pid, 3);
}

TEST(signals_between_users) {
    pid_t pid = fork();
    if (pid == 0) {
        setuid(1001);
        for (;;)
            pause();
    }
    CHECK_STATE(pid, 'S'); /* with its new identity */
    pid_t other = fork();
    if (other == 0) {
        setuid(1002);
        CHECK_ERRNO(kill(pid, SIGTERM), EPERM);
        _exit(0);
    }
    CHECK_EXITS(other, 0);
    CHECK(kill(pid, SIGTERM) == 0);
    CHECK_KILLED(pid, SIGTERM);
}

TEST(set_user_id_program) {
    CHECK_EQ(system("cp /bin/busybox /tmp/suid && chmod 4755 /tmp/suid"), 0);
    pid_t pid = fork();
    if (pid == 0) {
        setuid(1000);
        execl("/tmp/suid", "sh", "-c", "grep -q '^Uid:.1000.0.0' /proc/self/status", (char *)NULL);
        _exit(9);
    }
    int status;
    waitpid(pid, &status, 0);
    unlink("/tmp/suid");
    /* busybox drops the privilege for sh, so that grep may see 1000 alone; both mean that it was started. */
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
}

TEST(limits) {
    struct rlimit limit;
    for (int resource = 0; resource < 16; resource++) {
        CHECK(getrlimit(resource, &limit) == 0);
        CHECK(limit.rlim_cur <= limit.rlim_max);
    }
    CHECK_ERRNO(syscall(SYS_getrlimit, 16, &limit), EINVAL);
    limit = (struct rlimit){20, 10};
    CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
    limit = (struct rlimit){20, 30};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit old;
    CHECK(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &old) == 0);
    CHECK(old.rlim_cur == 20 && old.rlim_max == 30);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK_EQ(limit.rlim_max, 30);
        setuid(1000);
        limit.rlim_max = 31;
        CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
}

TEST(processor_time_limit) {
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {1, 3};
        setrlimit(RLIMIT_CPU, &limit);
        for (;;)
            __asm__ volatile("");
    }
    CHECK_KILLED(pid, SIGXCPU);
}

TEST(process_count_limit) {
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {3, 3};
        CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
        CHECK(setuid(4321) == 0);
        int made = 0;
        pid_t child;
        while (made < 10 && (child = fork()) > 0)
            made++;
        if (made < 10 && child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
        CHECK_EQ(made, 2);
        CHECK_ERRNO(fork(), EAGAIN);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
}

TEST(random_bytes) {
    unsigned char a[256], b[256];
    CHECK_EQ(getrandom(a, sizeof a, 0), (long long)sizeof a);
    CHECK_EQ(getrandom(b, sizeof b, GRND_NONBLOCK), (long long)sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    int counts[256] = {0}, different = 0;
    for (size_t i = 0; i < sizeof a; i++)
        different += counts[a[i]]++ == 0;
    CHECK(different > 100);
    CHECK_EQ(getrandom(a, 0, 0), 0);
    CHECK_ERRNO(getrandom(a, 1, 0x80), EINVAL);
}

TEST(system_names) {
    struct utsname name;
    CHECK(uname(&name) == 0);
    CHECK(check_is(name.sysname, "Linux"));
    CHECK(check_is(name.machine, "x86_64"));
    CHECK(name.release[0] >= '5' && name.release[1] == '.');
    CHECK(sethostname("other-name", 10) == 0);
    CHECK(uname(&name) == 0);
    CHECK(check_is(name.nodename, "other-name"));
    CHECK(sethostname("keel", 4) == 0);
    CHECK_ERRNO(sethostname("x", -1), EINVAL);
    CHECK_ERRNO(sethostname("x", 65), EINVAL);
}

TEST(system_information) {
    struct sysinfo info;
    CHECK(sysinfo(&info) == 0);
    CHECK(info.totalram > 20000000 && info.freeram <= info.totalram);
    CHECK(info.procs >= 1 && info.mem_unit >= 1);
    CHECK(info.uptime < 100000);
}

TEST(processors) {
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
    CHECK(CPU_COUNT(&set) >= 1);
    CHECK_EQ(CPU_COUNT(&set), sysconf(_SC_NPROCESSORS_ONLN));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
    CHECK_EQ(sched_getcpu(), 0);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
    CPU_ZERO(&one);
    CHECK_ERRNO(sched_setaffinity(0, sizeof one, &one), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
    CHECK_ERRNO(sched_getaffinity(9999999, sizeof set, &set), ESRCH);
}

TEST(priorities) {
    errno = 0;
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
    CHECK_EQ(nice(3), 8);
    CHECK(setpriority(PRIO_PROCESS, 0, 100) == 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
    CHECK_ERRNO(getpriority(PRIO_PROCESS, 9999999), ESRCH);
    CHECK_ERRNO(getpriority(9, 0), EINVAL);
    CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
    CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
    CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_OTHER), 0);
    CHECK_ERRNO(syscall(SYS_sched_get_priority_max, 77), EINVAL);
    CHECK(sched_yield() == 0);
}

TEST(resource_usage) {
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    CHECK(usage.ru_maxrss > 0);
    CHECK(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    CHECK_ERRNO(getrusage(77, &usage), EINVAL);
}

TEST(capabilities) {
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } data[2];
    CHECK(syscall(SYS_capget, &header, data) == 0);
    CHECK(data[0].effective & 1u << 21); /* CAP_SYS_ADMIN, as root has it */
    header.version = 1;
    CHECK_ERRNO(syscall(SYS_capget, &header, data), EINVAL);
    CHECK_EQ(header.version, 0x20080522);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK_ERRNO(prctl(999999, 0, 0, 0, 0), EINVAL);
}

TEST(other_roots) {
    CHECK(mkdir("/tmp/jail", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(chroot("/tmp/jail") == 0);
        CHECK(chdir("/") == 0);
        CHECK_ERRNO(access("/bin/sh", F_OK), ENOENT);
        CHECK(close(open("/inside", O_CREAT | O_RDWR, 0600)) == 0);
        CHECK(chdir("../../..") == 0);
        CHECK(access("inside", F_OK) == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK(access("/tmp/jail/inside", F_OK) == 0);
    unlink("/tmp/jail/inside");
    rmdir("/tmp/jail");
}

TEST_MAIN()
