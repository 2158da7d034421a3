/*
 * /proc/PID/attr: a task's security contexts (linux/task/security.h), in the files and with the errors that
 * Linux has for SELinux's. What is read ends in a 0, and is nothing where none is set; everybody may read.
 *
 * A task writes its own alone, and only through a file that was opened by the program that it still runs:
 * else a program could be given one as its output, and change its context by a message.
 */
#include "abi/errors.h"
#include "linux/abi/stat.h"
#include "linux/fs/file.h"
#include "linux/fs/proc_internal.h"
#include "linux/heap.h"
#include "linux/platform.h"
#include "linux/task/mm.h"

enum { WRITE_MOST = SECURITY_TEXT_MOST + 2 };

static enum security_attribute attribute_of(const struct proc_ref *ref) {
    return (enum security_attribute)(ref->node - proc_attr_children);
}

/* The task itself: of a process its first thread, even when that has ended. tasks_lock held. */
static struct task *task_of(const struct proc_ref *ref) {
    const struct process *process = ref->tid ? NULL : proc_process(ref);
    return process ? process->leader : ref->tid ? proc_task(ref) : NULL;
}

static int64_t attr_read(struct file *file, struct buffer *buffer, uint64_t *offset) {
    const struct proc_ref *ref = file->path.inode->data;
    mutex_lock(&tasks_lock);
    const struct task *task = task_of(ref);
    struct security_context *context = task ? security_context_get(task->security[attribute_of(ref)]) : NULL;
    mutex_unlock(&tasks_lock);
    if (!task)
        return -ESRCH;
    size_t size = context ? context->length + 1 : 0;
    size_t left = *offset < size ? size - *offset : 0;
    int64_t length = (int64_t)(buffer->length < left ? buffer->length : left);
    if (length && buffer_put(buffer, context->text + *offset, (size_t)length))
        length = -EFAULT;
    else
        *offset += (uint64_t)length;
    security_context_put(context);
    return length;
}

/* Whether the calling task may write at all: 0 or why not. */
static int write_check(const struct file *file, const struct task *self, uint64_t offset) {
    const uint64_t *opener = file->data;
    if (*opener != self->mm->serial)
        return -EPERM;
    mutex_lock(&tasks_lock);
    const struct task *task = task_of(file->path.inode->data);
    mutex_unlock(&tasks_lock);
    if (!task)
        return -ESRCH;
    if (task != self)
        return -EACCES;
    return offset ? -EINVAL : 0; /* one write is one context */
}

/* The position stays where it is, so that the file can be written again. */
static int64_t attr_write(struct file *file, struct buffer *buffer, uint64_t *offset) {
    struct task *self = task_current();
    size_t length = buffer->length;
    int error = write_check(file, self, *offset);
    if (error)
        return error;
    if (length > WRITE_MOST)
        return -EINVAL;
    char *bytes = heap_alloc(length + 1); /* writing nothing means something */
    if (!bytes)
        return -ENOMEM;
    error = buffer_get(buffer, bytes, length);
    if (!error)
        error = security_write(self, attribute_of(file->path.inode->data), bytes, length);
    heap_free(bytes);
    return error ? error : (int64_t)length;
}

static void attr_release(struct file *file) {
    heap_free(file->data);
}

static const struct file_operations attr_operations = {
    .read = attr_read, .write = attr_write, .seek = file_seek_position, .release = attr_release};

static int attr_open(const struct proc_ref *ref, struct file *file) {
    uint64_t *opener = heap_alloc(sizeof(*opener));
    (void)ref;
    if (!opener)
        return -ENOMEM;
    *opener = task_current()->mm->serial;
    file->data = opener;
    file->operations = &attr_operations;
    return 0;
}

const struct proc_node proc_attr_children[PROC_ATTR_COUNT] = {
    [SECURITY_CURRENT] = {.name = "current", .mode = S_IFREG | 0666, .open = attr_open},
    [SECURITY_PREVIOUS] = {.name = "prev", .mode = S_IFREG | 0444, .open = attr_open},
    [SECURITY_EXEC] = {.name = "exec", .mode = S_IFREG | 0666, .open = attr_open},
    [SECURITY_SOCKET] = {.name = "sockcreate", .mode = S_IFREG | 0666, .open = attr_open},
};
