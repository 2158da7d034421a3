/*
 * /proc/PID/stat, statm and status. The figures are gathered first, under tasks_lock, into a struct report;
 * the address space is asked afterwards; then the text is made.
 */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/signal.h"
#include "linux/fs/fd.h"
#include "linux/fs/proc_internal.h"
#include "linux/io/tty.h"
#include "linux/platform.h"
#include "linux/system.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"

enum { TICKS_PER_SECOND = 100, NS_PER_TICK = 1000000000 / TICKS_PER_SECOND, DEFAULT_PRIORITY = 20 };

struct report {
    int32_t pid, tid, ppid, pgid, sid, tpgid, exit_signal, nice;
    uint64_t tty;
    uint32_t threads, policy, rt_priority;
    char comm[16], state;
    uint64_t user, system, children_user, children_system, start_time; /* ns */
    uint64_t minor_faults, major_faults, children_minor, children_major, switches;
    uint64_t pending, shared_pending, blocked, ignored, caught, affinity, rss_limit;
    uint32_t fd_size, umask;
    struct credentials credentials;
    uint64_t capabilities[4]; /* inheritable, permitted, effective, bounding */
    bool no_new_privileges;
    /* From the address space; zero without one. */
    bool has_memory;
    uint64_t total, resident, data, exec, stack, locked, peak, max_rss; /* pages */
    uint64_t code_start, code_end, stack_start, data_start, data_end, brk_start;
    uint64_t argument_start, argument_end, environment_start, environment_end;
};

static char state_of(const struct process *process, const struct task *task) {
    if (process->zombie)
        return 'Z';
    if (!task)
        return 'X';
    if (task->stopping || process->stopped)
        return 'T';
    return task->state ? task->state : 'R';
}

static void gather_signals(struct report *report, const struct process *process, const struct task *task) {
    report->shared_pending = process->shared_pending_set;
    if (task) {
        report->pending = task->pending_set;
        report->blocked = task->blocked;
    }
    for (int i = 0; process->sighand && i < LINUX_SIGNALS; i++) {
        uint64_t handler = process->sighand->actions[i].handler;
        if (handler == SIG_IGN)
            report->ignored |= 1ULL << i;
        else if (handler != SIG_DFL)
            report->caught |= 1ULL << i;
    }
}

static void gather_task(struct report *report, const struct task *task) {
    memcpy(report->comm, task->comm, sizeof(report->comm));
    report->nice = task->nice;
    report->policy = task->policy;
    report->rt_priority = task->rt_priority;
    report->affinity = task->affinity;
    report->credentials = task->credentials;
    report->capabilities[0] = task->capabilities_inheritable;
    report->capabilities[1] = task->capabilities_permitted;
    report->capabilities[2] = task->capabilities_effective;
    report->capabilities[3] = task->capabilities_bounding;
    report->no_new_privileges = task->no_new_privileges;
    report->fd_size = task->files ? task->files->capacity : 0;
    report->umask = task->fs ? task->fs->umask : 0;
}

static void gather_process(struct report *report, struct process *process) {
    struct session *session = process->group ? process->group->session : NULL;
    report->pid = process->pid;
    report->ppid = process->parent ? process_parent_pid(process) : 0;
    report->pgid = process->group ? process->group->pgid : 0;
    report->sid = session ? session->sid : 0;
    report->tty = session && session->tty ? tty_device_number(session->tty) : 0;
    report->tpgid = session && session->tty ? tty_foreground(session->tty) : -1;
    report->exit_signal = process->exit_signal;
    report->threads = process->thread_count;
    report->user = process_cpu_time(process) - process->system_time;
    report->system = process->system_time;
    report->children_user = process->children_user_time;
    report->children_system = process->children_system_time;
    report->start_time = process->start_time;
    report->minor_faults = process->minor_faults;
    report->major_faults = process->major_faults;
    report->children_minor = process->children_minor_faults;
    report->children_major = process->children_major_faults;
    report->switches = process->voluntary_switches;
    report->max_rss = process->max_rss;
    report->rss_limit = process->limits[5].current;
}

