/*
 * The file system of POSIX message queues: one directory, whose entries mq_open makes and mq_unlink removes.
 * It can be mounted, too, and is the same one wherever that is done; a queue's text tells its state.
 *
 * A user's queues are charged with the memory that they may take (RLIMIT_MSGQUEUE). Locks: the directory's
 * inode lock guards its entries; queues_lock, a leaf, the list of all queues, from which charges are summed
 * up.
 */
#include "lib/base/format.h"
#include "lib/base/string.h"
#include "linux/abi/fcntl.h"
#include "linux/abi/poll.h"
#include "linux/abi/resource.h"
#include "linux/abi/signal.h"
#include "linux/abi/stat.h"
#include "linux/abi/statfs.h"
#include "linux/fs/fd.h"
#include "linux/fs/file.h"
#include "linux/fs/namei.h"
#include "linux/fs/path.h"
#include "linux/fs/tmpfs_internal.h"
#include "linux/heap.h"
#include "linux/io/poll.h"
#include "linux/ipc/mqueue.h"
#include "linux/platform.h"
#include "linux/syscalls.h"

enum {
    ENTRY_SIZE = 20, /* what Linux adds to the directory's size */
    FILE_SIZE = 80,
    MESSAGE_CHARGE = 48, /* Linux's structures for a message and for a priority */
    PRIORITY_CHARGE = 48,
    QUEUES_MAX = 256,
    MESSAGES_MAX = 10,
    SIZE_MAX_DEFAULT = 8192,
};

struct mqueue_limits mqueue_limits = {.queues_max = QUEUES_MAX,
                                      .msg_max = MESSAGES_MAX,
                                      .msgsize_max = SIZE_MAX_DEFAULT,
                                      .msg_default = MESSAGES_MAX,
                                      .msgsize_default = SIZE_MAX_DEFAULT};

static struct mutex queues_lock = MUTEX_INIT(queues_lock);
static struct list queues = LIST_INIT(queues);
static uint32_t queues_count;

static const struct inode_operations mqueue_operations, directory_operations;
static const struct file_operations directory_file_operations;

/* ---- the instance ---- */

static struct mutex instance_lock = MUTEX_INIT(instance_lock);
static struct filesystem *instance;

static struct filesystem *instance_make(void) {
    struct tmpfs_node *node = heap_zalloc(sizeof(*node));
    struct filesystem *filesystem = node ? filesystem_create(&mqueue_type, NULL) : NULL;
    if (filesystem)
        filesystem->root = inode_create(filesystem, S_IFDIR | S_ISVTX | S_IRWXUGO, &directory_operations,
                                        &directory_file_operations);
    if (!filesystem || !filesystem->root) {
        heap_free(node);
        if (filesystem)
            filesystem_put(filesystem);
        return NULL;
    }
    filesystem->root->data = node;
    filesystem->root->attributes.nlink = 2;
    filesystem->root->attributes.size = 2 * ENTRY_SIZE;
    node->inode = filesystem->root;
    return filesystem;
}

/* The directory; NULL: no memory. */
static struct inode *directory_get(void) {
    mutex_lock(&instance_lock);
    if (!instance)
        instance = instance_make();
    struct inode *root = instance ? instance->root : NULL;
    mutex_unlock(&instance_lock);
    return root;
}

static int mqueue_make(const char *options, struct filesystem **made) {
    (void)options;
    if (!directory_get())
        return -ENOMEM;
    atomic_fetch_add(&instance->references, 1);
    *made = instance;
    return 0;
}

static void mqueue_statfs(struct filesystem *filesystem, struct linux_statfs *status) {
    (void)filesystem;
    status->type = MQUEUE_MAGIC;
    status->block_size = status->fragment_size = PAGE_SIZE;
    status->name_length = NAME_MAX;
}

const struct filesystem_type mqueue_type = {
    .name = "mqueue", .no_cache = true, .no_device = true, .make = mqueue_make, .statfs = mqueue_statfs};

/* ---- queues come and go ---- */

/* Bounds of what is asked for, and the memory it is charged with. 0 or an error. */
static int64_t attributes_check(const struct mqueue *queue, uint64_t *charge) {
    bool privileged = task_is_root(task_current());
    uint64_t most = privileged ? MQ_MESSAGES_HARD : mqueue_limits.msg_max;
    uint64_t size_most = privileged ? MQ_SIZE_HARD : mqueue_limits.msgsize_max;
    uint64_t count = queue->messages_most;
    if (!count || !queue->size_most || count > most || queue->size_most > size_most)
        return -EINVAL;
    *charge = count * queue->size_most + count * MESSAGE_CHARGE +
              (count < MQ_PRIO_MAX ? count : MQ_PRIO_MAX) * PRIORITY_CHARGE;
    return 0;
}

