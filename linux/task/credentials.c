/*
 * User and group ids and capabilities of tasks. Each task has its own, as in Linux (libraries change all
 * threads). Privilege is effective user id 0; capabilities follow the ids by Linux's rules so that programs
 * that look find what they expect.
 */
#include "linux/abi/prctl.h"
#include "linux/platform.h"
#include "linux/syscalls.h"
#include "linux/task/process.h"

#define UNCHANGED UINT32_MAX
enum { GROUPS_MAX = sizeof(((struct credentials *)0)->groups) / sizeof(uint32_t) };

bool task_is_root(const struct task *task) {
    return task->credentials.euid == 0;
}

/* Capabilities after a change of user ids: gone with the last id 0, effective ones with the effective id. */
static void capabilities_follow(struct task *task, const struct credentials *old) {
    const struct credentials *now = &task->credentials;
    bool had = !old->uid || !old->euid || !old->suid, has = !now->uid || !now->euid || !now->suid;
    if (had && !has && !task->keep_capabilities)
        task->capabilities_permitted = task->capabilities_effective = 0;
    if (!old->euid && now->euid)
        task->capabilities_effective = 0;
    if (old->euid && !now->euid)
        task->capabilities_effective = task->capabilities_permitted;
}

static void credentials_set(const struct credentials *now) {
    struct task *task = task_current();
    struct credentials old = task->credentials;
    mutex_lock(&tasks_lock);
    task->credentials = *now;
    capabilities_follow(task, &old);
    task_answers_update(task);
    mutex_unlock(&tasks_lock);
}

int64_t sys_getuid(void) {
    return task_current()->credentials.uid;
}
int64_t sys_geteuid(void) {
    return task_current()->credentials.euid;
}
int64_t sys_getgid(void) {
    return task_current()->credentials.gid;
}
int64_t sys_getegid(void) {
    return task_current()->credentials.egid;
}
int64_t sys_getpid(void) {
    return task_current()->process->pid;
}
int64_t sys_gettid(void) {
    return task_current()->tid;
}

int64_t sys_getppid(void) {
    mutex_lock(&tasks_lock);
    int64_t pid = process_parent_pid(task_current()->process);
    mutex_unlock(&tasks_lock);
    return pid;
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c) {
    return id == a || id == b || id == c;
}

int64_t sys_setuid(uint64_t id_word) {
    struct credentials now = task_current()->credentials;
    uint32_t id = (uint32_t)id_word;
    if (id == UNCHANGED)
        return -EINVAL;
    if (task_is_root(task_current()))
        now.uid = now.suid = id;
    else if (id != now.uid && id != now.suid)
        return -EPERM;
    now.euid = now.fsuid = id;
    credentials_set(&now);
    return 0;
}

int64_t sys_setgid(uint64_t id_word) {
    struct credentials now = task_current()->credentials;
    uint32_t id = (uint32_t)id_word;
    if (id == UNCHANGED)
        return -EINVAL;
    if (task_is_root(task_current()))
        now.gid = now.sgid = id;
    else if (id != now.gid && id != now.sgid)
        return -EPERM;
    now.egid = now.fsgid = id;
    credentials_set(&now);
    return 0;
}

int64_t sys_setreuid(uint64_t real_word, uint64_t effective_word) {
    struct credentials now = task_current()->credentials, old = now;
    uint32_t real = (uint32_t)real_word, effective = (uint32_t)effective_word;
    bool root = task_is_root(task_current());
    if (real != UNCHANGED) {
        if (!root && real != old.uid && real != old.euid)
            return -EPERM;
        now.uid = real;
    }
    if (effective != UNCHANGED) {
        if (!root && !one_of(effective, old.uid, old.euid, old.suid))
            return -EPERM;
        now.euid = effective;
    }
    if (real != UNCHANGED || (effective != UNCHANGED && effective != old.uid))
        now.suid = now.euid;
    now.fsuid = now.euid;
    credentials_set(&now);
    return 0;
}

