/*
 * Linux tasks. A struct process is a thread group; a struct task is one thread of it, served by one native
 * thread of the personality that runs it in guest mode. tasks_lock guards the process tree, process groups,
 * sessions, signal state and exit states; a task's own fields without a note are touched by that task alone.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "abi/rights.h"
#include "abi/utcb.h"
#include "lib/base/list.h"
#include "linux/fs.h"
#include "linux/lock.h"
#include "linux/task/security.h"

struct mm;       /* linux/task/mm.h: address space: kernel space handle, VMAs, brk */
struct sighand;  /* linux/task/signal.h: signal actions, shared by CLONE_SIGHAND */
struct fd_table; /* linux/fs/fd.h */
struct tty;      /* linux/io/tty.h */
struct sem_undo_list;
struct fs_state { /* cwd, root, umask; shared by CLONE_FS */
    _Atomic uint32_t references;
    struct mutex lock;
    struct path root, cwd;
    uint32_t umask;
};

struct credentials {
    uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
    uint32_t group_count;
    uint32_t groups[32];
};

enum { LINUX_SIGNALS = 64 };
typedef uint64_t sigset_t64; /* bit n - 1 is signal n */

struct signal_info { /* what siginfo_t carries */
    int32_t signo, code, error;
    int32_t pid, uid, status;
    uint64_t address, value;
    uint64_t utime, stime;
    int32_t timer_id, overrun;
};

struct session {
    _Atomic uint32_t references; /* one per process group in it */
    int32_t sid;
    uint32_t task_count;    /* live tasks of its processes (tasks_lock) */
    uint64_t next_fork;     /* ns since boot: when a crowded session may fork again (tasks_lock) */
    struct list link;       /* all sessions (tasks_lock) */
    struct process *leader; /* NULL once it has ended (tasks_lock) */
    struct tty *tty;        /* controlling terminal (tasks_lock) */
    handle_t job;           /* the session's kernel job: quotas */
};

struct process_group {
    int32_t pgid;
    struct session *session;
    struct list members; /* struct process.group_link */
    struct list link;    /* hash of groups by id */
};

struct rlimit64 {
    uint64_t current, maximum;
};

struct process {
    int32_t pid;
    _Atomic uint32_t references;
    struct process *parent;
    struct list children, sibling; /* zombies included */
    struct list threads;           /* struct task.thread_link */
    uint32_t thread_count;         /* live ones (tasks_lock) */
    uint32_t ending_count;         /* of these, on their way out (tasks_lock) */
    struct process_group *group;
    struct list group_link;
    struct list link; /* all processes */
    struct sighand *sighand;
    struct list shared_pending; /* queued signals for the process */
    sigset_t64 shared_pending_set;
    struct waitq child_wait; /* wait4: a child changed state */
    bool zombie, stopped, continued, exiting, execed;
    int32_t exit_code; /* as wait4's status word */
    int32_t stop_signal;
    int32_t exit_signal;             /* to the parent, usually SIGCHLD */
    uint64_t start_time;             /* ns since boot */
    uint64_t user_time, system_time; /* ns, of ended threads too */
    uint64_t children_user_time, children_system_time;
    struct rlimit64 limits[16];
    struct list timers;       /* POSIX and interval timers */
    struct task *leader;      /* kept (without thread, mm, files) after its end until the process is reaped */
    struct session *session;  /* of group; also valid while a zombie */
    int32_t group_exit_code;  /* status word every thread ends with once exiting is set */
    struct task *exec_task;   /* the thread whose execve ends all others */
    struct waitq exec_wait;   /* announces that only exec_task is left */
    struct waitq signal_wait; /* signalfd: every signal that becomes pending here wakes it */
    bool stop_requested;      /* threads are on their way into a stop, or in it (stopped: all of them are) */
    int32_t stop_report;      /* a stop not yet reported to wait4: its signal, 0 otherwise */
    uint32_t stopped_count;   /* threads that sit in the stop */
    struct interval_timers *interval_timers; /* linux/task/timer.c; NULL until used */
    int32_t next_timer_id;
    uint64_t max_rss, children_max_rss; /* pages */
    uint64_t minor_faults, major_faults, children_minor_faults, children_major_faults;
    uint64_t voluntary_switches, children_voluntary_switches;
    bool child_subreaper, not_dumpable;
    handle_t waiting_thread; /* hidden_init only: the native thread in process_wait_first */
};