static void gather_memory(struct report *report, struct mm *mm) {
    mm_lock(mm);
    report->has_memory = true;
    report->total = mm->total_pages;
    report->data = mm->data_pages;
    report->exec = mm->exec_pages;
    report->stack = mm->stack_pages;
    report->locked = mm->locked_pages;
    report->peak = mm->peak_pages;
    report->code_start = mm->code_start;
    report->code_end = mm->code_end;
    report->data_start = mm->data_start;
    report->data_end = mm->data_end;
    report->stack_start = mm->stack_start;
    report->brk_start = mm->brk_start;
    report->argument_start = mm->argument_start;
    report->argument_end = mm->argument_end;
    report->environment_start = mm->environment_start;
    report->environment_end = mm->environment_end;
    mm_unlock(mm);
    report->resident = mm_resident_pages(mm);
    if (report->max_rss < report->resident)
        report->max_rss = report->resident;
}

static int gather(struct report *report, const struct proc_ref *ref) {
    *report = (struct report){0};
    mutex_lock(&tasks_lock);
    struct process *process = proc_process(ref);
    struct task *task = proc_task(ref);
    if (process && (task || !ref->tid)) {
        gather_process(report, process);
        gather_signals(report, process, task);
        gather_task(report, task ? task : process->leader);
        report->tid = ref->tid ? ref->tid : process->pid;
        report->state = state_of(process, task);
        if (ref->tid) {
            report->user = task_cpu_time(task);
            report->start_time = task->start_time;
        }
    }
    mutex_unlock(&tasks_lock);
    if (!report->state)
        return -ESRCH;
    struct mm *mm = proc_mm(ref);
    if (mm) {
        gather_memory(report, mm);
        mm_put(mm);
    }
    return 0;
}

static unsigned long long ticks(uint64_t ns) {
    return ns / NS_PER_TICK;
}

int proc_show_stat(const struct proc_ref *ref, struct text *text) {
    struct report r;
    int error = gather(&r, ref);
    if (error)
        return error;
    bool may = proc_may_look(ref);
    text_add(text, "%d (%.15s) %c %d %d %d %d %d %u ", r.tid, r.comm, r.state, r.ppid, r.pgid, r.sid,
             (int)r.tty, r.tpgid, r.has_memory ? 0x400000u : 0x40040cu);
    text_add(text, "%llu %llu %llu %llu ", (unsigned long long)r.minor_faults,
             (unsigned long long)r.children_minor, (unsigned long long)r.major_faults,
             (unsigned long long)r.children_major);
    text_add(text, "%llu %llu %llu %llu ", ticks(r.user), ticks(r.system), ticks(r.children_user),
             ticks(r.children_system));
    int priority = r.rt_priority ? -1 - (int)r.rt_priority : DEFAULT_PRIORITY + r.nice;
    text_add(text, "%d %d %u 0 %llu ", priority, r.nice, r.threads, ticks(r.start_time));
    text_add(text, "%llu %llu %llu ", (unsigned long long)r.total * PAGE_SIZE, (unsigned long long)r.resident,
             (unsigned long long)r.rss_limit);
    text_add(text, "%llu %llu %llu 0 0 ", (unsigned long long)(may ? r.code_start : 1),
             (unsigned long long)(may ? r.code_end : 1), (unsigned long long)(may ? r.stack_start : 0));
    text_add(text, "%llu %llu %llu %llu ", (unsigned long long)(r.pending & INT32_MAX),
             (unsigned long long)(r.blocked & INT32_MAX), (unsigned long long)(r.ignored & INT32_MAX),
             (unsigned long long)(r.caught & INT32_MAX));
    text_add(text, "%d 0 0 %d 0 %u %u 0 0 0 ", r.state == 'R' || r.state == 'Z' ? 0 : 1, r.exit_signal,
             r.rt_priority, r.policy);
    if (may && r.has_memory)
        text_add(text, "%llu %llu %llu %llu %llu %llu %llu ", (unsigned long long)r.data_start,
                 (unsigned long long)r.data_end, (unsigned long long)r.brk_start,
                 (unsigned long long)r.argument_start, (unsigned long long)r.argument_end,
                 (unsigned long long)r.environment_start, (unsigned long long)r.environment_end);
    else
        text_add(text, "0 0 0 0 0 0 0 ");
    text_add(text, "0\n");
    return 0;
}

