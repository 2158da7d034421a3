/* test: libc=musl,glibc cpus=1,4 */
/* System V semaphores: sets by key and id, atomic operations, waiting, undo, permissions, limits, the end. */
#include "tests/system/prog/sem/set.h"

TEST(keys) {
    CHECK_ERRNO(semget(KEY, 1, 0600), ENOENT);
    int id = set_make(KEY, 3, IPC_CREAT | 0640);
    CHECK_EQ(set_make(KEY, 0, 0), id);
    CHECK_EQ(set_make(KEY, 3, IPC_CREAT | 0600), id);
    CHECK_ERRNO(semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_ERRNO(semget(KEY, 4, 0), EINVAL);
    int other = set_make(KEY + 1, 1, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other != id);
    set_end(id);
    CHECK_ERRNO(semget(KEY, 1, 0600), ENOENT);
    int again = set_make(KEY, 1, IPC_CREAT | 0600);
    CHECK(again != id);
    CHECK_ERRNO(semctl(id, 0, IPC_RMID), EINVAL);
    set_end(again);
    set_end(other);
}

TEST(what_stat_tells) {
    time_t before = time(NULL);
    int id = set_make(KEY + 2, 5, IPC_CREAT | 0640);
    struct semid_ds state = state_of(id);
    CHECK_EQ(state.sem_nsems, 5);
    CHECK_EQ(state.sem_perm.mode, 0640);
    CHECK_EQ(state.sem_otime, 0);
    CHECK(state.sem_ctime >= before && state.sem_ctime <= time(NULL));
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(value_of(id, i), 0);
        CHECK_EQ(semctl(id, i, GETPID), 0);
    }
    CHECK(operate(id, 1, 2, 0) == 0);
    CHECK_EQ(semctl(id, 1, GETPID), getpid());
    CHECK_EQ(semctl(id, 0, GETPID), 0);
    CHECK(operate(id, 0, 0, 0) == 0);
    CHECK_EQ(semctl(id, 0, GETPID), getpid()); /* also by a wait for zero */
    state = state_of(id);
    CHECK(state.sem_otime >= before && state.sem_otime <= time(NULL));
    pid_t pid = fork();
    if (!pid) {
        value_set(id, 3, 7);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(semctl(id, 3, GETPID), pid);
    CHECK_EQ(value_of(id, 3), 7);
    set_end(id);
}

TEST(values) {
    int id = set_make(IPC_PRIVATE, 4, 0600);
    unsigned short values[4] = {1, 32767, 0, 9}, got[5] = {0, 0, 0, 0, 77};
    CHECK(semctl(id, 0, SETALL, (union semun){.array = values}) == 0);
    CHECK(semctl(id, 0, GETALL, (union semun){.array = got}) == 0);
    CHECK(memcmp(values, got, sizeof values) == 0 && got[4] == 77);
    values[2] = 32768;
    CHECK_ERRNO(semctl(id, 0, SETALL, (union semun){.array = values}), ERANGE);
    CHECK_EQ(value_of(id, 2), 0);
    CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){.val = 32768}), ERANGE);
    CHECK_ERRNO(semctl(id, 0, SETVAL, (union semun){.val = -1}), ERANGE);
    CHECK_ERRNO(semctl(id, 4, SETVAL, (union semun){.val = 1}), EINVAL);
    CHECK_ERRNO(semctl(id, -1, GETVAL), EINVAL);
    CHECK_ERRNO(semctl(id, 4, GETNCNT), EINVAL);
    CHECK_ERRNO(operate(id, 1, 1, 0), ERANGE);
    CHECK_ERRNO(operate(id, 4, 1, 0), EFBIG);
    set_end(id);
}