/* Enters the queue into the list of all: 0, -ENOSPC, -EMFILE. */
static int64_t queue_charge(struct mqueue *queue) {
    const struct task *task = task_current();
    uint64_t sum = queue->charge;
    const struct mqueue *other;
    mutex_lock(&queues_lock);
    list_for_each(other, &queues, link) sum += other->owner == queue->owner ? other->charge : 0;
    int64_t result = queues_count >= mqueue_limits.queues_max && !task_is_root(task) ? -ENOSPC
                     : sum > task->process->limits[RLIMIT_MSGQUEUE].current          ? -EMFILE
                                                                                     : 0;
    if (!result) {
        list_push_back(&queues, &queue->link);
        queues_count++;
    }
    mutex_unlock(&queues_lock);
    return result;
}

static int64_t queue_make(const struct mq_attr64 *attributes, struct mqueue **made) {
    struct mqueue *queue = heap_zalloc(sizeof(*queue));
    if (!queue)
        return -ENOMEM;
    uint64_t most = mqueue_limits.msg_max, size_most = mqueue_limits.msgsize_max;
    queue->messages_most = mqueue_limits.msg_default < most ? mqueue_limits.msg_default : most;
    queue->size_most = mqueue_limits.msgsize_default < size_most ? mqueue_limits.msgsize_default : size_most;
    if (attributes) {
        queue->messages_most = (uint64_t)attributes->messages_most;
        queue->size_most = (uint64_t)attributes->size_most;
    }
    queue->owner = task_current()->credentials.uid;
    mutex_init(&queue->lock);
    list_init(&queue->senders);
    list_init(&queue->receivers);
    waitq_init(&queue->watchers);
    int64_t result = attributes_check(queue, &queue->charge);
    if (!result)
        result = queue_charge(queue);
    if (result)
        heap_free(queue);
    else
        *made = queue;
    return result;
}

static void queue_release(struct inode *inode) {
    struct mqueue *queue = mqueue_of(inode);
    mutex_lock(&queues_lock);
    list_remove(&queue->link);
    queues_count--;
    mutex_unlock(&queues_lock);
    mqueue_free(queue);
}

/* ---- entries; the directory is locked ---- */

static struct tmpfs_directory *entries_of(struct inode *directory) {
    return &node_of(directory)->directory;
}

static int64_t entry_make(struct inode *directory, const char *name, size_t length, uint32_t mode,
                          const struct mq_attr64 *attributes, struct inode **made) {
    const struct credentials *who = &task_current()->credentials;
    struct mqueue *queue;
    int64_t result = queue_make(attributes, &queue);
    if (result)
        return result;
    struct inode *inode = inode_create(directory->filesystem, S_IFREG | (mode & S_IALLUGO),
                                       &mqueue_operations, &mqueue_file_operations);
    if (!inode) {
        mutex_lock(&queues_lock);
        list_remove(&queue->link);
        queues_count--;
        mutex_unlock(&queues_lock);
        mqueue_free(queue);
        return -ENOMEM;
    }
    inode->data = queue;
    inode->attributes.size = FILE_SIZE;
    inode->attributes.uid = who->fsuid;
    inode->attributes.gid = who->fsgid;
    if (directory_add(entries_of(directory), name, length, inode)) {
        inode_put(inode);
        return -ENOMEM;
    }
    directory->attributes.size += ENTRY_SIZE;
    directory->attributes.mtime = directory->attributes.ctime = timestamp_now();
    *made = inode;
    return 0;
}

static int directory_lookup(struct inode *directory, const char *name, size_t length, struct inode **found) {
    struct tmpfs_entry *entry = directory_find(entries_of(directory), name, length);
    if (!entry)
        return -ENOENT;
    *found = inode_get(entry->inode);
    return 0;
}

static int directory_create(struct inode *directory, const char *name, size_t length, uint32_t mode,
                            uint64_t rdev, const char *target, struct inode **made) {
    (void)rdev;
    if (!S_ISREG(mode) || target)
        return -EPERM;
    return (int)entry_make(directory, name, length, mode, NULL, made);
}

static int directory_unlink(struct inode *directory, const char *name, size_t length, struct inode *victim) {
    struct tmpfs_directory *entries = entries_of(directory);
    inode_put(directory_take(entries, directory_find(entries, name, length)));
    directory->attributes.size -= ENTRY_SIZE;
    directory->attributes.mtime = directory->attributes.ctime = timestamp_now();
    victim->attributes.nlink--;
    return 0;
}

static int queue_setattr(struct inode *inode, const struct attributes *attributes, unsigned which) {
    inode_change(inode, attributes, which);
    return 0;
}

static int queue_open(struct inode *inode, struct file *file) {
    file->operations = &mqueue_file_operations;
    file->data = mqueue_of(inode);
    return 0;
}

static const struct inode_operations mqueue_operations = {
    .setattr = queue_setattr, .open = queue_open, .release = queue_release};
static const struct inode_operations directory_operations = {.lookup = directory_lookup,
                                                             .create = directory_create,
                                                             .unlink = directory_unlink,
                                                             .setattr = queue_setattr};
