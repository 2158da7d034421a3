/*
 * Which of a client's requests under way is the oldest: told to `devices` in the link's header, which ends a
 * driver that leaves one unanswered for too long (abi/devices.h). Requests are known by slot, at most 64.
 */
#pragma once

#include <stdint.h>

enum { REQUEST_AGES_SLOTS = 64 };

struct request_ages {
    uint32_t last;                        /* number given; never 0 once there is one */
    uint32_t oldest, oldest_slot;         /* as it was told; 0: none */
    uint32_t numbers[REQUEST_AGES_SLOTS]; /* of the requests in the slots, in the order of their begin */
};

/* A request begins in a slot. */
static inline void request_ages_begin(struct request_ages *ages, unsigned slot) {
    if (++ages->last == 0)
        ages->last = 1;
    ages->numbers[slot] = ages->last;
}

/* The number of the oldest in the slots of a bitmap, 0 without any. Takes a step for each only when the one
 * before has ended. */
static inline uint32_t request_ages_oldest(struct request_ages *ages, uint64_t slots) {
    if (ages->oldest && slots >> ages->oldest_slot & 1 && ages->numbers[ages->oldest_slot] == ages->oldest)
        return ages->oldest;
    ages->oldest = 0;
    for (; slots; slots &= slots - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(slots);
        if (ages->oldest && (int32_t)(ages->numbers[slot] - ages->oldest) >= 0)
            continue;
        ages->oldest = ages->numbers[slot];
        ages->oldest_slot = slot;
    }
    return ages->oldest;
}
