/* test: libc=musl,glibc cpus=1,4 */
/* System V shared memory: segments by key and id, attachments, permissions, limits, the end. */
#include "tests/system/prog/check.h"
#include "tests/system/prog/areas.h"

#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#ifndef SHM_EXEC
#define SHM_EXEC 0100000
#endif

enum { PAGE = 4096, KEY = 0x4b65656c };

static int segment(int key, size_t size, int flags) {
    int id = shmget(key, size, flags);
    CHECK(id >= 0);
    return id;
}

static void *attach(int id, const void *at, int flags) {
    void *address = shmat(id, at, flags);
    CHECK(address != (void *)-1);
    return address;
}

static struct shmid_ds state_of(int id) {
    struct shmid_ds state;
    CHECK(shmctl(id, IPC_STAT, &state) == 0);
    return state;
}

TEST(private_segment_is_zero_and_shared) {
    int id = segment(IPC_PRIVATE, 3 * PAGE + 1, 0600);
    char *a = attach(id, NULL, 0), *b = attach(id, NULL, 0);
    CHECK(a != b);
    for (int i = 0; i < 4 * PAGE; i++)
        CHECK_EQ(a[i], 0);
    a[PAGE] = 42;
    CHECK_EQ(b[PAGE], 42);
    pid_t pid = fork();
    if (!pid) {
        CHECK_EQ(state_of(id).shm_nattch, 4);
        a[2] = 7;
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(b[2], 7);
    CHECK_EQ(state_of(id).shm_nattch, 2);
    CHECK(shmdt(a) == 0);
    CHECK(!readable(a));
    CHECK_EQ(b[2], 7);
    CHECK_EQ(state_of(id).shm_nattch, 1);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK(shmdt(b) == 0);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &(struct shmid_ds){0}), EINVAL);
}

