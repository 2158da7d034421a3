/* /proc/sysvipc, and the limits of IPC in /proc/sys/kernel and /proc/sys/fs/mqueue. */
#include "abi/errors.h"
#include "lib/base/string.h"
#include "linux/abi/stat.h"
#include "linux/fs/proc_internal.h"
#include "linux/ipc/ids.h"
#include "linux/ipc/mqueue.h"
#include "linux/ipc/msg.h"
#include "linux/ipc/sem.h"
#include "linux/ipc/shm.h"
#include "linux/platform.h"

enum { FILE_R = S_IFREG | 0444, FILE_RW = S_IFREG | 0644, SEM_LIMITS = 4 };

static int show_msg(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    msg_show(text);
    return 0;
}

static int show_sem(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    sem_show(text);
    return 0;
}

static int show_shm(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    shm_show(text);
    return 0;
}

#define LIMIT(file)                                                                                          \
    { .name = file, .mode = FILE_RW, .show = proc_show_ipc_limit, .store = proc_store_ipc_limit }
const struct proc_node proc_mqueue_children[PROC_MQUEUE_COUNT] = {LIMIT("msg_default"), LIMIT("msg_max"),
                                                                  LIMIT("msgsize_default"),
                                                                  LIMIT("msgsize_max"), LIMIT("queues_max")};

const struct proc_node proc_sysvipc_children[PROC_SYSVIPC_COUNT] = {
    {.name = "msg", .mode = FILE_R, .show = show_msg},
    {.name = "sem", .mode = FILE_R, .show = show_sem},
    {.name = "shm", .mode = FILE_R, .show = show_shm},
};

/* ---- one number each ---- */

struct limit {
    const char *name;
    _Atomic uint64_t *value;
    uint64_t most, least;
};
static const struct limit limits[] = {
    {"msg_default", &mqueue_limits.msg_default, MQ_MESSAGES_HARD, 1},
    {"msg_max", &mqueue_limits.msg_max, MQ_MESSAGES_HARD, 1},
    {"msgmax", &msg_limits.msgmax, INT32_MAX, 0},
    {"msgmnb", &msg_limits.msgmnb, INT32_MAX, 0},
    {"msgmni", &msg_limits.msgmni, IPC_INDICES, 0},
    {"msgsize_default", &mqueue_limits.msgsize_default, MQ_SIZE_HARD, MQ_SIZE_LEAST},
    {"msgsize_max", &mqueue_limits.msgsize_max, MQ_SIZE_HARD, MQ_SIZE_LEAST},
    {"queues_max", &mqueue_limits.queues_max, INT32_MAX, 0},
    {"shmall", &shm_limits.shmall, UINT64_MAX, 0},
    {"shmmax", &shm_limits.shmmax, UINT64_MAX, 0},
    {"shmmni", &shm_limits.shmmni, IPC_INDICES, 0},
};

static const struct limit *limit_of(const struct proc_ref *ref) {
    for (unsigned i = 0; i < PROC_COUNT(limits); i++)
        if (!strcmp(limits[i].name, ref->node->name))
            return &limits[i];
    return NULL;
}

int proc_show_ipc_limit(const struct proc_ref *ref, struct text *text) {
    text_add(text, "%llu\n", (unsigned long long)*limit_of(ref)->value);
    return 0;
}

static bool is_blank(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n';
}

static const char *skip_blanks(const char *at) {
    while (is_blank(*at))
        at++;
    return at;
}

/* A decimal number with blanks before it, as Linux takes it here; *bytes goes behind it. 0 or -EINVAL. */
static int parse(const char **bytes, uint64_t *value) {
    const char *at = skip_blanks(*bytes);
    *value = 0;
    if (*at < '0' || *at > '9')
        return -EINVAL;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
            return -EINVAL;
    *bytes = at;
    return *at && !is_blank(*at) ? -EINVAL : 0;
}

int proc_store_ipc_limit(const struct proc_ref *ref, const char *bytes, size_t length) {
    const struct limit *limit = limit_of(ref);
    uint64_t value;
    (void)length;
    if (!task_is_root(task_current()))
        return -EPERM;
    if (parse(&bytes, &value) || value > limit->most || value < limit->least)
        return -EINVAL;
    *limit->value = value;
    return 0;
}

/* ---- /proc/sys/kernel/sem ---- */

static _Atomic uint32_t *const sem_numbers[SEM_LIMITS] = {&sem_limits.semmsl, &sem_limits.semmns,
                                                          &sem_limits.semopm, &sem_limits.semmni};

int proc_show_sem_limits(const struct proc_ref *ref, struct text *text) {
    (void)ref;
    text_add(text, "%u\t%u\t%u\t%u\n", *sem_numbers[0], *sem_numbers[1], *sem_numbers[2], *sem_numbers[3]);
    return 0;
}

/* The first so many of the four. */
int proc_store_sem_limits(const struct proc_ref *ref, const char *bytes, size_t length) {
    uint64_t values[SEM_LIMITS];
    unsigned count = 0;
    (void)ref, (void)length;
    if (!task_is_root(task_current()))
        return -EPERM;
    for (; count < SEM_LIMITS && *skip_blanks(bytes); count++)
        if (parse(&bytes, &values[count]) || values[count] > INT32_MAX)
            return -EINVAL;
    if (count == SEM_LIMITS && values[SEM_LIMITS - 1] > IPC_INDICES)
        return -ERANGE;
    for (unsigned i = 0; i < count; i++)
        *sem_numbers[i] = (uint32_t)values[i];
    return 0;
}
