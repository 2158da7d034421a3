/* What is one per container: its names, its counters, where it came from. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "abi/objects.h"
#include "linux/abi/uname.h"
#include "linux/lock.h"

/* Handles from init; HANDLE_NONE where not given. */
struct system_handles {
    handle_t job, process, log, info, debug, root;
};
extern struct system_handles system_handles;

extern struct utsname64 system_names; /* system_lock guards nodename and domainname */
extern struct mutex system_lock;

/* /proc/sys/kernel/randomize_va_space: 0 programs lie where they always do, 1 at random places, 2 their heaps
 * too. */
extern _Atomic unsigned system_randomize;

/* The kernel's command line; "" until it is read. */
extern const char *system_command_line;

/* The kernel's counters: 0, or a negative error (zeroed then). */
int system_counters(struct system_info *info);

/* Sets what the kernel traces on a CPU (or TRACE_KEEP) and copies the start of its struct trace_block
 * (abi/trace.h). 0 or a negative error. */
int system_trace(uint32_t cpu, uint64_t mask, void *to, size_t length);

/* CPUs that may run the container's threads. */
uint32_t system_cpus(void);

/* Memory of the container in bytes: its job's limit when it has one, else the machine's; and what is free of
 * it. */
void system_memory(uint64_t *total, uint64_t *free);
