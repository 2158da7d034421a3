/*
 * A worker: starts torturers, kills those that make no call for a while, or slow ones for long, waits for
 * what they leave behind, and empties their directory.
 */
#include "torturer.h"
#include "worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    IDLE_MS = 600,    /* a torturer that makes no call for so long is killed */
    LIFE_MS = 8000,   /* and so is one that makes slow ones for so long */
    DEATH_MS = 60000, /* and must be gone then */
};

uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

_Noreturn void give_up(const char *what, pid_t pid) {
    static const char *const files[] = {"stat", "status", "wchan", "syscall"};
    char path[64], text[1024];
    dprintf(1, "not ok grind %s (process %d)\n", what, (int)pid);
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, files[i]);
        int fd = open(path, O_RDONLY);
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text);
        if (length > 0)
            (void)!write(1, text, (size_t)length);
        close(fd);
    }
    _exit(1);
}

/* Kills every process whose parent is this one: what torturers left behind. */
static void children_kill(void) {
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    char path[64], text[512];
    while (proc && (entry = readdir(proc))) {
        int pid = atoi(entry->d_name), parent = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        int fd = pid > 0 ? open(path, O_RDONLY) : -1;
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        text[length > 0 ? length : 0] = 0;
        char *name_end = strrchr(text, ')');
        if (name_end && sscanf(name_end + 1, " %*c %d", &parent) == 1 && parent == getpid())
            kill(pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
}

/* Waits for all children of this process, the adopted ones too. */
static void children_end(void) {
    uint64_t began = now_ms(), tried = began;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) >= 0) {
        if (pid > 0)
            continue;
        if (now_ms() - tried > 100) {
            children_kill();
            tried = now_ms();
        }
        if (now_ms() - began > DEATH_MS)
            give_up("orphans cannot be killed", getpid());
        sleep_ms(2);
    }
}

/* Empties a directory, whatever torturers made of it. */
static void tree_remove(int folder, unsigned depth) {
    DIR *stream = fdopendir(folder);
    struct dirent *entry;
    while (stream && (entry = readdir(stream))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!unlinkat(dirfd(stream), entry->d_name, 0))
            continue;
        int inner =
            depth < 500 ? openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : -1;
        if (inner >= 0)
            tree_remove(inner, depth + 1);
        if (unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR) && errno == EBUSY) {
            char path[64];
            snprintf(path, sizeof path, "/proc/self/fd/%d/%.20s", dirfd(stream), entry->d_name);
            umount2(path, MNT_DETACH);
            unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
        }
    }
    if (stream)
        closedir(stream);
}

uint64_t calls_all(void) {
    uint64_t sum = 0;
    for (int i = 0; i < WORKERS_MAX; i++)
        sum += shared->calls[i];
    return sum;
}

/* Waits for a torturer; kills it when it makes no calls for long. */
static void torturer_watch(unsigned worker, pid_t pid) {
    uint64_t last = shared->calls[worker], began = now_ms(), since = began, killed = 0;
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        sleep_ms(2);
        uint64_t now = now_ms();
        if (shared->calls[worker] != last) {
            last = shared->calls[worker];
            since = now;
        }
        if (!killed && (now - since > IDLE_MS || now - began > LIFE_MS)) {
            killed = now;
            shared->killed++;
            kill(pid, SIGKILL);
        }
        if (killed && now_ms() - killed > DEATH_MS)
            give_up("a killed process does not end", pid);
    }
    if (WIFSIGNALED(status))
        shared->crashed++;
}

_Noreturn void worker_run(unsigned worker, uint64_t seed) {
    char folder[32];
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    snprintf(folder, sizeof folder, "/tmp/grind%u", worker);
    for (unsigned turn = 0; calls_all() < shared->goal; turn++) {
        mkdir(folder, 0755);
        pid_t pid = fork();
        if (pid == 0) {
            if (chdir(folder))
                _exit(8);
            torturer_run(worker, seed + turn * 0x9e3779b97f4a7c15ULL);
        }
        if (pid < 0) {
            sleep_ms(10);
            continue;
        }
        shared->torturers++;
        torturer_watch(worker, pid);
        children_end();
        int fd = open(folder, O_RDONLY | O_DIRECTORY);
        if (fd >= 0)
            tree_remove(fd, 0);
        rmdir(folder);
    }
    _exit(0);
}
