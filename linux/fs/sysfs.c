/*
 * /sys: what libraries and tools look up there about processors and memory nodes, and the directories whose
 * absence they take for an old kernel. The tables and the machinery are procfs's (proc_internal.h); a
 * reference's fd is the processor's number.
 */
#include "abi/errors.h"
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/mount.h"
#include "linux/fs/proc_internal.h"
#include "linux/fs/uevent.h"
#include "linux/platform.h"
#include "linux/system.h"

enum { FILE_R = S_IFREG | 0444, DIRECTORY = S_IFDIR | 0755, CPUS_MOST = 64, MASK_BITS = 32 };

/* ---- texts ---- */

/* A file whose text is one constant line. */
#define CONSTANT(function, line)                                                                             \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        (void)ref;                                                                                           \
        text_add(text, line "\n");                                                                           \
        return 0;                                                                                            \
    }

CONSTANT(show_empty, "")
CONSTANT(show_zero, "0")
CONSTANT(show_kernel_max, "63")
CONSTANT(show_never, "always madvise [never]")

/* Processors as a list of ranges, "0-3". */
static int show_cpu_list(const struct proc_ref *ref, struct text *text) {
    uint32_t last = system_cpus() - 1;
    (void)ref;
    text_add(text, last ? "0-%u\n" : "0\n", last);
    return 0;
}

/* The same as a mask, in groups of 32 bits. */
static int show_cpu_mask(const struct proc_ref *ref, struct text *text) {
    uint32_t cpus = system_cpus();
    uint64_t mask = cpus >= CPUS_MOST ? UINT64_MAX : (1ULL << cpus) - 1;
    (void)ref;
    if (cpus > MASK_BITS)
        text_add(text, "%x,%08x\n", (unsigned)(mask >> MASK_BITS), (unsigned)mask);
    else
        text_add(text, "%x\n", (unsigned)mask);
    return 0;
}

static int show_own_number(const struct proc_ref *ref, struct text *text) {
    text_add(text, "%d\n", ref->fd);
    return 0;
}

static int show_own_mask(const struct proc_ref *ref, struct text *text) {
    unsigned bit = 1U << ref->fd % MASK_BITS;
    text_add(text, ref->fd >= MASK_BITS ? "%x,00000000\n" : "%x\n", bit);
    return 0;
}

/* Nodes with memory; one when the personality may not know. */
static uint32_t node_count(void) {
    struct system_info info;
    uint32_t count = 0;
    if (!system_counters(&info))
        for (uint32_t i = 0; i < NODES_MOST; i++)
            count = info.nodes[i].pages ? i + 1 : count;
    return count ? count : 1;
}

/* On a single node what the job may use counts, as in /proc/meminfo. */
static int show_node_memory(const struct proc_ref *ref, struct text *text) {
    unsigned node = (unsigned)ref->fd;
    uint64_t total, free;
    struct system_info info;
    system_memory(&total, &free);
    if (node_count() > 1 && !system_counters(&info)) {
        total = info.nodes[node].pages * PAGE_SIZE;
        free = info.nodes[node].free * PAGE_SIZE;
    }
    text_add(text, "Node %u MemTotal:       %llu kB\n", node, (unsigned long long)total / 1024);
    text_add(text, "Node %u MemFree:        %llu kB\n", node, (unsigned long long)free / 1024);
    text_add(text, "Node %u MemUsed:        %llu kB\n", node, (unsigned long long)(total - free) / 1024);
    return 0;
}

static int show_node_list(const struct proc_ref *ref, struct text *text) {
    uint32_t count = node_count();
    (void)ref;
    if (count > 1)
        text_add(text, "0-%u\n", count - 1);
    else
        text_add(text, "0\n");
    return 0;
}

/* ---- a directory per processor ---- */

