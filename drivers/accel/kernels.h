/*
 * The inner loops of drivers/accel/work.c, each compiled twice: for every x86-64 processor, and for those
 * with AVX2 and FMA (wide). Operands are not aligned to more than an element. Results do not overlap
 * operands, or are a.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { KERNEL_BLOCK = 64 }; /* columns of a product at once */

/* result[0, columns) = a (a row of inner elements) · b (inner rows, stride elements apart); at most
 * KERNEL_BLOCK columns. */
void kernel_product(bool wide, const float *a, const float *b, uint64_t stride, uint32_t inner,
                    uint32_t columns, float *result);
void kernel_product_i8(bool wide, const int8_t *a, const int8_t *b, uint64_t stride, uint32_t inner,
                       uint32_t columns, int32_t *result);
void kernel_add(bool wide, const float *a, const float *b, uint32_t count, float *result);
void kernel_scale(bool wide, const float *a, float factor, uint32_t count, float *result);
void kernel_relu(bool wide, const float *a, uint32_t count, float *result);
void kernel_softmax(bool wide, const float *a, uint32_t count, float *result);
float kernel_dot(bool wide, const float *a, const float *b, uint32_t count);
