/* See interrupt.h. */
#include "kernel/interrupt.h"

#include "kernel/arch_cpu.h"

static struct spinlock lines_lock = SPINLOCK(LOCK_RANK_JOB); /* guards owners */
static struct interrupt *owners[IRQS];

int interrupt_create(struct job *job, uint64_t irq, struct interrupt **made) {
    if (irq >= IRQS)
        return -ENXIO;
    struct interrupt *interrupt = object_create(OBJECT_INTERRUPT, sizeof(*interrupt), job);
    if (!interrupt)
        return -ENOMEM;
    source_init(&interrupt->object);
    interrupt->irq = (uint32_t)irq;

    int error = 0;
    spin_lock(&lines_lock);
    if (owners[irq])
        error = -EBUSY;
    else if (!irq_route((uint32_t)irq, &interrupt->level))
        error = -ENXIO;
    else
        owners[irq] = interrupt;
    spin_unlock(&lines_lock);
    if (error) {
        object_free(&interrupt->object, sizeof(*interrupt));
        return error;
    }
    irq_mask(interrupt->irq, false);
    *made = interrupt;
    return 0;
}

void interrupt_destroy(struct interrupt *interrupt) {
    spin_lock(&lines_lock);
    irq_mask(interrupt->irq, true);
    owners[interrupt->irq] = NULL;
    spin_unlock(&lines_lock);
    binding_clear(&interrupt->binding);
    object_free(&interrupt->object, sizeof(*interrupt));
}

void interrupt_ack(struct interrupt *interrupt) {
    if (interrupt->level)
        irq_mask(interrupt->irq, false);
}

struct interrupt_info interrupt_info(const struct interrupt *interrupt) {
    return (struct interrupt_info){.address = INTERRUPT_MESSAGES | machine.cpus[0]->apic_id << 12,
                                   .data = VECTOR_IRQ_FIRST + interrupt->irq};
}

void interrupt_fired(uint32_t irq) {
    spin_lock(&lines_lock);
    struct interrupt *interrupt = owners[irq];
    if (!interrupt || interrupt->level)
        irq_mask(irq, true);
    if (interrupt) {
        spin_lock(&interrupt->lock);
        binding_signal(&interrupt->binding, 1);
        spin_unlock(&interrupt->lock);
    }
    spin_unlock(&lines_lock);
}
