/*
 * Advisory locks. An inode that was ever locked has a list of granted ranges, sorted by nothing: lists are
 * short. A request of an owner first frees what the owner held in the range (splitting what sticks out), then
 * takes it. flock's locks are ranges over the whole file with the open file as owner, in a class of their
 * own, since flock and fcntl do not see each other.
 */
#include "linux/fs/locks.h"

#include "abi/errors.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/stat.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/signal.h"

#define RANGE_END INT64_MAX

enum class { CLASS_FLOCK, CLASS_RANGE };

struct range_lock {
    struct list link;
    const void *owner;   /* struct file, or struct fd_table as in Linux */
    int64_t first, last; /* inclusive */
    int32_t pid;         /* -1 for open-file-description locks */
    enum class class;
    bool exclusive;
};

struct lock_list {
    struct mutex lock;
    struct waitq changed;
    struct list granted;
};

/* The inode's list, made when first needed. */
static struct lock_list *list_of(struct inode *inode) {
    mutex_lock(&inode->lock);
    struct lock_list *list = inode->locks;
    if (!list && (list = heap_zalloc(sizeof(*list)))) {
        mutex_init(&list->lock);
        waitq_init(&list->changed);
        list_init(&list->granted);
        inode->locks = list;
    }
    mutex_unlock(&inode->lock);
    return list;
}

void locks_free(struct lock_list *list) {
    heap_free(list);
}

static struct range_lock *find_conflict(struct lock_list *list, const struct range_lock *wanted) {
    struct range_lock *lock;
    list_for_each(lock, &list->granted, link) {
        if (lock->class != wanted->class || lock->owner == wanted->owner)
            continue;
        if (lock->last < wanted->first || wanted->last < lock->first)
            continue;
        if (lock->exclusive || wanted->exclusive)
            return lock;
    }
    return NULL;
}

/* Takes the range away from the owner's locks. *spare is used when one must be split in two. */
static void free_range(struct lock_list *list, const struct range_lock *range, struct range_lock **spare) {
    struct range_lock *lock, *after;
    list_for_each_safe(lock, after, &list->granted, link) {
        if (lock->class != range->class || lock->owner != range->owner)
            continue;
        if (lock->last < range->first || range->last < lock->first)
            continue;
        bool before = lock->first<range->first, behind = lock->last> range->last;
        if (before && behind && *spare) {
            **spare = *lock;
            (*spare)->first = range->last + 1;
            list_push_back(&list->granted, &(*spare)->link);
            *spare = NULL;
            lock->last = range->first - 1;
        } else if (before) {
            lock->last = range->first - 1;
        } else if (behind) {
            lock->first = range->last + 1;
        } else {
            list_remove(&lock->link);
            heap_free(lock);
        }
    }
}

/* Waits until nothing conflicts: 0, -EAGAIN, -ERESTARTSYS. list->lock held. */
static int wait_free(struct lock_list *list, const struct range_lock *wanted, bool wait) {
    struct waiter waiter = {0};
    int error = 0;
    if (!find_conflict(list, wanted))
        return 0;
    if (!wait)
        return -EAGAIN;
    waitq_add(&list->changed, &waiter);
    while (!error && find_conflict(list, wanted))
        error = task_wait(&list->lock, DEADLINE_NEVER);
    waitq_remove(&list->changed, &waiter);
    return error ? -ERESTARTSYS : 0;
}

/* Sets (or, with unlock, frees) a range for its owner. */
static int apply(struct lock_list *list, const struct range_lock *wanted, bool unlock, bool wait) {
    struct range_lock *made = unlock ? NULL : heap_alloc(sizeof(*made));
    struct range_lock *spare = heap_alloc(sizeof(*spare));
    int error = (!unlock && !made) || !spare ? -ENOLCK : 0;
    mutex_lock(&list->lock);
    if (!error && !unlock)
        error = wait_free(list, wanted, wait);
    if (!error) {
        free_range(list, wanted, &spare);
        if (made) {
            *made = *wanted;
            list_push_back(&list->granted, &made->link);
            made = NULL;
        }
        waitq_wake_all(&list->changed);
    }
    mutex_unlock(&list->lock);
    heap_free(made);
    heap_free(spare);
    return error;
}

