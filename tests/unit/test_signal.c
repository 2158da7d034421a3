/* sources: linux/task/signal.c linux/task/deliver.c linux/task/sigcall.c linux/task/sigframe.c linux/lock.c
 */
/*
 * Signals of the personality: in which order they are taken, what queues and what does not, masks, frames and
 * their way back, restarts, default actions. One process with two tasks is made by hand; guest memory is an
 * array, the native threads are numbers, the end of a process is written down instead of carried out.
 */
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

static uint8_t *guest_at(uint64_t address, size_t length) {
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

static void set_up_task(struct task *task, int index) {
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

static void set_up(void) {
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

static int send_code(struct task *task, int signo, int32_t code, uint64_t value) {
    struct signal_info info = {.signo = signo, .code = code, .pid = 7, .value = value};
    mutex_lock(&tasks_lock);
    int error = task ? signal_send_task_locked(task, &info) : signal_send_process_locked(&process, &info);
    mutex_unlock(&tasks_lock);
    return error;
}

static void send(struct task *task, int signo) {
    CHECK_EQ(send_code(task, signo, SI_USER, 0), 0);
}

static int take(struct signal_info *info) {
    mutex_lock(&tasks_lock);
    int signo = signal_dequeue(current, current->blocked, info);
    mutex_unlock(&tasks_lock);
    return signo;
}

static int take_number(void) {
    struct signal_info info;
    return take(&info);
}

static void handle(int signo, uint64_t flags, sigset_t64 mask) {
    sighand.changed |= signal_bit(signo);
    sighand.actions[signo - 1] = (struct signal_action){
        .handler = HANDLER, .flags = flags | SA_RESTORER, .restorer = RESTORER, .mask = mask};
}

/* As the program does: the handler returns to the restorer, which makes the call. */
static void handler_return(void) {
    CHECK_EQ(current->utcb->guest.rip, HANDLER);
    current->utcb->guest.rsp += 8;
    CHECK_EQ(sys_rt_sigreturn(), (int64_t)current->utcb->guest.rax);
}

/* ---- queues ---- */

TEST(order_is_faults_then_own_then_process) {
    set_up();
    send(NULL, SIGUSR1);
    send(NULL, SIGHUP);
    send(&tasks[0], SIGTERM);
    send(&tasks[0], SIGINT);
    send(&tasks[0], SIGSEGV);
    send(NULL, SIGRTMIN + 2);
    CHECK_EQ(take_number(), SIGSEGV);
    CHECK_EQ(take_number(), SIGINT);
    CHECK_EQ(take_number(), SIGTERM);
    CHECK_EQ(take_number(), SIGHUP);
    CHECK_EQ(take_number(), SIGUSR1);
    CHECK_EQ(take_number(), SIGRTMIN + 2);
    CHECK_EQ(take_number(), 0);
}

TEST(standard_signals_queue_once_real_time_ones_each) {
    struct signal_info info;
    set_up();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(send_code(NULL, SIGUSR1, SI_QUEUE, 10 + i), 0);
        CHECK_EQ(send_code(NULL, SIGRTMIN + 5, SI_QUEUE, 20 + i), 0);
    }
    CHECK_EQ(take(&info), SIGUSR1);
    CHECK_EQ(info.value, 10);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(take(&info), SIGRTMIN + 5);
        CHECK_EQ(info.value, 20 + i);
    }
    CHECK_EQ(take(&info), 0);
}

TEST(the_queue_limit_refuses_only_queued_real_time_signals) {
    set_up();
    process.limits[RLIMIT_SIGPENDING].current = 2;
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_QUEUE, 0), 0);
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_QUEUE, 0), 0);
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_QUEUE, 0), -EAGAIN);
    CHECK_EQ(send_code(NULL, SIGRTMIN + 1, SI_USER, 0), 0);
    CHECK_EQ(send_code(NULL, SIGUSR1, SI_QUEUE, 0), 0);
}

TEST(stop_and_continue_remove_each_other) {
    set_up();
    tasks[0].blocked = tasks[1].blocked = UINT64_MAX & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    send(NULL, SIGTSTP);
    send(&tasks[1], SIGTTIN);
    send(NULL, SIGCONT);
    CHECK_EQ(process.shared_pending_set, signal_bit(SIGCONT));
    CHECK_EQ(tasks[1].pending_set, 0);
    send(NULL, SIGTTOU);
    CHECK_EQ(process.shared_pending_set, signal_bit(SIGTTOU));
}

