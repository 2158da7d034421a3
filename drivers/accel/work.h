/*
 * The work of abi/accel.h on this processor: checked once, then done in steps, so that whoever serves it can
 * do other things in between. Pure: memory in, memory out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "abi/accel.h"

/* Elements multiplied and added, or looked at, in one step: a millisecond or so. */
enum { ACCEL_STEP = 1 << 18 };

struct accel_work {
    struct accel_request request;
    uint8_t *memory;
    bool wide;            /* with AVX2 and FMA */
    uint32_t row, column; /* of the result: done before these */
};

/* Whether this processor has AVX2 and FMA. */
bool accel_wide(void);

/* Checks a request, which nobody else can change, against memory of a length (aligned to 8 bytes). 0, or the
 * errors of abi/accel.h; nothing is done yet. The contents of the memory may change at any time. */
int accel_begin(struct accel_work *work, const struct accel_request *request, uint8_t *memory,
                uint64_t length, bool wide);

/* Does about so many elements of it, at least one row, or 64 elements of one. True: it is done. */
bool accel_step(struct accel_work *work, uint32_t elements);
