/*
 * See isolation.h. What user roots show of the kernel is made here, once: a copy of the code from
 * isolated_begin to isolated_end (kernel/arch/x86_64/entry.S), the kernel's interrupt table at a second
 * address, a copy of the segments, and a page for each processor. Jumps between that code and the kernel, and
 * those that make the kernel use it at all, are patch.c's.
 */
#include "boot/isolation.h"

#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/gates.h"
#include "boot/io.h"
#include "boot/load.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "kernel/arch/x86_64/vectors.h"
#include "lib/base/string.h"

extern uint64_t boot_gdt[], boot_gdt_end[];

/* As the processor wants it. */
struct task_state {
    uint32_t reserved0;
    uint64_t stacks[3];
    uint64_t reserved1;
    uint64_t fatal_stack, others[6];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

bool isolation_wanted(const struct boot_source *source) {
    if (source_has_word(source, "kpti=on"))
        return true;
    return !source_has_word(source, "kpti=off") && cpu_leaks_kernel();
}

static void *page_new(uint64_t address, enum page_flags flags) {
    void *page = (void *)memory_take(1, BOOT_RANGE_KERNEL);
    memset(page, 0, PAGE_SIZE);
    paging_map(address, (uint64_t)page, flags);
    return page;
}

/* The copy of the code, if there is one; offsets from here are as those into the kernel. */
static char *copy;

static bool is_isolated(uint32_t offset) {
    return copy && offset >= kernel_notes.isolated_begin && offset < kernel_notes.isolated_end;
}

void *isolated_place(uint32_t offset) {
    return is_isolated(offset) ? copy + offset : kernel_place(offset);
}

uint64_t isolated_address(uint32_t offset) {
    return is_isolated(offset) ? ISOLATED_BASE - kernel_notes.isolated_begin + offset
                               : kernel_address(offset);
}

static void code_copy(void) {
    uint32_t begin = kernel_notes.isolated_begin, length = kernel_notes.isolated_end - begin;
    if (length > PAGE_SIZE)
        boot_fail("the kernel's isolated code is longer than a page");
    char *page = page_new(ISOLATED_BASE, PAGE_EXECUTE);
    memcpy(page, kernel_place(begin), length);
    copy = page - begin;
    if (boot_info.has_pcid)
        *(uint64_t *)isolated_place(kernel_notes.isolated_mask) |= 1ULL << CR3_KEEP_BIT | 1U << TAG_USER_BIT;
}

static void cpu_page_make(uint32_t index) {
    uint64_t address = ISOLATED_CPUS + index * (uint64_t)PAGE_SIZE;
    struct task_state *state = page_new(address, PAGE_WRITE);

    state->stacks[0] = address + ISOLATED_ENTRY_STACK;
    state->fatal_stack = address + PAGE_SIZE;
    state->io_map = sizeof(*state);
}

void isolation_build(void) {
    code_copy();
    gates_fill(isolated_address(kernel_notes.exception_entry),
               isolated_address(kernel_notes.interrupt_stubs));
    paging_map(ISOLATED_INTERRUPTS, (uint64_t)kernel_place(kernel_notes.idt), 0);
    memcpy(page_new(ISOLATED_SEGMENTS, PAGE_WRITE), boot_gdt,
           (size_t)((char *)boot_gdt_end - (char *)boot_gdt));
    for (uint32_t i = 0; i < boot_info.cpu_count; i++)
        cpu_page_make(i);
    paging_share(ISOLATED_BASE);
    kernel_gates = (struct kernel_gates){
        .interrupts = ISOLATED_INTERRUPTS,
        .segments = ISOLATED_SEGMENTS,
        .syscall_entry = isolated_address(kernel_notes.isolated_syscall),
    };
}