TEST(ignored_signals_are_dropped_unless_blocked) {
    set_up();
    sighand.actions[SIGUSR1 - 1].handler = SIG_IGN;
    send(NULL, SIGUSR1);
    send(NULL, SIGCHLD);
    CHECK_EQ(process.shared_pending_set, 0);
    CHECK(!tasks[0].signal_pending);
    signal_set_blocked(&tasks[0], signal_bit(SIGUSR1));
    send(NULL, SIGUSR1);
    CHECK_EQ(process.shared_pending_set, signal_bit(SIGUSR1));

    struct sigaction64 ignore = {.handler = SIG_IGN};
    guest_copy_out(GUEST_BASE, &ignore, sizeof(ignore));
    CHECK_EQ(sys_rt_sigaction(SIGUSR1, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(process.shared_pending_set, 0);
}

/* ---- masks and receivers ---- */

TEST(kill_and_stop_cannot_be_blocked) {
    set_up();
    signal_set_blocked(&tasks[0], UINT64_MAX);
    CHECK_EQ(tasks[0].blocked, UINT64_MAX & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP)));
}

TEST(a_process_signal_goes_to_a_task_that_takes_it) {
    set_up();
    current = NULL;
    send(NULL, SIGTERM);
    CHECK(tasks[0].signal_pending && !tasks[1].signal_pending);
    CHECK_EQ(kicks[1], 1);
    set_up();
    signal_set_blocked(&tasks[0], signal_bit(SIGTERM));
    send(NULL, SIGTERM);
    CHECK(!tasks[0].signal_pending && tasks[1].signal_pending);
    CHECK_EQ(kicks[2], 1);
    CHECK(!signal_interrupts(&tasks[0]) && signal_interrupts(&tasks[1]));
}

TEST(blocking_hands_a_pending_signal_to_another_task) {
    set_up();
    send(NULL, SIGTERM);
    CHECK(!tasks[1].signal_pending);
    signal_set_blocked(&tasks[0], signal_bit(SIGTERM));
    CHECK(!tasks[0].signal_pending && tasks[1].signal_pending);
}

TEST(unblocking_makes_it_deliverable) {
    set_up();
    signal_set_blocked(&tasks[0], signal_bit(SIGUSR2));
    send(&tasks[0], SIGUSR2);
    CHECK(!tasks[0].signal_pending);
    CHECK_EQ(take_number(), 0);
    signal_set_blocked(&tasks[0], 0);
    CHECK(tasks[0].signal_pending);
    CHECK_EQ(take_number(), SIGUSR2);
}

TEST(sigprocmask_follows_how) {
    sigset_t64 set = signal_bit(SIGHUP) | signal_bit(SIGKILL), old;
    set_up();
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    CHECK_EQ(sys_rt_sigprocmask(SIG_BLOCK, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(tasks[0].blocked, signal_bit(SIGHUP));
    CHECK_EQ(sys_rt_sigprocmask(7, GUEST_BASE, 0, 8), -EINVAL);
    CHECK_EQ(sys_rt_sigprocmask(7, 0, GUEST_BASE + 64, 8), 0);
    guest_copy_in(&old, GUEST_BASE + 64, sizeof(old));
    CHECK_EQ(old, signal_bit(SIGHUP));
    CHECK_EQ(sys_rt_sigprocmask(SIG_BLOCK, GUEST_BASE, 0, 4), -EINVAL);
    CHECK_EQ(sys_rt_sigprocmask(SIG_BLOCK, 8, 0, 8), -EFAULT);
    CHECK_EQ(sys_rt_sigprocmask(SIG_UNBLOCK, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(tasks[0].blocked, 0);
}

TEST(timedwait_takes_blocked_signals_and_times_out) {
    sigset_t64 set = signal_bit(SIGUSR1) | signal_bit(SIGCHLD);
    uint64_t zero = 0;
    set_up();
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    guest_copy_out(GUEST_BASE + 8, &zero, sizeof(zero));
    signal_set_blocked(&tasks[0], set);
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, GUEST_BASE + 8, 8), -EAGAIN);
    send(NULL, SIGCHLD);
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, GUEST_BASE + 256, GUEST_BASE + 8, 8), SIGCHLD);
    struct siginfo64 info;
    guest_copy_in(&info, GUEST_BASE + 256, sizeof(info));
    CHECK_EQ(info.signo, SIGCHLD);
    CHECK_EQ(info.sender.pid, 7);
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, GUEST_BASE + 8, 8), -EAGAIN);
    CHECK_EQ(tasks[0].wait_set, 0);
}

