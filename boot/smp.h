/* Starting the application processors. */
#pragma once

#include <stdint.h>

#include "boot/cpu.h"

/*
 * Wakes every CPU of boot_info.cpus but the first. They load the final page tables, set what the first has
 * set, with these control values, which stay, and wait at gate: an address in the kernel's half, where their
 * waiting loop gets mapped, so that the kernel may drop the identity map while they still wait. Needs tsc_hz.
 */
void smp_start(const struct cpu_control *values, uint64_t gate);

/* Waits, at most a second, for those CPUs; those that did not come leave boot_info.cpus and will never run.
 */
void smp_finish(void);
