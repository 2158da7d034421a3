/* /proc/sys: the settings that programs read. Those that can be set are the container's names. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/proc_internal.h"
#include "linux/platform.h"
#include "linux/system.h"
#include "linux/task/process.h"

enum { FILE_R = S_IFREG | 0444, FILE_RW = S_IFREG | 0644, DIRECTORY = S_IFDIR | 0555 };

/* A file whose text is one constant line. */
#define CONSTANT(function, line)                                                                             \
    static int function(const struct proc_ref *ref, struct text *text) {                                     \
        (void)ref;                                                                                           \
        text_add(text, line "\n");                                                                           \
        return 0;                                                                                            \
    }

CONSTANT(show_pid_max, "32768")
CONSTANT(show_threads_max, "4096")
CONSTANT(show_zero, "0")
CONSTANT(show_one, "1")
CONSTANT(show_file_max, "1048576")
CONSTANT(show_nr_open, "1048576")
CONSTANT(show_file_nr, "0\t0\t1048576")
CONSTANT(show_pipe_max, "1048576")
CONSTANT(show_cap_last, "40")
CONSTANT(show_groups_max, "65536")
CONSTANT(show_core_pattern, "core")
CONSTANT(show_entropy, "256")
CONSTANT(show_map_count, "65530")
CONSTANT(show_min_address, "65536")
CONSTANT(show_overflow_id, "65534")
CONSTANT(show_printk, "7\t4\t1\t7")
CONSTANT(show_somaxconn, "4096")
CONSTANT(show_half, "50")

static int show_ostype(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%s\n", system_names.sysname);
    return 0;
}

static int show_osrelease(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%s\n", system_names.release);
    return 0;
}

static int show_osversion(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%s\n", system_names.version);
    return 0;
}

static int show_name(struct text *text, const char *name) {
    mutex_lock(&system_lock);
    text_add(text, "%.64s\n", name);
    mutex_unlock(&system_lock);
    return 0;
}

static int store_name(char *name, const char *bytes) {
    size_t length = 0;
    if (!task_is_root(task_current()))
        return -EPERM;
    while (bytes[length] && bytes[length] != '\n' && length < UTSNAME_SIZE - 1)
        length++;
    mutex_lock(&system_lock);
    memset(name, 0, UTSNAME_SIZE);
    memcpy(name, bytes, length);
    mutex_unlock(&system_lock);
    return 0;
}

static int show_hostname(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    return show_name(text, system_names.nodename);
}

static int store_hostname(const struct proc_ref *ref, const char *bytes, size_t length) {
    (void)ref, (void)length;
    return store_name(system_names.nodename, bytes);
}

static int show_domainname(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    return show_name(text, system_names.domainname);
}

static int store_domainname(const struct proc_ref *ref, const char *bytes, size_t length) {
    (void)ref, (void)length;
    return store_name(system_names.domainname, bytes);
}

static int show_randomize(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%u\n", system_randomize);
    return 0;
}

static int store_randomize(const struct proc_ref *ref, const char *bytes, size_t length) {
    int32_t value = proc_number(bytes, length && bytes[length - 1] == '\n' ? length - 1 : length);
    (void)ref;
    if (!task_is_root(task_current()))
        return -EPERM;
    if (value < 0)
        return -EINVAL;
    system_randomize = (unsigned)value;
    return 0;
}

