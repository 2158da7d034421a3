/*
 * The end: the system is no longer to be trusted. Takes no lock, allocates nothing, stops the other CPUs, and
 * says on the debug port and the serial port what happened, with registers and the return addresses on the
 * stack.
 */
#include <stdarg.h>

#include "kernel/arch_cpu.h"
#include "kernel/log.h"
#include "kernel/thread.h"
#include "lib/base/format.h"

enum { DEBUG_PORT = 0xe9, SERIAL_PORT = 0x3f8, EXIT_PORT = 0xf4, PANIC_STATUS = 0x7d, TRACE_DEPTH = 24 };

static _Atomic uint32_t panicking;

static void panic_line(const char *format, ...) {
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_text_va(line, sizeof(line), format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < length && i < sizeof(line) - 1; i++) {
        port_out(DEBUG_PORT, 1, (uint8_t)line[i]);
        port_out(SERIAL_PORT, 1, (uint8_t)line[i]);
    }
}

/* Return addresses are whatever on the stack points into the kernel's text: the kernel keeps no frame
 * pointers. */
static void panic_trace(const uint64_t *stack) {
    extern char kernel_text[], kernel_text_end[];
    unsigned found = 0;

    panic_line("stack:");
    for (unsigned i = 0; i < 512 && found < TRACE_DEPTH; i++) {
        const uint64_t *at = stack + i;
        if (i && !((uint64_t)(uintptr_t)at & (PAGE_SIZE - 1)) && !(i & 511))
            break;
        if (*at >= (uint64_t)(uintptr_t)kernel_text && *at < (uint64_t)(uintptr_t)kernel_text_end) {
            panic_line(" %lx", *at);
            found++;
        }
    }
    panic_line("\n");
}

static _Noreturn void panic_end(void) {
    port_out(EXIT_PORT, 1, PANIC_STATUS);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static void panic_begin(void) {
    if (atomic_exchange(&panicking, 1))
        for (;;)
            __asm__ volatile("cli; hlt");
    cpu_interrupt_others(VECTOR_STOP);
}

_Noreturn void panic(const char *format, ...) {
    char text[160];
    va_list arguments;

    panic_begin();
    va_start(arguments, format);
    format_text_va(text, sizeof(text), format, arguments);
    va_end(arguments);
    panic_line("panic: %s (CPU %u)\n", text, cpu_self()->index);
    panic_trace(__builtin_frame_address(0));
    panic_end();
}

_Noreturn void panic_frame(const struct frame *frame, const char *what) {
    uint64_t cr2;
    __asm__("mov %%cr2, %0" : "=r"(cr2));

    panic_begin();
    panic_line("panic: %s, vector %lu error %lx cr2 %lx\n", what, frame->vector, frame->error, cr2);
    panic_line("rip %lx rsp %lx rflags %lx cs %lx\n", frame->rip, frame->rsp, frame->rflags, frame->cs);
    panic_line("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n", frame->rax, frame->rbx,
               frame->rcx, frame->rdx, frame->rsi, frame->rdi, frame->rbp);
    panic_line("r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx r15 %lx\n", frame->r8, frame->r9,
               frame->r10, frame->r11, frame->r12, frame->r13, frame->r14, frame->r15);
    if (frame->rsp >= DIRECT_MAP_BASE)
        panic_trace((const uint64_t *)(uintptr_t)(frame->rsp & ~7UL));
    panic_end();
}
