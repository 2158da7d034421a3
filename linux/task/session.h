/*
 * Sessions and process groups, and their part of terminal job control. All under tasks_lock unless it says
 * otherwise.
 */
#pragma once

#include "linux/task.h"

struct process_group *process_group_find(int32_t pgid);
/* The session of a task's process; never NULL. */
struct session *session_of(const struct task *task);

/* Signals every process of a group (code SI_KERNEL): 0, or -ESRCH. Takes tasks_lock. */
int tty_signal_group(int32_t pgid, int signo);
/* Signals a session's leader. Takes tasks_lock. */
void tty_signal_session_leader(struct session *session, int signo);

/* No member has a parent in another group of the same session: its stops are discarded, background reads get
 * EIO. */
bool process_group_orphaned(const struct process_group *group);

/* A new session for the process (setsid's second half) with its job; -EPERM, -ENOMEM. */
int session_create(struct process *process);
void process_group_leave(struct process *process);

/* The job that new address spaces of the task are charged to (fork, exec). Takes tasks_lock. */
handle_t session_job(const struct task *task);
