/*
 * How long interrupts stay off, whatever user space does: each scenario asks the kernel for as much work as
 * it can in a call, a fault, a death or a moment, and the debug kernel tells the longest stretch. Run on one
 * CPU with -icount shift=0, where ticks are instructions; more than LIMIT in any is a failure.
 *
 * Arguments: --megabytes=N in the processes of the job that is killed, --processes=N of them.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi/debug.h"
#include "abi/ipc.h"
#include "lib/native/ipc.h"
#include "lib/native/keel.h"

enum { LIMIT = 20000, LATE_LIMIT = 4000000, PAGE = 4096, MS = 1000000, MANY = 1000, CREATURE_BYTES = 64 };

#define RW     (MAP_READ | MAP_WRITE)
#define WINDOW 0x410000000000ULL
#define CODE   0x10000000ULL
#define UTCBS  0x20000000ULL

static unsigned failures;
static uint64_t megabytes = 1024, processes = 1000;
static handle_t debug, job, code;
static int64_t event, port;

static void check(const char *name, int line, bool good) {
    if (good)
        return;
    failures++;
    log_line("not ok %s: line %d", name, line);
}
#define CHECK(condition) check(__func__, __LINE__, condition)

/* ---- threads in other processes: CREATURE_BYTES of code each ---- */

extern const char bound_code[], bound_code_end[];
enum creature { WAITER, SLEEPER, CALLER, BAD_CALLER, FUTEX_WAITER };

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        ".globl bound_code, bound_code_end\n"
        "bound_code:\n"
        /* waits for a kick */
        "1: mov $-1, %rdi; mov $0x101d, %eax; syscall; jmp 1b\n"
        /* waits for a kick until the time in rdi, then for ever */
        ".balign 64\n"
        "mov $0x101d, %eax; syscall; mov $-1, %rdi; mov $0x101d, %eax; syscall; ud2\n"
        /* calls port 1 */
        ".balign 64\n"
        "1: mov $1, %edi; xor %esi, %esi; xor %ebx, %ebx; mov $0x1022, %eax; syscall\n"
        "mov $-1, %rdi; mov $0x101d, %eax; syscall; ud2\n"
        /* calls port 1 with a handle that it does not have */
        ".balign 64\n"
        "mov %gs:184, %rcx; movl $0x12345, 280(%rcx)\n"
        "1: mov $1, %edi; mov $0x1000000000000, %rsi; xor %ebx, %ebx; mov $0x1022, %eax; syscall\n"
        "mov $-1, %rdi; mov $0x101d, %eax; syscall; ud2\n"
        ".balign 64\n"
        /* waits for the word at rdi, which is 0, to change, and ends */
        "xor %esi, %esi; mov $-1, %rdx; mov $0x102f, %eax; syscall\n"
        "xor %edi, %edi; mov $0x1019, %eax; syscall; ud2\n"
        ".balign 64\n"
        "bound_code_end:\n"
        ".popsection\n");

static handle_t process_make(handle_t in, bool with_port) {
    handle_t list[1] = {with_port ? (handle_t)keel_handle_duplicate((uint64_t)port, RIGHT_ALL) : HANDLE_NONE};
    int64_t process = keel_process_create(in, keel_pointer(list), with_port);
    check(__func__, __LINE__,
          process > 0 && keel_space_map((uint64_t)process, CODE, code, 0, PAGE, MAP_READ | MAP_EXEC) == 0);
    return (handle_t)process;
}

static void creature_add(handle_t process, enum creature kind, uint64_t argument, uint64_t slot) {
    int64_t thread =
        keel_thread_create(process, CODE + kind * CREATURE_BYTES, 0, argument, UTCBS + slot * 0x2000);
    check(__func__, __LINE__, thread > 0);
    (void)keel_handle_close((uint64_t)thread);
}

/* Gives all others time to run until they wait. */
static void settle(void) {
    (void)keel_thread_wait(clock_now() + 50 * (uint64_t)MS);
}

static handle_t job_make(void) {
    int64_t made = keel_handle_create(OBJECT_JOB, job, 0, 0);
    check(__func__, __LINE__, made > 0);
    return (handle_t)made;
}

static void job_empty(handle_t of) {
    struct job_info info = {.objects = 1};
    for (unsigned tries = 0; tries < 10000 && info.objects + info.pages + info.threads; tries++) {
        (void)keel_object_info(of, keel_pointer(&info), sizeof info);
        (void)keel_thread_wait(clock_now() + MS);
    }
    CHECK(info.objects + info.pages + info.threads == 0);
    CHECK(keel_handle_close(of) == 0);
}

/* ---- the real-time task: how late it is when its time has come ---- */

enum { TASK_PERIOD = MS, TASK_BUDGET = MS / 10, TASK_SLOT = 4 * MANY };
static char task_stack[PAGE] __attribute__((aligned(16)));
static volatile uint64_t task_latest; /* ns */

