/* See guest.h. */
#include "linux/abi/wait.h"
#include "tests/host/guest/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/keel/call.h"
#include "linux/abi/mman.h"
#include "linux/arch/guest.h"
#include "linux/fs/fd.h"
#include "linux/fs/mount.h"
#include "linux/io/console.h"
#include "linux/io/tty.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/system.h"
#include "linux/task.h"
#include "linux/task/futex.h"
#include "linux/task/mm.h"
#include "linux/task/process.h"
#include "linux/task/session.h"
#include "linux/task/signal.h"
#include "linux/vdso/vdso.h"

/* Guest code addresses: call sites, then functions. A call site is where the program goes on after its call.
 */
#define CALL_SITES 0x10000000ULL
#define RESTORER   0x17ff0000ULL
#define FUNCTIONS  0x18000000ULL
enum {
    SITE_STEP = 16,
    FUNCTIONS_MOST = 64,
    SYSCALL_LENGTH = 2,
    EXCEPTION_PAGE_FAULT = 14,
    FAULT_READ = 4,
    FAULT_WRITE = 6,
    FAULT_FETCH = 0x14
};

struct function {
    guest_handler handler; /* one of the two */
    guest_program program;
};

static struct function functions[FUNCTIONS_MOST];
static unsigned function_count;
static uint64_t next_site = CALL_SITES;

static uint64_t function_address(guest_handler handler, guest_program program) {
    unsigned i = 0;
    while (i < function_count && (functions[i].handler != handler || functions[i].program != program))
        i++;
    if (i == FUNCTIONS_MOST)
        abort();
    functions[i] = (struct function){handler, program};
    function_count = i < function_count ? function_count : i + 1;
    return FUNCTIONS + i * SITE_STEP;
}

uint64_t guest_handler_address(guest_handler handler) {
    return function_address(handler, NULL);
}
uint64_t guest_entry_address(guest_program program) {
    return function_address(NULL, program);
}
uint64_t guest_restorer(void) {
    return RESTORER;
}

static struct function *function_at(uint64_t address) {
    uint64_t index = (address - FUNCTIONS) / SITE_STEP;
    return address >= FUNCTIONS && index < function_count ? &functions[index] : NULL;
}

/* ---- leaving and coming back ---- */

/* To the guest loop; returns when it enters the guest again. */
static void leave(struct host_thread *thread, enum guest_exit exit) {
    thread->exit = exit;
    fiber_switch(&thread->guest, &thread->fiber);
}

static void site_leave(struct host_thread *thread, uint64_t site, enum guest_exit exit) {
    struct guest_registers *registers = &thread->utcb->guest;
    registers->rip = site;
    if (exit == GUEST_SYSCALL) {
        registers->rcx = site;
        registers->r11 = registers->rflags;
    }
    leave(thread, exit);
}

static void run_program(guest_program program, void *argument) {
    uint64_t arguments[6] = {(uint64_t)program(argument)};
    for (;;)
        guest_call(NR_exit_group, arguments);
}

static void run_handler(struct host_thread *thread, guest_handler handler) {
    struct guest_registers *registers = &thread->utcb->guest;
    uint64_t frame = registers->rsp;
    handler((int)registers->rdi, registers->rsi, registers->rdx);
    registers->rsp = frame + sizeof(uint64_t);
    registers->rax = NR_rt_sigreturn;
    site_leave(thread, RESTORER + SYSCALL_LENGTH, GUEST_SYSCALL);
}

/* Does what the registers say until the program stands at site again. */
static void settle(struct host_thread *thread, uint64_t site) {
    struct guest_registers *registers = &thread->utcb->guest;
    while (registers->rip != site) {
        struct function *function = function_at(registers->rip);
        if (registers->rip == site - SYSCALL_LENGTH)
            site_leave(thread, site, GUEST_SYSCALL); /* restarted */
        else if (function && function->handler)
            run_handler(thread, function->handler);
        else if (function)
            run_program(function->program, NULL);
        else {
            thread->utcb->fault_address = registers->rip;
            thread->utcb->fault_code = FAULT_FETCH;
            thread->utcb->fault_error = -EFAULT;
            leave(thread, GUEST_FAULT);
        }
    }
}

