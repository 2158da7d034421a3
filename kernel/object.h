/*
 * What every kernel object begins with. Objects live in slabs in the direct map, at 64-byte granules, so that
 * an object's 32-bit id (requirement C1) is its physical address / 64. The last reference destroys the object
 * through the switch in object.c: small ones at once, large ones (spaces, Vmos, processes) through the
 * reaper, in bounded steps.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "abi/objects.h"
#include "arch.h"

struct job;

struct object {
    uint8_t type; /* enum object_type; 0 once freed */
    uint8_t flags;
    uint16_t reserved;
    _Atomic uint32_t references;
    _Atomic uint32_t epoch;   /* handles carry the epoch they were made in; revocation adds one */
    struct object *reap_next; /* the reaper's queue, once references is 0 */
    struct job *job;          /* charged for this object; NULL only for the root job */
};

/* Live objects by type. */
extern _Atomic uint64_t objects_live[16];

/* Allocates and charges an object of the given size (bytes, zeroed beyond the header) with one reference.
 * NULL when memory or the job's object quota is exhausted. */
void *object_create(enum object_type type, size_t size, struct job *job);

static inline __attribute__((always_inline)) void object_get(struct object *object) {
    atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
}
/* As above, unless the last reference is gone already. */
static inline bool object_get_live(struct object *object) {
    uint32_t references = object->references;
    while (references && !atomic_compare_exchange_weak(&object->references, &references, references + 1)) {
    }
    return references != 0;
}
/* Drops a reference; the last one hands the object to object_destroy or the reaper. No lock of rank ≥ VMO may
 * be held. */
void object_put(struct object *object);

/* Ends the use of the object that handle_use found, if there is one. No lock of rank ≥ VMO may be held. */
void object_unuse(void);

/* Frees an object's memory and its charges; only for destructors, after everything it owned is gone. */
void object_free(struct object *object, size_t size);

static inline uint32_t object_id(const struct object *object) {
    return (uint32_t)(virt_to_phys(object) >> 6);
}
static inline struct object *object_from_id(uint32_t id) {
    return phys_to_virt((uint64_t)id << 6);
}