static void task(uint64_t unused) {
    (void)unused;
    for (uint64_t next = clock_now() + TASK_PERIOD;; next += TASK_PERIOD) {
        (void)keel_thread_wait(next);
        uint64_t late = clock_now() - next;
        if (late > task_latest)
            task_latest = late;
        while (next < clock_now())
            next += TASK_PERIOD;
    }
}

static void task_start(void) {
    int64_t thread =
        keel_thread_create(0, keel_pointer((void *)task), keel_pointer(task_stack + sizeof task_stack - 8), 0,
                           UTCBS + TASK_SLOT * 0x2000);
    CHECK(thread > 0);
    CHECK(keel_thread_realtime(handle_find("realtime"), (uint64_t)thread, TASK_BUDGET, TASK_PERIOD) == 0);
}

/* ---- scenarios: prepare, measured, clean up ---- */

/* The release kernel does not know its longest stretch. */
static void stretch_control(uint64_t what, uint64_t argument) {
    int64_t result = keel_debug_control(debug, what, argument);
    CHECK(result == 0 || result == -ENOSYS);
}

static void measure(void) {
    task_latest = 0;
    stretch_control(DEBUG_STRETCH_RESET, 0);
}

static void report(const char *name) {
    struct debug_stretch stretch = {0};
    stretch_control(DEBUG_STRETCH, keel_pointer(&stretch));
    log_line("stretch %-20s %7lu instructions, vector %lu call %lx from %lx to %lx; task late by %lu", name,
             (unsigned long)stretch.ticks, (unsigned long)stretch.vector, (unsigned long)stretch.call,
             (unsigned long)stretch.from, (unsigned long)stretch.to, (unsigned long)task_latest);
    check(name, __LINE__, stretch.ticks <= LIMIT);
    check(name, __LINE__, task_latest <= LATE_LIMIT);
}

/* A thousand processes with a gigabyte. */
static void job_killed(void) {
    handle_t doomed = job_make();
    uint64_t each = megabytes * (1 << 20) / processes & -(uint64_t)PAGE;
    for (uint64_t i = 0; i < processes; i++) {
        handle_t process = process_make(doomed, false);
        CHECK(keel_space_map(process, WINDOW, 0, 0, each, RW | MAP_COPY) == 0);
        creature_add(process, WAITER, 0, 0);
        /* The memory is the job's own: written through a Vmo that only the process maps. */
        int64_t vmo = keel_vmo_create(each, 0);
        CHECK(keel_space_map(process, WINDOW, (uint64_t)vmo, 0, each, RW) == 0);
        for (uint64_t at = 0; at < each; at += PAGE)
            CHECK(keel_vmo_write((uint64_t)vmo, at, keel_pointer(&at), 8) == 8);
        (void)keel_handle_close((uint64_t)vmo);
        (void)keel_handle_close(process);
    }
    settle();
    measure();
    CHECK(keel_task_kill(doomed, 9) == 0);
    job_empty(doomed);
    report(__func__);
}

static void process_of_many_threads(void) {
    handle_t doomed = job_make(), process = process_make(doomed, false);
    for (uint64_t i = 0; i < MANY; i++)
        creature_add(process, WAITER, 0, i);
    settle();
    measure();
    CHECK(keel_task_kill(process, 9) == 0);
    (void)keel_handle_close(process);
    job_empty(doomed);
    report(__func__);
}

static void many_handles(void) {
    enum { HANDLES = 20000 };
    handle_t doomed = job_make(), list[64];
    uint64_t left = HANDLES;
    static handle_t all[HANDLES];
    for (unsigned i = 0; i < HANDLES; i++)
        all[i] = (handle_t)keel_handle_create(i % 2 ? OBJECT_TIMER : OBJECT_PORT, i % 2 ? 0 : 8, 0, 0);
    measure();
    int64_t holders[HANDLES / 64 + 1];
    unsigned made = 0;
    for (; left > 0; left -= left < 64 ? left : 64) {
        uint64_t count = left < 64 ? left : 64;
        memcpy(list, all + left - count, count * sizeof list[0]);
        holders[made] = keel_process_create(doomed, keel_pointer(list), count);
        CHECK(holders[made] > 0);
        made++;
    }
    CHECK(keel_task_kill(doomed, 1) == 0);
    while (made > 0)
        (void)keel_handle_close((uint64_t)holders[--made]);
    job_empty(doomed);
    report(__func__);
}

