/* test: libc=musl,glibc */
/* Pseudo-terminals: settings, editing, raw reads, sizes, job control, hang-up, poll, names. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

static int master, slave;

static void set_flags(int fd, tcflag_t clear_local, tcflag_t clear_output) {
    struct termios settings;
    CHECK(tcgetattr(fd, &settings) == 0);
    settings.c_lflag &= ~clear_local;
    settings.c_oflag &= ~clear_output;
    CHECK(tcsetattr(fd, TCSANOW, &settings) == 0);
}

static void open_pair(void) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    CHECK(grantpt(master) == 0);
    CHECK(unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
}

static void type(const char *text) {
    CHECK_EQ(write(master, text, strlen(text)), (ssize_t)strlen(text));
}

/* Reads exactly what is expected. */
static void expect(int fd, const char *text) {
    char got[256];
    size_t have = 0, want = strlen(text);
    while (have < want) {
        struct pollfd ready = {fd, POLLIN, 0};
        if (poll(&ready, 1, 5000) != 1)
            check_fail("only %.*s of %s came", (int)have, got, text);
        ssize_t count = read(fd, got + have, want - have);
        CHECK(count > 0);
        have += (size_t)count;
    }
    if (memcmp(got, text, want) != 0)
        check_fail("got %.*s not %s", (int)have, got, text);
}

static void expect_nothing(int fd) {
    struct pollfd ready = {fd, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 50), 0);
}

TEST(line_editing) {
    open_pair();
    type("ab\177c\n");
    expect(master, "ab\b \bc\r\n");
    expect(slave, "ac\n");
    type("one two\27three\25four\n");
    char line[64];
    CHECK_EQ(read(slave, line, sizeof line), 5);
    CHECK(memcmp(line, "four\n", 5) == 0);
}

TEST(end_of_file) {
    char line[64];
    open_pair();
    type("\4");
    CHECK_EQ(read(slave, line, sizeof line), 0);
    type("ab\4");
    CHECK_EQ(read(slave, line, sizeof line), 2);
}

TEST(output_is_processed) {
    open_pair();
    CHECK_EQ(write(slave, "a\nb", 3), 3);
    expect(master, "a\r\nb");
    set_flags(slave, 0, OPOST);
    CHECK_EQ(write(slave, "a\nb", 3), 3);
    expect(master, "a\nb");
}

TEST(raw_reads) {
    struct termios settings;
    char bytes[16];
    open_pair();
    CHECK(tcgetattr(slave, &settings) == 0);
    cfmakeraw(&settings);
    settings.c_cc[VMIN] = 3;
    settings.c_cc[VTIME] = 0;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    type("ab");
    expect_nothing(slave);
    int waiting = 0;
    CHECK(ioctl(slave, FIONREAD, &waiting) == 0);
    CHECK_EQ(waiting, 2);
    type("c\3");
    CHECK_EQ(read(slave, bytes, sizeof bytes), 4);
    settings.c_cc[VMIN] = 0;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    CHECK_EQ(read(slave, bytes, sizeof bytes), 0);
    settings.c_cc[VTIME] = 2;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    uint64_t start = check_now_ns();
    CHECK_EQ(read(slave, bytes, sizeof bytes), 0);
    uint64_t waited = check_now_ns() - start;
    CHECK(waited >= 150000000 && waited < 3000000000u);
    settings.c_cc[VMIN] = 5;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    type("xy");
    CHECK_EQ(read(slave, bytes, sizeof bytes), 2); /* the pause ended it */
    expect_nothing(master);
}

