/*
 * Linux programs for host tests: C functions that run in place of guest code on the whole personality (system
 * calls, guest loop, signals, fork), in the simulation of linux/arch/host/thread.h. In one program, guest
 * memory is reached only through the functions below; pointers of the host mean nothing to system calls.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "linux/arch/host/thread.h"

/* ---- for the test itself ---- */

/* Starts the personality: an empty tmpfs root, /proc, /dev, and process 1, which only makes the children
 * asked for. */
void guest_boot(void);
/* A child of process 1 runs the program with the argument; nobody can wait for anything any more, or it has
 * ended, when this returns: true and its wait status, or false while it still waits. `most`: switches between
 * threads. */
bool guest_execute(guest_program program, void *argument, uint64_t most, int32_t *status);
/* Lets everything run on: true and the status when the child has ended meanwhile. */
bool guest_continue(uint64_t most, int32_t *status);
/* Sends a signal to every process but the first. */
void guest_signal_all(int signo);
/* Processes that exist, zombies and process 1 included. */
unsigned guest_processes(void);
/* Prints them with their threads. */
void guest_describe(void);

/* ---- for programs ---- */

/* A system call: what Linux would return in rax. Handlers of signals run inside, before it returns. */
int64_t guest_call(uint64_t number, const uint64_t arguments[6]);
#define guest(number, ...) guest_call(NR_##number, (const uint64_t[6]){__VA_ARGS__})

/* The next fork, vfork or clone of this thread makes a child that runs this. */
void guest_child(guest_program program, void *argument);

/* A CPU exception, as the kernel would report it; handlers run as above. */
void guest_exception(uint64_t vector, uint64_t code, uint64_t address);

/* An address that stands for a C function: a signal handler, or where an executable file begins. */
typedef void (*guest_handler)(int signo, uint64_t info, uint64_t context);
uint64_t guest_handler_address(guest_handler handler);
uint64_t guest_entry_address(guest_program program);
/* SA_RESTORER's address. */
uint64_t guest_restorer(void);

/* Each program has 256 KB of scratch memory at GUEST_SCRATCH, read-write, and a read-only page at
 * GUEST_READ_ONLY. */
#define GUEST_SCRATCH      0x20000000ULL
#define GUEST_SCRATCH_SIZE 0x40000ULL
#define GUEST_READ_ONLY    0x30000000ULL
#define GUEST_UNMAPPED     0x38000000ULL
#define GUEST_STACK        0x3f000000ULL
#define GUEST_STACK_SIZE   0x20000ULL
#define GUEST_HEAP         0x50000000ULL /* brk */
#define GUEST_MAPS_END     0x3f0000000000ULL

/* Bytes to and from guest memory whatever its protection allows; aborts where nothing is mapped. */
void guest_put(uint64_t to, const void *from, size_t length);
void guest_get(void *to, uint64_t from, size_t length);
/* A fresh piece of scratch memory, 16-byte aligned, never freed; a copy of a text or of bytes in it. */
uint64_t guest_alloc(size_t length);
uint64_t guest_text(const char *text);
uint64_t guest_bytes(const void *bytes, size_t length);
