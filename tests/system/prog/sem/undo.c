/* What SEM_UNDO takes back when a process ends, for whom, and what is forgotten of it. */
#include "tests/system/prog/sem/set.h"

TEST(undo_at_the_end) {
    int id = set_make(IPC_PRIVATE, 3, 0600);
    value_set(id, 0, 3);
    pid_t pid = fork();
    if (!pid) {
        CHECK(operate(id, 0, -2, SEM_UNDO) == 0);
        CHECK(operate(id, 1, 5, SEM_UNDO) == 0);
        CHECK(operate(id, 1, -1, 0) == 0);
        CHECK(operate(id, 2, 4, 0) == 0);
        pid_t child = fork(); /* inherits nothing of it */
        if (!child)
            _exit(0);
        CHECK_EXITS(child, 0);
        CHECK(value_of(id, 0) == 1 && value_of(id, 1) == 4);
        execl("/bin/true", "true", NULL);
        execl("/bin/busybox", "true", NULL);
        _exit(9);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(value_of(id, 0), 3);
    CHECK_EQ(value_of(id, 1), 0); /* not below */
    CHECK_EQ(value_of(id, 2), 4);
    CHECK_EQ(semctl(id, 0, GETPID), pid);
    CHECK_EQ(semctl(id, 2, GETPID), pid);
    set_end(id);
}

TEST(undo_wakes) {
    int id = set_make(IPC_PRIVATE, 1, 0600), hold[2];
    value_set(id, 0, 1);
    CHECK(pipe(hold) == 0);
    pid_t holder = fork();
    if (!holder) {
        char byte;
        CHECK(operate(id, 0, -1, SEM_UNDO) == 0);
        CHECK(write(hold[1], "x", 1) == 1);
        close(hold[1]);
        for (;;)
            pause();
        (void)!read(hold[0], &byte, 1);
    }
    char byte;
    CHECK(read(hold[0], &byte, 1) == 1);
    struct sembuf take = {0, -1, 0};
    pid_t waiter = child_operates(id, &take, 1, 0);
    await_waiting(id, 0, GETNCNT, 1);
    kill(holder, SIGKILL);
    CHECK_EXITS(waiter, 0);
    CHECK_KILLED(holder, SIGKILL);
    CHECK_EQ(value_of(id, 0), 0);
    set_end(id);
}

TEST(undo_is_forgotten) {
    int id = set_make(IPC_PRIVATE, 2, 0600);
    pid_t pid = fork();
    if (!pid) {
        unsigned short values[2] = {8, 9};
        CHECK(operate(id, 0, 3, SEM_UNDO) == 0 && operate(id, 1, 3, SEM_UNDO) == 0);
        value_set(id, 0, 5);
        CHECK(operate(id, 0, 1, SEM_UNDO) == 0);
        pid_t child = fork();
        if (!child)
            _exit(semctl(id, 0, SETALL, (union semun){.array = values}) != 0);
        CHECK_EXITS(child, 0);
        CHECK(operate(id, 1, -4, SEM_UNDO) == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(value_of(id, 0), 8);
    CHECK_EQ(value_of(id, 1), 9);
    pid = fork();
    if (!pid) { /* the sum of what is to be taken back is bounded, too */
        value_set(id, 0, 32767);
        CHECK(operate(id, 0, -32767, SEM_UNDO) == 0);
        value_set(id, 1, 0);
        CHECK(operate(id, 1, 32767, SEM_UNDO) == 0 && operate(id, 1, -32767, 0) == 0);
        CHECK(operate(id, 1, 1, SEM_UNDO) == 0);
        CHECK_ERRNO(operate(id, 1, 1, SEM_UNDO), ERANGE);
        CHECK_EQ(value_of(id, 1), 1);
        set_end(id);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
}

static int shared_id;

static void *thread_takes(void *argument) {
    (void)argument;
    CHECK(operate(shared_id, 0, -1, SEM_UNDO) == 0);
    return NULL;
}

TEST(undo_of_threads) {
    int id = shared_id = set_make(IPC_PRIVATE, 1, 0600);
    value_set(id, 0, 2);
    pid_t pid = fork();
    if (!pid) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, thread_takes, NULL) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_EQ(value_of(id, 0), 1); /* the list is the process's */
        CHECK(unshare(CLONE_SYSVSEM) == 0);
        while (value_of(id, 0) != 2) /* nobody shares it any more; on Linux the thread may still end */
            sched_yield();
        CHECK(operate(id, 0, -2, SEM_UNDO) == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(value_of(id, 0), 2);
    set_end(id);
}
