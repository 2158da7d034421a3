/* A socket's filter as a program hands it over. */
#include "abi/errors.h"
#include "linux/heap.h"
#include "linux/net/filter.h"
#include "linux/platform.h"

int64_t filter_take(uint64_t from, uint32_t length, struct filter **taken) {
    struct sock_fprog program;
    if (length != sizeof program)
        return -EINVAL;
    if (guest_copy_in(&program, from, sizeof program) < 0)
        return -EFAULT;
    if (program.length == 0 || program.length > BPF_MAXINSNS)
        return -EINVAL;
    size_t size = program.length * sizeof(struct sock_filter);
    struct filter *filter = heap_alloc(sizeof *filter + size);
    if (!filter)
        return -ENOMEM;
    filter->length = program.length;
    int64_t error = guest_copy_in(filter->instructions, program.instructions, size);
    if (!error)
        error = filter_check(filter->instructions, filter->length);
    if (error)
        heap_free(filter);
    else
        *taken = filter;
    return error;
}
