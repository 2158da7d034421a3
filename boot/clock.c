/*
 * See clock.h. The frequencies come from CPUID where it has them. Otherwise they are measured against the
 * best reference at hand: under QEMU and KVM the local APIC timer itself, which runs at 1 GHz there; else the
 * PIT; else the ACPI timer. TSC and local APIC timer are sampled together.
 */
#include "boot/clock.h"

#include <stdbool.h>

#include "boot/acpi.h"
#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/io.h"
#include "boot/memory.h"

#define NS_PER_SECOND  1000000000ULL
#define PIT_HZ         1193182ULL
#define ACPI_TIMER_HZ  3579545ULL
#define SLOWEST_TSC_HZ 10000000ULL

enum {
    LAPIC_SPURIOUS = 0xf0,
    LAPIC_TIMER = 0x320,
    LAPIC_INITIAL = 0x380,
    LAPIC_CURRENT = 0x390,
    LAPIC_DIVIDE = 0x3e0
};
enum { LAPIC_ENABLE = 0x1ff, LAPIC_MASKED = 0x100ff, LAPIC_DIVIDE_BY_1 = 0xb };
enum { MSR_APIC_BASE = 0x1b, APIC_ENABLE = 1 << 11, APIC_X2APIC = 1 << 10 };
enum { PIT_CHANNEL_2 = 0x42, PIT_COMMAND = 0x43, PIT_GATE = 0x61, PIT_ONE_SHOT_2 = 0xb0 };
enum { GATE_ON = 1, SPEAKER_ON = 2, GATE_OUTPUT = 0x20 };
enum { FIRST_WINDOW = 20000, WINDOW = 2000000 }; /* ns */
enum { PIT_TICKS = 11932, ACPI_TICKS = 35795 };  /* 10 ms */
enum { MOST_POLLS = 1000000 };

struct sample {
    uint64_t tsc;
    uint32_t lapic; /* ticks since it was armed */
};

static volatile uint32_t *lapic_register(uint32_t offset) {
    return (volatile uint32_t *)(boot_info.lapic + offset);
}

/* x2APIC mode can only be left through "disabled". */
static void lapic_enable(void) {
    uint64_t base = read_msr(MSR_APIC_BASE);
    if (base & APIC_X2APIC)
        write_msr(MSR_APIC_BASE, base & ~(uint64_t)(APIC_X2APIC | APIC_ENABLE));
    write_msr(MSR_APIC_BASE, (base & ~(uint64_t)APIC_X2APIC) | APIC_ENABLE);
    *lapic_register(LAPIC_SPURIOUS) = LAPIC_ENABLE;
    *lapic_register(LAPIC_TIMER) = LAPIC_MASKED;
    *lapic_register(LAPIC_DIVIDE) = LAPIC_DIVIDE_BY_1;
}

static void lapic_arm(void) {
    if (boot_info.lapic)
        *lapic_register(LAPIC_INITIAL) = UINT32_MAX;
}

static void lapic_disarm(void) {
    if (boot_info.lapic)
        *lapic_register(LAPIC_INITIAL) = 0;
}

/* Both counters at one moment: the closest of three tries, since the host may interrupt any of them. */
static struct sample sample_take(void) {
    struct sample best = {0};
    uint64_t closest = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        uint64_t before = read_tsc();
        uint32_t current = boot_info.lapic ? *lapic_register(LAPIC_CURRENT) : 0;
        uint64_t after = read_tsc();
        if (after - before < closest) {
            closest = after - before;
            best = (struct sample){before + closest / 2, UINT32_MAX - current};
        }
    }
    return best;
}

/* Waits until the local APIC timer, at 1 GHz, is ns further than start. False when it does not move on. */
static bool wait_lapic(const struct sample *start, uint32_t ns, struct sample *end) {
    for (int i = 0; i < MOST_POLLS; i++) {
        *end = sample_take();
        if (end->lapic - start->lapic >= ns)
            return true;
    }
    return false;
}

/* Under -icount the TSC counts the same ns as the timer: 20 µs show it, and no more is spent. */
static bool same_rate(const struct sample *start, const struct sample *end) {
    int64_t apart = (int64_t)(end->tsc - start->tsc) - (int64_t)(end->lapic - start->lapic);
    return apart >= -4 && apart <= 4;
}

