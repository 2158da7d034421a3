/*
 * One process with two tasks for tests of linux/task's signals: guest memory is an array, the native threads
 * are numbers, the end of a process is written down instead of carried out.
 */
#pragma once

#include <stdbool.h>
#include <string.h>

#include "abi/errors.h"
#include "linux/abi/resource.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/task/tables.h"
#include "linux/task/time.h"
#include "tests/unit/check.h"

enum {
    GUEST_BASE = 0x100000,
    GUEST_SIZE = 0x20000,
    STACK_TOP = GUEST_BASE + 0x10000,
    ALTSTACK = GUEST_BASE + 0x14000
};
enum { CODE = 0x401000, HANDLER = 0x402000, RESTORER = 0x403000, CALL_NUMBER = 23, VECTOR_SIZE = 832 };

static struct process process;
static struct process_group group;
static struct session session;
static struct sighand sighand;
static struct task tasks[2];
static struct utcb utcbs[2];
static struct task *current;
static uint8_t guest[GUEST_SIZE];
static uint8_t vector_state[VECTOR_SIZE];
static int kicks[3];
static int32_t end_status; /* -1: the process goes on */
static int32_t notified;
static void (*on_park)(void);
static bool group_is_orphaned;

/* ---- what the code under test stands on ---- */

struct mutex tasks_lock = MUTEX_INIT(tasks_lock);
struct list process_list = LIST_INIT(process_list);
struct process hidden_init;

void *heap_alloc(size_t size) {
    return malloc(size);
}
void *heap_zalloc(size_t size) {
    return calloc(1, size);
}
void heap_free(void *pointer) {
    free(pointer);
}
struct task *task_current(void) {
    return current;
}
handle_t thread_self(void) {
    return current ? current->thread : 0;
}
void thread_unpark(handle_t thread) {
    kicks[thread]++;
}
uint64_t clock_monotonic(void) {
    return 1000;
}
uint32_t system_cpus(void) {
    return 1;
}
int thread_park_inside(uint64_t deadline) {
    return deadline ? 0 : -ETIMEDOUT;
}
void log_line(const char *format, ...) {
    (void)format;
}

int thread_park(uint64_t deadline) {
    if (!on_park) {
        CHECK(deadline != DEADLINE_NEVER);
        return -ETIMEDOUT;
    }
    void (*run)(void) = on_park;
    on_park = NULL;
    run();
    return 0;
}

static inline uint8_t *guest_at(uint64_t address, size_t length) {
    if (address < GUEST_BASE || address > GUEST_BASE + GUEST_SIZE ||
        length > GUEST_BASE + GUEST_SIZE - address)
        return NULL;
    return guest + (address - GUEST_BASE);
}

int guest_copy_in(void *to, uint64_t from, size_t length) {
    uint8_t *at = guest_at(from, length);
    if (at)
        memcpy(to, at, length);
    return at ? 0 : -EFAULT;
}

int guest_copy_out(uint64_t to, const void *from, size_t length) {
    uint8_t *at = guest_at(to, length);
    if (at)
        memcpy(at, from, length);
    return at ? 0 : -EFAULT;
}

size_t guest_vector_size(void) {
    return VECTOR_SIZE;
}
uint64_t guest_vector_features(void) {
    return 7;
}
void guest_vector_save(void *image) {
    memcpy(image, vector_state, VECTOR_SIZE);
}
void guest_vector_reset(void) {
    memset(vector_state, 0, VECTOR_SIZE);
}
int guest_vector_load(void *image) {
    memcpy(vector_state, image, VECTOR_SIZE);
    return 0;
}