/* What restart_syscall (219) continues after a call ended with -ERESTART_RESTARTBLOCK. */
struct restart_block {
    int64_t (*function)(struct task *task);
    uint64_t data[6];
};

struct task {
    int32_t tid;
    struct process *process;
    struct list thread_link;
    handle_t thread; /* native thread */
    struct utcb *utcb;
    _Atomic uint64_t *call_counts; /* where its calls are counted (linux/dispatch.c) */
    struct mm *mm;
    struct fd_table *files;
    struct fs_state *fs;
    struct credentials credentials;
    char comm[16];

    sigset_t64 blocked, saved_blocked;
    bool restore_blocked;   /* sigsuspend, ppoll: put saved_blocked back after delivery */
    struct list pending;    /* tasks_lock */
    sigset_t64 pending_set; /* tasks_lock */
    union {
        struct {
            _Atomic bool
                signal_pending; /* something to look at before returning to the guest (any thread may set) */
            bool full_restore;  /* next guest_enter restores rcx and r11 too */
        };
        uint16_t attention; /* either of them, for one look at both; plain, so that the look is one
                               instruction: a change that it misses is followed by a kick */
    };
    uint64_t altstack_base, altstack_size;
    uint32_t altstack_flags;

    uint64_t clear_child_tid, robust_list;
    struct task *vfork_parent;
    _Atomic bool dying;              /* exit_group or a fatal signal: leave guest mode and end */
    int64_t restart;                 /* -ERESTART… of the call just made, 0 otherwise */
    uint64_t user_time, system_time; /* ns */
    char state;                      /* R S D T Z for /proc */
    struct waiter waiter;            /* for waits that need just one */

    struct list hash_link; /* tasks by tid (tasks_lock) */
    struct restart_block restart_block;
    int32_t exit_code;           /* status word given to exit */
    int32_t parent_death_signal; /* prctl(PR_SET_PDEATHSIG) */
    bool stopping;               /* counts among process->stopped_count (tasks_lock) */
    bool ended;                  /* no thread, mm or files any more (tasks_lock) */
    sigset_t64 wait_set;         /* signals that rt_sigtimedwait waits for although blocked (tasks_lock) */
    struct task *vfork_child;    /* the child this task waits for in vfork (tasks_lock) */
    uint64_t trap_number, trap_error, fault_address; /* of the last fault, for signal frames */
    uint64_t start_time;                             /* ns since boot */
    uint64_t cpu_time_base; /* the native thread's CPU time when it took this task, ns */
    int32_t nice;
    uint32_t policy, rt_priority;
    bool crowded;      /* made while its session had very many tasks: runs at a low level */
    uint64_t affinity; /* CPU mask */
    uint32_t personality;
    uint64_t timer_slack;
    uint32_t news_seen;    /* mm->news when a touch that failed looked last */
    uint32_t pages_held;   /* copies do not touch pages of disks while it is not 0 (mm_hold_pages) */
    uint64_t memory_fault; /* last address that found no memory, and how often in a row */
    uint32_t memory_waits;
    bool no_new_privileges, keep_capabilities;
    uint64_t capabilities_effective, capabilities_permitted, capabilities_inheritable, capabilities_bounding;
    /* By enum security_attribute (tasks_lock); NULL: not set, which the first two never are. */
    struct security_context *security[SECURITY_ATTRIBUTES];
    struct sem_undo_list *sem_undos; /* linux/ipc/sem.c; NULL until used */
    void *vector_image;              /* buffer for signal frames (heap), made on first use */
    uint64_t
        set_child_tid;  /* where the new task stores its tid before its first guest instruction; 0: nowhere */
    void *thread_state; /* linux/arch's own */
};

/* Every capability Linux 6.1 knows (0-40). */
#define CAPABILITIES_ALL 0x1ffffffffffULL

extern struct mutex tasks_lock;

/* Privilege and permission checks live in linux/fs/permission.c (files) and linux/task/credentials.c. */
bool task_is_root(const struct task *task);
