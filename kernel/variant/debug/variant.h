/*
 * What only the debug kernel does. It can make the n-th allocation fail, so that tests walk through every
 * failure path (fail.c); it checks the order of locks and that they are given back (lock.c), memory that is
 * freed or written wrongly (memory.c), lists (list.c) and the ends of the kernel stacks, and measures how
 * long interrupts are off (stretch.c). What it finds is a panic. kernel/variant/debug.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;
struct spinlock;

/* What a lock remembers of its rank. */
#define DEBUG_RANK(rank) (rank)

/* True for the allocation that debug_fail_nth asked to fail. */
bool debug_allocation_fails(void);
/* The n-th allocation from now fails (0: none). Returns how many were made since the last call. */
int64_t debug_fail_nth(uint64_t n);

/* Interrupts went off, and are about to go on again, for an interrupt or exception in the kernel; nothing
 * when they were off before. kernel/variant/debug/stretch.c; the other ways in and out are in
 * entry_hooks.inc. */
void debug_stretch_enter(const struct frame *frame);
void debug_stretch_nested_begin(const struct frame *frame);
void debug_stretch_nested_end(const struct frame *frame);

/* The call of that name; argument is a user address where what asks for one. */
int64_t debug_control(uint64_t what, uint64_t argument);

void debug_lock_acquired(unsigned rank);
void debug_lock_released(unsigned rank);
/* This CPU holds the lock now; after debug_lock_acquired. */
void debug_lock_hold(const struct spinlock *lock);
/* Looked once more at a lock that is held. */
void debug_lock_wait(const struct spinlock *lock);

/* Bytes that each slab object is longer than asked for. */
enum { DEBUG_RED_ZONE = 64 };
/* An object was allocated with its red zone (or not: NULL), is about to be freed; returns the object. */
void *debug_object_made(void *object, size_t size);
void debug_object_free(void *object, size_t size);
/* A new slab has room for an object. */
void debug_object_fresh(void *object, size_t room);
/* Pages were allocated (0: not), are about to be freed; returns the address. */
uint64_t debug_page_made(uint64_t physical, unsigned order);
void debug_page_free(uint64_t physical, unsigned order);
/* A page was allocated that was kept cleared. */
uint64_t debug_page_clear(uint64_t physical);
