/* What programs of the host need that take only a part of the personality: no memory of a task that was never
 * touched (linux/task/mm.h), and one CPU. */
#include "linux/system.h"
#include "linux/task/mm.h"

__attribute__((weak)) bool mm_ready(uint64_t address, uint64_t length) {
    (void)address;
    (void)length;
    return false;
}

__attribute__((weak)) bool mm_page_in(uint64_t address, bool write) {
    (void)address;
    (void)write;
    return false;
}

__attribute__((weak)) uint32_t system_cpus(void) {
    return 1;
}
