/* test: libc=musl,glibc */
/* /dev: memory devices, pseudo-terminals and their line discipline, the controlling terminal. */
#include "tests/system/prog/check.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

TEST(null_zero_full_random) {
    char bytes[64];
    int fd = open("/dev/null", O_RDWR);
    CHECK_EQ(write(fd, bytes, 64), 64);
    CHECK_EQ(read(fd, bytes, 64), 0);
    struct stat info;
    CHECK(fstat(fd, &info) == 0 && S_ISCHR(info.st_mode));
    CHECK(major(info.st_rdev) == 1 && minor(info.st_rdev) == 3);
    fd = open("/dev/zero", O_RDWR);
    memset(bytes, 1, sizeof bytes);
    CHECK_EQ(read(fd, bytes, 64), 64);
    CHECK(bytes[0] == 0 && bytes[63] == 0);
    CHECK_EQ(write(fd, bytes, 64), 64);
    fd = open("/dev/full", O_RDWR);
    CHECK_ERRNO(write(fd, bytes, 1), ENOSPC);
    CHECK_EQ(read(fd, bytes, 64), 64);
    for (int i = 0; i < 2; i++) {
        char other[64];
        fd = open(i ? "/dev/random" : "/dev/urandom", O_RDWR);
        CHECK_EQ(read(fd, bytes, 64), 64);
        CHECK_EQ(read(fd, other, 64), 64);
        CHECK(memcmp(bytes, other, 64) != 0);
        CHECK_EQ(write(fd, bytes, 64), 64);
    }
    CHECK_ERRNO(ioctl(open("/dev/zero", O_RDONLY), TCGETS, bytes), ENOTTY);
}

TEST(no_such_device) {
    CHECK(mknod("/tmp/device", S_IFCHR | 0600, makedev(200, 77)) == 0);
    CHECK_ERRNO(open("/tmp/device", O_RDONLY), ENXIO);
    unlink("/tmp/device");
}

static int master, slave;

static void terminal_open(void) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
    char name[32];
    int number = -1;
    CHECK(ioctl(master, TIOCGPTN, &number) == 0);
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    CHECK(check_is(ptsname(master), name));
    slave = open(name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    CHECK(isatty(slave) && isatty(master));
}

/* What comes out of a descriptor: at least so many bytes, and what else there is within a moment. */
static const char *comes(int fd, size_t least) {
    static char text[4096];
    size_t length = 0;
    struct pollfd one = {fd, POLLIN, 0};
    while (poll(&one, 1, length < least ? 10000 : 50) == 1 && (one.revents & POLLIN)) {
        ssize_t count = read(fd, text + length, sizeof text - 1 - length);
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    text[length] = 0;
    return text;
}

static void type(const char *keys) {
    CHECK_EQ(write(master, keys, strlen(keys)), (long long)strlen(keys));
}

static void check_comes(int fd, const char *expected, int line) {
    const char *got = comes(fd, strlen(expected));
    if (!check_is(got, expected))
        check_fail("line %d: \"%s\" came, not \"%s\"", line, got, expected);
}
#define COMES(fd, expected) check_comes(fd, expected, __LINE__)

static void flags_set(tcflag_t input, tcflag_t output, tcflag_t local) {
    struct termios settings;
    CHECK(tcgetattr(slave, &settings) == 0);
    settings.c_iflag = input;
    settings.c_oflag = output;
    settings.c_lflag = local;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
}

TEST(locked_until_unlocked) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    char name[32];
    int number;
    CHECK(ioctl(master, TIOCGPTN, &number) == 0);
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), EIO);
    CHECK(unlockpt(master) == 0);
    CHECK(close(open(name, O_RDWR | O_NOCTTY)) == 0);
    close(master);
    CHECK_ERRNO(open(name, O_RDWR | O_NOCTTY), ENOENT);
}

TEST(defaults) {
    terminal_open();
    struct termios settings;
    CHECK(tcgetattr(slave, &settings) == 0);
    CHECK_EQ(settings.c_iflag, ICRNL | IXON);
    CHECK_EQ(settings.c_oflag, OPOST | ONLCR);
    CHECK_EQ(settings.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
    CHECK_EQ(settings.c_cc[VINTR], 3);
    CHECK_EQ(settings.c_cc[VERASE], 127);
    CHECK_EQ(settings.c_cc[VEOF], 4);
    CHECK_EQ(settings.c_cc[VSUSP], 26);
    CHECK_EQ(cfgetospeed(&settings), B38400);
    struct winsize size = {1, 1, 1, 1};
    CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0);
    CHECK(size.ws_row == 0 && size.ws_col == 0);
    size.ws_row = 30;
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
    size.ws_row = 0;
    CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0);
    CHECK_EQ(size.ws_row, 30);
}