/* All or nothing, in their order. */
TEST(atomic) {
    int id = set_make(IPC_PRIVATE, 3, 0600);
    value_set(id, 0, 5);
    struct sembuf all[] = {{0, -2, 0}, {1, 4, 0}, {2, -1, IPC_NOWAIT}};
    CHECK_ERRNO(semop(id, all, 3), EAGAIN);
    CHECK(value_of(id, 0) == 5 && value_of(id, 1) == 0 && value_of(id, 2) == 0);
    CHECK_EQ(semctl(id, 1, GETPID), 0);
    value_set(id, 2, 1);
    CHECK(semop(id, all, 3) == 0);
    CHECK(value_of(id, 0) == 3 && value_of(id, 1) == 4 && value_of(id, 2) == 0);
    struct sembuf same[] = {{1, -4, 0}, {1, 0, 0}, {1, 7, 0}, {1, -1, 0}};
    CHECK(semop(id, same, 4) == 0);
    CHECK_EQ(value_of(id, 1), 6);
    struct sembuf late[] = {{1, -6, 0}, {1, -1, IPC_NOWAIT}, {1, 9, 0}};
    CHECK_ERRNO(semop(id, late, 3), EAGAIN);
    CHECK_EQ(value_of(id, 1), 6);
    struct sembuf over[] = {{0, 1, 0}, {1, 32767, 0}};
    CHECK_ERRNO(semop(id, over, 2), ERANGE);
    CHECK_EQ(value_of(id, 0), 3);
    CHECK_ERRNO(operate(id, 0, 0, IPC_NOWAIT), EAGAIN);
    set_end(id);
}

TEST(waits) {
    int id = set_make(IPC_PRIVATE, 2, 0600);
    struct sembuf take = {0, -2, 0}, zero = {0, 0, 0}, lock[] = {{1, 0, 0}, {1, 1, 0}};
    pid_t taker = child_operates(id, &take, 1, 0);
    await_waiting(id, 0, GETNCNT, 1);
    CHECK_EQ(semctl(id, 0, GETZCNT), 0);
    CHECK(operate(id, 0, 1, 0) == 0);
    pid_t zeroes[2] = {child_operates(id, &zero, 1, 0), child_operates(id, &zero, 1, 0)};
    await_waiting(id, 0, GETZCNT, 2);
    CHECK_EQ(semctl(id, 0, GETNCNT), 1);
    CHECK(operate(id, 0, 1, 0) == 0); /* which ends all three */
    CHECK_EXITS(taker, 0);
    CHECK_EXITS(zeroes[0], 0);
    CHECK_EXITS(zeroes[1], 0);
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
    CHECK_EQ(semctl(id, 0, GETZCNT), 0);
    value_set(id, 1, 1);
    pid_t first = child_operates(id, lock, 2, 0);
    await_waiting(id, 1, GETZCNT, 1);
    pid_t second = child_operates(id, lock, 2, 0);
    await_waiting(id, 1, GETZCNT, 2);
    CHECK(operate(id, 1, -1, 0) == 0); /* one of the two gets it */
    CHECK_EXITS(first, 0);
    CHECK_EQ(semctl(id, 1, GETZCNT), 1);
    CHECK_EQ(semctl(id, 1, GETPID), first);
    CHECK(operate(id, 1, -1, 0) == 0);
    CHECK_EXITS(second, 0);
    set_end(id);
}

/* Who waits for zero after its own change of the same semaphore waits for another value. */
TEST(zero_by_own_change) {
    int id = set_make(IPC_PRIVATE, 1, 0600);
    struct sembuf last[] = {{0, -1, 0}, {0, 0, 0}};
    for (unsigned set = 0; set < 2; set++) {
        value_set(id, 0, 3);
        pid_t waiting = child_operates(id, last, 2, 0);
        await_waiting(id, 0, GETZCNT, 1);
        CHECK(operate(id, 0, -1, 0) == 0);
        CHECK_EQ(semctl(id, 0, GETZCNT), 1);
        if (set)
            value_set(id, 0, 1);
        else
            CHECK(operate(id, 0, -1, 0) == 0);
        CHECK_EXITS(waiting, 0);
        CHECK_EQ(value_of(id, 0), 0);
    }
    set_end(id);
}

