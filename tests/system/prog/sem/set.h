/* What the tests of System V semaphores do with a set. */
#pragma once

#include "tests/system/prog/check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

enum { KEY = 0x53656d00, MOST = 32000, OPERATIONS_MOST = 500 };

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
    struct seminfo *info;
};

static inline int set_make(int key, int count, int flags) {
    int id;
    CHECK((id = semget(key, count, flags)) >= 0);
    return id;
}

static inline void set_end(int id) {
    CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static inline int operate(int id, int number, int change, int flags) {
    struct sembuf operation = {(unsigned short)number, (short)change, (short)flags};
    return semop(id, &operation, 1);
}

static inline int value_of(int id, int number) {
    int value = semctl(id, number, GETVAL);
    CHECK(value >= 0);
    return value;
}

static inline void value_set(int id, int number, int value) {
    CHECK(semctl(id, number, SETVAL, (union semun){.val = value}) == 0);
}

static inline struct semid_ds state_of(int id) {
    struct semid_ds state;
    CHECK(semctl(id, 0, IPC_STAT, (union semun){.buf = &state}) == 0);
    return state;
}

/* Until so many tasks wait at a semaphore. */
static inline void await_waiting(int id, int number, int command, int count) {
    while (semctl(id, number, command) != count)
        sched_yield();
}

static inline pid_t child_operates(int id, struct sembuf *operations, size_t count, int expected) {
    pid_t pid = fork();
    if (pid == 0) {
        if (expected)
            CHECK_ERRNO(semop(id, operations, count), expected);
        else
            CHECK_EQ(semop(id, operations, count), 0);
        _exit(0);
    }
    CHECK(pid > 0);
    return pid;
}
