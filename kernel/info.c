/* See info.h. */
#include "kernel/info.h"

#include "kernel/cpu.h"
#include "kernel/guest.h"
#include "kernel/kmem.h"
#include "kernel/page.h"
#include "kernel/sched.h"
#include "lib/base/string.h"

void system_info(struct system_info *info) {
    memset(info, 0, sizeof(*info));
    info->cpus = machine.cpu_count;
    info->pages_total = page_total_count();
    info->pages_free = page_free_count();
    info->kernel_bytes = kmem_bytes();
    info->first_user_tsc = first_user_tsc;
    info->boot_tsc = machine.clock.tsc_base;
    page_nodes(info->nodes);
    for (unsigned i = 0; i < OBJECT_TYPES; i++)
        info->objects[i] = objects_live[i];
    for (unsigned i = 0; i < machine.cpu_count; i++) {
        const struct cpu_counters *from = &machine.cpus[i]->counters;
        info->context_switches += from->context_switches;
        info->page_table_switches += from->page_table_switches;
        info->page_faults += from->page_faults;
        info->reflections += from->reflections;
        info->idle_time += clock_ns(from->idle_time);
        info->kernel_entries += from->other_entries;
        for (unsigned n = 0; n < COUNTED_CALLS; n++)
            info->kernel_entries += from->calls[n];
        for (unsigned n = 0; n < COUNTED_VECTORS; n++)
            info->interrupts += from->vectors[n];
    }
}
