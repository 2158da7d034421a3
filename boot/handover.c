/*
 * See handover.h. What the kernel needs of boot_info all the time, and everything that it would otherwise
 * make out of it once, is put where the kernel will use it: by the kernel's own code, which is linked into
 * the boot path too (kernel/zone.c, kernel/zone_init.c), and at the addresses of its direct map.
 */
#include "boot/handover.h"

#include "boot/load.h"
#include "boot/memory.h"
#include "boot/paging.h"
#include "kernel/cpu.h"
#include "kernel/machine.h"
#include "kernel/sched.h"
#include "kernel/zone.h"
#include "lib/base/string.h"

enum { GROUP_SLOTS = 8, TABLE_SLOTS = 512, NS_PER_SECOND = 1000000000 };

struct machine machine;
static uint64_t cpu_memory; /* physical: a struct cpu_room per CPU */

struct cpu_room {
    char stack[KERNEL_STACK_BYTES];
    struct cpu cpu;
} __attribute__((aligned(PAGE_SIZE)));

static void *high(uint64_t physical) {
    return (void *)(uintptr_t)direct_map(physical);
}

void handover_take(void) {
    cpu_memory = memory_take(boot_info.cpu_count * sizeof(struct cpu_room) / PAGE_SIZE, BOOT_RANGE_KERNEL);
    memory_take_page_array();
}

/* The descriptor of a CPU's task state segment takes two entries. */
static void task_segment_set(uint64_t *descriptor, uint64_t base) {
    descriptor[0] =
        (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 | (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
}

static void cpu_fill(struct cpu_room *room, uint32_t index) {
    struct cpu *cpu = &room->cpu;

    memset(cpu, 0, sizeof(*cpu));
    cpu->index = index;
    cpu->bit = 1ULL << index;
    cpu->stamp = index;
    cpu->hand_over = boot_info.has_xsaveopt ? cpu->bit : 0;
    cpu->stack = (uint64_t)(uintptr_t)(room->stack + sizeof(room->stack));
    cpu->apic_id = boot_info.cpus[index].apic_id;
    cpu->memory.node = boot_info.cpus[index].node;
    cpu->timer_deadline = cpu->alarm_next = UINT64_MAX;
    cpu->root = boot_info.page_table;
    cpu->tss.ist[0] = (uint64_t)(uintptr_t)(cpu->fatal_stack + sizeof(cpu->fatal_stack));
    cpu->tss.io_map = sizeof(cpu->tss);
    run_queue_init(&cpu->queue);
    machine.cpus[index] = cpu;
}

/* Where the processor looks for its stacks: in struct cpu, or where user roots show it. */
static uint64_t task_state(struct cpu *cpu) {
    if (!machine.isolated)
        return (uint64_t)(uintptr_t)&cpu->tss;
    uint64_t page = ISOLATED_CPUS + cpu->index * (uint64_t)PAGE_SIZE;
    cpu->tss.entry_stack = page + ISOLATED_ENTRY_STACK;
    cpu->tss.ist[0] = page + PAGE_SIZE; /* where a panic finds what the CPU stored */
    return page;
}

static void machine_fill(void) {
    machine.has_smap = boot_info.has_smap;
    machine.has_xsaveopt = boot_info.has_xsaveopt;
    machine.isolated = boot_info.isolated;
    machine.tag_bits = boot_info.has_pcid ? TAG_FIRST | (TAGS - 1) : 0;
    machine.has_invpcid = boot_info.has_invpcid;
    machine.idle_mwait = boot_info.idle_mwait;
    machine.idle_hint = boot_info.idle_hint;
    machine.panic_ending = boot_info.panic_ending;
    machine.sched_policy = boot_info.sched_policy;
    machine.cpu_count = boot_info.cpu_count;
    machine.fpu_size = boot_info.fpu_size;
    machine.root = boot_info.page_table;
    machine.clock = (struct utcb_clock){.tsc_base = boot_info.entry_tsc,
                                        .mult = boot_info.clock_scale,
                                        .tsc_hz = boot_info.tsc_hz,
                                        .wall_base_ns = boot_info.wall_ns};
    machine.timer_scale = boot_info.timer_scale;
    machine.burst_short = boot_info.tsc_hz / (NS_PER_SECOND / BURST_SHORT_NS);
    for (unsigned level = 0; level < LEVELS; level++)
        machine.quanta[level] = level_quantum(machine.sched_policy, level);
    machine.page_array = high(boot_info.page_array);
    machine.page_limit = boot_info.page_limit;
    machine.lapic = high(boot_info.lapic);
    machine.ioapic = high(boot_info.ioapic);
    memcpy(machine.lines, boot_info.lines, sizeof(boot_info.lines));
}

/* Which groups of entries new roots inherit. */
static void root_describe(void) {
    const uint64_t *root = (const uint64_t *)boot_info.page_table;
    struct page *page = page_from_phys(boot_info.page_table);
    page->groups = 0;
    for (unsigned slot = 0; slot < TABLE_SLOTS; slot++)
        if (root[slot])
            page->groups |= 1ULL << slot / GROUP_SLOTS;
}

void handover_fill(uint64_t *gdt) {
    machine_fill();
    root_describe();
    zones_init(&boot_info);
    memcpy(kernel_place(kernel_notes.zones), zones, sizeof(zones));
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        cpu_fill(high(cpu_memory + i * sizeof(struct cpu_room)), i);
        task_segment_set(gdt + (TSS_SELECTOR + i * TSS_DESCRIPTOR) / sizeof(*gdt),
                         task_state(machine.cpus[i]));
    }
    memcpy(kernel_place(kernel_notes.machine), &machine, sizeof(machine));
}