static const struct file_operations directory_file_operations = {.readdir = tmpfs_readdir,
                                                                 .seek = file_seek_position};

/* ---- open queues ---- */

static int64_t queue_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct mqueue *queue = file->data;
    char text[FILE_SIZE + 1];
    mutex_lock(&queue->lock);
    const struct mq_registration *to = &queue->registration;
    size_t length = format_text(text, sizeof(text), "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
                                (unsigned long long)queue->bytes, to->process ? to->notify : 0,
                                to->process && to->notify == SIGEV_SIGNAL ? to->signo : 0,
                                to->process ? to->process->pid : 0);
    mutex_unlock(&queue->lock);
    if (*offset >= length)
        return 0;
    length -= *offset;
    if (length > buffer->length)
        length = buffer->length;
    if (buffer_put(buffer, text + *offset, length))
        return -EFAULT;
    *offset += length;
    return (int64_t)length;
}

static uint32_t queue_poll(struct file *file, struct poll_watch *watch) {
    struct mqueue *queue = file->data;
    if (watch)
        poll_watch(watch, &queue->watchers);
    mutex_lock(&queue->lock);
    uint32_t events = queue->count ? POLLIN | POLLRDNORM : 0;
    events |= queue->count < queue->messages_most ? POLLOUT | POLLWRNORM : 0;
    mutex_unlock(&queue->lock);
    return events;
}

static int queue_flush(struct file *file) {
    mqueue_unregister(file->data, task_current()->process);
    return 0;
}

const struct file_operations mqueue_file_operations = {
    .read = queue_read, .seek = file_seek_sized, .poll = queue_poll, .flush = queue_flush};

/* ---- mq_open, mq_unlink ---- */

/* The name without its slash, which libraries take off: its length or an error. */
static int64_t name_in(char *name, uint64_t from) {
    int64_t length = guest_string_in(name, from, NAME_MAX + 1);
    if (length <= 0)
        return length ? length : -ENOENT;
    return strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..") ? -EACCES : length;
}

static int64_t access_check(struct inode *inode, uint32_t flags) {
    static const unsigned wanted[] = {R_OK, W_OK, R_OK | W_OK};
    uint32_t mode = flags & O_ACCMODE;
    return mode == O_ACCMODE ? -EINVAL : inode_permission(inode, wanted[mode]);
}

/* The queue's inode, referenced, made when that is asked for. */
static int64_t queue_find(struct inode *directory, const char *name, size_t length, uint32_t flags,
                          uint32_t mode, const struct mq_attr64 *attributes, struct inode **found) {
    *found = NULL;
    mutex_lock(&directory->lock);
    int64_t result = directory_lookup(directory, name, length, found);
    if (result && (flags & O_CREAT))
        result = entry_make(directory, name, length, mode & ~namei_umask(), attributes, found);
    else if (!result && (flags & O_CREAT) && (flags & O_EXCL))
        result = -EEXIST;
    else if (!result)
        result = access_check(*found, flags);
    mutex_unlock(&directory->lock);
    if (result && *found)
        inode_put(*found);
    return result;
}

int64_t sys_mq_open(uint64_t name_address, uint64_t flags_word, uint64_t mode, uint64_t attributes_address) {
    char name[NAME_MAX + 1];
    struct mq_attr64 attributes;
    uint32_t flags = (uint32_t)flags_word;
    struct path path = {0};
    if (attributes_address && guest_copy_in(&attributes, attributes_address, sizeof(attributes)))
        return -EFAULT;
    int64_t length = name_in(name, name_address);
    struct inode *directory = directory_get();
    if (length < 0 || !directory)
        return length < 0 ? length : -ENOMEM;
    int64_t result = queue_find(directory, name, (size_t)length, flags, (uint32_t)mode,
                                attributes_address ? &attributes : NULL, &path.inode);
    if (result)
        return result;
    struct file *file = NULL;
    path.name = name_make(NULL, name, (size_t)length, path.inode);
    if (path.name)
        file = file_create(&mqueue_file_operations, &path, flags & (O_ACCMODE | O_NONBLOCK),
                           mqueue_of(path.inode));
    path_put(&path);
    if (!file)
        return -ENOMEM;
    result = fd_install(file, true);
    if (result < 0)
        file_put(file);
    return result;
}

int64_t sys_mq_unlink(uint64_t name_address) {
    char name[NAME_MAX + 1];
    struct inode *victim = NULL;
    int64_t length = name_in(name, name_address);
    struct inode *directory = directory_get();
    if (length < 0 || !directory)
        return length < 0 ? length : -ENOMEM;
    mutex_lock(&directory->lock);
    int64_t result = directory_lookup(directory, name, (size_t)length, &victim);
    if (!result)
        result = inode_may_delete(directory, victim);
    if (!result)
        result = directory_unlink(directory, name, (size_t)length, victim);
    mutex_unlock(&directory->lock);
    inode_put(victim);
    return result;
}
