/*
 * Random reads and writes of a disk by several threads at once, each in its own part of it and each checking
 * all that it reads: every 512 bytes say which sector they are and how often it was written.
 *
 *     disk_check NODE THREADS OPERATIONS direct|buffered
 *
 * Prints "ok N reads M writes" or "not ok" lines.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR = 512, UNIT = 4096, PART = 1 << 20, SECTORS = PART / SECTOR, MOST = 65536, SYNC_EVERY = 40 };

static const char *node;
static unsigned operations;
static int flags;
static atomic_uint reads, writes, problems;

static void problem(const char *what, uint64_t sector) {
    problems++;
    printf("not ok %s at sector %llu: %s\n", what, (unsigned long long)sector, strerror(errno));
}

static void fill(uint64_t *words, uint64_t sector, uint64_t version) {
    for (unsigned i = 0; i < SECTOR / 8; i++)
        words[i] = (sector << 24 ^ version) * 0x9e3779b97f4a7c15ULL + i;
}

static void check(const uint64_t *words, uint64_t sector, uint64_t version) {
    uint64_t expected[SECTOR / 8];
    fill(expected, sector, version);
    if (memcmp(words, expected, SECTOR)) {
        errno = 0;
        problem("wrong bytes", sector);
    }
}

static void *run(void *argument) {
    unsigned number = (unsigned)(uintptr_t)argument, seed = number * 7919 + 1;
    uint64_t first = (uint64_t)number * SECTORS;
    uint32_t *versions = calloc(SECTORS, sizeof *versions);
    uint64_t *bytes = aligned_alloc(UNIT, MOST);
    int fd = open(node, O_RDWR | flags);
    if (fd < 0 || !versions || !bytes) {
        problem("open", 0);
        return NULL;
    }
    unsigned unit = flags & O_DIRECT ? UNIT / SECTOR : 1;
    for (unsigned i = 0; i < operations && !problems; i++) {
        unsigned at = rand_r(&seed) % SECTORS / unit * unit;
        unsigned count =
            (1 + rand_r(&seed) % (rand_r(&seed) % 4 ? 16 : MOST / SECTOR) + unit - 1) / unit * unit;
        if (count > SECTORS - at)
            count = SECTORS - at;
        off_t offset = (off_t)(first + at) * SECTOR;
        if (rand_r(&seed) % 2) {
            for (unsigned k = 0; k < count; k++)
                fill(bytes + k * SECTOR / 8, first + at + k, ++versions[at + k]);
            if (pwrite(fd, bytes, (size_t)count * SECTOR, offset) != (ssize_t)count * SECTOR)
                problem("write", first + at);
            writes++;
        } else {
            if (pread(fd, bytes, (size_t)count * SECTOR, offset) != (ssize_t)count * SECTOR)
                problem("read", first + at);
            for (unsigned k = 0; k < count; k++)
                if (versions[at + k]) /* written before */
                    check(bytes + k * SECTOR / 8, first + at + k, versions[at + k]);
            reads++;
        }
        if (i % SYNC_EVERY == 0 && fsync(fd))
            problem("fsync", first);
    }
    close(fd);
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[16];
    if (argc != 5)
        return 2;
    node = argv[1];
    unsigned count = (unsigned)atoi(argv[2]);
    operations = (unsigned)atoi(argv[3]);
    flags = strcmp(argv[4], "direct") ? 0 : O_DIRECT;
    for (unsigned i = 0; i < count && i < 16; i++)
        pthread_create(&threads[i], NULL, run, (void *)(uintptr_t)i);
    for (unsigned i = 0; i < count && i < 16; i++)
        pthread_join(threads[i], NULL);
    if (!problems)
        printf("ok %u reads %u writes\n", reads, writes);
    return problems != 0;
}