static const struct proc_node topology_children[] = {
    {.name = "core_cpus", .mode = FILE_R, .show = show_own_mask},
    {.name = "core_cpus_list", .mode = FILE_R, .show = show_own_number},
    {.name = "core_id", .mode = FILE_R, .show = show_own_number},
    {.name = "core_siblings", .mode = FILE_R, .show = show_cpu_mask},
    {.name = "core_siblings_list", .mode = FILE_R, .show = show_cpu_list},
    {.name = "die_id", .mode = FILE_R, .show = show_zero},
    {.name = "package_cpus", .mode = FILE_R, .show = show_cpu_mask},
    {.name = "package_cpus_list", .mode = FILE_R, .show = show_cpu_list},
    {.name = "physical_package_id", .mode = FILE_R, .show = show_zero},
    {.name = "thread_siblings", .mode = FILE_R, .show = show_own_mask},
    {.name = "thread_siblings_list", .mode = FILE_R, .show = show_own_number},
};

static const struct proc_node one_cpu_children[] = {
    {.name = "topology",
     .mode = DIRECTORY,
     .children = topology_children,
     .count = PROC_COUNT(topology_children)},
};

static const struct proc_node one_cpu = {
    .name = "cpu", .mode = DIRECTORY, .children = one_cpu_children, .count = PROC_COUNT(one_cpu_children)};

static void cpu_child(struct proc_child *child, int32_t number) {
    child->ref = (struct proc_ref){.node = &one_cpu, .fd = number};
    format_text(child->name, sizeof(child->name), "cpu%d", number);
}

static int find_cpu(const struct proc_ref *directory, const char *name, size_t length,
                    struct proc_child *child) {
    (void)directory;
    int32_t number = length > 3 && !memcmp(name, "cpu", 3) ? proc_number(name + 3, length - 3) : -1;
    if (number < 0 || (uint32_t)number >= system_cpus())
        return -ENOENT;
    cpu_child(child, number);
    return 0;
}

static bool next_cpu(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    (void)directory;
    if (*number >= system_cpus())
        return false;
    cpu_child(child, (int32_t)*number);
    return true;
}

/* ---- a directory per memory node ---- */

static const struct proc_node node0_children[] = {
    {.name = "cpulist", .mode = FILE_R, .show = show_cpu_list},
    {.name = "cpumap", .mode = FILE_R, .show = show_cpu_mask},
    {.name = "meminfo", .mode = FILE_R, .show = show_node_memory},
};

static const struct proc_node node0 = {
    .name = "node", .mode = DIRECTORY, .children = node0_children, .count = PROC_COUNT(node0_children)};

/* Of several nodes it is not known which CPUs are near. */
static const struct proc_node one_node_children[] = {
    {.name = "meminfo", .mode = FILE_R, .show = show_node_memory},
};

static const struct proc_node one_node = {
    .name = "node", .mode = DIRECTORY, .children = one_node_children, .count = PROC_COUNT(one_node_children)};

static void node_child(struct proc_child *child, int32_t number) {
    child->ref = (struct proc_ref){.node = node_count() > 1 ? &one_node : &node0, .fd = number};
    format_text(child->name, sizeof(child->name), "node%d", number);
}

static int find_node(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child) {
    (void)directory;
    int32_t number = length > 4 && !memcmp(name, "node", 4) ? proc_number(name + 4, length - 4) : -1;
    if (number < 0 || (uint32_t)number >= node_count())
        return -ENOENT;
    node_child(child, number);
    return 0;
}

static bool next_node(const struct proc_ref *directory, uint64_t *number, struct proc_child *child) {
    (void)directory;
    if (*number >= node_count())
        return false;
    node_child(child, (int32_t)*number);
    return true;
}

/* ---- the tree ---- */

static const struct proc_node cpu_children[] = {
    {.name = "isolated", .mode = FILE_R, .show = show_empty},
    {.name = "kernel_max", .mode = FILE_R, .show = show_kernel_max},
    {.name = "offline", .mode = FILE_R, .show = show_empty},
    {.name = "online", .mode = FILE_R, .show = show_cpu_list},
    {.name = "possible", .mode = FILE_R, .show = show_cpu_list},
    {.name = "present", .mode = FILE_R, .show = show_cpu_list},
};

static const struct proc_node node_children[] = {
    {.name = "has_cpu", .mode = FILE_R, .show = show_node_list},
    {.name = "has_memory", .mode = FILE_R, .show = show_node_list},
    {.name = "online", .mode = FILE_R, .show = show_node_list},
    {.name = "possible", .mode = FILE_R, .show = show_node_list},
};

