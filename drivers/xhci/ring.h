/*
 * The rings of an xHCI controller (xHCI 1.1, section 4.9) in memory that it reads and writes: one page each.
 * Who writes a ring marks every TRB with the ring's present cycle bit, which changes with each round; so the
 * reader sees where it ends. Pure: memory in, memory out.
 */
#pragma once

#include <stdbool.h>

#include "drivers/xhci/trb.h"

enum { RING_TRBS = 256, RING_MOST = 8 };

struct ring {
    struct trb *trbs; /* RING_TRBS of them, the last one links to the first */
    uint64_t physical;
    unsigned next;
    uint32_t cycle;
};

/* An empty ring in a page. */
void ring_init(struct ring *ring, struct trb *trbs, uint64_t physical);

/* Hands over 1 to RING_MOST TRBs as one: the controller sees all or none. The caller has no more of them
 * under way than fit. Returns the index of the first. */
unsigned ring_put(struct ring *ring, const struct trb *trbs, unsigned count);

/* The place of the TRB that is `after` ones behind index: links are not counted. */
unsigned ring_step(unsigned index, unsigned after);

uint64_t ring_address(const struct ring *ring, unsigned index);
/* The index of an address that the controller told; -1: none of this ring. */
int ring_index(const struct ring *ring, uint64_t address);
/* Where the next TRB goes and with which cycle, as commands and contexts want it. */
uint64_t ring_dequeue(const struct ring *ring);

struct event_ring {
    const struct trb *trbs; /* RING_TRBS, no link */
    uint64_t physical;
    unsigned next;
    uint32_t cycle;
};

void event_ring_init(struct event_ring *ring, struct trb *trbs, uint64_t physical);
/* Takes the next event, as a copy; false: there is none. */
bool event_take(struct event_ring *ring, struct trb *event);
