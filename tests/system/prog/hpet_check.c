/*
 * For tests/system/cases/timers.py, which runs it on Linux, too: the event timer by its calls, its interrupts
 * and its registers.
 *
 *   hpet_check           all of it
 *   hpet_check lines=0   on a machine where no comparator's interrupt goes anywhere
 *   hpet_check killed N  counts interrupts while it ends the driver so many times, then makes /tmp/ready and
 * stays
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/hpet.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RATE = 50, COUNTER = 0xf0 / 8, PAGE = 4096, READ_ALL = 3 };

static volatile uint64_t *registers;

static void check(int good, const char *what) {
    printf(good ? "ok %s\n" : "not ok %s (errno %d)\n", what, errno);
    fflush(stdout);
}

static void refused(int64_t result, int error, const char *what) {
    check(result < 0 && errno == error, what);
}

static int device_open(void) {
    int fd;
    for (int i = 0; (fd = open("/dev/hpet", O_RDONLY)) < 0 && i < 1000; i++)
        usleep(10000);
    return fd;
}

static unsigned long count(int fd) {
    unsigned long data = 0;
    return read(fd, &data, sizeof data) == sizeof data ? data : 0;
}

static int has_event(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 1 && wait.revents == POLLIN;
}

/* Ten interrupts come, and no more than there was time for. */
static int comes(int fd) {
    unsigned long sum = 0, least = 10;
    double tick = (registers[0] >> 32) * 1e-15;
    uint32_t before = (uint32_t)registers[COUNTER];
    if (ioctl(fd, HPET_IE_ON) < 0)
        return 0;
    while (sum < least) {
        unsigned long some = count(fd);
        if (!some)
            return 0;
        sum += some;
    }
    if (ioctl(fd, HPET_IE_OFF) < 0)
        return 0;
    double seconds = (uint32_t)((uint32_t)registers[COUNTER] - before) * tick;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    sum += count(fd);
    fcntl(fd, F_SETFL, 0);
    return sum <= seconds * RATE + 2;
}

static void map_check(int fd) {
    refused((int64_t)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES, "not for writing");
    refused((int64_t)mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0), EINVAL, "no more than a page");
    refused((int64_t)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE), EINVAL, "nothing behind it");
    registers = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    check(registers != MAP_FAILED && (registers[0] & 0xffff0000) == 0x80860000, "registers");
    uint64_t before = registers[COUNTER];
    while (registers[COUNTER] == before)
        continue;
    check(registers[COUNTER] > before, "the counter runs");
}

static void nothing(int number) {
    (void)number;
}