static void send_usr1(void) {
    send(NULL, SIGUSR1);
}
static void send_term(void) {
    send(NULL, SIGTERM);
}

TEST(timedwait_wakes_for_its_set_and_is_interrupted_by_others) {
    sigset_t64 set = signal_bit(SIGUSR1);
    set_up();
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    signal_set_blocked(&tasks[0], set);
    tasks[1].blocked = UINT64_MAX;
    on_park = send_usr1;
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, 0, 8), SIGUSR1);
    handle(SIGTERM, 0, 0);
    on_park = send_term;
    CHECK_EQ(sys_rt_sigtimedwait(GUEST_BASE, 0, 0, 8), -EINTR);
}

/* ---- frames ---- */

TEST(a_handler_runs_and_returns_to_the_same_state) {
    set_up();
    struct guest_registers before = current->utcb->guest;
    handle(SIGUSR1, SA_SIGINFO, signal_bit(SIGHUP));
    signal_set_blocked(current, signal_bit(SIGINT));
    memset(vector_state, 0x5a, 512);
    CHECK_EQ(send_code(&tasks[0], SIGUSR1, SI_QUEUE, 77), 0);
    CHECK(task_ready(current));
    const struct guest_registers *now = &current->utcb->guest;
    CHECK_EQ(now->rip, HANDLER);
    CHECK_EQ(now->rdi, SIGUSR1);
    CHECK_EQ(now->rax, 0);
    CHECK_EQ(now->rsp % 16, 8);
    CHECK(now->rsp < STACK_TOP - 128);
    uint64_t return_address;
    guest_copy_in(&return_address, now->rsp, sizeof(return_address));
    CHECK_EQ(return_address, RESTORER);
    struct siginfo64 info;
    guest_copy_in(&info, now->rsi, sizeof(info));
    CHECK_EQ(info.signo, SIGUSR1);
    CHECK_EQ(info.sender.value, 77);
    struct ucontext64 ucontext;
    guest_copy_in(&ucontext, now->rdx, sizeof(ucontext));
    CHECK_EQ(ucontext.context.rip, CODE);
    CHECK_EQ(ucontext.context.fpstate % 64, 0);
    CHECK_EQ(ucontext.mask, signal_bit(SIGINT));
    CHECK_EQ(vector_state[0], 0);
    CHECK_EQ(current->blocked, signal_bit(SIGINT) | signal_bit(SIGHUP) | signal_bit(SIGUSR1));
    handler_return();
    CHECK(!memcmp(&before, &current->utcb->guest, sizeof(before)));
    CHECK_EQ(current->blocked, signal_bit(SIGINT));
    CHECK_EQ(vector_state[100], 0x5a);
}

TEST(of_two_handlers_the_last_taken_runs_first) {
    set_up();
    handle(SIGHUP, 0, 0);
    handle(SIGINT, 0, 0);
    send(NULL, SIGINT);
    send(NULL, SIGHUP);
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rdi, SIGINT);
    handler_return();
    CHECK_EQ(current->utcb->guest.rdi, SIGHUP);
    handler_return();
    CHECK_EQ(current->utcb->guest.rip, CODE);
}

TEST(a_handlers_mask_holds_the_next_signal_back) {
    set_up();
    handle(SIGHUP, 0, signal_bit(SIGINT));
    handle(SIGINT, 0, 0);
    send(NULL, SIGINT);
    send(NULL, SIGHUP);
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rdi, SIGHUP);
    CHECK(!current->signal_pending);
    handler_return();
    CHECK(current->signal_pending);
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rdi, SIGINT);
}

TEST(resethand_and_nodefer) {
    set_up();
    handle(SIGUSR1, SA_RESETHAND | SA_NODEFER, 0);
    send(NULL, SIGUSR1);
    CHECK(task_ready(current));
    CHECK_EQ(current->blocked, 0);
    CHECK_EQ(sighand.actions[SIGUSR1 - 1].handler, SIG_DFL);
}