TEST(nonblocking) {
    char byte;
    open_pair();
    CHECK(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    CHECK(fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    CHECK_ERRNO(read(slave, &byte, 1), EAGAIN);
    CHECK_ERRNO(read(master, &byte, 1), EAGAIN);
    type("x");
    check_sleep_ms(50);
    CHECK_ERRNO(read(slave, &byte, 1), EAGAIN);
}

TEST(settings_round_trip) {
    struct termios before, after;
    open_pair();
    CHECK(tcgetattr(slave, &before) == 0);
    CHECK_EQ(before.c_iflag, ICRNL | IXON);
    CHECK_EQ(before.c_oflag, OPOST | ONLCR);
    CHECK_EQ(before.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
    CHECK_EQ(before.c_cc[VINTR], 3);
    CHECK_EQ(before.c_cc[VERASE], 127);
    CHECK_EQ(cfgetospeed(&before), B38400);
    before.c_iflag |= IUTF8;
    before.c_cc[VEOL] = ';';
    CHECK(tcsetattr(slave, TCSAFLUSH, &before) == 0);
    CHECK(tcgetattr(master, &after) == 0); /* the master shows the slave's */
    CHECK_EQ(after.c_iflag, before.c_iflag);
    CHECK_EQ(after.c_cc[VEOL], ';');
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    CHECK_ERRNO(tcgetattr(pipes[0], &after), ENOTTY);
    CHECK_ERRNO(ioctl(slave, TCGETS, 8), EFAULT);
    CHECK_ERRNO(ioctl(slave, 0x5499, 0), ENOTTY);
}

TEST(sizes) {
    struct winsize size = {24, 80, 0, 0}, got = {0};
    open_pair();
    CHECK(ioctl(slave, TIOCGWINSZ, &got) == 0);
    CHECK_EQ(got.ws_row, 0);
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
    CHECK(ioctl(slave, TIOCGWINSZ, &got) == 0);
    CHECK_EQ(got.ws_row, 24);
    CHECK_EQ(got.ws_col, 80);
}

TEST(names) {
    struct stat status;
    char name[64], expected[64];
    unsigned number = 99;
    open_pair();
    CHECK(ioctl(master, TIOCGPTN, &number) == 0);
    snprintf(expected, sizeof expected, "/dev/pts/%u", number);
    CHECK(ttyname_r(slave, name, sizeof name) == 0);
    CHECK(check_is(name, expected));
    CHECK(stat(name, &status) == 0);
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQ(status.st_rdev, 136 << 8 | number);
    CHECK(isatty(master) && isatty(slave));
    close(slave);
    close(master);
    CHECK_ERRNO(stat(name, &status), ENOENT);
}

TEST(locked_until_unlocked) {
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    CHECK_ERRNO(open(ptsname(master), O_RDWR | O_NOCTTY), EIO);
    CHECK(unlockpt(master) == 0);
    CHECK(open(ptsname(master), O_RDWR | O_NOCTTY) >= 0);
}

TEST(the_slave_closes) {
    char byte;
    open_pair();
    CHECK_EQ(write(slave, "x", 1), 1);
    close(slave);
    struct pollfd ready = {master, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 1000), 1);
    CHECK_EQ(ready.revents, POLLIN | POLLHUP);
    CHECK_EQ(read(master, &byte, 1), 1);
    CHECK_ERRNO(read(master, &byte, 1), EIO);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    CHECK_EQ(poll(&ready, 1, 0), 0);
}

TEST(the_master_closes) {
    char byte;
    open_pair();
    close(master);
    struct pollfd ready = {slave, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&ready, 1, 1000), 1);
    CHECK(ready.revents & POLLHUP);
    CHECK_EQ(read(slave, &byte, 1), 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
    struct termios settings;
    CHECK_ERRNO(tcgetattr(slave, &settings), EIO);
}

TEST(much_output) {
    enum { TOTAL = 100000 };
    open_pair();
    set_flags(slave, 0, OPOST);
    pid_t pid = fork();
    if (pid == 0) {
        static char bytes[TOTAL];
        for (int i = 0; i < TOTAL; i++)
            bytes[i] = (char)('a' + i % 23);
        CHECK_EQ(write(slave, bytes, TOTAL), TOTAL);
        _exit(0);
    }
    char chunk[3000];
    for (int at = 0; at < TOTAL;) {
        ssize_t count = read(master, chunk, sizeof chunk);
        CHECK(count > 0);
        for (ssize_t i = 0; i < count; i++, at++)
            CHECK_EQ(chunk[i], 'a' + at % 23);
    }
    CHECK_EXITS(pid, 0);
}

TEST(much_input) {
    enum { LINES = 3000 };
    open_pair();
    set_flags(slave, ECHO, 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < LINES; i++) {
            char line[32];
            snprintf(line, sizeof line, "line %d\n", i);
            type(line);
        }
        _exit(0);
    }
    for (int i = 0; i < LINES; i++) {
        char line[32], want[32];
        snprintf(want, sizeof want, "line %d\n", i);
        CHECK_EQ(read(slave, line, sizeof line), (ssize_t)strlen(want));
        CHECK(memcmp(line, want, strlen(want)) == 0);
    }
    CHECK_EXITS(pid, 0);
}

TEST(flow_control) {
    open_pair();
    type("\23");
    check_sleep_ms(20);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQ(write(slave, "held", 4), 4);
        _exit(0);
    }
    expect_nothing(master);
    type("\21");
    expect(master, "held");
    CHECK_EXITS(pid, 0);
    CHECK(tcflow(slave, TCOOFF) == 0);
    pid = fork();
    if (pid == 0) {
        CHECK_EQ(write(slave, "more", 4), 4);
        _exit(0);
    }
    expect_nothing(master);
    CHECK(tcflow(slave, TCOON) == 0);
    expect(master, "more");
    CHECK_EXITS(pid, 0);
}