static void unprivileged(int fd) {
    fflush(stdout);
    if (fork() == 0) {
        setuid(1000);
        refused(ioctl(fd, HPET_IRQFREQ, 65UL), EACCES, "not so often");
        check(ioctl(fd, HPET_IRQFREQ, 64UL) == 0, "that often");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void settings_check(int fd) {
    struct hpet_info info;
    char text[4];
    refused(read(fd, text, sizeof text), EIO, "no rate, no read");
    refused(ioctl(fd, HPET_IE_ON), EIO, "no rate, no interrupts");
    check(!has_event(fd), "no rate, no events");
    memset(&info, 0xff, sizeof info);
    check(ioctl(fd, HPET_INFO, &info) == 0, "info");
    printf("ok %lu %#lx %u %u\n", info.hi_ireqfreq, info.hi_flags, info.hi_hpet, info.hi_timer);
    refused(ioctl(fd, HPET_INFO, (void *)8), EFAULT, "nowhere");
    refused(ioctl(fd, HPET_IRQFREQ, 0UL), EINVAL, "no such rate");
    refused(ioctl(fd, 0x6899), EINVAL, "no such call");
    unprivileged(fd);
    check(ioctl(fd, HPET_IRQFREQ, (unsigned long)RATE) == 0, "rate");
    check(ioctl(fd, HPET_INFO, &info) == 0 && info.hi_ireqfreq == RATE, "the rate is known");
    refused(read(fd, text, sizeof text), EINVAL, "short read");
    refused(write(fd, text, sizeof text), EBADF, "write");
    check(ioctl(fd, HPET_IE_OFF) == 0, "off when it is off");
}

static void interrupts_check(int fd) {
    const struct itimerval soon = {.it_value.tv_usec = 20000};
    struct sigaction action = {.sa_handler = nothing};
    unsigned long data;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    refused(read(fd, &data, sizeof data), EAGAIN, "nothing yet");
    fcntl(fd, F_SETFL, 0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    refused(read(fd, &data, sizeof data), EINTR, "a signal ends the wait");
    check(comes(fd), "interrupts");
    check(ioctl(fd, HPET_EPI) == 0 && comes(fd), "periodic interrupts");
    check(ioctl(fd, HPET_DPI) == 0 && comes(fd), "single interrupts again");
    check(!has_event(fd), "no more of them");
    check(ioctl(fd, HPET_IE_ON) == 0, "on");
    refused(ioctl(fd, HPET_IE_ON), EBUSY, "on when it is on");
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    check(poll(&wait, 1, -1) == 1 && has_event(fd) && count(fd) > 0, "poll");
}

static int all(int lines) {
    struct stat status;
    struct hpet_info info = {0};
    int fd = device_open();
    check(fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && (status.st_mode & 0777) == 0600 &&
              status.st_rdev == makedev(10, 228),
          "node");
    refused(open("/dev/hpet", O_RDWR), EINVAL, "open for writing, too");
    refused(open("/dev/hpet", O_WRONLY), EINVAL, "open for writing");
    refused(open("/dev/hpet", O_RDONLY), EBUSY, "no other comparator");
    map_check(fd);
    settings_check(fd);
    if (lines)
        interrupts_check(fd);
    else
        refused(ioctl(fd, HPET_IE_ON), EIO, "no interrupt can be had");
    munmap((void *)(uintptr_t)registers, PAGE);
    close(fd);
    fd = device_open();
    check(ioctl(fd, HPET_INFO, &info) == 0 && info.hi_ireqfreq == 0 && !has_event(fd), "a close ends it all");
    check(count(fd) == 0 && errno == EIO, "no rate any more");
    return 0;
}

/* How often the driver has ended, by the log. */
static int ends(void) {
    static char log[1 << 18];
    int length = klogctl(READ_ALL, log, sizeof log - 1), found = 0;
    log[length > 0 ? length : 0] = 0;
    for (char *at = log; (at = strstr(at, "driver hpet (generation")); at++)
        found++;
    return found;
}

/* Ends the driver, and waits until it has ended and its successor counts: of two reads the first may have
 * been of before. */
static int end_driver(int fd) {
    int before = ends(), reset = open("/proc/keel_reset", O_WRONLY);
    while (write(reset, "hpet", 4) != 4)
        usleep(5000);
    close(reset);
    while (ends() == before)
        usleep(5000);
    return count(fd) && count(fd);
}

/* Interrupts go on across ends of the driver; and everything is on when this process is ended in its turn. */
static int killed(int kills) {
    int fd = device_open(), good = 1;
    check(ioctl(fd, HPET_IRQFREQ, (unsigned long)RATE) == 0 && ioctl(fd, HPET_IE_ON) == 0, "on");
    for (int i = 0; i < kills && good; i++)
        good = end_driver(fd) && (i % 2 || ioctl(fd, i % 4 ? HPET_EPI : HPET_DPI) == 0);
    check(good, "they go on");
    errno = 0;
    check(ioctl(fd, HPET_IE_ON) < 0 && errno == EBUSY, "it is on");
    close(open("/tmp/ready", O_CREAT | O_WRONLY, 0600));
    pause();
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "killed"))
        return killed(atoi(argv[2]));
    return all(argc == 1);
}
