/* /proc/cpuinfo of an x86-64 processor, from CPUID. */
#include "lib/base/string.h"
#include "linux/fs/proc_internal.h"
#include "linux/platform.h"
#include "linux/system.h"

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf) {
    struct cpuid r;
    __asm__("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

/* Names of feature bits in Linux's order, "" for bits without one. */
static const char *const flags_1_edx[32] = {"fpu",  "vme",   "de",   "pse",     "tsc",  "msr", "pae",  "mce",
                                            "cx8",  "apic",  "",     "sep",     "mtrr", "pge", "mca",  "cmov",
                                            "pat",  "pse36", "pn",   "clflush", "",     "dts", "acpi", "mmx",
                                            "fxsr", "sse",   "sse2", "ss",      "ht",   "tm",  "ia64", "pbe"};
static const char *const flags_1_ecx[32] = {"pni",    "pclmulqdq", "dtes64", "monitor", "ds_cpl",
                                            "vmx",    "smx",       "est",    "tm2",     "ssse3",
                                            "cid",    "sdbg",      "fma",    "cx16",    "xtpr",
                                            "pdcm",   "",          "pcid",   "dca",     "sse4_1",
                                            "sse4_2", "x2apic",    "movbe",  "popcnt",  "tsc_deadline_timer",
                                            "aes",    "xsave",     "",       "avx",     "f16c",
                                            "rdrand", "hypervisor"};
static const char *const flags_81_edx[32] = {
    [11] = "syscall", [20] = "nx",     [22] = "mmxext", [25] = "fxsr_opt",
    [26] = "pdpe1gb", [27] = "rdtscp", [29] = "lm"};
static const char *const flags_81_ecx[32] = {
    "lahf_lm", "cmp_legacy", "svm", "extapic", "cr8_legacy", "abm", "sse4a", "misalignsse", "3dnowprefetch"};
static const char *const flags_7_ebx[32] = {
    [0] = "fsgsbase", [1] = "tsc_adjust", [3] = "bmi1",        [5] = "avx2",     [7] = "smep",
    [8] = "bmi2",     [9] = "erms",       [10] = "invpcid",    [16] = "avx512f", [18] = "rdseed",
    [19] = "adx",     [20] = "smap",      [23] = "clflushopt", [24] = "clwb",    [29] = "sha_ni"};
static const char *const flags_7_ecx[32] = {
    [2] = "umip", [3] = "pku", [4] = "ospke", [16] = "la57", [22] = "rdpid"};

static void add_flags(struct text *text, const char *const names[32], uint32_t bits) {
    for (unsigned i = 0; i < 32; i++)
        if (bits >> i & 1 && names[i] && names[i][0])
            text_add(text, " %s", names[i]);
}

static void add_all_flags(struct text *text) {
    struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0), extended = cpuid(0x80000001, 0);
    add_flags(text, flags_1_edx, one.edx);
    add_flags(text, flags_81_edx, extended.edx);
    text_add(text, " constant_tsc rep_good nopl cpuid");
    add_flags(text, flags_1_ecx, one.ecx);
    add_flags(text, flags_81_ecx, extended.ecx);
    add_flags(text, flags_7_ebx, seven.ebx);
    add_flags(text, flags_7_ecx, seven.ecx);
}

/* The processor's name without the blanks in front that some have. */
static void add_name(struct text *text) {
    char name[49] = "";
    const char *shown = name;
    for (uint32_t i = 0; i < 3 && cpuid(0x80000000, 0).eax >= 0x80000004; i++) {
        struct cpuid part = cpuid(0x80000002 + i, 0);
        memcpy(name + 16 * i, &part, 16);
    }
    while (*shown == ' ')
        shown++;
    text_add(text, "model name\t: %s\n", *shown ? shown : "unknown");
}

static void add_identity(struct text *text) {
    struct cpuid zero = cpuid(0, 0), one = cpuid(1, 0);
    char vendor[13] = "";
    memcpy(vendor, &zero.ebx, 4);
    memcpy(vendor + 4, &zero.edx, 4);
    memcpy(vendor + 8, &zero.ecx, 4);
    uint32_t family = one.eax >> 8 & 15, model = one.eax >> 4 & 15;
    if (family == 6 || family == 15)
        model |= (one.eax >> 16 & 15) << 4;
    if (family == 15)
        family += one.eax >> 20 & 255;
    text_add(text, "vendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n", vendor, family, model);
    add_name(text);
    text_add(text, "stepping\t: %u\nmicrocode\t: 0x1\n", one.eax & 15);
}

int proc_show_cpuinfo(const struct proc_ref *ref, struct text *text) {
    struct cpuid addresses = cpuid(0x80000008, 0);
    struct task *task = task_current();
    uint64_t hz = task && task->utcb ? task->utcb->clock.tsc_hz : 0;
    unsigned khz = (unsigned)(hz / 1000), cpus = system_cpus();
    (void)ref;
    for (unsigned i = 0; i < cpus; i++) {
        text_add(text, "processor\t: %u\n", i);
        add_identity(text);
        text_add(text, "cpu MHz\t\t: %u.%03u\ncache size\t: 512 KB\nphysical id\t: 0\n", khz / 1000,
                 khz % 1000);
        text_add(text,
                 "siblings\t: %u\ncore id\t\t: %u\ncpu cores\t: %u\napicid\t\t: %u\ninitial apicid\t: %u\n",
                 cpus, i, cpus, i, i);
        text_add(text, "fpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\nwp\t\t: yes\nflags\t\t:",
                 cpuid(0, 0).eax);
        add_all_flags(text);
        text_add(text, "\nbugs\t\t:\nbogomips\t: %u.%02u\nclflush size\t: 64\ncache_alignment\t: 64\n",
                 khz / 500, khz / 5 % 100);
        text_add(text, "address sizes\t: %u bits physical, %u bits virtual\npower management:\n\n",
                 addresses.eax & 255, addresses.eax >> 8 & 255);
    }
    return 0;
}