static void release_owner(struct inode *inode, const void *owner) {
    struct lock_list *list = inode->locks;
    struct range_lock *lock, *after;
    mutex_lock(&list->lock);
    list_for_each_safe(lock, after, &list->granted, link) {
        if (lock->owner != owner)
            continue;
        list_remove(&lock->link);
        heap_free(lock);
    }
    waitq_wake_all(&list->changed);
    mutex_unlock(&list->lock);
}

void locks_release_file(struct inode *inode, struct file *file) {
    release_owner(inode, file);
}

void locks_release_process(struct inode *inode, const void *owner) {
    release_owner(inode, owner);
}

int lock_flock(struct file *file, int operation) {
    struct range_lock wanted = {.owner = file, .last = RANGE_END, .class = CLASS_FLOCK};
    if (!file->path.inode)
        return -EBADF;
    struct lock_list *list = list_of(file->path.inode);
    if (!list)
        return -ENOLCK;
    wanted.exclusive = operation & LOCK_EX;
    bool unlock = (operation & ~LOCK_NB) == LOCK_UN;
    /* Linux gives the old lock up before it waits for the new kind. */
    struct range_lock *none = NULL;
    mutex_lock(&list->lock);
    free_range(list, &wanted, &none);
    waitq_wake_all(&list->changed);
    mutex_unlock(&list->lock);
    return unlock ? 0 : apply(list, &wanted, false, !(operation & LOCK_NB));
}

/* Turns start and length into first and last. */
static int range_from(struct file *file, const struct linux_flock *from, struct range_lock *to) {
    int64_t base = 0;
    if (from->whence == SEEK_CUR)
        base = (int64_t)file->offset;
    else if (from->whence == SEEK_END)
        base = (int64_t)file->path.inode->attributes.size;
    else if (from->whence != SEEK_SET)
        return -EINVAL;
    if (from->start > 0 && base > INT64_MAX - from->start)
        return -EOVERFLOW;
    to->first = base + from->start;
    to->last = RANGE_END;
    if (to->first < 0)
        return -EINVAL;
    if (from->length > 0) {
        if (to->first > INT64_MAX - (from->length - 1))
            return -EOVERFLOW;
        to->last = to->first + (from->length - 1);
    } else if (from->length < 0) {
        to->last = to->first - 1;
        to->first += from->length;
        if (to->first < 0)
            return -EINVAL;
    }
    return 0;
}

static int query(struct lock_list *list, const struct range_lock *wanted, struct linux_flock *lock) {
    mutex_lock(&list->lock);
    const struct range_lock *conflict = find_conflict(list, wanted);
    if (!conflict) {
        lock->type = F_UNLCK;
    } else {
        lock->type = conflict->exclusive ? F_WRLCK : F_RDLCK;
        lock->whence = SEEK_SET;
        lock->start = conflict->first;
        lock->length = conflict->last == RANGE_END ? 0 : conflict->last - conflict->first + 1;
        lock->pid = conflict->pid;
    }
    mutex_unlock(&list->lock);
    return 0;
}

int lock_fcntl(struct file *file, int command, struct linux_flock *lock) {
    bool description = command == F_OFD_GETLK || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    struct process *process = task_current()->process;
    struct range_lock wanted = {.class = CLASS_RANGE, .exclusive = lock->type == F_WRLCK};
    uint32_t mode = file->flags & O_ACCMODE;
    if (!file->path.inode || lock->type < F_RDLCK || lock->type > F_UNLCK)
        return -EINVAL;
    if (description && lock->pid)
        return -EINVAL;
    wanted.owner = description ? (const void *)file : task_current()->files;
    wanted.pid = description ? -1 : process->pid;
    int error = range_from(file, lock, &wanted);
    if (error)
        return error;
    bool get = command == F_GETLK || command == F_OFD_GETLK;
    if (get && lock->type == F_UNLCK)
        return -EINVAL;
    if (!get && ((lock->type == F_RDLCK && mode == O_WRONLY) || (lock->type == F_WRLCK && mode == O_RDONLY)))
        return -EBADF;
    struct lock_list *list = list_of(file->path.inode);
    if (!list)
        return -ENOLCK;
    if (get)
        return query(list, &wanted, lock);
    return apply(list, &wanted, lock->type == F_UNLCK, command == F_SETLKW || command == F_OFD_SETLKW);
}
