/*
 * See paging.h. The tables lie below 4 GB and are written through the identity map. The direct map has 1 GB
 * pages where the CPU has them, else 2 MB; what memory type a page really has is left to the MTRRs the
 * firmware set. The identity map is the one entry.S made: it belongs to the boot image and goes with it.
 */
#include "boot/paging.h"

#include "abi/boot_info.h"
#include "boot/console.h"
#include "boot/cpu.h"
#include "boot/io.h"
#include "boot/memory.h"
#include "lib/base/string.h"

#define ENTRY_PRESENT    1ULL
#define ENTRY_WRITE      2ULL
#define ENTRY_LARGE      0x80ULL
#define ENTRY_GLOBAL     0x100ULL
#define ENTRY_NO_EXECUTE (1ULL << 63)
#define ENTRY_ADDRESS    0x000ffffffffff000ULL

/* The first address of the kernel's half that the direct map leaves alone: the image's 512 GB. */
#define DIRECT_MAP_LIMIT 0xffffff8000000000ULL
#define DIRECT_MAP_ALIGN (1ULL << 30)

extern uint64_t boot_identity[512];

static uint64_t direct_map_base = DIRECT_MAP_BASE;

uint64_t direct_map(uint64_t physical) {
    return direct_map_base + physical;
}

static uint64_t *table_new(void) {
    uint64_t *table = (uint64_t *)memory_take(1, BOOT_RANGE_KERNEL);
    memset(table, 0, PAGE_SIZE);
    return table;
}

/* The root: one page, or two where the first has bit 12 clear in its address, the second for user mode. */
static uint64_t root_new(void) {
    if (!boot_info.isolated)
        return (uint64_t)table_new();
    uint64_t root = (memory_take(3, BOOT_RANGE_KERNEL) + PAGE_SIZE) & -(2ULL * PAGE_SIZE);
    memset((void *)root, 0, 2 * PAGE_SIZE);
    return root;
}

/* The table that holds the entry for address at a level: 1 for 4 KB pages, 2 for 2 MB, 3 for 1 GB. */
static uint64_t *table_for(uint64_t address, int level) {
    uint64_t *table = (uint64_t *)boot_info.page_table;
    for (int at = 4; at > level; at--) {
        uint64_t *entry = &table[address >> (12 + 9 * (at - 1)) & 511];
        if (!*entry)
            *entry = (uint64_t)table_new() | ENTRY_PRESENT | ENTRY_WRITE;
        table = (uint64_t *)(*entry & ENTRY_ADDRESS);
    }
    return table;
}

static void map_direct(int level) {
    const uint64_t step = 1ULL << (12 + 9 * (level - 1));
    const uint64_t flags = ENTRY_PRESENT | ENTRY_WRITE | ENTRY_LARGE | ENTRY_GLOBAL | ENTRY_NO_EXECUTE;
    uint64_t physical = 0;

    while (physical < boot_info.direct_map_end) {
        uint64_t *table = table_for(direct_map(physical), level);
        uint64_t index = direct_map(physical) >> (12 + 9 * (level - 1)) & 511;
        for (; index < 512 && physical < boot_info.direct_map_end; index++, physical += step)
            table[index] = physical | flags;
    }
}

static int direct_map_level(void) {
    return cpuid(0x80000001, 0).edx >> 26 & 1 ? 3 : 2;
}

void paging_init(bool random) {
    if (random)
        direct_map_base +=
            cpu_random() %
            ((DIRECT_MAP_LIMIT - DIRECT_MAP_BASE - boot_info.direct_map_end) / DIRECT_MAP_ALIGN) *
            DIRECT_MAP_ALIGN;
    boot_info.page_table = root_new();
    *(uint64_t *)boot_info.page_table = (uint64_t)boot_identity | ENTRY_PRESENT | ENTRY_WRITE;
    map_direct(direct_map_level());
}

void paging_map(uint64_t address, uint64_t physical, enum page_flags flags) {
    uint64_t *entry = &table_for(address, 1)[address >> 12 & 511];
    if (*entry)
        boot_fail("the kernel image wants the page at 0x%lx twice", address);
    *entry = physical | ENTRY_PRESENT | ENTRY_GLOBAL;
    if (flags & PAGE_WRITE)
        *entry |= ENTRY_WRITE;
    if (!(flags & PAGE_EXECUTE))
        *entry |= ENTRY_NO_EXECUTE;
}

void paging_share(uint64_t address) {
    unsigned top = address >> 39 & 511, next = address >> 30 & 511;
    uint64_t *user = (uint64_t *)(boot_info.page_table + PAGE_SIZE), *table = table_new();

    table[next] = table_for(address, 3)[next];
    user[top] = (uint64_t)table | ENTRY_PRESENT | ENTRY_WRITE;
}

void paging_load(void) {
    __asm__ volatile("mov %0, %%cr3" : : "r"(boot_info.page_table) : "memory");
}
