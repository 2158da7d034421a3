/*
 * For tests/system/cases/clock.py: the real-time clock by its ioctls, and reads that wait for its interrupts.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static void check(int good, const char *what) {
    printf(good ? "ok %s\n" : "not ok %s (errno %d)\n", what, errno);
}

/* One interrupt of a kind. */
static int interrupt(int fd, unsigned long kind) {
    unsigned long data = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 20000) != 1 || read(fd, &data, sizeof data) != sizeof data)
        return 0;
    return (data & 0xff) == (kind | RTC_IRQF) && data >> 8 >= 1;
}

static bool event_waits(int fd) {
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
}

/* A time some seconds after one of the clock's. */
static struct tm later(const struct rtc_time *from, int seconds) {
    struct tm time = {.tm_sec = from->tm_sec,
                      .tm_min = from->tm_min,
                      .tm_hour = from->tm_hour,
                      .tm_mday = from->tm_mday,
                      .tm_mon = from->tm_mon,
                      .tm_year = from->tm_year};
    time_t second = timegm(&time) + seconds;
    gmtime_r(&second, &time);
    return time;
}

static void check_time(int fd) {
    struct rtc_time now = {0};
    struct tm system;
    time_t second = time(NULL);
    check(ioctl(fd, RTC_RD_TIME, &now) == 0 && now.tm_year >= 125 && now.tm_mon < 12, "time");
    gmtime_r(&second, &system);
    check(now.tm_wday == system.tm_wday && now.tm_yday == system.tm_yday, "day of week and year");
    check(open("/dev/rtc0", O_RDONLY) < 0 && errno == EBUSY, "open once");
}

static void check_interrupts(int fd) {
    unsigned long data = 0, rate = 0;
    check(!event_waits(fd), "nothing happened");
    check(ioctl(fd, RTC_PIE_ON) == 0 && interrupt(fd, RTC_PF), "periodic");
    check(ioctl(fd, RTC_PIE_OFF) == 0, "periodic off");
    while (event_waits(fd) && read(fd, &data, sizeof data) > 0)
        continue; /* those that came meanwhile */
    check(ioctl(fd, RTC_IRQP_SET, 64) == 0 && ioctl(fd, RTC_IRQP_READ, &rate) == 0 && rate == 64, "rate");
    check(ioctl(fd, RTC_IRQP_SET, 65) < 0 && errno == EINVAL, "no such rate");
    check(ioctl(fd, RTC_UIE_ON) == 0 && interrupt(fd, RTC_UF), "every second");
    check(ioctl(fd, RTC_UIE_OFF) == 0, "every second off");
}

static void check_alarm(int fd) {
    struct rtc_time now = {0}, then = {0};
    struct rtc_wkalrm alarm = {0};
    ioctl(fd, RTC_RD_TIME, &now);
    struct tm soon = later(&now, 2);
    alarm.enabled = 1;
    alarm.time = (struct rtc_time){.tm_sec = soon.tm_sec,
                                   .tm_min = soon.tm_min,
                                   .tm_hour = soon.tm_hour,
                                   .tm_mday = soon.tm_mday,
                                   .tm_mon = soon.tm_mon,
                                   .tm_year = soon.tm_year};
    check(ioctl(fd, RTC_WKALM_SET, &alarm) == 0, "alarm set");
    memset(&alarm, 0, sizeof alarm);
    check(ioctl(fd, RTC_WKALM_RD, &alarm) == 0 && alarm.enabled && alarm.time.tm_sec == soon.tm_sec,
          "alarm read");
    check(interrupt(fd, RTC_AF), "alarm");
    check(ioctl(fd, RTC_WKALM_RD, &alarm) == 0 && !alarm.enabled, "it comes once");
    alarm.enabled = 1;
    alarm.time.tm_mon = 13;
    check(ioctl(fd, RTC_WKALM_SET, &alarm) < 0 && errno == EINVAL, "no such time");
    check(ioctl(fd, RTC_ALM_READ, &then) == 0 && then.tm_sec == soon.tm_sec, "time of day");
}

static void check_setting(int fd) {
    struct rtc_time now = {0}, then = {0};
    ioctl(fd, RTC_RD_TIME, &now);
    then = now;
    then.tm_year = 130;
    then.tm_hour = 23;
    check(ioctl(fd, RTC_SET_TIME, &then) == 0 && ioctl(fd, RTC_RD_TIME, &now) == 0, "set");
    check(now.tm_year == 130 && now.tm_hour == 23 && now.tm_mon == then.tm_mon, "it is set");
    then.tm_mday = 32;
    check(ioctl(fd, RTC_SET_TIME, &then) < 0 && errno == EINVAL, "no such day");
    check(ioctl(fd, 0x7077, &then) < 0 && errno == ENOTTY, "no such call");
}

static void check_reads(int fd) {
    unsigned long data = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    check(read(fd, &data, sizeof data) < 0 && errno == EAGAIN, "nothing to read");
    check(read(fd, &data, 4) < 0 && errno == EINVAL, "a short read");
}

int main(void) {
    int fd = -1;
    for (int i = 0; (fd = open("/dev/rtc0", O_RDONLY)) < 0 && i < 1000; i++)
        usleep(10000);
    check_time(fd);
    check_interrupts(fd);
    check_alarm(fd);
    check_setting(fd);
    check_reads(fd);
    close(fd);
    check(open("/dev/rtc", O_RDONLY) >= 0, "open again");
    return 0;
}