/* A version 4 identifier from 16 random bytes. */
static void add_uuid(struct text *text, unsigned char bytes[16]) {
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    for (unsigned i = 0; i < 16; i++)
        text_add(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
    text_add(text, "\n");
}

static int show_uuid(const struct proc_ref *ref, struct text *text) {
    unsigned char bytes[16];
    (void)ref;
    random_bytes(bytes, sizeof(bytes));
    add_uuid(text, bytes);
    return 0;
}

/* The same from the first reader on. */
static int show_boot_id(const struct proc_ref *ref, struct text *text) {
    static unsigned char boot_id[16];
    static bool made;
    (void)ref;
    mutex_lock(&system_lock);
    if (!made)
        random_bytes(boot_id, sizeof(boot_id));
    made = true;
    mutex_unlock(&system_lock);
    add_uuid(text, boot_id);
    return 0;
}

static const struct proc_node random_children[] = {
    {.name = "boot_id", .mode = FILE_R, .show = show_boot_id},
    {.name = "entropy_avail", .mode = FILE_R, .show = show_entropy},
    {.name = "poolsize", .mode = FILE_R, .show = show_entropy},
    {.name = "uuid", .mode = FILE_R, .show = show_uuid},
};

static const struct proc_node kernel_children[] = {
    {.name = "cap_last_cap", .mode = FILE_R, .show = show_cap_last},
    {.name = "core_pattern", .mode = FILE_R, .show = show_core_pattern},
    {.name = "domainname", .mode = FILE_RW, .show = show_domainname, .store = store_domainname},
    {.name = "hostname", .mode = FILE_RW, .show = show_hostname, .store = store_hostname},
    {.name = "msgmax", .mode = FILE_RW, .show = proc_show_ipc_limit, .store = proc_store_ipc_limit},
    {.name = "msgmnb", .mode = FILE_RW, .show = proc_show_ipc_limit, .store = proc_store_ipc_limit},
    {.name = "msgmni", .mode = FILE_RW, .show = proc_show_ipc_limit, .store = proc_store_ipc_limit},
    {.name = "ngroups_max", .mode = FILE_R, .show = show_groups_max},
    {.name = "osrelease", .mode = FILE_R, .show = show_osrelease},
    {.name = "ostype", .mode = FILE_R, .show = show_ostype},
    {.name = "overflowgid", .mode = FILE_R, .show = show_overflow_id},
    {.name = "overflowuid", .mode = FILE_R, .show = show_overflow_id},
    {.name = "pid_max", .mode = FILE_R, .show = show_pid_max},
    {.name = "printk", .mode = FILE_R, .show = show_printk},
    {.name = "random", .mode = DIRECTORY, .children = random_children, .count = PROC_COUNT(random_children)},
    {.name = "randomize_va_space", .mode = FILE_RW, .show = show_randomize, .store = store_randomize},
    {.name = "sem", .mode = FILE_RW, .show = proc_show_sem_limits, .store = proc_store_sem_limits},
    {.name = "shmall", .mode = FILE_RW, .show = proc_show_ipc_limit, .store = proc_store_ipc_limit},
    {.name = "shmmax", .mode = FILE_RW, .show = proc_show_ipc_limit, .store = proc_store_ipc_limit},
    {.name = "shmmni", .mode = FILE_RW, .show = proc_show_ipc_limit, .store = proc_store_ipc_limit},
    {.name = "threads-max", .mode = FILE_R, .show = show_threads_max},
    {.name = "version", .mode = FILE_R, .show = show_osversion},
};

static const struct proc_node fs_children[] = {
    {.name = "file-max", .mode = FILE_R, .show = show_file_max},
    {.name = "file-nr", .mode = FILE_R, .show = show_file_nr},
    {.name = "mqueue", .mode = DIRECTORY, .children = proc_mqueue_children, .count = PROC_MQUEUE_COUNT},
    {.name = "nr_open", .mode = FILE_R, .show = show_nr_open},
    {.name = "pipe-max-size", .mode = FILE_R, .show = show_pipe_max},
    {.name = "protected_hardlinks", .mode = FILE_R, .show = show_zero},
    {.name = "protected_symlinks", .mode = FILE_R, .show = show_zero},
};

static const struct proc_node vm_children[] = {
    {.name = "max_map_count", .mode = FILE_R, .show = show_map_count},
    {.name = "mmap_min_addr", .mode = FILE_R, .show = show_min_address},
    {.name = "overcommit_memory", .mode = FILE_R, .show = show_one},
    {.name = "overcommit_ratio", .mode = FILE_R, .show = show_half},
    {.name = "swappiness", .mode = FILE_R, .show = show_zero},
};

static const struct proc_node core_children[] = {
    {.name = "somaxconn", .mode = FILE_R, .show = show_somaxconn},
};

static const struct proc_node net_children[] = {
    {.name = "core", .mode = DIRECTORY, .children = core_children, .count = PROC_COUNT(core_children)},
};

const struct proc_node proc_sys_children[PROC_SYS_COUNT] = {
    {.name = "fs", .mode = DIRECTORY, .children = fs_children, .count = PROC_COUNT(fs_children)},
    {.name = "kernel", .mode = DIRECTORY, .children = kernel_children, .count = PROC_COUNT(kernel_children)},
    {.name = "net", .mode = DIRECTORY, .children = net_children, .count = PROC_COUNT(net_children)},
    {.name = "vm", .mode = DIRECTORY, .children = vm_children, .count = PROC_COUNT(vm_children)},
};
