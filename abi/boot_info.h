/*
 * What a boot path hands to the kernel: one structure, in memory the kernel may read through its direct map
 * and must copy from before it frees it. Every address is physical unless it says otherwise.
 *
 * State at hand-over: 64-bit mode, interrupts off, 8259 masked, paging on with the kernel's final page
 * tables. direct_map_base + p maps every physical page p below direct_map_end (writable, no-execute, 1 GB / 2
 * MB pages); that base, DIRECT_MAP_BASE or a random GB above it, is a word of the image that the boot code
 * fills in. The kernel image is mapped by segment (text r-x, rodata r--, data and bss rw-) where it was
 * linked or, relocated, at a random page of the GB from KERNEL_BASE on. The low 4 GB are identity mapped for
 * the boot code; the kernel drops that (PML4 entry 0) first thing. EFER has SCE, LME, NXE; CR4 has PAE,
 * FSGSBASE, OSFXSR, OSXMMEXCPT, OSXSAVE, SMEP, SMAP and UMIP where present, and PGE, unless page tables are
 * isolated. The GDT has the segments of kernel/arch/x86_64/vectors.h and behind them a place for each CPU's
 * task state segment; its memory stays.
 * STAR, LSTAR, FMASK and the interrupt table are set; when page tables are isolated, the root is two pages,
 * and ISOLATED_BASE (vectors.h) is there. That table, the kernel's struct machine and its zones are filled,
 * and so are a struct cpu and a task state segment for each CPU (boot/handover.c). The kernel's entry is
 * called as entry(boot_info address in the direct map, cpu index) on a stack of the boot code; every
 * application processor spins until release != 0 and then does the same.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define DIRECT_MAP_BASE 0xffff800000000000ULL
#define KERNEL_BASE     0xffffffff80000000ULL
#define BOOT_MAGIC      0x4b45454c424f4f54ULL /* "KEELBOOT" */

enum {
    BOOT_MAX_RANGES = 64,
    BOOT_MAX_CPUS = 64,
    BOOT_MAX_SEGMENTS = 8,
    BOOT_MAX_OVERRIDES = 16,
    BOOT_LINES = 48,
    BOOT_PAGE_BYTES = 32 /* what the kernel notes per page */
};

enum boot_range_kind {
    BOOT_RANGE_FREE = 1,     /* usable at once */
    BOOT_RANGE_BOOT = 2,     /* boot code and boot_info: usable once the kernel has copied what it needs */
    BOOT_RANGE_KERNEL = 3,   /* kernel image and its page tables */
    BOOT_RANGE_ARCHIVE = 4,  /* the initial archive */
    BOOT_RANGE_FIRMWARE = 5, /* ACPI tables and other reserved memory: mapped, never allocated */
};

struct boot_range {
    uint64_t base, length; /* bytes, page-aligned (free ranges rounded inward); sorted, not overlapping */
    uint32_t kind;
    uint32_t node; /* NUMA node; 0 where unknown */
};

/* One loadable segment of the first user program (init), already in memory. */
struct boot_segment {
    uint64_t address;    /* user virtual address, page-aligned */
    uint64_t physical;   /* page-aligned copy, zero-filled to length */
    uint64_t length;     /* bytes, page-aligned */
    uint32_t protection; /* MAP_READ | MAP_WRITE | MAP_EXEC */
    uint32_t reserved;
};

struct boot_cpu {
    uint32_t apic_id;
    uint32_t node;
};

/* A linear framebuffer with direct colours that the firmware or the boot program set up. */
struct boot_framebuffer {
    uint64_t address;       /* physical; 0: there is none */
    uint32_t width, height; /* pixels */
    uint32_t pitch;         /* bytes from a line to the next */
    uint32_t bits;          /* per pixel */
    struct {
        uint8_t shift, bits; /* where in the pixel, little-endian, and how wide */
    } red, green, blue;
    uint16_t reserved;
};

struct boot_override { /* MADT interrupt source override */
    uint32_t irq, gsi;
    uint32_t active_low, level;
};

/* How an interrupt line reaches the I/O APIC: the index of its redirection register, and what to set in it;
 * 0: it does not. */
enum {
    BOOT_LINE_LOW = 0x2000,
    BOOT_LINE_LEVEL = 0x8000,
    BOOT_LINE_REGISTER = 24 /* shift */,
    BOOT_PINS = 120
};

struct boot_info {
    uint64_t magic;
    uint64_t canary;         /* random; the kernel takes it out */
    uint64_t direct_map_end; /* first physical address beyond the direct map */
    uint64_t kernel_physical, kernel_length;
    uint64_t page_table; /* PML4 */
    uint64_t archive, archive_length;
    uint64_t rsdp;                              /* 0 when there is none */
    uint64_t command_line, command_line_length; /* bytes, no terminating 0 counted */
    uint64_t tsc_hz;                            /* measured or from CPUID */
    uint64_t lapic_hz;                          /* LAPIC timer ticks per second with divisor 1 */
    uint64_t wall_ns;                           /* Unix time at boot from the RTC, ns; 0 when there is none */
    uint64_t entry_tsc;                         /* TSC at the boot path's first instruction */
    uint64_t lapic, ioapic;                     /* 0: none; the pins of the ioapic are masked */
    uint64_t clock_scale, timer_scale; /* ns per TSC tick, LAPIC timer ticks per ns; 32 fractional bits */
    uint64_t page_limit;               /* pages from 0 to the end of usable memory … */
    uint64_t page_array;               /* … and room for BOOT_PAGE_BYTES each, above 16 MB where possible */
    uint64_t copy,
        copy_length;   /* for the first program: pages with this structure and the command line behind */
    uint32_t fpu_size; /* bytes of vector state, as XCR0 enables it */
    bool has_smap, has_xsaveopt;
    bool isolated;              /* page tables: kernel/arch/x86_64/isolation.inc */
    bool idle_mwait;            /* idle CPUs use MWAIT … */
    uint8_t idle_hint;          /* … with this hint */
    bool has_pcid, has_invpcid; /* of use: kernel/tag.h */
    char panic_ending;          /* of the command line: the letter after panic=, or 0 … */
    uint32_t sched_policy;      /* … and a bit for each letter after sched=, its code modulo 32 */
    uint32_t ioapic_gsi_base;
    uint32_t cpu_count; /* the boot CPU is cpus[0] */
    uint32_t range_count, segment_count, override_count;
    volatile uint32_t release; /* the kernel sets 1 to let the application processors in */
    uint64_t init_entry;       /* user virtual address */
    uint64_t kernel_entry;     /* virtual */
    struct boot_framebuffer framebuffer;
    struct boot_range ranges[BOOT_MAX_RANGES];
    struct boot_cpu cpus[BOOT_MAX_CPUS];
    struct boot_segment segments[BOOT_MAX_SEGMENTS];
    struct boot_override overrides[BOOT_MAX_OVERRIDES];
    uint32_t lines[BOOT_LINES]; /* by ISA number below 16, else by global system interrupt */
};
