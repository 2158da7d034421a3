/* clone and scheduling constants. */
#pragma once

#include <stdint.h>

#define CSIGNAL              0x000000ffULL
#define CLONE_VM             0x00000100ULL
#define CLONE_FS             0x00000200ULL
#define CLONE_FILES          0x00000400ULL
#define CLONE_SIGHAND        0x00000800ULL
#define CLONE_PIDFD          0x00001000ULL
#define CLONE_PTRACE         0x00002000ULL
#define CLONE_VFORK          0x00004000ULL
#define CLONE_PARENT         0x00008000ULL
#define CLONE_THREAD         0x00010000ULL
#define CLONE_NEWNS          0x00020000ULL
#define CLONE_SYSVSEM        0x00040000ULL
#define CLONE_SETTLS         0x00080000ULL
#define CLONE_PARENT_SETTID  0x00100000ULL
#define CLONE_CHILD_CLEARTID 0x00200000ULL
#define CLONE_DETACHED       0x00400000ULL
#define CLONE_UNTRACED       0x00800000ULL
#define CLONE_CHILD_SETTID   0x01000000ULL
#define CLONE_NEWCGROUP      0x02000000ULL
#define CLONE_NEWUTS         0x04000000ULL
#define CLONE_NEWIPC         0x08000000ULL
#define CLONE_NEWUSER        0x10000000ULL
#define CLONE_NEWPID         0x20000000ULL
#define CLONE_NEWNET         0x40000000ULL
#define CLONE_IO             0x80000000ULL
#define CLONE_CLEAR_SIGHAND  0x100000000ULL
#define CLONE_INTO_CGROUP    0x200000000ULL
#define CLONE_NEWTIME        0x00000080ULL

enum { SCHED_OTHER = 0, SCHED_FIFO = 1, SCHED_RR = 2, SCHED_BATCH = 3, SCHED_IDLE = 5, SCHED_DEADLINE = 6 };
#define SCHED_RESET_ON_FORK 0x40000000

struct clone_args64 {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};
enum { CLONE_ARGS_SIZE_VER0 = 64 };

struct sched_attr64 {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};
enum { SCHED_ATTR_SIZE_VER0 = 48, SCHED_ATTR_SIZE_VER1 = 56 };