TEST(sigsuspend_puts_the_old_mask_back_after_the_handler) {
    sigset_t64 set = 0;
    set_up();
    signal_set_blocked(current, signal_bit(SIGUSR1));
    handle(SIGUSR1, 0, 0);
    send(&tasks[0], SIGUSR1);
    guest_copy_out(GUEST_BASE, &set, sizeof(set));
    CHECK_EQ(sys_rt_sigsuspend(GUEST_BASE, 8), -ERESTARTNOHAND);
    CHECK_EQ(current->blocked, 0);
    current->restart = -ERESTARTNOHAND;
    CHECK(task_ready(current));
    CHECK_EQ(current->utcb->guest.rip, HANDLER);
    handler_return();
    CHECK_EQ((int64_t)current->utcb->guest.rax, -EINTR);
    CHECK_EQ(current->blocked, signal_bit(SIGUSR1));
}

TEST(the_alternate_stack_is_used_once_and_not_overflowed) {
    struct stack64 stack = {.sp = ALTSTACK, .size = 4096}, old;
    set_up();
    guest_copy_out(GUEST_BASE, &stack, sizeof(stack));
    CHECK_EQ(sys_sigaltstack(GUEST_BASE, 0), 0);
    handle(SIGUSR1, SA_ONSTACK | SA_NODEFER, 0);
    handle(SIGUSR2, SA_ONSTACK, 0);
    send(&tasks[0], SIGUSR1);
    CHECK(task_ready(current));
    uint64_t first = current->utcb->guest.rsp;
    CHECK(first > ALTSTACK && first < ALTSTACK + 4096);
    CHECK_EQ(sys_sigaltstack(0, GUEST_BASE), 0);
    guest_copy_in(&old, GUEST_BASE, sizeof(old));
    CHECK_EQ(old.flags, SS_ONSTACK);
    guest_copy_out(GUEST_BASE, &stack, sizeof(stack));
    CHECK_EQ(sys_sigaltstack(GUEST_BASE, 0), -EPERM);
    send(&tasks[0], SIGUSR2);
    CHECK(task_ready(current));
    CHECK(current->utcb->guest.rsp < first && current->utcb->guest.rsp > ALTSTACK);
    send(&tasks[0], SIGUSR1); /* a third frame does not fit: the program dies of SIGSEGV */
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
}

TEST(a_bad_stack_ends_the_program) {
    set_up();
    handle(SIGUSR1, 0, 0);
    current->utcb->guest.rsp = 64;
    send(&tasks[0], SIGUSR1);
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
    set_up();
    sys_rt_sigreturn(); /* with a frame of zeros: the registers become zero, nothing else happens */
    CHECK_EQ(current->utcb->guest.rip, 0);
    current->utcb->guest.rsp = 64;
    sys_rt_sigreturn();
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
}

/* ---- restarts ---- */

static void check_restart(int64_t code, int handler_flags, uint64_t rip, uint64_t rax) {
    set_up();
    current->utcb->guest.rax = CALL_NUMBER;
    current->restart = code;
    if (handler_flags >= 0) {
        handle(SIGUSR1, (uint64_t)handler_flags, 0);
        send(&tasks[0], SIGUSR1);
    }
    CHECK(task_ready(current));
    if (handler_flags >= 0)
        handler_return();
    CHECK_EQ(current->utcb->guest.rip, rip);
    CHECK_EQ(current->utcb->guest.rax, rax);
    CHECK_EQ(current->restart, 0);
}

TEST(interrupted_calls_restart_as_linux_does) {
    const uint64_t again = CODE - 2, interrupted = (uint64_t)-EINTR;
    check_restart(-ERESTARTSYS, -1, again, CALL_NUMBER);
    check_restart(-ERESTARTSYS, 0, CODE, interrupted);
    check_restart(-ERESTARTSYS, SA_RESTART, again, CALL_NUMBER);
    check_restart(-ERESTARTNOINTR, 0, again, CALL_NUMBER);
    check_restart(-ERESTARTNOHAND, -1, again, CALL_NUMBER);
    check_restart(-ERESTARTNOHAND, SA_RESTART, CODE, interrupted);
    check_restart(-ERESTART_RESTARTBLOCK, -1, again, 219);
    check_restart(-ERESTART_RESTARTBLOCK, SA_RESTART, CODE, interrupted);
}

/* ---- default actions ---- */

