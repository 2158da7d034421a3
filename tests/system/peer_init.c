/*
 * The peer's /init: on Debian's Linux it does what Keel's personality does on Keel, so that one launcher
 * serves both. It mounts what a program expects, runs the program of /.peer/run, carries its streams over the
 * serial lines and ends the machine with its status as the last line of the log.
 *
 *   streams:  COM1 <-> standard input and output through pipes (input is escaped: 0x10 0x10 is 0x10, 0x10
 * 0x04 the end), COM2 <- standard error
 *   --tty:    COM1 is the program's controlling terminal
 *   log:      port 0xE9, "peer: first instruction at TSC N, kernel clock N ns", "peer: ready" once input may
 * come, "keel: exit STATUS" at the end
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { DEBUG_PORT = 0xe9, EXIT_PORT = 0xf4, ARGUMENTS = 4096, CHUNK = 4096, ESCAPE = 0x10, END = 0x04 };

struct options {
    bool terminal;
    struct winsize window;
    char **program;
};

static char run_text[65536];
static char *run_arguments[ARGUMENTS + 1];

static void log_text(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (int i = 0; i < length && i < (int)sizeof text - 1; i++)
        outb((unsigned char)text[i], DEBUG_PORT);
}

static _Noreturn void machine_end(int status) {
    log_text("keel: exit %d\n", status & 0xff);
    outb((unsigned char)(status & 0x7f), EXIT_PORT);
    for (;;)
        pause();
}

static _Noreturn void fail(const char *what) {
    log_text("peer: %s: %s\n", what, strerror(errno));
    machine_end(126);
}

/* Nodes by hand, not devtmpfs: the same few as on Keel. */
static void devices_make(void) {
    static const struct {
        const char *name;
        mode_t mode;
        unsigned major, minor;
    } nodes[] = {
        {"/dev/console", 0600, 5, 1}, {"/dev/null", 0666, 1, 3},   {"/dev/zero", 0666, 1, 5},
        {"/dev/full", 0666, 1, 7},    {"/dev/random", 0666, 1, 8}, {"/dev/urandom", 0666, 1, 9},
        {"/dev/tty", 0666, 5, 0},     {"/dev/ptmx", 0666, 5, 2},   {"/dev/ttyS0", 0600, 4, 64},
        {"/dev/ttyS1", 0600, 4, 65},  {"/dev/kmsg", 0600, 1, 11},
    };
    umask(0);
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++)
        (void)mknod(nodes[i].name, S_IFCHR | nodes[i].mode, makedev(nodes[i].major, nodes[i].minor));
    (void)symlink("/proc/self/fd", "/dev/fd");
    (void)symlink("/proc/self/fd/0", "/dev/stdin");
    (void)symlink("/proc/self/fd/1", "/dev/stdout");
    (void)symlink("/proc/self/fd/2", "/dev/stderr");
    umask(022);
}

static void mounts_make(void) {
    (void)mkdir("/proc", 0755);
    (void)mkdir("/sys", 0755);
    (void)mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("dev", "/dev", "tmpfs", 0, "mode=755");
    devices_make();
    (void)mkdir("/dev/pts", 0755);
    (void)mkdir("/dev/shm", 01777);
    mount("devpts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666,gid=5");
}

/* Drivers that Debian's kernel has as modules: /.peer/module0 and so on. */
static void modules_load(void) {
    char path[32];
    for (int number = 0;; number++) {
        snprintf(path, sizeof path, "/.peer/module%d", number);
        int fd = open(path, O_RDONLY);
        if (fd < 0)
            return;
        if (syscall(SYS_finit_module, fd, "", 0) != 0)
            fail(path);
        close(fd);
        unlink(path);
    }
}

static void options_read(struct options *options) {
    int fd = open("/.peer/run", O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, run_text, sizeof run_text - 1);
    if (length < 0)
        fail("/.peer/run");
    close(fd);
    int count = 0;
    for (char *at = run_text; at < run_text + length && count < ARGUMENTS; at += strlen(at) + 1)
        run_arguments[count++] = at;
    static char *shell[] = {"/bin/sh", NULL};
    options->program = shell;
    for (int i = 0; i < count; i++) {
        char *argument = run_arguments[i];
        unsigned rows, columns;
        if (strcmp(argument, "--") == 0 && i + 1 < count) {
            options->program = &run_arguments[i + 1];
            return;
        }
        if (strcmp(argument, "--tty") == 0)
            options->terminal = true;
        else if (sscanf(argument, "--winsize=%ux%u", &rows, &columns) == 2)
            options->window =
                (struct winsize){.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
        else if (strncmp(argument, "--env=", 6) == 0)
            putenv(argument + 6);
    }
}

static int line_open(const char *path, bool raw) {
    int fd = open(path, O_RDWR | O_NOCTTY);
    if (fd < 0)
        fail(path);
    if (raw) {
        struct termios settings;
        tcgetattr(fd, &settings);
        cfmakeraw(&settings);
        cfsetspeed(&settings, B115200);
        tcsetattr(fd, TCSANOW, &settings);
    }
    return fd;
}

/* In the child: starts the program, or says why not as Keel does. */
static _Noreturn void program_start(char **program) {
    signal(SIGPIPE, SIG_DFL);
    (void)iopl(0); /* which a program would inherit */
    if (strchr(program[0], '/'))
        execv(program[0], program);
    else
        execvp(program[0], program);
    int error = errno;
    dprintf(2, "keel: %s: %s\n", program[0], strerror(error));
    _exit(error == ENOENT || error == ENOTDIR ? 127 : 126);
}

static int status_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps orphans too, until the program ends. */
static int program_wait(pid_t program) {
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid == program)
            return status_of(status);
        if (pid < 0 && errno != EINTR)
            fail("wait");
    }
}

