/* The container as a whole: names, counters, memory (system.h), and the calls that show them. */
#include "linux/system.h"

#include "lib/base/string.h"
#include "lib/keel/call.h"
#include "linux/platform.h"
#include "linux/start.h"
#include "linux/syscalls.h"
#include "linux/task.h"
#include "linux/task/process.h"

enum { HOST_NAME_MAX = 64, RANDOM_CHUNK = 256 };
enum { GRND_NONBLOCK = 1, GRND_RANDOM = 2, GRND_INSECURE = 4 };
enum { MEMBARRIER_QUERY = 0 };

struct system_handles system_handles;
const char *system_command_line = "";
_Atomic unsigned system_randomize = 2;
struct mutex system_lock = MUTEX_INIT(system_lock);
struct utsname64 system_names = {
    .sysname = "Linux",
    .nodename = "keel",
    .release = "6.1.0-keel",
    .version = "#1 SMP Keel",
    .machine = "x86_64",
    .domainname = "(none)",
};

int system_counters(struct system_info *info) {
    memset(info, 0, sizeof(*info));
    int64_t result = system_handles.info
                         ? keel_object_info(system_handles.info, keel_pointer(info), sizeof(*info))
                         : -EACCES;
    return result < 0 ? (int)result : 0;
}

int system_trace(uint32_t cpu, uint64_t mask, void *to, size_t length) {
    if (!system_handles.info)
        return -EACCES;
    int64_t vmo = keel_trace_open(system_handles.info, cpu, mask);
    if (vmo < 0)
        return (int)vmo;
    int64_t copied = length ? keel_vmo_read((uint64_t)vmo, 0, keel_pointer(to), length) : 0;
    (void)keel_handle_close((uint64_t)vmo);
    return copied == (int64_t)length ? 0 : -EIO;
}

uint32_t system_cpus(void) {
    static _Atomic uint32_t cpus; /* never changes */
    if (!cpus) {
        struct system_info info;
        cpus = !system_counters(&info) && info.cpus ? (uint32_t)info.cpus : 1;
    }
    return cpus;
}

void system_memory(uint64_t *total, uint64_t *free) {
    struct system_info info;
    struct job_info job = {0};
    system_counters(&info);
    if (system_handles.job)
        keel_object_info(system_handles.job, keel_pointer(&job), sizeof(job));
    uint64_t pages = info.pages_total, available = info.pages_free;
    if (job.pages_limit && (job.pages_limit < pages || !pages)) {
        uint64_t left = job.pages_limit > job.pages ? job.pages_limit - job.pages : 0;
        pages = job.pages_limit;
        if (left < available || !info.pages_total)
            available = left;
    }
    *total = pages * PAGE_SIZE;
    *free = available * PAGE_SIZE;
}

/* ---- names ---- */

int64_t sys_uname(uint64_t to) {
    mutex_lock(&system_lock);
    struct utsname64 names = system_names;
    mutex_unlock(&system_lock);
    return guest_copy_out(to, &names, sizeof(names));
}

static int64_t name_set(char *field, uint64_t from, uint64_t length) {
    char name[UTSNAME_SIZE] = {0};
    if (!task_is_root(task_current()))
        return -EPERM;
    if (length > HOST_NAME_MAX)
        return -EINVAL;
    if (guest_copy_in(name, from, length))
        return -EFAULT;
    mutex_lock(&system_lock);
    memcpy(field, name, sizeof(name));
    mutex_unlock(&system_lock);
    return 0;
}

int64_t sys_sethostname(uint64_t from, uint64_t length) {
    return name_set(system_names.nodename, from, length);
}
int64_t sys_setdomainname(uint64_t from, uint64_t length) {
    return name_set(system_names.domainname, from, length);
}

/* ---- the end ---- */

enum { REBOOT_MAGIC = 0xfee1dead };
enum reboot_command {
    REBOOT_KEYS_OFF = 0,
    REBOOT_RESTART = 0x01234567,
    REBOOT_POWER_OFF = 0x4321fedc,
};
#define REBOOT_KEYS_ON  0x89abcdefU
#define REBOOT_RESTART2 0xa1b2c3d4U
#define REBOOT_HALT     0xcdef0123U

/* A halted machine would be one that burns power for nothing: it is switched off. */
int64_t sys_reboot(uint64_t magic, uint64_t magic2, uint64_t command, uint64_t argument) {
    static const uint32_t magics[] = {672274793, 85072278, 369367448, 537993216};
    bool known = false;
    (void)argument;
    if (!task_is_root(task_current()))
        return -EPERM;
    for (unsigned i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
        known = known || (uint32_t)magic2 == magics[i];
    if ((uint32_t)magic != REBOOT_MAGIC || !known)
        return -EINVAL;
    switch ((uint32_t)command) {
    case REBOOT_KEYS_OFF:
    case REBOOT_KEYS_ON:
        return 0;
    case REBOOT_RESTART:
    case REBOOT_RESTART2:
        container_end(STATUS_REBOOT);
        return 0;
    case REBOOT_HALT:
    case REBOOT_POWER_OFF:
        container_end(0);
        return 0;
    default:
        return -EINVAL;
    }
}

/* ---- numbers ---- */

int64_t sys_sysinfo(uint64_t to) {
    uint64_t total, free;
    system_memory(&total, &free);
    struct sysinfo64 info = {
        .uptime = (int64_t)(clock_monotonic() / 1000000000),
        .totalram = total,
        .freeram = free,
        .procs = (uint16_t)task_count,
        .mem_unit = 1,
    };
    return guest_copy_out(to, &info, sizeof(info));
}

int64_t sys_getrandom(uint64_t to, uint64_t length, uint64_t flags) {
    uint8_t chunk[RANDOM_CHUNK];
    if (flags & ~(uint64_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    if (length > INT32_MAX)
        length = INT32_MAX;
    for (uint64_t done = 0; done < length;) {
        size_t count = length - done < sizeof(chunk) ? length - done : sizeof(chunk);
        random_bytes(chunk, count);
        if (guest_copy_out(to + done, chunk, count))
            return done ? (int64_t)done : -EFAULT;
        done += count;
        if (task_current()->signal_pending && done < length)
            return (int64_t)done;
    }
    return (int64_t)length;
}

int64_t sys_getcpu(uint64_t cpu, uint64_t node, uint64_t cache) {
    struct thread_info info = {0};
    (void)cache; /* unused since Linux 2.6.24 */
    keel_object_info(task_current()->thread, keel_pointer(&info), sizeof(info));
    uint32_t number = (uint32_t)info.cpu, zero = 0;
    if ((cpu && guest_copy_out(cpu, &number, sizeof(number))) ||
        (node && guest_copy_out(node, &zero, sizeof(zero))))
        return -EFAULT;
    return 0;
}

/* No barrier command is offered, which libraries take as: use their own. */
int64_t sys_membarrier(uint64_t command, uint64_t flags, uint64_t cpu) {
    (void)cpu;
    return (int32_t)command == MEMBARRIER_QUERY && !(uint32_t)flags ? 0 : -EINVAL;
}
