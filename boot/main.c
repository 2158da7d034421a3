/*
 * Everything that happens once, in order: memory map, CPU, page tables, kernel, clocks, other CPUs, init, and
 * off to the kernel with struct boot_info (abi/boot_info.h). Runs identity mapped on one CPU with interrupts
 * off; every failure ends in boot_fail with what is wrong.
 */
#include "abi/boot_info.h"
#include "boot/acpi.h"
#include "boot/ioapic.h"
#include "boot/clock.h"
#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/frequency.h"
#include "boot/gates.h"
#include "boot/handover.h"
#include "boot/io.h"
#include "boot/isolation.h"
#include "boot/load.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "boot/patch.h"
#include "boot/pic.h"
#include "boot/protocol.h"
#include "boot/smp.h"
#include "boot/source.h"
#include "boot/trap.h"
#include "lib/base/string.h"

extern uint64_t boot_entry_tsc;
extern char boot_image[], boot_image_end[], boot_stack_end[];

/* From entry.S: eax and ebx at the entry. */
_Noreturn void boot_main(uint32_t protocol, uint64_t address);
_Noreturn void boot_enter_kernel(uint64_t entry, uint64_t info, uint64_t stack, uint64_t gdt, uint64_t idt);

static uint64_t high(const volatile void *pointer) {
    return direct_map((uint64_t)(uintptr_t)pointer);
}

static struct boot_source source;

static void read_source(uint32_t protocol, uint64_t address) {
    boot_lines_open();
    if (protocol == SOURCE_MULTIBOOT2 || protocol == SOURCE_EFI)
        boot_mark();
    if (protocol == SOURCE_MULTIBOOT2)
        multiboot_read(address, &source);
    else if (protocol == SOURCE_EFI)
        memcpy(&source, (const void *)address, sizeof(source));
    else
        pvh_read(address, &source);
}

static void describe_source(void) {
    boot_info.magic = BOOT_MAGIC;
    boot_info.entry_tsc = boot_entry_tsc;
    cpu_random_seed(source.seed);
    boot_info.canary = cpu_random() & ~0xffULL; /* a string does not reach beyond its first byte */
    boot_info.command_line = (uint64_t)(uintptr_t)source.command_line;
    boot_info.command_line_length = source.command_line_length;
    uint32_t letters;
    boot_info.panic_ending = source_option(&source, "panic=", &letters);
    source_option(&source, "sched=", &boot_info.sched_policy);
    boot_info.isolated = isolation_wanted(&source);
    boot_info.has_pcid =
        cpu_has_pcid() && !source_has_word(&source, "nopcid") && (!boot_info.isolated || cpu_has_invpcid());
    boot_info.has_invpcid = boot_info.has_pcid && cpu_has_invpcid();
    boot_info.idle_mwait = cpu_has_mwait() && !source_has_word(&source, "idle=hlt") &&
                           (!cpu_is_virtual() || source_has_word(&source, "idle=mwait"));
    boot_info.idle_hint = cpu_idle_hint();
    frequency_choose(&source);
    boot_info.framebuffer = source.framebuffer;
    if (source.framebuffer.address)
        boot_note("framebuffer of %u x %u pixels at 0x%lx", source.framebuffer.width,
                  source.framebuffer.height, source.framebuffer.address);
}

/* A root pointer that came as bytes gets a page that stays, for those who look for the tables later. */
static uint64_t rsdp_address(void) {
    if (source.rsdp || !source.rsdp_copied)
        return source.rsdp;
    uint64_t page = memory_take(1, BOOT_RANGE_FIRMWARE);
    memset((void *)page, 0, PAGE_SIZE);
    memcpy((void *)page, source.rsdp_copy, source.rsdp_copied);
    return page;
}

/* Room for what the first program gets; filled when all is known. */
static void take_copy(void) {
    boot_info.copy_length = sizeof(boot_info) + boot_info.command_line_length;
    boot_info.copy = memory_take((boot_info.copy_length + PAGE_SIZE - 1) / PAGE_SIZE, BOOT_RANGE_KERNEL);
}

static void fill_copy(void) {
    struct boot_info *copy = (struct boot_info *)boot_info.copy;
    memset(copy, 0, (boot_info.copy_length + PAGE_SIZE - 1) & -(uint64_t)PAGE_SIZE);
    memcpy(copy, &boot_info, sizeof(boot_info));
    memcpy(copy + 1, source.command_line, source.command_line_length);
    copy->canary = 0;
}

void boot_main(uint32_t protocol, uint64_t address) {
    trap_init();
    cpu_check();
    read_source(protocol, address);
    describe_source();
    memory_init(&source, (uintptr_t)boot_image, (uintptr_t)boot_image_end);
    load_archive(&source);
    acpi_init(rsdp_address());
    pic_mask();
    ioapic_prepare();

    struct cpu_control control = cpu_control_values(source_has_word(&source, "rdpmc"));
    cpu_control_load(&control);
    boot_info.fpu_size = cpu_vector_bytes();
    frequency_set();
    bool random = !source_has_word(&source, "nokaslr");
    paging_init(random);
    uint64_t gate = load_kernel(random) + PAGE_SIZE; /* an unmapped page between the two */
    if (source_has_word(&source, "kaslr=show"))
        boot_note("kernel up to 0x%lx, direct map from 0x%lx", gate - PAGE_SIZE, direct_map(0));
    gates_init();
    if (boot_info.isolated)
        isolation_build();
    patches_write();
    paging_load();
    gates_syscall();

    clock_calibrate();
    smp_start(&control, gate);
    load_init();
    boot_info.wall_ns = rtc_read();
    smp_finish();
    frequency_report();
    take_copy();
    handover_take();
    acpi_set_nodes();
    handover_fill((uint64_t *)kernel_gates.segments);
    fill_copy();
    boot_enter_kernel(boot_info.kernel_entry, high(&boot_info), high(boot_stack_end), kernel_gates.segments,
                      kernel_gates.interrupts);
}
