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

enum {
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_FMASK = 0xc0000084,
    MSR_GS_BASE = 0xc0000101,
    MSR_KERNEL_GS_BASE = 0xc0000102,
    /* Cleared on system calls: TF, IF, DF, NT, AC. */
    SYSCALL_FLAGS_MASK = 0x100 | 0x200 | 0x400 | 0x4000 | 0x40000,
};

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

/* Read-only where the processor reads it: gates are set through the direct map. */
static const struct gate idt[256] __attribute__((section(".bss.late"), aligned(16)));
uint32_t fpu_size;
bool cpu_has_smap;
bool cpu_has_xsaveopt;

extern char exception_entry[], interrupt_stubs[], syscall_entry[];

static void msr_write(uint32_t msr, uint64_t value) {
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static void gate_set(struct gate *gates, unsigned vector, const char *entry, unsigned ist, unsigned ring) {
    uint64_t address = (uint64_t)(uintptr_t)entry;
    gates[vector] = (struct gate){
        .offset_low = (uint16_t)address,
        .selector = KERNEL_CS,
        .ist = (uint8_t)ist,
        .type = (uint8_t)(0x8e | ring << 5),
        .offset_middle = (uint16_t)(address >> 16),
        .offset_high = (uint32_t)(address >> 32),
    };
}

static void idt_build(const struct boot_info *info) {
    extern char kernel_text[];
    struct gate *gates = phys_to_virt(info->kernel_physical + (uint64_t)((const char *)idt - kernel_text));

    for (unsigned i = 0; i < VECTOR_IRQ_FIRST; i++)
        gate_set(gates, i, exception_entry - STUB_BYTES * (i + 1), VECTORS_FATAL >> i & 1,
                 i == 3 || i == 4 ? 3 : 0);
    for (unsigned i = VECTOR_IRQ_FIRST; i < 256; i++) {
        unsigned stub = i < VECTOR_MESSAGE       ? i - VECTOR_IRQ_FIRST
                        : i < VECTOR_LOCAL_FIRST ? STUB_MESSAGE
                                                 : STUB_MESSAGE + 1 + (i & (LOCAL_STUBS - 1));
        gate_set(gates, i, interrupt_stubs + STUB_BYTES * stub, 0, 0);
    }
    gate_set(gates, VECTOR_INT80, interrupt_stubs + STUB_BYTES * STUB_INT80, 0, 3);
}

void cpu_detect(const struct boot_info *info) {
    cpu_has_smap = info->has_smap;
    cpu_has_xsaveopt = info->has_xsaveopt;
    fpu_size = info->fpu_size;
    idt_build(info);
}

static void segments_load(struct cpu *cpu) {
    uint64_t tss = (uint64_t)(uintptr_t)&cpu->tss;
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) gdtr = {sizeof(cpu->gdt) - 1, (uint64_t)(uintptr_t)cpu->gdt},
                              idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    cpu->gdt[KERNEL_CS / 8] = 0x00af9b000000ffffULL;
    cpu->gdt[KERNEL_SS / 8] = 0x00cf93000000ffffULL;
    cpu->gdt[USER_SS / 8] = 0x00cff3000000ffffULL;
    cpu->gdt[USER_CS / 8] = 0x00affb000000ffffULL;
    cpu->gdt[TSS_SELECTOR / 8] =
        (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;
    cpu->tss.io_map = sizeof(cpu->tss);
    __asm__ volatile("lgdt %0\n\t"
                     "lidt %1\n\t"
                     "push %2\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "mov %3, %%ss\n\t"
                     "mov %4, %%ds\n\t"
                     "mov %4, %%es\n\t"
                     "mov %4, %%fs\n\t"
                     "mov %4, %%gs\n\t"
                     "ltr %5"
                     :
                     : "m"(gdtr), "m"(idtr), "i"(KERNEL_CS), "r"(KERNEL_SS), "r"(0),
                       "r"((uint16_t)TSS_SELECTOR)
                     : "rax", "memory");
}

void cpu_setup(struct cpu *cpu) {
    cpu->tss.ist[0] = (uint64_t)(uintptr_t)(cpu->fatal_stack + sizeof(cpu->fatal_stack));
    segments_load(cpu);
    msr_write(MSR_GS_BASE, (uint64_t)(uintptr_t)cpu);
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_STAR, (uint64_t)(USER_SS - 8) << 48 | (uint64_t)KERNEL_CS << 32);
    msr_write(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_entry);
    msr_write(MSR_FMASK, SYSCALL_FLAGS_MASK);
    apic_setup();
}

/* ---- vector state, segment bases, guest mode ---- */

/* The state of a new thread: all components initial, the control words at their defaults. */
void fpu_init(void *area) {
    memset(area, 0, fpu_size);
    *(uint16_t *)area = 0x37f;
    *(uint32_t *)((char *)area + 24) = 0x1f80;
}

void thread_save(struct thread *thread) {
    struct cpu *cpu = cpu_self();
    uint64_t gs;

    fpu_save(thread->fpu);
    thread->fs_base = fs_base_read();
    __asm__ volatile("swapgs\n\t"
                     "rdgsbase %0\n\t"
                     "swapgs"
                     : "=r"(gs));
    thread->gs_base = gs;
    thread->resume_guest = cpu->guest;
    thread->resume_root = cpu->root;
    cpu->guest = NULL;
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

void thread_load(struct thread *thread) {
    struct cpu *cpu = cpu_self();
    struct utcb *guest = thread->resume_guest;

    thread->resume_guest = NULL; /* it may block again without thread_save: kernel/arch/x86_64/ipc.S */
    fpu_restore(thread->fpu);
    fs_base_write(thread->fs_base);
    __asm__ volatile("swapgs\n\t"
                     "wrgsbase %0\n\t"
                     "swapgs"
                     :
                     : "r"(thread->gs_base));
    /* A guest runs on the guest root, or in appliance isolation on the unified one: as it was interrupted. */
    spaces_enter(cpu, thread->process->space, thread->guest_space,
                 guest ? thread->resume_root : thread->unified_root);
    cpu->tss.frame_top = (uint64_t)(uintptr_t)(guest ? &thread->guest + 1 : &thread->native + 1);
    /* Before kick is looked at: see guest_enter in entry.S. */
    __atomic_store_n(&cpu->guest, guest, __ATOMIC_SEQ_CST);
}
