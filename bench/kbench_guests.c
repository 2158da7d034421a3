/* What leaves guest mode, and a native fault to its fix-up. */
#include "bench/kbench.h"

static handle_t guest_space;
static uint64_t guest_flags;

static uint64_t run_fixup(unsigned count) {
    if (count)
        bench_fixups(count);
    return 0;
}

static void guest_begin(void (*entry)(void), uint64_t flags) {
    uint64_t code = keel_pointer((void *)entry), page = code & -(uint64_t)PAGE, at = 0x400000;
    uint64_t copy = MUST(keel_vmo_create(2 * PAGE, 0));
    MUST(keel_vmo_write(copy, 0, page, 2 * PAGE));
    guest_space = (handle_t)MUST(keel_space_create(0));
    MUST(keel_space_map(guest_space, at, copy, 0, 2 * PAGE, MAP_READ | MAP_EXEC));
    MUST(keel_handle_close(copy));
    MUST(keel_guest_attach(guest_space));
    for (unsigned i = 0; i < UTCB_ANSWERS; i++)
        utcb_own()->answers[i] = ANSWER_NONE;
    utcb_own()->guest = (struct guest_registers){.rip = at + code - page};
    guest_flags = flags;
}

static void begin_guest_call(void) {
    guest_begin(bench_guest_call, 0);
}

static void begin_guest_call_unified(void) {
    guest_begin(bench_guest_call, GUEST_UNIFIED);
}

static void begin_guest_fault(void) {
    guest_begin(bench_guest_fault, GUEST_FULL);
}

static void begin_guest_fault_unified(void) {
    guest_begin(bench_guest_fault, GUEST_FULL | GUEST_UNIFIED);
}

static uint64_t run_guest(unsigned count) {
    if (count)
        check(bench_guest(count, guest_flags) == (guest_flags & GUEST_FULL ? GUEST_FAULT : GUEST_SYSCALL),
              "the guest's exit");
    return 0;
}

static void end_guest(void) {
    MUST(keel_guest_attach(0));
    MUST(keel_handle_close(guest_space));
}

const struct operation guests_operations[] = {
    {"guest_call", 500, begin_guest_call, run_guest, end_guest},
    {"guest_call_unified", 500, begin_guest_call_unified, run_guest, end_guest},
    {"guest_fault", 500, begin_guest_fault, run_guest, end_guest},
    {"guest_fault_unified", 500, begin_guest_fault_unified, run_guest, end_guest},
    {"native_fixup", 500, nothing, run_fixup, nothing},
    {0},
};
