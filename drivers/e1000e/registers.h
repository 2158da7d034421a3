/* Registers and descriptors of Intel's gigabit Ethernet controllers, as far as 82540EM and 82574L share them:
 * legacy descriptors, one queue each way. Intel 82574 datasheet, chapters 7 and 10. */
#pragma once

#include <stdint.h>

enum {
    REG_CTRL = 0x0000,
    REG_STATUS = 0x0008,
    REG_CTRL_EXT = 0x0018,
    REG_ICR = 0x00c0,
    REG_IMS = 0x00d0,
    REG_IMC = 0x00d8,
    REG_IVAR = 0x00e4, /* 82574L */
    REG_RCTL = 0x0100,
    REG_TCTL = 0x0400,
    REG_TIPG = 0x0410,
    REG_RDBAL = 0x2800, /* the low and the high half of the address, then */
    REG_RDLEN = 0x2808,
    REG_RDH = 0x2810,
    REG_RDT = 0x2818,
    REG_TDBAL = 0x3800,
    REG_TDLEN = 0x3808,
    REG_TDH = 0x3810,
    REG_TDT = 0x3818,
    REG_MTA = 0x5200, /* 128 words of multicast filter */
    REG_RAL = 0x5400,
    REG_RAH = 0x5404,
    REG_END = 0x5408,
};

enum { MTA_WORDS = 128 };

#define CTRL_LINK_RESET   (1U << 3)
#define CTRL_SPEED_DETECT (1U << 5)
#define CTRL_LINK_UP      (1U << 6)
#define CTRL_RESET        (1U << 26)
#define CTRL_PHY_RESET    (1U << 31)
#define CTRL_EXT_PBA      (1U << 31) /* with MSI-X */
#define STATUS_LINK_UP    (1U << 1)

#define RCTL_ENABLE        (1U << 1)
#define RCTL_ALL           (1U << 3)
#define RCTL_ALL_MULTICAST (1U << 4)
#define RCTL_BROADCAST     (1U << 15)
#define RCTL_STRIP_CRC     (1U << 26)
#define TCTL_ENABLE        (1U << 1)
#define TCTL_PAD           (1U << 3)
#define TCTL_COLLISIONS    (0x0fU << 4 | 0x40U << 12)
#define TIPG_VALUE         (10U | 8U << 10 | 6U << 20)
#define RAH_VALID          (1U << 31)

/* Causes of interrupts; those of the queues with MSI-X alone. */
#define CAUSE_SENT      (1U << 0)
#define CAUSE_LINK      (1U << 2)
#define CAUSE_LOW       (1U << 4)
#define CAUSE_OVERRUN   (1U << 6)
#define CAUSE_RECEIVED  (1U << 7)
#define CAUSE_QUEUE_IN  (1U << 20)
#define CAUSE_QUEUE_OUT (1U << 22)
#define CAUSE_OTHER     (1U << 24)
/* Receive, transmit and other causes all at vector 0. */
#define IVAR_VALUE (1U << 3 | 1U << 11 | 1U << 19 | 1U << 31)

struct descriptor {
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset, command; /* received: a checksum */
    uint8_t status, errors;           /* sent: where the checksum starts */
    uint16_t special;
};

_Static_assert(sizeof(struct descriptor) == 16, "the device reads it");

enum { COMMAND_END = 1, COMMAND_CRC = 2, COMMAND_REPORT = 8 };
enum { DESCRIPTOR_DONE = 1, DESCRIPTOR_END = 2 };