/* Of several that wait, the first whose operation is possible; what one does lets others go on. */
TEST(order_and_chains) {
    int id = set_make(IPC_PRIVATE, 4, 0600);
    struct sembuf many = {0, -5, 0}, one = {0, -1, 0};
    pid_t big = child_operates(id, &many, 1, 0);
    await_waiting(id, 0, GETNCNT, 1);
    pid_t small = child_operates(id, &one, 1, 0);
    await_waiting(id, 0, GETNCNT, 2);
    CHECK(operate(id, 0, 3, 0) == 0);
    CHECK_EXITS(small, 0);
    CHECK_EQ(value_of(id, 0), 2);
    CHECK(operate(id, 0, 3, 0) == 0);
    CHECK_EXITS(big, 0);
    CHECK_EQ(value_of(id, 0), 0);
    struct sembuf a[] = {{0, -1, 0}, {1, 1, 0}}, b[] = {{1, -1, 0}, {2, 2, 0}}, c[] = {{2, -1, 0}, {3, 1, 0}};
    pid_t chain[4] = {child_operates(id, c, 2, 0), child_operates(id, b, 2, 0), child_operates(id, a, 2, 0),
                      child_operates(id, c, 2, 0)};
    await_waiting(id, 2, GETNCNT, 2);
    await_waiting(id, 1, GETNCNT, 1);
    await_waiting(id, 0, GETNCNT, 1);
    value_set(id, 0, 1);
    for (int i = 0; i < 4; i++)
        CHECK_EXITS(chain[i], 0);
    CHECK(!value_of(id, 0) && !value_of(id, 1) && !value_of(id, 2) && value_of(id, 3) == 2);
    /* What waits for two moves on to the second when it has the first. */
    value_set(id, 3, 0);
    struct sembuf both[] = {{0, -1, 0}, {3, -1, 0}};
    pid_t pair = child_operates(id, both, 2, 0);
    await_waiting(id, 0, GETNCNT, 1);
    CHECK(operate(id, 0, 1, 0) == 0);
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
    CHECK_EQ(semctl(id, 3, GETNCNT), 1);
    CHECK_EQ(value_of(id, 0), 1);
    CHECK(operate(id, 3, 1, 0) == 0);
    CHECK_EXITS(pair, 0);
    CHECK_EQ(value_of(id, 0), 0);
    /* Everything set at once. */
    struct sembuf each[] = {{0, -1, 0}, {1, -2, 0}, {2, 0, 0}};
    value_set(id, 2, 1);
    pid_t all = child_operates(id, each, 3, 0);
    await_waiting(id, 0, GETNCNT, 1);
    unsigned short values[4] = {1, 2, 0, 0};
    CHECK(semctl(id, 0, SETALL, (union semun){.array = values}) == 0);
    CHECK_EXITS(all, 0);
    CHECK_EQ(value_of(id, 1), 0);
    set_end(id);
}

TEST(removal_ends_waits) {
    int id = set_make(IPC_PRIVATE, 2, 0600);
    struct sembuf take = {0, -1, SEM_UNDO}, zero = {1, 0, 0};
    value_set(id, 1, 1);
    pid_t one = child_operates(id, &take, 1, EIDRM), two = child_operates(id, &zero, 1, EIDRM);
    await_waiting(id, 0, GETNCNT, 1);
    await_waiting(id, 1, GETZCNT, 1);
    set_end(id);
    CHECK_EXITS(one, 0);
    CHECK_EXITS(two, 0);
    CHECK_ERRNO(operate(id, 0, 1, 0), EINVAL);
}

static void on_signal(int number) {
    (void)number;
}