int64_t sys_setregid(uint64_t real_word, uint64_t effective_word) {
    struct credentials now = task_current()->credentials, old = now;
    uint32_t real = (uint32_t)real_word, effective = (uint32_t)effective_word;
    bool root = task_is_root(task_current());
    if (real != UNCHANGED) {
        if (!root && real != old.gid && real != old.egid)
            return -EPERM;
        now.gid = real;
    }
    if (effective != UNCHANGED) {
        if (!root && !one_of(effective, old.gid, old.egid, old.sgid))
            return -EPERM;
        now.egid = effective;
    }
    if (real != UNCHANGED || (effective != UNCHANGED && effective != old.gid))
        now.sgid = now.egid;
    now.fsgid = now.egid;
    credentials_set(&now);
    return 0;
}

/* Decides setresuid's and setresgid's three ids: each one unchanged, or among the old ones, or anything for
 * root. */
static int res_ids(const uint32_t wanted[3], uint32_t ids[3]) {
    uint32_t old[3] = {ids[0], ids[1], ids[2]};
    for (int i = 0; i < 3; i++) {
        if (wanted[i] == UNCHANGED)
            continue;
        if (!task_is_root(task_current()) && !one_of(wanted[i], old[0], old[1], old[2]))
            return -EPERM;
        ids[i] = wanted[i];
    }
    return 0;
}

int64_t sys_setresuid(uint64_t real, uint64_t effective, uint64_t saved) {
    struct credentials now = task_current()->credentials;
    uint32_t wanted[3] = {(uint32_t)real, (uint32_t)effective, (uint32_t)saved};
    uint32_t ids[3] = {now.uid, now.euid, now.suid};
    int error = res_ids(wanted, ids);
    if (error)
        return error;
    now.uid = ids[0];
    now.euid = now.fsuid = ids[1];
    now.suid = ids[2];
    credentials_set(&now);
    return 0;
}

int64_t sys_setresgid(uint64_t real, uint64_t effective, uint64_t saved) {
    struct credentials now = task_current()->credentials;
    uint32_t wanted[3] = {(uint32_t)real, (uint32_t)effective, (uint32_t)saved};
    uint32_t ids[3] = {now.gid, now.egid, now.sgid};
    int error = res_ids(wanted, ids);
    if (error)
        return error;
    now.gid = ids[0];
    now.egid = now.fsgid = ids[1];
    now.sgid = ids[2];
    credentials_set(&now);
    return 0;
}

static int three_out(const uint64_t addresses[3], const uint32_t ids[3]) {
    for (int i = 0; i < 3; i++)
        if (guest_copy_out(addresses[i], &ids[i], sizeof(ids[i])))
            return -EFAULT;
    return 0;
}

int64_t sys_getresuid(uint64_t real, uint64_t effective, uint64_t saved) {
    const struct credentials *own = &task_current()->credentials;
    return three_out((uint64_t[]){real, effective, saved}, (uint32_t[]){own->uid, own->euid, own->suid});
}

int64_t sys_getresgid(uint64_t real, uint64_t effective, uint64_t saved) {
    const struct credentials *own = &task_current()->credentials;
    return three_out((uint64_t[]){real, effective, saved}, (uint32_t[]){own->gid, own->egid, own->sgid});
}

int64_t sys_setfsuid(uint64_t id_word) {
    struct credentials now = task_current()->credentials;
    uint32_t id = (uint32_t)id_word, old = now.fsuid;
    if (id != UNCHANGED &&
        (task_is_root(task_current()) || one_of(id, now.uid, now.euid, now.suid) || id == now.fsuid)) {
        now.fsuid = id;
        credentials_set(&now);
    }
    return old;
}

int64_t sys_setfsgid(uint64_t id_word) {
    struct credentials now = task_current()->credentials;
    uint32_t id = (uint32_t)id_word, old = now.fsgid;
    if (id != UNCHANGED &&
        (task_is_root(task_current()) || one_of(id, now.gid, now.egid, now.sgid) || id == now.fsgid)) {
        now.fsgid = id;
        credentials_set(&now);
    }
    return old;
}

