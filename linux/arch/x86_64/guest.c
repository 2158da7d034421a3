/* See linux/arch/guest.h. */
#include "linux/arch/guest.h"

#include "lib/keel/call.h"

/* As keel_guest_enter, but all registers that calls may change are lost: they hold the guest's values on
 * return. */
int64_t guest_run(uint64_t flags) {
    int64_t result;
    __asm__ volatile("syscall"
                     : "=a"(result), "+D"(flags)
                     : "a"(KEEL_CALL_guest_enter)
                     : "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "cc", "memory");
    return result;
}

uint64_t guest_fs_base(void) {
    uint64_t base;
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

uint64_t guest_gs_base(void) {
    uint64_t base;
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    return base;
}

void guest_bases_set(uint64_t fs, uint64_t gs) {
    __asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(fs), "r"(gs));
}
