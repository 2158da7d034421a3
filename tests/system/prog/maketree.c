/*
 * maketree DIRECTORY FILES BYTES: makes a tree that is the same everywhere: text and binary files of many
 * sizes in nested directories, with fixed times and modes, some hard and symbolic links, a few empty files
 * and holes. BYTES in all, about.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS = 40, BLOCK = 65536, BASE_TIME = 1600000000 };

static uint64_t state = 88172645463325252ULL;

static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static char block[BLOCK + 64];

static void text_fill(void) {
    static const char *const words[] = {"kernel", "page",  "thread", "the",   "of",   "a",    "port", "0x7f",
                                        "error",  "queue", "lock",   "and",   "42",   "when", "from", "Keel",
                                        "map",    "zebra", "signal", "futex", "open", "close"};
    size_t at = 0;
    while (at < BLOCK) {
        const char *word = words[next() % (sizeof words / sizeof words[0])];
        at += (size_t)sprintf(block + at, "%s%c", word, next() % 9 == 0 ? '\n' : ' ');
    }
}

static void binary_fill(void) {
    for (size_t i = 0; i < BLOCK; i += 8) {
        uint64_t value = next();
        memcpy(block + i, &value, 8);
    }
}

static void times_set(const char *path, int number) {
    struct timespec times[2] = {{BASE_TIME + number, 0}, {BASE_TIME + 3 * number, 0}};
    check(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0, path);
}

static void file_make(const char *path, int number, size_t size) {
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    check(fd >= 0, path);
    if (number % 3 == 0)
        binary_fill();
    else
        text_fill();
    if (number % 50 == 7)
        check(lseek(fd, BLOCK, SEEK_SET) == BLOCK, path);
    for (size_t left = size; left > 0;) {
        size_t count = left < BLOCK ? left : BLOCK;
        check(write(fd, block, count) == (ssize_t)count, path);
        left -= count;
    }
    static const mode_t modes[] = {0644, 0600, 0755, 0444, 04755, 0640};
    check(fchmod(fd, modes[number % 6]) == 0, path);
    close(fd);
    times_set(path, number);
}

static void folder_name(char *path, size_t size, const char *root, int number) {
    size_t length = (size_t)snprintf(path, size, "%s", root);
    for (; number > 0; number /= 4)
        length += (size_t)snprintf(path + length, size - length, "/dir%d", number);
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    const char *root = argv[1];
    int files = atoi(argv[2]);
    uint64_t average = strtoull(argv[3], NULL, 10) / (uint64_t)(files ? files : 1);
    static char path[4096], other[4200];
    umask(022);
    check(mkdir(root, 0755) == 0, root);
    for (int i = 1; i < FOLDERS; i++) {
        /* A folder's name is its ancestors': number 7 is dir7/dir1, so parents must come first. */
        folder_name(path, sizeof path, root, i);
        for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
            *at = 0;
            (void)mkdir(path, 0755);
            *at = '/';
        }
        (void)mkdir(path, 0755);
    }
    for (int i = 0; i < files; i++) {
        folder_name(path, sizeof path, root, (int)(next() % FOLDERS));
        size_t length = strlen(path);
        snprintf(path + length, sizeof path - length, "/file %d.%s", i, i % 3 == 0 ? "bin" : "txt");
        file_make(path, i, i % 97 == 5 ? 0 : (size_t)(next() % (2 * average)));
        if (i % 40 == 11) {
            snprintf(other, sizeof other, "%s/hard-%d", root, i);
            check(link(path, other) == 0, other);
        }
        if (i % 60 == 21) {
            snprintf(other, sizeof other, "%s/soft-%d", root, i);
            check(symlink(path, other) == 0, other);
            times_set(other, i);
        }
    }
    for (int i = FOLDERS - 1; i >= 0; i--) {
        folder_name(path, sizeof path, root, i);
        for (size_t length = strlen(path); length >= strlen(root); path[length] = 0) {
            times_set(path, FOLDERS);
            while (length > 0 && path[--length] != '/')
                continue;
        }
    }
    return 0;
}
