/*
 * The tables of processes and tasks: allocation, ids, look-up, release; the first process; CPU times and the
 * ready answers in the UTCB. Tasks hash by tid; a process is found through its leader, which is kept (ended)
 * until the process is reaped. An id is free when no task, process group or session has it.
 */
#include "linux/task/process.h"

#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task/futex.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"

enum { TASK_BUCKETS = 256 };

struct mutex tasks_lock = MUTEX_INIT(tasks_lock);
struct process hidden_init;
struct list process_list = LIST_INIT(process_list);
_Atomic uint32_t task_count;
_Atomic uint64_t task_created_count;
uint32_t task_limit = TASKS_MAX, session_task_limit = TASKS_MAX / 2;

static struct list task_buckets[TASK_BUCKETS];
static int32_t last_pid;

static struct list *task_bucket(int32_t tid) {
    return &task_buckets[(uint32_t)tid % TASK_BUCKETS];
}

static void process_init(struct process *process) {
    process->references = 1;
    list_init(&process->children);
    list_init(&process->sibling);
    list_init(&process->threads);
    list_init(&process->group_link);
    list_init(&process->link);
    list_init(&process->shared_pending);
    list_init(&process->timers);
    waitq_init(&process->child_wait);
    waitq_init(&process->exec_wait);
    waitq_init(&process->signal_wait);
}

/* A task costs a native thread with its stack and two pages, and some tables: the container's memory bounds
 * them. */
static void limits_from_job(handle_t job) {
    enum { PAGES_PER_TASK = 64 };
    struct job_info info = {0};
    uint64_t total, free;
    system_memory(&total, &free);
    keel_object_info(job, keel_pointer(&info), sizeof(info));
    if (total / PAGE_SIZE / PAGES_PER_TASK < task_limit)
        task_limit = (uint32_t)(total / PAGE_SIZE / PAGES_PER_TASK);
    if (info.threads_limit && info.threads_limit < task_limit)
        task_limit = (uint32_t)info.threads_limit;
    if (task_limit < 32)
        task_limit = 32;
    session_task_limit = task_limit / 2;
}

void tasks_init(handle_t container_job) {
    for (int i = 0; i < TASK_BUCKETS; i++)
        list_init(&task_buckets[i]);
    process_init(&hidden_init);
    futex_init();
    limits_from_job(container_job);
    sessions_init(container_job);
}

struct task *task_alloc(void) {
    struct task *task = heap_zalloc(sizeof(*task));
    if (!task)
        return NULL;
    list_init(&task->thread_link);
    list_init(&task->pending);
    list_init(&task->hash_link);
    task->state = 'R';
    task->call_counts = posix_counts_next();
    task->affinity = UINT64_MAX;
    task->timer_slack = 50000;
    task->start_time = clock_monotonic();
    return task;
}

void task_free(struct task *task) {
    security_end(task);
    heap_free(task->vector_image);
    heap_free(task);
}

struct process *process_alloc(void) {
    struct process *process = heap_zalloc(sizeof(*process));
    if (!process)
        return NULL;
    process_init(process);
    process->exit_signal = SIGCHLD;
    process->start_time = clock_monotonic();
    return process;
}

struct process *process_get(struct process *process) {
    atomic_fetch_add_explicit(&process->references, 1, memory_order_relaxed);
    return process;
}

void process_put(struct process *process) {
    if (atomic_fetch_sub(&process->references, 1) != 1)
        return;
    heap_free(process);
}

struct task *task_find_any(int32_t tid) {
    struct task *task;
    list_for_each(task, task_bucket(tid), hash_link) if (task->tid == tid) return task;
    return NULL;
}

struct task *task_find(int32_t tid) {
    struct task *task = task_find_any(tid);
    return task && !task->ended ? task : NULL;
}

struct process *process_find(int32_t pid) {
    struct task *task = task_find_any(pid);
    return task && task->process->pid == pid ? task->process : NULL;
}

struct process *process_lookup(int32_t pid) {
    mutex_lock(&tasks_lock);
    struct process *process = process_find(pid);
    if (process)
        process_get(process);
    mutex_unlock(&tasks_lock);
    return process;
}

struct task *process_live_task(struct process *process) {
    if (process->leader && !process->leader->ended)
        return process->leader;
    if (list_empty(&process->threads))
        return NULL;
    return list_entry(process->threads.next, struct task, thread_link);
}

int32_t pid_take(void) {
    for (int tries = 0; tries < PID_MAX; tries++) {
        int32_t pid = last_pid + 1 < PID_MAX ? last_pid + 1 : 300;
        last_pid = pid;
        if (!task_find_any(pid) && !process_group_find(pid) && !session_id_used(pid))
            return pid;
    }
    return -EAGAIN;
}

