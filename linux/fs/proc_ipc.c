/* /proc/sysvipc and the limits of System V IPC in /proc/sys/kernel. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/proc_internal.h"
#include "linux/ipc/shm.h"
#include "linux/platform.h"

enum { FILE_R = S_IFREG | 0444, SEGMENTS_MOST = 32768 };

static int show_shm(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    shm_show(text);
    return 0;
}

const struct proc_node proc_sysvipc_children[PROC_SYSVIPC_COUNT] = {
    {.name = "shm", .mode = FILE_R, .show = show_shm},
};

static _Atomic uint64_t *limit_of(const struct proc_ref *ref) {
    switch (ref->node->name[3]) { /* shmall, shmmax, shmmni */
    case 'a':
        return &shm_limits.shmall;
    case 'm':
        return ref->node->name[4] == 'a' ? &shm_limits.shmmax : &shm_limits.shmmni;
    default:
        return NULL;
    }
}

int proc_show_ipc_limit(const struct proc_ref *ref, struct text *text) {
    text_add(text, "%llu\n", (unsigned long long)*limit_of(ref));
    return 0;
}

/* A decimal number, as Linux takes it here: 0 or -EINVAL. */
static int parse(const char *bytes, uint64_t *value) {
    *value = 0;
    if (*bytes < '0' || *bytes > '9')
        return -EINVAL;
    for (; *bytes >= '0' && *bytes <= '9'; bytes++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*bytes - '0'), value))
            return -EINVAL;
    return *bytes && *bytes != '\n' && *bytes != ' ' ? -EINVAL : 0;
}

int proc_store_ipc_limit(const struct proc_ref *ref, const char *bytes, size_t length) {
    _Atomic uint64_t *limit = limit_of(ref);
    uint64_t value;
    (void)length;
    if (!task_is_root(task_current()))
        return -EPERM;
    if (parse(bytes, &value) || (limit == &shm_limits.shmmni && value > SEGMENTS_MOST))
        return -EINVAL;
    *limit = value;
    return 0;
}
