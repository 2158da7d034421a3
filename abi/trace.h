/*
 * What trace_open (abi/syscalls.def) shows of a CPU: a read-only memory object with a struct trace_block. The
 * counters count always and are brought up to date by each trace_open; histograms and events fill while the
 * mask asks for their kind. The kernel writes while others read: an event n is whole when next is above n
 * and, looked at again after it was read, not above n + TRACE_EVENTS - 1.
 */
#pragma once

#include <stdint.h>

enum trace_kind {
    TRACE_SWITCH, /* detail: level; a: quantum left, ns. thread 0: idle */
    TRACE_LEVEL,  /* the thread moved to another level. detail: new; a: old */
    TRACE_WAKE,   /* the thread became ready. detail: level; a: CPU whose queue it is in */
    TRACE_CALL,   /* a class 1 call begins. detail: index; a, b: first two arguments */
    TRACE_RETURN, /* … or a fault was dealt with. detail: index into times; a: result, if it has one; b: ticks
                   */
    TRACE_FAULT,     /* page fault in user mode. detail: error code; a: address; b: rip */
    TRACE_INTERRUPT, /* detail: vector */
    TRACE_KINDS
};

/* Bits of trace_open's mask; TRACE_CALL and TRACE_FAULT each give TRACE_RETURN too. */
enum {
    TRACE_ALL = (1 << TRACE_KINDS) - 1,
    TRACE_KEEP = 1 << 30, /* leave the mask as it is */
};

enum {
    TRACE_EVENTS = 704,
    TRACE_BLOCK_BYTES = 32768,
    COUNTED_CALLS = 64,
    COUNTED_VECTORS = 128, /* indexed by the vector without its bit 7 */
    TIME_FAULTS = 63, /* struct trace_block.times: page faults of user mode; below, class 1 calls by index */
    TIME_BUCKETS = 32,
};

struct trace_event {
    uint64_t time; /* TSC */
    uint16_t kind, detail;
    uint32_t thread; /* object id */
    uint64_t a, b;
};

/* Since boot, of one CPU. */
struct cpu_counters {
    uint64_t reflections; /* guest exits handed to a personality */
    uint64_t page_table_switches;
    uint64_t other_entries; /* kernel entries that are neither in calls nor guest_enter */
    uint64_t context_switches;
    uint64_t page_faults;
    uint64_t idle_time; /* ns */
    uint64_t calls[COUNTED_CALLS];
    uint32_t vectors[COUNTED_VECTORS]; /* interrupts: 32 + line, 80 messages, 0xf0 & 127 timer, 0xf1
                                          rescheduling, 0xf2 TLB */
};

/* buckets[i] counts what took at least 2^i TSC ticks, and less than 2^(i + 1). */
struct time_histogram {
    uint64_t total; /* ticks */
    uint32_t buckets[TIME_BUCKETS];
};

struct trace_block {
    struct cpu_counters counters;
    uint64_t next; /* events ever written; event n is at events[n % TRACE_EVENTS] */
    struct time_histogram times[COUNTED_CALLS];
    struct trace_event events[TRACE_EVENTS];
};

_Static_assert(sizeof(struct trace_block) <= TRACE_BLOCK_BYTES, "whole pages");
