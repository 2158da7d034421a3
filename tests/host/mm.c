/* A program of the host without address spaces of tasks (linux/task/mm.h) has no memory that was never
 * touched. */
#include "linux/task/mm.h"

__attribute__((weak)) bool mm_ready(uint64_t address, uint64_t length) {
    (void)address;
    (void)length;
    return false;
}
