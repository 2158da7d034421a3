/* Running the guest, and its segment bases, which stay live in the CPU. */
#pragma once

#include <stdint.h>

/* Runs the attached space from the UTCB's registers: an enum guest_exit, or a negative error. flags:
 * abi/utcb.h. */
int64_t guest_run(uint64_t flags);

uint64_t guest_fs_base(void);
uint64_t guest_gs_base(void);
void guest_bases_set(uint64_t fs, uint64_t gs);
