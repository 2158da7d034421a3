/* See ioapic.h. Registers as in the 82093AA's data sheet: an index at 0, what it selects at 16. */
#include "boot/ioapic.h"

#include <stdint.h>

#include "boot/memory.h"

enum { VERSION = 1, REDIRECTION = 0x10, MASKED = 0x10000, ISA_LINES = 16 };

static volatile uint32_t *registers;

static void line_set(uint32_t irq, uint32_t gsi, uint32_t pins, uint32_t flags) {
    uint32_t pin = gsi - boot_info.ioapic_gsi_base;
    boot_info.lines[irq] = pin < pins ? (REDIRECTION + 2 * pin) << BOOT_LINE_REGISTER | flags : 0;
}

void ioapic_prepare(void) {
    if (!boot_info.ioapic)
        return;
    registers = (volatile uint32_t *)(uintptr_t)boot_info.ioapic;
    registers[0] = VERSION;
    uint32_t pins = (registers[4] >> 16 & 0xff) + 1;
    if (pins > BOOT_PINS)
        pins = BOOT_PINS;
    for (uint32_t i = 0; i < pins; i++) {
        registers[0] = REDIRECTION + 2 * i;
        registers[4] = MASKED;
    }
    for (uint32_t i = 0; i < BOOT_LINES; i++)
        line_set(i, i, pins, i < ISA_LINES ? 0 : BOOT_LINE_LOW | BOOT_LINE_LEVEL);
    for (uint32_t i = 0; i < boot_info.override_count; i++) {
        const struct boot_override *from = &boot_info.overrides[i];
        if (from->irq < ISA_LINES)
            line_set(from->irq, from->gsi, pins,
                     (from->active_low ? BOOT_LINE_LOW : 0) | (from->level ? BOOT_LINE_LEVEL : 0));
    }
}
