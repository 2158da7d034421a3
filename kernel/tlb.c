/*
 * Which spaces a CPU runs, and TLB shoot-down. A CPU that changed page tables posts one request, marks it
 * pending at every other CPU that runs the space, interrupts them, and waits until all have answered. A CPU
 * that spins on a lock or waits for its own request answers meanwhile (tlb_shootdown_poll), so two
 * shoot-downs cannot wait for each other. CPUs that do not run the space need not know: kernel/tag.h.
 */
#include "kernel/arch_cpu.h"
#include "kernel/space.h"
#include "kernel/tag.h"

enum { FLUSH_PAGES_MAX = 32 };

static __attribute__((noinline)) void root_enter(struct cpu *cpu, uint64_t root, const struct space *native,
                                                 const struct space *guest) {
    root_load(root & TAG_FIRST ? tag_enter(cpu, root, native, guest) : root);
}

/* Bits are set before a root is loaded and cleared after it was left, so that no shoot-down misses this CPU.
 */
void spaces_enter(struct cpu *cpu, struct space *native, struct space *guest, uint64_t root) {
    struct space *native_before = cpu->native_space, *guest_before = cpu->guest_space;
    if (native != native_before && native)
        atomic_fetch_or(&native->active_cpus, cpu->bit);
    if (guest != guest_before && guest)
        atomic_fetch_or(&guest->active_cpus, cpu->bit);
    if (cpu->root != root) {
        cpu->root = root;
        cpu->counters.page_table_switches++;
        root_enter(cpu, root, native, guest);
    }
    if (native != native_before) {
        cpu->native_space = native;
        if (native_before)
            atomic_fetch_and(&native_before->active_cpus, ~cpu->bit);
    }
    if (guest != guest_before) {
        cpu->guest_space = guest;
        if (guest_before)
            atomic_fetch_and(&guest_before->active_cpus, ~cpu->bit);
    }
}

static void pages_flush(uint64_t tag, const struct tlb_request *request) {
    for (uint64_t at = request->start; at < request->end; at += PAGE_SIZE)
        tag_flush(FLUSH_PAGE, tag, at);
}

static void user_pages_flush(uint64_t root, const struct tlb_request *request) {
    if (machine.isolated)
        pages_flush(TAG_USER | tag_number(root), request);
}

/* Whether what the CPU caches of a root's was good before a request; it is again once that has been done. */
static bool tag_renew(struct cpu *cpu, uint64_t root, const struct tlb_request *request) {
    unsigned tag = tag_index(root);
    if (cpu->stamps[tag] != request->before)
        return false;
    cpu->stamps[tag] = request->after;
    return true;
}

/* With a few pages flushed of the loaded root's tag. A guest space's other root stays good, too, where that
 * is possible. */
static void tags_renew(struct cpu *cpu, const struct tlb_request *request) {
    uint64_t other = cpu->root ^ request->space->root ^ request->space->unified_root;

    user_pages_flush(cpu->root, request);
    if (!tag_renew(cpu, cpu->root, request) || !machine.has_invpcid || !tag_renew(cpu, other, request))
        return;
    pages_flush(tag_number(other), request);
    user_pages_flush(other, request);
}

/* Does what a request asks for on this CPU. */
static void tlb_flush(struct cpu *cpu, const struct tlb_request *request) {
    uint64_t at = request->start, end = request->end;

    if (end - at > FLUSH_PAGES_MAX * PAGE_SIZE) {
        root_enter(cpu, cpu->root, cpu->native_space, cpu->guest_space);
        return;
    }
    for (; at < end; at += PAGE_SIZE)
        tlb_flush_page(at);
    if (machine.tag_bits)
        tags_renew(cpu, request);
}

void tlb_shootdown_poll(void) {
    struct cpu *cpu = cpu_self();
    if (!atomic_load_explicit(&cpu->tlb_pending, memory_order_relaxed))
        return;
    uint64_t pending = atomic_exchange(&cpu->tlb_pending, 0);
    for (; pending; pending &= pending - 1) {
        struct tlb_request *request = &machine.cpus[__builtin_ctzll(pending)]->tlb;
        bool loaded = request->space == cpu->native_space || request->space == cpu->guest_space;
        if (loaded && (!cpu->thread || !request->end))
            space_deactivate(cpu);
        else
            tlb_flush(cpu, request);
        atomic_fetch_and(&request->waiting, ~(1ULL << cpu->index));
    }
}

static void tlb_request_post(struct cpu *self, uint64_t targets) {
    atomic_store(&self->tlb.waiting, targets);
    for (uint64_t left = targets; left; left &= left - 1) {
        struct cpu *cpu = machine.cpus[__builtin_ctzll(left)];
        atomic_fetch_or(&cpu->tlb_pending, 1ULL << self->index);
        cpu_interrupt(cpu, VECTOR_TLB);
    }
}

uint64_t tlb_stamp(void) {
    return cpu_self()->stamp += BOOT_MAX_CPUS;
}

void tlb_shootdown(struct space *space, uint64_t start, uint64_t end) {
    struct cpu *self = cpu_self();
    struct tlb_request *request = &self->tlb;

    request->space = space;
    request->start = start;
    request->end = end;
    request->after = tlb_stamp();
    /* A CPU that is not counted yet must see the new entries and the stamp: they are stored before the count
     * is read. */
    request->before = atomic_exchange(&space->stamp, request->after);
    uint64_t active = atomic_load(&space->active_cpus);

    if (active >> self->index & 1) {
        if (end)
            tlb_flush(self, request);
        else
            space_deactivate(self);
    }
    active &= ~(1ULL << self->index);
    if (!active)
        return;
    tlb_request_post(self, active);
    while (atomic_load(&request->waiting)) {
        tlb_shootdown_poll();
        cpu_relax();
    }
}
