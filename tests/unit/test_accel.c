/* sources: drivers/accel/work.c drivers/accel/kernels.c */
/* Matrix and vector work against plain sums in double precision, with and without AVX2, in steps of every
 * size; and what is refused. */
#include "drivers/accel/work.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum { MEMORY = 1 << 18, ROUNDS = 40, MOST = 70 };

static _Alignas(8) uint8_t memory[MEMORY];
static struct accel_request request;

static float *element(const struct accel_operand *operand, uint32_t row, uint32_t column) {
    return (float *)(memory + operand->offset) + row * operand->stride + column;
}

static int8_t *element_i8(const struct accel_operand *operand, uint32_t row, uint32_t column) {
    return (int8_t *)(memory + operand->offset) + row * operand->stride + column;
}

static int begin(struct accel_work *work, bool wide) {
    return accel_begin(work, &request, memory, sizeof memory, wide);
}

static void run(bool wide) {
    struct accel_work work;
    CHECK_EQ(begin(&work, wide), 0);
    CHECK_EQ(work.request.kind, ACCEL_CPU);
    uint32_t step = 1 + (uint32_t)rand() % 5000;
    while (!accel_step(&work, step))
        continue;
}

static uint32_t extent(void) {
    return 1 + (uint32_t)rand() % MOST;
}

static void fill(void) {
    for (uint32_t i = 0; i < MEMORY / sizeof(float); i++)
        ((float *)memory)[i] = (float)(rand() % 2001 - 1000) / 100;
}

static void request_make(uint32_t operation) {
    bool product = operation <= ACCEL_MULTIPLY_I8;
    request =
        (struct accel_request){.operation = operation, .rows = extent(), .columns = extent(), .factor = 2.5F};
    request.inner = product ? extent() : 0;
    request.a = (struct accel_operand){64, MOST + (uint64_t)rand() % 9};
    request.b = (struct accel_operand){64 + (80 << 10), MOST + (uint64_t)rand() % 9};
    request.result = (struct accel_operand){64 + (160 << 10), MOST + (uint64_t)rand() % 9};
}

/* e^x, without libm: the series for x / 1024, ten times squared. */
static double exact_exp(double x) {
    double y = x / 1024, sum = 1, term = 1;
    for (int i = 1; i < 12; i++)
        sum += term *= y / i;
    for (int i = 0; i < 10; i++)
        sum *= sum;
    return sum;
}

static void close_to(float found, double expected, double terms, double scale) {
    CHECK(fabs((double)found - expected) <= terms * scale * 0x1p-23);
}

static void products(bool wide) {
    request_make(ACCEL_MULTIPLY);
    fill();
    run(wide);
    for (uint32_t r = 0; r < request.rows; r++)
        for (uint32_t c = 0; c < request.columns; c++) {
            double sum = 0, scale = 0;
            for (uint32_t k = 0; k < request.inner; k++) {
                double term = (double)*element(&request.a, r, k) * (double)*element(&request.b, k, c);
                sum += term;
                scale += fabs(term);
            }
            close_to(*element(&request.result, r, c), sum, request.inner, scale);
        }
}

static void products_i8(bool wide) {
    request_make(ACCEL_MULTIPLY_I8);
    for (uint32_t i = 0; i < MEMORY; i++)
        memory[i] = (uint8_t)(rand() % 4 ? rand() : 128);
    run(wide);
    for (uint32_t r = 0; r < request.rows; r++)
        for (uint32_t c = 0; c < request.columns; c++) {
            int32_t sum = 0, found;
            for (uint32_t k = 0; k < request.inner; k++)
                sum += *element_i8(&request.a, r, k) * *element_i8(&request.b, k, c);
            memcpy(&found, element(&request.result, r, c), sizeof found);
            CHECK_EQ(found, sum);
        }
}

static void softmax_row(uint32_t r) {
    double sum = 0, most = -1e9;
    for (uint32_t c = 0; c < request.columns; c++)
        most = (double)*element(&request.a, r, c) > most ? (double)*element(&request.a, r, c) : most;
    for (uint32_t c = 0; c < request.columns; c++)
        sum += exact_exp((double)*element(&request.a, r, c) - most);
    for (uint32_t c = 0; c < request.columns; c++) {
        double exact = exact_exp((double)*element(&request.a, r, c) - most) / sum;
        close_to(*element(&request.result, r, c), exact, request.columns + 8.0, exact);
    }
}

