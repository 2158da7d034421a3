/*
 * Setting up a CPU: segments, the TSS, the interrupt table (one for all), system call entry, the local APIC
 * and its timer; what features there are; and the vector state of threads.
 */
#include "abi/errors.h"
#include "apic.h"
#include "kernel/arch_cpu.h"
#include "kernel/process.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include "lib/base/string.h"
#include "switch.h"

enum { MSR_LSTAR = 0xc0000082, MSR_GS_BASE = 0xc0000101 };

/* Filled by the boot path (boot/gates.c), which finds it through the words before kernel_entry. */
const struct { uint64_t words[2]; } idt[256] __attribute__((section(".bss.late"), aligned(16)));
uint32_t fpu_size;
bool cpu_has_smap;
bool cpu_has_xsaveopt;

extern char syscall_entry[];

static void msr_write(uint32_t msr, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

void cpu_detect(const struct boot_info *info) {
    cpu_has_smap = info->has_smap;
    cpu_has_xsaveopt = info->has_xsaveopt;
    fpu_size = info->fpu_size;
}

struct table {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* All CPUs use the boot path's segments; behind them each has a place for its TSS. */
static void tables_load(struct cpu *cpu) {
    uint64_t tss = (uint64_t)(uintptr_t)&cpu->tss;
    struct table gdtr, idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};
    unsigned selector = TSS_SELECTOR + TSS_DESCRIPTOR * cpu->index;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    uint64_t *descriptor = (uint64_t *)(uintptr_t)(gdtr.base + selector);
    descriptor[0] =
        (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xff) << 56;
    descriptor[1] = tss >> 32;
    cpu->tss.io_map = sizeof(cpu->tss);
    __asm__ volatile("lidt %0\n\t"
                     "ltr %w1"
                     :
                     : "m"(idtr), "r"(selector)
                     : "memory");
}

void cpu_setup(struct cpu *cpu) {
    cpu->tss.ist[0] = (uint64_t)(uintptr_t)(cpu->fatal_stack + sizeof(cpu->fatal_stack));
    tables_load(cpu);
    msr_write(MSR_GS_BASE, (uint64_t)(uintptr_t)cpu);
    msr_write(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_entry);
    apic_setup();
}

/* ---- vector state, segment bases, guest mode ---- */

/* The state of a new thread: all components initial, the control words at their defaults. */
void fpu_init(void *area) {
    memset(area, 0, fpu_size);
    *(uint16_t *)area = 0x37f;
    *(uint32_t *)((char *)area + 24) = 0x1f80;
}

void thread_save(struct cpu *cpu, struct thread *thread) {
    uint64_t gs;

    fpu_save(thread->fpu);
    thread->fs_base = fs_base_read();
    __asm__ volatile("swapgs\n\t"
                     "rdgsbase %0\n\t"
                     "swapgs"
                     : "=r"(gs));
    thread->gs_base = gs;
    if (cpu->guest) {
        thread->resume_guest = cpu->guest;
        thread->resume_root = cpu->root;
        cpu->guest = NULL;
    }
}

void tlb_flush_all(uint64_t root) {
    __asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

/* Bits are set before a root is loaded and cleared after it was left, so that no shoot-down misses this CPU.
 */
static void spaces_enter(struct cpu *cpu, struct space *native, struct space *guest, uint64_t root) {
    struct space *native_before = cpu->native_space, *guest_before = cpu->guest_space;
    if (native != native_before && native)
        atomic_fetch_or(&native->active_cpus, cpu->bit);
    if (guest != guest_before && guest)
        atomic_fetch_or(&guest->active_cpus, cpu->bit);
    if (cpu->root != root)
        cpu_load_root(cpu, root);
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

void space_activate(struct cpu *cpu, struct thread *thread) {
    spaces_enter(cpu, thread->process->space, thread->guest_space, thread->unified_root);
}

void space_deactivate(struct cpu *cpu) {
    spaces_enter(cpu, NULL, NULL, kernel_root);
}

void thread_load(struct cpu *cpu, struct thread *thread) {
    struct utcb *guest = thread->resume_guest;
    struct frame *frame = &thread->native;
    uint64_t root = thread->unified_root;

    fpu_restore(thread->fpu);
    fs_base_write(thread->fs_base);
    __asm__ volatile("swapgs\n\t"
                     "wrgsbase %0\n\t"
                     "swapgs"
                     :
                     : "r"(thread->gs_base));
    /* A guest runs on the guest root, or in appliance isolation on the unified one: as it was interrupted. */
    if (guest) {
        thread->resume_guest = NULL;
        frame = &thread->guest;
        root = thread->resume_root;
        /* Before kick is looked at: see guest_enter in entry.S. */
        __atomic_store_n(&cpu->guest, guest, __ATOMIC_SEQ_CST);
    }
    spaces_enter(cpu, thread->process->space, thread->guest_space, root);
    cpu->tss.frame_top = (uint64_t)(uintptr_t)(frame + 1);
}
