/* Work for /dev/accel0 (abi/accel.h). Run by tests/system/cases/accel.py, where the service is. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "abi/accel.h"
#include "check.h"

enum { SIDE = 120, BYTES = SIDE * SIDE * 4, ROUNDS = 5 };

static int node_open(void) {
    int fd = open("/dev/accel0", O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

static void put(int fd, uint64_t at, const void *bytes, size_t length) {
    CHECK(ioctl(fd, ACCEL_IOCTL_SEEK, at) == 0);
    CHECK(write(fd, bytes, length) == (ssize_t)length);
}

static void get(int fd, uint64_t at, void *bytes, size_t length) {
    CHECK(ioctl(fd, ACCEL_IOCTL_SEEK, at) == 0);
    for (size_t done = 0; done < length;) {
        ssize_t got = read(fd, (char *)bytes + done, length - done);
        CHECK(got > 0);
        done += (size_t)got;
    }
}

static const struct accel_request product = {.operation = ACCEL_MULTIPLY,
                                             .rows = SIDE,
                                             .columns = SIDE,
                                             .inner = SIDE,
                                             .a = {0, SIDE},
                                             .b = {BYTES, SIDE},
                                             .result = {2 * BYTES, SIDE}};

/* Small whole numbers: sums of floats are exact. */
TEST(a_product) {
    static float a[SIDE][SIDE], b[SIDE][SIDE], result[SIDE][SIDE];
    struct accel_request request = product;
    for (int i = 0; i < SIDE; i++)
        for (int k = 0; k < SIDE; k++) {
            a[i][k] = (float)((i * 7 + k * 3) % 19 - 9);
            b[i][k] = (float)((i * 5 + k * 11) % 23 - 11);
        }
    int fd = node_open();
    put(fd, 0, a, sizeof a);
    put(fd, BYTES, b, sizeof b);
    request.kind = ACCEL_GPU;
    CHECK(ioctl(fd, ACCEL_IOCTL_RUN, &request) == -1 && errno == ENODEV);
    request.flags = ACCEL_FALLBACK;
    CHECK(ioctl(fd, ACCEL_IOCTL_RUN, &request) == 0);
    CHECK(request.kind == ACCEL_CPU);
    get(fd, 2 * BYTES, result, sizeof result);
    for (int i = 0; i < SIDE; i++)
        for (int k = 0; k < SIDE; k++) {
            float sum = 0;
            for (int n = 0; n < SIDE; n++)
                sum += a[i][n] * b[n][k];
            CHECK(result[i][k] == sum);
        }
    close(fd);
}

static void *run(void *fd) {
    for (int i = 0; i < ROUNDS; i++) {
        struct accel_request request = product;
        CHECK(ioctl(*(int *)fd, ACCEL_IOCTL_RUN, &request) == 0);
    }
    return NULL;
}

/* Requests that wait for each other's steps only. */
TEST(several_at_once) {
    pthread_t threads[4];
    int fd = node_open();
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, run, &fd) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    close(fd);
}

TEST(refusals) {
    struct accel_request request = product;
    uint32_t word = 7;
    int fd = node_open();
    CHECK(open("/dev/accel0", O_RDWR) == -1 && errno == EBUSY);
    request.result.offset = ACCEL_MEMORY;
    CHECK(ioctl(fd, ACCEL_IOCTL_RUN, &request) == -1 && errno == EFAULT);
    request = product;
    request.result.offset = 4;
    CHECK(ioctl(fd, ACCEL_IOCTL_RUN, &request) == -1 && errno == EINVAL);
    CHECK(ioctl(fd, ACCEL_IOCTL_SEEK, (uint64_t)ACCEL_MEMORY + 1) == -1 && errno == EINVAL);
    CHECK(ioctl(fd, ACCEL_IOCTL_SEEK, (uint64_t)ACCEL_MEMORY) == 0);
    CHECK(write(fd, &word, 4) == -1 && errno == ENOSPC);
    CHECK(read(fd, &word, 4) == 0);
    put(fd, 400, &word, 4);
    close(fd);
    fd = node_open(); /* nothing is left for the next one */
    get(fd, 400, &word, 4);
    CHECK(word == 0);
    close(fd);
}

TEST_MAIN()
