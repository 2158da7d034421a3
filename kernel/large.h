/*
 * Large pages: 2 MB of anonymous memory at once. A program that fills memory in ascending order and comes to
 * a 2 MB boundary gets a whole zeroed block, shown by one page-table entry. Its pages are ordinary pages of
 * the tree, each charged and freed on its own; what concerns only some of them makes the page table take the
 * entry away.
 */
#pragma once

#include "kernel/space.h"

/* A multiple of 2 MB that is written to from user mode: if the memory from there on is anonymous and empty,
 * the page before is not, and memory is not short, all of it is filled, and the fault resolved. No lock may
 * be held; interrupts get through while the block is cleared. */
bool large_fault(struct space *space, uint64_t address);
