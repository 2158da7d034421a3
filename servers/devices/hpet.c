/* See hpet.h. */
#include "servers/devices/hpet.h"

enum { INPUTS = 32, KEPT = HPET_CAN_PERIODIC | HPET_CAN_MESSAGE };

static volatile uint32_t *word(volatile uint32_t *registers, uint32_t offset) {
    return registers + offset / sizeof *registers;
}

static unsigned count_of(volatile uint32_t *registers) {
    uint32_t id = *word(registers, HPET_ID);
    return hpet_answers(id, *word(registers, HPET_PERIOD)) ? hpet_comparators(id) : 0;
}

void hpet_quiet(volatile uint32_t *registers) {
    unsigned count = count_of(registers);
    for (unsigned i = 0; i < count; i++) {
        volatile uint32_t *timer = word(registers, hpet_comparator_at(i));
        *timer &= ~(uint32_t)HPET_INTERRUPTS; /* while its route still says which input it leaves */
        *word(registers, HPET_STATUS) = 1U << i;
        *timer &= KEPT;
    }
}

static bool message_connect(volatile uint32_t *registers, uint32_t at,
                            const struct hpet_interrupts *interrupts) {
    volatile uint32_t *timer = word(registers, at);
    uint32_t address, data;
    if (!(*timer & HPET_CAN_MESSAGE) || !interrupts->message(interrupts->context, &address, &data))
        return false;
    *word(registers, at + HPET_MESSAGE) = data;
    *word(registers, at + HPET_MESSAGE_TO) = address;
    *timer |= HPET_BY_MESSAGE;
    return true;
}

/* Level-triggered, as the IO-APIC's inputs behind ISA's are. */
static bool line_connect(volatile uint32_t *registers, uint32_t at,
                         const struct hpet_interrupts *interrupts) {
    volatile uint32_t *timer = word(registers, at);
    uint32_t routes = *word(registers, at + HPET_ROUTES);
    for (uint32_t input = HPET_ROUTE_FIRST; input < INPUTS; input++)
        if (routes >> input & 1 && interrupts->line(interrupts->context, input)) {
            *timer = (*timer & ~(uint32_t)HPET_ROUTE) | input << HPET_ROUTE_SHIFT | HPET_LEVEL;
            return true;
        }
    return false;
}

unsigned hpet_connect(volatile uint32_t *registers, const struct hpet_interrupts *interrupts, unsigned most) {
    unsigned count = count_of(registers), made = 0;
    for (unsigned i = 0; i < count && made < most; i++) {
        uint32_t at = hpet_comparator_at(hpet_choice(i, count));
        made += message_connect(registers, at, interrupts) || line_connect(registers, at, interrupts);
    }
    return made;
}
