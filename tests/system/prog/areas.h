/* What tests of mappings share. */
#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/system/prog/check.h"

/* True when the byte can be read, asked of the kernel by a pipe: no signal, and the program does not touch
 * it. */
static inline bool readable(const void *address) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    bool good = write(ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return good;
}

/* A file of so many bytes that nobody else knows. */
static inline int temporary(size_t size) {
    char name[] = "/tmp/areas-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    unlink(name);
    CHECK(ftruncate(fd, (off_t)size) == 0);
    return fd;
}

/* A child that touches an address must die by a signal. */
static inline void touch_kills(volatile char *address, bool write_it, int signo) {
    pid_t pid = fork();
    if (pid == 0) {
        if (write_it)
            *address = 1;
        else
            (void)*address;
        _exit(0);
    }
    CHECK_KILLED(pid, signo);
}