static void alarms_at_once(void) {
    handle_t doomed = job_make(), process = process_make(doomed, false);
    static int64_t timers[MANY];
    uint64_t due = clock_now() + 400 * (uint64_t)MS;
    for (unsigned i = 0; i < MANY; i++) {
        creature_add(process, SLEEPER, due, i);
        timers[i] = keel_handle_create(OBJECT_TIMER, 0, 0, 0);
        CHECK(keel_object_bind((uint64_t)timers[i], (uint64_t)port, i) == 0);
        CHECK(keel_timer_set((uint64_t)timers[i], due, 0) == 0);
    }
    CHECK(clock_now() < due);
    measure();
    (void)keel_thread_wait(due + 100 * (uint64_t)MS);
    report(__func__);
    for (unsigned i = 0; i < MANY; i++)
        (void)keel_handle_close((uint64_t)timers[i]);
    CHECK(keel_task_kill(process, 9) == 0);
    (void)keel_handle_close(process);
    job_empty(doomed);
}

static void callers_with_bad_messages(void) {
    handle_t doomed = job_make();
    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    handle_t process = process_make(doomed, true);
    struct ipc_message message;
    for (uint64_t i = 0; i < MANY; i++)
        creature_add(process, BAD_CALLER, 0, i);
    settle();
    settle();
    measure();
    (void)ipc_receive((handle_t)port, 0, 0, &message);
    report(__func__);
    measure();
    CHECK(keel_task_kill(process, 9) == 0);
    (void)keel_handle_close(process);
    job_empty(doomed);
    report("callers_killed");
    (void)keel_handle_close((uint64_t)port);
}

static void large_copies(void) {
    static char buffer[256 << 10];
    measure();
    int64_t vmo = keel_vmo_create(sizeof buffer, 0);
    CHECK(keel_vmo_write((uint64_t)vmo, 0, keel_pointer(buffer), sizeof buffer) == sizeof buffer);
    CHECK(keel_vmo_read((uint64_t)vmo, 0, keel_pointer(buffer), sizeof buffer) == sizeof buffer);
    /* Every page shared: copied once more when it is written. */
    int64_t copy = keel_vmo_snapshot((uint64_t)vmo);
    CHECK(keel_vmo_write((uint64_t)vmo, 1, keel_pointer(buffer), sizeof buffer - 1) == sizeof buffer - 1);
    (void)keel_handle_close((uint64_t)copy);
    (void)keel_handle_close((uint64_t)vmo);
    report(__func__);
}

static void pinned_memory(void) {
    measure();
    int64_t vmo = keel_vmo_create(16 << 20, VMO_PINNED);
    CHECK(vmo > 0);
    (void)keel_handle_close((uint64_t)vmo);
    report(__func__);
    measure();
    vmo = keel_dma_create(handle_find("dma"), 16 << 20, 0);
    CHECK(vmo > 0);
    (void)keel_handle_close((uint64_t)vmo);
    report("dma_memory");
}

static void large_mapping(void) {
    enum { BYTES = 64 << 20 };
    CHECK(keel_space_map(0, WINDOW, 0, 0, BYTES, RW) == 0);
    measure();
    uint64_t before = __builtin_ia32_rdtsc();
    for (uint64_t at = 0; at < BYTES; at += PAGE)
        *(volatile char *)(WINDOW + at) = 1;
    log_line("a page filled in order: %lu ticks",
             (unsigned long)((__builtin_ia32_rdtsc() - before) / (BYTES / PAGE)));
    report("faults");
    measure();
    CHECK(keel_space_protect(0, WINDOW, BYTES, MAP_READ) == 0);
    report("protect");
    measure();
    CHECK(keel_space_move(0, WINDOW, BYTES, WINDOW + 2 * (uint64_t)BYTES) == 0);
    report("move");
    for (uint64_t at = 0; at < BYTES; at += PAGE)
        (void)*(volatile char *)(WINDOW + 2 * (uint64_t)BYTES + at);
    measure();
    CHECK(keel_space_unmap(0, WINDOW, 0x100000000000ULL) == 0);
    settle();
    report("unmap");
}

static void discarded_and_resized(void) {
    enum { BYTES = 64 << 20 };
    int64_t vmo = keel_vmo_create(BYTES, 0);
    CHECK(keel_space_map(0, WINDOW, (uint64_t)vmo, 0, BYTES, RW) == 0);
    for (uint64_t at = 0; at < BYTES; at += PAGE)
        *(volatile char *)(WINDOW + at) = 1;
    measure();
    CHECK(keel_vmo_discard((uint64_t)vmo, 0, BYTES / 2) == 0);
    report("discard");
    measure();
    CHECK(keel_vmo_resize((uint64_t)vmo, 100) == 0);
    report("resize");
    CHECK(keel_space_unmap(0, WINDOW, BYTES) == 0);
    (void)keel_handle_close((uint64_t)vmo);
}

