/* Workers: processes that run torturers, one after the other, in a directory of their own. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

uint64_t now_ms(void);
void sleep_ms(long ms);

/* Says what is wrong, shows what /proc knows about a process, and ends this one. */
_Noreturn void give_up(const char *what, pid_t pid);

/* Calls that all workers' torturers have made. */
uint64_t calls_all(void);

/* Runs torturers until all workers together have made shared->goal calls. */
_Noreturn void worker_run(unsigned worker, uint64_t seed);
