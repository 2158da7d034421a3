/* /proc and /proc/PID: which files there are; the processes and threads as directories; the small files. */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/resource.h"
#include "linux/abi/stat.h"
#include "linux/fs/fd.h"
#include "linux/fs/path.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"

enum {
    FILE_R = S_IFREG | 0444,
    FILE_RW = S_IFREG | 0644,
    FILE_OWN = S_IFREG | 0400,
    DIRECTORY = S_IFDIR | 0555
};

/* ---- who a reference is about ---- */

struct process *proc_process(const struct proc_ref *ref) {
    return process_find(ref->pid);
}

struct task *proc_task(const struct proc_ref *ref) {
    struct process *process = process_find(ref->pid);
    if (!process)
        return NULL;
    if (!ref->tid)
        return process_live_task(process);
    struct task *task = task_find(ref->tid);
    return task && task->process == process ? task : NULL;
}

struct mm *proc_mm(const struct proc_ref *ref) {
    mutex_lock(&tasks_lock);
    struct task *task = proc_task(ref);
    struct mm *mm = task && task->mm ? mm_get(task->mm) : NULL;
    mutex_unlock(&tasks_lock);
    return mm;
}

struct fd_table *proc_files(const struct proc_ref *ref) {
    struct task *task = proc_task(ref);
    return task ? task->files : NULL;
}

bool proc_may_look(const struct proc_ref *ref) {
    struct task *self = task_current();
    bool may = true;
    mutex_lock(&tasks_lock);
    struct task *task = proc_task(ref);
    if (self && task && self->credentials.fsuid && self->process != task->process)
        may = self->credentials.fsuid == task->credentials.euid &&
              self->credentials.fsuid == task->credentials.suid &&
              self->credentials.fsuid == task->credentials.uid;
    mutex_unlock(&tasks_lock);
    return may;
}

/* ---- small files ---- */

static int show_comm(const struct proc_ref *ref, struct text *text) {
    char comm[16];
    mutex_lock(&tasks_lock);
    struct process *process = proc_process(ref);
    struct task *task = proc_task(ref);
    if (!task && process)
        task = process->leader;
    if (task)
        memcpy(comm, task->comm, sizeof(comm));
    mutex_unlock(&tasks_lock);
    if (!task)
        return -ESRCH;
    text_add(text, "%.15s\n", comm);
    return 0;
}

static int store_comm(const struct proc_ref *ref, const char *bytes, size_t length) {
    int error = -ESRCH;
    if (length && bytes[length - 1] == '\n')
        length--;
    if (length > 15)
        length = 15;
    mutex_lock(&tasks_lock);
    struct task *task = proc_task(ref);
    if (task && task->process != task_current()->process) {
        error = -EINVAL;
    } else if (task) {
        memset(task->comm, 0, sizeof(task->comm));
        memcpy(task->comm, bytes, length);
        error = 0;
    }
    mutex_unlock(&tasks_lock);
    return error;
}

static int show_limits(const struct proc_ref *ref, struct text *text) {
    static const char *const names[RLIMIT_COUNT][2] = {
        {"Max cpu time", "seconds"},    {"Max file size", "bytes"},      {"Max data size", "bytes"},
        {"Max stack size", "bytes"},    {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"}, {"Max open files", "files"},     {"Max locked memory", "bytes"},
        {"Max address space", "bytes"}, {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"}, {"Max nice priority", ""},       {"Max realtime priority", ""},
        {"Max realtime timeout", "us"},
    };
    struct rlimit64 limits[RLIMIT_COUNT];
    mutex_lock(&tasks_lock);
    struct process *process = proc_process(ref);
    if (process)
        memcpy(limits, process->limits, sizeof(limits));
    mutex_unlock(&tasks_lock);
    if (!process)
        return -ESRCH;
    text_add(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < RLIMIT_COUNT; i++) {
        char soft[24] = "unlimited", hard[24] = "unlimited";
        if (limits[i].current != RLIM_INFINITY)
            format_text(soft, sizeof(soft), "%llu", (unsigned long long)limits[i].current);
        if (limits[i].maximum != RLIM_INFINITY)
            format_text(hard, sizeof(hard), "%llu", (unsigned long long)limits[i].maximum);
        text_add(text, "%-25s %-20s %-20s", names[i][0], soft, hard);
        if (names[i][1][0])
            text_add(text, " %-10s", names[i][1]);
        text_add(text, "\n");
    }
    return 0;
}

static int show_nothing(const struct proc_ref *ref, struct text *text) {
    (void)ref, (void)text;
    return 0;
}

static int show_zero(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "0\n");
    return 0;
}

static int show_wait_channel(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "0");
    return 0;
}