void task_hash_add(struct task *task) {
    list_push_back(task_bucket(task->tid), &task->hash_link);
}

void task_hash_remove(struct task *task) {
    list_remove(&task->hash_link);
}

void process_release(struct process *process) {
    list_remove(&process->sibling);
    list_remove(&process->link);
    process_group_leave(process);
    task_hash_remove(process->leader);
    task_free(process->leader);
    process->leader = NULL;
    process->parent = NULL;
    process_put(process);
}

int32_t process_parent_pid(const struct process *process) {
    if (!process->parent)
        return 0;
    return process->parent == &hidden_init && process->pid != 1 ? 1 : process->parent->pid;
}

uint64_t task_cpu_time(const struct task *task) {
    if (task->ended)
        return 0;
    uint64_t now = task_thread_time(task);
    return now > task->cpu_time_base ? now - task->cpu_time_base : 0;
}

uint64_t process_cpu_time(struct process *process) {
    uint64_t sum = process->user_time + process->system_time;
    struct task *task;
    list_for_each(task, &process->threads, thread_link) sum += task_cpu_time(task);
    return sum;
}

/* Linux x86_64 call numbers of the ready answers. */
enum {
    ANSWER_GETPID = 39,
    ANSWER_GETUID = 102,
    ANSWER_GETGID = 104,
    ANSWER_GETEUID = 107,
    ANSWER_GETEGID = 108,
    ANSWER_GETPPID = 110,
    ANSWER_GETPGRP = 111,
    ANSWER_GETTID = 186,
};

void task_answers_update(struct task *task) {
    if (!task->utcb)
        return;
    int64_t *answers = task->utcb->answers;
    answers[ANSWER_GETPID] = task->process->pid;
    answers[ANSWER_GETTID] = task->tid;
    answers[ANSWER_GETPPID] = process_parent_pid(task->process);
    answers[ANSWER_GETPGRP] = task->process->group ? task->process->group->pgid : 0;
    answers[ANSWER_GETUID] = task->credentials.uid;
    answers[ANSWER_GETEUID] = task->credentials.euid;
    answers[ANSWER_GETGID] = task->credentials.gid;
    answers[ANSWER_GETEGID] = task->credentials.egid;
}

void process_parent_changed(struct process *process) {
    struct task *task;
    list_for_each(task, &process->threads, thread_link) task_answers_update(task);
}

static void limits_default(struct rlimit64 *limits) {
    for (int i = 0; i < RLIMIT_COUNT; i++)
        limits[i] = (struct rlimit64){RLIM_INFINITY, RLIM_INFINITY};
    limits[RLIMIT_STACK].current = 8 << 20;
    limits[RLIMIT_CORE].current = 0;
    limits[RLIMIT_NPROC] = (struct rlimit64){session_task_limit, session_task_limit};
    limits[RLIMIT_NOFILE] = (struct rlimit64){1024, 4096};
    limits[RLIMIT_MEMLOCK] = (struct rlimit64){8 << 20, 8 << 20};
    limits[RLIMIT_SIGPENDING] = (struct rlimit64){session_task_limit, session_task_limit};
    limits[RLIMIT_MSGQUEUE] = (struct rlimit64){819200, 819200};
    limits[RLIMIT_NICE] = limits[RLIMIT_RTPRIO] = (struct rlimit64){0, 0};
}

struct task *process_create_first(struct security_context *context) {
    struct process *process = process_alloc();
    struct task *task = task_alloc();
    struct sighand *sighand = sighand_create();
    if (!process || !task || !sighand)
        return NULL;
    process->sighand = sighand;
    process->leader = task;
    process->thread_count = 1;
    process->parent = &hidden_init;
    limits_default(process->limits);
    task->process = process;
    task->capabilities_effective = task->capabilities_permitted = task->capabilities_bounding =
        CAPABILITIES_ALL;
    security_begin(task, context);
    task->signal_pending = true;

    mutex_lock(&tasks_lock);
    process->pid = task->tid = pid_take();
    list_push_back(&process->threads, &task->thread_link);
    list_push_back(&hidden_init.children, &process->sibling);
    list_push_back(&process_list, &process->link);
    task_hash_add(task);
    task_count++;
    task_created_count++;
    int error = session_create(process);
    process_get(process); /* process_wait_first's */
    mutex_unlock(&tasks_lock);
    return error ? NULL : task;
}

int32_t process_wait_first(void) {
    mutex_lock(&tasks_lock);
    struct process *first = process_find(1);
    while (first && !first->zombie) {
        hidden_init.waiting_thread = thread_self();
        mutex_unlock(&tasks_lock);
        thread_park(DEADLINE_NEVER);
        mutex_lock(&tasks_lock);
    }
    int32_t status = first ? first->exit_code : 0;
    mutex_unlock(&tasks_lock);
    return status;
}
