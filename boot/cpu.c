/* See cpu.h. */
#include "boot/cpu.h"

#include <stddef.h>

#include "boot/console.h"
#include "boot/io.h"
#include "boot/memory.h"
#include "lib/base/string.h"

enum register_name { EAX, EBX, ECX, EDX };

struct feature {
    uint32_t leaf, bit;
    enum register_name source;
    const char *name;
};

static const struct feature required[] = {
    {0x80000001, 20, EDX, "NX"}, {0x80000001, 11, EDX, "SYSCALL"}, {1, 13, EDX, "PGE"}, {1, 26, EDX, "SSE2"},
    {1, 26, ECX, "XSAVE"},       {7, 0, EBX, "FSGSBASE"},
};

enum {
    CR0_PE = 1 << 0,
    CR0_MP = 1 << 1,
    CR0_ET = 1 << 4,
    CR0_NE = 1 << 5,
    CR0_WP = 1 << 16,
    CR4_PAE = 1 << 5,
    CR4_PGE = 1 << 7,
    CR4_PCE = 1 << 8,
    CR4_OSFXSR = 1 << 9,
    CR4_OSXMMEXCPT = 1 << 10,
    CR4_UMIP = 1 << 11,
    CR4_FSGSBASE = 1 << 16,
    CR4_PCIDE = 1 << 17, /* in long mode only */
    CR4_OSXSAVE = 1 << 18,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,
    EFER_SCE = 1 << 0,
    EFER_LME = 1 << 8,
    EFER_LMA = 1 << 10,
    EFER_NXE = 1 << 11,
    XCR0_X87_SSE = 3,
    XCR0_AVX = 4,
    XCR0_AVX512 = 0xe0,
    MSR_EFER = 0xc0000080,
    MSR_ARCH_CAPABILITIES = 0x10a,
    RDCL_NO = 1,
    MSR_FIXED_COUNTERS = 0x38d,
    MSR_COUNTERS = 0x38f,
    FIXED_ALL_RINGS = 0x33, /* the first two: instructions, cycles */
};
#define CR0_PG       (1ULL << 31)
#define FIXED_COUNTS (3ULL << 32)

struct cpuid cpu_leaf(uint32_t leaf) {
    if (cpuid(leaf & 0x80000000, 0).eax < leaf)
        return (struct cpuid){0};
    return cpuid(leaf, 0);
}

static bool has_feature(const struct feature *feature) {
    struct cpuid out = cpu_leaf(feature->leaf);
    uint32_t registers[] = {out.eax, out.ebx, out.ecx, out.edx};
    return registers[feature->source] >> feature->bit & 1;
}

void cpu_check(void) {
    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        if (!has_feature(&required[i]))
            boot_fail("this CPU lacks %s (use -cpu max)", required[i].name);
}

/* The vector state the CPU can save, as far as Keel knows it; AVX-512 counts only as a whole and above AVX.
 */
static uint64_t vector_state(void) {
    uint32_t offered = cpuid(0xd, 0).eax;
    uint64_t state = XCR0_X87_SSE;
    if (offered & XCR0_AVX)
        state |= XCR0_AVX;
    if ((offered & XCR0_AVX) && (offered & XCR0_AVX512) == XCR0_AVX512)
        state |= XCR0_AVX512;
    return state;
}

static bool has_fixed_counters(void) {
    struct cpuid ten = cpu_leaf(10);
    return (ten.eax & 0xff) >= 2 && (ten.edx & 31) >= 2;
}