TEST(signals_and_kills) {
    int id = set_make(IPC_PRIVATE, 1, 0600), ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t pid = fork();
    if (!pid) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &action, NULL);
        CHECK_ERRNO(operate(id, 0, -1, SEM_UNDO), EINTR); /* never restarted */
        CHECK(write(ready[1], "x", 1) == 1);
        struct timespec long_time = {1000, 0};
        struct sembuf take = {0, -1, 0};
        CHECK(semtimedop(id, &take, 1, &long_time) == -1 && errno == EINTR);
        _exit(0);
    }
    await_waiting(id, 0, GETNCNT, 1);
    kill(pid, SIGUSR1);
    CHECK(read(ready[0], &byte, 1) == 1);
    await_waiting(id, 0, GETNCNT, 1);
    kill(pid, SIGUSR1);
    CHECK_EXITS(pid, 0);
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
    struct sembuf take = {0, -1, SEM_UNDO};
    pid_t waiting[3];
    for (int i = 0; i < 3; i++)
        waiting[i] = child_operates(id, &take, 1, 0);
    await_waiting(id, 0, GETNCNT, 3);
    kill(waiting[1], SIGKILL);
    CHECK_KILLED(waiting[1], SIGKILL);
    CHECK_EQ(semctl(id, 0, GETNCNT), 2);
    CHECK(operate(id, 0, 2, 0) == 0);
    CHECK_EXITS(waiting[0], 0);
    CHECK_EXITS(waiting[2], 0);
    CHECK_EQ(value_of(id, 0), 2); /* both took theirs back */
    set_end(id);
}

TEST(timeouts) {
    int id = set_make(IPC_PRIVATE, 1, 0600);
    struct sembuf take = {0, -1, 0};
    struct timespec none = {0, 0}, some = {0, 30000000}, bad = {0, 1000000000}, past = {-1, 0};
    CHECK_ERRNO(semtimedop(id, &take, 1, &none), EAGAIN);
    uint64_t start = check_now_ns();
    CHECK_ERRNO(semtimedop(id, &take, 1, &some), EAGAIN);
    CHECK(check_now_ns() - start >= 30000000);
    CHECK_ERRNO(semtimedop(id, &take, 1, &bad), EINVAL);
    CHECK_ERRNO(semtimedop(id, &take, 1, &past), EINVAL);
    CHECK_ERRNO(syscall(SYS_semtimedop, id, &take, 1, 8), EFAULT);
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
    CHECK(operate(id, 0, 1, 0) == 0);
    CHECK(semtimedop(id, &take, 1, &none) == 0);
    set_end(id);
}

/* ---- permissions, limits, lists ---- */