int64_t sys_getgroups(uint64_t size, uint64_t address) {
    const struct credentials *own = &task_current()->credentials;
    if ((int32_t)size < 0)
        return -EINVAL;
    if (!(int32_t)size)
        return own->group_count;
    if ((uint32_t)size < own->group_count)
        return -EINVAL;
    if (guest_copy_out(address, own->groups, own->group_count * sizeof(uint32_t)))
        return -EFAULT;
    return own->group_count;
}

int64_t sys_setgroups(uint64_t size, uint64_t address) {
    struct credentials now = task_current()->credentials;
    if (!task_is_root(task_current()))
        return -EPERM;
    if ((uint32_t)size > GROUPS_MAX)
        return -EINVAL;
    now.group_count = (uint32_t)size;
    if (guest_copy_in(now.groups, address, now.group_count * sizeof(uint32_t)))
        return -EFAULT;
    credentials_set(&now);
    return 0;
}

/* ---- capabilities ---- */

/* The header's version decides how many 32-bit parts follow; an unknown one is answered with the newest. */
static int cap_header_in(uint64_t address, struct cap_header64 *header, uint32_t *parts) {
    if (guest_copy_in(header, address, sizeof(*header)))
        return -EFAULT;
    *parts = header->version == CAPABILITY_VERSION_1 ? 1 : 2;
    if (header->version == CAPABILITY_VERSION_1 || header->version == CAPABILITY_VERSION_2 ||
        header->version == CAPABILITY_VERSION_3)
        return 0;
    uint32_t newest = CAPABILITY_VERSION_3;
    return guest_copy_out(address, &newest, sizeof(newest)) ? -EFAULT : -EINVAL;
}

int64_t sys_capget(uint64_t header_address, uint64_t data_address) {
    struct cap_header64 header;
    struct cap_data64 data[2];
    uint32_t parts;
    int error = cap_header_in(header_address, &header, &parts);
    if (error)
        return error == -EINVAL && !data_address ? 0 : error;
    if (header.pid < 0)
        return -EINVAL;
    mutex_lock(&tasks_lock);
    const struct task *task = header.pid ? task_find(header.pid) : task_current();
    for (int i = 0; task && i < 2; i++)
        data[i] = (struct cap_data64){(uint32_t)(task->capabilities_effective >> (32 * i)),
                                      (uint32_t)(task->capabilities_permitted >> (32 * i)),
                                      (uint32_t)(task->capabilities_inheritable >> (32 * i))};
    mutex_unlock(&tasks_lock);
    if (!task)
        return -ESRCH;
    return data_address ? guest_copy_out(data_address, data, parts * sizeof(data[0])) : 0;
}

int64_t sys_capset(uint64_t header_address, uint64_t data_address) {
    struct task *task = task_current();
    struct cap_header64 header;
    struct cap_data64 data[2] = {0};
    uint32_t parts;
    int error = cap_header_in(header_address, &header, &parts);
    if (error)
        return error;
    if (header.pid && header.pid != task->tid)
        return -EPERM;
    if (guest_copy_in(data, data_address, parts * sizeof(data[0])))
        return -EFAULT;
    uint64_t effective = (data[0].effective | (uint64_t)data[1].effective << 32) & CAPABILITIES_ALL;
    uint64_t permitted = (data[0].permitted | (uint64_t)data[1].permitted << 32) & CAPABILITIES_ALL;
    uint64_t inheritable = (data[0].inheritable | (uint64_t)data[1].inheritable << 32) & CAPABILITIES_ALL;
    if ((permitted & ~task->capabilities_permitted) || (effective & ~permitted) ||
        (inheritable & ~(task->capabilities_inheritable | task->capabilities_permitted)))
        return -EPERM;
    task->capabilities_effective = effective;
    task->capabilities_permitted = permitted;
    task->capabilities_inheritable = inheritable;
    return 0;
}
