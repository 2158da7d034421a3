/*
 * Using an object for the length of a call without counting a reference, so that a look-up writes nothing
 * that other CPUs read, and takes no lock. Included where look-ups and last references are dealt with.
 *
 * A CPU announces the object in `used` (struct memory_cpu), and only then makes sure that the slot it read
 * still holds it. Who drops a last reference has emptied the slots before, and looks at every CPU's
 * announcement then. A full barrier lies between the two steps on both sides, so that at least one sees the
 * other: either the look-up finds its slot changed and does not touch the object, or the drop finds the
 * announcement. In that case the reference is not dropped but handed over: the announcement is marked, and
 * the CPU that made it drops the reference when its call is done. An object that is announced and checked
 * therefore keeps at least one reference; none ever comes back from zero.
 */
#pragma once

#include "kernel/memory_cpu.h"
#include "kernel/object.h"

enum { USED_OWES = 1 }; /* mark in an announcement, which is aligned: its CPU owes object_put */

/* Announces the object. Whether it may be touched is for the caller to make sure. */
static inline void object_announce(const struct object *object) {
    atomic_exchange(&memory_cpu()->used, (uintptr_t)object);
}

/* Takes the announcement back; an object to be put, or NULL. */
static inline struct object *object_retract(void) {
    uintptr_t used = atomic_exchange(&memory_cpu()->used, 0);
    return used & USED_OWES ? (struct object *)(used - USED_OWES) : NULL;
}

/* Hands the caller's reference to a CPU that uses the object; false when there is none. */
static inline bool object_hand_over(const struct object *object) {
    struct memory_cpu *cpu;

    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; (cpu = memory_cpu_of(i)); i++) {
        uintptr_t used = (uintptr_t)object;
        if (atomic_load_explicit(&cpu->used, memory_order_acquire) == used &&
            atomic_compare_exchange_strong(&cpu->used, &used, used | USED_OWES))
            return true;
    }
    return false;
}

/* Drops a reference that is not the last; false when it is, and stays. */
static inline bool object_drop_shared(struct object *object) {
    uint32_t references = atomic_load_explicit(&object->references, memory_order_relaxed);

    while (references > 1)
        if (atomic_compare_exchange_weak_explicit(&object->references, &references, references - 1,
                                                  memory_order_acq_rel, memory_order_relaxed))
            return true;
    return false;
}

/* Drops a reference; true when it was the last, and nobody can use the object any more. */
static inline bool object_drop(struct object *object) {
    uint32_t references = atomic_load_explicit(&object->references, memory_order_relaxed);

    do {
        if (references == 1 && object_hand_over(object))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&object->references, &references, references - 1,
                                                    memory_order_acq_rel, memory_order_relaxed));
    return references == 1;
}
