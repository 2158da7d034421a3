/*
 * TLB shoot-down. A CPU that changed page tables posts one request, marks it pending at every other CPU that
 * runs the space, interrupts them, and waits until all have answered. A CPU that spins on a lock or waits for
 * its own request answers meanwhile (tlb_shootdown_poll), so two shoot-downs cannot wait for each other.
 */
#include "kernel/arch_cpu.h"
#include "kernel/space.h"

enum { FLUSH_PAGES_MAX = 32 };

static void tlb_flush(struct cpu *cpu, uint64_t start, uint64_t end) {
    if (end - start > FLUSH_PAGES_MAX * PAGE_SIZE) {
        tlb_flush_all(cpu->root);
        return;
    }
    for (uint64_t at = start; at < end; at += PAGE_SIZE)
        tlb_flush_page(at);
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
            tlb_flush(cpu, request->start, request->end);
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

void tlb_shootdown(struct space *space, uint64_t start, uint64_t end) {
    struct cpu *self = cpu_self();
    /* A CPU that is not counted yet must see the new entries: they are stored before the count is read. */
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t active = atomic_load(&space->active_cpus);

    if (active >> self->index & 1) {
        if (end)
            tlb_flush(self, start, end);
        else
            space_deactivate(self);
    }
    active &= ~(1ULL << self->index);
    if (!active)
        return;
    self->tlb.space = space;
    self->tlb.start = start;
    self->tlb.end = end;
    tlb_request_post(self, active);
    while (atomic_load(&self->tlb.waiting)) {
        tlb_shootdown_poll();
        cpu_relax();
    }
}
