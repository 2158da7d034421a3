/* arch_prctl: the segment bases, which stay live in the CPU while the personality runs. */
#include "linux/arch/guest.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004 };

static int64_t base_out(uint64_t to, uint64_t base) {
    return guest_copy_out(to, &base, sizeof(base));
}

int64_t sys_arch_prctl(uint64_t code, uint64_t address) {
    switch ((uint32_t)code) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
        if (address >= GUEST_END)
            return -EPERM;
        if (code == ARCH_SET_FS)
            guest_bases_set(address, guest_gs_base());
        else
            guest_bases_set(guest_fs_base(), address);
        return 0;
    case ARCH_GET_FS:
        return base_out(address, guest_fs_base());
    case ARCH_GET_GS:
        return base_out(address, guest_gs_base());
    default:
        return -EINVAL;
    }
}
