/*
 * See smp.h. Each processor takes a ticket when it starts: its number is its stack. When all have come, or
 * time is up, the boot CPU closes the ticket counter, so that a processor that comes later stops there; those
 * with a ticket are waited for until they stand in the waiting loop, because from then on they need nothing
 * below the kernel's half.
 */
#include "boot/smp.h"

#include <stdbool.h>
#include <stddef.h>

#include "boot/console.h"
#include "boot/frequency.h"
#include "boot/gates.h"
#include "boot/io.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "boot/trap.h"
#include "lib/base/string.h"

enum { LAPIC_COMMAND = 0x300, LAPIC_TARGET = 0x310, COMMAND_INIT = 0x4500, COMMAND_STARTUP = 0x4600 };
enum { COMMAND_PENDING = 1 << 12, COMMAND_POLLS = 100000 };
enum { TICKETS_CLOSED = 0x40000000, APIC_IDS = 256 };
enum { INIT_WAIT_US = 10000, STARTUP_WAIT_US = 1000, ARRIVAL_WAIT_US = 1000000 };

/* trampoline.S knows these offsets. */
struct parameters {
    _Atomic uint32_t tickets;
    uint32_t ticket_limit;
    uint32_t start32, start32_selector; /* far pointers */
    uint32_t start64, start64_selector;
    uint8_t pad0[6];
    uint16_t gdt_limit;
    uint64_t gdt; /* identity mapped */
    uint8_t pad1[6];
    uint16_t high_gdt_limit;
    uint64_t high_gdt; /* in the direct map, like all that follow */
    uint64_t cr3;
    uint64_t prepare; /* cpu_prepare, identity mapped */
    uint64_t gate;    /* virtual address of the waiting loop */
    uint64_t stacks;
    uint64_t arrived;
    uint64_t index;
    uint64_t release;
    uint64_t info;
    uint64_t kernel_entry;
    uint8_t pad2[6];
    uint16_t idt_limit;
    uint64_t idt;
};
_Static_assert(offsetof(struct parameters, gdt_limit) == 30, "trampoline.S");
_Static_assert(offsetof(struct parameters, high_gdt_limit) == 46, "trampoline.S");
_Static_assert(offsetof(struct parameters, cr3) == 56, "trampoline.S");
_Static_assert(offsetof(struct parameters, prepare) == 64, "trampoline.S");
_Static_assert(offsetof(struct parameters, kernel_entry) == 120, "trampoline.S");
_Static_assert(offsetof(struct parameters, idt_limit) == 134 && sizeof(struct parameters) == 144,
               "trampoline.S");

extern const char trampoline_start[], trampoline_start32[], trampoline_start64[], trampoline_wait[];
extern uint64_t boot_gdt[], boot_gdt_end[];
extern const char trampoline_gdt[], trampoline_parameters[], trampoline_end[];

/* By APIC id; read and written by the processors through the direct map. */
static volatile uint8_t arrived[APIC_IDS];
static uint8_t cpu_index[APIC_IDS];
static uint64_t trampoline; /* physical address of its page; 0: no processor was started */
static const struct cpu_control *control;

static struct parameters *parameters(void) {
    return (struct parameters *)(trampoline + (uint64_t)(trampoline_parameters - trampoline_start));
}

static uint32_t offset_of(const char *label) {
    return (uint32_t)(label - trampoline_start);
}
static uint64_t high(const volatile void *pointer) {
    return direct_map((uint64_t)(uintptr_t)pointer);
}

/* On each processor, in long mode and identity mapped, before it says that it has come. */
static void cpu_prepare(void) {
    trap_load();
    cpu_control_load(control);
    gates_syscall();
    frequency_set();
}