int proc_show_statm(const struct proc_ref *ref, struct text *text) {
    struct report r;
    int error = gather(&r, ref);
    if (error)
        return error;
    text_add(text, "%llu %llu %llu %llu 0 %llu 0\n", (unsigned long long)r.total,
             (unsigned long long)r.resident, (unsigned long long)(r.resident < r.exec ? r.resident : r.exec),
             (unsigned long long)r.exec, (unsigned long long)r.data + r.stack);
    return 0;
}

static const char *state_name(char state) {
    switch (state) {
    case 'S':
        return "S (sleeping)";
    case 'D':
        return "D (disk sleep)";
    case 'T':
        return "T (stopped)";
    case 'Z':
        return "Z (zombie)";
    case 'X':
        return "X (dead)";
    default:
        return "R (running)";
    }
}

static void add_ids(struct text *text, const struct report *r) {
    const struct credentials *c = &r->credentials;
    text_add(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid, c->gid,
             c->egid, c->sgid, c->fsgid);
    text_add(text, "FDSize:\t%u\nGroups:\t", r->fd_size);
    for (uint32_t i = 0; i < c->group_count; i++)
        text_add(text, i ? " %u" : "%u", c->groups[i]);
    text_add(text, " \nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", r->pid, r->tid, r->pgid, r->sid);
}

static void add_kb(struct text *text, const char *name, uint64_t pages) {
    text_add(text, "%s:\t%8llu kB\n", name, (unsigned long long)(pages * (PAGE_SIZE / 1024)));
}

static void add_memory(struct text *text, const struct report *r) {
    add_kb(text, "VmPeak", r->peak > r->total ? r->peak : r->total);
    add_kb(text, "VmSize", r->total);
    add_kb(text, "VmLck", r->locked);
    add_kb(text, "VmPin", 0);
    add_kb(text, "VmHWM", r->max_rss);
    add_kb(text, "VmRSS", r->resident);
    add_kb(text, "RssAnon", r->resident);
    add_kb(text, "RssFile", 0);
    add_kb(text, "RssShmem", 0);
    add_kb(text, "VmData", r->data);
    add_kb(text, "VmStk", r->stack);
    add_kb(text, "VmExe", (r->code_end - r->code_start + PAGE_SIZE - 1) / PAGE_SIZE);
    add_kb(text, "VmLib", 0);
    add_kb(text, "VmPTE", 0);
    add_kb(text, "VmSwap", 0);
}

static void add_masks(struct text *text, const struct report *r) {
    text_add(text, "SigQ:\t0/4096\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n",
             (unsigned long long)r->pending, (unsigned long long)r->shared_pending,
             (unsigned long long)r->blocked);
    text_add(text, "SigIgn:\t%016llx\nSigCgt:\t%016llx\n", (unsigned long long)r->ignored,
             (unsigned long long)r->caught);
    text_add(text,
             "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
             (unsigned long long)r->capabilities[0], (unsigned long long)r->capabilities[1],
             (unsigned long long)r->capabilities[2], (unsigned long long)r->capabilities[3], 0ULL);
}

int proc_show_status(const struct proc_ref *ref, struct text *text) {
    struct report r;
    int error = gather(&r, ref);
    if (error)
        return error;
    text_add(text, "Name:\t%.15s\nUmask:\t%04o\nState:\t%s\n", r.comm, r.umask, state_name(r.state));
    text_add(text, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", r.pid, r.tid, r.ppid);
    add_ids(text, &r);
    if (r.has_memory)
        add_memory(text, &r);
    text_add(text, "CoreDumping:\t0\nTHP_enabled:\t0\nThreads:\t%u\n", r.threads);
    add_masks(text, &r);
    text_add(text, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", r.no_new_privileges);
    uint32_t cpus = system_cpus();
    uint64_t every = cpus >= 64 ? UINT64_MAX : (1ULL << cpus) - 1;
    text_add(text, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t0", (unsigned long long)(r.affinity & every));
    text_add(text, cpus > 1 ? "-%u\n" : "\n", cpus - 1);
    text_add(text, "Mems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%llu\n",
             (unsigned long long)r.switches);
    text_add(text, "nonvoluntary_ctxt_switches:\t0\n");
    return 0;
}