static int show_cgroup(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "0::/\n");
    return 0;
}

static int show_io(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(
        text,
        "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    return 0;
}

/* The kernel's answer where every id is itself: one user namespace. */
static int show_id_map(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%10u %10u %10u\n", 0u, 0u, UINT32_MAX);
    return 0;
}

static int store_ignored(const struct proc_ref *ref, const char *bytes, size_t length) {
    (void)ref, (void)bytes, (void)length;
    return 0;
}

/* cwd and root */
static int follow_place(const struct proc_ref *ref, struct path *place, bool root) {
    int error = -ENOENT;
    if (!proc_may_look(ref))
        return -EACCES;
    mutex_lock(&tasks_lock);
    struct task *task = proc_task(ref);
    struct fs_state *state = task && task->fs ? fs_state_get(task->fs) : NULL;
    mutex_unlock(&tasks_lock);
    if (state) {
        mutex_lock(&state->lock);
        *place = root ? state->root : state->cwd;
        path_get(place);
        mutex_unlock(&state->lock);
        fs_state_put(state);
        error = 0;
    }
    return error;
}

static int follow_cwd(const struct proc_ref *ref, struct path *place) {
    return follow_place(ref, place, false);
}

static int follow_root(const struct proc_ref *ref, struct path *place) {
    return follow_place(ref, place, true);
}

/* ---- /proc/PID/task ---- */

static int find_thread(const struct proc_ref *directory, const char *name, size_t length,
                       struct proc_child *child);
static bool next_thread(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);

#define TASK_NODES                                                                                           \
    {.name = "fd", .mode = S_IFDIR | 0500, .find = proc_fd_find, .next = proc_fd_next},                      \
        {.name = "fdinfo", .mode = DIRECTORY, .find = proc_fdinfo_find, .next = proc_fdinfo_next},           \
        {.name = "environ", .mode = FILE_OWN, .show = proc_show_environ},                                    \
        {.name = "auxv", .mode = FILE_OWN, .show = proc_show_auxv},                                          \
        {.name = "status", .mode = FILE_R, .show = proc_show_status},                                        \
        {.name = "attr", .mode = DIRECTORY, .children = proc_attr_children, .count = PROC_ATTR_COUNT},       \
        {.name = "limits", .mode = FILE_R, .show = show_limits},                                             \
        {.name = "comm", .mode = FILE_RW, .show = show_comm, .store = store_comm},                           \
        {.name = "cmdline", .mode = FILE_R, .show = proc_show_cmdline},                                      \
        {.name = "stat", .mode = FILE_R, .show = proc_show_stat},                                            \
        {.name = "statm", .mode = FILE_R, .show = proc_show_statm},                                          \
        {.name = "maps", .mode = FILE_R, .show = proc_show_maps},                                            \
        {.name = "mem", .mode = S_IFREG | 0600, .open = proc_open_mem},                                      \
        {.name = "cwd", .mode = S_IFLNK | 0777, .follow = follow_cwd},                                       \
        {.name = "root", .mode = S_IFLNK | 0777, .follow = follow_root},                                     \
        {.name = "exe", .mode = S_IFLNK | 0777, .link = proc_link_exe, .follow = proc_follow_exe},           \
        {.name = "mounts", .mode = FILE_R, .show = proc_show_mounts},                                        \
        {.name = "mountinfo", .mode = FILE_R, .show = proc_show_mountinfo},                                  \
        {.name = "smaps", .mode = FILE_R, .show = proc_show_smaps},                                          \
        {.name = "smaps_rollup", .mode = FILE_R, .show = proc_show_smaps_rollup},                            \
        {.name = "wchan", .mode = FILE_R, .show = show_wait_channel},                                        \
        {.name = "stack", .mode = FILE_OWN, .show = show_nothing},                                           \
        {.name = "cgroup", .mode = FILE_R, .show = show_cgroup},                                             \
        {.name = "oom_score", .mode = FILE_R, .show = show_zero},                                            \
        {.name = "oom_score_adj", .mode = FILE_RW, .show = show_zero, .store = store_ignored},               \
        {.name = "io", .mode = FILE_OWN, .show = show_io},                                                   \
        {.name = "uid_map", .mode = FILE_RW, .show = show_id_map},                                           \
        {.name = "gid_map", .mode = FILE_RW, .show = show_id_map},

static const struct proc_node thread_children[] = {TASK_NODES};

static const struct proc_node thread_node = {
    .name = "#thread", .mode = DIRECTORY, .children = thread_children, .count = PROC_COUNT(thread_children)};

static const struct proc_node process_children[] = {
    {.name = "task", .mode = DIRECTORY, .find = find_thread, .next = next_thread, .counted = true},
    TASK_NODES};

const struct proc_node proc_process_node = {.name = "#process",
                                            .mode = DIRECTORY,
                                            .children = process_children,
                                            .count = PROC_COUNT(process_children)};

static void child_set(struct proc_child *child, const struct proc_node *node, int32_t pid, int32_t tid) {
    child->ref = (struct proc_ref){.node = node, .pid = pid, .tid = tid, .fd = -1};
    format_text(child->name, sizeof(child->name), "%d", tid ? tid : pid);
}

static int find_thread(const struct proc_ref *directory, const char *name, size_t length,
                       struct proc_child *child) {
    int32_t tid = proc_number(name, length);
    if (tid <= 0)
        return -ENOENT;
    child_set(child, &thread_node, directory->pid, tid);
    mutex_lock(&tasks_lock);
    bool exists = proc_task(&child->ref) != NULL;
    mutex_unlock(&tasks_lock);
    return exists ? 0 : -ENOENT;
}

static bool next_thread(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    int32_t found = 0;
    mutex_lock(&tasks_lock);
    struct process *process = proc_process(directory);
    struct task *task;
    if (process)
        list_for_each(task, &process->threads, thread_link) {
            if ((uint64_t)task->tid >= *number && (!found || task->tid < found))
                found = task->tid;
        }
    mutex_unlock(&tasks_lock);
    if (!found)
        return false;
    *number = (uint64_t)found;
    child_set(child, &thread_node, directory->pid, found);
    return true;
}

/* ---- /proc ---- */

/* Every thread id is a directory too, though only processes are listed. */
static int find_process(const struct proc_ref *directory, const char *name, size_t length,
                        struct proc_child *child) {
    int32_t id = proc_number(name, length), pid = 0;
    (void)directory;
    if (id <= 0)
        return -ENOENT;
    mutex_lock(&tasks_lock);
    struct task *task = task_find(id);
    if (process_find(id))
        pid = id;
    else if (task)
        pid = task->process->pid;
    mutex_unlock(&tasks_lock);
    if (!pid)
        return -ENOENT;
    child_set(child, &proc_process_node, pid, pid == id ? 0 : id);
    return 0;
}

static bool next_process(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    int32_t found = 0;
    struct process *process;
    (void)directory;
    mutex_lock(&tasks_lock);
    list_for_each(process, &process_list, link) {
        if ((uint64_t)process->pid >= *number && process->pid > 0 && (!found || process->pid < found))
            found = process->pid;
    }
    mutex_unlock(&tasks_lock);
    if (!found)
        return false;
    *number = (uint64_t)found;
    child_set(child, &proc_process_node, found, 0);
    return true;
}

static int64_t link_self(const struct proc_ref *ref, char *to, size_t size) {
    struct task *task = task_current();
    (void)ref;
    return task ? (int64_t)format_text(to, size, "%d", task->process->pid) : -ENOENT;
}

static int64_t link_thread_self(const struct proc_ref *ref, char *to, size_t size) {
    struct task *task = task_current();
    (void)ref;
    return task ? (int64_t)format_text(to, size, "%d/task/%d", task->process->pid, task->tid) : -ENOENT;
}

static int64_t link_mounts(const struct proc_ref *ref, char *to, size_t size) {
    (void)ref;
    return (int64_t)format_text(to, size, "self/mounts");
}

static const struct proc_node root_children[] = {
    {.name = "buddyinfo", .mode = FILE_R, .show = proc_show_buddyinfo},
    {.name = "bus", .mode = DIRECTORY, .children = proc_bus_children, .count = PROC_BUS_COUNT},
    {.name = "cmdline", .mode = FILE_R, .show = proc_show_command_line},
    {.name = "cpuinfo", .mode = FILE_R, .show = proc_show_cpuinfo},
    {.name = "devices", .mode = FILE_R, .show = proc_show_devices},
    {.name = "diskstats", .mode = FILE_R, .show = proc_show_diskstats},
    {.name = "filesystems", .mode = FILE_R, .show = proc_show_filesystems},
    {.name = "interrupts", .mode = FILE_R, .show = proc_show_interrupts},
    {.name = "keel", .mode = FILE_R, .show = proc_show_keel},
    {.name = "keel_accelerators", .mode = FILE_R, .show = proc_show_accelerators},
    {.name = "keel_calls", .mode = FILE_R, .show = proc_show_keel_calls},
    {.name = "keel_cpu", .mode = FILE_R, .show = proc_show_keel_cpu},
    {.name = "keel_fail", .mode = S_IFREG | 0600, .show = proc_show_keel_fail, .store = proc_store_keel_fail},
    {.name = "keel_reset", .mode = S_IFREG | 0200, .store = proc_store_keel_reset},
    {.name = "keel_syscalls",
     .mode = S_IFREG | 0644,
     .show = proc_show_keel_syscalls,
     .store = proc_store_keel_syscalls},
    {.name = "keel_trace",
     .mode = S_IFREG | 0600,
     .show = proc_show_keel_trace,
     .store = proc_store_keel_trace},
    {.name = "loadavg", .mode = FILE_R, .show = proc_show_loadavg},
    {.name = "meminfo", .mode = FILE_R, .show = proc_show_meminfo},
    {.name = "mounts", .mode = S_IFLNK | 0777, .link = link_mounts},
    {.name = "net", .mode = DIRECTORY, .children = proc_net_children, .count = PROC_NET_COUNT},
    {.name = "partitions", .mode = FILE_R, .show = proc_show_partitions},
    {.name = "schedstat", .mode = FILE_R, .show = proc_show_schedstat},
    {.name = "stat", .mode = FILE_R, .show = proc_show_system_stat},
    {.name = "swaps", .mode = FILE_R, .show = proc_show_swaps},
    {.name = "sys", .mode = DIRECTORY, .children = proc_sys_children, .count = PROC_SYS_COUNT},
    {.name = "sysvipc", .mode = DIRECTORY, .children = proc_sysvipc_children, .count = PROC_SYSVIPC_COUNT},
    {.name = "uptime", .mode = FILE_R, .show = proc_show_uptime},
    {.name = "version", .mode = FILE_R, .show = proc_show_version},
    {.name = "self", .mode = S_IFLNK | 0777, .link = link_self},
    {.name = "thread-self", .mode = S_IFLNK | 0777, .link = link_thread_self},
};

const struct proc_node proc_root = {
    .name = "proc",
    .mode = DIRECTORY,
    .number = 1,
    .children = root_children,
    .count = PROC_COUNT(root_children),
    .find = find_process,
    .next = next_process,
};
