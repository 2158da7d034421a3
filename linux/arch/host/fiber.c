/* See fiber.h. */
#include "linux/arch/host/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK_SIZE = 256 << 10 };

/* Present in programs that are built with the sanitizer. */
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size)
    __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *address, size_t size) __attribute__((weak));

static _Thread_local struct fiber *switched_from;

/* First thing on a stack after a switch. */
static void arrive(void *fake_stack) {
    if (__sanitizer_finish_switch_fiber)
        __sanitizer_finish_switch_fiber(fake_stack, &switched_from->bottom, &switched_from->size);
}

/* Pushes what a call must keep, leaves the stack pointer in *save and goes on where `to` was left. */
void fiber_stack_switch(void **save, void *to);
__asm__(".text\n"
        ".globl fiber_stack_switch\n"
        "fiber_stack_switch:\n"
        "push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "mov %rsp, (%rdi)\n"
        "mov %rsi, %rsp\n"
        "pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n"
        "ret\n");

static _Thread_local struct fiber *beginning;

static void fiber_main(void) {
    struct fiber *fiber = beginning;
    arrive(NULL);
    fiber->run(fiber->argument);
    abort();
}

void fiber_start(struct fiber *fiber, void (*run)(void *argument), void *argument) {
    if (!fiber->stack) {
        fiber->stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (fiber->stack == MAP_FAILED)
            abort();
    }
    if (__asan_unpoison_memory_region)
        __asan_unpoison_memory_region(fiber->stack, STACK_SIZE);
    fiber->bottom = fiber->stack;
    fiber->size = STACK_SIZE;
    fiber->fake_stack = NULL;
    fiber->run = run;
    fiber->argument = argument;
    /* As fiber_stack_switch leaves it: six registers, then where to return to; aligned as behind a call. */
    void **top = (void **)((char *)fiber->stack + STACK_SIZE) - 10;
    memset(top, 0, 10 * sizeof(*top));
    top[6] = (void *)fiber_main;
    fiber->rsp = top;
}

void fiber_switch(struct fiber *from, struct fiber *to) {
    if (__sanitizer_start_switch_fiber)
        __sanitizer_start_switch_fiber(&from->fake_stack, to->bottom, to->size);
    switched_from = from;
    beginning = to;
    fiber_stack_switch(&from->rsp, to->rsp);
    arrive(from->fake_stack);
}