void process_exit_all_locked(struct process *which, int32_t status) {
    which->exiting = true;
    end_status = status;
    tasks[0].dying = tasks[1].dying = true;
}
void task_end(struct task *task) {
    task->ended = true;
}
void process_notify_stop(struct process *which, int32_t code) {
    (void)which;
    notified = code;
}
struct task *process_live_task(struct process *which) {
    return which == &process ? &tasks[0] : NULL;
}
struct process *process_find(int32_t pid) {
    return pid == process.pid ? &process : NULL;
}
struct task *task_find_any(int32_t tid) {
    return tid == 100 ? &tasks[0] : tid == 101 ? &tasks[1] : NULL;
}
struct process_group *process_group_find(int32_t pgid) {
    return pgid == group.pgid ? &group : NULL;
}
bool process_group_orphaned(const struct process_group *which) {
    return which == &group && group_is_orphaned;
}
bool task_is_root(const struct task *task) {
    return task->credentials.euid == 0;
}
uint64_t deadline_after(uint64_t ns) {
    return ns;
}
int timespec_in(uint64_t address, uint64_t *ns) {
    return guest_copy_in(ns, address, sizeof(*ns));
}

/* ---- scenery ---- */

static inline void set_up_task(struct task *task, int index) {
    memset(task, 0, sizeof(*task));
    memset(&utcbs[index], 0, sizeof(utcbs[index]));
    task->tid = 100 + index;
    task->thread = (handle_t)index + 1;
    task->process = &process;
    task->utcb = &utcbs[index];
    task->altstack_flags = SS_DISABLE;
    list_init(&task->pending);
    list_push_back(&process.threads, &task->thread_link);
    task->utcb->guest.rip = CODE;
    task->utcb->guest.rsp = STACK_TOP;
    task->utcb->guest.rbx = 0xb0b;
    task->utcb->guest.rflags = 0x202;
}

static inline void set_up(void) {
    static struct task *used[2] = {&tasks[0], &tasks[1]};
    for (int i = 0; i < 2; i++) {
        if (used[i]->process)
            signal_flush_task(used[i]);
        free(used[i]->vector_image);
    }
    if (process.pid)
        signal_flush_process(&process);
    memset(&process, 0, sizeof(process));
    memset(&sighand, 0, sizeof(sighand));
    process.pid = group.pgid = 100;
    process.group = &group;
    process.sighand = &sighand;
    process.thread_count = 2;
    process.limits[RLIMIT_SIGPENDING].current = 50;
    list_init(&process.threads);
    list_init(&process.shared_pending);
    waitq_init(&process.signal_wait);
    group.session = &session;
    group_is_orphaned = false;
    list_init(&group.members);
    list_push_back(&group.members, &process.group_link);
    set_up_task(&tasks[0], 0);
    set_up_task(&tasks[1], 1);
    process.leader = current = &tasks[0];
    end_status = -1;
    notified = 0;
    on_park = NULL;
    memset(kicks, 0, sizeof(kicks));
    memset(guest, 0, sizeof(guest));
}

static inline int send_code(struct task *task, int signo, int32_t code, uint64_t value) {
    struct signal_info info = {.signo = signo, .code = code, .pid = 7, .value = value};
    mutex_lock(&tasks_lock);
    int error = task ? signal_send_task_locked(task, &info) : signal_send_process_locked(&process, &info);
    mutex_unlock(&tasks_lock);
    return error;
}

static inline void send(struct task *task, int signo) {
    CHECK_EQ(send_code(task, signo, SI_USER, 0), 0);
}

static inline int take(struct signal_info *info) {
    mutex_lock(&tasks_lock);
    int signo = signal_dequeue(current, current->blocked, info);
    mutex_unlock(&tasks_lock);
    return signo;
}

static inline int take_number(void) {
    struct signal_info info;
    return take(&info);
}

static inline void handle(int signo, uint64_t flags, sigset_t64 mask) {
    sighand.changed |= signal_bit(signo);
    sighand.actions[signo - 1] = (struct signal_action){
        .handler = HANDLER, .flags = flags | SA_RESTORER, .restorer = RESTORER, .mask = mask};
}

/* As the program does: the handler returns to the restorer, which makes the call. */
static inline void handler_return(void) {
    CHECK_EQ(current->utcb->guest.rip, HANDLER);
    current->utcb->guest.rsp += 8;
    CHECK_EQ(sys_rt_sigreturn(), (int64_t)current->utcb->guest.rax);
}
