/*
 * Who may do what to an inode: owner, group and other bits against the calling task's file-system ids. The
 * personality's own threads, which have no task, may everything; so may file-system uid 0, except run a file
 * without any x bit.
 */
#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/fs/path.h"
#include "linux/platform.h"
#include "linux/task.h"

static bool group_matches(const struct credentials *who, uint32_t group, uint32_t gid) {
    if (group == gid)
        return true;
    for (uint32_t i = 0; i < who->group_count; i++)
        if (who->groups[i] == gid)
            return true;
    return false;
}

static int check(const struct credentials *who, uint32_t uid, uint32_t gid, const struct inode *inode,
                 unsigned mask) {
    uint32_t mode = inode->attributes.mode;
    if (uid == 0)
        return mask & X_OK && !S_ISDIR(mode) && !(mode & S_IXUGO) ? -EACCES : 0;
    if (uid == inode->attributes.uid)
        mode >>= 6;
    else if (group_matches(who, gid, inode->attributes.gid))
        mode >>= 3;
    return mask & ~mode & 7 ? -EACCES : 0;
}

int inode_permission(struct inode *inode, unsigned mask) {
    struct task *task = task_current();
    if (!task)
        return 0;
    return check(&task->credentials, task->credentials.fsuid, task->credentials.fsgid, inode, mask);
}

int inode_permission_real(struct inode *inode, unsigned mask) {
    struct task *task = task_current();
    if (!task)
        return 0;
    return check(&task->credentials, task->credentials.uid, task->credentials.gid, inode, mask);
}

bool inode_owned(const struct inode *inode) {
    struct task *task = task_current();
    return !task || task->credentials.fsuid == 0 || task->credentials.fsuid == inode->attributes.uid;
}

bool in_group(uint32_t gid) {
    struct task *task = task_current();
    return !task || group_matches(&task->credentials, task->credentials.fsgid, gid);
}

int inode_may_delete(struct inode *directory, struct inode *victim) {
    int error = inode_permission(directory, W_OK | X_OK);
    if (error)
        return error;
    if (directory->attributes.mode & S_ISVTX && !inode_owned(directory) && !inode_owned(victim))
        return -EPERM;
    return 0;
}
