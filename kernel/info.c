/* See info.h. */
#include "kernel/info.h"

#include "kernel/cpu.h"
#include "kernel/guest.h"
#include "kernel/kmem.h"
#include "kernel/page.h"
#include "kernel/sched.h"
#include "lib/base/string.h"

enum {
    SUMS =
        (offsetof(struct cpu_counters, calls) - offsetof(struct cpu_counters, reflections)) / sizeof(uint64_t)
};
_Static_assert(offsetof(struct system_info, interrupts) - offsetof(struct system_info, reflections) ==
                   SUMS * sizeof(uint64_t),
               "abi/objects.h");

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
        for (unsigned n = 0; n < SUMS; n++)
            (&info->reflections)[n] += (&from->reflections)[n];
        for (unsigned n = 0; n < COUNTED_CALLS; n++)
            info->kernel_entries += from->calls[n];
        for (unsigned n = 0; n < COUNTED_VECTORS; n++)
            info->interrupts += from->vectors[n];
    }
}
