/* What the processor must have, and the control registers all CPUs run the kernel with. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "boot/io.h"

struct cpu_control {
    uint64_t cr0, cr4, efer, xcr0;
    uint64_t counters; /* IA32_PERF_GLOBAL_CTRL: 0, or instructions and cycles are counted, and RDPMC tells */
};

/* What CPUID says in a leaf, of those from 0 or from 0x80000000 on; all 0 beyond the last that there is. */
struct cpuid cpu_leaf(uint32_t leaf);

/* Ends the boot with a message when the CPU lacks something Keel cannot do without. */
void cpu_check(void);

/* The values for this machine; the same on every CPU. counted: with hardware counters, where there are some.
 */
struct cpu_control cpu_control_values(bool counted);

/* Sets them on this CPU, in long mode. */
void cpu_control_load(const struct cpu_control *control);

/* How many bytes of vector state there are with them. */
uint32_t cpu_vector_bytes(void);

/* Whether user mode may read what page tables reserve for the kernel (CVE-2017-5754): on processors of every
 * maker but AMD and Hygon that do not say that they are immune. */
bool cpu_leaks_kernel(void);

/* Whether translations can be tagged with the root that they are of, and those of any tag flushed. */
bool cpu_has_pcid(void);
bool cpu_has_invpcid(void);

/* Whether MONITOR and MWAIT are there, and what MWAIT is told for the deepest state in which the clock and
 * the local APIC's timer go on. */
bool cpu_has_mwait(void);
uint8_t cpu_idle_hint(void);

/* True under a hypervisor (or emulator) that says so. */
bool cpu_is_virtual(void);
/* From RDRAND where there is one, the time, and what the firmware gave. */
uint64_t cpu_random(void);
void cpu_random_seed(uint64_t seed);
/* True when that one is QEMU's emulator or KVM, whose local APIC timer runs at exactly 1 GHz. */
bool cpu_has_ns_timer(void);
