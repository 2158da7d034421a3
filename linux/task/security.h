/*
 * The security contexts of a task, as SELinux keeps them: its own, the one before the last execve, and those
 * that the next program and new sockets are to have instead of its own. Linux's interface to them is
 * /proc/PID/attr (linux/fs/proc_attr.c) and the socket option SO_PEERSEC. Nothing is decided by them here:
 * what a context may do is a policy's to say.
 *
 * A child inherits all of them, thread or process. execve gives the program the context that was asked for,
 * or leaves the task its own, and forgets what was asked for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "linux/task/security_context.h"

struct task;

/* Indexes into struct task.security. */
enum security_attribute { SECURITY_CURRENT, SECURITY_PREVIOUS, SECURITY_EXEC, SECURITY_SOCKET };
enum { SECURITY_ATTRIBUTES = 4 };

/* What the first process has when nothing else is said: SELinux's context of what the kernel starts. */
#define SECURITY_FIRST "system_u:system_r:kernel_t:s0"

/* Gives the first task its context, whose reference is taken over. */
void security_begin(struct task *task, struct security_context *context);
/* For a task that nobody else sees yet; the parent is the caller. */
void security_inherit(struct task *child, const struct task *parent);
/* Drops all of them. */
void security_end(struct task *task);

/* The context of new sockets of the calling task, referenced. */
struct security_context *security_of_sockets(const struct task *task);

/* What the calling task, which is `task`, writes to a file of its attr directory: a context, perhaps with a 0
 * and then a newline at its end, or nothing for none. Takes tasks_lock.
 *
 *   -EPERM   no CAP_MAC_ADMIN; or a new type for a thread of several that share memory
 *   -EINVAL  no context, or none for SECURITY_CURRENT; SECURITY_PREVIOUS
 *   -ENOMEM */
int security_write(struct task *task, enum security_attribute attribute, const char *bytes, size_t length);

/* Whether the calling task's execve may give the program the context that was asked for, and (*changes)
 * whether that is another one than the task's; no_suid: the file's mount allows no change of privileges. 0,
 * or for another type -EPERM (no_new_privs) and -EACCES (no_suid). */
int security_exec_check(const struct task *task, bool no_suid, bool *changes);
/* The change itself, which cannot fail. tasks_lock held. */
void security_exec(struct task *task);