TEST(keys) {
    CHECK_ERRNO(shmget(KEY, PAGE, 0600), ENOENT);
    int id = segment(KEY, 2 * PAGE, IPC_CREAT | 0640);
    CHECK_EQ(segment(KEY, 0, 0), id);
    CHECK_EQ(segment(KEY, PAGE, IPC_CREAT | 0600), id);
    CHECK_ERRNO(shmget(KEY, 2 * PAGE, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_ERRNO(shmget(KEY, 2 * PAGE + 1, 0), EINVAL);
    int other = segment(KEY + 1, PAGE, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(other != id);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK_ERRNO(shmget(KEY, PAGE, 0600), ENOENT);
    int again = segment(KEY, PAGE, IPC_CREAT | 0600);
    CHECK(again != id);
    CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EINVAL);
    CHECK(shmctl(again, IPC_RMID, NULL) == 0 && shmctl(other, IPC_RMID, NULL) == 0);
}

TEST(what_stat_tells) {
    time_t before = time(NULL);
    int id = segment(KEY + 2, PAGE + 5, IPC_CREAT | 0640);
    struct shmid_ds state = state_of(id);
    CHECK_EQ(state.shm_segsz, PAGE + 5);
    CHECK_EQ(state.shm_perm.mode, 0640);
    CHECK_EQ(state.shm_cpid, getpid());
    CHECK_EQ(state.shm_lpid, 0);
    CHECK_EQ(state.shm_nattch, 0);
    CHECK_EQ(state.shm_atime, 0);
    CHECK_EQ(state.shm_dtime, 0);
    CHECK(state.shm_ctime >= before && state.shm_ctime <= time(NULL));
    pid_t pid = fork();
    if (!pid) {
        attach(id, NULL, 0); /* the exit ends it */
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    state = state_of(id);
    CHECK_EQ(state.shm_lpid, pid);
    CHECK_EQ(state.shm_nattch, 0);
    CHECK(state.shm_atime >= before && state.shm_dtime >= state.shm_atime);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

TEST(removal_waits_for_the_last) {
    int id = segment(KEY + 3, PAGE, IPC_CREAT | 0600);
    char *a = attach(id, NULL, 0);
    a[1] = 1;
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0); /* no error */
    CHECK_ERRNO(shmget(KEY + 3, PAGE, 0), ENOENT);
    struct shmid_ds state = state_of(id);
    CHECK_EQ(state.shm_perm.mode, 01600);
    char *b = attach(id, NULL, 0); /* by its id it can still be had */
    CHECK_EQ(b[1], 1);
    CHECK(shmdt(a) == 0);
    CHECK_EQ(state_of(id).shm_nattch, 1);
    CHECK(munmap(b, PAGE) == 0); /* ends it as shmdt does */
    CHECK_ERRNO(shmctl(id, IPC_STAT, &state), EINVAL);
    CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EINVAL);
}

TEST(exec_detaches) {
    int id = segment(IPC_PRIVATE, PAGE, 0600);
    pid_t pid = fork();
    if (!pid) {
        attach(id, NULL, 0);
        execl("/bin/true", "true", NULL);
        execl("/bin/busybox", "true", NULL);
        _exit(9);
    }
    CHECK_EXITS(pid, 0);
    CHECK_EQ(state_of(id).shm_nattch, 0);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

TEST(where_it_is_attached) {
    int id = segment(IPC_PRIVATE, 2 * PAGE, 0600);
    char *room = mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(room != MAP_FAILED);
    CHECK(shmat(id, room, 0) == (void *)-1 && errno == EINVAL); /* taken */
    CHECK(shmat(id, room + 1, 0) == (void *)-1 && errno == EINVAL);
    CHECK(shmat(id, NULL, SHM_REMAP) == (void *)-1 && errno == EINVAL);
    CHECK(attach(id, room, SHM_REMAP) == room);
    CHECK(attach(id, room + 4 * PAGE + 17, SHM_REMAP | SHM_RND) == room + 4 * PAGE);
    room[5] = 5;
    CHECK_EQ(room[4 * PAGE + 5], 5);
    CHECK_EQ(state_of(id).shm_nattch, 2);
    CHECK_ERRNO(shmdt(room + PAGE), EINVAL);
    CHECK_ERRNO(shmdt(room + 1), EINVAL);
    CHECK(shmdt(room) == 0);
    CHECK(!readable(room) && readable(room + 2 * PAGE));
    CHECK_ERRNO(shmdt(room), EINVAL);
    CHECK(attach(id, room, 0) == room); /* free now */
    CHECK(munmap(room, PAGE) == 0);
    CHECK_EQ(state_of(id).shm_nattch, 2);
    CHECK(shmdt(room) == 0); /* the rest of it */
    CHECK(!readable(room + PAGE));
    CHECK(mprotect(room + 4 * PAGE, PAGE, PROT_READ) == 0);
    CHECK_EQ(state_of(id).shm_nattch, 2); /* two areas */
    CHECK(shmdt(room + 4 * PAGE) == 0);
    CHECK_EQ(state_of(id).shm_nattch, 0);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

TEST(read_only) {
    int id = segment(IPC_PRIVATE, PAGE, 0600);
    char *writable = attach(id, NULL, 0), *constant = attach(id, NULL, SHM_RDONLY);
    writable[0] = 3;
    CHECK_EQ(constant[0], 3);
    CHECK_ERRNO(mprotect(constant, PAGE, PROT_READ | PROT_WRITE), EACCES);
    pid_t pid = fork();
    if (!pid) {
        *(volatile char *)constant = 1;
        _exit(0);
    }
    CHECK_KILLED(pid, SIGSEGV);
    char *code = attach(id, NULL, SHM_EXEC | SHM_RDONLY);
    writable[0] = (char)0xc3; /* ret */
    ((void (*)(void))code)();
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

TEST(permissions) {
    int id = segment(KEY + 4, PAGE, IPC_CREAT | 0600), shown = segment(KEY + 5, PAGE, IPC_CREAT | 0644);
    pid_t pid = fork();
    if (!pid) {
        struct shmid_ds state;
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        CHECK_ERRNO(shmget(KEY + 4, PAGE, 0600), EACCES);
        CHECK_EQ(shmget(KEY + 4, PAGE, 0), id); /* asks for nothing */
        CHECK(shmat(id, NULL, SHM_RDONLY) == (void *)-1 && errno == EACCES);
        CHECK_ERRNO(shmctl(id, IPC_STAT, &state), EACCES);
        CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM);
        state = state_of(shown);
        CHECK_ERRNO(shmctl(shown, IPC_SET, &state), EPERM);
        CHECK_ERRNO(shmget(KEY + 5, PAGE, 0600), EACCES);
        CHECK(shmat(shown, NULL, 0) == (void *)-1 && errno == EACCES);
        CHECK_EQ(*(char *)attach(shown, NULL, SHM_RDONLY), 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    struct shmid_ds state = state_of(id);
    state.shm_perm.uid = 1000;
    state.shm_perm.mode = 0400;
    CHECK(shmctl(id, IPC_SET, &state) == 0);
    CHECK_EQ(state_of(id).shm_perm.mode, 0400);
    CHECK_EQ(state_of(id).shm_perm.cuid, 0);
    pid = fork();
    if (!pid) {
        CHECK(setgid(1000) == 0 && setuid(1000) == 0);
        attach(id, NULL, SHM_RDONLY);
        CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EACCES);
        CHECK(shmctl(id, IPC_RMID, NULL) == 0);
        _exit(0);
    }
    CHECK_EXITS(pid, 0);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &state), EINVAL);
    state.shm_perm.uid = (uid_t)-1;
    CHECK_ERRNO(shmctl(shown, IPC_SET, &state), EINVAL);
    CHECK(shmctl(shown, IPC_RMID, NULL) == 0);
}

TEST(bad_arguments) {
    struct shmid_ds state;
    CHECK_ERRNO(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    CHECK_ERRNO(shmget(IPC_PRIVATE, SIZE_MAX, 0600), EINVAL);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 1UL << 46, 0600), ENOMEM);
    CHECK_ERRNO(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600), ENOMEM);
    CHECK_ERRNO(shmctl(-1, IPC_STAT, &state), EINVAL);
    CHECK_ERRNO(shmctl(31000, IPC_STAT, &state), EINVAL);
    CHECK(shmat(-1, NULL, 0) == (void *)-1 && errno == EINVAL);
    CHECK_ERRNO(shmdt((void *)PAGE), EINVAL);
    int id = segment(IPC_PRIVATE, 1, 0600);
    CHECK_ERRNO(syscall(SYS_shmctl, id, 99, &state), EINVAL);
    CHECK_ERRNO(syscall(SYS_shmctl, id, IPC_STAT, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_shmctl, id, IPC_SET, 8), EFAULT);
    CHECK(shmat(id, (void *)(1UL << 62), 0) == (void *)-1);
    CHECK(shmctl(id, SHM_LOCK, NULL) == 0);
    CHECK_EQ(state_of(id).shm_perm.mode, 02600);
    CHECK(shmctl(id, SHM_UNLOCK, NULL) == 0);
    CHECK_EQ(state_of(id).shm_perm.mode, 0600);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

TEST(info_and_proc) {
    struct shminfo limits;
    struct shm_info use;
    struct shmid_ds state;
    int id = segment(KEY + 6, 5 * PAGE, IPC_CREAT | 0604);
    char *a = attach(id, NULL, 0);
    a[0] = a[PAGE] = 1;
    int last = shmctl(0, IPC_INFO, (struct shmid_ds *)&limits);
    CHECK(last >= 0);
    CHECK_EQ(limits.shmmin, 1);
    CHECK_EQ(limits.shmmni, 4096);
    CHECK(limits.shmmax == 18446744073692774399UL && limits.shmall == 18446744073692774399UL);
    CHECK_EQ(shmctl(0, SHM_INFO, (struct shmid_ds *)&use), last);
    CHECK(use.used_ids >= 1 && use.shm_tot >= 5 && use.shm_rss >= 2);
    bool found = false;
    for (int i = 0; i <= last; i++)
        if (shmctl(i, SHM_STAT, &state) == id)
            found = state.shm_segsz == 5 * PAGE;
    CHECK(found);
    char line[512], want[64];
    FILE *list = fopen("/proc/sysvipc/shm", "r");
    CHECK(list);
    snprintf(want, sizeof want, "%10d %10d  %4o %21u %5u", KEY + 6, id, 0604, 5 * PAGE, (unsigned)getpid());
    for (found = false; fgets(line, sizeof line, list);)
        found |= strncmp(line, want, strlen(want)) == 0;
    CHECK(found);
    fclose(list);
    list = fopen("/proc/self/maps", "r");
    for (found = false; fgets(line, sizeof line, list);)
        found |= strstr(line, "rw-s") && strstr(line, "/SYSV4b656572 (deleted)");
    fclose(list);
    CHECK(found);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
}

TEST(many) {
    enum { MANY = 200 };
    int ids[MANY];
    for (int i = 0; i < MANY; i++)
        ids[i] = segment(IPC_PRIVATE, PAGE, 0600);
    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < i; j++)
            CHECK(ids[i] != ids[j]);
    for (int i = 0; i < MANY; i++)
        CHECK(shmctl(ids[i], IPC_RMID, NULL) == 0);
}

/* Attachments, forks and removals from several processes at once leave nothing. */
TEST(at_once) {
    int id = segment(IPC_PRIVATE, 4 * PAGE, 0600);
    _Atomic int *count = attach(id, NULL, 0);
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = fork();
        for (int turn = 0; !pids[i] && turn < 100; turn++) {
            _Atomic int *mine = attach(id, NULL, 0);
            ++*mine;
            pid_t child = turn % 25 ? -1 : fork();
            if (!child)
                _exit(0);
            if (child > 0)
                CHECK_EXITS(child, 0);
            CHECK(shmdt((void *)mine) == 0);
        }
        if (!pids[i])
            _exit(0);
    }
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK_EXITS(pids[i], 0);
    CHECK_EQ(*count, 400);
    CHECK_EQ(state_of(id).shm_nattch, 1);
    CHECK(shmdt((void *)count) == 0);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &(struct shmid_ds){0}), EINVAL);
}

TEST_MAIN()