TEST(lines_and_echo) {
    terminal_open();
    type("hello\r");
    COMES(master, "hello\r\n");
    COMES(slave, "hello\n");
    type("wron\177\177\177at\n");
    COMES(master, "wron\b \b\b \b\b \bat\r\n");
    COMES(slave, "wat\n");
    type("all of it\025new\n");
    COMES(slave, "new\n");
    comes(master, 1);
    type("two words\027one\n");
    COMES(slave, "two one\n");
    COMES(master, "two words\b \b\b \b\b \b\b \b\b \bone\r\n");
    type("\026\003\n");
    COMES(master, "^\b^C\r\n");
    COMES(slave, "\003\n");
    CHECK_EQ(write(slave, "out\n", 4), 4);
    COMES(master, "out\r\n");
    type("a\nb\n");
    char text[16];
    CHECK_EQ(read(slave, text, 16), 2); /* a line at a time */
    CHECK_EQ(read(slave, text, 1), 1);
    CHECK_EQ(read(slave, text, 16), 1);
}

TEST(end_of_file) {
    terminal_open();
    char text[16];
    type("\004");
    CHECK_EQ(read(slave, text, 16), 0);
    type("ab\004");
    CHECK_EQ(read(slave, text, 16), 2);
    type("c\n");
    CHECK_EQ(read(slave, text, 16), 2);
}

TEST(no_line_is_no_input) {
    terminal_open();
    type("unfinished");
    int waiting = -1;
    struct pollfd one = {slave, POLLIN, 0};
    CHECK_EQ(poll(&one, 1, 20), 0);
    CHECK(ioctl(slave, FIONREAD, &waiting) == 0);
    CHECK_EQ(waiting, 0);
    fcntl(slave, F_SETFL, O_NONBLOCK);
    char text[16];
    CHECK_ERRNO(read(slave, text, 16), EAGAIN);
    type("\n");
    CHECK_EQ(poll(&one, 1, 1000), 1);
    CHECK(ioctl(slave, FIONREAD, &waiting) == 0);
    CHECK_EQ(waiting, 11);
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    CHECK_ERRNO(read(slave, text, 16), EAGAIN);
}

TEST(raw_reads) {
    terminal_open();
    struct termios settings;
    tcgetattr(slave, &settings);
    cfmakeraw(&settings);
    settings.c_cc[VMIN] = 3;
    settings.c_cc[VTIME] = 0;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    char text[16] = {0};
    type("\003\r\177");
    CHECK_EQ(read(slave, text, 16), 3);
    CHECK(memcmp(text, "\003\r\177", 3) == 0);
    COMES(master, "");
    CHECK_EQ(write(slave, "a\nb", 3), 3);
    COMES(master, "a\nb");
    settings.c_cc[VMIN] = 0;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    CHECK_EQ(read(slave, text, 16), 0);
    settings.c_cc[VTIME] = 1;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    uint64_t begin = check_now_ns();
    CHECK_EQ(read(slave, text, 16), 0);
    CHECK(check_now_ns() - begin >= 90000000);
    settings.c_cc[VMIN] = 5;
    CHECK(tcsetattr(slave, TCSANOW, &settings) == 0);
    type("xy");
    CHECK_EQ(read(slave, text, 16), 2); /* the time between bytes ended it */
}

TEST(mappings) {
    terminal_open();
    flags_set(INLCR | IGNCR | ISTRIP, OPOST | ONLCR | OCRNL, 0);
    struct termios settings;
    tcgetattr(slave, &settings);
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    tcsetattr(slave, TCSANOW, &settings);
    type("a\rb\nc\341");
    COMES(slave, "ab\rca");
    CHECK_EQ(write(slave, "x\ry\n", 4), 4);
    COMES(master, "x\ny\r\n");
    flags_set(0, OPOST | XTABS, 0);
    CHECK_EQ(write(slave, "\rab\tc", 5), 5);
    COMES(master, "\rab      c");
}

