/* A driver into whose memory faults go, and what became of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "abi/devices.h"
#include "abi/rights.h"

/* Where a bit can be flipped. */
enum fault_place { PLACE_CODE, PLACE_CONSTANTS, PLACE_DATA, PLACE_STACK, PLACE_DMA, PLACES };

struct target {
    uint64_t index; /* at `devices` */
    bool wanted;    /* otherwise it is only watched */
    struct devices_inspect first, now;
    handle_t memories[DEVICES_MEMORIES];
    uint64_t faults, places[PLACES];
    uint32_t generation, fresh; /* faults in this generation so far */
};

/* Asks `devices` for the driver of target->index: state and handles to its memory, which replace those held.
 * 0, or a negated error: -ENOENT there is none. */
int64_t target_look(struct target *target);

/* Flips one bit somewhere in its memory; chosen by the generator's state. 0 or a negated error. */
int64_t target_fault(struct target *target, uint64_t *random);

/* Has its driver ended. 0 or a negated error. */
int64_t target_reset(const struct target *target);

/* The generator: the next of a sequence that the first state decides. */
uint64_t random_next(uint64_t *state);
