/*
 * What the files of procfs share. A node is a line of a constant table; an inode of procfs is a node together
 * with the ids of the process, thread and descriptor it is about. Inodes are made by each look-up and hold
 * nothing: a process that has ended is found missing when its file is read (-ESRCH).
 */
#pragma once

#include "linux/fs/proc.h"
#include "linux/task.h"

struct linux_statfs;
struct proc_node;

struct proc_ref {
    const struct proc_node *node;
    int32_t pid; /* 0: none */
    int32_t tid; /* 0: the process as a whole */
    int32_t fd;  /* or another small number that the node's table knows; -1: none */
};

/* One child of a directory whose entries come and go. */
struct proc_child {
    struct proc_ref ref;
    char name[32];
};

struct proc_node {
    const char *name;
    uint32_t mode;   /* type and permissions */
    uint64_t number; /* inode number; 0: computed */
    /* Files: the text; 0 or -ESRCH … */
    int (*show)(const struct proc_ref *ref, struct text *text);
    /* Files that can be written: at most a page, ending in a 0 that is not counted. */
    int (*store)(const struct proc_ref *ref, const char *bytes, size_t length);
    /* Files that are no text: sets file->operations, and file->data where they use it; 0 or an error. */
    int (*open)(const struct proc_ref *ref, struct file *file);
    /* Symbolic links: the text; and for magic ones the place (references). */
    int64_t (*link)(const struct proc_ref *ref, char *to, size_t size);
    int (*follow)(const struct proc_ref *ref, struct path *place);
    /* Directories: constant children, */
    const struct proc_node *children;
    unsigned count;
    /* and changing ones: by name (-ENOENT), and the first whose number is >= *number, which is set to its
     * own. */
    int (*find)(const struct proc_ref *directory, const char *name, size_t length, struct proc_child *child);
    bool (*next)(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
    bool counted; /* the changing directories are few and count as links */
};

#define PROC_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A decimal number without leading zeros, below 2^31; -1 for anything else. */
int32_t proc_number(const char *text, size_t length);

/* The process or thread of a reference; tasks_lock held: NULL when it is gone. */
struct process *proc_process(const struct proc_ref *ref);
struct task *proc_task(const struct proc_ref *ref);      /* a live one */
struct fd_table *proc_files(const struct proc_ref *ref); /* valid while the lock is held; NULL: none */
/* Its address space, referenced; NULL when it has none. Takes tasks_lock. */
struct mm *proc_mm(const struct proc_ref *ref);
/* The caller may look into the process (same user, or root). */
bool proc_may_look(const struct proc_ref *ref);

/* A file system of a type over a tree of nodes, and what statfs says of it. */
int proc_instance(const struct filesystem_type *type, const struct proc_node *root_node,
                  struct filesystem **made);
void proc_status(struct filesystem *filesystem, struct linux_statfs *status);

/* The tables of the parts. */
extern const struct proc_node proc_root, proc_process_node;
enum { PROC_SYS_COUNT = 4 };
extern const struct proc_node proc_sys_children[PROC_SYS_COUNT];
/* proc_ipc.c: /proc/sysvipc, and the files of /proc/sys/kernel about it. */
enum { PROC_SYSVIPC_COUNT = 3 };
extern const struct proc_node proc_sysvipc_children[PROC_SYSVIPC_COUNT];
enum { PROC_MQUEUE_COUNT = 5 };
extern const struct proc_node proc_mqueue_children[PROC_MQUEUE_COUNT]; /* /proc/sys/fs/mqueue */
int proc_show_ipc_limit(const struct proc_ref *ref, struct text *text);
int proc_store_ipc_limit(const struct proc_ref *ref, const char *bytes, size_t length);
int proc_show_sem_limits(const struct proc_ref *ref, struct text *text);
int proc_store_sem_limits(const struct proc_ref *ref, const char *bytes, size_t length);

/* proc_fd.c */
int proc_fd_find(const struct proc_ref *directory, const char *name, size_t length, struct proc_child *child);
bool proc_fd_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
int proc_fdinfo_find(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child);
bool proc_fdinfo_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);

