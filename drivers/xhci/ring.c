/* See ring.h. */
#include "drivers/xhci/ring.h"

#include <string.h>

enum { LINK = RING_TRBS - 1 };

void ring_init(struct ring *ring, struct trb *trbs, uint64_t physical) {
    memset(trbs, 0, RING_TRBS * sizeof *trbs);
    *ring = (struct ring){.trbs = trbs, .physical = physical, .cycle = TRB_CYCLE};
    trbs[LINK].parameter = physical;
}

unsigned ring_step(unsigned index, unsigned after) {
    return (index + after) % LINK;
}

/* Passes the link: it belongs to the transfer that goes on behind it. */
static void link_pass(struct ring *ring, uint32_t chain) {
    uint32_t control = TRB_TYPE(TRB_LINK) | TRB_TOGGLE | chain | ring->cycle;
    __atomic_store_n(&ring->trbs[LINK].control, control, __ATOMIC_RELEASE);
    ring->next = 0;
    ring->cycle ^= TRB_CYCLE;
}

unsigned ring_put(struct ring *ring, const struct trb *trbs, unsigned count) {
    unsigned first = ring->next;
    uint32_t first_control = 0;
    for (unsigned i = 0; i < count; i++) {
        struct trb *to = &ring->trbs[ring->next];
        uint32_t control = (trbs[i].control & ~(uint32_t)TRB_CYCLE) | ring->cycle;
        to->parameter = trbs[i].parameter;
        to->status = trbs[i].status;
        if (i == 0)
            first_control = control;
        /* The first one stays the controller's end until all are there. */
        __atomic_store_n(&to->control, i == 0 ? control ^ TRB_CYCLE : control, __ATOMIC_RELEASE);
        if (++ring->next == LINK)
            link_pass(ring, i + 1 < count ? trbs[i].control & TRB_CHAIN : 0);
    }
    __atomic_store_n(&ring->trbs[first].control, first_control, __ATOMIC_RELEASE);
    return first;
}

uint64_t ring_address(const struct ring *ring, unsigned index) {
    return ring->physical + index * sizeof(struct trb);
}

int ring_index(const struct ring *ring, uint64_t address) {
    uint64_t inset = address - ring->physical;
    if (inset % sizeof(struct trb) || inset / sizeof(struct trb) >= LINK)
        return -1;
    return (int)(inset / sizeof(struct trb));
}

uint64_t ring_dequeue(const struct ring *ring) {
    return ring_address(ring, ring->next) | ring->cycle;
}

void event_ring_init(struct event_ring *ring, struct trb *trbs, uint64_t physical) {
    memset(trbs, 0, RING_TRBS * sizeof *trbs);
    *ring = (struct event_ring){.trbs = trbs, .physical = physical, .cycle = TRB_CYCLE};
}

bool event_take(struct event_ring *ring, struct trb *event) {
    const struct trb *from = &ring->trbs[ring->next];
    uint32_t control = __atomic_load_n(&from->control, __ATOMIC_ACQUIRE);
    if ((control & TRB_CYCLE) != ring->cycle)
        return false;
    *event = (struct trb){from->parameter, from->status, control};
    if (++ring->next == RING_TRBS) {
        ring->next = 0;
        ring->cycle ^= TRB_CYCLE;
    }
    return true;
}