TEST(permissions) {
    int id = set_make(KEY + 4, 1, IPC_CREAT | 0600), shown = set_make(KEY + 5, 1, IPC_CREAT | 0644);
    pid_t pid = fork();
    if (!pid) {
        struct semid_ds state;
        unsigned short value = 1;
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(semget(KEY + 4, 1, 0600), EACCES);
        CHECK_EQ(semget(KEY + 4, 1, 0), id); /* asks for nothing */
        CHECK_ERRNO(operate(id, 0, 0, 0), EACCES);
        CHECK_ERRNO(operate(id, 1, 0, 0), EFBIG);
        CHECK_ERRNO(semctl(id, 0, IPC_STAT, (union semun){.buf = &state}), EACCES);
        CHECK(semctl(id & 32767, 0, SEM_STAT_ANY, (union semun){.buf = &state}) == id);
        CHECK_ERRNO(semctl(id & 32767, 0, SEM_STAT, (union semun){.buf = &state}), EACCES);
        CHECK_ERRNO(semctl(id, 0, IPC_RMID), EPERM);
        state = state_of(shown);
        CHECK_ERRNO(semctl(shown, 0, IPC_SET, (union semun){.buf = &state}), EPERM);
        CHECK(operate(shown, 0, 0, 0) == 0); /* a wait for zero reads */
        CHECK_ERRNO(operate(shown, 0, 1, 0), EACCES);
        CHECK_ERRNO(semctl(shown, 0, SETVAL, (union semun){.val = 1}), EACCES);
        CHECK_ERRNO(semctl(shown, 0, SETALL, (union semun){.array = &value}), EACCES);
        CHECK_EQ(value_of(shown, 0), 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    struct semid_ds state = state_of(id);
    state.sem_perm.uid = 1000;
    state.sem_perm.mode = 0400;
    CHECK(semctl(id, 0, IPC_SET, (union semun){.buf = &state}) == 0);
    CHECK_EQ(state_of(id).sem_perm.mode, 0400);
    pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_EQ(value_of(id, 0), 0);
        CHECK_ERRNO(operate(id, 0, 1, 0), EACCES);
        set_end(id);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    state.sem_perm.uid = (uid_t)-1;
    CHECK_ERRNO(semctl(shown, 0, IPC_SET, (union semun){.buf = &state}), EINVAL);
    set_end(shown);
}

TEST(bad_arguments) {
    static struct sembuf many[OPERATIONS_MOST + 1];
    CHECK_ERRNO(semget(IPC_PRIVATE, 0, 0600), EINVAL);
    CHECK_ERRNO(semget(IPC_PRIVATE, -1, 0600), EINVAL);
    CHECK_ERRNO(semget(IPC_PRIVATE, MOST + 1, 0600), EINVAL);
    CHECK_ERRNO(semctl(-1, 0, GETVAL), EINVAL);
    CHECK_ERRNO(semctl(31000, 0, GETVAL), EINVAL);
    int id = set_make(IPC_PRIVATE, 1, 0600);
    CHECK_ERRNO(operate(-1, 0, 1, 0), EINVAL);
    CHECK_ERRNO(operate(31000, 0, 1, 0), EINVAL);
    CHECK_ERRNO(semop(id, many, 0), EINVAL);
    CHECK_ERRNO(semop(id, many, OPERATIONS_MOST + 1), E2BIG);
    CHECK(semop(id, many, OPERATIONS_MOST) == 0);
    CHECK_ERRNO(syscall(SYS_semop, id, 8, 1), EFAULT);
    CHECK_ERRNO(syscall(SYS_semop, -1, 8, 1), EFAULT);
    CHECK_ERRNO(syscall(SYS_semctl, id, 0, 99, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_semctl, id, 0, IPC_STAT, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_semctl, id, 0, IPC_SET, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_semctl, 31000, 0, IPC_SET, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_semctl, id, 0, GETALL, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_semctl, id, 0, SETALL, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_semctl, id, 0, IPC_INFO, 8), EFAULT);
    set_end(id);
}

TEST(largest) {
    int id = set_make(IPC_PRIVATE, MOST, 0600);
    unsigned short *values = malloc(MOST * sizeof *values);
    for (int i = 0; i < MOST; i++)
        values[i] = (unsigned short)(i % 1000);
    CHECK(semctl(id, 0, SETALL, (union semun){.array = values}) == 0);
    CHECK_EQ(value_of(id, MOST - 1), (MOST - 1) % 1000);
    pid_t pid = fork();
    if (!pid) {
        struct sembuf all[OPERATIONS_MOST];
        for (int i = 0; i < OPERATIONS_MOST; i++)
            all[i] = (struct sembuf){(unsigned short)(MOST - 1 - i), 1, SEM_UNDO};
        CHECK(semop(id, all, OPERATIONS_MOST) == 0);
        CHECK_EQ(value_of(id, MOST - OPERATIONS_MOST), (MOST - OPERATIONS_MOST) % 1000 + 1);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK(semctl(id, 0, GETALL, (union semun){.array = values}) == 0);
    for (int i = 0; i < MOST; i++)
        CHECK_EQ(values[i], i % 1000);
    set_end(id);
}

static bool line_found(const char *path, const char *start) {
    char line[512];
    bool found = false;
    FILE *list = fopen(path, "r");
    CHECK(list);
    while (fgets(line, sizeof line, list))
        found |= strncmp(line, start, strlen(start)) == 0;
    fclose(list);
    return found;
}

TEST(info_and_proc) {
    struct seminfo info;
    struct semid_ds state;
    char want[128];
    int id = set_make(KEY + 6, 5, IPC_CREAT | 0604);
    int last = semctl(0, 0, IPC_INFO, (union semun){.info = &info});
    CHECK(last >= 0);
    CHECK(info.semmni == 32000 && info.semmsl == MOST && info.semmns == 1024000000 && info.semopm == 500);
    CHECK(info.semvmx == 32767 && info.semaem == 32767 && info.semusz == 20 && info.semume == 500);
    CHECK(info.semmap == 1024000000 && info.semmnu == 1024000000);
    CHECK_EQ(semctl(0, 0, SEM_INFO, (union semun){.info = &info}), last);
    CHECK(info.semusz >= 1 && info.semaem >= 5);
    bool found = false;
    for (int i = 0; i <= last; i++)
        if (semctl(i, 0, SEM_STAT, (union semun){.buf = &state}) == id)
            found = state.sem_nsems == 5;
    CHECK(found);
    CHECK(line_found("/proc/sysvipc/sem", "       key      semid perms      nsems   uid   gid  cuid  cgid"));
    snprintf(want, sizeof want, "%10d %10d  %4o %10u %5u %5u %5u %5u %10u ", KEY + 6, id, 0604, 5, 0, 0, 0, 0,
             0);
    CHECK(line_found("/proc/sysvipc/sem", want));
    CHECK(line_found("/proc/sys/kernel/sem", "32000\t1024000000\t500\t32000\n"));
    set_end(id);
}

static void limits_write(const char *text, int error) {
    FILE *file = fopen("/proc/sys/kernel/sem", "w");
    CHECK(file);
    fputs(text, file);
    errno = 0;
    int result = fclose(file), found = errno;
    CHECK(error ? result == EOF && found == error : result == 0);
}

TEST(limits) {
    struct sembuf two[] = {{0, 1, 0}, {0, 1, 0}};
    int id = set_make(IPC_PRIVATE, 2, 0600);
    limits_write("3 1024000000 1", 0);
    CHECK(line_found("/proc/sys/kernel/sem", "3\t1024000000\t1\t32000\n"));
    CHECK_ERRNO(semop(id, two, 2), E2BIG);
    CHECK(semop(id, two, 1) == 0);
    CHECK_ERRNO(semget(IPC_PRIVATE, 4, 0600), EINVAL);
    limits_write("32000 4 500 32000\n", 0);
    CHECK_ERRNO(semget(IPC_PRIVATE, 3, 0600), ENOSPC);
    limits_write("32000 1024000000 500 1", 0);
    CHECK_ERRNO(semget(IPC_PRIVATE, 3, 0600), ENOSPC);
    limits_write("32000 1024000000 500 32769", ERANGE);
    limits_write("32000 1024000000 500 32000", 0);
    set_end(id);
}

/* Processes that take and give, that end and are killed meanwhile: what is there stays the same. */
TEST(at_once) {
    enum { WORKERS = 4, TURNS = 300 };
    int id = set_make(IPC_PRIVATE, 3, 0600);
    int *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[WORKERS];
    value_set(id, 0, 1);
    value_set(id, 1, 2);
    for (int i = 0; i < WORKERS; i++) {
        pids[i] = fork();
        for (int turn = 0; !pids[i] && turn < TURNS; turn++) {
            struct sembuf take[] = {{0, -1, SEM_UNDO}, {1, -1, SEM_UNDO}},
                          give[] = {{1, 1, SEM_UNDO}, {0, 1, SEM_UNDO}};
            CHECK(semop(id, take, 2) == 0);
            ++*(volatile int *)count;
            CHECK(semop(id, give, 2) == 0);
            if (turn % 50 == i) {
                pid_t child = child_operates(id, take, 2, 0); /* its end gives both back */
                CHECK_EXITS(child, 0);
            }
        }
        if (!pids[i])
            _exit(0);
    }
    for (int turn = 0; turn < 20; turn++) {
        struct sembuf both[] = {{1, -2, SEM_UNDO}, {2, 1, SEM_UNDO}};
        pid_t pid = child_operates(id, both, 2, 0);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    for (int i = 0; i < WORKERS; i++)
        CHECK_EXITS(pids[i], 0);
    CHECK_EQ(*count, WORKERS * TURNS);
    CHECK(value_of(id, 0) == 1 && value_of(id, 1) == 2 && value_of(id, 2) == 0);
    set_end(id);
}

TEST_MAIN()
