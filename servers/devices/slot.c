/* See slot.h. Sections are those of the PCI Express Base Specification 5.0. */
#include "servers/devices/slot.h"

#define MS           1000000ULL
#define COMMAND_TIME (1000 * MS) /* 6.7.3.2: a command takes a second at the most */
#define SETTLE_TIME  (100 * MS)  /* 6.6.1: before the first request to a card */
#define ANSWER_TIME  (1500 * MS) /* 6.6.1: a card answers after a second; and the link has to come up */
#define ANSWER_STEP  (20 * MS)
#define REST_TIME    (1000 * MS) /* 6.7.1.8: after power is off */

static bool has(const struct slot *slot, uint32_t capability) {
    return slot->capabilities & capability;
}

/* In a slot that tells of the link, a card is there when it is up. */
static bool works(const struct slot *slot, const struct slot_view *view) {
    return (view->status & SLOT_PRESENT) && (view->link || !slot->link_reported);
}

static void state_set(struct slot *slot, enum slot_state state, uint64_t deadline) {
    slot->state = state;
    slot->deadline = deadline;
}

static void rest(struct slot *slot, uint64_t now) {
    state_set(slot, SLOT_RESTING, now + (has(slot, SLOT_POWER_CONTROLLER) ? REST_TIME : 0));
}

static void power_up(struct slot *slot, uint64_t now) {
    slot->arrived = slot->failed = false;
    slot->answers_after = now + SETTLE_TIME;
    state_set(slot, SLOT_POWERING, now + ANSWER_TIME);
}

void slot_open(struct slot *slot, uint32_t capabilities, bool link_reported, const struct slot_view *view,
               uint16_t control, bool in_use, uint64_t now) {
    *slot = (struct slot){.capabilities = capabilities, .link_reported = link_reported, .control = control};
    if (in_use)
        state_set(slot, SLOT_ON, UINT64_MAX);
    else if (view->status & SLOT_PRESENT)
        power_up(slot, now);
    else
        state_set(slot, SLOT_OFF, UINT64_MAX);
}

/* ---- the states ---- */

static enum slot_action off_step(struct slot *slot, bool pressed, const struct slot_view *view,
                                 uint64_t now) {
    if ((view->status & SLOT_PRESENT) && (pressed || slot->arrived))
        power_up(slot, now);
    return SLOT_NOTHING;
}

static enum slot_action powering_step(struct slot *slot, const struct slot_view *view, uint64_t now) {
    bool present = view->status & SLOT_PRESENT, failed = view->status & SLOT_FAULT || now >= slot->deadline;
    if (!works(slot, view)) /* training: the time to wait begins when the link is up */
        slot->answers_after = now + SETTLE_TIME;
    if (!present || failed) {
        slot->failed = present;
        rest(slot, now);
    } else if (works(slot, view) && now >= slot->answers_after && view->answers) {
        state_set(slot, SLOT_ON, UINT64_MAX);
        return SLOT_BEGIN;
    }
    return SLOT_NOTHING;
}

/* A change of presence ends a card even when one is there again: it may be another one. */
static enum slot_action on_step(struct slot *slot, bool pressed, const struct slot_view *view, uint64_t now) {
    bool lost = !works(slot, view) || view->status & (SLOT_PRESENCE_CHANGED | SLOT_FAULT) || !view->answers;
    bool over = slot->state == SLOT_ASKING ? !view->used || now >= slot->deadline : pressed && !view->used;
    if (lost || over) {
        slot->failed = view->status & SLOT_FAULT;
        state_set(slot, SLOT_STOPPING, UINT64_MAX);
        return SLOT_END;
    }
    if (slot->state == SLOT_ASKING || !pressed)
        return SLOT_NOTHING;
    state_set(slot, SLOT_ASKING, now + slot->patience);
    return SLOT_ASK;
}

enum slot_action slot_step(struct slot *slot, const struct slot_view *view, uint64_t now) {
    bool pressed = has(slot, SLOT_BUTTON) && (view->status & SLOT_PRESSED);
    if (view->status & SLOT_COMPLETED || now >= slot->command_until)
        slot->command_until = 0;
    if (view->status & SLOT_PRESENCE_CHANGED)
        slot->arrived = view->status & SLOT_PRESENT;
    if (slot->state == SLOT_RESTING && now >= slot->deadline)
        state_set(slot, SLOT_OFF, UINT64_MAX);
    switch (slot->state) {
    case SLOT_OFF:
        return off_step(slot, pressed, view, now);
    case SLOT_POWERING:
        return powering_step(slot, view, now);
    case SLOT_ON:
    case SLOT_ASKING:
        return on_step(slot, pressed, view, now);
    case SLOT_STOPPING:
    case SLOT_RESTING:
        break;
    }
    return SLOT_NOTHING;
}

void slot_drivers_ended(struct slot *slot, uint64_t now) {
    if (slot->state == SLOT_STOPPING)
        rest(slot, now);
}

/* ---- commands ---- */

static uint16_t control_wanted(const struct slot *slot) {
    unsigned control = CONTROL_EVENTS | (slot->failed ? CONTROL_ATTENTION_ON : CONTROL_ATTENTION_OFF);
    bool power = slot->state != SLOT_OFF && slot->state != SLOT_RESTING;
    control |= slot->state == SLOT_ON ? CONTROL_INDICATOR_ON
               : power                ? CONTROL_INDICATOR_BLINK
                                      : CONTROL_INDICATOR_OFF;
    if (!power && has(slot, SLOT_POWER_CONTROLLER))
        control |= CONTROL_POWER_OFF;
    return (uint16_t)(control | (slot->control & ~(unsigned)CONTROL_USED));
}

bool slot_command(struct slot *slot, uint64_t now, uint16_t *control) {
    *control = control_wanted(slot);
    if (slot->command_until || *control == slot->control)
        return false;
    slot->control = *control;
    slot->command_until = has(slot, SLOT_NO_COMPLETION) ? 0 : now + COMMAND_TIME;
    return true;
}

uint64_t slot_deadline(const struct slot *slot, uint64_t now) {
    uint64_t next = slot->state == SLOT_POWERING ? now + ANSWER_STEP : slot->deadline;
    if (slot->command_until && slot->command_until < next)
        next = slot->command_until;
    return next;
}