/* proc_status.c */
int proc_show_stat(const struct proc_ref *ref, struct text *text);
int proc_show_statm(const struct proc_ref *ref, struct text *text);
int proc_show_status(const struct proc_ref *ref, struct text *text);
/* proc_memory.c */
int proc_show_maps(const struct proc_ref *ref, struct text *text);
int proc_show_smaps(const struct proc_ref *ref, struct text *text);
int proc_show_smaps_rollup(const struct proc_ref *ref, struct text *text);
int proc_show_cmdline(const struct proc_ref *ref, struct text *text);
int proc_show_environ(const struct proc_ref *ref, struct text *text);
int proc_show_auxv(const struct proc_ref *ref, struct text *text);
int64_t proc_link_exe(const struct proc_ref *ref, char *to, size_t size);
int proc_follow_exe(const struct proc_ref *ref, struct path *place);
int proc_open_mem(const struct proc_ref *ref, struct file *file);
/* proc_attr.c: /proc/PID/attr, by enum security_attribute */
enum { PROC_ATTR_COUNT = SECURITY_ATTRIBUTES };
extern const struct proc_node proc_attr_children[PROC_ATTR_COUNT];
/* proc_mounts.c */
int proc_show_mounts(const struct proc_ref *ref, struct text *text);
int proc_show_mountinfo(const struct proc_ref *ref, struct text *text);
int proc_show_filesystems(const struct proc_ref *ref, struct text *text);
int proc_show_devices(const struct proc_ref *ref, struct text *text);
/* proc_system.c */
int proc_show_uptime(const struct proc_ref *ref, struct text *text);
int proc_show_loadavg(const struct proc_ref *ref, struct text *text);
int proc_show_meminfo(const struct proc_ref *ref, struct text *text);
int proc_show_buddyinfo(const struct proc_ref *ref, struct text *text);
int proc_show_system_stat(const struct proc_ref *ref, struct text *text);
int proc_show_version(const struct proc_ref *ref, struct text *text);
int proc_show_cpuinfo(const struct proc_ref *ref, struct text *text);
int proc_show_swaps(const struct proc_ref *ref, struct text *text);
int proc_show_command_line(const struct proc_ref *ref, struct text *text);
/* proc_trace.c */
struct cpu_counters;
int proc_show_interrupts(const struct proc_ref *ref, struct text *text);
int proc_show_schedstat(const struct proc_ref *ref, struct text *text);
int proc_show_keel_cpu(const struct proc_ref *ref, struct text *text);
int proc_show_keel_calls(const struct proc_ref *ref, struct text *text);
int proc_show_keel_syscalls(const struct proc_ref *ref, struct text *text);
int proc_store_keel_syscalls(const struct proc_ref *ref, const char *bytes, size_t length);
int proc_show_keel_trace(const struct proc_ref *ref, struct text *text);
int proc_store_keel_trace(const struct proc_ref *ref, const char *bytes, size_t length);
/* The counters of a CPU: 0, or a negative error. */
int proc_cpu_counters(uint32_t cpu, struct cpu_counters *counters);
/* proc_drivers.c */
int proc_store_keel_reset(const struct proc_ref *ref, const char *bytes, size_t length);
/* proc_keel.c */
int proc_show_accelerators(const struct proc_ref *ref, struct text *text);
int proc_show_keel(const struct proc_ref *ref, struct text *text);
int proc_show_keel_fail(const struct proc_ref *ref, struct text *text);
int proc_store_keel_fail(const struct proc_ref *ref, const char *bytes, size_t length);
/* sys_pci.c: /sys/devices/pci0000:00, and what is below /sys/bus */
int sysfs_pci_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child);
bool sysfs_pci_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
enum { SYSFS_BUS_COUNT = 2 };
extern const struct proc_node sysfs_bus_children[SYSFS_BUS_COUNT];
/* sys_usb.c: what is in a controller's directory, numbers from 0; /sys/bus/usb/devices */
int sysfs_usb_root_find(uint32_t address, const char *name, size_t length, struct proc_child *child);
bool sysfs_usb_root_next(uint32_t address, uint64_t *number, struct proc_child *child);
int sysfs_usb_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child);
bool sysfs_usb_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
/* proc_disks.c, and the tree below /sys/block */
int proc_show_partitions(const struct proc_ref *ref, struct text *text);
int proc_show_diskstats(const struct proc_ref *ref, struct text *text);
int sysfs_disk_find(const struct proc_ref *directory, const char *name, size_t length,
                    struct proc_child *child);
bool sysfs_disk_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
/* sys_ports.c: /sys/class/virtio-ports */
int sysfs_ports_find(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child);
bool sysfs_ports_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
/* sys_input.c: /proc/bus, /sys/devices/virtual/input, and the links to it in /sys/class/input */
enum { PROC_BUS_COUNT = 1 };
extern const struct proc_node proc_bus_children[PROC_BUS_COUNT];
int sysfs_input_find(const struct proc_ref *directory, const char *name, size_t length,
                     struct proc_child *child);
bool sysfs_input_next(const struct proc_ref *directory, uint64_t *index, struct proc_child *child);
int sysfs_input_link_find(const struct proc_ref *directory, const char *name, size_t length,
                          struct proc_child *child);
bool sysfs_input_link_next(const struct proc_ref *directory, uint64_t *index, struct proc_child *child);
/* proc_net.c: /proc/net, and the tree below /sys/class/net; net/packet.c */
enum { PROC_NET_COUNT = 2 };
extern const struct proc_node proc_net_children[PROC_NET_COUNT];
int proc_show_packet(const struct proc_ref *ref, struct text *text);
int sysfs_net_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child);
bool sysfs_net_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
/* sys_rtc.c: /sys/class/rtc */
int sysfs_rtc_find(const struct proc_ref *directory, const char *name, size_t length,
                   struct proc_child *child);
bool sysfs_rtc_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
/* sys_graphics.c: /sys/class/graphics */
int sysfs_graphics_find(const struct proc_ref *directory, const char *name, size_t length,
                        struct proc_child *child);
bool sysfs_graphics_next(const struct proc_ref *directory, uint64_t *number, struct proc_child *child);
