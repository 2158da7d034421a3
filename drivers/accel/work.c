/* See work.h: what is checked, and where the steps are cut. */
#include "drivers/accel/work.h"

#include "abi/errors.h"
#include "drivers/accel/kernels.h"

/* How large the operands of an operation are; 0 rows: it has none. */
struct shape {
    uint32_t rows, columns, size; /* size of an element in bytes */
};

struct shapes {
    struct shape a, b, result;
};

static bool is_product(uint32_t operation) {
    return operation == ACCEL_MULTIPLY || operation == ACCEL_MULTIPLY_I8;
}

static struct shapes shapes_of(const struct accel_request *request) {
    struct shape whole = {request->rows, request->columns, sizeof(float)}, none = {0, 0, 1};
    uint32_t from = request->operation == ACCEL_MULTIPLY_I8 ? sizeof(int8_t) : sizeof(float);
    if (is_product(request->operation))
        return (struct shapes){
            {request->rows, request->inner, from}, {request->inner, request->columns, from}, whole};
    bool two = request->operation == ACCEL_ADD || request->operation == ACCEL_DOT;
    struct shape result = {request->rows, request->operation == ACCEL_DOT ? 1 : request->columns,
                           sizeof(float)};
    return (struct shapes){whole, two ? whole : none, result};
}

/* The bytes [offset, *end) that an operand takes. Nothing here overflows: rows and columns have 18 bits, a
 * stride is at most the memory's length. */
static int operand_check(const struct accel_operand *operand, const struct shape *shape, uint64_t length,
                         uint64_t *end) {
    *end = operand->offset;
    if (shape->rows == 0)
        return 0;
    if (operand->offset % shape->size || (shape->rows > 1 && operand->stride < shape->columns))
        return -EINVAL;
    if (operand->offset > length || (shape->rows > 1 && operand->stride > length))
        return -EFAULT;
    uint64_t apart = shape->rows > 1 ? (uint64_t)(shape->rows - 1) * operand->stride : 0, extent;
    if (__builtin_mul_overflow(apart + shape->columns, shape->size, &extent) ||
        extent > length - operand->offset)
        return -EFAULT;
    *end = operand->offset + extent;
    return 0;
}

static bool same_place(const struct accel_operand *one, const struct accel_operand *other, uint32_t rows) {
    return one->offset == other->offset && (rows == 1 || one->stride == other->stride);
}

static int operands_check(const struct accel_request *request, uint64_t length) {
    const struct shapes shapes = shapes_of(request);
    uint64_t a, b, result;
    int error = operand_check(&request->a, &shapes.a, length, &a);
    if (!error)
        error = operand_check(&request->b, &shapes.b, length, &b);
    if (!error)
        error = operand_check(&request->result, &shapes.result, length, &result);
    if (error)
        return error;
    bool in_place = !is_product(request->operation) && request->operation != ACCEL_DOT &&
                    same_place(&request->a, &request->result, request->rows);
    bool over_a = request->result.offset < a && request->a.offset < result;
    bool over_b = shapes.b.rows && request->result.offset < b && request->b.offset < result;
    return (over_a && !in_place) || over_b ? -EINVAL : 0;
}

static bool extent_valid(uint32_t extent) {
    return extent >= 1 && extent <= ACCEL_EXTENT_MOST;
}

int accel_begin(struct accel_work *work, const struct accel_request *request, uint8_t *memory,
                uint64_t length, bool wide) {
    if (request->operation < ACCEL_MULTIPLY || request->operation > ACCEL_DOT || request->kind > ACCEL_TPU ||
        request->flags & ~(uint32_t)ACCEL_FALLBACK || request->reserved || !extent_valid(request->rows) ||
        !extent_valid(request->columns) ||
        (is_product(request->operation) ? !extent_valid(request->inner) : request->inner != 0))
        return -EINVAL;
    if (request->operation == ACCEL_MULTIPLY_I8 && request->inner > ACCEL_INNER_I8)
        return -EINVAL;
    int error = operands_check(request, length);
    if (error)
        return error;
    if (request->kind > ACCEL_CPU && !(request->flags & ACCEL_FALLBACK))
        return -ENODEV;
    *work = (struct accel_work){.request = *request, .memory = memory, .wide = wide};
    work->request.kind = ACCEL_CPU;
    if (!shapes_of(request).b.rows) /* not checked, and not used */
        work->request.b = (struct accel_operand){0};
    return 0;
}

/* ---- steps ---- */

static void *at(const struct accel_work *work, const struct accel_operand *operand, uint64_t row,
                uint64_t column, uint64_t size) {
    return work->memory + operand->offset + (row * operand->stride + column) * size;
}

static void block_run(const struct accel_work *work, uint32_t columns) {
    const struct accel_request *request = &work->request;
    uint64_t from = request->operation == ACCEL_MULTIPLY_I8 ? sizeof(int8_t) : sizeof(float);
    const void *a = at(work, &request->a, work->row, 0, from),
               *b = at(work, &request->b, 0, work->column, from);
    void *result = at(work, &request->result, work->row, work->column, sizeof(float));
    if (request->operation == ACCEL_MULTIPLY_I8)
        kernel_product_i8(work->wide, a, b, request->b.stride, request->inner, columns, result);
    else
        kernel_product(work->wide, a, b, request->b.stride, request->inner, columns, result);
}

static void row_run(const struct accel_work *work) {
    const struct accel_request *request = &work->request;
    const float *a = at(work, &request->a, work->row, 0, sizeof(float));
    const float *b = at(work, &request->b, work->row, 0, sizeof(float));
    float *result = at(work, &request->result, work->row, 0, sizeof(float));
    switch (request->operation) {
    case ACCEL_ADD:
        kernel_add(work->wide, a, b, request->columns, result);
        break;
    case ACCEL_SCALE:
        kernel_scale(work->wide, a, request->factor, request->columns, result);
        break;
    case ACCEL_RELU:
        kernel_relu(work->wide, a, request->columns, result);
        break;
    case ACCEL_SOFTMAX:
        kernel_softmax(work->wide, a, request->columns, result);
        break;
    case ACCEL_DOT:
        *result = kernel_dot(work->wide, a, b, request->columns);
        break;
    }
}

/* A row, or a block of one of a product's; what it costs. */
static uint64_t piece_run(struct accel_work *work) {
    const struct accel_request *request = &work->request;
    if (!is_product(request->operation)) {
        row_run(work);
        work->row++;
        return request->columns;
    }
    uint32_t left = request->columns - work->column, columns = left < KERNEL_BLOCK ? left : KERNEL_BLOCK;
    block_run(work, columns);
    work->column += columns;
    if (work->column == request->columns) {
        work->column = 0;
        work->row++;
    }
    return (uint64_t)columns * request->inner;
}

bool accel_step(struct accel_work *work, uint32_t elements) {
    for (uint64_t done = 0; work->row < work->request.rows && done < elements;)
        done += piece_run(work);
    return work->row == work->request.rows;
}
