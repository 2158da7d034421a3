/*
 * Any call with any arguments, but for what would reach beyond the torturer.
 */
#include "torturer.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { CALLS_MAX = 335 };

enum harmless { PROCESS, OWN_NAME, TOP_NAME, NOTHING };

/* Arguments that would reach beyond the torturer, and what they become. */
static const struct {
    short number;
    uint8_t argument, becomes;
} tamed[] = {
    {SYS_kill, 0, PROCESS},
    {SYS_tkill, 0, PROCESS},
    {SYS_tgkill, 0, PROCESS},
    {SYS_tgkill, 1, PROCESS},
    {SYS_rt_sigqueueinfo, 0, PROCESS},
    {SYS_rt_tgsigqueueinfo, 0, PROCESS},
    {SYS_rt_tgsigqueueinfo, 1, PROCESS},
    {SYS_sched_setparam, 0, PROCESS},
    {SYS_sched_setscheduler, 0, PROCESS},
    {SYS_sched_setaffinity, 0, PROCESS},
    {SYS_sched_setattr, 0, PROCESS},
    {SYS_setpgid, 0, PROCESS},
    {SYS_setpriority, 0, NOTHING},
    {SYS_setpriority, 1, PROCESS},
    {SYS_ioprio_set, 0, NOTHING},
    {SYS_ioprio_set, 1, PROCESS},
    {SYS_prlimit64, 0, PROCESS},
    {SYS_process_vm_writev, 0, PROCESS},
    {SYS_process_vm_readv, 0, PROCESS},
    {SYS_kcmp, 0, PROCESS},
    {SYS_migrate_pages, 0, PROCESS},
    {SYS_move_pages, 0, PROCESS},
    {SYS_rename, 0, OWN_NAME},
    {SYS_rename, 1, OWN_NAME},
    {SYS_renameat, 1, OWN_NAME},
    {SYS_renameat, 3, OWN_NAME},
    {SYS_renameat2, 1, OWN_NAME},
    {SYS_renameat2, 3, OWN_NAME},
    {SYS_link, 0, OWN_NAME},
    {SYS_link, 1, OWN_NAME},
    {SYS_linkat, 1, OWN_NAME},
    {SYS_linkat, 3, OWN_NAME},
    {SYS_unlink, 0, OWN_NAME},
    {SYS_unlinkat, 1, OWN_NAME},
    {SYS_rmdir, 0, OWN_NAME},
    {SYS_truncate, 0, OWN_NAME},
    {SYS_chmod, 0, OWN_NAME},
    {SYS_fchmodat, 1, OWN_NAME},
    {SYS_chown, 0, OWN_NAME},
    {SYS_lchown, 0, OWN_NAME},
    {SYS_fchownat, 1, OWN_NAME},
    {SYS_mknod, 0, OWN_NAME},
    {SYS_mknodat, 1, OWN_NAME},
    {SYS_chdir, 0, OWN_NAME},
    {SYS_chroot, 0, OWN_NAME},
    {SYS_umount2, 0, OWN_NAME},
    {SYS_swapon, 0, OWN_NAME},
    {SYS_acct, 0, OWN_NAME},
    {SYS_mount, 0, TOP_NAME},
    {SYS_mount, 1, TOP_NAME},
    {SYS_pivot_root, 0, TOP_NAME},
    {SYS_pivot_root, 1, TOP_NAME},
};

static long harmless(struct torturer *t, enum harmless kind) {
    switch (kind) {
    case PROCESS:
        return pid_any(t);
    case OWN_NAME:
        return name_own(t);
    case TOP_NAME:
        return name_top(t);
    default:
        return 0;
    }
}

/* Limits that end a process, or keep it from going on, are left as they are. */
static void limit_tame(long *resource) {
    if ((unsigned)*resource != RLIMIT_NOFILE && (unsigned)*resource != RLIMIT_STACK)
        *resource = RLIMIT_CORE;
}

static void tame(struct torturer *t, long number, long *a) {
    for (unsigned i = 0; i < sizeof tamed / sizeof tamed[0]; i++)
        if (tamed[i].number == number)
            a[tamed[i].argument] = harmless(t, tamed[i].becomes);
    switch (number) {
    case SYS_ptrace:
        a[0] = a[0] ? a[0] : 1; /* not PTRACE_TRACEME: the worker would have to wait for its threads */
        a[1] = 99999;
        break;
    case SYS_mmap:
        a[3] &= ~0x8000L; /* MAP_POPULATE */
        break;
    case SYS_fcntl: /* no signals to others */
        if ((a[1] & 0xff) == F_SETOWN || (a[1] & 0xff) == 15)
            a[1] = F_GETFD;
        break;
    case SYS_setrlimit:
        limit_tame(&a[0]);
        break;
    case SYS_prlimit64:
        limit_tame(&a[1]);
        break;
    default:
        break;
    }
}

/* Calls that stop the test, or that fork() and thread_start() make properly. */
static bool left_out(long number) {
    switch (number) {
    case SYS_reboot:
    case SYS_kexec_load:
    case SYS_kexec_file_load:
    case SYS_fork:
    case SYS_vfork:
    case SYS_clone:
        return true;
    default:
        return false;
    }
}

/* Calls after which not much more happens: these are made rarely. */
static bool ends_or_blocks(long number) {
    return number == SYS_pause || number == SYS_rt_sigreturn || number == SYS_exit ||
           number == SYS_exit_group || number == SYS_rt_sigsuspend || number == SYS_munmap ||
           number == SYS_setitimer || number == SYS_alarm;
}

void wild(struct torturer *t) {
    long number = below(t, CALLS_MAX), a[6];
    if (left_out(number) || (ends_or_blocks(number) && below(t, 16)))
        return;
    for (int i = 0; i < 6; i++)
        a[i] = argument_any(t);
    tame(t, number, a);
    long result = CALL6(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result > 2 && result < 1024 && below(t, 2))
        t->fds[below(t, 8)] = (int)result; /* maybe a descriptor */
}
