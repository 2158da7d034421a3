/* test: libc=musl,glibc cpus=1,4 */
/* POSIX message queues: names, priorities, waiting, notification, polling, limits, the end. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { SIZE = 64, COUNT = 4, SIZE_USUAL = 8192, PRIORITY_MOST = 32767 };

static mqd_t queue_open(const char *name, int flags) {
    struct mq_attr attributes = {.mq_maxmsg = COUNT, .mq_msgsize = SIZE};
    mqd_t queue;
    CHECK((queue = mq_open(name, flags, 0600, &attributes)) >= 0);
    return queue;
}

static mqd_t queue_new(const char *name, int flags) {
    mq_unlink(name);
    return queue_open(name, O_CREAT | O_EXCL | O_RDWR | flags);
}

static struct mq_attr state_of(mqd_t queue) {
    struct mq_attr state;
    CHECK(mq_getattr(queue, &state) == 0);
    return state;
}

static void put(mqd_t queue, const char *text, unsigned priority) {
    CHECK(mq_send(queue, text, strlen(text), priority) == 0);
}

static void expect(mqd_t queue, const char *text, unsigned priority) {
    char got[SIZE];
    unsigned found = 99;
    CHECK_EQ(mq_receive(queue, got, SIZE, &found), strlen(text));
    CHECK(memcmp(got, text, strlen(text)) == 0);
    CHECK_EQ(found, priority);
}

static pid_t child_receives(mqd_t queue, const char *text, unsigned priority) {
    pid_t pid = fork();
    if (pid == 0) {
        expect(queue, text, priority);
        _exit(0);
    }
    CHECK(pid > 0);
    CHECK_STATE(pid, 'S');
    return pid;
}

static pid_t child_sends(mqd_t queue, const char *text, unsigned priority) {
    pid_t pid = fork();
    if (pid == 0) {
        put(queue, text, priority);
        _exit(0);
    }
    CHECK(pid > 0);
    CHECK_STATE(pid, 'S');
    return pid;
}

TEST(names) {
    char longest[258];
    mq_unlink("/q1");
    CHECK_ERRNO(mq_open("/q1", O_RDWR), ENOENT);
    CHECK_ERRNO(mq_unlink("/q1"), ENOENT);
    mqd_t queue = queue_new("/q1", 0);
    CHECK_ERRNO(mq_open("/q1", O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
    mqd_t same = queue_open("/q1", O_CREAT | O_RDWR);
    CHECK(same != queue);
    put(queue, "one", 0);
    expect(same, "one", 0);
    CHECK(mq_unlink("/q1") == 0);
    put(queue, "two", 0); /* lives on without a name */
    CHECK_ERRNO(mq_open("/q1", O_RDWR), ENOENT);
    mqd_t other = queue_new("/q1", 0);
    CHECK_EQ(state_of(other).mq_curmsgs, 0);
    expect(same, "two", 0);
    CHECK(mq_close(queue) == 0 && mq_close(same) == 0 && mq_close(other) == 0 && mq_unlink("/q1") == 0);
    CHECK_ERRNO(syscall(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
    CHECK_ERRNO(syscall(SYS_mq_open, ".", O_RDWR, 0, NULL), EACCES);
    CHECK_ERRNO(syscall(SYS_mq_open, "", O_RDWR, 0, NULL), ENOENT);
    CHECK_ERRNO(syscall(SYS_mq_open, 8, O_RDWR, 0, NULL), EFAULT);
    CHECK_ERRNO(syscall(SYS_mq_open, "x", O_CREAT, 0, 8), EFAULT);
    memset(longest, 'n', sizeof longest);
    longest[0] = '/';
    longest[256] = 0;
    queue = queue_new(longest, 0);
    CHECK(mq_close(queue) == 0 && mq_unlink(longest) == 0);
    longest[256] = 'n';
    longest[257] = 0;
    CHECK_ERRNO(mq_open(longest, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
}

TEST(attributes) {
    mqd_t queue = queue_new("/q2", O_NONBLOCK);
    struct mq_attr state = state_of(queue), old;
    CHECK(state.mq_flags == O_NONBLOCK && state.mq_maxmsg == COUNT && state.mq_msgsize == SIZE &&
          !state.mq_curmsgs);
    state.mq_flags = 0;
    state.mq_maxmsg = 99; /* is not looked at */
    CHECK(mq_setattr(queue, &state, &old) == 0);
    CHECK(old.mq_flags == O_NONBLOCK && state_of(queue).mq_flags == 0 && state_of(queue).mq_maxmsg == COUNT);
    CHECK_EQ(fcntl(queue, F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_RDWR);
    CHECK_EQ(fcntl(queue, F_GETFD), FD_CLOEXEC);
    state.mq_flags = O_APPEND;
    CHECK_ERRNO(mq_setattr(queue, &state, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_mq_getsetattr, queue, 8, NULL), EFAULT);
    CHECK_ERRNO(syscall(SYS_mq_getsetattr, queue, NULL, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_mq_getsetattr, 0, NULL, &state), EBADF);
    struct stat status;
    CHECK(fstat(queue, &status) == 0);
    CHECK(S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0600 && status.st_size == 80);
    CHECK(mq_close(queue) == 0);
    CHECK_ERRNO(syscall(SYS_mq_getsetattr, queue, NULL, &state), EBADF);
    CHECK(mq_unlink("/q2") == 0);
    mq_unlink("/q2d");
    CHECK((queue = mq_open("/q2d", O_CREAT | O_RDWR, 0666, NULL)) >= 0);
    state = state_of(queue);
    CHECK(state.mq_maxmsg == 10 && state.mq_msgsize == SIZE_USUAL);
    CHECK(fstat(queue, &status) == 0);
    CHECK_EQ(status.st_mode & 0777, 0644); /* the umask's */
    CHECK(mq_unlink("/q2d") == 0);
}

TEST(priorities) {
    char got[SIZE];
    mqd_t queue = queue_new("/q3", O_NONBLOCK);
    CHECK_ERRNO(mq_receive(queue, got, SIZE, NULL), EAGAIN);
    put(queue, "low", 1);
    put(queue, "first", 5);
    put(queue, "second", 5);
    put(queue, "best", PRIORITY_MOST);
    CHECK_EQ(state_of(queue).mq_curmsgs, COUNT);
    CHECK_ERRNO(mq_send(queue, "x", 1, 0), EAGAIN);
    expect(queue, "best", PRIORITY_MOST);
    put(queue, "third", 5);
    expect(queue, "first", 5);
    expect(queue, "second", 5);
    expect(queue, "third", 5);
    expect(queue, "low", 1);
    put(queue, "", 0);
    CHECK_EQ(mq_receive(queue, got, SIZE, NULL), 0);
    CHECK_ERRNO(mq_send(queue, "x", 1, PRIORITY_MOST + 1), EINVAL);
    CHECK_ERRNO(mq_send(queue, got, SIZE + 1, 0), EMSGSIZE);
    CHECK_ERRNO(mq_receive(queue, got, SIZE - 1, NULL), EMSGSIZE);
    CHECK_ERRNO(syscall(SYS_mq_timedsend, queue, 8, 1, 0, NULL), EFAULT);
    CHECK_ERRNO(mq_send(0, "x", 1, 0), EBADF);
    put(queue, "lost", 0);
    CHECK_ERRNO(syscall(SYS_mq_timedreceive, queue, 8, SIZE, NULL, NULL), EFAULT);
    CHECK_EQ(state_of(queue).mq_curmsgs, 0);
    mqd_t reader = queue_open("/q3", O_RDONLY), writer = queue_open("/q3", O_WRONLY);
    CHECK_ERRNO(mq_send(reader, "x", 1, 0), EBADF);
    CHECK_ERRNO(mq_receive(writer, got, SIZE, NULL), EBADF);
    put(writer, "through", 3);
    expect(reader, "through", 3);
    CHECK(mq_unlink("/q3") == 0);
}

TEST(waits) {
    mqd_t queue = queue_new("/q4", 0);
    pid_t first = child_receives(queue, "a", 2), second = child_receives(queue, "b", 1);
    put(queue, "a", 2);
    CHECK_EXITS(first, 0);
    CHECK_EQ(state_of(queue).mq_curmsgs, 0);
    put(queue, "b", 1);
    CHECK_EXITS(second, 0);
    for (int i = 0; i < COUNT; i++)
        put(queue, "full", 4);
    first = child_sends(queue, "late", 2);
    second = child_sends(queue, "better", 6);
    CHECK_EQ(state_of(queue).mq_curmsgs, COUNT);
    expect(queue, "full", 4);
    CHECK_EXITS(first, 0); /* who waited longest */
    expect(queue, "full", 4);
    CHECK_EXITS(second, 0);
    expect(queue, "better", 6);
    expect(queue, "full", 4);
    expect(queue, "full", 4);
    expect(queue, "late", 2);
    /* A better thread goes before one that waits longer. */
    first = child_receives(queue, "2", 0);
    second = fork();
    if (!second) {
        struct sched_param best = {.sched_priority = 10};
        CHECK(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &best) == 0); /* not musl's */
        expect(queue, "1", 0);
        _exit(0);
    }
    CHECK_STATE(second, 'S');
    put(queue, "1", 0);
    CHECK_EXITS(second, 0);
    put(queue, "2", 0);
    CHECK_EXITS(first, 0);
    CHECK(mq_unlink("/q4") == 0);
}

static int signals, signal_fd = -1;
static siginfo_t last_signal;
static void on_signal(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    last_signal = *info;
    signals++;
    if (signal_fd >= 0)
        (void)!write(signal_fd, "s", 1);
}

static void handle(int number, int flags) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(number, &action, NULL) == 0);
}

TEST(timeouts_and_signals) {
    char got[SIZE];
    struct timespec soon, past = {1, 0}, bad = {1, 1000000000}, negative = {-1, 0};
    mqd_t queue = queue_new("/q5", 0);
    CHECK_ERRNO(mq_timedreceive(queue, got, SIZE, NULL, &past), ETIMEDOUT);
    CHECK_ERRNO(mq_timedreceive(queue, got, SIZE, NULL, &bad), EINVAL);
    CHECK_ERRNO(mq_timedreceive(queue, got, SIZE, NULL, &negative), EINVAL);
    CHECK_ERRNO(syscall(SYS_mq_timedreceive, queue, got, SIZE, NULL, 8), EFAULT);
    clock_gettime(CLOCK_REALTIME, &soon);
    uint64_t start = check_now_ns();
    soon.tv_nsec += 40000000;
    if (soon.tv_nsec >= 1000000000) {
        soon.tv_nsec -= 1000000000;
        soon.tv_sec++;
    }
    CHECK_ERRNO(mq_timedreceive(queue, got, SIZE, NULL, &soon), ETIMEDOUT);
    CHECK(check_now_ns() - start >= 35000000);
    for (int i = 0; i < COUNT; i++)
        CHECK(mq_timedsend(queue, "x", 1, 0, &past) == 0); /* does not wait */
    CHECK_ERRNO(mq_timedsend(queue, "x", 1, 0, &past), ETIMEDOUT);
    CHECK_ERRNO(mq_timedsend(queue, "x", 1, 0, &bad), EINVAL);
    pid_t pid = child_sends(queue, "never", 9);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
    for (int i = 0; i < COUNT; i++)
        expect(queue, "x", 0);
    for (int restart = 0; restart < 2; restart++) {
        int ready[2];
        CHECK(pipe(ready) == 0);
        pid = fork();
        if (!pid) {
            handle(SIGUSR1, restart ? SA_RESTART : 0);
            signal_fd = ready[1];
            CHECK(write(ready[1], "x", 1) == 1);
            if (restart)
                expect(queue, "again", 0);
            else
                CHECK_ERRNO(mq_receive(queue, got, SIZE, NULL), EINTR);
            CHECK_EQ(signals, 1);
            _exit(0);
        }
        CHECK(read(ready[0], got, 1) == 1);
        CHECK_STATE(pid, 'S');
        kill(pid, SIGUSR1);
        CHECK(read(ready[0], got, 1) == 1); /* the handler's */
        if (restart)
            put(queue, "again", 0);
        CHECK_EXITS(pid, 0);
    }
    CHECK(mq_unlink("/q5") == 0);
}

TEST(polling) {
    mqd_t queue = queue_new("/q6", 0);
    struct pollfd wait = {queue, POLLIN | POLLOUT, 0};
    CHECK(poll(&wait, 1, 0) == 1 && wait.revents == POLLOUT);
    put(queue, "x", 0);
    CHECK(poll(&wait, 1, 0) == 1 && wait.revents == (POLLIN | POLLOUT));
    for (int i = 1; i < COUNT; i++)
        put(queue, "x", 0);
    CHECK(poll(&wait, 1, 0) == 1 && wait.revents == POLLIN);
    wait.events = POLLOUT;
    pid_t pid = fork();
    if (!pid) {
        CHECK(poll(&wait, 1, -1) == 1 && wait.revents == POLLOUT);
        _exit(0);
    }
    CHECK_STATE(pid, 'S');
    expect(queue, "x", 0);
    CHECK_EXITS(pid, 0);
    for (int i = 1; i < COUNT; i++)
        expect(queue, "x", 0);
    wait.events = POLLIN;
    pid = fork();
    if (!pid) {
        CHECK(poll(&wait, 1, -1) == 1 && wait.revents == POLLIN);
        _exit(0);
    }
    CHECK_STATE(pid, 'S');
    put(queue, "x", 0);
    CHECK_EXITS(pid, 0);
    char text[128] = "";
    CHECK(lseek(queue, 0, SEEK_SET) == 0);
    CHECK(read(queue, text, sizeof text) > 0);
    CHECK(strcmp(text, "QSIZE:1          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n") == 0);
    CHECK_ERRNO(write(queue, "x", 1), EINVAL);
    CHECK(mq_unlink("/q6") == 0);
}

TEST(notify_by_signal) {
    mqd_t queue = queue_new("/q7", 0);
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 77};
    handle(SIGRTMIN + 1, 0);
    CHECK(mq_notify(queue, &event) == 0);
    CHECK_ERRNO(mq_notify(queue, &event), EBUSY);
    pid_t pid = fork();
    if (!pid) {
        struct sigevent none = {.sigev_notify = SIGEV_NONE};
        CHECK_ERRNO(mq_notify(queue, &none), EBUSY);
        CHECK(mq_notify(queue, NULL) == 0); /* another one's stays */
        CHECK_ERRNO(mq_notify(queue, &none), EBUSY);
        put(queue, "x", 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(signals, 1);
    CHECK(last_signal.si_code == SI_MESGQ && last_signal.si_value.sival_int == 77);
    CHECK(last_signal.si_pid == pid && last_signal.si_uid == getuid());
    put(queue, "y", 0); /* only once, */
    CHECK(mq_notify(queue, &event) == 0);
    put(queue, "z", 0); /* and only at an empty queue */
    CHECK_EQ(signals, 1);
    expect(queue, "x", 0);
    expect(queue, "y", 0);
    expect(queue, "z", 0);
    pid = child_receives(queue, "taken", 0); /* a receiver goes first */
    put(queue, "taken", 0);
    CHECK_EXITS(pid, 0);
    CHECK_EQ(signals, 1);
    CHECK(mq_notify(queue, NULL) == 0);
    put(queue, "x", 0);
    CHECK_EQ(signals, 1);
    expect(queue, "x", 0);
    /* A closed descriptor ends it, also somebody else's end. */
    CHECK(mq_notify(queue, &event) == 0);
    mqd_t same = queue_open("/q7", O_RDWR);
    CHECK(mq_close(same) == 0);
    put(queue, "x", 0);
    CHECK_EQ(signals, 1);
    pid = fork();
    if (!pid) {
        CHECK(mq_notify(queue, &event) == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    event.sigev_notify = SIGEV_NONE;
    CHECK(mq_notify(queue, &event) == 0);
    event.sigev_notify = 99;
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, &event), EINVAL);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    CHECK_ERRNO(mq_notify(queue, &event), EINVAL);
    event.sigev_signo = SIGUSR1;
    CHECK_ERRNO(mq_notify(0, &event), EBADF);
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, 8), EFAULT);
    CHECK(mq_unlink("/q7") == 0);
}