TEST(hang_up) {
    terminal_open();
    char byte;
    close(slave);
    CHECK_ERRNO(read(master, &byte, 1), EIO);
    struct pollfd one = {master, POLLIN, 0};
    CHECK_EQ(poll(&one, 1, 0), 1);
    CHECK(one.revents & POLLHUP);
    terminal_open();
    close(master);
    CHECK_EQ(read(slave, &byte, 1), 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
}

/* A session of its own on the slave; body runs there. */
static pid_t session(void (*body)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        close(master);
        CHECK(setsid() == getpid());
        CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
        body();
        _exit(0);
    }
    return pid;
}

static void body_identity(void) {
    int terminal = open("/dev/tty", O_RDWR);
    CHECK(terminal >= 0);
    CHECK_EQ(tcgetpgrp(terminal), getpid());
    CHECK_EQ(tcgetsid(slave), getpid());
    CHECK(ioctl(terminal, TIOCNOTTY) == 0 || true);
    CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
}

TEST(controlling_terminal) {
    terminal_open();
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    signal(SIGHUP, SIG_IGN);
    CHECK_EXITS(session(body_identity), 0);
}

static void body_wait(void) {
    CHECK_EQ(write(slave, "ready", 5), 5);
    for (;;)
        pause();
}

TEST(keys_send_signals) {
    static const struct {
        const char *key;
        int signo;
    } keys[] = {{"\003", SIGINT}, {"\034", SIGQUIT}};
    for (size_t i = 0; i < 2; i++) {
        terminal_open();
        pid_t pid = session(body_wait);
        COMES(master, "ready");
        type(keys[i].key);
        CHECK_KILLED(pid, keys[i].signo);
        close(master);
        close(slave);
    }
    terminal_open();
    pid_t pid = session(body_wait);
    int status;
    COMES(master, "ready");
    close(slave);
    type("\032"); /* the group is orphaned: the stop is not delivered */
    CHECK_EQ(waitpid(pid, &status, WNOHANG | WUNTRACED), 0);
    close(master);
    CHECK_KILLED(pid, SIGHUP);
}

static void body_background(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        char byte;
        (void)!read(slave, &byte, 1);
        _exit(1);
    }
    setpgid(pid, pid);
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
    signal(SIGTTOU, SIG_IGN);
    CHECK(tcsetpgrp(slave, pid) == 0);
    CHECK_EQ(tcgetpgrp(slave), pid);
    kill(pid, SIGCONT);
    CHECK_EQ(write(slave, "go", 2), 2);
    CHECK_EXITS(pid, 1);
    CHECK(tcsetpgrp(slave, getpgrp()) == 0);
    CHECK_ERRNO(tcsetpgrp(slave, 9999999), ESRCH);
}

TEST(background_reads_stop) {
    terminal_open();
    pid_t pid = session(body_background);
    COMES(master, "go");
    type("x\n");
    CHECK_EXITS(pid, 0);
}

static void body_background_settings(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        struct termios settings;
        tcgetattr(slave, &settings);
        tcsetattr(slave, TCSANOW, &settings);
        _exit(1);
    }
    setpgid(pid, pid);
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
    kill(pid, SIGKILL);
    CHECK_KILLED(pid, SIGKILL);
}

TEST(background_settings_stop) {
    terminal_open();
    CHECK_EXITS(session(body_background_settings), 0);
}

static volatile int resized;
static void note_resize(int signo) {
    (void)signo;
    resized++;
}

static void body_resize(void) {
    signal(SIGWINCH, note_resize);
    CHECK_EQ(write(slave, "ready", 5), 5);
    while (!resized)
        check_sleep_ms(5);
}

TEST(window_changes_are_told) {
    terminal_open();
    pid_t pid = session(body_resize);
    COMES(master, "ready");
    struct winsize size = {.ws_row = 10, .ws_col = 20};
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
    CHECK_EXITS(pid, 0);
}

TEST(large_output) {
    terminal_open();
    flags_set(0, 0, 0);
    pid_t pid = fork();
    if (pid == 0) {
        static char block[1000];
        memset(block, 'z', sizeof block);
        for (int i = 0; i < 200; i++)
            CHECK_EQ(write(slave, block, sizeof block), (long long)sizeof block);
        _exit(0);
    }
    static char got[4096];
    size_t total = 0;
    while (total < 200000) {
        ssize_t count = read(master, got, sizeof got);
        CHECK(count > 0);
        total += (size_t)count;
    }
    CHECK_EQ(total, 200000);
    CHECK_EXITS(pid, 0);
}

TEST_MAIN()