TEST(flushing) {
    open_pair();
    set_flags(slave, ECHO, 0);
    type("abc\n");
    check_sleep_ms(50);
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    expect_nothing(slave);
    CHECK_ERRNO(ioctl(slave, TCFLSH, 7), EINVAL);
}

/* ---- job control ---- */

static volatile sig_atomic_t caught;
static void catch (int signo) {
    caught = signo;
}

static void handle(int signo) {
    struct sigaction action = {.sa_handler = catch};
    sigaction(signo, &action, NULL);
}

/* For those that are awaited: they come in await() only, not in between. */
static void handle_blocked(int signo) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    sigprocmask(SIG_BLOCK, &set, NULL);
    handle(signo);
}

static void await(int signo) {
    sigset_t none;
    sigemptyset(&none);
    while (caught != signo)
        sigsuspend(&none);
}

/* Makes the calling process the leader of a session on the slave. */
static void lead(void) {
    CHECK(setsid() > 0);
    CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
    CHECK_EQ(tcgetpgrp(slave), getpid());
    CHECK_EQ(tcgetsid(slave), getpid());
}

TEST(opening_makes_it_controlling) {
    open_pair();
    pid_t pid = fork();
    if (pid == 0) {
        char name[64];
        snprintf(name, sizeof name, "%s", ptsname(master));
        CHECK(setsid() > 0);
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        int fd = open(name, O_RDWR);
        CHECK(fd >= 0);
        CHECK_EQ(tcgetpgrp(fd), getpid());
        CHECK(open("/dev/tty", O_RDWR) >= 0);
        CHECK(ioctl(fd, TIOCSCTTY, 0) == 0);
        signal(SIGHUP, SIG_IGN);
        CHECK(ioctl(fd, TIOCNOTTY, 0) == 0);
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        CHECK_ERRNO(tcgetpgrp(fd), ENOTTY);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
}

TEST(typed_signals) {
    open_pair();
    pid_t pid = fork();
    if (pid == 0) {
        handle_blocked(SIGINT);
        handle_blocked(SIGQUIT);
        handle_blocked(SIGTSTP);
        lead();
        CHECK_EQ(write(slave, "ready", 5), 5);
        await(SIGINT);
        CHECK_EQ(write(slave, "int", 3), 3);
        await(SIGQUIT);
        CHECK_EQ(write(slave, "quit", 4), 4);
        await(SIGTSTP);
        _exit(7);
    }
    expect(master, "ready");
    type("\3");
    expect(master, "^Cint");
    type("\34");
    expect(master, "^\\quit");
    type("\32");
    CHECK_EXITS(pid, 7);
}

TEST(a_signal_interrupts_a_read) {
    open_pair();
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        handle(SIGINT);
        lead();
        CHECK_EQ(write(slave, "ready", 5), 5);
        CHECK_ERRNO(read(slave, &byte, 1), EINTR);
        _exit(3);
    }
    expect(master, "ready");
    CHECK_STATE(pid, 'S');
    type("\3");
    CHECK_EXITS(pid, 3);
}

TEST(size_change_signals) {
    open_pair();
    pid_t pid = fork();
    if (pid == 0) {
        handle_blocked(SIGWINCH);
        lead();
        CHECK_EQ(write(slave, "ready", 5), 5);
        await(SIGWINCH);
        _exit(5);
    }
    expect(master, "ready");
    struct winsize size = {50, 100, 0, 0};
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
    CHECK_EXITS(pid, 5);
}

/* A background child of a session leader; report: what it exits with, or the signal that stopped it plus 100.
 */
static int in_background(int (*run)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(run());
    }
    setpgid(pid, pid);
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return 100 + WSTOPSIG(status);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