struct cpu_control cpu_control_values(bool counted) {
    struct cpuid seven = cpuid(7, 0);
    struct cpu_control control = {
        .cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE,
        .cr4 = CR4_PAE | CR4_PGE | CR4_FSGSBASE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE,
        .efer = EFER_SCE | EFER_LME | EFER_NXE,
        .xcr0 = vector_state(),
    };
    if (seven.ebx >> 7 & 1)
        control.cr4 |= CR4_SMEP;
    if (seven.ebx >> 20 & 1)
        control.cr4 |= CR4_SMAP;
    if (seven.ecx >> 2 & 1)
        control.cr4 |= CR4_UMIP;
    boot_info.has_smap = seven.ebx >> 20 & 1;
    boot_info.has_xsaveopt = cpuid(0xd, 1).eax & 1;
    if (counted && has_fixed_counters()) {
        control.cr4 |= CR4_PCE;
        control.counters = FIXED_COUNTS;
    }
    if (boot_info.has_pcid)
        control.cr4 |= CR4_PCIDE;
    if (boot_info.isolated) /* no translation of the kernel's may outlive a change of roots */
        control.cr4 &= ~(uint64_t)CR4_PGE;
    return control;
}

void cpu_control_load(const struct cpu_control *control) {
    __asm__ volatile("mov %0, %%cr0" : : "r"(control->cr0));
    __asm__ volatile("mov %0, %%cr4" : : "r"(control->cr4) : "memory");
    write_msr(MSR_EFER, control->efer | EFER_LMA); /* which some processors want to find as it is */
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)control->xcr0), "d"((uint32_t)(control->xcr0 >> 32)));
    if (control->counters) {
        write_msr(MSR_FIXED_COUNTERS, FIXED_ALL_RINGS);
        write_msr(MSR_COUNTERS, control->counters);
    }
}

uint32_t cpu_vector_bytes(void) {
    return cpuid(0xd, 0).ebx;
}

/* False when the generator has nothing at the moment. */
static bool read_rdrand(uint64_t *word) {
    bool ready;
    __asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ready));
    return ready;
}

static uint64_t random_seed;

void cpu_random_seed(uint64_t seed) {
    random_seed ^= seed;
}

uint64_t cpu_random(void) {
    uint64_t word = read_tsc() ^ random_seed, more;
    int tries = cpuid(1, 0).ecx >> 30 & 1 ? 100 : 0;

    for (; tries > 0; tries--)
        if (read_rdrand(&more)) {
            word ^= more;
            break;
        }
    word = (word ^ word >> 29) * 0xbf58476d1ce4e5b9ULL;
    random_seed = word;
    return (word ^ word >> 32) * 0x94d049bb133111ebULL;
}

bool cpu_leaks_kernel(void) {
    struct cpuid vendor = cpuid(0, 0);
    uint32_t name[] = {vendor.ebx, vendor.edx, vendor.ecx};

    if (!memcmp(name, "AuthenticAMD", 12) || !memcmp(name, "HygonGenuine", 12))
        return false;
    return !(cpu_leaf(7).edx >> 29 & 1 && read_msr(MSR_ARCH_CAPABILITIES) & RDCL_NO);
}

bool cpu_has_pcid(void) {
    return cpuid(1, 0).ecx >> 17 & 1;
}

bool cpu_has_invpcid(void) {
    return cpuid(7, 0).ebx >> 10 & 1;
}

bool cpu_has_mwait(void) {
    return cpuid(1, 0).ecx >> 3 & 1;
}

/* Leaf 5 has four bits for each state from C0 on: how many sub-states there are. The hint counts from C1. */
uint8_t cpu_idle_hint(void) {
    bool timer_goes_on = cpu_leaf(6).eax >> 2 & 1;
    bool clock_goes_on = cpu_leaf(0x80000007).edx >> 8 & 1;
    if (!cpu_has_mwait() || !timer_goes_on || !clock_goes_on)
        return 0;
    uint32_t states = cpuid(5, 0).edx;
    for (unsigned state = 7; state > 1; state--) {
        unsigned count = states >> 4 * state & 15;
        if (count)
            return (uint8_t)((state - 1) << 4 | (count - 1));
    }
    return 0;
}

bool cpu_is_virtual(void) {
    return cpuid(1, 0).ecx >> 31;
}

bool cpu_has_ns_timer(void) {
    if (!cpu_is_virtual())
        return false;
    struct cpuid out = cpuid(0x40000000, 0);
    uint32_t name[] = {out.ebx, out.ecx, out.edx};
    return !memcmp(name, "TCGTCGTCGTCG", 12) || !memcmp(name, "KVMKVMKVM\0\0\0", 12);
}