static void all_write(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count <= 0)
            return;
        bytes += count;
        length -= (size_t)count;
    }
}

/* COM1 to the program's standard input, until the escaped end or nobody reads. */
static _Noreturn void input_run(int line, int pipe_end) {
    char in[CHUNK], out[CHUNK];
    bool escaped = false;
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        ssize_t count = read(line, in, sizeof in);
        if (count <= 0)
            _exit(0);
        size_t length = 0;
        bool end = false;
        for (ssize_t i = 0; i < count && !end; i++) {
            if (!escaped && in[i] == ESCAPE) {
                escaped = true;
                continue;
            }
            if (escaped && in[i] == END)
                end = true;
            else
                out[length++] = in[i];
            escaped = false;
        }
        all_write(pipe_end, out, length);
        if (end)
            _exit(0);
    }
}

/* A pipe to a serial line, until all writers are gone. */
static _Noreturn void output_run(int pipe_end, int line) {
    char bytes[CHUNK];
    ssize_t count;
    while ((count = read(pipe_end, bytes, sizeof bytes)) > 0)
        all_write(line, bytes, (size_t)count);
    tcdrain(line);
    _exit(0);
}

struct streams {
    int in[2], out[2], errors[2];
};

static void streams_close(const struct streams *streams) {
    const int *ends = (const int *)streams;
    for (size_t i = 0; i < sizeof *streams / sizeof *ends; i++)
        close(ends[i]);
}

/* A helper process with one pipe end and one line; everything else is closed in it. */
static pid_t helper_start(const struct streams *streams, int from, int to, bool input) {
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int a = dup(from), b = dup(to);
    streams_close(streams);
    if (input)
        input_run(a, b);
    output_run(a, b);
}

/* The output helpers end when every writer has; one that outlives the program holds the machine no longer
 * than this. */
static void helpers_wait(pid_t first, pid_t second) {
    for (int tries = 0; tries < 3000 && (first || second); tries++) {
        if (first && waitpid(first, NULL, WNOHANG) != 0)
            first = 0;
        if (second && waitpid(second, NULL, WNOHANG) != 0)
            second = 0;
        usleep(1000);
    }
}

static int streams_run(const struct options *options) {
    struct streams streams;
    int line1 = line_open("/dev/ttyS0", true), line2 = line_open("/dev/ttyS1", true);
    if (pipe(streams.in) || pipe(streams.out) || pipe(streams.errors))
        fail("pipe");
    pid_t program = fork();
    if (program == 0) {
        setsid();
        dup2(streams.in[0], 0);
        dup2(streams.out[1], 1);
        dup2(streams.errors[1], 2);
        streams_close(&streams);
        close(line1);
        close(line2);
        program_start(options->program);
    }
    pid_t out = helper_start(&streams, streams.out[0], line1, false);
    pid_t errors = helper_start(&streams, streams.errors[0], line2, false);
    helper_start(&streams, line1, streams.in[1], true);
    streams_close(&streams);
    log_text("peer: ready\n");
    int status = program_wait(program);
    kill(-program, SIGKILL);
    helpers_wait(out, errors);
    return status;
}

static int terminal_run(const struct options *options) {
    pid_t program = fork();
    if (program == 0) {
        setsid();
        int line = line_open("/dev/ttyS0", false);
        ioctl(line, TIOCSCTTY, 0);
        ioctl(line, TIOCSWINSZ, &options->window);
        for (int fd = 0; fd < 3; fd++)
            dup2(line, fd);
        if (line > 2)
            close(line);
        log_text("peer: ready\n");
        program_start(options->program);
    }
    int status = program_wait(program);
    int line = line_open("/dev/ttyS0", false);
    tcdrain(line);
    return status;
}

int main(void) {
    unsigned long long start = __rdtsc();
    struct timespec up; /* since the kernel's own start, after the image was unpacked */
    clock_gettime(CLOCK_MONOTONIC, &up);
    if (iopl(3) != 0)
        return 1;
    log_text("peer: first instruction at TSC %llu, kernel clock %lld ns\n", start,
             (long long)up.tv_sec * 1000000000 + up.tv_nsec);
    struct options options = {.window = {.ws_row = 24, .ws_col = 80}};
    mounts_make();
    clearenv();
    setenv("HOME", "/root", 1);
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("TERM", "linux", 1);
    options_read(&options);
    modules_load();
    sethostname("keel", 4);
    unlink("/.peer/init");
    unlink("/.peer/run");
    rmdir("/.peer");
    int status = options.terminal ? terminal_run(&options) : streams_run(&options);
    machine_end(status);
}
