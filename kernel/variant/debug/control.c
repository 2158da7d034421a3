/* debug_control: what tests ask of the debug kernel (abi/debug.h). */
#include "abi/errors.h"
#include "arch.h"
#include "provoke.h"
#include "stretch.h"
#include "variant.h"

static struct debug_protection protection_now(void) {
    enum { MSR_EFER = 0xc0000080 };
    struct debug_protection now;
    uint32_t a = 7, b, c = 0, d, low, high;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    now.smep = b >> 7 & 1;
    now.smap = b >> 20 & 1;
    now.umip = c >> 2 & 1;
    __asm__ volatile("mov %%cr0, %0" : "=r"(now.cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(now.cr4));
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
    now.efer = (uint64_t)high << 32 | low;
    return now;
}

int64_t debug_control(uint64_t what, uint64_t argument) {
    switch (what) {
    case DEBUG_STRETCH: {
        struct debug_stretch longest = debug_stretch_longest();
        return user_copy_out(argument, &longest, sizeof(longest)) ? -EFAULT : 0;
    }
    case DEBUG_STRETCH_RESET:
        debug_stretch_reset();
        return 0;
    case DEBUG_PROTECTION: {
        struct debug_protection now = protection_now();
        return user_copy_out(argument, &now, sizeof(now)) ? -EFAULT : 0;
    }
    default:
        return argument == DEBUG_PROVOKE ? debug_provoke(what) : -EINVAL;
    }
}
