/*
 * Interrupt lines as objects: a line has one owner at a time, and tells the port bound to it. A
 * level-triggered line stays masked from the interrupt until interrupt_ack; an edge-triggered one is never
 * masked, because a masked edge is lost.
 */
#pragma once

#include "kernel/port.h"
#include "vectors.h"

enum { IRQ_LINES = VECTOR_IRQ_END - VECTOR_IRQ_FIRST };

struct interrupt {
    struct object object;
    struct spinlock lock; /* rank OBJECT */
    struct binding binding;
    uint32_t irq;
    bool level;
};
SOURCE_CHECK(interrupt);

/* -EBUSY when the line has an owner, -ENXIO when no controller has it, -ENOMEM. */
int interrupt_create(struct job *job, uint64_t irq, struct interrupt **made);
void interrupt_destroy(struct interrupt *interrupt);
void interrupt_ack(struct interrupt *interrupt);
/* The line fired; from the interrupt entry. */
void interrupt_fired(uint32_t irq);
