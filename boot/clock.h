/* Time at boot: how fast the counters run, and what time it is. */
#pragma once

#include <stdint.h>

/* Fills boot_info.tsc_hz and lapic_hz. Enables the local APIC in xAPIC mode with its timer masked. Busy for
 * 20 µs to 10 ms unless CPUID knows the answer. */
void clock_calibrate(void);

/* The real-time clock as Unix time in ns (whole seconds); 0 when there is none or it is not set. */
uint64_t rtc_read(void);
