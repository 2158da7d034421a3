/* The partner process: see kbench.h. */
#include "bench/kbench.h"

enum { STACK = 16384, PARTNER_JOB = 0, IRQ_CLOCK = 8 };
#define UTCB_AT 0x400400000000ULL

extern const char __ehdr_start[], etext[], _end[];

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
handle_t partner, threads[THREADS];

static uint64_t page_up(const char *address) {
    return (keel_pointer(address) + PAGE - 1) & -(uint64_t)PAGE;
}

void thread_start(unsigned slot, handle_t process, void (*entry)(uint64_t), uint64_t argument,
                  uint64_t level) {
    shared->gone[slot] = 0;
    threads[slot] = (handle_t)MUST(keel_thread_create(process, keel_pointer((void *)entry),
                                                      keel_pointer(stacks[slot] + STACK - 8), argument,
                                                      UTCB_AT + slot * 0x10000));
    MUST(keel_thread_set(threads[slot], 0, level));
}

_Noreturn void thread_leave(unsigned slot) {
    keel_thread_exit(keel_pointer(&shared->gone[slot]));
    for (;;)
        continue;
}

void thread_join(unsigned slot) {
    while (!shared->gone[slot])
        keel_thread_wait(clock_now() + MS);
    keel_handle_close(threads[slot]);
}

void partner_start(void (*entry)(uint64_t), uint64_t argument, uint64_t level) {
    shared->stop = false;
    shared->turns = shared->sum = 0;
    thread_start(0, partner, entry, argument, level);
    keel_thread_yield();
}

_Noreturn void partner_leave(void) {
    thread_leave(0);
}

void partner_join(void) {
    thread_join(0);
}

/* The process must not end with the thread of one operation. */
static void keeper(uint64_t unused) {
    (void)unused;
    for (;;)
        keel_thread_wait(DEADLINE_NEVER);
}

void partner_create(void) {
    uint64_t base = keel_pointer(__ehdr_start), length = page_up(_end) - base;
    uint64_t image = MUST(keel_vmo_create(length, 0)), page = MUST(keel_vmo_create(PAGE, 0));
    for (uint64_t at = 0, got; at < length; at += got)
        got = MUST(keel_vmo_write(image, at, base + at, length - at));
    uint64_t given[HIS_END];
    handle_t handles[HIS_END];
    given[HIS_PORT] = port;
    given[HIS_EVENT] = event;
    given[HIS_CLOCK] = handle_find("ioport.70");
    given[HIS_IRQ_PORT] = irq_port;
    uint64_t irq = MUST(keel_handle_create(OBJECT_INTERRUPT, handle_find("irq.8"), IRQ_CLOCK, 0));
    MUST(keel_object_bind(irq, irq_port, 0));
    given[HIS_IRQ] = irq;
    given[HIS_SECOND_PORT] = second_port;
    for (unsigned i = 1; i < HIS_END; i++)
        handles[i] = (handle_t)MUST(keel_handle_duplicate(given[i], RIGHT_ALL));
    partner = (handle_t)MUST(keel_process_create(PARTNER_JOB, keel_pointer(handles + 1), HIS_END - 1));
    MUST(keel_space_map(partner, base, image, 0, length, MAP_READ | MAP_WRITE));
    MUST(keel_space_map(partner, base, image, 0, page_up(etext) - base, MAP_READ | MAP_EXEC));
    MUST(keel_space_map(partner, SHARED_AT, page, 0, PAGE, MAP_READ | MAP_WRITE));
    MUST(keel_space_map(0, SHARED_AT, page, 0, PAGE, MAP_READ | MAP_WRITE));
    thread_start(KEEPER, partner, keeper, 0, LEVEL_MAIN);
}
