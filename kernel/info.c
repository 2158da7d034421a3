/* See info.h. */
#include "kernel/info.h"

#include "kernel/cpu.h"
#include "kernel/guest.h"
#include "kernel/kmem.h"
#include "kernel/page.h"

uint64_t boot_tsc;

struct system_info system_info(void) {
    struct system_info info = {
        .cpus = cpu_count,
        .pages_total = page_total_count(),
        .pages_free = page_free_count(),
        .kernel_bytes = kmem_bytes(),
        .first_user_tsc = first_user_tsc,
        .boot_tsc = boot_tsc,
    };
    for (unsigned i = 0; i < OBJECT_TYPES; i++)
        info.objects[i] = objects_live[i];
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct cpu *cpu = cpus[i];
        info.context_switches += cpu->context_switches;
        info.page_table_switches += cpu->page_table_switches;
        info.page_faults += cpu->page_faults;
        info.interrupts += cpu->interrupts;
        info.kernel_entries += cpu->kernel_entries;
        info.reflections += cpu->reflections;
        info.idle_time += cpu->idle_time;
    }
    return info;
}
