/* The state of a thread that lives in the CPU, and the page-table roots that a CPU runs on. */
#include "abi/errors.h"
#include "kernel/arch_cpu.h"
#include "kernel/process.h"
#include "kernel/space.h"
#include "kernel/thread.h"
#include "lib/base/string.h"
#include "switch.h"

/* The state of a new thread: all components initial, the control words at their defaults. */
void fpu_init(void *area) {
    memset(area, 0, machine.fpu_size);
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

void space_activate(struct cpu *cpu, struct thread *thread) {
    spaces_enter(cpu, thread->process->space, thread->guest_space, thread->unified_root);
}

void space_deactivate(struct cpu *cpu) {
    spaces_enter(cpu, NULL, NULL, machine.root);
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
