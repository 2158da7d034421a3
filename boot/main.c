/*
 * Everything that happens once, in order: memory map, CPU, page tables, kernel, clocks, other CPUs, init, and
 * off to the kernel with struct boot_info (abi/boot_info.h). Runs identity mapped on one CPU with interrupts
 * off; every failure ends in boot_fail with what is wrong.
 */
#include "abi/boot_info.h"
#include "boot/acpi.h"
#include "boot/clock.h"
#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/io.h"
#include "boot/load.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "boot/pic.h"
#include "boot/smp.h"
#include "boot/source.h"
#include "boot/trap.h"

extern uint64_t boot_entry_tsc, boot_gdt[];
extern char boot_image[], boot_image_end[], boot_stack_end[];

_Noreturn void boot_enter_kernel(uint64_t entry, uint64_t info, uint64_t stack, uint64_t gdt);

static uint64_t high(const volatile void *pointer) {
    return direct_map((uint64_t)(uintptr_t)pointer);
}

static void describe_source(const struct boot_source *source) {
    boot_info.magic = BOOT_MAGIC;
    boot_info.entry_tsc = boot_entry_tsc;
    boot_info.archive = source->archive;
    boot_info.archive_length = source->archive_length;
    boot_info.command_line = (uint64_t)(uintptr_t)source->command_line;
    boot_info.command_line_length = source->command_line_length;
}

void boot_main(const struct boot_source *source) {
    trap_init();
    cpu_check();
    describe_source(source);
    memory_init(source, (uintptr_t)boot_image, (uintptr_t)boot_image_end);
    acpi_init(source->rsdp);
    pic_mask();

    struct cpu_control control = cpu_control_values();
    cpu_control_load(&control);
    paging_init();
    uint64_t gate = load_kernel() + PAGE_SIZE; /* an unmapped page between the two */
    paging_load();

    clock_calibrate();
    smp_start(&control, gate);
    load_init(source);
    boot_info.wall_ns = rtc_read();
    smp_finish();
    acpi_set_nodes();
    boot_enter_kernel(boot_info.kernel_entry, high(&boot_info), high(boot_stack_end), high(boot_gdt));
}