/* Copies the trampoline to its page and fills in what it needs to know. */
static void trampoline_prepare(uint64_t gate) {
    uint32_t others = boot_info.cpu_count - 1;

    memcpy((void *)trampoline, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    struct parameters *to = parameters();
    to->ticket_limit = others;
    to->start32 = (uint32_t)trampoline + offset_of(trampoline_start32);
    to->start64 = (uint32_t)trampoline + offset_of(trampoline_start64);
    to->gdt = trampoline + offset_of(trampoline_gdt);
    to->high_gdt = kernel_gates.segments;
    to->high_gdt_limit = (uint16_t)((char *)boot_gdt_end - (char *)boot_gdt - 1);
    to->cr3 = boot_info.page_table;
    to->prepare = (uintptr_t)cpu_prepare;
    to->gate = gate + offset_of(trampoline_wait);
    to->stacks = direct_map(memory_take(others, BOOT_RANGE_BOOT));
    to->arrived = high(arrived);
    to->index = high(cpu_index);
    to->release = high(&boot_info.release);
    to->info = high(&boot_info);
    to->kernel_entry = boot_info.kernel_entry;
    to->idt_limit = INTERRUPTS_LIMIT;
    to->idt = kernel_gates.interrupts;
}

static void wait_us(uint64_t us) {
    uint64_t start = read_tsc(), ticks = boot_info.tsc_hz / 1000000 * us;
    while (read_tsc() - start < ticks)
        cpu_pause();
}

static void send_command(uint32_t apic_id, uint32_t command) {
    volatile uint32_t *low = (volatile uint32_t *)(boot_info.lapic + LAPIC_COMMAND);
    *(volatile uint32_t *)(boot_info.lapic + LAPIC_TARGET) = apic_id << 24;
    *low = command;
    for (int i = 0; i < COMMAND_POLLS && *low & COMMAND_PENDING; i++)
        cpu_pause();
}

static void send_all(uint32_t command) {
    for (uint32_t i = 1; i < boot_info.cpu_count; i++)
        if (!arrived[boot_info.cpus[i].apic_id])
            send_command(boot_info.cpus[i].apic_id, command);
}

static uint32_t startup_command(void) {
    return COMMAND_STARTUP | (uint32_t)(trampoline / PAGE_SIZE);
}

void smp_start(const struct cpu_control *values, uint64_t gate) {
    if (boot_info.cpu_count == 1 || !boot_info.lapic)
        return;
    trampoline = memory_take_low(BOOT_RANGE_KERNEL);
    if (!trampoline) {
        boot_note("no memory below 640 KB: the other CPUs stay off");
        return;
    }
    control = values;
    trampoline_prepare(gate);
    paging_map(gate, trampoline, PAGE_EXECUTE);
    send_all(COMMAND_INIT);
    if (!cpu_is_virtual())
        wait_us(INIT_WAIT_US);
    send_all(startup_command());
}

/* Waits until as many have arrived; false when the time is up. */
static bool wait_arrived(uint32_t wanted, uint64_t us) {
    uint64_t start = read_tsc(), ticks = boot_info.tsc_hz / 1000000 * us;
    for (;;) {
        uint32_t count = 0;
        for (uint32_t i = 1; i < boot_info.cpu_count; i++)
            count += arrived[boot_info.cpus[i].apic_id];
        if (count >= wanted)
            return true;
        if (read_tsc() - start > ticks)
            return false;
        cpu_pause();
    }
}

/* Leaves those that arrived in boot_info.cpus, in their order, and tells each its index. */
static void number_cpus(void) {
    uint32_t count = 1;
    for (uint32_t i = 1; i < boot_info.cpu_count; i++) {
        struct boot_cpu cpu = boot_info.cpus[i];
        if (!arrived[cpu.apic_id]) {
            boot_note("the CPU with APIC id %u did not start", cpu.apic_id);
            continue;
        }
        cpu_index[cpu.apic_id] = (uint8_t)count;
        boot_info.cpus[count++] = cpu;
    }
    boot_info.cpu_count = count;
}

void smp_finish(void) {
    uint32_t others = boot_info.cpu_count - 1;

    if (!trampoline) {
        boot_info.cpu_count = 1;
        return;
    }
    if (!wait_arrived(others, STARTUP_WAIT_US)) {
        send_all(startup_command());
        wait_arrived(others, ARRIVAL_WAIT_US);
    }
    uint32_t tickets =
        __atomic_exchange_n((uint32_t *)&parameters()->tickets, TICKETS_CLOSED, __ATOMIC_SEQ_CST);
    if (!wait_arrived(tickets, ARRIVAL_WAIT_US))
        boot_fail("a CPU stopped while it was started");
    number_cpus();
}
