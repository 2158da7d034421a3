/* System V IPC: shared memory, semaphores, message queues. */
#pragma once

#include <stdint.h>

enum { IPC_CREAT = 01000, IPC_EXCL = 02000, IPC_NOWAIT = 04000, IPC_PRIVATE = 0 };
enum { IPC_READ = 0444, IPC_WRITE = 0222, IPC_EXECUTE = 0111 }; /* permissions, in all three places */
enum { IPC_RMID = 0, IPC_SET = 1, IPC_STAT = 2, IPC_INFO = 3 };

struct ipc64_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid, mode;
    uint16_t sequence, pad;
    uint32_t pad2;
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct ipc64_perm) == 48, "struct ipc64_perm");

/* ---- shared memory ---- */

enum { SHM_HUGETLB = 04000, SHM_NORESERVE = 010000 };
enum { SHM_RDONLY = 010000, SHM_RND = 020000, SHM_REMAP = 040000, SHM_EXEC = 0100000 };
enum { SHM_LOCK = 11, SHM_UNLOCK = 12, SHM_STAT = 13, SHM_INFO = 14, SHM_STAT_ANY = 15 };
enum { SHM_DEST = 01000, SHM_LOCKED = 02000 }; /* in the mode */

struct shmid64_ds {
    struct ipc64_perm perm;
    uint64_t size;
    int64_t attach_time, detach_time, change_time;
    int32_t creator, last;
    uint64_t attached;
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct shmid64_ds) == 112, "struct shmid64_ds");

struct shminfo64 {
    uint64_t shmmax, shmmin, shmmni, shmseg, shmall, reserved[4];
};

struct shm_info {
    int32_t used_ids, pad;
    uint64_t total, resident, swapped, swap_attempts, swap_successes; /* pages */
};

/* ---- semaphores ---- */

enum { SEM_UNDO = 010000 }; /* in an operation's flags, beside IPC_NOWAIT */
enum {
    GETPID = 11,
    GETVAL = 12,
    GETALL = 13,
    GETNCNT = 14,
    GETZCNT = 15,
    SETVAL = 16,
    SETALL = 17,
    SEM_STAT = 18,
    SEM_INFO = 19,
    SEM_STAT_ANY = 20,
};

struct sembuf16 {
    uint16_t number;
    int16_t change; /* 0: wait for zero */
    int16_t flags;
};

struct semid64_ds {
    struct ipc64_perm perm;
    int64_t operation_time;
    uint64_t reserved1;
    int64_t change_time;
    uint64_t reserved2, count, reserved3, reserved4;
};
_Static_assert(sizeof(struct semid64_ds) == 104, "struct semid64_ds");

struct seminfo {
    int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
};

/* ---- message queues ---- */

enum { MSG_NOERROR = 010000, MSG_EXCEPT = 020000, MSG_COPY = 040000 };
enum { MSG_STAT = 11, MSG_INFO = 12, MSG_STAT_ANY = 13 };

struct msqid64_ds {
    struct ipc64_perm perm;
    int64_t send_time, receive_time, change_time;
    uint64_t bytes, messages, bytes_most;
    int32_t sender, receiver;
    uint64_t reserved[2];
};
_Static_assert(sizeof(struct msqid64_ds) == 120, "struct msqid64_ds");

struct msginfo {
    int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
    uint16_t msgseg;
};