/* One page at several addresses; each costs about 300 instructions more (docs/caveats.md). */
static void often_mapped(void) {
    enum { MAPPINGS = 45 };
    int64_t vmo = keel_vmo_create(PAGE, 0);
    for (uint64_t i = 0; i < MAPPINGS; i++) {
        CHECK(keel_space_map(0, WINDOW + i * 2 * PAGE, (uint64_t)vmo, 0, PAGE, RW) == 0);
        *(volatile char *)(WINDOW + i * 2 * PAGE) = 1;
    }
    measure();
    int64_t copy = keel_vmo_snapshot((uint64_t)vmo);
    CHECK(copy > 0);
    report("often_mapped snapshot");
    for (uint64_t i = 0; i < MAPPINGS; i++)
        (void)*(volatile char *)(WINDOW + i * 2 * PAGE);
    measure();
    *(volatile char *)WINDOW = 2;
    report("often_mapped write");
    for (uint64_t i = 0; i < MAPPINGS; i++)
        (void)*(volatile char *)(WINDOW + i * 2 * PAGE);
    measure();
    CHECK(keel_vmo_discard((uint64_t)vmo, 0, PAGE) == 0);
    report("often_mapped discard");
    measure();
    CHECK(keel_space_unmap(0, WINDOW, MAPPINGS * 2 * PAGE) == 0);
    report("often_mapped unmap");
    (void)keel_handle_close((uint64_t)copy);
    (void)keel_handle_close((uint64_t)vmo);
}

static void cloned(void) {
    handle_t in = job_make();
    int64_t space = keel_space_create(in);
    for (uint64_t i = 0; i < 4 * MANY; i++)
        CHECK(keel_space_map((uint64_t)space, CODE + i * 2 * PAGE, 0, 0, PAGE, RW | MAP_COPY) == 0);
    measure();
    int64_t copy = keel_space_clone((uint64_t)space, in);
    CHECK(copy > 0);
    report("clone");
    measure();
    CHECK(keel_space_unmap((uint64_t)copy, 0x10000, 0x300000000000) == 0);
    report("unmap of many");
    (void)keel_handle_close((uint64_t)copy);
    measure();
    (void)keel_handle_close((uint64_t)space);
    job_empty(in);
    report("space_destroyed");
}

static void futex_woken(void) {
    static uint32_t word;
    CHECK(keel_space_map(0, CODE, code, 0, PAGE, MAP_READ | MAP_EXEC) == 0);
    for (uint64_t i = 0; i < MANY; i++)
        creature_add(HANDLE_NONE, FUTEX_WAITER, keel_pointer(&word), i);
    settle();
    measure();
    int64_t woken, all = 0;
    while ((woken = keel_futex_wake(keel_pointer(&word), MANY)) > 0)
        all += woken;
    CHECK(all == MANY);
    settle();
    report(__func__);
}

static void many_calls(void) {
    static struct batch_entry calls[64];
    static char buffer[16 * PAGE];
    int64_t vmo = keel_vmo_create(sizeof buffer, 0);
    for (unsigned i = 0; i < 64; i++)
        calls[i] = (struct batch_entry){.rax = KEEL_CALL_vmo_write,
                                        .rdi = (uint64_t)vmo,
                                        .rdx = keel_pointer(buffer),
                                        .r10 = sizeof buffer};
    measure();
    CHECK(keel_batch(keel_pointer(calls), 64) > 0);
    report(__func__);
    (void)keel_handle_close((uint64_t)vmo);
}

static void log_lines(void) {
    static char text[1024];
    memset(text, '.', sizeof text);
    text[0] = '\n';
    text[sizeof text - 1] = '\n';
    measure();
    (void)keel_log_write(handle_find("log"), keel_pointer(text), sizeof text);
    report(__func__);
}

static uint64_t option(const char *text, const char *name, uint64_t otherwise) {
    size_t length = strlen(name);
    return strncmp(text, name, length) ? otherwise : strtoull(text + length, NULL, 0);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        megabytes = option(argv[i], "--megabytes=", megabytes);
        processes = option(argv[i], "--processes=", processes);
    }
    debug = handle_find("debug");
    job = handle_find("job");
    code = (handle_t)keel_vmo_create(PAGE, 0);
    CHECK(keel_vmo_write(code, 0, keel_pointer(bound_code), (uint64_t)(bound_code_end - bound_code)) > 0);
    port = keel_handle_create(OBJECT_PORT, 0, 0, 0);
    event = keel_handle_create(OBJECT_EVENT, 0, 0, 0);
    task_start();
    large_copies();
    pinned_memory();
    log_lines();
    futex_woken();
    many_calls();
    alarms_at_once();
    process_of_many_threads();
    many_handles();
    callers_with_bad_messages();
    large_mapping();
    discarded_and_resized();
    often_mapped();
    cloned();
    job_killed();
    if (!failures)
        log_line("ok bounds");
    log_line("%u failures", failures);
    return failures ? 1 : 0;
}
