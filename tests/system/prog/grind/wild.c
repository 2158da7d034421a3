/*
 * Any call with any arguments, but for what would reach beyond the torturer.
 */
#include "torturer.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { CALLS_MAX = 335 };

/* Where a call names processes: these arguments become pid_any. Everything that would reach beyond the
 * torturer. */
static void tame(struct torturer *t, long number, long *a) {
    switch (number) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_rt_sigqueueinfo:
    case SYS_sched_setparam:
    case SYS_sched_setscheduler:
    case SYS_sched_setaffinity:
    case SYS_sched_setattr:
    case SYS_setpgid:
    case SYS_prlimit64:
    case SYS_process_vm_writev:
    case SYS_process_vm_readv:
    case SYS_kcmp:
    case SYS_migrate_pages:
    case SYS_move_pages:
        a[0] = pid_any(t);
        break;
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo:
        a[0] = pid_any(t);
        a[1] = pid_any(t);
        break;
    case SYS_ptrace:
        a[0] = a[0] ? a[0] : 1; /* not PTRACE_TRACEME: the worker would have to wait for its threads */
        a[1] = 99999;
        break;
    case SYS_setpriority:
    case SYS_ioprio_set:
        a[0] = 0;
        a[1] = pid_any(t);
        break;
    case SYS_rename:
    case SYS_link:
        a[0] = name_own(t);
        a[1] = name_own(t);
        break;
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
        a[1] = name_own(t);
        a[3] = name_own(t);
        break;
    case SYS_unlinkat:
    case SYS_fchmodat:
    case SYS_fchownat:
    case SYS_mknodat:
        a[1] = name_own(t);
        break;
    case SYS_mount:
    case SYS_pivot_root:
        a[0] = name_top(t);
        a[1] = name_top(t);
        break;
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_truncate:
    case SYS_chmod:
    case SYS_chown:
    case SYS_lchown:
    case SYS_mknod:
    case SYS_chdir:
    case SYS_chroot:
    case SYS_umount2:
    case SYS_swapon:
    case SYS_acct:
        a[0] = name_own(t);
        break;
    case SYS_mmap:
        a[3] &= ~0x8000L; /* MAP_POPULATE */
        break;
    case SYS_fcntl: /* no signals to others */
        if ((a[1] & 0xff) == F_SETOWN || (a[1] & 0xff) == 15)
            a[1] = F_GETFD;
        break;
    default:
        break;
    }
    if (number == SYS_setrlimit || number == SYS_prlimit64) {
        long *resource = number == SYS_setrlimit ? &a[0] : &a[1];
        if ((unsigned)*resource != RLIMIT_NOFILE && (unsigned)*resource != RLIMIT_STACK)
            *resource = RLIMIT_CORE;
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
