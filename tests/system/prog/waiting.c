/* test: libc=musl,glibc */
/* Waiting for many: poll, select, epoll, eventfd, timerfd, signalfd. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static int ends[2];
static volatile int alarms;

static void on_alarm(int signo) {
    (void)signo;
    alarms++;
}

static void make(void) {
    CHECK(pipe(ends) == 0);
}

static long elapsed_ms(uint64_t since) {
    return (long)((check_now_ns() - since) / 1000000);
}

TEST(poll_results) {
    make();
    struct pollfd set[4] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}, {-1, POLLIN, 77}, {500, POLLIN, 0}};
    CHECK_EQ(poll(set, 3, 0), 1);
    CHECK_EQ(set[0].revents, 0);
    CHECK_EQ(set[1].revents, POLLOUT);
    CHECK_EQ(set[2].revents, 0);
    CHECK_EQ(poll(set, 4, 0), 2);
    CHECK_EQ(set[3].revents, POLLNVAL);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(poll(set, 2, -1), 2);
    CHECK_EQ(set[0].revents, POLLIN);
    close(ends[1]);
    CHECK_EQ(poll(set, 1, 0), 1);
    CHECK_EQ(set[0].revents, POLLIN | POLLHUP);
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(poll(set, 1, 0), 1);
    CHECK_EQ(set[0].revents, POLLHUP);
    make();
    close(ends[0]);
    set[0] = (struct pollfd){ends[1], POLLOUT, 0};
    CHECK_EQ(poll(set, 1, 0), 1);
    CHECK_EQ(set[0].revents, POLLOUT | POLLERR);
}

TEST(poll_waits_and_times_out) {
    make();
    struct pollfd one = {ends[0], POLLIN, 0};
    uint64_t begin = check_now_ns();
    CHECK_EQ(poll(&one, 1, 50), 0);
    CHECK(elapsed_ms(begin) >= 50);
    CHECK_EQ(poll(NULL, 0, 1), 0);
    pid_t pid = fork();
    if (pid == 0) {
        check_sleep_ms(30);
        (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    CHECK_EQ(poll(&one, 1, 10000), 1);
    CHECK_EQ(one.revents, POLLIN);
    CHECK_EXITS(pid, 0);
}

TEST(poll_is_interrupted) {
    make();
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 20000);
    struct pollfd one = {ends[0], POLLIN, 0};
    CHECK_ERRNO(poll(&one, 1, 5000), EINTR); /* never restarted */
    ualarm(0, 0);
    int before = alarms;
    CHECK(before >= 1);
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGALRM);
    struct timespec second = {1, 0};
    CHECK_ERRNO(ppoll(&one, 1, &second, &none), EINTR);
    CHECK_EQ(alarms, before + 1);
    raise(SIGALRM);
    CHECK_EQ(ppoll(&one, 1, &(struct timespec){0, 1000000}, NULL), 0);
}

TEST(poll_limits) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    struct pollfd one = {0, 0, 0};
    CHECK_ERRNO(poll(&one, (nfds_t)-1, 0), EINVAL);
    CHECK_ERRNO(ppoll(&one, 0, &(struct timespec){0, -1}, NULL), EINVAL);
}

TEST(select_results) {
    make();
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    struct timeval zero = {0, 0};
    CHECK_EQ(select(ends[1] + 1, &in, &out, NULL, &zero), 1);
    CHECK(!FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    FD_SET(ends[0], &in);
    CHECK_EQ(select(ends[1] + 1, &in, &out, NULL, NULL), 2);
    FD_ZERO(&in);
    FD_SET(40, &in);
    CHECK_ERRNO(select(41, &in, NULL, NULL, &zero), EBADF);
    CHECK_ERRNO(select(-1, &in, NULL, NULL, &zero), EINVAL);
}

TEST(select_tells_what_is_left) {
    make();
    fd_set in;
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    struct {
        long seconds, microseconds;
    } time = {10, 0};
    pid_t pid = fork();
    if (pid == 0) {
        check_sleep_ms(20);
        (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    CHECK_EQ(syscall(SYS_select, ends[0] + 1, &in, NULL, NULL, &time), 1);
    CHECK(time.seconds < 10);
    CHECK_EXITS(pid, 0);
    time.seconds = -1;
    CHECK_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, &time), EINVAL);
}

TEST(pselect_mask) {
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    ualarm(20000, 0); /* waits, too */
    CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &(struct timespec){5, 0}, &none), EINTR);
    CHECK_EQ(alarms, 1);
}

