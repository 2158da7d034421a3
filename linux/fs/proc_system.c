/* Files of /proc about the whole container: uptime, loadavg, meminfo, stat, version, cpuinfo, cmdline. */
#include "abi/trace.h"
#include "lib/base/format.h"
#include "linux/fs/proc_internal.h"
#include "linux/platform.h"
#include "linux/system.h"
#include "linux/task/process.h"

enum { NS_PER_CENTISECOND = 10000000, CENTISECONDS = 100 };

static void add_seconds(struct text *text, uint64_t ns) {
    uint64_t hundredths = ns / NS_PER_CENTISECOND;
    text_add(text, "%llu.%02u", (unsigned long long)(hundredths / CENTISECONDS),
             (unsigned)(hundredths % CENTISECONDS));
}

int proc_show_uptime(const struct proc_ref *ref, struct text *text) {
    struct system_info info;
    (void)ref;
    system_counters(&info);
    add_seconds(text, clock_monotonic());
    text_add(text, " ");
    add_seconds(text, info.idle_time);
    text_add(text, "\n");
    return 0;
}

static unsigned count_running(void) {
    struct process *process;
    struct task *task;
    unsigned running = 0;
    mutex_lock(&tasks_lock);
    list_for_each(process, &process_list, link) {
        list_for_each(task, &process->threads, thread_link) running +=
            task->state == 'R' && !process->stopped;
    }
    mutex_unlock(&tasks_lock);
    return running;
}

static int32_t newest_pid(void) {
    struct process *process;
    int32_t newest = 0;
    mutex_lock(&tasks_lock);
    list_for_each(process, &process_list, link) newest = process->pid > newest ? process->pid : newest;
    mutex_unlock(&tasks_lock);
    return newest;
}

int proc_show_loadavg(const struct proc_ref *ref, struct text *text) {
    unsigned running = count_running();
    (void)ref;
    text_add(text, "0.00 0.00 0.00 %u/%u %d\n", running, (unsigned)task_count, newest_pid());
    return 0;
}

static void add_kb(struct text *text, const char *name, uint64_t bytes) {
    char label[24];
    format_text(label, sizeof(label), "%s:", name);
    text_add(text, "%-16s%8llu kB\n", label, (unsigned long long)(bytes / 1024));
}

int proc_show_meminfo(const struct proc_ref *ref, struct text *text) {
    static const char *const zeros[] = {"Buffers",   "Cached",    "SwapCached", "Active",
                                        "Inactive",  "SwapTotal", "SwapFree",   "Dirty",
                                        "Writeback", "AnonPages", "Mapped",     "Shmem"};
    uint64_t total, free;
    struct system_info info;
    (void)ref;
    system_memory(&total, &free);
    system_counters(&info);
    add_kb(text, "MemTotal", total);
    add_kb(text, "MemFree", free);
    add_kb(text, "MemAvailable", free);
    for (unsigned i = 0; i < PROC_COUNT(zeros); i++)
        add_kb(text, zeros[i], 0);
    add_kb(text, "Slab", info.kernel_bytes);
    add_kb(text, "SReclaimable", 0);
    add_kb(text, "SUnreclaim", info.kernel_bytes);
    add_kb(text, "KernelStack", 0);
    add_kb(text, "PageTables", 0);
    add_kb(text, "CommitLimit", total);
    add_kb(text, "Committed_AS", total - free);
    add_kb(text, "VmallocTotal", 0);
    add_kb(text, "VmallocUsed", 0);
    add_kb(text, "VmallocChunk", 0);
    text_add(text, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
                   "HugePages_Surp:        0\nHugepagesize:       2048 kB\n");
    return 0;
}

/* Free blocks by size, 4 KB to 4 MB as on Linux, whose largest is that; a node's zones are shown as one. */
int proc_show_buddyinfo(const struct proc_ref *ref, struct text *text) {
    enum { ORDERS = 11 };
    struct system_info info;
    (void)ref;
    if (system_counters(&info))
        return 0;
    for (unsigned node = 0; node < NODES_MOST; node++) {
        if (!info.nodes[node].pages)
            continue;
        uint64_t largest = 0;
        for (unsigned order = ORDERS - 1; order < BLOCK_ORDERS; order++)
            largest += (uint64_t)info.nodes[node].blocks[order] << (order - (ORDERS - 1));
        text_add(text, "Node %u, zone %8s ", node, "Normal");
        for (unsigned order = 0; order < ORDERS - 1; order++)
            text_add(text, "%6u ", info.nodes[node].blocks[order]);
        text_add(text, "%6llu \n", (unsigned long long)largest);
    }
    return 0;
}

/* Busy time of all CPUs counts as user time: the kernel does not split it. */
int proc_show_system_stat(const struct proc_ref *ref, struct text *text) {
    struct system_info info;
    uint32_t cpus = system_cpus();
    uint64_t now = clock_monotonic();
    (void)ref;
    system_counters(&info);
    uint64_t total = now * cpus, idle = info.idle_time < total ? info.idle_time : total;
    unsigned long long busy = (total - idle) / NS_PER_CENTISECOND, waiting = idle / NS_PER_CENTISECOND;
    text_add(text, "cpu  %llu 0 0 %llu 0 0 0 0 0 0\n", busy, waiting);
    for (uint32_t i = 0; i < cpus; i++) {
        struct cpu_counters counters = {0};
        waiting = proc_cpu_counters(i, &counters) ? idle / cpus : counters.idle_time;
        waiting = (waiting < now ? waiting : now) / NS_PER_CENTISECOND;
        text_add(text, "cpu%u %llu 0 0 %llu 0 0 0 0 0 0\n", i, now / NS_PER_CENTISECOND - waiting, waiting);
    }
    text_add(text, "intr %llu\nctxt %llu\nbtime %llu\n", (unsigned long long)info.interrupts,
             (unsigned long long)info.context_switches,
             (unsigned long long)((clock_realtime() - now) / 1000000000));
    text_add(text, "processes %llu\nprocs_running %u\nprocs_blocked 0\n",
             (unsigned long long)task_created_count, count_running());
    text_add(text, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
    return 0;
}

int proc_show_version(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%s version %s %s\n", system_names.sysname, system_names.release, system_names.version);
    return 0;
}

int proc_show_swaps(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    return 0;
}

int proc_show_command_line(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%s\n", system_command_line);
    return 0;
}