int64_t guest_call(uint64_t number, const uint64_t arguments[6]) {
    struct host_thread *thread = host_thread_self();
    struct guest_registers *registers = &thread->utcb->guest;
    uint64_t site = next_site;
    next_site += SITE_STEP;
    if (next_site >= RESTORER)
        next_site = CALL_SITES;
    registers->rax = number;
    registers->rdi = arguments[0];
    registers->rsi = arguments[1];
    registers->rdx = arguments[2];
    registers->r10 = arguments[3];
    registers->r8 = arguments[4];
    registers->r9 = arguments[5];
    site_leave(thread, site, GUEST_SYSCALL);
    settle(thread, site);
    return (int64_t)registers->rax;
}

void guest_exception(uint64_t vector, uint64_t code, uint64_t address) {
    struct host_thread *thread = host_thread_self();
    uint64_t site = next_site;
    next_site += SITE_STEP;
    thread->utcb->fault_vector = vector;
    thread->utcb->fault_code = code;
    thread->utcb->fault_address = address;
    thread->utcb->fault_error = -EFAULT;
    site_leave(thread, site, vector == EXCEPTION_PAGE_FAULT ? GUEST_FAULT : GUEST_EXCEPTION);
    settle(thread, site);
}

void guest_child(guest_program program, void *argument) {
    struct host_thread *thread = host_thread_self();
    thread->child_program = program;
    thread->child_argument = argument;
}

/* Where a guest's fiber begins: also for a child, whose registers are its parent's at the call. */
static void guest_main(void *argument) {
    struct host_thread *thread = argument;
    if (thread->program)
        run_program(thread->program, thread->program_argument);
    settle(thread, 0); /* no program: whatever the registers say */
    abort();
}

static int exit_at_once(void *unused) {
    (void)unused;
    return 0;
}

enum guest_exit host_guest_run(struct host_thread *thread, uint64_t flags) {
    (void)flags;
    if (!thread->guest_started) {
        thread->guest_started = true;
        thread->child_program = exit_at_once;
        fiber_start(&thread->guest, guest_main, thread);
    }
    fiber_switch(&thread->fiber, &thread->guest);
    if (thread->exit == GUEST_KICK)
        keel_thread_wait(DEADLINE_NEVER); /* process 1 without work */
    return thread->exit;
}

/* ---- memory ---- */

static uint64_t scratch_used;

/* A byte as the program would find it; where the kernel has nothing mapped there is a fault, once. */
static uint8_t *guest_byte(uint64_t address, bool write) {
    uint8_t *byte;
    if (!host_space_byte_any(host_attached(), address, write, &byte))
        return byte;
    guest_exception(EXCEPTION_PAGE_FAULT, write ? FAULT_WRITE : FAULT_READ, address);
    if (host_space_byte_any(host_attached(), address, write, &byte))
        abort();
    return byte;
}

void guest_put(uint64_t to, const void *from, size_t length) {
    host_fail_pause(true);
    for (size_t i = 0; i < length; i++)
        *guest_byte(to + i, true) = ((const uint8_t *)from)[i];
    host_fail_pause(false);
}

void guest_get(void *to, uint64_t from, size_t length) {
    host_fail_pause(true);
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)to)[i] = *guest_byte(from + i, false);
    host_fail_pause(false);
}

uint64_t guest_alloc(size_t length) {
    uint64_t address = GUEST_SCRATCH + scratch_used;
    scratch_used += (length + 15) & ~15UL;
    if (scratch_used > GUEST_SCRATCH_SIZE)
        abort();
    return address;
}

uint64_t guest_bytes(const void *bytes, size_t length) {
    uint64_t address = guest_alloc(length);
    guest_put(address, bytes, length);
    return address;
}

uint64_t guest_text(const char *text) {
    return guest_bytes(text, strlen(text) + 1);
}

/* ---- process 1 ---- */

static struct {
    guest_program program;
    void *argument;
    bool wanted, ended, stop;
    int32_t status, pid;
} request;

static struct host_thread *first_thread;

static int first_program(void *unused) {
    (void)unused;
    first_thread->utcb->guest.rsp = GUEST_STACK + GUEST_STACK_SIZE - 64;
    while (!request.stop) {
        while (!request.wanted) {
            leave(first_thread, GUEST_KICK);
            while (guest(wait4, (uint64_t)-1, 0, WNOHANG | __WALL, 0) > 0) /* children of CLONE_PARENT */
                continue;
        }
        request.wanted = false;
        guest_child(request.program, request.argument);
        request.pid = (int32_t)guest(fork);
        if (request.pid > 0)
            while (guest(wait4, (uint64_t)request.pid, GUEST_STACK, 0, 0) == -EINTR)
                continue;
        guest_get(&request.status, GUEST_STACK, sizeof(request.status));
        request.ended = true;
    }
    return 0;
}