static void send_cont(void) {
    send(NULL, SIGCONT);
}

TEST(stop_waits_for_continue_and_reports_both) {
    set_up();
    list_remove(&tasks[1].thread_link);
    process.thread_count = 1;
    send(NULL, SIGTSTP);
    on_park = send_cont;
    CHECK(task_ready(current));
    CHECK_EQ(notified, CLD_CONTINUED);
    CHECK(process.continued && !process.stopped);
    group_is_orphaned = true; /* nobody could continue it: not stopped */
    notified = 0;
    send(NULL, SIGTSTP);
    CHECK(task_ready(current));
    CHECK_EQ(notified, 0);
}

TEST(default_actions) {
    static const uint8_t ignored[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    static const uint8_t stopping[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (int signo = 1; signo <= LINUX_SIGNALS; signo++) {
        if (memchr(stopping, signo, sizeof(stopping)))
            continue;
        set_up();
        send(NULL, signo);
        bool goes_on = memchr(ignored, signo, sizeof(ignored));
        if (signo != SIGKILL)
            CHECK_EQ(task_ready(current), goes_on);
        CHECK_EQ(end_status, goes_on ? -1 : signo);
    }
}

TEST(a_fault_kills_even_when_blocked_or_ignored) {
    struct signal_info info = {.signo = SIGSEGV, .code = SEGV_MAPERR, .address = 16};
    set_up();
    handle(SIGSEGV, 0, 0);
    signal_set_blocked(current, signal_bit(SIGSEGV));
    signal_force(current, &info);
    CHECK(!task_ready(current));
    CHECK_EQ(end_status, SIGSEGV);
    set_up();
    handle(SIGSEGV, SA_SIGINFO, 0);
    signal_from_fault(current, 0x1234, 2, -EACCES);
    CHECK(task_ready(current));
    struct siginfo64 raw;
    guest_copy_in(&raw, current->utcb->guest.rsi, sizeof(raw));
    CHECK_EQ(raw.code, SEGV_ACCERR);
    CHECK_EQ(raw.fault.address, 0x1234);
}

/* ---- calls ---- */

TEST(kill_checks_its_target_before_its_signal) {
    set_up();
    CHECK_EQ(sys_kill(4711, 100), -ESRCH);
    CHECK_EQ(sys_kill(100, 65), -EINVAL);
    CHECK_EQ(sys_kill(100, 0), 0);
    CHECK_EQ(sys_kill((uint64_t)-100, SIGUSR1), 0);
    CHECK_EQ(take_number(), SIGUSR1);
    CHECK_EQ(sys_kill((uint64_t)-1, SIGUSR1), -ESRCH);
    CHECK_EQ(sys_tgkill(100, 101, SIGUSR2), 0);
    CHECK_EQ(tasks[1].pending_set, signal_bit(SIGUSR2));
    CHECK_EQ(sys_tgkill(99, 101, SIGUSR2), -ESRCH);
    CHECK_EQ(sys_tkill(0, SIGUSR2), -EINVAL);
}

TEST(sigaction_checks_and_shows) {
    struct sigaction64 action = {.handler = HANDLER,
                                 .flags = 0x12345678abcULL | SA_RESTART,
                                 .mask = UINT64_MAX},
                       old;
    set_up();
    guest_copy_out(GUEST_BASE, &action, sizeof(action));
    CHECK_EQ(sys_rt_sigaction(SIGKILL, GUEST_BASE, 0, 8), -EINVAL);
    CHECK_EQ(sys_rt_sigaction(SIGKILL, 0, GUEST_BASE + 64, 8), 0);
    CHECK_EQ(sys_rt_sigaction(65, GUEST_BASE, 0, 8), -EINVAL);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, GUEST_BASE, 0, 16), -EINVAL);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, 1, 0, 8), -EFAULT);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, GUEST_BASE, 0, 8), 0);
    CHECK_EQ(sys_rt_sigaction(SIGHUP, 0, GUEST_BASE, 8), 0);
    guest_copy_in(&old, GUEST_BASE, sizeof(old));
    CHECK_EQ(old.handler, HANDLER);
    CHECK(!(old.flags & 0x12000000000ULL) && (old.flags & SA_RESTART));
    CHECK(!(old.mask & (signal_bit(SIGKILL) | signal_bit(SIGSTOP))));
}

TEST_MAIN();