static int read_one(void) {
    char byte;
    return read(slave, &byte, 1) == 1 ? 0 : errno;
}
static int read_ignoring(void) {
    signal(SIGTTIN, SIG_IGN);
    return read_one();
}
static int write_one(void) {
    return write(slave, "w", 1) == 1 ? 0 : errno;
}
static int set_settings(void) {
    struct termios settings;
    tcgetattr(slave, &settings);
    return tcsetattr(slave, TCSANOW, &settings) == 0 ? 0 : errno;
}
static int take_foreground(void) {
    return tcsetpgrp(slave, getpid()) == 0 ? 0 : errno;
}
static int take_foreground_ignoring(void) {
    signal(SIGTTOU, SIG_IGN);
    return take_foreground();
}

TEST(background_access) {
    open_pair();
    pid_t pid = fork();
    if (pid == 0) {
        lead();
        CHECK_EQ(in_background(read_one), 100 + SIGTTIN);
        CHECK_EQ(in_background(read_ignoring), EIO);
        CHECK_EQ(in_background(write_one), 0);
        CHECK_EQ(in_background(set_settings), 100 + SIGTTOU);
        CHECK_EQ(in_background(take_foreground), 100 + SIGTTOU);
        struct termios settings;
        CHECK(tcgetattr(slave, &settings) == 0);
        settings.c_lflag |= TOSTOP;
        CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
        CHECK_EQ(in_background(write_one), 100 + SIGTTOU);
        CHECK_EQ(in_background(take_foreground_ignoring), 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
}

TEST(foreground_rules) {
    open_pair();
    pid_t pid = fork();
    if (pid == 0) {
        lead();
        CHECK_ERRNO(tcsetpgrp(slave, 99999), ESRCH);
        CHECK_ERRNO(tcsetpgrp(slave, -4), EINVAL);
        CHECK_ERRNO(tcsetpgrp(slave, getppid()), EPERM);
        CHECK_EQ(tcgetpgrp(master), getpid());
        int pipes[2];
        CHECK(pipe(pipes) == 0);
        CHECK_ERRNO(tcsetpgrp(pipes[0], getpid()), ENOTTY);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
    CHECK_ERRNO(ioctl(slave, TIOCSCTTY, 0), EPERM); /* not a session leader */
}

TEST(the_leader_ends) {
    open_pair();
    int ready[2];
    CHECK(pipe(ready) == 0);
    pid_t leader = fork();
    if (leader == 0) {
        lead();
        pid_t child = fork();
        if (child == 0) {
            handle_blocked(SIGHUP);
            CHECK_EQ(write(ready[1], "r", 1), 1);
            await(SIGHUP);
            CHECK_EQ(write(ready[1], "h", 1), 1);
            _exit(0);
        }
        char byte;
        CHECK_EQ(read(ready[0], &byte, 1), 1);
        _exit(0);
    }
    CHECK_EXITS(leader, 0);
    char byte = 0;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(byte, 'h');
}

TEST(hang_up_by_the_master) {
    open_pair();
    pid_t pid = fork();
    if (pid == 0) {
        close(master);
        lead();
        CHECK_EQ(write(slave, "ready", 5), 5);
        for (;;)
            pause();
    }
    expect(master, "ready");
    close(slave);
    close(master);
    CHECK_KILLED(pid, SIGHUP);
}

TEST(epoll_sees_typing) {
    open_pair();
    int set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = slave}, got;
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, slave, &event) == 0);
    CHECK_EQ(epoll_wait(set, &got, 1, 0), 0);
    type("x");
    CHECK_EQ(epoll_wait(set, &got, 1, 50), 0);
    type("\n");
    CHECK_EQ(epoll_wait(set, &got, 1, 5000), 1);
    CHECK_EQ(got.data.fd, slave);
    CHECK_EQ(got.events, EPOLLIN);
}

TEST(packet_mode) {
    int on = 1;
    char bytes[16];
    open_pair();
    CHECK(ioctl(master, TIOCPKT, &on) == 0);
    CHECK_EQ(write(slave, "abc", 3), 3);
    CHECK_EQ(read(master, bytes, sizeof bytes), 4);
    CHECK_EQ(bytes[0], TIOCPKT_DATA);
    CHECK(memcmp(bytes + 1, "abc", 3) == 0);
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    CHECK_EQ(read(master, bytes, sizeof bytes), 1);
    CHECK_EQ(bytes[0], TIOCPKT_FLUSHREAD);
}

TEST_MAIN()
