/*
 * Interrupt lines and messages as objects: each has one owner at a time, and tells the port bound to it. A
 * level-triggered line stays masked from the interrupt until interrupt_ack; an edge-triggered one is never
 * masked, because a masked edge is lost. A message (MSI, MSI-X) is a vector of its own, edge-triggered, that
 * no controller routes: a device's write to the local APIC names it (struct interrupt_info).
 */
#pragma once

#include "kernel/port.h"
#include "vectors.h"

/* The lines, and with the messages behind them all. */
enum { IRQ_LINES = IRQ_MESSAGE_FIRST, IRQS = IRQ_MESSAGE_END };
_Static_assert(VECTOR_IRQ_FIRST + IRQ_LINES == VECTOR_IRQ_END, "abi/objects.h");
_Static_assert(VECTOR_IRQ_FIRST + IRQS == VECTOR_LOCAL_FIRST, "abi/objects.h");

struct interrupt {
    struct object object;
    struct spinlock lock; /* rank OBJECT */
    struct binding binding;
    uint32_t irq;
    bool level;
};
SOURCE_CHECK(interrupt);

/* irq: a line, or a message. -EBUSY when it has an owner, -ENXIO when there is none, -ENOMEM. */
int interrupt_create(struct job *job, uint64_t irq, struct interrupt **made);
void interrupt_destroy(struct interrupt *interrupt);
void interrupt_ack(struct interrupt *interrupt);
struct interrupt_info interrupt_info(const struct interrupt *interrupt);
/* The line or message fired; from the interrupt entry. */
void interrupt_fired(uint32_t irq);
