/* See security.h. Only a task itself changes its contexts, under tasks_lock; so it may read them without. */
#include "linux/task/security.h"

#include "linux/abi/prctl.h"
#include "linux/platform.h"
#include "linux/task.h"
#include "linux/task/process.h"

/* Puts a context, whose reference is taken over, in place of another. */
static void replace(struct task *task, enum security_attribute attribute, struct security_context *context) {
    security_context_put(task->security[attribute]);
    task->security[attribute] = context;
}

void security_begin(struct task *task, struct security_context *context) {
    task->security[SECURITY_CURRENT] = context;
    task->security[SECURITY_PREVIOUS] = security_context_get(context);
}

void security_inherit(struct task *child, const struct task *parent) {
    for (unsigned i = 0; i < SECURITY_ATTRIBUTES; i++)
        child->security[i] = security_context_get(parent->security[i]);
}

void security_end(struct task *task) {
    for (unsigned i = 0; i < SECURITY_ATTRIBUTES; i++)
        replace(task, i, NULL);
}

struct security_context *security_of_sockets(const struct task *task) {
    const bool asked = task->security[SECURITY_SOCKET];
    return security_context_get(task->security[asked ? SECURITY_SOCKET : SECURITY_CURRENT]);
}

/* Whether nobody else runs in the task's memory, which would then have two types. tasks_lock held. */
static bool is_alone(const struct task *task) {
    const struct process *process;
    const struct task *other;
    list_for_each(process, &process_list, link) {
        list_for_each(other, &process->threads, thread_link) {
            if (other != task && other->mm == task->mm)
                return false;
        }
    }
    return true;
}

/* tasks_lock held; context is taken over unless there is an error. */
static int write_locked(struct task *task, enum security_attribute attribute,
                        struct security_context *context) {
    if (attribute == SECURITY_CURRENT &&
        !security_context_same_type(context, task->security[SECURITY_CURRENT]) && !is_alone(task))
        return -EPERM;
    replace(task, attribute, context);
    return 0;
}

int security_write(struct task *task, enum security_attribute attribute, const char *bytes, size_t length) {
    struct security_context *context = NULL;
    if (attribute == SECURITY_PREVIOUS)
        return -EINVAL;
    if (!(task->capabilities_effective >> CAP_MAC_ADMIN & 1))
        return -EPERM;
    if (length && bytes[length - 1] == '\n')
        length--;
    if (length && !bytes[length - 1])
        length--;
    if (!length && attribute == SECURITY_CURRENT)
        return -EINVAL;
    int error = length ? security_context_parse(bytes, length, &context) : 0;
    if (error)
        return error;
    mutex_lock(&tasks_lock);
    error = write_locked(task, attribute, context);
    mutex_unlock(&tasks_lock);
    if (error)
        security_context_put(context);
    return error;
}

int security_exec_check(const struct task *task, bool no_suid, bool *changes) {
    const struct security_context *own = task->security[SECURITY_CURRENT],
                                  *asked = task->security[SECURITY_EXEC];
    *changes = asked && !security_context_equal(asked, own);
    if (!*changes || security_context_same_type(asked, own))
        return 0;
    return task->no_new_privileges ? -EPERM : no_suid ? -EACCES : 0;
}

void security_exec(struct task *task) {
    struct security_context **own = task->security;
    replace(task, SECURITY_PREVIOUS, security_context_get(own[SECURITY_CURRENT]));
    if (own[SECURITY_EXEC])
        replace(task, SECURITY_CURRENT, own[SECURITY_EXEC]);
    own[SECURITY_EXEC] = NULL;
    replace(task, SECURITY_SOCKET, NULL);
}
