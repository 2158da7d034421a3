/*
 * The end: the system is no longer to be trusted. Takes no lock, allocates nothing; stops the other CPUs by
 * NMI and says on the debug port and the first serial port what happened: for each CPU the registers, the
 * return addresses on its stack and its last trace events. The launcher puts names to the addresses
 * (tools/launch/panic.py). Then it leaves QEMU, or halts or resets the machine, as the kernel's command line
 * says: panic=exit, halt or reboot.
 */
#include <stdarg.h>

#include "kernel/arch_cpu.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/text.h"
#include "kernel/thread.h"
#include "kernel/trace.h"
#include "lib/base/string.h"

enum {
    DEBUG_PORT = 0xe9,
    SERIAL_PORT = 0x3f8,
    EXIT_PORT = 0xf4,
    PANIC_STATUS = 0x7d,
    RESET_PORT = 0xcf9, /* ICH9 and PIIX3 reset control */
    RESET_FULL = 6,
    KEYBOARD_PORT = 0x64,
    KEYBOARD_RESET = 0xfe,
    STOP_SPINS = 1 << 20,
    LAST_EVENTS = 8,
    REGISTERS = 15, /* before the vector in struct frame */
};

extern char kernel_text[], kernel_text_end[];

static _Atomic uint32_t owner; /* 1 + index of the CPU whose panic it is */
static bool reporting;
static char message[128];

static void panic_print(const char *format, ...) {
    char text[160];
    va_list arguments;

    va_start(arguments, format);
    text_format(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (const char *at = text; *at; at++) {
        port_out(DEBUG_PORT, 1, (uint8_t)*at);
        port_out(SERIAL_PORT, 1, (uint8_t)*at);
    }
}

static _Noreturn void panic_halt(void) {
    for (;;)
        __asm__ volatile("cli; hlt");
}

static _Noreturn void panic_end(void) {
    static const struct { uint64_t words[2]; } no_idt;

    if (machine.panic_ending == 'r') {
        port_out(RESET_PORT, 1, RESET_FULL);
        port_out(KEYBOARD_PORT, 1, KEYBOARD_RESET);
        __asm__ volatile("lidt %0; int3" : : "m"(no_idt)); /* a triple fault resets as well */
    }
    if (machine.panic_ending != 'h')
        port_out(EXIT_PORT, 1, PANIC_STATUS);
    panic_halt();
}

/* ---- what a CPU was doing ---- */

/* The end of the CPU's stack that an address is in; 0 when it is in none. */
static uint64_t stack_end(const struct cpu *cpu, uint64_t address) {
    uint64_t fatal = cpu->tss.ist[0];
    if (address - (cpu->stack - KERNEL_STACK_BYTES) < KERNEL_STACK_BYTES)
        return cpu->stack;
    return address - (fatal - sizeof(cpu->fatal_stack)) < sizeof(cpu->fatal_stack) ? fatal : 0;
}

/* The CPU that a frame was stored by: gs may be anybody's. */
static struct cpu *frame_cpu(const struct frame *frame) {
    for (uint32_t i = 1; i < machine.cpu_count; i++)
        if (stack_end(machine.cpus[i], (uint64_t)(uintptr_t)frame))
            return machine.cpus[i];
    return machine.cpus[0];
}

/* Return addresses are whatever on the stack points into the kernel's text: the kernel keeps no frame
 * pointers. */
static void print_stack(const struct cpu *cpu, uint64_t at) {
    panic_print("\nstack:");
    for (uint64_t end = stack_end(cpu, at); at < end; at += sizeof(uint64_t)) {
        uint64_t word = *(const uint64_t *)(uintptr_t)at;
        if (word - (uint64_t)(uintptr_t)kernel_text < (uint64_t)(kernel_text_end - kernel_text))
            panic_print(" %lx", word);
    }
}

static void print_events(const struct trace_block *block) {
    uint64_t n = !block ? 0 : block->next < LAST_EVENTS ? block->next : LAST_EVENTS;
    for (; n; n--) {
        const struct trace_event *event = &block->events[(block->next - n) % TRACE_EVENTS];
        panic_print("\ntrace: %lu %u %u %x %lx %lx", event->time, event->kind, event->detail, event->thread,
                    event->a, event->b);
    }
}

static void print_cpu(const struct cpu *cpu, const struct frame *frame) {
    static const char names[REGISTERS][4] = {"r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10",
                                             "r9",  "r8",  "rax", "rcx", "rdx", "rsi", "rdi"};

    panic_print("CPU %u: thread %x vector %lu error %lx rip %lx cs %lx rflags %lx rsp %lx\n", cpu->index,
                trace_thread(cpu->thread), frame->vector, frame->error, frame->rip, frame->cs, frame->rflags,
                frame->rsp);
    for (unsigned i = 0; i < REGISTERS; i++)
        panic_print(" %s %lx", names[i], (&frame->r15)[i]);
    print_stack(cpu, frame->rsp & ~7UL);
    print_events(cpu->trace_block);
    panic_print("\n");
}

/* ---- stopping ---- */

/* Returns on the CPU whose panic it is; others wait here to be stopped. */
static void panic_claim(const struct cpu *cpu) {
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong(&owner, &none, cpu->index + 1) && none != cpu->index + 1)
        panic_halt();
}

void panic_stop(const struct frame *frame) {
    if (!owner)
        return;
    __atomic_store_n(&frame_cpu(frame)->stopped, frame, __ATOMIC_RELEASE);
    panic_halt();
}

_Noreturn void panic(const char *format, ...) {
    va_list arguments;

    panic_claim(cpu_self());
    va_start(arguments, format);
    text_format(message, sizeof(message), format, arguments);
    va_end(arguments);
    __builtin_trap(); /* to panic_frame, with all registers */
}

_Noreturn void panic_frame(const struct frame *frame, const char *what) {
    struct cpu *self = frame_cpu(frame);
    uint64_t cr2;
    __asm__("mov %%cr2, %0" : "=r"(cr2));

    panic_claim(self);
    if (reporting)
        panic_end();
    reporting = true;
    self->stopped = frame;
    panic_print("panic: %s (CPU %u, cr2 %lx", message[0] ? message : what, self->index, cr2);
    panic_print(", kernel at %lx)\n", (uint64_t)(uintptr_t)kernel_text);
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        if (machine.cpus[i] != self && machine.cpus[i]->switched_at)
            cpu_interrupt(machine.cpus[i], INTERRUPT_NMI);
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        for (unsigned spins = STOP_SPINS; machine.cpus[i]->switched_at && !machine.cpus[i]->stopped && spins;
             spins--)
            cpu_relax();
        if (machine.cpus[i]->stopped)
            print_cpu(machine.cpus[i], machine.cpus[i]->stopped);
    }
    panic_end();
}

/* A function found its stack overwritten (__stack_chk_fail in entry.S). */
_Noreturn void stack_smashed(void);
_Noreturn void stack_smashed(void) {
    panic("stack overwritten");
}
