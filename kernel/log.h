/*
 * The kernel log: a ring in memory that a Resource gives access to, copied to the debug port (0xE9) as it is
 * written. Panics go to the first serial port as well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;

/* Appends bytes. Takes the log's lock. */
void log_bytes(const char *text, size_t length);
/* A formatted line; the newline is added. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Copies from an absolute position of everything ever logged; moves the position past what was lost and what
 * was read. */
size_t log_copy(uint64_t *position, char *to, size_t length);

/* Stops every CPU, prints the message and what each CPU was doing, and halts, resets or leaves QEMU
 * (kernel/panic.c). panic_frame: an exception that nobody expected. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void panic_frame(const struct frame *frame, const char *what);
/* An NMI: stops this CPU for good if another one panics, else returns. */
void panic_stop(const struct frame *frame);