static void check(const char *what, int64_t error) {
    if (error < 0) {
        fprintf(stderr, "host: %s: error %lld\n", what, (long long)-error);
        abort();
    }
}

static void map_fixed(struct mm *mm, uint64_t address, uint64_t length, uint32_t protection) {
    mutex_lock(&mm->lock);
    check("memory of process 1", mm_map(mm, address, length, protection, 0, NULL, 0, NULL));
    mutex_unlock(&mm->lock);
}

static struct task *first_task(void) {
    struct security_context *context = NULL;
    check("context", security_context_parse(SECURITY_FIRST, sizeof(SECURITY_FIRST) - 1, &context));
    struct task *task = process_create_first(context);
    check("process 1", task ? 0 : -ENOMEM);
    task->mm = mm_create(session_job(task));
    task->files = fd_table_create();
    task->fs = fs_state_create();
    memcpy(task->comm, "first", sizeof("first"));
    check("parts of process 1", task->mm && task->files && task->fs ? 0 : -ENOMEM);
    map_fixed(task->mm, GUEST_SCRATCH, GUEST_SCRATCH_SIZE, PROT_READ | PROT_WRITE);
    map_fixed(task->mm, GUEST_READ_ONLY, PAGE_SIZE, PROT_READ);
    map_fixed(task->mm, GUEST_STACK, GUEST_STACK_SIZE, PROT_READ | PROT_WRITE);
    task->mm->brk_start = task->mm->brk = GUEST_HEAP;
    task->mm->mmap_top = GUEST_MAPS_END;
    return task;
}

void guest_boot(void) {
    const struct console_options no_console = {.tty = false};
    struct guest_start start = {.set_fs = false};
    char message[256];
    host_simulate();
    system_handles.job = (handle_t)keel_handle_create(OBJECT_JOB, 0, 0, 0);
    system_handles.info = (handle_t)keel_handle_create(OBJECT_RESOURCE, 0, (uint64_t)RESOURCE_INFO << 56, 0);
    system_handles.log = (handle_t)keel_handle_create(OBJECT_RESOURCE, 0, (uint64_t)RESOURCE_LOG << 56, 0);
    tasks_init(system_handles.job);
    vdso_start();
    check("console", console_start(&no_console));
    tty_register();
    check("file systems", fs_start(HANDLE_NONE, 0, message, sizeof(message)));
    check("devpts", tty_mount());
    struct task *task = first_task();
    host_thread_self()->child_program = first_program;
    check("thread of process 1", task_thread_take(task, &start));
    first_thread = task->thread_state;
    task_thread_start(task);
    host_run(UINT64_MAX);
}

bool guest_continue(uint64_t most, int32_t *status) {
    keel_thread_kick(first_thread->handle);
    host_run(most);
    *status = request.pid > 0 ? request.status : request.pid;
    return request.ended;
}

bool guest_execute(guest_program program, void *argument, uint64_t most, int32_t *status) {
    scratch_used = 0;
    request.program = program;
    request.argument = argument;
    request.ended = false;
    request.wanted = true;
    return guest_continue(most, status);
}

void guest_signal_all(int signo) {
    struct process *process;
    mutex_lock(&tasks_lock);
    list_for_each(process, &process_list, link) {
        if (process->pid > 1 && !process->zombie) {
            struct signal_info info = {.signo = signo, .code = SI_KERNEL};
            signal_send_process_locked(process, &info);
        }
    }
    mutex_unlock(&tasks_lock);
}

unsigned guest_processes(void) {
    struct process *process;
    unsigned count = 0;
    mutex_lock(&tasks_lock);
    list_for_each(process, &process_list, link) count++;
    mutex_unlock(&tasks_lock);
    return count;
}

void guest_describe(void) {
    struct process *process;
    struct task *task;
    mutex_lock(&tasks_lock);
    list_for_each(process, &process_list, link) {
        fprintf(stderr, "process %d: parent %d%s%s%s%s\n", process->pid,
                process->parent ? process->parent->pid : -1, process->zombie ? " zombie" : "",
                process->exiting ? " exiting" : "", process->stopped ? " stopped" : "",
                process->stop_requested ? " stop requested" : "");
        list_for_each(task, &process->threads, thread_link)
            fprintf(stderr, "  task %d: state %c%s%s%s%s\n", task->tid, task->state,
                    task->dying ? " dying" : "", task->signal_pending ? " pending" : "",
                    task->stopping ? " stopping" : "", task->vfork_child ? " in vfork" : "");
    }
    mutex_unlock(&tasks_lock);
}
