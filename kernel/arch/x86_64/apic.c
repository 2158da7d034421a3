/*
 * Local APICs (Intel SDM volume 3, chapter 11) and IO-APICs (82093AA). All lines and messages go to the boot
 * CPU: driver threads are then queued by the scheduler where they should run.
 */
#include "apic.h"

#include "kernel/arch_cpu.h"
#include "kernel/interrupt.h"

enum {
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_IN_SERVICE = 0x100, /* 256 bits, 32 in each 16 bytes */
    APIC_ICR_LOW = 0x300,
    APIC_ICR_HIGH = 0x310,
    APIC_LVT_TIMER = 0x320,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_ENABLE = 0x100,
    DIVIDE_BY_1 = 0xb,
    ICR_PENDING = 0x1000,
    REDIRECT_MASKED = 0x10000,
};

/* A CPU of QEMU before 8.2 whose access waited while another one changed what a device decodes sends the rest
 * of its straight-line code's accesses elsewhere; after a jump it knows of the change. */
static void decode_settle(void) {
    __asm__ volatile("jmp 1f\n1:");
}

static void lapic_write(unsigned offset, uint32_t value) {
    machine.lapic[offset / 4] = value;
    decode_settle();
}
static uint32_t lapic_read(unsigned offset) {
    return machine.lapic[offset / 4];
}

void apic_eoi(void) {
    lapic_write(APIC_EOI, 0);
}

unsigned apic_in_service(void) {
    unsigned vector = 256;
    uint32_t bits;
    do {
        vector -= 32;
        bits = lapic_read(APIC_IN_SERVICE + vector / 2);
    } while (!bits && vector > VECTOR_IRQ_FIRST);
    return vector + 31 - (unsigned)__builtin_clz(bits | 1);
}

void apic_setup(void) {
    lapic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
    lapic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

void timer_program(uint64_t ns) {
    uint64_t ticks = scale_32(ns, machine.timer_scale);
    lapic_write(APIC_TIMER_INITIAL, ticks > UINT32_MAX ? UINT32_MAX : ticks ? (uint32_t)ticks : 1);
}

void cpu_interrupt(struct cpu *cpu, unsigned vector) {
    while (lapic_read(APIC_ICR_LOW) & ICR_PENDING)
        cpu_relax();
    lapic_write(APIC_ICR_HIGH, cpu->apic_id << 24);
    lapic_write(APIC_ICR_LOW, vector);
}

/* ---- IO-APIC; the callers serialise (struct interrupt's table lock) ---- */

static __attribute__((noinline)) void ioapic_write(unsigned index, uint32_t value) {
    machine.ioapic[0] = index;
    decode_settle();
    machine.ioapic[4] = value;
}

bool irq_route(uint32_t irq, bool *level) {
    uint32_t line = machine.lines[irq];
    if (!line) /* a message finds its way alone */
        return irq >= IRQ_LINES && irq != VECTOR_INT80 - VECTOR_IRQ_FIRST;
    ioapic_write((line >> BOOT_LINE_REGISTER) + 1, machine.cpus[0]->apic_id << 24);
    *level = line & BOOT_LINE_LEVEL;
    return true;
}

void irq_mask(uint32_t irq, bool masked) {
    uint32_t line = machine.lines[irq];
    if (line)
        ioapic_write(line >> BOOT_LINE_REGISTER,
                     (VECTOR_IRQ_FIRST + irq) | (uint16_t)line | (masked ? REDIRECT_MASKED : 0));
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