static const struct proc_node system_children[] = {
    {.name = "cpu",
     .mode = DIRECTORY,
     .children = cpu_children,
     .count = PROC_COUNT(cpu_children),
     .find = find_cpu,
     .next = next_cpu,
     .counted = true},
    {.name = "node",
     .mode = DIRECTORY,
     .children = node_children,
     .count = PROC_COUNT(node_children),
     .find = find_node,
     .next = next_node,
     .counted = true},
};

static const struct proc_node virtual_children[] = {
    {.name = "input", .mode = DIRECTORY, .find = sysfs_input_find, .next = sysfs_input_next, .counted = true},
};

static const struct proc_node devices_children[] = {
    {.name = "pci0000:00", .mode = DIRECTORY, .find = sysfs_pci_find, .next = sysfs_pci_next},
    {.name = "system", .mode = DIRECTORY, .children = system_children, .count = PROC_COUNT(system_children)},
    {.name = "virtual",
     .mode = DIRECTORY,
     .children = virtual_children,
     .count = PROC_COUNT(virtual_children)},
};

static const struct proc_node huge_children[] = {
    {.name = "enabled", .mode = FILE_R, .show = show_never},
};

static const struct proc_node mm_children[] = {
    {.name = "transparent_hugepage",
     .mode = DIRECTORY,
     .children = huge_children,
     .count = PROC_COUNT(huge_children)},
};

static int show_uevent_sequence(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%llu\n", (unsigned long long)uevent_sequence());
    return 0;
}

static const struct proc_node kernel_children[] = {
    {.name = "mm", .mode = DIRECTORY, .children = mm_children, .count = PROC_COUNT(mm_children)},
    {.name = "uevent_seqnum", .mode = FILE_R, .show = show_uevent_sequence},
};

static const struct proc_node fs_children[] = {
    {.name = "cgroup", .mode = DIRECTORY},
};

static const struct proc_node class_children[] = {
    {.name = "graphics",
     .mode = DIRECTORY,
     .find = sysfs_graphics_find,
     .next = sysfs_graphics_next,
     .counted = true},
    {.name = "input", .mode = DIRECTORY, .find = sysfs_input_link_find, .next = sysfs_input_link_next},
    {.name = "net", .mode = DIRECTORY, .find = sysfs_net_find, .next = sysfs_net_next, .counted = true},
    {.name = "rtc", .mode = DIRECTORY, .find = sysfs_rtc_find, .next = sysfs_rtc_next, .counted = true},
    {.name = "virtio-ports",
     .mode = DIRECTORY,
     .find = sysfs_ports_find,
     .next = sysfs_ports_next,
     .counted = true},
};

static const struct proc_node root_children[] = {
    {.name = "block", .mode = DIRECTORY, .find = sysfs_disk_find, .next = sysfs_disk_next, .counted = true},
    {.name = "bus", .mode = DIRECTORY, .children = sysfs_bus_children, .count = SYSFS_BUS_COUNT},
    {.name = "class", .mode = DIRECTORY, .children = class_children, .count = PROC_COUNT(class_children)},
    {.name = "devices",
     .mode = DIRECTORY,
     .children = devices_children,
     .count = PROC_COUNT(devices_children)},
    {.name = "fs", .mode = DIRECTORY, .children = fs_children, .count = PROC_COUNT(fs_children)},
    {.name = "kernel", .mode = DIRECTORY, .children = kernel_children, .count = PROC_COUNT(kernel_children)},
};

static const struct proc_node sysfs_root = {
    .name = "sys",
    .mode = S_IFDIR | 0555,
    .number = 1,
    .children = root_children,
    .count = PROC_COUNT(root_children),
};

static int sysfs_make(const char *options, struct filesystem **made) {
    (void)options;
    return proc_instance(&sysfs_type, &sysfs_root, made);
}

static void sysfs_statfs(struct filesystem *filesystem, struct linux_statfs *status) {
    proc_status(filesystem, status);
    status->type = SYSFS_MAGIC;
}

const struct filesystem_type sysfs_type = {
    .name = "sysfs",
    .no_cache = true,
    .no_device = true,
    .make = sysfs_make,
    .statfs = sysfs_statfs,
};