TEST(epoll_level_and_edge) {
    make();
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[4];
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event), EEXIST);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 0);
    CHECK_EQ(write(ends[1], "xy", 2), 2);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(epoll_wait(set, got, 4, 1000), 1);
        CHECK(got[0].events == EPOLLIN && got[0].data.u64 == 0x1122334455667788);
    }
    event.events = EPOLLIN | EPOLLET;
    CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 1);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 0);
    CHECK_EQ(write(ends[1], "z", 1), 1);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 1);
    event.events = EPOLLIN | EPOLLONESHOT;
    CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 1);
    CHECK_EQ(write(ends[1], "z", 1), 1);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 0);
    CHECK(epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL) == 0);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL), ENOENT);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, set, &event), EINVAL);
    CHECK_ERRNO(epoll_wait(set, got, 0, 0), EINVAL);
    int file = open("/etc/passwd", O_RDONLY);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, file, &event), EPERM);
}

TEST(epoll_forgets_closed) {
    make();
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLOUT}, got[4];
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[1], &event) == 0);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 1);
    close(ends[1]);
    CHECK_EQ(epoll_wait(set, got, 4, 0), 0);
}

TEST(epoll_wakes) {
    make();
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP}, got[4];
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        check_sleep_ms(30);
        (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    CHECK_EQ(epoll_wait(set, got, 4, -1), 1);
    CHECK_EXITS(pid, 0);
    struct pollfd one = {set, POLLIN, 0};
    CHECK_EQ(poll(&one, 1, 0), 1);
}

TEST(event_counter) {
    int fd = eventfd(3, EFD_NONBLOCK);
    uint64_t value = 0;
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 3);
    CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
    CHECK_ERRNO(read(fd, &value, 4), EINVAL);
    value = UINT64_MAX;
    CHECK_ERRNO(write(fd, &value, 8), EINVAL);
    value = UINT64_MAX - 1;
    CHECK_EQ(write(fd, &value, 8), 8);
    value = 1;
    CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&one, 1, 0), 1);
    CHECK_EQ(one.revents, POLLIN);
    int semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(read(semaphore, &value, 8), 8);
        CHECK_EQ(value, 1);
    }
    CHECK_ERRNO(read(semaphore, &value, 8), EAGAIN);
}

TEST(timer_descriptor) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    uint64_t count;
    CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
    struct itimerspec spec = {{0, 10000000}, {0, 10000000}}, now;
    CHECK(timerfd_settime(fd, 0, &spec, NULL) == 0);
    struct pollfd one = {fd, POLLIN, 0};
    CHECK_EQ(poll(&one, 1, 5000), 1);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count >= 1);
    check_sleep_ms(55);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count >= 4);
    CHECK(timerfd_gettime(fd, &now) == 0);
    CHECK(now.it_interval.tv_nsec == 10000000 && now.it_value.tv_nsec <= 10000000);
    spec = (struct itimerspec){{0, 0}, {0, 0}};
    CHECK(timerfd_settime(fd, 0, &spec, &now) == 0);
    CHECK_EQ(poll(&one, 1, 30), 0);
    CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
}

TEST(signal_descriptor) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo info;
    CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);
    raise(SIGUSR1);
    struct pollfd one = {fd, POLLIN, 0};
    CHECK_EQ(poll(&one, 1, 0), 1);
    CHECK_EQ(read(fd, &info, sizeof info), (long long)sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR1);
    CHECK_EQ(info.ssi_pid, getpid());
    sigset_t pending;
    sigpending(&pending);
    CHECK(!sigismember(&pending, SIGUSR1));
}

TEST(files_are_always_ready) {
    int fd = open("/etc/passwd", O_RDONLY);
    struct pollfd set[2] = {{fd, POLLIN | POLLOUT, 0}, {open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0}};
    CHECK_EQ(poll(set, 2, 0), 2);
    CHECK_EQ(set[0].revents, POLLIN | POLLOUT);
    CHECK_EQ(set[1].revents, POLLIN | POLLOUT);
}

TEST_MAIN()
