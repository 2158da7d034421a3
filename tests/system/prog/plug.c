/*
 * Offers of a driver that lives on while they come and go: /dev/eduplug0 of QEMU's edu device (drivers/edu).
 * Run by tests/system/cases/hotplug.py, where that device is.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "check.h"

enum { PLUG = 0x6503, UNPLUG = 0x6504, REPLUG = 0x6505, ROUNDS = 20, READERS = 4 };
#define NODE "/dev/eduplug0"

static void control(unsigned request) {
    int fd = open("/dev/edu0", O_RDWR);
    CHECK(fd >= 0);
    CHECK(ioctl(fd, request) == 0);
    close(fd);
}

/* Waits until there is a node, or none; the time limit of the test ends a wait in vain. */
static void node_await(bool there) {
    struct stat status;
    while ((stat(NODE, &status) == 0) != there)
        usleep(1000);
}

/* A reader that waits; its status is 0 when it gets EIO, now and later. */
static pid_t reader_start(int fd) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid)
        return pid;
    char bytes[8];
    bool first = read(fd, bytes, sizeof bytes) == -1 && errno == EIO;
    bool later = read(fd, bytes, sizeof bytes) == -1 && errno == EIO && write(fd, bytes, 4) == -1 &&
                 errno == EIO && ioctl(fd, PLUG) == -1 && errno == EIO;
    _exit(first && later ? 0 : 1);
}

static void reader_await(pid_t pid) {
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Comes with the same name and number each time, and goes from under those who wait for it. */
TEST(comes_and_goes) {
    struct stat status;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t readers[READERS];
        control(PLUG);
        node_await(true);
        CHECK(stat(NODE, &status) == 0 && S_ISCHR(status.st_mode) && major(status.st_rdev) == 10 &&
              minor(status.st_rdev) == 126);
        int fd = open(NODE, O_RDWR);
        CHECK(fd >= 0);
        for (int i = 0; i < READERS; i++)
            readers[i] = reader_start(fd);
        if (round % 2) /* otherwise they may come too late to wait */
            usleep(5000);
        control(UNPLUG);
        for (int i = 0; i < READERS; i++)
            reader_await(readers[i]);
        node_await(false);
        CHECK(open(NODE, O_RDWR) == -1 && errno == ENOENT);
        close(fd);
    }
}

/* An exchange that nobody can see as a time without: who has the old one does not get the new one. */
TEST(exchanged) {
    control(PLUG);
    for (int round = 0; round < ROUNDS; round++) {
        node_await(true);
        int fd;
        while ((fd = open(NODE, O_RDWR)) < 0)
            usleep(1000);
        pid_t reader = reader_start(fd);
        control(REPLUG);
        reader_await(reader);
        close(fd);
    }
    control(UNPLUG);
    node_await(false);
}

/* A node made by hand for something that is not there. */
TEST(no_device) {
    CHECK(mknod("/tmp/node", S_IFCHR | 0600, makedev(10, 126)) == 0);
    CHECK(open("/tmp/node", O_RDWR) == -1 && errno == ENODEV);
    unlink("/tmp/node");
}

TEST_MAIN()
