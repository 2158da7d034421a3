/* How linux/arch starts the personality proper. */
#pragma once

#include <stdint.h>

#include "abi/utcb.h"

struct start_arguments {
    uint64_t count;
    char **texts;        /* argv */
    uint64_t *auxiliary; /* pairs, ended by a 0 type */
};

/* The personality, on its main thread (linux/main.c), which becomes the one of process 1's first task. */
void linux_main(const struct start_arguments *arguments);

/* Ends the container, and the system with it, when what was written has left; does not return (on the host it
 * does, and nothing happens). STATUS_REBOOT, as init knows it (servers/init/power.h): the machine starts
 * again.
 */
enum { STATUS_REBOOT = 0x100 };
void container_end(int64_t status);

struct task;
/* Makes the calling native thread the task's: what task_thread_take does for the others. */
void task_thread_adopt(struct task *task);
/* After guest_loop, or instead of it: the calling native thread serves no task any more. */
void task_thread_leave(void);

/* Tells the clock its scale, once, before anything else runs. */
void clock_start(const struct utcb_clock *clock);

/* As thread_park, for locks: a kick that ends it is kept for the thread's next thread_park, for which it may
 * have been meant. */
int thread_park_inside(uint64_t deadline);
