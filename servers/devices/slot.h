/*
 * A hot-plug slot of a PCI Express port: what to do when a card arrives, goes, is asked for by its button, or
 * fails (PCI Express Base Specification 6.7). Pure: status and time go in, actions and the wished value of
 * the slot control register come out, so that tests can play the slot.
 *
 *      OFF ──arrived, button──▶ POWERING ──it answers──▶ ON ──button──▶ ASKING
 *       ▲                          │ gone, fault,        │ gone         │ gone, given up
 *       │                          ▼ no answer           ▼              ▼ by its users, or too late
 *       └────────── 1 s ────── RESTING ◀──drivers ended── STOPPING ◀────┘
 *
 * A card whose button was pressed works on until those who use it have given it up, so that what was written
 * to a disk is on it; it stays off until it has left, or its button is pressed again. The slot
 * takes one command at a time: the next one waits until the last one is completed (6.7.3.2), or a second has
 * passed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Registers, from the start of the PCI Express capability. */
enum {
    EXPRESS_FLAGS = 2,
    EXPRESS_LINK_CAPABILITIES = 12,
    EXPRESS_LINK_STATUS = 18,
    EXPRESS_SLOT_CAPABILITIES = 20,
    EXPRESS_SLOT_CONTROL = 24,
    EXPRESS_SLOT_STATUS = 26,
    EXPRESS_SIZE = 28, /* as far as they are read here */
};
enum { EXPRESS_SLOT = 0x100, EXPRESS_TYPE = 0xf0, EXPRESS_ROOT_PORT = 0x40, EXPRESS_DOWNSTREAM_PORT = 0x60 };
enum { LINK_ACTIVE_REPORTED = 1 << 20, LINK_ACTIVE = 1 << 13 };
enum {
    SLOT_BUTTON = 1 << 0,
    SLOT_POWER_CONTROLLER = 1 << 1,
    SLOT_HOT_PLUG = 1 << 6,
    SLOT_NO_COMPLETION = 1 << 18,
    SLOT_NUMBER_SHIFT = 19,
};
enum { /* slot status: what happened, written back to clear it, and what is */
       SLOT_PRESSED = 1 << 0,
       SLOT_FAULT = 1 << 1,
       SLOT_LATCH_CHANGED = 1 << 2,
       SLOT_PRESENCE_CHANGED = 1 << 3,
       SLOT_COMPLETED = 1 << 4,
       SLOT_PRESENT = 1 << 6,
       SLOT_LINK_CHANGED = 1 << 8,
       SLOT_EVENTS = SLOT_PRESSED | SLOT_FAULT | SLOT_LATCH_CHANGED | SLOT_PRESENCE_CHANGED | SLOT_COMPLETED |
                     SLOT_LINK_CHANGED,
};
enum { /* slot control */
       CONTROL_EVENTS = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 12,
       CONTROL_ATTENTION_ON = 1 << 6,
       CONTROL_ATTENTION_OFF = 3 << 6,
       CONTROL_INDICATOR_ON = 1 << 8,
       CONTROL_INDICATOR_BLINK = 2 << 8,
       CONTROL_INDICATOR_OFF = 3 << 8,
       CONTROL_POWER_OFF = 1 << 10,
       CONTROL_USED = CONTROL_EVENTS | 1 << 2 | 3 << 6 | 3 << 8 | 1 << 10,
};

enum slot_state { SLOT_OFF, SLOT_POWERING, SLOT_ON, SLOT_ASKING, SLOT_STOPPING, SLOT_RESTING };

enum slot_action {
    SLOT_NOTHING,
    SLOT_BEGIN /* find the card's functions */,
    SLOT_ASK /* ask their users to give them up */,
    SLOT_END /* end their drivers */
};

struct slot {
    uint32_t capabilities;
    bool link_reported; /* the port tells whether the link is up */
    enum slot_state state;
    bool arrived; /* a card that has not been tried yet */
    bool failed;  /* the last card did; the attention indicator says so */
    uint64_t answers_after, deadline;
    uint64_t patience;      /* ns that users have to give a card up */
    uint16_t control;       /* as written last */
    uint64_t command_until; /* the last command may be under way so long; 0: it is completed */
};

/* What the slot is like at one moment. */
struct slot_view {
    uint16_t status; /* of the slot, with all events since the last look */
    bool link;       /* the link is up */
    bool answers;    /* a function answers behind the port */
    bool used;       /* somebody has not given it up */
};

/* The slot as the firmware left it; in_use: functions were found behind it. The patience is set afterwards.
 */
void slot_open(struct slot *slot, uint32_t capabilities, bool link_reported, const struct slot_view *view,
               uint16_t control, bool in_use, uint64_t now);

/* Takes up what has happened. After SLOT_END, drivers_ended follows. */
enum slot_action slot_step(struct slot *slot, const struct slot_view *view, uint64_t now);
void slot_drivers_ended(struct slot *slot, uint64_t now);

/* The next command: true with the value for the slot control register, which the caller writes. */
bool slot_command(struct slot *slot, uint64_t now, uint16_t *control);

/* When slot_step has to be called again at the latest (ns), UINT64_MAX: when something happens. */
uint64_t slot_deadline(const struct slot *slot, uint64_t now);
