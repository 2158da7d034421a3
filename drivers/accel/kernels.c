/* See kernels.h. A loop is written once, on groups of LANES elements, which the compiler makes vectors of;
 * BOTH makes the two functions of it. */
#include "drivers/accel/kernels.h"

#include <string.h>

#include "drivers/accel/work.h"

enum { LANES = 8 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));
typedef int8_t narrow_lanes __attribute__((vector_size(LANES)));
typedef int32_t whole_lanes __attribute__((vector_size(LANES * sizeof(int32_t))));

#define LOOP static inline __attribute__((always_inline))
#define WIDE __attribute__((target("avx2,fma")))
#define BOTH(type, name, parameters, arguments)                                                              \
    WIDE static type name##_wide parameters {                                                                \
        return name##_loop arguments;                                                                        \
    }                                                                                                        \
    static type name##_plain parameters {                                                                    \
        return name##_loop arguments;                                                                        \
    }

bool accel_wide(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* ---- products ---- */

LOOP void product_loop(const float *a, const float *b, uint64_t stride, uint32_t inner, uint32_t columns,
                       float *result) {
    lanes sums[KERNEL_BLOCK / LANES] = {0};
    float tail[KERNEL_BLOCK] = {0};
    uint32_t groups = columns / LANES, whole = groups * LANES;
    for (uint32_t k = 0; k < inner; k++) {
        const float *row = b + k * stride;
        for (uint32_t i = 0; i < groups; i++) {
            lanes group;
            memcpy(&group, row + i * LANES, sizeof group);
            sums[i] += group * a[k];
        }
        for (uint32_t i = whole; i < columns; i++)
            tail[i] += row[i] * a[k];
    }
    memcpy(result, sums, whole * sizeof(float));
    memcpy(result + whole, tail + whole, (columns - whole) * sizeof(float));
}
BOTH(void, product,
     (const float *a, const float *b, uint64_t stride, uint32_t inner, uint32_t columns, float *result),
     (a, b, stride, inner, columns, result))

/* No sum overflows: inner is ACCEL_INNER_I8 at most, and a product 2^14. */
LOOP void product_i8_loop(const int8_t *a, const int8_t *b, uint64_t stride, uint32_t inner, uint32_t columns,
                          int32_t *result) {
    whole_lanes sums[KERNEL_BLOCK / LANES] = {0};
    int32_t tail[KERNEL_BLOCK] = {0};
    uint32_t groups = columns / LANES, whole = groups * LANES;
    for (uint32_t k = 0; k < inner; k++) {
        const int8_t *row = b + k * stride;
        for (uint32_t i = 0; i < groups; i++) {
            narrow_lanes group;
            memcpy(&group, row + i * LANES, sizeof group);
            sums[i] += __builtin_convertvector(group, whole_lanes) * (int32_t)a[k];
        }
        for (uint32_t i = whole; i < columns; i++)
            tail[i] += a[k] * row[i];
    }
    memcpy(result, sums, whole * sizeof(int32_t));
    memcpy(result + whole, tail + whole, (columns - whole) * sizeof(int32_t));
}
BOTH(void, product_i8,
     (const int8_t *a, const int8_t *b, uint64_t stride, uint32_t inner, uint32_t columns, int32_t *result),
     (a, b, stride, inner, columns, result))

/* ---- vectors ---- */

LOOP void add_loop(const float *a, const float *b, uint32_t count, float *result) {
    for (uint32_t i = 0; i < count; i++)
        result[i] = a[i] + b[i];
}
BOTH(void, add, (const float *a, const float *b, uint32_t count, float *result), (a, b, count, result))

LOOP void scale_loop(const float *a, float factor, uint32_t count, float *result) {
    for (uint32_t i = 0; i < count; i++)
        result[i] = factor * a[i];
}
BOTH(void, scale, (const float *a, float factor, uint32_t count, float *result), (a, factor, count, result))

LOOP void relu_loop(const float *a, uint32_t count, float *result) {
    for (uint32_t i = 0; i < count; i++)
        result[i] = a[i] < 0 ? 0 : a[i];
}
BOTH(void, relu, (const float *a, uint32_t count, float *result), (a, count, result))

LOOP float dot_loop(const float *a, const float *b, uint32_t count) {
    lanes sums = {0}, one, other;
    uint32_t i = 0;
    float sum = 0;
    for (; i + LANES <= count; i += LANES) {
        memcpy(&one, a + i, sizeof one);
        memcpy(&other, b + i, sizeof other);
        sums += one * other;
    }
    for (; i < count; i++)
        sum += a[i] * b[i];
    for (uint32_t k = 0; k < LANES; k++)
        sum += sums[k];
    return sum;
}
BOTH(float, dot, (const float *a, const float *b, uint32_t count), (a, b, count))

/* e^x for x up to 0, which NaN may be: 2^k times a polynomial in what is left, at most ln 2 / 2. */
LOOP float exp_down(float x) {
    const float log2e = 1.44269504F, ln2_high = 0.693145752F, ln2_low = 1.42860677e-6F;
    if (!(x > -87.0F))
        return x <= -87.0F ? 0 : x;
    int32_t k = (int32_t)(x * log2e - 0.5F);
    float r = (x - (float)k * ln2_high) - (float)k * ln2_low, power;
    float sum =
        1 + r * (1 + r * (1.0F / 2 +
                          r * (1.0F / 6 + r * (1.0F / 24 + r * (1.0F / 120 + r * (1.0F / 720 + r / 5040))))));
    uint32_t bits = (uint32_t)(k + 127) << 23;
    memcpy(&power, &bits, sizeof power);
    return sum * power;
}

LOOP void softmax_loop(const float *a, uint32_t count, float *result) {
    float most = a[0], sum = 0;
    for (uint32_t i = 1; i < count; i++)
        most = a[i] > most ? a[i] : most;
    for (uint32_t i = 0; i < count; i++) {
        /* What a client changes meanwhile is a wrong result, and nothing else. */
        float down = a[i] - most, power = exp_down(down > 0 ? 0 : down);
        result[i] = power;
        sum += power;
    }
    for (uint32_t i = 0; i < count; i++)
        result[i] /= sum;
}
BOTH(void, softmax, (const float *a, uint32_t count, float *result), (a, count, result))

/* ---- the choice ---- */

void kernel_product(bool wide, const float *a, const float *b, uint64_t stride, uint32_t inner,
                    uint32_t columns, float *result) {
    (wide ? product_wide : product_plain)(a, b, stride, inner, columns, result);
}

void kernel_product_i8(bool wide, const int8_t *a, const int8_t *b, uint64_t stride, uint32_t inner,
                       uint32_t columns, int32_t *result) {
    (wide ? product_i8_wide : product_i8_plain)(a, b, stride, inner, columns, result);
}

void kernel_add(bool wide, const float *a, const float *b, uint32_t count, float *result) {
    (wide ? add_wide : add_plain)(a, b, count, result);
}

void kernel_scale(bool wide, const float *a, float factor, uint32_t count, float *result) {
    (wide ? scale_wide : scale_plain)(a, factor, count, result);
}

void kernel_relu(bool wide, const float *a, uint32_t count, float *result) {
    (wide ? relu_wide : relu_plain)(a, count, result);
}

void kernel_softmax(bool wide, const float *a, uint32_t count, float *result) {
    (wide ? softmax_wide : softmax_plain)(a, count, result);
}

float kernel_dot(bool wide, const float *a, const float *b, uint32_t count) {
    return (wide ? dot_wide : dot_plain)(a, b, count);
}