static _Atomic int thread_value;
static void on_message(union sigval value) {
    thread_value = value.sival_int;
}

/* As libraries do it: a thread of theirs reads from a netlink socket. */
TEST(notify_by_thread) {
    mqd_t queue = queue_new("/q8", 0);
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_message, .sigev_value.sival_int = 5};
    for (int turn = 0; turn < 3; turn++) {
        event.sigev_value.sival_int = 5 + turn;
        CHECK(mq_notify(queue, &event) == 0);
        put(queue, "x", 0);
        while (thread_value != 5 + turn)
            sched_yield();
        expect(queue, "x", 0);
    }
    char cookie[32] = "cookie";
    int ends[2];
    int netlink = socket(AF_NETLINK, SOCK_RAW, 0);
    CHECK(netlink >= 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    struct sigevent raw = {
        .sigev_notify = SIGEV_THREAD, .sigev_signo = netlink, .sigev_value.sival_ptr = cookie};
    CHECK(syscall(SYS_mq_notify, queue, &raw) == 0);
    CHECK_ERRNO(recv(netlink, cookie, 32, MSG_DONTWAIT), EAGAIN);
    put(queue, "x", 0);
    memset(cookie, 9, 32);
    CHECK_EQ(recv(netlink, cookie, 32, 0), 32);
    CHECK(strcmp(cookie, "cookie") == 0 && cookie[31] == 1);
    CHECK(syscall(SYS_mq_notify, queue, &raw) == 0);
    CHECK(mq_notify(queue, NULL) == 0); /* which is told, too */
    CHECK_EQ(recv(netlink, cookie, 32, 0), 32);
    CHECK_EQ(cookie[31], 2);
    raw.sigev_signo = ends[0];
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, &raw), EINVAL);
    raw.sigev_signo = queue;
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, &raw), ENOTSOCK);
    raw.sigev_signo = 999;
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, &raw), EBADF);
    raw.sigev_value.sival_ptr = (void *)8;
    CHECK_ERRNO(syscall(SYS_mq_notify, queue, &raw), EFAULT);
    CHECK(mq_unlink("/q8") == 0);
}

