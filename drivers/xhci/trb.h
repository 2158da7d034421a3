/*
 * Transfer request blocks (xHCI 1.1, section 6.4): the 16 bytes in which the driver tells the controller what
 * to do, on a ring per endpoint and one for commands, and the controller answers, on the event ring.
 */
#pragma once

#include <stdint.h>

struct trb {
    uint64_t parameter;
    uint32_t status;
    uint32_t control;
};

_Static_assert(sizeof(struct trb) == 16, "as specified");

enum trb_type {
    TRB_NORMAL = 1,
    TRB_SETUP = 2,
    TRB_DATA = 3,
    TRB_STATUS = 4,
    TRB_LINK = 6,
    TRB_ENABLE_SLOT = 9,
    TRB_DISABLE_SLOT = 10,
    TRB_ADDRESS_DEVICE = 11,
    TRB_CONFIGURE = 12,
    TRB_EVALUATE = 13,
    TRB_RESET_ENDPOINT = 14,
    TRB_SET_DEQUEUE = 16,
    TRB_EVENT_TRANSFER = 32,
    TRB_EVENT_COMMAND = 33,
    TRB_EVENT_PORT = 34,
};

/* Of control. */
enum {
    TRB_CYCLE = 1,
    TRB_TOGGLE = 2,   /* of a link: the cycle changes behind it */
    TRB_SHORT = 4,    /* an event also when fewer bytes came */
    TRB_CHAIN = 0x10, /* the next one belongs to the same transfer */
    TRB_INTERRUPT = 0x20,
    TRB_IMMEDIATE = 0x40, /* the parameter is the data */
    TRB_IN = 1 << 16,     /* of a data or status stage */
    TRB_SETUP_OUT = 2 << 16,
    TRB_SETUP_IN = 3 << 16,
    TRB_LENGTH = 0x1ffff, /* of status */
};

/* What the controller says of a transfer or a command. */
enum trb_code { CODE_SUCCESS = 1, CODE_STALL = 6, CODE_SHORT = 13 };

#define TRB_TYPE(type)         ((uint32_t)(type) << 10)
#define TRB_TYPE_OF(control)   ((control) >> 10 & 63)
#define TRB_SLOT(slot)         ((uint32_t)(slot) << 24)
#define TRB_SLOT_OF(control)   ((control) >> 24)
#define TRB_TARGET(endpoint)   ((uint32_t)(endpoint) << 16)
#define TRB_TARGET_OF(control) ((control) >> 16 & 31)
#define TRB_CODE_OF(status)    ((status) >> 24)