static bool measure_by_lapic(void) {
    struct sample end, start = sample_take();

    if (!wait_lapic(&start, FIRST_WINDOW, &end))
        return false;
    boot_info.lapic_hz = boot_info.tsc_hz = NS_PER_SECOND;
    if (same_rate(&start, &end))
        return true;
    if (!wait_lapic(&start, WINDOW, &end))
        return false;
    boot_info.tsc_hz = (end.tsc - start.tsc) * NS_PER_SECOND / (end.lapic - start.lapic);
    return true;
}

static void set_measured(const struct sample *start, const struct sample *end, uint64_t ticks, uint64_t hz) {
    boot_info.tsc_hz = (end->tsc - start->tsc) * hz / ticks;
    boot_info.lapic_hz = (uint64_t)(end->lapic - start->lapic) * hz / ticks;
}

static bool measure_by_pit(void) {
    struct sample start, end;
    int polls = 0;

    uint8_t gate = port_read8(PIT_GATE) & (uint8_t)~SPEAKER_ON;
    port_write8(PIT_GATE, gate & (uint8_t)~GATE_ON);
    port_write8(PIT_COMMAND, PIT_ONE_SHOT_2);
    port_write8(PIT_CHANNEL_2, PIT_TICKS & 0xff);
    port_write8(PIT_CHANNEL_2, PIT_TICKS >> 8);
    port_write8(PIT_GATE, gate | GATE_ON);
    start = sample_take();
    while (!(port_read8(PIT_GATE) & GATE_OUTPUT) && polls < MOST_POLLS)
        polls++;
    end = sample_take();
    port_write8(PIT_GATE, gate & (uint8_t)~GATE_ON);
    if (polls == 0 || polls == MOST_POLLS)
        return false;
    set_measured(&start, &end, PIT_TICKS, PIT_HZ);
    return true;
}

static bool measure_by_acpi(void) {
    uint16_t port = acpi_timer_port();
    if (!port)
        return false;
    uint32_t first = port_read32(port), ticks = 0;
    struct sample start = sample_take();
    for (int polls = 0; ticks < ACPI_TICKS; polls++) {
        if (polls == MOST_POLLS)
            return false;
        ticks = (port_read32(port) - first) & 0xffffff; /* some timers have only 24 bits */
    }
    struct sample end = sample_take();
    set_measured(&start, &end, ticks, ACPI_TIMER_HZ);
    return true;
}

/* Intel: TSC as a ratio of the crystal that also drives the local APIC timer. Processors that keep the
 * crystal's frequency to themselves tell their own, which is the TSC's. */
static void ask_crystal(uint32_t most_leaf) {
    if (most_leaf < 0x15)
        return;
    struct cpuid ratio = cpuid(0x15, 0);
    if (!ratio.eax || !ratio.ebx)
        return;
    uint64_t crystal = ratio.ecx;
    if (!crystal && most_leaf >= 0x16)
        crystal = (cpuid(0x16, 0).eax & 0xffff) * 1000000ULL * ratio.eax / ratio.ebx;
    boot_info.lapic_hz = crystal;
    boot_info.tsc_hz = crystal * ratio.ebx / ratio.eax;
}

/* Hypervisors that follow VMware's convention: TSC and local APIC timer in kHz. */
static void ask_hypervisor(void) {
    if (!cpu_is_virtual() || cpuid(0x40000000, 0).eax < 0x40000010)
        return;
    struct cpuid rates = cpuid(0x40000010, 0);
    boot_info.tsc_hz = rates.eax * 1000ULL;
    boot_info.lapic_hz = rates.ebx * 1000ULL;
}

static bool rates_known(void) {
    return boot_info.tsc_hz >= SLOWEST_TSC_HZ && (boot_info.lapic_hz || !boot_info.lapic);
}

static void measure(void) {
    lapic_arm();
    if (!(boot_info.lapic && cpu_has_ns_timer() && measure_by_lapic()) && !measure_by_pit() &&
        !measure_by_acpi()) {
        boot_note("no timer to measure the TSC with: 1 GHz is assumed");
        boot_info.tsc_hz = boot_info.lapic_hz = NS_PER_SECOND;
    }
    lapic_disarm();
}

void clock_calibrate(void) {
    if (boot_info.lapic)
        lapic_enable();
    ask_crystal(cpuid(0, 0).eax);
    if (!rates_known())
        ask_hypervisor();
    if (!rates_known())
        measure();
    if (!boot_info.tsc_hz)
        boot_fail("the time-stamp counter does not count");
    boot_info.clock_scale = (NS_PER_SECOND << 32) / boot_info.tsc_hz;
    boot_info.timer_scale = (boot_info.lapic_hz << 32) / NS_PER_SECOND;
}
