/*
 * Local APICs (Intel SDM volume 3, chapter 11) and IO-APICs (82093AA). All lines go to the boot CPU: driver
 * threads are then queued by the scheduler where they should run.
 */
#include "apic.h"

#include "kernel/arch_cpu.h"
#include "kernel/interrupt.h"

enum {
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_ENABLE = 0x100,
    DIVIDE_BY_1 = 0xb,
    ICR_PENDING = 0x1000,
    IOAPIC_REDIRECTION = 0x10,
    IOAPIC_VERSION = 1,
    REDIRECT_MASKED = 0x10000,
    REDIRECT_LEVEL = 0x8000,
    REDIRECT_LOW = 0x2000,
    ISA_LINES = 16,
};

static volatile uint32_t *lapic, *ioapic;
static uint64_t timer_scale; /* ticks per ns, 32 fractional bits; below 4 GHz */
static uint32_t ioapic_first, ioapic_lines;
static uint32_t boot_apic_id;

static struct irq_line {
    uint8_t pin; /* of the IO-APIC */
    bool low, level, routed;
} irq_lines[IRQ_LINES];

void apic_init(uint64_t physical, uint64_t timer_hz) {
    lapic = phys_to_virt(physical);
    timer_scale = (timer_hz << 32) / 1000000000;
}

static void lapic_write(unsigned offset, uint32_t value) {
    lapic[offset / 4] = value;
}
static uint32_t lapic_read(unsigned offset) {
    return lapic[offset / 4];
}

void apic_eoi(void) {
    lapic_write(APIC_EOI, 0);
}

void apic_setup(void) {
    lapic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
    lapic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

void timer_program(uint64_t ns) {
    unsigned __int128 ticks = (unsigned __int128)ns * timer_scale >> 32;
    lapic_write(APIC_TIMER_INITIAL, ticks > UINT32_MAX ? UINT32_MAX : ticks ? (uint32_t)ticks : 1);
}

void cpu_interrupt(struct cpu *cpu, unsigned vector) {
    while (lapic_read(APIC_ICR_LOW) & ICR_PENDING)
        cpu_relax();
    lapic_write(APIC_ICR_HIGH, cpu->apic_id << 24);
    lapic_write(APIC_ICR_LOW, vector);
}

/* ---- IO-APIC; the callers serialise (struct interrupt's table lock) ---- */

static uint32_t ioapic_read(unsigned index) {
    ioapic[0] = index;
    return ioapic[4];
}

static void ioapic_write(unsigned index, uint32_t value) {
    ioapic[0] = index;
    ioapic[4] = value;
}

void ioapic_init(const struct boot_info *info) {
    for (uint32_t i = 0; i < IRQ_LINES; i++)
        irq_lines[i] = (struct irq_line){.pin = (uint8_t)i, .low = i >= ISA_LINES, .level = i >= ISA_LINES};
    for (uint32_t i = 0; i < info->override_count; i++) {
        const struct boot_override *from = &info->overrides[i];
        if (from->irq < ISA_LINES)
            irq_lines[from->irq] =
                (struct irq_line){.pin = (uint8_t)from->gsi, .low = from->active_low, .level = from->level};
    }
    boot_apic_id = info->cpus[0].apic_id;
    if (!info->ioapic)
        return;
    ioapic = phys_to_virt(info->ioapic);
    ioapic_first = info->ioapic_gsi_base;
    ioapic_lines = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
    for (uint32_t i = 0; i < ioapic_lines; i++)
        ioapic_write(IOAPIC_REDIRECTION + 2 * i, REDIRECT_MASKED);
}

static uint32_t irq_redirection(uint32_t irq) {
    const struct irq_line *line = &irq_lines[irq];
    return (VECTOR_IRQ_FIRST + irq) | (line->low ? REDIRECT_LOW : 0) | (line->level ? REDIRECT_LEVEL : 0);
}

bool irq_route(uint32_t irq, bool *level) {
    struct irq_line *line = &irq_lines[irq];
    if (line->pin < ioapic_first || line->pin - ioapic_first >= ioapic_lines)
        return false;
    ioapic_write(IOAPIC_REDIRECTION + 2 * (line->pin - ioapic_first) + 1, boot_apic_id << 24);
    line->routed = true;
    *level = line->level;
    return true;
}

void irq_mask(uint32_t irq, bool masked) {
    const struct irq_line *line = &irq_lines[irq];
    if (line->routed)
        ioapic_write(IOAPIC_REDIRECTION + 2 * (line->pin - ioapic_first),
                     irq_redirection(irq) | (masked ? REDIRECT_MASKED : 0));
}

/* ---- I/O ports ---- */

uint64_t port_in(uint16_t port, unsigned width) {
    uint32_t value = 0;
    if (width == 1)
        __asm__ volatile("inb %1, %b0" : "+a"(value) : "Nd"(port));
    else if (width == 2)
        __asm__ volatile("inw %1, %w0" : "+a"(value) : "Nd"(port));
    else
        __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

void port_out(uint16_t port, unsigned width, uint64_t value) {
    if (width == 1)
        __asm__ volatile("outb %b0, %1" : : "a"((uint32_t)value), "Nd"(port));
    else if (width == 2)
        __asm__ volatile("outw %w0, %1" : : "a"((uint32_t)value), "Nd"(port));
    else
        __asm__ volatile("outl %0, %1" : : "a"((uint32_t)value), "Nd"(port));
}
