/* A folder for each test of files, and files in it. */
#pragma once

#include "tests/system/prog/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>

static char folder[64];

/* Each test works in a folder of its own, removed afterwards. */
static inline void enter(void) {
    strcpy(folder, "/tmp/files-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    CHECK(chdir(folder) == 0);
    umask(022);
}

static inline void leave(void) {
    char command[128];
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", folder, folder);
    CHECK_EQ(system(command), 0);
    CHECK_ERRNO(access(folder, F_OK), ENOENT);
}

static inline int create(const char *name, const char *text) {
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), (long long)strlen(text));
    return fd;
}

static inline void make(const char *name, const char *text) {
    close(create(name, text));
}

static inline struct stat info_of(const char *name) {
    struct stat info;
    if (lstat(name, &info) != 0)
        check_fail("lstat %s: %s", name, strerror(errno));
    return info;
}

static inline void says(const char *name, const char *text) {
    char got[256] = {0};
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    CHECK(read(fd, got, sizeof got - 1) >= 0);
    if (!check_is(got, text))
        check_fail("%s holds \"%s\", not \"%s\"", name, got, text);
    close(fd);
}