static void vector_row(uint32_t r) {
    double sum = 0, scale = 0;
    if (request.operation == ACCEL_SOFTMAX)
        softmax_row(r);
    for (uint32_t c = 0; c < request.columns; c++) {
        float a = *element(&request.a, r, c), b = *element(&request.b, r, c),
              found = *element(&request.result, r, c);
        sum += (double)a * (double)b;
        scale += fabs((double)a * (double)b);
        if (request.operation == ACCEL_ADD)
            CHECK(found == a + b);
        if (request.operation == ACCEL_SCALE)
            CHECK(found == a * request.factor);
        if (request.operation == ACCEL_RELU)
            CHECK(found == (a < 0 ? 0 : a));
    }
    if (request.operation == ACCEL_DOT)
        close_to(*element(&request.result, r, 0), sum, request.columns, scale);
}

static void vectors(bool wide) {
    for (uint32_t operation = ACCEL_ADD; operation <= ACCEL_DOT; operation++) {
        request_make(operation);
        fill();
        run(wide);
        for (uint32_t r = 0; r < request.rows; r++)
            vector_row(r);
    }
}

TEST(results) {
    srand(3);
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool wide = accel_wide() && i % 2;
        products(wide);
        products_i8(wide);
        vectors(wide);
    }
}

TEST(far_apart) {
    request_make(ACCEL_SOFTMAX);
    request.rows = 1;
    request.columns = 3;
    *element(&request.a, 0, 0) = -300;
    *element(&request.a, 0, 1) = 1000;
    *element(&request.a, 0, 2) = -INFINITY;
    run(false);
    CHECK(*element(&request.result, 0, 0) == 0 && *element(&request.result, 0, 1) == 1 &&
          *element(&request.result, 0, 2) == 0);
    *element(&request.a, 0, 0) = NAN;
    run(false);
    CHECK(isnan(*element(&request.result, 0, 0)));
}

TEST(in_place) {
    request_make(ACCEL_RELU);
    request.result = request.a;
    fill();
    run(accel_wide());
    for (uint32_t c = 0; c < request.columns; c++)
        CHECK(*element(&request.a, 0, c) >= 0);
}

static void refused(int error) {
    struct accel_work work;
    CHECK_EQ(begin(&work, false), error);
    request_make(ACCEL_MULTIPLY);
    request.rows = request.columns = request.inner = 4;
}

TEST(refusals) {
    request_make(ACCEL_MULTIPLY);
    request.rows = request.columns = request.inner = 4;
    request.operation = 0, refused(-EINVAL);
    request.operation = ACCEL_DOT + 1, refused(-EINVAL);
    request.kind = ACCEL_TPU + 1, refused(-EINVAL);
    request.flags = 2, refused(-EINVAL);
    request.reserved = 1, refused(-EINVAL);
    request.rows = 0, refused(-EINVAL);
    request.columns = ACCEL_EXTENT_MOST + 1, refused(-EINVAL);
    request.inner = 0, refused(-EINVAL);
    request.operation = ACCEL_ADD, refused(-EINVAL); /* with an inner extent */
    request.operation = ACCEL_MULTIPLY_I8, request.inner = ACCEL_INNER_I8 + 1, refused(-EINVAL);
    request.a.offset = 2, refused(-EINVAL);
    request.a.stride = 3, refused(-EINVAL);
    request.a.stride = MEMORY, refused(-EFAULT);
    request.a.stride = UINT64_MAX / 4, refused(-EFAULT);
    request.b.offset = UINT64_MAX - 3, refused(-EFAULT);
    request.b.offset = MEMORY, refused(-EFAULT);
    request.result.offset = MEMORY - 4, refused(-EFAULT);
    request.result = request.a, refused(-EINVAL);
    request.result.offset = request.b.offset + 4, refused(-EINVAL);
    request.kind = ACCEL_NPU, refused(-ENODEV);
    request.kind = ACCEL_GPU, request.flags = ACCEL_FALLBACK, refused(0);
    request.kind = ACCEL_CPU, refused(0);
}

TEST_MAIN();