static void limit_write(const char *name, const char *text, int error) {
    char path[64];
    snprintf(path, sizeof path, "/proc/sys/fs/mqueue/%s", name);
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs(text, file);
    errno = 0;
    int result = fclose(file), found = errno;
    CHECK(error ? result == EOF && found == error : result == 0);
}

static int limit_of(const char *name) {
    char path[64];
    int value = -1;
    snprintf(path, sizeof path, "/proc/sys/fs/mqueue/%s", name);
    FILE *file = fopen(path, "r");
    CHECK(file && fscanf(file, "%d", &value) == 1);
    fclose(file);
    return value;
}

static void expect_refused(long count, long size, int error) {
    struct mq_attr attributes = {.mq_maxmsg = count, .mq_msgsize = size};
    CHECK_ERRNO(mq_open("/q9", O_CREAT | O_EXCL | O_RDWR, 0600, &attributes), error);
}

TEST(limits) {
    CHECK(limit_of("queues_max") == 256 && limit_of("msg_max") == 10 && limit_of("msgsize_max") == 8192);
    CHECK(limit_of("msg_default") == 10 && limit_of("msgsize_default") == 8192);
    mq_unlink("/q9");
    expect_refused(0, 1, EINVAL);
    expect_refused(1, 0, EINVAL);
    expect_refused(-1, 1, EINVAL);
    expect_refused(65537, 1, EINVAL);
    expect_refused(1, (16 << 20) + 1, EINVAL);
    expect_refused(100, 8193, EMFILE); /* RLIMIT_MSGQUEUE */
    pid_t pid = fork();
    if (!pid) {
        struct rlimit limit = {2 * (COUNT * SIZE + COUNT * 96), 819200};
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        expect_refused(11, 1, EINVAL);
        expect_refused(1, 8193, EINVAL);
        CHECK(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
        mqd_t a = queue_new("/qa", 0);
        queue_new("/qb", 0);
        expect_refused(1, 1, EMFILE);
        CHECK(mq_unlink("/qa") == 0);
        expect_refused(1, 1, EMFILE); /* still open */
        CHECK(mq_close(a) == 0);
        queue_new("/qa", 0);
        CHECK(mq_unlink("/qa") == 0 && mq_unlink("/qb") == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    limit_write("msg_max", "12", 0);
    limit_write("msg_default", "5", 0);
    limit_write("msgsize_default", "128", 0);
    mqd_t queue;
    CHECK((queue = mq_open("/q9", O_CREAT | O_RDWR, 0600, NULL)) >= 0);
    CHECK(state_of(queue).mq_maxmsg == 5 && state_of(queue).mq_msgsize == 128);
    CHECK(mq_unlink("/q9") == 0);
    limit_write("msg_max", "0", EINVAL);
    limit_write("msg_max", "65537", EINVAL);
    limit_write("msgsize_max", "127", EINVAL);
    limit_write("queues_max", "1", 0);
    pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        expect_refused(1, 1, ENOSPC);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    limit_write("queues_max", "256", 0);
    limit_write("msg_max", "10", 0);
    limit_write("msg_default", "10", 0);
    limit_write("msgsize_default", "8192", 0);
}

TEST(permissions) {
    mqd_t queue = queue_new("/qp", 0);
    CHECK(fchmod(queue, 0604) == 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(mq_open("/qp", O_RDWR), EACCES);
        CHECK_ERRNO(mq_open("/qp", O_WRONLY), EACCES);
        CHECK_ERRNO(mq_open("/qp", O_RDWR | O_WRONLY), EINVAL);
        CHECK(mq_open("/qp", O_RDONLY) >= 0);
        CHECK_ERRNO(syscall(SYS_mq_unlink, "qp"), EPERM);
        queue_new("/qown", 0);
        CHECK(mq_unlink("/qown") == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK(mq_unlink("/qp") == 0);
}

/* The queues are files of a file system that can be mounted. */
TEST(mounted) {
    struct stat status;
    char text[128] = "";
    mqd_t queue = queue_new("/qm", 0);
    put(queue, "four", 0);
    mkdir("/tmp", 01777);
    mkdir("/tmp/mq", 0755);
    CHECK(mount("mqueue", "/tmp/mq", "mqueue", 0, NULL) == 0);
    CHECK(stat("/tmp/mq", &status) == 0);
    CHECK_EQ(status.st_mode, S_IFDIR | 01777);
    CHECK(stat("/tmp/mq/qm", &status) == 0);
    CHECK(status.st_size == 80 && (status.st_mode & 0777) == 0600);
    int file;
    CHECK((file = open("/tmp/mq/qm", O_RDONLY)) >= 0);
    CHECK(read(file, text, sizeof text) > 0);
    CHECK(strncmp(text, "QSIZE:4 ", 8) == 0);
    expect(file, "four", 0); /* a queue's descriptor as good as any */
    close(file);
    CHECK((file = open("/tmp/mq/made", O_CREAT | O_RDWR, 0600)) >= 0);
    CHECK_EQ(state_of(file).mq_maxmsg, 10);
    close(file);
    CHECK((file = mq_open("/made", O_RDWR)) >= 0);
    CHECK_ERRNO(mkdir("/tmp/mq/d", 0755), EPERM);
    CHECK(unlink("/tmp/mq/made") == 0 && unlink("/tmp/mq/qm") == 0);
    CHECK_ERRNO(mq_open("/made", O_RDWR), ENOENT);
    CHECK_ERRNO(mq_unlink("/qm"), ENOENT);
    CHECK(umount("/tmp/mq") == 0);
}

/* Several senders and receivers at a queue that is often full: each message arrives once, none is left. */
TEST(at_once) {
    enum { WORKERS = 3, MESSAGES = 200 };
    mqd_t queue = queue_new("/qx", 0);
    pid_t senders[WORKERS], receivers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        senders[i] = fork();
        for (int n = 0; !senders[i] && n < MESSAGES; n++) {
            char text[] = {(char)i};
            CHECK(mq_send(queue, text, 1, (unsigned)n % 7) == 0);
        }
        if (!senders[i])
            _exit(0);
        receivers[i] = fork();
        for (int n = 0; !receivers[i] && n < MESSAGES; n++) {
            char got[SIZE];
            CHECK_EQ(mq_receive(queue, got, SIZE, NULL), 1);
        }
        if (!receivers[i])
            _exit(0);
    }
    for (int i = 0; i < WORKERS; i++) {
        CHECK_EXITS(senders[i], 0);
        CHECK_EXITS(receivers[i], 0);
    }
    CHECK_EQ(state_of(queue).mq_curmsgs, 0);
    CHECK(mq_unlink("/qx") == 0);
}

TEST_MAIN()
