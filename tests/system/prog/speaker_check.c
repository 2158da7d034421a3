/*
 * For tests/system/cases/timers.py, which listens: makes the PC's speaker sound in every way there is. Says
 * "playing HZ" each time, and goes on when a key was pressed and released.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <linux/kd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIT_HZ = 1193182, DEVICES = 8, TRIES = 1000, LONG_MS = 60000 };

static int keyboard, speaker, console;

static void check(int good, const char *what) {
    printf(good ? "ok %s\n" : "not ok %s (errno %d)\n", what, errno);
    fflush(stdout);
}

/* The device of a name, once it is there. */
static int device_open(const char *wanted) {
    char path[32], name[64];
    for (int i = 0; i < TRIES * DEVICES; i++) {
        snprintf(path, sizeof path, "/dev/input/event%d", i % DEVICES);
        int fd = open(path, O_RDWR);
        if (fd >= 0 && ioctl(fd, EVIOCGNAME(sizeof name), name) > 0 && !strcmp(name, wanted))
            return fd;
        if (fd >= 0)
            close(fd);
        if (i % DEVICES == 0)
            usleep(10000);
    }
    return -1;
}

static void key_await(void) {
    struct input_event event = {0};
    while (event.type != EV_KEY || event.value != 0)
        if (read(keyboard, &event, sizeof event) != sizeof event)
            return;
}

static void playing(unsigned hz) {
    printf("playing %u\n", hz);
    fflush(stdout);
    key_await();
}

static int sound(unsigned short code, int value) {
    const struct input_event event = {.type = EV_SND, .code = code, .value = value};
    return write(speaker, &event, sizeof event) == sizeof event;
}

/* The console's bell is short: it rings until somebody has heard it. */
static void bell(void) {
    pid_t child = fork();
    while (child == 0)
        usleep(write(console, "\033]0;a title\a\a", 13) == 13 ? 200000 : 0);
    playing(750);
    kill(child, 9);
    wait(NULL);
}

static void unprivileged(void) {
    fflush(stdout);
    if (fork() == 0) {
        setsid();
        setuid(1000);
        check(ioctl(console, KIOCSOUND, 1000) < 0 && errno == EPERM, "somebody else's console");
        _exit(0);
    }
    wait(NULL);
}

int main(void) {
    unsigned char sounding = 0, kinds = 0;
    keyboard = device_open("AT Translated Set 2 keyboard");
    speaker = device_open("PC Speaker");
    console = open("/dev/tty1", O_RDWR | O_NOCTTY);
    check(ioctl(speaker, EVIOCGBIT(EV_SND, 1), &kinds) == 1 && kinds == (1 << SND_BELL | 1 << SND_TONE),
          "kinds");
    check(sound(SND_TONE, 2000), "tone");
    playing(2000);
    check(sound(SND_BELL, 1) && ioctl(speaker, EVIOCGSND(1), &sounding) == 1 && sounding & 1 << SND_BELL,
          "bell");
    playing(1000);
    check(sound(SND_BELL, 0) && ioctl(speaker, EVIOCGSND(1), &sounding) == 1 && !(sounding & 1 << SND_BELL),
          "end");
    playing(0);
    check(ioctl(console, KIOCSOUND, PIT_HZ / 440) == 0, "KIOCSOUND");
    playing(440);
    check(ioctl(console, KDMKTONE, (unsigned)LONG_MS << 16 | PIT_HZ / 600) == 0, "KDMKTONE");
    playing(600);
    check(ioctl(console, KIOCSOUND, 0) == 0, "silence");
    playing(0);
    check(ioctl(console, KDMKTONE, 50 << 16 | PIT_HZ / 600) == 0, "a tone that ends");
    playing(0);
    unprivileged();
    check(sound(SND_TONE, 3000), "for a driver that ends");
    playing(3000);
    int reset = open("/proc/keel_reset", O_WRONLY);
    check(write(reset, "speaker", 7) == 7, "its end");
    playing(0);
    check(sound(SND_TONE, 1500), "tone of the next driver");
    playing(1500);
    check(sound(SND_TONE, 5), "too low");
    playing(0);
    bell();
    return 0;
}
