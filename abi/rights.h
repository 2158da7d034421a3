/*
 * Rights of a capability, bit 0 up (requirement C2). The names of Rustux and Zircon map onto them:
 * EXECUTE -> EXEC, MAP -> READ/WRITE/EXEC on a Vmo plus MEMORY on the space, SIGNAL -> SEND,
 * ENUMERATE -> READ on a Job, RESUME -> SUSPEND, DUPLICATE and TRANSFER -> GRANT, WAIT -> RECV.
 */
#pragma once

#include <stdint.h>

enum rights {
    RIGHT_NONE = 0,
    RIGHT_READ = 1u << 0,
    RIGHT_WRITE = 1u << 1,
    RIGHT_EXEC = 1u << 2,
    RIGHT_SEND = 1u << 3,
    RIGHT_RECV = 1u << 4,
    RIGHT_GRANT = 1u << 5,
    RIGHT_REVOKE = 1u << 6,
    RIGHT_DEBUG = 1u << 7,
    RIGHT_KILL = 1u << 8,
    RIGHT_SUSPEND = 1u << 9,
    RIGHT_PRIORITY = 1u << 10,
    RIGHT_MEMORY = 1u << 11,
    RIGHT_DEVICE = 1u << 12,
    RIGHT_NETWORK = 1u << 13,
    RIGHT_FILE = 1u << 14,
    RIGHT_ADMIN = 1u << 15,
    RIGHT_ALL = 0xffff,
};

/* A handle names a slot of its process's handle table: slot index in bits 0-19, generation in bits 20-31.
 * 0 is never a valid handle. */
typedef uint32_t handle_t;
enum { HANDLE_NONE = 0, HANDLE_INDEX_BITS = 20 };
