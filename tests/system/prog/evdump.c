/*
 * For tests/system/cases/input.py, which types: prints what an input device is and its events, until Escape
 * is released, or the device goes.
 *
 *   evdump DEVICE          the events, as "type code value"
 *   evdump DEVICE check    what a program can ask of it; that of a keyboard: two readers, one with a grab; an
 * overflow
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static void check(int good, const char *what) {
    if (!good)
        printf("not ok %s (errno %d)\n", what, errno);
}

static int device_open(const char *path, int flags) {
    int fd;
    for (int i = 0; (fd = open(path, flags)) < 0 && i < 1000; i++)
        usleep(10000);
    check(fd >= 0, path);
    return fd;
}

static void describe(int fd) {
    char text[128] = "";
    int version = 0, repeat[2] = {0};
    struct input_id id = {0};
    unsigned long bits[KEY_CNT / 64 + 1] = {0};
    struct input_absinfo axis = {0};
    struct stat status;
    check(ioctl(fd, EVIOCGVERSION, &version) == 0 && version == EV_VERSION, "version");
    check(ioctl(fd, EVIOCGID, &id) == 0, "id");
    check(fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && major(status.st_rdev) == 13, "number");
    int length = ioctl(fd, EVIOCGNAME(sizeof text), text);
    check(length == (int)strlen(text) + 1, "length of the name");
    printf("%s %04x:%04x:%04x:%04x", text, id.bustype, id.vendor, id.product, id.version);
    check(ioctl(fd, EVIOCGNAME(4), text) == 4, "short name");
    printf(" %s", ioctl(fd, EVIOCGPHYS(sizeof text), text) < 0 ? strerror(errno) : text);
    printf(" %s\n", ioctl(fd, EVIOCGUNIQ(sizeof text), text) < 0 ? strerror(errno) : text);
    check(ioctl(fd, EVIOCGPROP(4), bits) == 4, "properties");
    for (int type = 0; type < EV_CNT; type++) {
        memset(bits, 0, sizeof bits);
        if (ioctl(fd, EVIOCGBIT(type, sizeof bits), bits) <= 0)
            continue;
        for (unsigned i = sizeof bits / sizeof bits[0]; i-- > 0;)
            if (bits[i])
                printf("%d.%u: %lx\n", type, i, bits[i]);
    }
    for (int code = 0; code < 2; code++)
        if (ioctl(fd, EVIOCGABS(code), &axis) == 0)
            printf("axis %d: %d to %d\n", code, axis.minimum, axis.maximum);
    if (ioctl(fd, EVIOCGREP, repeat) == 0)
        printf("repeat %d %d\n", repeat[0], repeat[1]);
}

static void errors_check(int fd, const char *path) {
    char small[8];
    struct input_absinfo axis = {0};
    int clock = 77, other = open(path, O_RDWR | O_NONBLOCK);
    check(read(fd, small, sizeof small) < 0 && errno == EINVAL, "a short read");
    check(read(other, small, 0) < 0 && errno == EAGAIN, "an empty read");
    check(ioctl(fd, EVIOCSCLOCKID, &clock) < 0 && errno == EINVAL, "no such clock");
    check(ioctl(fd, EVIOCGABS(0), &axis) < 0 && errno == EINVAL, "no axes");
    check(ioctl(fd, EVIOCSABS(0), &axis) < 0 && errno == EINVAL, "no axes to set");
    check(ioctl(fd, EVIOCGNAME(10), NULL) < 0 && errno == EFAULT, "no place for the name");
    check(ioctl(fd, TIOCGWINSZ, small) < 0 && errno == EINVAL, "not an ioctl of it");
    check(lseek(fd, 0, SEEK_SET) < 0 && errno == ESPIPE, "no position");
    check(ioctl(fd, EVIOCGRAB, 0) < 0 && errno == EINVAL, "nothing to let go");
    check(ioctl(fd, EVIOCGRAB, 1) == 0, "grab");
    check(ioctl(other, EVIOCGRAB, 1) < 0 && errno == EBUSY, "grabbed");
    check(ioctl(fd, EVIOCGRAB, 0) == 0, "let go");
    check(ioctl(other, EVIOCREVOKE, 0) == 0 && read(other, &axis, sizeof axis) < 0 && errno == ENODEV,
          "revoke");
    close(other);
}

/* Lights that a program switches are told to everybody, and to it. */
static void lights_check(int fd, const char *path) {
    struct input_event events[8], on[2] = {{.type = EV_LED, .code = LED_CAPSL, .value = 1}, {.type = EV_SYN}};
    unsigned long leds = 0;
    int other = open(path, O_RDWR | O_NONBLOCK), clock = CLOCK_MONOTONIC;
    struct pollfd wait = {.fd = other, .events = POLLIN};
    check(ioctl(other, EVIOCSCLOCKID, &clock) == 0, "clock");
    check(poll(&wait, 1, 0) == 0, "nothing there");
    check(write(fd, on, sizeof on) == sizeof on, "a light on");
    check(poll(&wait, 1, 1000) == 1 && wait.revents == POLLIN, "something there");
    check(ioctl(fd, EVIOCGLED(sizeof leds), &leds) > 0 && leds == 1 << LED_CAPSL, "it is on");
    check(read(other, events, sizeof events) == 2 * sizeof events[0] && events[0].type == EV_LED,
          "it is told");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    check(now.tv_sec - events[0].time.tv_sec < 60, "when");
    check(write(fd, on, sizeof on) == sizeof on && read(other, events, sizeof events) < 0 && errno == EAGAIN,
          "nothing new");
    on[0].value = 0;
    check(write(fd, on, sizeof on) == sizeof on, "off");
    check(ioctl(other, EVIOCGLED(sizeof leds), &leds) > 0 && leds == 0, "it is off");
    check(read(other, events, sizeof events) < 0 && errno == EAGAIN, "asked is told");
    check(ioctl(fd, EVIOCGLED(sizeof leds), &leds) > 0, "both");
    close(other);
}

/* Who does not read loses what is older, and is told. */
static void overflow_check(int fd, const char *path) {
    struct input_event events[128], one[2] = {{.type = EV_MSC, .code = MSC_SCAN}, {.type = EV_SYN}};
    int other = open(path, O_RDWR | O_NONBLOCK);
    for (int i = 0; i < 40; i++) {
        one[0].value = i;
        check(write(fd, one, sizeof one) == sizeof one, "an event");
    }
    int count = (int)(read(other, events, sizeof events) / (long)sizeof events[0]);
    check(count > 2 && events[0].type == EV_SYN && events[0].code == SYN_DROPPED, "dropped");
    check(count > 2 && events[count - 2].value == 39, "the newest is there");
    close(other);
    while (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1)
        check(read(fd, events, sizeof events) > 0, "drain");
}

int main(int argc, char **argv) {
    struct input_event events[16];
    setvbuf(stdout, NULL, _IOLBF, 0);
    int fd = device_open(argv[1], O_RDWR), over = 0;
    if (argc > 2) {
        describe(fd);
        errors_check(fd, argv[1]);
        lights_check(fd, argv[1]);
        overflow_check(fd, argv[1]);
        return 0;
    }
    printf("ready\n");
    while (over < 2) {
        long length = read(fd, events, sizeof events);
        if (length < 0) {
            printf("%s\n", strerror(errno));
            return 0;
        }
        for (long i = 0; i < length / (long)sizeof events[0]; i++) {
            printf("%d %d %d\n", events[i].type, events[i].code, events[i].value);
            over += over == 1;
            over += events[i].type == EV_KEY && events[i].code == KEY_ESC && events[i].value == 0;
        }
    }
    return 0;
}
