/*
 * Work for accelerators: products of matrices and work on vectors, as clients ask for it at /dev/accel0 and
 * native ones over the link of that device (abi/devices.h, lib/virtqueue/char_ring.h).
 *
 * Operands lie in ACCEL_MEMORY bytes of memory, which begin ACCEL_MEMORY_AT bytes into the link's area: a
 * native client shares them, and nothing is copied. A program moves them by write and read, which begin where
 * ACCEL_IOCTL_SEEK says. One program at a time has the device open; the memory is cleared when it leaves.
 *
 * An operand is a matrix of rows × columns elements, whose rows begin `stride` elements apart. A vector is a
 * matrix of one row. Elements are float (IEEE 754 single), or int8_t with sums of int32_t. Offsets are
 * multiples of the element's size.
 *
 *   ACCEL_MULTIPLY      result (rows × columns) = a (rows × inner) · b (inner × columns)
 *   ACCEL_MULTIPLY_I8   the same, from int8_t to int32_t: exact
 *   ACCEL_ADD           result = a + b
 *   ACCEL_SCALE         result = factor · a
 *   ACCEL_RELU          result = a, or 0 where that is negative
 *   ACCEL_SOFTMAX       each row of result = e^a / its sum
 *   ACCEL_DOT           result (rows × 1) = for each row, the sum of a · b
 *
 * Sums of floats are made in any order, with or without fused multiplication: a sum of n terms differs from
 * the exact one by at most n · 2^-23 times the sum of the terms' absolute values; ACCEL_SOFTMAX from the
 * exact value by at most (n + 8) · 2^-23 of it. A result may be its operand a (same offset and stride) in
 * ADD, SCALE, RELU and SOFTMAX, and must not overlap an operand otherwise.
 */
#pragma once

#include <stdint.h>

enum accel_operation {
    ACCEL_MULTIPLY = 1,
    ACCEL_MULTIPLY_I8 = 2,
    ACCEL_ADD = 3,
    ACCEL_SCALE = 4,
    ACCEL_RELU = 5,
    ACCEL_SOFTMAX = 6,
    ACCEL_DOT = 7,
};

/* What shall do the work. */
enum accel_kind { ACCEL_ANY = 0, ACCEL_CPU = 1, ACCEL_GPU = 2, ACCEL_NPU = 3, ACCEL_TPU = 4 };
enum { ACCEL_FALLBACK = 1 }; /* flag: any other kind may do it when there is none of that one */

struct accel_operand {
    uint64_t offset; /* bytes into the memory */
    uint64_t stride; /* elements from row to row; at least a row's length where there are several rows */
};

struct accel_request {
    uint32_t operation;
    uint32_t kind;                 /* enum accel_kind; the answer tells what did it */
    uint32_t flags;                /* ACCEL_FALLBACK; others must be 0 */
    float factor;                  /* of ACCEL_SCALE */
    uint32_t rows, columns, inner; /* each 1 to ACCEL_EXTENT_MOST; inner 0 but for products, at most
                                      ACCEL_INNER_I8 for those of int8_t: no sum overflows */
    uint32_t reserved;             /* 0 */
    struct accel_operand a, b, result;
};

_Static_assert(sizeof(struct accel_request) == 80, "part of the ioctl's number");

enum {
    ACCEL_EXTENT_MOST = 1 << 18,
    ACCEL_INNER_I8 = (1 << 17) - 1,
    ACCEL_MEMORY_AT = 0x10000,
    ACCEL_MEMORY = 0xf0000
};

/* _IOWR('a', 1, struct accel_request): 0; -EINVAL a request that makes no sense; -EFAULT an operand outside
 * the memory; -ENODEV nothing of that kind is there. _IO('a', 2), the argument is the place in the memory:
 * -EINVAL beyond it. */
#define ACCEL_IOCTL_RUN  0xc0506101U
#define ACCEL_IOCTL_SEEK 0x6102U
